// SPDX-License-Identifier: MIT OR Apache-2.0
//! Lower-case hexadecimal, the only spelling the record log and the kernel's lists know.
//!
//! Upper case is refused when reading: two spellings of one value would be two different records.

use core::fmt;

/// Value of each lower-case hex digit; `NONE` for every other byte.
static VALUES: [u8; 256] = values();
const NONE: u8 = 0xFF;
const DIGITS: &[u8; 16] = b"0123456789abcdef";

#[allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    reason = "evaluated at compile time, where a mistake is a build error"
)]
const fn values() -> [u8; 256] {
    let mut table = [NONE; 256];
    let mut i = 0;
    while i < 16 {
        table[DIGITS[i] as usize] = i as u8;
        i += 1;
    }
    table
}

/// Decodes `hex` into `out`.
///
/// Returns whether `hex` is exactly twice as long as `out` and all lower-case hex digits. On
/// `false` the content of `out` is unspecified.
#[must_use]
#[inline]
pub fn decode(hex: &[u8], out: &mut [u8]) -> bool {
    let (pairs, rest) = hex.as_chunks::<2>();
    if !rest.is_empty() || pairs.len() != out.len() {
        return false;
    }
    let mut bad = 0;
    for (byte, [high, low]) in out.iter_mut().zip(pairs) {
        let (high, low) = (value(*high), value(*low));
        bad |= high | low;
        *byte = (high << 4) | low;
    }
    // Valid digits are below 16, so any bit above says that one was not.
    bad < 16
}

#[inline]
fn value(digit: u8) -> u8 {
    VALUES.get(usize::from(digit)).copied().unwrap_or(NONE)
}

/// The two digits of a byte.
#[must_use]
#[inline]
pub fn digits(byte: u8) -> [u8; 2] {
    let digit = |n: u8| DIGITS.get(usize::from(n & 0xF)).copied().unwrap_or(b'0');
    [digit(byte >> 4), digit(byte)]
}

/// Shows bytes in hexadecimal.
#[derive(Clone, Copy)]
pub struct Hex<'a>(pub &'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|b| write!(f, "{b:02x}"))
    }
}

impl fmt::Debug for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_there_and_back() {
        for b in 0..=255u8 {
            let mut out = [0];
            assert!(decode(&digits(b), &mut out));
            assert_eq!(out, [b]);
            assert_eq!(format!("{}", Hex(&[b])).as_bytes(), digits(b));
        }
    }

    #[test]
    fn refuses_what_is_not_lower_case_hex() {
        let mut out = [0; 2];
        for bad in ["", "0", "000", "00000", "00 0", "00A0", "0g00", "\u{e9}00", "0x00"] {
            assert!(!decode(bad.as_bytes(), &mut out), "{bad:?}");
        }
        assert!(decode(b"00a0", &mut out));
        assert!(decode(b"", &mut []));
    }
}
