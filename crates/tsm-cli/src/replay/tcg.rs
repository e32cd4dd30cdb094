// SPDX-License-Identifier: MIT OR Apache-2.0
//! Replay of a TCG log: TCG2, CCEL, and the SHA-1 format.

use tsm_core::Algorithm;
use tsm_core::replay::Match;
use tsm_eventlog::tcg::{FindingKind, Finished, Log, Replay};

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
    for value in &asked.command.starts {
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
    // Where the last record ends only the log itself tells.
    let mut after = log.clone();
    after.by_ref().for_each(drop);
    report.end = Some(End::of_tcg(finished.end(), after.next_position().offset));
    if let Some(error) = finished.error() {
        report.is_malformed(error);
    }
    report
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
