// SPDX-License-Identifier: MIT OR Apache-2.0
//! What an inspection finds, whatever it is about.

use tsm_core::hex::Hex;

/// One file.
pub(super) struct Inspection {
    /// A word for what it is, in JSON.
    pub(super) kind: &'static str,
    /// The same for people.
    pub(super) title: String,
    /// Whether a simulator made it, going by what stands in it.
    pub(super) is_simulated: bool,
    pub(super) sections: Vec<Section>,
    pub(super) findings: Vec<Finding>,
    /// What else can be done with it.
    pub(super) see: Vec<String>,
    /// Why it could not be read, or not to its end.
    pub(super) error: Option<Malformed>,
}

/// Fields that belong together.
pub(super) struct Section {
    pub(super) name: &'static str,
    pub(super) fields: Vec<Field>,
}

pub(super) struct Field {
    pub(super) name: String,
    /// As it is shown. Not escaped, like `meaning`.
    pub(super) value: String,
    pub(super) meaning: String,
    /// Where it lies; `None` if it is a summary.
    pub(super) place: Option<Place>,
}

/// Bytes of the file.
pub(super) struct Place {
    pub(super) offset: usize,
    pub(super) size: usize,
    /// The bytes, unless they are many.
    pub(super) bytes: Option<Vec<u8>>,
}

/// Something to know.
pub(super) struct Finding {
    pub(super) kind: &'static str,
    pub(super) offset: Option<usize>,
    pub(super) text: String,
}

/// Why something cannot be read.
pub(super) struct Malformed {
    pub(super) kind: &'static str,
    pub(super) offset: Option<usize>,
    /// Ends with the place.
    pub(super) text: String,
}

impl Inspection {
    pub(super) const fn new(kind: &'static str, title: String) -> Self {
        Self {
            kind,
            title,
            is_simulated: false,
            sections: Vec::new(),
            findings: Vec::new(),
            see: Vec::new(),
            error: None,
        }
    }

    pub(super) fn malformed(kind: &'static str, title: &str, error: Malformed) -> Self {
        Self { error: Some(error), ..Self::new(kind, title.to_string()) }
    }

    pub(super) fn unknown(error: Malformed) -> Self {
        Self::malformed("unknown", "unknown", error)
    }
}

impl Finding {
    pub(super) fn at(kind: &'static str, offset: usize, text: impl Into<String>) -> Self {
        Self { kind, offset: Some(offset), text: text.into() }
    }

    /// About the whole.
    pub(super) fn general(kind: &'static str, text: impl Into<String>) -> Self {
        Self { kind, offset: None, text: text.into() }
    }
}

impl Malformed {
    pub(super) fn general(kind: &'static str, text: impl Into<String>) -> Self {
        Self { kind, offset: None, text: text.into() }
    }
}

/// Makes a section of parts of a file's bytes.
pub(super) struct Fields<'b> {
    whole: &'b [u8],
    section: Section,
}

impl<'b> Fields<'b> {
    /// Of this many bytes a field's bytes are kept for JSON: the largest digest and REPORTDATA.
    const KEPT: usize = 64;

    pub(super) const fn new(name: &'static str, whole: &'b [u8]) -> Self {
        Self { whole, section: Section { name, fields: Vec::new() } }
    }

    /// Adds a field whose value is shown as this.
    pub(super) fn add(
        &mut self,
        name: impl Into<String>,
        part: &'b [u8],
        value: impl ToString,
        meaning: impl Into<String>,
    ) {
        let place = Place {
            offset: offset(self.whole, part),
            size: part.len(),
            bytes: (part.len() <= Self::KEPT).then(|| part.to_vec()),
        };
        self.section.fields.push(Field {
            name: name.into(),
            value: value.to_string(),
            meaning: meaning.into(),
            place: Some(place),
        });
    }

    /// Adds a field that is just bytes.
    pub(super) fn bytes(
        &mut self,
        name: impl Into<String>,
        part: &'b [u8],
        meaning: impl Into<String>,
    ) {
        self.add(name, part, hex_or_zero(part), meaning);
    }

    /// Adds reserved bytes.
    pub(super) fn reserved(&mut self, part: &'b [u8]) {
        self.add("reserved", part, hex_or_zero(part), "should be zero");
    }

    pub(super) fn section(self) -> Section {
        self.section
    }
}

/// Where a part of `whole`, which it must be, begins in it.
pub(super) fn offset(whole: &[u8], part: &[u8]) -> usize {
    part.as_ptr().addr().wrapping_sub(whole.as_ptr().addr())
}

pub(super) fn is_zero(bytes: &[u8]) -> bool {
    bytes.iter().all(|&byte| byte == 0)
}

fn hex_or_zero(bytes: &[u8]) -> String {
    if is_zero(bytes) { "zero".into() } else { Hex(bytes).to_string() }
}

/// A little-endian number of at most 8 bytes.
pub(super) fn number(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |number, &byte| number << 8 | u64::from(byte))
}
