// SPDX-License-Identifier: MIT OR Apache-2.0
//! `tsm inspect` on other people's evidence. Expected values are those that another program read
//! (`expected.json`).

mod common;

use std::fs;

use common::inspected::{check_places, fields, inspect, is, kinds, well_formed};
use common::{Dir, generated, shared, tsm, tsm_with_input};
use serde_json::Value as Json;

/// Compares `bytes` of fields with what the file of expected values has under other names.
fn compare(file: &Json, stated: &Json, section: &str, offset: u64, names: &[(&str, &str, u64)]) {
    let fields = fields(file);
    for (name, stated_name, place) in names {
        let field = &fields[&(section.to_string(), name.to_string())];
        assert_eq!(field["bytes"], stated[stated_name], "{section} {name}");
        assert_eq!(field["offset"], offset + place, "{section} {name}");
    }
}

fn expected() -> Option<Json> {
    let file = shared("tdx/expected.json")?;
    Some(serde_json::from_slice(&fs::read(file).unwrap()).unwrap())
}

#[test]
fn quotes() {
    let Some(expected) = expected() else { return };
    let (mut seen, mut texts) = (0, 0);
    for (name, stated) in expected["quotes"].as_object().unwrap() {
        // Evidence inside of JSON is not for this command.
        if name.ends_with(".json") {
            continue;
        }
        let path = shared(&format!("tdx/{name}")).unwrap();
        let file = well_formed(path.to_str().unwrap());
        assert_eq!((&file["kind"], &file["simulated"]), (&"tdx-quote".into(), &false.into()));
        let title = file["title"].as_str().unwrap();
        assert!(title.contains(&format!("version {}", stated["version"])), "{title}");
        assert!(title.ends_with("not verified"), "{title}");
        let mut bytes = fs::read(&path).unwrap();
        let is_text = kinds(&file).contains(&"hex-text");
        if is_text {
            let text = String::from_utf8(bytes).unwrap().to_lowercase();
            let digits = text.trim().trim_start_matches("0x").as_bytes();
            bytes = vec![0; digits.len() / 2];
            assert!(tsm_core::hex::decode(digits, &mut bytes));
            texts += 1;
        }
        assert!(check_places(&file, &bytes) >= 35, "{name}");
        let header = [
            ("reserved", "hdr_8_12", 8),
            ("QE vendor id", "vendor", 12),
            ("user data", "user_data", 28),
        ];
        compare(&file, stated, "Header", 0, &header);
        let start = stated["body_off"].as_u64().unwrap();
        let body = [
            ("TEE_TCB_SVN", "tee_tcb_svn", 0),
            ("MRSEAM", "mr_seam", 16),
            ("MRSIGNERSEAM", "mrsigner_seam", 64),
            ("SEAM ATTRIBUTES", "seam_attributes", 112),
            ("ATTRIBUTES", "td_attributes", 120),
            ("XFAM", "xfam", 128),
            ("MRTD", "mr_td", 136),
            ("MRCONFIGID", "mr_config_id", 184),
            ("MROWNER", "mr_owner", 232),
            ("MROWNERCONFIG", "mr_owner_config", 280),
            ("RTMR0", "rtmr0", 328),
            ("RTMR1", "rtmr1", 376),
            ("RTMR2", "rtmr2", 424),
            ("RTMR3", "rtmr3", 472),
            ("REPORTDATA", "report_data", 520),
        ];
        compare(&file, stated, "Body", start, &body);
        if stated["body_type"] == 3 {
            let more =
                [("TEE_TCB_SVN2", "tee_tcb_svn2", 584), ("MRSERVICETD", "mr_service_td", 600)];
            compare(&file, stated, "Body", start, &more);
        }
        let fields = fields(&file);
        let value = |section: &str, name: &str| &fields[&(section.into(), name.into())]["value"];
        assert_eq!(value("Signature", "size"), &stated["sig_len"].to_string());
        for (name, of) in
            [("MRENCLAVE", "mrenclave"), ("MRSIGNER", "mrsigner"), ("CPUSVN", "cpusvn")]
        {
            assert_eq!(fields[&("Report".into(), name.into())]["bytes"], stated["qe"][of]);
        }
        assert_eq!(value("Report", "ISVSVN"), &stated["qe"]["svn"].to_string());
        let count = fields.keys().filter(|(section, _)| section == "Certificates").count();
        assert_eq!(Some(count as u64), stated["ncerts"].as_u64());
        assert_eq!(value("Certificates", "certificate 1"), &stated["leaf_cn"]);
        assert_eq!(value("Certificates", "certificate 2"), &stated["inter_cn"]);
        // What the index says about them.
        let attributes = stated["td_attributes"].as_str().unwrap();
        assert_eq!(kinds(&file).contains(&"untrusted-td"), attributes.starts_with("01"), "{name}");
        let has_ve = attributes[6..8] == *"10" || attributes[6..8] == *"50";
        assert_eq!(kinds(&file).contains(&"sept-ve-disable"), !has_ve, "{name}");
        assert_eq!(kinds(&file).contains(&"trailing"), stated["trailing"] != 0, "{name}");
        seen += 1;
    }
    assert_eq!((seen, texts), (13, 2));
}

#[test]
fn reports() {
    let Some(expected) = expected() else { return };
    let dir = Dir::new();
    let mut seen = 0;
    for (name, stated) in expected["tdreports"].as_object().unwrap() {
        if name == "go-tdx-guest/report.dat" {
            continue;
        }
        let (path, part) = name.split_once('[').map_or((&**name, ""), |(path, part)| (path, part));
        let mut bytes = fs::read(shared(&format!("tdx/{path}")).unwrap()).unwrap();
        if part == "32..1056]" {
            bytes = bytes[32..1056].to_vec();
        }
        let file = well_formed(dir.file("report", &bytes).to_str().unwrap());
        assert_eq!((&file["kind"], &file["simulated"]), (&"tdx-report".into(), &false.into()));
        assert!(check_places(&file, &bytes) >= 30);
        let mac = [
            ("CPUSVN", "cpusvn", 16),
            ("TEE_TCB_INFO_HASH", "tee_tcb_info_hash", 32),
            ("TEE_INFO_HASH", "tee_info_hash", 80),
            ("REPORTDATA", "report_data", 128),
            ("MAC", "mac", 224),
        ];
        compare(&file, stated, "REPORTMACSTRUCT", 0, &mac);
        let module = [
            ("VALID", "valid", 0),
            ("TEE_TCB_SVN", "tee_tcb_svn", 8),
            ("MRSEAM", "mrseam", 24),
            ("MRSIGNERSEAM", "mrsignerseam", 72),
            ("SEAM ATTRIBUTES", "seam_attr", 120),
            ("TEE_TCB_SVN2", "svn2", 128),
        ];
        compare(&file, stated, "TEE_TCB_INFO", 256, &module);
        let td = [
            ("ATTRIBUTES", "attributes", 0),
            ("XFAM", "xfam", 8),
            ("MRTD", "mrtd", 16),
            ("MRCONFIGID", "mrconfigid", 64),
            ("MROWNER", "mrowner", 112),
            ("MROWNERCONFIG", "mrownerconfig", 160),
            ("RTMR0", "rtmr0", 208),
            ("RTMR1", "rtmr1", 256),
            ("RTMR2", "rtmr2", 304),
            ("RTMR3", "rtmr3", 352),
            ("SERVTD_HASH", "servtd_hash", 400),
        ];
        compare(&file, stated, "TDINFO", 512, &td);
        seen += 1;
    }
    assert_eq!(seen, 3);
}

/// What is wrong is told with kind and place, and the exit status is 2.
#[test]
fn damage() {
    let Some(root) = shared("tdx") else { return };
    let dir = Dir::new();
    let report = fs::read(root.join("guest-components/tdx_report_1.bin")).unwrap();
    let quote = fs::read(root.join("trustee/tdx_quote_5.dat")).unwrap();
    let changed = |bytes: &[u8], at: usize| {
        let mut bytes = bytes.to_vec();
        bytes[at] ^= 1;
        bytes
    };
    for (bytes, kind, offset) in [
        (changed(&report, 300), "tcb-info-hash", 32),
        (changed(&report, 720), "td-info-hash", 80),
        (report[..1000].to_vec(), "truncated", 1000),
        ([&report[..], &[0]].concat(), "size", 1024),
        (changed(&quote, 50), "size", 50),
        (quote[..200].to_vec(), "truncated", 54),
        (changed(&quote, 703), "truncated", 706),
        (fs::read(root.join("dcap-qvl/sgx_quote")).unwrap(), "version", 0),
        (b"CCEL8\0\0\0short".to_vec(), "acpi-table", 4),
    ] {
        let path = dir.file("evidence", &bytes);
        let path = path.to_str().unwrap();
        let (file, status) = inspect(path);
        let error = &file["error"];
        assert_eq!((status, error["kind"].as_str()), (2, Some(kind)), "{error}");
        assert_eq!(error["offset"], offset, "{error}");
        tsm(&["inspect", path]).refused(&format!("(byte {})", error["offset"]));
    }
    // Odd, but not wrong: bytes that nothing hashes.
    for (bytes, offset) in [(changed(&report, 200), 192), (changed(&quote, 9), 8)] {
        let file = well_formed(dir.file("evidence", &bytes).to_str().unwrap());
        let findings = file["findings"].as_array().unwrap();
        let found: Vec<_> = findings.iter().filter(is("reserved")).collect();
        assert_eq!(found.len(), 1, "{findings:?}");
        assert_eq!(found[0]["offset"], offset);
    }
    let (file, status) = inspect(root.join("go-tdx-guest/report.dat").to_str().unwrap());
    assert_eq!((&file["kind"], status), (&"unknown".into(), 2));
    tsm_with_input(&["inspect", "-"], b"").refused("the file is empty");
    tsm_with_input(&["inspect", "-"], b"0x0a0b0c\n").refused("neither evidence");
    tsm(&["inspect", "/nonexistent"]).refused("/nonexistent");
}

/// One bad file among good ones: all are shown, and the status tells.
#[test]
fn several_files() {
    let Some(root) = shared("tdx") else { return };
    let files = ["go-tdx-guest/ccel/ccel_table.dat", "dcap-qvl/sgx_quote", "dcap-qvl/tdx_quote"];
    let files = files.map(|file| root.join(file).to_str().unwrap().to_string());
    let ran = tsm(&["inspect", &files[0], &files[1], &files[2]]).refused("unknown version");
    for words in ["Intel TDX", "0xbedbf000", "version: unknown version", "not verified", "RTMR3"] {
        assert!(ran.text().contains(words), "{words}");
    }
    assert!(!ran.text().contains('\x1b'), "no colours without a terminal");
}

#[test]
fn ccel_tables() {
    let Some(root) = shared("tdx") else { return };
    for name in ["go-tdx-guest/ccel/ccel_table.dat", "go-eventlog/CCEL.bin"] {
        let path = root.join(name);
        let file = well_formed(path.to_str().unwrap());
        assert_eq!((&file["kind"], kinds(&file)), (&"ccel-table".into(), vec!["not-verified"]));
        let bytes = fs::read(&path).unwrap();
        assert_eq!(check_places(&file, &bytes), 14);
        let size = u64::from_le_bytes(bytes[40..48].try_into().unwrap());
        assert_eq!(fields(&file)[&("Table".into(), "LAML".into())]["value"], size.to_string());
    }
    let dir = Dir::new();
    let mut bytes = fs::read(root.join("go-eventlog/CCEL.bin")).unwrap();
    bytes[39] = 7;
    let file = well_formed(dir.file("table", &bytes).to_str().unwrap());
    assert_eq!(kinds(&file), ["not-verified", "checksum", "reserved"]);
}

/// Logs: a summary and where to go on.
#[test]
fn logs() {
    if let Some(expected) = expected() {
        let mut seen = 0;
        for (name, stated) in expected["ccel"].as_object().unwrap() {
            let path = shared(&format!("tdx/{name}")).unwrap();
            let (file, _) = inspect(path.to_str().unwrap());
            assert_eq!(file["kind"], "event-log", "{name}");
            assert!(file["title"].as_str().unwrap().contains("ccel"), "{name}");
            let fields = fields(&file);
            if let Some(count) = stated["events_after_header"].as_u64() {
                let records = &fields[&("Summary".into(), "records".into())];
                assert_eq!(records["value"], count.to_string(), "{name}");
            }
            seen += 1;
        }
        assert!(seen >= 12);
    }
    let log = generated().join("bios-61-direct-tcb/binary_bios_measurements");
    let text = tsm(&["inspect", log.to_str().unwrap()]).ok().text();
    for words in ["format tcg2", "Spec ID event", "pcr7", "sha256", "tsm log show", "untrusted"] {
        assert!(text.contains(words), "{words}: {text}");
    }
    let list = generated().join("ima-61-ng-sha1/ima_binary_runtime_measurements");
    if list.exists() {
        assert!(tsm(&["inspect", list.to_str().unwrap()]).ok().text().contains("format ima"));
    }
}

/// `--kind` says what the first bytes do not; the reader's own errors are told, for all files.
#[test]
fn kinds_that_are_said() {
    let dir = Dir::new();
    // A certificate table with one entry, whose GUID nobody knows.
    let table = [&[9; 16][..], &[48, 0, 0, 0, 1, 0, 0, 0], &[0; 24], &[5]].concat();
    let table = dir.file("table", table);
    let table = table.to_str().unwrap();
    tsm(&["inspect", table]).refused("neither evidence");
    for kind in ["snp-certificates", "certificates"] {
        let file = &tsm(&["inspect", "--json", "--kind", kind, table]).ok().json()["files"][0];
        assert_eq!(file["kind"], "snp-certificates");
        assert!(file["sections"].to_string().contains("after 1 entries"));
    }
    let ran = tsm(&["inspect", "--json", "--kind=hcl-report", table]).refused("paravisor's report");
    assert_eq!(ran.json()["files"][0]["error"]["kind"], "signature");
    let log = dir.file("log", "no log\n");
    tsm(&["inspect", "--kind=event-log", log.to_str().unwrap()]).refused("no event log");
    tsm(&["inspect", "--kind=quote", table]).refused("tdx-quote");
}
