// SPDX-License-Identifier: MIT OR Apache-2.0
//! The manifest of all services of an SVSM.
//!
//! ```text
//! GUID 63849ebb-... 16, mixed order | length of all u32 | number of services u32
//! GUID 16, mixed order | offset u32 | length u32          for each service
//! ...                                                     the services' manifests
//! ```

use crate::bytes::{take, take_array};
use crate::error::{Error, ErrorKind};
use crate::guid::Guid;

/// A services manifest that was checked: its entries are within it, behind the list, and do not
/// overlap. Not authenticated until [`check_binding`](super::check_binding) of all its bytes, and the
/// report's signature.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ServicesManifest<'m> {
    bytes: &'m [u8],
    entries: &'m [[u8; ENTRY]],
}

const ENTRY: usize = 24;
const HEADER: usize = 24;

impl<'m> ServicesManifest<'m> {
    /// What it begins with.
    pub const GUID: Guid = Guid::new(0x63849ebb_3d92_4670_a1ff_58f9c94b87bb);
    /// Most services.
    pub const MAX_SERVICES: usize = 16;

    /// Reads a manifest, which must be all of `bytes`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Truncated`], [`ErrorKind::Signature`], [`ErrorKind::Size`] if it is longer or
    /// shorter than it says, [`ErrorKind::Count`]; with the entry's offset [`ErrorKind::Range`],
    /// [`ErrorKind::Overlap`], [`ErrorKind::Duplicate`].
    pub fn parse(bytes: &'m [u8]) -> Result<Self, Error> {
        let mut rest = bytes;
        let truncated = Error::at(ErrorKind::Truncated, bytes.len());
        let guid = take_array(&mut rest).ok_or(truncated)?;
        if Guid::from_mixed_bytes(*guid) != Self::GUID {
            return Err(Error::at(ErrorKind::Signature, 0));
        }
        let length = word(&mut rest).ok_or(truncated)?;
        let count = word(&mut rest).ok_or(truncated)?;
        if length != bytes.len() {
            return Err(Error::at(ErrorKind::Size, 16));
        }
        if count > Self::MAX_SERVICES {
            return Err(Error::at(ErrorKind::Count, 20));
        }
        let list = take(&mut rest, count.saturating_mul(ENTRY)).ok_or(truncated)?;
        let manifest = Self { bytes, entries: list.as_chunks().0 };
        let content = list.len().saturating_add(HEADER);
        for (number, (guid, start, end)) in manifest.places().enumerate() {
            let at = number.saturating_mul(ENTRY).saturating_add(HEADER);
            if end > bytes.len() {
                return Err(Error::at(ErrorKind::Range, at));
            }
            if start < content {
                return Err(Error::at(ErrorKind::Overlap, at));
            }
            for (other, other_start, other_end) in manifest.places().take(number) {
                if guid == other {
                    return Err(Error::at(ErrorKind::Duplicate, at));
                }
                if start < other_end && other_start < end {
                    return Err(Error::at(ErrorKind::Overlap, at));
                }
            }
        }
        Ok(manifest)
    }

    /// The services.
    pub fn services(&self) -> impl Iterator<Item = Service<'m>> + use<'m> {
        let bytes = self.bytes;
        self.places().map(move |(guid, start, end)| Service {
            guid,
            manifest: bytes.get(start..end).unwrap_or_default(),
        })
    }

    /// The manifest of a service.
    #[must_use]
    pub fn find(&self, guid: Guid) -> Option<&'m [u8]> {
        self.services().find(|service| service.guid == guid).map(|service| service.manifest)
    }

    fn places(&self) -> impl Iterator<Item = (Guid, usize, usize)> + use<'m> {
        self.entries.iter().map(|entry| {
            let mut rest = entry.as_slice();
            let guid = take_array(&mut rest).copied().unwrap_or_default();
            let start = word(&mut rest).unwrap_or(0);
            let end = start.saturating_add(word(&mut rest).unwrap_or(0));
            (Guid::from_mixed_bytes(guid), start, end)
        })
    }
}

/// A 32-bit number; one that no memory has becomes the largest that is.
fn word(rest: &mut &[u8]) -> Option<usize> {
    let value = u32::from_le_bytes(*take_array(rest)?);
    Some(usize::try_from(value).unwrap_or(usize::MAX))
}

/// A service of an SVSM.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Service<'m> {
    /// Which.
    pub guid: Guid,
    /// Its manifest.
    pub manifest: &'m [u8],
}
