// SPDX-License-Identifier: MIT OR Apache-2.0
//! Replay of a record log: one register, its virtual registers and named static values.

use tsm_core::log::{Limits, Line, Lines, first_banks};
use tsm_core::record::StaticValues;
use tsm_core::replay::{self, FindingKind, Match, Position, Replay, Sink, Trailing};
use tsm_core::virtual_registers::{Fold, FoldSink};
use tsm_core::{Algorithm, Banks, Digest};

use super::asked::Asked;
use super::report::{Finding, Register, Report, Virtual};
use crate::Result;
use crate::failure::Failure;

/// Banks of virtual registers and names of static values that one call can follow.
const MAX: usize = 256;

pub(super) fn replay(log: &[u8], asked: &Asked<'_>) -> Result<Report> {
    let (question, name) = (asked.question, &asked.naming.register);
    let expected = asked.of_one_register(&asked.expected)?;
    let starts = asked.of_one_register(&question.starts)?;
    let banks = banks(log, asked)?;
    let start: Vec<_> = banks
        .iter()
        .map(|bank| {
            starts.iter().copied().find(|v| v.algorithm() == bank).unwrap_or(Digest::zeros(bank))
        })
        .collect();
    let usage = |error: replay::BankError| Failure::usage(error.to_string());
    let mut replay = Replay::new(&start).map_err(usage)?;
    replay.expect(&expected).map_err(usage)?;

    let table = table(&asked.virtuals);
    let fold = Fold::new(&table).map_err(|error| Failure::usage(error.to_string()))?;
    let mut sink = Records {
        fold: FoldSink::new(fold),
        statics: Box::default(),
        findings: Vec::new(),
        broken: false,
    };
    let malformed = replay.feed(log, Limits::DEFAULT, &mut sink).err();
    let outcome = replay.outcome();

    let shown = |bank: Algorithm| question.banks.is_empty() || question.banks.contains(&bank);
    let registers = outcome
        .banks()
        .filter(|(value, _)| shown(value.algorithm()))
        .map(|(value, matched)| Register {
            name: name.clone(),
            bank: value.algorithm(),
            value: Some(value),
            expected: expected.iter().copied().find(|e| e.algorithm() == value.algorithm()),
            records: outcome.records,
            matched,
        })
        .collect();
    let mut report = Report {
        format: "record",
        registers,
        virtuals: virtuals(&sink),
        virtuals_trusted: outcome.accounts_for_all(),
        statics: sink.statics.iter().map(|(name, value)| (name.to_string(), value)).collect(),
        holds: outcome.holds(),
        malformed: malformed.map(|error| error.to_string()),
        ..Report::default()
    };
    if outcome.contradictions > 0 || sink.broken {
        // Whatever the register's value is, this log does not explain it.
        report.holds = Some(false);
    }
    if let Some(error) = malformed {
        report.holds = report.holds.map(|_| false);
        let (line, offset) = (Some(error.line), Some(error.offset));
        let text = error.kind.to_string();
        sink.findings.push(Finding { kind: "malformed", record: None, line, offset, text });
    }
    if let Some(bad) = sink.fold.malformed() {
        report.holds = Some(false);
        report.malformed.get_or_insert(bad.to_string());
        sink.findings.push(at(bad.at, "malformed-record", bad.kind.to_string()));
    }
    sink.findings.extend(beyond(&outcome, &replay));
    let all = outcome.accounts_for_all() == Some(true) && report.malformed.is_none();
    report.virtuals_trusted = report.virtuals_trusted.map(|_| all);
    if !asked.virtuals.is_empty() && report.holds == Some(true) && !all {
        let text = "off-log extensions can hide records: nothing vouches for the values of \
                    virtual registers in this log";
        sink.findings.push(at(replay.position(), "gap-hides", text.into()));
        // They were asked for, and cannot be told.
        (report.holds, report.is_unaccounted) = (Some(false), true);
    }
    report.findings = sink.findings;
    if let Some((from, to)) = outcome.trusted().filter(|_| asked.is_explained) {
        let lines = Lines::new(log, Limits::DEFAULT).map_while(core::result::Result::ok);
        let hashed = lines.filter(|line| matches!(line.line, Line::Record(_) | Line::Sync(_)));
        let offsets = hashed.map(|line| line.offset);
        report.trusted = offsets.filter(|at| (from.offset..to.offset).contains(at)).collect();
    }
    Ok(report)
}

/// The register's banks: those its first capture names, else those the caller speaks of.
fn banks(log: &[u8], asked: &Asked<'_>) -> Result<Banks> {
    let named: Vec<_> = asked.question.banks.iter().copied().chain(asked.value_banks()).collect();
    if let Some(captured) = first_banks(log, Limits::DEFAULT) {
        return match named.iter().find(|bank| !captured.contains(**bank)) {
            None => Ok(captured),
            Some(bank) => {
                let banks: Vec<_> = captured.iter().map(|b| b.name()).collect();
                let banks = banks.join(", ");
                Err(Failure::usage(format!("the log is of a register with {banks}, not {bank}")))
            }
        };
    }
    let mut banks = Banks::NONE;
    for bank in named {
        banks = banks.and(bank).unwrap_or(banks);
    }
    if banks.is_empty() {
        return Err(Failure::usage(
            "the log has no well-formed SYNC line that names its banks; say --bank ALG",
        ));
    }
    Ok(banks)
}

/// Virtual registers of these names. Which banks they have is what the records say.
pub(super) fn table(names: &[String]) -> Vec<tsm_core::Register<'_>> {
    names.iter().map(|name| tsm_core::Register::runtime(name, all_banks())).collect()
}

fn all_banks() -> Banks {
    Banks::new(Algorithm::ALL).unwrap_or(Banks::NONE)
}

/// The banks of virtual registers that were extended, and a finding for those that never were.
fn virtuals(sink: &Records<'_>) -> Vec<Virtual> {
    let values = sink.fold.fold().values();
    values
        .filter(|v| v.records > 0)
        .map(|v| Virtual { name: v.name.to_string(), value: v.value, records: v.records })
        .collect()
}

/// Findings about the log's end and beginning.
fn beyond(outcome: &replay::Outcome, replay: &Replay) -> Vec<Finding> {
    let end = replay.position();
    let mut findings = Vec::new();
    match outcome.trailing {
        Trailing::None => {}
        Trailing::Explained => {
            let text = "off-log extensions behind the last record, explained by their notes";
            findings.push(at(end, "trailing-gap-explained", text.into()));
        }
        Trailing::NotExplained => {
            let text = "off-log extensions behind the last record, which nothing confirms";
            findings.push(at(end, "trailing-gap", text.into()));
        }
    }
    for (value, matched) in outcome.banks() {
        if let Match::Prefix { matched, beyond } = matched {
            let text = format!(
                "the {} value was read after record {matched}; {beyond} records beyond it are not \
                 authenticated",
                value.algorithm()
            );
            findings.push(at(end, "prefix", text));
        }
    }
    if outcome.begins == replay::Begins::Midway {
        for bank in replay.banks().iter() {
            let text = replay.started_at(bank).map(|v| format!("the log starts at {v}"));
            findings.push(Finding::general("starts-at", text.unwrap_or_default()));
        }
    }
    findings
}

/// Takes the records as they come.
struct Records<'t> {
    fold: FoldSink<'t, MAX>,
    statics: Box<StaticValues<MAX>>,
    findings: Vec<Finding>,
    /// A static value is malformed or contradicts another.
    broken: bool,
}

impl Sink for Records<'_> {
    fn untrusted_record(&mut self, record: &[u8], position: Position) {
        self.fold.untrusted_record(record, position);
        if let Err(error) = self.statics.record(record) {
            self.broken = true;
            self.findings.push(at(position, "static-value", error.to_string()));
        }
    }

    fn finding(&mut self, finding: replay::Finding) {
        let kind = match finding.kind {
            FindingKind::Midway => "midway",
            FindingKind::NoSync => "no-sync",
            FindingKind::GapExplained => "gap-explained",
            FindingKind::GapUnexplained => "gap-unexplained",
            FindingKind::Contradiction => "contradiction",
            FindingKind::Uncaptured => "uncaptured",
            _ => "other",
        };
        self.findings.push(at(finding.at, kind, finding.kind.to_string()));
    }
}

fn at(position: Position, kind: &'static str, text: String) -> Finding {
    let (line, offset) = (Some(position.line), Some(position.offset));
    Finding { kind, record: None, line, offset, text }
}
