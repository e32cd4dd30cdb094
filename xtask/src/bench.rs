// SPDX-License-Identifier: MIT OR Apache-2.0
//! The criterion benchmarks in `benches/`.

use anyhow::Result;

use crate::shell;
use crate::task::Outcome;
use crate::workspace;

const MANIFEST: &str = "benches/Cargo.toml";

/// Runs the benchmarks; `args` go to criterion.
///
/// # Errors
///
/// A benchmark does not build or fails.
pub(crate) fn run(args: &[&str]) -> Result<Outcome> {
    if !workspace::root().join(MANIFEST).exists() {
        return Ok(Outcome::Absent(MANIFEST.into()));
    }
    // Only the benchmarks: `cargo bench` would run the library's unit tests as well.
    let bench = ["bench", "--manifest-path", MANIFEST, "--bench", "*", "--locked", "--"];
    shell::run(shell::cargo(&bench).args(args))?;
    Ok(Outcome::Done("benchmarks ran".into()))
}

/// Runs every benchmark once, without measuring.
///
/// # Errors
///
/// A benchmark does not build or fails.
pub(crate) fn smoke() -> Result<Outcome> {
    run(&["--test"])
}
