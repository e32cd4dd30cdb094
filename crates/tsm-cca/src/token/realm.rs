// SPDX-License-Identifier: MIT OR Apache-2.0
//! The claims of a realm.

use tsm_core::index::RemIndex;
use tsm_core::{Algorithm, Digest};

use super::cbor::{Label, Labels, Others, Placed, Reader};
use super::key::RealmKey;
use super::part::Part;
use super::profile::{PROFILE, RealmProfile};
use super::rules::{HashSizes, Rules};
use crate::error::{Error, ErrorKind};

/// The claims of a realm token (DEN0137 1.0-rel0 and 2.0 beta, A7.2.3; TF-RMM). Where a comment says
/// "2.0", the claim is mandatory there and optional in other profiles, which TF-RMM v0.8 and v0.9
/// mix.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RealmClaims<'b> {
    /// The profile (265).
    pub profile: RealmProfile,
    /// The caller's challenge (10).
    pub challenge: &'b [u8; 64],
    /// The personalization value (44235): 64 bytes of the host's.
    pub personalization: &'b [u8; 64],
    /// The hash of the measurements (44236).
    pub hash: Algorithm,
    /// The realm's public key (44237).
    pub public_key: RealmKey<'b>,
    /// The hash with which the platform's token names the key (44240).
    pub public_key_hash: Algorithm,
    /// The initial measurement (44238). [`rim_digest`](Self::rim_digest) gives it as a digest.
    pub rim: &'b [u8],
    /// The four extensible measurements (44239). [`rem`](Self::rem) gives one as a digest.
    pub rems: [&'b [u8]; 4],
    /// The instance id (256); 2.0.
    pub instance_id: Option<&'b [u8; 33]>,
    /// How memory is encrypted (44243); 2.0.
    pub mec_policy: Option<MecPolicy<'b>>,
    /// The policy about live activation of firmware (44244), 0 or 1.
    pub activation_policy: Option<u8>,
    /// The hash of the token about devices (44257); 2.0 beta, if devices are assigned. Whether it is
    /// that of the collection's [`device`](super::Token::device) is not checked here.
    pub devices_hash: Option<&'b [u8]>,
    others: Others<'b>,
}

/// The policy about memory encryption contexts (claim 44243).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum MecPolicy<'b> {
    /// 0: shared with other realms.
    Shared,
    /// 1: a context of its own.
    Private,
    /// A text, as TF-RMM v0.8 and v0.9 have it under the profile of 2023.
    Text(&'b str),
}

const CHALLENGE: i128 = 10;
const INSTANCE_ID: i128 = 256;
const PERSONALIZATION: i128 = 44235;
const HASH: i128 = 44236;
const PUBLIC_KEY: i128 = 44237;
const RIM: i128 = 44238;
const REMS: i128 = 44239;
const PUBLIC_KEY_HASH: i128 = 44240;
const MEC_POLICY: i128 = 44243;
const ACTIVATION_POLICY: i128 = 44244;
const DEVICES_HASH: i128 = 44257;

const KNOWN: &[i128] = &[
    CHALLENGE,
    INSTANCE_ID,
    PROFILE,
    PERSONALIZATION,
    HASH,
    PUBLIC_KEY,
    RIM,
    REMS,
    PUBLIC_KEY_HASH,
    MEC_POLICY,
    ACTIVATION_POLICY,
    DEVICES_HASH,
];

impl<'b> RealmClaims<'b> {
    /// Reads a map of claims, a realm token's payload.
    ///
    /// # Errors
    ///
    /// With the place: not well-formed, a label twice, bytes behind the map, a mandatory claim that
    /// is absent, a claim of another type or size than its own, an unknown profile, a key in another
    /// form than the profile's, measurements of another size than the hash's (unless the rules permit
    /// it).
    pub fn parse(claims: &'b [u8], rules: Rules) -> Result<Self, Error> {
        Self::parse_at(Placed::new(claims), rules)
    }

    pub(super) fn parse_at(claims: Placed<'b>, rules: Rules) -> Result<Self, Error> {
        let mut reader = Reader::new(claims);
        let mut labels = Labels::new();
        let mut found = Found::default();
        let pairs = reader.map(Part::Claims)?;
        let others = Others::new(reader.clone(), pairs, KNOWN);
        for _ in 0..pairs {
            let label = labels.next(&mut reader)?;
            found.claim(label, &mut reader)?;
        }
        reader.end()?;
        found.complete(claims.at, others, rules)
    }

    /// The initial measurement; `None` if it is not of the hash's size.
    #[must_use]
    pub fn rim_digest(&self) -> Option<Digest> {
        Digest::from_bytes(self.hash, self.rim)
    }

    /// An extensible measurement; `None` if it is not of the hash's size.
    #[must_use]
    pub fn rem(&self, index: RemIndex) -> Option<Digest> {
        let [first, second, third, fourth] = self.rems;
        let rem = match index {
            RemIndex::REM0 => first,
            RemIndex::REM1 => second,
            RemIndex::REM2 => third,
            _ => fourth,
        };
        Digest::from_bytes(self.hash, rem)
    }

    /// Claims that this crate does not know.
    #[must_use]
    pub fn others(&self) -> Others<'b> {
        self.others.clone()
    }
}

/// Claims as they come.
#[derive(Default)]
struct Found<'b> {
    profile: Option<RealmProfile>,
    challenge: Option<&'b [u8; 64]>,
    personalization: Option<&'b [u8; 64]>,
    hash: Option<Algorithm>,
    public_key: Option<Placed<'b>>,
    public_key_hash: Option<Algorithm>,
    rim: Option<Placed<'b>>,
    rems: Option<[Placed<'b>; 4]>,
    instance_id: Option<&'b [u8; 33]>,
    mec_policy: Option<(MecPolicy<'b>, usize)>,
    activation_policy: Option<u8>,
    devices_hash: Option<&'b [u8]>,
}

impl<'b> Found<'b> {
    fn claim(&mut self, label: Label<'b>, reader: &mut Reader<'b>) -> Result<(), Error> {
        let Label::Number(number) = label else { return reader.item().map(drop) };
        let at = reader.offset();
        match number {
            PROFILE => {
                let profile = RealmProfile::from_name(reader.text(Part::Profile)?);
                self.profile = Some(profile.ok_or(Error::at(ErrorKind::UnknownProfile, at))?);
            }
            CHALLENGE => {
                self.challenge = Some(reader.bytes(Part::Challenge)?.array(Part::Challenge)?);
            }
            PERSONALIZATION => {
                let value = reader.bytes(Part::Personalization)?;
                self.personalization = Some(value.array(Part::Personalization)?);
            }
            HASH => self.hash = Some(hash(reader, Part::RealmHash)?),
            PUBLIC_KEY => self.public_key = Some(reader.bytes(Part::PublicKey)?),
            PUBLIC_KEY_HASH => self.public_key_hash = Some(hash(reader, Part::PublicKeyHash)?),
            RIM => self.rim = Some(reader.bytes(Part::Rim)?),
            REMS => {
                reader.array_of(4, Part::Rems)?;
                let mut rem = || reader.bytes(Part::Rems);
                self.rems = Some([rem()?, rem()?, rem()?, rem()?]);
            }
            INSTANCE_ID => {
                self.instance_id = Some(reader.bytes(Part::InstanceId)?.instance_id()?);
            }
            MEC_POLICY if reader.is_text() => {
                self.mec_policy = Some((MecPolicy::Text(reader.text(Part::MecPolicy)?), at));
            }
            MEC_POLICY => {
                let policy = match reader.number(Part::MecPolicy)? {
                    0 => MecPolicy::Shared,
                    1 => MecPolicy::Private,
                    _ => return Err(Error::at(ErrorKind::Value(Part::MecPolicy), at)),
                };
                self.mec_policy = Some((policy, at));
            }
            ACTIVATION_POLICY => {
                self.activation_policy = Some(match reader.number(Part::ActivationPolicy)? {
                    0 => 0,
                    1 => 1,
                    _ => return Err(Error::at(ErrorKind::Value(Part::ActivationPolicy), at)),
                });
            }
            DEVICES_HASH => {
                let hash = reader.bytes(Part::DevicesHash)?;
                self.devices_hash = Some(hash.hash(Part::DevicesHash)?);
            }
            _ => drop(reader.item()?),
        }
        Ok(())
    }

    fn complete(
        self,
        at: usize,
        others: Others<'b>,
        rules: Rules,
    ) -> Result<RealmClaims<'b>, Error> {
        let missing = |part| Error::at(ErrorKind::Missing(part), at);
        let profile = self.profile.unwrap_or(RealmProfile::Legacy);
        let hash = self.hash.ok_or(missing(Part::RealmHash))?;
        let sized = |value: Placed<'b>, part| match rules.hash_sizes {
            HashSizes::Any => value.hash(part),
            HashSizes::Exact if value.bytes.len() == hash.size() => Ok(value.bytes),
            HashSizes::Exact => Err(Error::at(ErrorKind::HashSize, value.at)),
        };
        let challenge = self.challenge.ok_or(missing(Part::Challenge))?;
        let personalization = self.personalization.ok_or(missing(Part::Personalization))?;
        let rim = self.rim.ok_or(missing(Part::Rim))?;
        let [first, second, third, fourth] = self.rems.ok_or(missing(Part::Rems))?;
        let key = self.public_key.ok_or(missing(Part::PublicKey))?;
        let public_key_hash = self.public_key_hash.ok_or(missing(Part::PublicKeyHash))?;
        let rim = sized(rim, Part::Rim)?;
        let rem = |value| sized(value, Part::Rems);
        let rems = [rem(first)?, rem(second)?, rem(third)?, rem(fourth)?];
        let public_key = RealmKey::parse_at(key, profile.key_form())?;
        if profile == RealmProfile::V2 {
            self.instance_id.ok_or(missing(Part::InstanceId))?;
            match self.mec_policy {
                None => return Err(missing(Part::MecPolicy)),
                Some((MecPolicy::Text(_), at)) => {
                    return Err(Error::at(ErrorKind::Type(Part::MecPolicy), at));
                }
                Some(_) => {}
            }
        }
        Ok(RealmClaims {
            profile,
            challenge,
            personalization,
            hash,
            public_key,
            public_key_hash,
            rim,
            rems,
            instance_id: self.instance_id,
            mec_policy: self.mec_policy.map(|(policy, _)| policy),
            activation_policy: self.activation_policy,
            devices_hash: self.devices_hash,
            others,
        })
    }
}

/// A hash by its name in IANA's registry of named information.
fn hash(reader: &mut Reader<'_>, part: Part) -> Result<Algorithm, Error> {
    let at = reader.offset();
    match reader.text(part)? {
        "sha-256" => Ok(Algorithm::Sha256),
        "sha-384" => Ok(Algorithm::Sha384),
        "sha-512" => Ok(Algorithm::Sha512),
        _ => Err(Error::at(ErrorKind::Value(part), at)),
    }
}
