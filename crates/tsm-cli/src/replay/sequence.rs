// SPDX-License-Identifier: MIT OR Apache-2.0
//! Several logs that together explain one register.

use std::path::Path;

use tsm_core::log::{Limits, first_banks};
use tsm_core::replay::Match;
use tsm_core::{Algorithm, Digest};
use tsm_eventlog::ima::{Bank, List};
use tsm_eventlog::sequence::{Authenticated, Begin, Front, Others, Outcome, Sequence, Withheld};
use tsm_eventlog::{Error, ErrorKind, aael, cel, dstack, systemd};

use super::asked::Asked;
use super::ima_list::pcr_of;
use super::record;
use super::report::{Finding, Register, Report, Virtual};
use super::steps::Step;
use crate::args::{self, Format};
use crate::events::{banks_of, open_tcg};
use crate::failure::Failure;
use crate::{Result, input};

/// Logs that one call takes.
const STEPS: usize = 16;

/// Banks of virtual registers that one call can follow.
const VIRTUALS: usize = 256;

struct Log {
    file: String,
    bytes: Vec<u8>,
    format: Format,
}

pub(super) fn replay(first: &[u8], asked: &Asked<'_>, command: &args::Replay) -> Result<Report> {
    let name = asked.only_register()?;
    let register = asked.naming.find_tcg(name)?;
    let logs = logs(first, asked, command)?;
    let banks = banks(&logs, asked)?;
    let usage = |error: Error| Failure::usage(error.to_string());

    let starts = asked.values_of(name, &asked.question.starts)?;
    let begin = if starts.is_empty() { Begin::Initial } else { Begin::At(&starts) };
    let mut sequence =
        Box::new(Sequence::<STEPS>::new(register, &banks, begin).map_err(|error| {
            let text = match error.kind() {
                ErrorKind::Banks => "a sequence needs a start value for each bank, or none".into(),
                _ => error.to_string(),
            };
            Failure::usage(text)
        })?);
    let expected = asked.values_of(name, &asked.expected)?;
    sequence.expect(&expected).map_err(usage)?;

    let mut ended = None;
    for (index, log) in logs.iter().enumerate() {
        if let Err(error) = take(&mut sequence, log, asked, name, (&banks, command.ima_pcr))? {
            ended = Some((index, error));
            break;
        }
    }
    let outcome = sequence.finish();
    let mut report = report(&outcome, &logs, name, (&banks, &expected));
    if let Some((index, error)) = ended {
        end(&mut report, &logs, index, error);
    }
    virtuals(&mut report, &outcome, asked, command.others_appraised)?;
    Ok(report)
}

/// The logs in their order: the first may come in pieces, the others are a file each.
fn logs(first: &[u8], asked: &Asked<'_>, command: &args::Replay) -> Result<Vec<Log>> {
    let names: Vec<_> = command.files.iter().map(|file| file.display().to_string()).collect();
    let mut logs = vec![Log { file: names.join(" "), bytes: first.to_vec(), format: asked.format }];
    for file in &command.then {
        let bytes = input::read_all(core::slice::from_ref(file))?;
        let format = format(file, &bytes)?;
        logs.push(Log { file: file.display().to_string(), bytes, format });
    }
    Ok(logs)
}

fn format(file: &Path, bytes: &[u8]) -> Result<Format> {
    // The rest of a record log need not begin as one.
    let is_text = || !bytes.is_empty() && bytes.is_ascii();
    match input::format(bytes, None) {
        Ok(format) => Ok(format),
        Err(_) if is_text() => Ok(Format::Record),
        Err(error) => Err(Failure::usage(format!("{}: {error}", file.display()))),
    }
}

/// All banks of the register: those that a record log captures, else those asked for, else those that
/// the first log has.
fn banks(logs: &[Log], asked: &Asked<'_>) -> Result<Vec<Algorithm>> {
    let records = logs.iter().filter(|log| log.format == Format::Record);
    let captured = records.filter_map(|log| first_banks(&log.bytes, Limits::DEFAULT)).next();
    if let Some(captured) = captured {
        return Ok(captured.iter().collect());
    }
    let mut banks = asked.question.banks.clone();
    if banks.is_empty() {
        banks = asked.value_banks();
    }
    if let (true, Some(log)) = (banks.is_empty(), logs.first()) {
        banks = match log.format {
            Format::Tcg2 | Format::Ccel | Format::TcgSha1 => {
                open_tcg(&log.bytes, log.format)?.algorithms().known().collect()
            }
            Format::DstackLog | Format::DstackEvents => vec![Algorithm::Sha384],
            format => {
                let encoding = format.encoding();
                let digests = encoding.into_iter().flat_map(|encoding| {
                    cel::Log::new(&log.bytes, encoding)
                        .map_while(core::result::Result::ok)
                        .map(|record| record.record().digests)
                });
                banks_of(digests)
            }
        };
    }
    if banks.is_empty() {
        return Err(Failure::usage("no log says which banks the register has; say --bank ALG"));
    }
    Ok(banks)
}

/// Hands a log over. An error of the log ends the sequence; wrong use ends the command.
fn take<'a>(
    sequence: &mut Sequence<'a, STEPS>,
    log: &'a Log,
    asked: &Asked<'_>,
    name: &str,
    (banks, pcr): (&[Algorithm], Option<u32>),
) -> Result<core::result::Result<(), Error>> {
    let at = |text: String| Failure::usage(format!("{}: {text}", log.file));
    let bytes = log.bytes.as_slice();
    let done = match log.format {
        Format::Tcg2 | Format::Ccel | Format::TcgSha1 => {
            let opened = open_tcg(bytes, log.format).map_err(|error| at(error.to_string()))?;
            sequence.tcg(opened, asked.naming.platform)
        }
        Format::Systemd => sequence.systemd(systemd::Log::new(bytes)),
        Format::Aael => {
            let opened = aael::Log::open(bytes, asked.naming.find_cel(name)?);
            sequence.aael(opened.map_err(|error| at(error.to_string()))?)
        }
        Format::DstackLog => sequence.dstack(dstack::Log::new(bytes, asked.naming.find_cel(name)?)),
        Format::DstackEvents => sequence.dstack_events(dstack::Events::new(bytes)),
        Format::Ima => {
            let list = List::open(bytes).map_err(|error| at(error.to_string()))?;
            let own = name.strip_prefix("pcr").and_then(|number| number.parse().ok());
            let pcr = pcr_of(&list, pcr.or(own)).map_err(at)?;
            let banks: Vec<_> = banks.iter().copied().map(Bank::hashed).collect();
            sequence.ima(list, pcr, &banks)
        }
        Format::Record => sequence.records(bytes, Limits::DEFAULT),
        format => {
            sequence.cel(cel::Log::new(bytes, format.encoding().unwrap_or(cel::Encoding::Tlv)))
        }
    };
    match done {
        Err(error) if matches!(error.kind(), ErrorKind::TooManySteps) => {
            Err(Failure::usage(format!("more than {STEPS} logs")))
        }
        Err(error) if matches!(error.kind(), ErrorKind::NoSuchRegister | ErrorKind::NoSuchBank) => {
            Err(at(error.to_string()))
        }
        done => Ok(done),
    }
}

fn report(
    outcome: &Outcome<'_, STEPS>,
    logs: &[Log],
    name: &str,
    (banks, expected): (&[Algorithm], &[Digest]),
) -> Report {
    let authenticated = outcome.authenticated();
    let records = outcome.steps().map(|step| step.extensions()).sum();
    let steps = outcome.steps().zip(logs).map(|(step, log)| Step {
        file: log.file.clone(),
        format: log.format.name(),
        front: match step.front() {
            Front::Contiguous => "contiguous",
            Front::Captured => "captured",
            Front::Midway => "midway",
        },
        extensions: step.extensions(),
        explained: step.explained_gaps(),
        unexplained: step.unexplained_gaps(),
        contradictions: step.contradictions(),
        ends_with_notes: step.ends_with_notes(),
        values: banks.iter().filter_map(|bank| step.untrusted_value(*bank)).collect(),
        error: step.error().map(|error| error.to_string()),
    });
    let registers = banks.iter().map(|&bank| {
        let expected = expected.iter().copied().find(|value| value.algorithm() == bank);
        Register {
            name: name.to_string(),
            bank,
            value: outcome.untrusted_value(bank),
            expected,
            records,
            matched: match (expected, authenticated) {
                (None, _) | (_, Authenticated::Unchecked) => Match::Unchecked,
                (_, Authenticated::All) => Match::Complete,
                (_, Authenticated::Nothing) => Match::Mismatch,
                (_, Authenticated::Prefix { beyond, .. }) => {
                    Match::Prefix { matched: records.saturating_sub(beyond), beyond }
                }
            },
        }
    });
    Report {
        format: "sequence",
        registers: registers.collect(),
        steps: steps.collect(),
        vouched: Some(authenticated),
        holds: outcome.holds(),
        ..Report::default()
    }
}

/// Takes note of how a log ended the sequence.
fn end(report: &mut Report, logs: &[Log], index: usize, error: Error) {
    let file = logs.get(index).map_or("", |log| &log.file);
    let (kind, is_malformed) = match error.kind() {
        // What the logs say is not so; they can be read.
        ErrorKind::NotCaptured => ("not-captured", false),
        ErrorKind::TemplateDigest => ("template-digest", false),
        ErrorKind::MissingDigest => ("missing-digest", false),
        _ => ("malformed", true),
    };
    let text = format!("log {} ({file}): {error}", index + 1);
    report.findings.push(Finding {
        record: Some(error.record()),
        line: error.line(),
        offset: Some(error.offset()),
        ..Finding::general(kind, text.clone())
    });
    report.holds = Some(false);
    report.malformed = is_malformed.then_some(text);
}

/// The values of virtual registers, if the logs account for all extensions.
fn virtuals(
    report: &mut Report,
    outcome: &Outcome<'_, STEPS>,
    asked: &Asked<'_>,
    is_appraised: bool,
) -> Result<()> {
    if asked.virtuals.is_empty() {
        return Ok(());
    }
    let table = record::table(&asked.virtuals);
    let others = if is_appraised { Others::Appraised } else { Others::Refused };
    report.virtuals_trusted = report.holds.map(|_| false);
    match outcome.virtual_registers::<VIRTUALS>(&table, others) {
        Ok(fold) => {
            let values = fold.values().filter(|value| value.records > 0);
            report.virtuals.extend(values.map(|value| Virtual {
                name: value.name.to_string(),
                value: value.value,
                records: value.records,
            }));
            report.virtuals_trusted = Some(report.holds == Some(true));
        }
        Err(Withheld::Table(error)) => return Err(Failure::usage(error.to_string())),
        Err(Withheld::NotAccounted) => {
            let text = match report.holds {
                None => "no value of the register was given: nothing vouches for virtual registers",
                Some(false) => {
                    "the logs do not explain the register: nothing vouches for virtual \
                                registers"
                }
                Some(true) => {
                    "other logs extend the register too, or it was extended off-log: a \
                               record may be hidden there, so nothing vouches for virtual \
                               registers; if you have appraised every event of the other logs, say \
                               --others-appraised"
                }
            };
            report.findings.push(Finding::general("not-accounted", text.into()));
            // They were asked for, and cannot be told.
            report.is_unaccounted = report.holds == Some(true);
            report.holds = report.holds.map(|_| false);
        }
        Err(withheld) => {
            report.findings.push(Finding::general("malformed-record", withheld.to_string()));
            report.holds = Some(false);
        }
    }
    Ok(())
}
