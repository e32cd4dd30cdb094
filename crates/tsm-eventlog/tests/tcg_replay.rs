// SPDX-License-Identifier: MIT OR Apache-2.0
//! Every firmware log at hand against the registers of its machine, in every bank.

mod common;

use std::collections::BTreeMap;

use common::json::Json;
use common::shared;
use common::tcg::{LogFile, Values, ccels, digest, machines, stated};
use tsm_core::{Algorithm, Digest};
use tsm_eventlog::registers::{CcMrIndex, PcrIndex, Platform, RegisterIndex, RtmrIndex};
use tsm_eventlog::tcg::{CcType, CcelTable, End, Finding, FindingKind, Log, Match, Replay};
use tsm_test_support::base64;

fn pcr(number: u32) -> PcrIndex {
    PcrIndex::new(number).unwrap()
}

/// Expects values, replays, and gives the replay with its findings and the count of its trusted
/// events.
fn replay(file: &LogFile, known: &Values) -> (Replay, Vec<Finding>, usize) {
    let banks: Vec<Algorithm> = known.keys().map(|name| name.parse().unwrap()).collect();
    let mut replay = <Replay>::new(file.platform, &banks).unwrap();
    for (name, values) in known {
        for (number, value) in values {
            let register = file.platform.register(*number).unwrap();
            replay.expect(register, digest(name.parse().unwrap(), value)).unwrap();
        }
    }
    let finished = replay.run(Log::open(&file.bytes).unwrap());
    assert_eq!(finished.error(), None, "{}", file.name);
    let (findings, events) = (finished.findings().collect(), finished.events().count());
    (replay, findings, events)
}

/// All registers of all banks match; gives how many.
fn verify(file: &LogFile, known: &Values) -> usize {
    let (replay, findings, events) = replay(file, known);
    let mut compared = 0;
    for (name, values) in known {
        for number in values.keys() {
            let register = file.platform.register(*number).unwrap();
            let result = replay.result(register, name.parse().unwrap());
            assert_eq!(result, Match::Complete, "{} {register} {name}", file.name);
            compared += 1;
        }
    }
    let expected = replay.registers().filter(|register| register.results().next().is_some());
    assert_eq!(events as u64, expected.map(|register| register.events()).sum::<u64>());
    let absent: Vec<RegisterIndex> = findings
        .iter()
        .filter(|finding| finding.kind == FindingKind::NoEvents)
        .map(|finding| finding.register.unwrap())
        .collect();
    let is_absent = replay.registers().filter(|register| register.is_absent());
    assert!(is_absent.map(|register| register.index()).eq(absent), "{}", file.name);
    assert_eq!(replay.holds(), (compared > 0).then_some(true));
    compared
}

#[test]
fn machines_replay_to_their_pcrs() {
    let files = machines();
    let compared: usize = files.iter().map(|file| verify(file, &file.known)).sum();
    eprintln!("{} logs, {compared} values", files.len());
    assert!(files.len() >= 16 && compared >= 300);
}

#[test]
fn stated_logs_replay_to_their_values() {
    let files = stated();
    let (mut logs, mut compared, mut replayed) = (0, 0, 0);
    for file in &files {
        logs += usize::from(!file.known.is_empty());
        if !file.known.is_empty() {
            compared += verify(file, &file.known);
        }
        // Values of another replay; where it has no values, an event had no digest.
        let mut known = file.replayed.clone();
        known.retain(|name, values| !values.is_empty() && name.parse::<Algorithm>().is_ok());
        if known.is_empty() {
            assert!(
                ["short_no_action", "specid-vendordata", "CCEL_data_csv"]
                    .iter()
                    .any(|name| file.name.contains(name)),
                "{}",
                file.name
            );
            continue;
        }
        replayed += verify(file, &known);
    }
    eprintln!("{logs} logs, {compared} known values; {replayed} values of another replay");
    assert!(files.is_empty() || (logs == 15 && compared >= 190 && replayed >= 1000));
}

/// What is odd about the stated logs: this, and nothing else.
#[test]
fn findings_of_stated_logs() {
    let mut found: BTreeMap<String, Vec<(FindingKind, u64)>> = BTreeMap::new();
    for file in stated() {
        let banks: Vec<Algorithm> =
            file.replayed.keys().filter_map(|name| name.parse().ok()).collect();
        let banks = if banks.is_empty() { vec![Algorithm::Sha384] } else { banks };
        let mut replay = <Replay>::new(file.platform, &banks).unwrap();
        let finished = replay.run(Log::open(&file.bytes).unwrap());
        for finding in finished.findings() {
            let place = (finding.kind, finding.position.record);
            found.entry(file.name.clone()).or_default().push(place);
        }
    }
    let csv = "trustee/eventlog/test_data/CCEL_data_csv";
    if let Some(csv) = found.remove(csv) {
        assert_eq!(csv.len(), 82, "no SM3 here, so a digest is missing in every event");
        assert!(csv.iter().all(|(kind, _)| *kind == FindingKind::MissingDigest(Algorithm::Sha384)));
    }
    let mut windows = 0;
    found.retain(|name, found| {
        if name.ends_with("option_rom_eventlog") {
            let kinds: Vec<_> = found.iter().map(|(kind, _)| *kind).collect();
            assert_eq!(kinds, [FindingKind::NoActionIndex, FindingKind::NoActionDigest]);
            windows += 1;
            return false;
        }
        let two_of_four = ["uefiaction", "uefivar"].iter().any(|part| name.contains(part));
        if two_of_four {
            let missing = FindingKind::MissingDigest;
            let (a, b) = (missing(Algorithm::Sha384), missing(Algorithm::Sha512));
            assert_eq!(found[..], [(FindingKind::DigestCount, 1), (a, 1), (b, 1)], "{name}");
        }
        !two_of_four
    });
    assert_eq!(found, BTreeMap::new());
    assert!(windows == 0 || windows == 2);
}

/// The fixture with two digests of the four that its header lists: those two banks are replayed,
/// the others are not known.
#[test]
fn a_missing_digest_breaks_its_bank() {
    let Some(path) = shared("eventlogs/tpm2-tools/event-uefivar.bin") else { return };
    let bytes = std::fs::read(path).unwrap();
    let mut replay = <Replay>::new(Platform::Tpm, Algorithm::ALL).unwrap();
    for &algorithm in Algorithm::ALL {
        replay.expect(pcr(7), Digest::zeros(algorithm)).unwrap();
    }
    assert_eq!(replay.run(Log::open(&bytes).unwrap()).events().count(), 0);
    let register = replay.register(pcr(7)).unwrap();
    for (algorithm, broken) in Algorithm::ALL.iter().zip([false, false, true, true]) {
        assert_eq!(register.is_broken(*algorithm), broken);
        assert_eq!(register.value(*algorithm).is_none(), broken);
        // The start value, before the event: never complete.
        let prefix = Match::Prefix { matched: 0, beyond: 1 };
        assert_eq!(register.result(*algorithm), prefix);
    }
    assert_eq!(replay.holds(), Some(false));
}

/// RTMR0 to RTMR3 of a TD quote of version 4: behind a header of 48 bytes and 328 bytes of body.
fn rtmrs(quote: &[u8]) -> [Digest; 4] {
    assert_eq!(quote[..2], [4, 0]);
    core::array::from_fn(|number| {
        let at = 48 + 328 + 48 * number;
        Digest::from_bytes(Algorithm::Sha384, &quote[at..at + 48]).unwrap()
    })
}

fn rtmr(number: u32) -> RtmrIndex {
    RtmrIndex::new(number).unwrap()
}

fn expecting(quote: &[u8]) -> Replay<5> {
    let mut replay = Replay::<5>::new(Platform::Tdx, &[Algorithm::Sha384]).unwrap();
    for (number, value) in (0..).zip(rtmrs(quote)) {
        replay.expect(rtmr(number), value).unwrap();
    }
    replay
}

/// A Google TD: its CCEL, its quote, and its ACPI table.
#[test]
fn a_real_ccel_with_its_quote() {
    let Some(folder) = shared("tdx/go-tdx-guest/ccel") else { return };
    let read = |name: &str| std::fs::read(folder.join(name)).unwrap();
    let (log, quote) = (read("ccel_data.dat"), read("cos-113-tdx-quote.dat"));
    let table = CcelTable::read(&read("ccel_table.dat")).unwrap();
    assert_eq!((table.cc_type, table.cc_type.platform()), (CcType::Tdx, Platform::Tdx));
    assert_eq!(table.area_length, log.len() as u64);
    assert!(table.is_checksum_right);

    let mut replay = expecting(&quote);
    let finished = replay.run(Log::open(&log).unwrap());
    assert_eq!((finished.error(), finished.events().count()), (None, 43));
    let findings: Vec<_> = finished.findings().map(|f| (f.kind, f.register.unwrap())).collect();
    assert_eq!(findings, [(FindingKind::NoEvents, rtmr(3).into())], "RTMR3 is zero");
    for number in 0..4 {
        assert_eq!(replay.result(rtmr(number), Algorithm::Sha384), Match::Complete, "{number}");
    }
    let events = (0..4).map(|number| replay.register(rtmr(number)).unwrap().events());
    assert!(events.eq([16, 7, 20, 0]));
    assert_eq!(replay.holds(), Some(true));

    // The same log with a separator twice, beside that quote: RTMR2 only.
    let Some(other) = shared("tdx/go-eventlog/cos-113-intel-tdx-dupe-separator.bin") else {
        return;
    };
    let other = std::fs::read(other).unwrap();
    let mut replay = expecting(&quote);
    let finished = replay.run(Log::open(&other).unwrap());
    let registers: Vec<_> = finished.events().map(|event| event.register()).collect();
    assert_eq!(registers, [RegisterIndex::Rtmr(rtmr(2)); 20]);
    let results = [0, 1, 2, 3].map(|number| replay.result(rtmr(number), Algorithm::Sha384));
    assert_eq!(results, [Match::Mismatch, Match::Mismatch, Match::Complete, Match::Complete]);
}

/// Intel's sample TD: its CCEL explains RTMR0, RTMR1 and RTMR3, and IMA has extended RTMR2 after it.
#[test]
fn a_ccel_and_then_ima() {
    let Some(folder) = shared("eventlogs/cc-trusted-api") else { return };
    let read = |name: &str| std::fs::read(folder.join(name)).unwrap();
    let (log, quote, ima) = (read("ccel_data.bin"), read("quote.bin"), read("ima_log.bin"));
    let mut replay = expecting(&quote);
    assert_eq!(replay.run(Log::open(&log).unwrap()).error(), None);
    let results = [0, 1, 2, 3].map(|number| replay.result(rtmr(number), Algorithm::Sha384));
    assert_eq!(results, [Match::Complete, Match::Complete, Match::Mismatch, Match::Complete]);

    let mut value = replay.register(rtmr(2)).unwrap().value(Algorithm::Sha384).unwrap();
    for entry in tsm_eventlog::ima::List::open(&ima).unwrap() {
        value.extend(&entry.unwrap().recorded()).unwrap();
    }
    assert_eq!(value, rtmrs(&quote)[2]);
}

/// Replays of the other CCELs as `tdx/expected.json` has them.
#[test]
fn ccels_replay_to_the_stated_values() {
    let mut compared = 0;
    for (name, bytes, stated) in ccels() {
        let mut replay = Replay::<5>::new(Platform::Tdx, &[Algorithm::Sha384]).unwrap();
        let finished = replay.run(Log::open(&bytes).unwrap());
        assert_eq!(finished.error(), None, "{name}");
        for (register, value) in stated.at("replayed").object().unwrap() {
            let register = register.split_once('=').unwrap().1.to_lowercase();
            let register = RegisterIndex::from_name(register.as_bytes()).unwrap();
            let expected = digest(Algorithm::Sha384, value.text().unwrap());
            let found = replay.register(register).unwrap();
            assert_eq!(found.value(Algorithm::Sha384), Some(expected), "{name} {register}");
            compared += 1;
        }
        let counts = stated.at("per_mr_event_count").object().unwrap();
        let no_action = stated.at("no_action_events").number().unwrap();
        let stated: i64 = counts.values().filter_map(Json::number).sum();
        let events: u64 = replay.registers().map(|register| register.events()).sum();
        assert_eq!(events as i64, stated - no_action, "{name}");
    }
    eprintln!("{compared} values");
    assert!(compared == 0 || compared >= 30);
}

/// `trustee/CCEL_data` lies beside a quote that is not its own.
#[test]
fn a_quote_of_another_machine() {
    let Some(log) = shared("tdx/trustee/CCEL_data") else { return };
    let Some(quote) = shared("tdx/trustee/tdx_quote_4.dat") else { return };
    let (log, quote) = (std::fs::read(log).unwrap(), std::fs::read(quote).unwrap());
    let mut replay = expecting(&quote);
    let finished = replay.run(Log::open(&log).unwrap());
    assert_eq!(finished.events().count(), 0);
    assert_eq!(replay.holds(), Some(false));
    assert_eq!(replay.result(rtmr(0), Algorithm::Sha384), Match::Mismatch);
}

/// The PCRs of a TPM 1.2 beside its log, in a JSON file.
#[test]
fn a_tpm_1_2() {
    let Some(path) = shared("eventlogs/go-eventlog/legacydata/linux_tpm12.json") else { return };
    let json = Json::parse(&std::fs::read_to_string(path).unwrap());
    let (mut log, mut pcrs) = (None, BTreeMap::new());
    find(&json, &mut |object| {
        if let Some(text) = object.at("Raw").text() {
            log = Some(base64(text.as_bytes()));
        }
        for entry in object.at("PCRs").list().iter() {
            let digest = entry.at("Digest").text().map(|text| base64(text.as_bytes()));
            if let (Some(index), Some(digest)) = (entry.at("Index").number(), digest) {
                pcrs.insert(index as u32, digest);
            }
        }
    });
    let log = log.expect("a log");
    let mut replay = <Replay>::new(Platform::Tpm, &[Algorithm::Sha1]).unwrap();
    for (number, value) in pcrs.range(0..8) {
        replay.expect(pcr(*number), Digest::from_bytes(Algorithm::Sha1, value).unwrap()).unwrap();
    }
    assert_eq!(replay.run(Log::open(&log).unwrap()).error(), None);
    assert_eq!((replay.holds(), pcrs.range(0..8).count()), (Some(true), 8));
}

fn find(json: &Json, take: &mut impl FnMut(&Json)) {
    if let Some(object) = json.object() {
        take(json);
        object.values().for_each(|member| find(member, take));
    }
    json.list().iter().for_each(|member| find(member, take));
}

/// IMA's first record is the hash of PCRs 0 to 7, or 0 to 9 in newer kernels.
#[test]
fn boot_aggregates() {
    for (name, pcrs, aggregate) in [
        ("sample-binary_bios_measurements-pcrs-8-9", 10, "83d19723ef3b"),
        ("test_binary_bios_measurements", 8, "f1b4c7c9b27e"),
    ] {
        let Some(path) = shared(&format!("eventlogs/ima-evm-utils/{name}")) else { continue };
        let bytes = std::fs::read(path).unwrap();
        let mut replay = <Replay>::new(Platform::Tpm, &[Algorithm::Sha256]).unwrap();
        assert_eq!(replay.run(Log::open(&bytes).unwrap()).error(), None);
        let values = (0..pcrs).map(|number| replay.register(pcr(number)).unwrap());
        let values = values.map(|register| register.value(Algorithm::Sha256).unwrap());
        let all: Vec<u8> = values.flat_map(|value| value.as_bytes().to_vec()).collect();
        let hash = Algorithm::Sha256.hash(&all).to_string();
        assert!(hash.starts_with(&format!("sha256/{aggregate}")), "{name} {hash}");
    }
    // And the SHA-1 values that tpm2-tools read beside the first.
    let Some(path) = shared("eventlogs/ima-evm-utils/sample-tpm-2.0-pcrs-8-9") else { return };
    let text = std::fs::read_to_string(path).unwrap();
    let log = shared("eventlogs/ima-evm-utils/sample-binary_bios_measurements-pcrs-8-9").unwrap();
    let log = std::fs::read(log).unwrap();
    let mut replay = <Replay>::new(Platform::Tpm, &[Algorithm::Sha1]).unwrap();
    let mut expected = 0;
    for line in text.lines() {
        let digits: String = line.chars().filter(char::is_ascii_alphanumeric).collect();
        let digits = digits.strip_prefix("PCR").unwrap_or(&digits).to_lowercase();
        let Some(at) = digits.len().checked_sub(40) else { continue };
        let (number, hex) = digits.split_at(at);
        let Ok(number) = number.parse::<u32>() else { continue };
        if number < 10 || number == 14 {
            replay.expect(pcr(number), digest(Algorithm::Sha1, hex)).unwrap();
            expected += 1;
        }
    }
    assert_eq!(expected, 11);
    assert_eq!(replay.run(Log::open(&log).unwrap()).error(), None);
    assert_eq!(replay.holds(), Some(true));
}

/// The CC-MR map: a machine with both a TPM and a log for PCRs has the same events in both.
#[test]
fn pcr_numbers_are_not_cc_numbers() {
    let Some(path) = shared("tdx/go-tdx-guest/ccel/ccel_data.dat") else { return };
    let log = std::fs::read(path).unwrap();
    let mut replay = <Replay>::new(Platform::Tpm, &[Algorithm::Sha384]).unwrap();
    let _ = replay.run(Log::open(&log).unwrap());
    let read_as_pcrs: Vec<_> = replay.registers().map(|r| r.index().to_string()).collect();
    assert_eq!(read_as_pcrs, ["pcr1", "pcr2", "pcr3"], "nothing in the bytes tells");
    let mut replay = Replay::<5>::new(Platform::Cc, &[Algorithm::Sha384]).unwrap();
    let _ = replay.run(Log::open(&log).unwrap());
    assert!(replay.register(CcMrIndex::new(1).unwrap()).is_some());
    assert!(replay.register(CcMrIndex::new(0).unwrap()).is_none(), "cannot be extended");
}

/// A log that a machine monitor wrote: what it put into a realm before the start. It explains
/// nothing that was extended.
#[test]
fn a_log_of_a_monitor() {
    let Some(path) = shared("cca/cca-realm-measurements/realm-bootlog.bin") else { return };
    let bytes = std::fs::read(path).unwrap();
    let mut replay = Replay::<5>::new(Platform::CcaMonitor, &[Algorithm::Sha256]).unwrap();
    let finished = replay.run(Log::open(&bytes).unwrap());
    assert_eq!(finished.end(), End::Zeros);
    let findings: Vec<_> = finished.findings().map(|f| (f.kind, f.register.unwrap())).collect();
    assert_eq!(findings, [(FindingKind::StaticRegister, RegisterIndex::Rim); 3]);
    assert_eq!(replay.registers().count(), 0);
}

/// Replayed in two parts, with the state saved between them, a log gives what it gives in one.
#[test]
fn a_saved_replay_goes_on() {
    let mut splits = 0;
    for file in machines().iter().chain(&stated()) {
        let whole = Log::open(&file.bytes).unwrap();
        let banks: Vec<Algorithm> = whole.algorithms().known().collect();
        if banks.is_empty() {
            continue;
        }
        let mut fresh = <Replay>::new(file.platform, &banks).unwrap();
        let values = if file.known.is_empty() { &file.replayed } else { &file.known };
        for (name, values) in values {
            for (number, value) in values {
                let register = file.platform.register(*number).unwrap();
                fresh.expect(register, digest(name.parse().unwrap(), value)).unwrap();
            }
        }
        let mut expected = fresh.clone();
        let all: Vec<_> = expected.run(whole.clone()).events().map(|e| e.position()).collect();
        let findings: Vec<Finding> = fresh.clone().run(whole.clone()).findings().collect();

        let ends: Vec<_> = whole.clone().map(|event| event.unwrap().end()).collect();
        for end in ends.iter().step_by(ends.len() / 5 + 1) {
            let mut first = fresh.clone();
            let part = Log::open(&file.bytes[..end.offset as usize]).unwrap();
            let finished = first.run(part);
            assert_eq!(finished.error(), None);
            let mut found: Vec<_> = finished.findings().collect();
            found.retain(|finding| finding.kind != FindingKind::NoEvents);
            let mut out = [0; <Replay>::SAVED_MAX];
            let mut second = <Replay>::restore(first.save(&mut out).unwrap()).unwrap();
            assert_eq!(second, first);
            let rest = whole.clone().skip_to(second.position()).unwrap();
            let finished = second.run(rest.clone());
            assert_eq!(finished.error(), None);
            found.extend(finished.findings());
            assert_eq!(found, findings, "{}", file.name);
            let behind = all.iter().filter(|position| position.record >= end.record);
            assert!(finished.events().map(|event| event.position()).eq(behind.copied()));
            assert_eq!(second, expected, "{} at {end:?}", file.name);
            // Not elsewhere.
            let mut elsewhere = first.clone();
            let refused = elsewhere.run(whole.clone().skip_to(ends[ends.len() - 1]).unwrap());
            let is_elsewhere = *end != ends[ends.len() - 1];
            assert_eq!(refused.error().is_some(), is_elsewhere);
            assert_eq!(refused.events().count(), 0);
            splits += 1;
        }
    }
    eprintln!("{splits} splits");
    assert!(splits >= 16);
}
