// SPDX-License-Identifier: MIT OR Apache-2.0
//! Some of a platform's four runtime registers: those that a program may extend.

use core::ops::BitOr;

use super::{RemIndex, RtmrIndex};

macro_rules! set {
    ($(#[$doc:meta])* $name:ident, $index:ident, $third:ident, $fourth:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
        pub struct $name(u8);

        impl $name {
            /// None.
            pub const NONE: Self = Self(0);
            /// The last one, which firmware and operating systems leave to applications.
            pub const APPLICATION: Self = Self::NONE.and($index::$fourth);
            /// The last two: what an operating system extends, and what it may hand on.
            pub const SYSTEM: Self = Self::APPLICATION.and($index::$third);
            /// All four, for firmware.
            pub const ALL: Self = Self(0xF);

            /// These and one more.
            #[must_use]
            pub const fn and(self, index: $index) -> Self {
                Self(self.0 | Self::bit(index))
            }

            /// Whether it is among them.
            #[must_use]
            pub const fn contains(self, index: $index) -> bool {
                self.0 & Self::bit(index) != 0
            }

            const fn bit(index: $index) -> u8 {
                match index.0 {
                    0 => 1,
                    1 => 2,
                    2 => 4,
                    _ => 8,
                }
            }
        }

        impl BitOr for $name {
            type Output = Self;

            fn bitor(self, other: Self) -> Self {
                Self(self.0 | other.0)
            }
        }
    };
}

set! {
    /// Some of the four RTMRs.
    RtmrSet, RtmrIndex, RTMR2, RTMR3
}
set! {
    /// Some of the four REMs.
    ///
    /// A proposed change of EDK2 (tianocore/edk2#12625) extends REM3 too, with what its secure boot
    /// saw.
    RemSet, RemIndex, REM2, REM3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_of_rtmrs() {
        let of = |set: RtmrSet| RtmrIndex::ALL.map(|index| set.contains(index));
        assert_eq!(of(RtmrSet::default()), [false; 4]);
        assert_eq!(of(RtmrSet::APPLICATION), [false, false, false, true]);
        assert_eq!(of(RtmrSet::SYSTEM), [false, false, true, true]);
        assert_eq!(of(RtmrSet::ALL), [true; 4]);
        let three = RtmrSet::SYSTEM | RtmrSet::NONE.and(RtmrIndex::RTMR1);
        assert_eq!(of(three), [false, true, true, true]);
    }

    #[test]
    fn sets_of_rems() {
        let of = |set: RemSet| RemIndex::ALL.map(|index| set.contains(index));
        assert_eq!(of(RemSet::APPLICATION), [false, false, false, true]);
        assert_eq!(of(RemSet::SYSTEM), [false, false, true, true]);
        assert_eq!(of(RemSet::ALL), [true; 4]);
        let two = RemSet::NONE.and(RemIndex::REM0) | RemSet::NONE.and(RemIndex::REM1);
        assert_eq!(of(two), [true, true, false, false]);
    }
}
