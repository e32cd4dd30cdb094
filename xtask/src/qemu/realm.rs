// SPDX-License-Identifier: MIT OR Apache-2.0
//! `examples/realm`: a bare-metal image at EL1, on an emulated realm management monitor at EL2.

use core::time::Duration;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use tsm_cca::RemIndex;
use tsm_cca::token::{Rules, Token};
use tsm_core::hex;

use super::machine;
use super::replay::{self, Claim};

/// Most of it is P-384 in an emulator.
const TIME: Duration = Duration::from_secs(60);

/// Builds and boots it, and replays its logs to the registers' values and to those in its token.
///
/// # Errors
///
/// A check of the image failed, its token is not one, or a log does not explain its register.
pub(super) fn run(tsm: &Path) -> Result<String> {
    // `alloc` for the simulator's crate; the image gives no memory.
    let programs = super::image::build("realm", "aarch64-unknown-none-softfloat", "core,alloc")?;
    let mut qemu = machine::virtualization("128");
    qemu.arg("-kernel").arg(programs.join("realm"));
    let run = machine::run(qemu, TIME)?;
    if run.status != 33 || !run.serial.says("RESULT good") {
        bail!("the image ended with status {}:\n{}", run.status, run.serial);
    }
    let digits = run.serial.lines("TOKEN ").next().context("no token")?;
    let mut token = vec![0; digits.len() / 2];
    if !hex::decode(digits.as_bytes(), &mut token) {
        bail!("the token is not in hex digits:\n{}", run.serial);
    }
    let token = Token::parse(&token, Rules::STRICT)?;
    if !token.binds_key() {
        bail!("the platform's half of the token does not name the realm's key");
    }
    for index in [RemIndex::REM2, RemIndex::REM3] {
        let name = index.to_string();
        let register = run.serial.value("register", &name)?;
        let claimed = token.realm.claims.rem(index).context("a REM of another size")?.to_string();
        if register != claimed {
            bail!("{name} is {register}, and {claimed} in the token:\n{}", run.serial);
        }
        let claim = Claim {
            log: &run.serial.log(&name)?,
            values: &[claimed],
            start: None,
            virtual_value: None,
        };
        replay::holds(tsm, &claim)?;
    }
    println!("tsm replay: both logs explain the token's REMs; with a letter changed, neither does");
    Ok(format!("realm: a token of {} bytes", digits.len() / 2))
}
