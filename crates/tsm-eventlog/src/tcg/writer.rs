// SPDX-License-Identifier: MIT OR Apache-2.0
//! Writes crypto-agile logs into a buffer of the caller: for firmware and boot loaders.

use core::fmt;

use tsm_core::{Algorithm, Digest};

use super::event_type::EventType;
use super::header::{ListedAlgorithm, SHA1_RECORD, SIGNATURE};
use super::log::{End, Layout, Log};
use super::rules::Banks;
use crate::bytes::copy;
use crate::error::{Error, ErrorKind, Position};
use crate::limits::Limits;

/// The type under which a record of a record log is carried, with the record's bytes as the event's
/// data and its hashes as the digests (record log specification, R-7.1).
///
/// EV_IPL and not EV_EVENT_TAG: the data of a tagged event have a head before the record, so the
/// hash of the record would not be that of the data, and no rule of other readers would say what
/// the digest covers. As EV_IPL it covers the data entirely, and tools show the text. A tag would
/// tell nothing that the type tells not: no digest covers either.
pub const RECORD: EventType = EventType::IPL;

/// What the Spec ID event of a new log says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NewHeader<'h> {
    /// The register number that it carries: 0, or 1 as OVMF has it for confidential VMs.
    pub index: u32,
    /// 0 client, 1 server.
    pub platform_class: u32,
    /// Errata version of the specification.
    pub errata: u8,
    /// Size of a `UINTN` in units of 4 bytes: 1 or 2.
    pub uintn_size: u8,
    /// The digests that every event will have: at least one.
    pub algorithms: &'h [Algorithm],
    /// Bytes of the vendor's choice, at most 255.
    pub vendor_info: &'h [u8],
}

impl<'h> NewHeader<'h> {
    /// That of a 64-bit machine with a TPM.
    #[must_use]
    pub const fn tpm(algorithms: &'h [Algorithm]) -> Self {
        let (platform_class, vendor_info) = (0, &[]);
        Self { index: 0, platform_class, errata: 0, uintn_size: 2, algorithms, vendor_info }
    }

    /// That of a confidential VM, as OVMF writes it. Its events' register numbers are
    /// [`CcMrIndex`](crate::registers::CcMrIndex).
    #[must_use]
    pub const fn ccel(algorithms: &'h [Algorithm]) -> Self {
        Self { index: 1, ..Self::tpm(algorithms) }
    }
}

/// An event to be written.
#[derive(Clone, Copy, Debug)]
pub struct NewEvent<'e> {
    /// The register's number in this log
    /// ([`Platform::number`](crate::registers::Platform::number)).
    pub index: u32,
    /// The type.
    pub event_type: EventType,
    /// One digest for each algorithm of the header, in any order.
    pub digests: &'e [Digest],
    /// The data.
    pub data: &'e [u8],
}

/// Writes a crypto-agile log.
///
/// Appending is all or nothing. Room is checked before a register is extended
/// ([`append_with`](Self::append_with)), and an event becomes visible to readers of the buffer only
/// after it: the first eight bytes of a record, which end the log as long as they are filler, are
/// written last.
///
/// ```
/// use tsm_core::{Algorithm, Digest};
/// use tsm_eventlog::Error;
/// use tsm_eventlog::registers::{Platform, RtmrIndex};
/// use tsm_eventlog::tcg::{EventType, Log, NewHeader, Replay, Writer};
///
/// # fn main() -> Result<(), Error> {
/// let mut rtmr2 = Digest::zeros(Algorithm::Sha384); // in life, the hardware
/// let index = RtmrIndex::new(2).unwrap();
///
/// let mut area = [0; 4096];
/// let mut writer = Writer::new(&mut area, &NewHeader::ccel(&[Algorithm::Sha384]))?;
/// let line = b"console=ttyS0";
/// writer.measure_with(index.cc_mr().number(), EventType::IPL, line, |digests| {
///     digests.iter().try_for_each(|digest| rtmr2.extend(digest)).map_err(|_| unreachable!())
/// })?;
///
/// let mut replay = Replay::<5>::new(Platform::Tdx, &[Algorithm::Sha384])?;
/// replay.expect(index, rtmr2)?;
/// let finished = replay.run(Log::open(&area)?);
/// assert_eq!(finished.events().next().and_then(|event| event.covered_data()), Some(&line[..]));
/// # Ok(())
/// # }
/// ```
pub struct Writer<'b> {
    buffer: &'b mut [u8],
    /// Where the next record goes.
    position: Position,
    used: usize,
    algorithms: Banks,
    filler: u8,
}

impl<'b> Writer<'b> {
    /// Begins a log in `buffer`, and fills the rest with `0xFF`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Banks`] if there is no algorithm, or one twice; [`ErrorKind::RecordTooLong`] if
    /// there is too much vendor information; [`ErrorKind::NoRoom`]. The buffer is then unchanged.
    pub fn new(buffer: &'b mut [u8], header: &NewHeader<'_>) -> Result<Self, Error> {
        let mut algorithms: Banks = [None; Algorithm::MAX];
        for (place, &algorithm) in header.algorithms.iter().enumerate() {
            let slot = algorithms.get_mut(place).ok_or(Error::call(ErrorKind::Banks))?;
            *slot = Some(algorithm);
        }
        let distinct = Algorithm::ALL.iter().filter(|&&a| algorithms.contains(&Some(a))).count();
        if header.algorithms.is_empty() || distinct != header.algorithms.len() {
            return Err(Error::call(ErrorKind::Banks));
        }
        let too_long = Error::call(ErrorKind::RecordTooLong);
        let vendor_size = u8::try_from(header.vendor_info.len()).map_err(|_| too_long)?;
        let data = header.algorithms.len().saturating_mul(4);
        let data = data.saturating_add(header.vendor_info.len()).saturating_add(29);
        let size = data.saturating_add(SHA1_RECORD);
        if buffer.len() < size {
            return Err(Error::call(ErrorKind::NoRoom));
        }
        buffer.fill(0xFF);
        let mut put = Put(&mut *buffer);
        put.u32(header.index);
        put.u32(EventType::NO_ACTION.0);
        put.bytes(&[0; 20]);
        put.u32(u32::try_from(data).map_err(|_| too_long)?);
        put.bytes(&SIGNATURE);
        put.u32(header.platform_class);
        put.bytes(&[0, 2, header.errata, header.uintn_size]);
        put.u32(u32::try_from(header.algorithms.len()).map_err(|_| too_long)?);
        for algorithm in header.algorithms {
            put.bytes(&algorithm.tpm_id().to_le_bytes());
            put.u16(algorithm.size());
        }
        put.bytes(&[vendor_size]);
        put.bytes(header.vendor_info);
        let position = Position::START.after(u64::try_from(size).unwrap_or(u64::MAX), 0);
        Ok(Self { buffer, position, used: size, algorithms, filler: 0xFF })
    }

    /// Goes on with a log that stands in `buffer`: that of the firmware before, in its whole area.
    ///
    /// # Errors
    ///
    /// What is wrong with the log; [`ErrorKind::UnknownFormat`] if it is not crypto-agile;
    /// [`ErrorKind::Digests`] if it needs digests of an algorithm that is not compiled in;
    /// [`ErrorKind::Trailing`] if something stands behind its end.
    pub fn resume(buffer: &'b mut [u8]) -> Result<Self, Error> {
        let mut log = Log::open(buffer)?;
        if log.layout() != Layout::Agile {
            return Err(Error::call(ErrorKind::UnknownFormat));
        }
        let mut algorithms: Banks = [None; Algorithm::MAX];
        let mut slots = algorithms.iter_mut();
        for listed in log.algorithms().iter() {
            let algorithm = ListedAlgorithm::algorithm(listed);
            let unknown = Error::call(ErrorKind::Digests);
            *slots.next().ok_or(unknown)? = Some(algorithm.ok_or(unknown)?);
        }
        if let Some(error) = log.by_ref().find_map(Result::err) {
            return Err(error);
        }
        let position = log.next_position();
        let filler = match log.end() {
            Some(End::Zeros) => 0,
            Some(End::Garbage) => return Err(Error::new(ErrorKind::Trailing, position)),
            _ => 0xFF,
        };
        let used = buffer.len().saturating_sub(log.rest().len());
        Ok(Self { buffer, position, used, algorithms, filler })
    }

    /// Appends an event, without extending anything.
    ///
    /// # Errors
    ///
    /// As [`append_with`](Self::append_with).
    pub fn append(&mut self, event: &NewEvent<'_>) -> Result<Position, Error> {
        self.append_with(event, || Ok(()))
    }

    /// Extends, and appends the event if that went well. Gives where the record begins.
    ///
    /// `extend` is called only if the event can be written. If it fails, nothing is appended, and
    /// its error is given back.
    ///
    /// # Errors
    ///
    /// Without calling `extend`: [`ErrorKind::NoRoom`]; [`ErrorKind::RecordTooLong`] if the data
    /// exceed the default of [`Limits::event_bytes`]; [`ErrorKind::Digests`] if there is not one
    /// digest for each algorithm of the header; [`ErrorKind::NoSuchRegister`] if register and type
    /// are both `0xFFFFFFFF`, which would end the log.
    pub fn append_with<E: From<Error>>(
        &mut self,
        event: &NewEvent<'_>,
        extend: impl FnOnce() -> Result<(), E>,
    ) -> Result<Position, E> {
        let error = |kind| Error::new(kind, self.position);
        let mut digests = [None; Algorithm::MAX];
        for (slot, algorithm) in digests.iter_mut().zip(self.algorithms) {
            let mut found = event.digests.iter().filter(|d| Some(d.algorithm()) == algorithm);
            *slot = found.next();
            if slot.is_some() != algorithm.is_some() || found.next().is_some() {
                return Err(error(ErrorKind::Digests).into());
            }
        }
        if event.digests.len() != digests.iter().flatten().count() {
            return Err(error(ErrorKind::Digests).into());
        }
        if event.data.len() > Limits::DEFAULT.event_bytes {
            return Err(error(ErrorKind::RecordTooLong).into());
        }
        if (event.index, event.event_type.0) == (u32::MAX, u32::MAX) {
            return Err(error(ErrorKind::NoSuchRegister).into());
        }
        let hashes = digests.iter().flatten();
        let size = hashes.fold(event.data.len().saturating_add(16), |size, digest| {
            size.saturating_add(digest.as_bytes().len()).saturating_add(2)
        });
        let position = self.position;
        let end = self.used.saturating_add(size);
        let record = self.buffer.get_mut(self.used..end);
        let (front, body) = record
            .and_then(|record| record.split_at_mut_checked(8))
            .ok_or(Error::new(ErrorKind::NoRoom, position))?;

        let mut put = Put(&mut *body);
        put.u32(u32::try_from(event.digests.len()).unwrap_or(u32::MAX));
        for digest in digests.iter().flatten() {
            put.bytes(&digest.algorithm().tpm_id().to_le_bytes());
            put.bytes(digest.as_bytes());
        }
        put.u32(u32::try_from(event.data.len()).unwrap_or(u32::MAX));
        put.bytes(event.data);
        if let Err(error) = extend() {
            body.fill(self.filler);
            return Err(error);
        }
        let mut put = Put(front);
        put.u32(event.index);
        put.u32(event.event_type.0);
        self.used = end;
        self.position = position.after(u64::try_from(size).unwrap_or(u64::MAX), 0);
        Ok(position)
    }

    /// Hashes data, extends, and appends an event with the data whose digests are those hashes.
    ///
    /// `extend` gets one digest for each algorithm of the header, in its order.
    ///
    /// # Errors
    ///
    /// As [`append_with`](Self::append_with).
    pub fn measure_with<E: From<Error>>(
        &mut self,
        index: u32,
        event_type: EventType,
        data: &[u8],
        extend: impl FnOnce(&[Digest]) -> Result<(), E>,
    ) -> Result<Position, E> {
        let (digests, count) = self.digests(|algorithm| algorithm.hash(data));
        let digests = digests.get(..count).unwrap_or_default();
        self.append_with(&NewEvent { index, event_type, digests, data }, || extend(digests))
    }

    /// Appends a record of a record log as an event ([`RECORD`]): the data are the record, the
    /// digests its hashes. `extend` is as for [`measure_with`](Self::measure_with).
    ///
    /// # Errors
    ///
    /// As [`append_with`](Self::append_with).
    pub fn append_record_with<E: From<Error>>(
        &mut self,
        index: u32,
        record: &[u8],
        extend: impl FnOnce(&[Digest]) -> Result<(), E>,
    ) -> Result<Position, E> {
        self.measure_with(index, RECORD, record, extend)
    }

    /// Appends an event that only tells something: its digests are zero and it extends nothing.
    ///
    /// # Errors
    ///
    /// As [`append_with`](Self::append_with).
    pub fn append_no_action(&mut self, index: u32, data: &[u8]) -> Result<Position, Error> {
        let (digests, count) = self.digests(Digest::zeros);
        let digests = digests.get(..count).unwrap_or_default();
        self.append(&NewEvent { index, event_type: EventType::NO_ACTION, digests, data })
    }

    /// Appends the event that tells from which locality the TPM was started: 0, 3 or 4. It belongs
    /// before the first event of PCR 0.
    ///
    /// # Errors
    ///
    /// As [`append_with`](Self::append_with).
    pub fn append_startup_locality(&mut self, locality: u8) -> Result<Position, Error> {
        let mut data = *b"StartupLocality\0\0";
        if let Some(last) = data.last_mut() {
            *last = locality;
        }
        self.append_no_action(0, &data)
    }

    /// The log so far, without filler.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.buffer.get(..self.used).unwrap_or_default()
    }

    /// Bytes that are left.
    #[must_use]
    pub const fn room(&self) -> usize {
        self.buffer.len().saturating_sub(self.used)
    }

    /// Bytes that an event with `data` bytes of data takes.
    #[must_use]
    pub fn event_size(&self, data: usize) -> usize {
        self.algorithms().fold(data.saturating_add(16), |size, algorithm| {
            size.saturating_add(algorithm.size()).saturating_add(2)
        })
    }

    /// Where the next record goes.
    #[must_use]
    pub const fn position(&self) -> Position {
        self.position
    }

    /// The algorithms of the header, in its order.
    pub fn algorithms(&self) -> impl Iterator<Item = Algorithm> {
        self.algorithms.iter().flatten().copied()
    }

    fn digests(&self, digest: impl Fn(Algorithm) -> Digest) -> ([Digest; Algorithm::MAX], usize) {
        let mut digests = [Digest::zeros(Algorithm::Sha1); Algorithm::MAX];
        let slots = digests.iter_mut().zip(self.algorithms());
        let count = slots.map(|(slot, algorithm)| *slot = digest(algorithm)).count();
        (digests, count)
    }
}

impl fmt::Debug for Writer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer")
            .field("position", &self.position)
            .field("room", &self.room())
            .finish()
    }
}

/// Writes to the front of a slice that is long enough.
struct Put<'b>(&'b mut [u8]);

impl Put<'_> {
    fn bytes(&mut self, bytes: &[u8]) {
        let rest = core::mem::take(&mut self.0);
        let (front, rest) = rest.split_at_mut_checked(bytes.len()).unwrap_or_default();
        copy(bytes, front);
        self.0 = rest;
    }

    fn u16(&mut self, number: usize) {
        self.bytes(&u16::try_from(number).unwrap_or(u16::MAX).to_le_bytes());
    }

    fn u32(&mut self, number: u32) {
        self.bytes(&number.to_le_bytes());
    }
}
