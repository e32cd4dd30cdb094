// SPDX-License-Identifier: MIT OR Apache-2.0
//! The writer: extends a register and commits the line, in that order (sections 2 to 4).
//!
//! Everything that can be refused is refused before the device is asked for anything: a whole call
//! is checked against limits, reserved words and room first.

use core::fmt;

use crate::algorithm::Algorithm;
use crate::bytes::copy;
use crate::digest::Digest;
use crate::hex;
use crate::log::line::is_space;
use crate::log::reader::line_end;
use crate::log::{Cause, Limits, Line, LogError, LogErrorKind, Splitter, Storage, WriteError};
use crate::provider::{Error as _, ErrorKind, Provider, RegisterId};
use crate::register::{Banks, Powers};
use crate::replay::Replay;

/// What an append did.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Appended {
    /// Records extended and committed for the caller.
    pub records: u32,
    /// Whether a `SYNC` record was written before them.
    pub synced: bool,
}

/// The log of one runtime register.
///
/// The log does not own the register: each call is given the provider and the register's id, which
/// must be the same every time.
#[derive(Clone, Debug)]
pub struct RecordLog<S> {
    storage: S,
    limits: Limits,
    in_sync: bool,
}

type Result<T, P, S> =
    core::result::Result<T, WriteError<<P as Provider>::Error, <S as Storage>::Error>>;

impl<S: Storage> RecordLog<S> {
    /// A log that does not know where its register stands: the first append captures it.
    ///
    /// For a new log. For one that has content, [`open`](Self::open) avoids a needless capture and
    /// finds out whether the content can be appended to.
    #[must_use]
    pub const fn new(storage: S, limits: Limits) -> Self {
        Self { storage, limits, in_sync: false }
    }

    /// A log with content: in sync if the content, replayed from the register's initial value (or
    /// from the log's own first capture), leads to the register's value.
    ///
    /// `scratch` holds a line while the storage is read in pieces: `limits.record` bytes and more;
    /// a storage that is one slice needs none.
    ///
    /// # Errors
    ///
    /// [`OpenError::Log`] if the content is malformed. After `Torn`, drop the storage's bytes from
    /// the error's offset on and open again. To have the storage back after an error, open it by
    /// `&mut`.
    pub fn open<P: Provider>(
        storage: S,
        limits: Limits,
        provider: &mut P,
        id: RegisterId,
        scratch: &mut [u8],
    ) -> core::result::Result<Self, OpenError<P::Error, S::Error>> {
        let banks = provider.describe(id).map(|r| r.banks()).unwrap_or(Banks::NONE);
        let mut start = Values::zeros(banks);
        for value in start.as_mut() {
            let initial = provider.describe(id).and_then(|r| r.initial.value(value.algorithm()));
            *value = initial.unwrap_or(*value);
        }
        let mut replay = Replay::new(start.as_ref()).map_err(|_| OpenError::NoRegister)?;
        replay_storage(&storage, limits, &mut replay, scratch)?;
        let mut in_sync = replay.in_sync();
        for bank in banks.iter() {
            let value = provider.value(id, bank).map_err(OpenError::Provider)?;
            in_sync &= replay.value(bank) == Some(value);
        }
        Ok(Self { storage, limits, in_sync })
    }

    /// Where the log lives.
    pub const fn storage(&self) -> &S {
        &self.storage
    }

    /// Gives the storage back.
    pub fn into_storage(self) -> S {
        self.storage
    }

    /// Whether the log's records lead to the register's value, as far as the log knows.
    pub const fn in_sync(&self) -> bool {
        self.in_sync
    }

    /// Tells the log that somebody else may have extended the register: the next append captures
    /// its value.
    pub const fn invalidate(&mut self) {
        self.in_sync = false;
    }

    /// Appends the lines of `input`: each record is hashed with every bank's algorithm, extended,
    /// and committed. LF and CR end a line, a last line without one is complete; blank lines are
    /// dropped; lines that begin with `#` are stored and not hashed. An out-of-sync log first gets a
    /// `SYNC` record.
    ///
    /// # Errors
    ///
    /// [`WriteError`] says what failed, at which record, and that everything before it is extended
    /// and committed. `TooLong`, `Reserved`, `Full`, `Refused` happen before anything is.
    pub fn append<P: Provider>(
        &mut self,
        provider: &mut P,
        id: RegisterId,
        input: &[u8],
    ) -> Result<Appended, P, S> {
        let refused = |kind| Cause::Refused(kind).at_start();
        let register = provider.describe(id).ok_or(refused(ErrorKind::NoSuchRegister))?;
        let banks = register.banks();
        if banks.is_empty() || !register.powers.contains(Powers::EXTEND) {
            return Err(refused(ErrorKind::NotPermitted));
        }
        let mut done = Appended { records: 0, synced: false };
        let lines = match self.check::<P>(banks, input)? {
            Checked { first: None, .. } => return Ok(done),
            // The usual append is one line: it need not be looked for again.
            Checked { first, several: false } => (first, &[][..]),
            Checked { several: true, .. } => (None, input),
        };
        let mut digests = Values::zeros(banks);
        if !self.in_sync {
            self.sync(provider, id, banks, &mut digests).map_err(Cause::at_start)?;
            done.synced = true;
        }
        let mut separator = !self.storage.is_empty();
        for (offset, line) in lines.0.into_iter().chain(input_lines(lines.1)) {
            let record = line.first() != Some(&b'#');
            let extended = record.then_some(&mut digests);
            self.commit(provider, id, extended, separator, line).map_err(|cause| WriteError {
                cause,
                record: done.records,
                offset,
            })?;
            done.records = done.records.saturating_add(u32::from(record));
            separator = false;
        }
        Ok(done)
    }

    /// Extends the register past the log and notes that: the log is out of sync from then on.
    ///
    /// The register must permit direct extension.
    ///
    /// # Errors
    ///
    /// `Full` before anything is extended; `Refused` if the register does not permit it or a digest
    /// is not of its banks; the provider's.
    pub fn extend_off_log<P: Provider>(
        &mut self,
        provider: &mut P,
        id: RegisterId,
        digests: &[Digest],
    ) -> Result<(), P, S> {
        let refused = |kind| Cause::Refused(kind).at_start();
        let register = provider.describe(id);
        crate::provider::check_extend(register.as_ref(), digests).map_err(refused)?;
        let direct = register.is_some_and(|r| r.powers.contains(Powers::DIRECT));
        let banks = register.map_or(Banks::NONE, |r| r.banks());
        if !direct {
            return Err(refused(ErrorKind::NotPermitted));
        }
        let mut text = Text::new(b"# .EXTEND");
        for digest in digests {
            text.push(b" ");
            if banks.single().is_none() {
                text.push(digest.algorithm().name().as_bytes());
                text.push(b"/");
            }
            text.push_hex(digest.as_bytes());
        }
        let separator: &[u8] = if self.in_sync { b"\n" } else { b"" };
        let line = text.as_bytes();
        if length(&[separator, line, b"\n"]) > self.storage.room() {
            return Err(Cause::Full.at_start());
        }
        let extended = provider.extend(id, digests);
        if let Err(error) = extended {
            self.in_sync &= error.kind() != ErrorKind::StateUnknown;
            return Err(Cause::Provider(error).at_start());
        }
        self.in_sync = false;
        let stored = self.storage.append(&[separator, line, b"\n"]);
        stored.map_err(|error| Cause::Storage(error).at_start())
    }

    /// Checks all of `input`: its lines, and that there is room for them.
    fn check<'i, P: Provider>(&self, banks: Banks, input: &'i [u8]) -> Result<Checked<'i>, P, S> {
        let mut checked = Checked { first: None, several: false };
        let mut needed = 0_u64;
        for (offset, line) in input_lines(input) {
            // Nothing has been extended yet, whatever stands before this line.
            let failed = |cause| Err(WriteError { cause, record: 0, offset });
            if line.len() > self.limits.record {
                return failed(Cause::TooLong);
            }
            if Line::is_reserved(line) {
                return failed(Cause::Reserved);
            }
            needed = needed.saturating_add(length(&[line, b"\n"]));
            checked.several = checked.first.is_some();
            checked.first.get_or_insert((offset, line));
        }
        if needed == 0 {
            return Ok(checked);
        }
        // One separator before the first line, and a SYNC line with its own where needed.
        let mut lines_before = u64::from(!self.storage.is_empty());
        if !self.in_sync {
            let sync = sync_length(banks).saturating_add(1);
            needed = needed.saturating_add(sync);
            lines_before = lines_before.saturating_add(1);
        }
        needed = needed.saturating_add(lines_before);
        if needed > self.storage.room() {
            return Err(Cause::Full.at_start());
        }
        Ok(checked)
    }

    /// Writes the `SYNC` record. Part of an append, so that what each step needs lies beside the
    /// others' on the stack and not below it.
    #[inline(always)]
    fn sync<P: Provider>(
        &mut self,
        provider: &mut P,
        id: RegisterId,
        banks: Banks,
        digests: &mut Values,
    ) -> core::result::Result<(), Cause<P::Error, S::Error>> {
        let mut capture = Capture { banks, values: [0; Capture::SIZE] };
        capture.read(provider, id).map_err(Cause::Provider)?;
        capture.write(|line| digests.hash(line));
        self.extend(provider, id, digests)?;
        let separator = separator(!self.storage.is_empty());
        let storage = &mut self.storage;
        let stored = capture.write(|line| storage.append(&[separator, line, b"\n"]));
        stored.map_err(Cause::Storage)?;
        self.in_sync = true;
        Ok(())
    }

    /// Extends the register with `line` if there is room for its digests, and stores it.
    fn commit<P: Provider>(
        &mut self,
        provider: &mut P,
        id: RegisterId,
        digests: Option<&mut Values>,
        before: bool,
        line: &[u8],
    ) -> core::result::Result<(), Cause<P::Error, S::Error>> {
        let is_record = digests.is_some();
        if let Some(digests) = digests {
            digests.hash(line);
            self.extend(provider, id, digests)?;
        }
        self.storage.append(&[separator(before), line, b"\n"]).map_err(|error| {
            self.in_sync &= !is_record;
            Cause::Storage(error)
        })
    }

    #[inline]
    fn extend<P: Provider>(
        &mut self,
        provider: &mut P,
        id: RegisterId,
        digests: &Values,
    ) -> core::result::Result<(), Cause<P::Error, S::Error>> {
        provider.extend(id, digests.as_ref()).map_err(|error| {
            self.in_sync &= error.kind() != ErrorKind::StateUnknown;
            Cause::Provider(error)
        })
    }
}

/// What stands before a line.
const fn separator(is_there: bool) -> &'static [u8] {
    if is_there { b"\n" } else { b"" }
}

/// What a call's input is.
struct Checked<'i> {
    /// The first line and where it begins, if there is any.
    first: Option<(usize, &'i [u8])>,
    /// Whether there are more lines.
    several: bool,
}

/// The values of a `SYNC` record, one behind the other.
struct Capture {
    banks: Banks,
    values: [u8; Self::SIZE],
}

impl Capture {
    /// Those of all algorithms.
    #[allow(clippy::arithmetic_side_effects, reason = "evaluated at compile time")]
    const SIZE: usize = {
        let mut size = 0;
        let mut rest = Algorithm::ALL;
        while let [bank, others @ ..] = rest {
            size += bank.size();
            rest = others;
        }
        size
    };

    fn read<P: Provider>(
        &mut self,
        provider: &mut P,
        id: RegisterId,
    ) -> core::result::Result<(), P::Error> {
        let mut free = self.values.as_mut_slice();
        for bank in self.banks.iter() {
            let (value, rest) = free.split_at_mut_checked(bank.size()).unwrap_or_default();
            provider.read(id, Some(bank), value)?;
            free = rest;
        }
        Ok(())
    }

    /// Makes the record's line. Not inlined: it is longer than the values, and would lie on the stack
    /// below the extension.
    #[inline(never)]
    fn write<T>(&self, then: impl FnOnce(&[u8]) -> T) -> T {
        let mut text = Text::new(b"SYNC");
        let mut values = self.values.as_slice();
        for bank in self.banks.iter() {
            let (value, rest) = values.split_at_checked(bank.size()).unwrap_or_default();
            text.push(b" ");
            text.push(bank.name().as_bytes());
            text.push(b"/");
            text.push_hex(value);
            values = rest;
        }
        then(text.as_bytes())
    }
}

/// The lines of an append with their offsets: trimmed, blank ones left out (section 2).
fn input_lines(input: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    let mut offset = 0_usize;
    let mut rest = Some(input);
    let lines = core::iter::from_fn(move || {
        let (bytes, start) = (rest?, offset);
        let (line, after) = match line_end(bytes).and_then(|end| bytes.split_at_checked(end)) {
            Some((line, after)) => (line, after.get(1..)),
            None => (bytes, None),
        };
        rest = after;
        offset = offset.saturating_add(line.len()).saturating_add(1);
        Some((start, trim(line)))
    });
    lines.filter(|(_, line)| !line.is_empty())
}

/// The line without ASCII white space at its ends.
pub(crate) fn trim(mut line: &[u8]) -> &[u8] {
    while let [first, rest @ ..] = line {
        if !is_space(*first) {
            break;
        }
        line = rest;
    }
    while let [rest @ .., last] = line {
        if !is_space(*last) {
            break;
        }
        line = rest;
    }
    line
}

fn length(parts: &[&[u8]]) -> u64 {
    parts.iter().fold(0, |sum, part| {
        u64::try_from(part.len()).map_or(u64::MAX, |len| sum.saturating_add(len))
    })
}

/// Length of a `SYNC` line for `banks`, without its LF: the word, and for each bank a space, its
/// name, a slash and the digits.
fn sync_length(banks: Banks) -> u64 {
    banks.iter().fold(4, |sum, bank| {
        let digits = bank.size().saturating_mul(2);
        let word = bank.name().len().saturating_add(digits).saturating_add(2);
        u64::try_from(word).map_or(u64::MAX, |word: u64| word.saturating_add(sum))
    })
}

/// One value per bank, on the stack.
struct Values {
    values: [Digest; Algorithm::MAX],
    len: usize,
}

impl Values {
    /// Not inlined: what is built here would lie on the stack twice, below hash and extension.
    #[inline(never)]
    fn zeros(banks: Banks) -> Self {
        let mut values = [Digest::zeros(Algorithm::FIRST); Algorithm::MAX];
        let mut len = 0_usize;
        for (value, bank) in values.iter_mut().zip(banks.iter()) {
            *value = Digest::zeros(bank);
            len = len.saturating_add(1);
        }
        Self { values, len }
    }

    /// Sets them to the hashes of a line.
    fn hash(&mut self, line: &[u8]) {
        for digest in self.as_mut() {
            digest.algorithm().hash_to(line, digest.as_bytes_mut());
        }
    }

    fn as_ref(&self) -> &[Digest] {
        self.values.get(..self.len).unwrap_or_default()
    }

    fn as_mut(&mut self) -> &mut [Digest] {
        self.values.get_mut(..self.len).unwrap_or_default()
    }
}

/// A line being written, on the stack: long enough for a capture of every bank.
struct Text {
    bytes: [u8; Self::CAPACITY],
    len: usize,
}

impl Text {
    /// "# .EXTEND" and for every bank a space, its name, a slash and the digits.
    #[allow(clippy::arithmetic_side_effects, reason = "evaluated at compile time")]
    const CAPACITY: usize = {
        let mut capacity = 9;
        let mut rest = Algorithm::ALL;
        while let [bank, others @ ..] = rest {
            capacity += 1 + bank.name().len() + 1 + 2 * bank.size();
            rest = others;
        }
        capacity
    };

    /// Not inlined, as [`Values::zeros`].
    #[inline(never)]
    fn new(word: &[u8]) -> Self {
        let mut text = Self { bytes: [0; Self::CAPACITY], len: 0 };
        text.push(word);
        text
    }

    fn push(&mut self, part: &[u8]) {
        let free = self.bytes.get_mut(self.len..).unwrap_or_default();
        copy(part, free);
        self.len = self.len.saturating_add(part.len());
    }

    fn push_hex(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.push(&hex::digits(byte));
        }
    }

    fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

/// Why a log with content cannot be opened. `P` and `S` are the errors of provider and storage.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum OpenError<P, S> {
    /// The content is malformed.
    Log(LogError),
    /// The register does not exist or has no bank.
    NoRegister,
    /// The register could not be read.
    Provider(P),
    /// The storage could not be read.
    Storage(S),
}

impl<P: fmt::Display, S: fmt::Display> fmt::Display for OpenError<P, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Log(error) => write!(f, "{error}"),
            Self::NoRegister => f.write_str("no such register, or one without a bank"),
            Self::Provider(error) => write!(f, "reading the register: {error}"),
            Self::Storage(error) => write!(f, "reading the log: {error}"),
        }
    }
}

impl<P: core::error::Error, S: core::error::Error> core::error::Error for OpenError<P, S> {}

/// Folds a stored log, in one piece if the storage has it, else in pieces through `scratch`, one
/// half of which holds a piece and the other a line across pieces.
fn replay_storage<S: Storage, P>(
    storage: &S,
    limits: Limits,
    replay: &mut Replay,
    scratch: &mut [u8],
) -> core::result::Result<(), OpenError<P, S::Error>> {
    if let Some(log) = storage.as_slice() {
        return replay.feed(log, limits, &mut ()).map_err(OpenError::Log);
    }
    let half = scratch.len() / 2;
    let (piece, held) = scratch.split_at_mut_checked(half).unwrap_or_default();
    let mut splitter = Splitter::new(held);
    let mut offset = 0_u64;
    loop {
        let read = storage.read_at(offset, piece).map_err(OpenError::Storage)?;
        if read == 0 && offset >= storage.len() {
            break;
        }
        let bytes = piece.get(..read).unwrap_or_default();
        let pushed = if bytes.is_empty() {
            // A storage that has more and gives nothing, or no scratch to read into.
            Err(LogErrorKind::TooLong)
        } else {
            splitter.push(bytes, |line| replay.line(line, limits, &mut ()))
        };
        pushed.map_err(|kind| OpenError::Log(error_at(replay, kind)))?;
        offset = offset.saturating_add(length(&[bytes]));
    }
    if splitter.held() > 0 {
        return Err(OpenError::Log(error_at(replay, LogErrorKind::Torn)));
    }
    Ok(())
}

/// An error of the line behind what has been folded.
fn error_at(replay: &Replay, kind: LogErrorKind) -> LogError {
    let done = replay.position();
    kind.at(done.offset, done.line.saturating_add(1))
}

#[cfg(test)]
mod tests;
