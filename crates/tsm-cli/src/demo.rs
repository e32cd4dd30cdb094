// SPDX-License-Identifier: MIT OR Apache-2.0
//! demo
pub(crate) fn run() -> crate::Result {
    Ok(crate::Verdict::Holds)
}
