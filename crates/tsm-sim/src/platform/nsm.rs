// SPDX-License-Identifier: MIT OR Apache-2.0
//! The lockable registers of an AWS Nitro Security Module.

use tsm_core::{Algorithm, Banks, Powers, Register};

use super::built;
use crate::table::{Platform, Row};

const NAMES: [&str; 16] = [
    "pcr16", "pcr17", "pcr18", "pcr19", "pcr20", "pcr21", "pcr22", "pcr23", "pcr24", "pcr25",
    "pcr26", "pcr27", "pcr28", "pcr29", "pcr30", "pcr31",
];

/// Sixteen SHA-384 registers in the manner of AWS Nitro's security module (its API: `ExtendPCR`,
/// `LockPCR`, `DescribeNSM` with `max_pcrs` 32 and a set of locked ones): `pcr16` to `pcr31`, which
/// start from zeros, may be extended directly, and can be locked for good. The lower sixteen, which
/// the enclave's start locks, are left out.
///
/// It is here to exercise [`Lockable`](tsm_core::provider::Lockable), not to stand for NSM.
///
/// Name `sim:nsm`; reports take 64 bytes of user data.
#[must_use]
pub fn nsm() -> Platform {
    let banks = Banks::one(Algorithm::Sha384);
    let pcr =
        |name| Row::kept(Register::runtime(name, banks).with(Powers::DIRECT).with(Powers::LOCK));
    built("sim:nsm", NAMES.into_iter().map(pcr).collect(), 64)
}
