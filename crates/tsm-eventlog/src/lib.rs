// SPDX-License-Identifier: MIT OR Apache-2.0
//! Readers and replay for the measurement logs the world already has.
//!
//! This crate is about logs that other software writes: the Linux kernel's IMA runtime measurement
//! lists ([`ima`]), firmware's event logs ([`tcg`]), canonical event logs ([`cel`]), what systemd
//! measures in user space ([`systemd`]), and what agents in confidential VMs do ([`aael`],
//! [`dstack`]). It is `no_std`, never allocates, has no `unsafe`, does not panic on any input, and does
//! work linear in the input.
//!
//! # What a log proves
//!
//! A log is a claim. What makes it more is a register's value from signed evidence: if replaying
//! the log gives that value, then the *hashed* parts of its records were extended in that order.
//! So reading and believing are apart here. Readers hand out records whose type says `Untrusted`;
//! only a replay that reached the expected register values hands out the same records as trusted,
//! and only those that the values cover:
//!
//! ```
//! use tsm_core::{Algorithm, Digest};
//! use tsm_eventlog::ima::{Bank, List, Match, Replay};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // In life: the bytes of binary_runtime_measurements, and PCR 10 from a verified quote.
//! let list = b"10 523528417a475325f944362c978bd772330d38e7 ima-ng sha256:\
//!     e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855 /empty\n";
//! let quoted = "sha256/ec35fc5e8ba0646c11170af96b95d00477e847b221c1034274e77cf7e8df93cc".parse()?;
//!
//! let mut replay = <Replay>::new(&[Bank::hashed(Algorithm::Sha256)])?;
//! replay.expect(10, quoted)?;
//! let finished = replay.run(List::open(list)?);
//! if let Some(error) = finished.error() {
//!     return Err(error.into());
//! }
//! for entry in finished.entries() {
//!     println!("{:?} {:?}", entry.check(), entry.name());
//! }
//! assert_eq!(replay.result(10, Algorithm::Sha256), Match::Complete);
//! # Ok(())
//! # }
//! ```
//!
//! [`detect`] tells which kind of log some bytes look like. [`convert`] makes logs of one format from
//! those of another, without loss. [`sequence`] explains one register by several logs.

#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        clippy::as_conversions
    )
)]

pub mod aael;
mod bytes;
pub mod cel;
pub mod convert;
mod detect;
pub mod dstack;
mod error;
pub mod ima;
mod json;
mod limits;
mod out;
pub mod registers;
mod saved;
pub mod sequence;
mod slots;
pub mod systemd;
pub mod tcg;
mod text;

pub use bytes::{Bytes, BytesIter};
pub use detect::{Format, detect};
pub use error::{Error, ErrorKind, Position};
pub use limits::Limits;
pub use text::{Chars, Text};
