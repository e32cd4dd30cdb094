// SPDX-License-Identifier: MIT OR Apache-2.0
//! A provider for this crate's unit tests: registers in memory, and one failure on demand.
//! (The simulator proper is `tsm-sim`; it depends on this crate, so unit tests cannot use it.)

use crate::provider::{self, ErrorKind, Provider, RegisterId};
use crate::{Algorithm, Banks, Digest, Powers, Register};

pub(crate) struct Memory {
    pub(crate) registers: Vec<Register<'static>>,
    pub(crate) values: Vec<Vec<Digest>>,
    /// Fails the extension after so many successful ones, with this kind; `StateUnknown` extends.
    pub(crate) fault: Option<(usize, ErrorKind)>,
    pub(crate) extensions: usize,
    pub(crate) reads: usize,
}

impl Memory {
    pub(crate) fn new(registers: &[Register<'static>]) -> Self {
        let values = registers
            .iter()
            .map(|r| {
                r.banks().iter().map(|b| r.initial.value(b).unwrap_or(Digest::zeros(b))).collect()
            })
            .collect();
        Self { registers: registers.to_vec(), values, fault: None, extensions: 0, reads: 0 }
    }

    /// One register `rtmr` with these banks, direct extension allowed.
    pub(crate) fn one(banks: &[Algorithm]) -> Self {
        let banks = Banks::new(banks).unwrap();
        Self::new(&[Register::runtime("rtmr", banks).with(Powers::DIRECT)])
    }

    pub(crate) fn all(&self, id: RegisterId) -> Vec<Digest> {
        self.values[id.index()].clone()
    }
}

impl Provider for Memory {
    type Error = ErrorKind;

    fn name(&self) -> &str {
        "memory"
    }

    fn describe(&self, id: RegisterId) -> Option<Register<'_>> {
        self.registers.get(id.index()).copied()
    }

    fn read(
        &mut self,
        id: RegisterId,
        bank: Option<Algorithm>,
        out: &mut [u8],
    ) -> Result<(), ErrorKind> {
        provider::check_read(self.describe(id).as_ref(), bank, out)?;
        self.reads += 1;
        let value = self.values[id.index()].iter().find(|v| Some(v.algorithm()) == bank);
        out.copy_from_slice(value.unwrap().as_bytes());
        Ok(())
    }

    fn extend(&mut self, id: RegisterId, digests: &[Digest]) -> Result<(), ErrorKind> {
        provider::check_extend(self.describe(id).as_ref(), digests)?;
        let fault = match &mut self.fault {
            Some((0, kind)) => Some(*kind),
            Some((n, _)) => {
                *n -= 1;
                None
            }
            None => None,
        };
        if let Some(kind) = fault {
            self.fault = None;
            if kind != ErrorKind::StateUnknown {
                return Err(kind);
            }
        }
        self.extensions += 1;
        for digest in digests {
            let values = &mut self.values[id.index()];
            let value = values.iter_mut().find(|v| v.algorithm() == digest.algorithm());
            value.unwrap().extend(digest).unwrap();
        }
        fault.map_or(Ok(()), Err)
    }
}
