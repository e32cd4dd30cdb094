// SPDX-License-Identifier: MIT OR Apache-2.0
//! The final events table: what was logged after the log had been handed out.

use super::cut::Cut;
use super::header::AlgorithmList;
use super::log::Log;
use crate::error::{Error, ErrorKind, Position};
use crate::limits::Limits;

/// Size of the table's head: version and count.
const HEAD: u64 = 16;

/// A final events table (`EFI_TCG2_FINAL_EVENTS_TABLE`, TCG EFI Protocol Specification 1.0, section
/// 7; `EFI_CC_FINAL_EVENTS_TABLE`, UEFI 2.10, section 38.4.4): version, count, crypto-agile records.
///
/// Firmware puts every event into it that is logged after the first call of `GetEventLog`; until
/// boot services end it adds the same events to the log too. So who took the log later than that
/// needs only what stands [`beyond`](Self::beyond) the size that the table had then.
///
/// No table of real firmware was at hand for a test.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct FinalEvents<'a> {
    /// The version: 1.
    pub version: u64,
    /// How many events it has.
    pub count: u64,
    log: Log<'a>,
}

impl<'a> FinalEvents<'a> {
    /// Reads a table, which has no Spec ID event of its own: `algorithms` are those of the log
    /// ([`Log::algorithms`]). What stands behind its last event is ignored.
    ///
    /// Positions count from the beginning of the table.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::FinalEvents`] if the version is not 1 or there is no head; otherwise what is
    /// wrong with an event.
    pub fn read(
        table: &'a [u8],
        algorithms: AlgorithmList<'a>,
        limits: Limits,
    ) -> Result<Self, Error> {
        let error = Error::call(ErrorKind::FinalEvents);
        let mut cut = Cut(table);
        let version = cut.u64().map_err(|_| error)?;
        let count = cut.u64().map_err(|_| error)?;
        if version != 1 {
            return Err(error);
        }
        let first = Position { offset: HEAD, ..Position::START };
        let log = Log::without_header(cut.0, algorithms).limits(limits).beginning_at(first);
        let mut walk = log.clone();
        for _ in 0..count {
            // Each takes bytes, so this ends, however large the count.
            let missing = Error::new(ErrorKind::Truncated, walk.next_position());
            walk.read().ok_or(missing)??;
        }
        let log = log.ending_at(walk.rest());
        Ok(Self { version, count, log })
    }

    /// All events.
    #[must_use]
    pub fn all(&self) -> Log<'a> {
        self.log.clone()
    }

    /// The events beyond the first `size` bytes of events: those that the log does not have, if
    /// `size` is what the table had when the log was taken (Linux: `final_events_preboot_size`).
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotContiguous`] if no event begins there.
    pub fn beyond(&self, size: u64) -> Result<Log<'a>, Error> {
        let mut log = self.log.clone();
        let offset = HEAD.saturating_add(size);
        while log.next_position().offset < offset && log.read().is_some() {}
        let position = log.next_position();
        if position.offset != offset {
            return Err(Error::new(ErrorKind::NotContiguous, position));
        }
        Ok(log.beginning_at(position))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(index: u8, data: &[u8]) -> Vec<u8> {
        let size = u32::try_from(data.len()).unwrap().to_le_bytes();
        let head = [index, 0, 0, 0, 5, 0, 0, 0, 1, 0, 0, 0, 4, 0];
        [&head[..], &[0x55; 20], &size, data].concat()
    }

    fn table(count: u64) -> Vec<u8> {
        let events = [event(4, b"one"), event(5, b"three"), event(4, b"")].concat();
        [&1_u64.to_le_bytes()[..], &count.to_le_bytes(), &events, b"what follows"].concat()
    }

    fn read(table: &[u8]) -> Result<FinalEvents<'_>, Error> {
        FinalEvents::read(table, AlgorithmList::SHA1, Limits::DEFAULT)
    }

    #[test]
    fn only_what_is_beyond() {
        let table = table(3);
        let events = read(&table).unwrap();
        let data =
            |log: Log<'_>| log.map(|event| event.unwrap().data().to_vec()).collect::<Vec<_>>();
        assert_eq!(data(events.all()), [&b"one"[..], b"three", b""]);
        assert_eq!(events.all().next_position().offset, 16);
        let mut size = 0;
        for skip in 0..=3 {
            let log = events.beyond(size).unwrap();
            assert_eq!(data(log.clone()).len(), 3 - skip);
            assert!(log.is_at_first());
            size += [41, 43, 38, 0][skip];
        }
        for wrong in [1, 40, 42, 121, 123, u64::MAX] {
            assert_eq!(events.beyond(wrong).unwrap_err().kind(), ErrorKind::NotContiguous);
        }
    }

    #[test]
    fn counts_and_versions() {
        for count in 0..=3 {
            assert_eq!(read(&table(count)).unwrap().all().count() as u64, count);
        }
        // The text behind is no event.
        for count in [4, u64::MAX] {
            assert_eq!(read(&table(count)).unwrap_err().record(), 3);
        }
        let mut other = table(1);
        other[0] = 2;
        assert_eq!(read(&other).unwrap_err().kind(), ErrorKind::FinalEvents);
        let table = table(3);
        for cut in 0..table.len() {
            assert_eq!(read(&table[..cut]).is_ok(), cut >= 16 + 122, "{cut}");
        }
    }
}
