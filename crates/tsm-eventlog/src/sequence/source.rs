// SPDX-License-Identifier: MIT OR Apache-2.0
//! The logs of a sequence, and their records.

use tsm_core::log::{Limits, Line, Lines};
use tsm_core::replay;
use tsm_core::{Algorithm, Digest};

use crate::cel::{Effect, ReplayedSeal};
use crate::error::{Error, ErrorKind, Position};
use crate::ima::{self, Check};
use crate::registers::{PcrIndex, Platform, RegisterIndex};
use crate::tcg::EventType;
use crate::{aael, cel, dstack, systemd, tcg};

/// What kind of log a step is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum SourceKind {
    /// TCG2, CCEL, or the SHA-1 format.
    Tcg,
    /// A canonical event log.
    Cel,
    /// The text log of Confidential Containers' agent.
    Aael,
    /// Systemd's log.
    Systemd,
    /// dstack's lines or its array.
    Dstack,
    /// An IMA list.
    Ima,
    /// A record log.
    Records,
}

/// A record of one of the logs.
///
/// Handed out by [`Outcome::trusted`](super::Outcome::trusted) only: that it is there says that the
/// register was extended with its digests in the expected banks, at this place. What those cover of
/// the record is another question, as ever, and the types answer it: an event's type is never covered,
/// its data only if the digest is made from them.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Record<'a> {
    /// An event of a TCG log.
    Tcg(tcg::UntrustedEvent<'a>),
    /// A record of a canonical event log.
    Cel(cel::UntrustedRecord<'a>),
    /// A line of AAEL.
    Aael(aael::UntrustedLine<'a>),
    /// A record of systemd's log.
    Systemd(systemd::UntrustedMeasurement<'a>),
    /// An event of dstack.
    Dstack(dstack::UntrustedEvent<'a>),
    /// A record of an IMA list.
    Ima(ima::UntrustedEntry<'a>),
    /// A record of a record log, or one of its `SYNC` records. All of it is covered.
    Record {
        /// Its bytes.
        bytes: &'a [u8],
        /// Where it stands.
        position: replay::Position,
        /// Whether it is a `SYNC` record.
        is_sync: bool,
    },
}

pub(super) type Banks = [Option<Algorithm>; Algorithm::MAX];

/// A log, and what must be known to find the register's records in it.
#[derive(Clone, Debug)]
pub(super) enum Source<'a> {
    Tcg(tcg::Log<'a>, Platform),
    Cel(cel::Log<'a>),
    Aael(aael::Log<'a>),
    Systemd(systemd::Log<'a>),
    Dstack(dstack::Log<'a>),
    DstackEvents(dstack::Events<'a>),
    /// With the PCR number that its records of the register have, and what each bank is extended with.
    Ima(ima::List<'a>, u32, ima::Banks),
    Records(Lines<'a>, u64),
}

impl<'a> Source<'a> {
    pub(super) const fn records(log: &'a [u8], limits: Limits) -> Self {
        Self::Records(Lines::new(log, limits), 0)
    }

    pub(super) const fn kind(&self) -> SourceKind {
        match self {
            Self::Tcg(..) => SourceKind::Tcg,
            Self::Cel(_) => SourceKind::Cel,
            Self::Aael(_) => SourceKind::Aael,
            Self::Systemd(_) => SourceKind::Systemd,
            Self::Dstack(_) | Self::DstackEvents(_) => SourceKind::Dstack,
            Self::Ima(..) => SourceKind::Ima,
            Self::Records(..) => SourceKind::Records,
        }
    }

    /// The next record, of whatever register.
    pub(super) fn next(&mut self) -> Option<Result<Record<'a>, Error>> {
        Some(match self {
            Self::Tcg(log, _) => log.next()?.map(Record::Tcg),
            Self::Cel(log) => log.next()?.map(Record::Cel),
            Self::Aael(log) => log.next()?.map(Record::Aael),
            Self::Systemd(log) => log.next()?.map(Record::Systemd),
            Self::Dstack(log) => log.next()?.map(Record::Dstack),
            Self::DstackEvents(log) => log.next()?.map(Record::Dstack),
            Self::Ima(list, ..) => list.next()?.map(Record::Ima),
            Self::Records(lines, count) => loop {
                // Only those are walked that a replay has found well-formed.
                let line = lines.next()?.ok()?;
                let (bytes, is_sync) = match line.line {
                    Line::Record(bytes) => (bytes, false),
                    Line::Sync(_) => (line.bytes, true),
                    Line::Blank | Line::Comment(_) | Line::Note(_) => continue,
                };
                *count = count.saturating_add(1);
                let (record, line, offset) = (*count, line.number, line.offset);
                let position = replay::Position { record, line, offset };
                return Some(Ok(Record::Record { bytes, position, is_sync }));
            },
        })
    }

    /// What a record does to the register.
    pub(super) fn effect(
        &self,
        record: &Record<'a>,
        register: RegisterIndex,
        banks: &Banks,
    ) -> Result<Effect, ErrorKind> {
        let replayed = |replayed: &dyn Fn(&Banks) -> Effect, of: cel::Register| {
            if Some(of) == cel_register(register) { replayed(banks) } else { Effect::None }
        };
        Ok(match (self, record) {
            (Self::Tcg(_, platform), Record::Tcg(event)) => {
                tcg_effect(event, *platform, register, banks)
            }
            (Self::Ima(_, pcr, banks), Record::Ima(entry)) if entry.pcr() == *pcr => {
                ima_effect(entry, banks)?
            }
            (_, Record::Cel(record)) => replayed(&|banks| record.effect(banks), record.register()),
            (_, Record::Aael(line)) => replayed(&|banks| line.effect(banks), line.register()),
            (_, Record::Systemd(one)) => replayed(&|banks| one.effect(banks), one.register()),
            (_, Record::Dstack(event)) => replayed(&|banks| event.effect(banks), event.register()),
            _ => Effect::None,
        })
    }
}

impl Record<'_> {
    /// Where it begins in its log.
    #[must_use]
    pub fn position(&self) -> Position {
        match self {
            Self::Tcg(event) => event.position(),
            Self::Cel(record) => record.position(),
            Self::Aael(line) => line.position(),
            Self::Systemd(measurement) => measurement.position(),
            Self::Dstack(event) => event.position(),
            Self::Ima(entry) => entry.position(),
            Self::Record { position, .. } => at(*position),
        }
    }
}

/// A place in a record log, as this crate counts: records before it.
pub(super) const fn at(position: replay::Position) -> Position {
    let replay::Position { record, line, offset } = position;
    Position { offset, record: record.saturating_sub(1), line }
}

/// How canonical event logs name the register.
pub(super) fn cel_register(register: RegisterIndex) -> Option<cel::Register> {
    let platform = match register {
        RegisterIndex::Pcr(index) => return Some(cel::Register::Pcr(index.number())),
        RegisterIndex::Mrtd | RegisterIndex::Rtmr(_) => Platform::Tdx,
        RegisterIndex::Rim | RegisterIndex::Rem(_) => Platform::Cca,
        RegisterIndex::CcMr(_) => Platform::Cc,
        _ => return None,
    };
    platform.number(register).map(cel::Register::CcMr)
}

fn tcg_effect(
    event: &tcg::UntrustedEvent<'_>,
    platform: Platform,
    register: RegisterIndex,
    banks: &Banks,
) -> Effect {
    if platform.register(event.index()) != Some(register) || event.is_repeated_header() {
        return Effect::None;
    }
    let is_first = RegisterIndex::from_name(b"pcr0") == Some(register);
    if event.is_no_action() {
        let locality = event.startup_locality().filter(|_| is_first);
        let locality = locality.filter(|locality| matches!(locality, 0 | 3 | 4));
        return locality.map_or(Effect::None, Effect::Starts);
    }
    let digests = banks.map(|bank| event.digest(bank?));
    if is_first && event.event_type() == EventType::EFI_HCRTM_EVENT {
        // A root of trust in hardware has measured before (TPM 2.0 Part 1, section 34.3).
        return Effect::StartsAndExtends(4, digests);
    }
    Effect::Extends(digests)
}

fn ima_effect(entry: &ima::UntrustedEntry<'_>, banks: &ima::Banks) -> Result<Effect, ErrorKind> {
    let check = entry.check();
    if check == Check::Mismatch {
        return Err(ErrorKind::TemplateDigest);
    }
    let mut digests = [None; Algorithm::MAX];
    for (digest, bank) in digests.iter_mut().zip(banks.iter()) {
        *digest = Some(match check {
            Check::Violation => bank.violation(),
            _ => bank.digest(entry),
        });
    }
    Ok(Effect::Extends(digests))
}

/// The start value of a register: ones for the PCRs of a dynamic launch, else zeros.
pub(super) fn initial(register: RegisterIndex, bank: Algorithm) -> Digest {
    match register {
        RegisterIndex::Pcr(pcr) if PcrIndex::is_dynamic(pcr) => Digest::ones(bank),
        _ => Digest::zeros(bank),
    }
}
