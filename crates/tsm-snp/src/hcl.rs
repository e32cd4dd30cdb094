// SPDX-License-Identifier: MIT OR Apache-2.0
//! The report that Azure's and OpenHCL's paravisor keeps in the vTPM (NV index 0x01400001): a hardware
//! report, and claims whose hash is its REPORT_DATA.
//!
//! ```text
//! 0x000 'HCLA' | version u32 | size u32 | request type u32 | status u32 | 12 reserved
//! 0x020 hardware report, 1184
//! 0x4C0 size u32 | version u32 | report type u32 | hash type u32 | claims size u32
//! 0x4D4 4 bytes of capabilities if that version is 2 or more; then the claims, JSON
//! ```
//!
//! Only what the hardware report covers is authenticated, and REPORT_DATA covers the claims alone: not
//! the header, and not the sizes and types before the claims. There is no nonce of a verifier's in it;
//! freshness comes from a quote of the vTPM with the claims' `HCLAkPub`.
//!
//! Source: microsoft/openvmm `openhcl/openhcl_attestation_protocol/src/igvm_attest/get.rs`; the
//! sizes also from real reports. That capabilities stand before the claims from version 2 on is read
//! from that source; no such report was seen.

use tsm_core::{Algorithm, Digest};

use crate::bytes::{is_zero, take, take_array};
use crate::error::{Error, ErrorKind};
use crate::report::{REPORT_SIZE, Report, Versions};

/// A paravisor's report. Not authenticated.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct HclReport<'h> {
    report: &'h Report,
    version: u32,
    hash_type: u32,
    claims: &'h [u8],
}

impl<'h> HclReport<'h> {
    /// Report type of SNP. (4 is TDX.)
    pub const SNP: u32 = 2;

    /// Reads a paravisor's report of an SNP guest. What stands behind the claims is not looked at:
    /// the NV index has a fixed size.
    ///
    /// # Errors
    ///
    /// With the offset: [`ErrorKind::Truncated`], [`ErrorKind::Signature`], [`ErrorKind::Value`] for
    /// a hardware report that is not SNP's, [`ErrorKind::Size`] for sizes that do not add up; what
    /// [`Report::parse`] says.
    pub fn parse(bytes: &'h [u8], versions: Versions) -> Result<Self, Error> {
        let mut rest = bytes;
        let truncated = Error::at(ErrorKind::Truncated, bytes.len());
        let header = take_array::<0x20>(&mut rest).ok_or(truncated)?;
        if !header.starts_with(b"HCLA") {
            return Err(Error::at(ErrorKind::Signature, 0));
        }
        let report = take(&mut rest, REPORT_SIZE).ok_or(truncated)?;
        let data = rest;
        let mut word = || take_array(&mut rest).map(|bytes| u32::from_le_bytes(*bytes));
        let (size, version) = (word().ok_or(truncated)?, word().ok_or(truncated)?);
        let (report_type, hash_type) = (word().ok_or(truncated)?, word().ok_or(truncated)?);
        let claims_size = word().ok_or(truncated)?;
        if report_type != Self::SNP {
            return Err(Error::at(ErrorKind::Value, 0x4C8));
        }
        let before: u32 = if version >= 2 { 24 } else { 20 };
        if before.checked_add(claims_size) != Some(size) {
            return Err(Error::at(ErrorKind::Size, 0x4C0));
        }
        let range = |n: u32| usize::try_from(n).unwrap_or(usize::MAX);
        let claims = data.get(range(before)..range(size)).ok_or(truncated)?;
        let report = Report::parse(report, versions)?;
        Ok(Self { report, version, hash_type, claims })
    }

    /// The hardware report.
    #[must_use]
    pub const fn report(&self) -> &'h Report {
        self.report
    }

    /// The version of what stands before the claims.
    #[must_use]
    pub const fn version(&self) -> u32 {
        self.version
    }

    /// The claims: JSON, with the keys of the vTPM.
    #[must_use]
    pub const fn claims(&self) -> &'h [u8] {
        self.claims
    }

    /// The hash that the header names: SHA-256, SHA-384 or SHA-512; `None` if it is another.
    #[must_use]
    pub const fn algorithm(&self) -> Option<Algorithm> {
        match self.hash_type {
            1 => Some(Algorithm::Sha256),
            2 => Some(Algorithm::Sha384),
            3 => Some(Algorithm::Sha512),
            _ => None,
        }
    }

    /// Checks that the hardware report is of these claims: REPORT_DATA is their hash, with zeros
    /// behind. Only with the hardware report's signature does it say anything.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Algorithm`], [`ErrorKind::Binding`].
    pub fn check_binding(&self) -> Result<(), Error> {
        let algorithm = self.algorithm().ok_or(Error::at(ErrorKind::Algorithm, 0x4CC))?;
        let hash: Digest = algorithm.hash(self.claims);
        let data = self.report.report_data();
        let bound = data
            .split_at_checked(algorithm.size())
            .is_some_and(|(front, behind)| front == hash.as_bytes() && is_zero(behind));
        if bound { Ok(()) } else { Err(Error::new(ErrorKind::Binding)) }
    }
}
