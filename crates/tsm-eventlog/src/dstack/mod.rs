// SPDX-License-Identifier: MIT OR Apache-2.0
//! Runtime events of dstack, which its guests extend RTMR3 with.
//!
//! Two forms are about: lines of JSON in the guest (`/run/log/dstack/runtime_events.log`, [`Log`]) and
//! the array that its interfaces give out ([`Events`]), which has the boot's events before them.
//! [`cel::Replay`](crate::cel::Replay) replays both. Digests of runtime events are always computed
//! here; those that the array has are only compared. Those of the boot's events are taken as they are.
//!
//! In version 1 a colon can stand in the name as well as in the payload, so `a:b` with `c` and `a` with
//! `b:c` have one digest. Writers here refuse such names.
//!
//! Sources: `Dstack-TEE/dstack`, `cc-eventlog/src/{runtime_events,tdx}.rs`, in version 1 as seen with
//! TD quotes. For version 2 no log of known value was at hand; its form was another for some time
//! during its development.

mod payload;

use core::iter::FusedIterator;

use tsm_core::{Algorithm, Digest};

use crate::bytes::{Bytes, find};
use crate::cel::{Check, Effect, Register, ReplayedSeal, hex};
use crate::error::{Error, ErrorKind, Position};
use crate::json::{Cursor, once, put_text};
use crate::limits::Limits;
use crate::out::{Out, hash, written};
use crate::tcg::EventType;
use crate::text::Text;

use payload::put_base64;
pub use payload::{Payload, PayloadIter};

/// The type that all runtime events have.
pub const RUNTIME_EVENT: u32 = 0x0800_0001;

/// A runtime event.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Event<'a> {
    /// Its name: `app-id`, `compose-hash`, or an application's own.
    pub name: Text<'a>,
    /// Its payload.
    pub payload: Payload<'a>,
    /// How it is hashed.
    pub version: Version,
}

/// How an event is hashed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[non_exhaustive]
pub enum Version {
    /// Type, name and payload, with colons between.
    #[default]
    V1,
    /// A canonical JSON object (RFC 8785) of these.
    V2,
    /// Another: then its digest is not known.
    Other(u64),
}

impl<'a> Event<'a> {
    /// An event to be written.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotRepresentable`] for a version that is not known, and for a name with a colon in
    /// version 1.
    pub fn new(name: &'a str, payload: &'a [u8], version: Version) -> Result<Self, Error> {
        match version {
            Version::V1 if name.contains(':') => Err(Error::call(ErrorKind::NotRepresentable)),
            Version::Other(_) => Err(Error::call(ErrorKind::NotRepresentable)),
            _ => Ok(Self { name: name.into(), payload: Bytes::raw(payload).into(), version }),
        }
    }

    /// The digest; `None` if the version is not known.
    #[must_use]
    pub fn hash(&self, algorithm: Algorithm) -> Option<Digest> {
        let is_known = !matches!(self.version, Version::Other(_));
        is_known.then(|| hash(algorithm, |out| self.put_hashed(out)))
    }

    /// Writes what is hashed and returns it.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NoRoom`]; [`ErrorKind::NotRepresentable`] for a version that is not known.
    pub fn write_hashed<'o>(&self, out: &'o mut [u8]) -> Result<&'o [u8], Error> {
        written(out, |out| self.put_hashed(out))
    }

    /// Writes the event as a line of the guest's log, with its line feed, and returns it.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NoRoom`]; [`ErrorKind::NotRepresentable`] as for [`new`](Self::new).
    pub fn write_line<'o>(&self, out: &'o mut [u8]) -> Result<&'o [u8], Error> {
        let version = match self.version {
            Version::V1 if self.name.chars().any(|c| c == ':') => {
                return Err(Error::call(ErrorKind::NotRepresentable));
            }
            Version::V1 => 1,
            Version::V2 => 2,
            Version::Other(_) => return Err(Error::call(ErrorKind::NotRepresentable)),
        };
        written(out, |out| {
            out.put(b"{\"event\":")?;
            put_text(out, self.name)?;
            out.put(b",\"payload\":\"")?;
            put_base64(out, self.payload)?;
            out.put(b"\",\"version\":")?;
            out.put_number(version)?;
            out.put(b"}\n")
        })
    }

    fn put_hashed(&self, out: &mut dyn Out) -> Result<(), ErrorKind> {
        match self.version {
            Version::V1 => {
                out.put(&RUNTIME_EVENT.to_le_bytes())?;
                out.put(b":")?;
                self.name.feed(|piece| out.put(piece))?;
                out.put(b":")?;
                self.payload.iter().try_for_each(|byte| out.put(&[byte]))
            }
            // The members in the order of their names.
            Version::V2 => {
                out.put(b"{\"name\":")?;
                put_text(out, self.name)?;
                out.put(b",\"payload\":\"")?;
                for byte in self.payload {
                    out.put(&tsm_core::hex::digits(byte))?;
                }
                out.put(b"\",\"type\":")?;
                out.put_number(u64::from(RUNTIME_EVENT))?;
                out.put(b"}")
            }
            Version::Other(_) => Err(ErrorKind::NotRepresentable),
        }
    }
}

/// The lines of the guest's log. Ends after an error. Blank lines are passed over.
#[derive(Clone, Debug)]
pub struct Log<'a> {
    rest: &'a [u8],
    register: Register,
    limits: Limits,
    position: Position,
}

impl<'a> Log<'a> {
    /// RTMR3.
    pub const RTMR3: Register = Register::CcMr(4);

    /// A log, whose events extended `register`: nothing in the log says which.
    #[must_use]
    pub const fn new(bytes: &'a [u8], register: Register) -> Self {
        let position = Position { offset: 0, record: 0, line: 1 };
        Self { rest: bytes, register, limits: Limits::DEFAULT, position }
    }

    /// With other limits: [`Limits::record_bytes`].
    #[must_use]
    pub const fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    fn read(&mut self) -> Result<Option<UntrustedEvent<'a>>, ErrorKind> {
        while !self.rest.is_empty() {
            let end = find(b'\n', self.rest);
            let rest = self.rest;
            let (line, behind) =
                rest.split_at_checked(end.unwrap_or(rest.len())).unwrap_or((rest, &[]));
            let behind = behind.get(1..).unwrap_or_default();
            let bytes = rest.len().saturating_sub(behind.len());
            let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
            let position = self.position;
            if Cursor::new(line).is_at_end() {
                self.rest = behind;
                self.position.offset = position.offset.saturating_add(bytes);
                self.position.line = position.line.saturating_add(1);
                continue;
            }
            if end.is_none() {
                return Err(ErrorKind::Truncated);
            }
            if line.len() > self.limits.record_bytes {
                return Err(ErrorKind::RecordTooLong);
            }
            let mut cursor = Cursor::new(line);
            let event = read_line(&mut cursor).map_err(|kind| match kind {
                // The line is whole.
                ErrorKind::Truncated => ErrorKind::Encoding,
                kind => kind,
            })?;
            if !cursor.is_at_end() {
                return Err(ErrorKind::Encoding);
            }
            self.rest = behind;
            self.position = position.after(bytes, 1);
            return Ok(Some(UntrustedEvent {
                register: self.register,
                event_type: RUNTIME_EVENT,
                recorded: Bytes::raw(&[]),
                event,
                hashed: None,
                position,
                end: self.position,
            }));
        }
        Ok(None)
    }
}

impl<'a> Iterator for Log<'a> {
    type Item = Result<UntrustedEvent<'a>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let read = self.read().map_err(|kind| Error::new(kind, self.position));
        if read.is_err() {
            self.rest = &[];
        }
        read.transpose()
    }
}

impl FusedIterator for Log<'_> {}

fn read_line<'a>(cursor: &mut Cursor<'a>) -> Result<Event<'a>, ErrorKind> {
    let (mut event, mut payload, mut version) = (None, None, None);
    cursor.object(|cursor, name| match name {
        _ if name == "event" => once(&mut event, cursor.text()?),
        _ if name == "payload" => {
            let text = cursor.text()?.as_str().ok_or(ErrorKind::Member)?;
            once(&mut payload, Payload::base64(text).ok_or(ErrorKind::Member)?)
        }
        _ if name == "version" => once(&mut version, read_version(cursor)?),
        _ => Err(ErrorKind::Member),
    })?;
    Ok(Event {
        name: event.ok_or(ErrorKind::Member)?,
        payload: payload.ok_or(ErrorKind::Member)?,
        version: version.unwrap_or_default(),
    })
}

fn read_version(cursor: &mut Cursor<'_>) -> Result<Version, ErrorKind> {
    Ok(match cursor.number()? {
        1 => Version::V1,
        2 => Version::V2,
        other => Version::Other(other),
    })
}

/// The events of the array that dstack's interfaces give out. Ends after an error.
#[derive(Clone, Debug)]
pub struct Events<'a> {
    cursor: Cursor<'a>,
    limits: Limits,
    position: Position,
    is_over: bool,
}

impl<'a> Events<'a> {
    /// The events of a JSON array, from its beginning.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self {
            cursor: Cursor::new(bytes),
            limits: Limits::DEFAULT,
            position: Position::START,
            is_over: false,
        }
    }

    /// With other limits: [`Limits::event_bytes`].
    #[must_use]
    pub const fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    fn read(&mut self) -> Result<Option<UntrustedEvent<'a>>, ErrorKind> {
        let before = self.cursor.rest();
        let mut cursor = self.cursor;
        if self.position.record == 0 {
            cursor.expect(b'[')?;
        }
        if cursor.take(b']')? {
            return if cursor.is_at_end() { Ok(None) } else { Err(ErrorKind::Encoding) };
        }
        if self.position.record > 0 {
            cursor.expect(b',')?;
        }
        cursor.skip_space();
        let bytes = |from: &[u8], to: &[u8]| {
            u64::try_from(from.len().saturating_sub(to.len())).unwrap_or(u64::MAX)
        };
        let begin = cursor.rest();
        self.position.offset = self.position.offset.saturating_add(bytes(before, begin));
        let mut event = read_api(&mut cursor)?;
        if event.event.payload.len() > self.limits.event_bytes {
            return Err(ErrorKind::RecordTooLong);
        }
        event.position = self.position;
        event.end = self.position.after(bytes(begin, cursor.rest()), 0);
        self.position = event.end;
        self.cursor = cursor;
        Ok(Some(event))
    }
}

impl<'a> Iterator for Events<'a> {
    type Item = Result<UntrustedEvent<'a>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_over {
            return None;
        }
        let read = self.read();
        self.is_over = !matches!(read, Ok(Some(_)));
        read.map_err(|kind| Error::new(kind, self.position)).transpose()
    }
}

impl FusedIterator for Events<'_> {}

fn read_api<'a>(cursor: &mut Cursor<'a>) -> Result<UntrustedEvent<'a>, ErrorKind> {
    let (mut imr, mut event_type, mut digest) = (None, None, None);
    let (mut event, mut payload, mut version, mut hashed) = (None, None, None, None);
    let number =
        |cursor: &mut Cursor<'a>| u32::try_from(cursor.number()?).map_err(|_| ErrorKind::Number);
    cursor.object(|cursor, name| match name {
        _ if name == "imr" => once(&mut imr, number(cursor)?),
        _ if name == "event_type" => once(&mut event_type, number(cursor)?),
        _ if name == "digest" => once(&mut digest, hex(cursor)?),
        _ if name == "event" => once(&mut event, cursor.text()?),
        _ if name == "event_payload" => once(&mut payload, hex(cursor)?),
        _ if name == "version" => once(&mut version, read_version(cursor)?),
        // Its name has changed.
        _ if name == "preimage" || name == "hash_input" => match cursor.peek()? {
            b'n' => cursor.value().map(drop),
            _ => once(&mut hashed, hex(cursor)?),
        },
        _ => Err(ErrorKind::Member),
    })?;
    // The interface counts as TDX does, the register's number as UEFI does.
    let register = imr.ok_or(ErrorKind::Member)?.checked_add(1).ok_or(ErrorKind::Number)?;
    Ok(UntrustedEvent {
        register: Register::CcMr(register),
        event_type: event_type.ok_or(ErrorKind::Member)?,
        recorded: digest.unwrap_or(Bytes::raw(&[])),
        event: Event {
            name: event.ok_or(ErrorKind::Member)?,
            payload: payload.ok_or(ErrorKind::Member)?.into(),
            version: version.unwrap_or_default(),
        },
        hashed,
        position: Position::START,
        end: Position::START,
    })
}

/// An event as a log has it. Anybody who can alter the log can alter what it says.
#[derive(Clone, Copy, Debug)]
pub struct UntrustedEvent<'a> {
    register: Register,
    event_type: u32,
    recorded: Bytes<'a>,
    event: Event<'a>,
    hashed: Option<Bytes<'a>>,
    position: Position,
    end: Position,
}

impl<'a> UntrustedEvent<'a> {
    /// The register.
    #[must_use]
    pub const fn register(&self) -> Register {
        self.register
    }

    /// Its type. In version 1 and 2 of runtime events the digest covers it, in the boot's it does not.
    #[must_use]
    pub const fn event_type(&self) -> EventType {
        EventType(self.event_type)
    }

    /// Whether it is a runtime event, whose digest is computed here, and covers all of it.
    #[must_use]
    pub const fn is_runtime(&self) -> bool {
        self.event_type == RUNTIME_EVENT
    }

    /// Name, payload and version. Of an event of the boot, the payload is the event's data, or nothing
    /// if it was left out; nothing vouches for the name.
    #[must_use]
    pub const fn event(&self) -> &Event<'a> {
        &self.event
    }

    /// The digest as it is recorded; empty if it was left out.
    #[must_use]
    pub const fn recorded(&self) -> Bytes<'a> {
        self.recorded
    }

    /// What the register is extended with; `None` if that is not known for this algorithm.
    #[must_use]
    pub fn digest(&self, algorithm: Algorithm) -> Option<Digest> {
        if self.is_runtime() {
            return self.event.hash(algorithm);
        }
        let mut buffer = [0; Digest::MAX];
        Digest::from_bytes(algorithm, self.recorded.copy_to(&mut buffer)?)
    }

    /// Compares what is recorded with what it is said to be made from. Hashes the payload.
    #[must_use]
    pub fn check(&self) -> Check {
        let mut buffer = [0; Digest::MAX];
        let Some(recorded) = self.recorded.copy_to(&mut buffer).filter(|found| !found.is_empty())
        else {
            return Check::NoDigest;
        };
        let algorithm = Algorithm::ALL.iter().find(|known| known.size() == recorded.len());
        let Some(&algorithm) = algorithm else { return Check::Unknown };
        let recorded = Digest::from_bytes(algorithm, recorded);
        if self.event_type() == EventType::NO_ACTION {
            return Check::NotMeasured;
        }
        if self.is_runtime() {
            let is_hashed = self.hashed.is_none_or(|hashed| {
                recorded == Some(hash(algorithm, |out| out.put_bytes(hashed)))
            });
            return match self.event.hash(algorithm) {
                None => Check::Unknown,
                found if found == recorded && is_hashed => Check::Verified,
                _ => Check::Mismatch,
            };
        }
        let payload =
            hash(algorithm, |out| self.event.payload.iter().try_for_each(|byte| out.put(&[byte])));
        if recorded == Some(payload) { Check::Verified } else { Check::Unknown }
    }

    /// Where it begins.
    #[must_use]
    pub const fn position(&self) -> Position {
        self.position
    }

    /// Where it ends.
    #[must_use]
    pub const fn end(&self) -> Position {
        self.end
    }
}

impl ReplayedSeal for UntrustedEvent<'_> {
    fn position(&self) -> Position {
        self.position
    }

    fn register(&self) -> Register {
        self.register
    }

    fn effect(&self, banks: &[Option<Algorithm>; Algorithm::MAX]) -> Effect {
        if self.event_type() == EventType::NO_ACTION {
            return Effect::None;
        }
        Effect::Extends(banks.map(|bank| bank.and_then(|bank| self.digest(bank))))
    }
}
