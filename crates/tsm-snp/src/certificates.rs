// SPDX-License-Identifier: MIT OR Apache-2.0
//! The certificate table that a host gives with a report (extended guest request; `auxblob` of
//! configfs-tsm). All of it is the host's: a hint where to find certificates, no reason to trust one.
//!
//! ```text
//! GUID 16, RFC 4122 order | offset u32 | length u32     for each certificate
//! zeros 24                                              the end
//! ...                                                   the certificates; offsets count from the table
//! ```
//!
//! Source: Linux `include/uapi/linux/sev-guest.h`; google/go-sev-guest `abi/abi.go`; real tables.

use core::fmt;

use crate::bytes::{is_zero, take_array};
use crate::error::{Error, ErrorKind};
use crate::guid::Guid;

/// A table that was checked: its entries are within it, behind its end, and do not overlap.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CertificateTable<'t> {
    bytes: &'t [u8],
    /// Entries without the end.
    count: usize,
}

/// Bytes of an entry.
const ENTRY: usize = 24;

impl<'t> CertificateTable<'t> {
    /// Most entries of a table. Six kinds are known.
    pub const MAX_ENTRIES: usize = 16;

    /// Reads a table. What stands behind the last certificate is not looked at: tables come in whole
    /// pages. An empty one, even of no bytes, is good: many hosts have no certificates.
    ///
    /// # Errors
    ///
    /// With the offset of the entry: [`ErrorKind::Unterminated`], [`ErrorKind::Count`],
    /// [`ErrorKind::Duplicate`] for a GUID that stands there twice, [`ErrorKind::Range`] for one
    /// that ends behind the table's bytes, [`ErrorKind::Overlap`] for one that shares bytes with
    /// another or with the entries.
    pub fn parse(bytes: &'t [u8]) -> Result<Self, Error> {
        let mut table = Self { bytes, count: 0 };
        if bytes.is_empty() {
            return Ok(table);
        }
        let mut rest = bytes;
        loop {
            let at = table.count.saturating_mul(ENTRY);
            let entry = take_array::<ENTRY>(&mut rest);
            let entry = entry.ok_or(Error::at(ErrorKind::Unterminated, at))?;
            if is_zero(entry) {
                break;
            }
            if table.count == Self::MAX_ENTRIES {
                return Err(Error::at(ErrorKind::Count, at));
            }
            table.count = table.count.saturating_add(1);
        }
        // At most 16 entries, so that comparing all with all is little work.
        let content = table.count.saturating_add(1).saturating_mul(ENTRY);
        for (number, (guid, start, end)) in table.places().enumerate() {
            let at = number.saturating_mul(ENTRY);
            if end > bytes.len() {
                return Err(Error::at(ErrorKind::Range, at));
            }
            // An entry without bytes is an empty slot, wherever it points.
            let is_empty = start == end;
            if start < content && !is_empty {
                return Err(Error::at(ErrorKind::Overlap, at));
            }
            for (other, other_start, other_end) in table.places().take(number) {
                if other == guid {
                    return Err(Error::at(ErrorKind::Duplicate, at));
                }
                let are_there = !is_empty && other_start != other_end;
                if are_there && start < other_end && other_start < end {
                    return Err(Error::at(ErrorKind::Overlap, at));
                }
            }
        }
        Ok(table)
    }

    /// The entries in order.
    pub fn entries(&self) -> impl Iterator<Item = Certificate<'t>> + use<'t> {
        let bytes = self.bytes;
        self.places().map(move |(guid, start, end)| Certificate {
            guid,
            bytes: bytes.get(start..end).unwrap_or_default(),
        })
    }

    /// The certificate of this kind.
    #[must_use]
    pub fn find(&self, kind: CertificateKind) -> Option<Certificate<'t>> {
        self.entries().find(|entry| entry.kind() == kind)
    }

    /// GUID, start and end of each entry.
    fn places(&self) -> impl Iterator<Item = (Guid, usize, usize)> + use<'t> {
        let (entries, _) = self.bytes.as_chunks::<ENTRY>();
        entries.iter().take(self.count).map(|entry| {
            let mut rest = entry.as_slice();
            let guid = take_array(&mut rest).copied().unwrap_or_default();
            let mut word = || take_array(&mut rest).map_or(0, |bytes| u32::from_le_bytes(*bytes));
            let (offset, length) = (word(), word());
            // Offsets that no memory has are behind every table's end.
            let start = usize::try_from(offset).unwrap_or(usize::MAX);
            let end = start.saturating_add(usize::try_from(length).unwrap_or(usize::MAX));
            (Guid::from_rfc_bytes(guid), start, end)
        })
    }
}

/// An entry.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Certificate<'t> {
    guid: Guid,
    bytes: &'t [u8],
}

impl<'t> Certificate<'t> {
    /// Its GUID.
    #[must_use]
    pub const fn guid(&self) -> Guid {
        self.guid
    }

    /// What the GUID stands for.
    #[must_use]
    pub const fn kind(&self) -> CertificateKind {
        CertificateKind::of(self.guid)
    }

    /// Its bytes, DER or PEM.
    #[must_use]
    pub const fn as_bytes(&self) -> &'t [u8] {
        self.bytes
    }

    /// How it is written, by its first bytes. Both are found in the field, for certificates and for
    /// revocation lists.
    #[must_use]
    pub fn encoding(&self) -> Encoding {
        match self.bytes {
            [0x30, 0x82 | 0x83, ..] => Encoding::Der,
            bytes if bytes.trim_ascii_start().starts_with(b"-----BEGIN ") => Encoding::Pem,
            _ => Encoding::Unknown,
        }
    }
}

impl fmt::Debug for Certificate<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let size = self.bytes.len();
        write!(f, "{:?}, {size} bytes, {:?}", self.kind(), self.encoding())
    }
}

/// How a certificate is written.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Encoding {
    /// DER.
    Der,
    /// PEM: text, perhaps several certificates.
    Pem,
    /// Neither.
    Unknown,
}

/// What an entry is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum CertificateKind {
    /// The chip's endorsement key.
    Vcek,
    /// The cloud provider's endorsement key.
    Vlek,
    /// What signed the endorsement key: ASK or ASVK.
    Ask,
    /// The root.
    Ark,
    /// A revocation list (virtee's GUID).
    Crl,
    /// Something of google/go-sev-guest's about the platform.
    ExtraPlatformInfo,
    /// Not known.
    Other(Guid),
}

impl CertificateKind {
    const KNOWN: [(Self, Guid); 6] = [
        (Self::Vcek, Guid::new(0x63da758d_e664_4564_adc5_f4b93be8accd)),
        (Self::Vlek, Guid::new(0xa8074bc2_a25a_483e_aae6_39c045a0b8a1)),
        (Self::Ask, Guid::new(0x4ab7b379_bbac_4fe4_a02f_05aef327c782)),
        (Self::Ark, Guid::new(0xc0b406a4_a803_4952_9743_3fb6014cd0ae)),
        (Self::Crl, Guid::new(0x92f81bc3_5811_4d3d_97ff_d19f88dc67ea)),
        (Self::ExtraPlatformInfo, Guid::new(0xecae0c0f_9502_43b1_afa2_0ae2e0d565b6)),
    ];

    /// Of a GUID.
    #[must_use]
    pub const fn of(guid: Guid) -> Self {
        let digits = u128::from_be_bytes(guid.rfc_bytes());
        let mut rest = Self::KNOWN.as_slice();
        while let [(kind, known), others @ ..] = rest {
            if u128::from_be_bytes(known.rfc_bytes()) == digits {
                return *kind;
            }
            rest = others;
        }
        Self::Other(guid)
    }

    /// Its GUID.
    #[must_use]
    pub fn guid(self) -> Guid {
        match self {
            Self::Other(guid) => guid,
            // Every other kind is in the list.
            known => Self::KNOWN
                .iter()
                .find(|(kind, _)| *kind == known)
                .map_or(Guid::new(0), |(_, guid)| *guid),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(entries: &[(CertificateKind, u32, u32)], size: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (kind, offset, length) in entries {
            bytes.extend(kind.guid().rfc_bytes());
            bytes.extend(offset.to_le_bytes());
            bytes.extend(length.to_le_bytes());
        }
        bytes.extend([0; 24]);
        bytes.resize(size.max(bytes.len()), 0xAB);
        bytes
    }

    fn refusal(bytes: &[u8]) -> (ErrorKind, Option<usize>) {
        let error = CertificateTable::parse(bytes).unwrap_err();
        (error.kind(), error.offset())
    }

    const VCEK: CertificateKind = CertificateKind::Vcek;
    const ASK: CertificateKind = CertificateKind::Ask;

    /// Byte order as in real tables: the GUID's text is the bytes in order.
    #[test]
    fn entries() {
        let mut bytes = table(&[(VCEK, 100, 4), (ASK, 72, 28)], 200);
        assert_eq!(bytes[..4], [0x63, 0xda, 0x75, 0x8d]);
        bytes[100..104].copy_from_slice(&[0x30, 0x82, 1, 2]);
        bytes[72..83].copy_from_slice(b"-----BEGIN ");
        let table = CertificateTable::parse(&bytes).unwrap();
        let vcek = table.find(VCEK).unwrap();
        assert_eq!((vcek.as_bytes().len(), vcek.encoding()), (4, Encoding::Der));
        let ask = table.find(ASK).unwrap();
        assert_eq!((ask.as_bytes().len(), ask.encoding()), (28, Encoding::Pem));
        assert_eq!(table.find(CertificateKind::Ark), None);
        assert_eq!(table.entries().count(), 2);
    }

    #[test]
    fn an_empty_table_is_good() {
        for bytes in [&[][..], &[0; 24], &[0; 4096]] {
            assert_eq!(CertificateTable::parse(bytes).unwrap().entries().count(), 0);
        }
        assert_eq!(refusal(&[0; 23]), (ErrorKind::Unterminated, Some(0)));
        assert_eq!(refusal(&[1; 24 * 3]), (ErrorKind::Unterminated, Some(72)));
    }

    /// Wherever an empty slot points, the other entries are read.
    #[test]
    fn empty_slots() {
        for offset in [0, 47, 72, 75, 200] {
            for entries in [[(VCEK, 72, 10), (ASK, offset, 0)], [(ASK, offset, 0), (VCEK, 72, 10)]]
            {
                let bytes = table(&entries, 200);
                let table = CertificateTable::parse(&bytes).unwrap();
                assert_eq!(table.find(VCEK).unwrap().as_bytes(), [0xAB; 10]);
                assert_eq!(table.find(ASK).unwrap().as_bytes(), []);
            }
        }
        assert_eq!(refusal(&table(&[(ASK, 201, 0)], 200)), (ErrorKind::Range, Some(0)));
    }

    #[test]
    fn bad_entries() {
        let of = |entries: &[_]| refusal(&table(entries, 200));
        assert_eq!(of(&[(VCEK, 72, 10), (ASK, 81, 10)]), (ErrorKind::Overlap, Some(24)));
        assert_eq!(of(&[(VCEK, 81, 10), (ASK, 72, 10)]), (ErrorKind::Overlap, Some(24)));
        assert_eq!(of(&[(VCEK, 72, 10), (VCEK, 90, 10)]), (ErrorKind::Duplicate, Some(24)));
        assert_eq!(of(&[(VCEK, 47, 10)]), (ErrorKind::Overlap, Some(0)));
        assert_eq!(of(&[(VCEK, 199, 2)]), (ErrorKind::Range, Some(0)));
        assert_eq!(of(&[(VCEK, u32::MAX, u32::MAX)]), (ErrorKind::Range, Some(0)));
        assert_eq!(of(&[(VCEK, 72, u32::MAX)]), (ErrorKind::Range, Some(0)));
        let many: Vec<_> =
            (1..=17).map(|n| (CertificateKind::Other(Guid::new(n)), 2000 + n as u32, 1)).collect();
        assert_eq!(refusal(&table(&many, 4096)), (ErrorKind::Count, Some(16 * 24)));
        assert!(CertificateTable::parse(&table(&many[..16], 4096)).is_ok());
    }

    #[test]
    fn kinds_there_and_back() {
        for (kind, guid) in CertificateKind::KNOWN {
            assert_eq!((CertificateKind::of(guid), kind.guid()), (kind, guid));
        }
        let other = CertificateKind::of(Guid::new(7));
        assert_eq!((other, other.guid()), (CertificateKind::Other(Guid::new(7)), Guid::new(7)));
    }
}
