// SPDX-License-Identifier: MIT OR Apache-2.0
//! A realm management monitor (RMM) in software, behind [`tsm_cca::Smc`].
//!
//! [`Monitor`] answers the calls of the Realm Services Interface as an RMM would: the same checks, the
//! same statuses, one attestation operation for each virtual processor (REC). It works on registers
//! and a [`GuestMemory`] ([`Monitor::execute`]), for a monitor at EL2 that traps SMC; and as a
//! [`Smc`](tsm_cca::Smc) on the buffers of a call. It never allocates. What known monitors do
//! otherwise than the specification says can be turned on one by one ([`Quirks`]).
//!
//! Whatever it makes is marked: its RIM and RPV are hashes of texts that begin with `SIMULATED`. With
//! the feature `cca-token`, `Platform` makes tokens whose claims say so too, signed with keys that
//! anybody can compute; and `CcaMachine` is monitor, adapter and registers in one, a provider.
//!
//! ```
//! use tsm_cca::{MeasurementIndex, Realm, RemIndex};
//! use tsm_core::Algorithm;
//! use tsm_sim::cca::Monitor;
//!
//! # fn main() -> Result<(), tsm_cca::Error> {
//! let hash = Algorithm::Sha256;
//! let mut realm = Realm::open(Monitor::new())?;
//! realm.extend(RemIndex::REM3, &hash.hash(b"event"))?;
//! assert!(!realm.measurement(RemIndex::REM3.into(), hash)?.is_zeros());
//! # Ok(())
//! # }
//! ```
//!
//! Source, unless something else is named: Arm DEN0137 1.0-rel0, chapters A7 and B5. The model was
//! written from descriptions of it and of TF-RMM; nothing here was compared with a running RMM.

mod attester;
mod calls;
#[cfg(feature = "cca-token")]
mod encoding;
#[cfg(feature = "cca-token")]
mod machine;
mod memory;
mod monitor;
#[cfg(feature = "cca-token")]
mod platform;
mod quirks;
mod realm;
mod rec;
mod smc;
#[cfg(feature = "cca-token")]
mod state;

pub use attester::{Attester, NoTokens};
#[cfg(feature = "cca-token")]
pub use machine::CcaMachine;
pub use memory::{Fault, GuestMemory};
pub use monitor::Monitor;
#[cfg(feature = "cca-token")]
pub use platform::Platform;
pub use quirks::{Quirks, Upper};
pub use realm::RealmState;
pub use rec::TOKEN_MAX;
