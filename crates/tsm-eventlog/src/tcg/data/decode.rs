// SPDX-License-Identifier: MIT OR Apache-2.0
//! From an event's type to the structure of its data.

use core::fmt;

use tsm_core::hex::Hex;

use super::blob::{FirmwareBlob, HandoffTables};
use super::described::{Action, Description, NonHostInfo, PlatformConfig, Version, Words};
use super::field::{Field, FieldValue, Walk};
use super::gpt::Gpt;
use super::image::ImageLoad;
use super::ipl::Ipl;
use super::no_action::NoAction;
use super::part::{Part, Reason};
use super::separator::SeparatorData;
use super::tagged::Tagged;
use super::variable::Variable;
use crate::tcg::{EventType, UntrustedEvent};

/// What an event's data say, if they are what the event's type promises.
///
/// Nothing here is trusted: the type is never covered by a digest, and the data only in part. What is,
/// [`Coverage`](crate::tcg::Coverage) tells, field by field.
///
/// Decoding never fails: data that are not of their type's format are [`Raw`](Self::Raw), and what a
/// sound structure has inside that cannot be read is handed out by [`fields`](Self::fields) as it came.
///
/// `Display` shows the event in one line that is safe to print.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum EventData<'a> {
    /// A separator.
    Separator(SeparatorData<'a>),
    /// What was done, in words.
    Action(Action<'a>),
    /// A variable, or a certificate in its form.
    Variable(Variable<'a>),
    /// An application or driver that was loaded.
    Image(ImageLoad<'a>),
    /// A partition table.
    Gpt(Gpt<'a>),
    /// Firmware in memory.
    FirmwareBlob(FirmwareBlob<'a>),
    /// Tables in memory.
    HandoffTables(HandoffTables<'a>),
    /// A version.
    Version(Version<'a>),
    /// What protects the machine's memory, as Google tells it.
    NonHostInfo(NonHostInfo<'a>),
    /// Settings with what was measured of them.
    PlatformConfig(PlatformConfig<'a>),
    /// Tags.
    Tagged(Tagged<'a>),
    /// Text of a boot loader.
    Ipl(Ipl<'a>),
    /// An event that extends nothing.
    NoAction(NoAction<'a>),
    /// A text, of a type that has no format of its own or has this as one of several.
    Description(Description<'a>),
    /// Bytes of no known format, or not of the one they should have.
    Raw(Raw<'a>),
}

impl<'a> UntrustedEvent<'a> {
    /// Decodes the data after the rules of the event's type.
    ///
    /// Work is linear in the data; what is asked of the structures later is so too.
    #[must_use]
    pub fn decode(&self) -> EventData<'a> {
        EventData::new(self.event_type(), self.data())
    }
}

impl<'a> EventData<'a> {
    /// Decodes data that do not stand in a TCG log.
    #[must_use]
    pub fn new(event_type: EventType, data: &'a [u8]) -> Self {
        let part = Part::whole(data);
        Self::read(event_type, part).unwrap_or_else(|reason| Self::Raw(Raw { bytes: data, reason }))
    }

    fn read(event_type: EventType, part: Part<'a>) -> Result<Self, Reason> {
        Ok(match event_type {
            EventType::SEPARATOR => Self::Separator(SeparatorData::read(part)),
            EventType::ACTION | EventType::EFI_ACTION | EventType::OMIT_BOOT_DEVICE_EVENTS => {
                Self::Action(Action::read(part))
            }
            EventType::EFI_VARIABLE_AUTHORITY | EventType::EFI_SPDM_DEVICE_AUTHORITY => {
                Self::Variable(Variable::read(part, true)?)
            }
            EventType::EFI_VARIABLE_DRIVER_CONFIG
            | EventType::EFI_VARIABLE_BOOT
            | EventType::EFI_VARIABLE_BOOT2
            | EventType::EFI_SPDM_DEVICE_POLICY => Self::Variable(Variable::read(part, false)?),
            EventType::EFI_BOOT_SERVICES_APPLICATION
            | EventType::EFI_BOOT_SERVICES_DRIVER
            | EventType::EFI_RUNTIME_SERVICES_DRIVER => {
                Self::Image(ImageLoad::read(part, event_type)?)
            }
            EventType::EFI_GPT_EVENT | EventType::EFI_GPT_EVENT2 => Self::Gpt(Gpt::read(part)?),
            EventType::EFI_PLATFORM_FIRMWARE_BLOB => {
                Self::FirmwareBlob(FirmwareBlob::read(part, false)?)
            }
            EventType::EFI_PLATFORM_FIRMWARE_BLOB2 | EventType::POST_CODE2 => {
                Self::FirmwareBlob(FirmwareBlob::read(part, true)?)
            }
            EventType::EFI_HANDOFF_TABLES => Self::HandoffTables(HandoffTables::read(part, false)?),
            EventType::EFI_HANDOFF_TABLES2 => Self::HandoffTables(HandoffTables::read(part, true)?),
            EventType::S_CRTM_VERSION => Self::Version(Version::read(part)),
            EventType::EVENT_TAG => Self::Tagged(Tagged::read(part)?),
            EventType::NO_ACTION => Self::NoAction(NoAction::read(part)),
            _ => return Self::with_several_forms(event_type, part).ok_or(Reason::NoFormat),
        })
    }

    /// Types whose data may be a text.
    fn with_several_forms(event_type: EventType, part: Part<'a>) -> Option<Self> {
        let own = match event_type {
            EventType::IPL => Ipl::read(part).map(Self::Ipl),
            EventType::NONHOST_INFO => NonHostInfo::read(part).map(Self::NonHostInfo),
            EventType::PLATFORM_CONFIG_FLAGS => {
                PlatformConfig::read(part).map(Self::PlatformConfig)
            }
            // Base and length, or a text; one of 16 characters is a text.
            EventType::POST_CODE | EventType::S_CRTM_CONTENTS
                if part.bytes.len() == 16 && Words::read(part.bytes).is_none() =>
            {
                FirmwareBlob::read(part, false).ok().map(Self::FirmwareBlob)
            }
            _ => None,
        };
        own.or_else(|| Description::read(part).map(Self::Description))
    }

    /// What the structure is called, for programs; it does not change: `handoff_tables`.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Separator(_) => "separator",
            Self::Action(_) => "action",
            Self::Variable(_) => "variable",
            Self::Image(_) => "image",
            Self::Gpt(_) => "gpt",
            Self::FirmwareBlob(_) => "firmware_blob",
            Self::HandoffTables(_) => "handoff_tables",
            Self::Version(_) => "version",
            Self::NonHostInfo(_) => "non_host_info",
            Self::PlatformConfig(_) => "platform_config",
            Self::Tagged(_) => "tagged",
            Self::Ipl(_) => "ipl",
            Self::NoAction(_) => "no_action",
            Self::Description(_) => "description",
            Self::Raw(_) => "raw",
        }
    }

    /// Hands out the fields, one after another. Together they have all bytes of the data.
    pub fn fields(&self, to: &mut dyn FnMut(Field<'a>)) {
        match self {
            Self::Separator(data) => data.fields(to),
            Self::Action(data) => data.fields(to),
            Self::Variable(data) => data.fields(to),
            Self::Image(data) => data.fields(to),
            Self::Gpt(data) => data.fields(to),
            Self::FirmwareBlob(data) => data.fields(to),
            Self::HandoffTables(data) => data.fields(to),
            Self::Version(data) => data.fields(to),
            Self::NonHostInfo(data) => data.fields(to),
            Self::PlatformConfig(data) => data.fields(to),
            Self::Tagged(data) => data.fields(to),
            Self::Ipl(data) => data.fields(to),
            Self::NoAction(data) => data.fields(to),
            Self::Description(data) => data.fields(to),
            Self::Raw(data) => data.fields(to),
        }
    }

    /// The first reason why some of the data are not of the format that they should have; `None` if
    /// all are, or no format is known. Reads all of the data.
    #[must_use]
    pub fn malformed(&self) -> Option<Reason> {
        let mut found = None;
        self.fields(&mut |field| {
            if let FieldValue::Unread(_, reason) = field.value
                && reason.is_malformed()
            {
                found.get_or_insert(reason);
            }
        });
        found
    }
}

impl fmt::Display for EventData<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Separator(data) => data.fmt(f),
            Self::Action(data) => data.text.fmt(f),
            Self::Variable(data) => data.fmt(f),
            Self::Image(data) => data.fmt(f),
            Self::Gpt(data) => data.fmt(f),
            Self::FirmwareBlob(data) => data.fmt(f),
            Self::HandoffTables(data) => data.fmt(f),
            Self::Version(data) => data.fmt(f),
            Self::NonHostInfo(data) => data.fmt(f),
            Self::PlatformConfig(data) => data.fmt(f),
            Self::Tagged(data) => data.fmt(f),
            Self::Ipl(data) => data.fmt(f),
            Self::NoAction(data) => data.fmt(f),
            Self::Description(data) => data.words.fmt(f),
            Self::Raw(data) => data.fmt(f),
        }
    }
}

/// Data as they came, and why.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Raw<'a> {
    /// The data.
    pub bytes: &'a [u8],
    /// Why.
    pub reason: Reason,
}

impl<'a> Raw<'a> {
    fn fields(&self, to: &mut dyn FnMut(Field<'a>)) {
        let reason = self.reason;
        Walk::over(Part::whole(self.bytes), to, |walk| {
            // Also if there are none: the reason is told here.
            walk.field("data", self.bytes.len(), |bytes| FieldValue::Unread(bytes, reason))
        });
    }
}

impl fmt::Display for Raw<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Short(self.bytes).fmt(f)?;
        if self.reason.is_malformed() { write!(f, " (malformed: {})", self.reason) } else { Ok(()) }
    }
}

/// Bytes in one line: text if they are one, otherwise some of them in hexadecimal.
pub(super) struct Short<'a>(pub(super) &'a [u8]);

impl fmt::Display for Short<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        /// Bytes that are shown.
        const SHOWN: usize = 16;
        if let Some(words) = Words::read(self.0) {
            return write!(f, "\"{words}\"");
        }
        match self.0 {
            [] => f.write_str("(empty)"),
            bytes if bytes.len() <= SHOWN => Hex(bytes).fmt(f),
            bytes => {
                let front = bytes.get(..SHOWN).unwrap_or(bytes);
                write!(f, "{}... ({} bytes)", Hex(front), bytes.len())
            }
        }
    }
}
