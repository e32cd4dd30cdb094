// SPDX-License-Identifier: MIT OR Apache-2.0
//! What runs on the small stack, in this order.

use core::fmt::{self, Write as _};

use bare::x86_64::log_page;
use bare::{Job, Once, Page, Serial};
use tsm_core::log::{Limits, RecordLog, SliceStorage};
use tsm_core::provider::{Provider as _, Recorder as _, RegisterId};
use tsm_core::replay::{self, Match, Verified};
use tsm_core::{Algorithm, Banks, Digest, Logged, Register, VirtualRegisters};
use tsm_tdx::{
    Hardware, IdentityMapped, MacBuffer, ReportBuffer, RtmrIndex, RtmrSet, Td, TdReport,
    TdxProvider,
};

/// The registers, by the instruction.
type Tdx = TdxProvider<'static, Hardware<IdentityMapped>>;

/// rtmr2 and rtmr3 in the list of registers.
const RTMR2: RegisterId = RegisterId(6);
const RTMR3: RegisterId = RegisterId(7);

/// What the adapter and the core may use of the stack, in bytes.
const BUDGET: Option<usize> = Some(2048);

/// All of them.
pub(crate) const ALL: [Job<Machine>; 8] = [
    Job { name: "append", run: append, budget: BUDGET },
    Job { name: "off-log", run: off_log, budget: BUDGET },
    Job { name: "append-sync", run: append_sync, budget: BUDGET },
    Job { name: "replay", run: replay, budget: BUDGET },
    Job { name: "report", run: report, budget: BUDGET },
    // Hashes three quarters of a kilobyte, which the adapter never does by itself.
    Job { name: "report-check", run: report_check, budget: None },
    Job { name: "virtual", run: virtual_registers, budget: None },
    Job { name: "replay-refuses", run: replay_refuses, budget: BUDGET },
];

/// Registers and logs.
pub(crate) struct Machine {
    registers: Tdx,
    /// Where a report is copied to.
    report: &'static mut [u8; ReportBuffer::SIZE],
    log: RecordLog<SliceStorage<'static>>,
    /// The page of rtmr3's log, and how much of it is used.
    virtual_page: &'static mut [u8; Page::SIZE],
    virtual_len: usize,
    /// Value of the virtual register; zeros before it was extended.
    pub(crate) virtual_value: Digest,
}

impl Machine {
    /// The machine, once.
    pub(crate) fn new() -> Option<Self> {
        // SAFETY: `bare`'s boot maps the first 4 GiB, where all of this image is, to themselves; nothing
        // takes the memory away, and nothing else in QEMU calls it shared.
        let space = unsafe { IdentityMapped::new() };
        // A real shim would go on with what this gives, and only with that.
        let _ = writeln!(Serial, "detection says: {}", said(Hardware::detect(space)));
        // SAFETY: the #UD handler of this image does what the module would (`emulated_module`).
        let module = unsafe { Hardware::assume(space) };
        Some(Self {
            // With a buffer for reports, reading takes less stack than word by word.
            registers: TdxProvider::new(Td::new(module).ok()?, RtmrSet::ALL)
                .with_report_buffer(BUFFER.take()?),
            report: REPORT.take()?,
            log: RecordLog::new(SliceStorage::new(log_page()?), Limits::DEFAULT),
            virtual_page: &mut RTMR3_PAGE.take()?.0,
            virtual_len: 0,
            virtual_value: ZEROS,
        })
    }

    /// The name of the registers' provider.
    pub(crate) fn provider(&self) -> &str {
        self.registers.name()
    }

    /// The value of an RTMR; zeros if it cannot be had.
    pub(crate) fn rtmr(&mut self, index: RtmrIndex) -> Digest {
        self.registers.value(Tdx::rtmr(index), Algorithm::Sha384).unwrap_or(ZEROS)
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

/// What is said about a module that was looked for.
fn said(detected: Result<Hardware<IdentityMapped>, tsm_tdx::Error>) -> impl fmt::Display {
    struct Said(Option<tsm_tdx::Error>);
    impl fmt::Display for Said {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            match &self.0 {
                Some(error) => error.fmt(f),
                None => f.write_str("a TD"),
            }
        }
    }
    Said(detected.err())
}

/// Three records; the log begins with a capture.
extern "C" fn append(machine: &mut Machine) -> bool {
    let lines = b"boot.example/td-shim start version=0.1\n\
        boot.example/td-shim load payload sha384/\
        38b060a751ac96384cd9327eb1b1e36a21fdb71114be07434c0cc7bf63f6e1da274edebfe76f65fbd51ad2f14898b95b\n\
        boot.example/td-shim command-line console=ttyS0";
    let done = machine.log.append(&mut machine.registers, RTMR2, lines);
    done.is_ok_and(|done| done.records == 3 && done.synced)
}

/// An extension that is not a record, as an older component would do it.
extern "C" fn off_log(machine: &mut Machine) -> bool {
    let digest = Algorithm::Sha384.hash(b"what an older component measures");
    let done = machine.log.extend_off_log(&mut machine.registers, RTMR2, &[digest]);
    done.is_ok() && !machine.log.in_sync()
}

/// A record after it, which gets a capture before it.
extern "C" fn append_sync(machine: &mut Machine) -> bool {
    let done = machine.log.append(&mut machine.registers, RTMR2, b"boot.example/td-shim ready");
    done.is_ok_and(|done| done.records == 1 && done.synced)
}

/// The log explains the register, its gap included.
extern "C" fn replay(machine: &mut Machine) -> bool {
    verify(machine, RTMR2, |verified| {
        verified.holds() == Some(true)
            && verified.outcome().explained_gaps == 1
            && verified.trusted().count() == 4
    })
}

/// The same log does not explain another register.
extern "C" fn replay_refuses(machine: &mut Machine) -> bool {
    verify(machine, RTMR3, |verified| {
        verified.holds() == Some(false)
            && verified.outcome().banks().all(|(_, found)| found == Match::Mismatch)
            && verified.trusted().next().is_none()
    })
}

/// Replays rtmr2's log against the value of a register.
fn verify(machine: &mut Machine, register: RegisterId, good: fn(&Verified<'_>) -> bool) -> bool {
    let Some(value) = value(machine, register) else { return false };
    let log = machine.log.storage().as_bytes();
    let verified = replay::verify(log, &[ZEROS], &[value], Limits::DEFAULT, &mut ());
    verified.as_ref().is_ok_and(good)
}

/// Not inlined: what reading a register needs of the stack is not part of a replay.
#[inline(never)]
fn value(machine: &mut Machine, register: RegisterId) -> Option<Digest> {
    machine.registers.value(register, Algorithm::Sha384).ok()
}

/// Where RTMRs start.
const ZEROS: Digest = Digest::zeros(Algorithm::Sha384);

/// Has the module make a report.
extern "C" fn report(machine: &mut Machine) -> bool {
    let size = machine.registers.as_reporter().map(|module| {
        module.report(&[0x5A; 64], machine.report).is_ok_and(|size| size == ReportBuffer::SIZE)
    });
    size == Some(true)
}

/// The report says the same about rtmr2 as the module, and the module vouches for it.
extern "C" fn report_check(machine: &mut Machine) -> bool {
    check_report(machine).is_some()
}

fn check_report(machine: &mut Machine) -> Option<()> {
    let report = TdReport::parse(machine.report).ok()?;
    let td = machine.registers.td_mut();
    let rtmr2 = td.read_rtmr(RtmrIndex::RTMR2).ok()?;
    let same = report.td_info.rtmr(RtmrIndex::RTMR2) == &rtmr2;
    td.verify_report(&MacBuffer::new(&report.mac)).ok()?;
    (same && report.mac.report_data == [0x5A; 64]).then_some(())
}

/// Two virtual registers carried by rtmr3.
static VIRTUAL: [Register<'static>; 2] = [
    Register::runtime("mr_app", Banks::one(Algorithm::Sha384)),
    Register::runtime("mr_other", Banks::one(Algorithm::Sha384)),
];

extern "C" fn virtual_registers(machine: &mut Machine) -> bool {
    use_virtual_registers(machine).is_some()
}

/// Extends one of two virtual registers; the other stays where it was.
fn use_virtual_registers(machine: &mut Machine) -> Option<()> {
    let storage = SliceStorage::new(&mut *machine.virtual_page);
    let log = RecordLog::new(storage, Limits::DEFAULT);
    let mut logged = Logged::<_, _, 1>::new(&mut machine.registers);
    logged.attach(RTMR3, log).ok()?;
    let mut registers = VirtualRegisters::<_, 2>::open(logged, RTMR3, &VIRTUAL).ok()?;
    let (app, other) = (registers.find("mr_app")?, registers.find("mr_other")?);
    registers.extend(app, &[Algorithm::Sha384.hash(b"an application's measurement")]).ok()?;
    registers.append(RTMR3, b"boot.example/td-shim handed-over").ok()?;
    let value = registers.value(app, Algorithm::Sha384).ok()?;
    let untouched = registers.value(other, Algorithm::Sha384).ok()?;
    machine.virtual_value = value;
    machine.virtual_len = usize::try_from(registers.log_size(RTMR3).ok()?).ok()?;
    (untouched.is_zeros() && !value.is_zeros()).then_some(())
}

static RTMR3_PAGE: Once<Page> = Once::new(Page::ZEROS);
/// What the module writes reports to.
static BUFFER: Once<ReportBuffer> = Once::new(ReportBuffer::new());
/// What a report is copied to.
static REPORT: Once<[u8; ReportBuffer::SIZE]> = Once::new([0; ReportBuffer::SIZE]);
