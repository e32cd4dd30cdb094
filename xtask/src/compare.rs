// SPDX-License-Identifier: MIT OR Apache-2.0
//! Speed of whole processes: `tsm replay` and evmctl on the same synthetic IMA list.

use core::time::Duration;
use std::fs;
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Result, bail};

use crate::evmctl::{self, Pcrs};
use crate::task::{Outcome, Verdict};
use crate::{ima, tsm, workspace};

/// Entries of the list unless told otherwise.
pub(crate) const ENTRIES: usize = 400_000;

/// Rounds; each runs every program once, so that a busy machine is unfair to all of them.
const ROUNDS: usize = 7;

/// Makes the list, times the programs, prints medians and the ratio.
///
/// # Errors
///
/// A program does not accept the list.
pub(crate) fn run(entries: usize) -> Result<Outcome> {
    let Some(tsm) = tsm::build()? else { return Ok(Outcome::Absent(tsm::ABSENT.into())) };
    evmctl::ensure()?;
    let dir = workspace::scratch("compare")?;
    let [binary, ascii, file] = ["binary", "ascii", "evmctl-sha1"].map(|name| dir.join(name));
    println!("writing a list of {entries} ima-ng entries");
    let made = ima::synthesize(entries)?;
    fs::write(&binary, &made.binary)?;
    fs::write(&ascii, &made.ascii)?;
    fs::write(&file, evmctl::pcr_file(&made.pcr))?;
    let pcrs = [Pcrs { file, pcr10: made.pcr }];
    if let Verdict::Rejected(said) = evmctl::judge(&pcrs, &binary)? {
        bail!("evmctl rejects the list: {said}");
    }
    for list in [&binary, &ascii] {
        if let Verdict::Rejected(said) = tsm::replay(&tsm, &made.pcr, list)? {
            bail!("tsm rejects the list {}: {said}", list.display());
        }
    }

    let mut programs = [
        ("evmctl, binary", evmctl::command(&pcrs, &binary), Vec::new()),
        ("tsm, binary", tsm::replay_command(&tsm, &made.pcr, &binary), Vec::new()),
        ("tsm, ascii", tsm::replay_command(&tsm, &made.pcr, &ascii), Vec::new()),
    ];
    for _ in 0..ROUNDS {
        for (_, command, times) in &mut programs {
            times.push(time(command)?);
        }
    }
    let [reference, ours, ours_ascii] = programs.map(|(name, _, mut times)| {
        let median = median(&mut times).as_secs_f64();
        let each = median * 1e6 / entries as f64;
        let range =
            times.first().zip(times.last()).map(|(a, b)| (a.as_secs_f64(), b.as_secs_f64()));
        let (min, max) = range.unwrap_or_default();
        println!("{name:16} {median:8.3} s  ({min:.3} to {max:.3})  {each:6.3} us an entry");
        median
    });
    fs::remove_dir_all(&dir)?;
    Ok(Outcome::Done(format!(
        "{entries} entries, {ROUNDS} rounds, medians: evmctl takes {:.1} x the time of tsm (ascii, \
         which evmctl does not read: tsm {:.3} s)",
        reference / ours,
        ours_ascii
    )))
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

/// Sorts the times.
fn median(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}
