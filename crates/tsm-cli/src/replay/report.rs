// SPDX-License-Identifier: MIT OR Apache-2.0
//! The result of a replay, as a table or as JSON. No knowledge of formats.

use anstream::println;
use serde_json::{Value as Json, json};
use tsm_core::hex::Hex;
use tsm_core::replay::Match;
use tsm_core::{Algorithm, Digest};

use crate::style::{BAD, FAINT, GOOD, HEAD, NOTE, Styled};

/// What a replay found.
pub(crate) struct Report {
    pub(crate) format: &'static str,
    pub(crate) registers: Vec<Register>,
    pub(crate) virtuals: Vec<Virtual>,
    /// Whether the virtual values are more than what the log says: it has a record for every
    /// extension. `None` if nothing was compared.
    pub(crate) virtuals_trusted: Option<bool>,
    pub(crate) statics: Vec<(String, Digest)>,
    pub(crate) findings: Vec<Finding>,
    pub(crate) holds: Option<bool>,
    /// Why the input is malformed, for standard error.
    pub(crate) malformed: Option<String>,
}

/// One bank of a replayed register.
pub(crate) struct Register {
    pub(crate) name: String,
    pub(crate) value: Digest,
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
    pub(crate) line: Option<u64>,
    pub(crate) offset: Option<u64>,
    pub(crate) text: String,
}

impl Report {
    pub(crate) fn print(&self, as_json: bool) {
        if as_json {
            println!("{:#}", self.json());
        } else {
            self.table();
        }
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
        let findings: Vec<_> = self
            .findings
            .iter()
            .map(|f| json!({ "kind": f.kind, "line": f.line, "offset": f.offset, "text": f.text }))
            .collect();
        json!({
            "schema": "tsm.replay/1",
            "format": self.format,
            "registers": registers,
            "virtual": virtuals,
            "static": statics,
            "findings": findings,
            "holds": self.holds,
        })
    }

    fn table(&self) {
        println!("{}", Styled(FAINT, format!("format {}", self.format)));
        let head =
            format!("{:<20}{:<8}{:>9}  {:<10} VALUE", "REGISTER", "BANK", "RECORDS", "MATCH");
        println!("{}", Styled(HEAD, head));
        for r in &self.registers {
            let (word, style, beyond) = match r.matched {
                Match::Complete => ("complete", GOOD, String::new()),
                Match::Prefix { beyond, .. } => {
                    ("prefix", NOTE, format!("  ({beyond} records beyond it)"))
                }
                Match::Mismatch => ("mismatch", BAD, String::new()),
                Match::Unchecked => ("unchecked", FAINT, String::new()),
            };
            let word = Styled(style, format!("{word:<10}"));
            let bank = r.value.algorithm().name();
            println!("{:<20}{bank:<8}{:>9}  {word} {}{beyond}", r.name, r.records, hex(&r.value));
        }
        for v in &self.virtuals {
            let bank = v.value.algorithm().name();
            let doubt =
                if self.virtuals_trusted == Some(false) { "  (not vouched for)" } else { "" };
            println!(
                "{:<20}{bank:<8}{:>9}  {:<10} {}{doubt}",
                v.name,
                v.records,
                "virtual",
                hex(&v.value)
            );
        }
        for (name, value) in &self.statics {
            let bank = value.algorithm().name();
            println!("{name:<20}{bank:<8}{:>9}  {:<10} {}", "", "static", hex(value));
        }
        for f in &self.findings {
            let line = f.line.map(|n| format!("line {n}, ")).unwrap_or_default();
            let at = f.offset.map(|n| format!(" ({line}byte {n})")).unwrap_or_default();
            println!("{} {}{at}", Styled(NOTE, format!("{}:", f.kind)), f.text);
        }
        match self.holds {
            Some(true) => println!("{}", Styled(GOOD, "holds: the log explains the register")),
            Some(false) => {
                println!("{}", Styled(BAD, "does not hold: the log does not explain the register"));
            }
            None => println!("{}", Styled(FAINT, "no value was given to compare with")),
        }
    }
}

impl Register {
    fn json(&self) -> Json {
        let (word, beyond) = match self.matched {
            Match::Complete => ("complete", 0),
            Match::Prefix { beyond, .. } => ("prefix", beyond),
            Match::Mismatch => ("mismatch", 0),
            Match::Unchecked => ("unchecked", 0),
        };
        json!({
            "name": self.name,
            "bank": self.value.algorithm().name(),
            "value": hex(&self.value),
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
