// SPDX-License-Identifier: MIT OR Apache-2.0
//! What records say was measured.

use core::iter::FusedIterator;

use tsm_core::{Algorithm, Digest};

use super::cos::Cos;
use super::record::Label;
use super::tlv::{self, Tlvs, management, types};
use crate::bytes::Bytes;
use crate::error::ErrorKind;
use crate::out::{Out, hash};
use crate::systemd::Measurement;
use crate::tcg::EventType;
use crate::text::Text;

/// The content of a record (CEL 1.1, table 2). No digest covers its type.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Content<'a> {
    /// `cel` (4): events of the log itself.
    Management(Managements<'a>),
    /// `pcclient_std` (5): an event of firmware or a boot loader, as in a TCG2 log.
    PcClientStd {
        /// Its type. No digest covers it.
        event_type: EventLabel<'a>,
        /// Its data.
        data: Bytes<'a>,
    },
    /// `ima_template` (7): an entry of IMA.
    ImaTemplate {
        /// The template's name. No digest covers it.
        name: Text<'a>,
        /// The template data, as in the binary list.
        data: Bytes<'a>,
    },
    /// `ima_tlv` (8): TLVs of path, hash, signature and others.
    ImaTlv(Bytes<'a>),
    /// `systemd` (9) as the specification has it: the bytes that were measured.
    SystemdBytes(Bytes<'a>),
    /// `systemd` as systemd itself writes it in JSON: a string, cut and escaped, and where it comes
    /// from.
    Systemd(Measurement<'a>),
    /// Type 80, of Google's Confidential Space: one TLV; see [`Content::cos`].
    Cos(Bytes<'a>),
    /// Any other, and those above when their value is of a kind that is not known here.
    Other(Other<'a>),
}

/// Content that is not known here.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Other<'a> {
    /// Its type.
    pub content_type: Label<'a>,
    /// Its value.
    pub value: Value<'a>,
}

/// A value that is not known here, as it was found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Value<'a> {
    /// Bytes: the value of a TLV, a byte string of CBOR, hexadecimal in JSON.
    Bytes(Bytes<'a>),
    /// Another item of CBOR, as it is written.
    Cbor(&'a [u8]),
    /// Another value of JSON, as it is written.
    Json(&'a [u8]),
}

impl<'a> Content<'a> {
    /// The number of its type; `None` if it only has a name.
    #[must_use]
    pub const fn number(&self) -> Option<u64> {
        Some(match self {
            Self::Management(_) => types::MANAGEMENT,
            Self::PcClientStd { .. } => types::PCCLIENT_STD,
            Self::ImaTemplate { .. } => types::IMA_TEMPLATE,
            Self::ImaTlv(_) => types::IMA_TLV,
            Self::SystemdBytes(_) | Self::Systemd(_) => types::SYSTEMD,
            Self::Cos(_) => types::COS,
            Self::Other(Other { content_type: Label::Number(number), .. }) => *number,
            Self::Other(_) => return None,
        })
    }

    /// Whether a record of this content extends its register.
    #[must_use]
    pub fn is_measured(&self) -> bool {
        match self {
            Self::Management(events) => !events
                .iter()
                .all(|event| matches!(event, Management::Version { .. } | Management::FirmwareEnd)),
            Self::PcClientStd { event_type, .. } => !event_type.is(EventType::NO_ACTION),
            _ => true,
        }
    }

    /// The locality from which the TPM was started, if this tells it: PCR 0 starts with that number
    /// (TCG PC Client Platform Firmware Profile 1.06, section 10.4.5.3). Only the front counts, as
    /// some firmware writes more.
    #[must_use]
    pub fn startup_locality(&self) -> Option<u8> {
        let Self::PcClientStd { event_type, data } = self else { return None };
        if !event_type.is(EventType::NO_ACTION) {
            return None;
        }
        let mut data = data.iter();
        let is_it = b"StartupLocality\0".iter().all(|&byte| data.next() == Some(byte));
        data.next().filter(|_| is_it)
    }

    /// What Google's Confidential Space says.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Encoding`] if it is not exactly one TLV. `None` if the content is not of that type
    /// or, read from JSON, not there as bytes.
    #[must_use]
    pub fn cos(&self) -> Option<Result<Cos<'a>, ErrorKind>> {
        match self {
            Self::Cos(bytes) => bytes.as_raw().map(Cos::read),
            _ => None,
        }
    }

    /// The digest that the content should have; `None` if that cannot be told.
    ///
    /// - `pcclient_std`: of the data, if it is not of something else.
    /// - `ima_template`: of the template data. Not told for the template `ima`, whose data the kernel
    ///   hashes in another form than its list has.
    /// - `ima_tlv`, type 80: of the content as TLV. For `ima_tlv` that is inferred.
    /// - `systemd`: of the measured bytes, if they are all there.
    #[must_use]
    pub fn hash(&self, algorithm: Algorithm) -> Option<Digest> {
        Some(match self {
            Self::PcClientStd { data, .. } => hash(algorithm, |out| out.put_bytes(*data)),
            Self::ImaTemplate { name, .. } if *name == "ima" => return None,
            Self::ImaTemplate { data, .. } => hash(algorithm, |out| out.put_bytes(*data)),
            Self::ImaTlv(_) | Self::Cos(_) => hash(algorithm, |out| tlv::write_content(out, self)),
            Self::SystemdBytes(bytes) => hash(algorithm, |out| out.put_bytes(*bytes)),
            Self::Systemd(measurement) => measurement.hash(algorithm)?,
            Self::Management(_) | Self::Other(_) => return None,
        })
    }

    /// Whether its digest may be of something that the record does not hold.
    pub(super) fn may_be_of_something_else(&self) -> bool {
        match self {
            Self::PcClientStd { .. } | Self::Management(_) | Self::Other(_) => true,
            Self::Systemd(measurement) => measurement.may_be_keyed(),
            _ => false,
        }
    }
}

/// The type of an event: a number, or a name that has none here.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum EventLabel<'a> {
    /// A number.
    Number(u32),
    /// A name.
    Name(Text<'a>),
}

impl<'a> EventLabel<'a> {
    /// The type of this name, as a number if it is a known one. JSON has names like
    /// `EV_EFI_ACTION`; some writers use lower case, and systemd a number as a string for types that it
    /// does not know.
    #[must_use]
    pub fn from_name(name: Text<'a>) -> Self {
        let is_it = |known: &&EventType| {
            let mut chars = name.chars();
            let mut is = |c: char| chars.next().is_some_and(|other| other.eq_ignore_ascii_case(&c));
            let known = known.name().unwrap_or_default();
            "EV_".chars().chain(known.chars()).all(&mut is) && chars.next().is_none()
        };
        if let Some(known) = EventType::KNOWN.iter().find(is_it) {
            return Self::Number(known.0);
        }
        let number = name.as_str().filter(|name| name.starts_with(|c: char| c.is_ascii_digit()));
        number.and_then(|number| number.parse().ok()).map_or(Self::Name(name), Self::Number)
    }

    /// Whether it is this type.
    #[must_use]
    pub fn is(&self, event_type: EventType) -> bool {
        *self == Self::Number(event_type.0)
    }
}

impl From<EventType> for EventLabel<'_> {
    fn from(event_type: EventType) -> Self {
        Self::Number(event_type.0)
    }
}

/// An event of the log itself (CEL 1.1, table 3).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Management<'a> {
    /// The version of the specification. Not measured.
    Version {
        /// 1.
        major: u16,
        /// 1.
        minor: u16,
    },
    /// The firmware's records end here. Not measured.
    FirmwareEnd,
    /// A time. Measured.
    Timestamp {
        /// In seconds, or in milliseconds: the specification says both.
        time: u64,
        /// The writer's.
        dialect: Dialect,
    },
    /// The machine changes its state. Measured.
    StateTransition {
        /// How.
        transition: StateTransition,
        /// The writer's.
        dialect: Dialect,
    },
    /// Another event. Measured, as far as is known.
    Other {
        /// Its type.
        kind: Label<'a>,
        /// Its data.
        data: Value<'a>,
    },
}

impl Management<'_> {
    pub(super) const fn number(&self) -> Option<u64> {
        Some(match self {
            Self::Version { .. } => management::VERSION,
            Self::FirmwareEnd => management::FIRMWARE_END,
            Self::Timestamp { dialect: Dialect::Decimal, .. } => management::TIMESTAMP,
            Self::Timestamp { .. } => management::TIMESTAMP_HEX,
            Self::StateTransition { dialect: Dialect::Decimal, .. } => management::STATE_TRANSITION,
            Self::StateTransition { .. } => management::STATE_TRANSITION_HEX,
            Self::Other { kind: Label::Number(number), .. } => *number,
            Self::Other { .. } => return None,
        })
    }
}

/// How a writer understood the numbers 80 and 81 of `cel_timestamp` and `state_trans`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Dialect {
    /// As decimal: 80 and 81. In JSON, where they have names, always this.
    #[default]
    Decimal,
    /// As hexadecimal: 128 and 129.
    Hexadecimal,
}

impl Dialect {
    pub(super) const fn of(number: u64) -> Self {
        match number {
            management::TIMESTAMP_HEX | management::STATE_TRANSITION_HEX => Self::Hexadecimal,
            _ => Self::Decimal,
        }
    }
}

/// A change of the machine's state (CEL 1.1, table 8).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum StateTransition {
    /// 0.
    Suspend,
    /// 1.
    Hibernate,
    /// 2.
    Kexec,
    /// Another.
    Other(u64),
}

impl StateTransition {
    const NAMED: [(Self, &'static str); 3] =
        [(Self::Suspend, "suspend"), (Self::Hibernate, "hibernate"), (Self::Kexec, "kexec")];

    /// The transition of this number.
    #[must_use]
    pub const fn of(number: u64) -> Self {
        match number {
            0 => Self::Suspend,
            1 => Self::Hibernate,
            2 => Self::Kexec,
            other => Self::Other(other),
        }
    }

    /// Its number.
    #[must_use]
    pub const fn number(self) -> u64 {
        match self {
            Self::Suspend => 0,
            Self::Hibernate => 1,
            Self::Kexec => 2,
            Self::Other(other) => other,
        }
    }

    /// Its name in JSON.
    #[must_use]
    pub fn name(self) -> Option<&'static str> {
        Self::NAMED.iter().find(|named| named.0 == self).map(|named| named.1)
    }

    pub(super) fn from_name(name: Text<'_>) -> Option<Self> {
        Self::NAMED.iter().find(|named| name.eq_ignore_ascii_case(named.1)).map(|named| named.0)
    }
}

/// The events of a management record: one, but TLV has room for more.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Managements<'a>(Repr<'a>);

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Repr<'a> {
    One(Management<'a>),
    /// Not one TLV.
    Tlv(&'a [u8]),
}

impl<'a> Managements<'a> {
    pub(super) fn tlv(nested: &'a [u8]) -> Result<Self, ErrorKind> {
        let mut one = None;
        let mut count = 0_u64;
        for tlv in Tlvs::new(nested) {
            one = Some(tlv::read_management(tlv?)?);
            count = count.saturating_add(1);
        }
        match one {
            Some(one) if count == 1 => Ok(one.into()),
            Some(_) => Ok(Self(Repr::Tlv(nested))),
            None => Err(ErrorKind::Member),
        }
    }

    /// The event, if it is one.
    #[must_use]
    pub const fn one(&self) -> Option<Management<'a>> {
        match self.0 {
            Repr::One(one) => Some(one),
            Repr::Tlv(_) => None,
        }
    }

    /// The events, at least one.
    #[must_use]
    pub const fn iter(&self) -> ManagementsIter<'a> {
        match self.0 {
            Repr::One(one) => ManagementsIter { one: Some(one), rest: Tlvs::new(&[]) },
            Repr::Tlv(nested) => ManagementsIter { one: None, rest: Tlvs::new(nested) },
        }
    }
}

impl<'a> From<Management<'a>> for Managements<'a> {
    fn from(one: Management<'a>) -> Self {
        Self(Repr::One(one))
    }
}

impl<'a> IntoIterator for Managements<'a> {
    type Item = Management<'a>;
    type IntoIter = ManagementsIter<'a>;

    fn into_iter(self) -> ManagementsIter<'a> {
        self.iter()
    }
}

/// The iterator of [`Managements::iter`].
#[derive(Clone, Debug)]
pub struct ManagementsIter<'a> {
    one: Option<Management<'a>>,
    rest: Tlvs<'a>,
}

impl<'a> Iterator for ManagementsIter<'a> {
    type Item = Management<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        // Checked when it was made, so there is no error.
        self.one.take().or_else(|| tlv::read_management(self.rest.next()?.ok()?).ok())
    }
}

impl FusedIterator for ManagementsIter<'_> {}
