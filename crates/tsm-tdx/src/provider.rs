// SPDX-License-Identifier: MIT OR Apache-2.0
//! The registers of a TD as a provider of the core.

use tsm_core::index::{RtmrIndex, RtmrSet};
use tsm_core::provider::{Provider, Reporter, check_extend, check_read};
use tsm_core::{
    Algorithm, Banks, Digest, ErrorKind as Refusal, Initial, Powers, Presentation, Register,
    RegisterId, Value,
};

use crate::buffer::{ExtendBuffer, ReportBuffer, ReportData};
use crate::bytes::copy;
use crate::call::Tdcall;
use crate::error::{Error, ErrorKind};
use crate::layout::{TEE_TDX, TdReportStruct};
use crate::leaf::FieldId;
use crate::quoting::{Clock, IdleQuote, Quoter, SharedMemory};
use crate::td::Td;

/// The registers of a TD: provider `tdx`.
///
/// | name | value | what |
/// |---|---|---|
/// | `mrtd` | SHA-384 | what the TD was built from |
/// | `mrconfigid`, `mrowner`, `mrownerconfig` | 48 bytes | chosen by the host when it made the TD; no hash, no meaning to the hardware |
/// | `rtmr0` | SHA-384 | extended by firmware: its configuration |
/// | `rtmr1` | SHA-384 | extended by firmware: boot loader, kernel |
/// | `rtmr2` | SHA-384 | extended by boot loader and kernel: command line, initrd |
/// | `rtmr3` | SHA-384 | left to applications; in no log of the firmware |
/// | `servtd_hash` | SHA-384 | service TDs that are bound to this one; zero if none is |
/// | `attributes`, `xfam` | 8 bytes | [`Attributes`](crate::layout::Attributes), [`Xfam`](crate::layout::Xfam), little-endian |
/// | `mrseam` | SHA-384 | the TDX module; only with a buffer for reports |
///
/// Who owns `rtmr0` to `rtmr2` is convention, and the module lets anybody in ring 0 extend all four:
/// say which of them this program may ([`RtmrSet`]). The others can be read only.
///
/// With a buffer for reports ([`with_report_buffer`](Self::with_report_buffer)) each value is read
/// from a fresh report, all of one moment, and the provider is a [`Reporter`]: user data of 64 bytes,
/// a TDREPORT of 1024, evidence on this machine only. Without one, values are read word by word
/// ([`Td::read_rtmr`]), which takes half a kilobyte more of stack. For quotes see
/// [`quoter`](Self::quoter).
///
/// ```
/// use tsm_core::{Algorithm, Provider};
/// # use tsm_tdx::{Error, ReportBuffer, RtmrSet, Td, Tdcall, TdxProvider};
///
/// fn shim(module: impl Tdcall, buffer: &mut ReportBuffer) -> Result<(), Error> {
///     let td = Td::new(module)?;
///     let mut registers = TdxProvider::new(td, RtmrSet::APPLICATION).with_report_buffer(buffer);
///     if let Some(rtmr3) = registers.find("rtmr3") {
///         registers.extend(rtmr3, &[Algorithm::Sha384.hash(b"what I run next")])?;
///     }
///     Ok(())
/// }
/// ```
#[derive(Debug)]
pub struct TdxProvider<'b, T> {
    td: Td<T>,
    extendable: RtmrSet,
    report: Option<&'b mut ReportBuffer>,
}

impl<'b, T: Tdcall> TdxProvider<'b, T> {
    /// The registers of this TD, of which the program extends those in `extendable`.
    #[must_use]
    pub const fn new(td: Td<T>, extendable: RtmrSet) -> Self {
        Self { td, extendable, report: None }
    }

    /// The same, with reports.
    #[must_use]
    pub fn with_report_buffer(mut self, buffer: &'b mut ReportBuffer) -> Self {
        self.report = Some(buffer);
        self
    }

    /// The TD's calls.
    pub const fn td_mut(&mut self) -> &mut Td<T> {
        &mut self.td
    }

    /// The register of an RTMR.
    #[must_use]
    pub fn rtmr(index: RtmrIndex) -> RegisterId {
        let place = ROWS.iter().position(|row| row.source == Source::Rtmr(index));
        // All four are in the table.
        place.and_then(RegisterId::from_index).unwrap_or(RegisterId(u16::MAX))
    }

    /// Quotes, if there is a buffer for reports. `memory` is shared with the host, and `timeout` is
    /// in the clock's ticks.
    pub fn quoter<M: SharedMemory, C: Clock>(
        &mut self,
        memory: IdleQuote<M>,
        clock: C,
        timeout: u64,
    ) -> Option<Quoter<'_, T, M, C>> {
        let report = self.report.as_deref_mut()?;
        Some(Quoter::new(&mut self.td, report, memory, clock, timeout))
    }

    fn row(&self, id: RegisterId) -> Option<&'static Row> {
        let row = ROWS.get(id.index())?;
        (self.report.is_some() || row.source != Source::MrSeam).then_some(row)
    }

    /// Copies the value of a source to `out`, which is as long.
    fn value_of(&mut self, source: Source, out: &mut [u8]) -> Result<(), Error> {
        if let Some(buffer) = self.report.as_deref_mut() {
            self.td.report(buffer, &ReportData::new([0; ReportData::SIZE]))?;
            // The module wrote it just now, into private memory. Checking its two hashes as well
            // would tell nothing, and take a kilobyte of stack below an append.
            let report = TdReportStruct::from_bytes(buffer.as_bytes());
            if report.mac.report_type.kind != TEE_TDX {
                return Err(Error::at(ErrorKind::ReportType, 0));
            }
            copy(source.in_report(report), out);
            return Ok(());
        }
        match source {
            Source::Rtmr(index) => copy(&self.td.read_rtmr(index)?, out),
            Source::Word(field, _) => copy(&self.td.vm_read(field)?.to_le_bytes(), out),
            Source::Fixed(field, _) => copy(&self.td.vm_read_48(field)?, out),
            // Not described without a report.
            Source::MrSeam => return Err(Refusal::NotPermitted.into()),
        }
        Ok(())
    }
}

/// A register and where its value is.
struct Row {
    name: &'static str,
    value: Value,
    source: Source,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Source {
    Rtmr(RtmrIndex),
    /// 48 bytes that do not change; the second is their place in TDINFO.
    Fixed(FieldId, Fixed),
    /// 8 bytes that do not change.
    Word(FieldId, Fixed),
    MrSeam,
}

/// Fields of TDINFO.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fixed {
    Attributes,
    Xfam,
    MrTd,
    MrConfigId,
    MrOwner,
    MrOwnerConfig,
    ServtdHash,
}

impl Source {
    fn in_report(self, report: &TdReportStruct) -> &[u8] {
        let info = &report.td_info;
        let field = match self {
            Self::Rtmr(index) => return info.rtmr(index),
            Self::MrSeam => return &report.tcb_info.mr_seam,
            Self::Fixed(_, field) | Self::Word(_, field) => field,
        };
        match field {
            Fixed::Attributes => info.attributes.as_bytes(),
            Fixed::Xfam => info.xfam.as_bytes(),
            Fixed::MrTd => &info.mr_td,
            Fixed::MrConfigId => &info.mr_config_id,
            Fixed::MrOwner => &info.mr_owner,
            Fixed::MrOwnerConfig => &info.mr_owner_config,
            Fixed::ServtdHash => &info.servtd_hash,
        }
    }
}

const SHA384: Value = Value::Banks(Banks::one(Algorithm::Sha384));

const fn fixed(name: &'static str, value: Value, field: FieldId, place: Fixed) -> Row {
    Row { name, value, source: Source::Fixed(field, place) }
}

const fn rtmr(name: &'static str, index: RtmrIndex) -> Row {
    Row { name, value: SHA384, source: Source::Rtmr(index) }
}

const fn word(name: &'static str, field: FieldId, place: Fixed) -> Row {
    Row { name, value: Value::Unhashed(8), source: Source::Word(field, place) }
}

/// In the order of a register's id.
static ROWS: [Row; 12] = [
    fixed("mrtd", SHA384, FieldId::MRTD, Fixed::MrTd),
    fixed("mrconfigid", Value::Unhashed(48), FieldId::MRCONFIGID, Fixed::MrConfigId),
    fixed("mrowner", Value::Unhashed(48), FieldId::MROWNER, Fixed::MrOwner),
    fixed("mrownerconfig", Value::Unhashed(48), FieldId::MROWNERCONFIG, Fixed::MrOwnerConfig),
    rtmr("rtmr0", RtmrIndex::RTMR0),
    rtmr("rtmr1", RtmrIndex::RTMR1),
    rtmr("rtmr2", RtmrIndex::RTMR2),
    rtmr("rtmr3", RtmrIndex::RTMR3),
    fixed("servtd_hash", SHA384, FieldId::SERVTD_HASH, Fixed::ServtdHash),
    word("attributes", FieldId::ATTRIBUTES, Fixed::Attributes),
    word("xfam", FieldId::XFAM, Fixed::Xfam),
    // The last, because it is not there without reports.
    Row { name: "mrseam", value: SHA384, source: Source::MrSeam },
];

impl<T: Tdcall> Provider for TdxProvider<'_, T> {
    type Error = Error;

    fn name(&self) -> &str {
        "tdx"
    }

    fn describe(&self, id: RegisterId) -> Option<Register<'_>> {
        let row = self.row(id)?;
        let Source::Rtmr(index) = row.source else {
            return Some(Register::fixed(row.name, row.value));
        };
        let powers = if self.extendable.contains(index) {
            Powers::READ.and(Powers::LIVE).and(Powers::EXTEND).and(Powers::DIRECT)
        } else {
            Powers::READ.and(Powers::LIVE)
        };
        Some(Register {
            name: row.name,
            value: row.value,
            powers,
            initial: Initial::Zeros,
            presentation: Presentation::Directory,
        })
    }

    fn read(
        &mut self,
        id: RegisterId,
        bank: Option<Algorithm>,
        out: &mut [u8],
    ) -> Result<(), Error> {
        check_read(self.describe(id).as_ref(), bank, out)?;
        let source = self.row(id).ok_or(Refusal::NoSuchRegister)?.source;
        self.value_of(source, out)
    }

    /// As [`Td::extend`].
    fn extend(&mut self, id: RegisterId, digests: &[Digest]) -> Result<(), Error> {
        check_extend(self.describe(id).as_ref(), digests)?;
        let (Some(Source::Rtmr(index)), [digest]) = (self.row(id).map(|row| row.source), digests)
        else {
            return Err(Refusal::InvalidInput.into());
        };
        let buffer = ExtendBuffer::from_digest(digest).ok_or(Refusal::NoSuchBank)?;
        self.td.extend(index, &buffer)
    }

    fn as_reporter(&mut self) -> Option<&mut dyn Reporter<Error = Error>> {
        self.report.is_some().then_some(())?;
        Some(self)
    }
}

/// A TDREPORT; user data that are shorter than 64 bytes get zeros behind them.
impl<T: Tdcall> Reporter for TdxProvider<'_, T> {
    type Error = Error;

    fn user_data_size(&mut self) -> usize {
        ReportData::SIZE
    }

    fn report_size(&mut self) -> usize {
        ReportBuffer::SIZE
    }

    fn report(&mut self, user_data: &[u8], out: &mut [u8]) -> Result<usize, Error> {
        let data = ReportData::padded(user_data).ok_or(Refusal::WrongSize)?;
        let out = out.get_mut(..ReportBuffer::SIZE).ok_or(Refusal::WrongSize)?;
        let buffer = self.report.as_deref_mut().ok_or(Refusal::NotPermitted)?;
        self.td.report(buffer, &data)?;
        copy(buffer.as_bytes(), out);
        Ok(ReportBuffer::SIZE)
    }
}
