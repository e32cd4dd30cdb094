// SPDX-License-Identifier: MIT OR Apache-2.0
//! Trees of files over simulated machines: any path, any offset and length.

use tsm_core::log::{Limits, RecordLog, SliceStorage};
use tsm_core::tree::{Errno, Layout, Node, Tree};
use tsm_core::{Logged, Powers, Provider};
use tsm_sim::{Simulated, platform};

use crate::input::Input;

/// Input: platform, layout, then steps of one byte and what they need.
pub fn tree(data: &[u8]) {
    let mut input = Input::new(data);
    let machine = Simulated::by_name(input.of(&platform::NAMES)).unwrap();
    let layout = input.of(&[Layout::Rfc, Layout::Banked, Layout::Linux]);
    let extensible = |(id, register): (_, tsm_core::Register<'_>)| {
        register.powers.contains(Powers::EXTEND).then_some(id)
    };
    let ids: Vec<_> = machine.registers().filter_map(extensible).take(3).collect();
    let mut buffers = [[0; 2048]; 2];
    let mut logged = Logged::<_, _, 2>::new(machine);
    for (id, buffer) in ids.iter().zip(&mut buffers) {
        let log = RecordLog::new(SliceStorage::new(buffer), Limits::DEFAULT);
        assert!(logged.attach(*id, log).is_ok());
    }
    let mut scratch = [0; 8192];
    let mut tree = Tree::new(logged, layout, &mut scratch);

    let nodes = walk(&mut tree);
    while !input.is_empty() {
        match input.byte() {
            b'p' => {
                let size = input.below(100);
                path(&mut tree, input.bytes(size), &nodes);
            }
            b'w' => {
                let node = input.of(&nodes);
                // Whole values are what most writes want.
                let size = match input.byte() {
                    0 => tree.attributes(node).unwrap().size as usize,
                    size => usize::from(size),
                };
                let mut bytes = input.bytes(size).to_vec();
                if bytes.len() < size && size < 8192 {
                    bytes.resize(size, b'x');
                }
                let offset = u64::from(input.byte() / 128);
                write(&mut tree, node, offset, &bytes);
            }
            _ => {
                let node = input.of(&nodes);
                let (offset, size) = (input.short() as u64, input.below(600));
                // Far offsets too.
                let offset = if offset > 0xFF00 { u64::MAX - (offset & 0xFF) } else { offset };
                read(&mut tree, node, offset, size);
            }
        }
    }
    // What is where does not change, and all of it can still be read.
    assert_eq!(walk(&mut tree), nodes);
    for node in nodes.into_iter().rev().step_by(5) {
        let size = tree.attributes(node).unwrap().size;
        for (offset, length) in [(0, 0), (0, 1), (1, 7), (size / 2, 4096), (size, 1), (size, 0)] {
            read(&mut tree, node, offset, length);
        }
    }
}

/// Every node, depth first, each found again by its path.
fn walk<P: Provider>(tree: &mut Tree<'_, P>) -> Vec<Node> {
    let mut nodes = vec![Node::ROOT];
    let mut open = vec![(Node::ROOT, String::new())];
    while let Some((directory, path)) = open.pop() {
        let entries: Vec<_> =
            tree.entries(directory).unwrap().map(|e| (e.name.to_string(), e.node)).collect();
        for (name, node) in entries {
            assert!(!name.is_empty() && !name.contains('/'));
            assert_eq!(tree.child(directory, name.as_bytes()), Ok(node));
            let path = format!("{path}/{name}");
            assert_eq!(tree.lookup(path.as_bytes()), Ok(node));
            let attributes = tree.attributes(node).unwrap();
            assert_eq!(attributes.directory, node.is_directory());
            if node.is_directory() {
                open.push((node, path));
            } else {
                let below = format!("{path}/x");
                assert_eq!(tree.lookup(below.as_bytes()), Err(Errno::NotDirectory));
                assert!(tree.entries(node).is_err());
            }
            assert!(!nodes.contains(&node), "{node:?}");
            nodes.push(node);
        }
    }
    nodes
}

fn path<P: Provider>(tree: &mut Tree<'_, P>, path: &[u8], nodes: &[Node]) {
    match tree.lookup(path) {
        Ok(node) => assert!(nodes.contains(&node)),
        Err(error) => assert!(matches!(error, Errno::NotFound | Errno::NotDirectory)),
    }
    // Empty names are passed over.
    let doubled: Vec<u8> =
        path.iter().flat_map(|&b| if b == b'/' { vec![b, b] } else { vec![b] }).collect();
    assert_eq!(tree.lookup(&doubled), tree.lookup(path));
}

/// A read of a part gives that part of the whole.
fn read<P: Provider>(tree: &mut Tree<'_, P>, node: Node, offset: u64, size: usize) {
    let mut part = vec![0xAA; size];
    let found = tree.read(node, offset, &mut part);
    if node.is_directory() {
        assert_eq!(found, Err(Errno::IsDirectory));
        return;
    }
    let attributes = tree.attributes(node).unwrap();
    if attributes.mode & 0o444 == 0 {
        assert_eq!(found, Err(Errno::Access));
        return;
    }
    let mut whole = vec![0; attributes.size as usize + 16];
    let all = tree.read(node, 0, &mut whole).unwrap();
    assert_eq!(all as u64, attributes.size);
    whole.truncate(all);
    let from = usize::try_from(offset).unwrap_or(usize::MAX).min(all);
    let expected = &whole[from..(from.saturating_add(size)).min(all)];
    let read = found.unwrap();
    assert_eq!(read, expected.len(), "{node:?} {offset} {size}");
    assert_eq!(part[..read], *expected);
    assert!(part[read..].iter().all(|&b| b == 0xAA));
}

fn write<P: Provider>(tree: &mut Tree<'_, P>, node: Node, offset: u64, bytes: &[u8]) {
    if node.is_directory() {
        assert_eq!(tree.write(node, offset, bytes), Err(Errno::IsDirectory));
        return;
    }
    let attributes = tree.attributes(node).unwrap();
    let before = value(tree, node);
    match tree.write(node, offset, bytes) {
        Ok(taken) => {
            assert_eq!(taken, bytes.len());
            assert_ne!(attributes.mode & 0o200, 0);
        }
        Err(error) => {
            assert_eq!(error == Errno::Access, attributes.mode & 0o200 == 0);
            assert_eq!(value(tree, node), before);
        }
    }
}

/// The file's content, where it can be read.
fn value<P: Provider>(tree: &mut Tree<'_, P>, node: Node) -> Option<Vec<u8>> {
    let mut bytes = vec![0; tree.attributes(node).unwrap().size as usize];
    tree.read(node, 0, &mut bytes).ok()?;
    Some(bytes)
}
