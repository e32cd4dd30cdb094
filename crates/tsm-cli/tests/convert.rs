// SPDX-License-Identifier: MIT OR Apache-2.0
//! `tsm convert`: there and back, replayed with the machines' values, and refused with nothing left.

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::{Dir, Ran, firmware_runs, generated, shared, tsm, tsm_with_input};
use tsm_core::{Algorithm, Digest};

const SHA384: Algorithm = Algorithm::Sha384;

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn convert(to: &str, args: &[&str], files: &[&Path]) -> Ran {
    let files = files.iter().map(|file| text(file));
    let args: Vec<_> = ["convert", "--to", to].into_iter().chain(args.iter().copied()).collect();
    tsm(&args.into_iter().chain(files).collect::<Vec<_>>())
}

/// Converts into a file of the directory.
fn into(dir: &Dir, to: &str, args: &[&str], files: &[&Path]) -> PathBuf {
    let output = dir.path().join(format!("{to}-{}", files.len()));
    let ran = convert(to, &[args, &["--output", text(&output)]].concat(), files).ok();
    assert!(ran.stdout.is_empty());
    output
}

fn expect_file(folder: &Path, bank: &str) -> String {
    format!("--expect-file={}", text(&folder.join(format!("pcrs/pcr-{bank}.txt"))))
}

/// Each machine's log, and what it became, explain its PCRs; the way back gives its bytes.
// T-42
#[test]
fn firmware_logs_there_and_back() {
    let dir = Dir::new();
    for (index, (name, folder, banks)) in firmware_runs().into_iter().enumerate() {
        let log = folder.join("binary_bios_measurements");
        let to = ["cel-tlv", "cel-cbor", "cel-cbor-sequence", "cel-json"][index % 4];
        let cel = into(&dir, to, &[], &[&log]);
        for bank in &banks {
            let bank = format!("--bank={bank}");
            let values = expect_file(&folder, bank.strip_prefix("--bank=").unwrap());
            tsm(&["replay", "--register=pcr0-9", &bank, &values, text(&cel)]).ok();
        }
        let back = into(&dir, "tcg2", &[], &[&cel]);
        assert!(fs::read(&back).unwrap() == fs::read(&log).unwrap(), "{name} {to}");
        tsm(&["diff", text(&log), text(&cel)]).ok();
    }
}

/// One log of two: firmware's and IMA's records, with all PCRs of the machine.
#[test]
fn firmware_and_ima_in_one() {
    let dir = Dir::new();
    let folder = generated().join("ima-73-sig-signedfiles");
    let firmware = folder.join("binary_bios_measurements");
    for list in ["binary", "ascii"] {
        let list = folder.join(format!("ima_{list}_runtime_measurements"));
        let args = ["--bank=sha1", "--bank=sha256"];
        let cel = into(&dir, "cel-json", &args, &[&firmware, &list]);
        let values = expect_file(&folder, "sha256");
        let json =
            tsm(&["replay", "--json", "--register=pcr0-10", "--bank=sha256", &values, text(&cel)]);
        let json = json.ok().json();
        assert_eq!(json["registers"].as_array().unwrap().len(), 11);
        let shown = tsm(&["log", "show", "--json", text(&cel)]).ok().json();
        let ima = shown["records"].as_array().unwrap().last().unwrap();
        assert_eq!((&ima["register"], &ima["content"]["kind"]), (&"pcr10".into(), &"ima".into()));
        let of_list = tsm(&["log", "show", "--json", text(&list)]).ok().json();
        let last = of_list["records"].as_array().unwrap().last().unwrap();
        assert_eq!(ima["content"]["fields"], last["content"]["fields"]);
    }
    convert("cel-tlv", &["--numbering=register"], &[&firmware, &firmware])
        .refused("--numbering FIRST");
    convert("tcg2", &[], &[&firmware, &firmware]).refused("canonical event log only");
    let starts = [0, 1].map(|byte| format!("--start=sha256/{}", format!("{byte:02}").repeat(32)));
    convert("cel-tlv", &[&starts[0], &starts[1]], &[&firmware]).refused("twice for a bank");
}

#[test]
fn ima_lists_there_and_back() {
    let dir = Dir::new();
    let mut lists = 0;
    for (name, folder, _) in firmware_runs() {
        let list = folder.join("ima_binary_runtime_measurements");
        let banks = ["--bank=sha1", "--bank=sha256"];
        let cel = into(&dir, "cel-tlv", &banks, &[&list]);
        let back = into(&dir, "ima", &[], &[&cel]);
        assert!(fs::read(&back).unwrap() == fs::read(&list).unwrap(), "{name}");
        lists += 1;
    }
    assert!(lists > 10);
}

/// A log of lines and what a register holds behind it.
fn made() -> (String, Digest) {
    let mut value = Digest::zeros(SHA384);
    let sync = format!("SYNC {value}");
    for line in [&*sync, "com.example/agent start", "com.example/agent \"image\" 1"] {
        value.extend(&SHA384.hash(line.as_bytes())).unwrap();
    }
    let log = format!("{sync}\n\ncom.example/agent start\ncom.example/agent \"image\" 1\n");
    (log, value)
}

// T-42
#[test]
fn lines_there_and_back() {
    let dir = Dir::new();
    let (records, value) = made();
    let zeros = Digest::zeros(SHA384);
    let agent = format!("INIT {zeros}\ndomain start content\n");
    let mut of_agent = zeros;
    of_agent.extend(&SHA384.hash(format!("INIT {zeros}").as_bytes())).unwrap();
    of_agent.extend(&SHA384.hash(b"domain start content")).unwrap();
    let register = "--register=rtmr3";
    for (format, log, value) in [("record", &records, value), ("aael", &agent, of_agent)] {
        let source = dir.file("source", log);
        let expect = format!("--expect=rtmr3:{value}");
        for to in ["ccel", "cel-tlv", "cel-cbor", "cel-json"] {
            let there = into(&dir, to, &[register], &[&source]);
            tsm(&["replay", &expect, text(&there)]).ok();
            let back = convert(format, &[register], &[&there]).ok();
            assert_eq!(back.text(), *log, "{format} {to}");
        }
        // Through two formats.
        let ccel = into(&dir, "ccel", &[register], &[&source]);
        let cel = into(&dir, "cel-json", &[register], &[&ccel]);
        let again = into(&dir, "ccel", &[], &[&cel]);
        assert_eq!(fs::read(&ccel).unwrap(), fs::read(&again).unwrap());
        convert("tcg2", &[register], &[&source]).refused("ccel one of a confidential VM");
        convert("cel-tlv", &[], &[&source]).refused("--register");
        convert("systemd", &[], &[&source]).refused("cannot become");
    }
    let pcr = dir.file("pcr", &records);
    let log = into(&dir, "tcg2", &["--register=pcr12"], &[&pcr]);
    tsm(&["replay", &format!("--expect=pcr12:{value}"), text(&log)]).ok();
}

#[test]
fn systemd_there_and_back() {
    let Some(log) = shared("eventlogs/generated/systemd/tpm2-measure-v257.log") else { return };
    let dir = Dir::new();
    let args = ["--numbering=1"];
    let cel = into(&dir, "cel-json", &args, &[&log]);
    let back = into(&dir, "systemd", &args, &[&cel]);
    tsm(&["diff", text(&log), text(&cel)]).ok();
    tsm(&["diff", text(&log), text(&back)]).ok();
    convert("systemd", &[], &[&cel]).refused("--numbering");
    convert("cel-tlv", &[], &[&log]).refused("cannot be said in that encoding");
    let tlv = into(
        &dir,
        "cel-cbor",
        &[],
        &[&shared("eventlogs/generated/cel-own/shim-grub-sb.cel.tlv").unwrap()],
    );
    let json = shared("eventlogs/generated/cel-own/shim-grub-sb.cel.json").unwrap();
    tsm(&["diff", text(&tlv), text(&json)]).ok();
}

/// What cannot be carried is named with its line; nothing is written, and what was there stays.
// T-42
#[test]
fn refusals_leave_nothing() {
    let (log, value) = made();
    let dir = Dir::new();
    let output = dir.file("output", b"what was there");
    let hex = "11".repeat(48);
    let gap = format!("{log}\nSYNC sha384/{hex}\n\nmore\n");
    for (log, words, line) in [
        (format!("{log}# restarted\n"), "informative line", "line 5"),
        (format!("{log}\n# .EXTEND {hex}\n"), "off-log extension", "line 6"),
        (gap, "does not follow", "line 6"),
        (log.replace("SYNC sha384/0", "SYNC sha384/1"), "midway", "line 1"),
        (log.replace(&format!("SYNC {}\n\n", Digest::zeros(SHA384)), ""), "SYNC", "line 1"),
        (log[..log.len() - 1].to_string(), "torn", "line 4"),
    ] {
        let source = dir.file("source", &log);
        for to in ["ccel", "cel-json"] {
            let args = ["--format=record", "--bank=sha384", "--register=rtmr3"];
            let ran = convert(to, &[&args[..], &["--output", text(&output)]].concat(), &[&source]);
            assert!(ran.refused(words).refused(line).stdout.is_empty());
            let ran = convert(to, &args, &[&source]);
            assert!(ran.refused(words).stdout.is_empty());
            assert_eq!(fs::read(&output).unwrap(), b"what was there");
        }
    }
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2, "no other file is left");
    // A log that begins where another ended is converted if somebody says where that is.
    let rest = format!("SYNC {value}\n\nmore\n");
    let rest = dir.file("rest", rest);
    convert("ccel", &["--register=rtmr3"], &[&rest]).refused("midway");
    convert("ccel", &["--register=rtmr3", &format!("--start={value}")], &[&rest]).ok();

    let firmware = generated().join("bios-61-direct-tcb/binary_bios_measurements");
    convert("record", &["--register=pcr0"], &[&firmware]).refused("record ");
    convert("tcg2", &[], &[&firmware]).refused("is one in tcg2 already");
    convert("ima", &[], &[&firmware]).refused("cannot become");
    let line = b"{\"event\":\"app-id\",\"payload\":\"3q0=\"}\n";
    tsm_with_input(&["convert", "--to=cel-tlv", "-"], line).refused("dstack");
    tsm_with_input(&["convert", "--to=cel-tlv", "-"], b"\x7fELF").refused("--format");
    convert("cel-tlv", &["--output=/nonexistent/x"], &[&firmware]).refused("/nonexistent/x");
    convert("cel-tlv", &["--output", text(dir.path())], &[&firmware]).refused("is no file");
    // A link stays one, and its target is replaced.
    let link = dir.path().join("link");
    std::os::unix::fs::symlink(&output, &link).unwrap();
    convert("cel-tlv", &["--output", text(&link)], &[&firmware]).ok();
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    tsm(&["diff", text(&firmware), text(&output)]).ok();
}

/// Whatever the bytes are and are said to be: a log, or one line about what is wrong.
#[test]
fn hostile_input() {
    let firmware = generated().join("bios-61-direct-tcb/binary_bios_measurements");
    let bytes = fs::read(firmware).unwrap();
    let dir = Dir::new();
    let inputs = [
        Vec::new(),
        vec![0; 100_000],
        vec![0xFF; 100_000],
        b"[".repeat(10_000),
        b"SYNC ".repeat(10_000),
        b"\x1e{}\n".repeat(1_000),
        bytes[..777].to_vec(),
    ];
    for (index, input) in inputs.iter().enumerate() {
        let path = dir.file(&format!("input{index}"), input);
        for (format, to) in [
            ("record", "ccel"),
            ("record", "cel-tlv"),
            ("ima", "cel-json"),
            ("tcg2", "cel-cbor"),
            ("tcg-sha1", "cel-tlv"),
            ("ccel", "record"),
            ("ccel", "aael"),
            ("cel-tlv", "tcg2"),
            ("cel-cbor", "ima"),
            ("cel-json", "systemd"),
            ("cel-cbor-sequence", "aael"),
            ("systemd", "cel-json"),
            ("aael", "ccel"),
            ("dstack-log", "cel-tlv"),
        ] {
            let format = format!("--format={format}");
            let ran = convert(to, &[&format, "--register=rtmr3", "--bank=sha384"], &[&path]);
            assert!([0, 2].contains(&ran.status), "{index} {format} {to}: {}", ran.stderr);
            assert_eq!(ran.stderr.lines().count(), usize::from(ran.status == 2));
            assert!(ran.status == 0 || ran.stdout.is_empty());
        }
        let path = text(&path);
        let ran = tsm(&["replay", "--register=rtmr3", "--bank=sha384", path, "--then", path]);
        assert!((0..=2).contains(&ran.status), "{}", ran.stderr);
        assert_eq!(ran.stderr.lines().count(), usize::from(ran.status == 2));
    }
}
