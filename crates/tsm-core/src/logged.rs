// SPDX-License-Identifier: MIT OR Apache-2.0
//! A provider that keeps record logs beside its registers.
//!
//! Middleware: it wraps any provider, passes everything on, and sees to it that no extension goes
//! by a log. Appending is a capability ([`Recorder`]); a plain `extend` is an off-log extension and
//! is noted as one.

use crate::algorithm::Algorithm;
use crate::digest::Digest;
use crate::log::{Cause, RecordLog, Storage, WriteError};
use crate::provider::{
    ErrorKind, Lockable, Provider, Recorder, RegisterId, Reporter, Writable, forward_capabilities,
};
use crate::register::{Powers, Register};

/// `P` with logs for up to `N` of its registers.
#[derive(Clone, Debug)]
pub struct Logged<P, S, const N: usize> {
    provider: P,
    logs: [Option<(RegisterId, RecordLog<S>)>; N],
}

impl<P: Provider, S: Storage, const N: usize> Logged<P, S, N> {
    /// Logs for `provider`, none yet.
    #[must_use]
    pub fn new(provider: P) -> Self {
        Self { provider, logs: [const { None }; N] }
    }

    /// Attaches the log of the register with this id.
    ///
    /// # Errors
    ///
    /// Gives the log back if all `N` places are taken or the register has a log already.
    pub fn attach(&mut self, id: RegisterId, log: RecordLog<S>) -> Result<(), RecordLog<S>> {
        let taken = self.log(id).is_some();
        match self.logs.iter_mut().find(|slot| slot.is_none()) {
            Some(slot) if !taken => {
                *slot = Some((id, log));
                Ok(())
            }
            _ => Err(log),
        }
    }

    /// The log of a register.
    pub fn log(&self, id: RegisterId) -> Option<&RecordLog<S>> {
        self.logs.iter().flatten().find(|(of, _)| *of == id).map(|(_, log)| log)
    }

    /// Tells a register's log that somebody else may have extended the register: the next append
    /// captures its value. Without a log this does nothing.
    pub fn invalidate(&mut self, id: RegisterId) {
        if let (_, Some(log)) = self.both(id) {
            log.invalidate();
        }
    }

    /// The provider below. Extending it directly goes by the logs.
    pub const fn provider(&self) -> &P {
        &self.provider
    }

    /// The provider below, for what has nothing to do with logs.
    pub const fn provider_mut(&mut self) -> &mut P {
        &mut self.provider
    }

    /// The provider and the logs again.
    pub fn into_parts(self) -> (P, impl Iterator<Item = (RegisterId, RecordLog<S>)>) {
        (self.provider, self.logs.into_iter().flatten())
    }

    /// The provider and a register's log, for a call that needs both.
    fn both(&mut self, id: RegisterId) -> (&mut P, Option<&mut RecordLog<S>>) {
        let log = self.logs.iter_mut().flatten().find(|(of, _)| *of == id).map(|(_, log)| log);
        (&mut self.provider, log)
    }
}

type Failure<P, S> = WriteError<<P as Provider>::Error, <S as Storage>::Error>;

impl<P: Provider, S: Storage, const N: usize> Provider for Logged<P, S, N> {
    type Error = Failure<P, S>;

    fn name(&self) -> &str {
        self.provider.name()
    }

    fn describe(&self, id: RegisterId) -> Option<Register<'_>> {
        self.provider.describe(id)
    }

    fn read(
        &mut self,
        id: RegisterId,
        bank: Option<Algorithm>,
        out: &mut [u8],
    ) -> Result<(), Self::Error> {
        self.provider.read(id, bank, out).map_err(|e| Cause::Provider(e).at_start())
    }

    /// An off-log extension: permitted only on registers with [`Powers::DIRECT`], and noted in the
    /// register's log if it has one.
    fn extend(&mut self, id: RegisterId, digests: &[Digest]) -> Result<(), Self::Error> {
        let direct = self.describe(id).is_some_and(|r| r.powers.contains(Powers::DIRECT));
        match self.both(id) {
            (provider, Some(log)) => log.extend_off_log(provider, id, digests),
            (provider, None) if direct || provider.describe(id).is_none() => {
                provider.extend(id, digests).map_err(|e| Cause::Provider(e).at_start())
            }
            _ => Err(Cause::Refused(ErrorKind::NotPermitted).at_start()),
        }
    }

    fn as_writable(&mut self) -> Option<&mut dyn Writable<Error = Self::Error>> {
        self.provider.as_writable()?;
        Some(self)
    }

    fn as_lockable(&mut self) -> Option<&mut dyn Lockable<Error = Self::Error>> {
        self.provider.as_lockable()?;
        Some(self)
    }

    fn as_reporter(&mut self) -> Option<&mut dyn Reporter<Error = Self::Error>> {
        self.provider.as_reporter()?;
        Some(self)
    }

    fn as_recorder(&mut self) -> Option<&mut dyn Recorder<Error = Self::Error>> {
        Some(self)
    }
}

/// Registers without a log here may have one at the provider below.
impl<P: Provider, S: Storage, const N: usize> Recorder for Logged<P, S, N> {
    type Error = Failure<P, S>;

    fn has_log(&mut self, id: RegisterId) -> bool {
        self.log(id).is_some() || self.provider.as_recorder().is_some_and(|below| below.has_log(id))
    }

    fn append(&mut self, id: RegisterId, lines: &[u8]) -> Result<(), Self::Error> {
        match self.both(id) {
            (provider, Some(log)) => log.append(provider, id, lines).map(drop),
            (provider, None) => below(provider)?.append(id, lines).map_err(from_below),
        }
    }

    fn log_size(&mut self, id: RegisterId) -> Result<u64, Self::Error> {
        match self.both(id) {
            (_, Some(log)) => Ok(log.storage().len()),
            (provider, None) => below(provider)?.log_size(id).map_err(from_below),
        }
    }

    fn read_log(
        &mut self,
        id: RegisterId,
        offset: u64,
        out: &mut [u8],
    ) -> Result<usize, Self::Error> {
        match self.both(id) {
            (_, Some(log)) => {
                log.storage().read_at(offset, out).map_err(|e| Cause::Storage(e).at_start())
            }
            (provider, None) => below(provider)?.read_log(id, offset, out).map_err(from_below),
        }
    }
}

fn below<P: Provider, S>(
    provider: &mut P,
) -> Result<&mut dyn Recorder<Error = P::Error>, WriteError<P::Error, S>> {
    provider.as_recorder().ok_or(Cause::NoLog.at_start())
}

fn from_below<P: crate::provider::Error, S>(error: P) -> WriteError<P, S> {
    Cause::Provider(error).at_start()
}

forward_capabilities!(
    impl[P: Provider, S: Storage, const N: usize] for Logged<P, S, N>,
    from_below,
    Cause::Refused(ErrorKind::NotPermitted).at_start()
);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::{Limits, SliceStorage};
    use crate::provider::Error as _;
    use crate::testing::Memory;
    use crate::{Banks, Initial};

    const BANKS: Banks = Banks::one(Algorithm::Sha384);

    fn logged<'s>(
        device: &'s mut Memory,
        buffer: &'s mut [u8],
    ) -> Logged<&'s mut Memory, SliceStorage<'s>, 1> {
        let mut logged = Logged::new(device);
        let log = RecordLog::new(SliceStorage::new(buffer), Limits::DEFAULT);
        logged.attach(RegisterId(0), log).unwrap();
        logged
    }

    // T-25
    #[test]
    fn extend_is_noted_or_refused() {
        let closed = Register::runtime("closed", BANKS);
        let open = Register::runtime("open", BANKS).with(Powers::DIRECT);
        let digest = [Algorithm::Sha384.hash(b"x")];
        for (first, second) in [(open, closed), (closed, open)] {
            let mut device = Memory::new(&[first, second]);
            let mut buffer = [0; 1024];
            let mut logged = logged(&mut device, &mut buffer);
            // With a log and without one, the power decides.
            for (id, register) in [(RegisterId(0), first), (RegisterId(1), second)] {
                let permitted = register.powers.contains(Powers::DIRECT);
                let result = logged.extend(id, &digest);
                assert_eq!(result.is_ok(), permitted);
                if let Err(error) = result {
                    assert_eq!(error.kind(), ErrorKind::NotPermitted);
                }
            }
            let noted = logged.log(RegisterId(0)).unwrap().storage().as_bytes();
            assert_eq!(noted.starts_with(b"# .EXTEND "), first == open);
            assert_eq!(
                logged.extend(RegisterId(2), &digest).unwrap_err().kind(),
                ErrorKind::NoSuchRegister
            );
        }
    }

    #[test]
    fn somebody_else_extended() {
        let mut device = Memory::new(&[Register::runtime("r", BANKS)]);
        let mut buffer = [0; 1024];
        let mut logged = logged(&mut device, &mut buffer);
        let id = RegisterId(0);
        logged.as_recorder().unwrap().append(id, b"one").unwrap();
        logged.provider_mut().extend(id, &[Algorithm::Sha384.hash(b"?")]).unwrap();
        logged.invalidate(id);
        logged.invalidate(RegisterId(1));
        logged.as_recorder().unwrap().append(id, b"two").unwrap();
        let log = logged.log(id).unwrap().storage().as_bytes();
        assert_eq!(log.windows(5).filter(|w| *w == b"SYNC ").count(), 2);
    }

    #[test]
    fn one_log_per_register() {
        let mut device = Memory::new(&[Register::runtime("r", BANKS).starting(Initial::Ones)]);
        let (mut first, mut second) = ([0; 64], [0; 64]);
        let mut logged = logged(&mut device, &mut first);
        let log = RecordLog::new(SliceStorage::new(&mut second), Limits::DEFAULT);
        assert!(logged.attach(RegisterId(0), log).is_err());
        let recorder = logged.as_recorder().unwrap();
        assert!(recorder.has_log(RegisterId(0)) && !recorder.has_log(RegisterId(1)));
        assert_eq!(recorder.append(RegisterId(1), b"x").unwrap_err().cause, Cause::NoLog);
        assert_eq!(recorder.append(RegisterId(0), b"x").unwrap_err().cause, Cause::Full);
        assert_eq!(recorder.log_size(RegisterId(0)), Ok(0));
    }
}
