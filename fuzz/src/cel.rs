// SPDX-License-Identifier: MIT OR Apache-2.0
//! Canonical event logs: read, written in all encodings, replayed.

use std::collections::BTreeMap;

use tsm_core::{Algorithm, Digest};
use tsm_eventlog::cel::{Check, Encoding, Log, Record, Register, Replay, Writer};

/// Input: a log, tried in each encoding.
pub fn cel(data: &[u8]) {
    for encoding in Encoding::ALL {
        read(data, encoding);
        let log = Log::new(data, encoding);
        for record in log.clone().map_while(Result::ok) {
            rewrite(record.record());
            Algorithm::ALL.iter().for_each(|&algorithm| checked(record.record(), algorithm));
        }
        replayed(&log, data);
        converted(&log);
    }
    if let Some(encoding) = Encoding::detect(data) {
        assert!(matches!(Log::new(data, encoding).next(), Some(Ok(_))));
        assert_eq!(Log::open(data).expect("detected").encoding(), encoding);
    }
}

/// Records stand behind each other and within the log, which stays at its end.
fn read(data: &[u8], encoding: Encoding) {
    let mut log = Log::new(data, encoding);
    let (mut before, mut count) = (0, 0);
    while let Some(record) = log.next() {
        match record {
            Ok(record) => {
                let (begin, end) = (record.position().offset, record.end().offset);
                assert!(before <= begin && begin < end && end <= data.len() as u64);
                let gap = &data[before as usize..begin as usize];
                match encoding {
                    Encoding::Tlv | Encoding::CborSequence => assert!(gap.is_empty()),
                    Encoding::Cbor => assert!(gap.is_empty() || count == 0),
                    Encoding::Json => assert!(gap.iter().all(|b| b"[, \t\n\r".contains(b))),
                    _ => {}
                }
                assert_eq!(record.position().record, count);
                count += 1;
                before = end;
                assert_eq!(log.next_position(), record.end());
            }
            Err(error) => {
                assert!(error.offset() <= data.len() as u64);
                assert_eq!(error.record(), count);
                assert!(log.next().is_none());
            }
        }
    }
    assert!(log.next().is_none(), "it stays at its end");
}

/// A record that can be written can be read, as the same record; and written again it is the same
/// bytes.
pub(crate) fn rewrite(record: &Record<'_>) {
    for encoding in Encoding::ALL {
        let mut buffer = vec![0; 1 << 16];
        let mut writer = Writer::new(&mut buffer, encoding).expect("room");
        let empty = writer.as_bytes().to_vec();
        let room = writer.room_for(record);
        if let Err(error) = writer.push(record) {
            assert_eq!(writer.as_bytes(), empty, "nothing of it");
            assert_eq!(room.err().map_or(error, |error| error).kind(), error.kind());
            continue;
        }
        let written = writer.finish();
        assert_eq!(room, Ok(written.len() - empty.len()));
        let mut again = Log::new(written, encoding);
        let found = again.next().expect("a record").unwrap_or_else(|e| panic!("{e}: {record:?}"));
        assert_eq!(found.record(), record, "{encoding:?}");
        assert!(again.next().is_none());
        let mut buffer = vec![0; 1 << 16];
        let mut writer = Writer::new(&mut buffer, encoding).expect("room");
        writer.push(found.record()).expect("it was written before");
        assert_eq!(writer.as_bytes(), written);
    }
}

/// Verified means what it says.
fn checked(record: &Record<'_>, algorithm: Algorithm) {
    let digest = record.digests.digest(algorithm);
    match record.check(algorithm) {
        Check::Verified => assert_eq!(digest, record.content.hash(algorithm)),
        Check::Mismatch => assert_ne!(digest, record.content.hash(algorithm)),
        Check::Violation => assert!(record.digests.iter().all(|d| d.digest.iter().all(|b| b == 0))),
        Check::NotMeasured => assert!(!record.is_measured()),
        Check::NoDigest => assert_eq!(digest, None),
        Check::Unknown => assert!(digest.is_some()),
    }
}

/// A model of a few lines gives the same values.
fn replayed(log: &Log<'_>, data: &[u8]) {
    let bank = Algorithm::ALL[data.len() % Algorithm::ALL.len()];
    let mut values: BTreeMap<Register, (Digest, u64)> = BTreeMap::new();
    for record in log.clone().map_while(Result::ok) {
        let record = record.record();
        if !record.is_measured() || record.register == Register::Pcr(0) {
            continue;
        }
        let ones = matches!(record.register, Register::Pcr(17..=22));
        let start = if ones { Digest::ones(bank) } else { Digest::zeros(bank) };
        let (value, count) = values.entry(record.register).or_insert((start, 0));
        *count += 1;
        if let Some(mut digest) = record.digests.digest(bank) {
            if record.is_violation() {
                digest = Digest::ones(bank);
            }
            value.extend(&digest).expect("of the bank");
        }
    }
    let mut replay = Replay::<16>::new(&[bank]).expect("a bank");
    let finished = replay.run(log.clone());
    let is_whole = finished.error().is_none();
    for state in replay.registers().filter(|state| state.register() != Register::Pcr(0)) {
        let (value, records) = values.get(&state.register()).copied().unzip();
        if is_whole {
            assert_eq!(state.value(bank), value);
            assert_eq!(Some(state.records()), records);
        }
    }
}

/// All of it in one log of each encoding, which is what its records are one by one.
fn converted(log: &Log<'_>) {
    for encoding in Encoding::ALL {
        let mut buffer = vec![0; 1 << 16];
        let mut writer = Writer::new(&mut buffer, encoding).expect("room");
        let done = writer.push_all(log.clone());
        let written = writer.finish();
        let records = log.clone().map_while(Result::ok);
        let again = Log::new(written, encoding).map(|record| *record.expect("written").record());
        let count = again.clone().count() as u64;
        if let Err(error) = done {
            assert_eq!(error.record(), count, "the first that is not there");
        } else {
            assert_eq!(records.clone().count() as u64, count);
        }
        assert!(records.take(count as usize).map(|record| *record.record()).eq(again));
    }
}
