// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the RMM says about a call.

use core::fmt;

/// X0 after an RSI call. A newtype and not an enumeration, so that codes of newer monitors are kept
/// and can be compared (DEN0137 1.0-rel0, B5.4, `RsiCommandReturnCode`; TF-RMM `smc-rsi.h`).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Status(pub u64);

macro_rules! statuses {
    ($($(#[$doc:meta])* $name:ident = $value:literal, $text:literal;)*) => {
        impl Status {
            $($(#[$doc])* pub const $name: Self = Self($value);)*

            /// Its name; `None` if this crate does not know it.
            #[must_use]
            pub const fn name(self) -> Option<&'static str> {
                Some(match self {
                    $(Self::$name => $text,)*
                    _ => return None,
                })
            }

            /// All that have a name here.
            pub const KNOWN: &'static [Self] = &[$(Self::$name),*];
        }
    };
}

statuses! {
    /// It was done.
    SUCCESS = 0, "RSI_SUCCESS";
    /// An input is wrong; nothing was done. TF-RMM also says so when it cannot assemble a token.
    ERROR_INPUT = 1, "RSI_ERROR_INPUT";
    /// Not now: no token is being made on this virtual processor.
    ERROR_STATE = 2, "RSI_ERROR_STATE";
    /// So far done; to be called again.
    INCOMPLETE = 3, "RSI_INCOMPLETE";
    /// Something failed in the monitor (since 1.0-rel0).
    ERROR_UNKNOWN = 4, "RSI_ERROR_UNKNOWN";
    /// A device (since 1.1).
    ERROR_DEVICE = 5, "RSI_ERROR_DEVICE";
    /// No such call: SMCCC's `NOT_SUPPORTED`, -1. From an RMM, and from firmware that is none.
    NOT_SUPPORTED = 0xFFFF_FFFF_FFFF_FFFF, "NOT_SUPPORTED";
}

impl fmt::Display for Status {
    /// `RSI_ERROR_INPUT (0x1)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({:#x})", self.name().unwrap_or("unknown RSI status"), self.0)
    }
}

impl fmt::Debug for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers() {
        let numbers: Vec<u64> = Status::KNOWN.iter().map(|status| status.0).collect();
        assert_eq!(numbers, [0, 1, 2, 3, 4, 5, u64::MAX]);
        assert!(Status::KNOWN.iter().all(|status| status.name().is_some()));
        assert_eq!(Status(1).to_string(), "RSI_ERROR_INPUT (0x1)");
        assert_eq!(Status(77).to_string(), "unknown RSI status (0x4d)");
        assert_eq!(Status(77).name(), None);
    }
}
