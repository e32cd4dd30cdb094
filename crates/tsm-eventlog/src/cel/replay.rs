// SPDX-License-Identifier: MIT OR Apache-2.0
//! Replay: from recorded digests to register values, for several banks in one pass, and from expected
//! values back to records that can be trusted.

use core::fmt;
use core::iter::FusedIterator;

pub use tsm_core::replay::Match;
use tsm_core::{Algorithm, Digest};

use super::content::{Content, EventLabel};
use super::record::{Register, UntrustedRecord};
use crate::error::{Error, ErrorKind};
use crate::slots::compared;
use crate::tcg::EventType;

pub(crate) mod sealed {
    use tsm_core::{Algorithm, Digest};

    use super::Register;
    use crate::error::Position;

    pub trait Replayed: Copy {
        fn position(&self) -> Position;
        fn register(&self) -> Register;
        fn effect(&self, banks: &[Option<Algorithm>; Algorithm::MAX]) -> Effect;
    }

    /// What a record does to its register.
    #[derive(Clone, Copy, Debug)]
    pub enum Effect {
        /// Nothing.
        None,
        /// Says that the register started with this number.
        Starts(u8),
        /// Extends each bank for which there is a digest.
        Extends([Option<Digest>; Algorithm::MAX]),
        /// Both.
        StartsAndExtends(u8, [Option<Digest>; Algorithm::MAX]),
    }
}

use sealed::Effect;

/// A record that a [`Replay`] takes: of a canonical event log, of systemd's log, of an agent's.
pub trait Replayed: sealed::Replayed {}

impl<T: sealed::Replayed> Replayed for T {}

impl sealed::Replayed for UntrustedRecord<'_> {
    fn position(&self) -> crate::error::Position {
        self.position
    }

    fn register(&self) -> Register {
        self.record.register
    }

    fn effect(&self, banks: &[Option<Algorithm>; Algorithm::MAX]) -> Effect {
        let record = &self.record;
        let is_first = record.register == Register::Pcr(0);
        if !record.is_measured() {
            let locality = record.content.startup_locality().filter(|_| is_first);
            // No others are known; a TCG log's replay takes these alone, too.
            let locality = locality.filter(|locality| matches!(locality, 0 | 3 | 4));
            return locality.map_or(Effect::None, Effect::Starts);
        }
        let mut digests = [None; Algorithm::MAX];
        for recorded in record.digests {
            for (bank, digest) in banks.iter().zip(&mut digests) {
                if let Some(found) = bank.and_then(|bank| recorded.of(bank)) {
                    *digest = Some(found);
                }
            }
        }
        if record.is_violation() {
            for digest in digests.iter_mut().flatten() {
                *digest = Digest::ones(digest.algorithm());
            }
        }
        match record.content {
            // A root of trust in hardware has measured before (TPM 2.0 Part 1, section 34.3).
            Content::PcClientStd { event_type: EventLabel::Number(number), .. }
                if number == EventType::EFI_HCRTM_EVENT.0 && is_first =>
            {
                Effect::StartsAndExtends(4, digests)
            }
            _ => Effect::Extends(digests),
        }
    }
}

/// Computes register values from recorded digests.
///
/// A value without pointers, at most 720 bytes for each register; `REGISTERS` bounds how many the logs
/// may use. One more is an error, never ignored.
///
/// # Use
///
/// Name the banks, give the expected values ([`expect`](Self::expect)), run over a log
/// ([`run`](Self::run)), read the results. Further logs, run in the order in which their records were
/// made, continue: firmware's first, then systemd's.
///
/// # Contract
///
/// Registers start at zero, PCRs 17 to 22 with ones, if nothing else was said by the caller
/// ([`start`](Self::start)) or, for PCR 0, by the log (the first `StartupLocality` of 0, 3 or 4, an
/// H-CRTM event) before its first record that extends it. Records without a digest of a bank do not extend it. Work is one hash
/// for each record and bank.
#[derive(Clone, PartialEq, Eq)]
pub struct Replay<const REGISTERS: usize = 16> {
    banks: [Option<Algorithm>; Algorithm::MAX],
    /// In the order met; `None` behind the last.
    registers: [Option<RegisterState>; REGISTERS],
}

impl<const REGISTERS: usize> Replay<REGISTERS> {
    /// A replay for these banks.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Banks`] if there is no bank, or an algorithm twice.
    pub fn new(banks: &[Algorithm]) -> Result<Self, Error> {
        let error = Error::call(ErrorKind::Banks);
        let mut all = [None; Algorithm::MAX];
        for (index, bank) in banks.iter().enumerate() {
            if all.contains(&Some(*bank)) {
                return Err(error);
            }
            *all.get_mut(index).ok_or(error)? = Some(*bank);
        }
        if banks.is_empty() {
            Err(error)
        } else {
            Ok(Self { banks: all, registers: [None; REGISTERS] })
        }
    }

    /// Sets the value a register had before the first record. What the log says about it does not
    /// count then.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::AlreadyStarted`] if the register was extended, [`ErrorKind::NoSuchBank`],
    /// [`ErrorKind::TooManyRegisters`].
    pub fn start(&mut self, register: Register, value: Digest) -> Result<(), Error> {
        let state = self.state_for(register).map_err(Error::call)?;
        if state.records > 0 {
            return Err(Error::call(ErrorKind::AlreadyStarted));
        }
        let slot = state.slot_mut(value.algorithm()).ok_or(Error::call(ErrorKind::NoSuchBank))?;
        slot.value = value;
        slot.is_given = true;
        slot.matched = None;
        slot.compare(0);
        Ok(())
    }

    /// Sets the value that signed evidence has for a register.
    ///
    /// From here on the register is compared with it: now, and after each record. It replaces a
    /// value expected before.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NoSuchBank`], [`ErrorKind::TooManyRegisters`].
    pub fn expect(&mut self, register: Register, value: Digest) -> Result<(), Error> {
        let state = self.state_for(register).map_err(Error::call)?;
        let records = state.records;
        let slot = state.slot_mut(value.algorithm()).ok_or(Error::call(ErrorKind::NoSuchBank))?;
        slot.expected = Some(value);
        slot.matched = None;
        slot.compare(records);
        Ok(())
    }

    /// Replays the records of a log up to its end or to an error.
    pub fn run<'r, R: Replayed, L>(&'r mut self, log: L) -> Finished<'r, L, REGISTERS>
    where
        L: Iterator<Item = Result<R, Error>> + Clone,
    {
        let mut before = [0; REGISTERS];
        for (before, state) in before.iter_mut().zip(self.registers.iter().flatten()) {
            *before = state.records;
        }
        let mut taken = 0;
        let error = self.run_over(log.clone(), &mut taken).err();
        for state in self.registers.iter_mut().flatten() {
            state.is_cut |= error.is_some();
        }
        Finished { replay: self, log, before, taken, error }
    }

    /// The banks.
    pub fn banks(&self) -> impl Iterator<Item = Algorithm> {
        self.banks.iter().flatten().copied()
    }

    /// The registers that records use or a value was set for, in that order.
    pub fn registers(&self) -> impl Iterator<Item = &RegisterState> {
        self.registers.iter().flatten()
    }

    /// A register; `None` if no record uses it and no value was set for it.
    #[must_use]
    pub fn register(&self, register: Register) -> Option<&RegisterState> {
        self.registers().find(|state| state.register == register)
    }

    /// How a register's records relate to its expected value in a bank. About the records replayed so
    /// far; if a run ended in an error, never [`Match::Complete`].
    #[must_use]
    pub fn result(&self, register: Register, algorithm: Algorithm) -> Match {
        self.register(register).map_or(Match::Unchecked, |state| state.result(algorithm))
    }

    /// Replays one record, for callers with a loop of their own.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::TooManyRegisters`]. The replay is then unchanged.
    pub fn push(&mut self, record: &impl Replayed) -> Result<(), Error> {
        // By reference: moving the digests about costs as much as finding them.
        let effect = record.effect(&self.banks);
        if let Effect::None = effect {
            return Ok(());
        }
        let error = |kind| Error::new(kind, record.position());
        let state = self.state_for(record.register()).map_err(error)?;
        let is_first = state.records == 0;
        match &effect {
            Effect::Starts(number) if is_first && !state.is_told => {
                state.is_told = true;
                state.starts(*number);
            }
            Effect::None | Effect::Starts(_) => {}
            Effect::Extends(digests) => state.extend(digests),
            Effect::StartsAndExtends(number, digests) => {
                if is_first {
                    state.starts(*number);
                }
                state.extend(digests);
            }
        }
        Ok(())
    }

    fn run_over<R: Replayed>(
        &mut self,
        log: impl Iterator<Item = Result<R, Error>>,
        taken: &mut u64,
    ) -> Result<(), Error> {
        for record in log {
            self.push(&record?)?;
            *taken = taken.saturating_add(1);
        }
        Ok(())
    }

    fn state_for(&mut self, register: Register) -> Result<&mut RegisterState, ErrorKind> {
        let is_it = |state: &&mut Option<RegisterState>| {
            state.as_ref().is_none_or(|state| state.register == register)
        };
        let free = self.registers.iter_mut().find(is_it).ok_or(ErrorKind::TooManyRegisters)?;
        Ok(free.get_or_insert_with(|| RegisterState::new(register, &self.banks)))
    }
}

impl<const REGISTERS: usize> fmt::Debug for Replay<REGISTERS> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.registers()).finish()
    }
}

/// One bank of a register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Slot {
    value: Digest,
    /// Whether the caller gave the start value.
    is_given: bool,
    expected: Option<Digest>,
    /// Records that had a digest for this bank.
    digests: u64,
    /// The register's records, and those of them with a digest, after which the value was last the
    /// expected one.
    matched: Option<(u64, u64)>,
}

impl Slot {
    fn compare(&mut self, records: u64) {
        if self.expected.as_ref().is_some_and(|expected| *expected == self.value) {
            self.matched = Some((records, self.digests));
        }
    }
}

/// A register in a replay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RegisterState {
    register: Register,
    records: u64,
    slots: [Option<Slot>; Algorithm::MAX],
    /// Whether the log has told the locality that counts.
    is_told: bool,
    is_cut: bool,
}

impl RegisterState {
    fn new(register: Register, banks: &[Option<Algorithm>; Algorithm::MAX]) -> Self {
        let is_dynamic = matches!(register, Register::Pcr(17..=22));
        let slot = |algorithm| Slot {
            value: if is_dynamic { Digest::ones(algorithm) } else { Digest::zeros(algorithm) },
            is_given: false,
            expected: None,
            digests: 0,
            matched: None,
        };
        let slots = banks.map(|bank| bank.map(slot));
        Self { register, records: 0, slots, is_told: false, is_cut: false }
    }

    /// Which it is.
    #[must_use]
    pub const fn register(&self) -> Register {
        self.register
    }

    /// How many records extend it.
    #[must_use]
    pub const fn records(&self) -> u64 {
        self.records
    }

    /// How many of them have no digest for a bank; `None` if the bank is not replayed.
    #[must_use]
    pub fn missing(&self, algorithm: Algorithm) -> Option<u64> {
        Some(self.records.saturating_sub(self.slot(algorithm)?.digests))
    }

    /// The value after all records so far; `None` if the bank is not replayed.
    #[must_use]
    pub fn value(&self, algorithm: Algorithm) -> Option<Digest> {
        self.slot(algorithm).map(|slot| slot.value)
    }

    /// The expected value, if one was set.
    #[must_use]
    pub fn expected(&self, algorithm: Algorithm) -> Option<Digest> {
        self.slot(algorithm)?.expected
    }

    /// How the records so far relate to the expected value.
    ///
    /// [`Match::Prefix`] also if records have no digest for the bank: `matched` counts those the value
    /// vouches for, `beyond` all others.
    #[must_use]
    pub fn result(&self, algorithm: Algorithm) -> Match {
        self.slot(algorithm).map_or(Match::Unchecked, |slot| self.slot_result(slot))
    }

    /// The results of the banks that have an expected value.
    pub fn results(&self) -> impl Iterator<Item = (Algorithm, Match)> {
        let slots = self.slots.iter().flatten().filter(|slot| slot.expected.is_some());
        slots.map(|slot| (slot.value.algorithm(), self.slot_result(slot)))
    }

    /// The prefix of the register's records that all expected values reach: 0 if one of them
    /// contradicts the log or if there is none.
    fn covered(&self) -> u64 {
        let slots = self.slots.iter().flatten().filter(|slot| slot.expected.is_some());
        slots.map(|slot| slot.matched.map_or(0, |matched| matched.0)).min().unwrap_or(0)
    }

    fn slot_result(&self, slot: &Slot) -> Match {
        let matched = slot.matched.map(|(_, digests)| digests);
        compared(slot.expected.is_some(), matched, self.records, self.is_cut)
    }

    fn starts(&mut self, number: u8) {
        for slot in self.slots.iter_mut().flatten().filter(|slot| !slot.is_given) {
            slot.value = Digest::zeros(slot.value.algorithm());
            if let Some(last) = slot.value.as_bytes_mut().last_mut() {
                *last = number;
            }
            slot.matched = None;
            slot.compare(0);
        }
    }

    fn extend(&mut self, digests: &[Option<Digest>; Algorithm::MAX]) {
        self.records = self.records.saturating_add(1);
        for (slot, digest) in self.slots.iter_mut().zip(digests) {
            let Some(slot) = slot else { continue };
            // Fails for different algorithms only; both are in the order of the banks.
            if digest.as_ref().is_some_and(|digest| slot.value.extend(digest).is_ok()) {
                slot.digests = slot.digests.saturating_add(1);
            }
            slot.compare(self.records);
        }
    }

    fn slot(&self, algorithm: Algorithm) -> Option<&Slot> {
        self.slots.iter().flatten().find(|slot| slot.value.algorithm() == algorithm)
    }

    fn slot_mut(&mut self, algorithm: Algorithm) -> Option<&mut Slot> {
        self.slots.iter_mut().flatten().find(|slot| slot.value.algorithm() == algorithm)
    }

    /// Whether every bank with an expected value has a digest here.
    fn has_all(&self, digests: &[Option<Digest>; Algorithm::MAX]) -> bool {
        let slots = self.slots.iter().zip(digests);
        slots.into_iter().all(|(slot, digest)| {
            slot.as_ref().is_none_or(|slot| slot.expected.is_none()) || digest.is_some()
        })
    }
}

/// A run over a log, ended: the way to its records as trusted ones.
#[derive(Debug)]
#[must_use = "a run can end in an error"]
pub struct Finished<'r, L, const REGISTERS: usize> {
    replay: &'r Replay<REGISTERS>,
    log: L,
    /// For each register, its records before this run.
    before: [u64; REGISTERS],
    /// Records of this run.
    taken: u64,
    error: Option<Error>,
}

impl<'r, R: Replayed, L, const REGISTERS: usize> Finished<'r, L, REGISTERS>
where
    L: Iterator<Item = Result<R, Error>> + Clone,
{
    /// The error that ended the log early, if one did.
    #[must_use]
    pub const fn error(&self) -> Option<Error> {
        self.error
    }

    /// The replay, for its results.
    #[must_use]
    pub const fn replay(&self) -> &'r Replay<REGISTERS> {
        self.replay
    }

    /// The records of this run that the expected values cover: of each register the prefix that
    /// *every* expected value of that register reaches, without those that lack a digest for one of
    /// these banks, those that extend nothing, and those of registers without expected values or with
    /// one that contradicts the log.
    #[must_use]
    pub fn records(&self) -> TrustedRecords<'r, L, REGISTERS> {
        TrustedRecords {
            replay: self.replay,
            log: self.log.clone(),
            seen: self.before,
            left: self.taken,
        }
    }
}

/// A record that register values vouch for: what its digests cover was extended, to this register and
/// in this order. What they cover is another question: [`Record::check`](super::Record::check).
#[derive(Clone, Copy, Debug)]
pub struct Trusted<R>(R);

impl<R> Trusted<R> {
    /// The record.
    #[must_use]
    pub const fn record(&self) -> &R {
        &self.0
    }
}

/// The iterator of [`Finished::records`].
#[derive(Clone, Debug)]
pub struct TrustedRecords<'r, L, const REGISTERS: usize> {
    replay: &'r Replay<REGISTERS>,
    log: L,
    seen: [u64; REGISTERS],
    left: u64,
}

impl<R: Replayed, L, const REGISTERS: usize> Iterator for TrustedRecords<'_, L, REGISTERS>
where
    L: Iterator<Item = Result<R, Error>>,
{
    type Item = Trusted<R>;

    fn next(&mut self) -> Option<Trusted<R>> {
        while let Some(left) = self.left.checked_sub(1)
            && let Some(Ok(record)) = self.log.next()
        {
            self.left = left;
            let (Effect::Extends(digests) | Effect::StartsAndExtends(_, digests)) =
                record.effect(&self.replay.banks)
            else {
                continue;
            };
            let mut states = self.replay.registers().zip(&mut self.seen);
            let register = record.register();
            let (state, seen) = states.find(|(state, _)| state.register == register)?;
            *seen = seen.saturating_add(1);
            if *seen <= state.covered() && state.has_all(&digests) {
                return Some(Trusted(record));
            }
        }
        self.left = 0;
        None
    }
}

impl<R: Replayed, L, const REGISTERS: usize> FusedIterator for TrustedRecords<'_, L, REGISTERS> where
    L: Iterator<Item = Result<R, Error>>
{
}
