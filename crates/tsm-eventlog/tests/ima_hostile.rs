// SPDX-License-Identifier: MIT OR Apache-2.0
//! Lists that are cut, split, altered, or not lists at all.

mod common;

use common::build::ng_record;
use common::{ListFile, Run, committed, runs, said};
use proptest::prelude::*;
use tsm_core::Algorithm;
use tsm_eventlog::ima::{
    Ascii, Bank, Binary, Endian, KexecHeader, Layout, List, Match, Replay, Template, UntrustedEntry,
};
use tsm_eventlog::{ErrorKind, detect};

/// Short runs, each with other templates.
const RUNS: [&str; 6] = [
    "bios-61-tis-noima",
    "ima-61-buf-critical",
    "ima-61-evmsig",
    "ima-61-legacy-sha1",
    "ima-61-modsig",
    "ima-73-ng-sha384",
];

fn short_runs() -> Vec<Run> {
    let mut runs = runs(&committed());
    runs.retain(|run| RUNS.contains(&run.name.as_str()));
    assert_eq!(runs.len(), RUNS.len());
    runs
}

fn expecting(run: &Run) -> Replay {
    let mut replay = <Replay>::new(&run.banks()).unwrap();
    for values in run.pcrs.values() {
        replay.expect(10, values[&10]).unwrap();
    }
    replay
}

fn all_complete(run: &Run, replay: &Replay) -> bool {
    run.pcrs.keys().all(|&algorithm| replay.result(10, algorithm) == Match::Complete)
}

/// Uses everything that can be asked of an entry.
fn exercise(entry: &UntrustedEntry<'_>) -> usize {
    let text = format!("{entry:?} {:?} {:?}", entry.name(), entry.file_digest());
    let _ = (entry.check(), entry.hash(Algorithm::Sha512), entry.is_boot_aggregate());
    assert!(entry.fields().count() <= 15);
    text.len()
}

fn reopen<'a>(file: &ListFile, bytes: &'a [u8]) -> List<'a> {
    match file.is_binary {
        true => {
            let layout = Layout { digest: file.digest, endian: Endian::Little };
            Binary::new(bytes, layout).into()
        }
        false => Ascii::new(bytes).into(),
    }
}

/// Cut at any byte, a list is either shorter and honest about it, or an error at the cut record;
/// the records before are the same.
// T-26
#[test]
fn truncation_at_every_byte() {
    let mut cuts = 0;
    for run in short_runs() {
        for file in run.lists.iter().filter(|file| file.digest == Algorithm::Sha1) {
            let all: Vec<_> = file.list().map(Result::unwrap).collect();
            let ends: Vec<usize> = all.iter().map(|entry| entry.end().offset as usize).collect();
            let all: Vec<String> = all.iter().map(said).collect();
            for cut in 0..file.bytes.len() {
                let whole = ends.iter().filter(|&&end| end <= cut).count();
                let first = whole.checked_sub(1).map_or(0, |index| ends[index]);
                // Only the last records, to keep the test fast.
                let skip = whole.saturating_sub(1).min(all.len());
                let from = skip.checked_sub(1).map_or(0, |index| ends[index]);
                let mut replay = <Replay>::new(&[Bank::hashed(Algorithm::Sha1)]).unwrap();
                let bytes = &file.bytes[from..cut];
                let read: Vec<_> = reopen(file, bytes).take_while(Result::is_ok).collect();
                let read: Vec<_> = read.into_iter().map(Result::unwrap).collect();
                let finished = replay.run(reopen(file, bytes));
                let label = format!("{} at {cut}", run.label(file));
                // A text line may lack its line feed: it still verifies.
                let unterminated = !file.is_binary && ends.contains(&(cut + 1));
                match finished.error() {
                    None => assert!(cut == first || unterminated, "{label}"),
                    Some(error) => {
                        assert_eq!(error.kind(), ErrorKind::Truncated, "{label}");
                        assert_eq!(error.offset() as usize + from, first, "{label}");
                    }
                }
                let count = finished.replay().position().record as usize;
                assert_eq!(count, read.len(), "{label}");
                assert!(count + skip == whole || (unterminated && count + skip == whole + 1));
                assert!(read.iter().zip(&all[skip..]).all(|(a, b)| said(a) == *b), "{label}");
                cuts += 1;
            }
        }
    }
    assert!(cuts > 25_000, "{cuts}");
}

/// A cut list never matches completely.
// T-04
#[test]
fn a_cut_list_is_not_complete() {
    for run in short_runs() {
        for file in &run.lists {
            let end = file.bytes.len();
            for cut in (0..end).rev().take(200) {
                let mut replay = expecting(&run);
                let _ = replay.run(reopen(file, &file.bytes[..cut]));
                let unterminated = !file.is_binary && cut + 1 == end;
                assert_eq!(all_complete(&run, &replay), unterminated, "{}", run.label(file));
            }
        }
    }
}

/// Garbage behind the covered records: they stay covered, but the list is not complete.
// T-34
#[test]
fn garbage_behind_is_seen() {
    for run in short_runs() {
        for file in &run.lists {
            let bytes = [&file.bytes[..], b"garbage"].concat();
            let mut replay = expecting(&run);
            let finished = replay.run(reopen(file, &bytes));
            assert!(finished.error().is_some());
            assert_eq!(finished.entries().count() as u64, run.count);
            for &algorithm in run.pcrs.keys() {
                let expected = Match::Prefix { matched: run.count, beyond: 1 };
                assert_eq!(replay.result(10, algorithm), expected);
            }
        }
    }
}

/// Where the bytes of a binary list stand that no register covers: template names, and what
/// violation records say.
fn uncovered(file: &ListFile) -> Vec<bool> {
    let mut uncovered = vec![false; file.bytes.len()];
    for entry in file.list() {
        let entry = entry.unwrap();
        let name = entry.position().offset as usize + 4 + file.digest.size() + 4;
        let end = entry.end().offset as usize;
        let data = if entry.is_violation() { end } else { name + entry.template_name().len() };
        uncovered[name..data].fill(true);
    }
    uncovered
}

/// A flipped byte never leaves a list complete, but for the bytes that no digest covers.
// T-02, T-31
#[test]
fn flipped_bytes_never_match() {
    let (mut flips, mut unseen) = (0, 0);
    for run in short_runs() {
        for file in run.lists.iter().filter(|file| file.digest == Algorithm::Sha1) {
            let uncovered = if file.is_binary { uncovered(file) } else { Vec::new() };
            let violations = text_of_violations(file);
            for index in 0..file.bytes.len() {
                for bit in [0x01, 0x80, 0x20] {
                    let mut bytes = file.bytes.clone();
                    bytes[index] ^= bit;
                    let mut replay = expecting(&run);
                    let _ = replay.run(reopen(file, &bytes));
                    flips += 1;
                    if all_complete(&run, &replay) {
                        let known = if file.is_binary {
                            uncovered[index]
                        } else {
                            violations.iter().any(|range| range.contains(&index))
                        };
                        assert!(known, "{} byte {index} bit {bit}", run.label(file));
                        unseen += 1;
                    }
                }
            }
        }
    }
    eprintln!("{flips} flips, {unseen} of them in what no digest covers");
    assert!(flips > 75_000 && unseen > 0);
}

/// The text of violation lines behind the digest.
fn text_of_violations(file: &ListFile) -> Vec<core::ops::Range<usize>> {
    let entries = file.list().map(Result::unwrap).filter(UntrustedEntry::is_violation);
    let ranges = entries.map(|entry| {
        entry.position().offset as usize + 4 + 2 * file.digest.size()..entry.end().offset as usize
    });
    ranges.collect()
}

/// Every length in every record set to wrong values.
#[test]
fn wrong_lengths() {
    let mut tried = 0;
    for run in short_runs() {
        for file in run.lists.iter().filter(|file| file.is_binary) {
            let mut places = Vec::new();
            for entry in file.list() {
                let entry = entry.unwrap();
                let name = entry.position().offset as usize + 4 + file.digest.size();
                let data = name + 4 + entry.template_name().len();
                places.extend([name, data]);
                let Some(bytes) = entry.template_data() else {
                    places.push(data + 20);
                    continue;
                };
                let mut field = 0;
                while field < bytes.len() {
                    places.push(data + 4 + field);
                    let length = bytes[field..].first_chunk().map(|l| u32::from_le_bytes(*l));
                    field += 4 + length.unwrap() as usize;
                }
            }
            for place in places {
                for length in [0, 1, 3, 254, 255, 256, 0xFFFF, 0x1_0000, 0x7FFF_FFFF, u32::MAX] {
                    let mut bytes = file.bytes.clone();
                    bytes[place..place + 4].copy_from_slice(&length.to_le_bytes());
                    let read: Vec<_> = reopen(file, &bytes).collect();
                    assert!(
                        read.iter().rev().skip(1).all(Result::is_ok),
                        "nothing behind an error"
                    );
                    read.iter().flatten().for_each(|entry| assert!(exercise(entry) > 0));
                    let mut replay = expecting(&run);
                    let _ = replay.run(reopen(file, &bytes));
                    let _ = detect(&bytes);
                    tried += 1;
                }
            }
        }
    }
    assert!(tried > 5_000, "{tried}");
}

/// 20 kB of the worst that was thought of, each in a time that does not grow with its square.
// T-27
#[test]
fn hostile_text_is_linear() {
    let digest = "0".repeat(39) + "1";
    let line = |name: &str| format!("10 {digest} ima-ng sha1:{digest} {name}");
    let feeds = "\n".repeat(20_000);
    let fields = format!("10 {digest} {} {}\n", ["d-ng"; 15].join("|"), " ".repeat(19_000));
    let colons = line("x").replace("sha1:", &":".repeat(19_000));
    for text in [line(&feeds), line("x\n").repeat(150), fields, colons, "1".repeat(20_000)] {
        let start = std::time::Instant::now();
        for _ in 0..10 {
            let _ = detect(text.as_bytes());
            assert!(Ascii::new(text.as_bytes()).count() <= 1);
            assert!(Binary::new(text.as_bytes(), Layout::DEFAULT).count() <= 1);
        }
        // A debug build on a busy machine: the bound is generous, quadratic work is far above.
        assert!(start.elapsed().as_millis() < 2_000, "{}", &text[..60]);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    /// Read in pieces cut anywhere, saved and restored in between: the same as in one go.
    #[test]
    fn pieces_are_the_whole(
        index in 0..62_usize,
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
    ) {
        let runs = runs(&committed());
        let files: Vec<_> = runs.iter().flat_map(|run| run.lists.iter().map(move |f| (run, f))).collect();
        let (run, file) = &files[index % files.len()];
        let mut whole = expecting(run);
        prop_assert_eq!(whole.run(file.list()).error(), None);

        let mut replay = expecting(run);
        let mut trusted = 0;
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(file.bytes.len() + 1)).collect();
        cuts.push(file.bytes.len());
        cuts.sort_unstable();
        for cut in cuts {
            let place = replay.position();
            let bytes = &file.bytes[(place.offset as usize).min(cut)..cut];
            let list: List<'_> = match reopen(file, bytes) {
                List::Binary(list) => list.at(place).into(),
                List::Ascii(list) => list.at(place).into(),
            };
            let finished = replay.run(list);
            trusted += finished.entries().count();
            if let Some(error) = finished.error() {
                prop_assert_eq!(error.kind(), ErrorKind::Truncated);
            }
            let mut out = [0; <Replay>::SAVED_MAX];
            replay = <Replay>::restore(replay.save(&mut out).unwrap()).unwrap();
        }
        prop_assert!(replay.registers().eq(whole.registers()));
        prop_assert!(all_complete(run, &replay));
        // Entries are trusted once a value vouches for them: here, in the last piece.
        prop_assert!(trusted as u64 <= run.count);
    }

    /// Any bytes at all.
    // T-26
    #[test]
    fn garbage(bytes in prop::collection::vec(any::<u8>(), 0..600), at in 0..700_usize) {
        let _ = detect(&bytes);
        let _ = Template::parse(&bytes);
        let _ = <Replay>::restore(&bytes);
        // Behind a good record too.
        let mixed = [&ng_record(10, "boot_aggregate")[..at.min(80)], &bytes].concat();
        for bytes in [&bytes, &mixed] {
            for endian in [Endian::Little, Endian::Big] {
                let _ = KexecHeader::split(bytes, endian);
                for &digest in Algorithm::ALL {
                    let list = Binary::new(bytes, Layout { digest, endian });
                    for list in [list.clone(), list.md5()] {
                        list.flatten().for_each(|entry| { exercise(&entry); });
                    }
                }
                Ascii::new(bytes).endian(endian).flatten().for_each(|entry| { exercise(&entry); });
            }
        }
    }

    /// Text that is nearly a line.
    #[test]
    fn nearly_lines(text in "( ?[0-9]{1,2} 0{40} (ima|ima-ng|evm-sig|d-ng\\|imode|d|buf\\|n) (sha1:)?[0-9a-f]{0,8} [ -~\n]{0,40}\n?){1,4}") {
        let _ = detect(text.as_bytes());
        for entry in Ascii::new(text.as_bytes()).flatten() {
            exercise(&entry);
        }
    }

    /// Several bytes altered at once.
    #[test]
    fn altered_lists(
        index in 0..62_usize,
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let runs = runs(&committed());
        let files: Vec<_> = runs.iter().flat_map(|run| run.lists.iter().map(move |f| (run, f))).collect();
        let (run, file) = &files[index % files.len()];
        let mut bytes = file.bytes.clone();
        for (place, value) in edits {
            let place = place.index(bytes.len());
            bytes[place] = value;
        }
        let mut replay = expecting(run);
        let finished = replay.run(reopen(file, &bytes));
        for entry in finished.entries() {
            exercise(&entry);
        }
        let read: Vec<_> = reopen(file, &bytes).collect();
        prop_assert!(read.iter().rev().skip(1).all(Result::is_ok));
    }
}
