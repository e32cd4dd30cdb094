// SPDX-License-Identifier: MIT OR Apache-2.0
//! The memory that calls write, each kind a type with the size and alignment that the call wants.
//! None of them crosses a granule, so one address is good for all of it.

use crate::bytes::copy;

/// A granule: 4096 bytes at an alignment of 4096, what `RSI_REALM_CONFIG` and
/// `RSI_ATTESTATION_TOKEN_CONTINUE` write. Too large for a firmware's stack: keep it elsewhere.
#[derive(Clone, Debug)]
#[repr(C, align(4096))]
pub struct Granule([u8; 4096]);

impl Granule {
    /// Its size in bytes.
    pub const SIZE: usize = 4096;

    /// Zeros.
    #[must_use]
    pub const fn new() -> Self {
        Self([0; Self::SIZE])
    }

    /// The bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; Self::SIZE] {
        &self.0
    }

    /// The bytes, to be written by a call.
    pub(crate) const fn as_bytes_mut(&mut self) -> &mut [u8; Self::SIZE] {
        &mut self.0
    }
}

impl Default for Granule {
    fn default() -> Self {
        Self::new()
    }
}

/// What `RSI_HOST_CALL` hands to the host, and gets back from it: a number and 31 registers, in 256
/// bytes at an alignment of 256 (DEN0137 1.0-rel0, B5.4, `RsiHostCall`). The host chooses what
/// stands in it after the call.
#[derive(Clone, Debug)]
#[repr(C, align(256))]
pub struct HostCall([u8; 256]);

impl HostCall {
    /// Its size in bytes.
    pub const SIZE: usize = 256;
    /// How many registers there are: X0 to X30.
    pub const REGISTERS: usize = 31;

    /// A call with this immediate, and zeros in the registers.
    #[must_use]
    pub const fn new(immediate: u16) -> Self {
        let mut bytes = [0; Self::SIZE];
        let [low, high, ..] = &mut bytes;
        [*low, *high] = immediate.to_le_bytes();
        Self(bytes)
    }

    /// The immediate.
    #[must_use]
    pub const fn immediate(&self) -> u16 {
        let [low, high, ..] = self.0;
        u16::from_le_bytes([low, high])
    }

    /// A register, 0 to 30; `None` for others.
    #[must_use]
    pub fn register(&self, number: usize) -> Option<u64> {
        // The immediate takes the first eight bytes.
        let (words, _) = self.0.as_chunks();
        words.get(number.checked_add(1)?).map(|word| u64::from_le_bytes(*word))
    }

    /// Sets a register, 0 to 30; `None`, and nothing is set, for others.
    pub fn set_register(&mut self, number: usize, value: u64) -> Option<()> {
        let (words, _) = self.0.as_chunks_mut();
        *words.get_mut(number.checked_add(1)?)? = value.to_le_bytes();
        Some(())
    }

    /// The bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; Self::SIZE] {
        &self.0
    }

    /// The bytes, to be written by a call.
    pub(crate) const fn as_bytes_mut(&mut self) -> &mut [u8; Self::SIZE] {
        &mut self.0
    }
}

/// The challenge of a token: 64 bytes of the caller's. It is passed in registers.
///
/// Arm recommends at least 32 bytes that nobody can foresee (DEN0137 1.0-rel0, A7.2.2).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Challenge([u8; 64]);

impl Challenge {
    /// Its size in bytes.
    pub const SIZE: usize = 64;

    /// These bytes.
    #[must_use]
    pub const fn new(challenge: [u8; Self::SIZE]) -> Self {
        Self(challenge)
    }

    /// Bytes of the caller's with zeros behind, as the specification wants it; `None` if there are
    /// more than 64.
    #[must_use]
    pub fn padded(challenge: &[u8]) -> Option<Self> {
        let mut padded = [0; Self::SIZE];
        copy(challenge, &mut padded);
        (challenge.len() <= Self::SIZE).then_some(Self(padded))
    }

    /// The bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; Self::SIZE] {
        &self.0
    }
}

// What the calls demand, and that nothing crosses a granule of 4096 bytes.
const _: () = {
    assert!(align_of::<Granule>() == 4096 && size_of::<Granule>() == 4096);
    assert!(align_of::<HostCall>() == 256 && size_of::<HostCall>() == 256);
    assert!(HostCall::SIZE == 8 + 8 * HostCall::REGISTERS);
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_fits() {
        assert_eq!(Challenge::padded(&[7; 3]).unwrap().as_bytes()[..4], [7, 7, 7, 0]);
        assert_eq!(Challenge::padded(&[7; 64]), Some(Challenge::new([7; 64])));
        assert_eq!(Challenge::padded(&[7; 65]), None);
    }

    #[test]
    fn host_call_layout() {
        let mut call = HostCall::new(0x1234);
        assert_eq!(call.set_register(0, 0x0102_0304_0506_0708), Some(()));
        assert_eq!(call.set_register(30, u64::MAX), Some(()));
        assert_eq!(call.set_register(31, 1), None);
        assert_eq!(call.set_register(usize::MAX, 1), None);
        assert_eq!(call.as_bytes()[..16], [0x34, 0x12, 0, 0, 0, 0, 0, 0, 8, 7, 6, 5, 4, 3, 2, 1]);
        assert_eq!(call.as_bytes()[248..], [0xFF; 8]);
        assert_eq!((call.register(30), call.register(31)), (Some(u64::MAX), None));
        assert_eq!(call.immediate(), 0x1234);
    }
}
