// SPDX-License-Identifier: MIT OR Apache-2.0
//! Quotes of version 4 and 5.
//!
//! ```text
//! version 4: header 48 | body 584                             | u32 size, signature data | trailing
//! version 5: header 48 | u16 body type, u32 body size, body   | u32 size, signature data | trailing
//!            '--------------- signed --------------------------'
//! ```
//!
//! Source: Intel TDX DCAP Quoting Library API, appendix A.3 and A.4; Intel SGX and TDX quote
//! verification library, `QuoteVerification/QuoteStructures`.

use core::mem::offset_of;

use tsm_core::index::RtmrIndex;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::report::layout;
use super::signature::SignatureData;
use super::{Attributes, Cut, Findings, TEE_SGX, TEE_TDX, TeeTcbSvn, Xfam};
use crate::error::{Error, ErrorKind};

/// QE vendor id of Intel.
pub(super) const QE_VENDOR_INTEL: [u8; 16] = [
    0x93, 0x9A, 0x72, 0x33, 0xF7, 0x9C, 0x4C, 0xA9, 0x94, 0x0A, 0x0D, 0xB3, 0x95, 0x7F, 0x06, 0x07,
];

layout! {
    /// The head of a quote.
    QuoteHeader, 48:
    /// Version, little-endian: 4 or 5.
    version: [u8; 2] = 0;
    /// Type of the attestation key, little-endian: 2 is ECDSA P-256.
    attestation_key_type: [u8; 2] = 2;
    /// TEE type, little-endian: 0x81 for a TD, 0 for an SGX enclave.
    tee_type: [u8; 4] = 4;
    /// Reserved. Some software reads SVNs here, in one order or the other; zero in all quotes that
    /// were seen. No policy should depend on it.
    reserved: [u8; 4] = 8;
    /// QE vendor id.
    qe_vendor_id: [u8; 16] = 12;
    /// User data of the quoting enclave; the first 16 bytes are a platform id.
    user_data: [u8; 20] = 28;
}

layout! {
    /// TD report body of TDX 1.0.
    TdBody10, 584:
    /// TEE_TCB_SVN: the TDX module that made the TD.
    tee_tcb_svn: TeeTcbSvn = 0;
    /// MRSEAM.
    mr_seam: [u8; 48] = 16;
    /// MRSIGNERSEAM.
    mr_signer_seam: [u8; 48] = 64;
    /// SEAM ATTRIBUTES.
    seam_attributes: [u8; 8] = 112;
    /// ATTRIBUTES of the TD.
    td_attributes: Attributes = 120;
    /// XFAM.
    xfam: Xfam = 128;
    /// MRTD.
    mr_td: [u8; 48] = 136;
    /// MRCONFIGID.
    mr_config_id: [u8; 48] = 184;
    /// MROWNER.
    mr_owner: [u8; 48] = 232;
    /// MROWNERCONFIG.
    mr_owner_config: [u8; 48] = 280;
    /// RTMR0 to RTMR3.
    rtmrs: [[u8; 48]; 4] = 328;
    /// REPORTDATA.
    report_data: [u8; 64] = 520;
}

impl TdBody10 {
    /// The value of an RTMR.
    #[must_use]
    pub fn rtmr(&self, index: RtmrIndex) -> &[u8; 48] {
        let [first, second, third, fourth] = &self.rtmrs;
        match index {
            RtmrIndex::RTMR0 => first,
            RtmrIndex::RTMR1 => second,
            RtmrIndex::RTMR2 => third,
            _ => fourth,
        }
    }
}

layout! {
    /// TD report body of TDX 1.5: that of 1.0 and two fields more.
    TdBody15, 648:
    /// The fields of TDX 1.0.
    td_10: TdBody10 = 0;
    /// TEE_TCB_SVN2: the TDX module that is loaded now.
    tee_tcb_svn_2: TeeTcbSvn = 584;
    /// MRSERVICETD: what TDREPORT calls SERVTD_HASH.
    mr_service_td: [u8; 48] = 600;
}

layout! {
    /// SGX report body: of an enclave whose quote it is, and of the quoting enclave in a quote's
    /// certification data.
    EnclaveReport, 384:
    /// CPUSVN.
    cpu_svn: [u8; 16] = 0;
    /// MISCSELECT.
    misc_select: [u8; 4] = 16;
    /// Reserved, and ISVEXTPRODID.
    reserved: [u8; 28] = 20;
    /// ATTRIBUTES: flags and XFRM.
    attributes: [u8; 16] = 48;
    /// MRENCLAVE.
    mr_enclave: [u8; 32] = 64;
    /// Reserved.
    reserved_2: [u8; 32] = 96;
    /// MRSIGNER.
    mr_signer: [u8; 32] = 128;
    /// Reserved, and CONFIGID.
    reserved_3: [u8; 96] = 160;
    /// ISVPRODID, little-endian.
    isv_prod_id: [u8; 2] = 256;
    /// ISVSVN, little-endian.
    isv_svn: [u8; 2] = 258;
    /// CONFIGSVN, reserved, and ISVFAMILYID.
    reserved_4: [u8; 60] = 260;
    /// REPORTDATA.
    report_data: [u8; 64] = 320;
}

/// The version of a quote that may be a TD's.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum TdxQuoteVersion {
    /// 4: the body is that of TDX 1.0.
    V4,
    /// 5: the body says what it is.
    V5,
}

/// What a quote vouches for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum QuoteBody<'b> {
    /// A TD; the body of version 4, and type 2 in version 5.
    Td10(&'b TdBody10),
    /// A TD; type 3 in version 5.
    Td15(&'b TdBody15),
    /// An SGX enclave; type 1 in version 5.
    Enclave(&'b EnclaveReport),
}

impl<'b> QuoteBody<'b> {
    /// The fields that every TD's body has; `None` for an enclave.
    #[must_use]
    pub const fn td(&self) -> Option<&'b TdBody10> {
        match self {
            Self::Td10(body) => Some(body),
            Self::Td15(body) => Some(&body.td_10),
            Self::Enclave(_) => None,
        }
    }

    /// REPORTDATA.
    #[must_use]
    pub const fn report_data(&self) -> &'b [u8; 64] {
        match self {
            Self::Td10(body) => &body.report_data,
            Self::Td15(body) => &body.td_10.report_data,
            Self::Enclave(body) => &body.report_data,
        }
    }
}

/// A quote that is well-formed down to its certification data. Nothing has been verified: the
/// signatures, the certificates and the policy are a verifier's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Quote<'b> {
    version: TdxQuoteVersion,
    header: &'b QuoteHeader,
    body: QuoteBody<'b>,
    signed: &'b [u8],
    signature: SignatureData<'b>,
    trailing: &'b [u8],
}

impl<'b> Quote<'b> {
    /// Reads a quote of version 4 or 5. Bytes behind the signature data are kept apart
    /// ([`trailing`](Self::trailing)): providers pad quotes, and nothing signs what they pad with.
    ///
    /// Work and depth are bounded: lengths are only compared, nothing is copied.
    ///
    /// # Errors
    ///
    /// With the offset: [`ErrorKind::Truncated`]; [`ErrorKind::Version`]; [`ErrorKind::KeyType`];
    /// [`ErrorKind::TeeType`] if the quote is not a TD's, but for a version 5 quote that says it has
    /// an enclave's body; [`ErrorKind::BodyType`]; [`ErrorKind::Size`] if the body has another size
    /// than its type, or a length in the signature data leaves something over;
    /// [`ErrorKind::CertificationType`].
    pub fn parse(bytes: &'b [u8]) -> Result<Self, Error> {
        let mut cut = Cut::new(bytes);
        // Before the length of the whole header, so that something else is called by its name.
        let version = match Cut::new(bytes).u16()? {
            4 => TdxQuoteVersion::V4,
            5 => TdxQuoteVersion::V5,
            _ => return Err(cut.error(ErrorKind::Version)),
        };
        let header = QuoteHeader::from_bytes(cut.array()?);
        if u16::from_le_bytes(header.attestation_key_type) != KEY_ECDSA_P256 {
            return Err(Error::at(ErrorKind::KeyType, 2));
        }
        let tee = u32::from_le_bytes(header.tee_type);
        let of_tee = |wanted: u8| {
            let error = Error::at(ErrorKind::TeeType, 4);
            (tee == u32::from(wanted)).then_some(()).ok_or(error)
        };
        let body = match version {
            TdxQuoteVersion::V4 => {
                of_tee(TEE_TDX)?;
                QuoteBody::Td10(TdBody10::from_bytes(cut.array()?))
            }
            TdxQuoteVersion::V5 => {
                let unknown = cut.error(ErrorKind::BodyType);
                let kind = cut.u16()?;
                let wrong_size = cut.error(ErrorKind::Size);
                let size = cut.size()?;
                let of_size = |wanted| (size == wanted).then_some(()).ok_or(wrong_size);
                match kind {
                    1 => {
                        of_tee(TEE_SGX)?;
                        of_size(EnclaveReport::SIZE)?;
                        QuoteBody::Enclave(EnclaveReport::from_bytes(cut.array()?))
                    }
                    2 => {
                        of_tee(TEE_TDX)?;
                        of_size(TdBody10::SIZE)?;
                        QuoteBody::Td10(TdBody10::from_bytes(cut.array()?))
                    }
                    3 => {
                        of_tee(TEE_TDX)?;
                        of_size(TdBody15::SIZE)?;
                        QuoteBody::Td15(TdBody15::from_bytes(cut.array()?))
                    }
                    _ => return Err(unknown),
                }
            }
        };
        let signed = bytes.get(..cut.offset).unwrap_or_default();
        let signature = SignatureData::parse(cut.sized()?)?;
        Ok(Self { version, header, body, signed, signature, trailing: cut.rest })
    }

    /// The version.
    #[must_use]
    pub const fn version(&self) -> TdxQuoteVersion {
        self.version
    }

    /// The head.
    #[must_use]
    pub const fn header(&self) -> &'b QuoteHeader {
        self.header
    }

    /// What the quote vouches for.
    #[must_use]
    pub const fn body(&self) -> QuoteBody<'b> {
        self.body
    }

    /// The bytes that the attestation key signs: from the beginning to the end of the body.
    #[must_use]
    pub const fn signed(&self) -> &'b [u8] {
        self.signed
    }

    /// Signature, key and certification data.
    #[must_use]
    pub const fn signature_data(&self) -> SignatureData<'b> {
        self.signature
    }

    /// What stands behind the signature data. Nothing signs it.
    #[must_use]
    pub const fn trailing(&self) -> &'b [u8] {
        self.trailing
    }

    /// What is worth a look in it.
    #[must_use]
    pub fn findings(&self) -> Findings {
        Findings::of_quote(self)
    }
}

/// Attestation key type ECDSA with P-256.
const KEY_ECDSA_P256: u16 = 2;
