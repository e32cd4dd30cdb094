// SPDX-License-Identifier: MIT OR Apache-2.0
//! **Emulated**: what an SNP guest's host and firmware would do on VMGEXIT, done by the image's own
//! handlers of #UD and #GP in ring 0 with the simulator's models; and the GHCB's MSR. It has no isolation
//! whatever: the guest could overwrite all of it.

use core::cell::UnsafeCell;
use core::ptr;

use bare::Page;
use bare::x86_64::cpu::{Frame, GENERAL_PROTECTION, INVALID_OPCODE};
use tsm_sim::snp::{Carrier, Chip, Firmware, Host, Hypervisor, Message, Throttle};
use tsm_snp::Exit;
use tsm_snp::report::Generation;

use crate::pages::SharedMemory;

/// A processor as its guest finds it.
struct Machine {
    hypervisor: Hypervisor<Conducted, SharedMemory>,
    /// The GHCB's MSR.
    msr: u64,
    /// How many exits there were.
    exits: u32,
}

struct Shared(UnsafeCell<Option<Machine>>);

// SAFETY: one processor, interrupts off. References are made in `with` only; what runs there raises no
// exception that would come back to it.
unsafe impl Sync for Shared {}

static MACHINE: Shared = Shared(UnsafeCell::new(None));

/// Does something with the machine, if it is there.
fn with<T>(act: impl FnOnce(&mut Machine) -> T) -> Option<T> {
    // SAFETY: see `Shared`: no other reference exists while this one does.
    let machine = unsafe { &mut *MACHINE.0.get() };
    machine.as_mut().map(act)
}

/// Puts the machine there and fills the guest's secrets page. Done by the guest itself: nothing keeps
/// it from this memory. Not inlined: it takes more of the stack than the rest of `guest`.
#[inline(never)]
pub(crate) fn launch(secrets: &mut [u8; Page::SIZE]) {
    let firmware = Firmware::new(Chip::new("snp-guest in QEMU", Generation::Milan));
    firmware.write_secrets(secrets);
    let carrier = Conducted { host: Host::new(firmware), hostile: false };
    let hypervisor = Hypervisor::new(carrier, SharedMemory);
    // SAFETY: see `Shared`: no other reference exists while this one does.
    let place = unsafe { &mut *MACHINE.0.get() };
    *place = Some(Machine { hypervisor, msr: FORMER, exits: 0 });
}

/// A host that does its work, until it is told otherwise.
struct Conducted {
    host: Host,
    hostile: bool,
}

impl Carrier for Conducted {
    fn carry(&mut self, message: Message<'_>) -> Option<Exit> {
        let Message { event, request, response, certificates } = message;
        let honest = Message { event, request, response: &mut *response, certificates };
        let exit = self.host.carry(honest);
        if self.hostile {
            // In the ciphertext.
            response[0x100] ^= 1;
        }
        exit
    }
}

/// From now on the host is busy like this.
pub(crate) fn set_throttle(throttle: Throttle) {
    with(|machine| machine.hypervisor.carrier_mut().host.set_throttle(throttle));
}

/// From now on the host changes a bit of every answer.
pub(crate) fn turn_hostile() {
    with(|machine| machine.hypervisor.carrier_mut().hostile = true);
}

/// How many exits there were.
pub(crate) fn exits() -> u32 {
    with(|machine| machine.exits).unwrap_or(0)
}

/// Whether the GHCB's MSR has what it had before the guest's software used it.
pub(crate) fn is_msr_as_before() -> bool {
    with(|machine| machine.msr) == Some(FORMER)
}

/// The MSR as a host sets it: SEV_INFO of the MSR protocol, versions 1 to 2, C-bit 51.
const FORMER: u64 = 2 << 48 | 1 << 32 | 51 << 24 | 1;

/// Does the instruction at RIP, if it is one of three, and steps over it.
pub(crate) fn step(frame: &mut Frame) -> Option<()> {
    const VMGEXIT: [u8; 4] = [0xF3, 0x0F, 0x01, 0xD9];
    const WRMSR: [u8; 2] = [0x0F, 0x30];
    const RDMSR: [u8; 2] = [0x0F, 0x32];
    let code = ptr::with_exposed_provenance::<[u8; 4]>(usize::try_from(frame.rip).ok()?);
    // SAFETY: the processor has just tried to execute what is there, so it is readable; the 4 GiB
    // around it are mapped, so reading past a shorter instruction is harmless.
    let code = unsafe { code.read_unaligned() };
    let short = [code[0], code[1]];
    let size = match frame.vector {
        INVALID_OPCODE if code == VMGEXIT => with(vmgexit)?.map(|()| 4),
        GENERAL_PROTECTION if short == WRMSR => {
            with(|machine| write_msr(machine, frame))?.map(|()| 2)
        }
        GENERAL_PROTECTION if short == RDMSR => {
            with(|machine| read_msr(machine, frame))?.map(|()| 2)
        }
        _ => None,
    }?;
    frame.rip += size;
    Some(())
}

/// Leaves to the host, with all that the GHCB says. None of the guest's registers changes.
fn vmgexit(machine: &mut Machine) -> Option<()> {
    machine.exits += 1;
    machine.msr = machine.hypervisor.vmgexit(machine.msr)?;
    Some(())
}

/// The MSR of the GHCB's address (AMD64 APM volume 2, appendix A). There is no other.
const GHCB_MSR: u32 = 0xC001_0130;

/// WRMSR: EDX:EAX to the MSR of ECX.
fn write_msr(machine: &mut Machine, frame: &Frame) -> Option<()> {
    if low(frame.rcx) != GHCB_MSR {
        return None;
    }
    machine.msr = u64::from(low(frame.rdx)) << 32 | u64::from(low(frame.rax));
    Some(())
}

/// RDMSR: the MSR of ECX to EDX:EAX, whose upper halves become zero.
fn read_msr(machine: &mut Machine, frame: &mut Frame) -> Option<()> {
    if low(frame.rcx) != GHCB_MSR {
        return None;
    }
    frame.rax = machine.msr & 0xFFFF_FFFF;
    frame.rdx = machine.msr >> 32;
    Some(())
}

/// Bits 31:0.
const fn low(register: u64) -> u32 {
    (register & 0xFFFF_FFFF) as u32
}
