// SPDX-License-Identifier: MIT OR Apache-2.0
//! The numbers of records in canonical event logs.

use super::reason::Reason;
use crate::cel::Register;
use crate::error::ErrorKind;

/// How the records of a canonical event log are numbered.
///
/// Other formats have no numbers. So whoever converts into CEL chooses, and whoever converts from it
/// names what the log has; a record with another number is refused, since it would be lost.
///
/// Each call counts anew: to append a second log to the same writer, say where its count begins.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Numbering {
    /// All records of the log, counted from this. Google and `cel_util` count from 0, systemd from 1.
    Log(u64),
    /// Those of each register from 0, measured or not, as the specification is read. A log may then
    /// have at most 32 registers.
    Register,
}

impl Default for Numbering {
    /// All records from 0.
    fn default() -> Self {
        Self::Log(0)
    }
}

/// Most registers of a log whose records are counted for each.
const REGISTERS: usize = 32;

/// Gives the numbers.
#[derive(Debug)]
pub(super) struct Numbers {
    numbering: Numbering,
    registers: [Option<(Register, u64)>; REGISTERS],
}

impl Numbers {
    pub(super) const fn new(numbering: Numbering) -> Self {
        Self { numbering, registers: [None; REGISTERS] }
    }

    /// The number of the next record, which is one of `register`.
    pub(super) fn next(&mut self, register: Register) -> Result<u64, ErrorKind> {
        let next = match &mut self.numbering {
            Numbering::Log(next) => next,
            Numbering::Register => {
                let is_it = |slot: &&mut Option<(Register, u64)>| {
                    slot.as_ref().is_none_or(|(other, _)| *other == register)
                };
                let slot = self.registers.iter_mut().find(is_it);
                let slot = slot.ok_or(ErrorKind::TooManyRegisters)?;
                &mut slot.get_or_insert((register, 0)).1
            }
        };
        let number = *next;
        *next = number.wrapping_add(1);
        Ok(number)
    }

    /// Whether the next record, one of `register`, has the number it must have.
    pub(super) fn check(&mut self, register: Register, number: u64) -> Result<(), ErrorKind> {
        if self.next(register)? == number {
            Ok(())
        } else {
            Err(ErrorKind::NotCarried(Reason::Number))
        }
    }
}
