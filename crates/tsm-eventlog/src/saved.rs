// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the saved states of all replays are made of.

use tsm_core::{Algorithm, Digest};

use crate::bytes::copy;
use crate::error::Position;
use crate::slots::Slot;

/// Flags of a bank.
const EXPECTED: u8 = 1;
const MATCHED: u8 = 2;
const BROKEN: u8 = 4;

/// Size of the checksum at the end: the first bytes of the SHA-256 of all before.
pub(crate) const CHECKSUM: usize = 8;

pub(crate) fn checksum(bytes: &[u8]) -> [u8; CHECKSUM] {
    Algorithm::Sha256.hash(bytes).as_bytes().first_chunk().copied().unwrap_or_default()
}

/// Writes to the front of a slice.
pub(crate) struct Writer<'o> {
    pub(crate) out: &'o mut [u8],
    pub(crate) len: usize,
}

impl<'o> Writer<'o> {
    pub(crate) fn put(&mut self, bytes: &[u8]) -> Option<()> {
        let end = self.len.checked_add(bytes.len())?;
        copy(bytes, self.out.get_mut(self.len..end)?);
        self.len = end;
        Some(())
    }

    pub(crate) fn number(&mut self, number: u64) -> Option<()> {
        self.put(&number.to_le_bytes())
    }

    pub(crate) fn position(&mut self, position: Position) -> Option<()> {
        self.number(position.offset)?;
        self.number(position.record)?;
        self.number(position.line)
    }

    /// A bank: value, flags, expected value, matched.
    pub(crate) fn slot(&mut self, slot: &Slot) -> Option<()> {
        let expected = slot.expected.map_or(0, |_| EXPECTED);
        let matched = slot.matched.map_or(0, |_| MATCHED);
        let broken = if slot.is_broken { BROKEN } else { 0 };
        self.put(slot.value.as_bytes())?;
        self.put(&[expected | matched | broken])?;
        self.put(slot.expected.unwrap_or(Digest::zeros(slot.value.algorithm())).as_bytes())?;
        self.number(slot.matched.unwrap_or(0))
    }

    /// Adds the checksum of all before.
    pub(crate) fn finish(&mut self) -> Option<()> {
        let checksum = checksum(self.out.get(..self.len)?);
        self.put(&checksum)
    }

    pub(crate) fn into_written(self) -> &'o [u8] {
        self.out.get(..self.len).unwrap_or_default()
    }
}

/// Reads from the front of a slice.
pub(crate) struct Reader<'a>(pub(crate) &'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (array, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*array)
    }

    pub(crate) fn bytes(&mut self, size: usize) -> Option<&'a [u8]> {
        self.0.split_off(..size)
    }

    pub(crate) fn flag(&mut self) -> Option<bool> {
        match self.array()? {
            [0] => Some(false),
            [1] => Some(true),
            _ => None,
        }
    }

    pub(crate) fn number(&mut self) -> Option<u64> {
        Some(u64::from_le_bytes(self.array()?))
    }

    /// A bank of a register with `records` records.
    pub(crate) fn slot(&mut self, algorithm: Algorithm, records: u64) -> Option<Slot> {
        let value = Digest::from_bytes(algorithm, self.bytes(algorithm.size())?)?;
        let [flags] = self.array()?;
        let expected = Digest::from_bytes(algorithm, self.bytes(algorithm.size())?)?;
        let matched = self.number()?;
        let (is_expected, is_matched) = (flags & EXPECTED != 0, flags & MATCHED != 0);
        // No other flags, and none that is matched without being expected, or too late.
        let is_wrong = flags > (EXPECTED | MATCHED | BROKEN) || (is_matched && !is_expected);
        if is_wrong || (is_matched && matched > records) {
            return None;
        }
        Some(Slot {
            value,
            expected: is_expected.then_some(expected),
            matched: is_matched.then_some(matched),
            is_broken: flags & BROKEN != 0,
        })
    }

    pub(crate) fn position(&mut self) -> Option<Position> {
        Some(Position { offset: self.number()?, record: self.number()?, line: self.number()? })
    }
}
