// SPDX-License-Identifier: MIT OR Apache-2.0
//! A realm's payload without firmware, operating system or allocator: at EL1 it measures into REMs by
//! SMC, keeps the logs in fixed pages, and fetches a token, on a stack that tells how much of it was
//! used. First in a realm of SHA-256, then in one of SHA-512.
//!
//! **The realm management monitor is emulated.** QEMU has none here, so code of this image at EL2
//! ([`emulated_monitor`]) traps SMC and answers. The adapter (tsm-cca), the instruction, its operands
//! and its status codes are real; isolation is not there.
//!
//! Exits QEMU by semihosting: status 33 all good, 35 a check failed, 37 more stack than the budget, 39
//! the stack's guard was overwritten, 127 panic or unexpected exception.

#![no_std]
#![no_main]

mod boot;
mod emulated_monitor;
mod jobs;
mod realm;

use core::fmt::Write as _;

use bare::{Exit, MeasuredStack, Once, Serial, StackMemory, exit};
use tsm_core::Algorithm;

use crate::realm::{Memory, STACK_WORDS};

static STACK: Once<StackMemory<STACK_WORDS>> = Once::new(StackMemory::NEW);

/// The image's work, called by [`boot`] at EL1.
extern "C" fn main() -> ! {
    let _ = writeln!(Serial, "realm: EMULATED RMM, no isolation");
    let (Some(stack), Some(mut memory)) = (STACK.take(), Memory::take()) else {
        let _ = writeln!(Serial, "RESULT failed: memory is taken");
        exit(Exit::Failed)
    };
    let mut stack = MeasuredStack::new(stack);
    let mut worst = Exit::Good;
    for hash in [Algorithm::Sha256, Algorithm::Sha512] {
        emulated_monitor::start(hash);
        worst = worst.max(realm::run(hash, &mut memory, &mut stack));
    }
    let _ = writeln!(Serial, "RESULT {worst}");
    exit(worst)
}
