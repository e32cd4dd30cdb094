// SPDX-License-Identifier: MIT OR Apache-2.0
//! The serial port of QEMU's machine `virt`, and the end of the run.

use core::arch::asm;
use core::{fmt, ptr};

/// A PL011, as QEMU resets it.
pub(crate) struct Serial;

impl fmt::Write for Serial {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        write(text.as_bytes());
        Ok(())
    }
}

/// Writes bytes as they are.
pub(crate) fn write(bytes: &[u8]) {
    /// Data register (DDI 0183, 3.3.1).
    const DATA: usize = 0x0900_0000;
    for &byte in bytes {
        let data = ptr::with_exposed_provenance_mut::<u32>(DATA);
        // SAFETY: the data register of QEMU's first PL011, which no Rust object overlaps. QEMU's
        // takes every byte at once, so nothing is polled.
        unsafe { data.write_volatile(byte.into()) };
    }
}

/// How the run ended.
#[derive(Clone, Copy)]
pub(crate) enum Exit {
    Good,
    Failed,
    Panic,
}

impl Exit {
    /// QEMU's status; the same as td-shim's.
    const fn code(self) -> u64 {
        match self {
            Self::Good => 33,
            Self::Failed => 35,
            Self::Panic => 127,
        }
    }
}

/// Ends QEMU.
pub(crate) fn exit(how: Exit) -> ! {
    /// SYS_EXIT, and ADP_Stopped_ApplicationExit (Arm semihosting 2.0, 7.3).
    const SYS_EXIT: u64 = 0x18;
    let block = [0x2_0026, how.code()];
    // SAFETY: the semihosting call of AArch64; QEMU is started with semihosting on, reads the two
    // words of `block` and ends the process.
    unsafe { asm!("hlt #0xF000", in("x0") SYS_EXIT, in("x1") block.as_ptr(), options(nostack)) };
    loop {
        core::hint::spin_loop();
    }
}
