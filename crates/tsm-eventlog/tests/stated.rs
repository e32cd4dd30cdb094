// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the data's own index states, row by row: a row that no test covers is an error.
//!
//! Run with `--nocapture` for the table of what was checked.

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use common::any::any_logs;
use common::cel::yaml;
use common::json::Json;
use common::tcg::digest;
use common::{ListFile, Run, runs, shared};
use tsm_core::{Algorithm, Digest};
use tsm_eventlog::ima::{self, Bank, BankRule, Binary, Layout};
use tsm_eventlog::registers::Platform;
use tsm_eventlog::tcg::{End, Log, Match, Replay};
use tsm_test_support::base64;

/// Rows of section 1 that are about several files, or none: the test that checks what they say.
const ELSEWHERE: [(&str, &str, &str); 11] = [
    ("dstack/quote-report.json", "dstack", "a_report_and_its_quote"),
    ("cc-trusted-api/ccel_data.bin + ima_log.bin + quote.bin", "tcg_replay", "a_ccel_and_then_ima"),
    // Its third log is in the index only.
    ("trustee-history/aael/AAEL_data_1,2,3", "aael", "text_logs_and_their_quote"),
    ("guest-components digest vectors (no file)", "stated", "a_row_without_file"),
    ("go-eventlog/legacydata/linux_tpm12.json", "tcg_replay", "a_tpm_1_2"),
    ("tpm2-tools/event-*.bin", "stated", "fixtures_of_tpm2_tools"),
    ("same, boot_aggregate", "tcg_replay", "boot_aggregates"),
    ("ima-evm-utils/test_binary_bios_measurements", "tcg_replay", "boot_aggregates"),
    ("go-tpm-tools/agent/testdata/cel.b64", "cel_logs", "confidential_space"),
    ("rust-keylime/ascii_runtime_measurements", "ima_lists", "keylime_lists"),
    ("tpm2-tss/sml-ima-*.b64", "ima_lists", "tpm2_tss_lists"),
];

/// The rows of the tables of a section of `eventlogs/INDEX.md`, without their heads.
fn rows(section: char) -> Vec<Vec<String>> {
    let Some(path) = shared("eventlogs/INDEX.md") else { return Vec::new() };
    let text = std::fs::read_to_string(path).unwrap();
    let section = format!("## {section}.");
    let lines = text.lines().skip_while(|line| !line.starts_with(&section)).skip(1);
    let rows = lines.take_while(|line| !line.starts_with("## ")).filter_map(|line| {
        let line = line.strip_prefix('|')?.strip_suffix('|')?.replace("\\|", "\u{1}");
        let cells = line.split('|').map(|cell| cell.trim().replace('\u{1}', "|"));
        Some(cells.collect())
    });
    // The head, and the line below it.
    rows.skip(2).collect()
}

fn folder() -> std::path::PathBuf {
    shared("eventlogs").unwrap()
}

fn contents(name: &str) -> Vec<u8> {
    let bytes = std::fs::read(folder().join(name)).unwrap();
    if name.ends_with(".b64") { base64(&bytes) } else { bytes }
}

fn expected() -> Json {
    Json::parse(&std::fs::read_to_string(folder().join("expected.json")).unwrap())
}

/// Section 1: logs whose registers are known from somewhere else.
#[test]
fn logs_with_known_values() {
    let rows = rows('1');
    if rows.is_empty() {
        return;
    }
    let expected = expected();
    let mut compared = 0;
    for row in &rows {
        let [name, bytes, events, algorithm, registers, result, ..] = &row[..] else { panic!() };
        // A row of section 1 with a list of registers, and one whose values are in another file.
        let elsewhere = ELSEWHERE.iter().find(|(row, ..)| row == name);
        if let Some((_, file, test)) = elsewhere {
            let source = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/{file}.rs"));
            let source = std::fs::read_to_string(source).unwrap();
            assert!(source.contains(&format!("#[test]\nfn {test}(")), "{file}::{test}");
            eprintln!("{name:72} {algorithm:14} {file}::{test}");
            continue;
        }
        assert_eq!(result, "all match", "{name}: nobody checks this row");
        let log = contents(name);
        assert_eq!(log.len().to_string(), *bytes, "{name}");
        let algorithm: Algorithm = algorithm.parse().unwrap();
        let (kind, numbers) = registers.split_once(' ').unwrap();
        let platform = if kind == "PCR" { Platform::Tpm } else { Platform::Tdx };
        let numbers: BTreeSet<u32> = numbers.split(',').flat_map(range).collect();
        let values = known_values(&expected, name, algorithm);
        let mut replay = <Replay>::new(platform, &[algorithm]).unwrap();
        for number in &numbers {
            let register = platform.register(*number).unwrap();
            replay.expect(register, values[number]).unwrap();
        }
        let finished = replay.run(Log::open(&log).unwrap());
        assert_eq!(finished.error(), None, "{name}");
        let walked = Log::open(&log).unwrap().count().to_string();
        assert_eq!(walked, *events, "{name}");
        for number in &numbers {
            let register = platform.register(*number).unwrap();
            assert_eq!(replay.result(register, algorithm), Match::Complete, "{name} {register}");
            compared += 1;
        }
        eprintln!("{name:72} {algorithm:14} {} registers equal", numbers.len());
    }
    eprintln!("{} rows, {compared} values", rows.len());
    assert!(rows.len() == 35 && compared >= 190, "{} rows, {compared} values", rows.len());
}

/// `0-9`, or one number.
fn range(text: &str) -> core::ops::RangeInclusive<u32> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    first.parse().unwrap()..=last.parse().unwrap()
}

fn known_values(expected: &Json, name: &str, algorithm: Algorithm) -> BTreeMap<u32, Digest> {
    let stated = expected.at(name).at("values").list().iter();
    let stated = stated.filter(|values| values.at("alg").text() == Some(algorithm.name()));
    let mut values = BTreeMap::new();
    for (number, value) in stated.flat_map(|values| values.at("expected").object().unwrap()) {
        values.insert(number.parse().unwrap(), digest(algorithm, value.text().unwrap()));
    }
    if values.is_empty() {
        // Beside the log, in the form of `tsspcrread`.
        let path = folder().join("ima-evm-utils/sample-tpm-2.0-pcrs-8-9");
        assert_eq!(name, "ima-evm-utils/sample-binary_bios_measurements-pcrs-8-9");
        for line in std::fs::read_to_string(path).unwrap().lines() {
            let Some((number, value)) = line.split_once(": ") else { continue };
            let Ok(number) = number.parse() else { continue };
            values.insert(number, digest(algorithm, value.trim()));
        }
    }
    values
}

/// The one row that has no file says so.
#[test]
fn a_row_without_file() {
    let rows = rows('1');
    let without: Vec<_> = rows.iter().filter(|row| row[0].contains("(no file)")).collect();
    assert!(rows.is_empty() || without.len() == 1);
}

/// The `pcrs:` that the fixtures of tpm2-tools' own tests have.
#[test]
fn fixtures_of_tpm2_tools() {
    if shared("eventlogs/tpm2-tools").is_none() {
        return;
    }
    let (mut files, mut compared) = (0, 0);
    for entry in std::fs::read_dir(folder().join("tpm2-tools")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        let fixtures = ["event-raw", "event-pretty", "event-pretty-39", "."];
        let fixtures: Vec<_> = fixtures
            .iter()
            .map(|folder| path.parent().unwrap().join(folder).join(format!("{name}.yaml")))
            .filter(|path| path.is_file())
            .collect();
        if path.extension().is_none_or(|extension| extension != "bin") {
            continue;
        }
        assert!(!fixtures.is_empty(), "{name}");
        let log = std::fs::read(&path).unwrap();
        let banks: Vec<Algorithm> = Log::open(&log).unwrap().algorithms().known().collect();
        let mut replay = <Replay>::new(Platform::Tpm, &banks).unwrap();
        assert_eq!(replay.run(Log::open(&log).unwrap()).error(), None);
        for fixture in fixtures {
            let text = std::fs::read_to_string(&fixture).unwrap();
            let pcrs = yaml(text.split_once("\npcrs:\n").unwrap().1);
            for (bank, pcrs) in &pcrs {
                for (pcr, value) in pcrs {
                    let register = Platform::Tpm.register(*pcr).unwrap();
                    let found = replay.register(register).and_then(|found| found.value(*bank));
                    assert_eq!(found, Some(*value), "{} {bank} {pcr}", fixture.display());
                    compared += 1;
                }
            }
        }
        files += 1;
    }
    eprintln!("{files} logs, {compared} values of fixtures");
    assert!(files == 10 && compared >= 200, "{files} logs, {compared} values");
}

/// Section 2: how many records there are, and how the log ends.
#[test]
fn logs_without_known_values() {
    let rows = rows('2');
    for row in &rows {
        let [name, bytes, events, format, end, ..] = &row[..] else { panic!("{row:?}") };
        let log = contents(name);
        let size = std::fs::metadata(folder().join(name)).unwrap().len();
        assert_eq!(size.to_string(), *bytes, "{name}");
        let mut read = Log::open(&log).unwrap();
        let count = read.by_ref().map(Result::unwrap).count();
        assert_eq!(count.to_string(), *events, "{name}");
        let offset = read.next_position().offset;
        let found = match read.end().unwrap() {
            End::Bytes => "eof".to_owned(),
            End::Ones | End::Mark => format!("ff-pad@{offset}"),
            End::Zeros => format!("zero-pad@{offset}"),
            other => panic!("{name} {other:?}"),
        };
        assert_eq!(found, *end, "{name}");
        let known = read.algorithms().known().map(|algorithm| algorithm.name());
        let known: Vec<_> = known.collect();
        let stated = format.rsplit_once(' ').unwrap().1;
        let stated: Vec<_> = stated.split(',').filter(|name| *name != "sm3").collect();
        assert_eq!(known, stated, "{name}");
        eprintln!("{name:72} {count:3} events, {found}, {stated:?}");
    }
    eprintln!("{} rows", rows.len());
    assert!(rows.is_empty() || rows.len() == 55, "{}", rows.len());
}

/// Every log that `expected.json` names is one of a kind that some test compares, and is read.
#[test]
fn nothing_stated_is_left_out() {
    if shared("eventlogs/expected.json").is_none() {
        return;
    }
    let logs: BTreeSet<Vec<u8>> = any_logs().into_iter().map(|log| log.bytes).collect();
    let vm: BTreeSet<String> = rows('3').into_iter().map(|row| row[0].clone()).collect();
    let (expected, mut counts) = (expected(), [0; 3]);
    for (name, stated) in expected.object().unwrap() {
        let run = name.strip_prefix("generated/vm/");
        if let Some(run) = run.filter(|run| !run.contains('/')) {
            // `generated_runs` compares it.
            assert!(vm.contains(run), "{name}");
            counts[0] += 1;
        } else if stated.at("own_replay").object().is_some() {
            // `tcg_replay::stated_logs_replay_to_their_values` compares it.
            let is_empty = contents(name).len() < 120 && stated.at("events").number() <= Some(1);
            assert!(logs.contains(&contents(name)) || is_empty, "{name}");
            counts[1] += 1;
        } else {
            assert_eq!(name, "dstack/quote-report.json", "nobody compares this");
            counts[2] += 1;
        }
    }
    eprintln!("{} runs, {} firmware logs, {} other", counts[0], counts[1], counts[2]);
    assert_eq!(counts.iter().sum::<usize>(), 109);
}

/// Runs that the index has and the data has not.
const INDEX_ONLY: [&str; 2] = ["ima-sig-evm", "multi-pcr-templates"];

/// Section 3: machines made for this project; IMA list and firmware log against the PCRs, in each bank,
/// as the row says.
#[test]
fn generated_runs() {
    let rows = rows('3');
    let Some(folder) = shared("eventlogs/generated/vm") else { return };
    let runs = runs(&folder);
    let names: BTreeSet<&str> = runs.iter().map(|run| run.name.as_str()).collect();
    let stated: BTreeSet<&str> = rows.iter().map(|row| row[0].as_str()).collect();
    let absent: Vec<_> = stated.difference(&names).copied().collect();
    assert_eq!(absent, INDEX_ONLY);
    assert!(names.is_subset(&stated), "each has its row");
    for row in rows.iter().filter(|row| !INDEX_ONLY.contains(&row[0].as_str())) {
        let [name, _, entries, templates, violations, banks, firmware, aggregate, ..] = &row[..]
        else {
            panic!("{row:?}")
        };
        let run = runs.iter().find(|run| run.name == *name).unwrap();
        assert_eq!(
            (run.count.to_string(), run.violations.to_string()),
            (entries.clone(), violations.clone())
        );
        let lists = ima_lists(run, templates, banks);
        let pcrs = firmware_log(run, firmware);
        boot_aggregate(run, aggregate);
        eprintln!(
            "{name:30} {lists:2} values of IMA lists, {pcrs:2} of the firmware log: {banks}; {firmware}"
        );
    }
    eprintln!("{} rows; of {INDEX_ONLY:?} there is no data", rows.len());
    assert_eq!(rows.len(), 22);
}

/// Checks the columns about IMA; gives how many values were equal.
fn ima_lists(run: &Run, templates: &str, stated: &str) -> usize {
    let mut equal = 0;
    let mut found = BTreeSet::new();
    for file in &run.lists {
        let names = file.list().map(|entry| entry.unwrap().template_name().to_vec());
        found.extend(names.map(|name| String::from_utf8(name).unwrap()));
        for &algorithm in run.pcrs.keys() {
            let padded = stated.contains(&format!("{algorithm}:match only with SHA1-padded"));
            let is_stated = match run.name.as_str() {
                "tpm12-seabios" => stated == "tpm1.2:match" && algorithm == Algorithm::Sha1,
                // The one with MD5: `ima_lists::md5_needs_its_option` is about the plain reader.
                "ima-legacy-md5" => stated.starts_with("sha1, sha256: match with"),
                _ => padded || stated.split("; ").any(|bank| bank == format!("{algorithm}:match")),
            };
            assert!(is_stated, "{} {algorithm}: {stated}", run.name);
            let rules = [BankRule::Hashed, BankRule::PaddedSha1];
            let holds = rules.map(|rule| equal_pcrs(run, file, Bank::with_rule(algorithm, rule)));
            // For SHA-1 both rules are the same.
            assert!(holds[usize::from(padded)].is_some(), "{} {algorithm}", run.label(file));
            assert!(algorithm == Algorithm::Sha1 || holds[usize::from(!padded)].is_none());
            equal += holds[usize::from(padded)].unwrap();
        }
    }
    assert_eq!(run.pcrs.is_empty(), stated == "no TPM", "{}", run.name);
    let stated: BTreeSet<String> = templates.split(", ").map(str::to_owned).collect();
    assert_eq!(found, stated, "{}", run.name);
    equal
}

/// How many PCRs the list uses, if all have the machine's values in a bank.
fn equal_pcrs(run: &Run, file: &ListFile, bank: Bank) -> Option<usize> {
    let mut replay = <ima::Replay>::new(&[bank]).unwrap();
    assert_eq!(replay.run(file.list()).error(), None, "{}", run.label(file));
    let algorithm = bank.algorithm;
    let pcrs = &run.pcrs[&algorithm];
    let mut values = replay.registers().map(|register| (register.pcr(), register.value(algorithm)));
    let is_equal = values.all(|(pcr, value)| value == Some(pcrs[&pcr]));
    is_equal.then(|| replay.registers().count())
}

/// Checks the column about firmware; gives how many values were equal.
fn firmware_log(run: &Run, stated: &str) -> usize {
    let Ok(log) = std::fs::read(run.folder.join("binary_bios_measurements")) else {
        assert_eq!(stated, "-", "{}", run.name);
        return 0;
    };
    let banks: Vec<Algorithm> = run.pcrs.keys().copied().collect();
    let mut replay = <Replay>::new(Platform::Tpm, &banks).unwrap();
    assert_eq!(replay.run(Log::open(&log).unwrap()).error(), None);
    let mut equal = 0;
    for &bank in &banks {
        let used = replay.registers().filter(|register| register.events() > 0);
        let mut count = 0;
        for register in used {
            let number = Platform::Tpm.number(register.index()).unwrap();
            assert_eq!(
                register.value(bank),
                Some(run.pcrs[&bank][&number]),
                "{} {number}",
                run.name
            );
            count += 1;
        }
        let name = if run.name == "tpm12-seabios" { "tpm1.2: ".into() } else { format!("{bank}:") };
        let says = format!("{name}match {count} PCRs");
        assert!(stated.split("; ").any(|stated| stated == says), "{}: {says}, {stated}", run.name);
        equal += count;
    }
    assert_eq!(stated.split("; ").count(), banks.len());
    equal
}

/// Checks which PCRs' values the list's first entry is the hash of.
fn boot_aggregate(run: &Run, stated: &str) {
    let path = run.lists.iter().find(|file| file.is_binary && file.digest == Algorithm::Sha1);
    let bytes = &path.unwrap().bytes;
    let list = Binary::new(bytes, Layout::DEFAULT);
    let list = if run.name == "ima-legacy-md5" { list.md5() } else { list };
    let first = list.into_iter().next().unwrap().unwrap();
    assert!(first.is_boot_aggregate());
    let value: Vec<u8> = first.file_digest().unwrap().value.iter().collect();
    if stated.starts_with("zeros") {
        assert!(value.iter().all(|&byte| byte == 0), "{}", run.name);
        return;
    }
    for stated in stated.split(", ") {
        let (bank, pcrs) = stated.split_once(" bank PCR").unwrap();
        let bank: Algorithm = if bank == "tpm12" { Algorithm::Sha1 } else { bank.parse().unwrap() };
        let values = range(pcrs).flat_map(|pcr| run.pcrs[&bank][&pcr].as_bytes().to_vec());
        let hash = bank.hash(&values.collect::<Vec<u8>>());
        assert_eq!(hash.as_bytes(), value, "{} {stated}", run.name);
    }
}
