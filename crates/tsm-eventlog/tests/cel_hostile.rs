// SPDX-License-Identifier: MIT OR Apache-2.0
//! Canonical event logs that are cut, altered, or not logs at all; and laws of reading and writing.

mod common;

use common::cel::{exercise, file, files};
use proptest::collection::vec;
use proptest::prelude::*;
use tsm_core::{Algorithm, Digest};
use tsm_eventlog::cel::{
    Content, Dialect, Digests, Encoding, EventLabel, Log, Management, Match, Record, Register,
    Replay, StateTransition, Writer,
};
use tsm_eventlog::tcg::EventType;
use tsm_eventlog::{Bytes, ErrorKind, Limits, aael, detect, dstack, systemd};
use tsm_test_support::base64;

const SHA256: Algorithm = Algorithm::Sha256;

fn digest(content: &str) -> Digest {
    SHA256.hash(content.as_bytes())
}

fn write(records: &[Record<'_>], encoding: Encoding) -> Vec<u8> {
    let mut buffer = vec![0; 1 << 16];
    let mut writer = Writer::new(&mut buffer, encoding).unwrap();
    for record in records {
        let before = writer.as_bytes().len();
        let room = writer.room_for(record).unwrap();
        writer.push(record).unwrap();
        assert_eq!(writer.as_bytes().len(), before + room);
    }
    writer.finish().to_vec()
}

fn error(bytes: &[u8], encoding: Encoding) -> Option<ErrorKind> {
    Log::new(bytes, encoding).find_map(Result::err).map(|error| error.kind())
}

/// Reads all there is, in every way.
fn exercise_all(bytes: &[u8], encoding: Encoding) -> usize {
    let mut count = 0;
    let mut last = 0;
    for record in Log::new(bytes, encoding) {
        let Ok(record) = record else { break };
        exercise(record.record());
        assert!(record.position().offset >= last && record.end().offset <= bytes.len() as u64);
        assert!(record.end().offset > record.position().offset);
        last = record.end().offset;
        count += 1;
    }
    let mut replay = Replay::<2>::new(Algorithm::ALL).unwrap();
    let finished = replay.run(Log::new(bytes, encoding));
    assert_eq!(finished.records().count(), 0, "nothing is expected");
    let _ = detect(bytes);
    count
}

/// A record of each kind, whose digests are `digests`.
fn kinds(digests: &[Digest]) -> Vec<Record<'_>> {
    let management = |event: Management<'static>| Content::Management(event.into());
    let contents = [
        management(Management::Version { major: 1, minor: 1 }),
        management(Management::FirmwareEnd),
        management(Management::Timestamp { time: u64::MAX, dialect: Dialect::Decimal }),
        management(Management::Timestamp { time: 0, dialect: Dialect::Hexadecimal }),
        management(Management::StateTransition {
            transition: StateTransition::Kexec,
            dialect: Dialect::Decimal,
        }),
        management(Management::StateTransition {
            transition: StateTransition::Other(77),
            dialect: Dialect::Hexadecimal,
        }),
        Content::PcClientStd {
            event_type: EventLabel::from(EventType::EFI_ACTION),
            data: Bytes::from(&b"Exit"[..]),
        },
        Content::PcClientStd { event_type: EventLabel::Number(0x8401), data: Bytes::from(&[][..]) },
        Content::ImaTemplate { name: "ima-ng".into(), data: Bytes::from(&[1, 2, 3][..]) },
        Content::ImaTlv(Bytes::from(&[0, 0, 0, 0, 1, b'x'][..])),
        Content::SystemdBytes(Bytes::from(&b"machine-id:0"[..])),
        Content::Cos(Bytes::from(&[2, 0, 0, 0, 5, b'N', b'e', b'v', b'e', b'r'][..])),
    ];
    let registers = [Register::Pcr(10), Register::NvIndex(0x01D1_0200), Register::CcMr(4)];
    contents
        .into_iter()
        .zip(registers.into_iter().cycle())
        .zip(0..)
        .map(|((content, register), recnum)| Record {
            recnum,
            register,
            digests: Digests::from(digests),
            content,
        })
        .collect()
}

#[test]
fn every_kind_there_and_back() {
    for digests in [&[][..], &[digest("a")], &[digest("a"), Digest::ones(Algorithm::Sha512)]] {
        let records = kinds(digests);
        for one in Encoding::ALL {
            let first = write(&records, one);
            let read: Vec<_> = Log::new(&first, one).map(Result::unwrap).collect();
            assert!(read.iter().map(|read| read.record()).eq(&records), "{one:?}");
            for other in Encoding::ALL {
                let read: Vec<_> = read.iter().map(|read| *read.record()).collect();
                let there = write(&read, other);
                let mut buffer = vec![0; 1 << 16];
                let mut back = Writer::new(&mut buffer, one).unwrap();
                back.push_all(Log::new(&there, other)).unwrap();
                assert_eq!(back.as_bytes(), first, "{one:?} {other:?}");
            }
        }
    }
}

/// All or nothing, at every size of the buffer; and a whole log at any time.
#[test]
fn buffers_too_small() {
    let digests = [digest("a")];
    let records = kinds(&digests);
    for encoding in Encoding::ALL {
        let all = write(&records, encoding);
        for room in 0..all.len() {
            let mut buffer = vec![0; room];
            let Ok(mut writer) = Writer::new(&mut buffer, encoding) else {
                assert!(room < 2);
                continue;
            };
            let fits = records.iter().take_while(|record| writer.push(record).is_ok()).count();
            assert!(fits < records.len());
            let error = writer.push(&records[fits]).unwrap_err();
            assert_eq!((error.kind(), error.record()), (ErrorKind::NoRoom, fits as u64));
            let written = Log::new(writer.as_bytes(), encoding).map(Result::unwrap);
            assert!(written.map(|read| *read.record()).eq(records[..fits].iter().copied()));
        }
        assert_eq!(write(&records, encoding).len(), all.len(), "exactly enough");
    }
}

/// The head of an array grows with its count.
#[test]
fn long_arrays() {
    let record = Record {
        recnum: 0,
        register: Register::Pcr(1),
        digests: Digests::EMPTY,
        content: Content::SystemdBytes(Bytes::from(&[][..])),
    };
    let mut buffer = vec![0; 1 << 21];
    let mut writer = Writer::new(&mut buffer, Encoding::Cbor).unwrap();
    for count in 1..=70_000_u64 {
        writer.push(&record).unwrap();
        if [1, 23, 24, 25, 255, 256, 65_535, 65_536, 70_000].contains(&count) {
            let log = Log::new(writer.as_bytes(), Encoding::Cbor);
            assert_eq!(log.filter(Result::is_ok).count() as u64, count);
        }
    }
}

fn samples() -> Vec<(String, Vec<u8>)> {
    let digests = [digest("a"), Digest::ones(Algorithm::Sha1)];
    let made = Encoding::ALL.map(|one| (format!("{one:?}"), write(&kinds(&digests), one)));
    let mut all = Vec::from(made);
    if let Some(text) = file("go-tpm-tools/agent/testdata/cel.b64") {
        all.push(("cel.b64".into(), base64(&text)));
    }
    for folder in ["generated/cel-own", "generated/cel-tlv-safford", "generated/cel-json"] {
        all.extend(files(folder).into_iter().filter(|(_, bytes)| bytes.len() < 64 * 1024));
    }
    all
}

/// Cut at any byte, a log is either shorter and says so, or an error at the cut record; the records
/// before are the same.
#[test]
fn truncation_at_every_byte() {
    let mut cuts = 0;
    for (name, bytes) in samples() {
        let encoding = Encoding::detect(&bytes).unwrap();
        let all: Vec<_> = Log::new(&bytes, encoding).map(Result::unwrap).collect();
        let ends: Vec<_> = all.iter().map(|record| record.end().offset as usize).collect();
        let is_plain = matches!(encoding, Encoding::Tlv | Encoding::CborSequence);
        // Every byte of short logs; of long ones the first records and all ends, for the sake of time.
        let near = |cut: usize| cut < 4000 || ends.iter().any(|end| end.abs_diff(cut) < 3);
        // Some end with a line feed.
        let length = if is_plain { bytes.len() } else { bytes.trim_ascii_end().len() };
        for cut in (0..length).filter(|&cut| near(cut)) {
            let whole = ends.iter().filter(|&&end| end <= cut).count();
            let mut log = Log::new(&bytes[..cut], encoding);
            assert_eq!(
                log.by_ref().take(whole).filter(Result::is_ok).count(),
                whole,
                "{name} {cut}"
            );
            let found = log.next().map(|last| last.unwrap_err().kind());
            let is_end = is_plain && (cut == 0 || ends.contains(&cut));
            assert_eq!(found, (!is_end).then_some(ErrorKind::Truncated), "{name} {cut}");
            assert!(log.next().is_none());
            cuts += 1;
        }
    }
    eprintln!("{cuts} cuts");
}

/// Every four bytes as 0, 1 and the largest number, and every byte as some that matter: never a panic,
/// never a record beyond the log.
#[test]
fn altered_bytes() {
    let mut altered = 0;
    for (_, bytes) in samples().iter().filter(|(_, bytes)| bytes.len() < 12_000) {
        let encoding = Encoding::detect(bytes).unwrap();
        let bytes = &bytes[..bytes.len().min(600)];
        for place in 0..bytes.len() {
            for value in [0, 1, 0x7F, 0x9F, 0xBB, 0xFF, b'"', b'\\', b'['] {
                let mut changed = bytes.to_vec();
                changed[place] = value;
                exercise_all(&changed, encoding);
                altered += 1;
            }
            for value in [0, 1, u32::MAX] {
                let mut changed = bytes.to_vec();
                let Some(four) = changed.get_mut(place..place + 4) else { continue };
                four.copy_from_slice(&value.to_be_bytes());
                exercise_all(&changed, encoding);
                altered += 1;
            }
        }
    }
    eprintln!("{altered} altered");
}

fn tlv(kind: u8, value: &[u8]) -> Vec<u8> {
    [&[kind][..], &(value.len() as u32).to_be_bytes(), value].concat()
}

fn tlv_record(recnum: &[u8], register: (u8, &[u8]), digests: &[u8], content: &[u8]) -> Vec<u8> {
    [tlv(0, recnum), tlv(register.0, register.1), tlv(3, digests), content.to_vec()].concat()
}

#[test]
fn integers_of_every_width() {
    let content = tlv(9, b"x");
    for width in 0..=8 {
        let mut number = vec![0; width];
        if let Some(last) = number.last_mut() {
            *last = 7;
        }
        let expected = if width == 0 { 0 } else { 7 };
        let bytes = tlv_record(&number, (1, &number), &[], &content);
        let record = *Log::new(&bytes, Encoding::Tlv).next().unwrap().unwrap().record();
        assert_eq!(record.recnum, expected);
        assert_eq!(record.register, Register::Pcr(expected as u32));
    }
    let nine = tlv_record(&[0; 9], (1, &[7]), &[], &content);
    assert_eq!(error(&nine, Encoding::Tlv), Some(ErrorKind::Number));
    let five = tlv_record(&[0], (1, &[1, 0, 0, 0, 0]), &[], &content);
    assert_eq!(error(&five, Encoding::Tlv), Some(ErrorKind::Number));
    let shortest = write(
        &[Record {
            recnum: 0,
            register: Register::Pcr(256),
            digests: Digests::EMPTY,
            content: Content::SystemdBytes(Bytes::from(&b"x"[..])),
        }],
        Encoding::Tlv,
    );
    assert_eq!(shortest, tlv_record(&[0], (1, &[1, 0]), &[], &content));
}

#[test]
fn malformed_tlv() {
    let sha1 = tlv(4, &[0; 20]);
    let content = tlv(9, b"x");
    let record = |digests: &[u8], content: &[u8]| tlv_record(&[0], (1, &[1]), digests, content);
    assert_eq!(error(&record(&sha1, &content), Encoding::Tlv), None);
    let other = tlv(0x55, &[1; 128]);
    assert_eq!(error(&record(&other, &content), Encoding::Tlv), None, "of an unknown algorithm");
    let many: Vec<u8> = (0x30..0x41).flat_map(|kind| tlv(kind, &[0; 20])).collect();
    let two_versions = [tlv(0, &[1]), tlv(0, &[1]), tlv(1, &[1])].concat();
    for (bytes, kind) in [
        (record(&tlv(4, &[0; 19]), &content), ErrorKind::DigestList),
        (record(&[sha1.clone(), sha1.clone()].concat(), &content), ErrorKind::DigestList),
        (record(&many, &content), ErrorKind::DigestList),
        (record(&tlv(0x55, &[]), &content), ErrorKind::DigestList),
        (record(&tlv(0x55, &[0; 129]), &content), ErrorKind::DigestList),
        (record(&sha1[..10], &content), ErrorKind::Encoding),
        (record(&[&sha1[..], &[0]].concat(), &content), ErrorKind::Encoding),
        (record(&sha1, &tlv(3, b"x")), ErrorKind::Encoding),
        (record(&sha1, &tlv(4, &[])), ErrorKind::Member),
        (record(&sha1, &tlv(4, &tlv(2, &[0]))), ErrorKind::Member),
        (record(&sha1, &tlv(4, &tlv(1, &two_versions))), ErrorKind::Member),
        (record(&sha1, &tlv(5, &tlv(0, &[1]))), ErrorKind::Member),
        (record(&sha1, &tlv(5, &tlv(2, &[1]))), ErrorKind::Member),
        (record(&sha1, &tlv(7, &[tlv(0, &[0xFF]), tlv(1, b"")].concat())), ErrorKind::Encoding),
        (record(&sha1, &tlv(8, &[0])), ErrorKind::Encoding),
        (tlv_record(&[0], (7, &[1]), &sha1, &content), ErrorKind::Encoding),
        (content.clone(), ErrorKind::Encoding),
    ] {
        assert_eq!(error(&bytes, Encoding::Tlv), Some(kind), "{bytes:02x?}");
    }
    let mut limits = Limits::DEFAULT;
    limits.event_bytes = 0;
    let bytes = record(&sha1, &content);
    let kind = Log::new(&bytes, Encoding::Tlv).limits(limits).next().unwrap().unwrap_err().kind();
    assert_eq!(kind, ErrorKind::RecordTooLong);
}

#[test]
fn several_management_events_in_one_record() {
    let version = tlv(1, &[tlv(0, &[1]), tlv(1, &[1])].concat());
    let both = tlv(4, &[version.clone(), tlv(2, &[])].concat());
    let bytes = tlv_record(&[0], (1, &[1]), &[], &both);
    let record = *Log::new(&bytes, Encoding::Tlv).next().unwrap().unwrap().record();
    let Content::Management(events) = record.content else { panic!() };
    assert_eq!((events.one(), events.iter().count()), (None, 2));
    assert!(!record.is_measured());
    assert_eq!(write(&[record], Encoding::Tlv), bytes);
    let mut buffer = [0; 1000];
    let mut writer = Writer::new(&mut buffer, Encoding::Json).unwrap();
    assert_eq!(writer.push(&record).unwrap_err().kind(), ErrorKind::NotRepresentable);
    assert_eq!(writer.as_bytes(), b"[]", "as before");
    let time = tlv(4, &[version, tlv(80, &[1])].concat());
    let bytes = tlv_record(&[0], (1, &[1]), &[], &time);
    assert!(Log::new(&bytes, Encoding::Tlv).next().unwrap().unwrap().record().is_measured());
}

fn json(content_type: &str, content: &str) -> String {
    format!(
        "[{{\"recnum\":0,\"pcr\":1,\"digests\":[],\"content_type\":{content_type},\
         \"content\":{content}}}]"
    )
}

#[test]
fn malformed_json() {
    let good = json("\"systemd\"", "\"00\"");
    assert_eq!(error(good.as_bytes(), Encoding::Json), None);
    assert_eq!(error(format!(" {good}\n").as_bytes(), Encoding::Json), None);
    let pcclient = |content: &str| json("\"pcclient_std\"", content);
    let digests = |list: &str| good.replace("\"digests\":[]", &format!("\"digests\":{list}"));
    let sha1 = format!("{{\"hashAlg\":\"sha1\",\"digest\":\"{}\"}}", "0".repeat(40));
    assert_eq!(error(digests(&format!("[{sha1}]")).as_bytes(), Encoding::Json), None);
    assert_eq!(error(digests(&format!("[ {sha1} ]")).as_bytes(), Encoding::Json), None);
    for (bad, kind) in [
        (String::new(), ErrorKind::Truncated),
        ("{}".into(), ErrorKind::Encoding),
        ("[1]".into(), ErrorKind::Member),
        ("[{}]".into(), ErrorKind::Member),
        (good.clone() + "x", ErrorKind::Encoding),
        (good.clone() + "[]", ErrorKind::Encoding),
        (good.replace("}]", "},]"), ErrorKind::Encoding),
        (good.replace("\"recnum\":0", "\"recnum\":0,\"recnum\":0"), ErrorKind::Member),
        (good.replace("\"recnum\":0", "\"recnum\":0,\"\\u0072ecnum\":0"), ErrorKind::Member),
        (good.replace("\"recnum\":0,", ""), ErrorKind::Member),
        (good.replace("\"recnum\":0", "\"recnum\":\"0\""), ErrorKind::Member),
        (good.replace("\"recnum\":0", "\"recnum\":18446744073709551616"), ErrorKind::Number),
        (good.replace("\"pcr\":1", "\"pcr\":1,\"nv_index\":1"), ErrorKind::Member),
        (good.replace("\"pcr\":1", "\"pcr\":4294967296"), ErrorKind::Number),
        (good.replace("\"pcr\":1", "\"pcr\":1,\"new\":1"), ErrorKind::Member),
        (good.replace("\"systemd\"", "3"), ErrorKind::Member),
        (digests("{}"), ErrorKind::Member),
        (digests("[1]"), ErrorKind::Member),
        (digests(&format!("[{sha1},{sha1}]")), ErrorKind::DigestList),
        (
            digests(&format!("[{}]", sha1.replace("\"digest\":\"", "\"digest\":\"00"))),
            ErrorKind::DigestList,
        ),
        (
            digests(&format!("[{}]", sha1.replace("\"digest\":\"0", "\"digest\":\"G"))),
            ErrorKind::Member,
        ),
        (digests("[{\"hashAlg\":\"sha1\"}]"), ErrorKind::Member),
        (digests(&format!("[{}]", sha1.replace("sha1", &"a".repeat(100)))), ErrorKind::Member),
        (pcclient("{\"event_type\":1}"), ErrorKind::Member),
        (pcclient("{\"event_type\":4294967296,\"event_data\":\"\"}"), ErrorKind::Number),
        (pcclient("{\"event_type\":1,\"event_data\":\"0\"}"), ErrorKind::Member),
        (pcclient("[]"), ErrorKind::Member),
        (json("\"cel\"", "{\"type\":\"firmware_end\",\"data\":1}"), ErrorKind::Member),
        (
            json("\"cel\"", "{\"type\":\"cel_version\",\"data\":{\"major\":65536,\"minor\":0}}"),
            ErrorKind::Number,
        ),
        (json("\"new\"", &"[".repeat(9)), ErrorKind::Nesting),
        (json("\"new\"", &"[".repeat(10_000)), ErrorKind::Nesting),
        (json("\"new\"", "\"\u{1}\""), ErrorKind::Encoding),
    ] {
        assert_eq!(error(bad.as_bytes(), Encoding::Json), Some(kind), "{bad}");
    }
    let mut bytes = json("\"new\"", "\"x\"").into_bytes();
    let place = bytes.iter().rposition(|&byte| byte == b'x').unwrap();
    bytes[place] = 0xFF;
    assert_eq!(error(&bytes, Encoding::Json), Some(ErrorKind::Encoding));
}

#[test]
fn names_of_json() {
    let first = |text: &str| {
        let text = text.to_owned().leak();
        *Log::new(text.as_bytes(), Encoding::Json).next().unwrap().unwrap().record()
    };
    let event_type = |name: &str| {
        let content = format!("{{\"event_type\":{name},\"event_data\":\"\"}}");
        let Content::PcClientStd { event_type, .. } = first(&json("5", &content)).content else {
            panic!()
        };
        event_type
    };
    assert!(event_type("\"EV_NO_ACTION\"").is(EventType::NO_ACTION));
    assert!(event_type("\"ev_no_action\"").is(EventType::NO_ACTION));
    assert!(event_type("3").is(EventType::NO_ACTION));
    assert!(event_type("\"3\"").is(EventType::NO_ACTION));
    assert_eq!(event_type("\"EV_NEW\""), EventLabel::Name("EV_NEW".into()));
    // What is not known stays as it is, in JSON; other encodings refuse what they cannot say.
    for unknown in [json("\"new\"", "{\"a\":[1,2.5,null]}"), json("\"ima_tlv\"", "{}")] {
        let record = first(&unknown);
        assert!(matches!(record.content, Content::Other(_)) && record.is_measured());
        assert_eq!(write(&[record], Encoding::Json), unknown.as_bytes());
        let mut buffer = [0; 1000];
        for encoding in [Encoding::Tlv, Encoding::Cbor] {
            let mut writer = Writer::new(&mut buffer, encoding).unwrap();
            assert_eq!(writer.push(&record).unwrap_err().kind(), ErrorKind::NotRepresentable);
        }
    }
    // Bytes of a type without a name go everywhere.
    let record = first(&json("200", "\"00ff\""));
    for encoding in Encoding::ALL {
        let bytes = write(&[record], encoding);
        assert_eq!(*Log::new(&bytes, encoding).next().unwrap().unwrap().record(), record);
    }
}

#[test]
fn malformed_cbor() {
    let good = write(&kinds(&[])[10..11], Encoding::CborSequence);
    assert_eq!(good[..6], [0xA5, 0, 10, 2, 0x1A, 1]);
    let list = |bytes: &[u8]| [&[0x81][..], bytes].concat();
    assert_eq!(error(&list(&good), Encoding::Cbor), None);
    let huge = [0x9B, 255, 255, 255, 255, 255, 255, 255, 255];
    let with_digests = |digests: &[u8]| {
        let place = good.windows(2).position(|pair| pair == [3, 0x80]).unwrap();
        list(&[&good[..place + 1], digests, &good[place + 2..]].concat())
    };
    for (bytes, kind) in [
        (list(&[&good[..], &[0]].concat()), ErrorKind::Encoding),
        (vec![0x81, 0x80], ErrorKind::Member),
        (vec![0x9F], ErrorKind::Encoding),
        (vec![0x81, 0xBF, 0xFF], ErrorKind::Encoding),
        (huge.to_vec(), ErrorKind::Truncated),
        ([&huge[..], &good].concat(), ErrorKind::Truncated),
        (with_digests(&huge), ErrorKind::DigestList),
        (with_digests(&[0x91]), ErrorKind::DigestList),
        (with_digests(&[0x81, 0xA2, 0, 4, 1, 0x41, 0]), ErrorKind::DigestList),
        (with_digests(&[0x81, 0xA2, 0, 4, 0, 4]), ErrorKind::Member),
        (with_digests(&[0x81, 0xA1, 0, 4]), ErrorKind::Member),
        (with_digests(&[0x81, 0xA2, 0, 0x1A, 0, 1, 0, 0, 1, 0x41, 0]), ErrorKind::Number),
        (list(&[&[0xA6], &good[1..], &[0, 0][..]].concat()), ErrorKind::Member),
        (list(&[&[0xA6], &good[1..], &[4, 0][..]].concat()), ErrorKind::Member),
        (list(&[&[0xA5, 0, 0x18, 10], &good[3..]].concat()), ErrorKind::Encoding),
    ] {
        assert_eq!(error(&bytes, Encoding::Cbor), Some(kind), "{bytes:02x?}");
    }
    // Members may stand in any order.
    let turned = list(&[&[0xA5], &good[3..], &good[1..3]].concat());
    assert_eq!(error(&turned, Encoding::Cbor), None);
}

/// IMA's violations, unmeasured records, start values: what they do to a register.
#[test]
fn rules_of_replay() {
    let zero = [Digest::zeros(SHA256)];
    let one = [digest("one")];
    let record = |register, digests, content| Record { recnum: 0, register, digests, content };
    let ima = Content::ImaTemplate { name: "ima-ng".into(), data: Bytes::from(&b"one"[..]) };
    let no_action = |data: &'static [u8]| Content::PcClientStd {
        event_type: EventType::NO_ACTION.into(),
        data: Bytes::from(data),
    };
    let value = |records: &[Record<'_>], register| {
        let bytes = write(records, Encoding::Tlv);
        let mut replay = <Replay>::new(&[SHA256]).unwrap();
        assert_eq!(replay.run(Log::new(&bytes, Encoding::Tlv)).error(), None);
        replay.register(register).map(|state| state.value(SHA256).unwrap())
    };
    let extended = |mut value: Digest, digest: Digest| {
        value.extend(&digest).unwrap();
        Some(value)
    };
    let pcr = Register::Pcr(10);
    let from_zero = |digest| extended(Digest::zeros(SHA256), digest);
    assert_eq!(value(&[record(pcr, one[..].into(), ima)], pcr), from_zero(one[0]));
    let ones = Digest::ones(SHA256);
    assert_eq!(value(&[record(pcr, zero[..].into(), ima)], pcr), from_zero(ones));
    let other = Content::SystemdBytes(Bytes::from(&b""[..]));
    assert_eq!(value(&[record(pcr, zero[..].into(), other)], pcr), from_zero(zero[0]));
    assert_eq!(value(&[record(pcr, one[..].into(), no_action(b"x"))], pcr), None);
    let version = Content::Management(Management::Version { major: 1, minor: 1 }.into());
    assert_eq!(value(&[record(pcr, one[..].into(), version)], pcr), None);
    let time = Management::Timestamp { time: 1, dialect: Dialect::Decimal };
    let time = record(pcr, one[..].into(), Content::Management(time.into()));
    assert_eq!(value(&[time], pcr), from_zero(one[0]));
    // PCR 0 starts with the locality, if that is told before its first record.
    let pcr0 = Register::Pcr(0);
    let locality = record(pcr0, Digests::EMPTY, no_action(b"StartupLocality\0\x03more"));
    let extend = record(pcr0, one[..].into(), other);
    let mut three = Digest::zeros(SHA256);
    *three.as_bytes_mut().last_mut().unwrap() = 3;
    assert_eq!(value(&[locality, extend], pcr0), extended(three, one[0]));
    assert_eq!(value(&[extend, locality], pcr0), from_zero(one[0]));
    let elsewhere = Record { register: pcr, ..locality };
    let extend_elsewhere = Record { register: pcr, ..extend };
    assert_eq!(value(&[elsewhere, extend_elsewhere], pcr), from_zero(one[0]));
    let h_crtm = Content::PcClientStd {
        event_type: EventType::EFI_HCRTM_EVENT.into(),
        data: Bytes::from(&b"HCRTM"[..]),
    };
    let mut four = Digest::zeros(SHA256);
    *four.as_bytes_mut().last_mut().unwrap() = 4;
    assert_eq!(value(&[record(pcr0, one[..].into(), h_crtm)], pcr0), extended(four, one[0]));
    // Dynamic PCRs start with ones.
    let pcr17 = Register::Pcr(17);
    let dynamic = record(pcr17, one[..].into(), other);
    assert_eq!(value(&[dynamic], pcr17), extended(ones, one[0]));
}

/// A record without a digest of a bank is never vouched for by it, nor is what is behind a prefix.
#[test]
fn what_is_trusted() {
    let both = [digest("a"), Algorithm::Sha1.hash(b"a")];
    let half = [digest("b")];
    let content = Content::SystemdBytes(Bytes::from(&b"a"[..]));
    let pcr = Register::Pcr(1);
    let record = |recnum, digests| Record { recnum, register: pcr, digests, content };
    let records =
        [record(0, both[..].into()), record(1, half[..].into()), record(2, both[..].into())];
    let bytes = write(&records, Encoding::Json);
    let log = || Log::new(&bytes, Encoding::Json);
    let banks = [SHA256, Algorithm::Sha1];
    let mut replay = <Replay>::new(&banks).unwrap();
    let _ = replay.run(log());
    let values = banks.map(|bank| replay.register(pcr).unwrap().value(bank).unwrap());
    let trusted = |values: &[Digest]| {
        let mut replay = <Replay>::new(&banks).unwrap();
        for value in values {
            replay.expect(pcr, *value).unwrap();
        }
        let finished = replay.run(log());
        let numbers: Vec<_> = finished.records().map(|r| r.record().record().recnum).collect();
        (numbers, banks.map(|bank| replay.result(pcr, bank)))
    };
    let prefix = |matched, beyond| Match::Prefix { matched, beyond };
    assert_eq!(trusted(&values), (vec![0, 2], [Match::Complete, prefix(2, 1)]));
    assert_eq!(trusted(&values[..1]), (vec![0, 1, 2], [Match::Complete, Match::Unchecked]));
    assert_eq!(trusted(&[]), (vec![], [Match::Unchecked; 2]));
    let mut early = Digest::zeros(SHA256);
    early.extend(&both[0]).unwrap();
    assert_eq!(trusted(&[early]), (vec![0], [prefix(1, 2), Match::Unchecked]));
    assert_eq!(trusted(&[early, values[1]]).0, [0], "the shorter prefix");
    let wrong = Digest::ones(SHA256);
    assert_eq!(trusted(&[wrong, values[1]]), (vec![], [Match::Mismatch, prefix(2, 1)]));
    // A register without records, and one more than there is room for.
    let mut replay = Replay::<1>::new(&[SHA256]).unwrap();
    replay.expect(Register::Pcr(2), Digest::zeros(SHA256)).unwrap();
    let finished = replay.run(log());
    assert_eq!(finished.error().unwrap().kind(), ErrorKind::TooManyRegisters);
    assert!(!replay.result(Register::Pcr(2), SHA256).is_complete(), "the log was not read");
    let errors = [<Replay>::new(&[]).unwrap_err(), <Replay>::new(&[SHA256; 2]).unwrap_err()];
    assert!(errors.iter().all(|error| error.kind() == ErrorKind::Banks));
    let mut replay = <Replay>::new(&[SHA256]).unwrap();
    let error = replay.expect(pcr, Digest::zeros(Algorithm::Sha1)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NoSuchBank);
    let _ = replay.run(log());
    assert_eq!(replay.start(pcr, wrong).unwrap_err().kind(), ErrorKind::AlreadyStarted);
    // Two logs, one behind the other, are as one.
    let halves = [write(&records[..1], Encoding::Tlv), write(&records[1..], Encoding::Cbor)];
    let mut replay = <Replay>::new(&[SHA256]).unwrap();
    replay.expect(pcr, values[0]).unwrap();
    assert_eq!(replay.run(Log::open(&halves[0]).unwrap()).records().count(), 0, "not yet");
    assert_eq!(replay.run(Log::open(&halves[1]).unwrap()).records().count(), 2);
    assert_eq!(replay.result(pcr, SHA256), Match::Complete);
}

/// Work grows with the input, whatever it is: the costly inputs of 20 kB yield few records, and every
/// record costs at least so many bytes.
#[test]
fn costly_inputs_are_bounded() {
    let smallest = |encoding| write(&kinds(&[])[1..2], encoding).len();
    for encoding in Encoding::ALL {
        assert!(smallest(encoding) >= 10, "{encoding:?}");
    }
    let repeat = |text: &[u8]| text.iter().copied().cycle().take(20_000).collect::<Vec<u8>>();
    for pattern in [
        &b"["[..],
        b"{",
        b"{\"a\":",
        b"[{\"recnum\":0,",
        b"\"\\u0041",
        b"\\",
        b"[[],",
        b"\x81",
        b"\xA1",
        b"\xC1",
        b"\x9B\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF",
        b"\0\0\0\0\0",
        b"\0\0\0\0\x01",
        b"\xFF",
        b"\x1e",
        b"\x1e{}\n",
        b"\n",
        b"INIT ",
        b" ",
        b"1",
        b"[1,",
        b"\x1e[\n",
    ] {
        let bytes = repeat(pattern);
        for encoding in Encoding::ALL {
            assert!(exercise_all(&bytes, encoding) <= 2000);
        }
        assert!(systemd::Log::new(&bytes).filter(Result::is_ok).count() <= 2000);
        assert!(dstack::Log::new(&bytes, Register::CcMr(4)).filter(Result::is_ok).count() <= 2000);
        assert!(dstack::Events::new(&bytes).filter(Result::is_ok).count() <= 2000);
        assert!(aael::Log::open(&bytes, Register::CcMr(4)).is_err());
    }
}

/// What a record may hold, owned.
#[derive(Clone, Debug)]
struct Made {
    recnum: u64,
    register: Register,
    digests: Vec<Digest>,
    kind: u8,
    number: u32,
    time: u64,
    name: String,
    data: Vec<u8>,
}

impl Made {
    fn record(&self) -> Record<'_> {
        let data = Bytes::from(&self.data[..]);
        let management = |event: Management<'static>| Content::Management(event.into());
        let dialect =
            if self.number.is_multiple_of(2) { Dialect::Decimal } else { Dialect::Hexadecimal };
        let content = match self.kind {
            0 => management(Management::Version { major: self.number as u16, minor: 1 }),
            1 => management(Management::FirmwareEnd),
            2 => management(Management::Timestamp { time: self.time, dialect }),
            3 => management(Management::StateTransition {
                transition: StateTransition::of(self.time % 5),
                dialect,
            }),
            4 | 5 => Content::PcClientStd { event_type: EventLabel::Number(self.number), data },
            6 | 7 => Content::ImaTemplate { name: self.name.as_str().into(), data },
            8 => Content::SystemdBytes(data),
            _ => Content::Cos(data),
        };
        Record {
            recnum: self.recnum,
            register: self.register,
            digests: Digests::from(&self.digests[..]),
            content,
        }
    }
}

fn made() -> impl Strategy<Value = Made> {
    let register = prop_oneof![
        any::<u32>().prop_map(Register::Pcr),
        (0..24_u32).prop_map(Register::Pcr),
        any::<u32>().prop_map(Register::NvIndex),
        (0..5_u32).prop_map(Register::CcMr),
    ];
    let digests = proptest::sample::subsequence(Algorithm::ALL.to_vec(), 0..=4);
    let digests = (digests, any::<u8>()).prop_map(|(banks, seed)| {
        banks.into_iter().map(|bank| bank.hash(&[seed])).collect::<Vec<_>>()
    });
    let number = prop_oneof![0..20_u32, any::<u32>()];
    let rest = (0..10_u8, number, any::<u64>(), ".{0,12}", vec(any::<u8>(), 0..80));
    (any::<u64>(), register, digests, rest).prop_map(
        |(recnum, register, digests, (kind, number, time, name, data))| Made {
            recnum,
            register,
            digests,
            kind,
            number,
            time,
            name,
            data,
        },
    )
}

proptest! {
    /// Written and read is the same, in each encoding, and each into each.
    #[test]
    fn written_and_read(all in vec(made(), 0..30)) {
        let records: Vec<_> = all.iter().map(Made::record).collect();
        for one in Encoding::ALL {
            let bytes = write(&records, one);
            let read: Vec<_> = Log::new(&bytes, one).map(Result::unwrap).collect();
            prop_assert!(read.iter().map(|read| read.record()).eq(&records));
            for other in Encoding::ALL {
                let read: Vec<_> = read.iter().map(|read| *read.record()).collect();
                prop_assert_eq!(write(&read, other), write(&records, other));
            }
        }
    }

    /// The replay does not depend on the encoding.
    #[test]
    fn replay_is_the_same_in_all_encodings(all in vec(made(), 0..12)) {
        let records: Vec<_> = all.iter().map(Made::record).collect();
        let replays = Encoding::ALL.map(|encoding| {
            let bytes = write(&records, encoding);
            let mut replay = Replay::<12>::new(Algorithm::ALL).unwrap();
            assert_eq!(replay.run(Log::new(&bytes, encoding)).error(), None);
            replay
        });
        prop_assert!(replays.iter().all(|replay| *replay == replays[0]));
    }

    #[test]
    fn anything(bytes in vec(any::<u8>(), 0..300)) {
        for encoding in Encoding::ALL {
            exercise_all(&bytes, encoding);
        }
        for record in systemd::Log::new(&bytes).flatten() {
            let _ = record.check(SHA256);
        }
    }

    /// What is not a canonical way to write it, read and written, is.
    #[test]
    fn altered_and_written_again(all in vec(made(), 1..6), places in vec((any::<usize>(), any::<u8>()), 1..4)) {
        let records: Vec<_> = all.iter().map(Made::record).collect();
        for encoding in Encoding::ALL {
            let mut bytes = write(&records, encoding);
            for (place, value) in &places {
                let place = place % bytes.len();
                bytes[place] = *value;
            }
            let read: Vec<_> = Log::new(&bytes, encoding).map_while(Result::ok).collect();
            let read: Vec<_> = read.iter().map(|read| *read.record()).collect();
            let once = write(&read, encoding);
            let again: Vec<_> = Log::new(&once, encoding).map(Result::unwrap).collect();
            prop_assert!(again.iter().map(|again| again.record()).eq(&read));
        }
    }
}
