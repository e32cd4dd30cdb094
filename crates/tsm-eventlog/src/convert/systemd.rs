// SPDX-License-Identifier: MIT OR Apache-2.0
//! systemd's log, to canonical event logs and back.

use super::numbering::{Numbering, Numbers};
use super::output::{Output, push_cel};
use super::reason::Reason;
use crate::cel::{self, Content, Record, Register, put_digests};
use crate::error::{Error, ErrorKind};
use crate::out::Out;
use crate::registers::CcMrIndex;
use crate::systemd::{Log, Measurement, RECORD_SEPARATOR};

/// Appends the records of systemd's log to a canonical event log.
///
/// Only JSON has a place for what systemd says beside the string that was measured.
///
/// # Errors
///
/// At the record: [`ErrorKind::NotRepresentable`] if the target is not JSON, [`Reason::Member`] for a
/// record that tells to which PCR its register stands, [`ErrorKind::NoRoom`]. What is wrong with the
/// log.
pub fn systemd_to_cel(
    log: Log<'_>,
    numbering: Numbering,
    to: &mut cel::Writer<'_>,
) -> Result<(), Error> {
    let mut numbers = Numbers::new(numbering);
    for measurement in log {
        let measurement = measurement?;
        let position = measurement.position();
        let error = |kind| Error::new(kind, position);
        if measurement.mapped_pcr().is_some() {
            return Err(error(ErrorKind::NotCarried(Reason::Member)));
        }
        let recnum = numbers.next(measurement.register()).map_err(error)?;
        push_cel(to, &measurement.to_record(recnum), position)?;
    }
    Ok(())
}

/// Systemd's log with the records of a canonical event log, all of which must be systemd's.
///
/// # Errors
///
/// [`ErrorKind::NotCarried`], at the record: [`Reason::Type`] for other content, [`Reason::Register`],
/// [`Reason::Number`]; [`ErrorKind::NoRoom`]. What is wrong with the log.
pub fn cel_to_systemd(
    log: cel::Log<'_>,
    numbering: Numbering,
    to: &mut Output<'_>,
) -> Result<(), Error> {
    let mut numbers = Numbers::new(numbering);
    for record in log {
        let record = record?;
        let error = |kind| Error::new(kind, record.position());
        let record = record.record();
        numbers.check(record.register, record.recnum).map_err(error)?;
        let Content::Systemd(measurement) = record.content else {
            return Err(error(ErrorKind::NotCarried(Reason::Type)));
        };
        let read_back = |written: &mut [u8]| match Log::new(written).next() {
            Some(Ok(_)) => Ok(()),
            // Longer than systemd's reader takes.
            Some(Err(error)) => Err(error.kind()),
            None => Err(ErrorKind::NotCarried(Reason::Type)),
        };
        to.push(|out| put(out, record, &measurement), read_back).map_err(error)?;
    }
    Ok(())
}

fn put(
    out: &mut dyn Out,
    record: &Record<'_>,
    measurement: &Measurement<'_>,
) -> Result<(), ErrorKind> {
    let (name, number) = match record.register {
        Register::Pcr(number) => (&b"{\"pcr\":"[..], number),
        Register::NvIndex(number) => (&b"{\"nv_index\":"[..], number),
        Register::CcMr(number) => {
            let rtmr = CcMrIndex::new(number).and_then(CcMrIndex::rtmr);
            let rtmr = rtmr.ok_or(ErrorKind::NotCarried(Reason::Register))?;
            (&b"{\"rtmr\":"[..], rtmr.number())
        }
    };
    out.put(&[RECORD_SEPARATOR])?;
    out.put(name)?;
    out.put_number(u64::from(number))?;
    out.put(b",\"digests\":")?;
    put_digests(out, record.digests)?;
    out.put(b",\"content_type\":\"systemd\",\"content\":")?;
    measurement.write(out)?;
    out.put(b"}\n")
}
