// SPDX-License-Identifier: MIT OR Apache-2.0
//! Tagged data: a tag, a length and that many bytes; Windows nests them.

use core::fmt;
use core::iter::FusedIterator;

use super::described::{Words, walk_words};
use super::field::{Field, FieldValue, Walk};
use super::part::{Part, Reason};
use crate::aael;

/// The data of an event of the type `EV_EVENT_TAG` (`TCG_PCClientTaggedEvent`, TCG PC Client Platform
/// Firmware Profile 1.06, section 10): tags from their beginning to their end.
///
/// What the digest is of depends on the tag. Of what Windows, SeaBIOS and the agent of Confidential
/// Containers write it is all of the data; of what Linux' and systemd's EFI stubs write it is something
/// else, which the data only name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Tagged<'a> {
    part: Part<'a>,
}

/// How deep fields follow nested tags. Windows nests three levels.
const DEPTH: u32 = 4;

impl<'a> Tagged<'a> {
    pub(in crate::tcg) fn read(part: Part<'a>) -> Result<Self, Reason> {
        let mut rest = part;
        loop {
            Tag::read(&mut rest)?;
            if rest.bytes.is_empty() {
                return Ok(Self { part });
            }
        }
    }

    /// The outermost tags.
    #[must_use]
    pub const fn tags(&self) -> Tags<'a> {
        Tags { rest: self.part.bytes }
    }

    /// The event of Confidential Containers' agent that it holds, if it holds one.
    #[must_use]
    pub fn aael(&self) -> Option<aael::Event<'a>> {
        Some(aael::Tagged::read(self.part.bytes)?.ok()?.event())
    }

    pub(super) fn fields(&self, to: &mut dyn FnMut(Field<'a>)) {
        Walk::over(self.part, to, |walk| tag_fields(walk, &mut 0, DEPTH));
    }
}

impl fmt::Display for Tagged<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(event) = self.aael() {
            let text = [event.domain(), event.operation(), event.content()];
            return text.iter().enumerate().try_for_each(|(place, text)| {
                let text = super::text::RawText(text.as_bytes());
                write!(f, "{}{text}", if place > 0 { " " } else { "" })
            });
        }
        let Some(tag) = self.tags().next() else { return Ok(()) };
        match tag.name() {
            Some(name) => write!(f, "{name}: ")?,
            None => write!(f, "tag {:#x}: ", tag.number)?,
        }
        match Words::read(tag.value) {
            Some(words) => write!(f, "\"{words}\"")?,
            None => write!(f, "{} bytes", tag.value.len())?,
        }
        match self.tags().count() {
            1 => Ok(()),
            count => write!(f, " and {} more", count.saturating_sub(1)),
        }
    }
}

/// Tags one after another. Ends where a length is impossible.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Tags<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Tags<'a> {
    type Item = Tag<'a>;

    fn next(&mut self) -> Option<Tag<'a>> {
        let mut part = Part::whole(self.rest);
        let tag = Tag::read(&mut part).ok()?;
        self.rest = part.bytes;
        Some(tag)
    }
}

impl FusedIterator for Tags<'_> {}

/// A tag and its value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Tag<'a> {
    /// The number.
    pub number: u32,
    /// The value.
    pub value: &'a [u8],
}

impl<'a> Tag<'a> {
    fn read(part: &mut Part<'a>) -> Result<Self, Reason> {
        let number = part.u32()?;
        let length = part.u32()?;
        Ok(Self { number, value: part.cut_u64(length.into())?.bytes })
    }

    /// What the tag is known as.
    #[must_use]
    pub fn name(&self) -> Option<&'static str> {
        name(self.number)
    }

    /// The tags in the value, if it is of a kind of Windows' that holds such.
    #[must_use]
    pub fn nested(&self) -> Option<Tags<'a>> {
        is_aggregate(self.number).then_some(Tags { rest: self.value })
    }
}

/// Whether a tag is one of Windows' aggregations (SIPA): bit 30, class 1; bit 31 says that it is not
/// measured.
const fn is_aggregate(number: u32) -> bool {
    number & 0x7FFF_0000 == 0x4001_0000
}

fn name(number: u32) -> Option<&'static str> {
    NAMES.iter().find_map(|&(tag, name)| (tag == number).then_some(name))
}

/// Sources: Linux `drivers/firmware/efi/libstub/efistub.h`; systemd `src/fundamental/tpm2-pcr.h`; Windows
/// `wbcl.h`; TCG PC Client Specific Implementation Specification for Conventional BIOS 1.21, section
/// 11.3.2.1, as SeaBIOS uses it.
const NAMES: &[(u32, &str)] = &[
    (aael::Tagged::TAG, "AAEL"),
    (0x8F3B_22EC, "Linux initrd"),
    (0x8F3B_22ED, "Linux load options"),
    (0xF5BC_582A, "systemd-boot loader.conf"),
    (0x6C46_F751, "systemd-stub device tree"),
    (0x49DF_FE0F, "systemd-stub initrd add-on"),
    (0xDAC0_8E1A, "systemd-stub microcode add-on"),
    (0x13AE_D6DB, "systemd-stub profile"),
    (0xD5CB_7CBC, "systemd SMBIOS"),
    (0xE0D4_7BC8, "systemd SMBIOS"),
    (0xC0B3_BD23, "systemd SMBIOS"),
    (0x4001_0001, "Windows trust boundary"),
    (0x4001_0002, "Windows ELAM"),
    (0x4001_0003, "Windows loaded module"),
    (0xC001_0004, "Windows trust point"),
    (1, "SMBIOS"),
    (7, "option ROM"),
];

/// Tags up to the end; the items are tags, numbered through, those inside others too.
fn tag_fields<'a>(walk: &mut Walk<'_, 'a>, item: &mut u32, depth: u32) -> Result<(), Reason> {
    while !walk.is_empty() {
        walk.item(Some(*item));
        *item = item.saturating_add(1);
        let number = walk.number("tag", 4, |number| {
            FieldValue::Named(number, u32::try_from(number).ok().and_then(name))
        })?;
        let number = u32::try_from(number).unwrap_or(0);
        let length = walk.count("length", 4)?;
        let mut front = walk.rest();
        let value = front.cut(length)?;
        let deeper = depth.checked_sub(1).filter(|_| is_aggregate(number));
        walk.within(length, |walk| match deeper {
            Some(depth) if Tagged::read(value).is_ok() => tag_fields(walk, item, depth),
            _ if number == aael::Tagged::TAG => aael_fields(walk),
            _ => walk_words(walk, "value"),
        })?;
    }
    Ok(())
}

fn aael_fields(walk: &mut Walk<'_, '_>) -> Result<(), Reason> {
    for name in ["domain", "operation"] {
        let space = walk.rest().bytes.iter().position(|&byte| byte == b' ');
        walk.text(name, space.ok_or(Reason::Length)?)?;
        walk.text("space", 1)?;
    }
    walk.text("content", walk.rest().bytes.len())
}
