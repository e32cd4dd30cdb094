// SPDX-License-Identifier: MIT OR Apache-2.0
//! Cargo features: every combination builds, and none of the default ones needs std.

use anyhow::{Result, bail};

use crate::shell::{self, cargo};
use crate::task::Outcome;
use crate::workspace;

/// The features of tsm-core of which at least one must be on.
const ALGORITHMS: [&str; 4] = ["sha1", "sha256", "sha384", "sha512"];

/// What tsm-core says otherwise, so that nobody has to guess from errors further down.
const REFUSAL: &str = "enable at least one of the algorithm features";

/// The crates that firmware links.
pub(crate) const NO_STD: [&str; 6] =
    ["tsm-core", "tsm-eventlog", "tsm-tdx", "tsm-snp", "tsm-cca", "tsm-capi"];

/// Runs the lints on tsm-core with every combination of its features, and makes sure that one
/// without any algorithm is refused.
///
/// # Errors
///
/// A combination that does not pass, or one without an algorithm that does.
pub(crate) fn combinations() -> Result<Outcome> {
    let features = workspace::features("tsm-core")?;
    let (mut passed, mut refused) = (0, 0);
    for chosen in powerset(&features) {
        let list = chosen.join(",");
        let args = ["clippy", "-q", "--locked", "-p", "tsm-core", "--lib", "--no-default-features"];
        let mut clippy = cargo(&args);
        clippy.args(["--features", &list, "--", "-D", "warnings"]);
        if has_algorithm(&chosen) {
            println!("tsm-core with {list}");
            shell::text(&mut clippy)?;
            passed += 1;
        } else {
            let said = shell::capture(&mut clippy)?.stderr;
            if !String::from_utf8_lossy(&said).contains(REFUSAL) {
                bail!("tsm-core without any algorithm (`{list}`) does not say `{REFUSAL}`");
            }
            refused += 1;
        }
    }
    let what = format!("{passed} combinations pass, {refused} without an algorithm are refused");
    Ok(Outcome::Done(what))
}

/// The combinations of tsm-core's features that have an algorithm, as cargo takes them.
///
/// # Errors
///
/// The workspace's metadata cannot be read.
pub(crate) fn with_an_algorithm() -> Result<Vec<String>> {
    let features = workspace::features("tsm-core")?;
    let with = powerset(&features).into_iter().filter(|chosen| has_algorithm(chosen));
    Ok(with.map(|chosen| chosen.join(",")).collect())
}

fn has_algorithm(chosen: &[&str]) -> bool {
    chosen.iter().any(|feature| ALGORITHMS.contains(feature))
}

/// Looks through the features that the default build of each `no_std` crate turns on, in itself
/// and in its dependencies. The `firmware` step proves the same by building.
///
/// # Errors
///
/// One of them is called `std` or `alloc`.
pub(crate) fn no_std() -> Result<Outcome> {
    let mut seen = 0;
    for name in NO_STD {
        let args = ["tree", "--locked", "-p", name, "-e", "normal,features", "--prefix", "none"];
        let tree = shell::text(cargo(&args).arg("--no-dedupe"))?;
        for line in tree.lines() {
            let feature = line.split(" feature ").nth(1).map(|f| f.split(' ').next());
            if let Some(Some(feature @ ("\"std\"" | "\"alloc\""))) = feature {
                bail!("{name} turns on {feature}: {line}\nsee `cargo {}`", args.join(" "));
            }
            seen += 1;
        }
    }
    Ok(Outcome::Done(format!("no std, no alloc among {seen} edges of {}", NO_STD.join(", "))))
}

/// Every subset of `features`, the empty one first.
fn powerset(features: &[String]) -> Vec<Vec<&str>> {
    let mut sets = vec![Vec::new()];
    for feature in features {
        let with = sets.iter().map(|set| {
            let mut set = set.clone();
            set.push(feature.as_str());
            set
        });
        sets.extend(with.collect::<Vec<_>>());
    }
    sets
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn powerset_has_each_subset_once() {
        let features = ["a", "b", "c"].map(str::to_owned);
        let mut sets: Vec<String> = powerset(&features).iter().map(|s| s.concat()).collect();
        sets.sort();
        assert_eq!(sets, ["", "a", "ab", "abc", "ac", "b", "bc", "c"]);
    }
}
