// SPDX-License-Identifier: MIT OR Apache-2.0
//! AMD SEV-SNP: the conversation with the firmware, the layouts of its evidence, and a register bank
//! for a platform that has no runtime registers.
//!
//! `no_std`, without allocation. The instruction, the MSR and access to memory that the host can
//! write are the only `unsafe` code, all of it below [`ghcb`]; no input makes it panic.
//!
//! # The parts
//!
//! ```text
//!   SnpProvider ---------- SoftwareBank --- Manifest      registers, and their proof
//!       |
//!   GuestMessages -------- Vmpck, SecretsPage             seals, counts, opens
//!       |
//!   GuestChannel                                          one sealed message there and back
//!       |
//!   ghcb::GhcbChannel ---- ghcb::SharedMemory, Vmgexit    pages of the caller, the instruction
//! ```
//!
//! - [`GuestMessages`] is the one way to the firmware. A key never seals two messages under one
//!   number: what ends otherwise than with a verified answer is sent again byte for byte, or erases
//!   the key.
//! - [`GuestChannel`] is the trait below it. Whatever implements it can do no more than a hostile
//!   host.
//! - [`report`] reads reports of the versions 2, 3 and 5, and says what is odd in them;
//!   [`CertificateTable`] the certificates that a host gives with one.
//! - [`bank`] is the register bank and its manifest. The format, and why it can be believed, are in
//!   the repository's `docs/platforms/snp.md`.
//! - [`svsm`] reads what an SVSM attests, `hcl` what Azure's and OpenHCL's paravisor does.
//!
//! # Features
//!
//! | feature | default | adds |
//! |---|---|---|
//! | `hcl` | on | `hcl`, and SHA-256 and SHA-512 for it |
//!
//! Nothing here checks signatures or certificates. Reports, tables and manifests are what somebody
//! says, until a verifier has.
//!
//! # Example
//!
//! A bank as an SVSM keeps it, and what a verifier reads of it.
//!
//! ```
//! use tsm_core::{Algorithm, Provider};
//! use tsm_snp::bank::RTMRS;
//! use tsm_snp::{Isolation, Manifest, SoftwareBank};
//!
//! let mut bank = SoftwareBank::<4>::new(RTMRS, Isolation::Privileged)?;
//! let rtmr3 = bank.find("rtmr3").unwrap();
//! bank.extend(rtmr3, &[Algorithm::Sha384.hash(b"app.example start")])?;
//!
//! let mut page = [0; 512];
//! let bytes = bank.write_manifest(&mut page)?;
//! let manifest = Manifest::parse(bytes)?;
//! let value = manifest.value("rtmr3", Algorithm::Sha384).unwrap();
//! assert_eq!(value.digest, bank.value(rtmr3, Algorithm::Sha384)?);
//! // With a report at hand: manifest.check_binding(report, &nonce)?
//! # Ok::<(), tsm_snp::Error>(())
//! ```

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
pub mod bank;
mod bytes;
mod certificates;
mod channel;
mod error;
pub mod ghcb;
mod guest;
mod guid;
#[cfg(feature = "hcl")]
pub mod hcl;
pub mod message;
mod privilege;
mod provider;
pub mod report;
mod secrets;
mod status;
pub mod svsm;

pub use address::{GuestPhysical, PAGE};
pub use bank::{Isolation, Manifest, SoftwareBank};
pub use certificates::{Certificate, CertificateKind, CertificateTable, Encoding};
pub use channel::{Event, Exchange, Exit, GuestChannel, Outcome};
pub use error::{Cause, Error, ErrorKind};
pub use guest::{Certificates, GuestMessages, MessageMemory};
pub use guid::Guid;
pub use message::{DerivedKey, KeyRequest, ReportRequest, TscInfo};
pub use privilege::{VmpckIndex, Vmpl};
pub use provider::{ReportSource, SnpProvider};
pub use report::{REPORT_SIZE, Report};
pub use secrets::{SecretsPage, Svsm, Vmpck};
pub use status::{FirmwareStatus, HostStatus, MessageStatus};
