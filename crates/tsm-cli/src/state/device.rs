// SPDX-License-Identifier: MIT OR Apache-2.0
//! The simulated machines behind one type, with their saved states.

use core::fmt;

use tsm_core::provider::{self, ErrorKind, Lockable, Reporter, Writable};
use tsm_core::{Algorithm, Digest, Provider, Register, RegisterId};
use tsm_sim::cca::CcaMachine;
use tsm_sim::snp::SnpMachine;
use tsm_sim::tdx::TdxMachine;
use tsm_sim::tdx::quoting::QuoteForm;
use tsm_sim::{LoadError, LoadErrorKind, Simulated};
use tsm_snp::REPORT_SIZE;

/// The providers whose registers are those of an adapter, with the platform below it in software.
const TDX: &str = "sim:tdx";
const CCA: &str = "sim:cca";
const SNP: &str = "sim:snp";

/// Every machine's name. Keys derive from it, and simulated machines need not be told apart by them.
const MACHINE: &str = "tsm";

/// A simulated machine.
#[derive(Debug)]
pub(crate) enum Device {
    /// A table of registers.
    Table(Box<Simulated>),
    /// A TDX module, and the adapter for it.
    Tdx(Box<TdxMachine>),
    /// A realm management monitor, and the adapter for it.
    Cca(Box<CcaMachine>),
    /// The firmware of SNP, a register bank in the guest's software, and the adapter for both.
    Snp(Box<SnpMachine>),
}

/// The same for each kind of machine.
macro_rules! each {
    ($device:ident, $machine:ident => $call:expr) => {
        match $device {
            Self::Table($machine) => $call,
            Self::Tdx($machine) => $call,
            Self::Cca($machine) => $call,
            Self::Snp($machine) => $call,
        }
    };
}

impl Device {
    /// All providers.
    pub(crate) const NAMES: [&str; 6] = ["sim:example", TDX, CCA, SNP, "sim:tpm", "sim:nsm"];

    /// Whether reports of the machine of this name are numbered messages, so that its state must be
    /// stored after each of them: a number is the nonce of the cipher.
    pub(crate) fn counts_reports(name: &str) -> bool {
        name == SNP
    }

    /// A machine that has just been started, with the provider of this name.
    pub(crate) fn fresh(name: &str) -> Option<Self> {
        Some(match name {
            TDX => Self::Tdx(Box::new(TdxMachine::new(MACHINE))),
            CCA => Self::Cca(Box::new(CcaMachine::new(MACHINE))),
            SNP => Self::Snp(Box::new(SnpMachine::new(MACHINE))),
            _ => Self::Table(Box::new(Simulated::by_name(name.strip_prefix("sim:")?)?)),
        })
    }

    /// The machine's whole state, as text that begins with `SIMULATED`.
    pub(super) fn save(&self) -> Vec<u8> {
        each!(self, machine => machine.save())
    }

    /// The machine that was saved.
    pub(super) fn load(state: &[u8]) -> Result<Self, String> {
        let machine = if_its_own(TdxMachine::load(state))?.map(|it| Self::Tdx(Box::new(it)));
        if let Some(machine) = machine {
            return Ok(machine);
        }
        let machine = if_its_own(CcaMachine::load(state))?.map(|it| Self::Cca(Box::new(it)));
        if let Some(machine) = machine {
            return Ok(machine);
        }
        if let Some(machine) = if_its_own(SnpMachine::load(state))? {
            return Ok(Self::Snp(Box::new(machine)));
        }
        let table = Simulated::load(state).map_err(|error| error.to_string())?;
        if let name @ (TDX | CCA) = table.name() {
            // Before there was the platform in software.
            return Err(format!(
                "the state of a {name} that an older version of this program made; use another \
                 directory, or remove this one"
            ));
        }
        Ok(Self::Table(Box::new(table)))
    }

    /// A quote of this form.
    pub(crate) fn quote(&mut self, form: QuoteForm, user_data: &[u8]) -> Result<Vec<u8>, String> {
        match self {
            Self::Tdx(machine) => machine.quote(form, user_data).map_err(|error| error.to_string()),
            other => Err(format!("{} makes no quotes", other.name())),
        }
    }

    /// What a report of this machine consists of: what the platform makes, and the manifest of a
    /// register bank behind it, if there is one.
    pub(crate) fn parts<'r>(&self, report: &'r [u8]) -> (&'r [u8], Option<&'r [u8]>) {
        match self {
            Self::Snp(_) => {
                let (report, manifest) = report.split_at(REPORT_SIZE.min(report.len()));
                (report, Some(manifest))
            }
            _ => (report, None),
        }
    }
}

/// The machine of a state, or none if another kind of machine's state begins like this one.
fn if_its_own<M>(loaded: Result<M, LoadError>) -> Result<Option<M>, String> {
    match loaded {
        Ok(machine) => Ok(Some(machine)),
        Err(error) if error.kind == LoadErrorKind::NotSimulated => Ok(None),
        Err(error) => Err(error.to_string()),
    }
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

/// The error of any.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Error {
    Table(ErrorKind),
    Tdx(tsm_tdx::Error),
    Cca(tsm_cca::Error),
    Snp(tsm_snp::Error),
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

impl From<tsm_cca::Error> for Error {
    fn from(error: tsm_cca::Error) -> Self {
        Self::Cca(error)
    }
}

impl From<tsm_snp::Error> for Error {
    fn from(error: tsm_snp::Error) -> Self {
        Self::Snp(error)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Table(error) => write!(f, "{error}"),
            Self::Tdx(error) => write!(f, "{error}"),
            Self::Cca(error) => write!(f, "{error}"),
            Self::Snp(error) => write!(f, "{error}"),
        }
    }
}

impl core::error::Error for Error {}

impl provider::Error for Error {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Table(error) => provider::Error::kind(error),
            Self::Tdx(error) => provider::Error::kind(error),
            Self::Cca(error) => provider::Error::kind(error),
            Self::Snp(error) => provider::Error::kind(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_machine_survives() {
        for name in Device::NAMES {
            let device = Device::fresh(name).unwrap();
            assert_eq!(device.name(), name);
            let state = device.save();
            assert!(state.starts_with(b"SIMULATED "));
            // An SNP guest asks for a report when it starts, which is a message more.
            let but_messages = |state: &[u8]| {
                let text = String::from_utf8(state.to_vec()).unwrap();
                let kept = text.lines().filter(|line| !line.starts_with("messages "));
                kept.map(str::to_string).collect::<Vec<_>>()
            };
            let again = Device::load(&state).unwrap();
            assert_eq!(again.name(), name);
            assert_eq!(but_messages(&again.save()), but_messages(&state));
            assert!(name == SNP || again.save() == state, "{name}");
            tsm_sim::contract::check_contract(&mut Device::fresh(name).unwrap());
        }
        assert!(Device::fresh("tdx").is_none() && Device::fresh("sim:other").is_none());
    }

    /// There is no table that the command does not know.
    #[test]
    fn every_table_has_a_name() {
        for name in tsm_sim::platform::NAMES {
            assert!(Device::NAMES.contains(&&*format!("sim:{name}")), "{name}");
        }
    }

    #[test]
    fn states_that_cannot_be_loaded() {
        for name in ["tdx", "cca"] {
            let old = Simulated::by_name(name).unwrap().save();
            let error = Device::load(&old).unwrap_err();
            assert!(error.contains("older version") && error.contains(&format!("sim:{name}")));
        }
        for name in [TDX, CCA, SNP] {
            let mut cut = Device::fresh(name).unwrap().save();
            cut.truncate(cut.len() / 2);
            assert!(Device::load(&cut).is_err());
        }
        assert!(Device::load(b"").is_err());
    }
}
