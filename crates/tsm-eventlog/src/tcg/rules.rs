// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a record does to the registers, without doing it.

use tsm_core::Algorithm;

use super::event::UntrustedEvent;
use super::event_type::EventType;
use super::finding::{FindingKind, Oddities};
use super::header::{SIGNATURE, SpecId};
use crate::registers::{Platform, RegisterIndex};

/// The last byte of PCR 0's start value after an H-CRTM (TPM 2.0 Library, Part 1, section 34.3).
const HCRTM: u8 = 4;

pub(super) type Banks = [Option<Algorithm>; Algorithm::MAX];

/// What must be known of the records before to say what the next one does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Rules {
    pub(super) platform: Platform,
    pub(super) banks: Banks,
    /// The start-up locality that counts.
    pub(super) locality: Option<u8>,
    /// Whether PCR 0's start value is settled: it has events, or the caller has set it.
    pub(super) is_settled: bool,
}

/// Where oddities go: into a set, or nowhere and then nobody looks for them.
pub(super) trait Odd {
    const IS_WANTED: bool;

    fn add(&mut self, kind: FindingKind);
}

impl Odd for Oddities {
    const IS_WANTED: bool = true;

    #[cold]
    fn add(&mut self, kind: FindingKind) {
        self.insert(kind);
    }
}

impl Odd for () {
    const IS_WANTED: bool = false;

    fn add(&mut self, _: FindingKind) {}
}

/// What a record does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Step {
    /// Nothing.
    Skip,
    /// PCR 0 starts with this last byte.
    Start(u8),
    /// The register at this place is extended, after starting anew with this last byte if given.
    Extend { place: usize, start: Option<u8> },
}

impl Rules {
    pub(super) fn header(header: &SpecId<'_>) -> Oddities {
        let mut odd = Oddities::default();
        if header.index > 1 {
            odd.add(FindingKind::HeaderIndex);
        }
        if !header.has_zero_digest {
            odd.add(FindingKind::HeaderDigest);
        }
        if !header.has_signature {
            odd.add(FindingKind::HeaderSignature);
        }
        odd
    }

    #[inline]
    pub(super) fn look<O: Odd>(&mut self, event: &UntrustedEvent<'_>, odd: &mut O) -> Step {
        if event.is_header {
            odd.add(FindingKind::RepeatedHeader);
            return Step::Skip;
        }
        if event.digests().len() != event.digests().listed() {
            odd.add(FindingKind::DigestCount);
        }
        if event.is_no_action() {
            return self.no_action(event, odd);
        }
        let Some(place) = self.platform.place(event.index()) else {
            odd.add(FindingKind::NoSuchRegister);
            return Step::Skip;
        };
        if place == 0 && self.platform != Platform::Tpm {
            odd.add(FindingKind::StaticRegister);
            return Step::Skip;
        }
        if O::IS_WANTED {
            for algorithm in self.banks.into_iter().flatten() {
                if event.digest(algorithm).is_none() {
                    odd.add(FindingKind::MissingDigest(algorithm));
                }
            }
        }
        let start = if place == 0 { self.first_register(event, odd) } else { None };
        Step::Extend { place: usize::try_from(place).unwrap_or(usize::MAX), start }
    }

    fn first_register<O: Odd>(&mut self, event: &UntrustedEvent<'_>, odd: &mut O) -> Option<u8> {
        let is_settled = core::mem::replace(&mut self.is_settled, true);
        if event.event_type() != EventType::EFI_HCRTM_EVENT {
            return None;
        }
        if is_settled {
            odd.add(FindingKind::HcrtmLate);
            return None;
        }
        if self.locality.is_some_and(|known| known != HCRTM) {
            odd.add(FindingKind::LocalityDiffers);
        }
        Some(HCRTM)
    }

    #[cold]
    fn no_action<O: Odd>(&mut self, event: &UntrustedEvent<'_>, odd: &mut O) -> Step {
        if event.data().starts_with(&SIGNATURE) {
            odd.add(FindingKind::RepeatedHeader);
        }
        if self.platform.register(event.index()).is_none() {
            odd.add(FindingKind::NoActionIndex);
        }
        let is_set = |(_, digest): (u16, &[u8])| digest.iter().any(|&byte| byte != 0);
        if O::IS_WANTED && event.digests().iter().any(is_set) {
            odd.add(FindingKind::NoActionDigest);
        }
        let is_pcr0 = self.platform == Platform::Tpm && event.index() == 0;
        let Some(locality) = event.startup_locality().filter(|_| is_pcr0) else {
            return Step::Skip;
        };
        if !matches!(locality, 0 | 3 | 4) {
            odd.add(FindingKind::LocalityUnknown);
        } else if self.locality.is_some_and(|known| known != locality) {
            odd.add(FindingKind::LocalityDiffers);
        } else if self.locality.is_none() && self.is_settled {
            odd.add(FindingKind::LocalityLate);
        } else if self.locality.is_none() {
            self.locality = Some(locality);
            return Step::Start(locality);
        }
        Step::Skip
    }

    /// The register of a record, for a finding.
    pub(super) fn register(&self, event: &UntrustedEvent<'_>) -> Option<RegisterIndex> {
        self.platform.register(event.index())
    }
}
