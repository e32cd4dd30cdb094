// SPDX-License-Identifier: MIT OR Apache-2.0
//! What firmware and host answer. Numbers are kept as they came; those that are known have a name.

use core::fmt;

macro_rules! numbers {
    ($(#[$doc:meta])* $type:ident, $unknown:literal;
     $($(#[$item:meta])* $name:ident = $value:literal, $text:literal;)*) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $type(pub u32);

        impl $type {
            $($(#[$item])* pub const $name: Self = Self($value);)*

            /// What it means; `None` if this crate does not know it.
            #[must_use]
            pub const fn meaning(self) -> Option<&'static str> {
                Some(match self {
                    $(Self::$name => $text,)*
                    _ => return None,
                })
            }
        }

        impl fmt::Display for $type {
            /// The meaning, then the number in hex.
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{} ({:#x})", self.meaning().unwrap_or($unknown), self.0)
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
    };
}

numbers! {
    /// The firmware's status of a guest request, bits 31:0 of the exit information. The host passes
    /// it on, so it is the host's word.
    ///
    /// Numbers from google/go-sev-guest `abi/amdsp.go`; which of them come before the firmware has
    /// counted the message is not documented, so each of them disables the key. In practice
    /// `INVALID_PARAMETER` and `AEAD_OVERFLOW` both stand for a wrong sequence number.
    FirmwareStatus, "unknown firmware status";

    /// It was done.
    SUCCESS = 0, "success";
    /// The platform is in another state.
    INVALID_PLATFORM_STATE = 1, "invalid platform state";
    /// The guest is in another state.
    INVALID_GUEST_STATE = 2, "invalid guest state";
    /// A length is wrong.
    INVALID_LENGTH = 4, "invalid length";
    /// The guest's policy forbids it.
    POLICY_FAILURE = 7, "policy failure";
    /// The guest is not active.
    INACTIVE = 8, "guest inactive";
    /// An address is wrong.
    INVALID_ADDRESS = 9, "invalid address";
    /// There is no such command.
    INVALID_COMMAND = 0x11, "invalid command";
    /// The hardware failed; the platform is as it was.
    HARDWARE_PLATFORM = 0x13, "hardware error";
    /// The hardware failed; the platform is not safe.
    HARDWARE_UNSAFE = 0x14, "hardware error, unsafe";
    /// Not supported.
    UNSUPPORTED = 0x15, "unsupported";
    /// A parameter is wrong; also a tag, a reserved field or a sequence number.
    INVALID_PARAMETER = 0x16, "invalid parameter";
    /// Out of resources.
    RESOURCE_LIMIT = 0x17, "resource limit";
    /// Secure data are wrong.
    SECURE_DATA_INVALID = 0x18, "secure data invalid";
    /// A page is of another size.
    INVALID_PAGE_SIZE = 0x19, "invalid page size";
    /// A page is in another state.
    INVALID_PAGE_STATE = 0x1A, "invalid page state";
    /// A metadata entry is wrong.
    INVALID_METADATA_ENTRY = 0x1B, "invalid metadata entry";
    /// A page is somebody else's.
    INVALID_PAGE_OWNER = 0x1C, "invalid page owner";
    /// The sequence number is not the next one, or used up.
    AEAD_OVERFLOW = 0x1D, "AEAD overflow";
}

numbers! {
    /// The host's own status of a guest request, bits 63:32 of the exit information (Linux
    /// `include/uapi/linux/sev-guest.h`).
    HostStatus, "unknown host status";

    /// It has nothing to say.
    SUCCESS = 0, "success";
    /// The memory for certificates is too small; RBX says how many pages it takes.
    INVALID_LENGTH = 1, "invalid length";
    /// Too many requests; nothing was passed on.
    BUSY = 2, "busy";
}

numbers! {
    /// The status within a response that authenticates: the firmware's own word.
    MessageStatus, "unknown message status";

    /// It was done.
    SUCCESS = 0, "success";
    /// A parameter is wrong; for a report, a VMPL that is more privileged than the key's.
    INVALID_PARAMETERS = 0x16, "invalid parameters";
    /// There is no such signing key.
    INVALID_KEY_SELECTION = 0x27, "invalid key selection";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_ones_are_kept() {
        assert_eq!(FirmwareStatus(0x1D).to_string(), "AEAD overflow (0x1d)");
        assert_eq!(FirmwareStatus(0x99).to_string(), "unknown firmware status (0x99)");
        assert_eq!(HostStatus(2), HostStatus::BUSY);
        assert_eq!(MessageStatus(0x27).meaning(), Some("invalid key selection"));
    }
}
