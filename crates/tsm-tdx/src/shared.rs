// SPDX-License-Identifier: MIT OR Apache-2.0
//! Shared memory by its address.

#![allow(unsafe_code, reason = "memory that somebody else writes")]

use core::ptr::NonNull;

use crate::address::GuestPhysical;
use crate::quoting::SharedMemory;

/// Pages that the host can read and write, mapped for the program.
///
/// Each byte is read and written by itself and as if it could change at any time, which it can.
#[derive(Debug)]
pub struct SharedPages {
    start: NonNull<u8>,
    size: usize,
    address: GuestPhysical,
}

impl SharedPages {
    /// `size` bytes that are mapped at `start` and have the guest-physical address `address`, which
    /// has the shared bit.
    ///
    /// # Safety
    ///
    /// As long as the value lives, the program can read and write the `size` bytes at `start`, and
    /// does so through this value only: there are no references to them.
    #[must_use]
    pub const unsafe fn new(start: NonNull<u8>, size: usize, address: GuestPhysical) -> Self {
        Self { start, size, address }
    }

    /// Addresses of the bytes from `offset` on.
    fn bytes(&self, offset: usize) -> impl Iterator<Item = NonNull<u8>> {
        // SAFETY: all of these are offsets into the memory that was promised to `new`, which is one
        // allocation for the program.
        (offset..self.size).map(|n| unsafe { self.start.add(n) })
    }
}

impl SharedMemory for SharedPages {
    fn address(&self) -> GuestPhysical {
        self.address
    }

    fn size(&self) -> usize {
        self.size
    }

    fn copy_in(&mut self, offset: usize, bytes: &[u8]) {
        for (place, byte) in self.bytes(offset).zip(bytes) {
            // SAFETY: the byte can be written, as was promised to `new`, and there is no reference
            // to it. That the host may write it at the same time is what volatile is for: the
            // compiler makes exactly one access of it and concludes nothing from it.
            unsafe { place.write_volatile(*byte) };
        }
    }

    fn copy_out(&self, offset: usize, out: &mut [u8]) {
        for (place, byte) in self.bytes(offset).zip(out) {
            // SAFETY: as in `copy_in`; the byte can be read, and any value is a `u8`.
            *byte = unsafe { place.read_volatile() };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_and_stops_at_the_end() {
        let mut memory = [0_u8; 16];
        let start = NonNull::new(memory.as_mut_ptr()).unwrap();
        // SAFETY: `memory` is not touched while `pages` lives.
        let mut pages = unsafe { SharedPages::new(start, 16, GuestPhysical(1 << 47)) };
        pages.copy_in(2, &[1, 2, 3]);
        pages.copy_in(14, &[4, 5, 6]);
        pages.copy_in(usize::MAX, &[7]);
        let mut out = [9; 5];
        pages.copy_out(13, &mut out);
        assert_eq!(out, [0, 4, 5, 9, 9], "what is beyond stays");
        assert_eq!((pages.size(), pages.address()), (16, GuestPhysical(1 << 47)));
        assert_eq!(memory[..6], [0, 0, 1, 2, 3, 0]);
    }
}
