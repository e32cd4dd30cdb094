// SPDX-License-Identifier: MIT OR Apache-2.0
//! An event that a replay vouches for.

use core::fmt;

use tsm_core::{Algorithm, Digest};

use super::event::UntrustedEvent;
use super::rules::Banks;
use crate::error::Position;
use crate::registers::RegisterIndex;

/// An event that the expected register values cover: handed out by
/// [`Finished::events`](super::Finished::events) only.
///
/// Trusted are its register, its place among that register's events, and its digests in the banks
/// that have an expected value. Never covered is its type: what the log says it is, anybody who can
/// alter the log could have written. Its data are covered only as far as a trusted digest is made from
/// them: [`coverage`](Self::coverage). All else is behind [`untrusted`](Self::untrusted).
#[derive(Clone, Copy)]
pub struct Event<'a> {
    pub(super) untrusted: UntrustedEvent<'a>,
    pub(super) register: RegisterIndex,
    pub(super) banks: Banks,
}

impl<'a> Event<'a> {
    /// The register that it was extended to.
    #[must_use]
    pub const fn register(&self) -> RegisterIndex {
        self.register
    }

    /// The digest in a bank, if that bank's expected value covers it. The record's digests in other
    /// banks may be anything.
    #[must_use]
    pub fn digest(&self, algorithm: Algorithm) -> Option<Digest> {
        self.banks.contains(&Some(algorithm)).then(|| self.untrusted.digest(algorithm))?
    }

    /// The digests that are covered.
    pub fn digests(&self) -> impl Iterator<Item = Digest> {
        self.banks.iter().flatten().filter_map(|&algorithm| self.untrusted.digest(algorithm))
    }

    /// All that the record says: its type, and data that may not be covered.
    #[must_use]
    pub const fn untrusted(&self) -> &UntrustedEvent<'a> {
        &self.untrusted
    }

    /// Where the record begins.
    #[must_use]
    pub const fn position(&self) -> Position {
        self.untrusted.position()
    }
}

impl fmt::Debug for Event<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Event")
            .field("register", &format_args!("{}", self.register))
            .field("untrusted", &self.untrusted)
            .finish()
    }
}
