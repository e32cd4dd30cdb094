// SPDX-License-Identifier: MIT OR Apache-2.0
//! `tsm inspect` on evidence of SEV-SNP. Expected values are those that another program read
//! (`manifest.json`), and those of the parts that bundles were cut into.

mod common;

use std::fs;
use std::path::Path;

use common::inspected::{check_places, fields, inspect, is, kinds, well_formed};
use common::{Dir, shared, tsm};
use serde_json::Value as Json;
use tsm_core::hex::Hex;
use tsm_core::{Algorithm, Provider as _};
use tsm_snp::svsm::ServicesManifest;
use tsm_snp::{CertificateKind, Isolation, Manifest, SoftwareBank, bank};

fn manifest(folder: &Path) -> Json {
    serde_json::from_slice(&fs::read(folder.join("manifest.json")).unwrap()).unwrap()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Offsets as the specification has them, and the names of `manifest.json`.
const BYTES: [(&str, &str, &str, u64); 11] = [
    ("Host", "REPORT_DATA", "report_data", 0x50),
    ("Host", "MEASUREMENT", "measurement", 0x90),
    ("Host", "HOST_DATA", "host_data", 0xC0),
    ("Host", "CURRENT_TCB", "tcb_current", 0x38),
    ("Identities", "ID_KEY_DIGEST", "id_key_digest", 0xE0),
    ("Identities", "AUTHOR_KEY_DIGEST", "author_key_digest", 0x110),
    ("Identities", "REPORT_ID", "report_id", 0x140),
    ("Platform", "CHIP_ID", "chip_id", 0x1A0),
    ("Platform", "REPORTED_TCB", "tcb_reported", 0x180),
    ("Platform", "COMMITTED_TCB", "tcb_committed", 0x1E0),
    ("Platform", "LAUNCH_TCB", "tcb_launch", 0x1F0),
];

fn check_report(file: &Json, stated: &Json, base: u64) {
    let all = fields(file);
    let name = &stated["name"];
    let field = |section: &str, name: &str| &all[&(section.to_string(), name.to_string())];
    for (section, of, stated_name, offset) in BYTES {
        let field = field(section, of);
        assert_eq!(field["bytes"], stated[stated_name], "{name} {of}");
        assert_eq!(field["offset"], base + offset, "{name} {of}");
    }
    for (section, of, stated_name) in [
        ("Guest", "VERSION", "version"),
        ("Guest", "GUEST_SVN", "guest_svn"),
        ("Guest", "VMPL", "vmpl"),
        ("Guest", "POLICY", "policy"),
        ("Host", "PLATFORM_INFO", "platform_info"),
        ("Host", "KEY_INFO", "key_info"),
        ("Platform", "CURRENT", "fw_current"),
        ("Platform", "COMMITTED", "fw_committed"),
    ] {
        let stated = &stated[stated_name];
        let stated = stated.as_str().map_or_else(|| stated.to_string(), str::to_string);
        assert_eq!(field(section, of)["value"], stated, "{name} {of}");
    }
    let cpuid = all.get(&("Platform".into(), "CPUID".into()));
    assert_eq!(cpuid.map_or(&Json::Null, |field| &field["bytes"]), &stated["cpuid_fms"]);
    if let Some(cpuid) = cpuid {
        let generation = cpuid["meaning"].as_str().unwrap().to_lowercase();
        assert_eq!(stated["generation"], generation, "{name}");
    }
    for (of, stated_name) in
        [("LAUNCH_MIT_VECTOR", "launch_mit"), ("CURRENT_MIT_VECTOR", "current_mit")]
    {
        let vector = all.get(&("Platform".into(), of.into()));
        assert_eq!(vector.is_some(), stated["version"] == 5, "{name}");
        let value = vector.map_or(&"0x0".into(), |field| &field["value"]).clone();
        assert_eq!(value, stated[stated_name], "{name}");
    }
    let found = kinds(file);
    assert_eq!(found.contains(&"debug"), stated["policy"] == "0xb0000", "{name}");
    let chip = stated["chip_id"].as_str().unwrap();
    assert_eq!(found.contains(&"masked-chip"), chip.bytes().all(|b| b == b'0'), "{name}");
    let lags = stated["tcb_current"] != stated["tcb_committed"];
    assert_eq!(found.contains(&"provisional"), lags, "{name}");
    for none in ["reserved", "unknown-bits", "report-version", "not-signed", "migration", "other"] {
        assert!(!found.contains(&none), "{name} {none}");
    }
    assert!(file["title"].as_str().unwrap().ends_with("not verified"), "{name}");
}

#[test]
fn reports() {
    let Some(folder) = shared("snp") else { return };
    let (mut seen, mut responses) = (0, 0);
    for stated in manifest(&folder).as_array().unwrap() {
        let path = folder.join(stated["report"].as_str().unwrap());
        let file = well_formed(text(&path));
        assert_eq!(file["simulated"], false, "{}", path.display());
        let base = stated["offset"].as_u64().unwrap();
        if base == 0 {
            assert_eq!(file["kind"], "snp-report");
            let version = format!("version {}", stated["version"]);
            assert!(file["title"].as_str().unwrap().contains(&version), "{version}");
        } else {
            assert_eq!((&file["kind"], base), (&"snp-report-response".into(), 0x20));
            responses += 1;
        }
        assert!(check_places(&file, &fs::read(&path).unwrap()) >= 27);
        check_report(&file, stated, base);
        seen += 1;
    }
    assert!(seen >= 26 && responses == 1, "{seen} {responses}");
    let hex = folder.join("reports/milan-v2-virtee/report.hex");
    assert!(kinds(&well_formed(text(&hex))).contains(&"hex-text"));
}

/// What was seen in no report: each change alone, its kind and its place.
#[test]
fn odd_reports() {
    let Some(folder) = shared("snp/reports") else { return };
    let good = fs::read(folder.join("genoa-v5-oak/report.bin")).unwrap();
    let dir = Dir::new();
    let plain = well_formed(text(&dir.file("report", &good)));
    assert_eq!(kinds(&plain), ["not-verified"]);
    for (at, bytes, kind, offset) in [
        (0x0A, &[0x07][..], "migration", 0x08),
        (0x0A, &[0x0B], "debug", 0x08),
        (0x0A, &[0x01], "policy-bit", 0x08),
        (0x0B, &[0x80], "unknown-bits", 0x08),
        (0x30, &[0xFF; 4], "host-requested", 0x30),
        (0x30, &[4], "privilege-level", 0x30),
        (0x34, &[2], "signature-algorithm", 0x34),
        (0x41, &[1], "unknown-bits", 0x40),
        (0x48, &[2], "not-signed", 0x48),
        (0x48, &[0x20], "unknown-bits", 0x48),
        (0x188, &[0x18], "unknown-processor", 0x188),
        (0x18B, &[1], "reserved", 0x18B),
        (0x1A0, &[0; 64], "masked-chip", 0x1A0),
        (0x49F, &[1], "reserved", 0x49F),
        (0, &[4], "report-version", 0),
    ] {
        let mut changed = good.clone();
        changed[at..at + bytes.len()].copy_from_slice(bytes);
        let file = well_formed(text(&dir.file("report", &changed)));
        let findings = file["findings"].as_array().unwrap();
        let found = findings.iter().find(is(kind)).unwrap_or_else(|| panic!("{kind} {findings:?}"));
        assert_eq!(found["offset"], offset, "{kind}");
    }
}

/// Exit status 2, the kind of the file, and what is wrong with it where.
fn refused(dir: &Dir, bytes: &[u8], kind: &str, error: &str, offset: usize) {
    let path = dir.file("evidence", bytes);
    let (file, status) = inspect(text(&path));
    let found = (&file["kind"], &file["error"]["kind"], &file["error"]["offset"]);
    let stated = (&kind.into(), &error.into(), &offset.into());
    assert_eq!((status, found), (2, stated), "{file}");
    tsm(&["inspect", text(&path)]).refused(&format!("(byte {offset})"));
}

#[test]
fn damage() {
    let Some(folder) = shared("snp") else { return };
    let read = |name: &str| fs::read(folder.join(name)).unwrap();
    let with = |bytes: &[u8], at: usize, value: u8| {
        let mut bytes = bytes.to_vec();
        bytes[at] = value;
        bytes
    };
    let dir = Dir::new();
    let report = read("reports/genoa-v5-oak/report.bin");
    let response = read("guestmsg/msg_report_rsp_4000.bin");
    let hcl = read("azure/milan-v2-trustee/hcl_report.bin");
    let services = read("synthetic/svsm_services_manifest_one.bin");
    let vtpm = read("synthetic/svsm_vtpm_manifest_v0.bin");
    let refused = |bytes: &[u8], kind, error, offset| refused(&dir, bytes, kind, error, offset);
    refused(&read("negative/lit_guest_report_bad_sig.bin"), "snp-report", "size", 1184);
    refused(&read("negative/lit_guest_report_corrupt.bin"), "snp-report", "truncated", 793);
    refused(&report[..1000], "snp-report", "truncated", 1000);
    refused(&with(&report, 0, 6), "snp-report", "version", 0);
    refused(&response[..0x300], "snp-report-response", "truncated", 0x300);
    refused(&with(&response, 0x20, 7), "snp-report-response", "version", 0x20);
    refused(&hcl[..0x400], "hcl-report", "truncated", 0x400);
    refused(&with(&hcl, 0x20, 9), "hcl-report", "version", 0x20);
    refused(&with(&hcl, 0x4C0, 1), "hcl-report", "size", 0x4C0);
    refused(&with(&hcl, 0x4C8, 4), "hcl-report", "value", 0x4C8);
    refused(&services[..200], "svsm-services", "size", 16);
    refused(&with(&services, 40, 0), "svsm-services", "overlap", 24);
    refused(&with(&services, 44, 0xFF), "svsm-services", "range", 24);
    // The service's own manifest, at its own place.
    refused(&with(&services, 49, 2), "svsm-services", "value", 48);
    refused(&vtpm[..300], "svsm-vtpm", "truncated", 58);
    refused(&[&vtpm[..], &[0]].concat(), "svsm-vtpm", "size", vtpm.len());
    // A key that is not an endorsement key is no such manifest.
    let (file, _) = inspect(text(&dir.file("key", with(&vtpm, 5, 0))));
    assert_eq!(file["kind"], "unknown");
    let odd = with(&response, 3999, 1);
    assert!(kinds(&well_formed(text(&dir.file("odd", odd)))).contains(&"trailing"));
}

/// The layout of a table, from its description.
fn table(entries: &[(CertificateKind, &[u8])]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut start = 24 * (entries.len() + 1);
    for (kind, content) in entries {
        bytes.extend(kind.guid().rfc_bytes());
        bytes.extend(u32::try_from(start).unwrap().to_le_bytes());
        bytes.extend(u32::try_from(content.len()).unwrap().to_le_bytes());
        start += content.len();
    }
    bytes.extend([0; 24]);
    entries.iter().for_each(|(_, content)| bytes.extend(*content));
    bytes.resize(bytes.len().next_multiple_of(4096), 0);
    bytes
}

/// Tables made of real certificates, whose names and validity another program read.
#[test]
fn certificate_tables() {
    use CertificateKind::{Ark, Ask, Crl, Vcek, Vlek};
    let Some(folder) = shared("snp") else { return };
    let dir = Dir::new();
    let mut seen = 0;
    for stated in manifest(&folder).as_array().unwrap() {
        let Some(vek) = stated["vek"].as_str() else { continue };
        let generation = stated["generation"].as_str().unwrap().split(' ').next().unwrap();
        let is_vlek = stated["vek_info"]["cn"] == "SEV-VLEK";
        let ca = |name: &str| fs::read(folder.join(format!("ca/{generation}_{name}.der"))).unwrap();
        let (vek, ark) = (fs::read(folder.join(vek)).unwrap(), ca("ark"));
        let ask = ca(if is_vlek { "asvk" } else { "ask" });
        let kind = if is_vlek { Vlek } else { Vcek };
        let bytes = table(&[(kind, &vek), (Ask, &ask), (Ark, &ark)]);
        let file = well_formed(text(&dir.file("table", &bytes)));
        assert_eq!(
            (&file["kind"], kinds(&file)),
            (&"snp-certificates".into(), vec!["not-verified"])
        );
        check_places(&file, &bytes);
        let contents = file["sections"][1]["fields"].as_array().unwrap();
        assert_eq!(contents.len(), 3);
        let subject = format!("CN={}", stated["vek_info"]["cn"].as_str().unwrap());
        assert!(contents[0]["value"].as_str().unwrap().contains(&subject), "{}", contents[0]);
        let day = stated["vek_info"]["not_before"].as_str().unwrap().split(' ').next().unwrap();
        let meaning = contents[0]["meaning"].as_str().unwrap();
        assert!(meaning.contains(&format!("valid {day}")), "{meaning}");
        assert_eq!((&contents[0]["offset"], &contents[0]["size"]), (&96.into(), &vek.len().into()));
        let root = format!("ark-{generation}");
        assert!(contents[2]["value"].as_str().unwrap().to_lowercase().contains(&root));
        seen += 1;
    }
    assert!(seen >= 20, "{seen}");
    let pem = fs::read(folder.join("ca/milan_vcek_cert_chain.pem")).unwrap();
    let good = table(&[(Ask, &pem), (Crl, b"\x30\x82list")]);
    let file = well_formed(text(&dir.file("table", &good)));
    let contents = file["sections"][1]["fields"].as_array().unwrap();
    assert_eq!(contents.len(), 3, "two certificates and a list");
    assert!(contents[1]["value"].as_str().unwrap().contains("CN=ARK-Milan"));
    let file = well_formed(text(&dir.file("table", table(&[(Vcek, b"0000")]))));
    assert!(kinds(&file).contains(&"certificate"));
    let changed = |at: usize, value: u8| {
        let mut bytes = good.clone();
        bytes[at] = value;
        bytes
    };
    refused(&dir, &changed(24 + 19, 0xFF), "snp-certificates", "range", 24);
    refused(&dir, &changed(16, 0), "snp-certificates", "overlap", 0);
    refused(&dir, &good[..40], "snp-certificates", "unterminated", 24);
}

#[test]
fn paravisors_reports() {
    let Some(folder) = shared("snp/azure") else { return };
    let stated = manifest(folder.parent().unwrap());
    let dir = Dir::new();
    let mut seen = 0;
    for entry in fs::read_dir(&folder).unwrap() {
        let folder = entry.unwrap().path();
        let bytes = fs::read(folder.join("hcl_report.bin")).unwrap();
        let file = well_formed(text(&folder.join("hcl_report.bin")));
        assert_eq!(file["kind"], "hcl-report");
        let name = format!("azure/{}", folder.file_name().unwrap().to_str().unwrap());
        let stated = stated.as_array().unwrap().iter().find(|case| case["name"] == name).unwrap();
        check_report(&file, stated, 0x20);
        assert!(check_places(&file, &bytes) >= 38);
        let all = fields(&file);
        let claims = &all[&("Claims".into(), "claims".into())];
        let own = fs::read_to_string(folder.join("var_data.json")).unwrap();
        assert_eq!((&claims["value"], &claims["offset"]), (&own.into(), &0x4D4.into()));
        assert!(claims["meaning"].as_str().unwrap().starts_with("bound"), "{name}");
        assert!(!kinds(&file).contains(&"binding") && kinds(&file).contains(&"bound"), "{name}");
        // Another claim.
        let mut changed = bytes.clone();
        changed[0x4D8] ^= 1;
        let file = well_formed(text(&dir.file("hcl", &changed)));
        let findings = file["findings"].as_array().unwrap();
        let found: Vec<_> = findings.iter().filter(is("binding")).collect();
        assert_eq!((found.len(), &found[0]["offset"]), (1, &0x70.into()), "{name}");
        assert!(!kinds(&file).contains(&"bound"), "{name}");
        seen += 1;
    }
    assert_eq!(seen, 8);
}

#[test]
fn manifests_of_services() {
    let Some(folder) = shared("snp/synthetic") else { return };
    let empty = well_formed(text(&folder.join("svsm_services_manifest_empty.bin")));
    assert_eq!(
        (&empty["kind"], empty["sections"].as_array().unwrap().len()),
        (&"svsm-services".into(), 1)
    );
    let path = folder.join("svsm_vtpm_manifest_v0.bin");
    let (one, vtpm) = (folder.join("svsm_services_manifest_one.bin"), fs::read(&path).unwrap());
    for (path, kind, base) in [(path, "svsm-vtpm", 0), (one, "svsm-services", 48)] {
        let file = well_formed(text(&path));
        assert_eq!(file["kind"], kind);
        assert!(check_places(&file, &fs::read(&path).unwrap()) >= 4);
        let all = fields(&file);
        let of = |name: &str| &all[&("vTPM".into(), name.into())];
        // The template of TCG's EK credential profile: SHA-256, RSA 2048.
        assert_eq!((&of("type")["value"], &of("nameAlg")["value"]), (&"1".into(), &"0xb".into()));
        assert_eq!(of("objectAttributes")["value"], "0x300b2");
        assert_eq!(of("authPolicy")["bytes"], Hex(&vtpm[10..42]).to_string());
        assert_eq!(of("authPolicy")["offset"], base + 10);
        let modulus = Hex(&vtpm[vtpm.len() - 256..]).to_string();
        assert_eq!(of("modulus")["value"], modulus);
    }
}

/// A bank that this project keeps, alone and among an SVSM's services.
#[test]
fn register_banks() {
    let mut kept = SoftwareBank::<4>::new(bank::RTMRS, Isolation::Privileged).unwrap();
    let rtmr3 = kept.find("rtmr3").unwrap();
    let digest = Algorithm::Sha384.hash(b"one");
    kept.extend(rtmr3, &[digest]).unwrap();
    let mut page = [0; 1024];
    let bytes = kept.write_manifest(&mut page).unwrap().to_vec();
    // From the start, one extension: SHA-384 of zeros and the digest.
    let expected = Algorithm::Sha384.hash(&[&[0; 48][..], digest.as_bytes()].concat());
    let dir = Dir::new();
    let path = dir.file("bank", &bytes);
    let size = u32::try_from(bytes.len()).unwrap();
    let services = |bank: &[u8]| {
        let services = [
            &ServicesManifest::GUID.mixed_bytes()[..],
            &(48 + size).to_le_bytes(),
            &1_u32.to_le_bytes(),
            &Manifest::SERVICE.mixed_bytes(),
            &48_u32.to_le_bytes(),
            &size.to_le_bytes(),
            bank,
        ];
        dir.file("services", services.concat())
    };
    let all = services(&bytes);
    for (path, kind) in [(&path, "snp-bank"), (&all, "svsm-services")] {
        let file = well_formed(text(path));
        assert_eq!((&file["kind"], kinds(&file)), (&kind.into(), vec!["not-verified"]));
        assert!(check_places(&file, &fs::read(path).unwrap()) >= 15);
        let all = fields(&file);
        let value = |name: &str| &all[&("Registers".to_string(), name.to_string())];
        let three = value("rtmr3:sha384");
        assert_eq!(three["bytes"], Hex(expected.as_bytes()).to_string());
        assert_eq!(three["meaning"], "extended once");
        assert_eq!(value("rtmr0:sha384")["meaning"], "never extended");
    }
    refused(&dir, &bytes[..bytes.len() - 1], "snp-bank", "size", 0x14);
    let mut changed = bytes.clone();
    changed[0x18] = 0;
    for (path, base) in [(dir.file("open", &changed), 0), (services(&changed), 48)] {
        let file = well_formed(text(&path));
        let findings = file["findings"].as_array().unwrap();
        let found = findings.iter().find(is("no-isolation")).unwrap();
        assert_eq!(found["offset"], base + 0x18);
    }
    changed[0x18] = 2;
    refused(&dir, &changed, "snp-bank", "value", 0x18);
    // Its values alone are nothing to compare a log with.
    let log = dir.file("log", "");
    tsm(&["replay", "--format=record", "--expect-from", text(&path), text(&log)])
        .refused("only a report of its nonce vouches for");
}
