// SPDX-License-Identifier: MIT OR Apache-2.0
//! `tsm replay` and evmctl on the same synthetic IMA list.

use std::fs;

use anyhow::{Result, bail};

use super::medians;
use crate::evmctl::{self, Pcrs};
use crate::task::{Outcome, Verdict};
use crate::{ima, tsm, workspace};

/// Makes the list, times the programs, gives the ratio.
///
/// # Errors
///
/// A program does not accept the list.
pub(super) fn run(entries: usize) -> Result<Outcome> {
    let Some(tsm) = tsm::build()? else { return Ok(Outcome::Absent(tsm::ABSENT.into())) };
    evmctl::ensure()?;
    let dir = workspace::scratch("compare-ima")?;
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
    let programs = [
        ("evmctl, binary", evmctl::command(&pcrs, &binary)),
        ("tsm, binary", tsm::replay_command(&tsm, &made.pcr, &binary)),
        ("tsm, ascii", tsm::replay_command(&tsm, &made.pcr, &ascii)),
    ];
    let [reference, ours, ours_ascii] = medians(programs, entries)?;
    fs::remove_dir_all(&dir)?;
    Ok(Outcome::Done(format!(
        "evmctl takes {:.1} x the time of tsm for {entries} IMA entries (ascii, which evmctl does not \
         read: tsm {ours_ascii:.3} s)",
        reference / ours,
    )))
}
