// SPDX-License-Identifier: MIT OR Apache-2.0
//! A simulated machine that is a realm, as a provider.

use alloc::boxed::Box;
use alloc::vec::Vec;

use tsm_cca::{CcaProvider, Challenge, Error, Granule, Realm, RemSet};
use tsm_core::provider::{Provider, Reporter};
use tsm_core::{Algorithm, Digest, Register, RegisterId};

use super::{Monitor, Platform};
use crate::described::Described;
use crate::lines::LoadError;

/// A realm and its registers, by way of the adapter for CCA: provider `sim:cca`.
///
/// The registers are those of [`CcaProvider`], all four REMs extensible; each call goes through the
/// adapter to the [`Monitor`], so what holds here holds for the adapter. Every extension is checked as
/// the adapter checks the first. Reports are tokens of the [`Platform`].
///
/// It survives the process by [`save`](Self::save) and [`load`](Self::load).
///
/// ```
/// use tsm_core::{Algorithm, Provider};
/// use tsm_sim::cca::CcaMachine;
///
/// let mut machine = CcaMachine::new("one");
/// let rem3 = machine.find("rem3").unwrap();
/// machine.extend(rem3, &[Algorithm::Sha256.hash(b"event")]).unwrap();
/// let mut again = CcaMachine::load(&machine.save()).unwrap();
/// assert_eq!(again.value(rem3, Algorithm::Sha256), machine.value(rem3, Algorithm::Sha256));
/// assert_eq!(again.name(), "sim:cca");
/// ```
#[derive(Clone, Debug)]
pub struct CcaMachine {
    monitor: Box<Monitor<Platform>>,
    granule: Box<Granule>,
    registers: Described,
}

impl CcaMachine {
    /// A machine with the platform of this name, whose realm, of SHA-256, has just been started.
    /// Machines of the same name have the same keys.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self::with_monitor(Monitor::new().with_attester(Platform::new(name)))
    }

    /// The machine of this monitor. It has no registers if the adapter does not get on with the
    /// monitor's quirks.
    #[must_use]
    pub fn with_monitor(monitor: Monitor<Platform>) -> Self {
        let (monitor, granule) = (Box::new(monitor), Box::new(Granule::new()));
        let mut machine = Self { monitor, granule, registers: Described::default() };
        let registers = machine.adapter().map(|adapter| Described::of(&adapter));
        machine.registers = registers.unwrap_or_default();
        machine
    }

    /// The monitor.
    #[must_use]
    pub const fn monitor(&self) -> &Monitor<Platform> {
        &self.monitor
    }

    /// The monitor, as the one who builds the machine can change it.
    pub const fn monitor_mut(&mut self) -> &mut Monitor<Platform> {
        &mut self.monitor
    }

    /// The machine's whole state, [`Monitor::save`]. Its first word is `SIMULATED`.
    #[must_use]
    pub fn save(&self) -> Vec<u8> {
        self.monitor.save()
    }

    /// The machine that was [saved](Self::save).
    ///
    /// # Errors
    ///
    /// [`LoadError`] says which line is not what was saved.
    pub fn load(state: &[u8]) -> Result<Self, LoadError> {
        Monitor::load(state).map(Self::with_monitor)
    }

    fn adapter(&mut self) -> Result<CcaProvider<'_, &mut Monitor<Platform>>, Error> {
        CcaProvider::open(Realm::open(&mut *self.monitor)?, &mut self.granule, RemSet::ALL)
    }
}

impl Provider for CcaMachine {
    type Error = Error;

    fn name(&self) -> &str {
        "sim:cca"
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

/// A token.
impl Reporter for CcaMachine {
    type Error = Error;

    fn user_data_size(&mut self) -> usize {
        Challenge::SIZE
    }

    fn report_size(&mut self) -> usize {
        super::TOKEN_MAX
    }

    fn report(&mut self, user_data: &[u8], out: &mut [u8]) -> Result<usize, Error> {
        self.adapter()?.report(user_data, out)
    }
}
