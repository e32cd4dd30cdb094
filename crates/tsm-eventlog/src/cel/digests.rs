// SPDX-License-Identifier: MIT OR Apache-2.0
//! The digests of a record, borrowed from the log.

use core::fmt;
use core::iter::FusedIterator;

use tsm_core::{Algorithm, Digest};

use super::cbor::Items;
use super::record::Label;
use super::tlv::Tlvs;
use crate::bytes::Bytes;
use crate::error::ErrorKind;
use crate::json::{Cursor, once};
use crate::limits::Limits;
use crate::tcg;

/// A digest of a record, of an algorithm that need not be known here.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RecordedDigest<'a> {
    /// The `TPM_ALG_ID`, or in JSON a name that has none here.
    pub algorithm: Label<'a>,
    /// The digest.
    pub digest: Bytes<'a>,
}

/// The digests of a record, no two of one algorithm.
#[derive(Clone, Copy)]
pub struct Digests<'a>(Repr<'a>);

#[derive(Clone, Copy)]
enum Repr<'a> {
    List(&'a [Digest]),
    /// TLVs.
    Tlv(&'a [u8]),
    /// Maps behind each other.
    Cbor(&'a [u8]),
    /// An array as it is written.
    Json(&'a [u8]),
    /// Of a TCG event.
    Tcg(tcg::Digests<'a>),
}

/// Longest digest of an algorithm that is not known here.
const MAX: usize = 128;

/// Longest name of an algorithm, as it is written.
const LONGEST_NAME: usize = 64;

/// `TPM_ALG_ID`, name in JSON, size in bytes (TCG Algorithm Registry 1.34, table 3; CEL 1.1, section
/// 5.2).
const KNOWN: [(u16, &str, usize); 8] = [
    (0x04, "sha1", 20),
    (0x0B, "sha256", 32),
    (0x0C, "sha384", 48),
    (0x0D, "sha512", 64),
    (0x12, "sm3_256", 32),
    (0x27, "sha3_256", 32),
    (0x28, "sha3_384", 48),
    (0x29, "sha3_512", 64),
];

impl<'a> Digests<'a> {
    /// No digest.
    pub const EMPTY: Self = Self(Repr::List(&[]));

    pub(super) const fn list(digests: &'a [Digest]) -> Self {
        Self(Repr::List(digests))
    }

    pub(super) fn tlv(nested: &'a [u8], limits: &Limits) -> Result<Self, ErrorKind> {
        Self(Repr::Tlv(nested)).checked(limits)
    }

    pub(super) fn cbor(maps: &'a [u8], limits: &Limits) -> Result<Self, ErrorKind> {
        Self(Repr::Cbor(maps)).checked(limits)
    }

    /// Those of a TCG event.
    pub(crate) fn tcg(digests: tcg::Digests<'a>, limits: &Limits) -> Result<Self, ErrorKind> {
        Self(Repr::Tcg(digests)).checked(limits)
    }

    /// Reads an array of JSON.
    pub(crate) fn json(cursor: &mut Cursor<'a>, limits: &Limits) -> Result<Self, ErrorKind> {
        if cursor.peek()? != b'[' {
            return Err(ErrorKind::Member);
        }
        Self(Repr::Json(cursor.value()?)).checked(limits)
    }

    /// The digests in the record's order.
    #[must_use]
    pub fn iter(&self) -> DigestsIter<'a> {
        DigestsIter(match self.0 {
            Repr::List(list) => IterRepr::List(list),
            Repr::Tlv(nested) => IterRepr::Tlv(Tlvs::new(nested)),
            Repr::Cbor(maps) => IterRepr::Cbor(Items::new(maps)),
            Repr::Json(array) => IterRepr::Json(Cursor::new(array.get(1..).unwrap_or_default())),
            Repr::Tcg(digests) => IterRepr::Tcg(digests.iter()),
        })
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.iter().next().is_none()
    }

    /// The digest of an algorithm, if the record has it.
    #[must_use]
    pub fn digest(&self, algorithm: Algorithm) -> Option<Digest> {
        self.iter().find_map(|recorded| recorded.of(algorithm))
    }

    fn checked(self, limits: &Limits) -> Result<Self, ErrorKind> {
        let mut rest = self.iter();
        let mut count = 0_usize;
        while let Some(recorded) = rest.read() {
            let recorded = recorded?;
            let size = match recorded.algorithm {
                Label::Number(id) => KNOWN.iter().find(|known| u64::from(known.0) == id),
                Label::Name(_) => None,
            };
            let length = recorded.digest.len();
            let is_long = size.map_or(!(1..=MAX).contains(&length), |known| known.2 != length);
            let mut before = self.iter().take(count);
            let is_twice = before.any(|other| other.algorithm == recorded.algorithm);
            count = count.saturating_add(1);
            if count > limits.digests || is_long || is_twice {
                return Err(ErrorKind::DigestList);
            }
        }
        Ok(self)
    }
}

impl RecordedDigest<'_> {
    /// The digest, if it is of this algorithm.
    #[must_use]
    pub fn of(&self, algorithm: Algorithm) -> Option<Digest> {
        if self.algorithm != Label::Number(u64::from(algorithm.tpm_id())) {
            return None;
        }
        let mut buffer = [0; Digest::MAX];
        Digest::from_bytes(algorithm, self.digest.copy_to(&mut buffer)?)
    }

    /// The algorithm's name in JSON, if it has one.
    pub(super) fn name(&self) -> Option<&'static str> {
        let Label::Number(id) = self.algorithm else { return None };
        KNOWN.iter().find(|known| u64::from(known.0) == id).map(|known| known.1)
    }
}

impl PartialEq for Digests<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for Digests<'_> {}

impl fmt::Debug for Digests<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter().map(|one| (one.algorithm, one.digest))).finish()
    }
}

impl<'a> IntoIterator for Digests<'a> {
    type Item = RecordedDigest<'a>;
    type IntoIter = DigestsIter<'a>;

    fn into_iter(self) -> DigestsIter<'a> {
        self.iter()
    }
}

/// The iterator of [`Digests::iter`].
#[derive(Clone, Debug)]
pub struct DigestsIter<'a>(IterRepr<'a>);

#[derive(Clone, Debug)]
enum IterRepr<'a> {
    List(&'a [Digest]),
    Tlv(Tlvs<'a>),
    Cbor(Items<'a>),
    /// Behind the bracket, or behind an object.
    Json(Cursor<'a>),
    Tcg(tcg::DigestsIter<'a>),
}

impl<'a> DigestsIter<'a> {
    fn read(&mut self) -> Option<Result<RecordedDigest<'a>, ErrorKind>> {
        Some(match &mut self.0 {
            IterRepr::List(list) => {
                let digest = list.split_off_first()?;
                Ok(RecordedDigest {
                    algorithm: Label::Number(u64::from(digest.algorithm().tpm_id())),
                    digest: Bytes::raw(digest.as_bytes()),
                })
            }
            IterRepr::Tlv(nested) => nested.next()?.map(|tlv| RecordedDigest {
                algorithm: Label::Number(u64::from(tlv.kind)),
                digest: Bytes::raw(tlv.value),
            }),
            IterRepr::Cbor(maps) => {
                if maps.is_at_end() {
                    return None;
                }
                cbor_digest(maps)
            }
            IterRepr::Tcg(digests) => {
                let (id, digest) = digests.next()?;
                let algorithm = Label::Number(u64::from(id));
                Ok(RecordedDigest { algorithm, digest: Bytes::raw(digest) })
            }
            IterRepr::Json(cursor) => {
                match cursor.peek() {
                    Ok(b',') => cursor.expect(b',').ok()?,
                    Ok(b']') => return None,
                    _ => {}
                }
                json_digest(cursor)
            }
        })
    }
}

fn cbor_digest<'a>(items: &mut Items<'a>) -> Result<RecordedDigest<'a>, ErrorKind> {
    let (mut algorithm, mut digest) = (None, None);
    items.map(|items, key| match key {
        0 => once(&mut algorithm, items.number()?),
        1 => once(&mut digest, items.bytes()?),
        _ => Err(ErrorKind::Member),
    })?;
    let algorithm = algorithm.ok_or(ErrorKind::Member)?;
    let algorithm = u16::try_from(algorithm).map_err(|_| ErrorKind::Number)?;
    Ok(RecordedDigest {
        algorithm: Label::Number(u64::from(algorithm)),
        digest: Bytes::raw(digest.ok_or(ErrorKind::Member)?),
    })
}

fn json_digest<'a>(cursor: &mut Cursor<'a>) -> Result<RecordedDigest<'a>, ErrorKind> {
    let (mut algorithm, mut digest) = (None, None);
    cursor.object(|cursor, name| match name {
        _ if name == "hashAlg" => once(&mut algorithm, json_algorithm(cursor)?),
        _ if name == "digest" => once(&mut digest, hex(cursor)?),
        _ => Err(ErrorKind::Member),
    })?;
    Ok(RecordedDigest {
        algorithm: algorithm.ok_or(ErrorKind::Member)?,
        digest: digest.ok_or(ErrorKind::Member)?,
    })
}

fn json_algorithm<'a>(cursor: &mut Cursor<'a>) -> Result<Label<'a>, ErrorKind> {
    if cursor.peek()? != b'"' {
        let id = u16::try_from(cursor.number()?).map_err(|_| ErrorKind::Number)?;
        return Ok(Label::Number(u64::from(id)));
    }
    let before = cursor.rest().len();
    let name = cursor.text()?;
    // Names are compared with each other: long ones would cost.
    if before.saturating_sub(cursor.rest().len()) > LONGEST_NAME {
        return Err(ErrorKind::Member);
    }
    let known = KNOWN.iter().find(|known| name.eq_ignore_ascii_case(known.1));
    Ok(known.map_or(Label::Name(name), |known| Label::Number(u64::from(known.0))))
}

/// Reads a string of hex digits.
pub(crate) fn hex<'a>(cursor: &mut Cursor<'a>) -> Result<Bytes<'a>, ErrorKind> {
    let digits = cursor.text()?.as_str().ok_or(ErrorKind::Member)?;
    Bytes::hex_of_any_case(digits.as_bytes()).ok_or(ErrorKind::Member)
}

impl<'a> Iterator for DigestsIter<'a> {
    type Item = RecordedDigest<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        // Checked when it was made, so there is no error.
        self.read()?.ok()
    }
}

impl FusedIterator for DigestsIter<'_> {}
