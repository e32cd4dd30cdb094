// SPDX-License-Identifier: MIT OR Apache-2.0
//! The pages that guest and host share. Both go by their addresses; nothing refers to them.

use core::cell::UnsafeCell;
use core::ptr::{self, NonNull};

use bare::Page;
use tsm_sim::snp::{Fault, GuestMemory};
use tsm_snp::GuestPhysical;
use tsm_snp::ghcb::Mapped;

const COUNT: usize = 3;
const SIZE: usize = COUNT * Page::SIZE;

struct Shared(UnsafeCell<[Page; COUNT]>);

// SAFETY: there are no references to the pages, only pointers: the guest's in `Mapped`, which are used
// while no exception is handled, and the host's in `SharedMemory`, which are used while one is.
unsafe impl Sync for Shared {}

static PAGES: Shared = Shared(UnsafeCell::new([const { Page([0x77; Page::SIZE]) }; COUNT]));

/// Where they begin.
fn start() -> *mut u8 {
    PAGES.0.get().cast()
}

/// The guest's pages: GHCB, request, response. For one caller.
///
/// # Safety
///
/// What an earlier call gave must not be used any more.
pub(crate) unsafe fn mapped() -> Option<[Mapped; COUNT]> {
    let page = |number: usize| {
        let place = NonNull::new(start().wrapping_add(number * Page::SIZE))?;
        let address = GuestPhysical(u64::try_from(place.addr().get()).ok()?);
        // SAFETY: one of the pages, each at its own guest-physical address (`bare`'s boot). They stand
        // for shared memory: the host has these and no others. Nobody else in the guest has them, by the
        // caller's promise, and there are no references.
        unsafe { Mapped::new(place.cast(), 1, address) }.ok()
    };
    Some([page(0)?, page(1)?, page(2)?])
}

/// The pages as the host has them.
pub(crate) struct SharedMemory;

impl SharedMemory {
    fn place(address: GuestPhysical, size: usize) -> Result<*mut u8, Fault> {
        let fault = Fault { address };
        let at = usize::try_from(address.0).map_err(|_| fault)?;
        let offset = at.checked_sub(start().addr()).ok_or(fault)?;
        let end = offset.checked_add(size).ok_or(fault)?;
        if end > SIZE {
            return Err(fault);
        }
        Ok(start().wrapping_add(offset))
    }
}

impl GuestMemory for SharedMemory {
    fn read(&self, address: GuestPhysical, out: &mut [u8]) -> Result<(), Fault> {
        let place = Self::place(address, out.len())?;
        // SAFETY: `place` saw that all of it is in the pages; the guest is stopped at its VMGEXIT, so
        // nobody writes meanwhile. `out` is the host's own.
        unsafe { ptr::copy_nonoverlapping(place, out.as_mut_ptr(), out.len()) };
        Ok(())
    }

    fn write(&mut self, address: GuestPhysical, bytes: &[u8]) -> Result<(), Fault> {
        let place = Self::place(address, bytes.len())?;
        // SAFETY: as in `read`.
        unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), place, bytes.len()) };
        Ok(())
    }
}
