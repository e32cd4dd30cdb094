// SPDX-License-Identifier: MIT OR Apache-2.0
//! A decrypted MSG_REPORT_RSP: what the kernel gives who asks for a report.
//!
//! Only one with a report in it can be told from other bytes: a refusal is a status and zeros.

use tsm_snp::Report;

use super::model::{Fields, Finding, Inspection, is_zero, number};
use super::snp::part;
use super::snp_report;

const KIND: &str = "snp-report-response";
const TITLE: &str = "response to a request for an SEV-SNP report (MSG_REPORT_RSP)";

/// Where the report begins.
const REPORT: usize = 0x20;

/// Whether it looks like one: status 0, the size of a report, zeros, and the beginning of a report.
pub(super) fn is_one(bytes: &[u8]) -> bool {
    let size = u64::try_from(Report::SIZE).unwrap_or(u64::MAX);
    let report = bytes.get(REPORT..).unwrap_or_default();
    is_zero(part(bytes, 0, 4))
        && number(part(bytes, 4, 4)) == size
        && is_zero(part(bytes, 8, 24))
        && snp_report::is_one(report)
}

pub(super) fn inspect(bytes: &[u8]) -> Inspection {
    let (report, behind) = match bytes.get(REPORT..) {
        Some(rest) => rest.split_at_checked(Report::SIZE).unwrap_or((rest, &[])),
        None => (&[][..], &[][..]),
    };
    let report = match Report::parse(report, snp_report::VERSIONS) {
        Ok(report) => report,
        Err(error) => {
            let error = snp_report::malformed(error, REPORT);
            return Inspection::malformed(KIND, TITLE, error);
        }
    };
    let title = format!("{TITLE}, {} bytes, not verified", bytes.len());
    let mut found = Inspection::new(KIND, title);
    found.is_simulated = snp_report::is_simulated(report);
    found.findings.push(snp_report::not_verified());
    found.findings.extend(snp_report::findings(bytes, report));
    let mut fields = Fields::new("Response", bytes);
    fields.add("STATUS", part(bytes, 0, 4), number(part(bytes, 0, 4)), "success");
    let size = part(bytes, 4, 4);
    fields.add("REPORT_SIZE", size, number(size), "bytes of the report");
    fields.reserved(part(bytes, 8, 24));
    found.sections.push(fields.section());
    found.sections.extend(snp_report::sections(bytes, report));
    if !behind.is_empty() {
        let mut fields = Fields::new("Behind the report", bytes);
        let content = if is_zero(behind) { "zero" } else { "not zero" };
        fields.add("trailing bytes", behind, content, "the rest of the kernel's buffer");
        found.sections.push(fields.section());
    }
    if !is_zero(behind) {
        let text = "bytes behind the report, which nothing signs, are not zero";
        found.findings.push(Finding::at("trailing", REPORT + Report::SIZE, text));
    }
    found
}
