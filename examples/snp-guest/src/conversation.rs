// SPDX-License-Identifier: MIT OR Apache-2.0
//! The first half: the GHCB is registered, the conversation with the firmware begins, and reports are
//! asked for, of a host that is busy too.

use bare::Job;
use tsm_sim::snp::Throttle;
use tsm_snp::ghcb::{GhcbChannel, Instruction, Mapped, SharedMemory as _};
use tsm_snp::{
    Error, ErrorKind, GuestMessages, MessageMemory, REPORT_SIZE, Report, ReportRequest,
    SecretsPage, VmpckIndex, Vmpl,
};

use crate::{emulated_host, pages};

/// The conversation, by the instruction.
pub(crate) type Messages =
    GuestMessages<GhcbChannel<Instruction, Mapped>, &'static mut MessageMemory>;

/// What the adapter may use of the stack, in bytes.
pub(crate) const BUDGET: Option<usize> = Some(3072);

/// All of them.
pub(crate) const fn jobs<'m>() -> [Job<Start<'m>>; 5] {
    [
        Job { name: "register", run: register, budget: BUDGET },
        Job { name: "converse", run: converse, budget: BUDGET },
        Job { name: "report", run: report, budget: BUDGET },
        Job { name: "report-busy", run: report_busy, budget: BUDGET },
        Job { name: "report-in-flight", run: report_in_flight, budget: BUDGET },
    ]
}

/// What there is at the start.
pub(crate) struct Start<'m> {
    secrets: &'m mut SecretsPage,
    host: Option<(Instruction, [Mapped; 3])>,
    memory: Option<&'static mut MessageMemory>,
    messages: &'m mut Option<Messages>,
    report: &'m mut [u8; REPORT_SIZE],
}

impl<'m> Start<'m> {
    /// A secrets page, and room for messages, for the conversation and for a report.
    pub(crate) const fn new(
        secrets: &'m mut SecretsPage,
        memory: &'static mut MessageMemory,
        messages: &'m mut Option<Messages>,
        report: &'m mut [u8; REPORT_SIZE],
    ) -> Self {
        Self { secrets, host: None, memory: Some(memory), messages, report }
    }

    /// Asks for a report of this data, and looks whether it is one.
    fn report(&mut self, byte: u8) -> Result<(), Error> {
        let messages = self.messages.as_mut().ok_or(Error::not_sent())?;
        self.report.fill(0);
        messages.report(&ReportRequest::new([byte; 64], Vmpl::VMPL2), self.report)?;
        match self.report[Report::REPORT_DATA..].starts_with(&[byte; 64]) {
            true => Ok(()),
            false => Err(Error::not_sent()),
        }
    }
}

/// Tells the host where the GHCB is: the MSR protocol.
extern "C" fn register(start: &mut Start<'_>) -> bool {
    // SAFETY: this is the only call.
    let Some(pages) = (unsafe { pages::mapped() }) else { return false };
    // SAFETY: one processor, interrupts off, and nobody else leaves to the host. The handlers of #GP and
    // #UD (`emulated_host`) put software in the place of the MSR and of VMGEXIT, which does no more than a
    // host could: it keeps the MSR's value, reads the guest's registers for that only, and writes the
    // shared pages only.
    let mut host = unsafe { Instruction::assume() };
    let registered = host.register(pages[0].guest_physical()).is_ok();
    start.host = Some((host, pages));
    registered && emulated_host::exits() == 1 && emulated_host::is_msr_as_before()
}

/// Takes the key out of the secrets page and begins the conversation.
extern "C" fn converse(start: &mut Start<'_>) -> bool {
    let Some((host, [ghcb, request, response])) = start.host.take() else { return false };
    let key = start.secrets.take(VmpckIndex::ALL[0]);
    let channel = GhcbChannel::new(host, ghcb, request, response);
    let (Ok(key), Ok(channel)) = (key, channel) else { return false };
    let Some(memory) = start.memory.take() else { return false };
    *start.messages = Some(GuestMessages::within(key, channel, memory));
    start.secrets.take(VmpckIndex::ALL[0]).is_err()
}

/// A report of the caller's data.
extern "C" fn report(start: &mut Start<'_>) -> bool {
    start.report(1).is_ok() && emulated_host::exits() == 2
}

/// A host that is busy once: the same message goes out again.
extern "C" fn report_busy(start: &mut Start<'_>) -> bool {
    emulated_host::set_throttle(Throttle::every(2));
    let first = start.report(2).is_ok() && emulated_host::exits() == 3;
    first && start.report(3).is_ok() && emulated_host::exits() == 5
}

/// A host that stays busy: the message stays in flight, and is answered later.
extern "C" fn report_in_flight(start: &mut Start<'_>) -> bool {
    emulated_host::set_throttle(Throttle::ALWAYS);
    let busy = start.report(4).is_err_and(|error| error.kind() == ErrorKind::Busy);
    let in_flight = start.messages.as_ref().is_some_and(Messages::is_in_flight);
    let exits = emulated_host::exits() == 9;
    emulated_host::set_throttle(Throttle::NEVER);
    busy && in_flight && exits && start.report(4).is_ok() && emulated_host::exits() == 10
}
