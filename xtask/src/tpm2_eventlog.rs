// SPDX-License-Identifier: MIT OR Apache-2.0
//! `tpm2_eventlog` of tpm2-tools, the reference for firmware logs, and what its versions get wrong.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use tsm_core::{Algorithm, Digest};

use crate::shell;

/// Values of PCRs by bank and number.
pub(crate) type Values = BTreeMap<(Algorithm, u32), Digest>;

/// Its release: major, minor.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Version(u32, u32);

impl Version {
    /// Until 5.6 (8 November 2023, its release notes and issues #3146 and #3256)
    ///
    /// - a record of the type `EV_NO_ACTION` extends its PCR,
    /// - PCR 0 starts with zeros whatever start-up locality or H-CRTM the log tells,
    /// - and such a record for a PCR that does not exist kills the program.
    pub(crate) fn extends_no_action(self) -> bool {
        self < Self(5, 6)
    }
}

impl core::fmt::Display for Version {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{}.{}", self.0, self.1)
    }
}

/// What it says about a log.
pub(crate) enum Answer {
    /// The PCRs that the log extends.
    Values(Values),
    /// Its first error, or how it died.
    Rejected(String),
}

/// Installs it if it is missing, and gives its version.
///
/// # Errors
///
/// It cannot be installed, or does not tell its version.
pub(crate) fn ensure() -> Result<Version> {
    if !shell::exists("tpm2_eventlog") {
        shell::apt_install(&["tpm2-tools"])?;
    }
    let said = shell::text(&mut shell::program("tpm2_eventlog", &["--version"]))?;
    version(&said).with_context(|| format!("no version in `{said}`"))
}

fn version(said: &str) -> Option<Version> {
    let (_, rest) = said.split_once("version=\"")?;
    let (version, _) = rest.split_once('"')?;
    let mut numbers = version.split(['.', '-']).map(str::parse);
    Some(Version(numbers.next()?.ok()?, numbers.next()?.ok()?))
}

/// How it is called.
pub(crate) fn command(log: &Path) -> Command {
    let mut command = Command::new("tpm2_eventlog");
    command.arg(log);
    command
}

/// Runs it.
///
/// # Errors
///
/// It cannot be run, or says something that is neither values nor an error.
pub(crate) fn run(log: &Path) -> Result<Answer> {
    let output = shell::capture(&mut command(log))?;
    let said = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        let error = said.lines().find_map(|line| line.strip_prefix("ERROR: "));
        let error = error.map_or_else(|| format!("it died, {}", output.status), str::to_owned);
        return Ok(Answer::Rejected(error));
    }
    // Names of files and variables stand there as they are: not all of it is UTF-8.
    let text = String::from_utf8_lossy(&output.stdout);
    Ok(Answer::Values(values(&text).with_context(|| log.display().to_string())?))
}

/// The last part of its YAML: `pcrs:`, below it the banks, below each `number : 0xVALUE`. A log
/// without events has none.
fn values(text: &str) -> Result<Values> {
    let mut values = Values::new();
    let mut bank = None;
    for line in text.lines().skip_while(|line| *line != "pcrs:").skip(1) {
        let (name, value) = line.split_once(':').with_context(|| line.to_owned())?;
        match value.trim().strip_prefix("0x") {
            None if value.trim().is_empty() => bank = Some(name.trim().parse::<Algorithm>()?),
            None => bail!("a line `{line}`"),
            Some(hex) => {
                let bank = bank.context("a value without a bank")?;
                let digest =
                    Digest::from_hex(bank, hex.as_bytes()).with_context(|| hex.to_owned())?;
                values.insert((bank, name.trim().parse()?), digest);
            }
        }
    }
    Ok(values)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions() {
        let said = "tool=\"tpm2_eventlog\" version=\"5.4\" tctis=\"libtss2-tctildr\"";
        assert_eq!(version(said), Some(Version(5, 4)));
        assert_eq!(version("version=\"5.10-rc0\""), Some(Version(5, 10)));
        assert_eq!(version("version=\"git\""), None);
        assert!(Version(5, 4).extends_no_action() && !Version(5, 10).extends_no_action());
    }

    #[test]
    fn values_of_yaml() {
        let hex = "0".repeat(39);
        let text = format!("---\nevents:\npcrs:\n  sha1:\n    0  : 0x{hex}1\n    14 : 0x{hex}2\n");
        let values = values(&text).unwrap();
        assert_eq!(values.len(), 2);
        assert_eq!(values[&(Algorithm::Sha1, 14)].as_bytes()[19], 2);
        assert!(super::values("---\nevents:\n").unwrap().is_empty());
        assert!(super::values(&text.replace("0x", "")).is_err());
    }
}
