// SPDX-License-Identifier: MIT OR Apache-2.0
//! What an event's digest is made from: how much of what the event says a register vouches for.

use core::fmt;
use core::ops::Range;

use tsm_core::{Algorithm, Digest, Hasher};

use super::data::{Field, Part, PlatformConfig, Variable, ascii_in_utf16, behind_first_space};
use super::event::UntrustedEvent;
use super::event_type::EventType;
use super::trusted::Event;
use crate::aael;

/// What of an event's data a digest covers, found by making the digest again.
///
/// Never covered, by any digest, are the event's **type** ([`OF_TYPE`](Self::OF_TYPE)), and so the
/// meaning of what is covered: a digest says that these bytes were measured, not that they were
/// measured as a variable. Who can alter the log can show the text of a boot loader's command as some
/// other event with the same bytes. A register that only firmware extends narrows that down;
/// [`Finished::secure_boot`](super::Finished::secure_boot) is built on this.
///
/// Which ways of making a digest are tried follows from the type, so a retyped event may be covered in
/// fewer ways, but never in a way that is not true of its bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Coverage {
    /// The digest is made from the data, or from a part of them.
    Covered(Covered),
    /// By the rule of the event's type the digest would be made from the data, and it is not. Somebody
    /// altered the data or the type, or the firmware does not follow the rule: a finding.
    Unequal,
    /// The digest is of something that is not in the event: an image, a file, a table. Also for events
    /// that extend nothing, whatever their digest.
    NotCovered,
    /// There is no digest to compare with, or none whose algorithm is compiled in.
    Unknown,
    /// The digests of several banks cover different parts, or one does and another does not: they were
    /// not made from the same data. A finding. Nothing is covered in all banks.
    BanksDiffer,
}

impl Coverage {
    /// No digest covers an event's type.
    pub const OF_TYPE: FieldCoverage = FieldCoverage::NotCovered;

    /// What a digest covers of the data of an event that does not stand in a TCG log: that of a
    /// canonical event log, say.
    ///
    /// As [`UntrustedEvent::coverage`], which says what it costs.
    #[must_use]
    pub fn of_data(event_type: EventType, data: &[u8], digest: &Digest) -> Self {
        coverage_of(event_type, data, digest)
    }

    /// Whether a field of the event's data is covered.
    #[must_use]
    pub fn of(&self, field: &Field<'_>) -> FieldCoverage {
        let field = field.range();
        match self {
            Self::Covered(Covered { start, end, .. })
                if *start <= field.start && field.end <= *end =>
            {
                FieldCoverage::Covered
            }
            Self::Unequal => FieldCoverage::Unequal,
            Self::Unknown => FieldCoverage::Unknown,
            Self::Covered(_) | Self::NotCovered | Self::BanksDiffer => FieldCoverage::NotCovered,
        }
    }

    /// A name for programs that does not change: that of the [`Rule`], or `unequal`, `not_covered`,
    /// `unknown`, `banks_differ`.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Covered(covered) => covered.rule.name(),
            Self::Unequal => "unequal",
            Self::NotCovered => "not_covered",
            Self::Unknown => "unknown",
            Self::BanksDiffer => "banks_differ",
        }
    }

    /// Whether something is wrong: [`Unequal`](Self::Unequal), [`BanksDiffer`](Self::BanksDiffer).
    #[must_use]
    pub const fn is_finding(&self) -> bool {
        matches!(self, Self::Unequal | Self::BanksDiffer)
    }

    /// Whether all of the data are covered, as they stand there.
    #[must_use]
    pub const fn is_verbatim(&self) -> bool {
        matches!(self, Self::Covered(Covered { rule: Rule::Verbatim, .. }))
    }
}

impl fmt::Display for Coverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Covered(covered) => covered.rule.fmt(f),
            Self::Unequal => f.write_str("not the digest of the data, as it should be"),
            Self::NotCovered => f.write_str("digest of something else"),
            Self::Unknown => f.write_str("no digest to compare with"),
            Self::BanksDiffer => f.write_str("the banks' digests are of different data"),
        }
    }
}

/// The part of an event's data that a digest covers.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Covered {
    rule: Rule,
    start: usize,
    end: usize,
}

impl Covered {
    fn new(rule: Rule, part: Part<'_>) -> Self {
        Self { rule, start: part.offset, end: part.end() }
    }

    /// How the digest is made from it.
    #[must_use]
    pub const fn rule(&self) -> Rule {
        self.rule
    }

    /// Where it stands in the data.
    #[must_use]
    pub const fn range(&self) -> Range<usize> {
        self.start..self.end
    }
}

/// How a digest is made from an event's data.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[non_exhaustive]
pub enum Rule {
    /// From all of the data.
    Verbatim,
    /// From what a variable holds, so that its name and vendor are not covered: `EV_EFI_VARIABLE_BOOT`.
    VariableData,
    /// From all of the data but the last byte, which old versions of shim added:
    /// `EV_EFI_VARIABLE_AUTHORITY`.
    WithoutLastByte,
    /// From the text between the first space and the NUL that ends it, or the end: GRUB.
    Text,
    /// The same with its NUL: older GRUB. A byte behind that, which some versions added, is not
    /// covered.
    TextWithNul,
    /// From all of the data and a zero byte behind them that the log lacks: older systemd-boot, whose
    /// text in UTF-16 ends within its NUL.
    WithMissingByte,
    /// From the text and its NUL in ASCII, while the data have it in UTF-16: systemd-stub.
    AsciiOfUtf16,
    /// From what stands behind a name and a length: td-shim.
    Payload,
}

impl Rule {
    /// A name for programs that does not change: `verbatim`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Verbatim => "verbatim",
            Self::VariableData => "variable_data",
            Self::WithoutLastByte => "without_last_byte",
            Self::Text => "text",
            Self::TextWithNul => "text_with_nul",
            Self::WithMissingByte => "with_missing_byte",
            Self::AsciiOfUtf16 => "ascii_of_utf16",
            Self::Payload => "payload",
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Verbatim => "digest of the data",
            Self::VariableData => "digest of what the variable holds, not of its name",
            Self::WithoutLastByte => "digest of the data without their last byte",
            Self::Text => "digest of the text behind the first space",
            Self::TextWithNul => "digest of the text behind the first space, with its NUL",
            Self::WithMissingByte => "digest of the data and a zero byte behind them",
            Self::AsciiOfUtf16 => "digest of the text in ASCII",
            Self::Payload => "digest of the payload",
        })
    }
}

/// Whether a field of an event's data is covered.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum FieldCoverage {
    /// All of it is.
    Covered,
    /// It should be, and is not.
    Unequal,
    /// It is not, or not all of it.
    NotCovered,
    /// Nobody knows.
    Unknown,
}

impl FieldCoverage {
    /// A name for programs that does not change: `not_covered`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Covered => "covered",
            Self::Unequal => "unequal",
            Self::NotCovered => "not_covered",
            Self::Unknown => "unknown",
        }
    }
}

impl fmt::Display for FieldCoverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotCovered => "not covered",
            other => other.name(),
        })
    }
}

impl UntrustedEvent<'_> {
    /// What of the data the record's digest of an algorithm covers.
    ///
    /// Anybody can write a digest into a log that covers whatever data: this says something only about
    /// a digest that is trusted, [`Event::coverage`].
    ///
    /// Costs at most four hashes of at most the data, and two for all types but `EV_IPL`.
    #[must_use]
    pub fn coverage(&self, algorithm: Algorithm) -> Coverage {
        self.digest(algorithm).map_or(Coverage::Unknown, |digest| self.coverage_of(&digest))
    }

    fn coverage_of(&self, digest: &Digest) -> Coverage {
        coverage_of(self.event_type(), self.data(), digest)
    }
}

fn coverage_of(event_type: EventType, data: &[u8], digest: &Digest) -> Coverage {
    if event_type == EventType::NO_ACTION {
        return Coverage::NotCovered;
    }
    let data = Part::whole(data);
    let is_of = |part: Part<'_>| digest.algorithm().hash(part.bytes) == *digest;
    if is_of(data) {
        return Coverage::Covered(Covered::new(Rule::Verbatim, data));
    }
    let found = match event_type {
        EventType::EFI_VARIABLE_BOOT => Variable::read(data, false)
            .ok()
            .map(|variable| (Rule::VariableData, variable.data_part()))
            .filter(|(_, part)| is_of(*part)),
        EventType::EFI_VARIABLE_AUTHORITY => without_last(data, 1)
            .map(|part| (Rule::WithoutLastByte, part))
            .filter(|(_, part)| is_of(*part)),
        EventType::PLATFORM_CONFIG_FLAGS => PlatformConfig::read(data)
            .map(|config| (Rule::Payload, config.payload_part()))
            .filter(|(_, part)| is_of(*part)),
        EventType::IPL => boot_loader(data, digest, is_of),
        _ => None,
    };
    match found {
        Some((rule, part)) => Coverage::Covered(Covered::new(rule, part)),
        None if is_ruled(event_type, data.bytes) => Coverage::Unequal,
        None => Coverage::NotCovered,
    }
}

/// Whether the digest must be made from the data, by the type's rule.
///
/// Sources: TCG PC Client Platform Firmware Profile 1.06, section 10.4.1; systemd's
/// `src/pcrlock/pcrlock.c` has a similar list. `EV_PLATFORM_CONFIG_FLAGS` is not in it: OVMF does
/// not follow the rule.
fn is_ruled(event_type: EventType, data: &[u8]) -> bool {
    match event_type {
        EventType::SEPARATOR
        | EventType::ACTION
        | EventType::S_CRTM_VERSION
        | EventType::NONHOST_INFO
        | EventType::OMIT_BOOT_DEVICE_EVENTS
        | EventType::EFI_ACTION
        | EventType::EFI_GPT_EVENT
        | EventType::EFI_GPT_EVENT2
        | EventType::EFI_VARIABLE_DRIVER_CONFIG
        | EventType::EFI_VARIABLE_BOOT
        | EventType::EFI_VARIABLE_BOOT2
        | EventType::EFI_VARIABLE_AUTHORITY
        | EventType::EFI_SPDM_DEVICE_POLICY
        | EventType::EFI_SPDM_DEVICE_AUTHORITY => true,
        EventType::EVENT_TAG => aael::Tagged::read(data).is_some(),
        _ => false,
    }
}

/// The ways in which boot loaders make digests from text.
fn boot_loader<'a>(
    data: Part<'a>,
    digest: &Digest,
    is_of: impl Fn(Part<'_>) -> bool,
) -> Option<(Rule, Part<'a>)> {
    if let Some(text) = behind_first_space(data.bytes) {
        let length = text.text_length();
        let parts = [(Rule::Text, length), (Rule::TextWithNul, length.saturating_add(1))];
        let parts = parts.into_iter().filter_map(|(rule, length)| {
            Some((rule, Part { bytes: text.bytes.get(..length)?, ..text }))
        });
        if let Some(found) = parts.into_iter().find(|(_, part)| is_of(*part)) {
            return Some(found);
        }
    }
    // An odd length, and text in UTF-16.
    if let [_, 0, ..] = data.bytes
        && !data.bytes.len().is_multiple_of(2)
    {
        let mut hasher = Hasher::new(digest.algorithm());
        hasher.update(data.bytes);
        hasher.update(&[0]);
        return (hasher.finish() == *digest).then_some((Rule::WithMissingByte, data));
    }
    let text = ascii_in_utf16(data.bytes)?;
    let mut hasher = Hasher::new(digest.algorithm());
    let (mut piece, mut used) = ([0; 64], 0_usize);
    // Units of printable ASCII, see there; then the NUL.
    for byte in text.units().filter_map(|unit| u8::try_from(unit).ok()).chain([0]) {
        if let Some(place) = piece.get_mut(used) {
            *place = byte;
        }
        used = used.saturating_add(1);
        if used == piece.len() {
            hasher.update(&piece);
            used = 0;
        }
    }
    hasher.update(piece.get(..used).unwrap_or_default());
    (hasher.finish() == *digest).then_some((Rule::AsciiOfUtf16, data))
}

fn without_last(part: Part<'_>, count: usize) -> Option<Part<'_>> {
    let length = part.bytes.len().checked_sub(count)?;
    Some(Part { bytes: part.bytes.get(..length)?, ..part })
}

impl<'a> Event<'a> {
    /// What of the data the trusted digests cover: the same in every bank that is.
    ///
    /// Costs as much as [`UntrustedEvent::coverage`] for each of those banks.
    #[must_use]
    pub fn coverage(&self) -> Coverage {
        let mut digests = self.digests().map(|digest| self.untrusted().coverage_of(&digest));
        let Some(first) = digests.next() else { return Coverage::Unknown };
        if digests.all(|other| other == first) { first } else { Coverage::BanksDiffer }
    }

    /// The data, if all of them are covered as they stand there:
    /// [`is_verbatim`](Coverage::is_verbatim).
    ///
    /// `None` does not mean that something is wrong: most types of events have digests of other
    /// things, or of a part of the data.
    #[must_use]
    pub fn covered_data(&self) -> Option<&'a [u8]> {
        self.coverage().is_verbatim().then_some(self.untrusted.data())
    }
}
