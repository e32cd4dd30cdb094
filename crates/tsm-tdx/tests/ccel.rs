// SPDX-License-Identifier: MIT OR Apache-2.0
//! The firmware's log: where it is, and that what is appended replays to the registers.

#![cfg(feature = "ccel")]

mod common;

use common::fake::Fake;
use common::file;
use tsm_core::{Algorithm, Digest};
use tsm_eventlog::registers::{Platform, RegisterIndex};
use tsm_eventlog::tcg::{EventType, Log, Replay};
use tsm_tdx::ccel::{Ccel, LogArea};
use tsm_tdx::status::Status;
use tsm_tdx::{ErrorKind, GuestPhysical, RtmrIndex, Td};

fn table(kind: u8, size: u64, address: u64) -> Vec<u8> {
    let mut table = [b"CCEL8\0\0\0\x01".to_vec(), vec![0; 27]].concat();
    table.extend([kind, 0, 0, 0]);
    table.extend(size.to_le_bytes());
    table.extend(address.to_le_bytes());
    let sum = table.iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte));
    table[9] = 0_u8.wrapping_sub(sum);
    table
}

/// Values as the tables' bytes have them (little-endian at 40 and 48).
#[test]
fn real_tables() {
    for (name, address, size) in [
        ("go-eventlog/CCEL.bin", 0x7D64_9000, 0x1_0000),
        ("go-tdx-guest/ccel/ccel_table.dat", 0xBEDB_F000, 0x4_0000),
    ] {
        let Some(bytes) = file(name) else { return };
        let area = LogArea { address: GuestPhysical(address), size };
        assert_eq!(LogArea::of_table(&bytes), Ok(area), "{name}");
        let tables = [&b"APIC...."[..], &bytes, b"FACP"];
        assert_eq!(LogArea::find(tables), Ok(Some(area)));
        assert_eq!(LogArea::find([&b"APIC...."[..]]), Ok(None));
    }
}

#[test]
fn tables_that_are_wrong() {
    let offset = |table: &[u8]| {
        let error = LogArea::of_table(table).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AcpiTable);
        error.offset().unwrap()
    };
    let good = table(2, 0x1000, 0x8000);
    assert!(LogArea::of_table(&good).is_ok());
    for cut in 0..good.len() {
        assert_eq!(offset(&good[..cut]), 0);
        let mut bad = good.clone();
        bad[cut] ^= 1;
        assert_eq!(offset(&bad), if cut < 8 { 0 } else { 9 });
    }
    assert_eq!(offset(&[&good[..], &[0]].concat()), 0);
    for other in [0, 1, 3, 4, 255] {
        assert_eq!(offset(&table(other, 0x1000, 0x8000)), 36);
    }
    assert_eq!(offset(&table(2, 0, 0x8000)), 40);
    assert_eq!(offset(&table(2, 64, 0x8000)), 40);
    assert_eq!(offset(&table(2, 0x1000, u64::MAX - 0xFFE)), 48);
}

/// Events of a new log, and of one that is gone on with, replay to what the registers hold.
#[test]
fn appended_events_replay() {
    let mut module = Fake::new();
    let mut td = Td::new(&mut module).unwrap();
    let mut area = vec![0; 4096];
    let mut log = Ccel::create(&mut area).unwrap();
    let before = log.room();
    log.measure(&mut td, RtmrIndex::RTMR0, EventType::SEPARATOR, &[0; 4]).unwrap();
    assert!(log.room() < before);
    let digest = Algorithm::Sha384.hash(b"the file");
    log.append(&mut td, RtmrIndex::RTMR2, EventType::IPL, digest, b"its name").unwrap();
    let mut log = Ccel::resume(&mut area).unwrap();
    log.measure(&mut td, RtmrIndex::RTMR2, EventType::IPL, b"quiet splash").unwrap();
    assert_eq!(log.as_bytes().len() + log.room(), 4096);

    let mut replay = Replay::<5>::new(Platform::Tdx, &[Algorithm::Sha384]).unwrap();
    for (index, value) in RtmrIndex::ALL.into_iter().zip(module.report.td_info.rtmrs) {
        let value = Digest::from_bytes(Algorithm::Sha384, &value).unwrap();
        replay.expect(RegisterIndex::Rtmr(index), value).unwrap();
    }
    let finished = replay.run(Log::open(&area).unwrap());
    assert_eq!(finished.events().count(), 3);
    assert_eq!(replay.holds(), Some(true));
    assert_eq!(module.rtmr(1), [0; 48]);
    // `vectors.json`: SHA-384 of four zero bytes.
    let separator = common::unhex(
        "394341b7182cd227c5c6b07ef8000cdfd86136c4292b8e576573ad7ed9ae41019f5818b4b971c9effc60e1ad9f1289f0",
    );
    let first = Log::open(&area).unwrap().next().unwrap().unwrap();
    assert_eq!(first.digest(Algorithm::Sha384).unwrap().as_bytes(), separator);
    assert_eq!(first.index(), 1, "RTMR0 is register 1 of a log");
}

/// A real log in its area is gone on with.
#[test]
fn real_log_goes_on() {
    let Some(mut area) = file("go-tdx-guest/ccel/ccel_data.dat") else { return };
    let events = Log::open(&area).unwrap().count();
    let mut module = Fake::new();
    let mut td = Td::new(&mut module).unwrap();
    let mut log = Ccel::resume(&mut area).unwrap();
    log.measure(&mut td, RtmrIndex::RTMR3, EventType::IPL, b"x").unwrap();
    assert_eq!(Log::open(&area).unwrap().count(), events + 1);
    assert_ne!(module.rtmr(3), [0; 48]);
}

/// Nothing is extended that cannot be logged, and nothing logged that was not extended.
#[test]
fn all_or_nothing() {
    let mut module = Fake::new();
    let mut td = Td::new(&mut module).unwrap();
    let mut area = vec![0; LogArea::SMALLEST + 100];
    let mut log = Ccel::create(&mut area).unwrap();
    let error = log.measure(&mut td, RtmrIndex::RTMR1, EventType::IPL, &[1; 90]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Log(tsm_eventlog::ErrorKind::NoRoom));
    assert_eq!(tsm_core::provider::Error::kind(&error), tsm_core::ErrorKind::NoSpace);
    let sha256 = Algorithm::Sha256.hash(b"");
    assert!(log.append(&mut td, RtmrIndex::RTMR1, EventType::IPL, sha256, b"").is_err());
    assert_eq!(td.module_mut().rtmr(1), [0; 48]);
    let status = Status(0xC000_0100_0000_0001);
    td.module_mut().statuses = [Some(status)].into();
    let before = log.as_bytes().to_vec();
    let error = log.measure(&mut td, RtmrIndex::RTMR1, EventType::IPL, &[1; 9]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Module(status));
    assert_eq!(log.as_bytes(), before);
    assert!(area[before.len()..].iter().all(|&byte| byte == 0xFF));

    assert!(Ccel::create(&mut [0; LogArea::SMALLEST - 1]).is_err());
    assert!(Ccel::create(&mut [0; LogArea::SMALLEST]).is_ok());
    assert!(Ccel::resume(&mut [0; 1000]).is_err(), "no log");
}
