// SPDX-License-Identifier: MIT OR Apache-2.0
//! An explanation as text or as JSON.

use std::io::{Result, Write};

use serde_json::{Map, Value, json};
use tsm_core::hex::Hex;

use super::{Explained, Summary};
use crate::replay::Report;
use crate::style::{BAD, Escaped, FAINT, GOOD, HEAD, NOTE, Styled, json_text};

const TYPE: &str = "no digest covers an event's type: who can alter the log can change what a record \
                    claims to be";

pub(super) trait Printer {
    fn begin(&mut self, out: &mut dyn Write, format: &str, report: &Report) -> Result<()>;
    fn event(&mut self, out: &mut dyn Write, event: &Explained<'_, '_>) -> Result<()>;
    fn end(&mut self, out: &mut dyn Write, summary: &Summary, report: &Report) -> Result<()>;
}

fn has_values(report: &Report) -> bool {
    report.registers.iter().any(|register| register.expected.is_some())
}

/// For people.
pub(super) struct Words;

impl Printer for Words {
    fn begin(&mut self, out: &mut dyn Write, format: &str, report: &Report) -> Result<()> {
        writeln!(out, "format {format}")?;
        if has_values(report) {
            let text = "records are vouched for where it says so: their register, order and digest \
                        are; all else is untrusted";
            writeln!(out, "{text}")?;
        } else {
            let text = "untrusted: no value of a register was given (--expect, --expect-file), so all \
                        of this is only what the log says";
            writeln!(out, "{}", Styled(NOTE, text))?;
        }
        // A record log has no types beside its records, all of whose bytes are hashed.
        if format == "record" { Ok(()) } else { writeln!(out, "{TYPE}") }
    }

    fn event(&mut self, out: &mut dyn Write, event: &Explained<'_, '_>) -> Result<()> {
        let record = event.record;
        let place = record.place;
        let register = Escaped(record.register.as_bytes()).to_string();
        let kind = Escaped(record.kind.to_string().as_bytes()).to_string();
        let mark = match (record.extends, event.is_vouched()) {
            (true, true) => {
                let banks: Vec<_> = event.banks.iter().map(|bank| bank.name()).collect();
                Styled(GOOD, format!("vouched for ({})", banks.join(", ")))
            }
            (true, false) => Styled(NOTE, "untrusted".to_string()),
            (false, _) => Styled(NOTE, "untrusted, extends nothing".to_string()),
        };
        let head = format!("{register}  record {}, byte {}  {kind}", place.record, place.offset);
        writeln!(out, "\n{}  {mark}", Styled(HEAD, head))?;
        writeln!(out, "  measured  {}", event.measured)?;
        let by = &event.by;
        let looks = if by.is_guess { "looks like " } else { "" };
        writeln!(out, "  by        {looks}{}", by.who)?;
        if let Some(change) = event.change {
            writeln!(out, "  a change  usually means: {change}")?;
        }
        let covers = &event.covers;
        write!(out, "  digest    covers {}", covers.text)?;
        if covers.not_covered.is_empty() {
            writeln!(out)?;
        } else {
            let (covered, not) = (covers.covered.join(", "), covers.not_covered.join(", "));
            writeln!(out, ": {covered}; not covered: {not}")?;
        }
        if event.rests_on_type() {
            let text = "what it is rests on its type and data, which nothing covers";
            writeln!(out, "            {}", Styled(FAINT, text))?;
        }
        Ok(())
    }

    fn end(&mut self, mut out: &mut dyn Write, summary: &Summary, report: &Report) -> Result<()> {
        writeln!(out, "\n{}", Styled(HEAD, "what the registers say"))?;
        for register in &summary.registers {
            let name = Escaped(register.name.as_bytes()).to_string();
            writeln!(out, "  {name:<9} {}", register.says.join("; "))?;
        }
        if let Some(secure_boot) = &summary.secure_boot {
            let text = secure_boot["text"].as_str().unwrap_or_default();
            writeln!(out, "  Secure Boot: {text}")?;
        }
        if !summary.unexplained.is_empty() {
            writeln!(out, "{}", Styled(HEAD, "what this log does not explain"))?;
            for (name, text) in &summary.unexplained {
                writeln!(out, "  {:<9} {text}", Escaped(name.as_bytes()).to_string())?;
            }
        }
        report.table_of_findings(&mut out)?;
        match report.holds {
            Some(true) => {
                writeln!(out, "{}", Styled(GOOD, "holds: the log explains the values"))
            }
            Some(false) => {
                writeln!(
                    out,
                    "{}",
                    Styled(BAD, "does not hold: the log does not explain all values")
                )
            }
            None => writeln!(out, "{}", Styled(FAINT, "no value was given to compare with")),
        }
    }
}

/// For programs: one line for each record.
#[derive(Default)]
pub(super) struct Json {
    /// Whether a record was written.
    has_begun: bool,
}

impl Printer for Json {
    fn begin(&mut self, out: &mut dyn Write, format: &str, report: &Report) -> Result<()> {
        let has_values = has_values(report);
        write!(
            out,
            "{{\"schema\":\"tsm.explain/1\",\"format\":{},\"has_values\":{has_values},\
             \"type_covered\":false,\n\"events\":[",
            json!(format)
        )
    }

    fn event(&mut self, out: &mut dyn Write, event: &Explained<'_, '_>) -> Result<()> {
        let separator = if self.has_begun { "," } else { "" };
        self.has_begun = true;
        write!(out, "{separator}\n{}", json_text(&event_json(event), false))
    }

    fn end(&mut self, out: &mut dyn Write, summary: &Summary, report: &Report) -> Result<()> {
        let registers: Vec<_> =
            summary.registers.iter().map(super::summary::OfRegister::json).collect();
        let unexplained: Vec<_> = summary
            .unexplained
            .iter()
            .map(|(name, text)| json!({ "register": name, "text": text }))
            .collect();
        let findings: Vec<_> = report.findings.iter().map(crate::replay::Finding::json).collect();
        writeln!(
            out,
            "\n],\n\"registers\":{},\n\"secure_boot\":{},\n\"unexplained\":{},\n\"findings\":{},\n\
             \"holds\":{}}}",
            json_text(&registers.into(), false),
            json_text(&summary.secure_boot.clone().unwrap_or(Value::Null), false),
            json_text(&unexplained.into(), false),
            json_text(&findings.into(), false),
            json!(report.holds)
        )
    }
}

fn event_json(event: &Explained<'_, '_>) -> Value {
    let record = event.record;
    let digests = record.digests.iter();
    let digests: Map<_, _> =
        digests.map(|one| (one.bank.to_string(), Hex(&one.bytes).to_string().into())).collect();
    let banks: Vec<_> = event.banks.iter().map(|bank| bank.name()).collect();
    json!({
        "record": record.place.record,
        "offset": record.place.offset,
        "line": record.place.line,
        "register": record.register,
        "type": { "number": record.kind.number, "name": record.kind.name },
        "extends": record.extends,
        "digests": digests,
        "vouched_for": event.is_vouched(),
        "banks": banks,
        "measured": event.measured,
        "by": { "who": event.by.who, "guess": event.by.is_guess },
        "change_means": event.change,
        "covers": {
            "text": event.covers.text,
            "coverage": event.coverage.map(|coverage| coverage.name()),
            "covered": event.covers.covered,
            "not_covered": event.covers.not_covered,
        },
        "content": record.content_json(event.coverage),
    })
}
