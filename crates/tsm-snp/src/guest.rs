// SPDX-License-Identifier: MIT OR Apache-2.0
//! The conversation with the firmware: requests, answers, and a key that never meets one nonce
//! twice.
//!
//! ```text
//!            seal                    the response authenticates
//!   Ready ----------> in flight ------------------------------------> Ready, two numbers on
//!                      |     ^
//!                      |     '-- busy, not sent, too small for certificates: the same bytes again
//!                      |
//!                      '--> anything else: Dead, the key erased
//! ```
//!
//! The sequence number is the nonce. After a failed exchange nobody in the guest knows whether the
//! firmware has counted it: a new message under the same number would repeat a nonce, which gives the
//! host the authentication key; a new number would be refused for ever. So there are two moves: the
//! same bytes again, or no key.

use core::borrow::BorrowMut;
use core::fmt;

use zerocopy::FromBytes;
use zeroize::Zeroize;

use crate::bytes::copy;
use crate::channel::{Exchange, GuestChannel, Outcome};
use crate::error::{Cause, Error, ErrorKind};
use crate::message::cipher::Cipher;
use crate::message::{
    DerivedKey, Header, KeyRequest, MAX_REQUEST, MAX_RESPONSE, MessageType, Payload, ReportRequest,
    TscInfo, TscInfoRequest, report_of,
};
use crate::privilege::VmpckIndex;
use crate::report::{REPORT_SIZE, Report};
use crate::secrets::Vmpck;
use crate::status::HostStatus;

/// A key, its counter, and the channel to the firmware.
///
/// Its messages are in `M`: its own unless it was made [`within`](Self::within) other memory. Keep it in
/// a `static` or wherever it stays: a move leaves a copy of the key. One call at a time; `&mut self` is
/// the lock around the whole exchange.
///
/// # Failures
///
/// A call that fails with [`ErrorKind::Busy`] or [`ErrorKind::NotSent`] (or another error of the
/// channel) leaves its message in flight: repeat the request, and the same bytes are sent again.
/// Another request first sends the message in flight again, until it is answered, and drops that
/// answer ([`settle`](Self::settle)). Every other failure of an exchange is
/// [`ErrorKind::Disabled`]: the key is erased, and all calls fail from then on with the same [`Cause`]. Errors about an answer that authenticated ([`ErrorKind::Message`],
/// [`ErrorKind::NotAsAsked`]) leave the key as it was.
pub struct GuestMessages<C, M = MessageMemory> {
    channel: C,
    wait: fn(u32) -> bool,
    state: State,
    memory: M,
}

/// What a conversation's messages take: the sealed request, which may be sent again, and the response,
/// some 1.5 KB. Nothing in it needs to be kept from one conversation to the next.
pub struct MessageMemory {
    sealed: [u8; Header::SIZE + MAX_REQUEST],
    response: [u8; Header::SIZE + MAX_RESPONSE],
}

impl MessageMemory {
    /// Memory without messages.
    pub const EMPTY: Self = Self {
        sealed: [0; Header::SIZE + MAX_REQUEST],
        response: [0; Header::SIZE + MAX_RESPONSE],
    };
}

impl fmt::Debug for MessageMemory {
    /// Without messages.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MessageMemory").finish_non_exhaustive()
    }
}

#[expect(
    clippy::large_enum_variant,
    reason = "there is no heap, and a key that is moved leaves copies: it dies where it is"
)]
enum State {
    Live(Live),
    Dead(Cause),
}

struct Live {
    key: Vmpck,
    cipher: Cipher,
    /// The message in flight.
    sent: Option<Sent>,
}

/// What was asked, before it was sealed; tells whether a request is the same one again.
struct Sent {
    message_type: MessageType,
    version: u8,
    size: usize,
    plain: [u8; MAX_REQUEST],
    /// Bytes of the response.
    response: u16,
}

impl Sent {
    fn of<P: Payload>(request: &P) -> Self {
        let bytes = request.sent();
        let mut plain = [0; MAX_REQUEST];
        copy(bytes, &mut plain);
        Self {
            message_type: P::TYPE,
            version: request.version(),
            size: bytes.len(),
            plain,
            response: P::RESPONSE,
        }
    }

    /// Bytes of the message.
    const fn message_size(&self) -> usize {
        Header::SIZE.saturating_add(self.size)
    }

    fn is(&self, other: &Self) -> bool {
        self.message_type == other.message_type
            && self.version == other.version
            && self.size == other.size
            && self.plain == other.plain
    }
}

/// What became of the certificates that were asked for together with a report.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use]
pub enum Certificates {
    /// They are in the caller's buffer, as a table ([`CertificateTable`](crate::CertificateTable)).
    /// Many hosts have none to give: the table is empty then.
    Copied,
    /// They are not: they take so many pages, if the host says how many.
    Pages(Option<u64>),
}

impl<C: GuestChannel> GuestMessages<C> {
    /// How often a busy host is asked again at once, before [`ErrorKind::Busy`].
    pub const DEFAULT_RETRIES: u32 = 3;

    /// A conversation under `key`. Builds its schedule here.
    #[must_use]
    pub fn new(key: Vmpck, channel: C) -> Self {
        Self::within(key, channel, MessageMemory::EMPTY)
    }
}

impl<C: GuestChannel, M: BorrowMut<MessageMemory>> GuestMessages<C, M> {
    /// A conversation under `key` with its messages in `memory`, a `&mut` for example, so that less is
    /// moved about on a short stack.
    #[must_use]
    pub fn within(key: Vmpck, channel: C, memory: M) -> Self {
        let cipher = Cipher::new(key.key());
        Self {
            channel,
            wait: |attempt| attempt < GuestMessages::<C>::DEFAULT_RETRIES,
            state: State::Live(Live { key, cipher, sent: None }),
            memory,
        }
    }

    /// With a way to wait for a busy host: called with 0, 1, 2... before a message is sent again,
    /// it may sleep, and says whether to go on. KVM lets a guest ask about every two seconds; Linux
    /// waits for a minute in all.
    #[must_use]
    pub fn waiting(mut self, wait: fn(u32) -> bool) -> Self {
        self.wait = wait;
        self
    }

    /// Asks for an attestation report.
    ///
    /// The report in `out` is what the firmware wrote, of this request's data and privilege level.
    /// `out` is untouched on failure.
    ///
    /// # Errors
    ///
    /// See [Failures](Self#failures).
    pub fn report(
        &mut self,
        request: &ReportRequest,
        out: &mut [u8; REPORT_SIZE],
    ) -> Result<(), Error> {
        self.ask(request)?;
        self.take_report(request, out)
    }

    /// Asks for an attestation report, and the host for the certificates that go with it.
    ///
    /// The report comes whether or not certificates do. They are the host's: only their own
    /// signatures say anything.
    ///
    /// # Errors
    ///
    /// See [Failures](Self#failures).
    pub fn report_with_certificates(
        &mut self,
        request: &ReportRequest,
        out: &mut [u8; REPORT_SIZE],
        certificates: &mut [u8],
    ) -> Result<Certificates, Error> {
        let delivered = self.exchange(request, Some(certificates))?;
        self.take_report(request, out)?;
        Ok(delivered)
    }

    /// Asks for a derived key.
    ///
    /// # Errors
    ///
    /// See [Failures](Self#failures).
    pub fn derive_key(&mut self, request: &KeyRequest) -> Result<DerivedKey, Error> {
        self.ask(request)?;
        let key = DerivedKey::of(self.payload::<KeyRequest>());
        self.memory.borrow_mut().response.zeroize();
        key
    }

    /// Asks how the secure TSC runs.
    ///
    /// # Errors
    ///
    /// See [Failures](Self#failures).
    pub fn tsc_info(&mut self) -> Result<TscInfo, Error> {
        self.ask(TscInfoRequest::ZEROS)?;
        TscInfo::of(self.payload::<TscInfoRequest>())
    }

    /// Sends a message that is in flight again, until it is answered, and drops the answer. Does
    /// nothing if there is none.
    ///
    /// # Errors
    ///
    /// See [Failures](Self#failures).
    pub fn settle(&mut self) -> Result<(), Error> {
        let State::Live(Live { sent: Some(sent), .. }) = &self.state else { return Ok(()) };
        let (size, response) = (sent.message_size(), sent.response);
        let _ = self.deliver(size, None)?;
        self.open(response)?;
        self.memory.borrow_mut().response.zeroize();
        Ok(())
    }

    /// Erases the key, with whatever is in flight. All calls fail from now on.
    pub fn abandon(&mut self) {
        if matches!(self.state, State::Live(_)) {
            let _ = self.disable(Cause::Abandoned);
        }
    }

    /// Gives the key back, to be handed on ([`SecretsPage::put_back`](crate::SecretsPage::put_back)).
    /// A message that is in flight is [settled](Self::settle) first.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InFlight`] if that cannot be: the key is erased then, so settle it before if the
    /// host may be busy for longer. [`ErrorKind::Disabled`].
    pub fn into_key(mut self) -> Result<Vmpck, Error> {
        // Whatever comes of it stands in the state.
        let _ = self.settle();
        match self.state {
            State::Live(Live { key, sent: None, .. }) => Ok(key),
            State::Live(Live { sent: Some(_), .. }) => Err(Error::new(ErrorKind::InFlight)),
            State::Dead(cause) => Err(Error::new(ErrorKind::Disabled(cause))),
        }
    }

    /// Which key; `None` if it is erased.
    #[must_use]
    pub const fn key(&self) -> Option<VmpckIndex> {
        match &self.state {
            State::Live(live) => Some(live.key.index()),
            State::Dead(_) => None,
        }
    }

    /// Why the key was erased, if it was.
    #[must_use]
    pub const fn cause(&self) -> Option<Cause> {
        match &self.state {
            State::Live(_) => None,
            State::Dead(cause) => Some(*cause),
        }
    }

    /// Whether a message is in flight.
    #[must_use]
    pub const fn is_in_flight(&self) -> bool {
        matches!(&self.state, State::Live(Live { sent: Some(_), .. }))
    }

    /// The channel, for what has nothing to do with messages.
    pub const fn channel_mut(&mut self) -> &mut C {
        &mut self.channel
    }

    fn ask<P: Payload>(&mut self, request: &P) -> Result<(), Error> {
        self.exchange(request, None).map(|_| ())
    }

    /// The whole way: afterwards [`payload`](Self::payload) is what the firmware answered.
    fn exchange<P: Payload>(
        &mut self,
        request: &P,
        certificates: Option<&mut [u8]>,
    ) -> Result<Certificates, Error> {
        let size = match self.in_flight(request) {
            Some(size) => size,
            None => {
                self.settle()?;
                self.seal(request)?
            }
        };
        let delivered = self.deliver(size, certificates)?;
        self.open(P::RESPONSE)?;
        Ok(delivered)
    }

    /// The size of the message in flight, if it is this request's.
    #[inline(never)] // What was asked need not lie on the stack while it is answered.
    fn in_flight<P: Payload>(&self, request: &P) -> Option<usize> {
        match &self.state {
            State::Live(Live { sent: Some(sent), .. }) => {
                sent.is(&Sent::of(request)).then(|| sent.message_size())
            }
            _ => None,
        }
    }

    /// Seals a request under the next number and returns the message's size. There is none in
    /// flight.
    #[inline(never)] // As above.
    fn seal<P: Payload>(&mut self, request: &P) -> Result<usize, Error> {
        let asked = Sent::of(request);
        let size = asked.message_size();
        match self.seal_next(asked) {
            Ok(()) => Ok(size),
            Err(cause) => Err(self.disable(cause)),
        }
    }

    fn seal_next(&mut self, asked: Sent) -> Result<(), Cause> {
        let live = match &mut self.state {
            State::Live(live) => live,
            State::Dead(cause) => return Err(*cause),
        };
        if live.sent.is_some() {
            return Err(Cause::Abandoned);
        }
        // Both this message's number and its response's.
        let counter = live.key.counter();
        let (Some(sequence), Some(_)) = (counter.checked_add(1), counter.checked_add(2)) else {
            return Err(Cause::UsedUp);
        };
        let size = u16::try_from(asked.size).map_err(|_| Cause::Cipher)?;
        let mut header =
            Header::new(live.key.index(), sequence, asked.message_type, asked.version, size);
        let (place, behind) = self
            .memory
            .borrow_mut()
            .sealed
            .split_first_chunk_mut::<{ Header::SIZE }>()
            .ok_or(Cause::Cipher)?;
        copy(&asked.plain, behind);
        let payload = behind.get_mut(..asked.size).ok_or(Cause::Cipher)?;
        // From here on this number belongs to this message, whatever happens.
        live.sent = Some(asked);
        live.cipher.seal(&mut header, payload)?;
        *place = zerocopy::transmute!(header);
        Ok(())
    }

    /// Sends the message, again if need be, until the host says that there is an answer.
    #[inline(never)] // Nor the channel's frame.
    fn deliver(
        &mut self,
        size: usize,
        mut certificates: Option<&mut [u8]>,
    ) -> Result<Certificates, Error> {
        let mut delivered = Certificates::Copied;
        let mut attempt = 0_u32;
        loop {
            // Nothing of an earlier response is there to be taken for this one's.
            let MessageMemory { sealed, response } = self.memory.borrow_mut();
            response.fill(0);
            let request = sealed.get(..size).unwrap_or_default();
            let extended = certificates.is_some();
            let exchange = Exchange::new(request, response, certificates.as_deref_mut());
            let outcome = self.channel.exchange(exchange)?.outcome();
            // Every outcome is named: one that is not known yet does not compile.
            match (outcome, extended) {
                (Outcome::Answered, _) => return Ok(delivered),
                (Outcome::Busy, _) => {
                    if !(self.wait)(attempt) {
                        return Err(Error::new(ErrorKind::Busy));
                    }
                    attempt = attempt.saturating_add(1);
                }
                (Outcome::InvalidLength { pages }, true) => {
                    // The number is to be used up: the same message, without certificates.
                    delivered = Certificates::Pages(pages);
                    certificates = None;
                }
                (Outcome::InvalidLength { .. }, false) => {
                    return Err(self.disable(Cause::Host(HostStatus::INVALID_LENGTH)));
                }
                (Outcome::Firmware(status), _) => {
                    return Err(self.disable(Cause::Firmware(status)));
                }
                (Outcome::Host(status), _) => return Err(self.disable(Cause::Host(status))),
                (Outcome::Unhandled(first, second), _) => {
                    return Err(self.disable(Cause::Unhandled(first, second)));
                }
                (Outcome::Undefined, _) => return Err(self.disable(Cause::Undefined)),
            }
        }
    }

    /// Checks and decrypts the response in place; the next message gets the next number.
    fn open(&mut self, size: u16) -> Result<(), Error> {
        match self.authenticate(size) {
            Ok(()) => Ok(()),
            Err(cause) => Err(self.disable(cause)),
        }
    }

    fn authenticate(&mut self, size: u16) -> Result<(), Cause> {
        let live = match &mut self.state {
            State::Live(live) => live,
            State::Dead(cause) => return Err(*cause),
        };
        let sent = live.sent.as_ref().ok_or(Cause::Abandoned)?;
        let (header, payload) = Header::mut_from_prefix(&mut self.memory.borrow_mut().response)
            .map_err(|_| Cause::Header)?;
        // Of this request's number and type, not of what the response says.
        let number = live.key.counter().checked_add(2).ok_or(Cause::UsedUp)?;
        // Nobody says which version the answer to a newer request has: 1, as all others, or the
        // request's. The tag covers it; to guess wrong would cost the key.
        let version = if header.message_version == sent.version { sent.version } else { 1 };
        let expected =
            Header::new(live.key.index(), number, sent.message_type.response(), version, size);
        header.check(&expected)?;
        if header.message_size != expected.message_size {
            return Err(Cause::MessageSize(header.message_size.get()));
        }
        let payload = payload.get_mut(..usize::from(size)).ok_or(Cause::MessageSize(size))?;
        live.cipher.open(header, payload)?;
        live.key.advance_to(number);
        live.sent = None;
        Ok(())
    }

    /// The payload of the response that was opened last.
    fn payload<P: Payload>(&self) -> &[u8] {
        let end = Header::SIZE.saturating_add(usize::from(P::RESPONSE));
        self.memory.borrow().response.get(Header::SIZE..end).unwrap_or_default()
    }

    fn take_report(
        &self,
        request: &ReportRequest,
        out: &mut [u8; REPORT_SIZE],
    ) -> Result<(), Error> {
        let bytes = report_of(self.payload::<ReportRequest>())?;
        let report = Report::of(bytes);
        if report.report_data() != request.report_data() || report.vmpl() != request.vmpl() {
            return Err(Error::new(ErrorKind::NotAsAsked));
        }
        copy(bytes, out);
        Ok(())
    }

    /// Erases the key, its schedule, and what was sent and received.
    #[cold]
    #[inline(never)]
    fn disable(&mut self, cause: Cause) -> Error {
        self.state = State::Dead(cause);
        self.memory.borrow_mut().sealed.zeroize();
        self.memory.borrow_mut().response.zeroize();
        Error::new(ErrorKind::Disabled(cause))
    }
}

impl<C, M> fmt::Debug for GuestMessages<C, M> {
    /// Without keys.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.state {
            State::Live(Live { key, sent: None, .. }) => write!(f, "{key:?}"),
            State::Live(Live { key, sent: Some(_), .. }) => write!(f, "{key:?}, one in flight"),
            State::Dead(cause) => write!(f, "disabled: {cause}"),
        }
    }
}
