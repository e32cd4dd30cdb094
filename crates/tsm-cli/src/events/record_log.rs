// SPDX-License-Identifier: MIT OR Apache-2.0
//! Lines of record logs.

use serde_json::{Value as Json, json};
use tsm_core::log::{Limits, Line, Lines, LogError, UntrustedLine, first_banks};
use tsm_core::replay::Replay;
use tsm_core::{Algorithm, Banks, Digest};

use super::{Broken, Content, Kind, Opened, Options, Place, Record, Source};
use crate::failure::Failure;

pub(super) fn open<'a>(bytes: &'a [u8], options: &Options<'_>) -> crate::Result<Opened<'a>> {
    let mut banks = first_banks(bytes, Limits::DEFAULT).unwrap_or(Banks::NONE);
    for bank in options.banks {
        banks = banks.and(*bank).unwrap_or(banks);
    }
    let shown = |bank: &Algorithm| options.banks.is_empty() || options.banks.contains(bank);
    let shown = banks.iter().filter(shown).collect();
    let start: Vec<_> = banks.iter().map(Digest::zeros).collect();
    let replay = match Replay::new(&start) {
        Ok(replay) => options.values.then_some(replay),
        Err(_) if banks.is_empty() => None,
        Err(error) => return Err(Failure::usage(error.to_string())),
    };
    let lines = Lines::new(bytes, Limits::DEFAULT);
    let register = options.naming.register.clone();
    Ok(Opened {
        format: "record",
        header: None,
        about: Vec::new(),
        records: Box::new(Records { lines, register, shown, replay, count: 0 }),
    })
}

struct Records<'a> {
    lines: Lines<'a>,
    register: String,
    /// Banks whose digests are shown.
    shown: Vec<Algorithm>,
    replay: Option<Replay>,
    /// Lines that were given.
    count: u64,
}

impl<'a> Iterator for Records<'a> {
    type Item = Result<Record<'a>, Broken>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let line = match self.lines.next()? {
                Ok(line) => line,
                Err(error) => return Some(Err(self.broken(&error))),
            };
            if let Some(replay) = &mut self.replay
                && let Err(kind) = replay.line(line.bytes, Limits::DEFAULT, &mut ())
            {
                let error = LogError { kind, offset: line.offset, line: line.number };
                return Some(Err(self.broken(&error)));
            }
            if line.line != Line::Blank {
                let record = self.record(&line);
                self.count += 1;
                return Some(Ok(record));
            }
        }
    }
}

impl<'a> Source<'a> for Records<'a> {}

impl Records<'_> {
    fn broken(&self, error: &LogError) -> Broken {
        let place = Place { record: self.count, offset: error.offset, line: Some(error.line) };
        Broken { text: error.to_string(), place }
    }

    fn record<'a>(&self, line: &UntrustedLine<'a>) -> Record<'a> {
        let is_hashed = matches!(line.line, Line::Sync(_) | Line::Record(_));
        let banks = self.shown.iter().filter(|_| is_hashed);
        let values = match (&self.replay, line.line) {
            (Some(replay), Line::Sync(_) | Line::Record(_) | Line::Note(_)) => {
                self.shown.iter().filter_map(|bank| replay.value(*bank)).collect()
            }
            _ => Vec::new(),
        };
        let (kind, content) = content(line);
        Record {
            place: Place { record: self.count, offset: line.offset, line: Some(line.number) },
            register: self.register.clone(),
            kind: Kind::named(kind),
            extends: is_hashed,
            digests: banks.map(|bank| bank.hash(line.bytes).into()).collect(),
            is_of_data: is_hashed.then_some(true),
            data: Some(line.bytes.into()),
            text: line.bytes.to_vec().into(),
            content: Content::Said(content),
            values,
        }
    }
}

fn content(line: &UntrustedLine<'_>) -> (&'static str, Json) {
    let text = String::from_utf8_lossy(line.bytes);
    let (kind, name) = match line.line {
        Line::Sync(_) => ("SYNC", "sync"),
        Line::Note(_) => ("off-log note", "note"),
        Line::Comment(_) => ("comment", "comment"),
        Line::Record(_) | Line::Blank => ("record", "record"),
    };
    (kind, json!({ "kind": name, "text": text }))
}
