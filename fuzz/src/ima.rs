// SPDX-License-Identifier: MIT OR Apache-2.0
//! Laws that IMA lists of both kinds obey.

use std::collections::BTreeMap;

use tsm_core::{Algorithm, Digest};
use tsm_eventlog::ima::{Bank, BankRule, Check, List, Match, Replay, UntrustedEntry};
use tsm_eventlog::{Error, ErrorKind, Position};

use crate::input::Input;

/// Room for few PCRs, so that lists can exceed it.
const PCRS: usize = 3;

/// What is tried with a list, from the front of the input: 6 bytes.
pub(crate) struct Choices {
    banks: Vec<Bank>,
    cut: usize,
    pick: usize,
    save: usize,
    is_text: bool,
}

impl Choices {
    pub(crate) fn new(input: &mut Input<'_>, is_text: bool) -> Self {
        let rule = input.of(&[
            BankRule::Hashed,
            BankRule::Hashed,
            BankRule::PaddedSha1,
            BankRule::PaddedSha1Legacy,
        ]);
        let banks = input.banks().iter().map(|a| Bank::with_rule(a, rule)).collect();
        let (cut, pick) = (input.short(), usize::from(input.byte()));
        Self { banks, cut, pick, save: usize::from(input.byte()), is_text }
    }
}

/// `open` opens the part of `bytes` that begins at a position.
pub(crate) fn laws<'a>(
    bytes: &'a [u8],
    choices: &Choices,
    open: impl Fn(&'a [u8], Position) -> List<'a>,
) {
    let mut list = open(bytes, Position::START);
    let entries: Vec<_> = list.by_ref().map_while(Result::ok).collect();
    let mut list = open(bytes, Position::START);
    let error = list.find_map(Result::err);
    assert!(list.next().is_none());
    contiguous(&entries, error, list.next_position(), bytes);

    let whole = run(bytes, choices, &open);
    let naive = Naive::of(&entries, &choices.banks);
    naive.agrees(&whole.0, entries.len(), error, whole.1);

    // By hand.
    let mut pushed = Replay::<PCRS>::new(&choices.banks).unwrap();
    let by_hand = entries.iter().find_map(|entry| pushed.push(entry).err());
    assert_eq!(by_hand.or(error), whole.1);
    same(&pushed, &whole.0);

    // A reader that begins in the middle learns the width of template digests anew: it may take a
    // record that the whole list's reader refuses, for that reason only.
    if let Some(error) = error
        && let at = error.position()
        && let Some(Ok(entry)) = open(&bytes[at.offset as usize..], at).next()
    {
        let width = entry.recorded().algorithm();
        assert!(entries[0].recorded().algorithm() != width, "{error}");
        return;
    }
    if whole.1.is_some_and(|error| error.kind() == ErrorKind::DigestWidth) {
        return;
    }

    // Saved at an entry and restored.
    let done = whole.0.position().record as usize;
    let save = choices.save % (done + 1);
    let mut before = Replay::<PCRS>::new(&choices.banks).unwrap();
    for entry in &entries[..save] {
        before.push(entry).unwrap();
    }
    let mut buffer = [0; Replay::<PCRS>::SAVED_MAX];
    let saved = before.save(&mut buffer).unwrap();
    let mut restored = Replay::<PCRS>::restore(saved).unwrap();
    assert!(restored == before);
    // A text reader that begins in the middle passes over a line feed: it may have been missing when
    // the line before was read. So an empty line goes unnoticed there.
    let is_passed =
        |at: Position| choices.is_text && bytes[at.offset as usize..].starts_with(b"\n");
    let at = restored.position();
    let rest = open(&bytes[at.offset as usize..], at);
    let late = restored.run(rest).error();
    if !is_passed(at) {
        assert_eq!(late, whole.1);
        same(&restored, &whole.0);
    }

    // A list that grows while it is read.
    let mut grown = Replay::<PCRS>::new(&choices.banks).unwrap();
    let first = &bytes[..choices.cut % (bytes.len() + 1)];
    let early = grown.run(open(first, Position::START)).error();
    let at = grown.position();
    let late = grown.run(open(&bytes[at.offset as usize..], at)).error();
    if !is_passed(at) {
        assert_eq!(late, whole.1, "after {early:?} at {at:?}");
        same(&grown, &whole.0);
    }

    expected(bytes, choices, &open, &naive, whole.1, &entries);
}

/// A replay of all of the list.
fn run<'a>(
    bytes: &'a [u8],
    choices: &Choices,
    open: &impl Fn(&'a [u8], Position) -> List<'a>,
) -> (Replay<PCRS>, Option<Error>) {
    let mut replay = Replay::<PCRS>::new(&choices.banks).unwrap();
    let error = replay.run(open(bytes, Position::START)).error();
    (replay, error)
}

fn same(one: &Replay<PCRS>, other: &Replay<PCRS>) {
    let (at, other_at) = (one.position(), other.position());
    assert_eq!((at.offset, at.record), (other_at.offset, other_at.record));
    let values = |replay: &Replay<PCRS>| -> Vec<_> {
        let of = |r: &tsm_eventlog::ima::Register| {
            let values: Vec<_> = replay.banks().map(|b| r.value(b.algorithm)).collect();
            (r.pcr(), r.entries(), r.violations(), r.boot_aggregates(), values)
        };
        replay.registers().map(of).collect()
    };
    assert_eq!(values(one), values(other));
}

fn contiguous(entries: &[UntrustedEntry<'_>], error: Option<Error>, end: Position, bytes: &[u8]) {
    let mut at = Position::START;
    for (record, entry) in (0..).zip(entries) {
        let position = entry.position();
        assert_eq!((position.offset, position.record), (at.offset, record));
        at = entry.end();
        assert!(at.offset > position.offset && at.offset <= bytes.len() as u64);
        assert!(entry.pcr() < 64);
        look_at(entry);
    }
    match error {
        Some(error) => assert_eq!((error.offset(), error.record()), (at.offset, at.record)),
        None => assert_eq!(at.offset, bytes.len() as u64),
    }
    assert_eq!((end.offset, end.record), (at.offset, at.record));
}

/// All that an entry can be asked.
fn look_at(entry: &UntrustedEntry<'_>) {
    let _ = format!("{entry:?}");
    let recorded = entry.recorded();
    assert_eq!(entry.is_violation(), recorded.is_zeros());
    let check = match (entry.is_violation(), entry.hash(recorded.algorithm()) == recorded) {
        (true, _) => Check::Violation,
        (false, true) => Check::Verified,
        (false, false) => Check::Mismatch,
    };
    assert_eq!(entry.check(), check);
    let fields: Vec<_> = entry.fields().collect();
    let good = fields.iter().take_while(|field| field.is_ok()).count();
    assert!(good == fields.len() || good + 1 == fields.len());
    match entry.template() {
        Ok(template) if good == fields.len() => assert_eq!(template.fields().len(), good),
        Ok(_) => assert!(good < fields.len()),
        Err(_) => assert_eq!((good, fields.len()), (0, 1)),
    }
    assert_eq!(entry.is_boot_aggregate(), entry.name() == Some(b"boot_aggregate"));
}

/// The values after each entry of each PCR, hashed in the plainest way.
struct Naive {
    values: BTreeMap<u32, Vec<Vec<Digest>>>,
    /// Entries that a replay takes, and why it takes no more.
    taken: usize,
    refused: Option<ErrorKind>,
}

impl Naive {
    fn of(entries: &[UntrustedEntry<'_>], banks: &[Bank]) -> Self {
        let mut naive = Self { values: BTreeMap::new(), taken: 0, refused: None };
        for entry in entries {
            if entry.check() == Check::Mismatch {
                naive.refused = Some(ErrorKind::TemplateDigest);
                break;
            }
            let known = naive.values.len();
            if !naive.values.contains_key(&entry.pcr()) && known == PCRS {
                naive.refused = Some(ErrorKind::TooManyRegisters);
                break;
            }
            naive.taken += 1;
            let zeros = || vec![banks.iter().map(|b| Digest::zeros(b.algorithm)).collect()];
            let history = naive.values.entry(entry.pcr()).or_insert_with(zeros);
            let last: &Vec<Digest> = history.last().unwrap();
            let next = banks.iter().zip(last).map(|(bank, value)| {
                let both = [value.as_bytes(), &extended(entry, *bank)].concat();
                bank.algorithm.hash(&both)
            });
            let next = next.collect();
            history.push(next);
        }
        naive
    }

    fn agrees(
        &self,
        replay: &Replay<PCRS>,
        entries: usize,
        list: Option<Error>,
        found: Option<Error>,
    ) {
        assert_eq!(replay.position().record, self.taken as u64);
        assert_eq!(replay.registers().count(), self.values.len());
        for register in replay.registers() {
            let history = &self.values[&register.pcr()];
            assert_eq!(register.entries() as usize, history.len() - 1);
            for value in history.last().unwrap() {
                assert_eq!(register.value(value.algorithm()), Some(*value));
            }
        }
        match self.refused {
            None => assert_eq!((found, self.taken), (list, entries)),
            Some(kind) => assert_eq!(found.map(|e| e.kind()), Some(kind)),
        }
    }
}

/// What the kernel extends a bank with.
fn extended(entry: &UntrustedEntry<'_>, bank: Bank) -> Vec<u8> {
    let size = bank.algorithm.size();
    let sha1 = || entry.hash(Algorithm::Sha1).as_bytes().to_vec();
    let mut bytes = match (bank.rule, entry.is_violation()) {
        (BankRule::PaddedSha1Legacy, true) => vec![0xFF; 20],
        (_, true) => vec![0xFF; size],
        (BankRule::Hashed, false) => entry.hash(bank.algorithm).as_bytes().to_vec(),
        (_, false) => sha1(),
    };
    bytes.resize(size, 0);
    bytes
}

/// With an expected value, the entries that it covers come out as trusted, and no others.
fn expected<'a>(
    bytes: &'a [u8],
    choices: &Choices,
    open: &impl Fn(&'a [u8], Position) -> List<'a>,
    naive: &Naive,
    error: Option<Error>,
    entries: &[UntrustedEntry<'a>],
) {
    let Some((&pcr, history)) = naive.values.iter().nth(choices.pick % 2) else { return };
    let pick = choices.pick % (history.len() + 1);
    let value = match history.get(pick) {
        Some(values) => values[0],
        None => choices.banks[0].algorithm.hash(b"never"),
    };
    let mut replay = Replay::<PCRS>::new(&choices.banks).unwrap();
    replay.expect(pcr, value).unwrap();
    let finished = replay.run(open(bytes, Position::START));
    // A PCR that is expected takes a place, but it is one that the list uses anyway.
    assert_eq!(finished.error(), error);
    let trusted: Vec<_> = finished.entries().map(|entry| format!("{entry:?}")).collect();

    let matched = history.iter().rposition(|values| values[0] == value);
    let total = history.len() - 1;
    let beyond = |matched: usize| (total - matched + usize::from(error.is_some())) as u64;
    let right = match matched {
        None => Match::Mismatch,
        Some(matched) if beyond(matched) == 0 => Match::Complete,
        Some(matched) => Match::Prefix { matched: matched as u64, beyond: beyond(matched) },
    };
    assert_eq!(replay.result(pcr, value.algorithm()), right);
    let ours = entries[..naive.taken].iter().filter(|entry| entry.pcr() == pcr);
    let ours: Vec<_> = ours.take(matched.unwrap_or(0)).map(|e| format!("{e:?}")).collect();
    assert_eq!(trusted, ours);
}
