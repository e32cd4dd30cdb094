// SPDX-License-Identifier: MIT OR Apache-2.0
//! Bad input, made of every log at hand: cut at any byte, and with wrong lengths. Always an error that
//! says where, or an honest shorter result.
//!
//! Formats are read in windows: what stands before the records, then two or three records. So each of
//! them can be cut and altered everywhere in the time there is. The tests of single formats do more.

mod common;

use common::any::{AnyLog, Kind, Parts, any_logs, is_of_cut, read, replay};
use tsm_core::Algorithm;
use tsm_eventlog::cel::Encoding;
use tsm_eventlog::ima::Endian;
use tsm_eventlog::{aael, tcg};

/// Bytes of a log up to which it is cut at each of them.
const SHORT: usize = 64 * 1024;
/// Bytes of a record of text up to which it is cut at each of them: the whole is read for each cut.
const SHORT_TEXT: usize = 2048;

/// Cuts all logs of some kinds; gives how many logs and cuts.
fn cut_all(is_wanted: impl Fn(Kind) -> bool) -> (usize, usize) {
    let (mut logs, mut cuts) = (0, 0);
    for log in any_logs().iter().filter(|log| is_wanted(log.kind)) {
        cuts += cut(log);
        logs += 1;
    }
    eprintln!("{logs} logs, {cuts} cuts");
    (logs, cuts)
}

/// Cuts a log at every byte, a long one at every record's borders and in between at some.
fn cut(log: &AnyLog) -> usize {
    let parts = Parts::of(log);
    let used: usize = parts.header.len() + parts.records.iter().map(|r| r.len()).sum::<usize>();
    let mut cuts = 0;
    for cut in 0..parts.header.len() {
        let reading = read(log.kind, &log.bytes[..cut]);
        assert!(reading.spans.len() <= parts.in_header, "{} at {cut}", log.name);
        // A line that is cut in AAEL is a line; the last byte of the first is its line feed.
        let is_line = log.kind == Kind::Aael && cut + 1 == parts.header.len();
        assert!(reading.error.is_some() || cut == 0 || is_line, "{} at {cut}", log.name);
        cuts += 1;
    }
    let step = used.div_ceil(SHORT);
    for place in 0..parts.records.len() {
        let before = place.saturating_sub(1);
        let window = parts.window(before, place + 1);
        let complete = place - before + parts.in_header;
        let begin = window.len() - parts.records[place].len();
        let whole = read(log.kind, &window);
        assert!(whole.spans.len() > complete, "{} record {place}: {whole:?}", log.name);
        let end = whole.spans[complete].1;
        let near = |cut: usize| cut - begin < 40 || window.len() - cut < 40;
        let is_long = log.kind.is_text() && end - begin > SHORT_TEXT;
        let step = if is_long { step.max(13) } else { step };
        for cut in
            (begin..end).filter(|&cut| near(cut) && step < 40 || cut % step == 0 || cut == begin)
        {
            honest(log, &window, (begin, cut, end), &whole.spans[..complete]);
            cuts += 1;
        }
    }
    cuts
}

/// A cut inside a record, or before it: the records before are as they were, and then there is an
/// error at the cut record or nothing.
fn honest(
    log: &AnyLog,
    window: &[u8],
    (begin, cut, end): (usize, usize, usize),
    complete: &[(usize, usize)],
) {
    let rest = &window[begin..cut];
    let reading = read(log.kind, &window[..cut]);
    let said = || {
        let text = window[begin..].escape_ascii();
        format!("{}: record at {begin} cut at {cut}: {reading:?} {text}", log.name)
    };
    assert!(reading.spans.starts_with(complete), "{}", said());
    match (reading.error, reading.spans.len() - complete.len()) {
        (Some(error), 0) => {
            assert!(is_of_cut(log.kind, error, rest), "{}", said());
            // In an array, the separator may count to the record before it.
            let is_framed = log.kind.is_framed();
            let offset = error.offset() as usize;
            assert!(offset == begin || (is_framed && offset <= begin), "{}", said());
        }
        // Filler ends a firmware log, so a rest that could be filler does.
        (None, 0) if matches!(log.kind, Kind::Tcg | Kind::TcgSha1) => {
            let is_filler = |byte| rest.len() < 32 && rest.iter().all(|&other| other == byte);
            assert!(is_filler(0) || is_filler(0xFF), "{}", said());
        }
        (None, 0) => assert!(rest.is_empty() && !log.kind.is_framed(), "{}", said()),
        // A last line may lack its line feed.
        (None, 1) if log.kind == Kind::Aael => assert!(!rest.is_empty(), "{}", said()),
        (None, 1) if matches!(log.kind, Kind::ImaAscii(_)) => {
            assert_eq!(cut + 1, end, "{}", said())
        }
        _ => panic!("{}", said()),
    }
}

#[test]
fn firmware_logs_cut() {
    let (logs, cuts) = cut_all(|kind| matches!(kind, Kind::Tcg | Kind::TcgSha1));
    assert!(logs >= 16 && cuts > 60_000);
}

#[test]
fn ima_lists_cut() {
    let (logs, cuts) = cut_all(|kind| matches!(kind, Kind::ImaBinary { .. } | Kind::ImaAscii(_)));
    assert!(logs >= 30 && cuts > 100_000);
}

#[test]
fn other_logs_cut() {
    let (logs, cuts) = cut_all(|kind| {
        !matches!(kind, Kind::Tcg | Kind::TcgSha1 | Kind::ImaBinary { .. } | Kind::ImaAscii(_))
    });
    assert!(logs == 0 || (logs >= 30 && cuts > 300_000));
}

/// A place in a record and what is written there instead.
type Edit = (core::ops::Range<usize>, Vec<u8>);

/// Wrong values of a length of four bytes.
fn wrong(at: usize, bytes: &[u8], is_little: bool, edits: &mut Vec<Edit>) {
    let field: [u8; 4] = bytes[at..at + 4].try_into().unwrap();
    let right = if is_little { u32::from_le_bytes(field) } else { u32::from_be_bytes(field) };
    for value in
        [0, 1, right.wrapping_sub(1), right.wrapping_add(1), 0x7FFF_FFFF, u32::MAX - 3, u32::MAX]
    {
        let value = if is_little { value.to_le_bytes() } else { value.to_be_bytes() };
        edits.push((at..at + 4, value.to_vec()));
    }
}

/// All length fields of a record, set to wrong values; of text its structure.
fn edits(kind: Kind, record: &[u8], digests: usize) -> Vec<Edit> {
    let mut edits = Vec::new();
    let four = |at: usize| u32::from_le_bytes(record[at..at + 4].try_into().unwrap()) as usize;
    match kind {
        Kind::Tcg => {
            wrong(8, record, true, &mut edits);
            // Of the algorithms too: none of them is this.
            for at in (0..four(8).min(1)).map(|_| 12) {
                edits.push((at..at + 2, vec![0xFF, 0xFF]));
                edits.push((at..at + 2, vec![0, 0]));
            }
            wrong(12 + digests, record, true, &mut edits);
        }
        Kind::TcgSha1 => wrong(28, record, true, &mut edits),
        Kind::ImaBinary { layout, md5 } => {
            let is_little = layout.endian == Endian::Little;
            assert!(is_little, "all of them");
            let name = 4 + layout.digest.size();
            wrong(name, record, true, &mut edits);
            let data = name + 4 + four(name);
            if &record[name + 4..data] == b"ima" {
                wrong(data + if md5 { 16 } else { 20 }, record, true, &mut edits);
                return edits;
            }
            wrong(data, record, true, &mut edits);
            let mut field = data + 4;
            while field + 4 <= record.len() {
                wrong(field, record, true, &mut edits);
                field += 4 + four(field);
            }
        }
        Kind::Cel(Encoding::Tlv) => tlv(record, 0, record.len(), 0, &mut edits),
        Kind::Cel(Encoding::Cbor | Encoding::CborSequence) => {
            let mut at = 0;
            while at < record.len() {
                at = cbor(record, at, &mut edits);
            }
        }
        _ => structure(record, &mut edits),
    }
    edits
}

/// The lengths of TLVs one behind the other, and of those inside digests and structured contents.
fn tlv(bytes: &[u8], mut at: usize, end: usize, depth: usize, edits: &mut Vec<Edit>) {
    while at + 5 <= end {
        wrong(at + 1, bytes, false, edits);
        let length = u32::from_be_bytes(bytes[at + 1..at + 5].try_into().unwrap()) as usize;
        let is_nested = depth == 0 && matches!(bytes[at], 3 | 4 | 5 | 7);
        if is_nested {
            tlv(bytes, at + 5, at + 5 + length, depth + 1, edits);
        }
        at += 5 + length;
    }
}

/// The head of an item, and then those of what it holds; gives where the next item begins.
fn cbor(bytes: &[u8], at: usize, edits: &mut Vec<Edit>) -> usize {
    let (major, low) = (bytes[at] & 0xE0, bytes[at] & 0x1F);
    let width = match low {
        0..24 => 0,
        _ => 1 << (low - 24),
    };
    let argument = &bytes[at + 1..at + 1 + width];
    let value = match width {
        0 => usize::from(low),
        _ => argument.iter().fold(0, |value, &byte| value << 8 | usize::from(byte)),
    };
    for low in [0, 1, 23, 24, 25, 26, 27, 28, 31] {
        edits.push((at..at + 1, vec![major | low]));
    }
    edits.push((at..at + 1 + width, [&[major | 27][..], &[0xFF; 8]].concat()));
    edits.push((at..at + 1 + width, [&[major | 27][..], &[0; 7], &[1]].concat()));
    edits.push((at + 1..at + 1 + width, vec![0xFF; width]));
    edits.push((at + 1..at + 1 + width, vec![0; width]));
    let mut next = at + 1 + width;
    match major {
        0x40 | 0x60 => next + value,
        0x80 | 0xA0 => {
            for _ in 0..if major == 0x80 { value } else { 2 * value } {
                next = cbor(bytes, next, edits);
            }
            next
        }
        _ => next,
    }
}

/// What holds text together: brackets, separators, spaces, quotes, numbers.
fn structure(record: &[u8], edits: &mut Vec<Edit>) {
    const MARKS: &[u8] = b"{}[],:\"\\ \n\x1e";
    let mut at = 0;
    while at < record.len() {
        let byte = record[at];
        if MARKS.contains(&byte) {
            edits.push((at..at + 1, Vec::new()));
            edits.push((at..at + 1, vec![byte; 2]));
            edits.extend(MARKS.iter().map(|&mark| (at..at + 1, vec![mark])));
            edits.push((at..at + 1, vec![0xFF]));
        }
        let digits = record[at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        let is_number = at > 0 && matches!(record[at - 1], b':' | b' ' | b',' | b'[');
        if digits > 0 && is_number {
            for number in [
                "",
                "0",
                "1",
                "-1",
                "1.5",
                "1e9",
                "4294967296",
                "18446744073709551615",
                "99999999999999999999",
            ] {
                edits.push((at..at + digits, number.as_bytes().to_vec()));
            }
        }
        at += digits.max(1);
    }
}

/// An altered record between two good ones: those before are as they were, an error is at it or behind
/// it, and nothing is read that is not there.
fn altered(parts: &Parts<'_>, name: &str, place: usize) -> usize {
    let before = place.saturating_sub(1);
    let good = parts.window(before, place);
    let record = parts.records[place];
    let behind = [parts.records.get(place + 1).copied().unwrap_or_default(), parts.kind.closing()];
    let complete = read(parts.kind, &good).spans;
    let complete = &complete[..(place - before + parts.in_header).min(complete.len())];
    let digests = match parts.kind {
        Kind::Tcg => {
            let window = parts.window(place, place + 1);
            let event = tcg::Log::open(&window).unwrap().next().unwrap().unwrap();
            event.digests().iter().map(|(_, digest)| 2 + digest.len()).sum()
        }
        _ => 0,
    };
    let mut count = 0;
    for (range, value) in edits(parts.kind, record, digests) {
        let head = [&good[..], &record[..range.start], &value, &record[range.end..]].concat();
        let bytes = [&head[..], behind[0], behind[1]].concat();
        let reading = read(parts.kind, &bytes);
        let said = || format!("{name}: record {place}, {range:?} as {value:?}: {reading:?}");
        let mut last = 0;
        for &(begin, end) in &reading.spans {
            assert!(last <= begin && begin < end && end <= bytes.len(), "{}", said());
            last = end;
        }
        // What separates records may count to the one before, so that one may be in error too.
        let is_separator = parts.kind == Kind::Systemd && range.start == 0;
        if !parts.kind.is_framed() && !is_separator {
            assert!(reading.spans.starts_with(complete), "{}", said());
            let offset = reading.error.map_or(good.len(), |error| error.offset() as usize);
            assert!((good.len()..=bytes.len()).contains(&offset), "{}", said());
        }
        let error = replay(parts.kind, &bytes);
        if let (Some(error), Some(found)) = (error, reading.error) {
            assert!(error.offset() <= found.offset(), "{}", said());
        }
        assert!(error.is_some() || reading.error.is_none(), "{}", said());
        count += 1;
    }
    count
}

/// Alters logs of some kinds; of long ones, and of text, only some records, for the sake of time.
fn alter_all(is_wanted: impl Fn(Kind) -> bool) -> (usize, usize) {
    let (mut logs, mut count) = (0, 0);
    for log in any_logs().iter().filter(|log| is_wanted(log.kind)) {
        let parts = Parts::of(log);
        let most = if log.kind.is_text() { 6 } else { 60 };
        let step = parts.records.len().div_ceil(most).max(1);
        for place in (0..parts.records.len()).step_by(step) {
            let is_short = parts.records[place].len() < 4 * SHORT_TEXT || !log.kind.is_text();
            if is_short {
                count += altered(&parts, &log.name, place);
            }
        }
        logs += 1;
    }
    eprintln!("{logs} logs, {count} wrong lengths or structures");
    (logs, count)
}

#[test]
fn firmware_logs_with_wrong_lengths() {
    let (logs, count) = alter_all(|kind| matches!(kind, Kind::Tcg | Kind::TcgSha1));
    assert!(logs >= 16 && count > 5_000);
}

#[test]
fn ima_lists_with_wrong_lengths() {
    let (logs, count) =
        alter_all(|kind| matches!(kind, Kind::ImaBinary { .. } | Kind::ImaAscii(_)));
    assert!(logs >= 30 && count > 20_000);
}

#[test]
fn other_logs_with_wrong_lengths() {
    let (logs, count) = alter_all(|kind| {
        !matches!(kind, Kind::Tcg | Kind::TcgSha1 | Kind::ImaBinary { .. } | Kind::ImaAscii(_))
    });
    assert!(logs == 0 || (logs >= 30 && count > 50_000));
}

/// The counts and sizes of the Spec ID event: its own size, the number of algorithms, the size of
/// each digest, the size of the vendor's data.
#[test]
fn spec_ids_with_wrong_lengths() {
    let mut tried = 0;
    for log in any_logs().iter().filter(|log| log.kind == Kind::Tcg) {
        let parts = Parts::of(log);
        let algorithms = tcg::Log::open(&log.bytes).unwrap().algorithms();
        let mut edits = Vec::new();
        wrong(28, parts.header, true, &mut edits);
        wrong(56, parts.header, true, &mut edits);
        let list = 60..60 + 4 * algorithms.len();
        for at in list.clone().step_by(4) {
            for value in [[0, 0], [1, 0], [0x15, 0], [0xFF, 0xFF]] {
                edits.push((at + 2..at + 4, value.to_vec()));
            }
            // Another algorithm; the first one again.
            edits.push((at..at + 2, vec![0xFF, 0xFF]));
            if at > list.start {
                edits.push((at..at + 2, parts.header[60..62].to_vec()));
            }
        }
        edits.extend([0, 1, 4, 0xFF].map(|size| (list.end..list.end + 1, vec![size])));
        for (range, value) in edits {
            let mut bytes = parts.window(0, 3);
            if bytes[range.clone()] == value[..] {
                continue;
            }
            bytes[range.clone()].copy_from_slice(&value);
            let reading = read(log.kind, &bytes);
            let said = || format!("{}: {range:?} as {value:?}: {reading:?}", log.name);
            let is_unknown = range.len() == 2 && value == [0xFF, 0xFF];
            // Either the header is refused, or the first record that has other digests.
            assert!(
                reading.error.is_some() || is_unknown || parts.records.is_empty(),
                "{}",
                said()
            );
            let _ = replay(log.kind, &bytes);
            tried += 1;
        }
    }
    eprintln!("{tried} wrong headers");
    assert!(tried > 400);
}

/// The length that AAEL's tagged form has inside an event.
#[test]
fn tagged_events_with_wrong_lengths() {
    let event = aael::Event::new("example.org", "load", "a b").unwrap();
    let mut buffer = [0; 100];
    let good = event.write_tagged(&mut buffer).unwrap().to_vec();
    assert!(aael::Tagged::read(&good).unwrap().is_ok());
    for (range, value) in {
        let mut edits = Vec::new();
        wrong(4, &good, true, &mut edits);
        edits
    } {
        let mut bytes = good.clone();
        bytes[range].copy_from_slice(&value);
        assert!(aael::Tagged::read(&bytes).unwrap().is_err(), "{value:?}");
    }
    for cut in 0..good.len() {
        match aael::Tagged::read(&good[..cut]) {
            None => assert!(cut < 4),
            Some(read) => assert!(read.is_err(), "{cut}"),
        }
    }
    assert_eq!(
        Algorithm::Sha384.hash(&good),
        aael::Tagged::read(&good).unwrap().unwrap().hash(Algorithm::Sha384)
    );
}
