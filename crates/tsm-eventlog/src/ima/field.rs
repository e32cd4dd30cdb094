// SPDX-License-Identifier: MIT OR Apache-2.0
//! One field of a record, typed: read from template data and from the text of an ascii line.

use core::fmt;

use super::Endian;
use super::template::{FieldId, Form, Template};
use crate::bytes::{Bytes, find};

/// A field of a record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Field<'a> {
    /// Which field.
    pub id: FieldId,
    /// What it holds.
    pub value: Value<'a>,
}

/// What a field holds.
#[derive(Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Value<'a> {
    /// Nothing: length 0. Only where the other variants could not say so (digests and numbers).
    Empty,
    /// A digest of a file (`d`, `d-ng`, `d-ngv2`, `d-modsig`).
    Digest(FileDigest<'a>),
    /// Text (`n`, `n-ng`, `xattrnames`). The kernel turns spaces in it into `_` and nothing else:
    /// it may hold line feeds, escape sequences, and bytes that are not UTF-8.
    Text(&'a [u8]),
    /// Bytes (`sig`, `buf`, `modsig`, `evmsig`, `xattrlengths`, `xattrvalues`), perhaps none.
    Bytes(Bytes<'a>),
    /// A number (`iuid`, `igid`, `imode`).
    Number(u32),
}

impl fmt::Debug for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("Empty"),
            Self::Digest(digest) => digest.fmt(f),
            Self::Text(text) => write!(f, "\"{}\"", text.escape_ascii()),
            Self::Bytes(bytes) => bytes.fmt(f),
            Self::Number(number) => number.fmt(f),
        }
    }
}

/// A file's digest as a record names it.
#[derive(Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct FileDigest<'a> {
    /// `ima` or `verity` (field `d-ngv2`); empty in the other fields.
    pub kind: &'a [u8],
    /// The algorithm's kernel name (`sha256`); empty in the field `d`.
    pub algorithm: &'a [u8],
    /// The digest.
    pub value: Bytes<'a>,
}

impl fmt::Debug for FileDigest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for part in [self.kind, self.algorithm].into_iter().filter(|part| !part.is_empty()) {
            write!(f, "{}:", part.escape_ascii())?;
        }
        fmt::Display::fmt(&self.value, f)
    }
}

impl<'a> Value<'a> {
    /// From a field of the template data, without its length.
    pub(crate) fn from_data(id: FieldId, data: &'a [u8], endian: Endian) -> Option<Self> {
        Some(match id.form() {
            Form::Digest => Self::digest(b"", b"", Bytes::raw(data)),
            Form::DigestWithAlgorithm | Form::DigestWithType if data.is_empty() => Self::Empty,
            form @ (Form::DigestWithAlgorithm | Form::DigestWithType) => {
                let nul = data.iter().position(|&byte| byte == 0)?;
                let (prefix, digest) = data.split_at_checked(nul)?;
                let (kind, algorithm) = split_prefix(form, prefix)?;
                Self::digest(kind, algorithm, Bytes::raw(digest.get(1..)?))
            }
            Form::Names if data.is_empty() => Self::Text(data),
            Form::Name | Form::Names => {
                let (&last, text) = data.split_last()?;
                if last != 0 || text.contains(&0) {
                    return None;
                }
                Self::Text(text)
            }
            Form::Bytes => Self::Bytes(Bytes::raw(data)),
            Form::Number(_) if data.is_empty() => Self::Empty,
            Form::Number(4) => Self::Number(endian.u32(*data.as_array()?)),
            Form::Number(_) => Self::Number(u32::from(endian.u16(*data.as_array()?))),
        })
    }

    /// From a field of an ascii line.
    pub(crate) fn from_text(id: FieldId, text: &'a [u8]) -> Option<Self> {
        Some(match id.form() {
            Form::Digest => Self::digest(b"", b"", Bytes::hex(text)?),
            Form::DigestWithAlgorithm | Form::DigestWithType | Form::Number(_)
                if text.is_empty() =>
            {
                Self::Empty
            }
            form @ (Form::DigestWithAlgorithm | Form::DigestWithType) => {
                let (prefix, digits) = split_digest_text(form, text)?;
                let (kind, algorithm) = split_prefix(form, prefix)?;
                Self::digest(kind, algorithm, Bytes::hex(digits)?)
            }
            Form::Name | Form::Names => Self::Text(text),
            Form::Bytes => Self::Bytes(Bytes::hex(text)?),
            Form::Number(size) => Self::Number(number_text(text, size)?),
        })
    }

    const fn digest(kind: &'a [u8], algorithm: &'a [u8], value: Bytes<'a>) -> Self {
        Self::Digest(FileDigest { kind, algorithm, value })
    }
}

/// Splits `alg:` or `type:alg:` into type and algorithm.
pub(crate) fn split_prefix(form: Form, prefix: &[u8]) -> Option<(&[u8], &[u8])> {
    let names = prefix.strip_suffix(b":")?;
    let colon = names.iter().position(|&byte| byte == b':');
    let (kind, algorithm) = match (form, colon) {
        (Form::DigestWithType, Some(colon)) => {
            let (kind, algorithm) = names.split_at_checked(colon)?;
            (kind, algorithm.get(1..)?)
        }
        (Form::DigestWithAlgorithm, None) => (&b""[..], names),
        _ => return None,
    };
    let is_name = |name: &[u8]| {
        !name.is_empty() && name.iter().all(|&byte| byte.is_ascii_graphic() && byte != b':')
    };
    let kind_is_good = form != Form::DigestWithType || is_name(kind);
    (kind_is_good && is_name(algorithm)).then_some((kind, algorithm))
}

/// Splits `alg:hex` or `type:alg:hex` behind its first or second colon.
#[inline]
pub(crate) fn split_digest_text(form: Form, text: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut colons = (0..).zip(text).filter(|&(_, &byte)| byte == b':').map(|(place, _)| place);
    let colon: usize = colons.nth(usize::from(form == Form::DigestWithType))?;
    text.split_at_checked(colon.checked_add(1)?)
}

/// A decimal number that fits `size` bytes, in its one spelling.
pub(crate) fn number_text(text: &[u8], size: u8) -> Option<u32> {
    if text.is_empty() || (text.len() > 1 && text.first() == Some(&b'0')) {
        return None;
    }
    let mut number = 0_u32;
    for &digit in text {
        let value = digit.checked_sub(b'0').filter(|&value| value < 10)?;
        number = number.checked_mul(10)?.checked_add(u32::from(value))?;
    }
    (size != 2 || number <= u32::from(u16::MAX)).then_some(number)
}

/// Takes the next field from the text of an ascii line.
///
/// `rest` is `None` behind the last field. Fields end at a space; the last takes the rest of the
/// line, which may hold spaces only in text.
pub(crate) fn split_text<'a>(
    id: FieldId,
    is_last: bool,
    rest: &mut Option<&'a [u8]>,
) -> Option<&'a [u8]> {
    let text = rest.take()?;
    if is_last {
        let is_text = matches!(id.form(), Form::Name | Form::Names);
        return (is_text || find(b' ', text).is_none()).then_some(text);
    }
    let space = find(b' ', text)?;
    let (field, behind) = text.split_at_checked(space)?;
    *rest = Some(behind.get(1..)?);
    Some(field)
}

/// Where the fields of a record come from.
#[derive(Clone, Copy)]
pub(crate) enum Source<'a> {
    /// Length and bytes, one after the other.
    Data(&'a [u8], Endian),
    /// The two fields of an `ima` record in a binary list.
    Pair(&'a [u8], &'a [u8]),
    /// The rest of an ascii line; `None` behind the last field.
    Text(Option<&'a [u8]>),
}

/// Reads fields in the order of a template.
#[derive(Clone)]
pub(crate) struct Walk<'a> {
    template: Template,
    next: usize,
    source: Source<'a>,
}

impl<'a> Walk<'a> {
    pub(crate) const fn new(template: Template, source: Source<'a>) -> Self {
        Self { template, next: 0, source }
    }

    pub(crate) fn remaining(&self) -> usize {
        self.template.fields().len().saturating_sub(self.next)
    }

    /// The next field: `None` behind the last, `Some(None)` if the source does not fit the template.
    pub(crate) fn step(&mut self) -> Option<Option<Field<'a>>> {
        let id = *self.template.fields().get(self.next)?;
        self.next = self.next.saturating_add(1);
        let is_last = self.remaining() == 0;
        Some(self.read(id, is_last).map(|value| Field { id, value }))
    }

    /// The first field of this form, without looking closely at those before it.
    #[inline]
    pub(crate) fn find(&mut self, form: Form) -> Option<Value<'a>> {
        loop {
            let id = *self.template.fields().get(self.next)?;
            if id.form() == form {
                return self.step()?.map(|field| field.value);
            }
            self.next = self.next.saturating_add(1);
            let is_last = self.remaining() == 0;
            match &mut self.source {
                Source::Data(rest, endian) => {
                    split_data(rest, *endian)?;
                }
                Source::Pair(..) => {}
                Source::Text(rest) => {
                    split_text(id, is_last, rest)?;
                }
            }
        }
    }

    fn read(&mut self, id: FieldId, is_last: bool) -> Option<Value<'a>> {
        match &mut self.source {
            Source::Data(rest, endian) => {
                let data = split_data(rest, *endian)?;
                if is_last && !rest.is_empty() {
                    return None;
                }
                Value::from_data(id, data, *endian)
            }
            Source::Pair(digest, name) => match id {
                FieldId::D => Some(Value::digest(b"", b"", Bytes::raw(digest))),
                _ => Some(Value::Text(name)),
            },
            Source::Text(rest) => Value::from_text(id, split_text(id, is_last, rest)?),
        }
    }
}

/// Takes a length and that many bytes.
pub(crate) fn split_data<'a>(rest: &mut &'a [u8], endian: Endian) -> Option<&'a [u8]> {
    let (length, behind) = rest.split_first_chunk::<4>()?;
    let length = usize::try_from(endian.u32(*length)).ok()?;
    let (data, behind) = behind.split_at_checked(length)?;
    *rest = behind;
    Some(data)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_one_spelling() {
        assert_eq!(number_text(b"0", 4), Some(0));
        assert_eq!(number_text(b"4294967295", 4), Some(u32::MAX));
        assert_eq!(number_text(b"65535", 2), Some(65535));
        for (text, size) in [
            ("", 4),
            ("00", 4),
            ("01", 4),
            ("+1", 4),
            ("-1", 4),
            ("4294967296", 4),
            ("65536", 2),
            ("1a", 4),
        ] {
            assert_eq!(number_text(text.as_bytes(), size), None, "{text}");
        }
    }

    #[test]
    fn digests_name_their_algorithm() {
        let value = Value::from_text(FieldId::DNgV2, b"verity:sha256:00ff").unwrap();
        let Value::Digest(digest) = value else { panic!() };
        assert_eq!((digest.kind, digest.algorithm), (&b"verity"[..], &b"sha256"[..]));
        assert_eq!(
            Value::from_data(FieldId::DNgV2, b"verity:sha256:\0\0\xFF", Endian::Little),
            Some(value)
        );
        assert_eq!(format!("{value:?}"), "verity:sha256:00ff");
        for (id, text) in [
            (FieldId::DNgV2, "sha256:00"),
            (FieldId::DNg, "ima:sha256:00"),
            (FieldId::DNg, "00"),
            (FieldId::DNg, ":00"),
            (FieldId::DNgV2, "::00"),
            (FieldId::DNg, "sha256:0"),
            (FieldId::DNg, "sha256:0G"),
        ] {
            assert_eq!(Value::from_text(id, text.as_bytes()), None, "{text}");
        }
        assert_eq!(Value::from_text(FieldId::DModsig, b""), Some(Value::Empty));
    }

    #[test]
    fn names_end_with_one_nul() {
        let read = |data| Value::from_data(FieldId::NNg, data, Endian::Little);
        assert_eq!(read(b"/a\0"), Some(Value::Text(b"/a")));
        for bad in [&b"/a"[..], b"", b"/\0a\0"] {
            assert_eq!(read(bad), None);
        }
        assert_eq!(
            Value::from_data(FieldId::XattrNames, b"", Endian::Little),
            Some(Value::Text(b""))
        );
    }

    #[test]
    fn numbers_in_either_byte_order() {
        let read = |id, data, endian| Value::from_data(id, data, endian);
        assert_eq!(read(FieldId::Iuid, &[1, 0, 0, 0], Endian::Little), Some(Value::Number(1)));
        assert_eq!(read(FieldId::Iuid, &[0, 0, 0, 1], Endian::Big), Some(Value::Number(1)));
        assert_eq!(read(FieldId::Imode, &[0xA4, 0x81], Endian::Little), Some(Value::Number(33188)));
        assert_eq!(read(FieldId::Imode, &[0; 4], Endian::Little), None);
        assert_eq!(read(FieldId::Iuid, &[], Endian::Little), Some(Value::Empty));
    }
}
