// SPDX-License-Identifier: MIT OR Apache-2.0
//! The guest's memory as its host sees it.

use core::fmt;

use tsm_snp::GuestPhysical;

/// Memory at guest-physical addresses that the guest shares with its host.
pub trait GuestMemory {
    /// Fills `out` from what is at `address`.
    ///
    /// # Errors
    ///
    /// [`Fault`] if not all of it is shared memory.
    fn read(&self, address: GuestPhysical, out: &mut [u8]) -> Result<(), Fault>;

    /// Writes `bytes` at `address`, all of them or none.
    ///
    /// # Errors
    ///
    /// [`Fault`] if not all of it is shared memory.
    fn write(&mut self, address: GuestPhysical, bytes: &[u8]) -> Result<(), Fault>;
}

impl<M: GuestMemory + ?Sized> GuestMemory for &mut M {
    fn read(&self, address: GuestPhysical, out: &mut [u8]) -> Result<(), Fault> {
        M::read(self, address, out)
    }

    fn write(&mut self, address: GuestPhysical, bytes: &[u8]) -> Result<(), Fault> {
        M::write(self, address, bytes)
    }
}

/// The guest shares no memory at an address that it named.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fault {
    /// The address.
    pub address: GuestPhysical,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the guest shares no memory at {:?}", self.address)
    }
}

impl core::error::Error for Fault {}
