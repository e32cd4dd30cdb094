// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the adapter for CCA costs: built for AArch64, where its instruction is.

use std::path::Path;

use anyhow::{Result, ensure};

use super::built_for;
use super::image::Size;
use crate::rust_src::Core;

const TARGET: &str = "aarch64-unknown-none";

/// The compact code of the hash crates (`COMPACT`), and nothing else: otherwise they keep variables
/// for what they find out about the processor.
const FLAGS: &str = "--cfg sha2_backend_soft=\"compact\" --cfg sha2_backend=\"soft\"";

/// Most bytes of code that the adapter adds to the image `smallest`, both with the hashes that a
/// realm can have.
const ADAPTER: u64 = 8 * 1024;

/// How many images are looked through.
pub(super) const IMAGES: usize = 2;

/// Builds and checks the images of the adapter and of the token's layout.
///
/// # Errors
///
/// As [`run`](super::run).
pub(super) fn run(target_dir: &Path) -> Result<String> {
    let mut sources = None;
    let core = Core::of(TARGET, &mut sources)?;
    let target = (TARGET, FLAGS);
    let built =
        |name, level| built_for(target, core, target_dir, name, level, &["--features", "cca"]);
    let smallest = built("smallest", "z")?.size()?.code;
    let with = built("cca", "z")?.size()?.code;
    let adapter = with.saturating_sub(smallest);
    ensure!(adapter <= ADAPTER, "{adapter} bytes for CCA, budget {ADAPTER}");
    // With more than one hash, "z" leaves panics in the hash crates that nothing can reach.
    for name in ["cca", "cca-token"] {
        let image = built(name, "s")?;
        let Size { code, data } = image.size()?;
        println!("{:>12}: {code:>6} code + {data:>5} read-only data", image.name());
        image.check_symbols()?;
    }
    Ok(format!("the adapter for CCA in {adapter} of {ADAPTER}"))
}
