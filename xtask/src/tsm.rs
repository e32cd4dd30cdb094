// SPDX-License-Identifier: MIT OR Apache-2.0
//! The command `tsm`, as a program: what it is given and what it says.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use serde_json::Value;
use tsm_core::Digest;

use crate::shell;
use crate::task::Verdict;
use crate::workspace;

const PACKAGE: &str = "tsm-cli";

/// Builds the command in release mode, or `None` if it does not exist.
///
/// # Errors
///
/// It does not build.
pub(crate) fn build() -> Result<Option<PathBuf>> {
    if !workspace::has_package(PACKAGE)? {
        return Ok(None);
    }
    let args = ["build", "--release", "--locked", "-p", PACKAGE, "--bin", "tsm"];
    shell::run(&mut shell::cargo(&args))?;
    Ok(Some(workspace::target_dir()?.join("release/tsm")))
}

/// What to print when it does not exist.
pub(crate) const ABSENT: &str = "crates/tsm-cli";

/// `tsm replay` of an IMA list against one value of PCR 10.
pub(crate) fn replay_command(tsm: &Path, expected: &Digest, list: &Path) -> Command {
    let mut replay = Command::new(tsm);
    replay.args(["replay", "--format", "ima", "--bank", expected.algorithm().name()]);
    replay.arg("--expect").arg(expected.to_string()).arg("--json").arg(list);
    replay
}

/// `tsm replay` of a TPM's firmware log in all its banks, against nothing: the values alone.
pub(crate) fn values_command(tsm: &Path, log: &Path) -> Command {
    let mut replay = Command::new(tsm);
    replay.args(["replay", "--json", "--platform", "tpm"]).arg(log);
    replay
}

/// Runs [`replay_command`]. Input that is no list explains nothing.
///
/// # Errors
///
/// tsm died, or its status and its text contradict each other.
pub(crate) fn replay(tsm: &Path, expected: &Digest, list: &Path) -> Result<Verdict> {
    let output = shell::capture(&mut replay_command(tsm, expected, list))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let said = String::from_utf8_lossy(&output.stderr);
    let status = output.status.code().with_context(|| format!("tsm died: {said}"))?;
    if status == 2 {
        return Ok(Verdict::Rejected(said.into_owned()));
    }
    let answer: Value = serde_json::from_str(&text).with_context(|| format!("{text}{said}"))?;
    check_schema(&answer)?;
    let holds = answer.get("holds").and_then(Value::as_bool);
    let complete = register_match(&answer, expected).is_some_and(|m| m == "complete");
    match (status, holds) {
        (0, Some(true)) if complete => Ok(Verdict::Holds),
        (1, Some(false)) => Ok(Verdict::Rejected(text.into_owned())),
        _ => bail!("tsm contradicts itself: status {status}, {text}{said}"),
    }
}

fn check_schema(answer: &Value) -> Result<()> {
    match answer.get("schema").and_then(Value::as_str) {
        Some("tsm.replay/1") => Ok(()),
        other => bail!("unknown schema {other:?}"),
    }
}

/// How the list matches PCR 10 in the expected value's bank.
fn register_match<'a>(answer: &'a Value, expected: &Digest) -> Option<&'a str> {
    let bank = expected.algorithm().name();
    let registers = answer.get("registers")?.as_array()?;
    let is_ours = |r: &&Value| {
        let is = |key, value| r.get(key).and_then(Value::as_str) == Some(value);
        is("name", "pcr10") && is("bank", bank)
    };
    registers.iter().find(is_ours)?.get("match")?.as_str()
}
