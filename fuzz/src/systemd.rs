// SPDX-License-Identifier: MIT OR Apache-2.0
//! systemd's log of what it measures in user space.

use tsm_core::Algorithm;
use tsm_eventlog::cel::{Check, Replay};
use tsm_eventlog::systemd::{Log, UntrustedMeasurement};

/// Input: a log.
pub fn systemd(data: &[u8]) {
    let mut log = Log::new(data);
    let mut at = log.next_position();
    while let Some(record) = log.next() {
        let record = match record {
            Ok(record) => record,
            Err(error) => {
                assert_eq!(error.position(), at);
                assert!(log.next().is_none());
                break;
            }
        };
        assert_eq!(record.position(), at);
        at = record.end();
        let text = &data[record.position().offset as usize..at.offset as usize];
        assert!(text.starts_with(&[0x1E]) && text.ends_with(b"\n") && !text[1..].contains(&0x1E));
        let lines = text.iter().filter(|&&byte| byte == b'\n').count() as u64;
        assert_eq!(at.line - record.position().line, lines);
        said(&record);
        crate::cel::rewrite(&record.to_record(7));
    }
    assert_eq!(log.next_position(), at);
    let mut replay = Replay::<16>::new(Algorithm::ALL).expect("banks");
    let _ = replay.run(Log::new(data)).records().count();
}

/// The measured bytes, and nothing else, are hashed.
fn said(record: &UntrustedMeasurement<'_>) {
    let measurement = record.measurement();
    let mut out = vec![0; 1 << 16];
    let measured = measurement.measured(&mut out).map(<[u8]>::to_vec);
    if let (Some(measured), Some(string)) = (&measured, measurement.string()) {
        let plain = string.to_string();
        assert!(plain.contains('\\') || measured == plain.as_bytes());
    }
    assert!(!measurement.is_cut() || measured.is_none());
    for &algorithm in Algorithm::ALL {
        let hash = measured.as_ref().map(|measured| algorithm.hash(measured));
        assert_eq!(measurement.hash(algorithm), hash);
        let digest = record.digests().digest(algorithm);
        match record.check(algorithm) {
            Check::Verified => assert!(digest.is_some() && digest == hash),
            Check::Mismatch => assert!(digest.is_some() && digest != hash),
            Check::NoDigest => assert_eq!(digest, None),
            _ => {}
        }
    }
}
