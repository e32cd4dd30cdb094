// SPDX-License-Identifier: MIT OR Apache-2.0
//! Hostile bytes, enclaves, and that each kind is detected, can be named and is documented.

use clap::ValueEnum as _;
use tsm_core::{Algorithm, Digest, Provider as _};
use tsm_sim::cca::CcaMachine;
use tsm_sim::snp::SnpMachine;
use tsm_sim::tdx::TdxMachine;
use tsm_sim::tdx::quoting::QuoteForm;
use tsm_snp::CertificateKind;
use tsm_snp::hcl::HclReport;
use tsm_snp::svsm::{ServicesManifest, VTPM_SERVICE};

use super::*;

fn evidence() -> Vec<Vec<u8>> {
    let mut machine = TdxMachine::new("inspect");
    let mut report = vec![0; 1024];
    machine.as_reporter().unwrap().report(b"nonce", &mut report).unwrap();
    let quotes = QuoteForm::ALL.map(|form| machine.quote(form, b"nonce").unwrap());
    core::iter::once(report).chain(quotes).collect()
}

fn look(bytes: &[u8]) -> Inspection {
    let found = inspect(bytes, Path::new("file"), None);
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

/// A bit that is reserved today does not make a report something else.
#[test]
fn reserved_bits_of_reports() {
    let mut machine = SnpMachine::new("inspect");
    let mut evidence = vec![0; machine.as_reporter().unwrap().report_size()];
    machine.as_reporter().unwrap().report(b"nonce", &mut evidence).unwrap();
    let (report, all) = (&evidence[..tsm_snp::REPORT_SIZE], &evidence[..]);
    // Bit 17 of POLICY is one, its upper half zero; so is what stands behind KEY_INFO.
    for (at, flip) in [(0x0A, 2), (0x0C, 1), (0x4C, 1)] {
        for (bytes, kind) in [(report, "snp-report"), (all, "snp-report-bank")] {
            let mut changed = bytes.to_vec();
            changed[at] ^= flip;
            let found = look(&changed);
            assert_eq!((found.kind, found.error.is_none()), (kind, true), "{at:#x}");
        }
    }
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

/// One file of each kind.
fn samples() -> Vec<(EvidenceKind, Vec<u8>)> {
    let mut of_td = evidence().into_iter();
    let (td_report, quote) = (of_td.next().unwrap(), of_td.next().unwrap());
    let mut guest = SnpMachine::new("inspect");
    let mut both = vec![0; guest.as_reporter().unwrap().report_size()];
    guest.as_reporter().unwrap().report(b"nonce", &mut both).unwrap();
    let (report, bank) = (both[..Report::SIZE].to_vec(), both[Report::SIZE..].to_vec());
    let size = u32::try_from(Report::SIZE).unwrap().to_le_bytes();
    let response = [&[0; 4][..], &size, &[0; 24], &report].concat();
    // One entry, of the root, which is a sequence without content.
    let root = CertificateKind::Ark.guid().rfc_bytes();
    let table = [&root[..], &[48, 0, 0, 0, 2, 0, 0, 0], &[0; 24], b"\x30\x00"].concat();
    // The template of TCG's EK credential profile: RSA 2048, SHA-256, AES-128 CFB, no scheme.
    let key = [
        &[0, 1, 0, 0x0B, 0, 3, 0, 0xB2, 0, 32][..],
        &[7; 32],
        &[0, 6, 0, 128, 0, 0x43, 0, 0x10, 8, 0, 0, 0, 0, 0, 1, 0],
        &[0x81; 256],
    ];
    let key = key.concat();
    let services = [
        &ServicesManifest::GUID.mixed_bytes()[..],
        &u32::try_from(48 + key.len()).unwrap().to_le_bytes(),
        &1_u32.to_le_bytes(),
        &VTPM_SERVICE.mixed_bytes(),
        &48_u32.to_le_bytes(),
        &u32::try_from(key.len()).unwrap().to_le_bytes(),
        &key,
    ];
    // Size, version, SEV-SNP, SHA-256, size of the claims.
    let data = [22_u32, 1, HclReport::SNP, 1, 2].map(u32::to_le_bytes);
    let hcl = [b"HCLA", &[0; 28][..], &report, data.as_flattened(), b"{}"].concat();
    let mut ccel = [&b"CCEL"[..], &56_u32.to_le_bytes(), &[0; 48]].concat();
    ccel[36] = 2;
    let mut realm = CcaMachine::new("inspect");
    let mut token = vec![0; realm.as_reporter().unwrap().report_size()];
    let end = realm.as_reporter().unwrap().report(b"nonce", &mut token).unwrap();
    token.truncate(end);
    let log = format!("SYNC {}\n\none\n", Digest::zeros(Algorithm::Sha256));
    vec![
        (EvidenceKind::TdxReport, td_report),
        (EvidenceKind::TdxQuote, quote),
        (EvidenceKind::CcelTable, ccel),
        (EvidenceKind::SnpReport, report),
        (EvidenceKind::SnpReportBank, both),
        (EvidenceKind::SnpReportResponse, response),
        (EvidenceKind::SnpCertificates, table),
        (EvidenceKind::SvsmServices, services.concat()),
        (EvidenceKind::SvsmVtpm, key),
        (EvidenceKind::SnpBank, bank),
        (EvidenceKind::HclReport, hcl),
        (EvidenceKind::CcaToken, token),
        (EvidenceKind::EventLog, log.into_bytes()),
    ]
}

fn name(kind: EvidenceKind) -> String {
    kind.to_possible_value().unwrap().get_name().to_string()
}

/// What is detected can be named by the name that is printed, and nothing else can.
#[test]
fn every_kind_can_be_named() {
    let samples = samples();
    let kinds: Vec<_> = samples.iter().map(|(kind, _)| *kind).collect();
    assert_eq!(kinds, EvidenceKind::value_variants());
    for kind in kinds {
        let readers = READERS.iter().filter(|reader| reader.kind == kind).count();
        assert_eq!(readers, usize::from(kind != EvidenceKind::EventLog), "{kind:?}");
    }
    for (kind, bytes) in &samples {
        let detected = look(bytes);
        assert!(detected.error.is_none(), "{kind:?}");
        assert_eq!(detected.kind, name(*kind));
        let said = inspect(bytes, Path::new("file"), Some(*kind));
        let parts = |found: &Inspection| (found.sections.len(), found.findings.len());
        assert_eq!((said.kind, &said.title), (detected.kind, &detected.title));
        assert_eq!((parts(&said), said.error.is_none()), (parts(&detected), true));
        if *kind != EvidenceKind::EventLog {
            let hex = tsm_core::hex::Hex(bytes).to_string();
            let said = inspect(hex.as_bytes(), Path::new("file"), Some(*kind));
            assert_eq!((said.kind, said.findings[0].kind), (detected.kind, "hex-text"));
        }
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/schemas/tsm.inspect-1.json");
    let schema: serde_json::Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let text = schema["$defs"]["file"]["properties"]["kind"]["description"].as_str().unwrap();
    let listed = text.strip_prefix("What it is, one of ").unwrap().trim_end_matches('.');
    let mut listed: Vec<_> = listed.split(", ").map(str::to_string).collect();
    let mut known: Vec<_> = EvidenceKind::value_variants().iter().copied().map(name).collect();
    known.push("unknown".to_string());
    listed.sort();
    known.sort();
    assert_eq!(listed, known);
}

/// A file is read as what it is said to be, and refused if it is something else.
#[test]
fn said_to_be_something_else() {
    for (kind, bytes) in samples() {
        for other in EvidenceKind::value_variants().iter().copied().filter(|other| *other != kind) {
            let ends = [bytes.len(), bytes.len() / 2, 40, 1].map(|end| end.min(bytes.len()));
            for bytes in ends.map(|end| &bytes[..end]) {
                let found = inspect(bytes, Path::new("file"), Some(other));
                assert_eq!(found.kind, name(other), "{kind:?}");
                assert!(found.error.is_some(), "{kind:?} as {other:?}, {} bytes", bytes.len());
                let offset = found.error.unwrap().offset.unwrap_or(0);
                assert!(offset <= bytes.len().max(4), "{kind:?} as {other:?}: {offset}");
            }
        }
    }
    // What no first bytes tell: a refusal, a table of unknown entries.
    let said = |bytes: &[u8], kind| inspect(bytes, Path::new("file"), Some(kind));
    let refusal = [&[0x16][..], &[0; 4095]].concat();
    assert!(look(&refusal).error.is_some());
    let found = said(&refusal, EvidenceKind::SnpReportResponse);
    assert!(found.error.is_none() && found.title.contains("refused"), "{}", found.title);
    assert_eq!(found.sections[0].fields[0].value, "22");
    let table = [&[9; 16][..], &[48, 0, 0, 0, 1, 0, 0, 0], &[0; 24], &[5]].concat();
    assert_ne!(look(&table).kind, "snp-certificates");
    let found = said(&table, EvidenceKind::SnpCertificates);
    assert!(found.error.is_none() && found.sections[0].fields[0].meaning == "unknown");
    for kind in EvidenceKind::value_variants() {
        assert!(said(b"", *kind).error.is_some());
    }
}
