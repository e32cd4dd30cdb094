// SPDX-License-Identifier: MIT OR Apache-2.0
//! What TDREPORT and quote have in common: the TDX module, the TD, findings, errors.

use tsm_core::Algorithm;
use tsm_tdx::ErrorKind;
use tsm_tdx::layout::{self, Attributes, TdBody10, TdInfo, TeeTcbInfo, TeeTcbSvn, Xfam};

use super::model::{Fields, Finding, Malformed, is_zero, offset};

/// The fields about the TDX module.
pub(super) struct Seam<'b> {
    pub(super) svn: &'b TeeTcbSvn,
    pub(super) mr_seam: &'b [u8; 48],
    pub(super) mr_signer_seam: &'b [u8; 48],
    pub(super) attributes: &'b [u8; 8],
}

impl<'b> From<&'b TeeTcbInfo> for Seam<'b> {
    fn from(info: &'b TeeTcbInfo) -> Self {
        Self {
            svn: &info.tee_tcb_svn,
            mr_seam: &info.mr_seam,
            mr_signer_seam: &info.mr_signer_seam,
            attributes: &info.seam_attributes,
        }
    }
}

impl<'b> From<&'b TdBody10> for Seam<'b> {
    fn from(body: &'b TdBody10) -> Self {
        Self {
            svn: &body.tee_tcb_svn,
            mr_seam: &body.mr_seam,
            mr_signer_seam: &body.mr_signer_seam,
            attributes: &body.seam_attributes,
        }
    }
}

impl<'b> Seam<'b> {
    pub(super) fn add_to(&self, fields: &mut Fields<'b>) {
        svn(fields, "TEE_TCB_SVN", self.svn, "the TDX module that made the TD");
        fields.bytes("MRSEAM", self.mr_seam, "SHA-384 measurement of the TDX module");
        let signer = if is_zero(self.mr_signer_seam) {
            "who signed the TDX module: Intel"
        } else {
            "who signed the TDX module: not Intel, whose is zero"
        };
        fields.bytes("MRSIGNERSEAM", self.mr_signer_seam, signer);
        let attributes = if is_zero(self.attributes) {
            "a production module"
        } else {
            "not a production module"
        };
        fields.bytes("SEAM ATTRIBUTES", self.attributes, attributes);
    }

    /// Whether it is the module of `tsm-sim`, which says so in what it hashes.
    pub(super) fn is_simulated(&self) -> bool {
        let made_up = Algorithm::Sha384.hash(b"SIMULATED value of sim:tdx/mrseam");
        self.mr_seam[..] == *made_up.as_bytes()
    }
}

/// The fields about the TD.
pub(super) struct Td<'b> {
    pub(super) attributes: &'b Attributes,
    pub(super) xfam: &'b Xfam,
    pub(super) mr_td: &'b [u8; 48],
    pub(super) mr_config_id: &'b [u8; 48],
    pub(super) mr_owner: &'b [u8; 48],
    pub(super) mr_owner_config: &'b [u8; 48],
    pub(super) rtmrs: &'b [[u8; 48]; 4],
}

impl<'b> From<&'b TdInfo> for Td<'b> {
    fn from(info: &'b TdInfo) -> Self {
        Self {
            attributes: &info.attributes,
            xfam: &info.xfam,
            mr_td: &info.mr_td,
            mr_config_id: &info.mr_config_id,
            mr_owner: &info.mr_owner,
            mr_owner_config: &info.mr_owner_config,
            rtmrs: &info.rtmrs,
        }
    }
}

impl<'b> From<&'b TdBody10> for Td<'b> {
    fn from(body: &'b TdBody10) -> Self {
        Self {
            attributes: &body.td_attributes,
            xfam: &body.xfam,
            mr_td: &body.mr_td,
            mr_config_id: &body.mr_config_id,
            mr_owner: &body.mr_owner,
            mr_owner_config: &body.mr_owner_config,
            rtmrs: &body.rtmrs,
        }
    }
}

impl<'b> Td<'b> {
    pub(super) fn add_to(&self, fields: &mut Fields<'b>) {
        let (attributes, xfam) = (self.attributes, self.xfam);
        let bits = format!("{:#x}", attributes.bits());
        fields.add("ATTRIBUTES", attributes.as_bytes(), bits, attributes.to_string());
        let bits = format!("{:#x}", xfam.bits());
        fields.add("XFAM", xfam.as_bytes(), bits, xfam.to_string());
        fields.bytes("MRTD", self.mr_td, "SHA-384 measurement of what the TD was built from");
        for (name, value) in [
            ("MRCONFIGID", self.mr_config_id),
            ("MROWNER", self.mr_owner),
            ("MROWNERCONFIG", self.mr_owner_config),
        ] {
            fields.bytes(name, value, "chosen by the host; no meaning to the hardware");
        }
        let uses = [
            "by convention firmware's configuration; in its log register 1",
            "by convention firmware: boot loader, kernel; in its log register 2",
            "by convention boot loader and kernel: command line, initrd; in firmware's log register 3",
            "left to applications; in no log of firmware",
        ];
        for (number, (value, what)) in self.rtmrs.iter().zip(uses).enumerate() {
            fields.bytes(format!("RTMR{number}"), value, what);
        }
    }
}

/// Security version numbers of a TDX module.
pub(super) fn svn<'b>(fields: &mut Fields<'b>, name: &str, svn: &'b TeeTcbSvn, whose: &str) {
    let TeeTcbSvn { minor, major, microcode, .. } = svn;
    let value = format!("{major}.{minor}, microcode {microcode}");
    let meaning = format!("security version (major.minor) of {whose}");
    fields.add(name, svn.as_bytes(), value, meaning);
}

/// Where findings without an offset of their own are.
pub(super) struct Places {
    attributes: usize,
    seam_attributes: usize,
    seam_signer: usize,
}

impl Places {
    pub(super) fn new(whole: &[u8], td: &Td<'_>, seam: &Seam<'_>) -> Self {
        Self {
            attributes: offset(whole, td.attributes.as_bytes()),
            seam_attributes: offset(whole, seam.attributes),
            seam_signer: offset(whole, seam.mr_signer_seam),
        }
    }
}

pub(super) fn finding(found: layout::Finding, places: Option<&Places>) -> Finding {
    use layout::Finding as Of;
    let (kind, offset, advice) = match found {
        Of::Untrusted(_) => (
            "untrusted-td",
            places.map(|at| at.attributes),
            "; its measurements say nothing about what runs in it",
        ),
        Of::NoSeptVeDisable => (
            "sept-ve-disable",
            places.map(|at| at.attributes),
            "; the host can take pages away and inject #VE",
        ),
        Of::UnknownAttributes(_) => ("unknown-attributes", places.map(|at| at.attributes), ""),
        Of::SeamAttributes => ("seam-attributes", places.map(|at| at.seam_attributes), ""),
        Of::SeamSigner => ("seam-signer", places.map(|at| at.seam_signer), ""),
        Of::Valid(_) => ("valid", Some(256), ""),
        Of::ReportVersion(_) => ("report-version", Some(2), ""),
        Of::Reserved(offset) => ("reserved", Some(offset), ""),
        Of::QeVendor => ("qe-vendor", Some(12), ""),
        Of::Trailing { .. } => ("trailing", None, ""),
        _ => ("other", None, ""),
    };
    Finding { kind, offset, text: format!("{found}{advice}") }
}

pub(super) fn malformed(error: tsm_tdx::Error) -> Malformed {
    let kind = match error.kind() {
        ErrorKind::Truncated => "truncated",
        ErrorKind::Size => "size",
        ErrorKind::Version => "version",
        ErrorKind::ReportType => "report-type",
        ErrorKind::TeeType => "tee-type",
        ErrorKind::BodyType => "body-type",
        ErrorKind::KeyType => "key-type",
        ErrorKind::CertificationType => "certification-type",
        ErrorKind::TcbInfoHash => "tcb-info-hash",
        ErrorKind::TdInfoHash => "td-info-hash",
        _ => "other",
    };
    Malformed { kind, offset: error.offset(), text: error.to_string() }
}
