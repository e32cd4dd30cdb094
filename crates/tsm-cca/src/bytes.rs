// SPDX-License-Identifier: MIT OR Apache-2.0
//! Copying bytes without a panic path.

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
