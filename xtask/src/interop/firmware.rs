// SPDX-License-Identifier: MIT OR Apache-2.0
//! The replay of firmware logs and `tpm2_eventlog`: the same values in all banks, from every log
//! that both read, untouched and damaged. What the tool refuses must be what is known to be refused.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use tsm_core::{Algorithm, Digest};
use tsm_eventlog::registers::{Platform, RegisterIndex};
use tsm_eventlog::tcg::{End, Layout, Log, Replay, UntrustedEvent};
use tsm_eventlog::{Format, detect};

use crate::task::Outcome;
use crate::tpm2_eventlog::{self as tool, Answer, Values, Version};
use crate::{shell, workspace};

/// Compares the values from every firmware log at hand.
///
/// # Errors
///
/// Values differ, or the tool refuses other logs than it is known to.
pub(super) fn run() -> Result<Outcome> {
    let version = tool::ensure()?;
    println!("tpm2_eventlog {version}");
    if version.extends_no_action() {
        println!(
            "before 5.6 it extends EV_NO_ACTION, starts PCR 0 with zeros always, and dies of such \
             a record for no PCR: the values it would get so are those it must have"
        );
    }
    let index = Index::read()?;
    let (mut bench, mut found) = (Bench::new(version)?, BTreeSet::new());
    for file in files(&bench.scratch)? {
        bench.compare(&file, &index)?;
        found.insert(file.name);
    }
    let missing: Vec<_> = index.0.keys().filter(|name| !found.contains(*name)).collect();
    ensure!(missing.is_empty(), "logs of the index that were not found: {missing:?}");
    Ok(Outcome::Done(bench.summary()))
}

/// A firmware log.
struct File {
    /// Its path below `eventlogs/` of the shared data, or the whole path.
    name: String,
    bytes: Vec<u8>,
    format: Format,
}

/// The firmware logs of the committed and, if there, of the shared data.
fn files(scratch: &Path) -> Result<Vec<File>> {
    let mut paths = workspace::files(&workspace::root().join("tests/data/generated"), "")?;
    match shared() {
        Some(shared) => paths.extend(workspace::files(&shared, "")?),
        None => println!("SKIPPED: the shared data is absent; only committed logs are compared"),
    }
    let mut files = Vec::new();
    for path in paths {
        let bytes = match path.extension().is_some_and(|extension| extension == "b64") {
            true => base64(&path, scratch)?,
            false => fs::read(&path).with_context(|| path.display().to_string())?,
        };
        let format = match detect(&bytes) {
            Some(format @ (Format::Tcg2 | Format::Ccel | Format::TcgSha1)) => format,
            _ => continue,
        };
        let below = shared().map(|shared| shared.join("eventlogs"));
        let name = below.and_then(|below| Some(path.strip_prefix(below).ok()?.to_owned()));
        let name = name.unwrap_or_else(|| workspace::relative(&path).to_string().into());
        files.push(File { name: name.display().to_string(), bytes, format });
    }
    ensure!(files.len() >= 16, "only {} firmware logs", files.len());
    Ok(files)
}

/// The shared data, as the tests look for it.
fn shared() -> Option<PathBuf> {
    let beside = || workspace::root().join("../shared/data");
    let found = std::env::var_os("TSM_TEST_DATA").map_or_else(beside, PathBuf::from);
    found.is_dir().then_some(found)
}

fn base64(path: &Path, scratch: &Path) -> Result<Vec<u8>> {
    // They lack line feeds, or have them within: `base64` wants neither more nor less.
    let decoded = scratch.join("base64");
    let text: Vec<u8> = fs::read(path)?.into_iter().filter(u8::is_ascii_graphic).collect();
    fs::write(&decoded, text)?;
    let mut base64 = shell::program("base64", &["-d"]);
    let output = shell::capture(base64.arg(&decoded))?;
    ensure!(output.status.success(), "{} is not base64", path.display());
    Ok(output.stdout)
}

/// What sections 1 and 2 of the shared data's index say of `tpm2_eventlog` 5.7: for each log, whether
/// it is refused.
struct Index(BTreeMap<String, bool>);

impl Index {
    fn read() -> Result<Self> {
        let Some(folder) = shared().map(|shared| shared.join("eventlogs")) else {
            return Ok(Self(BTreeMap::new()));
        };
        let text = fs::read_to_string(folder.join("INDEX.md"))?;
        let mut logs = BTreeMap::new();
        for line in text.lines().take_while(|line| !line.starts_with("## 3")) {
            let cells: Vec<_> = line.split('|').map(str::trim).collect();
            let [_, name, .., verdict, _] = &cells[..] else { continue };
            // Some rows are of several files, or of none.
            let is_verdict = *verdict == "match" || verdict.starts_with("rejected");
            if is_verdict && folder.join(name).is_file() {
                logs.insert((*name).to_owned(), *verdict != "match");
            }
        }
        ensure!(logs.len() > 60, "the index was not understood");
        Ok(Self(logs))
    }

    /// Whether the tool refuses the log. What the index does not have is a copy of what it has, or
    /// generated; of all these it refuses those of confidential VMs: their header has index 1.
    fn refuses(&self, file: &File, version: Version) -> bool {
        let refused = self.0.get(&file.name).copied();
        let refused = refused.unwrap_or_else(|| file.format == Format::Ccel || is_padded(file));
        refused || (version.extends_no_action() && has_no_action_elsewhere(&file.bytes))
    }
}

/// Whether zeros follow the log: the tool takes them for a record.
fn is_padded(file: &File) -> bool {
    end(&file.bytes) == Some(End::Zeros)
}

fn end(bytes: &[u8]) -> Option<End> {
    let mut log = Log::open(bytes).ok()?;
    log.by_ref().for_each(drop);
    log.end()
}

fn has_no_action_elsewhere(bytes: &[u8]) -> bool {
    let events = Log::open(bytes).into_iter().flatten().flatten();
    events.filter(UntrustedEvent::is_no_action).any(|event| event.index() >= 24)
}

struct Bench {
    version: Version,
    scratch: PathBuf,
    logs: usize,
    values: usize,
    by_old_rule: usize,
    refused: usize,
    damaged: usize,
    ours_alone: usize,
    seen: BTreeSet<Vec<u8>>,
}

impl Bench {
    fn new(version: Version) -> Result<Self> {
        Ok(Self {
            version,
            scratch: workspace::scratch("interop-firmware")?,
            logs: 0,
            values: 0,
            by_old_rule: 0,
            refused: 0,
            damaged: 0,
            ours_alone: 0,
            seen: BTreeSet::new(),
        })
    }

    fn summary(&self) -> String {
        format!(
            "tsm and tpm2_eventlog {} get the same {} PCR values from {} firmware logs ({} of them by \
             the rules of old versions) and from {} damaged copies; {} more logs, and {} copies, only tsm reads",
            self.version,
            self.values,
            self.logs,
            self.by_old_rule,
            self.damaged,
            self.refused,
            self.ours_alone
        )
    }

    fn compare(&mut self, file: &File, index: &Index) -> Result<()> {
        let name = &file.name;
        if end(&file.bytes).is_none_or(|end| matches!(end, End::Error(_) | End::Garbage)) {
            bail!("{name}: tsm does not read it to its end");
        }
        let path = self.scratch.join("log");
        fs::write(&path, &file.bytes)?;
        let theirs = match tool::run(&path)? {
            Answer::Values(values) => values,
            Answer::Rejected(said) => {
                ensure!(index.refuses(file, self.version), "{name}: refused by the tool: {said}");
                println!("{name}: only tsm reads it; the tool: {said}");
                self.refused += 1;
                return Ok(());
            }
        };
        ensure!(!index.refuses(file, self.version), "{name}: the tool should refuse it");
        let by_old_rule = self.equal(&file.bytes, &theirs).with_context(|| name.clone())?;
        self.logs += 1;
        self.values += theirs.len();
        self.by_old_rule += by_old_rule;
        let damaged = self.seen.insert(file.bytes.clone());
        let damaged = if damaged { self.damaged_copies(file)? } else { (0, 0) };
        self.damaged += damaged.0;
        self.ours_alone += damaged.1;
        let old = match by_old_rule {
            0 => String::new(),
            count => format!(", {count} of them as versions before 5.6 get them"),
        };
        println!(
            "{name}: {} values agree{old}; and those of {} damaged copies",
            theirs.len(),
            damaged.0
        );
        Ok(())
    }

    /// Compares the values; gives how many are those of the old rules.
    fn equal(&self, log: &[u8], theirs: &Values) -> Result<usize> {
        let ours = replay(log)?;
        let old = self.version.extends_no_action().then(|| replay_before_5_6(log)).transpose()?;
        let mut by_old_rule = 0;
        let places: BTreeSet<_> = ours.keys().chain(theirs.keys()).collect();
        for place in places {
            let (ours, theirs) = (ours.get(place), theirs.get(place));
            if ours == theirs {
                continue;
            }
            if let Some(old) = &old
                && old.get(place) == theirs
            {
                by_old_rule += 1;
                continue;
            }
            let (bank, pcr) = place;
            bail!("PCR {pcr}, {bank}: tsm {ours:?}, tpm2_eventlog {theirs:?}");
        }
        Ok(by_old_rule)
    }

    /// Compares copies with one damage each; gives how many both read, and how many tsm alone.
    fn damaged_copies(&self, file: &File) -> Result<(usize, usize)> {
        let path = self.scratch.join("damaged");
        let (mut both, mut ours_alone) = (0, 0);
        for (what, bytes) in damage(&file.bytes)? {
            let context = || format!("{} with {what}; kept as {}", file.name, path.display());
            fs::write(&path, &bytes)?;
            let is_read = end(&bytes).is_some_and(|end| !matches!(end, End::Error(_)));
            ensure!(is_read, "tsm cannot read {}", context());
            match tool::run(&path)? {
                Answer::Values(theirs) => {
                    self.equal(&bytes, &theirs).with_context(context)?;
                    both += 1;
                }
                Answer::Rejected(_) => ours_alone += 1,
            }
        }
        Ok((both, ours_alone))
    }
}

/// The values of all PCRs that the log extends, in all its banks.
fn replay(bytes: &[u8]) -> Result<Values> {
    let log = Log::open(bytes)?;
    let banks: Vec<Algorithm> = log.algorithms().known().collect();
    if banks.is_empty() {
        return Ok(Values::new());
    }
    let mut replay = <Replay>::new(Platform::Tpm, &banks)?;
    if let Some(error) = replay.run(log).error() {
        return Err(error.into());
    }
    let mut values = Values::new();
    for register in replay.registers().filter(|register| register.events() > 0) {
        let RegisterIndex::Pcr(pcr) = register.index() else { continue };
        for &bank in &banks {
            if let Some(value) = register.value(bank) {
                values.insert((bank, pcr.number()), value);
            }
        }
    }
    Ok(values)
}

/// The same as `tpm2_eventlog` had it before 5.6, see [`Version::extends_no_action`].
fn replay_before_5_6(bytes: &[u8]) -> Result<Values> {
    let mut values = Values::new();
    for event in Log::open(bytes)? {
        let event = event?;
        for digest in event.digests().known() {
            let bank = digest.algorithm();
            let start = match event.index() {
                17..=22 => Digest::ones(bank),
                _ => Digest::zeros(bank),
            };
            values.entry((bank, event.index())).or_insert(start).extend(&digest)?;
        }
    }
    Ok(values)
}

/// Copies of a log that are still logs, each with its description.
fn damage(log: &[u8]) -> Result<Vec<(String, Vec<u8>)>> {
    let whole = Log::open(log)?;
    let layout = whole.layout();
    let events = whole.filter(|event| !event.is_ok_and(|event| event.is_no_action()));
    let events: Vec<UntrustedEvent<'_>> = events.collect::<Result<_, _>>()?;
    let mut copies = Vec::new();
    let mut flip = |what: &str, at: usize| {
        let mut copy = log.to_vec();
        copy.get_mut(at).into_iter().for_each(|byte| *byte ^= 1);
        copies.push((format!("bit 0 of byte {at} flipped, {what}"), copy));
    };
    let chosen = events.first().into_iter().chain(events.get(events.len() / 2));
    let chosen: Vec<_> = chosen.chain(events.last()).collect();
    for (event, place) in chosen.iter().zip(0..) {
        let begin = offset(event.position().offset)?;
        // Another digest of each, so that all banks have their turn.
        let mut at = begin + if layout == Layout::Agile { 12 } else { 8 };
        let tag = if layout == Layout::Agile { 2 } else { 0 };
        let last = event.digests().len().saturating_sub(1);
        for (number, (_, digest)) in event.digests().iter().enumerate() {
            if number == place % (last + 1) {
                flip("in a digest", at + tag + digest.len() - 1);
            }
            at += tag + digest.len();
        }
        flip("in the number of the PCR", begin);
        if !event.data().is_empty() {
            flip("in the data", offset(event.end().offset)? - 1);
        }
    }
    let part = |from: u64, to: u64| -> Result<&[u8]> {
        Ok(log.get(offset(from)?..offset(to)?).unwrap_or_default())
    };
    let length = u64::try_from(log.len())?;
    for event in &chosen {
        let (begin, end) = (event.position().offset, event.end().offset);
        let copy = [part(0, begin)?, part(end, length)?].concat();
        copies.push((format!("the event at {begin} removed"), copy));
    }
    let neighbours: Vec<_> = events
        .iter()
        .enumerate()
        .filter_map(|(place, a)| {
            let same = |b: &&UntrustedEvent<'_>| {
                b.index() == a.index() && !b.digests().iter().eq(a.digests().iter())
            };
            Some((a, events.get(place + 1..)?.iter().find(same)?))
        })
        .collect();
    for (a, b) in neighbours.first().into_iter().chain(neighbours.last()) {
        let ((a, a_end), (b, b_end)) =
            ((a.position().offset, a.end().offset), (b.position().offset, b.end().offset));
        let copy =
            [part(0, a)?, part(b, b_end)?, part(a_end, b)?, part(a, a_end)?, part(b_end, length)?];
        copies.push((format!("the events at {a} and {b} exchanged"), copy.concat()));
    }
    Ok(copies)
}

fn offset(offset: u64) -> Result<usize> {
    Ok(usize::try_from(offset)?)
}
