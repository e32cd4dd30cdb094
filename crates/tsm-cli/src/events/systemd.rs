// SPDX-License-Identifier: MIT OR Apache-2.0
//! Records of systemd's log of user space, and what systemd says in canonical event logs.

use serde_json::json;
use tsm_eventlog::systemd::{Log, Measurement, UntrustedMeasurement};

use super::cel::{Replayed, banks_of, is_of_data, recorded};
use super::{Content, Kind, Opened, Options, Record, Text};

pub(super) fn open<'a>(bytes: &'a [u8], options: &Options<'_>) -> crate::Result<Opened<'a>> {
    let log = Log::new(bytes);
    let banks = banks_of(log.clone().map_while(Result::ok).map(|record| record.digests()));
    let naming = options.naming.clone();
    let adapt = move |found: &UntrustedMeasurement<'a>| {
        let register = found.register();
        let (kind, text, content) = measurement(found.measurement());
        let record = Record {
            place: found.position().into(),
            register: naming.cel(register),
            kind,
            extends: true,
            digests: recorded(found.digests()),
            is_of_data: is_of_data(&found.to_record(0)),
            data: None,
            text,
            content,
            values: Vec::new(),
        };
        (record, register)
    };
    Replayed::open(log, adapt, options, &banks, None, Vec::new())
}

/// Type, line and content of what systemd measured.
pub(super) fn measurement(found: &Measurement<'_>) -> (Kind, Text, Content) {
    let text = |text: Option<tsm_eventlog::Text<'_>>| text.map(|text| text.to_string());
    let (string, kind) = (text(found.string()), text(found.event_type()));
    let content = json!({
        "kind": "systemd",
        "event_type": kind,
        "string": string,
        "is_cut": found.is_cut(),
        "boot_id": text(found.boot_id()),
        "timestamp": found.timestamp(),
        "nv_index_name": text(found.nv_index_name()),
    });
    let kind = Kind { number: None, name: kind };
    (kind, string.unwrap_or_default().into_bytes().into(), Content::Said(content))
}
