// SPDX-License-Identifier: MIT OR Apache-2.0
//! `tsm tree`: the registers as files, without a file system.

use std::io::{Read as _, Write as _};

use anstream::println;
use tsm_core::Provider;
use tsm_core::tree::{Layout, Node, Tree};

use crate::args;
use crate::failure::Failure;
use crate::state::{Access, Machine};
use crate::style::{FAINT, HEAD, Styled};
use crate::{Result, Verdict};

/// The largest unhashed value of which a part may be read.
const SCRATCH: usize = 64 << 10;

pub(crate) fn run(machine: &args::Machine, command: &args::Tree) -> Result {
    let access = if command.write.is_some() { Access::Change } else { Access::Read };
    let mut machine = Machine::open(machine, access)?;
    let layout = match command.layout {
        args::Layout::Rfc => Layout::Rfc,
        args::Layout::Banked => Layout::Banked,
        args::Layout::Linux => Layout::Linux,
    };
    let mut scratch = vec![0; SCRATCH];
    let done = machine.registers(|registers| {
        let mut tree = Tree::new(registers, layout, &mut scratch);
        match (&command.read, &command.write) {
            (Some(path), _) => read(&mut tree, path),
            (_, Some(path)) => write(&mut tree, path),
            _ => {
                println!("{}", Styled(HEAD, tree.provider().name()));
                show(&mut tree, Node::ROOT, "")
            }
        }
    });
    if access == Access::Change {
        machine.save()?;
    }
    done.map(|()| Verdict::Holds)
}

fn show<P: Provider>(tree: &mut Tree<'_, P>, directory: Node, indent: &str) -> Result<()> {
    let failed = |error| Failure::usage(format!("listing: {error}"));
    let entries: Vec<_> = tree
        .entries(directory)
        .map_err(failed)?
        .map(|entry| (entry.name.to_string(), entry.node))
        .collect();
    let last = entries.len().saturating_sub(1);
    for (place, (name, node)) in entries.into_iter().enumerate() {
        let attributes = tree.attributes(node).map_err(failed)?;
        let (branch, below) =
            if place == last { ("└── ", "    ") } else { ("├── ", "│   ") };
        let lead = format!("{indent}{branch}");
        if attributes.directory {
            println!("{}{}", Styled(FAINT, lead), Styled(HEAD, format!("{name}/")));
            show(tree, node, &format!("{indent}{below}"))?;
        } else {
            let facts = format!("{:03o} {}", attributes.mode, attributes.size);
            println!("{}{name}  {}", Styled(FAINT, lead), Styled(FAINT, facts));
        }
    }
    Ok(())
}

fn read<P: Provider>(tree: &mut Tree<'_, P>, path: &str) -> Result<()> {
    let failed = |error| Failure::usage(format!("{path}: {error}"));
    let node = tree.lookup(path.as_bytes()).map_err(failed)?;
    let mut out = std::io::stdout().lock();
    let mut buffer = vec![0; SCRATCH];
    let mut offset = 0;
    loop {
        let read = tree.read(node, offset, &mut buffer).map_err(failed)?;
        if read == 0 {
            return Ok(());
        }
        out.write_all(buffer.get(..read).unwrap_or_default())?;
        offset += read as u64;
    }
}

fn write<P: Provider>(tree: &mut Tree<'_, P>, path: &str) -> Result<()> {
    let failed = |error| Failure::usage(format!("{path}: {error}"));
    let node = tree.lookup(path.as_bytes()).map_err(failed)?;
    let mut data = Vec::new();
    std::io::stdin().read_to_end(&mut data)?;
    tree.write(node, 0, &data).map_err(failed)?;
    Ok(())
}
