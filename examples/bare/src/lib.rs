// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the bare-metal images have in common, on QEMU's machines `q35` (x86-64) and `virt` (AArch64).
//!
//! - [`Serial`] is the first serial port; [`exit`] ends QEMU with a status that says how the run went.
//! - [`MeasuredStack`] tells how much of it was used; [`run_all`] does [`Job`]s on one.
//! - [`Once`] is memory that is handed out once.
//! - On x86-64, `boot` leads from a PVH loader to the image's own code ([`entry`]), `cpu` has
//!   exceptions handled on a stack of their own, and can go on in ring 3. On AArch64 the image brings
//!   its own.
//!
//! A panic ends the run. There is an allocator, because the simulator's crate wants one, and it has no
//! memory: who asks for some ends the run too.
//!
//! One processor, interrupts off: that is what the proofs beside the unsafe operations rest on.

#![no_std]

#[cfg(target_arch = "aarch64")]
mod aarch64;
mod allocator;
mod exit;
mod job;
mod once;
mod panic;
mod serial;
mod stack;
#[cfg(target_arch = "x86_64")]
pub mod x86_64;

pub use exit::{Exit, exit};
pub use job::{Job, run_all};
pub use once::{Once, Page};
pub use serial::{Serial, print_log, print_value};
pub use stack::{MeasuredStack, StackMemory, Used};

#[cfg(target_arch = "aarch64")]
use aarch64 as machine;
#[cfg(target_arch = "x86_64")]
use x86_64 as machine;
