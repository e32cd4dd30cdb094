// SPDX-License-Identifier: MIT OR Apache-2.0
//! Evidence of simulated machines, from the command that makes it to those that read it.
#![cfg(feature = "sim")]

mod common;

use std::fs;

use common::machine::{Machine, replay};
use common::{Dir, tsm};
use serde_json::{Value as Json, json};
use tsm_core::{Algorithm, Digest};
use tsm_sim::Simulated;

const KINDS: [&str; 3] = ["report", "quote4", "quote5"];

/// Append, ask for evidence, replay the log against it.
#[test]
fn a_log_holds_against_its_machines_evidence() {
    let dir = Dir::new();
    let machine = Machine(&dir, "sim:tdx");
    machine.run(&["append", "rtmr3", "app.example started", "app.example ready"]).ok();
    machine.run(&["append", "rtmr2", "other.example started"]).ok();
    let (log, other) = (machine.log("rtmr3", &[]), machine.log("rtmr2", &[]));
    for kind in KINDS {
        let evidence = machine.evidence(kind, "0102");
        // The file's name says which register the log is about.
        let json = replay(&log, &evidence, &[]).ok().json();
        assert_eq!(
            (&json["holds"], &json["registers"][0]["name"]),
            (&json!(true), &json!("rtmr3"))
        );
        assert!(json["findings"].to_string().contains("evidence-unverified"));
        replay(&other, &evidence, &["--register", "rtmr2"]).ok();
        // Another register's value.
        let ran = replay(&log, &evidence, &["--register", "rtmr2"]);
        assert_eq!((ran.status, &ran.json()["holds"]), (1, &json!(false)));
    }
    let evidence = machine.evidence("quote4", "");
    let nameless = dir.file("some.log", fs::read(&log).unwrap());
    let nameless = nameless.to_str().unwrap();
    replay(nameless, &evidence, &[]).refused("--register");
    replay(nameless, &evidence, &["--register=rtmr3"]).ok();
    // The machine goes on: the log has what the quote does not cover.
    machine.run(&["append", "rtmr3", "app.example stopped"]).ok();
    let ran = replay(&machine.log("rtmr3", &[]), &evidence, &[]);
    assert_eq!((ran.status, &ran.json()["registers"][0]["match"]), (1, &json!("prefix")));
}

fn field<'j>(file: &'j Json, name: &str) -> &'j Json {
    let sections = file["sections"].as_array().unwrap().iter();
    let mut fields = sections.flat_map(|section| section["fields"].as_array().unwrap());
    fields.find(|field| field["name"] == name).unwrap_or_else(|| panic!("{name}"))
}

/// The evidence says what the machine's registers say, and that it is simulated.
#[test]
fn evidence_is_inspected() {
    let dir = Dir::new();
    let machine = Machine(&dir, "sim:tdx");
    let digest = Algorithm::Sha384.hash(b"x");
    machine.run(&["extend", "rtmr1", &digest.to_string()]).ok();
    let mut rtmr1 = Digest::zeros(Algorithm::Sha384);
    rtmr1.extend(&digest).unwrap();
    let registers = machine.run(&["registers", "--json"]).ok().json();
    let value = |name: &str| {
        let all = registers["registers"].as_array().unwrap();
        all.iter().find(|r| r["name"] == name).unwrap()["values"]["sha384"].clone()
    };
    assert_eq!(format!("sha384/{}", value("rtmr1").as_str().unwrap()), rtmr1.to_string());
    for kind in KINDS {
        let evidence = machine.evidence(kind, "a0B1");
        let ran = tsm(&["inspect", "--json", &evidence]).ok();
        let file = &ran.json()["files"][0];
        assert_eq!((&file["simulated"], &file["error"]), (&json!(true), &Json::Null), "{kind}");
        assert_eq!(field(file, "RTMR1")["bytes"], value("rtmr1"));
        assert_eq!(field(file, "MRTD")["bytes"], value("mrtd"));
        assert_eq!(field(file, "MRSEAM")["bytes"], value("mrseam"));
        let data = format!("a0b1{}", "00".repeat(62));
        assert_eq!(field(file, "REPORTDATA")["bytes"], data);
        let text = tsm(&["inspect", &evidence]).ok().text();
        assert!(text.contains("not verified") && text.contains("SIMULATED"), "{text}");
        if kind != "report" {
            assert!(
                field(file, "certificate 3")["value"].to_string().contains("SIMULATED SGX Root")
            );
        }
    }
    // Another nonce moves REPORTDATA, not the registers.
    let report = |nonce: &str| fs::read(machine.evidence("report", nonce)).unwrap();
    let (first, second) = (report("01"), report("02"));
    assert_ne!(first[128..192], second[128..192]);
    assert_eq!(first[256..], second[256..]);
}

#[test]
fn other_machines() {
    let dir = Dir::new();
    let machine = Machine(&dir, "sim:nsm");
    let report = machine.run(&["report"]).ok();
    assert!(report.stdout.starts_with(b"SIMULATED report of sim:nsm"));
    for other in ["sim:nsm", "sim:cca", "sim:snp"] {
        let words = format!("{other} makes no quotes");
        Machine(&dir, other).run(&["report", "--kind", "quote4"]).refused(&words);
    }
    for other in ["sim:nsm", "sim:cca", "sim:tdx"] {
        let words = format!("{other} has no manifest");
        Machine(&dir, other).run(&["report", "--kind", "manifest"]).refused(&words);
    }
    Machine(&dir, "sim:tdx").run(&["report", "--nonce", "0"]).refused("hex digits");
    let too_long = |machine: &Machine<'_>, kinds: &[&str]| {
        for kind in kinds {
            machine.run(&["report", "--kind", kind, "--nonce", &"00".repeat(64)]).ok();
            let ran = machine.run(&["report", "--kind", kind, "--nonce", &"00".repeat(65)]);
            assert_eq!((ran.status, ran.stderr.lines().count()), (2, 1), "{}", ran.stderr);
        }
    };
    for (provider, kinds) in [("sim:tdx", &KINDS[..]), ("sim:cca", &["report", "all"])] {
        too_long(&Machine(&dir, provider), kinds);
    }
    Machine(&dir, "sim:snp").run(&["registers"]).ok();
    // Nothing was changed by asking.
    assert!(!Machine(&dir, "sim:snp").home().exists());
    // But an SNP machine: see below.
    too_long(&Machine(&dir, "sim:snp"), &["report", "manifest", "all"]);
    assert!(Machine(&dir, "sim:snp").home().join("state.json").exists());
}

/// The number of an SNP guest's last message under its first key, as it was stored.
fn messages(dir: &Dir) -> u64 {
    let state = fs::read(Machine(dir, "sim:snp").home().join("state.json")).unwrap();
    let state: Json = serde_json::from_slice(&state).unwrap();
    let mut lines = state["device"].as_str().unwrap().lines();
    let digits = lines.find_map(|line| line.strip_prefix("messages ")).unwrap();
    let mut bytes = [0; 32];
    assert!(tsm_core::hex::decode(digits.as_bytes(), &mut bytes));
    u64::from_le_bytes(*bytes.first_chunk().unwrap())
}

/// A report of SNP is a message with a number, which is the nonce of a cipher under a key that the
/// next process has too. So the machine is stored with every report, from the first on; a machine that
/// was not there is created, as by `append`. Reading sends the message with which every process begins,
/// always the same: it changes nothing.
#[test]
fn numbers_of_messages_go_on() {
    let dir = Dir::new();
    let machine = Machine(&dir, "sim:snp");
    let home = machine.home();
    for args in [&["registers"][..], &["log", "rtmr3"], &["report", "--kind", "quote4"]] {
        machine.run(args);
        assert!(!home.exists(), "{args:?}");
    }
    // Refused before a message: nothing to store.
    machine.run(&["report", "--nonce", &"00".repeat(65)]).refused("at most 64 bytes");
    assert!(!home.join("state.json").exists());
    let mut last = 0;
    for nonce in ["01", "02", "02", "03"] {
        machine.run(&["report", "--nonce", nonce]).ok();
        let now = messages(&dir);
        // A request and its response for the machine's begin, the same for the report.
        assert_eq!(now, last + 4);
        last = now;
        let state = fs::read(home.join("state.json")).unwrap();
        machine.run(&["registers"]).ok();
        machine.run(&["log", "rtmr3"]).ok();
        machine.run(&["report", "--nonce", &"00".repeat(65)]).refused("at most 64 bytes");
        assert_eq!(fs::read(home.join("state.json")).unwrap(), state);
    }
    machine.run(&["append", "rtmr3", "one"]).ok();
    assert_eq!(messages(&dir), last + 2);
    machine.run(&["report"]).ok();
    assert_eq!(messages(&dir), last + 6);
    // Reports at once wait for each other: no number is used by two.
    std::thread::scope(|scope| {
        for nonce in ["04", "05", "06", "07"] {
            let machine = &machine;
            scope.spawn(move || machine.run(&["report", "--nonce", nonce]).ok());
        }
    });
    assert_eq!(messages(&dir), last + 6 + 4 * 4);
    // If the state cannot be stored there is no report.
    fs::create_dir(home.join("state.json.new")).unwrap();
    let ran = machine.run(&["report", "--nonce", "08"]).refused("state.json.new");
    assert!(ran.stdout.is_empty());
}

/// The registers are those of the adapter.
#[test]
fn registers_of_the_module() {
    let dir = Dir::new();
    let machine = Machine(&dir, "sim:tdx");
    let json = machine.run(&["registers", "--json"]).ok().json();
    let names = json["registers"].as_array().unwrap().iter().map(|r| r["name"].as_str().unwrap());
    let names: Vec<_> = names.collect();
    let expected = "mrtd mrconfigid mrowner mrownerconfig rtmr0 rtmr1 rtmr2 rtmr3 servtd_hash \
                    attributes xfam mrseam";
    assert_eq!(names.join(" "), expected);
    let zeros = Digest::zeros(Algorithm::Sha384).to_string();
    machine.run(&["extend", "mrseam", &zeros]).refused("does not permit");
}

/// A state of the tables that `sim:tdx` and `sim:cca` were before, and of other kinds.
#[test]
fn states_of_others() {
    let dir = Dir::new();
    let state = |name: &str| {
        let device = String::from_utf8(Simulated::by_name(name).unwrap().save()).unwrap();
        let state = json!({
            "schema": "tsm.state/1",
            "simulated": true,
            "device": device,
            "virtual": [],
            "logs": {},
        });
        for provider in ["sim:tdx", "sim:cca", "sim:nsm"] {
            let home = Machine(&dir, provider).home();
            fs::create_dir_all(&home).unwrap();
            fs::write(home.join("state.json"), state.to_string()).unwrap();
        }
    };
    let machine = Machine(&dir, "sim:tdx");
    state("tdx");
    machine.run(&["registers"]).refused("use another directory");
    machine.run(&["append", "rtmr3", "x"]).refused("older version");
    state("cca");
    machine.run(&["registers"]).refused("a sim:cca that an older version");
    let realm = Machine(&dir, "sim:cca");
    realm.run(&["registers"]).refused("use another directory");
    realm.run(&["append", "rem3", "x"]).refused("older version");
    state("nsm");
    machine.run(&["registers"]).refused("holds sim:nsm");
    Machine(&dir, "sim:nsm").run(&["registers"]).ok();
}
