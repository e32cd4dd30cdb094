// SPDX-License-Identifier: MIT OR Apache-2.0
//! `tsm log show`: the records of a log as they are. Nothing is compared, nothing trusted.

use std::io::Write;

use serde_json::{Value as Json, json};
use tsm_core::hex::Hex;

use crate::args;
use crate::events::{self, Broken, End, Opened, Options, Record, Recorded};
use crate::failure::Failure;
use crate::naming::Naming;
use crate::parse::RegisterList;
use crate::style::{Escaped, FAINT, HEAD, NOTE, Styled, json_text, output};
use crate::{Result, Verdict, input};

/// Characters of a record's content in the table.
pub(crate) const CONTENT: usize = 100;

pub(crate) fn run(command: &args::Show) -> Result {
    let bytes = input::read_all(&command.files)?;
    let format = input::format(&bytes, command.reading.format)?;
    let names = RegisterList::names(&command.registers);
    let register = input::register_name(names.clone().next(), &command.files);
    let naming = Naming::new(format, command.reading.platform, names.clone(), register);
    let options = Options { format, naming, banks: &command.banks, values: command.values };
    let opened = events::open(&bytes, &options)?;
    let hint =
        options.naming.hint().filter(|_| std::io::IsTerminal::is_terminal(&std::io::stdout()));

    let mut out = output(command.json);
    let mut printer: Box<dyn Printer> = match command.json {
        true => Box::new(Lines { is_first: true }),
        false => Box::new(Table),
    };
    printer.begin(&mut out, &opened)?;
    let mut broken = None;
    let mut records = opened.records;
    let mut met_cc = false;
    for record in records.by_ref() {
        let mut record = match record {
            Ok(record) => record,
            Err(error) => {
                broken = Some(error);
                break;
            }
        };
        met_cc |= record.register.starts_with("ccmr");
        if !options.naming.selects(names.clone(), &record.register) {
            continue;
        }
        if !command.banks.is_empty() {
            record.digests.retain(|one| command.banks.iter().any(|bank| bank.name() == one.bank));
        }
        printer.record(&mut out, &record)?;
    }
    printer.end(&mut out, records.end(), broken.as_ref())?;
    if let Some(hint) = hint.filter(|_| met_cc && !command.json) {
        writeln!(out, "{} {hint}", Styled(FAINT, "hint:"))?;
    }
    out.flush()?;
    match broken {
        Some(broken) => Err(Failure::usage(broken.text)),
        None => Ok(Verdict::Holds),
    }
}

trait Printer {
    fn begin(&mut self, out: &mut dyn Write, log: &Opened<'_>) -> std::io::Result<()>;
    fn record(&mut self, out: &mut dyn Write, record: &Record<'_>) -> std::io::Result<()>;
    fn end(
        &mut self,
        out: &mut dyn Write,
        end: Option<End>,
        broken: Option<&Broken>,
    ) -> std::io::Result<()>;
}

struct Table;

impl Printer for Table {
    fn begin(&mut self, out: &mut dyn Write, log: &Opened<'_>) -> std::io::Result<()> {
        let doubt = Styled(NOTE, "untrusted: only a replay against evidence tells what is true");
        writeln!(out, "format {}, {doubt}", log.format)?;
        for line in &log.about {
            writeln!(out, "{}", Escaped(line.as_bytes()))?;
        }
        let head = format!(
            "{:>6} {:>9}  {:<9} {:<30} {:<25} CONTENT",
            "RECORD", "OFFSET", "REGISTER", "TYPE", "DIGEST"
        );
        writeln!(out, "{}", Styled(HEAD, head))
    }

    fn record(&mut self, out: &mut dyn Write, record: &Record<'_>) -> std::io::Result<()> {
        let Record { place, register, kind, .. } = record;
        let kind = Escaped(kind.to_string().as_bytes()).to_string();
        let register = Escaped(register.as_bytes()).to_string();
        let digest = match (shown_digest(&record.digests), record.extends) {
            (Some(digest), true) => short(digest),
            (_, false) => "not extended".into(),
            (None, true) => "-".into(),
        };
        writeln!(
            out,
            "{:>6} {:>9}  {register:<9} {kind:<30} {} {}",
            place.record,
            place.offset,
            Styled(FAINT, format!("{digest:<25}")),
            record.text.front(CONTENT)
        )?;
        for value in &record.values {
            let value = format!("{register}:{} = {}", value.algorithm(), Hex(value.as_bytes()));
            writeln!(out, "{:>16}  {}", "", Styled(FAINT, value))?;
        }
        Ok(())
    }

    fn end(
        &mut self,
        out: &mut dyn Write,
        end: Option<End>,
        broken: Option<&Broken>,
    ) -> std::io::Result<()> {
        if let Some(end) = end.filter(End::is_worth_telling) {
            writeln!(out, "{end}")?;
        }
        match broken {
            Some(broken) => writeln!(out, "{} {}", Styled(NOTE, "malformed:"), broken.text),
            None => Ok(()),
        }
    }
}

/// The digest for a table that has room for one: of the usual banks in the order of their use.
pub(crate) fn shown_digest(digests: &[Recorded]) -> Option<&Recorded> {
    let usual = ["sha256", "sha384", "sha512", "sha1"];
    let of = |bank: &&str| digests.iter().find(|one| one.bank == *bank);
    usual.iter().find_map(of).or(digests.first())
}

/// A digest's bank, beginning and end.
pub(crate) fn short(digest: &Recorded) -> String {
    let hex = Hex(&digest.bytes).to_string();
    let bank = Escaped(digest.bank.as_bytes()).to_string();
    match (hex.get(..12), hex.len().checked_sub(4).and_then(|at| hex.get(at..))) {
        (Some(first), Some(last)) if hex.len() > 18 => format!("{bank}:{first}..{last}"),
        _ => format!("{bank}:{hex}"),
    }
}

/// JSON, one line for each record.
struct Lines {
    is_first: bool,
}

impl Printer for Lines {
    fn begin(&mut self, out: &mut dyn Write, log: &Opened<'_>) -> std::io::Result<()> {
        let format = json!(log.format);
        let header = json_text(log.header.as_ref().unwrap_or(&Json::Null), false);
        writeln!(out, "{{\"schema\":\"tsm.log/1\",\"trusted\":false,\"format\":{format},")?;
        write!(out, "\"header\":{header},\n\"records\":[")
    }

    fn record(&mut self, out: &mut dyn Write, record: &Record<'_>) -> std::io::Result<()> {
        let separator = if core::mem::take(&mut self.is_first) { "" } else { "," };
        write!(out, "{separator}\n{}", json_text(&record_json(record), false))
    }

    fn end(
        &mut self,
        out: &mut dyn Write,
        end: Option<End>,
        broken: Option<&Broken>,
    ) -> std::io::Result<()> {
        let end = end.as_ref().map_or(Json::Null, End::json);
        let error = broken.map(|broken| {
            let place = broken.place;
            json!({
                "record": place.record,
                "line": place.line,
                "offset": place.offset,
                "text": broken.text,
            })
        });
        writeln!(out, "\n],\n\"end\":{end},\"error\":{}}}", error.unwrap_or(Json::Null))
    }
}

fn record_json(record: &Record<'_>) -> Json {
    let digests = record.digests.iter();
    let digests: serde_json::Map<_, _> =
        digests.map(|one| (one.bank.to_string(), hex(&one.bytes))).collect();
    let values = record.values.iter();
    let values: serde_json::Map<_, _> =
        values.map(|value| (value.algorithm().to_string(), hex(value.as_bytes()))).collect();
    json!({
        "record": record.place.record,
        "offset": record.place.offset,
        "line": record.place.line,
        "register": record.register,
        "type": { "number": record.kind.number, "name": record.kind.name },
        "extends": record.extends,
        "digests": digests,
        "digest_of_data": record.is_of_data,
        "data": record.data.as_deref().map(hex),
        "content": record.content_json(record.coverage(None)),
        "values": values,
    })
}

fn hex(bytes: &[u8]) -> Json {
    Hex(bytes).to_string().into()
}
