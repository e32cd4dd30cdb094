// SPDX-License-Identifier: MIT OR Apache-2.0
//! Where the test data is, and a module in software that is good enough for tests.

#![allow(dead_code, unused_imports, unreachable_pub, reason = "each test binary uses a part")]

pub mod fake;
pub mod quote;

use serde_json::Value;
use tsm_test_support::base64;
pub use tsm_test_support::{hex, shared, unhex};

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
