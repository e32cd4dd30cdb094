// SPDX-License-Identifier: MIT OR Apache-2.0
//! The `no_std` crates build for machines without an operating system, with `core` and no `alloc`.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use crate::features::{self, NO_STD};
use crate::rust_src::Core;
use crate::shell;
use crate::task::Outcome;
use crate::workspace;

const TARGETS: [&str; 4] = [
    "x86_64-unknown-none",
    "x86_64-unknown-uefi",
    "aarch64-unknown-none",
    // A 32-bit target: `usize` is not 64 bits everywhere.
    "thumbv7em-none-eabi",
];

/// Builds every crate for every target, as it is and with all features, tsm-core with every combination of features.
///
/// # Errors
///
/// A build fails, or no library sources for the compiler can be had.
pub(crate) fn run() -> Result<Outcome> {
    let target_dir = workspace::target_dir()?.join("firmware");
    let combinations = features::with_an_algorithm()?;
    let mut sources = None;
    let mut builds = 0;
    for target in TARGETS {
        let core = Core::of(target, &mut sources)?;
        println!("{target}: {core}");
        for name in NO_STD {
            for features in [&[][..], &["--all-features"]] {
                let mut build = build(core, target, &target_dir);
                shell::run(build.args(["-p", name]).args(features))?;
                builds += 1;
            }
        }
        for list in &combinations {
            let mut build = build(core, target, &target_dir);
            build.args(["-p", "tsm-core", "--no-default-features", "--features", list]);
            shell::text(&mut build)?;
            builds += 1;
        }
    }
    Ok(Outcome::Done(format!("{builds} builds for {}", TARGETS.join(", "))))
}

fn build(core: &Core, target: &str, target_dir: &Path) -> Command {
    let mut build = core.cargo("build", target, "core");
    build.args(["-q", "--release", "--locked", "--target-dir"]).arg(target_dir);
    build
}

/// Where the library sources of a compiler are kept.
pub(crate) fn cache(version: &str) -> PathBuf {
    workspace::root().join(".cache/rust-src").join(version)
}
