// SPDX-License-Identifier: MIT OR Apache-2.0
//! A token in the making.

use crate::buffer::Granule;
use crate::call::{Call, Smc};
use crate::error::{Error, ErrorKind};
use crate::function::Function;
use crate::realm::Realm;
use crate::status::Status;

/// A token that the RMM is making, to be fetched granule by granule.
///
/// # One virtual processor
///
/// The operation belongs to the virtual processor that began it (DEN0137 1.0-rel0, A7.2.1): all
/// calls until the last piece must be made on the same one. A kernel must not migrate the caller
/// meanwhile; otherwise the RMM says `RSI_ERROR_STATE`, or, if the other one has an operation of its
/// own, continues that. Another token begun on the same processor puts an end to this one; as this
/// value borrows the [`Realm`], it can only be begun past it.
#[derive(Debug)]
pub struct Attestation<'r, S> {
    realm: &'r mut Realm<S>,
    upper_bound: u64,
    /// Calls so far that gave nothing.
    idle: u32,
    complete: bool,
}

impl<'r, S: Smc> Attestation<'r, S> {
    /// How often in all the RMM may be asked and give nothing. It gives nothing when a physical
    /// interrupt, which the host can cause at will, comes while it signs.
    pub const PATIENCE: u32 = 100_000;

    pub(crate) const fn new(realm: &'r mut Realm<S>, upper_bound: u64) -> Self {
        Self { realm, upper_bound, idle: 0, complete: false }
    }

    /// What the RMM says is the most bytes that the token can have. Good for a message; nothing here
    /// relies on it, and neither should an allocation.
    #[must_use]
    pub const fn upper_bound(&self) -> u64 {
        self.upper_bound
    }

    /// The next piece of the token: a whole granule, or less if it is the last; `None` behind the
    /// last. The pieces together are the token.
    ///
    /// # Errors
    ///
    /// After any of these, the token is lost:
    ///
    /// - [`ErrorKind::Monitor`]: `RSI_ERROR_STATE` if it was not begun on this virtual processor;
    ///   TF-RMM says `RSI_ERROR_INPUT` if it cannot assemble a token; `RSI_ERROR_UNKNOWN`.
    /// - [`ErrorKind::Overrun`]: the RMM claims more bytes than it was given room for.
    /// - [`ErrorKind::Stalled`]: more than [`PATIENCE`](Self::PATIENCE) calls without progress.
    /// - The call's.
    pub fn next<'g>(&mut self, granule: &'g mut Granule) -> Result<Option<&'g [u8]>, Error> {
        const FUNCTION: Function = Function::ATTESTATION_TOKEN_CONTINUE;
        let mut filled = 0_usize;
        while !self.complete {
            // A full granule: the rest is for the next one.
            let Some(call) = Call::attestation_token_continue(granule, filled) else { break };
            let after = self.realm.call(call)?;
            let (written, _) = after.pair();
            match after.status() {
                Status::SUCCESS => self.complete = true,
                Status::INCOMPLETE => {}
                // X1 has no meaning with any other.
                status => return Err(Error::of(ErrorKind::Monitor(status), FUNCTION)),
            }
            let overrun = Error::of(ErrorKind::Overrun(written), FUNCTION);
            let sum = usize::try_from(written).ok().and_then(|more| filled.checked_add(more));
            let sum = sum.filter(|&sum| sum <= Granule::SIZE).ok_or(overrun)?;
            self.idle = self.idle.saturating_add(u32::from(sum == filled));
            filled = sum;
            if self.idle > Self::PATIENCE {
                return Err(Error::of(ErrorKind::Stalled, FUNCTION));
            }
        }
        let piece = granule.as_bytes().get(..filled).unwrap_or_default();
        Ok((!piece.is_empty()).then_some(piece))
    }
}
