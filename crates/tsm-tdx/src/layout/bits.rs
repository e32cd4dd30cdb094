// SPDX-License-Identifier: MIT OR Apache-2.0
//! Two words of bits: a TD's attributes and its extended features.

use core::fmt;

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

macro_rules! bits {
    ($(#[$doc:meta])* $name:ident: $($(#[$bit_doc:meta])* $bit:ident = $number:literal, $text:literal;)*) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
        #[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
        #[repr(transparent)]
        pub struct $name([u8; 8]);

        impl $name {
            $($(#[$bit_doc])* pub const $bit: Self = Self::from_bits(1 << $number);)*

            /// All bits that have a name here.
            pub const KNOWN: Self = Self::from_bits(0 $(| 1 << $number)*);

            const NAMES: &'static [(Self, &'static str)] = &[$((Self::$bit, $text)),*];

            /// These bits.
            #[must_use]
            pub const fn from_bits(bits: u64) -> Self {
                Self(bits.to_le_bytes())
            }

            /// The bits.
            #[must_use]
            pub const fn bits(self) -> u64 {
                u64::from_le_bytes(self.0)
            }

            /// The bits as they lie in memory: little-endian.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; 8] {
                &self.0
            }

            /// Whether all of `bits` are set.
            #[must_use]
            pub const fn contains(self, bits: Self) -> bool {
                self.bits() & bits.bits() == bits.bits()
            }

            /// Those of the bits that are among `bits`.
            #[must_use]
            pub const fn among(self, bits: Self) -> Self {
                Self::from_bits(self.bits() & bits.bits())
            }

            /// Those of the bits that have no name here.
            #[must_use]
            pub const fn unknown(self) -> Self {
                Self::from_bits(self.bits() & !Self::KNOWN.bits())
            }

            /// These and those of `bits`.
            #[must_use]
            pub const fn and(self, bits: Self) -> Self {
                Self::from_bits(self.bits() | bits.bits())
            }

            /// Whether no bit is set.
            #[must_use]
            pub const fn is_empty(self) -> bool {
                self.bits() == 0
            }
        }

        impl fmt::Display for $name {
            /// The names, separated by a comma, unknown bits as a number behind; `-` if there are
            /// none.
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let mut separator = "";
                for (bit, name) in Self::NAMES {
                    if self.contains(*bit) {
                        write!(f, "{separator}{name}")?;
                        separator = ",";
                    }
                }
                let unknown = self.unknown();
                if !unknown.is_empty() {
                    write!(f, "{separator}{:#x}", unknown.bits())?;
                } else if separator.is_empty() {
                    f.write_str("-")?;
                }
                Ok(())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({self})", stringify!($name))
            }
        }
    };
}

bits! {
    /// ATTRIBUTES of a TD, chosen by the host when it is made (TDX module 1.5.01,
    /// `include/auto_gen`).
    ///
    /// Bits 7:0 take the TD out of its own trust boundary; see [`UNTRUSTED`](Self::UNTRUSTED).
    Attributes:
    /// The host can read and change everything.
    DEBUG = 0, "debug";
    /// Profiling by the host with HGS+.
    HGS_PLUS_PROF = 4, "hgs-plus-prof";
    /// Performance profiling by the host.
    PERF_PROF = 5, "perf-prof";
    /// Profiling by the host with PMT.
    PMT_PROF = 6, "pmt-prof";
    /// Linear address space separation.
    LASS = 27, "lass";
    /// An access to a page that is not accepted is an exit, not a #VE in the guest. Without it the
    /// host can inject #VE where it likes.
    SEPT_VE_DISABLE = 28, "sept-ve-disable";
    /// The TD can be migrated.
    MIGRATABLE = 29, "migratable";
    /// Supervisor protection keys.
    PKS = 30, "pks";
    /// Key locker.
    KL = 31, "kl";
    /// TPA.
    TPA = 62, "tpa";
    /// Performance counters in the guest.
    PERFMON = 63, "perfmon";
}

impl Attributes {
    /// Bits 7:0: a TD with any of them is open to its host in one way or another, and its
    /// measurements say nothing about what runs in it.
    pub const UNTRUSTED: Self = Self::from_bits(0xFF);
}

bits! {
    /// XFAM of a TD: the extended processor features that it may use, numbered as in XCR0 and
    /// IA32_XSS (Intel SDM, volume 1, section 13.1).
    Xfam:
    /// x87.
    X87 = 0, "x87";
    /// SSE.
    SSE = 1, "sse";
    /// AVX.
    AVX = 2, "avx";
    /// AVX-512: mask registers.
    OPMASK = 5, "opmask";
    /// AVX-512: upper halves of ZMM0 to ZMM15.
    ZMM_HI256 = 6, "zmm-hi256";
    /// AVX-512: ZMM16 to ZMM31.
    HI16_ZMM = 7, "hi16-zmm";
    /// Processor trace.
    PT = 8, "pt";
    /// Protection keys.
    PKRU = 9, "pkru";
    /// Process address space ids.
    PASID = 10, "pasid";
    /// Shadow stacks and branch tracking, user.
    CET_U = 11, "cet-u";
    /// Shadow stacks and branch tracking, supervisor.
    CET_S = 12, "cet-s";
    /// Hardware duty cycling.
    HDC = 13, "hdc";
    /// User interrupts.
    UINTR = 14, "uintr";
    /// Last branch records.
    LBR = 15, "lbr";
    /// Hardware-controlled performance states.
    HWP = 16, "hwp";
    /// AMX: tile configuration.
    TILECFG = 17, "tilecfg";
    /// AMX: tile data.
    TILEDATA = 18, "tiledata";
    /// APX: R16 to R31.
    APX = 19, "apx";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers() {
        assert_eq!(Attributes::from_bits(0).to_string(), "-");
        let attributes = Attributes::from_bits(1 | 1 << 28 | 1 << 50);
        assert_eq!(attributes.to_string(), "debug,sept-ve-disable,0x4000000000000");
        assert_eq!(attributes.unknown().bits(), 1 << 50);
        assert!(!attributes.among(Attributes::UNTRUSTED).is_empty());
        assert!(attributes.contains(Attributes::DEBUG.and(Attributes::SEPT_VE_DISABLE)));
        assert!(!attributes.contains(Attributes::DEBUG.and(Attributes::PKS)));
        assert_eq!(Xfam::from_bits(0x602E7).to_string().matches(',').count(), 8);
        assert_eq!(Attributes([0, 0, 0, 0x10, 0, 0, 0, 0]), Attributes::SEPT_VE_DISABLE);
    }
}
