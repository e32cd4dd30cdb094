// SPDX-License-Identifier: MIT OR Apache-2.0
//! The banks of a register in a replay, and how each compares with what is expected: what the replays
//! of IMA lists, TCG logs and canonical event logs share.

use tsm_core::replay::Match;
use tsm_core::{Algorithm, Digest};

/// One bank.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Slot {
    pub(crate) value: Digest,
    pub(crate) expected: Option<Digest>,
    /// Records after which the value was the expected one.
    pub(crate) matched: Option<u64>,
    /// Whether a record had no digest for the bank: `value` is that before it, and stays.
    pub(crate) is_broken: bool,
}

impl Slot {
    pub(crate) const fn new(value: Digest) -> Self {
        Self { value, expected: None, matched: None, is_broken: false }
    }

    #[inline]
    pub(crate) fn compare(&mut self, records: u64) {
        let is_met = self.expected.as_ref().is_some_and(|expected| *expected == self.value);
        if is_met && !self.is_broken {
            self.matched = Some(records);
        }
    }

    /// Starts anew from a value, before any record.
    pub(crate) fn start(&mut self, value: Digest) {
        self.value = value;
        self.matched = None;
        self.compare(0);
    }

    /// Expects a value from here on, after `records`.
    pub(crate) fn expect(&mut self, value: Digest, records: u64) {
        self.expected = Some(value);
        self.matched = None;
        self.compare(records);
    }
}

/// How a register's records, `records` of them, stand to the expected value of a bank, which was met
/// after `matched`. A log that was cut has one record more, which could not be read.
pub(crate) fn compared(
    is_expected: bool,
    matched: Option<u64>,
    records: u64,
    is_cut: bool,
) -> Match {
    match (is_expected, matched) {
        (false, _) => Match::Unchecked,
        (true, None) => Match::Mismatch,
        (true, Some(matched)) => {
            let beyond = records.saturating_sub(matched);
            match beyond.saturating_add(u64::from(is_cut)) {
                0 => Match::Complete,
                beyond => Match::Prefix { matched, beyond },
            }
        }
    }
}

/// The banks of a register, in the replay's order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Slots([Option<Slot>; Algorithm::MAX]);

impl Slots {
    /// One for each bank, from its start value.
    pub(crate) fn new(
        banks: &[Option<Algorithm>; Algorithm::MAX],
        start: impl Fn(Algorithm) -> Digest,
    ) -> Self {
        Self(banks.map(|bank| bank.map(|bank| Slot::new(start(bank)))))
    }

    #[inline]
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Slot> {
        self.0.iter().flatten()
    }

    #[inline]
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Slot> {
        self.0.iter_mut().flatten()
    }

    pub(crate) fn of(&self, algorithm: Algorithm) -> Option<&Slot> {
        self.iter().find(|slot| slot.value.algorithm() == algorithm)
    }

    pub(crate) fn of_mut(&mut self, algorithm: Algorithm) -> Option<&mut Slot> {
        self.iter_mut().find(|slot| slot.value.algorithm() == algorithm)
    }

    /// The banks that have an expected value.
    pub(crate) fn expected(&self) -> impl Iterator<Item = &Slot> {
        self.iter().filter(|slot| slot.expected.is_some())
    }

    pub(crate) fn result(&self, algorithm: Algorithm, records: u64, is_cut: bool) -> Match {
        self.of(algorithm).map_or(Match::Unchecked, |slot| {
            compared(slot.expected.is_some(), slot.matched, records, is_cut)
        })
    }

    /// The results of the banks that have an expected value.
    pub(crate) fn results(
        &self,
        records: u64,
        is_cut: bool,
    ) -> impl Iterator<Item = (Algorithm, Match)> {
        self.expected().map(move |slot| {
            (slot.value.algorithm(), compared(true, slot.matched, records, is_cut))
        })
    }

    /// How many records all expected values cover: 0 if one of them contradicts the log or if there is
    /// none.
    pub(crate) fn covered(&self) -> u64 {
        self.expected().map(|slot| slot.matched.unwrap_or(0)).min().unwrap_or(0)
    }
}
