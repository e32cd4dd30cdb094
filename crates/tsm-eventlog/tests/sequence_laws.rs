// SPDX-License-Identifier: MIT OR Apache-2.0
//! What must hold for any logs of one register.

mod common;

use common::build::{ng, ng_record};
use common::tcg::{event, header_for};
use proptest::prelude::*;
use tsm_core::log::{Limits, LogErrorKind};
use tsm_core::{Algorithm, Banks, Digest, Register, hex::Hex};
use tsm_eventlog::cel;
use tsm_eventlog::ima::{self, Binary, Layout};
use tsm_eventlog::registers::{PcrIndex, Platform, RegisterIndex, RtmrIndex};
use tsm_eventlog::sequence::{
    Authenticated, Begin, Front, Others, Outcome, Record, Sequence, SourceKind, Withheld,
};
use tsm_eventlog::tcg::Log;
use tsm_eventlog::{Error, ErrorKind, aael};

const A: Algorithm = Algorithm::Sha256;
const B: Algorithm = Algorithm::Sha384;

fn rtmr2() -> RegisterIndex {
    RtmrIndex::new(2).unwrap().into()
}

fn zeros(banks: &[Algorithm]) -> Vec<Digest> {
    banks.iter().map(|&bank| Digest::zeros(bank)).collect()
}

fn extend(values: &mut [Digest], data: &[u8]) {
    for value in values {
        let digest = value.algorithm().hash(data);
        value.extend(&digest).unwrap();
    }
}

/// A log of one kind, and what is needed to hand it over.
#[derive(Clone, Debug)]
enum Part {
    /// Events of CC measurement registers, 3 among them.
    Firmware(Vec<u8>),
    /// Records of PCR 2, and of another.
    Ima(Vec<u8>),
    Records(Vec<u8>),
}

impl Part {
    fn give<'a>(&'a self, to: &mut Sequence<'a>, banks: &[Algorithm]) -> Result<(), Error> {
        let rules: Vec<_> = banks.iter().map(|&bank| ima::Bank::hashed(bank)).collect();
        match self {
            Self::Firmware(log) => to.tcg(Log::open(log).unwrap(), Platform::Tdx),
            Self::Ima(list) => to.ima(Binary::new(list, Layout::DEFAULT), 2, &rules),
            Self::Records(log) => to.records(log, Limits::DEFAULT),
        }
    }
}

/// What a part is to be made of: which kind, and words.
type Plan = (u8, Vec<(bool, String)>);

/// Makes a part that goes on from `values`, and gives how many extensions it has.
fn part((kind, words): &Plan, values: &mut [Digest]) -> (Part, usize) {
    let banks: Vec<Algorithm> = values.iter().map(Digest::algorithm).collect();
    match kind % 3 {
        0 => {
            let mut log = header_for(&banks);
            for (here, word) in words {
                let digests: Vec<_> = banks.iter().map(|b| b.hash(word.as_bytes())).collect();
                log.extend(event(if *here { 3 } else { 2 }, 13, &digests, word.as_bytes()));
                if *here {
                    extend(values, word.as_bytes());
                }
            }
            (Part::Firmware(log), words.iter().filter(|word| word.0).count())
        }
        1 => {
            let mut list = Vec::new();
            for (here, word) in words {
                list.extend(ng_record(if *here { 2 } else { 10 }, word));
                if *here {
                    extend(values, &ng(word, word.as_bytes()));
                }
            }
            (Part::Ima(list), words.iter().filter(|word| word.0).count())
        }
        _ => {
            let mut log = String::new();
            let (mut count, mut last) = (0, true);
            for (here, word) in words {
                // A `SYNC` record at the front, and before some.
                if log.is_empty() || (!*here && !last) {
                    let sync = values
                        .iter()
                        .fold("SYNC".to_owned(), |line, value| format!("{line} {value}"));
                    extend(values, sync.as_bytes());
                    log += &format!("{}{sync}\n\n", if log.is_empty() { "" } else { "\n" });
                    count += 1;
                }
                extend(values, word.as_bytes());
                log += &format!("{word}\n");
                count += 1;
                last = *here;
            }
            (Part::Records(log.into_bytes()), count)
        }
    }
}

fn parts(plans: &[Plan], values: &mut [Digest]) -> (Vec<Part>, Vec<usize>) {
    plans.iter().map(|plan| part(plan, values)).unzip()
}

fn sequence<'a>(banks: &[Algorithm], values: &[Digest]) -> Sequence<'a> {
    let mut sequence = Sequence::new(rtmr2(), banks, Begin::Initial).unwrap();
    sequence.expect(values).unwrap();
    sequence
}

fn outcome<'a>(parts: &'a [Part], banks: &[Algorithm], values: &[Digest]) -> Outcome<'a, 8> {
    let mut sequence = sequence(banks, values);
    for part in parts {
        if part.give(&mut sequence, banks).is_err() {
            break;
        }
    }
    sequence.finish()
}

/// What the trusted records are made of.
fn said(outcome: &Outcome<'_, 8>) -> Vec<Vec<u8>> {
    let said = |record| match record {
        Record::Tcg(event) => event.data().to_vec(),
        Record::Ima(entry) => entry.template_data().unwrap().to_vec(),
        Record::Record { bytes, .. } => bytes.to_vec(),
        _ => panic!("{record:?}"),
    };
    outcome.trusted().map(said).collect()
}

fn plans() -> impl Strategy<Value = Vec<Plan>> {
    let words = proptest::collection::vec((any::<bool>(), "[a-z]{1,8}"), 0..6);
    proptest::collection::vec((any::<u8>(), words), 1..6)
}

fn banks() -> impl Strategy<Value = Vec<Algorithm>> {
    proptest::sample::subsequence(Algorithm::ALL, 1..=4).prop_shuffle()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// In their order, the logs explain the register, and all of it is trusted.
    #[test]
    fn logs_in_order_hold(plans in plans(), banks in banks()) {
        let mut values = zeros(&banks);
        let (parts, counts) = parts(&plans, &mut values);
        let found = outcome(&parts, &banks, &values);
        prop_assert_eq!(found.holds(), Some(true));
        prop_assert_eq!(found.authenticated(), Authenticated::All);
        let extensions: Vec<_> = found.steps().map(|step| step.extensions() as usize).collect();
        prop_assert_eq!(&extensions, &counts);
        prop_assert_eq!(found.trusted().count(), counts.iter().sum::<usize>());
        prop_assert!(found.values().eq(values.iter().copied()));
        let only_records = found.steps().all(|step| {
            step.kind() == SourceKind::Records || step.extensions() == 0
        });
        prop_assert_eq!(found.accounts_for_all(), Some(only_records));
        for step in found.steps() {
            let is_captured = step.kind() == SourceKind::Records && step.extensions() > 0;
            prop_assert_eq!(step.front() == Front::Captured, is_captured);
        }
        // Without an expected value nothing is said and nothing is trusted.
        let blind = outcome(&parts, &banks, &[]);
        prop_assert_eq!((blind.holds(), blind.accounts_for_all()), (None, None));
        prop_assert_eq!((blind.trusted().count(), blind.values().count()), (0, 0));
    }

    /// Swapped, dropped, repeated, or with one more: never.
    #[test]
    fn other_orders_never_hold(
        plans in plans(),
        banks in banks(),
        (what, one, other) in (0..4, any::<proptest::sample::Index>(), any::<proptest::sample::Index>()),
    ) {
        let mut values = zeros(&banks);
        let (mut parts, mut counts) = parts(&plans, &mut values);
        let one = one.index(parts.len());
        let other = other.index(parts.len());
        prop_assume!(counts[one] > 0);
        match what {
            0 => {
                prop_assume!(counts[other] > 0 && format!("{:?}", parts[one]) != format!("{:?}", parts[other]));
                parts.swap(one, other);
                counts.swap(one, other);
            }
            1 => drop(parts.remove(one)),
            2 => parts.insert(one, parts[one].clone()),
            _ => parts.insert(one, part(&(0, vec![(true, "more".into())]), &mut values.clone()).0),
        }
        let found = outcome(&parts, &banks, &values);
        prop_assert_eq!(found.holds(), Some(false));
        prop_assert_eq!(found.accounts_for_all(), Some(false));
        prop_assert_eq!(found.values().count(), 0);
        // What is trusted nevertheless leads to the value by itself.
        let mut again = zeros(&banks);
        said(&found).iter().for_each(|data| extend(&mut again, data));
        prop_assert!(found.trusted().count() == 0 || again == values);
    }

    /// The value of any place in the sequence authenticates what stands before it.
    #[test]
    fn prefixes(plans in plans(), banks in banks(), place in any::<proptest::sample::Index>()) {
        let mut values = zeros(&banks);
        let (parts, counts) = parts(&plans, &mut values);
        let all = said(&outcome(&parts, &banks, &values));
        let place = place.index(all.len() + 1);
        let mut early = zeros(&banks);
        all[..place].iter().for_each(|data| extend(&mut early, data));
        let found = outcome(&parts, &banks, &early);
        prop_assert_eq!(said(&found), &all[..place]);
        prop_assert_eq!(found.holds(), Some(place == all.len()));
        let Authenticated::Prefix { step, records, beyond } = found.authenticated() else {
            prop_assert_eq!(found.authenticated(), Authenticated::All);
            return Ok(());
        };
        prop_assert_eq!(beyond as usize, all.len() - place);
        prop_assert!(counts[..step].iter().sum::<usize>() <= place);
        prop_assert!(counts[..=step].iter().sum::<usize>() >= place);
        prop_assert!(records as usize >= place - counts[..step].iter().sum::<usize>());
    }

    /// A record log cut between two records is two logs that say the same.
    #[test]
    fn record_logs_in_parts(plans in plans(), banks in banks(), cut in any::<proptest::sample::Index>()) {
        let mut values = zeros(&banks);
        let (mut parts, _) = parts(&plans, &mut values);
        let whole = outcome(&parts, &banks, &values);
        let (whole, held) = (said(&whole), whole.holds());
        let is_log = |part: &Part| matches!(part, Part::Records(log) if !log.is_empty());
        let Some(index) = parts.iter().position(is_log) else { return Ok(()) };
        let Part::Records(log) = parts[index].clone() else { unreachable!() };
        let ends: Vec<_> = (0..log.len()).filter(|&at| log[at] == b'\n').collect();
        let cut = ends[cut.index(ends.len())] + 1;
        parts[index] = Part::Records(log[..cut].to_vec());
        parts.insert(index + 1, Part::Records(log[cut..].to_vec()));
        let found = outcome(&parts, &banks, &values);
        prop_assert_eq!((said(&found), found.holds()), (whole, held));
    }

    /// Cut anywhere, a log ends the sequence there; what stands before it may be trusted, if the value
    /// is that of a place before.
    #[test]
    fn cuts(plans in plans(), banks in banks(), (which, cut) in any::<(proptest::sample::Index, proptest::sample::Index)>()) {
        let mut values = zeros(&banks);
        let (mut parts, _) = parts(&plans, &mut values);
        let all = said(&outcome(&parts, &banks, &values));
        let index = which.index(parts.len());
        let (Part::Firmware(log) | Part::Ima(log) | Part::Records(log)) = &mut parts[index];
        let header = if log.starts_with(&[0; 4]) { header_for(&banks).len() } else { 0 };
        prop_assume!(log.len() > header);
        log.truncate(header + cut.index(log.len() - header));
        let mut sequence = sequence(&banks, &values);
        let mut done = Ok(());
        for part in &parts {
            if done.is_ok() {
                done = part.give(&mut sequence, &banks);
            } else {
                let error = part.give(&mut sequence, &banks).unwrap_err();
                prop_assert_eq!(error.kind(), ErrorKind::Ended);
            }
        }
        let found = sequence.finish();
        if done.is_err() {
            prop_assert_eq!(found.holds(), Some(false));
            prop_assert_ne!(found.authenticated(), Authenticated::All);
        }
        let mut again = zeros(&banks);
        let trusted = said(&found);
        trusted.iter().for_each(|data| extend(&mut again, data));
        prop_assert!(trusted.is_empty() || again == values);
        prop_assert!(trusted.len() <= all.len());
    }
}

fn sync(values: &[Digest]) -> String {
    values.iter().fold("SYNC".to_owned(), |line, value| format!("{line} {value}"))
}

/// Firmware, then a record log that begins elsewhere: nothing of it counts.
#[test]
fn a_capture_that_differs() {
    let mut values = zeros(&[A]);
    let firmware = part(&(0, vec![(true, "kernel".into())]), &mut values).0;
    let right = values.clone();
    let other = [A.hash(b"other")];
    let mut end = other;
    extend(&mut end, sync(&other).as_bytes());
    extend(&mut end, b"record");
    let log = format!("\n{}\n\nrecord\n", sync(&other));
    for expected in [end.to_vec(), right] {
        let mut sequence = sequence(&[A], &expected);
        firmware.give(&mut sequence, &[A]).unwrap();
        let error = sequence.records(log.as_bytes(), Limits::DEFAULT).unwrap_err();
        assert_eq!(
            (error.kind(), error.line(), error.offset()),
            (ErrorKind::NotCaptured, Some(2), 1)
        );
        let found = sequence.finish();
        assert_eq!(found.holds(), Some(false));
        assert_eq!(found.steps().count(), 1);
        let prefix = Authenticated::Prefix { step: 0, records: 1, beyond: 0 };
        let is_right = expected != end;
        let (how_much, count) = if is_right { (prefix, 1) } else { (Authenticated::Nothing, 0) };
        assert_eq!((found.authenticated(), found.trusted().count()), (how_much, count));
    }
}

#[test]
fn a_log_that_begins_midway() {
    let before = [A.hash(b"what was before")];
    let mut end = before;
    extend(&mut end, sync(&before).as_bytes());
    extend(&mut end, b"record");
    let log = format!("{}\n\nrecord\n", sync(&before));
    let run = |begin: Begin<'_>, log: &'static str| {
        let mut sequence = <Sequence>::new(rtmr2(), &[A], begin).unwrap();
        sequence.expect(&end).unwrap();
        let done = sequence.records(log.as_bytes(), Limits::DEFAULT).map_err(|e| e.kind());
        (done, sequence.finish())
    };
    let log: &'static str = log.leak();
    let (done, found) = run(Begin::Initial, log);
    assert_eq!((done, found.holds()), (Err(ErrorKind::NotCaptured), Some(false)));
    for (begin, front) in [(Begin::Midway, Front::Midway), (Begin::At(&before), Front::Captured)] {
        let (done, found) = run(begin, log);
        assert_eq!((done, found.holds(), found.trusted().count()), (Ok(()), Some(true), 2));
        assert_eq!(found.steps().next().unwrap().front(), front);
        assert_eq!(found.accounts_for_all(), Some(front == Front::Captured));
    }
    // Somebody must say where it begins.
    for nothing in ["", "record\n", "# note\n"] {
        assert_eq!(run(Begin::Midway, nothing).0, Err(ErrorKind::NotCaptured));
    }
    let mut sequence = <Sequence>::new(rtmr2(), &[A], Begin::Midway).unwrap();
    sequence.expect(&zeros(&[A])).unwrap();
    let header = header_for(&[A]);
    let error = sequence.tcg(Log::open(&header).unwrap(), Platform::Tdx).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotCaptured);
    assert_eq!(sequence.finish().authenticated(), Authenticated::Nothing);
}

/// Gaps of a record log are what they are in its own replay.
#[test]
fn gaps() {
    let digest = A.hash(b"off-log");
    let mut values = zeros(&[A]);
    let firmware = part(&(0, vec![(true, "kernel".into())]), &mut values).0;
    let mut log = format!("{}\n\none\n\n# .EXTEND {}\n", sync(&values), Hex(digest.as_bytes()));
    let first = sync(&values);
    extend(&mut values, first.as_bytes());
    extend(&mut values, b"one");
    let unnoted = values.clone();
    values[0].extend(&digest).unwrap();
    let run = |log: &str, values: &[Digest]| {
        let part = [firmware.clone(), Part::Records(log.as_bytes().to_vec())];
        let found = outcome(&part, &[A], values);
        let step = found.steps().nth(1).unwrap();
        let gaps = (step.explained_gaps(), step.unexplained_gaps(), step.ends_with_notes());
        (found.holds(), found.accounts_for_all(), found.trusted().count(), gaps)
    };
    assert_eq!(run(&log, &values), (Some(true), Some(false), 3, (0, 0, true)));
    let found = run(&log, &unnoted);
    assert_eq!(found, (Some(false), Some(false), 3, (0, 0, true)), "a prefix");
    let noted = values.clone();
    log += &format!("\n{}\n\ntwo\n", sync(&values));
    extend(&mut values, sync(&noted).as_bytes());
    extend(&mut values, b"two");
    assert_eq!(run(&log, &values), (Some(true), Some(false), 5, (1, 0, false)));
    // Without the note: the chain begins anew with the second `SYNC`, in the second log.
    let log: String = log
        .lines()
        .filter(|line| !line.starts_with('#'))
        .fold(String::new(), |log, line| log + line + "\n");
    let kept = (Some(false), Some(false), 2, (0, 0, false));
    assert_eq!(run(&log, &values), kept, "a contradiction");
}

/// The virtual register that a record log carries is what the IMA list must replay to.
#[test]
fn virtual_register_and_its_list() {
    let mut values = zeros(&[B]);
    let firmware = part(&(0, vec![(true, "kernel".into())]), &mut values).0;
    let names = ["boot_aggregate", "/init", "/bin/sh"];
    let mut log = format!("{}\n\n", sync(&values));
    let first = sync(&values);
    extend(&mut values, first.as_bytes());
    let mut pcr10 = zeros(&[A]);
    let mut list = Vec::new();
    for name in names {
        let digest = A.hash(&ng(name, name.as_bytes()));
        let record = format!("mr_ima extend {digest}");
        pcr10[0].extend(&digest).unwrap();
        extend(&mut values, record.as_bytes());
        log += &format!("{record}\n");
        list.extend(ng_record(10, name));
    }
    let table = [Register::runtime("mr_ima", Banks::one(A))];
    let logs = [firmware, Part::Records(log.clone().into_bytes())];
    let found = outcome(&logs, &[B], &values);
    assert_eq!(found.holds(), Some(true));
    let withheld = found.virtual_registers::<1>(&table, Others::Refused).unwrap_err();
    assert_eq!(withheld, Withheld::NotAccounted);
    let fold = found.virtual_registers::<1>(&table, Others::Appraised).unwrap();
    assert_eq!(fold.value(0, A), Some(pcr10[0]));
    let mut replay = <ima::Replay>::new(&[ima::Bank::hashed(A)]).unwrap();
    replay.expect(10, fold.value(0, A).unwrap()).unwrap();
    let finished = replay.run(Binary::new(&list, Layout::DEFAULT));
    assert_eq!((finished.error(), finished.entries().count()), (None, 3));
    assert_eq!(replay.result(10, A), ima::Match::Complete);

    // With the register's other logs known by their value, the record log accounts for all.
    let mut start = zeros(&[B]);
    extend(&mut start, b"kernel");
    let mut sequence = <Sequence>::new(rtmr2(), &[B], Begin::At(&start)).unwrap();
    sequence.expect(&values).unwrap();
    sequence.records(log.as_bytes(), Limits::DEFAULT).unwrap();
    let alone = sequence.finish();
    assert_eq!(alone.accounts_for_all(), Some(true));
    let fold = alone.virtual_registers::<1>(&table, Others::Refused).unwrap();
    assert_eq!(fold.value(0, A), Some(pcr10[0]));

    // A malformed record under its name is an error.
    let mut spoiled = values.clone();
    extend(&mut spoiled, b"mr_ima extend nothing");
    let log = Part::Records(format!("{log}mr_ima extend nothing\n").into_bytes());
    let logs = [logs[0].clone(), log];
    let found = outcome(&logs, &[B], &spoiled);
    assert_eq!(found.holds(), Some(true));
    let withheld = found.virtual_registers::<1>(&table, Others::Appraised).unwrap_err();
    assert!(matches!(withheld, Withheld::Malformed(malformed) if malformed.at.line == 6));
    assert!(found.virtual_registers::<0>(&table, Others::Appraised).is_err(), "no room");
}

/// Who supplies the logs can show records as events of the firmware: the values are the same, so
/// only a caller who has appraised those may conclude anything from what the record log lacks.
#[test]
fn a_hidden_record() {
    let mut values = zeros(&[B]);
    let hidden = format!("mr_ima extend {}", A.hash(b"evil"));
    let lines = [sync(&values), hidden];
    let mut log = header_for(&[B]);
    for line in &lines {
        log.extend(event(3, 13, &[B.hash(line.as_bytes())], b"\\EFI\\innocent.efi"));
        extend(&mut values, line.as_bytes());
    }
    extend(&mut values, b"one more");
    let logs = [Part::Firmware(log), Part::Records(b"one more\n".to_vec())];
    let found = outcome(&logs, &[B], &values);
    assert_eq!(found.holds(), Some(true), "they do lead to the value");
    assert_eq!(found.accounts_for_all(), Some(false));
    let table = [Register::runtime("mr_ima", Banks::one(A))];
    let withheld = found.virtual_registers::<1>(&table, Others::Refused).unwrap_err();
    assert_eq!(withheld, Withheld::NotAccounted);
}

/// What the documentation says of the state.
#[test]
fn size() {
    let step = size_of::<Sequence<'_, 9>>() - size_of::<Sequence<'_, 8>>();
    assert!((300..700).contains(&step), "{step}");
}

#[test]
fn calls() {
    let new = |banks: &[Algorithm], begin: Begin<'_>| {
        <Sequence>::new(rtmr2(), banks, begin).map(drop).map_err(|error| error.kind())
    };
    assert_eq!(new(&[], Begin::Initial), Err(ErrorKind::Banks));
    assert_eq!(new(&[A, A], Begin::Initial), Err(ErrorKind::Banks));
    assert_eq!(new(&[A, B], Begin::At(&zeros(&[A]))), Err(ErrorKind::Banks));
    assert_eq!(new(&[A], Begin::At(&zeros(&[A, B]))), Err(ErrorKind::Banks));
    assert_eq!(new(&[A], Begin::At(&zeros(&[A, A]))), Err(ErrorKind::Banks));
    assert_eq!(new(&[A, B], Begin::At(&zeros(&[B, A]))), Ok(()));
    let mrtd = RegisterIndex::from_name(b"mrtd").unwrap();
    let error = <Sequence>::new(mrtd, &[A], Begin::Initial).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NoSuchRegister);

    let mut sequence = <Sequence<'_, 1>>::new(rtmr2(), &[A, B], Begin::Initial).unwrap();
    let kind = |done: Result<(), Error>| done.unwrap_err().kind();
    assert_eq!(kind(sequence.expect(&[Algorithm::Sha1.hash(b"")])), ErrorKind::NoSuchBank);
    assert_eq!(kind(sequence.expect(&zeros(&[A, A]))), ErrorKind::Banks);
    sequence.expect(&zeros(&[A])).unwrap();
    let rules = [ima::Bank::hashed(A)];
    assert_eq!(
        kind(sequence.ima(Binary::new(b"", Layout::DEFAULT), 2, &rules)),
        ErrorKind::NoSuchBank
    );
    let one = format!("{}\n", sync(&zeros(&[A, B])));
    sequence.records(one.as_bytes(), Limits::DEFAULT).unwrap();
    assert_eq!(kind(sequence.expect(&[])), ErrorKind::AlreadyStarted);
    assert_eq!(kind(sequence.records(b"", Limits::DEFAULT)), ErrorKind::TooManySteps);
    assert_eq!(kind(sequence.records(b"", Limits::DEFAULT)), ErrorKind::Ended);
    assert_eq!(sequence.finish().holds(), Some(false));

    // An event without a digest for a bank, and a malformed line, at their places.
    let two = [header_for(&[A, B]), event(3, 13, &[A.hash(b"x"), B.hash(b"x")], b"x")].concat();
    let less = [two.clone(), event(3, 13, &[A.hash(b"y")], b"y")].concat();
    let mut sequence = <Sequence>::new(rtmr2(), &[A, B], Begin::Initial).unwrap();
    let error = sequence.tcg(Log::open(&less).unwrap(), Platform::Tdx).unwrap_err();
    assert_eq!((error.kind(), error.offset()), (ErrorKind::MissingDigest, two.len() as u64));
    let mut sequence = <Sequence>::new(rtmr2(), &[A, B], Begin::Initial).unwrap();
    let torn = format!("{one}record\ntorn");
    let error = sequence.records(torn.as_bytes(), Limits::DEFAULT).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::RecordLog(LogErrorKind::Torn));
    assert_eq!((error.line(), error.record(), error.offset()), (Some(3), 2, torn.len() as u64 - 4));
}

/// An agent's log says at its front where it begins.
#[test]
fn aael_says_where_it_begins() {
    let register = cel::Register::CcMr(3);
    let text = format!("INIT {}\na b c\n", Digest::zeros(B));
    let log = || aael::Log::open(text.as_bytes(), register).unwrap();
    let mut value = zeros(&[B]);
    text.lines().for_each(|line| extend(&mut value, line.as_bytes()));
    let mut good = sequence(&[B], &value);
    good.aael(log()).unwrap();
    let good = good.finish();
    assert_eq!((good.holds(), good.trusted().count()), (Some(true), 2));
    let mut twice = sequence(&[B], &value);
    twice.aael(log()).unwrap();
    let error = twice.aael(log()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotCaptured);
    assert_eq!(twice.finish().holds(), Some(false));
    let mut elsewhere = sequence(&[B], &value);
    let other = aael::Log::open(text.as_bytes(), cel::Register::CcMr(4)).unwrap();
    assert_eq!(elsewhere.aael(other).unwrap_err().kind(), ErrorKind::NoSuchRegister);
}

/// PCR 0 starts from the locality that its first log tells, unless the caller knows its value.
#[test]
fn localities() {
    let pcr0 = PcrIndex::new(0).unwrap();
    let locality =
        |last: u8| event(0, 3, &[Digest::zeros(A)], &[b"StartupLocality\0", &[last][..]].concat());
    let crtm = event(0, 8, &[A.hash(b"crtm")], b"crtm");
    let hcrtm = event(0, 0x8000_0010, &[A.hash(b"crtm")], b"HCRTM");
    let from = |last: u8| {
        let mut value = Digest::zeros(A);
        *value.as_bytes_mut().last_mut().unwrap() = last;
        value.extend(&A.hash(b"crtm")).unwrap();
        value
    };
    for (events, last) in [
        (vec![locality(3), crtm.clone()], 3),
        (vec![locality(3), locality(4), crtm.clone()], 3),
        (vec![locality(7), locality(4), crtm.clone()], 4),
        (vec![hcrtm.clone()], 4),
        (vec![locality(3), hcrtm], 4),
        (vec![crtm.clone(), locality(3)], 0),
    ] {
        let log = [header_for(&[A]), events.concat()].concat();
        let log = Log::open(&log).unwrap();
        let mut replay = <tsm_eventlog::tcg::Replay>::new(Platform::Tpm, &[A]).unwrap();
        assert_eq!(replay.run(log.clone()).error(), None);
        assert_eq!(replay.register(pcr0).unwrap().value(A), Some(from(last)), "as its own replay");
        let mut sequence = <Sequence>::new(pcr0, &[A], Begin::Initial).unwrap();
        sequence.expect(&[from(last)]).unwrap();
        sequence.tcg(log.clone(), Platform::Tpm).unwrap();
        assert_eq!(sequence.finish().holds(), Some(true));
        let mut sequence = <Sequence>::new(pcr0, &[A], Begin::At(&zeros(&[A]))).unwrap();
        sequence.expect(&[from(0)]).unwrap();
        sequence.tcg(log, Platform::Tpm).unwrap();
        assert_eq!(sequence.finish().holds(), Some(true), "the caller's counts");
    }
}
