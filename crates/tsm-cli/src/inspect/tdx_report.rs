// SPDX-License-Identifier: MIT OR Apache-2.0
//! A TDREPORT.

use core::slice;

use tsm_tdx::TdReport;
use tsm_tdx::layout::{ReportMacStruct, TdReportStruct, TeeTcbInfo, Valid};

use super::model::{Fields, Finding, Inspection, Section};
use super::tdx::{self, Places, Seam, Td};
use crate::evidence::Kind;

const KIND: &str = "tdx-report";
const TITLE: &str = "TDREPORT";

pub(super) fn is_one(bytes: &[u8]) -> bool {
    Kind::of(bytes) == Some(Kind::TdReport)
}

pub(super) fn inspect(bytes: &[u8]) -> Inspection {
    match TdReport::parse(bytes) {
        Ok(report) => whole(bytes, &report),
        Err(error) => Inspection::malformed(KIND, TITLE, tdx::malformed(error)),
    }
}

fn whole<'b>(bytes: &'b [u8], report: &TdReport<'b>) -> Inspection {
    let parts = report.as_struct();
    let (seam, td) = (Seam::from(&parts.tcb_info), Td::from(&parts.td_info));
    let not_verified = Finding::general(
        "not-verified",
        "the MAC was not checked: only the machine that made the report can do that, others need a \
         quote. The two hashes prove that the parts belong together, not who made them",
    );
    let places = Places::new(bytes, &td, &seam);
    let findings = report.findings().map(|found| tdx::finding(found, Some(&places)));
    Inspection {
        is_simulated: seam.is_simulated(),
        sections: vec![mac(bytes, &parts.mac), module(bytes, parts, &seam), whole_td(bytes, parts)],
        findings: core::iter::once(not_verified).chain(findings).collect(),
        see: vec!["tsm replay --expect-from FILE LOG (does a log explain its RTMRs?)".into()],
        ..Inspection::new(KIND, format!("{TITLE}, {} bytes, not verified", bytes.len()))
    }
}

fn mac<'b>(bytes: &'b [u8], mac: &'b ReportMacStruct) -> Section {
    let mut fields = Fields::new("REPORTMACSTRUCT: what the processor vouches for", bytes);
    let kind = &mac.report_type;
    fields.add("TYPE", slice::from_ref(&kind.kind), format!("{:#x}", kind.kind), "a TD");
    fields.add("SUBTYPE", slice::from_ref(&kind.subtype), kind.subtype, "");
    let version = match kind.version {
        0 => "no service TD is bound to this one",
        1 => "a service TD is bound to this one",
        _ => "unknown",
    };
    fields.add("VERSION", slice::from_ref(&kind.version), kind.version, version);
    fields.reserved(slice::from_ref(&kind.reserved));
    fields.reserved(&mac.reserved);
    fields.bytes("CPUSVN", &mac.cpu_svn, "security version of the processor's microcode");
    let info_hash = "equals SHA-384 of TEE_TCB_INFO, below";
    fields.bytes("TEE_TCB_INFO_HASH", &mac.tee_tcb_info_hash, info_hash);
    fields.bytes("TEE_INFO_HASH", &mac.tee_info_hash, "equals SHA-384 of TDINFO, below");
    fields.bytes("REPORTDATA", &mac.report_data, "chosen by who asked for the report");
    fields.reserved(&mac.reserved_2);
    fields.bytes("MAC", &mac.mac, "with a key of the processor; not checked");
    fields.section()
}

fn module<'b>(bytes: &'b [u8], report: &'b TdReportStruct, seam: &Seam<'b>) -> Section {
    let mut fields = Fields::new("TEE_TCB_INFO: the TDX module", bytes);
    let info: &TeeTcbInfo = &report.tcb_info;
    let has_second = info.valid.contains(Valid::TCB_SVN_2);
    let valid = match (info.valid.contains(Valid::TDX_1_0), has_second) {
        (true, true) => "which fields are there: those of TDX 1.5",
        (true, false) => "which fields are there: those of TDX 1.0",
        (false, _) => "which fields are there: unknown",
    };
    let bits = format!("{:#x}", info.valid.bits());
    fields.add("VALID", info.as_bytes().first_chunk::<8>().map_or(&[], |b| &b[..]), bits, valid);
    seam.add_to(&mut fields);
    if has_second {
        tdx::svn(&mut fields, "TEE_TCB_SVN2", &info.tee_tcb_svn_2, "the TDX module loaded now");
    } else {
        fields.bytes("TEE_TCB_SVN2", info.tee_tcb_svn_2.as_bytes(), "not there in TDX 1.0");
    }
    fields.reserved(&info.reserved);
    fields.reserved(&report.reserved);
    fields.section()
}

fn whole_td<'b>(bytes: &'b [u8], report: &'b TdReportStruct) -> Section {
    let mut fields = Fields::new("TDINFO: the TD", bytes);
    let info = &report.td_info;
    Td::from(info).add_to(&mut fields);
    fields.bytes("SERVTD_HASH", &info.servtd_hash, "SHA-384 over the bindings of service TDs");
    fields.reserved(&info.reserved);
    fields.section()
}
