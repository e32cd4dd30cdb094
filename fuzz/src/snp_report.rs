// SPDX-License-Identifier: MIT OR Apache-2.0
//! SNP reports, bare and in a paravisor's.

use tsm_core::Algorithm;
use tsm_snp::hcl::HclReport;
use tsm_snp::report::{Finding, TcbVersion, Versions};
use tsm_snp::{ErrorKind, REPORT_SIZE, Report};

/// Input: a report. It is read as it is, at its size with a known version, and as a paravisor's.
pub fn snp_report(data: &[u8]) {
    read(data);
    let mut bytes = [0; REPORT_SIZE];
    let size = data.len().min(REPORT_SIZE);
    bytes[..size].copy_from_slice(&data[..size]);
    bytes[0] = [2, 3, 4, 5][usize::from(bytes[0] % 4)];
    bytes[1..4].fill(0);
    assert!(read(&bytes));
    paravisor(data);
}

/// Offsets as the specification has them, read from the bytes.
fn read(data: &[u8]) -> bool {
    let number = |at: usize| u32::from_le_bytes(data[at..at + 4].try_into().unwrap());
    let good = data.len() == REPORT_SIZE && matches!(number(0), 2..=5);
    let report = match Report::parse(data, Versions::WITH_FOURTH) {
        Err(error) => {
            assert!(!good && error.offset().expect("a place") <= data.len(), "{error}");
            return good;
        }
        Ok(report) => report,
    };
    assert!(good && report.as_bytes() == data && report.signed_bytes() == &data[..0x2A0]);
    let known = Report::parse(data, Versions::KNOWN);
    assert_eq!(known.is_err(), number(0) == 4);
    assert_eq!((report.vmpl(), report.report_data()[..] == data[0x50..0x90]), (number(0x30), true));
    assert_eq!(report.measurement()[..], data[0x90..0xC0]);
    assert_eq!(report.launch_tcb(), TcbVersion(data[0x1F0..0x1F8].try_into().unwrap()));
    let r = report.signature().r();
    assert_eq!(r.is_some(), data[0x2D0..0x2E8] == [0; 24]);
    if let Some(generation) = report.generation() {
        let tcb = report.reported_tcb().of(generation);
        assert_eq!((tcb.microcode, number(0) > 2), (data[0x187], true));
        assert_eq!(tcb.partial_cmp(&tcb), Some(core::cmp::Ordering::Equal));
    }
    let zero = |range: core::ops::Range<usize>| data[range].iter().all(|&byte| byte == 0);
    let reserved = zero(0x4C..0x50)
        && zero(if number(0) == 2 { 0x188 } else { 0x18B }..0x1A0)
        && data[0x1EB] | data[0x1EF] == 0
        && zero(if number(0) == 5 { 0x208 } else { 0x1F8 }..0x2A0)
        && zero(0x2D0..0x2E8)
        && zero(0x318..0x330)
        && zero(0x330..0x4A0);
    assert_eq!(report.check_reserved().is_ok(), reserved);
    let found: Vec<_> = report.findings().collect();
    assert_eq!(found.iter().any(|f| matches!(f, Finding::Reserved(_))), !reserved);
    assert_eq!(found.contains(&Finding::Debug), data[0x0A] & 8 != 0);
    assert_eq!(found.contains(&Finding::HostRequested), data[0x30..0x34] == [0xFF; 4]);
    assert!(found.iter().all(|finding| !finding.to_string().is_empty()));
    assert!(!format!("{} {}", report.policy(), report.key_info()).is_empty());
    good
}

fn paravisor(data: &[u8]) {
    let Ok(hcl) = HclReport::parse(data, Versions::KNOWN) else { return };
    let number = |at: usize| u32::from_le_bytes(data[at..at + 4].try_into().unwrap()) as usize;
    let start = if number(0x4C4) >= 2 { 0x4D8 } else { 0x4D4 };
    assert_eq!((&data[..4], number(0x4C8)), (&b"HCLA"[..], 2));
    assert_eq!(hcl.claims(), &data[start..start + number(0x4D0)]);
    assert_eq!(hcl.report().as_bytes(), &data[0x20..0x4C0]);
    let algorithm = match number(0x4CC) {
        1 => Algorithm::Sha256,
        2 => Algorithm::Sha384,
        3 => Algorithm::Sha512,
        _ => {
            assert_eq!(hcl.check_binding().unwrap_err().kind(), ErrorKind::Algorithm);
            return;
        }
    };
    let mut expected = algorithm.hash(hcl.claims()).as_bytes().to_vec();
    expected.resize(64, 0);
    assert_eq!(hcl.check_binding().is_ok(), data[0x70..0xB0] == expected);
}
