// SPDX-License-Identifier: MIT OR Apache-2.0
//! The image `smallest` on a TD's own registers: with all that the adapter does. What it is larger by
//! is the adapter.

#![no_std]
#![no_main]

use core::ptr::NonNull;

use tsm_core::log::{Limits, RecordLog, SliceStorage};
use tsm_core::provider::Reporter as _;
use tsm_core::{Algorithm, Provider, replay};
use tsm_images::{bytes, digest, memory};
use tsm_tdx::quoting::IdleQuote;
use tsm_tdx::{
    GuestPhysical, Hardware, IdentityMapped, MacBuffer, ReportBuffer, RtmrIndex, RtmrSet,
    SharedPages, Td, TdxProvider,
};

type Registers<'b> = TdxProvider<'b, Hardware<IdentityMapped>>;

fn registers<'b>(buffer: *mut ReportBuffer) -> Option<Registers<'b>> {
    // SAFETY: never run.
    let (space, buffer) = unsafe { (IdentityMapped::new(), buffer.as_mut()) };
    let td = Td::new(Hardware::detect(space).ok()?).ok()?;
    let registers = TdxProvider::new(td, RtmrSet::APPLICATION);
    Some(match buffer {
        Some(buffer) => registers.with_report_buffer(buffer),
        None => registers,
    })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn append(
    buffer: *mut ReportBuffer,
    page: *mut u8,
    size: usize,
    lines: *const u8,
    count: usize,
) -> u32 {
    // SAFETY: never run.
    let (page, lines) = unsafe { (memory(page, size), bytes(lines, count)) };
    let Some(mut tdx) = registers(buffer) else { return 0 };
    let rtmr = Registers::rtmr(RtmrIndex::RTMR3);
    let mut log = RecordLog::new(SliceStorage::new(page), Limits::DEFAULT);
    let appended = log.append(&mut tdx, rtmr, lines).is_ok();
    let extended = log.extend_off_log(&mut tdx, rtmr, &[digest(lines)]).is_ok();
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
unsafe extern "C" fn reports(buffer: *mut ReportBuffer, out: *mut u8, size: usize) -> u32 {
    // SAFETY: never run.
    let out = unsafe { memory(out, size) };
    let Some(mut tdx) = registers(buffer) else { return 0 };
    let mrtd = tdx.find("mrtd").and_then(|id| tdx.value(id, Algorithm::Sha384).ok());
    let reported = tdx.as_reporter().is_some_and(|r| r.report(&[1; 32], out).is_ok());
    u32::from(mrtd.is_some_and(|mrtd| mrtd.is_zeros())) + 2 * u32::from(reported)
}

#[unsafe(no_mangle)]
unsafe extern "C" fn verify(buffer: *mut ReportBuffer, other: *mut ReportBuffer) -> bool {
    let Some(mut tdx) = registers(buffer) else { return false };
    // SAFETY: never run.
    let report = unsafe { other.as_ref() }.and_then(|other| other.report().ok());
    report.is_some_and(|report| tdx.td_mut().verify_report(&MacBuffer::new(&report.mac)).is_ok())
}

#[unsafe(no_mangle)]
unsafe extern "C" fn quote(
    buffer: *mut ReportBuffer,
    out: *mut u8,
    size: usize,
    shared: NonNull<u8>,
    address: u64,
) -> usize {
    // SAFETY: never run.
    let (out, pages) =
        unsafe { (memory(out, size), SharedPages::new(shared, size, GuestPhysical(address))) };
    let Some(mut tdx) = registers(buffer) else { return 0 };
    let mut ticks = 0;
    let clock = || {
        ticks += 1;
        ticks
    };
    let quoter = tdx.quoter(IdleQuote::new(pages), clock, 1000);
    quoter.and_then(|mut quoter| quoter.report(&[2; 64], out).ok()).unwrap_or(0)
}

#[unsafe(no_mangle)]
unsafe extern "C" fn _start(
    buffer: *mut ReportBuffer,
    page: *mut u8,
    size: usize,
    lines: *const u8,
    count: usize,
    shared: NonNull<u8>,
) -> u64 {
    // SAFETY: never run.
    unsafe {
        u64::from(append(buffer, page, size, lines, count))
            + u64::from(replay_log(page, size, lines))
            + u64::from(reports(buffer, page, size))
            + u64::from(verify(buffer, buffer))
            + quote(buffer, page, size, shared, count as u64) as u64
    }
}
