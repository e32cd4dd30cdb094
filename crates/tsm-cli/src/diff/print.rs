// SPDX-License-Identifier: MIT OR Apache-2.0
//! A difference as text or JSON.

use std::io::Write;

use serde_json::{Map, Value as Json, json};
use tsm_core::hex::Hex;

use super::{Difference, Register};
use crate::Result;
use crate::events::Record;
use crate::show::{CONTENT, short, shown_digest};
use crate::style::{BAD, Escaped, FAINT, GOOD, HEAD, NOTE, Styled, json_text, output};

/// Events of one kind that are listed for a register; JSON has all.
const LISTED: usize = 12;

impl Difference<'_, '_> {
    pub(crate) fn print_table(&self) -> Result<()> {
        let mut out = output(false);
        let [a, b] = self.sides;
        writeln!(out, "a: format {}, b: format {}", a.format, b.format)?;
        let untrusted = Styled(NOTE, "both untrusted until replayed against evidence");
        writeln!(out, "compared by digests of {}; {untrusted}", self.banks.join(", "))?;
        let head = format!("{:<10}{:>7}{:>7}  RESULT", "REGISTER", "A", "B");
        writeln!(out, "{}", Styled(HEAD, head))?;
        for register in &self.registers {
            let [a, b] = register.events.map(<[_]>::len);
            let name = Escaped(register.name.as_bytes()).to_string();
            writeln!(out, "{name:<10}{a:>7}{b:>7}  {}", register.result())?;
        }
        for register in self.registers.iter().filter(|register| register.has_details()) {
            register.print(&mut out)?;
        }
        for (name, side) in ["a", "b"].into_iter().zip(self.sides) {
            if side.not_compared > 0 {
                let text = format!(
                    "{} records of {name} extend nothing and were not compared",
                    side.not_compared
                );
                writeln!(out, "{}", Styled(FAINT, text))?;
            }
            if let Some(broken) = &side.broken {
                writeln!(out, "{} {name}: {broken}", Styled(NOTE, "malformed:"))?;
            }
        }
        if self.is_equal() {
            writeln!(out, "{}", Styled(GOOD, "the registers are equal"))?;
        } else {
            writeln!(out, "{}", Styled(BAD, "the registers differ"))?;
        }
        Ok(out.flush()?)
    }

    pub(crate) fn print_json(&self) -> Result<()> {
        let mut out = output(true);
        let side = |index: usize| {
            let side = self.sides[index];
            json!({
                "format": side.format,
                "not_compared": side.not_compared,
                "error": side.broken,
            })
        };
        let registers: Vec<_> = self.registers.iter().map(Register::json).collect();
        let json = json!({
            "schema": "tsm.diff/1",
            "trusted": false,
            "a": side(0),
            "b": side(1),
            "banks": self.banks,
            "registers": registers,
            "equal": self.is_equal(),
        });
        writeln!(out, "{}", json_text(&json, true))?;
        Ok(out.flush()?)
    }
}

impl Register<'_, '_> {
    fn result(&self) -> String {
        if self.is_equal() {
            return match self.shown_differently.len() {
                0 => Styled(GOOD, "equal").to_string(),
                count => format!("{}, {count} shown differently", Styled(GOOD, "equal")),
            };
        }
        let text = match self.alignment.first {
            (None, None) => "same events, another start value".to_string(),
            (Some(_), None) => "a has more events".to_string(),
            (None, Some(_)) => "b has more events".to_string(),
            (Some(at), Some(_)) => format!("differs from event {at} on"),
        };
        Styled(BAD, text).to_string()
    }

    fn has_details(&self) -> bool {
        !self.is_equal() || !self.shown_differently.is_empty()
    }

    fn print(&self, out: &mut impl Write) -> std::io::Result<()> {
        let [a, b] = self.events;
        let alignment = &self.alignment;
        writeln!(out)?;
        writeln!(out, "{}", Styled(HEAD, Escaped(self.name.as_bytes())))?;
        if !alignment.is_equal() {
            writeln!(out, "  where they part")?;
            for (side, events, at) in [("a", a, alignment.first.0), ("b", b, alignment.first.1)] {
                match at.and_then(|at| events.get(at)) {
                    Some(event) => writeln!(out, "    {side} {}", line(event))?,
                    None => writeln!(out, "    {side} has no more events")?,
                }
            }
        }
        for (title, events, places) in
            [("only in a", a, &alignment.only_a), ("only in b", b, &alignment.only_b)]
        {
            list(out, title, places.iter().filter_map(|at| events.get(*at)).map(line))?;
        }
        let pair = |(at, bt): &(usize, usize)| {
            let (a, b) = (a.get(*at)?, b.get(*bt)?);
            Some(format!("record {} of a, {} of b: {}", a.place.record, b.place.record, what(b)))
        };
        list(out, "moved", alignment.moved.iter().filter_map(pair))?;
        let both = |(at, bt): &(usize, usize)| {
            let (a, b) = (a.get(*at)?, b.get(*bt)?);
            let (at, bt) = (a.place.record, b.place.record);
            Some(format!("record {at} of a: {}; record {bt} of b: {}", what(a), what(b)))
        };
        let title = "same digest, shown differently (no digest covers that)";
        list(out, title, self.shown_differently.iter().filter_map(both))?;
        for (a, b) in self.values.iter().filter(|(a, b)| a != b) {
            writeln!(out, "  value {}", a.algorithm())?;
            writeln!(out, "    a {}", Hex(a.as_bytes()))?;
            writeln!(out, "    b {}", Hex(b.as_bytes()))?;
        }
        if alignment.is_equal() && !self.are_values_equal() {
            let text = "the start value: as a rule a start-up locality that one log tells";
            writeln!(out, "  {} {text}", Styled(NOTE, "usually:"))?;
        }
        for cause in self.causes() {
            writeln!(out, "  {} {cause}", Styled(NOTE, "usually:"))?;
        }
        Ok(())
    }

    fn json(&self) -> Json {
        let [a, b] = self.events;
        let alignment = &self.alignment;
        let of = |events: &[Record<'_>], at: usize| {
            events.get(at).map_or(Json::Null, |event| event_json(event, at))
        };
        let all = |events: &[Record<'_>], places: &[usize]| -> Vec<Json> {
            places.iter().map(|at| of(events, *at)).collect()
        };
        let pairs = |pairs: &[(usize, usize)]| -> Vec<Json> {
            pairs.iter().map(|(at, bt)| json!({ "a": of(a, *at), "b": of(b, *bt) })).collect()
        };
        let values: Vec<_> = self
            .values
            .iter()
            .map(|(a, b)| {
                json!({
                    "bank": a.algorithm().name(),
                    "a": Hex(a.as_bytes()).to_string(),
                    "b": Hex(b.as_bytes()).to_string(),
                    "equal": a == b,
                })
            })
            .collect();
        let (first_a, first_b) = alignment.first;
        let first = json!({
            "a": first_a.map(|at| of(a, at)),
            "b": first_b.map(|at| of(b, at)),
        });
        json!({
            "name": self.name,
            "equal": self.is_equal(),
            "events": { "a": a.len(), "b": b.len() },
            "first": if alignment.is_equal() { Json::Null } else { first },
            "only_in_a": all(a, &alignment.only_a),
            "only_in_b": all(b, &alignment.only_b),
            "moved": pairs(&alignment.moved),
            "shown_differently": pairs(&self.shown_differently),
            "values": values,
            "usually": self.causes(),
        })
    }
}

fn list(
    out: &mut impl Write,
    title: &str,
    lines: impl Iterator<Item = String>,
) -> std::io::Result<()> {
    let (mut shown, mut more) = (0, 0);
    for line in lines {
        if shown == 0 {
            writeln!(out, "  {title}")?;
        }
        if shown < LISTED {
            writeln!(out, "    {line}")?;
            shown += 1;
        } else {
            more += 1;
        }
    }
    if more > 0 { writeln!(out, "    and {more} more; --json has them all") } else { Ok(()) }
}

/// An event on one line.
fn line(event: &Record<'_>) -> String {
    let digest = shown_digest(&event.digests).map(short).unwrap_or_default();
    let place = event.place;
    format!("record {}, byte {}: {digest} {}", place.record, place.offset, what(event))
}

/// Type and content.
fn what(event: &Record<'_>) -> String {
    let kind = event.kind.to_string();
    format!("{} {}", Escaped(kind.as_bytes()), event.text.front(CONTENT))
}

fn event_json(event: &Record<'_>, at: usize) -> Json {
    let digests = event.digests.iter();
    let digests: Map<_, _> =
        digests.map(|one| (one.bank.to_string(), Hex(&one.bytes).to_string().into())).collect();
    json!({
        "event": at,
        "record": event.place.record,
        "offset": event.place.offset,
        "line": event.place.line,
        "type": { "number": event.kind.number, "name": event.kind.name },
        "digests": digests,
        "text": event.text.lossy(),
    })
}
