// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the size budget is about: the record log's writer and replay, with SHA-384.

#![no_std]
#![no_main]

use tsm_core::log::{Limits, RecordLog, SliceStorage};
use tsm_core::replay;
use tsm_images::{Device, RTMR, bytes, digest, memory};

#[unsafe(no_mangle)]
unsafe extern "C" fn append(page: *mut u8, size: usize, lines: *const u8, count: usize) -> u32 {
    // SAFETY: never run.
    let (page, lines) = unsafe { (memory(page, size), bytes(lines, count)) };
    let mut device = Device::new();
    let mut log = RecordLog::new(SliceStorage::new(page), Limits::DEFAULT);
    let appended = log.append(&mut device, RTMR, lines).is_ok();
    let extended = log.extend_off_log(&mut device, RTMR, &[digest(lines)]).is_ok();
    u32::from(appended) + 2 * u32::from(extended)
}

#[unsafe(no_mangle)]
unsafe extern "C" fn replay_log(log: *const u8, size: usize, value: *const u8) -> u32 {
    // SAFETY: never run.
    let (log, value) = unsafe { (bytes(log, size), digest(bytes(value, 48))) };
    let start = digest(&[]);
    match replay::verify(log, &[start], &[value], Limits::DEFAULT, &mut ()) {
        Ok(verified) => u32::from(verified.holds() == Some(true)) + 2,
        Err(_) => 0,
    }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn _start(page: *mut u8, size: usize, lines: *const u8, count: usize) -> u32 {
    // SAFETY: never run.
    unsafe { append(page, size, lines, count) + replay_log(page, size, lines) }
}
