// SPDX-License-Identifier: MIT OR Apache-2.0
//! A realm's payload without firmware, operating system or allocator: at EL1 it measures into REMs by
//! SMC, keeps the logs in fixed pages, and fetches a token.
//!
//! **The realm management monitor is emulated.** QEMU has none here, so code of this image at EL2
//! ([`emulated_monitor`]) traps SMC and answers. The adapter (tsm-cca), the instruction, its operands
//! and its status codes are real; isolation is not there.
//!
//! Exits QEMU by semihosting: status 33 all good, 35 a check failed, 127 panic or unexpected
//! exception.

#![no_std]
#![no_main]

mod boot;
mod emulated_monitor;
mod realm;
mod serial;

use core::fmt::Write as _;

use crate::serial::{Exit, Serial, exit};

/// The image's work, called by [`boot`] at EL1.
extern "C" fn main() -> ! {
    let _ = writeln!(Serial, "realm: EMULATED RMM, no isolation");
    match realm::run() {
        Ok(()) => {
            let _ = writeln!(Serial, "RESULT good");
            exit(Exit::Good)
        }
        Err(step) => {
            let _ = writeln!(Serial, "RESULT failed: {step}");
            exit(Exit::Failed)
        }
    }
}

/// Nothing here should panic; if something does, the run must not look good.
#[panic_handler]
fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
    let _ = writeln!(Serial, "PANIC {info}");
    exit(Exit::Panic)
}
