// SPDX-License-Identifier: MIT OR Apache-2.0
//! The demo's verifier, in layers that know nothing of each other's business: the platform layer
//! knows registers, the log layer records, the mux layer names, the application layer IMA.

use tsm_core::log::Limits;
use tsm_core::record::{self, Parts, StaticValues};
use tsm_core::replay::{self, FindingKind, Position, Sink};
use tsm_core::virtual_registers::{Fold, FoldSink};
use tsm_core::{Algorithm, Digest};
use tsm_eventlog::ima::{Bank, List, Replay};

use super::machine::{self, IMA, Log, VIRTUAL, ima_digest};
use super::match_words;
use super::scene::Scene;
use crate::Result;
use crate::failure::Failure;
use crate::style::short;

/// What the verifier found.
pub(super) struct Findings {
    pub(super) lines: Vec<Line>,
    pub(super) holds: bool,
    /// IMA's virtual register.
    pub(super) ima: Option<Ima>,
    /// The record that does not agree with IMA's list.
    pub(super) located: Option<Place>,
}

/// One statement of one layer.
pub(super) struct Line {
    pub(super) layer: &'static str,
    pub(super) mark: Mark,
    pub(super) text: String,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Mark {
    Good,
    Bad,
    /// Neither: what to know.
    Note,
}

impl From<bool> for Mark {
    fn from(good: bool) -> Self {
        if good { Self::Good } else { Self::Bad }
    }
}

pub(super) struct Ima {
    pub(super) value: Digest,
    /// The digests that were recorded, and where.
    records: Vec<(Position, Digest, usize)>,
}

/// A record that says something else than the list.
pub(super) struct Place {
    pub(super) line: u64,
    pub(super) from: u64,
    pub(super) to: u64,
    pub(super) says: Digest,
    pub(super) list: Digest,
    pub(super) entry: usize,
    pub(super) file: Vec<u8>,
}

impl Place {
    pub(super) fn contains(&self, offset: usize) -> bool {
        (self.from..self.to).contains(&(offset as u64))
    }
}

impl Findings {
    pub(super) fn say(&mut self, layer: &'static str, good: bool, text: impl Into<String>) {
        self.holds &= good;
        self.lines.push(Line { layer, mark: good.into(), text: text.into() });
    }

    pub(super) fn note(&mut self, layer: &'static str, text: impl Into<String>) {
        self.lines.push(Line { layer, mark: Mark::Note, text: text.into() });
    }
}

pub(super) fn verify(
    scene: &Scene,
    evidence: &machine::Evidence,
    ima_list: &[u8],
    nonce: &Digest,
) -> Result<Findings> {
    let mut findings = Findings { lines: Vec::new(), holds: true, ima: None, located: None };
    let values = scene.values(&evidence.bytes, nonce, &mut findings)?;
    for log in &evidence.logs {
        let value = values.iter().find(|value| value.register.as_deref() == Some(log.register));
        match value {
            Some(value) => log_layer(scene, log, value.digest, &mut findings)?,
            None => findings.say("platform", false, format!("no value for {}", log.register)),
        }
    }
    application(ima_list, &mut findings)?;
    Ok(findings)
}

/// Registers and logs to records; then records to virtual registers.
fn log_layer(scene: &Scene, log: &Log, value: Digest, findings: &mut Findings) -> Result<()> {
    let carrier = scene.carrier();
    let fold = Fold::<8>::new(&VIRTUAL).map_err(|error| Failure::usage(error.to_string()))?;
    let mut sink = Records { fold: FoldSink::new(fold), ima: Vec::new(), gaps: Vec::new() };
    let start = Digest::zeros(value.algorithm());
    let verified = replay::verify(&log.bytes, &[start], &[value], Limits::DEFAULT, &mut sink);
    let verified = verified.map_err(|error| Failure::usage(error.to_string()))?;
    let outcome = verified.outcome();
    let holds = verified.holds() == Some(true);
    for (_, found) in outcome.banks() {
        let records = outcome.records;
        let text = format!("{}: value {}, {records} records", log.register, match_words(found));
        findings.say("log", holds, text);
    }
    for gap in sink.gaps {
        // This verifier's policy: an explained gap will do where no virtual register is carried.
        let accepted = gap.kind == FindingKind::GapExplained && log.register != carrier;
        findings.say("log", accepted, format!("{}: {gap}", log.register));
    }
    if log.register == carrier {
        // A record could hide behind an off-log extension, so there may be none.
        mux(&sink.fold, verified.accounts_for_all() == Some(true), findings);
        let ima = sink.fold.fold().value(0, Algorithm::Sha256);
        findings.ima = ima.map(|value| Ima { value, records: sink.ima });
    }
    applications(carrier, log, &verified, findings);
    Ok(())
}

/// Virtual registers are as good as the log that carries them.
fn mux(fold: &FoldSink<'_, 8>, carried: bool, findings: &mut Findings) {
    for v in fold.fold().values() {
        let doubt = if carried { "" } else { ", which nothing vouches for" };
        let text = format!("{} = {} after {} records{doubt}", v.name, short(&v.value), v.records);
        findings.say("mux", carried && fold.malformed().is_none(), text);
    }
}

/// Records by domain; only those the register vouches for.
fn applications(
    carrier: &str,
    log: &Log,
    verified: &replay::Verified<'_>,
    findings: &mut Findings,
) {
    let mut statics = StaticValues::<8>::default();
    let mut web = 0_u32;
    for trusted in verified.trusted() {
        let good = statics.record(trusted.bytes()).is_ok();
        if !good {
            findings.say("mux", false, "a static value contradicts an earlier one");
        }
        web += u32::from(Parts::of(trusted.bytes()).domain == b"web.example");
    }
    for (name, value) in statics.iter() {
        findings.say("mux", true, format!("{name} = {} (static)", short(&value)));
    }
    if log.register == carrier {
        let text = format!("web.example: {web} records that {carrier} vouches for");
        findings.say("application", web > 0, text);
    }
}

/// IMA's list against IMA's virtual register, whatever carried it.
fn application(ima_list: &[u8], findings: &mut Findings) -> Result<()> {
    let usage = |error: tsm_eventlog::Error| Failure::usage(error.to_string());
    let Some(ima) = findings.ima.take() else {
        findings.say("application", false, "no log carries IMA's register");
        return Ok(());
    };
    let list = List::open(ima_list).map_err(usage)?;
    let mut replay = <Replay>::new(&[Bank::hashed(Algorithm::Sha256)]).map_err(usage)?;
    replay.expect(10, ima.value).map_err(usage)?;
    let error = replay.run(list.clone()).error();
    let found = replay.result(10, Algorithm::Sha256);
    let records = replay.register(10).map_or(0, tsm_eventlog::ima::Register::entries);
    let text = format!("IMA's list: {IMA} {}, {records} records", match_words(found));
    findings.say("application", found.is_complete(), text);
    if let Some(error) = error {
        findings.say("application", false, format!("IMA's list: located: {error}"));
    }
    findings.located = locate(list, &ima.records);
    findings.ima = Some(ima);
    Ok(())
}

/// The first recorded digest that is not the list's.
fn locate(list: List<'_>, records: &[(Position, Digest, usize)]) -> Option<Place> {
    let entries = list.map_while(core::result::Result::ok).enumerate();
    entries.zip(records).find_map(|((entry, listed), (at, says, len))| {
        let list = ima_digest(&listed);
        (list != *says).then(|| Place {
            line: at.line,
            from: at.offset,
            to: at.offset + *len as u64,
            says: *says,
            list,
            entry: entry + 1,
            file: listed.name().unwrap_or_default().to_vec(),
        })
    })
}

/// Takes what the replay comes across.
struct Records<'t> {
    fold: FoldSink<'t, 8>,
    ima: Vec<(Position, Digest, usize)>,
    gaps: Vec<replay::Finding>,
}

impl Sink for Records<'_> {
    fn untrusted_record(&mut self, bytes: &[u8], at: Position) {
        self.fold.untrusted_record(bytes, at);
        if record::name(bytes) == IMA.as_bytes()
            && let Ok(digest) = record::extension(bytes)
        {
            self.ima.push((at, digest, bytes.len()));
        }
    }

    fn finding(&mut self, finding: replay::Finding) {
        self.gaps.push(finding);
    }
}
