// SPDX-License-Identifier: MIT OR Apache-2.0
//! The measurement registers of an Intel TDX guest.

use alloc::vec;

use tsm_core::{Algorithm, Banks, Powers, Register, Value};

use super::built;
use crate::table::{Platform, Row};

/// The registers of an Intel TDX guest, in the order of TDINFO (Intel TDX Module 1.5 ABI, `TDINFO_
/// BASE`): `mrtd` (SHA-384), `mrconfigid`, `mrowner`, `mrownerconfig` (48 bytes that the host chose
/// when it made the guest; no hash), `rtmr0` to `rtmr3` (SHA-384).
///
/// All four RTMRs may be extended directly: the module knows no other way, and Linux 6.16 shows all
/// four as writable. Which of them firmware has claimed (0 and 1, often 2) is convention.
///
/// Name `sim:tdx`; reports take 64 bytes of user data, as `TDG.MR.REPORT` does.
#[must_use]
pub fn tdx() -> Platform {
    let sha384 = Banks::one(Algorithm::Sha384);
    let rtmr = |name| Row::kept(Register::runtime(name, sha384).with(Powers::DIRECT));
    let chosen = |name| Row::kept(Register::fixed(name, Value::Unhashed(48)));
    let rows = vec![
        Row::made_up(Register::fixed("mrtd", Value::Banks(sha384))),
        chosen("mrconfigid"),
        chosen("mrowner"),
        chosen("mrownerconfig"),
        rtmr("rtmr0"),
        rtmr("rtmr1"),
        rtmr("rtmr2"),
        rtmr("rtmr3"),
    ];
    built("sim:tdx", rows, 64)
}
