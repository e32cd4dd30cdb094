// SPDX-License-Identifier: MIT OR Apache-2.0
//! The contract check finds what it is there to find.

use core::panic::AssertUnwindSafe;
use std::panic::catch_unwind;

use tsm_core::provider::{Lockable, Writable};
use tsm_core::{Algorithm, Digest, ErrorKind, Powers, Provider, Register, RegisterId};
use tsm_sim::{Simulated, contract};

/// Ways to break the contract.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Breach {
    None,
    HoleInIds,
    SameName,
    BadName,
    AnySizeIsRead,
    ReadExtends,
    UnknownBankIsRead,
    ExtendDoesNothing,
    ExtendHitsAnother,
    ExtendReplaces,
    FirstBankOnly,
    RefusedAfterHalf,
    ExtendsWhatHasNoPower,
    NoDigestIsFine,
    AnyOrder,
    WritableWithoutRegister,
    WriteForgets,
    LockDoesNothing,
    LockIsFree,
}

struct Broken {
    machine: Simulated,
    how: Breach,
}

impl Provider for Broken {
    type Error = ErrorKind;

    fn name(&self) -> &str {
        if self.how == Breach::BadName { "two words" } else { self.machine.name() }
    }

    fn describe(&self, id: RegisterId) -> Option<Register<'_>> {
        match self.how {
            Breach::HoleInIds if id.0 == 1 => None,
            Breach::SameName if id.0 == 2 => self.machine.describe(RegisterId(1)),
            _ => self.machine.describe(id),
        }
    }

    fn read(
        &mut self,
        id: RegisterId,
        bank: Option<Algorithm>,
        out: &mut [u8],
    ) -> Result<(), ErrorKind> {
        let size = self.machine.describe(id).and_then(|r| r.size(bank));
        match self.how {
            Breach::AnySizeIsRead if size.is_some() && size != Some(out.len()) => Ok(()),
            Breach::UnknownBankIsRead if size.is_none() && self.describe(id).is_some() => Ok(()),
            Breach::ReadExtends => {
                let read = self.machine.read(id, bank, out);
                let register = self.machine.describe(id).unwrap();
                let digests: Vec<_> = register.banks().iter().map(|b| b.hash(b"")).collect();
                let _ = self.machine.extend(id, &digests);
                read
            }
            _ => self.machine.read(id, bank, out),
        }
    }

    fn extend(&mut self, id: RegisterId, digests: &[Digest]) -> Result<(), ErrorKind> {
        let register = self.machine.describe(id);
        let permitted = register.is_some_and(|r| r.powers.contains(Powers::EXTEND));
        match (self.how, digests) {
            (Breach::ExtendDoesNothing, _) if self.machine.clone().extend(id, digests).is_ok() => {
                Ok(())
            }
            (Breach::ExtendHitsAnother, _) if permitted && id.0 > 0 => self
                .machine
                .extend(RegisterId(id.0 - 1), digests)
                .and(self.machine.extend(id, digests)),
            (Breach::ExtendReplaces, [digest]) if permitted => {
                let name = register.unwrap().name.to_owned();
                self.machine.preset(&name, Some(digest.algorithm()), digest.as_bytes())
            }
            (Breach::FirstBankOnly, [first, _, ..]) => {
                let all = self.machine.clone().extend(id, digests);
                all.and_then(|()| self.machine.extend(id, &[*first]))
            }
            (Breach::RefusedAfterHalf, [first, _]) if permitted => {
                self.machine.extend(id, &[*first])?;
                Err(ErrorKind::NotPermitted)
            }
            (Breach::ExtendsWhatHasNoPower, _) if !permitted && register.is_some() => Ok(()),
            (Breach::NoDigestIsFine, []) if permitted => Ok(()),
            (Breach::AnyOrder, _) if permitted => {
                let mut sorted = digests.to_vec();
                sorted.sort_by_key(|d| d.algorithm());
                self.machine.extend(id, &sorted)
            }
            _ => self.machine.extend(id, digests),
        }
    }

    fn as_writable(&mut self) -> Option<&mut dyn Writable<Error = ErrorKind>> {
        let has = self.machine.as_writable().is_some();
        if has || self.how == Breach::WritableWithoutRegister { Some(self) } else { None }
    }

    fn as_lockable(&mut self) -> Option<&mut dyn Lockable<Error = ErrorKind>> {
        if self.machine.as_lockable().is_some() { Some(self) } else { None }
    }
}

impl Writable for Broken {
    type Error = ErrorKind;

    fn write(&mut self, id: RegisterId, value: &[u8]) -> Result<(), ErrorKind> {
        match self.how {
            Breach::WriteForgets => self.machine.clone().write(id, value),
            _ => self.machine.write(id, value),
        }
    }
}

impl Lockable for Broken {
    type Error = ErrorKind;

    fn lock(&mut self, id: RegisterId) -> Result<(), ErrorKind> {
        match self.how {
            Breach::LockDoesNothing => self.machine.clone().lock(id),
            Breach::LockIsFree if self.machine.describe(id).is_none() => Ok(()),
            _ => self.machine.lock(id),
        }
    }

    fn is_locked(&mut self, id: RegisterId) -> Result<bool, ErrorKind> {
        self.machine.is_locked(id)
    }
}

#[test]
fn every_breach_is_found() {
    std::panic::set_hook(Box::new(|_| {}));
    let passes = |how, name| {
        let mut broken = Broken { machine: Simulated::by_name(name).unwrap(), how };
        catch_unwind(AssertUnwindSafe(|| contract::check_contract(&mut broken))).is_ok()
    };
    let passed: Vec<_> = [
        (Breach::HoleInIds, "tdx"),
        (Breach::SameName, "tdx"),
        (Breach::BadName, "tdx"),
        (Breach::AnySizeIsRead, "tdx"),
        (Breach::ReadExtends, "tdx"),
        (Breach::UnknownBankIsRead, "tdx"),
        (Breach::ExtendDoesNothing, "cca"),
        (Breach::ExtendHitsAnother, "nsm"),
        (Breach::ExtendReplaces, "tdx"),
        (Breach::FirstBankOnly, "tpm"),
        (Breach::RefusedAfterHalf, "tpm"),
        (Breach::ExtendsWhatHasNoPower, "tdx"),
        (Breach::NoDigestIsFine, "cca"),
        (Breach::AnyOrder, "tpm"),
        (Breach::WritableWithoutRegister, "tdx"),
        (Breach::WriteForgets, "example"),
        (Breach::LockDoesNothing, "nsm"),
        (Breach::LockIsFree, "nsm"),
    ]
    .into_iter()
    .filter(|&(how, name)| passes(how, name))
    .collect();
    let unbroken = ["example", "tdx", "cca", "tpm", "nsm"].map(|name| passes(Breach::None, name));
    let _ = std::panic::take_hook();
    assert_eq!(passed, []);
    assert_eq!(unbroken, [true; 5]);
}
