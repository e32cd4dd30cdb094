// SPDX-License-Identifier: MIT OR Apache-2.0
//! Copying and comparing bytes without a panic path.

/// Copies as much as both hold; callers know that the lengths are equal or the target longer.
///
/// Not `copy_from_slice`: at `opt-level = "z"` the compiler does not see that lengths are equal, and
/// the panic for unequal ones would stay in the image.
#[inline]
pub(crate) fn copy(from: &[u8], to: &mut [u8]) {
    for (to, from) in to.iter_mut().zip(from) {
        *to = *from;
    }
}

/// Whether every byte is zero.
#[inline]
pub(crate) fn is_zero(bytes: &[u8]) -> bool {
    bytes.iter().all(|&byte| byte == 0)
}

/// Takes `size` bytes off the front of `rest`.
pub(crate) fn take<'b>(rest: &mut &'b [u8], size: usize) -> Option<&'b [u8]> {
    let (front, behind) = rest.split_at_checked(size)?;
    *rest = behind;
    Some(front)
}

/// Takes `N` bytes off the front of `rest`.
pub(crate) fn take_array<'b, const N: usize>(rest: &mut &'b [u8]) -> Option<&'b [u8; N]> {
    take(rest, N)?.first_chunk()
}
