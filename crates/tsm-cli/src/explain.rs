// SPDX-License-Identifier: MIT OR Apache-2.0
//! `tsm explain`: each record of a log in plain words, and what the registers say in the end.
//!
//! The log is replayed first, so that each record can be told as vouched for or not. What it says is
//! shown either way; conclusions are drawn only from what is vouched for and covered.

mod print;
mod summary;
mod words;

use std::io::Write as _;

use tsm_core::Algorithm;
use tsm_eventlog::tcg::{Coverage, FieldCoverage};

use crate::args;
use crate::causes;
use crate::events::{self, Content, Options, Record};
use crate::replay::{Asked, Finding, Report, log_alone};
use crate::style::output;
use crate::{Result, input};
use print::{Json, Printer, Words};
use summary::Summary;

pub(crate) fn run(command: &args::Explain) -> Result {
    let question = &command.question;
    let log = input::read_all(&command.files)?;
    let format = input::format(&log, question.reading.format)?;
    let mut asked = Asked::new(question, &command.files, format)?;
    asked.is_explained = true;
    let mut report = log_alone(&log, &asked)?;
    report.findings.append(&mut asked.of_evidence);
    let options =
        Options { format, naming: asked.naming.clone(), banks: &question.banks, values: false };
    let opened = events::open(&log, &options)?;

    let mut out = output(command.json);
    let mut printer: Box<dyn Printer> = match command.json {
        true => Box::new(Json::default()),
        false => Box::new(Words),
    };
    printer.begin(&mut out, opened.format, &report)?;
    let mut summary = Summary::new(&report);
    for record in opened.records {
        let Ok(record) = record else { break };
        if !asked.selects(&record.register) {
            continue;
        }
        let explained = Explained::of(&record, &report, opened.format);
        report.findings.extend(explained.findings());
        summary.count(&explained);
        printer.event(&mut out, &explained)?;
    }
    summary.conclude(&report);
    printer.end(&mut out, &summary, &report)?;
    out.flush()?;
    drop(out);
    report.verdict()
}

/// A record, explained.
pub(crate) struct Explained<'r, 'a> {
    pub(crate) record: &'r Record<'a>,
    /// The banks in which its digest is vouched for, with register and order; none if it is not.
    pub(crate) banks: Vec<Algorithm>,
    pub(crate) coverage: Option<Coverage>,
    /// What was measured.
    pub(crate) measured: String,
    pub(crate) by: words::By,
    /// What it usually means if the digest is another one.
    pub(crate) change: Option<&'static str>,
    pub(crate) covers: Covers,
}

/// What the digests cover.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Covers {
    pub(crate) text: String,
    /// Names of fields.
    pub(crate) covered: Vec<&'static str>,
    pub(crate) not_covered: Vec<&'static str>,
}

impl<'r, 'a> Explained<'r, 'a> {
    fn of(record: &'r Record<'a>, report: &Report, format: &str) -> Self {
        let is_vouched = record.extends && report.trusted.contains(&record.place.offset);
        let expected = report.registers.iter().filter(|register| {
            is_vouched && register.expected.is_some() && register.name == record.register
        });
        let banks: Vec<_> = expected.map(|register| register.bank).collect();
        let coverage = record.coverage(is_vouched.then_some(&*banks));
        Self {
            covers: covers(record, coverage),
            record,
            banks,
            coverage,
            measured: words::measured(record),
            by: words::by(record, format),
            change: causes::usual(&record.register, &record.kind, &record.text)
                .filter(|_| record.extends),
        }
    }

    pub(crate) fn is_vouched(&self) -> bool {
        !self.banks.is_empty()
    }

    /// Whether nothing but the type, which nothing covers, tells what it is.
    pub(crate) fn rests_on_type(&self) -> bool {
        self.is_vouched() && !matches!(self.coverage, None | Some(Coverage::Covered(_)))
    }

    fn findings(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        let mut add = |kind, text: String| {
            let place = self.record.place;
            findings.push(Finding {
                record: Some(place.record),
                line: place.line,
                offset: Some(place.offset),
                ..Finding::general(kind, text)
            });
        };
        let register = &self.record.register;
        match self.coverage {
            Some(coverage @ Coverage::Unequal) => add("unequal", format!("{register}: {coverage}")),
            Some(coverage @ Coverage::BanksDiffer) => {
                add("banks-differ", format!("{register}: {coverage}"));
            }
            _ => {}
        }
        if let Some(reason) = self.record.event().and_then(|data| data.malformed()) {
            add("malformed-data", format!("{register}: data that are not of their type: {reason}"));
        }
        findings
    }
}

fn covers(record: &Record<'_>, coverage: Option<Coverage>) -> Covers {
    let (mut covered, mut not_covered) = (Vec::new(), Vec::new());
    let text = match (record.extends, coverage) {
        (false, _) => "nothing: it extends nothing".to_string(),
        (true, None) => match record.is_of_data {
            _ if is(record, "is_violation") => {
                "nothing: a violation, for which the register was extended with ones".into()
            }
            Some(true) if is(record, "template") => "all fields, not the template's name".into(),
            Some(true) => "all of the record".into(),
            Some(false) => "not what the record says: its digest is of something else".into(),
            None => "what, cannot be told from the log".into(),
        },
        (true, Some(coverage)) => {
            if let (Coverage::Covered(_), Some(data)) = (coverage, record.event()) {
                data.fields(&mut |field| {
                    let names = match coverage.of(&field) {
                        FieldCoverage::Covered => &mut covered,
                        _ => &mut not_covered,
                    };
                    if !names.contains(&field.name) {
                        names.push(field.name);
                    }
                });
            }
            match coverage {
                _ if coverage.is_verbatim() => "all of the data".into(),
                Coverage::Covered(_) => format!("a part of the data ({coverage})"),
                Coverage::NotCovered => {
                    "something that is not in the log; nothing of the data".into()
                }
                _ => format!("nothing of the data: {coverage}"),
            }
        }
    };
    Covers { text, covered, not_covered }
}

/// Whether the format says so: a member that is there and not `false`.
fn is(record: &Record<'_>, member: &str) -> bool {
    match &record.content {
        Content::Said(said) => said.get(member).is_some_and(|value| *value != false),
        Content::Event(_) => false,
    }
}
