// SPDX-License-Identifier: MIT OR Apache-2.0
//! Addresses as the firmware and the host know them.

use core::fmt;

/// A guest-physical address, without the encryption bit (the C-bit) of page tables.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GuestPhysical(pub u64);

impl GuestPhysical {
    /// Whether it is a multiple of `alignment`, a power of two.
    #[must_use]
    pub const fn is_aligned(self, alignment: u64) -> bool {
        self.0 & alignment.wrapping_sub(1) == 0
    }
}

impl fmt::Debug for GuestPhysical {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}", self.0)
    }
}

/// Bytes of a page.
pub const PAGE: usize = 4096;
