// SPDX-License-Identifier: MIT OR Apache-2.0
//! A decrypted MSG_REPORT_RSP: what the kernel gives who asks for a report.
//!
//! Only one with a report in it can be told from other bytes: a refusal is a status and zeros, and is
//! read if the file is said to be one.

use tsm_snp::{MessageStatus, Report};

use super::model::{Fields, Finding, Inspection, Section, is_zero, number};
use super::snp::{self, part};
use super::snp_report;

const KIND: &str = "snp-report-response";
const TITLE: &str = "response to a request for an SEV-SNP report (MSG_REPORT_RSP)";

/// Where the report begins.
const REPORT: usize = 0x20;

/// REPORT_SIZE of one with a report.
const SIZE: u64 = 1184;
const _: () = assert!(Report::SIZE == 1184);

/// Whether it looks like one: status 0, the size of a report, zeros, and the beginning of a report.
pub(super) fn is_one(bytes: &[u8]) -> bool {
    let report = bytes.get(REPORT..).unwrap_or_default();
    is_zero(part(bytes, 0, 4))
        && number(part(bytes, 4, 4)) == SIZE
        && is_zero(part(bytes, 8, 24))
        && snp_report::is_one(report)
}

pub(super) fn inspect(bytes: &[u8]) -> Inspection {
    let Some(rest) = bytes.get(REPORT..) else {
        let text = "the input ends too early";
        return Inspection::malformed(KIND, TITLE, snp::at("truncated", Some(bytes.len()), text));
    };
    let (status, size) = (number(part(bytes, 0, 4)), number(part(bytes, 4, 4)));
    if status != 0 {
        return match bytes.iter().skip(4).position(|&byte| byte != 0) {
            None => refusal(bytes),
            Some(at) => {
                let text = "behind the status of a refusal are other bytes than zeros";
                Inspection::malformed(KIND, TITLE, snp::at("reserved", Some(at + 4), text))
            }
        };
    }
    if size != SIZE {
        let text = format!("{size} is not the size of a report");
        return Inspection::malformed(KIND, TITLE, snp::at("size", Some(4), text));
    }
    let (report, behind) = rest.split_at_checked(Report::SIZE).unwrap_or((rest, &[]));
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
    found.sections.push(head(bytes));
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

/// A status, and no report.
fn refusal(bytes: &[u8]) -> Inspection {
    let title = format!("{TITLE}: refused, {}", status(bytes));
    let text = "nothing in it is signed: the firmware's status, as whoever decrypted it says";
    Inspection {
        sections: vec![head(bytes)],
        findings: vec![Finding::general("not-verified", text)],
        ..Inspection::new(KIND, title)
    }
}

/// What stands before the report.
fn head(bytes: &[u8]) -> Section {
    let mut fields = Fields::new("Response", bytes);
    let (status, of_status, size) = (status(bytes), part(bytes, 0, 4), part(bytes, 4, 4));
    fields.add("STATUS", of_status, number(of_status), status.meaning().unwrap_or("unknown"));
    fields.add("REPORT_SIZE", size, number(size), "bytes of the report");
    fields.reserved(part(bytes, 8, 24));
    fields.section()
}

fn status(bytes: &[u8]) -> MessageStatus {
    MessageStatus(u32::try_from(number(part(bytes, 0, 4))).unwrap_or(u32::MAX))
}
