// SPDX-License-Identifier: MIT OR Apache-2.0
//! One record of a log, borrowed from it.

use core::fmt;
use core::iter::FusedIterator;

use tsm_core::hex::Hex;
use tsm_core::{Algorithm, Digest};

use super::cut::Cut;
use super::event_type::EventType;
use super::header::AlgorithmList;
use crate::error::Position;

/// A record as a log has it. Anybody who can alter the log can alter what it says.
///
/// See [`Event`](super::Event) for what a replay adds.
#[derive(Clone, Copy)]
pub struct UntrustedEvent<'a> {
    pub(super) index: u32,
    pub(super) event_type: EventType,
    pub(super) digests: Digests<'a>,
    pub(super) data: &'a [u8],
    pub(super) position: Position,
    /// Bytes of the record.
    pub(super) bytes: u64,
    /// Whether it is a Spec ID event of the SHA-1 shape behind the first record.
    pub(super) is_header: bool,
}

impl<'a> UntrustedEvent<'a> {
    /// The register's number: a PCR or a CC measurement register, see
    /// [`Platform::register`](crate::registers::Platform::register). It may be any number.
    #[must_use]
    pub const fn index(&self) -> u32 {
        self.index
    }

    /// The type. No digest covers it.
    #[must_use]
    pub const fn event_type(&self) -> EventType {
        self.event_type
    }

    /// The digests, in the record's order, which need not be the header's.
    #[must_use]
    pub const fn digests(&self) -> Digests<'a> {
        self.digests
    }

    /// The digest of an algorithm, if the record has it.
    #[must_use]
    #[inline]
    pub fn digest(&self, algorithm: Algorithm) -> Option<Digest> {
        let id = algorithm.tpm_id();
        let bytes = self.digests.iter().find_map(|(other, bytes)| (other == id).then_some(bytes));
        Digest::from_bytes(algorithm, bytes?)
    }

    /// What the record tells about what was measured: [`decode`](Self::decode) reads it. For many
    /// types it is not what the digests are made from, and then nothing covers it:
    /// [`coverage`](Self::coverage).
    #[must_use]
    pub const fn data(&self) -> &'a [u8] {
        self.data
    }

    /// Whether it only tells something and extends nothing.
    #[must_use]
    #[inline]
    pub fn is_no_action(&self) -> bool {
        self.event_type == EventType::NO_ACTION
    }

    /// The locality from which the TPM was started, if the record tells it: PCR 0 starts with that
    /// number.
    ///
    /// Some firmware writes a larger record than the 17 bytes of the specification (TCG PC Client
    /// Platform Firmware Profile 1.06, section 10.4.5.3), so only its front counts.
    #[must_use]
    pub fn startup_locality(&self) -> Option<u8> {
        if !self.is_no_action() {
            return None;
        }
        self.data.strip_prefix(b"StartupLocality\0")?.first().copied()
    }

    /// Where the record begins.
    #[must_use]
    pub const fn position(&self) -> Position {
        self.position
    }

    /// Where the next record begins.
    #[must_use]
    pub const fn end(&self) -> Position {
        self.position.after(self.bytes, 0)
    }
}

impl fmt::Debug for UntrustedEvent<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UntrustedEvent")
            .field("index", &self.index)
            .field("event_type", &format_args!("{}", self.event_type))
            .field("digests", &self.digests)
            .field("data", &Hex(self.data))
            .field("position", &self.position)
            .finish()
    }
}

/// The digests of a record.
#[derive(Clone, Copy)]
pub struct Digests<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) list: AlgorithmList<'a>,
    pub(super) count: usize,
    /// Whether an algorithm identifier stands before each.
    pub(super) is_tagged: bool,
}

impl<'a> Digests<'a> {
    /// How many there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.count
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// `TPM_ALG_ID` and bytes of each.
    #[inline]
    #[must_use]
    pub fn iter(&self) -> DigestsIter<'a> {
        DigestsIter { digests: *self, place: 0 }
    }

    /// The digests of algorithms that are compiled in.
    pub fn known(&self) -> impl Iterator<Item = Digest> + use<'a> {
        self.iter().filter_map(|(id, bytes)| Digest::from_bytes(Algorithm::from_tpm_id(id)?, bytes))
    }

    /// How many the log's header lists.
    pub(super) const fn listed(&self) -> usize {
        self.list.len()
    }
}

impl<'a> IntoIterator for Digests<'a> {
    type Item = (u16, &'a [u8]);
    type IntoIter = DigestsIter<'a>;

    fn into_iter(self) -> DigestsIter<'a> {
        self.iter()
    }
}

impl fmt::Debug for Digests<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter().map(|(id, bytes)| (id, Hex(bytes)))).finish()
    }
}

/// The iterator of [`Digests::iter`].
#[derive(Clone)]
pub struct DigestsIter<'a> {
    digests: Digests<'a>,
    place: usize,
}

impl<'a> Iterator for DigestsIter<'a> {
    type Item = (u16, &'a [u8]);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let Digests { bytes, list, is_tagged, .. } = self.digests;
        if bytes.is_empty() {
            return None;
        }
        // The reader has checked all of this.
        let mut cut = Cut(bytes);
        let (id, size) = if is_tagged {
            let id = cut.u16().ok()?;
            (id, list.find(id, self.place)?.1)
        } else {
            (Algorithm::Sha1.tpm_id(), bytes.len())
        };
        let digest = cut.bytes(size).ok()?;
        self.digests.bytes = cut.0;
        self.place = self.place.saturating_add(1);
        Some((id, digest))
    }
}

impl FusedIterator for DigestsIter<'_> {}

impl fmt::Debug for DigestsIter<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.digests, f)
    }
}
