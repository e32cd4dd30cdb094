// SPDX-License-Identifier: MIT OR Apache-2.0
//! GUIDs in the two byte orders in which SNP's structures hold them.

use core::fmt;

/// A GUID by its fields. It has no byte order until it is written: certificate tables hold it in the
/// order of RFC 4122, the SVSM's manifests and calls in the mixed order of UEFI.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Guid {
    /// As the text has them, most significant first.
    bytes: [u8; 16],
}

impl Guid {
    /// The number that the 32 hex digits of its text are.
    #[must_use]
    pub const fn new(digits: u128) -> Self {
        Self { bytes: digits.to_be_bytes() }
    }

    /// From the order of RFC 4122: every field with its most significant byte first.
    #[must_use]
    pub const fn from_rfc_bytes(bytes: [u8; 16]) -> Self {
        Self { bytes }
    }

    /// From the mixed order: the first three fields with their least significant byte first.
    #[must_use]
    pub const fn from_mixed_bytes(bytes: [u8; 16]) -> Self {
        Self { bytes: swapped(bytes) }
    }

    /// In the order of RFC 4122.
    #[must_use]
    pub const fn rfc_bytes(self) -> [u8; 16] {
        self.bytes
    }

    /// In the mixed order of UEFI.
    #[must_use]
    pub const fn mixed_bytes(self) -> [u8; 16] {
        swapped(self.bytes)
    }
}

/// The first three fields (4, 2 and 2 bytes) turned round. It undoes itself.
const fn swapped(bytes: [u8; 16]) -> [u8; 16] {
    let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = bytes;
    [d, c, b, a, f, e, h, g, i, j, k, l, m, n, o, p]
}

impl fmt::Display for Guid {
    /// `63849ebb-3d92-4670-a1ff-58f9c94b87bb`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, byte) in self.bytes.iter().enumerate() {
            if matches!(place, 4 | 6 | 8 | 10) {
                f.write_str("-")?;
            }
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Guid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example that UEFI and RFC 4122 write differently.
    #[test]
    fn two_orders() {
        let guid = Guid::new(0x00112233_4455_6677_8899_aabbccddeeff);
        assert_eq!(guid.to_string(), "00112233-4455-6677-8899-aabbccddeeff");
        let mixed = guid.mixed_bytes();
        assert_eq!(mixed[..9], [0x33, 0x22, 0x11, 0, 0x55, 0x44, 0x77, 0x66, 0x88]);
        assert_eq!(Guid::from_mixed_bytes(mixed), guid);
        assert_eq!(Guid::from_rfc_bytes(guid.rfc_bytes()), guid);
        assert_ne!(Guid::from_rfc_bytes(mixed), guid);
    }
}
