// SPDX-License-Identifier: MIT OR Apache-2.0
//! Replay of any bytes: against the model, in pieces, over a saved state, and what is trusted.

use tsm_core::log::{Limits, Line, Splitter};
use tsm_core::replay::{Begins, Finding, Match, Position, Replay, Sink, Trailing, verify};
use tsm_core::{Banks, Digest};

use crate::input::{Input, pieces};
use crate::model::{Model, expand};

/// Input: banks, start value, 2 bytes where to save, 2 for the sizes of pieces, 2 for the expected
/// value, then a log as [`expand`] takes it.
pub fn replay(data: &[u8]) {
    let _ = Replay::restore(data).map(|restored| assert_eq!(restored.save()[..], *data));
    let mut input = Input::new(data);
    let banks = input.banks();
    let kind = input.byte();
    let start: Vec<_> = banks.iter().map(|a| Input::new(&[kind]).digest(a)).collect();
    let save_at = input.short();
    let sizes = [input.byte(), input.byte()];
    let expected = input.short();
    let log = expand(input.rest(), &start);

    let mut model = Model::new(start.clone());
    let mut lines = Vec::new();
    for line in log.split_inclusive(|&b| b == b'\n') {
        let whole = line.strip_suffix(b"\n").filter(|l| !l.contains(&b'\r') && is_short(l));
        match whole.and_then(|whole| model.line(whole)) {
            Some(()) => lines.push(line),
            None => break,
        }
    }
    let good: usize = lines.iter().map(|line| line.len()).sum();

    let mut seen = Seen::default();
    let mut replay = Replay::new(&start).unwrap();
    let fed = replay.feed(&log, Limits::DEFAULT, &mut seen);
    assert_eq!(fed.is_ok(), good == log.len());
    if let Err(error) = fed {
        assert_eq!((error.offset, error.line), (good as u64, lines.len() as u64 + 1));
    }
    agrees(&replay, &model, lines.len(), good);

    // In pieces.
    let mut pieced = Replay::new(&start).unwrap();
    let mut buffer = vec![0; log.len()];
    let mut splitter = Splitter::new(&mut buffer);
    let mut each = |line: &[u8]| pieced.line(line, Limits::DEFAULT, &mut ());
    let pushed = pieces(&log, sizes).try_for_each(|piece| splitter.push(piece, &mut each));
    assert_eq!(pushed.is_ok() && splitter.held() == 0, fed.is_ok());
    assert_eq!(pieced.save(), replay.save());
    assert_eq!(pieced.outcome(), replay.outcome());

    // Saved between two lines.
    let save_at: usize = lines.iter().take(save_at % (lines.len() + 1)).map(|l| l.len()).sum();
    let (first, second) = log.split_at(save_at);
    let mut again = Seen::default();
    let mut before = Replay::new(&start).unwrap();
    before.feed(first, Limits::DEFAULT, &mut again).unwrap();
    let mut after = Replay::restore(&before.save()).unwrap();
    assert_eq!(after.feed(second, Limits::DEFAULT, &mut again), fed);
    assert_eq!(after.outcome(), replay.outcome());
    assert_eq!(after.save(), replay.save());
    assert_eq!(again, seen);

    let history = model.history.len();
    let expected = match expected % (history + 1) {
        n if n < history => model.history[n].1.clone(),
        _ => banks.iter().map(|a| a.hash(b"never")).collect(),
    };
    let count = if sizes[0] & 0x80 == 0 { expected.len() } else { 1 };
    let expected = &expected[..count];
    let verified = verify(&log, &start, expected, Limits::DEFAULT, &mut ()).unwrap();
    assert_eq!(verified.malformed(), fed.err());
    matches(verified.outcome(), &model, expected);
    assert_eq!(verified.holds(), verified.outcome().holds().map(|h| h && fed.is_ok()));
    vouched(&log, &start, expected, verified.outcome().trusted());
    for record in verified.trusted() {
        stands(&log, &lines, record.bytes(), record.position());
    }

    // The saved replay finds the same place, if that lies behind it.
    let mut after = Replay::restore(&before.save()).unwrap();
    after.expect(expected).unwrap();
    assert_eq!(after.feed(second, Limits::DEFAULT, &mut ()), fed);
    if let Some((from, to)) = verified.outcome().trusted()
        && to.offset > save_at as u64
    {
        assert_eq!(after.outcome().trusted(), Some((from, to)));
    }
}

fn is_short(line: &[u8]) -> bool {
    let own = line.starts_with(b"SYNC ") || line.starts_with(b"# .EXTEND ");
    own || line.len() <= Limits::DEFAULT.record
}

fn agrees(replay: &Replay, model: &Model, lines: usize, bytes: usize) {
    let outcome = replay.outcome();
    let banks: Vec<_> = outcome.banks().map(|(value, _)| value).collect();
    assert_eq!(banks, model.values);
    let (line, offset) = (lines as u64, bytes as u64);
    assert_eq!(replay.position(), Position { record: model.records, line, offset });
    assert_eq!(outcome.records, model.records);
    assert_eq!(outcome.begins == Begins::Midway, model.midway);
    assert_eq!(outcome.explained_gaps, model.explained);
    assert_eq!(outcome.unexplained_gaps, model.unexplained);
    assert_eq!(outcome.contradictions, model.contradictions);
    assert_eq!(outcome.trailing != Trailing::None, model.in_gap);
    assert_eq!(replay.in_sync(), model.begins.is_some() && !model.in_gap);
    let begins = model.begins.as_ref().unwrap_or(&model.values);
    for value in begins {
        assert_eq!(replay.started_at(value.algorithm()), Some(*value));
    }
}

/// How the expected values stand to the history.
fn matches(outcome: &tsm_core::replay::Outcome, model: &Model, expected: &[Digest]) {
    let mut complete = true;
    for (index, (value, found)) in outcome.banks().enumerate() {
        let Some(expected) = expected.get(index) else {
            assert_eq!(found, Match::Unchecked);
            continue;
        };
        let last = model.history.iter().rfind(|(_, values)| values[index] == *expected);
        let right = match last {
            _ if value == *expected => Match::Complete,
            Some(&(matched, _)) => Match::Prefix { matched, beyond: model.records - matched },
            None => Match::Mismatch,
        };
        assert_eq!(found, right);
        complete &= right == Match::Complete;
    }
    let clean = !model.midway && model.unexplained == 0 && model.contradictions == 0;
    assert_eq!(outcome.holds(), Some(complete && clean));
    let gapless = model.explained == 0 && !model.in_gap;
    assert_eq!(outcome.accounts_for_all(), Some(complete && clean && gapless));
    let joint = model.history.iter().any(|(_, values)| values.starts_with(expected));
    assert_eq!(outcome.trusted().is_some(), joint);
}

/// What is called trusted must lead to the expected values, from the start or from a capture at its
/// front, with nothing left out. This is the law that matters.
fn vouched(
    log: &[u8],
    start: &[Digest],
    expected: &[Digest],
    trusted: Option<(Position, Position)>,
) {
    let Some((from, to)) = trusted else { return };
    let (from_offset, to_offset) = (from.offset as usize, to.offset as usize);
    let mut values = start.to_vec();
    if from.line > 0 {
        let line = log[from_offset..].split(|&b| b == b'\n').next().unwrap();
        let Ok(Line::Sync(captures)) = Line::classify(line) else { panic!("no SYNC at {from:?}") };
        let captures: Vec<_> = captures.iter().map(Result::unwrap).collect();
        let of = |v: &Digest| *captures.iter().find(|c| c.algorithm() == v.algorithm()).unwrap();
        values = values.iter().map(of).collect();
    }
    let banks = values.iter().fold(Banks::NONE, |b, v| b.and(v.algorithm()).unwrap());
    for line in log[from_offset..to_offset].split(|&b| b == b'\n') {
        match Line::classify(line).unwrap() {
            Line::Blank | Line::Comment(_) => {}
            Line::Note(note) => {
                for digest in note.digests(banks).map(Result::unwrap) {
                    let mut values = values.iter_mut();
                    let value = values.find(|v| v.algorithm() == digest.algorithm()).unwrap();
                    value.extend(&digest).unwrap();
                }
            }
            Line::Sync(_) | Line::Record(_) => {
                for value in &mut values {
                    value.extend(&value.algorithm().hash(line)).unwrap();
                }
            }
        }
    }
    assert!(values.starts_with(expected), "{from:?} {to:?}");
}

/// A record stands where it says.
fn stands(log: &[u8], lines: &[&[u8]], record: &[u8], at: Position) {
    let offset = at.offset as usize;
    assert_eq!(log[offset..offset + record.len()], *record);
    assert_eq!(log[offset + record.len()], b'\n');
    let number = at.line as usize - 1;
    assert_eq!(lines[number].strip_suffix(b"\n"), Some(record));
    assert_eq!(offset, lines[..number].iter().map(|l| l.len()).sum::<usize>());
    let is_record = |line: &&&[u8]| !matches!(line[0], b'\n' | b'#');
    assert_eq!(at.record as usize, lines[..=number].iter().filter(is_record).count());
    assert!(!record.starts_with(b"SYNC "));
}

#[derive(Default, PartialEq, Debug)]
struct Seen {
    records: Vec<(Vec<u8>, Position)>,
    findings: Vec<Finding>,
}

impl Sink for Seen {
    fn untrusted_record(&mut self, record: &[u8], at: Position) {
        self.records.push((record.to_vec(), at));
    }

    fn finding(&mut self, finding: Finding) {
        self.findings.push(finding);
    }
}
