// SPDX-License-Identifier: MIT OR Apache-2.0
//! The GHCB: the page through which a guest speaks to its host, and guest messages over it.
//!
//! - [`SharedMemory`] is memory that the host can write at any time; [`Mapped`] is that memory where
//!   it is mapped. It is read by copying, once, and never referenced.
//! - [`layout`] says where the fields of a GHCB are.
//! - [`Vmgexit`] leaves to the host; the instruction is [`Instruction`], on x86-64.
//! - [`GhcbChannel`] puts them together to a [`GuestChannel`](crate::GuestChannel).
//!
//! Pages come from the caller, who has turned them shared (page state change) and mapped them
//! without the C-bit. The GHCB's address must be registered with the host before the first exit, as SNP
//! wants it ([`Instruction::register`]).
//!
//! Source: SEV-ES GHCB standardization (56421), as coconut-svsm `kernel/src/sev/ghcb.rs` and Linux
//! `arch/x86/include/asm/svm.h`, `arch/x86/coco/sev/core.c` have it.

mod channel;
#[cfg(target_arch = "x86_64")]
mod hardware;
pub mod layout;
mod memory;

pub use channel::{GhcbChannel, Vmgexit};
#[cfg(target_arch = "x86_64")]
pub use hardware::{Instruction, is_snp_guest};
pub use memory::{Mapped, SharedMemory};
