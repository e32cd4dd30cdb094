// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the monitor does on SMC: one function for each call, on registers and the realm's memory.
//!
//! Where two things are wrong with a call, the specification leaves the choice of the status to the
//! monitor; this one looks at the registers first.

use tsm_cca::call::Registers;
use tsm_cca::{Function, GuestPhysical, HashId, MeasurementIndex, Status, Version};
use tsm_core::Algorithm;

use super::rec::Rec;
use super::{Attester, Fault, GuestMemory, Monitor, Quirks, Upper};

/// Why a call ends early.
enum Stop {
    Status(Status),
    Fault(Fault),
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

const INPUT: Stop = Stop::Status(Status::ERROR_INPUT);

type Leave = Result<Status, Stop>;

/// `RSI_IPA_STATE_SET` (B5.3).
const IPA_STATE_SET: Function = Function(0xC400_0197);
/// `RSI_IPA_STATE_GET`.
const IPA_STATE_GET: Function = Function(0xC400_0198);

const GRANULE: u64 = 4096;

impl<A: Attester> Monitor<A> {
    /// Does what an RMM does on SMC with these registers and this memory.
    ///
    /// X1 to X3 are zero afterwards where a call gives nothing there; X4 and above keep their values
    /// (SMCCC 1.1; TF-RMM `runtime/core/exit.c`).
    ///
    /// # Errors
    ///
    /// [`Fault`] if an operand is in memory that is not there; nothing has changed then. What the
    /// monitor has to say itself is the status in X0.
    pub fn execute(
        &mut self,
        registers: &mut Registers,
        memory: &mut impl GuestMemory,
    ) -> Result<(), Fault> {
        self.calls = self.calls.saturating_add(1);
        let mut after = *registers;
        let [_, x1, x2, x3, ..] = &mut after.x;
        (*x1, *x2, *x3) = (0, 0, 0);
        let status = match self.answer(registers, &mut after, memory) {
            Ok(status) | Err(Stop::Status(status)) => status,
            Err(Stop::Fault(fault)) => return Err(fault),
        };
        let [x0, ..] = &mut after.x;
        *x0 = status.0;
        *registers = after;
        Ok(())
    }

    fn answer(
        &mut self,
        before: &Registers,
        after: &mut Registers,
        memory: &mut impl GuestMemory,
    ) -> Leave {
        // It is in W0 (SMCCC); the upper half of X0 plays no part.
        match before.function() {
            Function::VERSION => Ok(version(&self.quirks, before, after)),
            // All feature registers are zero.
            Function::FEATURES => Ok(Status::SUCCESS),
            Function::MEASUREMENT_READ => self.read(before, after),
            Function::MEASUREMENT_EXTEND => self.extend(before),
            Function::ATTESTATION_TOKEN_INIT => self.begin(before, after),
            Function::ATTESTATION_TOKEN_CONTINUE => self.resume(before, after, memory),
            Function::REALM_CONFIG => self.configuration(before, memory),
            IPA_STATE_SET => self.set_state(before, after),
            IPA_STATE_GET => self.state(before, after),
            Function::HOST_CALL => self.host_call(before, memory),
            _ => Ok(Status::NOT_SUPPORTED),
        }
    }

    fn read(&self, before: &Registers, after: &mut Registers) -> Leave {
        let [_, index, ..] = before.x;
        let value = self.realm.value(MeasurementIndex::new(index).ok_or(INPUT)?);
        let mut bytes = match self.quirks.upper {
            Upper::Filled(byte) => [byte; 64],
            Upper::Callers => {
                let [_, _, _, _, kept @ .., _, _, _] = before.x;
                let mut bytes = [0; 64];
                for (to, from) in bytes.iter_mut().skip(24).zip(kept.iter().flat_map(le_bytes)) {
                    *to = from;
                }
                bytes
            }
            Upper::Zeros => [0; 64],
        };
        for (to, from) in bytes.iter_mut().zip(value.as_bytes()) {
            *to = *from;
        }
        let [_, words @ .., _, _] = &mut after.x;
        for (word, bytes) in words.iter_mut().zip(bytes.as_chunks().0) {
            *word = u64::from_le_bytes(*bytes);
        }
        Ok(Status::SUCCESS)
    }

    /// No size up to 64 is refused, 0 and those of other hashes among them.
    fn extend(&mut self, before: &Registers) -> Leave {
        let [_, index, size, words @ ..] = before.x;
        let index = MeasurementIndex::new(index).filter(|index| index.rem().is_some());
        let index = index.ok_or(INPUT)?;
        let data = bytes_of(&words);
        let size = usize::try_from(size).map_err(|_| INPUT)?;
        self.realm.extend(index, data.get(..size).ok_or(INPUT)?, self.quirks.rule);
        Ok(Status::SUCCESS)
    }

    /// An operation that was in progress is over in any case.
    fn begin(&mut self, before: &Registers, after: &mut Registers) -> Leave {
        let [_, words @ .., _, _] = before.x;
        let challenge = bytes_of(&words);
        let rec = self.recs.get_mut(self.current).ok_or(Stop::Status(Status::ERROR_UNKNOWN))?;
        let room = rec.begin();
        if let Some(status) = self.quirks.init_fails {
            return Ok(status);
        }
        let size = self.attester.token(&self.realm, &challenge, room);
        let size = size.ok_or(Stop::Status(Status::ERROR_UNKNOWN))?;
        rec.made(size, self.quirks.idle);
        let [_, x1, ..] = &mut after.x;
        // In whole granules, as TF-RMM tells it.
        let bound =
            u64::try_from(size).ok().and_then(|size| size.checked_next_multiple_of(GRANULE));
        *x1 = bound.unwrap_or(u64::MAX);
        Ok(Status::SUCCESS)
    }

    fn resume(
        &mut self,
        before: &Registers,
        after: &mut Registers,
        memory: &mut impl GuestMemory,
    ) -> Leave {
        let [_, address, offset, size, ..] = before.x;
        let granule = self.buffer(address, GRANULE)?;
        let end = offset.checked_add(size).filter(|&end| offset < GRANULE && end <= GRANULE);
        end.ok_or(INPUT)?;
        let quirks = self.quirks;
        let state = Stop::Status(Status::ERROR_STATE);
        let Some(rec) = self.recs.get_mut(self.current) else { return Err(state) };
        let rest = rec.rest().ok_or(state)?;
        if let Some(status) = quirks.continue_fails {
            rec.end();
            return Ok(status);
        }
        let room = usize::try_from(size).unwrap_or(usize::MAX);
        if room == 0 && quirks.empty_is_success {
            return Ok(Status::SUCCESS);
        }
        if rec.idle > 0 {
            rec.idle = rec.idle.saturating_sub(1);
            return Ok(Status::INCOMPLETE);
        }
        let count = rest.len().min(room).min(quirks.chunk);
        let piece = rest.get(..count).unwrap_or_default();
        memory.write(GuestPhysical(granule.0.saturating_add(offset)), piece)?;
        let [_, written, ..] = &mut after.x;
        *written = u64::try_from(count).unwrap_or(u64::MAX);
        if quirks.overclaims {
            *written = size.saturating_add(1);
        }
        Ok(sent(rec, count))
    }

    /// The fields of 1.0 (B5.4, `RsiRealmConfig`).
    fn configuration(&self, before: &Registers, memory: &mut impl GuestMemory) -> Leave {
        let [_, address, ..] = before.x;
        let granule = self.buffer(address, GRANULE)?;
        let hash = match self.realm.hash() {
            Algorithm::Sha384 if self.quirks.misreports_sha384 => Algorithm::Sha512,
            hash => hash,
        };
        let at = |offset| GuestPhysical(granule.0.saturating_add(offset));
        let HashId(hash) = HashId::of(hash).ok_or(INPUT)?;
        memory.write(at(0), &u64::from(self.realm.ipa_width()).to_le_bytes())?;
        memory.write(at(8), &[hash])?;
        if !self.quirks.hides_personalization {
            memory.write(at(0x200), self.realm.personalization())?;
        }
        Ok(Status::SUCCESS)
    }

    /// X1 is the new base, X2 whether the host rejected.
    fn set_state(&self, before: &Registers, after: &mut Registers) -> Leave {
        const EMPTY: u64 = 0;
        let [_, base, top, state, ..] = before.x;
        self.range(base, top)?;
        let [_, new_base, rejected, ..] = &mut after.x;
        (*new_base, *rejected) = match state {
            EMPTY => (base, 1),
            RAM => (top, 0),
            _ => return Err(INPUT),
        };
        Ok(Status::SUCCESS)
    }

    /// X1 is the end of the range that has one state, X2 the state.
    fn state(&self, before: &Registers, after: &mut Registers) -> Leave {
        let [_, base, top, ..] = before.x;
        self.range(base, top)?;
        let [_, end, state, ..] = &mut after.x;
        (*end, *state) = (top, RAM);
        Ok(Status::SUCCESS)
    }

    fn host_call(&self, before: &Registers, memory: &mut impl GuestMemory) -> Leave {
        let [_, address, ..] = before.x;
        let structure = self.buffer(address, 256)?;
        // Behind the immediate.
        memory.write(GuestPhysical(structure.0.saturating_add(8)), &u64::MAX.to_le_bytes())?;
        Ok(Status::SUCCESS)
    }

    /// The address of a buffer: aligned and protected.
    fn buffer(&self, address: u64, alignment: u64) -> Result<GuestPhysical, Stop> {
        let address = GuestPhysical(address);
        let protected = self.realm.shared_bit().is_some_and(|bit| !address.is_shared(bit));
        if protected && address.is_aligned(alignment) { Ok(address) } else { Err(INPUT) }
    }

    /// Granules of protected memory, at least one.
    fn range(&self, base: u64, top: u64) -> Result<(), Stop> {
        self.buffer(base, GRANULE)?;
        self.buffer(top.checked_sub(GRANULE).ok_or(INPUT)?, GRANULE)?;
        if base < top { Ok(()) } else { Err(INPUT) }
    }
}

const RAM: u64 = 1;

/// X1 and X2 are what there is: the revision that was asked for, or the next below it, and the
/// highest (B5.3.10).
fn version(quirks: &Quirks, before: &Registers, after: &mut Registers) -> Status {
    let [_, requested, ..] = before.x;
    let requested = Version(requested);
    let highest = quirks.revisions.last().copied().unwrap_or(Version(0));
    let below = quirks.revisions.iter().rfind(|&&revision| revision < requested);
    let [_, lower, higher, ..] = &mut after.x;
    *higher = highest.0;
    if quirks.revisions.contains(&requested) {
        *lower = requested.0;
        return Status::SUCCESS;
    }
    *lower = below.filter(|_| !quirks.offers_highest).unwrap_or(&highest).0;
    Status::ERROR_INPUT
}

fn sent(rec: &mut Rec, count: usize) -> Status {
    if rec.send(count) { Status::SUCCESS } else { Status::INCOMPLETE }
}

fn le_bytes(word: &u64) -> [u8; 8] {
    word.to_le_bytes()
}

/// Registers as memory: byte 0 is the lowest of the first.
fn bytes_of(words: &[u64; 8]) -> [u8; 64] {
    let mut bytes = [0; 64];
    for (bytes, word) in bytes.as_chunks_mut().0.iter_mut().zip(words) {
        *bytes = word.to_le_bytes();
    }
    bytes
}
