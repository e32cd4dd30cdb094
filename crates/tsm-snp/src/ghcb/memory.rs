// SPDX-License-Identifier: MIT OR Apache-2.0
//! Memory that the host can write at any time.

#![allow(unsafe_code, reason = "memory that is written from outside cannot be a reference")]

use core::fmt;
use core::ptr::NonNull;

use crate::address::{GuestPhysical, PAGE};
use crate::error::{Error, ErrorKind};

/// Whole pages that guest and host share.
///
/// # For implementers
///
/// What is read may differ from one call to the next, whatever was written. Each byte is read or
/// written once for a call.
pub trait SharedMemory {
    /// Where the host finds it. A multiple of 4096.
    fn guest_physical(&self) -> GuestPhysical;

    /// Bytes, a multiple of 4096 and at least one page.
    fn size(&self) -> usize;

    /// Copies bytes from `offset` on out of it. Nothing is copied if it does not have them all.
    fn read(&self, offset: usize, out: &mut [u8]);

    /// Copies bytes into it, to `offset` on. Nothing is copied if it has no room for them all.
    fn write(&mut self, offset: usize, bytes: &[u8]);

    /// Fills all of it with zeros.
    fn clear(&mut self);
}

impl<T: SharedMemory + ?Sized> SharedMemory for &mut T {
    fn guest_physical(&self) -> GuestPhysical {
        T::guest_physical(self)
    }

    fn size(&self) -> usize {
        T::size(self)
    }

    fn read(&self, offset: usize, out: &mut [u8]) {
        T::read(self, offset, out);
    }

    fn write(&mut self, offset: usize, bytes: &[u8]) {
        T::write(self, offset, bytes);
    }

    fn clear(&mut self) {
        T::clear(self);
    }
}

/// Shared memory where it is mapped. Every access is volatile.
pub struct Mapped {
    start: NonNull<[u8; PAGE]>,
    pages: usize,
    address: GuestPhysical,
}

// SAFETY: the memory is this value's alone within the guest, by the promise of `new`; which
// processor accesses it does not matter.
unsafe impl Send for Mapped {}

impl Mapped {
    /// `pages` pages at the virtual address `start`, of which the host knows the first by
    /// `address`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Misaligned`] if an address is no multiple of 4096, or there is no page, or more
    /// than fit the address space.
    ///
    /// # Safety
    ///
    /// As long as the value is used, the memory must be mapped readable and writable, be shared with
    /// the host (C-bit clear, page state shared), and be accessed by nobody else in the guest; no
    /// reference to it may exist.
    pub unsafe fn new(
        start: NonNull<[u8; PAGE]>,
        pages: usize,
        address: GuestPhysical,
    ) -> Result<Self, Error> {
        let bytes = pages.checked_mul(PAGE).filter(|&bytes| bytes != 0);
        let fits = bytes.is_some_and(|bytes| start.addr().get().checked_add(bytes).is_some());
        let aligned = start.addr().get() & 0xFFF == 0 && address.is_aligned(4096);
        if !fits || !aligned {
            return Err(Error::new(ErrorKind::Misaligned));
        }
        Ok(Self { start, pages, address })
    }

    /// The byte at `offset`, and how many there are from there on.
    fn at(&self, offset: usize) -> (*mut u8, usize) {
        let start = self.start.as_ptr().cast::<u8>().wrapping_add(offset);
        (start, self.size().saturating_sub(offset))
    }
}

impl SharedMemory for Mapped {
    fn guest_physical(&self) -> GuestPhysical {
        self.address
    }

    fn size(&self) -> usize {
        // `new` saw that it does not overflow.
        self.pages.wrapping_mul(PAGE)
    }

    fn read(&self, offset: usize, out: &mut [u8]) {
        let (start, room) = self.at(offset);
        if out.len() > room {
            return;
        }
        for (place, byte) in out.iter_mut().enumerate() {
            // SAFETY: `offset + place` is below the size, so this is a byte of the memory, which
            // `new` was promised is mapped and readable. The host may write it meanwhile, which is
            // why the access is volatile and makes no reference (core::ptr::read_volatile: "for
            // any non-Rust memory [...] this is just as valid as accessing I/O memory").
            *byte = unsafe { start.wrapping_add(place).read_volatile() };
        }
    }

    fn write(&mut self, offset: usize, bytes: &[u8]) {
        let (start, room) = self.at(offset);
        if bytes.len() > room {
            return;
        }
        for (place, byte) in bytes.iter().enumerate() {
            // SAFETY: as in `read`, and the memory is writable.
            unsafe { start.wrapping_add(place).write_volatile(*byte) };
        }
    }

    fn clear(&mut self) {
        let start = self.start.as_ptr().cast::<u64>();
        for word in 0..self.size() >> 3 {
            // SAFETY: as in `write`; the memory begins at a page, so every eighth byte of it is
            // aligned for a word.
            unsafe { start.wrapping_add(word).write_volatile(0) };
        }
    }
}

impl fmt::Debug for Mapped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} shared pages at {:?}", self.pages, self.address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[repr(align(4096))]
    struct Page([u8; PAGE]);

    #[test]
    fn whole_accesses_only() {
        let mut page = Box::new(Page([1; PAGE]));
        let start = NonNull::from(&mut page.0);
        // SAFETY: the memory is this test's, and is not accessed otherwise until the end.
        let mut mapped = unsafe { Mapped::new(start, 1, GuestPhysical(0x5000)) }.unwrap();
        let mut out = [0; 4];
        mapped.write(PAGE - 2, &[7, 7, 7, 7]);
        mapped.read(PAGE - 2, &mut out);
        assert_eq!(out, [0; 4]);
        mapped.read(PAGE + 2, &mut out);
        mapped.read(usize::MAX, &mut out);
        assert_eq!(out, [0; 4]);
        mapped.write(PAGE - 4, &[9, 8, 7, 6]);
        mapped.read(PAGE - 4, &mut out);
        assert_eq!((out, mapped.size()), ([9, 8, 7, 6], PAGE));
        mapped.clear();
        assert_eq!(page.0, [0; PAGE]);
    }

    #[test]
    fn only_pages() {
        let mut page = Box::new(Page([0; PAGE]));
        let start = NonNull::from(&mut page.0);
        let new = |start, pages, address| {
            // SAFETY: nothing is accessed.
            unsafe { Mapped::new(start, pages, GuestPhysical(address)) }.map(|_| ())
        };
        let misaligned = Err(Error::new(ErrorKind::Misaligned));
        assert_eq!(new(start, 1, 0x1000), Ok(()));
        assert_eq!(new(start, 0, 0x1000), misaligned);
        assert_eq!(new(start, usize::MAX, 0x1000), misaligned);
        assert_eq!(new(start, 1, 0x1010), misaligned);
        let odd = NonNull::new(start.as_ptr().cast::<u8>().wrapping_add(8).cast()).unwrap();
        assert_eq!(new(odd, 1, 0x1000), misaligned);
    }
}
