// SPDX-License-Identifier: MIT OR Apache-2.0
//! Pages between a guest and a host that are one program.

use alloc::collections::BTreeMap;
use alloc::rc::Rc;
use alloc::vec;
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};

use tsm_snp::ghcb::SharedMemory;
use tsm_snp::{GuestPhysical, PAGE};

use super::memory::{Fault, GuestMemory};

/// The memory that guest and host share, by address. Clones are the same memory.
#[derive(Clone, Default, Debug)]
pub struct SharedPages(Rc<Shared>);

#[derive(Default, Debug)]
struct Shared {
    regions: RefCell<BTreeMap<u64, Vec<u8>>>,
    restless: Cell<bool>,
}

impl SharedPages {
    /// No pages.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Maps `pages` pages at this address, filled with bytes that are not zero. What was mapped
    /// there before is gone.
    #[must_use]
    pub fn map(&self, address: GuestPhysical, pages: usize) -> SharedPage {
        let size = pages.saturating_mul(PAGE);
        self.0.regions.borrow_mut().insert(address.0, vec![0x77; size]);
        SharedPage { memory: self.clone(), address, size }
    }

    /// From now on the host replaces every byte as soon as the guest has read it, or no longer does.
    pub fn set_restless(&self, restless: bool) {
        self.0.restless.set(restless);
    }

    /// Copies what is mapped at this very address.
    #[must_use]
    pub fn snapshot(&self, address: GuestPhysical) -> Option<Vec<u8>> {
        self.0.regions.borrow().get(&address.0).cloned()
    }

    /// Does something with the `size` bytes at `address`, if a region has them all.
    fn with<T>(
        &self,
        address: GuestPhysical,
        size: usize,
        act: impl FnOnce(&mut [u8]) -> T,
    ) -> Result<T, Fault> {
        let fault = Fault { address };
        let mut regions = self.0.regions.borrow_mut();
        let (start, region) = regions.range_mut(..=address.0).next_back().ok_or(fault)?;
        let offset = address.0.checked_sub(*start).and_then(|at| usize::try_from(at).ok());
        let range = offset.and_then(|at| Some(at..at.checked_add(size)?));
        range.and_then(|range| region.get_mut(range)).map(act).ok_or(fault)
    }
}

/// As the host has it, restless or not.
impl GuestMemory for SharedPages {
    fn read(&self, address: GuestPhysical, out: &mut [u8]) -> Result<(), Fault> {
        self.with(address, out.len(), |bytes| out.copy_from_slice(bytes))
    }

    fn write(&mut self, address: GuestPhysical, bytes: &[u8]) -> Result<(), Fault> {
        self.with(address, bytes.len(), |place| place.copy_from_slice(bytes))
    }
}

/// A piece of [`SharedPages`], as the guest has it.
#[derive(Debug)]
pub struct SharedPage {
    memory: SharedPages,
    address: GuestPhysical,
    size: usize,
}

impl SharedPage {
    /// Does something with the bytes from `offset` on, if there are so many.
    fn with(&self, offset: usize, size: usize, act: impl FnOnce(&mut [u8])) {
        let address = u64::try_from(offset).ok().and_then(|at| self.address.0.checked_add(at));
        let end = offset.checked_add(size).filter(|&end| end <= self.size);
        if let (Some(address), Some(_)) = (address, end) {
            // What is not mapped any more is not accessed.
            let _ = self.memory.with(GuestPhysical(address), size, act);
        }
    }
}

impl SharedMemory for SharedPage {
    fn guest_physical(&self) -> GuestPhysical {
        self.address
    }

    fn size(&self) -> usize {
        self.size
    }

    fn read(&self, offset: usize, out: &mut [u8]) {
        let restless = self.memory.0.restless.get();
        self.with(offset, out.len(), |bytes| {
            out.copy_from_slice(bytes);
            if restless {
                bytes.iter_mut().for_each(|byte| *byte ^= 0xFF);
            }
        });
    }

    fn write(&mut self, offset: usize, bytes: &[u8]) {
        self.with(offset, bytes.len(), |place| place.copy_from_slice(bytes));
    }

    fn clear(&mut self) {
        self.with(0, self.size, |bytes| bytes.fill(0));
    }
}
