// SPDX-License-Identifier: MIT OR Apache-2.0
//! `tsm inspect` and `--expect-from` on tokens of Arm CCA. Expected values are those that another
//! program computed (`minted.json`) and that the index states.

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use common::inspected::{check_places, fields, inspect, is, kinds, well_formed};
use common::{Dir, event, header, shared, tsm};
use serde_json::Value as Json;
use tsm_core::Algorithm;
use tsm_core::hex::Hex;

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn minted() -> Option<(PathBuf, Json)> {
    let folder = shared("cca/minted")?;
    let json = fs::read(folder.join("minted.json")).unwrap();
    Some((folder, serde_json::from_slice(&json).unwrap()))
}

fn of<'f>(
    all: &'f std::collections::HashMap<(String, String), Json>,
    of: &str,
    name: &str,
) -> &'f Json {
    &all[&(of.to_string(), name.to_string())]
}

/// RIM and REMs.
fn measurements(file: &Json) -> Vec<Json> {
    let all = fields(file);
    ["RIM", "REM0", "REM1", "REM2", "REM3"]
        .map(|name| of(&all, "Realm", name)["bytes"].clone())
        .into()
}

#[test]
fn made_tokens() {
    let Some((folder, stated)) = minted() else { return };
    let (mut shown, mut refused) = (0, BTreeMap::new());
    for entry in stated["files"].as_array().unwrap() {
        let name = entry["file"].as_str().unwrap();
        let path = folder.join(name);
        let (file, status) = inspect(text(&path));
        assert_eq!(file["kind"], "cca-token", "{name}");
        let error = &file["error"];
        assert_eq!(status, if error.is_null() { 0 } else { 2 }, "{name}");
        if !error.is_null() {
            refused.insert(name.to_string(), error["kind"].as_str().unwrap().to_string());
            let offset = error["offset"].as_u64().unwrap();
            tsm(&["inspect", text(&path)]).refused(&format!("(byte {offset})"));
            continue;
        }
        let bytes = fs::read(&path).unwrap();
        assert!(check_places(&file, &bytes) >= 30, "{name}");
        let all = fields(&file);
        assert_eq!(of(&all, "Realm", "challenge")["bytes"], stated["challenge"], "{name}");
        assert_eq!(of(&all, "Realm", "personalization")["bytes"], stated["rpv"], "{name}");
        let hash = ["384", "512"].into_iter().find(|size| name.contains(size)).unwrap_or("256");
        assert_eq!(of(&all, "Realm", "hash")["value"], format!("sha{hash}"), "{name}");
        let values = &stated["values"][format!("sha-{hash}")];
        let mut expected = vec![values["rim"].clone()];
        expected.extend(values["rem"].as_array().unwrap().iter().cloned());
        if name == "bad-rem-tampered.cbor" {
            expected[4] = "00".repeat(32).into();
        }
        assert_eq!(measurements(&file), expected, "{name}");
        // The tag is what the file begins with.
        let tag = if bytes.starts_with(b"\xd9\x01\x8f") { "399" } else { "907" };
        assert_eq!(of(&all, "Token", "tag")["value"], tag);
        let lifecycle = match name {
            "policy-lifecycle-0x4000.cbor" => "0x4000",
            "policy-lifecycle-0x6000.cbor" => "0x6000",
            _ => "0x3003",
        };
        assert_eq!(of(&all, "Platform", "lifecycle")["value"], lifecycle, "{name}");
        let is_odd = lifecycle != "0x3003";
        assert_eq!(kinds(&file).contains(&"lifecycle"), is_odd, "{name}");
        let is_bound = name != "bad-rak-not-bound.cbor";
        assert_eq!(!kinds(&file).contains(&"binding"), is_bound, "{name}");
        assert_eq!(kinds(&file).contains(&"bound"), is_bound, "{name}");
        let meaning = of(&all, "Platform", "challenge")["meaning"].as_str().unwrap();
        let word = if is_bound { "claim 10; bound" } else { "claim 10; not bound" };
        assert!(meaning.starts_with(word), "{name}: {meaning}");
        assert_eq!(kinds(&file).len(), 2 + usize::from(is_odd), "{name}: {:?}", kinds(&file));
        let (platform, realm) = match (name.contains("legacy"), tag) {
            (true, _) => ("http://arm.com/CCA-SSD/1.0.0", "-"),
            (_, "399") => ("tag:arm.com,2023:cca_platform#1.0.0", "tag:arm.com,2023:realm#1.0.0"),
            _ if name.contains("plat2024") => {
                ("tag:arm.com,2024:cca_platform#2.0.0", "tag:arm.com,2024:realm#2.0.0")
            }
            _ => ("tag:arm.com,2023:cca_platform#1.0.0", "tag:arm.com,2024:realm#2.0.0"),
        };
        assert_eq!(of(&all, "Platform", "profile")["value"], platform, "{name}");
        assert_eq!(of(&all, "Realm", "profile")["value"], realm, "{name}");
        // Places of claims: the lifecycle's two bytes stand behind a CBOR head.
        let field = of(&all, "Platform", "lifecycle");
        assert_eq!(field["bytes"], format!("19{}", &lifecycle[2..]), "{name}");
        shown += 1;
    }
    let expected = [
        ("bad-alg-length-mismatch.cbor", "hash-size"),
        ("bad-challenge-63-bytes.cbor", "size"),
        ("bad-instance-id-prefix.cbor", "value"),
        ("bad-missing-realm.cbor", "missing"),
        ("bad-three-rems.cbor", "size"),
        ("bad-trailing-bytes.cbor", "trailing"),
        ("bad-truncated.cbor", "truncated"),
    ];
    let refused: Vec<_> = refused.iter().map(|(name, kind)| (&**name, &**kind)).collect();
    assert_eq!(refused, expected);
    assert_eq!(shown, 14);
}

/// What the index states of published tokens: components, realm hash, the first bytes of RIM and REM0.
#[test]
fn published_tokens() {
    let Some(folder) = shared("cca") else { return };
    for (path, tag, components, hash, rim) in [
        ("veraison-ccatoken/cca_token.cbor", "399", 4, "sha256", "00000000"),
        ("veraison-rust-ccatoken/cca-token-01.cbor", "399", 4, "sha256", "00000000"),
        ("veraison-rust-ccatoken/bug-33-repro.cbor", "399", 16, "sha512", "d215240f"),
        ("veraison-rust-ccatoken/cca-token-draft-ffm-00.cbor", "399", 13, "sha256", "311314ab"),
        ("veraison-cca-coserv-demo/ccatoken.cbor", "399", 13, "sha256", "311314ab"),
        ("trustee/cca-example-token.cbor", "399", 13, "sha512", "ae87fbf7"),
        ("tf-m-tools/cca_token.cbor", "907", 4, "sha256", "00000000"),
        ("tf-m-tools/cca_example_token.cbor", "907", 13, "sha256", "311314ab"),
    ] {
        let file = well_formed(text(&folder.join(path)));
        check_places(&file, &fs::read(folder.join(path)).unwrap());
        // Examples, but no simulator's.
        assert_eq!(file["simulated"], false, "{path}");
        let all = fields(&file);
        assert_eq!(of(&all, "Token", "tag")["value"], tag, "{path}");
        assert_eq!(of(&all, "Platform", "components")["value"], components.to_string(), "{path}");
        let section = file["sections"].as_array().unwrap();
        let software = section.iter().find(|s| s["name"].as_str().unwrap().contains("Software"));
        let fields = software.unwrap()["fields"].as_array().unwrap();
        let measured = fields.iter().filter(|field| field["name"] == "measurement").count();
        assert_eq!(measured, components, "{path}");
        assert_eq!(of(&all, "Realm", "hash")["value"], hash, "{path}");
        assert!(measurements(&file)[0].as_str().unwrap().starts_with(rim), "{path}");
        let is_bound = !path.contains("bug-33");
        assert_eq!(kinds(&file).contains(&"binding"), !is_bound, "{path}");
        assert_eq!(kinds(&file).contains(&"bound"), is_bound, "{path}");
    }
    // Measurements of 64 bytes under the name SHA-256: all is shown, and said to be wrong.
    let path = folder.join("veraison-rust-ccatoken/cca-token-02.cbor");
    let (file, status) = inspect(text(&path));
    assert_eq!((status, &file["error"]["kind"]), (2, &"hash-size".into()));
    assert!(measurements(&file).iter().all(|value| *value == "43".repeat(64)));
    assert!(file["title"].as_str().unwrap().ends_with("not verified"));
}

/// A byte string of CBOR.
fn bytes(content: &[u8]) -> Vec<u8> {
    [&[0x59][..], &u16::try_from(content.len()).unwrap().to_be_bytes(), content].concat()
}

/// Claims that nobody here knows are shown as they stand.
#[test]
fn unknown_claims() {
    let Some(folder) = shared("cca") else { return };
    let platform = fs::read(folder.join("tf-rmm/eac5_platform_token.cbor")).unwrap();
    let dir = Dir::new();
    for (name, label) in [("numeric", "1234567"), ("text", "unknown-key")] {
        let claims = format!("veraison-rust-ccatoken/realm-claims+spurious-{name}-key.cbor");
        let claims = fs::read(folder.join(claims)).unwrap();
        // Headers: the algorithm and a hash of a certificate, which are signed; a certificate.
        let header = b"\xd2\x84\x48\xa2\x01\x38\x22\x18\x22\x41\x09\xa1\x18\x21\x42\x30\x00";
        let realm = [&header[..], &bytes(&claims), &bytes(&[7; 96])].concat();
        let token = [
            &b"\xd9\x01\x8f\xa2\x19\xac\xca"[..],
            &bytes(&platform),
            b"\x19\xac\xd1",
            &bytes(&realm),
        ];
        let token = token.concat();
        let file = well_formed(text(&dir.file("token", &token)));
        check_places(&file, &token);
        let all = fields(&file);
        let unknown = of(&all, "Realm", &format!("claim {label}"));
        assert_eq!(unknown["bytes"], Hex(b"\x6dunknown-claim").to_string());
        for (header, bytes, meaning) in [("34", "4109", "signed; x5t"), ("33", "423000", "not s")] {
            let header = of(&all, "Headers", &format!("header {header}"));
            assert_eq!(header["bytes"], bytes);
            assert!(header["meaning"].as_str().unwrap().starts_with(meaning), "{header}");
        }
        let findings = file["findings"].as_array().unwrap();
        let found: Vec<_> = findings.iter().filter(is("unknown-claim")).collect();
        assert_eq!((found.len(), &found[0]["offset"]), (1, &unknown["offset"]), "{findings:?}");
        assert!(found[0]["text"].as_str().unwrap().contains(label));
    }
}

/// The same for a component of the platform: the first one of a real token gets another entry.
#[test]
fn unknown_entries_of_components() {
    let Some(folder) = shared("cca/tf-rmm") else { return };
    let platform = fs::read(folder.join("eac5_platform_token.cbor")).unwrap();
    let realm = fs::read(folder.join("../veraison-rust-ccatoken/realm-claims.cbor")).unwrap();
    // The payload's place: behind tag, array, protected header, unprotected header and its own head.
    assert_eq!(
        (platform[..8].to_vec(), platform[8]),
        (b"\xd2\x84\x44\xa1\x01\x38\x22\xa0".to_vec(), 0x59)
    );
    let size = usize::from(u16::from_be_bytes([platform[9], platform[10]]));
    let mut claims = platform[11..][..size].to_vec();
    // Claim 2399, an array of four maps.
    let at = claims.windows(4).position(|window| window == b"\x19\x09\x5f\x84").unwrap() + 4;
    let pairs = claims[at];
    assert!((0xA2..0xB7).contains(&pairs), "{pairs:#x}");
    claims[at] += 1;
    claims.splice(at + 1..at + 1, *b"\x18\x63\x42hi");
    let sign1 = |claims: &[u8]| {
        [&b"\xd2\x84\x44\xa1\x01\x38\x22\xa0"[..], &bytes(claims), &bytes(&[7; 96])].concat()
    };
    let token = [
        &b"\xd9\x01\x8f\xa2\x19\xac\xca"[..],
        &bytes(&sign1(&claims)),
        b"\x19\xac\xd1",
        &bytes(&sign1(&realm)),
    ];
    let token = token.concat();
    let dir = Dir::new();
    let file = well_formed(text(&dir.file("token", &token)));
    check_places(&file, &token);
    let all = fields(&file);
    let unknown = of(&all, "Software", "label 99");
    assert_eq!(unknown["bytes"], Hex(b"\x42hi").to_string());
    assert!(unknown["meaning"].as_str().unwrap().contains("component 1"));
    let findings = file["findings"].as_array().unwrap();
    let found: Vec<_> = findings.iter().filter(is("unknown-claim")).collect();
    assert_eq!((found.len(), &found[0]["offset"]), (1, &unknown["offset"]), "{findings:?}");
}

/// A log of the events that the tokens' REMs were computed from.
#[test]
fn a_log_and_a_token() {
    let Some((folder, stated)) = minted() else { return };
    let mut log = header(1);
    for entry in stated["events"].as_array().unwrap() {
        let data = entry["event"].as_str().unwrap().as_bytes();
        let register = u32::try_from(entry["rsi_index"].as_u64().unwrap()).unwrap();
        log.extend(event(register, 0x0D, Algorithm::Sha384.hash(data), data));
    }
    let dir = Dir::new();
    let log = dir.file("log", &log);
    let replay = |token: &str| {
        let token = folder.join(token);
        tsm(&["replay", "--json", "--expect-from", text(&token), text(&log)])
    };
    for token in ["good-399-rel0-sha-384.cbor", "good-907-v2-sha-384.cbor"] {
        let json = replay(token).ok().json();
        assert_eq!(json["holds"], true);
        assert!(json["findings"].to_string().contains("evidence-unverified"));
        for entry in json["registers"].as_array().unwrap() {
            let name = entry["name"].as_str().unwrap();
            assert!(name.starts_with("rem"), "{name}");
            if entry["records"] != 0 {
                assert_eq!(entry["match"], "complete", "{entry}");
            }
        }
    }
    // A log of fewer events.
    let short = dir.file("short", &fs::read(&log).unwrap()[..header(1).len()]);
    let token = folder.join("good-399-rel0-sha-384.cbor");
    assert_eq!(tsm(&["replay", "--expect-from", text(&token), text(&short)]).status, 1);
    assert_ne!(replay("good-399-rel0-sha-256.cbor").status, 0);
    replay("bad-rak-not-bound.cbor").refused("the realm's key is not bound");
    replay("bad-alg-length-mismatch.cbor").refused("hash that the token names");
    replay("bad-truncated.cbor").refused("(byte 1531)");
    // As hex digits.
    let hex = Hex(&fs::read(&token).unwrap()).to_string();
    let hex = dir.file("token.hex", hex);
    tsm(&["replay", "--expect-from", text(&hex), text(&log)]).ok();
}
