// SPDX-License-Identifier: MIT OR Apache-2.0
//! The log of Confidential Containers' attestation agent.

mod common;

use common::cel::file;
use tsm_core::{Algorithm, Digest};
use tsm_eventlog::aael::{Event, Log, Tagged, write_init};
use tsm_eventlog::cel::{Match, Register, Replay};
use tsm_eventlog::tcg;
use tsm_eventlog::{ErrorKind, Format, Limits, detect};

const SHA384: Algorithm = Algorithm::Sha384;
const RTMR3: Register = Register::CcMr(4);

fn value(log: Log<'_>) -> Digest {
    let algorithm = log.init().algorithm();
    let mut replay = Replay::<1>::new(&[algorithm]).unwrap();
    replay.start(RTMR3, log.init()).unwrap();
    assert_eq!(replay.run(log).error(), None);
    replay.register(RTMR3).unwrap().value(algorithm).unwrap()
}

/// The first log is that of a TD whose quote is beside it. The other's sum stands in trustee's tests
/// only; INDEX.md names a third log, which is not there.
#[test]
fn text_logs_and_their_quote() {
    let mut logs = 0;
    for number in 1..=2 {
        let Some(bytes) = file(&format!("trustee-history/aael/AAEL_data_{number}")) else { return };
        assert_eq!(detect(&bytes), Some(Format::Aael));
        let log = Log::open(&bytes, RTMR3).unwrap();
        let lines: Vec<_> = log.clone().map(Result::unwrap).collect();
        assert_eq!(lines[0].event(), None);
        assert!(lines[1..].iter().all(|line| line.event().is_some()));
        assert_eq!(lines.last().unwrap().end().offset, bytes.len() as u64);
        // By the rule alone, without the library.
        let text = str::from_utf8(&bytes).unwrap();
        let mut expected = log.init();
        for line in text.lines() {
            expected.extend(&expected.algorithm().hash(line.as_bytes())).unwrap();
        }
        assert_eq!(value(log), expected);
        logs += 1;
    }
    let bytes = file("trustee-history/aael/AAEL_data_1").unwrap();
    let quote = file("trustee-history/aael/AAEL_quote_tdx").unwrap();
    // A quote's body begins at byte 48 (version 4), RTMR3 at byte 472 of it.
    let rtmr3 = Digest::from_bytes(SHA384, &quote[48 + 472..][..48]).unwrap();
    let mut replay = Replay::<1>::new(&[SHA384]).unwrap();
    replay.expect(RTMR3, rtmr3).unwrap();
    let log = Log::open(&bytes, RTMR3).unwrap();
    assert_eq!(log.init(), Digest::zeros(SHA384));
    let finished = replay.run(log);
    let trusted: Vec<_> = finished.records().filter_map(|line| line.record().event()).collect();
    assert_eq!(trusted.len(), 1);
    assert_eq!((trusted[0].domain(), trusted[0].operation()), ("image-rs", "CreateContainer"));
    assert_eq!(replay.result(RTMR3, SHA384), Match::Complete);
    eprintln!("{logs} logs, 1 quote");
}

/// Two events stand in a TCG2 log; what their digests must be is what is recorded.
#[test]
fn tagged_events() {
    let Some(bytes) = file("trustee/eventlog/test_data/CCEL_AAEL_alibabacloud") else { return };
    let events = tcg::Log::open(&bytes).unwrap().map(Result::unwrap);
    let mut tagged = 0;
    for event in events.filter(|event| event.event_type() == tcg::EventType::EVENT_TAG) {
        let Some(read) = Tagged::read(event.data()) else {
            assert_ne!(event.index(), 4);
            continue;
        };
        let read = read.unwrap();
        assert_eq!(event.digest(SHA384), Some(read.hash(SHA384)));
        assert_eq!(read.hashed(), event.data());
        let mut buffer = [0; 4096];
        let again =
            Event::new(read.event().domain(), read.event().operation(), read.event().content());
        assert_eq!(again.unwrap().write_tagged(&mut buffer), Ok(event.data()));
        tagged += 1;
    }
    eprintln!("{tagged} tagged events");
    assert_eq!(tagged, 2);
}

#[test]
fn tagged_data_is_checked() {
    let mut buffer = [0; 100];
    let event = Event::new("a.example", "start", "image web:1").unwrap();
    let data = event.write_tagged(&mut buffer).unwrap().to_vec();
    assert_eq!(data[..4], *b"LEAA");
    let read = Tagged::read(&data).unwrap().unwrap();
    assert_eq!(read.event(), event);
    assert_eq!(read.event().content(), "image web:1");
    assert_eq!(Tagged::read(&data[1..]), None);
    assert_eq!(Tagged::read(b""), None);
    let kind = |data: &[u8]| Tagged::read(data).unwrap().unwrap_err().kind();
    for cut in 4..data.len() {
        assert_eq!(kind(&data[..cut]), ErrorKind::Truncated, "{cut}");
    }
    let mut longer = data.clone();
    longer.push(b'x');
    assert_eq!(kind(&longer), ErrorKind::Encoding);
    let mut huge = data.clone();
    huge[4..8].fill(0xFF);
    assert_eq!(kind(&huge), ErrorKind::Truncated);
    let mut bad = data.clone();
    bad[8] = 0xFF;
    assert_eq!(kind(&bad), ErrorKind::Encoding);
    assert_eq!(kind(b"LEAA\x07\0\0\0one two"), ErrorKind::Member);
}

#[test]
fn writers_refuse_what_would_be_read_otherwise() {
    for (domain, operation, content) in [
        ("a b", "c", "d"),
        ("a", "b c", "d"),
        ("", "c", "d"),
        ("a", "", "d"),
        ("a\nb", "c", "d"),
        ("a", "b\n", "d"),
        ("a", "b", "c\nd"),
    ] {
        let error = Event::new(domain, operation, content).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotRepresentable);
    }
    let mut log = Vec::new();
    let mut buffer = [0; 200];
    let start = Digest::zeros(Algorithm::Sha256);
    log.extend_from_slice(write_init(start, &mut buffer).unwrap());
    for content in ["c d", "", "{\"a\": 1}"] {
        let event = Event::new("a", "b", content).unwrap();
        let line = event.write_line(&mut buffer).unwrap();
        log.extend_from_slice(line);
        for room in 0..line.len() {
            let error = event.write_line(&mut vec![0; room]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::NoRoom);
        }
    }
    assert_eq!(detect(&log), Some(Format::Aael));
    let lines = Log::open(&log, RTMR3).unwrap().map(Result::unwrap);
    let contents: Vec<_> = lines.filter_map(|line| Some(line.event()?.content())).collect();
    assert_eq!(contents, ["c d", "", "{\"a\": 1}"]);
    // A log that ends with a line feed, or without, is the same.
    let without = &log[..log.len() - 1];
    assert_eq!(value(Log::open(without, RTMR3).unwrap()), value(Log::open(&log, RTMR3).unwrap()));
    // A start value that the caller did not confirm is not believed.
    let other = String::from_utf8(log).unwrap().replace("/00", "/01");
    let log = Log::open(other.as_bytes(), RTMR3).unwrap();
    let mut replay = Replay::<1>::new(&[Algorithm::Sha256]).unwrap();
    replay.expect(RTMR3, value(log.clone())).unwrap();
    let _ = replay.run(log);
    assert_eq!(replay.result(RTMR3, Algorithm::Sha256), Match::Mismatch);
}

#[test]
fn malformed() {
    let init = format!("INIT {}\n", Digest::zeros(SHA384));
    for bad in ["", "INIT", "INIT sha384/00", "INIT md5/00\n", "init x\n", "a b c\n"] {
        let error = Log::open(bad.as_bytes(), RTMR3).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnknownFormat, "{bad}");
    }
    for (bad, kind) in [
        (&b"\n"[..], ErrorKind::Member),
        (b"one\n", ErrorKind::Member),
        (b"one two\n", ErrorKind::Member),
        (b"a b \xFF\n", ErrorKind::Encoding),
    ] {
        let log = [init.as_bytes(), b"a b c\n", bad].concat();
        let mut log = Log::open(&log, RTMR3).unwrap();
        assert!(log.next().unwrap().is_ok() && log.next().unwrap().is_ok());
        let error = log.next().unwrap().unwrap_err();
        assert_eq!((error.kind(), error.line()), (kind, Some(3)));
        assert!(log.next().is_none());
    }
    let mut limits = Limits::DEFAULT;
    limits.record_bytes = init.len() - 1;
    let long = format!("{init}a b {}\n", "c".repeat(init.len()));
    let mut log = Log::open(long.as_bytes(), RTMR3).unwrap().limits(limits);
    assert!(log.next().unwrap().is_ok());
    assert_eq!(log.next().unwrap().unwrap_err().kind(), ErrorKind::RecordTooLong);
    // Another bank than the log's is not vouched for.
    let log = init + "a b c\n";
    let mut replay = Replay::<1>::new(&[Algorithm::Sha1]).unwrap();
    replay.expect(RTMR3, Digest::zeros(Algorithm::Sha1)).unwrap();
    let finished = replay.run(Log::open(log.as_bytes(), RTMR3).unwrap());
    assert_eq!(finished.records().count(), 0);
    let prefix = Match::Prefix { matched: 0, beyond: 2 };
    assert_eq!(replay.result(RTMR3, Algorithm::Sha1), prefix);
}
