// SPDX-License-Identifier: MIT OR Apache-2.0
//! The partition table of the boot device.

use core::fmt;

use super::field::{Field, FieldValue, Walk};
use super::guid::Guid;
use super::part::{Part, Reason};
use super::text::Utf16Text;

/// A partition table (`UEFI_GPT_DATA`, TCG PC Client Platform Firmware Profile 1.06, section 10;
/// UEFI 2.10, section 5.3.2). In an event of the type `EV_EFI_GPT_EVENT2` the GUIDs that make a disk
/// unique are zero.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Gpt<'a> {
    part: Part<'a>,
    /// The disk.
    pub disk: Guid,
    /// The first block that partitions may use.
    pub first_usable_block: u64,
    /// The last block that partitions may use.
    pub last_usable_block: u64,
    /// How many partitions the event has: those of the disk that are in use.
    pub count: u64,
    /// Bytes of a partition's entry.
    entry_size: usize,
    entries: &'a [u8],
    /// Bytes behind the structure.
    pub trailing: &'a [u8],
}

/// Bytes of an entry, at least (UEFI 2.10, section 5.3.3).
const ENTRY: usize = 128;

impl<'a> Gpt<'a> {
    pub(super) fn read(part: Part<'a>) -> Result<Self, Reason> {
        let mut rest = part;
        // Signature, revision, size, checksum, reserved, this header's block and the other's.
        if rest.array()? != *b"EFI PART" {
            return Err(Reason::NoFormat);
        }
        rest.cut(32)?;
        let (first_usable_block, last_usable_block) = (rest.u64()?, rest.u64()?);
        let (disk, _entries_block, _entries) = (rest.guid()?, rest.u64()?, rest.u32()?);
        let entry_size = usize::try_from(rest.u32()?).unwrap_or(usize::MAX);
        let (_checksum, count) = (rest.u32()?, rest.u64()?);
        if entry_size < ENTRY {
            return Err(Reason::Length);
        }
        let size = usize::try_from(count).ok().and_then(|count| count.checked_mul(entry_size));
        let entries = rest.cut(size.ok_or(Reason::Truncated)?)?.bytes;
        let trailing = rest.bytes;
        Ok(Self {
            part,
            disk,
            first_usable_block,
            last_usable_block,
            count,
            entry_size,
            entries,
            trailing,
        })
    }

    /// The partitions.
    pub fn partitions(&self) -> impl Iterator<Item = Partition<'a>> + use<'a> {
        let entries = self.entries.chunks_exact(self.entry_size.max(ENTRY));
        entries.filter_map(|entry| Partition::read(Part::whole(entry)).ok())
    }

    pub(super) fn fields(&self, to: &mut dyn FnMut(Field<'a>)) {
        Walk::over(self.part, to, |walk| {
            walk.text("signature", 8)?;
            walk.hex("revision", 4)?;
            walk.count("header_size", 4)?;
            walk.hex("header_crc32", 4)?;
            walk.hex("reserved", 4)?;
            for block in
                ["header_block", "backup_header_block", "first_usable_block", "last_usable_block"]
            {
                walk.number(block, 8, FieldValue::Number)?;
            }
            walk.guid("disk_guid")?;
            walk.number("entries_block", 8, FieldValue::Number)?;
            walk.count("disk_entry_count", 4)?;
            walk.count("entry_size", 4)?;
            walk.hex("entries_crc32", 4)?;
            walk.count("partition_count", 8)?;
            for item in 0..u32::try_from(self.count).unwrap_or(u32::MAX) {
                walk.item(Some(item));
                walk.within(self.entry_size, partition_fields)?;
            }
            walk.item(None);
            Ok(())
        });
    }
}

fn partition_fields(walk: &mut Walk<'_, '_>) -> Result<(), Reason> {
    walk.guid("partition_type")?;
    walk.guid("partition_guid")?;
    walk.number("first_block", 8, FieldValue::Number)?;
    walk.number("last_block", 8, FieldValue::Number)?;
    walk.hex("partition_attributes", 8)?;
    let mut rest = walk.rest();
    let name = name_length(rest.cut(NAME)?.bytes);
    walk.utf16("partition_name", name)?;
    walk.within(NAME.saturating_sub(name), |walk| {
        walk.terminator()?;
        walk.all("name_rest", FieldValue::Bytes)
    })?;
    walk.all("entry_rest", FieldValue::Bytes)
}

/// Bytes of a partition's name.
const NAME: usize = 72;

fn name_length(name: &[u8]) -> usize {
    let units = name.as_chunks::<2>().0.iter();
    units.take_while(|unit| **unit != [0, 0]).count().saturating_mul(2)
}

impl fmt::Display for Gpt<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = if self.count == 1 { "" } else { "s" };
        write!(f, "partition table of disk {}, {} partition{plural}", self.disk, self.count)
    }
}

/// A partition.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Partition<'a> {
    /// What it is for.
    pub kind: Guid,
    /// The partition itself.
    pub unique: Guid,
    /// Its first block.
    pub first_block: u64,
    /// Its last block.
    pub last_block: u64,
    /// Flags.
    pub attributes: u64,
    /// Its name.
    pub name: Utf16Text<'a>,
}

impl<'a> Partition<'a> {
    fn read(mut part: Part<'a>) -> Result<Self, Reason> {
        let (kind, unique) = (part.guid()?, part.guid()?);
        let (first_block, last_block, attributes) = (part.u64()?, part.u64()?, part.u64()?);
        let name = part.cut(NAME)?.bytes;
        let name = Utf16Text(name.get(..name_length(name)).unwrap_or(name));
        Ok(Self { kind, unique, first_block, last_block, attributes, name })
    }
}
