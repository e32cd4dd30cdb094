// SPDX-License-Identifier: MIT OR Apache-2.0
//! Reading and replaying an IMA list.

#![no_std]
#![no_main]

use tsm_core::Algorithm;
use tsm_eventlog::ima::{Bank, List, Match, Replay};
use tsm_images::{bytes, digest};

#[unsafe(no_mangle)]
unsafe extern "C" fn _start(list: *const u8, size: usize, value: *const u8) -> u64 {
    // SAFETY: never run.
    let (list, value) = unsafe { (bytes(list, size), digest(bytes(value, 48))) };
    let format = tsm_eventlog::detect(list);
    let mut sum = u64::from(format == tsm_eventlog::detect(&[]));
    let Ok(mut replay) = <Replay>::new(&[Bank::hashed(Algorithm::Sha384)]) else { return 0 };
    if replay.expect(10, value).is_err() {
        return 1;
    }
    let Ok(list) = List::open(list) else { return 2 };
    let finished = replay.run(list);
    sum = sum.wrapping_add(u64::from(finished.error().is_some()));
    for entry in finished.entries() {
        sum = sum.wrapping_add(entry.name().map_or(0, |_| 1));
    }
    sum.wrapping_add(u64::from(replay.result(10, Algorithm::Sha384) == Match::Complete))
}
