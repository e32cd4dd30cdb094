// SPDX-License-Identifier: MIT OR Apache-2.0
//! The number of a runtime measurement register.

use core::fmt;
use core::ops::BitOr;

/// RTMR0 to RTMR3. Other numbers cannot be said.
///
/// This is the number in the register's name and in RDX of `TDG.MR.RTMR.EXTEND`. Firmware's logs
/// (CCEL) and UEFI count one more; with the feature `ccel` this type converts to and from
/// `tsm_eventlog::registers::RtmrIndex`, which knows UEFI's numbers and the PCRs that each register
/// stands for. Nothing converts by itself.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct RtmrIndex(u8);

impl RtmrIndex {
    /// RTMR0: the firmware's configuration (PCR 1 and 7 of a TPM).
    pub const RTMR0: Self = Self(0);
    /// RTMR1: boot loader and kernel (PCR 2 to 6).
    pub const RTMR1: Self = Self(1);
    /// RTMR2: the operating system: command line, initrd (PCR 8 to 15).
    pub const RTMR2: Self = Self(2);
    /// RTMR3: left to applications; no PCR stands for it.
    pub const RTMR3: Self = Self(3);

    /// All of them.
    pub const ALL: [Self; 4] = [Self::RTMR0, Self::RTMR1, Self::RTMR2, Self::RTMR3];

    /// The register of this number; `None` if there is none.
    #[must_use]
    pub const fn new(number: u32) -> Option<Self> {
        Some(match number {
            0 => Self::RTMR0,
            1 => Self::RTMR1,
            2 => Self::RTMR2,
            3 => Self::RTMR3,
            _ => return None,
        })
    }

    /// The number.
    #[must_use]
    pub fn number(self) -> u32 {
        u32::from(self.0)
    }

    /// The number times `scale`, for ids of fields.
    pub(crate) const fn word(self, scale: u64) -> u64 {
        match self.0 {
            0 => 0,
            1 => scale,
            2 => scale.wrapping_mul(2),
            _ => scale.wrapping_mul(3),
        }
    }
}

impl fmt::Display for RtmrIndex {
    /// `rtmr3`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rtmr{}", self.0)
    }
}

/// Some of the four RTMRs.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct RtmrSet(u8);

impl RtmrSet {
    /// None.
    pub const NONE: Self = Self(0);
    /// RTMR3, which firmware and operating systems leave to applications.
    pub const APPLICATION: Self = Self::NONE.and(RtmrIndex::RTMR3);
    /// RTMR2 and RTMR3: what an operating system extends, and what it may hand on.
    pub const SYSTEM: Self = Self::APPLICATION.and(RtmrIndex::RTMR2);
    /// All four, for firmware.
    pub const ALL: Self = Self(0xF);

    /// These and one more.
    #[must_use]
    pub const fn and(self, index: RtmrIndex) -> Self {
        Self(self.0 | Self::bit(index))
    }

    /// Whether it is among them.
    #[must_use]
    pub const fn contains(self, index: RtmrIndex) -> bool {
        self.0 & Self::bit(index) != 0
    }

    const fn bit(index: RtmrIndex) -> u8 {
        match index.0 {
            0 => 1,
            1 => 2,
            2 => 4,
            _ => 8,
        }
    }
}

impl BitOr for RtmrSet {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

#[cfg(feature = "ccel")]
impl From<tsm_eventlog::registers::RtmrIndex> for RtmrIndex {
    fn from(index: tsm_eventlog::registers::RtmrIndex) -> Self {
        // That type has no other numbers either.
        Self::new(index.number()).unwrap_or(Self::RTMR3)
    }
}

#[cfg(feature = "ccel")]
impl From<RtmrIndex> for tsm_eventlog::registers::CcMrIndex {
    /// UEFI's number: one more.
    fn from(index: RtmrIndex) -> Self {
        tsm_eventlog::registers::RtmrIndex::from(index).cc_mr()
    }
}

#[cfg(feature = "ccel")]
impl From<RtmrIndex> for tsm_eventlog::registers::RtmrIndex {
    fn from(index: RtmrIndex) -> Self {
        const fn of(number: u32) -> tsm_eventlog::registers::RtmrIndex {
            match tsm_eventlog::registers::RtmrIndex::new(number) {
                Some(index) => index,
                None => unreachable!(),
            }
        }
        const ALL: [tsm_eventlog::registers::RtmrIndex; 4] = [of(0), of(1), of(2), of(3)];
        let [first, second, third, fourth] = ALL;
        match index.0 {
            0 => first,
            1 => second,
            2 => third,
            _ => fourth,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_and_no_more() {
        assert!((0..4).map(RtmrIndex::new).eq(RtmrIndex::ALL.map(Some)));
        assert_eq!(RtmrIndex::new(4), None);
        assert_eq!(RtmrIndex::new(u32::MAX), None);
        for (place, index) in RtmrIndex::ALL.into_iter().enumerate() {
            assert_eq!(index.number() as usize, place);
            assert_eq!(index.word(6) as usize, place * 6);
        }
    }

    #[test]
    fn sets() {
        let of = |set: RtmrSet| RtmrIndex::ALL.map(|index| set.contains(index));
        assert_eq!(of(RtmrSet::APPLICATION), [false, false, false, true]);
        assert_eq!(of(RtmrSet::SYSTEM), [false, false, true, true]);
        assert_eq!(of(RtmrSet::ALL), [true; 4]);
        assert_eq!(RtmrSet::SYSTEM | RtmrSet::NONE.and(RtmrIndex::RTMR1), {
            RtmrSet::SYSTEM.and(RtmrIndex::RTMR1)
        });
    }

    #[cfg(feature = "ccel")]
    #[test]
    fn numbers_of_logs() {
        use tsm_eventlog::registers::{CcMrIndex, PcrIndex, RtmrIndex as Logged};
        for index in RtmrIndex::ALL {
            assert_eq!(RtmrIndex::from(Logged::from(index)), index);
            assert_eq!(CcMrIndex::from(index).number(), index.number() + 1);
        }
        // UEFI 2.10, section 38.4.1.
        let of = |pcr| PcrIndex::new(pcr)?.cc_mr()?.rtmr().map(RtmrIndex::from);
        assert_eq!((of(7), of(4)), (Some(RtmrIndex::RTMR0), Some(RtmrIndex::RTMR1)));
        assert_eq!((of(9), of(0), of(16)), (Some(RtmrIndex::RTMR2), None, None));
    }
}
