// SPDX-License-Identifier: MIT OR Apache-2.0
//! Linux IMA runtime measurement lists.
//!
//! IMA (the kernel's Integrity Measurement Architecture) hashes files before they are used, appends
//! a record to a list in kernel memory and extends a PCR with the record's *template digest*. The
//! list is read from `/sys/kernel/security/ima/`, in binary or as text, with template digests in
//! SHA-1 or, since Linux 6.10, in each bank's own hash.
//!
//! - [`Binary`] and [`Ascii`] read lists; [`List`] is either. They yield [`UntrustedEntry`].
//! - [`Replay`] recomputes PCR values for any banks in one pass, compares them with expected values,
//!   and hands out [`Entry`]s.
//! - [`Template`] and [`Field`] give the records' contents, typed.
//!
//! # What to know before relying on a list
//!
//! - The kernel appends first and extends then. A list read after a quote is often ahead of it: the
//!   quote then covers a prefix ([`Match::Prefix`]). A list behind a quote is a mismatch: read later.
//! - Violation records (the same file open for writing and being measured) have a zero template
//!   digest and extend a PCR with ones. No digest covers their contents ([`Check::Violation`]).
//! - No digest covers template names ([`Template`]).
//! - Kernels before 5.8, and newer ones for hashes that were not available at start, extend banks
//!   with a padded SHA-1 digest: choose a [`BankRule`] for each bank.
//! - File names hold any byte but NUL and, as a rule, space.
//!
//! Sources: Linux 6.12 `security/integrity/ima/` (`ima_fs.c`, `ima_template.c`,
//! `ima_template_lib.c`, `ima_crypto.c`, `ima_queue.c`, `ima_kexec.c`) as its behaviour was seen in
//! lists of known PCR values. Inferred from the source alone, without a list to test with:
//! [`Endian::Big`], [`KexecHeader`], [`BankRule::PaddedSha1Legacy`].

mod ascii;
mod assemble;
mod binary;
mod entry;
mod field;
mod list;
mod register;
mod replay;
mod saved;
mod template;

pub use ascii::Ascii;
pub(crate) use ascii::Head;
pub use binary::{Binary, KexecHeader, Layout};
pub use entry::{Check, Entry, Fields, UntrustedEntry};
pub use field::{Field, FileDigest, Value};
pub use list::{Endian, List};
pub(crate) use register::Banks;
pub use register::{Bank, BankRule, Match, Register};
pub use replay::{Entries, Finished, Replay};
pub use template::{FieldId, MAX_FIELDS, MAX_NAME, Template};

/// The highest PCR number IMA accepts in a policy (`INVALID_PCR`, Linux
/// `security/integrity/ima/ima_policy.c`, on 64-bit machines).
pub(crate) const MAX_PCR: u32 = 63;
