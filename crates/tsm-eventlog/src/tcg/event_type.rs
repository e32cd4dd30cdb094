// SPDX-License-Identifier: MIT OR Apache-2.0
//! Event types: numbers with names.

use core::fmt;

/// What an event says it is about. No digest covers it: whoever can alter the log can alter it.
///
/// Any number is kept. Types of vendors are common, so an unknown one is nothing unusual.
///
/// Source: TCG PC Client Platform Firmware Profile 1.06, section 10.4.1.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct EventType(pub u32);

macro_rules! event_types {
    ($($(#[$doc:meta])* $name:ident = $number:literal),* $(,)?) => {
        impl EventType {
            $($(#[$doc])* pub const $name: Self = Self($number);)*

            /// The types that have a name here.
            pub const KNOWN: &'static [Self] = &[$(Self::$name),*];

            /// The name in the specification without `EV_`: `EFI_ACTION`. `None` if it has none.
            #[must_use]
            pub const fn name(self) -> Option<&'static str> {
                match self.0 {
                    $($number => Some(stringify!($name)),)*
                    _ => None,
                }
            }
        }
    };
}

event_types! {
    /// Reserved.
    PREBOOT_CERT = 0x0,
    /// Firmware code: a string, or base and length of a blob.
    POST_CODE = 0x1,
    /// Reserved.
    UNUSED = 0x2,
    /// Only tells something: never extended, whatever its digest.
    NO_ACTION = 0x3,
    /// The border between firmware and what it starts; also tells of errors.
    SEPARATOR = 0x4,
    /// A text for what was done.
    ACTION = 0x5,
    /// A tag, a length and bytes.
    EVENT_TAG = 0x6,
    /// The contents of the root of trust for measurement.
    S_CRTM_CONTENTS = 0x7,
    /// Its version.
    S_CRTM_VERSION = 0x8,
    /// Microcode of the processor.
    CPU_MICROCODE = 0x9,
    /// Settings of the platform; OVMF: ACPI tables.
    PLATFORM_CONFIG_FLAGS = 0xA,
    /// A table of devices.
    TABLE_OF_DEVICES = 0xB,
    /// Chosen by the vendor.
    COMPACT_HASH = 0xC,
    /// Of boot loaders.
    IPL = 0xD,
    /// Partition data of boot loaders.
    IPL_PARTITION_DATA = 0xE,
    /// Code for a processor that is not the host's.
    NONHOST_CODE = 0xF,
    /// Its configuration.
    NONHOST_CONFIG = 0x10,
    /// What is known about it.
    NONHOST_INFO = 0x11,
    /// Boot device events are left out from here on.
    OMIT_BOOT_DEVICE_EVENTS = 0x12,
    /// Firmware code: description, base and length of a blob.
    POST_CODE2 = 0x13,
    /// Not an event: the base of the numbers that UEFI added.
    EFI_EVENT_BASE = 0x8000_0000,
    /// A variable that drives the boot, as a rule one of Secure Boot.
    EFI_VARIABLE_DRIVER_CONFIG = 0x8000_0001,
    /// A boot variable; the digest is over its contents or over the whole event data.
    EFI_VARIABLE_BOOT = 0x8000_0002,
    /// An application that was loaded.
    EFI_BOOT_SERVICES_APPLICATION = 0x8000_0003,
    /// A driver that was loaded.
    EFI_BOOT_SERVICES_DRIVER = 0x8000_0004,
    /// A driver that was loaded, and stays.
    EFI_RUNTIME_SERVICES_DRIVER = 0x8000_0005,
    /// The partition table of the boot device.
    EFI_GPT_EVENT = 0x8000_0006,
    /// A text for what was done.
    EFI_ACTION = 0x8000_0007,
    /// A part of the firmware: base and length.
    EFI_PLATFORM_FIRMWARE_BLOB = 0x8000_0008,
    /// Tables handed over.
    EFI_HANDOFF_TABLES = 0x8000_0009,
    /// A part of the firmware: description, base and length.
    EFI_PLATFORM_FIRMWARE_BLOB2 = 0x8000_000A,
    /// Tables handed over, with a description.
    EFI_HANDOFF_TABLES2 = 0x8000_000B,
    /// A boot variable; the digest is over the whole event data.
    EFI_VARIABLE_BOOT2 = 0x8000_000C,
    /// The partition table without its GUIDs.
    EFI_GPT_EVENT2 = 0x8000_000D,
    /// The hardware's own root of trust: PCR 0 starts at 4 then.
    EFI_HCRTM_EVENT = 0x8000_0010,
    /// The certificate that vouched for something loaded.
    EFI_VARIABLE_AUTHORITY = 0x8000_00E0,
    /// Firmware of a device, measured by SPDM.
    EFI_SPDM_FIRMWARE_BLOB = 0x8000_00E1,
    /// Its configuration.
    EFI_SPDM_FIRMWARE_CONFIG = 0x8000_00E2,
    /// The policy for it.
    EFI_SPDM_DEVICE_POLICY = 0x8000_00E3,
    /// The certificate that vouched for it.
    EFI_SPDM_DEVICE_AUTHORITY = 0x8000_00E4,
}

impl fmt::Display for EventType {
    /// `EV_EFI_ACTION`, or the number: `0x00008401`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => write!(f, "EV_{name}"),
            None => write!(f, "{:#010x}", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers() {
        assert_eq!(EventType::EFI_ACTION.to_string(), "EV_EFI_ACTION");
        assert_eq!(EventType(0x8401).to_string(), "0x00008401");
        assert_eq!(EventType::KNOWN.len(), 40);
        assert!(EventType::KNOWN.is_sorted());
        assert!(EventType::KNOWN.iter().all(|known| known.name().is_some()));
    }
}
