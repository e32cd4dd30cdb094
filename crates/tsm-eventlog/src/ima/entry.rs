// SPDX-License-Identifier: MIT OR Apache-2.0
//! One record of a list, borrowed from it: as read (`UntrustedEntry`), and as a replay vouches for
//! it (`Entry`).

use core::fmt;
use core::iter::FusedIterator;
use core::ops::Deref;

use tsm_core::{Algorithm, Digest};

use super::Endian;
use super::assemble::{self, Scratch, Sink, TemplateData};
use super::field::{Field, FileDigest, Source, Value, Walk, split_data};
use super::template::{FieldId, Form, Template};
use crate::bytes::Bytes;
use crate::error::{Error, ErrorKind, Position};

/// What comparing a record's template digest with its template data gave.
///
/// Exhaustive, so that a caller decides on each case.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Check {
    /// The digest is the hash of the template data.
    Verified,
    /// The digest is zero: a violation record. No digest covers what it says. That it stands at its
    /// place in the list, and for which PCR, is all that a replay can vouch for.
    Violation,
    /// The digest is not the hash of the template data.
    Mismatch,
}

/// A record as a list has it. Anybody who can alter the list can alter what it says.
///
/// See [`Entry`] for what a replay adds.
#[derive(Clone, Copy)]
pub struct UntrustedEntry<'a> {
    pub(crate) pcr: u32,
    pub(crate) recorded: Recorded<'a>,
    pub(crate) template_name: &'a [u8],
    pub(crate) body: Body<'a>,
    pub(crate) position: Position,
    /// Bytes and lines of the record.
    pub(crate) bytes: u64,
    pub(crate) lines: u64,
    /// `None` until computed.
    pub(crate) check: Option<Check>,
}

/// A template digest as the list shows it.
#[derive(Clone, Copy)]
pub(crate) struct Recorded<'a> {
    pub(crate) algorithm: Algorithm,
    /// As many bytes as the algorithm's digests have.
    pub(crate) bytes: Bytes<'a>,
}

impl Recorded<'_> {
    pub(crate) fn digest(&self) -> Digest {
        let mut buffer = [0; Digest::MAX];
        let bytes = self.bytes.copy_to(&mut buffer).unwrap_or_default();
        Digest::from_bytes(self.algorithm, bytes).unwrap_or(Digest::zeros(self.algorithm))
    }

    #[inline]
    pub(crate) fn is(&self, digest: &Digest) -> bool {
        match self.bytes.as_raw() {
            Some(bytes) => bytes == digest.as_bytes(),
            None => self.bytes.copy_to(&mut [0; Digest::MAX]) == Some(digest.as_bytes()),
        }
    }
}

#[derive(Clone, Copy)]
pub(crate) enum Body<'a> {
    Data { data: &'a [u8], endian: Endian },
    Legacy { digest: &'a [u8], name: &'a [u8], endian: Endian },
    Text { text: &'a [u8], template: Template, endian: Endian },
}

impl<'a> UntrustedEntry<'a> {
    /// The PCR the record was extended to: below 64 (Linux `INVALID_PCR`), 10 by default.
    #[must_use]
    pub const fn pcr(&self) -> u32 {
        self.pcr
    }

    /// The template digest as the list shows it, in the algorithm of its width: zero for a
    /// violation.
    #[must_use]
    pub fn recorded(&self) -> Digest {
        self.recorded.digest()
    }

    /// The template's name: `ima-ng`. No digest covers it (see [`Template`]).
    #[must_use]
    pub const fn template_name(&self) -> &'a [u8] {
        self.template_name
    }

    /// The template.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::UnknownTemplate`] if the name is neither built in nor a format of known fields.
    pub fn template(&self) -> Result<Template, Error> {
        match self.body {
            Body::Text { template, .. } => Ok(template),
            _ => {
                Template::parse(self.template_name).map_err(|kind| Error::new(kind, self.position))
            }
        }
    }

    /// The template data as the list has it: the fields with their lengths. `None` if the list does
    /// not have it in one piece (text lists, and the template `ima`).
    #[must_use]
    pub const fn template_data(&self) -> Option<&'a [u8]> {
        match self.body {
            Body::Data { data, .. } => Some(data),
            _ => None,
        }
    }

    /// Copies the template data as a binary list has it to the front of `out`: the fields with their
    /// lengths; in the template `ima` the digest, then the name with its length. `None` if `out` is
    /// too small.
    #[must_use]
    pub fn copy_template_data<'o>(&self, out: &'o mut [u8]) -> Option<&'o [u8]> {
        let mut room = assemble::Front::new(out);
        let (endian, is_legacy) = match &self.body {
            Body::Data { endian, .. } => (*endian, false),
            Body::Legacy { endian, .. } => (*endian, true),
            Body::Text { template, endian, .. } => (*endian, template.is_legacy()),
        };
        if is_legacy {
            let (digest, name) = (self.file_digest()?, self.name()?);
            room.raw(digest.value.copy_to(&mut [0; Digest::MAX])?);
            room.raw(&endian.u32_bytes(u32::try_from(name.len()).ok()?));
            room.raw(name);
        } else if !self.assemble(&mut room) {
            return None; // readers refuse text that does not fit
        }
        room.into_filled()
    }

    /// The fields, typed.
    #[must_use]
    pub fn fields(&self) -> Fields<'a> {
        let walk = self.template().map(|template| Walk::new(template, self.source()));
        Fields { walk: walk.map_err(Some), position: self.position }
    }

    /// The file's or event's name: field `n-ng` or `n`. `None` if there is none.
    ///
    /// It may hold any byte but NUL; escape it before showing it to a terminal.
    #[must_use]
    pub fn name(&self) -> Option<&'a [u8]> {
        match Walk::new(self.template().ok()?, self.source()).find(Form::Name)? {
            Value::Text(name) => Some(name),
            _ => None,
        }
    }

    /// The file's digest: field `d-ng`, `d-ngv2` or `d`. `None` if there is none.
    #[must_use]
    pub fn file_digest(&self) -> Option<FileDigest<'a>> {
        self.fields().map_while(Result::ok).find_map(|field| match field.value {
            Value::Digest(digest) if field.id != FieldId::DModsig => Some(digest),
            _ => None,
        })
    }

    /// Whether this is a violation record: its template digest is zero.
    #[must_use]
    pub fn is_violation(&self) -> bool {
        self.recorded.bytes.is_zeros()
    }

    /// Whether the name is `boot_aggregate`: the first record after boot, and after each kexec that
    /// carried the list over.
    ///
    /// A name, not a proof: the kernel shortens a path that is too long (255 bytes for the field
    /// `n`, `PATH_MAX` else) to its last component, which a user may choose.
    #[must_use]
    pub fn is_boot_aggregate(&self) -> bool {
        self.name() == Some(b"boot_aggregate")
    }

    /// Compares the recorded template digest with the template data.
    ///
    /// Text lists are checked as they are read; otherwise this hashes the record.
    #[must_use]
    pub fn check(&self) -> Check {
        match self.check {
            Some(check) => check,
            None => {
                let mut scratch = Scratch::new();
                self.check_with(&self.data(&mut scratch))
            }
        }
    }

    /// The template digest of any bank: the hash of the template data (of the padded form for the
    /// template `ima`). For a violation, what is extended is not this.
    #[must_use]
    pub fn hash(&self, algorithm: Algorithm) -> Digest {
        let mut scratch = Scratch::new();
        let digest = self.data(&mut scratch).hash(algorithm);
        digest.unwrap_or(Digest::zeros(algorithm)) // readers refuse text that does not fit
    }

    /// Where the record begins.
    #[must_use]
    pub const fn position(&self) -> Position {
        self.position
    }

    /// Where the next record begins.
    #[must_use]
    pub const fn end(&self) -> Position {
        self.position.after(self.bytes, self.lines)
    }

    #[inline]
    pub(crate) fn check_with(&self, data: &TemplateData<'_>) -> Check {
        if self.is_violation() {
            return Check::Violation;
        }
        match data.hash(self.recorded.algorithm) {
            Some(digest) if self.recorded.is(&digest) => Check::Verified,
            _ => Check::Mismatch,
        }
    }

    /// The template data, put together in `scratch` if need be.
    #[inline]
    pub(crate) fn data<'s>(&'s self, scratch: &'s mut Scratch) -> TemplateData<'s> {
        if let Body::Data { data, .. } = self.body {
            return TemplateData::Slice(data);
        }
        scratch.clear();
        self.assemble(scratch);
        scratch.filled().map_or(TemplateData::Pieces(self), TemplateData::Slice)
    }

    /// Returns whether the fields fit the template.
    pub(crate) fn assemble<S: Sink>(&self, sink: &mut S) -> bool {
        match &self.body {
            Body::Data { data, .. } => {
                sink.raw(data);
                true
            }
            Body::Legacy { digest, name, .. } => assemble::from_pair(digest, name, sink),
            Body::Text { text, template, endian } => {
                assemble::from_text(template, text, *endian, sink)
            }
        }
    }

    fn source(&self) -> Source<'a> {
        match self.body {
            Body::Data { data, endian } => Source::Data(data, endian),
            Body::Legacy { digest, name, .. } => Source::Pair(digest, name),
            Body::Text { text, .. } => Source::Text(Some(text)),
        }
    }
}

impl fmt::Debug for UntrustedEntry<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?} {}", self.pcr, self.recorded(), self.template_name.escape_ascii())?;
        self.fields().try_for_each(|field| match field {
            Ok(field) => write!(f, " {}={:?}", field.id.name(), field.value),
            Err(error) => write!(f, " ({})", error.kind()),
        })
    }
}

/// The fields of a record, in order. Ends after an error.
#[derive(Clone)]
pub struct Fields<'a> {
    walk: Result<Walk<'a>, Option<Error>>,
    position: Position,
}

impl<'a> Fields<'a> {
    /// The fields of template data that do not stand in a list: of a record `ima_template` of a
    /// canonical event log. Of the template `ima` these are the digest of 20 bytes, and the name with
    /// its length, as a binary list has them.
    ///
    /// Errors have no position.
    #[must_use]
    pub fn of_data(template_name: &[u8], data: &'a [u8], endian: Endian) -> Self {
        let walk = Template::parse(template_name).and_then(|template| {
            let source = if template.is_legacy() {
                let split = data.split_at_checked(20).and_then(|(digest, mut rest)| {
                    let name = split_data(&mut rest, endian)?;
                    rest.is_empty().then_some(Source::Pair(digest, name))
                });
                split.ok_or(ErrorKind::Field)?
            } else {
                Source::Data(data, endian)
            };
            Ok(Walk::new(template, source))
        });
        Self { walk: walk.map_err(|kind| Some(Error::call(kind))), position: Position::START }
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<Field<'a>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        match &mut self.walk {
            Ok(walk) => match walk.step()? {
                Some(field) => Some(Ok(field)),
                None => {
                    self.walk = Err(None);
                    Some(Err(Error::new(ErrorKind::Field, self.position)))
                }
            },
            Err(error) => error.take().map(Err),
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        match &self.walk {
            Ok(walk) => (usize::from(walk.remaining() > 0), Some(walk.remaining())),
            Err(error) => (0, Some(usize::from(error.is_some()))),
        }
    }
}

impl FusedIterator for Fields<'_> {}

impl fmt::Debug for Fields<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.clone()).finish()
    }
}

/// A record that the expected register values cover: handed out by
/// [`Finished::entries`](super::Finished::entries) only.
///
/// Trusted are its PCR, its place among that PCR's records, and, unless it is a violation, its
/// template data. Not covered by any digest: the template's name (see [`Template`]), and all that a
/// violation record says but its PCR.
#[derive(Clone, Copy)]
pub struct Entry<'a>(pub(crate) UntrustedEntry<'a>);

impl Entry<'_> {
    /// Whether the replay covers the fields too: not so for violations.
    #[must_use]
    pub fn is_data_covered(&self) -> bool {
        !self.0.is_violation()
    }
}

impl<'a> Deref for Entry<'a> {
    type Target = UntrustedEntry<'a>;

    fn deref(&self) -> &UntrustedEntry<'a> {
        &self.0
    }
}

impl fmt::Debug for Entry<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
