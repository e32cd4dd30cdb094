// SPDX-License-Identifier: MIT OR Apache-2.0
//! **Emulated**: what the Intel TDX module would do on TDCALL, done by the image's own #UD handler
//! with the simulator's module. It has no isolation whatever: the image could overwrite its
//! "registers".
//!
//! Every fourth call that comes to the RTMRs' lock finds it taken, so that the caller's retry is
//! exercised.

use core::cell::UnsafeCell;
use core::ptr;

use bare::x86_64::cpu::{Frame, INVALID_OPCODE};
use tsm_sim::tdx::{Busy, Cpu, Fault, GuestMemory, Module};
use tsm_tdx::{GuestPhysical, Registers};

struct Shared(UnsafeCell<Option<Module>>);

// SAFETY: one processor, interrupts off. References are made in `install`, `step` and `calls` only;
// `step` runs in the #UD handler, which does not raise #UD, and the others execute no TDCALL.
unsafe impl Sync for Shared {}

static MODULE: Shared = Shared(UnsafeCell::new(None));

/// Puts the module there. Not inlined: it takes more of the stack than the rest of `main`.
#[inline(never)]
pub(crate) fn install() {
    let mut module = Module::new(Cpu::new("td-shim in QEMU"));
    module.set_busy(Busy::every(4));
    // SAFETY: see `Shared`: no other reference exists while this one does.
    let place = unsafe { &mut *MODULE.0.get() };
    *place = Some(module);
}

/// How many TDCALLs were emulated.
pub(crate) fn calls() -> u64 {
    // SAFETY: see `Shared`: no other reference exists while this one does.
    let module = unsafe { &*MODULE.0.get() };
    module.as_ref().map_or(0, Module::calls)
}

/// Does the instruction at RIP, if it is TDCALL, and steps over it.
pub(crate) fn step(frame: &mut Frame) -> Option<()> {
    const TDCALL: [u8; 4] = [0x66, 0x0F, 0x01, 0xCC];
    if frame.vector != INVALID_OPCODE {
        return None;
    }
    let code = ptr::with_exposed_provenance::<[u8; 4]>(usize::try_from(frame.rip).ok()?);
    // SAFETY: the processor has just tried to execute what is there, so it is readable; the 4 GiB
    // around it are mapped, so reading past a shorter instruction is harmless.
    if unsafe { code.read_unaligned() } != TDCALL {
        return None;
    }
    // SAFETY: see `Shared`: no other reference exists while this one does.
    let module = unsafe { &mut *MODULE.0.get() };
    let mut registers = Registers::default();
    for (register, value) in pairs(&mut registers, frame) {
        *register = *value;
    }
    // A page that is not there would be #VE or an exit to the host, and neither is here.
    module.as_mut()?.execute(&mut registers, &mut Mapped).ok()?;
    for (register, value) in pairs(&mut registers, frame) {
        *value = *register;
    }
    frame.rip += 4;
    Some(())
}

/// The registers and where they are in the frame.
fn pairs<'a>(to: &'a mut Registers, frame: &'a mut Frame) -> [(&'a mut u64, &'a mut u64); 11] {
    [
        (&mut to.rax, &mut frame.rax),
        (&mut to.rcx, &mut frame.rcx),
        (&mut to.rdx, &mut frame.rdx),
        (&mut to.r8, &mut frame.r8),
        (&mut to.r9, &mut frame.r9),
        (&mut to.r10, &mut frame.r10),
        (&mut to.r11, &mut frame.r11),
        (&mut to.r12, &mut frame.r12),
        (&mut to.r13, &mut frame.r13),
        (&mut to.r14, &mut frame.r14),
        (&mut to.r15, &mut frame.r15),
    ]
}

/// The first 4 GiB, which are mapped to themselves.
struct Mapped;

impl Mapped {
    fn place(address: GuestPhysical, size: usize) -> Result<*mut u8, Fault> {
        let fault = Fault { address };
        let start = usize::try_from(address.0).map_err(|_| fault)?;
        let end = start.checked_add(size).ok_or(fault)?;
        if end > 1 << 32 {
            return Err(fault);
        }
        Ok(ptr::with_exposed_provenance_mut(start))
    }
}

impl GuestMemory for Mapped {
    fn read(&self, address: GuestPhysical, out: &mut [u8]) -> Result<(), Fault> {
        let place = Self::place(address, out.len())?;
        // SAFETY: below 4 GiB everything is mapped; bytes have no invalid values; the caller is
        // stopped at its TDCALL, so nobody writes meanwhile. `out` is on this handler's stack.
        unsafe { ptr::copy_nonoverlapping(place, out.as_mut_ptr(), out.len()) };
        Ok(())
    }

    fn write(&mut self, address: GuestPhysical, bytes: &[u8]) -> Result<(), Fault> {
        let place = Self::place(address, bytes.len())?;
        // SAFETY: as in `read`; the caller has borrowed its buffer mutably for the call.
        unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), place, bytes.len()) };
        Ok(())
    }
}
