// SPDX-License-Identifier: MIT OR Apache-2.0
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
//! tsm-core

#[cfg(not(any(feature = "sha1", feature = "sha256", feature = "sha384", feature = "sha512")))]
compile_error!("enable at least one of the algorithm features: sha1, sha256, sha384, sha512");

mod algorithm;
pub mod cached;
mod digest;
pub mod hex;
pub mod kernel;
pub mod log;
mod logged;
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
pub use provider::{ErrorKind, Provider, RegisterId};
pub use register::{Banks, Initial, Powers, Presentation, Register, Value, is_name};
pub use virtual_registers::VirtualRegisters;
