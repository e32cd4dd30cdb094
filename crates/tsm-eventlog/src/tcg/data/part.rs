// SPDX-License-Identifier: MIT OR Apache-2.0
//! Bytes that know where in an event's data they stand, and why some could not be read.

use core::fmt;

use super::guid::Guid;

/// Why bytes of an event's data are shown as they came.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Reason {
    /// No format is known for them. Nothing is wrong with that.
    NoFormat,
    /// They end before what their format says.
    Truncated,
    /// They go on behind what their format says.
    Trailing,
    /// A length in them contradicts another one, or the format.
    Length,
}

impl Reason {
    /// Whether the bytes are not as their format says. An unknown format is nothing of the kind.
    #[must_use]
    pub const fn is_malformed(self) -> bool {
        !matches!(self, Self::NoFormat)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoFormat => "of no known format",
            Self::Truncated => "ends too early",
            Self::Trailing => "more than its format has",
            Self::Length => "a length contradicts another",
        })
    }
}

/// A part of an event's data.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::tcg) struct Part<'a> {
    pub(in crate::tcg) bytes: &'a [u8],
    /// Bytes of the event's data before it.
    pub(in crate::tcg) offset: usize,
}

impl<'a> Part<'a> {
    pub(in crate::tcg) const fn whole(bytes: &'a [u8]) -> Self {
        Self { bytes, offset: 0 }
    }

    pub(in crate::tcg) const fn end(self) -> usize {
        self.offset.saturating_add(self.bytes.len())
    }

    /// Cuts `length` bytes off the front.
    pub(super) fn cut(&mut self, length: usize) -> Result<Self, Reason> {
        let (bytes, rest) = self.bytes.split_at_checked(length).ok_or(Reason::Truncated)?;
        let front = Self { bytes, offset: self.offset };
        *self = Self { bytes: rest, offset: front.end() };
        Ok(front)
    }

    /// Cuts off as many bytes as a length in the data says.
    pub(super) fn cut_u64(&mut self, length: u64) -> Result<Self, Reason> {
        self.cut(usize::try_from(length).map_err(|_| Reason::Truncated)?)
    }

    /// Cuts off all.
    pub(super) fn cut_all(&mut self) -> Self {
        let all = *self;
        *self = Self { bytes: &[], offset: all.end() };
        all
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], Reason> {
        let part = self.cut(N)?;
        part.bytes.first_chunk().copied().ok_or(Reason::Truncated)
    }

    pub(super) fn u8(&mut self) -> Result<u8, Reason> {
        self.array().map(|[byte]| byte)
    }

    pub(super) fn u16(&mut self) -> Result<u16, Reason> {
        self.array().map(u16::from_le_bytes)
    }

    pub(super) fn u32(&mut self) -> Result<u32, Reason> {
        self.array().map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Result<u64, Reason> {
        self.array().map(u64::from_le_bytes)
    }

    pub(super) fn guid(&mut self) -> Result<Guid, Reason> {
        self.array().map(Guid)
    }

    /// How many bytes precede the first NUL, or all.
    pub(in crate::tcg) fn text_length(self) -> usize {
        self.bytes.iter().position(|&byte| byte == 0).unwrap_or(self.bytes.len())
    }
}
