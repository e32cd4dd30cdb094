// SPDX-License-Identifier: MIT OR Apache-2.0
//! A PCR in a replay: its value in each bank, its counts, and how it compares with what is expected.

pub use tsm_core::replay::Match;
use tsm_core::{Algorithm, Digest};

use super::entry::{Check, UntrustedEntry};
use crate::error::{Error, ErrorKind};
use crate::slots::{Slot, Slots};

/// What the kernel extends a bank with (Linux `ima_queue.c`, `ima_crypto.c`).
///
/// It matters for the banks other than SHA-1; in that one all three give the same.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[non_exhaustive]
pub enum BankRule {
    /// The bank's own hash of the template data; violations extend ones. Linux 5.8 and later, for
    /// a hash that was available when IMA started.
    #[default]
    Hashed,
    /// The SHA-1 template digest with zeros behind it; violations extend ones. Linux 5.8 and later,
    /// for a hash that the kernel knows but that was not available when IMA started (SHA-384 as a
    /// module, as in Debian's 6.1).
    PaddedSha1,
    /// The same, but violations extend 20 bytes of ones and then zeros. Before Linux 5.8, and for a
    /// hash that the kernel does not know. Inferred from the source, not seen.
    PaddedSha1Legacy,
}

/// A bank that a replay computes, and how the kernel filled it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Bank {
    /// The bank's algorithm.
    pub algorithm: Algorithm,
    /// What the kernel extended it with.
    pub rule: BankRule,
}

impl Bank {
    /// A bank filled with its own hash: the rule of today's kernels.
    #[must_use]
    pub const fn hashed(algorithm: Algorithm) -> Self {
        Self { algorithm, rule: BankRule::Hashed }
    }

    /// A bank filled by another rule.
    #[must_use]
    pub const fn with_rule(algorithm: Algorithm, rule: BankRule) -> Self {
        Self { algorithm, rule }
    }

    /// What a record that is no violation extends. Hashes the template data.
    pub(crate) fn digest(&self, entry: &UntrustedEntry<'_>) -> Digest {
        match self.rule {
            BankRule::Hashed => entry.hash(self.algorithm),
            BankRule::PaddedSha1 | BankRule::PaddedSha1Legacy => {
                padded(self.algorithm, &entry.hash(Algorithm::Sha1))
            }
        }
    }

    /// What a violation extends.
    pub(crate) fn violation(&self) -> Digest {
        match self.rule {
            BankRule::Hashed | BankRule::PaddedSha1 => Digest::ones(self.algorithm),
            BankRule::PaddedSha1Legacy => padded(self.algorithm, &Digest::ones(Algorithm::Sha1)),
        }
    }
}

/// The banks of a list's records, each once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Banks([Option<Bank>; Algorithm::MAX]);

impl Banks {
    pub(crate) fn new(banks: &[Bank]) -> Result<Self, Error> {
        let error = Error::call(ErrorKind::Banks);
        let mut all = [None; Algorithm::MAX];
        for (index, bank) in banks.iter().enumerate() {
            let before = banks.get(..index).unwrap_or_default();
            if before.iter().any(|other| other.algorithm == bank.algorithm) {
                return Err(error);
            }
            *all.get_mut(index).ok_or(error)? = Some(*bank);
        }
        if banks.is_empty() { Err(error) } else { Ok(Self(all)) }
    }

    /// Some of banks that were checked.
    pub(crate) const fn of(banks: [Option<Bank>; Algorithm::MAX]) -> Self {
        Self(banks)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Bank> {
        self.0.iter().flatten()
    }

    pub(super) const fn into_array(self) -> [Option<Bank>; Algorithm::MAX] {
        self.0
    }

    /// What a record that is no violation extends each bank with, and how many banks there are.
    pub(crate) fn digests(&self, entry: &UntrustedEntry<'_>) -> ([Digest; Algorithm::MAX], usize) {
        let mut digests = [Digest::zeros(Algorithm::Sha1); Algorithm::MAX];
        let slots = digests.iter_mut().zip(self.iter());
        let count = slots.map(|(digest, bank)| *digest = bank.digest(entry)).count();
        (digests, count)
    }
}

/// A SHA-1 digest with zeros behind it.
pub(crate) fn padded(algorithm: Algorithm, sha1: &Digest) -> Digest {
    let mut bytes = [0; Digest::MAX];
    bytes.iter_mut().zip(sha1.as_bytes()).for_each(|(to, from)| *to = *from);
    let bytes = bytes.get(..algorithm.size()).unwrap_or(&bytes);
    Digest::from_bytes(algorithm, bytes).unwrap_or(Digest::zeros(algorithm))
}

/// A PCR that the list uses, or for which a start value or an expected value was set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Register {
    pub(crate) pcr: u32,
    pub(crate) entries: u64,
    pub(crate) violations: u64,
    pub(crate) boot_aggregates: u64,
    pub(crate) slots: Slots,
    /// Whether the list ended in an error.
    pub(crate) is_cut: bool,
}

impl Register {
    pub(crate) fn new(pcr: u32, banks: &[Option<Bank>; Algorithm::MAX]) -> Self {
        let banks = banks.map(|bank| bank.map(|bank| bank.algorithm));
        let slots = Slots::new(&banks, Digest::zeros);
        Self { pcr, entries: 0, violations: 0, boot_aggregates: 0, slots, is_cut: false }
    }

    /// The PCR's number.
    #[must_use]
    pub const fn pcr(&self) -> u32 {
        self.pcr
    }

    /// How many records were extended to it, violations included.
    #[must_use]
    pub const fn entries(&self) -> u64 {
        self.entries
    }

    /// How many of them are violations.
    #[must_use]
    pub const fn violations(&self) -> u64 {
        self.violations
    }

    /// How many of them are named `boot_aggregate` (see [`UntrustedEntry::is_boot_aggregate`]): one
    /// after boot, one more after each kexec that carried the list over.
    #[must_use]
    pub const fn boot_aggregates(&self) -> u64 {
        self.boot_aggregates
    }

    /// The value after all records so far; `None` if the bank is not replayed.
    #[must_use]
    pub fn value(&self, algorithm: Algorithm) -> Option<Digest> {
        self.slots.of(algorithm).map(|slot| slot.value)
    }

    /// The expected value, if one was set.
    #[must_use]
    pub fn expected(&self, algorithm: Algorithm) -> Option<Digest> {
        self.slots.of(algorithm)?.expected
    }

    /// How the records so far relate to the expected value.
    #[must_use]
    pub fn result(&self, algorithm: Algorithm) -> Match {
        self.slots.result(algorithm, self.entries, self.is_cut)
    }

    /// The results of the banks that have an expected value.
    pub fn results(&self) -> impl Iterator<Item = (Algorithm, Match)> {
        self.slots.results(self.entries, self.is_cut)
    }

    /// How many records all expected values cover: 0 if one of them contradicts the list or if
    /// there is none.
    #[must_use]
    pub fn covered(&self) -> u64 {
        self.slots.covered()
    }

    /// Whether every bank that has an expected value has it now.
    pub(crate) fn is_at_expected(&self) -> bool {
        let is_at = |slot: &Slot| slot.expected.is_none_or(|expected| expected == slot.value);
        self.slots.iter().all(is_at)
    }

    #[inline]
    pub(crate) fn count(&mut self, entry: &UntrustedEntry<'_>, check: Check) {
        self.entries = self.entries.saturating_add(1);
        if check == Check::Violation {
            self.violations = self.violations.saturating_add(1);
        } else if entry.is_boot_aggregate() {
            self.boot_aggregates = self.boot_aggregates.saturating_add(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_agree_in_sha1_and_differ_in_the_others() {
        let rules = [BankRule::Hashed, BankRule::PaddedSha1, BankRule::PaddedSha1Legacy];
        let violations = |algorithm| rules.map(|rule| Bank::with_rule(algorithm, rule).violation());
        let sha1 = violations(Algorithm::Sha1);
        assert!(sha1.iter().all(|&digest| digest == Digest::ones(Algorithm::Sha1)));
        let [hashed, padded, legacy] = violations(Algorithm::Sha384);
        assert_eq!(hashed, Digest::ones(Algorithm::Sha384));
        assert_eq!(padded, hashed);
        assert_eq!(legacy.as_bytes()[..20], [0xFF; 20]);
        assert_eq!(legacy.as_bytes()[20..], [0; 28]);
    }

    #[test]
    fn padding_keeps_the_digest() {
        let digest = Algorithm::Sha1.hash(b"x");
        assert_eq!(padded(Algorithm::Sha1, &digest), digest);
        let wide = padded(Algorithm::Sha512, &digest);
        assert_eq!(wide.as_bytes()[..20], *digest.as_bytes());
        assert_eq!(wide.as_bytes()[20..], [0; 44]);
    }
}
