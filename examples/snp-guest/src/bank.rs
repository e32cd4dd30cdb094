// SPDX-License-Identifier: MIT OR Apache-2.0
//! The second half: registers with a log, and reports that vouch for them; then a hostile host.

use bare::{Job, Page};
use tsm_core::log::{Limits, RecordLog, SliceStorage};
use tsm_core::provider::{Provider as _, RegisterId};
use tsm_core::{Algorithm, Digest};
use tsm_snp::bank::RTMRS;
use tsm_snp::{
    Cause, ErrorKind, Isolation, Manifest, REPORT_SIZE, Report, SnpProvider, SoftwareBank,
};

use crate::conversation::{BUDGET, Messages};
use crate::emulated_host;

/// The registers, by the instruction.
type Snp<'m> = SnpProvider<'static, &'m mut Messages, &'m mut [u8; REPORT_SIZE], 4>;

/// All of them.
pub(crate) const fn jobs<'m>() -> [Job<Bank<'m>>; 8] {
    [
        Job { name: "provider", run: provider, budget: BUDGET },
        Job { name: "read", run: read, budget: BUDGET },
        Job { name: "append", run: append, budget: BUDGET },
        Job { name: "off-log", run: off_log, budget: BUDGET },
        Job { name: "append-sync", run: append_sync, budget: BUDGET },
        Job { name: "report-bank", run: report_bank, budget: BUDGET },
        // What a verifier does.
        Job { name: "report-check", run: report_check, budget: None },
        Job { name: "hostile-host", run: hostile_host, budget: BUDGET },
    ]
}

/// Registers and a log.
pub(crate) struct Bank<'m> {
    /// What the provider is made of.
    parts: Option<(&'m mut Messages, &'m mut [u8; REPORT_SIZE])>,
    provider: Option<Snp<'m>>,
    log: RecordLog<SliceStorage<'m>>,
    evidence: &'m mut [u8; Page::SIZE],
    size: usize,
}

impl<'m> Bank<'m> {
    /// No provider yet. `page` is for rtmr3's log, `evidence` for a report with its manifest.
    pub(crate) fn new(
        messages: &'m mut Messages,
        report: &'m mut [u8; REPORT_SIZE],
        page: &'m mut [u8; Page::SIZE],
        evidence: &'m mut [u8; Page::SIZE],
    ) -> Self {
        let log = RecordLog::new(SliceStorage::new(page), Limits::DEFAULT);
        Self { parts: Some((messages, report)), provider: None, log, evidence, size: 0 }
    }

    /// rtmr3's log.
    pub(crate) fn log(&self) -> &[u8] {
        self.log.storage().as_bytes()
    }

    /// The value of rtmr3.
    pub(crate) fn value(&mut self) -> Option<Digest> {
        self.provider.as_mut()?.value(RTMR3, Algorithm::Sha384).ok()
    }

    /// The report, and the manifest behind it.
    pub(crate) fn evidence(&self) -> &[u8] {
        self.evidence.get(..self.size).unwrap_or_default()
    }
}

/// The bank's last register, behind the 16 static ones.
const RTMR3: RegisterId = RegisterId(19);

/// Makes the provider, which asks for a report.
extern "C" fn provider(bank: &mut Bank<'_>) -> bool {
    let Some((messages, report)) = bank.parts.take() else { return false };
    let Ok(registers) = SoftwareBank::new(RTMRS, Isolation::None) else { return false };
    bank.provider = SnpProvider::with_bank(messages, registers, report).ok();
    bank.provider.as_ref().and_then(|provider| provider.find("rtmr3")) == Some(RTMR3)
}

/// The launch measurement, and the register at its start.
extern "C" fn read(bank: &mut Bank<'_>) -> bool {
    let Some(provider) = &mut bank.provider else { return false };
    let mut is_zeros = |name| {
        let id = provider.find(name)?;
        provider.value(id, Algorithm::Sha384).ok().map(|value| value.is_zeros())
    };
    is_zeros("measurement") == Some(false) && is_zeros("rtmr3") == Some(true)
}

/// Three records; the log begins with a capture.
extern "C" fn append(bank: &mut Bank<'_>) -> bool {
    let lines = b"boot.example/snp-guest start version=0.1\n\
        boot.example/snp-guest load payload sha384/\
        38b060a751ac96384cd9327eb1b1e36a21fdb71114be07434c0cc7bf63f6e1da274edebfe76f65fbd51ad2f14898b95b\n\
        boot.example/snp-guest command-line console=ttyS0";
    append_records(bank, lines) == Some(3)
}

/// An extension that is not a record, as an older component would do it.
extern "C" fn off_log(bank: &mut Bank<'_>) -> bool {
    let digest = Algorithm::Sha384.hash(b"what an older component measures");
    let Some(provider) = &mut bank.provider else { return false };
    bank.log.extend_off_log(provider, RTMR3, &[digest]).is_ok() && !bank.log.in_sync()
}

/// A record after it, which gets a capture before it.
extern "C" fn append_sync(bank: &mut Bank<'_>) -> bool {
    append_records(bank, b"boot.example/snp-guest ready") == Some(1)
}

/// How many records there were, if they came behind a capture.
fn append_records(bank: &mut Bank<'_>, lines: &[u8]) -> Option<u32> {
    let done = bank.log.append(bank.provider.as_mut()?, RTMR3, lines).ok()?;
    done.synced.then_some(done.records)
}

/// What the report must be fresh for.
pub(crate) const NONCE: [u8; 64] = [0x5A; 64];

/// A report that vouches for the bank.
extern "C" fn report_bank(bank: &mut Bank<'_>) -> bool {
    let reporter = bank.provider.as_mut().and_then(|provider| provider.as_reporter());
    let Some(reporter) = reporter else { return false };
    bank.size = reporter.report(&NONCE, bank.evidence).unwrap_or(0);
    bank.size > REPORT_SIZE
}

/// The report is bound to the manifest, and the manifest says what the register does.
extern "C" fn report_check(bank: &mut Bank<'_>) -> bool {
    check_report(bank).is_some()
}

fn check_report(bank: &mut Bank<'_>) -> Option<()> {
    let value = bank.value()?;
    let (report, manifest) = bank.evidence().split_first_chunk::<REPORT_SIZE>()?;
    let report = Report::parse(report, Default::default()).ok()?;
    let manifest = Manifest::parse(manifest).ok()?;
    manifest.check_binding(report, &NONCE).ok()?;
    manifest.check_binding(report, &[0; 64]).err()?;
    let claimed = manifest.value("rtmr3", Algorithm::Sha384)?;
    // Four records with two captures, and what is not in the log.
    (claimed.digest == value && claimed.extensions == 7).then_some(())
}

/// A bit of an answer is changed: no report, now or later, and the conversation is over.
extern "C" fn hostile_host(bank: &mut Bank<'_>) -> bool {
    let before = emulated_host::exits();
    emulated_host::turn_hostile();
    let Some(provider) = &mut bank.provider else { return false };
    let out = &mut bank.evidence[bank.size..];
    let mut disabled = || {
        let asked = provider.as_reporter().map(|reporter| reporter.report(&NONCE, out));
        let kind = asked.and_then(Result::err).map(|error| error.kind());
        kind == Some(ErrorKind::Disabled(Cause::Unauthentic))
    };
    disabled() && disabled() && emulated_host::exits() == before + 1
}
