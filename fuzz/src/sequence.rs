// SPDX-License-Identifier: MIT OR Apache-2.0
//! A sequence of logs: it never trusts what does not lead to the value, and one log is what its own
//! replay says.

use tsm_core::log::{Limits, first_banks};
use tsm_core::{Algorithm, Digest, replay};
use tsm_eventlog::registers::{Platform, RegisterIndex, RtmrIndex};
use tsm_eventlog::sequence::{Authenticated, Begin, Record, Sequence};
use tsm_eventlog::tcg;

use crate::input::Input;

/// Input: where the first of two logs ends (two bytes), whether it is a firmware log (one), then a
/// record log and what stands before it.
pub fn sequence(data: &[u8]) {
    let mut input = Input::new(data);
    let length = input.short();
    let with_firmware = input.byte() & 1 == 1;
    let (first, second) = (input.bytes(length), input.rest());
    let Some(banks) = first_banks(second, Limits::DEFAULT) else { return };
    let banks: Vec<Algorithm> = banks.iter().collect();
    let register: RegisterIndex = RtmrIndex::new(2).expect("RTMR2").into();
    let firmware = tcg::Log::open(first).ok().filter(|_| with_firmware);

    // Once to see what all of it leads to; then that is the expected value.
    let run = |expected: &[Digest]| {
        let mut sequence = <Sequence>::new(register, &banks, Begin::Initial).expect("banks");
        sequence.expect(expected).expect("the same banks");
        let done = match &firmware {
            Some(log) => sequence.tcg(log.clone(), Platform::Tdx),
            None => sequence.records(first, Limits::DEFAULT),
        };
        let done = done.and_then(|()| sequence.records(second, Limits::DEFAULT));
        (done, sequence.finish())
    };
    let (_, blind) = run(&[]);
    assert_eq!((blind.holds(), blind.trusted().count()), (None, 0));
    let values: Vec<Digest> =
        banks.iter().filter_map(|&bank| blind.untrusted_value(bank)).collect();
    let (done, found) = run(&values);
    let sound = found.steps().all(|s| s.unexplained_gaps() == 0 && s.contradictions() == 0);
    assert_eq!(found.holds(), Some(done.is_ok() && sound));
    assert_eq!(found.authenticated() == Authenticated::All, done.is_ok());

    // The trusted records lead to the value, from the first one's capture if the chain begins there.
    let trusted: Vec<_> = found.trusted().collect();
    let noted = found.steps().any(|step| step.explained_gaps() > 0 || step.ends_with_notes());
    if noted {
        return; // the notes are not among the records
    }
    let mut leads: Vec<Digest> = banks.iter().map(|&bank| Digest::zeros(bank)).collect();
    if let Some(Record::Record { bytes, is_sync: true, .. }) = trusted.first() {
        let captures = bytes[5..].split(|&b| b == b' ').map(|word| Digest::parse(word).unwrap());
        for capture in captures {
            let same = leads.iter_mut().find(|value| value.algorithm() == capture.algorithm());
            *same.expect("a bank") = capture;
        }
    }
    for record in &trusted {
        for value in &mut leads {
            let bank = value.algorithm();
            let digest = match record {
                Record::Tcg(event) => event.digest(bank).expect("it was needed"),
                Record::Record { bytes, .. } => bank.hash(bytes),
                other => panic!("{other:?}"),
            };
            value.extend(&digest).expect("of the bank");
        }
    }
    assert!(trusted.is_empty() || leads == values, "{trusted:?}");

    // Alone, and from its own start, the record log is what the replay of record logs says.
    let start: Vec<Digest> = banks.iter().map(|&bank| Digest::zeros(bank)).collect();
    let Ok(mut alone) = replay::Replay::new(&start) else { return };
    let fed = alone.feed(second, Limits::DEFAULT, &mut ());
    let values: Vec<Digest> = banks.iter().filter_map(|&bank| alone.value(bank)).collect();
    let verified = replay::verify(second, &start, &values, Limits::DEFAULT, &mut ());
    let verified = verified.expect("banks");
    let mut sequence = <Sequence>::new(register, &banks, Begin::At(&start)).expect("banks");
    sequence.expect(&values).expect("banks");
    if sequence.records(second, Limits::DEFAULT).is_ok() || fed.is_err() {
        let found = sequence.finish();
        assert_eq!(found.holds(), verified.holds());
        assert_eq!(found.accounts_for_all(), verified.accounts_for_all());
    } else {
        assert_eq!(verified.outcome().begins, replay::Begins::Midway);
    }
}
