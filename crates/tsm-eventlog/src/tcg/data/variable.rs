// SPDX-License-Identifier: MIT OR Apache-2.0
//! Variables of UEFI, and certificates that firmware and shim measure in the same form.

use core::fmt;

use super::field::{Field, FieldValue, Walk};
use super::guid::Guid;
use super::load_option::{self, LoadOption};
use super::part::{Part, Reason};
use super::signature_list::{self, SignatureLists};
use super::text::{RawText, Utf16Text};

/// Bytes of the structure without name and data.
const HEAD: usize = 32;

/// A variable (`UEFI_VARIABLE_DATA`, TCG PC Client Platform Firmware Profile 1.06, section 10).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Variable<'a> {
    part: Part<'a>,
    /// Whose variable it is. Two variables of one name and different vendors are different.
    pub vendor: Guid,
    /// The name.
    pub name: Utf16Text<'a>,
    /// What the variable holds.
    pub data: &'a [u8],
    /// Bytes behind the structure. Old versions of shim leave some.
    pub trailing: &'a [u8],
    is_authority: bool,
}

impl<'a> Variable<'a> {
    /// `is_authority`: whether it tells what vouched for something loaded.
    pub(in crate::tcg) fn read(part: Part<'a>, is_authority: bool) -> Result<Self, Reason> {
        let mut rest = part;
        let vendor = rest.guid()?;
        let (units, length) = (rest.u64()?, rest.u64()?);
        let name = rest.cut_u64(units.checked_mul(2).ok_or(Reason::Truncated)?)?;
        let data = rest.cut_u64(length)?;
        let (name, data) = (Utf16Text(name.bytes), data.bytes);
        Ok(Self { part, vendor, name, data, trailing: rest.bytes, is_authority })
    }

    /// Where [`data`](Self::data) stands in the event's data.
    pub(in crate::tcg) fn data_part(&self) -> Part<'a> {
        let before = HEAD.saturating_add(self.name.0.len());
        Part { bytes: self.data, offset: self.part.offset.saturating_add(before) }
    }

    /// Whether it is the variable of this vendor and name. Both count.
    #[must_use]
    pub fn is(&self, vendor: Guid, name: &str) -> bool {
        self.vendor == vendor && self.name == *name
    }

    /// What the data mean, by vendor, name and kind of event.
    #[must_use]
    pub fn contents(&self) -> Contents<'a> {
        let data = self.data;
        if self.is_authority {
            return self.authority();
        }
        match self.format() {
            Format::Order if data.len().is_multiple_of(2) => Contents::Order(LoadOrder(data)),
            Format::Option => LoadOption::read(self.data_part())
                .map_or(Contents::Bytes(data), Contents::LoadOption),
            Format::Flag => match *data {
                [] => Contents::Absent,
                [value] => Contents::Flag(value),
                _ => Contents::Bytes(data),
            },
            Format::Signatures => Contents::Signatures(SignatureLists::new(data)),
            Format::Text => Contents::Text(RawText(data)),
            Format::Order | Format::Bytes => Contents::Bytes(data),
        }
    }

    fn authority(&self) -> Contents<'a> {
        let data = self.data;
        if let Some((owner, signature)) = data.split_first_chunk()
            && (is_certificate(signature)
                || (self.vendor == Guid::IMAGE_SECURITY_DATABASE && !is_certificate(data)))
        {
            return Contents::Authority { owner: Some(Guid(*owner)), signature };
        }
        match *data {
            _ if is_certificate(data) => Contents::Authority { owner: None, signature: data },
            [] => Contents::Absent,
            [value] => Contents::Flag(value),
            _ if is_lines(data) => Contents::Text(RawText(data)),
            _ => Contents::Bytes(data),
        }
    }

    fn format(&self) -> Format {
        let is = |names: &[&str]| names.iter().any(|name| self.name == **name);
        match self.vendor {
            Guid::GLOBAL_VARIABLE if is(FLAGS) => Format::Flag,
            Guid::GLOBAL_VARIABLE if is(ORDERS) => Format::Order,
            Guid::GLOBAL_VARIABLE if is(&["PK", "KEK"]) => Format::Signatures,
            Guid::GLOBAL_VARIABLE if self.is_option() => Format::Option,
            Guid::IMAGE_SECURITY_DATABASE if is(&["db", "dbx", "dbt", "dbr"]) => Format::Signatures,
            Guid::SHIM_LOCK if is(&["MokList", "MokListX", "MokListRT", "MokListXRT"]) => {
                Format::Signatures
            }
            Guid::SHIM_LOCK if is(&["MokSBState", "MokListTrusted", "MokIgnoreDB"]) => Format::Flag,
            Guid::SHIM_LOCK if is(&["SbatLevel"]) => Format::Text,
            _ => Format::Bytes,
        }
    }

    /// Whether the name is one of a load option: a word and four hex digits.
    fn is_option(&self) -> bool {
        OPTIONS.iter().any(|word| {
            let mut units = self.name.units();
            units.by_ref().take(word.len()).eq(word.encode_utf16())
                && units.clone().count() == 4
                && units.all(|unit| u8::try_from(unit).is_ok_and(|unit| unit.is_ascii_hexdigit()))
        })
    }

    pub(super) fn fields(&self, to: &mut dyn FnMut(Field<'a>)) {
        Walk::over(self.part, to, |walk| {
            walk.guid("vendor_guid")?;
            walk.count("name_length", 8)?;
            walk.count("data_length", 8)?;
            walk.utf16("name", self.name.0.len())?;
            walk.within(self.data.len(), |walk| self.contents_fields(walk))?;
            walk.all("trailing", FieldValue::Bytes)
        });
    }

    fn contents_fields(&self, walk: &mut Walk<'_, 'a>) -> Result<(), Reason> {
        match self.contents() {
            Contents::Absent => Ok(()),
            Contents::Flag(0 | 1) => walk.field("value", 1, |data| FieldValue::Flag(data == [1])),
            Contents::Flag(_) => walk.hex("value", 1),
            Contents::Order(_) => {
                for item in 0..u32::MAX {
                    if walk.is_empty() {
                        break;
                    }
                    walk.item(Some(item));
                    walk.hex("load_option", 2)?;
                }
                Ok(())
            }
            Contents::LoadOption(_) => load_option::walk(walk),
            Contents::Signatures(_) => signature_list::walk(walk),
            Contents::Authority { owner, signature } => {
                if owner.is_some() {
                    walk.guid("signature_owner")?;
                }
                walk.bytes("signature_data", signature.len())
            }
            Contents::Text(_) => walk.all("text", |data| FieldValue::Text(RawText(data))),
            // Of a known format that it does not have.
            Contents::Bytes(_) if self.format() != Format::Bytes && !self.is_authority => {
                Err(Reason::Length)
            }
            Contents::Bytes(_) => walk.all("data", FieldValue::Bytes),
        }
    }
}

impl fmt::Display for Variable<'_> {
    /// `variable SecureBoot = 01`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.is_authority { "authority" } else { "variable" };
        write!(f, "{kind} {} = ", self.name)?;
        match self.contents() {
            Contents::Absent => f.write_str("(empty)"),
            Contents::Flag(value) => write!(f, "{value:02x}"),
            Contents::Order(order) => {
                for (place, number) in order.iter().enumerate() {
                    write!(f, "{}{number:04x}", if place > 0 { "," } else { "" })?;
                }
                Ok(())
            }
            Contents::LoadOption(option) => write!(f, "\"{}\" {}", option.description, option.path),
            Contents::Signatures(lists) => match lists.signatures().count() {
                0 if self.data.is_empty() => f.write_str("(empty)"),
                1 => f.write_str("1 signature"),
                count => write!(f, "{count} signatures"),
            },
            Contents::Authority { owner, signature } => {
                let kind = if is_certificate(signature) { "certificate" } else { "signature" };
                write!(f, "{kind} of {} bytes", signature.len())?;
                match owner {
                    Some(owner) => write!(f, ", owner {owner}"),
                    None => Ok(()),
                }
            }
            Contents::Text(text) => write!(f, "\"{text}\""),
            Contents::Bytes(bytes) => super::decode::Short(bytes).fmt(f),
        }
    }
}

/// What a variable's data mean.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Contents<'a> {
    /// Nothing: the variable is empty, or does not exist.
    Absent,
    /// A byte that says yes (1) or no (0).
    Flag(u8),
    /// Numbers of load options.
    Order(LoadOrder<'a>),
    /// A load option.
    LoadOption(LoadOption<'a>),
    /// Signature lists.
    Signatures(SignatureLists<'a>),
    /// What vouched for something that was loaded.
    Authority {
        /// Who put it into its list. Old versions of shim, and its own certificate, have none.
        owner: Option<Guid>,
        /// The certificate; a digest if that was listed.
        signature: &'a [u8],
    },
    /// Text.
    Text(RawText<'a>),
    /// Something else, or not of the format that its name promises.
    Bytes(&'a [u8]),
}

/// Numbers of load options in the order in which they are tried.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LoadOrder<'a>(&'a [u8]);

impl LoadOrder<'_> {
    /// The numbers: 1 is `Boot0001`.
    pub fn iter(&self) -> impl Iterator<Item = u16> {
        self.0.as_chunks().0.iter().map(|number| u16::from_le_bytes(*number))
    }
}

const FLAGS: &[&str] = &["SecureBoot", "SetupMode", "AuditMode", "DeployedMode", "VendorKeys"];
const ORDERS: &[&str] = &["BootOrder", "DriverOrder", "SysPrepOrder", "BootNext", "BootCurrent"];
const OPTIONS: &[&str] = &["Boot", "Driver", "SysPrep", "PlatformRecovery"];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Format {
    Flag,
    Order,
    Option,
    Signatures,
    Text,
    Bytes,
}

/// Whether the bytes are one element of DER with a length of two bytes, as certificates are, and
/// nothing else.
fn is_certificate(bytes: &[u8]) -> bool {
    match bytes {
        [0x30, 0x82, high, low, rest @ ..] => {
            rest.len() == usize::from(u16::from_be_bytes([*high, *low]))
        }
        _ => false,
    }
}

/// Whether the bytes are lines of printable ASCII.
fn is_lines(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| matches!(byte, b' '..=b'~' | b'\n' | b'\r'))
}
