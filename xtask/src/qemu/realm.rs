// SPDX-License-Identifier: MIT OR Apache-2.0
//! `examples/realm`: a bare-metal image at EL1, on an emulated realm management monitor at EL2, in a
//! realm of SHA-256 and in one of SHA-512.

use core::time::Duration;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use tsm_cca::RemIndex;
use tsm_cca::token::{Rules, Token};
use tsm_core::hex;

use super::machine;
use super::replay::{self, Claim};
use super::serial::Serial;
use super::stack;

/// Most of it is P-384 in an emulator.
const TIME: Duration = Duration::from_secs(60);

/// Builds and boots it, and replays its logs to the registers' values and to those in its tokens.
///
/// # Errors
///
/// A check of the image failed, its stack budget is exceeded, a token is not one, or a log does not
/// explain its register.
pub(super) fn run(tsm: &Path) -> Result<String> {
    // `alloc` for the simulator's crate; the image gives no memory.
    let programs =
        super::image::build("realm", "aarch64-unknown-none-softfloat", "core,alloc", "")?;
    let mut qemu = machine::virtualization("128");
    qemu.arg("-kernel").arg(programs.join("realm"));
    let run = machine::run(qemu, TIME)?;
    let figures = stack::check(&run)?;
    for hash in ["sha256", "sha512"] {
        check_token(tsm, &run.serial, hash)?;
    }
    println!("tsm replay: both logs explain the token's REMs; with a letter changed, neither does");
    Ok(format!("realm: stack {figures}"))
}

/// The token of the realm of this hash is one, and the logs explain the values in it.
fn check_token(tsm: &Path, serial: &Serial, hash: &str) -> Result<()> {
    let digits = serial.lines("TOKEN ").find_map(|line| line.strip_prefix(hash));
    let digits = digits.context("no token")?.trim();
    let mut token = vec![0; digits.len() / 2];
    if !hex::decode(digits.as_bytes(), &mut token) {
        bail!("the token is not in hex digits:\n{serial}");
    }
    let token = Token::parse(&token, Rules::STRICT)?;
    if !token.binds_key() {
        bail!("the platform's half of the token does not name the realm's key");
    }
    for index in [RemIndex::REM2, RemIndex::REM3] {
        let name = format!("{hash}/{index}");
        let register = serial.value("register", &name)?;
        let claimed = token.realm.claims.rem(index).context("a REM of another size")?.to_string();
        if register != claimed {
            bail!("{name} is {register}, and {claimed} in the token:\n{serial}");
        }
        let claim = Claim {
            log: &serial.log(&name)?,
            values: &[claimed],
            // rem3 was extended before it had a log.
            start: serial.value("start", &name).ok(),
            virtual_value: None,
        };
        replay::holds(tsm, &claim)?;
    }
    Ok(())
}
