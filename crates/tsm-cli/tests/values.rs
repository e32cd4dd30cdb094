// SPDX-License-Identifier: MIT OR Apache-2.0
//! `tsm replay` with values as tools and kernels write them: whole files of PCRs, quotes.

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::{Dir, Ran, base64, firmware_runs, generated, shared, tsm, tsm_with_input};
use serde_json::Value as Json;
use tsm_core::{Algorithm, Digest};

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn replay(log: &Path, args: &[&str]) -> Ran {
    tsm(&[&["replay", "--json"], args, &[text(log)]].concat())
}

fn expect_file(path: &Path) -> String {
    format!("--expect-file={}", text(path))
}

fn complete(json: &Json) -> usize {
    let registers = json["registers"].as_array().unwrap().iter();
    registers.filter(|register| register["match"] == "complete").count()
}

/// IMA's PCR from the same file as the firmware's.
#[test]
fn files_of_pcrs_serve_ima_too() {
    let mut values = 0;
    for (name, folder, banks) in firmware_runs() {
        let list = folder.join("ima_binary_runtime_measurements");
        let file = expect_file(&folder.join(format!("pcrs/pcr-{}.txt", banks[0])));
        let json = replay(&list, &[&file, "--register=pcr10"]).ok().json();
        assert_eq!(
            (json["registers"].as_array().unwrap().len(), complete(&json)),
            (1, 1),
            "{name}"
        );
        // All of the file: then PCRs are missing in the list, and the table says which.
        let ran = replay(&list, &[&file]);
        assert_eq!(ran.status, 1);
        assert!(ran.json()["findings"].to_string().contains("pcr0, pcr1"), "{name}");
        values += 1;
    }
    assert!(values > 10);
    // A bank that was not asked for does not count, nor does a register.
    let run = generated().join("bios-61-direct-tcb");
    let files =
        ["sha1", "sha256"].map(|bank| expect_file(&run.join(format!("pcrs/pcr-{bank}.txt"))));
    let log = run.join("binary_bios_measurements");
    let args = [&*files[0], &files[1], "--bank=sha256", "--register=pcr0,pcr7"];
    let json = replay(&log, &args).ok().json();
    assert_eq!((json["registers"].as_array().unwrap().len(), complete(&json)), (2, 2));
}

/// Whichever of two values is right, one of them does not hold; and a verdict is about the registers
/// that it names.
#[test]
fn values_that_contradict_each_other_or_the_question() {
    let run = generated().join("secureboot-shim-grub-61");
    let (log, list) =
        (run.join("binary_bios_measurements"), run.join("ima_binary_runtime_measurements"));
    let pcrs = fs::read_to_string(run.join("pcrs/pcr-sha256.txt")).unwrap();
    let value = |pcr: &str| {
        let line = pcrs.lines().find_map(|line| line.trim().strip_prefix(pcr)?.strip_prefix(' '));
        format!("sha256/{}", line.unwrap().trim())
    };
    let (pcr4, pcr7, pcr10) = (value("4"), value("7"), value("10"));
    let bad = format!("sha256/{}", "11".repeat(32));
    let dir = Dir::new();
    let cel = dir.path().join("cel");
    tsm(&["convert", "--to=cel-json", "--output", text(&cel), text(&log)]).ok();
    for log in [&log, &cel] {
        let good = format!("--expect=pcr7:{pcr7}");
        replay(log, &[&good, &good]).ok();
        for (a, b) in [(&bad, &pcr7), (&pcr7, &bad)] {
            let (a, b) = (format!("pcr7:{a}"), format!("pcr7:{b}"));
            replay(log, &["--expect", &a, "--expect", &b]).refused("two different sha256 values");
            replay(log, &["--start", &a, "--start", &b, &good]).refused("two different");
            let file = expect_file(&dir.file("b", &b));
            replay(log, &["--expect", &a, &file]).refused("two different sha256 values");
            let b = b.trim_start_matches("pcr7:");
            replay(log, &["--register=pcr7", "--expect", &a, "--expect", b])
                .refused("two different");
        }
        let other = format!("--expect=pcr4:{pcr4}");
        replay(log, &["--register=pcr7", &other]).refused("pcr4, which --register");
        replay(log, &["--register=pcr4,pcr7", &other]).refused("no value is given for pcr7");
        replay(log, &["--register=pcr4", &good, &other]).refused("pcr7, which --register");
    }
    let expect = ["--expect", &*pcr10];
    replay(&list, &expect).ok();
    replay(&list, &[&expect[..], &["--register=pcr10"]].concat()).ok();
    assert_eq!(replay(&list, &[&expect[..], &["--register=pcr11"]].concat()).status, 1);
    replay(&list, &[&expect[..], &["--register=pcr10,pcr11"]].concat()).refused("several");
    replay(&list, &["--expect", &bad, "--expect", &pcr10]).refused("two different sha256 values");
    let named = format!("pcr10:{pcr10}");
    replay(&list, &["--expect", &bad, "--expect", &named]).refused("two different sha256 values");
}

/// A verdict that rests on SHA-1 alone says so.
#[test]
fn sha1_alone_is_a_finding() {
    let run = generated().join("secureboot-shim-grub-61");
    let files =
        ["sha1", "sha256"].map(|bank| expect_file(&run.join(format!("pcrs/pcr-{bank}.txt"))));
    let log = run.join("binary_bios_measurements");
    let said = |args: &[&str]| {
        let json = replay(&log, &[args, &["--register=pcr0,pcr7"]].concat()).ok().json();
        let findings = json["findings"].as_array().unwrap().iter();
        findings.filter(|f| f["kind"] == "sha1-only").map(|f| f["text"].to_string()).collect()
    };
    let found: Vec<String> = said(&[&files[0]]);
    assert!(found.len() == 1 && found[0].contains("pcr0, pcr7"), "{found:?}");
    for args in [&[&*files[1]][..], &[&files[0], &files[1]], &[]] {
        assert_eq!(said(args), [""; 0], "{args:?}");
    }
}

/// What is not for the log's register does not count, but nothing at all is not success.
#[test]
fn files_of_values_for_logs_of_one_register() {
    let dir = Dir::new();
    let a = Algorithm::Sha384;
    let sync = format!("SYNC {}", Digest::zeros(a));
    let mut value = Digest::zeros(a);
    value.extend(&a.hash(sync.as_bytes())).unwrap();
    let log = dir.file("some.log", format!("{sync}\n"));
    let all = dir.file("all", format!("rtmr2:{}\nrtmr3:{value}\n", Digest::zeros(a)));
    let all = expect_file(&all);
    let json = replay(&log, &[&all, "--register=rtmr3"]).ok().json();
    assert_eq!((&json["registers"][0]["name"], &json["holds"]), (&"rtmr3".into(), &true.into()));
    assert_eq!(replay(&log, &[&all, "--register=rtmr2"]).status, 1);
    replay(&log, &[&all]).refused("--register");
    replay(&log, &[&all, "--register=rtmr1"]).refused("no value");
    replay(&log, &[&all, "--register=rtmr3", "--bank=sha256"]).refused("no value");
    replay(&log, &[&expect_file(&dir.file("none", "# nothing\n"))]).refused("no value");
    replay(&log, &["--register=rtmr2,rtmr3"]).refused("one --register");
}

/// The machines of the shared data: all their PCRs, by firmware's log and IMA's list.
#[test]
fn shared_machines() {
    let Some(folder) = shared("eventlogs/generated/vm") else { return };
    let (mut firmware, mut ima) = (0, 0);
    let mut runs: Vec<PathBuf> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    runs.sort();
    for run in runs {
        for bank in ["sha1", "sha256", "sha384", "sha512"] {
            let pcrs = run.join(format!("pcrs-{bank}.after"));
            if !pcrs.exists() {
                continue;
            }
            let file = expect_file(&pcrs);
            let log = run.join("binary_bios_measurements");
            if log.exists() {
                let args = [&*file, "--bank", bank, "--register=pcr0-9,pcr14"];
                let json = replay(&log, &args).ok().json();
                assert_eq!(complete(&json), 11, "{} {bank}", log.display());
                firmware += 11;
            }
            let list = run.join("binary_runtime_measurements");
            if list.exists() {
                let json = replay(&list, &[&file, "--register=pcr10"]).ok().json();
                assert_eq!(complete(&json), 1, "{} {bank}", list.display());
                ima += 1;
            }
        }
    }
    eprintln!("{firmware} values of firmware, {ima} of IMA");
    assert!(firmware >= 350 && ima >= 30, "{firmware} {ima}");
}

/// Values that other projects keep with their logs.
#[test]
fn shared_logs_with_files_of_pcrs() {
    let Some(root) = shared("eventlogs") else { return };
    let dir = Dir::new();
    // tpm2_eventlog's own, at the end of what it prints.
    let mut logs = 0;
    for entry in fs::read_dir(root.join("tpm2-tools/event-raw")).unwrap() {
        let yaml = entry.unwrap().path();
        let log = root.join("tpm2-tools").join(yaml.file_stem().unwrap());
        let yaml = fs::read_to_string(yaml).unwrap();
        let (_, pcrs) = yaml.split_once("\npcrs:").unwrap();
        let pcrs = dir.file("pcrs", format!("pcrs:{pcrs}"));
        replay(&log, &[&expect_file(&pcrs)]).ok().json();
        logs += 1;
    }
    assert_eq!(logs, 9);
    // The first line is a command.
    let pcrs = fs::read_to_string(root.join("ima-evm-utils/sample-tpm-2.0-pcrs-8-9")).unwrap();
    let pcrs = dir.file("pcrs", pcrs.split_once('\n').unwrap().1);
    let log = root.join("ima-evm-utils/sample-binary_bios_measurements-pcrs-8-9");
    let args = [&expect_file(&pcrs), "--bank=sha1", "--register=pcr0-9,pcr14"];
    assert_eq!(complete(&replay(&log, &args).ok().json()), 11);
    // A TPM 1.2: log and PCRs as base64 in JSON.
    let dump = fs::read(root.join("go-eventlog/legacydata/linux_tpm12.json")).unwrap();
    let dump: Json = serde_json::from_slice(&dump).unwrap();
    let bytes = |json: &Json| base64(json.as_str().unwrap().as_bytes());
    let mut expect = Vec::new();
    for pcr in dump["Log"]["PCRs"].as_array().unwrap() {
        let number = pcr["Index"].as_u64().unwrap();
        let digest = Digest::from_bytes(Algorithm::Sha1, &bytes(&pcr["Digest"])).unwrap();
        if number < 8 {
            expect.push(format!("--expect=pcr{number}:{digest}"));
        }
    }
    let args = ["replay", "--json"].into_iter().chain(expect.iter().map(|e| &**e));
    let args: Vec<_> = args.chain(["-"]).collect();
    let json = tsm_with_input(&args, &bytes(&dump["Log"]["Raw"])).ok().json();
    assert_eq!((complete(&json), &json["format"]), (8, &"tcg-sha1".into()));
}

/// A TD's CCEL and its quote. RTMR2 was extended by IMA too, whose list is another log.
#[test]
fn a_quote_and_its_ccel() {
    let Some(root) = shared("eventlogs/cc-trusted-api") else { return };
    let quote = fs::read(root.join("quote.bin")).unwrap();
    // A quote of version 4: its body begins at byte 48, RTMR0 at byte 328 of it.
    let rtmr = |number: usize| {
        let at = 48 + 328 + 48 * number;
        let digest = Digest::from_bytes(Algorithm::Sha384, &quote[at..at + 48]).unwrap();
        format!("--expect=rtmr{number}:{digest}")
    };
    let log = root.join("ccel_data.bin");
    let args = [&*rtmr(0), &rtmr(1), &rtmr(3)];
    let json = replay(&log, &args).ok().json();
    assert_eq!((complete(&json), &json["end"]["kind"]), (3, &"ones".into()));
    let ran = replay(&log, &[&rtmr(2)]);
    assert_eq!((ran.status, &ran.json()["holds"]), (1, &false.into()));
    assert!(ran.json()["registers"].to_string().contains("mismatch"));
}
