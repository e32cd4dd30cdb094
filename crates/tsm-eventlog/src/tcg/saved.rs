// SPDX-License-Identifier: MIT OR Apache-2.0
//! The state of a replay as bytes, to go on another day.
//!
//! Layout, version 1, integers little endian:
//!
//! | field | bytes |
//! |---|---|
//! | magic `tsm-tcg` and version | 8 |
//! | platform; numbers of banks and of registers | 1 + 1 + 1 |
//! | whether the last run ended in an error; whether PCR 0's start is settled | 1 + 1 |
//! | start-up locality, `0xFF` for none | 1 |
//! | position: offset, record, line | 24 |
//! | for each bank: TPM algorithm id | 2 |
//! | for each register in use: place, whether its start was set, events | 1 + 1 + 8 |
//! | ... for each bank: value, flags, expected value, matched | size + 1 + size + 8 |
//! | first bytes of the SHA-256 of all before | 8 |

use tsm_core::{Algorithm, Digest};

use super::register::Register;
use super::replay::Replay;
use crate::error::{Error, ErrorKind};
use crate::registers::Platform;
use crate::saved::{CHECKSUM, Reader, Writer, checksum};

const MAGIC: [u8; 8] = *b"tsm-tcg\x01";
const NO_LOCALITY: u8 = 0xFF;
const HEAD: usize = 8 + 3 + 2 + 1 + 24 + 2 * Algorithm::MAX;
const REGISTER: usize = 10 + (2 * Digest::MAX + 9) * Algorithm::MAX;

impl<const REGISTERS: usize> Replay<REGISTERS> {
    /// A size that suffices for every saved state, in bytes: 558 for each register and 54 more.
    #[allow(clippy::arithmetic_side_effects, reason = "evaluated at compile time")]
    pub const SAVED_MAX: usize = HEAD + REGISTER * REGISTERS + CHECKSUM;

    /// Writes the state to the front of `out` and gives the bytes written.
    ///
    /// Start values, counts, expected values and results are in it; the log is not. Store it where
    /// you would store a trusted value: the checksum in it finds accidents, not attackers. Who can
    /// change it can make any log match.
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
    /// more registers than `REGISTERS`.
    pub fn restore(saved: &[u8]) -> Result<Self, Error> {
        Self::read(saved).ok_or(Error::call(ErrorKind::SavedState))
    }

    fn write(&self, out: &mut Writer<'_>) -> Option<()> {
        let platform = Platform::ALL.iter().position(|&other| other == self.platform())?;
        out.put(&MAGIC)?;
        out.put(&[u8::try_from(platform).ok()?])?;
        out.put(&[u8::try_from(self.banks().count()).ok()?])?;
        out.put(&[u8::try_from(self.registers().count()).ok()?])?;
        out.put(&[u8::from(self.is_cut)])?;
        out.put(&[u8::from(self.rules.is_settled)])?;
        out.put(&[self.rules.locality.unwrap_or(NO_LOCALITY)])?;
        out.position(self.position)?;
        for bank in self.banks() {
            out.put(&bank.tpm_id().to_le_bytes())?;
        }
        for (place, register) in self.registers.iter().enumerate() {
            let Some(register) = register.as_ref().filter(|register| register.is_used()) else {
                continue;
            };
            out.put(&[u8::try_from(place).ok()?, u8::from(register.is_set)])?;
            out.number(register.events)?;
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
        let [platform, banks, registers] = input.array()?;
        let is_cut = input.flag()?;
        let is_settled = input.flag()?;
        let [locality] = input.array()?;
        let position = input.position()?;
        let mut all = [*Algorithm::ALL.first()?; Algorithm::MAX];
        let all = all.get_mut(..usize::from(banks))?;
        for bank in &mut *all {
            *bank = Algorithm::from_tpm_id(u16::from_le_bytes(input.array()?))?;
        }
        let platform = *Platform::ALL.get(usize::from(platform))?;
        let mut replay = Self::new(platform, all).ok()?;
        replay.position = position;
        replay.is_cut = is_cut;
        replay.rules.is_settled = is_settled;
        replay.rules.locality = match locality {
            NO_LOCALITY => None,
            0 | 3 | 4 => Some(locality),
            _ => return None,
        };
        // PCR 0 may have its start value and yet no use.
        if let Some(locality) = replay.rules.locality {
            let first = replay.at_place(0)?;
            first.start_with(locality);
        }
        let mut next = 0;
        for _ in 0..registers {
            let [place] = input.array()?;
            let register = replay.at_place(usize::from(place))?;
            input.tcg_register(register)?;
            if place < next || !register.is_used() {
                return None;
            }
            next = place.checked_add(1)?;
        }
        input.0.is_empty().then_some(replay)
    }
}

impl Reader<'_> {
    fn tcg_register(&mut self, register: &mut Register) -> Option<()> {
        register.is_set = self.flag()?;
        register.events = self.number()?;
        for slot in register.slots.iter_mut() {
            *slot = self.slot(slot.value.algorithm(), register.events)?;
            if slot.is_broken && register.events == 0 {
                return None;
            }
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registers::{PcrIndex, RtmrIndex};
    use crate::tcg::Log;

    fn replay() -> Replay<5> {
        let banks = [Algorithm::Sha256, Algorithm::Sha384];
        let mut replay = Replay::new(Platform::Tdx, &banks).unwrap();
        let rtmr = |number| RtmrIndex::new(number).unwrap();
        replay.expect(rtmr(0), Algorithm::Sha256.hash(b"x")).unwrap();
        replay.expect(rtmr(3), Digest::zeros(Algorithm::Sha384)).unwrap();
        replay.start(rtmr(1), Algorithm::Sha256.hash(b"start")).unwrap();
        // An event for RTMR2 with a SHA-1 digest only breaks both of its banks.
        let event = [&[3, 0, 0, 0, 5, 0, 0, 0][..], &[7; 20], &[0; 4], b"cut"].concat();
        assert!(replay.run(Log::sha1(&event)).error().is_some());
        assert!(replay.register(rtmr(2)).unwrap().is_broken(Algorithm::Sha256));
        replay
    }

    const MAX: usize = Replay::<5>::SAVED_MAX;

    #[test]
    fn there_and_back() {
        let replay = replay();
        let mut out = [0; MAX];
        let saved = replay.save(&mut out).unwrap();
        assert_eq!(Replay::restore(saved), Ok(replay.clone()));
        let larger = Replay::<6>::restore(saved).unwrap();
        assert!(larger.registers().eq(replay.registers()));
        assert_eq!(Replay::<4>::restore(saved).unwrap_err(), Error::call(ErrorKind::SavedState));

        let mut full = <Replay>::new(Platform::Tpm, Algorithm::ALL).unwrap();
        for number in 0..24 {
            full.expect(PcrIndex::new(number).unwrap(), Algorithm::Sha512.hash(&[0])).unwrap();
        }
        let mut out = [0; <Replay>::SAVED_MAX];
        assert_eq!(<Replay>::restore(full.save(&mut out).unwrap()), Ok(full));
    }

    // T-30
    #[test]
    fn damage_is_found() {
        let mut out = [0; MAX];
        let saved = replay().save(&mut out).unwrap().to_vec();
        let error = Error::call(ErrorKind::SavedState);
        for index in 0..saved.len() {
            let mut bad = saved.clone();
            bad[index] ^= 1;
            assert_eq!(Replay::<5>::restore(&bad).unwrap_err(), error);
            assert_eq!(Replay::<5>::restore(&saved[..index]).unwrap_err(), error);
            assert!(replay().save(&mut vec![0; index]).is_err());
        }
    }

    /// A right checksum over nonsense, byte by byte: an error or a state that is saved as it is.
    #[test]
    fn nonsense_is_found() {
        let mut out = [0; MAX];
        let saved = replay().save(&mut out).unwrap().to_vec();
        let (content, _) = saved.split_last_chunk::<CHECKSUM>().unwrap();
        for index in 0..content.len() {
            for value in [0, 1, 2, 3, 4, 5, 8, 0x7F, 0x80, 0xFF] {
                let mut bad = content.to_vec();
                bad[index] = value;
                bad.extend(checksum(&bad));
                if let Ok(replay) = Replay::<5>::restore(&bad) {
                    let mut again = [0; MAX];
                    let again = Replay::<5>::restore(replay.save(&mut again).unwrap());
                    assert_eq!(again, Ok(replay));
                }
            }
        }
    }
}
