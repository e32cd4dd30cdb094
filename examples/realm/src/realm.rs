// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the realm does: all of it with the adapter, by the instruction.

use core::cell::UnsafeCell;
use core::fmt::Write as _;
use core::sync::atomic::{AtomicBool, Ordering};

use tsm_cca::token::{Rules, Token};
use tsm_cca::{
    CcaProvider, Conduit, ErrorKind, Granule, Hardware, IdentityMapped, Realm, RemIndex, RemRule,
    RemSet,
};
use tsm_core::hex::Hex;
use tsm_core::log::{Limits, RecordLog, SliceStorage};
use tsm_core::provider::{Provider as _, Recorder as _, RegisterId};
use tsm_core::{Algorithm, Digest, Logged};

use crate::serial::{self, Serial};

/// The registers, by the instruction.
type Cca = CcaProvider<'static, Hardware<IdentityMapped>>;

/// What did not come out as it should.
type Step = &'static str;

const HASH: Algorithm = Algorithm::Sha256;

/// Everything, in order.
pub(crate) fn run() -> Result<(), Step> {
    let Memory { granule, rem2_page, rem3_page, token } = memory().ok_or("memory is taken")?;
    let mut registers = open(granule)?;
    let (rem2, rem3) = (Cca::rem(RemIndex::REM2), Cca::rem(RemIndex::REM3));

    let mut log = RecordLog::new(SliceStorage::new(rem2_page), Limits::DEFAULT);
    measure(&mut registers, rem2, &mut log).ok_or("rem2's log")?;
    if registers.rule() != Some(RemRule::Unpadded) {
        return Err("the monitor's rule of extension");
    }
    print_log("rem2", log.storage().as_bytes());

    let size = append(&mut registers, rem3, rem3_page).ok_or("rem3's log")?;
    print_log("rem3", rem3_page.get(..size).unwrap_or_default());

    refusals(&mut registers).ok_or("refusals")?;
    let values = [RemIndex::REM2, RemIndex::REM3].map(|index| {
        let value = registers.value(Cca::rem(index), HASH).ok();
        let _ = writeln!(Serial, "VALUE register {index} {}", value.unwrap_or(Digest::zeros(HASH)));
        value
    });
    fetch(&mut registers, token, values)
}

/// The registers of this realm, if it is one.
fn open(granule: &'static mut Granule) -> Result<Cca, Step> {
    // SAFETY: the MMU is off and stage 2 too, so that all addresses are physical; all of this image
    // is in RAM.
    let space = unsafe { IdentityMapped::new() };
    let refused = Hardware::detect(space, None).err();
    if refused.map(|error| error.kind()) != Some(ErrorKind::Conduit) {
        return Err("detection without a conduit");
    }
    // QEMU's device tree says so when it starts at EL2 (`/psci`, `method = "smc"`).
    let hardware = said("detection", Hardware::detect(space, Some(Conduit::Smc)))?;
    let mut realm = said("RSI_VERSION", Realm::open(hardware))?;
    let _ = writeln!(Serial, "RSI {}", realm.version());
    let config = said("RSI_REALM_CONFIG", realm.config(granule))?;
    let _ = writeln!(Serial, "IPA width {}, hash {:?}", config.ipa_width, config.hash);
    if realm.features(0).is_err() {
        return Err("RSI_FEATURES");
    }
    let registers = said("opening", CcaProvider::open(realm, granule, RemSet::SYSTEM))?;
    if registers.hash() != HASH {
        return Err("the realm's hash");
    }
    let _ = writeln!(Serial, "provider {}", registers.name());
    Ok(registers)
}

/// Three records behind a capture, an extension that is none, and a record behind another capture.
fn measure(
    registers: &mut Cca,
    rem2: RegisterId,
    log: &mut RecordLog<SliceStorage<'static>>,
) -> Option<()> {
    let lines = b"boot.example/realm start version=0.1\n\
        boot.example/realm load payload sha256/\
        9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08\n\
        boot.example/realm command-line console=ttyAMA0";
    let done = log.append(registers, rem2, lines).ok()?;
    if done.records != 3 || !done.synced {
        return None;
    }
    let digest = HASH.hash(b"what an older component measures");
    log.extend_off_log(registers, rem2, &[digest]).ok()?;
    let done = log.append(registers, rem2, b"boot.example/realm ready").ok()?;
    (done.records == 1 && done.synced).then_some(())
}

/// Records by way of the core's recorder. Gives the size of the log.
fn append(registers: &mut Cca, rem3: RegisterId, page: &mut [u8; PAGE]) -> Option<usize> {
    let mut logged = Logged::<_, _, 1>::new(registers);
    let log = RecordLog::new(SliceStorage::new(page), Limits::DEFAULT);
    logged.attach(rem3, log).ok()?;
    logged.append(rem3, b"boot.example/realm application-started").ok()?;
    logged.append(rem3, b"boot.example/realm handed-over").ok()?;
    usize::try_from(logged.log_size(rem3).ok()?).ok()
}

/// What this program may not do is refused, and changes nothing.
fn refusals(registers: &mut Cca) -> Option<()> {
    let digest = HASH.hash(b"what is not measured");
    for name in ["rim", "rem0", "rem1"] {
        let register = registers.find(name)?;
        let before = registers.value(register, HASH).ok()?;
        registers.extend(register, &[digest]).err()?;
        (registers.value(register, HASH).ok()? == before).then_some(())?;
    }
    Some(())
}

/// A token that says the same about the registers, and about the challenge.
fn fetch(
    registers: &mut Cca,
    out: &'static mut [u8; PAGE],
    values: [Option<Digest>; 2],
) -> Result<(), Step> {
    let reporter = registers.as_reporter().ok_or("no reporter")?;
    let size = said("token", reporter.report(&[0x5A; 48], out))?;
    let token = out.get(..size).unwrap_or_default();
    let _ = writeln!(Serial, "TOKEN {}", Hex(token));
    let token = said("token", Token::parse(token, Rules::STRICT))?;
    let _ =
        writeln!(Serial, "verification service {:?}", token.platform.claims.verification_service);
    if !token.binds_key() {
        return Err("the key's binding");
    }
    let (front, back) = token.realm.claims.challenge.split_at(48);
    if front != [0x5A; 48] || back != [0; 16] {
        return Err("the challenge");
    }
    for (index, value) in [RemIndex::REM2, RemIndex::REM3].into_iter().zip(values) {
        let claimed = token.realm.claims.rem(index);
        if claimed.is_none() || claimed != value {
            return Err("a REM in the token");
        }
    }
    Ok(())
}

/// Prints what went wrong.
fn said<T>(step: Step, result: Result<T, tsm_cca::Error>) -> Result<T, Step> {
    result.map_err(|error| {
        let _ = writeln!(Serial, "{step}: {error}");
        step
    })
}

/// A log between markers, as text.
fn print_log(register: &str, log: &[u8]) {
    let _ = writeln!(Serial, "-----BEGIN TSM LOG {register}-----");
    serial::write(log);
    let _ = writeln!(Serial, "-----END TSM LOG {register}-----");
}

const PAGE: usize = 4096;

/// Memory that is handed out once.
#[repr(C, align(4096))]
struct Once<T>(UnsafeCell<T>);

// SAFETY: the contents are reached by `memory` only, once.
unsafe impl<T> Sync for Once<T> {}

static GRANULE: Once<Granule> = Once(UnsafeCell::new(Granule::new()));
static REM2_PAGE: Once<[u8; PAGE]> = Once(UnsafeCell::new([0; PAGE]));
static REM3_PAGE: Once<[u8; PAGE]> = Once(UnsafeCell::new([0; PAGE]));
static TOKEN: Once<[u8; PAGE]> = Once(UnsafeCell::new([0; PAGE]));

/// The realm's memory.
struct Memory {
    granule: &'static mut Granule,
    rem2_page: &'static mut [u8; PAGE],
    rem3_page: &'static mut [u8; PAGE],
    token: &'static mut [u8; PAGE],
}

/// All of it, once.
fn memory() -> Option<Memory> {
    static TAKEN: AtomicBool = AtomicBool::new(false);
    if TAKEN.load(Ordering::Relaxed) {
        return None;
    }
    // Not `swap`: exclusive accesses need normal memory, and with the MMU off all is device memory.
    TAKEN.store(true, Ordering::Relaxed);
    // SAFETY: this line is reached once, for there is one processor, and nothing else refers to it.
    let granule = unsafe { &mut *GRANULE.0.get() };
    // SAFETY: as above.
    let rem2_page = unsafe { &mut *REM2_PAGE.0.get() };
    // SAFETY: as above.
    let rem3_page = unsafe { &mut *REM3_PAGE.0.get() };
    // SAFETY: as above.
    let token = unsafe { &mut *TOKEN.0.get() };
    Some(Memory { granule, rem2_page, rem3_page, token })
}
