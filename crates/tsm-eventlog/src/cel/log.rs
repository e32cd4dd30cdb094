// SPDX-License-Identifier: MIT OR Apache-2.0
//! The reader: records one by one, in any encoding.

use core::iter::FusedIterator;

use super::cbor::{self, Items};
use super::json;
use super::record::UntrustedRecord;
use super::tlv::{self, Tlvs};
use crate::error::{Error, ErrorKind, Position};
use crate::json::Cursor;
use crate::limits::Limits;

/// How a log is written.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Encoding {
    /// TLVs behind each other (CEL 1.1, section 5.1).
    Tlv,
    /// One array of CBOR (CEL 1.1, section 5.2).
    Cbor,
    /// Maps of CBOR behind each other (RFC 8742). Can be appended to, unlike the array.
    CborSequence,
    /// One array of JSON (CEL 1.1, section 5.2).
    Json,
}

impl Encoding {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Tlv, Self::Cbor, Self::CborSequence, Self::Json];

    /// What `bytes` look like: a guess from the first record, which must be a whole one.
    #[must_use]
    pub fn detect(bytes: &[u8]) -> Option<Self> {
        let candidates = match bytes.first()? {
            0 => Self::Tlv,
            0x80..0xA0 => Self::Cbor,
            0xA0..0xC0 => Self::CborSequence,
            _ => Self::Json,
        };
        let first = Log::new(bytes, candidates).next();
        matches!(first, Some(Ok(_))).then_some(candidates)
    }
}

/// A canonical event log, to be read from its beginning. Ends after an error.
///
/// What stands behind the end of an array is an error; records behind each other end with the bytes.
#[derive(Clone, Debug)]
pub struct Log<'a> {
    rest: &'a [u8],
    encoding: Encoding,
    limits: Limits,
    position: Position,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    /// Before everything.
    Begin,
    /// In an array of CBOR, before so many records.
    Before(u64),
    /// In an array of JSON, behind a record.
    Behind,
    /// Behind everything, or behind an error.
    Over,
}

impl<'a> Log<'a> {
    /// A log in an encoding.
    #[must_use]
    pub const fn new(bytes: &'a [u8], encoding: Encoding) -> Self {
        Self {
            rest: bytes,
            encoding,
            limits: Limits::DEFAULT,
            position: Position::START,
            state: State::Begin,
        }
    }

    /// A log whose encoding is guessed from its first record.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::UnknownFormat`].
    pub fn open(bytes: &'a [u8]) -> Result<Self, Error> {
        let encoding = Encoding::detect(bytes).ok_or(Error::call(ErrorKind::UnknownFormat))?;
        Ok(Self::new(bytes, encoding))
    }

    /// With other limits: [`Limits::event_bytes`] and [`Limits::digests`].
    #[must_use]
    pub const fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// How it is written.
    #[must_use]
    pub const fn encoding(&self) -> Encoding {
        self.encoding
    }

    /// The place behind the last record read.
    #[must_use]
    pub const fn next_position(&self) -> Position {
        self.position
    }

    fn read(&mut self) -> Result<Option<UntrustedRecord<'a>>, ErrorKind> {
        let before = self.rest;
        let Some(from) = self.find()? else { return Ok(None) };
        let (record, rest) = match self.encoding {
            Encoding::Tlv => {
                let mut tlvs = Tlvs::new(from);
                (tlv::read(&mut tlvs, &self.limits)?, tlvs.rest())
            }
            Encoding::Cbor | Encoding::CborSequence => {
                let mut items = Items::new(from);
                (cbor::read(&mut items, &self.limits)?, items.rest())
            }
            Encoding::Json => {
                let mut cursor = Cursor::new(from);
                (json::read(&mut cursor, &self.limits)?, cursor.rest())
            }
        };
        let bytes = |from: &[u8], to: &[u8]| {
            u64::try_from(from.len().saturating_sub(to.len())).unwrap_or(u64::MAX)
        };
        let mut position = self.position;
        position.offset = position.offset.saturating_add(bytes(before, from));
        let end = position.after(bytes(from, rest), 0);
        self.state = match self.state {
            State::Before(count) => State::Before(count.saturating_sub(1)),
            _ => State::Behind,
        };
        self.rest = rest;
        self.position = end;
        Ok(Some(UntrustedRecord { record, position, end }))
    }

    /// The next record's bytes and what is behind them; `None` at the log's end.
    fn find(&mut self) -> Result<Option<&'a [u8]>, ErrorKind> {
        match self.encoding {
            Encoding::Tlv | Encoding::CborSequence => {
                Ok(Some(self.rest).filter(|rest| !rest.is_empty()))
            }
            Encoding::Cbor => {
                let mut items = Items::new(self.rest);
                if self.state == State::Begin {
                    self.state = State::Before(items.array()?);
                }
                match (self.state, items.is_at_end()) {
                    (State::Before(0), true) => Ok(None),
                    (State::Before(0), false) => Err(ErrorKind::Encoding),
                    _ => Ok(Some(items.rest())),
                }
            }
            Encoding::Json => {
                let mut cursor = Cursor::new(self.rest);
                let is_first = self.state == State::Begin;
                if is_first {
                    cursor.expect(b'[')?;
                }
                if cursor.take(b']')? {
                    return if cursor.is_at_end() { Ok(None) } else { Err(ErrorKind::Encoding) };
                }
                if !is_first {
                    cursor.expect(b',')?;
                }
                cursor.skip_space();
                Ok(Some(cursor.rest()))
            }
        }
    }
}

impl<'a> Iterator for Log<'a> {
    type Item = Result<UntrustedRecord<'a>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.state == State::Over {
            return None;
        }
        let read = self.read();
        if !matches!(read, Ok(Some(_))) {
            self.state = State::Over;
        }
        read.map_err(|kind| Error::new(kind, self.position)).transpose()
    }
}

impl FusedIterator for Log<'_> {}
