// SPDX-License-Identifier: MIT OR Apache-2.0
//! Replay: from records to PCR values, for several banks in one pass, and from expected PCR values
//! back to records that can be trusted.

use core::fmt;
use core::iter::FusedIterator;

use tsm_core::{Algorithm, Digest};

use super::MAX_PCR;
use super::assemble::{Scratch, TemplateData};
use super::entry::{Check, Entry, UntrustedEntry};
use super::list::List;
use super::register::{Bank, BankRule, Banks, Match, Register, padded};
use crate::error::{Error, ErrorKind, Position};

/// Recomputes PCR values from a list.
///
/// A value without pointers, at most 640 bytes for each PCR. `PCRS` bounds the distinct PCRs
/// (a policy's `pcr=` can send records to others than 10); one more is an error, never ignored.
///
/// # Use
///
/// Name the banks, give the expected values ([`expect`](Self::expect)), run over a list
/// ([`run`](Self::run)), read the results. To follow a growing list, keep the replay, or
/// [`save`](Self::save) it, and later run on over what stands behind [`position`](Self::position).
///
/// # Contract
///
/// Every record's template digest is checked; a record that fails is an error. Work is linear: for
/// each record one hash to check it, one for each further bank, and one to extend each bank.
#[derive(Clone, PartialEq, Eq)]
pub struct Replay<const PCRS: usize = 4> {
    pub(crate) banks: [Option<Bank>; Algorithm::MAX],
    /// In the order met; `None` behind the last.
    pub(crate) registers: [Option<Register>; PCRS],
    pub(crate) position: Position,
    /// The last place where every register with an expected value was at it.
    pub(crate) covered: Option<Position>,
}

impl<const PCRS: usize> Replay<PCRS> {
    /// A replay for these banks, all registers zero.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Banks`] if there is no bank, or an algorithm twice.
    pub fn new(banks: &[Bank]) -> Result<Self, Error> {
        let all = Banks::new(banks)?.into_array();
        Ok(Self { banks: all, registers: [None; PCRS], position: Position::START, covered: None })
    }

    /// Sets the value a register had before the first record; zero if not set.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::AlreadyStarted`] if the register has entries, [`ErrorKind::NoSuchBank`],
    /// [`ErrorKind::TooManyRegisters`], [`ErrorKind::PcrNumber`].
    pub fn start(&mut self, pcr: u32, value: Digest) -> Result<(), Error> {
        let register = self.register_for(pcr).map_err(Error::call)?;
        if register.entries > 0 {
            return Err(Error::call(ErrorKind::AlreadyStarted));
        }
        let slot = register.slots.of_mut(value.algorithm());
        slot.ok_or(Error::call(ErrorKind::NoSuchBank))?.start(value);
        self.note_covered(self.position);
        Ok(())
    }

    /// Sets the value that signed evidence has for a register.
    ///
    /// From here on the register is compared with it: now, and after each record. It replaces a
    /// value expected before, so a replay that goes on can be given the value of the next quote.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NoSuchBank`], [`ErrorKind::TooManyRegisters`], [`ErrorKind::PcrNumber`].
    pub fn expect(&mut self, pcr: u32, value: Digest) -> Result<(), Error> {
        let register = self.register_for(pcr).map_err(Error::call)?;
        let entries = register.entries;
        let slot = register.slots.of_mut(value.algorithm());
        slot.ok_or(Error::call(ErrorKind::NoSuchBank))?.expect(value, entries);
        self.covered = None;
        self.note_covered(self.position);
        Ok(())
    }

    /// Replays the records of a list up to its end or to an error.
    ///
    /// The list must begin at [`position`](Self::position) ([`Binary::at`](super::Binary::at),
    /// [`Ascii::at`](super::Ascii::at)). After [`ErrorKind::Truncated`] the replay stands before the
    /// incomplete record: read the list anew from there and run on.
    pub fn run<'r, 'a>(&'r mut self, list: impl Into<List<'a>>) -> Finished<'r, 'a, PCRS> {
        let list = list.into();
        let mut before = [0; PCRS];
        for (before, register) in before.iter_mut().zip(self.registers.iter_mut().flatten()) {
            *before = register.entries;
            register.is_cut = false;
        }
        let error = self.run_over(list.clone()).err();
        for register in self.registers.iter_mut().flatten() {
            register.is_cut = error.is_some();
        }
        Finished { replay: self, list, before, error }
    }

    fn run_over(&mut self, mut list: List<'_>) -> Result<(), Error> {
        if self.is_elsewhere(list.next_position()) {
            return Err(Error::new(ErrorKind::NotContiguous, list.next_position()));
        }
        let mut scratch = Scratch::new();
        while let Some(entry) = list.read(&mut scratch) {
            // By reference: an entry is large enough for a copy to be noticed.
            let entry = entry.as_ref().map_err(|error| *error)?;
            let data = list.data(entry, &mut scratch);
            self.absorb(entry, &data).map_err(|kind| Error::new(kind, entry.position))?;
        }
        Ok(())
    }

    /// Replays one record, which must be the next one of the list.
    ///
    /// For callers with a loop of their own; [`run`](Self::run) is faster for ascii lists.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::TemplateDigest`] if the record fails its check,
    /// [`ErrorKind::TooManyRegisters`], [`ErrorKind::NotContiguous`]. The replay is then unchanged.
    pub fn push(&mut self, entry: &UntrustedEntry<'_>) -> Result<Check, Error> {
        let error = |kind| Error::new(kind, entry.position);
        if self.is_elsewhere(entry.position) {
            return Err(error(ErrorKind::NotContiguous));
        }
        self.absorb(entry, &entry.data(&mut Scratch::new())).map_err(error)
    }

    /// Where the next record to be replayed begins.
    #[must_use]
    pub const fn position(&self) -> Position {
        self.position
    }

    /// The last place at which all registers with expected values had them at once: what stands
    /// before it in the list is what the quote covers. `None` if there was no such place, or nothing
    /// is expected.
    ///
    /// To go on from a quote that covered a prefix only, replay that prefix and save that state:
    /// the next quote may end between here and what is in the list already.
    #[must_use]
    pub const fn covered(&self) -> Option<Position> {
        self.covered
    }

    /// The banks.
    pub fn banks(&self) -> impl Iterator<Item = Bank> {
        self.banks.iter().flatten().copied()
    }

    /// The registers that the list uses or a value was set for, in that order.
    pub fn registers(&self) -> impl Iterator<Item = &Register> {
        self.registers.iter().flatten()
    }

    /// A register; `None` if the list does not use it and no value was set for it.
    #[must_use]
    pub fn register(&self, pcr: u32) -> Option<&Register> {
        self.registers().find(|register| register.pcr == pcr)
    }

    /// How a register's records relate to its expected value in a bank.
    ///
    /// About the records replayed so far; if the last run ended in an error, never
    /// [`Match::Complete`].
    #[must_use]
    pub fn result(&self, pcr: u32, algorithm: Algorithm) -> Match {
        self.register(pcr).map_or(Match::Unchecked, |register| register.result(algorithm))
    }

    fn is_elsewhere(&self, position: Position) -> bool {
        (position.offset, position.record) != (self.position.offset, self.position.record)
            // The list of a kexec buffer begins behind the buffer's header.
            && !(self.position == Position::START && position.record == 0)
    }

    #[inline]
    fn absorb(
        &mut self,
        entry: &UntrustedEntry<'_>,
        data: &TemplateData<'_>,
    ) -> Result<Check, ErrorKind> {
        let check = entry.check.unwrap_or_else(|| entry.check_with(data));
        if check == Check::Mismatch {
            return Err(ErrorKind::TemplateDigest);
        }
        let banks = self.banks;
        let register = self.register_for(entry.pcr)?;
        register.count(entry, check);
        let entries = register.entries;
        let mut is_reached = false;
        let mut sha1 = None;
        for (bank, slot) in banks.iter().flatten().zip(register.slots.iter_mut()) {
            let algorithm = bank.algorithm;
            let digest = if check == Check::Violation {
                bank.violation()
            } else if bank.rule == BankRule::Hashed {
                template_digest(entry, data, algorithm)?
            } else {
                let sha1 = match sha1 {
                    Some(sha1) => sha1,
                    None => *sha1.insert(template_digest(entry, data, Algorithm::Sha1)?),
                };
                padded(algorithm, &sha1)
            };
            // Fails for different algorithms only; slots are made from banks, in their order.
            slot.value.extend(&digest).map_err(|_| ErrorKind::NoSuchBank)?;
            slot.compare(entries);
            is_reached |= slot.matched == Some(entries);
        }
        self.position = entry.end();
        if is_reached {
            self.note_covered(self.position);
        }
        Ok(check)
    }

    fn note_covered(&mut self, position: Position) {
        let is_expected = self.registers().any(|register| register.results().next().is_some());
        if is_expected && self.registers().all(Register::is_at_expected) {
            self.covered = Some(position);
        }
    }

    fn register_for(&mut self, pcr: u32) -> Result<&mut Register, ErrorKind> {
        if pcr > MAX_PCR {
            return Err(ErrorKind::PcrNumber);
        }
        let is_it = |register: &&mut Option<Register>| {
            register.as_ref().is_none_or(|register| register.pcr == pcr)
        };
        let free = self.registers.iter_mut().find(is_it).ok_or(ErrorKind::TooManyRegisters)?;
        Ok(free.get_or_insert_with(|| Register::new(pcr, &self.banks)))
    }
}

/// The template digest in `algorithm`, without hashing what the check has hashed.
#[inline]
fn template_digest(
    entry: &UntrustedEntry<'_>,
    data: &TemplateData<'_>,
    algorithm: Algorithm,
) -> Result<Digest, ErrorKind> {
    if entry.recorded.algorithm == algorithm {
        return Ok(entry.recorded());
    }
    data.hash(algorithm).ok_or(ErrorKind::Line)
}

impl<const PCRS: usize> fmt::Debug for Replay<PCRS> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Replay")
            .field("position", &self.position)
            .field("registers", &self.registers)
            .finish()
    }
}

/// A run over a list, ended: the way to its records as trusted ones.
#[derive(Debug)]
#[must_use = "a run can end in an error"]
pub struct Finished<'r, 'a, const PCRS: usize> {
    replay: &'r Replay<PCRS>,
    list: List<'a>,
    /// For each register, its entries before this run.
    before: [u64; PCRS],
    error: Option<Error>,
}

impl<'r, 'a, const PCRS: usize> Finished<'r, 'a, PCRS> {
    /// The error that ended the list early, if one did.
    ///
    /// The results are about the records before it, and none of them is [`Match::Complete`].
    #[must_use]
    pub const fn error(&self) -> Option<Error> {
        self.error
    }

    /// The replay, for its results.
    #[must_use]
    pub const fn replay(&self) -> &'r Replay<PCRS> {
        self.replay
    }

    /// The records of this run that the expected values cover: of each PCR the prefix that
    /// *every* expected value of that PCR covers, and none of a PCR without expected values or
    /// with one that contradicts the list.
    #[must_use]
    pub fn entries(&self) -> Entries<'r, 'a, PCRS> {
        let list = match self.error {
            // Then nothing of the list was replayed.
            Some(error) if error.kind() == ErrorKind::NotContiguous => None,
            _ => Some(self.list.clone()),
        };
        Entries { replay: self.replay, list, seen: self.before }
    }
}

/// The trusted records of a run: see [`Finished::entries`].
#[derive(Clone, Debug)]
pub struct Entries<'r, 'a, const PCRS: usize> {
    replay: &'r Replay<PCRS>,
    list: Option<List<'a>>,
    seen: [u64; PCRS],
}

impl<'a, const PCRS: usize> Iterator for Entries<'_, 'a, PCRS> {
    type Item = Entry<'a>;

    fn next(&mut self) -> Option<Entry<'a>> {
        let list = self.list.as_mut()?;
        while list.next_position().record < self.replay.position.record
            && let Some(Ok(entry)) = list.next()
        {
            let mut registers = self.replay.registers().zip(&mut self.seen);
            let Some((register, seen)) = registers.find(|(register, _)| register.pcr == entry.pcr)
            else {
                break;
            };
            *seen = seen.saturating_add(1);
            if *seen <= register.covered() {
                return Some(Entry(entry));
            }
        }
        self.list = None;
        None
    }
}

impl<const PCRS: usize> FusedIterator for Entries<'_, '_, PCRS> {}
