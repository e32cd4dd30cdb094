// SPDX-License-Identifier: MIT OR Apache-2.0
//! Replay is a fold: it goes on where it stopped, and does not see how its input is cut.

use proptest::prelude::*;
use proptest::sample::Index;
use tsm_core::log::{LogErrorKind, Splitter};
use tsm_core::replay::{Finding, Position, Replay, Sink};

use crate::history::{histories, line, lived};
use crate::machine::{LIMITS, complete};

/// Everything that a replay tells.
#[derive(Default, PartialEq, Eq, Debug)]
struct Seen(Vec<(Vec<u8>, Position)>, Vec<Finding>);

impl Sink for Seen {
    fn untrusted_record(&mut self, record: &[u8], at: Position) {
        self.0.push((record.to_vec(), at));
    }

    fn finding(&mut self, finding: Finding) {
        self.1.push(finding);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(96) })]

    /// replay(log ++ x) == extend(replay(log), x)
    // T-29
    #[test]
    fn a_longer_log_continues_the_shorter_ones_replay(
        (subject, events) in histories(1),
        lines in prop::collection::vec(line(), 1..4),
    ) {
        let machine = lived(subject, &events);
        let mut replay = Replay::new(machine.start()).unwrap();
        replay.feed(machine.bytes(), LIMITS, &mut ()).unwrap();
        let mut expected: Vec<_> =
            machine.banks.iter().map(|bank| replay.value(bank).unwrap()).collect();
        let mut longer = machine.bytes().to_vec();
        for line in &lines {
            longer.extend_from_slice(line);
            longer.push(b'\n');
            for value in expected.iter_mut().filter(|_| !line.starts_with(b"#")) {
                value.extend(&value.algorithm().hash(line)).unwrap();
            }
        }
        let mut whole = Replay::new(machine.start()).unwrap();
        whole.feed(&longer, LIMITS, &mut ()).unwrap();
        for value in &expected {
            prop_assert_eq!(whole.value(value.algorithm()), Some(*value));
        }
        // And the one that stopped goes on.
        replay.feed(&longer[machine.bytes().len()..], LIMITS, &mut ()).unwrap();
        replay.expect(&expected).unwrap();
        whole.expect(&expected).unwrap();
        prop_assert_eq!(replay.outcome(), whole.outcome());
        prop_assert!(complete(&whole.outcome()));
    }

    /// However a log is cut into pieces, and wherever the state is saved and restored.
    // T-29
    #[test]
    fn cuts_are_not_seen(
        (subject, events) in histories(1),
        cuts in prop::collection::vec(any::<Index>(), 0..12),
        saves in prop::collection::vec(any::<bool>(), 1..20),
        torn in prop::option::of(any::<Index>()),
    ) {
        let machine = lived(subject, &events);
        // Some logs have lost their end.
        let all = machine.bytes();
        let log = torn.map_or(all, |at| &all[..at.index(all.len() + 1)]);
        let values = machine.values();

        let mut whole = Replay::new(machine.start()).unwrap();
        whole.expect(&values).unwrap();
        let mut told = Seen::default();
        let fed = whole.feed(log, LIMITS, &mut told);

        let mut at: Vec<_> = cuts.iter().map(|cut| cut.index(log.len() + 1)).collect();
        at.push(0);
        at.push(log.len());
        at.sort_unstable();
        let pieces: Vec<_> = at.windows(2).map(|ends| &log[ends[0]..ends[1]]).collect();
        prop_assert_eq!(pieces.concat(), log);

        for restores in [false, true] {
            let mut buffer = [0; 1024];
            let mut splitter = Splitter::new(&mut buffer);
            let mut replay = Replay::new(machine.start()).unwrap();
            replay.expect(&values).unwrap();
            let mut seen = Seen::default();
            let mut number = 0;
            for piece in &pieces {
                splitter.push(piece, |line| {
                    replay.line(line, LIMITS, &mut seen)?;
                    number += 1;
                    if restores && saves[number % saves.len()] {
                        replay = Replay::restore(&replay.save()).unwrap();
                        replay.expect(&values).unwrap();
                    }
                    Ok::<(), LogErrorKind>(())
                }).unwrap();
            }
            prop_assert_eq!(&seen, &told);
            prop_assert_eq!(replay.position(), whole.position());
            prop_assert_eq!(splitter.held() as u64, log.len() as u64 - replay.position().offset);
            prop_assert_eq!(splitter.held() == 0, fed.is_ok());
            prop_assert_eq!(fed.err().map(|e| (e.kind, e.offset)),
                (splitter.held() > 0).then_some((LogErrorKind::Torn, replay.position().offset)));
            prop_assert_eq!(replay.in_sync(), whole.in_sync());
            prop_assert_eq!(replay.outcome().holds(), whole.outcome().holds());
            if !restores {
                prop_assert_eq!(replay.outcome(), whole.outcome());
            }
            // What is expected is not saved, and with it where it was met: compare without.
            let mut plain = whole.clone();
            plain.expect(&[]).unwrap();
            replay.expect(&[]).unwrap();
            prop_assert_eq!(replay.outcome(), plain.outcome());
            prop_assert_eq!(&replay.save()[..], &plain.save()[..]);
        }
    }

    /// No bytes make `restore` panic, and what it takes it gives back.
    // T-30
    #[test]
    fn restore_takes_only_what_save_gives(
        (subject, events) in histories(1),
        changes in prop::collection::vec((any::<Index>(), any::<u8>()), 0..4),
    ) {
        let machine = lived(subject, &events);
        let mut replay = Replay::new(machine.start()).unwrap();
        replay.feed(machine.bytes(), LIMITS, &mut ()).unwrap();
        let mut saved = replay.save();
        for (at, byte) in changes {
            saved[at.index(saved.len())] = byte;
        }
        if let Ok(restored) = Replay::restore(&saved) {
            prop_assert_eq!(&restored.save()[..], &saved[..]);
        }
        prop_assert!(Replay::restore(&saved[1..]).is_err());
    }
}
