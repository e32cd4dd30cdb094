// SPDX-License-Identifier: MIT OR Apache-2.0
//! The image `smallest` on a realm's own registers: with all that the adapter does. What it is larger
//! by is the adapter. For AArch64 only.

#![no_std]
#![no_main]

use tsm_cca::{
    CcaProvider, Conduit, Granule, Hardware, HostCall, IdentityMapped, Realm, RemIndex, RemSet,
};
use tsm_core::log::{Limits, RecordLog, SliceStorage};
use tsm_core::provider::Reporter as _;
use tsm_core::{Provider, replay};
use tsm_images::{bytes, digest, memory};

type Registers<'g> = CcaProvider<'g, Hardware<IdentityMapped>>;

fn registers<'g>(granule: *mut Granule, arm_boot_arch: u16) -> Option<Registers<'g>> {
    // SAFETY: never run.
    let (space, granule) = unsafe { (IdentityMapped::new(), granule.as_mut()) };
    let hardware = Hardware::detect(space, Conduit::of_fadt(arm_boot_arch)).ok()?;
    let realm = Realm::open(hardware).ok()?;
    CcaProvider::open(realm, granule?, RemSet::APPLICATION).ok()
}

#[unsafe(no_mangle)]
unsafe extern "C" fn append(
    granule: *mut Granule,
    page: *mut u8,
    size: usize,
    lines: *const u8,
    count: usize,
) -> u32 {
    // SAFETY: never run.
    let (page, lines) = unsafe { (memory(page, size), bytes(lines, count)) };
    let Some(mut cca) = registers(granule, 1) else { return 0 };
    let rem = Registers::rem(RemIndex::REM3);
    let mut log = RecordLog::new(SliceStorage::new(page), Limits::DEFAULT);
    let appended = log.append(&mut cca, rem, lines).is_ok();
    let extended = log.extend_off_log(&mut cca, rem, &[digest(lines)]).is_ok();
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
unsafe extern "C" fn evidence(
    granule: *mut Granule,
    out: *mut u8,
    size: usize,
    arm_boot_arch: u16,
    host_call: *mut HostCall,
) -> u64 {
    // SAFETY: never run.
    let (out, host_call) = unsafe { (memory(out, size), host_call.as_mut()) };
    let Some(mut cca) = registers(granule, arm_boot_arch) else { return 0 };
    let hash = cca.hash();
    let rim = cca.find("rim").and_then(|id| cca.value(id, hash).ok());
    let token = cca.report(&[1; 32], out).ok();
    let called = host_call.is_some_and(|call| cca.realm_mut().host_call(call).is_ok());
    let features = cca.realm_mut().features(0).unwrap_or(0);
    u64::from(rim.is_some_and(|rim| rim.is_zeros()))
        + 2 * u64::from(called)
        + 4 * u64::from(cca.rule().is_some())
        + features
        + token.map_or(0, |size| size as u64) * 8
}

#[unsafe(no_mangle)]
unsafe extern "C" fn _start(
    granule: *mut Granule,
    page: *mut u8,
    size: usize,
    lines: *const u8,
    count: usize,
    host_call: *mut HostCall,
) -> u64 {
    // SAFETY: never run.
    unsafe {
        u64::from(append(granule, page, size, lines, count))
            + u64::from(replay_log(page, size, lines))
            + evidence(granule, page, size, count as u16, host_call)
    }
}
