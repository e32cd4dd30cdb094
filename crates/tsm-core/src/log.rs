// SPDX-License-Identifier: MIT OR Apache-2.0
//! The record log: an append-only text beside a runtime register.
//!
//! Storage and semantics are separate: this module says where a record begins and ends and which
//! bytes are hashed, and never looks inside a record. The format is specified in
//! `docs/spec/record-log.md` of the repository; section numbers here are that page's.
//!
//! - [`Line`] tells what a stored line is;
//! - [`Lines`] reads a log that is at hand as one slice, [`Splitter`] one that comes in pieces;
//! - [`Storage`] is where a log lives: a caller's slice, a `heapless` vector, or whatever else;
//! - [`RecordLog`] writes: it extends the register and commits the line, in that order, and notes
//!   what it cannot vouch for.
//!
//! Reading a log proves nothing about it. What a register vouches for comes out of
//! [`replay`](crate::replay) only.

mod error;
mod line;
mod reader;
mod storage;
mod writer;

pub use error::{Cause, LogError, LogErrorKind, WriteError};
pub use line::{Captures, Line, Note};
pub(crate) use reader::classify;
pub use reader::{Lines, Splitter, UntrustedLine, first_banks};
#[cfg(feature = "heapless")]
pub use storage::HeaplessStorage;
pub(crate) use storage::read_slice;
pub use storage::{NoRoom, SliceStorage, Storage};
pub(crate) use writer::trim;
pub use writer::{Appended, OpenError, RecordLog};

/// Bounds on a log's content (section 2).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Limits {
    /// Longest line in bytes, without its LF. The log's own lines, `SYNC` and notes, may be longer:
    /// their size follows from the banks and is at most 367 bytes.
    pub record: usize,
}

impl Limits {
    /// The RFC's page: records up to 4096 bytes.
    pub const DEFAULT: Self = Self { record: 4096 };

    /// The same limits with another longest record.
    #[must_use]
    pub const fn record(mut self, bytes: usize) -> Self {
        self.record = bytes;
        self
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::DEFAULT
    }
}
