// SPDX-License-Identifier: MIT OR Apache-2.0
//! Addresses as the realm management monitor (RMM) knows them.

#![allow(unsafe_code, reason = "the promises that calls which write memory rest on")]

use core::fmt;

/// An intermediate physical address (IPA): what a realm takes for a physical address. The highest
/// bit of the realm's address width says whether it is of memory that is shared with the host
/// ([`SharedBit`]).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GuestPhysical(pub u64);

impl GuestPhysical {
    /// Whether it is an address of shared ("unprotected") memory, or of none.
    #[must_use]
    pub const fn is_shared(self, bit: SharedBit) -> bool {
        self.0 & bit.mask() != 0
    }

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

/// Where protected addresses end: the highest bit of the realm's IPA width
/// ([`RealmConfig::ipa_width`](crate::RealmConfig)). RSI calls refuse buffers at and above it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct SharedBit(u64);

impl SharedBit {
    /// That of an IPA width in bits; `None` unless it is 13 to 64. Smaller ones have no room for a
    /// granule.
    #[must_use]
    pub const fn of_width(bits: u64) -> Option<Self> {
        match bits {
            13..=64 => Some(Self(1_u64.rotate_left(low_byte(bits).wrapping_sub(1)))),
            _ => None,
        }
    }

    /// The bit and all above it: no protected address has one of them.
    #[must_use]
    pub const fn mask(self) -> u64 {
        self.0.wrapping_neg()
    }
}

const fn low_byte(value: u64) -> u32 {
    let [low, ..] = value.to_le_bytes();
    u32::from_le_bytes([low, 0, 0, 0])
}

/// Where the realm's memory is, as the RMM sees it: from a virtual address to the intermediate
/// physical one.
///
/// Firmware that is mapped to itself has [`IdentityMapped`], others make one of a function with
/// [`Translation`], or implement this for their page tables.
///
/// # Safety
///
/// Calls write the memory that is named here behind the compiler's back. For `size` bytes at
/// `address`, all in one granule of 4096 bytes, the answer must be the IPA under which the RMM
/// finds just these bytes, in protected memory whose state (RIPAS) is RAM and that was touched
/// before: for memory that the host has not assigned, the RMM does not answer with an error but
/// leaves the realm to the host (TF-RMM `runtime/core/exit.c`). The shared bit that page tables have
/// must be stripped. If there is no such address, the answer must be `None`.
pub unsafe trait AddressSpace {
    /// The IPA of the `size` bytes at the virtual address `address`; `None` if they have none.
    fn guest_physical(&self, address: usize, size: usize) -> Option<GuestPhysical>;
}

/// Memory where virtual and intermediate physical addresses are equal, as in most firmware. No size.
#[derive(Clone, Copy, Debug)]
pub struct IdentityMapped(());

impl IdentityMapped {
    /// Promises it.
    ///
    /// # Safety
    ///
    /// As long as the value, or a copy of it, is used: all memory that the program can make
    /// references to is mapped at the virtual address that is its IPA, and is protected memory with
    /// the state RAM.
    #[must_use]
    pub const unsafe fn new() -> Self {
        Self(())
    }
}

// SAFETY: who made the value promised that the addresses are equal and the memory is protected.
unsafe impl AddressSpace for IdentityMapped {
    fn guest_physical(&self, address: usize, _: usize) -> Option<GuestPhysical> {
        u64::try_from(address).ok().map(GuestPhysical)
    }
}

/// An address space that a function knows, which takes an address and a size.
#[derive(Clone, Copy, Debug)]
pub struct Translation<F>(F);

impl<F: Fn(usize, usize) -> Option<GuestPhysical>> Translation<F> {
    /// Takes the function at its word.
    ///
    /// # Safety
    ///
    /// Its answers must be as [`AddressSpace`] demands.
    #[must_use]
    pub const unsafe fn new(translate: F) -> Self {
        Self(translate)
    }
}

// SAFETY: who made the value promised that the function answers as the trait demands.
unsafe impl<F: Fn(usize, usize) -> Option<GuestPhysical>> AddressSpace for Translation<F> {
    fn guest_physical(&self, address: usize, size: usize) -> Option<GuestPhysical> {
        self.0(address, size)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn protected_or_not() {
        for width in [13, 32, 33, 48, 52] {
            let bit = SharedBit::of_width(width).unwrap();
            assert!(!GuestPhysical((1 << (width - 1)) - 1).is_shared(bit), "{width}");
            for above in width - 1..64 {
                assert!(GuestPhysical(1 << above).is_shared(bit), "{width} {above}");
            }
        }
        let all = SharedBit::of_width(64).unwrap();
        assert!(
            !GuestPhysical(u64::MAX >> 1).is_shared(all) && GuestPhysical(1 << 63).is_shared(all)
        );
        assert!(
            [0, 1, 12, 65, 256 + 32, u64::MAX].iter().all(|&b| SharedBit::of_width(b).is_none())
        );
        assert!(GuestPhysical(0x3000).is_aligned(4096) && !GuestPhysical(0x3010).is_aligned(4096));
    }
}
