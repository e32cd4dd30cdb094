// SPDX-License-Identifier: MIT OR Apache-2.0
//! Log files: read to their end, and recognized.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use tsm_core::log::{Limits, first_banks};
use tsm_eventlog::cel::{self, Encoding};
use tsm_eventlog::tcg::{self, CcelTable};
use tsm_eventlog::{dstack, systemd};

use crate::Result;
use crate::args::Format;
use crate::failure::Failure;

/// The pieces of a log, one behind the other. Files of securityfs say that they are empty, so
/// everything is read to its end.
pub(crate) fn read_all(files: &[PathBuf]) -> Result<Vec<u8>> {
    let mut log = Vec::new();
    for file in files {
        if file == Path::new("-") {
            std::io::stdin().read_to_end(&mut log)?;
        } else {
            let mut open = fs::File::open(file).map_err(Failure::at(file))?;
            open.read_to_end(&mut log).map_err(Failure::at(file))?;
        }
    }
    Ok(log)
}

/// What the log is said to be, or looks like. A record log is one that begins like one, or has a
/// `SYNC` line further on.
pub(crate) fn format(log: &[u8], told: Option<Format>) -> Result<Format> {
    use tsm_eventlog::Format as Found;
    if let Some(told) = told {
        return Ok(told);
    }
    Ok(match tsm_eventlog::detect(log) {
        Some(Found::ImaAscii { .. } | Found::ImaBinary(_)) => Format::Ima,
        Some(Found::Tcg2) if is_of_td_shim(log) => Format::Ccel,
        Some(Found::Tcg2) => Format::Tcg2,
        Some(Found::Ccel) => Format::Ccel,
        Some(Found::TcgSha1) => Format::TcgSha1,
        Some(Found::Cel(Encoding::Tlv)) => Format::CelTlv,
        Some(Found::Cel(Encoding::Cbor)) => Format::CelCbor,
        Some(Found::Cel(Encoding::CborSequence)) => Format::CelCborSequence,
        Some(Found::Cel(Encoding::Json)) => Format::CelJson,
        Some(Found::Systemd) => Format::Systemd,
        Some(Found::Aael) => Format::Aael,
        Some(Found::DstackLog) => Format::DstackLog,
        Some(Found::DstackEvents) => Format::DstackEvents,
        _ if is_record_log(log) => Format::Record,
        _ if CcelTable::read(log).is_ok() => {
            return Err(Failure::usage(
                "this is the ACPI table that tells where the log is; the log itself is \
                 /sys/firmware/acpi/tables/data/CCEL",
            ));
        }
        _ => {
            let guess = text_error(log).map_or_else(String::new, |(format, error)| {
                format!("; read as {} it is malformed: {error}", format.name())
            });
            return Err(Failure::usage(format!(
                "cannot tell the log's format; say --format (tsm replay --help lists them){guess}"
            )));
        }
    })
}

/// What is wrong with the first record of a text format, if it begins like one.
fn text_error(log: &[u8]) -> Option<(Format, tsm_eventlog::Error)> {
    let has = |word: &[u8]| log.windows(word.len()).take(4096).any(|found| found == word);
    match log.trim_ascii_start().first()? {
        b'[' if has(b"recnum") => {
            let first = cel::Log::new(log, Encoding::Json).next()?;
            Some((Format::CelJson, first.err()?))
        }
        b'[' => Some((Format::DstackEvents, dstack::Events::new(log).next()?.err()?)),
        b'{' => {
            let first = dstack::Log::new(log, dstack::Log::RTMR3).next()?;
            Some((Format::DstackLog, first.err()?))
        }
        0x1E => Some((Format::Systemd, systemd::Log::new(log).next()?.err()?)),
        _ => None,
    }
}

/// Whether the header is that of td-shim, which is a firmware of TDs but writes it as for a TPM.
fn is_of_td_shim(log: &[u8]) -> bool {
    let log = tcg::Log::open(log);
    log.is_ok_and(|log| log.header().is_some_and(|header| header.vendor_info == b"td-shim"))
}

fn is_record_log(log: &[u8]) -> bool {
    let begins = log.is_empty() || log.starts_with(b"SYNC ") || log.starts_with(b"#");
    begins || first_banks(log, Limits::DEFAULT).is_some()
}

/// A register's name for a log that does not say it: as given, else the first file's.
pub(crate) fn register_name(given: Option<&str>, files: &[PathBuf]) -> String {
    if let Some(name) = given {
        return name.to_string();
    }
    let stem = files.first().and_then(|file| file.file_stem());
    let stem = stem.map(|stem| stem.to_string_lossy().into_owned());
    // Standard input has no name.
    stem.filter(|name| name != "-").unwrap_or_else(|| "register".to_string())
}

impl Format {
    /// Its name in JSON, and for `--format`.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Record => "record",
            Self::Ima => "ima",
            Self::Tcg2 => "tcg2",
            Self::Ccel => "ccel",
            Self::TcgSha1 => "tcg-sha1",
            Self::CelTlv => "cel-tlv",
            Self::CelCbor => "cel-cbor",
            Self::CelCborSequence => "cel-cbor-sequence",
            Self::CelJson => "cel-json",
            Self::Systemd => "systemd",
            Self::Aael => "aael",
            Self::DstackLog => "dstack-log",
            Self::DstackEvents => "dstack-events",
        }
    }

    /// The encoding of a canonical event log.
    pub(crate) const fn encoding(self) -> Option<Encoding> {
        match self {
            Self::CelTlv => Some(Encoding::Tlv),
            Self::CelCbor => Some(Encoding::Cbor),
            Self::CelCborSequence => Some(Encoding::CborSequence),
            Self::CelJson => Some(Encoding::Json),
            _ => None,
        }
    }
}
