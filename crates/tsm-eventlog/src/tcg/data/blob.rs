// SPDX-License-Identifier: MIT OR Apache-2.0
//! Parts of the firmware and tables in memory: where they were, not what they were.

use core::fmt;

use super::field::{Field, Walk};
use super::guid::Guid;
use super::part::{Part, Reason};
use super::text::RawText;

/// Code or data in memory (`UEFI_PLATFORM_FIRMWARE_BLOB` and `UEFI_PLATFORM_FIRMWARE_BLOB2`, TCG PC
/// Client Platform Firmware Profile 1.06, section 10). The digest is of the memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct FirmwareBlob<'a> {
    part: Part<'a>,
    /// What the firmware calls it, in the second form.
    pub description: Option<RawText<'a>>,
    /// Address.
    pub base: u64,
    /// Bytes.
    pub length: u64,
    /// Bytes behind the structure.
    pub trailing: &'a [u8],
}

impl<'a> FirmwareBlob<'a> {
    pub(super) fn read(part: Part<'a>, has_description: bool) -> Result<Self, Reason> {
        let mut rest = part;
        let description = description(&mut rest, has_description)?;
        let (base, length) = (rest.u64()?, rest.u64()?);
        Ok(Self { part, description, base, length, trailing: rest.bytes })
    }

    pub(super) fn fields(&self, to: &mut dyn FnMut(Field<'a>)) {
        Walk::over(self.part, to, |walk| {
            description_fields(walk, self.description.is_some())?;
            walk.hex("blob_base", 8)?;
            walk.hex("blob_length", 8)
        });
    }
}

impl fmt::Display for FirmwareBlob<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("firmware blob ")?;
        if let Some(description) = self.description {
            write!(f, "\"{description}\" ")?;
        }
        write!(f, "at {:#x}, {:#x} bytes", self.base, self.length)
    }
}

/// Tables that firmware hands over (`UEFI_HANDOFF_TABLE_POINTERS` and `UEFI_HANDOFF_TABLE_POINTERS2`,
/// TCG PC Client Platform Firmware Profile 1.06, section 10). The digest is of the tables.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct HandoffTables<'a> {
    part: Part<'a>,
    /// What the firmware calls them, in the second form.
    pub description: Option<RawText<'a>>,
    /// How many there are.
    pub count: u64,
    entries: &'a [u8],
    /// Bytes behind the structure.
    pub trailing: &'a [u8],
}

/// Bytes of an entry: a GUID and an address.
const ENTRY: usize = 24;

impl<'a> HandoffTables<'a> {
    pub(super) fn read(part: Part<'a>, has_description: bool) -> Result<Self, Reason> {
        let mut rest = part;
        let description = description(&mut rest, has_description)?;
        let count = rest.u64()?;
        let size = usize::try_from(count).ok().and_then(|count| count.checked_mul(ENTRY));
        let entries = rest.cut(size.ok_or(Reason::Truncated)?)?.bytes;
        Ok(Self { part, description, count, entries, trailing: rest.bytes })
    }

    /// What each table is, and its address.
    pub fn tables(&self) -> impl Iterator<Item = (Guid, u64)> + use<'a> {
        self.entries.as_chunks::<ENTRY>().0.iter().filter_map(|entry| {
            let mut part = Part::whole(entry);
            Some((part.guid().ok()?, part.u64().ok()?))
        })
    }

    pub(super) fn fields(&self, to: &mut dyn FnMut(Field<'a>)) {
        Walk::over(self.part, to, |walk| {
            description_fields(walk, self.description.is_some())?;
            walk.count("table_count", 8)?;
            for item in 0..u32::try_from(self.count).unwrap_or(u32::MAX) {
                walk.item(Some(item));
                walk.guid("table_guid")?;
                walk.hex("table_address", 8)?;
            }
            walk.item(None);
            Ok(())
        });
    }
}

impl fmt::Display for HandoffTables<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("tables")?;
        if let Some(description) = self.description {
            write!(f, " \"{description}\"")?;
        }
        self.tables().try_for_each(|(guid, address)| {
            match guid.name() {
                Some(name) => write!(f, " {name}")?,
                None => write!(f, " {guid}")?,
            }
            write!(f, " at {address:#x}")
        })
    }
}

/// A length of one byte and that much text, which may end with a NUL that counts.
fn description<'a>(part: &mut Part<'a>, is_there: bool) -> Result<Option<RawText<'a>>, Reason> {
    if !is_there {
        return Ok(None);
    }
    let length = part.u8()?;
    let text = part.cut(length.into())?.bytes;
    Ok(Some(RawText(text.strip_suffix(&[0]).unwrap_or(text))))
}

fn description_fields(walk: &mut Walk<'_, '_>, is_there: bool) -> Result<(), Reason> {
    if !is_there {
        return Ok(());
    }
    let length = walk.count("description_length", 1)?;
    walk.within(length, |walk| {
        let text = walk.rest().bytes;
        let text = text.strip_suffix(&[0]).unwrap_or(text).len();
        walk.text("description", text)?;
        walk.terminator()
    })
}
