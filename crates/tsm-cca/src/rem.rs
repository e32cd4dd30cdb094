// SPDX-License-Identifier: MIT OR Apache-2.0
//! Numbers of measurement registers.

use core::fmt;
use core::ops::BitOr;

/// REM0 to REM3, the realm extensible measurements. Other numbers cannot be said.
///
/// This is the number in the register's name and in a token's claim. The RSI counts one more
/// ([`MeasurementIndex`]), as firmware's logs (CCEL) and UEFI do; with the feature `eventlog` this
/// type converts to and from `tsm_eventlog::registers::RemIndex`, which knows UEFI's numbers and the
/// PCRs that each register stands for. Nothing converts by itself.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct RemIndex(u8);

impl RemIndex {
    /// REM0: the firmware's configuration (PCR 1 and 7 of a TPM).
    pub const REM0: Self = Self(0);
    /// REM1: boot loader and kernel (PCR 2 to 6).
    pub const REM1: Self = Self(1);
    /// REM2: the operating system: command line, initrd (PCR 8 to 15).
    pub const REM2: Self = Self(2);
    /// REM3: left to applications; no PCR stands for it.
    pub const REM3: Self = Self(3);

    /// All of them.
    pub const ALL: [Self; 4] = [Self::REM0, Self::REM1, Self::REM2, Self::REM3];

    /// The register of this number; `None` if there is none.
    #[must_use]
    pub const fn new(number: u32) -> Option<Self> {
        Some(match number {
            0 => Self::REM0,
            1 => Self::REM1,
            2 => Self::REM2,
            3 => Self::REM3,
            _ => return None,
        })
    }

    /// The number.
    #[must_use]
    pub fn number(self) -> u32 {
        u32::from(self.0)
    }

    /// The RSI's number: one more.
    #[must_use]
    pub const fn measurement(self) -> MeasurementIndex {
        match self.0 {
            0 => MeasurementIndex(1),
            1 => MeasurementIndex(2),
            2 => MeasurementIndex(3),
            _ => MeasurementIndex(4),
        }
    }
}

impl fmt::Display for RemIndex {
    /// `rem3`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rem{}", self.0)
    }
}

/// How the RSI counts: 0 for the RIM, the realm initial measurement, 1 to 4 for the REMs (DEN0137
/// 1.0-rel0, B5.3.7 and B5.3.8).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct MeasurementIndex(u8);

impl MeasurementIndex {
    /// The RIM. It cannot be extended.
    pub const RIM: Self = Self(0);

    /// The measurement of this number, 0 to 4; `None` for others.
    #[must_use]
    pub const fn new(number: u64) -> Option<Self> {
        Some(match number {
            0 => Self(0),
            1 => Self(1),
            2 => Self(2),
            3 => Self(3),
            4 => Self(4),
            _ => return None,
        })
    }

    /// The number, for X1.
    #[must_use]
    pub const fn number(self) -> u64 {
        u64::from_le_bytes([self.0, 0, 0, 0, 0, 0, 0, 0])
    }

    /// The REM; `None` for the RIM.
    #[must_use]
    pub const fn rem(self) -> Option<RemIndex> {
        match self.0 {
            0 => None,
            number => Some(RemIndex(number.wrapping_sub(1))),
        }
    }
}

impl From<RemIndex> for MeasurementIndex {
    fn from(index: RemIndex) -> Self {
        index.measurement()
    }
}

/// Some of the four REMs.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct RemSet(u8);

impl RemSet {
    /// None.
    pub const NONE: Self = Self(0);
    /// REM3, which firmware and operating systems leave to applications. A proposed change of EDK2
    /// (tianocore/edk2#12625) extends it too, with what its secure boot saw.
    pub const APPLICATION: Self = Self::NONE.and(RemIndex::REM3);
    /// REM2 and REM3: what an operating system extends, and what it may hand on.
    pub const SYSTEM: Self = Self::APPLICATION.and(RemIndex::REM2);
    /// All four, for firmware.
    pub const ALL: Self = Self(0xF);

    /// These and one more.
    #[must_use]
    pub const fn and(self, index: RemIndex) -> Self {
        Self(self.0 | Self::bit(index))
    }

    /// Whether it is among them.
    #[must_use]
    pub const fn contains(self, index: RemIndex) -> bool {
        self.0 & Self::bit(index) != 0
    }

    const fn bit(index: RemIndex) -> u8 {
        match index.0 {
            0 => 1,
            1 => 2,
            2 => 4,
            _ => 8,
        }
    }
}

impl BitOr for RemSet {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

#[cfg(feature = "eventlog")]
impl From<tsm_eventlog::registers::RemIndex> for RemIndex {
    fn from(index: tsm_eventlog::registers::RemIndex) -> Self {
        // That type has no other numbers either.
        Self::new(index.number()).unwrap_or(Self::REM3)
    }
}

#[cfg(feature = "eventlog")]
impl From<RemIndex> for tsm_eventlog::registers::CcMrIndex {
    /// UEFI's number: one more.
    fn from(index: RemIndex) -> Self {
        tsm_eventlog::registers::RemIndex::from(index).cc_mr()
    }
}

#[cfg(feature = "eventlog")]
impl From<RemIndex> for tsm_eventlog::registers::RemIndex {
    fn from(index: RemIndex) -> Self {
        const fn of(number: u32) -> tsm_eventlog::registers::RemIndex {
            match tsm_eventlog::registers::RemIndex::new(number) {
                Some(index) => index,
                None => unreachable!(),
            }
        }
        const ALL: [tsm_eventlog::registers::RemIndex; 4] = [of(0), of(1), of(2), of(3)];
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
        assert!((0..4).map(RemIndex::new).eq(RemIndex::ALL.map(Some)));
        assert_eq!((RemIndex::new(4), RemIndex::new(u32::MAX)), (None, None));
        assert_eq!(RemIndex::REM3.to_string(), "rem3");
    }

    /// DEN0137: 0 is the RIM, 1 to 4 are the REMs.
    #[test]
    fn the_rsi_counts_one_more() {
        for index in RemIndex::ALL {
            let measurement = MeasurementIndex::from(index);
            assert_eq!(measurement.number(), u64::from(index.number()) + 1);
            assert_eq!(measurement.rem(), Some(index));
            assert_eq!(MeasurementIndex::new(measurement.number()), Some(measurement));
        }
        assert_eq!((MeasurementIndex::RIM.number(), MeasurementIndex::RIM.rem()), (0, None));
        assert_eq!((MeasurementIndex::new(5), MeasurementIndex::new(1 << 32)), (None, None));
    }

    #[test]
    fn sets() {
        let of = |set: RemSet| RemIndex::ALL.map(|index| set.contains(index));
        assert_eq!(of(RemSet::APPLICATION), [false, false, false, true]);
        assert_eq!(of(RemSet::SYSTEM), [false, false, true, true]);
        assert_eq!(of(RemSet::ALL), [true; 4]);
        let three = RemSet::SYSTEM | RemSet::NONE.and(RemIndex::REM1);
        assert_eq!(of(three), [false, true, true, true]);
    }

    /// The map of UEFI for Arm CCA (EDK2 `MdePkg/Include/Protocol/CcMeasurement.h`).
    #[cfg(feature = "eventlog")]
    #[test]
    fn numbers_of_logs() {
        use tsm_eventlog::registers::{CcMrIndex, PcrIndex, RemIndex as Logged};
        for index in RemIndex::ALL {
            assert_eq!(RemIndex::from(Logged::from(index)), index);
            assert_eq!(u64::from(CcMrIndex::from(index).number()), index.measurement().number());
        }
        let of = |pcr| PcrIndex::new(pcr)?.cc_mr()?.rem().map(RemIndex::from);
        for (pcrs, rem) in [(&[1, 7][..], 0), (&[2, 3, 4, 5, 6], 1), (&[8, 9, 14, 15], 2)] {
            assert!(pcrs.iter().all(|&pcr| of(pcr) == RemIndex::new(rem)));
        }
        assert_eq!((of(0), of(16), of(23)), (None, None, None));
    }
}
