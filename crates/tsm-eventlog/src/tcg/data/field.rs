// SPDX-License-Identifier: MIT OR Apache-2.0
//! The fields of an event's data, one after another.

use core::fmt;
use core::ops::Range;

use tsm_core::hex::Hex;

use super::device_path::DevicePath;
use super::guid::Guid;
use super::part::{Part, Reason};
use super::text::{RawText, Utf16Text};

/// A field of an event's data: a name, a value, and the bytes that it was read from.
///
/// Names are of the form `vendor_guid` and do not change between versions. The fields of an event, in
/// their order, take in all of its bytes, each once.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Field<'a> {
    /// The name.
    pub name: &'static str,
    /// For a field of an entry of a list, the entry's number, from 0: fields that follow each other
    /// and have the same number belong together. `None` for fields outside of lists.
    pub item: Option<u32>,
    /// The value.
    pub value: FieldValue<'a>,
    start: usize,
    end: usize,
}

impl Field<'_> {
    /// Where the field stands in the event's data.
    #[must_use]
    pub const fn range(&self) -> Range<usize> {
        self.start..self.end
    }

    /// The name by which the value is known, if it is a GUID or number with one: `shim`.
    #[must_use]
    pub fn known_as(&self) -> Option<&'static str> {
        match self.value {
            FieldValue::Guid(guid) => guid.name(),
            FieldValue::Named(_, name) => name,
            _ => None,
        }
    }
}

impl fmt::Display for Field<'_> {
    /// `vendor_guid: 605dab50-e046-4300-abb6-3dd810dd8b23 (shim)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)?;
        if let Some(item) = self.item {
            write!(f, "[{item}]")?;
        }
        write!(f, ": {}", self.value)?;
        match self.known_as() {
            Some(name) => write!(f, " ({name})"),
            None => Ok(()),
        }
    }
}

/// The value of a [`Field`]. `Display` shows it in one line that is safe to print.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum FieldValue<'a> {
    /// Text of bytes.
    Text(RawText<'a>),
    /// Text in UTF-16.
    Utf16(Utf16Text<'a>),
    /// Bytes that mean what they are: a certificate, a digest. Shown in hexadecimal.
    Bytes(&'a [u8]),
    /// A number, shown in decimal.
    Number(u64),
    /// A number that is an address, a size in an address space, or a set of bits; shown in
    /// hexadecimal.
    Hex(u64),
    /// A number that has a name if it is known: a tag, a kind. Shown in hexadecimal.
    Named(u64, Option<&'static str>),
    /// Yes or no.
    Flag(bool),
    /// A GUID.
    Guid(Guid),
    /// A device path, shown in UEFI's text form.
    Path(DevicePath<'a>),
    /// So many zeros, which end a text or fill something up.
    Zeros(usize),
    /// Bytes that were not read, and why. Shown in hexadecimal.
    Unread(&'a [u8], Reason),
}

impl fmt::Display for FieldValue<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => text.fmt(f),
            Self::Utf16(text) => text.fmt(f),
            Self::Bytes(bytes) | Self::Unread(bytes, _) => Hex(bytes).fmt(f),
            Self::Number(number) => number.fmt(f),
            Self::Hex(number) | Self::Named(number, _) => write!(f, "{number:#x}"),
            Self::Flag(flag) => flag.fmt(f),
            Self::Guid(guid) => guid.fmt(f),
            Self::Path(path) => path.fmt(f),
            Self::Zeros(count) if *count <= 4 => (0..*count).try_for_each(|_| f.write_str("00")),
            Self::Zeros(count) => write!(f, "{count} zeros"),
        }
    }
}

/// Reads bytes from front to back and hands out each piece as a field. Whatever a format leaves over
/// is handed out as unread, so nothing gets lost.
pub(super) struct Walk<'w, 'a> {
    rest: Part<'a>,
    item: Option<u32>,
    to: &'w mut dyn FnMut(Field<'a>),
}

impl<'w, 'a> Walk<'w, 'a> {
    /// Walks all of `part`.
    pub(super) fn over(
        part: Part<'a>,
        to: &'w mut dyn FnMut(Field<'a>),
        format: impl FnOnce(&mut Walk<'_, 'a>) -> Result<(), Reason>,
    ) {
        let mut walk = Walk { rest: part, item: None, to };
        let result = format(&mut walk);
        walk.close(result);
    }

    /// What has not been read.
    pub(super) const fn rest(&self) -> Part<'a> {
        self.rest
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.rest.bytes.is_empty()
    }

    /// What follows belongs to the entry of a list with this number.
    pub(super) fn item(&mut self, item: Option<u32>) {
        self.item = item;
    }

    /// Reads the next `length` bytes by a format of their own.
    pub(super) fn within(
        &mut self,
        length: usize,
        format: impl FnOnce(&mut Walk<'_, 'a>) -> Result<(), Reason>,
    ) -> Result<(), Reason> {
        let rest = self.rest.cut(length)?;
        let mut walk = Walk { rest, item: self.item, to: &mut *self.to };
        let result = format(&mut walk);
        walk.close(result);
        Ok(())
    }

    fn close(&mut self, result: Result<(), Reason>) {
        let rest = self.rest.cut_all();
        let reason = result.err().unwrap_or(Reason::Trailing);
        if !rest.bytes.is_empty() {
            self.put("unread", rest, FieldValue::Unread(rest.bytes, reason));
        }
    }

    fn put(&mut self, name: &'static str, part: Part<'a>, value: FieldValue<'a>) {
        let (start, end) = (part.offset, part.end());
        (self.to)(Field { name, item: self.item, value, start, end });
    }

    pub(super) fn field(
        &mut self,
        name: &'static str,
        length: usize,
        value: impl FnOnce(&'a [u8]) -> FieldValue<'a>,
    ) -> Result<(), Reason> {
        let part = self.rest.cut(length)?;
        self.put(name, part, value(part.bytes));
        Ok(())
    }

    pub(super) fn bytes(&mut self, name: &'static str, length: usize) -> Result<(), Reason> {
        self.field(name, length, FieldValue::Bytes)
    }

    pub(super) fn text(&mut self, name: &'static str, length: usize) -> Result<(), Reason> {
        self.field(name, length, |bytes| FieldValue::Text(RawText(bytes)))
    }

    pub(super) fn utf16(&mut self, name: &'static str, length: usize) -> Result<(), Reason> {
        self.field(name, length, |bytes| FieldValue::Utf16(Utf16Text(bytes)))
    }

    /// All that remains, if it is not nothing.
    pub(super) fn all(
        &mut self,
        name: &'static str,
        value: impl FnOnce(&'a [u8]) -> FieldValue<'a>,
    ) -> Result<(), Reason> {
        if self.is_empty() {
            return Ok(());
        }
        self.field(name, self.rest.bytes.len(), value)
    }

    /// What follows a text: its NUL, or several. Also zeros that fill up a structure.
    pub(super) fn terminator(&mut self) -> Result<(), Reason> {
        if self.rest.bytes.iter().all(|&byte| byte == 0) {
            return self.all("terminator", |zeros| FieldValue::Zeros(zeros.len()));
        }
        Ok(())
    }

    /// A count or length of `size` bytes.
    pub(super) fn count(&mut self, name: &'static str, size: usize) -> Result<usize, Reason> {
        let count = self.number(name, size, FieldValue::Number)?;
        Ok(usize::try_from(count).unwrap_or(usize::MAX))
    }

    /// A number of `size` bytes that is shown in hexadecimal.
    pub(super) fn hex(&mut self, name: &'static str, size: usize) -> Result<(), Reason> {
        self.number(name, size, FieldValue::Hex)?;
        Ok(())
    }

    pub(super) fn guid(&mut self, name: &'static str) -> Result<(), Reason> {
        let mut at = self.rest;
        let guid = at.guid()?;
        self.field(name, 16, |_| FieldValue::Guid(guid))
    }

    /// A number of at most 8 bytes.
    pub(super) fn number(
        &mut self,
        name: &'static str,
        size: usize,
        value: impl FnOnce(u64) -> FieldValue<'a>,
    ) -> Result<u64, Reason> {
        let part = self.rest.cut(size)?;
        let number = part.bytes.iter().rev().fold(0_u64, |n, &byte| (n << 8) | u64::from(byte));
        self.put(name, part, value(number));
        Ok(number)
    }

    /// A device path of this length, and what cannot be read of it.
    pub(super) fn path(&mut self, name: &'static str, length: usize) -> Result<(), Reason> {
        self.within(length, |walk| {
            let sound = DevicePath(walk.rest.bytes).sound_length();
            if sound > 0 {
                walk.field(name, sound, |bytes| FieldValue::Path(DevicePath(bytes)))?;
            }
            if walk.is_empty() { Ok(()) } else { Err(Reason::Length) }
        })
    }
}
