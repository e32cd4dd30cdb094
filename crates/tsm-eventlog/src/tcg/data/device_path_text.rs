// SPDX-License-Identifier: MIT OR Apache-2.0
//! The text form of device path nodes (UEFI 2.10, section 10.6.1.6), as EDK2 and libefivar write it.

use core::fmt;
use core::net::{Ipv4Addr, Ipv6Addr};

use tsm_core::hex::Hex;

use super::device_path::Node;
use super::guid::Guid;
use super::part::{Part, Reason};
use super::text::RawText;

impl fmt::Display for Node<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(file) = self.file() {
            return file.fmt(f);
        }
        let form = match self.kind {
            1 => self.hardware(),
            2 => self.acpi(),
            3 => self.messaging(),
            4 => self.media(),
            5 if self.subtype == 1 => self.bios(),
            _ => None,
        };
        match form {
            Some(form) => form.fmt(f),
            None => write!(f, "Path({},{},{})", self.kind, self.subtype, Hex(self.data)),
        }
    }
}

/// A node of a known form, read.
enum Form<'a> {
    /// A name and numbers in hexadecimal.
    Numbers(&'static str, [Option<u64>; 4]),
    /// A name, a GUID and data behind it.
    Guid(&'static str, Guid, &'a [u8]),
    /// Identifiers of a device in ACPI's namespace.
    Acpi {
        hid: u32,
        uid: u32,
    },
    Mac {
        address: &'a [u8],
        kind: u8,
    },
    Ipv4 {
        local: Ipv4Addr,
        remote: Ipv4Addr,
        protocol: u16,
        is_static: bool,
        more: Option<[Ipv4Addr; 2]>,
    },
    Ipv6 {
        local: Ipv6Addr,
        remote: Ipv6Addr,
        protocol: u16,
        origin: u8,
        more: Option<(u8, Ipv6Addr)>,
    },
    Nvme {
        namespace: u32,
        eui: [u8; 8],
    },
    Uri(&'a [u8]),
    /// A partition of a GPT or MBR disk.
    HardDrive {
        partition: u32,
        start: u64,
        size: u64,
        signature: [u8; 16],
        kind: u8,
    },
    Bios {
        kind: u16,
        status: u16,
        description: &'a [u8],
    },
}

impl<'a> Node<'a> {
    fn hardware(&self) -> Option<Form<'a>> {
        match (self.subtype, self.data) {
            // Text has them the other way round.
            (1, &[function, device]) => {
                let numbers = [device, function].map(|number| Some(u64::from(number)));
                let [device, function] = numbers;
                Some(Form::Numbers("Pci", [device, function, None, None]))
            }
            (2, data) => numbers("PcCard", data, &[1]),
            (3, data) => numbers("MemoryMapped", data, &[4, 8, 8]),
            (4, data) => guid("VenHw", data),
            (5, data) => numbers("Ctrl", data, &[4]),
            _ => None,
        }
    }

    fn acpi(&self) -> Option<Form<'a>> {
        let mut part = Part::whole(self.data);
        match self.subtype {
            1 => {
                let (hid, uid) = (part.u32().ok()?, part.u32().ok()?);
                exact(part, Form::Acpi { hid, uid })
            }
            3 => numbers("AcpiAdr", self.data, &[4]),
            _ => None,
        }
    }

    fn messaging(&self) -> Option<Form<'a>> {
        let mut part = Part::whole(self.data);
        match self.subtype {
            1 => numbers("Ata", self.data, &[1, 1, 2]),
            2 => numbers("Scsi", self.data, &[2, 2]),
            5 => numbers("USB", self.data, &[1, 1]),
            10 => guid("VenMsg", self.data),
            11 => mac(part).ok(),
            12 => ipv4(part).ok(),
            13 => ipv6(part).ok(),
            17 => numbers("Unit", self.data, &[1]),
            18 => numbers("Sata", self.data, &[2, 2, 2]),
            20 => numbers("Vlan", self.data, &[2]),
            23 => {
                let (namespace, eui) = (part.u32().ok()?, part.array().ok()?);
                exact(part, Form::Nvme { namespace, eui })
            }
            24 => Some(Form::Uri(self.data)),
            26 => numbers("SD", self.data, &[1]),
            29 => numbers("eMMC", self.data, &[1]),
            _ => None,
        }
    }

    fn media(&self) -> Option<Form<'a>> {
        let mut part = Part::whole(self.data);
        match self.subtype {
            1 => hard_drive(part).ok(),
            2 => numbers("CDROM", self.data, &[4, 8, 8]),
            3 => guid("VenMedia", self.data),
            5 => guid("Media", self.data),
            6 => guid("FvFile", self.data),
            7 => guid("Fv", self.data),
            // Four reserved bytes first.
            8 => numbers("Offset", part.cut(4).ok().map(|_| part.bytes)?, &[8, 8]),
            _ => None,
        }
    }

    fn bios(&self) -> Option<Form<'a>> {
        let mut part = Part::whole(self.data);
        let (kind, status) = (part.u16().ok()?, part.u16().ok()?);
        let description = part.bytes.get(..part.text_length())?;
        Some(Form::Bios { kind, status, description })
    }
}

fn exact<'a>(rest: Part<'_>, form: Form<'a>) -> Option<Form<'a>> {
    rest.bytes.is_empty().then_some(form)
}

fn mac(mut part: Part<'_>) -> Result<Form<'_>, Reason> {
    let address = part.cut(32)?.bytes;
    let kind = part.u8()?;
    // Ethernet's addresses have six bytes; of other networks nothing says how many count.
    let length = if kind <= 1 { 6 } else { 32 };
    Ok(Form::Mac { address: address.get(..length).unwrap_or(address), kind })
}

fn ipv4(mut part: Part<'_>) -> Result<Form<'_>, Reason> {
    let (local, remote) = (part.array()?.into(), part.array()?.into());
    part.cut(4)?;
    let (protocol, is_static) = (part.u16()?, part.u8()? != 0);
    // Older firmware ends here.
    let more = if part.bytes.is_empty() {
        None
    } else {
        Some([Ipv4Addr::from(part.array::<4>()?), part.array::<4>()?.into()])
    };
    Ok(Form::Ipv4 { local, remote, protocol, is_static, more })
}

fn ipv6(mut part: Part<'_>) -> Result<Form<'_>, Reason> {
    let (local, remote) = (part.array::<16>()?.into(), part.array::<16>()?.into());
    part.cut(4)?;
    let (protocol, origin) = (part.u16()?, part.u8()?);
    let more = if part.bytes.is_empty() {
        None
    } else {
        Some((part.u8()?, Ipv6Addr::from(part.array::<16>()?)))
    };
    Ok(Form::Ipv6 { local, remote, protocol, origin, more })
}

fn hard_drive(mut part: Part<'_>) -> Result<Form<'_>, Reason> {
    let (partition, start, size) = (part.u32()?, part.u64()?, part.u64()?);
    let (signature, _format, kind) = (part.array()?, part.u8()?, part.u8()?);
    Ok(Form::HardDrive { partition, start, size, signature, kind })
}

fn guid<'a>(name: &'static str, data: &'a [u8]) -> Option<Form<'a>> {
    let mut part = Part::whole(data);
    Some(Form::Guid(name, part.guid().ok()?, part.bytes))
}

/// Numbers of these sizes, and nothing behind them.
fn numbers<'a>(name: &'static str, data: &[u8], sizes: &[usize]) -> Option<Form<'a>> {
    let mut part = Part::whole(data);
    let mut values = [None; 4];
    for (value, size) in values.iter_mut().zip(sizes) {
        *value = Some(number(&mut part, *size)?);
    }
    exact(part, Form::Numbers(name, values))
}

fn number(part: &mut Part<'_>, size: usize) -> Option<u64> {
    let bytes = part.cut(size).ok()?.bytes;
    Some(bytes.iter().rev().fold(0, |number, &byte| (number << 8) | u64::from(byte)))
}

impl fmt::Display for Form<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Numbers(name, values) => {
                write!(f, "{name}(")?;
                for (place, value) in values.iter().flatten().enumerate() {
                    write!(f, "{}{value:#x}", if place > 0 { "," } else { "" })?;
                }
                f.write_str(")")
            }
            Self::Guid(name, guid, []) => write!(f, "{name}({guid})"),
            Self::Guid(name, guid, data) => write!(f, "{name}({guid},{})", Hex(data)),
            Self::Acpi { hid, uid } => acpi_text(f, hid, uid),
            Self::Mac { address, kind } => write!(f, "MAC({},{kind:#x})", Hex(address)),
            Self::Ipv4 { local, remote, protocol, is_static, more } => {
                write!(f, "IPv4({remote},{},", Protocol(protocol))?;
                write!(f, "{},{local}", if is_static { "Static" } else { "DHCP" })?;
                if let Some([gateway, mask]) = more {
                    write!(f, ",{gateway},{mask}")?;
                }
                f.write_str(")")
            }
            Self::Ipv6 { local, remote, protocol, origin, more } => {
                write!(f, "IPv6({remote},{},", Protocol(protocol))?;
                match origin {
                    0 => f.write_str("Static")?,
                    1 => f.write_str("StatelessAutoConfigure")?,
                    2 => f.write_str("StatefulAutoConfigure")?,
                    other => write!(f, "{other:#x}")?,
                }
                write!(f, ",{local}")?;
                if let Some((prefix, gateway)) = more {
                    write!(f, ",{prefix:#x},{gateway}")?;
                }
                f.write_str(")")
            }
            Self::Nvme { namespace, eui } => {
                write!(f, "NVMe({namespace:#x},")?;
                for (place, byte) in eui.iter().enumerate() {
                    write!(f, "{}{byte:02X}", if place > 0 { "-" } else { "" })?;
                }
                f.write_str(")")
            }
            Self::Uri(uri) => write!(f, "Uri({})", RawText(uri)),
            Self::HardDrive { partition, start, size, signature, kind } => {
                write!(f, "HD({partition},")?;
                match kind {
                    1 => {
                        let [a, b, c, d, ..] = signature;
                        write!(f, "MBR,{:#010x}", u32::from_le_bytes([a, b, c, d]))?;
                    }
                    2 => write!(f, "GPT,{}", Guid(signature))?,
                    other => write!(f, "{other},0")?,
                }
                write!(f, ",{start:#x},{size:#x})")
            }
            Self::Bios { kind, status, description } => {
                f.write_str("BBS(")?;
                match kind {
                    1 => f.write_str("Floppy")?,
                    2 => f.write_str("HD")?,
                    3 => f.write_str("CDROM")?,
                    4 => f.write_str("PCMCIA")?,
                    5 => f.write_str("USB")?,
                    6 => f.write_str("Network")?,
                    other => write!(f, "{other:#x}")?,
                }
                write!(f, ",{},{status:#x})", RawText(description))
            }
        }
    }
}

/// A device by its compressed EISA identifier: three letters and four digits in 32 bits.
fn acpi_text(f: &mut fmt::Formatter<'_>, hid: u32, uid: u32) -> fmt::Result {
    /// `PNP`, compressed.
    const PNP: u32 = 0x41D0;
    let number = hid >> 16;
    if hid & 0xFFFF != PNP {
        return write!(f, "Acpi({hid:#010x},{uid:#x})");
    }
    match number {
        0x0A03 => write!(f, "PciRoot({uid:#x})"),
        0x0A08 => write!(f, "PcieRoot({uid:#x})"),
        0x0604 => write!(f, "Floppy({uid:#x})"),
        0x0301 => write!(f, "Keyboard({uid:#x})"),
        0x0501 => write!(f, "Serial({uid:#x})"),
        0x0401 => write!(f, "ParallelPort({uid:#x})"),
        _ => write!(f, "Acpi(PNP{number:04X},{uid:#x})"),
    }
}

struct Protocol(u16);

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            6 => f.write_str("TCP"),
            17 => f.write_str("UDP"),
            other => write!(f, "{other:#x}"),
        }
    }
}
