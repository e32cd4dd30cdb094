// SPDX-License-Identifier: MIT OR Apache-2.0
//! The command `tsm`.
//!
//! This file maps arguments to commands and results to exit statuses: 0 it holds or there was
//! nothing to compare, 1 it does not hold, 2 wrong use or malformed input. What a command does
//! lives in the module of its name.
#![forbid(unsafe_code)]
#![cfg_attr(
    not(feature = "sim"),
    allow(dead_code, reason = "without the simulator there are no machines to act on yet")
)]

mod args;
mod causes;
mod convert;
#[cfg(feature = "sim")]
mod demo;
mod diff;
mod events;
mod evidence;
mod explain;
mod failure;
mod input;
mod inspect;
mod naming;
mod parse;
#[cfg(feature = "sim")]
mod registers;
mod replay;
#[cfg(feature = "sim")]
mod report;
mod show;
#[cfg(feature = "sim")]
mod state;
mod style;
#[cfg(feature = "sim")]
mod tree;

use std::process::ExitCode;

use clap::Parser as _;

use args::{Args, Command, Log, LogAction};
use failure::Failure;

/// What a command that came to an end found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Verdict {
    /// It holds, or there was nothing to compare.
    Holds,
    /// It does not hold.
    DoesNotHold,
}

type Result<T = Verdict, E = Failure> = core::result::Result<T, E>;

fn main() -> ExitCode {
    match parse_and_run() {
        Ok(Verdict::Holds) => ExitCode::SUCCESS,
        Ok(Verdict::DoesNotHold) => ExitCode::from(1),
        // Whoever reads our output (`head`) has seen enough.
        Err(failure) if failure.is_broken_pipe() => ExitCode::SUCCESS,
        Err(failure) => {
            anstream::eprintln!("tsm: {failure}");
            ExitCode::from(2)
        }
    }
}

fn parse_and_run() -> Result {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) if !error.use_stderr() => {
            let _ = error.print();
            return Ok(Verdict::Holds);
        }
        Err(error) => return Err(args::one_line(&error)),
    };
    match args.command {
        Command::Replay(command) => replay::run(&command),
        Command::Diff(command) => diff::run(&command),
        Command::Inspect(command) => inspect::run(&command),
        Command::Explain(command) => explain::run(&command),
        Command::Convert(command) => convert::run(&command),
        Command::Log(Log { action: Some(LogAction::Show(command)), .. }) => show::run(&command),
        #[cfg(feature = "sim")]
        Command::Demo(command) => demo::run(command.platform),
        #[cfg(feature = "sim")]
        Command::Registers(command) => registers::list(&args.machine, &command),
        #[cfg(feature = "sim")]
        Command::Append(command) => registers::append(&args.machine, &command),
        #[cfg(feature = "sim")]
        Command::Extend(command) => registers::extend(&args.machine, &command),
        #[cfg(feature = "sim")]
        Command::Log(command) => registers::log(&args.machine, &command),
        #[cfg(feature = "sim")]
        Command::Report(command) => report::run(&args.machine, &command),
        #[cfg(feature = "sim")]
        Command::Tree(command) => tree::run(&args.machine, &command),
        #[cfg(not(feature = "sim"))]
        _ => Err(Failure::usage("built without a provider of registers; enable the feature 'sim'")),
    }
}
