// SPDX-License-Identifier: MIT OR Apache-2.0
//! systemd's log of user space.

mod common;

use common::cel::{file, matches, yaml};
use tsm_core::{Algorithm, Digest};
use tsm_eventlog::cel::{Check, Match, Register, Replay};
use tsm_eventlog::systemd::{Log, UntrustedMeasurement};
use tsm_eventlog::{ErrorKind, Format, Limits, detect};

const SHA256: Algorithm = Algorithm::Sha256;

fn read(bytes: &[u8]) -> Vec<UntrustedMeasurement<'_>> {
    Log::new(bytes).map(Result::unwrap).collect()
}

fn error(bytes: &[u8]) -> ErrorKind {
    Log::new(bytes).find_map(Result::err).expect("an error").kind()
}

/// A record of PCR 11 with the digest of `measured`.
fn record(event_type: &str, string: &str, measured: &[u8]) -> String {
    let digest = SHA256.hash(measured).to_string();
    let digest = digest.split_once('/').unwrap().1;
    format!(
        "\u{1e}{{\"pcr\":11,\"digests\":[{{\"hashAlg\":\"sha256\",\"digest\":\"{digest}\"}}],\
         \"content_type\":\"systemd\",\"content\":{{\"string\":\"{string}\",\
         \"bootId\":\"7bd38abc295c432ba113db7e3e0bdbd7\",\"timestamp\":1,\
         \"eventType\":\"{event_type}\"}}}}\n"
    )
}

/// Written by systemd-pcrextend 257, with the PCRs of the TPM it extended.
#[test]
fn a_real_log() {
    let Some(bytes) = file("generated/systemd/tpm2-measure-v257.log") else { return };
    let pcrs = file("generated/systemd/tpm2-measure-v257.pcrs.yaml").unwrap();
    let pcrs = yaml(str::from_utf8(&pcrs).unwrap());
    assert_eq!(pcrs.len(), 4);
    assert_eq!(detect(&bytes), Some(Format::Systemd));
    let records = read(&bytes);
    assert_eq!(records.len(), 10);
    assert!(records.iter().all(|record| record.check(SHA256) == Check::Verified));
    let lines: Vec<_> = records.iter().map(|record| record.position().line).collect();
    assert_eq!(lines, (1..=10).collect::<Vec<_>>());
    assert_eq!(records[9].end().offset, bytes.len() as u64);
    let sha256 = [(SHA256, pcrs[&SHA256].clone())].into();
    assert_eq!(matches(Log::new(&bytes), &sha256), (4, 10));

    // One record was extended in the SHA-256 bank only: the others have the values, and are said not to
    // vouch for it.
    let banks: Vec<_> = pcrs.keys().copied().collect();
    let mut replay = Replay::<24>::new(&banks).unwrap();
    for (pcr, value) in pcrs.values().flatten() {
        replay.expect(Register::Pcr(*pcr), *value).unwrap();
    }
    let finished = replay.run(Log::new(&bytes));
    assert_eq!(finished.error(), None);
    assert_eq!(finished.records().count(), 9);
    let mut equal = 0;
    for (bank, pcrs) in &pcrs {
        for (pcr, value) in pcrs {
            let state = replay.register(Register::Pcr(*pcr)).unwrap();
            assert_eq!(state.value(*bank), Some(*value), "PCR {pcr} {bank}");
            let is_missing = *pcr == 13 && *bank != SHA256;
            assert_eq!(state.missing(*bank), Some(u64::from(is_missing)));
            let expected = match is_missing {
                true => Match::Prefix { matched: 0, beyond: 1 },
                false => Match::Complete,
            };
            assert_eq!(state.result(*bank), expected);
            equal += 1;
        }
    }
    eprintln!("{} records, {equal} values equal", records.len());
    assert_eq!(equal, 4 * 24);
}

/// What was measured, and how it stands in JSON behind C's escapes.
#[test]
fn strings_are_unescaped_before_hashing() {
    let mut log = String::new();
    let cases: [(&str, &[u8]); 9] = [
        ("plain", b"plain"),
        ("", b""),
        (r#"\\\" \\\\ \\'"#, b"\" \\ '"),
        (r"\\a\\b\\f\\n\\r\\t\\v\\s", b"\x07\x08\x0c\n\r\t\x0b "),
        (r"\\346\\227\\245", "\u{65e5}".as_bytes()),
        (r"\\xff\\x00", &[0xFF, 0]),
        (r"\\u65e5\\U0001f980", "\u{65e5}\u{1f980}".as_bytes()),
        ("\u{65e5}", "\u{65e5}".as_bytes()),
        ("ends in ...", b"ends in ..."),
    ];
    for (string, measured) in cases {
        log += &record("phase", string, measured);
    }
    for (record, (string, measured)) in read(log.as_bytes()).iter().zip(cases) {
        assert_eq!(record.check(SHA256), Check::Verified, "{string}");
        let mut buffer = [0; 16];
        assert_eq!(record.measurement().measured(&mut buffer), Some(measured));
        assert!(!record.measurement().is_cut());
    }
    // The log's own spelling is not what was measured.
    let wrong = record("phase", r"a\\tb", br"a\tb");
    assert_eq!(read(wrong.as_bytes())[0].check(SHA256), Check::Mismatch);
    for bad in [r"\\", r"\\q", r"\\x1", r"\\39", r"\\400", r"\\ud800", r"\\U00110000"] {
        let log = record("phase", bad, b"");
        let found = read(log.as_bytes())[0].check(SHA256);
        assert_eq!(found, Check::Unknown, "{bad}");
    }
}

#[test]
fn what_cannot_be_recomputed_is_unknown_and_not_wrong() {
    let long = "x".repeat(2000);
    let cut = format!("{}...", &long[..1024]);
    let log = record("phase", &cut, long.as_bytes())
        + &record("volume-key", "cryptsetup:root:1", b"keyed")
        + &record("something-new", "a", b"b")
        + &record("something-new", "a", b"a")
        + &record("phase", "a", b"b");
    let records = read(log.as_bytes());
    let checks: Vec<_> = records.iter().map(|record| record.check(SHA256)).collect();
    let expected =
        [Check::Unknown, Check::Unknown, Check::Unknown, Check::Verified, Check::Mismatch];
    assert_eq!(checks, expected);
    assert!(records[0].measurement().is_cut());
    assert_eq!(records[0].check(Algorithm::Sha1), Check::NoDigest);
    assert_eq!(records[2].measurement().event_type().unwrap(), "something-new");
    let mut replay = <Replay>::new(&[SHA256]).unwrap();
    assert_eq!(replay.run(Log::new(log.as_bytes())).error(), None, "they replay all the same");
    assert_eq!(replay.register(Register::Pcr(11)).unwrap().records(), 5);
}

/// Members of versions after 257.
#[test]
fn newer_records() {
    let log = record("login", "a", b"a")
        .replace("\"pcr\":11", "\"nv_index\":30409216")
        .replace("{\"string\"", "{\"nvIndexName\":\"hardware\",\"new\":[{}],\"string\"")
        + &record("phase", "a", b"a").replace("\"pcr\":11", "\"rtmr\":2,\"mapped_pcr\":11")
        + &record("os-separator", "", b"").replace("\"string\":\"\",", "");
    let records = read(log.as_bytes());
    assert_eq!(records[0].register(), Register::NvIndex(0x01D0_0200));
    assert_eq!(records[0].register().to_string(), "nv01d00200");
    assert_eq!(records[0].measurement().nv_index_name().unwrap(), "hardware");
    assert_eq!(records[1].register(), Register::CcMr(3), "UEFI counts from MRTD");
    assert_eq!(records[1].mapped_pcr(), Some(11));
    assert_eq!(records[2].measurement().string(), None);
    assert_eq!(records[2].check(SHA256), Check::Unknown);
}

#[test]
fn malformed() {
    let good = record("phase", "a", b"a");
    let text = &good[1..];
    for (bad, kind) in [
        (text.to_owned(), ErrorKind::Encoding),
        (good.trim_end().to_owned(), ErrorKind::Truncated),
        ("\u{1e}".to_owned(), ErrorKind::Truncated),
        ("\u{1e}\n".to_owned(), ErrorKind::Encoding),
        (good.replace("}}\n", "}\n"), ErrorKind::Encoding),
        (good.replace("}}\n", "}}}\n"), ErrorKind::Encoding),
        (good.replace("\"pcr\":11", "\"pcr\":11,\"pcr\":12"), ErrorKind::Member),
        (good.replace("\"pcr\":11", "\"pcr\":11,\"nv_index\":1"), ErrorKind::Member),
        (good.replace("\"pcr\":11,", ""), ErrorKind::Member),
        (good.replace("\"pcr\":11", "\"pcr\":4294967296"), ErrorKind::Number),
        (good.replace("\"pcr\":11", "\"pcr\":11.0"), ErrorKind::Number),
        (good.replace("\"pcr\":11", "\"rtmr\":4"), ErrorKind::Number),
        (good.replace("\"pcr\":11", "\"pcr\":11,\"new\":1"), ErrorKind::Member),
        (good.replace("\"string\":\"a\"", "\"string\":1"), ErrorKind::Member),
        (good.replace("\"string\"", "\"string\":\"\",\"string\""), ErrorKind::Member),
        (good.replace("\"systemd\"", "\"cel\""), ErrorKind::Member),
        (good.replace("\"digest\":\"", "\"digest\":\"00"), ErrorKind::DigestList),
        (good.replace("\"digest\":\"", "\"digest\":\"0"), ErrorKind::Member),
        (good.replace("sha256", "sha1"), ErrorKind::DigestList),
        (good.replace("\"string\":\"a\"", &format!("\"x\":{}", "[".repeat(9))), ErrorKind::Nesting),
        (good.replace("\"timestamp\":1", "\"timestamp\":-1"), ErrorKind::Member),
    ] {
        let log = record("phase", "before", b"") + &bad;
        let mut rest = Log::new(log.as_bytes());
        let first = rest.next().unwrap();
        if bad.starts_with('\u{1e}') {
            assert!(first.is_ok());
            let error = rest.next().unwrap().unwrap_err();
            assert_eq!((error.kind(), error.record(), error.line()), (kind, 1, Some(2)), "{bad}");
        } else {
            assert!(first.is_err(), "it belongs to the record before");
        }
        assert!(rest.next().is_none());
        assert_eq!(error(bad.as_bytes()), kind, "{bad}");
    }
    let mut limits = Limits::DEFAULT;
    limits.record_bytes = 10;
    let error = Log::new(good.as_bytes()).limits(limits).next().unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::RecordTooLong);
    assert!(read(b"").is_empty());
}

#[test]
fn cut_at_every_byte() {
    let log = record("phase", "a", b"a") + &record("phase", r"b\\n", b"b\n");
    let ends: Vec<_> = read(log.as_bytes()).iter().map(|r| r.end().offset as usize).collect();
    let value = {
        let mut replay = <Replay>::new(&[SHA256]).unwrap();
        let _ = replay.run(Log::new(log.as_bytes()));
        replay.register(Register::Pcr(11)).unwrap().value(SHA256).unwrap()
    };
    assert_ne!(value, Digest::zeros(SHA256));
    for cut in 0..log.len() {
        let whole = ends.iter().filter(|&&end| end <= cut).count();
        let mut replay = <Replay>::new(&[SHA256]).unwrap();
        replay.expect(Register::Pcr(11), value).unwrap();
        let finished = replay.run(Log::new(&log.as_bytes()[..cut]));
        let is_clean = cut == 0 || ends.contains(&cut);
        assert_eq!(
            finished.error().map(|error| error.kind()),
            (!is_clean).then_some(ErrorKind::Truncated)
        );
        assert_eq!(finished.records().count(), 0);
        let state = replay.register(Register::Pcr(11)).unwrap();
        assert_eq!(state.records(), whole as u64);
        assert_eq!(state.result(SHA256), Match::Mismatch);
    }
}
