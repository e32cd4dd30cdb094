// SPDX-License-Identifier: MIT OR Apache-2.0
//! `tsm log show`: every format, filters, running values, and what comes out of bad input.

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::path::Path;
use std::process::Stdio;

use common::{Dir, command, firmware_runs, generated, shared, tsm, tsm_with_input};
use serde_json::Value as Json;
use tsm_core::{Algorithm, Digest};

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn show(log: &Path, args: &[&str]) -> Json {
    tsm(&[&["log", "show", "--json"], args, &[text(log)]].concat()).ok().json()
}

fn records(json: &Json) -> &Vec<Json> {
    json["records"].as_array().unwrap()
}

/// What a machine's PCRs held, by name.
fn pcrs(folder: &Path, bank: &str) -> BTreeMap<String, String> {
    let text = fs::read_to_string(folder.join(format!("pcrs/pcr-{bank}.txt"))).unwrap();
    let pair = |line: &str| {
        let (pcr, hex) = line.split_once(' ').unwrap();
        (format!("pcr{pcr}"), hex.trim().to_lowercase())
    };
    text.lines().map(pair).collect()
}

/// The last values of the registers are those of the machine.
#[test]
fn running_values_end_at_the_machines() {
    let mut compared = 0;
    for (name, folder, banks) in firmware_runs() {
        let json = show(&folder.join("binary_bios_measurements"), &["--values"]);
        assert_eq!((&json["format"], &json["trusted"]), (&"tcg2".into(), &false.into()));
        for bank in &banks {
            let pcrs = pcrs(&folder, bank);
            let mut last = BTreeMap::new();
            for record in records(&json).iter().filter(|r| r["extends"] == true) {
                last.insert(record["register"].as_str().unwrap(), &record["values"][bank]);
            }
            for (register, value) in last {
                assert_eq!(value, &pcrs[register], "{name} {register} {bank}");
                compared += 1;
            }
        }
        if name.contains("-73-") {
            let list = folder.join("ima_binary_runtime_measurements");
            for bank in &banks {
                let json = show(&list, &["--values", "--bank", bank]);
                let last = records(&json).last().unwrap();
                assert_eq!(last["values"][bank], pcrs(&folder, bank)["pcr10"], "{name} {bank}");
                compared += 1;
            }
        }
    }
    assert!(compared > 250, "{compared}");
}

/// Types, registers and digests as tpm2_eventlog shows them.
#[test]
fn records_are_those_of_another_tool() {
    let Some(folder) = shared("eventlogs/tpm2-tools") else { return };
    let (mut logs, mut events) = (0, 0);
    for entry in fs::read_dir(folder.join("event-raw")).unwrap() {
        let yaml = entry.unwrap().path();
        let json = show(&folder.join(yaml.file_stem().unwrap()), &[]);
        if json["format"] != "tcg2" {
            continue;
        }
        let mut theirs = Vec::new();
        for line in fs::read_to_string(&yaml)
            .unwrap()
            .lines()
            .map(|line| line.trim().trim_start_matches("- "))
        {
            match line.split_once(": ") {
                Some(("PCRIndex", pcr)) => theirs.push(format!("pcr{pcr}")),
                Some(("EventType" | "AlgorithmId", word)) => theirs.push(word.to_string()),
                Some(("Digest", hex)) => theirs.push(hex.trim_matches('"').to_string()),
                _ => {}
            }
        }
        let mut ours = Vec::new();
        for record in records(&json) {
            let mut take = |value: &Json| ours.push(value.as_str().unwrap().to_string());
            take(&record["register"]);
            take(&record["type"]["name"]);
            for (bank, hex) in record["digests"].as_object().unwrap() {
                take(&bank.as_str().into());
                take(hex);
            }
            events += 1;
        }
        // The header is an event there: register, type, digest.
        assert_eq!(ours, theirs[3..], "{}", yaml.display());
        logs += 1;
    }
    eprintln!("{logs} logs, {events} events");
    assert!(logs >= 7 && events > 300, "{logs} {events}");
}

#[test]
fn tables_and_filters() {
    let log = generated().join("bios-61-direct-tcb/binary_bios_measurements");
    let table = tsm(&["log", "show", text(&log)]).ok().text();
    let first = table.lines().next().unwrap();
    assert!(first.starts_with("format tcg2, untrusted"), "{first}");
    assert!(table.lines().nth(1).unwrap().contains("banks sha1 sha256"));
    let line = table.lines().find(|line| line.contains("Calling EFI")).unwrap();
    let words: Vec<_> = line.split_whitespace().collect();
    let digest = "sha256:3d6772b4f84e..33ba";
    assert_eq!(words[..5], ["13", "1408", "pcr4", "EV_EFI_ACTION", digest]);
    assert_eq!(table.lines().count(), 3 + 24);
    assert!(!table.contains('\x1b'), "no colours without a terminal");

    let json = show(&log, &["--register", "pcr4,pcr7", "--bank", "sha1"]);
    assert_eq!(records(&json).len(), 3 + 6);
    assert!(records(&json).iter().all(|r| r["digests"].as_object().unwrap().len() == 1));
    let table = tsm(&["log", "show", "--values", "--register", "pcr2", text(&log)]).ok().text();
    // Of a separator, by the machine.
    let value = &pcrs(&generated().join("bios-61-direct-tcb"), "sha256")["pcr2"];
    assert!(table.contains(&format!("pcr2:sha256 = {value}")), "{table}");
    // In pieces, and from standard input.
    let bytes = fs::read(&log).unwrap();
    let dir = Dir::new();
    let (a, b) = (dir.file("a", &bytes[..1000]), dir.file("b", &bytes[1000..]));
    let pieces = tsm(&["log", "show", text(&a), text(&b)]).ok().text();
    assert_eq!(pieces, tsm_with_input(&["log", "show", "-"], &bytes).ok().text());
}

#[test]
fn other_formats() {
    let sync = format!("SYNC {}", Digest::zeros(Algorithm::Sha256));
    let log = format!("{sync}\n\none\n# remark\n\n# .EXTEND {}\n", "00".repeat(32));
    let json = tsm_with_input(&["log", "show", "--json", "--values", "-"], log.as_bytes());
    let json = json.ok().json();
    let kinds: Vec<_> = records(&json).iter().map(|r| r["content"]["kind"].clone()).collect();
    assert_eq!(kinds, ["sync", "record", "comment", "note"]);
    let mut value = Digest::zeros(Algorithm::Sha256);
    value.extend(&Algorithm::Sha256.hash(sync.as_bytes())).unwrap();
    value.extend(&Algorithm::Sha256.hash(b"one")).unwrap();
    let shown = records(&json)[1]["values"]["sha256"].as_str().unwrap();
    assert_eq!(format!("sha256/{shown}"), value.to_string());
    assert_eq!(
        (&records(&json)[1]["line"], &records(&json)[2]["extends"]),
        (&3.into(), &false.into())
    );

    let list = generated().join("ima-73-ng-sha384/ima_ascii_runtime_measurements");
    let json = show(&list, &[]);
    assert_eq!(json["format"], "ima-ascii");
    let content = &records(&json)[0]["content"];
    assert_eq!(
        (&content["name"], &content["template"]),
        (&"boot_aggregate".into(), &"ima-ng".into())
    );
    let violations = records(&json).iter().filter(|r| r["content"]["is_violation"] == true);
    // INDEX.md of the data.
    assert_eq!(violations.count(), 2);

    let init = format!("INIT {}\na b c\n", Digest::zeros(Algorithm::Sha384));
    let args = ["log", "show", "--json", "--register", "rtmr3", "-"];
    let json = tsm_with_input(&args, init.as_bytes()).ok().json();
    assert_eq!(records(&json)[1]["content"]["operation"], "b");
    assert_eq!(records(&json)[1]["register"], "rtmr3");
    let line = "{\"event\":\"app-id\",\"payload\":\"3q0=\"}\n";
    let json = tsm_with_input(&["log", "show", "--json", "-"], line.as_bytes()).ok().json();
    let content = &records(&json)[0]["content"];
    assert_eq!((&content["payload"], &content["version"]), (&"dead".into(), &1.into()));
}

/// Every log at hand, against the schema.
#[test]
fn shared_logs_follow_the_schema() {
    let Some(root) = shared("eventlogs") else { return };
    let mut formats: BTreeMap<String, usize> = BTreeMap::new();
    let mut folders = vec![root];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            // Larger ones are of the same kinds.
            let size = fs::metadata(&path).unwrap().len();
            if path.extension().is_some_and(|e| e == "md" || e == "txt") || size > 100_000 {
                continue;
            }
            let ran = tsm(&["log", "show", "--json", text(&path)]);
            assert!([0, 2].contains(&ran.status), "{}: {}", path.display(), ran.stderr);
            if !ran.stdout.is_empty() {
                let format = ran.json()["format"].as_str().unwrap().to_string();
                *formats.entry(format).or_default() += 1;
            }
        }
    }
    eprintln!("{formats:?}");
    assert!(formats.len() >= 9 && formats.values().sum::<usize>() > 150, "{formats:?}");
}

/// What an escape sequence in a log would do to a terminal.
// T-33
#[test]
fn nothing_of_a_log_reaches_a_terminal_raw() {
    let evil = "evil\x1b[31m\u{202e}\x07";
    let sync = format!("SYNC {}", Digest::zeros(Algorithm::Sha256));
    let record = format!("{sync}\n\n{evil}\n");
    let other = format!("{sync}\n\n{evil}{evil}\n");
    let hex = "00".repeat(32);
    let cel = format!(
        "[{{\"recnum\":0,\"pcr\":1,\"digests\":[{{\"hashAlg\":\"\\u001b[1m\",\"digest\":\"{hex}\"}},\
         {{\"hashAlg\":\"sha256\",\"digest\":\"{hex}\"}}],\"content_type\":\"\\u001b[5m\",\
         \"content\":\"\\u001b[7m\"}}]"
    );
    let init = format!("INIT {}\n{evil} {evil} {evil}\n", Digest::zeros(Algorithm::Sha384));
    let dir = Dir::new();
    for (index, log) in [&record, &cel, &init].into_iter().enumerate() {
        let path = dir.file(&format!("{index}{evil}"), log);
        let second = dir.file("second", if index == 0 { &other } else { log });
        for args in [
            &["log", "show", "--values"][..],
            &["log", "show", "--register", evil],
            &["replay", "--bank", "sha256"],
            &["explain", "--bank", "sha256"],
            &["explain"],
            &["replay"],
        ] {
            let ran = tsm(&[args, &[text(&path)]].concat());
            let all = format!("{}{}", ran.text(), ran.stderr);
            assert!(!all.contains(['\x1b', '\u{202e}', '\x07']), "{args:?}: {all:?}");
        }
        let ran = tsm(&["diff", text(&path), text(&second)]);
        assert!(!ran.text().contains(['\x1b', '\u{202e}', '\x07']), "{}", ran.text());
        assert!(!ran.text().is_empty(), "{}", ran.stderr);
    }
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let dir = Dir::new();
    let sync = format!("SYNC {}", Digest::zeros(Algorithm::Sha256));
    let lines = "a record of no meaning\n".repeat(20_000);
    let path = dir.file("log", format!("{sync}\n\n{lines}"));
    let other = dir.file("other", format!("{sync}\n\nx\n{lines}"));
    for args in [
        &["log", "show", text(&path)][..],
        &["log", "show", "--json", text(&path)],
        &["diff", "--json", text(&path), text(&other)],
        &["replay", text(&path)],
        &["explain", text(&path)],
        &["explain", "--json", text(&path)],
    ] {
        let mut child =
            command().args(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut out = child.stdout.take().unwrap();
        out.read_exact(&mut [0; 10]).unwrap();
        drop(out);
        let output = child.wait_with_output().unwrap();
        assert!(output.stderr.is_empty(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        assert!([0, 1].contains(&output.status.code().unwrap()), "{args:?}");
    }
}

const FORMATS: [&str; 13] = [
    "record",
    "ima",
    "tcg2",
    "ccel",
    "tcg-sha1",
    "cel-tlv",
    "cel-cbor",
    "cel-cbor-sequence",
    "cel-json",
    "systemd",
    "aael",
    "dstack-log",
    "dstack-events",
];

/// Whatever the bytes are: a verdict or one line about what is wrong, and soon.
#[test]
fn hostile_input() {
    let firmware = generated().join("bios-61-direct-tcb/binary_bios_measurements");
    let bytes = fs::read(firmware).unwrap();
    let dir = Dir::new();
    // Records of no content, as many as fit.
    let empty = [[1, 0, 0, 0], [5, 0, 0, 0], [0; 4], [0; 4]].concat();
    let many = [&bytes[..69], &empty.repeat(3_000)].concat();
    let inputs = [
        Vec::new(),
        vec![0; 1 << 20],
        vec![0xFF; 1 << 20],
        b"[".repeat(100_000),
        b"{\"a\":".repeat(20_000),
        b"SYNC ".repeat(50_000),
        b"\x1e{}\n".repeat(5_000),
        [0x9B].repeat(100_000),
        bytes[..777].to_vec(),
        many,
    ];
    let start = std::time::Instant::now();
    for (index, input) in inputs.iter().enumerate() {
        let path = dir.file(&format!("input{index}"), input);
        for format in FORMATS {
            let format = format!("--format={format}");
            for args in [
                &["log", "show", "--json", &format, text(&path)][..],
                &["log", "show", "--values", &format, text(&path)],
                &["replay", "--bank=sha256", &format, text(&path)],
                &["diff", &format, text(&path), text(&path)],
                &["explain", "--bank=sha256", &format, text(&path)],
            ] {
                let ran = tsm(args);
                assert!([0, 1, 2].contains(&ran.status), "{args:?}: {}", ran.stderr);
                assert_eq!(ran.stderr.lines().count(), usize::from(ran.status == 2), "{args:?}");
            }
        }
    }
    assert!(start.elapsed().as_secs() < 240, "{:?}", start.elapsed());
}

#[test]
fn a_cut_log_shows_its_front() {
    let log = generated().join("bios-61-direct-tcb/binary_bios_measurements");
    let bytes = fs::read(log).unwrap();
    for cut in (70..bytes.len()).step_by(97) {
        let ran = tsm_with_input(&["log", "show", "--json", "-"], &bytes[..cut]);
        let json = ran.json();
        assert_eq!(ran.status, if json["error"].is_null() { 0 } else { 2 }, "{cut}");
        if ran.status == 2 {
            assert_eq!(json["end"]["kind"], "error");
            assert_eq!(json["end"]["offset"], json["error"]["offset"]);
            assert!(json["error"]["offset"].as_u64().unwrap() < cut as u64);
            ran.refused("ends inside a record");
        }
    }
    tsm_with_input(&["log", "show", "-"], b"\x7fELF").refused("--format");
    tsm(&["log", "show", "/nonexistent"]).refused("/nonexistent");
    tsm(&["log", "show"]).refused("FILE");
    let mut table = b"CCEL\x38\0\0\0".to_vec();
    table.resize(56, 0);
    table[36] = 2;
    let sum = table.iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte));
    table[9] = 0_u8.wrapping_sub(sum);
    tsm_with_input(&["log", "show", "-"], &table).refused("/sys/firmware/acpi/tables/data/CCEL");
}
