// SPDX-License-Identifier: MIT OR Apache-2.0
//! Tokens of simulated realms, and reports and manifests of simulated SNP guests, from the command that
//! makes them to those that read them.
#![cfg(feature = "sim")]

mod common;

use std::fs;

use common::inspected::{check_places, kinds};
use common::machine::{Machine, replay};
use common::{Dir, tsm};
use serde_json::{Value as Json, json};
use tsm_core::{Algorithm, Digest};
use tsm_snp::report::Versions;
use tsm_snp::{Manifest, Report};

fn inspect(file: &str) -> Json {
    tsm(&["inspect", "--json", file]).ok().json()["files"][0].clone()
}

fn field<'j>(file: &'j Json, name: &str) -> &'j Json {
    let sections = file["sections"].as_array().unwrap().iter();
    let mut fields = sections.flat_map(|section| section["fields"].as_array().unwrap());
    fields.find(|field| field["name"] == name).unwrap_or_else(|| panic!("{name}"))
}

/// The value that these digests make of a register at zeros.
fn extended(digests: &[Digest]) -> String {
    let mut value = Digest::zeros(digests[0].algorithm());
    digests.iter().for_each(|digest| value.extend(digest).unwrap());
    value.to_string().split_once('/').unwrap().1.to_string()
}

/// Append, ask for a token, replay the log against it.
#[test]
fn a_log_holds_against_its_realms_token() {
    let dir = Dir::new();
    let machine = Machine(&dir, "sim:cca");
    machine.run(&["append", "rem3", "app.example started", "app.example ready"]).ok();
    machine.run(&["append", "rem2", "other.example started"]).ok();
    let (log, other) = (machine.log("rem3", &[]), machine.log("rem2", &[]));
    let token = machine.evidence("report", "0102");
    // The file's name says which register the log is about.
    let json = replay(&log, &token, &[]).ok().json();
    assert_eq!((&json["holds"], &json["registers"][0]["name"]), (&json!(true), &json!("rem3")));
    assert!(json["findings"].to_string().contains("evidence-unverified"));
    replay(&other, &token, &["--register", "rem2"]).ok();
    // Another register's value.
    let ran = replay(&log, &token, &["--register", "rem2"]);
    assert_eq!((ran.status, &ran.json()["holds"]), (1, &json!(false)));
    // A record that was not appended.
    let forged = [&fs::read(&log).unwrap()[..], b"app.example forged\n"].concat();
    let forged = dir.file("forged.log", forged);
    let ran = replay(forged.to_str().unwrap(), &token, &["--register", "rem3"]);
    assert_eq!((ran.status, &ran.json()["holds"]), (1, &json!(false)));
    // The machine goes on: the log has what the token does not cover.
    machine.run(&["append", "rem3", "app.example stopped"]).ok();
    let ran = replay(&machine.log("rem3", &[]), &token, &[]);
    assert_eq!((ran.status, &ran.json()["registers"][0]["match"]), (1, &json!("prefix")));
}

/// The token says what the realm's registers say, and that it is simulated.
#[test]
fn tokens_are_inspected() {
    let dir = Dir::new();
    let machine = Machine(&dir, "sim:cca");
    assert_eq!(machine.names(), "rim rem0 rem1 rem2 rem3 rpv");
    let digests = [b"one", b"two"].map(|text| Algorithm::Sha256.hash(text));
    for digest in digests {
        machine.run(&["extend", "rem1", &digest.to_string()]).ok();
    }
    let value = |name: &str| machine.register(name)["values"]["sha256"].clone();
    assert_eq!(value("rem1"), extended(&digests));
    let token = machine.evidence("report", "a0B1");
    let file = inspect(&token);
    assert_eq!((&file["kind"], &file["simulated"]), (&json!("cca-token"), &json!(true)));
    assert_eq!(file["error"], Json::Null);
    assert_eq!(field(&file, "REM1")["bytes"], value("rem1"));
    assert_eq!(field(&file, "RIM")["bytes"], value("rim"));
    let text = tsm(&["inspect", &token]).ok().text();
    assert!(text.contains("not verified") && text.contains("SIMULATED"), "{text}");
    // The platform's comes first, which is the hash of the realm's key.
    let sections = file["sections"].as_array().unwrap();
    let fields = sections.iter().flat_map(|section| section["fields"].as_array().unwrap());
    let mut challenges = fields.filter(|field| field["name"] == "challenge");
    let challenge = challenges.nth(1).unwrap();
    assert_eq!(challenge["bytes"], format!("a0b1{}", "00".repeat(62)));
    let zeros = Digest::zeros(Algorithm::Sha256).to_string();
    machine.run(&["extend", "rim", &zeros]).refused("does not permit");
}

/// The report is over manifest and nonce, and the manifest has what the registers have.
#[test]
fn reports_vouch_for_manifests() {
    let dir = Dir::new();
    let machine = Machine(&dir, "sim:snp");
    machine.run(&["append", "rtmr3", "one", "two"]).ok();
    machine.run(&["append", "rtmr3", "three"]).ok();
    let digests = [b"four", b"five"].map(|text| Algorithm::Sha384.hash(text));
    for digest in digests {
        machine.run(&["extend", "rtmr1", &digest.to_string()]).ok();
    }
    let value = |name: &str| machine.register(name)["values"]["sha384"].clone();
    assert_eq!(value("rtmr1"), extended(&digests));
    let (report, manifest) =
        (machine.evidence("report", "a0b1"), machine.evidence("manifest", "a0b1"));
    let read = |path: &str| fs::read(path).unwrap();
    let bytes = read(&report);
    let parsed = Report::parse(&bytes, Versions::default()).unwrap();
    let written = read(&manifest);
    let parsed_manifest = Manifest::parse(&written).unwrap();
    let mut nonce = [0; 64];
    nonce[..2].copy_from_slice(&[0xA0, 0xB1]);
    parsed_manifest.check_binding(parsed, &nonce).unwrap();
    // Neither another nonce's nor another state's.
    assert!(parsed_manifest.check_binding(parsed, &[0; 64]).is_err());
    machine.run(&["append", "rtmr2", "x"]).ok();
    let later = read(&machine.evidence("manifest", "a0b1"));
    assert!(Manifest::parse(&later).unwrap().check_binding(parsed, &nonce).is_err());
    let manifest = dir.file("manifest", &written);
    let manifest = manifest.to_str().unwrap();

    let file = inspect(&report);
    assert_eq!((&file["kind"], &file["simulated"]), (&json!("snp-report"), &json!(true)));
    assert_eq!(file["error"], Json::Null);
    assert_eq!(field(&file, "MEASUREMENT")["bytes"], value("measurement"));
    let text = tsm(&["inspect", &report]).ok().text();
    assert!(text.contains("not verified") && text.contains("SIMULATED"), "{text}");
    let file = inspect(manifest);
    assert_eq!((&file["kind"], &file["error"]), (&json!("snp-bank"), &Json::Null));
    assert_eq!(field(&file, "rtmr1:sha384")["value"], value("rtmr1"));
    assert_eq!(field(&file, "rtmr3:sha384")["value"], value("rtmr3"));

    // Both in one file, which nothing but that they are there makes another kind.
    let both = machine.evidence("all", "a0b1");
    let file = inspect(&both);
    assert_eq!((&file["kind"], &file["simulated"]), (&json!("snp-report-bank"), &json!(true)));
    assert_eq!((&file["error"], kinds(&file)), (&Json::Null, vec!["not-verified"]));
    check_places(&file, &read(&both));
    assert_eq!(field(&file, "rtmr1:sha384")["bytes"], value("rtmr1"));
    assert_eq!(field(&file, "rtmr0:sha384")["meaning"], "never extended");
    let mut changed = read(&both);
    changed[1184 + 0x18] = 2;
    let changed = dir.file("changed", changed);
    tsm(&["inspect", changed.to_str().unwrap()]).refused("(byte 1208)");

    // What a verifier does once it has checked both.
    let log = machine.log("rtmr3", &[]);
    let expect = format!("sha384/{}", value("rtmr3").as_str().unwrap());
    tsm(&["replay", "--register=rtmr3", "--expect", &expect, &log]).ok();
    replay(&log, manifest, &["--register=rtmr3"]).refused("only a report of its nonce vouches");
    replay(&log, &report, &["--register=rtmr3"]).refused("has no runtime registers");
}

/// The registers are those of the adapter.
#[test]
fn registers_of_an_snp_guest() {
    let dir = Dir::new();
    let machine = Machine(&dir, "sim:snp");
    let expected = "measurement host_data id_key_digest author_key_digest family_id image_id \
                    guest_svn policy report_id report_id_ma chip_id platform_info reported_tcb \
                    committed_tcb current_tcb launch_tcb rtmr0 rtmr1 rtmr2 rtmr3";
    assert_eq!(machine.names(), expected);
    let zeros = Digest::zeros(Algorithm::Sha384).to_string();
    machine.run(&["extend", "rtmr0", &zeros]).ok();
    machine.run(&["extend", "measurement", &zeros]).refused("does not permit");
}
