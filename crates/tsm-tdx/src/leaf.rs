// SPDX-License-Identifier: MIT OR Apache-2.0
//! Numbers: guest-side leaves, field ids, and what goes with TDG.VP.VMCALL.
//!
//! Source: Intel TDX Module 1.5 ABI Specification (348551); TDX module 1.5.01,
//! `include/tdx_api_defs.h` and `include/auto_gen/tdr_tdcs_fields_lookup.h`; Intel TDX Guest-Host-
//! Communication Interface 1.5 (348552).

use core::fmt;

use tsm_core::index::RtmrIndex;

/// RAX of a TDCALL: leaf number in bits 15:0, version in bits 23:16, all else zero.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Leaf(pub u64);

impl Leaf {
    /// `TDG.VP.VMCALL`: a call to the host.
    pub const VP_VMCALL: Self = Self(0);
    /// `TDG.VP.INFO`: what kind of TD this is.
    pub const VP_INFO: Self = Self(1);
    /// `TDG.MR.RTMR.EXTEND`.
    pub const MR_RTMR_EXTEND: Self = Self(2);
    /// `TDG.MR.REPORT`.
    pub const MR_REPORT: Self = Self(4);
    /// `TDG.VM.RD`, version 0: a field of the TD.
    pub const VM_RD: Self = Self(7);
    /// `TDG.SYS.RD`: a field of the module.
    pub const SYS_RD: Self = Self(11);
    /// `TDG.MR.VERIFYREPORT`.
    pub const MR_VERIFYREPORT: Self = Self(22);

    /// The leaf's number without its version.
    #[must_use]
    pub const fn number(self) -> u64 {
        self.0 & 0xFFFF
    }

    /// The version.
    #[must_use]
    pub const fn version(self) -> u64 {
        self.0 >> 16 & 0xFF
    }

    /// The same leaf in another version. The module 1.5.01 has version 1 of `TDG.VM.RD` only.
    #[must_use]
    pub const fn with_version(self, version: u8) -> Self {
        let [low, high, ..] = self.0.to_le_bytes();
        Self(u64::from_le_bytes([low, high, version, 0, 0, 0, 0, 0]))
    }

    /// Its name in the specification; `None` for leaves that this crate does not issue.
    #[must_use]
    pub const fn name(self) -> Option<&'static str> {
        Some(match Self(self.number()) {
            Self::VP_VMCALL => "TDG.VP.VMCALL",
            Self::VP_INFO => "TDG.VP.INFO",
            Self::MR_RTMR_EXTEND => "TDG.MR.RTMR.EXTEND",
            Self::MR_REPORT => "TDG.MR.REPORT",
            Self::VM_RD => "TDG.VM.RD",
            Self::SYS_RD => "TDG.SYS.RD",
            Self::MR_VERIFYREPORT => "TDG.MR.VERIFYREPORT",
            _ => return None,
        })
    }
}

impl fmt::Display for Leaf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "TDCALL leaf {}", self.number()),
        }
    }
}

impl fmt::Debug for Leaf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The id of a field that `TDG.VM.RD` or `TDG.SYS.RD` reads. A field of several 8-byte elements has
/// consecutive ids.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct FieldId(pub u64);

impl FieldId {
    /// ATTRIBUTES of the TD.
    pub const ATTRIBUTES: Self = Self(0x1110_0003_0000_0000);
    /// XFAM of the TD.
    pub const XFAM: Self = Self(0x1110_0003_0000_0001);
    /// MRTD, 6 elements.
    pub const MRTD: Self = Self(0x1310_0003_0000_0000);
    /// MRCONFIGID, 6 elements.
    pub const MRCONFIGID: Self = Self(0x1310_0003_0000_0010);
    /// MROWNER, 6 elements.
    pub const MROWNER: Self = Self(0x1310_0003_0000_0018);
    /// MROWNERCONFIG, 6 elements.
    pub const MROWNERCONFIG: Self = Self(0x1310_0003_0000_0020);
    /// RTMR0 to RTMR3, 24 elements.
    pub const RTMR: Self = Self(0x1310_0003_0000_0040);
    /// SERVTD_HASH, 6 elements.
    pub const SERVTD_HASH: Self = Self(0x9910_0003_0000_0000);
    /// Most bytes of a quote, without the 24 bytes of the GetQuote header; newer modules only.
    pub const QUOTE_MAX_SIZE: Self = Self(0x9010_0002_0000_0008);

    /// Elements of a register of 48 bytes.
    pub const WORDS: u64 = 6;

    /// The first element of an RTMR.
    #[must_use]
    pub const fn rtmr(index: RtmrIndex) -> Self {
        Self::RTMR.element(word(index).wrapping_mul(Self::WORDS))
    }

    /// The element `n` places further on.
    #[must_use]
    pub const fn element(self, n: u64) -> Self {
        Self(self.0.wrapping_add(n))
    }
}

/// R11 of a `TDG.VP.VMCALL`: what the host is asked for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct VmcallFunction(pub u64);

impl VmcallFunction {
    /// Turns pages private or shared.
    pub const MAP_GPA: Self = Self(0x1_0001);
    /// Asks for a quote.
    pub const GET_QUOTE: Self = Self(0x1_0002);
    /// Tells that the guest gives up.
    pub const REPORT_FATAL_ERROR: Self = Self(0x1_0003);
    /// Names the interrupt by which the host tells that a quote is ready.
    pub const SETUP_EVENT_NOTIFY_INTERRUPT: Self = Self(0x1_0004);
    /// Asks a service.
    pub const SERVICE: Self = Self(0x1_0005);
}

/// RCX of a `TDG.VP.VMCALL` of this crate: the registers that the host sees and sets, R10 to R15.
/// Bits 15:0 are the general registers, RAX first.
pub const VMCALL_REGISTERS: u64 = 0xFC00;

/// R10 of a `TDG.VP.VMCALL` that follows the Guest-Host-Communication Interface.
pub const VMCALL_STANDARD: u64 = 0;

/// The number as an operand.
pub(crate) const fn word(index: RtmrIndex) -> u64 {
    let [low, ..] = index.number().to_le_bytes();
    u64::from_le_bytes([low, 0, 0, 0, 0, 0, 0, 0])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions() {
        assert_eq!(Leaf::VM_RD.with_version(1), Leaf(0x1_0007));
        assert_eq!((Leaf(0x1_0007).number(), Leaf(0x1_0007).version()), (7, 1));
        assert_eq!(Leaf(0x1_0007).to_string(), "TDG.VM.RD");
        assert_eq!(Leaf(99).to_string(), "TDCALL leaf 99");
    }

    /// Ids from the module's tables.
    #[test]
    fn words_of_rtmrs() {
        let id = |rtmr, word| FieldId::rtmr(RtmrIndex::new(rtmr).unwrap()).element(word).0;
        assert_eq!(id(0, 0), 0x1310_0003_0000_0040);
        assert_eq!(id(1, 0), 0x1310_0003_0000_0046);
        assert_eq!(id(3, 5), 0x1310_0003_0000_0057);
    }
}
