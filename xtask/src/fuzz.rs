// SPDX-License-Identifier: MIT OR Apache-2.0
//! The fuzz targets in `fuzz/`, some seconds each.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::shell;
use crate::task::Outcome;
use crate::workspace;

/// Seconds per target unless told otherwise.
pub(crate) const SECONDS: u32 = 6;

/// The cargo-fuzz that is installed when there is none.
const CARGO_FUZZ: &str = "0.13.2";

/// Runs every fuzz target, from its seeds.
///
/// # Errors
///
/// A target does not build or finds something; no nightly toolchain; cargo-fuzz cannot be had.
pub(crate) fn smoke(seconds: u32) -> Result<Outcome> {
    let targets = targets()?;
    if targets.is_empty() {
        return Ok(Outcome::Absent("fuzz/fuzz_targets/*.rs".into()));
    }
    ensure_cargo_fuzz()?;
    let scratch = workspace::scratch("fuzz-corpus")?;
    for target in &targets {
        // libFuzzer adds what it finds to the corpus: a copy keeps the repository clean.
        let corpus = scratch.join(target);
        let seeds = copy_seeds(&workspace::root().join("fuzz/seeds").join(target), &corpus)?;
        println!("{target}: {seeds} seeds, {seconds} s");
        fuzz(target, &corpus, seconds)?;
    }
    Ok(Outcome::Done(format!("{} targets, {seconds} s each, nothing found", targets.len())))
}

fn targets() -> Result<Vec<String>> {
    let dir = workspace::root().join("fuzz/fuzz_targets");
    if !dir.exists() {
        return Ok(Vec::new());
    }
    let stem = |path: PathBuf| path.file_stem().map(|s| s.to_string_lossy().into_owned());
    Ok(workspace::files(&dir, ".rs")?.into_iter().filter_map(stem).collect())
}

fn ensure_cargo_fuzz() -> Result<()> {
    if !shell::exists("cargo-fuzz") {
        let args = ["install", "--locked", "cargo-fuzz", "--version", CARGO_FUZZ];
        shell::run(&mut shell::cargo(&args))?;
    }
    shell::text(&mut shell::program("rustup", &["run", "nightly", "rustc", "-V"]))
        .context("fuzzing needs nightly: `rustup toolchain install nightly`")?;
    Ok(())
}

fn copy_seeds(from: &Path, to: &Path) -> Result<usize> {
    fs::create_dir_all(to)?;
    let mut copied = 0;
    if from.exists() {
        for entry in fs::read_dir(from)? {
            let entry = entry?;
            if entry.file_type()?.is_file() {
                fs::copy(entry.path(), to.join(entry.file_name()))?;
                copied += 1;
            }
        }
    }
    Ok(copied)
}

fn fuzz(target: &str, corpus: &Path, seconds: u32) -> Result<()> {
    // Instrumented code has a target directory of its own: it would push everything else out.
    let target_dir = workspace::target_dir()?.join("fuzz");
    // Not `cargo +nightly`: the cargo that runs this program has already fixed the toolchain.
    let args = ["run", "nightly", "cargo", "fuzz", "run", "--fuzz-dir", "fuzz", "--target-dir"];
    let mut fuzz = shell::program("rustup", &args);
    fuzz.arg(target_dir).arg(target).arg(corpus).arg("--");
    // Always the same seed: this shows that the targets work and keep their laws on what is known. To
    // look for something new, run one without it, and longer.
    fuzz.arg(format!("-max_total_time={seconds}")).args([
        "-seed=1",
        "-timeout=10",
        "-verbosity=0",
        "-print_final_stats=1",
    ]);
    shell::run(&mut fuzz).context("what it found is under fuzz/artifacts")
}
