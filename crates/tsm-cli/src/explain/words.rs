// SPDX-License-Identifier: MIT OR Apache-2.0
//! What was measured, and by whom, in plain words.
//!
//! Who measured is a guess wherever it follows from an event's type, which no digest covers. Sources:
//! TCG PC Client Platform Firmware Profile 1.06, section 3.3.4; what OVMF, shim, GRUB, systemd, the
//! Linux EFI stub and agents were seen to log.

use tsm_eventlog::tcg::EventType;
use tsm_eventlog::tcg::data::{EventData, Guid, IplKind};

use crate::events::{Content, Record};
use crate::show::CONTENT;

/// Who measured something.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct By {
    pub(crate) who: String,
    /// Whether it only looks like that.
    pub(crate) is_guess: bool,
}

/// What was measured. Safe to print.
pub(super) fn measured(record: &Record<'_>) -> String {
    let text = record.text.front(CONTENT);
    let what = match (record.event(), &record.content) {
        (Some(data), Content::Event(event_type)) => {
            of_event(&data, *event_type == EventType::EFI_VARIABLE_AUTHORITY)
        }
        (_, Content::Said(said)) => of_kind(said["kind"].as_str().unwrap_or_default()),
        (None, Content::Event(_)) => "something",
    };
    if text.is_empty() { what.to_string() } else { format!("{what}: {text}") }
}

fn of_event(data: &EventData<'_>, is_authority: bool) -> &'static str {
    match data {
        EventData::Separator(_) => "the border between firmware and what it starts",
        EventData::Action(_) => "what was done",
        EventData::Variable(_) if is_authority => "what vouched for something that was loaded",
        EventData::Variable(_) => "a variable of the firmware",
        EventData::Image(_) => "the code of what was loaded",
        EventData::Gpt(_) => "the partition table of the boot disk",
        EventData::FirmwareBlob(_) => "a part of the firmware",
        EventData::HandoffTables(_) => "tables that firmware hands over",
        EventData::Version(_) => "the firmware's version",
        EventData::NonHostInfo(_) => "what protects the machine's memory",
        EventData::PlatformConfig(_) => "settings of the platform",
        EventData::NoAction(_) => "nothing, it only tells",
        EventData::Ipl(ipl) => match ipl.kind {
            IplKind::GrubCommand => "a command that the boot loader ran",
            IplKind::KernelCommandLine | IplKind::CommandLine => "a command line",
            IplKind::ModuleCommandLine => "the command line of a module",
            IplKind::ShimVariable => "a list or setting of the owner's keys",
            IplKind::Section => "a part of a unified kernel image",
            IplKind::File => "the content of a file",
            _ => "something that a boot loader names",
        },
        EventData::Tagged(_) => "something with a tag",
        EventData::Description(_) => "something that is described",
        _ => "something",
    }
}

fn of_kind(kind: &str) -> &'static str {
    match kind {
        "ima" => "a file, or what IMA names",
        "aael" => "an event of an agent",
        "aael-init" => "the beginning of a log",
        "dstack" => "an event of dstack",
        "systemd" => "what systemd names",
        "cos" => "a container, or what belongs to it",
        "management" => "a fact about the log",
        "sync" => "the register's values, captured",
        "note" => "nothing, a note: the register was extended with digests that have no record",
        "comment" => "nothing, a remark",
        "record" => "a record",
        "text" | "bytes" => "something of a type that is not known here",
        _ => "something",
    }
}

/// Who measured it, in a log of this format.
pub(super) fn by(record: &Record<'_>, format: &str) -> By {
    let guess = |who: &str| By { who: who.into(), is_guess: true };
    match (record.event(), &record.content) {
        (Some(data), _) => guess(by_event(&data, &record.register)),
        (None, Content::Event(_)) => guess("somebody"),
        (None, Content::Said(said)) => {
            let kind = said["kind"].as_str().unwrap_or_default();
            let who = match kind {
                "ima" => "the kernel (IMA)".to_string(),
                "aael" | "aael-init" => "Confidential Containers' attestation agent".into(),
                "dstack" => "dstack".into(),
                "systemd" => "systemd, in user space".into(),
                "cos" => "the launcher of Confidential Space".into(),
                "management" | "sync" | "note" => "the layer that keeps the log".into(),
                "record" => application(record),
                _ => "somebody".into(),
            };
            // The types of a canonical event log are covered by nothing either.
            By { who, is_guess: format.starts_with("cel-") }
        }
    }
}

/// Whose name a record begins with.
fn application(record: &Record<'_>) -> String {
    let text = record.text.front(CONTENT);
    let name = text.split(' ').next().unwrap_or_default();
    format!("whoever may append to the log; the record begins with the name {name}")
}

fn by_event(data: &EventData<'_>, register: &str) -> &'static str {
    const FIRMWARE: &str = "firmware";
    let number = |kind: &str| register.strip_prefix(kind)?.parse::<u32>().ok();
    match data {
        EventData::Variable(variable) if variable.vendor == Guid::SHIM_LOCK => "shim",
        EventData::Image(_) => "firmware, for itself or for the boot loader that asked it to load",
        EventData::Ipl(ipl) => match ipl.kind {
            IplKind::GrubCommand
            | IplKind::KernelCommandLine
            | IplKind::ModuleCommandLine
            | IplKind::File => "GRUB",
            IplKind::ShimVariable => "shim",
            IplKind::Section => "systemd-stub",
            IplKind::CommandLine => "systemd-boot or systemd-stub",
            _ => "a boot loader, or an application that writes this log",
        },
        EventData::Tagged(tagged) if tagged.aael().is_some() => {
            "Confidential Containers' attestation agent"
        }
        EventData::Tagged(tagged) => match tagged.tags().next().and_then(|tag| tag.name()) {
            Some(name) if name.starts_with("Linux") => "the kernel's EFI stub",
            Some(name) if name.starts_with("systemd-stub") => "systemd-stub",
            Some(name) if name.starts_with("systemd") => "systemd-boot",
            Some(name) if name.starts_with("Windows") => "Windows",
            _ => "firmware or a boot loader",
        },
        EventData::Separator(_) => match number("pcr") {
            Some(8..) => "the operating system or a boot loader",
            _ => FIRMWARE,
        },
        EventData::Description(_) | EventData::Raw(_) => match number("pcr") {
            Some(..=7) => FIRMWARE,
            Some(8..) => "a boot loader or the operating system",
            None => match register {
                "rtmr0" | "rtmr1" | "rem0" | "rem1" | "ccmr1" | "ccmr2" | "mrtd" | "rim" => {
                    FIRMWARE
                }
                _ => "somebody above the firmware",
            },
        },
        _ => FIRMWARE,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn who(event_type: EventType, data: &[u8], register: &str) -> &'static str {
        by_event(&EventData::new(event_type, data), register)
    }

    #[test]
    fn who_measured() {
        assert_eq!(who(EventType::IPL, b"grub_cmd: linux /vmlinuz\0", "pcr8"), "GRUB");
        assert_eq!(who(EventType::IPL, b"(hd0,gpt1)/grub.cfg\0", "pcr9"), "GRUB");
        assert_eq!(who(EventType::IPL, b"MokList\0", "pcr14"), "shim");
        assert_eq!(who(EventType::IPL, b".\0l\0i\0n\0u\0x\0\0\0", "pcr11"), "systemd-stub");
        let tag = [0x8F3B_22EC_u32.to_le_bytes(), 2_u32.to_le_bytes()].concat();
        let tag = [&tag[..], b"x\0"].concat();
        assert_eq!(who(EventType::EVENT_TAG, &tag, "pcr9"), "the kernel's EFI stub");
        assert_eq!(who(EventType::SEPARATOR, &[0; 4], "pcr4"), "firmware");
        assert_eq!(who(EventType::SEPARATOR, &[0; 4], "rtmr0"), "firmware");
        assert_eq!(
            who(EventType::SEPARATOR, b"WBCL", "pcr12"),
            "the operating system or a boot loader"
        );
        assert_eq!(who(EventType::CPU_MICROCODE, b"\xff", "pcr1"), "firmware");
        assert_eq!(who(EventType::CPU_MICROCODE, b"\xff", "rtmr3"), "somebody above the firmware");
    }
}
