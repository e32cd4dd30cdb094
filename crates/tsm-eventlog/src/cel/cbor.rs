// SPDX-License-Identifier: MIT OR Apache-2.0
//! CEL-CBOR: a log is an array of maps (CEL 1.1, section 5.2), or maps behind each other (a CBOR
//! sequence, RFC 8742).
//!
//! Five kinds of items of definite length are all there is, so they are read here: `minicbor` does not
//! check that an encoding is deterministic, and without an allocator does not pass over all items.
//! Deterministic encoding (RFC 8949, section 4.2.1) is what the specification asks for: longer
//! integers than need be, and indefinite lengths, are refused. The order of members is free when
//! reading. Keys: see the reader below; those of registers beyond the specification's, and content
//! that is not known, are in [`super`].

use core::str;

use super::content::{Content, Dialect, EventLabel, Management, Other, StateTransition, Value};
use super::digests::Digests;
use super::record::{Label, Record, Register};
use super::tlv::{management, types};
use crate::bytes::Bytes;
use crate::error::ErrorKind;
use crate::json::once;
use crate::limits::Limits;
use crate::out::Out;
use crate::text::Text;

type Result<T> = core::result::Result<T, ErrorKind>;

/// How deep an item that is passed over may nest.
const DEPTH: usize = 8;

const RECNUM: u64 = 0;
const PCR: u64 = 1;
const NV_INDEX: u64 = 2;
const DIGESTS: u64 = 3;
const CONTENT_TYPE: u64 = 9;
const CONTENT: u64 = 10;
const CCMR: u64 = 108;

/// Major types.
const UNSIGNED: u8 = 0;
const BYTES: u8 = 2;
const TEXT: u8 = 3;
const ARRAY: u8 = 4;
const MAP: u8 = 5;

/// Items behind each other.
#[derive(Clone, Copy, Debug)]
pub(super) struct Items<'a> {
    rest: &'a [u8],
}

impl<'a> Items<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(super) const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    pub(super) const fn is_at_end(&self) -> bool {
        self.rest.is_empty()
    }

    pub(super) fn number(&mut self) -> Result<u64> {
        self.head_of(UNSIGNED)
    }

    pub(super) fn bytes(&mut self) -> Result<&'a [u8]> {
        let length = self.head_of(BYTES)?;
        self.split(length)
    }

    pub(super) fn array(&mut self) -> Result<u64> {
        self.head_of(ARRAY)
    }

    /// Reads a map whose keys are numbers, handing each to `member`, which must read the value.
    pub(super) fn map(
        &mut self,
        mut member: impl FnMut(&mut Self, u64) -> Result<()>,
    ) -> Result<()> {
        for _ in 0..self.head_of(MAP)? {
            let key = self.number()?;
            member(self, key)?;
        }
        Ok(())
    }

    fn text(&mut self) -> Result<Text<'a>> {
        let length = self.head_of(TEXT)?;
        let text = str::from_utf8(self.split(length)?).map_err(|_| ErrorKind::Encoding)?;
        Ok(Text::from(text))
    }

    /// Passes over an item of any kind and gives it as it is written.
    fn item(&mut self) -> Result<&'a [u8]> {
        let before = self.rest;
        // Items that are still to come on each level.
        let mut levels = [0_u64; DEPTH];
        let mut depth = 0_usize;
        loop {
            let (major, argument) = self.head()?;
            let inner = match major {
                BYTES => {
                    self.split(argument)?;
                    0
                }
                TEXT => {
                    str::from_utf8(self.split(argument)?).map_err(|_| ErrorKind::Encoding)?;
                    0
                }
                ARRAY => argument,
                MAP => argument.checked_mul(2).ok_or(ErrorKind::Truncated)?,
                // A tag stands before one item.
                6 => 1,
                _ => 0,
            };
            if inner > 0 {
                *levels.get_mut(depth).ok_or(ErrorKind::Nesting)? = inner;
                depth = depth.saturating_add(1);
                continue;
            }
            // An item is complete, and with it each level whose last it was.
            loop {
                let Some(outer) = depth.checked_sub(1) else {
                    let length = before.len().saturating_sub(self.rest.len());
                    return Ok(before.get(..length).unwrap_or_default());
                };
                let level = levels.get_mut(outer).ok_or(ErrorKind::Nesting)?;
                *level = level.saturating_sub(1);
                if *level > 0 {
                    break;
                }
                depth = outer;
            }
        }
    }

    fn major(&self) -> Option<u8> {
        self.rest.first().map(|first| first >> 5)
    }

    /// The argument of an item of this major type.
    fn head_of(&mut self, major: u8) -> Result<u64> {
        match self.head()? {
            (found, argument) if found == major => Ok(argument),
            _ => Err(ErrorKind::Member),
        }
    }

    /// Major type and argument, in the shortest form.
    fn head(&mut self) -> Result<(u8, u64)> {
        let (&first, rest) = self.rest.split_first().ok_or(ErrorKind::Truncated)?;
        let (width, least) = match first & 0x1F {
            direct @ 0..24 => {
                self.rest = rest;
                return Ok((first >> 5, u64::from(direct)));
            }
            24 => (1, 24),
            25 => (2, 1 << 8),
            26 => (4, 1 << 16),
            27 => (8, 1 << 32),
            // Reserved, or of indefinite length.
            _ => return Err(ErrorKind::Encoding),
        };
        let (bytes, rest) = rest.split_at_checked(width).ok_or(ErrorKind::Truncated)?;
        let argument = bytes.iter().fold(0, |sum: u64, &byte| sum << 8 | u64::from(byte));
        self.rest = rest;
        let major = first >> 5;
        // Floating-point numbers have no shorter form here; simple values have theirs.
        let is_short = if major == 7 { width == 1 && argument < 32 } else { argument < least };
        if is_short { Err(ErrorKind::Encoding) } else { Ok((major, argument)) }
    }

    fn split(&mut self, length: u64) -> Result<&'a [u8]> {
        let length = usize::try_from(length).map_err(|_| ErrorKind::Truncated)?;
        let (front, rest) = self.rest.split_at_checked(length).ok_or(ErrorKind::Truncated)?;
        self.rest = rest;
        Ok(front)
    }
}

fn narrow<T: TryFrom<u64>>(number: u64) -> Result<T> {
    T::try_from(number).map_err(|_| ErrorKind::Number)
}

pub(super) fn read<'a>(items: &mut Items<'a>, limits: &Limits) -> Result<Record<'a>> {
    let (mut recnum, mut register, mut digests) = (None, None, None);
    let (mut content_type, mut content) = (None, None);
    items.map(|items, key| match key {
        RECNUM => once(&mut recnum, items.number()?),
        PCR => once(&mut register, Register::Pcr(narrow(items.number()?)?)),
        NV_INDEX => once(&mut register, Register::NvIndex(narrow(items.number()?)?)),
        CCMR => once(&mut register, Register::CcMr(narrow(items.number()?)?)),
        DIGESTS => {
            let count = items.array()?;
            if count > u64::try_from(limits.digests).unwrap_or(u64::MAX) {
                return Err(ErrorKind::DigestList);
            }
            let before = items.rest;
            for _ in 0..count {
                items.item()?;
            }
            let length = before.len().saturating_sub(items.rest.len());
            let maps = before.get(..length).unwrap_or_default();
            once(&mut digests, Digests::cbor(maps, limits)?)
        }
        CONTENT_TYPE => once(&mut content_type, items.number()?),
        CONTENT => once(&mut content, items.item()?),
        _ => Err(ErrorKind::Member),
    })?;
    let content = content.ok_or(ErrorKind::Member)?;
    if content.len() > limits.event_bytes {
        return Err(ErrorKind::RecordTooLong);
    }
    Ok(Record {
        recnum: recnum.ok_or(ErrorKind::Member)?,
        register: register.ok_or(ErrorKind::Member)?,
        digests: digests.ok_or(ErrorKind::Member)?,
        content: read_content(content_type.ok_or(ErrorKind::Member)?, content)?,
    })
}

fn read_content(kind: u64, item: &[u8]) -> Result<Content<'_>> {
    let mut items = Items::new(item);
    let bytes = match items.major() {
        Some(BYTES) => Some(Bytes::raw(Items::new(item).bytes()?)),
        _ => None,
    };
    Ok(match (kind, bytes) {
        // The numbers of what stands before the content, in TLV.
        (0..=3, _) => return Err(ErrorKind::Member),
        (types::MANAGEMENT, _) => Content::Management(read_management(&mut items)?.into()),
        (types::PCCLIENT_STD, _) => {
            let (mut event_type, mut data) = (None, None);
            items.map(|items, key| match key {
                0 if items.major() == Some(TEXT) => {
                    once(&mut event_type, EventLabel::from_name(items.text()?))
                }
                0 => once(&mut event_type, EventLabel::Number(narrow(items.number()?)?)),
                1 => once(&mut data, Bytes::raw(items.bytes()?)),
                _ => Err(ErrorKind::Member),
            })?;
            Content::PcClientStd {
                event_type: event_type.ok_or(ErrorKind::Member)?,
                data: data.ok_or(ErrorKind::Member)?,
            }
        }
        (types::IMA_TEMPLATE, _) => {
            let (mut name, mut data) = (None, None);
            items.map(|items, key| match key {
                0 => once(&mut name, items.text()?),
                1 => once(&mut data, Bytes::raw(items.bytes()?)),
                _ => Err(ErrorKind::Member),
            })?;
            Content::ImaTemplate {
                name: name.ok_or(ErrorKind::Member)?,
                data: data.ok_or(ErrorKind::Member)?,
            }
        }
        (types::IMA_TLV, Some(bytes)) => Content::ImaTlv(bytes),
        (types::SYSTEMD, Some(bytes)) => Content::SystemdBytes(bytes),
        (types::COS, Some(bytes)) => Content::Cos(bytes),
        (_, bytes) => Content::Other(Other {
            content_type: Label::Number(kind),
            value: bytes.map_or(Value::Cbor(item), Value::Bytes),
        }),
    })
}

fn read_management<'a>(items: &mut Items<'a>) -> Result<Management<'a>> {
    let (mut kind, mut data) = (None, None);
    items.map(|items, key| match key {
        0 => once(&mut kind, items.number()?),
        1 => once(&mut data, items.item()?),
        _ => Err(ErrorKind::Member),
    })?;
    let kind = kind.ok_or(ErrorKind::Member)?;
    let mut data = match (kind, data) {
        (management::FIRMWARE_END, None) => return Ok(Management::FirmwareEnd),
        (management::FIRMWARE_END, Some(_)) => return Err(ErrorKind::Member),
        (_, data) => Items::new(data.ok_or(ErrorKind::Member)?),
    };
    Ok(match kind {
        management::VERSION => {
            let (mut major, mut minor) = (None, None);
            data.map(|items, key| match key {
                0 => once(&mut major, narrow(items.number()?)?),
                1 => once(&mut minor, narrow(items.number()?)?),
                _ => Err(ErrorKind::Member),
            })?;
            Management::Version {
                major: major.ok_or(ErrorKind::Member)?,
                minor: minor.ok_or(ErrorKind::Member)?,
            }
        }
        management::TIMESTAMP | management::TIMESTAMP_HEX => {
            Management::Timestamp { time: data.number()?, dialect: Dialect::of(kind) }
        }
        management::STATE_TRANSITION | management::STATE_TRANSITION_HEX => {
            Management::StateTransition {
                transition: StateTransition::of(data.number()?),
                dialect: Dialect::of(kind),
            }
        }
        _ => {
            let value = match data.major() {
                Some(BYTES) => Value::Bytes(Bytes::raw(data.bytes()?)),
                _ => Value::Cbor(data.rest),
            };
            Management::Other { kind: Label::Number(kind), data: value }
        }
    })
}

pub(super) fn write(out: &mut dyn Out, record: &Record<'_>) -> Result<()> {
    put_head(out, MAP, 5)?;
    put_pair(out, RECNUM, record.recnum)?;
    match record.register {
        Register::Pcr(index) => put_pair(out, PCR, u64::from(index))?,
        Register::NvIndex(index) => put_pair(out, NV_INDEX, u64::from(index))?,
        // In ascending order, as deterministic encoding has it: at the end.
        Register::CcMr(_) => {}
    }
    put_head(out, UNSIGNED, DIGESTS)?;
    put_head(out, ARRAY, u64::try_from(record.digests.iter().count()).unwrap_or(u64::MAX))?;
    for one in record.digests {
        let Label::Number(id) = one.algorithm else { return Err(ErrorKind::NotRepresentable) };
        put_head(out, MAP, 2)?;
        put_pair(out, 0, id)?;
        put_head(out, UNSIGNED, 1)?;
        put_bytes(out, one.digest)?;
    }
    let content_type = record.content.number().ok_or(ErrorKind::NotRepresentable)?;
    put_pair(out, CONTENT_TYPE, content_type)?;
    put_head(out, UNSIGNED, CONTENT)?;
    write_content(out, &record.content)?;
    match record.register {
        Register::CcMr(index) => put_pair(out, CCMR, u64::from(index)),
        Register::Pcr(_) | Register::NvIndex(_) => Ok(()),
    }
}

fn write_content(out: &mut dyn Out, content: &Content<'_>) -> Result<()> {
    match *content {
        Content::Management(events) => {
            write_management(out, &events.one().ok_or(ErrorKind::NotRepresentable)?)
        }
        Content::PcClientStd { event_type, data } => {
            put_head(out, MAP, 2)?;
            match event_type {
                EventLabel::Number(number) => put_pair(out, 0, u64::from(number))?,
                EventLabel::Name(name) => {
                    put_head(out, UNSIGNED, 0)?;
                    put_text(out, name)?;
                }
            }
            put_head(out, UNSIGNED, 1)?;
            put_bytes(out, data)
        }
        Content::ImaTemplate { name, data } => {
            put_head(out, MAP, 2)?;
            put_head(out, UNSIGNED, 0)?;
            put_text(out, name)?;
            put_head(out, UNSIGNED, 1)?;
            put_bytes(out, data)
        }
        Content::ImaTlv(bytes) | Content::SystemdBytes(bytes) | Content::Cos(bytes) => {
            put_bytes(out, bytes)
        }
        Content::Systemd(_) => Err(ErrorKind::NotRepresentable),
        Content::Other(other) => put_value(out, other.value),
    }
}

fn write_management(out: &mut dyn Out, event: &Management<'_>) -> Result<()> {
    let kind = event.number().ok_or(ErrorKind::NotRepresentable)?;
    let members = if *event == Management::FirmwareEnd { 1 } else { 2 };
    put_head(out, MAP, members)?;
    put_pair(out, 0, kind)?;
    if members == 1 {
        return Ok(());
    }
    put_head(out, UNSIGNED, 1)?;
    match *event {
        Management::FirmwareEnd => Ok(()),
        Management::Version { major, minor } => {
            put_head(out, MAP, 2)?;
            put_pair(out, 0, u64::from(major))?;
            put_pair(out, 1, u64::from(minor))
        }
        Management::Timestamp { time, .. } => put_head(out, UNSIGNED, time),
        Management::StateTransition { transition, .. } => {
            put_head(out, UNSIGNED, transition.number())
        }
        Management::Other { data, .. } => put_value(out, data),
    }
}

fn put_value(out: &mut dyn Out, value: Value<'_>) -> Result<()> {
    match value {
        Value::Bytes(bytes) => put_bytes(out, bytes),
        Value::Cbor(item) => out.put(item),
        Value::Json(_) => Err(ErrorKind::NotRepresentable),
    }
}

fn put_bytes(out: &mut dyn Out, bytes: Bytes<'_>) -> Result<()> {
    put_head(out, BYTES, u64::try_from(bytes.len()).unwrap_or(u64::MAX))?;
    out.put_bytes(bytes)
}

fn put_text(out: &mut dyn Out, text: Text<'_>) -> Result<()> {
    let length = match text.as_str() {
        Some(text) => text.len(),
        None => text.chars().map(char::len_utf8).fold(0, usize::saturating_add),
    };
    put_head(out, TEXT, u64::try_from(length).unwrap_or(u64::MAX))?;
    text.feed(|piece| out.put(piece))
}

fn put_pair(out: &mut dyn Out, key: u64, value: u64) -> Result<()> {
    put_head(out, UNSIGNED, key)?;
    put_head(out, UNSIGNED, value)
}

/// The head of an array of this many records.
pub(super) fn put_array(out: &mut dyn Out, count: u64) -> Result<()> {
    put_head(out, ARRAY, count)
}

fn put_head(out: &mut dyn Out, major: u8, argument: u64) -> Result<()> {
    let major = major << 5;
    let bytes = argument.to_be_bytes();
    let (short, width) = match argument {
        0..24 => return out.put(&[major | u8::try_from(argument).unwrap_or_default()]),
        24..0x100 => (24, 1_usize),
        0x100..0x1_0000 => (25, 2),
        0x1_0000..0x1_0000_0000 => (26, 4),
        _ => (27, 8),
    };
    out.put(&[major | short])?;
    out.put(bytes.get(bytes.len().saturating_sub(width)..).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::out::Room;

    /// RFC 8949, appendix A.
    #[test]
    fn heads() {
        let cases: [(u64, &[u8]); 8] = [
            (0, &[0]),
            (23, &[0x17]),
            (24, &[0x18, 24]),
            (100, &[0x18, 100]),
            (1000, &[0x19, 3, 0xE8]),
            (1_000_000, &[0x1A, 0, 0x0F, 0x42, 0x40]),
            (1_000_000_000_000, &[0x1B, 0, 0, 0, 0xE8, 0xD4, 0xA5, 0x10, 0]),
            (u64::MAX, &[0x1B, 255, 255, 255, 255, 255, 255, 255, 255]),
        ];
        for (number, written) in cases {
            let mut buffer = [0; 9];
            let mut room = Room::new(&mut buffer);
            put_head(&mut room, UNSIGNED, number).unwrap();
            assert_eq!(room.written(), written);
            assert_eq!(Items::new(written).number(), Ok(number));
        }
        for long in [&[0x18, 23][..], &[0x19, 0, 255], &[0x1A, 0, 0, 255, 255], &[0x1F], &[0x1C]] {
            assert_eq!(Items::new(long).number(), Err(ErrorKind::Encoding));
        }
    }

    #[test]
    fn items_are_passed_over() {
        for good in [
            &[0x20][..],
            &[0x80],
            &[0xA0],
            &[0x82, 0xA1, 1, 0x81, 0, 0x41, 7],
            &[0xC1, 0x1A, 0x51, 0x4B, 0x67, 0xB0],
            &[0xF9, 0x7C, 0],
            &[0xF4],
            &[0xF8, 0xFF],
            &[0xFB, 0, 0, 0, 0, 0, 0, 0, 0],
            &[0x63, 0xE6, 0xB0, 0xB4],
            &[0x81, 0x81, 0x81, 0x81, 0x81, 0x81, 0x81, 0x81, 0],
        ] {
            let mut items = Items::new(good);
            assert_eq!(items.item(), Ok(good));
            assert!(items.is_at_end());
            for cut in 0..good.len() {
                assert_eq!(Items::new(&good[..cut]).item(), Err(ErrorKind::Truncated));
            }
        }
        assert_eq!(Items::new(&[0x81; 20]).item(), Err(ErrorKind::Nesting));
        assert_eq!(Items::new(&[0xC1; 20]).item(), Err(ErrorKind::Nesting));
        assert_eq!(Items::new(&[0x61, 0xFF]).item(), Err(ErrorKind::Encoding));
        assert_eq!(Items::new(&[0x9F, 0xFF]).item(), Err(ErrorKind::Encoding));
        let huge = [0xBB, 255, 255, 255, 255, 255, 255, 255, 255, 0];
        assert_eq!(Items::new(&huge).item(), Err(ErrorKind::Truncated));
    }
}
