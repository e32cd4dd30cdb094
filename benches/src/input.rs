// SPDX-License-Identifier: MIT OR Apache-2.0
//! Logs, made in code.

use core::fmt::Write as _;

use tsm_core::hex::Hex;
use tsm_core::{Algorithm, Digest};

/// A record of exactly 80 bytes, in the usual form of domain, operation, content.
#[must_use]
pub fn record(number: usize) -> String {
    let record = format!("example.org/app load sha256/{number:052x}");
    assert_eq!(record.len(), 80);
    record
}

/// A record log of so many 80-byte records behind one `SYNC`, and the value of one register after it.
#[must_use]
pub fn log(records: usize, bank: Algorithm) -> (Vec<u8>, Digest) {
    let mut value = Digest::zeros(bank);
    let mut log = format!("SYNC {value}");
    let mut extend = |record: &str| value.extend(&bank.hash(record.as_bytes()));
    extend(&log).expect("one bank");
    log.push_str("\n\n");
    for number in 0..records {
        let record = record(number);
        extend(&record).expect("one bank");
        writeln!(log, "{record}").expect("memory");
    }
    (log.into_bytes(), value)
}

/// An IMA list of `ima-ng` entries in both forms, and the value of PCR 10 in the SHA-256 bank.
#[derive(Clone, Debug)]
pub struct Ima {
    /// As text.
    pub ascii: Vec<u8>,
    /// As the kernel's `binary_runtime_measurements`.
    pub binary: Vec<u8>,
    /// What the list leads to.
    pub pcr: Digest,
}

/// A list of so many entries with paths as long as those of a real system.
#[must_use]
pub fn ima(entries: usize) -> Ima {
    let mut ascii = String::new();
    let mut binary = Vec::new();
    let mut pcr = Digest::zeros(Algorithm::Sha256);
    let put = |out: &mut Vec<u8>, parts: &[&[u8]]| {
        let length: usize = parts.iter().map(|part| part.len()).sum();
        out.extend(u32::try_from(length).expect("short").to_le_bytes());
        parts.iter().for_each(|part| out.extend(*part));
    };
    for i in 0..entries {
        let path = format!("/usr/lib/x86_64-linux-gnu/package-{:03}/module-{i:06}.so", i % 997);
        let file = Algorithm::Sha256.hash(path.as_bytes());
        let mut data = Vec::new();
        put(&mut data, &[b"sha256:\0", file.as_bytes()]);
        put(&mut data, &[path.as_bytes(), b"\0"]);
        let digest = Algorithm::Sha1.hash(&data);
        pcr.extend(&Algorithm::Sha256.hash(&data)).expect("one bank");
        binary.extend(10_u32.to_le_bytes());
        binary.extend(digest.as_bytes());
        put(&mut binary, &[b"ima-ng"]);
        put(&mut binary, &[&data]);
        let (digest, file) = (Hex(digest.as_bytes()), Hex(file.as_bytes()));
        writeln!(ascii, "10 {digest} ima-ng sha256:{file} {path}").expect("memory");
    }
    Ima { ascii: ascii.into_bytes(), binary, pcr }
}
