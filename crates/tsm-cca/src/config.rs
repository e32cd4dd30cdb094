// SPDX-License-Identifier: MIT OR Apache-2.0
//! What `RSI_REALM_CONFIG` tells.

use core::fmt;

use tsm_core::Algorithm;

use crate::address::SharedBit;
use crate::buffer::Granule;
use crate::error::{Error, ErrorKind};

/// The realm's configuration (DEN0137 1.0-rel0, B5.4, `RsiRealmConfig`; fields of 1.1 from TF-RMM
/// `lib/smc/include/smc-rsi.h`).
///
/// The RMM writes these fields and leaves the rest of the granule as it was. A field of a newer
/// revision than the RMM's is therefore zero, as [`Realm::config`](crate::Realm::config) made it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RealmConfig {
    /// Width of intermediate physical addresses in bits, the shared bit among them.
    pub ipa_width: u64,
    /// The hash of the measurements, as the RMM says. TF-RMM's main branch says SHA-512 in a realm
    /// of SHA-384; see [`CcaProvider`](crate::CcaProvider).
    pub hash: HashId,
    /// Auxiliary planes (1.1).
    pub auxiliary_planes: u64,
    /// GICv3 VTR of the planes (1.1).
    pub gicv3_vtr: u32,
    /// The plane that has the address translation service (1.1).
    pub ats_plane: u64,
    /// The realm personalization value: 64 bytes that the host chose when it made the realm. Zero
    /// from an RMM before 1.0-rel0, which does not tell it.
    pub personalization: [u8; 64],
}

impl RealmConfig {
    /// Reads what an RMM wrote in a granule of zeros.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::IpaWidth`] for a width that no realm can have.
    pub fn parse(page: &[u8; Granule::SIZE]) -> Result<Self, Error> {
        let field = |offset: usize| {
            let bytes = page.get(offset..).and_then(<[u8]>::first_chunk);
            u64::from_le_bytes(*bytes.unwrap_or(&[0; 8]))
        };
        // One byte since 1.0-rel0; the others may be anything.
        let [hash, ..] = field(8).to_le_bytes();
        let [a, b, c, d, ..] = field(0x18).to_le_bytes();
        let config = Self {
            ipa_width: field(0),
            hash: HashId(hash),
            auxiliary_planes: field(0x10),
            gicv3_vtr: u32::from_le_bytes([a, b, c, d]),
            ats_plane: field(0x20),
            personalization: *page.get(0x200..).and_then(<[u8]>::first_chunk).unwrap_or(&[0; 64]),
        };
        match config.shared_bit() {
            Some(_) => Ok(config),
            None => Err(Error::at(ErrorKind::IpaWidth, 0)),
        }
    }

    /// Where protected addresses end.
    #[must_use]
    pub const fn shared_bit(&self) -> Option<SharedBit> {
        SharedBit::of_width(self.ipa_width)
    }
}

/// A hash algorithm's number in the RSI (DEN0137 2.0 beta, B5.5, `RsiHashAlgorithm`). Mind the
/// order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct HashId(pub u8);

impl HashId {
    /// SHA-256.
    pub const SHA256: Self = Self(0);
    /// SHA-512.
    pub const SHA512: Self = Self(1);
    /// SHA-384 (2.0 beta).
    pub const SHA384: Self = Self(2);

    /// The algorithm; `None` for a number that this crate does not know.
    #[must_use]
    pub const fn algorithm(self) -> Option<Algorithm> {
        match self {
            Self::SHA256 => Some(Algorithm::Sha256),
            Self::SHA512 => Some(Algorithm::Sha512),
            Self::SHA384 => Some(Algorithm::Sha384),
            _ => None,
        }
    }

    /// The number of an algorithm; `None` if realms do not have it.
    #[must_use]
    pub const fn of(algorithm: Algorithm) -> Option<Self> {
        match algorithm {
            Algorithm::Sha256 => Some(Self::SHA256),
            Algorithm::Sha512 => Some(Self::SHA512),
            Algorithm::Sha384 => Some(Self::SHA384),
            _ => None,
        }
    }
}

impl fmt::Display for HashId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.algorithm() {
            Some(algorithm) => algorithm.fmt(f),
            None => write!(f, "hash algorithm {}", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(fields: &[(usize, &[u8])]) -> [u8; 4096] {
        let mut page = [0; 4096];
        for (offset, bytes) in fields {
            page[*offset..][..bytes.len()].copy_from_slice(bytes);
        }
        page
    }

    /// Offsets from TF-RMM `smc-rsi.h`.
    #[test]
    fn fields_where_they_belong() {
        let full = page(&[
            (0, &[48]),
            // The other seven bytes are not the number's since 1.0-rel0.
            (8, &[2, 9, 9, 9, 9, 9, 9, 9]),
            (0x10, &[3]),
            (0x18, &[1, 2, 3, 4, 0xFF]),
            (0x20, &[0, 1]),
            (0x1F8, &[0xEE; 8]),
            (0x200, &[5; 64]),
            (0x240, &[0xEE; 8]),
        ]);
        let expected = RealmConfig {
            ipa_width: 48,
            hash: HashId::SHA384,
            auxiliary_planes: 3,
            gicv3_vtr: 0x0403_0201,
            ats_plane: 256,
            personalization: [5; 64],
        };
        assert_eq!(RealmConfig::parse(&full), Ok(expected));
    }

    #[test]
    fn a_width_that_is_none() {
        for width in [0, 12, 65, 255] {
            let error = RealmConfig::parse(&page(&[(0, &[width])])).unwrap_err();
            assert_eq!((error.kind(), error.offset()), (ErrorKind::IpaWidth, Some(0)));
        }
        assert!(RealmConfig::parse(&page(&[(0, &[33])])).is_ok());
        assert!(RealmConfig::parse(&page(&[(0, &[33, 1])])).is_err());
    }

    #[test]
    fn numbers_of_hashes() {
        for (number, algorithm) in
            [(0, Algorithm::Sha256), (1, Algorithm::Sha512), (2, Algorithm::Sha384)]
        {
            assert_eq!(HashId(number).algorithm(), Some(algorithm));
            assert_eq!(HashId::of(algorithm), Some(HashId(number)));
        }
        assert_eq!(HashId(3).algorithm(), None);
        assert_eq!(HashId(3).to_string(), "hash algorithm 3");
        assert_eq!(HashId(2).to_string(), "sha384");
    }
}
