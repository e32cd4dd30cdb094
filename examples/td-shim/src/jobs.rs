// SPDX-License-Identifier: MIT OR Apache-2.0
//! What runs on the small stack, in this order. Each job leaves `machine.good` true if what it did
//! came out as it should.

use core::cell::UnsafeCell;
use core::sync::atomic::{AtomicBool, Ordering};

use tsm_core::log::{Limits, RecordLog, SliceStorage};
use tsm_core::provider::{Provider as _, Recorder as _, RegisterId};
use tsm_core::replay::{self, Match, Verified};
use tsm_core::{Algorithm, Banks, Digest, Logged, Register, VirtualRegisters};

use crate::tdx_registers::TdxRegisters;

/// Name of the provider.
pub(crate) const PROVIDER: &str = "tdx";

const RTMR2: RegisterId = RegisterId(2);
const RTMR3: RegisterId = RegisterId(3);

/// A piece of work.
pub(crate) struct Job {
    pub(crate) name: &'static str,
    pub(crate) run: extern "C" fn(&mut Machine),
    /// Whether the budget applies.
    pub(crate) budgeted: bool,
}

/// All of them.
pub(crate) const ALL: [Job; 6] = [
    Job { name: "append", run: append, budgeted: true },
    Job { name: "off-log", run: off_log, budgeted: true },
    Job { name: "append-sync", run: append_sync, budgeted: true },
    Job { name: "replay", run: replay, budgeted: true },
    Job { name: "virtual", run: virtual_registers, budgeted: false },
    Job { name: "replay-refuses", run: replay_refuses, budgeted: true },
];

/// Registers and logs.
pub(crate) struct Machine {
    registers: TdxRegisters,
    log: RecordLog<SliceStorage<'static>>,
    /// The page of rtmr3's log, and how much of it is used.
    virtual_page: &'static mut [u8; PAGE],
    virtual_len: usize,
    /// Value of the virtual register.
    pub(crate) virtual_value: Option<Digest>,
    /// Whether the last job came out well.
    pub(crate) good: bool,
}

const PAGE: usize = 4096;

impl Machine {
    /// The machine, once.
    pub(crate) fn new() -> Option<Self> {
        let [page, virtual_page] = pages()?;
        Some(Self {
            registers: TdxRegisters,
            log: RecordLog::new(SliceStorage::new(page), Limits::DEFAULT),
            virtual_page,
            virtual_len: 0,
            virtual_value: None,
            good: true,
        })
    }

    /// The registers.
    pub(crate) const fn registers(&self) -> TdxRegisters {
        self.registers
    }

    /// rtmr2's log.
    pub(crate) fn log(&self) -> &[u8] {
        self.log.storage().as_bytes()
    }

    /// rtmr3's log.
    pub(crate) fn virtual_log(&self) -> &[u8] {
        self.virtual_page.get(..self.virtual_len).unwrap_or_default()
    }
}

/// Three records; the log begins with a capture.
extern "C" fn append(machine: &mut Machine) {
    let lines = b"boot.example/td-shim start version=0.1\n\
        boot.example/td-shim load payload sha384/\
        38b060a751ac96384cd9327eb1b1e36a21fdb71114be07434c0cc7bf63f6e1da274edebfe76f65fbd51ad2f14898b95b\n\
        boot.example/td-shim command-line console=ttyS0";
    let done = machine.log.append(&mut machine.registers, RTMR2, lines);
    machine.good = done.is_ok_and(|done| done.records == 3 && done.synced);
}

/// An extension that is not a record, as an older component would do it.
extern "C" fn off_log(machine: &mut Machine) {
    let digest = Algorithm::Sha384.hash(b"what an older component measures");
    let done = machine.log.extend_off_log(&mut machine.registers, RTMR2, &[digest]);
    machine.good = done.is_ok() && !machine.log.in_sync();
}

/// A record after it, which gets a capture before it.
extern "C" fn append_sync(machine: &mut Machine) {
    let done = machine.log.append(&mut machine.registers, RTMR2, b"boot.example/td-shim ready");
    machine.good = done.is_ok_and(|done| done.records == 1 && done.synced);
}

/// The log explains the register, its gap included.
extern "C" fn replay(machine: &mut Machine) {
    machine.good = verify(machine, RTMR2, |verified| {
        verified.holds() == Some(true)
            && verified.outcome().explained_gaps == 1
            && verified.trusted().count() == 4
    });
}

/// The same log does not explain another register.
extern "C" fn replay_refuses(machine: &mut Machine) {
    machine.good = verify(machine, RTMR3, |verified| {
        verified.holds() == Some(false)
            && verified.outcome().banks().all(|(_, found)| found == Match::Mismatch)
            && verified.trusted().next().is_none()
    });
}

/// Replays rtmr2's log against the value of a register.
fn verify(machine: &mut Machine, register: RegisterId, good: fn(&Verified<'_>) -> bool) -> bool {
    let Ok(value) = machine.registers.value(register, Algorithm::Sha384) else { return false };
    let log = machine.log.storage().as_bytes();
    let verified = replay::verify(log, &[ZEROS], &[value], Limits::DEFAULT, &mut ());
    verified.as_ref().is_ok_and(good)
}

/// Where RTMRs start.
const ZEROS: Digest = Digest::zeros(Algorithm::Sha384);

/// Two virtual registers carried by rtmr3.
static VIRTUAL: [Register<'static>; 2] = [
    Register::runtime("mr_app", Banks::one(Algorithm::Sha384)),
    Register::runtime("mr_other", Banks::one(Algorithm::Sha384)),
];

extern "C" fn virtual_registers(machine: &mut Machine) {
    machine.good = use_virtual_registers(machine).is_some();
}

/// Extends one of two virtual registers; the other stays where it was.
fn use_virtual_registers(machine: &mut Machine) -> Option<()> {
    let storage = SliceStorage::new(&mut *machine.virtual_page);
    let log = RecordLog::new(storage, Limits::DEFAULT);
    let mut logged = Logged::<_, _, 1>::new(machine.registers);
    logged.attach(RTMR3, log).ok()?;
    let mut registers = VirtualRegisters::<_, 2>::open(logged, RTMR3, &VIRTUAL).ok()?;
    let (app, other) = (registers.find("mr_app")?, registers.find("mr_other")?);
    registers.extend(app, &[Algorithm::Sha384.hash(b"an application's measurement")]).ok()?;
    registers.append(RTMR3, b"boot.example/td-shim handed-over").ok()?;
    let value = registers.value(app, Algorithm::Sha384).ok()?;
    let untouched = registers.value(other, Algorithm::Sha384).ok()?;
    machine.virtual_value = Some(value);
    machine.virtual_len = usize::try_from(registers.log_size(RTMR3).ok()?).ok()?;
    (untouched.is_zeros() && !value.is_zeros()).then_some(())
}

/// A page for a log.
#[repr(C, align(4096))]
struct Page(UnsafeCell<[u8; PAGE]>);

// SAFETY: the bytes are reached by `pages` only, once.
unsafe impl Sync for Page {}

/// At a fixed address, by `link.ld`: the text of rtmr2's log, then zeros.
#[unsafe(link_section = ".log")]
static RTMR2_PAGE: Page = Page(UnsafeCell::new([0; PAGE]));
static RTMR3_PAGE: Page = Page(UnsafeCell::new([0; PAGE]));

/// The two pages, once.
fn pages() -> Option<[&'static mut [u8; PAGE]; 2]> {
    static TAKEN: AtomicBool = AtomicBool::new(false);
    if TAKEN.swap(true, Ordering::Relaxed) {
        return None;
    }
    // SAFETY: this line is reached once, and nothing else refers to the bytes.
    let first = unsafe { &mut *RTMR2_PAGE.0.get() };
    // SAFETY: as above.
    let second = unsafe { &mut *RTMR3_PAGE.0.get() };
    Some([first, second])
}
