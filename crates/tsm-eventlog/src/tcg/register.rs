// SPDX-License-Identifier: MIT OR Apache-2.0
//! A register in a replay: its value in each bank, and how it compares with what is expected.

use tsm_core::replay::Match;
use tsm_core::{Algorithm, Digest};

use super::event::UntrustedEvent;
use super::rules::Banks;
use crate::registers::RegisterIndex;
use crate::slots::Slots;

/// A register of the platform, replayed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Register {
    pub(super) index: RegisterIndex,
    pub(super) events: u64,
    pub(super) slots: Slots,
    /// Whether the caller has set a start value.
    pub(super) is_set: bool,
    /// Whether the log ended in an error.
    pub(super) is_cut: bool,
}

impl Register {
    pub(super) fn new(index: RegisterIndex, banks: &Banks, is_cut: bool) -> Self {
        let is_dynamic = matches!(index, RegisterIndex::Pcr(pcr) if pcr.is_dynamic());
        let slots =
            Slots::new(
                banks,
                |bank| {
                    if is_dynamic { Digest::ones(bank) } else { Digest::zeros(bank) }
                },
            );
        Self { index, events: 0, slots, is_set: false, is_cut }
    }

    /// Which register it is.
    #[must_use]
    pub const fn index(&self) -> RegisterIndex {
        self.index
    }

    /// How many events extended it.
    #[must_use]
    pub const fn events(&self) -> u64 {
        self.events
    }

    /// The value after all events so far. `None` if the bank is not replayed, or an event had no
    /// digest for it ([`is_broken`](Self::is_broken)).
    #[must_use]
    pub fn value(&self, algorithm: Algorithm) -> Option<Digest> {
        self.slots.of(algorithm).filter(|slot| !slot.is_broken).map(|slot| slot.value)
    }

    /// The expected value, if one was set.
    #[must_use]
    pub fn expected(&self, algorithm: Algorithm) -> Option<Digest> {
        self.slots.of(algorithm)?.expected
    }

    /// Whether an event had no digest for the bank, so that its value is not known.
    #[must_use]
    pub fn is_broken(&self, algorithm: Algorithm) -> bool {
        self.slots.of(algorithm).is_some_and(|slot| slot.is_broken)
    }

    /// Whether a value is expected although the log has no events for the register. It was compared
    /// with the start value, so [`result`](Self::result) is [`Match::Complete`] or
    /// [`Match::Mismatch`], and no record stands behind either.
    #[must_use]
    pub fn is_absent(&self) -> bool {
        self.events == 0 && self.is_expected()
    }

    /// How the events so far relate to the expected value. Never [`Match::Complete`] for a bank
    /// that [`is_broken`](Self::is_broken).
    #[must_use]
    pub fn result(&self, algorithm: Algorithm) -> Match {
        self.slots.result(algorithm, self.events, self.is_cut)
    }

    /// The results of the banks that have an expected value.
    pub fn results(&self) -> impl Iterator<Item = (Algorithm, Match)> {
        self.slots.results(self.events, self.is_cut)
    }

    /// How many events all expected values cover: 0 if one of them contradicts the log or if there
    /// is none.
    #[must_use]
    pub fn covered(&self) -> u64 {
        self.slots.covered()
    }

    /// The banks that have an expected value.
    pub(super) fn expected_banks(&self) -> Banks {
        let mut banks = [None; Algorithm::MAX];
        for (bank, slot) in banks.iter_mut().zip(self.slots.expected()) {
            *bank = Some(slot.value.algorithm());
        }
        banks
    }

    pub(super) fn is_expected(&self) -> bool {
        self.slots.expected().next().is_some()
    }

    pub(super) fn is_used(&self) -> bool {
        self.events > 0 || self.is_set || self.is_expected()
    }

    /// Sets the last byte of the start value.
    pub(super) fn start_with(&mut self, last: u8) {
        for slot in self.slots.iter_mut() {
            let mut value = Digest::zeros(slot.value.algorithm());
            if let Some(byte) = value.as_bytes_mut().last_mut() {
                *byte = last;
            }
            slot.start(value);
        }
    }

    #[inline]
    pub(super) fn extend(&mut self, event: &UntrustedEvent<'_>) {
        self.events = self.events.saturating_add(1);
        for slot in self.slots.iter_mut().filter(|slot| !slot.is_broken) {
            // In place: moving a digest about costs as much as the rest of this.
            let mut digest = Digest::zeros(slot.value.algorithm());
            if copy_digest(event, &mut digest) && slot.value.extend(&digest).is_ok() {
                slot.compare(self.events);
            } else {
                slot.is_broken = true;
            }
        }
    }
}

/// Copies the event's digest of an algorithm into one; false if it has none.
#[inline]
fn copy_digest(event: &UntrustedEvent<'_>, digest: &mut Digest) -> bool {
    let id = digest.algorithm().tpm_id();
    let Some((_, bytes)) = event.digests().iter().find(|(other, _)| *other == id) else {
        return false;
    };
    let out = digest.as_bytes_mut();
    let is_whole = out.len() == bytes.len();
    if is_whole {
        out.copy_from_slice(bytes);
    }
    is_whole
}
