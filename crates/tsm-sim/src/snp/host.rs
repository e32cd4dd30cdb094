// SPDX-License-Identifier: MIT OR Apache-2.0
//! The host between guest and firmware.

use alloc::borrow::Cow;
use alloc::vec::Vec;

use tsm_snp::{Error, Event, Exchange, Exit, FirmwareStatus, GuestChannel, HostStatus, PAGE};

use super::Firmware;
use super::bytes::{copy, copy_over};

/// Something that takes a guest's message to the firmware, or does not: a host behind
/// [`GuestChannel`] or behind a GHCB.
pub trait Carrier {
    /// Carries a message. `None`: no host was called.
    fn carry(&mut self, message: Message<'_>) -> Option<Exit>;
}

impl<T: Carrier + ?Sized> Carrier for &mut T {
    fn carry(&mut self, message: Message<'_>) -> Option<Exit> {
        T::carry(self, message)
    }
}

/// A message as the host has it.
#[derive(Debug)]
pub struct Message<'m> {
    /// Which event.
    pub event: Event,
    /// The front of the request page; zeros follow.
    pub request: &'m [u8],
    /// The response page.
    pub response: &'m mut [u8; PAGE],
    /// Of an extended request, the memory for certificates: whole pages.
    pub certificates: Option<&'m mut [u8]>,
}

/// Carries an exchange.
pub(super) fn through(
    carrier: &mut impl Carrier,
    mut exchange: Exchange<'_>,
) -> Result<Exit, Error> {
    let mut response = [0; PAGE];
    let (event, request) = (exchange.event(), exchange.request());
    let mut certificates = exchange.certificates_mut();
    if let Some(room) = certificates.as_deref_mut() {
        room.fill(0);
    }
    let certificates = certificates.and_then(|room| {
        let whole = room.len() & !0xFFF;
        room.get_mut(..whole)
    });
    let message = Message { event, request, response: &mut response, certificates };
    let exit = carrier.carry(message).ok_or(Error::not_sent())?;
    copy_over(&response, exchange.response_mut());
    Ok(exit)
}

/// A host that does its work. It does not allocate.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Host {
    firmware: Firmware,
    throttle: Throttle,
    certificates: Cow<'static, [u8]>,
}

impl Host {
    /// The host of a machine with this firmware. It is never busy and has no certificates: an empty
    /// table.
    #[must_use]
    pub const fn new(firmware: Firmware) -> Self {
        Self { firmware, throttle: Throttle::NEVER, certificates: Cow::Borrowed(&[0; 24]) }
    }

    /// The same host with this table of certificates.
    #[must_use]
    pub fn with_certificates(mut self, table: Vec<u8>) -> Self {
        self.certificates = table.into();
        self
    }

    /// From now on it is busy like this.
    pub const fn set_throttle(&mut self, throttle: Throttle) {
        self.throttle = throttle;
    }

    /// The firmware.
    #[must_use]
    pub const fn firmware(&self) -> &Firmware {
        &self.firmware
    }

    /// The firmware.
    pub const fn firmware_mut(&mut self) -> &mut Firmware {
        &mut self.firmware
    }
}

impl Carrier for Host {
    fn carry(&mut self, message: Message<'_>) -> Option<Exit> {
        if self.throttle.is_busy() {
            return Some(Exit::with(FirmwareStatus::SUCCESS, HostStatus::BUSY));
        }
        if let Some(room) = message.certificates {
            let size = self.certificates.len();
            if size > room.len() {
                let exit = Exit::with(FirmwareStatus::SUCCESS, HostStatus::INVALID_LENGTH);
                let pages = u64::try_from(size.div_ceil(PAGE)).ok();
                return Some(Exit { rbx: pages, ..exit });
            }
            copy(&self.certificates, room);
        }
        let status = self.firmware.answer(message.request, message.response);
        Some(Exit::with(status, HostStatus::SUCCESS))
    }
}

impl GuestChannel for Host {
    fn exchange(&mut self, exchange: Exchange<'_>) -> Result<Exit, Error> {
        through(self, exchange)
    }
}

/// Which messages the host says that it is too busy for. It does not pass them on.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Throttle {
    every: u32,
    since: u32,
}

impl Throttle {
    /// None of them.
    pub const NEVER: Self = Self::every(0);

    /// All of them.
    pub const ALWAYS: Self = Self::every(1);

    /// Every `nth`: with 4 the fourth, the eighth and so on. None with 0.
    #[must_use]
    pub const fn every(nth: u32) -> Self {
        Self { every: nth, since: 0 }
    }

    const fn is_busy(&mut self) -> bool {
        self.since = self.since.saturating_add(1);
        let busy = self.every != 0 && self.since >= self.every;
        if busy {
            self.since = 0;
        }
        busy
    }
}
