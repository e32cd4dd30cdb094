// SPDX-License-Identifier: MIT OR Apache-2.0
//! dstack's runtime events.

mod common;

use common::cel::file;
use common::json::Json;
use common::tcg::digest;
use tsm_core::Algorithm;
use tsm_eventlog::cel::{Check, Match, Register, Replay};
use tsm_eventlog::dstack::{Event, Events, Log, Version};
use tsm_eventlog::{ErrorKind, Format, detect};
use tsm_test_support::base64;

const SHA384: Algorithm = Algorithm::Sha384;

/// Two levels of JSON: the report has the events as text.
fn events(report: &[u8]) -> Option<String> {
    let text = str::from_utf8(report).unwrap();
    Some(Json::parse(text).at("event_log").text()?.to_owned())
}

/// The events of a TD with its quote: all four RTMRs.
#[test]
fn a_report_and_its_quote() {
    let Some(report) = file("dstack/quote-report.json") else { return };
    let array = events(&report).unwrap();
    assert_eq!(detect(array.as_bytes()), Some(Format::DstackEvents));
    let expected = file("expected.json").unwrap();
    let expected = Json::parse(str::from_utf8(&expected).unwrap());
    let expected =
        expected.at("dstack/quote-report.json").at("values").list()[0].at("expected").clone();
    let mut replay = Replay::<4>::new(&[SHA384]).unwrap();
    for (rtmr, hex) in expected.object().unwrap() {
        let register = Register::CcMr(rtmr.parse::<u32>().unwrap() + 1);
        replay.expect(register, digest(SHA384, hex.text().unwrap())).unwrap();
    }
    let finished = replay.run(Events::new(array.as_bytes()));
    assert_eq!(finished.error(), None);
    let trusted: Vec<_> = finished.records().collect();
    assert_eq!(trusted.len(), 28);
    for number in 1..=4 {
        assert_eq!(replay.result(Register::CcMr(number), SHA384), Match::Complete, "{number}");
    }
    let runtime: Vec<_> = trusted.iter().filter(|event| event.record().is_runtime()).collect();
    assert_eq!(runtime.len(), 8);
    assert!(runtime.iter().all(|event| event.record().check() == Check::Verified));
    assert!(runtime.iter().any(|event| event.record().event().name == "compose-hash"));

    // Digests left out of runtime events, and payloads of the boot's: the same values.
    let mut stripped = array.clone();
    for event in &runtime {
        stripped = stripped.replace(&event.record().recorded().to_string(), "");
    }
    assert!(stripped.len() < array.len());
    let mut again = Replay::<4>::new(&[SHA384]).unwrap();
    assert_eq!(again.run(Events::new(stripped.as_bytes())).error(), None);
    for state in replay.registers() {
        let value = again.register(state.register()).unwrap().value(SHA384);
        assert_eq!(value, state.expected(SHA384));
    }

    // As lines, for RTMR3 alone.
    let mut lines = Vec::new();
    for event in &runtime {
        let mut buffer = vec![0; 4096];
        lines.extend_from_slice(event.record().event().write_line(&mut buffer).unwrap());
    }
    assert_eq!(detect(&lines), Some(Format::DstackLog));
    let mut again = Replay::<1>::new(&[SHA384]).unwrap();
    again.expect(Log::RTMR3, replay.register(Log::RTMR3).unwrap().value(SHA384).unwrap()).unwrap();
    assert_eq!(again.run(Log::new(&lines, Log::RTMR3)).error(), None);
    assert_eq!(again.result(Log::RTMR3, SHA384), Match::Complete);
    eprintln!("28 events, 4 values");
}

/// Pre-images by hand, from the rules in `runtime_events.rs` and RFC 8785.
#[test]
fn what_is_hashed() {
    let cases: [(&str, &[u8], Version, &[u8]); 6] = [
        ("app-id", &[0xDE, 0xAD], Version::V1, b"\x01\0\0\x08:app-id:\xDE\xAD"),
        ("", b"", Version::V1, b"\x01\0\0\x08::"),
        (
            "compose-hash",
            &[0xAB, 0xCD],
            Version::V2,
            br#"{"name":"compose-hash","payload":"abcd","type":134217729}"#,
        ),
        ("", b"", Version::V2, br#"{"name":"","payload":"","type":134217729}"#),
        (
            "a\"b\\c/\n\r\t\u{8}\u{c}\u{1}\u{1f}\u{7f}:",
            b"",
            Version::V2,
            b"{\"name\":\"a\\\"b\\\\c/\\n\\r\\t\\b\\f\\u0001\\u001f\x7f:\",\"payload\":\"\",\"type\":134217729}",
        ),
        (
            "\u{6d4b}\u{1f980}",
            &[7],
            Version::V2,
            "{\"name\":\"\u{6d4b}\u{1f980}\",\"payload\":\"07\",\"type\":134217729}".as_bytes(),
        ),
    ];
    for (name, payload, version, hashed) in cases {
        let event = Event::new(name, payload, version).unwrap();
        let mut buffer = [0; 200];
        assert_eq!(event.write_hashed(&mut buffer), Ok(hashed));
        assert_eq!(event.hash(SHA384), Some(SHA384.hash(hashed)));
        let mut buffer = [0; 300];
        let line = event.write_line(&mut buffer).unwrap().to_vec();
        let read: Vec<_> = Log::new(&line, Log::RTMR3).map(Result::unwrap).collect();
        assert_eq!((read.len(), *read[0].event()), (1, event), "there and back");
        assert_eq!(read[0].digest(SHA384), event.hash(SHA384));
        assert_eq!(read[0].check(), Check::NoDigest, "nothing to compare with");
        for room in 0..line.len() {
            assert_eq!(event.write_line(&mut vec![0; room]).unwrap_err().kind(), ErrorKind::NoRoom);
        }
    }
}

#[test]
fn names_with_colons() {
    let error = Event::new("a:b", b"c", Version::V1).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotRepresentable);
    assert!(Event::new("a:b", b"c", Version::V2).is_ok());
    assert!(Event::new("a", b"c", Version::Other(3)).is_err());
    // Why: read, they have one digest.
    let line =
        |name: &str, payload: &str| format!("{{\"event\":\"{name}\",\"payload\":\"{payload}\"}}\n");
    let (one, other) = (line("a:b", "Yw=="), line("a", "Yjpj"));
    let read = |line: &str| {
        Log::new(line.as_bytes(), Log::RTMR3).next().unwrap().unwrap().digest(SHA384).unwrap()
    };
    assert_eq!(read(&one), read(&other));
    let one = Log::new(one.as_bytes(), Log::RTMR3).next().unwrap().unwrap();
    let error = one.event().write_line(&mut [0; 100]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotRepresentable);
}

#[test]
fn versions_and_blank_lines() {
    let log = b"\n{\"event\":\"a\",\"payload\":\"\"}\n  \n{\"version\":2,\"payload\":\"AQID\",\"event\":\"b\"}\n{\"event\":\"c\",\"payload\":\"\",\"version\":3}\n";
    let events: Vec<_> = Log::new(log, Log::RTMR3).map(Result::unwrap).collect();
    let versions: Vec<_> = events.iter().map(|event| event.event().version).collect();
    assert_eq!(versions, [Version::V1, Version::V2, Version::Other(3)]);
    let lines: Vec<_> = events.iter().map(|event| event.position().line).collect();
    assert_eq!(lines, [2, 4, 5]);
    assert!(events[1].event().payload.iter().eq([1, 2, 3]));
    // What cannot be hashed is not passed over in silence.
    let mut replay = Replay::<1>::new(&[SHA384]).unwrap();
    let _ = replay.run(Log::new(log, Log::RTMR3));
    let state = *replay.register(Log::RTMR3).unwrap();
    assert_eq!((state.records(), state.missing(SHA384)), (3, Some(1)));
    replay.expect(Log::RTMR3, state.value(SHA384).unwrap()).unwrap();
    assert_eq!(replay.result(Log::RTMR3, SHA384), Match::Prefix { matched: 2, beyond: 1 });
}

#[test]
fn base64_is_strict() {
    let read = |payload: &str| {
        let line = format!("{{\"event\":\"a\",\"payload\":\"{payload}\"}}\n");
        let event = Log::new(line.as_bytes(), Log::RTMR3).next().unwrap();
        event.map(|event| {
            assert_eq!(event.event().payload.len(), event.event().payload.iter().count());
            event.event().payload.iter().collect::<Vec<_>>()
        })
    };
    for good in ["", "AA==", "AAA=", "AAAA", "+/+/", "//8=", "QUJDRA=="] {
        assert_eq!(read(good), Ok(base64(good.as_bytes())), "{good}");
    }
    for bad in [
        "A",
        "AA",
        "AAA",
        "AA=",
        "A===",
        "====",
        "AB==",
        "AAB=",
        "AA==AAAA",
        "AA=A",
        "A AA",
        "-_-_",
        "AA\\u003d=",
    ] {
        assert_eq!(read(bad).unwrap_err().kind(), ErrorKind::Member, "{bad}");
    }
}

#[test]
fn malformed_events() {
    let good = "{\"imr\":3,\"event_type\":134217729,\"digest\":\"\",\"event\":\"a\",\"event_payload\":\"00\"}";
    for (bad, kind) in [
        ("", ErrorKind::Truncated),
        ("{}", ErrorKind::Encoding),
        ("[", ErrorKind::Truncated),
        ("[]x", ErrorKind::Encoding),
        ("[,]", ErrorKind::Member),
        (&format!("[{good}"), ErrorKind::Truncated),
        (&format!("[{good},]"), ErrorKind::Member),
        (&format!("[{good}{good}]"), ErrorKind::Encoding),
        (&format!("[{}]", good.replace("\"imr\":3,", "")), ErrorKind::Member),
        (&format!("[{}]", good.replace("\"imr\":3", "\"imr\":4294967295")), ErrorKind::Number),
        (&format!("[{}]", good.replace("\"imr\":3", "\"imr\":3,\"imr\":3")), ErrorKind::Member),
        (&format!("[{}]", good.replace("\"00\"", "\"0\"")), ErrorKind::Member),
        (&format!("[{}]", good.replace("\"00\"", "\"GG\"")), ErrorKind::Member),
    ] {
        let error = Events::new(bad.as_bytes()).find_map(Result::err);
        let kinds = [kind, ErrorKind::Encoding];
        assert!(error.is_some_and(|error| kinds.contains(&error.kind())), "{bad} {error:?}");
    }
    assert_eq!(Events::new(b" [ ] ").count(), 0);
    let with = |members: &str| {
        let text = format!("[{}]", good.replace("\"digest\":\"\"", members));
        Events::new(text.as_bytes()).next().unwrap().unwrap().check()
    };
    let right = SHA384.hash(b"\x01\0\0\x08:a:\0").to_string().split_once('/').unwrap().1.to_owned();
    assert_eq!(with(&format!("\"digest\":\"{right}\"")), Check::Verified);
    assert_eq!(with(&format!("\"digest\":\"{}\"", "0".repeat(96))), Check::Mismatch);
    let hashed = "010000083a613a00";
    for name in ["preimage", "hash_input"] {
        assert_eq!(
            with(&format!("\"digest\":\"{right}\",\"{name}\":\"{hashed}\"")),
            Check::Verified
        );
        assert_eq!(with(&format!("\"digest\":\"{right}\",\"{name}\":\"00\"")), Check::Mismatch);
        assert_eq!(with(&format!("\"digest\":\"{right}\",\"{name}\":null")), Check::Verified);
    }
    // An event that is never extended.
    let text = format!("[{}]", good.replace("134217729", "3"));
    let mut replay = Replay::<4>::new(&[SHA384]).unwrap();
    assert_eq!(replay.run(Events::new(text.as_bytes())).error(), None);
    assert_eq!(replay.registers().count(), 0);
}

#[test]
fn cut_at_every_byte() {
    let log = b"{\"event\":\"a\",\"payload\":\"AA==\"}\n{\"event\":\"b\",\"payload\":\"AA==\",\"version\":2}\n";
    let first = log.iter().position(|&byte| byte == b'\n').unwrap() + 1;
    for cut in 0..log.len() {
        let read: Vec<_> = Log::new(&log[..cut], Log::RTMR3).collect();
        let whole = usize::from(cut >= first);
        assert_eq!(read.iter().filter(|read| read.is_ok()).count(), whole);
        let error = read.iter().find_map(|read| read.as_ref().err()).map(|error| error.kind());
        let is_clean = cut == 0 || cut == first;
        assert_eq!(error, (!is_clean).then_some(ErrorKind::Truncated));
    }
}
