// SPDX-License-Identifier: MIT OR Apache-2.0
//! GUIDs, and the names of those that occur in event logs.

use core::fmt;

/// A GUID, as its 16 bytes stand in UEFI's structures: the first three groups little endian.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Guid(pub [u8; 16]);

impl Guid {
    /// The GUID whose text is these digits: `0x8be4df61_93ca_11d2_aa0d_00e098032b8c`.
    #[must_use]
    pub const fn from_text_digits(digits: u128) -> Self {
        let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = digits.to_be_bytes();
        Self([d, c, b, a, f, e, h, g, i, j, k, l, m, n, o, p])
    }

    /// The name it is known by: of a vendor of variables, an owner or a kind of signatures, a type of
    /// partitions, a table. `None` if none is known here.
    #[must_use]
    pub fn name(&self) -> Option<&'static str> {
        NAMES.iter().find_map(|(guid, name)| (guid == self).then_some(*name))
    }
}

impl fmt::Display for Guid {
    /// `8be4df61-93ca-11d2-aa0d-00e098032b8c`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [d, c, b, a, ff, e, h, g, i, j, rest @ ..] = self.0;
        let (one, two) = (u32::from_be_bytes([a, b, c, d]), u16::from_be_bytes([e, ff]));
        let (three, four) = (u16::from_be_bytes([g, h]), u16::from_be_bytes([i, j]));
        write!(f, "{one:08x}-{two:04x}-{three:04x}-{four:04x}-{}", tsm_core::hex::Hex(&rest))
    }
}

impl fmt::Debug for Guid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

macro_rules! guids {
    ($($(#[$doc:meta])* $name:ident = $digits:literal $text:literal),* $(,)?) => {
        impl Guid {
            $($(#[$doc])* pub const $name: Self = Self::from_text_digits($digits);)*
        }

        const NAMES: &[(Guid, &str)] = &[$((Guid::$name, $text)),*];
    };
}

guids! {
    /// Vendor of the variables that UEFI itself defines: `BootOrder`, `SecureBoot`, `PK`, `KEK`.
    GLOBAL_VARIABLE = 0x8be4df61_93ca_11d2_aa0d_00e098032b8c "EFI global variable",
    /// Vendor of the variables `db`, `dbx`, `dbt`, `dbr`.
    IMAGE_SECURITY_DATABASE = 0xd719b2cb_3d3a_4596_a3bc_dad00e67656f "image security database",
    /// Vendor of shim's variables, and owner of its signatures.
    SHIM_LOCK = 0x605dab50_e046_4300_abb6_3dd810dd8b23 "shim",
    /// Vendor of systemd-boot's variables.
    SYSTEMD_LOADER = 0x4a67b082_0a4c_41cf_b6c7_440b29bb8c4f "systemd loader",
    /// Owner of Microsoft's signatures.
    MICROSOFT = 0x77fa9abd_0359_4d32_bd60_28f4e78f784b "Microsoft",
    /// Owner of the keys that OVMF's enrollment tool writes.
    OVMF_ENROLL = 0xa0baa8a3_041d_48a8_bc87_c36d121b5e3d "OVMF EnrollDefaultKeys",
    /// Signature list of X.509 certificates.
    CERT_X509 = 0xa5c059a1_94e4_4aa7_87b5_ab155c2bf072 "X.509 certificate",
    /// Signature list of SHA-1 digests.
    CERT_SHA1 = 0x826ca512_cf10_4ac9_b187_be01496631bd "SHA-1 digest",
    /// Signature list of SHA-224 digests.
    CERT_SHA224 = 0x0b6e5233_a65c_44c9_9407_d9ab83bfc8bd "SHA-224 digest",
    /// Signature list of SHA-256 digests.
    CERT_SHA256 = 0xc1c41626_504c_4092_aca9_41f936934328 "SHA-256 digest",
    /// Signature list of SHA-384 digests.
    CERT_SHA384 = 0xff3e5307_9fd0_48c9_85f1_8ad56c701e01 "SHA-384 digest",
    /// Signature list of SHA-512 digests.
    CERT_SHA512 = 0x093e0fae_a6c4_4f50_9f1b_d41e2b89c19a "SHA-512 digest",
    /// Signature list of RSA-2048 keys.
    CERT_RSA2048 = 0x3c5766e8_269c_4e34_aa14_ed776e85b3b6 "RSA-2048 key",
    /// Signature list of SHA-256 digests of certificates, with revocation times.
    CERT_X509_SHA256 = 0x3bd2a492_96c0_4079_b420_fcf98ef103ed "SHA-256 digest of a certificate",
    /// The same with SHA-384.
    CERT_X509_SHA384 = 0x7076876e_80c2_4ee6_aad2_28b349a6865b "SHA-384 digest of a certificate",
    /// The same with SHA-512.
    CERT_X509_SHA512 = 0x446dbf63_2502_4cda_bcfa_2465d2b0fe9d "SHA-512 digest of a certificate",
    /// Partition of the EFI system.
    PARTITION_ESP = 0xc12a7328_f81f_11d2_ba4b_00a0c93ec93b "EFI system partition",
    /// Partition of BIOS boot code.
    PARTITION_BIOS = 0x21686148_6449_6e6f_744e_656564454649 "BIOS boot",
    /// Partition of Linux data.
    PARTITION_LINUX = 0x0fc63daf_8483_4772_8e79_3d69d8477de4 "Linux filesystem",
    /// Partition of Linux' `/boot`.
    PARTITION_XBOOTLDR = 0xbc13c2ff_59e6_4262_a352_b275fd6f7172 "extended boot loader",
    /// Partition of a Linux root on x86-64.
    PARTITION_ROOT_X86_64 = 0x4f68bce3_e8cd_4db1_96e7_fbcaf984b709 "Linux root (x86-64)",
    /// Partition of Linux swap.
    PARTITION_SWAP = 0x0657fd6d_a4ab_43c4_84e5_0933c84b4f4f "Linux swap",
    /// Partition of Linux' volume manager.
    PARTITION_LVM = 0xe6d6d379_f507_44c2_a23c_238f2a3df928 "Linux LVM",
    /// Partition of Microsoft data.
    PARTITION_BASIC_DATA = 0xebd0a0a2_b9e5_4433_87c0_68b6b72699c7 "Microsoft basic data",
    /// Partition that Microsoft reserves.
    PARTITION_MS_RESERVED = 0xe3c9e316_0b5c_4db8_817d_f92df00215ae "Microsoft reserved",
    /// Partition of Windows' recovery.
    PARTITION_MS_RECOVERY = 0xde94bba4_06d1_4d4d_a16a_bfd50179d6ac "Windows recovery",
    /// Partition of a ChromeOS kernel.
    PARTITION_CHROMEOS_KERNEL = 0xfe3a2a5d_4f32_41a7_b725_accc3285a309 "ChromeOS kernel",
    /// Partition of a ChromeOS root.
    PARTITION_CHROMEOS_ROOT = 0x3cb8e202_3b7e_47dd_8a3c_7ff2a13cfcec "ChromeOS root",
    /// ACPI table, version 2 and later.
    TABLE_ACPI = 0x8868e871_e4f1_11d3_bc22_0080c73c8881 "ACPI",
    /// SMBIOS table.
    TABLE_SMBIOS = 0xeb9d2d31_2d88_11d3_9a16_0090273fc14d "SMBIOS",
    /// SMBIOS table, version 3.
    TABLE_SMBIOS3 = 0xf2fd1544_9794_4a2c_992e_e5bbcf20e394 "SMBIOS 3",
    /// List of hand-off blocks.
    TABLE_HOB_LIST = 0x7739f24c_93d7_11d4_9a3a_0090273fc14d "HOB list",
    /// What OVMF calls by this name: the TD's hand-off blocks.
    TABLE_OVMF = 0x93bb96af_b9f2_4eb8_9462_e0ba74564236 "OVMF",
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_bytes() {
        // The first bytes of a UEFI_VARIABLE_DATA in every log.
        let bytes = [
            0x61, 0xDF, 0xE4, 0x8B, 0xCA, 0x93, 0xD2, 0x11, 0xAA, 0x0D, 0, 0xE0, 0x98, 3, 0x2B,
            0x8C,
        ];
        assert_eq!(Guid(bytes), Guid::GLOBAL_VARIABLE);
        assert_eq!(Guid(bytes).to_string(), "8be4df61-93ca-11d2-aa0d-00e098032b8c");
        assert_eq!(Guid([0; 16]).name(), None);
        for (place, (guid, name)) in NAMES.iter().enumerate() {
            assert_eq!(guid.name(), Some(*name));
            assert!(NAMES.iter().skip(place + 1).all(|(other, _)| other != guid), "{name}");
        }
    }
}
