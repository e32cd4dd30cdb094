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

use crate::error::{Error, ErrorKind};
use crate::privilege::Vmpl;
use crate::report::Report;

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

/// Checks that a report is of this manifest and this nonce: made for VMPL0, with REPORT_DATA =
/// SHA-512(nonce || manifest). For a manifest of any service, or of all services.
///
/// It says something only if the report's signature is good, if its measurement is of code that
/// keeps such a service and never asks for a report with REPORT_DATA of another's choice, and if its
/// policy allows neither debugging nor migration. This function looks at none of that, nor at the
/// manifest's format.
///
/// # Errors
///
/// [`ErrorKind::Vmpl`], [`ErrorKind::Binding`].
pub fn check_binding(
    report: &Report,
    nonce: &[u8; NONCE_SIZE],
    manifest: &[u8],
) -> Result<(), Error> {
    if report.guest_vmpl() != Some(Vmpl::VMPL0) {
        return Err(Error::new(ErrorKind::Vmpl(report.vmpl())));
    }
    if *report.report_data() != report_data(nonce, manifest) {
        return Err(Error::new(ErrorKind::Binding));
    }
    Ok(())
}
