// SPDX-License-Identifier: MIT OR Apache-2.0
//! Runtime registers for a platform that has none: a bank that software keeps, and the manifest by
//! which a report vouches for it.
//!
//! The format and the argument why it can be believed are in `docs/platforms/snp.md`.

mod manifest;

pub use manifest::{Manifest, ManifestRegister, ManifestValue};

use tsm_core::provider::{check_extend, check_read};
use tsm_core::{Algorithm, Banks, Digest, ErrorKind as Refusal, Initial, Powers};
use tsm_core::{Provider, Register, RegisterId, is_name};

use crate::bytes::copy;
use crate::error::{Error, ErrorKind};

/// Who keeps a bank, seen from those who extend it.
///
/// The keeper says so himself in the manifest, and a keeper that was broken into says what it wants:
/// what a verifier believes comes from the launch measurement, which tells what code the keeper is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Isolation {
    /// The software that extends the registers keeps them too: whoever breaks into it can set them. A
    /// guest without an SVSM or a paravisor.
    None,
    /// Software of a more privileged level keeps them: whoever extends them cannot set them.
    Privileged,
}

/// A bank of registers that the most privileged software keeps: an SVSM or a paravisor at VMPL0, or
/// a guest that has neither.
///
/// A register is extended and never set; all start from zeros, and there is no way to begin anew but to
/// [`resume`](Self::resume) another bank. The bank counts the extensions of each value. `VALUES` is how many values there is room for: a
/// register has one for each of its banks.
#[derive(Clone, Debug)]
pub struct SoftwareBank<'r, const VALUES: usize> {
    registers: &'r [Register<'r>],
    values: [Held; VALUES],
    isolation: Isolation,
}

/// A value of a register under one algorithm.
#[derive(Clone, Copy, Debug)]
struct Held {
    digest: Digest,
    extensions: u64,
}

/// Four registers of SHA-384, as a TDX guest has them: `rtmr0` to `rtmr3`.
pub const RTMRS: &[Register<'static>] =
    &[rtmr("rtmr0"), rtmr("rtmr1"), rtmr("rtmr2"), rtmr("rtmr3")];

const fn rtmr(name: &'static str) -> Register<'static> {
    Register::runtime(name, Banks::one(Algorithm::Sha384)).with(Powers::DIRECT)
}

impl<'r, const VALUES: usize> SoftwareBank<'r, VALUES> {
    /// A bank of these registers, all at their start.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Name`] for one that is none or stands there twice, [`ErrorKind::Value`] for a
    /// register without banks, one that cannot be extended and read, or does not start from zeros,
    /// [`ErrorKind::Count`] if there are more values than `VALUES` or more registers than
    /// [`Manifest::MAX_REGISTERS`]. The offset is the register's number.
    pub fn new(registers: &'r [Register<'r>], isolation: Isolation) -> Result<Self, Error> {
        let mut values = [Held { digest: Digest::zeros(Algorithm::Sha384), extensions: 0 }; VALUES];
        let mut free = values.iter_mut();
        if registers.len() > Manifest::MAX_REGISTERS {
            return Err(Error::at(ErrorKind::Count, Manifest::MAX_REGISTERS));
        }
        for (number, register) in registers.iter().enumerate() {
            let before = registers.get(..number).unwrap_or_default();
            let twice = before.iter().any(|other| other.name == register.name);
            if twice || !is_name(register.name.as_bytes()) {
                return Err(Error::at(ErrorKind::Name, number));
            }
            let needed = Powers::READ | Powers::EXTEND;
            let allowed = needed | Powers::DIRECT | Powers::LIVE;
            let powers = register.powers;
            if register.banks().is_empty()
                || !powers.contains(needed)
                || !allowed.contains(powers)
                || register.initial != Initial::Zeros
            {
                return Err(Error::at(ErrorKind::Value, number));
            }
            for algorithm in register.banks().iter() {
                let held = free.next().ok_or(Error::at(ErrorKind::Count, number))?;
                held.digest = Digest::zeros(algorithm);
            }
        }
        Ok(Self { registers, values, isolation })
    }

    /// The bank that wrote this manifest, as it was then: for a keeper that is replaced while the guest
    /// runs, and for simulators.
    ///
    /// Whoever calls this decides what the registers say. Where the manifest comes from must be as
    /// safe from those who extend as the bank itself; a keeper that never calls it cannot be set back.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new), and with the register's number [`ErrorKind::Name`] if the manifest has
    /// another one there, [`ErrorKind::Algorithm`] if that has other values, [`ErrorKind::Count`] if
    /// it has more registers.
    pub fn resume(registers: &'r [Register<'r>], manifest: &Manifest<'_>) -> Result<Self, Error> {
        let mut bank = Self::new(registers, manifest.isolation())?;
        let mut values = bank.values.iter_mut();
        let mut written = manifest.registers();
        for (number, register) in registers.iter().enumerate() {
            let written = written.next().filter(|written| written.name == register.name);
            let written = written.ok_or(Error::at(ErrorKind::Name, number))?;
            let mut there = written.values();
            for algorithm in register.banks().iter() {
                let value = there.next().filter(|value| value.digest.algorithm() == algorithm);
                let other = Error::at(ErrorKind::Algorithm, number);
                let (value, held) = (value.ok_or(other)?, values.next().ok_or(other)?);
                *held = Held { digest: value.digest, extensions: value.extensions };
            }
            if there.next().is_some() {
                return Err(Error::at(ErrorKind::Algorithm, number));
            }
        }
        match written.next() {
            Some(_) => Err(Error::at(ErrorKind::Count, registers.len())),
            None => Ok(bank),
        }
    }

    /// Who keeps it.
    #[must_use]
    pub const fn isolation(&self) -> Isolation {
        self.isolation
    }

    /// The registers.
    #[must_use]
    pub const fn registers(&self) -> &'r [Register<'r>] {
        self.registers
    }

    /// How often a value was extended.
    #[must_use]
    pub fn extensions(&self, id: RegisterId, bank: Algorithm) -> Option<u64> {
        let of = self.of(id)?;
        of.iter().find(|held| held.digest.algorithm() == bank).map(|held| held.extensions)
    }

    /// The values of a register.
    fn of(&self, id: RegisterId) -> Option<&[Held]> {
        let (start, end) = self.place(id)?;
        self.values.get(start..end)
    }

    fn of_mut(&mut self, id: RegisterId) -> Option<&mut [Held]> {
        let (start, end) = self.place(id)?;
        self.values.get_mut(start..end)
    }

    /// Where a register's values begin and end.
    fn place(&self, id: RegisterId) -> Option<(usize, usize)> {
        let (before, rest) = self.registers.split_at_checked(id.index())?;
        let register = rest.first()?;
        let start = before.iter().map(|r| r.banks().len()).fold(0, usize::saturating_add);
        Some((start, start.saturating_add(register.banks().len())))
    }
}

impl<const VALUES: usize> Provider for SoftwareBank<'_, VALUES> {
    type Error = Error;

    /// `snp`.
    fn name(&self) -> &str {
        "snp"
    }

    fn describe(&self, id: RegisterId) -> Option<Register<'_>> {
        self.registers.get(id.index()).copied()
    }

    fn read(
        &mut self,
        id: RegisterId,
        bank: Option<Algorithm>,
        out: &mut [u8],
    ) -> Result<(), Error> {
        check_read(self.describe(id).as_ref(), bank, out)?;
        let held = self.of(id).unwrap_or_default();
        let held = held.iter().find(|held| Some(held.digest.algorithm()) == bank);
        copy(held.ok_or(Refusal::NoSuchBank)?.digest.as_bytes(), out);
        Ok(())
    }

    fn extend(&mut self, id: RegisterId, digests: &[Digest]) -> Result<(), Error> {
        check_extend(self.describe(id).as_ref(), digests)?;
        let held = self.of_mut(id).unwrap_or_default();
        // Counted to the end of the count: further extensions are refused, all of them or none.
        let full = |held: &Held| held.extensions == u64::MAX;
        if held.iter().any(full) {
            return Err(Refusal::Failed.into());
        }
        for digest in digests {
            let own = held.iter_mut().find(|held| held.digest.algorithm() == digest.algorithm());
            if let Some(own) = own {
                // Of one algorithm, as was just found out.
                if own.digest.extend(digest).is_ok() {
                    own.extensions = own.extensions.saturating_add(1);
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: &[Register<'static>] = &[
        Register::runtime("a", Banks::one(Algorithm::Sha256)),
        Register::runtime("b", Banks::one(Algorithm::Sha384)),
    ];

    #[test]
    fn the_contract() {
        tsm_sim::contract::check_contract(
            &mut SoftwareBank::<4>::new(RTMRS, Isolation::Privileged).unwrap(),
        );
        let both = Banks::new(&[Algorithm::Sha256, Algorithm::Sha512]).unwrap();
        let table = [Register::runtime("one", both), TWO[1]];
        let bank = SoftwareBank::<5>::new(&table, Isolation::None);
        tsm_sim::contract::check_contract(&mut bank.unwrap());
    }

    #[test]
    fn extensions_are_counted() {
        let mut bank = SoftwareBank::<2>::new(TWO, Isolation::None).unwrap();
        for n in 0..5_u8 {
            bank.extend(RegisterId(1), &[Algorithm::Sha384.hash(&[n])]).unwrap();
        }
        assert_eq!(bank.extensions(RegisterId(1), Algorithm::Sha384), Some(5));
        assert_eq!(bank.extensions(RegisterId(0), Algorithm::Sha256), Some(0));
        assert_eq!(bank.extensions(RegisterId(0), Algorithm::Sha384), None);
        assert_eq!(bank.extensions(RegisterId(2), Algorithm::Sha384), None);
    }

    #[test]
    fn resumed_from_its_manifest() {
        let mut bank = SoftwareBank::<2>::new(TWO, Isolation::Privileged).unwrap();
        bank.extend(RegisterId(1), &[Algorithm::Sha384.hash(b"x")]).unwrap();
        let mut page = [0; 512];
        let written = bank.write_manifest(&mut page).unwrap().to_vec();
        let manifest = Manifest::parse(&written).unwrap();
        let mut again = SoftwareBank::<2>::resume(TWO, &manifest).unwrap();
        for bank in [&mut bank, &mut again] {
            bank.extend(RegisterId(1), &[Algorithm::Sha384.hash(b"y")]).unwrap();
            assert_eq!(bank.extensions(RegisterId(1), Algorithm::Sha384), Some(2));
        }
        let mut other = [0; 512];
        let after = bank.write_manifest(&mut page).unwrap();
        assert_eq!(again.write_manifest(&mut other).unwrap(), after);

        let refused = |table: &[Register<'_>]| {
            let error = SoftwareBank::<3>::resume(table, &manifest).unwrap_err();
            (error.kind(), error.offset())
        };
        assert_eq!(refused(&[TWO[1], TWO[0]]), (ErrorKind::Name, Some(0)));
        assert_eq!(refused(&TWO[..1]), (ErrorKind::Count, Some(1)));
        assert_eq!(refused(&[TWO[0], TWO[1], rtmr("c")]), (ErrorKind::Name, Some(2)));
        let other = Register::runtime("b", Banks::one(Algorithm::Sha256));
        assert_eq!(refused(&[TWO[0], other]), (ErrorKind::Algorithm, Some(1)));
        let both = Banks::new(&[Algorithm::Sha256, Algorithm::Sha384]).unwrap();
        let more = Register::runtime("a", both);
        assert_eq!(refused(&[more, TWO[1]]), (ErrorKind::Algorithm, Some(0)));
    }

    #[test]
    fn tables_that_are_none() {
        let refused = |table: &[Register<'_>]| {
            let error = SoftwareBank::<2>::new(table, Isolation::None).unwrap_err();
            (error.kind(), error.offset())
        };
        assert_eq!(refused(&[TWO[0], TWO[0]]), (ErrorKind::Name, Some(1)));
        assert_eq!(refused(&[TWO[0], TWO[1], rtmr("c")]), (ErrorKind::Count, Some(2)));
        let odd = Register { name: "a b", ..TWO[0] };
        assert_eq!(refused(&[odd]), (ErrorKind::Name, Some(0)));
        let fixed = Register::fixed("f", TWO[0].value);
        assert_eq!(refused(&[fixed]), (ErrorKind::Value, Some(0)));
        let ones = TWO[0].starting(Initial::Ones);
        assert_eq!(refused(&[TWO[1], ones]), (ErrorKind::Value, Some(1)));
        assert_eq!(refused(&[TWO[0].with(Powers::LOCK)]), (ErrorKind::Value, Some(0)));
    }
}
