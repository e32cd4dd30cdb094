// SPDX-License-Identifier: MIT OR Apache-2.0
//! Logs that are cut, altered, or made to cost time.

mod common;

use core::time::Duration;
use std::time::Instant;

use common::tcg::{
    LogFile, SIGNATURE, all, event, header, header_for, machines, sha1_event, stated,
};
use proptest::prelude::*;
use tsm_core::{Algorithm, Digest};
use tsm_eventlog::registers::Platform;
use tsm_eventlog::tcg::{AlgorithmList, End, FinalEvents, Layout, Log, Replay, Writer};
use tsm_eventlog::{ErrorKind, Limits, detect};

/// All logs, each once.
fn distinct() -> Vec<LogFile> {
    let mut files = all();
    files.sort_by(|a, b| a.bytes.cmp(&b.bytes).then(b.known.len().cmp(&a.known.len())));
    files.dedup_by(|a, b| a.bytes == b.bytes);
    files
}

fn expecting(file: &LogFile) -> Replay {
    let algorithms: Vec<Algorithm> = file.known.keys().map(|name| name.parse().unwrap()).collect();
    let mut replay = <Replay>::new(file.platform, &algorithms).unwrap();
    for (name, values) in &file.known {
        for (number, value) in values {
            let register = file.platform.register(*number).unwrap();
            let value = common::tcg::digest(name.parse().unwrap(), value);
            replay.expect(register, value).unwrap();
        }
    }
    replay
}

/// Uses everything there is for some bytes.
fn exercise(bytes: &[u8]) -> u64 {
    let _ = detect(bytes);
    let mut events = 0;
    let raw = [4, 0, 20, 0, 11, 0, 32, 0];
    let headless = Log::without_header(bytes, AlgorithmList::new(&raw).unwrap());
    let table = FinalEvents::read(bytes, headless.algorithms(), Limits::DEFAULT);
    let logs = [Log::open(bytes).ok(), Some(Log::sha1(bytes)), Some(headless)];
    for log in logs.into_iter().chain([table.ok().map(|table| table.all())]).flatten() {
        let mut walk = log.clone();
        let mut before = walk.next_position().offset;
        for event in walk.by_ref() {
            let Ok(event) = event else { break };
            assert!(event.end().offset >= before + 16, "each takes bytes");
            before = event.end().offset;
            let digests: usize = event.digests().iter().map(|(_, bytes)| bytes.len()).sum();
            assert!(digests + event.data().len() <= bytes.len());
            let _ = (event.startup_locality(), event.event_type().to_string());
            events += 1;
        }
        assert!(walk.next().is_none(), "nothing after the end");
        assert!(walk.end().is_some());
        for platform in [Platform::Tpm, Platform::Tdx] {
            let mut replay = <Replay>::new(platform, Algorithm::ALL).unwrap();
            let finished = replay.run(log.clone());
            assert_eq!(finished.events().count(), 0, "nothing is expected");
            assert_eq!(finished.error().is_some(), matches!(finished.end(), End::Error(_)));
            let _ = finished.findings().count();
        }
    }
    let mut copy = bytes.to_vec();
    if let Ok(mut writer) = Writer::resume(&mut copy) {
        let _ = writer.append_startup_locality(3);
    }
    events
}

/// Cut at any byte, a log is shorter and honest about it, or an error at the cut record.
// T-26
#[test]
fn truncation_at_every_byte() {
    let (mut cuts, mut logs) = (0_u64, 0);
    for file in distinct() {
        let whole = Log::open(&file.bytes).unwrap();
        let mut walk = whole.clone();
        let mut places = vec![walk.next_position()];
        places.extend(walk.by_ref().map(|event| event.unwrap().end()));
        let used = walk.next_position().offset as usize;
        let first = places[0].offset as usize;
        for cut in 0..first {
            assert!(Log::open(&file.bytes[..cut]).is_err(), "{} at {cut}", file.name);
        }
        let mut next = 0; // the record that is cut
        for cut in (first..used).filter(|cut| used < 65_536 || cut % 3 == 0) {
            while places.get(next + 1).is_some_and(|place| place.offset as usize <= cut) {
                next += 1;
            }
            // From the record before, to keep the test fast.
            let from = places[next.saturating_sub(1)];
            let bytes = &file.bytes[..cut];
            let log = match Log::open(bytes) {
                Ok(log) => log,
                // A cut in the first records of the SHA-1 format is not recognized.
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::UnknownFormat);
                    assert!(whole.layout() == Layout::Sha1 && next <= 1);
                    Log::sha1(bytes)
                }
            };
            let mut log = log.skip_to(from).unwrap();
            let complete = log.by_ref().take_while(Result::is_ok).count();
            let label = format!("{} at {cut}", file.name);
            assert_eq!(complete, usize::from(next > 0), "{label}");
            assert_eq!(log.next_position(), places[next], "{label}");
            let rest = &bytes[places[next].offset as usize..];
            match log.end().unwrap() {
                End::Bytes => assert!(rest.is_empty(), "{label}"),
                // Too short for a record, it could as well be filler.
                End::Zeros => assert!(rest.iter().all(|&b| b == 0) && rest.len() < 32, "{label}"),
                End::Ones => assert!(rest.iter().all(|&b| b == 0xFF) && rest.len() < 8, "{label}"),
                End::Error(error) => {
                    assert_eq!(error.kind(), ErrorKind::Truncated, "{label}");
                    assert_eq!(error.position(), places[next], "{label}");
                }
                other => panic!("{label} {other:?}"),
            }
            cuts += 1;
        }
        logs += 1;
    }
    eprintln!("{logs} logs, {cuts} cuts");
    // Without the shared data, the committed logs alone.
    assert!(cuts > if logs > 40 { 150_000 } else { 60_000 });
}

/// A log that lacks a byte of its last event for a known register does not hold.
// T-04
#[test]
fn a_cut_log_does_not_hold() {
    let mut tried = 0;
    for file in machines().iter().chain(&stated()).filter(|file| !file.known.is_empty()) {
        let last = Log::open(&file.bytes).unwrap().map(Result::unwrap).filter(|event| {
            let is_known = file.known.values().all(|values| values.contains_key(&event.index()));
            is_known && !event.is_no_action()
        });
        let last = last.last().unwrap();
        let (begin, end) = (last.position().offset as usize, last.end().offset as usize);
        for cut in (begin..end).step_by(7) {
            let mut replay = expecting(file);
            let finished = replay.run(Log::open(&file.bytes[..cut]).unwrap());
            // The others are still covered as far as they go.
            assert!(finished.events().count() > 0, "{}", file.name);
            assert_eq!(replay.holds(), Some(false), "{} at {cut}", file.name);
            tried += 1;
        }
    }
    assert!(tried > 100);
}

/// Garbage behind a log without filler: what is covered stays covered, but nothing is complete.
// T-34
#[test]
fn garbage_behind_is_seen() {
    for file in machines() {
        let bytes = [&file.bytes[..], b"garbage"].concat();
        let mut good = expecting(&file);
        let trusted = good.run(Log::open(&file.bytes).unwrap()).events().count();
        assert_eq!(good.holds(), Some(true));
        let mut replay = expecting(&file);
        let finished = replay.run(Log::open(&bytes).unwrap());
        assert_eq!(finished.error().unwrap().kind(), ErrorKind::Truncated);
        assert_eq!(finished.events().count(), trusted);
        assert_eq!(replay.holds(), Some(false));
    }
}

/// A flipped bit in a register's number or a digest of an event is always seen.
// T-02
#[test]
fn flipped_bits_never_hold() {
    let (mut flips, mut unseen) = (0, 0);
    for file in machines().iter().take(6) {
        let banks: Vec<u16> =
            Log::open(&file.bytes).unwrap().algorithms().iter().map(|a| a.id).collect();
        let known = banks
            .iter()
            .all(|&id| file.known.contains_key(Algorithm::from_tpm_id(id).unwrap().name()));
        assert!(known, "{}: every bank has values", file.name);
        for event in Log::open(&file.bytes).unwrap().map(Result::unwrap) {
            let begin = event.position().offset as usize;
            let data = event.end().offset as usize - event.data().len();
            for index in begin..data {
                let mut bytes = file.bytes.clone();
                bytes[index] ^= 1 << (index % 8);
                let mut replay = expecting(file);
                let Ok(log) = Log::open(&bytes) else { continue };
                let finished = replay.run(log);
                flips += 1;
                let is_type = (begin + 4..begin + 8).contains(&index);
                if finished.error().is_none() && replay.holds() == Some(true) {
                    assert!(is_type || event.is_no_action(), "{} byte {index}", file.name);
                    unseen += 1;
                }
            }
        }
    }
    eprintln!("{flips} flips, {unseen} in types, which nothing covers");
    assert!(flips > 9_000 && unseen > 0);
}

/// Every length field of every log set to wrong values: an error or another reading, and soon.
#[test]
fn wrong_lengths() {
    let mut tried = 0;
    for file in distinct().iter().filter(|file| file.bytes.len() < 40_000) {
        let log = Log::open(&file.bytes).unwrap();
        let mut fields: Vec<(usize, usize)> = Vec::new();
        if log.layout() == Layout::Agile {
            let algorithms = log.algorithms().len();
            fields.extend([(28, 4), (56, 4), (60 + 4 * algorithms, 1)]);
            fields.extend((0..algorithms).map(|place| (62 + 4 * place, 2)));
        }
        for event in log.clone().map(Result::unwrap) {
            let size = event.end().offset as usize - event.data().len() - 4;
            fields.push((size, 4));
            if log.layout() == Layout::Agile {
                fields.push((event.position().offset as usize + 8, 4));
            }
        }
        for (place, width) in fields.into_iter().step_by(1 + file.bytes.len() / 4000) {
            for value in [0_u32, 1, 2, 0x7FFF_FFFF, 0xFFFF_FFFF] {
                let mut bytes = file.bytes.clone();
                bytes[place..place + width].copy_from_slice(&value.to_le_bytes()[..width]);
                exercise(&bytes);
                tried += 1;
            }
        }
    }
    eprintln!("{tried} wrong lengths");
    assert!(tried > 2_000);
}

/// Inputs that cost peers quadratic time, large enough that it would show.
#[test]
fn time_is_linear() {
    let banks = Algorithm::ALL;
    let digests: Vec<Digest> = banks.iter().map(|a| a.hash(b"x")).collect();
    let unknown: Vec<(u16, u16)> = (0..16).map(|id| (0x100 + id, 1)).collect();
    let mut digest_of_each = vec![4, 0, 0, 0, 5, 0, 0, 0, 16, 0, 0, 0];
    for (id, _) in unknown.iter().rev() {
        digest_of_each.extend(id.to_le_bytes());
        digest_of_each.push(7);
    }
    digest_of_each.extend([0; 4]);
    let size = 1_000_000;
    let repeat = |head: Vec<u8>, unit: &[u8]| [head, unit.repeat(size / unit.len())].concat();
    let tiny = [4, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let zeros_and_more = [&[0; 15][..], &[1]].concat();
    let no_action = [0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let locality = event(0, 3, &[], b"StartupLocality\0\x03");
    let inputs = [
        ("no digests", repeat(header_for(banks), &tiny)),
        ("no digests, no action", repeat(header_for(banks), &no_action)),
        ("all digests", repeat(header_for(banks), &event(4, 5, &digests, b""))),
        ("no such register", repeat(header_for(banks), &event(99, 5, &digests[..1], b""))),
        (
            "sixteen unknown ones, backwards",
            repeat(header(0, SIGNATURE, &unknown), &digest_of_each),
        ),
        ("localities", repeat(header_for(banks), &locality)),
        ("headers", repeat(header_for(banks), &header_for(banks))),
        ("zeros", repeat(header_for(banks), &[0])),
        ("ones", repeat(header_for(banks), &[0xFF])),
        ("nearly zeros", repeat(header_for(banks), &zeros_and_more)),
        ("SHA-1", repeat(Vec::new(), &sha1_event(4, 5, &[1; 20], b""))),
    ];
    for (name, bytes) in inputs {
        let begin = Instant::now();
        let events = exercise(&bytes);
        let took = begin.elapsed();
        eprintln!("{name}: {events} events, {} ms", took.as_millis());
        // Unoptimized, with hashing; a quadratic walk would take many minutes.
        assert!(took < Duration::from_secs(60), "{name} {took:?}");
    }
}

#[test]
fn hostile_counts_and_algorithms() {
    let banks = [Algorithm::Sha256];
    let digest = Algorithm::Sha256.hash(b"x");
    let good = event(4, 5, &[digest], b"data");
    let error = |bytes: &[u8]| {
        let log = [&header_for(&banks)[..], &good, bytes].concat();
        let mut log = Log::open(&log).unwrap();
        log.find_map(Result::err).map(|error| (error.kind(), error.record(), error.offset()))
    };
    let place = (69 - 4 + good.len()) as u64;
    for count in [2_u32, 3, 0x7FFF_FFFF, u32::MAX] {
        let mut bytes = good.clone();
        bytes[8..12].copy_from_slice(&count.to_le_bytes());
        assert_eq!(error(&bytes), Some((ErrorKind::Digests, 2, place)));
    }
    let mut unknown = good.clone();
    unknown[12] = 0x12;
    assert_eq!(error(&unknown), Some((ErrorKind::Digests, 2, place)));
    let twice = event(4, 5, &[digest, digest], b"");
    assert_eq!(error(&twice), Some((ErrorKind::Digests, 2, place)));
    // The same algorithm twice where two are listed.
    let two = [header_for(&[Algorithm::Sha1, Algorithm::Sha256]), twice].concat();
    let kind = Log::open(&two).unwrap().find_map(Result::err).unwrap().kind();
    assert_eq!(kind, ErrorKind::Digests);

    let long = |size: u32| {
        let mut bytes = event(4, 5, &[digest], b"");
        let at = bytes.len() - 4;
        bytes[at..].copy_from_slice(&size.to_le_bytes());
        error(&bytes).unwrap().0
    };
    assert_eq!(long(1 << 20), ErrorKind::Truncated);
    assert_eq!(long((1 << 20) + 1), ErrorKind::RecordTooLong);
    assert_eq!(long(u32::MAX), ErrorKind::RecordTooLong);
    let mut limits = Limits::DEFAULT;
    limits.event_bytes = 3;
    let log = [&header_for(&banks)[..], &good].concat();
    assert_eq!(Log::open_with(&log, limits).unwrap_err().kind(), ErrorKind::RecordTooLong);
    limits.event_bytes = 40;
    assert_eq!(Log::open_with(&log, limits).unwrap().map(Result::unwrap).count(), 1);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

    #[test]
    fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        exercise(&bytes);
        exercise(&[header_for(Algorithm::ALL), bytes].concat());
    }

    /// Bytes that are mostly small numbers, and so often read as records.
    #[test]
    fn small_numbers(bytes in prop::collection::vec(prop_oneof![
        6 => Just(0_u8), 2 => 0..8_u8, 1 => Just(11_u8), 1 => any::<u8>(),
    ], 0..600)) {
        exercise(&bytes);
        exercise(&[header_for(&[Algorithm::Sha256]), bytes].concat());
    }
}
