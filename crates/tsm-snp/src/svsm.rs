// SPDX-License-Identifier: MIT OR Apache-2.0
//! What an SVSM offers the levels below it: how it is called, the attestation protocol, and the
//! manifests that it binds into reports.
//!
//! An SVSM attests services of its own, for example a vTPM: REPORT_DATA of a report of VMPL0 is
//! SHA-512 of the caller's 64-byte nonce and the service's manifest ([`report_data`]). The register
//! bank of this crate ([`SoftwareBank`](crate::SoftwareBank)) is such a service.
//!
//! Source: Secure VM Service Module specification (58019), as coconut-svsm
//! `kernel/src/protocols/` and Linux `arch/x86/coco/sev/core.c` have it.

mod attest;
mod services;
mod vtpm;

pub use attest::{AttestReply, AttestRequest, Call, Protocol, ResultCode};
pub use services::{Service, ServicesManifest};
pub use vtpm::{EndorsementKey, EndorsementKeyKind, VTPM_SERVICE};

use sha2::{Digest as _, Sha512};

/// Bytes of a nonce. Fixed, so that nonce and manifest cannot be confused.
pub const NONCE_SIZE: usize = 64;

/// REPORT_DATA of a report that attests a manifest: SHA-512 of both, one behind the other.
///
/// Not by the core's hasher: firmware that has no register of SHA-512 has no code for one either.
#[must_use]
#[inline(never)] // Its state need not lie on the stack while a report is made.
pub fn report_data(nonce: &[u8; NONCE_SIZE], manifest: &[u8]) -> [u8; 64] {
    Sha512::new().chain_update(nonce).chain_update(manifest).finalize().into()
}
