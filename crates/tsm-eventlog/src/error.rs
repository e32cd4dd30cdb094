// SPDX-License-Identifier: MIT OR Apache-2.0
//! The one error of the crate: what is wrong, and where.

use core::fmt;

use tsm_core::log::LogErrorKind;

use crate::convert::Reason;

/// A place in a list.
///
/// All numbers count from the beginning of the whole list, also when it is read in pieces.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[non_exhaustive]
pub struct Position {
    /// Bytes before this place.
    pub offset: u64,
    /// Records before this place.
    pub record: u64,
    /// Number of the line at this place in a text list, from 1; 0 in a binary list.
    pub line: u64,
}

impl Position {
    /// The beginning of a list.
    pub const START: Self = Self { offset: 0, record: 0, line: 0 };

    /// The place after one more record of `bytes` bytes and `lines` lines.
    pub(crate) const fn after(self, bytes: u64, lines: u64) -> Self {
        Self {
            offset: self.offset.saturating_add(bytes),
            record: self.record.saturating_add(1),
            line: self.line.saturating_add(lines),
        }
    }
}

/// What is wrong with a list, or with a request, and the record at which it shows.
///
/// `Display` tells what to do about it and ends with the place.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Error {
    kind: ErrorKind,
    position: Position,
}

impl Error {
    pub(crate) const fn new(kind: ErrorKind, position: Position) -> Self {
        Self { kind, position }
    }

    /// An error of the call, not of a list.
    pub(crate) const fn call(kind: ErrorKind) -> Self {
        Self { kind, position: Position::START }
    }

    /// What is wrong.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Where the record begins at which the error shows. The beginning of the list if the error is
    /// not about a record.
    #[must_use]
    pub const fn position(&self) -> Position {
        self.position
    }

    /// Byte offset of that record in the list.
    #[must_use]
    pub const fn offset(&self) -> u64 {
        self.position.offset
    }

    /// Number of that record in the list, from 0.
    #[must_use]
    pub const fn record(&self) -> u64 {
        self.position.record
    }

    /// Number of that record's first line, from 1; `None` if the list is not text.
    #[must_use]
    pub const fn line(&self) -> Option<u64> {
        match self.position.line {
            0 => None,
            line => Some(line),
        }
    }
}

/// What is wrong.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The list ends inside a record. The records before are complete.
    Truncated,
    /// A record is longer than [`Limits::record_bytes`](crate::Limits::record_bytes).
    RecordTooLong,
    /// The PCR number is 64 or more, which IMA refuses (Linux `INVALID_PCR`).
    PcrNumber,
    /// The template name's length is 0 or above 254, or it has a byte that is not printable ASCII.
    TemplateName,
    /// The template is not built in and its name is not a list of known field ids.
    UnknownTemplate,
    /// A template with more fields than [`Limits::fields`](crate::Limits::fields).
    TooManyFields,
    /// The template data does not divide into the template's fields.
    Field,
    /// The recorded template digest is not the hash of the template data.
    TemplateDigest,
    /// A line does not have the form the kernel writes.
    Line,
    /// A line whose template digest has another width than the lines before.
    DigestWidth,
    /// The header of a kexec buffer is wrong.
    KexecHeader,
    /// The bytes do not begin like a list this crate knows.
    UnknownFormat,
    /// The list uses more distinct PCRs than the replay has room for.
    TooManyRegisters,
    /// No bank, more than four, or one algorithm twice.
    Banks,
    /// The value's algorithm is not among the replay's banks.
    NoSuchBank,
    /// A start value for a register that already has entries.
    AlreadyStarted,
    /// The list, or the entry, does not begin where the replay stopped.
    NotContiguous,
    /// The Spec ID event at the beginning of a TCG log contradicts itself.
    Header,
    /// A TCG log's header lists more algorithms than [`Limits::algorithms`](crate::Limits::algorithms).
    TooManyAlgorithms,
    /// An event with a digest that the log's header does not list, or with one twice.
    Digests,
    /// The platform has no such register, or it cannot be extended.
    NoSuchRegister,
    /// The head of a final events table is wrong.
    FinalEvents,
    /// Not an ACPI table of the kind `CCEL`.
    AcpiTable,
    /// Not well-formed TLV, CBOR or JSON, or something stands behind the log's end.
    Encoding,
    /// A value nests deeper than 8 levels.
    Nesting,
    /// A member of a record is missing, unknown, there twice, or not of the kind it must be.
    Member,
    /// An integer beyond what its place can hold.
    Number,
    /// A record with too many digests, two of one algorithm, or one of a wrong length.
    DigestList,
    /// The record cannot be written in that encoding, or not without losing something.
    NotRepresentable,
    /// The caller's buffer has no room for the record; nothing of it was kept.
    NoRoom,
    /// Something stands behind the end of a log that is to be continued.
    Trailing,
    /// A line of a record log is malformed.
    RecordLog(LogErrorKind),
    /// A conversion would lose something: what.
    NotCarried(Reason),
    /// A record has no digest for a bank of its register.
    MissingDigest,
    /// A record log does not begin with the values that the logs before it lead to.
    NotCaptured,
    /// More logs in a sequence than it has room for.
    TooManySteps,
    /// A log behind one that ended in an error.
    Ended,
    /// The slice to save into is too small.
    BufferTooSmall,
    /// A saved state that this version did not write, or that was damaged.
    SavedState,
}

impl ErrorKind {
    const fn text(self) -> &'static str {
        match self {
            Self::Truncated => {
                "the list ends inside a record; read it again to its end (its size in stat is 0)"
            }
            Self::RecordTooLong => {
                "record longer than the limit; if it is genuine, raise Limits::record_bytes"
            }
            Self::PcrNumber => {
                "PCR number not below 64; check the digest width and the byte order of the list"
            }
            Self::TemplateName => {
                "template name empty, too long or not printable; \
                 check the digest width and the byte order of the list"
            }
            Self::UnknownTemplate => {
                "unknown template; its records can be replayed from the binary list only"
            }
            Self::TooManyFields => "template with too many fields; raise Limits::fields up to 15",
            Self::Field => "template data does not fit its template; the list is damaged",
            Self::TemplateDigest => {
                "the template digest is not the hash of the record: the record was damaged or \
                 altered, or it is not of the kind its width says (check byte order; SM3 and old \
                 MD5 lists)"
            }
            Self::Line => {
                "not a line as the kernel writes it; a file name with a line feed in it needs the \
                 binary list"
            }
            Self::DigestWidth => "template digest of another width than before; two lists in one?",
            Self::KexecHeader => "not a kexec measurement buffer of version 1",
            Self::UnknownFormat => {
                "not recognized as a measurement list; if it is one, name its format"
            }
            Self::TooManyRegisters => {
                "more distinct PCRs than the replay has room for; raise its const parameter"
            }
            Self::Banks => "a replay needs one to four banks of different algorithms",
            Self::NoSuchBank => "the value's algorithm is not among the replay's banks; add it",
            Self::AlreadyStarted => "the register already has entries; set start values first",
            Self::NotContiguous => {
                "does not begin where the replay stopped; read on from Replay::position"
            }
            Self::Header => {
                "the Spec ID event contradicts itself, or another one does; the log is damaged"
            }
            Self::TooManyAlgorithms => {
                "the Spec ID event lists more algorithms than the limit; raise Limits::algorithms"
            }
            Self::Digests => {
                "an event's digest is of an algorithm that the Spec ID event does not list, or is \
                 there twice; the log is damaged"
            }
            Self::NoSuchRegister => {
                "the platform has no such register, or none that can be extended"
            }
            Self::FinalEvents => "not a final events table of version 1",
            Self::AcpiTable => "not an ACPI table CCEL, or not all of it",
            Self::Encoding => {
                "not well-formed, or something stands behind the end; check the log's encoding"
            }
            Self::Nesting => "nested deeper than 8 levels; no known log is",
            Self::Member => {
                "a member of the record is missing, unknown, there twice, or of another kind than \
                 it must be"
            }
            Self::Number => "an integer beyond what its place can hold",
            Self::DigestList => {
                "too many digests, two of one algorithm, or one of a wrong length; the log is \
                 damaged"
            }
            Self::NotRepresentable => {
                "the record cannot be said in that encoding without losing something; keep the log \
                 in its own"
            }
            Self::NoRoom => "the buffer has no room for the record; give a larger one",
            Self::Trailing => "something stands behind the log's end; clear it before going on",
            Self::RecordLog(_) => "malformed record log",
            Self::NotCarried(reason) => reason.text(),
            Self::MissingDigest => {
                "no digest for a bank, so that the bank's value is not known from here on; leave \
                 the bank out"
            }
            Self::NotCaptured => {
                "the first SYNC does not capture what the logs before lead to: one is missing, \
                 altered, or in the wrong place"
            }
            Self::TooManySteps => "more logs than there is room for; raise the const parameter",
            Self::Ended => "a log before ended in an error: nothing can follow it",
            Self::BufferTooSmall => "the slice is too small; Replay::SAVED_MAX bytes are enough",
            Self::SavedState => "not a saved replay of this version, or damaged; replay anew",
        }
    }

    /// Whether the error is about a record of a list.
    const fn is_at_record(self) -> bool {
        !matches!(
            self,
            Self::KexecHeader
                | Self::UnknownFormat
                | Self::Banks
                | Self::NoSuchBank
                | Self::AlreadyStarted
                | Self::NoSuchRegister
                | Self::FinalEvents
                | Self::AcpiTable
                | Self::TooManySteps
                | Self::Ended
                | Self::BufferTooSmall
                | Self::SavedState
        )
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RecordLog(kind) => fmt::Display::fmt(kind, f),
            kind => f.write_str(kind.text()),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.kind, f)?;
        if !self.kind.is_at_record() {
            return Ok(());
        }
        write!(f, " (record {}", self.record())?;
        if let Some(line) = self.line() {
            write!(f, ", line {line}")?;
        }
        write!(f, ", byte {})", self.offset())
    }
}

impl core::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn display_ends_with_the_place() {
        let position = Position { offset: 345, record: 7, line: 0 };
        let error = Error::new(ErrorKind::TemplateDigest, position);
        assert!(error.to_string().ends_with("(record 7, byte 345)"), "{error}");
        let error = Error::new(ErrorKind::Line, Position { line: 9, ..position });
        assert!(error.to_string().ends_with("(record 7, line 9, byte 345)"), "{error}");
        assert_eq!(error.line(), Some(9));
        let error = Error::call(ErrorKind::Banks);
        assert!(error.to_string().ends_with("algorithms"), "{error}");
    }
}
