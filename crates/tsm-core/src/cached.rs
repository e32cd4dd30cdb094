// SPDX-License-Identifier: MIT OR Apache-2.0
//! Caching of register values.
//!
//! Reading a register can be dear (a TPM command takes milliseconds), and most reads find what the
//! last one found. A value stays cached until something is extended or written that could have
//! changed it: the register itself, and every register described as live. Each value has a flag of
//! its own, so refreshing one live register leaves the others stale.
//!
//! A cache belongs above [`Logged`](crate::Logged), never below it: a log captures what the register
//! *is*, and a remembered value may not be that any more if others can extend it.

use crate::algorithm::Algorithm;
use crate::bytes::copy;
use crate::digest::Digest;
use crate::provider::{Lockable, Provider, Recorder, RegisterId, Reporter, Writable};
use crate::register::{Powers, Register, Value};

/// A provider that remembers the values it read, in a buffer of the caller.
///
/// Only what goes through this value is noticed. Where others may extend too, call
/// [`invalidate`](Self::invalidate) first, or do not cache.
#[derive(Debug)]
pub struct Cached<'b, P> {
    provider: P,
    /// For each value in the order of registers and banks: one flag byte, then the value.
    buffer: &'b mut [u8],
}

/// Flag of a value that is not, or no longer, known.
const STALE: u8 = 0;
const FRESH: u8 = 1;

impl<'b, P: Provider> Cached<'b, P> {
    /// A cache in front of `provider`, nothing in it.
    ///
    /// Values that do not fit `buffer` are read every time; [`needed`] bytes hold them all.
    #[must_use]
    pub fn new(provider: P, buffer: &'b mut [u8]) -> Self {
        let mut cached = Self { provider, buffer };
        cached.invalidate();
        cached
    }

    /// Forgets every value.
    pub fn invalidate(&mut self) {
        self.buffer.fill(STALE);
    }

    /// The provider below.
    pub const fn provider(&self) -> &P {
        &self.provider
    }

    /// The provider again.
    pub fn into_inner(self) -> P {
        self.provider
    }

    /// Forgets the values that a change of `id` can have changed.
    fn touched(&mut self, id: RegisterId) {
        let mut at = 0_usize;
        for (of, register) in registers(&self.provider) {
            let live = register.powers.contains(Powers::LIVE);
            for (_, size) in values(&register) {
                if let Some(flag) = self.buffer.get_mut(at).filter(|_| of == id || live) {
                    *flag = STALE;
                }
                at = at.saturating_add(size).saturating_add(1);
            }
        }
    }

    /// Flag and place of a value, if the register has it and it fits the buffer.
    fn slot(&mut self, id: RegisterId, bank: Option<Algorithm>) -> Option<(&mut u8, &mut [u8])> {
        let mut at = 0_usize;
        for (of, register) in registers(&self.provider) {
            for (of_bank, size) in values(&register) {
                if of == id && of_bank == bank {
                    let (flag, rest) = self.buffer.get_mut(at..)?.split_first_mut()?;
                    return Some((flag, rest.get_mut(..size)?));
                }
                at = at.saturating_add(size).saturating_add(1);
            }
        }
        None
    }
}

/// Size in bytes of a buffer that holds every value of `provider`.
#[must_use]
pub fn needed<P: Provider>(provider: &P) -> usize {
    registers(provider)
        .flat_map(|(_, register)| values(&register))
        .fold(0, |sum, (_, size)| sum.saturating_add(size).saturating_add(1))
}

fn registers<P: Provider>(provider: &P) -> impl Iterator<Item = (RegisterId, Register<'_>)> {
    provider.registers()
}

/// A register's values: banks and their sizes, or the unhashed value.
fn values(register: &Register<'_>) -> impl Iterator<Item = (Option<Algorithm>, usize)> + use<> {
    let unhashed = match register.value {
        Value::Unhashed(size) => usize::try_from(size).ok().map(|size| (None, size)),
        Value::Banks(_) => None,
    };
    register.banks().iter().map(|bank| (Some(bank), bank.size())).chain(unhashed)
}

impl<P: Provider> Provider for Cached<'_, P> {
    type Error = P::Error;

    fn name(&self) -> &str {
        self.provider.name()
    }

    fn describe(&self, id: RegisterId) -> Option<Register<'_>> {
        self.provider.describe(id)
    }

    fn read(
        &mut self,
        id: RegisterId,
        bank: Option<Algorithm>,
        out: &mut [u8],
    ) -> Result<(), Self::Error> {
        if let Some((&mut FRESH, value)) = self.slot(id, bank)
            && value.len() == out.len()
        {
            copy(value, out);
            return Ok(());
        }
        self.provider.read(id, bank, out)?;
        if let Some((flag, value)) = self.slot(id, bank) {
            copy(out, value);
            *flag = FRESH;
        }
        Ok(())
    }

    fn extend(&mut self, id: RegisterId, digests: &[Digest]) -> Result<(), Self::Error> {
        // Whatever comes of it: a failure may have changed the register too.
        self.touched(id);
        self.provider.extend(id, digests)
    }

    /// Which register will be written is not known here, so everything is forgotten.
    fn as_writable(&mut self) -> Option<&mut dyn Writable<Error = Self::Error>> {
        self.invalidate();
        self.provider.as_writable()
    }

    fn as_lockable(&mut self) -> Option<&mut dyn Lockable<Error = Self::Error>> {
        self.provider.as_lockable()
    }

    /// A report may change user data registers.
    fn as_reporter(&mut self) -> Option<&mut dyn Reporter<Error = Self::Error>> {
        self.invalidate();
        self.provider.as_reporter()
    }

    /// What is appended below cannot be told apart here.
    fn as_recorder(&mut self) -> Option<&mut dyn Recorder<Error = Self::Error>> {
        self.invalidate();
        self.provider.as_recorder()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Memory;
    use crate::{Banks, Initial};

    const A: Algorithm = Algorithm::Sha256;

    fn device() -> Memory {
        let banks = Banks::one(A);
        let fixed = Register::fixed("fixed", Value::Banks(banks)).starting(Initial::Ones);
        let quiet = Register::runtime("quiet", Banks::new(&[A, Algorithm::Sha1]).unwrap());
        let quiet = Register { powers: quiet.powers.without(Powers::LIVE), ..quiet };
        Memory::new(&[
            fixed,
            quiet,
            Register::runtime("live", banks),
            Register::runtime("live2", banks),
        ])
    }

    // T-20
    #[test]
    fn each_value_is_read_once_until_something_could_change_it() {
        let mut device = device();
        let mut buffer = vec![0xAA; needed(&device)];
        assert_eq!(buffer.len(), 4 * 33 + 33 - 12);
        let mut cached = Cached::new(&mut device, &mut buffer);
        let mut reads = 0;
        let mut expect = |cached: &mut Cached<'_, &mut Memory>, fresh: usize| {
            for _ in 0..2 {
                for id in 0..4 {
                    cached.value(RegisterId(id), A).unwrap();
                }
                cached.value(RegisterId(1), Algorithm::Sha1).unwrap();
            }
            reads += fresh;
            assert_eq!(cached.provider().reads, reads);
        };
        expect(&mut cached, 5);
        expect(&mut cached, 0);
        // Live registers may change with any other; the fixed and the quiet one do not.
        cached.extend(RegisterId(2), &[A.hash(b"")]).unwrap();
        expect(&mut cached, 2);
        // Both banks of the register itself.
        cached.extend(RegisterId(1), &[A.hash(b"")]).unwrap();
        expect(&mut cached, 4);
        cached.invalidate();
        expect(&mut cached, 5);
    }

    // T-20
    #[test]
    fn what_is_read_is_true_after_every_step() {
        let mut device = device();
        let mut buffer = vec![0; needed(&device)];
        let mut cached = Cached::new(&mut device, &mut buffer);
        for step in 0..6 {
            let id = RegisterId(1 + step % 3);
            cached.extend(id, &[A.hash(&step.to_le_bytes())]).unwrap();
            for id in (0..4).map(RegisterId) {
                let value = cached.value(id, A).unwrap();
                assert!(cached.provider().all(id).contains(&value));
            }
        }
    }

    #[test]
    fn a_small_buffer_only_costs_reads() {
        let mut device = device();
        for size in 0..needed(&device) {
            let mut buffer = vec![0; size];
            let mut cached = Cached::new(&mut device, &mut buffer);
            for id in (0..4).map(RegisterId) {
                assert_eq!(cached.value(id, A).unwrap(), cached.provider().all(id)[0]);
                assert_eq!(cached.value(id, A).unwrap(), cached.provider().all(id)[0]);
            }
        }
    }
}
