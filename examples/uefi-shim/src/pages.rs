// SPDX-License-Identifier: MIT OR Apache-2.0
//! Memory from the firmware.

use core::slice;

use uefi::boot::{self, AllocateType, MemoryType, PAGE_SIZE};

/// Zeroed pages. They are never given back: the shim keeps them until the next stage runs, and what
/// ends boot services reclaims them by their type.
///
/// # Errors
///
/// The firmware's, if it has no memory.
pub fn allocate(kind: MemoryType, size: usize) -> uefi::Result<&'static mut [u8]> {
    let count = size.div_ceil(PAGE_SIZE).max(1);
    let start = boot::allocate_pages(AllocateType::AnyPages, kind, count)?;
    // SAFETY: the firmware has just given `count` pages to this application alone.
    unsafe { start.write_bytes(0, count * PAGE_SIZE) };
    // SAFETY: they are initialised, never freed, and nothing else refers to them.
    Ok(unsafe { slice::from_raw_parts_mut(start.as_ptr(), count * PAGE_SIZE) })
}
