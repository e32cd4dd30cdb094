// SPDX-License-Identifier: MIT OR Apache-2.0
//! Rules about source files that no compiler checks.

use std::fs;

use anyhow::{Result, bail};

use crate::task::Outcome;
use crate::workspace::{self, relative};

const SPDX: &str = "// SPDX-License-Identifier: MIT OR Apache-2.0";

/// Lines a file should have at most, not counting its tests at the end.
const TARGET: usize = 400;

/// Lines a file may have at most.
const LIMIT: usize = 800;

/// Checks the length of every Rust file.
///
/// # Errors
///
/// A file has more than 800 lines.
pub(crate) fn file_lengths() -> Result<Outcome> {
    let (mut files, mut long, mut too_long) = (0, 0, 0);
    for path in workspace::files(workspace::root(), ".rs")? {
        let text = fs::read_to_string(&path)?;
        let all = text.lines().count();
        let code = text.lines().position(|l| l == "mod tests {").unwrap_or(all);
        files += 1;
        if all > LIMIT {
            println!("error: {}: {all} lines, limit {LIMIT}", relative(&path));
            too_long += 1;
        } else if code > TARGET {
            println!("warning: {}: {code} lines, target {TARGET}", relative(&path));
            long += 1;
        }
    }
    if too_long > 0 {
        bail!("{too_long} files are too long");
    }
    Ok(Outcome::Done(format!("{files} files, {long} above {TARGET} lines, none above {LIMIT}")))
}

/// Checks that every Rust file begins with its licence.
///
/// # Errors
///
/// A file does not.
pub(crate) fn licences() -> Result<Outcome> {
    let files = workspace::files(workspace::root(), ".rs")?;
    let mut missing = 0;
    for path in &files {
        if fs::read_to_string(path)?.lines().next() != Some(SPDX) {
            println!("error: {}: the first line is not `{SPDX}`", relative(path));
            missing += 1;
        }
    }
    if missing > 0 {
        bail!("{missing} files do not begin with their licence");
    }
    Ok(Outcome::Done(format!("{} files begin with their licence", files.len())))
}
