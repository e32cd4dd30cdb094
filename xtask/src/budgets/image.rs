// SPDX-License-Identifier: MIT OR Apache-2.0
//! A linked image and the object it was made of, as `nm` and `size` see them.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};

use crate::shell::{self, program};
use crate::workspace;

/// What may be left to the environment.
const ENVIRONMENT: [&str; 4] = ["memcpy", "memmove", "memset", "memcmp"];

/// Parts of symbols that no image may have, and what they would mean.
const FORBIDDEN: [(&str, &str); 8] = [
    ("9panicking", "a panic can be reached"),
    ("begin_unwind", "a panic can be reached"),
    ("panic_fmt", "a panic can be reached"),
    ("__rust_alloc", "something allocates"),
    ("__rust_realloc", "something allocates"),
    ("5alloc", "something of the crate alloc is linked"),
    ("malloc", "something allocates"),
    ("_Unwind", "something unwinds"),
];

/// An image.
pub(super) struct Image {
    name: String,
    linked: PathBuf,
    object: PathBuf,
}

/// Bytes of an image.
pub(super) struct Size {
    pub(super) code: u64,
    pub(super) data: u64,
}

impl Image {
    pub(super) fn new(name: &str, linked: PathBuf, object: PathBuf) -> Self {
        Self { name: name.to_owned(), linked, object }
    }

    /// The C library, linked so that every function of its header is kept.
    pub(super) fn of_library(library: &Path) -> Result<Self> {
        let scratch = workspace::scratch("budgets")?;
        let header = workspace::root().join("crates/tsm-capi/include/tsm.h");
        let functions = functions(&fs::read_to_string(header)?);
        ensure!(functions.len() > 15, "found only {functions:?} in the header");
        let linked = scratch.join("c-library");
        let mut link = program("gcc", &["-nostdlib", "-static", "-Wl,--gc-sections"]);
        link.arg(format!("-Wl,-e,{}", functions.first().context("no function")?));
        link.args(functions.iter().map(|function| format!("-Wl,-u,{function}")));
        shell::text(link.arg(library).arg("-o").arg(&linked))?;
        let there = symbols(&linked, &["--defined-only"])?;
        for function in &functions {
            ensure!(there.contains(function), "{function} is in the header, not in the library");
        }
        let members = shell::text(program("ar", &["t"]).arg(library))?;
        let ours = members.lines().find(|m| m.starts_with("tsm")).context("no object of ours")?;
        let mut extract = program("ar", &["x"]);
        shell::text(extract.arg(library).arg(ours).current_dir(&scratch))?;
        Ok(Self::new("C library", linked, scratch.join(ours)))
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Code, and everything else that is loaded but not written by the program.
    pub(super) fn size(&self) -> Result<Size> {
        let table = shell::text(program("size", &["-A"]).arg(&self.linked))?;
        let sum = |prefixes: &[&str]| -> u64 {
            let sizes = table.lines().filter_map(|line| {
                let mut words = line.split_whitespace();
                let section = words.next()?;
                let size = words.next()?.parse::<u64>().ok()?;
                prefixes.iter().any(|prefix| section.starts_with(prefix)).then_some(size)
            });
            sizes.sum()
        };
        ensure!(sum(&[".data"]) == sum(&[".data.rel.ro"]), "{} has variables", self.name);
        ensure!(sum(&[".bss", ".tdata", ".tbss"]) == 0, "{} has variables", self.name);
        Ok(Size { code: sum(&[".text"]), data: sum(&[".rodata", ".data.rel.ro"]) })
    }

    /// Nothing undefined but what any environment has; no panic, no heap.
    pub(super) fn check_symbols(&self) -> Result<()> {
        for symbol in symbols(&self.object, &["-u"])? {
            if !ENVIRONMENT.contains(&symbol.as_str()) && symbol != "_GLOBAL_OFFSET_TABLE_" {
                bail!("{} needs {symbol}", self.name);
            }
        }
        let undefined = symbols(&self.linked, &["-u"])?;
        ensure!(undefined.is_empty(), "{} lacks {undefined:?}", self.name);
        let linked = symbols(&self.linked, &[])?;
        ensure!(linked.len() > 10, "{} has been stripped: nothing can be told", self.name);
        for symbol in linked {
            if let Some((_, what)) = FORBIDDEN.iter().find(|(part, _)| symbol.contains(part)) {
                let disassemble = format!("objdump -dr {}", self.linked.display());
                bail!("{}: {what}: {symbol}; see who calls it: {disassemble}", self.name);
            }
        }
        Ok(())
    }
}

/// The names that `nm` prints.
fn symbols(path: &Path, options: &[&str]) -> Result<Vec<String>> {
    let table = shell::text(program("nm", options).arg(path))?;
    Ok(table.lines().filter_map(|line| line.split_whitespace().last()).map(String::from).collect())
}

/// The functions that a header declares.
fn functions(header: &str) -> Vec<String> {
    let declared = header.lines().filter(|line| {
        let declaration = line.starts_with(|c: char| c.is_ascii_lowercase());
        declaration && !line.starts_with("typedef") && line.contains('(')
    });
    let name = |line: &str| {
        let (before, _) = line.split_once('(')?;
        Some(before.rsplit([' ', '*']).next()?.to_owned())
    };
    declared.filter_map(name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_of_a_header() {
        let header = "/*\n text (with this)\n */\ntypedef int (*f)(int);\n\
            tsm_status tsm_a(void);\nconst char *tsm_b(int x,\n                  int y);\n\
            #define X(y) y\nstruct s {\n    int (*g)(int);\n};\n";
        assert_eq!(functions(header), ["tsm_a", "tsm_b"]);
    }
}
