// SPDX-License-Identifier: MIT OR Apache-2.0
//! The platform configuration registers of a TPM 2.0.

use tsm_core::{Algorithm, Banks, Initial, Powers, Register, Value};

use super::built;
use crate::table::{Platform, Row};

const NAMES: [&str; 24] = [
    "pcr0", "pcr1", "pcr2", "pcr3", "pcr4", "pcr5", "pcr6", "pcr7", "pcr8", "pcr9", "pcr10",
    "pcr11", "pcr12", "pcr13", "pcr14", "pcr15", "pcr16", "pcr17", "pcr18", "pcr19", "pcr20",
    "pcr21", "pcr22", "pcr23",
];

/// The 24 PCRs of a PC client's TPM 2.0 as software at locality 0 finds them (TCG PC Client Platform
/// TPM Profile 1.05, section 4.6), with these banks: any of SHA-1, SHA-256, SHA-384, SHA-512, at
/// least one.
///
/// PCRs 17 to 22 start at all ones and cannot be extended from locality 0: they are only readable
/// here. All others start at zeros and may be extended directly, in all banks or in some, as
/// `TPM2_PCR_Extend` allows. PCRs 16 and 23 can be reset on a real TPM; no power describes that, so
/// they cannot here.
///
/// Name `sim:tpm`; reports take 64 bytes of user data, room for a quote's `qualifyingData`.
#[must_use]
pub fn tpm(banks: Banks) -> Option<Platform> {
    if banks.is_empty() || banks.iter().any(|bank| !Algorithm::ALL.contains(&bank)) {
        return None;
    }
    let rows = NAMES.into_iter().enumerate().map(|(number, name)| {
        Row::kept(match number {
            17..=22 => Register::fixed(name, Value::Banks(banks)).starting(Initial::Ones),
            _ => Register::runtime(name, banks).with(Powers::DIRECT),
        })
    });
    Some(built("sim:tpm", rows.collect(), 64).chosen(banks))
}
