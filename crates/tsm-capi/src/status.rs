// SPDX-License-Identifier: MIT OR Apache-2.0
//! Status codes, their names, and how `tsm-core`'s errors become them.

use core::ffi::{CStr, c_char};

use tsm_core::ErrorKind;
use tsm_core::log::LogErrorKind;
use tsm_core::record::RecordError;
use tsm_core::replay::BankError;
use tsm_core::virtual_registers::TableError;

/// What a function or a callback says of itself: `TSM_OK`, `TSM_END` or one of `TSM_ERR_...`.
/// `tsm_status_name` gives the name of a code. Codes never change their number.
pub type tsm_status = u32;

/// Done.
pub const TSM_OK: tsm_status = 0;
/// Nothing more to iterate over. Not an error.
pub const TSM_END: tsm_status = 1;

/// A pointer is NULL that must not be.
pub const TSM_ERR_NULL: tsm_status = 16;
/// A pointer is not aligned for what it points to.
pub const TSM_ERR_MISALIGNED: tsm_status = 17;
/// Two buffers overlap that must not.
pub const TSM_ERR_OVERLAP: tsm_status = 18;
/// A buffer is too small for what would be written to it.
pub const TSM_ERR_TOO_SMALL: tsm_status = 19;
/// A length that no object can have: over half of the address space, or past its end.
pub const TSM_ERR_LENGTH: tsm_status = 20;
/// The handle was not initialised, or it was copied or moved after that.
pub const TSM_ERR_UNINITIALISED: tsm_status = 21;
/// The handle is in use: a callback called back with the handle that called it.
pub const TSM_ERR_REENTERED: tsm_status = 22;
/// The algorithm is unknown, or not compiled in.
pub const TSM_ERR_ALGORITHM: tsm_status = 23;

/// Register description: not a name (1 to 63 of `A-Z a-z 0-9 . _ - / :`), or one that the log
/// reserves.
pub const TSM_ERR_NAME: tsm_status = 32;
/// Register description: two registers have the same name.
pub const TSM_ERR_DOUBLE_NAME: tsm_status = 33;
/// Register description: no bank, a bank twice, or a gap in the list of banks.
pub const TSM_ERR_BANKS: tsm_status = 34;
/// Register description: a power that does not exist.
pub const TSM_ERR_POWERS: tsm_status = 35;
/// Register description: an initial value that does not exist, or is not known where it must be.
pub const TSM_ERR_INITIAL: tsm_status = 36;

/// There is no such register.
pub const TSM_ERR_NO_SUCH_REGISTER: tsm_status = 48;
/// The register has no such bank.
pub const TSM_ERR_NO_SUCH_BANK: tsm_status = 49;
/// The register does not permit this.
pub const TSM_ERR_NOT_PERMITTED: tsm_status = 50;
/// The register is locked.
pub const TSM_ERR_LOCKED: tsm_status = 51;
/// A value or buffer of the wrong size.
pub const TSM_ERR_WRONG_SIZE: tsm_status = 52;
/// Malformed input.
pub const TSM_ERR_INVALID_INPUT: tsm_status = 53;
/// The log is full; nothing was extended.
pub const TSM_ERR_NO_SPACE: tsm_status = 54;
/// The platform is busy; nothing was done, try again.
pub const TSM_ERR_BUSY: tsm_status = 55;
/// The platform failed; nothing was done.
pub const TSM_ERR_FAILED: tsm_status = 56;
/// The platform failed, and whether it extended is not known. The log is out of sync and says so
/// in its next record.
pub const TSM_ERR_STATE_UNKNOWN: tsm_status = 57;
/// This platform is not here.
pub const TSM_ERR_UNAVAILABLE: tsm_status = 58;

/// Append: a line is longer than the limit; nothing was extended.
pub const TSM_ERR_RECORD_TOO_LONG: tsm_status = 64;
/// Append: a line begins with a word that the log keeps for itself; nothing was extended.
pub const TSM_ERR_RESERVED: tsm_status = 65;

/// Malformed log: a line longer than the limit.
pub const TSM_ERR_LOG_TOO_LONG: tsm_status = 80;
/// Malformed log: white space at an end of a line, or a CR in it.
pub const TSM_ERR_LOG_NOT_CANONICAL: tsm_status = 81;
/// Malformed log: the last line has no LF. The lines before it are whole.
pub const TSM_ERR_LOG_TORN: tsm_status = 82;
/// Malformed log: a malformed SYNC line.
pub const TSM_ERR_LOG_CAPTURES: tsm_status = 83;
/// Malformed log: a malformed `# .EXTEND` line.
pub const TSM_ERR_LOG_NOTE: tsm_status = 84;
/// Malformed log: an algorithm that is unknown or not compiled in.
pub const TSM_ERR_LOG_ALGORITHM: tsm_status = 85;
/// Malformed log: a wrong number of digits for an algorithm.
pub const TSM_ERR_LOG_DIGEST_LENGTH: tsm_status = 86;
/// Malformed log: an odd number of digits.
pub const TSM_ERR_LOG_ODD_DIGITS: tsm_status = 87;
/// Malformed log: not a lower-case hex digit.
pub const TSM_ERR_LOG_DIGIT: tsm_status = 88;
/// Malformed log: a digest for a bank that the register does not have.
pub const TSM_ERR_LOG_NO_SUCH_BANK: tsm_status = 89;
/// Malformed log: SYNC or a note names a bank twice.
pub const TSM_ERR_LOG_DOUBLE_BANK: tsm_status = 90;
/// Malformed log: SYNC lacks the capture of a bank.
pub const TSM_ERR_LOG_MISSING_BANK: tsm_status = 91;

/// Replay: no start value was given.
pub const TSM_ERR_NO_BANK: tsm_status = 96;
/// Replay: two values for one bank.
pub const TSM_ERR_DOUBLE_BANK: tsm_status = 97;
/// Replay: a value is expected for a bank that has no start value.
pub const TSM_ERR_NO_START: tsm_status = 98;
/// Replay: the log does not explain the expected values.
pub const TSM_ERR_DOES_NOT_HOLD: tsm_status = 99;

/// A record under a virtual register's name is not `<name> extend <alg>/<hex>`.
pub const TSM_ERR_RECORD_NOT_EXTENSION: tsm_status = 112;
/// A record under a virtual register's name has an unknown algorithm.
pub const TSM_ERR_RECORD_ALGORITHM: tsm_status = 113;
/// A record under a virtual register's name is for a bank that this register does not have.
pub const TSM_ERR_RECORD_NO_SUCH_BANK: tsm_status = 114;
/// A record under a virtual register's name has a malformed digest.
pub const TSM_ERR_RECORD_DIGEST: tsm_status = 115;

/// An error of the library that this header has no code for yet.
pub const TSM_ERR_OTHER: tsm_status = 255;

/// The name of a status code, for example "TSM_ERR_NULL"; "TSM_ERR_?" for a number that is no code.
///
/// The text is static, NUL-terminated and never NULL.
#[unsafe(no_mangle)]
pub extern "C" fn tsm_status_name(status: tsm_status) -> *const c_char {
    name(status).as_ptr()
}

/// Why a function ends early.
pub(crate) type Result<T = ()> = core::result::Result<T, tsm_status>;

/// What a function returns.
pub(crate) fn code(result: Result) -> tsm_status {
    match result {
        Ok(()) => TSM_OK,
        Err(status) => status,
    }
}

fn name(status: tsm_status) -> &'static CStr {
    match status {
        TSM_OK => c"TSM_OK",
        TSM_END => c"TSM_END",
        TSM_ERR_NULL => c"TSM_ERR_NULL",
        TSM_ERR_MISALIGNED => c"TSM_ERR_MISALIGNED",
        TSM_ERR_OVERLAP => c"TSM_ERR_OVERLAP",
        TSM_ERR_TOO_SMALL => c"TSM_ERR_TOO_SMALL",
        TSM_ERR_LENGTH => c"TSM_ERR_LENGTH",
        TSM_ERR_UNINITIALISED => c"TSM_ERR_UNINITIALISED",
        TSM_ERR_REENTERED => c"TSM_ERR_REENTERED",
        TSM_ERR_ALGORITHM => c"TSM_ERR_ALGORITHM",
        TSM_ERR_NAME => c"TSM_ERR_NAME",
        TSM_ERR_DOUBLE_NAME => c"TSM_ERR_DOUBLE_NAME",
        TSM_ERR_BANKS => c"TSM_ERR_BANKS",
        TSM_ERR_POWERS => c"TSM_ERR_POWERS",
        TSM_ERR_INITIAL => c"TSM_ERR_INITIAL",
        TSM_ERR_NO_SUCH_REGISTER => c"TSM_ERR_NO_SUCH_REGISTER",
        TSM_ERR_NO_SUCH_BANK => c"TSM_ERR_NO_SUCH_BANK",
        TSM_ERR_NOT_PERMITTED => c"TSM_ERR_NOT_PERMITTED",
        TSM_ERR_LOCKED => c"TSM_ERR_LOCKED",
        TSM_ERR_WRONG_SIZE => c"TSM_ERR_WRONG_SIZE",
        TSM_ERR_INVALID_INPUT => c"TSM_ERR_INVALID_INPUT",
        TSM_ERR_NO_SPACE => c"TSM_ERR_NO_SPACE",
        TSM_ERR_BUSY => c"TSM_ERR_BUSY",
        TSM_ERR_FAILED => c"TSM_ERR_FAILED",
        TSM_ERR_STATE_UNKNOWN => c"TSM_ERR_STATE_UNKNOWN",
        TSM_ERR_UNAVAILABLE => c"TSM_ERR_UNAVAILABLE",
        TSM_ERR_RECORD_TOO_LONG => c"TSM_ERR_RECORD_TOO_LONG",
        TSM_ERR_RESERVED => c"TSM_ERR_RESERVED",
        TSM_ERR_LOG_TOO_LONG => c"TSM_ERR_LOG_TOO_LONG",
        TSM_ERR_LOG_NOT_CANONICAL => c"TSM_ERR_LOG_NOT_CANONICAL",
        TSM_ERR_LOG_TORN => c"TSM_ERR_LOG_TORN",
        TSM_ERR_LOG_CAPTURES => c"TSM_ERR_LOG_CAPTURES",
        TSM_ERR_LOG_NOTE => c"TSM_ERR_LOG_NOTE",
        TSM_ERR_LOG_ALGORITHM => c"TSM_ERR_LOG_ALGORITHM",
        TSM_ERR_LOG_DIGEST_LENGTH => c"TSM_ERR_LOG_DIGEST_LENGTH",
        TSM_ERR_LOG_ODD_DIGITS => c"TSM_ERR_LOG_ODD_DIGITS",
        TSM_ERR_LOG_DIGIT => c"TSM_ERR_LOG_DIGIT",
        TSM_ERR_LOG_NO_SUCH_BANK => c"TSM_ERR_LOG_NO_SUCH_BANK",
        TSM_ERR_LOG_DOUBLE_BANK => c"TSM_ERR_LOG_DOUBLE_BANK",
        TSM_ERR_LOG_MISSING_BANK => c"TSM_ERR_LOG_MISSING_BANK",
        TSM_ERR_NO_BANK => c"TSM_ERR_NO_BANK",
        TSM_ERR_DOUBLE_BANK => c"TSM_ERR_DOUBLE_BANK",
        TSM_ERR_NO_START => c"TSM_ERR_NO_START",
        TSM_ERR_DOES_NOT_HOLD => c"TSM_ERR_DOES_NOT_HOLD",
        TSM_ERR_RECORD_NOT_EXTENSION => c"TSM_ERR_RECORD_NOT_EXTENSION",
        TSM_ERR_RECORD_ALGORITHM => c"TSM_ERR_RECORD_ALGORITHM",
        TSM_ERR_RECORD_NO_SUCH_BANK => c"TSM_ERR_RECORD_NO_SUCH_BANK",
        TSM_ERR_RECORD_DIGEST => c"TSM_ERR_RECORD_DIGEST",
        TSM_ERR_OTHER => c"TSM_ERR_OTHER",
        _ => c"TSM_ERR_?",
    }
}

/// A callback's code as a kind; `None` for a code that is not a provider's.
pub(crate) const fn provider_kind(status: tsm_status) -> Option<ErrorKind> {
    Some(match status {
        TSM_ERR_NO_SUCH_REGISTER => ErrorKind::NoSuchRegister,
        TSM_ERR_NO_SUCH_BANK => ErrorKind::NoSuchBank,
        TSM_ERR_NOT_PERMITTED => ErrorKind::NotPermitted,
        TSM_ERR_LOCKED => ErrorKind::Locked,
        TSM_ERR_WRONG_SIZE => ErrorKind::WrongSize,
        TSM_ERR_INVALID_INPUT => ErrorKind::InvalidInput,
        TSM_ERR_NO_SPACE => ErrorKind::NoSpace,
        TSM_ERR_BUSY => ErrorKind::Busy,
        TSM_ERR_FAILED => ErrorKind::Failed,
        TSM_ERR_STATE_UNKNOWN => ErrorKind::StateUnknown,
        TSM_ERR_UNAVAILABLE => ErrorKind::Unavailable,
        _ => return None,
    })
}

pub(crate) const fn of_kind(kind: ErrorKind) -> tsm_status {
    match kind {
        ErrorKind::NoSuchRegister => TSM_ERR_NO_SUCH_REGISTER,
        ErrorKind::NoSuchBank => TSM_ERR_NO_SUCH_BANK,
        ErrorKind::NotPermitted => TSM_ERR_NOT_PERMITTED,
        ErrorKind::Locked => TSM_ERR_LOCKED,
        ErrorKind::WrongSize => TSM_ERR_WRONG_SIZE,
        ErrorKind::InvalidInput => TSM_ERR_INVALID_INPUT,
        ErrorKind::NoSpace => TSM_ERR_NO_SPACE,
        ErrorKind::Busy => TSM_ERR_BUSY,
        ErrorKind::Failed => TSM_ERR_FAILED,
        ErrorKind::StateUnknown => TSM_ERR_STATE_UNKNOWN,
        ErrorKind::Unavailable => TSM_ERR_UNAVAILABLE,
        _ => TSM_ERR_OTHER,
    }
}

pub(crate) const fn of_log(kind: LogErrorKind) -> tsm_status {
    match kind {
        LogErrorKind::TooLong => TSM_ERR_LOG_TOO_LONG,
        LogErrorKind::NotCanonical => TSM_ERR_LOG_NOT_CANONICAL,
        LogErrorKind::Torn => TSM_ERR_LOG_TORN,
        LogErrorKind::Captures => TSM_ERR_LOG_CAPTURES,
        LogErrorKind::Note => TSM_ERR_LOG_NOTE,
        LogErrorKind::UnknownAlgorithm => TSM_ERR_LOG_ALGORITHM,
        LogErrorKind::DigestLength => TSM_ERR_LOG_DIGEST_LENGTH,
        LogErrorKind::OddDigits => TSM_ERR_LOG_ODD_DIGITS,
        LogErrorKind::Digit => TSM_ERR_LOG_DIGIT,
        LogErrorKind::NoSuchBank => TSM_ERR_LOG_NO_SUCH_BANK,
        LogErrorKind::DoubleBank => TSM_ERR_LOG_DOUBLE_BANK,
        LogErrorKind::MissingBank => TSM_ERR_LOG_MISSING_BANK,
        _ => TSM_ERR_OTHER,
    }
}

pub(crate) const fn of_banks(error: BankError) -> tsm_status {
    match error {
        BankError::None => TSM_ERR_NO_BANK,
        BankError::Double => TSM_ERR_DOUBLE_BANK,
        BankError::NoStart => TSM_ERR_NO_START,
        _ => TSM_ERR_OTHER,
    }
}

pub(crate) const fn of_table(error: TableError) -> tsm_status {
    match error {
        TableError::Name => TSM_ERR_NAME,
        TableError::Double => TSM_ERR_DOUBLE_NAME,
        TableError::NoBank | TableError::TooMany => TSM_ERR_BANKS,
        TableError::Initial => TSM_ERR_INITIAL,
        _ => TSM_ERR_OTHER,
    }
}

pub(crate) const fn of_record(error: RecordError) -> tsm_status {
    match error {
        RecordError::NotAnExtension => TSM_ERR_RECORD_NOT_EXTENSION,
        RecordError::UnknownAlgorithm => TSM_ERR_RECORD_ALGORITHM,
        RecordError::NoSuchBank => TSM_ERR_RECORD_NO_SUCH_BANK,
        RecordError::Digest => TSM_ERR_RECORD_DIGEST,
        _ => TSM_ERR_OTHER,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every code of this file has its own number and its own name.
    #[test]
    fn names() {
        let mut named = 0;
        for status in 0..1000 {
            let name = name(status).to_str().unwrap();
            if name != "TSM_ERR_?" {
                named += 1;
                let line = format!("pub const {name}: tsm_status = {status};");
                assert!(include_str!("status.rs").contains(&line), "{line}");
            }
        }
        let source = include_str!("status.rs");
        let codes = source.lines().filter(|l| l.starts_with("pub const TSM_")).count();
        assert_eq!(codes, named);
    }

    #[test]
    fn kinds_go_both_ways() {
        for status in 0..1000 {
            if let Some(kind) = provider_kind(status) {
                assert_eq!(of_kind(kind), status);
            }
        }
    }
}
