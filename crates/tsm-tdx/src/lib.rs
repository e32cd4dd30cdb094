// SPDX-License-Identifier: MIT OR Apache-2.0
//! Intel TDX

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
mod error;
#[cfg(target_arch = "x86_64")]
mod hardware;
pub mod layout;
pub mod leaf;
mod quoting;
mod rtmr;
pub mod status;
mod td;

pub use address::{AddressSpace, GuestPhysical, IdentityMapped, SharedBit, Translation};
pub use buffer::{ExtendBuffer, MacBuffer, ReportBuffer, ReportData};
pub use call::{Call, Registers, Tdcall};
pub use error::{Error, ErrorKind};
#[cfg(target_arch = "x86_64")]
pub use hardware::{Hardware, is_td};
pub use layout::{Quote, TdReport};
pub use quoting::HostStatus;
pub use rtmr::{RtmrIndex, RtmrSet};
pub use td::{Td, VpInfo};
