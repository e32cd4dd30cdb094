// SPDX-License-Identifier: MIT OR Apache-2.0
//! Memory that guest and host share.

use alloc::rc::Rc;
use alloc::vec;
use alloc::vec::Vec;
use core::cell::RefCell;

use tsm_tdx::GuestPhysical;
use tsm_tdx::quoting::SharedMemory;

use crate::tdx::{Fault, GuestMemory};

/// The host's side of shared memory.
pub trait HostMemory: GuestMemory {
    /// Writes `bytes` at `address` when the guest has looked at the memory `looks` times; at once
    /// if the memory cannot tell.
    ///
    /// # Errors
    ///
    /// [`Fault`] if there is no such memory.
    fn write_later(
        &mut self,
        looks: u32,
        address: GuestPhysical,
        bytes: &[u8],
    ) -> Result<(), Fault> {
        let _ = looks;
        self.write(address, bytes)
    }
}

/// Pages that a guest and its host share, in this program's heap. A clone is another handle to the
/// same pages: give one to the host, one to the guest.
///
/// To the guest it is [`SharedMemory`]; the host works while the guest looks ([`HostMemory`]).
#[derive(Clone, Debug)]
pub struct SharedBuffer {
    address: GuestPhysical,
    size: usize,
    pages: Rc<RefCell<Pages>>,
}

#[derive(Debug)]
struct Pages {
    bytes: Vec<u8>,
    later: Vec<Later>,
}

#[derive(Debug)]
struct Later {
    looks: u32,
    offset: usize,
    bytes: Vec<u8>,
}

impl SharedBuffer {
    /// `size` zero bytes at `address`, which should have the shared bit.
    #[must_use]
    pub fn new(address: GuestPhysical, size: usize) -> Self {
        let pages = Pages { bytes: vec![0; size], later: Vec::new() };
        Self { address, size, pages: Rc::new(RefCell::new(pages)) }
    }

    fn offset(&self, address: GuestPhysical) -> Result<usize, Fault> {
        let offset = address.0.checked_sub(self.address.0);
        offset.and_then(|offset| usize::try_from(offset).ok()).ok_or(Fault { address })
    }
}

impl Pages {
    fn write(&mut self, offset: usize, bytes: &[u8]) -> Option<()> {
        let place = self.bytes.get_mut(offset..)?.get_mut(..bytes.len())?;
        place.copy_from_slice(bytes);
        Some(())
    }

    /// The guest looks: what is due is written.
    fn look(&mut self) {
        let due = |later: &mut Later| later.looks == 0;
        let due: Vec<_> = self.later.extract_if(.., due).collect();
        for later in due {
            // Its place was there when it was put on the list.
            let _ = self.write(later.offset, &later.bytes);
        }
        for later in &mut self.later {
            later.looks = later.looks.saturating_sub(1);
        }
    }
}

impl SharedMemory for SharedBuffer {
    fn address(&self) -> GuestPhysical {
        self.address
    }

    fn size(&self) -> usize {
        self.size
    }

    fn copy_in(&mut self, offset: usize, bytes: &[u8]) {
        let mut pages = self.pages.borrow_mut();
        let place = pages.bytes.get_mut(offset..).unwrap_or_default();
        for (to, from) in place.iter_mut().zip(bytes) {
            *to = *from;
        }
    }

    fn copy_out(&self, offset: usize, out: &mut [u8]) {
        let mut pages = self.pages.borrow_mut();
        pages.look();
        let place = pages.bytes.get(offset..).unwrap_or_default();
        for (to, from) in out.iter_mut().zip(place) {
            *to = *from;
        }
    }
}

impl GuestMemory for SharedBuffer {
    fn read(&self, address: GuestPhysical, out: &mut [u8]) -> Result<(), Fault> {
        let offset = self.offset(address)?;
        let pages = self.pages.borrow();
        let place = pages.bytes.get(offset..).and_then(|place| place.get(..out.len()));
        out.copy_from_slice(place.ok_or(Fault { address })?);
        Ok(())
    }

    fn write(&mut self, address: GuestPhysical, bytes: &[u8]) -> Result<(), Fault> {
        let offset = self.offset(address)?;
        self.pages.borrow_mut().write(offset, bytes).ok_or(Fault { address })
    }
}

impl HostMemory for SharedBuffer {
    fn write_later(
        &mut self,
        looks: u32,
        address: GuestPhysical,
        bytes: &[u8],
    ) -> Result<(), Fault> {
        let offset = self.offset(address)?;
        let end = offset.checked_add(bytes.len()).ok_or(Fault { address })?;
        if end > self.size {
            return Err(Fault { address });
        }
        let later = Later { looks, offset, bytes: bytes.to_vec() };
        self.pages.borrow_mut().later.push(later);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sides() {
        let start = GuestPhysical(1 << 47);
        let mut guest = SharedBuffer::new(start, 16);
        let mut host = guest.clone();
        guest.copy_in(14, &[1, 2, 3]);
        let mut out = [0; 2];
        host.read(GuestPhysical((1 << 47) + 14), &mut out).unwrap();
        assert_eq!(out, [1, 2]);
        for address in [0, (1 << 47) - 1, (1 << 47) + 15, (1 << 47) + 16, u64::MAX] {
            let address = GuestPhysical(address);
            assert_eq!(host.read(address, &mut out), Err(Fault { address }));
            assert_eq!(host.write(address, &[1, 2]), Err(Fault { address }));
            assert_eq!(host.write_later(1, address, &[1, 2]), Err(Fault { address }));
        }
    }

    #[test]
    fn the_host_works_while_the_guest_looks() {
        let start = GuestPhysical(1 << 47);
        let guest = SharedBuffer::new(start, 16);
        let mut host = guest.clone();
        host.write_later(2, start, &[7]).unwrap();
        host.write_later(0, start, &[5]).unwrap();
        host.write_later(3, start, &[8]).unwrap();
        let look = || {
            let mut out = [0];
            guest.copy_out(0, &mut out);
            out[0]
        };
        assert_eq!([look(), look(), look(), look(), look()], [5, 5, 7, 8, 8]);
    }
}
