// SPDX-License-Identifier: MIT OR Apache-2.0
//! The example images, built, linted, booted in QEMU, and their logs replayed on this machine.
//!
//! QEMU translates (`accel=tcg`): KVM is not needed and, nested, often does not work.

mod image;
mod machine;
mod realm;
mod replay;
mod serial;
mod snp_guest;
mod stack;
mod swtpm;
mod td_shim;
mod uefi;

use std::path::Path;

use anyhow::Result;

use crate::shell;
use crate::task::Outcome;
use crate::tsm;
use crate::workspace;

/// One of the images.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Example {
    Uefi,
    TdShim,
    SnpGuest,
    Realm,
}

impl Example {
    /// The example of this name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        match name {
            "uefi" => Some(Self::Uefi),
            "td-shim" => Some(Self::TdShim),
            "snp-guest" => Some(Self::SnpGuest),
            "realm" => Some(Self::Realm),
            _ => None,
        }
    }
}

/// All of them.
///
/// # Errors
///
/// See [`run`].
pub(crate) fn all() -> Result<Outcome> {
    run(&[Example::TdShim, Example::SnpGuest, Example::Realm, Example::Uefi])
}

/// Builds the images and boots them.
///
/// # Errors
///
/// A tool is missing and cannot be installed, an image does not build without a warning, or it does
/// not do what it should.
pub(crate) fn run(examples: &[Example]) -> Result<Outcome> {
    if !workspace::root().join("examples/Cargo.toml").exists() {
        return Ok(Outcome::Absent("examples".into()));
    }
    let Some(tsm) = tsm::build()? else { return Ok(Outcome::Absent(tsm::ABSENT.into())) };
    install(examples)?;
    image::formatted()?;
    let mut figures = Vec::new();
    for example in examples {
        figures.push(match example {
            Example::Uefi => uefi::run(&tsm)?,
            Example::TdShim => td_shim::run(&tsm)?,
            Example::SnpGuest => snp_guest::run(&tsm)?,
            Example::Realm => realm::run(&tsm)?,
        });
    }
    Ok(Outcome::Done(figures.join("; ")))
}

/// Installs the Debian packages that are missing.
fn install(examples: &[Example]) -> Result<()> {
    let uefi = examples.contains(&Example::Uefi);
    let x86 = examples.iter().any(|example| *example != Example::Realm);
    let arm = examples.contains(&Example::Realm);
    let tcti = || Path::new(TCTI).exists();
    let needed = [
        ("qemu-system-x86", !x86 || shell::exists(machine::QEMU)),
        ("qemu-system-arm", !arm || shell::exists(machine::QEMU_ARM)),
        ("ovmf", !uefi || Path::new(machine::OVMF).exists()),
        ("swtpm", !uefi || shell::exists("swtpm")),
        ("swtpm-tools", !uefi || shell::exists("swtpm_setup") && shell::exists("swtpm_ioctl")),
        ("tpm2-tools", !uefi || shell::exists("tpm2_pcrread")),
        ("libtss2-tcti-swtpm0", !uefi || tcti()),
    ];
    let missing: Vec<&str> = needed.iter().filter(|(_, there)| !there).map(|(p, _)| *p).collect();
    if missing.is_empty() { Ok(()) } else { shell::apt_install(&missing) }
}

/// What tpm2-tools need to talk to swtpm.
const TCTI: &str = "/usr/lib/x86_64-linux-gnu/libtss2-tcti-swtpm.so.0";
