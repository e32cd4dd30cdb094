// SPDX-License-Identifier: MIT OR Apache-2.0
//! The firmware's event log (CCEL): where the ACPI table says it is, and how firmware appends to it.
//!
//! Table and log lie in memory that the host can influence or that any software in the TD can
//! write: neither proves anything. What a log's events extended is proved by replay against the
//! RTMRs of a quote ([`tsm_eventlog::tcg::Replay`]).
//!
//! Source: ACPI 6.5, section 5.2.34; UEFI 2.10, section 38.

use tsm_core::index::RtmrIndex;
use tsm_core::{Algorithm, Digest};
use tsm_eventlog::tcg::{CcType, CcelTable, EventType, NewEvent, NewHeader, Writer};

use crate::address::GuestPhysical;
use crate::buffer::ExtendBuffer;
use crate::call::Tdcall;
use crate::error::{Error, ErrorKind};
use crate::td::Td;

/// Where the log is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct LogArea {
    /// Guest-physical address of its first byte (`LASA`).
    pub address: GuestPhysical,
    /// Size of the whole area in bytes (`LAML`).
    pub size: usize,
}

impl LogArea {
    /// Bytes that a log with nothing in it has at least: its Spec ID event.
    pub const SMALLEST: usize = 65;

    /// What the bytes of the ACPI table say.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::AcpiTable`] with the offset of the field: not a table `CCEL` of the length that it
    /// says (0), a wrong checksum (9), not of a TD (36), an area that is too small for any log or too
    /// large for this machine (40), or one that goes around the end of the address space (48).
    pub fn of_table(table: &[u8]) -> Result<Self, Error> {
        let wrong = |offset| Error::at(ErrorKind::AcpiTable, offset);
        let read = CcelTable::read(table).map_err(|_| wrong(0))?;
        if !read.is_checksum_right {
            return Err(wrong(9));
        }
        if read.cc_type != CcType::Tdx {
            return Err(wrong(36));
        }
        let size = usize::try_from(read.area_length).map_err(|_| wrong(40))?;
        if size < Self::SMALLEST {
            return Err(wrong(40));
        }
        let end = read.area_address.checked_add(read.area_length);
        end.ok_or(wrong(48))?;
        Ok(Self { address: GuestPhysical(read.area_address), size })
    }

    /// Finds the table among ACPI tables, each with all its bytes. `None` if it is not there.
    ///
    /// # Errors
    ///
    /// As [`of_table`](Self::of_table).
    pub fn find<'t>(tables: impl IntoIterator<Item = &'t [u8]>) -> Result<Option<Self>, Error> {
        let mut tables = tables.into_iter();
        tables.find(|table| table.starts_with(b"CCEL")).map(Self::of_table).transpose()
    }
}

/// A log in its area, to be appended to as firmware does: every event extends an RTMR first.
///
/// An event's digest and register come to stand in the log only after the register was extended, and
/// room is checked before it is. If the module does not say whether it extended
/// ([`ErrorKind::InDoubt`]), the event is not in the log.
#[derive(Debug)]
pub struct Ccel<'b> {
    writer: Writer<'b>,
}

impl<'b> Ccel<'b> {
    /// Begins a log as OVMF does, with SHA-384 digests, and fills the rest of the area with `0xFF`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Log`] if the area is too small. It is then unchanged.
    pub fn create(area: &'b mut [u8]) -> Result<Self, Error> {
        let writer = Writer::new(area, &NewHeader::ccel(&[Algorithm::Sha384]))?;
        Ok(Self { writer })
    }

    /// Goes on with the log of the firmware before. `area` is the whole area.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Log`] with what is wrong, at the offset of the event; also if the log's digests
    /// are not of SHA-384 (and of algorithms that are compiled in).
    pub fn resume(area: &'b mut [u8]) -> Result<Self, Error> {
        let writer = Writer::resume(area)?;
        if !writer.algorithms().any(|algorithm| algorithm == Algorithm::Sha384) {
            return Err(Error::new(ErrorKind::Log(tsm_eventlog::ErrorKind::NoSuchBank)));
        }
        Ok(Self { writer })
    }

    /// Hashes `data`, extends the register, and appends an event with the data. For events whose
    /// digest covers their data.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Log`] before anything was extended; those of [`Td::extend`], and then nothing is
    /// appended.
    pub fn measure<T: Tdcall>(
        &mut self,
        td: &mut Td<T>,
        index: RtmrIndex,
        event_type: EventType,
        data: &[u8],
    ) -> Result<(), Error> {
        let number = index.cc_mr().number();
        let extended = self
            .writer
            .measure_with(number, event_type, data, |digests| extend(td, index, digests));
        extended.map(drop)
    }

    /// Extends the register with a digest of something else than `data`, and appends an event with
    /// both. The log must have SHA-384 only.
    ///
    /// # Errors
    ///
    /// As [`measure`](Self::measure).
    pub fn append<T: Tdcall>(
        &mut self,
        td: &mut Td<T>,
        index: RtmrIndex,
        event_type: EventType,
        digest: Digest,
        data: &[u8],
    ) -> Result<(), Error> {
        let digests = &[digest];
        let event = NewEvent { index: index.cc_mr().number(), event_type, digests, data };
        self.writer.append_with(&event, || extend(td, index, digests)).map(drop)
    }

    /// The log so far, without filler.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.writer.as_bytes()
    }

    /// Bytes that are left.
    #[must_use]
    pub const fn room(&self) -> usize {
        self.writer.room()
    }
}

fn extend<T: Tdcall>(td: &mut Td<T>, index: RtmrIndex, digests: &[Digest]) -> Result<(), Error> {
    let none = Error::new(ErrorKind::Log(tsm_eventlog::ErrorKind::NoSuchBank));
    let buffer = digests.iter().find_map(ExtendBuffer::from_digest).ok_or(none)?;
    td.extend(index, &buffer)
}

impl From<tsm_eventlog::Error> for Error {
    fn from(error: tsm_eventlog::Error) -> Self {
        let kind = ErrorKind::Log(error.kind());
        usize::try_from(error.offset()).map_or(Self::new(kind), |offset| Self::at(kind, offset))
    }
}
