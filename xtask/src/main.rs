// SPDX-License-Identifier: MIT OR Apache-2.0
//! The repository's own commands, `cargo xtask <command>`. `ci` is the one recipe that people and
//! `.ci/run` use; the others are its steps, and what needs a machine set up for it.

mod bench;
mod budgets;
mod capi;
mod ci;
mod compare;
mod evmctl;
mod features;
mod firmware;
mod fuzz;
mod ima;
mod interop;
mod qemu;
mod rust_src;
mod shell;
mod sources;
mod targets;
mod task;
mod tpm2_eventlog;
mod tsm;
mod workspace;

use std::env;
use std::process::ExitCode;

use anyhow::{Context as _, bail};

const HELP: &str = "\
cargo xtask <command>

  ci [--skip-tests]     every check below, in order, up to the first that fails

  fmt                   formatting
  clippy                lints of the workspace; warnings are errors
  test                  the tests
  docs                  documentation builds without a warning
  features              every feature combination of tsm-core passes the lints
  no-std-features       no default feature of the no_std crates pulls std or alloc
  file-lengths          Rust files: warns above 400 lines, fails above 800
  licences              every Rust file begins with its SPDX line
  firmware              the no_std crates build for bare metal and UEFI, with core alone
  capi                  the C header is up to date; C programs with gcc and clang, under valgrind
  budgets               size, symbols and panic paths of firmware images
  targets               the tests on 32 bits and, under an emulator, big endian
  interop               the replays agree with evmctl and tpm2_eventlog (installs ima-evm-utils, tpm2-tools)
  qemu [EXAMPLE]        the example images (uefi, td-shim, snp-guest, realm) boot in QEMU and their
                        logs hold (installs QEMU, OVMF, swtpm)
  fuzz-smoke [SECONDS]  every fuzz target for some seconds (default 10; nightly, cargo-fuzz)
  bench-smoke           every benchmark compiles and runs once

  bench [ARGS...]       the benchmarks; ARGS go to criterion
  compare [ENTRIES]     speed of `tsm replay` against evmctl on a list of 400000 entries, and against
                        tpm2_eventlog

A command whose part of the repository does not exist prints `absent: ...`, and fails if CI=true.
";

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match dispatch(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(args: &[&str]) -> anyhow::Result<()> {
    match args {
        [] | ["help" | "--help" | "-h"] => {
            print!("{HELP}");
            Ok(())
        }
        ["ci"] => ci::run(ci::Tests::Run),
        ["ci", "--skip-tests"] => ci::run(ci::Tests::Skip),
        ["fuzz-smoke", seconds] => {
            let seconds = number(seconds)?;
            task::report("fuzz-smoke", || fuzz::smoke(seconds))
        }
        ["qemu", name] => {
            let example = qemu::Example::named(name);
            let example = example.with_context(|| format!("no example `{name}`"))?;
            task::report(&format!("qemu {name}"), || qemu::run(&[example]))
        }
        ["bench", rest @ ..] => task::report("bench", || bench::run(rest)),
        ["compare"] => task::report("compare", || compare::run(compare::ENTRIES)),
        ["compare", entries] => {
            let entries = number(entries)?;
            task::report("compare", || compare::run(entries))
        }
        [name] => match ci::STEPS.iter().find(|step| step.name == *name) {
            Some(step) => task::report(name, step.run),
            None => bail!("unknown command `{name}`; see `cargo xtask help`"),
        },
        _ => bail!("too many arguments; see `cargo xtask help`"),
    }
}

fn number<N: core::str::FromStr>(text: &str) -> anyhow::Result<N>
where
    N::Err: core::error::Error + Send + Sync + 'static,
{
    text.parse().with_context(|| format!("`{text}` is not a number"))
}
