// SPDX-License-Identifier: MIT OR Apache-2.0
//! dstack's runtime events: lines in the guest, and the array of its interfaces.

use tsm_core::Algorithm;
use tsm_eventlog::Error;
use tsm_eventlog::cel::{Check, Replay};
use tsm_eventlog::dstack::{Events, Log, RUNTIME_EVENT, UntrustedEvent, Version};
use tsm_eventlog::tcg::EventType;

/// Input: lines, or an array.
pub fn dstack(data: &[u8]) {
    let lines = Log::new(data, Log::RTMR3);
    read(lines.clone(), data);
    let events = Events::new(data);
    read(events.clone(), data);
    for event in lines.clone().map_while(Result::ok) {
        assert!(event.is_runtime() && event.recorded().is_empty());
        assert_eq!(event.check(), Check::NoDigest);
    }
    let mut replay = Replay::<16>::new(&[Algorithm::Sha384]).expect("a bank");
    let _ = replay.run(lines).records().count();
    let _ = replay.run(events).records().count();
}

fn read<'a>(mut log: impl Iterator<Item = Result<UntrustedEvent<'a>, Error>>, data: &'a [u8]) {
    let (mut before, mut count) = (0, 0);
    while let Some(event) = log.next() {
        let event = match event {
            Ok(event) => event,
            Err(error) => {
                assert_eq!(error.record(), count);
                assert!(error.offset() <= data.len() as u64);
                assert!(log.next().is_none());
                return;
            }
        };
        let (begin, end) = (event.position().offset, event.end().offset);
        assert!(before <= begin && begin < end && end <= data.len() as u64);
        assert_eq!(event.position().record, count);
        (before, count) = (end, count + 1);
        digests(&event);
        rewrite(&event);
    }
}

/// A runtime event's digest is that of its parts, put together in another way than the library does.
fn digests(event: &UntrustedEvent<'_>) {
    let payload: Vec<u8> = event.event().payload.iter().collect();
    for &algorithm in Algorithm::ALL {
        let digest = event.digest(algorithm);
        if event.is_runtime() {
            assert_eq!(event.event_type(), EventType(RUNTIME_EVENT));
            match event.event().version {
                Version::V1 => {
                    let name = event.event().name.to_string();
                    let kind = RUNTIME_EVENT.to_le_bytes();
                    let hashed = [&kind[..], b":", name.as_bytes(), b":", &payload].concat();
                    assert_eq!(digest, Some(algorithm.hash(&hashed)));
                }
                Version::V2 => assert!(digest.is_some()),
                _ => assert_eq!(digest, None),
            }
        } else {
            let recorded: Vec<u8> = event.recorded().iter().collect();
            assert_eq!(digest.is_some(), recorded.len() == algorithm.size());
            assert!(digest.is_none_or(|digest| digest.as_bytes() == recorded));
        }
    }
    if event.check() == Check::Verified {
        assert!(!event.recorded().is_empty());
    }
}

/// What can be written as a line is read back as the same event, with what is hashed.
fn rewrite(event: &UntrustedEvent<'_>) {
    let event = event.event();
    let mut out = vec![0; 1 << 17];
    let hashed = event.write_hashed(&mut out).map(<[u8]>::to_vec).ok();
    let digest = event.hash(Algorithm::Sha384);
    assert_eq!(hashed.map(|hashed| Algorithm::Sha384.hash(&hashed)), digest);
    let has_colon = event.name.chars().any(|c| c == ':');
    let Ok(line) = event.write_line(&mut out).map(<[u8]>::to_vec) else {
        assert!(has_colon || matches!(event.version, Version::Other(_)));
        return;
    };
    let mut again = Log::new(&line, Log::RTMR3);
    let found = again.next().expect("a line").unwrap_or_else(|e| panic!("{e}: {event:?}"));
    assert_eq!(found.event(), event);
    assert!(again.next().is_none());
}
