// SPDX-License-Identifier: MIT OR Apache-2.0
//! Where a converted log is written, in formats that have no writer of their own.

use crate::bytes::Bytes;
use crate::cel::{Content, Record, Writer};
use crate::error::{Error, ErrorKind, Position};
use crate::limits::Limits;
use crate::out::{Out, Room};

/// A log that is being written into a buffer: whole records, behind each other.
#[derive(Debug)]
pub struct Output<'b>(Room<'b>);

impl<'b> Output<'b> {
    /// An empty log.
    #[must_use]
    pub const fn new(buffer: &'b mut [u8]) -> Self {
        Self(Room::new(buffer))
    }

    /// The log so far.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.0.written()
    }

    /// The log, as long as the buffer lives.
    #[must_use]
    pub fn finish(self) -> &'b [u8] {
        let Room { buffer, used } = self.0;
        buffer.get(..used).unwrap_or_default()
    }

    /// Whether nothing is written yet.
    pub(super) const fn is_empty(&self) -> bool {
        self.0.used == 0
    }

    /// Writes a record, and looks at its bytes, which may still be corrected: it stays only if all of
    /// that succeeds.
    pub(super) fn push(
        &mut self,
        write: impl FnOnce(&mut dyn Out) -> Result<(), ErrorKind>,
        check: impl FnOnce(&mut [u8]) -> Result<(), ErrorKind>,
    ) -> Result<(), ErrorKind> {
        let before = self.0.used;
        let done = write(&mut self.0).and_then(|()| {
            let used = self.0.used;
            check(self.0.buffer.get_mut(before..used).unwrap_or_default())
        });
        if done.is_err() {
            self.0.used = before;
        }
        done
    }
}

/// Appends a record that stands at `position` of the source.
pub(super) fn push_cel(
    to: &mut Writer<'_>,
    record: &Record<'_>,
    position: Position,
) -> Result<(), Error> {
    // What a reader refuses by default, with what stands around the data in any encoding.
    const MAX: usize = Limits::DEFAULT.event_bytes.saturating_sub(512);
    let long = |data: Bytes<'_>| data.len() > MAX;
    let is_long = match record.content {
        Content::PcClientStd { data, .. } | Content::ImaTemplate { data, .. } => long(data),
        _ => false,
    };
    if is_long {
        return Err(Error::new(ErrorKind::RecordTooLong, position));
    }
    to.push(record).map_err(|error| Error::new(error.kind(), position))
}
