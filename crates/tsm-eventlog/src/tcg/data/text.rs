// SPDX-License-Identifier: MIT OR Apache-2.0
//! Text in an event's data, shown so that it does no harm to a terminal.

use core::{char, fmt};

/// Text of bytes, meant as ASCII or UTF-8; it may be neither.
///
/// `Display` shows it in one line and escapes control characters, invisible ones, and bytes that are
/// not UTF-8.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct RawText<'a>(pub &'a [u8]);

impl<'a> RawText<'a> {
    /// The text, if it is UTF-8. Not escaped.
    #[must_use]
    pub fn as_str(&self) -> Option<&'a str> {
        core::str::from_utf8(self.0).ok()
    }

    /// Whether it is some text without control characters, all of it ASCII.
    pub(in crate::tcg) fn is_printable(self) -> bool {
        !self.0.is_empty() && self.0.iter().all(|byte| matches!(byte, b' '..=b'~'))
    }
}

impl fmt::Display for RawText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for chunk in self.0.utf8_chunks() {
            chunk.valid().chars().try_for_each(|c| write_safe(f, c))?;
            chunk.invalid().iter().try_for_each(|byte| write!(f, "\\x{byte:02x}"))?;
        }
        Ok(())
    }
}

impl fmt::Debug for RawText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

/// Text in UTF-16, little endian; it may not be sound.
///
/// `Display` as for [`RawText`]; a unit that is half a character is shown as `\u{d800}`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Utf16Text<'a>(pub &'a [u8]);

impl<'a> Utf16Text<'a> {
    /// The units. A last odd byte is not among them.
    pub fn units(&self) -> impl Iterator<Item = u16> + Clone + use<'a> {
        self.0.as_chunks().0.iter().map(|unit| u16::from_le_bytes(*unit))
    }

    /// The characters; U+FFFD for half ones.
    pub fn chars(&self) -> impl Iterator<Item = char> + use<'a> {
        char::decode_utf16(self.units()).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER))
    }

    /// Whether it is some text without control characters, all of it ASCII, in whole units.
    pub(super) fn is_printable(self) -> bool {
        !self.0.is_empty()
            && self.0.len().is_multiple_of(2)
            && self.units().all(|unit| (0x20..0x7F).contains(&unit))
    }
}

impl PartialEq<str> for Utf16Text<'_> {
    /// Whether it is exactly this text: same units, none left.
    fn eq(&self, other: &str) -> bool {
        self.0.len().is_multiple_of(2) && self.units().eq(other.encode_utf16())
    }
}

impl fmt::Display for Utf16Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in char::decode_utf16(self.units()) {
            match c {
                Ok(c) => write_safe(f, c)?,
                Err(half) => write!(f, "\\u{{{:x}}}", half.unpaired_surrogate())?,
            }
        }
        self.0.as_chunks::<2>().1.iter().try_for_each(|byte| write!(f, "\\x{byte:02x}"))
    }
}

impl fmt::Debug for Utf16Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

/// Writes a character, escaped unless it can be seen. Quotes and backslashes stay: paths have them.
fn write_safe(f: &mut fmt::Formatter<'_>, c: char) -> fmt::Result {
    match c {
        '"' | '\'' | '\\' => fmt::Write::write_char(f, c),
        _ => fmt::Display::fmt(&c.escape_debug(), f),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_reaches_a_terminal_unescaped() {
        let shown = RawText(b"a\x1b[31m\n\t\0\x07\xff\\\"'").to_string();
        assert_eq!(shown, r#"a\u{1b}[31m\n\t\0\u{7}\xff\"'"#);
        assert_eq!(
            RawText("\u{202e}x\u{200b}\u{9b}é".as_bytes()).to_string(),
            r"\u{202e}x\u{200b}\u{9b}é"
        );
        let utf16: Vec<u8> = [0x41, 0xD800, 0x1B, 0x202E, 0xD83E, 0xDD80]
            .iter()
            .flat_map(|unit: &u16| unit.to_le_bytes())
            .chain([7])
            .collect();
        assert_eq!(Utf16Text(&utf16).to_string(), r"A\u{d800}\u{1b}\u{202e}🦀\x07");
        assert_eq!(Utf16Text(&utf16).chars().last(), Some('🦀'));
    }

    #[test]
    fn equality_is_exact() {
        assert!(Utf16Text(b"d\0b\0") == *"db");
        assert!(Utf16Text(b"d\0b\0\0\0") != *"db");
        assert!(Utf16Text(b"d\0b\0x") != *"db");
        assert!(Utf16Text(b"d\0") != *"db");
    }
}
