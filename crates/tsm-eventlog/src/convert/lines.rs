// SPDX-License-Identifier: MIT OR Apache-2.0
//! Lines that are hashed as they stand, as events: what record logs and AAEL's text share.

use tsm_core::{Algorithm, Banks, Digest};

use super::numbering::{Numbering, Numbers};
use super::output::{Output, push_cel};
use super::reason::Reason;
use crate::bytes::Bytes;
use crate::cel::{self, Content, Record};
use crate::error::{Error, ErrorKind, Position};
use crate::registers::{Platform, RegisterIndex};
use crate::tcg::{self, End, RECORD};

const fn not_carried(reason: Reason) -> ErrorKind {
    ErrorKind::NotCarried(reason)
}

/// What the lines of a format must be, and where blank lines belong.
pub(super) trait Form {
    /// The banks whose digests each line has, in their order.
    fn banks(&self) -> Banks;

    /// Takes the next line; an error if it cannot be the next line of such a log.
    fn accept(&mut self, line: &[u8]) -> Result<(), ErrorKind>;

    /// Whether a blank line stands before the next line, which may be a `SYNC` record.
    fn is_apart(&self, is_sync: bool) -> bool;
}

/// How a `SYNC` record begins.
const SYNC: &[u8] = b"SYNC ";

/// Where lines come from.
pub(super) trait Source<'l>: Iterator<Item = Result<(&'l [u8], Position), Error>> {}

impl<'l, T: Iterator<Item = Result<(&'l [u8], Position), Error>>> Source<'l> for T {}

pub(super) fn to_tcg<'l>(
    lines: impl Source<'l>,
    banks: Banks,
    (platform, register): (Platform, RegisterIndex),
    to: &mut tcg::Writer<'_>,
) -> Result<(), Error> {
    let index = number(platform, register)?;
    let all = to.algorithms().try_fold(Banks::NONE, Banks::and);
    if all.is_none_or(|all| !is_same(all, banks)) {
        return Err(Error::call(not_carried(Reason::Banks)));
    }
    for line in lines {
        let (line, position) = line?;
        let written = to.append_record_with(index, line, |_| Ok::<(), Error>(()));
        written.map_err(|error| Error::new(error.kind(), position))?;
    }
    Ok(())
}

pub(super) fn to_cel<'l>(
    lines: impl Source<'l>,
    banks: Banks,
    (register, numbering): (cel::Register, Numbering),
    to: &mut cel::Writer<'_>,
) -> Result<(), Error> {
    let mut numbers = Numbers::new(numbering);
    for line in lines {
        let (line, position) = line?;
        let mut digests = [Digest::zeros(first(banks)?); Algorithm::MAX];
        for (digest, bank) in digests.iter_mut().zip(banks.iter()) {
            *digest = bank.hash(line);
        }
        let digests = digests.get(..banks.len()).unwrap_or_default();
        let recnum = numbers.next(register).map_err(|kind| Error::new(kind, position))?;
        let content = Content::PcClientStd { event_type: RECORD.into(), data: Bytes::raw(line) };
        push_cel(to, &Record { recnum, register, digests: digests.into(), content }, position)?;
    }
    Ok(())
}

pub(super) fn from_tcg(
    mut log: tcg::Log<'_>,
    (platform, register): (Platform, RegisterIndex),
    form: &mut impl Form,
    to: &mut Output<'_>,
) -> Result<(), Error> {
    let index = number(platform, register)?;
    let banks = form.banks();
    for event in log.by_ref() {
        let event = event?;
        let mut write = || {
            if event.index() != index {
                return Err(not_carried(Reason::Register));
            }
            if event.event_type() != RECORD {
                return Err(not_carried(Reason::Type));
            }
            for bank in banks.iter() {
                let digest = event.digest(bank).ok_or(ErrorKind::MissingDigest)?;
                if digest != bank.hash(event.data()) {
                    return Err(not_carried(Reason::Digest));
                }
            }
            if event.digests().len() != banks.len() {
                return Err(not_carried(Reason::Banks));
            }
            push_line(Bytes::raw(event.data()), form, |_| Ok(()), to)
        };
        write().map_err(|kind| Error::new(kind, event.position()))?;
    }
    is_whole(&log)
}

pub(super) fn from_cel(
    log: cel::Log<'_>,
    (register, numbering): (cel::Register, Numbering),
    form: &mut impl Form,
    to: &mut Output<'_>,
) -> Result<(), Error> {
    let mut numbers = Numbers::new(numbering);
    let banks = form.banks();
    for record in log {
        let record = record?;
        let position = record.position();
        let record = record.record();
        let mut write = || {
            if record.register != register {
                return Err(not_carried(Reason::Register));
            }
            numbers.check(register, record.recnum)?;
            let Content::PcClientStd { event_type, data } = record.content else {
                return Err(not_carried(Reason::Type));
            };
            if !event_type.is(RECORD) {
                return Err(not_carried(Reason::Type));
            }
            if record.digests.iter().count() > banks.len() {
                return Err(not_carried(Reason::Banks));
            }
            let check = |line: &[u8]| {
                banks.iter().try_for_each(|bank| {
                    let digest = record.digests.digest(bank).ok_or(ErrorKind::MissingDigest)?;
                    (digest == bank.hash(line)).then_some(()).ok_or(not_carried(Reason::Digest))
                })
            };
            push_line(data, form, check, to)
        };
        write().map_err(|kind| Error::new(kind, position))?;
    }
    Ok(())
}

/// Nothing that nobody reads stands behind the log.
pub(super) fn is_whole(log: &tcg::Log<'_>) -> Result<(), Error> {
    match log.end() {
        Some(End::Garbage) => Err(Error::new(ErrorKind::Trailing, log.next_position())),
        _ => Ok(()),
    }
}

/// Writes a line with its line feed, and a blank line before it if one belongs there.
fn push_line(
    line: Bytes<'_>,
    form: &mut impl Form,
    check: impl FnOnce(&[u8]) -> Result<(), ErrorKind>,
    to: &mut Output<'_>,
) -> Result<(), ErrorKind> {
    let is_sync = line.iter().take(SYNC.len()).eq(SYNC.iter().copied());
    let blank: &[u8] = if !to.is_empty() && form.is_apart(is_sync) { b"\n" } else { b"" };
    to.push(
        |out| {
            out.put(blank)?;
            out.put_bytes(line)?;
            out.put(b"\n")
        },
        |written| {
            // Only now are its bytes at hand: JSON has them in hexadecimal.
            let line = written.get(blank.len()..).and_then(|line| line.strip_suffix(b"\n"));
            let line = line.unwrap_or_default();
            if line.contains(&b'\n') {
                return Err(not_carried(Reason::Line));
            }
            check(line)?;
            form.accept(line)
        },
    )
}

fn number(platform: Platform, register: RegisterIndex) -> Result<u32, Error> {
    let number = platform.number(register).filter(|_| register.is_extendable());
    number.ok_or(Error::call(ErrorKind::NoSuchRegister))
}

fn first(banks: Banks) -> Result<Algorithm, Error> {
    banks.iter().next().ok_or(Error::call(ErrorKind::Banks))
}

/// Whether these are the same banks, in whatever order.
fn is_same(one: Banks, other: Banks) -> bool {
    one.len() == other.len() && one.iter().all(|bank| other.contains(bank))
}
