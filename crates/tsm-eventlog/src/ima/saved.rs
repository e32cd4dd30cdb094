// SPDX-License-Identifier: MIT OR Apache-2.0
//! The state of a replay as bytes, to go on another day.
//!
//! Layout, version 1, integers little endian:
//!
//! | field | bytes |
//! |---|---|
//! | magic `tsm-ima` and version | 8 |
//! | numbers of banks and of registers | 1 + 1 |
//! | whether the last run ended in an error | 1 |
//! | position and covered position: offset, record, line each | 24 + 1 + 24 |
//! | for each bank: TPM algorithm id, rule | 2 + 1 |
//! | for each register: PCR, entries, violations, boot aggregates | 4 + 3 x 8 |
//! | ... for each bank: value, flags, expected value, matched | size + 1 + size + 8 |
//! | first bytes of the SHA-256 of all before | 8 |

use tsm_core::{Algorithm, Digest};

use super::MAX_PCR;
use super::register::{Bank, BankRule, Register};
use super::replay::Replay;
use crate::error::{Error, ErrorKind};
use crate::saved::{CHECKSUM, Reader, Writer, checksum};

const MAGIC: [u8; 8] = *b"tsm-ima\x01";
const HEAD: usize = 8 + 3 + 24 + 25 + 3 * Algorithm::MAX;
const REGISTER: usize = 28 + (2 * Digest::MAX + 9) * Algorithm::MAX;

impl<const PCRS: usize> Replay<PCRS> {
    /// A size that suffices for every saved state, in bytes: 576 for each PCR and 80 more.
    #[allow(clippy::arithmetic_side_effects, reason = "evaluated at compile time")]
    pub const SAVED_MAX: usize = HEAD + REGISTER * PCRS + CHECKSUM;

    /// Writes the state to the front of `out` and gives the bytes written.
    ///
    /// Start values, counts, expected values and results are in it; the list is not. Store it where
    /// you would store a trusted value: the checksum in it finds accidents, not attackers. Who can
    /// change it can make any list match.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::BufferTooSmall`]; [`SAVED_MAX`](Self::SAVED_MAX) bytes are always enough.
    pub fn save<'o>(&self, out: &'o mut [u8]) -> Result<&'o [u8], Error> {
        let mut writer = Writer { out, len: 0 };
        self.write(&mut writer).ok_or(Error::call(ErrorKind::BufferTooSmall))?;
        Ok(writer.into_written())
    }

    /// The replay that was saved. `saved` is exactly what [`save`](Self::save) gave.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::SavedState`] if it is damaged, of another version, contradicts itself or has
    /// more registers than `PCRS`.
    pub fn restore(saved: &[u8]) -> Result<Self, Error> {
        Self::read(saved).ok_or(Error::call(ErrorKind::SavedState))
    }

    fn write(&self, out: &mut Writer<'_>) -> Option<()> {
        out.put(&MAGIC)?;
        out.put(&[u8::try_from(self.banks().count()).ok()?])?;
        out.put(&[u8::try_from(self.registers().count()).ok()?])?;
        out.put(&[u8::from(self.registers().any(|register| register.is_cut))])?;
        out.position(self.position)?;
        out.put(&[u8::from(self.covered.is_some())])?;
        out.position(self.covered.unwrap_or_default())?;
        for bank in self.banks() {
            out.put(&bank.algorithm.tpm_id().to_le_bytes())?;
            out.put(&[match bank.rule {
                BankRule::Hashed => 0,
                BankRule::PaddedSha1 => 1,
                BankRule::PaddedSha1Legacy => 2,
            }])?;
        }
        for register in self.registers() {
            out.put(&register.pcr.to_le_bytes())?;
            out.number(register.entries)?;
            out.number(register.violations)?;
            out.number(register.boot_aggregates)?;
            for slot in register.slots.iter() {
                out.slot(slot)?;
            }
        }
        out.finish()
    }

    fn read(saved: &[u8]) -> Option<Self> {
        let (rest, sum) = saved.split_last_chunk::<CHECKSUM>()?;
        let mut input = Reader(rest);
        if *sum != checksum(rest) || input.array()? != MAGIC {
            return None;
        }
        let [banks, registers] = input.array()?;
        let is_cut = input.flag()?;
        let position = input.position()?;
        let is_covered = input.flag()?;
        let covered = input.position()?;
        let covered = is_covered.then_some(covered);

        let mut all = [None; Algorithm::MAX];
        for bank in all.get_mut(..usize::from(banks))? {
            let algorithm = Algorithm::from_tpm_id(u16::from_le_bytes(input.array()?))?;
            let rule = match input.array()? {
                [0] => BankRule::Hashed,
                [1] => BankRule::PaddedSha1,
                [2] => BankRule::PaddedSha1Legacy,
                _ => return None,
            };
            *bank = Some(Bank { algorithm, rule });
        }
        let mut given = all.into_iter().flatten();
        let first = given.next()?;
        let mut list = [first; Algorithm::MAX];
        list.iter_mut().skip(1).zip(given).for_each(|(to, bank)| *to = bank);
        let mut replay = Self::new(list.get(..usize::from(banks))?).ok()?;
        replay.position = position;
        replay.covered = covered;

        let mut entries = 0_u64;
        for index in 0..usize::from(registers) {
            let register = Register { is_cut, ..input.register(&replay.banks)? };
            let is_new = replay.register(register.pcr).is_none();
            entries = entries.checked_add(register.entries)?;
            *replay.registers.get_mut(index).filter(|_| is_new)? = Some(register);
        }
        let is_behind = covered.is_none_or(|covered| {
            covered.record <= position.record && covered.offset <= position.offset
        });
        (input.0.is_empty() && entries == position.record && is_behind).then_some(replay)
    }
}

impl Reader<'_> {
    fn register(&mut self, banks: &[Option<Bank>; Algorithm::MAX]) -> Option<Register> {
        let pcr = u32::from_le_bytes(self.array()?);
        let mut register = Register::new(pcr, banks);
        register.entries = self.number()?;
        register.violations = self.number()?;
        register.boot_aggregates = self.number()?;
        let named = register.violations.checked_add(register.boot_aggregates)?;
        for slot in register.slots.iter_mut() {
            *slot = self.slot(slot.value.algorithm(), register.entries)?;
            if slot.is_broken {
                return None; // a list has all digests
            }
        }
        (pcr <= MAX_PCR && named <= register.entries).then_some(register)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replay() -> Replay<2> {
        let banks = [
            Bank::hashed(Algorithm::Sha256),
            Bank::with_rule(Algorithm::Sha384, BankRule::PaddedSha1),
        ];
        let mut replay = Replay::new(&banks).unwrap();
        replay.expect(10, Algorithm::Sha256.hash(b"x")).unwrap();
        replay.expect(11, Digest::zeros(Algorithm::Sha384)).unwrap();
        replay.start(11, Algorithm::Sha256.hash(b"start")).unwrap();
        replay
    }

    #[test]
    fn there_and_back() {
        let replay = replay();
        let mut out = [0; Replay::<2>::SAVED_MAX];
        let saved = replay.save(&mut out).unwrap();
        assert_eq!(Replay::restore(saved), Ok(replay.clone()));
        let larger = Replay::<4>::restore(saved).unwrap();
        assert!(larger.registers().eq(replay.registers()));
        let error = Error::call(ErrorKind::SavedState);
        assert_eq!(Replay::<1>::restore(saved).unwrap_err(), error);
    }

    // T-30
    #[test]
    fn damage_is_found() {
        let mut out = [0; Replay::<2>::SAVED_MAX];
        let saved = replay().save(&mut out).unwrap().to_vec();
        let error = Error::call(ErrorKind::SavedState);
        for index in 0..saved.len() {
            let mut bad = saved.clone();
            bad[index] ^= 1;
            assert_eq!(Replay::<2>::restore(&bad).unwrap_err(), error);
            assert_eq!(Replay::<2>::restore(&saved[..index]).unwrap_err(), error);
        }
    }

    /// A right checksum over nonsense, byte by byte: an error or a state that makes sense.
    #[test]
    fn nonsense_is_found() {
        let mut out = [0; Replay::<2>::SAVED_MAX];
        let saved = replay().save(&mut out).unwrap().to_vec();
        let (content, _) = saved.split_last_chunk::<CHECKSUM>().unwrap();
        for index in 0..content.len() {
            for value in [0, 1, 2, 3, 4, 0x7F, 0x80, 0xFF] {
                let mut bad = content.to_vec();
                bad[index] = value;
                bad.extend(checksum(&bad));
                if let Ok(replay) = Replay::<2>::restore(&bad) {
                    let total: u64 = replay.registers().map(Register::entries).sum();
                    assert_eq!(total, replay.position().record);
                }
            }
        }
    }

    #[test]
    fn small_buffers_are_refused() {
        let mut out = [0; Replay::<2>::SAVED_MAX];
        let length = replay().save(&mut out).unwrap().len();
        for size in 0..length {
            let error = replay().save(&mut out[..size]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::BufferTooSmall);
        }
    }
}
