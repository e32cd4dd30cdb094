// SPDX-License-Identifier: MIT OR Apache-2.0
//! The trait between measurement registers and everything that uses them.
//!
//! # For implementers
//!
//! Describe the registers, read a value, extend a value: three methods and an error type. Everything
//! else is provided or a capability. The contract:
//!
//! - [`describe`](Provider::describe) answers for `RegisterId(0)` up to the number of registers
//!   without a hole and `None` from there on. Names are unique, and the answers never change.
//! - [`extend`](Provider::extend) is called with digests of distinct banks of the register, in bank
//!   order, at least one. It extends all of them or none, or says
//!   [`ErrorKind::StateUnknown`]. A platform that cannot extend some banks without the others
//!   refuses a list that is not complete with [`ErrorKind::NotPermitted`].
//! - An extension that reports any other error kind has had no effect. When in doubt, say
//!   `StateUnknown`: the log can tell a doubtful extension, but not one that was denied and took
//!   place.
//! - Retrying a busy platform is the implementer's task, a bounded number of times.
//!   [`ErrorKind::Busy`] means that the bound was reached and nothing happened.
//! - What a register's [`Powers`](crate::Powers) do not list is refused with `NotPermitted`.
//! - An optional power is a capability: override its accessor to return `Some(self)`. Do not
//!   implement a capability only to refuse every call.
//!
//! # For users
//!
//! Take `P: Provider` or `&mut P`; both work. Look a register up by name once ([`Provider::find`])
//! and keep the [`RegisterId`]. Match on [`Error::kind`], not on a platform's own error. After
//! `StateUnknown`, the value must be read again before it is relied on; [`Logged`](crate::Logged)
//! does that by itself.

use core::fmt;

use crate::algorithm::Algorithm;
use crate::digest::Digest;
use crate::register::Register;

/// A register's place in its provider's list. Meaningless at any other provider.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct RegisterId(pub u16);

impl RegisterId {
    /// The id at `index` of a list, or `None` if a provider cannot have so many registers.
    #[must_use]
    pub fn from_index(index: usize) -> Option<Self> {
        u16::try_from(index).ok().map(Self)
    }

    /// The place in the list.
    #[must_use]
    pub fn index(self) -> usize {
        usize::from(self.0)
    }
}

/// What a provider's error can be asked.
pub trait Error: core::error::Error + Copy {
    /// The generic kind of this error.
    fn kind(&self) -> ErrorKind;
}

/// Kinds of failure that every platform has.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The provider has no such register.
    NoSuchRegister,
    /// The register has no such bank.
    NoSuchBank,
    /// The register lacks the power that the call needs.
    NotPermitted,
    /// The register is locked.
    Locked,
    /// A value or buffer of the wrong size.
    WrongSize,
    /// The input is not what the call takes; a log's error says where.
    InvalidInput,
    /// The log has no room; nothing was extended.
    NoSpace,
    /// The platform stayed busy; nothing happened, try later.
    Busy,
    /// The platform refused or failed; nothing happened.
    Failed,
    /// The call failed and may or may not have had its effect.
    StateUnknown,
    /// There is no such platform here.
    Unavailable,
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoSuchRegister => "no such register; list the provider's registers",
            Self::NoSuchBank => "the register has no such bank",
            Self::NotPermitted => "the register does not permit this",
            Self::Locked => "the register is locked",
            Self::WrongSize => "wrong size of value or buffer",
            Self::InvalidInput => "malformed input",
            Self::NoSpace => "the log is full; nothing was extended",
            Self::Busy => "the platform is busy; nothing was done, try again",
            Self::Failed => "the platform failed; nothing was done",
            Self::StateUnknown => "the platform failed, and whether it extended is not known",
            Self::Unavailable => "this platform is not here",
        })
    }
}

impl core::error::Error for ErrorKind {}

/// Providers that need no error of their own use the kind.
impl Error for ErrorKind {
    fn kind(&self) -> ErrorKind {
        *self
    }
}

/// Something that offers measurement registers. See the [module documentation](self) for the
/// contract.
pub trait Provider {
    /// The platform's own error.
    type Error: Error;

    /// The provider's name, first part of a register's full name: `tdx` in `tdx/rtmr3:sha384`.
    fn name(&self) -> &str;

    /// The register with this id.
    fn describe(&self, id: RegisterId) -> Option<Register<'_>>;

    /// Reads the value under `bank`, or the unhashed value if `bank` is `None`, into `out`, whose
    /// size must be the value's.
    ///
    /// # Errors
    ///
    /// The platform's, or one of kind `NoSuchRegister`, `NoSuchBank`, `NotPermitted`, `WrongSize`.
    fn read(
        &mut self,
        id: RegisterId,
        bank: Option<Algorithm>,
        out: &mut [u8],
    ) -> Result<(), Self::Error>;

    /// Extends the register in the bank of each digest: `value = H(value || digest)`.
    ///
    /// This is the bare operation: no log learns of it. [`Logged`](crate::Logged) is a provider
    /// whose `extend` notes it.
    ///
    /// # Errors
    ///
    /// As the contract says; only `StateUnknown` may have had an effect.
    fn extend(&mut self, id: RegisterId, digests: &[Digest]) -> Result<(), Self::Error>;

    /// Reads the value under `bank` as a digest.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read).
    fn value(&mut self, id: RegisterId, bank: Algorithm) -> Result<Digest, Self::Error> {
        let mut value = Digest::zeros(bank);
        self.read(id, Some(bank), value.as_bytes_mut())?;
        Ok(value)
    }

    /// The register with this name.
    fn find(&self, name: &str) -> Option<RegisterId> {
        (0..=u16::MAX)
            .map(RegisterId)
            .map_while(|id| self.describe(id).map(|register| (id, register)))
            .find_map(|(id, register)| (register.name == name).then_some(id))
    }

    /// All registers in order.
    fn registers(&self) -> Registers<'_, Self>
    where
        Self: Sized,
    {
        Registers { provider: self, next: 0 }
    }

    /// Replacing values (user data of a report), if the platform has it.
    fn as_writable(&mut self) -> Option<&mut dyn Writable<Error = Self::Error>> {
        None
    }

    /// Locking registers, if the platform has it.
    fn as_lockable(&mut self) -> Option<&mut dyn Lockable<Error = Self::Error>> {
        None
    }

    /// Reports (quotes, tokens), if the platform has them.
    fn as_reporter(&mut self) -> Option<&mut dyn Reporter<Error = Self::Error>> {
        None
    }

    /// Record logs, if this provider keeps them ([`Logged`](crate::Logged) does).
    fn as_recorder(&mut self) -> Option<&mut dyn Recorder<Error = Self::Error>> {
        None
    }
}

/// Capability: registers whose value can be replaced ([`Powers::WRITE`](crate::Powers::WRITE)).
pub trait Writable {
    /// The provider's error.
    type Error: Error;

    /// Replaces the register's value; `value` has exactly the value's size.
    ///
    /// # Errors
    ///
    /// The platform's, or one of kind `NoSuchRegister`, `NotPermitted`, `WrongSize`.
    fn write(&mut self, id: RegisterId, value: &[u8]) -> Result<(), Self::Error>;
}

/// Capability: registers that can be locked ([`Powers::LOCK`](crate::Powers::LOCK)).
pub trait Lockable {
    /// The provider's error.
    type Error: Error;

    /// Locks the register for good: extension fails with kind `Locked` until the platform resets.
    /// Locking a locked register succeeds.
    ///
    /// # Errors
    ///
    /// The platform's, or one of kind `NoSuchRegister`, `NotPermitted`.
    fn lock(&mut self, id: RegisterId) -> Result<(), Self::Error>;

    /// Whether the register is locked.
    ///
    /// # Errors
    ///
    /// The platform's, or one of kind `NoSuchRegister`.
    fn is_locked(&mut self, id: RegisterId) -> Result<bool, Self::Error>;
}

/// Capability: evidence about the registers, bound to data of the caller.
pub trait Reporter {
    /// The provider's error.
    type Error: Error;

    /// Size in bytes of the caller's data in a report.
    fn user_data_size(&mut self) -> usize;

    /// Size in bytes that no report exceeds.
    fn report_size(&mut self) -> usize;

    /// Makes a report over all registers and `user_data` in `out` and returns its size in bytes.
    ///
    /// # Errors
    ///
    /// The platform's, or one of kind `WrongSize` if `user_data` is longer than
    /// [`user_data_size`](Self::user_data_size) or `out` is too small.
    fn report(&mut self, user_data: &[u8], out: &mut [u8]) -> Result<usize, Self::Error>;
}

/// Capability: a record log beside a register.
pub trait Recorder {
    /// The provider's error.
    type Error: Error;

    /// Whether the register has a log.
    fn has_log(&mut self, id: RegisterId) -> bool;

    /// Appends lines to the register's log and extends the register with each record.
    ///
    /// # Errors
    ///
    /// As [`RecordLog::append`](crate::log::RecordLog::append).
    fn append(&mut self, id: RegisterId, lines: &[u8]) -> Result<(), Self::Error>;

    /// Size of the register's log in bytes.
    ///
    /// # Errors
    ///
    /// `NoSuchRegister` if the register has no log.
    fn log_size(&mut self, id: RegisterId) -> Result<u64, Self::Error>;

    /// Reads from the log at `offset` and returns how many bytes were read: as many as fit `out`
    /// unless the log ends before.
    ///
    /// # Errors
    ///
    /// `NoSuchRegister` if the register has no log; the storage's error.
    fn read_log(
        &mut self,
        id: RegisterId,
        offset: u64,
        out: &mut [u8],
    ) -> Result<usize, Self::Error>;
}

/// Iterator over a provider's registers.
#[derive(Clone, Debug)]
pub struct Registers<'p, P> {
    provider: &'p P,
    next: u16,
}

impl<'p, P: Provider> Iterator for Registers<'p, P> {
    type Item = (RegisterId, Register<'p>);

    fn next(&mut self) -> Option<Self::Item> {
        let id = RegisterId(self.next);
        let register = self.provider.describe(id)?;
        self.next = self.next.checked_add(1)?;
        Some((id, register))
    }
}

impl<T: Provider + ?Sized> Provider for &mut T {
    type Error = T::Error;

    fn name(&self) -> &str {
        T::name(self)
    }

    fn describe(&self, id: RegisterId) -> Option<Register<'_>> {
        T::describe(self, id)
    }

    fn read(
        &mut self,
        id: RegisterId,
        bank: Option<Algorithm>,
        out: &mut [u8],
    ) -> Result<(), Self::Error> {
        T::read(self, id, bank, out)
    }

    fn extend(&mut self, id: RegisterId, digests: &[Digest]) -> Result<(), Self::Error> {
        T::extend(self, id, digests)
    }

    fn as_writable(&mut self) -> Option<&mut dyn Writable<Error = Self::Error>> {
        T::as_writable(self)
    }

    fn as_lockable(&mut self) -> Option<&mut dyn Lockable<Error = Self::Error>> {
        T::as_lockable(self)
    }

    fn as_reporter(&mut self) -> Option<&mut dyn Reporter<Error = Self::Error>> {
        T::as_reporter(self)
    }

    fn as_recorder(&mut self) -> Option<&mut dyn Recorder<Error = Self::Error>> {
        T::as_recorder(self)
    }
}

/// The checks every provider owes to its callers before it extends: the register exists, permits
/// extension, and the digests are of distinct banks in bank order, at least one.
///
/// # Errors
///
/// The kind of the first thing that is wrong.
pub fn check_extend(register: Option<&Register<'_>>, digests: &[Digest]) -> Result<(), ErrorKind> {
    let register = register.ok_or(ErrorKind::NoSuchRegister)?;
    if !register.powers.contains(crate::Powers::EXTEND) {
        return Err(ErrorKind::NotPermitted);
    }
    let banks = register.banks();
    if digests.iter().any(|digest| !banks.contains(digest.algorithm())) {
        return Err(ErrorKind::NoSuchBank);
    }
    let mut rest = banks.iter();
    let in_order = |digest: &Digest| rest.any(|bank| bank == digest.algorithm());
    match digests {
        // One of the banks, as was just found out.
        [_] => Ok(()),
        [_, ..] if digests.iter().all(in_order) => Ok(()),
        _ => Err(ErrorKind::InvalidInput),
    }
}

/// The checks every provider owes to its callers before it reads: the register exists, permits
/// reading, has the bank, and `out` has the value's size.
///
/// # Errors
///
/// The kind of the first thing that is wrong.
pub fn check_read(
    register: Option<&Register<'_>>,
    bank: Option<Algorithm>,
    out: &[u8],
) -> Result<(), ErrorKind> {
    let register = register.ok_or(ErrorKind::NoSuchRegister)?;
    if !register.powers.contains(crate::Powers::READ) {
        return Err(ErrorKind::NotPermitted);
    }
    let size = register.size(bank).ok_or(ErrorKind::NoSuchBank)?;
    (size == out.len()).then_some(()).ok_or(ErrorKind::WrongSize)
}

/// Passes the capabilities that have nothing to do with logs through a middleware with another
/// error: `$wrap` makes its error of the provider's, `$absent` is the error of a capability that
/// the accessor has already said is not there. The middleware's field is called `provider`.
macro_rules! forward_capabilities {
    (impl[$($generics:tt)*] for $type:ty, $wrap:expr, $absent:expr) => {
        impl<$($generics)*> $crate::provider::Writable for $type {
            type Error = <Self as $crate::provider::Provider>::Error;

            fn write(&mut self, id: RegisterId, value: &[u8]) -> core::result::Result<(), Self::Error> {
                let writable = self.provider.as_writable().ok_or($absent)?;
                writable.write(id, value).map_err($wrap)
            }
        }

        impl<$($generics)*> $crate::provider::Lockable for $type {
            type Error = <Self as $crate::provider::Provider>::Error;

            fn lock(&mut self, id: RegisterId) -> core::result::Result<(), Self::Error> {
                let lockable = self.provider.as_lockable().ok_or($absent)?;
                lockable.lock(id).map_err($wrap)
            }

            fn is_locked(&mut self, id: RegisterId) -> core::result::Result<bool, Self::Error> {
                let lockable = self.provider.as_lockable().ok_or($absent)?;
                lockable.is_locked(id).map_err($wrap)
            }
        }

        impl<$($generics)*> $crate::provider::Reporter for $type {
            type Error = <Self as $crate::provider::Provider>::Error;

            fn user_data_size(&mut self) -> usize {
                self.provider.as_reporter().map_or(0, |reporter| reporter.user_data_size())
            }

            fn report_size(&mut self) -> usize {
                self.provider.as_reporter().map_or(0, |reporter| reporter.report_size())
            }

            fn report(
                &mut self,
                user_data: &[u8],
                out: &mut [u8],
            ) -> core::result::Result<usize, Self::Error> {
                let reporter = self.provider.as_reporter().ok_or($absent)?;
                reporter.report(user_data, out).map_err($wrap)
            }
        }
    };
}
pub(crate) use forward_capabilities;
