// SPDX-License-Identifier: MIT OR Apache-2.0
//! The text log of Confidential Containers' agent, to events and back.

use tsm_core::{Algorithm, Banks};

use super::lines::{self, Form};
use super::numbering::Numbering;
use super::output::Output;
use super::reason::Reason;
use crate::aael::{Log, UntrustedLine};
use crate::cel::{self, Register};
use crate::error::{Error, ErrorKind, Position};
use crate::registers::{Platform, RegisterIndex};
use crate::tcg;

/// Appends the lines of a text log to a TCG log, as events of `register`.
///
/// # Errors
///
/// What is wrong with the log. What [`tcg::Writer::append_record_with`] refuses, at the line that it
/// refuses. Without a position: [`Reason::Banks`] if the target has other banks than the log's one,
/// [`ErrorKind::NoSuchRegister`] if the platform has no such register that can be extended.
pub fn aael_to_tcg(
    log: Log<'_>,
    register: (Platform, RegisterIndex),
    to: &mut tcg::Writer<'_>,
) -> Result<(), Error> {
    let banks = Banks::one(log.init().algorithm());
    lines::to_tcg(log.map(line), banks, register, to)
}

/// Appends the lines of a text log to a canonical event log, as records of the register that the log
/// was opened with.
///
/// # Errors
///
/// What is wrong with the log. What the target refuses, at the line that it refuses.
pub fn aael_to_cel(
    log: Log<'_>,
    numbering: Numbering,
    to: &mut cel::Writer<'_>,
) -> Result<(), Error> {
    let (banks, register) = (Banks::one(log.init().algorithm()), log.register());
    lines::to_cel(log.map(line), banks, (register, numbering), to)
}

/// The text log whose lines are the events of a TCG log, all of which must be of `register` and have
/// a digest of `algorithm` alone.
///
/// # Errors
///
/// As [`tcg_to_records`](super::tcg_to_records), but what is wrong with a line is [`Reason::Line`].
pub fn tcg_to_aael(
    log: tcg::Log<'_>,
    register: (Platform, RegisterIndex),
    algorithm: Algorithm,
    to: &mut Output<'_>,
) -> Result<(), Error> {
    lines::from_tcg(log, register, &mut Text { algorithm, is_first: true }, to)
}

/// The text log whose lines are the records of a canonical event log, all of which must be of
/// `register` and have a digest of `algorithm` alone.
///
/// # Errors
///
/// As [`tcg_to_aael`]; [`Reason::Number`].
pub fn cel_to_aael(
    log: cel::Log<'_>,
    register: (Register, Numbering),
    algorithm: Algorithm,
    to: &mut Output<'_>,
) -> Result<(), Error> {
    lines::from_cel(log, register, &mut Text { algorithm, is_first: true }, to)
}

fn line(line: Result<UntrustedLine<'_>, Error>) -> Result<(&[u8], Position), Error> {
    line.map(|line| (line.line(), line.position()))
}

struct Text {
    algorithm: Algorithm,
    is_first: bool,
}

impl Form for Text {
    fn banks(&self) -> Banks {
        Banks::one(self.algorithm)
    }

    fn accept(&mut self, line: &[u8]) -> Result<(), ErrorKind> {
        if !Log::is_line(line, self.is_first.then_some(self.algorithm)) {
            return Err(ErrorKind::NotCarried(Reason::Line));
        }
        self.is_first = false;
        Ok(())
    }

    fn is_apart(&self, _: bool) -> bool {
        false
    }
}
