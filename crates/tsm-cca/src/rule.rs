// SPDX-License-Identifier: MIT OR Apache-2.0
//! How a REM is extended: what monitors do, and what the specification says.

use core::fmt;

use tsm_core::{Algorithm, Digest};

use crate::bytes::copy;

/// The rule by which an RMM computes a REM's new value from the old one and the data.
///
/// Specification and implementations disagree. They give the same value only for SHA-512 with data
/// of 64 bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug)]
pub enum RemRule {
    /// `H(value || data)`: value and data as long as they are. So do TF-RMM (tags 1.0-eac2 to main,
    /// `attest_measurement.c`) and Islet (`rmm/src/measurement/ctx.rs`), and kvm-unit-tests expects
    /// it (`arm/realm-attest.c`). It is the rule of [`Digest::extend`].
    #[default]
    Unpadded,
    /// `H(value || data)` with both padded with zeros to 64 bytes, so that 1024 bits are hashed:
    /// DEN0137 2.0 beta, B3.110, `RemExtend`. The text of 1.0-rel0 (B3.42) pads the data; that it
    /// means the value too is inferred.
    Padded,
}

impl RemRule {
    /// Most bytes of data that an extension takes.
    pub const DATA_MAX: usize = 64;

    /// The value after an extension with `data`; `None` if there are more than
    /// [`DATA_MAX`](Self::DATA_MAX) bytes of it.
    #[must_use]
    pub fn extended(self, value: &Digest, data: &[u8]) -> Option<Digest> {
        let (algorithm, mut memory) = (value.algorithm(), [0; 128]);
        copy(value.as_bytes(), &mut memory);
        self.input(algorithm, data, &mut memory).map(|input| algorithm.hash(input))
    }

    /// The rule that leads from one value to another; [`Unpadded`](Self::Unpadded) if both do.
    #[must_use]
    pub fn between(before: &Digest, digest: &Digest, after: &Digest) -> Option<Self> {
        let leads = |rule: &Self| rule.extended(before, digest.as_bytes()) == Some(*after);
        [Self::Unpadded, Self::Padded].into_iter().find(leads)
    }

    /// What is hashed: the value, which stands at the front of `memory`, and the data, which are put
    /// behind it. `None` if there are too many.
    fn input<'m>(
        self,
        algorithm: Algorithm,
        data: &[u8],
        memory: &'m mut [u8; 128],
    ) -> Option<&'m [u8]> {
        if data.len() > Self::DATA_MAX {
            return None;
        }
        let size = algorithm.size();
        let (start, end) = match self {
            Self::Unpadded => (size, size.checked_add(data.len())?),
            Self::Padded => (64, 128),
        };
        memory.get_mut(size..)?.fill(0);
        copy(data, memory.get_mut(start..)?);
        memory.get(..end)
    }

    /// Whether both rules give the same value for digests of this algorithm.
    #[must_use]
    pub const fn agree(algorithm: Algorithm) -> bool {
        algorithm.size() == 64
    }
}

/// An extension whose rule is to be found out. Its values are in memory of the caller's: on the
/// stack they would lie below a hash.
pub(crate) struct Trial<'t> {
    digest: &'t Digest,
    input: &'t mut [u8; 128],
    after: &'t mut [u8; 64],
}

impl<'t> Trial<'t> {
    /// Of an extension with `digest`. `None` if there are fewer than 192 bytes of memory.
    pub(crate) fn new(digest: &'t Digest, memory: &'t mut [u8]) -> Option<Self> {
        let (input, rest) = memory.split_first_chunk_mut()?;
        Some(Self { digest, input, after: rest.first_chunk_mut()? })
    }

    /// What is extended with.
    pub(crate) const fn digest(&self) -> &'t Digest {
        self.digest
    }

    /// The value before the extension, to be filled.
    pub(crate) fn before_mut(&mut self) -> &mut [u8] {
        self.input.get_mut(..self.digest.as_bytes().len()).unwrap_or_default()
    }

    /// The value after the extension, to be filled.
    pub(crate) fn after_mut(&mut self) -> &mut [u8] {
        self.after.get_mut(..self.digest.as_bytes().len()).unwrap_or_default()
    }

    /// The rule that leads from one to the other; [`RemRule::Unpadded`] if both do. Not inlined: the
    /// hash would lie on the stack below calls.
    #[inline(never)]
    pub(crate) fn rule(&mut self) -> Option<RemRule> {
        let (algorithm, data) = (self.digest.algorithm(), self.digest.as_bytes());
        for rule in [RemRule::Unpadded, RemRule::Padded] {
            let input = rule.input(algorithm, data, self.input)?;
            if self.after.starts_with(algorithm.hash(input).as_bytes()) {
                return Some(rule);
            }
        }
        None
    }
}

impl fmt::Display for RemRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unpadded => "H(value || digest)",
            Self::Padded => "H(value || digest), both padded to 64 bytes",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unpadded_is_the_rule_of_digests() {
        for algorithm in [Algorithm::Sha256, Algorithm::Sha384, Algorithm::Sha512] {
            let (mut value, digest) = (algorithm.hash(b"value"), algorithm.hash(b"event"));
            let by = |rule: RemRule| rule.extended(&value, digest.as_bytes()).unwrap();
            let (unpadded, padded) = (by(RemRule::Unpadded), by(RemRule::Padded));
            assert_eq!(unpadded == padded, RemRule::agree(algorithm), "{algorithm}");
            value.extend(&digest).unwrap();
            assert_eq!(value, unpadded);
        }
    }

    #[test]
    fn too_much_data() {
        let value = Digest::zeros(Algorithm::Sha512);
        for rule in [RemRule::Unpadded, RemRule::Padded] {
            assert!(rule.extended(&value, &[1; 64]).is_some());
            assert!(rule.extended(&value, &[1; 65]).is_none());
            assert!(rule.extended(&value, &[1; 200]).is_none());
        }
    }
}
