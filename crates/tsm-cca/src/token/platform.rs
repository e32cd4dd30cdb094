// SPDX-License-Identifier: MIT OR Apache-2.0
//! The claims of a platform.

use super::cbor::{Label, Labels, Others, Placed, Reader};
use super::part::Part;
use super::profile::{PROFILE, PlatformProfile};
use super::rules::Rules;
use crate::error::{Error, ErrorKind};

/// The claims of a platform token (DEN0137 1.0-rel0 and 2.0 beta, A7.2.3;
/// draft-ffm-rats-cca-token-00).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PlatformClaims<'b> {
    /// The profile (265).
    pub profile: PlatformProfile,
    /// The challenge (10): the hash of the realm's key, 32, 48 or 64 bytes.
    pub challenge: &'b [u8],
    /// The implementation id (2396).
    pub implementation_id: &'b [u8; 32],
    /// The instance id (256), by which the platform's key is found.
    pub instance_id: &'b [u8; 33],
    /// The configuration (2401).
    pub config: &'b [u8],
    /// The lifecycle (2395).
    pub lifecycle: Lifecycle,
    /// The hash of the components' measurements (2402), unless a component names its own. Free text.
    pub hash: &'b str,
    /// Where to have it verified (2400).
    pub verification_service: Option<&'b str>,
    /// The manufacturing configuration (2403); 2.0 beta.
    pub manufacturing_config: Option<&'b [u8]>,
    components: Components<'b>,
    others: Others<'b>,
}

const CHALLENGE: i128 = 10;
const INSTANCE_ID: i128 = 256;
const LIFECYCLE: i128 = 2395;
const IMPLEMENTATION_ID: i128 = 2396;
const COMPONENTS: i128 = 2399;
const VERIFICATION_SERVICE: i128 = 2400;
const CONFIG: i128 = 2401;
const HASH: i128 = 2402;
const MANUFACTURING_CONFIG: i128 = 2403;

const KNOWN: &[i128] = &[
    CHALLENGE,
    INSTANCE_ID,
    PROFILE,
    LIFECYCLE,
    IMPLEMENTATION_ID,
    COMPONENTS,
    VERIFICATION_SERVICE,
    CONFIG,
    HASH,
    MANUFACTURING_CONFIG,
];

impl<'b> PlatformClaims<'b> {
    /// Reads a map of claims, a platform token's payload.
    ///
    /// # Errors
    ///
    /// With the place: not well-formed, a label twice, bytes behind the map, a mandatory claim that
    /// is absent, a claim of another type or size than its own, an unknown profile, a lifecycle in
    /// none of the known ranges, no or too many components.
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
            found.claim(label, &mut reader, rules)?;
        }
        reader.end()?;
        found.complete(claims.at, others)
    }

    /// The software components, one at least.
    #[must_use]
    pub fn components(&self) -> Components<'b> {
        self.components.clone()
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
    profile: Option<PlatformProfile>,
    challenge: Option<&'b [u8]>,
    implementation_id: Option<&'b [u8; 32]>,
    instance_id: Option<&'b [u8; 33]>,
    config: Option<&'b [u8]>,
    lifecycle: Option<Lifecycle>,
    hash: Option<&'b str>,
    verification_service: Option<&'b str>,
    manufacturing_config: Option<&'b [u8]>,
    components: Option<Components<'b>>,
}

impl<'b> Found<'b> {
    fn claim(
        &mut self,
        label: Label<'b>,
        reader: &mut Reader<'b>,
        rules: Rules,
    ) -> Result<(), Error> {
        let Label::Number(number) = label else { return reader.item().map(drop) };
        let at = reader.offset();
        match number {
            PROFILE => {
                let profile = PlatformProfile::from_name(reader.text(Part::Profile)?);
                self.profile = Some(profile.ok_or(Error::at(ErrorKind::UnknownProfile, at))?);
            }
            CHALLENGE => {
                self.challenge = Some(reader.bytes(Part::Challenge)?.hash(Part::Challenge)?);
            }
            IMPLEMENTATION_ID => {
                let id = reader.bytes(Part::ImplementationId)?;
                self.implementation_id = Some(id.array(Part::ImplementationId)?);
            }
            INSTANCE_ID => {
                self.instance_id = Some(reader.bytes(Part::InstanceId)?.instance_id()?);
            }
            CONFIG => self.config = Some(reader.bytes(Part::Config)?.bytes),
            LIFECYCLE => {
                let value = u16::try_from(reader.number(Part::Lifecycle)?).ok();
                let lifecycle = value.map(Lifecycle).filter(|value| value.state().is_some());
                let wrong = Error::at(ErrorKind::Value(Part::Lifecycle), at);
                self.lifecycle = Some(lifecycle.ok_or(wrong)?);
            }
            COMPONENTS => self.components = Some(Components::read(reader, rules)?),
            VERIFICATION_SERVICE => {
                self.verification_service = Some(reader.text(Part::VerificationService)?);
            }
            HASH => self.hash = Some(reader.text(Part::PlatformHash)?),
            MANUFACTURING_CONFIG => {
                self.manufacturing_config = Some(reader.bytes(Part::ManufacturingConfig)?.bytes);
            }
            _ => drop(reader.item()?),
        }
        Ok(())
    }

    fn complete(self, at: usize, others: Others<'b>) -> Result<PlatformClaims<'b>, Error> {
        let missing = |part| Error::at(ErrorKind::Missing(part), at);
        Ok(PlatformClaims {
            profile: self.profile.ok_or(missing(Part::Profile))?,
            challenge: self.challenge.ok_or(missing(Part::Challenge))?,
            implementation_id: self.implementation_id.ok_or(missing(Part::ImplementationId))?,
            instance_id: self.instance_id.ok_or(missing(Part::InstanceId))?,
            config: self.config.ok_or(missing(Part::Config))?,
            lifecycle: self.lifecycle.ok_or(missing(Part::Lifecycle))?,
            hash: self.hash.ok_or(missing(Part::PlatformHash))?,
            verification_service: self.verification_service,
            manufacturing_config: self.manufacturing_config,
            components: self.components.ok_or(missing(Part::Components))?,
            others,
        })
    }
}

/// The lifecycle of a platform (claim 2395): the state in bits 15:8, the rest is the
/// implementation's.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Lifecycle(pub u16);

/// A state of a platform's lifecycle. Only in [`Secured`](Self::Secured) does its evidence mean
/// what it says; whether to accept another is a verifier's policy.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum LifecycleState {
    /// 0x00.
    Unknown,
    /// 0x10: assembly and test.
    AssemblyAndTest,
    /// 0x20: the root of trust is being provisioned.
    RotProvisioning,
    /// 0x30.
    Secured,
    /// 0x40: debugging of what is not the platform's root of trust.
    NonPlatformRotDebug,
    /// 0x50: debugging of the root of trust, from which it can recover.
    RecoverableRotDebug,
    /// 0x60.
    Decommissioned,
}

impl Lifecycle {
    /// The state; `None` for values in no range of the specification, which tokens may not have.
    #[must_use]
    pub const fn state(self) -> Option<LifecycleState> {
        let [_, state] = self.0.to_le_bytes();
        Some(match state {
            0x00 => LifecycleState::Unknown,
            0x10 => LifecycleState::AssemblyAndTest,
            0x20 => LifecycleState::RotProvisioning,
            0x30 => LifecycleState::Secured,
            0x40 => LifecycleState::NonPlatformRotDebug,
            0x50 => LifecycleState::RecoverableRotDebug,
            0x60 => LifecycleState::Decommissioned,
            _ => return None,
        })
    }
}

/// A software component of a platform (in claim 2399).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Component<'b> {
    /// What it is (1): `BL`, for example.
    pub name: Option<&'b str>,
    /// Its measurement (2): 32, 48 or 64 bytes.
    pub measurement: &'b [u8],
    /// Its version (4).
    pub version: Option<&'b str>,
    /// The hash of its signer's key (5): 32, 48 or 64 bytes.
    pub signer_id: &'b [u8],
    /// The hash of the measurement (6). Free text: `TF-M_SHA256MemPreXIP` has been seen.
    pub hash: Option<&'b str>,
    /// Whether it was activated live (7); 2.0 beta.
    pub live_activation: Option<bool>,
    /// The encoded array of its countersigners' ids (8); 2.0 beta.
    pub countersigners: Option<&'b [u8]>,
    /// The whole map.
    encoded: &'b [u8],
}

const TYPE: i128 = 1;
const MEASUREMENT: i128 = 2;
const VERSION: i128 = 4;
const SIGNER_ID: i128 = 5;
const MEASUREMENT_HASH: i128 = 6;
const LIVE_ACTIVATION: i128 = 7;
const COUNTERSIGNERS: i128 = 8;

const KNOWN_OF_COMPONENTS: &[i128] =
    &[TYPE, MEASUREMENT, VERSION, SIGNER_ID, MEASUREMENT_HASH, LIVE_ACTIVATION, COUNTERSIGNERS];

impl<'b> Component<'b> {
    /// Entries of the component that this crate does not know.
    #[must_use]
    pub fn others(&self) -> Others<'b> {
        let mut reader = Reader::new(Placed::new(self.encoded));
        // A map: it has been read before.
        let pairs = reader.map(Part::Components).unwrap_or_default();
        Others::new(reader, pairs, KNOWN_OF_COMPONENTS)
    }

    fn read(reader: &mut Reader<'b>) -> Result<Self, Error> {
        let whole = reader.rest();
        let mut labels = Labels::new();
        let (mut measurement, mut signer_id) = (None, None);
        let mut component = Self {
            name: None,
            measurement: &[],
            version: None,
            signer_id: &[],
            hash: None,
            live_activation: None,
            countersigners: None,
            encoded: &[],
        };
        for _ in 0..reader.map(Part::Components)? {
            match labels.next(reader)? {
                Label::Number(TYPE) => component.name = Some(reader.text(Part::ComponentType)?),
                Label::Number(MEASUREMENT) => {
                    let value = reader.bytes(Part::ComponentMeasurement)?;
                    measurement = Some(value.hash(Part::ComponentMeasurement)?);
                }
                Label::Number(VERSION) => {
                    component.version = Some(reader.text(Part::ComponentVersion)?)
                }
                Label::Number(SIGNER_ID) => {
                    let value = reader.bytes(Part::ComponentSigner)?;
                    signer_id = Some(value.hash(Part::ComponentSigner)?);
                }
                Label::Number(MEASUREMENT_HASH) => {
                    component.hash = Some(reader.text(Part::ComponentHash)?)
                }
                Label::Number(LIVE_ACTIVATION) => {
                    component.live_activation = Some(reader.boolean(Part::ComponentActivation)?);
                }
                Label::Number(COUNTERSIGNERS) => {
                    let ids = reader.rest();
                    for _ in 0..reader.array(Part::ComponentCountersigners)? {
                        reader.bytes(Part::ComponentCountersigners)?;
                    }
                    component.countersigners = Some(reader.since(ids));
                }
                _ => drop(reader.item()?),
            }
        }
        let missing = |part| Error::at(ErrorKind::Missing(part), whole.at);
        component.encoded = reader.since(whole);
        component.measurement = measurement.ok_or(missing(Part::ComponentMeasurement))?;
        component.signer_id = signer_id.ok_or(missing(Part::ComponentSigner))?;
        Ok(component)
    }
}

/// Iterator over a platform's software components, all of which have been read once.
#[derive(Clone, Debug)]
pub struct Components<'b> {
    reader: Reader<'b>,
    left: u64,
}

impl<'b> Components<'b> {
    /// Reads the array and passes it.
    fn read(reader: &mut Reader<'b>, rules: Rules) -> Result<Self, Error> {
        let at = reader.offset();
        let left = reader.array(Part::Components)?;
        if left == 0 {
            return Err(Error::at(ErrorKind::Size(Part::Components), at));
        }
        if left > rules.limits.components {
            return Err(Error::at(ErrorKind::Limit, at));
        }
        let components = Self { reader: reader.clone(), left };
        for _ in 0..left {
            Component::read(reader)?;
        }
        Ok(components)
    }
}

impl<'b> Iterator for Components<'b> {
    type Item = Component<'b>;

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        Component::read(&mut self.reader).ok()
    }
}
