// SPDX-License-Identifier: MIT OR Apache-2.0
//! The registers of a realm as a provider of the core.

use tsm_core::index::{RemIndex, RemSet};
use tsm_core::provider::{Provider, Reporter, check_extend, check_read};
use tsm_core::{
    Algorithm, Banks, Digest, ErrorKind as Refusal, Initial, Powers, Presentation, Register,
    RegisterId, Value,
};

use crate::buffer::{Challenge, Granule};
use crate::bytes::copy;
use crate::call::Smc;
use crate::config::HashId;
use crate::error::{Error, ErrorKind};
use crate::measurement::MeasurementIndex;
use crate::realm::Realm;
use crate::rule::RemRule;

/// The registers of a realm: provider `cca`.
///
/// | name | value | what |
/// |---|---|---|
/// | `rim` | the realm's hash | what the realm was built from |
/// | `rem0` | the realm's hash | extended by firmware: its configuration |
/// | `rem1` | the realm's hash | extended by firmware: boot loader, kernel |
/// | `rem2` | the realm's hash | extended by boot loader and kernel: command line, initrd |
/// | `rem3` | the realm's hash | left to applications; no PCR stands for it |
/// | `rpv` | 64 bytes | chosen by the host when it made the realm; zero from an RMM before 1.0-rel0 |
///
/// Who owns `rem0` to `rem2` is convention, and the RMM lets anybody at EL1 extend all four: say
/// which of them this program may ([`RemSet`]). The others can be read only.
///
/// The provider is a [`Reporter`]: user data of 64 bytes, the challenge, and a token
/// ([`token`](crate::token)). One that is being made belongs to the virtual processor
/// ([`Attestation`](crate::Attestation)).
///
/// # The hash
///
/// SHA-256, SHA-384 or SHA-512, as the RMM says, with one exception: TF-RMM's main branch says
/// SHA-512 in a realm of SHA-384 (by reading its `runtime/rsi/config.c`). So if it says SHA-512 and
/// the last 16 bytes of the RIM are zeros, while the others are not all zeros, the realm is taken for
/// one of SHA-384. This is an inference of this crate; a token tells for sure (claim 44236,
/// [`with_hash`](Self::with_hash)).
///
/// # How registers are extended
///
/// The core, and every log, wants `H(value || digest)`, and that is what all known monitors do; the
/// specification says otherwise ([`RemRule`]). The first extension is therefore checked: the register
/// is read before and after. If the RMM follows another rule than the [`RulePolicy`] permits, that
/// extension fails with [`ErrorKind::RuleObserved`], which says that it took place, and all later
/// ones are refused before they are made. [`rule`](Self::rule) tells what was found. Nobody else
/// should extend the same register just then: if somebody does, or if the RMM follows no known rule,
/// the extension fails with [`ErrorKind::RuleUnknown`], which says that it took place too, and the
/// next one is checked again.
///
/// ```
/// use tsm_core::{Algorithm, Provider};
/// # use tsm_cca::{CcaProvider, Error, Granule, Realm, RemSet, Smc};
///
/// fn shim(smc: impl Smc, granule: &mut Granule) -> Result<(), Error> {
///     let mut registers = CcaProvider::open(Realm::open(smc)?, granule, RemSet::APPLICATION)?;
///     let hash = registers.hash();
///     if let Some(rem3) = registers.find("rem3") {
///         registers.extend(rem3, &[hash.hash(b"what I run next")])?;
///     }
///     Ok(())
/// }
/// ```
#[derive(Debug)]
pub struct CcaProvider<'g, S> {
    realm: Realm<S>,
    granule: &'g mut Granule,
    extendable: RemSet,
    hash: Algorithm,
    personalization: [u8; 64],
    policy: RulePolicy,
    rule: Option<RemRule>,
    token_limit: usize,
}

/// Which rules of extension a provider accepts.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum RulePolicy {
    /// This one only. Where the rules agree (SHA-512), any is this one.
    Only(RemRule),
    /// Whatever the RMM does. With [`RemRule::Padded`] the provider breaks the contract of the core,
    /// and no log of the core explains the register: the caller must replay with
    /// [`RemRule::extended`].
    Observed,
}

impl Default for RulePolicy {
    /// What the core and every log want.
    fn default() -> Self {
        Self::Only(RemRule::Unpadded)
    }
}

impl<'g, S: Smc> CcaProvider<'g, S> {
    /// Most bytes of a token, unless [`with_token_limit`](Self::with_token_limit) says otherwise:
    /// four granules. TF-RMM's have 1.1 to 2.5 KB, and it cannot make more than 4096 bytes unless it
    /// is built for that.
    pub const TOKEN_LIMIT: usize = 4 * Granule::SIZE;

    /// The registers of this realm, of which the program extends those in `extendable`. `granule` is
    /// what the RMM writes to.
    ///
    /// # Errors
    ///
    /// As [`Realm::config`] and [`Realm::raw_measurement`]; [`ErrorKind::Hash`] if the realm's hash
    /// is not known here.
    pub fn open(
        mut realm: Realm<S>,
        granule: &'g mut Granule,
        extendable: RemSet,
    ) -> Result<Self, Error> {
        let config = realm.config(granule)?;
        let unknown = Error::new(ErrorKind::Hash(config.hash));
        let mut hash = config.hash.algorithm().ok_or(unknown)?;
        if config.hash == HashId::SHA512 {
            let rim = realm.raw_measurement(MeasurementIndex::RIM)?;
            let (value, tail) = rim.split_at_checked(48).unwrap_or_default();
            let zeros = |bytes: &[u8]| bytes.iter().all(|&byte| byte == 0);
            if zeros(tail) && !zeros(value) {
                hash = Algorithm::Sha384;
            }
        }
        Ok(Self {
            realm,
            granule,
            extendable,
            hash,
            personalization: config.personalization,
            policy: RulePolicy::default(),
            rule: None,
            token_limit: Self::TOKEN_LIMIT,
        })
    }

    /// The same, with the hash that is known from elsewhere.
    ///
    /// # Errors
    ///
    /// Kind `NoSuchBank` if realms do not have that hash.
    pub fn with_hash(mut self, hash: Algorithm) -> Result<Self, Error> {
        HashId::of(hash).ok_or(Refusal::NoSuchBank)?;
        self.hash = hash;
        Ok(self)
    }

    /// The same, with another policy about rules of extension.
    #[must_use]
    pub const fn with_policy(mut self, policy: RulePolicy) -> Self {
        self.policy = policy;
        self
    }

    /// The same, with another limit of a token's size in bytes.
    #[must_use]
    pub const fn with_token_limit(mut self, limit: usize) -> Self {
        self.token_limit = limit;
        self
    }

    /// The hash of all measurements.
    #[must_use]
    pub const fn hash(&self) -> Algorithm {
        self.hash
    }

    /// The rule by which the RMM extended; `None` before the first extension that could be checked.
    /// For SHA-512, where the rules agree, [`RemRule::Unpadded`].
    #[must_use]
    pub const fn rule(&self) -> Option<RemRule> {
        self.rule
    }

    /// The realm's calls.
    pub const fn realm_mut(&mut self) -> &mut Realm<S> {
        &mut self.realm
    }

    /// The register of a REM.
    #[must_use]
    pub fn rem(index: RemIndex) -> RegisterId {
        let place = ROWS.iter().position(|row| row.source == Source::Rem(index));
        // All four are in the table.
        place.and_then(RegisterId::from_index).unwrap_or(RegisterId(u16::MAX))
    }

    fn accepts(&self, rule: RemRule) -> bool {
        match self.policy {
            RulePolicy::Observed => true,
            RulePolicy::Only(only) => only == rule || RemRule::agree(self.hash),
        }
    }

    /// What is extended, and with what. Not inlined: the description would lie on the stack below
    /// the extension.
    #[inline(never)]
    fn extended<'d>(
        &self,
        id: RegisterId,
        digests: &'d [Digest],
    ) -> Result<(RemIndex, &'d Digest), Refusal> {
        check_extend(self.describe(id).as_ref(), digests)?;
        match (ROWS.get(id.index()).map(|row| row.source), digests) {
            (Some(Source::Rem(index)), [digest]) => Ok((index, digest)),
            _ => Err(Refusal::InvalidInput),
        }
    }
}

/// A register and where its value is.
struct Row {
    name: &'static str,
    source: Source,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Source {
    Rim,
    Rem(RemIndex),
    Personalization,
}

/// In the order of a register's id.
static ROWS: [Row; 6] = [
    Row { name: "rim", source: Source::Rim },
    Row { name: "rem0", source: Source::Rem(RemIndex::REM0) },
    Row { name: "rem1", source: Source::Rem(RemIndex::REM1) },
    Row { name: "rem2", source: Source::Rem(RemIndex::REM2) },
    Row { name: "rem3", source: Source::Rem(RemIndex::REM3) },
    Row { name: "rpv", source: Source::Personalization },
];

impl<S: Smc> Provider for CcaProvider<'_, S> {
    type Error = Error;

    fn name(&self) -> &str {
        "cca"
    }

    fn describe(&self, id: RegisterId) -> Option<Register<'_>> {
        let row = ROWS.get(id.index())?;
        let value = Value::Banks(Banks::one(self.hash));
        let index = match row.source {
            Source::Rim => return Some(Register::fixed(row.name, value)),
            Source::Personalization => {
                return Some(Register::fixed(row.name, Value::Unhashed(64)));
            }
            Source::Rem(index) => index,
        };
        let powers = if self.extendable.contains(index) {
            Powers::READ.and(Powers::LIVE).and(Powers::EXTEND).and(Powers::DIRECT)
        } else {
            Powers::READ.and(Powers::LIVE)
        };
        Some(Register {
            name: row.name,
            value,
            powers,
            initial: Initial::Zeros,
            presentation: Presentation::Directory,
        })
    }

    fn read(
        &mut self,
        id: RegisterId,
        bank: Option<Algorithm>,
        out: &mut [u8],
    ) -> Result<(), Error> {
        check_read(self.describe(id).as_ref(), bank, out)?;
        let index = match ROWS.get(id.index()).ok_or(Refusal::NoSuchRegister)?.source {
            Source::Personalization => {
                copy(&self.personalization, out);
                return Ok(());
            }
            Source::Rim => MeasurementIndex::RIM,
            Source::Rem(index) => MeasurementIndex::of(index),
        };
        // As many bytes as the hash has.
        self.realm.read(index, out)
    }

    /// As [`Realm::extend`]; the first time as [`Realm::extend_checked`], and then
    /// [`ErrorKind::RuleObserved`] if it took place by a rule that the policy excludes. From then on
    /// [`ErrorKind::RuleRefused`].
    fn extend(&mut self, id: RegisterId, digests: &[Digest]) -> Result<(), Error> {
        let (index, digest) = self.extended(id, digests)?;
        match self.rule {
            Some(rule) if self.accepts(rule) => self.realm.extend(index, digest),
            Some(rule) => Err(Error::new(ErrorKind::RuleRefused(rule))),
            None => {
                let rule = self.realm.extend_checked(index, digest, self.granule)?;
                self.rule = Some(rule);
                if self.accepts(rule) {
                    return Ok(());
                }
                Err(Error::new(ErrorKind::RuleObserved(rule)))
            }
        }
    }

    fn as_reporter(&mut self) -> Option<&mut dyn Reporter<Error = Error>> {
        Some(self)
    }
}

/// A token; challenges that are shorter than 64 bytes get zeros behind them.
impl<S: Smc> Reporter for CcaProvider<'_, S> {
    type Error = Error;

    fn user_data_size(&mut self) -> usize {
        Challenge::SIZE
    }

    fn report_size(&mut self) -> usize {
        self.token_limit
    }

    fn report(&mut self, user_data: &[u8], out: &mut [u8]) -> Result<usize, Error> {
        let challenge = Challenge::padded(user_data).ok_or(Refusal::WrongSize)?;
        let limit = out.len().min(self.token_limit);
        let out = out.get_mut(..limit).unwrap_or_default();
        self.realm.token(&challenge, self.granule, out)
    }
}

#[cfg(test)]
mod tests;
