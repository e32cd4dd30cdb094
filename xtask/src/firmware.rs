// SPDX-License-Identifier: MIT OR Apache-2.0
//! The `no_std` crates build for machines without an operating system, with `core` and no `alloc`.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use crate::features::NO_STD;
use crate::rust_src::{self, Core};
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

/// The feature sets of tsm-core that firmware uses; the `features` step tries all of them.
const FEATURE_SETS: [&[&str]; 4] = [
    &[],
    &["--no-default-features", "--features", "sha384"],
    &["--no-default-features", "--features", "sha256"],
    &["--all-features"],
];

/// Builds every crate for every target.
///
/// # Errors
///
/// A build fails, or no library sources for the compiler can be had.
pub(crate) fn run() -> Result<Outcome> {
    let target_dir = workspace::target_dir()?.join("firmware");
    let mut sources = None;
    let mut builds = 0;
    for target in TARGETS {
        let core = match &sources {
            _ if rust_src::is_installed(target)? => &Core::Installed,
            Some(found) => found,
            None => sources.insert(rust_src::sources()?),
        };
        println!("{target}: {core}");
        for name in NO_STD {
            let sets: &[&[&str]] = if name == "tsm-core" { &FEATURE_SETS } else { &[&[]] };
            for features in sets {
                shell::run(build(core, target, &target_dir).args(["-p", name]).args(*features))?;
                builds += 1;
            }
        }
    }
    Ok(Outcome::Done(format!("{builds} builds for {}", TARGETS.join(", "))))
}

fn build(core: &Core, target: &str, target_dir: &Path) -> Command {
    let mut build = match core {
        Core::Debian { cargo, .. } => shell::program(cargo, &[]),
        _ => shell::cargo(&[]),
    };
    build.args(["build", "-q", "--release", "--locked", "--target", target]);
    build.arg("--target-dir").arg(target_dir);
    // Without this, RUSTFLAGS of the host would reach bare metal.
    build.env_remove("RUSTFLAGS");
    match core {
        Core::Installed => return build,
        Core::Sysroot => {}
        Core::Sources(library) => {
            // Cargo's own tests use this variable, so it may go away; cargo then says that it
            // finds no sources in the sysroot.
            build.env("__CARGO_TESTS_ONLY_SRC_ROOT", library);
        }
        Core::Debian { rustc, .. } => {
            build.env("RUSTC", rustc).env_remove("RUSTUP_TOOLCHAIN");
        }
    }
    // Lets a stable compiler take -Z flags; nothing in this repository looks at it.
    build.env("RUSTC_BOOTSTRAP", "1").arg("-Zbuild-std=core");
    build
}

/// Where the library sources of a compiler are kept.
pub(crate) fn cache(version: &str) -> PathBuf {
    workspace::root().join(".cache/rust-src").join(version)
}
