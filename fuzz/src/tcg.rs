// SPDX-License-Identifier: MIT OR Apache-2.0
//! TCG2, CCEL and SHA-1 logs: read, written, replayed.

use std::collections::BTreeMap;

use tsm_core::{Algorithm, Digest};
use tsm_eventlog::registers::Platform;
use tsm_eventlog::tcg::{
    AlgorithmList, End, EventType, FinalEvents, Layout, Log, NewEvent, NewHeader, Replay, Writer,
};
use tsm_eventlog::{Error, Limits};

/// Input: a log.
pub fn tcg(data: &[u8]) {
    if let Ok(log) = Log::open(data) {
        read(&log, data);
        rewrite(&log);
        replayed(&log);
        split(&log);
    }
    read(&Log::sha1(data), data);
    let bare = Log::without_header(data, AlgorithmList::SHA1);
    read(&bare, data);
    if let Ok(table) = FinalEvents::read(data, bare.algorithms(), Limits::DEFAULT) {
        let all = table.all();
        assert_eq!(all.clone().map(Result::unwrap).count() as u64, table.count);
        let half = all.clone().nth(table.count as usize / 2);
        if let Some(Ok(event)) = half {
            let rest = table.beyond(event.position().offset - 16).expect("a border");
            assert_eq!(rest.count() as u64, table.count - table.count / 2);
        }
    }
    let mut area = data.to_vec();
    if let Ok(mut writer) = Writer::resume(&mut area) {
        let before = writer.position();
        let events = Log::open(data).expect("it was resumed").count();
        if writer.append_no_action(0, b"more").is_ok() {
            assert_eq!(writer.position().record, before.record + 1);
            let mut log = Log::open(&area).expect("a log");
            assert_eq!(log.by_ref().map(Result::unwrap).count(), events + 1);
            assert!(matches!(log.end(), Some(End::Bytes | End::Ones | End::Mark | End::Zeros)));
        } else {
            assert_eq!(area, data, "nothing of it");
        }
    }
}

/// The records follow each other without a gap, and are where a naive reader finds them.
fn read(log: &Log<'_>, data: &[u8]) {
    let mut log = log.clone();
    let layout = log.layout();
    let mut at = log.next_position();
    for event in log.by_ref() {
        let Ok(event) = event else { break };
        assert_eq!(event.position(), at);
        at = event.end();
        let (begin, end) = (event.position().offset as usize, at.offset as usize);
        let record = &data[begin..end];
        let word = |at: usize| u32::from_le_bytes(record[at..at + 4].try_into().unwrap());
        assert_eq!((event.index(), event.event_type()), (word(0), EventType(word(4))));
        assert!(record.ends_with(event.data()));
        let size = record.len() - event.data().len() - 4;
        assert_eq!(word(size) as usize, event.data().len());
        let mut digests = event.digests().iter();
        if layout == Layout::Sha1 {
            assert_eq!(digests.next(), Some((4, &record[8..28])));
        } else if event.digests().is_empty() && size == 28 {
            assert!(event.data().starts_with(b"Spec ID Event03"), "one more header");
        } else {
            assert_eq!(word(8) as usize, event.digests().len());
            let mut place = 12;
            for (id, digest) in digests.by_ref() {
                assert_eq!(record[place..place + 2], id.to_le_bytes());
                assert_eq!(&record[place + 2..place + 2 + digest.len()], digest);
                place += 2 + digest.len();
            }
            assert_eq!(place, size);
        }
        assert!(digests.next().is_none());
    }
    assert!(log.next().is_none(), "it stays at its end");
    let rest = &data[at.offset as usize..];
    assert_eq!(log.rest(), rest);
    let uniform = |byte| rest.iter().all(|&other| other == byte);
    match log.end().expect("an end") {
        End::Bytes => assert!(rest.is_empty()),
        End::Mark => assert!(rest.len() == 8 && uniform(0xFF)),
        End::Ones => assert!(!rest.is_empty() && uniform(0xFF)),
        End::Zeros => assert!(!rest.is_empty() && uniform(0)),
        End::Garbage => assert!(!uniform(0xFF) && !uniform(0)),
        End::Error(error) => assert_eq!(error.position(), at),
    }
}

/// Written again, a log has the same bytes, if its records have their digests in its order.
fn rewrite(log: &Log<'_>) {
    let Some(header) = log.header().copied() else { return };
    let algorithms: Vec<Algorithm> = header.algorithms.known().collect();
    let plain = header.has_signature && header.has_zero_digest && header.version == (2, 0);
    if !plain || algorithms.len() != header.algorithms.len() {
        return;
    }
    let new = NewHeader {
        index: header.index,
        platform_class: header.platform_class,
        errata: header.errata,
        uintn_size: header.uintn_size,
        algorithms: &algorithms,
        vendor_info: header.vendor_info,
    };
    let mut area = vec![0; 1 << 16];
    let Ok(mut writer) = Writer::new(&mut area, &new) else { return };
    let mut written = Vec::new();
    for event in log.clone().map_while(Result::ok) {
        let digests: Vec<Digest> = event.digests().known().collect();
        let (index, event_type, data) = (event.index(), event.event_type(), event.data());
        let new = NewEvent { index, event_type, digests: &digests, data };
        if writer.append(&new).is_ok() {
            written.push((index, event_type, data, digests));
        }
    }
    let bytes = writer.as_bytes().to_vec();
    let again = Log::open(&bytes).expect("what was written");
    assert_eq!(again.layout(), Layout::Agile);
    let again = again.map(Result::unwrap).map(|event| {
        let mut digests: Vec<Digest> = event.digests().known().collect();
        digests.sort_by_key(Digest::algorithm);
        (event.index(), event.event_type(), event.data(), digests)
    });
    written.iter_mut().for_each(|(.., digests)| digests.sort_by_key(Digest::algorithm));
    assert!(again.eq(written));
}

/// A model of a few lines gives the same values, and they are matched and trusted.
fn replayed(log: &Log<'_>) {
    let mut values: BTreeMap<u32, Digest> = BTreeMap::new();
    let mut broken: Vec<u32> = Vec::new();
    let (mut first, mut extended) = (0_u8, false);
    let bank = Algorithm::Sha1;
    for event in log.clone().map_while(Result::ok) {
        let index = event.index();
        if event.event_type() == EventType::NO_ACTION {
            let locality = event.data().strip_prefix(b"StartupLocality\0");
            let locality =
                locality.and_then(|data| data.first()).filter(|l| [0, 3, 4].contains(*l));
            if let (Some(&locality), 0, false, 0) = (locality, index, extended, first) {
                first = locality | 0x80; // known, whatever it is
            }
            continue;
        }
        if index > 23 {
            continue;
        }
        if index == 0 && !extended {
            extended = true;
            if event.event_type() == EventType::EFI_HCRTM_EVENT {
                first = 4;
            }
        }
        let start = match index {
            0 => {
                let mut start = Digest::zeros(bank);
                start.as_bytes_mut()[19] = first & 0x7F;
                start
            }
            17..=22 => Digest::ones(bank),
            _ => Digest::zeros(bank),
        };
        let value = values.entry(index).or_insert(start);
        match event.digest(bank) {
            Some(digest) => value.extend(&digest).unwrap(),
            None => broken.push(index),
        }
    }
    let mut replay = <Replay>::new(Platform::Tpm, &[bank]).expect("a bank");
    let error = replay.run(log.clone()).error();
    for (&index, &value) in &values {
        let register = Platform::Tpm.register(index).expect("a PCR");
        let found = replay.register(register).expect("it has events");
        let is_broken = broken.contains(&index);
        assert_eq!(found.value(bank), (!is_broken).then_some(value), "{register}");
    }
    // Expecting those values, all of it is trusted, and complete if the log is.
    let mut expecting = <Replay>::new(Platform::Tpm, &[bank]).expect("a bank");
    values.retain(|index, _| !broken.contains(index));
    for (&index, &value) in &values {
        expecting.expect(Platform::Tpm.register(index).expect("a PCR"), value).expect("a bank");
    }
    let finished = expecting.run(log.clone());
    let events: u64 = replay
        .registers()
        .filter(|register| register.value(bank).is_some())
        .map(|register| register.events())
        .sum();
    assert_eq!(finished.events().count() as u64, events);
    let _ = finished.findings().count();
    let holds = (!values.is_empty()).then_some(error.is_none());
    assert_eq!(expecting.holds(), holds);
}

/// Replayed in two parts, with the state saved between, it is the same.
fn split(log: &Log<'_>) {
    let banks: Vec<Algorithm> = log.algorithms().known().collect();
    let Ok(fresh) = <Replay<5>>::new(Platform::Tdx, &banks) else { return };
    let mut whole = fresh.clone();
    let error: Option<Error> = whole.run(log.clone()).error();
    let count = log.clone().map_while(Result::ok).count();
    let mut parts = fresh;
    for event in log.clone().take(count / 2) {
        let _ = parts.push(&event.expect("counted")).expect("in order");
    }
    if count / 2 > 0 {
        let mut out = [0; Replay::<5>::SAVED_MAX];
        let saved = parts.save(&mut out).expect("room");
        parts = Replay::restore(saved).expect("what was saved");
        let rest = log.clone().skip_to(parts.position()).expect("in the log");
        assert_eq!(parts.run(rest).error(), error);
        assert_eq!(parts, whole);
    }
}
