// SPDX-License-Identifier: MIT OR Apache-2.0
//! A digest that knows its algorithm, and the one operation registers are made of: extend.

use core::fmt;

use crate::algorithm::Algorithm;
use crate::bytes::copy;
use crate::hex::{self, Hex};
use crate::one_shot;

/// A hash value, or the value of a register's bank: up to 64 bytes, passed by value.
///
/// Comparison is not constant-time: measurements are public.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digest {
    algorithm: Algorithm,
    /// Bytes beyond the algorithm's size are zero, so that comparison may look at all of them.
    bytes: [u8; Self::MAX],
}

impl Digest {
    /// Size in bytes of the largest digest of an algorithm that is compiled in.
    pub const MAX: usize = match Algorithm::ALL {
        [.., largest] => largest.size(),
        [] => 0,
    };

    /// All bits zero: where most registers start.
    #[must_use]
    pub const fn zeros(algorithm: Algorithm) -> Self {
        Self { algorithm, bytes: [0; Self::MAX] }
    }

    /// All bits one: where a TPM's dynamic PCRs (17 to 22) start before a dynamic launch
    /// (TCG PC Client Platform TPM Profile 1.05, section 4.6).
    #[must_use]
    pub fn ones(algorithm: Algorithm) -> Self {
        Self::build(algorithm, |out| out.fill(0xFF))
    }

    /// A digest from its bytes, or `None` if there are not exactly `algorithm.size()` of them.
    #[must_use]
    #[inline]
    pub fn from_bytes(algorithm: Algorithm, bytes: &[u8]) -> Option<Self> {
        (bytes.len() == algorithm.size()).then(|| Self::build(algorithm, |out| copy(bytes, out)))
    }

    /// A digest from lower-case hex, or `None` if the length or a digit is wrong.
    #[must_use]
    #[inline]
    pub fn from_hex(algorithm: Algorithm, digits: &[u8]) -> Option<Self> {
        let mut good = false;
        let digest = Self::build(algorithm, |out| good = hex::decode(digits, out));
        good.then_some(digest)
    }

    /// Reads `<alg>/<hex>`, the form the record log uses.
    ///
    /// # Errors
    ///
    /// Says which part is wrong; see [`ParseError`].
    pub fn parse(text: &[u8]) -> Result<Self, ParseError> {
        let slash = text.iter().position(|&b| b == b'/').ok_or(ParseError::NoSlash)?;
        let (name, digits) = text.split_at_checked(slash).ok_or(ParseError::NoSlash)?;
        let digits = digits.get(1..).ok_or(ParseError::NoSlash)?;
        let algorithm = Algorithm::from_name(name).ok_or(ParseError::UnknownAlgorithm)?;
        if digits.len() & 1 == 1 {
            return Err(ParseError::OddDigits);
        }
        if digits.len() != algorithm.size().saturating_mul(2) {
            return Err(ParseError::Length);
        }
        Self::from_hex(algorithm, digits).ok_or(ParseError::Digit)
    }

    /// The algorithm.
    #[must_use]
    #[inline]
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The bytes, `algorithm().size()` of them.
    #[must_use]
    #[inline]
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.algorithm.size()).unwrap_or(&self.bytes)
    }

    /// The bytes, to be filled in place.
    #[must_use]
    #[inline]
    pub fn as_bytes_mut(&mut self) -> &mut [u8] {
        // Never the bytes beyond the size: they stay zero.
        self.bytes.get_mut(..self.algorithm.size()).unwrap_or_default()
    }

    /// Whether every bit is zero.
    #[must_use]
    pub fn is_zeros(&self) -> bool {
        self.bytes == [0; Self::MAX]
    }

    /// Extends: `self = H(self || digest)`.
    ///
    /// Measurement registers of every platform do this (TPM 2.0 Part 1 section 17; Intel TDX
    /// Module ABI, `TDG.MR.RTMR.EXTEND`). A digest of another algorithm has no meaning here, so it
    /// is refused.
    ///
    /// # Errors
    ///
    /// [`WrongAlgorithm`], and `self` unchanged, if the algorithms differ.
    #[inline]
    pub fn extend(&mut self, digest: &Self) -> Result<(), WrongAlgorithm> {
        if digest.algorithm != self.algorithm {
            return Err(WrongAlgorithm);
        }
        match self.algorithm {
            #[cfg(feature = "sha1")]
            Algorithm::Sha1 => self.extend_by::<20>(digest, one_shot::sha1),
            #[cfg(feature = "sha256")]
            Algorithm::Sha256 => self.extend_by::<32>(digest, one_shot::sha256),
            #[cfg(feature = "sha384")]
            Algorithm::Sha384 => self.extend_by::<48>(digest, one_shot::sha384),
            #[cfg(feature = "sha512")]
            Algorithm::Sha512 => self.extend_by::<64>(digest, one_shot::sha512),
        }
        Ok(())
    }

    /// Extends by a digest of the same algorithm, which is `hash` and has `N` bytes. With sizes
    /// known to the compiler, an extend costs hardly more than its compression.
    #[inline(never)]
    fn extend_by<const N: usize>(&mut self, digest: &Self, hash: impl Fn(&[u8], &mut [u8])) {
        let (value, digest) = (self.bytes.first_chunk::<N>(), digest.bytes.first_chunk::<N>());
        if let (Some(value), Some(digest)) = (value, digest) {
            let both = [*value, *digest];
            hash(both.as_flattened(), self.as_bytes_mut());
        }
    }

    /// Used by [`Hasher`](crate::Hasher), whose arrays always have the right size.
    #[inline]
    pub(crate) fn from_array<const N: usize>(algorithm: Algorithm, bytes: &[u8; N]) -> Self {
        Self::build(algorithm, |out| copy(bytes, out))
    }

    #[inline]
    fn build(algorithm: Algorithm, fill: impl FnOnce(&mut [u8])) -> Self {
        let mut digest = Self::zeros(algorithm);
        fill(digest.as_bytes_mut());
        digest
    }
}

impl fmt::Display for Digest {
    /// `<alg>/<hex>`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.algorithm, Hex(self.as_bytes()))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A digest of another algorithm than the value it should extend.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct WrongAlgorithm;

impl fmt::Display for WrongAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the digest's algorithm is not the bank's; hash with the bank's algorithm")
    }
}

impl core::error::Error for WrongAlgorithm {}

/// Why a text is not `<alg>/<hex>`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum ParseError {
    /// No `/` between algorithm and digits.
    NoSlash,
    /// The algorithm is unknown or not compiled in.
    UnknownAlgorithm,
    /// An odd number of hex digits.
    OddDigits,
    /// Not exactly two digits for each byte of the algorithm's digest.
    Length,
    /// A character that is not a lower-case hex digit; upper case is not.
    Digit,
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoSlash => "not <algorithm>/<hex>: the slash is missing",
            Self::UnknownAlgorithm => "unknown hash algorithm",
            Self::OddDigits => "odd number of hex digits",
            Self::Length => "wrong number of hex digits for this algorithm",
            Self::Digit => "not a lower-case hex digit",
        })
    }
}

impl core::error::Error for ParseError {}

impl core::str::FromStr for Digest {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        Self::parse(text.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extend_is_the_hash_of_both() {
        for &a in Algorithm::ALL {
            let digest = a.hash(b"record");
            let mut value = Digest::zeros(a);
            value.extend(&digest).unwrap();
            let mut both = vec![0; a.size()];
            both.extend_from_slice(digest.as_bytes());
            assert_eq!(value, a.hash(&both), "{a}");
        }
    }

    #[test]
    fn extend_refuses_another_algorithm() {
        let mut value = Digest::zeros(Algorithm::Sha256);
        assert_eq!(value.extend(&Algorithm::Sha1.hash(b"")), Err(WrongAlgorithm));
        assert!(value.is_zeros());
    }

    #[test]
    fn text_there_and_back() {
        for &a in Algorithm::ALL {
            for digest in [Digest::zeros(a), Digest::ones(a), a.hash(b"x")] {
                assert_eq!(digest.to_string().parse(), Ok(digest));
                assert_eq!(Digest::from_bytes(a, digest.as_bytes()), Some(digest));
            }
        }
    }

    #[test]
    fn text_errors_say_which_part() {
        let good = Digest::zeros(Algorithm::Sha1).to_string();
        for (text, error) in [
            ("sha1", ParseError::NoSlash),
            ("md5/00", ParseError::UnknownAlgorithm),
            (&good[..good.len() - 1], ParseError::OddDigits),
            (&good[..good.len() - 2], ParseError::Length),
            (&format!("{good}00"), ParseError::Length),
            (&good.replace("/0", "/A"), ParseError::Digit),
            ("sha1/", ParseError::Length),
        ] {
            assert_eq!(text.parse::<Digest>(), Err(error), "{text}");
        }
    }
}
