// SPDX-License-Identifier: MIT OR Apache-2.0
//! **Emulated**: what a realm management monitor would do on SMC, done by the image's own code at EL2
//! with the simulator's monitor. It has no isolation whatever: stage 2 is off, so that EL1 could
//! overwrite its "registers".
//!
//! Tokens come in pieces of 500 bytes, after three calls that give nothing; and registers beyond a
//! measurement come back as TF-RMM's main branch leaves them.

use core::cell::UnsafeCell;
use core::ptr;

use tsm_cca::{GuestPhysical, Registers};
use tsm_core::Algorithm;
use tsm_sim::cca::{Fault, GuestMemory, Monitor, Platform, Quirks, RealmState, Upper};

use crate::boot::Frame;

struct Shared(UnsafeCell<Option<Monitor<Platform>>>);

// SAFETY: one processor, interrupts off. References are made in `start` and `answer` only, which do not
// trap.
unsafe impl Sync for Shared {}

static MONITOR: Shared = Shared(UnsafeCell::new(None));

/// Starts a realm of this hash; the one before is gone. Called at EL2 first, then by the realm itself:
/// nothing keeps it from the monitor's memory. Not inlined: a monitor takes more of the stack than the
/// rest of `main`.
#[inline(never)]
pub(crate) fn start(hash: Algorithm) {
    let Some(realm) = RealmState::new(hash) else { return };
    let quirks = Quirks { idle: 3, chunk: 500, upper: Upper::Callers, ..Quirks::NONE };
    let platform = Platform::new("realm in QEMU");
    // SAFETY: see `Shared`: no other reference exists while this one does.
    let place = unsafe { &mut *MONITOR.0.get() };
    *place = Some(Monitor::with_realm(realm).with_quirks(quirks).with_attester(platform));
}

/// Answers a call. `None` if an operand is not in RAM, which would be an exit to the host, and there
/// is none.
pub(crate) fn answer(frame: &mut Frame) -> Option<()> {
    // SAFETY: see `Shared`: no other reference exists while this one does.
    let monitor = unsafe { &mut *MONITOR.0.get() };
    let mut registers = Registers::default();
    for (register, value) in registers.x.iter_mut().zip(frame.x) {
        *register = value;
    }
    monitor.as_mut()?.execute(&mut registers, &mut Ram).ok()?;
    for (value, register) in frame.x.iter_mut().zip(registers.x) {
        *value = register;
    }
    Some(())
}

/// The 128 MiB of RAM, at their physical addresses.
struct Ram;

impl GuestMemory for Ram {
    fn write(&mut self, address: GuestPhysical, bytes: &[u8]) -> Result<(), Fault> {
        const START: usize = 0x4000_0000;
        const END: usize = START + (128 << 20);
        let fault = Fault { address };
        let start = usize::try_from(address.0).map_err(|_| fault)?;
        let end = start.checked_add(bytes.len()).ok_or(fault)?;
        if start < START || end > END {
            return Err(fault);
        }
        let place = ptr::with_exposed_provenance_mut(start);
        // SAFETY: all of RAM is there, the MMU is off; bytes have no invalid values. The caller is
        // stopped at its SMC and has borrowed its buffer mutably for the call. `bytes` is the
        // monitor's.
        unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), place, bytes.len()) };
        Ok(())
    }
}
