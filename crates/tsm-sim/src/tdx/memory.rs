// SPDX-License-Identifier: MIT OR Apache-2.0
//! The guest's memory as the module sees it.

use core::fmt;

use tsm_tdx::GuestPhysical;

/// Memory at guest-physical addresses.
///
/// The module asks for whole operands only, which never cross a page. An address has the shared bit
/// if it is of shared memory; that a page is there under one address says nothing about the other.
pub trait GuestMemory {
    /// Fills `out` from what is at `address`.
    ///
    /// # Errors
    ///
    /// [`Fault`] if no accepted page is there.
    fn read(&self, address: GuestPhysical, out: &mut [u8]) -> Result<(), Fault>;

    /// Writes `bytes` at `address`, all of them or none.
    ///
    /// # Errors
    ///
    /// [`Fault`] if no accepted page is there.
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

/// No accepted page is at an operand's address.
///
/// On a machine this is not a status. The instruction does not end: the host is told of it by a TD
/// exit and maps the page, or the guest gets #VE (without SEPT_VE_DISABLE) and accepts it; then the
/// instruction is executed again. So nothing has changed, registers included.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fault {
    /// The operand's address.
    pub address: GuestPhysical,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no accepted page of guest memory at {:?}", self.address)
    }
}

impl core::error::Error for Fault {}
