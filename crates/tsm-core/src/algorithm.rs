// SPDX-License-Identifier: MIT OR Apache-2.0
//! Hash algorithms: their names, their numbers in other specifications, their sizes, and hashing.
//!
//! Nothing else in the project knows an algorithm's name or number. The hashing itself is done by
//! the `sha1` and `sha2` crates; the code here only chooses between them.

use core::fmt;
use core::str::FromStr;

use digest::Digest as _;

use crate::digest::Digest;
use crate::one_shot;

/// A hash algorithm of a register bank.
///
/// Each variant stands behind the cargo feature of its name. An algorithm that is not compiled in
/// does not exist: its name and its numbers are unknown, so a log or a register that needs it is
/// refused and never half verified.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
#[non_exhaustive]
pub enum Algorithm {
    /// SHA-1 (FIPS 180-4), 20 bytes. Broken for collisions; old TPM banks and IMA lists need it.
    #[cfg(feature = "sha1")]
    Sha1,
    /// SHA-256 (FIPS 180-4), 32 bytes.
    #[cfg(feature = "sha256")]
    Sha256,
    /// SHA-384 (FIPS 180-4), 48 bytes.
    #[cfg(feature = "sha384")]
    Sha384,
    /// SHA-512 (FIPS 180-4), 64 bytes.
    #[cfg(feature = "sha512")]
    Sha512,
}

impl Algorithm {
    /// The algorithms compiled in, in ascending order of digest size.
    pub const ALL: &'static [Self] = &[
        #[cfg(feature = "sha1")]
        Self::Sha1,
        #[cfg(feature = "sha256")]
        Self::Sha256,
        #[cfg(feature = "sha384")]
        Self::Sha384,
        #[cfg(feature = "sha512")]
        Self::Sha512,
    ];

    /// Some algorithm, for places that are not used.
    #[allow(clippy::panic, reason = "evaluated at compile time; lib.rs says what to do")]
    pub(crate) const FIRST: Self = match Self::ALL {
        [first, ..] => *first,
        [] => panic!("no algorithm is compiled in"),
    };

    /// The number of algorithms with every feature on. A register has at most one bank per
    /// algorithm, so this bounds the banks of a register.
    pub const MAX: usize = Self::ALL.len();

    /// Name as the kernel spells it (`hash_algo_name` in Linux `crypto/hash_info.c`), TPM
    /// algorithm id (TCG Algorithm Registry 1.34, table 3), kernel id (`enum hash_algo` in Linux
    /// `include/uapi/linux/hash_info.h`), digest size in bytes.
    const fn facts(self) -> (&'static str, u16, u32, usize) {
        match self {
            #[cfg(feature = "sha1")]
            Self::Sha1 => ("sha1", 0x0004, 2, 20),
            #[cfg(feature = "sha256")]
            Self::Sha256 => ("sha256", 0x000B, 4, 32),
            #[cfg(feature = "sha384")]
            Self::Sha384 => ("sha384", 0x000C, 5, 48),
            #[cfg(feature = "sha512")]
            Self::Sha512 => ("sha512", 0x000D, 6, 64),
        }
    }

    /// The kernel's name: `sha256`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.facts().0
    }

    /// The `TPM_ALG_ID` (TCG Algorithm Registry).
    #[must_use]
    pub const fn tpm_id(self) -> u16 {
        self.facts().1
    }

    /// The kernel's `enum hash_algo` (Linux `include/uapi/linux/hash_info.h`).
    #[must_use]
    pub const fn kernel_id(self) -> u32 {
        self.facts().2
    }

    /// Size of a digest in bytes.
    #[must_use]
    pub const fn size(self) -> usize {
        self.facts().3
    }

    /// The algorithm with this kernel name, or `None` if it is unknown or not compiled in.
    #[must_use]
    pub fn from_name(name: &[u8]) -> Option<Self> {
        Self::ALL.iter().copied().find(|a| a.name().as_bytes() == name)
    }

    /// The algorithm with this `TPM_ALG_ID`, or `None` if it is unknown or not compiled in.
    #[must_use]
    pub fn from_tpm_id(id: u16) -> Option<Self> {
        Self::ALL.iter().copied().find(|a| a.tpm_id() == id)
    }

    /// The algorithm with this kernel id, or `None` if it is unknown or not compiled in.
    #[must_use]
    pub fn from_kernel_id(id: u32) -> Option<Self> {
        Self::ALL.iter().copied().find(|a| a.kernel_id() == id)
    }

    /// Hashes `data`.
    #[must_use]
    #[inline]
    pub fn hash(self, data: &[u8]) -> Digest {
        let mut digest = Digest::zeros(self);
        self.hash_to(data, digest.as_bytes_mut());
        digest
    }

    /// Hashes `data` into `out`, whose size is the algorithm's.
    ///
    /// Not inlined: blocks and state, some 400 bytes, would lie on the stack below what the caller
    /// does next.
    #[inline(never)]
    pub(crate) fn hash_to(self, data: &[u8], out: &mut [u8]) {
        match self {
            #[cfg(feature = "sha1")]
            Self::Sha1 => one_shot::sha1(data, out),
            #[cfg(feature = "sha256")]
            Self::Sha256 => one_shot::sha256(data, out),
            #[cfg(feature = "sha384")]
            Self::Sha384 => one_shot::sha384(data, out),
            #[cfg(feature = "sha512")]
            Self::Sha512 => one_shot::sha512(data, out),
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// The name is not that of an algorithm that is compiled in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct UnknownAlgorithm;

impl fmt::Display for UnknownAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("unknown hash algorithm; known here:")?;
        Algorithm::ALL.iter().try_for_each(|a| write!(f, " {a}"))
    }
}

impl core::error::Error for UnknownAlgorithm {}

impl FromStr for Algorithm {
    type Err = UnknownAlgorithm;

    fn from_str(name: &str) -> Result<Self, UnknownAlgorithm> {
        Self::from_name(name.as_bytes()).ok_or(UnknownAlgorithm)
    }
}

/// Hashes data that comes in pieces.
///
/// For data at hand as one slice, [`Algorithm::hash`] is faster and smaller.
#[derive(Clone, Debug)]
pub struct Hasher(State);

#[derive(Clone, Debug)]
enum State {
    #[cfg(feature = "sha1")]
    Sha1(sha1::Sha1),
    #[cfg(feature = "sha256")]
    Sha256(sha2::Sha256),
    #[cfg(feature = "sha384")]
    Sha384(sha2::Sha384),
    #[cfg(feature = "sha512")]
    Sha512(sha2::Sha512),
}

impl Hasher {
    /// Starts a hash.
    #[must_use]
    pub fn new(algorithm: Algorithm) -> Self {
        Self(match algorithm {
            #[cfg(feature = "sha1")]
            Algorithm::Sha1 => State::Sha1(sha1::Sha1::new()),
            #[cfg(feature = "sha256")]
            Algorithm::Sha256 => State::Sha256(sha2::Sha256::new()),
            #[cfg(feature = "sha384")]
            Algorithm::Sha384 => State::Sha384(sha2::Sha384::new()),
            #[cfg(feature = "sha512")]
            Algorithm::Sha512 => State::Sha512(sha2::Sha512::new()),
        })
    }

    /// Adds a piece.
    pub fn update(&mut self, piece: &[u8]) {
        match &mut self.0 {
            #[cfg(feature = "sha1")]
            State::Sha1(h) => h.update(piece),
            #[cfg(feature = "sha256")]
            State::Sha256(h) => h.update(piece),
            #[cfg(feature = "sha384")]
            State::Sha384(h) => h.update(piece),
            #[cfg(feature = "sha512")]
            State::Sha512(h) => h.update(piece),
        }
    }

    /// Ends the hash.
    #[must_use]
    pub fn finish(self) -> Digest {
        match self.0 {
            #[cfg(feature = "sha1")]
            State::Sha1(h) => Digest::from_array(Algorithm::Sha1, &h.finalize().0),
            #[cfg(feature = "sha256")]
            State::Sha256(h) => Digest::from_array(Algorithm::Sha256, &h.finalize().0),
            #[cfg(feature = "sha384")]
            State::Sha384(h) => Digest::from_array(Algorithm::Sha384, &h.finalize().0),
            #[cfg(feature = "sha512")]
            State::Sha512(h) => Digest::from_array(Algorithm::Sha512, &h.finalize().0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_go_both_ways() {
        assert_eq!(Algorithm::ALL.len(), Algorithm::MAX);
        for &a in Algorithm::ALL {
            assert_eq!(Algorithm::from_name(a.name().as_bytes()), Some(a));
            assert_eq!(Algorithm::from_tpm_id(a.tpm_id()), Some(a));
            assert_eq!(Algorithm::from_kernel_id(a.kernel_id()), Some(a));
            assert_eq!(a.hash(b"").as_bytes().len(), a.size());
        }
        assert_eq!(Algorithm::from_name(b"SHA256"), None);
        assert_eq!(Algorithm::from_name(b"sm3"), None);
    }

    /// FIPS 180-4 examples ("abc"), also in pieces.
    #[test]
    fn known_answers() {
        let cases: [(Algorithm, &str); 4] = [
            (Algorithm::Sha1, "a9993e364706816aba3e25717850c26c9cd0d89d"),
            (Algorithm::Sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
            (
                Algorithm::Sha384,
                "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed\
                 8086072ba1e7cc2358baeca134c825a7",
            ),
            (
                Algorithm::Sha512,
                "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a\
                 2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
            ),
        ];
        for (a, hex) in cases {
            let expected = Digest::from_hex(a, hex.as_bytes()).unwrap();
            assert_eq!(a.hash(b"abc"), expected, "{a}");
            let mut h = Hasher::new(a);
            h.update(b"a");
            h.update(b"");
            h.update(b"bc");
            assert_eq!(h.finish(), expected, "{a} in pieces");
        }
    }
}
