// SPDX-License-Identifier: MIT OR Apache-2.0
//! Logs that the writer wrote.

mod common;

use common::tcg::all;
use proptest::prelude::*;
use tsm_core::{Algorithm, Digest};
use tsm_eventlog::registers::{PcrIndex, Platform};
use tsm_eventlog::tcg::{
    End, EventType, Log, Match, NewEvent, NewHeader, RECORD, Replay, UntrustedEvent, Writer,
};
use tsm_eventlog::{Error, ErrorKind, Format, detect};

/// What a test extends. Its error is the library's, to see that it comes through.
fn refused() -> Result<(), Error> {
    Err(Log::open(b"").unwrap_err())
}

fn digests(event: &UntrustedEvent<'_>) -> Vec<Digest> {
    event.digests().known().collect()
}

/// Every crypto-agile log of the test data, written anew event by event, has the same bytes.
#[test]
fn real_logs_are_written_as_they_were() {
    let (mut logs, mut events) = (0, 0);
    for file in all() {
        let log = Log::open(&file.bytes).unwrap();
        let Some(header) = log.header() else { continue };
        let algorithms: Vec<Algorithm> = header.algorithms.known().collect();
        if algorithms.len() != header.algorithms.len() {
            continue; // SM3
        }
        let new = NewHeader {
            index: header.index,
            platform_class: header.platform_class,
            errata: header.errata,
            uintn_size: header.uintn_size,
            algorithms: &algorithms,
            vendor_info: header.vendor_info,
        };
        let mut area = vec![0; file.bytes.len()];
        let mut writer = Writer::new(&mut area, &new).unwrap();
        let mut in_order = true;
        for event in log.clone() {
            let event = event.unwrap();
            let digests = digests(&event);
            in_order &= digests.iter().map(Digest::algorithm).eq(algorithms.iter().copied());
            let new = NewEvent {
                index: event.index(),
                event_type: event.event_type(),
                digests: &digests,
                data: event.data(),
            };
            match writer.append(&new) {
                Ok(position) => assert_eq!(position, event.position()),
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::Digests, "{}", file.name);
                    in_order = false;
                }
            }
            events += 1;
        }
        if !in_order {
            assert!(file.name.contains("uefiaction") || file.name.contains("uefivar"));
            continue;
        }
        let used = writer.as_bytes().len();
        assert_eq!(writer.as_bytes(), &file.bytes[..used], "{}", file.name);
        assert!(area[used..].iter().all(|&byte| byte == 0xFF));
        logs += 1;
    }
    eprintln!("{logs} logs, {events} events");
    assert!(logs >= 16);
}

/// Room is enough to the byte, and nothing is extended or changed without it.
#[test]
fn all_or_nothing() {
    let banks = [Algorithm::Sha256, Algorithm::Sha384];
    let header = NewHeader { vendor_info: b"firm", ..NewHeader::tpm(&banks) };
    let size = 32 + 29 + 8 + 4;
    for room in 0..size {
        let mut area = vec![7; room];
        assert_eq!(Writer::new(&mut area, &header).unwrap_err().kind(), ErrorKind::NoRoom);
        assert_eq!(area, vec![7; room]);
    }
    let event = 16 + 2 + 32 + 2 + 48 + 5;
    for room in 0..=event {
        let mut area = vec![7; size + room];
        let mut writer = Writer::new(&mut area, &header).unwrap();
        assert_eq!((writer.room(), writer.event_size(5)), (room, event));
        let mut extended = 0;
        let result = writer.measure_with(4, EventType::EFI_ACTION, b"hello", |digests| {
            extended += digests.len();
            Ok::<_, Error>(())
        });
        assert_eq!(result.is_ok(), room == event);
        assert_eq!(extended, if room == event { 2 } else { 0 }, "room first");
        let mut log = Log::open(&area).unwrap();
        assert_eq!(log.by_ref().count(), usize::from(room == event));
        assert!(matches!(log.end(), Some(End::Bytes | End::Ones | End::Mark)), "{room}");
    }
}

/// If the register refuses, the log is as before.
#[test]
fn a_failed_extension_leaves_no_trace() {
    let mut area = [0; 512];
    let mut writer = Writer::new(&mut area, &NewHeader::ccel(&[Algorithm::Sha384])).unwrap();
    writer.measure_with(1, EventType::SEPARATOR, &[0; 4], |_| Ok::<_, Error>(())).unwrap();
    let before = (writer.as_bytes().to_vec(), writer.position());
    let error = writer.append_record_with(3, b"a record", |_| refused()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnknownFormat);
    assert_eq!((writer.as_bytes().to_vec(), writer.position()), before);
    let used = before.0.len();
    assert!(area[used..].iter().all(|&byte| byte == 0xFF));
    assert_eq!(detect(&area), Some(Format::Ccel));
}

/// A second stage goes on where the first one stopped, in an area filled with ones or zeros.
#[test]
fn stages() {
    let algorithms = Algorithm::ALL;
    for filler in [0xFF, 0] {
        let mut area = [0; 2048];
        let mut writer = Writer::new(&mut area, &NewHeader::tpm(algorithms)).unwrap();
        writer.append_startup_locality(3).unwrap();
        let used = writer.as_bytes().len();
        area[used..].fill(filler);
        for stage in 0..3 {
            let mut writer = Writer::resume(&mut area).unwrap();
            assert_eq!(writer.position().record, 2 + stage, "header, locality");
            let none = |_: &[Digest]| Ok::<_, Error>(());
            writer.append_record_with(0, format!("stage {stage}").as_bytes(), none).unwrap();
        }
        let mut replay = <Replay>::new(Platform::Tpm, algorithms).unwrap();
        let pcr0 = PcrIndex::new(0).unwrap();
        for &algorithm in algorithms {
            let mut value = Digest::zeros(algorithm);
            *value.as_bytes_mut().last_mut().unwrap() = 3;
            for stage in 0..3 {
                value.extend(&algorithm.hash(format!("stage {stage}").as_bytes())).unwrap();
            }
            replay.expect(pcr0, value).unwrap();
        }
        let finished = replay.run(Log::open(&area).unwrap());
        let records: Vec<_> =
            finished.events().map(|event| event.covered_data().unwrap()).collect();
        assert_eq!(records, [b"stage 0", b"stage 1", b"stage 2"]);
        assert!(finished.events().all(|event| event.untrusted().event_type() == RECORD));
        assert_eq!(finished.findings().count(), 0);
        assert_eq!(replay.result(pcr0, Algorithm::Sha512), Match::Complete);
        assert_eq!(Writer::resume(&mut area).unwrap().position(), replay.position());

        *area.last_mut().unwrap() = 7;
        assert_eq!(Writer::resume(&mut area).unwrap_err().kind(), ErrorKind::Trailing);
    }
}

#[test]
fn wrong_requests() {
    let mut area = [0; 512];
    let twice = [Algorithm::Sha1, Algorithm::Sha256, Algorithm::Sha1];
    for algorithms in [&[][..], &twice, &[Algorithm::Sha1; 5]] {
        let error = Writer::new(&mut area, &NewHeader::tpm(algorithms)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Banks);
    }
    let banks = [Algorithm::Sha1, Algorithm::Sha256];
    let long = NewHeader { vendor_info: &[0; 256], ..NewHeader::tpm(&banks) };
    assert_eq!(Writer::new(&mut area, &long).unwrap_err().kind(), ErrorKind::RecordTooLong);
    assert_eq!(area, [0; 512]);

    let mut writer = Writer::new(&mut area, &NewHeader::tpm(&banks)).unwrap();
    let [a, b] = banks.map(|algorithm| algorithm.hash(b"x"));
    let other = Algorithm::Sha384.hash(b"x");
    let mut append = |index, number, digests: &[Digest], data: &[u8]| {
        let event = NewEvent { index, event_type: EventType(number), digests, data };
        writer.append(&event).map_err(|error| error.kind())
    };
    let lists: [&[Digest]; 6] = [&[], &[a], &[a, a], &[a, b, b], &[a, b, other], &[a, other]];
    for digests in lists {
        assert_eq!(append(0, 5, digests, b"x"), Err(ErrorKind::Digests));
    }
    assert_eq!(append(0, 5, &[a, b], &vec![0; 1 << 20 | 1]), Err(ErrorKind::RecordTooLong));
    assert_eq!(append(0, 5, &[a, b], &vec![0; 1 << 20]), Err(ErrorKind::NoRoom));
    assert_eq!(append(u32::MAX, u32::MAX, &[a, b], b""), Err(ErrorKind::NoSuchRegister));
    assert!(append(u32::MAX, 3, &[b, a], b"").is_ok());
    assert!(append(0, 0, &[b, a], b"").is_ok(), "no end, it has digests");
    assert_eq!(Log::open(&area).unwrap().map(Result::unwrap).count(), 2);

    let mut sha1 = [b"\0\0\0\0\x05\0\0\0", &[1; 20][..], &[0; 4]].concat();
    assert_eq!(Writer::resume(&mut sha1).unwrap_err().kind(), ErrorKind::UnknownFormat);
}

fn banks() -> impl Strategy<Value = Vec<Algorithm>> {
    let all: Vec<Algorithm> = Algorithm::ALL.to_vec();
    proptest::sample::subsequence(all, 1..=4).prop_shuffle()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

    /// What was written is what is read.
    #[test]
    fn parse_write_is_identity(
        banks in banks(),
        head in (any::<u32>(), any::<u32>(), any::<u8>(), any::<u8>()),
        vendor in prop::collection::vec(any::<u8>(), 0..256),
        events in prop::collection::vec(
            (any::<u32>(), any::<u32>(), prop::collection::vec(any::<u8>(), 0..300), any::<u64>()),
            0..20,
        ),
        spare in 0..100_usize,
    ) {
        let (index, platform_class, errata, uintn_size) = head;
        let header = NewHeader {
            index, platform_class, errata, uintn_size, algorithms: &banks, vendor_info: &vendor,
        };
        let mut area = vec![0; 20_000];
        let mut writer = Writer::new(&mut area, &header).unwrap();
        let mut expected = Vec::new();
        for (index, number, data, seed) in events {
            let digests: Vec<_> = banks.iter().map(|a| a.hash(&seed.to_le_bytes())).collect();
            let mut given = digests.clone();
            given.rotate_left(seed as usize % banks.len());
            let event_type = EventType(number);
            let new = NewEvent { index, event_type, digests: &given, data: &data };
            if writer.append(&new).is_ok() {
                expected.push((index, event_type, digests, data));
            }
        }
        let used = writer.as_bytes().len();
        area.truncate(used + spare);
        let mut log = Log::open(&area).unwrap();
        let found = *log.header().unwrap();
        prop_assert_eq!((found.index, found.platform_class), (index, platform_class));
        prop_assert_eq!((found.errata, found.uintn_size), (errata, uintn_size));
        prop_assert_eq!(found.vendor_info, &vendor[..]);
        prop_assert!(found.algorithms.known().eq(banks.iter().copied()));
        prop_assert!(found.has_signature && found.has_zero_digest);
        let read: Vec<_> = log.by_ref().map(|event| {
            let event = event.unwrap();
            (event.index(), event.event_type(), digests(&event), event.data().to_vec())
        }).collect();
        prop_assert_eq!(read, expected);
        let end = match spare { 0 => End::Bytes, 8 => End::Mark, _ => End::Ones };
        prop_assert_eq!(log.end(), Some(end));
        prop_assert_eq!(log.next_position().offset, used as u64);
    }
}
