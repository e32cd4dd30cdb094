// SPDX-License-Identifier: MIT OR Apache-2.0
//! Differential test: `tsm replay` and evmctl judge the same IMA lists, untouched and damaged.

use core::iter;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use crate::evmctl::{self, Pcrs};
use crate::ima::{self, Entry};
use crate::task::Outcome;
use crate::{shell, tsm, workspace};

const LIST: &str = "ima_binary_runtime_measurements";

/// Compares the verdicts on every committed list that evmctl can judge.
///
/// # Errors
///
/// The verdicts differ, or a list that a kernel wrote is rejected by both.
pub(crate) fn run() -> Result<Outcome> {
    let boots = boots()?;
    if boots.is_empty() {
        return Ok(Outcome::Absent(format!("tests/data/generated/*/{LIST}")));
    }
    let Some(tsm) = tsm::build()? else { return Ok(Outcome::Absent(tsm::ABSENT.into())) };
    evmctl::ensure()?;
    println!("{}", shell::text(&mut shell::program("evmctl", &["--version"]))?.trim());
    let damaged = workspace::scratch("interop")?.join("damaged");
    let (mut lists, mut variants, mut left_out) = (0, 0, 0);
    for boot in &boots {
        let name = boot.file_name().unwrap_or_default().display();
        match compare(&tsm, boot, &damaged).with_context(|| name.to_string())? {
            Comparison::Agree { damaged } => {
                println!("{name}: agree, and on {damaged} damaged copies");
                lists += 1;
                variants += damaged;
            }
            Comparison::NotForEvmctl(why) => {
                println!("{name}: left out, {why}");
                left_out += 1;
            }
        }
    }
    Ok(Outcome::Done(format!(
        "tsm and evmctl accept {lists} lists and reject {variants} damaged ones; {left_out} lists \
         are beyond evmctl"
    )))
}

enum Comparison {
    Agree { damaged: usize },
    NotForEvmctl(String),
}

/// The directories with a list, by their names: the first place that has any is taken.
fn boots() -> Result<Vec<PathBuf>> {
    let root = workspace::root();
    let mut places = vec![root.join("tests/data/generated")];
    for entry in fs::read_dir(root.join("crates"))? {
        places.push(entry?.path().join("tests/data/generated"));
    }
    let mut boots = BTreeMap::new();
    for place in places.iter().filter(|p| p.is_dir()) {
        for entry in fs::read_dir(place)? {
            let boot = entry?;
            if boot.path().join(LIST).is_file() {
                boots.entry(boot.file_name()).or_insert(boot.path());
            }
        }
    }
    Ok(boots.into_values().collect())
}

fn compare(tsm: &Path, boot: &Path, damaged: &Path) -> Result<Comparison> {
    let pcrs = evmctl::pcrs(&boot.join("pcrs"))?;
    if pcrs.is_empty() {
        return Ok(Comparison::NotForEvmctl("no SHA-1 or SHA-256 bank".into()));
    }
    let path = boot.join(LIST);
    let list = fs::read(&path)?;
    let ours = holds(tsm, &pcrs, &path)?;
    match (evmctl::judge(&pcrs, &path)?, ours) {
        (Ok(()), true) => {}
        (Ok(()), false) => bail!("evmctl accepts the list, tsm rejects it"),
        // A refusal is a limit of evmctl: lists that mix `ima` with other templates.
        (Err(said), true) if !said.contains("Failed to match") => {
            let last = said.lines().last().unwrap_or_default();
            return Ok(Comparison::NotForEvmctl(format!("it says: {last}")));
        }
        (Err(said), true) => bail!("tsm accepts the list, evmctl rejects it: {said}"),
        (Err(said), false) => bail!("both reject what a kernel wrote: {said}"),
    }
    let mut count = 0;
    for (what, bytes) in damage(&list)? {
        fs::write(damaged, bytes)?;
        if evmctl::judge(&pcrs, damaged)?.is_ok() {
            bail!("evmctl accepts the list with {what}");
        }
        if holds(tsm, &pcrs, damaged)? {
            bail!("tsm accepts the list with {what}; kept as {}", damaged.display());
        }
        count += 1;
    }
    Ok(Comparison::Agree { damaged: count })
}

/// Whether the list explains PCR 10 in every bank, as far as tsm says.
fn holds(tsm: &Path, pcrs: &[Pcrs], list: &Path) -> Result<bool> {
    let mut all = true;
    for Pcrs { pcr10, .. } in pcrs {
        all &= tsm::replay(tsm, pcr10, list)?;
    }
    Ok(all)
}

/// Copies of the list that must be rejected, each with its description.
fn damage(list: &[u8]) -> Result<Vec<(String, Vec<u8>)>> {
    let entries = ima::entries(list)?;
    let mut copies = Vec::new();
    for at in positions(list, &entries) {
        let mut copy = list.to_vec();
        copy.get_mut(at).into_iter().for_each(|byte| *byte ^= 1);
        copies.push((format!("bit 0 of byte {at} flipped"), copy));
    }
    // Removing or moving entries leaves each of them intact. A list of one entry has nothing to
    // remove: what remains is no list.
    for (n, pair) in entries.windows(2).enumerate() {
        let [first, second] = pair else { continue };
        let [one, two] = [&first.all, &second.all].map(|e| list.get(e.clone()).unwrap_or_default());
        if n == 0 || n + 2 == entries.len() {
            let gone = if n == 0 { &first.all } else { &second.all };
            let before = list.get(..gone.start).unwrap_or_default();
            let after = list.get(gone.end..).unwrap_or_default();
            copies.push((format!("the entry at {} removed", gone.start), [before, after].concat()));
        }
        if n == entries.len() / 2 && one != two {
            let before = list.get(..first.all.start).unwrap_or_default();
            let after = list.get(second.all.end..).unwrap_or_default();
            let copy = [before, two, one, after].concat();
            copies.push((format!("the entries at {} exchanged", first.all.start), copy));
        }
    }
    let cut = list.len().saturating_sub(1);
    copies.push(("its last byte cut off".into(), list.get(..cut).unwrap_or_default().to_vec()));
    Ok(copies)
}

/// Bytes to flip: in the digest and throughout the data of the first, a middle and the last
/// entry. Not in violations, whose digest is zero and whose data is not measured; not in the
/// template's name, which no digest covers.
fn positions(list: &[u8], entries: &[Entry]) -> Vec<usize> {
    let is_measured =
        |e: &&Entry| list.get(e.digest.clone()).is_some_and(|d| d.iter().any(|b| *b != 0));
    let measured: Vec<&Entry> = entries.iter().filter(is_measured).collect();
    let (first, last) = (measured.first(), measured.last());
    let chosen = first.into_iter().chain(measured.get(measured.len() / 2)).chain(last);
    let mut positions: Vec<usize> = chosen
        .flat_map(|e| {
            let step = (e.data.len() / 8).max(1);
            iter::once(e.digest.start).chain(e.data.clone().step_by(step))
        })
        .collect();
    positions.sort_unstable();
    positions.dedup();
    positions
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_damage_changes_the_list() {
        let list = ima::synthesize(5).unwrap().binary;
        let copies = damage(&list).unwrap();
        assert!(copies.len() > 20);
        for (what, copy) in copies {
            assert_ne!(copy, list, "{what}");
        }
    }
}
