// SPDX-License-Identifier: MIT OR Apache-2.0
//! The certificate table that a host gives with a report of SEV-SNP.

use tsm_snp::{CertificateKind, CertificateTable, Encoding, Guid};

use super::certificates;
use super::model::{Fields, Finding, Inspection, is_zero, number};
use super::snp::{self, part};

const KIND: &str = "snp-certificates";
const TITLE: &str = "SEV-SNP certificate table";

/// Bytes of an entry.
const ENTRY: usize = 24;

/// Whether one of the entries has a GUID that is known. A table without any cannot be told from
/// other bytes.
pub(super) fn is_one(bytes: &[u8]) -> bool {
    let entries = bytes.chunks_exact(ENTRY).take(CertificateTable::MAX_ENTRIES);
    let mut entries = entries.take_while(|entry| !is_zero(entry));
    entries.any(|entry| {
        let guid = entry.first_chunk().copied().map(Guid::from_rfc_bytes);
        guid.is_some_and(|guid| !matches!(CertificateKind::of(guid), CertificateKind::Other(_)))
    })
}

pub(super) fn inspect(bytes: &[u8]) -> Inspection {
    let table = match CertificateTable::parse(bytes) {
        Ok(table) => table,
        Err(error) => return Inspection::malformed(KIND, TITLE, snp::malformed(error, 0)),
    };
    let title = format!("{TITLE}, {} bytes, not verified", bytes.len());
    let mut found = Inspection::new(KIND, title);
    found.findings.push(Finding::general(
        "not-verified",
        "no signature is checked: the host wrote this table, which may guide a reader and proves \
         nothing",
    ));
    let mut list = Fields::new("Entries", bytes);
    let mut contents = Fields::new("Certificates: not checked", bytes);
    let mut count = 0;
    for (number_of, entry) in table.entries().enumerate() {
        let at = number_of * ENTRY;
        let name = name(entry.kind());
        list.add("GUID", part(bytes, at, 16), entry.guid(), name);
        let (start, size) = (part(bytes, at + 16, 4), part(bytes, at + 20, 4));
        list.add("offset", start, number(start), "from the table's beginning");
        list.add("length", size, number(size), "bytes");
        let content = entry.as_bytes();
        let is_certificate = matches!(
            entry.kind(),
            CertificateKind::Vcek
                | CertificateKind::Vlek
                | CertificateKind::Ask
                | CertificateKind::Ark
        );
        match (is_certificate, entry.encoding()) {
            (true, Encoding::Der) => {
                certificates::der(&mut contents, bytes, name, content, &mut found.findings);
            }
            (true, Encoding::Pem) => {
                certificates::pem(&mut contents, bytes, name, content, &mut found.findings);
            }
            (_, encoding) => {
                let value = match encoding {
                    Encoding::Der => "DER",
                    Encoding::Pem => "PEM",
                    Encoding::Unknown => "in no form that is known",
                };
                contents.add(name, content, value, format!("{} bytes, not read", content.len()));
                if is_certificate {
                    let text = format!("{name} is neither DER nor PEM");
                    found.findings.push(Finding::at("certificate", at, text));
                }
            }
        }
        count += 1;
    }
    list.add("end", part(bytes, count * ENTRY, ENTRY), format!("after {count} entries"), "");
    found.sections.push(list.section());
    // The entries may name them in any order.
    let mut contents = contents.section();
    contents.fields.sort_by_key(|field| field.place.as_ref().map(|place| place.offset));
    found.sections.push(contents);
    found
}

const fn name(kind: CertificateKind) -> &'static str {
    match kind {
        CertificateKind::Vcek => "VCEK, the chip's key",
        CertificateKind::Vlek => "VLEK, the cloud provider's key",
        CertificateKind::Ask => "ASK or ASVK, which signs the endorsement key",
        CertificateKind::Ark => "ARK, the root",
        CertificateKind::Crl => "revocation list",
        CertificateKind::ExtraPlatformInfo => "about the platform (google/go-sev-guest)",
        _ => "unknown",
    }
}
