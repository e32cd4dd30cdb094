// SPDX-License-Identifier: MIT OR Apache-2.0
//! Differential tests: the replays of this project and those of the tools that everybody has, on
//! the same logs, untouched and damaged.

mod firmware;
mod ima;

use anyhow::Result;

use crate::task::Outcome;

/// Both of them: IMA lists by evmctl, firmware logs by `tpm2_eventlog`.
///
/// # Errors
///
/// A tool and this project disagree.
pub(crate) fn run() -> Result<Outcome> {
    let (ima, firmware) = (ima::run()?, firmware::run()?);
    Ok(match (ima, firmware) {
        (Outcome::Done(ima), Outcome::Done(firmware)) => {
            Outcome::Done(format!("{ima}; {firmware}"))
        }
        (Outcome::Absent(what), _) | (_, Outcome::Absent(what)) => Outcome::Absent(what),
    })
}
