// SPDX-License-Identifier: MIT OR Apache-2.0
//! The one recipe.

use anyhow::Result;

use crate::shell::{cargo, run as sh};
use crate::task::{self, Outcome};
use crate::{bench, budgets, capi, features, firmware, fuzz, interop, qemu, sources, targets};

/// One check.
pub(crate) struct Step {
    pub(crate) name: &'static str,
    pub(crate) run: fn() -> Result<Outcome>,
}

/// Every check, cheap ones first.
pub(crate) const STEPS: &[Step] = &[
    Step { name: "fmt", run: fmt },
    Step { name: "licences", run: sources::licences },
    Step { name: "file-lengths", run: sources::file_lengths },
    Step { name: "clippy", run: clippy },
    Step { name: TEST, run: test },
    Step { name: "docs", run: docs },
    Step { name: "features", run: features::combinations },
    Step { name: "no-std-features", run: features::no_std },
    Step { name: "firmware", run: firmware::run },
    Step { name: "capi", run: capi::run },
    Step { name: "budgets", run: budgets::run },
    Step { name: "targets", run: targets::run },
    Step { name: "qemu", run: qemu::all },
    Step { name: "interop", run: interop::run },
    Step { name: "fuzz-smoke", run: || fuzz::smoke(fuzz::SECONDS) },
    Step { name: "bench-smoke", run: bench::smoke },
];

/// The step that `--skip-tests` leaves out.
const TEST: &str = "test";

/// Whether `ci` runs the tests; `.ci/run` has run them already.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tests {
    Run,
    Skip,
}

/// Runs every step up to the first that fails, then prints the times.
///
/// # Errors
///
/// The first step's that fails.
pub(crate) fn run(tests: Tests) -> Result<()> {
    let mut times = Vec::new();
    for &Step { name, run } in STEPS {
        if name == TEST && tests == Tests::Skip {
            println!("== {name}: left out");
            continue;
        }
        times.push((name, task::timed(name, run)?));
    }
    println!();
    for (name, time) in &times {
        println!("{:>8.1} s  {name}", time.as_secs_f64());
    }
    let total: f64 = times.iter().map(|(_, time)| time.as_secs_f64()).sum();
    println!("{total:>8.1} s  == ci: {} steps passed", times.len());
    Ok(())
}

fn fmt() -> Result<Outcome> {
    sh(&mut cargo(&["fmt", "--all", "--check"]))?;
    Ok(Outcome::Done("formatted".into()))
}

fn clippy() -> Result<Outcome> {
    let args = ["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"];
    sh(&mut cargo(&args))?;
    Ok(Outcome::Done("no warning".into()))
}

fn test() -> Result<Outcome> {
    sh(&mut cargo(&["test", "--workspace", "--locked"]))?;
    Ok(Outcome::Done("all tests passed".into()))
}

fn docs() -> Result<Outcome> {
    let mut doc = cargo(&["doc", "--no-deps", "--workspace", "--locked"]);
    sh(doc.env("RUSTDOCFLAGS", "-Dwarnings"))?;
    Ok(Outcome::Done("no warning".into()))
}
