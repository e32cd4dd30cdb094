// SPDX-License-Identifier: MIT OR Apache-2.0
use super::*;
use crate::hex::Hex;

const A: Algorithm = Algorithm::Sha256;

#[derive(Default)]
struct Seen(Vec<(FindingKind, u64, u64)>);

impl Sink for Seen {
    fn finding(&mut self, finding: Finding) {
        self.0.push((finding.kind, finding.at.line, finding.at.record));
    }
}

fn zero() -> Digest {
    Digest::zeros(A)
}

fn extended(mut value: Digest, record: &str) -> Digest {
    value.extend(&A.hash(record.as_bytes())).unwrap();
    value
}

fn off_log(mut value: Digest, digest: Digest) -> Digest {
    value.extend(&digest).unwrap();
    value
}

/// Builds a log and the value it leads to.
struct Log(String, Digest);

impl Log {
    fn new(start: Digest) -> Self {
        Self(String::new(), start)
    }

    fn line(mut self, record: &str) -> Self {
        self.0 += record;
        self.0.push('\n');
        self.1 = extended(self.1, record);
        self
    }

    fn sync(self) -> Self {
        let sync = format!("SYNC {}", self.1);
        self.line(&sync)
    }

    fn note(mut self, digest: Digest) -> Self {
        self.0 += &format!("# .EXTEND {}\n", Hex(digest.as_bytes()));
        self
    }

    fn off(mut self, digest: Digest) -> Self {
        self.1 = off_log(self.1, digest);
        self
    }

    fn text(mut self, text: &str) -> Self {
        self.0 += text;
        self
    }
}

fn check(log: &Log, value: Digest) -> (Option<bool>, Match, Seen, Vec<String>) {
    let mut seen = Seen::default();
    let verified =
        verify(log.0.as_bytes(), &[zero()], &[value], Limits::DEFAULT, &mut seen).unwrap();
    let trusted = verified
        .trusted()
        .map(|r| {
            // What is trusted stands where it says.
            let at = r.position();
            let from = usize::try_from(at.offset).unwrap();
            assert!(log.0.as_bytes()[from..].starts_with(r.bytes()));
            let line = log.0.lines().nth(usize::try_from(at.line).unwrap() - 1).unwrap();
            assert_eq!(line.as_bytes(), r.bytes());
            format!("{}:{}", at.record, line)
        })
        .collect();
    let (_, found) = verified.outcome().banks().next().unwrap();
    (verified.holds(), found, seen, trusted)
}

fn plain() -> Log {
    Log::new(zero()).sync().text("\n").line("a").line("b").text("\n# c\n").line("c")
}

// T-11
#[test]
fn complete() {
    let log = plain();
    let (holds, found, seen, trusted) = check(&log, log.1);
    assert_eq!((holds, found), (Some(true), Match::Complete));
    assert_eq!(seen.0, []);
    assert_eq!(trusted, ["2:a", "3:b", "4:c"]);
}

// T-05
#[test]
fn prefix() {
    let log = plain();
    let value = Log::new(zero()).sync().line("a").1;
    let (holds, found, _, trusted) = check(&log, value);
    assert_eq!((holds, found), (Some(false), Match::Prefix { matched: 2, beyond: 2 }));
    assert_eq!(trusted, ["2:a"]);
    // Read before anything was recorded.
    let (holds, found, _, trusted) = check(&log, zero());
    assert_eq!((holds, found), (Some(false), Match::Prefix { matched: 0, beyond: 4 }));
    assert_eq!(trusted, [""; 0]);
}

// T-01
#[test]
fn mismatch() {
    let log = plain();
    let (holds, found, seen, trusted) = check(&log, A.hash(b"something else"));
    assert_eq!((holds, found, trusted.len()), (Some(false), Match::Mismatch, 0));
    assert_eq!(seen.0, []);
}

// T-01
#[test]
fn nothing_to_compare() {
    let log = plain();
    let verified = verify(log.0.as_bytes(), &[zero()], &[], Limits::DEFAULT, &mut ()).unwrap();
    assert_eq!(verified.holds(), None);
    assert_eq!(verified.trusted().count(), 0);
    assert_eq!(verified.outcome().banks().collect::<Vec<_>>(), [(log.1, Match::Unchecked)]);
}

// T-01
#[test]
fn an_empty_log_explains_an_untouched_register() {
    let log = Log::new(zero());
    assert_eq!(check(&log, zero()).0, Some(true));
    let (holds, found, ..) = check(&log, A.hash(b""));
    assert_eq!((holds, found), (Some(false), Match::Mismatch), "register ahead of an empty log");
}

// T-03
#[test]
fn midway() {
    let start = A.hash(b"what firmware measured");
    let log = Log::new(start).sync().line("a");
    let (holds, found, seen, trusted) = check(&log, log.1);
    assert_eq!((holds, found), (Some(false), Match::Complete));
    assert_eq!(seen.0, [(FindingKind::Midway, 1, 1)]);
    assert_eq!(trusted, ["2:a"]);
    let verified = verify(log.0.as_bytes(), &[start], &[log.1], Limits::DEFAULT, &mut ()).unwrap();
    assert_eq!(verified.holds(), Some(true), "given the right start value");
    let mut replay = Replay::new(&[zero()]).unwrap();
    replay.feed(log.0.as_bytes(), Limits::DEFAULT, &mut ()).unwrap();
    assert_eq!(replay.started_at(A), Some(start));
}

// T-03
#[test]
fn a_log_cut_at_its_front_does_not_replay() {
    let log = plain();
    let (_, rest) = log.0.split_once('\n').unwrap();
    let cut = Log(rest.to_string(), log.1);
    let (holds, found, seen, _) = check(&cut, log.1);
    assert_eq!((holds, found), (Some(false), Match::Mismatch));
    assert_eq!(seen.0, [(FindingKind::NoSync, 2, 1)]);
}

#[test]
fn explained_gap() {
    let (x, y) = (A.hash(b"x"), A.hash(b"y"));
    let log = plain().text("\n").note(x).off(x).note(y).off(y).text("\n").sync().line("d");
    let (holds, found, seen, trusted) = check(&log, log.1);
    assert_eq!((holds, found), (Some(true), Match::Complete));
    assert_eq!(seen.0, [(FindingKind::GapExplained, 12, 5)]);
    assert_eq!(trusted, ["2:a", "3:b", "4:c", "6:d"]);
    // The register was read between the notes, and behind them.
    for value in [off_log(plain().1, x), off_log(off_log(plain().1, x), y)] {
        let (holds, found, _, trusted) = check(&log, value);
        assert_eq!((holds, found), (Some(false), Match::Prefix { matched: 4, beyond: 2 }));
        assert_eq!(trusted, ["2:a", "3:b", "4:c"]);
    }
}

// T-06
#[test]
fn records_before_an_unexplained_gap_are_not_trusted() {
    let (x, y) = (A.hash(b"x"), A.hash(b"y"));
    let log = plain().text("\n").note(x).off(y).text("\n").sync().line("d");
    let (holds, found, seen, trusted) = check(&log, log.1);
    assert_eq!((holds, found), (Some(false), Match::Complete));
    assert_eq!(seen.0, [(FindingKind::GapUnexplained, 11, 5)]);
    assert_eq!(trusted, ["6:d"]);
    // Indeed they could be anything.
    let forged = Log(log.0.replacen("\nb\n", "\nB\n", 1), log.1);
    assert_eq!(check(&forged, log.1).1, Match::Complete);
}

#[test]
fn notes_before_the_first_sync() {
    let x = A.hash(b"x");
    let log = Log::new(zero()).note(x).off(x).text("\n").sync().line("a");
    let (holds, _, seen, trusted) = check(&log, log.1);
    assert_eq!(holds, Some(true));
    assert_eq!(seen.0, [(FindingKind::GapExplained, 3, 1)]);
    assert_eq!(trusted, ["2:a"]);
    let log = Log::new(A.hash(b"elsewhere")).note(x).off(x).text("\n").sync().line("a");
    assert_eq!(check(&log, log.1).2.0, [(FindingKind::GapUnexplained, 3, 1)]);
}

#[test]
fn a_record_after_a_note_without_a_capture() {
    let x = A.hash(b"x");
    let log = plain().text("\n").note(x).off(x).line("d");
    let (holds, found, seen, trusted) = check(&log, log.1);
    assert_eq!((holds, found), (Some(true), Match::Complete));
    assert_eq!(seen.0, [(FindingKind::Uncaptured, 10, 5)]);
    assert_eq!(trusted, ["2:a", "3:b", "4:c", "5:d"]);
}

/// A note of a record's digest stands for the record: the values are the same, and it is gone.
// T-07
#[test]
fn a_hidden_record_is_not_accounted_for() {
    let log = plain();
    let all = |text: &str| {
        let verified =
            verify(text.as_bytes(), &[zero()], &[log.1], Limits::DEFAULT, &mut ()).unwrap();
        (verified.holds(), verified.accounts_for_all())
    };
    assert_eq!(all(&log.0), (Some(true), Some(true)));
    let note = format!("# .EXTEND {}\n", Hex(A.hash(b"c").as_bytes()));
    let hidden = log.0.replacen("\nc\n", &format!("\n{note}"), 1);
    assert_ne!(hidden, log.0);
    assert_eq!(all(&hidden), (Some(true), Some(false)), "at the end");
    let note = format!("# .EXTEND {}\n", Hex(A.hash(b"b").as_bytes()));
    let hidden = log.0.replacen("\nb\n", &format!("\n{note}"), 1);
    assert_eq!(all(&hidden), (Some(true), Some(false)), "in the middle");
    let none = verify(log.0.as_bytes(), &[zero()], &[], Limits::DEFAULT, &mut ()).unwrap();
    assert_eq!(none.accounts_for_all(), None);
}

#[test]
fn trailing_notes() {
    let x = A.hash(b"x");
    let log = plain().text("\n").note(x).off(x);
    let trailing = |value: &[Digest]| {
        let log = log.0.as_bytes();
        let verified = verify(log, &[zero()], value, Limits::DEFAULT, &mut ()).unwrap();
        (verified.holds(), verified.outcome().trailing)
    };
    assert_eq!(trailing(&[log.1]), (Some(true), Trailing::Explained));
    assert_eq!(trailing(&[plain().1]), (Some(false), Trailing::NotExplained));
    assert_eq!(trailing(&[]), (None, Trailing::NotExplained));
}

// T-02
#[test]
fn a_changed_record_contradicts_the_next_capture() {
    let log = plain().text("\n").sync().line("d");
    assert_eq!(check(&log, log.1).0, Some(true), "a needless capture does no harm");
    let changed = Log(log.0.replacen("\nb\n", "\nB\n", 1), log.1);
    let (holds, found, seen, trusted) = check(&changed, log.1);
    assert_eq!((holds, found), (Some(false), Match::Complete));
    assert_eq!(seen.0, [(FindingKind::Contradiction, 9, 5)]);
    assert_eq!(trusted, ["6:d"]);
}

// T-34
#[test]
fn malformed_lines_keep_what_came_before() {
    for (tail, kind) in [
        ("torn", LogErrorKind::Torn),
        ("trailing \n", LogErrorKind::NotCanonical),
        ("SYNC\n", LogErrorKind::Captures),
        ("SYNC sha256\n", LogErrorKind::Captures),
        ("SYNC md5/00\n", LogErrorKind::UnknownAlgorithm),
        ("SYNC sha256/00\n", LogErrorKind::DigestLength),
        ("SYNC sha256/0\n", LogErrorKind::OddDigits),
        (&format!("SYNC {}\n", zero().to_string().replace("/0", "/A")), LogErrorKind::Digit),
        (&format!("SYNC {}\n", Digest::zeros(Algorithm::Sha1)), LogErrorKind::NoSuchBank),
        (&format!("SYNC {} {}\n", zero(), zero()), LogErrorKind::DoubleBank),
        (&format!("# .EXTEND {}\n", Digest::zeros(Algorithm::Sha1)), LogErrorKind::NoSuchBank),
        (&format!("# .EXTEND {} {}\n", zero(), zero()), LogErrorKind::DoubleBank),
        ("# .EXTEND 00\n", LogErrorKind::DigestLength),
        ("# .EXTEND\n", LogErrorKind::Note),
    ] {
        let log = plain();
        let bad = log.0.clone() + tail;
        let verified =
            verify(bad.as_bytes(), &[zero()], &[log.1], Limits::DEFAULT, &mut ()).unwrap();
        let offset = log.0.len() as u64;
        assert_eq!(verified.malformed(), Some(kind.at(offset, 8)), "{tail:?}");
        assert_eq!(verified.outcome().holds(), Some(true), "the lines before are whole");
        assert_eq!(verified.holds(), Some(false));
        assert_eq!(verified.trusted().count(), 3);
    }
}

// T-08
#[test]
fn two_banks_must_agree_on_the_place() {
    let banks = [Digest::zeros(Algorithm::Sha1), Digest::zeros(Algorithm::Sha384)];
    let mut replay = Replay::new(&banks).unwrap();
    let mut values = Vec::new();
    for record in ["a\n", "b\n", "c\n"] {
        replay.feed(record.as_bytes(), Limits::DEFAULT, &mut ()).unwrap();
        values.push(replay.banks().iter().map(|b| replay.value(b).unwrap()).collect::<Vec<_>>());
    }
    let log = b"a\nb\nc\n";
    let at = |expected: &[Digest]| {
        let verified = verify(log, &banks, expected, Limits::DEFAULT, &mut ()).unwrap();
        (verified.holds(), verified.trusted().count())
    };
    assert_eq!(at(&values[2]), (Some(true), 3));
    assert_eq!(at(&values[1]), (Some(false), 2));
    assert_eq!(at(&[values[1][0], values[2][1]]), (Some(false), 0), "at different records");
    assert_eq!(at(&values[2][..1]), (Some(true), 3), "one bank is enough if only one is known");
    let both = format!("SYNC {}\n", banks[0]);
    let missing = verify(both.as_bytes(), &banks, &[], Limits::DEFAULT, &mut ()).unwrap();
    assert_eq!(missing.malformed().unwrap().kind, LogErrorKind::MissingBank);
}

#[test]
fn banks_must_make_sense() {
    assert_eq!(Replay::new(&[]).err(), Some(BankError::None));
    assert_eq!(Replay::new(&[zero(), zero()]).err(), Some(BankError::Double));
    let mut replay = Replay::new(&[zero()]).unwrap();
    let other = Digest::zeros(Algorithm::Sha1);
    assert_eq!(replay.expect(&[other]), Err(BankError::NoStart));
    assert_eq!(replay.expect(&[zero(), zero()]), Err(BankError::Double));
}

/// Saved and restored at any line, and fed in pieces of any size, the result is the same.
// T-29
#[test]
fn resumes_anywhere() {
    let x = A.hash(b"x");
    let log = plain()
        .text("\n")
        .note(x)
        .off(x)
        .text("\n")
        .sync()
        .line("d")
        .note(x)
        .off(A.hash(b"y"))
        .sync();
    let bytes = log.0.as_bytes();
    let mut whole = Replay::new(&[zero()]).unwrap();
    whole.expect(&[log.1]).unwrap();
    whole.feed(bytes, Limits::DEFAULT, &mut ()).unwrap();
    for cut in 0..=bytes.len() {
        let mut replay = Replay::new(&[zero()]).unwrap();
        let first = replay.feed(&bytes[..cut], Limits::DEFAULT, &mut ());
        let torn = cut > 0 && bytes[cut - 1] != b'\n';
        assert_eq!(first.is_err_and(|e| e.kind == LogErrorKind::Torn), torn);
        let mut replay = Replay::restore(&replay.save()).unwrap();
        let from = usize::try_from(replay.position().offset).unwrap();
        assert!(from <= cut);
        replay.expect(&[log.1]).unwrap();
        replay.feed(&bytes[from..], Limits::DEFAULT, &mut ()).unwrap();
        assert_eq!(replay.outcome(), whole.outcome(), "cut at {cut}");
        assert_eq!(replay.save(), whole.save());
    }
}

// T-30
#[test]
fn restore_refuses_what_was_not_saved() {
    let mut replay = Replay::new(&[zero(), Digest::ones(Algorithm::Sha512)]).unwrap();
    replay.feed(b"a\n", Limits::DEFAULT, &mut ()).unwrap();
    let saved = replay.save();
    assert!(Replay::restore(&saved).is_ok());
    assert!(Replay::restore(&saved[1..]).is_err());
    assert!(Replay::restore(&[]).is_err());
    for (at, value) in [(0, 2), (1, 3), (2, 2), (3, 0), (3, 3), (3, 5), (3, 255), (76, 0xEE)] {
        let mut changed = saved;
        changed[at] = value;
        assert!(Replay::restore(&changed).is_err(), "byte {at} = {value}");
    }
}
