// SPDX-License-Identifier: MIT OR Apache-2.0
//! The manifest of all services of an SVSM, with those that are known.

use tsm_snp::svsm::{ServicesManifest, VTPM_SERVICE};
use tsm_snp::{Guid, Manifest};

use super::model::{Fields, Finding, Inspection, number, offset};
use super::snp::{self, part};
use super::{snp_bank, svsm_vtpm};

const KIND: &str = "svsm-services";
const TITLE: &str = "manifest of an SVSM's services";

/// Bytes of the header, and of an entry.
const ENTRY: usize = 24;

pub(crate) fn is_one(bytes: &[u8]) -> bool {
    bytes.starts_with(&ServicesManifest::GUID.mixed_bytes())
}

pub(super) fn inspect(bytes: &[u8]) -> Inspection {
    let manifest = match ServicesManifest::parse(bytes) {
        Ok(manifest) => manifest,
        Err(error) => return Inspection::malformed(KIND, TITLE, snp::malformed(error, 0)),
    };
    let title = format!("{TITLE}, {} bytes, not verified", bytes.len());
    let mut found = Inspection::new(KIND, title);
    found.findings.push(not_verified());
    let mut fields = Fields::new("Manifest", bytes);
    fields.add("GUID", part(bytes, 0, 16), ServicesManifest::GUID, "a manifest of services");
    fields.add("size", part(bytes, 16, 4), number(part(bytes, 16, 4)), "bytes of all of it");
    fields.add("services", part(bytes, 20, 4), number(part(bytes, 20, 4)), "how many");
    let mut contents = Vec::new();
    for (place, service) in manifest.services().enumerate() {
        let at = (place + 1) * ENTRY;
        fields.add("GUID", part(bytes, at, 16), service.guid, name(service.guid));
        let (start, size) = (part(bytes, at + 16, 4), part(bytes, at + 20, 4));
        fields.add("offset", start, number(start), "from the manifest's beginning");
        fields.add("length", size, number(size), "bytes");
        let base = offset(bytes, service.manifest);
        let sections = match service.guid {
            // An SVSM lists services that have none with an empty one.
            _ if service.manifest.is_empty() => Ok(Vec::new()),
            VTPM_SERVICE => svsm_vtpm::sections(bytes, service.manifest),
            Manifest::SERVICE => snp_bank::sections(bytes, service.manifest, &mut found.findings),
            _ => {
                let mut fields = Fields::new("Manifest of an unknown service", bytes);
                fields.bytes("manifest", service.manifest, service.guid.to_string());
                Ok(vec![fields.section()])
            }
        };
        match sections {
            Ok(sections) => contents.extend(sections),
            Err(error) => {
                found.error.get_or_insert(snp::malformed(error, base));
            }
        }
    }
    found.sections.push(fields.section());
    found.sections.extend(contents);
    found
}

/// For manifests of every kind.
pub(super) fn not_verified() -> Finding {
    Finding::general(
        "not-verified",
        "no signature is checked: a manifest has none. Only a verified report of VMPL0 whose \
         REPORT_DATA is SHA-512 of the nonce and the manifest vouches for it",
    )
}

const fn name(guid: Guid) -> &'static str {
    match guid {
        VTPM_SERVICE => "a vTPM",
        Manifest::SERVICE => "a bank of registers",
        _ => "unknown",
    }
}
