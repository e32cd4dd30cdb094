// SPDX-License-Identifier: MIT OR Apache-2.0
//! The instruction and the MSR. On x86-64 only; everything else in this crate is for any machine.

#![allow(unsafe_code, reason = "the instruction")]

use core::arch::asm;

use x86::bits64::rflags::{self, RFlags};

use super::channel::Vmgexit;
use crate::address::GuestPhysical;
use crate::error::{Error, ErrorKind};

/// MSR of the GHCB's address.
const GHCB_MSR: u32 = 0xC001_0130;
/// SEV_STATUS; bit 2 says that SNP is active.
const SEV_STATUS_MSR: u32 = 0xC001_0131;

/// The ring in a segment selector.
const RING: u16 = 3;

/// The host of this machine, by the instruction VMGEXIT. Of no size.
///
/// Interrupts are off while the MSR holds this GHCB's address, and the MSR gets its former value
/// back, so that an exception handler may have a GHCB of its own.
#[derive(Debug)]
pub struct Instruction(());

impl Instruction {
    /// The host, if this is an SNP guest.
    ///
    /// Asks CPUID and SEV_STATUS. Both may raise #VC in a guest that has no handler for it yet; such
    /// code knows where it is, and takes [`assume`](Self::assume).
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotPrivileged`] outside of ring 0, where the MSRs cannot be had;
    /// [`ErrorKind::NotAnSnpGuest`].
    ///
    /// # Safety
    ///
    /// Nobody else in the guest may use the GHCB's MSR or leave to the host on this processor while
    /// a call is made, but with interrupts that are off; and pages that a GHCB of a call names must
    /// be shared memory (which [`Mapped`](super::Mapped) sees to).
    pub unsafe fn detect() -> Result<Self, Error> {
        if x86::segmentation::cs().bits() & RING != 0 {
            return Err(Error::new(ErrorKind::NotPrivileged));
        }
        if !is_snp_guest() {
            return Err(Error::new(ErrorKind::NotAnSnpGuest));
        }
        Ok(Self(()))
    }

    /// The host, without asking. For code that knows where it is, and for programs that handle the
    /// exceptions and put software in its place.
    ///
    /// # Safety
    ///
    /// As [`detect`](Self::detect), and: this is ring 0 of an SNP guest, or the exceptions of the MSR
    /// and of VMGEXIT are handled by something that does no more than a host could.
    #[must_use]
    pub const unsafe fn assume() -> Self {
        Self(())
    }

    /// Tells the host where a GHCB is (MSR protocol, 0x012 and 0x013). SNP wants it once for each
    /// GHCB, before the first exit through it.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Misaligned`], [`ErrorKind::NotRegistered`] with what the MSR had afterwards.
    pub fn register(&mut self, ghcb: GuestPhysical) -> Result<(), Error> {
        const REQUEST: u64 = 0x012;
        const RESPONSE: u64 = 0x013;
        if !ghcb.is_aligned(4096) {
            return Err(Error::new(ErrorKind::Misaligned));
        }
        let answer = self.leave(ghcb.0 | REQUEST);
        if answer != ghcb.0 | RESPONSE {
            return Err(Error::new(ErrorKind::NotRegistered(answer)));
        }
        Ok(())
    }

    /// Leaves with this value in the MSR and returns what it has afterwards.
    fn leave(&mut self, value: u64) -> u64 {
        let interrupts = rflags::read().contains(RFlags::FLAGS_IF);
        if interrupts {
            // SAFETY: CLI in ring 0, by the promise of the constructor.
            unsafe { x86::irq::disable() };
        }
        // SAFETY: the MSR exists in an SNP guest and is not intercepted (APM volume 2, GHCB).
        let before = unsafe { x86::msr::rdmsr(GHCB_MSR) };
        // SAFETY: as above. The value names a GHCB of the caller's, or is a request of the MSR
        // protocol; writing it does nothing by itself.
        unsafe { x86::msr::wrmsr(GHCB_MSR, value) };
        // SAFETY: this is an SNP guest, and the MSR is set.
        unsafe { vmgexit() };
        // SAFETY: as above.
        let after = unsafe { x86::msr::rdmsr(GHCB_MSR) };
        // SAFETY: as above; the value was there before.
        unsafe { x86::msr::wrmsr(GHCB_MSR, before) };
        if interrupts {
            // SAFETY: STI in ring 0; they were on before.
            unsafe { x86::irq::enable() };
        }
        after
    }
}

impl Vmgexit for Instruction {
    fn exit(&mut self, ghcb: GuestPhysical) -> Result<(), Error> {
        if !ghcb.is_aligned(4096) {
            return Err(Error::new(ErrorKind::Misaligned));
        }
        self.leave(ghcb.0);
        Ok(())
    }
}

/// Whether this is an SNP guest: CPUID function 0x8000001F has SEV (EAX bit 1), and SEV_STATUS has
/// SNP (bit 2). Source: AMD64 APM volume 2, 15.34; Linux `arch/x86/coco/sev`.
///
/// For ring 0 only: `false` elsewhere, without asking.
#[must_use]
pub fn is_snp_guest() -> bool {
    const FUNCTION: u32 = 0x8000_001F;
    if x86::segmentation::cs().bits() & RING != 0 {
        return false;
    }
    if x86::cpuid::cpuid!(0x8000_0000, 0).eax < FUNCTION {
        return false;
    }
    if x86::cpuid::cpuid!(FUNCTION, 0).eax >> 1 & 1 == 0 {
        return false;
    }
    // SAFETY: ring 0, and a processor that has SEV has the MSR.
    let status = unsafe { x86::msr::rdmsr(SEV_STATUS_MSR) };
    status >> 2 & 1 == 1
}

/// The instruction.
///
/// # Safety
///
/// The processor must be in an SNP guest, and the GHCB's MSR must have a request of the MSR protocol
/// or the address of a GHCB that is shared memory and filled in.
unsafe fn vmgexit() {
    // SAFETY: VMGEXIT (F3 0F 01 D9, APM volume 3). The registers of the guest are saved and
    // restored, but for what the GHCB says, and that is memory. RFLAGS count as changed (no
    // `preserves_flags`). The stack is not used. The host reads and writes the GHCB and the pages
    // that it names: therefore neither `nomem` nor `readonly`. The caller vouches for the guest and
    // for the MSR.
    unsafe {
        asm!(".byte 0xF3, 0x0F, 0x01, 0xD9", options(nostack));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_instruction_in_user_space() {
        assert_eq!(size_of::<Instruction>(), 0);
        assert!(!is_snp_guest());
        // SAFETY: nothing is called with it.
        let detected = unsafe { Instruction::detect() };
        assert_eq!(detected.unwrap_err().kind(), ErrorKind::NotPrivileged);
        let odd = GuestPhysical(0x1010);
        // SAFETY: it is refused before an instruction.
        let mut instruction = unsafe { Instruction::assume() };
        assert_eq!(instruction.register(odd).unwrap_err().kind(), ErrorKind::Misaligned);
        assert_eq!(instruction.exit(odd).unwrap_err().kind(), ErrorKind::Misaligned);
    }
}
