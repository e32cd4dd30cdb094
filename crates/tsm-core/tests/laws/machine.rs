// SPDX-License-Identifier: MIT OR Apache-2.0
//! One register of a simulated machine, its log on a disk that can fail, and the truth about both.

use core::cell::Cell;
use std::rc::Rc;

use proptest::prelude::*;
use tsm_core::log::{Limits, Line, Lines, NoRoom, Storage, WriteError};
use tsm_core::replay::{Outcome, Verified, verify};
use tsm_core::{
    Algorithm, Banks, Digest, Initial, Powers, Provider, RecordLog, Register, RegisterId,
};
use tsm_sim::{Faulty, Injected, Platform, Row, Simulated, Trace, platform};

pub(crate) const LIMITS: Limits = Limits::DEFAULT;

pub(crate) type Device = Faulty<Trace<Simulated>>;
pub(crate) type Failure = WriteError<Injected<tsm_core::ErrorKind>, NoRoom>;

/// Registers that are as unlike as platforms make them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Subject {
    /// One bank, from zeros.
    Tdx,
    /// Three banks, not in order of size.
    Tpm,
    /// Two banks, from ones.
    Ones,
}

pub(crate) fn subject() -> impl Strategy<Value = Subject> {
    prop_oneof![Just(Subject::Tdx), Just(Subject::Tpm), Just(Subject::Ones)]
}

impl Subject {
    pub(crate) const ALL: [Self; 3] = [Self::Tdx, Self::Tpm, Self::Ones];

    pub(crate) fn simulated(self) -> (Simulated, RegisterId) {
        let (machine, name) = match self {
            Self::Tdx => (Simulated::by_name("tdx").unwrap(), "rtmr2"),
            Self::Tpm => {
                let banks = [Algorithm::Sha256, Algorithm::Sha1, Algorithm::Sha384];
                let banks = Banks::new(&banks).unwrap();
                (Simulated::new(platform::tpm(banks).unwrap()), "pcr10")
            }
            Self::Ones => {
                let banks = Banks::new(&[Algorithm::Sha512, Algorithm::Sha256]).unwrap();
                let register = Register::runtime("dynamic", banks)
                    .with(Powers::DIRECT)
                    .starting(Initial::Ones);
                let rows = vec![Row::kept(register)];
                (Simulated::new(Platform::new("sim:ones", rows, 0).unwrap()), "dynamic")
            }
        };
        let id = machine.find(name).unwrap();
        (machine, id)
    }
}

/// A storage in memory. Its next append can be made to fail, and it may have no slice to show.
#[derive(Clone, Debug)]
pub(crate) struct Disk {
    pub(crate) bytes: Vec<u8>,
    /// Size in bytes; shared, as `fail` is.
    pub(crate) capacity: Rc<Cell<usize>>,
    /// Whether the next append fails; shared, so that a disk inside a log can be told.
    pub(crate) fail: Rc<Cell<bool>>,
    pub(crate) slice: bool,
}

impl Disk {
    pub(crate) fn new(bytes: Vec<u8>, slice: bool) -> Self {
        Self { bytes, capacity: Rc::new(Cell::new(1 << 20)), fail: Rc::default(), slice }
    }
}

impl Storage for Disk {
    type Error = NoRoom;

    fn len(&self) -> u64 {
        self.bytes.len() as u64
    }

    fn room(&self) -> u64 {
        self.capacity.get().saturating_sub(self.bytes.len()) as u64
    }

    fn append(&mut self, parts: &[&[u8]]) -> Result<(), NoRoom> {
        let size: usize = parts.iter().map(|part| part.len()).sum();
        if self.fail.take() || size as u64 > self.room() {
            return Err(NoRoom);
        }
        self.bytes.extend(parts.iter().copied().flatten());
        Ok(())
    }

    fn read_at(&self, offset: u64, out: &mut [u8]) -> Result<usize, NoRoom> {
        let rest = self.bytes.get(offset as usize..).unwrap_or_default();
        let size = rest.len().min(out.len());
        out[..size].copy_from_slice(&rest[..size]);
        Ok(size)
    }

    fn as_slice(&self) -> Option<&[u8]> {
        self.slice.then_some(&self.bytes)
    }
}

/// A register, its log, and what truly happened.
pub(crate) struct Machine {
    pub(crate) device: Device,
    pub(crate) id: RegisterId,
    pub(crate) log: RecordLog<Disk>,
    pub(crate) banks: Banks,
    start: Vec<Digest>,
}

impl Machine {
    pub(crate) fn new(subject: Subject, slice: bool) -> Self {
        let (machine, id) = subject.simulated();
        let banks = machine.describe(id).unwrap().banks();
        let mut device = Faulty::new(Trace::new(machine)).remembering();
        let start = banks.iter().map(|bank| device.value(id, bank).unwrap()).collect();
        let log = RecordLog::new(Disk::new(Vec::new(), slice), LIMITS);
        Self { device, id, log, banks, start }
    }

    pub(crate) fn append(&mut self, input: &[u8]) -> Result<(), Failure> {
        self.log.append(&mut self.device, self.id, input).map(drop)
    }

    /// Sets the size of the log's disk.
    pub(crate) fn limit(&mut self, capacity: usize) {
        self.log.storage().capacity.set(capacity);
    }

    /// Digests of the banks that `mask` chooses; of all if it chooses none.
    pub(crate) fn digests(&self, mask: u8, salt: u8) -> Vec<Digest> {
        let some = |mask: u8| -> Vec<Digest> {
            let chosen = self.banks.iter().enumerate().filter(|(n, _)| mask >> n & 1 == 1);
            chosen.map(|(_, bank)| bank.hash(&[salt])).collect()
        };
        Some(some(mask)).filter(|digests| !digests.is_empty()).unwrap_or_else(|| some(0xFF))
    }

    pub(crate) fn extend_off_log(&mut self, mask: u8, salt: u8) -> Result<(), Failure> {
        let digests = self.digests(mask, salt);
        self.log.extend_off_log(&mut self.device, self.id, &digests)
    }

    /// Somebody else extends, and the log is told only that.
    pub(crate) fn extend_behind(&mut self, mask: u8, salt: u8) {
        let digests = self.digests(mask, salt);
        self.device.provider_mut().extend(self.id, &digests).unwrap();
        self.log.invalidate();
    }

    /// Opens the log anew on `bytes`, trying again as often as the plan of faults makes it fail.
    pub(crate) fn reopen(&mut self, bytes: Vec<u8>, slice: bool) {
        let mut scratch = [0; 512];
        for _ in 0..40 {
            let disk = Disk::new(bytes.clone(), slice);
            let opened = RecordLog::open(disk, LIMITS, &mut self.device, self.id, &mut scratch);
            match opened {
                Ok(log) => {
                    self.log = log;
                    return;
                }
                Err(tsm_core::log::OpenError::Provider(Injected::Here(_))) => {}
                Err(error) => panic!("cannot open: {error}"),
            }
        }
        panic!("the plan of faults never ends");
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.log.storage().bytes
    }

    pub(crate) fn start(&self) -> &[Digest] {
        &self.start
    }

    /// The register's true values.
    pub(crate) fn values(&self) -> Vec<Digest> {
        let mut machine = self.device.provider().provider().clone();
        self.banks.iter().map(|bank| machine.value(self.id, bank).unwrap()).collect()
    }

    /// Every extension that took place.
    pub(crate) fn extended(&self) -> Vec<Vec<Digest>> {
        self.device.provider().extensions().iter().map(|(_, digests)| digests.clone()).collect()
    }

    /// Every extension that the log tells of, by record or note.
    pub(crate) fn told(&self) -> Vec<Vec<Digest>> {
        told(self.bytes(), self.banks)
    }

    pub(crate) fn verified(&self) -> Verified<'_> {
        verify(self.bytes(), &self.start, &self.values(), LIMITS, &mut ()).unwrap()
    }

    /// The laws that hold at every moment, whatever has failed.
    pub(crate) fn check(&self) {
        self.check_told();
        let verified = self.verified();
        // Nothing was extended that the log does not tell of, or else it does not hold.
        assert_eq!(verified.holds(), Some(self.told() == self.extended()), "{}", self.text());
        if self.log.in_sync() {
            assert!(complete(verified.outcome()), "in sync, it says: {}", self.text());
        }
    }

    /// The laws that hold even if the provider breaks the contract.
    pub(crate) fn check_told(&self) {
        let verified = self.verified();
        assert_eq!(verified.malformed(), None, "{}", self.text());
        self.check_order_of_lines();
        let (told, extended) = (self.told(), self.extended());
        assert!(verified.holds() != Some(true) || told == extended, "{}", self.text());
        let mut rest = extended.iter();
        for digests in &told {
            assert!(rest.any(|e| e == digests), "told, but not extended: {}", self.text());
        }
    }

    /// A capture before the first record and between a note and a record (specification, section 3).
    fn check_order_of_lines(&self) {
        let mut captured = false;
        for line in Lines::new(self.bytes(), LIMITS) {
            match line.unwrap().line {
                Line::Blank | Line::Comment(_) => {}
                Line::Note(_) => captured = false,
                Line::Sync(_) => captured = true,
                Line::Record(_) => assert!(captured, "no SYNC: {}", self.text()),
            }
        }
    }

    /// Empty lines only separate: never first, last or two together. Not so after a crash that
    /// left an empty line and lost what it was to separate.
    pub(crate) fn check_spacing(&self) {
        let mut blank = true;
        for line in Lines::new(self.bytes(), LIMITS) {
            let is_blank = line.unwrap().line == Line::Blank;
            assert!(!(is_blank && blank), "{}", self.text());
            blank = is_blank;
        }
        assert!(!blank || self.bytes().is_empty(), "{}", self.text());
    }

    pub(crate) fn text(&self) -> String {
        self.bytes().escape_ascii().to_string().replace("\\n", "\n")
    }
}

/// Whether every bank's replay ends at its true value.
pub(crate) fn complete(outcome: &Outcome) -> bool {
    outcome.banks().all(|(_, found)| found == tsm_core::replay::Match::Complete)
}

pub(crate) fn told(log: &[u8], banks: Banks) -> Vec<Vec<Digest>> {
    let lines = Lines::new(log, LIMITS).map(|line| line.unwrap());
    let told = lines.filter_map(|line| match line.line {
        Line::Blank | Line::Comment(_) => None,
        Line::Note(note) => Some(note.digests(banks).map(Result::unwrap).collect()),
        Line::Sync(_) | Line::Record(_) => {
            Some(banks.iter().map(|bank| bank.hash(line.bytes)).collect())
        }
    });
    told.collect()
}

/// The application's records in a log.
pub(crate) fn records(log: &[u8]) -> Vec<Vec<u8>> {
    let lines = Lines::new(log, LIMITS).map(|line| line.unwrap().line);
    lines
        .filter_map(|line| if let Line::Record(r) = line { Some(r.to_vec()) } else { None })
        .collect()
}
