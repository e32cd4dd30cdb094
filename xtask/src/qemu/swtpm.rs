// SPDX-License-Identifier: MIT OR Apache-2.0
//! A software TPM behind the machine, and its PCRs when the machine is gone.
//!
//! The image ends QEMU by isa-debug-exit, which tells the TPM nothing: it goes on as if the machine
//! still ran. Its volatile state is then stored, as for a migration, and another swtpm goes on from
//! it, this time for tpm2-tools. No start-up command comes between, so the PCRs are those that
//! the image left.

use core::time::Duration;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread;

use anyhow::{Context as _, Result, bail};

use super::machine::{Process, TempDir};
use crate::shell;

/// Banks of the TPM.
const BANKS: &str = "sha256,sha384";

/// A TPM that waits for a machine.
pub(super) struct Swtpm {
    process: Process,
    dir: TempDir,
}

impl Swtpm {
    /// A TPM as it leaves the factory.
    ///
    /// # Errors
    ///
    /// swtpm's.
    pub(super) fn start() -> Result<Self> {
        let dir = TempDir::new()?;
        let state = dir.path().display().to_string();
        let setup = ["--tpm2", "--tpmstate", &state, "--overwrite", "--pcr-banks", BANKS];
        shell::text(&mut shell::program("swtpm_setup", &setup))?;
        let socket = dir.path().join("ctrl");
        let control = format!("type=unixio,path={}", socket.display());
        let process = swtpm(&state, &["--ctrl", &control])?;
        let this = Self { process, dir };
        for _ in 0..100 {
            if socket.exists() {
                return Ok(this);
            }
            thread::sleep(Duration::from_millis(50));
        }
        bail!("swtpm does not come up")
    }

    /// Attaches the TPM to a machine.
    pub(super) fn attach(&self, qemu: &mut Command) {
        qemu.arg("-chardev").arg(format!("socket,id=tpm,path={}", self.socket().display()));
        qemu.args(["-tpmdev", "emulator,id=tpm0,chardev=tpm", "-device", "tpm-crb,tpmdev=tpm0"]);
    }

    /// The values of a PCR in every bank, `<alg>/<hex>`, read when the machine has gone.
    ///
    /// # Errors
    ///
    /// swtpm's or tpm2-tools'.
    pub(super) fn read_pcr(self, pcr: u32) -> Result<Vec<String>> {
        let socket = self.socket().display().to_string();
        shell::text(&mut shell::program("swtpm_ioctl", &["--unix", &socket, "-v"]))?;
        drop(self.process);
        let state = self.dir.path().display().to_string();
        // Between a port being free and being used another program may take it.
        let mut last = None;
        for _ in 0..3 {
            match read_pcr(&state, pcr) {
                Ok(values) => return Ok(values),
                Err(error) => last = Some(error),
            }
        }
        Err(last.context("not tried")?)
    }

    fn socket(&self) -> PathBuf {
        self.dir.path().join("ctrl")
    }
}

fn read_pcr(state: &str, pcr: u32) -> Result<Vec<String>> {
    let port = free_port()?;
    let server = format!("type=tcp,port={port},bindaddr=127.0.0.1");
    let control = format!("type=tcp,port={},bindaddr=127.0.0.1", port + 1);
    // No `startup-clear` among the flags.
    let flags = ["--server", &server, "--ctrl", &control, "--flags", "not-need-init"];
    let _swtpm = swtpm(state, &flags)?;
    let select: Vec<_> = BANKS.split(',').map(|bank| format!("{bank}:{pcr}")).collect();
    let mut read = shell::program("tpm2_pcrread", &[&select.join("+")]);
    read.env("TPM2TOOLS_TCTI", format!("swtpm:host=127.0.0.1,port={port}"));
    let mut said = shell::text(&mut read);
    for _ in 0..50 {
        if said.is_ok() {
            break;
        }
        thread::sleep(Duration::from_millis(100));
        said = shell::text(&mut read);
    }
    parse(&said?)
}

/// `  sha256:` and below it `    8 : 0x12AB...`, for every bank.
fn parse(said: &str) -> Result<Vec<String>> {
    let mut values = Vec::new();
    let mut bank = "";
    for line in said.lines().map(str::trim) {
        if let Some((_, digits)) = line.split_once(": 0x") {
            values.push(format!("{bank}/{}", digits.to_ascii_lowercase()));
        } else {
            bank = line.trim_end_matches(':');
        }
    }
    if values.len() != BANKS.split(',').count() {
        bail!("tpm2_pcrread says:\n{said}");
    }
    Ok(values)
}

fn swtpm(state: &str, arguments: &[&str]) -> Result<Process> {
    let mut swtpm = Command::new("swtpm");
    swtpm.args(["socket", "--tpm2", "--tpmstate"]).arg(format!("dir={state}")).args(arguments);
    swtpm.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    Ok(Process(swtpm.spawn().context("cannot run swtpm")?))
}

/// A port that is free together with the one above it, where tpm2-tools look for the control channel.
fn free_port() -> Result<u16> {
    for _ in 0..100 {
        let first = TcpListener::bind("127.0.0.1:0")?;
        let port = first.local_addr()?.port();
        if port < u16::MAX && TcpListener::bind(("127.0.0.1", port + 1)).is_ok() {
            return Ok(port);
        }
    }
    bail!("no two free ports side by side")
}
