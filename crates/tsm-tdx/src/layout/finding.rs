// SPDX-License-Identifier: MIT OR Apache-2.0
//! What is worth a look in evidence that is well-formed. Nothing here makes it wrong; a verifier's
//! policy decides.

use core::fmt;

use super::quote::{QE_VENDOR_INTEL, Quote};
use super::report::{TdReportStruct, Valid};
use super::{Attributes, is_zero};

/// One thing that is worth a look.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Finding {
    /// The TD is open to its host: it has these of [`Attributes::UNTRUSTED`].
    Untrusted(Attributes),
    /// SEPT_VE_DISABLE is not set: the host can inject #VE by taking pages away.
    NoSeptVeDisable,
    /// Attributes that this crate does not know.
    UnknownAttributes(Attributes),
    /// SEAM ATTRIBUTES are not zero: not a production module.
    SeamAttributes,
    /// MRSIGNERSEAM is not zero: not a module that Intel signed.
    SeamSigner,
    /// VALID of a report is none of the values that are known.
    Valid(Valid),
    /// REPORTTYPE of a report has a version that is not known.
    ReportVersion(u8),
    /// Reserved bytes that are not zero, in the field at this offset.
    Reserved(usize),
    /// The quoting enclave says that another vendor than Intel made it.
    QeVendor,
    /// So many bytes stand behind a quote's signature. Nothing signs them.
    Trailing {
        /// How many.
        bytes: usize,
        /// Whether all of them are zero.
        zero: bool,
    },
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Untrusted(bits) => write!(f, "the TD is open to its host: {bits}"),
            Self::NoSeptVeDisable => f.write_str("SEPT_VE_DISABLE is not set"),
            Self::UnknownAttributes(bits) => write!(f, "unknown attributes: {bits}"),
            Self::SeamAttributes => f.write_str("not a production TDX module: SEAM ATTRIBUTES"),
            Self::SeamSigner => f.write_str("Intel did not sign the TDX module: MRSIGNERSEAM"),
            Self::Valid(valid) => write!(f, "unknown VALID bits {:#x}", valid.bits()),
            Self::ReportVersion(version) => write!(f, "unknown report version {version}"),
            Self::Reserved(offset) => write!(f, "reserved bytes at {offset} are not zero"),
            Self::QeVendor => f.write_str("the quoting enclave is not Intel's"),
            Self::Trailing { bytes, zero } => {
                let kind = if *zero { "zero " } else { "" };
                write!(f, "{bytes} {kind}bytes behind the signature, which nothing signs")
            }
        }
    }
}

const MOST: usize = 11;

/// Iterator over findings, in the order of [`Finding`]'s variants.
#[derive(Clone, Debug)]
pub struct Findings(core::iter::Flatten<core::array::IntoIter<Option<Finding>, MOST>>);

impl Findings {
    pub(super) fn of_report(report: &TdReportStruct) -> Self {
        let (mac, tcb) = (&report.mac, &report.tcb_info);
        let version = mac.report_type.version;
        let known = [Valid::TDX_1_0.bits(), Valid::TDX_1_0.bits() | Valid::TCB_SVN_2.bits()];
        let [untrusted, ve, unknown] = of_attributes(report.td_info.attributes);
        Self::new([
            untrusted,
            ve,
            unknown,
            (!is_zero(&tcb.seam_attributes)).then_some(Finding::SeamAttributes),
            (!is_zero(&tcb.mr_signer_seam)).then_some(Finding::SeamSigner),
            (!known.contains(&tcb.valid.bits())).then_some(Finding::Valid(tcb.valid)),
            (version > 1).then_some(Finding::ReportVersion(version)),
            reserved(&mac.reserved, 4).or(reserved(&[mac.report_type.reserved], 3)),
            reserved(&mac.reserved_2, 192),
            reserved(&report.reserved, 495).or(reserved(&tcb.reserved, 400)),
            reserved(&report.td_info.reserved, 960),
        ])
    }

    pub(super) fn of_quote(quote: &Quote<'_>) -> Self {
        let td = quote.body().td();
        let [untrusted, ve, unknown] =
            td.map_or([None; 3], |body| of_attributes(body.td_attributes));
        let trailing = quote.trailing();
        let header = quote.header();
        Self::new([
            untrusted,
            ve,
            unknown,
            td.filter(|body| !is_zero(&body.seam_attributes)).map(|_| Finding::SeamAttributes),
            td.filter(|body| !is_zero(&body.mr_signer_seam)).map(|_| Finding::SeamSigner),
            reserved(&header.reserved, 8),
            (header.qe_vendor_id != QE_VENDOR_INTEL).then_some(Finding::QeVendor),
            (!trailing.is_empty())
                .then_some(Finding::Trailing { bytes: trailing.len(), zero: is_zero(trailing) }),
            None,
            None,
            None,
        ])
    }

    fn new(findings: [Option<Finding>; MOST]) -> Self {
        Self(findings.into_iter().flatten())
    }
}

impl Iterator for Findings {
    type Item = Finding;

    fn next(&mut self) -> Option<Finding> {
        self.0.next()
    }
}

fn of_attributes(attributes: Attributes) -> [Option<Finding>; 3] {
    let untrusted = attributes.among(Attributes::UNTRUSTED);
    let elsewhere = Attributes::from_bits(!Attributes::UNTRUSTED.bits());
    let unknown = attributes.unknown().among(elsewhere);
    [
        (!untrusted.is_empty()).then_some(Finding::Untrusted(untrusted)),
        (!attributes.contains(Attributes::SEPT_VE_DISABLE)).then_some(Finding::NoSeptVeDisable),
        (!unknown.is_empty()).then_some(Finding::UnknownAttributes(unknown)),
    ]
}

fn reserved(bytes: &[u8], offset: usize) -> Option<Finding> {
    (!is_zero(bytes)).then_some(Finding::Reserved(offset))
}
