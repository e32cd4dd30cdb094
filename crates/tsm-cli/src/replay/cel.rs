// SPDX-License-Identifier: MIT OR Apache-2.0
//! Replay of logs that record digests for registers: canonical event logs, systemd's, and those of
//! agents.

use std::collections::HashSet;

use tsm_core::replay::Match;
use tsm_core::{Algorithm, Digest};
use tsm_eventlog::cel::{Register as Number, Replay, Replayed};
use tsm_eventlog::{Error, Position, aael, cel, dstack, systemd};

use super::asked::Asked;
use super::report::{Finding, Register, Report, absent, not_expected, prefix};
use crate::Result;
use crate::args::Format;
use crate::events::{REGISTERS, banks_of};
use crate::failure::Failure;
use crate::parse::Value;

pub(super) fn replay(bytes: &[u8], asked: &Asked<'_>) -> Result<Report> {
    match asked.format {
        Format::Systemd => {
            let log = systemd::Log::new(bytes);
            let digests = log.clone().map_while(Result::ok).map(|record| record.digests());
            run(log.clone(), systemd::UntrustedMeasurement::position, &banks_of(digests), asked)
        }
        Format::Aael => {
            let register = asked.naming.one_register();
            let log = aael::Log::open(bytes, register).map_err(usage)?;
            let (init, banks) = (log.init(), [log.init().algorithm()]);
            let usual = match register {
                Number::Pcr(17..=22) => Digest::ones(init.algorithm()),
                _ => Digest::zeros(init.algorithm()),
            };
            if asked.question.starts.is_empty() && init != usual {
                return midway(log, init, &banks, asked);
            }
            run(log, aael::UntrustedLine::position, &banks, asked)
        }
        Format::DstackLog => {
            let log = dstack::Log::new(bytes, asked.naming.one_register());
            run(log, dstack::UntrustedEvent::position, &[Algorithm::Sha384], asked)
        }
        Format::DstackEvents => {
            let log = dstack::Events::new(bytes);
            run(log, dstack::UntrustedEvent::position, &[Algorithm::Sha384], asked)
        }
        format => {
            let encoding = format.encoding().unwrap_or(cel::Encoding::Tlv);
            let log = cel::Log::new(bytes, encoding);
            let digests = log.clone().map_while(Result::ok).map(|record| record.record().digests);
            run(log.clone(), cel::UntrustedRecord::position, &banks_of(digests), asked)
        }
    }
}

/// A log whose first line says that the register was not empty before it: nothing proves that.
fn midway(
    log: aael::Log<'_>,
    init: Digest,
    banks: &[Algorithm],
    asked: &Asked<'_>,
) -> Result<Report> {
    let mut replay = prepare(banks, asked)?;
    replay.start(asked.naming.one_register(), init).map_err(usage)?;
    let mut report = report_of(&mut replay, log, aael::UntrustedLine::position, asked);
    report.holds = report.holds.map(|_| false);
    let text = format!(
        "the log says that it starts at {init}; give --start if something known leads to that value"
    );
    report.findings.insert(0, Finding::general("midway", text));
    Ok(report)
}

fn run<R, L>(
    log: L,
    place: fn(&R) -> Position,
    of_log: &[Algorithm],
    asked: &Asked<'_>,
) -> Result<Report>
where
    R: Replayed,
    L: Iterator<Item = Result<R, Error>> + Clone,
{
    let mut replay = prepare(of_log, asked)?;
    Ok(report_of(&mut replay, log, place, asked))
}

fn prepare(of_log: &[Algorithm], asked: &Asked<'_>) -> Result<Box<Replay<REGISTERS>>> {
    let banks = asked.banks(of_log)?;
    let mut replay = Box::new(Replay::<REGISTERS>::new(&banks).map_err(usage)?);
    for value in &asked.question.starts {
        replay.start(register(value, asked)?, value.digest).map_err(usage)?;
    }
    for value in &asked.expected {
        replay.expect(register(value, asked)?, value.digest).map_err(usage)?;
    }
    Ok(replay)
}

fn register(value: &Value, asked: &Asked<'_>) -> Result<Number> {
    if asked.format.has_one_register() {
        asked.of_one_register(core::slice::from_ref(value))?;
        return Ok(asked.naming.one_register());
    }
    asked.naming.find_cel(asked.register_of(value)?)
}

fn report_of<R, L>(
    replay: &mut Replay<REGISTERS>,
    log: L,
    place: fn(&R) -> Position,
    asked: &Asked<'_>,
) -> Report
where
    R: Replayed,
    L: Iterator<Item = Result<R, Error>> + Clone,
{
    let finished = replay.run(log);
    let error = finished.error();
    let trusted = match asked.is_explained {
        true => finished.records().map(|trusted| place(trusted.record()).offset).collect(),
        false => HashSet::new(),
    };
    let banks: Vec<_> = replay.banks().collect();
    let mut report = Report { format: asked.format.name(), trusted, ..Report::default() };
    let mut results = replay.registers().flat_map(|state| state.results()).peekable();
    report.holds =
        results.peek().is_some().then(|| results.all(|(_, matched)| matched == Match::Complete));
    let (mut unexpected, mut missing) = (Vec::new(), Vec::new());
    let mut states: Vec<_> = replay.registers().collect();
    states.sort_by_key(|state| state.register());
    for state in states {
        let name = match asked.format.has_one_register() {
            true => asked.naming.register.clone(),
            false => asked.naming.cel(state.register()),
        };
        if !asked.selects(&name) {
            continue;
        }
        for &bank in &banks {
            let matched = state.result(bank);
            report.registers.push(Register {
                name: name.clone(),
                bank,
                value: state.value(bank),
                expected: state.expected(bank),
                records: state.records(),
                matched,
            });
            let lacking = state.missing(bank).unwrap_or_default();
            if lacking > 0 {
                let text = format!(
                    "{lacking} of {name}'s records have no {bank} digest: the bank's value, if it \
                     was not extended by them, says nothing about them"
                );
                report.findings.push(Finding::general("missing-digest", text));
            }
            if let Match::Prefix { matched, beyond } = matched
                && beyond > lacking
            {
                report.findings.push(prefix(&name, bank, matched, beyond));
            }
        }
        if matches!(state.register(), Number::CcMr(_)) && !asked.format.has_one_register() {
            report.hint = asked.naming.hint();
        }
        match (state.records(), state.results().next()) {
            (0, Some(_)) => missing.push(name),
            (1.., None) => unexpected.push(name),
            _ => {}
        }
    }
    report.findings.extend(absent(&missing));
    report.findings.extend(not_expected(&unexpected, report.holds));
    if let Some(error) = error {
        report.is_malformed(error);
    }
    report
}

fn usage(error: Error) -> Failure {
    Failure::usage(error.to_string())
}
