// SPDX-License-Identifier: MIT OR Apache-2.0
//! A log can be cut at any byte, as a crash may leave it.

use proptest::prelude::*;
use tsm_core::RecordLog;
use tsm_core::log::{Lines, LogErrorKind, OpenError};
use tsm_core::replay::Replay;

use crate::history::{histories, lived};
use crate::machine::{Disk, LIMITS, Subject, complete};

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(12) })]

    #[test]
    fn a_cut_log_is_whole_or_torn((subject, events) in histories(1)) {
        every_cut(subject, &events);
    }
}

fn every_cut(subject: Subject, events: &[crate::history::Event]) {
    let mut machine = lived(subject, events);
    let log = machine.bytes().to_vec();
    for end in 0..=log.len() {
        let cut = &log[..end];
        let whole = cut.iter().rposition(|&b| b == b'\n').map_or(0, |at| at + 1);

        // Every complete line is there, then at most one error.
        let lines: Vec<_> = Lines::new(cut, LIMITS).collect();
        let count = cut.iter().filter(|&&b| b == b'\n').count();
        assert_eq!(lines.iter().filter(|line| line.is_ok()).count(), count);
        assert_eq!(lines.len() > count, whole < end);
        let mut replay = Replay::new(machine.start()).unwrap();
        let fed = replay.feed(cut, LIMITS, &mut ());
        assert_eq!(replay.position().offset, whole as u64);
        assert_eq!(replay.position().line, count as u64);

        // Opening says where to cut.
        let mut scratch = [0; 512];
        let slice = end % 2 == 0;
        let disk = Disk::new(cut.to_vec(), slice);
        let opened = RecordLog::open(disk, LIMITS, &mut machine.device, machine.id, &mut scratch);
        if whole < end {
            let error = fed.unwrap_err();
            assert_eq!((error.kind, error.offset), (LogErrorKind::Torn, whole as u64));
            assert!(matches!(opened, Err(OpenError::Log(e)) if e == error));
        } else {
            assert!(fed.is_ok() && opened.is_ok());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(96) })]

    /// Cut where opening said, a log goes on, and hides nothing of what was lost.
    #[test]
    fn a_cut_log_goes_on(
        (subject, events) in histories(1),
        at in any::<prop::sample::Index>(),
        slice in any::<bool>(),
    ) {
        let mut machine = lived(subject, &events);
        let end = at.index(machine.bytes().len() + 1);
        let whole = machine.bytes()[..end].iter().rposition(|&b| b == b'\n').map_or(0, |at| at + 1);
        let kept = machine.bytes()[..whole].to_vec();
        machine.reopen(kept.clone(), slice);
        machine.check();
        machine.append(b"after the crash").unwrap();
        machine.check();
        let verified = machine.verified();
        prop_assert!(complete(verified.outcome()));
        prop_assert!(machine.bytes().starts_with(&kept));
        let last = verified.trusted().last().unwrap();
        prop_assert_eq!(last.bytes(), b"after the crash");
    }
}
