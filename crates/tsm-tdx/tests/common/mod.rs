// SPDX-License-Identifier: MIT OR Apache-2.0
//! Where the test data is, and a module in software that is good enough for tests.
//!
//! Data of other projects is not committed: it is looked for in `$TSM_TEST_DATA` or, beside the
//! workspace, `../shared/data`. Without it the tests that need it say `SKIPPED`, or fail if
//! `CI=true`.

#![allow(dead_code, unreachable_pub, reason = "each test binary uses a part")]

pub mod fake;
pub mod quote;

use std::path::{Path, PathBuf};

use serde_json::Value;

/// A folder or file of the shared data, or `None` after a visible note.
pub fn shared(path: &str) -> Option<PathBuf> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let root = std::env::var_os("TSM_TEST_DATA")
        .map_or_else(|| workspace.join("../shared/data"), PathBuf::from);
    let found = root.join(path);
    if found.exists() {
        return Some(found);
    }
    let ci = std::env::var("CI").is_ok_and(|value| value == "true");
    assert!(!ci, "{} is absent, and this is CI", found.display());
    eprintln!("SKIPPED: {} is absent; set TSM_TEST_DATA", found.display());
    None
}

/// The bytes of a file of `tdx/`. Names of other encodings than the quote's own are decoded:
/// hexadecimal text, and the quote in JSON files.
pub fn file(name: &str) -> Option<Vec<u8>> {
    let (path, range) = match name.split_once('[') {
        Some((path, range)) => {
            let (from, to) = range.strip_suffix(']').unwrap().split_once("..").unwrap();
            (path, Some(from.parse::<usize>().unwrap()..to.parse().unwrap()))
        }
        None => (name, None),
    };
    let bytes = std::fs::read(shared("tdx")?.join(path)).unwrap();
    let text = || String::from_utf8(bytes.clone()).unwrap();
    let json = || serde_json::from_slice::<Value>(&bytes).unwrap();
    Some(match name {
        "dstack/quote-report.json" => unhex(json()["quote"].as_str().unwrap()),
        "trustee/az-tdx-evidence-v1.json" => base64(json()["td_quote"].as_str().unwrap()),
        _ if name.ends_with("hex") || name.ends_with("hex.txt") => unhex(&text()),
        _ => range.map_or_else(|| bytes.clone(), |range| bytes[range].to_vec()),
    })
}

/// `tdx/expected.json`.
pub fn expected() -> Option<Value> {
    let path = shared("tdx/expected.json")?;
    Some(serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap())
}

pub fn unhex(text: &str) -> Vec<u8> {
    let text = text.trim().trim_start_matches("0x");
    let digit = |byte: u8| char::from(byte).to_digit(16).unwrap() as u8;
    text.as_bytes().chunks(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn base64(text: &str) -> Vec<u8> {
    const DIGITS: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = Vec::new();
    let (mut bits, mut value) = (0, 0_u32);
    for byte in text.chars() {
        // The URL alphabet too.
        let byte = match byte {
            '-' => '+',
            '_' => '/',
            other => other,
        };
        let Some(digit) = DIGITS.find(byte) else { continue };
        value = (value << 6 | digit as u32) & 0xFFFF;
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            out.push((value >> bits) as u8);
        }
    }
    out
}
