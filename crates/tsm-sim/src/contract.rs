// SPDX-License-Identifier: MIT OR Apache-2.0
//! The provider contract as a test that any provider can be put to.
//!
//! The contract is written in [`tsm_core::provider`]. An adapter's tests call [`check_contract`] on the
//! adapter over a simulated or recorded platform:
//!
//! ```
//! tsm_sim::contract::check_contract(&mut tsm_sim::Simulated::by_name("tpm").unwrap());
//! ```

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use tsm_core::{Algorithm, Digest, ErrorKind, Powers, Provider, Register, RegisterId, is_name};

use crate::table::values;

/// Puts `provider` to the contract.
///
/// It extends every register that permits it (a few times), writes what is writable, makes a
/// report, and in the end locks what can be locked: give it a machine that may be spoiled. Nobody
/// else may use the machine meanwhile. A provider whose `extend` means something else than the bare
/// operation, as [`Logged`](tsm_core::Logged)'s does, is not for this check.
///
/// # Panics
///
/// If the provider breaks the contract; the message says where.
pub fn check_contract<P: Provider>(provider: &mut P) {
    let registers = descriptions(provider);
    reading(provider, &registers);
    extending(provider, &registers);
    partly(provider, &registers);
    refusing(provider, &registers);
    writing(provider, &registers);
    reporting(provider, &registers);
    locking(provider, &registers);
    assert_eq!(descriptions(provider), registers, "descriptions changed");
}

/// A description with a name of its own.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Described {
    id: RegisterId,
    name: String,
    /// The description; its name is empty.
    register: Register<'static>,
}

impl Described {
    fn has(&self, powers: Powers) -> bool {
        self.register.powers.contains(powers)
    }

    /// A digest for each bank, different for each `salt`.
    fn digests(&self, salt: u8) -> Vec<Digest> {
        self.register.banks().iter().map(|bank| bank.hash(&[salt])).collect()
    }
}

fn descriptions<P: Provider>(provider: &P) -> Vec<Described> {
    assert!(is_name(provider.name().as_bytes()), "the provider's name is none");
    let mut found: Vec<Described> = Vec::new();
    for id in (0..=u16::MAX).map(RegisterId) {
        let Some(register) = provider.describe(id) else { continue };
        assert_eq!(id.index(), found.len(), "a hole in the ids before {id:?}");
        let name = register.name;
        assert!(is_name(name.as_bytes()), "{id:?} has no valid name");
        assert!(found.iter().all(|d| d.name != name), "two registers are called {name}");
        assert_eq!(provider.find(name), Some(id), "{name} is not found by its name");
        assert!(values(&register).next().is_some(), "{name} has no value");
        let hashed = !register.banks().is_empty();
        assert!(
            hashed || !register.powers.contains(Powers::EXTEND),
            "{name} can be extended and has no bank"
        );
        assert!(
            register.powers.contains(Powers::EXTEND) || !register.powers.contains(Powers::DIRECT),
            "{name} can be extended directly and cannot be extended"
        );
        found.push(Described {
            id,
            name: name.into(),
            register: Register {
                name: "",
                value: register.value,
                powers: register.powers,
                initial: register.initial,
                presentation: register.presentation,
            },
        });
    }
    assert!(provider.registers().map(|(id, _)| id).eq(found.iter().map(|d| d.id)));
    found
}

/// All values of all readable registers.
type Snapshot = Vec<(RegisterId, Option<Algorithm>, Vec<u8>)>;

fn snapshot<P: Provider>(provider: &mut P, registers: &[Described]) -> Snapshot {
    let mut all = Vec::new();
    for described in registers.iter().filter(|d| d.has(Powers::READ)) {
        for (bank, size) in values(&described.register) {
            let mut value = vec![0; size];
            let read = provider.read(described.id, bank, &mut value);
            assert!(read.is_ok(), "{} {bank:?}: cannot be read: {read:?}", described.name);
            all.push((described.id, bank, value));
        }
    }
    all
}

fn kind<T, E: tsm_core::provider::Error>(result: Result<T, E>) -> Option<ErrorKind> {
    result.err().map(|error| error.kind())
}

fn reading<P: Provider>(provider: &mut P, registers: &[Described]) {
    let before = snapshot(provider, registers);
    for described in registers {
        let name = &described.name;
        let mut read = |bank, size| kind(provider.read(described.id, bank, &mut vec![0; size]));
        for (bank, size) in values(&described.register) {
            let expected = if described.has(Powers::READ) {
                ErrorKind::WrongSize
            } else {
                assert_eq!(read(bank, size), Some(ErrorKind::NotPermitted), "{name} {bank:?}");
                ErrorKind::NotPermitted
            };
            for wrong in [0, size.saturating_sub(1), size.saturating_add(1)] {
                if wrong != size {
                    assert_eq!(read(bank, wrong), Some(expected), "{name} {bank:?}, {wrong} bytes");
                }
            }
        }
        let all = Algorithm::ALL.iter().map(|&bank| Some(bank)).chain([None]);
        for bank in all.filter(|&bank| described.register.size(bank).is_none()) {
            let size = bank.map_or(64, Algorithm::size);
            let expected = if described.has(Powers::READ) {
                ErrorKind::NoSuchBank
            } else {
                ErrorKind::NotPermitted
            };
            assert_eq!(read(bank, size), Some(expected), "{name} has no {bank:?}");
        }
    }
    let nobody = beyond(registers);
    for bank in [None, Some(Algorithm::Sha256)] {
        let read = kind(provider.read(nobody, bank, &mut [0; 32]));
        assert_eq!(read, Some(ErrorKind::NoSuchRegister));
    }
    assert_eq!(snapshot(provider, registers), before, "reading changed a value");
}

/// Extending changes the register as it should, and else only what is live.
fn extending<P: Provider>(provider: &mut P, registers: &[Described]) {
    for (described, salt) in extensible(provider, registers).iter().zip((0..=u8::MAX).cycle()) {
        let digests = described.digests(salt);
        let before = snapshot(provider, registers);
        let extended = provider.extend(described.id, &digests);
        assert!(extended.is_ok(), "{} cannot be extended: {extended:?}", described.name);
        compare(registers, described, &digests, &before, &snapshot(provider, registers));
    }
}

fn compare(
    registers: &[Described],
    extended: &Described,
    digests: &[Digest],
    before: &Snapshot,
    after: &Snapshot,
) {
    for ((id, bank, old), (_, _, new)) in before.iter().zip(after) {
        let described = registers.iter().find(|d| d.id == *id);
        let live = described.is_some_and(|d| d.has(Powers::LIVE));
        let name = described.map_or("", |d| &d.name);
        let of = &extended.name;
        let digest = digests.iter().find(|d| *id == extended.id && Some(d.algorithm()) == *bank);
        if let Some(digest) = digest {
            let mut value = Digest::zeros(digest.algorithm());
            value.as_bytes_mut().copy_from_slice(old);
            assert!(value.extend(digest).is_ok());
            assert_eq!(value.as_bytes(), new, "{name} {bank:?}: not H(value || digest)");
        } else if *id == extended.id || extensible_alone(described) || !live {
            assert_eq!(old, new, "{name} {bank:?} changed with an extension of {of}");
        }
    }
}

/// Registers that are extensible are live in that they change when they are extended; another
/// register's extension leaves them.
fn extensible_alone(described: Option<&Described>) -> bool {
    described.is_some_and(|d| d.has(Powers::EXTEND))
}

/// A list that lacks banks extends just the banks that it has, or is refused with `NotPermitted`.
fn partly<P: Provider>(provider: &mut P, registers: &[Described]) {
    for described in extensible(provider, registers) {
        let all = described.digests(0xA5);
        for lacking in 0..all.len() {
            let mut some = all.clone();
            some.remove(lacking);
            if some.is_empty() {
                continue;
            }
            let before = snapshot(provider, registers);
            let extended = provider.extend(described.id, &some);
            let after = snapshot(provider, registers);
            match kind(extended) {
                None => compare(registers, &described, &some, &before, &after),
                Some(kind) => {
                    assert_eq!(kind, ErrorKind::NotPermitted, "{} in part", described.name);
                    assert_eq!(before, after, "{}: refused, but changed", described.name);
                }
            }
        }
    }
}

/// Extensions that must be refused, and that have no effect.
fn refusing<P: Provider>(provider: &mut P, registers: &[Described]) {
    let before = snapshot(provider, registers);
    let digest = [Algorithm::Sha256.hash(b"")];
    assert_eq!(
        kind(provider.extend(beyond(registers), &digest)),
        Some(ErrorKind::NoSuchRegister),
        "extending no register"
    );
    for described in registers {
        let (id, name) = (described.id, &described.name);
        let mut extend = |digests: &[Digest]| kind(provider.extend(id, digests));
        let good = described.digests(0x5A);
        if !described.has(Powers::EXTEND) {
            let digests = if good.is_empty() { &digest[..] } else { &good };
            assert_eq!(extend(digests), Some(ErrorKind::NotPermitted), "{name} is not extensible");
            continue;
        }
        assert!(extend(&[]).is_some(), "{name}: no digest at all");
        for &bank in Algorithm::ALL {
            if !described.register.banks().contains(bank) {
                assert_eq!(extend(&[bank.hash(b"")]), Some(ErrorKind::NoSuchBank), "{name} {bank}");
                let mut more = good.clone();
                more.push(bank.hash(b""));
                assert!(extend(&more).is_some(), "{name}: {bank} besides its banks");
            }
        }
        let twice: Vec<_> = good.iter().flat_map(|&digest| [digest, digest]).collect();
        assert!(extend(&twice).is_some(), "{name}: every bank twice");
        let backwards: Vec<_> = good.iter().rev().copied().collect();
        if backwards.len() > 1 {
            assert!(extend(&backwards).is_some(), "{name}: banks in wrong order");
        }
    }
    assert_eq!(snapshot(provider, registers), before, "a refused extension had an effect");
}

fn writing<P: Provider>(provider: &mut P, registers: &[Described]) {
    let writable = registers.iter().any(|d| d.has(Powers::WRITE));
    assert_eq!(provider.as_writable().is_some(), writable, "writable registers or not?");
    let mut write =
        |id, value: &[u8]| provider.as_writable().map(|writable| kind(writable.write(id, value)));
    if !writable {
        return;
    }
    assert_eq!(write(beyond(registers), &[0; 64]), Some(Some(ErrorKind::NoSuchRegister)));
    for described in registers {
        let (id, name) = (described.id, &described.name);
        let size = values(&described.register).map(|(_, size)| size).next().unwrap_or_default();
        if !described.has(Powers::WRITE) {
            assert_eq!(write(id, &vec![1; size]), Some(Some(ErrorKind::NotPermitted)), "{name}");
            continue;
        }
        for wrong in [0, size.saturating_sub(1), size.saturating_add(1)] {
            assert_eq!(write(id, &vec![1; wrong]), Some(Some(ErrorKind::WrongSize)), "{name}");
        }
        assert_eq!(write(id, &vec![0x3C; size]), Some(None), "{name} cannot be written");
    }
    for described in registers.iter().filter(|d| d.has(Powers::WRITE | Powers::READ)) {
        for (bank, size) in values(&described.register) {
            let mut value = vec![0; size];
            assert!(provider.read(described.id, bank, &mut value).is_ok());
            assert!(value.iter().all(|&b| b == 0x3C), "{}: not what was written", described.name);
        }
    }
}

fn reporting<P: Provider>(provider: &mut P, registers: &[Described]) {
    let before = snapshot(provider, registers);
    let Some(reporter) = provider.as_reporter() else { return };
    let size = reporter.user_data_size();
    let room = reporter.report_size();
    let mut out = vec![0; room];
    let mut report = |user: usize, out: &mut [u8]| reporter.report(&vec![7; user], out);
    assert_eq!(kind(report(size.saturating_add(1), &mut out)), Some(ErrorKind::WrongSize));
    assert_eq!(kind(report(size, &mut [])), Some(ErrorKind::WrongSize), "no room for the report");
    for user in [size, 0] {
        let used = report(user, &mut out);
        assert!(used.is_ok(), "no report with {user} bytes of user data: {used:?}");
        let used = used.unwrap_or_default();
        assert!(0 < used && used <= room, "a report of {used} bytes");
    }
    let after = snapshot(provider, registers);
    for ((id, bank, old), (_, _, new)) in before.iter().zip(&after) {
        let described = registers.iter().find(|d| d.id == *id);
        let extensible = extensible_alone(described);
        let may = described.is_some_and(|d| d.has(Powers::LIVE) || d.has(Powers::WRITE));
        assert!(old == new || (may && !extensible), "a report changed {id:?} {bank:?}");
    }
}

fn locking<P: Provider>(provider: &mut P, registers: &[Described]) {
    let lockable = registers.iter().any(|d| d.has(Powers::LOCK));
    assert_eq!(provider.as_lockable().is_some(), lockable, "lockable registers or not?");
    let Some(all) = provider.as_lockable() else { return };
    let nobody = beyond(registers);
    assert_eq!(kind(all.lock(nobody)), Some(ErrorKind::NoSuchRegister));
    assert_eq!(kind(all.is_locked(nobody)), Some(ErrorKind::NoSuchRegister));
    for described in registers.iter().filter(|d| !d.has(Powers::LOCK)) {
        assert_eq!(kind(all.lock(described.id)), Some(ErrorKind::NotPermitted));
    }
    for described in registers.iter().filter(|d| d.has(Powers::LOCK)) {
        let name = &described.name;
        let before = snapshot(provider, registers);
        for _ in 0..2 {
            let locked = provider.as_lockable().map(|all| kind(all.lock(described.id)));
            assert_eq!(locked, Some(None), "{name} cannot be locked");
            assert!(is_locked(provider, described.id), "{name} is locked and says it is not");
        }
        if described.has(Powers::EXTEND) {
            let extended = kind(provider.extend(described.id, &described.digests(1)));
            assert_eq!(extended, Some(ErrorKind::Locked), "{name} is locked");
        }
        let after = snapshot(provider, registers);
        assert_eq!(after, before, "{name}: locking changed a value, or did not lock");
    }
}

/// The registers that can be extended now.
fn extensible<P: Provider>(provider: &mut P, registers: &[Described]) -> Vec<Described> {
    let mut found = registers.to_vec();
    found.retain(|d| d.has(Powers::EXTEND) && !is_locked(provider, d.id));
    found
}

fn is_locked<P: Provider>(provider: &mut P, id: RegisterId) -> bool {
    provider.as_lockable().is_some_and(|all| all.is_locked(id).unwrap_or(false))
}

/// An id that no register has.
fn beyond(registers: &[Described]) -> RegisterId {
    RegisterId::from_index(registers.len()).unwrap_or(RegisterId(u16::MAX))
}
