// SPDX-License-Identifier: MIT OR Apache-2.0
//! The platforms that come with the simulator, one table each.

mod cca;
mod example;
mod nsm;
mod tdx;
mod tpm;

use alloc::vec::Vec;

use tsm_core::{Algorithm, Banks};

pub use cca::cca;
pub use example::example;
pub use nsm::nsm;
pub use tdx::tdx;
pub use tpm::tpm;

use crate::table::{Platform, Row};

/// The names that [`by_name`] knows; the providers' names have `sim:` before them.
pub const NAMES: [&str; 5] = ["example", "tdx", "cca", "tpm", "nsm"];

/// The platform of this name with its usual banks.
#[must_use]
pub fn by_name(name: &str) -> Option<Platform> {
    with_banks(name, Banks::NONE)
}

/// The platform of this name, made for a choice of banks; its usual ones if `banks` is empty.
/// `None` also if there is no such choice.
pub(crate) fn with_banks(name: &str, banks: Banks) -> Option<Platform> {
    match (name, banks.is_empty(), banks.single()) {
        ("example", true, _) => Some(example()),
        ("tdx", true, _) => Some(tdx()),
        ("nsm", true, _) => Some(nsm()),
        ("cca", true, _) => cca(Algorithm::Sha256),
        ("cca", _, Some(algorithm)) => cca(algorithm),
        ("tpm", true, _) => {
            tpm(Banks::new(&[Algorithm::Sha1, Algorithm::Sha256, Algorithm::Sha384])?)
        }
        ("tpm", ..) => tpm(banks),
        _ => None,
    }
}

/// A platform from a table of this crate, all of which a test builds.
#[allow(clippy::expect_used, reason = "constant tables; a test builds every one of them")]
fn built(name: &'static str, rows: Vec<Row>, user_data: usize) -> Platform {
    Platform::new(name, rows, user_data).expect("a table that describes a platform")
}
