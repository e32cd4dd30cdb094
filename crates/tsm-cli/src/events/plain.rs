// SPDX-License-Identifier: MIT OR Apache-2.0
//! Content of events of which no more is known than their bytes.

use serde_json::{Value as Json, json};
use tsm_core::hex::Hex;

/// One line about some bytes, and the same for JSON: text if they are one, else how many they are.
pub(super) fn plain(data: &[u8]) -> (Vec<u8>, Json) {
    if let Some(text) = utf8(data).or_else(|| utf16(data)) {
        let json = json!({ "kind": "text", "text": text });
        return (text.into_bytes(), json);
    }
    let shown = match data {
        [] => String::new(),
        [_, ..] if data.len() <= 16 => Hex(data).to_string(),
        _ => format!("{}.. ({} bytes)", Hex(data.get(..12).unwrap_or_default()), data.len()),
    };
    (shown.into_bytes(), json!({ "kind": "bytes", "size": data.len() }))
}

/// Printable text, with or without a NUL at its end.
fn utf8(data: &[u8]) -> Option<String> {
    let text = core::str::from_utf8(data.strip_suffix(b"\0").unwrap_or(data)).ok()?;
    (!text.is_empty() && text.chars().all(is_printable)).then(|| text.to_string())
}

/// The same as UTF-16 in little endian, as firmware and boot loaders write it.
fn utf16(data: &[u8]) -> Option<String> {
    let (units, []) = data.as_chunks::<2>() else { return None };
    let units = units.strip_suffix(&[[0, 0]]).unwrap_or(units);
    let text: Result<String, _> =
        char::decode_utf16(units.iter().map(|unit| u16::from_le_bytes(*unit))).collect();
    // Random bytes make characters of the whole of Unicode; boot loaders write mostly Latin ones.
    text.ok()
        .filter(|text| text.len() > 2 && text.chars().all(|c| is_printable(c) && c < '\u{250}'))
}

fn is_printable(c: char) -> bool {
    !c.is_control() || matches!(c, '\n' | '\t')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_recognized() {
        let text = |data: &[u8]| String::from_utf8(plain(data).0).unwrap();
        assert_eq!(text(b"Calling EFI Application"), "Calling EFI Application");
        assert_eq!(text(b"MokList\0"), "MokList");
        assert_eq!(text(b"G\0R\0U\0B\0\0\0"), "GRUB");
        assert_eq!(text(&[0; 4]), "00000000");
        assert_eq!(text(b""), "");
        assert_eq!(text(&[0xFF; 20]), format!("{}.. (20 bytes)", "ff".repeat(12)));
        assert_eq!(plain(&[0xFF; 20]).1["kind"], "bytes");
        assert_eq!(plain("ä\n".as_bytes()).1["text"], "ä\n");
    }
}
