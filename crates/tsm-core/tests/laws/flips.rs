// SPDX-License-Identifier: MIT OR Apache-2.0
//! Changing one byte of a log.
//!
//! What is hashed or noted decides; comments and empty lines are free. So a changed log may hold
//! only if its records, captures and notes are the same as before, byte for byte, and then it must.

use proptest::prelude::*;
use tsm_core::Digest;
use tsm_core::log::{Line, Lines};
use tsm_core::replay::verify;

use crate::history::{Event, histories, lived};
use crate::machine::{LIMITS, Machine, Subject};

/// The lines that count; `None` if the log is malformed.
fn counting(log: &[u8]) -> Option<Vec<&[u8]>> {
    let lines: Result<Vec<_>, _> = Lines::new(log, LIMITS).collect();
    let counts = |line: &Line<'_>| !matches!(line, Line::Blank | Line::Comment(_));
    Some(lines.ok()?.into_iter().filter(|line| counts(&line.line)).map(|line| line.bytes).collect())
}

/// Whether the byte at `at` stands in a line that does not count, its LF included.
fn is_free(log: &[u8], at: usize) -> bool {
    let start = log[..at].iter().rposition(|&b| b == b'\n').map_or(0, |lf| lf + 1);
    let line = &log[start..];
    line.starts_with(b"\n") || (line.starts_with(b"#") && !line.starts_with(b"# .EXTEND "))
}

/// Changes the byte at `at`; says whether the log still holds.
fn change(machine: &Machine, values: &[Digest], at: usize, byte: u8) -> bool {
    let mut changed = machine.bytes().to_vec();
    changed[at] = byte;
    let verified = verify(&changed, machine.start(), values, LIMITS, &mut ()).unwrap();
    let same = counting(&changed) == counting(machine.bytes());
    let context = || format!("byte {at} to {byte:#04x} in\n{}", machine.text());
    assert_eq!(verified.holds(), Some(same), "{}", context());
    if same {
        assert!(is_free(machine.bytes(), at), "{}", context());
    }
    // Whatever still counts as trusted was there before, in this order.
    let mut before = counting(machine.bytes()).unwrap().into_iter();
    for record in verified.trusted() {
        assert!(before.any(|line| line == record.bytes()), "{}", context());
    }
    same
}

const ODD: [u8; 12] = *b"\n\r #S\0\t\x0B0fa\xFF";

/// A log with every kind of line and neighbourhood, every byte, every bit, and what has a meaning.
#[test]
fn every_byte_of_a_log_with_everything() {
    let text =
        |lines: &str| Event::Append(lines.split('|').map(|l| l.as_bytes().to_vec()).collect());
    let events = [
        Event::OffLog(0, 9),
        text("alpha|#c|beta"),
        text("#"),
        text("# last in its append"),
        text("gamma"),
        Event::OffLog(1, 1),
        Event::OffLog(7, 2),
        text("##|delta|# c"),
        Event::OffLog(2, 3),
    ];
    // The end counts in one log, and is free in the other.
    let mut longer = events.to_vec();
    longer.push(text("# the end"));
    let logs = Subject::ALL.map(|subject| (subject, &events[..]));
    for (subject, events) in logs.into_iter().chain([(Subject::Tdx, &longer[..])]) {
        let machine = lived(subject, events);
        assert_eq!(machine.verified().holds(), Some(true), "{}", machine.text());
        let values = machine.values();
        let (mut held, mut free) = (0, 0);
        for at in 0..machine.bytes().len() {
            let old = machine.bytes()[at];
            free += usize::from(is_free(machine.bytes(), at));
            let digits = machine.bytes()[at.saturating_sub(2)..].iter().take(5);
            let in_digits = digits.filter(|b| b.is_ascii_hexdigit()).count() == 5;
            let bits = (0..8).map(|bit| old ^ (1 << bit));
            let bytes = ODD.into_iter().chain(bits);
            // Digits are many and alike.
            for byte in bytes.step_by(if in_digits { 5 } else { 1 }).filter(|&byte| byte != old) {
                held += usize::from(change(&machine, &values, at, byte));
            }
        }
        // The check is not empty: most changes inside comments hold.
        assert!(held > free, "{held} changes of {free} free bytes hold");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(96) })]

    #[test]
    fn a_changed_byte_is_found_or_does_not_count(
        (subject, events) in histories(0),
        changes in prop::collection::vec(
            (any::<prop::sample::Index>(), prop_oneof![any::<u8>(), prop::sample::select(&ODD[..])]),
            1..24,
        ),
    ) {
        let machine = lived(subject, &events);
        prop_assert_eq!(machine.verified().holds(), Some(true));
        let values = machine.values();
        for (at, byte) in changes {
            if machine.bytes().is_empty() {
                continue;
            }
            let at = at.index(machine.bytes().len());
            if machine.bytes()[at] != byte {
                change(&machine, &values, at, byte);
            }
        }
    }
}
