// SPDX-License-Identifier: MIT OR Apache-2.0
//! Template data as the kernel hashed it, put together from the fields of an ascii line or of an
//! `ima` record: in a small buffer when it fits, else piece by piece into a hash.

use tsm_core::{Algorithm, Digest, Hasher, hex};

use super::Endian;
use super::entry::UntrustedEntry;
use super::field::{number_text, split_digest_text, split_prefix, split_text};
use super::template::{FieldId, Form, Template};
use crate::bytes::{copy, find};

/// Bytes of template data that are put together in one piece. Records of the common templates with
/// a file name of ordinary length fit; hashing one piece is faster than hashing several.
const BUFFER: usize = 512;

/// Longest file name of an `ima` record (`IMA_EVENT_NAME_LEN_MAX`, Linux
/// `security/integrity/ima/ima.h`). It is hashed with zeros behind it up to one byte more.
pub(crate) const LEGACY_NAME: usize = 255;

/// Where template data goes.
pub(crate) trait Sink {
    fn raw(&mut self, bytes: &[u8]);
    /// Returns whether `digits` are lower-case hex digits, two for each byte.
    fn hex(&mut self, digits: &[u8]) -> bool;
}

/// The buffer for template data, reused from record to record.
pub(crate) struct Scratch {
    buffer: [u8; BUFFER],
    len: usize,
    overflow: bool,
}

impl Scratch {
    pub(crate) const fn new() -> Self {
        Self { buffer: [0; BUFFER], len: 0, overflow: false }
    }

    pub(crate) fn clear(&mut self) {
        self.len = 0;
        self.overflow = false;
    }

    /// What was put in since [`clear`](Self::clear), or `None` if it did not fit.
    pub(crate) fn filled(&self) -> Option<&[u8]> {
        self.buffer.get(..self.len).filter(|_| !self.overflow)
    }

    fn reserve(&mut self, bytes: usize) -> Option<&mut [u8]> {
        let end = self.len.saturating_add(bytes);
        let room = self.buffer.get_mut(self.len..end);
        match room {
            Some(_) => self.len = end,
            None => self.overflow = true,
        }
        room
    }
}

impl Sink for Scratch {
    #[inline]
    fn raw(&mut self, bytes: &[u8]) {
        if let Some(room) = self.reserve(bytes.len()) {
            copy(bytes, room);
        }
    }

    #[inline]
    fn hex(&mut self, digits: &[u8]) -> bool {
        match self.reserve(digits.len() / 2) {
            Some(room) => hex::decode(digits, room),
            None => true, // checked when it is hashed in pieces
        }
    }
}

impl Sink for Hasher {
    fn raw(&mut self, bytes: &[u8]) {
        self.update(bytes);
    }

    fn hex(&mut self, digits: &[u8]) -> bool {
        let mut buffer = [0; 64];
        digits.chunks(128).all(|digits| {
            let bytes = buffer.get_mut(..digits.len() / 2).unwrap_or_default();
            let good = hex::decode(digits, bytes);
            self.update(bytes);
            good
        })
    }
}

/// The front of a slice.
pub(crate) struct Front<'o> {
    out: &'o mut [u8],
    len: usize,
    overflow: bool,
}

impl<'o> Front<'o> {
    pub(crate) const fn new(out: &'o mut [u8]) -> Self {
        Self { out, len: 0, overflow: false }
    }

    /// What was put in, or `None` if it did not fit.
    pub(crate) fn into_filled(self) -> Option<&'o [u8]> {
        self.out.get(..self.len).filter(|_| !self.overflow)
    }

    fn reserve(&mut self, bytes: usize) -> Option<&mut [u8]> {
        let end = self.len.saturating_add(bytes);
        let room = self.out.get_mut(self.len..end);
        match room {
            Some(_) => self.len = end,
            None => self.overflow = true,
        }
        room
    }
}

impl Sink for Front<'_> {
    fn raw(&mut self, bytes: &[u8]) {
        if let Some(room) = self.reserve(bytes.len()) {
            copy(bytes, room);
        }
    }

    fn hex(&mut self, digits: &[u8]) -> bool {
        self.reserve(digits.len() / 2).is_none_or(|room| hex::decode(digits, room))
    }
}

/// Puts together the template data of a line from the text of its fields.
///
/// Returns whether the text fits the template.
pub(crate) fn from_text<S: Sink>(
    template: &Template,
    text: &[u8],
    endian: Endian,
    sink: &mut S,
) -> bool {
    let mut rest = Some(text);
    if template.is_legacy() {
        let digest = split_text(FieldId::D, false, &mut rest);
        let name = split_text(FieldId::N, true, &mut rest);
        let (Some(digest), Some(name)) = (digest, name) else { return false };
        // SHA-1 or MD5: what `ima` can hold (Linux `ima_template_lib.c`, `ima_eventdigest_init`).
        return matches!(digest.len(), 32 | 40) && sink.hex(digest) && legacy_name(name, sink);
    }
    let ids = template.fields();
    let last = ids.len().saturating_sub(1);
    ids.iter().enumerate().all(|(index, &id)| {
        split_text(id, index == last, &mut rest)
            .is_some_and(|text| field_from_text(id, text, endian, sink).is_some())
    })
}

/// The template data of an `ima` record: the digest, then the name with zeros up to 256 bytes.
pub(crate) fn from_pair<S: Sink>(digest: &[u8], name: &[u8], sink: &mut S) -> bool {
    sink.raw(digest);
    legacy_name(name, sink)
}

fn legacy_name<S: Sink>(name: &[u8], sink: &mut S) -> bool {
    static ZEROS: [u8; LEGACY_NAME + 1] = [0; LEGACY_NAME + 1];
    let Some(padding) = ZEROS.get(name.len()..).filter(|padding| !padding.is_empty()) else {
        return false;
    };
    sink.raw(name);
    sink.raw(padding);
    true
}

/// `None` if the text does not fit.
#[inline]
fn field_from_text<S: Sink>(id: FieldId, text: &[u8], endian: Endian, sink: &mut S) -> Option<()> {
    let length = |bytes: usize| u32::try_from(bytes).ok().map(|bytes| endian.u32_bytes(bytes));
    let good = match id.form() {
        Form::DigestWithAlgorithm | Form::DigestWithType | Form::Number(_) | Form::Names
            if text.is_empty() =>
        {
            sink.raw(&length(0)?);
            true
        }
        form @ (Form::DigestWithAlgorithm | Form::DigestWithType) => {
            let (prefix, digits) = split_digest_text(form, text)?;
            split_prefix(form, prefix)?;
            let bytes = prefix.len().checked_add(1)?.checked_add(digits.len() / 2)?;
            sink.raw(&length(bytes)?);
            sink.raw(prefix);
            sink.raw(&[0]);
            sink.hex(digits)
        }
        Form::Digest | Form::Bytes => {
            sink.raw(&length(text.len() / 2)?);
            sink.hex(text)
        }
        Form::Name | Form::Names => {
            sink.raw(&length(text.len().checked_add(1)?)?);
            sink.raw(text);
            sink.raw(&[0]);
            find(0, text).is_none()
        }
        Form::Number(2) => {
            let number = u16::try_from(number_text(text, 2)?).ok()?;
            sink.raw(&length(2)?);
            sink.raw(&endian.u16_bytes(number));
            true
        }
        Form::Number(size) => {
            sink.raw(&length(4)?);
            sink.raw(&endian.u32_bytes(number_text(text, size)?));
            true
        }
    };
    good.then_some(())
}

/// Template data, ready to be hashed for any bank.
pub(crate) enum TemplateData<'s> {
    Slice(&'s [u8]),
    /// Too long for the buffer.
    Pieces(&'s UntrustedEntry<'s>),
}

impl TemplateData<'_> {
    /// `None` only for text that does not fit its template, which readers have refused before.
    #[inline]
    pub(crate) fn hash(&self, algorithm: Algorithm) -> Option<Digest> {
        match self {
            Self::Slice(data) => Some(algorithm.hash(data)),
            Self::Pieces(entry) => {
                let mut hasher = Hasher::new(algorithm);
                entry.assemble(&mut hasher).then(|| hasher.finish())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Both sinks get the same bytes, also at the buffer's edge.
    #[test]
    fn long_and_short_agree() {
        let template = Template::parse(b"ima-sig").unwrap();
        for length in [0, 1, 100, BUFFER - 60, BUFFER, 5000] {
            let text =
                format!("sha1:{} /{} {}", "ab".repeat(20), "n".repeat(length), "0f".repeat(9));
            let mut data = Vec::new();
            data.extend(26_u32.to_le_bytes());
            data.extend(b"sha1:\0");
            data.extend([0xAB; 20]);
            data.extend((length as u32 + 2).to_le_bytes());
            data.push(b'/');
            data.extend(vec![b'n'; length]);
            data.push(0);
            data.extend(9_u32.to_le_bytes());
            data.extend([0x0F; 9]);

            let mut scratch = Scratch::new();
            assert!(from_text(&template, text.as_bytes(), Endian::Little, &mut scratch));
            assert_eq!(scratch.filled(), (data.len() <= BUFFER).then_some(&data[..]));
            let mut hasher = Hasher::new(Algorithm::Sha256);
            assert!(from_text(&template, text.as_bytes(), Endian::Little, &mut hasher));
            assert_eq!(hasher.finish(), Algorithm::Sha256.hash(&data));
        }
    }

    #[test]
    fn legacy_names_are_padded() {
        let template = Template::parse(b"ima").unwrap();
        for (length, good) in [(0, true), (255, true), (256, false)] {
            let text = format!("{} {}", "01".repeat(20), "n".repeat(length));
            let mut scratch = Scratch::new();
            assert_eq!(from_text(&template, text.as_bytes(), Endian::Little, &mut scratch), good);
            if good {
                assert_eq!(scratch.filled().unwrap().len(), 276);
            }
        }
    }

    #[test]
    fn text_that_does_not_fit() {
        for (name, text) in [
            ("ima-ng", "sha1:00"),
            ("ima-sig", "sha1:00 /a"),
            ("ima-sig", "sha1:00 /a 00 00"),
            ("ima-sig", "sha1:00 /a 0G"),
            ("ima-ng", "00 /a"),
            ("ima-ng", "sha1:0 /a"),
            ("ima-ng", "sha1:00 /a\0"),
            ("d-ng|imode", "sha1:00 65536"),
            ("d-ng|iuid", "sha1:00 x"),
            ("ima", "00 /a"),
            ("ima", ""),
        ] {
            let template = Template::parse(name.as_bytes()).unwrap();
            let mut scratch = Scratch::new();
            let good = from_text(&template, text.as_bytes(), Endian::Little, &mut scratch);
            assert!(!good, "{name} {text}");
            let mut hasher = Hasher::new(Algorithm::Sha1);
            assert!(!from_text(&template, text.as_bytes(), Endian::Little, &mut hasher));
        }
    }
}
