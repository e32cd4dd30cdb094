// SPDX-License-Identifier: MIT OR Apache-2.0
//! A virtual processor: its attestation operation.

use core::fmt;

/// Most bytes of a token that a monitor can hold: two granules.
pub const TOKEN_MAX: usize = 8192;

/// How many virtual processors a realm has.
pub(super) const RECS: usize = 2;

/// A virtual processor (REC), of which the monitor knows the attestation operation only (DEN0137
/// 1.0-rel0, A7.2.1).
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Rec {
    token: [u8; TOKEN_MAX],
    /// Size of the token; `None` if none is being made.
    size: Option<usize>,
    /// How much of it the realm has.
    sent: usize,
    /// So many calls give nothing yet.
    pub(super) idle: u32,
}

impl Rec {
    pub(super) const IDLE: Self = Self { token: [0; TOKEN_MAX], size: None, sent: 0, idle: 0 };

    /// Where the next token is written; the one before is gone.
    pub(super) fn begin(&mut self) -> &mut [u8] {
        self.end();
        &mut self.token
    }

    /// A token of this size is there.
    pub(super) const fn made(&mut self, size: usize, idle: u32) {
        (self.size, self.sent, self.idle) = (Some(size), 0, idle);
    }

    /// What the realm does not have yet; `None` if no token is being made.
    pub(super) fn rest(&self) -> Option<&[u8]> {
        self.token.get(self.sent..self.size?)
    }

    /// The realm has so many bytes more. `true` if it has all now, and the operation is over.
    pub(super) fn send(&mut self, count: usize) -> bool {
        self.sent = self.sent.saturating_add(count);
        let complete = self.rest().is_none_or(<[u8]>::is_empty);
        if complete {
            self.end();
        }
        complete
    }

    /// No token is being made any more.
    pub(super) const fn end(&mut self) {
        (self.size, self.sent, self.idle) = (None, 0, 0);
    }
}

impl fmt::Debug for Rec {
    /// Without the token's bytes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { token: _, size, sent, idle } = self;
        let mut rec = f.debug_struct("Rec");
        rec.field("size", size).field("sent", sent).field("idle", idle).finish_non_exhaustive()
    }
}
