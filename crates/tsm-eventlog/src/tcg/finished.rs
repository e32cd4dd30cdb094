// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a run over a log leaves: its findings, and its events as trusted ones.

use core::fmt;
use core::iter::FusedIterator;

use tsm_core::Algorithm;

use super::finding::{Finding, FindingKind, Oddities};
use super::log::{End, Log};
use super::replay::Replay;
use super::rules::{Banks, Rules, Step};
use super::trusted::Event;
use crate::error::{Error, Position};
use crate::registers::RegisterIndex;

/// A run over a log, ended: the way to its findings, and to its events as trusted ones.
#[derive(Debug)]
#[must_use = "a run can end in an error"]
pub struct Finished<'r, 'a, const REGISTERS: usize> {
    pub(super) replay: &'r Replay<REGISTERS>,
    pub(super) log: Log<'a>,
    /// The log at its end.
    pub(super) after: Log<'a>,
    /// What was known before this run.
    pub(super) rules: Rules,
    /// For each register, its events before this run.
    pub(super) before: [u64; REGISTERS],
    pub(super) error: Option<Error>,
}

impl<'r, 'a, const REGISTERS: usize> Finished<'r, 'a, REGISTERS> {
    /// The error that ended the log early, if one did.
    ///
    /// The results are about the events before it, and none of them is
    /// [`Match::Complete`](super::Match::Complete).
    #[must_use]
    pub const fn error(&self) -> Option<Error> {
        self.error
    }

    /// How the log ended. Looks at all that remains behind its last record.
    #[must_use]
    pub fn end(&self) -> End {
        match self.error {
            Some(error) => End::Error(error),
            None => self.after.end().unwrap_or(End::Bytes),
        }
    }

    /// The replay, for its results.
    #[must_use]
    pub const fn replay(&self) -> &'r Replay<REGISTERS> {
        self.replay
    }

    /// The events of this run that the expected values cover: of each register the prefix that
    /// *every* expected value of that register covers, and none of a register without expected
    /// values or with one that contradicts the log.
    #[must_use]
    pub fn events(&self) -> Events<'a, REGISTERS> {
        let mut left = [0; REGISTERS];
        let mut banks = [[None; Algorithm::MAX]; REGISTERS];
        let places = left.iter_mut().zip(&mut banks).zip(self.before.iter());
        for (((left, banks), before), register) in places.zip(&self.replay.registers) {
            if let Some(register) = register {
                *left = register.covered().saturating_sub(*before);
                *banks = register.expected_banks();
            }
        }
        Events {
            log: self.log.clone(),
            end: self.after.next_position(),
            rules: self.rules,
            left,
            banks,
        }
    }

    /// The banks that are replayed.
    pub(super) const fn banks(&self) -> Banks {
        self.rules.banks
    }

    /// Whether this run has all events of a register: none was replayed before it, and the caller has
    /// set no start value.
    pub(super) fn is_from_start(&self, register: RegisterIndex) -> bool {
        let registers = self.replay.registers.iter().zip(&self.before);
        let mut found = registers.filter_map(|(found, before)| Some((found.as_ref()?, before)));
        found.all(|(found, before)| found.index() != register || (*before == 0 && !found.is_set))
    }

    /// What is odd about the log, in its order; at last, about the registers. Walks the log again.
    #[must_use]
    pub fn findings(&self) -> Findings<'r, 'a, REGISTERS> {
        let mut pending = Oddities::default();
        if self.log.is_at_first() {
            pending = self.log.header().map_or(pending, Rules::header);
        }
        Findings {
            replay: self.replay,
            log: self.log.clone(),
            after: self.after.clone(),
            rules: self.rules,
            pending,
            at: (Position::START, None),
            stage: Stage::Records,
        }
    }
}

/// The trusted events of a run: see [`Finished::events`].
#[derive(Clone)]
pub struct Events<'a, const REGISTERS: usize> {
    log: Log<'a>,
    end: Position,
    rules: Rules,
    /// How many more of each register are covered.
    left: [u64; REGISTERS],
    banks: [Banks; REGISTERS],
}

impl<'a, const REGISTERS: usize> Iterator for Events<'a, REGISTERS> {
    type Item = Event<'a>;

    fn next(&mut self) -> Option<Event<'a>> {
        while self.log.next_position() != self.end
            && let Some(Ok(event)) = self.log.read()
        {
            let Step::Extend { place, .. } = self.rules.look(&event, &mut ()) else { continue };
            let Some(left) = self.left.get_mut(place).filter(|left| **left > 0) else { continue };
            *left = left.saturating_sub(1);
            let register = self.rules.register(&event);
            if let (Some(register), Some(banks)) = (register, self.banks.get(place)) {
                return Some(Event { untrusted: event, register, banks: *banks });
            }
        }
        None
    }
}

impl<const REGISTERS: usize> FusedIterator for Events<'_, REGISTERS> {}

impl<const REGISTERS: usize> fmt::Debug for Events<'_, REGISTERS> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events").field("log", &self.log).finish()
    }
}

/// The findings of a run: see [`Finished::findings`].
#[derive(Clone)]
pub struct Findings<'r, 'a, const REGISTERS: usize> {
    replay: &'r Replay<REGISTERS>,
    log: Log<'a>,
    after: Log<'a>,
    rules: Rules,
    /// About the record at `at`.
    pending: Oddities,
    at: (Position, Option<RegisterIndex>),
    stage: Stage,
}

#[derive(Clone, Copy)]
enum Stage {
    Records,
    /// The next place.
    Registers(usize),
}

impl<const REGISTERS: usize> Iterator for Findings<'_, '_, REGISTERS> {
    type Item = Finding;

    fn next(&mut self) -> Option<Finding> {
        loop {
            if let Some(kind) = self.pending.take() {
                let (position, register) = self.at;
                return Some(Finding { kind, position, register });
            }
            let end = self.after.next_position();
            match self.stage {
                Stage::Records if self.log.next_position() != end => {
                    let Some(Ok(event)) = self.log.read() else { return None };
                    self.rules.look(&event, &mut self.pending);
                    self.at = (event.position(), self.rules.register(&event));
                }
                Stage::Records => {
                    self.stage = Stage::Registers(0);
                    if self.after.end() == Some(End::Garbage) {
                        self.pending.insert(FindingKind::BytesBehind);
                        self.at = (end, None);
                    }
                }
                Stage::Registers(place) => {
                    let register = self.replay.registers.get(place)?;
                    self.stage = Stage::Registers(place.saturating_add(1));
                    if let Some(register) =
                        register.as_ref().filter(|register| register.is_absent())
                    {
                        self.pending.insert(FindingKind::NoEvents);
                        self.at = (end, Some(register.index()));
                    }
                }
            }
        }
    }
}

impl<const REGISTERS: usize> FusedIterator for Findings<'_, '_, REGISTERS> {}

impl<const REGISTERS: usize> fmt::Debug for Findings<'_, '_, REGISTERS> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.clone()).finish()
    }
}
