// SPDX-License-Identifier: MIT OR Apache-2.0
//! `tsm inspect`: what a file of evidence is, and what stands in it, field by field.
//!
//! Each kind has a file that turns bytes into the [`model`]; [`mod@print`] shows the model. Nothing is
//! verified, and everything says so.

mod cca_claims;
mod cca_token;
mod ccel_table;
mod certificates;
mod event_log;
mod hcl;
mod model;
mod print;
mod snp;
mod snp_bank;
mod snp_certificates;
mod snp_report;
mod snp_report_bank;
mod snp_response;
mod svsm_services;
mod svsm_vtpm;
mod tdx;
mod tdx_quote;
mod tdx_report;

pub(crate) use snp_bank::is_one as is_snp_bank;
pub(crate) use snp_report::is_one as is_snp_report;
pub(crate) use svsm_services::is_one as is_svsm_services;

use std::path::Path;

use tsm_snp::Report;

use crate::args::{self, EvidenceKind};
use crate::evidence;
use crate::failure::Failure;
use crate::{Result, Verdict, input};
use model::{Finding, Inspection, Malformed};

pub(crate) fn run(command: &args::Inspect) -> Result {
    let mut all = Vec::new();
    for file in &command.files {
        let bytes = input::read_all(core::slice::from_ref(file))?;
        all.push((file.as_path(), inspect(&bytes, file, command.kind)));
    }
    print::print(&all, command.json)?;
    let malformed = |(file, found): &(&Path, Inspection)| {
        let error = found.error.as_ref()?;
        let what = Some(found.title.as_str()).filter(|_| found.kind != "unknown");
        let what = what.map(|what| format!("{what}: ")).unwrap_or_default();
        Some(Failure::usage(format!("{}: {what}{}", file.display(), error.text)))
    };
    all.iter().find_map(malformed).map_or(Ok(Verdict::Holds), Err)
}

/// What is odd in a report of SEV-SNP: a word for it, and a text.
pub(crate) fn snp_findings(report: &Report) -> impl Iterator<Item = (&'static str, String)> {
    let found = snp_report::findings(report.as_bytes(), report).into_iter();
    found.map(|finding| (finding.kind, finding.text))
}

/// What to know of a register bank without a keeper that is more privileged.
pub(crate) const NO_ISOLATION: &str = "the software that extends the registers keeps them too: who \
                                       breaks into it can set them";

fn inspect(bytes: &[u8], file: &Path, said: Option<EvidenceKind>) -> Inspection {
    match said {
        _ if bytes.is_empty() => {
            Inspection::unknown(Malformed::general("empty", "the file is empty"))
        }
        Some(EvidenceKind::EventLog) => event_log::said(bytes, file),
        Some(kind) => {
            let reader = READERS.iter().find(|reader| reader.kind == kind);
            let inspect = reader.map_or(unknown as fn(&[u8]) -> _, |reader| reader.inspect);
            match evidence::unhex(bytes) {
                Some(bytes) => of_hex(inspect(&bytes)),
                None => inspect(bytes),
            }
        }
        None => {
            let unhexed = || Some(of_hex(binary(&evidence::unhex(bytes)?)?));
            let found = binary(bytes).or_else(unhexed);
            let found = found.or_else(|| event_log::inspect(bytes, file));
            found.unwrap_or_else(|| unknown(bytes))
        }
    }
}

/// What is not text.
fn binary(bytes: &[u8]) -> Option<Inspection> {
    let reader = READERS.iter().find(|reader| (reader.is_one)(bytes))?;
    Some((reader.inspect)(bytes))
}

fn of_hex(mut found: Inspection) -> Inspection {
    let text = "the file writes the bytes as hex digits; offsets count the bytes";
    found.findings.insert(0, Finding::general("hex-text", text));
    found
}

/// What turns the bytes of a kind into the model.
struct Reader {
    kind: EvidenceKind,
    /// Whether bytes look like it, going by the first ones.
    is_one: fn(&[u8]) -> bool,
    inspect: fn(&[u8]) -> Inspection,
}

/// All kinds but event logs. None looks like another, but that a report may have a bank behind it.
const READERS: &[Reader] = &[
    reader(EvidenceKind::CcelTable, ccel_table::is_one, ccel_table::inspect),
    reader(EvidenceKind::SnpReportBank, snp_report_bank::is_one, snp_report_bank::inspect),
    reader(EvidenceKind::SnpReport, snp_report::is_one, snp_report::inspect),
    reader(EvidenceKind::SnpReportResponse, snp_response::is_one, snp_response::inspect),
    reader(EvidenceKind::SnpCertificates, snp_certificates::is_one, snp_certificates::inspect),
    reader(EvidenceKind::SvsmServices, svsm_services::is_one, svsm_services::inspect),
    reader(EvidenceKind::SvsmVtpm, svsm_vtpm::is_one, svsm_vtpm::inspect),
    reader(EvidenceKind::SnpBank, snp_bank::is_one, snp_bank::inspect),
    reader(EvidenceKind::HclReport, hcl::is_one, hcl::inspect),
    reader(EvidenceKind::CcaToken, cca_token::is_one, cca_token::inspect),
    reader(EvidenceKind::TdxReport, tdx_report::is_one, tdx_report::inspect),
    reader(EvidenceKind::TdxQuote, tdx_quote::is_one, tdx_quote::inspect),
];

const fn reader(
    kind: EvidenceKind,
    is_one: fn(&[u8]) -> bool,
    inspect: fn(&[u8]) -> Inspection,
) -> Reader {
    Reader { kind, is_one, inspect }
}

fn unknown(bytes: &[u8]) -> Inspection {
    let mut text =
        "neither evidence (of TDX, SEV-SNP or Arm CCA) nor the ACPI table CCEL nor an event log \
         that this program knows"
            .to_string();
    if bytes.len() == tsm_tdx::TdReport::SIZE {
        text.push_str("; it has the size of a TDREPORT, but does not begin like a TD's");
    }
    Inspection::unknown(Malformed::general("unknown", text))
}

#[cfg(all(test, feature = "sim"))]
mod tests;
