// SPDX-License-Identifier: MIT OR Apache-2.0
//! Intel TDX: the calls of a TD to its module, the layouts of TDX evidence, and the measurement
//! registers as a provider of [`tsm_core`].
//!
//! It is `no_std`, never allocates, and does not panic on any input. The layouts and everything
//! above the instruction are for any machine; the instruction is for x86-64.
//!
//! # The parts
//!
//! ```text
//!   TdxProvider: tsm_core::Provider, reports      quoting::Quoter: quotes      ccel::Ccel
//!        |                                             |                           |
//!        +----------------------- Td ------------------+---------------------------+
//!                                 |   leaves: decoded, checked, retried
//!                              Tdcall     one call: a Call in, Registers out
//!                            /        \
//!              Hardware<A>: TDCALL     a module in software, a recording
//!                    |
//!          A: AddressSpace: from virtual to guest-physical addresses
//!
//!   layout: TdReport, Quote: borrowed from bytes, checked
//! ```
//!
//! - [`Tdcall`] is the trait of platform calls. A [`Call`] is made by this crate only, with its
//!   buffers borrowed, so the trait is safe to call and to implement. No feature chooses between the
//!   instruction and something else; a type does.
//! - [`Td`] makes the calls: `TDG.VP.INFO`, `MR.REPORT`, `MR.RTMR.EXTEND`, `MR.VERIFYREPORT`, `VM.RD`,
//!   `SYS.RD`, and GetQuote ([`quoting`]).
//! - [`TdxProvider`] is the registers.
//! - [`layout`] reads TDREPORTs and quotes; [`status`] and [`leaf`] have the numbers.
//! - With the feature `ccel`, `ccel` finds the firmware's log and appends to it.
//!
//! # Example
//!
//! Firmware that is mapped to itself:
//!
//! ```
//! # #[cfg(target_arch = "x86_64")]
//! # fn main() {
//! use tsm_core::{Algorithm, Provider};
//! use tsm_tdx::{Error, ErrorKind, Hardware, IdentityMapped, RtmrSet, Td, TdxProvider};
//!
//! fn measure(what: &[u8]) -> Result<(), Error> {
//!     // SAFETY: this firmware maps all of its memory to itself, and has accepted it as private.
//!     let space = unsafe { IdentityMapped::new() };
//!     let td = Td::new(Hardware::detect(space)?)?;
//!     let mut tdx = TdxProvider::new(td, RtmrSet::ALL);
//!     let rtmr1 = tdx.find("rtmr1").ok_or(tsm_core::ErrorKind::NoSuchRegister)?;
//!     tdx.extend(rtmr1, &[Algorithm::Sha384.hash(what)])
//! }
//!
//! // This is no TD, or at least not its ring 0.
//! let kind = measure(b"the next stage").unwrap_err().kind();
//! assert!(matches!(kind, ErrorKind::NotATd | ErrorKind::NotPrivileged));
//! # }
//! # #[cfg(not(target_arch = "x86_64"))]
//! # fn main() {}
//! ```
//!
//! # What was not tried
//!
//! No TDX machine was at hand. The instruction was executed in a process, with a handler of its
//! exception in place of a module (`tests/instruction.rs`). The layouts were checked on real reports and quotes; what a module
//! does was read in its source (TDX module 1.5.01), and what says so in this documentation rests on
//! that reading.
//!
//! # Features
//!
//! | feature | default | adds |
//! |---|---|---|
//! | `ccel` | off | the firmware's log; brings `tsm-eventlog` |
//!
//! # Sources
//!
//! Intel TDX Module Base Architecture Specification (348549), Intel TDX Module 1.5 ABI Specification
//! (348551), Intel TDX Guest-Host-Communication Interface 1.5 (348552), Intel TDX DCAP Quoting Library
//! API; the source of the TDX module 1.5.01 (`intel/tdx-module`).

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
mod buffer;
mod bytes;
pub mod call;
#[cfg(feature = "ccel")]
pub mod ccel;
mod error;
#[cfg(target_arch = "x86_64")]
mod hardware;
pub mod layout;
pub mod leaf;
mod provider;
pub mod quoting;
mod shared;
pub mod status;
mod td;

pub use address::{AddressSpace, GuestPhysical, IdentityMapped, SharedBit, Translation};
pub use buffer::{ExtendBuffer, MacBuffer, ReportBuffer, ReportData};
pub use call::{Call, Registers, Tdcall};
pub use error::{Error, ErrorKind};
#[cfg(target_arch = "x86_64")]
pub use hardware::{Hardware, is_td};
pub use layout::{Quote, TdReport};
pub use provider::TdxProvider;
pub use shared::SharedPages;
pub use td::{Td, VpInfo};
pub use tsm_core::index::{RtmrIndex, RtmrSet};
