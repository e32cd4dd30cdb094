// SPDX-License-Identifier: MIT OR Apache-2.0
//! Real reports and quotes have the values that `expected.json` gives, which another program read;
//! and what is damaged is refused, with the place.

mod common;

use common::quote::Made;
use common::{expected, file, hex, shared};
use serde_json::Value;
use tsm_tdx::layout::{
    Attributes, CertificationData, Finding, QuoteBody, TdBody10, TdxQuoteVersion,
};
use tsm_tdx::{ErrorKind, Quote, RtmrIndex, TdReport};

/// Compares each field that the file gives, by name.
fn compare(name: &str, stated: &Value, fields: &[(&str, &[u8])]) {
    for (field, bytes) in fields {
        assert_eq!(stated[field].as_str(), Some(&hex(bytes)[..]), "{name}: {field}");
    }
}

#[test]
fn every_quote() {
    let Some(expected) = expected() else { return };
    let quotes = expected["quotes"].as_object().unwrap();
    let mut seen = 0;
    for (name, stated) in quotes {
        let Some(bytes) = file(name) else { return };
        let quote = Quote::parse(&bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
        let number = |field: &str| stated[field].as_u64().map(|n| n as usize);
        let version = match quote.version() {
            TdxQuoteVersion::V4 => 4,
            TdxQuoteVersion::V5 => 5,
            other => panic!("{other:?}"),
        };
        assert_eq!(number("version"), Some(version), "{name}");
        assert_eq!(number("signed_len"), Some(quote.signed().len()), "{name}");
        assert_eq!(number("trailing"), Some(quote.trailing().len()), "{name}");
        let header = quote.header();
        compare(
            name,
            stated,
            &[
                ("hdr_8_12", &header.reserved),
                ("vendor", &header.qe_vendor_id),
                ("user_data", &header.user_data),
            ],
        );
        let body = match quote.body() {
            QuoteBody::Td10(body) => {
                assert!(matches!(number("body_type"), None | Some(2)), "{name}");
                body
            }
            QuoteBody::Td15(body) => {
                assert_eq!(number("body_type"), Some(3), "{name}");
                compare(
                    name,
                    stated,
                    &[
                        ("tee_tcb_svn2", body.tee_tcb_svn_2.as_bytes()),
                        ("mr_service_td", &body.mr_service_td),
                    ],
                );
                &body.td_10
            }
            other => panic!("{name}: {other:?}"),
        };
        body_fields(name, stated, body);
        signature_data(name, stated, &quote);
        assert_eq!(quote.body().report_data(), &body.report_data);
        seen += 1;
    }
    assert_eq!(seen, 15);
}

fn body_fields(name: &str, stated: &Value, body: &TdBody10) {
    compare(
        name,
        stated,
        &[
            ("tee_tcb_svn", body.tee_tcb_svn.as_bytes()),
            ("mr_seam", &body.mr_seam),
            ("mrsigner_seam", &body.mr_signer_seam),
            ("seam_attributes", &body.seam_attributes),
            ("td_attributes", body.td_attributes.as_bytes()),
            ("xfam", body.xfam.as_bytes()),
            ("mr_td", &body.mr_td),
            ("mr_config_id", &body.mr_config_id),
            ("mr_owner", &body.mr_owner),
            ("mr_owner_config", &body.mr_owner_config),
            ("rtmr0", body.rtmr(RtmrIndex::RTMR0)),
            ("rtmr1", body.rtmr(RtmrIndex::RTMR1)),
            ("rtmr2", body.rtmr(RtmrIndex::RTMR2)),
            ("rtmr3", body.rtmr(RtmrIndex::RTMR3)),
            ("report_data", &body.report_data),
        ],
    );
}

fn signature_data(name: &str, stated: &Value, quote: &Quote<'_>) {
    let data = quote.signature_data();
    let qe = data.qe_report();
    compare(
        name,
        &stated["qe"],
        &[
            ("cpusvn", &qe.cpu_svn),
            ("miscselect", &qe.misc_select),
            ("attributes", &qe.attributes),
            ("mrenclave", &qe.mr_enclave),
            ("mrsigner", &qe.mr_signer),
            ("report_data", &qe.report_data),
        ],
    );
    let number = |value: &Value| value.as_u64().unwrap();
    assert_eq!(number(&stated["qe"]["prodid"]), u64::from(u16::from_le_bytes(qe.isv_prod_id)));
    assert_eq!(number(&stated["qe"]["svn"]), u64::from(u16::from_le_bytes(qe.isv_svn)));
    assert_eq!(number(&stated["qe_auth_len"]), data.qe_authentication().len() as u64);
    let certification = data.certification();
    assert_eq!(number(&stated["inner_type"]), u64::from(certification.kind()));
    assert_eq!(number(&stated["inner_len"]), certification.as_bytes().len() as u64);
    let CertificationData::PckChain(chain) = certification else { panic!("{name}") };
    let nul = stated["nul_term"].as_bool().unwrap();
    assert_eq!(certification.as_bytes().len() - chain.pem().len(), usize::from(nul), "{name}");
    let pem = core::str::from_utf8(chain.pem()).unwrap();
    let count = pem.matches("-----BEGIN CERTIFICATE-----").count();
    assert_eq!(number(&stated["ncerts"]), count as u64, "{name}");
}

/// Where the parts of three quotes lie, and what is in them.
#[test]
fn parts_of_quotes() {
    let Some(path) = shared("tdx/steps.json") else { return };
    let steps: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    for (name, stated) in steps["vectors"].as_object().unwrap() {
        let Some(bytes) = file(name) else { return };
        let quote = Quote::parse(&bytes).unwrap();
        let data = quote.signature_data();
        compare(
            name,
            stated,
            &[
                ("quote_sig", data.signature()),
                ("att_key", data.attestation_key()),
                ("qe_auth", data.qe_authentication()),
                ("qe_sig", data.qe_signature()),
            ],
        );
        let place = |part: &str| {
            let numbers = stated["layout"][part].as_array().unwrap();
            let number = |n: usize| numbers[n].as_u64().unwrap() as usize;
            &bytes[number(0)..number(0) + number(1)]
        };
        assert_eq!(place("qe_report"), data.qe_report().as_bytes());
        assert_eq!(place("chain"), data.certification().as_bytes());
        let [offset, ..] = &stated["layout"]["sig_len_field"].as_array().unwrap()[..] else {
            panic!("no place")
        };
        assert_eq!(offset.as_u64(), Some(quote.signed().len() as u64));
    }
}

#[test]
fn every_report() {
    let Some(expected) = expected() else { return };
    let mut good = 0;
    for (name, stated) in expected["tdreports"].as_object().unwrap() {
        let Some(bytes) = file(name) else { return };
        if name == "go-tdx-guest/report.dat" {
            let error = TdReport::parse(&bytes).unwrap_err();
            assert_eq!((error.kind(), error.offset()), (ErrorKind::ReportType, Some(0)));
            continue;
        }
        let report = TdReport::parse(&bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
        let (mac, tcb, info) = (&report.mac, &report.tcb_info, &report.td_info);
        let version = stated["version"].as_u64();
        assert_eq!(version, Some(mac.report_type.version.into()), "{name}");
        compare(
            name,
            stated,
            &[
                ("cpusvn", &mac.cpu_svn),
                ("tee_tcb_info_hash", &mac.tee_tcb_info_hash),
                ("tee_info_hash", &mac.tee_info_hash),
                ("report_data", &mac.report_data),
                ("mac", &mac.mac),
                ("valid", &tcb.valid.bits().to_le_bytes()),
                ("tee_tcb_svn", tcb.tee_tcb_svn.as_bytes()),
                ("mrseam", &tcb.mr_seam),
                ("mrsignerseam", &tcb.mr_signer_seam),
                ("seam_attr", &tcb.seam_attributes),
                ("svn2", tcb.tee_tcb_svn_2.as_bytes()),
                ("attributes", info.attributes.as_bytes()),
                ("xfam", info.xfam.as_bytes()),
                ("mrtd", &info.mr_td),
                ("mrconfigid", &info.mr_config_id),
                ("mrowner", &info.mr_owner),
                ("mrownerconfig", &info.mr_owner_config),
                ("rtmr0", info.rtmr(RtmrIndex::RTMR0)),
                ("rtmr1", info.rtmr(RtmrIndex::RTMR1)),
                ("rtmr2", info.rtmr(RtmrIndex::RTMR2)),
                ("rtmr3", info.rtmr(RtmrIndex::RTMR3)),
                ("servtd_hash", &info.servtd_hash),
            ],
        );
        let odd = report.findings().find(|f| matches!(f, Finding::Reserved(_) | Finding::Valid(_)));
        assert_eq!(odd, None, "{name}");
        good += 1;
    }
    assert_eq!(good, 3);
}

/// What `INDEX.md` says about single quotes.
#[test]
fn findings() {
    let found = |name: &str| {
        let bytes = file(name)?;
        let quote = Quote::parse(&bytes).unwrap();
        Some(quote.findings().collect::<Vec<_>>())
    };
    let Some(plain) = found("trustee/tdx_quote_5.dat") else { return };
    assert_eq!(plain, []);
    assert_eq!(found("trustee/tdx_quote_4.dat").unwrap(), [Finding::Untrusted(Attributes::DEBUG)]);
    assert_eq!(
        found("go-tdx-guest/tdx_prod_quote_SPR_E4.dat").unwrap(),
        [Finding::NoSeptVeDisable, Finding::Trailing { bytes: 39, zero: false }]
    );
    assert_eq!(
        found("trustee/td-quote.bin").unwrap(),
        [Finding::NoSeptVeDisable, Finding::Trailing { bytes: 70, zero: true }]
    );
}

/// Quotes that are none of a TD, and one that only its maker could verify.
#[test]
fn others() {
    let Some(sgx) = file("dcap-qvl/sgx_quote") else { return };
    let error = Quote::parse(&sgx).unwrap_err();
    assert_eq!((error.kind(), error.offset()), (ErrorKind::Version, Some(0)));
    let Some(sample) = file("intel-qvl-sample/quote.dat") else { return };
    let quote = Quote::parse(&sample).unwrap();
    assert!(quote.signature_data().qe_authentication().is_empty());
    let Some(report) = file("intel-dcap/tdreport_for_test.dat") else { return };
    assert_eq!(Quote::parse(&report).unwrap_err().kind(), ErrorKind::Version);
}

/// Cut anywhere, a quote is refused where it ends; with more behind it, that is trailing.
#[test]
fn cut_and_grown() {
    let mut samples = vec![
        Made::v4().bytes(),
        Made::v5(3, 648, 0x81).bytes(),
        Made::v5(2, 584, 0x81).bytes(),
        Made::v5(1, 384, 0).bytes(),
    ];
    samples.extend(file("trustee/tdx_quote_5.dat"));
    for bytes in samples {
        let whole = Quote::parse(&bytes).unwrap();
        assert!(whole.trailing().is_empty());
        for cut in 0..bytes.len() {
            let error = Quote::parse(&bytes[..cut]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Truncated, "{cut}");
            assert!(error.offset().unwrap() <= cut);
        }
        let grown = [&bytes[..], b"more"].concat();
        let quote = Quote::parse(&grown).unwrap();
        assert_eq!(quote.trailing(), b"more");
        assert_eq!(quote.signature_data(), whole.signature_data());
        let trailing = Finding::Trailing { bytes: 4, zero: false };
        assert_eq!(quote.findings().last(), Some(trailing));
    }
}

#[test]
fn heads_that_are_wrong() {
    let v4 = Made::v4();
    let v5 = Made::v5(3, 648, 0x81);
    for (made, kind, offset) in [
        (Made { version: 3, ..v4.clone() }, ErrorKind::Version, 0),
        (Made { version: 6, ..v4.clone() }, ErrorKind::Version, 0),
        (Made { key_type: 3, ..v4.clone() }, ErrorKind::KeyType, 2),
        (Made { tee_type: 0, ..v4.clone() }, ErrorKind::TeeType, 4),
        (Made { tee_type: 0x8100_0081, ..v4.clone() }, ErrorKind::TeeType, 4),
        (Made { tee_type: 0, ..v5.clone() }, ErrorKind::TeeType, 4),
        (Made::v5(1, 384, 0x81), ErrorKind::TeeType, 4),
        (Made::v5(0, 648, 0x81), ErrorKind::BodyType, 48),
        (Made::v5(4, 648, 0x81), ErrorKind::BodyType, 48),
        (Made::v5(3, 584, 0x81), ErrorKind::Size, 50),
        (Made::v5(2, 648, 0x81), ErrorKind::Size, 50),
        (Made { body: Some((3, u32::MAX)), ..v5.clone() }, ErrorKind::Size, 50),
        (Made { outer: 5, ..v5.clone() }, ErrorKind::CertificationType, 706 + 128),
        (Made { inner: (6, vec![1]), ..v4.clone() }, ErrorKind::CertificationType, 636 + 616),
    ] {
        let bytes = made.bytes();
        let error = Quote::parse(&bytes).unwrap_err();
        assert_eq!((error.kind(), error.offset()), (kind, Some(offset)));
    }
}

/// Lengths that go beyond the end, or leave something over, also near the largest number.
#[test]
fn lengths_that_do_not_add_up() {
    let parsed = |all: u32, outer: u32| {
        let bytes = Made::v4().bytes_with(|a, o| {
            *a = a.wrapping_add(all);
            *o = o.wrapping_add(outer);
        });
        Quote::parse(&bytes).map(drop).map_err(|error| error.kind())
    };
    assert_eq!(parsed(0, 0), Ok(()));
    for huge in [1, 1000, u32::MAX - 2000, 0x7FFF_FFFF] {
        assert_eq!(parsed(huge, 0), Err(ErrorKind::Truncated), "{huge}");
        assert_eq!(parsed(0, huge), Err(ErrorKind::Truncated), "{huge}");
    }
    let minus = |n: u32| n.wrapping_neg();
    // Shorter outside than inside, and the other way round.
    assert_eq!(parsed(minus(1), 0), Err(ErrorKind::Truncated));
    assert_eq!(parsed(0, minus(1)), Err(ErrorKind::Size));
    assert_eq!(parsed(minus(1), minus(1)), Err(ErrorKind::Truncated));
}

/// All types of certification data, known and not.
#[test]
fn certification_data() {
    for kind in [1, 2, 3, 4, 5, 7, 8, 0, u16::MAX] {
        let made = Made { inner: (kind, b"some bytes\0".to_vec()), ..Made::v4() };
        let bytes = made.bytes();
        let data = Quote::parse(&bytes).unwrap().signature_data().certification();
        assert_eq!((data.kind(), data.as_bytes()), (kind, &b"some bytes\0"[..]));
        match data {
            CertificationData::PckChain(chain) => assert_eq!(chain.pem(), b"some bytes"),
            CertificationData::Other { .. } => assert!(!(1..=7).contains(&kind)),
            _ => assert!((1..=7).contains(&kind)),
        }
    }
    let bytes = Made { authentication: vec![7; 1000], ..Made::v4() }.bytes();
    let quote = Quote::parse(&bytes).unwrap();
    assert_eq!(quote.signature_data().qe_authentication(), [7; 1000]);
    assert!(quote.findings().any(|finding| finding == Finding::QeVendor));
}

/// A quote's measurements do not move with REPORTDATA.
#[test]
fn measurements_stay() {
    for made in [Made::v4(), Made::v5(2, 584, 0x81), Made::v5(3, 648, 0x81)] {
        let bytes = made.bytes();
        let first = Quote::parse(&bytes).unwrap();
        let start = if made.body.is_some() { 574 } else { 568 };
        let mut other = bytes.clone();
        other[start..start + 64].fill(0xEE);
        let second = Quote::parse(&other).unwrap();
        assert_eq!(second.body().report_data(), &[0xEE; 64]);
        let but_data = |quote: &Quote<'_>| {
            let mut body = *quote.body().td().unwrap();
            body.report_data = [0; 64];
            body
        };
        assert_eq!(but_data(&first), but_data(&second));
    }
}
