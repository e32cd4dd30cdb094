// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the library costs in firmware: size, symbols it needs, and that it cannot panic.
//!
//! Looks at linked images (`xtask/images`) and at the C library with every function of its header
//! linked: whatever the linker kept can be reached.

mod cca;
mod image;

use std::path::Path;

use anyhow::{Result, ensure};

use crate::capi::{self, BARE, COMPACT};
use crate::rust_src::Core;
use crate::shell;
use crate::task::Outcome;
use crate::workspace;
use image::{Image, Size};

/// Most bytes of code and read-only data of writer, replay and SHA-384.
const SMALLEST: u64 = 20 * 1024;

/// Most bytes of code that the adapter for TDX adds to it.
const TDX_ADAPTER: u64 = 8 * 1024;

/// Most bytes of code of both together.
const WITH_TDX: u64 = 24 * 1024;

/// Most bytes of code that the adapter for SNP adds to it, AES-256-GCM and the bank included.
const SNP_ADAPTER: u64 = 24 * 1024;

/// The functions through which tsm-snp calls the cipher, whose crates keep checks of indexes and of
/// the block counter that nothing can fail.
const CIPHER: [&str; 3] = ["6Cipher3new", "6Cipher4seal", "6Cipher4open"];

/// The software cipher in its compact form. The program that links the image must choose it.
pub(crate) const COMPACT_CIPHER: &str = "--cfg aes_backend=\"soft\" --cfg aes_backend_soft=\"compact\" --cfg \
                              polyval_backend=\"soft\"";

/// Builds and checks all images.
///
/// # Errors
///
/// A budget is exceeded, a panic can be reached, or something is missing from or too much in an image.
pub(crate) fn run() -> Result<Outcome> {
    let target_dir = workspace::target_dir()?.join("images");
    let mut sources = None;
    let core = Core::of(BARE, &mut sources)?;
    // The readers of other logs need all algorithms. With more than one, "z" leaves code of the hash
    // crates uninlined in which the compiler then keeps panics that nothing can reach.
    let smallest = built(core, &target_dir, "smallest", "z", &[])?;
    let every = built(core, &target_dir, "every", "z", &[])?;
    let ima = built(core, &target_dir, "ima", "s", &["--features", "eventlog"])?;
    let tdx = built(core, &target_dir, "tdx", "z", &["--features", "tdx"])?;
    let snp = built(core, &target_dir, "snp", "s", &["--features", "snp"])?;
    let library = Image::of_library(&capi::bare_library()?)?;
    let images = [&smallest, &every, &ima, &tdx, &library];
    for image in images {
        let Size { code, data } = image.size()?;
        println!("{:>12}: {code:>6} code + {data:>5} read-only data", image.name());
        image.check_symbols()?;
    }
    let Size { code, data } = snp.size()?;
    println!("{:>12}: {code:>6} code + {data:>5} read-only data", snp.name());
    snp.check_symbols_but(&CIPHER)?;
    let with_snp = code;
    let Size { code, data } = smallest.size()?;
    ensure!(code + data <= SMALLEST, "{} + {data} bytes, budget {SMALLEST}", code);
    let with_tdx = tdx.size()?.code;
    let adapter = with_tdx.saturating_sub(code);
    ensure!(with_tdx <= WITH_TDX, "{with_tdx} bytes with TDX, budget {WITH_TDX}");
    ensure!(adapter <= TDX_ADAPTER, "{adapter} bytes for TDX, budget {TDX_ADAPTER}");
    let snp_adapter = with_snp.saturating_sub(code);
    ensure!(snp_adapter <= SNP_ADAPTER, "{snp_adapter} bytes for SNP, budget {SNP_ADAPTER}");
    let cca = cca::run(&target_dir)?;
    let done = format!(
        "writer, replay and SHA-384 in {code} + {data} of {SMALLEST} bytes; the adapter for TDX \
         in {adapter} of {TDX_ADAPTER}, for SNP in {snp_adapter} of {SNP_ADAPTER}; {cca}; no panic, \
         no heap, nothing undefined in {} images; in SNP's the cipher alone has panics",
        images.len() + cca::IMAGES
    );
    Ok(Outcome::Done(done))
}

/// Builds one of `xtask/images`.
fn built(
    core: &Core,
    target_dir: &Path,
    name: &str,
    opt_level: &str,
    features: &[&str],
) -> Result<Image> {
    let flags = format!("{COMPACT} {COMPACT_CIPHER}");
    built_for((BARE, &flags), core, target_dir, name, opt_level, features)
}

/// The same for another target, with flags for the compiler.
fn built_for(
    (target, flags): (&str, &str),
    core: &Core,
    target_dir: &Path,
    name: &str,
    opt_level: &str,
    features: &[&str],
) -> Result<Image> {
    let mut build = core.cargo("rustc", target, "core");
    build.env("RUSTFLAGS", flags).env("CARGO_PROFILE_RELEASE_OPT_LEVEL", opt_level);
    build.args(["-q", "--release", "--locked", "--manifest-path", "xtask/images/Cargo.toml"]);
    build.arg("--target-dir").arg(target_dir).args(["--bin", name]).args(features);
    let release = target_dir.join(target).join("release");
    let object = release.join(format!("{name}.o"));
    // The object is what the linker gets beside the compiler's own functions.
    build.arg("--").arg(format!("--emit=link,obj={}", object.display()));
    shell::run(&mut build)?;
    Ok(Image::new(name, release.join(name), object))
}
