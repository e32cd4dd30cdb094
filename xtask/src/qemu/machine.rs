// SPDX-License-Identifier: MIT OR Apache-2.0
//! A virtual machine: started, watched, ended.

use core::sync::atomic::{AtomicU32, Ordering};
use core::time::Duration;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Instant;
use std::{env, process, thread};

use anyhow::{Context as _, Result, bail};

use super::serial::Serial;

/// The program.
pub(super) const QEMU: &str = "qemu-system-x86_64";
/// The program for AArch64.
pub(super) const QEMU_ARM: &str = "qemu-system-aarch64";
/// Debian's UEFI firmware for the first.
pub(super) const OVMF: &str = "/usr/share/OVMF/OVMF_CODE_4M.fd";
/// That firmware's empty variables.
pub(super) const OVMF_VARIABLES: &str = "/usr/share/OVMF/OVMF_VARS_4M.fd";

/// A machine without devices but a serial port and a way to end it with a status: writing `n` to
/// port 0xF4 ends QEMU with `2 * n + 1`.
pub(super) fn bare(memory: &str) -> Command {
    bare_with("qemu64", memory)
}

/// The same with this processor.
pub(super) fn bare_with(processor: &str, memory: &str) -> Command {
    let mut qemu = Command::new(QEMU);
    qemu.args(["-machine", "q35,accel=tcg", "-cpu", processor, "-m", memory]);
    qemu.args(["-nodefaults", "-display", "none", "-monitor", "none", "-net", "none"]);
    qemu.args(["-no-reboot", "-serial", "stdio"]);
    qemu.args(["-device", "isa-debug-exit,iobase=0xf4,iosize=4"]);
    qemu
}

/// An AArch64 machine that starts at EL2, with a serial port, and with semihosting to end it: the
/// image chooses QEMU's status.
pub(super) fn virtualization(memory: &str) -> Command {
    let mut qemu = Command::new(QEMU_ARM);
    qemu.args(["-machine", "virt,virtualization=on,accel=tcg", "-cpu", "cortex-a57"]);
    qemu.args(["-m", memory, "-nodefaults", "-display", "none", "-monitor", "none"]);
    qemu.args(["-net", "none", "-no-reboot", "-serial", "stdio"]);
    qemu.args(["-semihosting-config", "enable=on,target=native"]);
    qemu
}

/// What came of a run.
pub(super) struct Run {
    /// QEMU's status.
    pub(super) status: i32,
    /// What the image said.
    pub(super) serial: Serial,
}

/// Runs the machine to its end.
///
/// # Errors
///
/// It cannot be started, or does not end in time; the error then holds what the image said.
pub(super) fn run(mut qemu: Command, time: Duration) -> Result<Run> {
    let dir = TempDir::new()?;
    let (said, complained) = (dir.path().join("serial"), dir.path().join("stderr"));
    qemu.stdin(Stdio::null()).stdout(File::create(&said)?).stderr(File::create(&complained)?);
    let child = qemu.spawn();
    let mut child = Process(child.with_context(|| format!("cannot run {:?}", qemu.get_program()))?);
    let end = Instant::now() + time;
    let status = loop {
        if let Some(status) = child.0.try_wait()? {
            break status;
        }
        if Instant::now() > end {
            drop(child);
            let said = Serial::new(&fs::read(&said)?);
            bail!("QEMU did not end within {} s; the image said:\n{said}", time.as_secs());
        }
        thread::sleep(Duration::from_millis(20));
    };
    let serial = Serial::new(&fs::read(&said)?);
    let complained = fs::read_to_string(&complained).unwrap_or_default();
    let status = status.code().with_context(|| format!("QEMU died: {complained}"))?;
    // 1 is QEMU's own: wrong arguments. An image's status is greater.
    if status <= 1 {
        bail!("QEMU: status {status}: {complained}\nthe image said:\n{serial}");
    }
    Ok(Run { status, serial })
}

/// A child process that does not outlive this.
pub(super) struct Process(pub(super) Child);

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A directory that does not outlive this. In the system's place for such, because the path of a
/// socket has to be short.
pub(super) struct TempDir(PathBuf);

impl TempDir {
    /// An empty one.
    ///
    /// # Errors
    ///
    /// The file system's.
    pub(super) fn new() -> Result<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("tsm-qemu-{}-{}", process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let dir = env::temp_dir().join(name);
        fs::create_dir(&dir).with_context(|| dir.display().to_string())?;
        Ok(Self(dir))
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
