// SPDX-License-Identifier: MIT OR Apache-2.0
//! The result of a replay, as a table or as JSON. No knowledge of formats.

use std::collections::HashSet;
use std::io::{IsTerminal as _, Write};

use serde_json::{Value as Json, json};
use tsm_core::hex::Hex;
use tsm_core::replay::Match;
use tsm_core::{Algorithm, Digest};
use tsm_eventlog::sequence::Authenticated;

use super::steps::{self, ImaCheck, Step};
use super::tcg::Conclusions;
use crate::events::End;
use crate::style::{BAD, Escaped, FAINT, GOOD, HEAD, NOTE, Styled, json_text, output};

/// What a replay found.
#[derive(Default)]
pub(crate) struct Report {
    pub(crate) format: &'static str,
    pub(crate) registers: Vec<Register>,
    pub(crate) virtuals: Vec<Virtual>,
    /// Whether the virtual values are more than what the log says: it has a record for every
    /// extension. `None` if nothing was compared.
    pub(crate) virtuals_trusted: Option<bool>,
    pub(crate) statics: Vec<(String, Digest)>,
    /// The locality from which the TPM was started, if the log tells it and it counts.
    pub(crate) startup_locality: Option<u8>,
    /// How the log ended, where there is more than one way.
    pub(crate) end: Option<End>,
    /// The logs, if there are several, and how much of them the values vouch for.
    pub(crate) steps: Vec<Step>,
    pub(crate) vouched: Option<Authenticated>,
    /// IMA lists and the virtual registers they were compared with.
    pub(crate) ima: Vec<ImaCheck>,
    /// Offsets of the records that the values vouch for, if the log is to be explained.
    pub(crate) trusted: HashSet<u64>,
    /// What follows from events that the values vouch for, if the log is to be explained.
    pub(crate) conclusions: Option<Conclusions>,
    pub(crate) findings: Vec<Finding>,
    /// Shown on a terminal only.
    pub(crate) hint: Option<&'static str>,
    /// Whether all that was asked for holds; `None` if nothing was compared.
    pub(crate) holds: Option<bool>,
    /// Whether it would hold, were it not for virtual registers that were asked for: the log explains
    /// the register and does not account for every extension.
    pub(crate) is_unaccounted: bool,
    /// Why the input is malformed, for standard error.
    pub(crate) malformed: Option<String>,
}

/// One bank of a replayed register.
pub(crate) struct Register {
    pub(crate) name: String,
    pub(crate) bank: Algorithm,
    /// `None` if a record has no digest for the bank, so that its value is not known.
    pub(crate) value: Option<Digest>,
    pub(crate) expected: Option<Digest>,
    pub(crate) records: u64,
    pub(crate) matched: Match,
}

/// One bank of a virtual register.
pub(crate) struct Virtual {
    pub(crate) name: String,
    pub(crate) value: Digest,
    pub(crate) records: u64,
}

/// Something to know.
pub(crate) struct Finding {
    pub(crate) kind: &'static str,
    pub(crate) record: Option<u64>,
    pub(crate) line: Option<u64>,
    pub(crate) offset: Option<u64>,
    pub(crate) text: String,
}

impl Finding {
    /// About the log as a whole.
    pub(crate) const fn general(kind: &'static str, text: String) -> Self {
        Self { kind, record: None, line: None, offset: None, text }
    }

    pub(crate) fn json(&self) -> Json {
        json!({
            "kind": self.kind,
            "record": self.record,
            "line": self.line,
            "offset": self.offset,
            "text": self.text,
        })
    }
}

/// A finding about registers for which values are expected and the log has no record.
pub(crate) fn absent(names: &[String]) -> Option<Finding> {
    let text = format!(
        "the log has no record for {}, so what was expected was compared with the start value; if \
         another log is about them, say with --register which ones this log is about",
        names.join(", ")
    );
    (!names.is_empty()).then(|| Finding::general("no-records", text))
}

/// A finding about registers for which no value is expected, where there are others.
pub(crate) fn not_expected(names: &[String], holds: Option<bool>) -> Option<Finding> {
    let text = format!("no value was expected for {}: not compared", names.join(", "));
    (holds.is_some() && !names.is_empty()).then(|| Finding::general("not-expected", text))
}

/// A finding about a value that was read before the log's end.
pub(crate) fn prefix(name: &str, bank: Algorithm, matched: u64, beyond: u64) -> Finding {
    let text = format!(
        "{name}:{bank} was read after record {matched} of that register; {beyond} beyond it are not \
         authenticated"
    );
    Finding::general("prefix", text)
}

impl Report {
    /// Takes note of registers of which nothing but SHA-1 values are compared.
    pub(crate) fn notes_sha1(&mut self) {
        let expected: Vec<_> =
            self.registers.iter().filter(|register| register.expected.is_some()).collect();
        let is_only = |name: &str| {
            let mut banks = expected.iter().filter(|other| other.name == name);
            banks.all(|other| other.bank == Algorithm::Sha1)
        };
        let names: Vec<_> =
            expected.iter().map(|register| &*register.name).filter(|name| is_only(name)).collect();
        if !names.is_empty() {
            let text = format!(
                "only SHA-1 values are compared of {}, which is as weak as SHA-1; digests of other \
                 banks are not vouched for",
                names.join(", ")
            );
            self.findings.push(Finding::general("sha1-only", text));
        }
    }

    /// Takes note of an error that ended the log.
    pub(crate) fn is_malformed(&mut self, error: tsm_eventlog::Error) {
        self.holds = self.holds.map(|_| false);
        let text = error.to_string();
        self.findings.push(Finding {
            kind: "malformed",
            record: Some(error.record()),
            line: error.line(),
            offset: Some(error.offset()),
            text: text.clone(),
        });
        self.malformed = Some(text);
    }

    pub(crate) fn print(&self, as_json: bool) -> crate::Result<()> {
        let is_terminal = std::io::stdout().is_terminal();
        let mut out = output(as_json);
        if as_json {
            writeln!(out, "{}", json_text(&self.json(), true))?;
        } else {
            self.table(&mut out)?;
            if let Some(hint) = self.hint.filter(|_| is_terminal) {
                writeln!(out, "{} {hint}", Styled(FAINT, "hint:"))?;
            }
        }
        Ok(out.flush()?)
    }

    fn json(&self) -> Json {
        let registers: Vec<_> = self.registers.iter().map(Register::json).collect();
        let virtuals: Vec<_> = self
            .virtuals
            .iter()
            .map(|v| {
                json!({
                    "name": v.name,
                    "bank": v.value.algorithm().name(),
                    "value": hex(&v.value),
                    "records": v.records,
                    "trusted": self.virtuals_trusted,
                })
            })
            .collect();
        let statics: Vec<_> = self
            .statics
            .iter()
            .map(|(name, value)| {
                json!({ "name": name, "bank": value.algorithm().name(), "value": hex(value) })
            })
            .collect();
        let findings: Vec<_> = self.findings.iter().map(Finding::json).collect();
        json!({
            "schema": "tsm.replay/1",
            "format": self.format,
            "registers": registers,
            "virtual": virtuals,
            "static": statics,
            "startup_locality": self.startup_locality,
            "end": self.end.as_ref().map(End::json),
            "steps": self.steps.iter().map(Step::json).collect::<Vec<_>>(),
            "vouched": self.vouched.map(steps::vouched_json),
            "ima": self.ima.iter().map(ImaCheck::json).collect::<Vec<_>>(),
            "findings": findings,
            "holds": self.holds,
        })
    }

    fn table(&self, out: &mut impl Write) -> std::io::Result<()> {
        writeln!(out, "{}", Styled(FAINT, format!("format {}", self.format)))?;
        let head =
            format!("{:<20}{:<8}{:>9}  {:<10} VALUE", "REGISTER", "BANK", "RECORDS", "MATCH");
        writeln!(out, "{}", Styled(HEAD, head))?;
        for r in &self.registers {
            r.row(out)?;
        }
        for v in &self.virtuals {
            let doubt =
                if self.virtuals_trusted == Some(false) { "  (not vouched for)" } else { "" };
            row(out, &v.name, v.value.algorithm(), Some(v.records), "virtual", &hex(&v.value))?;
            writeln!(out, "{doubt}")?;
        }
        for (name, value) in &self.statics {
            row(out, name, value.algorithm(), None, "static", &hex(value))?;
            writeln!(out)?;
        }
        steps::table(&self.steps, self.vouched, out)?;
        for check in &self.ima {
            check.row(out)?;
        }
        if let Some(locality) = self.startup_locality {
            writeln!(out, "the TPM was started from locality {locality}, as the log tells")?;
        }
        if let Some(end) = self.end.as_ref().filter(|end| end.is_worth_telling()) {
            writeln!(out, "{end}")?;
        }
        self.table_of_findings(out)?;
        match self.holds {
            Some(true) => {
                writeln!(out, "{}", Styled(GOOD, "holds: the log explains the register"))
            }
            Some(false) => {
                let is_of_ima = self.ima.iter().any(|check| check.holds == Some(false));
                let text = match (self.is_unaccounted, is_of_ima) {
                    (true, _) => "does not hold: nothing vouches for the virtual registers",
                    (false, true) => "does not hold",
                    (false, false) => "does not hold: the log does not explain the register",
                };
                writeln!(out, "{}", Styled(BAD, text))
            }
            None => writeln!(out, "{}", Styled(FAINT, "no value was given to compare with")),
        }
    }

    /// The first findings of each kind: a damaged log can have one for every record.
    pub(crate) fn table_of_findings(&self, out: &mut impl Write) -> std::io::Result<()> {
        const SHOWN: usize = 8;
        let mut counts: Vec<(&str, usize)> = Vec::new();
        for f in &self.findings {
            let count = match counts.iter_mut().find(|(kind, _)| *kind == f.kind) {
                Some((_, count)) => {
                    *count += 1;
                    *count
                }
                None => {
                    counts.push((f.kind, 1));
                    1
                }
            };
            if count <= SHOWN {
                let line = f.line.map(|n| format!("line {n}, ")).unwrap_or_default();
                let at = f.offset.map(|n| format!(" ({line}byte {n})"));
                // Errors of a log say themselves where they are.
                let at = at.filter(|_| !f.text.ends_with(')')).unwrap_or_default();
                writeln!(out, "{} {}{at}", Styled(NOTE, format!("{}:", f.kind)), f.text)?;
            }
        }
        for (kind, count) in counts.into_iter().filter(|(_, count)| *count > SHOWN) {
            let more = count - SHOWN;
            writeln!(out, "{} {more} more; --json has them all", Styled(NOTE, format!("{kind}:")))?;
        }
        Ok(())
    }
}

/// The beginning of a line of the table.
fn row(
    out: &mut impl Write,
    name: &str,
    bank: Algorithm,
    records: Option<u64>,
    word: impl core::fmt::Display,
    value: &str,
) -> std::io::Result<()> {
    // A name can be that of a file.
    let name = Escaped(name.as_bytes()).to_string();
    let records = records.map(|n| n.to_string()).unwrap_or_default();
    write!(out, "{name:<20}{:<8}{records:>9}  {word:<10} {value}", bank.name())
}

impl Register {
    fn row(&self, out: &mut impl Write) -> std::io::Result<()> {
        let (word, style, beyond) = match self.matched {
            Match::Complete => ("complete", GOOD, String::new()),
            Match::Prefix { beyond, .. } => {
                ("prefix", NOTE, format!("  ({beyond} records beyond it)"))
            }
            Match::Mismatch => ("mismatch", BAD, String::new()),
            Match::Unchecked => ("unchecked", FAINT, String::new()),
        };
        let value = self.value.as_ref().map_or("not known (a digest is missing)".into(), hex);
        let records = Some(self.records);
        row(out, &self.name, self.bank, records, Styled(style, word), &value)?;
        writeln!(out, "{beyond}")?;
        match self.expected.as_ref().filter(|_| self.matched == Match::Mismatch) {
            Some(expected) => writeln!(out, "{:>49} {}", "expected", hex(expected)),
            None => Ok(()),
        }
    }

    fn json(&self) -> Json {
        let (word, beyond) = match self.matched {
            Match::Complete => ("complete", 0),
            Match::Prefix { beyond, .. } => ("prefix", beyond),
            Match::Mismatch => ("mismatch", 0),
            Match::Unchecked => ("unchecked", 0),
        };
        json!({
            "name": self.name,
            "bank": self.bank.name(),
            "value": self.value.as_ref().map(hex),
            "expected": self.expected.as_ref().map(hex),
            "records": self.records,
            "match": word,
            "beyond": beyond,
        })
    }
}

/// The distinct algorithms of some values, in the order in which they come.
pub(crate) fn algorithms<'v>(values: impl Iterator<Item = &'v Digest>) -> Vec<Algorithm> {
    let mut all = Vec::new();
    for value in values {
        if !all.contains(&value.algorithm()) {
            all.push(value.algorithm());
        }
    }
    all
}

fn hex(digest: &Digest) -> String {
    Hex(digest.as_bytes()).to_string()
}
