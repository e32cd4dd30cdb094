// SPDX-License-Identifier: MIT OR Apache-2.0
//! The one error of the crate: what went wrong, and where.

use core::fmt;

use tsm_core::provider::{self, ErrorKind as Refusal};

use crate::config::HashId;
use crate::function::{Function, Versions};
use crate::rule::RemRule;
use crate::status::Status;
use crate::token::Part;

/// What went wrong, and which call or byte shows it.
///
/// `Display` tells what to do about it and ends with the place.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Error {
    kind: ErrorKind,
    place: Place,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Place {
    None,
    Offset(usize),
    Call(Function),
}

impl Error {
    pub(crate) const fn new(kind: ErrorKind) -> Self {
        Self { kind, place: Place::None }
    }

    /// About the byte at `offset` of what is read.
    pub(crate) const fn at(kind: ErrorKind, offset: usize) -> Self {
        Self { kind, place: Place::Offset(offset) }
    }

    /// About a call.
    pub(crate) const fn of(kind: ErrorKind, function: Function) -> Self {
        Self { kind, place: Place::Call(function) }
    }

    /// What went wrong.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The byte of what was read at which it shows; `None` if it is not about bytes.
    #[must_use]
    pub const fn offset(&self) -> Option<usize> {
        match self.place {
            Place::Offset(offset) => Some(offset),
            _ => None,
        }
    }

    /// The call that is to blame; `None` if none is.
    #[must_use]
    pub const fn function(&self) -> Option<Function> {
        match self.place {
            Place::Call(function) => Some(function),
            _ => None,
        }
    }

    /// The RMM's status, if it is what went wrong.
    #[must_use]
    pub const fn status(&self) -> Option<Status> {
        match self.kind {
            ErrorKind::Monitor(status) | ErrorKind::InDoubt(status) => Some(status),
            _ => None,
        }
    }
}

/// What went wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The machine's firmware tables do not say that calls are made by SMC; none was tried.
    Conduit,
    /// There is firmware that answers SMCs, but no RMM: this is no realm.
    NotARealm,
    /// The RMM has no revision of the RSI that this crate knows; it has these.
    Version(Versions),

    /// Refused before the call: a buffer has no intermediate physical address.
    Unmapped,
    /// Refused before the call: a buffer's address lacks the alignment of its type.
    Misaligned,
    /// Refused before the call: a buffer lies in shared memory, which the host can write.
    Shared,

    /// The RMM refused; nothing was done.
    Monitor(Status),
    /// The RMM gave a status of which it is not known whether it comes before the extension.
    InDoubt(Status),
    /// The RMM gave an IPA width that no realm can have.
    IpaWidth,
    /// The realm's hash is one that this crate does not know.
    Hash(HashId),

    /// After an extension, the register had none of the values that the known rules give.
    RuleUnknown,
    /// The register was extended, but by this rule, which was not asked for.
    RuleObserved(RemRule),
    /// Refused before the call: the RMM has been seen to extend by this rule, which was not asked
    /// for.
    RuleRefused(RemRule),

    /// The RMM claims to have written more bytes of token than there was room: so many.
    Overrun(u64),
    /// The RMM was asked very often and made no progress with the token.
    Stalled,
    /// The token is larger than the caller's buffer.
    NoRoom,
    /// The RMM says that the token is complete, and it is empty.
    EmptyToken,

    /// The provider refused the call; the kind says why.
    Refused(Refusal),

    /// The bytes end inside the structure.
    Truncated,
    /// There are bytes behind the structure.
    Trailing,
    /// Not well-formed CBOR.
    Malformed,
    /// A string, array or map of indefinite length.
    Indefinite,
    /// A label that is neither a whole number nor a text.
    Label,
    /// A label that stands twice in a map, or in both headers.
    Duplicate,
    /// More than the limits allow: bytes, claims in a map, or software components.
    Limit,
    /// Another CBOR tag than belongs there.
    Tag(u64),
    /// A part that must be there is not.
    Missing(Part),
    /// A part of another CBOR type than it should have.
    Type(Part),
    /// A part of a size that it cannot have.
    Size(Part),
    /// A part with a value that it cannot have.
    Value(Part),
    /// A realm's or a platform's profile that this crate does not know.
    /// [`profile`](crate::token::profile) tells its name.
    UnknownProfile,
    /// A measurement that is not of the size of the hash that the token names.
    HashSize,
    /// The key is not in the form that belongs to the token's profile.
    KeyForm,
}

impl ErrorKind {
    const fn text(self) -> &'static str {
        match self {
            Self::Conduit => {
                "the firmware's tables do not say that calls are made by SMC; none was tried"
            }
            Self::NotARealm => "this is not a realm: no RMM answers",
            Self::Version(_) => "the RMM has no known revision of the RSI; it has",
            Self::Unmapped => {
                "a buffer has no intermediate physical address; check the address space"
            }
            Self::Misaligned => "a buffer's address is not aligned; check the address space",
            Self::Shared => "a buffer lies in shared memory; make it protected before the call",
            Self::Monitor(_) => "the RMM refused, nothing was done:",
            Self::InDoubt(_) => {
                "the RMM failed, and whether it extended is not known; read the register:"
            }
            Self::IpaWidth => "the RMM gave an address width that no realm can have",
            Self::Hash(_) => "the realm measures with a hash that is not known here:",
            Self::RuleUnknown => {
                "extended, but to a value that no known rule gives; somebody else extends the \
                 register, or the RMM is of an unknown kind"
            }
            Self::RuleObserved(_) => "extended, but by another rule than was asked for:",
            Self::RuleRefused(_) => {
                "not extended: the RMM extends by another rule than was asked for:"
            }
            Self::Overrun(_) => "the RMM claims to have written past the buffer; bytes of token:",
            Self::Stalled => "the RMM made no progress with the token; begin again",
            Self::NoRoom => "the token is larger than the buffer; give more room",
            Self::EmptyToken => "the RMM gave an empty token",
            Self::Refused(_) => "refused:",
            Self::Truncated => "the bytes end before the structure does",
            Self::Trailing => "there are bytes behind the end; give just the token",
            Self::Malformed => "not well-formed CBOR",
            Self::Indefinite => "an item of indefinite length, which tokens may not have",
            Self::Label => "a label that is neither a number nor a text",
            Self::Duplicate => "a label stands twice; which one counts is not defined",
            Self::Limit => "more of it than the limits allow",
            Self::Tag(_) => "another CBOR tag than belongs here:",
            Self::Missing(_) => "lacks what must be there:",
            Self::Type(_) => "of another CBOR type than it must be:",
            Self::Size(_) => "of a size that it cannot have:",
            Self::Value(_) => "of a value that it cannot have:",
            Self::UnknownProfile => "a profile that is not known here; it is not guessed at",
            Self::HashSize => "a measurement's size is not that of the hash that the token names",
            Self::KeyForm => "the public key is not in the form of the token's profile",
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())?;
        match self {
            Self::Version(versions) => write!(f, " {} to {}", versions.lower, versions.higher),
            Self::Monitor(status) | Self::InDoubt(status) => write!(f, " {status}"),
            Self::Hash(id) => write!(f, " {id}"),
            Self::RuleObserved(rule) | Self::RuleRefused(rule) => write!(f, " {rule}"),
            Self::Overrun(size) => write!(f, " {size}"),
            Self::Refused(kind) => write!(f, " {kind}"),
            Self::Tag(tag) => write!(f, " {tag}"),
            Self::Missing(part) | Self::Type(part) | Self::Size(part) | Self::Value(part) => {
                write!(f, " {part}")
            }
            _ => Ok(()),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.kind)?;
        match self.place {
            Place::Offset(offset) => write!(f, " (byte {offset})"),
            Place::Call(function) => write!(f, " ({function})"),
            Place::None => Ok(()),
        }
    }
}

impl core::error::Error for Error {}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        Self::new(ErrorKind::Refused(refusal))
    }
}

impl provider::Error for Error {
    fn kind(&self) -> Refusal {
        match self.kind {
            ErrorKind::Conduit | ErrorKind::NotARealm | ErrorKind::Version(_) => {
                Refusal::Unavailable
            }
            ErrorKind::InDoubt(_) | ErrorKind::RuleUnknown | ErrorKind::RuleObserved(_) => {
                Refusal::StateUnknown
            }
            ErrorKind::Stalled => Refusal::Busy,
            ErrorKind::NoRoom => Refusal::WrongSize,
            ErrorKind::Refused(kind) => kind,
            ErrorKind::Truncated
            | ErrorKind::Trailing
            | ErrorKind::Malformed
            | ErrorKind::Indefinite
            | ErrorKind::Label
            | ErrorKind::Duplicate
            | ErrorKind::Limit
            | ErrorKind::Tag(_)
            | ErrorKind::Missing(_)
            | ErrorKind::Type(_)
            | ErrorKind::Size(_)
            | ErrorKind::Value(_)
            | ErrorKind::UnknownProfile
            | ErrorKind::HashSize
            | ErrorKind::KeyForm => Refusal::InvalidInput,
            _ => Refusal::Failed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn display_ends_with_the_place() {
        let error = Error::of(ErrorKind::Monitor(Status::ERROR_INPUT), Function::MEASUREMENT_READ);
        let text = error.to_string();
        assert!(text.ends_with("RSI_ERROR_INPUT (0x1) (RSI_MEASUREMENT_READ)"), "{text}");
        assert_eq!(error.status(), Some(Status::ERROR_INPUT));
        let error = Error::at(ErrorKind::Size(Part::Challenge), 42);
        assert!(error.to_string().ends_with("challenge (10) (byte 42)"), "{error}");
        assert_eq!((error.offset(), error.function(), error.status()), (Some(42), None, None));
    }

    #[test]
    fn kinds_for_the_core() {
        let kind = |kind| provider::Error::kind(&Error::new(kind));
        assert_eq!(kind(ErrorKind::InDoubt(Status(77))), Refusal::StateUnknown);
        assert_eq!(kind(ErrorKind::RuleObserved(RemRule::Padded)), Refusal::StateUnknown);
        assert_eq!(kind(ErrorKind::RuleRefused(RemRule::Padded)), Refusal::Failed);
        assert_eq!(kind(ErrorKind::Monitor(Status(77))), Refusal::Failed);
        assert_eq!(kind(ErrorKind::NotARealm), Refusal::Unavailable);
        assert_eq!(kind(ErrorKind::NoRoom), Refusal::WrongSize);
        assert_eq!(
            Error::from(Refusal::NoSuchBank).kind(),
            ErrorKind::Refused(Refusal::NoSuchBank)
        );
        let refused = Error::from(Refusal::NoSuchBank);
        assert_eq!(provider::Error::kind(&refused), Refusal::NoSuchBank);
    }
}
