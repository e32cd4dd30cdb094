// SPDX-License-Identifier: MIT OR Apache-2.0
//! A host at the other side of a GHCB, and the pages between.

use alloc::collections::BTreeMap;
use alloc::rc::Rc;
use alloc::vec;
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};

use tsm_snp::ghcb::layout::{Field, Ghcb, PROTOCOL_VERSION, ValidBitmap};
use tsm_snp::ghcb::{SharedMemory, Vmgexit};
use tsm_snp::{Error, Event, Exit, GuestPhysical, PAGE};
use zerocopy::{FromBytes as _, IntoBytes as _};

use super::bytes::copy;
use super::{Carrier, Message};

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

    fn store(&self, address: u64, bytes: &[u8]) {
        if let Some(region) = self.0.regions.borrow_mut().get_mut(&address) {
            copy(bytes, region);
        }
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
        let mut regions = self.memory.0.regions.borrow_mut();
        let region = regions.get_mut(&self.address.0);
        let bytes = region.and_then(|region| region.get_mut(offset..offset.saturating_add(size)));
        if let Some(bytes) = bytes {
            act(bytes);
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

/// A [`Carrier`] behind a GHCB: it reads the event, its arguments and the request from shared memory,
/// and writes the answer there.
///
/// What it cannot do it says as the GHCB specification has it: SW_EXITINFO1 2, SW_EXITINFO2 the
/// reason.
#[derive(Clone, Debug)]
pub struct Hypervisor<C> {
    carrier: C,
    memory: SharedPages,
    ignored: u32,
}

/// Reasons for which an exit is malformed.
const INVALID_USAGE: u64 = 2;
const MISSING_INPUT: u64 = 4;
const INVALID_INPUT: u64 = 5;
const INVALID_EVENT: u64 = 6;

impl<C: Carrier> Hypervisor<C> {
    /// This host, over this memory.
    #[must_use]
    pub const fn new(carrier: C, memory: SharedPages) -> Self {
        Self { carrier, memory, ignored: 0 }
    }

    /// The next so many exits come back with everything as the guest left it.
    pub const fn ignore(&mut self, exits: u32) {
        self.ignored = exits;
    }

    /// The host.
    pub const fn carrier_mut(&mut self) -> &mut C {
        &mut self.carrier
    }

    /// Carries out what the GHCB asks for; `Err` says why it is malformed. `Ok(None)`: no host was
    /// called.
    fn handle(&mut self, ghcb: &Ghcb) -> Result<Option<Exit>, u64> {
        let valid = ValidBitmap::from_bytes(ghcb.valid_bitmap);
        let has = |fields: &[Field]| fields.iter().all(|field| valid.contains(*field));
        if ghcb.usage.get() != 0 || ghcb.protocol_version.get() != PROTOCOL_VERSION {
            return Err(INVALID_USAGE);
        }
        if !has(&[Field::ExitCode, Field::ExitInfo1, Field::ExitInfo2]) {
            return Err(MISSING_INPUT);
        }
        let events = [Event::GuestRequest, Event::ExtendedGuestRequest];
        let event = events.into_iter().find(|event| event.code() == ghcb.sw_exit_code.get());
        let event = event.ok_or(INVALID_EVENT)?;
        let region = |address| self.memory.snapshot(GuestPhysical(address)).ok_or(INVALID_INPUT);
        let request = region(ghcb.sw_exit_info_1.get())?;
        let request = request.get(..PAGE).ok_or(INVALID_INPUT)?;
        let mut response = [0; PAGE];
        let mut certificates = None;
        if event == Event::ExtendedGuestRequest {
            if !has(&[Field::Rax, Field::Rbx]) {
                return Err(MISSING_INPUT);
            }
            let pages = usize::try_from(ghcb.rbx.get()).map_err(|_| INVALID_INPUT)?;
            let mut memory = region(ghcb.rax.get())?;
            let size = pages.checked_mul(PAGE).filter(|size| *size <= memory.len());
            memory.truncate(size.ok_or(INVALID_INPUT)?);
            certificates = Some(memory);
        }
        let exit = self.carrier.carry(Message {
            event,
            request,
            response: &mut response,
            certificates: certificates.as_deref_mut(),
        });
        if exit.is_some() {
            self.memory.store(ghcb.sw_exit_info_2.get(), &response);
            if let Some(memory) = certificates {
                self.memory.store(ghcb.rax.get(), &memory);
            }
        }
        Ok(exit)
    }
}

impl<C: Carrier> Vmgexit for Hypervisor<C> {
    fn exit(&mut self, ghcb: GuestPhysical) -> Result<(), Error> {
        if let Some(left) = self.ignored.checked_sub(1) {
            self.ignored = left;
            return Ok(());
        }
        let page = self.memory.snapshot(ghcb).ok_or(Error::not_sent())?;
        let mut page = Ghcb::read_from_bytes(&page).map_err(|_| Error::not_sent())?;
        let exit = match self.handle(&page) {
            Ok(exit) => exit.ok_or(Error::not_sent())?,
            Err(reason) => Exit { info_1: Some(2), info_2: Some(reason), rbx: None },
        };
        let mut valid = ValidBitmap::default();
        for (value, field, place) in [
            (exit.info_1, Field::ExitInfo1, &mut page.sw_exit_info_1),
            (exit.info_2, Field::ExitInfo2, &mut page.sw_exit_info_2),
            (exit.rbx, Field::Rbx, &mut page.rbx),
        ] {
            if let Some(value) = value {
                *place = value.into();
                valid = valid.with(field);
            }
        }
        page.valid_bitmap = valid.to_bytes();
        self.memory.store(ghcb.0, page.as_bytes());
        Ok(())
    }
}
