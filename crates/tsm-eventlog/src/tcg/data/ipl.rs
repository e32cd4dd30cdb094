// SPDX-License-Identifier: MIT OR Apache-2.0
//! What boot loaders log: GRUB, shim, systemd-boot and systemd-stub.

use core::fmt;

use super::described::Words;
use super::field::{Field, FieldValue, Walk};
use super::part::Part;
use super::text::{RawText, Utf16Text};

/// The data of an event of the type `EV_IPL`: text, by convention of the boot loader that wrote it.
///
/// What the digest is of depends on the kind: of commands and command lines the text, **without the
/// word before it that says what it is**; of files and of shim's variables their contents, so that
/// nothing covers the name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Ipl<'a> {
    part: Part<'a>,
    /// What it looks like.
    pub kind: IplKind,
    /// The word that says so, with its space. Empty if there is none.
    pub prefix: RawText<'a>,
    /// The text behind it, without the NUL that may end it.
    pub text: Words<'a>,
}

/// What the data of a boot loader's event look like. No digest covers it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum IplKind {
    /// A command that GRUB ran: `grub_cmd: `, older `grub_cmd `.
    GrubCommand,
    /// The command line of a kernel: `kernel_cmdline: `, older `grub_kernel_cmdline `.
    KernelCommandLine,
    /// The command line of a module: `module_cmdline: `.
    ModuleCommandLine,
    /// The name of a variable of shim's: `MokList`.
    ShimVariable,
    /// The name of a section of a unified kernel image: `.linux`. Of each there are two events: the
    /// first one's digest is of the name, the second one's of the section.
    Section,
    /// A command line in UTF-16.
    CommandLine,
    /// The name of a file.
    File,
    /// Some other text.
    Description,
}

const PREFIXES: &[(&[u8], IplKind)] = &[
    (b"grub_cmd: ", IplKind::GrubCommand),
    (b"grub_cmd ", IplKind::GrubCommand),
    (b"kernel_cmdline: ", IplKind::KernelCommandLine),
    (b"grub_kernel_cmdline ", IplKind::KernelCommandLine),
    (b"module_cmdline: ", IplKind::ModuleCommandLine),
    (b"grub_module_cmdline ", IplKind::ModuleCommandLine),
];

impl<'a> Ipl<'a> {
    /// `None` if it is no text.
    pub(super) fn read(part: Part<'a>) -> Option<Self> {
        let found = PREFIXES
            .iter()
            .find_map(|(prefix, kind)| Some((*kind, *prefix, part.bytes.strip_prefix(*prefix)?)));
        if let Some((kind, prefix, text)) = found {
            let prefix = RawText(part.bytes.get(..prefix.len())?);
            let text = text.get(..Part::whole(text).text_length())?;
            return Some(Self { part, kind, prefix, text: Words::Text(RawText(text)) });
        }
        let (kind, text) = Self::kind_of(part)?;
        Some(Self { part, kind, prefix: RawText(&[]), text })
    }

    fn kind_of(part: Part<'a>) -> Option<(IplKind, Words<'a>)> {
        let words = Words::read(part.bytes).or_else(|| {
            // Old versions of GRUB and shim leave a byte behind the NUL.
            let (text, rest) = part.bytes.split_at_checked(part.text_length())?;
            let text = RawText(text);
            (text.is_printable() && text.0.len() > 1 && rest.len() == 2)
                .then_some(Words::Text(text))
        })?;
        let kind = match words {
            Words::Text(RawText(b"SbatLevel" | [b'M', b'o', b'k', ..])) => IplKind::ShimVariable,
            Words::Text(RawText([b'/' | b'(', ..])) => IplKind::File,
            Words::Text(_) => IplKind::Description,
            Words::Utf16(Utf16Text([b'.', 0, ..])) => IplKind::Section,
            Words::Utf16(_) => IplKind::CommandLine,
        };
        Some((kind, words))
    }

    pub(super) fn fields(&self, to: &mut dyn FnMut(Field<'a>)) {
        Walk::over(self.part, to, |walk| {
            if !self.prefix.0.is_empty() {
                walk.text("prefix", self.prefix.0.len())?;
            }
            match self.text {
                Words::Text(text) => walk.text(self.name(), text.0.len())?,
                Words::Utf16(text) => walk.utf16(self.name(), text.0.len())?,
            }
            walk.terminator()?;
            if !walk.is_empty() {
                walk.bytes("terminator", 1)?;
            }
            walk.all("trailing", FieldValue::Bytes)
        });
    }

    const fn name(&self) -> &'static str {
        match self.kind {
            IplKind::GrubCommand => "command",
            IplKind::KernelCommandLine | IplKind::ModuleCommandLine | IplKind::CommandLine => {
                "command_line"
            }
            IplKind::ShimVariable => "variable",
            IplKind::Section => "section",
            IplKind::File => "file",
            IplKind::Description => "description",
        }
    }
}

impl fmt::Display for Ipl<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            IplKind::GrubCommand => "GRUB command: ",
            IplKind::KernelCommandLine => "kernel command line: ",
            IplKind::ModuleCommandLine => "module command line: ",
            IplKind::ShimVariable => "shim variable ",
            IplKind::Section => "section ",
            IplKind::CommandLine => "command line: ",
            IplKind::File => "file ",
            IplKind::Description => "",
        })?;
        self.text.fmt(f)
    }
}

/// The text of an event of a boot loader behind its first space: what GRUB hashes, with or without
/// its NUL.
pub(in crate::tcg) fn behind_first_space<'a>(data: &'a [u8]) -> Option<Part<'a>> {
    let space = data.iter().position(|&byte| byte == b' ')?;
    let mut part = Part::whole(data);
    part.cut(space.saturating_add(1)).ok()?;
    Some(part)
}

/// Whether the data are printable ASCII in UTF-16 with one NUL: what systemd-stub writes for text
/// that it hashed in ASCII.
pub(in crate::tcg) fn ascii_in_utf16(data: &[u8]) -> Option<Utf16Text<'_>> {
    let text = Utf16Text(data.strip_suffix(&[0, 0])?);
    text.is_printable().then_some(text)
}
