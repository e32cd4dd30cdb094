// SPDX-License-Identifier: MIT OR Apache-2.0
//! Replay of an IMA measurement list: one register per PCR the list names.

use std::collections::HashSet;

use tsm_core::Algorithm;
use tsm_core::replay::Match;
use tsm_eventlog::ima::{Bank, BankRule, List, Replay};
use tsm_eventlog::{Error, ErrorKind};

use super::asked::Asked;
use super::report::{Finding, Register, Report, absent, not_expected};
use crate::Result;
use crate::events::{PCRS, ima_format};
use crate::failure::Failure;

pub(super) fn replay(log: &[u8], asked: &Asked<'_>) -> Result<Report> {
    let list = List::open(log).map_err(|error| Failure::usage(error.to_string()))?;
    let format = ima_format(&list);
    let default = match list.clone().next() {
        Some(Ok(entry)) => format!("pcr{}", entry.pcr()),
        _ => "pcr10".to_string(),
    };
    let question = Question { asked, default };
    let banks = banks(asked)?;
    let mut run = question.best_answer(&list, &banks)?;
    if let (Some(_), List::Binary(binary)) = (run.error, &list) {
        // Old lists of the template `ima` may have MD5 digests, which the template digests prove.
        let md5 = question.best_answer(&List::Binary(binary.clone().md5()), &banks)?;
        if md5.error.is_none() {
            run = md5;
            run.md5 = true;
        }
    }
    Ok(run.report(format, asked))
}

/// What is asked of a list.
struct Question<'c> {
    asked: &'c Asked<'c>,
    /// The register that values are for which do not name one.
    default: String,
}

impl Question<'_> {
    /// The rule by which a kernel fills a bank is not in the list: tries them, bank by bank, where
    /// the usual one does not give the expected values.
    fn best_answer(&self, list: &List<'_>, banks: &[Algorithm]) -> Result<Run> {
        let mut chosen: Vec<_> = banks.iter().copied().map(Bank::hashed).collect();
        let usual = self.answer(list, &chosen)?;
        if usual.is_complete() {
            return Ok(usual);
        }
        for bank in &mut chosen {
            let mut best = self.answer(list, &[*bank])?.rank();
            for rule in [BankRule::PaddedSha1, BankRule::PaddedSha1Legacy] {
                let other = Bank::with_rule(bank.algorithm, rule);
                let rank = self.answer(list, &[other])?.rank();
                if rank > best {
                    (*bank, best) = (other, rank);
                }
            }
        }
        self.answer(list, &chosen)
    }

    /// One replay, asked about the values for its banks.
    fn answer(&self, list: &List<'_>, banks: &[Bank]) -> Result<Run> {
        let usage = |error: Error| Failure::usage(error.to_string());
        let mut replay = Box::new(Replay::<PCRS>::new(banks).map_err(usage)?);
        let values = [(&self.asked.question.starts, false), (&self.asked.expected, true)];
        for (value, expected) in values.into_iter().flat_map(|(v, e)| v.iter().map(move |v| (v, e)))
        {
            let name = self.asked.register_or(value, &self.default)?;
            let pcr = name.strip_prefix("pcr").and_then(|n| n.parse().ok());
            let pcr = pcr.ok_or_else(|| Failure::usage(format!("'{name}' is not pcrN")))?;
            if banks.iter().any(|bank| bank.algorithm == value.digest.algorithm()) {
                let set = if expected { Replay::expect } else { Replay::start };
                set(&mut replay, pcr, value.digest).map_err(usage)?;
            }
        }
        let finished = replay.run(list.clone());
        let error = finished.error();
        let trusted = match self.asked.is_explained {
            true => finished.entries().map(|entry| entry.position().offset).collect(),
            false => HashSet::new(),
        };
        Ok(Run { replay, error, trusted, md5: false })
    }
}

fn banks(asked: &Asked<'_>) -> Result<Vec<Algorithm>> {
    let mut of_values = asked.value_banks();
    if of_values.is_empty() {
        of_values = vec![Algorithm::Sha1, Algorithm::Sha256];
    }
    if asked.question.banks.is_empty() { Ok(of_values) } else { asked.banks(&[]) }
}

/// A replay and where it ended.
struct Run {
    replay: Box<Replay<PCRS>>,
    error: Option<Error>,
    /// Offsets of the records that the values vouch for.
    trusted: HashSet<u64>,
    /// Whether file digests of 16 bytes were taken into account.
    md5: bool,
}

impl Run {
    fn results(&self) -> impl Iterator<Item = Match> {
        self.replay
            .registers()
            .flat_map(|r| r.results().map(|(_, m)| m))
            .filter(|m| *m != Match::Unchecked)
    }

    fn is_complete(&self) -> bool {
        self.results().all(|m| m == Match::Complete)
    }

    /// How well the expected values came out.
    fn rank(&self) -> u64 {
        self.results()
            .map(|m| match m {
                Match::Complete => u64::MAX >> 8,
                Match::Prefix { matched, .. } => matched.min(u64::MAX >> 16),
                Match::Mismatch | Match::Unchecked => 0,
            })
            .sum()
    }

    fn report(self, format: &'static str, asked: &Asked<'_>) -> Report {
        let mut registers = Vec::new();
        let mut findings = Vec::new();
        let mut results = self.results().peekable();
        let (mut unexpected, mut missing) = (Vec::new(), Vec::new());
        let mut holds = results.peek().is_some().then(|| results.all(|m| m == Match::Complete));
        drop(results);
        for register in self.replay.registers() {
            let name = format!("pcr{}", register.pcr());
            if !asked.selects(&name) {
                continue;
            }
            for bank in self.replay.banks() {
                let algorithm = bank.algorithm;
                let Some(value) = register.value(algorithm) else { continue };
                registers.push(Register {
                    name: name.clone(),
                    bank: algorithm,
                    value: Some(value),
                    expected: register.expected(algorithm),
                    records: register.entries(),
                    matched: register.result(algorithm),
                });
                if let Match::Prefix { matched, beyond } = register.result(algorithm) {
                    findings.push(Finding::general(
                        "prefix",
                        format!(
                            "{name}:{algorithm} was read after record {matched}; {beyond} records \
                         beyond it are not authenticated"
                        ),
                    ));
                }
            }
            match (register.entries(), register.results().next()) {
                (0, Some(_)) => missing.push(name.clone()),
                (1.., None) => unexpected.push(name.clone()),
                _ => {}
            }
            if register.violations() > 0 {
                findings.push(Finding::general("violations", format!(
                    "{} of {name}'s records are violations (files changed while measured); nothing \
                     of them is covered by a digest",
                    register.violations()
                )));
            }
            if register.boot_aggregates() > 1 {
                findings.push(Finding::general(
                    "boot-aggregates",
                    format!(
                        "{name} has {} boot_aggregate records: the kernel was replaced by kexec",
                        register.boot_aggregates()
                    ),
                ));
            }
        }
        findings.extend(absent(&missing));
        findings.extend(not_expected(&unexpected, holds));
        for bank in self.replay.banks().filter(|bank| bank.rule != BankRule::Hashed) {
            findings.push(Finding::general(
                "padded-sha1",
                format!(
                    "the {} bank holds zero-padded SHA-1 digests: its records are only as well \
                     protected as SHA-1 protects them",
                    bank.algorithm
                ),
            ));
        }
        if self.md5 {
            let text = "files are named by MD5 digests, which protect against nobody";
            findings.push(Finding::general("md5", text.into()));
        }
        let mut malformed = None;
        if let Some(error) = self.error {
            holds = Some(false);
            let text = error.to_string();
            let (line, offset) =
                (Some(error.line().unwrap_or(error.record())), Some(error.offset()));
            let record = Some(error.record());
            if error.kind() == ErrorKind::TemplateDigest {
                findings.push(Finding { kind: "template-digest", record, line, offset, text });
            } else {
                malformed = Some(text.clone());
                findings.push(Finding { kind: "malformed", record, line, offset, text });
            }
        }
        let trusted = self.trusted;
        Report { format, registers, findings, holds, malformed, trusted, ..Report::default() }
    }
}
