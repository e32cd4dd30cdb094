// SPDX-License-Identifier: MIT OR Apache-2.0
//! `examples/td-shim`: a bare-metal image on an emulated TDX module.

use core::time::Duration;
use std::path::Path;

use anyhow::{Result, bail};

use super::machine;
use super::replay::{self, Claim};

const TIME: Duration = Duration::from_secs(30);

/// Builds and boots it, and replays its logs.
///
/// # Errors
///
/// A check of the image failed, its stack budget is exceeded, or a log does not explain its
/// register.
pub(super) fn run(tsm: &Path) -> Result<String> {
    // `alloc` for the simulator's crate; the image gives no memory.
    let programs = super::image::build("td-shim", "x86_64-unknown-none", "core,alloc")?;
    let mut qemu = machine::bare("64");
    qemu.arg("-kernel").arg(programs.join("td-shim"));
    let run = machine::run(qemu, TIME)?;
    let stack: Vec<&str> = run.serial.lines("STACK ").collect();
    for line in &stack {
        println!("stack: {line}");
    }
    match run.status {
        33 => {}
        37 => bail!("more stack than the budget:\n{}", stack.join("\n")),
        39 => bail!("the stack overflowed:\n{}", stack.join("\n")),
        other => bail!("the image ended with status {other}:\n{}", run.serial),
    }
    if !run.serial.says("RESULT good") {
        bail!("no good result:\n{}", run.serial);
    }
    if run.serial.lines("detection says: this is not a TD").next().is_none() {
        bail!("the adapter takes QEMU for a TD:\n{}", run.serial);
    }
    let rtmr2 = Claim {
        log: &run.serial.log("rtmr2")?,
        values: &[run.serial.value("register", "rtmr2")?],
        start: None,
        virtual_value: None,
    };
    replay::holds(tsm, &rtmr2)?;
    let rtmr3 = Claim {
        log: &run.serial.log("rtmr3")?,
        values: &[run.serial.value("register", "rtmr3")?],
        start: None,
        virtual_value: Some(("mr_app", run.serial.value("virtual", "mr_app")?)),
    };
    replay::holds(tsm, &rtmr3)?;
    println!("tsm replay: both logs explain their registers; with a letter changed, neither does");
    Ok(format!("td-shim: stack {}", figures(&stack)))
}

/// `append 1784, replay 1928` of lines `append 1784 of 4096 ...`.
fn figures(stack: &[&str]) -> String {
    let figure = |line: &&str| {
        let mut words = line.split(' ');
        Some(format!("{} {}", words.next()?, words.next()?))
    };
    stack.iter().filter_map(figure).collect::<Vec<_>>().join(", ")
}
