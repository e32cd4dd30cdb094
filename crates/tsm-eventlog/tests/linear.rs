// SPDX-License-Identifier: MIT OR Apache-2.0
//! Work grows with the input and no faster: what cost other verifiers quadratic time, and the worst
//! that was thought of for each format.
//!
//! Twice the input may take two and a half times as long; four times would be quadratic. The best of
//! several tries counts, and only this thread's own work, so that a busy machine does not matter.

mod common;

use core::time::Duration;

use common::any::{Kind, read, replay};
use common::tcg::{SIGNATURE, event, header, header_for, sha1_event};
use tsm_core::{Algorithm, Digest};
use tsm_eventlog::cel::{self, Encoding, Register};
use tsm_eventlog::detect;
use tsm_eventlog::ima::{Endian, Layout};
use tsm_eventlog::registers::{PcrIndex, Platform};
use tsm_eventlog::tcg;
use tsm_test_support::thread_time;

fn time(work: impl FnOnce()) -> Duration {
    let begin = thread_time();
    work();
    thread_time().saturating_sub(begin)
}

/// Runs the work on more and more until it takes a while, then on that and on twice as much.
fn is_linear<T>(name: &str, make: impl Fn(usize) -> T, run: impl Fn(&T)) {
    let mut size = 5_000;
    let mut made = make(size);
    while size < 1 << 20 && time(|| run(&made)) < Duration::from_millis(4) {
        size *= 2;
        made = make(size);
    }
    let twice = make(2 * size);
    let mut ratios = Vec::new();
    for _ in 0..9 {
        let (once, twice) = (time(|| run(&made)), time(|| run(&twice)));
        // What ends early does not grow at all: then there is nothing to compare.
        if twice < Duration::from_millis(2) {
            eprintln!("{name}: {size}, at once");
            return;
        }
        let ratio = twice.as_secs_f64() / once.as_secs_f64().max(1e-9);
        if ratio <= 2.5 {
            eprintln!("{name}: {size} in {once:?}, twice as many {ratio:.2} x");
            return;
        }
        ratios.push(ratio);
    }
    panic!("{name}: {size}, twice as many take {ratios:.2?} times as long");
}

/// Detects, reads, and replays.
fn all(kind: Kind, bytes: &[u8]) {
    let _ = (detect(bytes), read(kind, bytes), replay(kind, bytes));
}

/// `head`, then so many of `unit`, then `tail`. Also that 20 kB of it are read soon.
fn repeated(name: &str, kind: Kind, head: &[u8], unit: &[u8], tail: &[u8]) {
    let make = |count| [head, &unit.repeat(count), tail].concat();
    is_linear(name, make, |bytes| all(kind, bytes));
    let small = make(20_000 / unit.len());
    let best = (0..5).map(|_| time(|| drop((detect(&small), read(kind, &small))))).min().unwrap();
    // A millisecond if optimized: see `docs/performance.md`.
    assert!(best < Duration::from_millis(30), "{name}: 20 kB take {best:?}");
}

#[test]
fn firmware_logs() {
    let banks = Algorithm::ALL;
    let digests: Vec<Digest> = banks.iter().map(|a| a.hash(b"x")).collect();
    let unknown: Vec<(u16, u16)> = (0..16).map(|id| (0x100 + id, 1)).collect();
    let mut backwards = [4, 0, 0, 0, 5, 0, 0, 0, 16, 0, 0, 0].to_vec();
    for (id, _) in unknown.iter().rev() {
        backwards.extend(id.to_le_bytes());
        backwards.push(7);
    }
    backwards.extend([0; 4]);
    let sixteen = header(0, SIGNATURE, &unknown);
    let four = header_for(banks);
    let tcg = |name: &str, head: &[u8], unit: &[u8]| repeated(name, Kind::Tcg, head, unit, b"");
    tcg("tiny events", &four, &event(4, 5, &[], b""));
    tcg("tiny events for no register", &four, &event(99, 5, &[], b""));
    tcg("tiny no-action events", &four, &event(0, 3, &[], b""));
    tcg("events of one register in four banks", &four, &event(4, 5, &digests, b""));
    tcg("sixteen algorithms, backwards", &sixteen, &backwards);
    tcg("localities", &four, &event(0, 3, &[], b"StartupLocality\0\x03"));
    tcg("headers", &four, &four);
    tcg("zeros", &four, &[0; 16]);
    tcg("ones", &four, &[0xFF; 16]);
    repeated("SHA-1 events", Kind::TcgSha1, b"", &sha1_event(4, 5, &[1; 20], b""), b"");
    is_linear(
        "one long event",
        |count| [&four[..], &event(4, 5, &[], &vec![7; (10 * count).min(1 << 20)])].concat(),
        |bytes| all(Kind::Tcg, bytes),
    );
}

/// What took a peer seconds: as many expected values for the same register as there are events.
#[test]
fn the_same_register_expected_many_times() {
    let digest = Algorithm::Sha256.hash(b"x");
    let make = |count: usize| {
        [header_for(&[Algorithm::Sha256]), event(4, 5, &[digest], b"").repeat(count)].concat()
    };
    is_linear("expected and replayed", make, |bytes| {
        let log = tcg::Log::open(bytes).unwrap();
        let mut replay = <tcg::Replay>::new(Platform::Tpm, &[Algorithm::Sha256]).unwrap();
        for _ in 0..log.clone().count() {
            replay.expect(PcrIndex::new(4).unwrap(), digest).unwrap();
        }
        let finished = replay.run(log);
        assert_eq!((finished.error(), finished.events().count()), (None, 0));
    });
    let make = |count: usize| tlv_record(7, b"").repeat(count);
    is_linear("the same for a canonical event log", make, |bytes| {
        let log = cel::Log::new(bytes, Encoding::Tlv);
        let mut replay = <cel::Replay>::new(&[Algorithm::Sha256]).unwrap();
        for _ in 0..log.clone().count() {
            replay.expect(Register::Pcr(7), digest).unwrap();
        }
        let finished = replay.run(log);
        assert_eq!((finished.error(), finished.records().count()), (None, 0));
    });
}

fn tlv(kind: u8, value: &[u8]) -> Vec<u8> {
    [&[kind][..], &(value.len() as u32).to_be_bytes(), value].concat()
}

/// A record with these digests and no content.
fn tlv_record(pcr: u32, digests: &[u8]) -> Vec<u8> {
    [tlv(0, &[0]), tlv(1, &pcr.to_be_bytes()), tlv(3, digests), tlv(9, b"")].concat()
}

#[test]
fn canonical_event_logs() {
    let tlv_log = |name: &str, unit: &[u8]| {
        repeated(name, Kind::Cel(Encoding::Tlv), b"", unit, b"");
    };
    let many: Vec<u8> = (0x30..0x40).flat_map(|kind| tlv(kind, &[0; 1])).collect();
    let known: Vec<u8> = [(4, 20), (11, 32), (12, 48), (13, 64)]
        .iter()
        .flat_map(|&(kind, size)| tlv(kind, &vec![1; size]))
        .collect();
    tlv_log("tlv: tiny records", &tlv_record(1, b""));
    tlv_log("tlv: sixteen digests of unknown algorithms", &tlv_record(1, &many));
    tlv_log("tlv: four digests", &tlv_record(1, &known));
    tlv_log("tlv: heads", &[0, 0, 0, 0, 0]);
    is_linear(
        "tlv: many management events in one record",
        |count| {
            let events = tlv(2, &[]).repeat(count.min(200_000));
            [tlv(0, &[0]), tlv(1, &[1]), tlv(3, b""), tlv(4, &events)].concat()
        },
        |bytes| all(Kind::Cel(Encoding::Tlv), bytes),
    );
    is_linear(
        "tlv: a register of its own for each record",
        |count| (0..count as u32).flat_map(|pcr| tlv_record(pcr, b"")).collect::<Vec<u8>>(),
        |bytes| all(Kind::Cel(Encoding::Tlv), bytes),
    );

    let mut buffer = [0; 100];
    let record = cel::Record {
        recnum: 0,
        register: Register::Pcr(1),
        digests: cel::Digests::EMPTY,
        content: cel::Content::SystemdBytes((&[][..]).into()),
    };
    let mut writer = cel::Writer::new(&mut buffer, Encoding::CborSequence).unwrap();
    writer.push(&record).unwrap();
    let record = writer.finish().to_vec();
    for (name, kind, head) in [
        ("cbor: tiny records", Encoding::CborSequence, &[][..]),
        ("cbor: tiny records in an array", Encoding::Cbor, &[0x9A, 0, 0xFF, 0xFF, 0xFF][..]),
    ] {
        repeated(name, Kind::Cel(kind), head, &record, b"");
    }
    for (name, unit) in
        [("cbor: arrays in arrays", 0x81), ("cbor: maps in maps", 0xA1), ("cbor: tags", 0xC1)]
    {
        repeated(name, Kind::Cel(Encoding::Cbor), b"", &[unit], b"");
    }

    let json = |name: &str, head: &str, unit: &str, tail: &str| {
        let kind = Kind::Cel(Encoding::Json);
        repeated(name, kind, head.as_bytes(), unit.as_bytes(), tail.as_bytes());
    };
    let members = "\"recnum\":0,\"pcr\":1,\"digests\":[],\"content_type\":\"new\",\"content\":";
    let open = format!("[{{{members}");
    json("json: tiny records", "[", &format!("{{{members}\"\"}},"), "1]");
    json("json: arrays in arrays", &open, "[", "");
    json("json: objects in objects", &open, "{\"a\":", "");
    json("json: eight levels, again and again", &format!("{open}["), "[[[[[[]]]]]],", "1]}]");
    json("json: members", &format!("{open}{{"), "\"a\":1,", "\"a\":1}}]");
    json("json: the same member", "[{", "\"recnum\":0,", "\"recnum\":0}]");
    json("json: escapes", &format!("{open}\""), "\\u0041", "\"}]");
    json("json: spaces", &open, "        ", "1}]");
    json("json: digits", &open, "1", "}]");
    let digests = "[{\"recnum\":0,\"pcr\":1,\"content_type\":\"new\",\"content\":1,\"digests\":[";
    json("json: digests", digests, "{\"hashAlg\":\"new\",\"digest\":\"00\"},", "1]}]");
    json(
        "json: one long digest",
        &format!("{digests}{{\"hashAlg\":\"new\",\"digest\":\""),
        "00",
        "\"}]}]",
    );
}

#[test]
fn logs_of_agents() {
    let init = format!("INIT {}\n", Digest::zeros(Algorithm::Sha384));
    let aael = |name: &str, unit: &[u8]| repeated(name, Kind::Aael, init.as_bytes(), unit, b"");
    aael("aael: shortest lines", b"  \n");
    aael("aael: spaces", b"    ");
    aael("aael: half characters", b"\xC3\xC3\n");
    aael("aael: line feeds", b"\n");
    let line = br#"{"event":"","payload":""}"#;
    let lines = [&line[..], b"\n"].concat();
    repeated("dstack: tiny lines", Kind::DstackLog, b"", &lines, b"");
    repeated("dstack: blank lines", Kind::DstackLog, b"", b"\n", &lines);
    repeated(
        "dstack: a long payload",
        Kind::DstackLog,
        br#"{"event":"","payload":""#,
        b"AAAA",
        b"\"}\n",
    );
    repeated(
        "dstack: a long name",
        Kind::DstackLog,
        br#"{"payload":"","event":""#,
        b"\\n",
        b"\"}\n",
    );
    let event = r#"{"imr":3,"event_type":134217729,"digest":"","event":"","event_payload":""}"#;
    repeated(
        "dstack: tiny events",
        Kind::DstackEvents,
        b"[",
        format!("{event},").as_bytes(),
        b"1]",
    );
    repeated("dstack: arrays in arrays", Kind::DstackEvents, b"", b"[", b"");
    let record = b"\x1e{\"pcr\":1,\"digests\":[],\"content_type\":\"systemd\",\"content\":{}}\n";
    repeated("systemd: tiny records", Kind::Systemd, b"", record, b"");
    repeated("systemd: separators", Kind::Systemd, b"", b"\x1e", b"");
    let string = br#"{"pcr":1,"digests":[],"content_type":"systemd","content":{"string":""#;
    repeated(
        "systemd: escapes",
        Kind::Systemd,
        &[b"\x1e", &string[..]].concat(),
        b"\\\\x41",
        b"\"}}\n",
    );
}

#[test]
fn ima_lists() {
    let binary = Kind::ImaBinary {
        layout: Layout { digest: Algorithm::Sha1, endian: Endian::Little },
        md5: false,
    };
    let record = |template: &[u8], data: &[u8]| {
        let length = |bytes: &[u8]| (bytes.len() as u32).to_le_bytes();
        let digest = Algorithm::Sha1.hash(data);
        [&[10, 0, 0, 0][..], digest.as_bytes(), &length(template), template, &length(data), data]
            .concat()
    };
    let fields = [1, 0, 0, 0, b'x'].repeat(15);
    repeated("binary: tiny records", binary, b"", &record(b"d", &[0; 4]), b"");
    repeated(
        "binary: fifteen fields",
        binary,
        b"",
        &record(["d"; 15].join("|").as_bytes(), &fields),
        b"",
    );
    repeated("binary: zeros", binary, b"", &[0; 16], b"");
    let ascii = Kind::ImaAscii(Endian::Little);
    let zeros = "0".repeat(40);
    let violation = format!("10 {zeros} ima-ng sha1:{zeros} /\n");
    repeated("ascii: violations", ascii, b"", violation.as_bytes(), b"");
    let wrong = format!("10 {}1 ima-ng sha1:{zeros} ", &zeros[1..]);
    repeated("ascii: line feeds in a name", ascii, wrong.as_bytes(), b"\n", b"");
    repeated("ascii: spaces", ascii, wrong.as_bytes(), b" ", b"\n");
    repeated("ascii: one line again and again", ascii, b"", format!("{wrong}x\n").as_bytes(), b"");
    repeated("ascii: colons", ascii, format!("10 {zeros} ima-ng ").as_bytes(), b":", b" /\n");
}

/// The measure itself: every record against every other is seen.
#[test]
#[should_panic(expected = "times as long")]
fn quadratic_work_is_seen() {
    is_linear(
        "quadratic",
        |count| vec![1_u32; count],
        |numbers| {
            let pairs = numbers.iter().map(|a| numbers.iter().filter(|b| *b == a).count());
            assert_eq!(core::hint::black_box(pairs.sum::<usize>()), numbers.len().pow(2));
        },
    );
}
