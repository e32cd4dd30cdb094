// SPDX-License-Identifier: MIT OR Apache-2.0
//! A log of any format as records of one form, for what shows and compares logs.
//!
//! One adapter for each format makes a [`Record`] of each of its records; nothing behind them knows
//! formats. All of it is as untrusted as the log. Records are made as they are read, so a log costs
//! no more memory than its bytes.

mod agents;
mod cel;
mod content;
mod ima;
mod plain;
mod record_log;
mod systemd;
mod tcg;

use core::fmt;
use std::borrow::Cow;

use serde_json::{Value as Json, json};
use tsm_core::{Algorithm, Digest};

use crate::Result;
use crate::args::Format;
use crate::naming::Naming;

pub(crate) use cel::banks_of;
pub(crate) use content::{Content, Text};
pub(crate) use ima::{PCRS, ima_format};
pub(crate) use tcg::open_tcg;

/// Registers that a canonical event log may use.
pub(crate) const REGISTERS: usize = 64;

/// A record as it is shown.
#[derive(Clone, Debug)]
pub(crate) struct Record<'a> {
    pub(crate) place: Place,
    /// The name of its register.
    pub(crate) register: String,
    /// What it says it is about.
    pub(crate) kind: Kind,
    /// Whether it extends its register.
    pub(crate) extends: bool,
    /// What it extends its register with, by bank.
    pub(crate) digests: Vec<Recorded>,
    /// Whether the digests are those of the data, as far as that can be told.
    pub(crate) is_of_data: Option<bool>,
    /// What was measured, or is told about it. `None` if the log does not have it in one piece.
    pub(crate) data: Option<Cow<'a, [u8]>>,
    /// One line about its content.
    pub(crate) text: Text,
    pub(crate) content: Content,
    /// The register's values behind it, if asked for.
    pub(crate) values: Vec<Digest>,
}

/// Where a record begins.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Place {
    /// Its number in the log, counted as the format's reader does.
    pub(crate) record: u64,
    pub(crate) offset: u64,
    /// From 1, in logs of lines.
    pub(crate) line: Option<u64>,
}

impl From<tsm_eventlog::Position> for Place {
    fn from(position: tsm_eventlog::Position) -> Self {
        let line = Some(position.line).filter(|line| *line > 0);
        Self { record: position.record, offset: position.offset, line }
    }
}

/// The type of a record: a number, a name, or both. No digest covers it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Kind {
    pub(crate) number: Option<u64>,
    pub(crate) name: Option<String>,
}

impl Kind {
    fn named(name: impl Into<String>) -> Self {
        Self { number: None, name: Some(name.into()) }
    }

    fn event(event_type: tsm_eventlog::tcg::EventType) -> Self {
        let name = event_type.name().map(|_| event_type.to_string());
        Self { number: Some(event_type.0.into()), name }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.name, self.number) {
            (Some(name), _) => f.pad(name),
            (None, Some(number)) => f.pad(&format!("{number:#010x}")),
            (None, None) => f.pad("-"),
        }
    }
}

/// A digest of a bank, which need not be of an algorithm that can be computed here.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Recorded {
    pub(crate) bank: Cow<'static, str>,
    pub(crate) bytes: Vec<u8>,
}

impl From<Digest> for Recorded {
    fn from(digest: Digest) -> Self {
        Self { bank: digest.algorithm().name().into(), bytes: digest.as_bytes().to_vec() }
    }
}

/// The records of a log, and how it ended.
pub(crate) trait Source<'a>:
    Iterator<Item = core::result::Result<Record<'a>, Broken>>
{
    /// How the log ended, when all records are read; `None` for formats with one way only.
    fn end(&self) -> Option<End> {
        None
    }
}

/// Why a log cannot be read on.
#[derive(Clone, Debug)]
pub(crate) struct Broken {
    /// Ends with the place.
    pub(crate) text: String,
    pub(crate) place: Place,
}

impl From<tsm_eventlog::Error> for Broken {
    fn from(error: tsm_eventlog::Error) -> Self {
        Self { text: error.to_string(), place: error.position().into() }
    }
}

/// How a TCG log ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct End {
    pub(crate) kind: &'static str,
    /// Where the last record ends.
    pub(crate) offset: u64,
}

impl End {
    pub(crate) const fn of_tcg(end: tsm_eventlog::tcg::End, offset: u64) -> Self {
        use tsm_eventlog::tcg::End as Of;
        let kind = match end {
            Of::Bytes => "bytes",
            Of::Mark => "mark",
            Of::Ones => "ones",
            Of::Zeros => "zeros",
            Of::Garbage => "garbage",
            Of::Error(_) => "error",
        };
        Self { kind, offset }
    }

    pub(crate) fn json(&self) -> Json {
        json!({ "kind": self.kind, "offset": self.offset })
    }

    /// Whether the log does not just end with its last record.
    pub(crate) fn is_worth_telling(&self) -> bool {
        !matches!(self.kind, "bytes" | "error")
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let behind = match self.kind {
            "mark" => "an end mark stands behind it",
            "ones" => "the rest is filler, all bytes 0xff",
            "zeros" => "the rest is filler, all bytes zero",
            "garbage" => "what stands behind it is no filler, and nobody reads it",
            "error" => "what stands behind it cannot be read",
            _ => "nothing stands behind it",
        };
        write!(f, "the log ends at byte {}; {behind}", self.offset)
    }
}

/// How a log is to be opened.
#[derive(Clone, Debug)]
pub(crate) struct Options<'o> {
    pub(crate) format: Format,
    pub(crate) naming: Naming,
    /// Banks asked for; those of the log if there are none.
    pub(crate) banks: &'o [Algorithm],
    /// Whether records have the register's values.
    pub(crate) values: bool,
}

/// A log whose records are about to be read.
pub(crate) struct Opened<'a> {
    pub(crate) format: &'static str,
    /// What stands in the log's header, for JSON and as lines.
    pub(crate) header: Option<Json>,
    pub(crate) about: Vec<String>,
    pub(crate) records: Box<dyn Source<'a> + 'a>,
}

/// Opens a log.
pub(crate) fn open<'a>(bytes: &'a [u8], options: &Options<'_>) -> Result<Opened<'a>> {
    match options.format {
        Format::Record => record_log::open(bytes, options),
        Format::Ima => ima::open(bytes, options),
        Format::Tcg2 | Format::Ccel | Format::TcgSha1 => tcg::open(bytes, options),
        Format::Systemd => systemd::open(bytes, options),
        Format::Aael => agents::open_aael(bytes, options),
        Format::DstackLog => agents::open_dstack_log(bytes, options),
        Format::DstackEvents => agents::open_dstack_events(bytes, options),
        _ => cel::open(bytes, options),
    }
}

/// The name of a `TPM_ALG_ID` (TCG Algorithm Registry 1.34, table 3), or the number.
fn bank_name(id: u64) -> Cow<'static, str> {
    let known = u16::try_from(id).ok().and_then(Algorithm::from_tpm_id);
    match (known, id) {
        (Some(algorithm), _) => algorithm.name().into(),
        (None, 0x12) => "sm3_256".into(),
        (None, 0x27) => "sha3_256".into(),
        (None, 0x28) => "sha3_384".into(),
        (None, 0x29) => "sha3_512".into(),
        _ => format!("{id:#06x}").into(),
    }
}
