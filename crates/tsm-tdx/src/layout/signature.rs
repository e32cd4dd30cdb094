// SPDX-License-Identifier: MIT OR Apache-2.0
//! A quote's signature data, for an ECDSA P-256 attestation key.
//!
//! ```text
//! signature 64 | key 64 | u16 6, u32 size | QE report 384 | QE signature 64
//!   | u16 size, QE authentication data | u16 type, u32 size, certification data
//! ```
//!
//! Source: Intel TDX DCAP Quoting Library API, appendix A.3.

use super::{Cut, EnclaveReport};
use crate::error::{Error, ErrorKind};

/// Signature, key and certification data of a quote. Every length in it adds up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SignatureData<'b> {
    signature: &'b [u8; 64],
    attestation_key: &'b [u8; 64],
    qe_report: &'b EnclaveReport,
    qe_signature: &'b [u8; 64],
    qe_authentication: &'b [u8],
    certification: CertificationData<'b>,
}

impl<'b> SignatureData<'b> {
    pub(super) fn parse(mut cut: Cut<'b>) -> Result<Self, Error> {
        let signature = cut.array()?;
        let attestation_key = cut.array()?;
        let unfit = cut.error(ErrorKind::CertificationType);
        if cut.u16()? != QE_REPORT_CERTIFICATION {
            return Err(unfit);
        }
        let mut inner = cut.sized()?;
        cut.end()?;
        let qe_report = EnclaveReport::from_bytes(inner.array()?);
        let qe_signature = inner.array()?;
        let size = usize::from(inner.u16()?);
        let qe_authentication = inner.bytes(size)?;
        let unfit = inner.error(ErrorKind::CertificationType);
        let kind = inner.u16()?;
        let data = inner.sized()?.rest;
        inner.end()?;
        let certification = match kind {
            1 => CertificationData::PpidPlain(data),
            2 => CertificationData::PpidRsa2048(data),
            3 => CertificationData::PpidRsa3072(data),
            4 => CertificationData::PckLeaf(data),
            5 => CertificationData::PckChain(PckChain(data)),
            // Itself again.
            QE_REPORT_CERTIFICATION => return Err(unfit),
            7 => CertificationData::PlatformManifest(data),
            kind => CertificationData::Other { kind, data },
        };
        Ok(Self {
            signature,
            attestation_key,
            qe_report,
            qe_signature,
            qe_authentication,
            certification,
        })
    }

    /// ECDSA signature over [`Quote::signed`](super::Quote::signed): r and s, big-endian.
    #[must_use]
    pub const fn signature(&self) -> &'b [u8; 64] {
        self.signature
    }

    /// The key that made it: x and y, big-endian.
    #[must_use]
    pub const fn attestation_key(&self) -> &'b [u8; 64] {
        self.attestation_key
    }

    /// Report of the quoting enclave, which vouches for the key.
    #[must_use]
    pub const fn qe_report(&self) -> &'b EnclaveReport {
        self.qe_report
    }

    /// ECDSA signature of the platform's certified key (PCK) over the quoting enclave's report.
    #[must_use]
    pub const fn qe_signature(&self) -> &'b [u8; 64] {
        self.qe_signature
    }

    /// What the quoting enclave's REPORTDATA is a hash of, together with the key. 32 bytes in all
    /// quotes that were seen; any length is allowed.
    #[must_use]
    pub const fn qe_authentication(&self) -> &'b [u8] {
        self.qe_authentication
    }

    /// How the platform's key is certified.
    #[must_use]
    pub const fn certification(&self) -> CertificationData<'b> {
        self.certification
    }
}

/// How the platform's key (PCK) is certified. The numbers are those of the types.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum CertificationData<'b> {
    /// 1: PPID in plain text, CPUSVN, PCESVN, PCEID.
    PpidPlain(&'b [u8]),
    /// 2: PPID encrypted with RSA-2048, CPUSVN, PCESVN, PCEID.
    PpidRsa2048(&'b [u8]),
    /// 3: PPID encrypted with RSA-3072, CPUSVN, PCESVN, PCEID.
    PpidRsa3072(&'b [u8]),
    /// 4: the certificate of the key only.
    PckLeaf(&'b [u8]),
    /// 5: the certificates of the key and of those who issued it.
    PckChain(PckChain<'b>),
    /// 7: platform manifest.
    PlatformManifest(&'b [u8]),
    /// Any other.
    Other {
        /// The type.
        kind: u16,
        /// The data.
        data: &'b [u8],
    },
}

impl<'b> CertificationData<'b> {
    /// The type's number.
    #[must_use]
    pub const fn kind(&self) -> u16 {
        match self {
            Self::PpidPlain(_) => 1,
            Self::PpidRsa2048(_) => 2,
            Self::PpidRsa3072(_) => 3,
            Self::PckLeaf(_) => 4,
            Self::PckChain(_) => 5,
            Self::PlatformManifest(_) => 7,
            Self::Other { kind, .. } => *kind,
        }
    }

    /// The data as they stand in the quote.
    #[must_use]
    pub const fn as_bytes(&self) -> &'b [u8] {
        match self {
            Self::PckChain(PckChain(data))
            | Self::PpidPlain(data)
            | Self::PpidRsa2048(data)
            | Self::PpidRsa3072(data)
            | Self::PckLeaf(data)
            | Self::PlatformManifest(data)
            | Self::Other { data, .. } => data,
        }
    }
}

/// Certificates: PEM, that of the key first and the root last, in all quotes that were seen. Not
/// read here.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PckChain<'b>(&'b [u8]);

impl<'b> PckChain<'b> {
    /// The certificates as text, without the NUL that some platforms put behind.
    #[must_use]
    pub fn pem(&self) -> &'b [u8] {
        self.0.strip_suffix(b"\0").unwrap_or(self.0)
    }
}

/// Certification data of type 6: the quoting enclave's report, and how that is certified.
const QE_REPORT_CERTIFICATION: u16 = 6;
