// SPDX-License-Identifier: MIT OR Apache-2.0
//! The TDCALL instruction. On x86-64 only; everything else in this crate is for any machine.

#![allow(unsafe_code, reason = "the instruction")]

use core::arch::asm;

use crate::address::AddressSpace;
use crate::call::{Call, Registers, Tdcall};
use crate::error::{Error, ErrorKind};

/// The TDX module of this machine, by the instruction TDCALL. Of no size if the address space is of
/// none ([`IdentityMapped`](crate::IdentityMapped)).
///
/// An operating system in a TD that is cut into partitions (below a paravisor) cannot make these
/// calls for itself: they end at the paravisor (TDX module 1.5.01,
/// `src/td_dispatcher/tdx_td_l2_dispatcher.c`). CPUID tells whether it does as if.
#[derive(Clone, Copy, Debug)]
pub struct Hardware<A> {
    space: A,
}

impl<A: AddressSpace> Hardware<A> {
    /// The module, if this is a TD.
    ///
    /// Asks CPUID leaf 0x21 first, because TDCALL is an undefined instruction elsewhere.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotATd`]; [`ErrorKind::NotPrivileged`] outside of ring 0, where the module
    /// answers with an exception.
    pub fn detect(space: A) -> Result<Self, Error> {
        if !is_td() {
            return Err(Error::new(ErrorKind::NotATd));
        }
        // The lowest two bits of CS are the ring (Intel SDM, volume 3, section 6.5).
        if x86::segmentation::cs().bits() & 3 != 0 {
            return Err(Error::new(ErrorKind::NotPrivileged));
        }
        Ok(Self { space })
    }

    /// The module, without asking. For programs that handle the instruction's exception and put a
    /// module in software in its place, as tests do.
    ///
    /// # Safety
    ///
    /// TDCALL is executed by a TDX module, or its exception is handled by something that changes
    /// the same registers and the same memory as a TDX module would, and no other.
    #[must_use]
    pub const unsafe fn assume(space: A) -> Self {
        Self { space }
    }
}

/// Whether CPUID says that this is a TD: leaf 0x21 exists and spells `IntelTDX    ` (Intel TDX Module
/// Base Architecture Specification, 348549, CPUID leaf 0x21; Linux, `arch/x86/coco/tdx/tdx.c`).
#[must_use]
pub fn is_td() -> bool {
    const LEAF: u32 = 0x21;
    let highest = x86::cpuid::cpuid!(0, 0).eax;
    if highest < LEAF {
        return false;
    }
    let name = x86::cpuid::cpuid!(LEAF, 0);
    [name.ebx, name.edx, name.ecx].map(u32::to_le_bytes) == [*b"Inte", *b"lTDX", *b"    "]
}

impl<A: AddressSpace> Tdcall for Hardware<A> {
    fn call(&mut self, mut call: Call<'_>) -> Result<Registers, Error> {
        let before = call.resolve(|address, size| self.space.guest_physical(address, size))?;
        // SAFETY: `call` was made by this crate's constructors, so the registers are as the leaf
        // wants them. Addresses among them are, by the promise of `AddressSpace`, those of the
        // buffers of `call` and of nothing else; the buffers that the leaf writes are borrowed
        // mutably, the borrows are the caller's and outlast this function, and the addresses were
        // exposed. There is a module that executes the instruction: `detect` found it, or the caller
        // of `assume` promised it.
        Ok(unsafe { tdcall(&before) })
    }
}

/// The instruction.
///
/// # Safety
///
/// There must be a TDX module. The registers must be as the leaf wants them, and memory that they
/// name must be memory that the leaf may read or write.
unsafe fn tdcall(before: &Registers) -> Registers {
    let mut after = Registers::default();
    // SAFETY: TDCALL (66 0F 01 CC). The module saves and restores the guest's general registers,
    // so it changes RAX and the outputs of the leaf only (TDX module 1.5.01,
    // `src/td_dispatcher/tdx_td_transitions.S`); all that any leaf of this crate has, RCX, RDX, R8 to
    // R15, are operands here. Of a TDG.VP.VMCALL the host sets those of R10 to R15 that the mask
    // in RCX shows it. RFLAGS count as changed (no `preserves_flags`). The guest's stack is not
    // used. Memory is read and written at addresses in RCX and RDX: therefore neither `nomem` nor
    // `readonly`. No leaf of this crate gives anything in R12 to R15, so what the host may have left
    // there is cleared. The caller vouches for the module, the operands and the memory.
    unsafe {
        asm!(
            ".byte 0x66, 0x0F, 0x01, 0xCC",
            "xor r12d, r12d",
            "xor r13d, r13d",
            "xor r14d, r14d",
            "xor r15d, r15d",
            inlateout("rax") before.rax => after.rax,
            inlateout("rcx") before.rcx => after.rcx,
            inlateout("rdx") before.rdx => after.rdx,
            inlateout("r8") before.r8 => after.r8,
            inlateout("r9") before.r9 => after.r9,
            inlateout("r10") before.r10 => after.r10,
            inlateout("r11") before.r11 => after.r11,
            inlateout("r12") before.r12 => after.r12,
            inlateout("r13") before.r13 => after.r13,
            inlateout("r14") before.r14 => after.r14,
            inlateout("r15") before.r15 => after.r15,
            options(nostack),
        );
    }
    after
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::IdentityMapped;

    #[test]
    fn no_td_no_instruction() {
        assert_eq!(size_of::<Hardware<IdentityMapped>>(), 0);
        // SAFETY: nothing is called with it: this is a process, not ring 0.
        let space = unsafe { IdentityMapped::new() };
        let kind = Hardware::detect(space).unwrap_err().kind();
        let expected = if is_td() { ErrorKind::NotPrivileged } else { ErrorKind::NotATd };
        assert_eq!(kind, expected);
    }
}
