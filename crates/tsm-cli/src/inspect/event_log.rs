// SPDX-License-Identifier: MIT OR Apache-2.0
//! A log of any format: a summary, and which commands show all of it.

use std::path::Path;

use super::model::{Field, Finding, Inspection, Malformed, Section};
use crate::events::{self, Opened, Options};
use crate::input;
use crate::naming::Naming;

const KIND: &str = "event-log";

/// The file is said to be a log.
pub(super) fn said(bytes: &[u8], file: &Path) -> Inspection {
    let error =
        || Malformed::general("unknown", "no event log in a format that this program knows");
    inspect(bytes, file).unwrap_or_else(|| Inspection::malformed(KIND, "event log", error()))
}

/// `None` if it is no log.
pub(super) fn inspect(bytes: &[u8], file: &Path) -> Option<Inspection> {
    let format = input::format(bytes, None).ok()?;
    let register = input::register_name(None, &[file.to_path_buf()]);
    let naming = Naming::new(format, None, core::iter::empty(), register);
    let options = Options { format, naming, banks: &[], values: false };
    let title =
        format!("event log in the format {}, {} bytes, untrusted", format.name(), bytes.len());
    let opened = match events::open(bytes, &options) {
        Ok(opened) => opened,
        Err(failure) => {
            let error = Malformed::general("malformed", failure.to_string());
            return Some(Inspection::malformed(KIND, &title, error));
        }
    };
    let mut found = summary(opened, title);
    found.findings.insert(
        0,
        Finding::general(
            "not-verified",
            "only a replay against verified evidence tells what of it is true",
        ),
    );
    let shown = file.display();
    found.see.push(format!("tsm log show {shown} (its records)"));
    found.see.push(format!("tsm explain {shown} (what they mean)"));
    found.see.push(format!("tsm replay {shown} (the values that it leads to)"));
    Some(found)
}

fn summary(opened: Opened<'_>, title: String) -> Inspection {
    let mut found = Inspection::new(KIND, title);
    let mut fields = Vec::new();
    fields.extend(opened.about.iter().map(|line| field("header", line, "")));
    let (mut count, mut registers, mut banks) = (0_u64, Vec::new(), Vec::new());
    let mut records = opened.records;
    for record in records.by_ref() {
        let record = match record {
            Ok(record) => record,
            Err(broken) => {
                let offset = usize::try_from(broken.place.offset).ok();
                found.error = Some(Malformed { kind: "malformed", offset, text: broken.text });
                break;
            }
        };
        count += 1;
        if !record.extends {
            continue;
        }
        count_up(&mut registers, &record.register);
        for digest in &record.digests {
            count_up(&mut banks, &digest.bank);
        }
    }
    fields.push(field("records", count, ""));
    for (bank, digests) in banks {
        fields.push(field("bank", bank, format!("{digests} digests")));
    }
    for (register, records) in registers {
        fields.push(field("register", register, format!("{records} records extend it")));
    }
    if let Some(end) = records.end() {
        fields.push(field("end", end, ""));
    }
    found.sections.push(Section { name: "Summary", fields });
    found
}

fn field(name: &str, value: impl ToString, meaning: impl Into<String>) -> Field {
    Field { name: name.into(), value: value.to_string(), meaning: meaning.into(), place: None }
}

/// Logs use few registers and banks.
fn count_up(counts: &mut Vec<(String, u64)>, name: &str) {
    match counts.iter_mut().find(|(known, _)| known == name) {
        Some((_, count)) => *count += 1,
        None => counts.push((name.to_string(), 1)),
    }
}
