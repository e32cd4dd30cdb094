// SPDX-License-Identifier: MIT OR Apache-2.0
//! `tsm replay` and `tpm2_eventlog` on the same firmware logs: one that a machine wrote, and one with
//! its events many times over.
//!
//! The tool prints all events as YAML, then the PCRs; there is no way to have these alone. Where the
//! command cannot read firmware logs yet, an example that prints the PCRs stands for it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};
use tsm_eventlog::tcg::Log;

use super::medians;
use crate::task::Outcome;
use crate::tpm2_eventlog::{self as tool, Answer};
use crate::{shell, tsm, workspace};

const LOG: &str = "tests/data/generated/ovmf2025-secureboot-shim-grub-61/binary_bios_measurements";

/// Makes the long log, times the programs, gives the ratios.
///
/// # Errors
///
/// A program does not accept a log.
pub(super) fn run(events: usize) -> Result<Outcome> {
    let real = workspace::root().join(LOG);
    if !real.exists() {
        return Ok(Outcome::Absent(LOG.into()));
    }
    let Some(ours) = Ours::find(&real)? else { return Ok(Outcome::Absent(tsm::ABSENT.into())) };
    println!("tpm2_eventlog {}", tool::ensure()?);
    let long = workspace::scratch("compare-firmware")?.join("log");
    let bytes = fs::read(&real)?;
    let (count, first) = {
        let log = Log::open(&bytes)?;
        (log.clone().count(), usize::try_from(log.next_position().offset)?)
    };
    let (header, all) = bytes.split_at_checked(first).context("a header")?;
    let times = events.div_ceil(count).max(1);
    println!("writing a log of {} events", times * count);
    fs::write(&long, [header, &all.repeat(times)].concat())?;

    let mut ratios = Vec::new();
    for (log, events) in [(&real, count), (&long, times * count)] {
        if let Answer::Rejected(said) = tool::run(log)? {
            bail!("tpm2_eventlog rejects {}: {said}", log.display());
        }
        let name = format!("{}, {events} events", ours.name());
        let programs =
            [("tpm2_eventlog, the same", tool::command(log)), (name.as_str(), ours.command(log))];
        let [reference, ours] = medians(programs, events)?;
        ratios.push(format!("{:.1} x for {events} events", reference / ours));
    }
    fs::remove_file(&long)?;
    let (name, ratios) = (ours.name(), ratios.join(", "));
    Ok(Outcome::Done(format!("tpm2_eventlog takes {ratios} of the time of {name}")))
}

/// What stands for this project.
enum Ours {
    Command(PathBuf),
    Example(PathBuf),
}

impl Ours {
    /// The command if it reads the log, otherwise the example; `None` if there is neither.
    fn find(log: &Path) -> Result<Option<Self>> {
        if let Some(tsm) = tsm::build()? {
            let command = Self::Command(tsm);
            if shell::capture(&mut command.command(log))?.status.success() {
                return Ok(Some(command));
            }
            println!("tsm replay does not read firmware logs yet; an example stands for it");
        }
        if !workspace::has_package("tsm-benches")? {
            return Ok(None);
        }
        let args = ["build", "--release", "--locked", "-p", "tsm-benches", "--example", "values"];
        shell::run(&mut shell::cargo(&args))?;
        let example = Self::Example(workspace::target_dir()?.join("release/examples/values"));
        let works = shell::capture(&mut example.command(log))?.status.success();
        ensure!(works, "the example does not read {}", log.display());
        Ok(Some(example))
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Command(_) => "tsm replay",
            Self::Example(_) => "the example",
        }
    }

    fn command(&self, log: &Path) -> Command {
        match self {
            Self::Command(tsm) => tsm::values_command(tsm, log),
            Self::Example(example) => {
                let mut command = Command::new(example);
                command.arg(log);
                command
            }
        }
    }
}
