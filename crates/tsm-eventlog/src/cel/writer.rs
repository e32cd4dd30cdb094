// SPDX-License-Identifier: MIT OR Apache-2.0
//! The writer, into a caller's buffer.

use super::log::{Encoding, Log};
use super::record::Record;
use super::{cbor, json, tlv};
use crate::error::{Error, ErrorKind, Position};
use crate::out::{Count, Out, Room};

/// Writes a log into a buffer. Between two calls the buffer holds a whole log.
///
/// To extend a register without losing the record, first ask [`room_for`](Self::room_for), or push,
/// and extend then.
#[derive(Debug)]
pub struct Writer<'b> {
    room: Room<'b>,
    encoding: Encoding,
    records: u64,
}

impl<'b> Writer<'b> {
    /// An empty log.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NoRoom`] if not even that fits: 1 byte for an array of CBOR, 2 for JSON.
    pub fn new(buffer: &'b mut [u8], encoding: Encoding) -> Result<Self, Error> {
        let mut room = Room::new(buffer);
        let empty: &[u8] = match encoding {
            Encoding::Tlv | Encoding::CborSequence => &[],
            Encoding::Cbor => &[0x80],
            Encoding::Json => b"[]",
        };
        room.put(empty).map_err(Error::call)?;
        Ok(Self { room, encoding, records: 0 })
    }

    /// Appends a record, whole or not at all.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotRepresentable`] if the encoding cannot say what the record says;
    /// [`ErrorKind::NoRoom`]. The position is that in the log written. The log is then unchanged.
    pub fn push(&mut self, record: &Record<'_>) -> Result<(), Error> {
        let before = self.room.used;
        let written = match self.encoding {
            Encoding::Tlv => tlv::write(&mut self.room, record),
            Encoding::CborSequence => cbor::write(&mut self.room, record),
            Encoding::Cbor => self.push_cbor(record),
            Encoding::Json => self.push_json(record),
        };
        match written {
            Ok(()) => {
                self.records = self.records.saturating_add(1);
                Ok(())
            }
            Err(kind) => {
                self.room.used = before;
                if let Some(last) =
                    before.checked_sub(1).filter(|_| self.encoding == Encoding::Json)
                    && let Some(last) = self.room.buffer.get_mut(last)
                {
                    *last = b']';
                }
                Err(Error::new(kind, self.position()))
            }
        }
    }

    /// Appends all records of a log: converts it, if its encoding is another.
    ///
    /// # Errors
    ///
    /// Those of reading, at their place in `log`, and those of [`push`](Self::push), at the place in
    /// `log` of the record that could not be written. The records before are kept.
    pub fn push_all(&mut self, log: Log<'_>) -> Result<(), Error> {
        for record in log {
            let record = record?;
            self.push(&record.record).map_err(|error| Error::new(error.kind(), record.position))?;
        }
        Ok(())
    }

    /// How many bytes longer the log becomes with this record.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotRepresentable`].
    pub fn room_for(&self, record: &Record<'_>) -> Result<usize, Error> {
        let mut count = Count::default();
        let written = match self.encoding {
            Encoding::Tlv => tlv::write(&mut count, record),
            Encoding::Cbor | Encoding::CborSequence => cbor::write(&mut count, record),
            Encoding::Json => json::write(&mut count, record),
        };
        written.map_err(|kind| Error::new(kind, self.position()))?;
        let more = match self.encoding {
            Encoding::Tlv | Encoding::CborSequence => 0,
            Encoding::Cbor => {
                head(self.records.saturating_add(1)).saturating_sub(head(self.records))
            }
            Encoding::Json => usize::from(self.records > 0),
        };
        Ok(count.0.saturating_add(more))
    }

    /// The log so far.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.room.written()
    }

    /// The log, as long as the buffer lives.
    #[must_use]
    pub fn finish(self) -> &'b [u8] {
        let Self { room: Room { buffer, used }, .. } = self;
        buffer.get(..used).unwrap_or_default()
    }

    fn push_json(&mut self, record: &Record<'_>) -> Result<(), ErrorKind> {
        // In the place of the bracket.
        self.room.used = self.room.used.saturating_sub(1);
        if self.records > 0 {
            self.room.put(b",")?;
        }
        json::write(&mut self.room, record)?;
        self.room.put(b"]")
    }

    fn push_cbor(&mut self, record: &Record<'_>) -> Result<(), ErrorKind> {
        let after = self.records.saturating_add(1);
        let (old, new) = (head(self.records), head(after));
        let end = self.room.used;
        cbor::write(&mut self.room, record)?;
        if new > old {
            // The head grows: 3 times in a log of any length.
            let grown = self.room.used.saturating_add(new.saturating_sub(old));
            if grown > self.room.buffer.len() || end < old {
                return Err(ErrorKind::NoRoom);
            }
            self.room.buffer.copy_within(old..self.room.used, new);
            self.room.used = grown;
        }
        let mut front = Room::new(self.room.buffer);
        cbor::put_array(&mut front, after)
    }

    fn position(&self) -> Position {
        Position {
            offset: u64::try_from(self.room.used).unwrap_or(u64::MAX),
            record: self.records,
            line: 0,
        }
    }
}

/// Bytes of an array's head.
fn head(count: u64) -> usize {
    let mut length = Count::default();
    let _: Result<(), ErrorKind> = cbor::put_array(&mut length, count);
    length.0
}
