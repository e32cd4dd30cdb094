// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a replay is asked: start values and expected values, for which registers and banks.

use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;

use tsm_core::{Algorithm, Digest};

use super::report::{Finding, algorithms};
use crate::Result;
use crate::args::{self, Format};
use crate::evidence::{self, Said};
use crate::failure::Failure;
use crate::input;
use crate::naming::Naming;
use crate::parse::{self, RegisterList, Value};

/// The arguments of a replay, with the values of files among them.
pub(crate) struct Asked<'c> {
    pub(crate) question: &'c args::Question,
    /// Names of virtual registers to fold.
    pub(crate) virtuals: Vec<String>,
    /// Whether it is to be said which records the values vouch for.
    pub(crate) is_explained: bool,
    pub(crate) format: Format,
    pub(crate) naming: Naming,
    pub(crate) expected: Vec<Value>,
    /// What to know of the evidence among the expected values.
    pub(crate) of_evidence: Vec<Finding>,
    /// Names of `--register`.
    selected: Vec<&'c str>,
}

impl<'c> Asked<'c> {
    /// Reads the files of values. Of those only what `--bank` and `--register` name counts.
    pub(crate) fn new(
        question: &'c args::Question,
        files: &[PathBuf],
        format: Format,
    ) -> Result<Self> {
        let selected: Vec<_> = RegisterList::names(&question.registers).collect();
        if format.has_one_register() && selected.len() > 1 {
            return Err(Failure::usage("the log is about one register; give one --register"));
        }
        let Said { values: mut of_evidence, findings } = evidence::read(&question.evidence)?;
        let mut of_files = Vec::new();
        for file in &question.expected_files {
            let text = fs::read_to_string(file).map_err(Failure::at(file))?;
            let values = parse::lines_of_values(&text);
            of_files
                .extend(values.map_err(|e| Failure::usage(format!("{}: {e}", file.display())))?);
        }
        let register = input::register_name(selected.first().copied(), files);
        let given = question.starts.iter().chain(&question.expected).chain(&of_files);
        let given = given.chain(&of_evidence);
        let names = given.filter_map(|value| value.register.as_deref());
        let names = names.chain(selected.iter().copied());
        let naming = Naming::new(format, question.reading.platform, names, register);
        let mut asked = Self {
            question,
            virtuals: Vec::new(),
            is_explained: false,
            format,
            naming,
            expected: question.expected.clone(),
            of_evidence: findings,
            selected,
        };
        // Evidence has all registers, and a log of one is not about the others.
        if format.has_one_register() {
            of_evidence.retain(|value| {
                let name = value.register.as_deref();
                name.is_some_and(|name| asked.naming.are_same(name, &asked.naming.register))
            });
            if of_evidence.is_empty() && !question.evidence.sources.is_empty() {
                return Err(Failure::usage(format!(
                    "the evidence has no register '{}'; --register names the log's",
                    asked.naming.register
                )));
            }
        }
        of_files.extend(of_evidence);
        let counts = |value: &Value| {
            let bank = value.digest.algorithm();
            (question.banks.is_empty() || question.banks.contains(&bank))
                && value.register.as_deref().is_none_or(|name| asked.names(name))
        };
        of_files.retain(counts);
        // Comparing with nothing would look like success.
        let has_files =
            !(question.expected_files.is_empty() && question.evidence.sources.is_empty());
        if has_files && of_files.is_empty() {
            return Err(Failure::usage(
                "no value in the files of expected values is for a register and bank asked for",
            ));
        }
        asked.expected.extend(of_files);
        asked.refuse_contradictions(&question.starts)?;
        asked.refuse_contradictions(&asked.expected)?;
        Ok(asked)
    }

    /// Of two values for one register and bank at most one is right, and a value for a register that
    /// is not reported would be compared unseen.
    fn refuse_contradictions(&self, values: &[Value]) -> Result<()> {
        let mut known = HashMap::new();
        for value in values {
            let (name, bank) = (self.named(value), value.digest.algorithm());
            if let Some(name) = name.filter(|name| !self.selects(name)) {
                return Err(Failure::usage(format!(
                    "a value is for {name}, which --register does not name"
                )));
            }
            let first = known.entry((name.map(|name| self.naming.canonical(name)), bank));
            if *first.or_insert(value.digest) != value.digest {
                let name = name.map(|name| format!(" for {name}")).unwrap_or_default();
                return Err(Failure::usage(format!("two different {bank} values are given{name}")));
            }
        }
        // A value without a name is for a register that only the log knows.
        let unnamed = |value: &Value| known.get(&(None, value.digest.algorithm()));
        match values.iter().find(|v| unnamed(v).is_some_and(|digest| *digest != v.digest)) {
            None => Ok(()),
            Some(value) => Err(Failure::usage(format!(
                "two different {} values are given, one without its register's name",
                value.digest.algorithm()
            ))),
        }
    }

    /// Refuses registers that are asked about by name while values are given for others only: a
    /// verdict would look as if it were about all of them.
    pub(super) fn refuse_unanswered(&self) -> Result<()> {
        if self.expected.is_empty() || self.format.has_one_register() {
            return Ok(());
        }
        // A value without a name is refused, or is for the only register.
        let names: Option<Vec<_>> = self.expected.iter().map(|value| self.named(value)).collect();
        let Some(names) = names else { return Ok(()) };
        let has_value = |name: &&str| names.iter().any(|other| self.naming.are_same(name, other));
        match self.selected.iter().find(|name| !has_value(name)) {
            None => Ok(()),
            Some(name) => Err(Failure::usage(format!(
                "no value is given for {name}: leave it out of --register, or say which value it has"
            ))),
        }
    }

    /// The name of a value's register, as far as the command line tells.
    fn named<'v>(&'v self, value: &'v Value) -> Option<&'v str> {
        match (value.register.as_deref(), self.selected.as_slice()) {
            (Some(name), _) => Some(name),
            (None, [only]) => Some(only),
            _ => None,
        }
    }

    /// Whether the register of this name is to be reported.
    pub(crate) fn selects(&self, name: &str) -> bool {
        self.format.has_one_register() || self.names(name)
    }

    /// Whether `--register` names it, or is not there.
    fn names(&self, name: &str) -> bool {
        self.naming.selects(self.selected.iter().copied(), name)
    }

    /// The register that a value is for. Only where one is meant it need not be named.
    pub(crate) fn register_of<'v>(&'v self, value: &'v Value) -> Result<&'v str> {
        self.named(value).ok_or_else(|| {
            Failure::usage("the log is about several registers: write values as REGISTER:ALG/HEX")
        })
    }

    /// The same for a log that mostly is about one register, the `usual` one, if none is asked about.
    pub(super) fn register_or<'v>(&'v self, value: &'v Value, usual: &'v str) -> Result<&'v str> {
        match self.named(value) {
            None if self.selected.is_empty() => Ok(usual),
            _ => self.register_of(value),
        }
    }

    /// The one register that several logs are about.
    pub(super) fn only_register(&self) -> Result<&str> {
        let values = self.question.starts.iter().chain(&self.expected);
        let mut names = values.filter_map(|value| value.register.as_deref());
        match (self.selected.as_slice(), names.next()) {
            ([only], _) => Ok(only),
            ([], Some(name)) if names.all(|other| self.naming.are_same(name, other)) => Ok(name),
            _ => Err(Failure::usage(
                "several logs explain one register: say --register NAME, one name",
            )),
        }
    }

    /// The values for the register of this name; values for others are a mistake.
    pub(super) fn values_of(&self, name: &str, values: &[Value]) -> Result<Vec<Digest>> {
        let is_other = |value: &&Value| {
            value.register.as_deref().is_some_and(|other| !self.naming.are_same(other, name))
        };
        if let Some(other) = values.iter().find(is_other) {
            let other = other.register.as_deref().unwrap_or_default();
            return Err(Failure::usage(format!("a value is for {other}, the logs are for {name}")));
        }
        Ok(values.iter().map(|value| value.digest).collect())
    }

    /// The banks to replay: those asked for, else those of the log. Values must be of these.
    pub(crate) fn banks(&self, of_log: &[Algorithm]) -> Result<Vec<Algorithm>> {
        let mut banks = Vec::new();
        for bank in if self.question.banks.is_empty() { of_log } else { &self.question.banks } {
            if !banks.contains(bank) {
                banks.push(*bank);
            }
        }
        for bank in self.value_banks() {
            if !self.question.banks.is_empty() && !banks.contains(&bank) {
                let message = format!("a {bank} value is given, but no --bank {bank}");
                return Err(Failure::usage(message));
            }
            if !of_log.is_empty() && !of_log.contains(&bank) {
                return Err(absent_bank(of_log, bank));
            }
        }
        match banks.iter().find(|bank| !of_log.is_empty() && !of_log.contains(bank)) {
            Some(bank) => Err(absent_bank(of_log, *bank)),
            None if banks.is_empty() => Err(Failure::usage(
                "the log has no digest of an algorithm that this program can compute; if it is \
                 empty, say --bank ALG",
            )),
            None => Ok(banks),
        }
    }

    /// The algorithms of all values.
    pub(crate) fn value_banks(&self) -> Vec<Algorithm> {
        algorithms(self.question.starts.iter().chain(&self.expected).map(|value| &value.digest))
    }

    /// Values for a log of one register, which need not be named.
    pub(crate) fn of_one_register(&self, values: &[Value]) -> Result<Vec<Digest>> {
        let name = &self.naming.register;
        for value in values {
            let other = value.register.as_deref();
            let other = other.filter(|other| !self.naming.are_same(other, name));
            if let Some(other) = other {
                return Err(Failure::usage(format!(
                    "the log's register is called '{name}' here, not '{other}'; --register names it"
                )));
            }
        }
        Ok(values.iter().map(|value| value.digest).collect())
    }
}

fn absent_bank(of_log: &[Algorithm], bank: Algorithm) -> Failure {
    let names: Vec<_> = of_log.iter().map(|bank| bank.name()).collect();
    Failure::usage(format!("the log has digests of {}, not of {bank}", names.join(", ")))
}

impl Format {
    /// Whether the log is about one register, which it does not name.
    pub(crate) const fn has_one_register(self) -> bool {
        matches!(self, Self::Record | Self::Aael | Self::DstackLog)
    }
}
