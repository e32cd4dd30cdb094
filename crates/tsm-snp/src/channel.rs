// SPDX-License-Identifier: MIT OR Apache-2.0
//! One exchange of a guest message as a value: what goes to the firmware, and what the host gave
//! back.
//!
//! Only this crate makes an [`Exchange`], and its request is sealed. That is why
//! [`GuestChannel::exchange`] is safe to call, can be implemented without `unsafe`, and an
//! implementation can break nothing but itself: the worst it can do is what a hostile host can do
//! anyway.

use crate::error::{Cause, Error};
use crate::status::{FirmwareStatus, HostStatus};

/// Something that takes guest messages to the firmware: the GHCB
/// ([`GhcbChannel`](crate::ghcb::GhcbChannel)), a firmware in software, a recording.
///
/// # For implementers
///
/// Put the request into a page of zeros, make the host pass it on, copy what it put into the
/// response page (zeros before) into [`Exchange::response_mut`], all of it, and return the exit
/// information as the host left it. Do not interpret any of it, and do not try again. The page that
/// the host can write is read once: what is looked at is the copy.
///
/// # For users
///
/// Take [`GuestMessages`](crate::GuestMessages), which seals, decodes, counts and retries.
pub trait GuestChannel {
    /// Makes the exchange.
    ///
    /// # Errors
    ///
    /// The host was not called. What the host and the firmware have to say is not an error here.
    fn exchange(&mut self, exchange: Exchange<'_>) -> Result<Exit, Error>;
}

impl<T: GuestChannel + ?Sized> GuestChannel for &mut T {
    fn exchange(&mut self, exchange: Exchange<'_>) -> Result<Exit, Error> {
        T::exchange(self, exchange)
    }
}

/// A sealed request and the memory for what comes back.
#[derive(Debug)]
pub struct Exchange<'b> {
    request: &'b [u8],
    response: &'b mut [u8],
    certificates: Option<&'b mut [u8]>,
}

impl<'b> Exchange<'b> {
    pub(crate) const fn new(
        request: &'b [u8],
        response: &'b mut [u8],
        certificates: Option<&'b mut [u8]>,
    ) -> Self {
        Self { request, response, certificates }
    }

    /// Which event the host gets.
    #[must_use]
    pub const fn event(&self) -> Event {
        match self.certificates {
            None => Event::GuestRequest,
            Some(_) => Event::ExtendedGuestRequest,
        }
    }

    /// The message: header and ciphertext, at most a page. The rest of the page is zeros.
    #[must_use]
    pub const fn request(&self) -> &'b [u8] {
        self.request
    }

    /// Private memory for the front of the response page, to be written whole.
    pub const fn response_mut(&mut self) -> &mut [u8] {
        self.response
    }

    /// Private memory for the certificates of an extended request, to be written whole. Its size
    /// is what the host is told, in pages, rounded down.
    pub fn certificates_mut(&mut self) -> Option<&mut [u8]> {
        self.certificates.as_deref_mut()
    }
}

/// The two events that carry a guest message (GHCB specification 56421, as Linux
/// `arch/x86/include/uapi/asm/svm.h` and coconut-svsm `kernel/src/sev/ghcb.rs` have them).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Event {
    /// `SNP_GUEST_REQUEST`.
    GuestRequest,
    /// `SNP_EXTENDED_GUEST_REQUEST`: with the host's certificates.
    ExtendedGuestRequest,
}

impl Event {
    /// `SW_EXITCODE`.
    #[must_use]
    pub const fn code(self) -> u64 {
        match self {
            Self::GuestRequest => 0x8000_0011,
            Self::ExtendedGuestRequest => 0x8000_0012,
        }
    }
}

/// What the host left after the exit: `None` where it did not mark the field as valid.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Exit {
    /// `SW_EXITINFO1`.
    pub info_1: Option<u64>,
    /// `SW_EXITINFO2`.
    pub info_2: Option<u64>,
    /// `RBX`: pages that certificates take.
    pub rbx: Option<u64>,
}

impl Exit {
    /// Of a host that passed the message on and of firmware that answered.
    pub const ANSWERED: Self = Self { info_1: Some(0), info_2: Some(0), rbx: None };

    /// Of these two statuses.
    #[must_use]
    pub fn with(firmware: FirmwareStatus, host: HostStatus) -> Self {
        let info_2 = u64::from(host.0) << 32 | u64::from(firmware.0);
        Self { info_1: Some(0), info_2: Some(info_2), rbx: None }
    }

    /// What it means.
    #[must_use]
    pub const fn outcome(&self) -> Outcome {
        let (Some(first), Some(second)) = (self.info_1, self.info_2) else {
            return Outcome::Undefined;
        };
        let (handled, _) = halves(first);
        if handled != 0 {
            return Outcome::Unhandled(handled, second);
        }
        let (firmware, host) = halves(second);
        match (FirmwareStatus(firmware), HostStatus(host)) {
            (FirmwareStatus::SUCCESS, HostStatus::SUCCESS) => Outcome::Answered,
            (FirmwareStatus::SUCCESS, HostStatus::BUSY) => Outcome::Busy,
            (FirmwareStatus::SUCCESS, HostStatus::INVALID_LENGTH) => {
                Outcome::InvalidLength { pages: self.rbx }
            }
            (FirmwareStatus::SUCCESS, host) => Outcome::Host(host),
            (firmware, _) => Outcome::Firmware(firmware),
        }
    }
}

/// Bits 31:0 and bits 63:32.
const fn halves(value: u64) -> (u32, u32) {
    let [a, b, c, d, e, f, g, h] = value.to_le_bytes();
    (u32::from_le_bytes([a, b, c, d]), u32::from_le_bytes([e, f, g, h]))
}

/// What an [`Exit`] means. All of it is the host's word; only a response that authenticates is the
/// firmware's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// The host says that there is a response.
    Answered,
    /// The host says that it has not passed the message on, and will later.
    Busy,
    /// The host says that it has not passed the message on, because the memory for certificates is
    /// too small.
    InvalidLength {
        /// Pages that it takes, if the host says so.
        pages: Option<u64>,
    },
    /// The firmware failed, or so the host says.
    Firmware(FirmwareStatus),
    /// The host has another status.
    Host(HostStatus),
    /// The host says that it did not handle the exit: 1, an exception is due; 2, malformed input;
    /// others are not known. Then the second exit information.
    Unhandled(u32, u64),
    /// The host did not mark its exit information.
    Undefined,
}

impl Outcome {
    /// Why the key must be destroyed; `None` for the three outcomes after which it is known what
    /// may be sent.
    #[must_use]
    pub const fn cause(self) -> Option<Cause> {
        match self {
            Self::Answered | Self::Busy | Self::InvalidLength { .. } => None,
            Self::Firmware(status) => Some(Cause::Firmware(status)),
            Self::Host(status) => Some(Cause::Host(status)),
            Self::Unhandled(first, second) => Some(Cause::Unhandled(first, second)),
            Self::Undefined => Some(Cause::Undefined),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exits() {
        let exit = |info_1, info_2| Exit { info_1, info_2, rbx: Some(5) }.outcome();
        assert_eq!(Exit::ANSWERED.outcome(), Outcome::Answered);
        assert_eq!(exit(Some(0), Some(0x2_0000_0000)), Outcome::Busy);
        let pages = Some(5);
        assert_eq!(exit(Some(0), Some(0x1_0000_0000)), Outcome::InvalidLength { pages });
        // Not busy, if the firmware failed as well.
        let overflow = Outcome::Firmware(FirmwareStatus::AEAD_OVERFLOW);
        assert_eq!(exit(Some(0), Some(0x2_0000_001D)), overflow);
        assert_eq!(exit(Some(0), Some(0x7_0000_0000)), Outcome::Host(HostStatus(7)));
        assert_eq!(exit(Some(2), Some(5)), Outcome::Unhandled(2, 5));
        for (first, second) in [(None, Some(0)), (Some(0), None), (None, None)] {
            assert_eq!(exit(first, second), Outcome::Undefined);
        }
    }
}
