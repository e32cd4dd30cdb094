// SPDX-License-Identifier: MIT OR Apache-2.0
//! `tsm replay`: reads a log, finds out what it is, replays it, and says what it proves.

mod asked;
mod cel;
mod ima;
mod record;
mod report;
mod tcg;

use crate::args::{self, Format};
use crate::failure::Failure;
use crate::{Result, Verdict, input};
use asked::Asked;

pub(crate) fn run(command: &args::Replay) -> Result {
    let log = input::read_all(&command.files)?;
    let format = input::format(&log, command.reading.format)?;
    let asked = Asked::new(command, format)?;
    if !command.virtuals.is_empty() && format != Format::Record {
        let message =
            format!("--virtual is about record logs; a log in {} has none", format.name());
        return Err(Failure::usage(message));
    }
    let report = match format {
        Format::Record => record::replay(&log, &asked)?,
        Format::Ima => ima::replay(&log, &asked)?,
        Format::Tcg2 | Format::Ccel | Format::TcgSha1 => tcg::replay(&log, &asked)?,
        _ => cel::replay(&log, &asked)?,
    };
    report.print(command.json)?;
    match (report.malformed, report.holds) {
        (Some(message), _) => Err(Failure::usage(message)),
        (None, Some(false)) => Ok(Verdict::DoesNotHold),
        (None, _) => Ok(Verdict::Holds),
    }
}
