// SPDX-License-Identifier: MIT OR Apache-2.0
//! The demo's machine: who measures what into which register. Ends with what a verifier is given:
//! evidence and logs.

use tsm_core::log::{Limits, RecordLog};
use tsm_core::provider::Recorder;
use tsm_core::{
    Algorithm, Banks, Digest, Powers, Provider, Register, RegisterId, VirtualRegisters,
};
use tsm_eventlog::ima::{List, UntrustedEntry};

use super::scene::Scene;
use crate::Result;
use crate::failure::Failure;
use crate::state::{Device, Native, VecStorage, find};

/// Names of the virtual registers.
pub(super) const IMA: &str = "mr_ima";
pub(super) const BILLING: &str = "mr_billing";

/// The virtual registers, all carried by the scene's carrier.
pub(super) const VIRTUAL: [Register<'static>; 2] = [
    Register::runtime(IMA, Banks::one(Algorithm::Sha256)),
    Register::runtime(BILLING, Banks::one(Algorithm::Sha384)),
];

/// What the machine hands out: nothing here says which application did what.
#[derive(Clone)]
pub(super) struct Evidence {
    /// What the platform says of the registers' values.
    pub(super) bytes: Vec<u8>,
    pub(super) logs: Vec<Log>,
}

/// A register's log.
#[derive(Clone)]
pub(super) struct Log {
    pub(super) register: &'static str,
    pub(super) bytes: Vec<u8>,
    pub(super) story: &'static str,
}

impl Evidence {
    pub(super) fn log(&self, register: &str) -> Option<&Log> {
        self.logs.iter().find(|log| log.register == register)
    }
}

type Registers<'n> = VirtualRegisters<'static, &'n mut Native, 2>;

/// Boots the machine, lets everybody measure, and asks for evidence with the nonce in it.
pub(super) fn measure(scene: &Scene, ima_list: &[u8], nonce: &Digest) -> Result<Evidence> {
    let provider = scene.provider;
    let machine = Device::fresh(provider);
    let machine = machine.ok_or_else(|| Failure::usage(format!("no provider '{provider}'")))?;
    let mut native = with_logs(machine)?;
    boot(scene, &mut native)?;
    let carrier = find(&native, scene.carrier())?;
    let mut registers: Registers<'_> = VirtualRegisters::open(&mut native, carrier, &VIRTUAL)
        .map_err(|error| Failure::usage(error.to_string()))?;
    run(scene, &mut registers, carrier, ima_list)?;
    evidence(scene, &mut native, nonce)
}

fn with_logs(machine: Device) -> Result<Native> {
    let ids: Vec<_> = machine
        .registers()
        .filter(|(_, register)| register.powers.contains(Powers::EXTEND))
        .map(|(id, _)| id)
        .collect();
    let mut native = Native::new(machine);
    for id in ids {
        let log = RecordLog::new(VecStorage(Vec::new()), Limits::DEFAULT);
        native.attach(id, log).map_err(|_| Failure::usage("too many registers"))?;
    }
    Ok(native)
}

/// Firmware and boot loader have registers for themselves.
fn boot(scene: &Scene, native: &mut Native) -> Result<()> {
    let firmware = Algorithm::Sha384.hash(b"the demo's firmware configuration");
    let kernel = Algorithm::Sha384.hash(b"the demo's kernel");
    let [first, second, ..] = scene.registers;
    let (first, second) = (find(native, first)?, find(native, second)?);
    append(native, first, &format!("firmware.example measure config={firmware}"))?;
    append(native, first, "firmware.example secure-boot on")?;
    append(native, second, &format!("loader.example start kernel={kernel}"))
}

/// The running system: the carrier is shared by IMA's list, two applications and a policy; the register
/// before it by an application and somebody who extends it without a record.
fn run(
    scene: &Scene,
    registers: &mut Registers<'_>,
    carrier: RegisterId,
    ima_list: &[u8],
) -> Result<()> {
    let (ima, billing) = (find(registers, IMA)?, find(registers, BILLING)?);
    let third = find(registers, scene.third())?;
    // Who extends past the log knows the register's bank.
    let agent = scene.bank.hash(b"an agent without a log");
    let policy = Algorithm::Sha256.hash(b"the demo's policy");
    append(registers, carrier, &format!("kernel.org/tsm/static_mr mr_policy {policy}"))?;
    let list = List::open(ima_list).map_err(|error| Failure::usage(error.to_string()))?;
    for (number, entry) in list.enumerate() {
        let entry = entry.map_err(|error| Failure::usage(error.to_string()))?;
        extend(registers, ima, &[ima_digest(&entry)])?;
        match number % 5 {
            1 => {
                let invoice = Algorithm::Sha384.hash(&number.to_le_bytes());
                extend(registers, billing, &[invoice])?;
            }
            3 => append(registers, carrier, &format!("web.example serve config=v{number}"))?,
            _ => {}
        }
        if number == 8 {
            append(registers, third, "web.example start plugin=compress")?;
            extend(registers, third, &[agent])?;
            append(registers, third, "web.example start plugin=cache")?;
        }
    }
    Ok(())
}

/// What IMA extends a SHA-256 bank with for an entry of its list.
pub(super) fn ima_digest(entry: &UntrustedEntry<'_>) -> Digest {
    if entry.is_violation() {
        return Digest::ones(Algorithm::Sha256);
    }
    entry.hash(Algorithm::Sha256)
}

fn append<P: Provider>(provider: &mut P, id: RegisterId, record: &str) -> Result<()> {
    let recorder: Option<&mut dyn Recorder<Error = P::Error>> = provider.as_recorder();
    let recorder = recorder.ok_or_else(|| Failure::usage("no log"))?;
    recorder.append(id, record.as_bytes()).map_err(|error| Failure::usage(error.to_string()))
}

fn extend<P: Provider>(provider: &mut P, id: RegisterId, digests: &[Digest]) -> Result<()> {
    provider.extend(id, digests).map_err(|error| Failure::usage(error.to_string()))
}

fn evidence(scene: &Scene, native: &mut Native, nonce: &Digest) -> Result<Evidence> {
    let stories = [
        "firmware",
        "boot loader",
        "an application, and somebody who extends past the log",
        "IMA, two applications and a policy, by virtual registers",
    ];
    let mut logs = Vec::new();
    for (register, story) in scene.registers.into_iter().zip(stories) {
        let id = find(native, register)?;
        let bytes = native.log(id).map(|log| log.storage().0.clone()).unwrap_or_default();
        logs.push(Log { register, bytes, story });
    }
    let bytes = scene.ask(native.provider_mut(), nonce.as_bytes())?;
    Ok(Evidence { bytes, logs })
}
