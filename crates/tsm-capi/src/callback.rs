// SPDX-License-Identifier: MIT OR Apache-2.0
//! The caller's callbacks as a provider of one register.

use core::ffi::c_void;
use core::fmt;

use tsm_core::provider::{self, check_extend, check_read};
use tsm_core::{
    Algorithm, Banks, Digest, ErrorKind, Initial, Powers, Presentation, Provider, Register,
    RegisterId, Value,
};

use crate::digest::{TSM_MAX_DIGEST, tsm_digest};
use crate::memory::{self, Plain};
use crate::register::{TSM_MAX_BANKS, table, tsm_register};
use crate::status::{
    Result, TSM_ERR_NO_SUCH_REGISTER, TSM_ERR_NULL, TSM_OK, of_kind, provider_kind, tsm_status,
};

/// Extends a register of the platform in the bank of each digest: `value = H(value || digest)`.
///
/// `index` is the register's place in the table, `digests` are `count` digests (at least one) of
/// distinct banks in the register's order, only valid during the call. The callback extends all of
/// them and returns `TSM_OK`, or none and returns one of the codes from `TSM_ERR_NO_SUCH_REGISTER`
/// to `TSM_ERR_UNAVAILABLE`. When in doubt it returns `TSM_ERR_STATE_UNKNOWN`: a log can tell a
/// doubtful extension, but not one that was denied and took place. So any other code is taken for
/// `TSM_ERR_STATE_UNKNOWN` too.
///
/// It must not call back with the handle that called it (it would get `TSM_ERR_REENTERED`), must
/// not change the log's buffer or the memory that the caller gave to that call, and must return:
/// neither longjmp nor an exception may leave it.
pub type tsm_extend_fn = Option<
    unsafe extern "C" fn(
        context: *mut c_void,
        index: usize,
        digests: *const tsm_digest,
        count: usize,
    ) -> tsm_status,
>;

/// Reads a register of the platform.
///
/// `value->algorithm` says which bank; the callback writes its value to `value->bytes` and returns
/// `TSM_OK`, or one of the codes from `TSM_ERR_NO_SUCH_REGISTER` to `TSM_ERR_UNAVAILABLE`. Any other
/// code is taken for `TSM_ERR_FAILED`. Otherwise as `tsm_extend_fn`.
pub type tsm_read_fn = Option<
    unsafe extern "C" fn(context: *mut c_void, index: usize, value: *mut tsm_digest) -> tsm_status,
>;

/// What offers registers: a table of descriptions and two callbacks.
///
/// `tsm_log_init` takes from it what the log needs. The structure and the table may go afterwards;
/// what the callbacks and `context` are must stay as long as the log is used.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct tsm_provider {
    /// The registers. `tsm_registers_check` checks all of them; making a log checks the one that
    /// is used.
    pub registers: *const tsm_register,
    /// How many there are.
    pub count: usize,
    /// Extends a register.
    pub extend: tsm_extend_fn,
    /// Reads a register.
    pub read: tsm_read_fn,
    /// Handed to the callbacks as it is. May be NULL.
    pub context: *mut c_void,
}

// SAFETY: pointers, an integer, and function pointers that may be NULL. Any address is a valid
// value of a function pointer that is not NULL; that it is a function is the contract of a call.
unsafe impl Plain for tsm_provider {}

/// One register behind callbacks, known as `ID`.
pub(crate) struct Callbacks {
    banks: Banks,
    powers: Powers,
    initial: Initial,
    index: usize,
    extend: unsafe extern "C" fn(*mut c_void, usize, *const tsm_digest, usize) -> tsm_status,
    read: unsafe extern "C" fn(*mut c_void, usize, *mut tsm_digest) -> tsm_status,
    context: *mut c_void,
}

/// The id of the only register.
pub(crate) const ID: RegisterId = RegisterId(0);

impl Callbacks {
    /// The register at `index` of `provider`'s table.
    ///
    /// # Safety
    ///
    /// The table is readable, with names as [`tsm_register::register`] asks; the callbacks may be
    /// called with the context for as long as this value is used, and keep their contract.
    pub(crate) unsafe fn of(provider: &tsm_provider, index: usize) -> Result<Self> {
        let extend = provider.extend.ok_or(TSM_ERR_NULL)?;
        let read = provider.read.ok_or(TSM_ERR_NULL)?;
        // SAFETY: the caller vouches for the table.
        let table = unsafe { table(provider.registers, provider.count) }?;
        let entry = table.get(index).ok_or(TSM_ERR_NO_SUCH_REGISTER)?;
        // SAFETY: the caller vouches for the names.
        let register = unsafe { entry.register() }?;
        let (banks, powers, initial) = (register.banks(), register.powers, register.initial);
        Ok(Self { banks, powers, initial, index, extend, read, context: provider.context })
    }
}

/// A callback failed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CallbackError {
    pub(crate) kind: ErrorKind,
    /// What the callback returned; `TSM_OK` if it was not called.
    pub(crate) code: tsm_status,
}

impl fmt::Display for CallbackError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.kind, f)
    }
}

impl core::error::Error for CallbackError {}

impl provider::Error for CallbackError {
    fn kind(&self) -> ErrorKind {
        self.kind
    }
}

impl From<ErrorKind> for CallbackError {
    fn from(kind: ErrorKind) -> Self {
        Self { kind, code: TSM_OK }
    }
}

impl From<CallbackError> for tsm_status {
    fn from(error: CallbackError) -> Self {
        of_kind(error.kind)
    }
}

/// A callback's answer; a code that no provider has is taken for `otherwise`.
fn answer(code: tsm_status, otherwise: ErrorKind) -> core::result::Result<(), CallbackError> {
    if code == TSM_OK {
        return Ok(());
    }
    Err(CallbackError { kind: provider_kind(code).unwrap_or(otherwise), code })
}

impl Provider for Callbacks {
    type Error = CallbackError;

    fn name(&self) -> &str {
        ""
    }

    fn describe(&self, id: RegisterId) -> Option<Register<'_>> {
        (id == ID).then_some(Register {
            // Nothing asks for the name: the log knows its register by id.
            name: "",
            value: Value::Banks(self.banks),
            powers: self.powers,
            initial: self.initial,
            presentation: Presentation::Directory,
        })
    }

    fn read(
        &mut self,
        id: RegisterId,
        bank: Option<Algorithm>,
        out: &mut [u8],
    ) -> core::result::Result<(), CallbackError> {
        check_read(self.describe(id).as_ref(), bank, out)?;
        let bank = bank.ok_or(ErrorKind::NoSuchBank)?;
        let mut value = tsm_digest { algorithm: bank.tpm_id(), bytes: [0; TSM_MAX_DIGEST] };
        let target = &raw mut value;
        // SAFETY: `Callbacks::of` was promised that the callback may be called with this context.
        // The target lives on this stack until the call returns.
        let code = unsafe { (self.read)(self.context, self.index, target) };
        answer(code, ErrorKind::Failed)?;
        for (to, from) in out.iter_mut().zip(value.bytes) {
            *to = from;
        }
        Ok(())
    }

    fn extend(
        &mut self,
        id: RegisterId,
        digests: &[Digest],
    ) -> core::result::Result<(), CallbackError> {
        check_extend(self.describe(id).as_ref(), digests)?;
        let mut list = [tsm_digest::NONE; TSM_MAX_BANKS];
        for (to, from) in list.iter_mut().zip(digests) {
            *to = tsm_digest::of(from);
        }
        let (list, count) = (list.as_ptr(), digests.len());
        // SAFETY: `Callbacks::of` was promised that the callback may be called with this context.
        // The list lives on this stack until the call returns, and has `count` entries: by
        // `check_extend` there are not more digests than banks.
        let code = unsafe { (self.extend)(self.context, self.index, list, count) };
        answer(code, ErrorKind::StateUnknown)
    }
}

/// The provider's description at `from`.
///
/// # Safety
///
/// As [`memory::read`].
pub(crate) unsafe fn provider(from: *const tsm_provider) -> Result<tsm_provider> {
    // SAFETY: the caller vouches for it.
    unsafe { memory::read(from) }
}
