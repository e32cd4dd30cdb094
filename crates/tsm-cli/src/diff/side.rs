// SPDX-License-Identifier: MIT OR Apache-2.0
//! One of the two logs: its records by register.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use tsm_core::{Algorithm, Digest};

use crate::Result;
use crate::args::{self, Format};
use crate::events::{self, Content, Options, Record};
use crate::failure::Failure;
use crate::input;
use crate::naming::Naming;
use crate::parse::RegisterList;

/// Banks of a log that are compared, at most: no header lists more, and no record has more digests. A
/// log with another bank in each record would be compared in quadratic time otherwise.
const BANKS: usize = 16;

/// A log, read.
pub(crate) struct Side<'a> {
    pub(crate) format: &'static str,
    pub(crate) naming: Naming,
    pub(crate) registers: BTreeMap<String, Register<'a>>,
    /// Banks of which records have digests, in the order in which they come.
    pub(crate) banks: Vec<String>,
    /// Records that extend nothing.
    pub(crate) not_compared: u64,
    /// Why the log could not be read to its end.
    pub(crate) broken: Option<String>,
}

/// What extended a register.
#[derive(Default)]
pub(crate) struct Register<'a> {
    pub(crate) events: Vec<Record<'a>>,
    /// The last values.
    pub(crate) values: Vec<Digest>,
}

pub(crate) fn read(file: &Path) -> Result<(PathBuf, Vec<u8>)> {
    Ok((file.to_path_buf(), input::read_all(&[file.to_path_buf()])?))
}

/// Opens both logs so that they have a bank in common, if that can be.
pub(crate) fn open_both<'a>(
    files: &'a [(PathBuf, Vec<u8>); 2],
    command: &args::Diff,
) -> Result<[Side<'a>; 2]> {
    let [a, b] = files;
    let formats = [a, b].map(|(file, bytes)| {
        let format = input::format(bytes, command.reading.format);
        format.map_err(|error| Failure::usage(format!("{}: {error}", file.display())))
    });
    let [of_a, of_b] = formats;
    let (of_a, of_b) = (of_a?, of_b?);
    let [naming_a, naming_b] = namings([of_a, of_b], command);
    let open = |banks: &[Algorithm]| -> Result<[Side<'a>; 2]> {
        let options = |format, naming: &Naming| Options {
            format,
            naming: naming.clone(),
            banks,
            values: true,
        };
        let a = Side::open(a, options(of_a, &naming_a))?;
        Ok([a, Side::open(b, options(of_b, &naming_b))?])
    };
    let sides = open(&command.banks)?;
    let has_common = |sides: &[Side<'_>; 2]| {
        let [a, b] = sides;
        a.banks.iter().any(|bank| b.banks.contains(bank))
    };
    if of_a == Format::Ima && of_b == Format::Ima && !has_common(&sides) {
        // Their digests are of different widths; those of any other can be computed.
        return open(&[Algorithm::Sha256]);
    }
    Ok(sides)
}

/// The names of registers. If only one log says of which platform it is, the other is taken to be of
/// the same.
fn namings(formats: [Format; 2], command: &args::Diff) -> [Naming; 2] {
    let names = RegisterList::names(&command.registers);
    // The logs of one register have different files, but the same register.
    let register = names.clone().next().unwrap_or("register");
    let [mut a, mut b] = formats.map(|format| {
        Naming::new(format, command.reading.platform, names.clone(), register.to_string())
    });
    a.follow(&b);
    b.follow(&a);
    [a, b]
}

impl<'a> Side<'a> {
    fn open((file, bytes): &'a (PathBuf, Vec<u8>), options: Options<'_>) -> Result<Self> {
        let opened = events::open(bytes, &options)
            .map_err(|error| Failure::usage(format!("{}: {error}", file.display())))?;
        let mut side = Self {
            format: opened.format,
            naming: options.naming,
            registers: BTreeMap::new(),
            banks: Vec::new(),
            not_compared: 0,
            broken: None,
        };
        for record in opened.records {
            match record {
                Ok(record) => side.take(record),
                Err(broken) => side.broken = Some(broken.text),
            }
        }
        Ok(side)
    }

    fn take(&mut self, mut record: Record<'a>) {
        if !record.extends {
            self.not_compared += 1;
            return;
        }
        for one in &record.digests {
            if self.banks.len() < BANKS && !self.banks.iter().any(|bank| *bank == one.bank) {
                self.banks.push(one.bank.to_string());
            }
        }
        let name = core::mem::take(&mut record.register);
        let register = self.registers.entry(name).or_default();
        register.values = core::mem::take(&mut record.values);
        // Not needed here, and large.
        if let Content::Said(said) = &mut record.content {
            *said = serde_json::Value::Null;
        }
        register.events.push(record);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.registers.is_empty()
    }
}

/// The banks to compare.
pub(crate) fn common_banks(
    a: &Side<'_>,
    b: &Side<'_>,
    command: &args::Diff,
) -> Result<Vec<String>> {
    let list = |side: &Side<'_>| side.banks.join(", ");
    let asked: Vec<_> = command.banks.iter().map(|bank| bank.name().to_string()).collect();
    if !asked.is_empty() {
        for side in [a, b].into_iter().filter(|side| !side.is_empty()) {
            if let Some(bank) = asked.iter().find(|bank| !side.banks.contains(bank)) {
                let message = format!("a log has digests of {}, not of {bank}", list(side));
                return Err(Failure::usage(message));
            }
        }
        return Ok(asked);
    }
    let is_common = |bank: &&String| b.banks.contains(bank);
    let common: Vec<_> = a.banks.iter().filter(is_common).cloned().collect();
    if common.is_empty() && !a.is_empty() && !b.is_empty() {
        return Err(Failure::usage(format!(
            "the logs have no bank in common: {} in the one, {} in the other",
            list(a),
            list(b)
        )));
    }
    Ok(common)
}
