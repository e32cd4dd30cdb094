// SPDX-License-Identifier: MIT OR Apache-2.0
//! Ascii lists (`ascii_runtime_measurements` and its per-bank siblings).
//!
//! A line is `PCR template-digest template-name fields...`, parts separated by one space, PCR in
//! two columns (`ima_ascii_measurements_show`, Linux `security/integrity/ima/ima_fs.c`). What was
//! hashed is not in the line but follows from it, so each line is put together again as the kernel
//! hashed it and checked against its template digest.
//!
//! File names stand in the line raw. One with a line feed in it spreads the record over two lines
//! and can make the second look like nearly anything. Such a record is accepted only if its
//! template digest verifies with the line feed as part of the name
//! ([`Limits::name_line_feeds`]); a violation record, which no digest covers, cannot be, and ends
//! the reading with an error. The binary list has no such trouble: prefer it.

use core::fmt;
use core::iter::FusedIterator;

use tsm_core::{Algorithm, Digest};

use super::assemble::{Scratch, TemplateData, from_text};
use super::entry::{Body, Check, Recorded, UntrustedEntry};
use super::template::Template;
use super::{Endian, MAX_PCR};
use crate::bytes::{Bytes, find};
use crate::error::{Error, ErrorKind, Position};
use crate::limits::Limits;

/// The records of an ascii list, each with its template digest checked (violations apart).
///
/// A line that does not parse or does not verify is an error; ends after an error. A last line
/// without line feed counts if it verifies and is [`ErrorKind::Truncated`] otherwise. If it
/// counted, the part of the list that follows may begin with that line feed (see
/// [`at`](Self::at)).
#[derive(Clone)]
pub struct Ascii<'a> {
    rest: &'a [u8],
    endian: Endian,
    limits: Limits,
    position: Position,
    /// Whether a line feed at this place ends the line before.
    is_continued: bool,
    /// Algorithm of the digest width in the lines so far.
    width: Option<Algorithm>,
    /// The last template met: most lists have few.
    template: Option<(&'a [u8], Template)>,
}

impl<'a> Ascii<'a> {
    /// Reads `bytes` from their beginning.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self {
            rest: bytes,
            endian: Endian::Little,
            limits: Limits::DEFAULT,
            position: Position { line: 1, ..Position::START },
            is_continued: false,
            width: None,
            template: None,
        }
    }

    /// Sets the byte order of the machine that wrote the list: its lengths and numbers were hashed
    /// in that order. Little endian if not set; also right for `ima_canonical_fmt`.
    #[must_use]
    pub const fn endian(mut self, endian: Endian) -> Self {
        self.endian = endian;
        self
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
        if self.position.line == 0 {
            self.position.line = 1;
        }
        self.is_continued = position.record > 0;
        self
    }

    /// Where the next record begins.
    #[must_use]
    pub const fn next_position(&self) -> Position {
        self.position
    }

    /// Reads a record. `scratch` then holds its template data, if that fits.
    #[inline]
    pub(crate) fn read(
        &mut self,
        scratch: &mut Scratch,
    ) -> Option<Result<UntrustedEntry<'a>, Error>> {
        if self.rest.is_empty() || (self.is_continued && self.rest == b"\n") {
            return None;
        }
        let result = self.record(scratch);
        match &result {
            Ok(entry) => {
                self.position = entry.end();
                self.is_continued = false;
            }
            Err(_) => self.rest = &[],
        }
        Some(result)
    }

    #[inline]
    fn record(&mut self, scratch: &mut Scratch) -> Result<UntrustedEntry<'a>, Error> {
        let bytes = match self.rest.strip_prefix(b"\n") {
            Some(bytes) if self.is_continued => bytes,
            _ => self.rest,
        };
        let line = Line::first(bytes, self.limits.record_bytes);
        let line = line.ok_or(Error::new(ErrorKind::RecordTooLong, self.position))?;
        match self.line(&line, scratch) {
            Ok(entry) => {
                self.rest = line.behind;
                Ok(entry)
            }
            Err(_) if !line.is_complete => Err(Error::new(ErrorKind::Truncated, self.position)),
            Err(error) => self.joined(bytes, line, error, scratch),
        }
    }

    /// A record that its first line alone is not: perhaps the line feed belongs to the file name.
    #[cold]
    fn joined(
        &mut self,
        bytes: &'a [u8],
        mut line: Line<'a>,
        error: Error,
        scratch: &mut Scratch,
    ) -> Result<UntrustedEntry<'a>, Error> {
        if !matches!(error.kind(), ErrorKind::TemplateDigest | ErrorKind::Line) {
            return Err(error);
        }
        for _ in 0..self.limits.name_line_feeds {
            line = line.joined(bytes, self.limits.record_bytes).ok_or(error)?;
            match self.line(&line, scratch) {
                Ok(entry) if entry.check == Some(Check::Verified) => {
                    self.rest = line.behind;
                    return Ok(entry);
                }
                _ => {}
            }
        }
        Err(error)
    }

    #[inline]
    fn line(
        &mut self,
        line: &Line<'a>,
        scratch: &mut Scratch,
    ) -> Result<UntrustedEntry<'a>, Error> {
        let position = self.position;
        let error = |kind| Error::new(kind, position);
        let Head { pcr, recorded, rest } = Head::read(line.text).ok_or(error(ErrorKind::Line))?;
        if self.width.is_some_and(|width| width != recorded.algorithm) {
            return Err(error(ErrorKind::DigestWidth));
        }
        let (template_name, text) = cut_at_space(rest).ok_or(error(ErrorKind::Line))?;
        let template = self.template(template_name).map_err(error)?;

        let endian = self.endian;
        let length = self.rest.len().saturating_sub(line.behind.len());
        let mut entry = UntrustedEntry {
            pcr,
            recorded,
            template_name,
            body: Body::Text { text, template, endian },
            position,
            bytes: u64::try_from(length).unwrap_or(u64::MAX),
            lines: line.lines,
            check: None,
        };
        scratch.clear();
        if !from_text(&template, text, endian, scratch) {
            return Err(error(ErrorKind::Line));
        }
        let check = match scratch.filled() {
            Some(data) => entry.check_with(&TemplateData::Slice(data)),
            None => entry.check_with(&TemplateData::Pieces(&entry)),
        };
        match check {
            Check::Mismatch if !recorded.is_hex() => return Err(error(ErrorKind::Line)),
            Check::Mismatch => return Err(error(ErrorKind::TemplateDigest)),
            // The name of a violation is in no digest: without a line feed it may be cut short.
            Check::Violation if !line.is_complete => return Err(error(ErrorKind::Truncated)),
            Check::Violation if !is_sound(&entry) => return Err(error(ErrorKind::Line)),
            Check::Violation | Check::Verified => {}
        }
        entry.check = Some(check);
        self.width = Some(recorded.algorithm);
        Ok(entry)
    }

    fn template(&mut self, name: &'a [u8]) -> Result<Template, ErrorKind> {
        if let Some((last, template)) = self.template
            && last == name
        {
            return Ok(template);
        }
        let template = Template::parse(name)?;
        if template.fields().len() > self.limits.fields {
            return Err(ErrorKind::TooManyFields);
        }
        self.template = Some((name, template));
        Ok(template)
    }
}

/// Whether the text of a record that no digest covers has all its fields.
///
/// Short texts were looked at while they were put together, long ones only by hashing them.
fn is_sound(entry: &UntrustedEntry<'_>) -> bool {
    entry.fields().all(|field| field.is_ok())
}

impl<'a> Iterator for Ascii<'a> {
    type Item = Result<UntrustedEntry<'a>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        self.read(&mut Scratch::new())
    }
}

impl FusedIterator for Ascii<'_> {}

impl fmt::Debug for Ascii<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ascii")
            .field("endian", &self.endian)
            .field("position", &self.position)
            .field("rest", &self.rest.len())
            .finish()
    }
}

/// A line, or several joined.
struct Line<'a> {
    text: &'a [u8],
    behind: &'a [u8],
    /// Whether a line feed ends it.
    is_complete: bool,
    lines: u64,
}

impl<'a> Line<'a> {
    fn first(bytes: &'a [u8], limit: usize) -> Option<Self> {
        Self::cut(bytes, 0, limit, 1)
    }

    /// This line and the next. `None` if there is no next one that ends within the limit.
    fn joined(&self, bytes: &'a [u8], limit: usize) -> Option<Self> {
        let next = self.text.len().checked_add(1)?;
        let line = Self::cut(bytes, next, limit, self.lines.saturating_add(1));
        line.filter(|line| line.is_complete)
    }

    /// Cuts behind the first line feed at `from` or later; `None` if the text gets longer than the
    /// limit.
    fn cut(bytes: &'a [u8], from: usize, limit: usize, lines: u64) -> Option<Self> {
        match find(b'\n', bytes.get(from..)?) {
            Some(length) => {
                let length = from.checked_add(length).filter(|&length| length <= limit)?;
                let (text, behind) = bytes.split_at_checked(length)?;
                Some(Self { text, behind: behind.get(1..)?, is_complete: true, lines })
            }
            None if bytes.len() <= limit => {
                Some(Self { text: bytes, behind: &[], is_complete: false, lines })
            }
            None => None,
        }
    }
}

/// What stands before the first space, and what behind it.
#[inline]
fn cut_at_space(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let (before, behind) = text.split_at_checked(find(b' ', text)?)?;
    Some((before, behind.get(1..)?))
}

/// What is before the template name.
pub(crate) struct Head<'a> {
    pub(crate) pcr: u32,
    /// Of the right length; whether it is hex is not yet known.
    pub(crate) recorded: Recorded<'a>,
    pub(crate) rest: &'a [u8],
}

impl<'a> Head<'a> {
    #[inline]
    pub(crate) fn read(line: &'a [u8]) -> Option<Self> {
        let (&[tens, ones, b' '], rest) = line.split_first_chunk::<3>()? else { return None };
        let digit = |byte: u8| byte.checked_sub(b'0').filter(|&digit| digit < 10).map(u32::from);
        let tens = match tens {
            b' ' => 0,
            b'1'..=b'6' => digit(tens)?,
            _ => return None,
        };
        let pcr = tens.checked_mul(10)?.checked_add(digit(ones)?)?;
        if pcr > MAX_PCR {
            return None;
        }
        let (recorded, rest) = Algorithm::ALL.iter().find_map(|&algorithm| {
            let (digits, rest) = rest.split_at_checked(algorithm.size().checked_mul(2)?)?;
            let recorded = Recorded { algorithm, bytes: Bytes::hex_unchecked(digits) };
            Some((recorded, rest.strip_prefix(b" ")?))
        })?;
        Some(Self { pcr, recorded, rest })
    }
}

impl Recorded<'_> {
    /// Whether the digits of a text list are all lower-case hex digits.
    pub(crate) fn is_hex(&self) -> bool {
        self.bytes.copy_to(&mut [0; Digest::MAX]).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads() {
        let sha1 = "0a".repeat(20);
        let head = |text: &str| {
            Head::read(text.as_bytes()).filter(|head| head.recorded.is_hex()).map(|head| head.pcr)
        };
        assert_eq!(head(&format!("10 {sha1} x")), Some(10));
        assert_eq!(head(&format!(" 2 {sha1} x")), Some(2));
        assert_eq!(head(&format!("63 {sha1} x")), Some(63));
        for bad in [
            format!("64 {sha1} x"),
            format!("02 {sha1} x"),
            format!("2 {sha1} x"),
            format!("1  {sha1} x"),
            format!("10  {sha1} x"),
            format!("10 {} x", sha1.to_uppercase()),
            format!("10 {sha1}0 x"),
            format!("10 {sha1}"),
            String::new(),
        ] {
            assert_eq!(head(&bad), None, "{bad}");
        }
    }
}
