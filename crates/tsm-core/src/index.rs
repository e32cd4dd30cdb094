// SPDX-License-Identifier: MIT OR Apache-2.0
//! Numbers of registers: each kind a type of its own, and the conversions between them.
//!
//! Events carry a bare number. For a TPM it is a PCR; for a confidential VM UEFI has a *measurement
//! register index*, which is one more than the number in the names `rtmr0` and `rem0`. Mixing these
//! up is a common mistake, so nothing here converts by itself.
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
//! use tsm_core::index::{CcMrIndex, PcrIndex, RegisterIndex, RtmrIndex};
//!
//! let kernel = PcrIndex::new(9).and_then(PcrIndex::cc_mr);
//! assert_eq!(kernel, CcMrIndex::new(3));
//! assert_eq!(kernel.and_then(CcMrIndex::rtmr), Some(RtmrIndex::RTMR2));
//! assert_eq!(kernel.map(|kernel| kernel.tdx().to_string()).as_deref(), Some("rtmr2"));
//! assert_eq!(RegisterIndex::from_name(b"rtmr2"), Some(RtmrIndex::RTMR2.into()));
//! ```

use core::fmt;

mod register;
mod set;

pub use register::RegisterIndex;
pub use set::{RemSet, RtmrSet};

macro_rules! index {
    ($(#[$doc:meta])* $name:ident, $count:literal, $register:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub struct $name(u8);

        impl $name {
            /// How many there are.
            pub const COUNT: u32 = $count;

            /// The register of this number; `None` if there is none.
            #[must_use]
            pub const fn new(number: u32) -> Option<Self> {
                match number.to_le_bytes() {
                    [number, 0, 0, 0] if number < $count => Some(Self(number)),
                    _ => None,
                }
            }

            /// The number.
            #[must_use]
            pub const fn number(self) -> u32 {
                u32::from_le_bytes([self.0, 0, 0, 0])
            }
        }

        impl fmt::Display for $name {
            /// The register's name.
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($register, "{}"), self.0)
            }
        }
    };
}

index! {
    /// A PCR of a TPM: 0 to 23 (TCG PC Client Platform TPM Profile 1.05, section 4.6).
    PcrIndex, 24, "pcr"
}
index! {
    /// A measurement register of a confidential VM as UEFI counts them, and as CCEL records have
    /// them: 0 is what the machine was built from, 1 to 4 can be extended.
    CcMrIndex, 5, "ccmr"
}
index! {
    /// A runtime measurement register of Intel TDX: RTMR0 to RTMR3. This is the number in the
    /// register's name and in RDX of `TDG.MR.RTMR.EXTEND`.
    RtmrIndex, 4, "rtmr"
}
index! {
    /// A realm extensible measurement of Arm CCA: REM0 to REM3. This is the number in the
    /// register's name and in a token's claim; the RSI counts one more, like [`CcMrIndex`].
    RemIndex, 4, "rem"
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
            Some(number) => Some(RtmrIndex(number)),
            None => None,
        }
    }

    /// The REM; `None` for 0, which is the RIM.
    #[must_use]
    pub const fn rem(self) -> Option<RemIndex> {
        match self.0.checked_sub(1) {
            Some(number) => Some(RemIndex(number)),
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

    /// UEFI's number for it: one more.
    #[must_use]
    pub const fn cc_mr(self) -> CcMrIndex {
        CcMrIndex(self.0.saturating_add(1))
    }
}

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

    /// UEFI's number for it: one more.
    #[must_use]
    pub const fn cc_mr(self) -> CcMrIndex {
        CcMrIndex(self.0.saturating_add(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_as_there_are() {
        for number in 0..70_000 {
            let as_it_came = |found: Option<u32>, count: u32| {
                assert_eq!(found, (number < count).then_some(number));
            };
            as_it_came(PcrIndex::new(number).map(PcrIndex::number), 24);
            as_it_came(CcMrIndex::new(number).map(CcMrIndex::number), 5);
            as_it_came(RtmrIndex::new(number).map(RtmrIndex::number), 4);
            as_it_came(RemIndex::new(number).map(RemIndex::number), 4);
        }
        assert_eq!((RtmrIndex::new(u32::MAX), RemIndex::new(1 << 24)), (None, None));
        assert!((0..4).map(RtmrIndex::new).eq(RtmrIndex::ALL.map(Some)));
        assert!((0..4).map(RemIndex::new).eq(RemIndex::ALL.map(Some)));
    }

    /// UEFI 2.10, section 38.4.1.
    #[test]
    fn the_map() {
        let map = |pcr| PcrIndex::new(pcr).and_then(PcrIndex::cc_mr).map(CcMrIndex::number);
        let expected = [0, 1, 2, 2, 2, 2, 2, 1, 3, 3, 3, 3, 3, 3, 3, 3];
        assert!((0..16).map(map).eq(expected.map(Some)));
        assert!((16..30).all(|pcr| map(pcr).is_none()));

        for (rtmr, rem) in RtmrIndex::ALL.into_iter().zip(RemIndex::ALL) {
            assert_eq!(rtmr.cc_mr().number(), rtmr.number() + 1, "one more");
            assert_eq!(rtmr.cc_mr().rtmr(), Some(rtmr));
            assert_eq!(rem.cc_mr().rem(), Some(rem));
            assert_eq!(rem.cc_mr(), rtmr.cc_mr());
        }
        let zero = CcMrIndex::new(0).unwrap();
        assert_eq!(
            (zero.rtmr(), zero.tdx(), zero.cca()),
            (None, RegisterIndex::Mrtd, RegisterIndex::Rim)
        );
    }
}
