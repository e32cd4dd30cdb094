// SPDX-License-Identifier: MIT OR Apache-2.0
//! To logs of lines: record logs, and the text of Confidential Containers' agent.

use tsm_eventlog::cel::Register;
use tsm_eventlog::convert::{self, Numbering, Output, RecordLayout};

use super::cel;
use super::{Converted, Job};
use crate::args::Format;
use crate::events::open_tcg;

pub(super) fn write(buffer: &mut [u8], job: &Job<'_>) -> Converted {
    match job.source.format {
        Format::Tcg2 | Format::Ccel => from_tcg(buffer, job),
        format if format.encoding().is_some() => from_cel(buffer, job),
        _ => Err(job.impossible()),
    }
}

fn from_tcg(buffer: &mut [u8], job: &Job<'_>) -> Converted {
    let log = open_tcg(&job.source.bytes, job.source.format)?;
    let register = job.tcg_register(job.source.format)?;
    let banks: Vec<_> = match job.command.banks.as_slice() {
        [] => log.algorithms().known().collect(),
        banks => banks.to_vec(),
    };
    let mut out = Output::new(buffer);
    let done = match (job.command.to, banks.first()) {
        (Format::Aael, Some(bank)) => convert::tcg_to_aael(log, register, *bank, &mut out),
        _ => {
            let starts = job.starts(&banks);
            convert::tcg_to_records(log, register, &RecordLayout::new(&starts), &mut out)
        }
    };
    done.map_err(|error| job.stop(error))?;
    Ok(out.finish().len())
}

fn from_cel(buffer: &mut [u8], job: &Job<'_>) -> Converted {
    let log = cel::open(job)?;
    let banks = cel::banks(job, &log);
    let register: (Register, Numbering) = (job.cel_register()?, job.command.numbering);
    let mut out = Output::new(buffer);
    let done = match (job.command.to, banks.first()) {
        (Format::Aael, Some(bank)) => convert::cel_to_aael(log, register, *bank, &mut out),
        _ => {
            let starts = job.starts(&banks);
            convert::cel_to_records(log, register, &RecordLayout::new(&starts), &mut out)
        }
    };
    done.map_err(|error| job.stop(error))?;
    Ok(out.finish().len())
}
