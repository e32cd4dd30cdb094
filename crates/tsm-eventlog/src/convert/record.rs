// SPDX-License-Identifier: MIT OR Apache-2.0
//! Record logs, to events and back.

use tsm_core::log::{Limits, Line, Lines};
use tsm_core::replay::{Finding, FindingKind, Replay, Sink};
use tsm_core::{Banks, Digest};

use super::lines::{self, Form};
use super::numbering::Numbering;
use super::output::Output;
use super::reason::Reason;
use crate::cel;
use crate::error::{Error, ErrorKind, Position};
use crate::registers::{Platform, RegisterIndex};
use crate::tcg;

/// What a record log does not say about itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RecordLayout<'s> {
    /// The value of each of the register's banks before the log, in the register's order: zeros for
    /// most registers; or what the logs before lead to, if the target has them already.
    pub start: &'s [Digest],
    /// Bounds on its lines.
    pub limits: Limits,
}

impl<'s> RecordLayout<'s> {
    /// With the default limits.
    #[must_use]
    pub const fn new(start: &'s [Digest]) -> Self {
        Self { start, limits: Limits::DEFAULT }
    }
}

/// Appends the records of a record log to a TCG log, as events of `register`.
///
/// # Errors
///
/// [`ErrorKind::NotCarried`], at the line: [`Reason::Informative`], [`Reason::OffLog`],
/// [`Reason::NoSync`], [`Reason::Midway`], [`Reason::Gap`]. [`ErrorKind::RecordLog`] for a malformed
/// line. What [`tcg::Writer::append_record_with`] refuses, at the line that it refuses. Without a
/// position: [`Reason::Banks`] if the target has other banks, [`ErrorKind::Banks`] if the start values
/// make no sense, [`ErrorKind::NoSuchRegister`] if the platform has no such register that can be
/// extended.
pub fn records_to_tcg(
    log: &[u8],
    layout: &RecordLayout<'_>,
    register: (Platform, RegisterIndex),
    to: &mut tcg::Writer<'_>,
) -> Result<(), Error> {
    let records = Records::new(log, layout)?;
    let banks = records.follows.replay.banks();
    lines::to_tcg(records, banks, register, to)
}

/// Appends the records of a record log to a canonical event log, as records of `register`.
///
/// # Errors
///
/// As [`records_to_tcg`], but the target is a [`cel::Writer`].
pub fn records_to_cel(
    log: &[u8],
    layout: &RecordLayout<'_>,
    register: (cel::Register, Numbering),
    to: &mut cel::Writer<'_>,
) -> Result<(), Error> {
    let records = Records::new(log, layout)?;
    let banks = records.follows.replay.banks();
    lines::to_cel(records, banks, register, to)
}

/// The record log whose records are the events of a TCG log, all of which must be of `register`.
///
/// # Errors
///
/// [`ErrorKind::NotCarried`], at the event: [`Reason::Register`], [`Reason::Type`],
/// [`Reason::Digest`], [`Reason::Banks`], [`Reason::Line`], and those of [`records_to_tcg`];
/// [`ErrorKind::MissingDigest`]; [`ErrorKind::RecordLog`]; [`ErrorKind::NoRoom`];
/// [`ErrorKind::Trailing`]; what is wrong with the log. Without a position as [`records_to_tcg`].
pub fn tcg_to_records(
    log: tcg::Log<'_>,
    register: (Platform, RegisterIndex),
    layout: &RecordLayout<'_>,
    to: &mut Output<'_>,
) -> Result<(), Error> {
    lines::from_tcg(log, register, &mut Follows::new(layout)?, to)
}

/// The record log whose records are the records of a canonical event log, all of which must be of
/// `register`.
///
/// # Errors
///
/// As [`tcg_to_records`]; [`Reason::Number`].
pub fn cel_to_records(
    log: cel::Log<'_>,
    register: (cel::Register, Numbering),
    layout: &RecordLayout<'_>,
    to: &mut Output<'_>,
) -> Result<(), Error> {
    lines::from_cel(log, register, &mut Follows::new(layout)?, to)
}

/// The records of a log that can be carried.
struct Records<'l> {
    lines: Lines<'l>,
    follows: Follows,
    records: u64,
    is_over: bool,
}

impl<'l> Records<'l> {
    fn new(log: &'l [u8], layout: &RecordLayout<'_>) -> Result<Self, Error> {
        let lines = Lines::new(log, layout.limits);
        Ok(Self { lines, follows: Follows::new(layout)?, records: 0, is_over: false })
    }
}

impl<'l> Iterator for Records<'l> {
    type Item = Result<(&'l [u8], Position), Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_over {
            return None;
        }
        let mut position = Position { record: self.records, ..Position::START };
        let found = loop {
            let line = match self.lines.next()? {
                Ok(line) => line,
                Err(error) => {
                    (position.offset, position.line) = (error.offset, error.line);
                    break Err(ErrorKind::RecordLog(error.kind));
                }
            };
            (position.offset, position.line) = (line.offset, line.number);
            if line.line != Line::Blank {
                break self.follows.accept(line.bytes).map(|()| line.bytes);
            }
        };
        self.is_over = found.is_err();
        self.records = self.records.saturating_add(1);
        Some(found.map(|line| (line, position)).map_err(|kind| Error::new(kind, position)))
    }
}

/// Whether lines follow each other without a gap, from the start values on.
struct Follows {
    replay: Replay,
    limits: Limits,
    /// Whether the last line was a `SYNC` record; `None` before the first.
    last: Option<bool>,
}

impl Follows {
    fn new(layout: &RecordLayout<'_>) -> Result<Self, Error> {
        let replay = Replay::new(layout.start).map_err(|_| Error::call(ErrorKind::Banks))?;
        Ok(Self { replay, limits: layout.limits, last: None })
    }
}

impl Form for Follows {
    fn banks(&self) -> Banks {
        self.replay.banks()
    }

    fn accept(&mut self, line: &[u8]) -> Result<(), ErrorKind> {
        let is_sync = match Line::classify(line).map_err(ErrorKind::RecordLog)? {
            Line::Blank => return Err(ErrorKind::NotCarried(Reason::Line)),
            Line::Comment(_) => return Err(ErrorKind::NotCarried(Reason::Informative)),
            Line::Note(_) => return Err(ErrorKind::NotCarried(Reason::OffLog)),
            Line::Record(_) if self.last.is_none() => {
                return Err(ErrorKind::NotCarried(Reason::NoSync));
            }
            Line::Record(_) => false,
            Line::Sync(_) => true,
        };
        // In a log it ends the line.
        if line.contains(&b'\r') || line.contains(&b'\n') {
            return Err(ErrorKind::NotCarried(Reason::Line));
        }
        let mut found = Found(None);
        self.replay.line(line, self.limits, &mut found).map_err(ErrorKind::RecordLog)?;
        match found.0 {
            None => {}
            Some(FindingKind::Midway) => return Err(ErrorKind::NotCarried(Reason::Midway)),
            Some(_) => return Err(ErrorKind::NotCarried(Reason::Gap)),
        }
        self.last = Some(is_sync);
        Ok(())
    }

    fn is_apart(&self, is_sync: bool) -> bool {
        is_sync || self.last == Some(true)
    }
}

/// The first finding.
struct Found(Option<FindingKind>);

impl Sink for Found {
    fn finding(&mut self, finding: Finding) {
        self.0.get_or_insert(finding.kind);
    }
}
