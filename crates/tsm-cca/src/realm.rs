// SPDX-License-Identifier: MIT OR Apache-2.0
//! The realm this program runs in: calls made, decoded and repeated.

use tsm_core::index::RemIndex;
use tsm_core::{Algorithm, Digest, ErrorKind as Refusal};

use crate::address::SharedBit;
use crate::attestation::Attestation;
use crate::buffer::{Challenge, Granule, HostCall};
use crate::call::{Call, Registers, Smc};
use crate::config::RealmConfig;
use crate::error::{Error, ErrorKind};
use crate::function::{Function, Version, Versions};
use crate::measurement::MeasurementIndex;
use crate::rule::{RemRule, Trial};
use crate::status::Status;

/// The realm, by the RSI.
///
/// ```
/// # use tsm_cca::{Call, Error, Realm, Registers, Smc};
/// # #[derive(Debug)]
/// # struct Firmware;
/// # impl Smc for Firmware {
/// #     fn call(&mut self, _: Call<'_>) -> Result<Registers, Error> {
/// #         Ok(Registers { x: [u64::MAX, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0] })
/// #     }
/// # }
/// use tsm_cca::ErrorKind;
///
/// // Firmware that answers SMCs, but is no RMM:
/// let error = Realm::open(Firmware).unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::NotARealm);
/// ```
#[derive(Clone, Debug)]
pub struct Realm<S> {
    smc: S,
    version: Version,
    bit: Option<SharedBit>,
}

impl<S: Smc> Realm<S> {
    /// Agrees with the RMM on a revision of the RSI: 1.0, or a later 1.x if the RMM offers no 1.0.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotARealm`] if nobody knows the call, [`ErrorKind::Version`] with what the RMM
    /// offers if that is another major revision, [`ErrorKind::Monitor`] for any other status.
    pub fn open(smc: S) -> Result<Self, Error> {
        let mut realm = Self { smc, version: Version::V1_0, bit: None };
        let Err(versions) = realm.request(Version::V1_0)? else { return Ok(realm) };
        if versions.higher.major() == 1 && realm.request(versions.higher)?.is_ok() {
            realm.version = versions.higher;
            return Ok(realm);
        }
        Err(Error::new(ErrorKind::Version(versions)))
    }

    /// The revision that was agreed on. It does not tell the format of tokens.
    #[must_use]
    pub const fn version(&self) -> Version {
        self.version
    }

    /// A feature register; unknown ones are zero. Register 0: bit 0 device assignment, bit 1 MRO,
    /// bit 2 ATS (TF-RMM `smc-rsi.h`).
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Monitor`]; the call's.
    pub fn features(&mut self, index: u64) -> Result<u64, Error> {
        let answer = self.call(Call::features(index));
        done(&answer, Function::FEATURES).map(|after| after.pair().0)
    }

    /// The realm's configuration. `granule` is overwritten.
    ///
    /// From then on, buffers in shared memory are refused before a call.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Monitor`], [`ErrorKind::IpaWidth`]; the call's.
    pub fn config(&mut self, granule: &mut Granule) -> Result<RealmConfig, Error> {
        // The RMM leaves what it does not know as it was.
        granule.as_bytes_mut().fill(0);
        done(&self.call(Call::realm_config(granule)), Function::REALM_CONFIG)?;
        let config = RealmConfig::parse(granule.as_bytes())?;
        self.bit = config.shared_bit();
        Ok(config)
    }

    /// A measurement, under the realm's hash. The RMM does not say how many bytes of its answer are
    /// the value: `algorithm` does, and no byte beyond is looked at.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Monitor`]; the call's.
    pub fn measurement(
        &mut self,
        index: MeasurementIndex,
        algorithm: Algorithm,
    ) -> Result<Digest, Error> {
        let mut digest = Digest::zeros(algorithm);
        self.read(index, digest.as_bytes_mut())?;
        Ok(digest)
    }

    /// All 64 bytes of a measurement's registers. Those beyond the hash's size should be zero, and
    /// some monitors leave other things there.
    ///
    /// # Errors
    ///
    /// As [`measurement`](Self::measurement).
    pub fn raw_measurement(&mut self, index: MeasurementIndex) -> Result<[u8; 64], Error> {
        let mut value = [0; 64];
        self.read(index, &mut value)?;
        Ok(value)
    }

    /// Extends a REM with a digest, with no check of how ([`RemRule`]). The digest must be of the
    /// realm's hash: the RMM takes other sizes too, but no log could tell what was measured.
    /// [`CcaProvider`](crate::CcaProvider) sees to that.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Monitor`] if nothing was done; [`ErrorKind::InDoubt`] for a status of which that
    /// is not known; the call's.
    #[inline(never)] // The registers would lie on the stack below a check.
    pub fn extend(&mut self, index: RemIndex, digest: &Digest) -> Result<(), Error> {
        let call = Call::measurement_extend(index, digest);
        let function = call.function();
        let kind = match self.call(call)?.status() {
            Status::SUCCESS => return Ok(()),
            // The only failure that the specification knows, and that of a call that is not there.
            status @ (Status::ERROR_INPUT | Status::NOT_SUPPORTED) => ErrorKind::Monitor(status),
            status => ErrorKind::InDoubt(status),
        };
        Err(Error::of(kind, function))
    }

    /// Extends a REM, and finds out by which rule: reads, extends, reads again. For SHA-512 the
    /// rules agree, and the answer is [`RemRule::Unpadded`]. `granule` is overwritten: the values
    /// are kept in it, and not on the stack.
    ///
    /// # Errors
    ///
    /// As [`extend`](Self::extend) and [`measurement`](Self::measurement), but after the extension
    /// everything is of a kind that says so: [`ErrorKind::InDoubt`] if the value cannot be read,
    /// [`ErrorKind::RuleUnknown`] if no rule gives it. The latter also comes when another virtual
    /// processor extends the register meanwhile.
    pub fn extend_checked(
        &mut self,
        index: RemIndex,
        digest: &Digest,
        granule: &mut Granule,
    ) -> Result<RemRule, Error> {
        // A granule is large enough.
        let trial = Trial::new(digest, granule.as_bytes_mut());
        let mut trial = trial.ok_or(Refusal::WrongSize)?;
        self.carry_out(index, &mut trial)?;
        trial.rule().ok_or(Error::new(ErrorKind::RuleUnknown))
    }

    /// Reads, extends, reads again. Not inlined: the calls would lie on the stack below the hash by
    /// which the rule is found out.
    #[inline(never)]
    fn carry_out(&mut self, index: RemIndex, trial: &mut Trial<'_>) -> Result<(), Error> {
        self.read(index.into(), trial.before_mut())?;
        self.extend(index, trial.digest())?;
        self.read(index.into(), trial.after_mut()).map_err(|error| match error.kind() {
            ErrorKind::Monitor(status) => Error::new(ErrorKind::InDoubt(status)),
            _ => Error::new(ErrorKind::RuleUnknown),
        })
    }

    /// Begins a token over the measurements as they are now. One that was begun before and is not
    /// complete is dropped.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Monitor`]; the call's.
    pub fn attest(&mut self, challenge: &Challenge) -> Result<Attestation<'_, S>, Error> {
        let answer = self.call(Call::attestation_token_init(challenge));
        let (upper_bound, _) = done(&answer, Function::ATTESTATION_TOKEN_INIT)?.pair();
        Ok(Attestation::new(self, upper_bound))
    }

    /// Makes a token in `out` and returns its size in bytes. `granule` is what the RMM writes to.
    ///
    /// # Errors
    ///
    /// As [`attest`](Self::attest) and [`Attestation::next`]; [`ErrorKind::NoRoom`] if `out` is too
    /// small.
    pub fn token(
        &mut self,
        challenge: &Challenge,
        granule: &mut Granule,
        out: &mut [u8],
    ) -> Result<usize, Error> {
        let mut attestation = self.attest(challenge)?;
        let mut used = 0_usize;
        while let Some(piece) = attestation.next(granule)? {
            let room = out.get_mut(used..).and_then(|rest| rest.get_mut(..piece.len()));
            crate::bytes::copy(piece, room.ok_or(Error::new(ErrorKind::NoRoom))?);
            used = used.saturating_add(piece.len());
        }
        match used {
            0 => Err(Error::new(ErrorKind::EmptyToken)),
            _ => Ok(used),
        }
    }

    /// Hands a structure to the host and returns with what the host made of it. None of that is to
    /// be trusted.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Monitor`]; the call's.
    pub fn host_call(&mut self, host_call: &mut HostCall) -> Result<(), Error> {
        done(&self.call(Call::host_call(host_call)), Function::HOST_CALL).map(drop)
    }

    /// What makes the calls.
    pub const fn smc(&self) -> &S {
        &self.smc
    }

    /// What makes the calls. Calls that are made past the realm are not known to it.
    pub const fn smc_mut(&mut self) -> &mut S {
        &mut self.smc
    }

    /// Reads as many bytes of a measurement as `out` has, 64 at most.
    ///
    /// Not inlined: the registers before and after the call would lie on the stack below what the
    /// caller does with the value.
    #[inline(never)]
    pub(crate) fn read(&mut self, index: MeasurementIndex, out: &mut [u8]) -> Result<(), Error> {
        let answer = self.call(Call::measurement_read(index));
        done(&answer, Function::MEASUREMENT_READ).map(|after| after.copy_value(out))
    }

    /// Makes a call as it is, with the guard against shared memory.
    pub(crate) fn call(&mut self, mut call: Call<'_>) -> Result<Registers, Error> {
        if let Some(bit) = self.bit {
            call.refuse(bit);
        }
        self.smc.call(call)
    }

    /// Asks for a revision: `Ok` inside if there is that one, else what there is.
    fn request(&mut self, requested: Version) -> Result<Result<(), Versions>, Error> {
        let call = Call::version(requested);
        let function = call.function();
        let after = self.call(call)?;
        let (lower, higher) = after.pair();
        match after.status() {
            Status::SUCCESS => Ok(Ok(())),
            Status::ERROR_INPUT => {
                Ok(Err(Versions { lower: Version(lower), higher: Version(higher) }))
            }
            Status::NOT_SUPPORTED => Err(Error::of(ErrorKind::NotARealm, function)),
            status => Err(Error::of(ErrorKind::Monitor(status), function)),
        }
    }
}

/// The registers after a call that has no other good end than `SUCCESS`. By reference: whatever moves
/// an answer has it on the stack twice.
fn done(answer: &Result<Registers, Error>, function: Function) -> Result<&Registers, Error> {
    match answer {
        Ok(after) if after.status() == Status::SUCCESS => Ok(after),
        Ok(after) => Err(Error::of(ErrorKind::Monitor(after.status()), function)),
        Err(error) => Err(*error),
    }
}

#[cfg(test)]
mod tests;
