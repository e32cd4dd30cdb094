// SPDX-License-Identifier: MIT OR Apache-2.0
//! A replay's state as bytes: 1 byte version, then fixed fields, little endian.
//!
//! What is expected is not saved: the next evidence brings its own values.

use core::fmt;

use crate::algorithm::Algorithm;
use crate::digest::Digest;
use crate::replay::{Bank, Begins, Phase, Position, Replay};

/// Version of the layout below.
const VERSION: u8 = 1;

impl Replay {
    /// Size in bytes of a saved replay.
    // Version, phase, begins, number of banks; two positions and three counters of eight bytes;
    // for each bank its TPM id, start and value. Four banks of 64 bytes whatever is compiled in:
    // a state may be restored by another build.
    pub const SAVED_SIZE: usize = 4 + 9 * 8 + 4 * (2 + 2 * 64);

    /// The state as bytes.
    ///
    /// Whoever can change them decides what the next replay finds: keep them where you would keep a
    /// trusted value.
    #[must_use]
    pub fn save(&self) -> [u8; Self::SAVED_SIZE] {
        let mut bytes = [0; Self::SAVED_SIZE];
        let mut out = bytes.iter_mut();
        let phase = match self.phase {
            Phase::Start => 0,
            Phase::Synced => 1,
            Phase::Gap => 2,
        };
        let banks = u8::try_from(self.banks.iter().flatten().count()).unwrap_or(u8::MAX);
        put(&mut out, &[VERSION, phase, u8::from(self.begins == Begins::Midway), banks]);
        for position in [self.done, self.chain] {
            for number in [position.record, position.line, position.offset] {
                put(&mut out, &number.to_le_bytes());
            }
        }
        for counter in [self.explained, self.unexplained, self.contradictions] {
            put(&mut out, &counter.to_le_bytes());
        }
        for bank in self.banks.iter().flatten() {
            put(&mut out, &bank.value.algorithm().tpm_id().to_le_bytes());
            put(&mut out, bank.start.as_bytes());
            put(&mut out, bank.value.as_bytes());
        }
        bytes
    }

    /// The replay that was saved, to be fed from its [`position`](Self::position) on.
    ///
    /// Values met before the state was saved are not remembered: a register that was read earlier
    /// than that comes out as a mismatch. Save where the last evidence was complete.
    ///
    /// # Errors
    ///
    /// [`RestoreError`] if the bytes are not what [`save`](Self::save) wrote with the same
    /// algorithms compiled in.
    pub fn restore(bytes: &[u8]) -> Result<Self, RestoreError> {
        if bytes.len() != Self::SAVED_SIZE {
            return Err(RestoreError);
        }
        let mut rest = bytes;
        let [version, phase, begins, banks] = take(&mut rest)?;
        let phase = match phase {
            0 => Phase::Start,
            1 => Phase::Synced,
            2 => Phase::Gap,
            _ => return Err(RestoreError),
        };
        let begins = match begins {
            0 => Begins::AtStart,
            1 => Begins::Midway,
            _ => return Err(RestoreError),
        };
        let (done, chain) = (position(&mut rest)?, position(&mut rest)?);
        let mut number = || take(&mut rest).map(u64::from_le_bytes);
        let (explained, unexplained, contradictions) = (number()?, number()?, number()?);
        let ordered = chain.record <= done.record && chain.offset <= done.offset;
        if version != VERSION || !ordered || chain.line > done.line {
            return Err(RestoreError);
        }
        let mut values = [Digest::zeros(Algorithm::FIRST); Algorithm::MAX];
        let mut starts = values;
        let used = usize::from(banks);
        let pairs = values.get_mut(..used).ok_or(RestoreError)?;
        for (value, start) in pairs.iter_mut().zip(&mut starts) {
            let id = u16::from_le_bytes(take(&mut rest)?);
            let algorithm = Algorithm::from_tpm_id(id).ok_or(RestoreError)?;
            *start = digest(&mut rest, algorithm)?;
            *value = digest(&mut rest, algorithm)?;
        }
        let starts = starts.get(..used).ok_or(RestoreError)?;
        let replay = Self::new(starts).map_err(|_| RestoreError)?;
        if rest.iter().any(|&b| b != 0) {
            return Err(RestoreError);
        }
        let mut banks = replay.banks;
        for (bank, value) in banks.iter_mut().flatten().zip(values) {
            *bank = Bank { value, ..*bank };
        }
        Ok(Self {
            banks,
            done,
            phase,
            begins,
            explained,
            unexplained,
            contradictions,
            chain,
            joint: None,
        })
    }
}

/// The bytes are not a saved replay.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RestoreError;

impl fmt::Display for RestoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a saved replay of this version; replay from the beginning")
    }
}

impl core::error::Error for RestoreError {}

fn put<'b>(out: &mut impl Iterator<Item = &'b mut u8>, bytes: &[u8]) {
    // By the size of `SAVED_SIZE` the target never ends first.
    for (from, to) in bytes.iter().zip(out) {
        *to = *from;
    }
}

fn take<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], RestoreError> {
    let (first, after) = rest.split_first_chunk::<N>().ok_or(RestoreError)?;
    *rest = after;
    Ok(*first)
}

fn digest(rest: &mut &[u8], algorithm: Algorithm) -> Result<Digest, RestoreError> {
    let (first, after) = rest.split_at_checked(algorithm.size()).ok_or(RestoreError)?;
    *rest = after;
    Digest::from_bytes(algorithm, first).ok_or(RestoreError)
}

fn position(rest: &mut &[u8]) -> Result<Position, RestoreError> {
    let mut number = || take(rest).map(u64::from_le_bytes);
    Ok(Position { record: number()?, line: number()?, offset: number()? })
}
