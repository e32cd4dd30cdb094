// SPDX-License-Identifier: MIT OR Apache-2.0
//! Arm CCA: measurements and attestation tokens of a realm.
//!
//! Layers, each usable alone:
//!
//! - [`Smc`]: the SMC instruction, or what stands in for it. A [`Call`] is made by this crate only
//!   and borrows its buffer, so the trait is safe and a monitor in software needs no `unsafe`.
//! - [`Realm`]: the calls of the Realm Services Interface (RSI), decoded and repeated.
//! - [`CcaProvider`]: the registers as a provider of `tsm-core`, with a token as its report.
//! - [`token`]: the layout of attestation tokens, borrowed and strict. No signature is verified.
//!
//! ```
//! use tsm_cca::{Challenge, Error, Granule, MeasurementIndex, Realm, Smc};
//!
//! // `granule` is memory that lives outside of the stack.
//! fn evidence(smc: impl Smc, granule: &mut Granule, out: &mut [u8]) -> Result<usize, Error> {
//!     let mut realm = Realm::open(smc)?;
//!     let hash = realm.config(granule)?.hash;
//!     let rim = hash.algorithm().map(|hash| realm.measurement(MeasurementIndex::RIM, hash));
//!     realm.token(&Challenge::new([7; 64]), granule, out)
//! }
//! ```
//!
//! # How an image knows where it is
//!
//! An SMC that nobody takes is an undefined instruction. So none is tried before the machine's
//! tables say that firmware is called by SMC ([`Conduit`]); then `Hardware::detect` asks for the
//! RSI's revision. `Hardware` exists on AArch64 only, everything else on any machine.
//!
//! # Extension
//!
//! The specification and all known monitors disagree about how a REM is extended ([`RemRule`]).
//! [`Realm::extend_checked`] finds out. What is extended is always a digest of the realm's hash, so
//! that logs map one to one.
//!
//! # No panic, no allocation
//!
//! Nothing here panics on any answer of a monitor or on any token; nothing allocates. Buffers are the
//! caller's; a granule (4096 bytes) does not belong on a firmware's stack.

#![cfg_attr(not(test), no_std)]
#![deny(unsafe_code)]
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

mod address;
mod attestation;
mod buffer;
mod bytes;
pub mod call;
mod conduit;
mod config;
mod error;
mod function;
#[cfg(target_arch = "aarch64")]
mod hardware;
mod measurement;
mod provider;
mod realm;
mod rule;
mod status;
#[cfg(test)]
mod testing;
pub mod token;

pub use address::{AddressSpace, GuestPhysical, IdentityMapped, SharedBit, Translation};
pub use attestation::Attestation;
pub use buffer::{Challenge, Granule, HostCall};
pub use call::{Call, Registers, Smc};
pub use conduit::Conduit;
pub use config::{HashId, RealmConfig};
pub use error::{Error, ErrorKind};
pub use function::{Function, Version, Versions};
#[cfg(target_arch = "aarch64")]
pub use hardware::Hardware;
pub use measurement::MeasurementIndex;
pub use provider::{CcaProvider, RulePolicy};
pub use realm::Realm;
pub use rule::RemRule;
pub use status::Status;
pub use tsm_core::index::{RemIndex, RemSet};
