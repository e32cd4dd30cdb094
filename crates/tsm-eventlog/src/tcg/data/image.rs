// SPDX-License-Identifier: MIT OR Apache-2.0
//! Applications and drivers that were loaded.

use core::fmt;

use super::device_path::DevicePath;
use super::field::{Field, FieldValue, Walk};
use super::part::{Part, Reason};
use crate::tcg::EventType;

/// An application or driver that was loaded (`UEFI_IMAGE_LOAD_EVENT`, TCG PC Client Platform Firmware
/// Profile 1.06, section 10).
///
/// The event's digest is of the image, as Authenticode makes it. **It covers nothing of this**: who can
/// alter the log can name any file here.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct ImageLoad<'a> {
    part: Part<'a>,
    event_type: EventType,
    /// Address in memory.
    pub location: u64,
    /// Bytes in memory.
    pub length: u64,
    /// Address for which it was linked.
    pub link_time_address: u64,
    /// Where it came from. Empty if it was in memory already.
    pub path: DevicePath<'a>,
    /// Bytes behind the structure. Old versions of shim leave some.
    pub trailing: &'a [u8],
}

impl<'a> ImageLoad<'a> {
    pub(super) fn read(part: Part<'a>, event_type: EventType) -> Result<Self, Reason> {
        let mut rest = part;
        let [location, length, link_time_address] = [rest.u64()?, rest.u64()?, rest.u64()?];
        let path = rest.u64()?;
        let path = DevicePath(rest.cut_u64(path)?.bytes);
        let trailing = rest.bytes;
        Ok(Self { part, event_type, location, length, link_time_address, path, trailing })
    }

    pub(super) fn fields(&self, to: &mut dyn FnMut(Field<'a>)) {
        Walk::over(self.part, to, |walk| {
            walk.hex("image_location", 8)?;
            walk.hex("image_length", 8)?;
            walk.hex("link_time_address", 8)?;
            let path = walk.count("device_path_length", 8)?;
            walk.path("device_path", path)?;
            walk.all("trailing", FieldValue::Bytes)
        });
    }
}

impl fmt::Display for ImageLoad<'_> {
    /// `application \EFI\BOOT\BOOTX64.EFI`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.event_type {
            EventType::EFI_BOOT_SERVICES_DRIVER => "driver ",
            EventType::EFI_RUNTIME_SERVICES_DRIVER => "runtime driver ",
            _ => "application ",
        })?;
        match self.path.file() {
            Some(file) => file.fmt(f),
            None if self.path.is_empty() => write!(f, "at {:#x}", self.location),
            None => self.path.fmt(f),
        }
    }
}
