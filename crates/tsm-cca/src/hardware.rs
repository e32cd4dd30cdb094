// SPDX-License-Identifier: MIT OR Apache-2.0
//! The SMC instruction. On AArch64 only; everything else in this crate is for any machine.

#![allow(unsafe_code, reason = "a promise about the machine")]

use crate::address::AddressSpace;
use crate::call::{Call, Registers, Smc};
use crate::conduit::Conduit;
use crate::error::{Error, ErrorKind};
use crate::function::{Function, Version};
use crate::status::Status;

/// The RMM of this realm, by the instruction SMC. Of no size if the address space is of none
/// ([`IdentityMapped`](crate::IdentityMapped)).
///
/// For EL1 of plane 0: at EL0 an SMC is an undefined instruction, and other planes are not served
/// (TF-RMM, since 1.1).
#[derive(Clone, Copy, Debug)]
pub struct Hardware<A> {
    space: A,
}

impl<A: AddressSpace> Hardware<A> {
    /// The RMM, if this is a realm.
    ///
    /// `conduit` is what the machine's tables say ([`Conduit`]); without SMC none is tried. Then the
    /// RSI is asked for its revision, which firmware that is no RMM answers with `NOT_SUPPORTED`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Conduit`], [`ErrorKind::NotARealm`].
    pub fn detect(space: A, conduit: Option<Conduit>) -> Result<Self, Error> {
        if conduit != Some(Conduit::Smc) {
            return Err(Error::new(ErrorKind::Conduit));
        }
        let after = smc(Call::version(Version::V1_0).registers());
        // A mismatch of revisions is an answer too.
        match after.status() {
            Status::SUCCESS | Status::ERROR_INPUT => Ok(Self { space }),
            _ => Err(Error::of(ErrorKind::NotARealm, Function::VERSION)),
        }
    }

    /// The RMM, without asking. For programs that put a monitor in software in its place, as tests
    /// do.
    ///
    /// # Safety
    ///
    /// SMC is executed at EL1 of a realm, or is taken by something that changes the same registers
    /// and the same memory as an RMM would, and no other.
    #[must_use]
    pub const unsafe fn assume(space: A) -> Self {
        Self { space }
    }
}

impl<A: AddressSpace> Smc for Hardware<A> {
    fn call(&mut self, mut call: Call<'_>) -> Result<Registers, Error> {
        let before = call.resolve(|address, size| self.space.guest_physical(address, size))?;
        // `call` was made by this crate's constructors, so the registers are as the function wants
        // them. The address among them is, by the promise of `AddressSpace`, that of the buffer of
        // `call` and of nothing else; it is borrowed mutably until the end of this function, and its
        // address was exposed. There is an RMM that answers: `detect` found it, or the caller of
        // `assume` promised it.
        Ok(smc(&before))
    }
}

/// The instruction, as the crate `smccc` has it: all of X0 to X17 are operands, and the assembler
/// block may read and write memory (neither `nomem` nor `readonly`).
fn smc(before: &Registers) -> Registers {
    let mut arguments = [0; 17];
    let [_, given @ ..] = &before.x;
    for (argument, given) in arguments.iter_mut().zip(given) {
        *argument = *given;
    }
    let result = smccc::smc64(before.function().0, arguments);
    let [x @ .., _, _, _, _, _, _, _] = result;
    Registers { x }
}
