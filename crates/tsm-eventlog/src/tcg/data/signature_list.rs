// SPDX-License-Identifier: MIT OR Apache-2.0
//! Signature lists: the contents of `PK`, `KEK`, `db` and `dbx`.

use core::iter::FusedIterator;

use super::field::{FieldValue, Walk};
use super::guid::Guid;
use super::part::{Part, Reason};

/// The signature lists in a variable (`EFI_SIGNATURE_LIST`, UEFI 2.10, section 32.4.1).
///
/// An iterator that ends where a list's lengths contradict each other; [`rest`](Self::rest) tells.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SignatureLists<'a> {
    rest: &'a [u8],
}

impl<'a> SignatureLists<'a> {
    pub(in crate::tcg) const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// The signatures of all lists.
    pub fn signatures(self) -> impl Iterator<Item = Signature<'a>> {
        self.flat_map(|list| list.signatures())
    }

    /// The bytes that have not been read: after the last list, those that are no list.
    #[must_use]
    pub const fn rest(&self) -> &'a [u8] {
        self.rest
    }
}

impl<'a> Iterator for SignatureLists<'a> {
    type Item = SignatureList<'a>;

    fn next(&mut self) -> Option<SignatureList<'a>> {
        let mut part = Part::whole(self.rest);
        let list = SignatureList::read(&mut part).ok()?;
        self.rest = part.bytes;
        Some(list)
    }
}

impl FusedIterator for SignatureLists<'_> {}

/// Signatures of one kind and size.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct SignatureList<'a> {
    /// What they are: [`Guid::CERT_X509`], [`Guid::CERT_SHA256`].
    pub kind: Guid,
    /// What precedes them, for kinds that have that.
    pub header: &'a [u8],
    /// Bytes of each, its owner included.
    size: usize,
    signatures: &'a [u8],
}

impl<'a> SignatureList<'a> {
    fn read(part: &mut Part<'a>) -> Result<Self, Reason> {
        let mut front = *part;
        let kind = front.guid()?;
        let Lengths { header, size, signatures } = Lengths::read(&mut front)?;
        let (header, signatures) = (front.cut(header)?.bytes, front.cut(signatures)?.bytes);
        *part = front;
        Ok(Self { kind, header, size, signatures })
    }

    /// The signatures.
    pub fn signatures(&self) -> impl Iterator<Item = Signature<'a>> + use<'a> {
        let kind = self.kind;
        // The size is not zero, see `Lengths`.
        self.signatures.chunks_exact(self.size.max(1)).filter_map(move |signature| {
            let (owner, data) = signature.split_first_chunk()?;
            Some(Signature { kind, owner: Guid(*owner), data })
        })
    }
}

/// A signature: a certificate or digest that is trusted, or in `dbx` distrusted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Signature<'a> {
    /// The list's.
    pub kind: Guid,
    /// Who put it there.
    pub owner: Guid,
    /// The certificate or digest.
    pub data: &'a [u8],
}

/// The lengths in a list's head, checked against each other.
struct Lengths {
    header: usize,
    size: usize,
    signatures: usize,
}

impl Lengths {
    fn read(part: &mut Part<'_>) -> Result<Self, Reason> {
        let [list, header, size] = [part.u32()?, part.u32()?, part.u32()?];
        let length = |length| usize::try_from(length).map_err(|_| Reason::Length);
        let (list, header, size) = (length(list)?, length(header)?, length(size)?);
        Self::check(list, header, size)
    }

    fn check(list: usize, header: usize, size: usize) -> Result<Self, Reason> {
        /// Of a list without its signatures and their header.
        const HEAD: usize = 28;
        let signatures = list.checked_sub(HEAD).and_then(|rest| rest.checked_sub(header));
        let signatures = signatures.ok_or(Reason::Length)?;
        // Each has an owner. No signature at all is allowed, whatever their size.
        if size < 16 || !signatures.is_multiple_of(size) {
            return Err(Reason::Length);
        }
        Ok(Self { header, size, signatures })
    }
}

/// All lists; the items are signatures, numbered through.
pub(super) fn walk<'a>(walk: &mut Walk<'_, 'a>) -> Result<(), Reason> {
    let mut item = 0_u32;
    while !walk.is_empty() {
        let mut front = walk.rest();
        SignatureList::read(&mut front)?;
        walk.item(None);
        walk.guid("signature_type")?;
        let list = walk.count("signature_list_size", 4)?;
        let header = walk.count("signature_header_size", 4)?;
        let size = walk.count("signature_size", 4)?;
        let lengths = Lengths::check(list, header, size)?;
        if header > 0 {
            walk.bytes("signature_header", header)?;
        }
        for _ in 0..lengths.signatures.checked_div(size).unwrap_or(0) {
            walk.item(Some(item));
            item = item.saturating_add(1);
            walk.guid("signature_owner")?;
            walk.field("signature_data", size.saturating_sub(16), FieldValue::Bytes)?;
        }
    }
    walk.item(None);
    Ok(())
}
