// SPDX-License-Identifier: MIT OR Apache-2.0
//! AMD SEV-SNP: guest messages.

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
mod bytes;
mod certificates;
mod channel;
mod error;
mod guest;
mod guid;
pub mod message;
mod privilege;
pub mod report;
mod secrets;
mod status;

pub use address::{GuestPhysical, PAGE};
pub use certificates::{Certificate, CertificateKind, CertificateTable, Encoding};
pub use channel::{Event, Exchange, Exit, GuestChannel, Outcome};
pub use error::{Cause, Error, ErrorKind};
pub use guest::{Certificates, GuestMessages};
pub use guid::Guid;
pub use message::{DerivedKey, KeyRequest, ReportRequest, TscInfo};
pub use privilege::{VmpckIndex, Vmpl};
pub use report::{REPORT_SIZE, Report};
pub use secrets::{SecretsPage, Svsm, Vmpck};
pub use status::{FirmwareStatus, HostStatus, MessageStatus};
