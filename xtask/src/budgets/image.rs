// SPDX-License-Identifier: MIT OR Apache-2.0
//! A linked image and the object it was made of, as `nm` and `size` see them.

use std::collections::{BTreeMap, BTreeSet};
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
        self.check_linked(&[])
    }

    /// The same, but panics may be reached through functions whose symbols have one of these parts,
    /// and only through them: those that call a foreign crate with checks which the compiler cannot
    /// rule out.
    pub(super) fn check_symbols_but(&self, tolerated: &[&str]) -> Result<()> {
        let is_panic = |name: &str| FORBIDDEN.iter().take(3).any(|(part, _)| name.contains(part));
        let disassembly =
            shell::text(program("objdump", &["-d", "--no-show-raw-insn"]).arg(&self.linked))?;
        let escapes = escapes(&calls(&disassembly), is_panic, tolerated)?;
        if !escapes.is_empty() {
            bail!("{}: a panic can be reached through {}", self.name, escapes.join(", "));
        }
        self.check_linked(&["9panicking", "panic_fmt"])
    }

    fn check_linked(&self, tolerated: &[&str]) -> Result<()> {
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
            let forbidden = FORBIDDEN.iter().filter(|(part, _)| !tolerated.contains(part));
            if let Some((_, what)) = forbidden.clone().find(|(part, _)| symbol.contains(part)) {
                let disassemble = format!("objdump -dr {}", self.linked.display());
                bail!("{}: {what}: {symbol}; see who calls it: {disassemble}", self.name);
            }
        }
        Ok(())
    }
}

/// Who calls or jumps to whom, as `objdump -d` prints it.
fn calls(disassembly: &str) -> BTreeMap<String, BTreeSet<String>> {
    let mut calls = BTreeMap::<_, BTreeSet<_>>::new();
    let mut caller = String::new();
    for line in disassembly.lines() {
        let Some((before, name)) = line.split_once('<') else { continue };
        if let Some(name) = name.strip_suffix(">:") {
            name.clone_into(&mut caller);
            calls.entry(caller.clone()).or_default();
        } else if before.split_whitespace().any(|w| w.starts_with("call") || w.starts_with('j')) {
            let callee = name.split(['+', '>']).next().unwrap_or(name);
            if callee != caller {
                calls.entry(caller.clone()).or_default().insert(callee.to_owned());
            }
        }
    }
    calls
}

/// Functions that lead to one that `is_panic`, other than those that only the tolerated ones lead to.
fn escapes(
    calls: &BTreeMap<String, BTreeSet<String>>,
    is_panic: impl Fn(&str) -> bool,
    tolerated: &[&str],
) -> Result<Vec<String>> {
    let is_tolerated = |name: &str| tolerated.iter().any(|part| name.contains(part));
    let mut below: BTreeSet<&str> = BTreeSet::new();
    let mut next: Vec<&str> =
        calls.keys().map(String::as_str).filter(|n| is_tolerated(n)).collect();
    ensure!(next.len() >= tolerated.len(), "not all of {tolerated:?} are in the image");
    while let Some(name) = next.pop() {
        if below.insert(name) {
            next.extend(calls.get(name).into_iter().flatten().map(String::as_str));
        }
    }
    let mut above: BTreeSet<&str> =
        calls.keys().map(String::as_str).filter(|name| is_panic(name)).collect();
    loop {
        let callers = calls.iter().filter(|(name, callees)| {
            let leads = callees.iter().any(|callee| above.contains(callee.as_str()));
            leads && !above.contains(name.as_str()) && !is_tolerated(name)
        });
        let more: Vec<&str> = callers.map(|(name, _)| name.as_str()).collect();
        if more.is_empty() {
            break;
        }
        above.extend(more);
    }
    Ok(above.difference(&below).map(|name| (*name).to_owned()).collect())
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
    fn panics_through_tolerated_functions_only() {
        let image = "0000 <_start>:\n 0: call 10 <ours>\n\
            0010 <ours>:\n 1: call 20 <cipher>\n 2: jmp 12 <ours+0x2>\n\
            0020 <cipher>:\n 3: jne 30 <index>\n\
            0030 <index>:\n 4: jmp 40 <panic>\n\
            0040 <panic>:\n 5: ret\n";
        let escaping = |image: &str| escapes(&calls(image), |n| n == "panic", &["cipher"]).unwrap();
        assert!(escaping(image).is_empty());
        let also = image.replace("1: call 20 <cipher>", "1: call 20 <cipher>\n 9: call 30 <index>");
        assert_eq!(escaping(&also), ["_start", "ours"]);
        assert!(escapes(&calls(image), |n| n == "panic", &["sipher"]).is_err());
    }

    #[test]
    fn functions_of_a_header() {
        let header = "/*\n text (with this)\n */\ntypedef int (*f)(int);\n\
            tsm_status tsm_a(void);\nconst char *tsm_b(int x,\n                  int y);\n\
            #define X(y) y\nstruct s {\n    int (*g)(int);\n};\n";
        assert_eq!(functions(header), ["tsm_a", "tsm_b"]);
    }
}
