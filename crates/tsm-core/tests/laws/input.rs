// SPDX-License-Identifier: MIT OR Apache-2.0
//! Whatever bytes are appended, the log stays a log.

use proptest::prelude::*;
use tsm_core::log::{Cause, Limits, Line, Lines};
use tsm_core::replay::verify;
use tsm_core::{Provider, RecordLog};

use crate::history::{histories, line, lived};
use crate::machine::{Disk, Subject, complete, subject, told};

/// Bytes that hit the log's own words and white space more often than chance does.
fn input() -> impl Strategy<Value = Vec<u8>> {
    let token = prop_oneof![
        4 => prop::collection::vec(any::<u8>(), 0..12),
        2 => prop::sample::select(vec![
            &b"SYNC"[..], b"SYNC ", b"SYNC\t", b"#", b"# .EXTEND", b"# .EXTEND ", b"\n", b"\r\n",
            b"\n\n", b" ", b"\t", b"\x0B", b"\x0C", b"\0", b"sha384/", b"00", b"ab",
        ]).prop_map(<[u8]>::to_vec),
    ];
    prop::collection::vec(token, 0..16).prop_map(|tokens| tokens.concat())
}

/// The lines of an append, trimmed of what C's `isspace` knows, blank ones left out.
fn canonical(input: &[u8]) -> Vec<&[u8]> {
    let space = |b: &u8| matches!(b, b' ' | 9..=13);
    let trim = |line: &'_ [u8]| -> Option<core::ops::Range<usize>> {
        let from = line.iter().position(|b| !space(b))?;
        Some(from..line.iter().rposition(|b| !space(b))? + 1)
    };
    let lines = input.split(|b| matches!(b, b'\n' | b'\r'));
    lines.filter_map(|line| trim(line).map(|range| &line[range])).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(512) })]

    // T-12, T-26
    #[test]
    fn any_bytes_can_be_appended(
        subject in subject(),
        inputs in prop::collection::vec(input(), 1..6),
        longest in 1..48usize,
        capacity in prop_oneof![Just(1 << 16), 0..4096usize],
    ) {
        let limits = Limits::DEFAULT.record(longest);
        let (mut machine, id) = Subject::simulated(subject);
        let banks = machine.describe(id).unwrap().banks();
        let start: Vec<_> = banks.iter().map(|b| machine.value(id, b).unwrap()).collect();
        let disk = Disk::new(Vec::new(), true);
        disk.capacity.set(capacity);
        let mut log = RecordLog::new(disk, limits);
        for input in &inputs {
            let (before, device) = (log.storage().bytes.clone(), machine.clone());
            let appended = log.append(&mut machine, id, input);
            let bytes = &log.storage().bytes;
            match appended {
                Ok(done) => {
                    let added = Lines::new(&bytes[before.len()..], limits);
                    let kinds: Vec<_> = added.map(|line| line.unwrap().line).collect();
                    let records = kinds.iter().filter(|l| matches!(l, Line::Record(_))).count();
                    let syncs = kinds.iter().filter(|l| matches!(l, Line::Sync(_))).count();
                    prop_assert_eq!((records as u32, syncs == 1), (done.records, done.synced));
                    // The lines are what the specification says (section 2).
                    let lines = kinds.iter().filter_map(|line| match line {
                        Line::Record(bytes) | Line::Comment(bytes) => Some(*bytes),
                        _ => None,
                    });
                    prop_assert_eq!(lines.collect::<Vec<_>>(), canonical(input));
                    prop_assert!(!kinds.iter().any(|l| matches!(l, Line::Note(_))));
                }
                Err(error) => {
                    prop_assert!(
                        matches!(error.cause, Cause::TooLong | Cause::Reserved | Cause::Full),
                        "{}", error
                    );
                    prop_assert!(error.offset <= input.len());
                    prop_assert_eq!((bytes, &machine), (&before, &device), "refused with effect");
                }
            }
            let values: Vec<_> = banks.iter().map(|b| machine.value(id, b).unwrap()).collect();
            let verified = verify(bytes, &start, &values, limits, &mut ()).unwrap();
            prop_assert_eq!(verified.malformed(), None);
            prop_assert_eq!(verified.holds(), Some(true));
            prop_assert!(complete(verified.outcome()));
            prop_assert!(bytes.len() <= capacity);
            let trusted = verified.trusted().count();
            prop_assert!(trusted <= told(bytes, banks).len());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(96) })]

    /// What fits to the byte is written; with one byte less nothing happens.
    // T-14
    #[test]
    fn room_is_known_to_the_byte(
        (subject, events) in histories(1),
        off_log in any::<bool>(),
        lines in prop::collection::vec(line(), 1..4),
    ) {
        let ample = lived(subject, &events);
        let write = |capacity: usize| {
            let mut machine = lived(subject, &events);
            machine.limit(capacity);
            let result = if off_log {
                machine.extend_off_log(0, 1)
            } else {
                machine.append(&lines.join(&b'\n'))
            };
            (result, machine)
        };
        let (result, machine) = write(usize::MAX);
        prop_assert!(result.is_ok());
        let needed = machine.bytes().len();
        let (result, exact) = write(needed);
        prop_assert_eq!((result, exact.bytes()), (Ok(()), machine.bytes()));
        let (result, short) = write(needed - 1);
        prop_assert_eq!(result.unwrap_err().cause, Cause::Full);
        prop_assert_eq!((short.bytes(), short.values()), (ample.bytes(), ample.values()));
        prop_assert_eq!(short.log.in_sync(), ample.log.in_sync());
    }
}
