// SPDX-License-Identifier: MIT OR Apache-2.0
//! The writer over a machine and a storage that fail when the input wants it.
//!
//! Whatever fails, the stored log is well-formed, nothing is extended that was refused, and after
//! the next append that succeeds the log leads to the register's value.

use tsm_core::log::{Cause, Limits, Line, Lines, RecordLog, SliceStorage, Storage};
use tsm_core::provider::Error as _;
use tsm_core::replay::{Match, verify};
use tsm_core::{Algorithm, Banks, Digest, ErrorKind, Powers, Provider, Register, RegisterId};
use tsm_sim::{Call, Fault, Faulty, Platform, Row, Simulated, Trace};

use crate::input::Input;

const ID: RegisterId = RegisterId(0);

type Machine = Faulty<Trace<Simulated>>;

/// Input: banks, 2 bytes for the storage's size, 1 for the kind of storage, then steps of one byte
/// and what they need.
pub fn append(data: &[u8]) {
    let mut input = Input::new(data);
    let banks = input.banks();
    let mut bytes = vec![0xAA; input.below(6000)];
    let sliced = input.byte() & 1 == 0;
    let mut run = Run::new(banks, Flaky::new(&mut bytes, sliced));
    while !input.is_empty() {
        run.step(&mut input);
        run.check();
    }
    run.end();
}

struct Run<'s> {
    machine: Machine,
    log: RecordLog<Flaky<'s>>,
    banks: Banks,
    /// Something went wrong of which the log learns only by the next capture.
    doubtful: bool,
    /// Such a doubt has been cleared by a capture.
    contradicted: bool,
}

impl<'s> Run<'s> {
    fn new(banks: Banks, storage: Flaky<'s>) -> Self {
        let row = Row::kept(Register::runtime("rtmr", banks).with(Powers::DIRECT));
        let platform = Platform::new("sim:fuzz", vec![row], 0).unwrap();
        let machine = Faulty::new(Trace::new(Simulated::new(platform)));
        let log = RecordLog::new(storage, LIMITS);
        Self { machine, log, banks, doubtful: false, contradicted: false }
    }

    fn step(&mut self, input: &mut Input<'_>) {
        match input.byte() {
            b'r' => self.reopen(),
            b'f' => self.arm(input),
            b's' => self.log_storage_fails(input),
            b'x' => self.off_log(input),
            b'i' => self.log.invalidate(),
            // Somebody else extends, and says so as he should.
            b'o' => {
                let digests = self.digests(input);
                self.machine.provider_mut().provider_mut().extend(ID, &digests).unwrap();
                self.log.invalidate();
                self.doubtful = true;
            }
            _ => {
                let size = input.below(256);
                let lines = input.bytes(size);
                self.append(lines);
            }
        }
    }

    fn append(&mut self, lines: &[u8]) {
        let before = self.snapshot();
        let was_in_sync = self.log.in_sync();
        let appended = self.log.append(&mut self.machine, ID, lines);
        let after = self.snapshot();
        let gained = records(&after.log[before.log.len()..]);
        let wanted = wanted(lines);
        match appended {
            Ok(done) => {
                let synced = usize::from(done.synced);
                assert_eq!(done.synced, !was_in_sync && after.log != before.log);
                assert_eq!(gained.len(), done.records as usize + synced);
                assert_eq!(gained[synced..], wanted[..]);
                assert!(self.log.in_sync() || after.log == before.log);
                if done.synced {
                    self.captured();
                }
            }
            Err(error) => {
                let own: Vec<_> = gained.iter().filter(|r| !r.starts_with(b"SYNC ")).collect();
                assert_eq!(own.len(), error.record as usize);
                assert!(wanted.iter().collect::<Vec<_>>().starts_with(&own));
                assert!(error.offset <= lines.len());
                match error.cause {
                    Cause::TooLong | Cause::Reserved | Cause::Full => {
                        assert_eq!(before, after);
                        assert_eq!(error.record, 0);
                    }
                    Cause::Provider(e) if e.kind() == ErrorKind::StateUnknown => {
                        assert!(!self.log.in_sync());
                    }
                    Cause::Provider(_) => assert!(after.extended >= gained.len()),
                    Cause::Storage(_) => {}
                    other => panic!("{other:?}"),
                }
                if gained.len() > own.len() {
                    self.captured();
                }
                let unsure = error.kind() == ErrorKind::StateUnknown;
                self.doubtful |= unsure;
                assert!(!matches!(error.cause, Cause::Full) || is_full(&self.log, lines));
            }
        }
    }

    fn off_log(&mut self, input: &mut Input<'_>) {
        let digests = self.digests(input);
        let before = self.snapshot();
        let result = self.log.extend_off_log(&mut self.machine, ID, &digests);
        let after = self.snapshot();
        match result {
            Ok(()) => assert!(!self.log.in_sync() && after.log.len() > before.log.len()),
            Err(error) => {
                assert_eq!(before.log, after.log);
                match error.kind() {
                    ErrorKind::StateUnknown => {
                        assert!(!self.log.in_sync());
                        self.doubtful = true;
                    }
                    _ => assert_eq!(before, after),
                }
            }
        }
    }

    /// A log that was doubtful is taken up again by what it stores and what the register says.
    fn reopen(&mut self) {
        self.machine.disarm();
        let storage = core::mem::replace(&mut self.log, RecordLog::new(Flaky::none(), LIMITS));
        let mut storage = storage.into_storage();
        storage.fails = 0;
        let mut scratch = [0; 4096];
        let opened = RecordLog::open(storage, LIMITS, &mut self.machine, ID, &mut scratch);
        self.log = opened.unwrap_or_else(|e| panic!("{e}"));
        if self.log.in_sync() {
            self.explains();
        }
    }

    fn arm(&mut self, input: &mut Input<'_>) {
        let call = input.of(&[Call::Extend, Call::Read, Call::Any]);
        let nth = 1 + u32::from(input.byte() % 4);
        let kinds = [ErrorKind::Failed, ErrorKind::Locked, ErrorKind::Unavailable];
        let fault = match input.below(4) {
            0 => Fault::Busy(1 + u32::from(input.byte() % 3)),
            1 => Fault::Unknown { effect: false },
            2 => Fault::Unknown { effect: true },
            _ => Fault::Refuse(input.of(&kinds)),
        };
        self.machine.arm(call, nth, fault);
    }

    fn log_storage_fails(&mut self, input: &mut Input<'_>) {
        let log = core::mem::replace(&mut self.log, RecordLog::new(Flaky::none(), LIMITS));
        let in_sync = log.in_sync();
        let mut storage = log.into_storage();
        storage.fails = 1 + input.below(5);
        // Opening asks the machine: with a plan armed it could fail, so it waits.
        let mut machine = self.machine.provider().provider().clone();
        self.log = if in_sync {
            RecordLog::open(storage, LIMITS, &mut machine, ID, &mut [0; 4096])
                .unwrap_or_else(|e| panic!("{e}"))
        } else {
            RecordLog::new(storage, LIMITS)
        };
        assert_eq!(self.log.in_sync(), in_sync);
    }

    fn captured(&mut self) {
        self.contradicted |= self.doubtful;
        self.doubtful = false;
    }

    /// After every step.
    fn check(&self) {
        let log = self.log.storage().bytes();
        let mut extended = self.machine.provider().extensions().iter();
        let mut last_blank = true;
        for line in Lines::new(log, LIMITS) {
            let line = line.unwrap_or_else(|e| panic!("{e}"));
            // Records are separated by at most one blank line, and none begins the log.
            assert!(line.line != Line::Blank || !last_blank);
            last_blank = line.line == Line::Blank;
            // What is in the log was extended, in this order.
            if matches!(line.line, Line::Record(_) | Line::Sync(_)) {
                let digests: Vec<_> = self.banks.iter().map(|a| a.hash(line.bytes)).collect();
                assert!(extended.any(|(id, d)| *id == ID && *d == digests), "not extended");
            }
        }
        assert!(log.is_empty() || !last_blank);
        if self.log.in_sync() {
            self.explains();
        }
    }

    /// With all faults gone the next append, if there is room, makes the log right.
    fn end(&mut self) {
        self.machine.disarm();
        self.log_off_faults();
        match self.log.append(&mut self.machine, ID, b"the end\n") {
            Ok(done) => {
                if done.synced {
                    self.captured();
                }
                self.check();
                self.explains();
            }
            Err(error) => assert!(matches!(error.cause, Cause::Full), "{error}"),
        }
        self.reopen();
    }

    fn log_off_faults(&mut self) {
        let in_sync = self.log.in_sync();
        let log = core::mem::replace(&mut self.log, RecordLog::new(Flaky::none(), LIMITS));
        let mut storage = log.into_storage();
        storage.fails = 0;
        self.log = RecordLog::new(storage, LIMITS);
        if in_sync {
            self.reopen();
            assert!(self.log.in_sync());
        }
    }

    /// The stored log leads to the register's value.
    fn explains(&self) {
        let log = self.log.storage().bytes();
        let start: Vec<_> = self.banks.iter().map(Digest::zeros).collect();
        let values = self.values();
        let verified = verify(log, &start, &values, LIMITS, &mut ()).unwrap();
        assert_eq!(verified.malformed(), None);
        assert!(verified.outcome().banks().all(|(_, found)| found == Match::Complete));
        if !self.contradicted && !self.doubtful {
            assert_eq!(verified.holds(), Some(true), "{:?}", verified.outcome());
            // Gaps that the log itself noted are explained, so all records are vouched for.
            assert_eq!(verified.trusted().count(), own_records(log));
        }
    }

    fn values(&self) -> Vec<Digest> {
        let mut machine = self.machine.provider().provider().clone();
        self.banks.iter().map(|a| machine.value(ID, a).unwrap()).collect()
    }

    fn digests(&self, input: &mut Input<'_>) -> Vec<Digest> {
        self.banks.iter().map(|a| input.digest(a)).collect()
    }

    fn snapshot(&self) -> Snapshot {
        Snapshot {
            log: self.log.storage().bytes().to_vec(),
            values: self.values(),
            extended: self.machine.provider().extensions().len(),
        }
    }
}

/// Small, so that the input can exceed it.
const LIMITS: Limits = Limits::DEFAULT.record(120);

#[derive(PartialEq, Debug)]
struct Snapshot {
    log: Vec<u8>,
    values: Vec<Digest>,
    extended: usize,
}

/// The records of an input as section 2 of the specification has it.
fn wanted(input: &[u8]) -> Vec<Vec<u8>> {
    let text: Vec<u8> = input.to_vec();
    let lines = text.split(|b| b"\n\r".contains(b));
    let trimmed = lines.map(|line| {
        let is_text = |b: &u8| !b" \t\x0B\x0C".contains(b);
        let first = line.iter().position(is_text).unwrap_or(line.len());
        let last = line.iter().rposition(is_text).map_or(first, |last| last + 1);
        line[first..last].to_vec()
    });
    trimmed.filter(|line| line.first().is_some_and(|&b| b != b'#')).collect()
}

/// The records in a part of a stored log.
fn records(log: &[u8]) -> Vec<Vec<u8>> {
    let lines = log.split(|&b| b == b'\n');
    lines.filter(|l| l.first().is_some_and(|&b| b != b'#')).map(<[u8]>::to_vec).collect()
}

fn own_records(log: &[u8]) -> usize {
    records(log).iter().filter(|r| !r.starts_with(b"SYNC ")).count()
}

/// `Full` is said only if there is no room for all of it.
fn is_full(log: &RecordLog<Flaky<'_>>, lines: &[u8]) -> bool {
    let sync: usize = Algorithm::ALL.iter().map(|a| 9 + 2 * a.size()).sum();
    (log.storage().room() as usize) < lines.len() + sync + 8
}

/// A slice that can fail although it had room, and that can hide that it is a slice.
struct Flaky<'s> {
    slice: SliceStorage<'s>,
    sliced: bool,
    /// Which append from now on fails; 0 for none.
    fails: usize,
}

impl<'s> Flaky<'s> {
    fn new(bytes: &'s mut [u8], sliced: bool) -> Self {
        Self { slice: SliceStorage::new(bytes), sliced, fails: 0 }
    }

    fn none() -> Self {
        Self::new(&mut [], true)
    }

    fn bytes(&self) -> &[u8] {
        self.slice.as_bytes()
    }
}

#[derive(Clone, Copy, Debug)]
struct Failed;

impl core::fmt::Display for Failed {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("the input wants it")
    }
}

impl core::error::Error for Failed {}

impl Storage for Flaky<'_> {
    type Error = Failed;

    fn len(&self) -> u64 {
        self.slice.len()
    }

    fn room(&self) -> u64 {
        self.slice.room()
    }

    fn append(&mut self, parts: &[&[u8]]) -> Result<(), Failed> {
        if self.fails > 0 {
            self.fails -= 1;
            if self.fails == 0 {
                return Err(Failed);
            }
        }
        // The writer asks for room before it extends.
        self.slice.append(parts).map_err(|_| panic!("appended without room"))
    }

    fn read_at(&self, offset: u64, out: &mut [u8]) -> Result<usize, Failed> {
        self.slice.read_at(offset, out).map_err(|_| Failed)
    }

    fn as_slice(&self) -> Option<&[u8]> {
        if self.sliced { self.slice.as_slice() } else { None }
    }
}
