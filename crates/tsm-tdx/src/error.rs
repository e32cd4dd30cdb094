// SPDX-License-Identifier: MIT OR Apache-2.0
//! The one error of the crate: what went wrong, and where.

use core::fmt;

use tsm_core::provider::{self, ErrorKind as Refusal};

use crate::quoting::HostStatus;
use crate::status::{OperandId, Status, StatusCode};

/// What went wrong, and which operand or byte shows it.
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
    Operand(OperandId),
}

impl Error {
    pub(crate) const fn new(kind: ErrorKind) -> Self {
        Self { kind, place: Place::None }
    }

    /// About the byte at `offset` of what is read.
    pub(crate) const fn at(kind: ErrorKind, offset: usize) -> Self {
        Self { kind, place: Place::Offset(offset) }
    }

    /// About an operand of a call.
    pub(crate) const fn of(kind: ErrorKind, operand: OperandId) -> Self {
        Self { kind, place: Place::Operand(operand) }
    }

    /// A status that tells that nothing was done.
    pub(crate) const fn module(status: Status) -> Self {
        Self::with_status(ErrorKind::Module(status), status)
    }

    /// A status after which it is not known whether the register was extended.
    pub(crate) const fn in_doubt(status: Status) -> Self {
        Self::with_status(ErrorKind::InDoubt(status), status)
    }

    const fn with_status(kind: ErrorKind, status: Status) -> Self {
        match status.operand() {
            Some(operand) => Self::of(kind, operand),
            None => Self::new(kind),
        }
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

    /// The operand of the call that is to blame; `None` if none is.
    #[must_use]
    pub const fn operand(&self) -> Option<OperandId> {
        match self.place {
            Place::Operand(operand) => Some(operand),
            _ => None,
        }
    }

    /// The module's status, if it answered.
    #[must_use]
    pub const fn status(&self) -> Option<Status> {
        match self.kind {
            ErrorKind::Module(status) | ErrorKind::InDoubt(status) => Some(status),
            _ => None,
        }
    }

    /// Whether the module was busy and did nothing.
    pub(crate) const fn is_busy(&self) -> bool {
        matches!(self.kind, ErrorKind::Module(status) if status.is_busy())
    }
}

/// What went wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum ErrorKind {
    /// CPUID says that this is not a TD; TDCALL would raise #UD.
    NotATd,
    /// TDCALL is for ring 0, and this is not.
    NotPrivileged,

    /// Refused before the call: a buffer has no guest-physical address.
    Unmapped,
    /// Refused before the call: a buffer's guest-physical address lacks the alignment of its type.
    Misaligned,
    /// Refused before the call: a buffer lies in shared memory, which the host can write.
    Shared,
    /// Refused before the call: the memory for GetQuote is not shared.
    NotShared,
    /// Refused before the call: the memory for GetQuote is not whole pages, or has no room for a
    /// report.
    QuoteMemory,

    /// The module refused; nothing was done.
    Module(Status),
    /// The module gave a status of which it is not known whether it comes before the extension.
    InDoubt(Status),
    /// The module says that guest-physical addresses have neither 48 nor 52 bits, so nobody knows
    /// which bit marks shared memory.
    AddressWidth,
    /// Two readings of a register, word by word, never agreed: it is being extended all the time.
    Torn,

    /// The host refused to make a quote.
    Host(HostStatus),
    /// The host took the request and then failed; the status that it wrote in the buffer.
    QuoteFailed(u64),
    /// The host claims more bytes of quote than the buffer has, or none.
    QuoteLength(u32),
    /// The quote was not ready in time. The buffer is still the host's.
    TimedOut,

    /// The provider refused the call; the kind says why.
    Refused(Refusal),

    /// The bytes end inside the structure.
    Truncated,
    /// A structure of another size than its kind has, or lengths in it that do not add up.
    Size,
    /// A version that this crate does not know.
    Version,
    /// Not a TDREPORT: type or subtype.
    ReportType,
    /// Not of a TD: the quote's TEE type.
    TeeType,
    /// A quote with a body of unknown type.
    BodyType,
    /// A quote with another attestation key than ECDSA P-256.
    KeyType,
    /// A quote whose certification data are of a type that cannot stand there.
    CertificationType,
    /// TEE_TCB_INFO is not what its hash in the report says.
    TcbInfoHash,
    /// TDINFO is not what its hash in the report says.
    TdInfoHash,
    /// Not an ACPI table `CCEL`, or not of a TD, or damaged.
    AcpiTable,
    /// The firmware's log: what tsm-eventlog says about it.
    #[cfg(feature = "ccel")]
    Log(tsm_eventlog::ErrorKind),
}

impl ErrorKind {
    const fn text(self) -> &'static str {
        match self {
            Self::NotATd => "this is not a TD (CPUID leaf 0x21 does not say IntelTDX)",
            Self::NotPrivileged => {
                "TDCALL is for ring 0; in user space take what the kernel offers"
            }
            Self::Unmapped => "a buffer has no guest-physical address; check the address space",
            Self::Misaligned => {
                "a buffer's guest-physical address is not aligned; check the address space"
            }
            Self::Shared => "a buffer lies in shared memory; make it private before the call",
            Self::NotShared => {
                "the memory for the quote is private; convert it, and set the shared bit in its \
                 address"
            }
            Self::QuoteMemory => {
                "the memory for the quote must be whole pages with room for a report"
            }
            Self::Module(_) => "the TDX module refused, nothing was done:",
            Self::InDoubt(_) => {
                "the TDX module failed, and whether it extended is not known; read the register:"
            }
            Self::AddressWidth => "guest-physical addresses of unknown width; not a TDX module?",
            Self::Torn => "the register changed whenever it was read; read it from a report",
            Self::Host(_) => "the host refused to make a quote:",
            Self::QuoteFailed(_) => "the host failed to make a quote; its status is",
            Self::QuoteLength(_) => {
                "the host gave a quote that is empty or larger than the buffer; its size is"
            }
            Self::TimedOut => "no quote in time; wait on, the buffer is still the host's",
            Self::Refused(_) => "refused:",
            Self::Truncated => "the bytes end before the structure does",
            Self::Size => "the sizes in it do not add up; damaged, or of another kind",
            Self::Version => "unknown version",
            Self::ReportType => "not a TDREPORT: type or subtype is another",
            Self::TeeType => "not of a TD: the TEE type is another",
            Self::BodyType => "unknown type of the quote's body",
            Self::KeyType => "the quote is not signed with ECDSA P-256",
            Self::CertificationType => "certification data of a type that cannot stand here",
            Self::TcbInfoHash => "TEE_TCB_INFO is not what TEE_TCB_INFO_HASH says; damaged",
            Self::TdInfoHash => "TDINFO is not what TEE_INFO_HASH says; damaged",
            Self::AcpiTable => "not a sound ACPI table CCEL of a TD",
            #[cfg(feature = "ccel")]
            Self::Log(_) => "the firmware's log:",
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())?;
        match self {
            Self::Module(status) | Self::InDoubt(status) => write!(f, " {status}"),
            Self::Host(status) => write!(f, " {status}"),
            Self::QuoteFailed(status) => write!(f, " {status:#x}"),
            Self::QuoteLength(size) => write!(f, " {size}"),
            Self::Refused(kind) => write!(f, " {kind}"),
            #[cfg(feature = "ccel")]
            Self::Log(kind) => write!(f, " {kind}"),
            _ => Ok(()),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.kind)?;
        match self.place {
            Place::Offset(offset) => write!(f, " (byte {offset})"),
            // A status names its operand itself.
            Place::Operand(operand) if self.status().is_none() => write!(f, " ({operand})"),
            _ => Ok(()),
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
            ErrorKind::NotATd | ErrorKind::NotPrivileged => Refusal::Unavailable,
            ErrorKind::Module(status) if status.is_busy() => Refusal::Busy,
            ErrorKind::Module(status) if status.code() == StatusCode::RND_NO_ENTROPY => {
                Refusal::Busy
            }
            ErrorKind::Torn | ErrorKind::TimedOut => Refusal::Busy,
            ErrorKind::InDoubt(_) => Refusal::StateUnknown,
            ErrorKind::Refused(kind) => kind,
            ErrorKind::Truncated
            | ErrorKind::Size
            | ErrorKind::Version
            | ErrorKind::ReportType
            | ErrorKind::TeeType
            | ErrorKind::BodyType
            | ErrorKind::KeyType
            | ErrorKind::CertificationType
            | ErrorKind::TcbInfoHash
            | ErrorKind::TdInfoHash
            | ErrorKind::AcpiTable => Refusal::InvalidInput,
            #[cfg(feature = "ccel")]
            ErrorKind::Log(tsm_eventlog::ErrorKind::NoRoom) => Refusal::NoSpace,
            #[cfg(feature = "ccel")]
            ErrorKind::Log(_) => Refusal::InvalidInput,
            _ => Refusal::Failed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn display_ends_with_the_place() {
        let status = Status::new(StatusCode::OPERAND_INVALID, OperandId::RCX);
        let error = Error::module(status);
        assert!(error.to_string().ends_with("operand RCX"), "{error}");
        assert_eq!(error.operand(), Some(OperandId::RCX));
        let error = Error::at(ErrorKind::Version, 42);
        assert!(error.to_string().ends_with("(byte 42)"), "{error}");
        let error = Error::of(ErrorKind::Shared, OperandId::RDX);
        assert!(error.to_string().ends_with("(RDX)"), "{error}");
    }

    #[test]
    fn kinds_for_the_core() {
        let kind = |error: Error| provider::Error::kind(&error);
        let busy = Status::new(StatusCode::OPERAND_BUSY, OperandId::RTMR);
        assert_eq!(kind(Error::module(busy)), Refusal::Busy);
        assert_eq!(kind(Error::in_doubt(Status(1 << 63))), Refusal::StateUnknown);
        assert_eq!(kind(Error::module(Status(1 << 63))), Refusal::Failed);
        assert_eq!(kind(Error::new(ErrorKind::NotATd)), Refusal::Unavailable);
        assert_eq!(kind(Refusal::WrongSize.into()), Refusal::WrongSize);
    }
}
