// SPDX-License-Identifier: MIT OR Apache-2.0
//! The module as a `Tdcall`: the operands of a call are all the memory there is.

use tsm_core::ErrorKind;
use tsm_tdx::call::{AddressRegister, Registers};
use tsm_tdx::{Call, Error, GuestPhysical, Tdcall};

use super::{Fault, GuestMemory, Host, Module};

/// Operands are private memory, at addresses that only the module gets to see; where the caller's
/// buffers really are plays no part.
impl<H: Host> Tdcall for Module<H> {
    fn call(&mut self, mut call: Call<'_>) -> Result<Registers, Error> {
        let mut registers = *call.registers();
        for operand in call.operands() {
            *operand.register().of(&mut registers) = place(operand.register()).0;
        }
        // Every operand is there, so this does not fail.
        self.execute(&mut registers, &mut Operands(&mut call)).map_err(|_| ErrorKind::Failed)?;
        Ok(registers)
    }
}

/// Where an operand lies: a page for each.
const fn place(register: AddressRegister) -> GuestPhysical {
    GuestPhysical(match register {
        AddressRegister::Rcx => 0x1000,
        AddressRegister::Rdx => 0x2000,
    })
}

struct Operands<'c, 'b>(&'c mut Call<'b>);

impl GuestMemory for Operands<'_, '_> {
    fn read(&self, address: GuestPhysical, out: &mut [u8]) -> Result<(), Fault> {
        let mut operands = self.0.operands();
        let operand = operands.find(|operand| place(operand.register()) == address);
        let bytes = operand.and_then(|operand| operand.memory().as_bytes().get(..out.len()));
        copy(bytes.ok_or(Fault { address })?, out);
        Ok(())
    }

    fn write(&mut self, address: GuestPhysical, bytes: &[u8]) -> Result<(), Fault> {
        let written = self.0.written().filter(|(register, _)| place(*register) == address);
        let out = written.and_then(|(_, out)| out.get_mut(..bytes.len()));
        copy(bytes, out.ok_or(Fault { address })?);
        Ok(())
    }
}

/// Copies as much as both hold; the lengths are equal.
fn copy(from: &[u8], to: &mut [u8]) {
    for (to, from) in to.iter_mut().zip(from) {
        *to = *from;
    }
}
