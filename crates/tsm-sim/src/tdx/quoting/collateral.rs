// SPDX-License-Identifier: MIT OR Apache-2.0
//! Collateral: what a verifier needs besides a quote, as Intel's service hands it out, signed by
//! the simulator's authority.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use p256::ecdsa::Signature;
use p256::ecdsa::signature::Signer as _;
use tsm_core::hex::Hex;
use tsm_tdx::layout::{TeeTcbInfo, TeeTcbSvn};
use x509_cert::der::DateTime;

use super::sgx_extension::{FMSPC, PCE_ID, PCE_SVN};
use super::{QuotingEnclave, authority, sure};
use crate::tdx::{Cpu, Module};

/// From when until when something is good, in seconds since 1970.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Window {
    /// First second.
    pub from: u64,
    /// Last second. At most that of 2049, the last year that revocation lists can say here.
    pub until: u64,
}

impl Window {
    /// From the beginning of 2020 to the end of 2049, like the simulator's certificates.
    pub const LONG: Self = Self { from: 1_577_836_800, until: 2_524_607_999 };
}

/// How good a level is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[expect(missing_docs, reason = "names of the format")]
pub enum TcbStatus {
    UpToDate,
    SwHardeningNeeded,
    ConfigurationNeeded,
    ConfigurationAndSwHardeningNeeded,
    OutOfDate,
    OutOfDateConfigurationNeeded,
    Revoked,
}

impl TcbStatus {
    /// As the collateral says it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::UpToDate => "UpToDate",
            Self::SwHardeningNeeded => "SWHardeningNeeded",
            Self::ConfigurationNeeded => "ConfigurationNeeded",
            Self::ConfigurationAndSwHardeningNeeded => "ConfigurationAndSWHardeningNeeded",
            Self::OutOfDate => "OutOfDate",
            Self::OutOfDateConfigurationNeeded => "OutOfDateConfigurationNeeded",
            Self::Revoked => "Revoked",
        }
    }

    /// The status, and an advisory if it is not the best.
    fn json(self) -> String {
        let advisory = match self {
            Self::UpToDate => "",
            _ => r#","advisoryIDs":["SIMULATED-SA-00001"]"#,
        };
        format!(r#""tcbStatus":"{}"{advisory}"#, self.name())
    }
}

/// What the collateral says about the levels that a machine is at, and what is revoked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Levels {
    /// Processor and TDX module.
    pub platform: TcbStatus,
    /// The TDX module's identity.
    pub module: TcbStatus,
    /// The quoting enclave.
    pub enclave: TcbStatus,
    /// Whether the levels begin above the machine, so that none fits.
    pub none_fits: bool,
    /// Whether the platform's certificate is revoked.
    pub pck_revoked: bool,
    /// Whether the CA for platforms is revoked.
    pub ca_revoked: bool,
}

impl Levels {
    /// All is well.
    pub const UP_TO_DATE: Self = Self {
        platform: TcbStatus::UpToDate,
        module: TcbStatus::UpToDate,
        enclave: TcbStatus::UpToDate,
        none_fits: false,
        pck_revoked: false,
        ca_revoked: false,
    };
}

/// Collateral for the quotes of one machine.
///
/// The JSON texts are signed byte for byte as they stand here.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Collateral {
    /// `tcbInfo`: a JSON object.
    pub tcb_info: String,
    /// ECDSA signature of `tcb_info`, r and s.
    pub tcb_info_signature: [u8; 64],
    /// `enclaveIdentity`: a JSON object.
    pub qe_identity: String,
    /// ECDSA signature of `qe_identity`, r and s.
    pub qe_identity_signature: [u8; 64],
    /// Certificates of who signed both, PEM, the root last.
    pub signing_chain: String,
    /// Certificates of who signed `pck_crl`, PEM, the root last.
    pub pck_crl_chain: String,
    /// Revocation list of the root, DER.
    pub root_crl: Vec<u8>,
    /// Revocation list of the CA for platforms, DER.
    pub pck_crl: Vec<u8>,
}

impl Collateral {
    /// Collateral for the machine of this module, good within `window`.
    #[must_use]
    pub fn new<H>(module: &Module<H>, window: Window, levels: &Levels) -> Self {
        let tcb_info = tcb_info(module.cpu(), module.tcb_info(), window, levels);
        let qe_identity = qe_identity(window, levels);
        let sign = |text: &str| {
            let signature: Signature = authority::tcb_signing_key().sign(text.as_bytes());
            signature.to_bytes().into()
        };
        let revoked = levels.pck_revoked.then_some(module.cpu());
        Self {
            tcb_info_signature: sign(&tcb_info),
            qe_identity_signature: sign(&qe_identity),
            tcb_info,
            qe_identity,
            signing_chain: authority::tcb_signing_chain(),
            pck_crl_chain: authority::platform_ca_chain(),
            root_crl: authority::root_crl(window, levels.ca_revoked),
            pck_crl: authority::pck_crl(window, revoked),
        }
    }

    /// All of it as one JSON object, in the form in which it is usually kept in a file: revocation
    /// lists and signatures in hex, the signed texts as strings.
    #[must_use]
    pub fn to_json(&self) -> String {
        let text = |name: &str, value: &str| format!(r#""{name}":"{}""#, escaped(value));
        let bytes = |name: &str, value: &[u8]| format!(r#""{name}":"{}""#, Hex(value));
        let members = [
            text("pck_crl_issuer_chain", &self.pck_crl_chain),
            bytes("root_ca_crl", &self.root_crl),
            bytes("pck_crl", &self.pck_crl),
            text("tcb_info_issuer_chain", &self.signing_chain),
            text("tcb_info", &self.tcb_info),
            bytes("tcb_info_signature", &self.tcb_info_signature),
            text("qe_identity_issuer_chain", &self.signing_chain),
            text("qe_identity", &self.qe_identity),
            bytes("qe_identity_signature", &self.qe_identity_signature),
        ];
        format!("{{{}}}", members.join(","))
    }
}

/// A string's contents in JSON; there are no other characters in what is made here.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

/// RFC 3339, in seconds.
fn date(seconds: u64) -> String {
    format!("{}", sure(DateTime::from_unix_duration(Duration::from_secs(seconds))))
}

fn head(id: &str, version: u8, window: Window) -> String {
    let (issued, next) = (date(window.from), date(window.until));
    format!(r#""id":"{id}","version":{version},"issueDate":"{issued}","nextUpdate":"{next}""#)
}

/// TCB info, version 3 (Intel SGX and TDX Provisioning Certification Service API, version 4).
fn tcb_info(cpu: &Cpu, module: &TeeTcbInfo, window: Window, levels: &Levels) -> String {
    let above = u8::from(levels.none_fits);
    let head = head("TDX", 3, window);
    let (fmspc, pce, issued) = (Hex(&FMSPC), Hex(&PCE_ID), date(window.from));
    let signer = Hex(&module.mr_signer_seam);
    let attributes = Hex(&module.seam_attributes);
    let module_tcb = |id: &str, levels: &str| {
        format!(
            r#"{{{id}"mrsigner":"{signer}","attributes":"{attributes}","attributesMask":"FFFFFFFFFFFFFFFF"{levels}}}"#
        )
    };
    let TeeTcbSvn { minor, major, .. } = module.tee_tcb_svn;
    let id = format!(r#""id":"TDX_{major:02X}","#);
    let status = levels.module.json();
    let minor = minor.saturating_add(above);
    let identity = module_tcb(
        &id,
        &format!(r#","tcbLevels":[{{"tcb":{{"isvsvn":{minor}}},"tcbDate":"{issued}",{status}}}]"#),
    );
    let tdx_module = module_tcb("", "");
    let components = |svns: &[u8; 16]| {
        let components: Vec<_> = svns.iter().map(|svn| format!(r#"{{"svn":{svn}}}"#)).collect();
        components.join(",")
    };
    let (sgx, tdx) = (components(cpu.svn()), components(module.tee_tcb_svn.as_bytes()));
    let pce_svn = PCE_SVN.saturating_add(above.into());
    let status = levels.platform.json();
    format!(
        r#"{{{head},"fmspc":"{fmspc}","pceId":"{pce}","tcbType":0,"tcbEvaluationDataNumber":1,"tdxModule":{tdx_module},"tdxModuleIdentities":[{identity}],"tcbLevels":[{{"tcb":{{"sgxtcbcomponents":[{sgx}],"pcesvn":{pce_svn},"tdxtcbcomponents":[{tdx}]}},"tcbDate":"{issued}",{status}}}]}}"#
    )
}

/// Identity of the quoting enclave, version 2.
fn qe_identity(window: Window, levels: &Levels) -> String {
    let head = head("TD_QE", 2, window);
    let issued = date(window.from);
    // ATTRIBUTES under the mask: bit 2 (64-bit mode) and XFRM are left open.
    let mut attributes = [0; 16];
    attributes[0] = QuotingEnclave::ATTRIBUTES[0] & 0xFB;
    let (attributes, signer) = (Hex(&attributes), QuotingEnclave::mr_signer());
    let (signer, product, svn) = (Hex(&signer), QuotingEnclave::PROD_ID, QuotingEnclave::SVN);
    let status = levels.enclave.json();
    format!(
        r#"{{{head},"tcbEvaluationDataNumber":1,"miscselect":"00000000","miscselectMask":"FFFFFFFF","attributes":"{attributes}","attributesMask":"FBFFFFFFFFFFFFFF0000000000000000","mrsigner":"{signer}","isvprodid":{product},"tcbLevels":[{{"tcb":{{"isvsvn":{svn}}},"tcbDate":"{issued}",{status}}}]}}"#
    )
}
