// SPDX-License-Identifier: MIT OR Apache-2.0
//! Logs in CEL's encodings, and values to compare them with.

use std::collections::BTreeMap;

use tsm_core::{Algorithm, Digest};
use tsm_eventlog::Error;
use tsm_eventlog::cel::{Match, Record, Register, Replay, Replayed};

use super::{runs, shared};

/// The files of a folder of `eventlogs`, by name.
pub fn files(folder: &str) -> Vec<(String, Vec<u8>)> {
    let Some(folder) = shared(&format!("eventlogs/{folder}")) else { return Vec::new() };
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| {
            (entry.file_name().into_string().unwrap(), std::fs::read(entry.path()).unwrap())
        })
        .collect();
    files.sort();
    files
}

pub fn file(path: &str) -> Option<Vec<u8>> {
    Some(std::fs::read(shared(&format!("eventlogs/{path}"))?).unwrap())
}

/// PCR values by algorithm.
pub type Pcrs = BTreeMap<Algorithm, BTreeMap<u32, Digest>>;

/// What the machine of a run had in its PCRs.
pub fn machine(name: &str) -> Option<Pcrs> {
    let folder = shared("eventlogs/generated/vm")?;
    Some(runs(&folder).into_iter().find(|run| run.name == name).unwrap().pcrs)
}

/// PCRs as tpm2-tools writes them.
pub fn yaml(text: &str) -> Pcrs {
    let mut pcrs = Pcrs::new();
    let mut bank = None;
    for line in text.lines() {
        let (name, value) = line.trim().split_once(':').unwrap();
        match value.trim().strip_prefix("0x") {
            None => bank = name.trim().parse::<Algorithm>().ok(),
            Some(hex) => {
                let bank = bank.unwrap();
                let digest = Digest::from_hex(bank, hex.to_lowercase().as_bytes()).unwrap();
                pcrs.entry(bank).or_default().insert(name.trim().parse().unwrap(), digest);
            }
        }
    }
    pcrs
}

/// Replays a log, expecting these values, and counts the registers and banks that match completely,
/// and the trusted records.
pub fn matches<'a, R, L>(log: L, pcrs: &Pcrs) -> (usize, usize)
where
    R: Replayed + 'a,
    L: Iterator<Item = Result<R, Error>> + Clone,
{
    let banks: Vec<_> = pcrs.keys().copied().collect();
    let mut replay = Replay::<24>::new(&banks).unwrap();
    for (pcr, value) in pcrs.values().flatten() {
        replay.expect(Register::Pcr(*pcr), *value).unwrap();
    }
    let finished = replay.run(log);
    assert_eq!(finished.error(), None);
    let trusted = finished.records().count();
    let mut complete = 0;
    for state in replay.registers().filter(|state| state.records() > 0) {
        for (bank, result) in state.results() {
            assert_eq!(result, Match::Complete, "{} {bank}", state.register());
            complete += 1;
        }
    }
    (complete, trusted)
}

/// Uses everything that can be asked of a record.
pub fn exercise(record: &Record<'_>) -> usize {
    let _ = (record.is_measured(), record.is_violation(), record.content.startup_locality());
    for &algorithm in Algorithm::ALL {
        let _ = record.check(algorithm);
    }
    if let Some(Ok(cos)) = record.content.cos() {
        let _ = (cos.text(), cos.variable());
    }
    assert_eq!(*record, record.to_owned());
    format!("{record:?}").len()
}
