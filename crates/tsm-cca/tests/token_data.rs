// SPDX-License-Identifier: MIT OR Apache-2.0
//! Tokens of the world and made ones parse to the claims that are stated about them.

mod common;

use std::collections::BTreeMap;

use common::{cca, diag, json, shared, unhex, yaml};
use serde_json::Value;
use tsm_cca::token::{
    Component, Curve, Form, HashSizes, KeyForm, Label, LifecycleState, MecPolicy, Part,
    PlatformClaims, PlatformProfile, RealmClaims, RealmProfile, Rules, Sign1, SignatureAlgorithm,
    Token, profile,
};
use tsm_cca::{ErrorKind, MeasurementIndex, RemIndex};
use tsm_core::{Algorithm, Digest};

const LENIENT: Rules = Rules { hash_sizes: HashSizes::Any, ..Rules::STRICT };

fn token(bytes: &[u8]) -> Token<'_> {
    Token::parse(bytes, Rules::STRICT).unwrap()
}

/// RIM, REM0 to REM3.
fn measurements<'b>(claims: &RealmClaims<'b>) -> Vec<&'b [u8]> {
    [claims.rim].into_iter().chain(claims.rems).collect()
}

/// SHA-256 in hex, as the index names keys.
fn sha256(bytes: &[u8]) -> String {
    Algorithm::Sha256.hash(bytes).to_string().replace("sha256/", "")
}

/// The whole of `minted.json`.
#[test]
fn minted() {
    let Some(minted) = json("minted/minted.json") else { return };
    let text = |value: &Value| unhex(value.as_str().unwrap());
    let mut refused = BTreeMap::new();
    let mut parsed = 0;
    for file in minted["files"].as_array().unwrap() {
        let name = file["file"].as_str().unwrap();
        let bytes = cca(&format!("minted/{name}")).unwrap();
        assert_eq!(bytes.len() as u64, file["size"].as_u64().unwrap());
        let token = match Token::parse(&bytes, Rules::STRICT) {
            Ok(token) => token,
            Err(error) => {
                assert!(error.offset().is_some(), "{name}: {error}");
                refused.insert(name.to_owned(), error.kind());
                continue;
            }
        };
        parsed += 1;
        let claims = &token.realm.claims;
        assert_eq!(&claims.challenge[..], text(&minted["challenge"]), "{name}");
        assert_eq!(&claims.personalization[..], text(&minted["rpv"]), "{name}");
        let hash = if name.contains("384") {
            Algorithm::Sha384
        } else if name.contains("512") {
            Algorithm::Sha512
        } else {
            Algorithm::Sha256
        };
        assert_eq!(claims.hash, hash, "{name}");
        assert_eq!(claims.public_key_hash, Algorithm::Sha256);
        // The realm's key, of which the index has the hash in each form.
        let legacy = name.contains("legacy");
        if name != "bad-rak-not-bound.cbor" {
            let expected = if legacy { "b5973cb68baa" } else { "0d22e08a9846" };
            assert!(sha256(claims.public_key.encoded).starts_with(expected), "{name}");
        }
        let form = if legacy { KeyForm::Sec1 } else { KeyForm::CoseKey };
        assert_eq!((claims.public_key.form, claims.public_key.curve), (form, Curve::P384));
        assert_eq!(claims.others().count(), 0);

        let stated = &minted["values"][hash.name().replace("sha", "sha-")];
        assert_eq!(claims.rim, text(&stated["rim"]), "{name}");
        assert_eq!(claims.rim_digest().unwrap().as_bytes(), claims.rim);
        let tampered = name == "bad-rem-tampered.cbor";
        for (index, stated) in RemIndex::ALL.into_iter().zip(stated["rem"].as_array().unwrap()) {
            let rem = claims.rem(index).unwrap();
            if tampered && index == RemIndex::REM3 {
                assert!(rem.is_zeros());
                continue;
            }
            assert_eq!(rem.as_bytes(), text(stated), "{name} {index}");
            // The events explain the register by the rule of digests.
            let mut value = Digest::zeros(hash);
            for event in minted["events"].as_array().unwrap() {
                if event["rem"] == index.number() {
                    assert_eq!(event["rsi_index"], MeasurementIndex::of(index).number());
                    let event = event["event"].as_str().unwrap().as_bytes();
                    value.extend(&hash.hash(event)).unwrap();
                }
            }
            assert_eq!(rem, value, "{name} {index}");
        }

        // Forms and profiles, from the file's name and the index.
        let cmw = name.contains("907")
            || name.starts_with("policy")
            || name == "bad-instance-id-prefix.cbor";
        assert_eq!(token.form, if cmw { Form::Cmw } else { Form::Collection }, "{name}");
        let realm = match (legacy, cmw) {
            (true, _) => RealmProfile::Legacy,
            (false, false) => RealmProfile::V1,
            (false, true) => RealmProfile::V2,
        };
        assert_eq!(claims.profile, realm, "{name}");
        let platform = &token.platform.claims;
        let expected = match name {
            "good-907-plat2024-realm2024-sha-256.cbor" => PlatformProfile::V2,
            _ if legacy => PlatformProfile::Legacy,
            _ => PlatformProfile::V1,
        };
        assert_eq!(platform.profile, expected, "{name}");
        assert!(claims.profile.goes_with(platform.profile), "{name}");
        let v2 = realm == RealmProfile::V2;
        assert_eq!(claims.mec_policy, v2.then_some(MecPolicy::Shared), "{name}");
        assert_eq!(claims.instance_id.is_some(), v2, "{name}");
        let state = match name {
            "policy-lifecycle-0x4000.cbor" => LifecycleState::NonPlatformRotDebug,
            "policy-lifecycle-0x6000.cbor" => LifecycleState::Decommissioned,
            _ => LifecycleState::Secured,
        };
        assert_eq!(platform.lifecycle.state(), Some(state), "{name}");
        assert_eq!(token.binds_key(), name != "bad-rak-not-bound.cbor", "{name}");
        assert_eq!((token.device, token.others().count()), (None, 0));
        assert_eq!(token.realm.sign1.algorithm, SignatureAlgorithm::ES384);
        assert_eq!(token.platform.sign1.algorithm, SignatureAlgorithm::ES384);
    }
    let expected = [
        ("bad-alg-length-mismatch.cbor", ErrorKind::HashSize),
        ("bad-challenge-63-bytes.cbor", ErrorKind::Size(Part::Challenge)),
        ("bad-instance-id-prefix.cbor", ErrorKind::Value(Part::InstanceId)),
        ("bad-missing-realm.cbor", ErrorKind::Missing(Part::RealmToken)),
        ("bad-three-rems.cbor", ErrorKind::Size(Part::Rems)),
        ("bad-trailing-bytes.cbor", ErrorKind::Trailing),
        ("bad-truncated.cbor", ErrorKind::Truncated),
    ];
    let refused: Vec<_> = refused.iter().map(|(name, kind)| (name.as_str(), *kind)).collect();
    assert_eq!(refused, expected);
    assert_eq!(parsed, 14);
}

/// What is wrong with these cannot be seen in the layout: they are for whoever verifies signatures,
/// and must not be refused here for another reason.
#[test]
fn only_a_verifier_sees() {
    for name in ["bad-platform-signature", "bad-realm-signature", "bad-rem-tampered"] {
        let Some(bytes) = cca(&format!("minted/{name}.cbor")) else { return };
        assert!(token(&bytes).binds_key(), "{name}");
    }
    // These two lack the binding, which can be computed without a signature.
    for name in ["minted/bad-rak-not-bound.cbor", "veraison-rust-ccatoken/bug-33-repro.cbor"] {
        assert!(!token(&cca(name).unwrap()).binds_key(), "{name}");
    }
}

/// The full values of the public example tokens, from the index.
#[test]
fn published_examples() {
    let Some(index) = cca("INDEX.md") else { return };
    let index = String::from_utf8(index).unwrap();
    let (_, index) = index.split_once("## Full 64-byte values").unwrap();
    let values = |from: &str, to: &str| -> Vec<Vec<u8>> {
        let (_, rest) = index.split_once(from).unwrap();
        let (part, _) = rest.split_once(to).unwrap();
        let words = part.split(|c: char| !c.is_ascii_hexdigit());
        words.filter(|word| word.len() >= 64).map(unhex).collect()
    };
    let check = |path: &str, stated: &[Vec<u8>], hash, zeros: bool| {
        let bytes = cca(path).unwrap();
        let token = token(&bytes);
        let claims = &token.realm.claims;
        let found: Vec<&[u8]> =
            [&claims.challenge[..]].into_iter().chain(measurements(claims)).collect();
        assert_eq!(found[..stated.len()], stated.iter().collect::<Vec<_>>(), "{path}");
        assert_eq!(claims.hash, hash, "{path}");
        let all_zero = claims.rems.iter().all(|rem| rem.iter().all(|&byte| byte == 0));
        assert_eq!(all_zero, zeros, "{path}");
    };
    let example = values("- TF-M example", "- trustee example");
    assert_eq!(example.len(), 6);
    for path in [
        "tf-m-tools/cca_example_token.cbor",
        "veraison-rust-ccatoken/cca-token-draft-ffm-00.cbor",
        "veraison-cca-coserv-demo/ccatoken.cbor",
    ] {
        check(path, &example, Algorithm::Sha256, false);
    }
    let trustee = values("- trustee example", "- bug-33");
    assert_eq!(trustee.len(), 2);
    check("trustee/cca-example-token.cbor", &trustee, Algorithm::Sha512, true);
    let bug = values("- bug-33", "The event sequences");
    assert_eq!(bug.len(), 2);
    let path = "veraison-rust-ccatoken/bug-33-repro.cbor";
    let bytes = cca(path).unwrap();
    let bug_33 = token(&bytes);
    assert_eq!(bug_33.realm.claims.challenge[..], bug[0]);
    assert_eq!(bug_33.realm.claims.rim, bug[1]);
    assert_eq!(bug_33.realm.claims.hash, Algorithm::Sha512);
    assert_eq!(bug_33.platform.claims.components().count(), 16);
}

/// Form, profiles, key form, components, lifecycle as the index states them.
#[test]
fn published_forms() {
    use Form::{Cmw, Collection};
    let legacy = (PlatformProfile::Legacy, RealmProfile::Legacy);
    let cases = [
        ("veraison-ccatoken/cca_token.cbor", Collection, legacy, 4),
        ("veraison-rust-ccatoken/cca-token-01.cbor", Collection, legacy, 4),
        ("veraison-cca-coserv-demo/ccatoken_contraindicated.cbor", Collection, legacy, 4),
        ("veraison-rust-ccatoken/bug-33-repro.cbor", Collection, legacy, 16),
        ("trustee/cca-example-token.cbor", Collection, legacy, 13),
        ("tf-m-tools/cca_token.cbor", Cmw, legacy, 4),
        (
            "veraison-rust-ccatoken/cca-token-draft-ffm-00.cbor",
            Collection,
            (PlatformProfile::V1, RealmProfile::V1),
            13,
        ),
        ("tf-m-tools/cca_example_token.cbor", Cmw, (PlatformProfile::V1, RealmProfile::V2), 13),
    ];
    for (path, form, profiles, components) in cases {
        let Some(bytes) = cca(path) else { return };
        let token = token(&bytes);
        let (platform, realm) = (&token.platform.claims, &token.realm.claims);
        assert_eq!(token.form, form, "{path}");
        assert_eq!((platform.profile, realm.profile), profiles, "{path}");
        assert_eq!(platform.components().count(), components, "{path}");
        assert_eq!(platform.lifecycle.0, 0x3003, "{path}");
        assert_eq!(realm.public_key.form, realm.profile.key_form(), "{path}");
        assert_eq!(token.binds_key(), !path.contains("bug-33"), "{path}");
        let stated = profile(token.platform.sign1.payload).unwrap();
        assert_eq!(stated, Some(platform.profile.name()));
        assert_eq!(profile(token.realm.sign1.payload).unwrap(), realm.profile.name());
    }
}

/// 64-byte measurements under the name SHA-256: refused, and read if the rules say so.
#[test]
fn a_demonstration_with_wrong_sizes() {
    let Some(bytes) = cca("veraison-rust-ccatoken/cca-token-02.cbor") else { return };
    let error = Token::parse(&bytes, Rules::STRICT).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::HashSize);
    let token = Token::parse(&bytes, LENIENT).unwrap();
    let claims = &token.realm.claims;
    // From the index: challenge "AB" 32 times, measurements 64 times 0x43, binding by SHA-512.
    assert_eq!(&claims.challenge[..], b"AB".repeat(32));
    assert!(measurements(claims).iter().all(|value| *value == [0x43; 64]));
    assert_eq!((claims.rim_digest(), claims.rem(RemIndex::REM0)), (None, None));
    assert_eq!((claims.hash, claims.public_key_hash), (Algorithm::Sha256, Algorithm::Sha512));
    assert_eq!(token.platform.sign1.algorithm, SignatureAlgorithm::ES256);
    assert_eq!(token.realm.sign1.algorithm, SignatureAlgorithm::ES384);
    assert!(token.binds_key());
}

/// A platform's half alone.
#[test]
fn platform_tokens() {
    let cose_key = "0d22e08a98469058486318283489bdb36f09dbefeb1864df433fa6e54ea2d711";
    let raw_key = "b5973cb68baa9fc55558786b7ec67f69e40df5ba5aa921cd0c27f40587a011ea";
    let cases = [
        ("tf-m-tools/cca_example_platform_token.cbor", PlatformProfile::V1, cose_key),
        ("tf-rmm/head_platform_token.cbor", PlatformProfile::V1, cose_key),
        ("tf-m-tools/cca_example_platform_token_legacy.cbor", PlatformProfile::Legacy, raw_key),
        ("tf-rmm/eac5_platform_token.cbor", PlatformProfile::Legacy, raw_key),
        ("tf-m-tools/cca_platform_token.cbor", PlatformProfile::Legacy, "0706050403020100"),
    ];
    for (path, profile, challenge) in cases {
        let Some(bytes) = cca(path) else { return };
        let sign1 = Sign1::parse(&bytes).unwrap();
        let claims = PlatformClaims::parse(sign1.payload, Rules::STRICT).unwrap();
        assert_eq!(claims.profile, profile, "{path}");
        assert!(claims.challenge.starts_with(&unhex(challenge)), "{path}");
        assert_eq!(claims.instance_id[..9], unhex("010706050403020100"), "{path}");
        assert_eq!(Token::parse(&bytes, Rules::STRICT).unwrap_err().kind(), ErrorKind::Tag(18));
        // The published key is what the challenge names.
        let key = cca("tf-rmm/head_rak_pub_p384_sec1.bin").unwrap();
        let bound = tsm_cca::token::binds_key(claims.challenge, &key, Algorithm::Sha256);
        assert_eq!(bound, challenge == raw_key, "{path}");
    }
}

/// TF-M's descriptions of its samples.
#[test]
fn described_in_yaml() {
    let cases = [
        ("cca_platform_token.cbor", "cca_platform_token.yaml"),
        ("cca_example_platform_token.cbor", "cca_example_platform_token.yaml"),
        ("cca_example_platform_token_legacy.cbor", "cca_example_platform_token_legacy.yaml"),
    ];
    for (token, description) in cases {
        let Some(bytes) = cca(&format!("tf-m-tools/{token}")) else { return };
        let sign1 = Sign1::parse(&bytes).unwrap();
        let claims = PlatformClaims::parse(sign1.payload, Rules::STRICT).unwrap();
        let description = cca(&format!("tf-m-tools/{description}")).unwrap();
        platform_as_described(&claims, &String::from_utf8(description).unwrap());
    }
    for (name, description) in [
        ("cca_example_token.cbor", "cca_example_token.yaml"),
        ("cca_token.cbor", "valid-cca-token.yaml"),
    ] {
        let bytes = cca(&format!("tf-m-tools/{name}")).unwrap();
        let description = cca(&format!("tf-m-tools/{description}")).unwrap();
        let description = String::from_utf8(description).unwrap();
        let token = token(&bytes);
        if !description.contains("!inc") {
            platform_as_described(&token.platform.claims, &description);
        }
        realm_as_described(&token.realm.claims, &description);
    }
}

fn platform_as_described(claims: &PlatformClaims<'_>, description: &str) {
    let mut components = claims.components();
    let mut component: Option<Component<'_>> = None;
    let mut seen = 0;
    for (key, value) in yaml::pairs(description) {
        let found = match key.as_str() {
            "cca_attestation_profile" | "cca_platform_profile" => claims.profile.name().as_bytes(),
            "cca_platform_challenge" => claims.challenge,
            "cca_platform_implementation_id" => &claims.implementation_id[..],
            "cca_platform_instance_id" => &claims.instance_id[..],
            "cca_platform_config" => claims.config,
            "cca_platform_hash_algo_id" => claims.hash.as_bytes(),
            "cca_platform_verification_service" => claims.verification_service.unwrap().as_bytes(),
            "cca_platform_lifecycle" => {
                assert_eq!(value, format!("secured_{:#06x}", claims.lifecycle.0).as_bytes());
                assert_eq!(claims.lifecycle.state(), Some(LifecycleState::Secured));
                seen += 1;
                continue;
            }
            "sw_component_type" => {
                component = components.next();
                component.unwrap().name.unwrap().as_bytes()
            }
            "signer_id" => component.unwrap().signer_id,
            "sw_component_version" => component.unwrap().version.unwrap().as_bytes(),
            "measurement_value" => component.unwrap().measurement,
            "cca_sw_component_hash_id" => component.unwrap().hash.unwrap().as_bytes(),
            realm if realm.starts_with("cca_realm") || realm == "-" => continue,
            other => panic!("{other}"),
        };
        assert_eq!(found, value, "{key}");
        seen += 1;
    }
    assert!(components.next().is_none());
    assert!(seen >= 8 + 3 * 4, "{seen}");
}

fn realm_as_described(claims: &RealmClaims<'_>, description: &str) {
    let mut rems = claims.rems.into_iter();
    let mut seen = 0;
    // The description of the older sample has been kept up; the sample has not these claims.
    let newer = claims.profile == RealmProfile::V2;
    for (key, value) in yaml::pairs(description) {
        let found = match key.as_str() {
            "cca_realm_profile" => claims.profile.name().unwrap().as_bytes(),
            "cca_realm_challenge" => &claims.challenge[..],
            "cca_realm_instance_id" if newer => &claims.instance_id.unwrap()[..],
            "cca_realm_hash_algm_id" => {
                assert_eq!((value, claims.hash), (b"sha-256".to_vec(), Algorithm::Sha256));
                continue;
            }
            "cca_realm_pub_key_hash_algo_id" => {
                assert_eq!(value, b"sha-256");
                assert_eq!(claims.public_key_hash, Algorithm::Sha256);
                continue;
            }
            "cca_realm_personalization_value" => &claims.personalization[..],
            "cca_realm_pub_key" => claims.public_key.encoded,
            "cca_realm_initial_measurement" => claims.rim,
            "cca_realm_mec_policy" if newer => {
                assert_eq!((&value[..], claims.mec_policy), (&b"1"[..], Some(MecPolicy::Private)));
                continue;
            }
            "-" => rems.next().unwrap(),
            _ => continue,
        };
        assert_eq!(found, value, "{key}");
        seen += 1;
    }
    assert!(rems.next().is_none());
    assert!(seen >= 8, "{seen}");
}

/// Veraison's claims in diagnostic notation.
#[test]
fn diagnostic_notation() {
    let Some(folder) = shared("cca/veraison-ccatoken") else { return };
    let claims = |name: &str| {
        diag::encode(&std::fs::read_to_string(folder.join(format!("{name}.diag"))).unwrap())
    };
    let platform = |name: &str| {
        PlatformClaims::parse(&claims(name), Rules::STRICT).map(drop).map_err(|e| e.kind())
    };
    let realm =
        |name: &str| RealmClaims::parse(&claims(name), LENIENT).map(drop).map_err(|e| e.kind());
    for name in [
        "CcaPlatformClaimsAll",
        "CcaPlatformClaimsMandatoryOnly",
        "CcaPlatformExample",
        "CcaPlatformLegacyClaimsAll",
        "CcaPlatformLegacyClaimsMandatoryOnly",
    ] {
        assert_eq!(platform(name), Ok(()), "{name}");
    }
    let nonce = "CcaPlatformClaimsMissingMandatoryNonce";
    assert_eq!(platform(nonce), Err(ErrorKind::Missing(Part::Challenge)));
    let nonces = "CcaPlatformClaimsInvalidMultiNonce";
    assert_eq!(platform(nonces), Err(ErrorKind::Type(Part::Challenge)));

    for name in ["CcaRealmClaimsAll", "CcaRealmExample", "CcaRealmLegacyClaimsAll"] {
        assert_eq!(realm(name), Ok(()), "{name}");
    }
    let strict = |name| RealmClaims::parse(&claims(name), Rules::STRICT).map(drop);
    assert_eq!(strict("CcaRealmExample"), Ok(()));
    assert_eq!(strict("CcaRealmClaimsAll").unwrap_err().kind(), ErrorKind::HashSize);
    for (name, part) in [
        ("CcaClaimsMissingMandExtendedMeas", Part::Rems),
        ("CcaClaimsMissingMandHashAlgID", Part::RealmHash),
        ("CcaClaimsMissingMandInitialMeas", Part::Rim),
        ("CcaClaimsMissingMandPubKey", Part::PublicKey),
        ("CcaRealmClaimsMissingMandNonce", Part::Challenge),
    ] {
        assert_eq!(realm(name), Err(ErrorKind::Missing(part)), "{name}");
    }

    let all = claims("CcaPlatformClaimsAll");
    let all = PlatformClaims::parse(&all, Rules::STRICT).unwrap();
    assert_eq!((all.challenge, all.lifecycle.0), (&[1; 32][..], 12288));
    let component = all.components().next().unwrap();
    assert_eq!((component.measurement, component.signer_id), (&[3; 32][..], &[4; 32][..]));
    assert_eq!((component.name, component.version, component.hash), (None, None, None));
}

/// Maps of claims, and what the encoder of the tests makes of their descriptions.
#[test]
fn maps_of_claims() {
    let Some(folder) = shared("cca/veraison-rust-ccatoken") else { return };
    let read = |name: &str| {
        let bytes = std::fs::read(folder.join(format!("{name}.cbor"))).unwrap();
        let text = std::fs::read_to_string(folder.join(format!("{name}.diag"))).unwrap();
        assert_eq!(diag::encode(&text), bytes, "{name}");
        bytes
    };
    for name in ["cca-token-01", "cca-token-02"] {
        assert!(Token::parse(&read(name), LENIENT).is_ok());
    }
    let platform = read("platform-claims");
    let platform = PlatformClaims::parse(&platform, Rules::STRICT).unwrap();
    assert_eq!((platform.challenge, platform.config), (&[0xAA; 64][..], &[0xCF; 4][..]));
    assert_eq!(platform.components().count(), 2);

    let realm = read("realm-claims");
    let realm = RealmClaims::parse(&realm, Rules::STRICT).unwrap();
    assert_eq!((realm.profile, realm.challenge), (RealmProfile::Legacy, &[0xAB; 64]));
    assert_eq!(realm.others().count(), 0);
    for (name, label) in [
        ("realm-claims+spurious-numeric-key", Label::Number(1_234_567)),
        ("realm-claims+spurious-text-key", Label::Text("unknown-key")),
    ] {
        let bytes = read(name);
        let claims = RealmClaims::parse(&bytes, Rules::STRICT).unwrap();
        let others: Vec<_> = claims.others().collect();
        assert_eq!(others, [(label, &b"\x6dunknown-claim"[..])], "{name}");
    }
    let missing = read("realm-claims-missing-challenge");
    let missing = RealmClaims::parse(&missing, Rules::STRICT).unwrap_err();
    assert_eq!(missing.kind(), ErrorKind::Missing(Part::Challenge));
}
