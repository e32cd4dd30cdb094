// SPDX-License-Identifier: MIT OR Apache-2.0
//! Measurement registers, record logs, replay and virtual registers for confidential computing.
//!
//! A confidential VM (Intel TDX, AMD SEV-SNP, Arm CCA) or a machine with a TPM has *measurement
//! registers*: values that can be extended, `value = H(value || digest)`, but never set, and that
//! signed evidence vouches for. This crate gives all of them one model, keeps a log beside them that
//! says what was extended, and replays such logs. It is the core of the system that the kernel RFC
//! "tsm: Unified Measurement Register ABI for TVMs" (September 2024) describes.
//!
//! It is `no_std`, never allocates, has no `unsafe` and does not panic on any input, so the same code
//! runs in boot loaders, UEFI and TD shims, enclaves, kernels and user space.
//!
//! # The parts
//!
//! ```text
//!  your code, the command `tsm`, a file server            a verifier
//!        |                    |                               |
//!     Cached                Tree                    virtual_registers::Fold
//!        |                    |                               |
//!  VirtualRegisters ----------+                               |
//!        |                                                    |
//!      Logged ---------- RecordLog -- lines of text -->    replay
//!        |                                                    |
//!        |                                        values from signed evidence
//!     Provider: TDCALL, SNP guest messages, RSI, TPM commands, the simulator
//! ```
//!
//! - [`Register`] describes a register: banks, powers, where it starts. [`kernel`] converts to and
//!   from the kernel's structures.
//! - [`index`] has the registers that firmware and platforms number, and the map between the numbers.
//! - [`Provider`] is the trait between registers and everything that uses them; adapters implement
//!   it. [`Cached`], [`Logged`] and [`VirtualRegisters`] wrap any provider and are providers again.
//! - [`log`] is the record log: records are lines, hashed in their entirety, and the layer that keeps
//!   them does not know what they mean. What is extended past the log is noted, and captured.
//! - [`replay`] says what a register's authenticated value vouches for in its log. It is the one way
//!   to get records as trusted.
//! - [`virtual_registers`] lets many applications share one register and proves them apart again.
//! - [`tree`] shows it all as files, in three layouts, without doing any I/O.
//!
//! # Example
//!
//! ```
//! use tsm_core::log::{Limits, RecordLog, SliceStorage};
//! use tsm_core::{Algorithm, Digest, Provider, replay};
//! # use tsm_sim::Simulated;
//!
//! // A provider; on a real machine one of the adapters.
//! let mut machine = Simulated::by_name("tdx").unwrap();
//! let rtmr3 = machine.find("rtmr3").unwrap();
//!
//! // A log in a page of the caller. Appending extends the register.
//! let mut page = [0; 4096];
//! let mut log = RecordLog::new(SliceStorage::new(&mut page), Limits::DEFAULT);
//! log.append(&mut machine, rtmr3, b"app.example start image=web:1\napp.example ready").unwrap();
//!
//! // A verifier, which has the log, and the register's value from signed evidence.
//! let value = machine.value(rtmr3, Algorithm::Sha384).unwrap();
//! let start = Digest::zeros(Algorithm::Sha384);
//! let log = log.storage().as_bytes();
//! let verified = replay::verify(log, &[start], &[value], Limits::DEFAULT, &mut ()).unwrap();
//! assert_eq!(verified.holds(), Some(true));
//! assert_eq!(verified.trusted().last().unwrap().bytes(), b"app.example ready");
//! ```
//!
//! # Features
//!
//! | feature | default | adds |
//! |---|---|---|
//! | `sha1`, `sha256`, `sha384`, `sha512` | on | the algorithm; without it, registers and logs that need it are refused |
//! | `heapless` | on | [`log::HeaplessStorage`], a log that owns its bytes |
//!
//! No feature changes what is trusted. None uses `std`.
//!
//! # Firmware
//!
//! Take `default-features = false` and the algorithm of your platform. `Digest`s and descriptions are
//! passed by value; the largest frames are those of the hash functions. Speed and sizes are in the
//! repository's `docs/performance.md`.

#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        clippy::as_conversions
    )
)]

#[cfg(not(any(feature = "sha1", feature = "sha256", feature = "sha384", feature = "sha512")))]
compile_error!("enable at least one of the algorithm features: sha1, sha256, sha384, sha512");

mod algorithm;
mod bytes;
pub mod cached;
mod digest;
pub mod hex;
pub mod index;
pub mod kernel;
pub mod log;
mod logged;
mod name;
mod one_shot;
pub mod provider;
pub mod record;
mod register;
pub mod replay;
#[cfg(test)]
mod testing;
pub mod tree;
pub mod virtual_registers;

pub use algorithm::{Algorithm, Hasher, UnknownAlgorithm};
pub use cached::Cached;
pub use digest::{Digest, ParseError, WrongAlgorithm};
pub use log::{Limits, RecordLog};
pub use logged::Logged;
pub use name::FullName;
pub use provider::{ErrorKind, Provider, RegisterId};
pub use register::{Banks, Initial, Powers, Presentation, Register, Value, is_name};
pub use virtual_registers::VirtualRegisters;
