// SPDX-License-Identifier: MIT OR Apache-2.0
//! The layout of CCA's attestation tokens, for firmware that looks into one.

#![no_std]
#![no_main]

use tsm_cca::RemIndex;
use tsm_cca::token::{Rules, Token, profile};
use tsm_images::{bytes, memory};

#[unsafe(no_mangle)]
unsafe extern "C" fn _start(token: *const u8, size: usize, out: *mut u8, room: usize) -> u64 {
    // SAFETY: never run.
    let (bytes, out) = unsafe { (bytes(token, size), memory(out, room)) };
    let Ok(token) = Token::parse(bytes, Rules::STRICT) else { return 0 };
    let (platform, realm) = (&token.platform.claims, &token.realm.claims);
    let rem = RemIndex::new(size as u32).and_then(|index| realm.rem(index));
    let structure = token.realm.sign1.sig_structure();
    u64::from(token.binds_key())
        + u64::from(rem.is_some_and(|rem| rem.is_zeros()))
        + structure.write(out).unwrap_or_default() as u64
        + structure.pieces().map(|piece| piece.len() as u64).sum::<u64>()
        + platform.components().filter(|c| c.hash.is_some()).count() as u64
        + platform.others().chain(realm.others()).chain(token.others()).count() as u64
        + u64::from(profile(bytes).is_ok())
}
