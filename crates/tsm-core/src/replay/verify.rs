// SPDX-License-Identifier: MIT OR Apache-2.0
//! Replaying a log at hand, and the records that are trusted afterwards.

use crate::digest::Digest;
use crate::log::{Limits, Line, Lines, LogError};
use crate::replay::{BankError, Outcome, Position, Replay, Sink};

/// Replays `log` from `start` and compares with the register's `authenticated` values (of all banks
/// or some).
///
/// # Errors
///
/// [`BankError`] if the values make no sense together. A malformed log is no error here but
/// [`Verified::malformed`]: the lines before the malformed one are still verified.
pub fn verify<'l>(
    log: &'l [u8],
    start: &[Digest],
    authenticated: &[Digest],
    limits: Limits,
    sink: &mut impl Sink,
) -> Result<Verified<'l>, BankError> {
    let mut replay = Replay::EMPTY;
    replay.begin(start)?;
    replay.expect(authenticated)?;
    let malformed = replay.feed(log, limits, sink).err();
    Ok(Verified { outcome: replay.outcome(), malformed, log, limits })
}

/// A replayed log. Holds on to the log's bytes, so that what is read as trusted is what was
/// replayed.
#[derive(Clone, Debug)]
pub struct Verified<'l> {
    outcome: Outcome,
    malformed: Option<LogError>,
    log: &'l [u8],
    limits: Limits,
}

impl<'l> Verified<'l> {
    /// What the replay says.
    #[must_use]
    pub const fn outcome(&self) -> &Outcome {
        &self.outcome
    }

    /// Where the log stops being well-formed, if it does.
    #[must_use]
    pub const fn malformed(&self) -> Option<LogError> {
        self.malformed
    }

    /// Whether the whole log is well-formed and explains the register; see [`Outcome::holds`].
    #[must_use]
    pub fn holds(&self) -> Option<bool> {
        self.outcome.holds().map(|holds| holds && self.malformed.is_none())
    }

    /// Whether the whole log is well-formed, explains the register, and has a record for every
    /// extension; see [`Outcome::accounts_for_all`].
    #[must_use]
    pub fn accounts_for_all(&self) -> Option<bool> {
        self.outcome.accounts_for_all().map(|all| all && self.malformed.is_none())
    }

    /// The records that the authenticated values vouch for, in order, `SYNC` records left out.
    ///
    /// Empty unless the log matched, completely or up to a prefix.
    #[must_use]
    pub fn trusted(&self) -> TrustedRecords<'l> {
        let (from, to) = self.outcome.trusted().unwrap_or_default();
        let slice = |p: Position| usize::try_from(p.offset).unwrap_or(usize::MAX);
        let log = self.log.get(slice(from)..slice(to)).unwrap_or_default();
        // The chain begins *with* the line at `from`: count from the line before.
        let line = from.line.saturating_sub(1);
        TrustedRecords {
            lines: Lines::within(log, from.offset, line, self.limits),
            record: if from.line == 0 { 0 } else { from.record.saturating_sub(1) },
        }
    }
}

/// A record that a register vouches for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TrustedRecord<'l> {
    bytes: &'l [u8],
    at: Position,
}

impl<'l> TrustedRecord<'l> {
    /// The record.
    #[must_use]
    pub const fn bytes(&self) -> &'l [u8] {
        self.bytes
    }

    /// Where it stands.
    #[must_use]
    pub const fn position(&self) -> Position {
        self.at
    }
}

/// Iterator over the records a register vouches for.
#[derive(Clone, Debug)]
pub struct TrustedRecords<'l> {
    lines: Lines<'l>,
    record: u64,
}

impl<'l> Iterator for TrustedRecords<'l> {
    type Item = TrustedRecord<'l>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            // Lines within the trusted part were well-formed when they were replayed.
            let line = self.lines.next()?.ok()?;
            match line.line {
                Line::Blank | Line::Comment(_) | Line::Note(_) => {}
                Line::Sync(_) => self.record = self.record.saturating_add(1),
                Line::Record(bytes) => {
                    self.record = self.record.saturating_add(1);
                    let (line, offset) = (line.number, line.offset);
                    let at = Position { record: self.record, line, offset };
                    return Some(TrustedRecord { bytes, at });
                }
            }
        }
    }
}
