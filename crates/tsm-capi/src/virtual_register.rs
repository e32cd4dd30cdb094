// SPDX-License-Identifier: MIT OR Apache-2.0
//! Values of virtual registers from a log.

use core::ffi::c_void;

use tsm_core::Algorithm;
use tsm_core::log::{Line, Lines};
use tsm_core::virtual_registers::Fold;

use crate::digest::tsm_digest;
use crate::log::limits;
use crate::memory::{self, Region, disjoint};
use crate::register::{TSM_MAX_BANKS, tsm_register};
use crate::replay::tsm_position;
use crate::status::{Result, TSM_ERR_TOO_SMALL, code, of_log, of_record, of_table, tsm_status};

/// What a virtual register came to.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct tsm_virtual_value {
    /// How many records extended it.
    pub records: u64,
    /// How many of `values` are used.
    pub bank_count: usize,
    /// The value of each bank, in the register's order.
    pub values: [tsm_digest; TSM_MAX_BANKS],
}

/// Folds the records `<name> extend <alg>/<hex>` of the `size` bytes of a log at `log` into the value
/// of the virtual register `virtual_register`, and writes it to `value`.
///
/// The value is as good as the log: believe it if `tsm_replay` says of the same bytes
/// `accounts_for_all`.
/// `record_limit` is the longest line in bytes; 0 stands for `TSM_RECORD_LIMIT`.
///
/// Returns what is wrong with the description (see `tsm_registers_check`; the initial value must be
/// known), with the log, or `TSM_ERR_RECORD_...` for a malformed record under the register's name,
/// which is an error for a verifier and never skipped; then `value` is unchanged, and `at` (which may
/// be NULL) says where, if it is about the log.
///
/// # Safety
///
/// `log` is readable for `size` bytes (it may be NULL if that is 0), `virtual_register` is readable
/// with a name as `tsm_registers_check` asks, and nobody changes them during the call; `value` is
/// writable; `at` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tsm_virtual_fold(
    log: *const c_void,
    size: usize,
    record_limit: usize,
    virtual_register: *const tsm_register,
    value: *mut tsm_virtual_value,
    at: *mut tsm_position,
) -> tsm_status {
    let log = log.cast::<u8>();
    let fold = || {
        let written = [Region::one(value)?, Region::optional(at)?];
        disjoint(&written, &[Region::of(log, size)?, Region::one(virtual_register)?])?;
        // SAFETY: the caller vouches for the log.
        let log = unsafe { memory::slice(log, size) }?;
        // SAFETY: the caller vouches for the description.
        let entry = unsafe { memory::read(virtual_register) }?;
        // The powers of a virtual register are its carrier's.
        let entry = tsm_register { powers: 0, ..entry };
        // SAFETY: the caller vouches for the name.
        let table = [unsafe { entry.register() }?];
        let mut place = None;
        let folded = records(log, record_limit, &table, &mut place);
        if let Some(place) = place {
            // SAFETY: the caller vouches for `at`, which overlaps nothing.
            unsafe { memory::write_optional(at, place) }?;
        }
        let folded = folded?;
        // SAFETY: the caller vouches for `value`, which overlaps nothing.
        unsafe { memory::write(value, folded) }
    };
    code(fold())
}

fn records(
    log: &[u8],
    record_limit: usize,
    table: &[tsm_core::Register<'_>; 1],
    place: &mut Option<tsm_position>,
) -> Result<tsm_virtual_value> {
    let mut fold = Fold::<{ Algorithm::MAX }>::new(table).map_err(of_table)?;
    let mut record = 0_u64;
    for line in Lines::new(log, limits(record_limit)) {
        let line = line.map_err(|error| {
            *place = Some(tsm_position { record, line: error.line, offset: error.offset });
            of_log(error.kind)
        })?;
        match line.line {
            Line::Record(bytes) => {
                record = record.saturating_add(1);
                fold.record(bytes).map_err(|error| {
                    *place = Some(tsm_position { record, line: line.number, offset: line.offset });
                    of_record(error)
                })?;
            }
            Line::Sync(_) => record = record.saturating_add(1),
            Line::Blank | Line::Comment(_) | Line::Note(_) => {}
        }
    }
    let mut value =
        tsm_virtual_value { records: 0, bank_count: 0, values: [tsm_digest::NONE; TSM_MAX_BANKS] };
    for folded in fold.values() {
        let slot = value.values.get_mut(value.bank_count).ok_or(TSM_ERR_TOO_SMALL)?;
        *slot = tsm_digest::of(&folded.value);
        value.bank_count = value.bank_count.saturating_add(1);
        value.records = value.records.saturating_add(folded.records);
    }
    Ok(value)
}
