// SPDX-License-Identifier: MIT OR Apache-2.0
//! `tsm replay`: reads a log, finds out what it is, replays it, and says what it proves.

mod asked;
mod cel;
mod ima;
mod ima_list;
mod record;
mod report;
mod sequence;
mod steps;
mod tcg;

use crate::args::{self, Format};
use crate::failure::Failure;
use crate::{Result, Verdict, input};

pub(crate) use asked::Asked;
pub(crate) use report::{Finding, Report};
pub(crate) use tcg::Conclusions;

pub(crate) fn run(command: &args::Replay) -> Result {
    let log = input::read_all(&command.files)?;
    let format = input::format(&log, command.question.reading.format)?;
    let mut asked = Asked::new(&command.question, &command.files, format)?;
    asked.refuse_unanswered()?;
    let named = command.virtuals.iter().map(|name| &name.0);
    for name in named.chain(command.ima.iter().map(|list| &list.name)) {
        if !asked.virtuals.contains(name) {
            asked.virtuals.push(name.clone());
        }
    }
    let mut report = if command.then.is_empty() {
        if !asked.virtuals.is_empty() && format != Format::Record {
            let message = format!(
                "--virtual and --ima are about record logs; a log in {} has none",
                format.name()
            );
            return Err(Failure::usage(message));
        }
        log_alone(&log, &asked)?
    } else {
        let mut report = sequence::replay(&log, &asked, command)?;
        report.notes_sha1();
        report
    };
    for list in &command.ima {
        ima_list::verify(list, command.ima_pcr, &mut report)?;
    }
    report.findings.append(&mut asked.of_evidence);
    report.print(command.json)?;
    report.verdict()
}

/// What one log says.
pub(crate) fn log_alone(log: &[u8], asked: &Asked<'_>) -> Result<Report> {
    let mut report = match asked.format {
        Format::Record => record::replay(log, asked),
        Format::Ima => ima::replay(log, asked),
        Format::Tcg2 | Format::Ccel | Format::TcgSha1 => tcg::replay(log, asked),
        _ => cel::replay(log, asked),
    }?;
    report.notes_sha1();
    Ok(report)
}

impl Report {
    /// What the exit status says.
    pub(crate) fn verdict(self) -> Result {
        match (self.malformed, self.holds) {
            (Some(message), _) => Err(Failure::usage(message)),
            (None, Some(false)) => Ok(Verdict::DoesNotHold),
            (None, _) => Ok(Verdict::Holds),
        }
    }
}
