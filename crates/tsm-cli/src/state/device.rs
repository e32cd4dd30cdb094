// SPDX-License-Identifier: MIT OR Apache-2.0
//! The simulated machines behind one type, with their saved states.

use core::fmt;

use tsm_core::provider::{self, ErrorKind, Lockable, Reporter, Writable};
use tsm_core::{Algorithm, Digest, Provider, Register, RegisterId};
use tsm_sim::tdx::TdxMachine;
use tsm_sim::tdx::quoting::QuoteForm;
use tsm_sim::{LoadErrorKind, Simulated};

/// The provider whose registers are a TDX module's, by way of the adapter.
const TDX: &str = "sim:tdx";

/// A simulated machine.
#[derive(Debug)]
pub(crate) enum Device {
    /// A table of registers.
    Table(Box<Simulated>),
    /// A TDX module, and the adapter for it.
    Tdx(Box<TdxMachine>),
}

impl Device {
    /// A machine that has just been started, with the provider of this name.
    pub(crate) fn fresh(name: &str) -> Option<Self> {
        if name == TDX {
            // Keys derive from the name. Simulated machines need not be told apart by keys.
            return Some(Self::Tdx(Box::new(TdxMachine::new("tsm"))));
        }
        let table = Simulated::by_name(name.strip_prefix("sim:")?)?;
        Some(Self::Table(Box::new(table)))
    }

    /// The machine's whole state, as text that begins with `SIMULATED`.
    pub(super) fn save(&self) -> Vec<u8> {
        match self {
            Self::Table(table) => table.save(),
            Self::Tdx(machine) => machine.save(),
        }
    }

    /// The machine that was saved.
    pub(super) fn load(state: &[u8]) -> Result<Self, String> {
        match TdxMachine::load(state) {
            Ok(machine) => return Ok(Self::Tdx(Box::new(machine))),
            // Not a TDX module's: begins with another line.
            Err(error) if error.kind == LoadErrorKind::NotSimulated => {}
            Err(error) => return Err(error.to_string()),
        }
        let table = Simulated::load(state).map_err(|error| error.to_string())?;
        if table.name() == TDX {
            // Before there was the module.
            return Err(format!(
                "the state of a {TDX} that an older version of this program made; use another \
                 directory, or remove this one"
            ));
        }
        Ok(Self::Table(Box::new(table)))
    }

    /// A quote of this form.
    pub(crate) fn quote(&mut self, form: QuoteForm, user_data: &[u8]) -> Result<Vec<u8>, String> {
        match self {
            Self::Tdx(machine) => machine.quote(form, user_data).map_err(|error| error.to_string()),
            Self::Table(table) => Err(format!("{} makes no quotes", table.name())),
        }
    }
}

/// The same for each kind of machine.
macro_rules! each {
    ($device:ident, $machine:ident => $call:expr) => {
        match $device {
            Self::Table($machine) => $call,
            Self::Tdx($machine) => $call,
        }
    };
}

impl Provider for Device {
    type Error = Error;

    fn name(&self) -> &str {
        each!(self, machine => machine.name())
    }

    fn describe(&self, id: RegisterId) -> Option<Register<'_>> {
        each!(self, machine => machine.describe(id))
    }

    fn read(
        &mut self,
        id: RegisterId,
        bank: Option<Algorithm>,
        out: &mut [u8],
    ) -> Result<(), Error> {
        each!(self, machine => Ok(machine.read(id, bank, out)?))
    }

    fn extend(&mut self, id: RegisterId, digests: &[Digest]) -> Result<(), Error> {
        each!(self, machine => Ok(machine.extend(id, digests)?))
    }

    fn as_writable(&mut self) -> Option<&mut dyn Writable<Error = Error>> {
        each!(self, machine => machine.as_writable().is_some()).then_some(self as _)
    }

    fn as_lockable(&mut self) -> Option<&mut dyn Lockable<Error = Error>> {
        each!(self, machine => machine.as_lockable().is_some()).then_some(self as _)
    }

    fn as_reporter(&mut self) -> Option<&mut dyn Reporter<Error = Error>> {
        each!(self, machine => machine.as_reporter().is_some()).then_some(self as _)
    }
}

impl Writable for Device {
    type Error = Error;

    fn write(&mut self, id: RegisterId, value: &[u8]) -> Result<(), Error> {
        each!(self, machine => Ok(machine.as_writable().ok_or(NONE)?.write(id, value)?))
    }
}

impl Lockable for Device {
    type Error = Error;

    fn lock(&mut self, id: RegisterId) -> Result<(), Error> {
        each!(self, machine => Ok(machine.as_lockable().ok_or(NONE)?.lock(id)?))
    }

    fn is_locked(&mut self, id: RegisterId) -> Result<bool, Error> {
        each!(self, machine => Ok(machine.as_lockable().ok_or(NONE)?.is_locked(id)?))
    }
}

impl Reporter for Device {
    type Error = Error;

    fn user_data_size(&mut self) -> usize {
        each!(self, machine => machine.as_reporter().map_or(0, |it| it.user_data_size()))
    }

    fn report_size(&mut self) -> usize {
        each!(self, machine => machine.as_reporter().map_or(0, |it| it.report_size()))
    }

    fn report(&mut self, user_data: &[u8], out: &mut [u8]) -> Result<usize, Error> {
        each!(self, machine => Ok(machine.as_reporter().ok_or(NONE)?.report(user_data, out)?))
    }
}

/// The machine does not have the power.
const NONE: ErrorKind = ErrorKind::NotPermitted;

/// The error of either.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Error {
    Table(ErrorKind),
    Tdx(tsm_tdx::Error),
}

impl From<ErrorKind> for Error {
    fn from(error: ErrorKind) -> Self {
        Self::Table(error)
    }
}

impl From<tsm_tdx::Error> for Error {
    fn from(error: tsm_tdx::Error) -> Self {
        Self::Tdx(error)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Table(error) => write!(f, "{error}"),
            Self::Tdx(error) => write!(f, "{error}"),
        }
    }
}

impl core::error::Error for Error {}

impl provider::Error for Error {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Table(error) => provider::Error::kind(error),
            Self::Tdx(error) => provider::Error::kind(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_machine_survives() {
        for name in tsm_sim::platform::NAMES {
            let name = format!("sim:{name}");
            let device = Device::fresh(&name).unwrap();
            assert_eq!(device.name(), name);
            let state = device.save();
            assert!(state.starts_with(b"SIMULATED "));
            assert_eq!(Device::load(&state).unwrap().save(), state);
            tsm_sim::contract::check_contract(&mut Device::fresh(&name).unwrap());
        }
        assert!(Device::fresh("tdx").is_none() && Device::fresh("sim:other").is_none());
    }

    #[test]
    fn states_that_cannot_be_loaded() {
        let old = Simulated::by_name("tdx").unwrap().save();
        assert!(Device::load(&old).unwrap_err().contains("older version"));
        let mut cut = Device::fresh(TDX).unwrap().save();
        cut.truncate(cut.len() / 2);
        assert!(Device::load(&cut).is_err() && Device::load(b"").is_err());
    }
}
