// SPDX-License-Identifier: MIT OR Apache-2.0
//! systemd's log of what it measures in user space: `/run/log/systemd/tpm2-measure.log`, and
//! `cc-measure.log` of confidential VMs.
//!
//! A sequence of JSON texts (RFC 7464), each with a register, digests and a [`Measurement`]. Not a
//! canonical event log, though much like one: records have no number, and stand behind each other.
//! [`Log`] reads them, [`cel::Replay`](crate::cel::Replay) replays them.
//!
//! # What to know before relying on a log
//!
//! - While systemd writes, and for ever if that is interrupted, the file has its sticky bit set: then
//!   the log is not trustworthy.
//! - A record has digests of the banks that were extended; not all banks need be.
//! - The digest is that of the string before it was escaped and cut, if it is not a keyed one:
//!   [`UntrustedMeasurement::check`]. No digest covers boot id, time and event type.
//!
//! Sources: systemd 257 `src/shared/tpm2-util.c` as seen in a log of known PCRs; newer members
//! (`nv_index`, `nvIndexName`, `rtmr`, `mapped_pcr`) from the source of later versions alone.

use core::iter::FusedIterator;

use tsm_core::{Algorithm, Digest};

use crate::bytes::find;
use crate::cel::{Check, Content, Digests, Effect, Record, Register, ReplayedSeal};
use crate::error::{Error, ErrorKind, Position};
use crate::json::{Cursor, once};
use crate::limits::Limits;
use crate::out::{Out, Room, hash};
use crate::registers::RtmrIndex;
use crate::text::Text;

/// Stands before each record (RFC 7464).
pub(crate) const RECORD_SEPARATOR: u8 = 0x1E;

/// The records of a log. Ends after an error.
#[derive(Clone, Debug)]
pub struct Log<'a> {
    rest: &'a [u8],
    limits: Limits,
    position: Position,
}

impl<'a> Log<'a> {
    /// A log, from its beginning.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        let position = Position { offset: 0, record: 0, line: 1 };
        Self { rest: bytes, limits: Limits::DEFAULT, position }
    }

    /// With other limits: [`Limits::record_bytes`] and [`Limits::digests`].
    #[must_use]
    pub const fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Where the next record begins.
    #[must_use]
    pub const fn next_position(&self) -> Position {
        self.position
    }

    fn read(&mut self) -> Result<UntrustedMeasurement<'a>, ErrorKind> {
        let Some((&RECORD_SEPARATOR, rest)) = self.rest.split_first() else {
            return Err(ErrorKind::Encoding);
        };
        let (text, rest) = match find(RECORD_SEPARATOR, rest) {
            Some(end) => rest.split_at_checked(end).ok_or(ErrorKind::Truncated)?,
            None => (rest, &[][..]),
        };
        if text.last() != Some(&b'\n') {
            return Err(ErrorKind::Truncated);
        }
        if text.len() > self.limits.record_bytes {
            return Err(ErrorKind::RecordTooLong);
        }
        let mut cursor = Cursor::new(text);
        let mut record = read(&mut cursor, &self.limits).map_err(|kind| match kind {
            // The text is whole.
            ErrorKind::Truncated => ErrorKind::Encoding,
            kind => kind,
        })?;
        if !cursor.is_at_end() {
            return Err(ErrorKind::Encoding);
        }
        let lines = text.iter().filter(|&&byte| byte == b'\n').count();
        let number = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        record.position = self.position;
        record.end = self.position.after(number(text.len()).saturating_add(1), number(lines));
        self.rest = rest;
        self.position = record.end;
        Ok(record)
    }
}

impl<'a> Iterator for Log<'a> {
    type Item = Result<UntrustedMeasurement<'a>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let read = self.read().map_err(|kind| Error::new(kind, self.position));
        if read.is_err() {
            self.rest = &[];
        }
        Some(read)
    }
}

impl FusedIterator for Log<'_> {}

fn read<'a>(
    cursor: &mut Cursor<'a>,
    limits: &Limits,
) -> Result<UntrustedMeasurement<'a>, ErrorKind> {
    let (mut register, mut mapped_pcr, mut digests) = (None, None, None);
    let (mut content_type, mut measurement) = (None, None);
    let number =
        |cursor: &mut Cursor<'a>| u32::try_from(cursor.number()?).map_err(|_| ErrorKind::Number);
    // No unknown member is passed over here: it might name another register.
    cursor.object(|cursor, name| match name {
        _ if name == "pcr" => once(&mut register, Register::Pcr(number(cursor)?)),
        _ if name == "nv_index" => once(&mut register, Register::NvIndex(number(cursor)?)),
        _ if name == "rtmr" => {
            let rtmr = RtmrIndex::new(number(cursor)?).ok_or(ErrorKind::Number)?;
            once(&mut register, Register::CcMr(rtmr.cc_mr().number()))
        }
        _ if name == "mapped_pcr" => once(&mut mapped_pcr, number(cursor)?),
        _ if name == "digests" => once(&mut digests, Digests::json(cursor, limits)?),
        _ if name == "content_type" => once(&mut content_type, cursor.text()?),
        _ if name == "content" => once(&mut measurement, Measurement::read(cursor, limits)?),
        _ => Err(ErrorKind::Member),
    })?;
    if content_type.ok_or(ErrorKind::Member)? != "systemd" {
        return Err(ErrorKind::Member);
    }
    Ok(UntrustedMeasurement {
        register: register.ok_or(ErrorKind::Member)?,
        mapped_pcr,
        digests: digests.ok_or(ErrorKind::Member)?,
        measurement: measurement.ok_or(ErrorKind::Member)?,
        position: Position::START,
        end: Position::START,
    })
}

/// A record as a log has it. Anybody who can alter the log can alter what it says.
#[derive(Clone, Copy, Debug)]
pub struct UntrustedMeasurement<'a> {
    register: Register,
    mapped_pcr: Option<u32>,
    digests: Digests<'a>,
    measurement: Measurement<'a>,
    position: Position,
    end: Position,
}

impl<'a> UntrustedMeasurement<'a> {
    /// The register; for a TD's RTMR the CC measurement register, one more.
    #[must_use]
    pub const fn register(&self) -> Register {
        self.register
    }

    /// The PCR that would have been extended on a TPM, if the register is an RTMR.
    #[must_use]
    pub const fn mapped_pcr(&self) -> Option<u32> {
        self.mapped_pcr
    }

    /// What the register's banks were extended with.
    #[must_use]
    pub const fn digests(&self) -> Digests<'a> {
        self.digests
    }

    /// What was measured.
    #[must_use]
    pub const fn measurement(&self) -> &Measurement<'a> {
        &self.measurement
    }

    /// Compares the digest of an algorithm with the string. [`Check::Unknown`], not wrong, if the
    /// string was cut or the digest may be a keyed one.
    #[must_use]
    pub fn check(&self, algorithm: Algorithm) -> Check {
        self.to_record(0).check(algorithm)
    }

    /// The record with a number, for a canonical event log in JSON.
    #[must_use]
    pub const fn to_record(&self, recnum: u64) -> Record<'a> {
        Record {
            recnum,
            register: self.register,
            digests: self.digests,
            content: Content::Systemd(self.measurement),
        }
    }

    /// Where it begins.
    #[must_use]
    pub const fn position(&self) -> Position {
        self.position
    }

    /// Where the next begins.
    #[must_use]
    pub const fn end(&self) -> Position {
        self.end
    }
}

impl ReplayedSeal for UntrustedMeasurement<'_> {
    fn position(&self) -> Position {
        self.position
    }

    fn register(&self) -> Register {
        self.register
    }

    fn effect(&self, banks: &[Option<Algorithm>; Algorithm::MAX]) -> Effect {
        Effect::Extends(banks.map(|bank| bank.and_then(|bank| self.digests.digest(bank))))
    }
}

/// What systemd measured: the content of its records, also in canonical event logs.
#[derive(Clone, Copy, Debug)]
pub struct Measurement<'a> {
    written: &'a [u8],
    string: Option<Text<'a>>,
    boot_id: Option<Text<'a>>,
    timestamp: Option<u64>,
    event_type: Option<Text<'a>>,
    nv_index_name: Option<Text<'a>>,
}

/// Longest escaped string that is not cut.
const LONGEST: usize = 1024;

impl<'a> Measurement<'a> {
    /// Members that are not known are passed over.
    pub(crate) fn read(cursor: &mut Cursor<'a>, limits: &Limits) -> Result<Self, ErrorKind> {
        let mut inside = *cursor;
        let written = cursor.value()?;
        if written.len() > limits.event_bytes {
            return Err(ErrorKind::RecordTooLong);
        }
        let (mut string, mut boot_id, mut timestamp) = (None, None, None);
        let (mut event_type, mut nv_index_name) = (None, None);
        inside.object(|cursor, name| match name {
            _ if name == "string" => once(&mut string, cursor.text()?),
            _ if name == "bootId" => once(&mut boot_id, cursor.text()?),
            _ if name == "timestamp" => once(&mut timestamp, cursor.number()?),
            _ if name == "eventType" => once(&mut event_type, cursor.text()?),
            _ if name == "nvIndexName" => once(&mut nv_index_name, cursor.text()?),
            _ => cursor.value().map(drop),
        })?;
        Ok(Self { written, string, boot_id, timestamp, event_type, nv_index_name })
    }

    /// As it was found.
    pub(crate) fn write(&self, out: &mut dyn Out) -> Result<(), ErrorKind> {
        out.put(self.written)
    }

    /// What was measured, escaped as in C, and cut if it was long ([`is_cut`](Self::is_cut)).
    #[must_use]
    pub const fn string(&self) -> Option<Text<'a>> {
        self.string
    }

    /// The boot's id, 32 hex digits.
    #[must_use]
    pub const fn boot_id(&self) -> Option<Text<'a>> {
        self.boot_id
    }

    /// Microseconds since the machine was booted.
    #[must_use]
    pub const fn timestamp(&self) -> Option<u64> {
        self.timestamp
    }

    /// `phase`, `filesystem`, `volume-key`, `machine-id`, `product-id`, `keyslot`, `nvpcr-init`,
    /// `nvpcr-separator`, `dm-verity`, `imds-userdata`, `os-separator`, `login`, or another.
    #[must_use]
    pub const fn event_type(&self) -> Option<Text<'a>> {
        self.event_type
    }

    /// The name of the NV index, if the register is one.
    #[must_use]
    pub const fn nv_index_name(&self) -> Option<Text<'a>> {
        self.nv_index_name
    }

    /// Whether the string is only the beginning of what was measured: it ends in `...` and is as long
    /// as a string can be.
    #[must_use]
    pub fn is_cut(&self) -> bool {
        let Some(string) = self.string else { return false };
        let (mut length, mut dots) = (0_usize, 0_u32);
        for c in string.chars() {
            length = length.saturating_add(1);
            dots = if c == '.' { dots.saturating_add(1) } else { 0 };
        }
        dots >= 3 && length >= LONGEST
    }

    /// The bytes that were measured, at the front of `out`. `None` if they are not all there, the
    /// escapes are not sound, or `out` is too small.
    #[must_use]
    pub fn measured<'o>(&self, out: &'o mut [u8]) -> Option<&'o [u8]> {
        let mut room = Room::new(out);
        self.put_measured(&mut room).ok()?;
        let used = room.used;
        out.get(..used)
    }

    /// The digest of the measured bytes. It is that of the record, unless the measurement was keyed.
    #[must_use]
    pub fn hash(&self, algorithm: Algorithm) -> Option<Digest> {
        let mut is_sound = true;
        let digest = hash(algorithm, |out| {
            is_sound = self.put_measured(out).is_ok();
            Ok(())
        });
        is_sound.then_some(digest)
    }

    /// Whether the digest may be something else than the string's hash: it was not seen to be that
    /// for other types than these, and for `volume-key` is keyed with the volume's key.
    pub(crate) fn may_be_keyed(&self) -> bool {
        let plain = ["phase", "filesystem", "machine-id"];
        !self.event_type.is_some_and(|found| plain.iter().any(|plain| found == *plain))
    }

    fn put_measured(&self, out: &mut dyn Out) -> Result<(), ErrorKind> {
        let string = self.string.filter(|_| !self.is_cut()).ok_or(ErrorKind::Member)?;
        let mut rest = string.chars();
        while let Some(c) = rest.next() {
            if c == '\\' {
                unescape(&mut rest, out)?;
            } else {
                out.put(c.encode_utf8(&mut [0; 4]).as_bytes())?;
            }
        }
        Ok(())
    }
}

/// Fields compare; how they are written does not.
impl PartialEq for Measurement<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.string == other.string
            && self.boot_id == other.boot_id
            && self.timestamp == other.timestamp
            && self.event_type == other.event_type
            && self.nv_index_name == other.nv_index_name
    }
}

impl Eq for Measurement<'_> {}

/// What stands behind a backslash (systemd `cunescape_one`).
fn unescape(rest: &mut impl Iterator<Item = char>, out: &mut dyn Out) -> Result<(), ErrorKind> {
    let byte = match rest.next().ok_or(ErrorKind::Encoding)? {
        'a' => 7,
        'b' => 8,
        'f' => 12,
        'n' => b'\n',
        'r' => b'\r',
        't' => b'\t',
        'v' => 11,
        's' => b' ',
        c @ ('\\' | '"' | '\'') => u8::try_from(c).map_err(|_| ErrorKind::Encoding)?,
        'x' => u8::try_from(digits(rest, 0, 2, 16)?).map_err(|_| ErrorKind::Encoding)?,
        c @ '0'..='7' => {
            let first = c.to_digit(8).ok_or(ErrorKind::Encoding)?;
            u8::try_from(digits(rest, first, 2, 8)?).map_err(|_| ErrorKind::Encoding)?
        }
        c @ ('u' | 'U') => {
            let number = digits(rest, 0, if c == 'u' { 4 } else { 8 }, 16)?;
            let c = char::from_u32(number).ok_or(ErrorKind::Encoding)?;
            return out.put(c.encode_utf8(&mut [0; 4]).as_bytes());
        }
        _ => return Err(ErrorKind::Encoding),
    };
    out.put(&[byte])
}

fn digits(
    rest: &mut impl Iterator<Item = char>,
    first: u32,
    count: u32,
    radix: u32,
) -> Result<u32, ErrorKind> {
    let mut number = first;
    for _ in 0..count {
        let digit = rest.next().and_then(|c| c.to_digit(radix)).ok_or(ErrorKind::Encoding)?;
        number = number
            .checked_mul(radix)
            .and_then(|number| number.checked_add(digit))
            .ok_or(ErrorKind::Encoding)?;
    }
    Ok(number)
}
