// SPDX-License-Identifier: MIT OR Apache-2.0
//! A small JSON reader and writer (RFC 8259) for logs: a cursor that is told what comes next.
//!
//! Why not a crate. What these logs need is to borrow strings with their escapes still in them (a
//! string of a megabyte of hexadecimal must not need a buffer, and systemd's are escaped twice), to
//! pass over a member's value and keep it as it is written, and members in any order, each at most
//! once. Of the crates without an allocator, `picojson` 0.2 and `serde-json-core` 0.7 put every
//! string with an escape into a buffer of the caller, and give no place of a value; `lite-json` and
//! `miniserde` allocate. None refuses a name that comes twice.
//!
//! Nesting is bounded by [`DEPTH`], without recursion; every function looks at each byte a fixed
//! number of times. Not accepted: comments, trailing commas, lone surrogates, a byte order mark,
//! bytes that are not UTF-8.

use core::str;

use crate::error::ErrorKind;
use crate::out::Out;
use crate::text::Text;

/// How deep a value that is passed over may nest.
pub(crate) const DEPTH: u32 = 8;

type Result<T> = core::result::Result<T, ErrorKind>;

/// A place in JSON text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    pub(crate) const fn new(text: &'a [u8]) -> Self {
        Self { rest: text }
    }

    /// What is behind the cursor.
    pub(crate) const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Goes to what is not white space.
    pub(crate) fn skip_space(&mut self) {
        while let Some((b' ' | b'\t' | b'\n' | b'\r', rest)) = self.rest.split_first() {
            self.rest = rest;
        }
    }

    /// The byte behind white space; stays before it.
    pub(crate) fn peek(&mut self) -> Result<u8> {
        self.skip_space();
        self.rest.first().copied().ok_or(ErrorKind::Truncated)
    }

    /// Passes over `byte`, if it is next.
    pub(crate) fn take(&mut self, byte: u8) -> Result<bool> {
        let is_it = self.peek()? == byte;
        if is_it {
            self.rest = self.rest.get(1..).unwrap_or_default();
        }
        Ok(is_it)
    }

    /// Passes over `byte`, which must be next.
    pub(crate) fn expect(&mut self, byte: u8) -> Result<()> {
        if self.take(byte)? { Ok(()) } else { Err(ErrorKind::Encoding) }
    }

    /// Whether there is nothing but white space.
    pub(crate) fn is_at_end(&mut self) -> bool {
        self.skip_space();
        self.rest.is_empty()
    }

    /// Reads an object, handing each member's name to `member`, which must read the value.
    pub(crate) fn object(
        &mut self,
        mut member: impl FnMut(&mut Self, Text<'a>) -> Result<()>,
    ) -> Result<()> {
        if self.peek()? != b'{' {
            return Err(self.wrong_type());
        }
        self.expect(b'{')?;
        if self.take(b'}')? {
            return Ok(());
        }
        loop {
            let name = self.name()?;
            member(self, name)?;
            if self.take(b'}')? {
                return Ok(());
            }
            self.expect(b',')?;
        }
    }

    /// Reads a string.
    pub(crate) fn text(&mut self) -> Result<Text<'a>> {
        if self.peek()? != b'"' {
            return Err(self.wrong_type());
        }
        let mut end = 1_usize;
        loop {
            match self.rest.get(end).ok_or(ErrorKind::Truncated)? {
                b'"' => break,
                b'\\' => end = end.saturating_add(2),
                0..0x20 => return Err(ErrorKind::Encoding),
                _ => end = end.saturating_add(1),
            }
        }
        let inside = self.rest.get(1..end).ok_or(ErrorKind::Truncated)?;
        self.rest = self.rest.get(end..).and_then(|rest| rest.get(1..)).unwrap_or_default();
        let inside = str::from_utf8(inside).map_err(|_| ErrorKind::Encoding)?;
        Text::json(inside).ok_or(ErrorKind::Encoding)
    }

    /// Reads a whole number from 0.
    pub(crate) fn number(&mut self) -> Result<u64> {
        if !self.peek()?.is_ascii_digit() {
            return Err(self.wrong_type());
        }
        let number = self.scalar()?;
        if number.iter().any(|byte| !byte.is_ascii_digit()) {
            return Err(ErrorKind::Number);
        }
        let add = |sum: u64, digit: &u8| {
            sum.checked_mul(10)?.checked_add(u64::from(digit.wrapping_sub(b'0')))
        };
        number.iter().try_fold(0, add).ok_or(ErrorKind::Number)
    }

    /// Passes over a value of any kind and gives it as it is written.
    pub(crate) fn value(&mut self) -> Result<&'a [u8]> {
        self.skip_space();
        let before = self.rest;
        // One bit for each open bracket, the innermost lowest: whether it is an object's.
        let (mut kinds, mut depth) = (0_u32, 0_u32);
        loop {
            let open = self.peek()?;
            let mut is_open = false;
            match open {
                b'{' | b'[' => {
                    self.expect(open)?;
                    depth = depth.saturating_add(1);
                    if depth > DEPTH {
                        return Err(ErrorKind::Nesting);
                    }
                    kinds = kinds << 1 | u32::from(open == b'{');
                    is_open = self.peek()? != close(kinds);
                    if is_open && open == b'{' {
                        self.name()?;
                    }
                }
                b'"' => {
                    self.text()?;
                }
                _ => {
                    self.scalar()?;
                }
            }
            while !is_open {
                if depth == 0 {
                    let length = before.len().saturating_sub(self.rest.len());
                    return Ok(before.get(..length).unwrap_or_default());
                }
                if self.take(close(kinds))? {
                    kinds >>= 1;
                    depth = depth.saturating_sub(1);
                    continue;
                }
                // An empty one has just been opened, or a value stands before.
                self.expect(b',')?;
                if kinds & 1 == 1 {
                    self.name()?;
                }
                is_open = true;
            }
        }
    }

    fn name(&mut self) -> Result<Text<'a>> {
        if self.peek()? != b'"' {
            return Err(ErrorKind::Encoding);
        }
        let name = self.text()?;
        self.expect(b':')?;
        Ok(name)
    }

    /// Reads a number or a literal.
    fn scalar(&mut self) -> Result<&'a [u8]> {
        let is_inside = |byte: &u8| byte.is_ascii_alphanumeric() || b"+-.".contains(byte);
        let end = self.rest.iter().position(|byte| !is_inside(byte));
        let (scalar, rest) =
            self.rest.split_at(end.unwrap_or(self.rest.len()).min(self.rest.len()));
        self.rest = rest;
        if matches!(scalar, b"true" | b"false" | b"null") || is_number(scalar) {
            return Ok(scalar);
        }
        // Cut off, it may be the beginning of one.
        Err(if rest.is_empty() { ErrorKind::Truncated } else { ErrorKind::Encoding })
    }

    /// What to say if the next value is not of the kind it must be: bad JSON, or a bad member.
    fn wrong_type(self) -> ErrorKind {
        let mut rest = self;
        match rest.value() {
            Ok(_) => ErrorKind::Member,
            Err(error) => error,
        }
    }
}

const fn close(kinds: u32) -> u8 {
    if kinds & 1 == 1 { b'}' } else { b']' }
}

fn is_number(text: &[u8]) -> bool {
    fn digits(text: &mut &[u8]) -> usize {
        let count = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
        *text = text.get(count..).unwrap_or_default();
        count
    }
    let mut rest = text.strip_prefix(b"-").unwrap_or(text);
    let has_zero = rest.first() == Some(&b'0');
    let whole = digits(&mut rest);
    if whole == 0 || (has_zero && whole > 1) {
        return false;
    }
    if let Some(behind) = rest.strip_prefix(b".") {
        rest = behind;
        if digits(&mut rest) == 0 {
            return false;
        }
    }
    if let [b'e' | b'E', behind @ ..] = rest {
        rest = match behind {
            [b'+' | b'-', behind @ ..] => behind,
            _ => behind,
        };
        if digits(&mut rest) == 0 {
            return false;
        }
    }
    rest.is_empty()
}

/// Puts a member's value in its place; an error if it is there already.
pub(crate) fn once<T>(place: &mut Option<T>, value: T) -> Result<()> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(ErrorKind::Member),
    }
}

/// Writes a string, escaped as RFC 8785 has it, which is also the shortest way.
pub(crate) fn put_text(out: &mut dyn Out, text: Text<'_>) -> Result<()> {
    out.put(b"\"")?;
    for c in text.chars() {
        put_char(out, c)?;
    }
    out.put(b"\"")
}

fn put_char(out: &mut dyn Out, c: char) -> Result<()> {
    match c {
        '"' => out.put(b"\\\""),
        '\\' => out.put(b"\\\\"),
        '\u{8}' => out.put(b"\\b"),
        '\t' => out.put(b"\\t"),
        '\n' => out.put(b"\\n"),
        '\u{c}' => out.put(b"\\f"),
        '\r' => out.put(b"\\r"),
        '\0'..' ' => {
            out.put(b"\\u00")?;
            out.put(&tsm_core::hex::digits(u8::try_from(c).unwrap_or_default()))
        }
        c => out.put(c.encode_utf8(&mut [0; 4]).as_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::out::Room;

    fn value(text: &str) -> Result<&[u8]> {
        let mut cursor = Cursor::new(text.as_bytes());
        let value = cursor.value()?;
        if cursor.is_at_end() { Ok(value) } else { Err(ErrorKind::Encoding) }
    }

    #[test]
    fn values_are_passed_over() {
        for good in [
            "0",
            "-0",
            "12",
            "1.5e+3",
            "1E9",
            "-2.0e-1",
            "true",
            "false",
            "null",
            "\"\"",
            "\"a\\n\"",
            "[]",
            "{}",
            "[[]]",
            "[{}]",
            "[1,2]",
            "[ 1 , \"x\" , null ]",
            "{\"a\":1}",
            "{\"a\":{\"b\":[1,{\"c\":[]}]},\"d\":[[],{}]}",
            "{ \"a\" : [ ] }",
            "[[[[[[[[1]]]]]]]]",
        ] {
            assert_eq!(value(good), Ok(good.as_bytes()), "{good}");
            for cut in 1..good.len() {
                let cut = &good[..cut];
                assert!(value(cut).is_err() || is_number(cut.as_bytes()), "{cut}");
            }
        }
        for bad in [
            "01",
            "+1",
            "1.",
            ".5",
            "1e",
            "--1",
            "0x1",
            "nul ",
            "True",
            "NaN",
            "[1,]",
            "[,1]",
            "[1 2]",
            "{\"a\"}",
            "{\"a\":}",
            "{a:1}",
            "{\"a\":1,}",
            "{1:2}",
            "]",
            "}",
            "[}",
            "{]",
            "\"\u{1}\"",
            "\"\\x\"",
            "\"\n\"",
            "1 2",
            "[1]]",
            "{\"a\":1 \"b\":2}",
            "'a'",
        ] {
            let error = value(&format!("{bad} ")).err();
            assert!(matches!(error, Some(ErrorKind::Encoding)), "{bad} {error:?}");
        }
        assert_eq!(value(&"[".repeat(9)), Err(ErrorKind::Nesting));
        assert_eq!(value(&"[".repeat(100_000)), Err(ErrorKind::Nesting));
        assert_eq!(value("[1,{\"a\""), Err(ErrorKind::Truncated));
        assert_eq!(Cursor::new(b"\"\xFF\"").text(), Err(ErrorKind::Encoding));
    }

    #[test]
    fn numbers() {
        let number = |text: &str| Cursor::new(text.as_bytes()).number();
        assert_eq!(number("18446744073709551615 "), Ok(u64::MAX));
        assert_eq!(number("0,"), Ok(0));
        for bad in ["18446744073709551616", "1.0", "1e3"] {
            assert_eq!(number(bad), Err(ErrorKind::Number), "{bad}");
        }
        assert_eq!(number("\"1\""), Err(ErrorKind::Member));
        assert_eq!(number("-1"), Err(ErrorKind::Member));
        assert_eq!(number("1x "), Err(ErrorKind::Encoding));
    }

    #[test]
    fn strings_are_written_as_rfc_8785_has_them() {
        let mut buffer = [0; 64];
        let mut room = Room::new(&mut buffer);
        let text = "\u{20ac}$\u{f}\nA'B\"\\\"/\u{7f}\u{8}\t\u{c}\r";
        put_text(&mut room, text.into()).unwrap();
        let expected = "\"\u{20ac}$\\u000f\\nA'B\\\"\\\\\\\"/\u{7f}\\b\\t\\f\\r\"";
        assert_eq!(room.written(), expected.as_bytes());
        let again = Cursor::new(room.written()).text().unwrap();
        assert_eq!(again, text);
    }
}
