// SPDX-License-Identifier: MIT OR Apache-2.0
//! Why the state of Secure Boot cannot be told.

use core::fmt;

use crate::error::Position;

/// Why the state of Secure Boot is not known, and at which event that shows.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub struct Refusal {
    /// Why.
    pub kind: RefusalKind,
    /// Where the record begins; `None` if it is not about one.
    pub position: Option<Position>,
}

/// Reasons of a [`Refusal`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum RefusalKind {
    /// The register has no trusted events: no value is expected, or the log does not lead to it.
    NotTrusted,
    /// The run did not begin with the register's first event.
    NotFromStart,
    /// An event of a type that does not belong here.
    EventType,
    /// The digest of an event is not made from its data, in some bank at least.
    NotCovered,
    /// The data are not of the form that the type has.
    Malformed,
    /// A separator that is shown as another type, or the other way round.
    SeparatorType,
    /// A separator that tells of an error, or is not of firmware.
    SeparatorValue,
    /// A second separator.
    SecondSeparator,
    /// No separator.
    NoSeparator,
    /// `SecureBoot`, `PK`, `KEK`, `db` and `dbx` are not all there, each once, in this order.
    Variables,
    /// A variable behind the separator.
    VariableLate,
    /// A variable that does not belong here, or is there twice.
    OtherVariable,
    /// Something vouched under the name of a variable that does not vouch.
    AuthorityName,
    /// `SecureBoot` is neither 0 nor 1, nor absent.
    Value,
    /// Firmware says that it can be debugged.
    DebugMode,
    /// Secure Boot is on, and nothing vouched for what was loaded, or a list is empty that must not
    /// be.
    NoAuthority,
}

impl RefusalKind {
    /// A name for programs that does not change: `not_covered`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::NotTrusted => "not_trusted",
            Self::NotFromStart => "not_from_start",
            Self::EventType => "event_type",
            Self::NotCovered => "not_covered",
            Self::Malformed => "malformed",
            Self::SeparatorType => "separator_type",
            Self::SeparatorValue => "separator_value",
            Self::SecondSeparator => "second_separator",
            Self::NoSeparator => "no_separator",
            Self::Variables => "variables",
            Self::VariableLate => "variable_late",
            Self::OtherVariable => "other_variable",
            Self::AuthorityName => "authority_name",
            Self::Value => "value",
            Self::DebugMode => "debug_mode",
            Self::NoAuthority => "no_authority",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            RefusalKind::NotTrusted => {
                "no trusted events: give the register's value from signed evidence"
            }
            RefusalKind::NotFromStart => "the first events are missing: replay the whole log",
            RefusalKind::EventType => "an event of a type that does not belong there",
            RefusalKind::NotCovered => "an event whose digest is not that of its data",
            RefusalKind::Malformed => "an event whose data are not of its type's form",
            RefusalKind::SeparatorType => "a separator's digest and type contradict each other",
            RefusalKind::SeparatorValue => "the separator tells of an error",
            RefusalKind::SecondSeparator => "a second separator",
            RefusalKind::NoSeparator => "no separator",
            RefusalKind::Variables => {
                "SecureBoot, PK, KEK, db and dbx are not all there once, in this order"
            }
            RefusalKind::VariableLate => "a variable behind the separator",
            RefusalKind::OtherVariable => "a variable that does not belong there, or a second time",
            RefusalKind::AuthorityName => "a variable that vouches for nothing, shown as doing so",
            RefusalKind::Value => "SecureBoot is neither 0 nor 1",
            RefusalKind::DebugMode => "firmware in debug mode",
            RefusalKind::NoAuthority => {
                "Secure Boot is on, but nothing vouched for what was loaded, or a key is missing"
            }
        })?;
        match self.position {
            Some(position) => {
                write!(f, " (record {}, byte {})", position.record, position.offset)
            }
            None => Ok(()),
        }
    }
}

impl core::error::Error for Refusal {}
