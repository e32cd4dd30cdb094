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
        let mut both = [0; 128];
        self.input(value, data, &mut both).map(|input| value.algorithm().hash(input))
    }

    /// The rule that leads from one value to another; [`Unpadded`](Self::Unpadded) if both do.
    #[must_use]
    pub fn between(before: &Digest, digest: &Digest, after: &Digest) -> Option<Self> {
        [Self::Unpadded, Self::Padded].into_iter().find(|rule| rule.leads(before, digest, after))
    }

    /// Not inlined: its buffer would lie on the stack below the calls of who asks.
    #[inline(never)]
    fn leads(self, before: &Digest, digest: &Digest, after: &Digest) -> bool {
        let mut both = [0; 128];
        let input = self.input(before, digest.as_bytes(), &mut both);
        input.is_some_and(|input| before.algorithm().hash(input) == *after)
    }

    /// What is hashed, in a buffer of zeros.
    fn input<'b>(self, value: &Digest, data: &[u8], both: &'b mut [u8; 128]) -> Option<&'b [u8]> {
        if data.len() > Self::DATA_MAX {
            return None;
        }
        let (start, end) = match self {
            Self::Unpadded => {
                let start = value.algorithm().size();
                (start, start.checked_add(data.len())?)
            }
            Self::Padded => (64, 128),
        };
        copy(value.as_bytes(), both);
        copy(data, both.get_mut(start..)?);
        both.get(..end)
    }

    /// Whether both rules give the same value for digests of this algorithm.
    #[must_use]
    pub const fn agree(algorithm: Algorithm) -> bool {
        algorithm.size() == 64
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
