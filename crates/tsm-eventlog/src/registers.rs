// SPDX-License-Identifier: MIT OR Apache-2.0
//! Numbers of registers: each kind a type of its own, and the conversions between them.
//!
//! A log's records carry a bare number. In a TPM's log it is a PCR; in the log of a confidential VM
//! it is a *measurement register index* of the UEFI specification, which is one more than the number
//! in the names `rtmr0` and `rem0`. Mixing these up is a common mistake, so nothing here converts
//! by itself. The crates for platforms use these types too.
//!
//! | PCR | CC measurement register | TDX | CCA |
//! |---|---|---|---|
//! | 0 | 0 | MRTD | RIM |
//! | 1, 7 | 1 | RTMR0 | REM0 |
//! | 2 to 6 | 2 | RTMR1 | REM1 |
//! | 8 to 15 | 3 | RTMR2 | REM2 |
//! | none | 4 | RTMR3 | REM3 |
//!
//! Source: UEFI 2.10, section 38.4.1; for CCA, EDK2 `MdePkg/Include/Protocol/CcMeasurement.h`.
//!
//! ```
//! use tsm_eventlog::registers::{CcMrIndex, PcrIndex, RegisterIndex, RtmrIndex};
//!
//! let kernel = PcrIndex::new(9).and_then(PcrIndex::cc_mr);
//! assert_eq!(kernel, CcMrIndex::new(3));
//! assert_eq!(kernel.and_then(CcMrIndex::rtmr), RtmrIndex::new(2));
//! assert_eq!(kernel.map(|kernel| kernel.tdx().to_string()).as_deref(), Some("rtmr2"));
//! assert_eq!(RegisterIndex::from_name(b"rtmr2"), RtmrIndex::new(2).map(RegisterIndex::Rtmr));
//! ```

use core::fmt;

macro_rules! index {
    ($(#[$doc:meta])* $name:ident, $count:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub struct $name(u32);

        impl $name {
            /// How many there are.
            pub const COUNT: u32 = $count;

            /// The register of this number; `None` if there is none.
            #[must_use]
            pub const fn new(number: u32) -> Option<Self> {
                if number < Self::COUNT { Some(Self(number)) } else { None }
            }

            /// The number.
            #[must_use]
            pub const fn number(self) -> u32 {
                self.0
            }
        }
    };
}

index! {
    /// A PCR of a TPM: 0 to 23 (TCG PC Client Platform TPM Profile 1.05, section 4.6).
    PcrIndex, 24
}
index! {
    /// A measurement register of a confidential VM as UEFI counts them, and as CCEL records have
    /// them: 0 is what the machine was built from, 1 to 4 can be extended.
    CcMrIndex, 5
}
index! {
    /// A runtime measurement register of Intel TDX: RTMR0 to RTMR3.
    RtmrIndex, 4
}
index! {
    /// A realm extensible measurement of Arm CCA: REM0 to REM3. The RSI counts from 1 here, like
    /// [`CcMrIndex`].
    RemIndex, 4
}

impl PcrIndex {
    /// The CC measurement register that takes this PCR's events; `None` for PCR 16 and above.
    ///
    /// This is UEFI's rule, which firmware and boot loaders follow. Agents in the guest have rules
    /// of their own: that of Confidential Containers sends all other PCRs, and 0, to register 4.
    #[must_use]
    pub const fn cc_mr(self) -> Option<CcMrIndex> {
        match self.0 {
            0 => Some(CcMrIndex(0)),
            1 | 7 => Some(CcMrIndex(1)),
            2..=6 => Some(CcMrIndex(2)),
            8..=15 => Some(CcMrIndex(3)),
            _ => None,
        }
    }

    /// Whether the PCR starts with all bits one and is reset by a dynamic launch: 17 to 22.
    #[must_use]
    pub const fn is_dynamic(self) -> bool {
        matches!(self.0, 17..=22)
    }
}

impl CcMrIndex {
    /// The RTMR; `None` for 0, which is MRTD.
    #[must_use]
    pub const fn rtmr(self) -> Option<RtmrIndex> {
        match self.0.checked_sub(1) {
            Some(number) => RtmrIndex::new(number),
            None => None,
        }
    }

    /// The REM; `None` for 0, which is the RIM.
    #[must_use]
    pub const fn rem(self) -> Option<RemIndex> {
        match self.0.checked_sub(1) {
            Some(number) => RemIndex::new(number),
            None => None,
        }
    }

    /// The register of a TD.
    #[must_use]
    pub const fn tdx(self) -> RegisterIndex {
        match self.rtmr() {
            Some(rtmr) => RegisterIndex::Rtmr(rtmr),
            None => RegisterIndex::Mrtd,
        }
    }

    /// The register of a realm.
    #[must_use]
    pub const fn cca(self) -> RegisterIndex {
        match self.rem() {
            Some(rem) => RegisterIndex::Rem(rem),
            None => RegisterIndex::Rim,
        }
    }
}

impl RtmrIndex {
    /// UEFI's number for it: one more.
    #[must_use]
    pub const fn cc_mr(self) -> CcMrIndex {
        CcMrIndex(self.0.saturating_add(1))
    }
}

impl RemIndex {
    /// UEFI's number for it, and the RSI's: one more.
    #[must_use]
    pub const fn cc_mr(self) -> CcMrIndex {
        CcMrIndex(self.0.saturating_add(1))
    }
}

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
            Self::Pcr(index) => write!(f, "pcr{}", index.0),
            Self::Mrtd => f.write_str("mrtd"),
            Self::Rtmr(index) => write!(f, "rtmr{}", index.0),
            Self::Rim => f.write_str("rim"),
            Self::Rem(index) => write!(f, "rem{}", index.0),
            Self::CcMr(index) => write!(f, "ccmr{}", index.0),
        }
    }
}

/// Whose registers the numbers in a log mean. Only sometimes does a log tell
/// ([`Format`](crate::Format)).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Platform {
    /// A TPM: the numbers are PCRs.
    Tpm,
    /// Intel TDX: the numbers are [`CcMrIndex`].
    Tdx,
    /// Arm CCA: the numbers are [`CcMrIndex`], as firmware writes them.
    Cca,
    /// Arm CCA, in a log that the machine monitor wrote (Veraison's `cca-realm-measurements`): the
    /// numbers are PCRs that stand for registers; 16 and above for REM3.
    CcaMonitor,
    /// Some other confidential VM: the numbers are [`CcMrIndex`].
    Cc,
}

impl Platform {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Tpm, Self::Tdx, Self::Cca, Self::CcaMonitor, Self::Cc];

    /// The register that a number in this platform's log means; `None` if there is none.
    #[must_use]
    pub const fn register(self, number: u32) -> Option<RegisterIndex> {
        if let Self::Tpm = self {
            return match PcrIndex::new(number) {
                Some(index) => Some(RegisterIndex::Pcr(index)),
                None => None,
            };
        }
        match (self, self.cc_mr(number)) {
            (Self::Tdx, Some(index)) => Some(index.tdx()),
            (Self::Cca | Self::CcaMonitor, Some(index)) => Some(index.cca()),
            (_, Some(index)) => Some(RegisterIndex::CcMr(index)),
            (_, None) => None,
        }
    }

    /// The number that this platform's log has for a register; `None` if the register is of another
    /// platform. For [`CcaMonitor`](Self::CcaMonitor) the lowest one.
    #[must_use]
    pub fn number(self, register: RegisterIndex) -> Option<u32> {
        (0..PcrIndex::COUNT).find(|&number| self.register(number) == Some(register))
    }

    /// How many registers it has.
    #[must_use]
    pub const fn registers(self) -> u32 {
        match self {
            Self::Tpm => PcrIndex::COUNT,
            _ => CcMrIndex::COUNT,
        }
    }

    const fn cc_mr(self, number: u32) -> Option<CcMrIndex> {
        match (self, PcrIndex::new(number)) {
            (Self::CcaMonitor, Some(pcr)) => match pcr.cc_mr() {
                None => Some(CcMrIndex(4)),
                mapped => mapped,
            },
            (Self::CcaMonitor, None) => None,
            _ => CcMrIndex::new(number),
        }
    }

    /// The place among this platform's registers of the one that a number means.
    #[inline]
    pub(crate) const fn place(self, number: u32) -> Option<u32> {
        match self {
            Self::Tpm if number < PcrIndex::COUNT => Some(number),
            Self::Tpm => None,
            _ => match self.cc_mr(number) {
                Some(index) => Some(index.0),
                None => None,
            },
        }
    }

    /// The place of a register of this platform.
    pub(crate) fn place_of(self, register: RegisterIndex) -> Option<u32> {
        (0..self.registers()).find(|&place| self.at_place(place) == Some(register))
    }

    /// The register at a place.
    pub(crate) const fn at_place(self, place: u32) -> Option<RegisterIndex> {
        match self {
            Self::CcaMonitor => Self::Cca.register(place),
            _ => self.register(place),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_go_both_ways() {
        let mut names = 0;
        for platform in Platform::ALL {
            for number in 0..100 {
                let Some(register) = platform.register(number) else { continue };
                let name = register.to_string();
                assert_eq!(RegisterIndex::from_name(name.as_bytes()), Some(register), "{name}");
                let place = platform.place(number).unwrap();
                assert_eq!(platform.at_place(place), Some(register));
                assert!(platform.number(register).unwrap() <= number);
                names += 1;
            }
        }
        assert_eq!(names, 24 + 5 + 5 + 24 + 5);
        for bad in ["", "pcr", "pcr24", "pcr01", "pcr+1", "PCR1", "rtmr4", "rem", "r", "mrtd0", "x"]
        {
            assert_eq!(RegisterIndex::from_name(bad.as_bytes()), None, "{bad}");
        }
    }

    /// UEFI 2.10, section 38.4.1.
    #[test]
    fn the_map() {
        let map = |pcr| PcrIndex::new(pcr).and_then(PcrIndex::cc_mr).map(CcMrIndex::number);
        let expected = [0, 1, 2, 2, 2, 2, 2, 1, 3, 3, 3, 3, 3, 3, 3, 3];
        assert!((0..16).map(map).eq(expected.map(Some)));
        assert!((16..30).all(|pcr| map(pcr).is_none()));

        for number in 0..4 {
            let (rtmr, rem) = (RtmrIndex::new(number).unwrap(), RemIndex::new(number).unwrap());
            assert_eq!(rtmr.cc_mr().number(), number + 1, "one more");
            assert_eq!(rtmr.cc_mr().rtmr(), Some(rtmr));
            assert_eq!(rem.cc_mr().rem(), Some(rem));
            assert_eq!(rem.cc_mr(), rtmr.cc_mr());
        }
        let zero = CcMrIndex::new(0).unwrap();
        assert_eq!(
            (zero.rtmr(), zero.tdx(), zero.cca()),
            (None, RegisterIndex::Mrtd, RegisterIndex::Rim)
        );
        assert!(!zero.tdx().is_extendable() && RegisterIndex::from(RtmrIndex(0)).is_extendable());
    }

    #[test]
    fn a_monitor_counts_pcrs() {
        let name = |platform: Platform, number| platform.register(number).map(|r| r.to_string());
        let monitor = |number| name(Platform::CcaMonitor, number);
        assert_eq!(monitor(7).as_deref(), Some("rem0"));
        assert_eq!(monitor(16).as_deref(), Some("rem3"));
        assert_eq!(monitor(0).as_deref(), Some("rim"));
        assert_eq!(monitor(24), None);
        assert_eq!(name(Platform::Cca, 4).as_deref(), Some("rem3"));
        assert_eq!(name(Platform::Tdx, 7), None);
        assert_eq!(name(Platform::Tpm, 23).as_deref(), Some("pcr23"));
        assert_eq!(name(Platform::Tpm, u32::MAX), None);
    }
}
