// SPDX-License-Identifier: MIT OR Apache-2.0
//! The calls that a TD makes of its module: decoded, checked, retried.

use tsm_core::index::RtmrIndex;

use crate::address::SharedBit;
use crate::buffer::{ExtendBuffer, MacBuffer, ReportBuffer, ReportData};
use crate::call::{Call, Registers, Tdcall};
use crate::error::{Error, ErrorKind};
use crate::layout::Attributes;
use crate::leaf::FieldId;
use crate::status::{Status, StatusCode};

/// What `TDG.VP.INFO` tells.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct VpInfo {
    /// GPAW: width of guest-physical addresses in bits, 48 or 52.
    pub address_width: u8,
    /// The bit that marks shared memory.
    pub shared_bit: SharedBit,
    /// ATTRIBUTES of the TD.
    pub attributes: Attributes,
    /// Virtual processors that run.
    pub vcpus: u32,
    /// Virtual processors that there can be.
    pub max_vcpus: u32,
    /// Number of the one that asked.
    pub vcpu_index: u32,
    /// Whether the module has `TDG.SYS.RD`.
    pub has_sys_rd: bool,
}

impl VpInfo {
    /// Reads the registers after the call (TDX module 1.5.01, `tdg_vp_info.c`); `None` if the
    /// address width is one that no TD has.
    fn decode(registers: &Registers) -> Option<Self> {
        let [width, ..] = (registers.rcx & 0x3F).to_le_bytes();
        let low = |word: u64| {
            let [a, b, c, d, ..] = word.to_le_bytes();
            u32::from_le_bytes([a, b, c, d])
        };
        Some(Self {
            address_width: width,
            shared_bit: SharedBit::of_width(width)?,
            attributes: Attributes::from_bits(registers.rdx),
            vcpus: low(registers.r8),
            max_vcpus: low(registers.r8 >> 32),
            vcpu_index: low(registers.r9),
            has_sys_rd: registers.r10 & 1 == 1,
        })
    }
}

/// A TD's own module.
///
/// Buffers must lie in private memory: a report in shared memory could be altered by the host
/// before it is read, and the module refuses other operands there. This refuses them all before
/// the call.
///
/// ```
/// # use tsm_tdx::{Call, Error, Registers, RtmrIndex, Td, Tdcall, ExtendBuffer};
/// fn measure(module: impl Tdcall, digest: &[u8; 48]) -> Result<(), Error> {
///     let mut td = Td::new(module)?;
///     td.extend(RtmrIndex::RTMR3, &ExtendBuffer::new(digest))
/// }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Td<T> {
    module: T,
    info: VpInfo,
    tries: u16,
}

impl<T: Tdcall> Td<T> {
    /// How often a call is made before a busy module is given up, unless
    /// [`with_tries`](Self::with_tries) says otherwise. The module itself waits for the host's locks
    /// up to a second (TDX module 1.5.01, `HP_LOCK_TIMEOUT`) before it says so.
    pub const TRIES: u16 = 64;

    /// Asks the module what kind of TD this is.
    ///
    /// # Errors
    ///
    /// The call's; [`ErrorKind::AddressWidth`].
    pub fn new(mut module: T) -> Result<Self, Error> {
        let registers = module.call(Call::vp_info())?;
        checked(registers.status())?;
        let info = VpInfo::decode(&registers).ok_or(Error::new(ErrorKind::AddressWidth))?;
        Ok(Self { module, info, tries: Self::TRIES })
    }

    /// The same, but a busy module is asked so often; at least once.
    #[must_use]
    pub fn with_tries(mut self, tries: u16) -> Self {
        self.tries = tries;
        self
    }

    /// How often a busy module is asked.
    pub(crate) const fn tries(&self) -> u16 {
        self.tries
    }

    /// What the module told at the beginning.
    #[must_use]
    pub const fn info(&self) -> &VpInfo {
        &self.info
    }

    /// What answers the calls.
    pub const fn module_mut(&mut self) -> &mut T {
        &mut self.module
    }

    /// What answers the calls.
    pub fn into_module(self) -> T {
        self.module
    }

    /// Makes a call, once. Its buffers must be private.
    ///
    /// Not inlined: a call is large, and all leaves share this.
    #[inline(never)]
    pub(crate) fn once(&mut self, call: Call<'_>) -> Result<Answer, Error> {
        let registers = self.module.call(call.private(self.info.shared_bit))?;
        checked(registers.status())?;
        Ok(Answer { r8: registers.r8, r10: registers.r10 })
    }

    /// `TDG.MR.RTMR.EXTEND`: `RTMR[index] = SHA384(RTMR[index] || buffer)`.
    ///
    /// Every success extends once more: do not repeat it, and do not repeat it after an error
    /// either, but for [`Busy`](tsm_core::ErrorKind::Busy). Busy is the only thing that is
    /// retried here, up to the number of [`tries`](Self::with_tries); the module then has done
    /// nothing. Of a wrong operand the module tells before it changes anything, too. After any other
    /// status nobody knows ([`ErrorKind::InDoubt`]); the register must be read.
    ///
    /// A buffer in memory that has not been accepted raises #VE or leaves the TD instead of failing.
    ///
    /// # Errors
    ///
    /// As above; and those of [`Tdcall::call`].
    pub fn extend(&mut self, index: RtmrIndex, buffer: &ExtendBuffer) -> Result<(), Error> {
        let mut tries = self.tries;
        loop {
            let result = self.once(Call::rtmr_extend(buffer, index));
            if !again(&mut tries, &result) {
                return result.map(drop).map_err(in_doubt);
            }
        }
    }

    /// `TDG.MR.REPORT`: a report over all measurement registers, and `data`, in `out`. The values
    /// in it are of one moment. If the module is busy it is asked again.
    ///
    /// # Errors
    ///
    /// The module's status; those of [`Tdcall::call`].
    pub fn report(&mut self, out: &mut ReportBuffer, data: &ReportData) -> Result<(), Error> {
        let mut tries = self.tries;
        loop {
            let result = self.once(Call::report(out, data));
            if !again(&mut tries, &result) {
                return result.map(drop);
            }
        }
    }

    /// `TDG.MR.VERIFYREPORT`: whether a report was made on this machine, by its TDX module.
    ///
    /// Only the 256 bytes are verified. That the report's other parts are those whose hashes stand in
    /// them is what [`TdReport::parse`](crate::TdReport::parse) checks: it takes both.
    ///
    /// # Errors
    ///
    /// The module's status: [`StatusCode::INVALID_REPORTMACSTRUCT`] if the MAC is wrong,
    /// [`StatusCode::INVALID_CPUSVN`] if the report is of another CPU or microcode;
    /// [`StatusCode::OPERAND_INVALID`] of operand RAX if the CPU cannot verify. Those of
    /// [`Tdcall::call`].
    pub fn verify_report(&mut self, mac: &MacBuffer) -> Result<(), Error> {
        let mut tries = self.tries;
        loop {
            let result = self.once(Call::verify_report(mac));
            if !again(&mut tries, &result) {
                return result.map(drop);
            }
        }
    }

    /// `TDG.VM.RD`: 8 bytes of a field of the TD.
    ///
    /// # Errors
    ///
    /// The module's status; of a field that this module does not have,
    /// [`StatusCode::METADATA_FIELD_ID_INCORRECT`].
    pub fn vm_read(&mut self, field: FieldId) -> Result<u64, Error> {
        let mut tries = self.tries;
        loop {
            let result = self.once(Call::vm_read(field));
            if !again(&mut tries, &result) {
                return result.map(|answer| answer.r8);
            }
        }
    }

    /// `TDG.SYS.RD`: 8 bytes of a field of the module.
    ///
    /// # Errors
    ///
    /// The module's status. Without a call, [`StatusCode::OPERAND_INVALID`] of operand RAX, as an
    /// old module would answer, if [`VpInfo::has_sys_rd`] is not set.
    pub fn sys_read(&mut self, field: FieldId) -> Result<u64, Error> {
        if !self.info.has_sys_rd {
            let status = Status::new(StatusCode::OPERAND_INVALID, crate::status::OperandId::RAX);
            return Err(Error::module(status));
        }
        let mut tries = self.tries;
        loop {
            let result = self.once(Call::sys_read(field));
            if !again(&mut tries, &result) {
                return result.map(|answer| answer.r8);
            }
        }
    }

    /// 48 bytes of the TD, word by word, for fields that do not change.
    ///
    /// # Errors
    ///
    /// As [`vm_read`](Self::vm_read).
    pub fn vm_read_48(&mut self, first: FieldId) -> Result<[u8; 48], Error> {
        let mut value = [0; 48];
        let (words, _) = value.as_chunks_mut::<8>();
        for (word, n) in words.iter_mut().zip(0..) {
            *word = self.vm_read(first.element(n))?.to_le_bytes();
        }
        Ok(value)
    }

    /// An RTMR, word by word, without a report.
    ///
    /// The module takes no lock for that (so its source is read here; not tried on hardware): if
    /// another processor extends the register meanwhile, the words are of different values. So it is
    /// read until two readings in a row are equal. [`report`](Self::report) has all registers of one
    /// moment. Neither the host nor anybody else vouches for the value: it is for the TD's own use.
    ///
    /// # Errors
    ///
    /// As [`vm_read`](Self::vm_read); [`ErrorKind::Torn`] if no two readings were equal.
    pub fn read_rtmr(&mut self, index: RtmrIndex) -> Result<[u8; 48], Error> {
        /// Readings before it is given up. Extensions take far longer than six words.
        const READINGS: u8 = 8;
        let mut before = self.vm_read_48(FieldId::rtmr(index))?;
        for _ in 1..READINGS {
            let now = self.vm_read_48(FieldId::rtmr(index))?;
            if now == before {
                return Ok(now);
            }
            before = now;
        }
        Err(Error::new(ErrorKind::Torn))
    }

    /// Most bytes that a quote of this TD has, if the module knows: QUOTE_MAX_SIZE, newer modules
    /// only. The 24 bytes of GetQuote's header come on top. (From a series of patches for Linux of
    /// June 2026; not tried.)
    ///
    /// # Errors
    ///
    /// As [`vm_read`](Self::vm_read), but for the field's absence.
    pub fn quote_max_size(&mut self) -> Result<Option<u64>, Error> {
        let result = self.vm_read(FieldId::QUOTE_MAX_SIZE);
        let code = result.err().and_then(|error| error.status()).map(Status::code);
        match (result, code) {
            (_, Some(StatusCode::METADATA_FIELD_ID_INCORRECT)) => Ok(None),
            (result, _) => result.map(Some),
        }
    }
}

/// What leaves give besides RAX, but for VP.INFO.
#[derive(Clone, Copy)]
pub(crate) struct Answer {
    r8: u64,
    /// The host's.
    pub(crate) r10: u64,
}

/// The status as a result.
fn checked(status: Status) -> Result<(), Error> {
    if status.is_success() { Ok(()) } else { Err(Error::module(status)) }
}

/// Whether to try again: the module was busy, and it has not been often.
fn again(tries: &mut u16, result: &Result<Answer, Error>) -> bool {
    *tries = tries.saturating_sub(1);
    let again = *tries > 0 && result.is_err_and(|error| error.is_busy());
    if again {
        core::hint::spin_loop();
    }
    again
}

/// What an error of an extension means: only some statuses are known to come before it.
fn in_doubt(error: Error) -> Error {
    let Some(status) = error.status() else { return error };
    match status.code() {
        StatusCode::OPERAND_INVALID | StatusCode::OPERAND_ADDR_RANGE_ERROR => error,
        _ if status.is_busy() => error,
        _ => Error::in_doubt(status),
    }
}
