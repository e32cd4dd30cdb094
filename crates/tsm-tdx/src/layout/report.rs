// SPDX-License-Identifier: MIT OR Apache-2.0
//! TDREPORT_STRUCT, 1024 bytes.

use core::fmt;
use core::mem::offset_of;
use core::ops::Deref;

use tsm_core::index::RtmrIndex;
use tsm_core::{Algorithm, Digest};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::{Attributes, Findings, TEE_TDX, Xfam};
use crate::bytes::copy;
use crate::error::{Error, ErrorKind};

macro_rules! layout {
    ($(#[$doc:meta])* $name:ident, $size:literal: $($(#[$field_doc:meta])* $field:ident: $type:ty = $offset:literal;)*) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        #[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
        #[repr(C)]
        #[non_exhaustive]
        pub struct $name {
            $($(#[$field_doc])* pub $field: $type,)*
        }

        impl $name {
            /// Its size in bytes.
            pub const SIZE: usize = $size;

            /// All zeros.
            pub const ZERO: Self = zerocopy::transmute!([0_u8; $size]);

            /// The structure in these bytes.
            #[must_use]
            pub fn from_bytes(bytes: &[u8; $size]) -> &Self {
                zerocopy::transmute_ref!(bytes)
            }

            /// Its bytes.
            #[must_use]
            pub fn as_bytes(&self) -> &[u8; $size] {
                zerocopy::transmute_ref!(self)
            }
        }

        const _: () = {
            assert!(size_of::<$name>() == $size && align_of::<$name>() == 1);
            $(assert!(offset_of!($name, $field) == $offset);)*
        };
    };
}
pub(super) use layout;

layout! {
    /// TDREPORT_STRUCT as it lies in memory: any 1024 bytes. [`TdReport`] is one that was checked.
    TdReportStruct, 1024:
    /// What the CPU vouches for.
    mac: ReportMacStruct = 0;
    /// The TDX module.
    tcb_info: TeeTcbInfo = 256;
    /// Reserved.
    reserved: [u8; 17] = 495;
    /// The TD.
    td_info: TdInfo = 512;
}

layout! {
    /// REPORTMACSTRUCT: what the CPU vouches for with a MAC.
    ReportMacStruct, 256:
    /// REPORTTYPE.
    report_type: ReportType = 0;
    /// Reserved.
    reserved: [u8; 12] = 4;
    /// CPUSVN.
    cpu_svn: [u8; 16] = 16;
    /// TEE_TCB_INFO_HASH: SHA-384 of [`TeeTcbInfo`], 239 bytes.
    tee_tcb_info_hash: [u8; 48] = 32;
    /// TEE_INFO_HASH: SHA-384 of [`TdInfo`], 512 bytes.
    tee_info_hash: [u8; 48] = 80;
    /// REPORTDATA, the caller's.
    report_data: [u8; 64] = 128;
    /// Reserved.
    reserved_2: [u8; 32] = 192;
    /// HMAC-SHA-256 by the CPU over all before it. Software has no key for it.
    mac: [u8; 32] = 224;
}

layout! {
    /// REPORTTYPE.
    ReportType, 4:
    /// 0x81 for a TD, 0 for SGX.
    kind: u8 = 0;
    /// Subtype: 0.
    subtype: u8 = 1;
    /// 1 if a service TD is bound to this one, otherwise 0. Says nothing about TDX 1.0 or 1.5
    /// ([`Valid`] does).
    version: u8 = 2;
    /// Reserved.
    reserved: u8 = 3;
}

layout! {
    /// TEE_TCB_INFO: which TDX module made the TD. The same size in TDX 1.0 and 1.5; 1.5 has
    /// [`tee_tcb_svn_2`](Self::tee_tcb_svn_2).
    TeeTcbInfo, 239:
    /// Which fields are there.
    valid: Valid = 0;
    /// TEE_TCB_SVN: the module that made the TD.
    tee_tcb_svn: TeeTcbSvn = 8;
    /// MRSEAM: SHA-384 measurement of the TDX module.
    mr_seam: [u8; 48] = 24;
    /// MRSIGNERSEAM: zero for a module that Intel signed.
    mr_signer_seam: [u8; 48] = 72;
    /// SEAM ATTRIBUTES: zero in production.
    seam_attributes: [u8; 8] = 120;
    /// TEE_TCB_SVN2: the module that is loaded now; of TDX 1.5 ([`Valid::TCB_SVN_2`]), zero in 1.0.
    tee_tcb_svn_2: TeeTcbSvn = 128;
    /// Reserved.
    reserved: [u8; 95] = 144;
}

layout! {
    /// TDINFO_STRUCT: the TD.
    TdInfo, 512:
    /// ATTRIBUTES.
    attributes: Attributes = 0;
    /// XFAM.
    xfam: Xfam = 8;
    /// MRTD: SHA-384 measurement of what the TD was built from.
    mr_td: [u8; 48] = 16;
    /// MRCONFIGID, chosen by the host.
    mr_config_id: [u8; 48] = 64;
    /// MROWNER, chosen by the host.
    mr_owner: [u8; 48] = 112;
    /// MROWNERCONFIG, chosen by the host.
    mr_owner_config: [u8; 48] = 160;
    /// RTMR0 to RTMR3.
    rtmrs: [[u8; 48]; 4] = 208;
    /// SERVTD_HASH: SHA-384 over the bindings of service TDs, zero if there are none.
    servtd_hash: [u8; 48] = 400;
    /// Reserved.
    reserved: [u8; 64] = 448;
}

impl TdInfo {
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
    /// TEE_TCB_SVN: security version numbers of the TDX module, lowest byte first.
    TeeTcbSvn, 16:
    /// ISVSVN of the module.
    minor: u8 = 0;
    /// Major version of the module: 0 for TDX 1.0, then 1 or higher, and chooses the module's
    /// identity in Intel's collateral.
    major: u8 = 1;
    /// SVN of the secure-extension microcode.
    microcode: u8 = 2;
    /// The others, not assigned.
    others: [u8; 13] = 3;
}

/// VALID: which fields of [`TeeTcbInfo`] are there.
#[derive(
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    Default,
    FromBytes,
    IntoBytes,
    Immutable,
    KnownLayout,
    Unaligned,
)]
#[repr(transparent)]
pub struct Valid([u8; 8]);

impl Valid {
    /// The bits that every report has: the fields of TDX 1.0.
    pub const TDX_1_0: Self = Self::from_bits(0x1FF);
    /// The bits that reports with TEE_TCB_SVN2 have besides. Read off real reports (0x301FF).
    pub const TCB_SVN_2: Self = Self::from_bits(0x3_0000);

    /// These bits.
    #[must_use]
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits.to_le_bytes())
    }

    /// The bits.
    #[must_use]
    pub const fn bits(self) -> u64 {
        u64::from_le_bytes(self.0)
    }

    /// Whether all of `bits` are set.
    #[must_use]
    pub const fn contains(self, bits: Self) -> bool {
        self.bits() & bits.bits() == bits.bits()
    }
}

impl fmt::Debug for Valid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Valid({:#x})", self.bits())
    }
}

impl TdReportStruct {
    /// Writes the two hashes of what is in the report now. For software that stands in for a TDX
    /// module; the MAC is its own affair.
    pub fn hash(&mut self) {
        let (tcb_info, td_info) = self.hashes();
        copy(tcb_info.as_bytes(), &mut self.mac.tee_tcb_info_hash);
        copy(td_info.as_bytes(), &mut self.mac.tee_info_hash);
    }

    /// TEE_TCB_INFO_HASH and TEE_INFO_HASH as they should be.
    fn hashes(&self) -> (Digest, Digest) {
        let hash = |bytes: &[u8]| Algorithm::Sha384.hash(bytes);
        (hash(self.tcb_info.as_bytes()), hash(self.td_info.as_bytes()))
    }
}

/// A TDREPORT whose type is a TD's and whose two hashes are right. Its fields are those of
/// [`TdReportStruct`].
///
/// That proves that the three parts belong together, not that a TDX module made them: anybody can
/// hash. A report is evidence on its own machine only
/// ([`Td::verify_report`](crate::Td::verify_report)); others need a quote.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TdReport<'b>(&'b TdReportStruct);

impl<'b> TdReport<'b> {
    /// Its size in bytes.
    pub const SIZE: usize = TdReportStruct::SIZE;

    /// Reads and checks a report of exactly [`SIZE`](Self::SIZE) bytes.
    ///
    /// Reserved bytes, the version and VALID are not judged; see [`findings`](Self::findings).
    ///
    /// # Errors
    ///
    /// With the offset: [`ErrorKind::Truncated`]; [`ErrorKind::Size`] if there are more bytes;
    /// [`ErrorKind::ReportType`] if type or subtype is not that of a TD's report;
    /// [`ErrorKind::TcbInfoHash`]; [`ErrorKind::TdInfoHash`].
    pub fn parse(bytes: &'b [u8]) -> Result<Self, Error> {
        let truncated = Error::at(ErrorKind::Truncated, bytes.len());
        let (report, rest) = bytes.split_first_chunk::<1024>().ok_or(truncated)?;
        if !rest.is_empty() {
            return Err(Error::at(ErrorKind::Size, Self::SIZE));
        }
        let report = TdReportStruct::from_bytes(report);
        let kind = &report.mac.report_type;
        if kind.kind != TEE_TDX {
            return Err(Error::at(ErrorKind::ReportType, 0));
        }
        if kind.subtype != 0 {
            return Err(Error::at(ErrorKind::ReportType, 1));
        }
        let (tcb_info, td_info) = report.hashes();
        if tcb_info.as_bytes() != report.mac.tee_tcb_info_hash {
            return Err(Error::at(ErrorKind::TcbInfoHash, 32));
        }
        if td_info.as_bytes() != report.mac.tee_info_hash {
            return Err(Error::at(ErrorKind::TdInfoHash, 80));
        }
        Ok(Self(report))
    }

    /// The report as it lies in memory.
    #[must_use]
    pub const fn as_struct(&self) -> &'b TdReportStruct {
        self.0
    }

    /// What is worth a look in it.
    #[must_use]
    pub fn findings(&self) -> Findings {
        Findings::of_report(self.0)
    }
}

impl Deref for TdReport<'_> {
    type Target = TdReportStruct;

    fn deref(&self) -> &TdReportStruct {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::Finding;

    /// A sound report whose fields can be told apart.
    fn report() -> TdReportStruct {
        let mut report = TdReportStruct::ZERO;
        report.mac.report_type.kind = TEE_TDX;
        report.mac.report_data = [1; 64];
        report.tcb_info.valid = Valid::from_bits(0x3_01FF);
        report.tcb_info.mr_seam = [2; 48];
        report.td_info.attributes = Attributes::SEPT_VE_DISABLE;
        report.td_info.mr_td = [3; 48];
        report.td_info.rtmrs = [[4; 48], [5; 48], [6; 48], [7; 48]];
        report.td_info.servtd_hash = [8; 48];
        report.hash();
        report
    }

    /// Absolute offsets as the tables of the sources have them.
    #[test]
    fn fields_are_where_they_belong() {
        let report = report();
        let bytes = report.as_bytes();
        assert_eq!(bytes[0], 0x81);
        assert_eq!(bytes[128..192], [1; 64]);
        assert_eq!(bytes[256..264], [0xFF, 1, 3, 0, 0, 0, 0, 0]);
        assert_eq!(bytes[280..328], [2; 48]);
        assert_eq!(bytes[512..520], [0, 0, 0, 0x10, 0, 0, 0, 0]);
        assert_eq!(bytes[528..576], [3; 48]);
        for (start, value) in [(720, 4), (768, 5), (816, 6), (864, 7), (912, 8)] {
            assert_eq!(bytes[start..start + 48], [value; 48]);
        }
        let read = TdReport::parse(bytes).unwrap();
        assert_eq!(read.td_info.rtmr(RtmrIndex::RTMR1), &[5; 48]);
        assert_eq!(read.td_info.rtmr(RtmrIndex::RTMR3), &[7; 48]);
        assert!(read.tcb_info.valid.contains(Valid::TCB_SVN_2));
        assert!(!Valid::TDX_1_0.contains(Valid::TCB_SVN_2));
        assert_eq!(read.findings().count(), 0);
    }

    /// Every flipped bit of what is hashed or typed is found, with the place.
    #[test]
    fn damage() {
        let good = *report().as_bytes();
        for place in 0..1024 {
            let mut bad = good;
            bad[place] ^= 0x10;
            let expected = match place {
                0 | 1 => Some((ErrorKind::ReportType, place)),
                32..80 | 256..495 => Some((ErrorKind::TcbInfoHash, 32)),
                80..128 | 512.. => Some((ErrorKind::TdInfoHash, 80)),
                _ => None,
            };
            let found = TdReport::parse(&bad).err().map(|e| (e.kind(), e.offset().unwrap()));
            assert_eq!(found, expected, "byte {place}");
        }
        for cut in 0..1024 {
            let error = TdReport::parse(&good[..cut]).unwrap_err();
            assert_eq!((error.kind(), error.offset()), (ErrorKind::Truncated, Some(cut)));
        }
        let error = TdReport::parse(&[&good[..], &[0]].concat()).unwrap_err();
        assert_eq!((error.kind(), error.offset()), (ErrorKind::Size, Some(1024)));
    }

    /// What the caller binds a report to is no measurement.
    #[test]
    fn measurements_do_not_move_with_report_data() {
        let first = report();
        let mut second = first;
        second.mac.report_data = core::array::from_fn(|n| n as u8 ^ 0xA5);
        let (first, second) =
            (TdReport::parse(first.as_bytes()), TdReport::parse(second.as_bytes()));
        let (first, second) = (first.unwrap(), second.unwrap());
        assert_ne!(first.mac.report_data, second.mac.report_data);
        assert_eq!(first.td_info, second.td_info);
        assert_eq!(first.tcb_info, second.tcb_info);
    }

    #[test]
    fn findings() {
        let mut bad = report();
        bad.td_info.attributes = Attributes::DEBUG.and(Attributes::from_bits(1 << 40));
        bad.td_info.reserved[3] = 1;
        bad.tcb_info.seam_attributes[0] = 1;
        bad.hash();
        bad.reserved[0] = 1;
        bad.mac.reserved_2[1] = 1;
        let found: Vec<Finding> = TdReport::parse(bad.as_bytes()).unwrap().findings().collect();
        assert_eq!(
            found,
            [
                Finding::Untrusted(Attributes::DEBUG),
                Finding::NoSeptVeDisable,
                Finding::UnknownAttributes(Attributes::from_bits(1 << 40)),
                Finding::SeamAttributes,
                Finding::Reserved(192),
                Finding::Reserved(495),
                Finding::Reserved(960),
            ]
        );
    }
}
