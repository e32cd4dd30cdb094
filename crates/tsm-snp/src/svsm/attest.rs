// SPDX-License-Identifier: MIT OR Apache-2.0
//! Calls to an SVSM, and those of the attestation protocol.

use core::fmt;
use core::mem::offset_of;

use zerocopy::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::NONCE_SIZE;
use crate::address::GuestPhysical;
use crate::error::{Error, ErrorKind};
use crate::guid::Guid;

/// A protocol of an SVSM.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Protocol(pub u32);

impl Protocol {
    /// The SVSM itself.
    pub const CORE: Self = Self(0);
    /// Attestation.
    pub const ATTESTATION: Self = Self(1);
    /// A vTPM.
    pub const VTPM: Self = Self(2);
    /// APIC emulation.
    pub const APIC: Self = Self(3);
    /// UEFI management mode.
    pub const UEFI_MM: Self = Self(4);
}

/// RAX of a call: the protocol in the upper half, the call's number in the lower.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Call {
    /// The protocol.
    pub protocol: Protocol,
    /// The call within it.
    pub number: u32,
}

impl Call {
    /// Whether a protocol is there.
    pub const QUERY_PROTOCOL: Self = Self { protocol: Protocol::CORE, number: 6 };
    /// Attests all services.
    pub const ATTEST_SERVICES: Self = Self { protocol: Protocol::ATTESTATION, number: 0 };
    /// Attests one service.
    pub const ATTEST_SINGLE_SERVICE: Self = Self { protocol: Protocol::ATTESTATION, number: 1 };

    /// RAX.
    #[must_use]
    pub const fn to_register(self) -> u64 {
        let [a, b, c, d] = self.number.to_le_bytes();
        let [e, f, g, h] = self.protocol.0.to_le_bytes();
        u64::from_le_bytes([a, b, c, d, e, f, g, h])
    }
}

/// RAX after a call.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResultCode(pub u64);

impl ResultCode {
    /// It was done.
    pub const SUCCESS: Self = Self(0);
    /// Not finished: call again.
    pub const INCOMPLETE: Self = Self(0x8000_0000);
    /// No such protocol; also the answer to a service that is not known.
    pub const UNSUPPORTED_PROTOCOL: Self = Self(0x8000_0001);
    /// No such call.
    pub const UNSUPPORTED_CALL: Self = Self(0x8000_0002);
    /// An address is wrong.
    pub const INVALID_ADDRESS: Self = Self(0x8000_0003);
    /// A format is wrong.
    pub const INVALID_FORMAT: Self = Self(0x8000_0004);
    /// A parameter is wrong; of the attestation protocol, also that a buffer is too small.
    pub const INVALID_PARAMETER: Self = Self(0x8000_0005);
    /// The request is wrong.
    pub const INVALID_REQUEST: Self = Self(0x8000_0006);
    /// Busy: call again.
    pub const BUSY: Self = Self(0x8000_0007);

    /// The code of a protocol's own; `None` if it is none.
    #[must_use]
    pub fn protocol_specific(self) -> Option<u32> {
        u32::try_from(self.0.checked_sub(0x8000_1000)?).ok().filter(|&code| code < 0x7FFF_F000)
    }

    const fn name(self) -> Option<&'static str> {
        Some(match self {
            Self::SUCCESS => "success",
            Self::INCOMPLETE => "incomplete",
            Self::UNSUPPORTED_PROTOCOL => "unsupported protocol",
            Self::UNSUPPORTED_CALL => "unsupported call",
            Self::INVALID_ADDRESS => "invalid address",
            Self::INVALID_FORMAT => "invalid format",
            Self::INVALID_PARAMETER => "invalid parameter",
            Self::INVALID_REQUEST => "invalid request",
            Self::BUSY => "busy",
            _ => return None,
        })
    }
}

impl fmt::Display for ResultCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.name(), self.protocol_specific()) {
            (Some(name), _) => write!(f, "{name} ({:#x})", self.0),
            (None, Some(code)) => write!(f, "the protocol's own code {code} ({:#x})", self.0),
            (None, None) => write!(f, "unknown SVSM result ({:#x})", self.0),
        }
    }
}

impl fmt::Debug for ResultCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What RCX of an attestation call points to. Addresses are guest-physical; report and manifest
/// begin at a page, the nonce crosses none.
#[derive(
    Clone, Copy, PartialEq, Eq, Debug, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned,
)]
#[repr(C)]
pub struct AttestRequest {
    report: U64,
    report_size: U32,
    reserved: U32,
    nonce: U64,
    nonce_size: U16,
    reserved_2: [u8; 6],
    manifest: U64,
    manifest_size: U32,
    reserved_3: U32,
    certificates: U64,
    certificates_size: U32,
    reserved_4: U32,
    service: [u8; 16],
    manifest_version: U32,
    reserved_5: U32,
}

const _: () = {
    assert!(size_of::<AttestRequest>() == 0x58);
    assert!(offset_of!(AttestRequest, nonce) == 0x10);
    assert!(offset_of!(AttestRequest, manifest) == 0x20);
    assert!(offset_of!(AttestRequest, certificates) == 0x30);
    assert!(offset_of!(AttestRequest, service) == 0x40);
    assert!(offset_of!(AttestRequest, manifest_version) == 0x50);
};

impl AttestRequest {
    /// Bytes that [`Call::ATTEST_SERVICES`] reads; the other call reads all.
    pub const SERVICES_SIZE: usize = 0x40;
    /// Most bytes of the buffer for certificates.
    pub const MAX_CERTIFICATES: u32 = 0x4000;

    /// With the addresses of a nonce of 64 bytes, and of the buffers for report and manifest with
    /// their sizes. No certificates are asked for.
    #[must_use]
    pub fn new(
        nonce: GuestPhysical,
        report: (GuestPhysical, u32),
        manifest: (GuestPhysical, u32),
    ) -> Self {
        Self {
            report: report.0.0.into(),
            report_size: report.1.into(),
            nonce: nonce.0.into(),
            nonce_size: U16::new(u16::try_from(NONCE_SIZE).unwrap_or(0)),
            manifest: manifest.0.0.into(),
            manifest_size: manifest.1.into(),
            ..zerocopy::FromZeros::new_zeroed()
        }
    }

    /// And a buffer for certificates.
    #[must_use]
    pub fn with_certificates(mut self, buffer: (GuestPhysical, u32)) -> Self {
        self.certificates = buffer.0.0.into();
        self.certificates_size = buffer.1.into();
        self
    }

    /// And the one service that is to be attested, with the version of its manifest.
    #[must_use]
    pub fn of_service(mut self, service: Guid, manifest_version: u32) -> Self {
        self.service = service.mixed_bytes();
        self.manifest_version = manifest_version.into();
        self
    }

    /// Reads a request, as an SVSM does: of the size of `bytes`, which is that of the call.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Size`], [`ErrorKind::Reserved`], [`ErrorKind::Value`] for a nonce that is not of
    /// 64 bytes or crosses a page, or buffers that do not begin at one.
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        if bytes.len() != Self::SERVICES_SIZE && bytes.len() != size_of::<Self>() {
            return Err(Error::at(ErrorKind::Size, bytes.len()));
        }
        let mut whole: Self = zerocopy::FromZeros::new_zeroed();
        crate::bytes::copy(bytes, whole.as_mut_bytes());
        let reserved = [whole.reserved, whole.reserved_3, whole.reserved_4, whole.reserved_5];
        if reserved.iter().any(|word| word.get() != 0) || whole.reserved_2 != [0; 6] {
            return Err(Error::new(ErrorKind::Reserved));
        }
        if usize::from(whole.nonce_size.get()) != NONCE_SIZE {
            return Err(Error::at(ErrorKind::Value, offset_of!(Self, nonce_size)));
        }
        // Who serves it maps one page.
        if whole.nonce.get() & 0xFFF > 0xFC0 {
            return Err(Error::at(ErrorKind::Value, offset_of!(Self, nonce)));
        }
        for (address, at) in [(whole.report, 0), (whole.manifest, offset_of!(Self, manifest))] {
            if !GuestPhysical(address.get()).is_aligned(4096) {
                return Err(Error::at(ErrorKind::Value, at));
            }
        }
        Ok(whole)
    }

    /// The bytes for the call.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        IntoBytes::as_bytes(self)
    }

    /// Address of the nonce.
    #[must_use]
    pub const fn nonce(&self) -> GuestPhysical {
        GuestPhysical(self.nonce.get())
    }

    /// Address and size of the buffer for the report.
    #[must_use]
    pub const fn report(&self) -> (GuestPhysical, u32) {
        (GuestPhysical(self.report.get()), self.report_size.get())
    }

    /// Address and size of the buffer for the manifest.
    #[must_use]
    pub const fn manifest(&self) -> (GuestPhysical, u32) {
        (GuestPhysical(self.manifest.get()), self.manifest_size.get())
    }

    /// Address and size of the buffer for certificates; a size of zero means that none are wanted.
    #[must_use]
    pub const fn certificates(&self) -> (GuestPhysical, u32) {
        (GuestPhysical(self.certificates.get()), self.certificates_size.get())
    }

    /// The service, and the version of its manifest.
    #[must_use]
    pub const fn service(&self) -> (Guid, u32) {
        (Guid::from_mixed_bytes(self.service), self.manifest_version.get())
    }
}

/// Registers after an attestation call: sizes in bytes. They are filled in also when the result is
/// [`ResultCode::INVALID_PARAMETER`] because a buffer was too small.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AttestReply {
    /// RCX.
    pub manifest_size: u64,
    /// RDX.
    pub certificates_size: u64,
    /// R8.
    pub report_size: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registers() {
        assert_eq!(Call::ATTEST_SINGLE_SERVICE.to_register(), 0x1_0000_0001);
        assert_eq!(Call::QUERY_PROTOCOL.to_register(), 6);
        assert_eq!(ResultCode(0x8000_1003).protocol_specific(), Some(3));
        assert_eq!(ResultCode(0x8000_0005).to_string(), "invalid parameter (0x80000005)");
        assert_eq!(ResultCode(7).to_string(), "unknown SVSM result (0x7)");
    }

    #[test]
    fn requests_there_and_back() {
        let guid = Guid::new(0x00112233_4455_6677_8899_aabbccddeeff);
        let page = |n: u64| GuestPhysical(n * 0x1000);
        let request = AttestRequest::new(GuestPhysical(0x40), (page(1), 9), (page(2), 8))
            .with_certificates((page(3), 7))
            .of_service(guid, 1);
        let bytes = request.as_bytes();
        assert_eq!((bytes[1], bytes[8], bytes[0x10], bytes[0x18]), (0x10, 9, 0x40, 64));
        assert_eq!((bytes[0x21], bytes[0x28], bytes[0x31], bytes[0x38]), (0x20, 8, 0x30, 7));
        assert_eq!((bytes[0x40], bytes[0x50]), (0x33, 1));
        assert_eq!(AttestRequest::parse(bytes), Ok(request));
        let services = AttestRequest::parse(&bytes[..0x40]).unwrap();
        assert_eq!(services.service(), (Guid::new(0), 0));
        let mut bytes = bytes.to_vec();
        for (at, kind) in [
            (0x0C, ErrorKind::Reserved),
            (0x1A, ErrorKind::Reserved),
            (0x54, ErrorKind::Reserved),
            (0x18, ErrorKind::Value),
            (0x00, ErrorKind::Value),
            (0x20, ErrorKind::Value),
        ] {
            bytes[at] ^= 1;
            assert_eq!(AttestRequest::parse(&bytes).unwrap_err().kind(), kind, "{at:#x}");
            bytes[at] ^= 1;
        }
        assert_eq!(AttestRequest::parse(&bytes[..0x50]).unwrap_err().kind(), ErrorKind::Size);
        for (nonce, good) in [(0x1FC0, true), (0x1FC1, false), (0x1FF0, false)] {
            let request = AttestRequest::new(GuestPhysical(nonce), (page(1), 9), (page(2), 8));
            assert_eq!(AttestRequest::parse(request.as_bytes()).is_ok(), good, "{nonce:#x}");
        }
    }
}
