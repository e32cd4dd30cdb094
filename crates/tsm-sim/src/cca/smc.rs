// SPDX-License-Identifier: MIT OR Apache-2.0
//! The monitor as a `Smc`: the operand of a call is all the memory there is.

use tsm_cca::{Call, Error, GuestPhysical, Registers, Smc};
use tsm_core::ErrorKind;

use super::{Attester, Fault, GuestMemory, Monitor};

/// The operand is protected memory at an address that only the monitor gets to see; where the
/// caller's buffer really is plays no part.
impl<A: Attester> Smc for Monitor<A> {
    fn call(&mut self, mut call: Call<'_>) -> Result<Registers, Error> {
        let mut registers = call.resolve(|_, _| Some(PLACE))?;
        // The operand is there, so this does not fail.
        self.execute(&mut registers, &mut Operand(&mut call)).map_err(|_| ErrorKind::Failed)?;
        Ok(registers)
    }
}

/// Below the shared bit of every realm.
const PLACE: GuestPhysical = GuestPhysical(0);

struct Operand<'c, 'b>(&'c mut Call<'b>);

impl GuestMemory for Operand<'_, '_> {
    fn write(&mut self, address: GuestPhysical, bytes: &[u8]) -> Result<(), Fault> {
        let start = address.0.checked_sub(PLACE.0).and_then(|start| usize::try_from(start).ok());
        let room = start.zip(self.0.written()).and_then(|(start, memory)| memory.get_mut(start..));
        let out = room.and_then(|room| room.get_mut(..bytes.len()));
        for (to, from) in out.ok_or(Fault { address })?.iter_mut().zip(bytes) {
            *to = *from;
        }
        Ok(())
    }
}
