// SPDX-License-Identifier: MIT OR Apache-2.0
//! The event log of Confidential Containers' attestation agent (AAEL).
//!
//! An event is a domain, an operation and a content. Two forms are about:
//!
//! - Text, up to version 0.14 of the agent: a first line `INIT <algorithm>/<start value>`, then a line
//!   `domain operation content` for each event. The register is extended with the hash of each line
//!   without its line feed, the first one too. [`Log`] reads it, [`cel::Replay`](crate::cel::Replay)
//!   replays it.
//! - Tagged, from version 0.15 on: the text stands in an event of the type `EV_EVENT_TAG` of a TCG2
//!   log ([`Tagged`]); that log's replay replays it.
//!
//! # What to know before relying on a log
//!
//! The first space ends the domain, the second the operation. An agent that takes domains with spaces
//! from applications lets them choose where those are: `a b`, `c`, `d` and `a`, `b`, `c d` are the same
//! bytes. Writers here refuse them.
//!
//! Sources: `confidential-containers/guest-components`, `attestation-agent/src/eventlog/`, as seen in
//! logs of known values.

use core::iter::FusedIterator;
use core::str;

use tsm_core::{Algorithm, Digest};

use crate::bytes::find;
use crate::cel::{Effect, Register, ReplayedSeal};
use crate::error::{Error, ErrorKind, Position};
use crate::limits::Limits;
use crate::out::{Out, written};

/// What an application had the agent measure.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Event<'a> {
    domain: &'a str,
    operation: &'a str,
    content: &'a str,
}

impl<'a> Event<'a> {
    /// An event to be written.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotRepresentable`] if domain or operation is empty or has a space, or anything has
    /// a line feed: what would be read back would be another event, or several.
    pub fn new(domain: &'a str, operation: &'a str, content: &'a str) -> Result<Self, Error> {
        let is_word = |word: &str| !word.is_empty() && !word.contains([' ', '\n']);
        if is_word(domain) && is_word(operation) && !content.contains('\n') {
            Ok(Self { domain, operation, content })
        } else {
            Err(Error::call(ErrorKind::NotRepresentable))
        }
    }

    fn read(text: &'a [u8]) -> Result<Self, ErrorKind> {
        let text = str::from_utf8(text).map_err(|_| ErrorKind::Encoding)?;
        let (domain, rest) = text.split_once(' ').ok_or(ErrorKind::Member)?;
        let (operation, content) = rest.split_once(' ').ok_or(ErrorKind::Member)?;
        Ok(Self { domain, operation, content })
    }

    /// Whose event it is: `github.com/confidential-containers`.
    #[must_use]
    pub const fn domain(&self) -> &'a str {
        self.domain
    }

    /// What was done: `PullImage`.
    #[must_use]
    pub const fn operation(&self) -> &'a str {
        self.operation
    }

    /// With what: text, or JSON.
    #[must_use]
    pub const fn content(&self) -> &'a str {
        self.content
    }

    /// Writes the event as a line, with its line feed, and returns it. Without the line feed it is
    /// what is hashed.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NoRoom`].
    pub fn write_line<'o>(&self, out: &'o mut [u8]) -> Result<&'o [u8], Error> {
        written(out, |out| {
            self.put(out)?;
            out.put(b"\n")
        })
    }

    /// Writes the event as data of an event of the type `EV_EVENT_TAG` and returns it. All of it is
    /// what is hashed.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NoRoom`].
    pub fn write_tagged<'o>(&self, out: &'o mut [u8]) -> Result<&'o [u8], Error> {
        let words = [self.domain, self.operation, self.content].map(str::len);
        let length = words.iter().fold(2_usize, |sum, &length| sum.saturating_add(length));
        let length = u32::try_from(length).map_err(|_| Error::call(ErrorKind::NotRepresentable))?;
        written(out, |out| {
            out.put(&Tagged::TAG.to_le_bytes())?;
            out.put(&length.to_le_bytes())?;
            self.put(out)
        })
    }

    fn put(&self, out: &mut dyn Out) -> Result<(), ErrorKind> {
        out.put(self.domain.as_bytes())?;
        out.put(b" ")?;
        out.put(self.operation.as_bytes())?;
        out.put(b" ")?;
        out.put(self.content.as_bytes())
    }
}

/// Writes the first line of a text log, with its line feed, and returns it: what the register, and the
/// algorithm, was before the log.
///
/// # Errors
///
/// [`ErrorKind::NoRoom`].
pub fn write_init(start: Digest, out: &mut [u8]) -> Result<&[u8], Error> {
    written(out, |out| {
        out.put(b"INIT ")?;
        out.put(start.algorithm().name().as_bytes())?;
        out.put(b"/")?;
        out.put_hex(crate::bytes::Bytes::raw(start.as_bytes()))?;
        out.put(b"\n")
    })
}

/// The data of a TCG2 event of the type `EV_EVENT_TAG` that holds an event of the agent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Tagged<'a> {
    data: &'a [u8],
    event: Event<'a>,
}

impl<'a> Tagged<'a> {
    /// `AAEL`, read as a number.
    pub const TAG: u32 = 0x4141_454C;

    /// Reads the data of an event; `None` if its tag is another.
    ///
    /// # Errors
    ///
    /// At the beginning of the data. [`ErrorKind::Truncated`] or [`ErrorKind::Encoding`] if its length
    /// is not that of the text, [`ErrorKind::Encoding`] if the text is not UTF-8,
    /// [`ErrorKind::Member`] if it is not three words.
    #[must_use]
    pub fn read(data: &'a [u8]) -> Option<Result<Self, Error>> {
        let text = data.strip_prefix(&Self::TAG.to_le_bytes())?;
        Some(Self::read_text(data, text).map_err(|kind| Error::new(kind, Position::START)))
    }

    fn read_text(data: &'a [u8], text: &'a [u8]) -> Result<Self, ErrorKind> {
        let (length, text) = text.split_first_chunk::<4>().ok_or(ErrorKind::Truncated)?;
        let length = usize::try_from(u32::from_le_bytes(*length)).unwrap_or(usize::MAX);
        if length != text.len() {
            let is_cut = length > text.len();
            return Err(if is_cut { ErrorKind::Truncated } else { ErrorKind::Encoding });
        }
        Ok(Self { data, event: Event::read(text)? })
    }

    /// The event.
    #[must_use]
    pub const fn event(&self) -> Event<'a> {
        self.event
    }

    /// What the record's digest is the hash of: tag, length and text.
    #[must_use]
    pub const fn hashed(&self) -> &'a [u8] {
        self.data
    }

    /// The digest that the record must have.
    #[must_use]
    pub fn hash(&self, algorithm: Algorithm) -> Digest {
        algorithm.hash(self.data)
    }
}

/// The lines of a text log. Ends after an error.
///
/// The last line need not end with a line feed, so a log that was cut within a line cannot be told
/// from a whole one: only its replay tells.
#[derive(Clone, Debug)]
pub struct Log<'a> {
    /// `None` behind everything.
    rest: Option<&'a [u8]>,
    init: Digest,
    register: Register,
    limits: Limits,
    position: Position,
}

impl<'a> Log<'a> {
    /// A log, whose lines the agent extended `register` with: nothing in the log says which.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::UnknownFormat`] if the first line is not that of a log.
    pub fn open(bytes: &'a [u8], register: Register) -> Result<Self, Error> {
        let line = find(b'\n', bytes).and_then(|end| bytes.get(..end)).unwrap_or(bytes);
        Ok(Self {
            rest: Some(bytes),
            init: Self::start(line).ok_or(Error::call(ErrorKind::UnknownFormat))?,
            register,
            limits: Limits::DEFAULT,
            position: Position { offset: 0, record: 0, line: 1 },
        })
    }

    /// With other limits: [`Limits::record_bytes`].
    #[must_use]
    pub const fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// What the log says was the register's value before it, and with it the only algorithm of its
    /// digests.
    ///
    /// A replay starts from zero, or from what [`Replay::start`](crate::cel::Replay::start) was given.
    /// Before it is given this value, something must be known to lead to it: an empty register, or the
    /// firmware's log.
    #[must_use]
    pub const fn init(&self) -> Digest {
        self.init
    }

    /// The register.
    #[must_use]
    pub const fn register(&self) -> Register {
        self.register
    }

    /// Whether this can be a line of a log: the first one of a log of `algorithm`, or one behind it.
    pub(crate) fn is_line(line: &[u8], first: Option<Algorithm>) -> bool {
        if line.len() > Limits::DEFAULT.record_bytes {
            return false;
        }
        let Some(algorithm) = first else { return Event::read(line).is_ok() };
        Self::start(line).is_some_and(|start| start.algorithm() == algorithm)
    }

    fn start(line: &[u8]) -> Option<Digest> {
        line.strip_prefix(b"INIT ").and_then(|value| Digest::parse(value).ok())
    }

    fn read(&mut self, rest: &'a [u8]) -> Result<UntrustedLine<'a>, ErrorKind> {
        let end = find(b'\n', rest);
        let (line, behind) =
            rest.split_at_checked(end.unwrap_or(rest.len())).unwrap_or((rest, &[]));
        if line.len() > self.limits.record_bytes {
            return Err(ErrorKind::RecordTooLong);
        }
        let event = match self.position.record {
            0 => None,
            _ => Some(Event::read(line)?),
        };
        let behind = behind.get(1..).unwrap_or_default();
        let bytes = rest.len().saturating_sub(behind.len());
        let position = self.position;
        let end = position.after(u64::try_from(bytes).unwrap_or(u64::MAX), 1);
        self.rest = Some(behind).filter(|behind| !behind.is_empty());
        self.position = end;
        let algorithm = self.init.algorithm();
        Ok(UntrustedLine { line, event, register: self.register, algorithm, position, end })
    }
}

impl<'a> Iterator for Log<'a> {
    type Item = Result<UntrustedLine<'a>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.rest.take()?;
        Some(self.read(rest).map_err(|kind| Error::new(kind, self.position)))
    }
}

impl FusedIterator for Log<'_> {}

/// A line as a log has it. Anybody who can alter the log can alter what it says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct UntrustedLine<'a> {
    line: &'a [u8],
    event: Option<Event<'a>>,
    register: Register,
    algorithm: Algorithm,
    position: Position,
    end: Position,
}

impl<'a> UntrustedLine<'a> {
    /// The line without its line feed: what is hashed.
    #[must_use]
    pub const fn line(&self) -> &'a [u8] {
        self.line
    }

    /// The event; `None` for the first line.
    #[must_use]
    pub const fn event(&self) -> Option<Event<'a>> {
        self.event
    }

    /// What the register is extended with.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.algorithm.hash(self.line)
    }

    /// Where it begins.
    #[must_use]
    pub const fn position(&self) -> Position {
        self.position
    }

    /// Where the next begins.
    #[must_use]
    pub const fn end(&self) -> Position {
        self.end
    }
}

impl ReplayedSeal for UntrustedLine<'_> {
    fn position(&self) -> Position {
        self.position
    }

    fn register(&self) -> Register {
        self.register
    }

    fn effect(&self, banks: &[Option<Algorithm>; Algorithm::MAX]) -> Effect {
        let mut digests = [None; Algorithm::MAX];
        for (digest, bank) in digests.iter_mut().zip(banks) {
            if *bank == Some(self.algorithm) {
                *digest = Some(self.digest());
            }
        }
        Effect::Extends(digests)
    }
}
