// SPDX-License-Identifier: MIT OR Apache-2.0
//! The first serial port, and the device that ends QEMU.

use core::arch::asm;

/// Writes bytes as they are.
pub(crate) fn write(bytes: &[u8]) {
    for &byte in bytes {
        // SAFETY: 0x3F8 is the data port of COM1 on a PC (16550 data sheet); a write to it sends a
        // byte and touches no memory. QEMU's takes every byte at once, so nothing is polled. Ring 3
        // has the ports too (`cpu::Exceptions`).
        unsafe {
            asm!("out dx, al", in("dx") 0x3F8_u16, in("al") byte, options(nomem, nostack, preserves_flags));
        }
    }
}

/// Ends QEMU with this status, which is odd.
pub(crate) fn exit(status: u8) -> ! {
    // QEMU's status is twice the value and one.
    let value = u32::from(status) >> 1;
    // SAFETY: port 0xF4 is QEMU's isa-debug-exit (it is started with `iobase=0xf4`), which ends the
    // process; no memory is touched.
    unsafe {
        asm!("out dx, eax", in("dx") 0xF4_u16, in("eax") value, options(nomem, nostack));
    }
    loop {
        core::hint::spin_loop();
    }
}
