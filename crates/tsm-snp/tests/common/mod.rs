// SPDX-License-Identifier: MIT OR Apache-2.0
//! Test data, a firmware in software, and a host that does what its schedule says.
//!
//! The firmware shares no code with the library but the layout of the header and the names of
//! statuses: it seals and opens with the crate `aes-gcm` itself.

#![allow(dead_code, unreachable_pub, reason = "each test binary uses a part")]

pub mod firmware;
pub mod host;

use std::path::{Path, PathBuf};

/// A folder or file of the shared data, or `None` after a visible note.
pub fn shared(path: &str) -> Option<PathBuf> {
    let root = std::env::var_os("TSM_TEST_DATA")
        .map_or_else(|| workspace().join("../shared/data"), PathBuf::from);
    let found = root.join(path);
    if found.exists() {
        return Some(found);
    }
    let ci = std::env::var("CI").is_ok_and(|value| value == "true");
    assert!(!ci, "{} is absent, and this is CI", found.display());
    eprintln!("SKIPPED: {} is absent; set TSM_TEST_DATA", found.display());
    None
}

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

pub fn json(path: &Path) -> serde_json::Value {
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

pub fn hex(text: &str) -> Vec<u8> {
    let digits = text.as_bytes().chunks(2);
    digits
        .map(|pair| u8::from_str_radix(core::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

pub fn array<const N: usize>(text: &str) -> [u8; N] {
    hex(text).try_into().unwrap()
}
