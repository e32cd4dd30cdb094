// SPDX-License-Identifier: MIT OR Apache-2.0
//! Every IMA list at hand against the PCR values of its machine, in every bank.

mod common;

use common::{ListFile, Run, all_runs, committed, runs, said, shared};
use tsm_core::{Algorithm, Digest};
use tsm_eventlog::ima::{Bank, Binary, Check, Endian, Fields, Layout, List, Match, Replay};
use tsm_eventlog::{ErrorKind, Format, detect};
use tsm_test_support::base64;

/// Replays a list and compares it with the run's PCRs; gives the number of comparisons.
fn verify(run: &Run, file: &ListFile) -> usize {
    let label = run.label(file);
    let mut banks = run.banks();
    if banks.is_empty() {
        banks = vec![Bank::hashed(Algorithm::Sha256)]; // no TPM
    }
    let mut replay = <Replay>::new(&banks).unwrap();
    // First without expecting anything, to learn which PCRs the list uses.
    assert_eq!(replay.clone().run(file.list()).error(), None, "{label}");
    let mut scout = replay.clone();
    let _ = scout.run(file.list());
    let used: Vec<u32> = scout.registers().map(|register| register.pcr()).collect();

    for (&algorithm, values) in &run.pcrs {
        for pcr in &used {
            replay.expect(*pcr, values[pcr]).unwrap();
            assert_eq!(replay.result(*pcr, algorithm), Match::Mismatch, "{label}: not by absence");
        }
    }
    let finished = replay.run(file.list());
    assert_eq!(finished.error(), None, "{label}");
    let trusted: Vec<String> = finished.entries().map(|entry| said(&entry)).collect();

    let mut compared = 0;
    for &algorithm in run.pcrs.keys() {
        for &pcr in &used {
            assert_eq!(replay.result(pcr, algorithm), Match::Complete, "{label} {pcr} {algorithm}");
            compared += 1;
        }
    }
    let sum = |count: fn(&tsm_eventlog::ima::Register) -> u64| replay.registers().map(count).sum();
    let (entries, violations, aggregates): (u64, u64, u64) =
        (sum(|r| r.entries()), sum(|r| r.violations()), sum(|r| r.boot_aggregates()));
    assert_eq!((entries, violations, aggregates), (run.count, run.violations, 1), "{label}");
    assert_eq!(replay.position().record, run.count);
    assert_eq!(replay.position().offset, file.bytes.len() as u64);

    let all: Vec<String> = file.list().map(|entry| said(&entry.unwrap())).collect();
    assert_eq!(all.len() as u64, run.count, "{label}");
    if run.pcrs.is_empty() {
        assert!(trusted.is_empty(), "{label}: nothing to trust without a value");
    } else {
        assert_eq!(trusted, all, "{label}");
        assert_eq!(replay.covered(), Some(replay.position()));
    }
    compared
}

fn verify_all(runs: &[Run]) -> (usize, usize) {
    let (mut files, mut compared) = (0, 0);
    for run in runs {
        for file in &run.lists {
            compared += verify(run, file);
            files += 1;
        }
    }
    eprintln!("{} runs, {files} lists, {compared} register values", runs.len());
    (files, compared)
}

#[test]
fn committed_lists_replay_to_their_pcrs() {
    let runs = runs(&committed());
    assert!(runs.len() >= 17, "{} runs", runs.len());
    let (files, compared) = verify_all(&runs);
    assert!(files >= 62 && compared >= 150, "{files} lists, {compared} values");
}

#[test]
fn shared_lists_replay_to_their_pcrs() {
    let Some(folder) = shared("eventlogs/generated/vm") else { return };
    let runs = runs(&folder);
    assert!(runs.len() >= 20, "{} runs", runs.len());
    let (files, compared) = verify_all(&runs);
    assert!(files >= 110 && compared >= 250, "{files} lists, {compared} values");
}

/// The runs that `expected.json` names are all there, with no run besides but that without TPM.
#[test]
fn no_stated_run_is_forgotten() {
    let Some(file) = shared("eventlogs/expected.json") else { return };
    let Some(folder) = shared("eventlogs/generated/vm") else { return };
    let text = std::fs::read_to_string(file).unwrap();
    for run in runs(&folder) {
        let stated = text.contains(&format!("\"generated/vm/{}\"", run.name));
        assert_eq!(stated, run.name != "notpm", "{}", run.name);
        assert_eq!(run.pcrs.is_empty(), run.name == "notpm");
    }
}

#[test]
fn all_lists_are_detected() {
    let mut detected = 0;
    for run in all_runs() {
        for file in &run.lists {
            let label = run.label(file);
            let expected = if file.is_binary {
                Format::ImaBinary(Layout { digest: file.digest, endian: Endian::Little })
            } else {
                Format::ImaAscii { digest: file.digest, endian: Endian::Little }
            };
            assert_eq!(detect(&file.bytes), Some(expected), "{label}");
            if !file.md5 {
                assert!(List::open(&file.bytes).unwrap().all(|entry| entry.is_ok()), "{label}");
            }
            detected += 1;
        }
        if let Ok(log) = std::fs::read(run.folder.join("binary_bios_measurements")) {
            let found = detect(&log);
            assert!(matches!(found, Some(Format::Tcg2 | Format::TcgSha1)), "{}", run.name);
        }
    }
    assert!(detected >= 62);
}

/// No other file of the shared data, of whatever kind, looks like an IMA list.
#[test]
fn other_files_are_not_lists() {
    let Some(root) = shared("eventlogs").and_then(|path| Some(path.parent()?.to_owned())) else {
        return;
    };
    let (mut folders, mut looked_at) = (vec![root], 0);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            if name.contains("runtime_measurements") || name.starts_with("ima") {
                continue;
            }
            if let Ok(bytes) = std::fs::read(&path) {
                let found = detect(&bytes);
                let is_ima = matches!(found, Some(Format::ImaAscii { .. } | Format::ImaBinary(_)));
                assert!(!is_ima, "{}", path.display());
                looked_at += 1;
            }
        }
    }
    eprintln!("{looked_at} files that are not lists");
    assert!(looked_at > 400);
}

/// Binary and ascii lists of one run say the same, whatever the width of their digests.
#[test]
fn binary_and_ascii_agree() {
    for run in all_runs() {
        let by_digest = |file: &ListFile| {
            let entries = file.list().map(|entry| said(&entry.unwrap())).collect::<Vec<_>>();
            (file.digest, entries)
        };
        for binary in run.lists.iter().filter(|file| file.is_binary) {
            for ascii in run.lists.iter().filter(|file| !file.is_binary) {
                let (binary, ascii) = (by_digest(binary), by_digest(ascii));
                if binary.0 == ascii.0 {
                    assert_eq!(binary, ascii, "{}", run.name);
                }
            }
        }
    }
}

#[test]
fn other_rules_do_not_match() {
    use tsm_eventlog::ima::BankRule::{Hashed, PaddedSha1, PaddedSha1Legacy};
    let mut tried = 0;
    for run in runs(&committed()) {
        let file = &run.lists[0];
        for bank in run.banks() {
            for rule in [Hashed, PaddedSha1, PaddedSha1Legacy] {
                let mut replay = <Replay>::new(&[Bank::with_rule(bank.algorithm, rule)]).unwrap();
                replay.expect(10, run.pcrs[&bank.algorithm][&10]).unwrap();
                assert_eq!(replay.run(file.list()).error(), None);
                // With no violation in the list, the two padded rules are one.
                let same = rule == bank.rule
                    || bank.algorithm == Algorithm::Sha1
                    || (run.violations == 0 && rule != Hashed && bank.rule != Hashed);
                let result = replay.result(10, bank.algorithm);
                assert_eq!(result.is_complete(), same, "{} {bank:?} {rule:?}", run.name);
                tried += 1;
            }
        }
    }
    assert!(tried >= 100);
}

#[test]
fn md5_needs_its_option() {
    let Some(folder) = shared("eventlogs/generated/vm/ima-legacy-md5") else { return };
    let bytes = std::fs::read(folder.join("binary_runtime_measurements")).unwrap();
    let plain = Binary::new(&bytes, Layout::DEFAULT);
    let mut replay = <Replay>::new(&[Bank::hashed(Algorithm::Sha1)]).unwrap();
    let error = replay.run(plain.clone()).error().unwrap();
    assert_eq!((error.kind(), error.record()), (ErrorKind::Field, 2), "{error}");
    let sizes: Vec<usize> =
        plain.md5().map(|entry| entry.unwrap().file_digest().unwrap().value.len()).collect();
    assert_eq!(sizes.iter().filter(|&&size| size == 16).count(), 24);
    assert_eq!(sizes[0], 20, "boot_aggregate");
}

/// 826 template digests of rust-keylime's list, and lists of one to three lines.
#[test]
fn keylime_lists() {
    for (path, lines) in [
        ("eventlogs/rust-keylime/ascii_runtime_measurements", 826),
        ("eventlogs/rust-keylime/ima_log.txt", 1),
        ("eventlogs/ima-evm-utils/test_ascii_runtime_measurements", 3),
        ("eventlogs/ima-evm-utils/sample-ascii_runtime_measurements-pcrs-8-9", 1),
    ] {
        let Some(path) = shared(path) else { continue };
        let bytes = std::fs::read(path).unwrap();
        let entries: Vec<_> = List::open(&bytes).unwrap().map(Result::unwrap).collect();
        assert_eq!(entries.len(), lines);
        assert!(entries.iter().all(|entry| entry.check() == Check::Verified));
        assert!(entries[0].is_boot_aggregate());
    }
    if let Some(path) = shared("eventlogs/rust-keylime/invalid_ima_log.txt") {
        assert_eq!(detect(&std::fs::read(path).unwrap()), None);
    }
}

/// Hand-made lists of keylime's tests for its policy generator, which does not look at template
/// digests: what is right in them is read, what is not is refused.
#[test]
fn keylime_policy_lists() {
    for (name, good, kind) in POLICY_LISTS {
        let path = format!("eventlogs/keylime/create-runtime-policy/ima-log-{name}");
        let Some(path) = shared(&path) else { continue };
        let bytes = std::fs::read(path).unwrap();
        let mut list = List::open(&bytes).unwrap();
        let entries = list.by_ref().take_while(Result::is_ok).count();
        assert_eq!(entries, *good, "{name}");
        let error = List::open(&bytes).unwrap().find_map(Result::err);
        assert_eq!(error.map(|error| error.kind()), *kind, "{name}");
    }
}

const POLICY_LISTS: &[(&str, usize, Option<ErrorKind>)] = &[
    ("sha1", 2, None),
    ("sha256", 2, None),
    ("sha384", 2, None),
    ("sha512", 2, None),
    ("sm3_256", 1, Some(ErrorKind::TemplateDigest)),
    ("unknown", 1, Some(ErrorKind::TemplateDigest)),
];

/// tpm2-tss' samples: complete records, then one cut off.
#[test]
fn tpm2_tss_lists() {
    for (name, records, violations, ends) in TPM2_TSS_LISTS {
        let Some(path) = shared(&format!("eventlogs/tpm2-tss/sml-ima-{name}.b64")) else {
            continue;
        };
        let bytes = base64(std::fs::read(path).unwrap());
        let mut replay = <Replay>::new(&[Bank::hashed(Algorithm::Sha256)]).unwrap();
        let finished = replay.run(Binary::new(&bytes, Layout::DEFAULT));
        let error = finished.error();
        assert_eq!(error.map(|error| error.kind()), *ends, "{name}");
        let count = |count: fn(&tsm_eventlog::ima::Register) -> u64| {
            replay.registers().map(count).sum::<u64>()
        };
        let found = (count(|r| r.entries()), count(|r| r.violations()));
        assert_eq!(found, (*records, *violations), "{name}");
        if let Some(error) = error {
            assert_eq!((error.record(), error.position()), (*records, replay.position()), "{name}");
        }
        let format = (*records > 0).then_some(Format::ImaBinary(Layout::DEFAULT));
        assert_eq!(detect(&bytes), format, "{name}");
    }
}

const TPM2_TSS_LISTS: &[(&str, u64, u64, Option<ErrorKind>)] = &[
    ("ng-sha1", 6, 0, Some(ErrorKind::Truncated)),
    ("ng-sha1-invalidated", 0, 0, Some(ErrorKind::Truncated)),
    ("sha1", 12, 0, Some(ErrorKind::Truncated)),
    ("sha1-invalidated", 1, 1, None),
    ("sig-sha256", 9, 0, Some(ErrorKind::Truncated)),
    ("sig-sha256-invalidated", 2, 1, None),
];

/// A list of a TDX guest: template digest SHA-384, and an RTMR's number in the column of the PCR.
/// The RTMR's value in the quote also depends on the firmware's log.
#[test]
fn rtmr_line() {
    let Some(path) = shared("eventlogs/cc-trusted-api/ima_log.bin") else { return };
    let bytes = std::fs::read(path).unwrap();
    let format = Format::ImaAscii { digest: Algorithm::Sha384, endian: Endian::Little };
    assert_eq!(detect(&bytes), Some(format));
    let entries: Vec<_> = List::open(&bytes).unwrap().map(Result::unwrap).collect();
    let [entry] = entries[..] else { panic!("{entries:?}") };
    assert_eq!((entry.pcr(), entry.check()), (2, Check::Verified));
    assert_eq!(entry.file_digest().unwrap().algorithm, b"sha384");

    let start = Algorithm::Sha384.hash(b"what the firmware extended");
    let mut replay = <Replay>::new(&[Bank::hashed(Algorithm::Sha384)]).unwrap();
    replay.start(2, start).unwrap();
    assert_eq!(replay.run(List::open(&bytes).unwrap()).error(), None);
    let mut expected = start;
    expected.extend(&entry.recorded()).unwrap();
    assert_eq!(replay.register(2).unwrap().value(Algorithm::Sha384), Some(expected));
    assert_ne!(expected, Digest::zeros(Algorithm::Sha384));
}

/// The fields of the template data alone are those of the record.
#[test]
fn fields_of_data_alone() {
    let (mut records, mut buffer) = (0, vec![0; 1 << 20]);
    for run in runs(&committed()) {
        for file in run.lists.iter().filter(|file| file.bytes.len() < 500_000) {
            for entry in file.list() {
                let entry = entry.unwrap();
                let Some(data) = entry.copy_template_data(&mut buffer) else { continue };
                let alone = Fields::of_data(entry.template_name(), data, Endian::Little);
                assert_eq!(format!("{alone:?}"), format!("{:?}", entry.fields()));
                records += 1;
            }
        }
    }
    assert!(records > 0);
    for (template, data) in [("ima", &b""[..]), ("ima", &[0; 25]), ("none", b""), ("ima-ng", b"x")]
    {
        let mut fields = Fields::of_data(template.as_bytes(), data, Endian::Little);
        assert!(fields.next().is_some_and(|field| field.is_err()), "{template}");
    }
}
