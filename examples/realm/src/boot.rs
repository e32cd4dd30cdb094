// SPDX-License-Identifier: MIT OR Apache-2.0
//! From QEMU's entry at EL2 to `main` at EL1, and what happens when that executes SMC.
//!
//! Source: Arm ARM (DDI 0487), D1.10 (vectors), D19.2 (HCR_EL2, ESR_EL2, CPTR_EL2, SCTLR_EL1); that
//! QEMU's `virt` starts at EL2 with `virtualization=on` and honours HCR_EL2.TSC was measured.

use core::arch::global_asm;
use core::fmt::Write as _;

use bare::{Exit, Serial, exit};
use tsm_core::Algorithm;

use crate::emulated_monitor;

// QEMU's loader has cleared .bss. MMU and caches are off at both levels, stage 2 too, so that every
// address is physical. SPSR 0x3C5: EL1 with its own stack, interrupts masked. HCR: EL1 is AArch64
// (RW, bit 31), SMC is trapped (TSC, bit 19). CPTR: nothing is trapped.
global_asm!(
    ".section .text.boot, \"ax\"",
    ".globl realm_start",
    "realm_start:",
    "mrs x0, CurrentEL",
    "ldr x1, =monitor_stack",
    "mov sp, x1",
    "cmp x0, #8",
    "b.ne unexpected_entry",
    "ldr x0, =monitor_vectors",
    "msr VBAR_EL2, x0",
    "bl {install}",
    "ldr x0, =realm_vectors",
    "msr VBAR_EL1, x0",
    "ldr x0, =0x80080000",
    "msr HCR_EL2, x0",
    "mov x0, #0x33FF",
    "msr CPTR_EL2, x0",
    // MMU off; bits that are one in every version.
    "ldr x0, =0x30D00800",
    "msr SCTLR_EL1, x0",
    "mov x0, #0x3C5",
    "msr SPSR_EL2, x0",
    "ldr x0, =realm_stack",
    "msr SP_EL1, x0",
    "ldr x0, ={main}",
    "msr ELR_EL2, x0",
    "isb",
    "eret",
    ".balign 2048",
    "monitor_vectors:",
    // From EL2 itself.
    ".rept 8",
    ".balign 128",
    "b unexpected_entry",
    ".endr",
    // From EL1: synchronous, then interrupts and EL1 in AArch32.
    ".balign 128",
    "b trap_entry",
    ".rept 7",
    ".balign 128",
    "b unexpected_entry",
    ".endr",
    ".balign 2048",
    "realm_vectors:",
    ".rept 16",
    ".balign 128",
    "b unexpected_entry",
    ".endr",
    "unexpected_entry:",
    "bl {unexpected}",
    "b .",
    "trap_entry:",
    "sub sp, sp, #256",
    "stp x0, x1, [sp, #0]",
    "stp x2, x3, [sp, #16]",
    "stp x4, x5, [sp, #32]",
    "stp x6, x7, [sp, #48]",
    "stp x8, x9, [sp, #64]",
    "stp x10, x11, [sp, #80]",
    "stp x12, x13, [sp, #96]",
    "stp x14, x15, [sp, #112]",
    "stp x16, x17, [sp, #128]",
    "stp x18, x19, [sp, #144]",
    "stp x20, x21, [sp, #160]",
    "stp x22, x23, [sp, #176]",
    "stp x24, x25, [sp, #192]",
    "stp x26, x27, [sp, #208]",
    "stp x28, x29, [sp, #224]",
    "str x30, [sp, #240]",
    "mov x0, sp",
    "mrs x1, ESR_EL2",
    "bl {trapped}",
    // A trapped SMC returns to itself.
    "mrs x0, ELR_EL2",
    "add x0, x0, #4",
    "msr ELR_EL2, x0",
    "ldp x0, x1, [sp, #0]",
    "ldp x2, x3, [sp, #16]",
    "ldp x4, x5, [sp, #32]",
    "ldp x6, x7, [sp, #48]",
    "ldp x8, x9, [sp, #64]",
    "ldp x10, x11, [sp, #80]",
    "ldp x12, x13, [sp, #96]",
    "ldp x14, x15, [sp, #112]",
    "ldp x16, x17, [sp, #128]",
    "ldp x18, x19, [sp, #144]",
    "ldp x20, x21, [sp, #160]",
    "ldp x22, x23, [sp, #176]",
    "ldp x24, x25, [sp, #192]",
    "ldp x26, x27, [sp, #208]",
    "ldp x28, x29, [sp, #224]",
    "ldr x30, [sp, #240]",
    "add sp, sp, #256",
    "eret",
    install = sym install,
    main = sym crate::main,
    trapped = sym trapped,
    unexpected = sym unexpected,
);

/// X0 to X30 of whoever was trapped, as `trap_entry` stores them.
#[repr(C, align(16))]
pub(crate) struct Frame {
    pub(crate) x: [u64; 31],
}

extern "C" fn install() {
    emulated_monitor::start(Algorithm::Sha256);
}

/// At EL2: an SMC of EL1, or a bug.
extern "C" fn trapped(frame: &mut Frame, syndrome: u64) {
    // ESR_EL2: the class (0x17, SMC in AArch64) in bits 31:26, the immediate in bits 15:0.
    let smc = syndrome >> 26 & 0x3F == 0x17 && syndrome & 0xFFFF == 0;
    if !smc || emulated_monitor::answer(frame).is_none() {
        let _ = writeln!(Serial, "a trap that is no call: ESR_EL2 {syndrome:#x}");
        exit(Exit::Panic);
    }
}

/// At either level.
extern "C" fn unexpected() -> ! {
    let _ = writeln!(Serial, "unexpected exception, or not started at EL2");
    exit(Exit::Panic)
}
