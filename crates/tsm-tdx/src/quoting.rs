// SPDX-License-Identifier: MIT OR Apache-2.0
//! GetQuote: a quote by way of the host.
//!
//! A TDREPORT goes into memory that is shared with the host, a quote comes back in it, later. As
//! long as the host works on it the memory must not be used for anything else, nor freed, nor turned
//! private; so the memory's state is its type: [`IdleQuote`] can be [submitted](IdleQuote::submit)
//! and taken apart, [`PendingQuote`] can only be asked. [`Quoter`] does all of it in one call.
//!
//! The host writes everything that is read here. It is copied out once and its length is bounded;
//! whether it is a quote, and of this report, only a verifier can say.
//!
//! ```text
//! u64 version 1 | u64 status | u32 length in | u32 length out | data
//! ```
//!
//! Source: Intel TDX Guest-Host-Communication Interface 1.5 (348552), `TDG.VP.VMCALL<GetQuote>`;
//! Linux, `drivers/virt/coco/tdx-guest/tdx-guest.c`.

use core::fmt;

use tsm_core::ErrorKind as Refusal;
use tsm_core::provider::Reporter;

use crate::address::GuestPhysical;
use crate::buffer::{ReportBuffer, ReportData};
use crate::call::{Call, Tdcall};
use crate::error::{Error, ErrorKind};
use crate::td::Td;

/// Memory that is shared with the host.
///
/// Whole pages of 4096 bytes, at guest-physical addresses in a row, converted to shared (MapGPA)
/// before. At least the size of the largest quote and 24 bytes: quotes of today have 5 to 8 KiB,
/// those with post-quantum certificates will have megabytes ([`Td::quote_max_size`]).
///
/// [`SharedPages`](crate::SharedPages) is such memory by its address.
pub trait SharedMemory {
    /// Its guest-physical address, with the shared bit.
    fn address(&self) -> GuestPhysical;

    /// Its size in bytes.
    fn size(&self) -> usize;

    /// Copies `bytes` to `offset`. What would lie beyond the end is not copied.
    fn copy_in(&mut self, offset: usize, bytes: &[u8]);

    /// Copies from `offset` to `out`, each byte once. What lies beyond the end is not copied.
    fn copy_out(&self, offset: usize, out: &mut [u8]);
}

/// A caller's clock, in ticks of the caller's choice. A function that returns ticks is one.
pub trait Clock {
    /// Ticks since some moment. May wrap around.
    fn ticks(&mut self) -> u64;

    /// Lets a little time pass between two looks at the memory.
    fn pause(&mut self) {
        core::hint::spin_loop();
    }
}

impl<F: FnMut() -> u64> Clock for F {
    fn ticks(&mut self) -> u64 {
        self()
    }
}

/// What the host answers in R10. None of it can be trusted; unknown ones are kept.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct HostStatus(pub u64);

impl HostStatus {
    /// The request was taken.
    pub const SUCCESS: Self = Self(0);
    /// Ask again.
    pub const RETRY: Self = Self(1);
    /// An operand is wrong.
    pub const INVALID_OPERAND: Self = Self(0x8000_0000_0000_0000);
    /// The address is in use.
    pub const GPA_INUSE: Self = Self(0x8000_0000_0000_0001);
    /// An address or size is not aligned.
    pub const ALIGN_ERROR: Self = Self(0x8000_0000_0000_0002);
    /// The host does not have this function.
    pub const SUBFUNC_UNSUPPORTED: Self = Self(0x8000_0000_0000_0003);
}

impl fmt::Display for HostStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match *self {
            Self::SUCCESS => "success",
            Self::RETRY => "retry",
            Self::INVALID_OPERAND => "invalid operand",
            Self::GPA_INUSE => "address in use",
            Self::ALIGN_ERROR => "not aligned",
            Self::SUBFUNC_UNSUPPORTED => "the host offers no quotes this way",
            _ => "unknown status",
        };
        write!(f, "{name} ({:#x})", self.0)
    }
}

/// Status in the shared memory: the host works on it.
pub const STATUS_IN_FLIGHT: u64 = u64::MAX;
/// Status in the shared memory: there is a quote.
pub const STATUS_DONE: u64 = 0;
/// Status in the shared memory: no quote could be made.
pub const STATUS_ERROR: u64 = 0x8000_0000_0000_0000;
/// Status in the shared memory: there is nobody who makes quotes.
pub const STATUS_UNAVAILABLE: u64 = 0x8000_0000_0000_0001;

/// Version in the shared memory.
pub const VERSION: u64 = 1;

/// Bytes before the data in the shared memory.
pub const HEADER: usize = 24;

/// Shared memory that the host is done with.
#[derive(Debug)]
pub struct IdleQuote<M>(M);

impl<M: SharedMemory> IdleQuote<M> {
    /// Takes memory that is not in flight.
    #[must_use]
    pub const fn new(memory: M) -> Self {
        Self(memory)
    }

    /// The memory again.
    pub fn into_memory(self) -> M {
        self.0
    }

    /// Bytes of the largest quote that the memory has room for.
    #[must_use]
    pub fn room(&self) -> usize {
        self.0.size().saturating_sub(HEADER)
    }

    /// Gives a report to the host.
    ///
    /// # Errors
    ///
    /// Without a call [`ErrorKind::NotShared`] and [`ErrorKind::QuoteMemory`]; the host's refusal
    /// ([`ErrorKind::Host`]), also if it says "retry" too often; a status of the module
    /// ([`ErrorKind::Module`]), which would be a mistake of this crate.
    pub fn submit<T: Tdcall>(
        mut self,
        td: &mut Td<T>,
        report: &ReportBuffer,
    ) -> Result<PendingQuote<M>, QuoteFailure<M>> {
        match self.request(td, report) {
            Ok(()) => Ok(PendingQuote(self.0)),
            Err(error) => Err(QuoteFailure { error, memory: QuoteMemory::Idle(self) }),
        }
    }

    fn request<T: Tdcall>(&mut self, td: &mut Td<T>, report: &ReportBuffer) -> Result<(), Error> {
        const PAGE: u64 = 4096;
        let (address, size) = (self.0.address(), self.0.size());
        if !address.is_shared(td.info().shared_bit) {
            return Err(Error::new(ErrorKind::NotShared));
        }
        let unfit = Error::new(ErrorKind::QuoteMemory);
        let size = u64::try_from(size).map_err(|_| unfit)?;
        let whole = address.is_aligned(PAGE) && GuestPhysical(size).is_aligned(PAGE);
        if !whole || self.room() < ReportBuffer::SIZE {
            return Err(unfit);
        }
        let [a, b, c, d] = REPORT_LENGTH;
        let lengths = [a, b, c, d, 0, 0, 0, 0];
        self.0.copy_in(0, &VERSION.to_le_bytes());
        self.0.copy_in(8, &0_u64.to_le_bytes());
        self.0.copy_in(16, &lengths);
        self.0.copy_in(HEADER, report.as_bytes());
        td.request_quote(address, size)
    }
}

/// The length in of a request: a TDREPORT.
const REPORT_LENGTH: [u8; 4] = 1024_u32.to_le_bytes();

/// Shared memory that the host works on.
#[derive(Debug)]
pub struct PendingQuote<M>(M);

impl<M: SharedMemory> PendingQuote<M> {
    /// Looks whether there is a quote, and copies it to `out` if there is.
    pub fn poll(self, out: &mut [u8]) -> Progress<M> {
        let mut header = [0; HEADER];
        self.0.copy_out(0, &mut header);
        let [_, _, _, _, _, _, _, _, status @ .., _, _, _, _, o, p, q, r] = header;
        let status = u64::from_le_bytes(status);
        if status == STATUS_IN_FLIGHT {
            return Progress::Pending(self);
        }
        let idle = IdleQuote(self.0);
        let length = u32::from_le_bytes([o, p, q, r]);
        match finish(&idle, status, length, out) {
            Ok(size) => Progress::Done { size, memory: idle },
            Err(error) => Progress::Failed { error, memory: idle },
        }
    }

    /// Looks until there is a quote, or until `timeout` ticks have passed.
    ///
    /// # Errors
    ///
    /// What [`Progress::Failed`] carries; [`ErrorKind::TimedOut`], and then the memory is still
    /// pending.
    pub fn wait(
        mut self,
        clock: &mut impl Clock,
        timeout: u64,
        out: &mut [u8],
    ) -> Result<(usize, IdleQuote<M>), QuoteFailure<M>> {
        let start = clock.ticks();
        loop {
            // Before the look, so that there is one after the time is up.
            let is_late = clock.ticks().wrapping_sub(start) >= timeout;
            self = match self.poll(out) {
                Progress::Done { size, memory } => return Ok((size, memory)),
                Progress::Failed { error, memory } => {
                    return Err(QuoteFailure { error, memory: QuoteMemory::Idle(memory) });
                }
                Progress::Pending(memory) if is_late => {
                    let error = Error::new(ErrorKind::TimedOut);
                    return Err(QuoteFailure { error, memory: QuoteMemory::Pending(memory) });
                }
                Progress::Pending(memory) => memory,
            };
            clock.pause();
        }
    }
}

/// Copies the quote out, if there is one.
fn finish<M: SharedMemory>(
    memory: &IdleQuote<M>,
    status: u64,
    length: u32,
    out: &mut [u8],
) -> Result<usize, Error> {
    if status != STATUS_DONE {
        return Err(Error::new(ErrorKind::QuoteFailed(status)));
    }
    let wrong = Error::new(ErrorKind::QuoteLength(length));
    let size = usize::try_from(length).map_err(|_| wrong)?;
    if size == 0 || size > memory.room() {
        return Err(wrong);
    }
    let out = out.get_mut(..size).ok_or(Error::from(Refusal::WrongSize))?;
    memory.0.copy_out(HEADER, out);
    Ok(size)
}

/// How far a quote is.
#[derive(Debug)]
pub enum Progress<M> {
    /// The host works on it.
    Pending(PendingQuote<M>),
    /// It is there.
    Done {
        /// Its size in bytes.
        size: usize,
        /// The memory again.
        memory: IdleQuote<M>,
    },
    /// The host is done, and there is no quote: [`ErrorKind::QuoteFailed`],
    /// [`ErrorKind::QuoteLength`]; or there is one and no room for it: `WrongSize`.
    Failed {
        /// Why.
        error: Error,
        /// The memory again.
        memory: IdleQuote<M>,
    },
}

/// Shared memory in either state.
#[derive(Debug)]
pub enum QuoteMemory<M> {
    /// It can be used.
    Idle(IdleQuote<M>),
    /// It is the host's.
    Pending(PendingQuote<M>),
}

/// No quote, and the memory that it should have been in.
#[derive(Debug)]
pub struct QuoteFailure<M> {
    /// Why.
    pub error: Error,
    /// The memory.
    pub memory: QuoteMemory<M>,
}

impl<T: Tdcall> Td<T> {
    /// GetQuote. A host that says "retry" is asked again, as often as a busy module.
    fn request_quote(&mut self, address: GuestPhysical, size: u64) -> Result<(), Error> {
        let mut tries = self.tries();
        loop {
            let status = HostStatus(self.once(Call::quote(address, size))?.r10);
            tries = tries.saturating_sub(1);
            match status {
                HostStatus::SUCCESS => return Ok(()),
                HostStatus::RETRY if tries > 0 => core::hint::spin_loop(),
                _ => return Err(Error::new(ErrorKind::Host(status))),
            }
        }
    }
}

/// Makes quotes, each in one call that waits for it: a [`Reporter`].
///
/// If a quote was not ready in time, the next call waits for that one first, throws it away, and
/// then asks for its own.
#[derive(Debug)]
pub struct Quoter<'t, T, M, C> {
    td: &'t mut Td<T>,
    report: &'t mut ReportBuffer,
    /// `None` only while a call is made.
    memory: Option<QuoteMemory<M>>,
    clock: C,
    timeout: u64,
    room: usize,
}

impl<'t, T: Tdcall, M: SharedMemory, C: Clock> Quoter<'t, T, M, C> {
    /// Quotes of this TD. `timeout` is in the clock's ticks.
    pub fn new(
        td: &'t mut Td<T>,
        report: &'t mut ReportBuffer,
        memory: IdleQuote<M>,
        clock: C,
        timeout: u64,
    ) -> Self {
        let room = memory.room();
        Self { td, report, memory: Some(QuoteMemory::Idle(memory)), clock, timeout, room }
    }

    /// The memory again, in its state.
    pub fn into_memory(self) -> Option<QuoteMemory<M>> {
        self.memory
    }

    /// A quote over `data` in `out`; gives its size in bytes.
    ///
    /// # Errors
    ///
    /// As [`Td::report`], [`IdleQuote::submit`] and [`PendingQuote::wait`].
    pub fn quote(&mut self, data: &ReportData, out: &mut [u8]) -> Result<usize, Error> {
        let lost = Error::from(Refusal::Unavailable);
        let idle = match self.memory.take().ok_or(lost)? {
            QuoteMemory::Idle(idle) => idle,
            QuoteMemory::Pending(pending) => {
                match pending.wait(&mut self.clock, self.timeout, &mut []) {
                    Ok((_, idle)) => idle,
                    Err(QuoteFailure { memory: QuoteMemory::Idle(idle), .. }) => idle,
                    Err(failure) => return self.fail(failure),
                }
            }
        };
        if let Err(error) = self.td.report(self.report, data) {
            return self.fail(QuoteFailure { error, memory: QuoteMemory::Idle(idle) });
        }
        let pending = match idle.submit(self.td, self.report) {
            Ok(pending) => pending,
            Err(failure) => return self.fail(failure),
        };
        match pending.wait(&mut self.clock, self.timeout, out) {
            Ok((size, idle)) => {
                self.memory = Some(QuoteMemory::Idle(idle));
                Ok(size)
            }
            Err(failure) => self.fail(failure),
        }
    }

    fn fail(&mut self, failure: QuoteFailure<M>) -> Result<usize, Error> {
        self.memory = Some(failure.memory);
        Err(failure.error)
    }
}

impl<T: Tdcall, M: SharedMemory, C: Clock> Reporter for Quoter<'_, T, M, C> {
    type Error = Error;

    fn user_data_size(&mut self) -> usize {
        ReportData::SIZE
    }

    fn report_size(&mut self) -> usize {
        self.room
    }

    fn report(&mut self, user_data: &[u8], out: &mut [u8]) -> Result<usize, Error> {
        let data = ReportData::padded(user_data).ok_or(Refusal::WrongSize)?;
        self.quote(&data, out)
    }
}
