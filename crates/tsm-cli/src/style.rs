// SPDX-License-Identifier: MIT OR Apache-2.0
//! Output: colours (which `anstream` strips where no terminal is), escaping of bytes, JSON.

use core::fmt::{self, Write as _};
use std::io::{self, BufWriter, Write};

use anstyle::{AnsiColor, Style};

pub(crate) const GOOD: Style = AnsiColor::Green.on_default().bold();
pub(crate) const BAD: Style = AnsiColor::Red.on_default().bold();
pub(crate) const NOTE: Style = AnsiColor::Yellow.on_default();
pub(crate) const FAINT: Style = Style::new().dimmed();
pub(crate) const HEAD: Style = Style::new().bold();

/// Standard output for a whole report; to be flushed at its end.
pub(crate) fn output(is_json: bool) -> BufWriter<Box<dyn Write>> {
    // JSON has no colours that would have to be stripped.
    BufWriter::new(if is_json {
        Box::new(io::stdout().lock())
    } else {
        Box::new(anstream::stdout().lock())
    })
}

/// JSON that cannot do anything to a terminal either: what [`Escaped`] escapes is escaped here too, in
/// the way of JSON. Such characters stand inside strings only.
pub(crate) fn json_text(json: &serde_json::Value, is_pretty: bool) -> String {
    let text = if is_pretty { format!("{json:#}") } else { json.to_string() };
    let acts = |c: char| (c.is_control() && c != '\n') || is_invisible(c);
    if !text.contains(acts) {
        return text;
    }
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        if acts(c) {
            // All of them are in the plane that needs no pairs.
            let _ = write!(safe, "\\u{:04x}", u32::from(c));
        } else {
            safe.push(c);
        }
    }
    safe
}

/// Something shown in a style.
pub(crate) struct Styled<T>(pub(crate) Style, pub(crate) T);

impl<T: fmt::Display> fmt::Display for Styled<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        // Width and alignment are the content's, not the colour's.
        self.1.fmt(f)?;
        write!(f, "{:#}", self.0)
    }
}

/// Bytes of a log, printed so that they cannot do anything to a terminal: UTF-8 text stays, control
/// characters and everything else become escapes.
pub(crate) struct Escaped<'b>(pub(crate) &'b [u8]);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for chunk in self.0.utf8_chunks() {
            for c in chunk.valid().chars() {
                if c.is_control() || c == '\\' || is_invisible(c) {
                    write!(f, "{}", c.escape_default())?;
                } else {
                    f.write_char(c)?;
                }
            }
            for byte in chunk.invalid() {
                write!(f, "\\x{byte:02x}")?;
            }
        }
        Ok(())
    }
}

/// Characters that change the direction or the look of others without being seen.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{2069}' | '\u{FEFF}')
}

/// The beginning and the end of a digest, for tables.
pub(crate) fn short(digest: &tsm_core::Digest) -> String {
    let hex = tsm_core::hex::Hex(digest.as_bytes()).to_string();
    match (hex.get(..12), hex.len().checked_sub(4).and_then(|at| hex.get(at..))) {
        (Some(first), Some(last)) => format!("{first}..{last}"),
        _ => hex,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // T-33
    #[test]
    fn bytes_are_escaped() {
        let shown = Escaped("a\0\x1b[31m\\ \u{202e}ä\u{9b}".as_bytes()).to_string();
        assert_eq!(shown, "a\\u{0}\\u{1b}[31m\\\\ \\u{202e}ä\\u{9b}");
        assert_eq!(Escaped(b"\xff\xfeok").to_string(), "\\xff\\xfeok");
    }

    #[test]
    fn json_is_escaped() {
        let json = serde_json::json!({ "a\u{7f}": ["\u{9b}31m\u{202e}\x1b\n\u{feff}ä"] });
        for is_pretty in [false, true] {
            let text = json_text(&json, is_pretty);
            assert!(!text.contains(['\u{9b}', '\u{202e}', '\x1b', '\u{7f}', '\u{feff}']), "{text}");
            assert!(text.contains('ä'));
            assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), json);
        }
    }
}
