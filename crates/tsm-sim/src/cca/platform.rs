// SPDX-License-Identifier: MIT OR Apache-2.0
//! The platform below the monitor: makes tokens.

use minicbor::Encoder;
use p384::ecdsa::SigningKey;
use sha2::{Digest as _, Sha256, Sha384};
use tsm_cca::token::{Form, KeyForm, PlatformProfile, RealmProfile};
use tsm_core::Algorithm;

use super::encoding::{self, Encoded, Half, Sink};
use super::{Attester, RealmState};

/// A simulated CCA platform: it signs the platform's half of a token with its attestation key (CPAK),
/// and the realm's half with a realm attestation key (RAK) that the other half names.
///
/// **Its keys are hashes of its name: everybody has them.** The claims say so: implementation id,
/// configuration, verification service and software component begin with `SIMULATED`.
///
/// Signatures are deterministic: of the same realm and challenge it makes the same token. All are
/// ES384, as TF-RMM's; the key's hash is SHA-256.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Platform {
    secret: [u8; 32],
    form: Form,
    platform_profile: PlatformProfile,
    realm_profile: RealmProfile,
    filler: u16,
}

impl Platform {
    /// Claim 2396 of every simulated platform.
    pub const IMPLEMENTATION_ID: [u8; 32] = *b"SIMULATED CCA platform (tsm-sim)";
    /// Claim 2400 of every simulated platform.
    pub const VERIFICATION_SERVICE: &str = "https://SIMULATED.invalid/";

    /// The platform of this name, with tokens of RMM 1.0-rel0: tag 399, profiles of 2023.
    #[must_use]
    pub fn new(name: &str) -> Self {
        let secret = Sha256::new_with_prefix("SIMULATED secret of the CCA platform ");
        Self::from_secret(secret.chain_update(name).finalize().into())
    }

    pub(super) const fn from_secret(secret: [u8; 32]) -> Self {
        Self {
            secret,
            form: Form::Collection,
            platform_profile: PlatformProfile::V1,
            realm_profile: RealmProfile::V1,
            filler: 0,
        }
    }

    /// The same with tokens of this form.
    #[must_use]
    pub const fn with_form(mut self, form: Form) -> Self {
        self.form = form;
        self
    }

    /// The same with tokens of these profiles. The realm's chooses the form of the key, and whether
    /// there are the claims of 2.0 beta.
    #[must_use]
    pub const fn with_profiles(mut self, platform: PlatformProfile, realm: RealmProfile) -> Self {
        (self.platform_profile, self.realm_profile) = (platform, realm);
        self
    }

    /// The same with so many more bytes in the platform's configuration (claim 2401), to make tokens
    /// large. The monitor has room for [`TOKEN_MAX`](super::TOKEN_MAX) in all.
    #[must_use]
    pub const fn with_filler(mut self, bytes: u16) -> Self {
        self.filler = bytes;
        self
    }

    pub(super) const fn secret(&self) -> &[u8; 32] {
        &self.secret
    }

    pub(super) const fn form(&self) -> Form {
        self.form
    }

    pub(super) const fn profiles(&self) -> (PlatformProfile, RealmProfile) {
        (self.platform_profile, self.realm_profile)
    }

    pub(super) const fn filler(&self) -> u16 {
        self.filler
    }

    /// The public part of the CPAK, uncompressed (SEC 1, 2.3.3): what a verifier of simulated tokens
    /// has to trust. `None` if the secret gives no key, which nobody will see.
    #[must_use]
    pub fn attestation_key(&self) -> Option<[u8; 97]> {
        point(&self.key("attestation key")?)
    }

    /// The public part of the RAK.
    #[must_use]
    pub fn realm_key(&self) -> Option<[u8; 97]> {
        point(&self.key("realm attestation key")?)
    }

    /// Claim 256 of the platform's half: 1, and a hash of the CPAK.
    #[must_use]
    pub fn instance_id(&self) -> Option<[u8; 33]> {
        self.attestation_key().map(|key| instance_id(&key))
    }

    fn key(&self, purpose: &str) -> Option<SigningKey> {
        let candidate = |n: u8| {
            let hash = Sha384::new_with_prefix("SIMULATED ").chain_update(purpose);
            let scalar = hash.chain_update(self.secret).chain_update([n]).finalize();
            SigningKey::from_slice(&scalar).ok()
        };
        (0..=u8::MAX).find_map(candidate)
    }

    fn platform_claims(
        &self,
        e: &mut Encoder<&mut Sink<'_>>,
        binding: &[u8],
        instance_id: &[u8; 33],
    ) -> Encoded {
        const CONFIG: &[u8] = b"SIMULATED";
        let hash = |text: &str| Sha256::digest(text);
        e.map(9)?;
        e.u32(265)?.str(self.platform_profile.name())?;
        e.u32(10)?.bytes(binding)?;
        e.u32(2396)?.bytes(&Self::IMPLEMENTATION_ID)?;
        e.u32(256)?.bytes(instance_id)?;
        e.u32(2401)?.bytes_len(u64::from(self.filler).saturating_add(9))?;
        e.writer_mut().raw(CONFIG)?;
        for _ in 0..self.filler {
            e.writer_mut().raw(&[0])?;
        }
        // Secured.
        e.u32(2395)?.u32(0x3000)?;
        e.u32(2399)?.array(1)?.map(5)?;
        e.u32(1)?.str("SIMULATED RMM")?;
        e.u32(2)?.bytes(&hash("SIMULATED measurement of the RMM"))?;
        e.u32(4)?.str("0")?;
        e.u32(5)?.bytes(&hash("SIMULATED signer of the RMM"))?;
        e.u32(6)?.str("sha-256")?;
        e.u32(2400)?.str(Self::VERIFICATION_SERVICE)?;
        e.u32(2402)?.str("sha-256").map(drop)
    }

    fn realm_claims(
        &self,
        e: &mut Encoder<&mut Sink<'_>>,
        realm: &RealmState,
        challenge: &[u8; 64],
        key: &[u8],
    ) -> Encoded {
        let [rim, rems @ ..] = realm.values();
        let newer = self.realm_profile == RealmProfile::V2;
        let profile = self.realm_profile.name();
        let labels = 7_u64.saturating_add(profile.is_some().into());
        e.map(if newer { labels.saturating_add(2) } else { labels })?;
        e.u32(10)?.bytes(challenge)?;
        if let Some(profile) = profile {
            e.u32(265)?.str(profile)?;
        }
        if newer {
            e.u32(256)?.bytes(&instance_id(rim.as_bytes()))?;
        }
        e.u32(44235)?.bytes(realm.personalization())?;
        e.u32(44236)?.str(name(realm.hash()))?;
        e.u32(44237)?.bytes(key)?;
        e.u32(44238)?.bytes(rim.as_bytes())?;
        e.u32(44239)?.array(4)?;
        for rem in rems {
            e.bytes(rem.as_bytes())?;
        }
        e.u32(44240)?.str("sha-256")?;
        if newer {
            // Memory encryption contexts: shared.
            e.u32(44243)?.u32(0)?;
        }
        Ok(())
    }

    /// Claim 44237, at most 107 bytes.
    fn public_key(&self, point: &[u8; 97], out: &mut [u8; 107]) -> Option<usize> {
        let mut sink = Sink::new(out);
        let (x, y) = point.split_last_chunk::<48>().and_then(|(rest, y)| {
            let (_, x) = rest.split_last_chunk::<48>()?;
            Some((x, y))
        })?;
        match self.realm_profile.key_form() {
            KeyForm::Sec1 => sink.raw(point).ok()?,
            // EC2 on P-384, in the order of TF-RMM.
            KeyForm::CoseKey => sink.put(&|e| {
                e.map(4)?.i8(1)?.i8(2)?.i8(-1)?.i8(2)?;
                e.i8(-2)?.bytes(x)?.i8(-3)?.bytes(y).map(drop)
            })?,
        }
        Some(sink.size())
    }
}

impl Attester for Platform {
    fn token(&self, realm: &RealmState, challenge: &[u8; 64], out: &mut [u8]) -> Option<usize> {
        let (platform_key, realm_key) =
            (self.key("attestation key")?, self.key("realm attestation key")?);
        let mut public_key = [0; 107];
        let size = self.public_key(&point(&realm_key)?, &mut public_key)?;
        let public_key = public_key.get(..size)?;
        let binding = Sha256::digest(public_key);
        let instance_id = instance_id(&point(&platform_key)?);
        let platform = Half {
            claims: &|e| self.platform_claims(e, &binding, &instance_id),
            key: &platform_key,
        };
        let realm = Half {
            claims: &|e| self.realm_claims(e, realm, challenge, public_key),
            key: &realm_key,
        };
        let mut sink = Sink::new(out);
        encoding::token(&mut sink, self.form, &platform, &realm)?;
        Some(sink.size())
    }
}

fn point(key: &SigningKey) -> Option<[u8; 97]> {
    key.verifying_key().to_sec1_point(false).as_bytes().try_into().ok()
}

/// 1, and a hash.
fn instance_id(of: &[u8]) -> [u8; 33] {
    let mut id = [1; 33];
    for (to, from) in id.iter_mut().skip(1).zip(Sha256::digest(of)) {
        *to = from;
    }
    id
}

/// A realm's hash in claim 44236.
const fn name(hash: Algorithm) -> &'static str {
    match hash {
        Algorithm::Sha256 => "sha-256",
        Algorithm::Sha384 => "sha-384",
        _ => "sha-512",
    }
}
