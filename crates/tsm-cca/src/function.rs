// SPDX-License-Identifier: MIT OR Apache-2.0
//! Numbers of RSI calls, and their revisions.
//!
//! Source: Arm DEN0137 (Realm Management Monitor specification) 1.0-rel0, chapter B5; TF-RMM
//! `lib/smc/include/smc-rsi.h`.

use core::fmt;

/// The function identifier of an SMC, W0.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Function(pub u32);

impl Function {
    /// `RSI_VERSION`.
    pub const VERSION: Self = Self(0xC400_0190);
    /// `RSI_FEATURES`.
    pub const FEATURES: Self = Self(0xC400_0191);
    /// `RSI_MEASUREMENT_READ`.
    pub const MEASUREMENT_READ: Self = Self(0xC400_0192);
    /// `RSI_MEASUREMENT_EXTEND`.
    pub const MEASUREMENT_EXTEND: Self = Self(0xC400_0193);
    /// `RSI_ATTESTATION_TOKEN_INIT`.
    pub const ATTESTATION_TOKEN_INIT: Self = Self(0xC400_0194);
    /// `RSI_ATTESTATION_TOKEN_CONTINUE`.
    pub const ATTESTATION_TOKEN_CONTINUE: Self = Self(0xC400_0195);
    /// `RSI_REALM_CONFIG`.
    pub const REALM_CONFIG: Self = Self(0xC400_0196);
    /// `RSI_HOST_CALL`.
    pub const HOST_CALL: Self = Self(0xC400_0199);

    /// The hint of SMCCC 1.3 that the caller has no live SVE state. Callees leave it out of account,
    /// and this crate never sets it.
    pub const SVE_HINT: u32 = 1 << 16;

    /// The function in the lower half of X0, without [`SVE_HINT`](Self::SVE_HINT).
    #[must_use]
    pub const fn of_register(x0: u64) -> Self {
        let [a, b, c, d, ..] = x0.to_le_bytes();
        Self(u32::from_le_bytes([a, b, c, d]) & !Self::SVE_HINT)
    }

    /// X0 of a call.
    #[must_use]
    pub const fn register(self) -> u64 {
        let [a, b, c, d] = self.0.to_le_bytes();
        u64::from_le_bytes([a, b, c, d, 0, 0, 0, 0])
    }

    /// Its name in the specification; `None` for calls that this crate does not make.
    #[must_use]
    pub const fn name(self) -> Option<&'static str> {
        Some(match self {
            Self::VERSION => "RSI_VERSION",
            Self::FEATURES => "RSI_FEATURES",
            Self::MEASUREMENT_READ => "RSI_MEASUREMENT_READ",
            Self::MEASUREMENT_EXTEND => "RSI_MEASUREMENT_EXTEND",
            Self::ATTESTATION_TOKEN_INIT => "RSI_ATTESTATION_TOKEN_INIT",
            Self::ATTESTATION_TOKEN_CONTINUE => "RSI_ATTESTATION_TOKEN_CONTINUE",
            Self::REALM_CONFIG => "RSI_REALM_CONFIG",
            Self::HOST_CALL => "RSI_HOST_CALL",
            _ => return None,
        })
    }
}

impl fmt::Display for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "SMC {:#010x}", self.0),
        }
    }
}

impl fmt::Debug for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A revision of the RSI: bits 30:16 the major, bits 15:0 the minor number (DEN0137 1.0-rel0,
/// B5.3.10).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version(pub u64);

impl Version {
    /// 1.0: all that measurements and tokens take.
    pub const V1_0: Self = Self(0x1_0000);
    /// 1.1. TF-RMM reports it while it already behaves like 2.0 beta, so it says nothing of the
    /// token's format.
    pub const V1_1: Self = Self(0x1_0001);

    /// The major number.
    #[must_use]
    pub const fn major(self) -> u16 {
        let [_, _, low, high, ..] = self.0.to_le_bytes();
        u16::from_le_bytes([low, high & 0x7F])
    }

    /// The minor number.
    #[must_use]
    pub const fn minor(self) -> u16 {
        let [low, high, ..] = self.0.to_le_bytes();
        u16::from_le_bytes([low, high])
    }
}

impl fmt::Display for Version {
    /// `1.0`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major(), self.minor())
    }
}

impl fmt::Debug for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The revisions that an RMM offers, its answer to a request for one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Versions {
    /// The one requested, if there is such a one; else the highest below it; else the highest.
    /// TF-RMM gives the highest in both of the latter cases.
    pub lower: Version,
    /// The highest.
    pub higher: Version,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions() {
        assert_eq!(Function::of_register(0xC401_0193), Function::MEASUREMENT_EXTEND);
        assert_eq!(Function::of_register(0xFFFF_FFFF_C400_0190), Function::VERSION);
        assert_eq!(Function::HOST_CALL.register(), 0xC400_0199);
        assert_eq!(Function::VERSION.to_string(), "RSI_VERSION");
        assert_eq!(Function(0x8400_0000).to_string(), "SMC 0x84000000");
    }

    #[test]
    fn versions() {
        assert_eq!((Version::V1_1.major(), Version::V1_1.minor()), (1, 1));
        assert_eq!(Version(0x7FFF_FFFF).to_string(), "32767.65535");
        // Bit 31 is no part of the major number.
        assert_eq!(Version(0x8001_0000).major(), 1);
        assert_eq!(format!("{:?}", Version::V1_0), "1.0");
    }
}
