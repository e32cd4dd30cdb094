// SPDX-License-Identifier: MIT OR Apache-2.0
//! What an image says about its stack, and how its run ended.

use anyhow::{Result, bail};

use super::machine::Run;

/// Prints the lines about the stack, checks that all went well, and returns the figures:
/// `append 1784, replay 1928`.
///
/// # Errors
///
/// A check of the image failed, or a budget of its stack is exceeded.
pub(super) fn check(run: &Run) -> Result<String> {
    let lines: Vec<&str> = run.serial.lines("STACK ").collect();
    for line in &lines {
        println!("stack: {line}");
    }
    match run.status {
        33 => {}
        37 => bail!("more stack than the budget:\n{}", lines.join("\n")),
        39 => bail!("the stack overflowed:\n{}", lines.join("\n")),
        other => bail!("the image ended with status {other}:\n{}", run.serial),
    }
    if !run.serial.says("RESULT good") || lines.is_empty() {
        bail!("no good result:\n{}", run.serial);
    }
    // Of `append 1784 of 4096 ...`.
    let figure = |line: &&str| {
        let mut words = line.split(' ');
        Some(format!("{} {}", words.next()?, words.next()?))
    };
    Ok(lines.iter().filter_map(figure).collect::<Vec<_>>().join(", "))
}
