// SPDX-License-Identifier: MIT OR Apache-2.0
//! From CBOR's diagnostic notation (RFC 8949, section 8) to CBOR, as far as the data need it.

use super::unhex;

/// The encoding of a text in diagnostic notation.
pub fn encode(text: &str) -> Vec<u8> {
    let mut notation = Notation { rest: text };
    let mut out = Vec::new();
    notation.item(&mut out);
    notation.space();
    assert_eq!(notation.rest, "");
    out
}

struct Notation<'t> {
    rest: &'t str,
}

impl<'t> Notation<'t> {
    /// Passes white space, commas, colons and comments.
    fn space(&mut self) {
        loop {
            self.rest = self.rest.trim_start_matches([' ', '\n', '\r', '\t', ',', ':']);
            let Some(comment) = self.rest.strip_prefix('/') else { return };
            self.rest = comment.split_once('/').unwrap().1;
        }
    }

    fn take(&mut self, token: &str) -> bool {
        self.space();
        match self.rest.strip_prefix(token) {
            Some(rest) => self.rest = rest,
            None => return false,
        }
        true
    }

    fn until(&mut self, end: char) -> &'t str {
        let (before, rest) = self.rest.split_once(end).unwrap();
        self.rest = rest;
        before
    }

    /// Items up to a closing token; gives their number.
    fn items(&mut self, close: &str, out: &mut Vec<u8>) -> u64 {
        let mut count = 0;
        while !self.take(close) {
            self.item(out);
            count += 1;
        }
        count
    }

    fn item(&mut self, out: &mut Vec<u8>) {
        if self.take("{") {
            let mut inner = Vec::new();
            let count = self.items("}", &mut inner);
            head(5, count / 2, out);
            out.extend(inner);
        } else if self.take("[") {
            let mut inner = Vec::new();
            let count = self.items("]", &mut inner);
            head(4, count, out);
            out.extend(inner);
        } else if self.take("<<") {
            let mut inner = Vec::new();
            self.items(">>", &mut inner);
            head(2, inner.len() as u64, out);
            out.extend(inner);
        } else if self.take("h'") {
            let bytes = unhex(self.until('\''));
            head(2, bytes.len() as u64, out);
            out.extend(bytes);
        } else if self.take("\"") {
            let text = self.until('"');
            head(3, text.len() as u64, out);
            out.extend(text.bytes());
        } else if self.take("false") {
            out.push(0xF4);
        } else {
            self.number(out);
        }
    }

    fn number(&mut self, out: &mut Vec<u8>) {
        let end = self.rest.find(|c: char| c != '-' && !c.is_ascii_digit());
        let (digits, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        self.rest = rest;
        let number: i64 = digits.parse().unwrap();
        if self.take("(") {
            head(6, number as u64, out);
            self.item(out);
            assert!(self.take(")"));
        } else if number < 0 {
            head(1, !number as u64, out);
        } else {
            head(0, number as u64, out);
        }
    }
}

/// A head in the shortest form.
pub fn head(major: u8, value: u64, out: &mut Vec<u8>) {
    let major = major << 5;
    let bytes = value.to_be_bytes();
    match value {
        0..24 => out.push(major | value as u8),
        24..0x100 => out.extend([major | 24, value as u8]),
        0x100..0x1_0000 => {
            out.push(major | 25);
            out.extend(&bytes[6..]);
        }
        0x1_0000..0x1_0000_0000 => {
            out.push(major | 26);
            out.extend(&bytes[4..]);
        }
        _ => {
            out.push(major | 27);
            out.extend(bytes);
        }
    }
}
