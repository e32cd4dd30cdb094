// SPDX-License-Identifier: MIT OR Apache-2.0
//! The conventions records share (specification, section 6): domain, operation, content; extensions
//! of virtual registers; named static values.
//!
//! The record log itself knows nothing of this. These are pure functions of one record's bytes.

use core::fmt;

use crate::bytes::copy;
use crate::digest::{Digest, ParseError};
use crate::register::is_name;

/// Operation of a record that extends a virtual register.
const EXTEND: &[u8] = b"extend";
/// Domain of a record that gives a named static value.
const STATIC: &[u8] = b"kernel.org/tsm/static_mr";

/// Whether no virtual register may have this name: a record that begins with it is something else.
pub(crate) fn is_reserved(name: &[u8]) -> bool {
    name == b"SYNC" || name == STATIC
}

/// A record cut into the three parts by which records are routed to their appraisers:
/// `<domain> <operation> <content>`.
///
/// The first space ends the domain, the second the operation; the content is the rest.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Parts<'r> {
    /// Who the record is for.
    pub domain: &'r [u8],
    /// What it says was done.
    pub operation: &'r [u8],
    /// Everything else.
    pub content: &'r [u8],
}

impl<'r> Parts<'r> {
    /// The parts of `record`; what is missing is empty.
    #[must_use]
    pub fn of(record: &'r [u8]) -> Self {
        let (domain, rest) = first_word(record);
        let (operation, content) = first_word(rest);
        Self { domain, operation, content }
    }
}

/// Why a record that claims to be one of ours is not.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum RecordError {
    /// Not `<name> extend <alg>/<hex>`, although it begins with the name of a virtual register.
    NotAnExtension,
    /// Not `kernel.org/tsm/static_mr <name> <alg>/<hex>`, although it begins so.
    NotAStaticValue,
    /// The algorithm is unknown or not compiled in.
    UnknownAlgorithm,
    /// The virtual register has no bank for this algorithm.
    NoSuchBank,
    /// The digest is not lower-case hex of the algorithm's length.
    Digest,
    /// A static value differs from the one given before under the same name.
    Conflict,
    /// More names than there is room for.
    TooMany,
}

impl From<ParseError> for RecordError {
    fn from(error: ParseError) -> Self {
        match error {
            ParseError::UnknownAlgorithm => Self::UnknownAlgorithm,
            _ => Self::Digest,
        }
    }
}

impl fmt::Display for RecordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotAnExtension => {
                "record under a virtual register's name is not '<name> extend <alg>/<hex>'"
            }
            Self::NotAStaticValue => "record is not 'kernel.org/tsm/static_mr <name> <alg>/<hex>'",
            Self::UnknownAlgorithm => "unknown hash algorithm in the record",
            Self::NoSuchBank => "the virtual register has no such bank",
            Self::Digest => "the record's digest is not lower-case hex of the right length",
            Self::Conflict => "a named static value is given twice with different values",
            Self::TooMany => "more named static values than there is room for",
        })
    }
}

impl core::error::Error for RecordError {}

/// The digest of `<name> extend <alg>/<hex>`, where `name` is the record's first word.
///
/// # Errors
///
/// Why the record is not exactly that.
pub fn extension(record: &[u8]) -> Result<Digest, RecordError> {
    let parts = Parts::of(record);
    // The first word may end at another white space than the space that ends the domain.
    if parts.domain != name(record) || parts.operation != EXTEND {
        return Err(RecordError::NotAnExtension);
    }
    Ok(Digest::parse(parts.content)?)
}

/// Name and digest of a named static value; `None` if the record is something else.
#[must_use]
pub fn static_value(record: &[u8]) -> Option<Result<(&[u8], Digest), RecordError>> {
    if name(record) != STATIC {
        return None;
    }
    let parts = Parts::of(record);
    if parts.domain != STATIC || !is_name(parts.operation) {
        return Some(Err(RecordError::NotAStaticValue));
    }
    Some(Digest::parse(parts.content).map(|d| (parts.operation, d)).map_err(RecordError::from))
}

/// The record's first word: what precedes any ASCII white space.
///
/// Wider than the convention's single space on purpose: `mr_ima<TAB>extend` stands under the name
/// `mr_ima` and is malformed there, rather than something that nobody looks at.
#[must_use]
#[inline]
pub fn name(record: &[u8]) -> &[u8] {
    let end = record.iter().position(|b| b.is_ascii_whitespace() || *b == 0x0B);
    end.and_then(|end| record.get(..end)).unwrap_or(record)
}

fn first_word(text: &[u8]) -> (&[u8], &[u8]) {
    let space = text.iter().position(|&b| b == b' ').unwrap_or(text.len());
    let (word, rest) = text.split_at_checked(space).unwrap_or((text, &[]));
    (word, rest.get(1..).unwrap_or_default())
}

/// Named static values that records have given (`mr_policy`, `mr_pubkey`), up to `M` of them.
#[derive(Clone, Debug)]
pub struct StaticValues<const M: usize> {
    values: [Option<(Name, Digest)>; M],
}

impl<const M: usize> Default for StaticValues<M> {
    fn default() -> Self {
        Self { values: [const { None }; M] }
    }
}

impl<const M: usize> StaticValues<M> {
    /// Takes a record. Returns whether it gave a static value.
    ///
    /// # Errors
    ///
    /// If it is a malformed one, gives another value under a known name (`Conflict`), or there is
    /// no room (`TooMany`). The values known before stay.
    pub fn record(&mut self, record: &[u8]) -> Result<bool, RecordError> {
        let Some(found) = static_value(record) else { return Ok(false) };
        let (name, digest) = found?;
        if let Some(known) = self.value(name) {
            return if known == digest { Ok(true) } else { Err(RecordError::Conflict) };
        }
        let slot = self.values.iter_mut().find(|slot| slot.is_none());
        let name = Name::new(name).ok_or(RecordError::NotAStaticValue)?;
        *slot.ok_or(RecordError::TooMany)? = Some((name, digest));
        Ok(true)
    }

    /// The value given under `name`.
    #[must_use]
    pub fn value(&self, name: &[u8]) -> Option<Digest> {
        self.iter().find(|(known, _)| known.as_bytes() == name).map(|(_, value)| value)
    }

    /// All values in the order in which they were given.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Digest)> {
        self.values.iter().flatten().map(|(name, digest)| (name.as_str(), *digest))
    }
}

/// A name that is kept longer than the record it came in.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Name {
    bytes: [u8; 63],
    len: u8,
}

impl Name {
    fn new(name: &[u8]) -> Option<Self> {
        let mut bytes = [0; 63];
        let len = u8::try_from(name.len()).ok()?;
        copy(name, bytes.get_mut(..name.len())?);
        Some(Self { bytes, len })
    }

    fn as_str(&self) -> &str {
        // A name is ASCII: `is_name` was asked before.
        let bytes = self.bytes.get(..usize::from(self.len)).unwrap_or_default();
        core::str::from_utf8(bytes).unwrap_or_default()
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Algorithm;

    #[test]
    fn parts() {
        let of = |record: &'static str| {
            let parts = Parts::of(record.as_bytes());
            [parts.domain, parts.operation, parts.content].map(|p| String::from_utf8_lossy(p))
        };
        assert_eq!(of("a b c d"), ["a", "b", "c d"]);
        assert_eq!(of("a  c"), ["a", "", "c"]);
        assert_eq!(of("a"), ["a", "", ""]);
        assert_eq!(of(""), ["", "", ""]);
    }

    #[test]
    fn extensions() {
        let digest = Algorithm::Sha256.hash(b"x");
        let good = format!("mr extend {digest}");
        assert_eq!(extension(good.as_bytes()), Ok(digest));
        for (bad, error) in [
            ("mr".to_string(), RecordError::NotAnExtension),
            (format!("mr  extend {digest}"), RecordError::NotAnExtension),
            (format!("mr extends {digest}"), RecordError::NotAnExtension),
            (format!("mr\textend {digest}"), RecordError::NotAnExtension),
            (format!("mr\tx extend {digest}"), RecordError::NotAnExtension),
            (format!("mr extend  {digest}"), RecordError::UnknownAlgorithm),
            (format!("mr extend {digest} "), RecordError::Digest),
            (format!("mr extend {digest} x"), RecordError::Digest),
            ("mr extend".to_string(), RecordError::Digest),
            ("mr extend sm3/00".to_string(), RecordError::UnknownAlgorithm),
            (format!("mr extend sha384/{}", &digest.to_string()[7..]), RecordError::Digest),
            (good.to_uppercase(), RecordError::NotAnExtension),
        ] {
            assert_eq!(extension(bad.as_bytes()), Err(error), "{bad}");
        }
        assert_eq!(name(b"mr\textend"), b"mr");
        assert_eq!(name(b"mr\x0Bextend"), b"mr");
    }

    // T-24
    #[test]
    fn static_values() {
        let (a, b) = (Algorithm::Sha256.hash(b"a"), Algorithm::Sha384.hash(b"b"));
        let mut values = StaticValues::<2>::default();
        let record =
            |name: &str, digest: Digest| format!("kernel.org/tsm/static_mr {name} {digest}");
        assert_eq!(values.record(record("mr_policy", a).as_bytes()), Ok(true));
        assert_eq!(values.record(record("mr_policy", a).as_bytes()), Ok(true), "again");
        assert_eq!(values.record(record("mr_policy", b).as_bytes()), Err(RecordError::Conflict));
        assert_eq!(values.record(b"kernel.org/tsm/static_mrs x y"), Ok(false));
        assert_eq!(values.record(record("mr_pubkey", b).as_bytes()), Ok(true));
        assert_eq!(values.record(record("third", b).as_bytes()), Err(RecordError::TooMany));
        for bad in ["", " name", " na\u{e9}me sha1/00", " name md5/00", "\tname"] {
            let record = format!("kernel.org/tsm/static_mr{bad}");
            assert!(values.record(record.as_bytes()).is_err(), "{bad:?}");
        }
        assert_eq!(values.iter().collect::<Vec<_>>(), [("mr_policy", a), ("mr_pubkey", b)]);
    }
}
