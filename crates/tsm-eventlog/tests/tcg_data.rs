// SPDX-License-Identifier: MIT OR Apache-2.0
//! The data of every event at hand: decoded, and compared with what other programs say of the same
//! logs.

mod common;

use std::collections::{BTreeMap, BTreeSet};

use common::json::Json;
use common::shared;
use common::tcg::{all, ccels, machines, stated};
use tsm_core::Algorithm;
use tsm_eventlog::tcg::data::{Contents, DevicePath, EventData, Field, FieldValue, Node};
use tsm_eventlog::tcg::{Coverage, EventType, FieldCoverage, Log, Rule, UntrustedEvent};

fn fields<'a>(data: &EventData<'a>) -> Vec<Field<'a>> {
    let mut fields = Vec::new();
    data.fields(&mut |field| fields.push(field));
    fields
}

/// The logs, each once.
fn distinct(logs: impl Iterator<Item = (String, Vec<u8>)>) -> Vec<(String, Vec<u8>)> {
    let mut seen = BTreeSet::new();
    logs.filter(|(_, bytes)| seen.insert(bytes.clone())).collect()
}

/// Nothing gets lost, nothing is malformed but what is known to be, and all of it can be printed.
#[test]
fn every_event_is_decoded() {
    let logs = distinct(all().into_iter().map(|file| (file.name, file.bytes)));
    let (mut events, mut malformed) = (0, Vec::new());
    for (name, bytes) in &logs {
        for event in Log::open(bytes).unwrap().map(Result::unwrap) {
            let data = event.decode();
            let (mut at, mut shown) = (0, data.to_string());
            for field in fields(&data) {
                assert_eq!(field.range().start, at, "{name} {data}");
                at = field.range().end;
                shown += &field.to_string();
            }
            assert_eq!(at, event.data().len(), "{name} {data}");
            assert!(!shown.chars().any(char::is_control), "{name} {shown}");
            if let Some(reason) = data.malformed() {
                malformed.push((event.event_type(), event.data().to_vec(), reason));
            }
            events += 1;
        }
    }
    eprintln!("{} logs, {events} events, {} malformed", logs.len(), malformed.len());
    // An early kernel measured load options to a TD without a tag before the text.
    for (event_type, data, _) in &malformed {
        assert_eq!(*event_type, EventType::EVENT_TAG);
        assert_eq!(data, b"LOADED_IMAGE::LoadOptions\0");
    }
    if !stated().is_empty() {
        assert_eq!(malformed.len(), 1);
        assert!(logs.len() >= 80 && events > 3000);
    }
}

/// What a digest is made from, of every event of 66 logs: those that `eventlogs/expected.json` and
/// `tdx/expected.json` name, each once. The numbers were counted by a script that shares nothing with
/// this crate. All logs together have the rules that the facts about them list; their numbers are of
/// another set of logs.
#[test]
fn coverage_by_type() {
    let logs = stated().into_iter().map(|file| (file.name, file.bytes));
    let logs = distinct(logs.chain(ccels().into_iter().map(|(name, bytes, _)| (name, bytes))));
    if logs.is_empty() {
        return;
    }
    assert_eq!(logs.len(), 66);
    let mut found: BTreeMap<(u32, String), u32> = BTreeMap::new();
    for (name, bytes) in &logs {
        for event in Log::open(bytes).unwrap().map(Result::unwrap) {
            let mut digests = event.digests().known().map(|digest| digest.algorithm());
            let first = digests.next().unwrap_or(Algorithm::Sha1);
            let coverage = event.coverage(first);
            // The same in all banks.
            assert!(digests.all(|other| event.coverage(other) == coverage), "{name}");
            assert!(!coverage.is_finding(), "{name} {event:?}");
            let kind = match coverage {
                Coverage::Covered(covered) => format!("{:?}", covered.rule()),
                other => format!("{other:?}"),
            };
            *found.entry((event.event_type().0, kind)).or_default() += 1;
        }
    }
    let expected: BTreeMap<(u32, String), u32> =
        COUNTED.iter().map(|&(number, kind, count)| ((number, kind.to_owned()), count)).collect();
    assert_eq!(found, expected);
}

const COUNTED: &[(u32, &str, u32)] = &[
    (0x1, "NotCovered", 19),
    (0x3, "NotCovered", 9),
    (0x4, "Unknown", 2),
    (0x4, "Verbatim", 396),
    (0x5, "Verbatim", 4),
    (0x6, "NotCovered", 41),
    (0x6, "Verbatim", 19),
    (0x7, "NotCovered", 5),
    (0x8, "Verbatim", 44),
    (0x9, "NotCovered", 1),
    (0xA, "NotCovered", 44),
    (0xA, "Payload", 2),
    (0xA, "Verbatim", 1),
    (0xC, "NotCovered", 3),
    (0xC, "Verbatim", 2),
    (0xD, "AsciiOfUtf16", 12),
    (0xD, "NotCovered", 189),
    (0xD, "Text", 789),
    (0xD, "TextWithNul", 101),
    (0xD, "Unknown", 56),
    (0xD, "WithMissingByte", 2),
    (0x11, "Verbatim", 10),
    (0x8401, "Verbatim", 1),
    (0x8000_0001, "Unknown", 5),
    (0x8000_0001, "Verbatim", 292),
    (0x8000_0002, "Unknown", 10),
    (0x8000_0002, "VariableData", 211),
    (0x8000_0002, "Verbatim", 44),
    (0x8000_0003, "NotCovered", 112),
    (0x8000_0003, "Unknown", 2),
    (0x8000_0004, "NotCovered", 19),
    (0x8000_0005, "NotCovered", 1),
    (0x8000_0006, "Unknown", 1),
    (0x8000_0006, "Verbatim", 35),
    (0x8000_0007, "Unknown", 5),
    (0x8000_0007, "Verbatim", 135),
    (0x8000_0008, "NotCovered", 58),
    (0x8000_0009, "NotCovered", 5),
    (0x8000_000A, "NotCovered", 13),
    (0x8000_000B, "NotCovered", 12),
    (0x8000_00E0, "Unknown", 1),
    (0x8000_00E0, "Verbatim", 43),
    (0x8000_00E0, "WithoutLastByte", 13),
];

/// What Confidential Containers' trustee says of the same logs: whether the digest is that of the data,
/// names of variables, texts, device paths.
#[test]
fn trustee_says_the_same() {
    let Some(folder) = shared("eventlogs/trustee/eventlog/test_data") else { return };
    let (mut compared, mut covered, mut names, mut texts) = (0, 0, 0, 0);
    for name in ["CCEL_data", "CCEL_data_ovmf", "CCEL_data_grub", "CCEL_AAEL_alibabacloud"] {
        let bytes = std::fs::read(folder.join(name)).unwrap();
        let json = std::fs::read_to_string(folder.join(format!("{name}_out.json"))).unwrap();
        let json = Json::parse(&json);
        let events: Vec<_> = Log::open(&bytes).unwrap().map(Result::unwrap).collect();
        let said = json.at("uefi_event_logs").list();
        assert_eq!(events.len(), said.len(), "{name}");
        for (event, said) in events.iter().zip(said) {
            let coverage = event.coverage(Algorithm::Sha384);
            let is_said = matches!(said.at("digest_matches_event"), Json::Bool(true));
            assert_eq!(coverage.is_verbatim(), is_said, "{name} {event:?}");
            covered += usize::from(is_said);
            compared += 1;
            let (details, data) = (said.at("details"), event.decode());
            if let Some(said) = details.at("unicode_name").text() {
                // It has the tag of an agent's event there, too.
                match data {
                    EventData::Variable(variable) => assert_eq!(variable.name.to_string(), said),
                    _ => assert_eq!(said, "AAEL"),
                }
                names += 1;
            }
            if let Some(said) = details.at("string").text() {
                let shown: Vec<_> = fields(&data).iter().map(|f| f.value.to_string()).collect();
                // The reader of JSON drops the backslash of an escape, and so do we.
                let plain = shown.concat().replace("\\n", "n").replace("\\t", "t");
                let said = said.replace('\\', "");
                let is_there = said.split_whitespace().all(|word| plain.contains(word));
                assert!(is_there || data.malformed().is_some(), "{name} {said} {shown:?}");
                texts += 1;
            }
        }
    }
    eprintln!("{compared} events, {covered} covered, {names} names, {texts} texts");
    assert!(compared > 140 && covered > 30 && names > 30 && texts > 50);
}

/// What cc-trusted-api's tool prints of a log of the same folder: each event's type by its name, and
/// its data, which our fields give again.
#[test]
fn cc_trusted_api_says_the_same() {
    let Some(folder) = shared("eventlogs/cc-trusted-api") else { return };
    let said = String::from_utf8_lossy(&std::fs::read(folder.join("formated_el.txt")).unwrap())
        .into_owned();
    let bytes = std::fs::read(folder.join("ccel_data.bin")).unwrap();
    let events: Vec<_> = Log::open(&bytes).unwrap().map(Result::unwrap).collect();
    // The first block is the header. The last one is of IMA.
    let blocks: Vec<&str> = said.split("Event Log Entry").skip(1).collect();
    assert_eq!(blocks.len(), events.len() + 1);
    for (event, block) in events.iter().zip(blocks) {
        let line = block.lines().find(|line| line.contains("Type  ")).unwrap();
        let name = line.split_once('(').unwrap().1.trim_end().trim_end_matches(')');
        assert_eq!(event.event_type().to_string(), name);
        let dump = block.split_once("Event:").unwrap().1;
        let data: Vec<u8> = dump
            .lines()
            .filter_map(|line| line.get(29..76))
            .flat_map(|bytes| bytes.split(' '))
            .filter_map(|byte| u8::from_str_radix(byte, 16).ok())
            .collect();
        let mut again: Vec<u8> = Vec::new();
        for field in fields(&event.decode()) {
            again.extend(&event.data()[field.range()]);
        }
        assert_eq!(again, data, "{name}");
    }
}

/// A line of tpm2_eventlog's output: `Key: value`, without quotes.
fn yaml(line: &str) -> Option<(&str, &str)> {
    let (key, value) = line.trim_start_matches(['-', ' ']).split_once(':')?;
    Some((key, value.trim().trim_matches(['\'', '"'])))
}

/// What tpm2_eventlog says of the same logs: GUIDs, names, keys, partitions, device paths.
#[test]
fn tpm2_eventlog_says_the_same() {
    let Some(folder) = shared("eventlogs/tpm2-tools") else { return };
    let mut counts: BTreeMap<String, u32> = BTreeMap::new();
    for name in [
        "event-arch-linux.bin",
        "event-bootorder.bin",
        "event-gce-ubuntu-2104-log.bin",
        "event-moklisttrusted.bin",
        "event-postcode.bin",
        "event-uefi-sha1-log.bin",
        "event-uefivar.bin",
        "event-uefiservices.bin",
    ] {
        let bytes = std::fs::read(folder.join(name)).unwrap();
        let said = folder.join("event-pretty").join(format!("{name}.yaml"));
        let said = std::fs::read_to_string(said).unwrap();
        let log = Log::open(&bytes).unwrap();
        let has_header = log.header().is_some();
        let events: Vec<_> = log.map(Result::unwrap).collect();
        let blocks: Vec<&str> =
            said.split(if has_header { "- EventNum: " } else { "  PCRIndex: " }).collect();
        let blocks = &blocks[1 + usize::from(has_header)..];
        assert_eq!(blocks.len(), events.len(), "{name}");
        for (event, block) in events.iter().zip(blocks) {
            compare(event, block, &mut counts);
        }
    }
    eprintln!("{counts:?}");
    for (key, at_least) in [
        ("VariableName", 70),
        ("UnicodeName", 70),
        ("SignatureOwner", 100),
        ("SignatureData", 100),
        ("UniquePartitionGUID", 10),
        ("PartitionName", 10),
        ("DevicePath", 25),
        ("BlobBase", 5),
    ] {
        assert!(counts.get(key).copied().unwrap_or(0) >= at_least, "{key}");
    }
}

fn compare(event: &UntrustedEvent<'_>, block: &str, counts: &mut BTreeMap<String, u32>) {
    let data = event.decode();
    let mut fields = fields(&data).into_iter();
    let mut next = |name: &str| {
        let field = fields.by_ref().find(|field| field.name == name);
        field.unwrap_or_else(|| panic!("no {name}: {data}\n{block}")).value
    };
    for line in block.lines().take_while(|line| !line.starts_with("pcrs:")) {
        let Some((key, value)) = yaml(line) else { continue };
        let is_db = matches!(&data, EventData::Variable(v) if v.name == *"db" || v.name == *"dbx" || v.name == *"PK" || v.name == *"KEK");
        let name = match key {
            "VariableName" => "vendor_guid",
            "UnicodeNameLength" => "name_length",
            "VariableDataLength" => "data_length",
            "UnicodeName" => "name",
            "SignatureOwner" if is_db => "signature_owner",
            "SignatureData" if is_db => "signature_data",
            "SignatureType" if is_db => "signature_type",
            "DiskGUID" => "disk_guid",
            "PartitionTypeGUID" => "partition_type",
            "UniquePartitionGUID" => "partition_guid",
            "PartitionName" => "partition_name",
            "BlobBase" => "blob_base",
            "BlobLength" => "blob_length",
            "DevicePath" if !value.is_empty() => "device_path",
            _ => continue,
        };
        *counts.entry(key.to_owned()).or_default() += 1;
        let found = next(name);
        if let FieldValue::Path(path) = found {
            // It stops at the first end of a path, and gets IPv4 nodes wrong.
            if !value.contains("IPv4") {
                assert_eq!(normal(&first_path(path)), normal(value));
            }
        } else {
            assert_eq!(found.to_string(), value, "{key} in {data}");
        }
    }
}

fn first_path(path: DevicePath<'_>) -> String {
    let nodes = path.nodes().take_while(|node| node.kind != Node::END);
    nodes.map(|node| node.to_string()).collect::<Vec<_>>().join("/")
}

/// Numbers in decimal, and names as UEFI has them.
fn normal(path: &str) -> String {
    let path = path.to_lowercase().replace("fvvol(", "fv(").replace("file(", "(");
    let mut words: Vec<String> = Vec::new();
    for word in path.split_inclusive(['(', ')', ',', '/']) {
        let (front, end) = word.split_at(word.len().saturating_sub(1));
        let (front, end) = if "(),/".contains(end) { (front, end) } else { (word, "") };
        let number = front.strip_prefix("0x").and_then(|hex| u64::from_str_radix(hex, 16).ok());
        words.push(number.map_or(front.to_owned(), |number| number.to_string()));
        words.push(end.to_owned());
    }
    // The word `File` is gone, its parentheses too.
    let text = words.concat();
    match text.split_once("(\\") {
        Some((front, back)) => format!("{front}\\{}", back.trim_end_matches(')')),
        None => text,
    }
}

/// What single logs are known to hold.
#[test]
fn known_contents() {
    let Some(folder) = shared("eventlogs") else { return };
    let lines = |name: &str| -> Vec<String> {
        let bytes = std::fs::read(folder.join(name)).unwrap();
        let events = Log::open(&bytes).unwrap().map(Result::unwrap);
        events.map(|event| event.decode().to_string()).collect()
    };
    let has = |lines: &[String], line: &str| {
        assert!(lines.iter().any(|other| other == line), "{line} {lines:#?}")
    };

    let arch = lines("tpm2-tools/event-arch-linux.bin");
    has(&arch, "version 546bfb1e-1d0c-4055-a4ad-4ef4bf17b83a");
    has(&arch, "variable SecureBoot = (empty)");
    has(&arch, "variable BootOrder = 0000,0003,0002");
    has(&arch, "application \\EFI\\SYSTEMD\\SYSTEMD-BOOTX64.EFI");
    has(&arch, "separator 00000000");

    let keylime = lines("rust-keylime/uefi_log.bin");
    has(&keylime, "ACPI DATA");
    has(&keylime, "shim variable MokListTrusted");
    has(&keylime, "authority SbatLevel = \"sbat,1,2021030218\\n\"");

    let windows = lines("go-attestation/option_rom_eventlog");
    has(&windows, "separator WBCL");
    has(&windows, "application \\EFI\\Microsoft\\Boot\\bootmgfw.efi");

    let alibaba = lines("trustee/eventlog/test_data/CCEL_AAEL_alibabacloud");
    has(&alibaba, "coco.com some-operation some-content");
    let gce = lines("go-tpm-tools/eventlogs/rhel8-uefi.bin");
    has(&gce, "version \"GCE Virtual Firmware v1\"");
    has(&gce, "variable SecureBoot = 01");
    has(&lines("go-attestation/short_no_action_eventlog"), "start-up locality 3");
}

/// The field that a program must not trust, in an event that it otherwise may.
#[test]
fn prefixes_and_names_are_not_covered() {
    let mut found = BTreeSet::new();
    for file in all() {
        for event in Log::open(&file.bytes).unwrap().map(Result::unwrap) {
            let Some(digest) = event.digests().known().next() else { continue };
            let coverage = event.coverage(digest.algorithm());
            let Coverage::Covered(covered) = coverage else { continue };
            for field in fields(&event.decode()) {
                let is_covered = coverage.of(&field) == FieldCoverage::Covered;
                match (covered.rule(), field.name) {
                    (Rule::Verbatim | Rule::AsciiOfUtf16 | Rule::WithMissingByte, _) => {
                        assert!(is_covered)
                    }
                    (Rule::Text | Rule::TextWithNul, "prefix")
                    | (Rule::VariableData, "name" | "vendor_guid")
                    | (Rule::Payload, "name") => {
                        assert!(!is_covered);
                        found.insert((covered.rule(), field.name));
                    }
                    (Rule::Text, "command" | "command_line")
                    | (Rule::VariableData, "device_path" | "description" | "load_option") => {
                        assert!(is_covered, "{field}");
                    }
                    (Rule::WithoutLastByte, "trailing") => assert!(!is_covered),
                    (Rule::WithoutLastByte, _) => assert!(is_covered),
                    _ => {}
                }
            }
        }
    }
    assert!(found.len() >= 3, "{found:?}");
    assert_eq!(Coverage::OF_TYPE, FieldCoverage::NotCovered);
}

/// The certificates in `db` are what machines set up with Microsoft's keys have.
#[test]
fn contents_for_programs() {
    let mut owners = BTreeSet::new();
    for file in all() {
        for event in Log::open(&file.bytes).unwrap().map(Result::unwrap) {
            let EventData::Variable(variable) = event.decode() else { continue };
            match variable.contents() {
                Contents::Signatures(mut lists) => {
                    let signatures = lists.signatures().count();
                    owners.extend(lists.signatures().filter_map(|one| one.owner.name()));
                    assert!(lists.by_ref().count() <= signatures.max(1));
                    assert!(lists.rest().is_empty(), "{variable}");
                }
                Contents::LoadOption(option) => {
                    assert_eq!(option.path.sound_length(), option.path.0.len());
                }
                _ => {}
            }
        }
    }
    assert!(!owners.is_empty());
    eprintln!("{owners:?}");
}

/// What a digest covers does not depend on the format of the log that has it.
#[test]
fn coverage_of_data_alone() {
    let mut events = 0;
    for file in machines() {
        for event in Log::open(&file.bytes).unwrap() {
            let event = event.unwrap();
            for digest in event.digests().known() {
                let alone = Coverage::of_data(event.event_type(), event.data(), &digest);
                assert_eq!(alone, event.coverage(digest.algorithm()), "{}", file.name);
                events += 1;
            }
        }
    }
    assert!(events > 0);
}
