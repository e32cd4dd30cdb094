// SPDX-License-Identifier: MIT OR Apache-2.0
//! GetQuote: a quote by way of the host.

use core::fmt;

/// What the host answers in R10.
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
