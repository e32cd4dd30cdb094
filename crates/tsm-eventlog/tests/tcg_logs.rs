// SPDX-License-Identifier: MIT OR Apache-2.0
//! Every firmware log at hand, read.

mod common;

use common::json::Json;
use common::shared;
use common::tcg::{all, ccels, machines, stated};
use tsm_core::Algorithm;
use tsm_eventlog::tcg::{End, EventType, Layout, Log};
use tsm_eventlog::{Format, detect};

/// `eof`, `ff-pad@18101`, as the files of expected values say it.
fn end(log: &Log<'_>) -> String {
    let offset = log.next_position().offset;
    match log.end() {
        Some(End::Bytes) => "eof".into(),
        Some(End::Ones | End::Mark) => format!("ff-pad@{offset}"),
        Some(End::Zeros) => format!("zero-pad@{offset}"),
        other => format!("{other:?}"),
    }
}

#[test]
fn stated_logs_are_read_to_their_end() {
    let files = stated();
    for file in &files {
        let mut log =
            Log::open(&file.bytes).unwrap_or_else(|error| panic!("{} {error}", file.name));
        let events: Vec<_> = log.by_ref().map(Result::unwrap).collect();
        assert_eq!(Some(events.len() as i64), file.events, "{}", file.name);
        assert_eq!(end(&log), file.end, "{}", file.name);
        let places = events.iter().map(|event| event.end().offset);
        let begins = events.iter().skip(1).map(|event| event.position().offset);
        assert!(places.zip(begins).all(|(end, begin)| end == begin));
        let is_agile = log.layout() == Layout::Agile;
        assert_eq!(is_agile, log.header().is_some(), "{}", file.name);
        let first = events.first().map_or(u64::from(is_agile), |event| event.position().record);
        assert_eq!(first, u64::from(is_agile), "the header is record 0");
    }
    eprintln!("{} logs read", files.len());
    assert!(files.is_empty() || files.len() >= 77);
}

#[test]
fn logs_of_machines_are_read() {
    let files = machines();
    assert!(files.len() >= 16);
    for file in &files {
        let mut log = Log::open(&file.bytes).unwrap();
        let events = log.by_ref().map(Result::unwrap).count();
        assert!(events >= 14 && log.end() == Some(End::Bytes), "{}", file.name);
        let is_sha1 = file.name == "tpm12-seabios";
        assert_eq!(log.layout() == Layout::Sha1, is_sha1, "{}", file.name);
    }
}

/// Headers, event types and digests of the CCELs as `tdx/expected.json` has them.
#[test]
fn ccels_say_what_is_stated() {
    let files = ccels();
    for (name, bytes, stated) in &files {
        let mut log = Log::open(bytes).unwrap();
        let header = *log.header().unwrap();
        let number = |name: &str| stated.at("header").at(name).number().unwrap();
        let text = |json: &Json| json.text().unwrap().to_owned();
        assert_eq!(i64::from(header.index), number("mr"), "{name}");
        assert_eq!(i64::from(header.errata), number("errata"), "{name}");
        assert_eq!(i64::from(header.uintn_size), number("uintn"), "{name}");
        assert_eq!(i64::from(header.platform_class), number("platform_class"), "{name}");
        assert_eq!(header.version, (2, 0), "{name}");
        let vendor = stated.at("header").at("vendorInfo").text().unwrap();
        assert_eq!(!header.vendor_info.is_empty(), !vendor.is_empty(), "{name}");
        let algorithms = stated.at("header").at("algs").list();
        assert_eq!(header.algorithms.len(), algorithms.len());
        for (listed, stated) in header.algorithms.iter().zip(algorithms) {
            assert_eq!(format!("{:#x}", listed.id), text(&stated.list()[0]), "{name}");
            assert_eq!(Some(i64::from(listed.size)), stated.list()[1].number(), "{name}");
        }
        let events: Vec<_> = log.by_ref().map(Result::unwrap).collect();
        assert_eq!(Some(events.len() as i64), stated.at("events_after_header").number(), "{name}");
        for (event, stated) in events.iter().zip(stated.at("events").list()) {
            assert_eq!(Some(i64::from(event.index())), stated.at("mr").number(), "{name}");
            assert_eq!(Some(i64::from(event.event_type().0)), stated.at("type").number());
            assert_eq!(Some(event.data().len() as i64), stated.at("len").number(), "{name}");
            // One log has SM3 digests under that name.
            let (hex, digest) = (stated.at("sha384").text(), event.digest(Algorithm::Sha384));
            if let (Some(hex), Some(digest)) = (hex, digest) {
                assert_eq!(digest.to_string(), format!("sha384/{hex}"), "{name}");
            } else {
                assert!(name.ends_with("csv"), "{name}");
            }
        }
        let used = stated.at("used_bytes").number();
        assert_eq!(Some(log.next_position().offset as i64), used, "{name}");
    }
    eprintln!("{} CCELs", files.len());
    assert!(files.is_empty() || files.len() == 13);
}

/// What only one file has.
#[test]
fn oddities_of_single_files() {
    let files = stated();
    let find = |name: &str| files.iter().find(|file| file.name.ends_with(name));
    let Some(windows) = find("go-attestation/option_rom_eventlog") else { return };
    let odd = Log::open(&windows.bytes).unwrap().map(Result::unwrap);
    let odd: Vec<_> = odd.filter(|event| event.index() == u32::MAX).collect();
    assert_eq!(odd.len(), 1, "a record of Windows, and not the end");
    assert_eq!((odd[0].position().offset, odd[0].is_no_action()), (72361, true));
    assert_ne!(odd[0].digests().iter().next().unwrap().1, [0; 20], "never extended all the same");

    let short = find("go-attestation/short_no_action_eventlog").unwrap();
    let events: Vec<_> = Log::open(&short.bytes).unwrap().map(Result::unwrap).collect();
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].startup_locality(), Some(3));

    let vendor = find("specid-vendordata.b64").unwrap();
    assert_eq!(
        Log::open(&vendor.bytes).unwrap().header().unwrap().vendor_info,
        [0xDE, 0xAD, 0xBE, 0xEF]
    );

    let alibaba = find("CCEL_AAEL_alibabacloud").unwrap();
    let mut log = Log::open(&alibaba.bytes).unwrap();
    let tags = log.by_ref().map(Result::unwrap).filter(|event| event.index() == 4);
    assert!(tags.map(|event| event.event_type()).eq([EventType::EVENT_TAG; 2]));
    assert_eq!(log.end(), Some(End::Mark));
    assert_eq!(log.rest(), [0xFF; 8]);
}

/// Each log is detected, and no other file of the shared data looks like one.
#[test]
fn all_logs_are_detected_and_nothing_else() {
    let mut known = Vec::new();
    for file in all() {
        let log = Log::open(&file.bytes).unwrap();
        let expected = match log.header() {
            None => Format::TcgSha1,
            Some(header) if header.index == 1 => Format::Ccel,
            Some(_) => Format::Tcg2,
        };
        assert_eq!(detect(&file.bytes), Some(expected), "{}", file.name);
        known.push(file.bytes);
    }
    let Some(root) = shared("eventlogs").and_then(|path| Some(path.parent()?.to_owned())) else {
        return;
    };
    let (mut folders, mut others) = (vec![root], 0);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let Ok(bytes) = std::fs::read(&path) else { continue };
            if known.contains(&bytes) {
                continue;
            }
            let is_log =
                matches!(detect(&bytes), Some(Format::Tcg2 | Format::Ccel | Format::TcgSha1));
            // A log that a machine monitor wrote for a realm: see the replay tests.
            assert_eq!(is_log, path.ends_with("realm-bootlog.bin"), "{}", path.display());
            others += 1;
        }
    }
    eprintln!("{} logs, {others} other files", known.len());
}

/// Nothing in the bytes of td-shim's log tells that it is not of a TPM.
#[test]
fn what_the_bytes_tell() {
    let Some(path) = shared("tdx/trustee/CCEL_data") else { return };
    assert_eq!(detect(&std::fs::read(path).unwrap()), Some(Format::Tcg2));
}
