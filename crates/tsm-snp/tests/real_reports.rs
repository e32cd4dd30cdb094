// SPDX-License-Identifier: MIT OR Apache-2.0
//! Real reports against the values that another reader found in them, real paravisor reports, and
//! the vectors of SVSM manifests.

mod common;

use std::path::Path;

use common::{array, hex, json, shared, unhex};
use tsm_snp::hcl::HclReport;
use tsm_snp::report::{ChipId, Finding, Generation, HardwareId, SigningKey, TcbVersion, Versions};
use tsm_snp::svsm::{self, EndorsementKey, EndorsementKeyKind, ServicesManifest, VTPM_SERVICE};
use tsm_snp::{ErrorKind, REPORT_SIZE, Report};

struct Case {
    name: String,
    bytes: Vec<u8>,
    expected: serde_json::Value,
}

fn cases(folder: &Path) -> Vec<Case> {
    let list = json(&folder.join("manifest.json"));
    let list = list.as_array().unwrap();
    let case = |expected: &serde_json::Value| {
        let file = std::fs::read(folder.join(expected["report"].as_str().unwrap())).unwrap();
        let offset = usize::try_from(expected["offset"].as_u64().unwrap()).unwrap();
        Case {
            name: expected["name"].as_str().unwrap().to_owned(),
            bytes: file[offset..offset + REPORT_SIZE].to_vec(),
            expected: expected.clone(),
        }
    };
    list.iter().map(case).collect()
}

#[test]
fn every_report_has_its_values() {
    let Some(folder) = shared("snp") else { return };
    let cases = cases(&folder);
    assert!(cases.len() >= 26);
    let mut versions = [0; 6];
    for Case { name, bytes, expected } in &cases {
        let report =
            Report::parse(bytes, Versions::KNOWN).unwrap_or_else(|e| panic!("{name}: {e}"));
        let text = |field: &str| expected[field].as_str().unwrap();
        let number = |field: &str| u64::from_str_radix(&text(field)[2..], 16).unwrap();
        let firmware = |(major, minor, build): (u8, u8, u8)| format!("{major}.{minor}.{build}");
        let tcb = |field| TcbVersion(array(text(field)));
        versions[report.version() as usize] += 1;

        assert_eq!(u64::from(report.version()), expected["version"], "{name}");
        assert_eq!(u64::from(report.vmpl()), expected["vmpl"], "{name}");
        assert_eq!(u64::from(report.guest_svn()), expected["guest_svn"], "{name}");
        assert_eq!(report.policy().0, number("policy"), "{name}");
        assert_eq!(report.platform_info().0, number("platform_info"), "{name}");
        assert_eq!(u64::from(report.key_info().0), number("key_info"), "{name}");
        assert_eq!(firmware(report.current_firmware()), text("fw_current"), "{name}");
        assert_eq!(firmware(report.committed_firmware()), text("fw_committed"), "{name}");
        assert_eq!(report.current_tcb(), tcb("tcb_current"), "{name}");
        assert_eq!(report.reported_tcb(), tcb("tcb_reported"), "{name}");
        assert_eq!(report.committed_tcb(), tcb("tcb_committed"), "{name}");
        assert_eq!(report.launch_tcb(), tcb("tcb_launch"), "{name}");
        let launch = report.launch_mitigation_vector();
        assert_eq!(launch.unwrap_or(0), number("launch_mit"), "{name}");
        assert_eq!(
            report.current_mitigation_vector().unwrap_or(0),
            number("current_mit"),
            "{name}"
        );
        assert_eq!(launch.is_some(), report.version() == 5, "{name}");
        for (field, bytes) in [
            ("report_data", &report.report_data()[..]),
            ("measurement", report.measurement()),
            ("host_data", report.host_data()),
            ("id_key_digest", report.id_key_digest()),
            ("author_key_digest", report.author_key_digest()),
            ("report_id", report.report_id()),
            ("chip_id", &report.chip_id().0),
        ] {
            assert_eq!(bytes, unhex(text(field)), "{name}: {field}");
        }
        let processor = report.processor();
        let processor =
            processor.map(|p| format!("{:02x}{:02x}{:02x}", p.family, p.model, p.stepping));
        assert_eq!(processor.as_deref(), expected["cpuid_fms"].as_str(), "{name}");
        let generation = report.generation().map(|g| g.name().to_lowercase());
        match report.version() {
            2 => assert_eq!(generation, None, "{name}"),
            _ => assert_eq!(generation.as_deref(), Some(text("generation")), "{name}"),
        }
        assert!(report.check_reserved().is_ok(), "{name}");
        assert_eq!(report.signed_bytes(), &bytes[..0x2A0]);
        let signature = report.signature();
        let (r, mut s) = (signature.r().unwrap(), signature.s().unwrap());
        s.reverse();
        assert_eq!((s, r[47]), (array(&hex(&bytes[0x2E8..0x318])), bytes[0x2A0]), "{name}");
    }
    assert!(versions[2] > 0 && versions[3] > 0 && versions[5] > 0);
}

/// Generation and components of the TCB come out as the endorsement certificate has them.
#[test]
fn components_as_in_the_certificate() {
    let Some(folder) = shared("snp") else { return };
    let mut compared = 0;
    for Case { name, bytes, expected } in cases(&folder) {
        let report = Report::parse(&bytes, Versions::KNOWN).unwrap();
        let (Some(vek), Some(product)) =
            (expected["vek"].as_str(), expected["vek_info"]["product"].as_str())
        else {
            continue;
        };
        let generation = Generation::of_certificate(product).unwrap();
        assert!(report.generation().is_none_or(|own| own == generation), "{name}");
        let vek = std::fs::read(folder.join(vek)).unwrap();
        let tcb = report.reported_tcb().of(generation);
        // 1.3.6.1.4.1.3704.1.3.n, then an OCTET STRING of an INTEGER.
        let spl = |n: u8| {
            let oid = [0x2B, 6, 1, 4, 1, 0x9C, 0x78, 1, 3, n];
            let at = vek.windows(oid.len()).position(|window| window == oid)? + oid.len();
            assert_eq!((vek[at], vek[at + 2]), (4, 2));
            vek[at + 4..][..usize::from(vek[at + 3])].last().copied()
        };
        let own =
            (Some(tcb.boot_loader), Some(tcb.tee), Some(tcb.snp), Some(tcb.microcode), tcb.fmc);
        let matches = own == (spl(1), spl(2), spl(3), spl(8), spl(9));
        assert_eq!(Some(matches), expected["expect"]["tcb_matches_vek"].as_bool(), "{name}");
        // hwID: 1.3.6.1.4.1.3704.1.4.
        let oid = [0x2B, 6, 1, 4, 1, 0x9C, 0x78, 1, 4, 4];
        let id = vek.windows(oid.len()).position(|window| window == oid).map(|at| {
            let at = at + oid.len();
            let value = &vek[at + 1..at + 1 + usize::from(vek[at])];
            HardwareId::of_extension(value, generation).unwrap()
        });
        let same = id.map(|id| id.is(&report.chip_id()));
        assert_eq!(same, expected["expect"]["hwid_matches"].as_bool(), "{name}");
        let signed_by = report.key_info().signing_key();
        assert_eq!(signed_by == SigningKey::Vlek, id.is_none(), "{name}");
        compared += 1;
    }
    assert!(compared >= 20);
}

/// Both encodings of a hardware id in certificates that somebody made.
#[test]
fn hardware_ids_raw_and_wrapped() {
    let Some(folder) = shared("snp/negative") else { return };
    for (file, wrapped) in [
        ("vcek_invalid_sig_legacy_hwid.der", false),
        ("vcek_invalid_sig_octetstring_hwid.der", true),
    ] {
        let vek = std::fs::read(folder.join(file)).unwrap();
        let oid = [0x2B, 6, 1, 4, 1, 0x9C, 0x78, 1, 4, 4];
        let at = vek.windows(oid.len()).position(|window| window == oid).unwrap() + oid.len();
        let value = &vek[at + 1..at + 1 + usize::from(vek[at])];
        assert_eq!(value.len(), if wrapped { 66 } else { 64 }, "{file}");
        let id = HardwareId::of_extension(value, Generation::Milan).unwrap();
        assert_eq!(id.as_bytes(), &value[value.len() - 64..], "{file}");
        assert!(!id.is(&ChipId([0; 64])));
    }
}

/// What the data's index says is odd: nothing else is found.
#[test]
fn findings_of_real_reports() {
    let Some(folder) = shared("snp") else { return };
    for Case { name, bytes, expected } in cases(&folder) {
        let report = Report::parse(&bytes, Versions::KNOWN).unwrap();
        let found: Vec<_> = report.findings().collect();
        let debug = expected["policy"] == "0xb0000";
        assert_eq!(found.contains(&Finding::Debug), debug, "{name}");
        let masked = expected["chip_id"].as_str().unwrap().bytes().all(|digit| digit == b'0');
        assert_eq!(found.contains(&Finding::MaskedChip), masked, "{name}");
        let provisional = expected["tcb_current"] != expected["tcb_committed"]
            || expected["fw_current"] != expected["fw_committed"];
        assert!(provisional || !found.contains(&Finding::Provisional), "{name}");
        let others = found.iter().filter(|finding| {
            !matches!(finding, Finding::Debug | Finding::MaskedChip | Finding::Provisional)
        });
        assert_eq!(others.count(), 0, "{name}: {found:?}");
    }
}

#[test]
fn cut_grown_and_of_other_versions() {
    let Some(folder) = shared("snp") else { return };
    let negative = |name: &str| std::fs::read(folder.join("negative").join(name)).unwrap();
    let kind = |bytes: &[u8]| Report::parse(bytes, Versions::KNOWN).unwrap_err().kind();
    assert_eq!(kind(&negative("lit_guest_report_bad_sig.bin")), ErrorKind::Size);
    assert_eq!(kind(&negative("lit_guest_report_corrupt.bin")), ErrorKind::Truncated);
    let mut bytes = cases(&folder)[0].bytes.clone();
    for size in 0..REPORT_SIZE {
        assert_eq!(kind(&bytes[..size]), ErrorKind::Truncated);
    }
    for version in [0, 1, 4, 6, 255] {
        bytes[0] = version;
        assert_eq!(kind(&bytes), ErrorKind::Version(version.into()));
    }
    bytes[0] = 4;
    assert_eq!(Report::parse(&bytes, Versions::WITH_FOURTH).unwrap().version(), 4);
    bytes[0] = 6;
    assert!(Report::parse(&bytes, Versions::WITH_FOURTH).is_err());
    // Reserved bits: read, but found.
    bytes[0] = 3;
    bytes[0x3FF] = 1;
    let error = Report::parse(&bytes, Versions::KNOWN).unwrap().check_reserved().unwrap_err();
    assert_eq!((error.kind(), error.offset()), (ErrorKind::Reserved, Some(0x3FF)));
    // A signature with more than 48 bytes is none.
    bytes[0x2A0 + 48] = 1;
    assert_eq!(Report::parse(&bytes, Versions::KNOWN).unwrap().signature().r(), None);
}

#[test]
fn paravisor_reports() {
    let Some(folder) = shared("snp/azure") else { return };
    let mut seen = 0;
    for entry in std::fs::read_dir(&folder).unwrap() {
        let folder = entry.unwrap().path();
        let Ok(bytes) = std::fs::read(folder.join("hcl_report.bin")) else { continue };
        let name = folder.display();
        let hcl =
            HclReport::parse(&bytes, Versions::KNOWN).unwrap_or_else(|e| panic!("{name}: {e}"));
        let report = std::fs::read(folder.join("report.bin")).unwrap();
        assert_eq!(hcl.report().as_bytes(), report, "{name}");
        let claims = std::fs::read(folder.join("var_data.json")).unwrap();
        assert_eq!(hcl.claims(), claims, "{name}");
        assert_eq!(hcl.check_binding(), Ok(()), "{name}");
        // Every byte of the claims is bound, and every byte of REPORT_DATA.
        let places = (0x20 + 0x50..0x20 + 0x90).chain((0x4D4..0x4D4 + claims.len()).step_by(7));
        for place in places {
            let mut changed = bytes.clone();
            changed[place] ^= 1;
            let bound = HclReport::parse(&changed, Versions::KNOWN).unwrap().check_binding();
            assert_eq!(bound.unwrap_err().kind(), ErrorKind::Binding, "{name}: {place}");
        }
        for size in (0..0x4D4 + claims.len()).step_by(13) {
            assert!(HclReport::parse(&bytes[..size], Versions::KNOWN).is_err(), "{name}: {size}");
        }
        for (place, kind) in [
            (0, ErrorKind::Signature),
            (0x4C0, ErrorKind::Size),
            (0x4D0, ErrorKind::Size),
            (0x4C8, ErrorKind::Value),
        ] {
            let mut changed = bytes.clone();
            changed[place] ^= 1;
            let error = HclReport::parse(&changed, Versions::KNOWN).unwrap_err();
            assert_eq!(
                (error.kind(), error.offset()),
                (kind, Some(if place == 0x4D0 { 0x4C0 } else { place }))
            );
        }
        seen += 1;
    }
    assert!(seen >= 8);
}

/// Manifests and REPORT_DATA that another program made of the SVSM's source.
#[test]
fn svsm_manifests() {
    let Some(folder) = shared("snp/synthetic") else { return };
    let vectors = json(&folder.join("svsm_kat.json"));
    let nonce: [u8; 64] = array(vectors["nonce"].as_str().unwrap());
    let manifest = |name: &str| {
        let file = vectors[name]["manifest"].as_str().unwrap();
        let bytes = std::fs::read(folder.join(file)).unwrap();
        let expected = unhex(vectors[name]["report_data"].as_str().unwrap());
        assert_eq!(svsm::report_data(&nonce, &bytes).to_vec(), expected, "{name}");
        bytes
    };
    let vtpm = manifest("single_service_vtpm");
    let key = EndorsementKey::parse(&vtpm).unwrap();
    let EndorsementKeyKind::Rsa { bits, exponent, modulus } = key.kind else { panic!("{key:?}") };
    assert_eq!((bits, exponent, modulus.len(), key.name_algorithm), (2048, 0, 256, 0x0B));
    assert_eq!((key.policy.len(), key.policy[0], key.policy[31]), (32, 0x83, 0xAA));
    // Another scheme without a hash (RSAES) in the place of none.
    let mut rsaes = vtpm.clone();
    assert_eq!(rsaes[48..50], [0, 0x10]);
    rsaes[49] = 0x15;
    assert_eq!(EndorsementKey::parse(&rsaes).unwrap().kind, key.kind);
    for size in 0..vtpm.len() {
        assert_eq!(EndorsementKey::parse(&vtpm[..size]).unwrap_err().kind(), ErrorKind::Truncated);
    }
    let mut longer = vtpm.clone();
    longer.push(0);
    assert_eq!(EndorsementKey::parse(&longer).unwrap_err().kind(), ErrorKind::Size);

    let one = manifest("services_one");
    let services = ServicesManifest::parse(&one).unwrap();
    assert_eq!(services.services().count(), 1);
    assert_eq!(services.find(VTPM_SERVICE), Some(&vtpm[..]));
    let none = manifest("services_empty");
    assert_eq!(ServicesManifest::parse(&none).unwrap().services().count(), 0);

    let kind = |bytes: &[u8]| ServicesManifest::parse(bytes).unwrap_err().kind();
    for size in 0..one.len() {
        let expected = if size < 24 { ErrorKind::Truncated } else { ErrorKind::Size };
        assert_eq!(kind(&one[..size]), expected, "{size}");
    }
    let changed = |place: usize, value: u8| {
        let mut bytes = one.clone();
        bytes[place] = value;
        kind(&bytes)
    };
    assert_eq!(changed(0, 0), ErrorKind::Signature);
    assert_eq!(changed(20, 17), ErrorKind::Count);
    assert_eq!(changed(20, 16), ErrorKind::Truncated);
    assert_eq!(changed(40, 47), ErrorKind::Overlap);
    assert_eq!(changed(44, 0xFF), ErrorKind::Range);
    // The same service twice, and two that share bytes.
    let mut two = one[..24].to_vec();
    two[20] = 2;
    for offset in [72_u32, 80] {
        two.extend(&one[24..40]);
        two.extend(offset.to_le_bytes());
        two.extend(8_u32.to_le_bytes());
    }
    two.extend([0; 16]);
    two[16..20].copy_from_slice(&88_u32.to_le_bytes());
    assert_eq!(kind(&two), ErrorKind::Duplicate);
    two[24] ^= 1;
    assert!(ServicesManifest::parse(&two).is_ok());
    two[64] = 79;
    assert_eq!(kind(&two), ErrorKind::Overlap);
}
