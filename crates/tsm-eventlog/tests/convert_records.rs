// SPDX-License-Identifier: MIT OR Apache-2.0
//! Record logs as TCG2 and as canonical event logs, and back.

mod common;

use common::tcg::{event, header_for};
use proptest::prelude::*;
use tsm_core::log::{Limits, Line, Lines, LogErrorKind, first_banks};
use tsm_core::{Algorithm, Digest, replay};
use tsm_eventlog::cel::{self, Encoding};
use tsm_eventlog::convert::{
    Numbering, Output, Reason, RecordLayout, cel_to_records, records_to_cel, records_to_tcg,
    tcg_to_records,
};
use tsm_eventlog::registers::{CcMrIndex, PcrIndex, Platform, RegisterIndex, RtmrIndex};
use tsm_eventlog::tcg::{self, EventType, NewHeader, RECORD, Writer};
use tsm_eventlog::{Error, ErrorKind};

const A: Algorithm = Algorithm::Sha256;
const B: Algorithm = Algorithm::Sha384;
const CCMR: (cel::Register, Numbering) = (cel::Register::CcMr(4), Numbering::Log(0));

fn rtmr3() -> (Platform, RegisterIndex) {
    (Platform::Tdx, RtmrIndex::new(3).unwrap().into())
}

fn zeros(banks: &[Algorithm]) -> Vec<Digest> {
    banks.iter().map(|&bank| Digest::zeros(bank)).collect()
}

fn sync(values: &[Digest]) -> String {
    values.iter().fold("SYNC".to_owned(), |line, value| format!("{line} {value}"))
}

fn extend(values: &mut [Digest], record: &[u8]) {
    for value in values {
        let digest = value.algorithm().hash(record);
        value.extend(&digest).unwrap();
    }
}

/// A log as an appender would leave it: a `SYNC` record, then appends, some of which begin with a
/// `SYNC` record again.
fn record_log(start: &[Digest], appends: &[(bool, Vec<Vec<u8>>)]) -> (Vec<u8>, Vec<Digest>) {
    let mut values = start.to_vec();
    let mut log = Vec::new();
    for (index, (with_sync, records)) in appends.iter().enumerate() {
        if !log.is_empty() {
            log.push(b'\n');
        }
        if *with_sync || index == 0 {
            let line = sync(&values);
            extend(&mut values, line.as_bytes());
            log.extend(line.as_bytes());
            log.extend(b"\n\n");
        }
        for record in records {
            extend(&mut values, record);
            log.extend(record);
            log.push(b'\n');
        }
    }
    (log, values)
}

/// What is hashed, in order.
fn records(log: &[u8]) -> Vec<&[u8]> {
    let lines = Lines::new(log, Limits::DEFAULT).map(Result::unwrap);
    let hashed = lines.filter(|line| matches!(line.line, Line::Sync(_) | Line::Record(_)));
    hashed.map(|line| line.bytes).collect()
}

/// Blank lines stand around `SYNC` records and nowhere else.
fn canonical(log: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut last = None;
    for record in records(log) {
        let is_sync = record.starts_with(b"SYNC ");
        if last.is_some_and(|last| last || is_sync) {
            out.push(b'\n');
        }
        out.extend(record);
        out.push(b'\n');
        last = Some(is_sync);
    }
    out
}

type Written = (Vec<u8>, Result<(), Error>);

fn as_tcg(log: &[u8], start: &[Digest]) -> Written {
    let banks: Vec<Algorithm> = start.iter().map(Digest::algorithm).collect();
    let mut area = vec![0; 1 << 16];
    let mut writer = Writer::new(&mut area, &NewHeader::ccel(&banks)).unwrap();
    let done = records_to_tcg(log, &RecordLayout::new(start), rtmr3(), &mut writer);
    (writer.as_bytes().to_vec(), done)
}

fn from_tcg(log: &[u8], start: &[Digest]) -> Written {
    let mut buffer = vec![0; 1 << 16];
    let mut out = Output::new(&mut buffer);
    let log = tcg::Log::open(log).unwrap();
    let done = tcg_to_records(log, rtmr3(), &RecordLayout::new(start), &mut out);
    (out.as_bytes().to_vec(), done)
}

fn as_cel(log: &[u8], start: &[Digest], encoding: Encoding) -> Written {
    let mut buffer = vec![0; 1 << 17];
    let mut writer = cel::Writer::new(&mut buffer, encoding).unwrap();
    let done = records_to_cel(log, &RecordLayout::new(start), CCMR, &mut writer);
    (writer.as_bytes().to_vec(), done)
}

fn from_cel(log: &[u8], start: &[Digest], encoding: Encoding) -> Written {
    let mut buffer = vec![0; 1 << 16];
    let mut out = Output::new(&mut buffer);
    let log = cel::Log::new(log, encoding);
    let done = cel_to_records(log, CCMR, &RecordLayout::new(start), &mut out);
    (out.as_bytes().to_vec(), done)
}

/// All laws for a log that can be carried.
fn carried(log: &[u8], start: &[Digest], values: &[Digest]) {
    let banks: Vec<Algorithm> = start.iter().map(Digest::algorithm).collect();
    assert_eq!(
        replay::verify(log, start, values, Limits::DEFAULT, &mut ()).unwrap().holds(),
        Some(true)
    );
    let canonical = canonical(log);
    assert_eq!(records(&canonical), records(log));

    let (tcg, done) = as_tcg(log, start);
    assert_eq!(done, Ok(()));
    let parsed = tcg::Log::open(&tcg).unwrap();
    let data = parsed.clone().map(|event| event.unwrap().data());
    assert!(data.eq(records(log)), "the data are the lines");
    let mut replay = tcg::Replay::<5>::new(Platform::Tdx, &banks).unwrap();
    for (&start, &value) in start.iter().zip(values) {
        replay.start(rtmr3().1, start).unwrap();
        replay.expect(rtmr3().1, value).unwrap();
    }
    let finished = replay.run(parsed);
    let covered = finished.events().map(|event| event.covered_data().unwrap());
    assert!(covered.eq(records(log)), "and are trusted as such");
    assert_eq!(replay.holds(), Some(true));
    assert_eq!(from_tcg(&tcg, start), (canonical.clone(), Ok(())));

    for encoding in Encoding::ALL {
        let (cel, done) = as_cel(log, start, encoding);
        assert_eq!(done, Ok(()));
        let mut replay = cel::Replay::<1>::new(&banks).unwrap();
        for (&start, &value) in start.iter().zip(values) {
            replay.start(CCMR.0, start).unwrap();
            replay.expect(CCMR.0, value).unwrap();
        }
        let finished = replay.run(cel::Log::new(&cel, encoding));
        let verified = finished.records().map(|trusted| {
            let record = *trusted.record().record();
            assert!(banks.iter().all(|&bank| record.check(bank) == cel::Check::Verified));
            record
        });
        assert_eq!(verified.count(), records(log).len());
        for &bank in &banks {
            assert_eq!(replay.result(CCMR.0, bank), cel::Match::Complete);
        }
        assert_eq!(from_cel(&cel, start, encoding), (canonical.clone(), Ok(())));
    }
}

/// A log that cannot: at this line, for this reason, by all targets alike.
fn refused(log: &[u8], start: &[Digest], kind: ErrorKind, line: u64) {
    let (tcg, done) = as_tcg(log, start);
    let error = done.unwrap_err();
    assert_eq!((error.kind(), error.line()), (kind, Some(line)), "{}", log.escape_ascii());
    let before = log.split_inclusive(|&byte| byte == b'\n').take(line as usize - 1);
    let before = before.flatten().copied().collect::<Vec<_>>();
    assert_eq!(error.offset(), before.len() as u64);
    let kept = tcg::Log::open(&tcg).unwrap().map(|event| event.unwrap().data());
    assert!(kept.clone().eq(records(&before)), "what was written is what stands before");
    assert_eq!(error.record(), kept.count() as u64);
    for encoding in Encoding::ALL {
        let (cel, done) = as_cel(log, start, encoding);
        assert_eq!(done, Err(error));
        let kept = cel::Log::new(&cel, encoding).map(Result::unwrap).count();
        assert_eq!(kept as u64, error.record());
    }
}

fn not_carried(reason: Reason) -> ErrorKind {
    ErrorKind::NotCarried(reason)
}

#[test]
fn reasons() {
    let start = zeros(&[A]);
    let (good, values) = record_log(&start, &[(true, vec![b"one".to_vec()])]);
    let text = String::from_utf8(good.clone()).unwrap();
    carried(&good, &start, &values);
    carried(b"", &start, &start);
    let digits = "0".repeat(64);
    for (more, kind) in [
        ("# note\n", not_carried(Reason::Informative)),
        (&format!("# .EXTEND {digits}\n"), not_carried(Reason::OffLog)),
        (&format!("SYNC sha256/{digits}\n"), not_carried(Reason::Gap)),
        (" x\n", ErrorKind::RecordLog(LogErrorKind::NotCanonical)),
        ("torn", ErrorKind::RecordLog(LogErrorKind::Torn)),
        ("SYNC\n", ErrorKind::RecordLog(LogErrorKind::Captures)),
    ] {
        refused(format!("{text}{more}").as_bytes(), &start, kind, 4);
        if more.ends_with('\n') {
            refused(format!("{text}\n\n{more}more\n").as_bytes(), &start, kind, 6);
        }
    }
    refused(b"\none\n", &start, not_carried(Reason::NoSync), 2);
    refused(&good, &[values[0]], not_carried(Reason::Midway), 1);
    let with_both = zeros(&[A, B]);
    let kind = ErrorKind::RecordLog(LogErrorKind::MissingBank);
    refused(&good, &with_both, kind, 1);
}

/// The examples of the specification: each is carried, or refused for what it shows.
#[test]
fn examples_of_the_specification() {
    let page =
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/spec/record-log.md");
    let page = std::fs::read_to_string(page).unwrap();
    let mut found = Vec::new();
    for block in page.split("```record-log ").skip(1) {
        let (name, rest) = block.split_once('\n').unwrap();
        let (log, _) = rest.split_once("```").unwrap();
        let banks = first_banks(log.as_bytes(), Limits::DEFAULT).unwrap();
        let start: Vec<Digest> = banks.iter().map(Digest::zeros).collect();
        let (_, done) = as_tcg(log.as_bytes(), &start);
        if done.is_ok() {
            let mut replay = replay::Replay::new(&start).unwrap();
            replay.feed(log.as_bytes(), Limits::DEFAULT, &mut ()).unwrap();
            let values: Vec<_> = banks.iter().map(|bank| replay.value(bank).unwrap()).collect();
            carried(log.as_bytes(), &start, &values);
        }
        let has = |word: &str| log.lines().any(|line| line.starts_with(word));
        assert_eq!(done.is_err(), has("#"), "{name}: notes and informative lines stop it");
        found.push((name, done.map_err(|error| error.kind())));
    }
    let expected = |name: &str| found.iter().find(|other| other.0 == name).unwrap().1;
    assert_eq!(expected("shown"), Ok(()));
    assert_eq!(expected("virtual"), Ok(()));
    assert_eq!(expected("hidden"), Err(not_carried(Reason::OffLog)));
    assert!(found.len() >= 5, "{found:?}");
}

/// The way back takes nothing but what the way there gives.
#[test]
fn other_events() {
    let start = zeros(&[A]);
    let line = sync(&start);
    let first = || event(4, RECORD.0, &[A.hash(line.as_bytes())], line.as_bytes());
    let back = |second: Vec<u8>, kind| {
        let log = [header_for(&[A]), first(), second].concat();
        let position = tcg::Log::open(&log).unwrap().nth(1).unwrap().unwrap().position();
        let (kept, done) = from_tcg(&log, &start);
        assert_eq!(done, Err(done.unwrap_err()));
        let error = done.unwrap_err();
        assert_eq!((error.kind(), error.position()), (kind, position));
        assert_eq!(kept, format!("{line}\n").into_bytes(), "what stands before is kept");
    };
    let of = |data: &[u8]| event(4, RECORD.0, &[A.hash(data)], data);
    let action = EventType::ACTION.0;
    back(event(4, action, &[A.hash(b"x")], b"x"), not_carried(Reason::Type));
    back(event(4, 3, &[A.hash(b"x")], b"x"), not_carried(Reason::Type));
    back(event(3, RECORD.0, &[A.hash(b"x")], b"x"), not_carried(Reason::Register));
    back(event(4, RECORD.0, &[A.hash(b"y")], b"x"), not_carried(Reason::Digest));
    back(event(4, RECORD.0, &[], b"x"), ErrorKind::MissingDigest);
    back(of(b"x\ny"), not_carried(Reason::Line));
    back(of(b"x\ry"), not_carried(Reason::Line));
    back(of(b""), not_carried(Reason::Line));
    back(of(b"# x"), not_carried(Reason::Informative));
    back(of(format!("# .EXTEND {}", "0".repeat(64)).as_bytes()), not_carried(Reason::OffLog));
    back(of(line.as_bytes()), not_carried(Reason::Gap));
    back(of(b" x"), ErrorKind::RecordLog(LogErrorKind::NotCanonical));
    back(of(&[b'x'; 4097]), ErrorKind::RecordLog(LogErrorKind::TooLong));

    let log = [header_for(&[A]), of(b"x")].concat();
    let error = from_tcg(&log, &start).1.unwrap_err();
    assert_eq!((error.kind(), error.record()), (not_carried(Reason::NoSync), 1));
    let two = [A.hash(line.as_bytes()), B.hash(line.as_bytes())];
    let log = [header_for(&[A, B]), event(4, RECORD.0, &two, line.as_bytes())].concat();
    assert_eq!(from_tcg(&log, &start).1.unwrap_err().kind(), not_carried(Reason::Banks));
    let log = [header_for(&[A]), first(), vec![0xFF; 8], vec![1]].concat();
    assert_eq!(from_tcg(&log, &start).1.unwrap_err().kind(), ErrorKind::Trailing);
}

/// What is wrong with the call, before anything is written.
#[test]
fn calls() {
    let start = zeros(&[A]);
    let (log, _) = record_log(&start, &[(true, vec![b"one".to_vec()])]);
    let mut area = [0; 4096];
    let mut writer = Writer::new(&mut area, &NewHeader::tpm(&[A])).unwrap();
    let empty = writer.position();
    let mut call = |start: &[Digest], platform, register: RegisterIndex| {
        let layout = RecordLayout::new(start);
        records_to_tcg(&log, &layout, (platform, register), &mut writer).map_err(|e| e.kind())
    };
    let pcr: RegisterIndex = PcrIndex::new(12).unwrap().into();
    let static_mr: RegisterIndex = CcMrIndex::new(0).unwrap().into();
    assert_eq!(call(&[], Platform::Tpm, pcr), Err(ErrorKind::Banks));
    assert_eq!(call(&[start[0], start[0]], Platform::Tpm, pcr), Err(ErrorKind::Banks));
    assert_eq!(call(&zeros(&[A, B]), Platform::Tpm, pcr), Err(not_carried(Reason::Banks)));
    assert_eq!(call(&zeros(&[B]), Platform::Tpm, pcr), Err(not_carried(Reason::Banks)));
    assert_eq!(call(&start, Platform::Tdx, pcr), Err(ErrorKind::NoSuchRegister));
    assert_eq!(call(&start, Platform::Cc, static_mr), Err(ErrorKind::NoSuchRegister));
    assert_eq!(call(&start, Platform::Tpm, pcr), Ok(()));
    assert_ne!(writer.position(), empty);
}

/// A target that is full has whole records, and the error is at the line that did not fit.
#[test]
fn full_targets() {
    let start = zeros(&[A]);
    let lines = vec![b"one".to_vec(), b"two".to_vec()];
    let (log, _) = record_log(&start, &[(true, lines.clone()), (true, lines)]);
    let (whole, _) = as_tcg(&log, &start);
    for encoding in Encoding::ALL {
        let (cel, _) = as_cel(&log, &start, encoding);
        for size in 2..cel.len() {
            let mut buffer = vec![0; size];
            let mut writer = cel::Writer::new(&mut buffer, encoding).unwrap();
            let error =
                records_to_cel(&log, &RecordLayout::new(&start), CCMR, &mut writer).unwrap_err();
            let kept = cel::Log::new(writer.as_bytes(), encoding).map(Result::unwrap).count();
            assert_eq!((error.kind(), error.record()), (ErrorKind::NoRoom, kept as u64));
        }
        for size in 0..canonical(&log).len() {
            let mut buffer = vec![0; size];
            let mut out = Output::new(&mut buffer);
            let from = cel::Log::new(&cel, encoding);
            let error = cel_to_records(from, CCMR, &RecordLayout::new(&start), &mut out);
            let error = error.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::NoRoom);
            assert_eq!(records(out.as_bytes()).len() as u64, error.record());
        }
    }
    for size in 100..whole.len() {
        let mut area = vec![0; size];
        let Ok(mut writer) = Writer::new(&mut area, &NewHeader::ccel(&[A])) else { continue };
        let error = records_to_tcg(&log, &RecordLayout::new(&start), rtmr3(), &mut writer);
        let error = error.unwrap_err();
        let kept = tcg::Log::open(writer.as_bytes()).unwrap().map(Result::unwrap).count();
        assert_eq!((error.kind(), error.record()), (ErrorKind::NoRoom, kept as u64));
    }
}

/// Another program's replay of the events, and what it says of a record.
#[test]
fn tpm2_eventlog_replays_it() {
    let start = zeros(&[Algorithm::Sha1, A]);
    let lines = vec![b"mr_ima extend nothing".to_vec(), b"com.example/agent start".to_vec()];
    let (log, values) = record_log(&start, &[(true, lines)]);
    let mut area = [0; 4096];
    let mut writer = Writer::new(&mut area, &NewHeader::tpm(&[Algorithm::Sha1, A])).unwrap();
    let pcr = PcrIndex::new(12).unwrap().into();
    let layout = RecordLayout::new(&start);
    records_to_tcg(&log, &layout, (Platform::Tpm, pcr), &mut writer).unwrap();
    let path = std::env::temp_dir().join(format!("tsm-records-{}", std::process::id()));
    std::fs::write(&path, writer.as_bytes()).unwrap();
    let output = std::process::Command::new("tpm2_eventlog").arg(&path).output();
    std::fs::remove_file(&path).unwrap();
    let Ok(output) = output else {
        tsm_test_support::skipped("no tpm2_eventlog (tpm2-tools)");
        return;
    };
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}");
    for value in values {
        let hex = tsm_core::hex::Hex(value.as_bytes()).to_string();
        assert!(text.contains(&format!("12 : 0x{hex}")), "{text}");
    }
    assert!(text.contains("\"com.example/agent start\""), "{text}");
}

fn record() -> impl Strategy<Value = Vec<u8>> {
    let bytes = prop_oneof![
        proptest::collection::vec(any::<u8>(), 1..40),
        "[a-z]{1,6} [a-z]{1,6} .{0,12}".prop_map(String::into_bytes),
    ];
    bytes.prop_filter("a record", |record| {
        !record.contains(&b'\n')
            && !record.contains(&b'\r')
            && matches!(Line::classify(record), Ok(Line::Record(_)))
    })
}

fn appends() -> impl Strategy<Value = Vec<(bool, Vec<Vec<u8>>)>> {
    let append = (any::<bool>(), proptest::collection::vec(record(), 1..4));
    proptest::collection::vec(append, 1..5)
}

fn starts() -> impl Strategy<Value = Vec<Digest>> {
    let banks = proptest::sample::subsequence(Algorithm::ALL, 1..=4).prop_shuffle();
    let value = |bank: &Algorithm, seed: u8| match seed {
        0..128 => Digest::zeros(*bank),
        _ => bank.hash(&[seed]),
    };
    (banks, any::<u8>())
        .prop_map(move |(banks, seed)| banks.iter().map(|bank| value(bank, seed)).collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_log_without_gaps_is_carried(start in starts(), appends in appends()) {
        let (log, values) = record_log(&start, &appends);
        carried(&log, &start, &values);
    }

    /// A line more, of those that cannot be carried, anywhere.
    #[test]
    fn one_line_stops_it(
        start in starts(),
        appends in appends(),
        place in any::<proptest::sample::Index>(),
        which in 0..2,
    ) {
        let (log, _) = record_log(&start, &appends);
        let lines: Vec<&[u8]> = log.split_inclusive(|&byte| byte == b'\n').collect();
        let place = place.index(lines.len() + 1);
        let note = start.iter().fold("# .EXTEND".to_owned(), |line, d| format!("{line} {d}"));
        let (more, reason) = match which {
            0 => ("# informative".to_owned(), Reason::Informative),
            _ => (note, Reason::OffLog),
        };
        let more = format!("{more}\n").into_bytes();
        let log = [&lines[..place].concat()[..], &more, &lines[place..].concat()].concat();
        refused(&log, &start, not_carried(reason), place as u64 + 1);
    }

    /// Cut anywhere, the log is torn, or a shorter one.
    #[test]
    fn cuts(start in starts(), appends in appends(), cut in any::<proptest::sample::Index>()) {
        let (log, _) = record_log(&start, &appends);
        let cut = &log[..cut.index(log.len())];
        let line = cut.iter().filter(|&&byte| byte == b'\n').count() as u64 + 1;
        if cut.is_empty() || cut.ends_with(b"\n") {
            prop_assert_eq!(as_tcg(cut, &start).1, Ok(()));
        } else {
            refused(cut, &start, ErrorKind::RecordLog(LogErrorKind::Torn), line);
        }
    }

    /// A byte changed in what was converted is never converted back into another log.
    #[test]
    fn altered_targets(
        start in starts(),
        appends in appends(),
        place in any::<proptest::sample::Index>(),
        bit in 0_u32..8,
    ) {
        let (log, _) = record_log(&start, &appends);
        let (mut tcg, _) = as_tcg(&log, &start);
        // Behind the header, which says nothing about records.
        let header = tcg::Log::open(&tcg).unwrap().next_position().offset as usize;
        let place = header + place.index(tcg.len() - header);
        tcg[place] ^= 1_u8 << bit;
        let (back, done) = from_tcg(&tcg, &start);
        prop_assert!(done.is_err());
        prop_assert!(canonical(&log).starts_with(&back));
    }
}
