// SPDX-License-Identifier: MIT OR Apache-2.0
//! The attestation report: its layout in every version, what its bits mean, and what is odd in it.
//!
//! Nothing here checks a signature: a [`Report`] is what somebody says. Source: SEV-SNP firmware ABI
//! (56860), ATTESTATION_REPORT, as coconut-svsm, google/go-sev-guest, virtee/sev and project-oak/oak
//! read it.

mod bits;
mod chip;
mod findings;
mod generation;
mod layout;
mod tcb;

pub use bits::{GuestPolicy, KeyInfo, PlatformInfo, SigningKey};
pub use chip::{ChipId, HardwareId};
pub use findings::{Finding, Findings, TcbName};
pub use generation::{Generation, Processor};
pub use layout::{REPORT_SIZE, Report, Signature, Versions};
pub use tcb::{Component, Tcb, TcbVersion};
