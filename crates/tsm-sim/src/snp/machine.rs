// SPDX-License-Identifier: MIT OR Apache-2.0
//! A simulated machine that runs an SNP guest, as a provider.

use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::{Ref, RefCell, RefMut};

use tsm_core::provider::{Provider, Reporter};
use tsm_core::{Algorithm, Digest, Register, RegisterId};
use tsm_snp::bank::RTMRS;
use tsm_snp::report::Generation;
use tsm_snp::{
    Error, Exchange, Exit, GuestChannel, GuestMessages, Isolation, PAGE, REPORT_SIZE, SnpProvider,
    SoftwareBank, VmpckIndex,
};

use super::sure::sure;
use super::{Chip, Firmware, Host, state};
use crate::lines::LoadError;

/// An SNP guest at VMPL0 that keeps a register bank, by way of the adapter for SNP: provider
/// `sim:snp`.
///
/// The registers are those of [`SnpProvider`] with a bank of `rtmr0` to `rtmr3`. Reports go through
/// [`GuestMessages`] and a [`Host`] to the [`Firmware`], so what holds here holds for the adapter; they
/// are the firmware's 1184 bytes and the bank's manifest. With the feature `snp-report`,
/// `authority` has the certificates.
///
/// It survives the process by [`save`](Self::save) and [`load`](Self::load).
///
/// ```
/// use tsm_core::{Algorithm, Provider};
/// use tsm_sim::snp::SnpMachine;
///
/// let mut machine = SnpMachine::new("one");
/// let rtmr3 = machine.find("rtmr3").unwrap();
/// machine.extend(rtmr3, &[Algorithm::Sha384.hash(b"event")]).unwrap();
/// let mut again = SnpMachine::load(&machine.save()).unwrap();
/// assert_eq!(again.value(rtmr3, Algorithm::Sha384), machine.value(rtmr3, Algorithm::Sha384));
/// assert_eq!(again.name(), "sim:snp");
/// ```
#[derive(Debug)]
pub struct SnpMachine {
    host: SharedHost,
    provider: Box<Adapter>,
}

type Adapter = SnpProvider<'static, GuestMessages<SharedHost>, [u8; REPORT_SIZE], VALUES>;

/// Values of the bank.
const VALUES: usize = 4;
pub(super) type Bank = SoftwareBank<'static, VALUES>;

impl SnpMachine {
    /// A machine with the Milan processor of this name, whose guest has just been launched, at a host
    /// that is never busy. Machines of the same name have the same keys.
    #[must_use]
    pub fn new(name: &str) -> Self {
        let firmware = Firmware::new(Chip::new(name, Generation::Milan));
        // Whatever the name, new firmware answers.
        sure(Self::with_firmware(firmware))
    }

    /// The machine of this firmware, with a bank at its start.
    ///
    /// # Errors
    ///
    /// The adapter's, if the firmware gives no report: its sequence numbers are used up.
    pub fn with_firmware(firmware: Firmware) -> Result<Self, Error> {
        Self::of(firmware, Bank::new(RTMRS, Isolation::Privileged)?)
    }

    pub(super) fn of(firmware: Firmware, bank: Bank) -> Result<Self, Error> {
        let mut page = Box::new([0; PAGE]);
        let [first, ..] = VmpckIndex::ALL;
        let key = firmware.write_secrets(&mut page).take(first)?;
        let host = SharedHost(Rc::new(RefCell::new(Host::new(firmware))));
        let messages = GuestMessages::new(key, host.clone());
        let provider = Box::new(SnpProvider::with_bank(messages, bank, [0; REPORT_SIZE])?);
        Ok(Self { host, provider })
    }

    /// The host, and the firmware below it.
    #[must_use]
    pub fn host(&self) -> Ref<'_, Host> {
        self.host.0.borrow()
    }

    /// The host, as the one who runs the machine can change it. What the guest reads of itself is of
    /// the last report.
    pub fn host_mut(&mut self) -> RefMut<'_, Host> {
        self.host.0.borrow_mut()
    }

    /// Firmware and bank. Its first word is `SIMULATED`. The host is not in it, and neither is a
    /// message in flight: save a machine only between reports that succeeded.
    ///
    /// The numbers of messages are in it, and each is the nonce of the cipher. Whoever loads a state
    /// again after a report that came later repeats that report's number, for another message if the
    /// caller's data is another: save after every report, before it is given out. The message with
    /// which a loaded machine begins is always the same, so a machine that was only read need not be
    /// saved.
    ///
    /// Whoever can change it decides what the registers say, as is fitting for a simulator.
    #[must_use]
    pub fn save(&self) -> Vec<u8> {
        state::save(self.host().firmware(), self.provider.bank())
    }

    /// The machine that was [saved](Self::save), at a host that is never busy. Its adapter has asked
    /// for one more report.
    ///
    /// # Errors
    ///
    /// [`LoadError`] says which line is not what was saved.
    pub fn load(state: &[u8]) -> Result<Self, LoadError> {
        state::load(state)
    }
}

#[cfg(feature = "snp-report")]
impl SnpMachine {
    /// Certificates for the machine's reports, as a host gives them out:
    /// [`certificate_table`](super::authority::certificate_table).
    #[must_use]
    pub fn certificate_table(&self) -> Vec<u8> {
        super::authority::certificate_table(self.host().firmware())
    }
}

/// The host, held by machine and adapter.
#[derive(Clone, Debug)]
struct SharedHost(Rc<RefCell<Host>>);

impl GuestChannel for SharedHost {
    fn exchange(&mut self, exchange: Exchange<'_>) -> Result<Exit, Error> {
        self.0.try_borrow_mut().map_err(|_| Error::not_sent())?.exchange(exchange)
    }
}

impl Provider for SnpMachine {
    type Error = Error;

    fn name(&self) -> &str {
        "sim:snp"
    }

    fn describe(&self, id: RegisterId) -> Option<Register<'_>> {
        self.provider.describe(id)
    }

    fn read(
        &mut self,
        id: RegisterId,
        bank: Option<Algorithm>,
        out: &mut [u8],
    ) -> Result<(), Error> {
        self.provider.read(id, bank, out)
    }

    fn extend(&mut self, id: RegisterId, digests: &[Digest]) -> Result<(), Error> {
        self.provider.extend(id, digests)
    }

    fn as_reporter(&mut self) -> Option<&mut dyn Reporter<Error = Error>> {
        Some(self)
    }
}

/// A report and the bank's manifest behind it; the caller's data is the nonce.
impl Reporter for SnpMachine {
    type Error = Error;

    fn user_data_size(&mut self) -> usize {
        self.provider.user_data_size()
    }

    fn report_size(&mut self) -> usize {
        self.provider.report_size()
    }

    fn report(&mut self, user_data: &[u8], out: &mut [u8]) -> Result<usize, Error> {
        self.provider.report(user_data, out)
    }
}
