// SPDX-License-Identifier: MIT OR Apache-2.0
//! The lines of a log, one after the other.

use core::ffi::c_void;

use tsm_core::log::{Line, Lines};

use crate::handle::{self, State};
use crate::log::limits;
use crate::memory::{self, Region, disjoint};
use crate::replay::tsm_position;
use crate::status::{TSM_END, code, of_log, tsm_status};

/// Line: an empty one, which separates appends. Not hashed.
pub const TSM_LINE_BLANK: u32 = 0;
/// Line: an informative one, it begins with `#`. Not hashed.
pub const TSM_LINE_COMMENT: u32 = 1;
/// Line: the note of an off-log extension, `# .EXTEND ...`. Not hashed, so only a hint.
pub const TSM_LINE_NOTE: u32 = 2;
/// Line: `SYNC ...`, the register's value just before this line. Hashed.
pub const TSM_LINE_SYNC: u32 = 3;
/// Line: an application's record. Hashed.
pub const TSM_LINE_RECORD: u32 = 4;

/// Size of `tsm_lines` in units of eight bytes.
pub const TSM_LINES_WORDS: usize = 8;

/// An iteration over the lines of a log: a handle, with the rules of `tsm_log`.
#[repr(C)]
pub struct tsm_lines {
    /// Not for you.
    pub opaque: [u64; TSM_LINES_WORDS],
}

/// One line. Nothing vouches for it: that is what `tsm_replay` is for.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct tsm_line {
    /// Its first byte, in the log's memory. Not NUL-terminated.
    pub bytes: *const c_void,
    /// Its size in bytes, without the LF.
    pub size: usize,
    /// What it is: `TSM_LINE_...`.
    pub kind: u32,
    /// Where it stands. `record` is 0.
    pub at: tsm_position,
}

struct Iteration {
    log: *const u8,
    size: usize,
    record_limit: usize,
    offset: usize,
    number: u64,
}

impl State for Iteration {
    const WORD: u64 = 0x7473_6D2E_6C69_6E01;
    type Handle = tsm_lines;
}

/// Begins an iteration over the `size` bytes of a log at `log`. `record_limit` is the longest line in
/// bytes; 0 stands for `TSM_RECORD_LIMIT`.
///
/// # Safety
///
/// `lines` is writable; `log` is readable for `size` bytes for as long as the iteration is used, and
/// they do not change (it may be NULL if that is 0).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tsm_lines_init(
    lines: *mut tsm_lines,
    log: *const c_void,
    size: usize,
    record_limit: usize,
) -> tsm_status {
    let log = log.cast::<u8>();
    let init = || {
        disjoint(&[Region::one(lines)?], &[Region::of(log, size)?])?;
        let state = Iteration { log, size, record_limit, offset: 0, number: 0 };
        // SAFETY: the caller vouches for the handle.
        unsafe { handle::init(lines, state) }
    };
    code(init())
}

/// Writes the next line to `line`.
///
/// Returns `TSM_OK`; `TSM_END` behind the last line; or what is wrong with the log: then `line->at`
/// says where, the rest of `line` is empty, and the iteration stays where it is.
///
/// # Safety
///
/// `lines` was initialised and its log is still there; `line` is writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tsm_lines_next(lines: *mut tsm_lines, line: *mut tsm_line) -> tsm_status {
    let handle = lines;
    let next = |state: &mut Iteration| {
        let log = Region::of(state.log, state.size)?;
        disjoint(&[Region::one(line)?, Region::one(handle)?], &[log])?;
        // SAFETY: the log's owner vouched for it in `tsm_lines_init`.
        let bytes = unsafe { memory::slice(state.log, state.size) }?;
        let rest = bytes.get(state.offset..).unwrap_or_default();
        let offset = u64::try_from(state.offset).unwrap_or(u64::MAX);
        let limits = limits(state.record_limit);
        let found = Lines::within(rest, offset, state.number, limits).next().ok_or(TSM_END)?;
        let (found, result) = match found {
            Ok(found) => {
                let end = state.offset.saturating_add(found.bytes.len()).saturating_add(1);
                (state.offset, state.number) = (end, found.number);
                let kind = match found.line {
                    Line::Blank => TSM_LINE_BLANK,
                    Line::Comment(_) => TSM_LINE_COMMENT,
                    Line::Note(_) => TSM_LINE_NOTE,
                    Line::Sync(_) => TSM_LINE_SYNC,
                    Line::Record(_) => TSM_LINE_RECORD,
                };
                let (bytes, size) = (found.bytes.as_ptr().cast(), found.bytes.len());
                let at = tsm_position { record: 0, line: found.number, offset: found.offset };
                (tsm_line { bytes, size, kind, at }, Ok(()))
            }
            Err(error) => {
                let at = tsm_position { record: 0, line: error.line, offset: error.offset };
                let none = core::ptr::null();
                let empty = tsm_line { bytes: none, size: 0, kind: TSM_LINE_BLANK, at };
                (empty, Err(of_log(error.kind)))
            }
        };
        // SAFETY: the caller vouches for `line`, which overlaps nothing.
        unsafe { memory::write(line, found) }?;
        result
    };
    // SAFETY: the caller vouches for the handle.
    code(unsafe { handle::with(lines, next) })
}
