// SPDX-License-Identifier: MIT OR Apache-2.0
//! Reports and certificates of the model, read by others: the adapter's parser, and the crates for
//! signatures and certificates.

use p384::ecdsa::signature::Verifier as _;
use p384::ecdsa::{Signature, VerifyingKey};
use p384::pkcs8::DecodePublicKey as _;
use rsa::PublicKey;
use rsa::pss;
use serde_json::Value;
use sha2::Sha384;
use tsm_sim::snp::authority::{
    certificate_table, chip_authority_certificate, endorsement_certificate,
    provider_authority_certificate, root_certificate,
};
use tsm_sim::snp::{Chip, Firmware, Host, ReportVersion};
use tsm_snp::report::{ChipId, Generation, HardwareId, Report, SigningKey, Versions};
use tsm_snp::{
    CertificateKind, CertificateTable, Certificates, GuestMessages, REPORT_SIZE, ReportRequest,
    VmpckIndex, Vmpl,
};
use tsm_test_support::shared;
use x509_cert::Certificate;
use x509_cert::der::{Decode as _, Encode as _};

const GENERATIONS: [Generation; 4] =
    [Generation::Milan, Generation::Genoa, Generation::Turin, Generation::Venice];

fn spki(certificate: &Certificate) -> Vec<u8> {
    certificate.tbs_certificate().subject_public_key_info().to_der().unwrap()
}

/// Whether `issuer` has signed `certificate` as AMD's do.
fn signed_by(certificate: &Certificate, issuer: &Certificate) -> bool {
    // RSASSA-PSS with SHA-384, MGF1 with SHA-384, 48 bytes of salt.
    let algorithm = certificate.signature_algorithm().to_der().unwrap();
    const PSS: &[u8] = b"\x30\x41\x06\x09\x2A\x86\x48\x86\xF7\x0D\x01\x01\x0A\x30\x34\
        \xA0\x0F\x30\x0D\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x02\x05\x00\
        \xA1\x1C\x30\x1A\x06\x09\x2A\x86\x48\x86\xF7\x0D\x01\x01\x08\x30\x0D\
        \x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x02\x05\x00\xA2\x03\x02\x01\x30";
    assert_eq!(algorithm, PSS);
    let key = PublicKey::from_public_key_der(&spki(issuer)).unwrap();
    let key = pss::VerifyingKey::<Sha384>::new(key);
    let signature = pss::Signature::try_from(certificate.signature().raw_bytes()).unwrap();
    key.verify(&certificate.tbs_certificate().to_der().unwrap(), &signature).is_ok()
}

fn report_key(certificate: &Certificate) -> VerifyingKey {
    VerifyingKey::from_public_key_der(&spki(certificate)).unwrap()
}

fn is_signed(report: &Report, key: &VerifyingKey) -> bool {
    let (r, s) = (report.signature().r().unwrap(), report.signature().s().unwrap());
    let Ok(signature) = Signature::from_scalars(r, s) else { return false };
    key.verify(report.signed_bytes(), &signature).is_ok()
}

/// Through the whole of it: guest messages, the host's table, the chain, the signature.
#[test]
fn from_the_report_to_the_root() {
    for generation in GENERATIONS {
        for vlek in [false, true] {
            let mut firmware = Firmware::new(Chip::new("chain", generation));
            if vlek {
                firmware = firmware.with_vlek();
            }
            let table = certificate_table(&firmware);
            let key = firmware.vmpck(VmpckIndex::ALL[0]);
            let host = Host::new(firmware).with_certificates(table);
            let mut guest = GuestMessages::new(key, host);
            let (mut report, mut room) = ([0; REPORT_SIZE], vec![0; 4 * 4096]);
            let request = ReportRequest::new([9; 64], Vmpl::VMPL0);
            let came = guest.report_with_certificates(&request, &mut report, &mut room).unwrap();
            assert_eq!(came, Certificates::Copied);

            let table = CertificateTable::parse(&room).unwrap();
            let find = |kind| {
                let entry = table.find(kind).unwrap();
                Certificate::from_der(entry.as_bytes()).unwrap()
            };
            let kind = if vlek { CertificateKind::Vlek } else { CertificateKind::Vcek };
            assert_eq!(table.entries().count(), 3);
            let (leaf, authority) = (find(kind), find(CertificateKind::Ask));
            let root = find(CertificateKind::Ark);
            assert!(signed_by(&root, &root) && signed_by(&authority, &root));
            assert!(signed_by(&leaf, &authority) && !signed_by(&leaf, &root));
            let report = Report::parse(&report, Versions::KNOWN).unwrap();
            assert!(is_signed(report, &report_key(&leaf)));
            for certificate in [&leaf, &authority, &root] {
                let tbs = certificate.tbs_certificate();
                for name in [tbs.subject(), tbs.issuer()] {
                    assert!(name.to_string().contains("O=SIMULATED"), "{name}");
                }
            }
            // Names and numbers as AMD's: by them verifiers find the generation and the key's kind.
            let name = |certificate: &Certificate| {
                let name = certificate.tbs_certificate().subject().to_string();
                name.split("CN=").nth(1).unwrap().split([',', '+']).next().unwrap().to_owned()
            };
            assert_eq!(Generation::of_certificate(&name(&authority)), Some(generation));
            assert_eq!(Generation::of_certificate(&name(&root)), Some(generation));
            assert_eq!(name(&leaf), if vlek { "SEV-VLEK" } else { "SEV-VCEK" });
            let issuer = leaf.tbs_certificate().issuer();
            assert_eq!(issuer, authority.tbs_certificate().subject());
        }
    }
}

/// Every bit of the signed bytes counts; another chip's and another TCB's key do not verify.
#[test]
fn signatures() {
    let firmware = Firmware::new(Chip::new("signatures", Generation::Genoa));
    let certificate = |firmware: &Firmware| {
        let der = endorsement_certificate(firmware, SigningKey::Vcek).unwrap();
        report_key(&Certificate::from_der(&der).unwrap())
    };
    let key = certificate(&firmware);
    let bytes = firmware.report(&[1; 64], 0, SigningKey::Vcek);
    assert!(is_signed(Report::parse(&bytes, Versions::KNOWN).unwrap(), &key));
    for place in (4..0x2A0).step_by(13) {
        let mut changed = bytes;
        changed[place] ^= 1 << (place % 8);
        assert!(!is_signed(Report::parse(&changed, Versions::KNOWN).unwrap(), &key), "{place:#x}");
    }
    let report = Report::parse(&bytes, Versions::KNOWN).unwrap();
    let other = Firmware::new(Chip::new("other", Generation::Genoa));
    assert!(!is_signed(report, &certificate(&other)));
    let mut updated = firmware.clone();
    updated.tcb_versions_mut().reported.snp += 1;
    assert!(!is_signed(report, &certificate(&updated)));
    // The VLEK is the same for all chips of a generation.
    let vlek = |name, generation| {
        let firmware = Firmware::new(Chip::new(name, generation)).with_vlek();
        endorsement_certificate(&firmware, SigningKey::Vlek).unwrap()
    };
    assert_eq!(vlek("one", Generation::Milan), vlek("two", Generation::Milan));
    assert_ne!(vlek("one", Generation::Milan), vlek("one", Generation::Genoa));
    assert_eq!(endorsement_certificate(&firmware, SigningKey::None), None);
    let masked = firmware.with_chip_key_masked();
    assert_eq!(certificate_table(&masked), [0; 24]);
}

/// Each version of each generation: what a reader makes of it.
#[test]
fn layouts() {
    for generation in GENERATIONS {
        for version in ReportVersion::ALL {
            let chip = Chip::new("layouts", generation);
            let firmware = Firmware::new(chip).with_report_version(version);
            let bytes = firmware.report(&[3; 64], 1, SigningKey::Vcek);
            let report = Report::parse(&bytes, Versions::KNOWN).unwrap();
            assert_eq!(report.check_reserved(), Ok(()));
            assert_eq!((report.version(), report.vmpl()), (version.number(), 1));
            assert_eq!(report.report_data(), &[3; 64]);
            let known = version != ReportVersion::V2;
            assert_eq!(report.generation(), known.then_some(generation));
            let tcb = &firmware.tcb_versions().reported;
            assert_eq!(report.reported_tcb().of(generation), *tcb);
            assert_eq!(report.chip_id(), ChipId(chip.id()));
            let vector = (version == ReportVersion::V5).then_some(0b11);
            assert_eq!(report.current_mitigation_vector(), vector);
            assert_eq!(report.signature_algorithm(), Report::ECDSA_P384_SHA384);
            assert_eq!(report.current_firmware(), (1, 55, 31));
            assert_eq!(report.policy().0, 0x3_0000);
        }
    }
    let firmware = Firmware::new(Chip::new("layouts", Generation::Milan));
    let host = firmware.host_report();
    let host = Report::parse(&host, Versions::KNOWN).unwrap();
    assert_eq!((host.vmpl(), host.report_data()), (Report::HOST, &[0; 64]));
    let masked = firmware.with_chip_key_masked().with_chip_id_masked();
    let masked = masked.report(&[0; 64], 0, SigningKey::None);
    let masked = Report::parse(&masked, Versions::KNOWN).unwrap();
    assert!(masked.chip_id().is_masked() && masked.signature().r() == Some([0; 48]));
    assert_eq!(masked.key_info().signing_key(), SigningKey::None);
}

/// The numbers below AMD's arc, with the extension's bytes.
fn extensions(certificate: &Certificate) -> Vec<(String, Vec<u8>)> {
    let all = certificate.tbs_certificate().extensions().into_iter().flatten();
    let own = all.filter_map(|extension| {
        let id = extension.extn_id.to_string();
        let id = id.strip_prefix("1.3.6.1.4.1.3704.1.")?.to_owned();
        Some((id, extension.extn_value.as_bytes().to_vec()))
    });
    let mut own: Vec<_> = own.collect();
    own.sort();
    own
}

#[test]
fn what_endorsement_certificates_say() {
    let of = |generation, which| {
        let firmware = Firmware::new(Chip::new("extensions", generation)).with_vlek();
        let der = endorsement_certificate(&firmware, which).unwrap();
        let certificate = Certificate::from_der(&der).unwrap();
        assert!(certificate.tbs_certificate().serial_number().as_bytes().iter().all(|b| *b == 0));
        (*firmware.chip(), extensions(&certificate))
    };
    let value = |list: &[(String, Vec<u8>)], id: &str| {
        list.iter().find(|(one, _)| one == id).map(|(_, value)| value.clone())
    };
    let (chip, milan) = of(Generation::Milan, SigningKey::Vcek);
    assert_eq!(value(&milan, "1").unwrap(), [2, 1, 0]);
    assert_eq!(value(&milan, "2").unwrap(), b"\x16\x08Milan-B0");
    assert_eq!(value(&milan, "3.1").unwrap(), [2, 1, 4]);
    assert_eq!(value(&milan, "3.3").unwrap(), [2, 1, 24]);
    // 219 takes two bytes.
    assert_eq!(value(&milan, "3.8").unwrap(), [2, 2, 0, 219]);
    assert_eq!(value(&milan, "3.9"), None);
    let id = value(&milan, "4").unwrap();
    assert_eq!(id, chip.id());
    assert!(HardwareId::of_extension(&id, Generation::Milan).is_ok());
    let (chip, turin) = of(Generation::Turin, SigningKey::Vcek);
    assert_eq!(value(&turin, "1").unwrap(), [2, 1, 1]);
    assert_eq!((value(&turin, "3.4"), value(&turin, "3.9")), (None, Some(vec![2, 1, 1])));
    assert_eq!(value(&turin, "4").unwrap(), chip.id()[..8]);
    let (_, vlek) = of(Generation::Milan, SigningKey::Vlek);
    assert_eq!((value(&vlek, "4"), value(&vlek, "2")), (None, Some(b"\x16\x05Milan".to_vec())));
    assert_eq!(value(&vlek, "5").unwrap()[2..], *b"CN=SIMULATED provider");
}

/// Real certificates have the same extensions, of the same types.
#[test]
fn as_real_certificates() {
    let Some(folder) = shared("snp") else { return };
    let manifest = std::fs::read(folder.join("manifest.json")).unwrap();
    let manifest: Value = serde_json::from_slice(&manifest).unwrap();
    let cases = manifest["cases"].as_array().or(manifest.as_array()).unwrap();
    let mut compared = Vec::new();
    for case in cases {
        let Some(path) = case["vek"].as_str() else { continue };
        let real = std::fs::read(folder.join(path)).unwrap();
        let Ok(real) = Certificate::from_der(&real) else { continue };
        let real = extensions(&real);
        let product = real.iter().find(|(id, _)| id == "2").unwrap();
        let product = str::from_utf8(&product.1[2..]).unwrap();
        let generation = Generation::of_certificate(product).unwrap();
        let is_vlek = real.iter().any(|(id, _)| id == "5");
        let which = if is_vlek { SigningKey::Vlek } else { SigningKey::Vcek };
        let firmware = Firmware::new(Chip::new("real", generation)).with_vlek();
        let own = endorsement_certificate(&firmware, which).unwrap();
        let own = extensions(&Certificate::from_der(&own).unwrap());
        // An id has no type; what it is wrapped in differs with age.
        let shape = |list: &[(String, Vec<u8>)]| -> Vec<(String, Option<u8>)> {
            let shape =
                list.iter().map(|(id, value)| (id.clone(), (id != "4").then_some(value[0])));
            shape.collect()
        };
        assert_eq!(shape(&own), shape(&real), "{path}");
        compared.push((generation, is_vlek));
    }
    for generation in [Generation::Milan, Generation::Genoa, Generation::Turin] {
        assert!(compared.contains(&(generation, false)), "{generation}");
    }
    assert!(compared.iter().any(|(_, is_vlek)| *is_vlek));
}

/// A certificate is the same each time, and the authorities' are of what they say.
#[test]
fn authorities() {
    for generation in [Generation::Milan, Generation::Turin] {
        let root = root_certificate(generation);
        assert_eq!(root, root_certificate(generation));
        let root = Certificate::from_der(&root).unwrap();
        for (der, low) in [
            (chip_authority_certificate(generation), 0x01),
            (provider_authority_certificate(generation), 0x101),
        ] {
            let certificate = Certificate::from_der(&der).unwrap();
            assert!(signed_by(&certificate, &root));
            let number = |certificate: &Certificate| {
                let bytes = certificate.tbs_certificate().serial_number().as_bytes().to_vec();
                bytes.iter().fold(0_u32, |number, byte| number << 8 | u32::from(*byte))
            };
            assert_eq!(number(&certificate), number(&root) + low);
            // RSA-4096.
            let key = PublicKey::from_public_key_der(&spki(&certificate)).unwrap();
            assert_eq!(rsa::traits::PublicKeyParts::size(&key), 512);
        }
    }
}
