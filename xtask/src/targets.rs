// SPDX-License-Identifier: MIT OR Apache-2.0
//! The tests on machines of another sort: 32 bits, and big endian under an emulator.

use std::path::Path;

use anyhow::Result;

use crate::rust_src::Core;
use crate::shell;
use crate::task::Outcome;
use crate::workspace;

/// A machine that is not like the one most tests run on.
struct Target {
    triple: &'static str,
    /// A program that is there once the packages are installed.
    tool: &'static str,
    packages: &'static [&'static str],
    /// A file that is there once they are, for packages without a program of their own.
    file: &'static str,
    /// Settings for cargo: how to link and how to run.
    settings: &'static [(&'static str, &'static str)],
}

const TARGETS: [Target; 2] = [
    Target {
        triple: "i686-unknown-linux-gnu",
        tool: "gcc",
        packages: &["gcc-multilib"],
        file: "/usr/lib32/libc.so.6",
        settings: &[],
    },
    Target {
        triple: "s390x-unknown-linux-gnu",
        tool: "qemu-s390x",
        packages: &["qemu-user", "gcc-s390x-linux-gnu", "libc6-dev-s390x-cross"],
        file: "/usr/s390x-linux-gnu/lib/libc.so.6",
        settings: &[
            ("CARGO_TARGET_S390X_UNKNOWN_LINUX_GNU_LINKER", "s390x-linux-gnu-gcc"),
            ("CARGO_TARGET_S390X_UNKNOWN_LINUX_GNU_RUNNER", "qemu-s390x -L /usr/s390x-linux-gnu"),
        ],
    },
];

/// What firmware links, and what reads other machines' logs.
const PACKAGES: [&str; 3] = ["tsm-core", "tsm-eventlog", "tsm-capi"];

/// Tests `PACKAGES` on every target.
///
/// # Errors
///
/// A test fails, or what it takes cannot be had.
pub(crate) fn run() -> Result<Outcome> {
    let target_dir = workspace::target_dir()?.join("targets");
    let mut sources = None;
    for target in &TARGETS {
        if !shell::exists(target.tool) || !Path::new(target.file).exists() {
            shell::apt_install(target.packages)?;
        }
        let core = Core::of(target.triple, &mut sources)?;
        println!("{}: {core}", target.triple);
        let mut test = core.cargo("test", target.triple, "std,panic_unwind,test");
        test.args(["-q", "--locked", "--lib", "--tests", "--target-dir"]).arg(&target_dir);
        test.args(PACKAGES.iter().flat_map(|package| ["-p", package]));
        test.envs(target.settings.iter().copied());
        // Without optimisation, the standard library included, an emulator takes ten times as long.
        test.env("CARGO_PROFILE_DEV_OPT_LEVEL", "1").env("CARGO_PROFILE_DEV_DEBUG", "0");
        shell::run(&mut test)?;
    }
    let triples: Vec<&str> = TARGETS.iter().map(|target| target.triple).collect();
    Ok(Outcome::Done(format!("{} tested on {}", PACKAGES.join(", "), triples.join(", "))))
}
