// SPDX-License-Identifier: MIT OR Apache-2.0
//! When the lock of the RTMRs is taken.

/// Which calls find the RTMRs' lock taken, as if another processor of the TD used them just now.
/// Those are answered with `TDX_OPERAND_BUSY` and have no effect. A call counts when it comes to the
/// lock, behind the checks of its operands.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Busy {
    every: u32,
    since: u32,
    next: u32,
}

impl Busy {
    /// None of them.
    pub const NEVER: Self = Self { every: 0, since: 0, next: 0 };

    /// All of them.
    pub const ALWAYS: Self = Self::every(1);

    /// Every `nth`: with 4 the fourth, the eighth and so on. None with 0.
    #[must_use]
    pub const fn every(nth: u32) -> Self {
        Self { every: nth, since: 0, next: 0 }
    }

    /// The next `calls`.
    #[must_use]
    pub const fn next(calls: u32) -> Self {
        Self { every: 0, since: 0, next: calls }
    }

    /// Whether the call that comes to the lock now finds it taken.
    pub(super) fn is_taken(&mut self) -> bool {
        if let Some(left) = self.next.checked_sub(1) {
            self.next = left;
            return true;
        }
        if self.every == 0 {
            return false;
        }
        self.since = self.since.saturating_add(1);
        let taken = self.since >= self.every;
        if taken {
            self.since = 0;
        }
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schedules() {
        let calls = |mut busy: Busy| [(); 9].map(|()| u8::from(busy.is_taken()));
        assert_eq!(calls(Busy::NEVER), [0; 9]);
        assert_eq!(calls(Busy::ALWAYS), [1; 9]);
        assert_eq!(calls(Busy::every(4)), [0, 0, 0, 1, 0, 0, 0, 1, 0]);
        assert_eq!(calls(Busy::next(3)), [1, 1, 1, 0, 0, 0, 0, 0, 0]);
    }
}
