// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a record says: one line about it, the same for JSON, and what its digests cover of it.

use core::fmt;

use serde_json::{Map, Value as Json, json};
use tsm_core::{Algorithm, Digest};
use tsm_eventlog::tcg::data::{EventData, Field, FieldValue, IplKind};
use tsm_eventlog::tcg::{Coverage, EventType};

use super::{Record, Recorded};
use crate::style::Escaped;

/// Where what a record says comes from.
#[derive(Clone, Debug)]
pub(crate) enum Content {
    /// The data are those of an event of this type: they are decoded when somebody asks.
    Event(EventType),
    /// What its format says, by the format's own names. Always has the member `kind`.
    Said(Json),
}

/// One line.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Text {
    /// Bytes of the log, as they came.
    Raw(Vec<u8>),
    /// Made from the log, and escaped where it needed that.
    Safe(String),
}

impl Text {
    /// Not escaped, for JSON.
    pub(crate) fn lossy(&self) -> String {
        match self {
            Self::Raw(bytes) => String::from_utf8_lossy(bytes).into_owned(),
            Self::Safe(text) => text.clone(),
        }
    }

    /// The beginning, safe to be printed.
    pub(crate) fn front(&self, characters: usize) -> String {
        let (text, is_all) = match self {
            Self::Raw(bytes) => {
                // No escape makes a character out of more bytes than that.
                let front = bytes.get(..characters * 4).unwrap_or(bytes);
                (Escaped(front).to_string(), front.len() == bytes.len())
            }
            Self::Safe(text) => (text.clone(), true),
        };
        if is_all && text.chars().count() <= characters {
            return text;
        }
        let mut cut: String = text.chars().take(characters).collect();
        cut.push_str("..");
        cut
    }

    pub(crate) fn ends_with(&self, end: &str) -> bool {
        match self {
            Self::Raw(bytes) => bytes.ends_with(end.as_bytes()),
            Self::Safe(text) => text.ends_with(end),
        }
    }
}

impl From<Vec<u8>> for Text {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Raw(bytes)
    }
}

impl Recorded {
    /// The digest, if its algorithm is known here.
    pub(crate) fn known(&self) -> Option<Digest> {
        Digest::from_bytes(self.bank.parse().ok()?, &self.bytes)
    }
}

impl Record<'_> {
    /// The decoded data, if they are those of an event.
    pub(crate) fn event(&self) -> Option<EventData<'_>> {
        let Content::Event(event_type) = self.content else { return None };
        Some(EventData::new(event_type, self.data.as_deref()?))
    }

    /// What the digests of these banks cover, or all that can be computed; `None` for records that
    /// are no such events.
    pub(crate) fn coverage(&self, banks: Option<&[Algorithm]>) -> Option<Coverage> {
        let Content::Event(event_type) = self.content else { return None };
        let data = self.data.as_deref()?;
        let counts = |digest: &Digest| banks.is_none_or(|b| b.contains(&digest.algorithm()));
        let digests = self.digests.iter().filter_map(Recorded::known).filter(counts);
        let mut found = digests.map(|digest| Coverage::of_data(event_type, data, &digest));
        let Some(first) = found.next() else { return Some(Coverage::Unknown) };
        Some(if found.all(|other| other == first) { first } else { Coverage::BanksDiffer })
    }

    /// What it says, for JSON.
    pub(crate) fn content_json(&self, coverage: Option<Coverage>) -> Json {
        match (&self.content, self.event()) {
            (_, Some(data)) => event_json(&data, coverage.unwrap_or(Coverage::Unknown)),
            (Content::Said(json), None) => json.clone(),
            (Content::Event(_), None) => json!({ "kind": "bytes", "size": 0 }),
        }
    }

    /// What it is about, in a few words that are safe to print: a variable, a file, an application.
    pub(crate) fn subject(&self) -> Option<String> {
        let text = match self.event() {
            Some(EventData::Variable(variable)) => format!("variable {}", variable.name),
            Some(EventData::Image(image)) => image.to_string(),
            Some(EventData::Tagged(tagged)) => tagged.tags().next()?.name()?.to_string(),
            Some(EventData::Ipl(ipl)) if ipl.kind != IplKind::Description => ipl.to_string(),
            Some(_) => return None,
            // Names of files, domains and operations.
            None => return Some(self.text.front(60)).filter(|text| !text.is_empty()),
        };
        Some(Text::Safe(text).front(60))
    }
}

/// `kind`, and every field with what its digests cover.
fn event_json(data: &EventData<'_>, coverage: Coverage) -> Json {
    let mut fields = Vec::new();
    data.fields(&mut |field| fields.push(field_json(&field, coverage.of(&field).name())));
    json!({
        "kind": data.kind(),
        "text": data.to_string(),
        "coverage": coverage.name(),
        "malformed": data.malformed().map(|reason| reason.to_string()),
        "fields": fields,
    })
}

fn field_json(field: &Field<'_>, covered: &str) -> Json {
    let value = match field.value {
        FieldValue::Number(number) | FieldValue::Hex(number) | FieldValue::Named(number, _) => {
            number.into()
        }
        FieldValue::Flag(flag) => flag.into(),
        // As text that says what JSON's own escapes would not.
        _ => field.value.to_string().into(),
    };
    named(field.name, value, covered, (field.item, field.known_as()))
}

/// A field for JSON.
pub(super) fn named(
    name: &str,
    value: Json,
    covered: &str,
    (item, known_as): (Option<u32>, Option<&str>),
) -> Json {
    let mut json = Map::new();
    json.insert("name".into(), name.into());
    json.insert("item".into(), item.into());
    json.insert("value".into(), value);
    json.insert("known_as".into(), known_as.into());
    json.insert("covered".into(), covered.into());
    json.into()
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Raw(bytes) => Escaped(bytes).fmt(f),
            Self::Safe(text) => f.write_str(text),
        }
    }
}
