// SPDX-License-Identifier: MIT OR Apache-2.0
//! The quoting enclave: makes a quote of a report of its own machine.

use alloc::vec::Vec;

use p256::ecdsa::signature::Signer as _;
use p256::ecdsa::{Signature, SigningKey};
use sha2::{Digest as _, Sha256};
use tsm_tdx::TdReport;
use tsm_tdx::layout::{EnclaveReport, QuoteHeader, TEE_TDX, TdBody10, TdBody15, TdReportStruct};

use super::authority;
use crate::tdx::Cpu;

/// Which of the forms that a TD's quote can have.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum QuoteForm {
    /// Version 4, body of TDX 1.0.
    V4,
    /// Version 5, body of type 2: TDX 1.0.
    V5Td10,
    /// Version 5, body of type 3: TDX 1.5.
    V5Td15,
}

impl QuoteForm {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::V4, Self::V5Td10, Self::V5Td15];
}

/// A quoting enclave on a processor, with an attestation key that the processor's certified key
/// vouches for.
///
/// Signatures are deterministic: of the same report it makes the same quote.
#[derive(Clone, Debug)]
pub struct QuotingEnclave {
    cpu: Cpu,
    attestation: SigningKey,
    /// From the attestation key to the end.
    certification: Vec<u8>,
}

impl QuotingEnclave {
    /// ISVPRODID of every TD quoting enclave.
    pub(super) const PROD_ID: u16 = 2;
    /// ISVSVN.
    pub(super) const SVN: u16 = 6;
    /// ATTRIBUTES: initialised, 64-bit; XFRM.
    pub(super) const ATTRIBUTES: [u8; 16] = [0x15, 0, 0, 0, 0, 0, 0, 0, 0xE7, 0, 0, 0, 0, 0, 0, 0];

    /// The quoting enclave of this processor.
    #[must_use]
    pub fn new(cpu: &Cpu) -> Self {
        let attestation = authority::key(&cpu.derive("the attestation key"));
        let certification = certification(cpu, &attestation);
        Self { cpu: *cpu, attestation, certification }
    }

    /// MRSIGNER of the simulator's quoting enclaves: the hash of a text that begins with
    /// `SIMULATED`.
    #[must_use]
    pub fn mr_signer() -> [u8; 32] {
        Sha256::digest("SIMULATED signer of the TD quoting enclave").into()
    }

    /// A quote of this report; `None` if the report was not made on this processor, or its parts
    /// do not belong together.
    #[must_use]
    pub fn quote(&self, form: QuoteForm, report: &[u8]) -> Option<Vec<u8>> {
        let report = TdReport::parse(report).ok()?;
        self.cpu.verify(&report.mac).ok()?;
        let body = body(report.as_struct());
        let mut header = QuoteHeader::ZERO;
        header.attestation_key_type = 2_u16.to_le_bytes();
        header.tee_type = u32::from(TEE_TDX).to_le_bytes();
        header.qe_vendor_id = INTEL;
        header.user_data = *b"SIMULATED-TDX-QE\0\0\0\0";
        header.version = match form {
            QuoteForm::V4 => 4_u16,
            QuoteForm::V5Td10 | QuoteForm::V5Td15 => 5,
        }
        .to_le_bytes();
        let mut quote = header.as_bytes().to_vec();
        match form {
            QuoteForm::V4 => quote.extend(body.td_10.as_bytes()),
            QuoteForm::V5Td10 => {
                typed(&mut quote, 2, body.td_10.as_bytes());
            }
            QuoteForm::V5Td15 => {
                typed(&mut quote, 3, body.as_bytes());
            }
        }
        let signature: Signature = self.attestation.sign(&quote);
        let signature = [&signature.to_bytes()[..], &self.certification].concat();
        sized(&mut quote, &signature);
        Some(quote)
    }
}

/// QE vendor id of Intel.
const INTEL: [u8; 16] = [
    0x93, 0x9A, 0x72, 0x33, 0xF7, 0x9C, 0x4C, 0xA9, 0x94, 0x0A, 0x0D, 0xB3, 0x95, 0x7F, 0x06, 0x07,
];

/// A report's fields where a quote has them.
fn body(report: &TdReportStruct) -> TdBody15 {
    let (tcb, td) = (&report.tcb_info, &report.td_info);
    let mut td_10 = TdBody10::ZERO;
    td_10.tee_tcb_svn = tcb.tee_tcb_svn;
    td_10.mr_seam = tcb.mr_seam;
    td_10.mr_signer_seam = tcb.mr_signer_seam;
    td_10.seam_attributes = tcb.seam_attributes;
    td_10.td_attributes = td.attributes;
    td_10.xfam = td.xfam;
    td_10.mr_td = td.mr_td;
    td_10.mr_config_id = td.mr_config_id;
    td_10.mr_owner = td.mr_owner;
    td_10.mr_owner_config = td.mr_owner_config;
    td_10.rtmrs = td.rtmrs;
    td_10.report_data = report.mac.report_data;
    let mut body = TdBody15::ZERO;
    body.td_10 = td_10;
    body.tee_tcb_svn_2 = tcb.tee_tcb_svn_2;
    body.mr_service_td = td.servtd_hash;
    body
}

/// Attestation key, and who vouches for it: report of the quoting enclave, signed with the
/// processor's key, and that key's certificates.
fn certification(cpu: &Cpu, attestation: &SigningKey) -> Vec<u8> {
    let point = attestation.verifying_key().to_sec1_point(false);
    // Without the byte that says that both coordinates follow.
    let (_, key) = point.as_bytes().split_first().unwrap_or((&0, &[]));
    let authentication: [u8; 32] = cpu.derive("the quoting enclave's authentication data");
    let mut report = EnclaveReport::ZERO;
    report.cpu_svn = *cpu.svn();
    report.attributes = QuotingEnclave::ATTRIBUTES;
    report.mr_enclave = Sha256::digest("SIMULATED TD quoting enclave").into();
    report.mr_signer = QuotingEnclave::mr_signer();
    report.isv_prod_id = QuotingEnclave::PROD_ID.to_le_bytes();
    report.isv_svn = QuotingEnclave::SVN.to_le_bytes();
    let bound: [u8; 32] =
        Sha256::new_with_prefix(key).chain_update(authentication).finalize().into();
    if let Some(data) = report.report_data.first_chunk_mut() {
        *data = bound;
    }
    let signature: Signature = authority::pck_key(cpu).sign(report.as_bytes());
    let mut inner = [&report.as_bytes()[..], &signature.to_bytes()].concat();
    inner.extend(32_u16.to_le_bytes());
    inner.extend(authentication);
    // As most platforms do it, with a NUL behind.
    let chain = [authority::pck_chain(cpu).as_bytes(), b"\0"].concat();
    typed(&mut inner, 5, &chain);
    let mut certification = key.to_vec();
    typed(&mut certification, 6, &inner);
    certification
}

/// Type, length, and the bytes.
fn typed(out: &mut Vec<u8>, kind: u16, bytes: &[u8]) {
    out.extend(kind.to_le_bytes());
    sized(out, bytes);
}

/// Length, and the bytes.
fn sized(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend(super::sure(u32::try_from(bytes.len())).to_le_bytes());
    out.extend(bytes);
}
