// SPDX-License-Identifier: MIT OR Apache-2.0
//! Which register the number in a log's record means.
//!
//! The numbers themselves and the map between them are the core's ([`tsm_core::index`]): in a TPM's
//! log a number is a PCR, in the log of a confidential VM it is UEFI's index. Only sometimes does a
//! log tell which; then, or by who knows, there is a [`Platform`].
//!
//! ```
//! use tsm_eventlog::registers::{Platform, RtmrIndex};
//!
//! assert_eq!(Platform::Tdx.register(3), Some(RtmrIndex::RTMR2.into()));
//! assert_eq!(Platform::Tpm.register(3).map(|pcr| pcr.to_string()).as_deref(), Some("pcr3"));
//! ```

pub use tsm_core::index::{CcMrIndex, PcrIndex, RegisterIndex, RemIndex, RtmrIndex};

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
                None => Some(RemIndex::REM3.cc_mr()),
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
                Some(index) => Some(index.number()),
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
