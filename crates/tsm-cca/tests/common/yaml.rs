// SPDX-License-Identifier: MIT OR Apache-2.0
//! Keys and values of the data's YAML files, in order and without their nesting.

use super::base64;

/// A key (that of a list's item without one is `-`) and its value; texts are bytes too.
pub fn pairs(text: &str) -> Vec<(String, Vec<u8>)> {
    let indent = |line: &str| line.len() - line.trim_start().len();
    let mut pairs = Vec::new();
    let mut lines = text.lines().filter(|line| !is_empty(line)).peekable();
    while let Some(line) = lines.next() {
        let content = line.trim_start();
        let (key, value) = match content.strip_prefix("- ") {
            Some(value) if value.starts_with("!!") => ("-", value),
            Some(content) => content.split_once(": ").unwrap(),
            // A key with a map or a list below.
            None => match content.split_once(": ") {
                Some(pair) => pair,
                None => continue,
            },
        };
        let value = match value.strip_prefix("!!binary ") {
            Some("|") => {
                let mut digits = String::new();
                let deeper = |next: &&str| indent(next) > indent(line);
                while let Some(next) = lines.next_if(deeper) {
                    digits.push_str(next.trim());
                }
                base64(&digits)
            }
            Some(digits) => base64(digits),
            None if value.starts_with("!inc") => continue,
            None => value.trim_matches('"').as_bytes().to_vec(),
        };
        pairs.push((key.to_owned(), value));
    }
    pairs
}

fn is_empty(line: &str) -> bool {
    let line = line.trim_start();
    line.is_empty() || line.starts_with('#')
}
