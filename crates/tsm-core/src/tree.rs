// SPDX-License-Identifier: MIT OR Apache-2.0
//! Measurement registers as a tree of named nodes, read and written at offsets.
//!
//! Pure code without I/O: whatever can serve files (FUSE, 9P, a kernel's sysfs, a firmware shell)
//! can serve a [`Tree`]. Errors are errno values. Three layouts:
//!
//! ```text
//! Rfc (RFC v1, 2024)          Banked (RFC v3 and its discussion)   Linux (6.16)
//! config_mr                   config_mr                            config_mr
//! rtmr0/                      rtmr0/                               rtmr0:sha256
//!   digest                      sha256/digest                      rtmr1:sha384
//!   hash_algo                   record/append_event
//!   append_event                record/event_log
//!   event_log
//! ```
//!
//! A register of several banks shows, in the RFC's layout, its banks' values one behind the other in
//! `digest` and their names separated by spaces in `hash_algo`, in bank order; with one bank that is
//! what the RFC does. A `/` in a register's name is shown as `!`, as sysfs does.

mod node;

use crate::algorithm::Algorithm;
use crate::digest::Digest;
use crate::provider::{Error as _, ErrorKind, Provider, RegisterId};
use crate::register::{Powers, Presentation, Register, Value};

pub use node::{Attributes, Entries, Entry, EntryName, Node};
use node::{Kind, Leaf};

/// Which files a tree consists of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Layout {
    /// RFC v1: static registers are files, runtime registers directories with `digest`,
    /// `hash_algo`, `append_event`, `event_log`.
    Rfc,
    /// RFC v3 and the list discussion: a directory per bank and one per log format.
    Banked,
    /// Linux 6.16: binary files `<register>[:<algorithm>]`.
    Linux,
}

/// Errors as the errno values a file server returns.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Errno {
    /// `EPERM`: the register is locked.
    NotPermitted,
    /// `ENOENT`: no such node.
    NotFound,
    /// `EIO`: the platform failed.
    Io,
    /// `EACCES`: the node is not readable, or not writable.
    Access,
    /// `EBUSY`: the platform is busy; nothing was done.
    Busy,
    /// `ENODEV`: there is no such platform here.
    NoDevice,
    /// `ENOTDIR`: a file was used as a directory.
    NotDirectory,
    /// `EISDIR`: a directory was used as a file.
    IsDirectory,
    /// `EINVAL`: a value of the wrong size, a write not at offset 0, or malformed lines.
    Invalid,
    /// `ENOSPC`: the log is full; nothing was extended.
    NoSpace,
}

impl Errno {
    /// The number, the same on every Linux architecture.
    #[must_use]
    pub const fn code(self) -> i32 {
        match self {
            Self::NotPermitted => 1,
            Self::NotFound => 2,
            Self::Io => 5,
            Self::Access => 13,
            Self::Busy => 16,
            Self::NoDevice => 19,
            Self::NotDirectory => 20,
            Self::IsDirectory => 21,
            Self::Invalid => 22,
            Self::NoSpace => 28,
        }
    }

    const fn message(self) -> &'static str {
        match self {
            Self::NotPermitted => "the register is locked",
            Self::NotFound => "no such file or directory",
            Self::Io => "the platform failed",
            Self::Access => "permission denied",
            Self::Busy => "the platform is busy",
            Self::NoDevice => "no such platform",
            Self::NotDirectory => "not a directory",
            Self::IsDirectory => "is a directory",
            Self::Invalid => "invalid argument",
            Self::NoSpace => "no space left in the log",
        }
    }
}

impl core::fmt::Display for Errno {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.message())
    }
}

impl core::error::Error for Errno {}

impl From<ErrorKind> for Errno {
    fn from(kind: ErrorKind) -> Self {
        match kind {
            ErrorKind::NoSuchRegister | ErrorKind::NoSuchBank => Self::NotFound,
            ErrorKind::NotPermitted => Self::Access,
            ErrorKind::Locked => Self::NotPermitted,
            ErrorKind::WrongSize | ErrorKind::InvalidInput => Self::Invalid,
            ErrorKind::NoSpace => Self::NoSpace,
            ErrorKind::Busy => Self::Busy,
            ErrorKind::Failed | ErrorKind::StateUnknown => Self::Io,
            ErrorKind::Unavailable => Self::NoDevice,
        }
    }
}

/// The registers of `P` as files.
#[derive(Debug)]
pub struct Tree<'s, P> {
    provider: P,
    layout: Layout,
    scratch: &'s mut [u8],
}

impl<'s, P: Provider> Tree<'s, P> {
    /// A tree over `provider`. Logs are there if the provider keeps logs
    /// ([`Logged`](crate::Logged)).
    ///
    /// `scratch` serves reads of a part of an unhashed value: it must hold the largest one, or such
    /// a read is an I/O error. Whole reads and digests need none.
    #[must_use]
    pub const fn new(provider: P, layout: Layout, scratch: &'s mut [u8]) -> Self {
        Self { provider, layout, scratch }
    }

    /// The provider below.
    pub const fn provider(&self) -> &P {
        &self.provider
    }

    /// The provider below, for what is no file operation.
    pub const fn provider_mut(&mut self) -> &mut P {
        &mut self.provider
    }

    /// The node at `path`: names separated by `/`, from the root. Empty names are passed over, so
    /// the empty path is the root.
    ///
    /// # Errors
    ///
    /// `NotFound`, or `NotDirectory` if a file stands in the middle.
    pub fn lookup(&mut self, path: &[u8]) -> Result<Node, Errno> {
        let mut node = Node::ROOT;
        for name in path.split(|&b| b == b'/').filter(|name| !name.is_empty()) {
            node = self.child(node, name)?;
        }
        Ok(node)
    }

    /// The node called `name` in `directory`.
    ///
    /// # Errors
    ///
    /// `NotFound`; `NotDirectory`.
    pub fn child(&mut self, directory: Node, name: &[u8]) -> Result<Node, Errno> {
        let mut entries = self.entries(directory)?;
        entries.find(|entry| entry.name.is(name)).map(|entry| entry.node).ok_or(Errno::NotFound)
    }

    /// What is in `directory`.
    ///
    /// # Errors
    ///
    /// `NotDirectory`; `NotFound` for a node of another tree.
    pub fn entries(&mut self, directory: Node) -> Result<Entries<'_, P>, Errno> {
        let has_log = match directory.register() {
            Some(id) => self.has_log(id),
            None => false,
        };
        Entries::new(&self.provider, self.layout, directory, has_log)
    }

    /// Kind, permissions and size of a node.
    ///
    /// # Errors
    ///
    /// `NotFound` for a node of another tree; `Io` if a log's size cannot be read.
    pub fn attributes(&mut self, node: Node) -> Result<Attributes, Errno> {
        let Kind::Leaf(id, leaf) = node.0 else { return Ok(Attributes::DIRECTORY) };
        let register = self.provider.describe(id).ok_or(Errno::NotFound)?;
        let powers = register.powers;
        let read = |yes: bool| if yes { 0o444 } else { 0 };
        let write = |yes: bool| if yes { 0o200 } else { 0 };
        let (mode, size) = match leaf {
            Leaf::Value(bank) => {
                let size = register.size(bank).ok_or(Errno::NotFound)?;
                let writable = powers.contains(writing_power(&register));
                (read(powers.contains(Powers::READ)) | write(writable), length(size))
            }
            Leaf::Digests => {
                let size = register.banks().iter().fold(0_usize, |n, b| n.saturating_add(b.size()));
                let direct = powers.contains(Powers::DIRECT);
                (read(powers.contains(Powers::READ)) | write(direct), length(size))
            }
            Leaf::Algorithms => (0o444, length(algorithm_names(&register, 0, &mut []))),
            Leaf::Append => (write(powers.contains(Powers::EXTEND)), 0),
            Leaf::Log => {
                let recorder = self.provider.as_recorder().ok_or(Errno::NotFound)?;
                (0o444, recorder.log_size(id).map_err(|e| Errno::from(e.kind()))?)
            }
        };
        Ok(Attributes { directory: false, mode, size })
    }

    /// Reads from `offset` of a file and returns how many bytes were read; 0 at its end.
    ///
    /// # Errors
    ///
    /// `IsDirectory`, `Access`, or the provider's.
    pub fn read(&mut self, node: Node, offset: u64, out: &mut [u8]) -> Result<usize, Errno> {
        let Kind::Leaf(id, leaf) = node.0 else { return Err(Errno::IsDirectory) };
        if self.attributes(node)?.mode & 0o444 == 0 {
            return Err(Errno::Access);
        }
        let register = self.provider.describe(id).ok_or(Errno::NotFound)?;
        match leaf {
            Leaf::Value(bank) => self.read_value(id, bank, offset, out),
            Leaf::Digests => self.read_digests(id, offset, out),
            // An empty `out` asks for the length.
            Leaf::Algorithms if out.is_empty() => Ok(0),
            Leaf::Algorithms => Ok(algorithm_names(&register, offset, out)),
            Leaf::Append => Err(Errno::Access),
            Leaf::Log => {
                let recorder = self.provider.as_recorder().ok_or(Errno::NotFound)?;
                recorder.read_log(id, offset, out).map_err(|e| Errno::from(e.kind()))
            }
        }
    }

    /// Writes to a file: a digest to a register's value extends it directly, a value replaces a
    /// writable register's, lines to `append_event` are appended to the log. Returns how many bytes
    /// were taken, which is all of them.
    ///
    /// # Errors
    ///
    /// `IsDirectory`, `Access`, `Invalid` unless the whole value is written at offset 0 (an append
    /// ignores the offset), or the provider's.
    pub fn write(&mut self, node: Node, offset: u64, data: &[u8]) -> Result<usize, Errno> {
        let Kind::Leaf(id, leaf) = node.0 else { return Err(Errno::IsDirectory) };
        let attributes = self.attributes(node)?;
        if attributes.mode & 0o222 == 0 {
            return Err(Errno::Access);
        }
        if leaf != Leaf::Append && (offset != 0 || length(data.len()) != attributes.size) {
            return Err(Errno::Invalid);
        }
        let register = self.provider.describe(id).ok_or(Errno::NotFound)?;
        let kind = |e: P::Error| Errno::from(e.kind());
        match leaf {
            Leaf::Value(Some(bank)) if writing_power(&register) == Powers::DIRECT => {
                let digest = Digest::from_bytes(bank, data).ok_or(Errno::Invalid)?;
                self.provider.extend(id, &[digest]).map_err(kind)?;
            }
            Leaf::Value(_) => {
                let writable = self.provider.as_writable().ok_or(Errno::Access)?;
                writable.write(id, data).map_err(kind)?;
            }
            Leaf::Digests => self.extend_all(id, &register.banks(), data)?,
            Leaf::Append => {
                let recorder = self.provider.as_recorder().ok_or(Errno::Access)?;
                recorder.append(id, data).map_err(kind)?;
            }
            Leaf::Algorithms | Leaf::Log => return Err(Errno::Access),
        }
        Ok(data.len())
    }

    fn has_log(&mut self, id: RegisterId) -> bool {
        self.provider.as_recorder().is_some_and(|recorder| recorder.has_log(id))
    }

    fn read_value(
        &mut self,
        id: RegisterId,
        bank: Option<Algorithm>,
        offset: u64,
        out: &mut [u8],
    ) -> Result<usize, Errno> {
        let register = self.provider.describe(id).ok_or(Errno::NotFound)?;
        let size = register.size(bank).ok_or(Errno::NotFound)?;
        let kind = |e: P::Error| Errno::from(e.kind());
        let mut digest = [0; Digest::MAX];
        if offset >= length(size) {
            return Ok(0);
        }
        if offset == 0
            && let Some(whole) = out.get_mut(..size)
        {
            self.provider.read(id, bank, whole).map_err(kind)?;
            return Ok(size);
        }
        let buffer = if bank.is_some() { &mut digest[..] } else { &mut *self.scratch };
        let buffer = buffer.get_mut(..size).ok_or(Errno::Io)?;
        self.provider.read(id, bank, buffer).map_err(kind)?;
        Ok(crate::log::read_slice(buffer, offset, out))
    }

    /// The values of all banks, one behind the other.
    fn read_digests(
        &mut self,
        id: RegisterId,
        offset: u64,
        out: &mut [u8],
    ) -> Result<usize, Errno> {
        let banks = self.provider.describe(id).ok_or(Errno::NotFound)?.banks();
        let mut skip = offset;
        let mut read = 0_usize;
        for bank in banks.iter() {
            let size = length(bank.size());
            let rest = out.get_mut(read..).unwrap_or_default();
            if skip < size && !rest.is_empty() {
                read = read.saturating_add(self.read_value(id, Some(bank), skip, rest)?);
            }
            skip = skip.saturating_sub(size);
        }
        Ok(read)
    }

    /// Extends all banks by digests that stand one behind the other.
    fn extend_all(
        &mut self,
        id: RegisterId,
        banks: &crate::Banks,
        data: &[u8],
    ) -> Result<(), Errno> {
        let mut digests = [Digest::zeros(Algorithm::FIRST); Algorithm::MAX];
        let mut rest = data;
        for (digest, bank) in digests.iter_mut().zip(banks.iter()) {
            let (bytes, after) = rest.split_at_checked(bank.size()).ok_or(Errno::Invalid)?;
            *digest = Digest::from_bytes(bank, bytes).ok_or(Errno::Invalid)?;
            rest = after;
        }
        let digests = digests.get(..banks.len()).unwrap_or_default();
        self.provider.extend(id, digests).map_err(|e| Errno::from(e.kind()))
    }
}

/// The power that a write to the register's value needs.
fn writing_power(register: &Register<'_>) -> Powers {
    if register.powers.contains(Powers::EXTEND) { Powers::DIRECT } else { Powers::WRITE }
}

/// Whether the layout shows the register as a directory.
fn is_directory(layout: Layout, register: &Register<'_>) -> bool {
    let hashed = matches!(register.value, Value::Banks(_));
    let several = register.banks().single().is_none();
    let shown = register.presentation == Presentation::Directory;
    match layout {
        Layout::Rfc => hashed && (several || register.powers.contains(Powers::EXTEND)),
        Layout::Banked => hashed && (several || shown),
        Layout::Linux => false,
    }
}

/// Copies the banks' names, separated by spaces, from `offset` on; returns how many bytes there
/// are from there on if `out` is empty, else how many were copied.
fn algorithm_names(register: &Register<'_>, offset: u64, out: &mut [u8]) -> usize {
    let skip = usize::try_from(offset).unwrap_or(usize::MAX);
    let banks = register.banks();
    let separators = core::iter::once("").chain(core::iter::repeat(" "));
    let text = separators.zip(banks.iter()).flat_map(|(s, b)| s.bytes().chain(b.name().bytes()));
    let text = text.skip(skip);
    if out.is_empty() {
        return text.count();
    }
    let mut copied = 0_usize;
    for (to, from) in out.iter_mut().zip(text) {
        *to = from;
        copied = copied.saturating_add(1);
    }
    copied
}

fn length(size: usize) -> u64 {
    u64::try_from(size).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
