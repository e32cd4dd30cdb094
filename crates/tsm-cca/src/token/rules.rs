// SPDX-License-Identifier: MIT OR Apache-2.0
//! How strictly a token is read.

/// How strictly a token is read. The default is right for evidence.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Rules {
    /// What is too much.
    pub limits: Limits,
    /// Whether measurements must have the size of the realm's hash.
    pub hash_sizes: HashSizes,
}

impl Rules {
    /// For evidence.
    pub const STRICT: Self = Self { limits: Limits::DEFAULT, hash_sizes: HashSizes::Exact };
}

/// What a token may have at most. A map has at most 32 labels in any case.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Bytes of the whole token. Those of TF-RMM have 1.1 to 2.5 KB; newer ones may carry
    /// certificates.
    pub bytes: usize,
    /// Software components of a platform.
    pub components: u64,
}

impl Limits {
    /// 64 KiB, 64 components.
    pub const DEFAULT: Self = Self { bytes: 64 * 1024, components: 64 };
}

impl Default for Limits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// Which sizes RIM and REMs may have.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug)]
pub enum HashSizes {
    /// That of the hash that claim 44236 names.
    #[default]
    Exact,
    /// 32, 48 or 64 bytes, whatever claim 44236 says. Tokens of some demonstrations (Veraison's) say
    /// SHA-256 and have 64 bytes. [`RealmClaims::rem`](super::RealmClaims::rem) gives no digest
    /// then.
    Any,
}
