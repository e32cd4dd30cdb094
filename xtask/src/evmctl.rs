// SPDX-License-Identifier: MIT OR Apache-2.0
//! evmctl of ima-evm-utils, the reference for IMA lists, and what version 1.4 does not tell.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};
use tsm_core::{Algorithm, Digest};

use crate::shell;
use crate::task::Verdict;

/// The banks evmctl 1.4 knows. Given another it reads nothing and exits with 0; given more than
/// two files it refuses.
const BANKS: [&str; 2] = ["sha1", "sha256"];

/// A file of PCR values as `--pcrs` wants it, and the value of PCR 10 in it.
pub(crate) struct Pcrs {
    pub(crate) file: PathBuf,
    pub(crate) pcr10: Digest,
}

/// Installs evmctl if it is missing.
///
/// # Errors
///
/// It cannot be installed; the error says what to do.
pub(crate) fn ensure() -> Result<()> {
    if shell::exists("evmctl") { Ok(()) } else { shell::apt_install(&["ima-evm-utils"]) }
}

/// The files `evmctl-<bank>` in a directory, for the banks that evmctl knows.
///
/// # Errors
///
/// A file is not what `--pcrs` wants.
pub(crate) fn pcrs(dir: &Path) -> Result<Vec<Pcrs>> {
    let mut found = Vec::new();
    for bank in BANKS {
        let file = dir.join(format!("evmctl-{bank}"));
        if file.exists() {
            let text = std::fs::read_to_string(&file)?;
            let pcr10 = pcr10(bank, &text).with_context(|| file.display().to_string())?;
            found.push(Pcrs { file, pcr10 });
        }
    }
    Ok(found)
}

/// Writes such a file: PCR 10 has the value, the others are zero.
pub(crate) fn pcr_file(pcr10: &Digest) -> String {
    let zeros = Digest::zeros(pcr10.algorithm());
    let line = |n| {
        let value = if n == 10 { pcr10 } else { &zeros };
        let bytes: Vec<String> = value.as_bytes().iter().map(|b| format!("{b:02x}")).collect();
        format!("PCR-{n:02}: {}\n", bytes.join(" "))
    };
    (0..24).map(line).collect()
}

/// `evmctl ima_measurement` of a binary list. Violations are accepted as the kernel extends them;
/// otherwise any list with one is refused.
pub(crate) fn command(pcrs: &[Pcrs], list: &Path) -> Command {
    let mut evmctl = Command::new("evmctl");
    evmctl.args(["ima_measurement", "--ignore-violations"]);
    for Pcrs { file, pcr10 } in pcrs {
        let pcrs = format!("{},{}", pcr10.algorithm(), file.display());
        evmctl.arg("--pcrs").arg(pcrs);
    }
    evmctl.arg(list);
    evmctl
}

/// Whether evmctl says that the list explains all the values.
///
/// # Errors
///
/// evmctl cannot be run.
pub(crate) fn judge(pcrs: &[Pcrs], list: &Path) -> Result<Verdict> {
    let output = shell::capture(&mut command(pcrs, list))?;
    let mut said = String::from_utf8_lossy(&output.stdout).into_owned();
    said.push_str(&String::from_utf8_lossy(&output.stderr));
    // Neither is enough: status 0 without the text is a bank it does not know, the text without
    // status 0 is an entry whose digest is not that of its data.
    if output.status.success() && said.contains("Matched per TPM bank calculated digest(s)") {
        return Ok(Verdict::Holds);
    }
    Ok(Verdict::Rejected(said))
}

fn pcr10(bank: &str, text: &str) -> Result<Digest> {
    let algorithm: Algorithm = bank.parse()?;
    let line = text.lines().find_map(|l| l.strip_prefix("PCR-10:")).context("no PCR-10")?;
    let digits: String = line.split_whitespace().collect();
    let digits = digits.to_ascii_lowercase();
    Digest::from_hex(algorithm, digits.as_bytes()).context("PCR-10 is not a digest of its bank")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pcr_file_there_and_back() {
        let value = Algorithm::Sha256.hash(b"value");
        let text = pcr_file(&value);
        assert_eq!(text.lines().count(), 24);
        assert_eq!(pcr10("sha256", &text).unwrap(), value);
        assert!(pcr10("sha1", &text).is_err());
    }
}
