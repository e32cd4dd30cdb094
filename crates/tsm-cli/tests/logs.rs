// SPDX-License-Identifier: MIT OR Apache-2.0
//! `tsm replay` on logs of firmware, of systemd and of agents, to the values of their machines.

mod common;

use std::fs;
use std::path::Path;

use common::{
    Dir, Ran, base64, event, firmware_runs, generated, header, shared, tsm, tsm_with_input,
};
use serde_json::Value as Json;
use tsm_core::{Algorithm, Digest};

/// PCRs that firmware and boot loaders extend; the others are other logs' business.
const FIRMWARE: &str = "--register=pcr0-9,pcr14";

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// `tsm replay --json` with more arguments.
fn replay(log: &Path, args: &[&str]) -> Ran {
    tsm(&[&["replay", "--json"], args, &[text(log)]].concat())
}

/// Replays a log, then the log with a changed digest, then one that ends inside a record.
fn holds_and_is_sensitive(log: &Path, bytes: &[u8], args: &[&str]) -> Json {
    let ran = replay(log, args);
    assert_eq!((ran.status, &*ran.stderr), (0, ""), "{}: {}", log.display(), ran.text());
    let json = ran.json();
    assert_eq!(json["holds"], true);
    let dir = Dir::new();
    let (flip, cut) = places(log, bytes, &json, args);
    let mut changed = bytes.to_vec();
    changed[flip] ^= 1;
    let ran = replay(&dir.file("log", &changed), args);
    assert_eq!((ran.status, &*ran.stderr), (1, ""), "{}: byte {flip}", log.display());
    let found = ran.json();
    assert_eq!(found["holds"], false);
    assert!(found["registers"].to_string().contains("mismatch"));
    let ran = replay(&dir.file("log", &bytes[..cut]), args);
    let json = ran.refused("byte ").json();
    assert!(!json["registers"].as_array().unwrap().is_empty(), "what was read is shown");
    assert_eq!(json["holds"], false);
    json
}

/// Where a digest stands that is compared, and a place inside the last record.
fn places(log: &Path, bytes: &[u8], replayed: &Json, args: &[&str]) -> (usize, usize) {
    let compared: Vec<_> = replayed["registers"].as_array().unwrap().iter().collect();
    let digest = |record: &Json| {
        let is_it = |r: &&&Json| r["name"] == record["register"] && !r["expected"].is_null();
        let bank = compared.iter().find(is_it)?["bank"].as_str()?;
        record["extends"]
            .as_bool()?
            .then(|| record["digests"][bank].as_str().map(str::to_string))?
    };
    let platform: Vec<_> = args.iter().copied().filter(|a| a.starts_with("--platform=")).collect();
    let json = tsm(&[&["log", "show", "--json"], &*platform, &[text(log)]].concat()).ok().json();
    let records = json["records"].as_array().unwrap();
    let offset = |record: &Json| usize::try_from(record["offset"].as_u64().unwrap()).unwrap();
    let (record, digest) = records.iter().find_map(|r| Some((r, digest(r)?))).unwrap();
    let mut wanted = vec![0; digest.len() / 2];
    assert!(tsm_core::hex::decode(digest.as_bytes(), &mut wanted));
    let from = offset(record);
    let at = bytes[from..].windows(wanted.len()).position(|window| window == wanted).unwrap();
    (from + at, offset(records.last().unwrap()) + 6)
}

/// Every firmware's log of the repository, in all its banks at once.
// T-34
#[test]
fn firmware_logs_of_the_repository() {
    let mut values = 0;
    for (name, folder, banks) in firmware_runs() {
        let log = folder.join("binary_bios_measurements");
        let bytes = fs::read(&log).unwrap();
        let files: Vec<_> = banks
            .iter()
            .map(|bank| {
                format!("--expect-file={}", text(&folder.join(format!("pcrs/pcr-{bank}.txt"))))
            })
            .collect();
        let args: Vec<_> = files.iter().map(|file| &**file).chain([FIRMWARE]).collect();
        let json = replay(&log, &args).json();
        assert_eq!(json["format"], "tcg2");
        let complete = json["registers"].as_array().unwrap().iter();
        let complete = complete.filter(|r| r["match"] == "complete").count();
        assert_eq!(complete, 11 * banks.len(), "{name}");
        values += complete;
        holds_and_is_sensitive(&log, &bytes, &args);
        // Without the choice, PCR 10, which IMA extends, is missing in this log, and that counts.
        let all = replay(&log, &[&*files[0]]);
        if fs::read_to_string(folder.join("ima_runtime_measurements_count")).is_ok() {
            assert_eq!(all.status, 1, "{name}");
            let findings = all.json()["findings"].to_string();
            assert!(findings.contains("no-records") && findings.contains("pcr10"), "{findings}");
        }
    }
    assert!(values >= 11 * 30, "{values}");
}

/// The logs with values of known machines that `expected.json` names.
#[test]
fn shared_logs_replay_to_their_registers() {
    let Some(path) = shared("eventlogs/expected.json") else { return };
    let expected: Json = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    let (mut logs, mut values) = (0, 0);
    for (name, stated) in expected.as_object().unwrap() {
        let log = path.parent().unwrap().join(name);
        if !log.is_file() || name.ends_with(".json") || stated["values"].is_null() {
            continue;
        }
        let mut expect = Vec::new();
        let mut is_cc = false;
        for value in stated["values"].as_array().unwrap() {
            is_cc = value["index_kind"] == "ccmr";
            let kind = if is_cc { "ccmr" } else { "pcr" };
            for (number, hex) in value["expected"].as_object().unwrap() {
                let (bank, hex) = (value["alg"].as_str().unwrap(), hex.as_str().unwrap());
                expect.push(format!("--expect={kind}{number}:{bank}/{hex}"));
            }
        }
        let mut args: Vec<_> = expect.iter().map(|value| &**value).collect();
        // `ccmrN` is understood on every confidential VM, and shown by the platform's own name.
        let json = replay(&log, &args).json();
        if is_cc {
            assert!(json["registers"][0]["name"].as_str().unwrap().starts_with("ccmr"), "{name}");
            args.push("--platform=tdx");
            let json = replay(&log, &args).json();
            assert!(json["registers"][0]["name"].as_str().unwrap().starts_with("rtmr"), "{name}");
        }
        if name.contains("glinux") {
            assert_eq!(json["startup_locality"], 3);
        }
        let end = stated["end"].as_str().unwrap();
        let (kind, offset) = end.split_once('@').unwrap_or((end, ""));
        let ours = json["end"]["kind"].as_str().unwrap();
        match kind {
            "ff-pad" => assert!(["ones", "mark"].contains(&ours), "{name}"),
            "zero-pad" => assert_eq!(ours, "zeros", "{name}"),
            _ => assert_eq!(ours, "bytes", "{name}"),
        }
        if !offset.is_empty() {
            assert_eq!(json["end"]["offset"].to_string(), offset, "{name}");
        }
        holds_and_is_sensitive(&log, &fs::read(&log).unwrap(), &args);
        (logs, values) = (logs + 1, values + expect.len());
    }
    eprintln!("{logs} logs, {values} values");
    assert!(logs >= 15 && values >= 180, "{logs} {values}");
}

/// Canonical event logs in their encodings, with the PCRs of the machine.
#[test]
fn shared_canonical_logs() {
    let Some(folder) = shared("eventlogs/generated") else { return };
    let mut values = 0;
    let file = |bank| folder.join(format!("vm/shim-grub-sb/pcrs-{bank}.after"));
    for (log, format) in [
        ("cel-own/shim-grub-sb.cel.json", "cel-json"),
        ("cel-own/shim-grub-sb.cel.cbor", "cel-cbor"),
        ("cel-own/shim-grub-sb.cel.tlv", "cel-tlv"),
    ] {
        for bank in ["sha1", "sha256"] {
            let expect = format!("--expect-file={}", text(&file(bank)));
            let bank = format!("--bank={bank}");
            let ran = replay(&folder.join(log), &[&expect, &bank, FIRMWARE]);
            let json = ran.ok().json();
            assert_eq!((&json["format"], &json["holds"]), (&format.into(), &true.into()));
            let complete = json["registers"].as_array().unwrap().iter();
            values += complete.filter(|r| r["match"] == "complete").count();
        }
        let bytes = fs::read(folder.join(log)).unwrap();
        let cut = &bytes[..bytes.len() - 20];
        tsm_with_input(&["replay", "--format", format, "-"], cut).refused("byte ");
    }
    assert_eq!(values, 3 * 2 * 11);
    // Values as tpm2_pcrread prints them.
    let log = folder.join("systemd/tpm2-measure-v257.log");
    let expect = format!("--expect-file={}", text(&log.with_extension("pcrs.yaml")));
    let args = [&*expect, "--bank=sha256", "--register=pcr11-13,pcr15"];
    let json = replay(&log, &args).ok().json();
    assert_eq!((&json["format"], &json["holds"]), (&"systemd".into(), &true.into()));
    // One record was not extended in the other banks, so it is not vouched for there.
    let json = replay(&log, &[&expect, "--bank=sha1", "--register=pcr13"]).json();
    assert!(json["findings"].to_string().contains("no sha1 digest"), "{json}");
    assert_eq!(json["holds"], false);
}

/// Logs of agents, with values of quotes.
#[test]
fn shared_logs_of_agents() {
    let Some(folder) = shared("eventlogs") else { return };
    let quote = fs::read(folder.join("trustee-history/aael/AAEL_quote_tdx")).unwrap();
    // RTMR3 of a quote of version 4: its body begins at byte 48.
    let rtmr3 = Digest::from_bytes(Algorithm::Sha384, &quote[48 + 472..][..48]).unwrap();
    let log = folder.join("trustee-history/aael/AAEL_data_1");
    let json = replay(&log, &["--register=rtmr3", &format!("--expect=rtmr3:{rtmr3}")]).ok().json();
    assert_eq!((&json["format"], &json["registers"][0]["name"]), (&"aael".into(), &"rtmr3".into()));
    replay(&log, &[&format!("--expect={rtmr3}")]).ok();
    replay(&log, &[&format!("--expect=rtmr3:{rtmr3}")]).refused("--register");

    let report: Json =
        serde_json::from_slice(&fs::read(folder.join("dstack/quote-report.json")).unwrap())
            .unwrap();
    let expected: Json =
        serde_json::from_slice(&fs::read(folder.join("expected.json")).unwrap()).unwrap();
    let values = &expected["dstack/quote-report.json"]["values"][0]["expected"];
    let expect: Vec<_> = values
        .as_object()
        .unwrap()
        .iter()
        .map(|(rtmr, hex)| format!("--expect=rtmr{rtmr}:sha384/{}", hex.as_str().unwrap()))
        .collect();
    let expect: Vec<_> = expect.iter().map(|value| &**value).collect();
    let args = [&["replay", "--json"], &*expect, &["-"]].concat();
    let json = tsm_with_input(&args, report["event_log"].as_str().unwrap().as_bytes()).ok().json();
    assert_eq!((&json["format"], &json["holds"]), (&"dstack-events".into(), &true.into()));
    assert_eq!(json["registers"].as_array().unwrap().len(), 4);

    let cos = base64(fs::read(folder.join("go-tpm-tools/agent/testdata/cel.b64")).unwrap());
    let json = tsm_with_input(&["replay", "--json", "-"], &cos).ok().json();
    let value = json["registers"][0]["value"].as_str().unwrap();
    // INDEX.md, section 1.
    assert!(value.starts_with("2261f93374ed53"), "{value}");
    assert_eq!(json["registers"][0]["name"], "ccmr4");
    let json = tsm_with_input(&["replay", "--json", "--platform=cca", "-"], &cos).ok().json();
    assert_eq!(json["registers"][0]["name"], "rem3");
}

/// What stands for a value of which digests are extended, without the library's replay.
fn fold(algorithm: Algorithm, digests: &[Digest]) -> Digest {
    let mut value = Digest::zeros(algorithm);
    digests.iter().for_each(|digest| value.extend(digest).unwrap());
    value
}

/// Logs of a few lines, with values by their rules.
#[test]
fn made_logs_of_agents() {
    let a = Algorithm::Sha384;
    let init = format!("INIT {}", Digest::zeros(a));
    let log = format!("{init}\ncoco.com pull {{\"a\": 1}}\n");
    let value = fold(a, &[a.hash(init.as_bytes()), a.hash(b"coco.com pull {\"a\": 1}")]);
    let args = ["replay", "--json", "--register", "rtmr3", "--expect", &value.to_string(), "-"];
    tsm_with_input(&args, log.as_bytes()).ok().json();
    // A start that only the log tells does not hold.
    let start = a.hash(b"firmware");
    let midway = format!("INIT {start}\na b c\n");
    let mut value = start;
    value.extend(&a.hash(format!("INIT {start}").as_bytes())).unwrap();
    value.extend(&a.hash(b"a b c")).unwrap();
    let (value, start) = (value.to_string(), start.to_string());
    let ran = tsm_with_input(&["replay", "--json", "--expect", &value, "-"], midway.as_bytes());
    assert_eq!((ran.status, &ran.json()["findings"][0]["kind"]), (1, &"midway".into()));
    let args = ["replay", "--expect", &value, "--start", &start, "-"];
    tsm_with_input(&args, midway.as_bytes()).ok();

    let line = "{\"event\":\"app-id\",\"payload\":\"3q0=\",\"version\":1}\n";
    let value = fold(a, &[a.hash(b"\x01\0\0\x08:app-id:\xDE\xAD")]).to_string();
    let args = ["replay", "--json", "--expect", &value, "-"];
    let json = tsm_with_input(&args, line.as_bytes()).ok().json();
    assert_eq!(json["format"], "dstack-log");
    tsm_with_input(&args, &line.as_bytes()[..30]).refused("");

    let sha256 = Algorithm::Sha256;
    let digest = sha256.hash(b"enter-initrd");
    let hex = digest.to_string().split_once('/').unwrap().1.to_string();
    let record = format!(
        "\u{1e}{{\"pcr\":11,\"digests\":[{{\"hashAlg\":\"sha256\",\"digest\":\"{hex}\"}}],\
         \"content_type\":\"systemd\",\"content\":{{\"string\":\"enter-initrd\",\
         \"eventType\":\"phase\"}}}}\n"
    );
    let value = format!("pcr11:{}", fold(sha256, &[digest]));
    let json = tsm_with_input(&["replay", "--json", "--expect", &value, "-"], record.as_bytes());
    assert_eq!(json.ok().json()["format"], "systemd");
    let cel = format!("[{}]", record.trim_start_matches('\u{1e}').trim());
    let cel = cel.replace("{\"pcr\"", "{\"recnum\":0,\"pcr\"");
    let json = tsm_with_input(&["replay", "--json", "--expect", &value, "-"], cel.as_bytes());
    assert_eq!(json.ok().json()["format"], "cel-json");
}

#[test]
fn confidential_vms() {
    let a = Algorithm::Sha384;
    let (one, two) = (a.hash(b"one"), a.hash(b"two"));
    let ccel = [header(1), event(1, 4, one, b"one"), event(3, 13, two, b"two")].concat();
    let filled = [ccel.clone(), vec![0xFF; 100]].concat();
    let (rtmr0, rtmr2) = (fold(a, &[one]), fold(a, &[two]));
    for (args, names) in [
        (vec!["--platform=tdx".to_string()], ["rtmr0", "rtmr2"]),
        (vec![format!("--expect=rtmr0:{rtmr0}")], ["rtmr0", "rtmr2"]),
        (vec![format!("--expect=rem2:{rtmr2}")], ["rem0", "rem2"]),
        (vec![format!("--expect=ccmr1:{rtmr0}")], ["ccmr1", "ccmr3"]),
        (vec![], ["ccmr1", "ccmr3"]),
        // There the numbers are those of PCRs.
        (vec!["--platform=cca-monitor".into()], ["rem0", "rem1"]),
        (vec!["--platform=tdx".into(), format!("--expect=ccmr3:{rtmr2}")], ["rtmr0", "rtmr2"]),
    ] {
        let args: Vec<_> = args.iter().map(|arg| &**arg).collect();
        let ran = tsm_with_input(&[&["replay", "--json"], &*args, &["-"]].concat(), &filled).ok();
        let json = ran.json();
        let found: Vec<_> = json["registers"]
            .as_array()
            .unwrap()
            .iter()
            .map(|r| r["name"].as_str().unwrap())
            .collect();
        assert_eq!(found, names, "{args:?}");
        assert_eq!(json["end"]["kind"], "ones");
        let is_expected = args.iter().any(|arg| arg.starts_with("--expect"));
        assert_eq!(json["findings"].to_string().contains("not-expected"), is_expected);
    }
    let with = |arg: &str, log: &[u8]| tsm_with_input(&["replay", "--json", arg, "-"], log);
    with(&format!("--expect=pcr1:{rtmr0}"), &filled).refused("ccmr");
    with(&format!("--expect={rtmr0}"), &filled).refused("REGISTER:ALG/HEX");
    with("--expect=rtmr0:sha256/00", &filled).refused("hex digits");
    with("--bank=sha256", &filled).refused("sha384");
    // Absent in the log, and not at its start value: that is a failure.
    let ran = with(&format!("--expect=rtmr3:{rtmr0}"), &filled);
    let findings = ran.json()["findings"].to_string();
    assert!(ran.status == 1 && findings.contains("no-records"), "{findings}");
    // So is a record that lacks the digest.
    let lacking = [ccel.clone(), event(1, 4, Algorithm::Sha256.hash(b"x"), b"x")].concat();
    with(&format!("--expect=rtmr0:{rtmr0}"), &lacking).refused("does not list");
    // Garbage behind the mark is told and does no harm.
    let garbage = [&ccel[..], &[0xFF; 8], b"something"].concat();
    let json = with(&format!("--expect=rtmr0:{rtmr0}"), &garbage).ok().json();
    assert!(json["findings"].to_string().contains("bytes-behind"));
    // The same value, read before the last record.
    let longer = [ccel, event(1, 4, two, b"two")].concat();
    let ran = with(&format!("--expect=rtmr0:{rtmr0}"), &longer);
    assert_eq!((ran.status, &ran.json()["registers"][0]["match"]), (1, &"prefix".into()));
}

#[test]
fn values_and_registers_that_make_no_sense() {
    let log = generated().join("bios-61-direct-tcb/binary_bios_measurements");
    let dir = Dir::new();
    let file = |content: &str| format!("--expect-file={}", text(&dir.file("values", content)));
    replay(&log, &[&file("0 00\n")]).refused("line 1");
    replay(&log, &["--expect-file=/nonexistent"]).refused("/nonexistent");
    replay(&log, &[&file(&format!("rtmr9:sha256/{}", "00".repeat(32)))]).refused("--platform");
    replay(&log, &["--bank=sha384"]).refused("sha1, sha256");
    replay(&log, &["--format=cel-tlv"]).refused("");
    replay(&log, &["--virtual=x"]).refused("--virtual");
    replay(&log, &[&format!("--start=pcr0:sha256/{}", "11".repeat(32))]).ok();
    tsm_with_input(&["replay", "-"], b"CCEL\x38\0\0\0nonsense").refused("--format");
}

/// A log that begins like one of a text format, but is none: the user hears what is wrong.
#[test]
fn nearly_a_log() {
    for (log, format) in [
        ("[{\"recnum\":0,\"pcr\":4,\"more\":1}]", "cel-json"),
        ("[{\"imr\":\"x\"}]", "dstack-events"),
        ("{\"event\":1}\n", "dstack-log"),
        ("\u{1e}{\"pcr\":11}\n", "systemd"),
    ] {
        let ran = tsm_with_input(&["replay", "-"], log.as_bytes());
        ran.refused(&format!("read as {format} it is malformed"));
    }
    for log in ["\u{7f}ELF", "hello"] {
        let ran = tsm_with_input(&["replay", "-"], log.as_bytes()).refused("cannot tell");
        assert!(!ran.stderr.contains("read as"), "{}", ran.stderr);
    }
}

/// Writers of JSON differ: in the case of names and digits, in names or numbers, in layout.
#[test]
fn json_of_other_writers() {
    let bank = Algorithm::Sha256;
    let (digest, data) = (bank.hash(b"hello").to_string(), "68656C6C6F");
    let digest = digest.strip_prefix("sha256/").unwrap();
    let mut value = Digest::zeros(bank);
    value.extend(&bank.hash(b"hello")).unwrap();
    let expect = format!("--expect=pcr4:{value}");
    let record = |alg: &str, digest: &str, content: &str, event: &str| {
        format!(
            "[\r\n  {{\"recnum\": 0, \"pcr\": 4,\r\n\t\"digests\": [{{\"hashAlg\": {alg}, \
             \"digest\": \"{digest}\"}}], \"content_type\": {content}, \
             \"content\": {{\"event_type\": {event}, \"event_data\": \"{data}\"}}}}\r\n]\r\n"
        )
    };
    let upper = digest.to_uppercase();
    for log in [
        record("\"sha256\"", digest, "\"pcclient_std\"", "\"EV_ACTION\""),
        record("\"SHA256\"", &upper, "\"PCCLIENT_STD\"", "\"ev_action\""),
        record("11", &upper, "5", "5"),
    ] {
        tsm_with_input(&["replay", &expect, "-"], log.as_bytes()).ok();
        // What it says is the same, so it is covered.
        let json = tsm_with_input(&["explain", "--json", &expect, "-"], log.as_bytes()).ok().json();
        assert_eq!(json["events"][0]["covers"]["coverage"], "verbatim", "{log}");
    }
}
