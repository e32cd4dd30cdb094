// SPDX-License-Identifier: MIT OR Apache-2.0
//! Running `tsm inspect` and looking at one file of its output.

use std::collections::HashMap;

use serde_json::Value as Json;

use super::tsm;

/// The file's part of the output, and the exit status.
pub(crate) fn inspect(path: &str) -> (Json, i32) {
    let ran = tsm(&["inspect", "--json", path]);
    let status = ran.status;
    (ran.json()["files"][0].clone(), status)
}

pub(crate) fn well_formed(path: &str) -> Json {
    let (file, status) = inspect(path);
    assert_eq!((status, &file["error"]), (0, &Json::Null), "{path}");
    assert_eq!(file["findings"].as_array().unwrap().iter().filter(is("not-verified")).count(), 1);
    file
}

pub(crate) fn is(kind: &str) -> impl Fn(&&Json) -> bool {
    move |finding| finding["kind"] == kind
}

pub(crate) fn kinds(file: &Json) -> Vec<&str> {
    let findings = file["findings"].as_array().unwrap().iter();
    findings.map(|finding| finding["kind"].as_str().unwrap()).collect()
}

/// Fields by the first word of their section and their name.
pub(crate) fn fields(file: &Json) -> HashMap<(String, String), Json> {
    let mut all = HashMap::new();
    for section in file["sections"].as_array().unwrap() {
        let name = section["name"].as_str().unwrap();
        let first = name.split([' ', ':']).next().unwrap();
        for field in section["fields"].as_array().unwrap() {
            let name = field["name"].as_str().unwrap().to_string();
            all.insert((first.to_string(), name), field.clone());
        }
    }
    all
}

/// Fields have the bytes that stand at their offset.
pub(crate) fn check_places(file: &Json, bytes: &[u8]) -> usize {
    let mut seen = 0;
    for fields in file["sections"].as_array().unwrap().iter().flat_map(|s| s["fields"].as_array()) {
        let mut end = 0;
        for field in fields {
            let number = |name: &str| usize::try_from(field[name].as_u64().unwrap()).unwrap();
            let part = &bytes[number("offset")..][..number("size")];
            assert!(number("offset") >= end, "in the order of their bytes: {field}");
            end = number("offset") + number("size");
            if let Some(hex) = field["bytes"].as_str() {
                assert_eq!(hex, tsm_core::hex::Hex(part).to_string(), "{field}");
                seen += 1;
            }
        }
    }
    seen
}
