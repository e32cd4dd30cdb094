// SPDX-License-Identifier: MIT OR Apache-2.0
//! The layout of attestation tokens: CBOR, borrowed, without an allocation.
//!
//! A token is a collection ([`Token`]) of two COSE_Sign1 ([`Sign1`]): one of the platform, whose
//! challenge names the realm's key, and one of the realm, signed with that key and carrying its
//! measurements. Both forms of the collection and both forms of the key are read.
//!
//! Reading is strict: one item and nothing behind it, definite lengths, distinct labels, every known
//! claim of its type and size, every mandatory claim there, known profiles only. Unknown claims are
//! kept and can be listed ([`Others`]). **No signature is verified here**: the parts that a verifier
//! needs are handed out as they stand.
//!
//! No panic on any input, no allocation, work linear in the input.

mod cbor;
mod collection;
mod cose;
mod key;
mod part;
mod platform;
mod profile;
mod realm;
mod rules;

pub use cbor::{Label, Others};
pub use collection::{Form, Half, Token, binds_key};
pub use cose::{SigStructure, Sign1, SignatureAlgorithm};
pub use key::{Curve, KeyForm, RealmKey};
pub use part::Part;
pub use platform::{Component, Components, Lifecycle, LifecycleState, PlatformClaims};
pub use profile::{PlatformProfile, RealmProfile, profile};
pub use realm::{MecPolicy, RealmClaims};
pub use rules::{HashSizes, Limits, Rules};
