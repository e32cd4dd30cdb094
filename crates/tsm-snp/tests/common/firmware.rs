// SPDX-License-Identifier: MIT OR Apache-2.0
//! A few lines of firmware: it answers guest messages as the ABI says.

use aes_gcm::aead::{AeadInOut, inout::InOutBuf};
use aes_gcm::{Aes256Gcm, KeyInit};
use tsm_snp::FirmwareStatus;

pub struct Firmware {
    pub keys: [[u8; 32]; 4],
    /// The number of the last message of each key.
    pub counters: [u64; 4],
    pub measurement: [u8; 48],
    pub debug: bool,
}

impl Firmware {
    pub fn new() -> Self {
        let keys = core::array::from_fn(|n| {
            core::array::from_fn(|i| (i as u8).wrapping_mul(7) ^ ((n as u8 + 1) * 0x31))
        });
        Self { keys, counters: [0; 4], measurement: [0xA5; 48], debug: false }
    }

    pub fn cipher(&self, key: usize) -> Aes256Gcm {
        Aes256Gcm::new((&self.keys[key]).into())
    }

    /// Opens a request page: key, sequence, type, version and plaintext.
    pub fn open(&self, page: &[u8]) -> Option<(usize, u64, u8, u8, Vec<u8>)> {
        let sequence = u64::from_le_bytes(page[0x20..0x28].try_into().unwrap());
        let key = usize::from(page[0x3C]);
        let size = usize::from(u16::from_le_bytes(page[0x36..0x38].try_into().unwrap()));
        let mut payload = page.get(0x60..0x60 + size)?.to_vec();
        let tag: [u8; 16] = page[..16].try_into().unwrap();
        let nonce = nonce(sequence);
        let cipher = Aes256Gcm::new(self.keys.get(key)?.into());
        let buffer = InOutBuf::from(payload.as_mut_slice());
        let opened = cipher.decrypt_inout_detached(
            (&nonce).into(),
            &page[0x30..0x60],
            buffer,
            (&tag).into(),
        );
        opened.ok()?;
        Some((key, sequence, page[0x34], page[0x35], payload))
    }

    /// A sealed message.
    pub fn seal(&self, key: usize, sequence: u64, kind: u8, payload: &[u8]) -> Vec<u8> {
        self.seal_version(1, key, sequence, kind, payload)
    }

    /// The same with another version of the message.
    pub fn seal_version(
        &self,
        version: u8,
        key: usize,
        sequence: u64,
        kind: u8,
        payload: &[u8],
    ) -> Vec<u8> {
        let mut page = vec![0; 4096];
        page[0x20..0x28].copy_from_slice(&sequence.to_le_bytes());
        page[0x30..0x36].copy_from_slice(&[1, 1, 0x60, 0, kind, version]);
        page[0x36..0x38].copy_from_slice(&(payload.len() as u16).to_le_bytes());
        page[0x3C] = key as u8;
        let (header, rest) = page.split_at_mut(0x60);
        rest[..payload.len()].copy_from_slice(payload);
        let buffer = InOutBuf::from(&mut rest[..payload.len()]);
        let nonce = nonce(sequence);
        let cipher = self.cipher(key);
        let tag = cipher.encrypt_inout_detached((&nonce).into(), &header[0x30..], buffer).unwrap();
        header[..16].copy_from_slice(&tag);
        page
    }

    /// Answers a request page with a response page.
    pub fn answer(&mut self, page: &[u8]) -> Result<Vec<u8>, FirmwareStatus> {
        let Some((key, sequence, kind, version, payload)) = self.open(page) else {
            return Err(FirmwareStatus::INVALID_PARAMETER);
        };
        if sequence != self.counters[key] + 1 {
            return Err(FirmwareStatus::AEAD_OVERFLOW);
        }
        self.counters[key] += 2;
        let answer = match (kind, version, payload.len()) {
            (5, 1, 96) => self.report(key, &payload),
            (3, 1, 32) | (3, 2, 40) => {
                let mut answer = vec![0; 64];
                answer[32..].copy_from_slice(&[0x5E; 32]);
                answer
            }
            (17, 1, 128) => {
                let mut answer = vec![0; 128];
                (answer[8], answer[0x10], answer[0x18]) = (1, 2, 3);
                answer
            }
            _ => return Err(FirmwareStatus::INVALID_PARAMETER),
        };
        Ok(self.seal(key, sequence + 1, kind + 1, &answer))
    }

    fn report(&self, key: usize, request: &[u8]) -> Vec<u8> {
        let mut answer = vec![0; 0x4C0];
        let vmpl = u32::from_le_bytes(request[0x40..0x44].try_into().unwrap());
        if vmpl > 3 || (vmpl as usize) < key {
            answer[0] = 0x16;
            return answer;
        }
        answer[4..8].copy_from_slice(&0x4A0_u32.to_le_bytes());
        let report = &mut answer[0x20..];
        report[0] = 3;
        report[0x0A] = if self.debug { 0x0B } else { 3 };
        report[0x30..0x34].copy_from_slice(&request[0x40..0x44]);
        report[0x34] = 1;
        report[0x50..0x90].copy_from_slice(&request[..0x40]);
        report[0x90..0xC0].copy_from_slice(&self.measurement);
        report[0x140..0x160].fill(0x1D);
        report[0x160..0x180].fill(0xFF);
        report[0x188..0x18B].copy_from_slice(&[0x19, 1, 1]);
        report[0x1A0..0x1E0].fill(0xC1);
        answer
    }
}

fn nonce(sequence: u64) -> [u8; 12] {
    let mut nonce = [0; 12];
    nonce[..8].copy_from_slice(&sequence.to_le_bytes());
    nonce
}
