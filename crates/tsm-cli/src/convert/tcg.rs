// SPDX-License-Identifier: MIT OR Apache-2.0
//! To firmware's logs.

use tsm_core::Algorithm;
use tsm_eventlog::cel::Content;
use tsm_eventlog::convert::{self, Output, RecordLayout, TcgHeader};
use tsm_eventlog::registers::Platform;
use tsm_eventlog::tcg::{NewHeader, Writer};
use tsm_eventlog::{aael, cel::Log};

use super::cel;
use super::{Converted, Job, Stop};
use crate::args::Format;

pub(super) fn write(buffer: &mut [u8], job: &Job<'_>) -> Converted {
    let to = job.command.to;
    match job.source.format {
        Format::Record | Format::Aael if to != Format::TcgSha1 => write_lines(buffer, job),
        format if format.encoding().is_some() => write_records(buffer, job),
        _ => Err(job.impossible()),
    }
}

const fn header(to: Format, banks: &[Algorithm]) -> NewHeader<'_> {
    match to {
        Format::Ccel => NewHeader::ccel(banks),
        _ => NewHeader::tpm(banks),
    }
}

/// Lines as events, of a register that they do not name.
fn write_lines(buffer: &mut [u8], job: &Job<'_>) -> Converted {
    let (to, bytes) = (job.command.to, job.source.bytes.as_slice());
    let register = job.tcg_register(to)?;
    let is_tpm = register.0 == Platform::Tpm;
    if is_tpm != (to == Format::Tcg2) {
        return Err(job.failed("tcg2 is a log of PCRs, ccel one of a confidential VM's registers"));
    }
    let stop = |error| job.stop(error);
    let used = if job.source.format == Format::Record {
        let starts = job.record_starts();
        let banks: Vec<_> = starts.iter().map(|start| start.algorithm()).collect();
        let mut writer = Writer::new(buffer, &header(to, &banks)).map_err(stop)?;
        convert::records_to_tcg(bytes, &RecordLayout::new(&starts), register, &mut writer)
            .map_err(stop)?;
        writer.as_bytes().len()
    } else {
        let log = aael::Log::open(bytes, job.cel_register()?).map_err(stop)?;
        let banks = [log.init().algorithm()];
        let mut writer = Writer::new(buffer, &header(to, &banks)).map_err(stop)?;
        convert::aael_to_tcg(log, register, &mut writer).map_err(stop)?;
        writer.as_bytes().len()
    };
    Ok(used)
}

/// The records of a canonical event log as the events they were.
fn write_records(buffer: &mut [u8], job: &Job<'_>) -> Converted {
    let log = cel::open(job)?;
    let to = job.command.to;
    let banks = cel::banks(job, &log);
    let header = match to {
        Format::TcgSha1 => TcgHeader::Sha1,
        _ if has_header(&log) => TcgHeader::OfSource,
        _ if banks.is_empty() => return Err(no_banks(job)),
        _ => TcgHeader::New(header(to, &banks)),
    };
    let told = job.command.reading.platform.map(|_| job.naming(to).platform);
    let platform = told.unwrap_or(match to {
        Format::Ccel => Platform::Cc,
        _ => Platform::Tpm,
    });
    let mut out = Output::new(buffer);
    convert::cel_to_tcg(log, platform, job.command.numbering, &header, &mut out)
        .map_err(|error| job.stop(error))?;
    Ok(out.finish().len())
}

fn no_banks(job: &Job<'_>) -> Stop {
    job.failed("no record has a digest that tells the banks; say --bank ALG")
}

/// Whether the first record is the Spec ID event of a firmware's log.
fn has_header(log: &Log<'_>) -> bool {
    const SIGNATURE: &[u8] = b"Spec ID Event03\0";
    let first = log.clone().next().and_then(Result::ok);
    first.is_some_and(|record| match record.record().content {
        Content::PcClientStd { data, .. } => data.iter().take(16).eq(SIGNATURE.iter().copied()),
        _ => false,
    })
}
