// SPDX-License-Identifier: MIT OR Apache-2.0
//! Replay: what a register vouches for in its log (specification, section 5).
//!
//! [`Replay`] folds a log line by line, in one pass and with a state of fixed size that can be
//! [saved](Replay::save) and resumed. [`verify`] replays a log at hand and is the one way to get
//! its records as *trusted*.
//!
//! # What is trusted
//!
//! A register's authenticated value vouches for the records that lead to it without a break. Notes
//! of off-log extensions are hints, so records before a gap count only if the noted digests lead
//! exactly to the value captured after it (then the chain is whole, although nobody says what the
//! noted digests mean). Behind a gap that is not explained, and behind a capture that contradicts
//! the log, the chain begins anew: nothing binds the records before it to the register. This is
//! stricter than "all records up to the matched position".

mod outcome;
mod state;
mod verify;

use core::fmt;

use crate::algorithm::Algorithm;
use crate::digest::Digest;
use crate::log::{Captures, Limits, Line, LogError, LogErrorKind, Note};
use crate::register::Banks;

pub use outcome::{Begins, Match, Outcome, Trailing};
pub use state::RestoreError;
pub use verify::{TrustedRecord, TrustedRecords, Verified, verify};

/// Where in a log something is.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Position {
    /// The record's number, from 1; for what is no record, how many records came before.
    pub record: u64,
    /// The line's number, from 1.
    pub line: u64,
    /// Byte offset of the line's first byte.
    pub offset: u64,
}

/// Something a verifier should know, and where it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Finding {
    /// What it is.
    pub kind: FindingKind,
    /// The line that shows it.
    pub at: Position,
}

/// Kinds of findings.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum FindingKind {
    /// The first capture is not the start value: the log begins midway, at
    /// [`Replay::started_at`].
    Midway,
    /// A record stands before any capture: it was folded from the start value. The log's front may
    /// have been cut off.
    NoSync,
    /// A capture after off-log extensions whose notes lead to it.
    GapExplained,
    /// A capture after off-log extensions whose notes do not lead to it, or without any note.
    GapUnexplained,
    /// A capture that contradicts the records before it although no off-log extension is noted.
    Contradiction,
    /// A record right after the note of an off-log extension, without the capture that the writer
    /// puts between. What the notes say is taken for granted until the next capture or the end.
    Uncaptured,
}

impl fmt::Display for FindingKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Midway => "the log begins midway: its first capture is not the start value",
            Self::NoSync => "records before any SYNC: the front of the log may be missing",
            Self::GapExplained => "off-log extensions, explained by their notes",
            Self::GapUnexplained => "off-log extensions that the notes do not explain",
            Self::Uncaptured => "a record after off-log extensions without a SYNC between them",
            Self::Contradiction => {
                "SYNC contradicts the records before it: one of them was changed, or extended \
                 without a record"
            }
        })
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (line {}, byte {})", self.kind, self.at.line, self.at.offset)
    }
}

/// Takes what a replay comes across.
///
/// Records arrive here before anything vouches for them. Whatever is computed from them may be
/// believed only after the replay's [`Outcome`] said so.
pub trait Sink {
    /// A record's bytes, `SYNC` records included.
    fn untrusted_record(&mut self, record: &[u8], at: Position) {
        let _ = (record, at);
    }

    /// A finding.
    fn finding(&mut self, finding: Finding) {
        let _ = finding;
    }
}

/// Ignores everything.
impl Sink for () {}

impl<T: Sink + ?Sized> Sink for &mut T {
    fn untrusted_record(&mut self, record: &[u8], at: Position) {
        T::untrusted_record(self, record, at);
    }

    fn finding(&mut self, finding: Finding) {
        T::finding(self, finding);
    }
}

/// The banks handed to a replay make no sense.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum BankError {
    /// No start value was given.
    None,
    /// Two values for one bank.
    Double,
    /// A value is expected for a bank that has no start value.
    NoStart,
}

impl fmt::Display for BankError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "no bank to replay",
            Self::Double => "two values for one bank",
            Self::NoStart => "a value is expected for a bank that the register does not have",
        })
    }
}

impl core::error::Error for BankError {}

/// Folds a log into the values of a register's banks.
///
/// ```
/// use tsm_core::{Algorithm, Digest, log::Limits, replay::Replay};
///
/// let start = Digest::zeros(Algorithm::Sha256);
/// let mut replay = Replay::new(&[start]).unwrap();
/// replay.feed(b"alpha\nbeta\n", Limits::DEFAULT, &mut ()).unwrap();
///
/// let mut value = start;
/// value.extend(&Algorithm::Sha256.hash(b"alpha")).unwrap();
/// value.extend(&Algorithm::Sha256.hash(b"beta")).unwrap();
/// assert_eq!(replay.value(Algorithm::Sha256), Some(value));
/// ```
#[derive(Clone, Debug)]
pub struct Replay {
    banks: [Option<Bank>; Algorithm::MAX],
    /// How many records, lines and bytes are behind us.
    done: Position,
    phase: Phase,
    begins: Begins,
    explained: u64,
    unexplained: u64,
    contradictions: u64,
    /// The line from which the chain to the current value is unbroken.
    chain: Position,
    /// The last position at which all expected banks had their expected value.
    joint: Option<Joint>,
}

#[derive(Clone, Copy, Debug)]
struct Bank {
    /// Where the log begins: the given start value, or the first capture if that differs.
    start: Digest,
    value: Digest,
    expected: Option<Digest>,
    /// How many records had been folded when the value last was the expected one.
    matched: Option<u64>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Joint {
    /// Everything before is covered.
    end: Position,
    /// From here.
    chain: Position,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    /// Nothing that is hashed or noted yet.
    Start,
    /// Records follow each other.
    Synced,
    /// After a note; the values are tentative.
    Gap,
}

impl Replay {
    /// A replay from these start values, one per bank of the register (zeros for most registers).
    ///
    /// # Errors
    ///
    /// [`BankError`] if there is none, or two for one bank.
    pub fn new(start: &[Digest]) -> Result<Self, BankError> {
        let mut replay = Self::EMPTY;
        replay.begin(start)?;
        Ok(replay)
    }

    /// A replay of no bank, to [`begin`](Self::begin) in place: what is returned in a `Result` lies
    /// on the stack twice.
    const EMPTY: Self = Self {
        banks: [None; Algorithm::MAX],
        done: Position { record: 0, line: 0, offset: 0 },
        phase: Phase::Start,
        begins: Begins::AtStart,
        explained: 0,
        unexplained: 0,
        contradictions: 0,
        chain: Position { record: 0, line: 0, offset: 0 },
        joint: None,
    };

    #[inline(never)]
    fn begin(&mut self, start: &[Digest]) -> Result<(), BankError> {
        let mut known = Banks::NONE;
        let mut slots = self.banks.iter_mut();
        for &value in start {
            known = known.and(value.algorithm()).ok_or(BankError::Double)?;
            let slot = slots.next().ok_or(BankError::Double)?;
            *slot = Some(Bank { start: value, value, expected: None, matched: None });
        }
        if known.is_empty() { Err(BankError::None) } else { Ok(()) }
    }

    /// Sets the register's authenticated values, for all banks or some, and forgets earlier ones.
    ///
    /// They are compared with the current values and after every record from here on.
    ///
    /// # Errors
    ///
    /// [`BankError`] if a bank is not replayed or named twice.
    #[inline(never)]
    pub fn expect(&mut self, values: &[Digest]) -> Result<(), BankError> {
        for bank in self.banks.iter_mut().flatten() {
            bank.expected = None;
            bank.matched = None;
        }
        self.joint = None;
        for value in values {
            let mut banks = self.banks.iter_mut().flatten();
            let bank = banks.find(|b| b.value.algorithm() == value.algorithm());
            let bank = bank.ok_or(BankError::NoStart)?;
            if bank.expected.replace(*value).is_some() {
                return Err(BankError::Double);
            }
        }
        self.compare();
        Ok(())
    }

    /// Folds whole lines.
    ///
    /// # Errors
    ///
    /// The first malformed line. The lines before it are folded and [`position`](Self::position)
    /// stands behind them, so that after `Torn` the rest can be fed when it is there.
    pub fn feed(
        &mut self,
        log: &[u8],
        limits: Limits,
        sink: &mut impl Sink,
    ) -> Result<(), LogError> {
        let Position { offset, line, .. } = self.done;
        let mut lines = crate::log::Lines::within(log, offset, line, limits);
        lines.try_for_each(|line| {
            let line = line?;
            let error = |kind: LogErrorKind| kind.at(line.offset, line.number);
            self.fold(line.line, line.bytes, sink).map_err(error)
        })
    }

    /// Folds one stored line, given without its LF; for logs that come in pieces, with a
    /// [`Splitter`](crate::log::Splitter).
    ///
    /// # Errors
    ///
    /// Why the line is malformed; then it is not folded.
    pub fn line(
        &mut self,
        line: &[u8],
        limits: Limits,
        sink: &mut impl Sink,
    ) -> Result<(), LogErrorKind> {
        let class = crate::log::classify(line, limits)?;
        self.fold(class, line, sink)
    }

    /// How many records, lines and bytes have been folded.
    #[must_use]
    pub const fn position(&self) -> Position {
        self.done
    }

    /// The banks that are replayed.
    #[must_use]
    pub fn banks(&self) -> Banks {
        let algorithms = self.banks.iter().flatten().map(|b| b.value.algorithm());
        algorithms.fold(Banks::NONE, |banks, a| banks.and(a).unwrap_or(banks))
    }

    /// The value of a bank after what has been folded.
    #[must_use]
    pub fn value(&self, bank: Algorithm) -> Option<Digest> {
        self.banks.iter().flatten().map(|b| b.value).find(|v| v.algorithm() == bank)
    }

    /// The value from which the log begins: the given start value or, for a log that begins midway,
    /// its first capture.
    #[must_use]
    pub fn started_at(&self, bank: Algorithm) -> Option<Digest> {
        self.banks.iter().flatten().map(|b| b.start).find(|v| v.algorithm() == bank)
    }

    /// Whether the log's last line leaves the register where the log knows it: no off-log
    /// extension was noted since the last record, and there was a first `SYNC`.
    #[must_use]
    pub fn in_sync(&self) -> bool {
        self.phase == Phase::Synced
    }

    /// What came of it.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        Outcome::of(self)
    }

    fn fold(
        &mut self,
        class: Line<'_>,
        line: &[u8],
        sink: &mut impl Sink,
    ) -> Result<(), LogErrorKind> {
        let mut at = Position {
            record: self.done.record,
            line: self.done.line.saturating_add(1),
            offset: self.done.offset,
        };
        match class {
            Line::Blank | Line::Comment(_) => {}
            Line::Note(note) => {
                self.check_note(note)?;
                self.extend_noted(note);
            }
            Line::Sync(captures) => {
                at.record = at.record.saturating_add(1);
                self.sync(captures, at, sink)?;
                self.record(line, at, sink);
            }
            Line::Record(_) => {
                at.record = at.record.saturating_add(1);
                let odd = match self.phase {
                    Phase::Start => Some(FindingKind::NoSync),
                    Phase::Gap => Some(FindingKind::Uncaptured),
                    Phase::Synced => None,
                };
                if let Some(kind) = odd {
                    sink.finding(Finding { kind, at });
                }
                self.record(line, at, sink);
            }
        }
        self.done = Position {
            record: at.record,
            line: at.line,
            offset: at
                .offset
                .saturating_add(u64::try_from(line.len()).unwrap_or(u64::MAX))
                .saturating_add(1),
        };
        self.compare();
        Ok(())
    }

    #[inline]
    fn record(&mut self, record: &[u8], at: Position, sink: &mut impl Sink) {
        // In a gap the values stay tentative until a capture says where the register stood.
        if self.phase == Phase::Start {
            self.phase = Phase::Synced;
        }
        sink.untrusted_record(record, at);
        for bank in self.banks.iter_mut().flatten() {
            let digest = bank.value.algorithm().hash(record);
            // The algorithms are the same by construction.
            let _ = bank.value.extend(&digest);
        }
    }

    /// All of a note is checked before any of it is folded.
    #[inline(never)]
    fn check_note(&self, note: Note<'_>) -> Result<(), LogErrorKind> {
        let noted = note.digests(self.banks()).try_fold(Banks::NONE, |noted, digest| {
            noted.and(digest?.algorithm()).ok_or(LogErrorKind::DoubleBank)
        });
        noted.map(drop)
    }

    /// Folds a note that has been checked.
    #[inline(never)]
    fn extend_noted(&mut self, note: Note<'_>) {
        let mut digests = note.digests(self.banks());
        while let Some(digest) = &next(&mut digests) {
            let mut folded = self.banks.iter_mut().flatten();
            if let Some(bank) = folded.find(|b| b.value.algorithm() == digest.algorithm()) {
                let _ = bank.value.extend(digest);
            }
        }
        self.phase = Phase::Gap;
    }

    #[inline(never)]
    fn sync(
        &mut self,
        captures: Captures<'_>,
        at: Position,
        sink: &mut impl Sink,
    ) -> Result<(), LogErrorKind> {
        let captured = captures.banks()?;
        let banks = self.banks();
        if captured.iter().any(|bank| !banks.contains(bank)) {
            return Err(LogErrorKind::NoSuchBank);
        }
        if captured.len() != banks.len() {
            return Err(LogErrorKind::MissingBank);
        }
        let mut agrees = true;
        let mut digests = captures.iter();
        while let Some(capture) = next(&mut digests) {
            let mut replayed = self.banks.iter_mut().flatten();
            if let Some(bank) = replayed.find(|b| b.value.algorithm() == capture.algorithm()) {
                agrees &= bank.value == capture;
                bank.value = capture;
                if self.phase == Phase::Start {
                    bank.start = capture;
                }
            }
        }
        let found = match (self.phase, agrees) {
            (Phase::Start | Phase::Synced, true) => None,
            (Phase::Start, false) => Some(FindingKind::Midway),
            (Phase::Synced, false) => Some(FindingKind::Contradiction),
            (Phase::Gap, true) => Some(FindingKind::GapExplained),
            (Phase::Gap, false) => Some(FindingKind::GapUnexplained),
        };
        let counter = match found {
            Some(FindingKind::GapExplained) => Some(&mut self.explained),
            Some(FindingKind::GapUnexplained) => Some(&mut self.unexplained),
            Some(FindingKind::Contradiction) => Some(&mut self.contradictions),
            _ => None,
        };
        if let Some(counter) = counter {
            *counter = counter.saturating_add(1);
        }
        if found == Some(FindingKind::Midway) {
            self.begins = Begins::Midway;
        }
        if !agrees {
            self.chain = at;
        }
        if let Some(kind) = found {
            sink.finding(Finding { kind, at });
        }
        self.phase = Phase::Synced;
        // The register may have been read after the off-log extensions and before this record.
        self.compare();
        Ok(())
    }

    /// Remembers where the expected values were met. Works on `done`, so a caller that has not
    /// advanced it compares the values *before* the line at hand.
    #[inline]
    fn compare(&mut self) {
        let mut expected = false;
        let mut all = true;
        for bank in self.banks.iter_mut().flatten() {
            let Some(value) = bank.expected else { continue };
            expected = true;
            if bank.value == value {
                bank.matched = Some(self.done.record);
            } else {
                all = false;
            }
        }
        if expected && all {
            self.joint = Some(Joint { end: self.done, chain: self.chain });
        }
    }
}

/// The next digest of a line that has been checked. Not inlined: parsing needs several digests'
/// room, which should not lie on the stack below a hash.
#[inline(never)]
fn next(digests: &mut impl Iterator<Item = Result<Digest, LogErrorKind>>) -> Option<Digest> {
    digests.next()?.ok()
}

#[cfg(test)]
mod tests;
