// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a sequence says in the end.

use core::fmt;
use core::iter::FusedIterator;

use tsm_core::virtual_registers::{Fold, Malformed, TableError};
use tsm_core::{Algorithm, Digest, Register};

use super::run::{Joint, Place, Sequence, Step};
use super::source::{Banks, Record, Source, SourceKind};
use crate::cel::Effect;
use crate::registers::RegisterIndex;

/// How much of a sequence the authenticated values vouch for.
///
/// Exhaustive, so that a caller decides on each case. It is about values: whether a log had gaps, or
/// was cut, is another question ([`Outcome::holds`]).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Authenticated {
    /// No value was given to compare with.
    Unchecked,
    /// They are the values after all logs.
    All,
    /// They are the values after a part of them: the register was read before the rest was extended,
    /// or the rest is made up.
    Prefix {
        /// The log in which they were met last, counted from 0. At the border of two logs it may be
        /// either.
        step: usize,
        /// Records of that log, of whatever register, before the place.
        records: u64,
        /// Records of all logs behind the place that extend the register. Nothing vouches for them.
        beyond: u64,
    },
    /// They were met nowhere.
    Nothing,
}

/// What the caller knows of logs that are no record logs, when virtual registers are asked for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Others {
    /// Nothing: then there may be no extension by another log.
    Refused,
    /// Each of their events that extend the register has been appraised, and is what its log says. None
    /// is a record of a record log that somebody shows as something else.
    Appraised,
}

/// Why the values of virtual registers are not given.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Withheld {
    /// The table cannot be virtual registers.
    Table(TableError),
    /// The logs do not account for all extensions of the register by records.
    NotAccounted,
    /// A malformed record under a virtual register's name.
    Malformed(Malformed),
}

impl fmt::Display for Withheld {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Table(error) => fmt::Display::fmt(error, f),
            Self::NotAccounted => f.write_str(
                "the logs do not account for every extension of the register: a record may be \
                 missing here",
            ),
            Self::Malformed(malformed) => fmt::Display::fmt(malformed, f),
        }
    }
}

impl core::error::Error for Withheld {}

/// A sequence, ended.
#[derive(Clone, Debug)]
pub struct Outcome<'a, const STEPS: usize>(pub(super) Sequence<'a, STEPS>);

impl<'a, const STEPS: usize> Outcome<'a, STEPS> {
    /// The logs, in their order, up to the one that ended in an error. A log that did not follow from
    /// those before is not among them.
    pub fn steps(&self) -> impl Iterator<Item = &Step<'a>> {
        self.0.steps.iter().flatten()
    }

    /// How much the authenticated values vouch for.
    #[must_use]
    pub fn authenticated(&self) -> Authenticated {
        let expected = || self.0.banks.iter().flatten().filter(|bank| bank.expected.is_some());
        if expected().next().is_none() {
            return Authenticated::Unchecked;
        }
        let Some(joint) = self.0.joint else { return Authenticated::Nothing };
        if !self.0.is_ended && expected().all(|bank| bank.expected == Some(bank.value)) {
            return Authenticated::All;
        }
        Authenticated::Prefix {
            step: joint.end.step,
            records: joint.end.record,
            beyond: self.0.extensions.saturating_sub(joint.extensions),
        }
    }

    /// Whether the logs explain the register: the authenticated values are those after all of them, no
    /// log was malformed or did not follow from those before, no gap is unexplained, and nothing
    /// contradicts. `None` if there was nothing to compare with.
    ///
    /// Of a sequence that begins [midway](super::Begin::Midway) this is about what stands behind its
    /// beginning: the caller has accepted that.
    #[must_use]
    pub fn holds(&self) -> Option<bool> {
        match self.authenticated() {
            Authenticated::Unchecked => None,
            Authenticated::All => {
                Some(self.steps().all(|step| step.unexplained == 0 && step.contradictions == 0))
            }
            Authenticated::Prefix { .. } | Authenticated::Nothing => Some(false),
        }
    }

    /// Whether the logs explain the register *and* every extension of it is a record of a record log:
    /// no off-log extension is noted, no other log extends it, and the sequence does not begin midway.
    /// So, nothing that was extended can be hidden.
    #[must_use]
    pub fn accounts_for_all(&self) -> Option<bool> {
        self.accounts(Others::Refused)
    }

    fn accounts(&self, others: Others) -> Option<bool> {
        let mut steps = self.steps();
        let is_whole = steps.all(|step| {
            let is_record_log = step.kind() == SourceKind::Records;
            let is_known = is_record_log || others == Others::Appraised || step.extensions == 0;
            is_known && step.explained == 0 && !step.is_noted
        });
        self.holds().map(|holds| holds && is_whole && !self.0.is_midway)
    }

    /// The register's values after all logs, if they [hold](Self::holds): to begin the next sequence
    /// [`At`](super::Begin::At).
    pub fn values(&self) -> impl Iterator<Item = Digest> {
        let banks = self.0.banks.iter().flatten().filter(|_| self.holds() == Some(true));
        banks.map(|bank| bank.value)
    }

    /// The records that the authenticated values vouch for, in order: those of the unbroken chain that
    /// ends where all of them were met. `SYNC` records are among them.
    #[must_use]
    pub fn trusted(&self) -> Trusted<'_, 'a, STEPS> {
        let joint = self.0.joint;
        Trusted {
            sequence: &self.0,
            joint,
            place: Place { step: joint.map_or(0, |joint| joint.chain.step), record: 0 },
            source: None,
        }
    }

    /// The values of the virtual registers of `table`, folded from the records of the record logs.
    ///
    /// A value is what an IMA list, say, must replay to
    /// ([`ima::Replay::expect`](crate::ima::Replay::expect)).
    ///
    /// # Errors
    ///
    /// [`Withheld::NotAccounted`] unless the logs [account for all](Self::accounts_for_all); events of
    /// other logs may be there if the caller has appraised them ([`Others::Appraised`]). The [module
    /// documentation](super) says why. [`Withheld::Malformed`]; [`Withheld::Table`].
    pub fn virtual_registers<'t, const M: usize>(
        &self,
        table: &'t [Register<'t>],
        others: Others,
    ) -> Result<Fold<'t, M>, Withheld> {
        let mut fold = Fold::new(table).map_err(Withheld::Table)?;
        if self.accounts(others) != Some(true) {
            return Err(Withheld::NotAccounted);
        }
        for record in self.trusted() {
            let Record::Record { bytes, position, .. } = record else { continue };
            let malformed = |kind| Withheld::Malformed(Malformed { kind, at: position });
            fold.record(bytes).map_err(malformed)?;
        }
        Ok(fold)
    }
}

/// The iterator of [`Outcome::trusted`].
#[derive(Clone)]
pub struct Trusted<'s, 'a, const STEPS: usize> {
    sequence: &'s Sequence<'a, STEPS>,
    joint: Option<Joint>,
    /// Before the next record.
    place: Place,
    /// What remains of the log there.
    source: Option<Source<'a>>,
}

impl<'a, const STEPS: usize> Trusted<'_, 'a, STEPS> {
    fn find(&mut self) -> Option<Record<'a>> {
        let Joint { chain, end, .. } = self.joint?;
        let register: RegisterIndex = self.sequence.register;
        let banks: Banks = self.sequence.banks.map(|bank| bank.map(|b| b.value.algorithm()));
        while self.place < end {
            let step = self.sequence.steps.get(self.place.step)?.as_ref()?;
            let source = self.source.get_or_insert_with(|| step.source.clone());
            if self.place.record == step.records {
                self.place = Place { step: self.place.step.saturating_add(1), record: 0 };
                self.source = None;
                continue;
            }
            let record = source.next()?.ok()?;
            let is_behind = self.place >= chain;
            self.place.record = self.place.record.saturating_add(1);
            let is_extension = match record {
                Record::Record { .. } => true,
                _ => matches!(
                    source.effect(&record, register, &banks).ok()?,
                    Effect::Extends(_) | Effect::StartsAndExtends(..)
                ),
            };
            if is_behind && is_extension {
                return Some(record);
            }
        }
        None
    }
}

impl<'a, const STEPS: usize> Iterator for Trusted<'_, 'a, STEPS> {
    type Item = Record<'a>;

    fn next(&mut self) -> Option<Record<'a>> {
        let found = self.find();
        if found.is_none() {
            self.joint = None;
        }
        found
    }
}

impl<const STEPS: usize> FusedIterator for Trusted<'_, '_, STEPS> {}

impl<const STEPS: usize> fmt::Debug for Trusted<'_, '_, STEPS> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.clone()).finish()
    }
}

impl<const STEPS: usize> Outcome<'_, STEPS> {
    /// A bank's value after all logs, whether or not anything vouches for it.
    #[must_use]
    pub fn untrusted_value(&self, bank: Algorithm) -> Option<Digest> {
        self.0.value(bank)
    }
}
