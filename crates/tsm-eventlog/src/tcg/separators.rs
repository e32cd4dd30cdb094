// SPDX-License-Identifier: MIT OR Apache-2.0
//! Where separators stand, told by their digests.

use core::fmt;
use core::iter::FusedIterator;

use tsm_core::{Algorithm, Digest};

use super::data::Separator;
use super::event_type::EventType;
use super::finished::{Events, Finished};
use super::rules::Banks;
use super::trusted::Event;
use crate::error::Position;
use crate::registers::RegisterIndex;

/// An event that is a separator, or says so.
///
/// Register, place and digest are trusted. A separator's digest is that of one of three known values,
/// so a separator cannot be hidden by giving it another type.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub struct SeparatorEvent {
    /// The register.
    pub register: RegisterIndex,
    /// Where the record begins.
    pub position: Position,
    /// What the digest tells.
    pub kind: SeparatorKind,
}

/// What an event's digest tells about its being a separator.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum SeparatorKind {
    /// It is one, and the log says so.
    Separator(Separator),
    /// The digest is that of one, and the log says that it is of another type. A finding: the log was
    /// altered, or firmware measured these four bytes as something else. That was seen once, of a
    /// record of the firmware interface table in PCR 0.
    Disguised(Separator),
    /// The log says that it is one, but the digest is of something else: the log was altered, or
    /// firmware met an error that it has a value of its own for. A finding.
    OtherDigest,
    /// It is one in some banks and not in others. A finding.
    BanksDiffer,
}

impl SeparatorKind {
    /// A name for programs that does not change: `other_digest`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Separator(_) => "separator",
            Self::Disguised(_) => "disguised",
            Self::OtherDigest => "other_digest",
            Self::BanksDiffer => "banks_differ",
        }
    }

    /// Whether something is wrong with it.
    #[must_use]
    pub const fn is_finding(self) -> bool {
        !matches!(self, Self::Separator(_))
    }
}

impl fmt::Display for SeparatorEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.register)?;
        match self.kind {
            SeparatorKind::Separator(separator) => write!(f, "separator {separator}")?,
            SeparatorKind::Disguised(separator) => {
                write!(f, "separator {separator} by its digest, shown as another type")?;
            }
            SeparatorKind::OtherDigest => f.write_str("shown as separator, with another digest")?,
            SeparatorKind::BanksDiffer => f.write_str("a separator in some banks only")?,
        }
        write!(f, " (record {}, byte {})", self.position.record, self.position.offset)
    }
}

/// Where the separator of a register stands.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Boundary {
    /// Nowhere among the trusted events.
    None,
    /// At one place.
    At(Position, Separator),
    /// At several. Registers of confidential VMs take the events of several PCRs and a separator for
    /// each. What is before the first was measured before all of these separators.
    Several {
        /// The first.
        first: Position,
        /// How many there are.
        count: u64,
    },
    /// Something is wrong: the first finding.
    Finding(SeparatorEvent),
}

impl<'a, const REGISTERS: usize> Finished<'_, 'a, REGISTERS> {
    /// The separators among the trusted events of all registers, and the findings about them. Walks the
    /// log again and hashes nothing but the known values.
    #[must_use]
    pub fn separators(&self) -> Separators<'a, REGISTERS> {
        Separators { events: self.events(), known: KnownSeparators::new(&self.banks()) }
    }

    /// Where the separator of a register stands. Walks the log again.
    #[must_use]
    pub fn separator_of(&self, register: impl Into<RegisterIndex>) -> Boundary {
        let register = register.into();
        let mut found = Boundary::None;
        for event in self.separators().filter(|event| event.register == register) {
            let SeparatorKind::Separator(separator) = event.kind else {
                return Boundary::Finding(event);
            };
            found = match found {
                Boundary::None => Boundary::At(event.position, separator),
                Boundary::At(first, _) => Boundary::Several { first, count: 2 },
                Boundary::Several { first, count } => {
                    Boundary::Several { first, count: count.saturating_add(1) }
                }
                finding @ Boundary::Finding(_) => finding,
            };
        }
        found
    }
}

/// The iterator of [`Finished::separators`].
#[derive(Clone)]
pub struct Separators<'a, const REGISTERS: usize> {
    events: Events<'a, REGISTERS>,
    known: KnownSeparators,
}

impl<const REGISTERS: usize> Iterator for Separators<'_, REGISTERS> {
    type Item = SeparatorEvent;

    fn next(&mut self) -> Option<SeparatorEvent> {
        loop {
            let event = self.events.next()?;
            let (register, position) = (event.register(), event.position());
            if let Some(kind) = self.known.kind(&event) {
                return Some(SeparatorEvent { register, position, kind });
            }
        }
    }
}

impl<const REGISTERS: usize> FusedIterator for Separators<'_, REGISTERS> {}

impl<const REGISTERS: usize> fmt::Debug for Separators<'_, REGISTERS> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.clone()).finish()
    }
}

/// The digests of known values, one row for each bank.
#[derive(Clone)]
pub(super) struct KnownDigests<const N: usize>([Option<[Digest; N]>; Algorithm::MAX]);

impl<const N: usize> KnownDigests<N> {
    pub(super) fn new(banks: &Banks, values: [&[u8]; N]) -> Self {
        Self(banks.map(|bank| bank.map(|bank| values.map(|value| bank.hash(value)))))
    }

    /// For which of the values the event's trusted digests are; `Err` if they are not all for the
    /// same.
    pub(super) fn find(&self, event: &Event<'_>) -> Result<Option<usize>, ()> {
        let place = |digest: Digest| {
            let rows = self.0.iter().flatten();
            rows.filter_map(|row| row.iter().position(|known| *known == digest)).next()
        };
        let mut places = event.digests().map(place);
        let first = places.next().flatten();
        if places.all(|other| other == first) { Ok(first) } else { Err(()) }
    }
}

/// The digests of separators.
#[derive(Clone)]
pub(super) struct KnownSeparators(KnownDigests<3>);

impl KnownSeparators {
    pub(super) fn new(banks: &Banks) -> Self {
        let [zeros, ones, windows] = Separator::ALL.map(Separator::bytes);
        Self(KnownDigests::new(banks, [&zeros, &ones, &windows]))
    }

    /// `None` if the event is no separator and does not say so.
    pub(super) fn kind(&self, event: &Event<'_>) -> Option<SeparatorKind> {
        let is_typed = event.untrusted().event_type() == EventType::SEPARATOR;
        match self.0.find(event) {
            Err(()) => Some(SeparatorKind::BanksDiffer),
            Ok(None) => is_typed.then_some(SeparatorKind::OtherDigest),
            Ok(Some(place)) => {
                let separator = *Separator::ALL.get(place)?;
                Some(match is_typed {
                    true => SeparatorKind::Separator(separator),
                    false => SeparatorKind::Disguised(separator),
                })
            }
        }
    }
}
