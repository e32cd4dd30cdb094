// SPDX-License-Identifier: MIT OR Apache-2.0
//! From records to the values of virtual registers. Knows records and names; neither where the
//! records come from nor whether they are trusted.

use core::fmt;

use crate::algorithm::Algorithm;
use crate::digest::Digest;
use crate::record::{self, RecordError};
use crate::register::{Register, is_name};
use crate::replay::{Position, Sink};

/// Values of the virtual registers of `table`, up to `M` banks in all.
#[derive(Clone, Debug)]
pub struct Fold<'t, const M: usize> {
    table: &'t [Register<'t>],
    slots: [Option<Slot>; M],
}

#[derive(Clone, Copy, Debug)]
struct Slot {
    register: usize,
    value: Digest,
    records: u64,
}

/// The value of one bank of a virtual register.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct VirtualValue<'t> {
    /// The virtual register's name.
    pub name: &'t str,
    /// The value, which knows its bank.
    pub value: Digest,
    /// How many records extended this bank.
    pub records: u64,
}

/// A table that cannot be virtual registers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum TableError {
    /// A name that [`is_name`] does not know, or that the log reserves.
    Name,
    /// Two registers of one name.
    Double,
    /// A register without banks.
    NoBank,
    /// An initial value that is not known.
    Initial,
    /// More banks than `M`.
    TooMany,
}

impl fmt::Display for TableError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Name => {
                "not a name for a virtual register: 1 to 63 of A-Z a-z 0-9 . _ - / :, not reserved"
            }
            Self::Double => "two virtual registers of one name",
            Self::NoBank => "a virtual register without a bank",
            Self::Initial => "a virtual register must start at zeros or ones",
            Self::TooMany => "more banks of virtual registers than there is room for",
        })
    }
}

impl core::error::Error for TableError {}

impl<'t, const M: usize> Fold<'t, M> {
    /// All virtual registers of `table` at their initial values.
    ///
    /// # Errors
    ///
    /// [`TableError`] if the table cannot be virtual registers or has more than `M` banks.
    pub fn new(table: &'t [Register<'t>]) -> Result<Self, TableError> {
        let mut slots = [None; M];
        let mut free = slots.iter_mut();
        for (index, register) in table.iter().enumerate() {
            let name = register.name.as_bytes();
            if !is_name(name) || record::is_reserved(name) {
                return Err(TableError::Name);
            }
            if table.iter().take(index).any(|before| before.name == register.name) {
                return Err(TableError::Double);
            }
            if register.banks().is_empty() {
                return Err(TableError::NoBank);
            }
            for bank in register.banks().iter() {
                let value = register.initial.value(bank).ok_or(TableError::Initial)?;
                let slot = free.next().ok_or(TableError::TooMany)?;
                *slot = Some(Slot { register: index, value, records: 0 });
            }
        }
        Ok(Self { table, slots })
    }

    /// Takes a record; one that stands under no virtual register's name does nothing. Returns
    /// whether it extended a virtual register.
    ///
    /// # Errors
    ///
    /// [`RecordError`] if it stands under such a name and is malformed, or for a bank that the
    /// virtual register lacks. No value is changed then.
    #[inline]
    pub fn record(&mut self, record: &[u8]) -> Result<bool, RecordError> {
        let Some((register, digest)) = self.parse(record)? else { return Ok(false) };
        let slot = self.slot(register, digest.algorithm()).ok_or(RecordError::NoSuchBank)?;
        slot.value.extend(&digest).map_err(|_| RecordError::NoSuchBank)?;
        slot.records = slot.records.saturating_add(1);
        Ok(true)
    }

    /// Whether [`record`](Self::record) would take this record.
    ///
    /// # Errors
    ///
    /// As [`record`](Self::record).
    pub fn check(&self, record: &[u8]) -> Result<(), RecordError> {
        self.parse(record).map(drop)
    }

    /// Whether the record stands under the name of a virtual register.
    #[must_use]
    pub fn claims(&self, record: &[u8]) -> bool {
        self.index(record).is_some()
    }

    /// The values in the table's order.
    pub fn values(&self) -> impl Iterator<Item = VirtualValue<'t>> + '_ {
        self.slots.iter().flatten().filter_map(|slot| {
            let name = self.table.get(slot.register)?.name;
            Some(VirtualValue { name, value: slot.value, records: slot.records })
        })
    }

    /// The value of one bank of the register at `index` of the table.
    #[must_use]
    pub fn value(&self, index: usize, bank: Algorithm) -> Option<Digest> {
        let mut slots = self.slots.iter().flatten();
        let slot = slots.find(|s| s.register == index && s.value.algorithm() == bank);
        slot.map(|slot| slot.value)
    }

    /// How many records extended any bank of the register at `index` of the table.
    #[must_use]
    pub fn records(&self, index: usize) -> u64 {
        let slots = self.slots.iter().flatten().filter(|slot| slot.register == index);
        slots.fold(0, |sum, slot| sum.saturating_add(slot.records))
    }

    /// The table.
    #[must_use]
    pub const fn table(&self) -> &'t [Register<'t>] {
        self.table
    }

    fn index(&self, record: &[u8]) -> Option<usize> {
        let name = record::name(record);
        self.table.iter().position(|register| register.name.as_bytes() == name)
    }

    fn parse(&self, record: &[u8]) -> Result<Option<(usize, Digest)>, RecordError> {
        let Some(index) = self.index(record) else { return Ok(None) };
        let digest = record::extension(record)?;
        let banks = self.table.get(index).map(Register::banks);
        let known = banks.is_some_and(|banks| banks.contains(digest.algorithm()));
        if known { Ok(Some((index, digest))) } else { Err(RecordError::NoSuchBank) }
    }

    fn slot(&mut self, register: usize, bank: Algorithm) -> Option<&mut Slot> {
        let mut slots = self.slots.iter_mut().flatten();
        slots.find(|slot| slot.register == register && slot.value.algorithm() == bank)
    }
}

/// A malformed record under a virtual register's name, and where it stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Malformed {
    /// What is wrong.
    pub kind: RecordError,
    /// Where.
    pub at: Position,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (line {}, byte {})", self.kind, self.at.line, self.at.offset)
    }
}

/// Folds the records that a [`Replay`](crate::replay::Replay) comes across.
///
/// The values may be believed when the log [accounts for
/// all](crate::replay::Outcome::accounts_for_all) of the register's extensions and
/// [`malformed`](Self::malformed) is `None`. That the log holds is not enough: a record hidden behind
/// the note of an off-log extension would be missing here.
#[derive(Clone, Debug)]
pub struct FoldSink<'t, const M: usize> {
    fold: Fold<'t, M>,
    malformed: Option<Malformed>,
}

impl<'t, const M: usize> FoldSink<'t, M> {
    /// A sink for `fold`.
    #[must_use]
    pub const fn new(fold: Fold<'t, M>) -> Self {
        Self { fold, malformed: None }
    }

    /// What was folded.
    #[must_use]
    pub const fn fold(&self) -> &Fold<'t, M> {
        &self.fold
    }

    /// The first malformed record under a virtual register's name, if there is one: an error for a
    /// verifier, not something to skip.
    #[must_use]
    pub const fn malformed(&self) -> Option<Malformed> {
        self.malformed
    }
}

impl<const M: usize> Sink for FoldSink<'_, M> {
    fn untrusted_record(&mut self, record: &[u8], at: Position) {
        if let Err(kind) = self.fold.record(record) {
            self.malformed.get_or_insert(Malformed { kind, at });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Banks, Initial, Value};

    const A: Algorithm = Algorithm::Sha256;
    const B: Algorithm = Algorithm::Sha384;

    fn register(name: &'static str, banks: &[Algorithm]) -> Register<'static> {
        Register::runtime(name, Banks::new(banks).unwrap())
    }

    // T-21
    #[test]
    fn records_extend_what_they_name() {
        let table = [register("mr_a", &[A]), register("mr_b", &[B, A]).starting(Initial::Ones)];
        let mut fold = Fold::<3>::new(&table).unwrap();
        let (x, y) = (A.hash(b"x"), B.hash(b"y"));
        assert_eq!(fold.record(format!("mr_a extend {x}").as_bytes()), Ok(true));
        assert_eq!(fold.record(format!("mr_b extend {y}").as_bytes()), Ok(true));
        assert_eq!(fold.record(format!("mr_c extend {x}").as_bytes()), Ok(false));
        assert_eq!(fold.record(b"mr_ab extend anything"), Ok(false));
        assert_eq!(
            fold.record(format!("mr_a extend {y}").as_bytes()),
            Err(RecordError::NoSuchBank)
        );
        assert_eq!(fold.record(b"mr_a"), Err(RecordError::NotAnExtension));
        assert!(fold.claims(b"mr_a\tx") && !fold.claims(b"mr_c x"));
        let mut a = Digest::zeros(A);
        a.extend(&x).unwrap();
        let mut b = Digest::ones(B);
        b.extend(&y).unwrap();
        let value = |name, value, records| VirtualValue { name, value, records };
        assert_eq!(
            fold.values().collect::<Vec<_>>(),
            [value("mr_a", a, 1), value("mr_b", b, 1), value("mr_b", Digest::ones(A), 0)]
        );
        assert_eq!(fold.value(1, B), Some(b));
    }

    #[test]
    fn tables_are_checked() {
        let fold = |table: &[Register<'_>]| Fold::<2>::new(table).err();
        assert_eq!(fold(&[register("a", &[A, B])]), None);
        assert_eq!(fold(&[register("a", &[A, B]), register("b", &[A])]), Some(TableError::TooMany));
        assert_eq!(fold(&[register("a", &[A]), register("a", &[B])]), Some(TableError::Double));
        assert_eq!(fold(&[register("a b", &[A])]), Some(TableError::Name));
        for reserved in ["SYNC", "kernel.org/tsm/static_mr"] {
            assert_eq!(fold(&[register(reserved, &[A])]), Some(TableError::Name));
        }
        assert_eq!(fold(&[Register::fixed("a", Value::Unhashed(4))]), Some(TableError::NoBank));
        let other = register("a", &[A]).starting(Initial::Other);
        assert_eq!(fold(&[other]), Some(TableError::Initial));
    }
}
