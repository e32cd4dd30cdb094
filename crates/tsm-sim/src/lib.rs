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
//! Simulated measurement registers.
//!
//! **Nothing here measures anything.** The values live in ordinary memory and in state files that
//! anybody can edit. Whatever the simulator produces says so: a provider's name begins with `sim:`,
//! a report and a state file begin with the word `SIMULATED`.
//!
//! - [`Simulated`] is a [`Provider`](tsm_core::Provider) made from a [`Platform`], a table of
//!   registers and of rules for the values that derive from others. The platforms are in
//!   [`platform`]: one like the kernel RFC's example module, and the register files of TDX, CCA, a
//!   TPM and Nitro's NSM. [`Simulated::by_name`] finds them.
//! - [`Simulated::save`] and [`Simulated::load`] let a machine survive the process.
//! - [`Faulty`] makes any provider fail at chosen calls in chosen ways, [`Trace`] remembers what
//!   really was extended.
//! - [`contract`] checks any provider against the contract of
//!   [`tsm_core::provider`]; adapters call it in their tests.
//! - With the feature `tdx`, `tdx` is a TDX module in software, below the adapter for TDX; with
//!   `tdx-quote` also its quotes and all that vouches for them.
//! - With the feature `snp`, `snp` is the firmware and the host of an SNP guest, below the adapter for
//!   SNP; with `snp-report` also the certificates that vouch for its reports.
//! - With the feature `cca`, `cca` is a realm management monitor in software, below the adapter for
//!   Arm CCA; with `cca-token` also its tokens, and a machine.
//!
//! ```
//! use tsm_core::{Algorithm, Provider};
//! use tsm_sim::Simulated;
//!
//! let mut machine = Simulated::by_name("tdx").unwrap();
//! assert_eq!(machine.name(), "sim:tdx");
//! let rtmr3 = machine.find("rtmr3").unwrap();
//! machine.extend(rtmr3, &[Algorithm::Sha384.hash(b"event")]).unwrap();
//! let again = Simulated::load(&machine.save()).unwrap();
//! assert_eq!(again, machine);
//! ```

extern crate alloc;

#[cfg(feature = "cca")]
pub mod cca;
#[cfg(feature = "platforms")]
pub mod contract;
#[cfg(any(feature = "tdx", feature = "cca-token"))]
mod described;
#[cfg(feature = "platforms")]
mod faulty;
#[cfg(any(feature = "platforms", feature = "snp", feature = "tdx", feature = "cca-token"))]
mod lines;
#[cfg(feature = "platforms")]
pub mod platform;
#[cfg(feature = "platforms")]
mod simulated;
#[cfg(feature = "snp")]
pub mod snp;
#[cfg(feature = "platforms")]
mod state;
#[cfg(feature = "platforms")]
mod table;
#[cfg(feature = "tdx")]
pub mod tdx;
#[cfg(feature = "platforms")]
mod trace;

#[cfg(feature = "platforms")]
pub use faulty::{Call, Fault, Faulty, Injected};
#[cfg(any(feature = "platforms", feature = "snp", feature = "tdx", feature = "cca-token"))]
pub use lines::{LoadError, LoadErrorKind};
#[cfg(feature = "platforms")]
pub use simulated::Simulated;
#[cfg(feature = "platforms")]
pub use table::{Platform, Row, Source, TableError};
#[cfg(feature = "platforms")]
pub use trace::Trace;
