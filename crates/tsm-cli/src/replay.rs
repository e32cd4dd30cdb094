// SPDX-License-Identifier: MIT OR Apache-2.0
//! `tsm replay`: reads a log, finds out what it is, replays it, and says what it proves.

mod ima;
mod record;
mod report;

use std::fs;
use std::io::Read as _;
use std::path::Path;

use tsm_core::log::{Limits, first_banks};

use crate::args::{self, Format};
use crate::failure::Failure;
use crate::{Result, Verdict};

pub(crate) fn run(command: &args::Replay) -> Result {
    let log = read_all(command)?;
    let report = match command.format.map_or_else(|| detect(&log), Ok)? {
        Format::Record => record::replay(&log, command)?,
        Format::Ima => ima::replay(&log, command)?,
    };
    report.print(command.json);
    match (report.malformed, report.holds) {
        (Some(message), _) => Err(Failure::usage(message)),
        (None, Some(false)) => Ok(Verdict::DoesNotHold),
        (None, _) => Ok(Verdict::Holds),
    }
}

/// The pieces of the log, one behind the other. Files of securityfs say that they are empty, so
/// everything is read to its end.
fn read_all(command: &args::Replay) -> Result<Vec<u8>> {
    let mut log = Vec::new();
    for file in &command.files {
        if file == Path::new("-") {
            std::io::stdin().read_to_end(&mut log)?;
        } else {
            let mut file_ = fs::File::open(file).map_err(Failure::at(file))?;
            file_.read_to_end(&mut log).map_err(Failure::at(file))?;
        }
    }
    Ok(log)
}

/// What the log looks like. A record log is one that begins like one, or has a `SYNC` line further
/// on.
fn detect(log: &[u8]) -> Result<Format> {
    use tsm_eventlog::Format::{ImaAscii, ImaBinary};
    if matches!(tsm_eventlog::detect(log), Some(ImaAscii { .. } | ImaBinary(_))) {
        return Ok(Format::Ima);
    }
    let begins = log.is_empty() || log.starts_with(b"SYNC ") || log.starts_with(b"#");
    if begins || first_banks(log, Limits::DEFAULT).is_some() {
        return Ok(Format::Record);
    }
    Err(Failure::usage("cannot tell the log's format; say --format record or --format ima"))
}

/// A register's name for a log that does not say it: the first file's.
fn register_name(command: &args::Replay) -> String {
    let first = command.files.first().and_then(|file| file.file_stem());
    first.map(|stem| stem.to_string_lossy().into_owned()).filter(|name| name != "-").unwrap_or_else(
        // Standard input.
        || "register".to_string(),
    )
}
