// SPDX-License-Identifier: MIT OR Apache-2.0
//! A host with a quoting enclave, which may misbehave.

use alloc::vec;
use alloc::vec::Vec;

use tsm_tdx::GuestPhysical;
use tsm_tdx::call::Registers;
use tsm_tdx::layout::TdReportStruct;
use tsm_tdx::leaf::{VMCALL_STANDARD, VmcallFunction};
use tsm_tdx::quoting::{HEADER, HostStatus, STATUS_DONE, STATUS_ERROR, STATUS_IN_FLIGHT, VERSION};

use super::{HostMemory, QuoteForm, QuotingEnclave};
use crate::tdx::{Cpu, Host, Module};

/// What a host does with requests for quotes.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
#[non_exhaustive]
pub enum Conduct {
    /// Answers at once.
    #[default]
    Prompt,
    /// Answers when the guest has looked so often.
    After(u32),
    /// Takes the request and never answers.
    Never,
    /// Refuses the call: R10 is this.
    Refuses(HostStatus),
    /// Says "retry" so often, and then answers.
    Retries(u32),
    /// Takes the request and reports this status in the memory, without a quote.
    Fails(u64),
    /// Says that the quote has this length, whatever it has.
    Length(u32),
    /// Answers with this version in the memory.
    Version(u64),
    /// Answers, and overwrites all of it when the guest has looked so often.
    Overwrites(u32),
    /// Answers with a good quote of another machine's TD, freshly started, with the REPORTDATA of
    /// the request.
    Other,
}

/// A host that answers GetQuote from a quoting enclave on its processor.
///
/// It checks a request as Linux's and Intel's do: version, lengths, whole pages.
#[derive(Clone, Debug)]
pub struct QuotingHost<M> {
    memory: M,
    enclave: QuotingEnclave,
    form: QuoteForm,
    conduct: Conduct,
    padding: usize,
    requests: u32,
}

impl<M: HostMemory> QuotingHost<M> {
    /// The host of this processor, which makes quotes of this form. `memory` is what it has mapped
    /// of the guest's shared memory.
    #[must_use]
    pub fn new(cpu: &Cpu, form: QuoteForm, memory: M) -> Self {
        let enclave = QuotingEnclave::new(cpu);
        Self { memory, enclave, form, conduct: Conduct::Prompt, padding: 0, requests: 0 }
    }

    /// The same host, which puts so many zero bytes behind each quote, as some do.
    #[must_use]
    pub const fn with_padding(mut self, bytes: usize) -> Self {
        self.padding = bytes;
        self
    }

    /// From now on it behaves like this.
    pub const fn set_conduct(&mut self, conduct: Conduct) {
        self.conduct = conduct;
    }

    /// From now on quotes have this form.
    pub const fn set_form(&mut self, form: QuoteForm) {
        self.form = form;
    }

    /// How often it was asked for a quote.
    #[must_use]
    pub const fn requests(&self) -> u32 {
        self.requests
    }

    fn request(&mut self, address: GuestPhysical, size: u64) -> HostStatus {
        self.requests = self.requests.saturating_add(1);
        match &mut self.conduct {
            Conduct::Refuses(status) => return *status,
            Conduct::Retries(left @ 1..) => {
                *left = left.saturating_sub(1);
                return HostStatus::RETRY;
            }
            _ => {}
        }
        if !address.is_aligned(4096) || !GuestPhysical(size).is_aligned(4096) || size == 0 {
            return HostStatus::ALIGN_ERROR;
        }
        match self.answer(address, size) {
            Some(()) => HostStatus::SUCCESS,
            None => HostStatus::INVALID_OPERAND,
        }
    }

    /// Reads the request, and answers it or has it answered; `None` if it is none.
    fn answer(&mut self, address: GuestPhysical, size: u64) -> Option<()> {
        let mut header = [0; HEADER];
        self.memory.read(address, &mut header).ok()?;
        let [version @ .., _, _, _, _, _, _, _, _, l, m, n, o, _, _, _, _] = header;
        if u64::from_le_bytes(version) != VERSION || u32::from_le_bytes([l, m, n, o]) != 1024 {
            return None;
        }
        let data = GuestPhysical(address.0.checked_add(24)?);
        let mut report = [0; 1024];
        self.memory.read(data, &mut report).ok()?;
        let room = usize::try_from(size).ok()?.checked_sub(HEADER)?;
        let mut quote = self.enclave.quote(self.form, &report).unwrap_or_default();
        if !quote.is_empty() {
            quote.resize(quote.len().saturating_add(self.padding), 0);
        }
        // A report of another machine, or no room: no quote.
        let status =
            if quote.is_empty() || quote.len() > room { STATUS_ERROR } else { STATUS_DONE };
        if status != STATUS_DONE {
            quote.clear();
        }
        let length = u32::try_from(quote.len()).ok()?;
        let answer = |version, status, length: u32, data: &[u8]| {
            let lengths = [1024_u32.to_le_bytes(), length.to_le_bytes()];
            [u64::to_le_bytes(version), u64::to_le_bytes(status)]
                .concat()
                .into_iter()
                .chain(lengths.concat())
                .chain(data.iter().copied())
                .collect::<Vec<u8>>()
        };
        let whole = answer(VERSION, status, length, &quote);
        let in_flight = STATUS_IN_FLIGHT.to_le_bytes();
        let status_at = GuestPhysical(address.0.checked_add(8)?);
        match self.conduct {
            Conduct::Prompt | Conduct::Retries(_) | Conduct::Refuses(_) => {
                self.memory.write(address, &whole)
            }
            Conduct::Never => self.memory.write(status_at, &in_flight),
            Conduct::After(looks) => {
                self.memory.write(status_at, &in_flight).ok()?;
                self.memory.write_later(looks, address, &whole)
            }
            Conduct::Fails(status) => self.memory.write(address, &answer(VERSION, status, 0, &[])),
            Conduct::Length(length) => {
                self.memory.write(address, &answer(VERSION, status, length, &quote))
            }
            Conduct::Version(version) => {
                self.memory.write(address, &answer(version, status, length, &quote))
            }
            Conduct::Overwrites(looks) => {
                self.memory.write(address, &whole).ok()?;
                let garbage = vec![0xA5; usize::try_from(size).ok()?];
                self.memory.write_later(looks, address, &garbage)
            }
            Conduct::Other => {
                let data = &TdReportStruct::from_bytes(&report).mac.report_data;
                let machine = Module::new(Cpu::new("another"));
                let enclave = QuotingEnclave::new(machine.cpu());
                let other = enclave.quote(self.form, machine.report(data).as_bytes())?;
                let length = u32::try_from(other.len()).ok()?;
                self.memory.write(address, &answer(VERSION, STATUS_DONE, length, &other))
            }
        }
        .ok()
    }
}

impl<M: HostMemory> Host for QuotingHost<M> {
    fn vmcall(&mut self, registers: &mut Registers) {
        let function = VmcallFunction(registers.r11);
        let status = if registers.r10 == VMCALL_STANDARD && function == VmcallFunction::GET_QUOTE {
            self.request(GuestPhysical(registers.r12), registers.r13)
        } else {
            HostStatus::SUBFUNC_UNSUPPORTED
        };
        registers.r10 = status.0;
    }
}
