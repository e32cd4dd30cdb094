// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the evidence of SEV-SNP has in common: errors, versions of the TCB, parts of bytes.

use tsm_core::hex::Hex;
use tsm_snp::ErrorKind;
use tsm_snp::report::{Generation, TcbVersion};

use super::model::Malformed;

/// `error` is about bytes that begin at `base` of the file.
pub(super) fn malformed(error: tsm_snp::Error, base: usize) -> Malformed {
    let kind = match error.kind() {
        ErrorKind::Truncated => "truncated",
        ErrorKind::Size => "size",
        ErrorKind::Version(_) => "version",
        ErrorKind::Reserved => "reserved",
        ErrorKind::Signature => "signature",
        ErrorKind::Value => "value",
        ErrorKind::Count => "count",
        ErrorKind::Duplicate => "duplicate",
        ErrorKind::Overlap => "overlap",
        ErrorKind::Range => "range",
        ErrorKind::Unterminated => "unterminated",
        ErrorKind::Name => "name",
        ErrorKind::Algorithm => "algorithm",
        ErrorKind::NeverExtended => "never-extended",
        _ => "other",
    };
    at(kind, error.offset().map(|offset| base.saturating_add(offset)), error.kind())
}

/// An error whose text ends with the place.
pub(super) fn at(kind: &'static str, offset: Option<usize>, text: impl ToString) -> Malformed {
    let text = text.to_string();
    let place = offset.map(|offset| format!(" (byte {offset})")).unwrap_or_default();
    Malformed { kind, offset, text: format!("{text}{place}") }
}

/// Value and meaning of a TCB version.
pub(super) fn tcb(version: TcbVersion, generation: Option<Generation>) -> (String, String) {
    let raw = Hex(&version.0).to_string();
    match generation {
        Some(generation) => (version.of(generation).to_string(), raw),
        None => (raw, "the order of its bytes depends on the processor, which is not known".into()),
    }
}

/// Bytes `from..to`; none where there are none.
pub(super) fn part(bytes: &[u8], from: usize, size: usize) -> &[u8] {
    bytes.get(from..).and_then(|rest| rest.get(..size)).unwrap_or_default()
}
