// SPDX-License-Identifier: MIT OR Apache-2.0
//! Text of a log that may stand there with JSON's escapes, read without a buffer.

use core::{fmt, str};

/// Text in a log: plain, or the inside of a JSON string whose escapes are sound.
///
/// Equality compares the text meant, not how it is written.
#[derive(Clone, Copy)]
pub struct Text<'a> {
    written: &'a str,
    is_escaped: bool,
}

impl<'a> Text<'a> {
    /// The inside of a JSON string; `None` if its escapes are not those of RFC 8259, or stand for
    /// half a character.
    pub(crate) fn json(inside: &'a str) -> Option<Self> {
        let is_escaped = inside.contains('\\');
        let text = Self { written: inside, is_escaped };
        let mut rest = inside.chars();
        while is_escaped && !rest.as_str().is_empty() {
            unescape(&mut rest)?;
        }
        Some(text)
    }

    /// The text as a slice of the log; `None` if it has escapes there.
    #[must_use]
    pub const fn as_str(&self) -> Option<&'a str> {
        if self.is_escaped { None } else { Some(self.written) }
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.written.is_empty()
    }

    /// The characters meant.
    #[must_use]
    pub fn chars(&self) -> Chars<'a> {
        Chars { rest: self.written.chars(), is_escaped: self.is_escaped }
    }

    /// Equality without regard to the case of ASCII letters.
    #[must_use]
    pub fn eq_ignore_ascii_case(&self, other: &str) -> bool {
        let lower = |c: char| c.to_ascii_lowercase();
        self.chars().map(lower).eq(other.chars().map(lower))
    }

    /// Gives the text's UTF-8 piece by piece.
    pub(crate) fn feed<E>(&self, mut to: impl FnMut(&[u8]) -> Result<(), E>) -> Result<(), E> {
        if !self.is_escaped {
            return to(self.written.as_bytes());
        }
        self.chars().try_for_each(|c| to(c.encode_utf8(&mut [0; 4]).as_bytes()))
    }
}

impl<'a> From<&'a str> for Text<'a> {
    fn from(written: &'a str) -> Self {
        Self { written, is_escaped: false }
    }
}

impl PartialEq for Text<'_> {
    fn eq(&self, other: &Self) -> bool {
        match (self.as_str(), other.as_str()) {
            (Some(one), Some(other)) => one == other,
            _ => self.chars().eq(other.chars()),
        }
    }
}

impl Eq for Text<'_> {}

impl PartialEq<str> for Text<'_> {
    fn eq(&self, other: &str) -> bool {
        *self == Text::from(other)
    }
}

impl PartialEq<&str> for Text<'_> {
    fn eq(&self, other: &&str) -> bool {
        *self == Text::from(*other)
    }
}

impl fmt::Display for Text<'_> {
    /// The text itself, control characters included.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.as_str() {
            Some(text) => f.write_str(text),
            None => self.chars().try_for_each(|c| fmt::Write::write_char(f, c)),
        }
    }
}

impl fmt::Debug for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"")?;
        self.chars().try_for_each(|c| fmt::Display::fmt(&c.escape_debug(), f))?;
        f.write_str("\"")
    }
}

/// The iterator of [`Text::chars`].
#[derive(Clone, Debug)]
pub struct Chars<'a> {
    rest: str::Chars<'a>,
    is_escaped: bool,
}

impl Iterator for Chars<'_> {
    type Item = char;

    fn next(&mut self) -> Option<char> {
        if self.is_escaped { unescape(&mut self.rest) } else { self.rest.next() }
    }
}

/// The next character of the inside of a JSON string (RFC 8259, section 7).
fn unescape(rest: &mut str::Chars<'_>) -> Option<char> {
    let c = rest.next()?;
    if c != '\\' {
        return Some(c);
    }
    Some(match rest.next()? {
        c @ ('"' | '\\' | '/') => c,
        'b' => '\u{8}',
        'f' => '\u{c}',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'u' => {
            let first = unit(rest)?;
            let mut units = [first, 0];
            let is_pair = (0xD800..0xDC00).contains(&first);
            if is_pair {
                if (rest.next()?, rest.next()?) != ('\\', 'u') {
                    return None;
                }
                units = [first, unit(rest)?];
            }
            let units = if is_pair { &units[..] } else { units.split_last()?.1 };
            char::decode_utf16(units.iter().copied()).next()?.ok()?
        }
        _ => return None,
    })
}

/// Four hex digits, of either case.
fn unit(rest: &mut str::Chars<'_>) -> Option<u16> {
    let mut unit = 0_u16;
    for _ in 0..4 {
        let digit = rest.next()?.to_digit(16)?;
        unit = unit.checked_mul(16)?.checked_add(u16::try_from(digit).ok()?)?;
    }
    Some(unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes() {
        for (inside, text) in [
            ("", ""),
            ("plain", "plain"),
            (r#"\"\\\/\b\f\n\r\t"#, "\"\\/\u{8}\u{c}\n\r\t"),
            (r"\u0041\u00e9\ud83e\udd80", "A\u{e9}\u{1f980}"),
            (r"\uD83E\uDD80", "\u{1f980}"),
        ] {
            let read = Text::json(inside).unwrap();
            assert_eq!(read, text);
            assert_eq!(read.to_string(), text);
            assert_eq!(read.as_str().is_some(), !inside.contains('\\'));
            let mut fed = Vec::new();
            let mut feed = |piece: &[u8]| {
                fed.extend_from_slice(piece);
                Ok::<_, ()>(())
            };
            read.feed(&mut feed).unwrap();
            assert_eq!(fed, text.as_bytes());
        }
        for bad in [
            r"\",
            r"\x",
            r"\u",
            r"\u12",
            r"\u12g4",
            r"\u+123",
            r"\ud83e",
            r"\ud83ex",
            r"\ud83e\n",
            r"\ud83e\u0041",
            r"\udd80",
        ] {
            assert!(Text::json(bad).is_none(), "{bad}");
        }
        assert!(Text::from("Ev_x").eq_ignore_ascii_case("EV_X"));
        assert_ne!(Text::from("a"), Text::from("ab"));
    }
}
