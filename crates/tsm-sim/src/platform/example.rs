// SPDX-License-Identifier: MIT OR Apache-2.0
//! The seven registers of the kernel RFC's example module.

use alloc::vec;

use tsm_core::{Algorithm, Banks, Powers, Presentation, Register, Value};

use super::built;
use crate::table::{Platform, Row, Source};

/// Size in bytes of the user data.
const USER_DATA: u32 = 64;

/// The registers of the example module in the kernel RFC "tsm: Unified Measurement Register ABI for
/// TVMs" (2024): one of each kind.
///
/// | register | is |
/// |---|---|
/// | `full_report` | the whole report, live |
/// | `static_mr` | SHA-384, fixed |
/// | `config_mr` | 64 bytes, fixed; no hash, as the module merged in Linux 6.16 has it (the RFC's macro calls it SHA-512) |
/// | `rtmr0` | SHA-256, extensible through its log only |
/// | `rtmr1` | SHA-384, extensible directly too |
/// | `user_data` | 64 bytes, writable |
/// | `report_digest` | SHA-512 of the report, live |
///
/// Name `sim:example`. Writing `user_data` changes `full_report` and `report_digest`, and so does
/// extending.
#[must_use]
pub fn example() -> Platform {
    let sha384 = Banks::one(Algorithm::Sha384);
    let rows = vec![
        Row::derived(
            Register::fixed("full_report", Value::Unhashed(0)).with(Powers::LIVE),
            Source::Report,
        ),
        Row::made_up(Register::fixed("static_mr", Value::Banks(sha384))),
        Row::made_up(Register::fixed("config_mr", Value::Unhashed(64))),
        Row::kept(Register::runtime("rtmr0", Banks::one(Algorithm::Sha256))),
        Row::kept(Register::runtime("rtmr1", sha384).with(Powers::DIRECT)),
        Row::derived(
            Register::fixed("user_data", Value::Unhashed(USER_DATA)).with(Powers::WRITE),
            Source::UserData,
        ),
        Row::derived(
            Register::fixed("report_digest", Value::Banks(Banks::one(Algorithm::Sha512)))
                .with(Powers::LIVE)
                .shown_as(Presentation::File),
            Source::ReportDigest,
        ),
    ];
    built("sim:example", rows, usize::try_from(USER_DATA).unwrap_or_default())
}
