// SPDX-License-Identifier: MIT OR Apache-2.0
//! The command `tsm` as the judge of a log that came out of a machine.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use super::machine::TempDir;
use crate::shell;

/// A log and what it is said to explain.
pub(super) struct Claim<'c> {
    pub(super) log: &'c str,
    /// Values `<alg>/<hex>` of the register, read elsewhere.
    pub(super) values: &'c [String],
    /// Where the register began, if not at zeros.
    pub(super) start: Option<String>,
    /// A virtual register and its value.
    pub(super) virtual_value: Option<(&'c str, String)>,
}

/// Checks that the log explains the values, and that the same log with a letter changed in its
/// last record does not.
///
/// # Errors
///
/// One of the two is not so, or tsm says that the log is malformed.
pub(super) fn holds(tsm: &Path, claim: &Claim<'_>) -> Result<()> {
    let dir = TempDir::new()?;
    let said = replay(tsm, claim, claim.log, dir.path(), 0)?;
    if let Some((name, value)) = &claim.virtual_value
        && !says(&said, name, value)
    {
        bail!("tsm does not find {value} for the virtual register {name}:\n{said}");
    }
    // The last record is not a capture, and hardly any text is the same in upper case.
    let record = claim.log.trim_end().rfind('\n').map_or(0, |end| end + 1);
    let (before, last) = claim.log.split_at(record);
    let changed = format!("{before}{}", last.replacen("boot", "Boot", 1));
    if changed == *claim.log {
        bail!("no record to change in:\n{}", claim.log);
    }
    replay(tsm, claim, &changed, dir.path(), 1).context("a log with a letter changed").map(drop)
}

/// Whether tsm shows the value in the line of the virtual register.
fn says(said: &str, name: &str, value: &str) -> bool {
    let (bank, digits) = value.split_once('/').unwrap_or_default();
    let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    said.lines().map(words).any(|words| {
        words.first().is_some_and(|first| first == name)
            && [bank, digits].iter().all(|part| words.iter().any(|word| word == part))
    })
}

/// Runs `tsm replay`, which must end with this status.
fn replay(tsm: &Path, claim: &Claim<'_>, log: &str, dir: &Path, status: i32) -> Result<String> {
    let file = dir.join("register.log");
    fs::write(&file, log)?;
    let mut replay = Command::new(tsm);
    replay.args(["replay", "--format", "record"]);
    for value in claim.values {
        replay.args(["--expect", value]);
    }
    if let Some(start) = &claim.start {
        replay.args(["--start", start]);
    }
    if let Some((name, _)) = &claim.virtual_value {
        replay.args(["--virtual", name]);
    }
    let output = shell::capture(replay.arg(&file))?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.code() != Some(status) {
        let complained = String::from_utf8_lossy(&output.stderr);
        bail!("tsm replay: {} instead of {status}:\n{said}{complained}\n{log}", output.status);
    }
    Ok(said)
}
