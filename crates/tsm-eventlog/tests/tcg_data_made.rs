// SPDX-License-Identifier: MIT OR Apache-2.0
//! Event data made by hand: what no log at hand has, every format cut short and with wrong lengths, and
//! arbitrary bytes.

mod common;

use common::tcg::{event, header_for};
use proptest::collection::vec;
use proptest::prelude::*;
use tsm_core::Algorithm;
use tsm_eventlog::aael;
use tsm_eventlog::tcg::data::{
    Contents, DevicePath, EventData, Field, FieldValue, Guid, IplKind, NoActionKind, Reason,
};
use tsm_eventlog::tcg::{Coverage, EventType, FieldCoverage, Log, Rule};

fn fields<'a>(data: &EventData<'a>) -> Vec<Field<'a>> {
    let mut fields = Vec::new();
    data.fields(&mut |field| fields.push(field));
    fields
}

/// What every decoding owes: all bytes in order, each once; fewer fields than bytes, but for empty
/// ones; text that can be printed. Gives the text.
fn check(event_type: EventType, bytes: &[u8]) -> String {
    let data = EventData::new(event_type, bytes);
    let (mut at, mut empty, mut all) = (0, 0, Vec::new());
    let found = fields(&data);
    for field in &found {
        let range = field.range();
        assert_eq!(range.start, at, "{event_type} {bytes:02x?}");
        empty += usize::from(range.is_empty());
        at = range.end;
        all.push(field.to_string());
        assert!(field.name.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_')));
    }
    assert_eq!(at, bytes.len(), "{event_type} {bytes:02x?}");
    assert!(found.len() - empty <= bytes.len() && empty <= bytes.len() + 1);
    let line = data.to_string();
    assert!(!all.concat().chars().chain(line.chars()).any(char::is_control));
    // A line grows with the data, and not faster than a text that is all escapes.
    assert!(line.len() <= 200 + 24 * bytes.len(), "{} {}", line.len(), bytes.len());
    let is_malformed = found
        .iter()
        .any(|field| matches!(field.value, FieldValue::Unread(_, reason) if reason.is_malformed()));
    assert_eq!(data.malformed().is_some(), is_malformed);
    line
}

fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

fn u64s(numbers: &[u64]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
}

fn variable(guid: Guid, name: &str, data: &[u8]) -> Vec<u8> {
    let lengths = u64s(&[name.encode_utf16().count() as u64, data.len() as u64]);
    [&guid.0[..], &lengths, &utf16(name), data].concat()
}

fn node(kind: u8, subtype: u8, data: &[u8]) -> Vec<u8> {
    let length = u16::try_from(data.len() + 4).unwrap().to_le_bytes();
    [&[kind, subtype][..], &length, data].concat()
}

const END: [u8; 4] = [0x7F, 0xFF, 4, 0];

fn disk_path() -> Vec<u8> {
    let disk =
        [&15_u32.to_le_bytes()[..], &u64s(&[0x2800, 0x35000]), &Guid::PARTITION_ESP.0, &[2, 2]];
    [
        node(2, 1, &[0xD0, 0x41, 3, 0x0A, 0, 0, 0, 0]),
        node(1, 1, &[1, 0x1F]),
        node(3, 18, &[1, 0, 0xFF, 0xFF, 0, 0]),
        node(4, 1, &disk.concat()),
        node(4, 4, &utf16("\\EFI\\BOOT\\BOOTX64.EFI\0")),
        END.to_vec(),
    ]
    .concat()
}

fn signature_lists() -> Vec<u8> {
    let list = |kind: Guid, size: usize, count: usize| {
        let lengths = [28 + size * count, 0, size].map(|n| u32::try_from(n).unwrap().to_le_bytes());
        let signature = [&Guid::MICROSOFT.0[..], &vec![0x11; size - 16]].concat();
        [&kind.0[..], &lengths.concat(), &signature.repeat(count)].concat()
    };
    [list(Guid::CERT_X509, 60, 1), list(Guid::CERT_SHA256, 48, 3)].concat()
}

fn load_option() -> Vec<u8> {
    let path = disk_path();
    let length = u16::try_from(path.len()).unwrap().to_le_bytes();
    [&[1, 0, 0, 0][..], &length, &utf16("Some OS\0"), &path, b"optional"].concat()
}

fn image() -> Vec<u8> {
    let path = disk_path();
    [u64s(&[0x7000_0000, 0x1000, 0, path.len() as u64]), path].concat()
}

fn gpt() -> Vec<u8> {
    let partition = |name: &str| {
        let mut name = utf16(name);
        name.resize(72, 0);
        let ids = [Guid::PARTITION_ESP.0, Guid::PARTITION_LINUX.0].concat();
        [ids, u64s(&[2048, 4095, 1]), name].concat()
    };
    let header = [
        b"EFI PART\0\0\x01\0\x5C\0\0\0crc!\0\0\0\0".to_vec(),
        u64s(&[1, 99, 34, 66]),
        Guid::PARTITION_LINUX.0.to_vec(),
        u64s(&[2]),
        [128_u32, 128, 7].iter().flat_map(|n| n.to_le_bytes()).collect(),
        u64s(&[2]),
    ];
    [header.concat(), partition("EFI System"), partition("root")].concat()
}

fn tag(number: u32, value: &[u8]) -> Vec<u8> {
    let length = u32::try_from(value.len()).unwrap().to_le_bytes();
    [&number.to_le_bytes()[..], &length, value].concat()
}

fn windows() -> Vec<u8> {
    let inner = [tag(0x0002_0007, &u64s(&[5])), tag(0x0005_0001, &[0])].concat();
    let module = tag(0x4001_0003, &[tag(0x0007_0001, &utf16("\\a.exe\0")), inner.clone()].concat());
    tag(0x4001_0001, &[inner, module].concat())
}

fn manifest() -> Vec<u8> {
    let text = |text: &str| [&[u8::try_from(text.len()).unwrap()][..], text.as_bytes()].concat();
    let locator = |kind: u32, place: &[u8]| {
        [&kind.to_le_bytes()[..], &u32::try_from(place.len()).unwrap().to_le_bytes(), place]
            .concat()
    };
    [
        b"SP800-155 Event3".to_vec(),
        0x2B79_u32.to_le_bytes().to_vec(),
        Guid::SHIM_LOCK.0.to_vec(),
        [text("Maker\0"), text("Model\0"), text("\0"), text("Maker\0")].concat(),
        0x2B79_u32.to_le_bytes().to_vec(),
        text("1.0\0"),
        locator(1, b"https://example.com/rim\0"),
        locator(3, &[&Guid::GLOBAL_VARIABLE.0[..], &utf16("Cert\0")].concat()),
    ]
    .concat()
}

/// One of each kind, and the line it is shown as.
fn samples() -> Vec<(EventType, Vec<u8>, &'static str)> {
    use EventType as T;
    const GLOBAL: Guid = Guid::GLOBAL_VARIABLE;
    const DB: Guid = Guid::IMAGE_SECURITY_DATABASE;
    let certificate = [&[0x30, 0x82, 0, 3][..], b"abc"].concat();
    let owned = [&Guid::MICROSOFT.0[..], &certificate].concat();
    let mut aael = [0; 100];
    let aael = aael::Event::new("example.com", "Pull", "{}").unwrap().write_tagged(&mut aael);
    let td_hob = [&b"td_hob\0\0\0\0\0\0\0\0\0\0\x03\0\0\0"[..], &[1, 2, 3]].concat();
    vec![
        (T::SEPARATOR, vec![0; 4], "separator 00000000"),
        (T::SEPARATOR, vec![0xFF; 4], "separator ffffffff"),
        (T::SEPARATOR, b"WBCL".to_vec(), "separator WBCL"),
        (T::SEPARATOR, vec![0, 0, 1], "separator 000001"),
        (T::EFI_ACTION, b"Exit Boot Services\x1b[2J".to_vec(), r"Exit Boot Services\u{1b}[2J"),
        (T::ACTION, vec![], ""),
        (
            T::EFI_VARIABLE_DRIVER_CONFIG,
            variable(GLOBAL, "SecureBoot", &[1]),
            "variable SecureBoot = 01",
        ),
        (
            T::EFI_VARIABLE_DRIVER_CONFIG,
            variable(GLOBAL, "SecureBoot", &[]),
            "variable SecureBoot = (empty)",
        ),
        (T::EFI_VARIABLE_DRIVER_CONFIG, variable(GLOBAL, "PK", &[]), "variable PK = (empty)"),
        (
            T::EFI_VARIABLE_DRIVER_CONFIG,
            variable(DB, "db", &signature_lists()),
            "variable db = 4 signatures",
        ),
        (
            T::EFI_VARIABLE_DRIVER_CONFIG,
            variable(DB, "dbx", &signature_lists()[..88]),
            "variable dbx = 1 signature",
        ),
        (
            T::EFI_VARIABLE_BOOT,
            variable(GLOBAL, "BootOrder", &[1, 0, 0xA, 0]),
            "variable BootOrder = 0001,000a",
        ),
        (
            T::EFI_VARIABLE_BOOT2,
            variable(GLOBAL, "Boot001C", &load_option()),
            "variable Boot001C = \"Some OS\" PciRoot(0x0)/Pci(0x1f,0x1)/Sata(0x1,0xffff,0x0)/\
             HD(15,GPT,c12a7328-f81f-11d2-ba4b-00a0c93ec93b,0x2800,0x35000)/\\EFI\\BOOT\\BOOTX64.EFI",
        ),
        (T::EFI_VARIABLE_BOOT, variable(GLOBAL, "Bootable", &[1, 2]), "variable Bootable = 0102"),
        (
            T::EFI_VARIABLE_AUTHORITY,
            variable(DB, "db", &owned),
            "authority db = certificate of 7 bytes, owner 77fa9abd-0359-4d32-bd60-28f4e78f784b",
        ),
        (
            T::EFI_VARIABLE_AUTHORITY,
            variable(Guid::SHIM_LOCK, "Shim", &certificate),
            "authority Shim = certificate of 7 bytes",
        ),
        (
            T::EFI_VARIABLE_AUTHORITY,
            variable(DB, "db", &[&Guid::MICROSOFT.0[..], &[9; 32]].concat()),
            "authority db = signature of 32 bytes, owner 77fa9abd-0359-4d32-bd60-28f4e78f784b",
        ),
        (
            T::EFI_VARIABLE_AUTHORITY,
            variable(Guid::SHIM_LOCK, "SbatLevel", b"sbat,1\n"),
            "authority SbatLevel = \"sbat,1\\n\"",
        ),
        (
            T::EFI_VARIABLE_AUTHORITY,
            variable(Guid::SHIM_LOCK, "MokListTrusted", &[1]),
            "authority MokListTrusted = 01",
        ),
        (T::EFI_BOOT_SERVICES_APPLICATION, image(), "application \\EFI\\BOOT\\BOOTX64.EFI"),
        (T::EFI_BOOT_SERVICES_DRIVER, u64s(&[0x1000, 0, 0, 0]), "driver at 0x1000"),
        (
            T::EFI_GPT_EVENT,
            gpt(),
            "partition table of disk 0fc63daf-8483-4772-8e79-3d69d8477de4, 2 partitions",
        ),
        (
            T::EFI_PLATFORM_FIRMWARE_BLOB,
            u64s(&[0x80_0000, 0x1000]),
            "firmware blob at 0x800000, 0x1000 bytes",
        ),
        (
            T::EFI_PLATFORM_FIRMWARE_BLOB2,
            [&b"\x03BFV"[..], &u64s(&[1, 2])].concat(),
            "firmware blob \"BFV\" at 0x1, 0x2 bytes",
        ),
        (
            T::EFI_HANDOFF_TABLES,
            [&u64s(&[1])[..], &Guid::TABLE_SMBIOS3.0, &u64s(&[0xF000])].concat(),
            "tables SMBIOS 3 at 0xf000",
        ),
        (
            T::EFI_HANDOFF_TABLES2,
            [&b"\x05ACPI\0"[..], &u64s(&[1]), &[7; 16], &u64s(&[1])].concat(),
            "tables \"ACPI\" 07070707-0707-0707-0707-070707070707 at 0x1",
        ),
        // Nine characters, and not sixteen bytes of base and length.
        (T::POST_CODE, b"ACPI DATA".to_vec(), "ACPI DATA"),
        (T::POST_CODE, b"SIXTEEN LETTERS!".to_vec(), "SIXTEEN LETTERS!"),
        (T::POST_CODE, u64s(&[0xFF00_0000, 0x1000]), "firmware blob at 0xff000000, 0x1000 bytes"),
        (T::S_CRTM_VERSION, vec![0, 0], "version (empty)"),
        (T::S_CRTM_VERSION, utf16("1.2 beta\0"), "version \"1.2 beta\""),
        (T::S_CRTM_VERSION, b"1.2\0".to_vec(), "version \"1.2\""),
        (
            T::S_CRTM_VERSION,
            Guid::SHIM_LOCK.0.to_vec(),
            "version 605dab50-e046-4300-abb6-3dd810dd8b23",
        ),
        (
            T::NONHOST_INFO,
            [&b"GCE NonHostInfo\0\x03"[..], &[0; 15]].concat(),
            "GCE, memory protection: Intel TDX",
        ),
        (T::PLATFORM_CONFIG_FLAGS, td_hob, "settings \"td_hob\", 3 bytes"),
        (T::PLATFORM_CONFIG_FLAGS, [&b"etc/acpi/rsdp"[..], &[0; 43]].concat(), "etc/acpi/rsdp"),
        (T::EFI_HCRTM_EVENT, b"HCRTM".to_vec(), "HCRTM"),
        (T::EVENT_TAG, tag(0x8F3B_22EC, b"Linux initrd\0"), "Linux initrd: \"Linux initrd\""),
        (T::EVENT_TAG, aael.unwrap().to_vec(), "example.com Pull {}"),
        (T::EVENT_TAG, windows(), "Windows trust boundary: 80 bytes"),
        (T::EVENT_TAG, tag(0x1234, &[1]), "tag 0x1234: 1 bytes"),
        (T::IPL, b"grub_cmd: set x=1\0".to_vec(), "GRUB command: set x=1"),
        (T::IPL, b"grub_cmd set x=1\0".to_vec(), "GRUB command: set x=1"),
        (T::IPL, b"kernel_cmdline: /vmlinuz ro\0".to_vec(), "kernel command line: /vmlinuz ro"),
        (T::IPL, b"grub_kernel_cmdline /vmlinuz\0\0a".to_vec(), "kernel command line: /vmlinuz"),
        (T::IPL, b"module_cmdline: /xen\0".to_vec(), "module command line: /xen"),
        (T::IPL, b"MokListX\0".to_vec(), "shim variable MokListX"),
        (T::IPL, b"MokList\0j".to_vec(), "shim variable MokList"),
        (T::IPL, b"(hd0,gpt2)/grub.cfg\0".to_vec(), "file (hd0,gpt2)/grub.cfg"),
        (T::IPL, utf16(".linux\0"), "section .linux"),
        (T::IPL, utf16("root=/dev/sda1\0"), "command line: root=/dev/sda1"),
        (T::IPL, b"anything".to_vec(), "anything"),
        (T::NO_ACTION, b"StartupLocality\0\x03".to_vec(), "start-up locality 3"),
        (T::NO_ACTION, b"Spec ID Event02\0\0\0\0\0\x02\x01\0\x01\0".to_vec(), "Spec ID Event02"),
        (
            T::NO_ACTION,
            b"Spec ID Event03\0\0\0\0\0\0\x02\x69\x02\x01\0\0\0\x0c\0\x30\0\x02hi".to_vec(),
            "Spec ID Event03",
        ),
        (T::NO_ACTION, manifest(), "reference manifest 605dab50-e046-4300-abb6-3dd810dd8b23"),
        (T::NO_ACTION, tag(0xC001_0004, &tag(0x8008_0003, &[1])), "Windows trust point: 9 bytes"),
        (T::NO_ACTION, b"hello\0".to_vec(), "\"hello\""),
        (EventType(0x8401), vec![1], "01"),
        (EventType(0x8401), vec![0xAB; 20], "abababababababababababababababab... (20 bytes)"),
        (T::COMPACT_HASH, b"Some Vendor Words".to_vec(), "Some Vendor Words"),
    ]
}

#[test]
fn samples_are_shown() {
    for (event_type, data, line) in samples() {
        assert_eq!(check(event_type, &data), line);
        assert_eq!(EventData::new(event_type, &data).malformed(), None, "{line}");
    }
}

/// Cut anywhere: nothing panics, nothing is lost. Where a format says how long it is, a cut shows.
#[test]
fn samples_cut_short() {
    use EventType as T;
    for (event_type, data, line) in samples() {
        for length in 0..data.len() {
            check(event_type, &data[..length]);
            let whole_only = matches!(
                event_type,
                T::EFI_GPT_EVENT
                    | T::EFI_PLATFORM_FIRMWARE_BLOB
                    | T::EFI_PLATFORM_FIRMWARE_BLOB2
                    | T::EFI_HANDOFF_TABLES
                    | T::EFI_HANDOFF_TABLES2
                    | T::EFI_VARIABLE_DRIVER_CONFIG
                    | T::EFI_VARIABLE_AUTHORITY
                    | T::EFI_BOOT_SERVICES_APPLICATION
            );
            if whole_only {
                let cut = EventData::new(event_type, &data[..length]);
                assert!(cut.malformed().is_some(), "{line} {length}");
            }
        }
    }
}

/// Every group of 1, 2, 4 and 8 bytes set to 0, 1, and all ones: all length fields among them.
#[test]
fn samples_with_wrong_lengths() {
    for (event_type, data, _) in samples() {
        for size in [1, 2, 4, 8] {
            for at in 0..=data.len().saturating_sub(size) {
                for value in [0_u64, 1, u64::MAX, 0x7FFF] {
                    let mut wrong = data.clone();
                    let Some(place) = wrong.get_mut(at..at + size) else { continue };
                    place.copy_from_slice(&value.to_le_bytes()[..size]);
                    check(event_type, &wrong);
                }
            }
        }
    }
}

/// What a device path's nodes are shown as (UEFI 2.10, section 10.6.1.6).
#[test]
fn device_path_text() {
    let guid = Guid::SHIM_LOCK.0;
    let mac = [&[0x52, 0x54, 0, 0x12, 0x34, 0x56][..], &[0; 26], &[1]].concat();
    let ipv6 = [&[0; 15][..], &[1], &[0; 15], &[2], &[0; 4], &[6, 0, 1, 64], &[0; 16]].concat();
    for (kind, subtype, data, text) in [
        (1, 1, vec![2, 3], "Pci(0x3,0x2)".to_owned()),
        (
            1,
            3,
            [&[11, 0, 0, 0][..], &u64s(&[0x1000, 0x1FFF])].concat(),
            "MemoryMapped(0xb,0x1000,0x1fff)".into(),
        ),
        (1, 4, guid.to_vec(), "VenHw(605dab50-e046-4300-abb6-3dd810dd8b23)".into()),
        (
            1,
            4,
            [&guid[..], &[0xAB]].concat(),
            "VenHw(605dab50-e046-4300-abb6-3dd810dd8b23,ab)".into(),
        ),
        (2, 1, vec![0xD0, 0x41, 8, 0x0A, 1, 0, 0, 0], "PcieRoot(0x1)".into()),
        (2, 1, vec![0xD0, 0x41, 6, 0x0A, 0, 0, 0, 0], "Acpi(PNP0A06,0x0)".into()),
        (3, 2, vec![1, 0, 0, 0], "Scsi(0x1,0x0)".into()),
        (3, 5, vec![0x0B, 0], "USB(0xb,0x0)".into()),
        (3, 11, mac, "MAC(525400123456,0x1)".into()),
        (
            3,
            12,
            vec![10, 0, 0, 2, 10, 0, 0, 1, 0, 0, 0, 0, 17, 0, 1, 10, 0, 0, 1, 255, 255, 255, 0],
            "IPv4(10.0.0.1,UDP,Static,10.0.0.2,10.0.0.1,255.255.255.0)".into(),
        ),
        (3, 13, ipv6, "IPv6(::2,TCP,StatelessAutoConfigure,::1,0x40,::)".into()),
        (
            3,
            23,
            vec![1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 0xAB],
            "NVMe(0x1,01-02-03-04-05-06-07-AB)".into(),
        ),
        (3, 24, b"http://a/\x1b".to_vec(), r"Uri(http://a/\u{1b})".into()),
        (4, 3, guid.to_vec(), "VenMedia(605dab50-e046-4300-abb6-3dd810dd8b23)".into()),
        (4, 6, guid.to_vec(), "FvFile(605dab50-e046-4300-abb6-3dd810dd8b23)".into()),
        (4, 7, guid.to_vec(), "Fv(605dab50-e046-4300-abb6-3dd810dd8b23)".into()),
        (4, 8, [&[0; 4][..], &u64s(&[0x10, 0x20])].concat(), "Offset(0x10,0x20)".into()),
        (
            4,
            1,
            [&[1, 0, 0, 0][..], &u64s(&[63, 100]), &[0x78, 0x56, 0x34, 0x12], &[0; 12], &[1, 1]]
                .concat(),
            "HD(1,MBR,0x12345678,0x3f,0x64)".into(),
        ),
        (5, 1, [&[2, 0, 0, 0][..], b"Disk\0"].concat(), "BBS(HD,Disk,0x0)".into()),
        // Unknown, and of a length that its form does not have.
        (3, 99, vec![1, 2], "Path(3,99,0102)".into()),
        (1, 1, vec![1, 2, 3], "Path(1,1,010203)".into()),
        (9, 9, vec![], "Path(9,9,)".into()),
    ] {
        let node = node(kind, subtype, &data);
        assert_eq!(DevicePath(&node).to_string(), text);
        let two = [&node[..], &node, &END, &node].concat();
        assert_eq!(DevicePath(&two).to_string(), format!("{text}/{text},{text}"));
        let cut = [&node[..], &[1, 1, 99, 0]].concat();
        assert_eq!(DevicePath(&cut).to_string(), format!("{text}/Malformed(01016300)"));
        assert_eq!(DevicePath(&cut).sound_length(), node.len());
    }
    assert_eq!(DevicePath(&[4, 4, 3, 0]).nodes().count(), 0, "shorter than its head");
}

#[test]
fn structures_for_programs() {
    let data = variable(Guid::IMAGE_SECURITY_DATABASE, "db", &signature_lists());
    let EventData::Variable(db) = EventData::new(EventType::EFI_VARIABLE_DRIVER_CONFIG, &data)
    else {
        panic!()
    };
    assert!(db.is(Guid::IMAGE_SECURITY_DATABASE, "db") && !db.is(Guid::GLOBAL_VARIABLE, "db"));
    let Contents::Signatures(lists) = db.contents() else { panic!() };
    let kinds: Vec<_> = lists.map(|list| (list.kind, list.signatures().count())).collect();
    assert_eq!(kinds, [(Guid::CERT_X509, 1), (Guid::CERT_SHA256, 3)]);
    assert!(lists.signatures().all(|one| one.owner == Guid::MICROSOFT));

    let bytes = gpt();
    let EventData::Gpt(gpt) = EventData::new(EventType::EFI_GPT_EVENT2, &bytes) else { panic!() };
    let names: Vec<_> = gpt.partitions().map(|one| one.name.to_string()).collect();
    assert_eq!(names, ["EFI System", "root"]);

    let bytes = windows();
    let EventData::Tagged(tags) = EventData::new(EventType::EVENT_TAG, &bytes) else { panic!() };
    let boundary = tags.tags().next().unwrap();
    let inside: Vec<u32> = boundary.nested().unwrap().map(|tag| tag.number).collect();
    assert_eq!(inside, [0x0002_0007, 0x0005_0001, 0x4001_0003]);
    let flat = fields(&EventData::Tagged(tags));
    let numbers: Vec<_> = flat
        .iter()
        .filter_map(|field| match field.value {
            FieldValue::Named(number, _) => Some((field.item.unwrap(), number)),
            _ => None,
        })
        .collect();
    let expected =
        [0x4001_0001, 0x0002_0007, 0x0005_0001, 0x4001_0003, 0x0007_0001, 0x0002_0007, 0x0005_0001];
    assert!(numbers.into_iter().eq((0..).zip(expected)));

    let bytes = b"grub_cmd: a b\0".to_vec();
    let EventData::Ipl(ipl) = EventData::new(EventType::IPL, &bytes) else { panic!() };
    assert_eq!((ipl.kind, ipl.prefix.0), (IplKind::GrubCommand, &b"grub_cmd: "[..]));
    let bytes = manifest();
    let EventData::NoAction(told) = EventData::new(EventType::NO_ACTION, &bytes) else { panic!() };
    assert!(matches!(told.kind, NoActionKind::ReferenceManifest { form: 3, .. }));

    let EventData::Raw(raw) = EventData::new(EventType::EFI_GPT_EVENT, b"EFI PART") else {
        panic!()
    };
    assert_eq!(raw.reason, Reason::Truncated);
}

/// The coverage of data whose digest is made from `hashed`.
fn coverage(event_type: EventType, data: &[u8], hashed: &[u8]) -> Coverage {
    let bank = Algorithm::Sha384;
    let mut log = header_for(&[bank]);
    log.extend(event(8, event_type.0, &[bank.hash(hashed)], data));
    let event = Log::open(&log).unwrap().next().unwrap().unwrap();
    assert_eq!(event.coverage(Algorithm::Sha1), Coverage::Unknown);
    event.coverage(bank)
}

#[test]
fn ways_to_make_a_digest() {
    use EventType as T;
    let boot = variable(Guid::GLOBAL_VARIABLE, "Boot0001", &load_option());
    let old_shim = [&variable(Guid::SHIM_LOCK, "Shim", b"x")[..], &[0; 6]].concat();
    let hob = [&b"td_hob\0\0\0\0\0\0\0\0\0\0\x03\0\0\0"[..], &[1, 2, 3]].concat();
    let section = utf16(".linux\0");
    let long = utf16(&format!("{}\0", "x".repeat(200)));
    let grub = b"grub_cmd: set x=1\0";
    type Case<'a> = (T, &'a [u8], Vec<u8>, Rule, core::ops::Range<usize>);
    let cases: Vec<Case<'_>> = vec![
        (T::EFI_ACTION, b"Done", b"Done".to_vec(), Rule::Verbatim, 0..4),
        (EventType(0x8401), b"Done", b"Done".to_vec(), Rule::Verbatim, 0..4),
        (T::EFI_VARIABLE_BOOT, &boot, load_option(), Rule::VariableData, 48..boot.len()),
        (T::EFI_VARIABLE_BOOT, &boot, boot.clone(), Rule::Verbatim, 0..boot.len()),
        (
            T::EFI_VARIABLE_AUTHORITY,
            &old_shim,
            old_shim[..46].to_vec(),
            Rule::WithoutLastByte,
            0..46,
        ),
        (T::PLATFORM_CONFIG_FLAGS, &hob, vec![1, 2, 3], Rule::Payload, 20..23),
        (T::IPL, grub, b"set x=1".to_vec(), Rule::Text, 10..17),
        (T::IPL, grub, b"set x=1\0".to_vec(), Rule::TextWithNul, 10..18),
        (T::IPL, b"grub_cmd: set x=1\0z", b"set x=1".to_vec(), Rule::Text, 10..17),
        (T::IPL, b"grub_cmd: set x=1\0z", b"set x=1\0".to_vec(), Rule::TextWithNul, 10..18),
        (T::IPL, b"a\0b\0\0", b"a\0b\0\0\0".to_vec(), Rule::WithMissingByte, 0..5),
        (T::IPL, b"grub_cmd: set x=1", b"set x=1".to_vec(), Rule::Text, 10..17),
        (T::IPL, &section, b".linux\0".to_vec(), Rule::AsciiOfUtf16, 0..14),
        (T::IPL, &long, [&[b'x'; 200][..], b"\0"].concat(), Rule::AsciiOfUtf16, 0..402),
    ];
    for (event_type, data, hashed, rule, range) in cases {
        let Coverage::Covered(covered) = coverage(event_type, data, &hashed) else {
            panic!("{rule:?}")
        };
        assert_eq!((covered.rule(), covered.range()), (rule, range));
        assert_ne!(coverage(event_type, data, b"other"), Coverage::Covered(covered));
    }
    for event_type in [
        T::SEPARATOR,
        T::EFI_ACTION,
        T::EFI_GPT_EVENT,
        T::S_CRTM_VERSION,
        T::EFI_VARIABLE_DRIVER_CONFIG,
        T::EFI_VARIABLE_BOOT,
        T::EFI_VARIABLE_AUTHORITY,
    ] {
        assert_eq!(coverage(event_type, b"data", b"other"), Coverage::Unequal);
    }
    // Each rule is one of its types only.
    assert_eq!(coverage(T::EFI_VARIABLE_DRIVER_CONFIG, &boot, &load_option()), Coverage::Unequal);
    assert_eq!(coverage(T::EFI_ACTION, grub, b"set x=1"), Coverage::Unequal);
    assert_eq!(coverage(T::POST_CODE, grub, b"set x=1"), Coverage::NotCovered);
    // What is not extended, nothing covers.
    assert_eq!(coverage(T::NO_ACTION, b"data", b"data"), Coverage::NotCovered);
    // An agent's event must be of its data; other tags need not.
    let mut room = [0; 100];
    let tagged = aael::Event::new("a", "b", "c").unwrap().write_tagged(&mut room).unwrap().to_vec();
    assert_eq!(coverage(T::EVENT_TAG, &tagged, b"other"), Coverage::Unequal);
    assert_eq!(coverage(T::EVENT_TAG, &tag(1, b"x"), b"other"), Coverage::NotCovered);
    // UTF-16 beyond ASCII has no such form: `Ā` must not pass for a NUL.
    let beyond = utf16("\u{100}\0");
    assert_eq!(coverage(T::IPL, &beyond, &[0, 0]), Coverage::NotCovered);
}

/// Names in front of what is covered can be rewritten: they are not.
#[test]
fn coverage_of_fields() {
    let data = b"grub_cmd: set x=1\0";
    let covered = coverage(EventType::IPL, data, b"set x=1");
    let of: Vec<_> = fields(&EventData::new(EventType::IPL, data))
        .iter()
        .map(|field| (field.name, covered.of(field)))
        .collect();
    let expected = [
        ("prefix", FieldCoverage::NotCovered),
        ("command", FieldCoverage::Covered),
        ("terminator", FieldCoverage::NotCovered),
    ];
    assert_eq!(of, expected);
    let unequal = coverage(EventType::EFI_ACTION, b"a", b"b");
    let all = fields(&EventData::new(EventType::EFI_ACTION, b"a"));
    assert_eq!(unequal.of(&all[0]), FieldCoverage::Unequal);
}

fn any_type() -> impl Strategy<Value = EventType> {
    prop_oneof![
        8 => proptest::sample::select(EventType::KNOWN),
        1 => any::<u32>().prop_map(EventType),
    ]
}

/// Bytes that are more likely to be lengths and ends than arbitrary ones.
fn small_bytes() -> impl Strategy<Value = Vec<u8>> {
    vec(prop_oneof![Just(0_u8), 0..40_u8, b'a'..=b'z', any::<u8>()], 0..300)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_data(event_type in any_type(), data in small_bytes()) {
        check(event_type, &data);
    }

    /// Inside a sound head, arbitrary contents.
    #[test]
    fn arbitrary_contents(which in 0..8_usize, data in small_bytes()) {
        let (vendor, name) = [
            (Guid::GLOBAL_VARIABLE, "PK"),
            (Guid::GLOBAL_VARIABLE, "Boot0000"),
            (Guid::GLOBAL_VARIABLE, "BootOrder"),
            (Guid::GLOBAL_VARIABLE, "SecureBoot"),
            (Guid::IMAGE_SECURITY_DATABASE, "db"),
            (Guid::IMAGE_SECURITY_DATABASE, "dbx"),
            (Guid::SHIM_LOCK, "MokListRT"),
            (Guid::SHIM_LOCK, "SbatLevel"),
        ][which];
        let data = variable(vendor, name, &data);
        check(EventType::EFI_VARIABLE_BOOT, &data);
        check(EventType::EFI_VARIABLE_AUTHORITY, &data);
    }

    /// The coverage found is true: the part hashes to the digest. And with the digest of something else
    /// there is none.
    #[test]
    fn coverage_is_true(
        event_type in any_type(),
        data in small_bytes(),
        (from, to) in (any::<prop::sample::Index>(), any::<prop::sample::Index>()),
    ) {
        let (from, to) = (from.index(data.len() + 1), to.index(data.len() + 1));
        let hashed = &data[from.min(to)..from.max(to)];
        if let Coverage::Covered(covered) = coverage(event_type, &data, hashed)
            && !matches!(covered.rule(), Rule::AsciiOfUtf16 | Rule::WithMissingByte)
        {
            prop_assert_eq!(&data[covered.range()], hashed);
        }
        let other = coverage(event_type, &data, b"certainly none of the data");
        prop_assert!(!matches!(other, Coverage::Covered(_)));
    }
}
