// SPDX-License-Identifier: MIT OR Apache-2.0
//! Strict reading of CBOR (RFC 8949) on top of `minicbor`'s decoder, which finds heads and slices.
//!
//! Added here: lengths must be definite, labels distinct, nothing may follow, and what is skipped
//! must be well-formed too (the decoder's own `skip` takes a stray break and some other things).
//! Heads that are longer than needed are accepted: they say the same, and hashes and signatures are
//! over bytes as they stand.

use core::fmt;

use minicbor::data::Type;
use minicbor::decode::{Decoder, Error as Failure};

use super::part::Part;
use crate::error::{Error, ErrorKind};

/// A label of a map.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Label<'b> {
    /// A whole number, -2^64 to 2^64 - 1.
    Number(i128),
    /// A text.
    Text(&'b str),
}

impl fmt::Display for Label<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Text(text) => text.fmt(f),
        }
    }
}

/// Bytes and the place of the first in the whole.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Placed<'b> {
    pub(super) bytes: &'b [u8],
    pub(super) at: usize,
}

impl<'b> Placed<'b> {
    pub(super) const fn new(bytes: &'b [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// Exactly `N` bytes.
    pub(super) fn array<const N: usize>(self, part: Part) -> Result<&'b [u8; N], Error> {
        self.bytes.as_array().ok_or(Error::at(ErrorKind::Size(part), self.at))
    }

    /// A hash's size: 32, 48 or 64 bytes.
    pub(super) fn hash(self, part: Part) -> Result<&'b [u8], Error> {
        match self.bytes.len() {
            32 | 48 | 64 => Ok(self.bytes),
            _ => Err(Error::at(ErrorKind::Size(part), self.at)),
        }
    }

    /// An instance id: 33 bytes, the first of which is 0x01 (a UEID of type RAND).
    pub(super) fn instance_id(self) -> Result<&'b [u8; 33], Error> {
        let id: &[u8; 33] = self.array(Part::InstanceId)?;
        match id {
            [1, ..] => Ok(id),
            _ => Err(Error::at(ErrorKind::Value(Part::InstanceId), self.at)),
        }
    }
}

/// A place in CBOR.
#[derive(Clone, Debug)]
pub(super) struct Reader<'b> {
    decoder: Decoder<'b>,
    base: usize,
}

impl<'b> Reader<'b> {
    pub(super) fn new(bytes: Placed<'b>) -> Self {
        Self { decoder: Decoder::new(bytes.bytes), base: bytes.at }
    }

    /// The place in the whole.
    pub(super) fn offset(&self) -> usize {
        self.base.saturating_add(self.decoder.position())
    }

    /// What follows, and where.
    pub(super) fn rest(&self) -> Placed<'b> {
        let bytes = self.decoder.input().get(self.decoder.position()..).unwrap_or_default();
        Placed { bytes, at: self.offset() }
    }

    /// What has been passed since `start`, which was [`rest`](Self::rest) then.
    pub(super) fn since(&self, start: Placed<'b>) -> &'b [u8] {
        let size = self.offset().saturating_sub(start.at);
        start.bytes.get(..size).unwrap_or_default()
    }

    /// Nothing may follow.
    pub(super) fn end(&self) -> Result<(), Error> {
        match self.rest().bytes {
            [] => Ok(()),
            _ => Err(self.error(ErrorKind::Trailing)),
        }
    }

    pub(super) fn error(&self, kind: ErrorKind) -> Error {
        Error::at(kind, self.offset())
    }

    pub(super) fn tag(&mut self, part: Part) -> Result<u64, Error> {
        self.of_type(part, |found| found == Type::Tag)?;
        self.decoded(Decoder::tag).map(|tag| tag.as_u64())
    }

    pub(super) fn map(&mut self, part: Part) -> Result<u64, Error> {
        self.of_type(part, |found| found == Type::Map)?;
        self.decoded(Decoder::map).map(Option::unwrap_or_default)
    }

    pub(super) fn array(&mut self, part: Part) -> Result<u64, Error> {
        self.of_type(part, |found| found == Type::Array)?;
        self.decoded(Decoder::array).map(Option::unwrap_or_default)
    }

    /// A map that is wrapped in an array of just this many items, and so on.
    pub(super) fn array_of(&mut self, items: u64, part: Part) -> Result<(), Error> {
        let at = self.offset();
        match self.array(part)? {
            found if found == items => Ok(()),
            _ => Err(Error::at(ErrorKind::Size(part), at)),
        }
    }

    pub(super) fn bytes(&mut self, part: Part) -> Result<Placed<'b>, Error> {
        self.of_type(part, |found| found == Type::Bytes)?;
        let bytes = self.decoded(Decoder::bytes)?;
        Ok(Placed { bytes, at: self.offset().saturating_sub(bytes.len()) })
    }

    pub(super) fn text(&mut self, part: Part) -> Result<&'b str, Error> {
        self.of_type(part, |found| found == Type::String)?;
        self.decoded(Decoder::str)
    }

    pub(super) fn boolean(&mut self, part: Part) -> Result<bool, Error> {
        self.of_type(part, |found| found == Type::Bool)?;
        self.decoded(Decoder::bool)
    }

    pub(super) fn number(&mut self, part: Part) -> Result<i128, Error> {
        self.of_type(part, is_number)?;
        self.decoded(Decoder::int).map(i128::from)
    }

    /// Whether a text follows.
    pub(super) fn is_text(&self) -> bool {
        matches!(self.decoder.datatype(), Ok(Type::String))
    }

    pub(super) fn label(&mut self) -> Result<Label<'b>, Error> {
        match self.kind()? {
            Type::String => self.decoded(Decoder::str).map(Label::Text),
            Type::StringIndef => Err(self.error(ErrorKind::Indefinite)),
            found if is_number(found) => {
                self.decoded(Decoder::int).map(|number| Label::Number(number.into()))
            }
            _ => Err(self.error(ErrorKind::Label)),
        }
    }

    /// Any item, with all that is in it.
    pub(super) fn item(&mut self) -> Result<&'b [u8], Error> {
        let start = self.decoder.position();
        // Items that must follow. Each takes a byte at least, so this ends with the input.
        let mut open = 1_u64;
        while let Some(left) = open.checked_sub(1) {
            open = left.saturating_add(self.head()?);
        }
        let whole = self.decoder.input().get(start..self.decoder.position());
        Ok(whole.unwrap_or_default())
    }

    /// Passes an item's head and, but for arrays, maps and tags, the item; gives how many items
    /// belong to it.
    fn head(&mut self) -> Result<u64, Error> {
        match self.kind()? {
            Type::Array => self.decoded(Decoder::array).map(Option::unwrap_or_default),
            Type::Map => {
                let pairs = self.decoded(Decoder::map)?.unwrap_or_default();
                Ok(pairs.saturating_mul(2))
            }
            Type::Tag => self.decoded(Decoder::tag).map(|_| 1),
            Type::Bytes => self.decoded(Decoder::bytes).map(|_| 0),
            Type::String => self.decoded(Decoder::str).map(|_| 0),
            Type::Bool => self.decoded(Decoder::bool).map(|_| 0),
            Type::Null => self.decoded(Decoder::null).map(|()| 0),
            Type::Undefined => self.decoded(Decoder::undefined).map(|()| 0),
            Type::F32 => self.decoded(Decoder::f32).map(|_| 0),
            Type::F64 => self.decoded(Decoder::f64).map(|_| 0),
            // The decoder reads it with another crate only.
            Type::F16 => {
                let end = self.decoder.position().saturating_add(3);
                if end > self.decoder.input().len() {
                    return Err(self.error(ErrorKind::Truncated));
                }
                self.decoder.set_position(end);
                Ok(0)
            }
            Type::Simple => self.simple().map(|()| 0),
            Type::BytesIndef | Type::StringIndef | Type::ArrayIndef | Type::MapIndef => {
                Err(self.error(ErrorKind::Indefinite))
            }
            found if is_number(found) => self.decoded(Decoder::int).map(|_| 0),
            _ => Err(self.error(ErrorKind::Malformed)),
        }
    }

    /// RFC 8949, 3.3: values below 32 do not take a second byte.
    fn simple(&mut self) -> Result<(), Error> {
        let rest = self.rest().bytes;
        match rest {
            [0xF8, 0..32, ..] => Err(self.error(ErrorKind::Malformed)),
            _ => self.decoded(Decoder::simple).map(drop),
        }
    }

    fn kind(&self) -> Result<Type, Error> {
        self.decoder.datatype().map_err(|failure| self.failed(&failure))
    }

    fn of_type(&self, part: Part, is: impl Fn(Type) -> bool) -> Result<(), Error> {
        match self.kind()? {
            found if is(found) => Ok(()),
            Type::BytesIndef | Type::StringIndef | Type::ArrayIndef | Type::MapIndef => {
                Err(self.error(ErrorKind::Indefinite))
            }
            Type::Unknown(_) | Type::Break => Err(self.error(ErrorKind::Malformed)),
            _ => Err(self.error(ErrorKind::Type(part))),
        }
    }

    /// Reads with the decoder; an error is about where it began.
    fn decoded<T>(
        &mut self,
        read: impl Fn(&mut Decoder<'b>) -> Result<T, Failure>,
    ) -> Result<T, Error> {
        let start = self.decoder.position();
        let result = read(&mut self.decoder);
        result.map_err(|failure| {
            let error = self.failed(&failure);
            self.decoder.set_position(start);
            Error::at(error.kind(), self.offset())
        })
    }

    fn failed(&self, failure: &Failure) -> Error {
        if failure.is_end_of_input() {
            self.error(ErrorKind::Truncated)
        } else {
            self.error(ErrorKind::Malformed)
        }
    }
}

fn is_number(found: Type) -> bool {
    matches!(
        found,
        Type::U8
            | Type::U16
            | Type::U32
            | Type::U64
            | Type::I8
            | Type::I16
            | Type::I32
            | Type::I64
            | Type::Int
    )
}

/// Most labels of a map.
const LABELS: usize = 32;

/// The labels of a map so far.
#[derive(Clone, Debug)]
pub(super) struct Labels<'b> {
    seen: [Option<Label<'b>>; LABELS],
}

impl<'b> Labels<'b> {
    pub(super) const fn new() -> Self {
        Self { seen: [None; LABELS] }
    }

    /// Reads a label that has not been before.
    pub(super) fn next(&mut self, reader: &mut Reader<'b>) -> Result<Label<'b>, Error> {
        let at = reader.offset();
        let label = reader.label()?;
        for seen in &mut self.seen {
            match seen {
                Some(seen) if *seen == label => return Err(Error::at(ErrorKind::Duplicate, at)),
                Some(_) => {}
                None => {
                    *seen = Some(label);
                    return Ok(label);
                }
            }
        }
        Err(Error::at(ErrorKind::Limit, at))
    }
}

/// Claims, or entries of a component, that this crate does not know: labels, and values as they are
/// encoded.
///
/// They have been found well-formed and distinct. What they mean is for others to say.
#[derive(Clone, Debug)]
pub struct Others<'b> {
    reader: Reader<'b>,
    left: u64,
    known: &'static [i128],
}

impl<'b> Others<'b> {
    /// Of a map of `left` entries that begins at `reader` and has been read once.
    pub(super) const fn new(reader: Reader<'b>, left: u64, known: &'static [i128]) -> Self {
        Self { reader, left, known }
    }
}

impl<'b> Iterator for Others<'b> {
    type Item = (Label<'b>, &'b [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            self.left = self.left.checked_sub(1)?;
            let label = self.reader.label().ok()?;
            let value = self.reader.item().ok()?;
            if !matches!(label, Label::Number(number) if self.known.contains(&number)) {
                return Some((label, value));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(bytes: &[u8]) -> Result<usize, ErrorKind> {
        let mut reader = Reader::new(Placed::new(bytes));
        reader.item().map(<[u8]>::len).map_err(|error| error.kind())
    }

    /// Well-formed items of RFC 8949, appendix A, and one byte behind.
    #[test]
    fn items_are_passed() {
        let items: [&[u8]; 20] = [
            b"\x00",
            b"\x1b\xff\xff\xff\xff\xff\xff\xff\xff",
            b"\x3b\xff\xff\xff\xff\xff\xff\xff\xff",
            b"\xf9\x7e\x00",
            b"\xfa\x47\xc3\x50\x00",
            b"\xfb\x7e\x37\xe4\x3c\x88\x00\x75\x9c",
            b"\xf4",
            b"\xf6",
            b"\xf7",
            b"\xf0",
            b"\xf8\xff",
            b"\xc1\x1a\x51\x4b\x67\xb0",
            b"\xd8\x18\x45\x64IETF",
            b"\x40",
            b"\x64IETF",
            b"\x80",
            b"\x83\x01\x82\x02\x03\x82\x04\x05",
            b"\xa0",
            b"\xa2aa\x01ab\x82\x02\x03",
            b"\x82aa\xa1abac",
        ];
        for bytes in items {
            let with_more = [bytes, b"\x00"].concat();
            assert_eq!(item(&with_more), Ok(bytes.len()), "{bytes:02x?}");
            for end in 0..bytes.len() {
                assert_eq!(item(&bytes[..end]), Err(ErrorKind::Truncated), "{bytes:02x?} to {end}");
            }
        }
    }

    /// RFC 8949, appendix F, and lengths that are not definite.
    #[test]
    fn items_are_refused() {
        let malformed: [&[u8]; 10] = [
            b"\x1c",
            b"\x3d",
            b"\x5e",
            b"\x7c",
            b"\x9d",
            b"\xbe",
            b"\xdc",
            b"\xfc",
            b"\xff",
            b"\x81\xff",
        ];
        for bytes in malformed {
            assert_eq!(item(bytes), Err(ErrorKind::Malformed), "{bytes:02x?}");
        }
        for bytes in [b"\xf8\x00", b"\xf8\x1f", b"\x61\xff"] {
            assert_eq!(item(bytes), Err(ErrorKind::Malformed), "{bytes:02x?}");
        }
        for bytes in [&b"\x5f\xff"[..], b"\x7f\xff", b"\x9f\xff", b"\xbf\xff", b"\x81\x9f\xff"] {
            assert_eq!(item(bytes), Err(ErrorKind::Indefinite), "{bytes:02x?}");
        }
        // Counts that no input can have.
        for bytes in
            [b"\x9b\xff\xff\xff\xff\xff\xff\xff\xff", b"\xbb\xff\xff\xff\xff\xff\xff\xff\xff"]
        {
            assert_eq!(item(bytes), Err(ErrorKind::Truncated));
        }
    }

    #[test]
    fn labels_are_distinct_by_value() {
        let labels = |bytes: &[u8]| {
            let mut reader = Reader::new(Placed::new(bytes));
            let mut labels = Labels::new();
            loop {
                match labels.next(&mut reader) {
                    Ok(_) => {}
                    Err(error) => break (error.kind(), error.offset().unwrap()),
                }
            }
        };
        assert_eq!(labels(b"\x01\x02\x20"), (ErrorKind::Truncated, 3));
        assert_eq!(labels(b"\x01\x02\x01"), (ErrorKind::Duplicate, 2));
        // The same number in a longer form.
        assert_eq!(labels(b"\x01\x02\x19\x00\x01"), (ErrorKind::Duplicate, 2));
        assert_eq!(labels(b"\x01\x61\x01\x61\x01"), (ErrorKind::Duplicate, 3));
        assert_eq!(labels(b"\x01\x40"), (ErrorKind::Label, 1));
        let many: Vec<u8> = (0..24).chain(0x20..0x38).collect();
        assert_eq!(labels(&many), (ErrorKind::Limit, 32));
    }
}
