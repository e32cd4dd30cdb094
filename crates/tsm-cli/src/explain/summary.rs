// SPDX-License-Identifier: MIT OR Apache-2.0
//! What registers say in the end, and what no log explains.

use serde_json::{Value as Json, json};
use tsm_core::replay::Match;

use super::Explained;
use crate::replay::{Conclusions, Report};

/// All of it.
pub(crate) struct Summary {
    pub(crate) registers: Vec<OfRegister>,
    /// Values that this log does not lead to, in words.
    pub(crate) unexplained: Vec<(String, String)>,
    /// The state of Secure Boot; `None` for logs that cannot tell.
    pub(crate) secure_boot: Option<Json>,
}

/// What one register says.
pub(crate) struct OfRegister {
    pub(crate) name: String,
    pub(crate) events: u64,
    pub(crate) vouched: u64,
    pub(crate) says: Vec<String>,
}

impl Summary {
    pub(super) fn new(report: &Report) -> Self {
        let mut registers: Vec<OfRegister> = Vec::new();
        for register in &report.registers {
            if registers.iter().all(|known| known.name != register.name) {
                registers.push(OfRegister::new(register.name.clone()));
            }
        }
        Self { registers, unexplained: Vec::new(), secure_boot: None }
    }

    pub(super) fn count(&mut self, explained: &Explained<'_, '_>) {
        let record = explained.record;
        if !record.extends {
            return;
        }
        let place = self.registers.iter().position(|known| known.name == record.register);
        let place = place.unwrap_or_else(|| {
            self.registers.push(OfRegister::new(record.register.clone()));
            self.registers.len() - 1
        });
        let register = &mut self.registers[place];
        register.events += 1;
        register.vouched += u64::from(explained.is_vouched());
    }

    pub(super) fn conclude(&mut self, report: &Report) {
        for register in &mut self.registers {
            register.conclude(report);
        }
        for register in &report.registers {
            let text = match register.matched {
                Match::Complete | Match::Unchecked => continue,
                Match::Prefix { beyond, .. } => format!(
                    "the {} value was read before the log's last {beyond} records, or these are \
                     made up",
                    register.bank
                ),
                Match::Mismatch if register.records == 0 => format!(
                    "the {} value is not the start value, and this log has no record for it",
                    register.bank
                ),
                Match::Mismatch => format!(
                    "this log does not lead to the {} value: it was altered, records are missing, or \
                     another log is about the rest (tsm replay --then)",
                    register.bank
                ),
            };
            self.unexplained.push((register.name.clone(), text));
        }
        self.secure_boot = report.conclusions.as_ref().map(secure_boot);
    }
}

fn secure_boot(conclusions: &Conclusions) -> Json {
    match &conclusions.secure_boot {
        Ok(found) => {
            let [pk, kek, db, dbx] = found.lists;
            let state = if found.is_enabled { "on" } else { "off" };
            let text = format!(
                "{state}, by {} (entries: PK {pk}, KEK {kek}, db {db}, dbx {dbx})",
                found.register
            );
            json!({
                "known": true,
                "enabled": found.is_enabled,
                "register": found.register,
                "entries": { "PK": pk, "KEK": kek, "db": db, "dbx": dbx },
                "authorities": found.authorities,
                "reason": null,
                "text": text,
            })
        }
        Err(unknown) => json!({
            "known": false,
            "enabled": null,
            "register": null,
            "entries": null,
            "authorities": null,
            "reason": unknown.reason,
            "text": format!("not known: {}", unknown.text),
        }),
    }
}

impl OfRegister {
    fn new(name: String) -> Self {
        Self { name, events: 0, vouched: 0, says: Vec::new() }
    }

    fn conclude(&mut self, report: &Report) {
        let results = report.registers.iter().filter(|register| register.name == self.name);
        let is_expected = results.clone().any(|register| register.expected.is_some());
        self.says.push(match (self.events, self.vouched) {
            (0, _) if is_expected && results.clone().all(|r| r.matched != Match::Mismatch) => {
                "no event, and its start value".into()
            }
            (0, _) if is_expected => "no event, but not its start value".into(),
            (events, 0) if !is_expected => {
                format!("{events} events, untrusted: no value was given")
            }
            (events, 0) => format!("{events} events, untrusted: they do not lead to the value"),
            (events, vouched) if events == vouched => format!("{events} events, all vouched for"),
            (events, vouched) => format!("{events} events, the first {vouched} vouched for"),
        });
        let Some(conclusions) = &report.conclusions else { return };
        let separators = conclusions.separators.iter().filter(|(name, _)| *name == self.name);
        self.says.extend(separators.map(|(_, text)| text.clone()));
        if let Ok(found) = &conclusions.secure_boot
            && found.register == self.name
        {
            self.says.push(format!("Secure Boot {}", if found.is_enabled { "on" } else { "off" }));
            if let Some(count) = found.authorities {
                self.says.push(format!("{count} events tell what vouched for what was loaded"));
            }
        }
    }

    pub(super) fn json(&self) -> Json {
        json!({
            "name": self.name,
            "events": self.events,
            "vouched_for": self.vouched,
            "says": self.says,
        })
    }
}
