// SPDX-License-Identifier: MIT OR Apache-2.0
//! The ACPI table that says where a confidential VM's log is.

use super::cut::Cut;
use crate::error::{Error, ErrorKind};
use crate::registers::Platform;

/// The ACPI table `CCEL` (ACPI 6.5, section 5.2.34). Linux shows it as
/// `/sys/firmware/acpi/tables/CCEL` and the log's whole area as
/// `/sys/firmware/acpi/tables/data/CCEL`.
///
/// The host can write it. It may guide a reader but proves nothing.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub struct CcelTable {
    /// Revision of the table: 1.
    pub revision: u8,
    /// The kind of confidential VM.
    pub cc_type: CcType,
    /// Its subtype: 0.
    pub cc_subtype: u8,
    /// Size of the log's area in bytes (`LAML`).
    pub area_length: u64,
    /// Guest-physical address of the log's area (`LASA`).
    pub area_address: u64,
    /// Whether all bytes of the table add up to zero.
    pub is_checksum_right: bool,
}

/// The kind of confidential VM (UEFI 2.10, section 38.2.2, `EFI_CC_TYPE`).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum CcType {
    /// 0: none.
    None,
    /// 1: AMD SEV.
    Sev,
    /// 2: Intel TDX.
    Tdx,
    /// 3: RISC-V AP-TEE (as EDK2 has it).
    ApTee,
    /// 4: Arm CCA (as EDK2 has it).
    Cca,
    /// Any other.
    Other(u8),
}

impl CcType {
    /// The type of this number.
    #[must_use]
    pub const fn from_number(number: u8) -> Self {
        match number {
            0 => Self::None,
            1 => Self::Sev,
            2 => Self::Tdx,
            3 => Self::ApTee,
            4 => Self::Cca,
            other => Self::Other(other),
        }
    }

    /// Whose registers the numbers in the log mean.
    #[must_use]
    pub const fn platform(self) -> Platform {
        match self {
            Self::Tdx => Platform::Tdx,
            Self::Cca => Platform::Cca,
            _ => Platform::Cc,
        }
    }
}

impl CcelTable {
    /// Its size in bytes.
    pub const SIZE: usize = 56;

    /// Reads the table. A longer one is read as far as it is known.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::AcpiTable`] if the signature is another or the length is not that of `table`
    /// or below [`SIZE`](Self::SIZE).
    pub fn read(table: &[u8]) -> Result<Self, Error> {
        Self::parse(table).ok_or(Error::call(ErrorKind::AcpiTable))
    }

    fn parse(table: &[u8]) -> Option<Self> {
        let mut cut = Cut(table);
        let signature = cut.array::<4>().ok()?;
        let length = usize::try_from(cut.u32().ok()?).ok()?;
        let revision = cut.u8().ok()?;
        // Checksum, OEM, creator.
        cut.array::<27>().ok()?;
        let &[cc_type, cc_subtype, _, _] = cut.array().ok()?;
        let area_length = cut.u64().ok()?;
        let area_address = cut.u64().ok()?;
        let sum = table.iter().fold(0_u8, |sum, &byte| sum.wrapping_add(byte));
        (signature == b"CCEL" && length == table.len()).then_some(Self {
            revision,
            cc_type: CcType::from_number(cc_type),
            cc_subtype,
            area_length,
            area_address,
            is_checksum_right: sum == 0,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Vec<u8> {
        let mut table = [b"CCEL8\0\0\0\x01".to_vec(), vec![0; 27]].concat();
        table.extend([4, 0, 0, 0]);
        table.extend(0x1_0000_u64.to_le_bytes());
        table.extend(0x8765_4321_0000_u64.to_le_bytes());
        let sum = table.iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte));
        table[9] = 0_u8.wrapping_sub(sum);
        table
    }

    #[test]
    fn fields() {
        let table = table();
        assert_eq!(table.len(), CcelTable::SIZE);
        let read = CcelTable::read(&table).unwrap();
        assert_eq!((read.cc_type, read.cc_subtype, read.revision), (CcType::Cca, 0, 1));
        assert_eq!(read.cc_type.platform(), Platform::Cca);
        assert_eq!((read.area_length, read.area_address), (0x1_0000, 0x8765_4321_0000));
        assert!(read.is_checksum_right);
    }

    #[test]
    fn damage() {
        let table = table();
        for cut in 0..table.len() {
            assert_eq!(CcelTable::read(&table[..cut]).unwrap_err().kind(), ErrorKind::AcpiTable);
            let mut bad = table.clone();
            bad[cut] ^= 1;
            let read = CcelTable::read(&bad);
            assert_eq!(read.is_err(), cut < 8, "signature and length");
            assert!(read.is_ok_and(|read| !read.is_checksum_right) || cut < 8);
        }
        assert!(CcelTable::read(&[&table[..], &[0]].concat()).is_err());
    }
}
