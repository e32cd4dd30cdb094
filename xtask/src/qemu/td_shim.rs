// SPDX-License-Identifier: MIT OR Apache-2.0
//! `examples/td-shim`: a bare-metal image on an emulated TDX module.

use core::time::Duration;
use std::path::Path;

use anyhow::{Result, bail};

use super::machine;
use super::replay::{self, Claim};
use super::stack;

const TIME: Duration = Duration::from_secs(30);

/// Builds and boots it, and replays its logs.
///
/// # Errors
///
/// A check of the image failed, its stack budget is exceeded, or a log does not explain its
/// register.
pub(super) fn run(tsm: &Path) -> Result<String> {
    // `alloc` for the simulator's crate; the image gives no memory.
    let programs = super::image::build("td-shim", "x86_64-unknown-none", "core,alloc", "")?;
    let mut qemu = machine::bare("64");
    qemu.arg("-kernel").arg(programs.join("td-shim"));
    let run = machine::run(qemu, TIME)?;
    let figures = stack::check(&run)?;
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
    Ok(format!("td-shim: stack {figures}"))
}
