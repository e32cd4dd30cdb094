// SPDX-License-Identifier: MIT OR Apache-2.0
//! Guest messages over a GHCB.

use super::layout::{Field, Ghcb, PROTOCOL_VERSION, ValidBitmap};
use super::memory::SharedMemory;
use crate::address::{GuestPhysical, PAGE};
use crate::channel::{Event, Exchange, Exit, GuestChannel};
use crate::error::{Error, ErrorKind};

/// Leaves to the host through a GHCB, and comes back.
pub trait Vmgexit {
    /// Leaves. The GHCB at this address is filled in; afterwards it is as the host left it.
    ///
    /// # Errors
    ///
    /// The host was not called.
    fn exit(&mut self, ghcb: GuestPhysical) -> Result<(), Error>;
}

impl<T: Vmgexit + ?Sized> Vmgexit for &mut T {
    fn exit(&mut self, ghcb: GuestPhysical) -> Result<(), Error> {
        T::exit(self, ghcb)
    }
}

/// A GHCB, a page for requests, one for responses, perhaps memory for certificates, and the way to
/// the host.
#[derive(Debug)]
pub struct GhcbChannel<V, M> {
    exit: V,
    ghcb: M,
    request: M,
    response: M,
    certificates: Option<M>,
}

impl<V: Vmgexit, M: SharedMemory> GhcbChannel<V, M> {
    /// A channel over these pages. The firmware and the host write `response` and `ghcb`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Misaligned`] if one of them is not whole pages at the address of a page,
    /// [`ErrorKind::Overlapping`] if two of them share memory.
    pub fn new(exit: V, ghcb: M, request: M, response: M) -> Result<Self, Error> {
        let channel = Self { exit, ghcb, request, response, certificates: None };
        channel.check()?;
        Ok(channel)
    }

    /// With memory for certificates, whole pages. Linux and coconut-svsm give 16 KiB.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn with_certificates(mut self, memory: M) -> Result<Self, Error> {
        self.certificates = Some(memory);
        self.check()?;
        Ok(self)
    }

    fn check(&self) -> Result<(), Error> {
        let certificates = match &self.certificates {
            Some(memory) => range(memory)?,
            None => (0, 0),
        };
        let all = [range(&self.ghcb)?, range(&self.request)?, range(&self.response)?, certificates];
        let mut rest = all.as_slice();
        while let [(start, end), others @ ..] = rest {
            if others.iter().any(|(other_start, other_end)| start < other_end && other_start < end)
            {
                return Err(Error::new(ErrorKind::Overlapping));
            }
            rest = others;
        }
        Ok(())
    }

    fn set(&mut self, valid: ValidBitmap, field: Field, value: u64) -> ValidBitmap {
        self.ghcb.write(field.offset(), &value.to_le_bytes());
        valid.with(field)
    }

    fn read(&self, valid: ValidBitmap, field: Field) -> Option<u64> {
        if !valid.contains(field) {
            return None;
        }
        let mut value = [0; 8];
        self.ghcb.read(field.offset(), &mut value);
        Some(u64::from_le_bytes(value))
    }
}

/// First address and end of memory that must be whole pages.
fn range(memory: &impl SharedMemory) -> Result<(u64, u64), Error> {
    let start = memory.guest_physical();
    let size = u64::try_from(memory.size()).unwrap_or(0);
    let whole = size != 0 && size & 0xFFF == 0 && start.is_aligned(4096);
    let end = start.0.checked_add(size).filter(|_| whole);
    Ok((start.0, end.ok_or(Error::new(ErrorKind::Misaligned))?))
}

impl<V: Vmgexit, M: SharedMemory> GuestChannel for GhcbChannel<V, M> {
    fn exchange(&mut self, mut exchange: Exchange<'_>) -> Result<Exit, Error> {
        let event = exchange.event();
        // Memory for certificates: as many pages as both sides have.
        let mut pages = 0;
        if event == Event::ExtendedGuestRequest {
            let memory = self.certificates.as_mut();
            let memory = memory.ok_or(Error::new(ErrorKind::NoCertificateMemory))?;
            let room = exchange.certificates_mut().map_or(0, |out| out.len());
            pages = room.min(memory.size()) >> 12;
            memory.clear();
        }
        self.request.clear();
        self.request.write(0, exchange.request());
        self.response.clear();

        self.ghcb.clear();
        let version = core::mem::offset_of!(Ghcb, protocol_version);
        self.ghcb.write(version, &PROTOCOL_VERSION.to_le_bytes());
        let (request, response) = (self.request.guest_physical(), self.response.guest_physical());
        let mut valid = ValidBitmap::default();
        valid = self.set(valid, Field::ExitCode, event.code());
        valid = self.set(valid, Field::ExitInfo1, request.0);
        valid = self.set(valid, Field::ExitInfo2, response.0);
        if let (Event::ExtendedGuestRequest, Some(memory)) = (event, &self.certificates) {
            let address = memory.guest_physical();
            valid = self.set(valid, Field::Rax, address.0);
            valid = self.set(valid, Field::Rbx, u64::try_from(pages).unwrap_or(0));
        }
        self.ghcb.write(ValidBitmap::OFFSET, &valid.to_bytes());

        self.exit.exit(self.ghcb.guest_physical())?;

        // Once each: the host may be changing them.
        let mut bitmap = [0; 16];
        self.ghcb.read(ValidBitmap::OFFSET, &mut bitmap);
        let valid = ValidBitmap::from_bytes(bitmap);
        let exit = Exit {
            info_1: self.read(valid, Field::ExitInfo1),
            info_2: self.read(valid, Field::ExitInfo2),
            rbx: self.read(valid, Field::Rbx),
        };
        self.response.read(0, exchange.response_mut());
        if let (Some(memory), Some(out)) = (&self.certificates, exchange.certificates_mut()) {
            let size = pages.wrapping_mul(PAGE);
            if let Some((front, behind)) = out.split_at_mut_checked(size) {
                memory.read(0, front);
                behind.fill(0);
            }
        }
        Ok(exit)
    }
}
