// SPDX-License-Identifier: MIT OR Apache-2.0
//! The records of a log, one by one.
//!
//! A crypto-agile record (`TCG_PCR_EVENT2`) and one of the SHA-1 format (`TCG_PCR_EVENT`); all
//! integers are little endian:
//!
//! | field | bytes | SHA-1 format |
//! |---|---|---|
//! | register | 4 | 4 |
//! | event type | 4 | 4 |
//! | number of digests | 4 | |
//! | for each: algorithm, digest | 2 + size | 20 (no algorithm) |
//! | length of the data | 4 | 4 |
//! | data | as said | as said |

use core::fmt;
use core::iter::FusedIterator;

use tsm_core::Algorithm;

use super::cut::Cut;
use super::event::{Digests, UntrustedEvent};
use super::event_type::EventType;
use super::header::{AlgorithmList, SHA1_RECORD, SpecId};
use crate::detect::Format;
use crate::error::{Error, ErrorKind, Position};
use crate::limits::Limits;

/// Size of a crypto-agile record without digests and data.
const AGILE_RECORD: usize = 16;

/// How the records of a log are laid out.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Layout {
    /// Each record has as many digests as it says.
    Agile,
    /// Each record has one SHA-1 digest.
    Sha1,
}

/// How a log ended. Exhaustive, so that a caller decides on each case.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum End {
    /// With its last record.
    Bytes,
    /// With an end mark, eight bytes `0xFF`, behind the last record and nothing else.
    Mark,
    /// What remains of the log's area is all `0xFF`.
    Ones,
    /// What remains of the log's area is all zero.
    Zeros,
    /// Something else stands behind eight bytes `0xFF` or behind a record of zeros. Nobody reads
    /// it.
    Garbage,
    /// With an error.
    Error(Error),
}

/// The records of a TCG log: crypto-agile (TCG2, CCEL) or in the SHA-1 format.
///
/// An iterator that borrows the log; it ends after an error, and at filler. The Spec ID event is
/// not among what it yields but is [`header`](Self::header). Digests are not checked here.
///
/// # Where a log ends
///
/// An area that is not full has filler. Eight bytes `0xFF` end a log: register `0xFFFFFFFF` alone
/// does not, Windows writes records with it. A record that is zero in all its fields ends it too. A
/// rest too short for a record, and all `0xFF` or all zero, is filler.
///
/// ```
/// use tsm_eventlog::tcg::{End, EventType, Log};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// // In life: binary_bios_measurements, or /sys/firmware/acpi/tables/data/CCEL.
/// let bytes = [b"\0\0\0\0\x03\0\0\0", &[0; 20][..], b"\x11\0\0\0StartupLocality\0\x03"].concat();
///
/// let mut log = Log::open(&bytes)?;
/// for event in log.by_ref() {
///     let event = event?;
///     println!("{} {} {:?}", event.index(), event.event_type(), event.digests());
///     assert_eq!(event.startup_locality(), Some(3));
/// }
/// assert_eq!(log.end(), Some(End::Bytes));
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Log<'a> {
    rest: &'a [u8],
    layout: Layout,
    algorithms: AlgorithmList<'a>,
    header: Option<SpecId<'a>>,
    limits: Limits,
    position: Position,
    /// Where the first record behind the header begins.
    first: Position,
    error: Option<Error>,
}

impl<'a> Log<'a> {
    /// A log, by what stands first in it: a Spec ID event, or a plausible record of the SHA-1
    /// format.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::UnknownFormat`], [`ErrorKind::Header`], [`ErrorKind::TooManyAlgorithms`],
    /// [`ErrorKind::Truncated`].
    pub fn open(bytes: &'a [u8]) -> Result<Self, Error> {
        Self::open_with(bytes, Limits::DEFAULT)
    }

    /// The same with other limits.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    pub fn open_with(bytes: &'a [u8], limits: Limits) -> Result<Self, Error> {
        if let Some(log) = Self::open_agile(bytes, limits)? {
            return Ok(log);
        }
        let log = Self::sha1(bytes).limits(limits);
        log.is_plausible().then_some(log).ok_or(Error::call(ErrorKind::UnknownFormat))
    }

    /// A crypto-agile log; `None` if it does not begin with a Spec ID event.
    fn open_agile(bytes: &'a [u8], limits: Limits) -> Result<Option<Self>, Error> {
        let error = |kind| Error::new(kind, Position::START);
        let Some((header, rest)) = SpecId::read(bytes, &limits).map_err(error)? else {
            return Ok(None);
        };
        let length = bytes.len().saturating_sub(rest.len());
        let first = Position::START.after(u64::try_from(length).unwrap_or(u64::MAX), 0);
        let log = Self::without_header(rest, header.algorithms).limits(limits);
        Ok(Some(Self { header: Some(header), position: first, first, ..log }))
    }

    /// A log in the SHA-1 format. Its first record may be any.
    #[must_use]
    pub const fn sha1(bytes: &'a [u8]) -> Self {
        Self { layout: Layout::Sha1, ..Self::without_header(bytes, AlgorithmList::SHA1) }
    }

    /// Crypto-agile records without a Spec ID event before them: part of a log, a final events
    /// table, what the agent of Confidential Containers keeps.
    #[must_use]
    pub const fn without_header(bytes: &'a [u8], algorithms: AlgorithmList<'a>) -> Self {
        Self {
            rest: bytes,
            layout: Layout::Agile,
            algorithms,
            header: None,
            limits: Limits::DEFAULT,
            position: Position::START,
            first: Position::START,
            error: None,
        }
    }

    /// Sets the limits.
    #[must_use]
    pub const fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Skips to the record that begins at `position`, which must be one where this log, or a
    /// shorter one of the same bytes, has a record.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotContiguous`] if that is not ahead and within the log.
    pub fn skip_to(mut self, position: Position) -> Result<Self, Error> {
        let error = Error::new(ErrorKind::NotContiguous, position);
        let skip = position.offset.checked_sub(self.position.offset).ok_or(error)?;
        let skip = usize::try_from(skip).map_err(|_| error)?;
        self.rest = self.rest.get(skip..).ok_or(error)?;
        self.position = position;
        Ok(self)
    }

    /// How the records are laid out.
    #[must_use]
    pub const fn layout(&self) -> Layout {
        self.layout
    }

    /// The Spec ID event; `None` if the log does not begin with one.
    #[must_use]
    pub const fn header(&self) -> Option<&SpecId<'a>> {
        self.header.as_ref()
    }

    /// The digests that records may have.
    #[must_use]
    pub const fn algorithms(&self) -> AlgorithmList<'a> {
        self.algorithms
    }

    /// Where the next record begins. The header is record 0.
    #[must_use]
    pub const fn next_position(&self) -> Position {
        self.position
    }

    /// How the log ended; `None` if it has more records. Looks at all that remains.
    #[must_use]
    pub fn end(&self) -> Option<End> {
        if let Some(error) = self.error {
            return Some(End::Error(error));
        }
        if !self.is_at_end() {
            return None;
        }
        let first = self.rest.first().copied();
        let is_uniform = first.is_none_or(|first| is_all(self.rest, first));
        Some(match first {
            None => End::Bytes,
            Some(_) if !is_uniform => End::Garbage,
            Some(0) => End::Zeros,
            Some(_) if self.rest.len() == 8 => End::Mark,
            Some(_) => End::Ones,
        })
    }

    /// The bytes that have not been read: filler, or what is behind an error.
    #[must_use]
    pub const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Says that what is read next is the first record, and at `position`.
    pub(super) const fn beginning_at(mut self, position: Position) -> Self {
        self.position = position;
        self.first = position;
        self
    }

    /// The log without `rest`, the end of what remains.
    pub(super) fn ending_at(mut self, rest: &[u8]) -> Self {
        self.rest = self.rest.get(..self.rest.len().saturating_sub(rest.len())).unwrap_or_default();
        self
    }

    /// Whether the next record is the first of the log.
    pub(super) fn is_at_first(&self) -> bool {
        self.position == self.first
    }

    #[inline]
    pub(super) fn read(&mut self) -> Option<Result<UntrustedEvent<'a>, Error>> {
        if self.is_at_end() {
            return None;
        }
        let record = match self.layout {
            Layout::Agile => self.agile(),
            Layout::Sha1 => self.sha1_record(),
        };
        Some(match record {
            Ok((event, rest)) => {
                self.rest = rest;
                self.position = event.end();
                Ok(event)
            }
            Err(kind) => {
                let error = Error::new(kind, self.position);
                self.error = Some(error);
                Err(error)
            }
        })
    }

    #[inline]
    fn is_at_end(&self) -> bool {
        if self.error.is_some() {
            return true;
        }
        match self.rest.first_chunk::<8>() {
            Some([0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF]) => true,
            Some([0, 0, 0, 0, 0, 0, 0, 0]) => self.is_zero_record(),
            Some(_) => false,
            None => is_all(self.rest, 0) || is_all(self.rest, 0xFF),
        }
    }

    /// Whether the next record, or what there is of it, is all zero.
    fn is_zero_record(&self) -> bool {
        let size = match self.layout {
            Layout::Agile => AGILE_RECORD,
            Layout::Sha1 => SHA1_RECORD,
        };
        is_all(self.rest.get(..size).unwrap_or(self.rest), 0)
    }

    #[inline]
    fn agile(&self) -> Result<(UntrustedEvent<'a>, &'a [u8]), ErrorKind> {
        let mut cut = Cut(self.rest);
        let index = cut.u32()?;
        let event_type = EventType(cut.u32()?);
        let count = usize::try_from(cut.u32()?).unwrap_or(usize::MAX);
        if count == 0
            && event_type == EventType::NO_ACTION
            && let Some(found) = self.repeated_header()?
        {
            return Ok(found);
        }
        // More than the header lists: one would be unlisted or there twice.
        if count > self.algorithms.len() {
            return Err(ErrorKind::Digests);
        }
        let digests = cut.0;
        let mut seen = 0_u32;
        for place in 0..count {
            let found = self.algorithms.find(cut.u16()?, place);
            let (place, size) = found.ok_or(ErrorKind::Digests)?;
            let bit = u32::try_from(place).ok().and_then(|place| 1_u32.checked_shl(place));
            let bit = bit.filter(|bit| seen & bit == 0).ok_or(ErrorKind::Digests)?;
            seen |= bit;
            cut.bytes(size)?;
        }
        let bytes = cut.cut_off(digests);
        let digests = Digests { bytes, list: self.algorithms, count, is_tagged: true };
        let data = cut.sized(self.limits.event_bytes)?;
        Ok((self.event(index, event_type, digests, data, cut.0), cut.0))
    }

    fn sha1_record(&self) -> Result<(UntrustedEvent<'a>, &'a [u8]), ErrorKind> {
        let mut cut = Cut(self.rest);
        let index = cut.u32()?;
        let event_type = EventType(cut.u32()?);
        let bytes = cut.bytes(Algorithm::Sha1.size())?;
        let digests = Digests { bytes, list: AlgorithmList::SHA1, count: 1, is_tagged: false };
        let data = cut.sized(self.limits.event_bytes)?;
        Ok((self.event(index, event_type, digests, data, cut.0), cut.0))
    }

    /// A Spec ID event among the records, in the SHA-1 shape that it has at the front: two logs in
    /// one. Read as what it looks like, it would be two strange records.
    #[cold]
    fn repeated_header(&self) -> Result<Option<(UntrustedEvent<'a>, &'a [u8])>, ErrorKind> {
        let found = match SpecId::read(self.rest, &self.limits) {
            Ok(Some((header, rest))) if header.has_signature => (header, rest),
            Err(kind) => return Err(kind),
            Ok(_) => return Ok(None),
        };
        let (header, rest) = found;
        if header.algorithms != self.algorithms {
            return Err(ErrorKind::Header);
        }
        let mut cut = Cut(self.rest);
        cut.bytes(SHA1_RECORD)?;
        let data = cut.0.get(..cut.0.len().saturating_sub(rest.len())).unwrap_or_default();
        let digests = Digests { bytes: &[], list: self.algorithms, count: 0, is_tagged: true };
        let event = self.event(header.index, EventType::NO_ACTION, digests, data, rest);
        Ok(Some((UntrustedEvent { is_header: true, ..event }, rest)))
    }

    #[inline]
    fn event(
        &self,
        index: u32,
        event_type: EventType,
        digests: Digests<'a>,
        data: &'a [u8],
        rest: &'a [u8],
    ) -> UntrustedEvent<'a> {
        let bytes = self.rest.len().saturating_sub(rest.len());
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        let position = self.position;
        UntrustedEvent { index, event_type, digests, data, position, bytes, is_header: false }
    }

    /// Whether the first two records may be of firmware: a complete one of a known type for a PCR,
    /// then another or the end.
    fn is_plausible(&self) -> bool {
        let mut log = self.clone();
        // Events that extend nothing may be for no register at all: Windows writes such.
        let has_place = |event: &UntrustedEvent<'_>| {
            event.index < 24 || (event.is_no_action() && event.index == u32::MAX)
        };
        let is_good = |event: UntrustedEvent<'_>| {
            // The numbers of the first specification, and UEFI's.
            let is_type = event.event_type.name().is_some() && event.event_type.0 != 0;
            has_place(&event) && is_type
        };
        let first = log.read().is_some_and(|event| event.is_ok_and(is_good));
        let second = match log.read() {
            None => true,
            Some(event) => event.is_ok_and(|event| has_place(&event)),
        };
        first && second
    }
}

/// A crypto-agile log; also one whose Spec ID event is wrong, so that the user hears it.
pub(crate) fn detect_agile(bytes: &[u8]) -> Option<Format> {
    match SpecId::read(bytes, &Limits::DEFAULT) {
        Ok(None) => None,
        Ok(Some((header, _))) if header.index == 1 => Some(Format::Ccel),
        _ => Some(Format::Tcg2),
    }
}

/// A log in the SHA-1 format.
pub(crate) fn detect_sha1(bytes: &[u8]) -> Option<Format> {
    Log::sha1(bytes).is_plausible().then_some(Format::TcgSha1)
}

impl UntrustedEvent<'_> {
    /// Whether it is one more Spec ID event.
    pub(crate) const fn is_repeated_header(&self) -> bool {
        self.is_header
    }
}

/// Whether all bytes are `byte`.
fn is_all(bytes: &[u8], byte: u8) -> bool {
    // Chunks of fixed size let the compiler look at all their bytes at once.
    let (chunks, rest) = bytes.as_chunks::<64>();
    chunks.iter().all(|chunk| chunk.iter().fold(0, |other, next| other | (next ^ byte)) == 0)
        && rest.iter().all(|&next| next == byte)
}

impl<'a> Iterator for Log<'a> {
    type Item = Result<UntrustedEvent<'a>, Error>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        self.read()
    }
}

impl FusedIterator for Log<'_> {}

impl fmt::Debug for Log<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Log")
            .field("layout", &self.layout)
            .field("header", &self.header)
            .field("position", &self.position)
            .field("rest", &self.rest.len())
            .finish()
    }
}
