// SPDX-License-Identifier: MIT OR Apache-2.0
//! `tsm report`: evidence of a simulated machine, for trying out what reads evidence.

use std::fs;
use std::io::{IsTerminal as _, Write as _};

use tsm_core::Provider as _;
use tsm_sim::tdx::quoting::QuoteForm;

use crate::args::{self, ReportKind};
use crate::failure::Failure;
use crate::state::{Access, Device, Machine};
use crate::{Result, Verdict};

pub(crate) fn run(machine: &args::Machine, command: &args::Report) -> Result {
    if command.output.is_none() && std::io::stdout().is_terminal() {
        return Err(Failure::usage("evidence is not text: say --output FILE"));
    }
    let is_quote = matches!(command.kind, ReportKind::Quote4 | ReportKind::Quote5);
    let changes = !is_quote && machine.provider.as_deref().is_some_and(Device::counts_reports);
    let access = if changes { Access::Change } else { Access::Read };
    let mut machine = Machine::open(machine, access)?;
    let device = machine.device();
    let nonce = &command.nonce.0;
    let evidence = match command.kind {
        ReportKind::All => report(device, nonce)?,
        ReportKind::Report => {
            let report = report(device, nonce)?;
            device.parts(&report).0.to_vec()
        }
        ReportKind::Manifest => {
            let report = report(device, nonce)?;
            let none = || Failure::usage(format!("{} has no manifest of a bank", device.name()));
            device.parts(&report).1.ok_or_else(none)?.to_vec()
        }
        ReportKind::Quote4 => device.quote(QuoteForm::V4, nonce).map_err(Failure::usage)?,
        ReportKind::Quote5 => device.quote(QuoteForm::V5Td15, nonce).map_err(Failure::usage)?,
    };
    if changes {
        // Before anything is given out: the next process must not use the same numbers for another
        // message. After a failure nothing is stored, as no message was sent but the one with which
        // every process begins, byte for byte.
        machine.save()?;
    }
    match &command.output {
        Some(file) => fs::write(file, evidence).map_err(Failure::at(file))?,
        None => {
            let mut out = std::io::stdout().lock();
            out.write_all(&evidence)?;
            out.flush()?;
        }
    }
    Ok(Verdict::Holds)
}

/// What the platform calls a report, all of it.
pub(crate) fn report(device: &mut Device, nonce: &[u8]) -> Result<Vec<u8>> {
    let none = Failure::usage(format!("{} makes no reports", device.name()));
    let reporter = device.as_reporter().ok_or(none)?;
    let most = reporter.user_data_size();
    if nonce.len() > most {
        return Err(Failure::usage(format!("a nonce has at most {most} bytes here")));
    }
    let mut out = vec![0; reporter.report_size()];
    let size = reporter.report(nonce, &mut out);
    out.truncate(size.map_err(|error| Failure::usage(error.to_string()))?);
    Ok(out)
}
