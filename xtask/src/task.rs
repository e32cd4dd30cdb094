// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a command does when it is done: one closing line, with the time it took.

use core::time::Duration;
use std::env;
use std::time::Instant;

use anyhow::{Context as _, bail};

/// How a command ended, other than by an error.
pub(crate) enum Outcome {
    /// Done; the text says what was done, in one line.
    Done(String),
    /// The part of the repository that the command is for does not exist.
    Absent(String),
}

/// What a program says about a log.
pub(crate) enum Verdict {
    /// The log explains the value.
    Holds,
    /// It does not, or it is no log; the program's own words.
    Rejected(String),
}

/// Runs one command and prints its closing line.
///
/// # Errors
///
/// The command's, and an absent part if `CI=true`: there a check that did not run is a failure.
pub(crate) fn report(
    name: &str,
    command: impl FnOnce() -> anyhow::Result<Outcome>,
) -> anyhow::Result<()> {
    timed(name, command).map(|_| ())
}

/// [`report`] that also returns the time.
///
/// # Errors
///
/// See [`report`].
pub(crate) fn timed(
    name: &str,
    command: impl FnOnce() -> anyhow::Result<Outcome>,
) -> anyhow::Result<Duration> {
    println!("== {name}");
    let start = Instant::now();
    let outcome = command().with_context(|| name.to_owned())?;
    let time = start.elapsed();
    match outcome {
        Outcome::Done(what) => println!("== {name}: {what} ({:.1} s)", time.as_secs_f64()),
        Outcome::Absent(what) if in_ci() => bail!("{name}: absent: {what}"),
        Outcome::Absent(what) => println!("== {name}: absent: {what}"),
    }
    Ok(time)
}

/// Whether this is a run that must not skip anything.
pub(crate) fn in_ci() -> bool {
    env::var("CI").is_ok_and(|ci| ci == "true")
}
