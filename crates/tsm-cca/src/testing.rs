// SPDX-License-Identifier: MIT OR Apache-2.0
//! A small monitor in software, with the oddities of real ones, for the tests of this crate.

use tsm_core::{Algorithm, Digest};

use crate::call::{Call, Registers, Smc};
use crate::config::HashId;
use crate::error::Error;
use crate::function::Function;
use crate::rule::RemRule;
use crate::status::Status;

/// What answers a call in the monitor's place, if it does.
pub(crate) type Hook = Box<dyn FnMut(&mut Call<'_>) -> Option<Registers>>;

pub(crate) struct Monitor {
    /// What the configuration says.
    pub(crate) reported: HashId,
    /// RIM, REM0 to REM3.
    pub(crate) values: [Digest; 5],
    pub(crate) rule: RemRule,
    /// What stands in the registers beyond a measurement, where zeros belong.
    pub(crate) stale: u8,
    /// Lowest and highest revision.
    pub(crate) versions: (u64, u64),
    pub(crate) ipa_width: u64,
    pub(crate) personalization: [u8; 64],
    /// What the next tokens have at the end; the challenge stands before.
    pub(crate) token: Vec<u8>,
    /// Bytes per CONTINUE, over and over.
    pub(crate) chunks: Vec<usize>,
    pub(crate) hook: Option<Hook>,
    /// The registers of all calls.
    pub(crate) calls: Vec<Registers>,
    in_progress: Option<(Vec<u8>, usize)>,
}

impl Monitor {
    pub(crate) fn new(hash: Algorithm) -> Self {
        let mut values = [Digest::zeros(hash); 5];
        values[0] = hash.hash(b"an image");
        Self {
            reported: HashId::of(hash).unwrap(),
            values,
            rule: RemRule::Unpadded,
            stale: 0,
            versions: (0x1_0000, 0x1_0001),
            ipa_width: 48,
            personalization: [0x5A; 64],
            token: b"a token".to_vec(),
            chunks: vec![4096],
            hook: None,
            calls: Vec::new(),
            in_progress: None,
        }
    }

    pub(crate) fn hooked(
        mut self,
        hook: impl FnMut(&mut Call<'_>) -> Option<Registers> + 'static,
    ) -> Self {
        self.hook = Some(Box::new(hook));
        self
    }

    /// How often a function was called.
    pub(crate) fn count(&self, function: Function) -> usize {
        self.calls.iter().filter(|registers| registers.function() == function).count()
    }

    fn answer(&mut self, call: &mut Call<'_>) -> Registers {
        let x = call.registers().x;
        match call.function() {
            Function::VERSION => {
                let (lower, higher) = self.versions;
                let good = (lower..=higher).contains(&x[1]);
                answer(if good { 0 } else { 1 }, &[if good { x[1] } else { higher }, higher])
            }
            Function::FEATURES => answer(0, &[if x[1] == 0 { 5 } else { 0 }]),
            Function::MEASUREMENT_READ => {
                let Some(value) = self.values.get(x[1] as usize) else { return answer(1, &[]) };
                let mut bytes = [self.stale; 64];
                bytes[..value.as_bytes().len()].copy_from_slice(value.as_bytes());
                answer(0, &words(&bytes))
            }
            Function::MEASUREMENT_EXTEND => {
                let data: Vec<u8> = x[3..].iter().flat_map(|word| word.to_le_bytes()).collect();
                let (index, size) = (x[1] as usize, x[2] as usize);
                if !(1..5).contains(&index) || size > 64 {
                    return answer(1, &[]);
                }
                let value = self.rule.extended(&self.values[index], &data[..size]);
                self.values[index] = value.unwrap();
                answer(0, &[])
            }
            Function::ATTESTATION_TOKEN_INIT => {
                let challenge = x[1..9].iter().flat_map(|word| word.to_le_bytes());
                let token = challenge.chain(self.token.iter().copied()).collect::<Vec<_>>();
                let bound = token.len() as u64;
                self.in_progress = Some((token, 0));
                answer(0, &[bound])
            }
            Function::ATTESTATION_TOKEN_CONTINUE => self.resume(call, x[2] as usize, x[3] as usize),
            Function::REALM_CONFIG => {
                let page = call.written().unwrap();
                page[..8].copy_from_slice(&self.ipa_width.to_le_bytes());
                page[8] = self.reported.0;
                page[0x200..0x240].copy_from_slice(&self.personalization);
                answer(0, &[])
            }
            Function::HOST_CALL => {
                let memory = call.written().unwrap();
                memory[8..].fill(0xCC);
                answer(0, &[])
            }
            _ => answer(u64::MAX, &[]),
        }
    }

    fn resume(&mut self, call: &mut Call<'_>, offset: usize, size: usize) -> Registers {
        let Some((token, done)) = &mut self.in_progress else { return answer(2, &[]) };
        let chunk = self.chunks[0];
        self.chunks.rotate_left(1);
        let written = chunk.min(size).min(token.len() - *done);
        let memory = call.written().unwrap();
        memory[offset..][..written].copy_from_slice(&token[*done..][..written]);
        *done += written;
        if *done < token.len() {
            return answer(3, &[written as u64]);
        }
        self.in_progress = None;
        answer(0, &[written as u64])
    }
}

impl Smc for Monitor {
    fn call(&mut self, mut call: Call<'_>) -> Result<Registers, Error> {
        self.calls.push(*call.registers());
        if let Some(after) = self.hook.as_mut().and_then(|hook| hook(&mut call)) {
            return Ok(after);
        }
        Ok(self.answer(&mut call))
    }
}

/// X0, and the registers from X1 on.
pub(crate) fn answer(status: u64, rest: &[u64]) -> Registers {
    let mut registers = Registers::default();
    registers.x[0] = status;
    registers.x[1..][..rest.len()].copy_from_slice(rest);
    registers
}

pub(crate) fn status(status: Status) -> Registers {
    // A status that is no success leaves the other registers without a meaning.
    answer(status.0, &[u64::MAX; 10])
}

fn words(bytes: &[u8; 64]) -> Vec<u64> {
    bytes.as_chunks().0.iter().map(|word| u64::from_le_bytes(*word)).collect()
}
