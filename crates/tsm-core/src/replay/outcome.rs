// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a replay says in the end.

use crate::algorithm::Algorithm;
use crate::digest::Digest;
use crate::replay::{Joint, Phase, Position, Replay};

/// The result of a replay so far.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Outcome {
    /// Records, `SYNC` records included.
    pub records: u64,
    /// Where the log begins.
    pub begins: Begins,
    /// Gaps whose notes lead to the value captured after them.
    pub explained_gaps: u64,
    /// Gaps whose notes do not.
    pub unexplained_gaps: u64,
    /// Captures that contradict the records before them without a gap.
    pub contradictions: u64,
    /// Off-log extensions noted behind the last capture.
    pub trailing: Trailing,
    banks: [Option<(Digest, Match)>; Algorithm::MAX],
    joint: Option<Joint>,
}

/// Where a log begins.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Begins {
    /// At the start value the caller gave.
    AtStart,
    /// At another value; whether that is acceptable is policy.
    Midway,
}

/// Off-log extensions behind the last capture.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Trailing {
    /// There are none.
    None,
    /// Their notes lead to the authenticated value.
    Explained,
    /// Their notes do not lead to the authenticated value, or there was none to compare with.
    NotExplained,
}

/// How a bank's authenticated value stands to the log.
///
/// Exhaustive, so that a caller decides on each case.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Match {
    /// No value was given to compare with.
    Unchecked,
    /// The value is the one after the whole log.
    Complete,
    /// The value is the one after the first `matched` records: the register was read before the
    /// last `beyond`, which nothing vouches for. With `matched` 0 it is the start value. A record
    /// that could not be read counts as one beyond. This says where the value was met; which of the
    /// `matched` records it vouches for is a question of its own ([`Outcome::trusted`]).
    Prefix {
        /// Records before the place where the value was met.
        matched: u64,
        /// Records behind it.
        beyond: u64,
    },
    /// The value appears nowhere in the log.
    Mismatch,
}

impl Match {
    /// Whether the value covers all that the log has.
    #[must_use]
    pub const fn is_complete(self) -> bool {
        matches!(self, Self::Complete)
    }
}

impl Outcome {
    #[inline(never)]
    pub(super) fn of(replay: &Replay) -> Self {
        let records = replay.done.record;
        let mut banks = [None; Algorithm::MAX];
        let mut checked = false;
        let mut complete = true;
        for (slot, bank) in banks.iter_mut().zip(replay.banks.iter().flatten()) {
            let found = match (bank.expected, bank.matched) {
                (None, _) => Match::Unchecked,
                (Some(expected), _) if expected == bank.value => Match::Complete,
                (Some(_), Some(matched)) => {
                    Match::Prefix { matched, beyond: records.saturating_sub(matched) }
                }
                (Some(_), None) => Match::Mismatch,
            };
            checked |= found != Match::Unchecked;
            complete &= matches!(found, Match::Unchecked | Match::Complete);
            *slot = Some((bank.value, found));
        }
        let trailing = match replay.phase {
            Phase::Gap if checked && complete => Trailing::Explained,
            Phase::Gap => Trailing::NotExplained,
            _ => Trailing::None,
        };
        Self {
            records,
            begins: replay.begins,
            explained_gaps: replay.explained,
            unexplained_gaps: replay.unexplained,
            contradictions: replay.contradictions,
            trailing,
            banks,
            joint: replay.joint,
        }
    }

    /// The banks: replayed value and how the authenticated one stands to it.
    pub fn banks(&self) -> impl Iterator<Item = (Digest, Match)> + use<> {
        self.banks.into_iter().flatten()
    }

    /// Whether the log explains the register: every compared bank matches completely, no gap is
    /// unexplained, no capture contradicts the log, and the log begins at the start value.
    ///
    /// `None` if there was nothing to compare with. A log that holds may still have off-log
    /// extensions that its notes explain, and a note can stand for any record: where something is
    /// concluded from what is *not* in the log, ask [`accounts_for_all`](Self::accounts_for_all).
    #[must_use]
    pub fn holds(&self) -> Option<bool> {
        let mut matches =
            self.banks().map(|(_, m)| m).filter(|&m| m != Match::Unchecked).peekable();
        matches.peek()?;
        Some(
            matches.all(|m| m == Match::Complete)
                && self.unexplained_gaps == 0
                && self.contradictions == 0
                && self.begins == Begins::AtStart,
        )
    }

    /// Whether the log explains the register *and* every extension of the register is a record of the
    /// log: no off-log extension is noted anywhere.
    ///
    /// Whoever supplies a log can hide a record behind a note of its digest, and the values stay the
    /// same. So this is the question to ask before a virtual register's value, or a record's
    /// absence, is believed.
    #[must_use]
    pub fn accounts_for_all(&self) -> Option<bool> {
        let gapless = self.explained_gaps == 0 && self.trailing == Trailing::None;
        self.holds().map(|holds| holds && gapless)
    }

    /// The lines that the authenticated values vouch for: from the first position up to the second,
    /// exclusive. `None` if nothing was compared or the compared banks never agreed together.
    ///
    /// See the [module documentation](super) for why it may not begin with the log.
    #[must_use]
    pub fn trusted(&self) -> Option<(Position, Position)> {
        self.joint.map(|joint| (joint.chain, joint.end))
    }
}
