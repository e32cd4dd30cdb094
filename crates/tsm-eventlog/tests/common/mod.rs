// SPDX-License-Identifier: MIT OR Apache-2.0
//! The test data, and the runs in it.

#![allow(dead_code, unused_imports, unreachable_pub, reason = "each test binary uses a part")]

pub mod any;
pub mod build;
pub mod cel;
pub mod json;
pub mod tcg;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use tsm_core::{Algorithm, Digest};
use tsm_eventlog::ima::{Ascii, Bank, BankRule, Binary, Endian, Layout, List};
pub use tsm_test_support::{committed, shared};

/// One boot of a machine: its lists and what its PCRs held.
pub struct Run {
    pub name: String,
    pub folder: PathBuf,
    pub lists: Vec<ListFile>,
    pub pcrs: BTreeMap<Algorithm, BTreeMap<u32, Digest>>,
    pub count: u64,
    pub violations: u64,
}

pub struct ListFile {
    pub path: PathBuf,
    pub bytes: Vec<u8>,
    pub is_binary: bool,
    /// From the file's name.
    pub digest: Algorithm,
    pub md5: bool,
}

impl ListFile {
    /// The list, opened with what the file's name says.
    pub fn list(&self) -> List<'_> {
        if !self.is_binary {
            return Ascii::new(&self.bytes).into();
        }
        let layout = Layout { digest: self.digest, endian: Endian::Little };
        let list = Binary::new(&self.bytes, layout);
        if self.md5 { list.md5().into() } else { list.into() }
    }
}

impl Run {
    fn read(folder: &Path) -> Option<Self> {
        let name = folder.file_name()?.to_str()?.to_owned();
        let mut run = Self {
            name,
            folder: folder.to_owned(),
            lists: Vec::new(),
            pcrs: BTreeMap::new(),
            count: 0,
            violations: 0,
        };
        run.take(folder);
        run.lists.sort_by(|a, b| a.path.cmp(&b.path));
        (!run.lists.is_empty()).then_some(run)
    }

    fn take(&mut self, folder: &Path) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                self.take(&path);
                continue;
            }
            let name = path.file_name().unwrap().to_str().unwrap();
            let name = name.strip_prefix("ima_").unwrap_or(name);
            let number = || std::fs::read_to_string(&path).unwrap().trim().parse().unwrap();
            if name == "runtime_measurements_count" {
                self.count = number();
            } else if name == "violations" {
                self.violations = number();
            } else if let Some((kind, bank)) = name.split_once("_runtime_measurements") {
                let bank = bank.strip_prefix('_').unwrap_or("sha1");
                self.lists.push(ListFile {
                    bytes: std::fs::read(&path).unwrap(),
                    is_binary: kind == "binary",
                    digest: bank.parse().unwrap(),
                    md5: self.name == "ima-legacy-md5",
                    path: path.clone(),
                });
            } else if let Some(bank) = pcr_bank(name) {
                let text = std::fs::read_to_string(&path).unwrap();
                let values = text.lines().map(|line| {
                    let (pcr, hex) = line.trim().split_once(' ').unwrap();
                    let hex = hex.to_lowercase();
                    (pcr.parse().unwrap(), Digest::from_hex(bank, hex.as_bytes()).unwrap())
                });
                assert!(self.pcrs.insert(bank, values.collect()).is_none());
            }
        }
    }

    /// The banks whose values are known, with the rule the run's kernel followed.
    pub fn banks(&self) -> Vec<Bank> {
        // Debian's 6.1 has sha512 (and with it sha384) as a module: see the data's INDEX.md.
        let modules = self.name.starts_with("k61-") || self.name.contains("-61");
        let rule = |algorithm| match algorithm {
            Algorithm::Sha384 | Algorithm::Sha512 if modules => BankRule::PaddedSha1,
            _ => BankRule::Hashed,
        };
        self.pcrs.keys().map(|&a| Bank::with_rule(a, rule(a))).collect()
    }

    pub fn label(&self, file: &ListFile) -> String {
        format!("{}/{}", self.name, file.path.file_name().unwrap().to_string_lossy())
    }
}

/// `pcrs-sha256.after`, `pcr-sha256.txt`.
fn pcr_bank(name: &str) -> Option<Algorithm> {
    let bank = name.strip_prefix("pcrs-").and_then(|name| name.strip_suffix(".after"));
    let bank = bank.or_else(|| name.strip_prefix("pcr-")?.strip_suffix(".txt"))?;
    bank.parse().ok()
}

/// The runs in a folder, in the order of their names.
pub fn runs(folder: &Path) -> Vec<Run> {
    let mut folders: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    folders.retain(|path| path.is_dir());
    folders.sort();
    folders.iter().filter_map(|path| Run::read(path)).collect()
}

/// All runs: the committed ones and, if there, the shared ones.
pub fn all_runs() -> Vec<Run> {
    let mut all = runs(&committed());
    if let Some(folder) = shared("eventlogs/generated/vm") {
        all.extend(runs(&folder));
    }
    all
}

/// What an entry says, whichever list it comes from.
pub fn said(entry: &tsm_eventlog::ima::UntrustedEntry<'_>) -> String {
    let fields: Vec<String> = entry
        .fields()
        .map(|field| field.map_or_else(|error| error.to_string(), |field| format!("{field:?}")))
        .collect();
    format!(
        "{} {:?} {} {fields:?}",
        entry.pcr(),
        entry.recorded(),
        entry.template_name().escape_ascii()
    )
}
