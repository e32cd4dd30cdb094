// SPDX-License-Identifier: MIT OR Apache-2.0
//! What can be wrong with a log that is read, and with an append. Nothing here holds text: kinds
//! and positions only.

use core::fmt;

use crate::digest::ParseError;
use crate::provider::{self, ErrorKind};

/// A malformed log: what and where.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LogError {
    /// What is wrong.
    pub kind: LogErrorKind,
    /// Byte offset of the line's first byte from the start of the log.
    pub offset: u64,
    /// Line number, from 1.
    pub line: u64,
}

/// Kinds of malformed logs (specification, section 8).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum LogErrorKind {
    /// A line longer than the limit.
    TooLong,
    /// A stored line with white space at an end or a CR inside: the writer never stores one.
    NotCanonical,
    /// The last line has no LF: the log was torn while it was written. The lines before are whole.
    Torn,
    /// `SYNC` without a capture, or captures not separated by one space.
    Captures,
    /// `# .EXTEND` without a digest, or digests not separated by one space.
    Note,
    /// A capture or note names an algorithm that is unknown or not compiled in.
    UnknownAlgorithm,
    /// A capture or note with the wrong number of digits for its algorithm.
    DigestLength,
    /// A capture or note with an odd number of hex digits.
    OddDigits,
    /// A capture or note with a character that is not a lower-case hex digit.
    Digit,
    /// A capture or note for a bank that the register lacks.
    NoSuchBank,
    /// A `SYNC` line or a note that names a bank twice.
    DoubleBank,
    /// A `SYNC` line that lacks the capture of a bank.
    MissingBank,
}

impl LogErrorKind {
    pub(crate) const fn at(self, offset: u64, line: u64) -> LogError {
        LogError { kind: self, offset, line }
    }
}

impl From<ParseError> for LogErrorKind {
    fn from(error: ParseError) -> Self {
        match error {
            ParseError::NoSlash => Self::Captures,
            ParseError::UnknownAlgorithm => Self::UnknownAlgorithm,
            ParseError::Length => Self::DigestLength,
            ParseError::OddDigits => Self::OddDigits,
            ParseError::Digit => Self::Digit,
        }
    }
}

impl fmt::Display for LogErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooLong => "line longer than the limit; raise the limit if it is genuine",
            Self::NotCanonical => "stored line is not canonical (white space at an end, or a CR)",
            Self::Torn => "torn log: the last line has no LF; the lines before it are whole",
            Self::Captures => "malformed SYNC line",
            Self::Note => "malformed '# .EXTEND' line",
            Self::UnknownAlgorithm => "unknown hash algorithm",
            Self::DigestLength => "wrong number of hex digits for this algorithm",
            Self::OddDigits => "odd number of hex digits",
            Self::Digit => "not a lower-case hex digit",
            Self::NoSuchBank => "digest for a bank that the register does not have",
            Self::DoubleBank => "a bank is named twice in one line",
            Self::MissingBank => "SYNC lacks the capture of a bank of the register",
        })
    }
}

impl fmt::Display for LogError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (line {}, byte {})", self.kind, self.line, self.offset)
    }
}

impl core::error::Error for LogError {}

/// A failed append or off-log extension. `P` and `S` are the errors of provider and storage.
///
/// Records before [`record`](Self::record) are extended and committed; nothing from there on is
/// committed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct WriteError<P, S> {
    /// What failed.
    pub cause: Cause<P, S>,
    /// How many of the call's own records were extended and committed before the failure.
    pub record: u32,
    /// Byte offset in the caller's input of the line that failed.
    pub offset: usize,
}

/// What made an append or an off-log extension fail.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Cause<P, S> {
    /// A line longer than the limit. Nothing was extended.
    TooLong,
    /// A line that begins with a word the log keeps for itself: `SYNC` or `# .EXTEND`. Nothing was
    /// extended.
    Reserved,
    /// The log has no room for all of the call's lines. Nothing was extended.
    Full,
    /// The register has no log.
    NoLog,
    /// The register has no bank to extend, or does not permit it; or what a virtual register's
    /// carrier refuses. Nothing was extended.
    Refused(ErrorKind),
    /// The provider failed.
    Provider(P),
    /// The register was extended and the line could not be stored: the log is out of sync, and the
    /// next append will say so with a SYNC record.
    Storage(S),
}

impl<P: provider::Error, S> Cause<P, S> {
    /// An error of this cause at the call's beginning.
    pub(crate) const fn at_start(self) -> WriteError<P, S> {
        WriteError { cause: self, record: 0, offset: 0 }
    }
}

impl<P: provider::Error, S: core::error::Error + Copy> provider::Error for WriteError<P, S> {
    fn kind(&self) -> ErrorKind {
        match self.cause {
            Cause::TooLong | Cause::Reserved => ErrorKind::InvalidInput,
            Cause::Full => ErrorKind::NoSpace,
            Cause::NoLog => ErrorKind::NoSuchRegister,
            Cause::Refused(kind) => kind,
            Cause::Provider(error) => error.kind(),
            Cause::Storage(_) => ErrorKind::StateUnknown,
        }
    }
}

impl<P: fmt::Display, S: fmt::Display> fmt::Display for WriteError<P, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.cause {
            Cause::TooLong => f.write_str("record longer than the limit; split or hash it")?,
            Cause::Reserved => {
                f.write_str("SYNC and '# .EXTEND' are reserved; begin the record with a domain")?;
            }
            Cause::Full => f.write_str("the log is full; nothing was extended")?,
            Cause::NoLog => f.write_str("this register has no log")?,
            Cause::Refused(kind) => write!(f, "{kind}")?,
            Cause::Provider(error) => write!(f, "{error}")?,
            Cause::Storage(error) => {
                write!(f, "extended, but not logged: {error}; the next append captures it")?;
            }
        }
        write!(f, " (record {}, byte {} of the input)", self.record, self.offset)
    }
}

impl<P: core::error::Error, S: core::error::Error> core::error::Error for WriteError<P, S> {}
