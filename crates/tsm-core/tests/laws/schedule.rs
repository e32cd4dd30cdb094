// SPDX-License-Identifier: MIT OR Apache-2.0
//! Anything can fail at any moment; the log stays true.

use proptest::prelude::*;
use tsm_core::log::{Cause, Line, Lines};
use tsm_core::provider::{Error as _, Recorder};
use tsm_core::replay::Trailing;
use tsm_core::{Logged, Provider};

use crate::history::{Event, any_event};
use crate::machine::{Disk, LIMITS, Machine, complete, records, subject};

/// Lives through one event. Whatever was reported as committed goes to `committed`; returns whether
/// an append succeeded.
fn live(machine: &mut Machine, event: &Event, committed: &mut Vec<Vec<u8>>) -> bool {
    match event {
        Event::Append(lines) => {
            let own = lines.iter().filter(|line| !line.starts_with(b"#"));
            let result = machine.append(&lines.join(&b'\n'));
            let done = result.map_or_else(|e| e.record as usize, |()| lines.len());
            committed.extend(own.take(done).cloned());
            return result.is_ok();
        }
        Event::OffLog(mask, salt) => {
            let _ = machine.extend_off_log(*mask, *salt);
        }
        Event::Behind(mask, salt) => machine.extend_behind(*mask, *salt),
        Event::Arm(call, nth, fault) => machine.device.arm(*call, *nth, *fault),
        Event::DiskFails => machine.log.storage().fail.set(true),
        Event::Restart => {
            let bytes = machine.bytes().to_vec();
            let slice = machine.log.storage().slice;
            machine.reopen(bytes, !slice);
        }
    }
    false
}

/// How many runs of notes a capture ends, and whether there is one that none does.
fn gaps(log: &[u8]) -> (u64, bool) {
    Lines::new(log, LIMITS).fold((0, false), |(closed, open), line| match line.unwrap().line {
        Line::Note(_) => (closed, true),
        Line::Sync(_) => (closed + u64::from(open), false),
        _ => (closed, open),
    })
}

/// Restarting ends a disk's failure, and the plan of faults may run out.
fn all_is_well_again(machine: &mut Machine) {
    machine.device.disarm();
    machine.log.storage().fail.set(false);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(384) })]

    // T-10, T-15
    #[test]
    fn whatever_fails_the_log_stays_true(
        subject in subject(),
        events in prop::collection::vec(any_event(false), 1..24),
    ) {
        let mut machine = Machine::new(subject, true);
        let mut committed = Vec::new();
        for event in &events {
            let appended = live(&mut machine, event, &mut committed);
            machine.check();
            machine.check_spacing();
            if appended {
                prop_assert!(complete(machine.verified().outcome()), "{}", machine.text());
            }
        }
        // Whatever state it is in: the next append that succeeds captures it.
        all_is_well_again(&mut machine);
        machine.append(b"at last").unwrap();
        committed.push(b"at last".to_vec());
        machine.check();
        prop_assert!(complete(machine.verified().outcome()), "{}", machine.text());
        // All that was reported as committed is there, and nothing else.
        prop_assert_eq!(records(machine.bytes()), committed, "{}", machine.text());
    }

    /// As long as no failure leaves the state unknown and nobody goes by the log, it explains the
    /// register at every moment, whatever else fails.
    // T-15, T-36
    #[test]
    fn honest_failures_leave_no_doubt(
        subject in subject(),
        events in prop::collection::vec(any_event(false), 1..24),
    ) {
        let mut machine = Machine::new(subject, true);
        let mut committed = Vec::new();
        let doubtful = |event: &&Event| {
            matches!(
                event,
                Event::Behind(..) | Event::DiskFails | Event::Arm(_, _, tsm_sim::Fault::Unknown { .. })
            )
        };
        for event in events.iter().filter(|event| !doubtful(event)) {
            live(&mut machine, event, &mut committed);
            let verified = machine.verified();
            prop_assert_eq!(verified.holds(), Some(true), "{}", machine.text());
            let outcome = verified.outcome();
            let (gaps, open) = gaps(machine.bytes());
            prop_assert_eq!(outcome.explained_gaps, gaps);
            prop_assert_eq!((outcome.unexplained_gaps, outcome.contradictions), (0, 0));
            let trailing = if open { Trailing::Explained } else { Trailing::None };
            prop_assert_eq!(outcome.trailing, trailing);
            // So every record is trusted.
            let trusted: Vec<_> = verified.trusted().map(|r| r.bytes().to_vec()).collect();
            prop_assert_eq!(&trusted, &committed);
        }
    }

    /// A provider that answers with old values breaks the contract. Then a log may be wrong, but it
    /// never holds and is never malformed, and a capture of the true value mends it.
    // T-19
    #[test]
    fn stale_values_are_found_out(
        subject in subject(),
        events in prop::collection::vec(any_event(true), 1..24),
    ) {
        let mut machine = Machine::new(subject, true);
        let mut committed = Vec::new();
        for event in &events {
            live(&mut machine, event, &mut committed);
            machine.check_told();
        }
        all_is_well_again(&mut machine);
        machine.log.invalidate();
        machine.append(b"at last").unwrap();
        committed.push(b"at last".to_vec());
        prop_assert!(complete(machine.verified().outcome()), "{}", machine.text());
        prop_assert_eq!(records(machine.bytes()), committed, "{}", machine.text());
    }

    /// `Logged` is the same as a log beside its register.
    #[test]
    fn logged_does_what_a_log_does(
        subject in subject(),
        events in prop::collection::vec(any_event(false), 1..24),
    ) {
        let mut machine = Machine::new(subject, true);
        let twin = Machine::new(subject, true);
        let id = twin.id;
        let fail = twin.log.storage().fail.clone();
        // The faults are armed on the device that the provider below borrows from nobody.
        let plan: Vec<_> = events
            .iter()
            .filter_map(|event| match event {
                Event::Arm(call, nth, fault) => Some((*call, *nth, *fault)),
                _ => None,
            })
            .collect();
        let mut device = twin.device;
        for (call, nth, fault) in plan {
            machine.device.arm(call, nth, fault);
            device.arm(call, nth, fault);
        }
        let mut logged: Logged<_, Disk, 2> = Logged::new(device);
        prop_assert!(logged.attach(id, twin.log).is_ok());
        for event in &events {
            let (direct, through) = match event {
                Event::Append(lines) => {
                    let input = lines.join(&b'\n');
                    (machine.append(&input), logged.append(id, &input))
                }
                Event::OffLog(mask, salt) => {
                    let digests = machine.digests(*mask, *salt);
                    (machine.extend_off_log(*mask, *salt), logged.extend(id, &digests))
                }
                Event::DiskFails => {
                    machine.log.storage().fail.set(true);
                    fail.set(true);
                    continue;
                }
                _ => continue,
            };
            prop_assert_eq!(direct, through);
            prop_assert_eq!(direct.is_err_and(|e| matches!(e.cause, Cause::Storage(_))),
                through.is_err_and(|e| e.kind() == tsm_core::ErrorKind::StateUnknown
                    && matches!(e.cause, Cause::Storage(_))));
            let storage = logged.log(id).unwrap().storage();
            prop_assert_eq!(&storage.bytes[..], machine.bytes());
            prop_assert_eq!(logged.provider().provider().provider(), machine.device.provider().provider());
            let mut out = vec![0; 300];
            let size = logged.read_log(id, 7, &mut out).unwrap();
            prop_assert_eq!(&out[..size], &machine.bytes()[7.min(machine.bytes().len())..][..size]);
            prop_assert_eq!(logged.log_size(id).unwrap(), machine.bytes().len() as u64);
        }
    }
}
