// SPDX-License-Identifier: MIT OR Apache-2.0
//! What another value usually means, by register and type of the event: what a digest depends on.
//!
//! Hints for people, nothing more: the type is what an untrusted log says. They follow from what the
//! TCG PC Client Platform Firmware Profile 1.06 (section 3.3.4) and UEFI 2.10 (section 38.4.1) have
//! firmware measure where, and from what OVMF, shim, GRUB, systemd, the Linux EFI stub and the agents
//! of confidential VMs do.

use tsm_eventlog::tcg::EventType as E;

use crate::events::{Kind, Text};

/// What it usually means if an event has another digest than elsewhere.
pub(crate) fn usual(register: &str, kind: &Kind, text: &Text) -> Option<&'static str> {
    if text.ends_with("boot_aggregate") {
        return Some("PCRs 0 to 9 were others when IMA began: compare the firmware's logs");
    }
    let place = Place::of(register)?;
    let number = kind.number.and_then(|number| u32::try_from(number).ok()).map(E);
    let is_it = |hint: &&(Place, &[E], &str)| {
        let types = hint.1;
        hint.0 == place && (types.is_empty() || number.is_some_and(|n| types.contains(&n)))
    };
    if number == Some(E::SEPARATOR) {
        return Some(
            "an error that the firmware reports, or an operating system that marks the border between \
             them otherwise",
        );
    }
    HINTS.iter().find(is_it).map(|hint| hint.2)
}

/// Registers that take the same things on different platforms.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Place {
    Pcr(u32),
    /// A measurement register of a confidential VM, as UEFI counts them.
    Cc(u32),
}

impl Place {
    fn of(register: &str) -> Option<Self> {
        let number = |kind: &str| register.strip_prefix(kind)?.parse::<u32>().ok();
        if let Some(number) = number("pcr") {
            // Of a dynamic launch.
            return Some(Self::Pcr(if (17..=22).contains(&number) { 17 } else { number }));
        }
        let zero_based = number("rtmr").or_else(|| number("rem"));
        number("ccmr").or_else(|| zero_based?.checked_add(1)).map(Self::Cc)
    }
}

const SECURE_BOOT: &str = "Secure Boot turned on or off, or its keys and lists (PK, KEK, db, dbx) \
                           changed, as by a dbx update";
const AUTHORITY: &str = "another certificate or SBAT level vouched for what was booted, as after an \
                         update of shim or of the key that signs";
const APPLICATION: &str = "another boot loader, kernel (as EFI application) or shim: updated, or \
                           another one was booted";
const PARTITIONS: &str = "another partition table: disk, size or GUIDs changed";
const BOOT_ORDER: &str = "another boot order or boot entry";
const STUB: &str = "another initrd or other options, given to the kernel's EFI stub";
const ACTION: &str =
    "what the firmware did on the way to the operating system: other attempts to boot";

/// The first that fits counts; no types means any.
const HINTS: &[(Place, &[E], &str)] = &[
    (Place::Pcr(0), &[E::EFI_HCRTM_EVENT], "another root of trust of the processor (H-CRTM)"),
    (
        Place::Pcr(0),
        &[E::NONHOST_INFO],
        "another kind of virtual machine: on Google's cloud, the technology that encrypts memory",
    ),
    (Place::Pcr(0), &[], "another firmware, or version of it"),
    (Place::Pcr(1), &[E::CPU_MICROCODE], "another microcode of the processor"),
    (Place::Pcr(1), &[E::EFI_VARIABLE_BOOT, E::EFI_VARIABLE_BOOT2], BOOT_ORDER),
    (
        Place::Pcr(1),
        &[E::EFI_HANDOFF_TABLES, E::EFI_HANDOFF_TABLES2],
        "other SMBIOS or ACPI tables: hardware, its serial numbers, or a virtual machine's settings",
    ),
    (
        Place::Pcr(1),
        &[E::PLATFORM_CONFIG_FLAGS],
        "other settings of the firmware; with OVMF other ACPI tables: memory size, devices, or QEMU's \
         version",
    ),
    (Place::Pcr(1), &[], "another configuration of the platform: firmware settings, hardware"),
    (Place::Pcr(2), &[], "another driver or option ROM: a card was added, removed or updated"),
    (Place::Pcr(3), &[], "another configuration of a driver or of a card"),
    (Place::Pcr(4), &[E::EFI_BOOT_SERVICES_APPLICATION], APPLICATION),
    (Place::Pcr(4), &[], ACTION),
    (Place::Pcr(5), &[E::EFI_GPT_EVENT, E::EFI_GPT_EVENT2], PARTITIONS),
    (Place::Pcr(5), &[E::EVENT_TAG], "another loader.conf of systemd-boot"),
    (
        Place::Pcr(5),
        &[],
        "how boot services were left, or another configuration of the boot loader",
    ),
    (Place::Pcr(6), &[], "what the maker of the machine measures, or a wake from sleep"),
    (Place::Pcr(7), &[E::EFI_VARIABLE_DRIVER_CONFIG], SECURE_BOOT),
    (Place::Pcr(7), &[E::EFI_VARIABLE_AUTHORITY], AUTHORITY),
    (Place::Pcr(7), &[], "the state of Secure Boot, of debugging or of DMA protection"),
    (Place::Pcr(8), &[], "another kernel command line, or other commands of GRUB"),
    (Place::Pcr(9), &[E::EVENT_TAG], STUB),
    (Place::Pcr(9), &[], "another kernel, initrd or configuration, as GRUB read it"),
    (
        Place::Pcr(10),
        &[],
        "IMA: other files were used, or in another order; that differs from boot to boot",
    ),
    (Place::Pcr(11), &[], "another unified kernel image, or another phase of the boot (systemd)"),
    (
        Place::Pcr(12),
        &[],
        "another command line, credentials or add-ons for a unified kernel image",
    ),
    (Place::Pcr(13), &[], "other system extension images (systemd)"),
    (Place::Pcr(14), &[], "shim's lists of the owner's keys (MOK): one was enrolled or removed"),
    (Place::Pcr(15), &[], "another volume key, machine id or file system (systemd)"),
    (Place::Pcr(17), &[], "another dynamic launch, or what it measured"),
    (Place::Cc(1), &[E::EFI_VARIABLE_DRIVER_CONFIG], SECURE_BOOT),
    (Place::Cc(1), &[E::EFI_VARIABLE_AUTHORITY], AUTHORITY),
    (Place::Cc(1), &[E::EFI_VARIABLE_BOOT, E::EFI_VARIABLE_BOOT2], BOOT_ORDER),
    (
        Place::Cc(1),
        &[E::PLATFORM_CONFIG_FLAGS, E::EFI_HANDOFF_TABLES, E::EFI_HANDOFF_TABLES2],
        "other virtual hardware (ACPI tables, hand-off blocks): memory size, processors, devices, or \
         the virtual machine monitor's version",
    ),
    (
        Place::Cc(1),
        &[E::EFI_PLATFORM_FIRMWARE_BLOB, E::EFI_PLATFORM_FIRMWARE_BLOB2],
        "another configuration volume of the firmware",
    ),
    (Place::Cc(1), &[], "other virtual hardware, or another configuration of the firmware"),
    (Place::Cc(2), &[E::EFI_BOOT_SERVICES_APPLICATION], APPLICATION),
    (Place::Cc(2), &[E::EFI_GPT_EVENT, E::EFI_GPT_EVENT2], PARTITIONS),
    (
        Place::Cc(2),
        &[E::EFI_PLATFORM_FIRMWARE_BLOB, E::EFI_PLATFORM_FIRMWARE_BLOB2],
        "another payload of the firmware: a kernel, or a second firmware",
    ),
    (Place::Cc(2), &[], ACTION),
    (Place::Cc(3), &[E::EVENT_TAG], STUB),
    (
        Place::Cc(3),
        &[],
        "another kernel, initrd or command line, or other commands of the boot loader",
    ),
    (
        Place::Cc(4),
        &[],
        "what agents and applications measured at run time: container images, configuration, keys",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Text {
        Text::Safe(text.into())
    }

    fn hint(register: &str, event_type: E) -> &'static str {
        let kind = Kind { number: Some(event_type.0.into()), name: None };
        usual(register, &kind, &text("")).unwrap_or_default()
    }

    #[test]
    fn hints_follow_register_and_type() {
        assert!(hint("pcr7", E::EFI_VARIABLE_DRIVER_CONFIG).contains("dbx"));
        assert!(hint("pcr1", E::CPU_MICROCODE).contains("microcode"));
        assert!(hint("pcr5", E::EFI_GPT_EVENT).contains("partition"));
        assert!(hint("pcr22", E::IPL).contains("dynamic"));
        for register in ["ccmr1", "rtmr0", "rem0"] {
            assert!(hint(register, E::PLATFORM_CONFIG_FLAGS).contains("memory size"));
            assert!(hint(register, E::EFI_VARIABLE_AUTHORITY).contains("certificate"));
        }
        assert!(hint("rtmr3", E(0x0800_0001)).contains("run time"));
        assert!(hint("pcr4", E::SEPARATOR).contains("border"));
        let kind = Kind { number: None, name: Some("ima-ng".into()) };
        assert!(usual("pcr10", &kind, &text("boot_aggregate")).unwrap().contains("PCRs 0 to 9"));
        assert!(usual("pcr10", &kind, &text("/bin/sh")).unwrap().contains("IMA"));
        assert_eq!(usual("pcr16", &kind, &text("")), None);
        assert_eq!(usual("nv01d10200", &kind, &text("")), None);
    }

    /// What stands behind a hint for any type is never given.
    #[test]
    fn every_hint_can_be_given() {
        for (index, (place, types, _)) in HINTS.iter().enumerate() {
            let shadowed = HINTS[..index].iter().any(|before| {
                before.0 == *place
                    && (before.1.is_empty() || types.iter().any(|t| before.1.contains(t)))
            });
            assert!(!shadowed, "{place:?} {types:?}");
        }
    }
}
