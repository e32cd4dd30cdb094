// SPDX-License-Identifier: MIT OR Apache-2.0
//! Test data, a firmware in software, and a host that does what its schedule says.
//!
//! The firmware shares no code with the library but the layout of the header and the names of
//! statuses: it seals and opens with the crate `aes-gcm` itself.

#![allow(dead_code, unused_imports, unreachable_pub, reason = "each test binary uses a part")]

pub mod firmware;
pub mod host;

use std::path::Path;

pub use tsm_test_support::{hex, shared, unhex};

pub fn json(path: &Path) -> serde_json::Value {
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

pub fn array<const N: usize>(text: &str) -> [u8; N] {
    unhex(text).try_into().unwrap()
}
