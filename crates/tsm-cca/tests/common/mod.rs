// SPDX-License-Identifier: MIT OR Apache-2.0
//! The test data, and the notations in it.

#![allow(dead_code, unused_imports, unreachable_pub, reason = "each test binary uses a part")]

pub mod diag;
pub mod yaml;

use serde_json::Value;
pub use tsm_test_support::{base64, shared, unhex};

/// A file of the CCA data, or `None` after a visible note.
pub fn cca(path: &str) -> Option<Vec<u8>> {
    shared(&format!("cca/{path}")).map(|path| std::fs::read(path).unwrap())
}

pub fn json(path: &str) -> Option<Value> {
    cca(path).map(|bytes| serde_json::from_slice(&bytes).unwrap())
}
