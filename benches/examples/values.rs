// SPDX-License-Identifier: MIT OR Apache-2.0
//! Replays a firmware log in all its banks and prints the PCRs, and nothing else: the least that a
//! program can do which says what `tpm2_eventlog` says at its end.

use std::io::{self, BufWriter, Write as _};

use tsm_core::Algorithm;
use tsm_eventlog::registers::Platform;
use tsm_eventlog::tcg::{Log, Replay};

fn main() -> Result<(), Box<dyn core::error::Error>> {
    let file = std::env::args().nth(1).ok_or("values FILE")?;
    let bytes = std::fs::read(file)?;
    let log = Log::open(&bytes)?;
    let banks: Vec<Algorithm> = log.algorithms().known().collect();
    let mut replay = <Replay>::new(Platform::Tpm, &banks)?;
    if let Some(error) = replay.run(log).error() {
        return Err(error.into());
    }
    let mut out = BufWriter::new(io::stdout().lock());
    for register in replay.registers() {
        for value in banks.iter().filter_map(|&bank| register.value(bank)) {
            writeln!(out, "{}: {value}", register.index())?;
        }
    }
    Ok(())
}
