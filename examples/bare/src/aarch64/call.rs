// SPDX-License-Identifier: MIT OR Apache-2.0
//! A call on another stack.

use core::arch::asm;

/// Calls `job(context)` on the stack that ends at `top`.
///
/// # Safety
///
/// `top` is 16-aligned as the ABI wants it (AAPCS64, 6.4.5), and below it is memory that nobody else
/// uses until this returns, enough for the job.
pub(crate) unsafe fn call_on<C>(
    top: *mut u8,
    job: extern "C" fn(&mut C) -> bool,
    context: &mut C,
) -> bool {
    let good: u64;
    // SAFETY: the stack is good by the caller's promise. SP is kept in X20, which the callee
    // preserves, and restored. `job` takes one pointer in X0, which is a valid exclusive reference for
    // the call, and returns a boolean in the lowest byte of X0; what it may clobber is declared, the
    // link register among it.
    unsafe {
        asm!(
            "mov x20, sp",
            "mov sp, x21",
            "blr x22",
            "mov sp, x20",
            out("x20") _,
            in("x21") top,
            in("x22") job,
            inlateout("x0") &raw mut *context => good,
            clobber_abi("C"),
        );
    }
    good & 0xFF != 0
}
