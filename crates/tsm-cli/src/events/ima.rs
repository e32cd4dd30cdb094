// SPDX-License-Identifier: MIT OR Apache-2.0
//! Records of IMA measurement lists.

use serde_json::{Value as Json, json};
use tsm_core::{Algorithm, Digest};
use tsm_eventlog::ima::{Bank, Check, Field, FileDigest, List, Replay, UntrustedEntry, Value};
use tsm_eventlog::tcg::FieldCoverage;

use super::content::named;
use super::{Broken, Content, Kind, Opened, Options, Record, Recorded, Source};
use crate::failure::Failure;

/// IMA refuses PCR numbers from here on, so that a list cannot have more registers.
pub(crate) const PCRS: usize = 64;

/// What a list's kind is called.
pub(crate) const fn ima_format(list: &List<'_>) -> &'static str {
    match list {
        List::Ascii(_) => "ima-ascii",
        List::Binary(_) => "ima-binary",
    }
}

pub(super) fn open<'a>(bytes: &'a [u8], options: &Options<'_>) -> crate::Result<Opened<'a>> {
    let usage = |error: tsm_eventlog::Error| Failure::usage(error.to_string());
    let mut list = List::open(bytes).map_err(usage)?;
    let is_sound = |list: &List<'_>| list.clone().all(|entry| entry.is_ok());
    if let List::Binary(binary) = &list
        && !is_sound(&list)
    {
        // Old lists of the template `ima` may have MD5 digests.
        let md5 = List::Binary(binary.clone().md5());
        if is_sound(&md5) {
            list = md5;
        }
    }
    let recorded = match list.clone().next() {
        Some(Ok(entry)) => entry.recorded().algorithm(),
        _ => Algorithm::Sha1,
    };
    let banks = if options.banks.is_empty() { vec![recorded] } else { options.banks.to_vec() };
    let replay = if options.values {
        let banks: Vec<_> = banks.iter().copied().map(Bank::hashed).collect();
        Some(Box::new(Replay::new(&banks).map_err(usage)?))
    } else {
        None
    };
    Ok(Opened {
        format: ima_format(&list),
        header: None,
        about: Vec::new(),
        records: Box::new(Entries { list, banks, replay }),
    })
}

struct Entries<'a> {
    list: List<'a>,
    /// Banks whose digests are shown; those that the list does not have are computed.
    banks: Vec<Algorithm>,
    replay: Option<Box<Replay<PCRS>>>,
}

impl<'a> Iterator for Entries<'a> {
    type Item = Result<Record<'a>, Broken>;

    fn next(&mut self) -> Option<Self::Item> {
        let entry = match self.list.next()? {
            Ok(entry) => entry,
            Err(error) => return Some(Err(error.into())),
        };
        let mut record = record(&entry, &self.banks);
        if let Some(replay) = &mut self.replay {
            if let Err(error) = replay.push(&entry) {
                return Some(Err(error.into()));
            }
            if let Some(register) = replay.register(entry.pcr()) {
                let banks = replay.banks();
                record.values = banks.filter_map(|b| register.value(b.algorithm)).collect();
            }
        }
        Some(Ok(record))
    }
}

impl<'a> Source<'a> for Entries<'a> {}

fn record<'a>(entry: &UntrustedEntry<'a>, banks: &[Algorithm]) -> Record<'a> {
    let check = entry.check();
    let digest = |bank: &Algorithm| -> Recorded {
        let recorded = entry.recorded();
        match check {
            // What the list has is zero.
            Check::Violation => Digest::ones(*bank).into(),
            _ if recorded.algorithm() == *bank => recorded.into(),
            _ => entry.hash(*bank).into(),
        }
    };
    let name = entry.name().unwrap_or_default();
    let text = match check {
        Check::Violation => [b"violation: ", name].concat(),
        Check::Mismatch => [b"digest is not of the record: ", name].concat(),
        Check::Verified => name.to_vec(),
    };
    let covered = match check {
        Check::Verified => FieldCoverage::Covered,
        Check::Mismatch => FieldCoverage::Unequal,
        Check::Violation => FieldCoverage::NotCovered,
    };
    Record {
        place: entry.position().into(),
        register: format!("pcr{}", entry.pcr()),
        kind: Kind::named(String::from_utf8_lossy(entry.template_name())),
        extends: true,
        digests: banks.iter().map(digest).collect(),
        is_of_data: match check {
            Check::Verified => Some(true),
            Check::Mismatch => Some(false),
            Check::Violation => None,
        },
        data: entry.template_data().map(Into::into),
        text: text.into(),
        content: Content::Said(json!({
            "kind": "ima",
            "template": String::from_utf8_lossy(entry.template_name()),
            "name": String::from_utf8_lossy(name),
            "file_digest": entry.file_digest().map(|digest| file_digest(&digest)),
            "is_violation": check == Check::Violation,
            "fields": fields(entry.fields().map_while(Result::ok), covered),
        })),
        values: Vec::new(),
    }
}

/// The fields of a template for JSON.
pub(super) fn fields<'a>(all: impl Iterator<Item = Field<'a>>, covered: FieldCoverage) -> Json {
    let json = |field: Field<'_>| {
        let value = match field.value {
            Value::Digest(digest) => file_digest(&digest).into(),
            Value::Text(text) => String::from_utf8_lossy(text).into(),
            Value::Bytes(bytes) => bytes.to_string().into(),
            Value::Number(number) => number.into(),
            _ => Json::Null,
        };
        named(field.id.name(), value, covered.name(), (None, None))
    };
    all.map(json).collect()
}

/// `sha256:HEX`, as the kernel writes it.
pub(super) fn file_digest(digest: &FileDigest<'_>) -> String {
    let parts = [digest.kind, digest.algorithm].into_iter().filter(|part| !part.is_empty());
    let mut text: String = parts.map(|part| String::from_utf8_lossy(part) + ":").collect();
    text.push_str(&digest.value.to_string());
    text
}
