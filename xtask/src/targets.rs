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
    /// What shows that the packages are installed.
    files: &'static [&'static str],
    packages: fn() -> Result<Vec<String>>,
    /// Settings for cargo: how to link and how to run.
    settings: &'static [(&'static str, &'static str)],
}

const TARGETS: [Target; 2] = [
    Target {
        triple: "i686-unknown-linux-gnu",
        files: &["/usr/lib32/libc.so", "/usr/lib32/libgcc_s.so.1"],
        packages: multilib,
        settings: &[],
    },
    Target {
        triple: "s390x-unknown-linux-gnu",
        files: &[
            "/usr/bin/qemu-s390x",
            "/usr/bin/s390x-linux-gnu-gcc",
            "/usr/s390x-linux-gnu/lib/libc.so",
        ],
        packages: || {
            let packages = ["qemu-user", "gcc-s390x-linux-gnu", "libc6-dev-s390x-cross"];
            Ok(packages.map(String::from).to_vec())
        },
        settings: &[
            ("CARGO_TARGET_S390X_UNKNOWN_LINUX_GNU_LINKER", "s390x-linux-gnu-gcc"),
            ("CARGO_TARGET_S390X_UNKNOWN_LINUX_GNU_RUNNER", "qemu-s390x -L /usr/s390x-linux-gnu"),
        ],
    },
];

/// Not `gcc-multilib`: that excludes every cross compiler, and the other target needs one.
fn multilib() -> Result<Vec<String>> {
    let version = shell::text(&mut shell::program("gcc", &["-dumpversion"]))?;
    let major = version.trim().split('.').next().unwrap_or_default();
    Ok(vec![format!("gcc-{major}-multilib"), "libc6-dev-i386".into()])
}

/// What firmware links, and what reads other machines' logs.
const PACKAGES: [&str; 6] =
    ["tsm-core", "tsm-eventlog", "tsm-tdx", "tsm-snp", "tsm-cca", "tsm-capi"];

/// The tests beside the code, and those that know the answers. Tests that try very many damaged logs
/// take minutes under an emulator and say nothing of byte order or word size that these do not.
const TESTS: [&str; 15] = [
    "laws",
    "spec",
    "ima_lists",
    "ima_replay",
    "tcg_logs",
    "tcg_replay",
    "cel_logs",
    "dstack",
    "systemd",
    "layout",
    "guest_messages",
    "real_reports",
    "rem_vectors",
    "token_data",
    "token_made",
];

/// Tests `PACKAGES` on every target.
///
/// # Errors
///
/// A test fails, or what it takes cannot be had.
pub(crate) fn run() -> Result<Outcome> {
    let target_dir = workspace::target_dir()?.join("targets");
    let mut sources = None;
    for target in &TARGETS {
        if !target.files.iter().all(|file| Path::new(file).exists()) {
            let packages = (target.packages)()?;
            shell::apt_install(&packages.iter().map(String::as_str).collect::<Vec<_>>())?;
        }
        let core = Core::of(target.triple, &mut sources)?;
        println!("{}: {core}", target.triple);
        let mut test = core.cargo("test", target.triple, "std,panic_unwind,test");
        test.args(["-q", "--locked", "--lib", "--target-dir"]).arg(&target_dir);
        test.args(TESTS.iter().flat_map(|name| ["--test", name]));
        test.args(PACKAGES.iter().flat_map(|package| ["-p", package]));
        test.envs(target.settings.iter().copied());
        // Whether the shared test data must be there is asked by the machine's own tests.
        test.env_remove("CI");
        // Without optimisation, the standard library included, an emulator takes ten times as long.
        test.env("CARGO_PROFILE_DEV_OPT_LEVEL", "1").env("CARGO_PROFILE_DEV_DEBUG", "0");
        shell::run(&mut test)?;
    }
    let triples: Vec<&str> = TARGETS.iter().map(|target| target.triple).collect();
    Ok(Outcome::Done(format!("{} tested on {}", PACKAGES.join(", "), triples.join(", "))))
}
