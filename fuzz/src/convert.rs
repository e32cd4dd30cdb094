// SPDX-License-Identifier: MIT OR Apache-2.0
//! Conversions: there and back is the same, replays agree, and what is written is always a log.

use tsm_core::log::{Line, Lines, first_banks};
use tsm_core::{Algorithm, Banks, Digest, replay};
use tsm_eventlog::cel::{Encoding, Log as CelLog, Record, Register, Replay as CelReplay, Writer};
use tsm_eventlog::convert::{
    Numbering, Output, Reason, RecordLayout, TcgHeader, aael_to_cel, aael_to_tcg, cel_to_aael,
    cel_to_ima, cel_to_records, cel_to_systemd, cel_to_tcg, ima_to_cel, records_to_cel,
    records_to_tcg, systemd_to_cel, tcg_to_aael, tcg_to_cel, tcg_to_records,
};
use tsm_eventlog::ima::{self, Bank, BankRule, Binary, Layout, List};
use tsm_eventlog::registers::{Platform, RegisterIndex, RtmrIndex};
use tsm_eventlog::tcg::{self, NewHeader};
use tsm_eventlog::{Error, ErrorKind, aael, systemd};

use crate::input::Input;

/// Room for a converted input.
const ROOM: usize = 1 << 17;

/// Input: which source, encoding and numbering (one byte each), then the source's log.
pub fn convert(data: &[u8]) {
    let mut input = Input::new(data);
    let which = input.byte();
    let encoding = input.of(&Encoding::ALL);
    let numbering = input.of(&[Numbering::Log(0), Numbering::Log(1), Numbering::Register]);
    let choice = (encoding, numbering);
    let log = input.rest();
    if log.len() > 8192 {
        return; // four times as many bytes, at most, in JSON
    }
    match which % 6 {
        0 => tcg(log, choice),
        1 => cel(CelLog::new(log, encoding), numbering),
        2 => records(log, choice),
        3 => ima(log, choice),
        4 => aael(log, choice),
        _ => systemd(log, choice),
    }
}

type Choice = (Encoding, Numbering);
type Written = (Vec<u8>, Result<(), Error>);

fn to_cel(encoding: Encoding, write: impl Fn(&mut Writer<'_>) -> Result<(), Error>) -> Written {
    let mut buffer = vec![0; ROOM];
    let mut writer = Writer::new(&mut buffer, encoding).expect("room");
    let done = write(&mut writer);
    (writer.as_bytes().to_vec(), done)
}

fn output(write: impl Fn(&mut Output<'_>) -> Result<(), Error>) -> Written {
    let mut buffer = vec![0; ROOM];
    let mut out = Output::new(&mut buffer);
    let done = write(&mut out);
    (out.finish().to_vec(), done)
}

fn rtmr3() -> RegisterIndex {
    RtmrIndex::new(3).expect("RTMR3").into()
}

/// All records of a log that was written here: it is whole, whatever stopped the writing.
fn count(log: &[u8], encoding: Encoding) -> u64 {
    let records = CelLog::new(log, encoding);
    assert!(records.clone().all(|record| record.is_ok()));
    records.count() as u64
}

/// A firmware log.
fn tcg(bytes: &[u8], (encoding, numbering): Choice) {
    let Ok(log) = tcg::Log::open(bytes) else { return };
    let platform = if bytes.first() == Some(&1) { Platform::Tdx } else { Platform::Tpm };
    let (cel, done) = to_cel(encoding, |to| tcg_to_cel(log.clone(), platform, numbering, to));
    let written = count(&cel, encoding);
    if let Err(error) = done {
        assert!(error.kind() == ErrorKind::Trailing || error.record() == written, "{error}");
        return;
    }
    let mut end = log.clone();
    assert!(end.by_ref().all(|event| event.is_ok()), "an error would have been one");
    let used = &bytes[..bytes.len() - end.rest().len()];
    let header = if log.header().is_some() { TcgHeader::OfSource } else { TcgHeader::Sha1 };
    let source = CelLog::new(&cel, encoding);
    let back = output(|to| cel_to_tcg(source.clone(), platform, numbering, &header, to));
    if used.is_empty() {
        return; // no format at all
    }
    assert_eq!(back, (used.to_vec(), Ok(())));

    let banks: Vec<Algorithm> = log.algorithms().known().collect();
    let Ok(mut first) = tcg::Replay::<24>::new(platform, &banks) else { return };
    let mut second = CelReplay::<32>::new(&banks).expect("banks");
    assert_eq!(first.run(log).error(), None);
    if second.run(source).error().is_some() {
        return; // more registers than a platform has
    }
    for register in first.registers() {
        let number = platform.number(register.index()).expect("of the platform");
        let name = match platform {
            Platform::Tpm => Register::Pcr(number),
            _ => Register::CcMr(number),
        };
        for &bank in &banks {
            let value = second.register(name).expect("the same").value(bank);
            assert_eq!(value, register.value(bank), "{}", register.index());
        }
    }
}

/// A canonical event log, to everything.
fn cel(log: CelLog<'_>, numbering: Numbering) {
    let records = log.clone().map_while(Result::ok).map(|record| *record.record());
    let records: Vec<Record<'_>> = records.collect();
    let sound = |error: Error| assert!(error.record() <= records.len() as u64, "{error}");
    let banks = [Algorithm::Sha1, Algorithm::Sha256];
    for platform in Platform::ALL {
        for header in [
            TcgHeader::OfSource,
            TcgHeader::New(NewHeader::tpm(&banks)),
            TcgHeader::Without(tcg::AlgorithmList::SHA1),
            TcgHeader::Sha1,
        ] {
            let (bytes, done) =
                output(|to| cel_to_tcg(log.clone(), platform, numbering, &header, to));
            let open = || match header {
                TcgHeader::Without(list) => Some(tcg::Log::without_header(&bytes, list)),
                TcgHeader::Sha1 => Some(tcg::Log::sha1(&bytes)),
                _ if bytes.is_empty() => None,
                _ => Some(tcg::Log::open(&bytes).expect("written here")),
            };
            assert!(open().is_none_or(|mut log| log.all(|event| event.is_ok())));
            let events = open().map_or(0, Iterator::count);
            let own = usize::from(matches!(header, TcgHeader::OfSource) && !bytes.is_empty());
            if let Err(error) = done {
                sound(error);
                assert!(
                    error.kind() == ErrorKind::NotCarried(Reason::Header)
                        || (events + own) as u64 == error.record(),
                    "{error}"
                );
                continue;
            }
            assert_eq!(events + own, records.len());
            let Some(events) = open() else { continue };
            let skip = usize::from(matches!(header, TcgHeader::New(_)));
            if skip > 0 && numbering == Numbering::Register {
                continue; // the header is counted, too
            }
            let back = match numbering {
                Numbering::Log(first) if skip > 0 => Numbering::Log(first.wrapping_sub(1)),
                other => other,
            };
            let (again, done) =
                to_cel(Encoding::Json, |to| tcg_to_cel(events.clone(), platform, back, to));
            assert_eq!(done, Ok(()));
            same(&records, &again, skip);
        }
    }
    for rule in [BankRule::Hashed, BankRule::PaddedSha1, BankRule::PaddedSha1Legacy] {
        let banks = [Bank::hashed(Algorithm::Sha1), Bank::with_rule(Algorithm::Sha256, rule)];
        let layout = Layout::DEFAULT;
        let (list, done) = output(|to| cel_to_ima(log.clone(), &banks, numbering, layout, to));
        let entries = Binary::new(&list, layout).map(|entry| entry.expect("written here"));
        assert!(entries.clone().all(|entry| entry.check() != ima::Check::Mismatch));
        let entries = entries.count();
        if let Err(error) = done {
            sound(error);
            assert_eq!(error.record(), entries as u64);
            continue;
        }
        let (again, done) = to_cel(Encoding::Json, |to| {
            ima_to_cel(Binary::new(&list, layout), &banks, numbering, &mut [], to)
        });
        assert_eq!(done, Ok(()));
        same(&records, &again, 0);
    }
    let (text, done) = output(|to| cel_to_systemd(log.clone(), numbering, to));
    let measurements = systemd::Log::new(&text);
    assert!(measurements.clone().all(|measurement| measurement.is_ok()));
    if done.is_ok() {
        let (again, done) =
            to_cel(Encoding::Json, |to| systemd_to_cel(measurements.clone(), numbering, to));
        assert_eq!(done, Ok(()));
        same(&records, &again, 0);
    }
    let register = (Register::CcMr(4), numbering);
    let (text, done) = output(|to| cel_to_aael(log.clone(), register, Algorithm::Sha384, to));
    if done.is_ok() && !text.is_empty() {
        let (again, done) = to_cel(Encoding::Json, |to| {
            aael_to_cel(aael::Log::open(&text, register.0).expect("written here"), numbering, to)
        });
        assert_eq!(done, Ok(()));
        same(&records, &again, 0);
    }
    let start = [Digest::zeros(Algorithm::Sha256)];
    let layout = RecordLayout::new(&start);
    let (text, done) = output(|to| cel_to_records(log.clone(), register, &layout, to));
    carried(&text, &start);
    if done.is_ok() {
        let (again, done) =
            to_cel(Encoding::Json, |to| records_to_cel(&text, &layout, register, to));
        assert_eq!(done, Ok(()));
        same(&records, &again, 0);
    }
}

/// The same records, with their banks in whatever order, behind `skip` others.
fn same(records: &[Record<'_>], again: &[u8], skip: usize) {
    let again = CelLog::new(again, Encoding::Json).skip(skip);
    let mut count = 0;
    for (record, other) in records.iter().zip(again) {
        let other = other.expect("written here");
        let other = other.record();
        let parts = |r: &Record<'_>| (r.recnum, r.register, r.digests.iter().count());
        assert_eq!(parts(record), parts(other));
        assert_eq!(record.content, other.content);
        for &algorithm in Algorithm::ALL {
            assert_eq!(record.digests.digest(algorithm), other.digests.digest(algorithm));
        }
        count += 1;
    }
    assert_eq!(count, records.len());
}

/// The lines that are hashed.
fn hashed(log: &[u8]) -> Vec<&[u8]> {
    let lines = Lines::new(log, tsm_core::log::Limits::DEFAULT).map_while(Result::ok);
    lines
        .filter(|line| matches!(line.line, Line::Sync(_) | Line::Record(_)))
        .map(|l| l.bytes)
        .collect()
}

/// A log that was written here, whole or in part, has no gap.
fn carried(log: &[u8], start: &[Digest]) {
    let mut replay = replay::Replay::new(start).expect("banks");
    replay.feed(log, tsm_core::log::Limits::DEFAULT, &mut ()).expect("written here");
    let outcome = replay.outcome();
    assert_eq!((outcome.begins, outcome.unexplained_gaps), (replay::Begins::AtStart, 0));
    assert_eq!((outcome.contradictions, outcome.explained_gaps), (0, 0));
    assert_eq!(outcome.trailing, replay::Trailing::None);
}

/// A record log, from zeros.
fn records(log: &[u8], (encoding, numbering): Choice) {
    let limits = tsm_core::log::Limits::DEFAULT;
    let banks = first_banks(log, limits).unwrap_or(Banks::one(Algorithm::Sha256));
    let start: Vec<Digest> = banks.iter().map(Digest::zeros).collect();
    let layout = RecordLayout::new(&start);
    let register = (Register::CcMr(4), numbering);
    let (cel, done) = to_cel(encoding, |to| records_to_cel(log, &layout, register, to));
    let written = count(&cel, encoding);
    let at = (Platform::Tdx, rtmr3());
    let algorithms: Vec<Algorithm> = banks.iter().collect();
    let mut area = vec![0; ROOM];
    let mut writer = tcg::Writer::new(&mut area, &NewHeader::ccel(&algorithms)).expect("room");
    assert_eq!(records_to_tcg(log, &layout, at, &mut writer), done, "they refuse the same");
    let events = tcg::Log::open(writer.as_bytes()).expect("written here");
    let data: Vec<&[u8]> = events.clone().map(|event| event.expect("written").data()).collect();
    assert_eq!(data.len() as u64, written);
    assert!(hashed(log).starts_with(&data));

    // What can be carried is what a replay finds nothing wrong with.
    let mut replay = replay::Replay::new(&start).expect("banks");
    let fed = replay.feed(log, limits, &mut ());
    let outcome = replay.outcome();
    let lines = Lines::new(log, limits).map_while(Result::ok);
    let odd = lines.clone().any(|line| matches!(line.line, Line::Comment(_) | Line::Note(_)));
    let is_synced = hashed(log).first().is_none_or(|first| first.starts_with(b"SYNC "));
    let is_plain = fed.is_ok()
        && outcome.begins == replay::Begins::AtStart
        && outcome.contradictions == 0
        && !odd
        && is_synced;
    assert_eq!(done.is_ok(), is_plain, "{done:?}");
    if let Err(error) = done {
        assert_eq!(error.record(), written);
        let line = log.split(|&b| b == b'\n').take(error.line().expect("text") as usize - 1);
        let before: usize = line.map(|line| line.len() + 1).sum();
        assert_eq!(error.offset(), before as u64);
        return;
    }
    assert_eq!(data, hashed(log));
    let back = output(|to| tcg_to_records(events.clone(), at, &layout, to));
    assert_eq!(back.1, Ok(()));
    assert_eq!(hashed(&back.0), hashed(log));
    carried(&back.0, &start);
    let source = CelLog::new(&cel, encoding);
    assert_eq!(output(|to| cel_to_records(source.clone(), register, &layout, to)), back);
    let mut found = CelReplay::<1>::new(&algorithms).expect("banks");
    assert_eq!(found.run(source).error(), None);
    for bank in banks.iter() {
        let value = found
            .register(register.0)
            .map_or(Digest::zeros(bank), |state| state.value(bank).expect("a bank"));
        assert_eq!(Some(value), replay.value(bank));
    }
}

/// An IMA list of any layout.
fn ima(bytes: &[u8], (encoding, numbering): Choice) {
    let Ok(list) = List::open(bytes) else { return };
    let banks =
        [Bank::hashed(Algorithm::Sha256), Bank::with_rule(Algorithm::Sha384, BankRule::PaddedSha1)];
    let (cel, done) =
        to_cel(encoding, |to| ima_to_cel(list.clone(), &banks, numbering, &mut [0; 1 << 16], to));
    let written = count(&cel, encoding);
    if let Err(error) = done {
        assert_eq!(error.record(), written);
        return;
    }
    let layout = match &list {
        List::Binary(list) => list.layout(),
        List::Ascii(_) => Layout::DEFAULT,
    };
    let source = CelLog::new(&cel, encoding);
    let (back, done) = output(|to| cel_to_ima(source.clone(), &banks, numbering, layout, to));
    if let List::Binary(_) = list {
        assert_eq!((back, done), (bytes.to_vec(), Ok(())));
    }
    let mut first = ima::Replay::<16>::new(&banks).expect("banks");
    let mut second = CelReplay::<16>::new(&[Algorithm::Sha256, Algorithm::Sha384]).expect("banks");
    let second_run = second.run(source).error();
    if first.run(list).error().is_none() && second_run.is_none() {
        for register in first.registers().filter(|r| !(17..=22).contains(&r.pcr())) {
            let found = second.register(Register::Pcr(register.pcr())).expect("the same");
            for bank in [Algorithm::Sha256, Algorithm::Sha384] {
                assert_eq!(found.value(bank), register.value(bank));
            }
        }
    }
}

/// A text log of an agent.
fn aael(bytes: &[u8], (encoding, numbering): Choice) {
    let register = Register::CcMr(4);
    let Ok(log) = aael::Log::open(bytes, register) else { return };
    let bank = log.init().algorithm();
    let (cel, done) = to_cel(encoding, |to| aael_to_cel(log.clone(), numbering, to));
    let mut area = vec![0; ROOM];
    let mut writer = tcg::Writer::new(&mut area, &NewHeader::ccel(&[bank])).expect("room");
    let at = (Platform::Tdx, rtmr3());
    assert_eq!(aael_to_tcg(log.clone(), at, &mut writer), done);
    let events = tcg::Log::open(writer.as_bytes()).expect("written here");
    assert_eq!(count(&cel, encoding), events.clone().count() as u64);
    if let Err(error) = done {
        assert_eq!(error.record(), count(&cel, encoding));
        return;
    }
    let canonical = [bytes.strip_suffix(b"\n").unwrap_or(bytes), b"\n"].concat();
    let back = (canonical, Ok(()));
    assert_eq!(output(|to| tcg_to_aael(events.clone(), at, bank, to)), back);
    let source = CelLog::new(&cel, encoding);
    assert_eq!(output(|to| cel_to_aael(source.clone(), (register, numbering), bank, to)), back);
}

/// systemd's log.
fn systemd(bytes: &[u8], (encoding, numbering): Choice) {
    let log = systemd::Log::new(bytes);
    let (cel, done) = to_cel(encoding, |to| systemd_to_cel(log.clone(), numbering, to));
    let written = count(&cel, encoding);
    if let Err(error) = done {
        assert_eq!(error.record(), written);
        return;
    }
    assert!(encoding == Encoding::Json || written == 0);
    let source = CelLog::new(&cel, encoding);
    let (back, done) = output(|to| cel_to_systemd(source.clone(), numbering, to));
    assert_eq!(done, Ok(()));
    let again = systemd::Log::new(&back).map(|record| record.expect("written here"));
    let records = log.map(|record| record.expect("it was converted"));
    assert!(records.map(|record| record.to_record(0)).eq(again.map(|record| record.to_record(0))));
}
