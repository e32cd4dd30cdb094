// SPDX-License-Identifier: MIT OR Apache-2.0
//! Bytes to and from places in structures.

/// Writes `bytes` at `offset`; nothing if they have no room there.
pub(super) fn put(target: &mut [u8], offset: usize, bytes: &[u8]) {
    let end = offset.saturating_add(bytes.len());
    if let Some(place) = target.get_mut(offset..end) {
        place.copy_from_slice(bytes);
    }
}

/// Copies what both have room for.
pub(super) fn copy(from: &[u8], to: &mut [u8]) {
    to.iter_mut().zip(from).for_each(|(to, from)| *to = *from);
}

/// Fills `to` with what is at the front of `from`, and zeros behind.
pub(super) fn copy_over(from: &[u8], to: &mut [u8]) {
    to.fill(0);
    copy(from, to);
}

/// The number at `offset`; zero if there is none.
pub(super) fn u32_at(bytes: &[u8], offset: usize) -> u32 {
    let number = bytes.get(offset..).and_then(<[u8]>::first_chunk);
    number.map_or(0, |bytes| u32::from_le_bytes(*bytes))
}

/// The number at `offset`; zero if there is none.
pub(super) fn u64_at(bytes: &[u8], offset: usize) -> u64 {
    let number = bytes.get(offset..).and_then(<[u8]>::first_chunk);
    number.map_or(0, |bytes| u64::from_le_bytes(*bytes))
}
