// SPDX-License-Identifier: MIT OR Apache-2.0
//! `tsm convert`: a log in another format, without loss, or a refusal.
//!
//! What can be converted is the library's business (`tsm_eventlog::convert`); this is about files. A
//! log is converted in memory, as a whole, before the first byte of it is written anywhere: what stands
//! at `--output` is a whole log, or what was there before.

mod cel;
mod lines;
mod tcg;

use std::fs::{self, File};
use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};

use tsm_core::log::{Limits, first_banks};
use tsm_core::{Algorithm, Digest};
use tsm_eventlog::cel::Register;
use tsm_eventlog::convert::Numbering;
use tsm_eventlog::registers::{PcrIndex, Platform, RegisterIndex};
use tsm_eventlog::{Error, ErrorKind};

use crate::args::{self, Format};
use crate::failure::Failure;
use crate::naming::Naming;
use crate::parse::RegisterList;
use crate::{Result, Verdict, input};

pub(crate) fn run(command: &args::Convert) -> Result {
    may_write(command.output.as_deref(), std::io::stdout().is_terminal())?;
    let banks = command.starts.iter().map(Digest::algorithm);
    if banks.clone().enumerate().any(|(place, bank)| banks.clone().take(place).any(|b| b == bank)) {
        return Err(Failure::usage("--start is given twice for a bank"));
    }
    let sources = read(command)?;
    let log = converted(command, &sources)?;
    match &command.output {
        Some(output) => write_whole(output, &log)?,
        None => {
            let mut out = std::io::stdout().lock();
            out.write_all(&log)?;
            out.flush()?;
        }
    }
    Ok(Verdict::Holds)
}

/// Whether there is a place for a log, whose bytes can do anything to a terminal.
fn may_write(output: Option<&Path>, is_terminal: bool) -> Result<()> {
    let is_special = |path: &Path| fs::metadata(path).is_ok_and(|found| !found.is_file());
    match output {
        None if is_terminal => Err(Failure::usage(
            "a log is nothing for a terminal; say --output FILE, or write it to a pipe",
        )),
        Some(path) if is_special(path) => Err(Failure::usage(format!(
            "{} is no file; without --output the log is written to standard output",
            path.display()
        ))),
        _ => Ok(()),
    }
}

/// A log that is to be converted.
pub(super) struct Source {
    file: PathBuf,
    bytes: Vec<u8>,
    format: Format,
}

fn read(command: &args::Convert) -> Result<Vec<Source>> {
    let is_cel = command.to.encoding().is_some();
    if command.files.len() > 1 && !is_cel {
        return Err(Failure::usage(format!(
            "several logs make one canonical event log only, not one in {}",
            command.to.name()
        )));
    }
    let mut sources = Vec::new();
    for file in &command.files {
        let bytes = input::read_all(core::slice::from_ref(file))?;
        let format = input::format(&bytes, command.reading.format)
            .map_err(|error| Failure::usage(format!("{}: {error}", file.display())))?;
        if command.files.len() > 1 && format.encoding().is_some() {
            return Err(Failure::usage(format!(
                "{}: a canonical event log has numbers of its own, and cannot be a part of another",
                file.display()
            )));
        }
        sources.push(Source { file: file.clone(), bytes, format });
    }
    if command.files.len() > 1 && command.numbering == Numbering::Register {
        return Err(Failure::usage("several logs are numbered as one; say --numbering FIRST"));
    }
    Ok(sources)
}

/// Why a log was not converted, or not yet.
enum Stop {
    /// The buffer is full: a larger one will do.
    Full,
    Failed(Failure),
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

type Converted = core::result::Result<usize, Stop>;

/// The log in its new format.
fn converted(command: &args::Convert, sources: &[Source]) -> Result<Vec<u8>> {
    /// No log that is read whole into memory grows beyond that.
    const MOST: usize = 1 << 31;
    let size: usize = sources.iter().map(|source| source.bytes.len()).sum();
    let mut room = size.saturating_mul(2).saturating_add(1 << 16);
    loop {
        let mut buffer = vec![0; room];
        match into(&mut buffer, command, sources) {
            Ok(used) => {
                buffer.truncate(used);
                return Ok(buffer);
            }
            Err(Stop::Failed(failure)) => return Err(failure),
            Err(Stop::Full) if room < MOST => room = room.saturating_mul(2),
            Err(Stop::Full) => return Err(Failure::usage("the converted log is too long")),
        }
    }
}

fn into(buffer: &mut [u8], command: &args::Convert, sources: &[Source]) -> Converted {
    if let Some(encoding) = command.to.encoding() {
        return cel::write(buffer, encoding, command, sources);
    }
    let Some(source) = sources.first() else { return Ok(0) };
    let job = Job { command, source };
    match command.to {
        Format::Tcg2 | Format::Ccel | Format::TcgSha1 => tcg::write(buffer, &job),
        Format::Record | Format::Aael => lines::write(buffer, &job),
        Format::Ima => cel::write_ima(buffer, &job),
        Format::Systemd => cel::write_systemd(buffer, &job),
        _ => Err(job.impossible()),
    }
}

/// One log, and what it is to become.
struct Job<'c> {
    command: &'c args::Convert,
    source: &'c Source,
}

impl Job<'_> {
    /// No conversion between these formats.
    fn impossible(&self) -> Stop {
        let (from, to) = (self.source.format.name(), self.command.to.name());
        let text = match self.source.format {
            Format::DstackLog | Format::DstackEvents => {
                "dstack's events are hashed in a way that no other format knows".to_string()
            }
            same if same == self.command.to => format!("the log is one in {to} already"),
            _ => {
                format!(
                    "a log in {from} cannot become one in {to}; tsm convert --help says what can"
                )
            }
        };
        self.failed(text)
    }

    fn failed(&self, text: impl core::fmt::Display) -> Stop {
        Stop::Failed(Failure::usage(format!("{}: {text}", self.source.file.display())))
    }

    fn stop(&self, error: Error) -> Stop {
        match error.kind() {
            ErrorKind::NoRoom => Stop::Full,
            ErrorKind::NotCarried(tsm_eventlog::convert::Reason::Number) => {
                self.failed(format!("{error}; see --numbering"))
            }
            _ => self.failed(error),
        }
    }

    fn name(&self) -> Option<&str> {
        RegisterList::names(&self.command.registers).next()
    }

    /// The name of the register of a log that does not say it.
    fn register_name(&self) -> core::result::Result<&str, Stop> {
        let mut names = RegisterList::names(&self.command.registers);
        match (names.next(), names.next()) {
            (Some(name), None) => Ok(name),
            _ => Err(self.failed("of which register is it? say --register NAME, one name")),
        }
    }

    /// How the numbers of a log in this format are named.
    fn naming(&self, format: Format) -> Naming {
        let names = RegisterList::names(&self.command.registers);
        Naming::new(format, self.command.reading.platform, names, String::new())
    }

    /// The register as a canonical event log names it, given by name.
    fn cel_register(&self) -> core::result::Result<Register, Stop> {
        Ok(self.naming(self.command.to).find_cel(self.register_name()?)?)
    }

    /// The register as a TCG log in this format names it, given by name.
    fn tcg_register(
        &self,
        format: Format,
    ) -> core::result::Result<(Platform, RegisterIndex), Stop> {
        let naming = self.naming(format);
        Ok((naming.platform, naming.find_tcg(self.register_name()?)?))
    }

    /// The register's start values for these banks: as given, else as the platform defines them.
    fn starts(&self, banks: &[Algorithm]) -> Vec<Digest> {
        let pcr = self.name().and_then(|name| RegisterIndex::from_name(name.as_bytes()));
        let is_dynamic = matches!(pcr, Some(RegisterIndex::Pcr(pcr)) if PcrIndex::is_dynamic(pcr));
        let given = |bank: &Algorithm| {
            let digests = self.command.starts.iter();
            digests.copied().find(|digest| digest.algorithm() == *bank)
        };
        let usual = |bank: Algorithm| match is_dynamic {
            true => Digest::ones(bank),
            false => Digest::zeros(bank),
        };
        banks.iter().map(|bank| given(bank).unwrap_or(usual(*bank))).collect()
    }

    /// The start values for a record log's banks.
    fn record_starts(&self) -> Vec<Digest> {
        let banks: Vec<_> = match first_banks(&self.source.bytes, Limits::DEFAULT) {
            Some(banks) => banks.iter().collect(),
            None => self.command.banks.clone(),
        };
        self.starts(&banks)
    }
}

/// Writes a file as a whole, or not at all: under another name first.
fn write_whole(output: &Path, log: &[u8]) -> Result<()> {
    // A link stays one.
    let resolved = fs::canonicalize(output);
    let output = resolved.as_deref().unwrap_or(output);
    let name = output.file_name().ok_or_else(|| Failure::usage("--output names no file"))?;
    let mut beside = std::ffi::OsString::from(".");
    beside.push(name);
    beside.push(format!(".{}", std::process::id()));
    let beside = output.with_file_name(beside);
    let written = File::create_new(&beside).and_then(|mut file| {
        file.write_all(log)?;
        file.sync_all()?;
        fs::rename(&beside, output)
    });
    if written.as_ref().is_err_and(|error| error.kind() != std::io::ErrorKind::AlreadyExists) {
        let _ = fs::remove_file(&beside);
    }
    written.map_err(Failure::at(output))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_a_log_may_be_written() {
        assert!(may_write(None, false).is_ok());
        assert!(may_write(None, true).unwrap_err().to_string().contains("--output FILE"));
        assert!(may_write(Some(Path::new("/nonexistent/x")), true).is_ok(), "told later");
        for special in ["/dev/null", "/"] {
            assert!(may_write(Some(Path::new(special)), false).is_err(), "{special}");
        }
    }
}
