// SPDX-License-Identifier: MIT OR Apache-2.0
//! Results that cannot be errors.

use core::fmt::Debug;

/// What comes of constants of this crate and of values that always fit.
#[expect(clippy::expect_used, reason = "constants; tests make all of it")]
pub(super) fn sure<T, E: Debug>(result: Result<T, E>) -> T {
    result.expect("constants that are good")
}
