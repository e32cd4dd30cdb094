// SPDX-License-Identifier: MIT OR Apache-2.0
//! TDREPORTs.

use tsm_core::Algorithm;
use tsm_tdx::layout::{Finding, TdReportStruct};
use tsm_tdx::{RtmrIndex, TdReport};

/// Input: a TDREPORT. It is read as it is, and once more with its hashes set right.
pub fn tdx_report(data: &[u8]) {
    read(data);
    let mut bytes = [0; 1024];
    let size = data.len().min(1024);
    bytes[..size].copy_from_slice(&data[..size]);
    let mut report = *TdReportStruct::from_bytes(&bytes);
    report.hash();
    report.mac.report_type.kind = 0x81;
    report.mac.report_type.subtype = 0;
    assert!(read(report.as_bytes()), "it was set right");
}

/// Offsets and hashes as the specification has them, read from the bytes.
fn read(data: &[u8]) -> bool {
    let hash = |range: core::ops::Range<usize>| Algorithm::Sha384.hash(&data[range]);
    let good = data.len() == 1024
        && data[..2] == [0x81, 0]
        && hash(256..495).as_bytes() == &data[32..80]
        && hash(512..1024).as_bytes() == &data[80..128];
    match TdReport::parse(data) {
        Err(error) => {
            assert!(!good, "{error}");
            assert!(error.offset().expect("a place") <= data.len());
            assert!(!error.to_string().is_empty());
        }
        Ok(report) => {
            assert!(good);
            assert_eq!(report.as_struct().as_bytes(), data);
            assert_eq!(report.mac.report_data, data[128..192]);
            assert_eq!(report.tcb_info.mr_seam, data[280..328]);
            assert_eq!(report.td_info.mr_td, data[528..576]);
            for (index, value) in RtmrIndex::ALL.into_iter().zip(data[720..912].chunks(48)) {
                assert_eq!(report.td_info.rtmr(index), value);
            }
            let debug = report.findings().any(|f| matches!(f, Finding::Untrusted(_)));
            assert_eq!(debug, data[512] != 0);
            assert!(report.findings().all(|finding| !finding.to_string().is_empty()));
        }
    }
    good
}
