// SPDX-License-Identifier: MIT OR Apache-2.0
//! Tokens of the simulator: read by the adapter, verified step by step.

use p384::ecdsa::signature::Verifier as _;
use p384::ecdsa::{Signature, VerifyingKey};
use tsm_cca::token::{
    Form, KeyForm, LifecycleState, MecPolicy, PlatformProfile, RealmKey, RealmProfile, Rules,
    Sign1, SignatureAlgorithm, Token,
};
use tsm_cca::{Challenge, Granule, MeasurementIndex, Realm, RemIndex};
use tsm_core::{Algorithm, Digest};
use tsm_sim::cca::{Attester as _, Monitor, Platform, Quirks, RealmState, TOKEN_MAX};

const HASHES: [Algorithm; 3] = [Algorithm::Sha256, Algorithm::Sha384, Algorithm::Sha512];
const REALM_PROFILES: [RealmProfile; 3] =
    [RealmProfile::Legacy, RealmProfile::V1, RealmProfile::V2];

fn monitor(hash: Algorithm, platform: Platform) -> Monitor<Platform> {
    let mut realm = RealmState::new(hash).unwrap();
    for number in 0..5 {
        let index = MeasurementIndex::new(number).unwrap();
        realm.set_value(index, hash.hash(&[number as u8])).unwrap();
    }
    Monitor::with_realm(realm.with_personalization([7; 64])).with_attester(platform)
}

fn token(monitor: &mut Monitor<Platform>, challenge: [u8; 64]) -> Vec<u8> {
    let (mut granule, mut out) = (Granule::new(), vec![0; TOKEN_MAX]);
    let mut realm = Realm::open(monitor).unwrap();
    let size = realm.token(&Challenge::new(challenge), &mut granule, &mut out).unwrap();
    out.truncate(size);
    out
}

fn verifies(sign1: &Sign1<'_>, key: &VerifyingKey) -> bool {
    let structure = sign1.sig_structure();
    let mut signed = vec![0; structure.size()];
    assert_eq!(structure.write(&mut signed), Some(signed.len()));
    let signature = Signature::from_slice(sign1.signature).unwrap();
    assert_eq!(sign1.algorithm, SignatureAlgorithm::ES384);
    key.verify(&signed, &signature).is_ok()
}

fn realm_key(key: &RealmKey<'_>) -> VerifyingKey {
    VerifyingKey::from_sec1_bytes(&[&[4], key.x, key.y].concat()).unwrap()
}

/// What a verifier does, with the platform's key for a trust anchor.
fn verified(token: &Token<'_>, platform: &Platform) -> [bool; 3] {
    let anchor = VerifyingKey::from_sec1_bytes(&platform.attestation_key().unwrap()).unwrap();
    let key = realm_key(&token.realm.claims.public_key);
    [
        verifies(&token.platform.sign1, &anchor),
        token.binds_key(),
        verifies(&token.realm.sign1, &key),
    ]
}

#[test]
fn every_kind() {
    let mut seen = 0;
    for form in [Form::Collection, Form::Cmw] {
        for platform_profile in PlatformProfile::ALL {
            for realm_profile in REALM_PROFILES {
                // Every profile comes with every hash.
                let hash = HASHES[(seen + seen / 3) % 3];
                let platform = Platform::new("every kind")
                    .with_form(form)
                    .with_profiles(platform_profile, realm_profile);
                let mut monitor = monitor(hash, platform.clone());
                let bytes = token(&mut monitor, [seen as u8; 64]);
                let token = Token::parse(&bytes, Rules::STRICT).unwrap();
                assert_eq!(verified(&token, &platform), [true; 3]);
                assert_eq!(token.form, form);
                let claims = &token.realm.claims;
                assert_eq!((claims.profile, claims.hash), (realm_profile, hash));
                assert_eq!(claims.challenge, &[seen as u8; 64]);
                assert_eq!(claims.personalization, &[7; 64]);
                assert_eq!(claims.rim_digest(), Some(hash.hash(&[0])));
                for index in RemIndex::ALL {
                    let expected = hash.hash(&[index.number() as u8 + 1]);
                    assert_eq!(claims.rem(index), Some(expected));
                }
                assert_eq!(claims.public_key.form, realm_profile.key_form());
                let newer = realm_profile == RealmProfile::V2;
                assert_eq!(claims.instance_id.is_some(), newer);
                assert_eq!(claims.mec_policy, newer.then_some(MecPolicy::Shared));
                let key = realm_key(&claims.public_key).to_sec1_point(false);
                assert_eq!(key.as_bytes(), platform.realm_key().unwrap());
                let size = claims.public_key.encoded.len();
                let raw = claims.public_key.form == KeyForm::Sec1;
                assert_eq!(size, if raw { 97 } else { 107 });
                assert_eq!(token.platform.claims.profile, platform_profile);
                seen += 1;
            }
        }
    }
    assert_eq!(seen, 18);
}

/// Whoever looks at a token sees what it is.
#[test]
fn says_what_it_is() {
    let platform = Platform::new("says");
    let bytes = token(&mut monitor(Algorithm::Sha256, platform.clone()), [1; 64]);
    let token = Token::parse(&bytes, Rules::STRICT).unwrap();
    let claims = &token.platform.claims;
    assert!(claims.implementation_id.starts_with(b"SIMULATED "));
    assert!(claims.config.starts_with(b"SIMULATED"));
    assert!(claims.verification_service.unwrap().starts_with("https://SIMULATED.invalid"));
    let [component] = claims.components().collect::<Vec<_>>()[..] else { panic!() };
    assert!(component.name.unwrap().starts_with("SIMULATED "));
    let hash = Algorithm::Sha256.hash(b"SIMULATED measurement of the RMM");
    assert_eq!(component.measurement, hash.as_bytes());
    assert_eq!(claims.lifecycle.state(), Some(LifecycleState::Secured));
    assert_eq!(claims.instance_id, &platform.instance_id().unwrap());
}

/// The challenge of the platform's half is the hash of the key as it stands in the claim.
#[test]
fn key_is_bound() {
    for profile in REALM_PROFILES {
        let platform = Platform::new("bound").with_profiles(PlatformProfile::V1, profile);
        let bytes = token(&mut monitor(Algorithm::Sha512, platform), [1; 64]);
        let token = Token::parse(&bytes, Rules::STRICT).unwrap();
        let hash = Algorithm::Sha256.hash(token.realm.claims.public_key.encoded);
        assert_eq!(token.platform.claims.challenge, hash.as_bytes());
        assert_eq!(token.realm.claims.public_key_hash, Algorithm::Sha256);
    }
}

/// Halves of two platforms' tokens do not go together, and each key signs for its own.
#[test]
fn other_keys() {
    let (one, other) = (Platform::new("one"), Platform::new("other"));
    let [first, second] = [&one, &other]
        .map(|platform| token(&mut monitor(Algorithm::Sha256, platform.clone()), [1; 64]));
    let [first, second] = [&first, &second].map(|t| Token::parse(t, Rules::STRICT).unwrap());
    assert_eq!(verified(&first, &one), [true; 3]);
    assert_eq!(verified(&first, &other), [false, true, true]);
    assert!(!verifies(&first.realm.sign1, &realm_key(&second.realm.claims.public_key)));
    let claims = &second.realm.claims;
    assert!(!tsm_cca::token::binds_key(
        first.platform.claims.challenge,
        claims.public_key.encoded,
        claims.public_key_hash
    ));
    assert_ne!(one.attestation_key(), one.realm_key());
}

/// A bit of any measurement, or of anything else that is signed.
#[test]
fn changed_claims() {
    let platform = Platform::new("changed");
    let bytes = token(&mut monitor(Algorithm::Sha256, platform.clone()), [1; 64]);
    let good = Token::parse(&bytes, Rules::STRICT).unwrap();
    let place = |part: &[u8]| part.as_ptr().addr() - bytes.as_ptr().addr();
    for (at, expected) in [
        (
            place(
                good.realm.claims.rem(RemIndex::REM3).map(|_| good.realm.claims.rems[3]).unwrap(),
            ),
            [true, true, false],
        ),
        (place(good.realm.claims.rim), [true, true, false]),
        (place(good.realm.claims.challenge), [true, true, false]),
        (place(good.realm.sign1.signature), [true, true, false]),
        (place(good.platform.claims.challenge), [false, false, true]),
        (place(good.platform.claims.config), [false, true, true]),
        (place(good.platform.sign1.signature), [false, true, true]),
    ] {
        let mut changed = bytes.clone();
        changed[at] ^= 1;
        let token = Token::parse(&changed, Rules::STRICT).unwrap();
        assert_eq!(verified(&token, &platform), expected, "{at}");
    }
}

/// More than one granule, as much as there is room for, and more.
#[test]
fn large_tokens() {
    let size = |filler| {
        let platform = Platform::new("large").with_filler(filler);
        let bytes = token(&mut monitor(Algorithm::Sha512, platform.clone()), [1; 64]);
        let token = Token::parse(&bytes, Rules::STRICT).unwrap();
        assert_eq!(verified(&token, &platform), [true; 3]);
        assert_eq!(token.platform.claims.config.len(), usize::from(filler) + 9);
        bytes.len()
    };
    let base = size(300);
    assert!((1000..2500).contains(&base), "{base}");
    let most = u16::try_from(TOKEN_MAX - base).unwrap() + 300;
    assert_eq!((size(4000), size(most)), (base + 3700, TOKEN_MAX));
    let platform = Platform::new("large").with_filler(most + 1);
    let mut monitor = monitor(Algorithm::Sha512, platform);
    assert!(Realm::open(&mut monitor).unwrap().attest(&Challenge::new([1; 64])).is_err());
    for room in [0, 1, 100, 1000] {
        let made = monitor.attester().token(monitor.realm(), &[1; 64], &mut vec![0; room]);
        assert_eq!(made, None);
    }
}

/// The measurements are those of the moment at which the token was begun.
#[test]
fn of_one_moment() {
    let hash = Algorithm::Sha256;
    let quirks = Quirks { chunk: 100, idle: 2, ..Quirks::NONE };
    let monitor = Monitor::new().with_attester(Platform::new("moment")).with_quirks(quirks);
    let mut realm = Realm::open(monitor).unwrap();
    realm.extend(RemIndex::REM0, &hash.hash(b"before")).unwrap();
    let expected = realm.measurement(RemIndex::REM0.into(), hash).unwrap();
    assert!(realm.attest(&Challenge::new([1; 64])).is_ok());
    realm.extend(RemIndex::REM0, &hash.hash(b"after")).unwrap();
    let mut bytes = Vec::new();
    let mut registers = tsm_cca::Registers::default();
    while registers.x[0] != 0 || bytes.is_empty() {
        (registers.x[0], registers.x[1], registers.x[2], registers.x[3]) =
            (0xC400_0195, 0x1000, 0, 4096);
        realm.smc_mut().execute(&mut registers, &mut Appending(&mut bytes)).unwrap();
    }
    let token = Token::parse(&bytes, Rules::STRICT).unwrap();
    assert_eq!(token.realm.claims.rem(RemIndex::REM0), Some(expected));
    assert_ne!(expected, Digest::zeros(hash));
}

struct Appending<'b>(&'b mut Vec<u8>);

impl tsm_sim::cca::GuestMemory for Appending<'_> {
    fn write(
        &mut self,
        _: tsm_cca::GuestPhysical,
        bytes: &[u8],
    ) -> Result<(), tsm_sim::cca::Fault> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }
}
