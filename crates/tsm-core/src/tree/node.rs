// SPDX-License-Identifier: MIT OR Apache-2.0
//! Nodes of the tree and what a directory holds. No access to values here.

use core::fmt;

use crate::algorithm::Algorithm;
use crate::provider::{Provider, RegisterId};
use crate::register::{Powers, Value};
use crate::tree::{Errno, Layout, is_directory};

/// A node of a tree: small, `Copy`, valid as long as its tree.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Node(pub(super) Kind);

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Kind {
    Root,
    Register(RegisterId),
    Bank(RegisterId, Algorithm),
    Records(RegisterId),
    Leaf(RegisterId, Leaf),
}

/// A file of a register.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Leaf {
    /// The value under one bank, or the unhashed value.
    Value(Option<Algorithm>),
    /// The values of all banks.
    Digests,
    /// The names of all banks.
    Algorithms,
    /// Takes lines for the log.
    Append,
    /// The log.
    Log,
}

impl Node {
    /// The tree's root.
    pub const ROOT: Self = Self(Kind::Root);

    /// The register a node belongs to; none for the root.
    #[must_use]
    pub const fn register(self) -> Option<RegisterId> {
        match self.0 {
            Kind::Root => None,
            Kind::Register(id) | Kind::Bank(id, _) | Kind::Records(id) | Kind::Leaf(id, _) => {
                Some(id)
            }
        }
    }

    /// Whether it is a directory.
    #[must_use]
    pub const fn is_directory(self) -> bool {
        !matches!(self.0, Kind::Leaf(..))
    }
}

/// What a node is to a file server.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Attributes {
    /// A directory, or else a file.
    pub directory: bool,
    /// Permission bits: `0o444` where reading, `0o200` where writing is possible.
    pub mode: u16,
    /// Size in bytes; 0 for directories and for files that are only written.
    pub size: u64,
}

impl Attributes {
    pub(super) const DIRECTORY: Self = Self { directory: true, mode: 0o555, size: 0 };
}

/// A directory's entry.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Entry<'p> {
    /// Its name; prints itself.
    pub name: EntryName<'p>,
    /// What it leads to.
    pub node: Node,
}

/// Name of an entry, put together when it is printed or compared.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EntryName<'p> {
    base: &'p str,
    bank: Option<Algorithm>,
}

impl EntryName<'_> {
    /// Whether this is `name`.
    #[must_use]
    pub fn is(&self, name: &[u8]) -> bool {
        name.iter().copied().eq(self.bytes())
    }

    fn bytes(&self) -> impl Iterator<Item = u8> {
        let bank = self.bank.map_or("", |bank| bank.name());
        let colon = if self.bank.is_some() { ":" } else { "" };
        // No name has a `!` of its own, so different names stay different.
        let shown = |b| if b == b'/' { b'!' } else { b };
        self.base.bytes().map(shown).chain(colon.bytes()).chain(bank.bytes())
    }
}

impl fmt::Display for EntryName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Register names are ASCII.
        self.bytes().try_for_each(|b| fmt::Write::write_char(f, char::from(b)))
    }
}

/// Iterator over a directory's entries.
#[derive(Debug)]
pub struct Entries<'p, P> {
    provider: &'p P,
    layout: Layout,
    kind: Kind,
    has_log: bool,
    /// Next register, in the root.
    register: u16,
    /// Next entry of this register or directory.
    step: u8,
}

impl<'p, P: Provider> Entries<'p, P> {
    pub(super) fn new(
        provider: &'p P,
        layout: Layout,
        directory: Node,
        has_log: bool,
    ) -> Result<Self, Errno> {
        if !directory.is_directory() {
            return Err(Errno::NotDirectory);
        }
        if directory.register().is_some_and(|id| provider.describe(id).is_none()) {
            return Err(Errno::NotFound);
        }
        Ok(Self { provider, layout, kind: directory.0, has_log, register: 0, step: 0 })
    }

    fn in_root(&mut self) -> Option<Entry<'p>> {
        loop {
            let id = RegisterId(self.register);
            let register = self.provider.describe(id)?;
            let step = usize::from(self.step);
            let banks = register.banks();
            let entry = |bank, kind| {
                let name = EntryName { base: register.name, bank };
                Some(Entry { name, node: Node(kind) })
            };
            let found = match (self.layout, register.value) {
                _ if is_directory(self.layout, &register) => {
                    (step == 0).then(|| entry(None, Kind::Register(id))).flatten()
                }
                // One file for each bank, each with the bank in its name.
                (Layout::Linux, Value::Banks(_)) => banks
                    .iter()
                    .nth(step)
                    .and_then(|bank| entry(Some(bank), Kind::Leaf(id, Leaf::Value(Some(bank))))),
                _ => (step == 0)
                    .then(|| entry(None, Kind::Leaf(id, Leaf::Value(banks.single()))))
                    .flatten(),
            };
            if found.is_some() {
                self.step = self.step.saturating_add(1);
                return found;
            }
            self.step = 0;
            self.register = self.register.checked_add(1)?;
        }
    }

    fn in_register(&mut self, id: RegisterId) -> Option<Entry<'p>> {
        let register = self.provider.describe(id)?;
        let extensible = register.powers.contains(Powers::EXTEND);
        loop {
            let step = self.step;
            self.step = step.checked_add(1)?;
            let banks = register.banks();
            let entry =
                |base, kind| Some(Entry { name: EntryName { base, bank: None }, node: Node(kind) });
            let leaf = |base, leaf| entry(base, Kind::Leaf(id, leaf));
            let found = match (self.layout, step) {
                (Layout::Rfc, 0) => leaf("digest", Leaf::Digests),
                (Layout::Rfc, 1) => leaf("hash_algo", Leaf::Algorithms),
                (Layout::Rfc, 2) if self.has_log && extensible => {
                    leaf("append_event", Leaf::Append)
                }
                (Layout::Rfc, 3) if self.has_log => leaf("event_log", Leaf::Log),
                (Layout::Banked, 0) if self.has_log => entry(LOG_FORMAT, Kind::Records(id)),
                (Layout::Banked, 1..) => {
                    let bank = banks.iter().nth(usize::from(step).saturating_sub(1))?;
                    entry(bank.name(), Kind::Bank(id, bank))
                }
                (_, 0..=3) => None,
                _ => return None,
            };
            if found.is_some() {
                return found;
            }
        }
    }

    fn in_records(&mut self, id: RegisterId) -> Option<Entry<'p>> {
        let register = self.provider.describe(id)?;
        if self.step == 0 && !register.powers.contains(Powers::EXTEND) {
            self.step = 1;
        }
        let (base, leaf) = match self.step {
            0 => ("append_event", Leaf::Append),
            1 => ("event_log", Leaf::Log),
            _ => return None,
        };
        self.step = self.step.saturating_add(1);
        Some(Entry { name: EntryName { base, bank: None }, node: Node(Kind::Leaf(id, leaf)) })
    }
}

/// Name of the record log's directory in the banked layout.
const LOG_FORMAT: &str = "record";

impl<'p, P: Provider> Iterator for Entries<'p, P> {
    type Item = Entry<'p>;

    fn next(&mut self) -> Option<Entry<'p>> {
        match self.kind {
            Kind::Root => self.in_root(),
            Kind::Register(id) => self.in_register(id),
            Kind::Records(id) => self.in_records(id),
            Kind::Bank(id, bank) => {
                let first = self.step == 0;
                self.step = 1;
                first.then_some(Entry {
                    name: EntryName { base: "digest", bank: None },
                    node: Node(Kind::Leaf(id, Leaf::Value(Some(bank)))),
                })
            }
            Kind::Leaf(..) => None,
        }
    }
}
