// SPDX-License-Identifier: MIT OR Apache-2.0
//! Certificate tables.

use tsm_snp::{CertificateKind, CertificateTable};

/// Input: a table. A naive reading of it decides whether it is one.
pub fn snp_certificates(data: &[u8]) {
    let naive = naive(data);
    match CertificateTable::parse(data) {
        Err(error) => {
            assert!(naive.is_none(), "{error}");
            assert!(error.offset().expect("a place") <= data.len());
        }
        Ok(table) => {
            let naive = naive.expect("refused by the naive reader");
            let entries: Vec<_> =
                table.entries().map(|e| (e.guid().rfc_bytes(), e.as_bytes())).collect();
            assert_eq!(entries, naive);
            for entry in table.entries() {
                assert_eq!(table.find(entry.kind()), Some(entry));
                assert_eq!(CertificateKind::of(entry.kind().guid()), entry.kind());
                assert!(!format!("{entry:?}").is_empty());
            }
        }
    }
}

/// Each entry's GUID and bytes, if they are apart from each other and from the list.
fn naive(data: &[u8]) -> Option<Vec<([u8; 16], &[u8])>> {
    if data.is_empty() {
        return Some(Vec::new());
    }
    let end = data.chunks_exact(24).position(|entry| entry == [0; 24])?;
    // Who owns each byte; the list owns its own.
    let mut owners = vec![false; data.len()];
    owners[..24 * (end + 1)].fill(true);
    let mut found: Vec<([u8; 16], &[u8])> = Vec::new();
    for entry in data.chunks_exact(24).take(end) {
        let word = |at: usize| u32::from_le_bytes(entry[at..at + 4].try_into().unwrap()) as usize;
        let (start, length) = (word(16), word(20));
        let bytes = data.get(start..start.checked_add(length)?)?;
        // An entry of no bytes owns none, wherever it points.
        if owners[start..start + length].contains(&true) {
            return None;
        }
        owners[start..start + length].fill(true);
        let guid: [u8; 16] = entry[..16].try_into().unwrap();
        if found.iter().any(|(other, _)| *other == guid) {
            return None;
        }
        found.push((guid, bytes));
    }
    (end <= CertificateTable::MAX_ENTRIES).then_some(found)
}
