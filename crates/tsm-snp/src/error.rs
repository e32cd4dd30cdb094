// SPDX-License-Identifier: MIT OR Apache-2.0
//! The one error of the crate: what went wrong, and where.

use core::fmt;

use tsm_core::provider::{self, ErrorKind as Refusal};

use crate::status::{FirmwareStatus, HostStatus, MessageStatus};

/// What went wrong, and which byte shows it.
///
/// `Display` tells what to do about it and ends with the place.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Error {
    kind: ErrorKind,
    offset: Option<usize>,
}

impl Error {
    pub(crate) const fn new(kind: ErrorKind) -> Self {
        Self { kind, offset: None }
    }

    /// About the byte at `offset` of what is read.
    pub(crate) const fn at(kind: ErrorKind, offset: usize) -> Self {
        Self { kind, offset: Some(offset) }
    }

    /// For channels that are not of this crate: nothing was sent, and why.
    #[must_use]
    pub const fn not_sent() -> Self {
        Self::new(ErrorKind::NotSent)
    }

    /// What went wrong.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The byte of what was read at which it shows; `None` if it is not about bytes.
    #[must_use]
    pub const fn offset(&self) -> Option<usize> {
        self.offset
    }
}

/// What went wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The processor says that this is not an SNP guest; VMGEXIT would go nowhere.
    NotAnSnpGuest,
    /// The GHCB is for ring 0, and this is not.
    NotPrivileged,
    /// Memory for the GHCB or for messages is not whole pages, or not aligned to a page.
    Misaligned,
    /// Two pieces of memory for the GHCB and for messages overlap.
    Overlapping,
    /// The host did not register the GHCB, or answered something else; what the MSR had.
    NotRegistered(u64),
    /// The channel did not send. The message is still in flight: repeat the request.
    NotSent,
    /// The channel has no memory for certificates.
    NoCertificateMemory,

    /// The secrets page has no such key: it was taken, or was never there.
    NoKey,
    /// The secrets page is of an unknown version.
    SecretsVersion(u32),
    /// The counter in the secrets page is odd: somebody left a message in flight.
    Counter,
    /// The key was destroyed, and why. There is no way back but a new start of the guest.
    Disabled(Cause),
    /// The key cannot be handed on: a message is in flight, and only this conversation knows it.
    InFlight,
    /// The host stayed busy. The message is still in flight: repeat the request.
    Busy,
    /// The firmware answered, and refused.
    Message(MessageStatus),
    /// The firmware answered with the report of other data or another VMPL, or of another size.
    NotAsAsked,

    /// The provider refused the call; the kind says why.
    Refused(Refusal),

    /// The bytes end inside the structure.
    Truncated,
    /// A structure of another size than its kind has, or lengths in it that do not add up.
    Size,
    /// A version that this crate does not know, or that was not allowed.
    Version(u32),
    /// Bytes that must be zero are not.
    Reserved,
    /// A GUID or signature that is not the structure's.
    Signature,
    /// A value that the field cannot have.
    Value,
    /// More entries than the limit.
    Count,
    /// The same entry twice.
    Duplicate,
    /// Two entries share bytes, or one lies over the table.
    Overlap,
    /// An entry ends behind its structure's end.
    Range,
    /// A table without its end.
    Unterminated,
    /// A register's name that is none, or that stands there twice.
    Name,
    /// An algorithm that is not known, or that stands there twice.
    Algorithm,
    /// A register of which the manifest says that it was never extended, and whose value is not
    /// the initial one.
    NeverExtended,
    /// REPORT_DATA is not what the nonce and the manifest, or the claims, make.
    Binding,
    /// The report is not of the VMPL that alone can vouch for a register bank.
    Vmpl(u32),
}

/// Why a key was destroyed. After each of these, the next message could repeat a nonce.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Cause {
    /// The firmware failed, as the host says.
    Firmware(FirmwareStatus),
    /// The host failed, with a status that is not known or cannot be an answer to this.
    Host(HostStatus),
    /// The host did not handle the exit: bits 31:0 of its first exit information, and the second.
    Unhandled(u32, u64),
    /// The host left its exit information unmarked.
    Undefined,
    /// The response has another sequence number than request + 1. Zero: there is no response.
    Sequence(u64),
    /// The response is of another type than request + 1.
    MessageType(u8),
    /// Another field of the response's header is wrong.
    Header,
    /// The response says a size that this request's response cannot have.
    MessageSize(u16),
    /// The response does not authenticate.
    Unauthentic,
    /// All sequence numbers are used up.
    UsedUp,
    /// The cipher refused.
    Cipher,
    /// The caller abandoned a message in flight.
    Abandoned,
}

impl Cause {
    const fn text(self) -> &'static str {
        match self {
            Self::Firmware(_) => "the firmware failed:",
            Self::Host(_) => "the host failed:",
            Self::Unhandled(..) => "the host did not handle the exit; its exit information is",
            Self::Undefined => "the host left the outcome undefined",
            Self::Sequence(_) => "the response is of another message; its sequence number is",
            Self::MessageType(_) => "the response is of another type:",
            Self::Header => "the response's header is wrong",
            Self::MessageSize(_) => "the response is of a wrong size:",
            Self::Unauthentic => "the response does not authenticate",
            Self::UsedUp => "its sequence numbers are used up",
            Self::Cipher => "the cipher refused",
            Self::Abandoned => "a message in flight was abandoned",
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())?;
        match self {
            Self::Firmware(status) => write!(f, " {status}"),
            Self::Host(status) => write!(f, " {status}"),
            Self::Unhandled(first, second) => write!(f, " {first:#x}, {second:#x}"),
            Self::Sequence(number) => write!(f, " {number}"),
            Self::MessageType(number) => write!(f, " {number}"),
            Self::MessageSize(size) => write!(f, " {size}"),
            _ => Ok(()),
        }
    }
}

impl ErrorKind {
    const fn text(self) -> &'static str {
        match self {
            Self::NotAnSnpGuest => "this is not an SEV-SNP guest (SEV_STATUS does not say so)",
            Self::NotPrivileged => {
                "the GHCB is for ring 0; in user space take what the kernel offers"
            }
            Self::Misaligned => "shared memory must be whole pages, aligned to a page",
            Self::Overlapping => {
                "GHCB, request, response and certificates need memory of their own"
            }
            Self::NotRegistered(_) => "the host did not register the GHCB; the MSR had",
            Self::NotSent => "not sent, still in flight; repeat the same request",
            Self::NoCertificateMemory => "the channel has no memory for certificates; give it some",
            Self::NoKey => "the secrets page has no such key; it was taken before, or withheld",
            Self::SecretsVersion(_) => "unknown version of the secrets page:",
            Self::Counter => "the secrets page tells of a message in flight; the key is unusable",
            Self::Disabled(_) => "the key is destroyed, restart the guest for new ones;",
            Self::InFlight => {
                "a message was in flight and could not be settled: the key is erased; settle it, waiting longer for a busy host, before the key is handed on"
            }
            Self::Busy => "the host is busy, still in flight; repeat the same request later",
            Self::Message(_) => "the firmware refused the request:",
            Self::NotAsAsked => "the firmware answered something else than was asked",
            Self::Refused(_) => "refused:",
            Self::Truncated => "the bytes end before the structure does",
            Self::Size => "the sizes in it do not add up; damaged, or of another kind",
            Self::Version(_) => "a version that is not known or was not allowed:",
            Self::Reserved => "reserved bytes are not zero; damaged, or of a newer version",
            Self::Signature => "not this structure: its signature or GUID is another",
            Self::Value => "a value that this field cannot have",
            Self::Count => "too many entries",
            Self::Duplicate => "an entry stands there twice",
            Self::Overlap => "entries overlap",
            Self::Range => "an entry ends behind the end",
            Self::Unterminated => "the table has no end",
            Self::Name => "a register's name is none, or stands there twice",
            Self::Algorithm => "an algorithm is not known, or stands there twice",
            Self::NeverExtended => "a register was never extended, and is not at its start",
            Self::Binding => "REPORT_DATA does not bind this; it belongs to another report",
            Self::Vmpl(_) => "the report is not of the VMPL that keeps the bank, but of",
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())?;
        match self {
            Self::NotRegistered(value) => write!(f, " {value:#x}"),
            Self::SecretsVersion(number) | Self::Version(number) | Self::Vmpl(number) => {
                write!(f, " {number}")
            }
            Self::Disabled(cause) => write!(f, " {cause}"),
            Self::Message(status) => write!(f, " {status}"),
            Self::Refused(kind) => write!(f, " {kind}"),
            _ => Ok(()),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.kind)?;
        self.offset.map_or(Ok(()), |offset| write!(f, " (byte {offset})"))
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
            ErrorKind::NotAnSnpGuest | ErrorKind::NotPrivileged => Refusal::Unavailable,
            ErrorKind::Busy | ErrorKind::NotSent => Refusal::Busy,
            ErrorKind::Refused(kind) => kind,
            ErrorKind::Misaligned
            | ErrorKind::Overlapping
            | ErrorKind::NotRegistered(_)
            | ErrorKind::NoCertificateMemory
            | ErrorKind::NoKey
            | ErrorKind::SecretsVersion(_)
            | ErrorKind::Counter
            | ErrorKind::InFlight
            | ErrorKind::Disabled(_)
            | ErrorKind::Message(_)
            | ErrorKind::NotAsAsked => Refusal::Failed,
            ErrorKind::Truncated
            | ErrorKind::Size
            | ErrorKind::Version(_)
            | ErrorKind::Reserved
            | ErrorKind::Signature
            | ErrorKind::Value
            | ErrorKind::Count
            | ErrorKind::Duplicate
            | ErrorKind::Overlap
            | ErrorKind::Range
            | ErrorKind::Unterminated
            | ErrorKind::Name
            | ErrorKind::Algorithm
            | ErrorKind::NeverExtended
            | ErrorKind::Binding
            | ErrorKind::Vmpl(_) => Refusal::InvalidInput,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn display_ends_with_the_place() {
        let error = Error::at(ErrorKind::Overlap, 48);
        assert_eq!(error.to_string(), "entries overlap (byte 48)");
        let error = Error::new(ErrorKind::Disabled(Cause::Firmware(FirmwareStatus(0x1D))));
        assert!(error.to_string().ends_with("AEAD overflow (0x1d)"), "{error}");
    }

    #[test]
    fn kinds_for_the_core() {
        let kind = |kind| provider::Error::kind(&Error::new(kind));
        assert_eq!(kind(ErrorKind::Busy), Refusal::Busy);
        assert_eq!(kind(ErrorKind::Disabled(Cause::Undefined)), Refusal::Failed);
        assert_eq!(kind(ErrorKind::Binding), Refusal::InvalidInput);
        assert_eq!(provider::Error::kind(&Error::from(Refusal::NoSuchBank)), Refusal::NoSuchBank);
    }
}
