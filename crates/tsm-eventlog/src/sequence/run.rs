// SPDX-License-Identifier: MIT OR Apache-2.0
//! Taking logs one after the other.

use core::fmt;

use tsm_core::log::Limits;
use tsm_core::replay::{self, Begins, Finding, FindingKind, Replay, Sink, Trailing};
use tsm_core::{Algorithm, Digest};

use super::outcome::Outcome;
use super::source::{Banks, Source, SourceKind, at, cel_register, initial};
use crate::cel::Effect;
use crate::error::{Error, ErrorKind, Position};
use crate::registers::{Platform, RegisterIndex};
use crate::{aael, cel, dstack, ima, systemd, tcg};

/// Where a sequence begins.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Begin<'v> {
    /// At the register's initial value: zeros, ones for PCR 17 to 22, and for PCR 0 what the first log
    /// says of its start-up locality.
    Initial,
    /// At these values, one for each bank: the caller knows from elsewhere that the register had them.
    At(&'v [Digest]),
    /// At whatever value the first log, a record log, captures first: the logs before it are not at
    /// hand, and the caller accepts that nobody knows what was extended before.
    Midway,
}

/// How a log follows what stands before it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Front {
    /// It does not say where it begins: its records extend what the logs before lead to.
    Contiguous,
    /// It says that it begins at the value that the logs before lead to.
    Captured,
    /// It begins at a value of its own, as the caller has accepted ([`Begin::Midway`]).
    Midway,
}

/// A log of a sequence, and what came of it.
#[derive(Clone, Debug)]
pub struct Step<'a> {
    pub(super) source: Source<'a>,
    pub(super) front: Front,
    /// Records of the log, of whatever register.
    pub(super) records: u64,
    pub(super) extensions: u64,
    pub(super) explained: u64,
    pub(super) unexplained: u64,
    pub(super) contradictions: u64,
    pub(super) is_noted: bool,
    pub(super) values: [Option<Digest>; Algorithm::MAX],
    pub(super) error: Option<Error>,
}

impl<'a> Step<'a> {
    fn new(source: Source<'a>) -> Self {
        Self {
            source,
            front: Front::Contiguous,
            records: 0,
            extensions: 0,
            explained: 0,
            unexplained: 0,
            contradictions: 0,
            is_noted: false,
            values: [None; Algorithm::MAX],
            error: None,
        }
    }

    /// What kind of log it is.
    #[must_use]
    pub const fn kind(&self) -> SourceKind {
        self.source.kind()
    }

    /// How it follows what stands before it.
    #[must_use]
    pub const fn front(&self) -> Front {
        self.front
    }

    /// How many of its records extend the register.
    #[must_use]
    pub const fn extensions(&self) -> u64 {
        self.extensions
    }

    /// Gaps of a record log whose notes lead to the value captured after them.
    #[must_use]
    pub const fn explained_gaps(&self) -> u64 {
        self.explained
    }

    /// Gaps of a record log whose notes do not.
    #[must_use]
    pub const fn unexplained_gaps(&self) -> u64 {
        self.unexplained
    }

    /// Captures of a record log that contradict the records before them without a gap.
    #[must_use]
    pub const fn contradictions(&self) -> u64 {
        self.contradictions
    }

    /// Whether a record log ends with notes of off-log extensions. They are taken for granted: if the
    /// authenticated value is met behind them, they lead to it.
    #[must_use]
    pub const fn ends_with_notes(&self) -> bool {
        self.is_noted
    }

    /// A bank's value behind the log; before anything vouches for it.
    #[must_use]
    pub fn untrusted_value(&self, bank: Algorithm) -> Option<Digest> {
        self.values.iter().flatten().find(|value| value.algorithm() == bank).copied()
    }

    /// The error that ended the log early, and the sequence with it.
    #[must_use]
    pub const fn error(&self) -> Option<Error> {
        self.error
    }
}

/// A place between records.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub(super) struct Place {
    pub(super) step: usize,
    /// Records of that log, of whatever register, before it.
    pub(super) record: u64,
}

/// Where all expected values were met together.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Joint {
    /// From here the chain is unbroken.
    pub(super) chain: Place,
    pub(super) end: Place,
    /// Records before it that extend the register.
    pub(super) extensions: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Bank {
    pub(super) value: Digest,
    pub(super) expected: Option<Digest>,
}

/// A replay of several logs for one register, up to `STEPS` of them.
///
/// See the [module documentation](super). Name the register, its banks and where it begins; give the
/// authenticated values ([`expect`](Self::expect)); hand over the logs; [`finish`](Self::finish).
#[derive(Clone)]
pub struct Sequence<'a, const STEPS: usize = 8> {
    pub(super) register: RegisterIndex,
    pub(super) banks: [Option<Bank>; Algorithm::MAX],
    pub(super) is_midway: bool,
    /// Whether a log may still say where PCR 0 starts, and whether one has.
    is_open: bool,
    is_told: bool,
    pub(super) steps: [Option<Step<'a>>; STEPS],
    pub(super) chain: Place,
    pub(super) joint: Option<Joint>,
    pub(super) extensions: u64,
    pub(super) is_ended: bool,
}

impl<'a, const STEPS: usize> Sequence<'a, STEPS> {
    /// A sequence for all banks that the register has: a record log captures all of them.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Banks`] if there is no bank, or an algorithm twice, or the values to begin at are
    /// not one for each; [`ErrorKind::NoSuchRegister`] if the register cannot be extended.
    pub fn new(
        register: impl Into<RegisterIndex>,
        banks: &[Algorithm],
        begin: Begin<'_>,
    ) -> Result<Self, Error> {
        let register = register.into();
        if !register.is_extendable() {
            return Err(Error::call(ErrorKind::NoSuchRegister));
        }
        let error = Error::call(ErrorKind::Banks);
        let banks = tsm_core::Banks::new(banks).filter(|banks| !banks.is_empty()).ok_or(error)?;
        let mut slots = [None; Algorithm::MAX];
        for (slot, bank) in slots.iter_mut().zip(banks.iter()) {
            let value = match begin {
                Begin::Initial | Begin::Midway => initial(register, bank),
                Begin::At(values) => {
                    let mut found = values.iter().filter(|value| value.algorithm() == bank);
                    let value = found.next().ok_or(error)?;
                    if found.next().is_some() || values.len() != banks.len() {
                        return Err(error);
                    }
                    *value
                }
            };
            *slot = Some(Bank { value, expected: None });
        }
        Ok(Self {
            register,
            banks: slots,
            is_midway: begin == Begin::Midway,
            is_open: begin == Begin::Initial,
            is_told: false,
            steps: [const { None }; STEPS],
            chain: Place::default(),
            joint: None,
            extensions: 0,
            is_ended: false,
        })
    }

    /// Sets the register's authenticated values, for all banks or some, before the first log. They are
    /// compared after every record; what came of it is said at the end only.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NoSuchBank`], [`ErrorKind::Banks`] for two values of one bank;
    /// [`ErrorKind::AlreadyStarted`] if there was a log.
    pub fn expect(&mut self, values: &[Digest]) -> Result<(), Error> {
        if self.count() > 0 || self.is_ended {
            return Err(Error::call(ErrorKind::AlreadyStarted));
        }
        for bank in self.banks.iter_mut().flatten() {
            bank.expected = None;
        }
        self.joint = None;
        for value in values {
            let mut banks = self.banks.iter_mut().flatten();
            let bank = banks.find(|bank| bank.value.algorithm() == value.algorithm());
            let bank = bank.ok_or(Error::call(ErrorKind::NoSuchBank))?;
            if bank.expected.replace(*value).is_some() {
                return Err(Error::call(ErrorKind::Banks));
            }
        }
        if !self.is_midway {
            self.compare(Place::default());
        }
        Ok(())
    }

    /// Takes a firmware log, whose numbers are those of `platform`.
    ///
    /// # Errors
    ///
    /// What is wrong with the log; [`ErrorKind::MissingDigest`] at an event of the register without a
    /// digest for a bank. The sequence has then ended. [`ErrorKind::TooManySteps`];
    /// [`ErrorKind::Ended`]; [`ErrorKind::NotCaptured`] for the first log of a sequence that begins
    /// [midway](Begin::Midway).
    pub fn tcg(&mut self, log: tcg::Log<'a>, platform: Platform) -> Result<(), Error> {
        self.run(Source::Tcg(log, platform), Front::Contiguous)
    }

    /// Takes a canonical event log.
    ///
    /// # Errors
    ///
    /// As [`tcg`](Self::tcg).
    pub fn cel(&mut self, log: cel::Log<'a>) -> Result<(), Error> {
        self.run(Source::Cel(log), Front::Contiguous)
    }

    /// Takes systemd's log.
    ///
    /// # Errors
    ///
    /// As [`tcg`](Self::tcg).
    pub fn systemd(&mut self, log: systemd::Log<'a>) -> Result<(), Error> {
        self.run(Source::Systemd(log), Front::Contiguous)
    }

    /// Takes the lines of dstack's runtime events.
    ///
    /// # Errors
    ///
    /// As [`tcg`](Self::tcg).
    pub fn dstack(&mut self, log: dstack::Log<'a>) -> Result<(), Error> {
        self.run(Source::Dstack(log), Front::Contiguous)
    }

    /// Takes the array of events that dstack's interfaces give out.
    ///
    /// # Errors
    ///
    /// As [`tcg`](Self::tcg).
    pub fn dstack_events(&mut self, log: dstack::Events<'a>) -> Result<(), Error> {
        self.run(Source::DstackEvents(log), Front::Contiguous)
    }

    /// Takes the text log of Confidential Containers' agent, which says where it begins.
    ///
    /// # Errors
    ///
    /// As [`tcg`](Self::tcg); [`ErrorKind::NotCaptured`] if that is not what the logs before lead to;
    /// [`ErrorKind::NoSuchRegister`] if it was opened for another register.
    pub fn aael(&mut self, log: aael::Log<'a>) -> Result<(), Error> {
        if Some(log.register()) != cel_register(self.register) {
            return Err(Error::call(ErrorKind::NoSuchRegister));
        }
        if !self.is_ended && self.value(log.init().algorithm()) != Some(log.init()) {
            self.is_ended = true;
            let first = Position { line: 1, ..Position::START };
            return Err(Error::new(ErrorKind::NotCaptured, first));
        }
        self.run(Source::Aael(log), Front::Captured)
    }

    /// Takes the records of an IMA list whose PCR number is `pcr`: that of the register, or another if
    /// a kernel extends an RTMR in a PCR's place. `banks` says what each bank was extended with.
    ///
    /// # Errors
    ///
    /// As [`tcg`](Self::tcg); [`ErrorKind::TemplateDigest`] at a record that fails its check;
    /// [`ErrorKind::NoSuchBank`] if a bank is missing.
    pub fn ima(
        &mut self,
        list: impl Into<ima::List<'a>>,
        pcr: u32,
        banks: &[ima::Bank],
    ) -> Result<(), Error> {
        let mut all = [None; Algorithm::MAX];
        for (place, bank) in all.iter_mut().zip(self.algorithms().into_iter().flatten()) {
            let mut found = banks.iter().filter(|other| other.algorithm == bank);
            *place = Some(*found.next().ok_or(Error::call(ErrorKind::NoSuchBank))?);
        }
        self.run(Source::Ima(list.into(), pcr, ima::Banks::of(all)), Front::Contiguous)
    }

    /// Takes a record log.
    ///
    /// Its first `SYNC` record must capture what the logs before lead to. A log whose first line is a
    /// record instead goes on where the log before ended: it is the rest of one.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotCaptured`] at that `SYNC` record: nothing of the log counts.
    /// [`ErrorKind::RecordLog`] for a malformed line. The sequence has then ended.
    /// [`ErrorKind::TooManySteps`]; [`ErrorKind::Ended`].
    pub fn records(&mut self, log: &'a [u8], limits: Limits) -> Result<(), Error> {
        let index = self.room()?;
        let (values, banks) = self.values();
        let values = values.get(..banks).unwrap_or_default();
        let (expected, count) = self.expected();
        let impossible = |_| Error::call(ErrorKind::Banks);
        let mut replay = Replay::new(values).map_err(impossible)?;
        replay.expect(expected.get(..count).unwrap_or_default()).map_err(impossible)?;
        let mut watch = Watch::default();
        let malformed = replay.feed(log, limits, &mut watch).err();
        let outcome = replay.outcome();

        let begins_elsewhere = outcome.begins == Begins::Midway;
        let is_first = index == 0 && self.is_midway;
        // At the first log of a sequence that begins midway, somebody must say where that is.
        let refused = match is_first {
            true if watch.has_capture => watch.no_sync,
            true => Some(replay::Position::default()),
            false => watch.midway,
        };
        if let Some(position) = refused {
            self.is_ended = true;
            return Err(Error::new(ErrorKind::NotCaptured, at(position)));
        }

        let mut step = Step::new(Source::records(log, limits));
        step.front = match (begins_elsewhere, watch.has_capture) {
            (true, _) => Front::Midway,
            (false, true) if watch.no_sync.is_none() => Front::Captured,
            _ => Front::Contiguous,
        };
        step.records = outcome.records;
        step.extensions = outcome.records;
        step.explained = outcome.explained_gaps;
        step.unexplained = outcome.unexplained_gaps;
        step.contradictions = outcome.contradictions;
        step.is_noted = outcome.trailing != Trailing::None;
        step.error = malformed.map(|error| {
            let position =
                Position { offset: error.offset, record: outcome.records, line: error.line };
            Error::new(ErrorKind::RecordLog(error.kind), position)
        });
        let place = |record| Place { step: index, record };
        // Before its first capture, a sequence that begins midway has no value to be met.
        let is_met = |to: &replay::Position| to.offset > 0 && (to.record > 0 || !is_first);
        if let Some((from, to)) = outcome.trusted().filter(|(_, to)| is_met(to)) {
            let chain = match from.line {
                0 => self.chain,
                _ => place(at(from).record),
            };
            let extensions = self.extensions.saturating_add(to.record);
            self.joint = Some(Joint { chain, end: place(to.record), extensions });
        }
        if let Some(broken) = watch.broken {
            self.chain = place(at(broken).record);
        }
        for bank in self.banks.iter_mut().flatten() {
            bank.value = replay.value(bank.value.algorithm()).unwrap_or(bank.value);
        }
        self.extensions = self.extensions.saturating_add(outcome.records);
        self.is_open &= outcome.records == 0 && !step.is_noted;
        self.push(step)
    }

    /// What came of it.
    #[must_use]
    pub const fn finish(self) -> Outcome<'a, STEPS> {
        Outcome(self)
    }

    fn run(&mut self, mut source: Source<'a>, front: Front) -> Result<(), Error> {
        let index = self.room()?;
        if self.is_midway && index == 0 {
            self.is_ended = true;
            return Err(Error::call(ErrorKind::NotCaptured));
        }
        let banks = self.algorithms();
        let mut step = Step::new(source.clone());
        step.front = front;
        while let Some(record) = source.next() {
            let taken = record.and_then(|record| {
                let error = |kind| Error::new(kind, record.position());
                let effect = source.effect(&record, self.register, &banks).map_err(error)?;
                self.take(&effect).map_err(error)
            });
            match taken {
                Ok(is_extension) => {
                    step.records = step.records.saturating_add(1);
                    step.extensions = step.extensions.saturating_add(u64::from(is_extension));
                    self.extensions = self.extensions.saturating_add(u64::from(is_extension));
                    self.compare(Place { step: index, record: step.records });
                }
                Err(error) => {
                    step.error = Some(error);
                    break;
                }
            }
        }
        self.push(step)
    }

    /// Whether it is an extension.
    fn take(&mut self, effect: &Effect) -> Result<bool, ErrorKind> {
        match effect {
            Effect::None => Ok(false),
            Effect::Starts(locality) => {
                if self.is_open && !core::mem::replace(&mut self.is_told, true) {
                    self.start_with(*locality);
                }
                Ok(false)
            }
            Effect::Extends(digests) => self.extend(digests, None),
            Effect::StartsAndExtends(locality, digests) => self.extend(digests, Some(*locality)),
        }
    }

    fn extend(
        &mut self,
        digests: &[Option<Digest>; Algorithm::MAX],
        locality: Option<u8>,
    ) -> Result<bool, ErrorKind> {
        let mut banks = self.banks.iter().zip(digests);
        if banks.any(|(bank, digest)| bank.is_some() && digest.is_none()) {
            return Err(ErrorKind::MissingDigest);
        }
        if let Some(locality) = locality.filter(|_| self.is_open) {
            self.start_with(locality);
        }
        self.is_open = false;
        for (bank, digest) in self.banks.iter_mut().zip(digests) {
            if let (Some(bank), Some(digest)) = (bank, digest) {
                // Of the same algorithm: both are in the banks' order.
                bank.value.extend(digest).map_err(|_| ErrorKind::NoSuchBank)?;
            }
        }
        Ok(true)
    }

    /// PCR 0 starts with this last byte, whatever was compared before.
    fn start_with(&mut self, last: u8) {
        self.joint = None;
        for bank in self.banks.iter_mut().flatten() {
            bank.value = Digest::zeros(bank.value.algorithm());
            if let Some(byte) = bank.value.as_bytes_mut().last_mut() {
                *byte = last;
            }
        }
    }

    fn compare(&mut self, end: Place) {
        let mut is_expected = false;
        for bank in self.banks.iter().flatten() {
            let Some(expected) = bank.expected else { continue };
            if expected != bank.value {
                return;
            }
            is_expected = true;
        }
        if is_expected {
            let (chain, extensions) = (self.chain, self.extensions);
            self.joint = Some(Joint { chain, end, extensions });
        }
    }

    /// The next step's index.
    fn room(&mut self) -> Result<usize, Error> {
        if self.is_ended {
            return Err(Error::call(ErrorKind::Ended));
        }
        let index = self.count();
        self.is_ended = index >= STEPS;
        if self.is_ended { Err(Error::call(ErrorKind::TooManySteps)) } else { Ok(index) }
    }

    fn count(&self) -> usize {
        self.steps.iter().flatten().count()
    }

    fn push(&mut self, mut step: Step<'a>) -> Result<(), Error> {
        step.values = self.banks.map(|bank| bank.map(|bank| bank.value));
        let error = step.error;
        self.is_ended = error.is_some();
        let slot = self.steps.iter_mut().find(|slot| slot.is_none());
        *slot.ok_or(Error::call(ErrorKind::TooManySteps))? = Some(step);
        error.map_or(Ok(()), Err)
    }

    pub(super) fn value(&self, bank: Algorithm) -> Option<Digest> {
        let mut banks = self.banks.iter().flatten();
        banks.find(|other| other.value.algorithm() == bank).map(|bank| bank.value)
    }

    fn algorithms(&self) -> Banks {
        self.banks.map(|bank| bank.map(|bank| bank.value.algorithm()))
    }

    fn values(&self) -> ([Digest; Algorithm::MAX], usize) {
        list(self.banks.iter().flatten().map(|bank| bank.value))
    }

    fn expected(&self) -> ([Digest; Algorithm::MAX], usize) {
        list(self.banks.iter().flatten().filter_map(|bank| bank.expected))
    }
}

fn list(values: impl Iterator<Item = Digest>) -> ([Digest; Algorithm::MAX], usize) {
    let mut all = [Digest::zeros(Algorithm::Sha1); Algorithm::MAX];
    let count = all.iter_mut().zip(values).map(|(to, from)| *to = from).count();
    (all, count)
}

impl<const STEPS: usize> fmt::Debug for Sequence<'_, STEPS> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sequence")
            .field("register", &self.register)
            .field("steps", &self.count())
            .field("extensions", &self.extensions)
            .finish_non_exhaustive()
    }
}

/// What must be known of a record log's findings.
#[derive(Default)]
struct Watch {
    /// The last `SYNC` record at which the chain begins anew.
    broken: Option<replay::Position>,
    midway: Option<replay::Position>,
    /// The first record, if it stands before any `SYNC` record.
    no_sync: Option<replay::Position>,
    has_capture: bool,
}

impl Sink for Watch {
    fn untrusted_record(&mut self, record: &[u8], _: replay::Position) {
        self.has_capture |= record.starts_with(b"SYNC ");
    }

    fn finding(&mut self, finding: Finding) {
        match finding.kind {
            FindingKind::Midway => {
                self.midway = Some(finding.at);
                self.broken = Some(finding.at);
            }
            FindingKind::GapUnexplained | FindingKind::Contradiction => {
                self.broken = Some(finding.at);
            }
            FindingKind::NoSync => self.no_sync = Some(finding.at),
            _ => {}
        }
    }
}
