// SPDX-License-Identifier: MIT OR Apache-2.0
//! To canonical event logs; and from them to what only they can become.

use tsm_core::Algorithm;
use tsm_eventlog::cel::{Encoding, Log, Writer};
use tsm_eventlog::convert::{self, Numbering, Output, RecordLayout};
use tsm_eventlog::ima::{Bank, Layout, List};
use tsm_eventlog::{aael, systemd};

use super::{Converted, Job, Source, Stop};
use crate::args::{self, Format};
use crate::events::{banks_of, open_tcg};
use crate::failure::Failure;

/// Writes all logs into one.
pub(super) fn write(
    buffer: &mut [u8],
    encoding: Encoding,
    command: &args::Convert,
    sources: &[Source],
) -> Converted {
    let error = |error: tsm_eventlog::Error| Stop::Failed(Failure::usage(error.to_string()));
    let mut writer = Writer::new(buffer, encoding).map_err(error)?;
    let mut written = 0_u64;
    for source in sources {
        let job = Job { command, source };
        let numbering = match command.numbering {
            Numbering::Log(first) => Numbering::Log(first.saturating_add(written)),
            other => other,
        };
        push(&job, numbering, &mut writer)?;
        if sources.len() > 1 {
            let count = Log::new(writer.as_bytes(), encoding).count();
            written = u64::try_from(count).unwrap_or(u64::MAX);
        }
    }
    Ok(writer.finish().len())
}

fn push(
    job: &Job<'_>,
    numbering: Numbering,
    to: &mut Writer<'_>,
) -> core::result::Result<(), Stop> {
    let bytes = job.source.bytes.as_slice();
    let done = match job.source.format {
        Format::Record => {
            let register = (job.cel_register()?, numbering);
            convert::records_to_cel(bytes, &RecordLayout::new(&job.record_starts()), register, to)
        }
        format @ (Format::Tcg2 | Format::Ccel | Format::TcgSha1) => {
            let platform = job.naming(format).platform;
            convert::tcg_to_cel(open_tcg(bytes, format)?, platform, numbering, to)
        }
        Format::Ima => {
            let list = List::open(bytes).map_err(|error| job.stop(error))?;
            let banks = match job.command.banks.as_slice() {
                [] => vec![Algorithm::Sha1, Algorithm::Sha256],
                banks => banks.to_vec(),
            };
            let banks: Vec<_> = banks.into_iter().map(Bank::hashed).collect();
            // As long as the whole list is, no record's data are longer.
            let mut scratch = vec![0; bytes.len().saturating_add(1024)];
            convert::ima_to_cel(list, &banks, numbering, &mut scratch, to)
        }
        Format::Aael => {
            let log = aael::Log::open(bytes, job.cel_register()?).map_err(|e| job.stop(e))?;
            convert::aael_to_cel(log, numbering, to)
        }
        Format::Systemd => convert::systemd_to_cel(systemd::Log::new(bytes), numbering, to),
        format => match format.encoding() {
            Some(encoding) => to.push_all(Log::new(bytes, encoding)),
            None => return Err(job.impossible()),
        },
    };
    done.map_err(|error| job.stop(error))
}

/// The log, if it is a canonical event log.
pub(super) fn open<'j>(job: &Job<'j>) -> core::result::Result<Log<'j>, Stop> {
    let encoding = job.source.format.encoding().ok_or_else(|| job.impossible())?;
    Ok(Log::new(&job.source.bytes, encoding))
}

/// The banks asked for, else those of the log's first measured record.
pub(super) fn banks(job: &Job<'_>, log: &Log<'_>) -> Vec<Algorithm> {
    if !job.command.banks.is_empty() {
        return job.command.banks.clone();
    }
    let mut records = log.clone().map_while(Result::ok);
    let first = records.find(|record| record.record().is_measured());
    banks_of(first.into_iter().map(|record| record.record().digests))
}

/// A binary list of IMA.
pub(super) fn write_ima(buffer: &mut [u8], job: &Job<'_>) -> Converted {
    let log = open(job)?;
    let banks: Vec<_> = banks(job, &log).into_iter().map(Bank::hashed).collect();
    let mut out = Output::new(buffer);
    convert::cel_to_ima(log, &banks, job.command.numbering, Layout::DEFAULT, &mut out)
        .map_err(|error| job.stop(error))?;
    Ok(out.finish().len())
}

/// Systemd's log.
pub(super) fn write_systemd(buffer: &mut [u8], job: &Job<'_>) -> Converted {
    let mut out = Output::new(buffer);
    convert::cel_to_systemd(open(job)?, job.command.numbering, &mut out)
        .map_err(|error| job.stop(error))?;
    Ok(out.finish().len())
}
