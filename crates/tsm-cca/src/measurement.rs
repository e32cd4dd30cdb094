// SPDX-License-Identifier: MIT OR Apache-2.0
//! Numbers of measurements, as the RSI counts them.

use tsm_core::index::RemIndex;

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
        // Behind the last for the RIM.
        RemIndex::new(u32::from_le_bytes([self.0.wrapping_sub(1), 0, 0, 0]))
    }

    /// That of a REM: one more.
    #[must_use]
    pub const fn of(rem: RemIndex) -> Self {
        let [number, ..] = rem.number().to_le_bytes();
        Self(number.saturating_add(1))
    }
}

impl From<RemIndex> for MeasurementIndex {
    fn from(index: RemIndex) -> Self {
        Self::of(index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// DEN0137: 0 is the RIM, 1 to 4 are the REMs, as in UEFI's map for Arm CCA (EDK2
    /// `MdePkg/Include/Protocol/CcMeasurement.h`).
    #[test]
    fn the_rsi_counts_one_more() {
        for index in RemIndex::ALL {
            let measurement = MeasurementIndex::from(index);
            assert_eq!(measurement.number(), u64::from(index.number()) + 1);
            assert_eq!(measurement.number(), u64::from(index.cc_mr().number()));
            assert_eq!(measurement.rem(), Some(index));
            assert_eq!(MeasurementIndex::new(measurement.number()), Some(measurement));
        }
        assert_eq!((MeasurementIndex::RIM.number(), MeasurementIndex::RIM.rem()), (0, None));
        assert_eq!((MeasurementIndex::new(5), MeasurementIndex::new(1 << 32)), (None, None));
    }
}
