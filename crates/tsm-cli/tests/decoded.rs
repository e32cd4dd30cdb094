// SPDX-License-Identifier: MIT OR Apache-2.0
//! Decoded data of events in `tsm log show`: all of it, the same in every format, harmless.

mod common;

use std::fs;
use std::path::Path;

use common::{Dir, event, firmware_runs, generated, header, shared, tsm, tsm_with_input};
use serde_json::Value as Json;
use tsm_core::Algorithm;

fn show(log: &Path) -> Vec<Json> {
    let ran = tsm(&["log", "show", "--json", log.to_str().unwrap()]).ok();
    ran.json()["records"].as_array().unwrap().clone()
}

fn fields(record: &Json) -> &Vec<Json> {
    record["content"]["fields"].as_array().unwrap_or_else(|| panic!("{record}"))
}

fn field<'j>(record: &'j Json, name: &str) -> &'j Json {
    fields(record).iter().find(|field| field["name"] == name).unwrap_or_else(|| panic!("{record}"))
}

fn of_type<'j>(records: &'j [Json], register: &str, name: &str) -> Vec<&'j Json> {
    let is_it = |r: &&Json| r["register"] == register && r["type"]["name"] == name;
    records.iter().filter(is_it).collect()
}

#[test]
fn variables_applications_and_commands() {
    let records = show(&generated().join("secureboot-shim-grub-61/binary_bios_measurements"));
    let variables = of_type(&records, "pcr7", "EV_EFI_VARIABLE_DRIVER_CONFIG");
    let names: Vec<_> = variables.iter().map(|v| field(v, "name")["value"].clone()).collect();
    assert_eq!(names, ["SecureBoot", "PK", "KEK", "db", "dbx"], "the order of EDK2");
    let secure_boot = variables[0];
    assert_eq!(field(secure_boot, "value")["value"], true);
    assert_eq!(field(secure_boot, "vendor_guid")["known_as"], "EFI global variable");
    assert!(fields(secure_boot).iter().all(|field| field["covered"] == "covered"));
    assert_eq!(secure_boot["content"]["coverage"], "verbatim");
    let order = of_type(&records, "pcr1", "EV_EFI_VARIABLE_BOOT")[0];
    assert_eq!(field(order, "name")["covered"], "not_covered");
    let option = field(order, "load_option");
    assert_eq!((&option["item"], &option["covered"]), (&0.into(), &"covered".into()));
    let application = of_type(&records, "pcr4", "EV_EFI_BOOT_SERVICES_APPLICATION")[0];
    assert_eq!(application["content"]["text"], "application \\EFI\\BOOT\\BOOTX64.EFI");
    assert!(fields(application).iter().all(|field| field["covered"] == "not_covered"));
    let commands = of_type(&records, "pcr8", "EV_IPL");
    let last = commands.last().unwrap();
    assert_eq!((&field(last, "command")["value"], commands.len()), (&"boot".into(), 12));
    let line =
        commands.iter().find(|r| r["content"]["text"].to_string().contains("kernel command"));
    assert!(field(line.unwrap(), "command_line")["covered"] == "covered");
    // Backslashes of paths stand in the table once.
    let log = generated().join("secureboot-shim-grub-61/binary_bios_measurements");
    let table = tsm(&["log", "show", log.to_str().unwrap()]).ok().text();
    assert!(table.contains(" application \\EFI\\BOOT\\BOOTX64.EFI\n"), "{table}");
}

/// What a record says does not depend on the format that it stands in.
#[test]
fn other_formats_say_the_same() {
    let dir = Dir::new();
    for (index, (name, folder, _)) in firmware_runs().into_iter().enumerate() {
        let log = folder.join("binary_bios_measurements");
        let cel = dir.path().join("cel");
        let to = ["--to=cel-tlv", "--to=cel-json"][index % 2];
        let output = cel.to_str().unwrap();
        tsm(&["convert", to, "--output", output, log.to_str().unwrap()]).ok();
        let (tcg, cel) = (show(&log), show(&cel));
        // The first record is the Spec ID event, which is the header of the other.
        assert_eq!(tcg.len() + 1, cel.len());
        for (tcg, cel) in tcg.iter().zip(&cel[1..]) {
            assert_eq!(tcg["content"], cel["content"], "{name}");
        }
        assert_eq!(cel[0]["content"]["kind"], "no_action");
    }
}

#[test]
fn agents() {
    let domain = b"LEAA\x0b\0\0\0dom op cont";
    let digest = Algorithm::Sha384.hash(b"dom op cont");
    let whole = Algorithm::Sha384.hash(domain);
    let log = [header(0), event(4, 6, whole, domain), event(4, 6, digest, domain)].concat();
    let json = tsm_with_input(&["log", "show", "--json", "--format=ccel", "-"], &log).ok().json();
    let records = json["records"].as_array().unwrap();
    for name in ["domain", "operation", "content"] {
        assert!(field(&records[0], name)["covered"] == "covered", "{name}");
        assert!(field(&records[1], name)["covered"] == "unequal", "{name}");
    }
    assert_eq!(records[0]["content"]["text"], "dom op cont");
    assert_eq!(field(&records[0], "tag")["known_as"], "AAEL");

    // Firmware's events as dstack's interfaces give them.
    let hex = whole.to_string();
    let events = format!(
        "[{{\"imr\":0,\"event_type\":4,\"digest\":\"{}\",\"event\":\"\",\"event_payload\":\"00000000\"}}]",
        hex.strip_prefix("sha384/").unwrap()
    );
    let json = tsm_with_input(&["log", "show", "--json", "-"], events.as_bytes()).ok().json();
    let content = &json["records"][0]["content"];
    assert_eq!((&content["kind"], &content["coverage"]), (&"separator".into(), &"unequal".into()));

    let Some(log) = shared("eventlogs/dstack/ccel.bin") else { return };
    let records = show(&log);
    let malformed = records.iter().filter(|record| !record["content"]["malformed"].is_null());
    assert_eq!(malformed.count(), 0);
}

/// Names in UTF-16, descriptions, tags: none of it acts on a terminal.
// T-33
#[test]
fn decoded_text_is_escaped() {
    let evil = "a\u{1b}[31m\u{202e}\u{9b}\u{7}\u{200b}\n";
    let wide: Vec<u8> = evil.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let variable = {
        let mut data = vec![7; 16];
        data.extend(u64::try_from(evil.encode_utf16().count()).unwrap().to_le_bytes());
        data.extend(0_u64.to_le_bytes());
        data.extend(&wide);
        data
    };
    let prefixed = [b"grub_cmd: ", evil.as_bytes(), b"\0"].concat();
    let tagged = [&1_u32.to_le_bytes()[..], &13_u32.to_le_bytes(), &evil.as_bytes()[..13]].concat();
    let mut log = header(1);
    for (event_type, data) in [
        (0x8000_0001, &*variable),
        (0x8000_0002, &variable),
        (0x8000_0007, evil.as_bytes()),
        (0x8000_0008, evil.as_bytes()),
        (6, &tagged),
        (8, evil.as_bytes()),
        (8, &wide),
        (13, &prefixed),
        (13, &wide),
        (3, evil.as_bytes()),
        (0xF000_0000, evil.as_bytes()),
    ] {
        log.extend(event(1, event_type, Algorithm::Sha384.hash(data), data));
    }
    let dir = Dir::new();
    let path = dir.file("log", &log);
    let mut other = log.clone();
    let last = other.len() - 1;
    other[last] ^= 1;
    let other = dir.file("other", &other);
    let (path, other) = (path.to_str().unwrap(), other.to_str().unwrap());
    for args in [
        &["log", "show", path][..],
        &["log", "show", "--json", path],
        &["explain", path],
        &["explain", "--json", path],
        &["diff", path, other],
        &["diff", "--json", path, other],
    ] {
        let shown = tsm(args).text();
        assert!(shown.len() > 300, "{args:?}");
        let acts = ['\x1b', '\u{202e}', '\u{9b}', '\u{7}', '\u{200b}'];
        assert!(!shown.contains(acts), "{args:?}: {shown:?}");
    }
    assert_eq!(fs::read(path).unwrap(), log);
}
