// SPDX-License-Identifier: MIT OR Apache-2.0
//! The realm's memory as the monitor sees it.

use core::fmt;

use tsm_cca::GuestPhysical;

/// Memory at intermediate physical addresses (IPA). The monitor writes only, and never across a
/// granule of 4096 bytes; but for the structure of `RSI_HOST_CALL`, which it does not read.
pub trait GuestMemory {
    /// Writes `bytes` at `address`, all of them or none.
    ///
    /// # Errors
    ///
    /// [`Fault`] if the realm has no memory there.
    fn write(&mut self, address: GuestPhysical, bytes: &[u8]) -> Result<(), Fault>;
}

impl<M: GuestMemory + ?Sized> GuestMemory for &mut M {
    fn write(&mut self, address: GuestPhysical, bytes: &[u8]) -> Result<(), Fault> {
        M::write(self, address, bytes)
    }
}

/// The realm has no memory at an operand's address.
///
/// From an RMM this is not a status. The host is told of it, as of any access to memory that it has
/// not assigned, and the call is made again once it has (TF-RMM `runtime/core/exit.c`). So nothing has
/// changed, registers included.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fault {
    /// The operand's address.
    pub address: GuestPhysical,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the realm has no memory at {:?}", self.address)
    }
}

impl core::error::Error for Fault {}
