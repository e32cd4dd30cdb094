// SPDX-License-Identifier: MIT OR Apache-2.0
//! `tsm replay --then`: several logs that explain one register, and an IMA list in a virtual one.

mod common;

use std::fs;
use std::path::Path;

use common::{Dir, Ran, event, firmware_runs, generated, header, shared, tsm};
use tsm_core::{Algorithm, Digest};

const A: Algorithm = Algorithm::Sha384;

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Firmware's log and IMA's text list explain RTMR2 of a real quote together, in this order, and
/// neither alone does.
// T-43
#[test]
fn a_quote_with_firmware_and_ima() {
    let Some(folder) = shared("eventlogs/cc-trusted-api") else { return };
    let (ccel, list) = (folder.join("ccel_data.bin"), folder.join("ima_log.bin"));
    let quote = fs::read(folder.join("quote.bin")).unwrap();
    // RTMR2 of a quote of version 4: behind a header of 48 bytes and 328 bytes of its body.
    let at = 48 + 328 + 48 * 2;
    let rtmr2 = Digest::from_bytes(A, &quote[at..at + 48]).unwrap();
    let expect = format!("--expect=rtmr2:{rtmr2}");
    let run = |args: &[&str]| tsm(&[&["replay", "--json", &expect], args].concat());
    let json = run(&[text(&ccel), "--then", text(&list)]).ok().json();
    assert_eq!((&json["format"], &json["vouched"]["for"]), (&"sequence".into(), &"all".into()));
    let steps = json["steps"].as_array().unwrap();
    let formats: Vec<_> = steps.iter().map(|step| step["format"].as_str().unwrap()).collect();
    assert_eq!(formats, ["ccel", "ima"]);
    let extensions: u64 = steps.iter().map(|step| step["extensions"].as_u64().unwrap()).sum();
    assert_eq!(json["registers"][0]["records"], extensions);
    assert_eq!(steps[1]["values"]["sha384"], json["registers"][0]["expected"]);
    let table = tsm(&["replay", &expect, text(&ccel), "--then", text(&list)]).ok().text();
    assert!(table.contains("vouched for: every record of all logs"), "{table}");
    // IMA's records say PCR 2, as RTMR2 stands in its place; naming it changes nothing.
    run(&["--ima-pcr=2", text(&ccel), "--then", text(&list)]).ok();
    for args in [
        &[text(&ccel), "--register=rtmr2"][..],
        &[text(&list), "--then", text(&ccel)],
        &["--ima-pcr=10", text(&ccel), "--then", text(&list)],
        &[text(&ccel), "--then", text(&list), "--then", text(&list)],
    ] {
        let ran = run(args);
        assert_eq!(ran.status, 1, "{args:?}: {}", ran.text());
        assert_eq!(ran.json()["holds"], false, "{args:?}");
    }
}

/// What a machine has measured: its firmware, a record log, and IMA in a virtual register of it.
struct Machine {
    ccel: Vec<u8>,
    records: String,
    list: Vec<u8>,
    value: Digest,
}

impl Machine {
    /// `front` events of firmware are in the register itself.
    fn new(front: usize) -> Self {
        let folder = generated().join("ima-73-sig-signedfiles");
        let list = fs::read(folder.join("ima_binary_runtime_measurements")).unwrap();
        let (mut ccel, mut value) = (header(1), Digest::zeros(A));
        ccel.extend(event(1, 4, A.hash(b"rtmr0"), b"rtmr0"));
        for number in 0..front {
            let data = format!("kernel {number}");
            ccel.extend(event(3, 13, A.hash(data.as_bytes()), data.as_bytes()));
            value.extend(&A.hash(data.as_bytes())).unwrap();
        }
        let sync = format!("SYNC {value}");
        let mut lines = vec![sync, "com.example/agent start".to_string()];
        for entry in tsm_eventlog::ima::List::open(&list).unwrap() {
            let entry = entry.unwrap();
            let digest = match entry.is_violation() {
                true => Digest::ones(Algorithm::Sha256),
                false => entry.hash(Algorithm::Sha256),
            };
            lines.push(format!("mr_ima extend {digest}"));
        }
        lines.push("com.example/agent stop".to_string());
        for line in &lines {
            value.extend(&A.hash(line.as_bytes())).unwrap();
        }
        let records = format!("{}\n\n{}\n", lines[0], lines[1..].join("\n"));
        Self { ccel, records, list, value }
    }

    fn replay(&self, args: &[&str]) -> Ran {
        let dir = Dir::new();
        let ccel = dir.file("ccel", &self.ccel);
        let records = dir.file("records", &self.records);
        let list = format!("--ima=mr_ima={}", text(&dir.file("list", &self.list)));
        let expect = format!("--expect={}", self.value);
        let all = ["replay", "--json", "--register=rtmr2", &expect, &list];
        tsm(&[&all[..], args, &[text(&ccel), "--then", text(&records)]].concat())
    }
}

// T-43, T-44
#[test]
fn firmware_records_and_ima_in_a_virtual_register() {
    // No event of firmware is in the register: the record log accounts for everything.
    let machine = Machine::new(0);
    let json = machine.replay(&[]).ok().json();
    assert_eq!(json["holds"], true);
    assert_eq!(
        (&json["steps"][1]["front"], &json["ima"][0]["holds"]),
        (&"captured".into(), &true.into())
    );
    // INDEX.md of the data: 21 records.
    assert_eq!(
        (&json["ima"][0]["records"], &json["virtual"][0]["records"]),
        (&21.into(), &21.into())
    );
    assert_eq!(json["virtual"][0]["trusted"], true);

    // Firmware's events could be records that somebody hides, unless they are appraised.
    let shared = Machine::new(2);
    let ran = shared.replay(&[]);
    assert_eq!(ran.status, 1);
    let json = ran.json();
    assert_eq!((&json["vouched"]["for"], &json["ima"][0]["holds"]), (&"all".into(), &false.into()));
    assert!(json["virtual"].as_array().unwrap().is_empty(), "no value that is not vouched for");
    assert!(json["findings"].to_string().contains("not-accounted"));
    shared.replay(&["--others-appraised"]).ok();
}

/// Records of a record log shown as events of the firmware: the register's value is the same.
// T-44
#[test]
fn hidden_records_are_not_vouched_for() {
    let honest = Machine::new(1);
    let lines: Vec<_> = honest.records.lines().filter(|line| !line.is_empty()).collect();
    let mut hiding = Machine::new(1);
    for line in &lines[..4] {
        hiding.ccel.extend(event(3, 13, A.hash(line.as_bytes()), b"harmless"));
    }
    // The rest of the record log goes on without a capture.
    hiding.records = lines[4..].iter().map(|line| format!("{line}\n")).collect();
    hiding.value = honest.value;
    let ran = hiding.replay(&[]);
    assert_eq!(ran.status, 1);
    let json = ran.json();
    assert_eq!((&json["vouched"]["for"], &json["ima"][0]["holds"]), (&"all".into(), &false.into()));
    // Also if somebody says that all was appraised: then the list has more than the register.
    let json = hiding.replay(&["--others-appraised"]).json();
    assert_eq!(json["ima"][0]["holds"], false);
}

/// Whatever is changed, one of the three fails.
// T-43
#[test]
fn every_tampering_fails() {
    let args = &["--others-appraised"][..];
    let machine = || Machine::new(2);
    machine().replay(args).ok();
    let fails = |machine: &Machine, what: &str| {
        let ran = machine.replay(args);
        assert!(ran.status == 1 || ran.status == 2, "{what}: {}", ran.text());
        assert_eq!(ran.json()["holds"], false, "{what}");
    };
    let lines: Vec<String> = machine().records.lines().map(str::to_string).collect();
    for index in (0..lines.len()).filter(|index| !lines[*index].is_empty()).step_by(3) {
        let mut changed = lines.clone();
        changed[index].push('0');
        let mut less = lines.clone();
        less.remove(index);
        let mut twice = lines.clone();
        twice.insert(index, lines[index].clone());
        for (lines, what) in [(changed, "changed"), (less, "less"), (twice, "twice")] {
            let records = lines.iter().map(|line| format!("{line}\n")).collect();
            fails(&Machine { records, ..machine() }, &format!("{what} {index}"));
        }
    }
    let swapped = |lines: &[String]| {
        let mut lines = lines.to_vec();
        lines.swap(3, 4);
        lines.iter().map(|line| format!("{line}\n")).collect()
    };
    fails(&Machine { records: swapped(&lines), ..machine() }, "swapped");
    let events = machine().ccel;
    let digest = events.windows(48).rposition(|bytes| bytes == A.hash(b"kernel 1").as_bytes());
    for at in [digest.unwrap(), digest.unwrap() + 47] {
        let mut ccel = events.clone();
        ccel[at] ^= 1;
        fails(&Machine { ccel, ..machine() }, "firmware's digest");
    }
    fails(&Machine { ccel: events[..events.len() - 76].to_vec(), ..machine() }, "an event less");
    let list = machine().list;
    let (mut positions, mut covered) = (Vec::new(), Vec::new());
    for entry in tsm_eventlog::ima::List::open(&list).unwrap() {
        let entry = entry.unwrap();
        positions.push(usize::try_from(entry.position().offset).unwrap());
        // Nothing covers what a violation says.
        if !entry.is_violation() {
            covered.push(usize::try_from(entry.end().offset).unwrap());
        }
    }
    fails(
        &Machine { list: list[..*positions.last().unwrap()].to_vec(), ..machine() },
        "a file less",
    );
    for at in covered.iter().skip(1).step_by(4) {
        let mut list = list.clone();
        list[at - 1] ^= 1;
        fails(&Machine { list, ..machine() }, "a name");
    }
    let mut other = machine();
    other.value = Digest::zeros(A);
    fails(&other, "another value");
}

#[test]
fn wrong_use_and_other_statuses() {
    let dir = Dir::new();
    let machine = Machine::new(1);
    let ccel = dir.file("ccel", &machine.ccel);
    let records = dir.file("records", &machine.records);
    let sequence = [text(&ccel), "--then", text(&records)];
    let run = |args: &[&str]| tsm(&[&["replay", "--json"], args, &sequence].concat());
    run(&[]).refused("--register");
    run(&["--register=rtmr1,rtmr2"]).refused("--register");
    run(&["--register=rtmr2", &format!("--expect=rtmr1:{}", machine.value)]).refused("rtmr1");
    run(&["--register=mrtd"]).refused("");
    run(&["--register=rtmr2", "--ima=mr_ima"]).refused("NAME=FILE");
    // Nothing to compare with, and nothing wrong.
    let json = run(&["--register=rtmr2", "--virtual=mr_ima"]).ok().json();
    assert_eq!((&json["holds"], &json["vouched"]["for"]), (&().into(), &"unchecked".into()));
    assert!(json["findings"].to_string().contains("not-accounted"));
    // With a value: it is explained, and firmware's event could hide a record.
    let expect = format!("--expect=rtmr2:{}", machine.value);
    let ran = run(&["--virtual=mr_ima", &expect]);
    let json = ran.json();
    assert_eq!(
        (ran.status, &json["holds"], &json["vouched"]["for"]),
        (1, &false.into(), &"all".into())
    );
    assert!(json["findings"].to_string().contains("not-accounted"));
    run(&["--virtual=mr_ima", &expect, "--others-appraised"]).ok();
    run(&[&expect]).ok();
    // A log that does not follow: the register's other one.
    let ran = run(&["--register=rtmr1"]);
    assert_eq!((ran.status, &ran.json()["findings"][0]["kind"]), (1, &"not-captured".into()));
    // Cut: what the logs say up to there is told.
    let cut = dir.file("cut", &machine.records[..machine.records.len() - 3]);
    let expect = format!("--expect=rtmr2:{}", machine.value);
    let args = ["replay", "--json", &expect, text(&ccel), "--then", text(&cut)];
    let json = tsm(&args).refused("log 2").json();
    assert_eq!((&json["holds"], &json["steps"].as_array().unwrap().len()), (&false.into(), &2));
    // A record log alone carries IMA too.
    let alone = Machine::new(0);
    let list = format!("--ima=mr_ima={}", text(&dir.file("list", &alone.list)));
    let rtmr2 = dir.file("rtmr2.log", &alone.records);
    let json =
        tsm(&["replay", "--json", &list, &format!("--expect={}", alone.value), text(&rtmr2)]);
    assert_eq!(json.ok().json()["ima"][0]["holds"], true);
    let json = tsm(&["replay", "--json", &list, text(&rtmr2)]).ok().json();
    assert!(json["ima"][0]["holds"].is_null());
    let firmware = generated().join("bios-61-direct-tcb/binary_bios_measurements");
    tsm(&["replay", &list, text(&firmware)]).refused("record logs");
}

/// Firmware, boot loader and kernel on PCRs 0 to 9, IMA on PCR 10: both logs together explain each,
/// whichever extends it.
#[test]
fn machines_with_ima() {
    let mut registers = 0;
    for (name, folder, banks) in firmware_runs() {
        // Kernel 6.1 extends this bank with padded SHA-1 digests.
        let Some(bank) = banks.iter().find(|bank| *bank == "sha256") else { continue };
        let firmware = folder.join("binary_bios_measurements");
        let list = folder.join("ima_binary_runtime_measurements");
        let file = format!("--expect-file={}", text(&folder.join(format!("pcrs/pcr-{bank}.txt"))));
        for register in ["pcr0", "pcr7", "pcr10"] {
            let name_of = format!("--register={register}");
            let args =
                ["replay", "--json", &name_of, &file, text(&firmware), "--then", text(&list)];
            let json = tsm(&args).ok().json();
            assert_eq!(json["vouched"]["for"], "all", "{name} {register}");
            registers += 1;
        }
    }
    assert!(registers > 30, "{registers}");
}

/// The text of an agent says where it begins.
// T-43
#[test]
fn an_agent_behind_firmware() {
    let dir = Dir::new();
    let one = A.hash(b"one");
    let mut value = Digest::zeros(A);
    value.extend(&one).unwrap();
    let init = format!("INIT {value}");
    let agent = format!("{init}\ndomain start content\n");
    for line in [&*init, "domain start content"] {
        value.extend(&A.hash(line.as_bytes())).unwrap();
    }
    let ccel = dir.file("ccel", [header(1), event(4, 13, one, b"one")].concat());
    let expect = format!("--expect=rtmr3:{value}");
    let run = |log: &str| {
        let log = dir.file("agent", log);
        tsm(&["replay", "--json", &expect, text(&ccel), "--then", text(&log)])
    };
    let json = run(&agent).ok().json();
    assert_eq!(json["steps"][1]["front"], "captured");
    let other = run(&agent.replace(&init, &format!("INIT {}", Digest::zeros(A))));
    assert_eq!((other.status, &other.json()["findings"][0]["kind"]), (1, &"not-captured".into()));
    let table = tsm(&["replay", &expect, text(&ccel), "--then", text(&ccel)]).text();
    assert!(table.contains("vouched for: nothing") && table.contains("does not hold"), "{table}");
}
