// SPDX-License-Identifier: MIT OR Apache-2.0
//! Failures on demand, in front of any provider.

use alloc::vec;
use alloc::vec::Vec;
use core::fmt;

use tsm_core::provider::{Error, Lockable, Reporter, Writable};
use tsm_core::{Algorithm, Digest, ErrorKind, Provider, Register, RegisterId};

use crate::table::values;

/// A provider that fails where the plan says so, and otherwise is the one below.
///
/// The plan is a list of faults, each [armed](Self::arm) for the n-th call of a kind from then on;
/// at most one fault takes effect per call, the one armed first. An empty plan changes nothing.
///
/// ```
/// use tsm_core::{Algorithm, ErrorKind, Provider, provider::Error};
/// use tsm_sim::{Call, Fault, Faulty, Simulated};
///
/// let mut machine = Faulty::new(Simulated::by_name("tdx").unwrap());
/// machine.arm(Call::Extend, 2, Fault::Busy(1));
/// let rtmr = machine.find("rtmr2").unwrap();
/// let event = [Algorithm::Sha384.hash(b"event")];
/// machine.extend(rtmr, &event).unwrap();
/// assert_eq!(machine.extend(rtmr, &event).unwrap_err().kind(), ErrorKind::Busy);
/// machine.extend(rtmr, &event).unwrap();
/// ```
///
/// It does not pass record logs on: put it below [`Logged`](tsm_core::Logged), as a platform fails
/// below its log.
#[derive(Clone, Debug)]
pub struct Faulty<P> {
    provider: P,
    plan: Vec<Armed>,
    /// Calls of each kind, in the order of [`Call::KINDS`], and of all.
    calls: [u64; Call::KINDS + 1],
    injected: u64,
    /// Whether values are remembered before they are extended.
    remembers: bool,
    before: Vec<Remembered>,
}

/// Kinds of calls that can be made to fail.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Call {
    /// [`Provider::read`], and [`Provider::value`], which uses it.
    Read,
    /// [`Provider::extend`].
    Extend,
    /// [`Writable::write`].
    Write,
    /// [`Lockable::lock`]; asking for the lock is no call.
    Lock,
    /// [`Reporter::report`].
    Report,
    /// Any of them.
    Any,
}

impl Call {
    const KINDS: usize = 5;

    const fn index(self) -> usize {
        match self {
            Self::Read => 0,
            Self::Extend => 1,
            Self::Write => 2,
            Self::Lock => 3,
            Self::Report => 4,
            Self::Any => Self::KINDS,
        }
    }
}

/// What goes wrong.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Fault {
    /// The call fails with this kind and has no effect.
    Refuse(ErrorKind),
    /// The call and those after it, so many in all, fail with [`ErrorKind::Busy`] and have no
    /// effect.
    Busy(u32),
    /// The call fails with [`ErrorKind::StateUnknown`].
    Unknown {
        /// Whether it has its effect all the same.
        effect: bool,
    },
    /// A read gives the value before the register's last extension through this middleware, where
    /// [`Faulty::remembering`] was asked for and there is one. The call does not fail. No platform
    /// that fulfils the contract does this; a cache gone wrong does. Other calls are not affected.
    Stale,
}

#[derive(Clone, Copy, Debug)]
struct Armed {
    call: Call,
    /// First and last number of the calls that are hit, counted over the middleware's life.
    first: u64,
    last: u64,
    fault: Fault,
}

#[derive(Clone, Debug)]
struct Remembered {
    id: RegisterId,
    bank: Option<Algorithm>,
    value: Vec<u8>,
}

impl<P: Provider> Faulty<P> {
    /// `provider` with an empty plan.
    #[must_use]
    pub const fn new(provider: P) -> Self {
        Self {
            provider,
            plan: Vec::new(),
            calls: [0; Call::KINDS + 1],
            injected: 0,
            remembers: false,
            before: Vec::new(),
        }
    }

    /// The same, but it reads a register's values before it passes on an extension, which
    /// [`Fault::Stale`] needs.
    #[must_use]
    pub fn remembering(mut self) -> Self {
        self.remembers = true;
        self
    }

    /// Adds a fault to the plan: at the `nth` call of this kind from now, counting from 1 (0 is
    /// taken as 1).
    pub fn arm(&mut self, call: Call, nth: u32, fault: Fault) {
        let nth = u64::from(nth.max(1));
        let first = self.calls(call).saturating_add(nth);
        let more = if let Fault::Busy(times) = fault { times.max(1) } else { 1 };
        let last = first.saturating_add(u64::from(more)).saturating_sub(1);
        self.plan.push(Armed { call, first, last, fault });
    }

    /// Drops what is left of the plan.
    pub fn disarm(&mut self) {
        self.plan.clear();
    }

    /// How many calls of this kind there were.
    #[must_use]
    pub fn calls(&self, call: Call) -> u64 {
        self.calls.get(call.index()).copied().unwrap_or_default()
    }

    /// How many faults took effect.
    #[must_use]
    pub const fn injected(&self) -> u64 {
        self.injected
    }

    /// The provider below.
    pub const fn provider(&self) -> &P {
        &self.provider
    }

    /// The provider below, past the plan.
    pub const fn provider_mut(&mut self) -> &mut P {
        &mut self.provider
    }

    /// The provider below again.
    pub fn into_inner(self) -> P {
        self.provider
    }

    /// Counts a call and says what is to go wrong with it.
    fn fault(&mut self, call: Call) -> Option<Fault> {
        for index in [call.index(), Call::Any.index()] {
            if let Some(calls) = self.calls.get_mut(index) {
                *calls = calls.saturating_add(1);
            }
        }
        let calls = self.calls;
        let number = |call: Call| calls.get(call.index()).copied().unwrap_or_default();
        let hit = |armed: &Armed| {
            (armed.call == call || armed.call == Call::Any)
                && (armed.first..=armed.last).contains(&number(armed.call))
        };
        let fault = self.plan.iter().find(|armed| hit(armed)).map(|armed| armed.fault);
        self.plan.retain(|armed| number(armed.call) < armed.last);
        let fault = fault.filter(|fault| *fault != Fault::Stale || call == Call::Read);
        self.injected = self.injected.saturating_add(u64::from(fault.is_some()));
        fault
    }

    /// Makes the call as the plan wants it.
    fn call<T>(
        &mut self,
        call: Call,
        work: impl FnOnce(&mut P) -> Result<T, P::Error>,
    ) -> Result<T, Injected<P::Error>> {
        let fault = self.fault(call);
        self.run(fault, work)
    }

    fn run<T>(
        &mut self,
        fault: Option<Fault>,
        work: impl FnOnce(&mut P) -> Result<T, P::Error>,
    ) -> Result<T, Injected<P::Error>> {
        match fault {
            None | Some(Fault::Stale) => work(&mut self.provider).map_err(Injected::Provider),
            Some(Fault::Refuse(kind)) => Err(Injected::Here(kind)),
            Some(Fault::Busy(_)) => Err(Injected::Here(ErrorKind::Busy)),
            Some(Fault::Unknown { effect }) => {
                if effect {
                    // Whether it worked is just what the caller must not learn.
                    let _ = work(&mut self.provider);
                }
                Err(Injected::Here(ErrorKind::StateUnknown))
            }
        }
    }

    fn remember(&mut self, id: RegisterId) {
        let Some(register) = self.provider.describe(id) else { return };
        let sizes: Vec<_> = values(&register).collect();
        for (bank, size) in sizes {
            let mut value = vec![0; size];
            if self.provider.read(id, bank, &mut value).is_ok() {
                self.before.retain(|old| (old.id, old.bank) != (id, bank));
                self.before.push(Remembered { id, bank, value });
            }
        }
    }
}

impl<P: Provider> Provider for Faulty<P> {
    type Error = Injected<P::Error>;

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
        let fault = self.fault(Call::Read);
        self.run(fault, |provider| provider.read(id, bank, out))?;
        let old = self.before.iter().find(|old| (old.id, old.bank) == (id, bank));
        if let Some(old) = old.filter(|_| fault == Some(Fault::Stale)) {
            for (to, from) in out.iter_mut().zip(&old.value) {
                *to = *from;
            }
        }
        Ok(())
    }

    fn extend(&mut self, id: RegisterId, digests: &[Digest]) -> Result<(), Self::Error> {
        if self.remembers {
            self.remember(id);
        }
        self.call(Call::Extend, |provider| provider.extend(id, digests))
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
}

impl<P: Provider> Writable for Faulty<P> {
    type Error = Injected<P::Error>;

    fn write(&mut self, id: RegisterId, value: &[u8]) -> Result<(), Self::Error> {
        if self.provider.as_writable().is_none() {
            return Err(Injected::Here(ErrorKind::NotPermitted));
        }
        self.call(Call::Write, |provider| {
            provider.as_writable().map_or(Ok(()), |writable| writable.write(id, value))
        })
    }
}

impl<P: Provider> Lockable for Faulty<P> {
    type Error = Injected<P::Error>;

    fn lock(&mut self, id: RegisterId) -> Result<(), Self::Error> {
        if self.provider.as_lockable().is_none() {
            return Err(Injected::Here(ErrorKind::NotPermitted));
        }
        self.call(Call::Lock, |provider| {
            provider.as_lockable().map_or(Ok(()), |lockable| lockable.lock(id))
        })
    }

    fn is_locked(&mut self, id: RegisterId) -> Result<bool, Self::Error> {
        let lockable = self.provider.as_lockable();
        lockable.map_or(Ok(false), |lockable| lockable.is_locked(id)).map_err(Injected::Provider)
    }
}

impl<P: Provider> Reporter for Faulty<P> {
    type Error = Injected<P::Error>;

    fn user_data_size(&mut self) -> usize {
        self.provider.as_reporter().map_or(0, |reporter| reporter.user_data_size())
    }

    fn report_size(&mut self) -> usize {
        self.provider.as_reporter().map_or(0, |reporter| reporter.report_size())
    }

    fn report(&mut self, user_data: &[u8], out: &mut [u8]) -> Result<usize, Self::Error> {
        if self.provider.as_reporter().is_none() {
            return Err(Injected::Here(ErrorKind::NotPermitted));
        }
        self.call(Call::Report, |provider| {
            provider.as_reporter().map_or(Ok(0), |reporter| reporter.report(user_data, out))
        })
    }
}

/// An error that was injected, or the provider's own.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Injected<E> {
    /// The plan wanted it.
    Here(ErrorKind),
    /// It is the provider's.
    Provider(E),
}

impl<E: fmt::Display> fmt::Display for Injected<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Here(kind) => write!(f, "injected: {kind}"),
            Self::Provider(error) => write!(f, "{error}"),
        }
    }
}

impl<E: core::error::Error> core::error::Error for Injected<E> {}

impl<E: Error> Error for Injected<E> {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Here(kind) => *kind,
            Self::Provider(error) => error.kind(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Simulated;

    const A: Algorithm = Algorithm::Sha384;

    fn machine() -> (Faulty<Simulated>, RegisterId) {
        let machine = Simulated::by_name("tdx").unwrap();
        let id = machine.find("rtmr0").unwrap();
        (Faulty::new(machine), id)
    }

    fn kind<T>(result: Result<T, Injected<ErrorKind>>) -> Option<ErrorKind> {
        result.err().map(|error| error.kind())
    }

    #[test]
    fn the_nth_call_of_a_kind_is_hit_and_no_other() {
        let (mut machine, id) = machine();
        machine.arm(Call::Extend, 2, Fault::Refuse(ErrorKind::Failed));
        machine.arm(Call::Any, 6, Fault::Refuse(ErrorKind::Locked));
        let mut seen = Vec::new();
        for n in 0..8 {
            let read = n % 2 == 0;
            seen.push(if read {
                kind(machine.value(id, A))
            } else {
                kind(machine.extend(id, &[A.hash(b"")]))
            });
        }
        let failed = [(3, ErrorKind::Failed), (5, ErrorKind::Locked)];
        for (n, kind) in seen.into_iter().enumerate() {
            assert_eq!(kind, failed.iter().find(|f| f.0 == n).map(|f| f.1), "call {n}");
        }
        assert_eq!((machine.injected(), machine.calls(Call::Any)), (2, 8));
        assert!(machine.plan.is_empty());
    }

    #[test]
    fn effects() {
        let zero = Digest::zeros(A);
        let mut one = zero;
        one.extend(&A.hash(b"")).unwrap();
        for (fault, expected, value) in [
            (Fault::Refuse(ErrorKind::Failed), ErrorKind::Failed, zero),
            (Fault::Busy(1), ErrorKind::Busy, zero),
            (Fault::Unknown { effect: false }, ErrorKind::StateUnknown, zero),
            (Fault::Unknown { effect: true }, ErrorKind::StateUnknown, one),
        ] {
            let (mut machine, id) = machine();
            machine.arm(Call::Extend, 1, fault);
            assert_eq!(kind(machine.extend(id, &[A.hash(b"")])), Some(expected));
            assert_eq!(machine.value(id, A).unwrap(), value);
        }
    }

    #[test]
    fn busy_lasts_as_long_as_it_says() {
        let (mut machine, id) = machine();
        machine.arm(Call::Any, 1, Fault::Busy(3));
        for _ in 0..3 {
            assert_eq!(kind(machine.value(id, A)), Some(ErrorKind::Busy));
        }
        assert!(machine.value(id, A).is_ok());
        machine.arm(Call::Any, 1, Fault::Busy(3));
        machine.disarm();
        assert!(machine.value(id, A).is_ok());
    }

    #[test]
    fn stale_once() {
        let (machine, id) = machine();
        let mut machine = machine.remembering();
        machine.arm(Call::Read, 1, Fault::Stale);
        let old = machine.value(id, A).unwrap();
        assert!(old.is_zeros(), "nothing was extended before");
        machine.extend(id, &[A.hash(b"")]).unwrap();
        machine.arm(Call::Read, 2, Fault::Stale);
        let new = machine.value(id, A).unwrap();
        assert_ne!(new, old);
        assert_eq!(machine.value(id, A).unwrap(), old);
        assert_eq!(machine.value(id, A).unwrap(), new);
    }

    #[test]
    fn capabilities_are_those_of_the_provider() {
        let (mut machine, _) = machine();
        assert!(machine.as_writable().is_none() && machine.as_lockable().is_none());
        machine.arm(Call::Report, 1, Fault::Refuse(ErrorKind::Failed));
        let reporter = machine.as_reporter().unwrap();
        assert_eq!(kind(reporter.report(b"", &mut [0; 4096])), Some(ErrorKind::Failed));
        assert!(reporter.report(b"", &mut [0; 4096]).is_ok());

        let mut machine = Faulty::new(Simulated::by_name("nsm").unwrap());
        machine.arm(Call::Lock, 1, Fault::Unknown { effect: true });
        let lockable = machine.as_lockable().unwrap();
        assert_eq!(kind(lockable.lock(RegisterId(0))), Some(ErrorKind::StateUnknown));
        assert_eq!(lockable.is_locked(RegisterId(0)), Ok(true));

        let mut machine = Faulty::new(Simulated::by_name("example").unwrap());
        let id = machine.find("user_data").unwrap();
        machine.arm(Call::Write, 1, Fault::Busy(1));
        let writable = machine.as_writable().unwrap();
        assert_eq!(kind(writable.write(id, &[1; 64])), Some(ErrorKind::Busy));
        assert!(writable.write(id, &[1; 64]).is_ok());
    }
}
