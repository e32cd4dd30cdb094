// SPDX-License-Identifier: MIT OR Apache-2.0
//! A list of either kind, and byte order.

use core::iter::FusedIterator;

use super::ascii::Ascii;
use super::assemble::{Scratch, TemplateData};
use super::binary::Binary;
use super::entry::UntrustedEntry;
use crate::detect::{Format, detect};
use crate::error::{Error, ErrorKind, Position};

/// Byte order of the machine that wrote a list.
///
/// The integers of a record, those inside its template data too, are the machine's own and are
/// hashed as they stand, so the byte order matters for text lists as well. With the kernel
/// parameter `ima_canonical_fmt` it is always little. Big-endian lists are inferred from the
/// kernel's source: no real one was at hand.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Endian {
    /// Little endian: x86, Arm, RISC-V, POWER in little-endian mode.
    #[default]
    Little,
    /// Big endian: s390x, POWER in big-endian mode.
    Big,
}

impl Endian {
    pub(crate) const fn u16(self, bytes: [u8; 2]) -> u16 {
        match self {
            Self::Little => u16::from_le_bytes(bytes),
            Self::Big => u16::from_be_bytes(bytes),
        }
    }

    pub(crate) const fn u32(self, bytes: [u8; 4]) -> u32 {
        match self {
            Self::Little => u32::from_le_bytes(bytes),
            Self::Big => u32::from_be_bytes(bytes),
        }
    }

    pub(crate) const fn u64(self, bytes: [u8; 8]) -> u64 {
        match self {
            Self::Little => u64::from_le_bytes(bytes),
            Self::Big => u64::from_be_bytes(bytes),
        }
    }

    pub(crate) const fn u16_bytes(self, number: u16) -> [u8; 2] {
        match self {
            Self::Little => number.to_le_bytes(),
            Self::Big => number.to_be_bytes(),
        }
    }

    pub(crate) const fn u32_bytes(self, number: u32) -> [u8; 4] {
        match self {
            Self::Little => number.to_le_bytes(),
            Self::Big => number.to_be_bytes(),
        }
    }
}

/// The records of a list of either kind. Ends after an error.
#[derive(Clone, Debug)]
pub enum List<'a> {
    /// A binary list.
    Binary(Binary<'a>),
    /// An ascii list.
    Ascii(Ascii<'a>),
}

impl<'a> List<'a> {
    /// A list whose kind, digest width and byte order are guessed from its first record, as
    /// [`detect`] does.
    ///
    /// A guess is not evidence, but it cannot deceive a replay either: read wrongly, a list does not
    /// reach the expected values.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::UnknownFormat`].
    pub fn open(bytes: &'a [u8]) -> Result<Self, Error> {
        match detect(bytes) {
            Some(Format::ImaBinary(layout)) => Ok(Self::Binary(Binary::new(bytes, layout))),
            Some(Format::ImaAscii { endian, .. }) => {
                Ok(Self::Ascii(Ascii::new(bytes).endian(endian)))
            }
            _ => Err(Error::call(ErrorKind::UnknownFormat)),
        }
    }

    /// Where the next record begins.
    #[must_use]
    pub const fn next_position(&self) -> Position {
        match self {
            Self::Binary(list) => list.next_position(),
            Self::Ascii(list) => list.next_position(),
        }
    }

    /// Reads a record for a replay. `scratch` is then ready for [`data`](Self::data).
    #[inline]
    pub(crate) fn read(
        &mut self,
        scratch: &mut Scratch,
    ) -> Option<Result<UntrustedEntry<'a>, Error>> {
        match self {
            Self::Binary(list) => list.read(),
            Self::Ascii(list) => list.read(scratch),
        }
    }

    /// The template data of the entry that [`read`](Self::read) has just given.
    #[inline]
    pub(crate) fn data<'s>(
        &self,
        entry: &'s UntrustedEntry<'s>,
        scratch: &'s mut Scratch,
    ) -> TemplateData<'s> {
        match self {
            Self::Binary(_) => entry.data(scratch),
            Self::Ascii(_) => {
                scratch.filled().map_or(TemplateData::Pieces(entry), TemplateData::Slice)
            }
        }
    }
}

impl<'a> Iterator for List<'a> {
    type Item = Result<UntrustedEntry<'a>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Self::Binary(list) => list.next(),
            Self::Ascii(list) => list.next(),
        }
    }
}

impl FusedIterator for List<'_> {}

impl<'a> From<Binary<'a>> for List<'a> {
    fn from(list: Binary<'a>) -> Self {
        Self::Binary(list)
    }
}

impl<'a> From<Ascii<'a>> for List<'a> {
    fn from(list: Ascii<'a>) -> Self {
        Self::Ascii(list)
    }
}
