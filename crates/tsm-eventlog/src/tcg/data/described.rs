// SPDX-License-Identifier: MIT OR Apache-2.0
//! Types whose data are a text, or little more.

use core::fmt;

use super::decode::Short;
use super::field::{Field, FieldValue, Walk};
use super::guid::Guid;
use super::part::{Part, Reason};
use super::text::{RawText, Utf16Text};

/// A text, in one of the two encodings that firmware uses, without the NUL that may end it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Words<'a> {
    /// In bytes.
    Text(RawText<'a>),
    /// In UTF-16.
    Utf16(Utf16Text<'a>),
}

impl<'a> Words<'a> {
    /// The bytes as text, if they are printable ASCII in one of the encodings with nothing but zeros
    /// behind.
    pub(in crate::tcg) fn read(bytes: &'a [u8]) -> Option<Self> {
        let is_zero = |bytes: &[u8]| bytes.iter().all(|&byte| byte == 0);
        let (text, rest) = bytes.split_at_checked(Part::whole(bytes).text_length())?;
        if RawText(text).is_printable() && is_zero(rest) {
            return Some(Self::Text(RawText(text)));
        }
        let units = bytes.as_chunks::<2>().0.iter().take_while(|unit| **unit != [0, 0]).count();
        let (text, rest) = bytes.split_at_checked(units.saturating_mul(2))?;
        (Utf16Text(text).is_printable() && is_zero(rest)).then_some(Self::Utf16(Utf16Text(text)))
    }

    /// Its bytes.
    #[must_use]
    pub const fn bytes(&self) -> &'a [u8] {
        match self {
            Self::Text(text) => text.0,
            Self::Utf16(text) => text.0,
        }
    }
}

impl fmt::Display for Words<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => text.fmt(f),
            Self::Utf16(text) => text.fmt(f),
        }
    }
}

/// All that remains: text if it is one, otherwise bytes.
pub(super) fn walk_words(walk: &mut Walk<'_, '_>, name: &'static str) -> Result<(), Reason> {
    match Words::read(walk.rest().bytes) {
        Some(Words::Text(text)) => walk.text(name, text.0.len())?,
        Some(Words::Utf16(text)) => walk.utf16(name, text.0.len())?,
        None => return walk.all(name, FieldValue::Bytes),
    }
    walk.terminator()
}

/// Data that are a text, of a type for which a text is the rule or common.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Description<'a> {
    part: Part<'a>,
    /// The text.
    pub words: Words<'a>,
}

impl<'a> Description<'a> {
    pub(super) fn read(part: Part<'a>) -> Option<Self> {
        Some(Self { part, words: Words::read(part.bytes)? })
    }

    pub(super) fn fields(&self, to: &mut dyn FnMut(Field<'a>)) {
        Walk::over(self.part, to, |walk| walk_words(walk, "description"));
    }
}

/// What was done, in words; the digest is that of the text.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Action<'a> {
    part: Part<'a>,
    /// The text, as it came: it may have control characters, and a NUL behind it belongs to it.
    pub text: RawText<'a>,
}

impl<'a> Action<'a> {
    pub(super) const fn read(part: Part<'a>) -> Self {
        Self { part, text: RawText(part.bytes) }
    }

    pub(super) fn fields(&self, to: &mut dyn FnMut(Field<'a>)) {
        Walk::over(self.part, to, |walk| walk.text("action", self.text.0.len()));
    }
}

/// The version of the root of trust for measurement.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Version<'a> {
    part: Part<'a>,
    /// What it is.
    pub value: VersionValue<'a>,
}

/// The forms of a version that firmware writes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum VersionValue<'a> {
    /// An empty text, in either encoding.
    Empty,
    /// A text.
    Words(Words<'a>),
    /// A GUID.
    Guid(Guid),
    /// Something of the vendor's.
    Bytes(&'a [u8]),
}

impl<'a> Version<'a> {
    pub(super) fn read(part: Part<'a>) -> Self {
        let value = if part.bytes.iter().all(|&byte| byte == 0) && part.bytes.len() <= 2 {
            VersionValue::Empty
        } else if let Some(words) = Words::read(part.bytes) {
            VersionValue::Words(words)
        } else {
            match part.bytes.try_into() {
                Ok(guid) => VersionValue::Guid(Guid(guid)),
                Err(_) => VersionValue::Bytes(part.bytes),
            }
        };
        Self { part, value }
    }

    pub(super) fn fields(&self, to: &mut dyn FnMut(Field<'a>)) {
        Walk::over(self.part, to, |walk| match self.value {
            VersionValue::Empty => walk.text("version", 0).and_then(|()| walk.terminator()),
            VersionValue::Guid(_) => walk.guid("version"),
            VersionValue::Words(_) | VersionValue::Bytes(_) => walk_words(walk, "version"),
        });
    }
}

impl fmt::Display for Version<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.value {
            VersionValue::Empty => f.write_str("version (empty)"),
            VersionValue::Words(words) => write!(f, "version \"{words}\""),
            VersionValue::Guid(guid) => write!(f, "version {guid}"),
            VersionValue::Bytes(bytes) => write!(f, "version {}", Short(bytes)),
        }
    }
}

/// What is known about a part of the machine that is not the host's processor.
///
/// Google writes 32 bytes: a name, and what protects the machine's memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct NonHostInfo<'a> {
    part: Part<'a>,
    /// 0 none, 1 AMD SEV, 2 AMD SEV-ES, 3 Intel TDX, 4 AMD SEV-SNP.
    pub technology: u8,
}

impl<'a> NonHostInfo<'a> {
    const SIGNATURE: &'static [u8; 16] = b"GCE NonHostInfo\0";

    pub(super) fn read(part: Part<'a>) -> Option<Self> {
        let technology = part.bytes.strip_prefix(Self::SIGNATURE)?.first()?;
        Some(Self { part, technology: *technology })
    }

    /// The technology by its name, if it is known.
    #[must_use]
    pub fn technology_name(&self) -> Option<&'static str> {
        technology_name(self.technology.into())
    }

    pub(super) fn fields(&self, to: &mut dyn FnMut(Field<'a>)) {
        Walk::over(self.part, to, |walk| {
            walk.text("signature", 15)?;
            walk.bytes("terminator", 1)?;
            walk.number("technology", 1, |number| {
                FieldValue::Named(number, technology_name(number))
            })?;
            walk.all("reserved", FieldValue::Bytes)
        });
    }
}

const fn technology_name(number: u64) -> Option<&'static str> {
    match number {
        0 => Some("none"),
        1 => Some("AMD SEV"),
        2 => Some("AMD SEV-ES"),
        3 => Some("Intel TDX"),
        4 => Some("AMD SEV-SNP"),
        _ => None,
    }
}

impl fmt::Display for NonHostInfo<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.technology_name() {
            Some(name) => write!(f, "GCE, memory protection: {name}"),
            None => write!(f, "GCE, memory protection: number {}", self.technology),
        }
    }
}

/// Settings of the platform as td-shim logs them: a name of 16 bytes, a length, and what the digest is
/// of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct PlatformConfig<'a> {
    part: Part<'a>,
    /// What they are: `td_hob`.
    pub name: RawText<'a>,
    /// The settings themselves.
    pub payload: &'a [u8],
}

impl<'a> PlatformConfig<'a> {
    /// Bytes before the payload.
    const HEAD: usize = 20;

    pub(in crate::tcg) fn read(part: Part<'a>) -> Option<Self> {
        let mut rest = part;
        let name = rest.cut(16).ok()?.bytes;
        let Words::Text(name) = Words::read(name)? else { return None };
        let length = usize::try_from(rest.u32().ok()?).ok()?;
        (length == rest.bytes.len()).then_some(Self { part, name, payload: rest.bytes })
    }

    /// Where the payload stands in the event's data.
    pub(in crate::tcg) const fn payload_part(&self) -> Part<'a> {
        Part { bytes: self.payload, offset: self.part.offset.saturating_add(Self::HEAD) }
    }

    pub(super) fn fields(&self, to: &mut dyn FnMut(Field<'a>)) {
        Walk::over(self.part, to, |walk| {
            walk.within(16, |walk| walk_words(walk, "name"))?;
            walk.count("payload_length", 4)?;
            walk_words(walk, "payload")
        });
    }
}

impl fmt::Display for PlatformConfig<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "settings \"{}\", {} bytes", self.name, self.payload.len())
    }
}
