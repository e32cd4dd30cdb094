// SPDX-License-Identifier: MIT OR Apache-2.0
//! CEL-TLV: type (1 byte), length (4 bytes, big endian), value. A record is its number, its register,
//! its digests and its content behind each other, a log is records behind each other.
//!
//! The specification gives integers no width. Known writers use the shortest one, 4 bytes, or 8; read
//! are 0 to 8 bytes, written the fewest, and one for 0.

use super::content::{Content, Dialect, EventLabel, Management, Managements, StateTransition};
use super::content::{Other, Value};
use super::digests::Digests;
use super::record::{Label, Record, Register};
use crate::bytes::Bytes;
use crate::error::ErrorKind;
use crate::json::once;
use crate::limits::Limits;
use crate::out::{Count, Out};
use crate::text::Text;

type Result<T> = core::result::Result<T, ErrorKind>;

const RECNUM: u8 = 0;
const PCR: u8 = 1;
const NV_INDEX: u8 = 2;
const DIGESTS: u8 = 3;
const CCMR: u8 = 108;

/// Numbers of content types (CEL 1.1, table 2); in CBOR too.
pub(super) mod types {
    pub(in crate::cel) const MANAGEMENT: u64 = 4;
    pub(in crate::cel) const PCCLIENT_STD: u64 = 5;
    pub(in crate::cel) const IMA_TEMPLATE: u64 = 7;
    pub(in crate::cel) const IMA_TLV: u64 = 8;
    pub(in crate::cel) const SYSTEMD: u64 = 9;
    pub(in crate::cel) const COS: u64 = 80;
}

/// Numbers of management events (CEL 1.1, table 3); in CBOR too.
pub(super) mod management {
    pub(in crate::cel) const VERSION: u64 = 1;
    pub(in crate::cel) const FIRMWARE_END: u64 = 2;
    pub(in crate::cel) const TIMESTAMP: u64 = 80;
    pub(in crate::cel) const STATE_TRANSITION: u64 = 81;
    pub(in crate::cel) const TIMESTAMP_HEX: u64 = 0x80;
    pub(in crate::cel) const STATE_TRANSITION_HEX: u64 = 0x81;
}

/// A type and a value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Tlv<'a> {
    pub(super) kind: u8,
    pub(super) value: &'a [u8],
}

/// TLVs behind each other.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tlvs<'a> {
    rest: &'a [u8],
}

impl<'a> Tlvs<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(super) const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    pub(super) fn read(&mut self) -> Result<Tlv<'a>> {
        let (head, rest) = self.rest.split_first_chunk::<5>().ok_or(ErrorKind::Truncated)?;
        let [kind, length @ ..] = *head;
        let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
        let (value, rest) = rest.split_at_checked(length).ok_or(ErrorKind::Truncated)?;
        self.rest = rest;
        Ok(Tlv { kind, value })
    }
}

impl<'a> Iterator for Tlvs<'a> {
    type Item = Result<Tlv<'a>>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        // Nested, it must be whole.
        let tlv = self.read().map_err(|_| ErrorKind::Encoding);
        if tlv.is_err() {
            self.rest = &[];
        }
        Some(tlv)
    }
}

fn number(value: &[u8]) -> Result<u64> {
    let mut number = [0; 8];
    let from = number.len().checked_sub(value.len()).ok_or(ErrorKind::Number)?;
    number.get_mut(from..).ok_or(ErrorKind::Number)?.copy_from_slice(value);
    Ok(u64::from_be_bytes(number))
}

fn narrow<T: TryFrom<u64>>(number: u64) -> Result<T> {
    T::try_from(number).map_err(|_| ErrorKind::Number)
}

pub(super) fn read<'a>(tlvs: &mut Tlvs<'a>, limits: &Limits) -> Result<Record<'a>> {
    let recnum = tlvs.read()?;
    if recnum.kind != RECNUM {
        return Err(ErrorKind::Encoding);
    }
    let recnum = number(recnum.value)?;
    let register = tlvs.read()?;
    let register = match register.kind {
        PCR => Register::Pcr(narrow(number(register.value)?)?),
        NV_INDEX => Register::NvIndex(narrow(number(register.value)?)?),
        CCMR => Register::CcMr(narrow(number(register.value)?)?),
        _ => return Err(ErrorKind::Encoding),
    };
    let digests = tlvs.read()?;
    if digests.kind != DIGESTS {
        return Err(ErrorKind::Encoding);
    }
    let digests = Digests::tlv(digests.value, limits)?;
    let content = tlvs.read()?;
    if content.value.len() > limits.event_bytes {
        return Err(ErrorKind::RecordTooLong);
    }
    let content = read_content(u64::from(content.kind), content.value)?;
    Ok(Record { recnum, register, digests, content })
}

fn read_content(kind: u64, value: &[u8]) -> Result<Content<'_>> {
    let raw = Bytes::raw(value);
    Ok(match kind {
        // The numbers of what stands before the content.
        0..=3 => return Err(ErrorKind::Encoding),
        types::MANAGEMENT => Content::Management(Managements::tlv(value)?),
        types::PCCLIENT_STD => {
            let [event_type, data] = pair(value)?;
            let event_type = EventLabel::Number(narrow(number(event_type)?)?);
            Content::PcClientStd { event_type, data: Bytes::raw(data) }
        }
        types::IMA_TEMPLATE => {
            let [name, data] = pair(value)?;
            let name = core::str::from_utf8(name).map_err(|_| ErrorKind::Encoding)?;
            Content::ImaTemplate { name: Text::from(name), data: Bytes::raw(data) }
        }
        types::IMA_TLV => {
            Tlvs::new(value).try_for_each(|tlv| tlv.map(drop))?;
            Content::ImaTlv(raw)
        }
        types::SYSTEMD => Content::SystemdBytes(raw),
        types::COS => Content::Cos(raw),
        _ => Content::Other(Other { content_type: Label::Number(kind), value: Value::Bytes(raw) }),
    })
}

/// The values of the types 0 and 1.
fn pair(nested: &[u8]) -> Result<[&[u8]; 2]> {
    let (mut zero, mut one) = (None, None);
    for tlv in Tlvs::new(nested) {
        let tlv = tlv?;
        match tlv.kind {
            0 => once(&mut zero, tlv.value)?,
            1 => once(&mut one, tlv.value)?,
            _ => return Err(ErrorKind::Member),
        }
    }
    Ok([zero.ok_or(ErrorKind::Member)?, one.ok_or(ErrorKind::Member)?])
}

/// A management event.
pub(super) fn read_management(tlv: Tlv<'_>) -> Result<Management<'_>> {
    let kind = u64::from(tlv.kind);
    Ok(match kind {
        management::VERSION => {
            let [major, minor] = pair(tlv.value)?;
            Management::Version { major: narrow(number(major)?)?, minor: narrow(number(minor)?)? }
        }
        management::FIRMWARE_END if tlv.value.is_empty() => Management::FirmwareEnd,
        management::FIRMWARE_END => return Err(ErrorKind::Member),
        management::TIMESTAMP | management::TIMESTAMP_HEX => {
            Management::Timestamp { time: number(tlv.value)?, dialect: Dialect::of(kind) }
        }
        management::STATE_TRANSITION | management::STATE_TRANSITION_HEX => {
            Management::StateTransition {
                transition: StateTransition::of(number(tlv.value)?),
                dialect: Dialect::of(kind),
            }
        }
        _ => Management::Other {
            kind: Label::Number(kind),
            data: Value::Bytes(Bytes::raw(tlv.value)),
        },
    })
}

pub(super) fn write(out: &mut dyn Out, record: &Record<'_>) -> Result<()> {
    put_number(out, RECNUM, record.recnum)?;
    match record.register {
        Register::Pcr(index) => put_number(out, PCR, u64::from(index))?,
        Register::NvIndex(index) => put_number(out, NV_INDEX, u64::from(index))?,
        Register::CcMr(index) => put_number(out, CCMR, u64::from(index))?,
    }
    nest(out, DIGESTS, |out| {
        record.digests.iter().try_for_each(|one| {
            let Label::Number(id) = one.algorithm else { return Err(ErrorKind::NotRepresentable) };
            let id = u8::try_from(id).map_err(|_| ErrorKind::NotRepresentable)?;
            put(out, id, one.digest)
        })
    })?;
    write_content(out, &record.content)
}

/// The content with its type and length: for some kinds, what the digests are made from.
pub(super) fn write_content(out: &mut dyn Out, content: &Content<'_>) -> Result<()> {
    let kind = content.number().ok_or(ErrorKind::NotRepresentable)?;
    let kind = u8::try_from(kind).map_err(|_| ErrorKind::NotRepresentable)?;
    match *content {
        Content::Management(events) => {
            nest(out, kind, |out| events.iter().try_for_each(|event| write_management(out, &event)))
        }
        Content::PcClientStd { event_type, data } => {
            let EventLabel::Number(number) = event_type else {
                return Err(ErrorKind::NotRepresentable);
            };
            nest(out, kind, |out| {
                put_number(out, 0, u64::from(number))?;
                put(out, 1, data)
            })
        }
        Content::ImaTemplate { name, data } => nest(out, kind, |out| {
            nest(out, 0, |out| name.feed(|piece| out.put(piece)))?;
            put(out, 1, data)
        }),
        Content::ImaTlv(bytes) | Content::SystemdBytes(bytes) | Content::Cos(bytes) => {
            put(out, kind, bytes)
        }
        Content::Systemd(_) => Err(ErrorKind::NotRepresentable),
        Content::Other(other) => put_value(out, kind, other.value),
    }
}

fn write_management(out: &mut dyn Out, event: &Management<'_>) -> Result<()> {
    let kind = event.number().ok_or(ErrorKind::NotRepresentable)?;
    let kind = u8::try_from(kind).map_err(|_| ErrorKind::NotRepresentable)?;
    match *event {
        Management::Version { major, minor } => nest(out, kind, |out| {
            put_number(out, 0, u64::from(major))?;
            put_number(out, 1, u64::from(minor))
        }),
        Management::FirmwareEnd => put(out, kind, Bytes::raw(&[])),
        Management::Timestamp { time, .. } => put_number(out, kind, time),
        Management::StateTransition { transition, .. } => {
            put_number(out, kind, transition.number())
        }
        Management::Other { data, .. } => put_value(out, kind, data),
    }
}

fn put_value(out: &mut dyn Out, kind: u8, value: Value<'_>) -> Result<()> {
    match value {
        Value::Bytes(bytes) => put(out, kind, bytes),
        Value::Cbor(_) | Value::Json(_) => Err(ErrorKind::NotRepresentable),
    }
}

fn put_number(out: &mut dyn Out, kind: u8, number: u64) -> Result<()> {
    let bytes = number.to_be_bytes();
    let zeros = bytes.iter().take(7).take_while(|&&byte| byte == 0).count();
    put(out, kind, Bytes::raw(bytes.get(zeros..).unwrap_or_default()))
}

fn put(out: &mut dyn Out, kind: u8, value: Bytes<'_>) -> Result<()> {
    put_head(out, kind, value.len())?;
    out.put_bytes(value)
}

/// Writes what `write` writes, with its length before it: it is called twice.
fn nest(out: &mut dyn Out, kind: u8, write: impl Fn(&mut dyn Out) -> Result<()>) -> Result<()> {
    let mut length = Count::default();
    write(&mut length)?;
    put_head(out, kind, length.0)?;
    write(out)
}

fn put_head(out: &mut dyn Out, kind: u8, length: usize) -> Result<()> {
    let length = u32::try_from(length).map_err(|_| ErrorKind::NotRepresentable)?;
    out.put(&[kind])?;
    out.put(&length.to_be_bytes())
}
