// SPDX-License-Identifier: MIT OR Apache-2.0
//! SNP's registers as a provider: what a report says of the guest, and a software bank's registers.

use core::borrow::BorrowMut;

use tsm_core::provider::{Reporter, check_read};
use tsm_core::{
    Algorithm, Banks, Digest, ErrorKind as Refusal, Provider, Register, RegisterId, Value,
};

use crate::bank::SoftwareBank;
use crate::bytes::copy;
use crate::channel::GuestChannel;
use crate::error::{Error, ErrorKind};
use crate::guest::{GuestMessages, MessageMemory};
use crate::message::ReportRequest;
use crate::privilege::Vmpl;
use crate::report::{REPORT_SIZE, Report};
use crate::svsm::{self, NONCE_SIZE};

/// Something that has reports made: guest messages, or what an operating system offers.
pub trait ReportSource {
    /// Asks for a report.
    ///
    /// # Errors
    ///
    /// There is none, and `out` is as it was.
    fn report(&mut self, request: &ReportRequest, out: &mut [u8; REPORT_SIZE])
    -> Result<(), Error>;
}

impl<T: ReportSource + ?Sized> ReportSource for &mut T {
    fn report(
        &mut self,
        request: &ReportRequest,
        out: &mut [u8; REPORT_SIZE],
    ) -> Result<(), Error> {
        T::report(self, request, out)
    }
}

impl<C: GuestChannel, M: BorrowMut<MessageMemory>> ReportSource for GuestMessages<C, M> {
    fn report(
        &mut self,
        request: &ReportRequest,
        out: &mut [u8; REPORT_SIZE],
    ) -> Result<(), Error> {
        Self::report(self, request, out)
    }
}

/// The registers of an SNP guest.
///
/// Static ones come from a report: `measurement`, `host_data`, `id_key_digest`, `author_key_digest`,
/// `family_id`, `image_id`, `guest_svn`, `policy`, `report_id`, `report_id_ma`, `chip_id`,
/// `platform_info`, and the TCB versions. It is asked for when the provider is made, and again with
/// every report for a caller.
///
/// The hardware has no runtime registers. [`with_bank`](Self::with_bank) adds those of a
/// [`SoftwareBank`].
///
/// # Reports
///
/// Without a bank, a report is the 1184 bytes of the firmware, and the caller's data is its
/// REPORT_DATA.
///
/// With a bank, a report is those 1184 bytes of VMPL0 and the bank's manifest behind them, and the
/// caller's data is the nonce of SHA-512(nonce || manifest), which is REPORT_DATA. **No caller can
/// choose REPORT_DATA**, and the source cannot be had back: an SVSM lets lower levels call this
/// provider, and has no other way for them to a report of VMPL0.
#[derive(Debug)]
pub struct SnpProvider<'r, R, M = [u8; REPORT_SIZE], const VALUES: usize = 0> {
    source: R,
    bank: Option<SoftwareBank<'r, VALUES>>,
    vmpl: Vmpl,
    report: M,
}

/// A static register, and where its value stands in a report.
struct Fixed {
    register: Register<'static>,
    offset: usize,
}

const fn digest(name: &'static str, offset: usize) -> Fixed {
    let value = Value::Banks(Banks::one(Algorithm::Sha384));
    Fixed { register: Register::fixed(name, value), offset }
}

const fn bytes(name: &'static str, size: u32, offset: usize) -> Fixed {
    Fixed { register: Register::fixed(name, Value::Unhashed(size)), offset }
}

static FIXED: [Fixed; 16] = [
    digest("measurement", Report::MEASUREMENT),
    bytes("host_data", 32, Report::HOST_DATA),
    digest("id_key_digest", Report::ID_KEY_DIGEST),
    digest("author_key_digest", Report::AUTHOR_KEY_DIGEST),
    bytes("family_id", 16, Report::FAMILY_ID),
    bytes("image_id", 16, Report::IMAGE_ID),
    bytes("guest_svn", 4, Report::GUEST_SVN),
    bytes("policy", 8, Report::POLICY),
    bytes("report_id", 32, Report::REPORT_ID),
    bytes("report_id_ma", 32, Report::REPORT_ID_MA),
    bytes("chip_id", 64, Report::CHIP_ID),
    bytes("platform_info", 8, Report::PLATFORM_INFO),
    bytes("reported_tcb", 8, Report::REPORTED_TCB),
    bytes("committed_tcb", 8, Report::COMMITTED_TCB),
    bytes("current_tcb", 8, Report::CURRENT_TCB),
    bytes("launch_tcb", 8, Report::LAUNCH_TCB),
];

impl<R: ReportSource, M: BorrowMut<[u8; REPORT_SIZE]>> SnpProvider<'static, R, M> {
    /// The static registers of a guest at the privilege level `vmpl`. Asks for a report, into
    /// `memory`.
    ///
    /// # Errors
    ///
    /// The source's. Then the source is gone: give a `&mut` of it to keep it.
    pub fn new(source: R, vmpl: Vmpl, memory: M) -> Result<Self, Error> {
        let mut provider = Self { source, bank: None, vmpl, report: memory };
        provider.refresh([0; 64])?;
        Ok(provider)
    }
}

impl<'r, R, M, const VALUES: usize> SnpProvider<'r, R, M, VALUES>
where
    R: ReportSource,
    M: BorrowMut<[u8; REPORT_SIZE]>,
{
    /// The static registers, and those of a bank that this software keeps at VMPL0. Asks for a
    /// report, into `memory`.
    ///
    /// # Errors
    ///
    /// The source's; [`ErrorKind::Name`] if a register of the bank has the name of a static one.
    pub fn with_bank(source: R, bank: SoftwareBank<'r, VALUES>, memory: M) -> Result<Self, Error> {
        let fixed = |name: &str| FIXED.iter().any(|fixed| fixed.register.name == name);
        if let Some(number) = bank.registers().iter().position(|register| fixed(register.name)) {
            return Err(Error::at(ErrorKind::Name, number));
        }
        let vmpl = Vmpl::VMPL0;
        let mut provider = Self { source, bank: Some(bank), vmpl, report: memory };
        provider.refresh([0; 64])?;
        Ok(provider)
    }

    /// The report that was made last, of which the static registers are.
    #[must_use]
    pub fn last_report(&self) -> &Report {
        Report::of(self.report.borrow())
    }

    /// The bank, if there is one.
    #[must_use]
    pub const fn bank(&self) -> Option<&SoftwareBank<'r, VALUES>> {
        self.bank.as_ref()
    }

    /// Bytes of the bank's manifest; zero without a bank.
    #[must_use]
    pub fn manifest_size(&self) -> usize {
        self.bank.as_ref().map_or(0, SoftwareBank::manifest_size)
    }

    /// Makes a report over the bank, and the manifest that it is over, each in its own buffer: what
    /// an SVSM's attestation protocol hands out. Returns the manifest's size.
    ///
    /// # Errors
    ///
    /// Of kind `NotPermitted` without a bank, `WrongSize` if there is no room for the manifest; the
    /// source's.
    pub fn attest(
        &mut self,
        nonce: &[u8; NONCE_SIZE],
        report: &mut [u8; REPORT_SIZE],
        manifest: &mut [u8],
    ) -> Result<usize, Error> {
        let bank = self.bank.as_ref().ok_or(Refusal::NotPermitted)?;
        // The bank cannot change until the report is there: `&mut self` is the lock.
        let manifest = bank.write_manifest(manifest)?;
        let data = svsm::report_data(nonce, manifest);
        let size = manifest.len();
        self.refresh(data)?;
        copy(self.report.borrow(), report);
        Ok(size)
    }

    fn refresh(&mut self, report_data: [u8; 64]) -> Result<(), Error> {
        let request = ReportRequest::new(report_data, self.vmpl);
        self.source.report(&request, self.report.borrow_mut())
    }

    /// The bank and the register's id in it, for one that is not static.
    fn runtime(
        &mut self,
        id: RegisterId,
    ) -> Result<(&mut SoftwareBank<'r, VALUES>, RegisterId), Error> {
        let index = id.index().checked_sub(FIXED.len());
        let id = index.and_then(RegisterId::from_index).ok_or(Refusal::NotPermitted)?;
        Ok((self.bank.as_mut().ok_or(Refusal::NoSuchRegister)?, id))
    }
}

impl<R, M, const VALUES: usize> Provider for SnpProvider<'_, R, M, VALUES>
where
    R: ReportSource,
    M: BorrowMut<[u8; REPORT_SIZE]>,
{
    type Error = Error;

    /// `snp`.
    fn name(&self) -> &str {
        "snp"
    }

    fn describe(&self, id: RegisterId) -> Option<Register<'_>> {
        if let Some(fixed) = FIXED.get(id.index()) {
            return Some(fixed.register);
        }
        let index = id.index().checked_sub(FIXED.len())?;
        self.bank.as_ref()?.registers().get(index).copied()
    }

    fn read(
        &mut self,
        id: RegisterId,
        bank: Option<Algorithm>,
        out: &mut [u8],
    ) -> Result<(), Error> {
        let Some(fixed) = FIXED.get(id.index()) else {
            let (runtime, id) = self.runtime(id)?;
            return runtime.read(id, bank, out);
        };
        check_read(Some(&fixed.register), bank, out)?;
        let end = fixed.offset.saturating_add(out.len());
        copy(self.report.borrow().get(fixed.offset..end).unwrap_or_default(), out);
        Ok(())
    }

    fn extend(&mut self, id: RegisterId, digests: &[Digest]) -> Result<(), Error> {
        let (runtime, id) = self.runtime(id)?;
        runtime.extend(id, digests)
    }

    fn as_reporter(&mut self) -> Option<&mut dyn Reporter<Error = Error>> {
        Some(self)
    }
}

impl<R, M, const VALUES: usize> Reporter for SnpProvider<'_, R, M, VALUES>
where
    R: ReportSource,
    M: BorrowMut<[u8; REPORT_SIZE]>,
{
    type Error = Error;

    /// 64: REPORT_DATA without a bank, the nonce with one. Fewer bytes get zeros behind them.
    fn user_data_size(&mut self) -> usize {
        NONCE_SIZE
    }

    fn report_size(&mut self) -> usize {
        REPORT_SIZE.saturating_add(self.manifest_size())
    }

    fn report(&mut self, user_data: &[u8], out: &mut [u8]) -> Result<usize, Error> {
        let mut data = [0; NONCE_SIZE];
        let size = self.report_size();
        let (Some((report, behind)), true) =
            (out.split_first_chunk_mut::<REPORT_SIZE>(), user_data.len() <= data.len())
        else {
            return Err(Refusal::WrongSize.into());
        };
        copy(user_data, &mut data);
        if self.bank.is_some() {
            self.attest(&data, report, behind)?;
        } else {
            self.refresh(data)?;
            copy(self.report.borrow(), report);
        }
        Ok(size)
    }
}
