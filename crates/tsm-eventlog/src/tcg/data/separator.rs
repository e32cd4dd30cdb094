// SPDX-License-Identifier: MIT OR Apache-2.0
//! Separators: the border between firmware and what it starts.

use core::fmt;

use tsm_core::{Algorithm, Digest};

use super::decode::Short;
use super::field::{Field, FieldValue, Walk};
use super::part::Part;

/// What a separator's four bytes say. Its digest is that of these bytes, so it can be recognised
/// whatever type the log gives it: [`of_digest`](Self::of_digest).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Separator {
    /// `00000000`: firmware hands over.
    Zeros,
    /// `FFFFFFFF`: firmware hands over, or met an error. SeaBIOS writes it always.
    Ones,
    /// `WBCL`: Windows' boot loader hands over.
    Windows,
}

impl Separator {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Zeros, Self::Ones, Self::Windows];

    /// The bytes.
    #[must_use]
    pub const fn bytes(self) -> [u8; 4] {
        match self {
            Self::Zeros => [0; 4],
            Self::Ones => [0xFF; 4],
            Self::Windows => *b"WBCL",
        }
    }

    /// The separator of these bytes.
    #[must_use]
    pub fn of_bytes(bytes: &[u8]) -> Option<Self> {
        Self::ALL.into_iter().find(|separator| separator.bytes() == bytes)
    }

    /// Its digest.
    #[must_use]
    pub fn digest(self, algorithm: Algorithm) -> Digest {
        algorithm.hash(&self.bytes())
    }

    /// The separator of this digest. Costs up to three hashes of four bytes.
    #[must_use]
    pub fn of_digest(digest: &Digest) -> Option<Self> {
        Self::ALL.into_iter().find(|separator| separator.digest(digest.algorithm()) == *digest)
    }
}

impl fmt::Display for Separator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Zeros => "00000000",
            Self::Ones => "ffffffff",
            Self::Windows => "WBCL",
        })
    }
}

/// The data of an event of the type `EV_SEPARATOR`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct SeparatorData<'a> {
    part: Part<'a>,
    /// What it says; `None` if it is none of the known ones.
    pub separator: Option<Separator>,
}

impl<'a> SeparatorData<'a> {
    pub(super) fn read(part: Part<'a>) -> Self {
        Self { part, separator: Separator::of_bytes(part.bytes) }
    }

    pub(super) fn fields(&self, to: &mut dyn FnMut(Field<'a>)) {
        Walk::over(self.part, to, |walk| walk.all("separator", FieldValue::Bytes));
    }
}

impl fmt::Display for SeparatorData<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.separator {
            Some(separator) => write!(f, "separator {separator}"),
            None => write!(f, "separator {}", Short(self.part.bytes)),
        }
    }
}
