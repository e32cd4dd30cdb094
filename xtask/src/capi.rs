// SPDX-License-Identifier: MIT OR Apache-2.0
//! The C interface: its header is up to date, its library builds, and the C programs run.

use std::env::consts::{ARCH, OS};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};

use crate::rust_src::Core;
use crate::shell::{self, program};
use crate::task::Outcome;
use crate::workspace;

/// The version with which the checked-in header was made.
const CBINDGEN: &str = "0.29.4";

/// Without an operating system.
pub(crate) const BARE: &str = "x86_64-unknown-none";

/// The compact form of the hash crates' code: a twentieth of the size for SHA-512, at some cost in
/// speed; see the section on budgets in the documentation.
pub(crate) const COMPACT: &str = "--cfg sha2_backend_soft=\"compact\"";

const COMPILERS: [&str; 2] = ["gcc", "clang"];
const WARNINGS: [&str; 5] = ["-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Werror"];

/// Checks the header, builds the library for the host and for bare metal, compiles the C programs with
/// both compilers, and runs them, under valgrind too.
///
/// # Errors
///
/// The header is stale (it has been made anew then); something does not build; a program fails.
pub(crate) fn run() -> Result<Outcome> {
    header()?;
    tools()?;
    let scratch = workspace::scratch("capi")?;
    let (host, bare) = (host_library()?, bare_library()?);
    // Debian 12's valgrind cannot read clang's DWARF 5.
    let mut programs = 0;
    for compiler in COMPILERS {
        let errors = compile(compiler, &["errors.c"], &host, &scratch, &["-gdwarf-4", "-O1"])?;
        valgrind(&errors)?;
        let hosted =
            compile(compiler, &["shim.c", "hosted.c"], &host, &scratch, &["-gdwarf-4", "-O2"])?;
        valgrind(&hosted)?;
        let image = freestanding(compiler, &bare, &scratch)?;
        programs += 3;
        // It stands on two system calls of Linux; elsewhere that it links must do.
        if (ARCH, OS) == ("x86_64", "linux") {
            let (with, without) = (said(&hosted)?, said(&image)?);
            ensure!(with == without, "{compiler}: the two builds of the shim say different things");
        }
    }
    let said = format!("header up to date, {programs} C programs with {}", COMPILERS.join(" and "));
    Ok(Outcome::Done(said))
}

/// Makes the header anew and compares it with the one that is checked in.
fn header() -> Result<()> {
    let version = shell::text(&mut program("cbindgen", &["--version"])).unwrap_or_default();
    if version.trim() != format!("cbindgen {CBINDGEN}") {
        let args = ["install", "--locked", "--force", "cbindgen", "--version", CBINDGEN];
        // A target directory of its own: what it leaves is of no use to anybody.
        let mut install = shell::cargo(&args);
        shell::run(install.env("CARGO_TARGET_DIR", workspace::scratch("cbindgen")?))?;
    }
    let made = workspace::scratch("header")?.join("tsm.h");
    let mut cbindgen = program("cbindgen", &["-q", "--config", "crates/tsm-capi/cbindgen.toml"]);
    shell::text(cbindgen.arg("crates/tsm-capi").arg("--output").arg(&made))?;
    let made = fs::read(made)?;
    let path = workspace::root().join("crates/tsm-capi/include/tsm.h");
    if fs::read(&path).ok().as_ref() != Some(&made) {
        fs::write(&path, &made)?;
        bail!("{} was stale; it is up to date now: commit it", workspace::relative(&path));
    }
    Ok(())
}

fn tools() -> Result<()> {
    let missing: Vec<&str> =
        ["gcc", "clang", "valgrind"].into_iter().filter(|tool| !shell::exists(tool)).collect();
    if missing.is_empty() { Ok(()) } else { shell::apt_install(&missing) }
}

/// The static library for this machine.
///
/// # Errors
///
/// It does not build.
fn host_library() -> Result<PathBuf> {
    let target_dir = target_dir()?;
    let mut build = shell::cargo(&["build"]);
    build.env_remove("RUSTFLAGS").args(ARGUMENTS);
    shell::run(build.arg("--target-dir").arg(&target_dir))?;
    Ok(target_dir.join("release/libtsm.a"))
}

/// The static library for bare metal, compact.
///
/// # Errors
///
/// It does not build, or there are no sources of `core`.
pub(crate) fn bare_library() -> Result<PathBuf> {
    let target_dir = target_dir()?;
    let mut sources = None;
    let mut build = Core::of(BARE, &mut sources)?.cargo("build", BARE, "core");
    build.env("RUSTFLAGS", COMPACT).args(ARGUMENTS);
    shell::run(build.arg("--target-dir").arg(&target_dir))?;
    Ok(target_dir.join(BARE).join("release/libtsm.a"))
}

const ARGUMENTS: [&str; 5] =
    ["-q", "--release", "--locked", "--manifest-path", "crates/tsm-capi/static/Cargo.toml"];

fn target_dir() -> Result<PathBuf> {
    Ok(workspace::target_dir()?.join("capi"))
}

/// Compiles a program of the example and returns where it is.
fn compile(
    compiler: &str,
    sources: &[&str],
    library: &Path,
    scratch: &Path,
    options: &[&str],
) -> Result<PathBuf> {
    let example = workspace::root().join("examples/c-bootloader");
    let last = Path::new(sources.last().context("no source")?);
    let out = scratch.join(compiler).join(last.with_extension(""));
    fs::create_dir_all(scratch.join(compiler))?;
    let mut compile = program(compiler, &WARNINGS);
    compile.args(options).args(["-I", "crates/tsm-capi/include"]);
    compile.args(sources.iter().map(|source| example.join(source)));
    shell::text(compile.arg(library).arg("-o").arg(&out))?;
    Ok(out)
}

/// Links the shim without a C library and checks that nothing is missing.
fn freestanding(compiler: &str, library: &Path, scratch: &Path) -> Result<PathBuf> {
    let options = [
        "-O2",
        "-ffreestanding",
        "-nostdlib",
        "-static",
        "-fno-stack-protector",
        "-Wl,--gc-sections",
    ];
    let image = compile(compiler, &["shim.c", "freestanding.c"], library, scratch, &options)?;
    let undefined = shell::text(program("nm", &["-u"]).arg(&image))?;
    ensure!(undefined.trim().is_empty(), "{} lacks {undefined}", image.display());
    Ok(image)
}

/// Runs a program under valgrind.
fn valgrind(path: &Path) -> Result<()> {
    let mut valgrind = program("valgrind", &["-q", "--error-exitcode=99", "--leak-check=full"]);
    let said = shell::text(valgrind.arg(path))?;
    let last = said.lines().last().unwrap_or_default();
    println!("{}: {last}", path.strip_prefix(workspace::root()).unwrap_or(path).display());
    Ok(())
}

/// Runs a program and returns what it prints.
fn said(path: &Path) -> Result<String> {
    shell::text(&mut Command::new(path))
}
