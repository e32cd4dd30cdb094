// SPDX-License-Identifier: MIT OR Apache-2.0
//! The image `smallest` on a software bank of SNP, at VMPL0: guest messages over the GHCB with
//! AES-256-GCM, reports over the bank's manifest. What it is larger by is the adapter.

#![no_std]
#![no_main]

use core::ptr::NonNull;

use tsm_core::log::{Limits, RecordLog, SliceStorage};
use tsm_core::{Algorithm, Provider, replay};
use tsm_images::{bytes, digest, memory};
use tsm_snp::bank::RTMRS;
use tsm_snp::ghcb::{GhcbChannel, Instruction, Mapped};
use tsm_snp::{
    GuestMessages, GuestPhysical, Isolation, PAGE, REPORT_SIZE, SecretsPage, SnpProvider,
    SoftwareBank, VmpckIndex,
};

type Guest = GuestMessages<GhcbChannel<Instruction, Mapped>>;
type Registers<'g> = SnpProvider<'static, &'g mut Guest, &'g mut [u8; REPORT_SIZE], 4>;

fn page(start: NonNull<[u8; PAGE]>, number: usize) -> Option<Mapped> {
    let start = NonNull::new(start.as_ptr().wrapping_add(number))?;
    // SAFETY: never run.
    unsafe { Mapped::new(start, 1, GuestPhysical(start.addr().get() as u64)) }.ok()
}

/// The conversation, where it stays.
#[unsafe(no_mangle)]
unsafe extern "C" fn start(
    secrets: *mut [u8; PAGE],
    shared: NonNull<[u8; PAGE]>,
    place: *mut Guest,
) -> u32 {
    // SAFETY: never run.
    let Some(secrets) = (unsafe { secrets.as_mut() }) else { return 0 };
    let Ok(key) = SecretsPage::of(secrets).take(VmpckIndex::ALL[0]) else { return 1 };
    // SAFETY: never run.
    let Ok(mut exit) = (unsafe { Instruction::detect() }) else { return 2 };
    let (Some(ghcb), Some(request), Some(response), Some(certificates)) =
        (page(shared, 0), page(shared, 1), page(shared, 2), page(shared, 3))
    else {
        return 3;
    };
    if exit.register(GuestPhysical(shared.addr().get() as u64)).is_err() {
        return 4;
    }
    let Ok(channel) = GhcbChannel::new(exit, ghcb, request, response) else { return 5 };
    let Ok(channel) = channel.with_certificates(certificates) else { return 6 };
    // SAFETY: never run.
    unsafe { place.write(GuestMessages::new(key, channel)) };
    7
}

#[unsafe(no_mangle)]
unsafe extern "C" fn provide(
    guest: *mut Guest,
    report: *mut [u8; REPORT_SIZE],
    place: *mut Registers<'_>,
) -> u32 {
    // SAFETY: never run.
    let Some(guest) = (unsafe { guest.as_mut() }) else { return 0 };
    // SAFETY: never run.
    let Some(report) = (unsafe { report.as_mut() }) else { return 0 };
    let Ok(bank) = SoftwareBank::new(RTMRS, Isolation::Privileged) else { return 1 };
    let Ok(provider) = SnpProvider::with_bank(guest, bank, report) else { return 2 };
    // SAFETY: never run.
    unsafe { place.write(provider) };
    3
}

#[unsafe(no_mangle)]
unsafe extern "C" fn append(
    snp: *mut Registers<'_>,
    page: *mut u8,
    size: usize,
    lines: *const u8,
    count: usize,
) -> u32 {
    // SAFETY: never run.
    let (page, lines) = unsafe { (memory(page, size), bytes(lines, count)) };
    // SAFETY: never run.
    let Some(snp) = (unsafe { snp.as_mut() }) else { return 0 };
    let Some(rtmr) = snp.find("rtmr3") else { return 1 };
    let mut log = RecordLog::new(SliceStorage::new(page), Limits::DEFAULT);
    let appended = log.append(snp, rtmr, lines).is_ok();
    let extended = log.extend_off_log(snp, rtmr, &[digest(lines)]).is_ok();
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
unsafe extern "C" fn evidence(snp: *mut Registers<'_>, out: *mut u8, size: usize) -> u64 {
    // SAFETY: never run.
    let out = unsafe { memory(out, size) };
    // SAFETY: never run.
    let Some(snp) = (unsafe { snp.as_mut() }) else { return 0 };
    let measurement = snp.find("measurement").and_then(|id| snp.value(id, Algorithm::Sha384).ok());
    let reported = snp.as_reporter().and_then(|r| r.report(&[1; 32], out).ok());
    u64::from(measurement.is_some_and(|value| value.is_zeros()))
        + reported.map_or(0, |size| size as u64) * 2
}

#[unsafe(no_mangle)]
unsafe extern "C" fn _start(
    secrets: *mut [u8; PAGE],
    shared: NonNull<[u8; PAGE]>,
    guest: *mut Guest,
    report: *mut [u8; REPORT_SIZE],
    snp: *mut Registers<'_>,
    page: *mut u8,
    size: usize,
) -> u64 {
    // SAFETY: never run.
    unsafe {
        u64::from(start(secrets, shared, guest))
            + u64::from(provide(guest, report, snp))
            + u64::from(append(snp, page, size, page, size))
            + u64::from(replay_log(page, size, page))
            + evidence(snp, page, size)
    }
}
