// SPDX-License-Identifier: MIT OR Apache-2.0
//! Bytes of a log that may stand there as hexadecimal text, read without a buffer; and finding a
//! byte.

use core::fmt;

use tsm_core::hex::{self, Hex};

/// Bytes in a log: raw in a binary list, hexadecimal in a text list.
///
/// Equality compares the bytes meant, not how they are written.
#[derive(Clone, Copy)]
pub struct Bytes<'a>(Repr<'a>);

#[derive(Clone, Copy)]
enum Repr<'a> {
    Raw(&'a [u8]),
    /// An even number of lower-case hex digits, as text.
    Hex(&'a [u8]),
    /// The same of either case.
    AnyCase(&'a [u8]),
}

impl<'a> Bytes<'a> {
    pub(crate) const fn raw(bytes: &'a [u8]) -> Self {
        Self(Repr::Raw(bytes))
    }

    /// `None` if these are not lower-case hex digits, two for each byte.
    pub(crate) fn hex(digits: &'a [u8]) -> Option<Self> {
        let (pairs, rest) = digits.as_chunks::<2>();
        let valid = rest.is_empty() && pairs.iter().all(|pair| hex::decode(pair, &mut [0]));
        valid.then_some(Self(Repr::Hex(digits)))
    }

    /// The same for digits of either case, as some writers of JSON have them.
    pub(crate) fn hex_of_any_case(digits: &'a [u8]) -> Option<Self> {
        let (pairs, rest) = digits.as_chunks::<2>();
        let valid = rest.is_empty() && pairs.iter().all(|pair| any_case(*pair).is_some());
        valid.then_some(Self(Repr::AnyCase(digits)))
    }

    /// As [`hex`](Self::hex), but the caller makes sure that nobody sees wrong digits.
    pub(crate) const fn hex_unchecked(digits: &'a [u8]) -> Self {
        Self(Repr::Hex(digits))
    }

    /// Whether all bits are zero.
    #[inline]
    pub(crate) fn is_zeros(&self) -> bool {
        let (text, zero) = match self.0 {
            Repr::Raw(bytes) => (bytes, 0),
            Repr::Hex(digits) | Repr::AnyCase(digits) => (digits, b'0'),
        };
        text.iter().all(|&byte| byte == zero)
    }

    /// The number of bytes.
    #[must_use]
    pub const fn len(&self) -> usize {
        match self.0 {
            Repr::Raw(bytes) => bytes.len(),
            Repr::Hex(digits) | Repr::AnyCase(digits) => digits.len() / 2,
        }
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bytes as a slice of the list, if the list holds them raw.
    #[must_use]
    pub const fn as_raw(&self) -> Option<&'a [u8]> {
        match self.0 {
            Repr::Raw(bytes) => Some(bytes),
            Repr::Hex(_) | Repr::AnyCase(_) => None,
        }
    }

    /// The bytes one by one.
    #[must_use]
    pub fn iter(&self) -> BytesIter<'a> {
        BytesIter(self.0)
    }

    /// Copies the bytes to the front of `out` and returns them, or `None` if `out` is too small.
    #[must_use]
    pub fn copy_to<'o>(&self, out: &'o mut [u8]) -> Option<&'o [u8]> {
        let out = out.get_mut(..self.len())?;
        match self.0 {
            Repr::Raw(bytes) => copy(bytes, out),
            Repr::Hex(digits) => {
                if !hex::decode(digits, out) {
                    return None; // cannot be: checked when it was made
                }
            }
            Repr::AnyCase(_) => {
                for (to, byte) in out.iter_mut().zip(self.iter()) {
                    *to = byte;
                }
            }
        }
        Some(out)
    }
}

/// The byte of two hex digits of either case.
fn any_case(digits: [u8; 2]) -> Option<u8> {
    let mut byte = [0];
    hex::decode(&digits.map(|digit| digit.to_ascii_lowercase()), &mut byte).then_some(byte[0])
}

/// Copies as much as both hold, without a panic path; callers pass equal lengths.
#[inline]
pub(crate) fn copy(from: &[u8], to: &mut [u8]) {
    for (to, from) in to.iter_mut().zip(from) {
        *to = *from;
    }
}

impl<'a> IntoIterator for Bytes<'a> {
    type Item = u8;
    type IntoIter = BytesIter<'a>;

    fn into_iter(self) -> BytesIter<'a> {
        self.iter()
    }
}

impl<'a> From<&'a [u8]> for Bytes<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self::raw(bytes)
    }
}

impl PartialEq for Bytes<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.iter().eq(other.iter())
    }
}

impl Eq for Bytes<'_> {}

impl PartialEq<[u8]> for Bytes<'_> {
    fn eq(&self, other: &[u8]) -> bool {
        *self == Bytes::raw(other)
    }
}

impl fmt::Display for Bytes<'_> {
    /// Lower-case hexadecimal.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.iter().try_for_each(|byte| fmt::Display::fmt(&Hex(&[byte]), f))
    }
}

impl fmt::Debug for Bytes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The place of the first `byte` in `bytes`.
#[inline]
pub(crate) fn find(byte: u8, bytes: &[u8]) -> Option<usize> {
    // Chunks of fixed size let the compiler look at all their bytes at once.
    let (chunks, _) = bytes.as_chunks::<16>();
    let has = |chunk: &[u8; 16]| chunk.iter().fold(false, |found, &other| found | (other == byte));
    let skip = chunks.iter().position(has).unwrap_or(chunks.len()).saturating_mul(16);
    let place = bytes.get(skip..)?.iter().position(|&other| other == byte)?;
    skip.checked_add(place)
}

/// The iterator of [`Bytes::iter`].
#[derive(Clone)]
pub struct BytesIter<'a>(Repr<'a>);

impl Iterator for BytesIter<'_> {
    type Item = u8;

    fn next(&mut self) -> Option<u8> {
        match &mut self.0 {
            Repr::Raw(bytes) => bytes.split_off_first().copied(),
            Repr::Hex(digits) => {
                let (pair, rest) = digits.split_first_chunk::<2>()?;
                *digits = rest;
                let mut byte = [0];
                // Checked when it was made, so this is always true.
                hex::decode(pair, &mut byte).then_some(byte[0])
            }
            Repr::AnyCase(digits) => {
                let (pair, rest) = digits.split_first_chunk::<2>()?;
                *digits = rest;
                any_case(*pair)
            }
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let len = Bytes(self.0).len();
        (len, Some(len))
    }
}

impl ExactSizeIterator for BytesIter<'_> {}

impl fmt::Debug for BytesIter<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&Bytes(self.0), f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_and_raw_are_the_same_bytes() {
        let raw = Bytes::raw(&[0, 0xAB, 7]);
        let hex = Bytes::hex(b"00ab07").unwrap();
        assert_eq!(raw, hex);
        assert_eq!(hex.iter().len(), 3);
        assert_eq!(hex.to_string(), "00ab07");
        assert_eq!(raw.to_string(), "00ab07");
        let mut out = [0; 4];
        assert_eq!(hex.copy_to(&mut out), Some(&[0, 0xAB, 7][..]));
        assert_eq!(hex.copy_to(&mut out[..2]), None);
        assert_eq!(hex.as_raw(), None);
        assert!(raw == [0, 0xAB, 7][..]);
        assert_ne!(raw, Bytes::raw(&[0, 0xAB]));
    }

    #[test]
    fn finds_the_first() {
        for length in 0..100 {
            for place in 0..length {
                let mut bytes = vec![b'x'; length];
                bytes[place] = b' ';
                assert_eq!(find(b' ', &bytes), Some(place));
                bytes[length - 1] = b' ';
                assert_eq!(find(b' ', &bytes), Some(place));
            }
            assert_eq!(find(b' ', &vec![b'x'; length]), None);
        }
    }

    #[test]
    fn only_pairs_of_lower_case_digits() {
        for bad in ["0", "0g", "AB", "00 0"] {
            assert!(Bytes::hex(bad.as_bytes()).is_none(), "{bad}");
        }
        assert!(Bytes::hex(b"").unwrap().is_empty());
    }

    #[test]
    fn pairs_of_either_case() {
        let bytes = Bytes::hex_of_any_case(b"00aBFf").unwrap();
        assert_eq!(bytes, Bytes::raw(&[0, 0xAB, 0xFF]));
        assert_eq!((bytes.len(), bytes.to_string().as_str()), (3, "00abff"));
        assert_eq!(bytes.copy_to(&mut [0; 4]), Some(&[0, 0xAB, 0xFF][..]));
        assert!(bytes.as_raw().is_none() && !bytes.is_zeros());
        assert!(Bytes::hex_of_any_case(b"0000").unwrap().is_zeros());
        for bad in ["0", "0G", "00 0", "0\u{e0}"] {
            assert!(Bytes::hex_of_any_case(bad.as_bytes()).is_none(), "{bad}");
        }
    }
}
