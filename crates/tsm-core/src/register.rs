// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a measurement register is: a description, never a value.
//!
//! A description is a `Copy` value that borrows only the register's name, so that tables of
//! registers can be `const`. Conversions to and from the kernel's structures are in
//! [`kernel`](crate::kernel); values come from a [`Provider`](crate::Provider).

use core::fmt;
use core::ops::BitOr;

use crate::algorithm::Algorithm;
use crate::digest::Digest;

/// Describes one measurement register.
///
/// ```
/// use tsm_core::{Algorithm, Banks, Powers, Register};
///
/// const RTMR3: Register =
///     Register::runtime("rtmr3", Banks::one(Algorithm::Sha384)).with(Powers::DIRECT);
/// assert!(RTMR3.powers.contains(Powers::EXTEND | Powers::READ));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Register<'a> {
    /// The name within its provider; see [`is_name`].
    pub name: &'a str,
    /// What a value of this register is.
    pub value: Value,
    /// What can be done with it.
    pub powers: Powers,
    /// Its value before anything was measured into it.
    pub initial: Initial,
    /// Whether a tree of files shows it as a file or as a directory.
    pub presentation: Presentation,
}

impl<'a> Register<'a> {
    /// A static register: readable, fixed before this software started, shown as a file.
    #[must_use]
    pub const fn fixed(name: &'a str, value: Value) -> Self {
        Self {
            name,
            value,
            powers: Powers::READ,
            initial: Initial::Other,
            presentation: Presentation::File,
        }
    }

    /// A runtime register: readable, extensible through its log, live, starting from zeros, shown
    /// as a directory. Add [`Powers::DIRECT`] to allow extension past the log.
    #[must_use]
    pub const fn runtime(name: &'a str, banks: Banks) -> Self {
        Self {
            name,
            value: Value::Banks(banks),
            powers: Powers::READ.and(Powers::EXTEND).and(Powers::LIVE),
            initial: Initial::Zeros,
            presentation: Presentation::Directory,
        }
    }

    /// The same register with more powers.
    #[must_use]
    pub const fn with(mut self, powers: Powers) -> Self {
        self.powers = self.powers.and(powers);
        self
    }

    /// The same register with another initial value.
    #[must_use]
    pub const fn starting(mut self, initial: Initial) -> Self {
        self.initial = initial;
        self
    }

    /// The same register with another presentation.
    #[must_use]
    pub const fn shown_as(mut self, presentation: Presentation) -> Self {
        self.presentation = presentation;
        self
    }

    /// The banks, in the register's order; none for an unhashed value.
    #[must_use]
    pub const fn banks(&self) -> Banks {
        match self.value {
            Value::Banks(banks) => banks,
            Value::Unhashed(_) => Banks::NONE,
        }
    }

    /// Size in bytes of the value under `bank`, or of the unhashed value if `bank` is `None`;
    /// `None` if there is no such value.
    #[must_use]
    pub fn size(&self, bank: Option<Algorithm>) -> Option<usize> {
        match (self.value, bank) {
            (Value::Banks(banks), Some(bank)) => banks.contains(bank).then(|| bank.size()),
            (Value::Unhashed(size), None) => usize::try_from(size).ok(),
            _ => None,
        }
    }
}

/// What a register's value is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Value {
    /// One digest per bank.
    Banks(Banks),
    /// So many bytes that are no digest (a report, user data), or of which nobody says what hash
    /// they are.
    Unhashed(u32),
}

/// The banks of one register: distinct algorithms in the register's own order, at most
/// [`Algorithm::MAX`] of them.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Banks([Option<Algorithm>; Algorithm::MAX]);

impl Banks {
    /// No bank.
    pub const NONE: Self = Self([None; Algorithm::MAX]);

    /// One bank.
    #[must_use]
    pub const fn one(algorithm: Algorithm) -> Self {
        let mut banks = Self::NONE;
        let [first, ..] = &mut banks.0;
        *first = Some(algorithm);
        banks
    }

    /// Banks in this order, or `None` if an algorithm is named twice.
    #[must_use]
    pub fn new(algorithms: &[Algorithm]) -> Option<Self> {
        algorithms.iter().try_fold(Self::NONE, |banks, &a| banks.and(a))
    }

    /// The same banks and one more at the end, or `None` if it is there already.
    #[must_use]
    pub fn and(mut self, algorithm: Algorithm) -> Option<Self> {
        if self.contains(algorithm) {
            return None;
        }
        *self.0.iter_mut().find(|slot| slot.is_none())? = Some(algorithm);
        Some(self)
    }

    /// The banks in order.
    pub fn iter(&self) -> impl Iterator<Item = Algorithm> + use<> {
        self.0.into_iter().flatten()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.iter().count()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.iter().next().is_none()
    }

    /// Whether `algorithm` is among them.
    #[must_use]
    pub fn contains(&self, algorithm: Algorithm) -> bool {
        self.iter().any(|a| a == algorithm)
    }

    /// The only bank, if there is exactly one.
    #[must_use]
    pub fn single(&self) -> Option<Algorithm> {
        let mut banks = self.iter();
        let only = banks.next()?;
        banks.next().is_none().then_some(only)
    }
}

impl fmt::Debug for Banks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// What can be done with a register. A set.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Powers(u16);

impl Powers {
    /// Nothing.
    pub const NONE: Self = Self(0);
    /// Its value can be read.
    pub const READ: Self = Self(1);
    /// Its value can be replaced (user data of a report). Not an extension.
    pub const WRITE: Self = Self(1 << 1);
    /// It can be extended through its log.
    pub const EXTEND: Self = Self(1 << 2);
    /// It can be extended past its log too ("direct extension").
    pub const DIRECT: Self = Self(1 << 3);
    /// Its value may change when another register is written or extended.
    pub const LIVE: Self = Self(1 << 4);
    /// It can be locked: extension is refused from then on.
    pub const LOCK: Self = Self(1 << 5);
    /// It has a log although it cannot be extended (a static register whose build was logged).
    pub const LOG: Self = Self(1 << 6);

    const NAMES: [(Self, &'static str); 7] = [
        (Self::READ, "read"),
        (Self::WRITE, "write"),
        (Self::EXTEND, "extend"),
        (Self::DIRECT, "direct"),
        (Self::LIVE, "live"),
        (Self::LOCK, "lock"),
        (Self::LOG, "log"),
    ];

    /// The set with these bits, for tests that walk through all sets.
    #[cfg(test)]
    pub(crate) const fn from_bits(bits: u16) -> Self {
        Self(bits)
    }

    /// Whether all of `powers` are in this set.
    #[must_use]
    pub const fn contains(self, powers: Self) -> bool {
        self.0 & powers.0 == powers.0
    }

    /// Both sets; `|` for constants.
    #[must_use]
    pub const fn and(self, powers: Self) -> Self {
        Self(self.0 | powers.0)
    }

    /// This set without `powers`.
    #[must_use]
    pub const fn without(self, powers: Self) -> Self {
        Self(self.0 & !powers.0)
    }
}

impl BitOr for Powers {
    type Output = Self;

    fn bitor(self, powers: Self) -> Self {
        self.and(powers)
    }
}

impl fmt::Display for Powers {
    /// The names, separated by a comma; `-` if there are none.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for (power, name) in Self::NAMES {
            if self.contains(power) {
                write!(f, "{separator}{name}")?;
                separator = ",";
            }
        }
        if separator.is_empty() { f.write_str("-") } else { Ok(()) }
    }
}

impl fmt::Debug for Powers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A register's value before anything was measured into it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Initial {
    /// All bits zero.
    Zeros,
    /// All bits one (TPM PCRs 17 to 22 before a dynamic launch).
    Ones,
    /// Something else, or not known: a log of this register must be given its start value.
    Other,
}

impl Initial {
    /// The initial value under `algorithm`, if it is known.
    #[must_use]
    pub fn value(self, algorithm: Algorithm) -> Option<Digest> {
        match self {
            Self::Zeros => Some(Digest::zeros(algorithm)),
            Self::Ones => Some(Digest::ones(algorithm)),
            Self::Other => None,
        }
    }
}

/// How a tree of files shows a register.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Presentation {
    /// A file that holds the value.
    File,
    /// A directory with the value, the algorithm and the log in it.
    Directory,
}

/// Whether `name` may name a register, a virtual register or a domain of records:
/// 1 to 63 of `A-Z a-z 0-9 . _ - / :` (record log specification, section 6).
#[must_use]
pub fn is_name(name: &[u8]) -> bool {
    let allowed = |b: &u8| b.is_ascii_alphanumeric() || b"._-/:".contains(b);
    (1..=63).contains(&name.len()) && name.iter().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn banks_keep_order_and_refuse_doubles() {
        let banks = Banks::new(&[Algorithm::Sha384, Algorithm::Sha1]).unwrap();
        assert_eq!(banks.iter().collect::<Vec<_>>(), [Algorithm::Sha384, Algorithm::Sha1]);
        assert_eq!(banks.single(), None);
        assert_eq!(Banks::one(Algorithm::Sha1).single(), Some(Algorithm::Sha1));
        assert_eq!(Banks::new(&[Algorithm::Sha1, Algorithm::Sha1]), None);
        assert_eq!(Banks::new(Algorithm::ALL).unwrap().len(), Algorithm::MAX);
    }

    #[test]
    fn sizes() {
        let runtime = Register::runtime("r", Banks::one(Algorithm::Sha384));
        assert_eq!(runtime.size(Some(Algorithm::Sha384)), Some(48));
        assert_eq!(runtime.size(Some(Algorithm::Sha256)), None);
        assert_eq!(runtime.size(None), None);
        let report = Register::fixed("report", Value::Unhashed(1024));
        assert_eq!(report.size(None), Some(1024));
        assert_eq!(report.size(Some(Algorithm::Sha384)), None);
    }

    #[test]
    fn names() {
        for good in ["a", "rtmr0", "kernel.org/tsm/static_mr", "mr-x:1", &"n".repeat(63)] {
            assert!(is_name(good.as_bytes()), "{good}");
        }
        for bad in ["", "a b", "a\tb", "ä", "a\n", "a#", "a!", &"n".repeat(64)] {
            assert!(!is_name(bad.as_bytes()), "{bad}");
        }
    }

    #[test]
    fn powers_print() {
        assert_eq!(Powers::NONE.to_string(), "-");
        assert_eq!((Powers::READ | Powers::DIRECT).to_string(), "read,direct");
        assert_eq!(Powers::READ.and(Powers::LOG).without(Powers::READ), Powers::LOG);
    }
}
