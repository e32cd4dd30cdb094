// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the single logs of a sequence say, as text or as JSON, and IMA lists that were verified.

use std::io::Write;

use serde_json::{Map, Value as Json, json};
use tsm_core::Digest;
use tsm_core::hex::Hex;
use tsm_eventlog::sequence::Authenticated;

use crate::style::{BAD, Escaped, FAINT, GOOD, HEAD, NOTE, Styled};

/// One log of a sequence.
pub(crate) struct Step {
    pub(crate) file: String,
    pub(crate) format: &'static str,
    /// `contiguous`, `captured`, `midway`.
    pub(crate) front: &'static str,
    pub(crate) extensions: u64,
    pub(crate) explained: u64,
    pub(crate) unexplained: u64,
    pub(crate) contradictions: u64,
    pub(crate) ends_with_notes: bool,
    pub(crate) values: Vec<Digest>,
    pub(crate) error: Option<String>,
}

/// An IMA list and the virtual register that it was compared with.
pub(crate) struct ImaCheck {
    pub(crate) name: String,
    pub(crate) file: String,
    pub(crate) records: u64,
    /// Records that the value does not cover.
    pub(crate) beyond: u64,
    /// `None` if nothing was compared.
    pub(crate) holds: Option<bool>,
}

impl Step {
    pub(super) fn json(&self) -> Json {
        let values = self.values.iter();
        let values: Map<_, _> = values
            .map(|v| (v.algorithm().to_string(), Hex(v.as_bytes()).to_string().into()))
            .collect();
        json!({
            "file": self.file,
            "format": self.format,
            "front": self.front,
            "extensions": self.extensions,
            "explained_gaps": self.explained,
            "unexplained_gaps": self.unexplained,
            "contradictions": self.contradictions,
            "ends_with_notes": self.ends_with_notes,
            "values": values,
            "error": self.error,
        })
    }
}

impl ImaCheck {
    pub(super) fn json(&self) -> Json {
        json!({
            "virtual": self.name,
            "file": self.file,
            "records": self.records,
            "beyond": self.beyond,
            "holds": self.holds,
        })
    }

    pub(super) fn row(&self, out: &mut impl Write) -> std::io::Result<()> {
        let verdict = match self.holds {
            Some(true) => Styled(GOOD, "holds"),
            Some(false) => Styled(BAD, "does not hold"),
            None => Styled(FAINT, "not compared"),
        };
        let beyond = match self.beyond {
            0 => String::new(),
            beyond => format!(", {beyond} beyond what the value covers"),
        };
        let (name, file) = (Escaped(self.name.as_bytes()), Escaped(self.file.as_bytes()));
        writeln!(out, "IMA list {file} in {name}: {verdict} ({} records{beyond})", self.records)
    }
}

/// All steps of a sequence.
pub(super) fn table(
    steps: &[Step],
    vouched: Option<Authenticated>,
    out: &mut impl Write,
) -> std::io::Result<()> {
    if steps.is_empty() {
        return Ok(());
    }
    let head = format!("{:<5}{:<18}{:>8}  {:<11} FILE", "STEP", "FORMAT", "EXTENDS", "FRONT");
    writeln!(out, "{}", Styled(HEAD, head))?;
    for (number, step) in (1..).zip(steps) {
        let file = Escaped(step.file.as_bytes());
        let Step { format, extensions, front, .. } = step;
        writeln!(out, "{number:<5}{format:<18}{extensions:>8}  {front:<11} {file}")?;
        for (count, text) in [
            (step.explained, "gaps that their notes explain"),
            (step.unexplained, "gaps that nothing explains"),
            (step.contradictions, "captures that contradict the records before them"),
            (u64::from(step.ends_with_notes), "end with notes of off-log extensions"),
        ] {
            if count > 0 {
                writeln!(out, "     {} {count} {text}", Styled(NOTE, "note:"))?;
            }
        }
        if let Some(error) = &step.error {
            writeln!(out, "     {} {error}", Styled(NOTE, "ended:"))?;
        }
    }
    match vouched {
        Some(Authenticated::All) => writeln!(out, "vouched for: every record of all logs"),
        Some(Authenticated::Prefix { step, records, beyond }) => writeln!(
            out,
            "vouched for: up to the first {records} records of log {}; {beyond} records of the \
             register behind them are not",
            step + 1
        ),
        Some(Authenticated::Nothing) => writeln!(out, "vouched for: nothing"),
        Some(Authenticated::Unchecked) | None => Ok(()),
    }
}

pub(super) fn vouched_json(vouched: Authenticated) -> Json {
    let (word, place) = match vouched {
        Authenticated::Unchecked => ("unchecked", None),
        Authenticated::All => ("all", None),
        Authenticated::Nothing => ("nothing", None),
        Authenticated::Prefix { step, records, beyond } => {
            ("prefix", Some((step, records, beyond)))
        }
    };
    json!({
        "for": word,
        "step": place.map(|place| place.0),
        "records": place.map(|place| place.1),
        "beyond": place.map(|place| place.2),
    })
}
