// SPDX-License-Identifier: MIT OR Apache-2.0
//! IMA lists, to canonical event logs and back.

use core::str;

use tsm_core::{Algorithm, Digest};

use super::numbering::{Numbering, Numbers};
use super::output::{Output, push_cel};
use super::reason::Reason;
use crate::bytes::{Bytes, copy};
use crate::cel::{self, Content, Record, Register};
use crate::error::{Error, ErrorKind};
use crate::ima::{Bank, Banks, Binary, Check, Layout, List, UntrustedEntry};
use crate::out::Out;

/// Longest template data of the template `ima`: digest, length, name.
const LEGACY: usize = 20 + 4 + 255;

/// Appends the records of an IMA list to a canonical event log, as `ima_template`.
///
/// A record has a digest for each of `banks`: what the kernel extended that bank with, by its rule. A
/// violation has zeros, as in the list, and the replay of the log extends ones. The list's own template
/// digest is not kept beside them: it is checked here and can be computed from the data.
///
/// `scratch` is for text lists only, whose template data are put together there: it must hold those of
/// the longest record, and may be empty for a binary list.
///
/// # Errors
///
/// At the record: [`ErrorKind::TemplateDigest`] if the digest is not that of the data;
/// [`Reason::Violation`] for a violation in a bank of the rule
/// [`PaddedSha1Legacy`](crate::ima::BankRule::PaddedSha1Legacy), where the kernel did not extend ones;
/// [`Reason::Scratch`]; what the target refuses. [`ErrorKind::Banks`]; what is wrong with the list.
pub fn ima_to_cel<'a>(
    list: impl Into<List<'a>>,
    banks: &[Bank],
    numbering: Numbering,
    scratch: &mut [u8],
    to: &mut cel::Writer<'_>,
) -> Result<(), Error> {
    let banks = Banks::new(banks)?;
    let mut numbers = Numbers::new(numbering);
    for entry in list.into() {
        let entry = entry?;
        let error = |kind| Error::new(kind, entry.position());
        let (digests, count) = digests(&entry, &banks).map_err(error)?;
        let digests = digests.get(..count).unwrap_or_default().into();
        let name = str::from_utf8(entry.template_name());
        let name = name.map_err(|_| error(ErrorKind::TemplateName))?.into();
        let mut legacy = [0; LEGACY];
        let room = if name == "ima" { &mut legacy[..] } else { &mut *scratch };
        let data = entry.template_data().or_else(|| entry.copy_template_data(room));
        let data = data.ok_or(error(ErrorKind::NotCarried(Reason::Scratch)))?;
        let content = Content::ImaTemplate { name, data: Bytes::raw(data) };
        let register = Register::Pcr(entry.pcr());
        let recnum = numbers.next(register).map_err(error)?;
        push_cel(to, &Record { recnum, register, digests, content }, entry.position())?;
    }
    Ok(())
}

/// The binary IMA list whose records are the records of a canonical event log, all of which must be
/// `ima_template` with exactly the digests that [`ima_to_cel`] gives for `banks`.
///
/// `layout` is that of the list. Its byte order must be the one that the machine had: the template data
/// are in it, and nothing in the log tells.
///
/// # Errors
///
/// [`ErrorKind::NotCarried`], at the record: [`Reason::Type`] for other content and for what is no
/// record of a binary list (of the template `ima`, also what has MD5 digests); [`Reason::Register`],
/// [`Reason::Number`], [`Reason::Banks`], [`Reason::Digest`]. [`ErrorKind::MissingDigest`],
/// [`ErrorKind::NoRoom`], [`ErrorKind::Banks`]. What is wrong with the log.
pub fn cel_to_ima(
    log: cel::Log<'_>,
    banks: &[Bank],
    numbering: Numbering,
    layout: Layout,
    to: &mut Output<'_>,
) -> Result<(), Error> {
    let banks = Banks::new(banks)?;
    let mut numbers = Numbers::new(numbering);
    for record in log {
        let record = record?;
        let error = |kind| Error::new(kind, record.position());
        let record = record.record();
        numbers.check(record.register, record.recnum).map_err(error)?;
        let check = |written: &mut [u8]| {
            // As a violation: its digest, which is not known yet, is zero.
            let mut list = Binary::new(written, layout);
            let entry = list.next().and_then(Result::ok);
            let entry = entry.filter(|_| list.next().is_none());
            let entry = entry.ok_or(ErrorKind::NotCarried(Reason::Type))?;
            if record.is_violation() {
                return compare(record, &digests(&entry, &banks)?);
            }
            let digest = entry.hash(layout.digest);
            compare(record, &banks.digests(&entry))?;
            let place = written.get_mut(4..).unwrap_or_default();
            copy(digest.as_bytes(), place);
            Ok(())
        };
        to.push(|out| put(out, record, layout), check).map_err(error)?;
    }
    Ok(())
}

type Digests = ([Digest; Algorithm::MAX], usize);

/// What a record has for each bank.
fn digests(entry: &UntrustedEntry<'_>, banks: &Banks) -> Result<Digests, ErrorKind> {
    match entry.check() {
        Check::Mismatch => Err(ErrorKind::TemplateDigest),
        Check::Verified => Ok(banks.digests(entry)),
        Check::Violation => {
            let mut digests = [Digest::zeros(Algorithm::Sha1); Algorithm::MAX];
            let mut count = 0_usize;
            for (digest, bank) in digests.iter_mut().zip(banks.iter()) {
                if bank.violation() != Digest::ones(bank.algorithm) {
                    return Err(ErrorKind::NotCarried(Reason::Violation));
                }
                *digest = Digest::zeros(bank.algorithm);
                count = count.saturating_add(1);
            }
            Ok((digests, count))
        }
    }
}

fn compare(record: &Record<'_>, expected: &Digests) -> Result<(), ErrorKind> {
    let (digests, count) = expected;
    for digest in digests.iter().take(*count) {
        let found = record.digests.digest(digest.algorithm()).ok_or(ErrorKind::MissingDigest)?;
        if found != *digest {
            return Err(ErrorKind::NotCarried(Reason::Digest));
        }
    }
    if record.digests.iter().count() > *count {
        return Err(ErrorKind::NotCarried(Reason::Banks));
    }
    Ok(())
}

/// The record with a digest of zeros.
fn put(out: &mut dyn Out, record: &Record<'_>, layout: Layout) -> Result<(), ErrorKind> {
    let Content::ImaTemplate { name, data } = record.content else {
        return Err(ErrorKind::NotCarried(Reason::Type));
    };
    let Register::Pcr(pcr) = record.register else {
        return Err(ErrorKind::NotCarried(Reason::Register));
    };
    let number = |number: usize| {
        let number = u32::try_from(number).map_err(|_| ErrorKind::RecordTooLong)?;
        Ok::<_, ErrorKind>(layout.endian.u32_bytes(number))
    };
    out.put(&layout.endian.u32_bytes(pcr))?;
    out.put(Digest::zeros(layout.digest).as_bytes())?;
    let length = name.chars().map(char::len_utf8).fold(0, usize::saturating_add);
    out.put(&number(length)?)?;
    name.feed(|piece| out.put(piece))?;
    if name != "ima" {
        out.put(&number(data.len())?)?;
    }
    out.put_bytes(data)
}
