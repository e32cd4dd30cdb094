// SPDX-License-Identifier: MIT OR Apache-2.0
//! A call on another stack.

use core::arch::asm;

/// Calls `job(context)` on the stack that ends at `top`.
///
/// # Safety
///
/// `top` is 16-aligned as the ABI wants it at a call (System V x86-64, 3.2.2), and below it is memory
/// that nobody else uses until this returns, enough for the job.
pub(crate) unsafe fn call_on<C>(
    top: *mut u8,
    job: extern "C" fn(&mut C) -> bool,
    context: &mut C,
) -> bool {
    let good: u64;
    // SAFETY: the stack is good by the caller's promise. RSP is kept in R12, which the callee
    // preserves, and restored. `job` takes one pointer in RDI, which is a valid exclusive reference for
    // the call, and returns a boolean in AL; what it may clobber is declared.
    unsafe {
        asm!(
            "mov r12, rsp",
            "mov rsp, r13",
            "call r14",
            "mov rsp, r12",
            out("r12") _,
            in("r13") top,
            in("r14") job,
            in("rdi") &raw mut *context,
            lateout("rax") good,
            clobber_abi("C"),
        );
    }
    good & 0xFF != 0
}
