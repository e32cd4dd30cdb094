// SPDX-License-Identifier: MIT OR Apache-2.0
//! A register behind a firmware protocol that hashes, extends and logs in one call.
//!
//! EFI_TCG2_PROTOCOL and EFI_CC_MEASUREMENT_PROTOCOL both have HashLogExtendEvent, which takes
//! *data*; the core's [`Provider`] is given *digests*. Going around the firmware (TPM2_PCR_Extend by
//! SubmitCommand, a TDCALL of our own) would take digests, but leave the firmware's log without the
//! event and a bank that the core does not know without the extension, and there is no such way
//! with the CC protocol alone. So the data is announced beforehand: an extension is carried out if
//! its digests are those of announced data under every bank, and refused otherwise. What the firmware
//! hashes is then what the log says, and both logs tell of it.
//!
//! A `SYNC` record need not be announced: it follows from the values that were read.

use core::fmt::Write as _;

use tsm_core::provider::{self, ErrorKind, Provider, RegisterId};
use tsm_core::{Algorithm, Banks, Digest, Register};
use uefi::{Result, Status};

use crate::text::Text;

/// A firmware protocol for one register.
pub trait Firmware {
    /// The provider's name.
    const PROVIDER: &'static str;

    /// The register's name.
    fn register(&self) -> &'static str;

    /// The register's banks, of those the core knows.
    fn banks(&self) -> Banks;

    /// The register's value.
    ///
    /// # Errors
    ///
    /// The firmware's.
    fn value(&mut self, bank: Algorithm) -> Result<Digest>;

    /// Hashes `data` under every bank, extends the register, and logs `data` as the event.
    ///
    /// # Errors
    ///
    /// The firmware's; `VOLUME_FULL` means that the register *was* extended and the firmware's log
    /// has no room (TCG EFI Protocol Specification 1.00, 6.6.3; UEFI 2.10, 38.2.3).
    fn hash_log_extend(&mut self, data: &[u8]) -> Result<()>;
}

/// The register of `F` as a provider; `record` is the data that is announced.
pub struct FirmwareRegister<'d, F> {
    firmware: F,
    record: &'d [u8],
    /// The `SYNC` record for the values read last.
    sync: Text<SYNC>,
}

/// `SYNC`, and for every bank a space, its name, a slash and the digits.
const SYNC: usize = 4 + Algorithm::MAX * (1 + 6 + 1 + 2 * Digest::MAX);

/// What went wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Error {
    /// The call was refused before the firmware was asked.
    Refused(ErrorKind),
    /// The firmware failed.
    Firmware(Status),
}

impl<'d, F: Firmware> FirmwareRegister<'d, F> {
    /// The register, to be extended with `record`.
    pub const fn new(firmware: F, record: &'d [u8]) -> Self {
        Self { firmware, record, sync: Text::new() }
    }

    /// The announced data with these digests.
    fn announced(&self, digests: &[Digest]) -> Option<&[u8]> {
        let complete = digests.len() == self.firmware.banks().len();
        [self.record, self.sync.as_bytes()].into_iter().find(|data| {
            complete && digests.iter().all(|digest| digest.algorithm().hash(data) == *digest)
        })
    }

    /// Reads every bank and writes the record that captures them.
    fn capture(&mut self) -> Result<()> {
        let mut sync = Text::new();
        let _ = sync.write_str("SYNC");
        for bank in self.firmware.banks().iter() {
            let value = self.firmware.value(bank)?;
            // `SYNC` bytes hold it all.
            let _ = write!(sync, " {value}");
        }
        self.sync = sync;
        Ok(())
    }
}

impl<F: Firmware> Provider for FirmwareRegister<'_, F> {
    type Error = Error;

    fn name(&self) -> &str {
        F::PROVIDER
    }

    fn describe(&self, id: RegisterId) -> Option<Register<'_>> {
        // Not `DIRECT`: a digest alone cannot be extended.
        let register = || Register::runtime(self.firmware.register(), self.firmware.banks());
        (id == RegisterId(0)).then(register)
    }

    fn read(
        &mut self,
        id: RegisterId,
        bank: Option<Algorithm>,
        out: &mut [u8],
    ) -> core::result::Result<(), Error> {
        provider::check_read(self.describe(id).as_ref(), bank, out).map_err(Error::Refused)?;
        let bank = bank.ok_or(Error::Refused(ErrorKind::NoSuchBank))?;
        self.capture().map_err(|error| Error::Firmware(error.status()))?;
        let value = self.firmware.value(bank).map_err(|error| Error::Firmware(error.status()))?;
        out.copy_from_slice(value.as_bytes());
        Ok(())
    }

    fn extend(&mut self, id: RegisterId, digests: &[Digest]) -> core::result::Result<(), Error> {
        provider::check_extend(self.describe(id).as_ref(), digests).map_err(Error::Refused)?;
        let mut data = [0; DATA];
        let announced = self.announced(digests).ok_or(Error::Refused(ErrorKind::NotPermitted))?;
        let data = data.get_mut(..announced.len());
        let data = data.ok_or(Error::Refused(ErrorKind::WrongSize))?;
        data.copy_from_slice(announced);
        match self.firmware.hash_log_extend(data) {
            // Extended; the record log has it, even if the firmware's does not.
            Err(error) if error.status() == Status::VOLUME_FULL => Ok(()),
            done => done.map_err(|error| Error::Firmware(error.status())),
        }
    }
}

/// Longest data that is announced, in bytes.
pub const DATA: usize = 1024;
const _: () = assert!(SYNC <= DATA);

impl provider::Error for Error {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Refused(kind) => *kind,
            // Both protocols check their parameters before they do anything.
            Self::Firmware(Status::INVALID_PARAMETER | Status::UNSUPPORTED) => ErrorKind::Failed,
            Self::Firmware(_) => ErrorKind::StateUnknown,
        }
    }
}

impl core::fmt::Display for Error {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Refused(kind) => write!(f, "{kind}"),
            Self::Firmware(status) => write!(f, "the firmware failed: {status}"),
        }
    }
}

impl core::error::Error for Error {}
