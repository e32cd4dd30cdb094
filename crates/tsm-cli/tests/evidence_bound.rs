// SPDX-License-Identifier: MIT OR Apache-2.0
//! `tsm replay --expect-from` on evidence whose parts vouch for each other: the manifest of an SNP
//! guest's register bank, its report and the nonce; the halves of a realm's token; REPORTDATA.
#![cfg(feature = "sim")]

mod common;

use std::fs;

use common::machine::{Machine, file, replay};
use common::{Dir, tsm};
use serde_json::{Value as Json, json};
use tsm_cca::token::{Rules, Token};
use tsm_core::hex::Hex;
use tsm_core::{Algorithm, Digest, Provider as _};
use tsm_sim::snp::{Chip, Firmware};
use tsm_snp::report::{Generation, GuestPolicy, SigningKey};
use tsm_snp::svsm::{self, ServicesManifest, VTPM_SERVICE};
use tsm_snp::{Isolation, Manifest, REPORT_SIZE, SoftwareBank, bank};

fn kinds(json: &Json) -> Vec<&str> {
    json["findings"].as_array().unwrap().iter().map(|f| f["kind"].as_str().unwrap()).collect()
}

fn text_of(json: &Json, kind: &str) -> String {
    let found = json["findings"].as_array().unwrap().iter().find(|f| f["kind"] == kind);
    found.unwrap_or_else(|| panic!("{kind} {json:#}"))["text"].as_str().unwrap().to_string()
}

/// One file of report and manifest, as `tsm report` prints it; the two apart; and in the words of
/// `explain`.
#[test]
fn a_log_holds_against_a_register_bank() {
    let dir = Dir::new();
    let machine = Machine(&dir, "sim:snp");
    let log = machine.log("rtmr3", &["app.example started", "app.example ready"]);
    let other = machine.log("rtmr2", &["other.example started"]);
    // No --kind, as somebody would do it.
    let both = file(&dir, "both", &machine.run(&["report", "--nonce", "0a0B"]).ok().stdout);
    let (report, manifest) =
        (machine.evidence("report", "0a0b"), machine.evidence("manifest", "0a0b"));
    assert_eq!(fs::read(&both).unwrap()[REPORT_SIZE..], fs::read(&manifest).unwrap());
    let hex = file(&dir, "hex", Hex(&fs::read(&both).unwrap()).to_string().as_bytes());
    let nonce = "--nonce=0a0b";
    let apart = [nonce, "--report", &report];
    for (evidence, more) in [(&both, &[nonce][..]), (&hex, &[nonce]), (&manifest, &apart)] {
        let json = replay(&log, evidence, more).ok().json();
        assert_eq!(json["holds"], true);
        assert_eq!(json["registers"][0]["name"], "rtmr3");
        // Nothing is odd about the simulated guest but that nobody has verified it.
        assert_eq!(kinds(&json), ["evidence-bound", "evidence-unverified"]);
        assert!(text_of(&json, "evidence-bound").starts_with(&**evidence));
        assert!(text_of(&json, "evidence-bound").contains("launch measurement"));
        let unverified = text_of(&json, "evidence-unverified");
        assert!(unverified.ends_with("verify signature and certificates"), "{unverified}");
        replay(&other, evidence, &[more, &["--register=rtmr2"]].concat()).ok();
        // Another register's value; a name that the bank does not have.
        let ran = replay(&log, evidence, &[more, &["--register=rtmr2"]].concat());
        assert_eq!((ran.status, &ran.json()["holds"]), (1, &json!(false)));
        replay(&log, evidence, &[more, &["--register=rtmr9"]].concat()).refused("--register names");
    }
    // Zeros behind it are the nonce's own.
    replay(&log, &both, &[&format!("--nonce=0A0B{}", "00".repeat(62))]).ok();
    let args = ["explain", "--json", "--expect-from", &both, nonce, &log];
    let json = tsm(&args).ok().json();
    assert_eq!((&json["holds"], kinds(&json).len()), (&json!(true), 2));
    // The machine goes on: the log has what the report does not cover.
    let log = machine.log("rtmr3", &["app.example stopped"]);
    let ran = replay(&log, &both, &[nonce]);
    assert_eq!((ran.status, &ran.json()["registers"][0]["match"]), (1, &json!("prefix")));
    // A report of another state of the bank, with the same nonce.
    let later = machine.evidence("report", "0a0b");
    replay(&log, &manifest, &[nonce, "--report", &later]).refused("not over this manifest");
}

#[test]
fn what_is_missing_is_said() {
    let dir = Dir::new();
    let machine = Machine(&dir, "sim:snp");
    let log = machine.log("rtmr3", &["one"]);
    let (report, manifest) = (machine.evidence("report", ""), machine.evidence("manifest", ""));
    let both = machine.evidence("all", "");
    // A report alone.
    for more in [&[][..], &["--nonce="]] {
        let ran = replay(&log, &report, more).refused("has no runtime registers");
        for word in ["--expect-from", "--report", "--nonce"] {
            assert!(ran.stderr.contains(word), "{}", ran.stderr);
        }
        replay(&log, &manifest, more).refused("only a report of its nonce vouches for");
    }
    replay(&log, &report, &["--nonce=", "--report", &manifest]).refused("no runtime registers");
    // No nonce. An empty one is one of zeros, and was asked with.
    replay(&log, &manifest, &["--report", &report]).refused("say --nonce HEX");
    replay(&log, &both, &[]).refused("say --nonce HEX");
    replay(&log, &both, &["--nonce="]).ok();
    replay(&log, &both, &[&format!("--nonce={}", "00".repeat(65))]).refused("at most 64 bytes");
    replay(&log, &both, &["--nonce=0"]).refused("hex digits");
    // A report that nothing asks for, or that is none.
    replay(&log, &both, &["--nonce=", "--report", &report]).refused("give the manifest with");
    replay(&log, &manifest, &["--nonce=", "--report", &log]).refused(&format!("--report {log}: "));
    let two = ["--nonce=", "--report", &report, "--expect-from", &manifest];
    replay(&log, &manifest, &two).refused("only a report of its nonce vouches for");
    for option in ["--nonce=", "--report=x"] {
        tsm(&["replay", option, &log]).refused("--expect-from");
    }
}

/// Any byte of the manifest, any other nonce, any byte of REPORT_DATA.
#[test]
fn every_change_is_refused() {
    let dir = Dir::new();
    let machine = Machine(&dir, "sim:snp");
    let log = machine.log("rtmr3", &["one"]);
    let both = machine.evidence("all", "01");
    let good = fs::read(&both).unwrap();
    replay(&log, &both, &["--nonce=01"]).ok();
    for nonce in ["", "00", "02", "0101", "0001"] {
        let nonce = format!("--nonce={nonce}");
        replay(&log, &both, &[&nonce]).refused("not over this manifest and this nonce");
    }
    let report_data = 0x50..0x90;
    for at in (REPORT_SIZE..good.len()).chain(report_data.step_by(9)) {
        let mut changed = good.clone();
        changed[at] ^= 1;
        let changed = file(&dir, "changed", &changed);
        replay(&log, &changed, &["--nonce=01"]).refused(&changed);
    }
    for size in [good.len() - 1, REPORT_SIZE + 16, REPORT_SIZE] {
        let cut = file(&dir, "cut", &good[..size]);
        replay(&log, &cut, &["--nonce=01"]).refused(&cut);
    }
    let longer = file(&dir, "longer", &[&good[..], &[0]].concat());
    replay(&log, &longer, &["--nonce=01"]).refused("bank's manifest");
}

/// A bank with one record in `rtmr3`, and the record's log.
fn kept(dir: &Dir, isolation: Isolation) -> (Vec<u8>, String) {
    let mut kept = SoftwareBank::<4>::new(bank::RTMRS, isolation).unwrap();
    let rtmr3 = kept.find("rtmr3").unwrap();
    let sync = format!("SYNC {}", Digest::zeros(Algorithm::Sha384));
    for record in [&*sync, "one"] {
        kept.extend(rtmr3, &[Algorithm::Sha384.hash(record.as_bytes())]).unwrap();
    }
    let mut page = [0; 1024];
    let manifest = kept.write_manifest(&mut page).unwrap().to_vec();
    (manifest, file(dir, "rtmr3.log", format!("{sync}\n\none\n").as_bytes()))
}

/// What the report says of the guest is named, and reports of others than VMPL0 vouch for nothing.
#[test]
fn levels_and_findings() {
    let dir = Dir::new();
    let mut firmware = Firmware::new(Chip::new("findings", Generation::Milan));
    let (manifest, log) = kept(&dir, Isolation::Privileged);
    let data = svsm::report_data(&[7; 64], &manifest);
    let nonce = format!("--nonce={}", "07".repeat(64));
    let manifest = file(&dir, "manifest", &manifest);
    let run = |manifest: &str, report: &[u8]| {
        let report = file(&dir, "report", report);
        replay(&log, manifest, &[&nonce, "--report", &report])
    };
    let of = |firmware: &Firmware, level| firmware.report(&data, level, SigningKey::Vcek);
    run(&manifest, &of(&firmware, 0)).ok();
    for level in 1..4 {
        let words = format!("the report is of VMPL {level}");
        run(&manifest, &of(&firmware, level)).refused(&words);
    }
    let mut of_host = of(&firmware, 0);
    of_host[0x30..0x34].fill(0xFF);
    run(&manifest, &of_host).refused("the host asked for the report");
    firmware.guest_mut().policy = GuestPolicy(firmware.guest().policy.0 | GuestPolicy::DEBUG.0);
    let json = run(&manifest, &of(&firmware, 0)).ok().json();
    assert_eq!(kinds(&json), ["evidence-bound", "debug", "evidence-unverified"]);
    assert!(text_of(&json, "debug").contains("the report: the host may debug"));
    let unsigned = Firmware::new(Chip::new("unsigned", Generation::Milan)).with_chip_key_masked();
    let json = run(&manifest, &of(&unsigned, 0)).ok().json();
    assert!(kinds(&json).contains(&"not-signed"), "{json:#}");
    let mut newer = of(&firmware, 0);
    newer[0] = 9;
    run(&manifest, &newer).refused("version");
    // Who extends the registers keeps them.
    let (open, _) = kept(&dir, Isolation::None);
    let firmware = Firmware::new(Chip::new("findings", Generation::Milan));
    let report = firmware.report(&svsm::report_data(&[7; 64], &open), 0, SigningKey::Vcek);
    let json = run(&file(&dir, "open", &open), &report).ok().json();
    assert_eq!(kinds(&json), ["evidence-bound", "no-isolation", "evidence-unverified"]);
}

/// An SVSM that attests all of its services: REPORT_DATA is over the list, in which the bank is.
#[test]
fn a_bank_among_services() {
    let dir = Dir::new();
    let firmware = Firmware::new(Chip::new("services", Generation::Genoa));
    let (bank, log) = kept(&dir, Isolation::Privileged);
    let run = |services: &[(tsm_snp::Guid, &[u8])], over: Option<&[u8]>| {
        let mut start = u32::try_from(24 * (services.len() + 1)).unwrap();
        let (mut entries, mut contents) = (Vec::new(), Vec::new());
        for (guid, content) in services {
            let size = u32::try_from(content.len()).unwrap();
            entries.extend(
                [&guid.mixed_bytes()[..], &start.to_le_bytes(), &size.to_le_bytes()].concat(),
            );
            contents.extend_from_slice(content);
            start += size;
        }
        let count = u32::try_from(services.len()).unwrap();
        let head =
            [&ServicesManifest::GUID.mixed_bytes()[..], &start.to_le_bytes(), &count.to_le_bytes()];
        let list = [head.concat(), entries, contents].concat();
        let data = svsm::report_data(&[0; 64], over.unwrap_or(&list));
        let report = file(&dir, "report", &firmware.report(&data, 0, SigningKey::Vcek));
        replay(&log, &file(&dir, "services", &list), &["--nonce=", "--report", &report])
    };
    let both = [(VTPM_SERVICE, &b"not looked into"[..]), (Manifest::SERVICE, &bank)];
    let json = run(&both, None).ok().json();
    assert_eq!(
        (&json["holds"], &json["registers"][0]["match"]),
        (&json!(true), &json!("complete"))
    );
    // Over the bank alone it vouches for no list.
    run(&both, Some(&bank)).refused("not over this manifest");
    run(&both[..1], None).refused("an SVSM without a register bank");
    run(&[(Manifest::SERVICE, &bank[..40])], None).refused("the bank's manifest");
}

/// The platform's half names the realm's key: a token for which it does not is refused, whatever else
/// is in it.
#[test]
fn a_realms_key() {
    let dir = Dir::new();
    let machine = Machine(&dir, "sim:cca");
    let log = machine.log("rem3", &["one"]);
    let path = machine.evidence("report", "0102");
    let good = fs::read(&path).unwrap();
    let json = replay(&log, &path, &[]).ok().json();
    assert_eq!(kinds(&json), ["evidence-bound", "evidence-unverified"]);
    assert!(text_of(&json, "evidence-bound").contains("names the realm's key"));
    assert!(text_of(&json, "evidence-unverified").ends_with("certificates and freshness"));
    let file_of = |path: &str| tsm(&["inspect", "--json", path]).ok().json()["files"][0].clone();
    assert_eq!(kinds(&file_of(&path)), ["not-verified", "bound"]);

    let token = Token::parse(&good, Rules::STRICT).unwrap();
    let place = |part: &[u8]| part.as_ptr().addr() - good.as_ptr().addr();
    let key = token.realm.claims.public_key;
    for at in [place(key.x), place(key.y) + 47, place(token.platform.claims.challenge)] {
        let mut changed = good.clone();
        changed[at] ^= 1;
        assert!(!Token::parse(&changed, Rules::STRICT).unwrap().binds_key());
        let changed = file(&dir, "changed", &changed);
        replay(&log, &changed, &[]).refused("the realm's key is not bound to the platform");
        tsm(&["explain", "--expect-from", &changed, &log]).refused("not bound");
        assert_eq!(kinds(&file_of(&changed)), ["not-verified", "binding"]);
    }
    // The challenge, if it is asked about.
    let json = replay(&log, &path, &["--nonce=0102"]).ok().json();
    assert_eq!(kinds(&json), ["evidence-bound", "evidence-bound", "evidence-unverified"]);
    assert!(text_of(&json, "evidence-unverified").ends_with("signature and certificates"));
    replay(&log, &path, &["--nonce=0103"]).refused("the realm's challenge is another");
}

#[test]
fn report_data_of_a_td() {
    let dir = Dir::new();
    let machine = Machine(&dir, "sim:tdx");
    let log = machine.log("rtmr3", &["one"]);
    for kind in ["report", "quote4", "quote5"] {
        let path = machine.evidence(kind, "0102");
        let json = replay(&log, &path, &["--nonce=0102"]).ok().json();
        assert_eq!(kinds(&json), ["evidence-bound", "evidence-unverified"]);
        replay(&log, &path, &["--nonce=0102ff"]).refused("REPORTDATA is another");
        assert_eq!(kinds(&replay(&log, &path, &[]).ok().json()), ["evidence-unverified"]);
    }
    let path = machine.evidence("quote4", "");
    replay(&log, &path, &["--nonce=", "--report", &path]).refused("--report");
}
