// SPDX-License-Identifier: MIT OR Apache-2.0
//! What is odd about a log without making it unreadable.

use core::fmt;

use tsm_core::Algorithm;

use crate::error::Position;
use crate::registers::RegisterIndex;

/// Something a verifier should know, and where it is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub struct Finding {
    /// What it is.
    pub kind: FindingKind,
    /// Where the record begins that shows it.
    pub position: Position,
    /// The register that it is about.
    pub register: Option<RegisterIndex>,
}

/// Kinds of findings.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum FindingKind {
    /// The Spec ID event's register is neither 0 nor, as OVMF has it for confidential VMs, 1.
    HeaderIndex,
    /// The Spec ID event's digest is not zero.
    HeaderDigest,
    /// The Spec ID event has no signature: it is not of firmware.
    HeaderSignature,
    /// One more Spec ID event among the records.
    RepeatedHeader,
    /// A record with fewer digests than the Spec ID event lists.
    DigestCount,
    /// A record without a digest for a bank that is replayed. The bank's value is not known from
    /// here on.
    MissingDigest(Algorithm),
    /// An event for a register that does not exist. It is not replayed.
    NoSuchRegister,
    /// An event for a register that cannot be extended. It is not replayed.
    StaticRegister,
    /// A record that extends nothing, for a register that does not exist.
    NoActionIndex,
    /// A record that extends nothing, with a digest that is not zero.
    NoActionDigest,
    /// A start-up locality behind the first event of PCR 0, or for a value that the caller has set.
    /// It is ignored.
    LocalityLate,
    /// A second start-up locality that differs from the first. It is ignored.
    LocalityDiffers,
    /// A start-up locality other than 0, 3 and 4. It is ignored.
    LocalityUnknown,
    /// An H-CRTM event behind the first event of PCR 0. It is replayed like any other.
    HcrtmLate,
    /// Bytes that nobody reads, behind the mark that ends the log.
    BytesBehind,
    /// A value is expected for a register that has no events: it was compared with the start value.
    NoEvents,
}

impl FindingKind {
    /// Every kind, at the place of its bit in [`Oddities`].
    const ALL: [Self; 19] = [
        Self::HeaderIndex,
        Self::HeaderDigest,
        Self::HeaderSignature,
        Self::RepeatedHeader,
        Self::DigestCount,
        Self::MissingDigest(Algorithm::Sha1),
        Self::MissingDigest(Algorithm::Sha256),
        Self::MissingDigest(Algorithm::Sha384),
        Self::MissingDigest(Algorithm::Sha512),
        Self::NoSuchRegister,
        Self::StaticRegister,
        Self::NoActionIndex,
        Self::NoActionDigest,
        Self::LocalityLate,
        Self::LocalityDiffers,
        Self::LocalityUnknown,
        Self::HcrtmLate,
        Self::BytesBehind,
        Self::NoEvents,
    ];
}

impl fmt::Display for FindingKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::HeaderIndex => "the Spec ID event is for an unusual register",
            Self::HeaderDigest => "the Spec ID event's digest is not zero",
            Self::HeaderSignature => "the Spec ID event has no signature: not written by firmware",
            Self::RepeatedHeader => "one more Spec ID event",
            Self::DigestCount => "fewer digests than the Spec ID event lists",
            Self::MissingDigest(algorithm) => {
                return write!(
                    f,
                    "no {algorithm} digest: the bank cannot be replayed from here on"
                );
            }
            Self::NoSuchRegister => "event for a register that does not exist; not replayed",
            Self::StaticRegister => "event for a register that cannot be extended; not replayed",
            Self::NoActionIndex => "informative event for a register that does not exist",
            Self::NoActionDigest => "informative event with a digest; not extended",
            Self::LocalityLate => "start-up locality when PCR 0 has its start value; ignored",
            Self::LocalityDiffers => "a second, different start-up locality; ignored",
            Self::LocalityUnknown => "start-up locality other than 0, 3 and 4; ignored",
            Self::HcrtmLate => "H-CRTM event behind other events of PCR 0",
            Self::BytesBehind => "bytes behind the end of the log that nobody reads",
            Self::NoEvents => "a value is expected but the log has no event for the register",
        })
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(register) = self.register {
            write!(f, "{register}: ")?;
        }
        let Position { record, offset, .. } = self.position;
        write!(f, "{} (record {record}, byte {offset})", self.kind)
    }
}

/// What is odd about one record: a set of [`FindingKind`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Oddities(u32);

impl Oddities {
    /// Whether nothing is odd.
    #[must_use]
    #[inline]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The kinds.
    pub fn iter(self) -> impl Iterator<Item = FindingKind> {
        FindingKind::ALL.iter().enumerate().filter_map(move |(place, &kind)| {
            let bit = 1_u32.checked_shl(u32::try_from(place).ok()?)?;
            (self.0 & bit != 0).then_some(kind)
        })
    }

    /// Whether a kind is in it.
    #[must_use]
    pub fn contains(self, kind: FindingKind) -> bool {
        self.iter().any(|other| other == kind)
    }

    pub(super) fn insert(&mut self, kind: FindingKind) {
        let place = FindingKind::ALL.iter().position(|&other| other == kind);
        let bit = place.and_then(|place| 1_u32.checked_shl(u32::try_from(place).ok()?));
        self.0 |= bit.unwrap_or(0);
    }

    /// Takes out the first kind.
    pub(super) fn take(&mut self) -> Option<FindingKind> {
        let first = self.iter().next()?;
        self.0 &= self.0.wrapping_sub(1);
        Some(first)
    }
}

impl fmt::Debug for Oddities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets() {
        let mut all = Oddities::default();
        assert!(all.is_empty());
        for kind in FindingKind::ALL {
            assert!(!all.contains(kind));
            all.insert(kind);
            all.insert(kind);
            assert!(all.contains(kind));
        }
        assert!(all.iter().eq(FindingKind::ALL));
        for kind in FindingKind::ALL {
            assert_eq!(all.take(), Some(kind));
        }
        assert_eq!(all.take(), None);
        assert_eq!(Algorithm::ALL.len(), 4, "each has a place");
    }
}
