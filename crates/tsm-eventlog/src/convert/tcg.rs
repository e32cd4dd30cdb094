// SPDX-License-Identifier: MIT OR Apache-2.0
//! Firmware's logs, to canonical event logs and back.

use tsm_core::{Algorithm, Digest};

use super::lines::is_whole;
use super::numbering::{Numbering, Numbers};
use super::output::{Output, push_cel};
use super::reason::Reason;
use crate::bytes::Bytes;
use crate::cel::{self, Content, Digests, EventLabel, Label, Record, Register};
use crate::error::{Error, ErrorKind, Position};
use crate::limits::Limits;
use crate::out::Out;
use crate::registers::Platform;
use crate::tcg::{AlgorithmList, EventType, Layout, Log, NewHeader, Writer};

const fn not_carried(reason: Reason) -> ErrorKind {
    ErrorKind::NotCarried(reason)
}

/// Size of the Spec ID event, and of any record of the SHA-1 format, without its data.
const SHA1_RECORD: usize = 32;

/// How a TCG log that is written from a canonical event log begins.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum TcgHeader<'h> {
    /// A crypto-agile log with the Spec ID event that is the first record of the source: what
    /// [`tcg_to_cel`] has made of a crypto-agile log.
    OfSource,
    /// A crypto-agile log with this Spec ID event, if the source has none.
    New(NewHeader<'h>),
    /// Crypto-agile records without a Spec ID event, which a reader has to be told the algorithms of
    /// ([`Log::without_header`]).
    Without(AlgorithmList<'h>),
    /// A log in the SHA-1 format.
    Sha1,
}

/// Appends the records of a firmware log to a canonical event log, the Spec ID event first (but not
/// if the log was [skipped](Log::skip_to) to a later event).
///
/// Events of the type `EV_NO_ACTION` are carried like any other, so that the start-up locality is
/// there. `platform` says what the log's numbers mean: PCRs of a TPM, or CC measurement registers.
///
/// # Errors
///
/// At the event: [`ErrorKind::MissingDigest`] if it is measured and lacks a digest that the header
/// lists (a bank that is unknown from there on would become one that was not extended);
/// [`Reason::SecondHeader`]; [`ErrorKind::DigestList`] for digests that CEL cannot have; what the target refuses.
/// [`ErrorKind::Trailing`] if something stands behind the log's end; what is wrong with the log. At the
/// beginning, [`Reason::Register`] for [`Platform::CcaMonitor`], several of whose numbers mean one
/// register.
pub fn tcg_to_cel(
    mut log: Log<'_>,
    platform: Platform,
    numbering: Numbering,
    to: &mut cel::Writer<'_>,
) -> Result<(), Error> {
    has_registers(platform)?;
    let mut numbers = Numbers::new(numbering);
    let listed = log.algorithms().len();
    // Not if it was skipped: then it is a later part of the log.
    let header = log.header().copied().filter(|_| log.next_position().record == 1);
    if let Some((front, data)) =
        header.and_then(|h| h.record.as_raw()?.split_at_checked(SHA1_RECORD))
    {
        let error = |kind| Error::new(kind, Position::START);
        let index = header.map_or(0, |header| header.index);
        let register = register(platform, index);
        let digest = front.get(8..28).and_then(|d| Digest::from_bytes(Algorithm::Sha1, d));
        let digests = [digest.unwrap_or(Digest::zeros(Algorithm::Sha1))];
        let recnum = numbers.next(register).map_err(error)?;
        let event_type = EventType::NO_ACTION.into();
        let content = Content::PcClientStd { event_type, data: Bytes::raw(data) };
        let digests = digests.as_slice().into();
        push_cel(to, &Record { recnum, register, digests, content }, Position::START)?;
    }
    for event in log.by_ref() {
        let event = event?;
        let error = |kind| Error::new(kind, event.position());
        if event.is_repeated_header() {
            return Err(error(not_carried(Reason::SecondHeader)));
        }
        let digests = event.digests();
        if !event.is_no_action() && digests.len() != listed {
            return Err(error(ErrorKind::MissingDigest));
        }
        let register = register(platform, event.index());
        let recnum = numbers.next(register).map_err(error)?;
        let digests = Digests::tcg(digests, &Limits::DEFAULT).map_err(error)?;
        let event_type = event.event_type().into();
        let content = Content::PcClientStd { event_type, data: Bytes::raw(event.data()) };
        push_cel(to, &Record { recnum, register, digests, content }, event.position())?;
    }
    is_whole(&log)
}

/// The firmware log whose events are the records of a canonical event log, all of which must be
/// `pcclient_std`.
///
/// # Errors
///
/// [`ErrorKind::NotCarried`], at the record: [`Reason::Type`] for other content, for an event type
/// that is only a name, and for a record that would end the log or be read as another there;
/// [`Reason::Register`] if the platform's log has no number for it; [`Reason::Banks`] for a digest that
/// the header does not list; [`Reason::Number`]; [`Reason::Header`] if the source begins without the
/// Spec ID event that it should have. [`ErrorKind::MissingDigest`] if it is measured and lacks a digest
/// that the header lists. [`ErrorKind::NoRoom`]. What is wrong with the log, or with the new header.
pub fn cel_to_tcg(
    log: cel::Log<'_>,
    platform: Platform,
    numbering: Numbering,
    header: &TcgHeader<'_>,
    to: &mut Output<'_>,
) -> Result<(), Error> {
    has_registers(platform)?;
    let mut numbers = Numbers::new(numbering);
    let mut target = Target::new(header, to)?;
    for record in log {
        let record = record?;
        let error = |kind| Error::new(kind, record.position());
        let record = record.record();
        numbers.check(record.register, record.recnum).map_err(error)?;
        target.push(record, platform, to).map_err(error)?;
    }
    if target.layout.is_none() {
        return Err(Error::call(not_carried(Reason::Header)));
    }
    Ok(())
}

/// Each of a platform's numbers must be one register in CEL.
fn has_registers(platform: Platform) -> Result<(), Error> {
    match platform {
        Platform::CcaMonitor => Err(Error::call(not_carried(Reason::Register))),
        _ => Ok(()),
    }
}

const fn register(platform: Platform, index: u32) -> Register {
    match platform {
        Platform::Tpm => Register::Pcr(index),
        _ => Register::CcMr(index),
    }
}

const fn index(platform: Platform, register: Register) -> Result<u32, ErrorKind> {
    match (platform, register) {
        (Platform::Tpm, Register::Pcr(index)) => Ok(index),
        (Platform::Tpm, _) => Err(not_carried(Reason::Register)),
        (_, Register::CcMr(index)) => Ok(index),
        _ => Err(not_carried(Reason::Register)),
    }
}

/// The log that is written: its layout, once it is known, and the digests of its records.
struct Target {
    layout: Option<Layout>,
    list: [[u8; 4]; AlgorithmList::MAX],
    count: usize,
}

impl Target {
    fn new(header: &TcgHeader<'_>, to: &mut Output<'_>) -> Result<Self, Error> {
        let mut target = Self { layout: None, list: [[0; 4]; AlgorithmList::MAX], count: 0 };
        match header {
            TcgHeader::OfSource => {}
            TcgHeader::New(new) => {
                // The longest Spec ID event of the algorithms known here.
                let mut buffer = [0; SHA1_RECORD + 29 + 4 * Algorithm::MAX + 255];
                let writer = Writer::new(&mut buffer, new)?;
                let put = |out: &mut dyn Out| out.put(writer.as_bytes());
                to.push(put, |_| Ok(())).map_err(Error::call)?;
                target.is_like(to.as_bytes());
            }
            TcgHeader::Without(list) => target.lists(*list, Layout::Agile),
            TcgHeader::Sha1 => target.lists(AlgorithmList::SHA1, Layout::Sha1),
        }
        Ok(target)
    }

    fn lists(&mut self, list: AlgorithmList<'_>, layout: Layout) {
        self.layout = Some(layout);
        self.count = list.len();
        for (raw, listed) in self.list.iter_mut().zip(list.iter()) {
            let ([id0, id1], [size0, size1]) = (listed.id.to_le_bytes(), listed.size.to_le_bytes());
            *raw = [id0, id1, size0, size1];
        }
    }

    /// Takes the algorithms of the header that a log begins with; `false` if it has none.
    fn is_like(&mut self, log: &[u8]) -> bool {
        let header = Log::open(log).ok().and_then(|log| log.header().copied());
        if let Some(header) = header {
            self.lists(header.algorithms, Layout::Agile);
        }
        header.is_some()
    }

    fn algorithms(&self) -> AlgorithmList<'_> {
        let raw = self.list.get(..self.count).unwrap_or_default().as_flattened();
        AlgorithmList::new(raw).unwrap_or(AlgorithmList::SHA1)
    }

    fn push(
        &mut self,
        record: &Record<'_>,
        platform: Platform,
        to: &mut Output<'_>,
    ) -> Result<(), ErrorKind> {
        let Content::PcClientStd { event_type: EventLabel::Number(event_type), data } =
            record.content
        else {
            return Err(not_carried(Reason::Type));
        };
        let index = index(platform, record.register)?;
        let Some(layout) = self.layout else {
            let put = |out: &mut dyn Out| put_sha1(out, index, event_type, record.digests, data);
            return to
                .push(put, |written| {
                    let is_header = event_type == EventType::NO_ACTION.0 && self.is_like(written);
                    is_header.then_some(()).ok_or(not_carried(Reason::Header))
                })
                .map_err(|kind| match kind {
                    ErrorKind::NoRoom => kind,
                    _ => not_carried(Reason::Header),
                });
        };
        let is_measured = event_type != EventType::NO_ACTION.0;
        let list = self.algorithms();
        if is_measured && record.digests.iter().count() < list.len() {
            return Err(ErrorKind::MissingDigest);
        }
        let is_first = to.is_empty();
        let put = |out: &mut dyn Out| match layout {
            Layout::Sha1 => put_sha1(out, index, event_type, record.digests, data),
            Layout::Agile => put_agile(out, index, event_type, record.digests, list, data),
        };
        to.push(put, |written| {
            let mut log = match layout {
                Layout::Sha1 => Log::sha1(written),
                Layout::Agile => Log::without_header(written, list),
            };
            // Some records end a log, or are another Spec ID event.
            let is_it = log.next().is_some_and(|event| {
                event.is_ok_and(|event| {
                    (event.index(), event.event_type().0) == (index, event_type)
                        && data == *event.data()
                        && !event.is_repeated_header()
                })
            });
            let is_agile = is_first && layout == Layout::Sha1 && is_header(written);
            if is_it && log.rest().is_empty() && !is_agile {
                Ok(())
            } else {
                Err(not_carried(Reason::Type))
            }
        })
    }
}

/// Whether a log that begins so is taken for a crypto-agile one.
fn is_header(log: &[u8]) -> bool {
    let data = log.get(SHA1_RECORD..).unwrap_or_default();
    let is_signed = data.starts_with(b"Spec ID Event03\0");
    Log::open(log).map_or(is_signed, |log| log.header().is_some())
}

fn put_sha1(
    out: &mut dyn Out,
    index: u32,
    event_type: u32,
    digests: Digests<'_>,
    data: Bytes<'_>,
) -> Result<(), ErrorKind> {
    let digest = digests.digest(Algorithm::Sha1).ok_or(ErrorKind::MissingDigest)?;
    if digests.iter().count() > 1 {
        return Err(not_carried(Reason::Banks));
    }
    out.put(&index.to_le_bytes())?;
    out.put(&event_type.to_le_bytes())?;
    out.put(digest.as_bytes())?;
    put_data(out, data)
}

fn put_agile(
    out: &mut dyn Out,
    index: u32,
    event_type: u32,
    digests: Digests<'_>,
    list: AlgorithmList<'_>,
    data: Bytes<'_>,
) -> Result<(), ErrorKind> {
    out.put(&index.to_le_bytes())?;
    out.put(&event_type.to_le_bytes())?;
    let count = u32::try_from(digests.iter().count()).map_err(|_| ErrorKind::DigestList)?;
    out.put(&count.to_le_bytes())?;
    for recorded in digests {
        let listed = list.iter().find(|listed| {
            recorded.algorithm == Label::Number(u64::from(listed.id))
                && recorded.digest.len() == usize::from(listed.size)
        });
        out.put(&listed.ok_or(not_carried(Reason::Banks))?.id.to_le_bytes())?;
        out.put_bytes(recorded.digest)?;
    }
    put_data(out, data)
}

fn put_data(out: &mut dyn Out, data: Bytes<'_>) -> Result<(), ErrorKind> {
    let size = u32::try_from(data.len()).map_err(|_| ErrorKind::RecordTooLong)?;
    out.put(&size.to_le_bytes())?;
    out.put_bytes(data)
}
