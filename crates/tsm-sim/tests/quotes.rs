// SPDX-License-Identifier: MIT OR Apache-2.0
//! Quotes of the simulator are read by the adapter's layouts and verified here step by step: quote's
//! signature, binding of the key, quoting enclave's signature, chain. The order is that of Intel's
//! quote verification library.

use std::collections::BTreeMap;

use p256::ecdsa::signature::Verifier as _;
use p256::ecdsa::{DerSignature, Signature, VerifyingKey};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use tsm_sim::tdx::quoting::{
    Collateral, Levels, QuoteForm, QuotingEnclave, TcbStatus, Window, authority,
};
use tsm_sim::tdx::{Cpu, Module};
use tsm_tdx::layout::{CertificationData, Finding, Quote, QuoteBody, TdxQuoteVersion};
use tsm_tdx::{ExtendBuffer, RtmrIndex, Td};
use x509_cert::Certificate;
use x509_cert::crl::CertificateList;
use x509_cert::der::asn1::OctetString;
use x509_cert::der::oid::AssociatedOid as _;
use x509_cert::der::{Decode as _, Encode as _, Tagged as _};
use x509_cert::ext::Extension;
use x509_cert::ext::pkix::{AuthorityKeyIdentifier, BasicConstraints, SubjectKeyIdentifier};

/// A machine that has been used.
fn machine() -> Module {
    let mut module = Module::new(Cpu::new("quotes"));
    for index in RtmrIndex::ALL {
        let mut td = Td::new(&mut module).unwrap();
        td.extend(index, &ExtendBuffer::new(&[index.number() as u8; 48])).unwrap();
    }
    let td = module.td_mut();
    (td.mr_config_id, td.mr_owner, td.mr_owner_config) = ([0xC0; 48], [0xC1; 48], [0xC2; 48]);
    td.servtd_hash = [0xC3; 48];
    module.tcb_info_mut().tee_tcb_svn_2.minor = 7;
    module
}

fn quote(module: &Module, form: QuoteForm, data: &[u8; 64]) -> Vec<u8> {
    QuotingEnclave::new(module.cpu()).quote(form, module.report(data).as_bytes()).unwrap()
}

/// What a verifier finds, step by step.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Steps {
    signature: bool,
    binding: bool,
    enclave: bool,
    chain: bool,
}

impl Steps {
    const GOOD: Self = Self { signature: true, binding: true, enclave: true, chain: true };
}

fn key(point: &[u8]) -> Option<VerifyingKey> {
    VerifyingKey::from_sec1_bytes(&[&[4], point].concat()).ok()
}

fn signed_by(key: Option<VerifyingKey>, message: &[u8], signature: &[u8]) -> bool {
    let signature = Signature::from_slice(signature);
    key.zip(signature.ok()).is_some_and(|(key, signature)| key.verify(message, &signature).is_ok())
}

fn key_of(certificate: &Certificate) -> Option<VerifyingKey> {
    let key = certificate.tbs_certificate().subject_public_key_info();
    VerifyingKey::from_sec1_bytes(key.subject_public_key.as_bytes()?).ok()
}

fn issued_by(issuer: &Certificate, message: &[u8], signature: &[u8]) -> bool {
    let signature = DerSignature::from_bytes(signature).ok();
    let key = key_of(issuer).zip(signature);
    key.is_some_and(|(key, signature)| key.verify(message, &signature).is_ok())
}

/// Signatures, names and limits of a chain from a leaf to the root.
fn chain_holds(chain: &[Certificate]) -> bool {
    let root = chain.last().unwrap();
    let issuers = chain.iter().skip(1).chain([root]);
    let signed = chain.iter().zip(issuers).all(|(certificate, issuer)| {
        let tbs = certificate.tbs_certificate();
        issued_by(issuer, &tbs.to_der().unwrap(), certificate.signature().raw_bytes())
            && tbs.issuer() == issuer.tbs_certificate().subject()
            && issuer.tbs_certificate().get_extension::<BasicConstraints>().unwrap().unwrap().1.ca
    });
    signed && root.to_der().unwrap() == authority::root_certificate()
}

fn verify(quote: &Quote<'_>) -> Steps {
    let data = quote.signature_data();
    let CertificationData::PckChain(chain) = data.certification() else { panic!("no chain") };
    let chain = Certificate::load_pem_chain(chain.pem()).unwrap_or_default();
    let report = data.qe_report();
    let bound = Sha256::new_with_prefix(data.attestation_key());
    let bound = bound.chain_update(data.qe_authentication()).finalize();
    Steps {
        signature: signed_by(key(data.attestation_key()), quote.signed(), data.signature()),
        binding: report.report_data[..32] == bound[..] && report.report_data[32..] == [0; 32],
        enclave: chain
            .first()
            .is_some_and(|leaf| signed_by(key_of(leaf), report.as_bytes(), data.qe_signature())),
        chain: chain.len() == 3 && chain_holds(&chain),
    }
}

#[test]
fn every_form_parses_and_verifies() {
    let module = machine();
    for form in QuoteForm::ALL {
        let bytes = quote(&module, form, &[0x77; 64]);
        let quote = Quote::parse(&bytes).unwrap();
        let (version, signed) = match form {
            QuoteForm::V4 => (TdxQuoteVersion::V4, 632),
            QuoteForm::V5Td10 => (TdxQuoteVersion::V5, 638),
            QuoteForm::V5Td15 => (TdxQuoteVersion::V5, 702),
        };
        assert_eq!((quote.version(), quote.signed().len()), (version, signed));
        assert_eq!(verify(&quote), Steps::GOOD, "{form:?}");
        let body = quote.body().td().unwrap();
        let (td, tcb) = (module.td(), module.tcb_info());
        assert_eq!(body.rtmrs, td.rtmrs);
        assert_eq!((body.mr_td, body.mr_config_id), (td.mr_td, td.mr_config_id));
        assert_eq!((body.mr_owner, body.mr_owner_config), (td.mr_owner, td.mr_owner_config));
        assert_eq!((body.td_attributes, body.xfam), (td.attributes, td.xfam));
        assert_eq!((body.mr_seam, body.tee_tcb_svn), (tcb.mr_seam, tcb.tee_tcb_svn));
        assert_eq!(body.report_data, [0x77; 64]);
        match quote.body() {
            QuoteBody::Td15(body) => {
                assert_eq!(form, QuoteForm::V5Td15);
                assert_eq!(body.tee_tcb_svn_2.minor, 7);
                assert_eq!(body.mr_service_td, td.servtd_hash);
            }
            _ => assert_ne!(form, QuoteForm::V5Td15),
        }
        assert!(quote.trailing().is_empty());
        // The one thing that is odd is the sign that nothing here is Intel's.
        assert_eq!(quote.findings().collect::<Vec<_>>(), [Finding::SeamSigner]);
    }
}

/// REPORTDATA moves, the measurements do not.
#[test]
fn measurements_stay() {
    let module = machine();
    for form in QuoteForm::ALL {
        let (one, two) = (quote(&module, form, &[1; 64]), quote(&module, form, &[2; 64]));
        let (one, two) = (Quote::parse(&one).unwrap(), Quote::parse(&two).unwrap());
        let (mut left, mut right) = (*one.body().td().unwrap(), *two.body().td().unwrap());
        assert_ne!(left.report_data, right.report_data);
        (left.report_data, right.report_data) = ([0; 64], [0; 64]);
        assert_eq!(left, right);
        assert_eq!(one.header(), two.header());
        assert_ne!(one.signature_data().signature(), two.signature_data().signature());
    }
}

#[test]
fn quotes_are_made_at_home_only() {
    let report = machine().report(&[0; 64]);
    let elsewhere = QuotingEnclave::new(&Cpu::new("elsewhere"));
    assert_eq!(elsewhere.quote(QuoteForm::V4, report.as_bytes()), None);
    let home = QuotingEnclave::new(machine().cpu());
    for place in [0, 20, 40, 100, 130, 230, 260, 600, 730, 1023] {
        let mut changed = *report.as_bytes();
        changed[place] ^= 1;
        assert_eq!(home.quote(QuoteForm::V4, &changed), None, "byte {place}");
    }
    // Two machines have two keys, and the same machine always the same.
    let one = quote(&machine(), QuoteForm::V4, &[0; 64]);
    assert_eq!(one, quote(&machine(), QuoteForm::V4, &[0; 64]));
    let mut other = Module::new(Cpu::new("another"));
    *other.td_mut() = *machine().td();
    let other = quote(&other, QuoteForm::V4, &[0; 64]);
    assert_eq!(one[48..632], other[48..632]);
    assert_ne!(one[636..], other[636..]);
}

/// Where a changed bit shows: in the table that real quotes gave.
#[test]
fn flipped_bits() {
    let module = machine();
    for form in [QuoteForm::V4, QuoteForm::V5Td15] {
        let good = quote(&module, form, &[3; 64]);
        let signed = Quote::parse(&good).unwrap().signed().len();
        // Signature, key, type and size, report, signature, size, data.
        let ends = [4, 64, 64, 6, 384, 64, 2, 32].into_iter().scan(signed, |at, size| {
            *at += size;
            Some(*at)
        });
        let ends: Vec<usize> = ends.collect();
        let mut seen = BTreeMap::new();
        for place in (0..ends[7]).step_by(7).chain(ends[2]..ends[3]).chain(ends[5]..ends[6]) {
            let mut bad = good.clone();
            bad[place] ^= 1;
            let Ok(quote) = Quote::parse(&bad) else {
                // A version, type or length.
                assert!(place < 8 || (48..54).contains(&place) || place >= signed, "byte {place}");
                continue;
            };
            let steps = verify(&quote);
            let part = ends.iter().filter(|&&end| end <= place).count();
            let part = if place < signed { 100 } else { part };
            seen.insert(part, steps);
            let offset = if part == 4 { place - ends[3] } else { 0 };
            let expected = match part {
                100 | 1 => Steps { signature: false, ..Steps::GOOD },
                2 => Steps { signature: false, binding: false, ..Steps::GOOD },
                4 if offset >= 320 => Steps { binding: false, enclave: false, ..Steps::GOOD },
                4 | 5 => Steps { enclave: false, ..Steps::GOOD },
                7 => Steps { binding: false, ..Steps::GOOD },
                other => panic!("byte {place}, part {other}: parsed"),
            };
            assert_eq!(steps, expected, "byte {place} of {form:?}");
        }
        assert_eq!(seen.keys().copied().collect::<Vec<_>>(), [1, 2, 4, 5, 7, 100]);
        // Nothing signs what stands behind.
        let padded = [&good[..], &[1; 70]].concat();
        assert_eq!(verify(&Quote::parse(&padded).unwrap()), Steps::GOOD);
    }
}

/// Nobody takes these certificates for Intel's.
#[test]
fn everybody_says_simulated() {
    let cpu = Cpu::new("names");
    let chains = [
        authority::pck_chain(&cpu),
        authority::platform_ca_chain(),
        authority::tcb_signing_chain(),
    ];
    for chain in chains {
        let chain = Certificate::load_pem_chain(chain.as_bytes()).unwrap();
        assert!(chain_holds(&chain));
        for certificate in &chain {
            let tbs = certificate.tbs_certificate();
            for name in [tbs.subject(), tbs.issuer()] {
                assert!(name.to_string().contains("CN=SIMULATED "), "{name}");
                assert!(name.to_string().contains("O=SIMULATED "), "{name}");
                assert!(!name.to_string().contains("Intel"), "{name}");
            }
            let validity = tbs.validity();
            let Window { from, until } = Window::LONG;
            assert_eq!(validity.not_before.to_unix_duration().as_secs(), from);
            assert_eq!(validity.not_after.to_unix_duration().as_secs(), until);
        }
    }
    // The SHA-256 of Intel's root, and of its key's certificate.
    let root: [u8; 32] = Sha256::digest(authority::root_certificate()).into();
    assert!(!tsm_core::hex::Hex(&root).to_string().starts_with("44a0196b2b99f889"));
}

/// Whatever a processor is called, it gets keys and a certificate with a positive serial number of
/// its own.
#[test]
fn every_processor_has_a_certificate() {
    let mut serials = std::collections::BTreeSet::new();
    for n in 0..50 {
        let cpu = Cpu::new(&format!("processor {n}"));
        let chain = Certificate::load_pem_chain(authority::pck_chain(&cpu).as_bytes()).unwrap();
        assert!(chain_holds(&chain));
        let serial = chain[0].tbs_certificate().serial_number().as_bytes().to_vec();
        assert_eq!((serial.len(), serial[0] >> 7), (20, 0));
        assert!(serials.insert(serial));
    }
}

/// The extension of the platform's certificate, by its object identifiers.
#[test]
fn platform_of_the_certificate() {
    const SGX: &str = "1.2.840.113741.1.13.1";
    let cpu = Cpu::new("names").with_svn([200, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 255]);
    let chain = Certificate::load_pem_chain(authority::pck_chain(&cpu).as_bytes()).unwrap();
    let extensions = chain[0].tbs_certificate().extensions().unwrap();
    let sgx = extensions.iter().find(|e| e.extn_id.to_string() == SGX).unwrap();
    assert!(!sgx.critical);
    let mut found = BTreeMap::new();
    walk(sgx.extn_value.as_bytes(), &mut found);
    let value = |arcs: &str| &found[&format!("{SGX}.{arcs}")][..];
    assert_eq!(value("1").len(), 16);
    // Values above 127 take two bytes.
    assert_eq!(
        (value("2.1"), value("2.2"), value("2.16")),
        (&[0, 200][..], &[1][..], &[0, 255][..])
    );
    assert_eq!((value("2.17"), value("2.18")), (&[13][..], &cpu.svn()[..]));
    assert_eq!((value("3"), value("4")), (&[0, 0][..], &b"SIMTDX"[..]));
    assert_eq!((value("5"), value("6").len()), (&[1][..], 16));
    assert_eq!((value("7.1"), found.len()), (&[0xFF][..], 18 + 5 + 3));
}

/// Puts the values of `SEQUENCE OF SEQUENCE { id, value }` in a map, those of such sequences too.
fn walk(der: &[u8], found: &mut BTreeMap<String, Vec<u8>>) {
    use x509_cert::der::asn1::{Any, ObjectIdentifier};
    for pair in Vec::<Any>::from_der(der).unwrap() {
        let pair = Vec::<Any>::from_der(&pair.to_der().unwrap()).unwrap();
        let [id, value] = &pair[..] else { panic!("not a pair") };
        let id = id.decode_as::<ObjectIdentifier>().unwrap();
        if value.tag() == x509_cert::der::Tag::Sequence {
            walk(&value.to_der().unwrap(), found);
        } else {
            found.insert(id.to_string(), value.value().to_vec());
        }
    }
}

#[test]
fn collateral_is_signed_and_fits() {
    let module = machine();
    let window = Window { from: 1_700_000_000, until: 1_702_592_000 };
    let collateral = Collateral::new(&module, window, &Levels::UP_TO_DATE);
    let chain = Certificate::load_pem_chain(collateral.signing_chain.as_bytes()).unwrap();
    assert!(chain_holds(&chain));
    for (text, signature) in [
        (&collateral.tcb_info, &collateral.tcb_info_signature),
        (&collateral.qe_identity, &collateral.qe_identity_signature),
    ] {
        assert!(signed_by(key_of(&chain[0]), text.as_bytes(), signature));
        let json: Value = serde_json::from_str(text).unwrap();
        assert_eq!(json["issueDate"], "2023-11-14T22:13:20Z");
        assert_eq!(json["nextUpdate"], "2023-12-14T22:13:20Z");
    }
    let tcb: Value = serde_json::from_str(&collateral.tcb_info).unwrap();
    assert_eq!((&tcb["id"], &tcb["version"]), (&"TDX".into(), &3.into()));
    assert_eq!((&tcb["fmspc"], &tcb["pceId"]), (&"53494d544458".into(), &"0000".into()));
    let level = &tcb["tcbLevels"][0];
    let svns = |name: &str| -> Vec<u64> {
        let components = level["tcb"][name].as_array().unwrap();
        components.iter().map(|component| component["svn"].as_u64().unwrap()).collect()
    };
    assert!(svns("sgxtcbcomponents").iter().eq(&module.cpu().svn().map(u64::from)));
    assert_eq!(svns("tdxtcbcomponents")[..4], [6, 1, 3, 0]);
    assert_eq!((&level["tcb"]["pcesvn"], &level["tcbStatus"]), (&13.into(), &"UpToDate".into()));
    let identity = &tcb["tdxModuleIdentities"][0];
    assert_eq!(
        (&identity["id"], &identity["tcbLevels"][0]["tcb"]["isvsvn"]),
        (&"TDX_01".into(), &6.into())
    );
    let signer = tsm_core::hex::Hex(&module.tcb_info().mr_signer_seam).to_string();
    assert_eq!(identity["mrsigner"], signer);
    // The quoting enclave of the quote is the one of the identity.
    let quote = quote(&module, QuoteForm::V4, &[0; 64]);
    let enclave = *Quote::parse(&quote).unwrap().signature_data().qe_report();
    let qe: Value = serde_json::from_str(&collateral.qe_identity).unwrap();
    assert_eq!((&qe["id"], &qe["version"]), (&"TD_QE".into(), &2.into()));
    assert_eq!(qe["mrsigner"], tsm_core::hex::Hex(&enclave.mr_signer).to_string());
    assert_eq!(qe["isvprodid"], u16::from_le_bytes(enclave.isv_prod_id));
    assert_eq!(qe["tcbLevels"][0]["tcb"]["isvsvn"], u16::from_le_bytes(enclave.isv_svn));
    let bytes = |name: &str| {
        let mut bytes = [0; 16];
        let text = qe[name].as_str().unwrap().to_lowercase();
        assert!(tsm_core::hex::decode(text.as_bytes(), &mut bytes));
        u128::from_le_bytes(bytes)
    };
    let attributes = u128::from_le_bytes(enclave.attributes);
    assert_eq!(attributes & bytes("attributesMask"), bytes("attributes"));
}

#[test]
fn collateral_of_bad_times() {
    let module = machine();
    let levels = Levels {
        platform: TcbStatus::OutOfDate,
        module: TcbStatus::Revoked,
        enclave: TcbStatus::SwHardeningNeeded,
        none_fits: true,
        ..Levels::UP_TO_DATE
    };
    let collateral = Collateral::new(&module, Window::LONG, &levels);
    let tcb: Value = serde_json::from_str(&collateral.tcb_info).unwrap();
    let qe: Value = serde_json::from_str(&collateral.qe_identity).unwrap();
    assert_eq!(tcb["tcbLevels"][0]["tcbStatus"], "OutOfDate");
    assert_eq!(tcb["tcbLevels"][0]["advisoryIDs"][0], "SIMULATED-SA-00001");
    assert_eq!(tcb["tcbLevels"][0]["tcb"]["pcesvn"], 14);
    let module_level = &tcb["tdxModuleIdentities"][0]["tcbLevels"][0];
    assert_eq!(
        (&module_level["tcbStatus"], &module_level["tcb"]["isvsvn"]),
        (&"Revoked".into(), &7.into())
    );
    assert_eq!(qe["tcbLevels"][0]["tcbStatus"], "SWHardeningNeeded");
}

/// Whose key has signed, as an extension says it.
fn owner(extension: &Extension) -> Option<OctetString> {
    let is_it = extension.extn_id == AuthorityKeyIdentifier::OID;
    let value = is_it.then_some(extension.extn_value.as_bytes())?;
    AuthorityKeyIdentifier::from_der(value).unwrap().key_identifier
}

#[test]
fn revocation_lists() {
    let module = machine();
    let chain = authority::pck_chain(module.cpu());
    let chain = Certificate::load_pem_chain(chain.as_bytes()).unwrap();
    for (pck_revoked, ca_revoked) in [(false, false), (true, false), (false, true)] {
        let levels = Levels { pck_revoked, ca_revoked, ..Levels::UP_TO_DATE };
        let collateral = Collateral::new(&module, Window::LONG, &levels);
        for (list, issuer, subject, revoked) in [
            (&collateral.pck_crl, &chain[1], &chain[0], pck_revoked),
            (&collateral.root_crl, &chain[2], &chain[1], ca_revoked),
        ] {
            let list = <CertificateList>::from_der(list).unwrap();
            let tbs = &list.tbs_cert_list;
            assert!(issued_by(issuer, &tbs.to_der().unwrap(), list.signature.raw_bytes()));
            assert_eq!(&tbs.issuer, issuer.tbs_certificate().subject());
            assert_eq!(tbs.this_update.to_unix_duration().as_secs(), Window::LONG.from);
            assert_eq!(tbs.next_update.unwrap().to_unix_duration().as_secs(), Window::LONG.until);
            let of = |extensions: &[Extension]| extensions.iter().find_map(owner);
            let issuer = issuer.tbs_certificate().get_extension::<SubjectKeyIdentifier>();
            let issuer = issuer.unwrap().unwrap().1.0;
            assert_eq!(of(tbs.crl_extensions.as_deref().unwrap()), Some(issuer));
            let serial = subject.tbs_certificate().serial_number();
            let listed = tbs.revoked_certificates.iter().flatten();
            assert_eq!(
                listed.filter(|entry| &entry.serial_number == serial).count(),
                usize::from(revoked)
            );
        }
    }
}

#[test]
fn collateral_in_one_file() {
    let collateral = Collateral::new(&machine(), Window::LONG, &Levels::UP_TO_DATE);
    let json: Value = serde_json::from_str(&collateral.to_json()).unwrap();
    assert_eq!(json["tcb_info"], collateral.tcb_info);
    assert_eq!(json["qe_identity"], collateral.qe_identity);
    assert_eq!(json["pck_crl_issuer_chain"], collateral.pck_crl_chain);
    assert_eq!(json["tcb_info_issuer_chain"], collateral.signing_chain);
    assert_eq!(json["root_ca_crl"].as_str().unwrap().len(), 2 * collateral.root_crl.len());
    assert_eq!(json.as_object().unwrap().len(), 9);
}
