// SPDX-License-Identifier: MIT OR Apache-2.0
//! The report of Azure's and OpenHCL's paravisor: a report of SEV-SNP, and claims that it covers.

use tsm_snp::Report;
use tsm_snp::hcl::HclReport;

use super::model::{Fields, Finding, Inspection, Malformed, is_zero, number};
use super::snp::{self, part};
use super::snp_report;

const KIND: &str = "hcl-report";
const TITLE: &str = "paravisor's report (HCL)";

/// Where the hardware's report begins, and what stands before the claims.
const REPORT: usize = 0x20;
const DATA: usize = 0x4C0;

pub(super) fn is_one(bytes: &[u8]) -> bool {
    bytes.starts_with(b"HCLA")
}

pub(super) fn inspect(bytes: &[u8]) -> Inspection {
    let hcl = match HclReport::parse(bytes, snp_report::VERSIONS) {
        Ok(hcl) => hcl,
        Err(error) => return Inspection::malformed(KIND, TITLE, malformed(bytes, error)),
    };
    let report = hcl.report();
    let title = format!(
        "{TITLE} of an SEV-SNP guest, report of version {}, {} bytes, not verified",
        report.version(),
        bytes.len()
    );
    let mut found = Inspection::new(KIND, title);
    found.findings.push(Finding::general(
        "not-verified",
        "no signature is checked, nor a certificate. There is no nonce of a verifier's in it: it is \
         fresh only if the vTPM's quote with the claims' key is",
    ));
    let bound = hcl.check_binding();
    let (kind, text) = match bound {
        Ok(()) => ("bound", "the claims are what the hardware's report covers".to_string()),
        Err(error) => {
            let text = "the claims are not what the hardware's report covers";
            ("binding", format!("{text}: {}", error.kind()))
        }
    };
    found.findings.push(Finding::at(kind, REPORT + Report::REPORT_DATA, text));
    found.findings.extend(snp_report::findings(bytes, report));
    found.sections.push(header(bytes));
    found.sections.extend(snp_report::sections(bytes, report));
    let mut fields = Fields::new("Claims", bytes);
    let algorithm = hcl.algorithm().map_or("unknown", |algorithm| algorithm.name());
    for (at, name, meaning) in [
        (0, "size", "bytes, with these numbers"),
        (4, "version", ""),
        (8, "report type", "SEV-SNP"),
        (12, "hash type", algorithm),
        (16, "claims size", "bytes"),
    ] {
        let value = part(bytes, DATA + at, 4);
        fields.add(name, value, number(value), meaning);
    }
    if hcl.version() >= 2 {
        fields.bytes("capabilities", part(bytes, DATA + 20, 4), "covered by nothing");
    }
    let claims = String::from_utf8_lossy(hcl.claims()).into_owned();
    let meaning = match bound {
        Ok(()) => "bound: REPORT_DATA is their hash",
        Err(_) => "not bound: REPORT_DATA is not their hash",
    };
    fields.add("claims", hcl.claims(), claims, meaning);
    let end = super::model::offset(bytes, hcl.claims()) + hcl.claims().len();
    if let Some(behind) = bytes.get(end..).filter(|behind| !behind.is_empty()) {
        let content = if is_zero(behind) { "zero" } else { "not zero" };
        fields.add("trailing bytes", behind, content, "the rest of the NV index");
        if !is_zero(behind) {
            let text = "bytes behind the claims, which nothing covers, are not zero";
            found.findings.push(Finding::at("trailing", end, text));
        }
    }
    found.sections.push(fields.section());
    found
}

fn header(bytes: &[u8]) -> super::model::Section {
    let mut fields = Fields::new("Header: covered by nothing", bytes);
    fields.add("signature", part(bytes, 0, 4), "HCLA", "");
    for (at, name, meaning) in [
        (4, "version", ""),
        (8, "report size", "bytes, as the paravisor counts them"),
        (12, "request type", ""),
        (16, "status", ""),
    ] {
        let value = part(bytes, at, 4);
        fields.add(name, value, number(value), meaning);
    }
    fields.reserved(part(bytes, 20, 12));
    fields.section()
}

fn malformed(bytes: &[u8], error: tsm_snp::Error) -> Malformed {
    use tsm_snp::ErrorKind;
    match error.kind() {
        ErrorKind::Value => {
            let of = match number(part(bytes, DATA + 8, 4)) {
                4 => "the hardware's report is of TDX; only reports of SEV-SNP are read here",
                _ => "the hardware's report is not of SEV-SNP",
            };
            snp::at("value", error.offset(), of)
        }
        // All else that can be wrong with the report itself its size says.
        ErrorKind::Version(_) => snp_report::malformed(error, REPORT),
        _ => snp::malformed(error, 0),
    }
}
