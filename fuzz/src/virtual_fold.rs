// SPDX-License-Identifier: MIT OR Apache-2.0
//! Virtual registers and static values: each name's records alone decide its value.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use tsm_core::log::{Limits, RecordLog, SliceStorage};
use tsm_core::provider::Recorder as _;
use tsm_core::record::{self, Parts, RecordError, StaticValues};
use tsm_core::replay::Replay;
use tsm_core::virtual_registers::{Fold, FoldSink, VirtualRegisters};
use tsm_core::{Algorithm, Banks, Digest, Initial, Logged, Provider, Register, RegisterId};
use tsm_sim::Simulated;

use crate::input::Input;

/// Names of which one begins with another, and names that other rules might claim.
static TABLE: LazyLock<[Register<'static>; 4]> = LazyLock::new(|| {
    let two = Banks::new(&[Algorithm::Sha384, Algorithm::Sha1]).unwrap();
    let sha256 = Banks::one(Algorithm::Sha256);
    [
        Register::runtime("mr", two),
        Register::runtime("mr_ima", sha256),
        Register::runtime("mr_ones", sha256).starting(Initial::Ones),
        Register::runtime("SYNCED", Banks::one(Algorithm::Sha512)),
    ]
});
const BANKS: usize = 5;
const STATIC: usize = 3;

/// Input: 1 byte that chooses which records are left out, then records, one a line. In a record,
/// `%1x`, `%2x`, `%3x`, `%5x` stand for the SHA-1, -256, -384, -512 digest of the byte `x`.
pub fn virtual_fold(data: &[u8]) {
    let mut input = Input::new(data);
    let mask = input.byte();
    let text = expand(input.rest());
    let records: Vec<&[u8]> = text.split(|&b| b == b'\n').collect();

    let mut all = Fold::<BANKS>::new(&*TABLE).unwrap();
    let mut own = TABLE.map(|_| Fold::<BANKS>::new(&*TABLE).unwrap());
    let mut some = all.clone();
    let mut model = Model::default();
    let mut values = StaticValues::<STATIC>::default();
    for (turn, record) in records.iter().copied().enumerate() {
        parts(record);
        let name = record::name(record);
        let index = TABLE.iter().position(|register| register.name.as_bytes() == name);
        assert_eq!(all.claims(record), index.is_some());
        let before = list(&all);
        assert_eq!(all.check(record).is_ok(), all.clone().record(record).is_ok());
        let taken = all.record(record);
        match (index, taken) {
            (None, taken) => assert_eq!(taken, Ok(false)),
            (Some(index), Ok(true)) => {
                let digest = record::extension(record).unwrap();
                let canonical = format!("{} extend {digest}", TABLE[index].name);
                assert_eq!(record, canonical.as_bytes());
                model.extend(index, digest);
            }
            (Some(_), Err(_)) => {}
            (Some(_), Ok(false)) => panic!("claimed and passed over"),
        }
        if taken != Ok(true) {
            assert_eq!(list(&all), before);
        }
        if let Some(index) = index {
            let _ = own[index].record(record);
        }
        // Records of other names come and go, the first virtual register's value stays.
        if index == Some(0) || mask & (1 << (turn % 8)) != 0 {
            let _ = some.record(record);
        }
        model.static_value(record, values.record(record));
    }
    for (index, register) in TABLE.iter().enumerate() {
        for bank in register.banks().iter() {
            let value = all.value(index, bank);
            assert_eq!(value, own[index].value(index, bank));
            assert_eq!(value, Some(model.value(index, bank)));
            if index == 0 {
                assert_eq!(value, some.value(index, bank));
            }
        }
        assert_eq!(all.records(index), own[index].records(index));
    }
    let given: Vec<_> = values.iter().map(|(n, d)| (n.as_bytes().to_vec(), d)).collect();
    assert_eq!(given, model.given);

    provider(&records);
}

/// A provider of virtual registers shows what a fold over its carrier's log gives.
fn provider(records: &[&[u8]]) {
    let mut storage = vec![0; 1 << 14];
    let carrier = RegisterId(0);
    let machine = Simulated::by_name("cca").unwrap();
    let carrier = machine.find("rem1").unwrap_or(carrier);
    let mut logged = Logged::<_, _, 1>::new(machine);
    let log = RecordLog::new(SliceStorage::new(&mut storage), Limits::DEFAULT);
    assert!(logged.attach(carrier, log).is_ok());
    let mut registers = VirtualRegisters::<_, BANKS>::open(logged, carrier, &*TABLE).unwrap();
    for (turn, record) in records.iter().copied().take(64).enumerate() {
        let before = log_of(&mut registers, carrier);
        match record.split_first() {
            // A direct extension is a record in the carrier's log.
            Some((b'!', rest)) => {
                let mut rest = Input::new(rest);
                let name = rest.of(&*TABLE).name;
                let id = registers.find(name).unwrap();
                let banks = registers.describe(id).unwrap().banks();
                let digests: Vec<_> = banks.iter().map(|a| rest.digest(a)).collect();
                if registers.extend(id, &digests).is_err() {
                    assert_eq!(log_of(&mut registers, carrier), before);
                }
            }
            _ => {
                if registers.append(carrier, record).is_err() {
                    assert_eq!(log_of(&mut registers, carrier), before, "turn {turn}");
                }
            }
        }
    }
    let log = log_of(&mut registers, carrier);
    let value = registers.value(carrier, Algorithm::Sha256).unwrap();
    let mut sink = FoldSink::new(Fold::<BANKS>::new(&*TABLE).unwrap());
    let mut replay = Replay::new(&[Digest::zeros(Algorithm::Sha256)]).unwrap();
    replay.expect(&[value]).unwrap();
    replay.feed(&log, Limits::DEFAULT, &mut sink).unwrap();
    assert_eq!(replay.outcome().holds(), Some(true));
    assert_eq!(sink.malformed(), None);
    for virtual_value in sink.fold().values() {
        let id = registers.find(virtual_value.name).unwrap();
        let value = registers.value(id, virtual_value.value.algorithm()).unwrap();
        assert_eq!(value, virtual_value.value);
    }
    // Opened anew over the same log, it is the same.
    let values = list(registers.fold());
    let again = VirtualRegisters::<_, BANKS>::open(registers.into_inner(), carrier, &*TABLE);
    assert_eq!(list(again.unwrap().fold()), values);
}

fn log_of<P: Provider>(
    registers: &mut VirtualRegisters<'_, P, BANKS>,
    carrier: RegisterId,
) -> Vec<u8> {
    let mut log = vec![0; 1 << 14];
    let read = registers.read_log(carrier, 0, &mut log).unwrap_or_else(|_| panic!("log"));
    log.truncate(read);
    log
}

fn list(fold: &Fold<'_, BANKS>) -> Vec<(String, Digest, u64)> {
    fold.values().map(|v| (v.name.to_owned(), v.value, v.records)).collect()
}

/// The parts of a record, with the spaces between, are the record.
fn parts(record: &[u8]) {
    let parts = Parts::of(record);
    assert!(!parts.domain.contains(&b' ') && !parts.operation.contains(&b' '));
    let joined = [parts.domain, parts.operation, parts.content].join(&b' ');
    let spaces = record.iter().filter(|&&b| b == b' ').count();
    let missing = joined.len().saturating_sub(2_usize.saturating_sub(spaces));
    assert_eq!(joined[..missing], *record);
}

/// What the records say, without the library's tables.
#[derive(Default)]
struct Model {
    values: BTreeMap<(usize, Algorithm), Digest>,
    given: Vec<(Vec<u8>, Digest)>,
}

impl Model {
    fn value(&self, index: usize, bank: Algorithm) -> Digest {
        let start = TABLE[index].initial.value(bank).unwrap();
        self.values.get(&(index, bank)).copied().unwrap_or(start)
    }

    fn extend(&mut self, index: usize, digest: Digest) {
        let bank = digest.algorithm();
        let both = [self.value(index, bank).as_bytes(), digest.as_bytes()].concat();
        self.values.insert((index, bank), bank.hash(&both));
    }

    fn static_value(&mut self, record: &[u8], taken: Result<bool, RecordError>) {
        let Some(found) = record::static_value(record) else {
            assert_eq!(taken, Ok(false));
            return;
        };
        let right = match found {
            Err(error) => Err(error),
            Ok((name, digest)) => match self.given.iter().find(|(known, _)| known == name) {
                Some((_, known)) if *known == digest => Ok(true),
                Some(_) => Err(RecordError::Conflict),
                None if self.given.len() == STATIC => Err(RecordError::TooMany),
                None => {
                    self.given.push((name.to_vec(), digest));
                    Ok(true)
                }
            },
        };
        assert_eq!(taken, right);
    }
}

fn expand(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some((first, after)) = rest.split_first() {
        let algorithm = match rest {
            [b'%', b'1', ..] => Algorithm::Sha1,
            [b'%', b'2', ..] => Algorithm::Sha256,
            [b'%', b'3', ..] => Algorithm::Sha384,
            [b'%', b'5', ..] => Algorithm::Sha512,
            _ => {
                out.push(*first);
                rest = after;
                continue;
            }
        };
        let (_, after) = rest.split_at(2);
        let (byte, after) = after.split_at(after.len().min(1));
        out.extend(algorithm.hash(byte).to_string().bytes());
        rest = after;
    }
    out
}
