// SPDX-License-Identifier: MIT OR Apache-2.0
//! Speed of whole processes: `tsm` and the tools that everybody has, on the same logs, in turns.

mod firmware;
mod ima;

use core::time::Duration;
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Result, bail};

use crate::task::Outcome;

/// Entries of the IMA list unless told otherwise.
pub(crate) const ENTRIES: usize = 400_000;

/// Rounds; each runs every program once, so that a busy machine is unfair to all of them.
const ROUNDS: usize = 7;

/// Makes the logs, times the programs, prints medians and the ratios. The firmware log has a
/// twentieth of the IMA list's `entries`.
///
/// # Errors
///
/// A program does not accept a log.
pub(crate) fn run(entries: usize) -> Result<Outcome> {
    let (ima, firmware) = (ima::run(entries)?, firmware::run(entries / 20)?);
    Ok(match (ima, firmware) {
        (Outcome::Done(ima), Outcome::Done(firmware)) => {
            Outcome::Done(format!("{ROUNDS} rounds, medians: {ima}; {firmware}"))
        }
        (Outcome::Absent(what), _) | (_, Outcome::Absent(what)) => Outcome::Absent(what),
    })
}

/// Runs the programs in turns, prints their times, and gives the medians in seconds. Each works on
/// so many records.
///
/// # Errors
///
/// A program cannot be run, or fails.
fn medians<const N: usize>(programs: [(&str, Command); N], records: usize) -> Result<[f64; N]> {
    let mut programs = programs.map(|(name, command)| (name, command, Vec::new()));
    for _ in 0..ROUNDS {
        for (_, command, times) in &mut programs {
            times.push(time(command)?);
        }
    }
    Ok(programs.map(|(name, _, mut times)| {
        times.sort_unstable();
        let seconds = |time: Option<&Duration>| time.map_or(0.0, Duration::as_secs_f64);
        let (min, max) = (seconds(times.first()), seconds(times.last()));
        let median = seconds(times.get(times.len() / 2));
        let each = median * 1e6 / records as f64;
        println!("{name:28} {median:9.4} s  ({min:.4} to {max:.4})  {each:8.3} us a record");
        median
    }))
}

fn time(command: &mut Command) -> Result<Duration> {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let start = Instant::now();
    let status = command.status()?;
    let time = start.elapsed();
    if !status.success() {
        bail!("{command:?} failed ({status})");
    }
    Ok(time)
}
