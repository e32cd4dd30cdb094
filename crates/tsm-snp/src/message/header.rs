// SPDX-License-Identifier: MIT OR Apache-2.0
//! The header of a guest message, 96 bytes.

use core::fmt;
use core::mem::offset_of;

use zerocopy::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::error::Cause;
use crate::privilege::VmpckIndex;

/// The header. The payload, of the ciphertext only, stands behind it in the same page.
#[derive(
    Clone, Copy, PartialEq, Eq, Debug, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned,
)]
#[repr(C)]
pub struct Header {
    /// The GCM tag, and 16 zeros.
    pub tag: [u8; 32],
    /// The sequence number, which is the nonce too.
    pub sequence: U64,
    /// Zero.
    pub reserved: [u8; 8],
    /// 1: AES-256-GCM.
    pub algorithm: u8,
    /// 1.
    pub version: u8,
    /// 96.
    pub size: U16,
    /// What the payload is.
    pub message_type: MessageType,
    /// The version of the payload's structure.
    pub message_version: u8,
    /// Bytes of payload.
    pub message_size: U16,
    /// Zero.
    pub reserved_2: U32,
    /// Which key.
    pub key: u8,
    /// Zero.
    pub reserved_3: [u8; 35],
}

const _: () = {
    assert!(size_of::<Header>() == 0x60);
    assert!(offset_of!(Header, sequence) == 0x20);
    assert!(offset_of!(Header, algorithm) == 0x30);
    assert!(offset_of!(Header, version) == 0x31);
    assert!(offset_of!(Header, size) == 0x32);
    assert!(offset_of!(Header, message_type) == 0x34);
    assert!(offset_of!(Header, message_version) == 0x35);
    assert!(offset_of!(Header, message_size) == 0x36);
    assert!(offset_of!(Header, key) == 0x3C);
};

impl Header {
    /// Its size in bytes.
    pub const SIZE: usize = 0x60;
    /// `algorithm` for AES-256-GCM.
    pub const AES_256_GCM: u8 = 1;

    /// That of a message, not yet sealed.
    #[must_use]
    pub const fn new(
        key: VmpckIndex,
        sequence: u64,
        message_type: MessageType,
        message_version: u8,
        message_size: u16,
    ) -> Self {
        Self {
            tag: [0; 32],
            sequence: U64::new(sequence),
            reserved: [0; 8],
            algorithm: Self::AES_256_GCM,
            version: 1,
            size: U16::new(0x60),
            message_type,
            message_version,
            message_size: U16::new(message_size),
            reserved_2: U32::new(0),
            key: key.number(),
            reserved_3: [0; 35],
        }
    }

    /// The bytes that the tag vouches for beside the payload: from `algorithm` on.
    #[must_use]
    pub fn associated_data(&self) -> &[u8] {
        self.as_bytes().get(offset_of!(Self, algorithm)..).unwrap_or_default()
    }

    /// The nonce: the sequence number and four zeros.
    #[must_use]
    pub const fn nonce(&self) -> [u8; 12] {
        let [a, b, c, d, e, f, g, h] = self.sequence.get().to_le_bytes();
        [a, b, c, d, e, f, g, h, 0, 0, 0, 0]
    }

    /// Compares everything but the tag and the size of the payload with what a response must have.
    pub(crate) fn check(&self, expected: &Self) -> Result<(), Cause> {
        if self.sequence != expected.sequence {
            return Err(Cause::Sequence(self.sequence.get()));
        }
        if self.message_type != expected.message_type {
            return Err(Cause::MessageType(self.message_type.0));
        }
        // Field by field: whole headers would lie on the stack below the cipher.
        let as_expected = self.reserved == expected.reserved
            && self.algorithm == expected.algorithm
            && self.version == expected.version
            && self.size == expected.size
            && self.message_version == expected.message_version
            && self.reserved_2 == expected.reserved_2
            && self.key == expected.key
            && self.reserved_3 == expected.reserved_3
            && self.tag.last_chunk() == Some(&[0_u8; 16]);
        if !as_expected {
            return Err(Cause::Header);
        }
        Ok(())
    }
}

/// What a message is. A response has the number of its request and one more.
#[derive(
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    FromBytes,
    IntoBytes,
    KnownLayout,
    Immutable,
    Unaligned,
)]
#[repr(transparent)]
pub struct MessageType(pub u8);

impl MessageType {
    /// Asks for values of CPUID.
    pub const CPUID_REQUEST: Self = Self(1);
    /// Asks for a derived key.
    pub const KEY_REQUEST: Self = Self(3);
    /// Asks for an attestation report.
    pub const REPORT_REQUEST: Self = Self(5);
    /// Asks for the parameters of the secure TSC.
    pub const TSC_INFO_REQUEST: Self = Self(17);

    /// The type of the response to this request.
    #[must_use]
    pub const fn response(self) -> Self {
        Self(self.0.wrapping_add(1))
    }
}

impl fmt::Debug for MessageType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, request) = match self.0 & 1 {
            1 => ("REQ", self.0),
            _ => ("RSP", self.0.wrapping_sub(1)),
        };
        match Self(request) {
            Self::CPUID_REQUEST => write!(f, "MSG_CPUID_{kind}"),
            Self::KEY_REQUEST => write!(f, "MSG_KEY_{kind}"),
            Self::REPORT_REQUEST => write!(f, "MSG_REPORT_{kind}"),
            Self::TSC_INFO_REQUEST => write!(f, "MSG_TSC_INFO_{kind}"),
            _ => write!(f, "message type {}", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types() {
        assert_eq!(format!("{:?}", MessageType(5)), "MSG_REPORT_REQ");
        assert_eq!(format!("{:?}", MessageType(6)), "MSG_REPORT_RSP");
        assert_eq!(format!("{:?}", MessageType(0)), "message type 0");
        assert_eq!(format!("{:?}", MessageType(200)), "message type 200");
    }

    /// Every byte of a response's header is looked at, but for tag and size.
    #[test]
    fn every_byte_counts() {
        let key = VmpckIndex::ALL[1];
        let expected = Header::new(key, 2, MessageType(6), 1, 0);
        assert_eq!(expected.check(&expected), Ok(()));
        for place in 0..Header::SIZE {
            let mut bytes: [u8; Header::SIZE] = zerocopy::transmute!(expected);
            bytes[place] ^= 0x40;
            let header: Header = zerocopy::transmute!(bytes);
            let free = place < 16 || (0x36..0x38).contains(&place);
            assert_eq!(header.check(&expected).is_ok(), free, "byte {place:#x}");
        }
    }
}
