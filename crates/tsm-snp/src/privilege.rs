// SPDX-License-Identifier: MIT OR Apache-2.0
//! Privilege levels of a guest, and the keys that go with them.

use core::fmt;

/// A virtual machine privilege level: 0, the most privileged one, to 3.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Vmpl(u8);

impl Vmpl {
    /// An SVSM or a paravisor, or the guest itself if it has neither.
    pub const VMPL0: Self = Self(0);
    /// Below VMPL0.
    pub const VMPL1: Self = Self(1);
    /// Below VMPL1; an operating system under an SVSM, often.
    pub const VMPL2: Self = Self(2);
    /// The least privileged one.
    pub const VMPL3: Self = Self(3);

    /// All of them.
    pub const ALL: [Self; 4] = [Self::VMPL0, Self::VMPL1, Self::VMPL2, Self::VMPL3];

    /// The level of this number; `None` if there is none.
    #[must_use]
    pub const fn new(number: u32) -> Option<Self> {
        Some(match number {
            0 => Self::VMPL0,
            1 => Self::VMPL1,
            2 => Self::VMPL2,
            3 => Self::VMPL3,
            _ => return None,
        })
    }

    /// The number.
    #[must_use]
    pub const fn number(self) -> u8 {
        self.0
    }

    /// The key whose holder speaks as this level.
    #[must_use]
    pub const fn key(self) -> VmpckIndex {
        VmpckIndex(self.0)
    }
}

impl fmt::Display for Vmpl {
    /// `VMPL0`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VMPL{}", self.0)
    }
}

/// Which of the four VM platform communication keys. Key n speaks as VMPL n and may ask for reports
/// of VMPL n and above.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct VmpckIndex(u8);

impl VmpckIndex {
    /// All of them.
    pub const ALL: [Self; 4] = [Self(0), Self(1), Self(2), Self(3)];

    /// The number.
    #[must_use]
    pub const fn number(self) -> u8 {
        self.0
    }

    /// The level that its holder speaks as.
    #[must_use]
    pub const fn vmpl(self) -> Vmpl {
        Vmpl(self.0)
    }

    /// The place among the four.
    pub(crate) fn place(self) -> usize {
        usize::from(self.0)
    }
}

impl fmt::Display for VmpckIndex {
    /// `VMPCK0`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VMPCK{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_and_no_more() {
        assert!((0..4).map(Vmpl::new).eq(Vmpl::ALL.map(Some)));
        assert_eq!((Vmpl::new(4), Vmpl::new(u32::MAX)), (None, None));
        assert!(Vmpl::ALL.iter().all(|vmpl| vmpl.key().vmpl() == *vmpl));
        assert!(VmpckIndex::ALL.iter().enumerate().all(|(place, key)| key.place() == place));
    }
}
