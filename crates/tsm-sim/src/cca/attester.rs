// SPDX-License-Identifier: MIT OR Apache-2.0
//! Who makes tokens for the monitor.

use super::RealmState;

/// What stands below a monitor and makes its tokens: the platform, with its keys.
pub trait Attester {
    /// Writes the token over the realm as it is now to the front of `out`, and returns its size in
    /// bytes; `None` if there is none, or no room for it. The monitor then says
    /// `RSI_ERROR_UNKNOWN`.
    fn token(&self, realm: &RealmState, challenge: &[u8; 64], out: &mut [u8]) -> Option<usize>;
}

/// Makes none.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct NoTokens;

impl Attester for NoTokens {
    fn token(&self, _: &RealmState, _: &[u8; 64], _: &mut [u8]) -> Option<usize> {
        None
    }
}
