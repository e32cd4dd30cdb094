// SPDX-License-Identifier: MIT OR Apache-2.0
//! `tsm diff`: two logs, register by register: where they part, and what that usually means.
//!
//! Compared is what registers are extended with, in its order: the digests of the banks that both
//! logs have. Types and descriptions are covered by no digest, so two records with the same digests
//! are the same event, and it is only told if they are shown differently.

mod align;

mod print;
mod side;

use std::collections::HashMap;
use std::path::Path;

use tsm_core::Digest;

use crate::args;
use crate::causes;
use crate::events::Record;
use crate::failure::Failure;
use crate::parse::RegisterList;
use crate::{Result, Verdict};
use align::{Alignment, align};
use side::Side;

pub(crate) fn run(command: &args::Diff) -> Result {
    if command.a == command.b && command.a == Path::new("-") {
        return Err(Failure::usage("standard input can be one of the logs only"));
    }
    let bytes = [side::read(&command.a)?, side::read(&command.b)?];
    let [a, b] = side::open_both(&bytes, command)?;
    let difference = Difference::of(&a, &b, command)?;
    if command.json {
        difference.print_json()?;
    } else {
        difference.print_table()?;
    }
    for (side, file) in [(&a, &command.a), (&b, &command.b)] {
        if let Some(broken) = &side.broken {
            return Err(Failure::usage(format!("{}: {broken}", file.display())));
        }
    }
    Ok(if difference.is_equal() { Verdict::Holds } else { Verdict::DoesNotHold })
}

/// What differs.
pub(crate) struct Difference<'s, 'a> {
    pub(crate) sides: [&'s Side<'a>; 2],
    pub(crate) banks: Vec<String>,
    pub(crate) registers: Vec<Register<'s, 'a>>,
}

/// A register in both logs.
pub(crate) struct Register<'s, 'a> {
    pub(crate) name: &'s str,
    pub(crate) events: [&'s [Record<'a>]; 2],
    pub(crate) alignment: Alignment,
    /// Pairs of the same digests whose type or content differs.
    pub(crate) shown_differently: Vec<(usize, usize)>,
    /// The last values of the banks that both have, as far as they are known.
    pub(crate) values: Vec<(Digest, Digest)>,
}

impl<'s, 'a> Difference<'s, 'a> {
    fn of(a: &'s Side<'a>, b: &'s Side<'a>, command: &args::Diff) -> Result<Self> {
        let banks = side::common_banks(a, b, command)?;
        let names = RegisterList::names(&command.registers);
        let is_selected = |name: &&str| a.naming.selects(names.clone(), name);
        let mut all: Vec<&str> =
            a.registers.keys().chain(b.registers.keys()).map(|n| &**n).collect();
        all.retain(is_selected);
        all.sort_by_key(|name| natural(name));
        all.dedup();
        let is_common =
            |name: &&str| a.registers.contains_key(*name) && b.registers.contains_key(*name);
        if !all.is_empty() && !a.is_empty() && !b.is_empty() && !all.iter().any(is_common) {
            return Err(Failure::usage(
                "the logs have no register in common; if they name the same ones differently, say \
                 --platform",
            ));
        }
        let mut numbers = Numbers { banks: &banks, known: HashMap::new() };
        let registers = all.into_iter().map(|name| numbers.compare(name, a, b)).collect();
        Ok(Self { sides: [a, b], banks, registers })
    }

    pub(crate) fn is_equal(&self) -> bool {
        self.registers.iter().all(Register::is_equal)
    }
}

impl Register<'_, '_> {
    pub(crate) fn is_equal(&self) -> bool {
        self.alignment.is_equal() && self.are_values_equal()
    }

    pub(crate) fn are_values_equal(&self) -> bool {
        self.values.iter().all(|(a, b)| a == b)
    }

    /// What such differences usually mean, for the first events that differ, and what the first event
    /// of each kind is about.
    pub(crate) fn causes(&self) -> Vec<String> {
        const MOST: usize = 4;
        let [a, b] = self.events;
        let Alignment { first, only_a, only_b, .. } = &self.alignment;
        let firsts = [(a, first.0), (b, first.1)].into_iter();
        let firsts = firsts.filter_map(|(events, at)| events.get(at?));
        let others = only_a.iter().filter_map(|at| a.get(*at));
        let others = others.chain(only_b.iter().filter_map(|at| b.get(*at)));
        let mut causes: Vec<(&str, Option<String>)> = Vec::new();
        for event in firsts.chain(others) {
            let Some(cause) = causes::usual(self.name, &event.kind, &event.text) else { continue };
            if causes.iter().all(|(known, _)| *known != cause) {
                causes.push((cause, event.subject()));
            }
            if causes.len() == MOST {
                break;
            }
        }
        let with_subject = |(cause, subject): (&str, Option<String>)| match subject {
            Some(subject) => format!("{cause} (here: {subject})"),
            None => cause.to_string(),
        };
        causes.into_iter().map(with_subject).collect()
    }
}

/// Numbers for digests: equal ones have the same.
struct Numbers<'b> {
    banks: &'b [String],
    known: HashMap<Vec<u8>, usize>,
}

impl Numbers<'_> {
    fn compare<'s, 'a>(
        &mut self,
        name: &'s str,
        a: &'s Side<'a>,
        b: &'s Side<'a>,
    ) -> Register<'s, 'a> {
        let events = [a, b].map(|side| side.registers.get(name).map_or(&[][..], |r| &r.events));
        let [of_a, of_b] = events.map(|events| self.all(events));
        let alignment = align(&of_a, &of_b);
        let shown_differently =
            alignment.same().filter(|(at, bt)| differ(&events[0][*at], &events[1][*bt])).collect();
        let values = |side: &'s Side<'a>| side.registers.get(name).map(|r| &*r.values);
        let (mut both, of_b) = (Vec::new(), values(b).unwrap_or_default());
        for value in values(a).unwrap_or_default() {
            let bank = value.algorithm();
            let other = of_b.iter().find(|other| other.algorithm() == bank);
            if let Some(other) = other.filter(|_| self.banks.iter().any(|b| b == bank.name())) {
                both.push((*value, *other));
            }
        }
        Register { name, events, alignment, shown_differently, values: both }
    }

    fn all(&mut self, events: &[Record<'_>]) -> Vec<usize> {
        events.iter().map(|event| self.of(event)).collect()
    }

    fn of(&mut self, event: &Record<'_>) -> usize {
        let mut key = Vec::new();
        for bank in self.banks {
            let digest = event.digests.iter().find(|one| one.bank == *bank);
            let digest = digest.map_or(&[][..], |one| &one.bytes);
            // The length keeps digests of different banks apart.
            key.extend(digest.len().to_le_bytes());
            key.extend(digest);
        }
        if key.iter().all(|byte| *byte == 0) {
            // No digest of those banks: two such records are not equal for that.
            for one in &event.digests {
                key.extend(one.bank.as_bytes());
                key.push(b'/');
                key.extend(&*one.bytes);
            }
        }
        let next = self.known.len();
        *self.known.entry(key).or_insert(next)
    }
}

/// Whether two records of the same digests say different things.
fn differ(a: &Record<'_>, b: &Record<'_>) -> bool {
    let data = match (&a.data, &b.data) {
        (Some(a), Some(b)) => a != b,
        // One of the formats does not keep it.
        _ => a.text != b.text,
    };
    data || a.kind != b.kind
}

/// An order in which `pcr9` is before `pcr10`.
fn natural(name: &str) -> (&str, u64) {
    let kind = name.trim_end_matches(|c: char| c.is_ascii_digit());
    let number = name.strip_prefix(kind).and_then(|number| number.parse().ok());
    (kind, number.unwrap_or_default())
}
