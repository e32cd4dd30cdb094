// SPDX-License-Identifier: MIT OR Apache-2.0
//! The monitor and its realm: what they are. What they do is in `calls.rs`.

use tsm_core::{Algorithm, Digest};

use super::rec::{RECS, Rec};
use super::{NoTokens, Quirks, RealmState};

/// An RMM with one realm of two virtual processors. See the [module documentation](super).
///
/// | call | |
/// |---|---|
/// | `RSI_VERSION`, `RSI_FEATURES` | whole; no features |
/// | `RSI_MEASUREMENT_READ`, `RSI_MEASUREMENT_EXTEND` | whole |
/// | `RSI_ATTESTATION_TOKEN_INIT`, `RSI_ATTESTATION_TOKEN_CONTINUE` | whole; tokens are the [`Attester`](super::Attester)'s |
/// | `RSI_REALM_CONFIG` | the fields of 1.0; the rest of the granule stays as it was |
/// | `RSI_IPA_STATE_SET`, `RSI_IPA_STATE_GET` | the checks; all protected memory is RAM: a change to that is accepted, one to EMPTY rejected |
/// | `RSI_HOST_CALL` | a host that knows no call: X0 in the structure becomes -1 |
/// | others, those of 1.1 and planes among them | `NOT_SUPPORTED` |
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Monitor<A = NoTokens> {
    pub(super) realm: RealmState,
    pub(super) recs: [Rec; RECS],
    pub(super) current: usize,
    pub(super) quirks: Quirks,
    pub(super) calls: u64,
    pub(super) attester: A,
}

impl Monitor {
    /// A monitor without quirks and without tokens, with a realm of SHA-256 that has just been
    /// started.
    #[must_use]
    pub fn new() -> Self {
        Self::with_realm(sha256())
    }

    /// The same with this realm.
    #[must_use]
    pub const fn with_realm(realm: RealmState) -> Self {
        Self {
            realm,
            recs: [Rec::IDLE; RECS],
            current: 0,
            quirks: Quirks::NONE,
            calls: 0,
            attester: NoTokens,
        }
    }
}

#[allow(clippy::expect_used, reason = "a hash that realms have; a test makes it")]
fn sha256() -> RealmState {
    RealmState::new(Algorithm::Sha256).expect("a hash that realms have")
}

impl Default for Monitor {
    fn default() -> Self {
        Self::new()
    }
}

impl<A> Monitor<A> {
    /// How many virtual processors there are.
    pub const RECS: usize = RECS;

    /// The same monitor with tokens by this attester. None is being made any more.
    #[must_use]
    pub fn with_attester<N>(self, attester: N) -> Monitor<N> {
        let Self { realm, recs: _, current, quirks, calls, attester: _ } = self;
        Monitor { realm, recs: [Rec::IDLE; RECS], current, quirks, calls, attester }
    }

    /// The same monitor with these quirks.
    #[must_use]
    pub const fn with_quirks(mut self, quirks: Quirks) -> Self {
        self.quirks = quirks;
        self
    }

    /// The quirks.
    #[must_use]
    pub const fn quirks(&self) -> &Quirks {
        &self.quirks
    }

    /// The quirks, to be changed.
    pub const fn quirks_mut(&mut self) -> &mut Quirks {
        &mut self.quirks
    }

    /// From now on calls come from this virtual processor, 0 or 1; `None`, and nothing changes, for
    /// others.
    pub const fn enter(&mut self, rec: usize) -> Option<()> {
        if rec >= Self::RECS {
            return None;
        }
        self.current = rec;
        Some(())
    }

    /// The realm.
    #[must_use]
    pub const fn realm(&self) -> &RealmState {
        &self.realm
    }

    /// The realm, as the one who makes the simulation can change it.
    pub const fn realm_mut(&mut self) -> &mut RealmState {
        &mut self.realm
    }

    /// Who makes tokens.
    #[must_use]
    pub const fn attester(&self) -> &A {
        &self.attester
    }

    /// Who makes tokens, to be changed.
    pub const fn attester_mut(&mut self) -> &mut A {
        &mut self.attester
    }

    /// How many calls were made, with success or without.
    #[must_use]
    pub const fn calls(&self) -> u64 {
        self.calls
    }

    /// The measurements as they are, RIM first.
    #[must_use]
    pub const fn values(&self) -> &[Digest; 5] {
        self.realm.values()
    }
}
