// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a monitor may do otherwise.

use tsm_cca::{RemRule, Status, Version};

/// What a monitor does otherwise than the text of 1.0-rel0 says, or as badly as it is free to. All of
/// it has been read in some monitor's source, except where it says "made up".
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Quirks {
    /// How REMs are extended.
    pub rule: RemRule,
    /// What `RSI_MEASUREMENT_READ` leaves beyond the hash's size.
    pub upper: Upper,
    /// `RSI_REALM_CONFIG` says SHA-512 in a realm of SHA-384 (TF-RMM's main branch).
    pub misreports_sha384: bool,
    /// `RSI_REALM_CONFIG` does not tell the RPV (before 1.0-rel0).
    pub hides_personalization: bool,
    /// Revisions of the RSI that there are, ascending. Of none, every request is refused.
    pub revisions: &'static [Version],
    /// A request for another revision is answered with the highest only, never with the next below
    /// (TF-RMM).
    pub offers_highest: bool,
    /// So many calls of `RSI_ATTESTATION_TOKEN_CONTINUE` give no byte before a token's first, as if
    /// interrupts came while it is signed.
    pub idle: u32,
    /// Most bytes that a call of `RSI_ATTESTATION_TOKEN_CONTINUE` gives. With 0, no token is ever
    /// complete (made up).
    pub chunk: usize,
    /// `RSI_ATTESTATION_TOKEN_CONTINUE` with room for no byte is `RSI_SUCCESS` (TF-RMM 1.0-eac5)
    /// instead of `RSI_INCOMPLETE`. The operation goes on.
    pub empty_is_success: bool,
    /// `RSI_ATTESTATION_TOKEN_CONTINUE` claims one byte more than there was room (made up).
    pub overclaims: bool,
    /// `RSI_ATTESTATION_TOKEN_INIT` fails so.
    pub init_fails: Option<Status>,
    /// `RSI_ATTESTATION_TOKEN_CONTINUE` fails so (TF-RMM says `RSI_ERROR_INPUT` if it cannot assemble
    /// a token), and the operation is over.
    pub continue_fails: Option<Status>,
}

impl Quirks {
    /// None of them: RSI 1.0 and 1.1, tokens by the granule, REMs as all known monitors extend them.
    pub const NONE: Self = Self {
        rule: RemRule::Unpadded,
        upper: Upper::Zeros,
        misreports_sha384: false,
        hides_personalization: false,
        revisions: &[Version::V1_0, Version::V1_1],
        offers_highest: false,
        idle: 0,
        chunk: 4096,
        empty_is_success: false,
        overclaims: false,
        init_fails: None,
        continue_fails: None,
    };
}

impl Default for Quirks {
    fn default() -> Self {
        Self::NONE
    }
}

/// What stands in X1 to X8 beyond a measurement.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Upper {
    /// Zeros, as the specification wants it.
    Zeros,
    /// What the caller had there, in X4 to X7 (TF-RMM since v0.9.0, by reading its
    /// `runtime/core/exit.c`).
    Callers,
    /// This byte everywhere (made up).
    Filled(u8),
}
