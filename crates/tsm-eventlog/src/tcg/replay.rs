// SPDX-License-Identifier: MIT OR Apache-2.0
//! Replay: from records to register values, all registers and banks in one pass, and from expected
//! values back to events that can be trusted.

use core::fmt;

use tsm_core::replay::Match;
use tsm_core::{Algorithm, Digest};

use super::event::UntrustedEvent;
use super::finding::Oddities;
use super::finished::Finished;
use super::log::Log;
use super::register::Register;
use super::rules::{Banks, Odd, Rules, Step};
use crate::error::{Error, ErrorKind, Position};
use crate::registers::{Platform, RegisterIndex};

/// Recomputes the registers of a platform from its log.
///
/// A value without pointers, about 0.7 KiB for each register. `REGISTERS` is how many the platform
/// has: 24 for a TPM, 5 for the others.
///
/// # Use
///
/// Name the platform and the banks, give the expected values ([`expect`](Self::expect)), run over
/// the log ([`run`](Self::run)), read the results. A replay can run over several logs one after
/// another: firmware's, then its final events table.
///
/// # Contract
///
/// - Events extend the register that their number means on the platform; an event for a register
///   that does not exist, or cannot be extended, is a finding and extends nothing.
/// - An event without a digest for a bank breaks that bank of its register: its value is not known
///   from there on, and it never matches completely.
/// - [`EventType::NO_ACTION`](super::EventType::NO_ACTION) never extends.
/// - Registers start with zeros; PCR 17 to 22 with ones; PCR 0 as the log's start-up locality or
///   H-CRTM event says; all of them as [`start`](Self::start) says.
/// - A register with an expected value and without events is compared with its start value, and is
///   a finding.
/// - Work is linear: one hash for each event and bank.
#[derive(Clone, PartialEq, Eq)]
pub struct Replay<const REGISTERS: usize = 24> {
    pub(super) rules: Rules,
    /// By place; `None` until used.
    pub(super) registers: [Option<Register>; REGISTERS],
    pub(super) position: Position,
    /// Whether the last run ended in an error.
    pub(super) is_cut: bool,
}

impl<const REGISTERS: usize> Replay<REGISTERS> {
    /// A replay for these banks.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Banks`] if there is no bank, or an algorithm twice;
    /// [`ErrorKind::TooManyRegisters`] if the platform has more than `REGISTERS`.
    pub fn new(platform: Platform, banks: &[Algorithm]) -> Result<Self, Error> {
        let error = Error::call(ErrorKind::Banks);
        let mut all: Banks = [None; Algorithm::MAX];
        for (place, bank) in banks.iter().enumerate() {
            if banks.get(..place).unwrap_or_default().contains(bank) {
                return Err(error);
            }
            *all.get_mut(place).ok_or(error)? = Some(*bank);
        }
        if banks.is_empty() {
            return Err(error);
        }
        if usize::try_from(platform.registers()).is_ok_and(|count| count > REGISTERS) {
            return Err(Error::call(ErrorKind::TooManyRegisters));
        }
        let rules = Rules { platform, banks: all, locality: None, is_settled: false };
        let registers = [const { None }; REGISTERS];
        Ok(Self { rules, registers, position: Position::START, is_cut: false })
    }

    /// Sets the value a register had before the first event. For PCR 0 it counts instead of what
    /// the log says.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::AlreadyStarted`] if the register has events, [`ErrorKind::NoSuchBank`],
    /// [`ErrorKind::NoSuchRegister`].
    pub fn start(
        &mut self,
        register: impl Into<RegisterIndex>,
        value: Digest,
    ) -> Result<(), Error> {
        let index = register.into();
        let register = self.register_mut(index)?;
        if register.events > 0 {
            return Err(Error::call(ErrorKind::AlreadyStarted));
        }
        let slot = register.slots.of_mut(value.algorithm());
        slot.ok_or(Error::call(ErrorKind::NoSuchBank))?.start(value);
        register.is_set = true;
        if self.rules.platform == Platform::Tpm && self.rules.platform.number(index) == Some(0) {
            self.rules.is_settled = true;
        }
        Ok(())
    }

    /// Sets the value that signed evidence has for a register.
    ///
    /// From here on the register is compared with it: now, and after each event. It replaces a
    /// value expected before.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NoSuchBank`], [`ErrorKind::NoSuchRegister`].
    pub fn expect(
        &mut self,
        register: impl Into<RegisterIndex>,
        value: Digest,
    ) -> Result<(), Error> {
        let register = self.register_mut(register.into())?;
        let events = register.events;
        let slot = register.slots.of_mut(value.algorithm());
        slot.ok_or(Error::call(ErrorKind::NoSuchBank))?.expect(value, events);
        Ok(())
    }

    /// Replays the records of a log up to its end or to an error.
    ///
    /// The log begins with its first record, or where the replay stopped in it
    /// ([`position`](Self::position), [`Log::skip_to`]).
    pub fn run<'r, 'a>(&'r mut self, log: Log<'a>) -> Finished<'r, 'a, REGISTERS> {
        let mut before = [0; REGISTERS];
        for (before, register) in before.iter_mut().zip(&self.registers) {
            *before = register.as_ref().map_or(0, |register| register.events);
        }
        let (rules, mut after) = (self.rules, log.clone());
        let error = self.run_over(&mut after).err();
        self.is_cut = error.is_some();
        for register in self.registers.iter_mut().flatten() {
            register.is_cut = self.is_cut;
        }
        // Where nothing was replayed, nothing is found.
        let log = match error {
            Some(error) if error.kind() == ErrorKind::NotContiguous => after.clone(),
            _ => log,
        };
        Finished { replay: self, log, after, rules, before, error }
    }

    fn run_over(&mut self, log: &mut Log<'_>) -> Result<(), Error> {
        if !log.is_at_first() && log.next_position() != self.position {
            return Err(Error::new(ErrorKind::NotContiguous, log.next_position()));
        }
        self.position = log.next_position();
        while let Some(event) = log.read() {
            // By reference: an event is large enough for a copy to be noticed.
            self.absorb(event.as_ref().map_err(|error| *error)?, &mut ());
        }
        Ok(())
    }

    /// Replays one record, for callers with a loop of their own. Gives what is odd about it.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotContiguous`] if it is neither the first record of a log nor the next one.
    pub fn push(&mut self, event: &UntrustedEvent<'_>) -> Result<Oddities, Error> {
        // The first record is the header, or stands behind it.
        if event.position != self.position && event.position.record > 1 {
            return Err(Error::new(ErrorKind::NotContiguous, event.position));
        }
        let mut odd = Oddities::default();
        self.absorb(event, &mut odd);
        Ok(odd)
    }

    #[inline]
    fn absorb<O: Odd>(&mut self, event: &UntrustedEvent<'_>, odd: &mut O) {
        match self.rules.look(event, odd) {
            Step::Skip => {}
            Step::Start(last) => {
                if let Some(register) = self.at_place(0) {
                    register.start_with(last);
                }
            }
            Step::Extend { place, start } => {
                if let Some(register) = self.at_place(place) {
                    if let Some(last) = start {
                        register.start_with(last);
                    }
                    register.extend(event);
                }
            }
        }
        self.position = event.end();
    }

    /// Where the next record to be replayed begins, in the log that was replayed last.
    #[must_use]
    pub const fn position(&self) -> Position {
        self.position
    }

    /// The platform.
    #[must_use]
    pub const fn platform(&self) -> Platform {
        self.rules.platform
    }

    /// The banks.
    pub fn banks(&self) -> impl Iterator<Item = Algorithm> {
        self.rules.banks.iter().flatten().copied()
    }

    /// The start-up locality that the log told, if it counts.
    #[must_use]
    pub const fn startup_locality(&self) -> Option<u8> {
        self.rules.locality
    }

    /// The registers that the log uses or a value was set for, in ascending order.
    pub fn registers(&self) -> impl Iterator<Item = &Register> {
        self.registers.iter().flatten().filter(|register| register.is_used())
    }

    /// A register; `None` if the log does not use it and no value was set for it.
    #[must_use]
    pub fn register(&self, register: impl Into<RegisterIndex>) -> Option<&Register> {
        let index = register.into();
        self.registers().find(|register| register.index == index)
    }

    /// How a register's events relate to its expected value in a bank.
    ///
    /// About the events replayed so far; if the last run ended in an error, never
    /// [`Match::Complete`].
    #[must_use]
    pub fn result(&self, register: impl Into<RegisterIndex>, algorithm: Algorithm) -> Match {
        self.register(register).map_or(Match::Unchecked, |register| register.result(algorithm))
    }

    /// Whether all expected values are those after the whole log; `None` if nothing is expected.
    ///
    /// True also if a register without events has its start value: see [`Register::is_absent`].
    #[must_use]
    pub fn holds(&self) -> Option<bool> {
        let mut results = self.registers().flat_map(Register::results);
        let first = results.next()?.1.is_complete();
        Some(first && results.all(|(_, result)| result.is_complete()))
    }

    fn register_mut(&mut self, index: RegisterIndex) -> Result<&mut Register, Error> {
        let place =
            self.rules.platform.place_of(index).and_then(|place| usize::try_from(place).ok());
        place.and_then(|place| self.at_place(place)).ok_or(Error::call(ErrorKind::NoSuchRegister))
    }

    /// The register at a place, which may be its first use; `None` if it cannot be extended.
    #[inline]
    pub(super) fn at_place(&mut self, place: usize) -> Option<&mut Register> {
        let slot = self.registers.get_mut(place)?;
        if slot.is_none() {
            let index = self.rules.platform.at_place(u32::try_from(place).ok()?)?;
            *slot =
                index.is_extendable().then(|| Register::new(index, &self.rules.banks, self.is_cut));
        }
        slot.as_mut()
    }
}

impl<const REGISTERS: usize> fmt::Debug for Replay<REGISTERS> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Replay ")?;
        f.debug_list().entries(self.registers()).finish()
    }
}
