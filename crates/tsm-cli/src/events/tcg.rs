// SPDX-License-Identifier: MIT OR Apache-2.0
//! Records of TCG logs: TCG2, CCEL, and the SHA-1 format.

use serde_json::{Value as Json, json};
use tsm_core::hex::Hex;
use tsm_core::{Algorithm, Digest};
use tsm_eventlog::registers::RegisterIndex;
use tsm_eventlog::tcg::{Log, Replay, SpecId, UntrustedEvent};

use super::plain::plain;
use super::{
    Broken, Content, End, Kind, Opened, Options, Record, Recorded, Source, Text, bank_name,
};
use crate::args::Format;
use crate::failure::Failure;
use crate::naming::Naming;

/// Opens a log of one of these formats.
pub(crate) fn open_tcg(bytes: &[u8], format: Format) -> crate::Result<Log<'_>> {
    match format {
        Format::TcgSha1 => Ok(Log::sha1(bytes)),
        _ => Log::open(bytes).map_err(|error| Failure::usage(error.to_string())),
    }
}

pub(super) fn open<'a>(bytes: &'a [u8], options: &Options<'_>) -> crate::Result<Opened<'a>> {
    let log = open_tcg(bytes, options.format)?;
    let banks: Vec<_> = match options.banks {
        [] => log.algorithms().known().take(Algorithm::MAX).collect(),
        banks => banks.to_vec(),
    };
    let replay = if options.values && !banks.is_empty() {
        let replay = Replay::new(options.naming.platform, &banks);
        Some(Box::new(replay.map_err(|error| Failure::usage(error.to_string()))?))
    } else {
        None
    };
    Ok(Opened {
        format: options.format.name(),
        header: log.header().map(header_json),
        about: log.header().map(header_line).into_iter().collect(),
        records: Box::new(Events { log, naming: options.naming.clone(), replay }),
    })
}

struct Events<'a> {
    log: Log<'a>,
    naming: Naming,
    /// For the registers' values.
    replay: Option<Box<Replay<24>>>,
}

impl<'a> Iterator for Events<'a> {
    type Item = Result<Record<'a>, Broken>;

    fn next(&mut self) -> Option<Self::Item> {
        let event = match self.log.next()? {
            Ok(event) => event,
            Err(error) => return Some(Err(error.into())),
        };
        let mut record = record(&event, &self.naming);
        if let Some(replay) = &mut self.replay {
            if let Err(error) = replay.push(&event) {
                return Some(Err(error.into()));
            }
            let index = index(&event, &self.naming).filter(|_| record.extends);
            if let Some(register) = index.and_then(|index| replay.register(index)) {
                record.values = replay.banks().filter_map(|bank| register.value(bank)).collect();
            }
        }
        Some(Ok(record))
    }
}

impl<'a> Source<'a> for Events<'a> {
    fn end(&self) -> Option<End> {
        let end = self.log.end()?;
        Some(End::of_tcg(end, self.log.next_position().offset))
    }
}

fn record<'a>(event: &UntrustedEvent<'a>, naming: &Naming) -> Record<'a> {
    let extendable = index(event, naming).is_some_and(RegisterIndex::is_extendable);
    Record {
        place: event.position().into(),
        register: naming.tcg(event.index()),
        kind: Kind::event(event.event_type()),
        extends: extendable && !event.is_no_action(),
        digests: digests(event),
        is_of_data: is_of_data(event),
        data: Some(event.data().into()),
        text: Text::Safe(event.decode().to_string()),
        content: Content::Event(event.event_type()),
        values: Vec::new(),
    }
}

fn index(event: &UntrustedEvent<'_>, naming: &Naming) -> Option<RegisterIndex> {
    naming.platform.register(event.index())
}

fn digests(event: &UntrustedEvent<'_>) -> Vec<Recorded> {
    let digests = event.digests().into_iter();
    digests
        .map(|(id, bytes)| Recorded { bank: bank_name(id.into()), bytes: bytes.to_vec() })
        .collect()
}

/// Whether all digests that can be computed here are those of the data.
fn is_of_data(event: &UntrustedEvent<'_>) -> Option<bool> {
    let is_of = |digest: Digest| digest == digest.algorithm().hash(event.data());
    let mut known = event.digests().known().filter(|_| !event.is_no_action()).peekable();
    known.peek()?;
    Some(known.all(is_of))
}

fn header_json(header: &SpecId<'_>) -> Json {
    let algorithms = header.algorithms.iter();
    let algorithms: Vec<_> = algorithms
        .map(|listed| {
            json!({ "id": listed.id, "name": bank_name(listed.id.into()), "size": listed.size })
        })
        .collect();
    let (major, minor) = header.version;
    json!({
        "index": header.index,
        "version": format!("{major}.{minor}"),
        "errata": header.errata,
        "platform_class": header.platform_class,
        "uintn_size": header.uintn_size,
        "algorithms": algorithms,
        "vendor_info": Hex(header.vendor_info).to_string(),
    })
}

fn header_line(header: &SpecId<'_>) -> String {
    let banks: Vec<_> =
        header.algorithms.iter().map(|listed| bank_name(listed.id.into())).collect();
    let (major, minor) = header.version;
    let class = match header.platform_class {
        0 => "client".to_string(),
        1 => "server".to_string(),
        other => format!("class {other}"),
    };
    let vendor = match String::from_utf8(plain(header.vendor_info).0) {
        Ok(text) if !text.is_empty() => format!(", vendor info {text}"),
        _ => String::new(),
    };
    let signature = if header.has_signature { "" } else { " (without its signature)" };
    format!(
        "Spec ID event{signature}: version {major}.{minor} errata {}, {class}, register {}, banks \
         {}{vendor}",
        header.errata,
        header.index,
        banks.join(" ")
    )
}
