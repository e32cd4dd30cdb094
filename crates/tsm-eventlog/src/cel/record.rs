// SPDX-License-Identifier: MIT OR Apache-2.0
//! A record: its number, its register, its digests, its content.

use core::fmt;

use tsm_core::{Algorithm, Digest};

use super::content::Content;
use super::digests::Digests;
use crate::error::Position;

/// A record of a canonical event log, whatever its encoding (`TPMS_CEL_EVENT`, CEL 1.1, section 4.2).
///
/// Made by hand, to be written; or borrowed from a log, as [`UntrustedRecord::record`] and
/// [`Finished::records`](super::Finished::records) give it. The type itself says nothing about trust.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Record<'a> {
    /// Its number. The specification counts for each register from 0, measured or not; systemd counts
    /// all records from 1, Google all from 0. No digest covers it, and nothing here relies on it.
    pub recnum: u64,
    /// The register. No digest covers it; only the replay says that it is this one.
    pub register: Register,
    /// What the register's banks were extended with.
    pub digests: Digests<'a>,
    /// What it says was measured.
    pub content: Content<'a>,
}

impl Record<'_> {
    /// Whether it extends its register. Those that do not are events of the type `EV_NO_ACTION` and
    /// the management events `cel_version` and `firmware_end`; nothing vouches for them.
    #[must_use]
    pub fn is_measured(&self) -> bool {
        self.content.is_measured()
    }

    /// Whether it is IMA's record of a violation: all its digests are zero, and the register was
    /// extended with ones. No digest covers what it says.
    #[must_use]
    pub fn is_violation(&self) -> bool {
        matches!(self.content, Content::ImaTemplate { .. })
            && !self.digests.is_empty()
            && self.digests.iter().all(|recorded| recorded.digest.is_zeros())
    }

    /// Compares the digest of an algorithm with what the content's kind says it is made from.
    #[must_use]
    pub fn check(&self, algorithm: Algorithm) -> Check {
        if !self.is_measured() {
            return Check::NotMeasured;
        }
        if self.is_violation() {
            return Check::Violation;
        }
        match (self.digests.digest(algorithm), self.content.hash(algorithm)) {
            (None, _) => Check::NoDigest,
            (Some(digest), Some(hash)) if digest == hash => Check::Verified,
            (Some(_), Some(_)) if !self.content.may_be_of_something_else() => Check::Mismatch,
            _ => Check::Unknown,
        }
    }
}

/// What comparing a record's digest with its content gave.
///
/// Exhaustive, so that a caller decides on each case.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Check {
    /// The digest is the hash of the content: it covers the content's data. Never the content's type,
    /// nor the event type of a `pcclient_std` record, nor the template name of an IMA record.
    Verified,
    /// By its kind it must be, and is not.
    Mismatch,
    /// It is of something that the record does not hold or that is not known here: a file that was
    /// loaded, a string that was cut, a key's HMAC. Then nothing covers the content.
    Unknown,
    /// [`Record::is_violation`].
    Violation,
    /// The record extends nothing.
    NotMeasured,
    /// The record has no digest of the algorithm.
    NoDigest,
}

/// What a record says was extended.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[non_exhaustive]
pub enum Register {
    /// A PCR of a TPM.
    Pcr(u32),
    /// An NV index of a TPM that is used like a PCR.
    NvIndex(u32),
    /// A measurement register of a confidential VM, as UEFI counts them: 4 is RTMR3
    /// ([`CcMrIndex`](crate::registers::CcMrIndex)). Google's extension, TLV type 108. In CBOR and JSON
    /// the key 108 and the name `ccmr` are this crate's own extension.
    CcMr(u32),
}

impl fmt::Display for Register {
    /// `pcr10`, `nv01d10200`, `ccmr4`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pcr(number) => write!(f, "pcr{number}"),
            Self::NvIndex(number) => write!(f, "nv{number:08x}"),
            Self::CcMr(number) => write!(f, "ccmr{number}"),
        }
    }
}

/// A record as a log has it. Anybody who can alter the log can alter what it says.
#[derive(Clone, Copy, Debug)]
pub struct UntrustedRecord<'a> {
    pub(crate) record: Record<'a>,
    pub(crate) position: Position,
    pub(crate) end: Position,
}

impl<'a> UntrustedRecord<'a> {
    /// What it says.
    #[must_use]
    pub const fn record(&self) -> &Record<'a> {
        &self.record
    }

    /// Where it begins.
    #[must_use]
    pub const fn position(&self) -> Position {
        self.position
    }

    /// Where it ends. In JSON, and in an array of CBOR, not always where the next begins.
    #[must_use]
    pub const fn end(&self) -> Position {
        self.end
    }
}

/// A name or a number: the encodings have one where another has the other.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Label<'a> {
    /// A number.
    Number(u64),
    /// A name that has no number here.
    Name(crate::Text<'a>),
}

impl fmt::Display for Label<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Name(name) => write!(f, "{name}"),
        }
    }
}

/// A digest made here, for a record made by hand.
impl<'a> From<&'a [Digest]> for Digests<'a> {
    fn from(digests: &'a [Digest]) -> Self {
        Self::list(digests)
    }
}
