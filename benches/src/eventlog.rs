// SPDX-License-Identifier: MIT OR Apache-2.0
//! Logs of firmware and agents, what is done with them, and the hashing that this asks for alone.

use core::hint::black_box;
use std::path::Path;

use tsm_core::{Algorithm, Digest};
use tsm_eventlog::registers::Platform;
use tsm_eventlog::{aael, cel, dstack, tcg};

/// A firmware log that is committed, by the name of its boot under `tests/data/generated`.
///
/// # Panics
///
/// There is none.
#[must_use]
pub fn committed(boot: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/data/generated");
    std::fs::read(folder.join(boot).join("binary_bios_measurements")).expect("a committed log")
}

/// Boots whose logs are measured: a kernel started directly, and one by shim and GRUB with
/// Secure Boot.
pub const BOOTS: [&str; 2] = ["ovmf2025-direct-73-4banks", "ovmf2025-secureboot-shim-grub-61"];

/// A crypto-agile log of so many events for PCR 0 to 7, each with 100 bytes of data.
#[must_use]
pub fn tcg2(events: usize, banks: &[Algorithm]) -> Vec<u8> {
    let number = |number: usize| u32::try_from(number).expect("small").to_le_bytes();
    let mut spec_id = b"Spec ID Event03\0\0\0\0\0\0\x02\0\x02".to_vec();
    spec_id.extend(number(banks.len()));
    for bank in banks {
        spec_id.extend(bank.tpm_id().to_le_bytes());
        spec_id.extend(u16::try_from(bank.size()).expect("small").to_le_bytes());
    }
    spec_id.push(0);
    let mut log = [number(0), number(3)].concat();
    log.extend([0; 20]);
    log.extend(number(spec_id.len()));
    log.extend(spec_id);
    for event in 0..events {
        let data = format!("{event:0100}");
        log.extend(number(event % 8));
        log.extend(number(13));
        log.extend(number(banks.len()));
        for bank in banks {
            log.extend(bank.tpm_id().to_le_bytes());
            log.extend(bank.hash(data.as_bytes()).as_bytes());
        }
        log.extend(number(data.len()));
        log.extend(data.as_bytes());
    }
    log
}

fn banks(log: &tcg::Log<'_>) -> Vec<Algorithm> {
    log.algorithms().known().collect()
}

/// Reads all events and decodes nothing; gives how many there are.
#[must_use]
pub fn walk(log: &[u8]) -> usize {
    let mut events = 0;
    for event in tcg::Log::open(black_box(log)).expect("a log") {
        black_box(event.expect("an event"));
        events += 1;
    }
    events
}

/// Replays a firmware log in all its banks.
pub fn replay(log: &[u8]) {
    let log = tcg::Log::open(black_box(log)).expect("a log");
    let mut replay = <tcg::Replay>::new(Platform::Tpm, &banks(&log)).expect("banks");
    assert!(replay.run(log).error().is_none());
    black_box(replay);
}

/// The extensions of a firmware log, prepared: digests, and the value that each is for.
pub struct Extends {
    /// Of each register and bank in turn.
    values: Vec<Digest>,
    extends: Vec<(usize, Digest)>,
}

impl Extends {
    /// Those of a log.
    #[must_use]
    pub fn of(log: &[u8]) -> Self {
        let log = tcg::Log::open(log).expect("a log");
        let banks = banks(&log);
        let zeros = banks.iter().map(|&bank| Digest::zeros(bank));
        let values = zeros.cycle().take(24 * banks.len()).collect();
        let mut extends = Vec::new();
        for event in log.map(|event| event.expect("an event")) {
            for (place, &bank) in banks.iter().enumerate().filter(|_| !event.is_no_action()) {
                let value = event.index() as usize * banks.len() + place;
                extends.push((value, event.digest(bank).expect("all banks")));
            }
        }
        Self { values, extends }
    }

    /// Their banks.
    pub fn banks(&self) -> impl Iterator<Item = Algorithm> {
        let first = self.values.first().map(Digest::algorithm);
        let others = self.values.iter().skip(1).map(Digest::algorithm);
        first.into_iter().chain(others.take_while(move |bank| Some(*bank) != first))
    }

    /// Does them.
    pub fn run(&self) {
        let mut values = self.values.clone();
        for (value, digest) in black_box(&self.extends) {
            values[*value].extend(digest).expect("its bank");
        }
        black_box(values);
    }
}

/// A firmware log as a canonical event log.
#[must_use]
pub fn cel(log: &[u8], encoding: cel::Encoding) -> Vec<u8> {
    let mut buffer = vec![0; 4 * log.len() + 1000];
    let mut writer = cel::Writer::new(&mut buffer, encoding).expect("room");
    for (event, recnum) in tcg::Log::open(log).expect("a log").zip(0..) {
        let event = event.expect("an event");
        let digests: Vec<Digest> = event.digests().known().collect();
        let record = cel::Record {
            recnum,
            register: cel::Register::Pcr(event.index()),
            digests: digests[..].into(),
            content: cel::Content::PcClientStd {
                event_type: event.event_type().into(),
                data: event.data().into(),
            },
        };
        writer.push(&record).expect("room");
    }
    writer.finish().to_vec()
}

/// Reads all records; gives how many there are.
#[must_use]
pub fn walk_cel(log: &[u8], encoding: cel::Encoding) -> usize {
    let mut records = 0;
    for record in cel::Log::new(black_box(log), encoding) {
        black_box(record.expect("a record"));
        records += 1;
    }
    records
}

/// Replays records of any log with the replay that they share.
pub fn replay_shared<R: cel::Replayed>(
    log: impl Iterator<Item = Result<R, tsm_eventlog::Error>> + Clone,
    banks: &[Algorithm],
) {
    let mut replay = <cel::Replay>::new(banks).expect("banks");
    assert!(replay.run(log).error().is_none());
    black_box(replay);
}

/// A text log of the agent of Confidential Containers: so many lines of 80 bytes with the line feed.
#[must_use]
pub fn aael(lines: usize) -> Vec<u8> {
    let mut log = format!("INIT {}\n", Digest::zeros(Algorithm::Sha384));
    for line in 0..lines {
        log += &format!("example.org/app load {line:058}\n");
    }
    log.into_bytes()
}

/// The same of the shortest lines there can be, about so many bytes.
#[must_use]
pub fn aael_shortest(bytes: usize) -> Vec<u8> {
    let init = format!("INIT {}\n", Digest::zeros(Algorithm::Sha384)).into_bytes();
    [init, b"  \n".repeat(bytes / 3)].concat()
}

/// Replays such a log.
pub fn replay_aael(log: &[u8]) {
    let log = aael::Log::open(black_box(log), cel::Register::CcMr(4)).expect("a log");
    let banks = [log.init().algorithm()];
    replay_shared(log, &banks);
}

/// dstack's log of so many events, a line each, with payloads of 32 bytes.
#[must_use]
pub fn dstack(events: usize) -> Vec<u8> {
    let mut log = Vec::new();
    for event in 0..events {
        let name = format!("event-{event:06}");
        let payload = Algorithm::Sha256.hash(name.as_bytes());
        let event = dstack::Event::new(&name, payload.as_bytes(), dstack::Version::V1);
        let mut buffer = [0; 500];
        log.extend(event.expect("a name").write_line(&mut buffer).expect("room"));
    }
    log
}

/// Replays such a log.
pub fn replay_dstack(log: &[u8]) {
    let log = dstack::Log::new(black_box(log), dstack::Log::RTMR3);
    replay_shared(log, &[Algorithm::Sha384]);
}
