// SPDX-License-Identifier: MIT OR Apache-2.0
//! The model's firmware without the adapter: messages are sealed here, by the cipher's crate alone.

use aes_gcm::aead::{AeadInOut as _, inout::InOutBuf};
use aes_gcm::{Aes256Gcm, KeyInit as _};
use proptest::prelude::*;
use tsm_sim::snp::{Chip, Firmware};
use tsm_snp::report::Generation;
use tsm_snp::{FirmwareStatus, PAGE, VmpckIndex};

fn firmware() -> Firmware {
    Firmware::new(Chip::new("firmware", Generation::Milan)).with_chip_key_masked()
}

fn cipher(firmware: &Firmware, key: usize) -> Aes256Gcm {
    let mut page = [0; PAGE];
    firmware.write_secrets(&mut page);
    Aes256Gcm::new_from_slice(&page[0x20 + 32 * key..][..32]).unwrap()
}

/// The first twelve bytes are the nonce, the number and zeros.
fn nonce(number: u64) -> [u8; 12] {
    let mut nonce = [0; 12];
    nonce[..8].copy_from_slice(&number.to_le_bytes());
    nonce
}

/// A message as the specification lays it out.
fn message(firmware: &Firmware, key: u8, number: u64, kind: [u8; 2], payload: &[u8]) -> Vec<u8> {
    let mut page = vec![0; 0x60 + payload.len()];
    page[0x20..0x28].copy_from_slice(&number.to_le_bytes());
    page[0x30..0x36].copy_from_slice(&[1, 1, 0x60, 0, kind[0], kind[1]]);
    page[0x36..0x38].copy_from_slice(&(payload.len() as u16).to_le_bytes());
    page[0x3C] = key;
    page[0x60..].copy_from_slice(payload);
    let (header, sealed) = page.split_at_mut(0x60);
    let tag = cipher(firmware, key.into()).encrypt_inout_detached(
        (&nonce(number)).into(),
        &header[0x30..],
        InOutBuf::from(sealed),
    );
    header[..16].copy_from_slice(&tag.unwrap());
    page
}

fn open(firmware: &Firmware, key: u8, page: &[u8; PAGE]) -> Vec<u8> {
    let size = usize::from(u16::from_le_bytes([page[0x36], page[0x37]]));
    let number = u64::from_le_bytes(page[0x20..0x28].try_into().unwrap());
    let mut payload = page[0x60..0x60 + size].to_vec();
    assert!(page[0x60 + size..].iter().all(|&byte| byte == 0));
    let opened = cipher(firmware, key.into()).decrypt_inout_detached(
        (&nonce(number)).into(),
        &page[0x30..0x60],
        InOutBuf::from(payload.as_mut_slice()),
        page[..16].try_into().unwrap(),
    );
    opened.unwrap();
    payload
}

#[test]
fn a_report() {
    let mut firmware = firmware();
    let mut payload = [0; 96];
    (payload[0], payload[0x40]) = (7, 3);
    let request = message(&firmware, 2, 1, [5, 1], &payload);
    let mut page = [0xEE; PAGE];
    assert_eq!(firmware.answer(&request, &mut page), FirmwareStatus::SUCCESS);
    assert_eq!(page[0x20..0x28], 2_u64.to_le_bytes());
    assert_eq!(page[0x30..0x38], [1, 1, 0x60, 0, 6, 1, 0xC0, 4]);
    assert_eq!(page[0x3C], 2);
    let answer = open(&firmware, 2, &page);
    assert_eq!((answer.len(), &answer[..8]), (0x4C0, &[0, 0, 0, 0, 0xA0, 4, 0, 0][..]));
    assert_eq!((answer[0x20 + 0x30], answer[0x20 + 0x50]), (3, 7));
    // Once only.
    assert_eq!(firmware.answer(&request, &mut page), FirmwareStatus::AEAD_OVERFLOW);
    let counters = VmpckIndex::ALL.map(|key| firmware.counter(key));
    assert_eq!(counters, [0, 0, 2, 0]);
}

/// What is refused is not counted, and the response page stays as it was.
#[test]
fn refusals() {
    let overflow = FirmwareStatus::AEAD_OVERFLOW;
    let invalid = FirmwareStatus::INVALID_PARAMETER;
    let original = firmware();
    let refused = |request: &[u8], status| {
        let mut firmware = original.clone();
        let mut page = [0xEE; PAGE];
        assert_eq!(firmware.answer(request, &mut page), status);
        assert!(page == [0xEE; PAGE] && firmware == original);
    };
    for number in [0, 2, 3, u64::MAX] {
        refused(&message(&original, 0, number, [5, 1], &[0; 96]), overflow);
    }
    // Types, versions and sizes that there are not.
    for (kind, size) in [
        ([5, 0], 96),
        ([5, 2], 96),
        ([5, 1], 95),
        ([5, 1], 97),
        ([6, 1], 96),
        ([0, 1], 96),
        ([3, 1], 40),
        ([3, 2], 32),
        ([17, 1], 0),
        ([5, 1], 4000),
    ] {
        refused(&message(&original, 0, 1, kind, &vec![0; size]), invalid);
    }
    // Every byte of a good message counts. A changed number is another number.
    let good = message(&original, 0, 1, [17, 1], &[0; 128]);
    for place in 0..good.len() {
        let mut changed = good.clone();
        changed[place] ^= 1;
        let status = if (0x20..0x28).contains(&place) { overflow } else { invalid };
        refused(&changed, status);
    }
    for size in 0..good.len() {
        refused(&good[..size], invalid);
    }
    let mut page = [0; PAGE];
    assert_eq!(original.clone().answer(&good, &mut page), FirmwareStatus::SUCCESS);
}

/// Refused by the message's status: counted, and answered.
#[test]
fn refused_in_the_answer() {
    let status = |kind, payload: &[u8]| {
        let mut firmware = firmware();
        let request = message(&firmware, 1, 1, kind, payload);
        let mut page = [0; PAGE];
        assert_eq!(firmware.answer(&request, &mut page), FirmwareStatus::SUCCESS);
        assert_eq!(firmware.counter(VmpckIndex::ALL[1]), 2);
        let answer = open(&firmware, 1, &page);
        assert!(answer[0] == 0 || answer[4..].iter().all(|&byte| byte == 0));
        answer[0]
    };
    let report = |place: usize, value: u8| {
        let mut payload = [0; 96];
        payload[0x40] = 1;
        payload[place] = value;
        status([5, 1], &payload)
    };
    assert_eq!(report(0x40, 1), 0);
    // A level above the key's, levels that there are not, no such KEY_SEL, reserved bytes.
    for (place, value) in
        [(0x40, 0), (0x40, 4), (0x43, 1), (0x44, 3), (0x44, 4), (0x48, 1), (95, 1)]
    {
        assert_eq!(report(place, value), 0x16, "{place:#x}");
    }
    assert_eq!(report(0x44, 2), 0x27);
    let key = |place: usize, value: u8| {
        let mut payload = [0; 32];
        payload[0x10] = 1;
        payload[place] = value;
        status([3, 1], &payload)
    };
    assert_eq!(key(0x10, 3), 0);
    for (place, value) in [(0, 8), (4, 1), (8, 0x40), (15, 1), (0x10, 0), (0x10, 4), (0x14, 4)] {
        assert_eq!(key(place, value), 0x16, "{place:#x}");
    }
    assert_eq!(key(0, 0b100), 0x27);
    let mut tsc = [0; 128];
    assert_eq!(status([17, 1], &tsc), 0);
    tsc[127] = 1;
    assert_eq!(status([17, 1], &tsc), 0x16);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

    /// What nobody sealed is refused, whatever it is.
    #[test]
    fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..300), good in any::<bool>()) {
        let original = firmware();
        let mut request = bytes;
        if good && request.len() >= 0x60 {
            let size = (request.len() - 0x60) as u8;
            request[0x10..0x60].fill(0);
            request[0x20] = 1;
            request[0x30..0x38].copy_from_slice(&[1, 1, 0x60, 0, 5, 1, size, 0]);
        }
        let mut firmware = original.clone();
        prop_assert_ne!(firmware.answer(&request, &mut [0; PAGE]), FirmwareStatus::SUCCESS);
        prop_assert_eq!(firmware, original);
    }
}
