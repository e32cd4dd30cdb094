// SPDX-License-Identifier: MIT OR Apache-2.0
//! Building the images: a workspace of their own, for targets without an operating system.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

use crate::rust_src::{self, Core};
use crate::shell;
use crate::workspace;

/// Checks the formatting of the images' sources.
///
/// # Errors
///
/// rustfmt's.
pub(super) fn formatted() -> Result<()> {
    // Not `--all`, which goes on to the crates that the images use.
    let packages = ["bare", "realm", "snp-guest", "td-shim", "uefi-shim"];
    let mut fmt = shell::cargo(&["fmt", "--check"]);
    fmt.args(packages.iter().flat_map(|package| ["-p", package]));
    shell::run(fmt.current_dir(workspace::root().join("examples")))
}

/// Lints and builds a package on these of the standard libraries, with these flags for the compiler, and
/// returns where its programs are.
///
/// # Errors
///
/// A warning, or it does not build, or no library sources for the compiler can be had.
pub(super) fn build(package: &str, target: &str, libraries: &str, flags: &str) -> Result<PathBuf> {
    let core = if rust_src::is_installed(target)? { Core::Installed } else { rust_src::sources()? };
    println!("{target}: {core}");
    let target_dir = workspace::target_dir()?.join("examples");
    let cargo = |command: &str| {
        let mut cargo = cargo(&core);
        if !flags.is_empty() {
            cargo.env("RUSTFLAGS", flags);
        }
        cargo.args([command, "-q", "--release", "--locked", "-p", package, "--target", target]);
        if !matches!(core, Core::Installed) {
            cargo.arg(format!("-Zbuild-std={libraries}"));
        }
        cargo.arg("--target-dir").arg(&target_dir);
        cargo
    };
    // Debian's own compiler comes without clippy.
    if !matches!(core, Core::Debian { .. }) {
        shell::run(cargo("clippy").args(["--", "-D", "warnings"]))?;
    }
    shell::run(&mut cargo("build"))?;
    Ok(target_dir.join(target).join("release"))
}

/// Cargo in the images' workspace, able to build `core`; see [`firmware`](crate::firmware).
fn cargo(core: &Core) -> Command {
    let mut cargo = match core {
        Core::Debian { cargo, .. } => shell::program(cargo, &[]),
        _ => shell::cargo(&[]),
    };
    cargo.current_dir(workspace::root().join("examples"));
    // Without this, RUSTFLAGS of the host would reach bare metal.
    cargo.env_remove("RUSTFLAGS");
    match core {
        Core::Installed => return cargo,
        Core::Sysroot => {}
        Core::Sources(library) => {
            cargo.env("__CARGO_TESTS_ONLY_SRC_ROOT", library);
        }
        Core::Debian { rustc, .. } => {
            cargo.env("RUSTC", rustc).env_remove("RUSTUP_TOOLCHAIN");
        }
    }
    cargo.env("RUSTC_BOOTSTRAP", "1");
    cargo
}
