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
mod snp_response;
mod svsm_services;
mod svsm_vtpm;
mod tdx;
mod tdx_quote;
mod tdx_report;

use std::path::Path;

use tsm_snp::Report;

use crate::args;
use crate::evidence::{self, Evidence, Kind, ParseError};
use crate::failure::Failure;
use crate::{Result, Verdict, input};
use model::{Finding, Inspection, Malformed};

pub(crate) fn run(command: &args::Inspect) -> Result {
    let mut all = Vec::new();
    for file in &command.files {
        let bytes = input::read_all(core::slice::from_ref(file))?;
        all.push((file.as_path(), inspect(&bytes, file)));
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

/// Whether bytes look like a report of SEV-SNP, perhaps with something behind it.
pub(crate) fn is_snp_report(bytes: &[u8]) -> bool {
    snp_report::is_one(bytes)
}

/// What is odd in a report of SEV-SNP: a word for it, and a text.
pub(crate) fn snp_findings(report: &Report) -> impl Iterator<Item = (&'static str, String)> {
    let found = snp_report::findings(report.as_bytes(), report).into_iter();
    found.map(|finding| (finding.kind, finding.text))
}

/// What to know of a register bank without a keeper that is more privileged.
pub(crate) const NO_ISOLATION: &str = "the software that extends the registers keeps them too: who \
                                       breaks into it can set them";

fn inspect(bytes: &[u8], file: &Path) -> Inspection {
    if let Some(found) = binary(bytes) {
        return found;
    }
    let unhexed = evidence::unhex(bytes);
    if let Some(mut found) = unhexed.and_then(|bytes| binary(&bytes)) {
        let text = "the file writes the bytes as hex digits; offsets count the bytes";
        found.findings.insert(0, Finding::general("hex-text", text));
        return found;
    }
    if bytes.is_empty() {
        return Inspection::unknown(Malformed::general("empty", "the file is empty"));
    }
    event_log::inspect(bytes, file).unwrap_or_else(|| unknown(bytes))
}

/// What is not text.
fn binary(bytes: &[u8]) -> Option<Inspection> {
    if bytes.starts_with(b"CCEL") {
        return Some(ccel_table::inspect(bytes));
    }
    let found = OTHERS.iter().find(|(is_one, _)| is_one(bytes));
    found.map(|(_, inspect)| inspect(bytes)).or_else(|| of_tdx(bytes))
}

/// Whether bytes are of a kind, and what stands in them.
type Adapter = (fn(&[u8]) -> bool, fn(&[u8]) -> Inspection);

/// The kinds of evidence that are not TDX's. None looks like another, or like a log.
const OTHERS: &[Adapter] = &[
    (snp_report::is_one, snp_report::inspect),
    (snp_response::is_one, snp_response::inspect),
    (snp_certificates::is_one, snp_certificates::inspect),
    (svsm_services::is_one, svsm_services::inspect),
    (svsm_vtpm::is_one, svsm_vtpm::inspect),
    (snp_bank::is_one, snp_bank::inspect),
    (hcl::is_one, hcl::inspect),
    (cca_token::is_one, cca_token::inspect),
];

fn of_tdx(bytes: &[u8]) -> Option<Inspection> {
    let kind = Kind::of(bytes)?;
    let (name, title) = match kind {
        Kind::TdReport => ("tdx-report", "TDREPORT"),
        Kind::Quote => ("tdx-quote", "quote"),
        Kind::CcaToken => return None,
    };
    Some(match kind.parse(bytes) {
        Ok(Evidence::TdReport(report)) => tdx_report::inspect(bytes, &report),
        Ok(Evidence::Quote(quote)) => tdx_quote::inspect(bytes, &quote),
        Err(ParseError::Tdx(error)) => Inspection::malformed(name, title, tdx::malformed(error)),
        Ok(Evidence::CcaToken(_)) | Err(ParseError::Cca(_)) => return None,
    })
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
mod tests {
    use tsm_core::Provider as _;
    use tsm_sim::tdx::TdxMachine;
    use tsm_sim::tdx::quoting::QuoteForm;

    use super::*;

    fn evidence() -> Vec<Vec<u8>> {
        let mut machine = TdxMachine::new("inspect");
        let mut report = vec![0; 1024];
        machine.as_reporter().unwrap().report(b"nonce", &mut report).unwrap();
        let quotes = QuoteForm::ALL.map(|form| machine.quote(form, b"nonce").unwrap());
        core::iter::once(report).chain(quotes).collect()
    }

    fn look(bytes: &[u8]) -> Inspection {
        let found = inspect(bytes, Path::new("file"));
        for section in &found.sections {
            for place in section.fields.iter().filter_map(|field| field.place.as_ref()) {
                assert!(place.offset + place.size <= bytes.len());
            }
        }
        found
    }

    /// Cut anywhere, evidence is refused, with the place; nothing that is changed is a panic.
    #[test]
    fn hostile_bytes() {
        for good in evidence() {
            assert!(look(&good).error.is_none() && look(&good).is_simulated);
            for end in (8..good.len()).step_by(5) {
                let error = look(&good[..end]).error.unwrap();
                assert!(error.offset.is_some_and(|offset| offset <= end), "cut at {end}");
            }
            for at in (0..good.len()).step_by(7) {
                let mut changed = good.clone();
                changed[at] ^= 0x41;
                let _ = look(&changed);
            }
        }
        assert!(look(b"CCEL").error.is_some() && look(&[0x81, 0, 0, 0]).error.is_some());
    }

    /// A quote of version 5 can be an enclave's.
    #[test]
    fn enclaves() {
        let quote = evidence().pop().unwrap();
        let signed = 48 + 6 + 648;
        let mut enclave = [&quote[..48], &[1, 0, 0x80, 1, 0, 0], &[0; 384]].concat();
        enclave[4] = tsm_tdx::layout::TEE_SGX;
        // ATTRIBUTES: init, debug.
        enclave[54 + 48] = 3;
        enclave.extend(&quote[signed..]);
        let found = look(&enclave);
        assert!(found.error.is_none() && found.title.contains("SGX enclave"), "{}", found.title);
        let body = &found.sections[1];
        let attributes = body.fields.iter().find(|field| field.name == "ATTRIBUTES").unwrap();
        assert_eq!((&*attributes.value, &*attributes.meaning), ("0x3", "init,debug"));
        let path = std::env::temp_dir().join(format!("tsm-enclave-{}", std::process::id()));
        std::fs::write(&path, &enclave).unwrap();
        let given = args::Evidence { sources: vec![path.clone()], report: None, nonce: None };
        let said = evidence::read(&given).err();
        std::fs::remove_file(&path).unwrap();
        assert!(said.unwrap().to_string().contains("no runtime registers"));
    }
}
