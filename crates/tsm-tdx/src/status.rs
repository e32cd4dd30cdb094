// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the TDX module answers in RAX.
//!
//! ```text
//! 63 error | 62 not recoverable | 61 fatal | 60 hint for the host | 59:48 reserved
//! 47:40 class | 39:32 number in the class | 31:0 detail: the operand, where one is at fault
//! ```
//!
//! Source: Intel TDX Module 1.5 ABI Specification (348551), function completion status; numbers from
//! the TDX module 1.5.01, `include/auto_gen/tdx_error_codes_defs.h`.

use core::fmt;

/// A completion status as it came. None of its bits is lost, known or not.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Status(pub u64);

impl Status {
    /// Success without any information.
    pub const SUCCESS: Self = Self(0);

    /// The status with this name and this operand.
    #[must_use]
    pub const fn new(code: StatusCode, operand: OperandId) -> Self {
        Self((widen(code.0) << 32) | widen(operand.0))
    }

    /// Whether the call did what it was asked to. Some of these carry information all the same
    /// ([`StatusCode::PAGE_ALREADY_ACCEPTED`]).
    #[must_use]
    pub const fn is_success(self) -> bool {
        self.0 >> 63 == 0
    }

    /// Whether it is an error that may be gone when the call is made again: error bit set, bit 62
    /// clear.
    #[must_use]
    pub const fn is_recoverable(self) -> bool {
        self.0 >> 62 == 2
    }

    /// Whether the TD cannot go on after it (bit 61).
    #[must_use]
    pub const fn is_fatal(self) -> bool {
        self.0 >> 61 & 1 == 1
    }

    /// Whether something was busy and nothing has been done: [`OPERAND_BUSY`], [`SYS_BUSY`],
    /// [`OPERAND_BUSY_HOST_PRIORITY`].
    ///
    /// [`OPERAND_BUSY`]: StatusCode::OPERAND_BUSY
    /// [`SYS_BUSY`]: StatusCode::SYS_BUSY
    /// [`OPERAND_BUSY_HOST_PRIORITY`]: StatusCode::OPERAND_BUSY_HOST_PRIORITY
    #[must_use]
    pub const fn is_busy(self) -> bool {
        matches!(
            self.code(),
            StatusCode::OPERAND_BUSY
                | StatusCode::SYS_BUSY
                | StatusCode::OPERAND_BUSY_HOST_PRIORITY
        )
    }

    /// What happened, without the detail: the upper 32 bits. Compare these, not the whole status.
    #[must_use]
    pub const fn code(self) -> StatusCode {
        StatusCode(low(self.0 >> 32))
    }

    /// The class (bits 47:40).
    #[must_use]
    pub const fn class(self) -> StatusClass {
        let [_, _, _, _, _, class, _, _] = self.0.to_le_bytes();
        StatusClass(class)
    }

    /// The lower 32 bits as they came.
    #[must_use]
    pub const fn detail(self) -> u32 {
        low(self.0)
    }

    /// The operand at fault, for those statuses whose detail is one.
    #[must_use]
    pub const fn operand(self) -> Option<OperandId> {
        let of_an_operand = matches!(
            self.code(),
            StatusCode::OPERAND_INVALID
                | StatusCode::OPERAND_ADDR_RANGE_ERROR
                | StatusCode::OPERAND_BUSY
                | StatusCode::OPERAND_BUSY_HOST_PRIORITY
        );
        if of_an_operand { Some(OperandId(self.detail())) } else { None }
    }
}

/// The lower half.
const fn low(value: u64) -> u32 {
    let [a, b, c, d, ..] = value.to_le_bytes();
    u32::from_le_bytes([a, b, c, d])
}

const fn widen(value: u32) -> u64 {
    let [a, b, c, d] = value.to_le_bytes();
    u64::from_le_bytes([a, b, c, d, 0, 0, 0, 0])
}

impl fmt::Display for Status {
    /// `TDX_OPERAND_BUSY (0x80000200000000a8), operand RTMR`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({:#018x})", self.code(), self.0)?;
        match self.operand() {
            Some(operand) => write!(f, ", operand {operand}"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The upper 32 bits of a [`Status`]: its name. A newtype and not an enumeration, so that codes of
/// newer modules are kept and can be compared.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StatusCode(pub u32);

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $value:literal, $text:literal;)*) => {
        impl StatusCode {
            $($(#[$doc])* pub const $name: Self = Self($value);)*

            /// The name that Intel gives it; `None` if this crate does not know it.
            #[must_use]
            pub const fn name(self) -> Option<&'static str> {
                Some(match self {
                    $(Self::$name => $text,)*
                    _ => return None,
                })
            }

            /// All codes that have a name here.
            pub const KNOWN: &'static [Self] = &[$(Self::$name),*];
        }
    };
}

codes! {
    /// It was done.
    SUCCESS = 0, "TDX_SUCCESS";
    /// An operand is wrong. Not to be repeated.
    OPERAND_INVALID = 0xC000_0100, "TDX_OPERAND_INVALID";
    /// An address is out of range.
    OPERAND_ADDR_RANGE_ERROR = 0xC000_0101, "TDX_OPERAND_ADDR_RANGE_ERROR";
    /// Something the call needs is in use; nothing was done.
    OPERAND_BUSY = 0x8000_0200, "TDX_OPERAND_BUSY";
    /// The module is busy; nothing was done.
    SYS_BUSY = 0x8000_0202, "TDX_SYS_BUSY";
    /// No entropy just now.
    RND_NO_ENTROPY = 0x8000_0203, "TDX_RND_NO_ENTROPY";
    /// As [`OPERAND_BUSY`](Self::OPERAND_BUSY), because the host goes first. The module 1.5.01
    /// tells a guest `OPERAND_BUSY` instead.
    OPERAND_BUSY_HOST_PRIORITY = 0x8000_0204, "TDX_OPERAND_BUSY_HOST_PRIORITY";
    /// The TD is lost.
    TD_FATAL = 0xE000_0604, "TDX_TD_FATAL";
    /// There is nothing to report about a #VE.
    NO_VALID_VE_INFO = 0xC000_0704, "TDX_NO_VALID_VE_INFO";
    /// The page had been accepted; a success.
    PAGE_ALREADY_ACCEPTED = 0x0000_0B0A, "TDX_PAGE_ALREADY_ACCEPTED";
    /// The page is of another size.
    PAGE_SIZE_MISMATCH = 0xC000_0B0B, "TDX_PAGE_SIZE_MISMATCH";
    /// This module has no such field.
    METADATA_FIELD_ID_INCORRECT = 0xC000_0C00, "TDX_METADATA_FIELD_ID_INCORRECT";
    /// The field cannot be read from here.
    METADATA_FIELD_NOT_READABLE = 0xC000_0C02, "TDX_METADATA_FIELD_NOT_READABLE";
    /// The first field of a context is given back; a success.
    METADATA_FIRST_FIELD_ID_IN_CONTEXT = 0x0000_0C0B, "TDX_METADATA_FIRST_FIELD_ID_IN_CONTEXT";
    /// MR.VERIFYREPORT: the report is of another CPU, or of this one with another microcode.
    INVALID_CPUSVN = 0xC000_1000, "TDX_INVALID_CPUSVN";
    /// MR.VERIFYREPORT: the MAC is wrong.
    INVALID_REPORTMACSTRUCT = 0xC000_1001, "TDX_INVALID_REPORTMACSTRUCT";
}

impl fmt::Display for StatusCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name().unwrap_or("unknown TDX status"))
    }
}

impl fmt::Debug for StatusCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "{:#010x}", self.0),
        }
    }
}

/// Bits 47:40 of a status: what kind of thing went wrong.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct StatusClass(pub u8);

impl StatusClass {
    /// Everything that has no class of its own.
    pub const GENERAL: Self = Self(0);
    /// A wrong operand.
    pub const INVALID_OPERAND: Self = Self(1);
    /// Something is in use.
    pub const RESOURCE_BUSY: Self = Self(2);
    /// The TD's state.
    pub const TD_STATE: Self = Self(6);
    /// Pages and their mapping.
    pub const PHYSICAL_PAGE: Self = Self(0x0B);
    /// Fields that are read by an id.
    pub const METADATA: Self = Self(0x0C);
    /// Reports and their MAC.
    pub const REPORT: Self = Self(0x10);
}

/// The operand that a status blames.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OperandId(pub u32);

macro_rules! operands {
    ($($name:ident = $value:literal;)*) => {
        impl OperandId {
            $(
                #[doc = concat!("`", stringify!($name), "`.")]
                pub const $name: Self = Self($value);
            )*

            /// Its name; `None` if this crate does not know it.
            #[must_use]
            pub const fn name(self) -> Option<&'static str> {
                Some(match self {
                    $(Self::$name => stringify!($name),)*
                    _ => return None,
                })
            }
        }
    };
}

operands! {
    RAX = 0;
    RCX = 1;
    RDX = 2;
    RBX = 3;
    RBP = 5;
    RSI = 6;
    RDI = 7;
    R8 = 8;
    R9 = 9;
    R10 = 10;
    R11 = 11;
    R12 = 12;
    R13 = 13;
    R14 = 14;
    R15 = 15;
    ATTRIBUTES = 64;
    XFAM = 65;
    TDR = 128;
    TDCS = 144;
    RTMR = 168;
    METADATA_FIELD = 176;
}

impl fmt::Display for OperandId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "{}", self.0),
        }
    }
}

impl fmt::Debug for OperandId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The three statuses of RTMR.EXTEND that the module's source shows.
    #[test]
    fn statuses_of_extend() {
        let buffer = Status(0xC000_0100_0000_0001);
        assert_eq!(buffer, Status::new(StatusCode::OPERAND_INVALID, OperandId::RCX));
        assert_eq!(buffer.operand(), Some(OperandId::RCX));
        assert!(!buffer.is_success() && !buffer.is_recoverable() && !buffer.is_busy());
        assert_eq!(Status(0xC000_0100_0000_0002).operand(), Some(OperandId::RDX));
        let busy = Status(0x8000_0200_0000_00A8);
        assert_eq!(busy.operand(), Some(OperandId::RTMR));
        assert!(busy.is_busy() && busy.is_recoverable() && !busy.is_success());
        assert_eq!(busy.class(), StatusClass::RESOURCE_BUSY);
        assert_eq!(busy.to_string(), "TDX_OPERAND_BUSY (0x80000200000000a8), operand RTMR");
    }

    /// Success, recoverability, class and operand of every code, as the table of the sources has
    /// them.
    #[test]
    fn the_table() {
        for &code in StatusCode::KNOWN {
            let status = Status::new(code, OperandId(7));
            assert_eq!(status.code(), code);
            assert_eq!(status.is_success(), code.0 < 0x8000_0000, "{status}");
            assert_eq!(status.is_recoverable(), code.0 >> 28 == 8, "{status}");
            assert_eq!(u32::from(status.class().0), code.0 >> 8 & 0xFF);
            assert!(code.name().unwrap().starts_with("TDX_"));
            assert_eq!(status.operand().is_some(), code.name().unwrap().contains("OPERAND"));
        }
        assert!(Status::new(StatusCode::TD_FATAL, OperandId::RAX).is_fatal());
        assert!(!Status(0xC000_0100_0000_0000).is_fatal());
    }

    #[test]
    fn unknown_ones_are_kept() {
        let status = Status(0xC123_4567_89AB_CDEF);
        assert_eq!((status.code().0, status.detail()), (0xC123_4567, 0x89AB_CDEF));
        assert_eq!((status.code().name(), status.operand()), (None, None));
        assert_eq!(status.class(), StatusClass(0x45));
        assert_eq!(status.to_string(), "unknown TDX status (0xc123456789abcdef)");
        assert_eq!(OperandId(99).to_string(), "99");
    }
}
