// SPDX-License-Identifier: MIT OR Apache-2.0
//! Firmware event logs of the Trusted Computing Group: TCG2 of TPMs, CCEL of confidential VMs, and
//! the older SHA-1 format.
//!
//! Firmware, boot loaders and the kernel's EFI stub measure what they load and configure into
//! registers and note it in a log in memory. Linux shows a TPM's as
//! `/sys/kernel/security/tpm0/binary_bios_measurements` and that of a confidential VM as
//! `/sys/firmware/acpi/tables/data/CCEL`. Both have the same form; the number in a record is a PCR
//! in one and a CC measurement register in the other ([`registers`](crate::registers)).
//!
//! - [`Log`] reads logs. It yields [`UntrustedEvent`].
//! - [`Replay`] recomputes register values for any banks in one pass, compares them with expected
//!   values, says what is odd ([`Finding`]), and hands out [`Event`]s.
//! - [`Writer`] writes logs into a buffer of the caller.
//! - [`data`] decodes what events say, for programs and for display; [`Coverage`] tells how much of that
//!   a digest covers.
//! - [`Finished::separators`] and [`Finished::secure_boot`] draw conclusions that do not rest on
//!   anything an attacker can rewrite.
//! - [`FinalEvents`] and [`CcelTable`] are what else firmware leaves about a log.
//!
//! # What to know before relying on a log
//!
//! - No digest covers an event's type. Who can alter the log can turn any event into one that a
//!   verifier skips.
//! - A digest covers the event's data for some types only, and for some in part: [`Event::coverage`].
//! - Events of the type [`EventType::NO_ACTION`] are not extended, and nothing vouches for them.
//! - Registers can be extended without a record, and are, by operating systems above all.
//!
//! Sources: TCG PC Client Platform Firmware Profile 1.06, TCG EFI Protocol Specification 1.0, UEFI
//! 2.10 chapter 38, as their rules were seen in logs of known register values.

mod acpi;
mod coverage;
mod cut;
pub mod data;
mod event;
mod event_type;
mod final_events;
mod finding;
mod finished;
mod header;
mod log;
mod refusal;
mod register;
mod replay;
mod rules;
mod saved;
mod secure_boot;
mod separators;
mod trusted;
mod writer;

pub use acpi::{CcType, CcelTable};
pub use coverage::{Coverage, Covered, FieldCoverage, Rule};
pub use data::EventData;
pub use event::{Digests, DigestsIter, UntrustedEvent};
pub use event_type::EventType;
pub use final_events::FinalEvents;
pub use finding::{Finding, FindingKind, Oddities};
pub use finished::{Events, Findings, Finished};
pub use header::{AlgorithmList, ListedAlgorithm, SpecId};
pub use log::{End, Layout, Log};
pub(crate) use log::{detect_agile, detect_sha1};
pub use refusal::{Refusal, RefusalKind};
pub use register::Register;
pub use replay::Replay;
pub use secure_boot::{Authorities, Authority, SecureBoot};
pub use separators::{Boundary, SeparatorEvent, SeparatorKind, Separators};
pub use trusted::Event;
pub use tsm_core::replay::Match;
pub use writer::{NewEvent, NewHeader, RECORD, Writer};
