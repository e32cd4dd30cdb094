// SPDX-License-Identifier: MIT OR Apache-2.0
//! Conversion of logs from one format into another: without loss, or refused.
//!
//! | from | to | function | and back |
//! |---|---|---|---|
//! | record log | TCG2, CCEL | [`records_to_tcg`] | [`tcg_to_records`] |
//! | record log | CEL | [`records_to_cel`] | [`cel_to_records`] |
//! | TCG2, CCEL, SHA-1 format | CEL | [`tcg_to_cel`] | [`cel_to_tcg`] |
//! | IMA list, binary or text | CEL | [`ima_to_cel`] | [`cel_to_ima`], binary |
//! | AAEL, text | TCG2, CCEL | [`aael_to_tcg`] | [`tcg_to_aael`] |
//! | AAEL, text | CEL | [`aael_to_cel`] | [`cel_to_aael`] |
//! | systemd's log | CEL, JSON only | [`systemd_to_cel`] | [`cel_to_systemd`] |
//! | CEL | CEL of another encoding | [`cel::Writer::push_all`](crate::cel::Writer::push_all) | the same |
//!
//! Two steps make the others: an IMA list becomes a part of one canonical event log with the
//! firmware's, by two calls with one writer.
//!
//! ```
//! use tsm_core::{Algorithm, Digest};
//! use tsm_eventlog::convert::{Output, Reason, RecordLayout, records_to_tcg, tcg_to_records};
//! use tsm_eventlog::registers::{Platform, RtmrIndex};
//! use tsm_eventlog::tcg::{Log, NewHeader, Writer};
//! use tsm_eventlog::{Error, ErrorKind};
//!
//! # fn main() -> Result<(), Error> {
//! let bank = Algorithm::Sha384;
//! let start = [Digest::zeros(bank)];
//! let log = format!("SYNC {}\n\ncom.example/agent start\n", start[0]);
//! let rtmr3 = (Platform::Tdx, RtmrIndex::new(3).unwrap().into());
//!
//! let mut area = [0; 4096];
//! let mut writer = Writer::new(&mut area, &NewHeader::ccel(&[bank]))?;
//! records_to_tcg(log.as_bytes(), &RecordLayout::new(&start), rtmr3, &mut writer)?;
//! let ccel = Log::open(writer.as_bytes())?;
//! assert_eq!(ccel.clone().count(), 2, "the SYNC record is one, too");
//!
//! let mut buffer = [0; 4096];
//! let mut out = Output::new(&mut buffer);
//! tcg_to_records(ccel, rtmr3, &RecordLayout::new(&start), &mut out)?;
//! assert_eq!(out.as_bytes(), log.as_bytes());
//!
//! // What has no place there stops it, and is named.
//! let noted = format!("{log}# restarted\n");
//! let layout = RecordLayout::new(&start);
//! let error = records_to_tcg(noted.as_bytes(), &layout, rtmr3, &mut writer).unwrap_err();
//! assert_eq!(error.kind(), ErrorKind::NotCarried(Reason::Informative));
//! assert_eq!(error.line(), Some(4));
//! # Ok(())
//! # }
//! ```
//!
//! # Contract
//!
//! - What is written means the same: it has the same records in the same order, and its replay gives
//!   the same values in every bank that the source's replay gives a value for.
//! - The way back gives the source again: its bytes, or where its format leaves a choice (below), its
//!   records.
//! - What cannot be carried is refused with [`ErrorKind::NotCarried`](crate::ErrorKind::NotCarried)
//!   and a [`Reason`], at its position in the *source*; so is everything that is wrong with the
//!   source, and a target that is full. Nothing is left out in silence.
//! - Records are converted one by one. After an error the target holds those before it, as a whole
//!   log. Work is linear; nothing is allocated; the target is a buffer of the caller.
//! - Nothing is authenticated here. A conversion of a log that is not to be trusted is a log that is
//!   not to be trusted, and its replay says so.
//!
//! # Records as events
//!
//! A record of a record log, and a line of AAEL's text, becomes one event: its data are exactly the
//! line without its line feed, its digests the line's hashes, its type
//! [`EV_IPL`](crate::tcg::RECORD), in CEL as `pcclient_std`. Replaying it needs nothing but the
//! digests, so every tool that replays the format replays it. `EV_EVENT_TAG`, the other type that
//! software above firmware writes, has a tag and a length before the text, which would have to be
//! hashed too: then the digest were another than the register's. (AAEL's own form in TCG2 is of that
//! kind, [`aael::Tagged`](crate::aael::Tagged): its digests are not those of the text form, so neither
//! converts into the other.)
//!
//! The way back takes only events that are of this form, and only if each digest is the hash of the
//! data. The type is not covered by a digest and proves nothing; another one is refused because it
//! would be lost.
//!
//! A record log must begin with a `SYNC` record of the register's start values and may have no gap, no
//! note and no informative line (record log specification, section 7). Blank lines mean nothing and
//! are not hashed; the way back writes them where the writer of a record log would, had all records
//! been appended in one call: around `SYNC` records.
//!
//! # What each format leaves open
//!
//! - A TCG log in memory has filler behind it; a converted one has none. Its Spec ID event becomes
//!   the first record of a canonical event log, as `EV_NO_ACTION` with its SHA-1 digest, so that the
//!   way back has it. That is what `cel_util` writes, too. A record log has no place for it, because it
//!   tells nothing about the register: whoever writes the target chooses it.
//! - Numbers of records in CEL: [`Numbering`].
//! - The last line of an AAEL log may lack its line feed, or not; what is written has it. Text lists
//!   of IMA come back as binary ones. JSON and CBOR that were written in another than the shortest form
//!   come back in that.

mod aael;
mod ima;
mod lines;
mod numbering;
mod output;
mod reason;
mod record;
mod systemd;
mod tcg;

pub use aael::{aael_to_cel, aael_to_tcg, cel_to_aael, tcg_to_aael};
pub use ima::{cel_to_ima, ima_to_cel};
pub use numbering::Numbering;
pub use output::Output;
pub use reason::Reason;
pub use record::{RecordLayout, cel_to_records, records_to_cel, records_to_tcg, tcg_to_records};
pub use systemd::{cel_to_systemd, systemd_to_cel};
pub use tcg::{TcgHeader, cel_to_tcg, tcg_to_cel};
