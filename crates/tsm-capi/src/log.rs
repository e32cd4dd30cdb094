// SPDX-License-Identifier: MIT OR Apache-2.0
//! The record log of a register, in a buffer of the caller.

use core::ffi::c_void;

use tsm_core::log::{Cause, OpenError, RecordLog};
use tsm_core::provider::Error as _;
use tsm_core::{Limits, Powers, Provider as _};

use crate::callback::{Callbacks, ID, provider, tsm_provider};
use crate::digest::{Digests, tsm_digest};
use crate::handle::{self, State};
use crate::memory::{self, Region, disjoint};
use crate::replay::tsm_position;
use crate::status::{
    Result, TSM_ERR_NO_SPACE, TSM_ERR_NO_SUCH_REGISTER, TSM_ERR_NOT_PERMITTED, TSM_ERR_OTHER,
    TSM_ERR_RECORD_TOO_LONG, TSM_ERR_RESERVED, TSM_ERR_STATE_UNKNOWN, TSM_ERR_TOO_SMALL, TSM_OK,
    code, of_kind, of_log, tsm_status,
};
use crate::storage::Buffer;

/// Longest record in bytes, unless told otherwise: the page of the kernel RFC.
pub const TSM_RECORD_LIMIT: usize = 4096;

/// Size of `tsm_log` in units of eight bytes.
pub const TSM_LOG_WORDS: usize = 16;

/// The log of one register: a handle.
///
/// Its memory is the caller's, its content the library's. Initialise it with `tsm_log_init` or
/// `tsm_log_open`. It must not be copied or moved after that (the copy is refused), and one thread
/// at a time may use it. There is nothing to release: when it is no longer used, forget it.
#[repr(C)]
pub struct tsm_log {
    /// Not for you.
    pub opaque: [u64; TSM_LOG_WORDS],
}

struct Log {
    register: Callbacks,
    log: RecordLog<Buffer>,
}

impl State for Log {
    const WORD: u64 = 0x7473_6D2E_6C6F_6701;
    type Handle = tsm_log;
}

/// What an append did, whether it succeeded or not.
#[derive(Clone, Copy, Default)]
#[repr(C)]
pub struct tsm_appended {
    /// How many of the caller's records are extended and in the log.
    pub records: u32,
    /// 1 if a SYNC record was written before them (known only if the append succeeded), else 0.
    pub synced: u32,
    /// If it failed: the offset in the caller's lines of the line that failed.
    pub offset: usize,
    /// If a callback failed: what it returned. Else `TSM_OK`.
    pub callback: tsm_status,
}

/// How a log stands.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct tsm_log_info {
    /// The log's size in bytes.
    pub size: usize,
    /// The buffer's size in bytes.
    pub capacity: usize,
    /// 1 if the log's records lead to the register's value as far as the log knows, else 0: then
    /// the next append writes a SYNC record first.
    pub in_sync: u32,
}

/// Makes an empty log for the register at `index` of the provider's table.
///
/// The first append captures the register's value in a SYNC record. `buffer` holds the log and is
/// the library's until the log is no longer used: nobody else may write to it, and reading it is
/// fine whenever no call is in progress. `record_limit` is the longest record in bytes; 0 stands for
/// `TSM_RECORD_LIMIT`.
///
/// Returns what is wrong with the register's description (see `tsm_registers_check`),
/// `TSM_ERR_NO_SUCH_REGISTER` for an index beyond the table, `TSM_ERR_NOT_PERMITTED` for a register
/// that cannot be read and extended, `TSM_ERR_NULL` for a missing callback, or what is wrong with
/// another pointer; `TSM_ERR_OVERLAP` if log, buffer and provider (with its table) overlap. Then the
/// log is not initialised.
///
/// # Safety
///
/// `log` is writable; `provider` and its table are readable, with names as `tsm_registers_check`
/// asks; `buffer` is readable and writable for `size` bytes for as long as the log is used (it may
/// be NULL if that is 0); the callbacks keep their contract.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tsm_log_init(
    log: *mut tsm_log,
    provider: *const tsm_provider,
    index: usize,
    buffer: *mut c_void,
    size: usize,
    record_limit: usize,
) -> tsm_status {
    let init = || {
        // SAFETY: the caller vouches for all of it.
        let (register, buffer) = unsafe { parts(log, provider, index, buffer, size, 0) }?;
        let state = Log { register, log: RecordLog::new(buffer, limits(record_limit)) };
        // SAFETY: the caller vouches for the handle.
        unsafe { handle::init(log, state) }
    };
    code(init())
}

/// Makes a log that continues the `content` bytes that are in the buffer already, for example one
/// that an earlier boot stage wrote.
///
/// The log is in sync if the content, replayed from the register's initial value, leads to the
/// value that the read callback gives. If it does not, the next append says so with a SYNC record:
/// whether the content explains the register is the verifier's question. If the content is
/// malformed, its place is written to `at` (which may be NULL) and the status says what is wrong.
/// After `TSM_ERR_LOG_TORN`, open again with `at->offset` as `content`.
///
/// Otherwise as `tsm_log_init`. `TSM_ERR_TOO_SMALL` if `content` is larger than `size`; the read
/// callback's error.
///
/// # Safety
///
/// As `tsm_log_init`; the first `content` bytes of `buffer` are initialised; `at` is NULL or
/// writable.
#[unsafe(no_mangle)]
#[allow(clippy::too_many_arguments, reason = "C has no defaults; a structure would not be clearer")]
pub unsafe extern "C" fn tsm_log_open(
    log: *mut tsm_log,
    provider: *const tsm_provider,
    index: usize,
    buffer: *mut c_void,
    size: usize,
    content: usize,
    record_limit: usize,
    at: *mut tsm_position,
) -> tsm_status {
    let open = || {
        let written = [Region::optional(at)?, Region::one(log)?];
        disjoint(&written, &[Region::of(buffer.cast::<u8>(), size)?])?;
        // SAFETY: the caller vouches for all of it.
        let (mut register, buffer) = unsafe { parts(log, provider, index, buffer, size, content) }?;
        let opened = RecordLog::open(buffer, limits(record_limit), &mut register, ID, &mut []);
        let log_content = match opened {
            Ok(log) => log,
            Err(OpenError::Log(error)) => {
                let place = tsm_position { record: 0, line: error.line, offset: error.offset };
                // SAFETY: the caller vouches for `at`.
                unsafe { memory::write_optional(at, place) }?;
                return Err(of_log(error.kind));
            }
            Err(OpenError::Provider(error)) => return Err(error.into()),
            Err(OpenError::NoRegister) => return Err(TSM_ERR_NO_SUCH_REGISTER),
            Err(_) => return Err(TSM_ERR_OTHER),
        };
        // SAFETY: the caller vouches for the handle.
        unsafe { handle::init(log, Log { register, log: log_content }) }
    };
    code(open())
}

/// The checks and the parts that both ways to a log share.
///
/// # Safety
///
/// As [`tsm_log_init`] and [`tsm_log_open`].
unsafe fn parts(
    log: *mut tsm_log,
    from: *const tsm_provider,
    index: usize,
    buffer: *mut c_void,
    size: usize,
    content: usize,
) -> Result<(Callbacks, Buffer)> {
    let buffer = buffer.cast::<u8>();
    // SAFETY: the caller vouches for the provider.
    let provider = unsafe { provider(from) }?;
    let written = [Region::one(log)?, Region::of(buffer, size)?];
    let table = Region::of(provider.registers, provider.count)?;
    disjoint(&written, &[Region::one(from)?, table])?;
    // SAFETY: the caller vouches for table, names and callbacks.
    let register = unsafe { Callbacks::of(&provider, index) }?;
    let usable = Powers::READ | Powers::EXTEND;
    if !register.describe(ID).is_some_and(|r| r.powers.contains(usable)) {
        return Err(TSM_ERR_NOT_PERMITTED);
    }
    // SAFETY: the caller vouches for the buffer for as long as the log is used. What is handed to
    // the buffer's methods is checked for overlap with it, or on the stack.
    let buffer = unsafe { Buffer::new(buffer, size, content) }.ok_or(TSM_ERR_TOO_SMALL)?;
    Ok((register, buffer))
}

pub(crate) const fn limits(record_limit: usize) -> Limits {
    Limits::DEFAULT.record(if record_limit == 0 { TSM_RECORD_LIMIT } else { record_limit })
}

/// Where the handle and its buffer lie.
fn regions(handle: *mut tsm_log, log: &Log) -> Result<[Region; 2]> {
    let buffer = log.log.storage();
    Ok([Region::one(handle)?, Region::of(buffer.start(), buffer.capacity())?])
}

/// Appends lines: each record is hashed, the register is extended with it, and the line is stored,
/// in that order.
///
/// `lines` are separated by LF or CR; blank ones and white space at the ends of a line are dropped;
/// lines that begin with `#` are stored and not hashed. All of it is checked, room included, before
/// anything is extended. `done` (which may be NULL) says what was done, after an error too.
///
/// Returns before anything was extended: `TSM_ERR_RECORD_TOO_LONG`, `TSM_ERR_RESERVED` (a line that
/// begins with `SYNC` or `# .EXTEND`), `TSM_ERR_NO_SPACE`, or what is wrong with a pointer. Returns a
/// callback's error: the records before the one that failed are extended and in the log, and the
/// rest is neither; after `TSM_ERR_STATE_UNKNOWN` the log is out of sync, which the next append
/// records.
///
/// # Safety
///
/// `log` is an initialised log and its buffer is still there; `lines` is readable for `size` bytes
/// (it may be NULL if that is 0) and nobody changes it during the call; `done` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tsm_log_append(
    log: *mut tsm_log,
    lines: *const c_void,
    size: usize,
    done: *mut tsm_appended,
) -> tsm_status {
    let handle = log;
    let lines = lines.cast::<u8>();
    let append = |log: &mut Log| {
        let [handle, buffer] = regions(handle, log)?;
        let input = Region::of(lines, size)?;
        disjoint(&[handle, buffer, Region::optional(done)?], &[input])?;
        // SAFETY: the caller vouches for the lines.
        let input = unsafe { memory::slice(lines, size) }?;
        let mut what = tsm_appended::default();
        let result = match log.log.append(&mut log.register, ID, input) {
            Ok(appended) => {
                what.records = appended.records;
                what.synced = u32::from(appended.synced);
                Ok(())
            }
            Err(error) => {
                what.records = error.record;
                what.offset = error.offset;
                Err(failed(&error.cause, &mut what.callback))
            }
        };
        // SAFETY: the caller vouches for `done`, which overlaps nothing.
        unsafe { memory::write_optional(done, what) }?;
        result
    };
    // SAFETY: the caller vouches for the handle.
    code(unsafe { handle::with(log, append) })
}

fn failed<S>(cause: &Cause<crate::callback::CallbackError, S>, code: &mut u32) -> tsm_status {
    match cause {
        Cause::TooLong => TSM_ERR_RECORD_TOO_LONG,
        Cause::Reserved => TSM_ERR_RESERVED,
        Cause::Full => TSM_ERR_NO_SPACE,
        Cause::NoLog => TSM_ERR_NO_SUCH_REGISTER,
        Cause::Refused(kind) => of_kind(*kind),
        Cause::Provider(error) => {
            *code = error.code;
            of_kind(error.kind())
        }
        Cause::Storage(_) => TSM_ERR_STATE_UNKNOWN,
        _ => TSM_ERR_OTHER,
    }
}

/// Extends the register past its log (an "off-log extension") and notes that in the log, which is
/// out of sync from then on.
///
/// `digests` are `count` digests of distinct banks in the register's order, at least one. The
/// register must be described with `TSM_DIRECT`. If the callback fails, what it returned is written
/// to `callback` (which may be NULL).
///
/// Returns before anything was extended: `TSM_ERR_NO_SPACE`, `TSM_ERR_NOT_PERMITTED`,
/// `TSM_ERR_NO_SUCH_BANK`, `TSM_ERR_INVALID_INPUT` (no digest, or not in order),
/// `TSM_ERR_DOUBLE_BANK` (more digests than there are algorithms), `TSM_ERR_ALGORITHM`, or what is
/// wrong with a pointer. Returns the callback's error.
///
/// # Safety
///
/// `log` is an initialised log and its buffer is still there; `digests` is readable for `count`
/// digests (it may be NULL if that is 0); `callback` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tsm_log_extend(
    log: *mut tsm_log,
    digests: *const tsm_digest,
    count: usize,
    callback: *mut tsm_status,
) -> tsm_status {
    let handle = log;
    let extend = |log: &mut Log| {
        let [handle, buffer] = regions(handle, log)?;
        let input = Region::of(digests, count)?;
        disjoint(&[handle, buffer, Region::optional(callback)?], &[input])?;
        // SAFETY: the caller vouches for the digests.
        let digests = Digests::of(unsafe { memory::slice(digests, count) }?)?;
        let mut answered = TSM_OK;
        let result = log.log.extend_off_log(&mut log.register, ID, digests.as_slice());
        let result = result.map_err(|error| failed(&error.cause, &mut answered));
        // SAFETY: the caller vouches for `callback`, which overlaps nothing.
        unsafe { memory::write_optional(callback, answered) }?;
        result
    };
    // SAFETY: the caller vouches for the handle.
    code(unsafe { handle::with(log, extend) })
}

/// Tells the log that somebody else may have extended the register: the next append captures its
/// value.
///
/// # Safety
///
/// `log` is an initialised log.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tsm_log_invalidate(log: *mut tsm_log) -> tsm_status {
    let invalidate = |log: &mut Log| {
        log.log.invalidate();
        Ok(())
    };
    // SAFETY: the caller vouches for the handle.
    code(unsafe { handle::with(log, invalidate) })
}

/// Says how a log stands.
///
/// # Safety
///
/// `log` is an initialised log and `info` is writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tsm_log_status(log: *mut tsm_log, info: *mut tsm_log_info) -> tsm_status {
    let handle = log;
    let status = |log: &mut Log| {
        let [handle, buffer] = regions(handle, log)?;
        disjoint(&[Region::one(info)?, handle, buffer], &[])?;
        let buffer = log.log.storage();
        let (size, capacity) = (buffer.len(), buffer.capacity());
        let in_sync = u32::from(log.log.in_sync());
        // SAFETY: the caller vouches for `info`, which overlaps nothing.
        unsafe { memory::write(info, tsm_log_info { size, capacity, in_sync }) }
    };
    // SAFETY: the caller vouches for the handle.
    code(unsafe { handle::with(log, status) })
}

/// Where the log is: `*bytes` is its first byte (in the caller's buffer), `*size` its size.
///
/// The bytes do not change until something is appended, and then only behind `*size`.
///
/// # Safety
///
/// `log` is an initialised log; `bytes` and `size` are writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tsm_log_bytes(
    log: *mut tsm_log,
    bytes: *mut *const c_void,
    size: *mut usize,
) -> tsm_status {
    let handle = log;
    let give = |log: &mut Log| {
        let [handle, buffer] = regions(handle, log)?;
        disjoint(&[Region::one(bytes)?, Region::one(size)?, handle, buffer], &[])?;
        let buffer = log.log.storage();
        // SAFETY: the caller vouches for `bytes`, which overlaps nothing.
        unsafe { memory::write(bytes, buffer.start().cast_const().cast()) }?;
        // SAFETY: the caller vouches for `size`, which overlaps nothing.
        unsafe { memory::write(size, buffer.len()) }
    };
    // SAFETY: the caller vouches for the handle.
    code(unsafe { handle::with(log, give) })
}

/// Copies the log from `offset` on to `out`, as much as there is and `size` bytes have room for, and
/// writes how much that was to `copied`. At the end of the log and behind it that is 0.
///
/// # Safety
///
/// `log` is an initialised log and its buffer is still there; `out` is writable for `size` bytes (it
/// may be NULL if that is 0) and `copied` is writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tsm_log_copy(
    log: *mut tsm_log,
    offset: usize,
    out: *mut c_void,
    size: usize,
    copied: *mut usize,
) -> tsm_status {
    let handle = log;
    let out = out.cast::<u8>();
    let copy = |log: &mut Log| {
        let [handle, buffer] = regions(handle, log)?;
        disjoint(&[Region::of(out, size)?, Region::one(copied)?, handle, buffer], &[])?;
        let rest = log.log.storage().as_bytes().get(offset..).unwrap_or_default();
        let part = rest.get(..size).unwrap_or(rest);
        // SAFETY: the caller vouches for `out`; `part` is not longer, and in the buffer, which
        // `out` does not overlap.
        unsafe { memory::copy(part, out) }?;
        // SAFETY: the caller vouches for `copied`, which overlaps nothing.
        unsafe { memory::write(copied, part.len()) }
    };
    // SAFETY: the caller vouches for the handle.
    code(unsafe { handle::with(log, copy) })
}
