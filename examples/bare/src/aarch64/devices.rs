// SPDX-License-Identifier: MIT OR Apache-2.0
//! The serial port, a PL011, and the call that ends QEMU.

use core::arch::asm;
use core::ptr;

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

/// Ends QEMU with this status.
pub(crate) fn exit(status: u8) -> ! {
    /// SYS_EXIT, and ADP_Stopped_ApplicationExit (Arm semihosting 2.0, 7.3).
    const SYS_EXIT: u64 = 0x18;
    let block = [0x2_0026, u64::from(status)];
    // SAFETY: the semihosting call of AArch64; QEMU is started with semihosting on, reads the two
    // words of `block` and ends the process.
    unsafe { asm!("hlt #0xF000", in("x0") SYS_EXIT, in("x1") block.as_ptr(), options(nostack)) };
    loop {
        core::hint::spin_loop();
    }
}
