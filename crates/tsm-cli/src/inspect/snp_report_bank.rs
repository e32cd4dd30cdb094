// SPDX-License-Identifier: MIT OR Apache-2.0
//! A report of SEV-SNP with the manifest of a register bank behind it, as `tsm_snp::SnpProvider` with a
//! bank gives it.

use tsm_snp::Report;

use super::model::{Finding, Inspection};
use super::{snp, snp_bank, snp_report};
use crate::evidence::snp::Kind;

const KIND: &str = "snp-report-bank";
const TITLE: &str = "SEV-SNP attestation report with the manifest of a software register bank";

pub(super) fn is_one(bytes: &[u8]) -> bool {
    Kind::of(bytes) == Some(Kind::ReportAndManifest)
}

pub(super) fn inspect(bytes: &[u8]) -> Inspection {
    let (report, manifest) = bytes.split_at_checked(Report::SIZE).unwrap_or((bytes, &[]));
    let report = match Report::parse(report, snp_report::VERSIONS) {
        Ok(report) => report,
        Err(error) => return Inspection::malformed(KIND, TITLE, snp_report::malformed(error, 0)),
    };
    let title = format!("{TITLE}, {} bytes, not verified", bytes.len());
    let mut found = Inspection::new(KIND, title);
    found.is_simulated = snp_report::is_simulated(report);
    found.findings.push(Finding::general(
        "not-verified",
        "no signature was checked, nor a certificate, nor whether REPORT_DATA is SHA-512 of the nonce \
         and this manifest: anybody can write such a file",
    ));
    found.findings.extend(snp_report::findings(bytes, report));
    found.sections.extend(snp_report::sections(bytes, report));
    match snp_bank::sections(bytes, manifest, &mut found.findings) {
        Ok(sections) => found.sections.extend(sections),
        Err(error) => found.error = Some(snp::malformed(error, Report::SIZE)),
    }
    let see = "tsm replay --expect-from FILE --nonce HEX LOG (does a log explain its registers?)";
    found.see.push(see.into());
    found
}
