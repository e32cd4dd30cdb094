// SPDX-License-Identifier: MIT OR Apache-2.0
//! A simulated machine that is a TD, as a provider.

use alloc::boxed::Box;
use alloc::vec::Vec;

use tsm_core::provider::{Provider, Reporter};
use tsm_core::{Algorithm, Digest, Register, RegisterId};
use tsm_tdx::{Error, ReportBuffer, RtmrSet, Td, TdxProvider};

use super::{Cpu, Module};
use crate::described::Described;
use crate::lines::LoadError;

/// A TD and its registers, by way of the adapter for TDX: provider `sim:tdx`.
///
/// The registers are those of [`TdxProvider`], all four RTMRs extensible; each call goes through the
/// adapter to the [`Module`], so what holds here holds for the adapter. Reports are TDREPORTs with
/// the module's MAC; with the feature `tdx-quote` there are quotes and their collateral.
///
/// It survives the process by [`save`](Self::save) and [`load`](Self::load).
///
/// ```
/// use tsm_core::{Algorithm, Provider};
/// use tsm_sim::tdx::TdxMachine;
///
/// let mut machine = TdxMachine::new("one");
/// let rtmr3 = machine.find("rtmr3").unwrap();
/// machine.extend(rtmr3, &[Algorithm::Sha384.hash(b"event")]).unwrap();
/// let mut again = TdxMachine::load(&machine.save()).unwrap();
/// assert_eq!(again.value(rtmr3, Algorithm::Sha384), machine.value(rtmr3, Algorithm::Sha384));
/// assert_eq!(again.name(), "sim:tdx");
/// ```
#[derive(Clone, Debug)]
pub struct TdxMachine {
    module: Module,
    report: Box<ReportBuffer>,
    registers: Described,
}

impl TdxMachine {
    /// A machine with the processor of this name, whose TD has just been started. Machines of the
    /// same name have the same keys.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self::with_module(Module::new(Cpu::new(name)))
    }

    /// The machine of this module.
    #[must_use]
    pub fn with_module(mut module: Module) -> Self {
        let mut report = Box::new(ReportBuffer::new());
        let registers = match adapter(&mut module, &mut report) {
            Ok(adapter) => Described::of(&adapter),
            // Not this module's VP.INFO.
            Err(_) => Described::default(),
        };
        Self { module, report, registers }
    }

    /// The module.
    #[must_use]
    pub const fn module(&self) -> &Module {
        &self.module
    }

    /// The module, as the one who builds the machine can change it.
    pub const fn module_mut(&mut self) -> &mut Module {
        &mut self.module
    }

    /// The machine's whole state, [`Module::save`]. Its first word is `SIMULATED`.
    #[must_use]
    pub fn save(&self) -> Vec<u8> {
        self.module.save()
    }

    /// The machine that was [saved](Self::save).
    ///
    /// # Errors
    ///
    /// [`LoadError`] says which line is not what was saved.
    pub fn load(state: &[u8]) -> Result<Self, LoadError> {
        Module::load(state).map(Self::with_module)
    }

    fn adapter(&mut self) -> Result<TdxProvider<'_, &mut Module>, Error> {
        adapter(&mut self.module, &mut self.report)
    }
}

#[cfg(feature = "tdx-quote")]
impl TdxMachine {
    /// A quote over at most 64 bytes of user data, by way of the adapter's GetQuote and a host.
    ///
    /// # Errors
    ///
    /// The adapter's.
    pub fn quote(
        &mut self,
        form: super::quoting::QuoteForm,
        user_data: &[u8],
    ) -> Result<Vec<u8>, Error> {
        use tsm_tdx::quoting::IdleQuote;

        use super::quoting::{QuotingHost, SharedBuffer};

        /// Four times what the quotes of the simulator have.
        const ROOM: usize = 16_384;
        let start = tsm_tdx::GuestPhysical(self.module.address_width().shared_bit());
        let memory = SharedBuffer::new(start, ROOM);
        let host = QuotingHost::new(self.module.cpu(), form, memory.clone());
        let mut td = Td::new(self.module.clone().with_host(host))?;
        // The host answers before the call is over: no time passes.
        let clock = || 0;
        let memory = IdleQuote::new(memory);
        let mut quoter = tsm_tdx::quoting::Quoter::new(&mut td, &mut self.report, memory, clock, 1);
        let mut quote = alloc::vec![0; ROOM];
        let size = quoter.report(user_data, &mut quote)?;
        quote.truncate(size);
        Ok(quote)
    }

    /// Collateral for the machine's quotes.
    #[must_use]
    pub fn collateral(
        &self,
        window: super::quoting::Window,
        levels: &super::quoting::Levels,
    ) -> super::quoting::Collateral {
        super::quoting::Collateral::new(&self.module, window, levels)
    }
}

fn adapter<'m>(
    module: &'m mut Module,
    report: &'m mut ReportBuffer,
) -> Result<TdxProvider<'m, &'m mut Module>, Error> {
    Ok(TdxProvider::new(Td::new(module)?, RtmrSet::ALL).with_report_buffer(report))
}

impl Provider for TdxMachine {
    type Error = Error;

    fn name(&self) -> &str {
        "sim:tdx"
    }

    fn describe(&self, id: RegisterId) -> Option<Register<'_>> {
        self.registers.describe(id)
    }

    fn read(
        &mut self,
        id: RegisterId,
        bank: Option<Algorithm>,
        out: &mut [u8],
    ) -> Result<(), Error> {
        self.adapter()?.read(id, bank, out)
    }

    fn extend(&mut self, id: RegisterId, digests: &[Digest]) -> Result<(), Error> {
        self.adapter()?.extend(id, digests)
    }

    fn as_reporter(&mut self) -> Option<&mut dyn Reporter<Error = Error>> {
        Some(self)
    }
}

/// A TDREPORT.
impl Reporter for TdxMachine {
    type Error = Error;

    fn user_data_size(&mut self) -> usize {
        tsm_tdx::ReportData::SIZE
    }

    fn report_size(&mut self) -> usize {
        ReportBuffer::SIZE
    }

    fn report(&mut self, user_data: &[u8], out: &mut [u8]) -> Result<usize, Error> {
        self.adapter()?.report(user_data, out)
    }
}
