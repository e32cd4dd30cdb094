// SPDX-License-Identifier: MIT OR Apache-2.0
//! Binary lists (`binary_runtime_measurements` and its per-bank siblings), and the buffer in which
//! a kernel hands its list over kexec.
//!
//! A record, without any header before the first (`ima_measurements_show`, Linux
//! `security/integrity/ima/ima_fs.c`):
//!
//! | field | bytes |
//! |---|---|
//! | PCR | 4 |
//! | template digest | 20, 32, 48 or 64: the same in the whole list, and nowhere written in it |
//! | length of the template name | 4 |
//! | template name | as said, no NUL |
//! | length of the template data | 4; absent in the template `ima` |
//! | template data | as said; in `ima`: digest, 4 bytes length of the name, name |

use core::fmt;
use core::iter::FusedIterator;

use tsm_core::Algorithm;

use super::assemble::LEGACY_NAME;
use super::entry::{Body, Check, Recorded, UntrustedEntry};
use super::field::{Source, Walk};
use super::template::{MAX_NAME, Template, is_name};
use super::{Endian, MAX_PCR};
use crate::bytes::Bytes;
use crate::error::{Error, ErrorKind, Position};
use crate::limits::Limits;

/// What a binary list does not say about itself.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Layout {
    /// The algorithm of the template digests, and so their width: SHA-1 in
    /// `binary_runtime_measurements`, the bank's in the per-bank files (Linux 6.10).
    pub digest: Algorithm,
    /// The byte order: little on little-endian machines and with `ima_canonical_fmt`.
    pub endian: Endian,
}

impl Layout {
    /// SHA-1, little endian: what `binary_runtime_measurements` has on most machines.
    pub const DEFAULT: Self = Self { digest: Algorithm::Sha1, endian: Endian::Little };

    /// Guesses the layout from the first record: the one in which it has a sound PCR, a known or
    /// custom template, and fields that fill it exactly. `None` if there is not exactly one.
    ///
    /// A list whose first record is incomplete is not recognized, nor is one of a template with
    /// unknown fields: name the layout then.
    #[must_use]
    pub fn detect(bytes: &[u8]) -> Option<Self> {
        let mut layouts = [Endian::Little, Endian::Big]
            .into_iter()
            .flat_map(|endian| Algorithm::ALL.iter().map(move |&digest| Self { digest, endian }));
        let fits = |layout: &Self| Binary::new(bytes, *layout).first_is_sound();
        let found = layouts.find(fits)?;
        layouts.find(fits).is_none().then_some(found)
    }
}

impl Default for Layout {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// The records of a binary list, one by one, without copying.
///
/// Ends after an error. Template digests are not checked here; [`Replay`](super::Replay) and
/// [`UntrustedEntry::check`] do that.
#[derive(Clone)]
pub struct Binary<'a> {
    rest: &'a [u8],
    layout: Layout,
    limits: Limits,
    md5: bool,
    position: Position,
}

impl<'a> Binary<'a> {
    /// Reads `bytes` from their beginning.
    #[must_use]
    pub const fn new(bytes: &'a [u8], layout: Layout) -> Self {
        let position = Position::START;
        Self { rest: bytes, layout, limits: Limits::DEFAULT, md5: false, position }
    }

    /// Sets the limits.
    #[must_use]
    pub const fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Says that the bytes are the part of a list that begins at `position`.
    #[must_use]
    pub const fn at(mut self, position: Position) -> Self {
        self.position = position;
        self
    }

    /// Reads the template `ima` of a kernel run with `ima_hash=md5` too.
    ///
    /// Its file digests are 16 bytes, but 20 in violation and boot_aggregate records, and nothing
    /// in the list tells which. With this, a 20-byte reading stands only if the template digest
    /// verifies; otherwise a 16-byte reading is taken if that verifies.
    #[must_use]
    pub const fn md5(mut self) -> Self {
        self.md5 = true;
        self
    }

    /// Where the next record begins.
    #[must_use]
    pub const fn next_position(&self) -> Position {
        self.position
    }

    /// The layout.
    #[must_use]
    pub const fn layout(&self) -> Layout {
        self.layout
    }

    #[inline]
    pub(crate) fn read(&mut self) -> Option<Result<UntrustedEntry<'a>, Error>> {
        if self.rest.is_empty() {
            return None;
        }
        Some(match self.record() {
            Ok((entry, rest)) => {
                self.rest = rest;
                self.position = entry.end();
                Ok(entry)
            }
            Err(kind) => {
                self.rest = &[];
                Err(Error::new(kind, self.position))
            }
        })
    }

    #[inline]
    fn record(&self) -> Result<(UntrustedEntry<'a>, &'a [u8]), ErrorKind> {
        let Layout { digest, endian } = self.layout;
        let mut cut = Cut { rest: self.rest, endian, room: self.limits.record_bytes };
        let pcr = cut.u32()?;
        if pcr > MAX_PCR {
            return Err(ErrorKind::PcrNumber);
        }
        let recorded = cut.bytes(digest.size())?;
        let recorded = Recorded { algorithm: digest, bytes: Bytes::raw(recorded) };
        let length = cut.length()?;
        if !(1..=MAX_NAME).contains(&length) {
            return Err(ErrorKind::TemplateName);
        }
        let template_name = cut.bytes(length)?;
        let (body, check) = if template_name == b"ima" {
            self.legacy(&mut cut, &recorded)?
        } else {
            if !is_name(template_name) {
                return Err(ErrorKind::TemplateName);
            }
            if template_name.split(|&byte| byte == b'|').count() > self.limits.fields {
                return Err(ErrorKind::TooManyFields);
            }
            let length = cut.length()?;
            (Body::Data { data: cut.bytes(length)?, endian }, None)
        };
        let used = self.rest.len().saturating_sub(cut.rest.len());
        let bytes = u64::try_from(used).unwrap_or(u64::MAX);
        let position = self.position;
        let entry =
            UntrustedEntry { pcr, recorded, template_name, body, position, bytes, lines: 0, check };
        Ok((entry, cut.rest))
    }

    /// The digest and the name of an `ima` record.
    fn legacy(
        &self,
        cut: &mut Cut<'a>,
        recorded: &Recorded<'_>,
    ) -> Result<(Body<'a>, Option<Check>), ErrorKind> {
        if !self.md5 || recorded.bytes.is_zeros() {
            return Ok((cut.legacy(20)?, None));
        }
        let start = cut.clone();
        let mut first = None;
        for size in [20, 16] {
            let mut attempt = start.clone();
            let result = attempt.legacy(size).and_then(|body| {
                let good = body.is_hashed_to(recorded);
                good.then_some((body, Some(Check::Verified))).ok_or(ErrorKind::TemplateDigest)
            });
            match result {
                Ok(found) => {
                    *cut = attempt;
                    return Ok(found);
                }
                Err(kind) => first = first.or(Some(kind)),
            }
        }
        Err(first.unwrap_or(ErrorKind::TemplateDigest))
    }

    /// Whether the first record is one that a kernel could have written, in all its parts.
    fn first_is_sound(&self) -> bool {
        let Ok((entry, _)) = self.record() else { return false };
        let Ok(template) = Template::parse(entry.template_name) else { return false };
        match entry.body {
            Body::Data { data, endian } => {
                let mut walk = Walk::new(template, Source::Data(data, endian));
                core::iter::from_fn(|| walk.step()).all(|field| field.is_some())
            }
            _ => entry.name().is_some_and(|name| !name.is_empty() && !name.contains(&0)),
        }
    }
}

impl Body<'_> {
    fn is_hashed_to(&self, recorded: &Recorded<'_>) -> bool {
        let mut scratch = super::assemble::Scratch::new();
        let Body::Legacy { digest, name, .. } = self else { return false };
        super::assemble::from_pair(digest, name, &mut scratch)
            && scratch.filled().is_some_and(|data| recorded.is(&recorded.algorithm.hash(data)))
    }
}

impl<'a> Iterator for Binary<'a> {
    type Item = Result<UntrustedEntry<'a>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        self.read()
    }
}

impl FusedIterator for Binary<'_> {}

impl fmt::Debug for Binary<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Binary")
            .field("layout", &self.layout)
            .field("position", &self.position)
            .field("rest", &self.rest.len())
            .finish()
    }
}

/// Cuts a record out of the list, part by part.
#[derive(Clone)]
struct Cut<'a> {
    rest: &'a [u8],
    endian: Endian,
    /// Bytes the record may still take.
    room: usize,
}

impl<'a> Cut<'a> {
    #[inline]
    fn bytes(&mut self, length: usize) -> Result<&'a [u8], ErrorKind> {
        self.room = self.room.checked_sub(length).ok_or(ErrorKind::RecordTooLong)?;
        let (bytes, rest) = self.rest.split_at_checked(length).ok_or(ErrorKind::Truncated)?;
        self.rest = rest;
        Ok(bytes)
    }

    #[inline]
    fn u32(&mut self) -> Result<u32, ErrorKind> {
        let bytes = self.bytes(4)?.as_array::<4>().ok_or(ErrorKind::Truncated)?;
        Ok(self.endian.u32(*bytes))
    }

    #[inline]
    fn length(&mut self) -> Result<usize, ErrorKind> {
        usize::try_from(self.u32()?).map_err(|_| ErrorKind::RecordTooLong)
    }

    fn legacy(&mut self, size: usize) -> Result<Body<'a>, ErrorKind> {
        let digest = self.bytes(size)?;
        let length = self.length()?;
        if length > LEGACY_NAME {
            return Err(ErrorKind::Field);
        }
        Ok(Body::Legacy { digest, name: self.bytes(length)?, endian: self.endian })
    }
}

/// The header of the buffer in which a kernel hands its list over kexec (`ima_kexec_hdr`, Linux
/// `security/integrity/ima/ima.h`): 24 bytes, then the list with SHA-1 template digests.
///
/// From reading the kernel's source; no such buffer was at hand for a test. The kernel cuts the
/// list short when the buffer is full.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct KexecHeader {
    /// Bytes of the buffer that are used, header included.
    pub buffer_size: u64,
    /// Records in the buffer.
    pub count: u64,
}

impl KexecHeader {
    /// Its size in bytes.
    pub const SIZE: usize = 24;

    /// Reads the header and gives the list behind it.
    ///
    /// The list's positions count from the beginning of `buffer`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::KexecHeader`] if the version is not 1, the reserved fields are not zero or the
    /// size does not fit `buffer`.
    pub fn split(buffer: &[u8], endian: Endian) -> Result<(Self, Binary<'_>), Error> {
        let error = Error::call(ErrorKind::KexecHeader);
        let (header, _) = buffer.split_first_chunk::<{ Self::SIZE }>().ok_or(error)?;
        let (words, _) = header.as_chunks::<8>();
        let [start, buffer_size, count] = words else { return Err(error) };
        let [v0, v1, reserved @ ..] = *start;
        let buffer_size = endian.u64(*buffer_size);
        let used = usize::try_from(buffer_size).ok().and_then(|size| buffer.get(..size));
        let list = used.and_then(|used| used.get(Self::SIZE..)).ok_or(error)?;
        if endian.u16([v0, v1]) != 1 || reserved != [0; 6] {
            return Err(error);
        }
        let position = Position { offset: 24, ..Position::START };
        let layout = Layout { digest: Algorithm::Sha1, endian };
        let header = Self { buffer_size, count: endian.u64(*count) };
        Ok((header, Binary::new(list, layout).at(position)))
    }
}
