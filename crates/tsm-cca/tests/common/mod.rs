// SPDX-License-Identifier: MIT OR Apache-2.0
//! Where the test data is.
//!
//! Data of other projects is not committed: it is looked for in `$TSM_TEST_DATA` or, beside the
//! workspace, `../shared/data`. Without it the tests that need it say `SKIPPED`, or fail if
//! `CI=true`.

#![allow(dead_code, unreachable_pub, reason = "each test binary uses a part")]

pub mod diag;
pub mod yaml;

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

/// A file of the CCA data, or `None` after a visible note.
pub fn cca(path: &str) -> Option<Vec<u8>> {
    shared(&format!("cca/{path}")).map(|path| std::fs::read(path).unwrap())
}

pub fn json(path: &str) -> Option<Value> {
    cca(path).map(|bytes| serde_json::from_slice(&bytes).unwrap())
}

pub fn hex(digits: &str) -> Vec<u8> {
    let digits: Vec<u8> = digits.bytes().filter(|digit| !digit.is_ascii_whitespace()).collect();
    let pairs = digits.chunks_exact(2);
    assert!(pairs.remainder().is_empty());
    let digit = |byte: u8| char::from(byte).to_digit(16).unwrap() as u8;
    pairs.map(|pair| 16 * digit(pair[0]) + digit(pair[1])).collect()
}

/// Standard base64 with padding, as YAML's `!!binary`.
pub fn base64(text: &str) -> Vec<u8> {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut bits = 0_u32;
    let mut count = 0;
    let mut out = Vec::new();
    for byte in text.bytes().filter(|byte| !byte.is_ascii_whitespace() && *byte != b'=') {
        let value = ALPHABET.iter().position(|&a| a == byte).unwrap() as u32;
        bits = bits << 6 | value;
        count += 6;
        if count >= 8 {
            count -= 8;
            out.push((bits >> count) as u8);
        }
    }
    out
}
