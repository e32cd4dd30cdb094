// SPDX-License-Identifier: MIT OR Apache-2.0
//! `tsm diff`: what differs is what differs in the machines' registers.

mod common;

use std::fs;
use std::path::Path;

use common::{Dir, Ran, event, firmware_runs, generated, header, shared, tsm};
use serde_json::Value as Json;
use tsm_core::{Algorithm, Digest};

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn diff(a: &Path, b: &Path, args: &[&str]) -> Ran {
    tsm(&[&["diff", "--json"], args, &[text(a), text(b)]].concat())
}

fn register<'j>(json: &'j Json, name: &str) -> &'j Json {
    json["registers"].as_array().unwrap().iter().find(|r| r["name"] == name).unwrap()
}

fn pcr<'t>(text: &'t str, name: &str) -> &'t str {
    let number = name.strip_prefix("pcr").unwrap();
    let of = |line: &&str| line.split(' ').next() == Some(number);
    text.lines().find(of).unwrap()
}

/// Each two boots of the repository: a register is called equal where the PCR was.
#[test]
fn boots_differ_where_their_pcrs_do() {
    let runs = firmware_runs();
    let (mut equal, mut different) = (0, 0);
    for (at, (a, folder_a, banks_a)) in runs.iter().enumerate() {
        for (b, folder_b, banks_b) in &runs[at..] {
            let log = |folder: &Path| folder.join("binary_bios_measurements");
            let ran = diff(&log(folder_a), &log(folder_b), &[]);
            let common: Vec<_> = banks_a.iter().filter(|bank| banks_b.contains(bank)).collect();
            let Some(bank) = common.first() else {
                ran.refused("no bank in common");
                continue;
            };
            let json = ran.json();
            assert_eq!(ran.status, i32::from(json["equal"] == false), "{a} {b}");
            let read = |folder: &Path| {
                fs::read_to_string(folder.join(format!("pcrs/pcr-{bank}.txt"))).unwrap()
            };
            let (of_a, of_b) = (read(folder_a), read(folder_b));
            for register in json["registers"].as_array().unwrap() {
                let name = register["name"].as_str().unwrap();
                let is_equal = pcr(&of_a, name) == pcr(&of_b, name);
                assert_eq!(register["equal"], is_equal, "{a} {b} {name}");
                assert_eq!(register["first"].is_null(), is_equal, "{a} {b} {name}");
                let value = &register["values"][0];
                if !value.is_null() {
                    assert_eq!(value["equal"], is_equal, "{a} {b} {name}");
                }
                (equal, different) =
                    (equal + usize::from(is_equal), different + usize::from(!is_equal));
            }
        }
    }
    eprintln!("{equal} equal, {different} different");
    assert!(equal > 500 && different > 100, "{equal} {different}");
}

#[test]
fn tables() {
    let log = |name: &str| generated().join(name).join("binary_bios_measurements");
    let (old, new) = (log("secureboot-shim-grub-61"), log("ovmf2025-secureboot-shim-grub-61"));
    let ran = tsm(&["diff", text(&old), text(&new)]);
    assert_eq!((ran.status, &*ran.stderr), (1, ""));
    let table = ran.text();
    let row = |name: &str| {
        let row = table.lines().find(|line| line.starts_with(name)).unwrap();
        row.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    assert_eq!(row("pcr0 "), "pcr0 4 4 differs from event 0 on");
    assert_eq!(row("pcr7 "), "pcr7 9 9 equal");
    assert_eq!(row("pcr4 "), "pcr4 6 6 equal, 4 shown differently", "loaded at other addresses");
    assert!(table.contains("usually: another firmware"));
    assert!(table.contains("QEMU's version") && table.contains("the registers differ"));
    assert!(table.contains("EV_S_CRTM_VERSION version \"2025.02-8+deb13u1\""));
    assert!(table.contains("(here: variable BootOrder)"), "{table}");
    let same = tsm(&["diff", text(&old), text(&old)]).ok().text();
    assert!(same.contains("the registers are equal") && !same.contains("where they part"));
    let json = diff(&old, &new, &["--register=pcr4,pcr7", "--bank=sha256"]).ok().json();
    assert_eq!(
        (json["registers"].as_array().unwrap().len(), &json["banks"][0]),
        (2, &"sha256".into())
    );
    diff(&old, &new, &["--bank=sha384"]).refused("sha1, sha256");
}

/// A binary and a text list of one boot, and lists of two.
#[test]
fn ima_lists() {
    let list = |run: &str, kind: &str| {
        generated().join(run).join(format!("ima_{kind}_runtime_measurements"))
    };
    for run in ["bios-61-direct-tcb", "ima-61-sigv2", "ima-61-legacy-sha1"] {
        let json = diff(&list(run, "binary"), &list(run, "ascii"), &[]).ok().json();
        assert_eq!(json["equal"], true);
        assert!(json["registers"][0]["shown_differently"].as_array().unwrap().is_empty(), "{run}");
    }
    let run = "ima-73-sig-signedfiles";
    // Lists of other widths have the same records.
    let wide = generated().join(run).join("ima_binary_runtime_measurements_sha512");
    let json = diff(&list(run, "ascii"), &wide, &[]).ok().json();
    assert_eq!(json["banks"], serde_json::json!(["sha256"]));
    let json = diff(&list("bios-61-direct-tcb", "binary"), &list("ima-61-ng-sha1", "binary"), &[]);
    assert_eq!(json.status, 1);
    let json = json.json();
    assert!(json["registers"][0]["usually"].to_string().contains("PCRs 0 to 9"));
    let firmware = generated().join(run).join("binary_bios_measurements");
    diff(&firmware, &list(run, "binary"), &[]).refused("no register in common");
}

/// What systemd-pcrlock and others made of a log is the same log, but for the start-up locality that
/// they leave out.
#[test]
fn shared_logs_in_other_formats() {
    let Some(root) = shared("eventlogs") else { return };
    let folder = root.join("generated/cel-json");
    let mut compared = 0;
    for name in
        ["rhel8-uefi.bin", "arch-linux-workstation.bin", "cos-85-amd-sev.bin", "glinux-alex.bin"]
    {
        let cel = folder.join(format!("{name}.pcrlock-cel.json"));
        let json = diff(&root.join("go-tpm-tools/eventlogs").join(name), &cel, &[]).json();
        let is_other_start = name.starts_with("glinux");
        assert_eq!(json["equal"], !is_other_start, "{name}");
        for register in json["registers"].as_array().unwrap() {
            assert!(
                register["first"].is_null()
                    && register["shown_differently"] == serde_json::json!([])
            );
            assert_eq!(register["equal"], !is_other_start || register["name"] != "pcr0", "{name}");
            compared += 1;
        }
    }
    assert!(compared >= 30, "{compared}");
    let cel = root.join("generated/cel-own");
    let [json, cbor] = ["json", "cbor"].map(|kind| cel.join(format!("shim-grub-sb.cel.{kind}")));
    diff(&json, &cbor, &[]).ok().json();
    // A CCEL, cut before its filler.
    let ccel = root.join("go-eventlog/eventlogs/ccel");
    let name = "cos-113-intel-tdx-dupe-separator";
    let (whole, cut) =
        (ccel.join(format!("{name}.bin")), ccel.join(format!("{name}-unpadded.bin")));
    let json = diff(&whole, &cut, &["--platform=tdx"]).ok().json();
    assert_eq!(json["registers"][0]["name"], "rtmr0");
}

/// Where two made logs part, and how.
#[test]
fn made_differences() {
    let dir = Dir::new();
    let sync = format!("SYNC {}", Digest::zeros(Algorithm::Sha256));
    let log = |name: &str, records: &[&str]| {
        dir.file(name, format!("{sync}\n\n{}\n", records.join("\n")))
    };
    let a = log("a", &["one", "two", "three", "four", "five"]);
    let b = log("b", &["one", "three", "new", "four", "two", "five", "six"]);
    let ran = diff(&a, &b, &["--register=log"]);
    let json = ran.json();
    let found = register(&json, "log");
    assert_eq!((ran.status, &found["first"]["a"]["text"]), (1, &"two".into()));
    assert_eq!(found["first"]["b"]["text"], "three");
    let texts = |list: &Json| -> Vec<String> {
        let text = |e: &Json| e["text"].as_str().unwrap().to_string();
        list.as_array().unwrap().iter().map(text).collect()
    };
    assert_eq!(texts(&found["only_in_b"]), ["new", "six"]);
    assert!(texts(&found["only_in_a"]).is_empty());
    assert_eq!(
        (&found["moved"][0]["a"]["event"], &found["moved"][0]["b"]["event"]),
        (&2.into(), &5.into())
    );
    // The longer log goes on.
    let more = log("more", &["one", "two", "three", "four", "five", "six"]);
    let json = diff(&a, &more, &[]).json();
    assert!(json["registers"][0]["first"]["a"].is_null());
    assert_eq!(json["registers"][0]["first"]["b"]["text"], "six");
    assert!(tsm(&["diff", text(&a), text(&more)]).text().contains("b has more events"));
}

/// A CCEL does not say of which platform it is; dstack's events are a TD's.
#[test]
fn a_log_takes_the_platform_of_the_other() {
    let dir = Dir::new();
    let digest = Algorithm::Sha384.hash(b"config");
    let ccel = dir.file("ccel", [header(1), event(1, 10, digest, b"ACPI DATA")].concat());
    let hex = digest.to_string().split_once('/').unwrap().1.to_string();
    let events = |hex: &str| {
        format!(
            "[{{\"imr\":0,\"event_type\":10,\"digest\":\"{hex}\",\"event\":\"\",\
             \"event_payload\":\"414350492044415441\"}}]"
        )
    };
    let json = diff(&ccel, &dir.file("events", events(&hex)), &[]).ok().json();
    let register = &json["registers"][0];
    assert_eq!((&register["name"], &register["equal"]), (&"rtmr0".into(), &true.into()));
    let other = dir.file("other", events(&"11".repeat(48)));
    let json = diff(&ccel, &other, &["--register=ccmr1"]).json();
    assert!(json["registers"][0]["usually"].to_string().contains("memory size"), "{json}");
    diff(&ccel, &other, &["--platform=tpm"]).refused("no register in common");
}

/// An event of another type or data with the same digest is the same event.
#[test]
fn what_no_digest_covers() {
    let log = generated().join("bios-61-direct-tcb/binary_bios_measurements");
    let mut bytes = fs::read(&log).unwrap();
    let dir = Dir::new();
    let json = tsm(&["log", "show", "--json", text(&log)]).ok().json();
    let records = json["records"].as_array().unwrap();
    let separator = records.iter().find(|r| r["type"]["name"] == "EV_SEPARATOR").unwrap();
    let at = usize::try_from(separator["offset"].as_u64().unwrap()).unwrap();
    // To EV_ACTION.
    bytes[at + 4] = 5;
    let retyped = dir.file("log", &bytes);
    let json = diff(&log, &retyped, &[]).ok().json();
    let name = separator["register"].as_str().unwrap();
    let shown = &register(&json, name)["shown_differently"];
    assert_eq!(shown.as_array().unwrap().len(), 1);
    assert_eq!(
        (&shown[0]["a"]["type"]["name"], &shown[0]["b"]["type"]["name"]),
        (&"EV_SEPARATOR".into(), &"EV_ACTION".into())
    );
    let table = tsm(&["diff", text(&log), text(&retyped)]).ok().text();
    assert!(table.contains("same digest, shown differently"), "{table}");
    // To EV_NO_ACTION: then it extends nothing, and is missing.
    bytes[at + 4] = 3;
    let json = diff(&log, &dir.file("log", &bytes), &[]).json();
    assert_eq!(register(&json, name)["only_in_a"].as_array().unwrap().len(), 1);
    // Cut: what is there is compared, and the exit status says that it is not all.
    let cut = dir.file("log", &bytes[..bytes.len() - 4]);
    let ran = diff(&log, &cut, &[]).refused("ends inside a record").json();
    assert!(ran["b"]["error"].as_str().unwrap().contains("byte "));
    diff(Path::new("-"), Path::new("-"), &[]).refused("standard input");
    diff(&log, Path::new("/nonexistent"), &[]).refused("/nonexistent");
}

/// Records that have no digest of the banks compared are not equal for that.
#[test]
fn what_lacks_a_bank_is_compared_all_the_same() {
    let dir = Dir::new();
    let log = |name: &str, byte: &str| {
        let record = |number: u8, digests: String| {
            format!(
                r#"{{"recnum":{number},"pcr":4,"digests":[{digests}],"content_type":"pcclient_std",
                "content":{{"event_type":5,"event_data":""}}}}"#
            )
        };
        let digest = |bank: &str, byte: &str, size: usize| {
            format!(r#"{{"hashAlg":"{bank}","digest":"{}"}}"#, byte.repeat(size))
        };
        let both = format!("{},{}", digest("sha1", "11", 20), digest("sha256", "22", 32));
        let log = format!("[{},{}]", record(0, both), record(1, digest("sha1", byte, 20)));
        dir.file(name, log)
    };
    let (a, b) = (log("a", "aa"), log("b", "bb"));
    for args in [&["--bank=sha256"][..], &[]] {
        let ran = diff(&a, &b, args);
        assert_eq!((ran.status, &ran.json()["equal"]), (1, &false.into()), "{args:?}");
        assert_eq!(diff(&a, &a, args).ok().json()["equal"], true);
    }
}
