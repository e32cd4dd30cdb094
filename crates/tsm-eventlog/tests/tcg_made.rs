// SPDX-License-Identifier: MIT OR Apache-2.0
//! What reader and replay say about logs that were made for the question.

mod common;

use common::json::Json;
use common::shared;
use common::tcg::{SIGNATURE, event, header, header_for, sha1_event};
use tsm_core::{Algorithm, Digest};
use tsm_eventlog::registers::{CcMrIndex, PcrIndex, Platform, RegisterIndex, RemIndex, RtmrIndex};
use tsm_eventlog::tcg::{
    AlgorithmList, End, EventType, FinalEvents, FindingKind, Layout, Log, Match, Replay,
};
use tsm_eventlog::{Error, ErrorKind, Format, Limits, detect};
use tsm_test_support::base64;

const BANKS: [Algorithm; 2] = [Algorithm::Sha256, Algorithm::Sha384];
const ACTION: u32 = 0x8000_0007;
const NO_ACTION: u32 = 3;
const HCRTM: u32 = 0x8000_0010;

fn pcr(number: u32) -> PcrIndex {
    PcrIndex::new(number).unwrap()
}

fn hashes(data: &[u8]) -> [Digest; 2] {
    BANKS.map(|algorithm| algorithm.hash(data))
}

/// An event whose digests are those of its data.
fn said(index: u32, data: &[u8]) -> Vec<u8> {
    event(index, ACTION, &hashes(data), data)
}

fn no_action(index: u32, data: &[u8]) -> Vec<u8> {
    event(index, NO_ACTION, &BANKS.map(Digest::zeros), data)
}

fn locality(number: u8) -> Vec<u8> {
    no_action(0, &[b"StartupLocality\0", &[number][..]].concat())
}

fn log(events: &[Vec<u8>]) -> Vec<u8> {
    [header_for(&BANKS), events.concat()].concat()
}

/// What a bank holds after `all`, having started with this last byte.
fn value(algorithm: Algorithm, last: u8, all: &[&[u8]]) -> Digest {
    let mut value = Digest::zeros(algorithm);
    *value.as_bytes_mut().last_mut().unwrap() = last;
    for data in all {
        value.extend(&algorithm.hash(data)).unwrap();
    }
    value
}

fn fresh() -> Replay {
    <Replay>::new(Platform::Tpm, &BANKS).unwrap()
}

/// Replays; gives the value of PCR 0 and the findings.
fn run(bytes: &[u8]) -> (Digest, Vec<FindingKind>) {
    let mut replay = fresh();
    let finished = replay.run(Log::open(bytes).unwrap());
    assert_eq!(finished.error(), None);
    let findings = finished.findings().map(|finding| finding.kind).collect();
    let register = replay.register(pcr(0)).unwrap();
    for bank in BANKS {
        let last = register.value(bank).unwrap().as_bytes().len();
        assert_eq!(last, bank.size());
    }
    (register.value(Algorithm::Sha256).unwrap(), findings)
}

#[test]
fn localities() {
    let started = |last| value(Algorithm::Sha256, last, &[b"a"]);
    let a = || said(0, b"a");
    let long = [b"StartupLocality\0\x03", &[0; 90][..]].concat();
    let other = event(7, NO_ACTION, &BANKS.map(Digest::zeros), b"StartupLocality\0\x03");
    let retyped = event(0, ACTION, &hashes(b"b"), b"StartupLocality\0\x03");
    let after = {
        let mut value = value(Algorithm::Sha256, 0, &[b"b"]);
        value.extend(&Algorithm::Sha256.hash(b"a")).unwrap();
        value
    };
    use FindingKind::{LocalityDiffers, LocalityLate, LocalityUnknown};
    for (name, events, expected, findings) in [
        ("none", vec![a()], started(0), vec![]),
        ("0", vec![locality(0), a()], started(0), vec![]),
        ("3", vec![locality(3), a()], started(3), vec![]),
        ("4", vec![locality(4), a()], started(4), vec![]),
        ("larger record", vec![no_action(0, &long), a()], started(3), vec![]),
        ("without number", vec![no_action(0, &long[..16]), a()], started(0), vec![]),
        ("twice", vec![locality(3), locality(3), a(), locality(3)], started(3), vec![]),
        ("two", vec![locality(3), locality(4), a()], started(3), vec![LocalityDiffers]),
        ("late", vec![a(), locality(3)], started(0), vec![LocalityLate]),
        ("unknown", vec![locality(1), a()], started(0), vec![LocalityUnknown]),
        ("another PCR's", vec![other, a()], started(0), vec![]),
        ("another type", vec![retyped, a()], after, vec![]),
        ("behind another PCR", vec![said(7, b"x"), locality(3), a()], started(3), vec![]),
    ] {
        assert_eq!(run(&log(&events)), (expected, findings), "{name}");
    }
    // A value that the caller has set counts more.
    let start = value(Algorithm::Sha256, 9, &[]);
    let mut replay = fresh();
    replay.start(pcr(0), start).unwrap();
    let bytes = log(&[locality(3), said(0, b"a")]);
    let finished = replay.run(Log::open(&bytes).unwrap());
    assert!(finished.findings().map(|f| f.kind).eq([LocalityLate]));
    let expected = value(Algorithm::Sha256, 9, &[b"a"]);
    assert_eq!(replay.register(pcr(0)).unwrap().value(Algorithm::Sha256), Some(expected));
    assert_eq!(replay.start(pcr(0), start).unwrap_err().kind(), ErrorKind::AlreadyStarted);
    // CC measurement register 0 has none.
    let mut replay = Replay::<5>::new(Platform::Tdx, &BANKS).unwrap();
    assert_eq!(replay.run(Log::open(&bytes).unwrap()).findings().count(), 1, "MRTD extended");
    assert_eq!(replay.startup_locality(), None);
}

#[test]
fn h_crtm() {
    let hcrtm = || event(0, HCRTM, &hashes(b"code"), b"HCRTM");
    let with = |last| value(Algorithm::Sha256, last, &[b"code", b"a"]);
    use FindingKind::{HcrtmLate, LocalityDiffers};
    let late = value(Algorithm::Sha256, 0, &[b"a", b"code"]);
    let twice = value(Algorithm::Sha256, 4, &[b"code", b"code"]);
    for (name, events, expected, findings) in [
        ("first", vec![hcrtm(), said(0, b"a")], with(4), vec![]),
        ("with locality 4", vec![locality(4), hcrtm(), said(0, b"a")], with(4), vec![]),
        ("with 3", vec![locality(3), hcrtm(), said(0, b"a")], with(4), vec![LocalityDiffers]),
        ("late", vec![said(0, b"a"), hcrtm()], late, vec![HcrtmLate]),
        ("twice", vec![hcrtm(), hcrtm()], twice, vec![HcrtmLate]),
        (
            "locality behind",
            vec![hcrtm(), said(0, b"a"), locality(4)],
            with(4),
            vec![FindingKind::LocalityLate],
        ),
    ] {
        assert_eq!(run(&log(&events)), (expected, findings), "{name}");
    }
}

/// PCR 17 to 22 start with ones, and a register without events is compared with its start.
#[test]
fn registers_without_events() {
    let bytes = log(&[said(4, b"a")]);
    let mut replay = fresh();
    for number in 0..24 {
        if number != 4 {
            let start = match number {
                17..=22 => Digest::ones(Algorithm::Sha256),
                _ => Digest::zeros(Algorithm::Sha256),
            };
            replay.expect(pcr(number), start).unwrap();
        }
    }
    let finished = replay.run(Log::open(&bytes).unwrap());
    assert_eq!(finished.events().count(), 0);
    let absent: Vec<_> = finished.findings().map(|f| (f.kind, f.register.unwrap())).collect();
    assert_eq!(absent.len(), 23);
    assert!(absent.iter().all(|(kind, _)| *kind == FindingKind::NoEvents));
    assert_eq!(replay.holds(), Some(true));
    assert!(replay.register(pcr(5)).unwrap().is_absent());
    assert!(!replay.register(pcr(4)).unwrap().is_absent());
    replay.expect(pcr(5), Digest::ones(Algorithm::Sha256)).unwrap();
    assert_eq!(replay.result(pcr(5), Algorithm::Sha256), Match::Mismatch, "not passed over");
    assert_eq!(replay.holds(), Some(false));
    assert_eq!(fresh().holds(), None);
}

/// A quote may be older than the log: then it covers a prefix, in every bank that it has.
#[test]
fn prefixes() {
    let data: [&[u8]; 4] = [b"a", b"b", b"c", b"d"];
    let bytes = log(&data.map(|data| said(4, data)));
    for first in 0..=4 {
        for second in 0..=4 {
            let mut replay = fresh();
            replay.expect(pcr(4), value(BANKS[0], 0, &data[..first])).unwrap();
            replay.expect(pcr(4), value(BANKS[1], 0, &data[..second])).unwrap();
            let finished = replay.run(Log::open(&bytes).unwrap());
            let trusted: Vec<_> = finished.events().map(|e| e.covered_data().unwrap()).collect();
            assert_eq!(trusted, data[..first.min(second)], "what both cover");
            for (bank, covered) in BANKS.into_iter().zip([first, second]) {
                let matched = covered as u64;
                let expected = match 4 - matched {
                    0 => Match::Complete,
                    beyond => Match::Prefix { matched, beyond },
                };
                assert_eq!(replay.result(pcr(4), bank), expected);
            }
            assert_eq!(replay.holds(), Some(first == 4 && second == 4));
        }
    }
}

/// Digests of banks without expected value are not vouched for, nor are data that they alone cover.
#[test]
fn trust_is_of_the_bank() {
    let mixed = [BANKS[0].hash(b"real"), BANKS[1].hash(b"shown")];
    let bytes = log(&[event(4, ACTION, &mixed, b"shown")]);
    let mut replay = fresh();
    replay.expect(pcr(4), value(BANKS[0], 0, &[b"real"])).unwrap();
    let finished = replay.run(Log::open(&bytes).unwrap());
    let event = finished.events().next().unwrap();
    assert_eq!(event.digest(BANKS[0]), Some(mixed[0]));
    assert_eq!((event.digest(BANKS[1]), event.digests().count()), (None, 1));
    assert_eq!(event.covered_data(), None);
    assert!(event.untrusted().coverage(BANKS[1]).is_verbatim(), "as anybody can write it");
    assert_eq!(event.register().to_string(), "pcr4");
}

/// An event of another type, or of no known one, is replayed all the same: types decide nothing.
#[test]
fn types_decide_nothing() {
    for event_type in [0, 1, 6, 0x8401, 0x0800_0001, u32::MAX] {
        let bytes = log(&[event(4, event_type, &hashes(b"x"), b"x")]);
        let mut replay = fresh();
        replay.expect(pcr(4), value(BANKS[0], 0, &[b"x"])).unwrap();
        let finished = replay.run(Log::open(&bytes).unwrap());
        let event = finished.events().next().unwrap();
        assert_eq!(event.untrusted().event_type(), EventType(event_type));
    }
}

#[test]
fn registers_that_do_not_exist() {
    let odd = event(u32::MAX, NO_ACTION, &hashes(b"w"), b"w");
    let bytes = log(&[said(24, b"x"), odd, said(u32::MAX, b"y"), said(4, b"z")]);
    let mut replay = fresh();
    replay.expect(pcr(4), value(BANKS[0], 0, &[b"z"])).unwrap();
    let finished = replay.run(Log::open(&bytes).unwrap());
    assert_eq!((finished.error(), finished.end()), (None, End::Bytes));
    let findings: Vec<_> = finished.findings().map(|f| (f.kind, f.position.record)).collect();
    use FindingKind::{NoActionDigest, NoActionIndex, NoSuchRegister, StaticRegister};
    let expected =
        [(NoSuchRegister, 1), (NoActionIndex, 2), (NoActionDigest, 2), (NoSuchRegister, 3)];
    assert_eq!(findings, expected);
    let text = finished.findings().next().unwrap().to_string();
    assert!(text.ends_with("not replayed (record 1, byte 69)"), "{text}");
    assert_eq!(replay.holds(), Some(true));

    let bytes = log(&[said(0, b"x"), said(5, b"y"), said(4, b"z")]);
    let mut replay = Replay::<5>::new(Platform::Cca, &BANKS).unwrap();
    let rem3 = RemIndex::new(3).unwrap();
    replay.expect(rem3, value(BANKS[0], 0, &[b"z"])).unwrap();
    let findings: Vec<_> =
        replay.run(Log::open(&bytes).unwrap()).findings().map(|f| f.kind).collect();
    assert_eq!(findings, [StaticRegister, NoSuchRegister]);
    assert_eq!(replay.holds(), Some(true));

    let wrong: [RegisterIndex; 4] = [
        RegisterIndex::Rim,
        RtmrIndex::new(3).unwrap().into(),
        pcr(4).into(),
        CcMrIndex::new(4).unwrap().into(),
    ];
    for register in wrong {
        let error = replay.expect(register, Digest::zeros(BANKS[0])).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NoSuchRegister, "{register}");
    }
    let error = replay.expect(rem3, Digest::zeros(Algorithm::Sha1)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NoSuchBank);
    let error = Replay::<23>::new(Platform::Tpm, &BANKS).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooManyRegisters);
    for banks in [&[][..], &[BANKS[0], BANKS[0]]] {
        let error = <Replay>::new(Platform::Tpm, banks).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Banks);
    }
}

/// A digest that is missing in the middle: the values before it still count as a prefix.
#[test]
fn missing_digests() {
    let short = event(4, ACTION, &hashes(b"b")[..1], b"b");
    let none = event(4, ACTION, &[], b"c");
    let bytes = log(&[said(4, b"a"), short, said(7, b"x"), said(4, b"d")]);
    let mut replay = fresh();
    replay.expect(pcr(4), value(BANKS[0], 0, &[b"a", b"b", b"d"])).unwrap();
    replay.expect(pcr(7), value(BANKS[1], 0, &[b"x"])).unwrap();
    let mut wrong = replay.clone();
    replay.expect(pcr(4), value(BANKS[1], 0, &[b"a"])).unwrap();
    wrong.expect(pcr(4), value(BANKS[1], 0, &[b"a", b"d"])).unwrap();

    let finished = replay.run(Log::open(&bytes).unwrap());
    let findings: Vec<_> = finished.findings().map(|f| (f.kind, f.position.record)).collect();
    use FindingKind::{DigestCount, MissingDigest};
    assert_eq!(findings, [(DigestCount, 2), (MissingDigest(BANKS[1]), 2)]);
    assert_eq!(finished.events().count(), 2, "one of PCR 4, one of PCR 7");
    assert_eq!(replay.result(pcr(4), BANKS[0]), Match::Complete);
    assert_eq!(replay.result(pcr(4), BANKS[1]), Match::Prefix { matched: 1, beyond: 2 });
    assert_eq!(replay.register(pcr(4)).unwrap().value(BANKS[1]), None);
    assert_eq!(replay.holds(), Some(false));

    let finished = wrong.run(Log::open(&bytes).unwrap());
    assert_eq!(finished.events().count(), 1, "never skipped");
    assert_eq!(wrong.result(pcr(4), BANKS[1]), Match::Mismatch);
    // A value that is expected afterwards does not match what was before the gap.
    wrong.expect(pcr(4), value(BANKS[1], 0, &[b"a"])).unwrap();
    assert_eq!(wrong.result(pcr(4), BANKS[1]), Match::Mismatch);

    let bytes = log(&[none]);
    let mut replay = fresh();
    let kinds: Vec<_> = replay.run(Log::open(&bytes).unwrap()).findings().map(|f| f.kind).collect();
    assert_eq!(kinds, [DigestCount, MissingDigest(BANKS[0]), MissingDigest(BANKS[1])]);
}

#[test]
fn headers() {
    let agent = |algorithms: &[(u16, u16)]| header(0, &[0; 16], algorithms);
    let one = agent(&[(0x0C, 48), (0x12, 32)]);
    let two = agent(&[(0x0B, 32), (0x0C, 48), (0x12, 32)]);
    assert_eq!((one.len(), two.len()), (69, 73));
    for bytes in [&one, &two] {
        let bytes = [&bytes[..], &[0xFF; 8]].concat();
        let mut log = Log::open(&bytes).unwrap();
        assert!(!log.header().unwrap().has_signature);
        assert_eq!((log.next().is_none(), log.end()), (true, Some(End::Mark)));
        assert_eq!(detect(&bytes), Some(Format::Tcg2));
        let mut replay = fresh();
        let found: Vec<_> = replay.run(Log::open(&bytes).unwrap()).findings().collect();
        let kinds: Vec<_> = found.iter().map(|f| (f.kind, f.position.offset)).collect();
        assert_eq!(kinds, [(FindingKind::HeaderSignature, 0)]);
    }

    let open = |bytes: &[u8]| Log::open(bytes).map(|log| log.layout()).map_err(|e| e.kind());
    let good = header_for(&BANKS);
    assert_eq!(open(&good), Ok(Layout::Agile));
    for cut in 0..good.len() {
        let expected = if cut < 48 { ErrorKind::UnknownFormat } else { ErrorKind::Truncated };
        assert_eq!(open(&good[..cut]), Err(expected), "{cut}");
    }
    for (name, algorithms, kind) in [
        ("no algorithm", vec![], ErrorKind::Header),
        ("twice", vec![(4, 20), (4, 20)], ErrorKind::Header),
        ("wrong size", vec![(4, 32)], ErrorKind::Header),
        ("size 0", vec![(0x12, 0)], ErrorKind::Header),
        ("too many", (0..17).map(|id| (0x100 + id, 1)).collect(), ErrorKind::TooManyAlgorithms),
    ] {
        let bytes = header(0, SIGNATURE, &algorithms);
        assert_eq!(open(&bytes), Err(kind), "{name}");
        assert_eq!(detect(&bytes), Some(Format::Tcg2), "named all the same");
        let unsigned = header(0, &[0; 16], &algorithms);
        assert_ne!(open(&unsigned), Ok(Layout::Agile), "{name}");
    }
    let sixteen: Vec<_> = (0..16).map(|id| (0x100 + id, 0xFFFF)).collect();
    let bytes = header(1, SIGNATURE, &sixteen);
    assert_eq!((open(&bytes), detect(&bytes)), (Ok(Layout::Agile), Some(Format::Ccel)));
    let mut few = Limits::DEFAULT;
    few.algorithms = 15;
    assert_eq!(Log::open_with(&bytes, few).unwrap_err().kind(), ErrorKind::TooManyAlgorithms);

    // 29 + 4k + v is the size of the data.
    for (index, byte) in [(28, good.len() as u8 - 32 - 1), (good.len() - 1, 1), (56, 1), (56, 3)] {
        let mut bad = good.clone();
        bad[index] = byte;
        assert_eq!(open(&bad), Err(ErrorKind::Header), "{index}");
    }
    let mut odd = good.clone();
    (odd[0], odd[9]) = (2, 1);
    let mut replay = fresh();
    let kinds: Vec<_> = replay.run(Log::open(&odd).unwrap()).findings().map(|f| f.kind).collect();
    assert_eq!(kinds, [FindingKind::HeaderIndex, FindingKind::HeaderDigest]);
}

/// The log that the agent of Confidential Containers gives for a machine without one.
#[test]
fn an_agents_stub() {
    let Some(path) = shared("eventlogs/trustee/verifier/test_data/csv_evidence.json") else {
        return;
    };
    let json = Json::parse(&std::fs::read_to_string(path).unwrap());
    let bytes = base64(json.at("cc_eventlog").text().unwrap().as_bytes());
    assert_eq!(bytes.len(), 77);
    let mut log = Log::open(&bytes).unwrap();
    let ids: Vec<_> = log.algorithms().iter().map(|listed| listed.id).collect();
    assert_eq!((ids, log.next().is_none()), (vec![0x0C, 0x12], true));
    assert_eq!(log.end(), Some(End::Mark));
}

/// Two logs in one: the second header extends nothing, and its algorithms must be the same.
#[test]
fn repeated_headers() {
    let agile = event(1, NO_ACTION, &BANKS.map(Digest::zeros), SIGNATURE);
    let bytes = log(&[said(4, b"a"), header_for(&BANKS), agile, said(4, b"b")]);
    let mut replay = fresh();
    replay.expect(pcr(4), value(BANKS[0], 0, &[b"a", b"b"])).unwrap();
    let finished = replay.run(Log::open(&bytes).unwrap());
    let found: Vec<_> = finished.findings().map(|f| (f.kind, f.position.record)).collect();
    let repeated = FindingKind::RepeatedHeader;
    assert_eq!((finished.error(), found), (None, vec![(repeated, 2), (repeated, 3)]));
    assert_eq!(replay.holds(), Some(true));
    let second = Log::open(&bytes).unwrap().nth(1).unwrap().unwrap();
    assert!(second.data().starts_with(SIGNATURE) && second.is_no_action());

    let bytes = log(&[said(4, b"a"), header_for(&BANKS[..1]), said(4, b"b")]);
    let mut replay = fresh();
    let error = replay.run(Log::open(&bytes).unwrap()).error().unwrap();
    assert_eq!((error.kind(), error.record()), (ErrorKind::Header, 2));
}

#[test]
fn ends() {
    let base = log(&[said(4, b"a"), no_action(0, b"x")]);
    let old = [sha1_event(4, ACTION, &[1; 20], b"a"), sha1_event(5, 4, &[2; 20], b"")].concat();
    for (bytes, record) in [(&base, 16), (&old, 32)] {
        for (filler, marked) in [(0xFF, 8), (0, record)] {
            for count in 0..200 {
                let filled = [&bytes[..], &vec![filler; count]].concat();
                let mut log = Log::open(&filled).unwrap();
                assert_eq!(log.by_ref().map(Result::unwrap).count(), 2);
                let expected = match (count, filler) {
                    (0, _) => End::Bytes,
                    (_, 0) => End::Zeros,
                    (8, _) => End::Mark,
                    _ => End::Ones,
                };
                assert_eq!(log.end(), Some(expected), "{count} x {filler}");
                assert_eq!(log.next_position().offset, bytes.len() as u64);
                assert_eq!(log.rest().len(), count);
                // Something behind it.
                let mut spoiled = [&filled[..], &[7]].concat();
                let mut log = Log::open(&spoiled).unwrap();
                let events = log.by_ref().take_while(Result::is_ok).count();
                if count >= marked {
                    assert_eq!((events, log.end()), (2, Some(End::Garbage)));
                    let mut replay = fresh();
                    let finished = replay.run(Log::open(&spoiled).unwrap());
                    let last = finished.findings().last().unwrap();
                    assert_eq!(last.kind, FindingKind::BytesBehind);
                    assert_eq!(last.position.offset, bytes.len() as u64);
                } else if count > 0 {
                    assert!(matches!(log.end(), Some(End::Error(_))), "{count} x {filler}");
                }
                // A whole record behind it is not read either.
                spoiled.truncate(bytes.len() + count);
                if count >= marked {
                    spoiled.extend(said(4, b"hidden"));
                    assert_eq!(Log::open(&spoiled).unwrap().count(), 2);
                }
            }
        }
    }
    // Register 0xFFFFFFFF alone, and a record of type 0 with something in it, are no ends.
    let zero = event(0, 0, &[], b"x");
    let bytes = log(&[no_action(u32::MAX, b""), zero, event(1, 0, &[], b""), said(4, b"a")]);
    assert_eq!(Log::open(&bytes).unwrap().map(Result::unwrap).count(), 4);
}

/// Firmware's log, then its final events table, of which the log has the front already.
#[test]
fn one_log_after_another() {
    let main = log(&[said(4, b"a"), said(4, b"b")]);
    let table = [
        &1_u64.to_le_bytes()[..],
        &2_u64.to_le_bytes(),
        &said(4, b"b"),
        &said(5, b"ExitBootServices"),
        &[0; 99],
    ]
    .concat();
    let first = Log::open(&main).unwrap();
    let events = FinalEvents::read(&table, first.algorithms(), Limits::DEFAULT).unwrap();
    let known = said(4, b"b").len() as u64;
    let mut replay = fresh();
    replay.expect(pcr(4), value(BANKS[0], 0, &[b"a", b"b"])).unwrap();
    replay.expect(pcr(5), value(BANKS[0], 0, &[b"ExitBootServices"])).unwrap();
    let finished = replay.run(first.clone());
    assert_eq!(finished.events().count(), 2);
    assert_eq!(replay.holds(), Some(false));
    let finished = replay.run(events.beyond(known).unwrap());
    assert_eq!((finished.error(), finished.end()), (None, End::Bytes));
    let trusted: Vec<_> = finished.events().map(|event| event.covered_data().unwrap()).collect();
    assert_eq!(trusted, [b"ExitBootServices"]);
    assert_eq!(replay.holds(), Some(true));
    // Taken twice, it does not match.
    let mut twice = fresh();
    twice.expect(pcr(4), value(BANKS[0], 0, &[b"a", b"b"])).unwrap();
    let _ = twice.run(first);
    assert_eq!(twice.holds(), Some(true));
    let _ = twice.run(events.all());
    assert_eq!(twice.result(pcr(4), BANKS[0]), Match::Prefix { matched: 2, beyond: 1 });
}

/// One by one, with a loop of the caller.
#[test]
fn pushed_events() {
    let bytes = log(&[locality(3), said(0, b"a"), said(99, b"b"), said(0, b"c")]);
    let mut whole = fresh();
    let _ = whole.run(Log::open(&bytes).unwrap());
    let mut replay = fresh();
    let mut odd = Vec::new();
    for event in Log::open(&bytes).unwrap() {
        odd.extend(replay.push(&event.unwrap()).unwrap().iter());
    }
    assert_eq!((odd, &replay), (vec![FindingKind::NoSuchRegister], &whole));
    let second = Log::open(&bytes).unwrap().nth(1).unwrap().unwrap();
    let error: Error = replay.push(&second).unwrap_err();
    assert_eq!((error.kind(), error.record()), (ErrorKind::NotContiguous, 2));
    assert_eq!(replay, whole, "unchanged");
}

/// Records without a header, as an agent keeps them.
#[test]
fn records_without_header() {
    let bytes = [said(4, b"a"), said(4, b"b")].concat();
    let raw = [0x0B, 0, 32, 0, 0x0C, 0, 48, 0];
    let log = Log::without_header(&bytes, AlgorithmList::new(&raw).unwrap());
    assert_eq!(log.header(), None);
    let mut replay = fresh();
    replay.expect(pcr(4), value(BANKS[1], 0, &[b"a", b"b"])).unwrap();
    assert_eq!(replay.run(log).error(), None);
    assert_eq!(replay.holds(), Some(true));
    assert_eq!(detect(&bytes), None);
}

/// What the SHA-1 format is taken for.
#[test]
fn sha1_logs_are_recognized_cautiously() {
    let good = sha1_event(0, 8, &[7; 20], b"version");
    assert_eq!(detect(&good), Some(Format::TcgSha1));
    let bad = [
        sha1_event(24, 8, &[7; 20], b"PCR"),
        sha1_event(0, 0x8401, &[7; 20], b"vendor's type"),
        sha1_event(0, 0, &[7; 20], b"reserved type"),
        [&good[..], &sha1_event(99, 8, &[7; 20], b"second")].concat(),
        [&good[..], b"x"].concat(),
        good[..good.len() - 1].to_vec(),
        vec![0; 100],
        vec![0xFF; 100],
    ];
    for bytes in &bad {
        assert_eq!(detect(bytes), None);
        let error = Log::open(bytes).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnknownFormat);
    }
    // Who knows what it is can say so.
    assert_eq!(Log::sha1(&bad[1]).map(Result::unwrap).count(), 1);
    let both = [&good[..], &sha1_event(11, 0x8401, &[7; 20], b"vendor's type")].concat();
    assert_eq!(detect(&both), Some(Format::TcgSha1));
}

/// A value that is expected only after a log that ended in an error is not complete either.
#[test]
fn expecting_after_an_error() {
    let bytes = [log(&[said(4, b"a")]), b"garbage".to_vec()].concat();
    let mut replay = fresh();
    assert!(replay.run(Log::open(&bytes).unwrap()).error().is_some());
    replay.expect(pcr(4), value(BANKS[0], 0, &[b"a"])).unwrap();
    replay.expect(pcr(5), Digest::zeros(BANKS[0])).unwrap();
    assert_eq!(replay.result(pcr(4), BANKS[0]), Match::Prefix { matched: 1, beyond: 1 });
    assert_eq!(replay.result(pcr(5), BANKS[0]), Match::Prefix { matched: 0, beyond: 1 });
    let mut out = [0; <Replay>::SAVED_MAX];
    let mut again = <Replay>::restore(replay.save(&mut out).unwrap()).unwrap();
    assert_eq!(again, replay);
    again.expect(pcr(6), Digest::zeros(BANKS[0])).unwrap();
    assert_eq!(again.result(pcr(6), BANKS[0]), Match::Prefix { matched: 0, beyond: 1 });
}
