// SPDX-License-Identifier: MIT OR Apache-2.0
//! The firmware of an SNP machine and its host in software, behind [`tsm_snp::GuestChannel`].
//!
//! - [`Firmware`] opens, checks, counts, answers and seals guest messages as the security processor
//!   does, with real AES-256-GCM; its reports (versions 2, 3 and 5) have real signatures of ECDSA
//!   P-384, by keys that anybody can compute. It never allocates.
//! - [`Host`] carries messages to it and back: it is busy when told so, and has certificates.
//!   [`Hostile`] is a host that does what its schedule of [`Conduct`] says. Both are a
//!   [`GuestChannel`](tsm_snp::GuestChannel); [`Hypervisor`] puts either behind a GHCB, whose pages
//!   are [`SharedPages`] or other [`GuestMemory`].
//! - [`SnpMachine`] is firmware, host, adapter and a register bank in one: a provider.
//!
//! Whatever it makes is marked: measurement, HOST_DATA and the digests are hashes of texts that begin
//! with `SIMULATED`, FAMILY_ID and IMAGE_ID are such texts. With the feature `snp-report`,
//! `authority` has certificates that chain to a root of the simulator's own.
//!
//! ```
//! use tsm_sim::snp::{Chip, Firmware, Host};
//! use tsm_snp::report::Generation;
//! use tsm_snp::{GuestMessages, REPORT_SIZE, Report, ReportRequest, VmpckIndex, Vmpl};
//!
//! # fn main() -> Result<(), tsm_snp::Error> {
//! let firmware = Firmware::new(Chip::new("one", Generation::Milan));
//! let key = firmware.vmpck(VmpckIndex::ALL[0]);
//! let mut guest = GuestMessages::new(key, Host::new(firmware));
//! let mut report = [0; REPORT_SIZE];
//! guest.report(&ReportRequest::new([7; 64], Vmpl::VMPL0), &mut report)?;
//! assert_eq!(Report::parse(&report, Default::default())?.report_data(), &[7; 64]);
//! # Ok(())
//! # }
//! ```
//!
//! Source, unless something else is named: SEV-SNP firmware ABI (56860) and GHCB specification
//! (56421) as coconut-svsm, Linux, project-oak/oak and google/go-sev-guest have them. AMD's documents
//! were not at hand, and nothing here was compared with an SNP machine: the order of the firmware's
//! checks, and which status goes with which, are assumptions where two sources differ.

#[cfg(feature = "snp-report")]
pub mod authority;
mod bytes;
mod chip;
mod firmware;
mod ghcb;
mod guest;
mod host;
mod hostile;
mod machine;
mod memory;
mod message;
mod pages;
mod report;
mod signing;
mod state;
mod sure;

pub use chip::Chip;
pub use firmware::{Firmware, ReportVersion, TcbVersions};
pub use ghcb::Hypervisor;
pub use guest::Guest;
pub use host::{Carrier, Host, Message, Throttle};
pub use hostile::{Conduct, Hostile};
pub use machine::SnpMachine;
pub use memory::{Fault, GuestMemory};
pub use pages::{SharedPage, SharedPages};
