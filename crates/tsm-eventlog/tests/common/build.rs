// SPDX-License-Identifier: MIT OR Apache-2.0
//! Writes lists, to have what no real list has: big-endian ones, other PCRs, wrong ones.

use tsm_core::{Algorithm, Digest};
use tsm_eventlog::ima::{Endian, FieldId, FileDigest, UntrustedEntry, Value};

pub fn u32_bytes(number: usize, endian: Endian) -> [u8; 4] {
    let number = u32::try_from(number).unwrap();
    match endian {
        Endian::Little => number.to_le_bytes(),
        Endian::Big => number.to_be_bytes(),
    }
}

fn prefixed(bytes: &[u8], endian: Endian) -> Vec<u8> {
    [&u32_bytes(bytes.len(), endian)[..], bytes].concat()
}

/// Template data of `ima-ng`.
pub fn ng(name: &str, content: &[u8]) -> Vec<u8> {
    let digest = [b"sha256:\0", Algorithm::Sha256.hash(content).as_bytes()].concat();
    let name = [name.as_bytes(), b"\0"].concat();
    [prefixed(&digest, Endian::Little), prefixed(&name, Endian::Little)].concat()
}

/// A record with a good template digest (zero for a violation).
pub fn record(
    (pcr, is_violation): (usize, bool),
    template: &[u8],
    data: &[u8],
    (digest, endian): (Algorithm, Endian),
) -> Vec<u8> {
    let recorded = if is_violation { Digest::zeros(digest) } else { digest.hash(data) };
    let mut out = [&u32_bytes(pcr, endian)[..], recorded.as_bytes()].concat();
    out.extend(prefixed(template, endian));
    out.extend(prefixed(data, endian));
    out
}

/// An `ima-ng` record of the usual kind.
pub fn ng_record(pcr: usize, name: &str) -> Vec<u8> {
    let layout = (Algorithm::Sha1, Endian::Little);
    record((pcr, false), b"ima-ng", &ng(name, name.as_bytes()), layout)
}

/// The template data of an entry as a machine of this byte order would have it, from its fields.
pub fn data(entry: &UntrustedEntry<'_>, endian: Endian) -> Vec<u8> {
    let mut out = Vec::new();
    for field in entry.fields() {
        let field = field.unwrap();
        out.extend(prefixed(&field_data(field.id, field.value, endian), endian));
    }
    out
}

fn field_data(id: FieldId, value: Value<'_>, endian: Endian) -> Vec<u8> {
    match value {
        Value::Digest(FileDigest { kind, algorithm, value, .. }) => {
            let mut out = Vec::new();
            for part in [kind, algorithm].into_iter().filter(|part| !part.is_empty()) {
                out.extend(part);
                out.push(b':');
            }
            if !out.is_empty() {
                out.push(0);
            }
            out.extend(value);
            out
        }
        Value::Text(b"") if id == FieldId::XattrNames => Vec::new(),
        Value::Text(text) => [text, b"\0"].concat(),
        Value::Bytes(bytes) if id == FieldId::XattrLengths && endian == Endian::Big => {
            let bytes: Vec<u8> = bytes.iter().collect();
            bytes.chunks(4).flat_map(|length| length.iter().rev().copied()).collect()
        }
        Value::Bytes(bytes) => bytes.iter().collect(),
        Value::Number(number) => {
            let bytes = u32_bytes(number as usize, endian);
            match (id, endian) {
                (FieldId::Imode, Endian::Little) => bytes[..2].to_vec(),
                (FieldId::Imode, Endian::Big) => bytes[2..].to_vec(),
                _ => bytes.to_vec(),
            }
        }
        _ => Vec::new(),
    }
}
