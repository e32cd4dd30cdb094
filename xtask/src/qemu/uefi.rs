// SPDX-License-Identifier: MIT OR Apache-2.0
//! `examples/uefi-shim` under OVMF: what it finds, and what it must not start.

use core::time::Duration;
use std::fs;
use std::path::Path;
use std::thread;

use anyhow::{Context as _, Result, bail};

use super::machine::{self, Run, TempDir};
use super::replay::{self, Claim};
use super::swtpm::Swtpm;
use crate::shell;

const TIME: Duration = Duration::from_secs(90);
/// Machines that run side by side.
const AT_ONCE: usize = 2;
/// The PCR of the shim.
const PCR: u32 = 8;

/// One boot.
struct Boot {
    name: &'static str,
    /// What the harness is told; see `examples/uefi-shim/src/bin/qemu-harness`.
    mode: &'static str,
    next: Next,
    tpm: bool,
    expected: Expected,
}

/// The next stage's file.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Next {
    Whole,
    Missing,
    Empty,
    CutOff,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Expected {
    /// The next stage runs, with this register's log.
    Starts { register: &'static str },
    /// The shim fails with this status, and the next stage does not run.
    Refuses { status: &'static str },
}

const BOOTS: [Boot; 7] = [
    Boot {
        name: "no TPM: software register",
        mode: "",
        next: Next::Whole,
        tpm: false,
        expected: Expected::Starts { register: "software/mr0" },
    },
    Boot {
        name: "swtpm behind TCG2",
        mode: "",
        next: Next::Whole,
        tpm: true,
        expected: Expected::Starts { register: "tpm/pcr8" },
    },
    Boot {
        name: "emulated CC protocol",
        mode: "cc",
        next: Next::Whole,
        tpm: false,
        expected: Expected::Starts { register: "tdx/rtmr2" },
    },
    Boot {
        name: "emulated CC protocol that fails",
        mode: "cc-failing",
        next: Next::Whole,
        tpm: false,
        expected: Expected::Refuses { status: "SECURITY_VIOLATION" },
    },
    Boot {
        name: "no next stage",
        mode: "",
        next: Next::Missing,
        tpm: false,
        expected: Expected::Refuses { status: "NOT_FOUND" },
    },
    Boot {
        name: "empty next stage",
        mode: "",
        next: Next::Empty,
        tpm: false,
        expected: Expected::Refuses { status: "BAD_BUFFER_SIZE" },
    },
    Boot {
        name: "next stage cut off",
        mode: "",
        next: Next::CutOff,
        tpm: false,
        expected: Expected::Refuses { status: "UNSUPPORTED" },
    },
];

/// Builds it and boots it in every way.
///
/// # Errors
///
/// One of the boots is not as it should be.
pub(super) fn run(tsm: &Path) -> Result<String> {
    let programs = super::image::build("uefi-shim", "x86_64-unknown-uefi", "core", "")?;
    for boots in BOOTS.chunks(AT_ONCE) {
        let said: Vec<Result<String>> = thread::scope(|scope| {
            let programs = &programs;
            let start = |boot| scope.spawn(move || Boot::run(boot, programs, tsm));
            let running: Vec<_> = boots.iter().map(start).collect();
            running.into_iter().map(|run| run.join().unwrap_or_else(|_| bail!("panic"))).collect()
        });
        for (boot, said) in boots.iter().zip(said) {
            println!("{}: {}", boot.name, said.context(boot.name)?);
        }
    }
    let started = BOOTS.iter().filter(|boot| matches!(boot.expected, Expected::Starts { .. }));
    let started = started.count();
    let size = fs::metadata(programs.join("shim.efi"))?.len();
    let refused = BOOTS.len() - started;
    Ok(format!("uefi: {started} boots started, {refused} refused, shim.efi {size} bytes"))
}

impl Boot {
    fn run(&self, programs: &Path, tsm: &Path) -> Result<String> {
        let swtpm = if self.tpm { Some(Swtpm::start()?) } else { None };
        let run = self.boot(programs, swtpm.as_ref())?;
        let starts = run.serial.says("NEXT-STAGE runs");
        match self.expected {
            Expected::Starts { register } => {
                if run.status != 33 || !starts || !run.serial.says("HARNESS shim succeeded") {
                    bail!("not started, status {}:\n{}", run.status, run.serial);
                }
                self.check_log(&run, register, &programs.join("next-stage.efi"), swtpm, tsm)
            }
            Expected::Refuses { status } => {
                let failed = run.serial.says(&format!("SHIM failed: {status}"));
                let reported = run.serial.says(&format!("HARNESS shim failed: {status}"));
                if run.status != 35 || starts || !failed || !reported {
                    bail!("not refused, status {}:\n{}", run.status, run.serial);
                }
                Ok(format!("not started, shim says {status}"))
            }
        }
    }

    fn boot(&self, programs: &Path, swtpm: Option<&Swtpm>) -> Result<Run> {
        let dir = TempDir::new()?;
        let volume = dir.path().join("volume");
        let ours = volume.join("EFI/tsm");
        fs::create_dir_all(volume.join("EFI/BOOT"))?;
        fs::create_dir_all(&ours)?;
        fs::copy(programs.join("qemu-harness.efi"), volume.join("EFI/BOOT/BOOTX64.EFI"))?;
        fs::copy(programs.join("shim.efi"), ours.join("shim.efi"))?;
        let next = fs::read(programs.join("next-stage.efi"))?;
        let next = match self.next {
            Next::Whole => Some(&*next),
            Next::Missing => None,
            Next::Empty => Some(&[][..]),
            Next::CutOff => next.get(..100),
        };
        if let Some(next) = next {
            fs::write(ours.join("next.efi"), next)?;
        }
        if !self.mode.is_empty() {
            fs::write(ours.join("harness.txt"), self.mode)?;
        }
        let variables = dir.path().join("variables");
        fs::copy(machine::OVMF_VARIABLES, &variables)?;

        let mut qemu = machine::bare("256");
        let flash = "if=pflash,format=raw,unit";
        qemu.arg("-drive").arg(format!("{flash}=0,readonly=on,file={}", machine::OVMF));
        qemu.arg("-drive").arg(format!("{flash}=1,file={}", variables.display()));
        // QEMU makes a FAT volume of a directory.
        qemu.arg("-drive").arg(format!("format=raw,file=fat:rw:{}", volume.display()));
        if let Some(swtpm) = swtpm {
            swtpm.attach(&mut qemu);
        }
        machine::run(qemu, TIME)
    }

    /// The log names the file's digest, is the one the next stage was handed, and explains the
    /// register's value as somebody else read it.
    fn check_log(
        &self,
        run: &Run,
        register: &str,
        next: &Path,
        swtpm: Option<Swtpm>,
        tsm: &Path,
    ) -> Result<String> {
        let serial = &run.serial;
        let log = serial.log(register)?;
        if serial.log(&format!("published {register}"))? != log {
            bail!("the published log is another one:\n{serial}");
        }
        let (values, start) = match swtpm {
            Some(swtpm) => (swtpm.read_pcr(PCR)?, None),
            None => {
                (vec![serial.value("register", register)?], serial.value("start", register).ok())
            }
        };
        for value in &values {
            let bank = value.split('/').next().unwrap_or_default();
            let sum = shell::text(shell::program(&format!("{bank}sum"), &[]).arg(next))?;
            let digest = format!(" {bank}/{} ", sum.split(' ').next().unwrap_or_default());
            if !log.contains(&digest) {
                bail!("the log does not name{digest}:\n{serial}");
            }
        }
        if self.tpm {
            let firmware = serial.value("firmware-log", register)?;
            if !values.contains(&firmware) {
                bail!("the firmware's own log leads to {firmware}, the PCR is {values:?}");
            }
        }
        replay::holds(tsm, &Claim { log: &log, values: &values, start, virtual_value: None })?;
        Ok(format!("next stage runs; {register} = {}, explained by its log", values.join(" ")))
    }
}
