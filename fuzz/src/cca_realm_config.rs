// SPDX-License-Identifier: MIT OR Apache-2.0
//! What an RMM writes about a realm.

use tsm_cca::{ErrorKind, Granule, RealmConfig};

/// The bytes that mean something.
const FIELDS: [core::ops::Range<usize>; 4] = [0..9, 0x10..0x1C, 0x20..0x28, 0x200..0x240];

/// Input: the front of the granule; the rest is zero.
pub fn cca_realm_config(data: &[u8]) {
    let mut page = [0; Granule::SIZE];
    let size = data.len().min(page.len());
    page[..size].copy_from_slice(&data[..size]);
    let number = |at: usize| u64::from_le_bytes(page[at..at + 8].try_into().unwrap());
    let parsed = RealmConfig::parse(&page);
    match parsed {
        Err(error) => {
            assert_eq!((error.kind(), error.offset()), (ErrorKind::IpaWidth, Some(0)));
            assert!(!(13..=64).contains(&number(0)));
        }
        Ok(config) => {
            assert_eq!(config.ipa_width, number(0));
            assert_eq!(config.hash.0, page[8]);
            assert_eq!(config.auxiliary_planes, number(0x10));
            assert_eq!(u64::from(config.gicv3_vtr), number(0x18) & 0xFFFF_FFFF);
            assert_eq!(config.ats_plane, number(0x20));
            assert_eq!(config.personalization, page[0x200..0x240]);
            // All protected addresses, and no other.
            let bit = config.shared_bit().expect("the width is good");
            let top = 1_u128 << (config.ipa_width - 1);
            assert_eq!(u128::from(bit.mask()), (1_u128 << 64) - top);
        }
    }
    // The rest has no say.
    let mut noisy = [0xA5; Granule::SIZE];
    for field in FIELDS {
        noisy[field.clone()].copy_from_slice(&page[field]);
    }
    assert_eq!(RealmConfig::parse(&noisy), parsed);
}
