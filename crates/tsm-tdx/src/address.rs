// SPDX-License-Identifier: MIT OR Apache-2.0
//! Addresses as the TDX module knows them.

#![allow(unsafe_code, reason = "promises about memory")]

use core::fmt;

/// A guest-physical address. The highest bit of the guest's address width says whether it is of
/// shared memory ([`SharedBit`]).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GuestPhysical(pub u64);

impl GuestPhysical {
    /// The same memory's address as shared memory.
    #[must_use]
    pub const fn shared(self, bit: SharedBit) -> Self {
        Self(self.0 | bit.0)
    }

    /// Whether it is an address of shared memory.
    #[must_use]
    pub const fn is_shared(self, bit: SharedBit) -> bool {
        self.0 & bit.0 != 0
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

/// The bit of a guest-physical address that marks shared memory: the highest one of the guest's
/// address width (GPAW), 47 or 51.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct SharedBit(u64);

impl SharedBit {
    /// That of a guest-physical address width in bits; `None` unless it is 48 or 52.
    #[must_use]
    pub const fn of_width(bits: u8) -> Option<Self> {
        match bits {
            48 => Some(Self(1 << 47)),
            52 => Some(Self(1 << 51)),
            _ => None,
        }
    }

    /// The bit, as a mask.
    #[must_use]
    pub const fn mask(self) -> u64 {
        self.0
    }
}

/// Where the guest's memory is, as the module sees it: from a virtual address to the
/// guest-physical one.
///
/// Firmware that is mapped to itself has [`IdentityMapped`], others make one of a function with
/// [`Translation`], or implement this for their page tables.
///
/// # Safety
///
/// Calls read and write the memory that is named here behind the compiler's back. For `size` bytes
/// at `address`, all in one page of 4096 bytes, the answer must be the guest-physical address under
/// which the TDX module finds just these bytes, in accepted private memory; the shared bit that
/// page tables have must be stripped. If there is none such, the answer must be `None`.
pub unsafe trait AddressSpace {
    /// The guest-physical address of the `size` bytes at the virtual address `address`; `None` if
    /// they have none.
    fn guest_physical(&self, address: usize, size: usize) -> Option<GuestPhysical>;
}

/// Memory where virtual and guest-physical addresses are equal, as in most firmware. No size.
#[derive(Clone, Copy, Debug)]
pub struct IdentityMapped(());

impl IdentityMapped {
    /// Promises it.
    ///
    /// # Safety
    ///
    /// As long as the value, or a copy of it, is used: all memory that the program can make
    /// references to is mapped at the virtual address that is its guest-physical one, and is
    /// accepted private memory.
    #[must_use]
    pub const unsafe fn new() -> Self {
        Self(())
    }
}

// SAFETY: who made the value promised that the addresses are equal and the memory is private.
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
    fn shared_or_not() {
        for (width, bit) in [(48, 47), (52, 51)] {
            let bit_of = SharedBit::of_width(width).unwrap();
            assert_eq!(bit_of.mask(), 1 << bit);
            let address = GuestPhysical(0x12_3000);
            assert!(!address.is_shared(bit_of) && address.shared(bit_of).is_shared(bit_of));
        }
        assert!([0, 47, 49, 64, 255].iter().all(|&width| SharedBit::of_width(width).is_none()));
        assert!(GuestPhysical(0x3000).is_aligned(4096) && !GuestPhysical(0x3010).is_aligned(4096));
    }
}
