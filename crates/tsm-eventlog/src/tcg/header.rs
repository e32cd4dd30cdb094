// SPDX-License-Identifier: MIT OR Apache-2.0
//! The Spec ID event: the first record of a crypto-agile log, which lists the digests that the
//! others have.

use core::fmt;

use tsm_core::Algorithm;

use super::cut::Cut;
use super::event_type::EventType;
use crate::bytes::Bytes;
use crate::error::ErrorKind;
use crate::limits::Limits;

/// "Spec ID Event03" and a NUL: the version of crypto-agile logs.
pub(super) const SIGNATURE: [u8; 16] = *b"Spec ID Event03\0";

/// Size of a SHA-1 record without its data.
pub(super) const SHA1_RECORD: usize = 32;

/// The header of a crypto-agile log: its Spec ID event (`TCG_EfiSpecIDEvent`, TCG PC Client Platform
/// Firmware Profile 1.06, section 10.4.5.1).
///
/// No register covers it. It can only say how to read the other records.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct SpecId<'a> {
    /// The register number that it carries: 0, but 1 in what OVMF writes for confidential VMs.
    pub index: u32,
    /// Whether the signature is there. In logs that Confidential Containers' agent makes for
    /// machines without a firmware log it is all zero.
    pub has_signature: bool,
    /// Whether the digest is zero, as it should be.
    pub has_zero_digest: bool,
    /// 0 client, 1 server.
    pub platform_class: u32,
    /// Major and minor version of the specification: 2, 0.
    pub version: (u8, u8),
    /// Its errata version; td-shim writes 105.
    pub errata: u8,
    /// Size of a `UINTN` in units of 4 bytes: 1 or 2.
    pub uintn_size: u8,
    /// The digests that records have.
    pub algorithms: AlgorithmList<'a>,
    /// Bytes of the vendor's choice, at most 255.
    pub vendor_info: &'a [u8],
    /// The record that it was read from.
    pub(crate) record: Bytes<'a>,
}

impl<'a> SpecId<'a> {
    /// Reads the Spec ID event at the front of `bytes`, and gives what stands behind it. `None` if
    /// something else stands there.
    pub(super) fn read(
        bytes: &'a [u8],
        limits: &Limits,
    ) -> Result<Option<(Self, &'a [u8])>, ErrorKind> {
        let Some(has_signature) = Self::is_signed(bytes) else { return Ok(None) };
        match Self::parse(bytes, has_signature, limits) {
            Ok(found) => Ok(Some(found)),
            Err(kind) if has_signature => Err(kind),
            Err(_) => Ok(None),
        }
    }

    /// Whether a record that may be a Spec ID event has the signature; `None` if it cannot be one.
    fn is_signed(bytes: &[u8]) -> Option<bool> {
        let mut cut = Cut(bytes);
        let _index = cut.u32().ok()?;
        let event_type = EventType(cut.u32().ok()?);
        let _digest_and_size = cut.array::<24>().ok()?;
        let signature = *cut.array::<16>().ok()?;
        if event_type != EventType::NO_ACTION {
            return None;
        }
        match signature {
            SIGNATURE => Some(true),
            _ => (signature == [0; 16]).then_some(false),
        }
    }

    fn parse(
        bytes: &'a [u8],
        has_signature: bool,
        limits: &Limits,
    ) -> Result<(Self, &'a [u8]), ErrorKind> {
        let mut cut = Cut(bytes);
        let index = cut.u32()?;
        let _event_type = cut.u32()?;
        let digest = cut.array::<20>()?;
        let data = cut.sized(limits.event_bytes)?;
        let rest = cut.0;

        // Cut inside its data, a record is truncated; from here on it is wrong.
        let wrong = |_| ErrorKind::Header;
        let mut cut = Cut(data);
        cut.array::<16>().map_err(wrong)?;
        let platform_class = cut.u32().map_err(wrong)?;
        let &[minor, major, errata, uintn_size] = cut.array().map_err(wrong)?;
        let count = usize::try_from(cut.u32().map_err(wrong)?).map_err(|_| ErrorKind::Header)?;
        if count > limits.algorithms.min(AlgorithmList::MAX) {
            return Err(ErrorKind::TooManyAlgorithms);
        }
        let list = cut.bytes(count.saturating_mul(4)).map_err(wrong)?;
        let algorithms = AlgorithmList::new(list).ok_or(ErrorKind::Header)?;
        let vendor_size = cut.u8().map_err(wrong)?;
        let vendor_info = cut.bytes(usize::from(vendor_size)).map_err(wrong)?;
        if !cut.0.is_empty() {
            return Err(ErrorKind::Header);
        }
        let header = Self {
            index,
            has_signature,
            has_zero_digest: *digest == [0; 20],
            platform_class,
            version: (major, minor),
            errata,
            uintn_size,
            algorithms,
            vendor_info,
            record: bytes.get(..bytes.len().saturating_sub(rest.len())).unwrap_or_default().into(),
        };
        Ok((header, rest))
    }
}

/// The digests that the records of a log have: algorithms, known or not, and sizes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct AlgorithmList<'a>(&'a [[u8; 4]]);

/// An algorithm of a log.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub struct ListedAlgorithm {
    /// The `TPM_ALG_ID` (TCG Algorithm Registry).
    pub id: u16,
    /// Size of its digests in bytes.
    pub size: u16,
}

impl ListedAlgorithm {
    /// The algorithm, if it is compiled in.
    #[must_use]
    pub fn algorithm(self) -> Option<Algorithm> {
        Algorithm::from_tpm_id(self.id)
    }

    const fn from_raw(raw: [u8; 4]) -> Self {
        let [id0, id1, size0, size1] = raw;
        Self { id: u16::from_le_bytes([id0, id1]), size: u16::from_le_bytes([size0, size1]) }
    }
}

impl<'a> AlgorithmList<'a> {
    /// The most algorithms a list can have here; real ones have at most four.
    pub const MAX: usize = 16;

    /// That of logs in the SHA-1 format.
    pub const SHA1: AlgorithmList<'static> = AlgorithmList(&[[0x04, 0, 20, 0]]);

    /// A list as it stands in a Spec ID event: identifier and size, two bytes each, little endian.
    ///
    /// `None` if it is empty, has more than [`MAX`](Self::MAX) algorithms, has one twice, gives a
    /// known one another size, or an unknown one none.
    #[must_use]
    pub fn new(raw: &'a [u8]) -> Option<Self> {
        let (list, rest) = raw.as_chunks::<4>();
        if list.is_empty() || list.len() > Self::MAX || !rest.is_empty() {
            return None;
        }
        let is_sound = |(place, &raw): (usize, &[u8; 4])| {
            let listed = ListedAlgorithm::from_raw(raw);
            let before = list.get(..place).unwrap_or_default();
            let is_new = before.iter().all(|&raw| ListedAlgorithm::from_raw(raw).id != listed.id);
            is_new
                && match listed.algorithm() {
                    Some(algorithm) => usize::from(listed.size) == algorithm.size(),
                    None => listed.size > 0,
                }
        };
        list.iter().enumerate().all(is_sound).then_some(Self(list))
    }

    /// The number of algorithms.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    /// Never: a list is not empty.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The algorithms, in the log's order.
    pub fn iter(&self) -> impl Iterator<Item = ListedAlgorithm> + use<'a> {
        self.0.iter().map(|&raw| ListedAlgorithm::from_raw(raw))
    }

    /// Those that are compiled in.
    pub fn known(&self) -> impl Iterator<Item = Algorithm> + use<'a> {
        self.iter().filter_map(ListedAlgorithm::algorithm)
    }

    /// Whether the list has an algorithm.
    #[must_use]
    pub fn contains(&self, algorithm: Algorithm) -> bool {
        self.iter().any(|listed| listed.id == algorithm.tpm_id())
    }

    /// Place and size of an algorithm that is probably at `hint`.
    #[inline]
    pub(super) fn find(&self, id: u16, hint: usize) -> Option<(usize, usize)> {
        let at = |place: usize| {
            let listed = ListedAlgorithm::from_raw(*self.0.get(place)?);
            (listed.id == id).then_some((place, usize::from(listed.size)))
        };
        at(hint).or_else(|| (0..self.0.len()).find_map(at))
    }
}

impl fmt::Debug for AlgorithmList<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists() {
        let sound: [&[u8]; 3] =
            [&[4, 0, 20, 0], &[0x0B, 0, 32, 0, 0x12, 0, 32, 0], &[0xFF, 0xFF, 1, 0]];
        for raw in sound {
            assert_eq!(AlgorithmList::new(raw).unwrap().len(), raw.len() / 4);
        }
        let wrong: [&[u8]; 6] = [
            &[],
            &[4, 0, 20],
            &[4, 0, 32, 0],
            &[0x12, 0, 0, 0],
            &[0x12, 0, 32, 0, 0x12, 0, 20, 0],
            &[1; 68],
        ];
        for raw in wrong {
            assert_eq!(AlgorithmList::new(raw), None, "{raw:?}");
        }
        assert!(AlgorithmList::SHA1.known().eq([Algorithm::Sha1]));
    }
}
