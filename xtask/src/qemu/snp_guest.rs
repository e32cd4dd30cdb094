// SPDX-License-Identifier: MIT OR Apache-2.0
//! `examples/snp-guest`: a bare-metal image in ring 3, on an emulated SNP host and firmware in ring 0.

use core::time::Duration;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};
use tsm_core::{Algorithm, hex};

use super::machine::{self, TempDir};
use super::replay::{self, Claim};
use super::serial::Serial;
use super::stack;
use crate::budgets::COMPACT_CIPHER;
use crate::shell;

const TIME: Duration = Duration::from_secs(60);

/// A processor that has never heard of SEV, and one that has the function of CPUID in which it would
/// say so, and does not; with the highest extended function of each.
const PROCESSORS: [(&str, &str); 2] =
    [("qemu64", "0x8000000a"), ("EPYC,xlevel=0x8000001f", "0x8000001f")];

/// Builds it and boots it on both; checks the report that it made, and replays its log to the value
/// that the report vouches for.
///
/// # Errors
///
/// A check of the image failed, its stack budget is exceeded, its report vouches for nothing, or the log
/// does not explain the register.
pub(super) fn run(tsm: &Path) -> Result<String> {
    // `alloc` for the simulator's crate; the image gives no memory.
    let target = "x86_64-unknown-none";
    let programs = super::image::build("snp-guest", target, "core,alloc", COMPACT_CIPHER)?;
    let mut figures = String::new();
    for (processor, highest) in PROCESSORS {
        println!("processor {processor}");
        let mut qemu = machine::bare_with(processor, "64");
        qemu.arg("-kernel").arg(programs.join("snp-guest"));
        let run = machine::run(qemu, TIME)?;
        figures = stack::check(&run)?;
        let line = format!("highest extended function of CPUID: {highest}");
        ensure!(run.serial.says(&line), "not {highest}:\n{}", run.serial);
        for (ring, says) in [(0, "this is not an SEV-SNP guest"), (3, "the GHCB is for ring 0")] {
            let prefix = format!("detection in ring {ring} says: {says}");
            let said = run.serial.lines(&prefix).next();
            ensure!(said.is_some(), "detection in ring {ring}:\n{}", run.serial);
        }
        check_evidence(tsm, &run.serial)?;
    }
    println!("tsm replay: the log explains the report's value; with a letter changed, it does not");
    Ok(format!("snp-guest: stack {figures}"))
}

/// The report vouches for the manifest, the command can read both, and the manifest's value is the
/// register's and the log's. Not read with the adapter's code.
fn check_evidence(tsm: &Path, serial: &Serial) -> Result<()> {
    /// Bytes of a report, and where VMPL and REPORT_DATA stand in it (SEV-SNP firmware ABI, 56860).
    const REPORT: usize = 1184;
    const VMPL: usize = 0x30;
    const REPORT_DATA: usize = 0x50;
    let evidence = bytes(serial, "EVIDENCE ")?;
    let (report, manifest) = evidence.split_at_checked(REPORT).context("less than a report")?;
    // SHA-512(nonce || manifest), of VMPL0, as `docs/platforms/snp.md` says.
    let data = Algorithm::Sha512.hash(&[&bytes(serial, "NONCE ")?, manifest].concat());
    let is_bound = report[REPORT_DATA..].starts_with(data.as_bytes());
    ensure!(is_bound && report[VMPL..].starts_with(&[0; 4]), "not of this manifest:\n{serial}");
    let said = inspect(tsm, report)?;
    ensure!(said.contains("SEV-SNP attestation report"), "tsm inspect says of a report:\n{said}");
    let register = serial.value("register", "rtmr3")?;
    let said = inspect(tsm, manifest)?;
    let (bank, digits) = register.split_once('/').unwrap_or_default();
    let name = format!("rtmr3:{bank}");
    let is_register = |line: &str| line.split_whitespace().eq([name.as_str(), digits]);
    ensure!(said.lines().any(is_register), "rtmr3 is {register}; tsm inspect says:\n{said}");
    let claim =
        Claim { log: &serial.log("rtmr3")?, values: &[register], start: None, virtual_value: None };
    replay::holds(tsm, &claim)
}

/// The hex digits of the line that begins so, as bytes.
fn bytes(serial: &Serial, prefix: &str) -> Result<Vec<u8>> {
    let digits = serial.lines(prefix).next().with_context(|| format!("no {prefix}"))?;
    let mut bytes = vec![0; digits.len() / 2];
    if !hex::decode(digits.as_bytes(), &mut bytes) {
        bail!("not in hex digits:\n{serial}");
    }
    Ok(bytes)
}

/// What the command says of this.
fn inspect(tsm: &Path, bytes: &[u8]) -> Result<String> {
    let dir = TempDir::new()?;
    let file = dir.path().join("evidence");
    fs::write(&file, bytes)?;
    shell::text(Command::new(tsm).arg("inspect").arg(&file))
}
