// SPDX-License-Identifier: MIT OR Apache-2.0
//! The RTMRs as a provider of the core, over TDCALL.

use tsm_core::provider::{self, ErrorKind, Provider, RegisterId};
use tsm_core::{Algorithm, Banks, Digest, Powers, Register};

use crate::emulated_module::{FIELD_RTMR, WORDS};
use crate::tdcall::{self, ExtendBuffer, Status};

/// RTMR0 to RTMR3.
#[derive(Clone, Copy)]
pub(crate) struct TdxRegisters;

const fn rtmr(name: &'static str) -> Register<'static> {
    Register::runtime(name, Banks::one(Algorithm::Sha384)).with(Powers::DIRECT)
}

/// A register's place is its RTMR index.
static RTMR: [Register<'static>; 4] = [rtmr("rtmr0"), rtmr("rtmr1"), rtmr("rtmr2"), rtmr("rtmr3")];

/// How often a busy register is tried.
const TRIES: u32 = 16;

impl TdxRegisters {
    /// The value of an RTMR.
    pub(crate) fn rtmr(self, index: u16) -> Option<Digest> {
        let mut this = self;
        this.value(RegisterId(index), Algorithm::Sha384).ok()
    }
}

/// A status, or what was refused before the call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Error {
    Refused(ErrorKind),
    Tdcall(Status),
}

impl provider::Error for Error {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Refused(kind) => *kind,
            // Every failure of the two leaves that are used comes before the register changes.
            Self::Tdcall(status) if status.class() == Status::OPERAND_BUSY => ErrorKind::Busy,
            Self::Tdcall(_) => ErrorKind::Failed,
        }
    }
}

impl core::fmt::Display for Error {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Refused(kind) => write!(f, "{kind}"),
            Self::Tdcall(status) => write!(f, "{status}"),
        }
    }
}

impl core::error::Error for Error {}

impl Provider for TdxRegisters {
    type Error = Error;

    fn name(&self) -> &str {
        crate::jobs::PROVIDER
    }

    fn describe(&self, id: RegisterId) -> Option<Register<'_>> {
        RTMR.get(id.index()).copied()
    }

    /// Reads word by word. The TDX module takes no lock for that, so on a machine with several
    /// processors this would have to be a report, or read twice; this image has one.
    fn read(
        &mut self,
        id: RegisterId,
        bank: Option<Algorithm>,
        out: &mut [u8],
    ) -> Result<(), Error> {
        provider::check_read(self.describe(id).as_ref(), bank, out).map_err(Error::Refused)?;
        let first = FIELD_RTMR + WORDS * u64::from(id.0);
        for (field, word) in (first..).zip(out.chunks_mut(8)) {
            let value = tdcall::vm_read(field).map_err(Error::Tdcall)?.to_le_bytes();
            for (to, from) in word.iter_mut().zip(value) {
                *to = from;
            }
        }
        Ok(())
    }

    fn extend(&mut self, id: RegisterId, digests: &[Digest]) -> Result<(), Error> {
        provider::check_extend(self.describe(id).as_ref(), digests).map_err(Error::Refused)?;
        let [digest] = digests else {
            return Err(Error::Refused(ErrorKind::InvalidInput));
        };
        let buffer = ExtendBuffer::new(digest.as_bytes());
        let mut tries = 1;
        loop {
            match tdcall::rtmr_extend(id.0.into(), &buffer) {
                Err(status) if status.class() == Status::OPERAND_BUSY && tries < TRIES => {
                    core::hint::spin_loop();
                    tries += 1;
                }
                done => return done.map_err(Error::Tdcall),
            }
        }
    }
}
