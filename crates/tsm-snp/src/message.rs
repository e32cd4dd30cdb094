// SPDX-License-Identifier: MIT OR Apache-2.0
//! Guest messages as bytes: header, payloads, and the cipher that protects them.
//!
//! Source: SEV-SNP firmware ABI (56860), guest messages, as coconut-svsm `kernel/src/greq/`, Linux
//! `arch/x86/include/asm/sev.h` and project-oak/oak `oak_sev_guest/src/guest.rs` have them.

pub(crate) mod cipher;
mod header;
mod payload;

pub use header::{Header, MessageType};
pub use payload::{
    DerivedKey, GuestFields, KeyRequest, KeySelection, ReportRequest, RootKey, TscInfo,
};
pub(crate) use payload::{MAX_REQUEST, MAX_RESPONSE, Payload, TscInfoRequest, report_of};
