// SPDX-License-Identifier: MIT OR Apache-2.0
//! Where the fields of a GHCB are.

use core::mem::offset_of;

use zerocopy::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::address::PAGE;

/// A GHCB as a structure, for those who copy it whole: software in place of a host. The guest here
/// reads and writes single fields.
#[derive(Clone, Debug, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
#[expect(missing_docs, reason = "the names of the specification")]
pub struct Ghcb {
    pub reserved: [u8; 0x1F8],
    pub rax: U64,
    pub reserved_2: [u8; 0x108],
    pub rcx: U64,
    pub rdx: U64,
    pub rbx: U64,
    pub reserved_3: [u8; 0x70],
    pub sw_exit_code: U64,
    pub sw_exit_info_1: U64,
    pub sw_exit_info_2: U64,
    pub sw_scratch: U64,
    pub reserved_4: [u8; 0x38],
    pub xcr0: U64,
    pub valid_bitmap: [u8; 16],
    pub reserved_5: [u8; 0x400],
    pub shared_buffer: [u8; 0x7F0],
    pub reserved_6: [u8; 10],
    pub protocol_version: U16,
    pub usage: U32,
}

const _: () = {
    assert!(size_of::<Ghcb>() == PAGE);
    assert!(offset_of!(Ghcb, rax) == 0x1F8);
    assert!(offset_of!(Ghcb, rcx) == 0x308);
    assert!(offset_of!(Ghcb, rdx) == 0x310);
    assert!(offset_of!(Ghcb, rbx) == 0x318);
    assert!(offset_of!(Ghcb, sw_exit_code) == 0x390);
    assert!(offset_of!(Ghcb, sw_exit_info_1) == 0x398);
    assert!(offset_of!(Ghcb, sw_exit_info_2) == 0x3A0);
    assert!(offset_of!(Ghcb, sw_scratch) == 0x3A8);
    assert!(offset_of!(Ghcb, xcr0) == 0x3E8);
    assert!(offset_of!(Ghcb, valid_bitmap) == 0x3F0);
    assert!(offset_of!(Ghcb, shared_buffer) == 0x800);
    assert!(offset_of!(Ghcb, protocol_version) == 0xFFA);
    assert!(offset_of!(Ghcb, usage) == 0xFFC);
};

/// The version of the protocol that guest requests belong to.
pub const PROTOCOL_VERSION: u16 = 2;

/// A field of eight bytes that has a bit in the valid bitmap.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Field {
    /// RAX: of an extended request, the guest-physical address of the memory for certificates.
    Rax,
    /// RBX: of an extended request, its pages.
    Rbx,
    /// SW_EXITCODE: the event.
    ExitCode,
    /// SW_EXITINFO1.
    ExitInfo1,
    /// SW_EXITINFO2.
    ExitInfo2,
}

impl Field {
    /// Its offset in the page.
    #[must_use]
    pub const fn offset(self) -> usize {
        match self {
            Self::Rax => offset_of!(Ghcb, rax),
            Self::Rbx => offset_of!(Ghcb, rbx),
            Self::ExitCode => offset_of!(Ghcb, sw_exit_code),
            Self::ExitInfo1 => offset_of!(Ghcb, sw_exit_info_1),
            Self::ExitInfo2 => offset_of!(Ghcb, sw_exit_info_2),
        }
    }
}

/// The valid bitmap: a bit for each eight bytes of the page's front.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct ValidBitmap(u128);

impl ValidBitmap {
    /// Its offset in the page.
    pub const OFFSET: usize = offset_of!(Ghcb, valid_bitmap);

    /// As it stands in the page.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(u128::from_le_bytes(bytes))
    }

    /// As it stands in the page.
    #[must_use]
    pub const fn to_bytes(self) -> [u8; 16] {
        self.0.to_le_bytes()
    }

    /// Whether a field is valid.
    #[must_use]
    pub const fn contains(self, field: Field) -> bool {
        self.0 & Self::bit(field) != 0
    }

    /// With a field.
    #[must_use]
    pub const fn with(self, field: Field) -> Self {
        Self(self.0 | Self::bit(field))
    }

    const fn bit(field: Field) -> u128 {
        1 << (field.offset() >> 3)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bits as Linux's macros make them of the offset.
    #[test]
    fn bits() {
        let bitmap = ValidBitmap::default().with(Field::ExitCode).with(Field::Rax);
        let bytes = bitmap.to_bytes();
        assert_eq!((bytes[0x390 / 64], bytes[0x1F8 / 64]), (1 << (0x390 / 8 % 8), 1 << 7));
        assert_eq!(bytes.iter().map(|byte| byte.count_ones()).sum::<u32>(), 2);
        assert!(bitmap.contains(Field::Rax) && !bitmap.contains(Field::ExitInfo2));
        assert_eq!(ValidBitmap::from_bytes(bytes), bitmap);
    }
}
