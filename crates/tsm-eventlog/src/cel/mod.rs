// SPDX-License-Identifier: MIT OR Apache-2.0
//! Canonical event logs of the Trusted Computing Group (CEL 1.1), in TLV, CBOR and JSON.
//!
//! One form for records of firmware, of IMA, of systemd and of others: a number, a register, a digest
//! for each of its banks, and content of some type. Google's Confidential Space writes them as TLV,
//! systemd's `systemd-pcrlock log` as JSON.
//!
//! - [`Log`] reads logs of any [`Encoding`]. It yields [`UntrustedRecord`].
//! - [`Replay`] computes register values for any banks in one pass, compares them with expected
//!   values, and tells which records they cover. Other logs with recorded digests, systemd's
//!   ([`systemd`](crate::systemd)) and those of agents ([`aael`](crate::aael),
//!   [`dstack`](crate::dstack)), are replayed by it too, also one behind the other.
//! - [`Writer`] writes, and converts between the encodings.
//!
//! # What to know before relying on a log
//!
//! - A digest covers the content's data at most ([`Record::check`]): never its type, the record's
//!   number, or an event's type. Who can alter the log can turn any content into one that a verifier
//!   takes for something else, if its data allows that.
//! - A bank for which a record has no digest is not extended with it: the replay says so
//!   ([`Replay::result`]), and such records are never trusted because of that bank.
//! - systemd leaves events of the type `EV_NO_ACTION` out when it writes JSON, and with them the
//!   start-up locality: PCR 0 of a machine that started from locality 3 does not replay unless
//!   [`Replay::start`] is given its start value.
//!
//! # What this crate adds to the specification
//!
//! TLV type 108 for a register is Google's; as key in CBOR, and as `ccmr` in JSON, it is this crate's.
//! Content whose type has no name, or that is not known, is written in JSON with the type's number and
//! hexadecimal, in CBOR with a byte string. That, and all else, converts there and back; what does
//! not is refused ([`ErrorKind::NotRepresentable`](crate::ErrorKind::NotRepresentable)). What TLV does
//! not keep is the width of integers.
//!
//! Sources: the specification's text was not at hand; its rules are those of go-eventlog, libcel,
//! `cel_util`, systemd, and a Rust crate that quotes CEL 1.1 (`eventlogs.md` section 3), as seen in
//! logs of known register values.

mod cbor;
mod content;
mod cos;
mod digests;
mod json;
mod log;
mod record;
mod replay;
mod tlv;
mod writer;

pub use content::{
    Content, Dialect, EventLabel, Management, Managements, ManagementsIter, Other, StateTransition,
    Value,
};
pub use cos::{Cos, CosKind};
pub(crate) use digests::hex;
pub use digests::{Digests, DigestsIter, RecordedDigest};
pub(crate) use json::put_digests;
pub use log::{Encoding, Log};
pub use record::{Check, Label, Record, Register, UntrustedRecord};
pub(crate) use replay::sealed::{Effect, Replayed as ReplayedSeal};
pub use replay::{Finished, Match, RegisterState, Replay, Replayed, Trusted, TrustedRecords};
pub use writer::Writer;
