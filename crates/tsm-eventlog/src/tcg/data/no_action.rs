// SPDX-License-Identifier: MIT OR Apache-2.0
//! Events that only tell something. They are never extended, so nothing vouches for them.

use core::fmt;

use super::decode::Short;
use super::described::{Words, walk_words};
use super::field::{Field, FieldValue, Walk};
use super::guid::Guid;
use super::part::{Part, Reason};
use super::tagged::Tagged;
use super::text::RawText;

/// The data of an event of the type `EV_NO_ACTION` (TCG PC Client Platform Firmware Profile 1.06, section
/// 10.4.5).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct NoAction<'a> {
    part: Part<'a>,
    /// What it tells.
    pub kind: NoActionKind<'a>,
}

/// What an event that extends nothing tells.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum NoActionKind<'a> {
    /// The version of the log's format: `Spec ID Event03`. In logs of the SHA-1 format 00 or 02; in
    /// others it is the header, or a second one.
    SpecId(RawText<'a>),
    /// The locality from which the TPM was started.
    StartupLocality(u8),
    /// Where reference measurements of the firmware are (NIST SP 800-155): the number of the form, 1 to
    /// 3, and the manifest's GUID.
    ReferenceManifest {
        /// 1, 2 or 3.
        form: u8,
        /// The manifest's.
        guid: Guid,
    },
    /// Tags, as Windows writes them.
    Tagged(Tagged<'a>),
    /// Something else.
    Other,
}

impl<'a> NoAction<'a> {
    pub(super) fn read(part: Part<'a>) -> Self {
        Self { part, kind: Self::kind(part) }
    }

    fn kind(part: Part<'a>) -> NoActionKind<'a> {
        let mut rest = part;
        let Ok(signature) = rest.array::<16>() else { return NoActionKind::Other };
        match &signature {
            b"Spec ID Event00\0" | b"Spec ID Event02\0" | b"Spec ID Event03\0" => {
                NoActionKind::SpecId(RawText(part.bytes.get(..15).unwrap_or_default()))
            }
            b"StartupLocality\0" => match rest.u8() {
                Ok(locality) => NoActionKind::StartupLocality(locality),
                Err(_) => NoActionKind::Other,
            },
            b"SP800-155 Event\0" => Self::manifest(1, rest),
            b"SP800-155 Event2" => Self::manifest(2, rest),
            b"SP800-155 Event3" => Self::manifest(3, rest),
            // Only what has a sound aggregation of Windows' in front.
            _ => match Tagged::read(part) {
                Ok(tagged) if tagged.tags().next().is_some_and(|tag| tag.nested().is_some()) => {
                    NoActionKind::Tagged(tagged)
                }
                _ => NoActionKind::Other,
            },
        }
    }

    fn manifest(form: u8, mut rest: Part<'a>) -> NoActionKind<'a> {
        match rest.u32().and_then(|_vendor| rest.guid()) {
            Ok(guid) => NoActionKind::ReferenceManifest { form, guid },
            Err(_) => NoActionKind::Other,
        }
    }

    pub(super) fn fields(&self, to: &mut dyn FnMut(Field<'a>)) {
        match self.kind {
            NoActionKind::Tagged(tagged) => tagged.fields(to),
            NoActionKind::SpecId(version) => {
                Walk::over(self.part, to, |walk| spec_id_fields(walk, version.0.ends_with(b"03")));
            }
            NoActionKind::ReferenceManifest { form, .. } => {
                Walk::over(self.part, to, |walk| manifest_fields(walk, form));
            }
            NoActionKind::StartupLocality(_) => Walk::over(self.part, to, |walk| {
                walk.text("signature", 15)?;
                walk.bytes("terminator", 1)?;
                walk.count("startup_locality", 1)?;
                walk.all("trailing", FieldValue::Bytes)
            }),
            NoActionKind::Other => Walk::over(self.part, to, |walk| walk_words(walk, "data")),
        }
    }
}

fn spec_id_fields(walk: &mut Walk<'_, '_>, has_algorithms: bool) -> Result<(), Reason> {
    walk.text("signature", 15)?;
    walk.bytes("terminator", 1)?;
    walk.count("platform_class", 4)?;
    walk.count("version_minor", 1)?;
    walk.count("version_major", 1)?;
    walk.count("errata", 1)?;
    walk.count("uintn_size", 1)?;
    if has_algorithms {
        let count = walk.count("algorithm_count", 4)?;
        for item in 0..u32::try_from(count).unwrap_or(u32::MAX) {
            walk.item(Some(item));
            walk.hex("algorithm", 2)?;
            walk.count("digest_size", 2)?;
        }
        walk.item(None);
    }
    let vendor = walk.count("vendor_info_size", 1)?;
    walk.within(vendor, |walk| walk_words(walk, "vendor_info"))
}

fn manifest_fields(walk: &mut Walk<'_, '_>, form: u8) -> Result<(), Reason> {
    if form == 1 {
        walk.text("signature", 15)?;
        walk.bytes("terminator", 1)?;
    } else {
        walk.text("signature", 16)?;
    }
    walk.hex("platform_manufacturer_id", 4)?;
    walk.guid("reference_manifest_guid")?;
    if form == 1 {
        return Ok(());
    }
    sized(walk, "platform_manufacturer")?;
    sized(walk, "platform_model")?;
    sized(walk, "platform_version")?;
    sized(walk, "firmware_manufacturer")?;
    walk.hex("firmware_manufacturer_id", 4)?;
    sized(walk, "firmware_version")?;
    if form == 2 {
        return Ok(());
    }
    locator(walk, "manifest_locator")?;
    locator(walk, "certificate_locator")?;
    walk.terminator()
}

/// Text behind a length of one byte, which counts the NUL.
fn sized(walk: &mut Walk<'_, '_>, name: &'static str) -> Result<(), Reason> {
    let length = walk.count("length", 1)?;
    walk.within(length, |walk| {
        let text = walk.rest().text_length();
        walk.text(name, text)?;
        walk.terminator()
    })
}

/// Kind, length and place of something.
fn locator(walk: &mut Walk<'_, '_>, name: &'static str) -> Result<(), Reason> {
    let kind = walk.number("locator_type", 4, |number| {
        let name = match number {
            0 => Some("raw"),
            1 => Some("URI"),
            2 => Some("device path"),
            3 => Some("variable"),
            _ => None,
        };
        FieldValue::Named(number, name)
    })?;
    let length = walk.count("locator_length", 4)?;
    if kind == 2 {
        return walk.path(name, length);
    }
    walk.within(length, |walk| {
        // The variable's vendor first.
        if kind == 3 {
            walk.guid("vendor_guid")?;
        }
        walk_words(walk, name)
    })
}

impl fmt::Display for NoAction<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            NoActionKind::SpecId(version) => version.fmt(f),
            NoActionKind::StartupLocality(locality) => write!(f, "start-up locality {locality}"),
            NoActionKind::ReferenceManifest { guid, .. } => write!(f, "reference manifest {guid}"),
            NoActionKind::Tagged(tagged) => tagged.fmt(f),
            NoActionKind::Other => match Words::read(self.part.bytes) {
                Some(words) => write!(f, "\"{words}\""),
                None => Short(self.part.bytes).fmt(f),
            },
        }
    }
}
