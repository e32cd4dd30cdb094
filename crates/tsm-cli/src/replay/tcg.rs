// SPDX-License-Identifier: MIT OR Apache-2.0
//! Replay of a TCG log: TCG2, CCEL, and the SHA-1 format.

use tsm_core::Algorithm;
use tsm_core::replay::Match;
use tsm_eventlog::tcg::{Boundary, FindingKind, Finished, Log, Replay};

use super::asked::Asked;
use super::report::{Finding, Register, Report, absent, not_expected, prefix};
use crate::Result;
use crate::args::Format;
use crate::events::{End, open_tcg};
use crate::failure::Failure;

pub(super) fn replay(bytes: &[u8], asked: &Asked<'_>) -> Result<Report> {
    let log = open_tcg(bytes, asked.format)?;
    let of_log: Vec<_> = log.algorithms().known().collect();
    let banks = asked.banks(&of_log)?;
    let usage = |error: tsm_eventlog::Error| Failure::usage(error.to_string());
    let mut replay = Box::new(Replay::<24>::new(asked.naming.platform, &banks).map_err(usage)?);
    for value in &asked.question.starts {
        let register = asked.naming.find_tcg(asked.register_of(value)?)?;
        replay.start(register, value.digest).map_err(usage)?;
    }
    for value in &asked.expected {
        let name = asked.register_of(value)?;
        let register = asked.naming.find_tcg(name)?;
        replay
            .expect(register, value.digest)
            .map_err(|error| Failure::usage(format!("{name}: {error}")))?;
    }
    let finished = replay.run(log.clone());
    Ok(report(&finished, &log, asked, &banks))
}

fn report(
    finished: &Finished<'_, '_, 24>,
    log: &Log<'_>,
    asked: &Asked<'_>,
    banks: &[Algorithm],
) -> Report {
    let replay = finished.replay();
    let mut report = Report {
        format: asked.format.name(),
        holds: replay.holds(),
        startup_locality: replay.startup_locality(),
        hint: asked.naming.hint().filter(|_| asked.format == Format::Ccel),
        ..Report::default()
    };
    let (mut unexpected, mut missing) = (Vec::new(), Vec::new());
    for register in replay.registers() {
        let name = register.index().to_string();
        if !asked.selects(&name) {
            continue;
        }
        for &bank in banks {
            let matched = register.result(bank);
            report.registers.push(Register {
                name: name.clone(),
                bank,
                value: register.value(bank),
                expected: register.expected(bank),
                records: register.events(),
                matched,
            });
            if let Match::Prefix { matched, beyond } = matched {
                report.findings.push(prefix(&name, bank, matched, beyond));
            }
        }
        if register.is_absent() {
            missing.push(name);
        } else if register.results().next().is_none() && register.events() > 0 {
            unexpected.push(name);
        }
    }
    for finding in finished.findings() {
        // Those are put together below.
        if finding.kind == FindingKind::NoEvents {
            continue;
        }
        let register = finding.register.map(|register| format!("{register}: "));
        report.findings.push(Finding {
            kind: kind(finding.kind),
            record: Some(finding.position.record),
            line: None,
            offset: Some(finding.position.offset),
            text: format!("{}{}", register.unwrap_or_default(), finding.kind),
        });
    }
    report.findings.extend(absent(&missing));
    report.findings.extend(not_expected(&unexpected, report.holds));
    if asked.is_explained {
        report.trusted = finished.events().map(|event| event.position().offset).collect();
        report.conclusions = Some(Conclusions::of(finished));
        let separators = finished.separators().filter(|separator| separator.kind.is_finding());
        report.findings.extend(separators.map(|separator| Finding {
            kind: "separator",
            record: Some(separator.position.record),
            line: None,
            offset: Some(separator.position.offset),
            text: separator.to_string(),
        }));
    }
    // Where the last record ends only the log itself tells.
    let mut after = log.clone();
    after.by_ref().for_each(drop);
    report.end = Some(End::of_tcg(finished.end(), after.next_position().offset));
    if let Some(error) = finished.error() {
        report.is_malformed(error);
    }
    report
}

/// What follows from events that the values vouch for, and from nothing else.
pub(crate) struct Conclusions {
    /// The state of Secure Boot, or why it is not known.
    pub(crate) secure_boot: core::result::Result<SecureBoot, Unknown>,
    /// Where the separators of registers stand, in words.
    pub(crate) separators: Vec<(String, String)>,
}

/// A known state of Secure Boot.
pub(crate) struct SecureBoot {
    pub(crate) register: String,
    pub(crate) is_enabled: bool,
    /// Entries of PK, KEK, db and dbx.
    pub(crate) lists: [usize; 4],
    /// How many certificates and others vouched for what was loaded; `None` if that is not known.
    pub(crate) authorities: Option<usize>,
}

/// Why a state is not known: a word for programs, and a text.
pub(crate) struct Unknown {
    pub(crate) reason: &'static str,
    pub(crate) text: String,
}

impl Conclusions {
    fn of(finished: &Finished<'_, '_, 24>) -> Self {
        let secure_boot = match finished.secure_boot() {
            Ok(found) => Ok(SecureBoot {
                register: found.register().to_string(),
                is_enabled: found.is_enabled(),
                lists: [found.pk(), found.kek(), found.db(), found.dbx()]
                    .map(|lists| lists.signatures().count()),
                authorities: found.authorities().map(Iterator::count),
            }),
            Err(refusal) => Err(Unknown { reason: refusal.kind.name(), text: refusal.to_string() }),
        };
        let indexes = finished.replay().registers().map(|register| register.index());
        let separators = indexes.filter_map(|index| {
            let text = match finished.separator_of(index) {
                Boundary::At(position, separator) => {
                    format!("separator {separator} at record {}", position.record)
                }
                Boundary::Several { first, count } => {
                    format!("{count} separators, the first at record {}", first.record)
                }
                Boundary::Finding(_) => "something is wrong with a separator".to_string(),
                _ => return None,
            };
            Some((index.to_string(), text))
        });
        Self { secure_boot, separators: separators.collect() }
    }
}

/// The word for a finding in JSON.
fn kind(kind: FindingKind) -> &'static str {
    match kind {
        FindingKind::HeaderIndex => "header-index",
        FindingKind::HeaderDigest => "header-digest",
        FindingKind::HeaderSignature => "header-signature",
        FindingKind::RepeatedHeader => "repeated-header",
        FindingKind::DigestCount => "digest-count",
        FindingKind::MissingDigest(_) => "missing-digest",
        FindingKind::NoSuchRegister => "no-such-register",
        FindingKind::StaticRegister => "static-register",
        FindingKind::NoActionIndex => "no-action-index",
        FindingKind::NoActionDigest => "no-action-digest",
        FindingKind::LocalityLate => "locality-late",
        FindingKind::LocalityDiffers => "locality-differs",
        FindingKind::LocalityUnknown => "locality-unknown",
        FindingKind::HcrtmLate => "hcrtm-late",
        FindingKind::BytesBehind => "bytes-behind",
        _ => "other",
    }
}
