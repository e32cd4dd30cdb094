// SPDX-License-Identifier: MIT OR Apache-2.0
//! Differential test: `tsm replay` and evmctl judge the same IMA lists, untouched and damaged.

use core::iter;
use core::ops::Range;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use crate::evmctl::{self, Pcrs};
use crate::ima::{self, Entry};
use crate::task::{Outcome, Verdict};
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
    let damaged = workspace::scratch("interop-ima")?.join("damaged");
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
    let ours = judge(tsm, &pcrs, &path)?;
    match (evmctl::judge(&pcrs, &path)?, ours) {
        (Verdict::Holds, Verdict::Holds) => {}
        (Verdict::Holds, Verdict::Rejected(said)) => {
            bail!("evmctl accepts the list, tsm rejects it: {said}")
        }
        // A refusal is a limit of evmctl: lists that mix `ima` with other templates.
        (Verdict::Rejected(said), Verdict::Holds) if !said.contains("Failed to match") => {
            let last = said.lines().last().unwrap_or_default();
            return Ok(Comparison::NotForEvmctl(format!("it says: {last}")));
        }
        (Verdict::Rejected(said), Verdict::Holds) => {
            bail!("tsm accepts the list, evmctl rejects it: {said}")
        }
        (Verdict::Rejected(evmctl), Verdict::Rejected(tsm)) => {
            bail!("both reject what a kernel wrote: evmctl: {evmctl}\ntsm: {tsm}")
        }
    }
    let mut count = 0;
    for (what, bytes) in damage(&list)? {
        fs::write(damaged, bytes)?;
        if let Verdict::Holds = evmctl::judge(&pcrs, damaged)? {
            bail!("evmctl accepts the list with {what}");
        }
        if let Verdict::Holds = judge(tsm, &pcrs, damaged)? {
            bail!("tsm accepts the list with {what}; kept as {}", damaged.display());
        }
        count += 1;
    }
    Ok(Comparison::Agree { damaged: count })
}

/// What tsm says about PCR 10: holds if it does in every bank.
fn judge(tsm: &Path, pcrs: &[Pcrs], list: &Path) -> Result<Verdict> {
    for Pcrs { pcr10, .. } in pcrs {
        if let Verdict::Rejected(said) = tsm::replay(tsm, pcr10, list)? {
            return Ok(Verdict::Rejected(said));
        }
    }
    Ok(Verdict::Holds)
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
    // What follows leaves each entry intact. A list of one entry has nothing to remove.
    let part = |range: Range<usize>| list.get(range).unwrap_or_default();
    if let [first, .., last] = &entries[..] {
        copies.push(("its first entry removed".into(), part(first.all.end..list.len()).to_vec()));
        copies.push(("its last entry removed".into(), part(0..last.all.start).to_vec()));
    }
    // Two violations have the same digest: their order cannot be seen.
    let differ = |pair: &&[Entry]| match pair {
        [a, b] => part(a.digest.clone()) != part(b.digest.clone()),
        _ => false,
    };
    if let Some([a, b]) = entries.windows(2).rfind(differ) {
        let order = [0..a.all.start, b.all.clone(), a.all.clone(), b.all.end..list.len()];
        let copy = order.map(part).concat();
        copies
            .push((format!("the entries at {} and {} exchanged", a.all.start, b.all.start), copy));
    }
    let cut = list.len().saturating_sub(1);
    copies.push(("its last byte cut off".into(), part(0..cut).to_vec()));
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
