// SPDX-License-Identifier: MIT OR Apache-2.0
//! Bits of a report: masks, not enumerations. Firmware gains bits without a new version, so a bit
//! that is clear may mean that the firmware does not know it.

use core::fmt;

macro_rules! bits {
    ($(#[$doc:meta])* $type:ident($word:ty);
     $($(#[$item:meta])* $name:ident = $bit:literal, $text:literal;)*) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash)]
        pub struct $type(pub $word);

        impl $type {
            $($(#[$item])* pub const $name: Self = Self(1 << $bit);)*

            const NAMES: &'static [(Self, &'static str)] = &[$((Self::$name, $text)),*];

            /// Whether all bits of `mask` are set.
            #[must_use]
            pub const fn contains(self, mask: Self) -> bool {
                self.0 & mask.0 == mask.0
            }

            /// Whether a bit of `mask` is set.
            #[must_use]
            pub const fn intersects(self, mask: Self) -> bool {
                self.0 & mask.0 != 0
            }

            /// Both sets of bits.
            #[must_use]
            pub const fn and(self, mask: Self) -> Self {
                Self(self.0 | mask.0)
            }

            /// Names of the bits that are set, and separately what has none. `numbers` are no such
            /// bits; before the first name stands `separator`.
            fn names(
                self,
                f: &mut fmt::Formatter<'_>,
                numbers: $word,
                mut separator: &'static str,
            ) -> fmt::Result {
                let mut rest = self.0 & !numbers;
                for (bit, name) in Self::NAMES {
                    if self.contains(*bit) {
                        write!(f, "{separator}{name}")?;
                        separator = ",";
                        rest &= !bit.0;
                    }
                }
                if rest == 0 { Ok(()) } else { write!(f, "{separator}{rest:#x}") }
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:#x} ({self})", self.0)
            }
        }
    };
}

bits! {
    /// The guest's policy. Bits 7:0 and 15:8 are the lowest minor and major version of the ABI, bit
    /// 17 must be set.
    GuestPolicy(u64);

    /// Hyperthreads are allowed.
    SMT = 16, "smt";
    /// Must be one.
    RESERVED_ONE = 17, "must-be-one";
    /// A migration agent may move the guest, and read it.
    MIGRATE_MA = 18, "migrate-ma";
    /// The host may read and write the guest's memory.
    DEBUG = 19, "debug";
    /// One socket only.
    SINGLE_SOCKET = 20, "single-socket";
    /// CXL devices are allowed.
    CXL_ALLOWED = 21, "cxl";
    /// Memory must be encrypted with AES-256-XTS.
    MEM_AES_256_XTS = 22, "aes-256-xts";
    /// RAPL must be off.
    RAPL_DISABLED = 23, "rapl-off";
    /// Ciphertext must be hidden.
    CIPHERTEXT_HIDING_DRAM = 24, "ciphertext-hiding";
    /// Pages must not be swapped.
    PAGE_SWAP_DISABLED = 25, "page-swap-off";
}

impl GuestPolicy {
    /// Lowest version of the ABI: major, minor.
    #[must_use]
    pub const fn abi(self) -> (u8, u8) {
        let [minor, major, ..] = self.0.to_le_bytes();
        (major, minor)
    }
}

impl fmt::Display for GuestPolicy {
    /// `abi 0.31,smt,must-be-one`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (major, minor) = self.abi();
        write!(f, "abi {major}.{minor}")?;
        self.names(f, 0xFFFF, ",")
    }
}

bits! {
    /// PLATFORM_INFO: how the host is set up.
    PlatformInfo(u64);

    /// Hyperthreads are on.
    SMT = 0, "smt";
    /// Transparent memory encryption is on.
    TSME = 1, "tsme";
    /// Memory has ECC.
    ECC = 2, "ecc";
    /// RAPL is off.
    RAPL_DISABLED = 3, "rapl-off";
    /// Ciphertext is hidden.
    CIPHERTEXT_HIDING_DRAM = 4, "ciphertext-hiding";
    /// Memory was checked for aliases (BadRAM).
    ALIAS_CHECK_COMPLETE = 5, "alias-check";
    /// The IOMMU writes safely. Seen on Turin; other readers call the bit reserved.
    IOMMU_WRITE_SAFE = 6, "iommu-write-safe";
    /// Trusted I/O is on.
    TIO = 7, "tio";
}

impl fmt::Display for PlatformInfo {
    /// `smt,ecc`; `-` if no bit is set.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 { f.write_str("-") } else { self.names(f, 0, "") }
    }
}

bits! {
    /// The word behind PLATFORM_INFO. Bits 4:2 are the signing key.
    KeyInfo(u32);

    /// The digest of an author key is in the report.
    AUTHOR_KEY = 0, "author-key";
    /// The chip's keys are masked: the report is not signed.
    MASK_CHIP_KEY = 1, "mask-chip-key";
}

impl KeyInfo {
    /// Which key signed.
    #[must_use]
    pub const fn signing_key(self) -> SigningKey {
        match self.0 >> 2 & 7 {
            0 => SigningKey::Vcek,
            1 => SigningKey::Vlek,
            7 => SigningKey::None,
            other => {
                let [number, ..] = other.to_le_bytes();
                SigningKey::Unknown(number)
            }
        }
    }

    /// Whether a bit is set that has no meaning yet.
    #[must_use]
    pub const fn has_unknown_bits(self) -> bool {
        self.0 >> 5 != 0
    }
}

impl fmt::Display for KeyInfo {
    /// `vcek,author-key`; `vcek` if no other bit is set.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.signing_key().fmt(f)?;
        self.names(f, 0b11100, ",")
    }
}

/// Which key signed a report.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum SigningKey {
    /// The chip's own, VCEK.
    Vcek,
    /// The cloud provider's, VLEK: it tells the provider, not the chip.
    Vlek,
    /// None.
    None,
    /// A number that is not known.
    Unknown(u8),
}

impl fmt::Display for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Vcek => f.write_str("vcek"),
            Self::Vlek => f.write_str("vlek"),
            Self::None => f.write_str("no key"),
            Self::Unknown(number) => write!(f, "key {number}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values that real reports have.
    #[test]
    fn real_values() {
        assert_eq!(GuestPolicy(0x3001f).to_string(), "abi 0.31,smt,must-be-one");
        assert_eq!(GuestPolicy(0xb0000).to_string(), "abi 0.0,smt,must-be-one,debug");
        assert!(GuestPolicy(0xb0000).contains(GuestPolicy::DEBUG));
        let turin = PlatformInfo(0x65);
        assert_eq!(turin.to_string(), "smt,ecc,alias-check,iommu-write-safe");
        assert_eq!(PlatformInfo(0).to_string(), "-");
        assert_eq!(KeyInfo(0b100).signing_key(), SigningKey::Vlek);
        let keys = [0, 0b100, 0b1, 0b11100, 0b10].map(|word| KeyInfo(word).to_string());
        assert_eq!(keys, ["vcek", "vlek", "vcek,author-key", "no key", "vcek,mask-chip-key"]);
        assert_eq!(GuestPolicy(0x1F).to_string(), "abi 0.31");
    }

    #[test]
    fn bits_without_a_name_are_kept() {
        assert_eq!(PlatformInfo(0x101).to_string(), "smt,0x100");
        assert_eq!(KeyInfo(0x2D).to_string(), "key 3,author-key,0x20");
        assert!(KeyInfo(0x20).has_unknown_bits() && !KeyInfo(0x1F).has_unknown_bits());
        assert_eq!(format!("{:?}", GuestPolicy(1 << 40)), "0x10000000000 (abi 0.0,0x10000000000)");
    }
}
