// SPDX-License-Identifier: MIT OR Apache-2.0
//! Register descriptions: a table of the caller.

use core::ffi::c_char;

use tsm_core::{Algorithm, Banks, Initial, Powers, Presentation, Register, Value, is_name};

use crate::digest::{TSM_NO_ALGORITHM, algorithm, tsm_algorithm};
use crate::memory::{self, Plain, Region, disjoint};
use crate::status::{
    Result, TSM_ERR_BANKS, TSM_ERR_DOUBLE_NAME, TSM_ERR_INITIAL, TSM_ERR_NAME,
    TSM_ERR_NO_SUCH_REGISTER, TSM_ERR_POWERS, TSM_ERR_TOO_SMALL, code, tsm_status,
};

/// Most banks a register can have.
pub const TSM_MAX_BANKS: usize = 4;
/// Most registers a table can have.
pub const TSM_MAX_REGISTERS: usize = 256;

/// Power: its value can be read. A register with a log needs it.
pub const TSM_READ: u32 = 1;
/// Power: its value can be replaced. No function of this interface does that.
pub const TSM_WRITE: u32 = 2;
/// Power: it can be extended through its log.
pub const TSM_EXTEND: u32 = 4;
/// Power: it can be extended past its log too.
pub const TSM_DIRECT: u32 = 8;
/// Power: its value may change when another register is extended.
pub const TSM_LIVE: u32 = 16;
/// Power: it can be locked.
pub const TSM_LOCK: u32 = 32;
/// Power: it has a log although it cannot be extended.
pub const TSM_LOG: u32 = 64;

/// Initial value: all bits zero.
pub const TSM_INITIAL_ZEROS: u32 = 0;
/// Initial value: all bits one.
pub const TSM_INITIAL_ONES: u32 = 1;
/// Initial value: something else, or not known.
pub const TSM_INITIAL_OTHER: u32 = 2;

/// Describes one register, native or virtual.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct tsm_register {
    /// Its name, NUL-terminated: 1 to 63 of `A-Z a-z 0-9 . _ - / :`, distinct in its table.
    pub name: *const c_char,
    /// Its banks in its own order; `TSM_NO_ALGORITHM` in the places that are not used.
    pub banks: [tsm_algorithm; TSM_MAX_BANKS],
    /// What can be done with it: `TSM_READ | TSM_EXTEND` and so on. Not looked at for a virtual
    /// register.
    pub powers: u32,
    /// Its value before anything was measured: `TSM_INITIAL_...`.
    pub initial: u32,
}

// SAFETY: a pointer and integers.
unsafe impl Plain for tsm_register {}

impl tsm_register {
    /// The description, with the name that was read for it.
    fn with_name<'n>(&self, name: &'n [u8]) -> Result<Register<'n>> {
        if !is_name(name) {
            return Err(TSM_ERR_NAME);
        }
        Ok(Register {
            // A name is ASCII.
            name: core::str::from_utf8(name).map_err(|_| TSM_ERR_NAME)?,
            value: Value::Banks(self.banks()?),
            powers: self.powers()?,
            initial: self.initial()?,
            presentation: Presentation::Directory,
        })
    }

    fn banks(&self) -> Result<Banks> {
        let mut banks = Banks::NONE;
        let mut ended = false;
        for &id in &self.banks {
            if id == TSM_NO_ALGORITHM {
                ended = true;
                continue;
            }
            if ended {
                return Err(TSM_ERR_BANKS);
            }
            banks = banks.and(algorithm(id)?).ok_or(TSM_ERR_BANKS)?;
        }
        if banks.is_empty() { Err(TSM_ERR_BANKS) } else { Ok(banks) }
    }

    fn powers(&self) -> Result<Powers> {
        const ALL: [(u32, Powers); 7] = [
            (TSM_READ, Powers::READ),
            (TSM_WRITE, Powers::WRITE),
            (TSM_EXTEND, Powers::EXTEND),
            (TSM_DIRECT, Powers::DIRECT),
            (TSM_LIVE, Powers::LIVE),
            (TSM_LOCK, Powers::LOCK),
            (TSM_LOG, Powers::LOG),
        ];
        let mut rest = self.powers;
        let mut powers = Powers::NONE;
        for (bit, power) in ALL {
            if rest & bit != 0 {
                rest &= !bit;
                powers = powers | power;
            }
        }
        if rest == 0 { Ok(powers) } else { Err(TSM_ERR_POWERS) }
    }

    const fn initial(&self) -> Result<Initial> {
        match self.initial {
            TSM_INITIAL_ZEROS => Ok(Initial::Zeros),
            TSM_INITIAL_ONES => Ok(Initial::Ones),
            TSM_INITIAL_OTHER => Ok(Initial::Other),
            _ => Err(TSM_ERR_INITIAL),
        }
    }

    /// The description, checked.
    ///
    /// # Safety
    ///
    /// The name is NULL, or readable up to and including a NUL or for 64 bytes, and nobody writes
    /// to it while the description is in use.
    pub(crate) unsafe fn register<'n>(&self) -> Result<Register<'n>> {
        // SAFETY: the caller vouches for the name.
        let name = unsafe { memory::text(self.name, TSM_ERR_NAME) }?;
        self.with_name(name)
    }
}

/// The table at `registers`.
///
/// # Safety
///
/// As [`memory::slice`].
pub(crate) unsafe fn table<'c>(
    registers: *const tsm_register,
    count: usize,
) -> Result<&'c [tsm_register]> {
    if count > TSM_MAX_REGISTERS {
        return Err(TSM_ERR_TOO_SMALL);
    }
    // SAFETY: the caller vouches for it.
    unsafe { memory::slice(registers, count) }
}

/// Checks a table of registers: every description, and that names are distinct.
///
/// At the first register that is wrong, its place is written to `bad` (which may be NULL) and what
/// is wrong is returned: `TSM_ERR_NAME`, `TSM_ERR_DOUBLE_NAME`, `TSM_ERR_BANKS`,
/// `TSM_ERR_ALGORITHM`, `TSM_ERR_POWERS`, `TSM_ERR_INITIAL`, or `TSM_ERR_NULL` for a name that is
/// NULL. For a table of more than `TSM_MAX_REGISTERS`: `TSM_ERR_TOO_SMALL`.
///
/// # Safety
///
/// `registers` is readable for `count` descriptions (it may be NULL if that is 0), each name is
/// NULL or readable up to and including a NUL or for 64 bytes; `bad` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tsm_registers_check(
    registers: *const tsm_register,
    count: usize,
    bad: *mut usize,
) -> tsm_status {
    let check = || {
        disjoint(&[Region::optional(bad)?], &[Region::of(registers, count)?])?;
        // SAFETY: the caller vouches for the table.
        let table = unsafe { table(registers, count) }?;
        for (index, entry) in table.iter().enumerate() {
            let before = table.get(..index).unwrap_or_default();
            // SAFETY: the caller vouches for the names.
            if let Err(status) = unsafe { check_one(entry, before) } {
                // SAFETY: the caller vouches for `bad`, which does not overlap the table.
                unsafe { memory::write_optional(bad, index) }?;
                return Err(status);
            }
        }
        Ok(())
    };
    code(check())
}

/// # Safety
///
/// As [`tsm_register::register`], for the names of all entries.
unsafe fn check_one(entry: &tsm_register, before: &[tsm_register]) -> Result {
    // SAFETY: the caller vouches for the names.
    let register = unsafe { entry.register() }?;
    for other in before {
        // SAFETY: the caller vouches for the names.
        if unsafe { memory::text(other.name, TSM_ERR_NAME) }? == register.name.as_bytes() {
            return Err(TSM_ERR_DOUBLE_NAME);
        }
    }
    Ok(())
}

/// Finds a register by its name and writes its place in the table to `index`.
///
/// Returns `TSM_ERR_NO_SUCH_REGISTER` if there is none, `TSM_ERR_NAME` if `name` is longer than a
/// name can be, or what is wrong with a pointer; then `index` is unchanged.
///
/// # Safety
///
/// As `tsm_registers_check`; `name` is as the names in the table, and `index` is writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tsm_register_find(
    registers: *const tsm_register,
    count: usize,
    name: *const c_char,
    index: *mut usize,
) -> tsm_status {
    let find = || {
        disjoint(&[Region::one(index)?], &[Region::of(registers, count)?])?;
        // SAFETY: the caller vouches for the table.
        let table = unsafe { table(registers, count) }?;
        // SAFETY: the caller vouches for the name.
        let wanted = unsafe { memory::text(name, TSM_ERR_NAME) }?;
        for (at, entry) in table.iter().enumerate() {
            // SAFETY: the caller vouches for the names.
            let name = unsafe { memory::text(entry.name, TSM_ERR_NAME) };
            if name.is_ok_and(|name| name == wanted) {
                // SAFETY: the caller vouches for `index`, which does not overlap the table.
                return unsafe { memory::write(index, at) };
            }
        }
        Err(TSM_ERR_NO_SUCH_REGISTER)
    };
    code(find())
}

const _: () = assert!(TSM_MAX_BANKS >= Algorithm::MAX);
