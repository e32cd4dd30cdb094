// SPDX-License-Identifier: MIT OR Apache-2.0
//! Device paths: where something that was loaded came from.

use core::fmt;
use core::iter::FusedIterator;

use super::part::Part;
use super::text::Utf16Text;

/// A device path: a list of nodes (UEFI 2.10, section 10.3).
///
/// `Display` shows it in UEFI's text form (section 10.6), with nodes of no known form as
/// `Path(type,subtype,bytes)`, and what cannot be cut into nodes as `Malformed(bytes)`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct DevicePath<'a>(pub &'a [u8]);

impl<'a> DevicePath<'a> {
    /// The nodes, those that end a path included, up to the end of the bytes or to a node whose
    /// length is impossible.
    #[must_use]
    pub const fn nodes(&self) -> Nodes<'a> {
        Nodes { rest: self.0 }
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many bytes are nodes. What is behind them is malformed.
    #[must_use]
    pub fn sound_length(&self) -> usize {
        let mut nodes = self.nodes();
        nodes.by_ref().for_each(drop);
        self.0.len().saturating_sub(nodes.rest.len())
    }

    /// The file's name in the last file path node.
    #[must_use]
    pub fn file(&self) -> Option<Utf16Text<'a>> {
        self.nodes().filter_map(|node| node.file()).last()
    }
}

impl fmt::Display for DevicePath<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut nodes = self.nodes();
        let (mut first, mut ended) = (true, false);
        for node in nodes.by_ref() {
            if node.kind == Node::END {
                ended = true;
                continue;
            }
            f.write_str(if core::mem::take(&mut first) {
                ""
            } else if ended {
                ","
            } else {
                "/"
            })?;
            ended = false;
            node.fmt(f)?;
        }
        match nodes.rest {
            [] => Ok(()),
            rest => {
                write!(f, "{}Malformed({})", if first { "" } else { "/" }, tsm_core::hex::Hex(rest))
            }
        }
    }
}

impl fmt::Debug for DevicePath<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The iterator of [`DevicePath::nodes`].
#[derive(Clone, Debug)]
pub struct Nodes<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Nodes<'a> {
    type Item = Node<'a>;

    fn next(&mut self) -> Option<Node<'a>> {
        let mut part = Part::whole(self.rest);
        let (kind, subtype) = (part.u8().ok()?, part.u8().ok()?);
        let length = usize::from(part.u16().ok()?).checked_sub(4)?;
        let data = part.cut(length).ok()?.bytes;
        self.rest = part.bytes;
        Some(Node { kind, subtype, data })
    }
}

impl FusedIterator for Nodes<'_> {}

/// A node of a device path. `Display` shows it in UEFI's text form.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub struct Node<'a> {
    /// 1 hardware, 2 ACPI, 3 messaging, 4 media, 5 BIOS boot, [`END`](Self::END).
    pub kind: u8,
    /// The number of the form, within its kind.
    pub subtype: u8,
    /// What is behind the node's header.
    pub data: &'a [u8],
}

impl<'a> Node<'a> {
    /// The kind of a node that ends a path.
    pub const END: u8 = 0x7F;

    /// The name in a file path node, without what ends it.
    #[must_use]
    pub fn file(&self) -> Option<Utf16Text<'a>> {
        if (self.kind, self.subtype) != (4, 4) {
            return None;
        }
        Some(Utf16Text(self.data.strip_suffix(&[0, 0]).unwrap_or(self.data)))
    }
}
