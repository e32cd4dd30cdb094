// SPDX-License-Identifier: MIT OR Apache-2.0
//! The measurement registers of an Arm CCA realm.

use alloc::vec;

use tsm_core::{Algorithm, Banks, Powers, Register, Value};

use super::built;
use crate::table::{Platform, Row};

/// The registers of an Arm CCA realm (Realm Management Monitor specification 1.0, section A7.1):
/// `rim`, the initial measurement; `rem0` to `rem3`, which start from zeros and may be extended
/// directly (`RSI_MEASUREMENT_EXTEND`); and `rpv`, the 64 bytes of personalization that the host
/// chose.
///
/// One hash for all of them, chosen when the realm is made: SHA-256 or SHA-512, and SHA-384 since
/// version 2.0; `None` for others. The REMs' numbers are the names' (0 to 3), not the indexes of
/// the RSI (1 to 4).
///
/// Name `sim:cca`; reports take 64 bytes of user data, the challenge of a realm token.
#[must_use]
pub fn cca(hash: Algorithm) -> Option<Platform> {
    if !matches!(hash, Algorithm::Sha256 | Algorithm::Sha384 | Algorithm::Sha512) {
        return None;
    }
    let bank = Banks::one(hash);
    let rem = |name| Row::kept(Register::runtime(name, bank).with(Powers::DIRECT));
    let rows = vec![
        Row::made_up(Register::fixed("rim", Value::Banks(bank))),
        rem("rem0"),
        rem("rem1"),
        rem("rem2"),
        rem("rem3"),
        Row::made_up(Register::fixed("rpv", Value::Unhashed(64))),
    ];
    Some(built("sim:cca", rows, 64).chosen(bank))
}
