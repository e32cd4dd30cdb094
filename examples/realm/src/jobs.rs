// SPDX-License-Identifier: MIT OR Apache-2.0
//! What runs on the measured stack, in this order, all of it with the adapter, by the instruction.

use core::fmt::Write as _;

use bare::{Job, Page, Serial};
use tsm_cca::token::{Rules, Token};
use tsm_cca::{
    CcaProvider, Conduit, ErrorKind, Granule, Hardware, IdentityMapped, Realm, RemIndex, RemRule,
    RemSet,
};
use tsm_core::log::{Limits, RecordLog, SliceStorage};
use tsm_core::provider::{Provider as _, Recorder as _};
use tsm_core::{Algorithm, Digest, Logged};

use crate::realm::Memory;

/// The registers, by the instruction.
pub(crate) type Cca<'m> = CcaProvider<'m, Hardware<IdentityMapped>>;

/// What the adapter and the core may use of the stack, in bytes.
const BUDGET: Option<usize> = Some(2048);

/// All of them.
pub(crate) const fn all<'m>() -> [Job<Machine<'m>>; 12] {
    [
        Job { name: "detect", run: detect, budget: BUDGET },
        Job { name: "open", run: open, budget: BUDGET },
        Job { name: "read", run: read, budget: BUDGET },
        Job { name: "append-checked", run: append_checked, budget: BUDGET },
        Job { name: "extend", run: extend, budget: BUDGET },
        Job { name: "append", run: append, budget: BUDGET },
        Job { name: "off-log", run: off_log, budget: BUDGET },
        Job { name: "append-sync", run: append_sync, budget: BUDGET },
        // A log of the core's recorder, with two records.
        Job { name: "recorder", run: recorder, budget: None },
        Job { name: "refusals", run: refusals, budget: BUDGET },
        Job { name: "token", run: token, budget: BUDGET },
        // The adapter never reads a token.
        Job { name: "token-check", run: token_check, budget: None },
    ]
}

/// The realm as the payload has it.
pub(crate) struct Machine<'m> {
    hash: Algorithm,
    realm: Option<Realm<Hardware<IdentityMapped>>>,
    granule: Option<&'m mut Granule>,
    pub(crate) registers: Option<Cca<'m>>,
    rem2_log: RecordLog<SliceStorage<'m>>,
    rem3_page: &'m mut [u8; Page::SIZE],
    rem3_size: usize,
    /// Value of rem3 before its log.
    pub(crate) rem3_start: Digest,
    token: &'m mut [u8; Page::SIZE],
    token_size: usize,
}

impl<'m> Machine<'m> {
    /// A realm of this hash, nothing done yet.
    pub(crate) fn new(hash: Algorithm, memory: &'m mut Memory) -> Self {
        let Memory { granule, rem2_page, rem3_page, token } = memory;
        rem2_page.fill(0);
        rem3_page.fill(0);
        Self {
            hash,
            realm: None,
            granule: Some(granule),
            registers: None,
            rem2_log: RecordLog::new(SliceStorage::new(*rem2_page), Limits::DEFAULT),
            rem3_page,
            rem3_size: 0,
            rem3_start: Digest::zeros(hash),
            token,
            token_size: 0,
        }
    }

    /// rem2's log.
    pub(crate) fn rem2_log(&self) -> &[u8] {
        self.rem2_log.storage().as_bytes()
    }

    /// rem3's log.
    pub(crate) fn rem3_log(&self) -> &[u8] {
        self.rem3_page.get(..self.rem3_size).unwrap_or_default()
    }

    /// The token.
    pub(crate) fn token(&self) -> &[u8] {
        self.token.get(..self.token_size).unwrap_or_default()
    }
}

/// Looks for the monitor: without a conduit nothing is tried.
extern "C" fn detect(machine: &mut Machine<'_>) -> bool {
    // SAFETY: the MMU is off and stage 2 too, so that all addresses are physical; all of this image
    // is in RAM.
    let space = unsafe { IdentityMapped::new() };
    let refused = Hardware::detect(space, None).err();
    if refused.map(|error| error.kind()) != Some(ErrorKind::Conduit) {
        return false;
    }
    // QEMU's device tree says so when it starts at EL2 (`/psci`, `method = "smc"`).
    let found = said(Hardware::detect(space, Some(Conduit::Smc)).and_then(Realm::open));
    machine.realm = found;
    machine.realm.as_mut().is_some_and(|realm| realm.features(0).is_ok())
}

/// Asks for the realm's configuration.
extern "C" fn open(machine: &mut Machine<'_>) -> bool {
    let (Some(realm), Some(granule)) = (machine.realm.take(), machine.granule.take()) else {
        return false;
    };
    machine.registers = said(CcaProvider::open(realm, granule, RemSet::SYSTEM));
    machine.registers.as_ref().is_some_and(|registers| registers.hash() == machine.hash)
}

/// All measurements; the two that are extended here are zeros.
extern "C" fn read(machine: &mut Machine<'_>) -> bool {
    let hash = machine.hash;
    let Some(registers) = &mut machine.registers else { return false };
    let mut is_zeros = |name| {
        let id = registers.find(name)?;
        registers.value(id, hash).ok().map(|value| value.is_zeros())
    };
    is_zeros("rim") == Some(false)
        && is_zeros("rem2") == Some(true)
        && is_zeros("rem3") == Some(true)
}

/// The first extension finds out how the monitor extends; here it is that of a capture.
extern "C" fn append_checked(machine: &mut Machine<'_>) -> bool {
    append_to_rem2(machine, b"boot.example/realm start version=0.1") == Some((true, 1))
        && machine.registers.as_ref().and_then(Cca::rule) == Some(RemRule::Unpadded)
}

/// Extends rem3, of which no log knows yet.
extern "C" fn extend(machine: &mut Machine<'_>) -> bool {
    let digest = machine.hash.hash(b"what firmware without a log measures");
    let Some(registers) = &mut machine.registers else { return false };
    said(registers.extend(Cca::rem(RemIndex::REM3), &[digest])).is_some()
}

/// Two more records.
extern "C" fn append(machine: &mut Machine<'_>) -> bool {
    let lines = b"boot.example/realm load payload sha256/\
        9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08\n\
        boot.example/realm command-line console=ttyAMA0";
    append_to_rem2(machine, lines) == Some((false, 2))
}

/// An extension that is no record.
extern "C" fn off_log(machine: &mut Machine<'_>) -> bool {
    let digest = machine.hash.hash(b"what an older component measures");
    let Some(registers) = &mut machine.registers else { return false };
    machine.rem2_log.extend_off_log(registers, Cca::rem(RemIndex::REM2), &[digest]).is_ok()
}

/// A record behind another capture.
extern "C" fn append_sync(machine: &mut Machine<'_>) -> bool {
    append_to_rem2(machine, b"boot.example/realm ready") == Some((true, 1))
}

/// Whether there was a capture, and how many records there were.
fn append_to_rem2(machine: &mut Machine<'_>, lines: &[u8]) -> Option<(bool, u32)> {
    let registers = machine.registers.as_mut()?;
    let done = machine.rem2_log.append(registers, Cca::rem(RemIndex::REM2), lines).ok()?;
    Some((done.synced, done.records))
}

/// Records of rem3 by way of the core's recorder.
extern "C" fn recorder(machine: &mut Machine<'_>) -> bool {
    record(machine).is_some()
}

fn record(machine: &mut Machine<'_>) -> Option<()> {
    let rem3 = Cca::rem(RemIndex::REM3);
    let registers = machine.registers.as_mut()?;
    machine.rem3_start = registers.value(rem3, machine.hash).ok()?;
    let mut logged = Logged::<_, _, 1>::new(registers);
    let log = RecordLog::new(SliceStorage::new(&mut *machine.rem3_page), Limits::DEFAULT);
    logged.attach(rem3, log).ok()?;
    logged.append(rem3, b"boot.example/realm application-started").ok()?;
    logged.append(rem3, b"boot.example/realm handed-over").ok()?;
    machine.rem3_size = usize::try_from(logged.log_size(rem3).ok()?).ok()?;
    Some(())
}

/// What this program may not do is refused, and changes nothing.
extern "C" fn refusals(machine: &mut Machine<'_>) -> bool {
    let hash = machine.hash;
    let Some(registers) = &mut machine.registers else { return false };
    let digest = hash.hash(b"what is not measured");
    let mut refused = |name| {
        let register = registers.find(name)?;
        let before = registers.value(register, hash).ok()?;
        registers.extend(register, &[digest]).err()?;
        (registers.value(register, hash).ok()? == before).then_some(())
    };
    ["rim", "rem0", "rem1"].into_iter().all(|name| refused(name).is_some())
}

/// Fetches a token.
extern "C" fn token(machine: &mut Machine<'_>) -> bool {
    let reporter = machine.registers.as_mut().and_then(|registers| registers.as_reporter());
    let Some(reporter) = reporter else { return false };
    machine.token_size = said(reporter.report(&[0x5A; 48], machine.token)).unwrap_or(0);
    machine.token_size != 0
}

/// The token says the same about the registers, and about the challenge.
extern "C" fn token_check(machine: &mut Machine<'_>) -> bool {
    check_token(machine).is_some()
}

fn check_token(machine: &mut Machine<'_>) -> Option<()> {
    let bytes = machine.token.get(..machine.token_size)?;
    let token = said(Token::parse(bytes, Rules::STRICT))?;
    let (front, back) = token.realm.claims.challenge.split_at(48);
    let bound = token.binds_key() && front == [0x5A; 48] && back == [0; 16];
    let registers = machine.registers.as_mut()?;
    for index in [RemIndex::REM2, RemIndex::REM3] {
        let value = registers.value(Cca::rem(index), machine.hash).ok()?;
        (token.realm.claims.rem(index)? == value).then_some(())?;
    }
    bound.then_some(())
}

/// Prints what went wrong. Not inlined: what printing needs of the stack is not the adapter's.
fn said<T>(result: Result<T, tsm_cca::Error>) -> Option<T> {
    #[cold]
    #[inline(never)]
    fn print(error: tsm_cca::Error) {
        let _ = writeln!(Serial, "{error}");
    }
    result.map_err(print).ok()
}
