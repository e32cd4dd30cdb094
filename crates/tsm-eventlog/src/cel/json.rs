// SPDX-License-Identifier: MIT OR Apache-2.0
//! CEL-JSON: a log is an array of objects (CEL 1.1, section 5.2). Members in any order, each once,
//! none that is not known. Names may be numbers, and known ones of either case, as some writers have
//! it. Bytes are hexadecimal: lower-case as it is written, either as it is read.

use super::content::{Content, Dialect, EventLabel, Management, Other, StateTransition, Value};
use super::digests::{Digests, hex};
use super::record::{Label, Record, Register};
use super::tlv::{management, types};
use crate::bytes::Bytes;
use crate::error::ErrorKind;
use crate::json::{Cursor, once, put_text};
use crate::limits::Limits;
use crate::out::Out;
use crate::systemd::Measurement;
use crate::tcg::EventType;

type Result<T> = core::result::Result<T, ErrorKind>;

const TYPES: [(u64, &str); 5] = [
    (types::MANAGEMENT, "cel"),
    (types::PCCLIENT_STD, "pcclient_std"),
    (types::IMA_TEMPLATE, "ima_template"),
    (types::IMA_TLV, "ima_tlv"),
    (types::SYSTEMD, "systemd"),
];

const MANAGEMENT: [(u64, &str); 4] = [
    (management::VERSION, "cel_version"),
    (management::FIRMWARE_END, "firmware_end"),
    (management::TIMESTAMP, "cel_timestamp"),
    (management::STATE_TRANSITION, "state_trans"),
];

fn narrow<T: TryFrom<u64>>(number: u64) -> Result<T> {
    T::try_from(number).map_err(|_| ErrorKind::Number)
}

pub(super) fn read<'a>(cursor: &mut Cursor<'a>, limits: &Limits) -> Result<Record<'a>> {
    let (mut recnum, mut register, mut digests) = (None, None, None);
    let (mut content_type, mut content) = (None, None);
    cursor.object(|cursor, name| match name {
        _ if name == "recnum" => once(&mut recnum, cursor.number()?),
        _ if name == "pcr" => once(&mut register, Register::Pcr(narrow(cursor.number()?)?)),
        _ if name == "nv_index" => {
            once(&mut register, Register::NvIndex(narrow(cursor.number()?)?))
        }
        _ if name == "ccmr" => once(&mut register, Register::CcMr(narrow(cursor.number()?)?)),
        _ if name == "digests" => once(&mut digests, Digests::json(cursor, limits)?),
        _ if name == "content_type" => once(&mut content_type, label(cursor, &TYPES)?),
        _ if name == "content" => once(&mut content, cursor.value()?),
        _ => Err(ErrorKind::Member),
    })?;
    let content = content.ok_or(ErrorKind::Member)?;
    if content.len() / 2 > limits.event_bytes {
        return Err(ErrorKind::RecordTooLong);
    }
    Ok(Record {
        recnum: recnum.ok_or(ErrorKind::Member)?,
        register: register.ok_or(ErrorKind::Member)?,
        digests: digests.ok_or(ErrorKind::Member)?,
        content: read_content(content_type.ok_or(ErrorKind::Member)?, content, limits)?,
    })
}

/// A name as a number, if it has one.
fn label<'a>(cursor: &mut Cursor<'a>, known: &[(u64, &str)]) -> Result<Label<'a>> {
    if cursor.peek()? != b'"' {
        return cursor.number().map(Label::Number);
    }
    let name = cursor.text()?;
    let known = known.iter().find(|known| name.eq_ignore_ascii_case(known.1));
    Ok(known.map_or(Label::Name(name), |known| Label::Number(known.0)))
}

fn read_content<'a>(
    content_type: Label<'a>,
    written: &'a [u8],
    limits: &Limits,
) -> Result<Content<'a>> {
    let mut cursor = Cursor::new(written);
    let number = match content_type {
        Label::Number(number) => number,
        Label::Name(_) => {
            return Ok(Content::Other(Other { content_type, value: Value::Json(written) }));
        }
    };
    let value = value(written);
    Ok(match (number, value) {
        (0..=3, _) => return Err(ErrorKind::Member),
        (types::MANAGEMENT, _) => Content::Management(read_management(&mut cursor)?.into()),
        (types::PCCLIENT_STD, _) => {
            let (mut event_type, mut data) = (None, None);
            cursor.object(|cursor, name| match name {
                _ if name == "event_type" => once(&mut event_type, read_event_type(cursor)?),
                _ if name == "event_data" => once(&mut data, hex(cursor)?),
                _ => Err(ErrorKind::Member),
            })?;
            Content::PcClientStd {
                event_type: event_type.ok_or(ErrorKind::Member)?,
                data: data.ok_or(ErrorKind::Member)?,
            }
        }
        (types::IMA_TEMPLATE, _) => {
            let (mut template, mut data) = (None, None);
            cursor.object(|cursor, name| match name {
                _ if name == "template_name" => once(&mut template, cursor.text()?),
                _ if name == "template_data" => once(&mut data, hex(cursor)?),
                _ => Err(ErrorKind::Member),
            })?;
            Content::ImaTemplate {
                name: template.ok_or(ErrorKind::Member)?,
                data: data.ok_or(ErrorKind::Member)?,
            }
        }
        (types::IMA_TLV, Value::Bytes(bytes)) => Content::ImaTlv(bytes),
        (types::SYSTEMD, Value::Bytes(bytes)) => Content::SystemdBytes(bytes),
        (types::SYSTEMD, _) if cursor.peek() == Ok(b'{') => {
            Content::Systemd(Measurement::read(&mut cursor, limits)?)
        }
        (types::COS, Value::Bytes(bytes)) => Content::Cos(bytes),
        (_, value) => Content::Other(Other { content_type, value }),
    })
}

/// A string of hexadecimal as bytes, anything else as it is.
fn value(written: &[u8]) -> Value<'_> {
    let digits = written.strip_prefix(b"\"").and_then(|inside| inside.strip_suffix(b"\""));
    digits.and_then(Bytes::hex).map_or(Value::Json(written), Value::Bytes)
}

fn read_event_type<'a>(cursor: &mut Cursor<'a>) -> Result<EventLabel<'a>> {
    if cursor.peek()? == b'"' {
        return cursor.text().map(EventLabel::from_name);
    }
    Ok(EventLabel::Number(narrow(cursor.number()?)?))
}

fn read_management<'a>(cursor: &mut Cursor<'a>) -> Result<Management<'a>> {
    let (mut kind, mut data) = (None, None);
    cursor.object(|cursor, name| match name {
        _ if name == "type" => once(&mut kind, label(cursor, &MANAGEMENT)?),
        _ if name == "data" => once(&mut data, cursor.value()?),
        _ => Err(ErrorKind::Member),
    })?;
    let kind = kind.ok_or(ErrorKind::Member)?;
    let number = match kind {
        Label::Number(number) => Some(number),
        Label::Name(_) => None,
    };
    let written = match (number, data) {
        (Some(management::FIRMWARE_END), None) => return Ok(Management::FirmwareEnd),
        (Some(management::FIRMWARE_END), Some(_)) => return Err(ErrorKind::Member),
        (_, data) => data.ok_or(ErrorKind::Member)?,
    };
    let mut data = Cursor::new(written);
    Ok(match number {
        Some(management::VERSION) => {
            let (mut major, mut minor) = (None, None);
            data.object(|cursor, name| match name {
                _ if name == "major" => once(&mut major, narrow(cursor.number()?)?),
                _ if name == "minor" => once(&mut minor, narrow(cursor.number()?)?),
                _ => Err(ErrorKind::Member),
            })?;
            Management::Version {
                major: major.ok_or(ErrorKind::Member)?,
                minor: minor.ok_or(ErrorKind::Member)?,
            }
        }
        Some(kind @ (management::TIMESTAMP | management::TIMESTAMP_HEX)) => {
            Management::Timestamp { time: data.number()?, dialect: Dialect::of(kind) }
        }
        Some(kind @ (management::STATE_TRANSITION | management::STATE_TRANSITION_HEX)) => {
            let transition = match data.peek()? {
                b'"' => StateTransition::from_name(data.text()?).ok_or(ErrorKind::Member)?,
                _ => StateTransition::of(data.number()?),
            };
            Management::StateTransition { transition, dialect: Dialect::of(kind) }
        }
        _ => Management::Other { kind, data: value(written) },
    })
}

pub(super) fn write(out: &mut dyn Out, record: &Record<'_>) -> Result<()> {
    out.put(b"{\"recnum\":")?;
    out.put_number(record.recnum)?;
    let (name, index) = match record.register {
        Register::Pcr(index) => (&b",\"pcr\":"[..], index),
        Register::NvIndex(index) => (&b",\"nv_index\":"[..], index),
        Register::CcMr(index) => (&b",\"ccmr\":"[..], index),
    };
    out.put(name)?;
    out.put_number(u64::from(index))?;
    out.put(b",\"digests\":")?;
    put_digests(out, record.digests)?;
    out.put(b",\"content_type\":")?;
    match (record.content.number(), record.content) {
        (Some(number), _) => put_label(out, number, &TYPES)?,
        (None, Content::Other(Other { content_type: Label::Name(name), .. })) => {
            put_text(out, name)?;
        }
        (None, _) => return Err(ErrorKind::NotRepresentable),
    }
    out.put(b",\"content\":")?;
    write_content(out, &record.content)?;
    out.put(b"}")
}

/// The digests of a record, as an array.
pub(crate) fn put_digests(out: &mut dyn Out, digests: Digests<'_>) -> Result<()> {
    out.put(b"[")?;
    for (index, one) in digests.iter().enumerate() {
        out.put(if index == 0 { &b"{\"hashAlg\":"[..] } else { b",{\"hashAlg\":" })?;
        match (one.name(), one.algorithm) {
            (Some(name), _) => put_text(out, name.into())?,
            (None, Label::Name(name)) => put_text(out, name)?,
            (None, Label::Number(id)) => out.put_number(id)?,
        }
        out.put(b",\"digest\":")?;
        put_hex(out, one.digest)?;
        out.put(b"}")?;
    }
    out.put(b"]")
}

fn write_content(out: &mut dyn Out, content: &Content<'_>) -> Result<()> {
    match *content {
        Content::Management(events) => {
            write_management(out, &events.one().ok_or(ErrorKind::NotRepresentable)?)
        }
        Content::PcClientStd { event_type, data } => {
            out.put(b"{\"event_type\":")?;
            match event_type {
                EventLabel::Name(name) => put_text(out, name)?,
                EventLabel::Number(number) => match EventType(number).name() {
                    Some(name) => {
                        out.put(b"\"EV_")?;
                        out.put(name.as_bytes())?;
                        out.put(b"\"")?;
                    }
                    None => out.put_number(u64::from(number))?,
                },
            }
            out.put(b",\"event_data\":")?;
            put_hex(out, data)?;
            out.put(b"}")
        }
        Content::ImaTemplate { name, data } => {
            out.put(b"{\"template_name\":")?;
            put_text(out, name)?;
            out.put(b",\"template_data\":")?;
            put_hex(out, data)?;
            out.put(b"}")
        }
        Content::ImaTlv(bytes) | Content::SystemdBytes(bytes) | Content::Cos(bytes) => {
            put_hex(out, bytes)
        }
        Content::Systemd(measurement) => measurement.write(out),
        Content::Other(other) => put_value(out, other.value),
    }
}

fn write_management(out: &mut dyn Out, event: &Management<'_>) -> Result<()> {
    out.put(b"{\"type\":")?;
    match (event.number(), event) {
        (Some(number), _) => put_label(out, number, &MANAGEMENT)?,
        (None, Management::Other { kind: Label::Name(name), .. }) => put_text(out, *name)?,
        (None, _) => return Err(ErrorKind::NotRepresentable),
    }
    if *event != Management::FirmwareEnd {
        out.put(b",\"data\":")?;
    }
    match *event {
        Management::FirmwareEnd => {}
        Management::Version { major, minor } => {
            out.put(b"{\"major\":")?;
            out.put_number(u64::from(major))?;
            out.put(b",\"minor\":")?;
            out.put_number(u64::from(minor))?;
            out.put(b"}")?;
        }
        Management::Timestamp { time, .. } => out.put_number(time)?,
        Management::StateTransition { transition, .. } => match transition.name() {
            Some(name) => put_text(out, name.into())?,
            None => out.put_number(transition.number())?,
        },
        Management::Other { data, .. } => put_value(out, data)?,
    }
    out.put(b"}")
}

fn put_label(out: &mut dyn Out, number: u64, known: &[(u64, &str)]) -> Result<()> {
    match known.iter().find(|known| known.0 == number) {
        Some(known) => put_text(out, known.1.into()),
        None => out.put_number(number),
    }
}

fn put_value(out: &mut dyn Out, value: Value<'_>) -> Result<()> {
    match value {
        Value::Bytes(bytes) => put_hex(out, bytes),
        Value::Json(written) => out.put(written),
        Value::Cbor(_) => Err(ErrorKind::NotRepresentable),
    }
}

fn put_hex(out: &mut dyn Out, bytes: Bytes<'_>) -> Result<()> {
    out.put(b"\"")?;
    out.put_hex(bytes)?;
    out.put(b"\"")
}
