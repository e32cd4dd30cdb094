// SPDX-License-Identifier: MIT OR Apache-2.0
//! Quotes of the simulator: a quoting enclave, the certificates that vouch for it, the collateral
//! that a verifier needs, and a host that hands all of it out or misbehaves.
//!
//! **Every private key here is a hash of a text that anybody can read.** The certificates say
//! `SIMULATED` in each subject and issuer and chain to a root of the simulator's own
//! ([`authority::root_certificate`]). Whoever pins Intel's root refuses them.
//!
//! The quotes carry Intel's QE vendor id nevertheless: it says how a quote is made up, and with
//! another one a verifier would refuse them before it came to anything worth testing. The user data of
//! the header say `SIMULATED-TDX-QE`.

pub mod authority;
mod collateral;
mod enclave;
mod host;
mod memory;
mod sgx_extension;

pub use collateral::{Collateral, Levels, TcbStatus, Window};
pub use enclave::{QuoteForm, QuotingEnclave};
pub use host::{Conduct, QuotingHost};
pub use memory::{HostMemory, SharedBuffer};

use core::fmt::Debug;

/// What comes of constants of this crate and of values that always fit.
#[expect(clippy::expect_used, reason = "encoding of constants; tests make all of it")]
fn sure<T, E: Debug>(result: Result<T, E>) -> T {
    result.expect("constants that can be encoded")
}
