// SPDX-License-Identifier: MIT OR Apache-2.0
//! An IMA list against a virtual register.

use tsm_core::Digest;
use tsm_core::replay::Match;
use tsm_eventlog::ima::{Bank, List, Replay};

use super::report::{Finding, Report};
use super::steps::ImaCheck;
use crate::events::PCRS;
use crate::failure::Failure;
use crate::parse::ImaList;
use crate::{Result, input};

/// Verifies a list against the folded values, if something vouches for these.
pub(super) fn verify(asked: &ImaList, pcr: Option<u32>, report: &mut Report) -> Result<()> {
    let at = |text: String| Failure::usage(format!("{}: {text}", asked.file.display()));
    let bytes = input::read_all(core::slice::from_ref(&asked.file))?;
    let list = List::open(&bytes).map_err(|error| at(error.to_string()))?;
    let values = report.virtuals.iter().filter(|virt| virt.name == asked.name);
    let values: Vec<Digest> = values.map(|virt| virt.value).collect();
    let mut check = ImaCheck {
        name: asked.name.clone(),
        file: asked.file.display().to_string(),
        records: 0,
        beyond: 0,
        holds: None,
    };
    match report.virtuals_trusted {
        None => {}
        // Asked to verify and not able to: that is not success.
        Some(false) => check.holds = Some(false),
        Some(true) if values.is_empty() => {
            let text = format!("the log has no record of {}", asked.name);
            report.findings.push(Finding::general("no-records", text));
            check.holds = Some(false);
        }
        Some(true) => {
            let pcr = pcr_of(&list, pcr).map_err(at)?;
            compare(list, pcr, &values, &mut check, report)
                .map_err(|error| at(error.to_string()))?;
        }
    }
    if check.holds == Some(false) {
        report.holds = Some(false);
    }
    report.ima.push(check);
    Ok(())
}

fn compare(
    list: List<'_>,
    pcr: u32,
    values: &[Digest],
    check: &mut ImaCheck,
    report: &mut Report,
) -> core::result::Result<(), tsm_eventlog::Error> {
    let banks: Vec<_> = values.iter().map(|value| Bank::hashed(value.algorithm())).collect();
    let mut replay = Box::new(Replay::<PCRS>::new(&banks)?);
    for value in values {
        replay.expect(pcr, *value)?;
    }
    let error = replay.run(list).error();
    let Some(register) = replay.register(pcr) else { return Ok(()) };
    check.records = register.entries();
    let results: Vec<_> = register.results().map(|(_, matched)| matched).collect();
    check.beyond = results.iter().fold(0, |most, matched| match matched {
        Match::Prefix { beyond, .. } => most.max(*beyond),
        _ => most,
    });
    let is_all = !results.is_empty() && results.iter().all(|matched| *matched == Match::Complete);
    check.holds = Some(is_all && error.is_none());
    if let Some(error) = error {
        let text = format!("{}: {error}", check.file);
        report.findings.push(Finding {
            record: Some(error.record()),
            line: error.line(),
            offset: Some(error.offset()),
            ..Finding::general("ima-list", text)
        });
    }
    Ok(())
}

/// The PCR number that is meant: the list's only one, if none is given.
pub(super) fn pcr_of(list: &List<'_>, given: Option<u32>) -> core::result::Result<u32, String> {
    if let Some(pcr) = given {
        return Ok(pcr);
    }
    let mut found = None;
    for entry in list.clone().map_while(core::result::Result::ok) {
        match found {
            Some(pcr) if pcr != entry.pcr() => {
                return Err("the list has records of several PCRs; say --ima-pcr N".into());
            }
            _ => found = Some(entry.pcr()),
        }
    }
    // An empty list has any.
    Ok(found.unwrap_or(10))
}
