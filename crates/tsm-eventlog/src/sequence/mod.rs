// SPDX-License-Identifier: MIT OR Apache-2.0
//! Several logs that together explain one register.
//!
//! A register is often extended by several parts of a system one after the other, each with a log of
//! its own: firmware with a CCEL, then an agent or the kernel with a record log, or IMA. None of the
//! logs leads from the register's initial value to its present one; all of them together do.
//! [`Sequence`] takes them in the order in which the register was extended, carries each bank's value
//! from one to the next, and says at the end what the authenticated value vouches for.
//!
//! ```
//! use tsm_core::{Algorithm, Digest, log::Limits};
//! use tsm_eventlog::registers::{Platform, RtmrIndex};
//! use tsm_eventlog::sequence::{Begin, Sequence};
//! use tsm_eventlog::tcg::{EventType, Log, NewHeader, Writer};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let bank = Algorithm::Sha384;
//! # let mut value = Digest::zeros(bank);
//! # let mut area = [0; 1024];
//! # let mut writer = Writer::new(&mut area, &NewHeader::ccel(&[bank]))?;
//! # writer.measure_with(3, EventType::IPL, b"kernel", |_| Ok::<_, tsm_eventlog::Error>(()))?;
//! # value.extend(&bank.hash(b"kernel"))?;
//! # let ccel = writer.as_bytes();
//! # let sync = format!("SYNC {value}");
//! # value.extend(&bank.hash(sync.as_bytes()))?;
//! # value.extend(&bank.hash(b"com.example/agent start"))?;
//! # let records = format!("{sync}\n\ncom.example/agent start\n");
//! # let quoted = value;
//! // In life: the CCEL, a record log, and RTMR2 from a verified quote.
//! let mut sequence = <Sequence>::new(RtmrIndex::new(2).unwrap(), &[bank], Begin::Initial)?;
//! sequence.expect(&[quoted])?;
//! sequence.tcg(Log::open(ccel)?, Platform::Tdx)?;
//! sequence.records(records.as_bytes(), Limits::DEFAULT)?;
//! let outcome = sequence.finish();
//!
//! assert_eq!(outcome.holds(), Some(true));
//! assert_eq!(outcome.trusted().count(), 3, "an event, SYNC, a record");
//! # Ok(())
//! # }
//! ```
//!
//! # Contract
//!
//! - A record log's first `SYNC` must capture, and an AAEL's `INIT` must say, exactly what the logs
//!   before lead to. If not, the sequence has ended in an error, and nothing of that log counts.
//! - So has it at the first record that cannot be read or lacks a digest for a bank. The logs before,
//!   and of that log the records before, may still be vouched for, as a prefix.
//! - Nothing is handed out before [`Sequence::finish`]. [`Outcome::trusted`] then gives the records of
//!   the unbroken chain that ends where all expected values were met together, as the replay of a
//!   record log does ([`tsm_core::replay`]).
//! - Without the logs before it, a record log begins midway. Whether that is acceptable is the
//!   caller's policy, given at the beginning: [`Begin`].
//! - Work is linear; the state has a fixed size, about half a kibibyte for each log. Logs are borrowed,
//!   so that what is handed out is what was replayed. To go on later, begin [`At`](Begin::At) the
//!   values of an outcome that held, with the logs that have come since.
//!
//! # What one log can hide of another
//!
//! The value of a register says which digests were extended, and in which order. It does not say which
//! log they are of. Who supplies the logs can take records from the front of a record log and show
//! their digests as events of the firmware's log, with whatever data: most events have digests of
//! something that the log does not hold. (A `SYNC` record that stands before them can be shown so, too;
//! the record log then begins at a later one, or without.) So something may be concluded from what a
//! record log does *not* have, and a virtual register's value is such a conclusion, only if all other
//! logs' events have been appraised. [`Outcome::accounts_for_all`] and
//! [`Outcome::virtual_registers`] know of this.
//!
//! Source: record log specification, R-5.20 and R-5.21 (`docs/spec/record-log.md` of the repository).

mod outcome;
mod run;
mod source;

pub use outcome::{Authenticated, Others, Outcome, Trusted, Withheld};
pub use run::{Begin, Front, Sequence, Step};
pub use source::{Record, SourceKind};
