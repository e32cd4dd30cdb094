// SPDX-License-Identifier: MIT OR Apache-2.0
//! A register of any platform that is known by number, and its name.

use core::fmt;

use super::{CcMrIndex, PcrIndex, RemIndex, RtmrIndex};

/// A register of some platform.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[non_exhaustive]
pub enum RegisterIndex {
    /// `pcr0` to `pcr23`.
    Pcr(PcrIndex),
    /// `mrtd`: what a TD was built from.
    Mrtd,
    /// `rtmr0` to `rtmr3`.
    Rtmr(RtmrIndex),
    /// `rim`: what a realm was built from.
    Rim,
    /// `rem0` to `rem3`.
    Rem(RemIndex),
    /// `ccmr0` to `ccmr4`: of a confidential VM whose own names are not known.
    CcMr(CcMrIndex),
}

impl RegisterIndex {
    /// The register of this name, as [`Display`](fmt::Display) gives it.
    #[must_use]
    pub fn from_name(name: &[u8]) -> Option<Self> {
        let number = |kind: &[u8]| match name.strip_prefix(kind)? {
            [digit @ b'0'..=b'9'] => Some(u32::from(digit.wrapping_sub(b'0'))),
            [tens @ b'1'..=b'9', digit @ b'0'..=b'9'] => {
                let (tens, digit) = (tens.wrapping_sub(b'0'), digit.wrapping_sub(b'0'));
                Some(u32::from(tens).saturating_mul(10).saturating_add(u32::from(digit)))
            }
            _ => None,
        };
        match name {
            b"mrtd" => Some(Self::Mrtd),
            b"rim" => Some(Self::Rim),
            [b'p', ..] => PcrIndex::new(number(b"pcr")?).map(Self::Pcr),
            [b'c', ..] => CcMrIndex::new(number(b"ccmr")?).map(Self::CcMr),
            [b'r', b't', ..] => RtmrIndex::new(number(b"rtmr")?).map(Self::Rtmr),
            _ => RemIndex::new(number(b"rem")?).map(Self::Rem),
        }
    }

    /// Whether software can extend it, so that a log can explain it.
    #[must_use]
    pub const fn is_extendable(self) -> bool {
        !matches!(self, Self::Mrtd | Self::Rim | Self::CcMr(CcMrIndex(0)))
    }
}

impl From<PcrIndex> for RegisterIndex {
    fn from(index: PcrIndex) -> Self {
        Self::Pcr(index)
    }
}

impl From<RtmrIndex> for RegisterIndex {
    fn from(index: RtmrIndex) -> Self {
        Self::Rtmr(index)
    }
}

impl From<RemIndex> for RegisterIndex {
    fn from(index: RemIndex) -> Self {
        Self::Rem(index)
    }
}

impl From<CcMrIndex> for RegisterIndex {
    fn from(index: CcMrIndex) -> Self {
        Self::CcMr(index)
    }
}

impl fmt::Display for RegisterIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pcr(index) => index.fmt(f),
            Self::Mrtd => f.write_str("mrtd"),
            Self::Rtmr(index) => index.fmt(f),
            Self::Rim => f.write_str("rim"),
            Self::Rem(index) => index.fmt(f),
            Self::CcMr(index) => index.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_go_both_ways() {
        let pcrs = (0..24).filter_map(PcrIndex::new).map(RegisterIndex::Pcr);
        let mrs = (0..5).filter_map(CcMrIndex::new);
        let mrs = mrs.flat_map(|index| [RegisterIndex::CcMr(index), index.tdx(), index.cca()]);
        let all: Vec<_> = pcrs.chain(mrs).collect();
        assert_eq!(all.len(), 24 + 15);
        for register in all {
            let name = register.to_string();
            assert_eq!(RegisterIndex::from_name(name.as_bytes()), Some(register), "{name}");
            assert_eq!(register.is_extendable(), !["mrtd", "rim", "ccmr0"].contains(&&name[..]));
        }
        assert_eq!(RegisterIndex::from(RtmrIndex::RTMR3).to_string(), "rtmr3");
        assert_eq!(RegisterIndex::from(RemIndex::REM0).to_string(), "rem0");
        for bad in ["", "pcr", "pcr24", "pcr01", "pcr+1", "PCR1", "rtmr4", "rem", "r", "mrtd0", "x"]
        {
            assert_eq!(RegisterIndex::from_name(bad.as_bytes()), None, "{bad}");
        }
    }
}
