// SPDX-License-Identifier: MIT OR Apache-2.0
//! Load options: the contents of `Boot0001` and its kind.

use super::device_path::DevicePath;
use super::field::{FieldValue, Walk};
use super::part::{Part, Reason};
use super::text::Utf16Text;

/// A load option (`EFI_LOAD_OPTION`, UEFI 2.10, section 3.1.3).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct LoadOption<'a> {
    /// Bit 0 active, bit 1 reconnect, bit 3 hidden; bits 8 to 12 a category.
    pub attributes: u32,
    /// What a user sees.
    pub description: Utf16Text<'a>,
    /// What is loaded, and behind it paths of the vendor's choice.
    pub path: DevicePath<'a>,
    /// What the loaded program is given.
    pub optional_data: &'a [u8],
}

impl<'a> LoadOption<'a> {
    pub(super) fn read(mut part: Part<'a>) -> Result<Self, Reason> {
        let (attributes, length) = (part.u32()?, part.u16()?);
        let text = description_length(part)?;
        let description = Utf16Text(part.cut(text)?.bytes);
        part.cut(2)?;
        let path = DevicePath(part.cut(length.into())?.bytes);
        Ok(Self { attributes, description, path, optional_data: part.bytes })
    }
}

/// Bytes of a text in UTF-16 before its NUL.
fn description_length(part: Part<'_>) -> Result<usize, Reason> {
    let units = part.bytes.as_chunks::<2>().0.iter();
    let length = units.take_while(|unit| **unit != [0, 0]).count().saturating_mul(2);
    if length.saturating_add(2) > part.bytes.len() { Err(Reason::Truncated) } else { Ok(length) }
}

pub(super) fn walk<'a>(walk: &mut Walk<'_, 'a>) -> Result<(), Reason> {
    LoadOption::read(walk.rest())?;
    walk.hex("attributes", 4)?;
    let path = walk.count("device_path_length", 2)?;
    walk.utf16("description", description_length(walk.rest())?)?;
    walk.bytes("terminator", 2)?;
    walk.path("device_path", path)?;
    walk.all("optional_data", FieldValue::Bytes)
}
