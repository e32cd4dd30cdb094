// SPDX-License-Identifier: MIT OR Apache-2.0
//! Guessing a log's format.

use tsm_eventlog::ima::{Ascii, Binary, List};
use tsm_eventlog::tcg::Log;
use tsm_eventlog::{Format, detect as of};

/// Input: what might be a log.
pub fn detect(data: &[u8]) {
    let found = of(data);
    let opened = List::open(data);
    match found {
        None => assert!(opened.is_err()),
        Some(Format::ImaBinary(layout)) => {
            assert!(matches!(opened, Ok(List::Binary(ref list)) if list.layout() == layout));
            let first = Binary::new(data, layout).next();
            let first = first.expect("a record").expect("a sound record");
            assert!(first.pcr() < 64 && first.fields().all(|field| field.is_ok()));
            // What follows the first record has no say.
            let alone = &data[..first.end().offset as usize];
            assert_eq!(of(alone), found);
        }
        Some(Format::ImaAscii { digest, endian }) => {
            assert!(matches!(opened, Ok(List::Ascii(_))));
            assert!(data.len() > 3 && data[2] == b' ');
            let digits = &data[3..][..2 * digest.size()];
            assert!(digits.iter().all(|b| b"0123456789abcdef".contains(b)));
            if let Some(Ok(first)) = Ascii::new(data).endian(endian).next() {
                assert_eq!(first.recorded().algorithm(), digest);
                assert_eq!(of(&data[..first.end().offset as usize]), found);
            }
        }
        Some(Format::TcgSha1) => assert!(opened.is_err() && Log::open(data).is_ok()),
        // A Spec ID event may contradict itself.
        Some(Format::Tcg2 | Format::Ccel) => assert!(opened.is_err()),
        Some(
            Format::Cel(_)
            | Format::Systemd
            | Format::Aael
            | Format::DstackLog
            | Format::DstackEvents,
        ) => assert!(opened.is_err()),
        Some(other) => panic!("{other:?} is new here"),
    }
    // A record log is none of these.
    if data.starts_with(b"SYNC ") || data.starts_with(b"# ") || data.is_empty() {
        assert_eq!(found, None);
    }
}
