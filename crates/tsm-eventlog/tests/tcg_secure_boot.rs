// SPDX-License-Identifier: MIT OR Apache-2.0
//! What may be concluded from trusted events: separators, and the state of Secure Boot. Above all: what
//! an attacker who rewrites the log, and extends the register after firmware, cannot make of it.

mod common;

use std::collections::BTreeMap;

use common::tcg::{all, digest, event, header_for};
use tsm_core::{Algorithm, Digest};
use tsm_eventlog::registers::{PcrIndex, Platform, RegisterIndex};
use tsm_eventlog::tcg::data::{Guid, Separator};
use tsm_eventlog::tcg::{
    Boundary, EventType, Layout, Log, RefusalKind, Replay, SecureBoot, SeparatorKind,
};

const BANK: Algorithm = Algorithm::Sha256;

/// A record to be changed: register, type, digest, data.
#[derive(Clone)]
struct Record {
    index: u32,
    event_type: EventType,
    digests: Vec<Digest>,
    data: Vec<u8>,
}

impl Record {
    /// Its digest is that of the data.
    fn of(index: u32, event_type: EventType, data: &[u8]) -> Self {
        Self { index, event_type, digests: vec![BANK.hash(data)], data: data.to_vec() }
    }

    fn with_digest(mut self, digest: Digest) -> Self {
        self.digests = vec![digest];
        self
    }
}

fn log_of(records: &[Record]) -> Vec<u8> {
    let banks: Vec<Algorithm> = records[0].digests.iter().map(Digest::algorithm).collect();
    let mut log = header_for(&banks);
    for record in records {
        log.extend(event(record.index, record.event_type.0, &record.digests, &record.data));
    }
    log
}

/// What is said of Secure Boot, for comparing: all of it.
fn said<const N: usize>(state: &SecureBoot<'_, N>) -> String {
    let lists = [state.pk(), state.kek(), state.db(), state.dbx()];
    let authorities = state.authorities().map(|all| {
        all.map(|one| format!("{} {}", one.is_before_separator, one.variable)).collect::<Vec<_>>()
    });
    let (register, enabled) = (state.register(), state.is_enabled());
    format!("{register} {enabled} {:?} {lists:?} {authorities:?}", state.separator().record)
}

/// A replay that expects what `truth` leads to.
fn expecting(platform: Platform, truth: &[Record]) -> Replay {
    let banks: Vec<Algorithm> = truth[0].digests.iter().map(Digest::algorithm).collect();
    let mut real = <Replay>::new(platform, &banks).unwrap();
    let bytes = log_of(truth);
    assert_eq!(real.run(Log::open(&bytes).unwrap()).error(), None);
    let mut replay = <Replay>::new(platform, &banks).unwrap();
    for register in real.registers() {
        for bank in &banks {
            if let Some(value) = register.value(*bank) {
                replay.expect(register.index(), value).unwrap();
            }
        }
    }
    replay
}

/// The verdict about a log, if the registers hold what `truth` leads to.
fn verdict(platform: Platform, truth: &[Record], shown: &[Record]) -> Result<String, RefusalKind> {
    verdict_of(expecting(platform, truth), shown)
}

fn verdict_of(mut replay: Replay, shown: &[Record]) -> Result<String, RefusalKind> {
    let bytes = log_of(shown);
    let finished = replay.run(Log::open(&bytes).unwrap());
    assert_eq!(finished.error(), None);
    let state = finished.secure_boot();
    if let Err(refusal) = &state {
        assert!(!refusal.to_string().is_empty());
    }
    state.map(|state| said(&state)).map_err(|refusal| refusal.kind)
}

fn variable(guid: Guid, name: &str, data: &[u8]) -> Vec<u8> {
    let mut out = guid.0.to_vec();
    out.extend((name.len() as u64).to_le_bytes());
    out.extend((data.len() as u64).to_le_bytes());
    out.extend(name.encode_utf16().flat_map(u16::to_le_bytes));
    out.extend(data);
    out
}

/// A list of one signature of 32 bytes.
fn list(byte: u8) -> Vec<u8> {
    let mut out = Guid::CERT_SHA256.0.to_vec();
    out.extend([76, 0, 0, 0, 0, 0, 0, 0, 48, 0, 0, 0]);
    out.extend(Guid::MICROSOFT.0);
    out.extend([byte; 32]);
    out
}

const CONFIG: EventType = EventType::EFI_VARIABLE_DRIVER_CONFIG;
const AUTHORITY: EventType = EventType::EFI_VARIABLE_AUTHORITY;
const GLOBAL: Guid = Guid::GLOBAL_VARIABLE;
const DATABASE: Guid = Guid::IMAGE_SECURITY_DATABASE;

fn policy(index: u32, is_enabled: bool) -> Vec<Record> {
    let config = |guid, name, data: &[u8]| Record::of(index, CONFIG, &variable(guid, name, data));
    vec![
        config(GLOBAL, "SecureBoot", &[u8::from(is_enabled)]),
        config(GLOBAL, "PK", &list(1)),
        config(GLOBAL, "KEK", &list(2)),
        config(DATABASE, "db", &list(3)),
        config(DATABASE, "dbx", &list(4)),
    ]
}

fn separator(index: u32) -> Record {
    Record::of(index, EventType::SEPARATOR, &[0; 4])
}

fn vouched(index: u32, name: &str) -> Record {
    let data = [&Guid::MICROSOFT.0[..], &[7; 32]].concat();
    Record::of(index, AUTHORITY, &variable(DATABASE, name, &data))
}

/// PCR 7 of a machine.
fn machine(is_enabled: bool) -> Vec<Record> {
    let mut records = policy(7, is_enabled);
    records.extend([separator(7), vouched(7, "db")]);
    records
}

/// RTMR0 of a TD: tables first, then the variables, then what PCR 1 has.
fn domain(is_enabled: bool) -> Vec<Record> {
    let opaque = |event_type, data: &[u8]| {
        Record::of(1, event_type, data).with_digest(BANK.hash(&[data, b"real"].concat()))
    };
    let mut records = vec![opaque(EventType::EFI_HANDOFF_TABLES2, b"\x01t\0\0\0\0\0\0\0\0")];
    records.extend(policy(1, is_enabled));
    records.push(separator(1));
    records.push(opaque(EventType::PLATFORM_CONFIG_FLAGS, b"ACPI DATA"));
    let boot = variable(GLOBAL, "BootOrder", &[0, 0]);
    records
        .push(Record::of(1, EventType::EFI_VARIABLE_BOOT, &boot).with_digest(BANK.hash(&[0, 0])));
    records.extend([separator(1), vouched(1, "db")]);
    records
}

fn records_of(log: &Log<'_>) -> Vec<Record> {
    log.clone()
        .map(Result::unwrap)
        .map(|event| Record {
            index: event.index(),
            event_type: event.event_type(),
            digests: event.digests().known().collect(),
            data: event.data().to_vec(),
        })
        .collect()
}

/// The real logs whose records have all their digests of known algorithms, each once.
fn real() -> Vec<(String, Platform, Vec<Record>)> {
    let mut seen = std::collections::BTreeSet::new();
    let mut found = Vec::new();
    for file in all().into_iter().filter(|file| seen.insert(file.bytes.clone())) {
        let log = Log::open(&file.bytes).unwrap();
        let records = records_of(&log);
        let Some(banks) = records.first().map(|first| first.digests.len()) else { continue };
        let is_whole = banks > 0
            && log.algorithms().len() == banks
            && records.iter().all(|record| record.digests.len() == banks)
            && (log.layout() == Layout::Agile || banks == 1);
        if is_whole {
            found.push((file.name, file.platform, records));
        }
    }
    found
}

/// Every machine's state, as what was measured of `SecureBoot` has it.
#[test]
fn real_logs() {
    let (mut states, mut refusals) = (BTreeMap::new(), Vec::new());
    for (name, platform, records) in real() {
        let index = if platform == Platform::Tpm { 7 } else { 1 };
        let said = verdict(platform, &records, &records);
        // The last byte of the event for `SecureBoot`, if it has contents.
        let real = records.iter().find(|record| {
            record.index == index
                && record.data.get(32..52) == Some(b"S\0e\0c\0u\0r\0e\0B\0o\0o\0t\0")
        });
        match said {
            Ok(said) => {
                let is_on = real.unwrap().data.get(52) == Some(&1);
                assert!(
                    said.contains(&format!(" {is_on} Some"))
                        || said.contains(&format!(" {is_on} ")),
                    "{name} {said}"
                );
                *states.entry((platform == Platform::Tpm, is_on)).or_insert(0) += 1;
            }
            Err(refusal) => refusals.push((name, refusal)),
        }
    }
    eprintln!("{states:?}\n{refusals:#?}");
    assert!(states[&(true, false)] >= 10 && states[&(true, true)] >= 2);
    for (name, refusal) in &refusals {
        let expected = match refusal {
            // Logs of a single event, and one of td-shim, which has no variables.
            RefusalKind::NotTrusted => name.contains("tpm2-t") || name.contains("short_"),
            RefusalKind::NoSeparator => name.contains("event-uefivar"),
            RefusalKind::Variables => name.ends_with("CCEL_data"),
            // SeaBIOS.
            RefusalKind::SeparatorValue => name.contains("seabios"),
            _ => false,
        };
        assert!(expected, "{name} {refusal:?}");
    }
}

/// The same with register values that did not come from replaying the log: of the machines, or published
/// with the log.
#[test]
fn values_from_elsewhere() {
    let mut states = BTreeMap::new();
    for file in all() {
        let index = if file.platform == Platform::Tpm { 7 } else { 1 };
        let Some(register) = file.platform.register(index) else { continue };
        let values: Vec<Digest> = file
            .known
            .iter()
            .filter_map(|(name, values)| Some(digest(name.parse().ok()?, values.get(&index)?)))
            .collect();
        let banks: Vec<Algorithm> = values.iter().map(Digest::algorithm).collect();
        let Ok(mut replay) = <Replay>::new(file.platform, &banks) else { continue };
        for value in values {
            replay.expect(register, value).unwrap();
        }
        let finished = replay.run(Log::open(&file.bytes).unwrap());
        match finished.secure_boot() {
            Ok(state) => {
                let key = (state.is_shared(), state.is_enabled());
                *states.entry(key).or_insert(0) += 1;
                // Its lists are sound.
                for mut list in [state.pk(), state.kek(), state.db(), state.dbx()] {
                    list.by_ref().for_each(drop);
                    assert!(list.rest().is_empty(), "{}", file.name);
                }
                let keys = state.pk().signatures().count();
                assert!(!state.is_enabled() || keys == 1, "{}", file.name);
            }
            Err(refusal) => {
                let name = &file.name;
                let is_known = name.contains("seabios") || name.ends_with("/CCEL_data");
                assert!(is_known, "{name} {refusal}");
            }
        }
    }
    eprintln!("{states:?}");
    assert!(states[&(false, false)] >= 10 && states[&(false, true)] >= 2);
}

/// Any event, given any known type: the same answer, or none.
#[test]
fn retyping_never_changes_the_answer() {
    let made = [
        ("on".to_owned(), Platform::Tpm, machine(true)),
        ("off".to_owned(), Platform::Tpm, machine(false)),
        ("td on".to_owned(), Platform::Tdx, domain(true)),
        ("td off".to_owned(), Platform::Tdx, domain(false)),
    ];
    let mut types = EventType::KNOWN.to_vec();
    types.push(EventType(0x8401));
    let (mut same, mut refused) = (0, 0);
    let mut seen = std::collections::BTreeSet::new();
    for (name, platform, records) in made.into_iter().chain(real()) {
        let index = if platform == Platform::Tpm { 7 } else { 1 };
        // Other registers have no say.
        let mut records: Vec<_> = records.into_iter().filter(|r| r.index == index).collect();
        records.iter_mut().for_each(|record| record.digests.truncate(1));
        let bytes = records.first().map(|_| log_of(&records));
        if bytes.is_none_or(|bytes| !seen.insert(bytes)) {
            continue;
        }
        let truth = verdict(platform, &records, &records);
        let expecting = expecting(platform, &records);
        for place in 0..records.len() {
            for &event_type in &types {
                let mut shown = records.clone();
                shown[place].event_type = event_type;
                match verdict_of(expecting.clone(), &shown) {
                    Ok(said) => {
                        assert_eq!(Ok(said), truth, "{name} {place} {event_type}");
                        same += 1;
                    }
                    Err(_) => refused += 1,
                }
            }
        }
    }
    eprintln!("{same} the same, {refused} refused");
    assert!(same > 30 && refused > 700);
}

/// Two events given other types, in made logs: all pairs, one of them any type, the other one that the
/// rules know.
#[test]
fn retyping_two() {
    let ruled = [
        EventType::SEPARATOR,
        EventType::EFI_ACTION,
        CONFIG,
        AUTHORITY,
        EventType::EFI_VARIABLE_BOOT,
        EventType::EFI_HANDOFF_TABLES2,
        EventType::NO_ACTION,
    ];
    for (platform, records) in [(Platform::Tpm, machine(true)), (Platform::Tdx, domain(false))] {
        let truth = verdict(platform, &records, &records);
        assert!(truth.is_ok());
        let expecting = expecting(platform, &records);
        for one in 0..records.len() {
            for other in (0..records.len()).filter(|other| *other != one) {
                for &first in EventType::KNOWN {
                    for second in ruled {
                        let mut shown = records.clone();
                        shown[one].event_type = first;
                        shown[other].event_type = second;
                        let said = verdict_of(expecting.clone(), &shown);
                        assert!(said.is_err() || said == truth, "{one} {first} {other} {second}");
                    }
                }
            }
        }
    }
}

/// The attack that the disclosure about go-attestation describes: the real events are shown as others,
/// and a second boot of the attacker's liking is appended.
#[test]
fn a_second_history_behind_the_first() {
    for (platform, off, index) in
        [(Platform::Tpm, machine(false), 7), (Platform::Tdx, domain(false), 1)]
    {
        let mut truth = off.clone();
        truth.extend(policy(index, true));
        truth.extend([separator(index), vouched(index, "db")]);
        for hidden in EventType::KNOWN {
            let mut shown = truth.clone();
            for record in &mut shown[..off.len()] {
                record.event_type = *hidden;
                record.data = b"nothing to see".to_vec();
            }
            assert!(verdict(platform, &truth, &shown).is_err(), "{platform:?} {hidden}");
            // All but the separators.
            let mut shown = truth.clone();
            for record in &mut shown[..off.len()] {
                if record.event_type != EventType::SEPARATOR {
                    record.event_type = *hidden;
                    record.data = b"nothing to see".to_vec();
                }
            }
            assert!(verdict(platform, &truth, &shown).is_err(), "{platform:?} {hidden}");
        }
        // Nothing hidden: PCR 7 is refused for what is behind; RTMR0's first separator decides.
        let said = verdict(platform, &truth, &truth);
        match platform {
            Platform::Tpm => assert_eq!(said, Err(RefusalKind::VariableLate)),
            _ => assert!(said.unwrap().contains("rtmr0 false")),
        }
    }
}

/// In a shared register other events have digests of the attacker's choice. Here a table that the host
/// supplies has the bytes of `SecureBoot` = 1, before and behind the real one.
#[test]
fn contents_of_a_table_that_look_like_a_variable() {
    let on = policy(1, true);
    let mut truth = domain(false);
    truth[0].digests = on[0].digests.clone();
    let mut shown = truth.clone();
    shown[0] = on[0].clone();
    for hidden in [EventType::EFI_HANDOFF_TABLES2, EventType::PLATFORM_CONFIG_FLAGS, CONFIG] {
        shown[1].event_type = hidden;
        assert_eq!(
            verdict(Platform::Tdx, &truth, &shown),
            Err(if hidden == CONFIG { RefusalKind::Variables } else { RefusalKind::EventType })
        );
    }
    // All five of them planted before the separator, behind the real ones or before them: tables whose
    // contents the host chose. The real ones are shown as tables.
    for planted_at in [6, 1] {
        let mut truth = domain(false);
        truth.splice(planted_at..planted_at, on.iter().cloned());
        let real = if planted_at == 6 { 1..6 } else { 6..11 };
        for hidden in EventType::KNOWN {
            let mut shown = truth.clone();
            for record in &mut shown[real.clone()] {
                record.event_type = *hidden;
            }
            assert!(verdict(Platform::Tdx, &truth, &shown).is_err(), "{planted_at} {hidden}");
        }
    }
    // All five of them planted behind the separator.
    let mut truth = domain(false);
    let behind = truth.len() - 2;
    truth.splice(behind..behind, on.iter().cloned());
    let said = verdict(Platform::Tdx, &truth, &truth);
    assert!(said.unwrap().contains("rtmr0 false"));
}

#[test]
fn refusals() {
    type Change = fn(&mut Vec<Record>);
    let cases: &[(RefusalKind, Change)] = &[
        (RefusalKind::NoSeparator, |all| drop(all.drain(5..))),
        (RefusalKind::NoAuthority, |all| drop(all.pop())),
        (RefusalKind::SecondSeparator, |all| all.push(separator(7))),
        (RefusalKind::Variables, |all| drop(all.remove(0))),
        (RefusalKind::Variables, |all| all.swap(1, 2)),
        (RefusalKind::Variables, |all| drop(all.remove(4))),
        (RefusalKind::Variables, |all| all.insert(1, all[0].clone())),
        (RefusalKind::OtherVariable, |all| all.insert(5, all[4].clone())),
        (RefusalKind::OtherVariable, |all| {
            all.insert(5, Record::of(7, CONFIG, &variable(GLOBAL, "Other", b"")));
        }),
        // The name of one vendor's variable, of another vendor.
        (RefusalKind::Variables, |all| {
            all[3] = Record::of(7, CONFIG, &variable(GLOBAL, "db", &list(3)));
        }),
        (RefusalKind::VariableLate, |all| all.push(all[0].clone())),
        (RefusalKind::AuthorityName, |all| all.push(vouched(7, "dbx"))),
        (RefusalKind::Value, |all| {
            all[0] = Record::of(7, CONFIG, &variable(GLOBAL, "SecureBoot", &[2]));
        }),
        (RefusalKind::NoAuthority, |all| {
            all[3] = Record::of(7, CONFIG, &variable(DATABASE, "db", &[]));
        }),
        (RefusalKind::DebugMode, |all| {
            all.insert(0, Record::of(7, EventType::EFI_ACTION, b"UEFI Debug Mode"));
        }),
        // Shown as something else, it is known by its digest.
        (RefusalKind::DebugMode, |all| {
            let digest = BANK.hash(b"UEFI Debug Mode");
            all.insert(0, Record::of(7, EventType::IPL, b"harmless").with_digest(digest));
        }),
        (RefusalKind::EventType, |all| all.push(Record::of(7, EventType::IPL, b"grub"))),
        (RefusalKind::EventType, |all| all.push(Record::of(7, EventType(0x8401), b"?"))),
        (RefusalKind::NotCovered, |all| {
            all.push(vouched(7, "db").with_digest(BANK.hash(b"something else")));
        }),
        (RefusalKind::NotCovered, |all| {
            all[1].digests = vec![BANK.hash(b"something else")];
        }),
        (RefusalKind::Malformed, |all| {
            let data = [&variable(DATABASE, "db", &[1; 40])[..], b"more"].concat();
            all.push(Record::of(7, AUTHORITY, &data));
        }),
        (RefusalKind::Malformed, |all| {
            all.push(Record::of(7, EventType::EFI_ACTION, b"bell\x07"));
        }),
        (RefusalKind::SeparatorValue, |all| {
            all[5] = Record::of(7, EventType::SEPARATOR, &[0xFF; 4]);
        }),
        (RefusalKind::SeparatorValue, |all| {
            all[5] = Record::of(7, EventType::SEPARATOR, b"WBCL");
        }),
        (RefusalKind::SeparatorType, |all| all[5].event_type = EventType::EFI_ACTION),
        (RefusalKind::SeparatorType, |all| {
            all[5] = Record::of(7, EventType::SEPARATOR, &[0, 0, 0, 1]);
        }),
        (RefusalKind::NotTrusted, |all| all.iter_mut().for_each(|record| record.index = 6)),
    ];
    for (place, (kind, change)) in cases.iter().enumerate() {
        let mut records = machine(true);
        change(&mut records);
        assert_eq!(verdict(Platform::Tpm, &records, &records), Err(*kind), "case {place}");
    }
    let mut allowed = machine(true);
    allowed.insert(5, Record::of(7, CONFIG, &variable(GLOBAL, "AuditMode", &[0])));
    allowed.insert(6, vouched(7, "db"));
    allowed.insert(7, Record::of(7, EventType::EFI_ACTION, b"DMA Protection Disabled"));
    let said = verdict(Platform::Tpm, &allowed, &allowed).unwrap();
    assert!(said.starts_with("pcr7 true") && said.contains("true authority db"), "{said}");
}

/// Old versions of shim: bytes behind the structure, the last of them not hashed. Behind the separator
/// only.
#[test]
fn the_byte_of_old_shim() {
    let data = [&variable(Guid::SHIM_LOCK, "Shim", &[0x30, 0x82, 0, 1, 9])[..], &[0; 6]].concat();
    let old = Record::of(7, AUTHORITY, &data).with_digest(BANK.hash(&data[..data.len() - 1]));
    let mut records = machine(true);
    records.push(old.clone());
    let said = verdict(Platform::Tpm, &records, &records).unwrap();
    assert!(said.contains("false authority Shim = certificate of 5 bytes"), "{said}");
    records.swap(5, 7);
    assert_eq!(verdict(Platform::Tpm, &records, &records), Err(RefusalKind::NotCovered));
}

/// The digest in a bank without an expected value may be anything; one in a bank with such a value must
/// be of the same data.
#[test]
fn every_bank_must_agree() {
    let banks = [Algorithm::Sha1, Algorithm::Sha256];
    let both = |records: Vec<Record>| -> Vec<Record> {
        let add = |mut record: Record| {
            record.digests = banks.iter().map(|bank| bank.hash(&record.data)).collect();
            record
        };
        records.into_iter().map(add).collect()
    };
    let (on, off) = (both(machine(true)), both(machine(false)));
    assert!(verdict(Platform::Tpm, &on, &on).is_ok());
    let mut mixed = on.clone();
    mixed[0].digests[0] = off[0].digests[0];
    assert_eq!(verdict(Platform::Tpm, &mixed, &mixed), Err(RefusalKind::NotCovered));
    mixed = on;
    mixed[5].digests[0] = Algorithm::Sha1.hash(b"x");
    assert_eq!(verdict(Platform::Tpm, &mixed, &mixed), Err(RefusalKind::NotCovered));
}

/// Without the register's first events, or without a value for it, nothing is known.
#[test]
fn a_part_of_the_log_is_not_enough() {
    let records = machine(true);
    let bytes = log_of(&records);
    let pcr7 = PcrIndex::new(7).unwrap();
    let mut replay = <Replay>::new(Platform::Tpm, &[BANK]).unwrap();
    let finished = replay.run(Log::open(&bytes).unwrap());
    assert_eq!(finished.secure_boot().unwrap_err().kind, RefusalKind::NotTrusted);
    let value = replay.register(pcr7).unwrap().value(BANK).unwrap();

    let mut replay = <Replay>::new(Platform::Tpm, &[BANK]).unwrap();
    replay.expect(pcr7, value).unwrap();
    let mut log = Log::open(&bytes).unwrap();
    let first = log.next().unwrap().unwrap();
    assert!(replay.push(&first).unwrap().is_empty());
    let finished = replay.run(log);
    assert!(finished.events().count() > 0);
    assert_eq!(finished.secure_boot().unwrap_err().kind, RefusalKind::NotFromStart);

    let mut replay = <Replay>::new(Platform::Tpm, &[BANK]).unwrap();
    replay.start(pcr7, Digest::zeros(BANK)).unwrap();
    replay.expect(pcr7, value).unwrap();
    let finished = replay.run(Log::open(&bytes).unwrap());
    assert_eq!(finished.secure_boot().unwrap_err().kind, RefusalKind::NotFromStart);
}

#[test]
fn separators() {
    let mut records = machine(true);
    records.push(separator(4));
    records.push(
        Record::of(5, EventType::IPL, b"looks harmless").with_digest(Separator::Ones.digest(BANK)),
    );
    records.push(Record::of(6, EventType::SEPARATOR, b"odd!"));
    records.push(Record::of(12, EventType::SEPARATOR, b"WBCL"));
    let bytes = log_of(&records);
    let mut real = <Replay>::new(Platform::Tpm, &[BANK]).unwrap();
    assert!(real.run(Log::open(&bytes).unwrap()).separators().next().is_none(), "none is trusted");
    let mut replay = <Replay>::new(Platform::Tpm, &[BANK]).unwrap();
    for register in real.registers() {
        replay.expect(register.index(), register.value(BANK).unwrap()).unwrap();
    }
    let finished = replay.run(Log::open(&bytes).unwrap());
    let found: Vec<_> = finished
        .separators()
        .map(|event| (event.register.to_string(), event.kind, event.kind.is_finding()))
        .collect();
    let expected = [
        ("pcr7", SeparatorKind::Separator(Separator::Zeros), false),
        ("pcr4", SeparatorKind::Separator(Separator::Zeros), false),
        ("pcr5", SeparatorKind::Disguised(Separator::Ones), true),
        ("pcr6", SeparatorKind::OtherDigest, true),
        ("pcr12", SeparatorKind::Separator(Separator::Windows), false),
    ];
    let expected: Vec<_> = expected.map(|(name, kind, odd)| (name.to_owned(), kind, odd)).into();
    assert_eq!(found, expected);
    let at = |number| finished.separator_of(PcrIndex::new(number).unwrap());
    assert!(matches!(at(7), Boundary::At(position, Separator::Zeros) if position.record == 6));
    assert!(matches!(at(5), Boundary::Finding(_)) && matches!(at(6), Boundary::Finding(_)));
    assert_eq!(at(0), Boundary::None);
}

/// In real logs every separator is known by its digest, and firmware that hands over has one in each
/// register that it uses.
#[test]
fn separators_of_real_logs() {
    let (mut count, mut several) = (0, 0);
    for (name, platform, records) in real() {
        let (bytes, mut replay) = (log_of(&records), expecting(platform, &records));
        let registers: Vec<RegisterIndex> = replay.registers().map(|r| r.index()).collect();
        let finished = replay.run(Log::open(&bytes).unwrap());
        let typed = records.iter().filter(|r| r.event_type == EventType::SEPARATOR).count();
        let (odd, known): (Vec<_>, Vec<_>) =
            finished.separators().partition(|event| event.kind.is_finding());
        assert_eq!(known.len(), typed, "{name}");
        // One machine measured four zeros as part of its firmware interface table.
        let expected = usize::from(name.contains("glinux-alex"));
        assert_eq!(odd.len(), expected, "{name} {odd:?}");
        assert!(
            odd.iter().all(|odd| odd.position.record == 4 && odd.register.to_string() == "pcr0")
        );
        for register in registers {
            several +=
                usize::from(matches!(finished.separator_of(register), Boundary::Several { .. }));
        }
        count += typed;
    }
    eprintln!("{count} separators, {several} registers with several");
    assert!(count > 100);
}
