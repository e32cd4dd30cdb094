// SPDX-License-Identifier: MIT OR Apache-2.0
//! Virtual registers as a provider of their own, on top of one that keeps logs.
//!
//! There is no second copy of the truth: values are folded from the carrier's log, at the start and
//! after every append, whatever the append said of its success.

use core::fmt;

use crate::algorithm::Algorithm;
use crate::bytes::copy;
use crate::digest::Digest;
use crate::hex;
use crate::log::Line;
use crate::provider::{
    self, ErrorKind, Lockable, Provider, Recorder, RegisterId, Reporter, Writable,
    forward_capabilities,
};
use crate::record::RecordError;
use crate::register::Register;
use crate::virtual_registers::{Fold, TableError};

/// The registers of `P` and, behind them, the virtual registers of a table; the latter are carried
/// by the log of one register of `P`. `M` bounds the virtual registers' banks.
#[derive(Clone, Debug)]
pub struct VirtualRegisters<'t, P, const M: usize> {
    provider: P,
    carrier: RegisterId,
    /// How many registers `P` has: the first virtual register's id.
    native: u16,
    fold: Fold<'t, M>,
    /// How far into the carrier's log the fold has come: the start of a line.
    folded: u64,
}

/// A failed call: of the provider below, or of the virtual registers themselves.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum VirtualError<E> {
    /// The provider below failed.
    Provider(E),
    /// The call was refused here.
    Refused(ErrorKind),
    /// The carrier's log holds, or the caller appends, a malformed record under a virtual
    /// register's name.
    Record(RecordError),
}

impl<E: provider::Error> provider::Error for VirtualError<E> {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Provider(error) => error.kind(),
            Self::Refused(kind) => *kind,
            Self::Record(_) => ErrorKind::InvalidInput,
        }
    }
}

impl<E: fmt::Display> fmt::Display for VirtualError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Provider(error) => write!(f, "{error}"),
            Self::Refused(kind) => write!(f, "{kind}"),
            Self::Record(error) => write!(f, "{error}"),
        }
    }
}

impl<E: core::error::Error> core::error::Error for VirtualError<E> {}

/// Why virtual registers cannot be opened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum OpenError<E> {
    /// The table cannot be virtual registers.
    Table(TableError),
    /// A virtual register has the name of a native one.
    NameTaken,
    /// The carrier has no log.
    NoLog,
    /// The carrier's log cannot be read, or holds a malformed record under a virtual register's
    /// name at this byte offset.
    Log(VirtualError<E>, u64),
}

impl<E: fmt::Display> fmt::Display for OpenError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Table(error) => write!(f, "{error}"),
            Self::NameTaken => f.write_str("a virtual register has the name of a native one"),
            Self::NoLog => f.write_str("the carrier of virtual registers has no log"),
            Self::Log(error, offset) => write!(f, "{error} (byte {offset} of the carrier's log)"),
        }
    }
}

impl<E: core::error::Error> core::error::Error for OpenError<E> {}

type Result<T, P> = core::result::Result<T, VirtualError<<P as Provider>::Error>>;

impl<'t, P: Provider, const M: usize> VirtualRegisters<'t, P, M> {
    /// Virtual registers carried by the log of `carrier`, at the values its records lead to.
    ///
    /// Whether that log explains the carrier's value is not asked here: it is the verifier's
    /// question, and a log that is out of sync says so in its next record.
    ///
    /// # Errors
    ///
    /// [`OpenError`].
    pub fn open(
        mut provider: P,
        carrier: RegisterId,
        table: &'t [Register<'t>],
    ) -> core::result::Result<Self, OpenError<P::Error>> {
        let fold = Fold::new(table).map_err(OpenError::Table)?;
        if table.iter().any(|register| provider.find(register.name).is_some()) {
            return Err(OpenError::NameTaken);
        }
        let native = provider.registers().count();
        let native = u16::try_from(native).map_err(|_| OpenError::Table(TableError::TooMany))?;
        if !provider.as_recorder().is_some_and(|recorder| recorder.has_log(carrier)) {
            return Err(OpenError::NoLog);
        }
        let mut this = Self { provider, carrier, native, fold, folded: 0 };
        this.catch_up().map_err(|error| OpenError::Log(error, this.folded))?;
        Ok(this)
    }

    /// The virtual registers' values.
    pub const fn fold(&self) -> &Fold<'t, M> {
        &self.fold
    }

    /// The provider below.
    pub const fn provider(&self) -> &P {
        &self.provider
    }

    /// The provider again.
    pub fn into_inner(self) -> P {
        self.provider
    }

    /// Place in the table of a virtual register's id; `None` for a native one.
    fn index(&self, id: RegisterId) -> Option<usize> {
        id.0.checked_sub(self.native).map(usize::from)
    }

    fn recorder(&mut self) -> Result<&mut dyn Recorder<Error = P::Error>, P> {
        self.provider.as_recorder().ok_or(VirtualError::Refused(ErrorKind::NotPermitted))
    }

    /// Folds what the carrier's log has gained.
    ///
    /// Reads a window at a time. A line longer than the window cannot be an extension; if it stands
    /// under a virtual register's name it is malformed, otherwise it is passed over.
    fn catch_up(&mut self) -> Result<(), P> {
        let mut window = [0; WINDOW];
        // Inside a line whose beginning has been dealt with.
        let mut passing = false;
        let mut at = self.folded;
        loop {
            let carrier = self.carrier;
            let read = self.recorder()?.read_log(carrier, at, &mut window);
            let read = read.map_err(VirtualError::Provider)?;
            let mut rest = window.get(..read).unwrap_or_default();
            if rest.is_empty() {
                return Ok(());
            }
            let mut progress = false;
            while let Some(end) = rest.iter().position(|&b| b == b'\n') {
                let (line, after) = rest.split_at_checked(end).unwrap_or_default();
                if !passing {
                    self.fold_line(line)?;
                }
                passing = false;
                progress = true;
                rest = after.get(1..).unwrap_or_default();
                at = advance(at, end.saturating_add(1));
                self.folded = at;
            }
            if progress {
                continue;
            }
            if read < window.len() {
                // A torn last line: not a record yet.
                return Ok(());
            }
            if !passing && self.fold.claims(rest) {
                return Err(VirtualError::Record(RecordError::NotAnExtension));
            }
            passing = true;
            at = advance(at, read);
        }
    }

    fn fold_line(&mut self, line: &[u8]) -> Result<(), P> {
        match Line::classify(line) {
            Ok(_) if line.contains(&b'\r') => Err(VirtualError::Refused(ErrorKind::InvalidInput)),
            Ok(Line::Record(record)) => {
                self.fold.record(record).map(drop).map_err(VirtualError::Record)
            }
            Ok(_) => Ok(()),
            // A log that is not well-formed has no value to offer.
            Err(_) => Err(VirtualError::Refused(ErrorKind::InvalidInput)),
        }
    }

    /// Appends to the carrier's log and folds whatever has come into it.
    fn append_to_carrier(&mut self, lines: &[u8]) -> Result<(), P> {
        let carrier = self.carrier;
        let appended = self.recorder()?.append(carrier, lines).map_err(VirtualError::Provider);
        self.catch_up()?;
        appended
    }
}

/// Longest line that can be an extension: name, ` extend `, algorithm, slash, digits; and its LF.
const EXTENSION: usize = 63 + 8 + 6 + 1 + 2 * Digest::MAX + 1;
/// What is read of the log at once: an extension and some more.
const WINDOW: usize = 256;
const _: () = assert!(EXTENSION <= WINDOW);

fn advance(at: u64, by: usize) -> u64 {
    at.saturating_add(u64::try_from(by).unwrap_or(u64::MAX))
}

impl<P: Provider, const M: usize> Provider for VirtualRegisters<'_, P, M> {
    type Error = VirtualError<P::Error>;

    fn name(&self) -> &str {
        self.provider.name()
    }

    fn describe(&self, id: RegisterId) -> Option<Register<'_>> {
        match self.index(id) {
            None => self.provider.describe(id),
            Some(index) => self.fold.table().get(index).copied(),
        }
    }

    fn read(&mut self, id: RegisterId, bank: Option<Algorithm>, out: &mut [u8]) -> Result<(), P> {
        let Some(index) = self.index(id) else {
            return self.provider.read(id, bank, out).map_err(VirtualError::Provider);
        };
        provider::check_read(self.describe(id).as_ref(), bank, out)
            .map_err(VirtualError::Refused)?;
        // Others may have appended to the log below.
        self.catch_up()?;
        let value = bank.and_then(|bank| self.fold.value(index, bank));
        let value = value.ok_or(VirtualError::Refused(ErrorKind::NoSuchBank))?;
        copy(value.as_bytes(), out);
        Ok(())
    }

    /// Extends a virtual register by records in the carrier's log, one per bank.
    ///
    /// If the carrier fails between the records of several banks, the banks whose records are in
    /// the log are extended; the values say which. The error then is of kind `StateUnknown`.
    fn extend(&mut self, id: RegisterId, digests: &[Digest]) -> Result<(), P> {
        let Some(index) = self.index(id) else {
            return self.provider.extend(id, digests).map_err(VirtualError::Provider);
        };
        provider::check_extend(self.describe(id).as_ref(), digests)
            .map_err(VirtualError::Refused)?;
        self.catch_up()?;
        let name = self.fold.table().get(index).map_or("", |register| register.name);
        let mut text = [0; EXTENSION * Algorithm::MAX];
        let mut free = &mut text[..];
        for digest in digests {
            free = write_extension(free, name, digest);
        }
        let unused = free.len();
        let used = text.len().saturating_sub(unused);
        let before = self.fold.records(index);
        let done = self.append_to_carrier(text.get(..used).unwrap_or_default());
        match done {
            Err(_) if self.fold.records(index) != before => {
                Err(VirtualError::Refused(ErrorKind::StateUnknown))
            }
            done => done,
        }
    }

    fn as_writable(&mut self) -> Option<&mut dyn Writable<Error = Self::Error>> {
        self.provider.as_writable()?;
        Some(self)
    }

    fn as_lockable(&mut self) -> Option<&mut dyn Lockable<Error = Self::Error>> {
        self.provider.as_lockable()?;
        Some(self)
    }

    fn as_reporter(&mut self) -> Option<&mut dyn Reporter<Error = Self::Error>> {
        self.provider.as_reporter()?;
        Some(self)
    }

    fn as_recorder(&mut self) -> Option<&mut dyn Recorder<Error = Self::Error>> {
        Some(self)
    }
}

/// Writes `<name> extend <alg>/<hex>` and an LF into `free` and returns what is left of it.
fn write_extension<'f>(free: &'f mut [u8], name: &str, digest: &Digest) -> &'f mut [u8] {
    let algorithm = digest.algorithm().name().as_bytes();
    let mut free = [name.as_bytes(), b" extend ", algorithm, b"/"].into_iter().fold(free, put);
    for &byte in digest.as_bytes() {
        free = put(free, &hex::digits(byte));
    }
    put(free, b"\n")
}

fn put<'f>(free: &'f mut [u8], part: &[u8]) -> &'f mut [u8] {
    let (target, rest) = free.split_at_mut_checked(part.len()).unwrap_or_default();
    copy(part, target);
    rest
}

impl<P: Provider, const M: usize> Recorder for VirtualRegisters<'_, P, M> {
    type Error = VirtualError<P::Error>;

    fn has_log(&mut self, id: RegisterId) -> bool {
        self.index(id).is_none() && self.provider.as_recorder().is_some_and(|r| r.has_log(id))
    }

    /// Appends to a native register's log. On the carrier, a malformed record under a virtual
    /// register's name is refused before anything is extended: it would spoil the log for every
    /// verifier.
    fn append(&mut self, id: RegisterId, lines: &[u8]) -> Result<(), P> {
        if id != self.carrier {
            return self.recorder()?.append(id, lines).map_err(VirtualError::Provider);
        }
        for line in lines.split(|&b| b == b'\n' || b == b'\r') {
            self.fold.check(crate::log::trim(line)).map_err(VirtualError::Record)?;
        }
        self.append_to_carrier(lines)
    }

    fn log_size(&mut self, id: RegisterId) -> Result<u64, P> {
        self.recorder()?.log_size(id).map_err(VirtualError::Provider)
    }

    fn read_log(&mut self, id: RegisterId, offset: u64, out: &mut [u8]) -> Result<usize, P> {
        self.recorder()?.read_log(id, offset, out).map_err(VirtualError::Provider)
    }
}

forward_capabilities!(
    impl[P: Provider, const M: usize] for VirtualRegisters<'_, P, M>,
    VirtualError::Provider,
    VirtualError::Refused(ErrorKind::NotPermitted)
);

#[cfg(test)]
mod tests;
