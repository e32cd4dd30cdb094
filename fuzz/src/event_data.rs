// SPDX-License-Identifier: MIT OR Apache-2.0
//! What events say, what digests cover of it, and what follows for Secure Boot.

use tsm_core::{Algorithm, Digest};
use tsm_eventlog::registers::Platform;
use tsm_eventlog::tcg::data::{EventData, FieldValue, Guid};
use tsm_eventlog::tcg::{Coverage, EventType, FieldCoverage, Log, Replay, Rule};

use crate::input::Input;

const BANK: Algorithm = Algorithm::Sha1;

/// Input: a choice of what to do. Then a type and data; or steps that make a register's history, and
/// that change how it is shown.
pub fn event_data(data: &[u8]) {
    let mut input = Input::new(data);
    match input.byte() {
        0xFF => history(&mut input),
        choice => {
            let event_type = match EventType::KNOWN.get(usize::from(choice)) {
                Some(known) => *known,
                None => EventType(u32::from(choice) << 8 | 1),
            };
            let (from, to) = (input.short(), input.short());
            let data = input.rest();
            decoded(event_type, data);
            covered(event_type, data, from, to);
        }
    }
}

/// All bytes are in a field, in order, each once, and all can be printed. A variable is what a naive
/// reading of it is.
fn decoded(event_type: EventType, data: &[u8]) {
    let decoded = EventData::new(event_type, data);
    let (mut at, mut fields, mut is_malformed) = (0, 0, false);
    decoded.fields(&mut |field| {
        assert_eq!(field.range().start, at);
        at = field.range().end;
        fields += usize::from(!field.range().is_empty());
        if let FieldValue::Unread(bytes, reason) = field.value {
            assert_eq!(bytes, &data[field.range()]);
            is_malformed |= reason.is_malformed();
        }
        assert!(!field.to_string().chars().any(char::is_control));
    });
    assert_eq!(at, data.len());
    assert!(fields <= data.len());
    assert_eq!(decoded.malformed().is_some(), is_malformed);
    let line = decoded.to_string();
    assert!(!line.chars().any(char::is_control) && line.len() <= 200 + 24 * data.len());

    if event_type == EventType::EFI_VARIABLE_DRIVER_CONFIG {
        let naive = naive_variable(data);
        match decoded {
            EventData::Variable(variable) => {
                let (vendor, name, contents) = naive.expect("a variable");
                assert_eq!((variable.vendor.0.as_slice(), variable.name.0), (vendor, name));
                assert_eq!(variable.data, contents);
            }
            _ => assert_eq!(naive, None),
        }
    }
}

fn naive_variable(data: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let word = |at: usize| Some(u64::from_le_bytes(data.get(at..at + 8)?.try_into().ok()?));
    let name = 32 + u128::from(word(16)?) * 2;
    let end = name + u128::from(word(24)?);
    let (name, end) = (usize::try_from(name).ok()?, usize::try_from(end).ok()?);
    Some((&data[..16], data.get(32..name)?, data.get(name..end)?))
}

/// What is called covered hashes to the digest, and no field beyond it is called covered.
fn covered(event_type: EventType, data: &[u8], from: usize, to: usize) {
    let (from, to) = (from % (data.len() + 1), to % (data.len() + 1));
    let hashed = &data[from.min(to)..from.max(to)];
    let log = log_of(&[Record { event_type, digest: BANK.hash(hashed), data: data.to_vec() }], 7);
    let Some(Ok(event)) = Log::open(&log).expect("a log").next() else { return };
    let coverage = event.coverage(BANK);
    match coverage {
        Coverage::Covered(covered) if covered.rule() == Rule::AsciiOfUtf16 => {
            let ascii: Vec<u8> = data.iter().step_by(2).copied().collect();
            assert_eq!(ascii, hashed);
            assert!(data.iter().skip(1).step_by(2).all(|&byte| byte == 0));
        }
        Coverage::Covered(covered) if covered.rule() == Rule::WithMissingByte => {
            assert_eq!([data, &[0]].concat(), hashed);
        }
        Coverage::Covered(covered) => assert_eq!(&data[covered.range()], hashed),
        Coverage::Unknown | Coverage::BanksDiffer => panic!("one bank, and it has a digest"),
        _ => assert!(hashed != data || event_type == EventType::NO_ACTION),
    }
    event.decode().fields(&mut |field| {
        if coverage.of(&field) == FieldCoverage::Covered
            && let Coverage::Covered(covered) = coverage
        {
            assert!(covered.range().start <= field.range().start);
            assert!(field.range().end <= covered.range().end);
        }
    });
}

#[derive(Clone)]
struct Record {
    event_type: EventType,
    digest: Digest,
    data: Vec<u8>,
}

fn log_of(records: &[Record], index: u32) -> Vec<u8> {
    let mut log = [0, 3].iter().flat_map(|n: &u32| n.to_le_bytes()).collect::<Vec<u8>>();
    log.extend([0; 20]);
    log.extend(33_u32.to_le_bytes());
    log.extend(b"Spec ID Event03\0\0\0\0\0\0\x02\0\x02\x01\0\0\0\x04\0\x14\0\0");
    for record in records {
        log.extend(index.to_le_bytes());
        log.extend(record.event_type.0.to_le_bytes());
        log.extend(1_u32.to_le_bytes());
        log.extend(BANK.tpm_id().to_le_bytes());
        log.extend(record.digest.as_bytes());
        log.extend((record.data.len() as u32).to_le_bytes());
        log.extend(&record.data);
    }
    log
}

fn variable(guid: Guid, name: &str, data: &[u8]) -> Vec<u8> {
    let mut out = guid.0.to_vec();
    out.extend((name.len() as u64).to_le_bytes());
    out.extend((data.len() as u64).to_le_bytes());
    out.extend(name.encode_utf16().flat_map(u16::to_le_bytes));
    out.extend(data);
    out
}

/// Something that may stand in the register.
fn template(choice: u8) -> (EventType, Vec<u8>) {
    const GLOBAL: Guid = Guid::GLOBAL_VARIABLE;
    const DATABASE: Guid = Guid::IMAGE_SECURITY_DATABASE;
    let config = |guid, name, data: &[u8]| {
        (EventType::EFI_VARIABLE_DRIVER_CONFIG, variable(guid, name, data))
    };
    let authority =
        |guid, name| (EventType::EFI_VARIABLE_AUTHORITY, variable(guid, name, &[9; 20]));
    match choice % 20 {
        0 => config(GLOBAL, "SecureBoot", &[0]),
        1 => config(GLOBAL, "SecureBoot", &[1]),
        2 => config(GLOBAL, "SecureBoot", &[]),
        3 => config(GLOBAL, "PK", &[choice / 20]),
        4 => config(GLOBAL, "KEK", &[choice / 20]),
        5 => config(DATABASE, "db", &[choice / 20]),
        6 => config(DATABASE, "dbx", &[choice / 20]),
        7 => config(DATABASE, "dbt", &[]),
        8 => config(GLOBAL, "AuditMode", &[0]),
        9 => authority(DATABASE, "db"),
        10 => authority(Guid::SHIM_LOCK, "Shim"),
        11 => authority(DATABASE, "dbx"),
        12 => (EventType::EFI_ACTION, b"DMA Protection Disabled".to_vec()),
        13 => (EventType::EFI_ACTION, b"UEFI Debug Mode".to_vec()),
        14 => (EventType::SEPARATOR, vec![0; 4]),
        15 => (EventType::SEPARATOR, vec![0xFF; 4]),
        16 => (EventType::EFI_HANDOFF_TABLES2, b"\x01t\0\0\0\0\0\0\0\0".to_vec()),
        17 => (EventType::PLATFORM_CONFIG_FLAGS, b"ACPI DATA".to_vec()),
        18 => (EventType::EFI_VARIABLE_BOOT, variable(GLOBAL, "Boot0000", &[choice / 20])),
        _ => (EventType::SEPARATOR, b"WBCL".to_vec()),
    }
}

/// Whatever is changed about types and data in the log, while the digests are the true ones: if both
/// logs lead to an answer, it is the same.
fn history(input: &mut Input<'_>) {
    let platform = input.of(&[Platform::Tpm, Platform::Tdx, Platform::Cca]);
    let index = if platform == Platform::Tpm { 7 } else { 1 };
    let mut truth = Vec::new();
    if input.byte() & 1 == 0 {
        // A good beginning, so that more of what follows matters.
        for choice in [input.byte() % 3, 23, 24, 25, 6, 14] {
            let (event_type, data) = template(choice);
            truth.push(Record { event_type, digest: BANK.hash(&data), data });
        }
    }
    for _ in 0..input.below(8) {
        let (event_type, data) = template(input.byte());
        let digest = match input.byte() {
            // Of something else, perhaps of what is another event.
            odd @ 0xC0.. => BANK.hash(&template(odd).1),
            _ => BANK.hash(&data),
        };
        truth.push(Record { event_type, digest, data });
    }
    if truth.is_empty() {
        return;
    }
    let mut shown = truth.clone();
    for _ in 0..input.below(6) {
        let place = input.below(shown.len());
        match input.byte() % 3 {
            0 => shown[place].event_type = input.of(EventType::KNOWN),
            1 => shown[place].data = template(input.byte()).1,
            _ => (shown[place].event_type, shown[place].data) = template(input.byte()),
        }
    }
    let value = {
        let mut replay = <Replay>::new(platform, &[BANK]).expect("a bank");
        let log = log_of(&truth, index);
        assert!(replay.run(Log::open(&log).expect("a log")).error().is_none());
        let register = platform.register(index).expect("a register");
        replay.register(register).and_then(|register| register.value(BANK))
    };
    let Some(value) = value else { return };
    let answer = |records: &[Record]| {
        let log = log_of(records, index);
        let mut replay = <Replay>::new(platform, &[BANK]).expect("a bank");
        replay.expect(platform.register(index).expect("a register"), value).expect("a bank");
        let finished = replay.run(Log::open(&log).expect("a log"));
        let separators = finished.separators().count();
        assert!(separators <= records.len());
        let state = finished.secure_boot().ok()?;
        let lists = [state.pk(), state.kek(), state.db(), state.dbx()];
        let authorities = state.authorities().map(|all| {
            all.map(|one| format!("{:?} {}", one.variable.vendor, one.variable)).collect::<Vec<_>>()
        });
        let place = state.separator().record;
        Some(format!("{} {place} {lists:?} {authorities:?}", state.is_enabled()))
    };
    if let (Some(real), Some(other)) = (answer(&truth), answer(&shown)) {
        assert_eq!(real, other);
    }
}
