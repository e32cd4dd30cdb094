// SPDX-License-Identifier: MIT OR Apache-2.0
//! Records of canonical event logs, and the loop for all logs that are replayed like them.

use serde_json::json;
use tsm_core::hex::Hex;
use tsm_core::{Algorithm, Digest};
use tsm_eventlog::cel::{
    self, Check, CosKind, Digests, EventLabel, Label, Log, Management, Register, Replay,
    UntrustedRecord, Value,
};
use tsm_eventlog::ima::{self, Endian, Fields};
use tsm_eventlog::tcg::data::EventData;
use tsm_eventlog::tcg::{EventType, FieldCoverage};
use tsm_eventlog::{Bytes, Error};

use super::ima::{fields as ima_fields, file_digest};
use super::plain::plain;
use super::systemd::measurement;
use super::{
    Broken, Content, Kind, Opened, Options, REGISTERS, Record, Recorded, Source, Text, bank_name,
};
use crate::failure::Failure;
use crate::naming::Naming;

pub(super) fn open<'a>(bytes: &'a [u8], options: &Options<'_>) -> crate::Result<Opened<'a>> {
    let log = Log::new(bytes, options.format.encoding().unwrap_or(cel::Encoding::Tlv));
    let banks = banks_of(log.clone().map_while(Result::ok).map(|record| record.record().digests));
    let naming = options.naming.clone();
    let adapt =
        move |found: &UntrustedRecord<'a>| (record(found, &naming), found.record().register);
    Replayed::open(log, adapt, options, &banks, None, Vec::new())
}

/// A log whose records [`Replay`] takes.
pub(super) struct Replayed<L, F> {
    log: L,
    adapt: F,
    replay: Option<Box<Replay<REGISTERS>>>,
}

impl<L, F> Replayed<L, F> {
    /// `adapt` makes a record of one of the log's, and names the register for the replay, which
    /// starts as given.
    pub(super) fn open<'a, R>(
        log: L,
        adapt: F,
        options: &Options<'_>,
        banks: &[Algorithm],
        start: Option<(Register, Digest)>,
        about: Vec<String>,
    ) -> crate::Result<Opened<'a>>
    where
        R: cel::Replayed,
        L: Iterator<Item = Result<R, Error>> + 'a,
        F: Fn(&R) -> (Record<'a>, Register) + 'a,
    {
        let usage = |error: Error| Failure::usage(error.to_string());
        let banks = if options.banks.is_empty() { banks } else { options.banks };
        let mut replay = None;
        if options.values && !banks.is_empty() {
            let mut new = Box::new(Replay::new(banks).map_err(usage)?);
            if let Some((register, value)) = start.filter(|s| banks.contains(&s.1.algorithm())) {
                new.start(register, value).map_err(usage)?;
            }
            replay = Some(new);
        }
        let records = Box::new(Self { log, adapt, replay });
        Ok(Opened { format: options.format.name(), header: None, about, records })
    }
}

impl<'a, R, L, F> Iterator for Replayed<L, F>
where
    R: cel::Replayed,
    L: Iterator<Item = Result<R, Error>>,
    F: Fn(&R) -> (Record<'a>, Register),
{
    type Item = Result<Record<'a>, Broken>;

    fn next(&mut self) -> Option<Self::Item> {
        let found = match self.log.next()? {
            Ok(found) => found,
            Err(error) => return Some(Err(error.into())),
        };
        let (mut record, register) = (self.adapt)(&found);
        if let Some(replay) = &mut self.replay {
            if let Err(error) = replay.push(&found) {
                return Some(Err(error.into()));
            }
            if let Some(state) = replay.register(register).filter(|_| record.extends) {
                record.values = replay.banks().filter_map(|bank| state.value(bank)).collect();
            }
        }
        Some(Ok(record))
    }
}

impl<'a, R, L, F> Source<'a> for Replayed<L, F>
where
    R: cel::Replayed,
    L: Iterator<Item = Result<R, Error>>,
    F: Fn(&R) -> (Record<'a>, Register),
{
}

/// The algorithms of which records have digests, in the order in which they come.
pub(crate) fn banks_of<'a>(digests: impl Iterator<Item = Digests<'a>>) -> Vec<Algorithm> {
    let mut banks = Vec::new();
    for recorded in digests.flatten() {
        let found = Algorithm::ALL.iter().copied().find(|bank| recorded.of(*bank).is_some());
        if let Some(bank) = found.filter(|bank| !banks.contains(bank)) {
            banks.push(bank);
        }
    }
    banks
}

pub(super) fn recorded(digests: Digests<'_>) -> Vec<Recorded> {
    let one = |recorded: cel::RecordedDigest<'_>| Recorded {
        bank: match recorded.algorithm {
            Label::Number(id) => bank_name(id),
            Label::Name(name) => name.to_string().into(),
        },
        bytes: recorded.digest.iter().collect(),
    };
    digests.iter().map(one).collect()
}

/// What comparing the first digest that can be computed here with the content gives.
pub(super) fn is_of_data(record: &cel::Record<'_>) -> Option<bool> {
    let known = Algorithm::ALL.iter().find(|bank| record.digests.digest(**bank).is_some())?;
    match record.check(*known) {
        Check::Verified => Some(true),
        Check::Mismatch => Some(false),
        _ => None,
    }
}

fn record<'a>(found: &UntrustedRecord<'a>, naming: &Naming) -> Record<'a> {
    let record = found.record();
    let (kind, data, text, content) = content(record);
    Record {
        place: found.position().into(),
        register: naming.cel(record.register),
        kind,
        extends: record.is_measured(),
        digests: recorded(record.digests),
        is_of_data: is_of_data(record),
        data: data.map(Into::into),
        text,
        content,
        values: Vec::new(),
    }
}

/// Type, data, line and what it says.
type Said = (Kind, Option<Vec<u8>>, Text, Content);

fn content(record: &cel::Record<'_>) -> Said {
    let content = &record.content;
    let kind = |name: &str| Kind { number: content.number(), name: Some(name.into()) };
    let bytes = |bytes: &Bytes<'_>| bytes.iter().collect::<Vec<u8>>();
    match content {
        cel::Content::Management(events) => {
            let text: Vec<_> = events.iter().map(|event| management(&event)).collect();
            let text = text.join("; ");
            let json = json!({ "kind": "management", "text": text });
            (kind("cel"), None, text.into_bytes().into(), Content::Said(json))
        }
        cel::Content::PcClientStd { event_type: EventLabel::Number(number), data } => {
            let (event_type, data) = (EventType(*number), bytes(data));
            let text = Text::Safe(EventData::new(event_type, &data).to_string());
            (Kind::event(event_type), Some(data), text, Content::Event(event_type))
        }
        cel::Content::PcClientStd { event_type: EventLabel::Name(name), data } => {
            with_bytes(Kind::named(name.to_string()), bytes(data))
        }
        cel::Content::ImaTemplate { name, data } => {
            template(record, &name.to_string(), bytes(data))
        }
        cel::Content::Systemd(found) => {
            let (kind, text, said) = measurement(found);
            (kind, None, text, said)
        }
        cel::Content::Cos(data) => cos(kind("cos"), bytes(data), content),
        cel::Content::ImaTlv(data) => with_bytes(kind("ima_tlv"), bytes(data)),
        cel::Content::SystemdBytes(data) => with_bytes(kind("systemd"), bytes(data)),
        cel::Content::Other(other) => {
            let name = match other.content_type {
                Label::Name(name) => Some(name.to_string()),
                Label::Number(_) => None,
            };
            let data = match other.value {
                Value::Bytes(data) => bytes(&data),
                Value::Cbor(written) | Value::Json(written) => written.to_vec(),
            };
            with_bytes(Kind { number: content.number(), name }, data)
        }
        _ => with_bytes(Kind { number: content.number(), name: None }, Vec::new()),
    }
}

fn with_bytes(kind: Kind, data: Vec<u8>) -> Said {
    let (text, json) = plain(&data);
    (kind, Some(data), text.into(), Content::Said(json))
}

/// An entry of IMA. Its numbers are in the byte order of a machine that the log does not name:
/// little endian, as all are that have confidential VMs.
fn template(record: &cel::Record<'_>, name: &str, data: Vec<u8>) -> Said {
    let all = || Fields::of_data(name.as_bytes(), &data, Endian::Little).map_while(Result::ok);
    let text = all().find_map(|field| match field.value {
        ima::Value::Text(text) => Some(text.to_vec()),
        _ => None,
    });
    let digest = all().find_map(|field| match field.value {
        ima::Value::Digest(digest) => Some(file_digest(&digest)),
        _ => None,
    });
    let covered = match is_of_data(record) {
        Some(true) => FieldCoverage::Covered,
        Some(false) if !record.is_violation() => FieldCoverage::Unequal,
        Some(false) => FieldCoverage::NotCovered,
        None => FieldCoverage::Unknown,
    };
    let json = json!({
        "kind": "ima",
        "template": name,
        "name": String::from_utf8_lossy(text.as_deref().unwrap_or_default()),
        "file_digest": digest,
        "is_violation": record.is_violation(),
        "fields": ima_fields(all(), covered),
    });
    let kind = Kind { number: record.content.number(), name: Some(name.into()) };
    let text = text.unwrap_or_else(|| plain(&data).0);
    (kind, Some(data), text.into(), Content::Said(json))
}

fn cos(kind: Kind, data: Vec<u8>, content: &cel::Content<'_>) -> Said {
    let Some(Ok(found)) = content.cos() else { return with_bytes(kind, data) };
    let name = match found.kind {
        CosKind::ImageReference => "image-reference",
        CosKind::ImageDigest => "image-digest",
        CosKind::RestartPolicy => "restart-policy",
        CosKind::ImageId => "image-id",
        CosKind::Argument => "argument",
        CosKind::EnvironmentVariable => "environment-variable",
        CosKind::OverrideArgument => "override-argument",
        CosKind::OverrideEnvironment => "override-environment",
        CosKind::LaunchSeparator => "launch-separator",
        CosKind::MemoryMonitor => "memory-monitor",
        CosKind::GpuMode => "gpu-mode",
        CosKind::GpuAttestationBinding => "gpu-attestation-binding",
        _ => "other",
    };
    let json = json!({
        "kind": "cos",
        "event": name,
        "text": found.text(),
        "value": Hex(found.value).to_string(),
    });
    let text = [name.as_bytes(), b" ", &plain(found.value).0].concat();
    (kind, Some(data), text.into(), Content::Said(json))
}

fn management(event: &Management<'_>) -> String {
    match event {
        Management::Version { major, minor } => format!("cel_version {major}.{minor}"),
        Management::FirmwareEnd => "firmware_end".into(),
        Management::Timestamp { time, .. } => format!("cel_timestamp {time}"),
        Management::StateTransition { transition, .. } => {
            let name = transition.name().map(str::to_string);
            format!("state_trans {}", name.unwrap_or_else(|| transition.number().to_string()))
        }
        Management::Other { kind, .. } => format!("event of type {kind}"),
        _ => "another event".into(),
    }
}
