// SPDX-License-Identifier: MIT OR Apache-2.0
//! `tsm replay --expect-from`: logs against the registers in evidence.

mod common;

use std::fs;

use common::{Dir, Ran, shared, tsm};
use serde_json::Value as Json;

fn replay(log: &str, evidence: &str, more: &[&str]) -> Ran {
    tsm(&[&["replay", "--json", "--expect-from", evidence, log], more].concat())
}

fn expected() -> Option<Json> {
    let file = shared("tdx/expected.json")?;
    Some(serde_json::from_slice(&fs::read(file).unwrap()).unwrap())
}

fn path(name: &str) -> String {
    shared(&format!("tdx/{name}")).unwrap().to_str().unwrap().to_string()
}

fn matches(json: &Json) -> String {
    let registers = json["registers"].as_array().unwrap().iter();
    let shown = registers.map(|r| format!("{} {}", r["name"], r["match"]).replace('"', ""));
    shown.collect::<Vec<_>>().join(", ")
}

const UNVERIFIED: &str = "evidence-unverified";

/// Every log against every quote: what another program found equal is equal here, and nothing else.
#[test]
fn every_log_and_every_quote() {
    let Some(expected) = expected() else { return };
    let (mut equal, mut whole) = (0, Vec::new());
    let quotes: Vec<_> =
        expected["quotes"].as_object().unwrap().keys().filter(|q| !q.ends_with(".json")).collect();
    for (log, stated) in expected["ccel"].as_object().unwrap() {
        for quote in &quotes {
            let ran = replay(&path(log), &path(quote), &[]);
            // One log has digests of SM3 only.
            if stated["header"]["algs"][0][0] == "0x12" {
                ran.refused("no digest of an algorithm");
                continue;
            }
            let status = ran.status;
            let json = ran.json();
            assert!(json["findings"].to_string().contains(UNVERIFIED));
            for number in 0..4 {
                let name = format!("rtmr{number}");
                let found =
                    json["registers"].as_array().unwrap().iter().find(|r| r["name"] == name);
                let found = found.unwrap_or_else(|| panic!("{log} {quote} {name}"));
                let stated = &stated["matches"][format!("RTMR{number}")];
                let stated =
                    stated.as_array().is_some_and(|all| all.contains(&Json::from(&***quote)));
                let has_records = found["records"] != 0;
                if has_records {
                    assert_eq!(found["match"] == "complete", stated, "{log} {quote} {name}");
                    equal += u32::from(stated);
                }
            }
            if status == 0 {
                whole.push((log.clone(), quote.to_string()));
            }
            assert_eq!((json["holds"] == true, status), (status == 0, i32::from(status != 0)));
        }
    }
    // The pairs that the index has.
    let pair = ("go-tdx-guest/ccel/ccel_data.dat", "go-tdx-guest/ccel/cos-113-tdx-quote.dat");
    assert_eq!(whole, [(pair.0.to_string(), pair.1.to_string())]);
    assert!(equal >= 6, "{equal}");
}

/// IMA extended RTMR2 after the firmware's last event.
#[test]
fn a_quote_that_covers_more() {
    let Some(root) = shared("tdx") else { return };
    let file = |name: &str| root.join(name).to_str().unwrap().to_string();
    let (log, quote) = (file("cc-trusted-api/ccel_data.bin"), file("cc-trusted-api/quote.bin"));
    let json = replay(&log, &quote, &["--register=rtmr0,rtmr1,rtmr3"]).ok().json();
    assert_eq!(matches(&json), "rtmr0 complete, rtmr1 complete, rtmr3 complete");
    assert_eq!(json["holds"], true);
    let ran = replay(&log, &quote, &[]);
    assert_eq!(ran.status, 1);
    assert!(matches(&ran.json()).contains("rtmr2 mismatch"));
    // With what IMA measured behind the log's last event the quote's value comes out.
    let ima = file("cc-trusted-api/ima_log.bin");
    let json = replay(&log, &quote, &["--register=rtmr2", "--then", &ima]).ok().json();
    assert_eq!((matches(&json).as_str(), &json["holds"]), ("rtmr2 complete", &true.into()));
    assert!(json["findings"].to_string().contains(UNVERIFIED));
    // The names that the log itself counts with.
    let json = replay(&log, &quote, &["--register=ccmr1"]).ok().json();
    assert_eq!(matches(&json), "rtmr0 complete");
}

/// A quote as hex digits, and the log that came with it: all four registers.
#[test]
fn events_of_dstack() {
    let Some(file) = shared("tdx/dstack/quote-report.json") else { return };
    let all: Json = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
    let dir = Dir::new();
    let log = dir.file("events.json", all["event_log"].as_str().unwrap());
    let log = log.to_str().unwrap();
    let hex = all["quote"].as_str().unwrap();
    let variants = [hex.to_string(), format!("0x{}\n", hex.to_uppercase())];
    for text in variants {
        let quote = dir.file("quote.hex", &text);
        let json = replay(log, quote.to_str().unwrap(), &[]).ok().json();
        let all = "rtmr0 complete, rtmr1 complete, rtmr2 complete, rtmr3 complete";
        assert_eq!((matches(&json).as_str(), &json["holds"]), (all, &true.into()));
    }
    let other = path("dcap-qvl/tdx-quote.hex");
    let ran = replay(log, &other, &[]);
    assert_eq!((ran.status, &ran.json()["holds"]), (1, &false.into()));
    let text = tsm(&["replay", "--expect-from", &other, log]).text();
    assert!(text.contains(UNVERIFIED) && text.contains(&other), "{text}");
}

/// `explain` takes evidence as well, and says the same of it.
#[test]
fn explained_with_a_quote() {
    let Some(root) = shared("tdx/go-tdx-guest/ccel") else { return };
    let file = |name: &str| root.join(name).to_str().unwrap().to_string();
    let (log, quote) = (file("ccel_data.dat"), file("cos-113-tdx-quote.dat"));
    let json = tsm(&["explain", "--json", "--expect-from", &quote, &log]).ok().json();
    assert_eq!(json["holds"], true);
    assert!(json["findings"].to_string().contains(UNVERIFIED));
    let other = path("cc-trusted-api/quote.bin");
    assert_eq!(tsm(&["explain", "--expect-from", &other, &log]).status, 1);
}

#[test]
fn what_is_no_evidence() {
    let Some(root) = shared("tdx") else { return };
    let log = root.join("go-tdx-guest/ccel/ccel_data.dat");
    let log = log.to_str().unwrap();
    let dir = Dir::new();
    let text = dir.file("values", format!("rtmr0:sha384/{}\n", "00".repeat(48)));
    replay(log, text.to_str().unwrap(), &[]).refused("--expect-file");
    replay(log, log, &[]).refused("neither a TDREPORT nor a quote");
    replay(log, root.join("dcap-qvl/sgx_quote").to_str().unwrap(), &[]).refused("(byte 0)");
    let quote = fs::read(root.join("go-tdx-guest/ccel/cos-113-tdx-quote.dat")).unwrap();
    let cut = dir.file("cut", &quote[..600]);
    replay(log, cut.to_str().unwrap(), &[]).refused("(byte 48)");
    let quote = dir.file("quote", &quote);
    let quote = quote.to_str().unwrap();
    replay(log, quote, &["--register=rtmr9"]).refused("no value");
    replay(log, quote, &["--bank=sha256"]).refused("no value");
}
