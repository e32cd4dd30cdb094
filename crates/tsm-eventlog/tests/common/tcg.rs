// SPDX-License-Identifier: MIT OR Apache-2.0
//! The firmware logs of the test data and what is known about them.

use std::collections::BTreeMap;

use tsm_core::{Algorithm, Digest};
use tsm_eventlog::registers::Platform;
use tsm_test_support::base64;

use super::json::Json;
use super::{all_runs, shared};

/// A log, with the records and register values that `expected.json` or its machine give.
pub struct LogFile {
    pub name: String,
    pub bytes: Vec<u8>,
    pub platform: Platform,
    /// Records behind the header; `None` if not stated.
    pub events: Option<i64>,
    /// `eof`, `ff-pad@OFFSET`, `zero-pad@OFFSET`; empty if not stated.
    pub end: String,
    /// Values of registers, by algorithm and then by number in the log, from a source that did not
    /// replay this log.
    pub known: Values,
    /// Values of another replay.
    pub replayed: Values,
}

pub type Values = BTreeMap<String, BTreeMap<u32, String>>;

pub fn digest(algorithm: Algorithm, hex: &str) -> Digest {
    Digest::from_hex(algorithm, hex.to_lowercase().as_bytes()).unwrap()
}

fn values(object: &Json) -> BTreeMap<u32, String> {
    let object = object.object().unwrap();
    object.iter().map(|(k, v)| (k.parse().unwrap(), v.text().unwrap().to_owned())).collect()
}

/// The files that `eventlogs/expected.json` names.
pub fn stated() -> Vec<LogFile> {
    let Some(path) = shared("eventlogs/expected.json") else { return Vec::new() };
    let folder = path.parent().unwrap().to_owned();
    let expected = Json::parse(&std::fs::read_to_string(path).unwrap());
    let mut files = Vec::new();
    for (name, stated) in expected.object().unwrap() {
        let Some(replayed) = stated.at("own_replay").object() else { continue };
        let bytes = std::fs::read(folder.join(name)).unwrap();
        let bytes = if name.ends_with(".b64") { base64(&bytes) } else { bytes };
        let mut known = Values::new();
        for value in stated.at("values").list() {
            let algorithm = value.at("alg").text().unwrap().to_owned();
            known.insert(algorithm, values(value.at("expected")));
        }
        let is_cc = name.contains("ccel") || name.contains("CCEL");
        files.push(LogFile {
            name: name.clone(),
            bytes,
            platform: if is_cc { Platform::Tdx } else { Platform::Tpm },
            events: stated.at("events").number(),
            end: stated.at("end").text().unwrap_or_default().to_owned(),
            known,
            replayed: replayed.iter().map(|(a, object)| (a.clone(), values(object))).collect(),
        });
    }
    files
}

/// The logs of the machines made for this project, committed or shared, with the PCRs that their
/// firmware and boot loaders extend.
pub fn machines() -> Vec<LogFile> {
    let mut files = Vec::new();
    for run in all_runs() {
        let Ok(bytes) = std::fs::read(run.folder.join("binary_bios_measurements")) else {
            continue;
        };
        let firmware = |pcr: &u32| *pcr < 10 || *pcr == 14;
        let mut known = Values::new();
        for (algorithm, pcrs) in &run.pcrs {
            let hex = |digest: &Digest| digest.to_string().split_once('/').unwrap().1.to_owned();
            let pcrs = pcrs.iter().filter(|(pcr, _)| firmware(pcr));
            let pcrs = pcrs.map(|(pcr, value)| (*pcr, hex(value))).collect();
            known.insert(algorithm.to_string(), pcrs);
        }
        files.push(LogFile {
            name: run.name,
            bytes,
            platform: Platform::Tpm,
            events: None,
            end: "eof".into(),
            known,
            replayed: Values::new(),
        });
    }
    files
}

/// The CCELs of `tdx/`, by name, with what `tdx/expected.json` says.
pub fn ccels() -> Vec<(String, Vec<u8>, Json)> {
    let Some(path) = shared("tdx/expected.json") else { return Vec::new() };
    let expected = Json::parse(&std::fs::read_to_string(&path).unwrap());
    let folder = path.parent().unwrap();
    let read = |(name, stated): (&String, &Json)| {
        (name.clone(), std::fs::read(folder.join(name)).unwrap(), stated.clone())
    };
    expected.at("ccel").object().unwrap().iter().map(read).collect()
}

/// All logs at hand.
pub fn all() -> Vec<LogFile> {
    let mut files = machines();
    files.extend(stated());
    for (name, bytes, _) in ccels() {
        files.push(LogFile {
            name,
            bytes,
            platform: Platform::Tdx,
            events: None,
            end: String::new(),
            known: Values::new(),
            replayed: Values::new(),
        });
    }
    files
}

/// A Spec ID event.
pub fn header(index: u32, signature: &[u8; 16], algorithms: &[(u16, u16)]) -> Vec<u8> {
    let mut data = signature.to_vec();
    data.extend([0, 0, 0, 0, 0, 2, 0, 2]);
    data.extend(u32::try_from(algorithms.len()).unwrap().to_le_bytes());
    for (id, size) in algorithms {
        data.extend(id.to_le_bytes());
        data.extend(size.to_le_bytes());
    }
    data.push(0);
    sha1_event(index, 3, &[0; 20], &data)
}

pub const SIGNATURE: &[u8; 16] = b"Spec ID Event03\0";

/// A Spec ID event for these banks.
pub fn header_for(banks: &[Algorithm]) -> Vec<u8> {
    let list = |a: &Algorithm| (a.tpm_id(), u16::try_from(a.size()).unwrap());
    header(0, SIGNATURE, &banks.iter().map(list).collect::<Vec<_>>())
}

/// A record of the SHA-1 format.
pub fn sha1_event(index: u32, event_type: u32, digest: &[u8; 20], data: &[u8]) -> Vec<u8> {
    let size = u32::try_from(data.len()).unwrap().to_le_bytes();
    [&index.to_le_bytes()[..], &event_type.to_le_bytes(), digest, &size, data].concat()
}

/// A crypto-agile record.
pub fn event(index: u32, event_type: u32, digests: &[Digest], data: &[u8]) -> Vec<u8> {
    let mut out = [index.to_le_bytes(), event_type.to_le_bytes()].concat();
    out.extend(u32::try_from(digests.len()).unwrap().to_le_bytes());
    for digest in digests {
        out.extend(digest.algorithm().tpm_id().to_le_bytes());
        out.extend(digest.as_bytes());
    }
    out.extend(u32::try_from(data.len()).unwrap().to_le_bytes());
    out.extend(data);
    out
}
