// SPDX-License-Identifier: MIT OR Apache-2.0
//! The first serial port, and the end of the run. QEMU's devices only.

use core::arch::asm;
use core::fmt;

/// COM1, as QEMU resets it.
pub(crate) struct Serial;

impl fmt::Write for Serial {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        write(text.as_bytes());
        Ok(())
    }
}

/// Writes bytes as they are.
pub(crate) fn write(bytes: &[u8]) {
    for &byte in bytes {
        // SAFETY: 0x3F8 is the data port of COM1 on a PC (16550 data sheet); a write to it sends a
        // byte and touches no memory. QEMU's takes every byte at once, so nothing is polled.
        unsafe {
            asm!("out dx, al", in("dx") 0x3F8_u16, in("al") byte, options(nomem, nostack, preserves_flags));
        }
    }
}

/// How the run ended; worse ones are greater.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Exit {
    Good,
    OverBudget,
    Overflow,
    Failed,
    Panic,
}

impl Exit {
    /// The value that isa-debug-exit takes; QEMU's status is twice that and one.
    const fn code(self) -> u32 {
        match self {
            Self::Good => 0x10,
            Self::Failed => 0x11,
            Self::OverBudget => 0x12,
            Self::Overflow => 0x13,
            Self::Panic => 0x3F,
        }
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Good => "good",
            Self::OverBudget => "over-budget",
            Self::Overflow => "overflow",
            Self::Failed => "failed",
            Self::Panic => "panic",
        })
    }
}

/// Ends QEMU.
pub(crate) fn exit(how: Exit) -> ! {
    // SAFETY: port 0xF4 is QEMU's isa-debug-exit (it is started with `iobase=0xf4`), which ends the
    // process; no memory is touched.
    unsafe {
        asm!("out dx, eax", in("dx") 0xF4_u16, in("eax") how.code(), options(nomem, nostack));
    }
    loop {
        // SAFETY: `hlt` in ring 0 waits; interrupts are off and never come on.
        unsafe { asm!("hlt", options(nomem, nostack)) };
    }
}
