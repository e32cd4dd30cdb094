// SPDX-License-Identifier: MIT OR Apache-2.0
//! Records of agents in confidential VMs: Confidential Containers' attestation agent, and dstack.

use serde_json::{Value as Json, json};
use tsm_core::Algorithm;
use tsm_core::hex::Hex;
use tsm_eventlog::cel::Check;
use tsm_eventlog::tcg::EventType;
use tsm_eventlog::tcg::data::EventData;
use tsm_eventlog::{aael, dstack};

use super::cel::Replayed;
use super::plain::plain;
use super::{Content, Kind, Opened, Options, Record, Recorded, Text};
use crate::failure::Failure;

pub(super) fn open_aael<'a>(bytes: &'a [u8], options: &Options<'_>) -> crate::Result<Opened<'a>> {
    let register = options.naming.one_register();
    let log = aael::Log::open(bytes, register).map_err(|e| Failure::usage(e.to_string()))?;
    let (bank, name) = (log.init().algorithm(), options.naming.register.clone());
    let about = vec![format!("the log says that it starts at {}", log.init())];
    let start = Some((register, log.init()));
    let adapt = move |line: &aael::UntrustedLine<'a>| (aael_record(line, &name), register);
    Replayed::open(log, adapt, options, &[bank], start, about)
}

fn aael_record<'a>(line: &aael::UntrustedLine<'a>, register: &str) -> Record<'a> {
    let (text, content) = match line.event() {
        Some(event) => aael_content(&event),
        None => {
            let text = String::from_utf8_lossy(line.line());
            (line.line().to_vec(), json!({ "kind": "aael-init", "text": text }))
        }
    };
    Record {
        place: line.position().into(),
        register: register.to_string(),
        kind: Kind::named(if line.event().is_some() { "event" } else { "INIT" }),
        extends: true,
        digests: vec![line.digest().into()],
        is_of_data: Some(true),
        data: Some(line.line().into()),
        text: text.into(),
        content: Content::Said(content),
        values: Vec::new(),
    }
}

/// Domain, operation and content of an event of the attestation agent.
fn aael_content(event: &aael::Event<'_>) -> (Vec<u8>, Json) {
    let (domain, operation, content) = (event.domain(), event.operation(), event.content());
    let json = json!({
        "kind": "aael",
        "domain": domain,
        "operation": operation,
        "content": content,
    });
    (format!("{domain} {operation} {content}").into_bytes(), json)
}

pub(super) fn open_dstack_log<'a>(
    bytes: &'a [u8],
    options: &Options<'_>,
) -> crate::Result<Opened<'a>> {
    let register = options.naming.one_register();
    let name = options.naming.register.clone();
    let adapt = move |event: &dstack::UntrustedEvent<'a>| (dstack_record(event, &name), register);
    let log = dstack::Log::new(bytes, register);
    Replayed::open(log, adapt, options, &[Algorithm::Sha384], None, Vec::new())
}

pub(super) fn open_dstack_events<'a>(
    bytes: &'a [u8],
    options: &Options<'_>,
) -> crate::Result<Opened<'a>> {
    let naming = options.naming.clone();
    let adapt = move |event: &dstack::UntrustedEvent<'a>| {
        (dstack_record(event, &naming.cel(event.register())), event.register())
    };
    let log = dstack::Events::new(bytes);
    Replayed::open(log, adapt, options, &[Algorithm::Sha384], None, Vec::new())
}

fn dstack_record<'a>(event: &dstack::UntrustedEvent<'a>, register: &str) -> Record<'a> {
    let said = event.event();
    let payload: Vec<u8> = said.payload.iter().collect();
    let kind = if event.is_runtime() {
        Kind { number: Some(event.event_type().0.into()), name: Some("dstack".into()) }
    } else {
        Kind::event(event.event_type())
    };
    let version = match said.version {
        dstack::Version::V1 => 1,
        dstack::Version::V2 => 2,
        dstack::Version::Other(version) => version,
        _ => 0,
    };
    let name = said.name.to_string();
    let is_runtime = event.is_runtime();
    let (text, content) = if is_runtime || payload.is_empty() {
        let mut text = name.clone().into_bytes();
        text.push(b' ');
        text.extend(plain(&payload).0);
        let json = json!({
            "kind": "dstack",
            "name": name,
            "payload": Hex(&payload).to_string(),
            "version": version,
        });
        (text.into(), Content::Said(json))
    } else {
        // An event of the firmware, with its data.
        let text = EventData::new(event.event_type(), &payload).to_string();
        (Text::Safe(text), Content::Event(event.event_type()))
    };
    Record {
        place: event.position().into(),
        register: register.to_string(),
        kind,
        extends: event.event_type() != EventType::NO_ACTION,
        digests: event.digest(Algorithm::Sha384).map(Recorded::from).into_iter().collect(),
        is_of_data: match event.check() {
            Check::Verified => Some(true),
            // Those of lines are computed.
            Check::NoDigest if is_runtime => Some(true),
            Check::Mismatch => Some(false),
            _ => None,
        },
        content,
        data: Some(payload.into()),
        text,
        values: Vec::new(),
    }
}
