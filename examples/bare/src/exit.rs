// SPDX-License-Identifier: MIT OR Apache-2.0
//! The end of a run.

use core::fmt;

use crate::machine;

/// How the run ended; worse ones are greater.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exit {
    /// All good.
    Good,
    /// More stack than the budget.
    OverBudget,
    /// The guard below the stack was overwritten.
    Overflow,
    /// A check failed.
    Failed,
    /// A panic, or an exception that nobody expects.
    Panic,
}

impl Exit {
    /// QEMU's status.
    pub(crate) const fn status(self) -> u8 {
        match self {
            Self::Good => 33,
            Self::Failed => 35,
            Self::OverBudget => 37,
            Self::Overflow => 39,
            Self::Panic => 127,
        }
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Good => "good",
            Self::OverBudget => "over-budget",
            Self::Overflow => "overflow",
            Self::Failed => "failed",
            Self::Panic => "panic",
        })
    }
}

/// Ends QEMU.
pub fn exit(how: Exit) -> ! {
    machine::exit(how.status())
}
