// SPDX-License-Identifier: MIT OR Apache-2.0
//! The manifest of an SVSM's vTPM: its endorsement key's public area (TPMT_PUBLIC).

use tsm_core::Algorithm;
use tsm_snp::svsm::{EndorsementKey, EndorsementKeyKind};

use super::model::{Fields, Inspection, Section, number};
use super::snp::{self, part};
use super::svsm_services;

const KIND: &str = "svsm-vtpm";
const TITLE: &str = "manifest of an SVSM's vTPM";

/// TPMA_OBJECT (TPM 2.0 part 2, section 8.3): fixedTPM, restricted and decrypt, as every endorsement
/// key has them.
const ENDORSEMENT: u64 = 1 << 1 | 1 << 16 | 1 << 17;

/// Whether it begins like an endorsement key's public area: RSA or a curve, a hash that names keys,
/// and the attributes of such a key.
pub(super) fn is_one(bytes: &[u8]) -> bool {
    let attributes = big_endian(part(bytes, 4, 4));
    matches!(bytes, [0, 0x01 | 0x23, 0, 0x0B..=0x0D, ..]) && attributes & ENDORSEMENT == ENDORSEMENT
}

pub(super) fn inspect(bytes: &[u8]) -> Inspection {
    let sections = match sections(bytes, bytes) {
        Ok(sections) => sections,
        Err(error) => return Inspection::malformed(KIND, TITLE, snp::malformed(error, 0)),
    };
    let title = format!("{TITLE}, {} bytes, not verified", bytes.len());
    let mut found = Inspection::new(KIND, title);
    found.findings.push(svsm_services::not_verified());
    found.sections = sections;
    found
}

/// What the manifest says, which lies in `whole`.
pub(super) fn sections<'b>(
    whole: &'b [u8],
    manifest: &'b [u8],
) -> Result<Vec<Section>, tsm_snp::Error> {
    let key = EndorsementKey::parse(manifest)?;
    let mut fields = Fields::new("vTPM: its endorsement key", whole);
    let kind = match key.kind {
        EndorsementKeyKind::Rsa { .. } => "RSA",
        EndorsementKeyKind::Ecc { .. } => "a point of an elliptic curve",
        _ => "unknown",
    };
    fields.add("type", part(manifest, 0, 2), big_endian(part(manifest, 0, 2)), kind);
    let name = Algorithm::from_tpm_id(key.name_algorithm).map_or("unknown", Algorithm::name);
    let meaning = format!("the key's name is made with it: {name}");
    fields.add("nameAlg", part(manifest, 2, 2), format!("{:#x}", key.name_algorithm), meaning);
    let bits = format!("{:#x}", key.attributes);
    fields.add("objectAttributes", part(manifest, 4, 4), bits, attributes(key.attributes));
    fields.bytes("authPolicy", key.policy, "digest of the policy that its use needs");
    match key.kind {
        EndorsementKeyKind::Rsa { bits, exponent, modulus } => {
            let exponent = if exponent == 0 { 65_537 } else { exponent };
            fields.bytes("modulus", modulus, format!("RSA of {bits} bits, exponent {exponent}"));
        }
        EndorsementKeyKind::Ecc { curve, x, y } => {
            let curve = match curve {
                3 => "P-256".to_string(),
                4 => "P-384".to_string(),
                5 => "P-521".to_string(),
                other => format!("curve {other:#x}"),
            };
            fields.bytes("x", x, curve);
            fields.bytes("y", y, "");
        }
        _ => {}
    }
    Ok(vec![fields.section()])
}

/// Names of TPMA_OBJECT's bits.
fn attributes(bits: u32) -> String {
    let names = [
        (1, "fixedTPM"),
        (2, "stClear"),
        (4, "fixedParent"),
        (5, "sensitiveDataOrigin"),
        (6, "userWithAuth"),
        (7, "adminWithPolicy"),
        (10, "noDA"),
        (11, "encryptedDuplication"),
        (16, "restricted"),
        (17, "decrypt"),
        (18, "sign"),
        (19, "x509sign"),
    ];
    let set = names.iter().filter(|(bit, _)| bits >> bit & 1 == 1);
    set.map(|(_, name)| *name).collect::<Vec<_>>().join(",")
}

/// A TPM's number.
fn big_endian(bytes: &[u8]) -> u64 {
    let mut turned = bytes.to_vec();
    turned.reverse();
    number(&turned)
}
