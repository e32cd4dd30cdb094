// SPDX-License-Identifier: MIT OR Apache-2.0
//! A `core` for a target: rustup's if it is installed, else one that is built from sources.
//!
//! Sources must be exactly of the compiler's version. With rustup there is no question
//! (`rustup target add`, or `rustup component add rust-src`); where rustup's server cannot be
//! reached, Debian's package `rust-src` of that version is unpacked, not installed.

use core::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::firmware;
use crate::shell;
use crate::workspace;

/// How a target gets its `core`.
pub(crate) enum Core {
    /// Compiled, in the toolchain.
    Installed,
    /// Sources in the toolchain.
    Sysroot,
    /// Sources elsewhere: the directory that holds `core/`, `alloc/` and the rest.
    Sources(PathBuf),
    /// Debian's own compiler, with its sources.
    Debian { cargo: &'static str, rustc: &'static str },
}

impl Core {
    /// The core for a target: as installed, else from `sources`, which are looked for once.
    ///
    /// # Errors
    ///
    /// As [`sources`].
    pub(crate) fn of<'s>(target: &str, found: &'s mut Option<Self>) -> Result<&'s Self> {
        if is_installed(target)? {
            return Ok(&Self::Installed);
        }
        match found {
            Some(core) => Ok(core),
            None => Ok(found.insert(sources()?)),
        }
    }

    /// `cargo <command> --target <target>` with what it takes to have these of Rust's own libraries.
    pub(crate) fn cargo(&self, command: &str, target: &str, libraries: &str) -> Command {
        let mut cargo = match self {
            Self::Debian { cargo, .. } => shell::program(cargo, &[]),
            _ => shell::cargo(&[]),
        };
        cargo.args([command, "--target", target]);
        // Without this, RUSTFLAGS of the host would reach the target.
        cargo.env_remove("RUSTFLAGS");
        match self {
            Self::Installed => return cargo,
            Self::Sysroot => {}
            Self::Sources(library) => {
                // Cargo's own tests use this variable, so it may go away; cargo then says that it
                // finds no sources in the sysroot.
                cargo.env("__CARGO_TESTS_ONLY_SRC_ROOT", library);
            }
            Self::Debian { rustc, .. } => {
                cargo.env("RUSTC", rustc).env_remove("RUSTUP_TOOLCHAIN");
            }
        }
        // Lets a stable compiler take -Z flags; nothing in this repository looks at it.
        cargo.env("RUSTC_BOOTSTRAP", "1").arg(format!("-Zbuild-std={libraries}"));
        cargo
    }
}

impl fmt::Display for Core {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Installed => f.write_str("core as installed"),
            Self::Sysroot => f.write_str("core from the toolchain's rust-src"),
            Self::Sources(library) => write!(f, "core from {}", workspace::relative(library)),
            Self::Debian { rustc, .. } => write!(f, "Debian's {rustc} and its sources"),
        }
    }
}

/// Whether the toolchain has the target compiled.
///
/// # Errors
///
/// There is no rustc.
pub(crate) fn is_installed(target: &str) -> Result<bool> {
    Ok(rustlib()?.join(target).join("lib").is_dir())
}

/// The first way to sources that works, downloading them if need be.
///
/// # Errors
///
/// None works; the error says what was tried and what to do.
pub(crate) fn sources() -> Result<Core> {
    if is_library(&rustlib()?.join("src/rust/library")) {
        return Ok(Core::Sysroot);
    }
    let version = compiler_version()?;
    let library = firmware::cache(&version).join("library");
    if is_library(&library) {
        return Ok(Core::Sources(library));
    }
    let Err(no_sources) = fetch(&version) else { return Ok(Core::Sources(library)) };
    println!("warning: {no_sources:#}\nwarning: trying Debian's own compiler instead");
    debian_compiler().with_context(|| {
        format!(
            "no library sources for rustc {version} ({no_sources:#}). Any of these helps: `rustup \
             target add` for the targets, `rustup component add rust-src`, the sources at {}",
            library.display()
        )
    })
}

fn rustlib() -> Result<PathBuf> {
    let sysroot = shell::text(&mut shell::program("rustc", &["--print", "sysroot"]))?;
    Ok(Path::new(sysroot.trim()).join("lib/rustlib"))
}

fn is_library(dir: &Path) -> bool {
    dir.join("core/src/lib.rs").is_file()
}

/// `1.95.0`
fn compiler_version() -> Result<String> {
    let line = shell::text(&mut shell::program("rustc", &["--version"]))?;
    let version = line.split(' ').nth(1).context("`rustc --version` without a version")?;
    Ok(version.split('-').next().unwrap_or(version).to_owned())
}

fn fetch(version: &str) -> Result<()> {
    if !shell::exists("apt-get") || !shell::exists("dpkg-deb") {
        bail!("not a Debian system");
    }
    let script = workspace::root().join("xtask/scripts/fetch-rust-src.sh");
    let mut fetch = shell::program("bash", &[]);
    shell::run(fetch.arg(script).arg(version).arg(firmware::cache(version)))
}

/// Debian's compiler for building browsers, which keeps up with stable.
fn debian_compiler() -> Result<Core> {
    let (cargo, rustc) = ("/usr/bin/cargo", "/usr/bin/rustc");
    if !is_library(Path::new("/usr/lib/rustlib/src/rust/library")) || !Path::new(cargo).exists() {
        shell::apt_install(&["rustc-web", "cargo-web", "rust-web-src"])?;
    }
    Ok(Core::Debian { cargo, rustc })
}
