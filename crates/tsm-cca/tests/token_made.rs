// SPDX-License-Identifier: MIT OR Apache-2.0
//! Tokens made for these tests, each with one thing wrong, and what is said about it.

mod common;

use common::{cca, diag};
use tsm_cca::ErrorKind;
use tsm_cca::token::{
    Form, Label, Limits, MecPolicy, Part, PlatformClaims, RealmClaims, Rules, Token, profile,
};
use tsm_core::Algorithm;

/// Claims in diagnostic notation, one a line. `N*` stands for a string of N bytes.
const PLATFORM: &str = r#"{
265: "tag:arm.com,2024:cca_platform#2.0.0",
10: 32*,
2396: 32*,
256: 33*,
2401: h'CFCF',
2395: 12288,
2399: [{1: "BL", 2: 48*, 4: "1.0", 5: 32*, 6: "sha-384", 7: false, 8: [32*, 64*]}, {2: 64*, 5: 64*}],
2400: "https://verifier.example",
2402: "sha-256",
2403: h'03',
}"#;

const REALM: &str = r#"{
10: 64*,
265: "tag:arm.com,2024:realm#2.0.0",
256: 33*,
44235: 64*,
44236: "sha-384",
44237: <<{1: 2, -1: 2, -2: 48*, -3: 48*}>>,
44238: 48*,
44239: [48*, 48*, 48*, 48*],
44240: "sha-256",
44243: 1,
44244: 0,
44257: 32*,
}"#;

/// The encoding; strings of N bytes are 0x01, N times.
fn encode(notation: &str) -> Vec<u8> {
    let mut out = String::new();
    let mut rest = notation;
    while let Some((before, after)) = rest.split_once('*') {
        let digits = before.trim_end_matches(|c: char| c.is_ascii_digit());
        let size: usize = before[digits.len()..].parse().unwrap();
        out.push_str(digits);
        out.push_str(&format!("h'{}'", "01".repeat(size)));
        rest = after;
    }
    diag::encode(&(out + rest))
}

/// The same with a line in another form.
fn with(claims: &str, line: &str, other: &str) -> String {
    let lines = claims.lines().filter(|found| found.starts_with(line));
    let [found] = lines.collect::<Vec<_>>()[..] else { panic!("{line}") };
    claims.replace(&format!("{found}\n"), &format!("{other}\n"))
}

fn platform(claims: &str) -> Result<(), ErrorKind> {
    let parsed = PlatformClaims::parse(&encode(claims), Rules::STRICT).map(drop);
    parsed.map_err(|error| error.kind())
}

fn realm(claims: &str) -> Result<(), ErrorKind> {
    let parsed = RealmClaims::parse(&encode(claims), Rules::STRICT).map(drop);
    parsed.map_err(|error| error.kind())
}

fn sign1(claims: &str) -> String {
    format!("<<18([<<{{1: -35}}>>, {{}}, <<{claims}>>, 96*])>>")
}

fn cmw(platform: &str, realm: &str, more: &str) -> Vec<u8> {
    let (platform, realm) = (sign1(platform), sign1(realm));
    encode(&format!("907({{44234: [263, {platform}], 44241: [263, {realm}], {more}}})"))
}

#[test]
fn a_whole_token() {
    let more = "44258: [601, h'0102'], 44251: h'07', \"__cmwc_t\": \"x\"";
    let bytes = cmw(PLATFORM, REALM, more);
    let token = Token::parse(&bytes, Rules::STRICT).unwrap();
    assert_eq!((token.form, token.device), (Form::Cmw, Some(&[1, 2][..])));
    let others: Vec<_> = token.others().collect();
    assert_eq!(
        others,
        [(Label::Number(44251), &b"\x41\x07"[..]), (Label::Text("__cmwc_t"), &b"\x61x"[..])]
    );
    let claims = &token.platform.claims;
    assert_eq!((claims.manufacturing_config, claims.hash), (Some(&[3][..]), "sha-256"));
    assert_eq!(claims.verification_service, Some("https://verifier.example"));
    let [first, second] = claims.components().collect::<Vec<_>>()[..] else { panic!() };
    assert_eq!((first.name, first.version, first.hash), (Some("BL"), Some("1.0"), Some("sha-384")));
    assert_eq!((first.live_activation, first.measurement.len()), (Some(false), 48));
    assert_eq!(first.countersigners.unwrap(), encode("[32*, 64*]"));
    assert_eq!((second.live_activation, second.countersigners), (None, None));
    let claims = &token.realm.claims;
    assert_eq!((claims.hash, claims.mec_policy), (Algorithm::Sha384, Some(MecPolicy::Private)));
    assert_eq!((claims.activation_policy, claims.devices_hash), (Some(0), Some(&[1; 32][..])));
    // Array and context, protected header, external data, the payload's head and the payload.
    let sign1 = &token.realm.sign1;
    assert_eq!(sign1.sig_structure().size(), 12 + 5 + 1 + 3 + sign1.payload.len());
    assert!(!token.binds_key());
    // A challenge that is the key's hash binds it, and proves nothing.
    let hash = Algorithm::Sha256.hash(claims.public_key.encoded);
    let hash: String = hash.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    let bound = with(PLATFORM, "10:", &format!("10: h'{hash}',"));
    let bytes = cmw(&bound, REALM, "");
    assert!(Token::parse(&bytes, Rules::STRICT).unwrap().binds_key());
}

/// In claims and in each component: what is known is left out, the rest is handed out as it stands.
#[test]
fn unknown_entries_are_kept() {
    let components = "2399: [{3: [3], \"x\": {1: h'02'}, 1: \"BL\", 2: 48*, 5: 32*, -7: -1}, \
                      {2: 64*, 5: 64*}, {9: [], 2: 32*, 5: 32*, 2399: \"\"}],";
    let claims = with(PLATFORM, "2399", components);
    let bytes = encode(&with(&claims, "2403", "2403: h'03',\n2404: 7,"));
    let claims = PlatformClaims::parse(&bytes, Rules::STRICT).unwrap();
    let others: Vec<_> = claims.others().collect();
    assert_eq!(others, [(Label::Number(2404), &b"\x07"[..])]);
    let found: Vec<Vec<_>> = claims.components().map(|c| c.others().collect()).collect();
    let number = Label::Number;
    let expected: [&[(Label<'_>, &[u8])]; 3] = [
        &[(number(3), b"\x81\x03"), (Label::Text("x"), b"\xa1\x01\x41\x02"), (number(-7), b"\x20")],
        &[],
        &[(number(9), b"\x80"), (number(2399), b"\x60")],
    ];
    assert_eq!(found, expected);
    // A part of what was read, so that its place can be told.
    let (_, value) = claims.components().flat_map(|component| component.others()).next().unwrap();
    assert!(bytes.as_ptr_range().contains(&value.as_ptr()));
    // What is not known must be well-formed too, and there but once.
    for (entry, kind) in [("3: [3]", ErrorKind::Duplicate), ("2: 48*", ErrorKind::Duplicate)] {
        let twice = components.replace("-7: -1", entry);
        assert_eq!(platform(&with(PLATFORM, "2399", &twice)), Err(kind), "{entry}");
    }
    let place = bytes.windows(4).position(|bytes| bytes == b"\xa1\x01\x41\x02").unwrap();
    let mut reserved = bytes.clone();
    reserved[place] = 0xBC;
    let error = PlatformClaims::parse(&reserved, Rules::STRICT).unwrap_err();
    assert_eq!((error.kind(), error.offset()), (ErrorKind::Malformed, Some(place)));
}

#[test]
fn collections() {
    let (platform, realm) = (sign1(PLATFORM), sign1(REALM));
    let kind = |notation: String| {
        Token::parse(&encode(&notation), Rules::STRICT).map(|t| t.form).map_err(|e| e.kind())
    };
    let (p, r) = (format!("44234: {platform}"), format!("44241: {realm}"));
    assert_eq!(kind(format!("399({{{p}, {r}}})")), Ok(Form::Collection));
    assert_eq!(kind(format!("399({{{r}, {p}}})")), Ok(Form::Collection));
    // A device's token has no meaning in this form; it is kept like any other.
    assert_eq!(kind(format!("399({{{p}, {r}, 44258: [601, h'']}})")), Ok(Form::Collection));
    let missing = |part| Err(ErrorKind::Missing(part));
    assert_eq!(kind(format!("399({{{p}}})")), missing(Part::RealmToken));
    assert_eq!(kind(format!("399({{{r}}})")), missing(Part::PlatformToken));
    assert_eq!(kind(format!("399({{{p}, {r}, {r}}})")), Err(ErrorKind::Duplicate));
    assert_eq!(kind(format!("398({{{p}, {r}}})")), Err(ErrorKind::Tag(398)));
    assert_eq!(kind(format!("{{{p}, {r}}}")), Err(ErrorKind::Type(Part::Collection)));
    assert_eq!(kind(format!("399([{p}, {r}])")), Err(ErrorKind::Type(Part::Collection)));
    assert_eq!(kind(format!("907({{{p}, {r}}})")), Err(ErrorKind::Type(Part::Record)));
    let swapped = format!("399({{44234: [263, {platform}], {r}}})");
    assert_eq!(kind(swapped), Err(ErrorKind::Type(Part::PlatformToken)));
    let cmw = |record: &str| kind(format!("907({{44234: [263, {platform}], 44241: {record}}})"));
    assert_eq!(cmw(&format!("[263, {realm}]")), Ok(Form::Cmw));
    assert_eq!(cmw(&format!("[601, {realm}]")), Err(ErrorKind::Value(Part::Record)));
    assert_eq!(cmw(&format!("[263, {realm}, 1]")), Err(ErrorKind::Size(Part::Record)));
    assert_eq!(cmw(&format!("[\"x\", {realm}]")), Err(ErrorKind::Type(Part::Record)));
    assert_eq!(cmw("[263, [1]]"), Err(ErrorKind::Type(Part::RealmToken)));
    assert_eq!(cmw("[263, h'80']"), Err(ErrorKind::Type(Part::Sign1)));
}

#[test]
fn platform_claims() {
    assert_eq!(platform(PLATFORM), Ok(()));
    for (line, part) in [
        ("265", Part::Profile),
        ("10:", Part::Challenge),
        ("2396", Part::ImplementationId),
        ("256", Part::InstanceId),
        ("2401", Part::Config),
        ("2395", Part::Lifecycle),
        ("2399", Part::Components),
        ("2402", Part::PlatformHash),
    ] {
        assert_eq!(platform(&with(PLATFORM, line, "")), Err(ErrorKind::Missing(part)));
        // A text where bytes belong, or bytes where none do.
        let label = line.trim_end_matches(':');
        let other = if matches!(label, "265" | "2402" | "2395" | "2399") { "h''" } else { "\"\"" };
        let other = with(PLATFORM, line, &format!("{label}: {other},"));
        assert_eq!(platform(&other), Err(ErrorKind::Type(part)), "{label}");
    }
    for line in ["2400", "2403"] {
        assert_eq!(platform(&with(PLATFORM, line, "")), Ok(()));
    }
    for (line, other, kind) in [
        ("265", "265: \"tag:arm.com,2026:cca_platform#2.0.0\",", ErrorKind::UnknownProfile),
        ("265", "265: \"tag:arm.com,2024:realm#2.0.0\",", ErrorKind::UnknownProfile),
        ("10:", "10: 31*,", ErrorKind::Size(Part::Challenge)),
        ("10:", "10: 65*,", ErrorKind::Size(Part::Challenge)),
        ("10:", "10: [32*],", ErrorKind::Type(Part::Challenge)),
        ("2396", "2396: 33*,", ErrorKind::Size(Part::ImplementationId)),
        ("256", "256: 32*,", ErrorKind::Size(Part::InstanceId)),
        (
            "256",
            "256: h'020101010101010101010101010101010101010101010101010101010101010101',",
            ErrorKind::Value(Part::InstanceId),
        ),
        ("2395", "2395: 12544,", ErrorKind::Value(Part::Lifecycle)),
        ("2395", "2395: 65536,", ErrorKind::Value(Part::Lifecycle)),
        ("2395", "2395: -1,", ErrorKind::Value(Part::Lifecycle)),
        ("2399", "2399: [],", ErrorKind::Size(Part::Components)),
        ("2399", "2399: [1],", ErrorKind::Type(Part::Components)),
        ("2399", "2399: [{2: 32*}],", ErrorKind::Missing(Part::ComponentSigner)),
        ("2399", "2399: [{5: 32*}],", ErrorKind::Missing(Part::ComponentMeasurement)),
        ("2399", "2399: [{2: 33*, 5: 32*}],", ErrorKind::Size(Part::ComponentMeasurement)),
        ("2399", "2399: [{2: 32*, 5: 20*}],", ErrorKind::Size(Part::ComponentSigner)),
        ("2399", "2399: [{2: 32*, 5: 32*, 2: 32*}],", ErrorKind::Duplicate),
        ("2399", "2399: [{2: 32*, 5: 32*, 7: 1}],", ErrorKind::Type(Part::ComponentActivation)),
        (
            "2399",
            "2399: [{2: 32*, 5: 32*, 8: [1]}],",
            ErrorKind::Type(Part::ComponentCountersigners),
        ),
        ("2403", "2403: h'', 2403: h'',", ErrorKind::Duplicate),
        ("2403", "77: 1, 77: 2,", ErrorKind::Duplicate),
        ("2403", "\"a\": 1, \"a\": 2,", ErrorKind::Duplicate),
        ("2403", "h'00': 1,", ErrorKind::Label),
    ] {
        assert_eq!(platform(&with(PLATFORM, line, other)), Err(kind), "{other}");
    }
    for other in
        ["2399: [{2: 32*, 5: 32*, 99: [1, {2: 3}], \"x\": -5}],", "2399: [{2: 32*, 5: 32*}],"]
    {
        assert_eq!(platform(&with(PLATFORM, "2399", other)), Ok(()), "{other}");
    }
}

#[test]
fn realm_claims() {
    assert_eq!(realm(REALM), Ok(()));
    for (line, part) in [
        ("10:", Part::Challenge),
        ("256", Part::InstanceId),
        ("44235", Part::Personalization),
        ("44236", Part::RealmHash),
        ("44237", Part::PublicKey),
        ("44238", Part::Rim),
        ("44239", Part::Rems),
        ("44240", Part::PublicKeyHash),
        ("44243", Part::MecPolicy),
    ] {
        assert_eq!(realm(&with(REALM, line, "")), Err(ErrorKind::Missing(part)), "{line}");
        let label = line.trim_end_matches(':');
        let other = if matches!(label, "44236" | "44240" | "44243") { "h''" } else { "\"\"" };
        let other = with(REALM, line, &format!("{label}: {other},"));
        assert_eq!(realm(&other), Err(ErrorKind::Type(part)), "{label}");
    }
    for line in ["44244", "44257"] {
        assert_eq!(realm(&with(REALM, line, "")), Ok(()));
    }
    for (line, other, kind) in [
        ("10:", "10: 63*,", ErrorKind::Size(Part::Challenge)),
        ("10:", "10: [64*],", ErrorKind::Type(Part::Challenge)),
        ("265", "265: \"tag:arm.com,2026:realm#2.0.0\",", ErrorKind::UnknownProfile),
        ("265", "265: \"http://arm.com/CCA-SSD/1.0.0\",", ErrorKind::UnknownProfile),
        // Without a profile, the key must be raw.
        ("265", "", ErrorKind::KeyForm),
        ("44237", "44237: h'0401',", ErrorKind::KeyForm),
        ("44237", "44237: <<{1: 2}>>,", ErrorKind::Missing(Part::Curve)),
        ("44235", "44235: 32*,", ErrorKind::Size(Part::Personalization)),
        ("44236", "44236: \"sha-1\",", ErrorKind::Value(Part::RealmHash)),
        ("44236", "44236: \"sha-256\",", ErrorKind::HashSize),
        ("44238", "44238: 64*,", ErrorKind::HashSize),
        ("44239", "44239: [48*, 48*, 48*],", ErrorKind::Size(Part::Rems)),
        ("44239", "44239: [48*, 48*, 48*, 48*, 48*],", ErrorKind::Size(Part::Rems)),
        ("44239", "44239: [48*, 48*, 48*, 32*],", ErrorKind::HashSize),
        ("44239", "44239: [48*, 48*, 48*, 1],", ErrorKind::Type(Part::Rems)),
        ("44240", "44240: \"SHA-256\",", ErrorKind::Value(Part::PublicKeyHash)),
        ("44243", "44243: 2,", ErrorKind::Value(Part::MecPolicy)),
        ("44243", "44243: \"private\",", ErrorKind::Type(Part::MecPolicy)),
        ("44244", "44244: 2,", ErrorKind::Value(Part::ActivationPolicy)),
        ("44257", "44257: 31*,", ErrorKind::Size(Part::DevicesHash)),
        ("44257", "10: 64*,", ErrorKind::Duplicate),
    ] {
        assert_eq!(realm(&with(REALM, line, other)), Err(kind), "{other}");
    }
    // TF-RMM v0.8 and v0.9: the policy as a text, under the older profile.
    let v1 = with(REALM, "265", "265: \"tag:arm.com,2023:realm#1.0.0\",");
    assert_eq!(realm(&with(&v1, "44243", "44243: \"private\",")), Ok(()));
    assert_eq!(realm(&with(&with(&v1, "44243", ""), "256", "")), Ok(()));
    // Raw keys with no profile.
    let raw = format!("44237: h'04{}',", "07".repeat(96));
    let legacy = with(&with(REALM, "265", ""), "44237", &raw);
    assert_eq!(realm(&legacy), Ok(()));
    assert_eq!(realm(&with(REALM, "44237", &raw)), Err(ErrorKind::KeyForm));
}

/// The name of a profile that is refused can be asked for.
#[test]
fn unknown_profiles_have_names() {
    let name = "tag:arm.com,2026:realm#2.0.0";
    let claims = with(REALM, "265", &format!("265: \"{name}\","));
    assert_eq!(profile(&encode(&claims)), Ok(Some(name)));
}

#[test]
fn limits() {
    let bytes = cmw(PLATFORM, REALM, "");
    let limited = |limits| {
        let rules = Rules { limits, ..Rules::STRICT };
        Token::parse(&bytes, rules).map(drop).map_err(|error| error.kind())
    };
    let limits = Limits { bytes: bytes.len(), components: 2 };
    assert_eq!(limited(limits), Ok(()));
    assert_eq!(limited(Limits { bytes: bytes.len() - 1, ..limits }), Err(ErrorKind::Limit));
    assert_eq!(limited(Limits { components: 1, ..limits }), Err(ErrorKind::Limit));
    // 10 known claims, 32 at most.
    let more =
        |count| (0..count).map(|label| format!("{}: 0,", 70_000 + label)).collect::<String>();
    let claims = |count| format!("{}{}}}", PLATFORM.strip_suffix('}').unwrap(), more(count));
    assert_eq!(platform(&claims(22)), Ok(()));
    assert_eq!(platform(&claims(23)), Err(ErrorKind::Limit));
}

/// Errors say where: the byte in the whole token, not in the half.
#[test]
fn places() {
    let bytes = cmw(PLATFORM, &with(REALM, "44243", "44243: 2,"), "");
    let error = Token::parse(&bytes, Rules::STRICT).unwrap_err();
    let at = error.offset().unwrap();
    assert_eq!(bytes[at - 3..=at], [0x19, 0xAC, 0xD3, 2]);
}

/// Tokens of every kind, good ones.
fn good_tokens() -> Vec<Vec<u8>> {
    let v1 = with(REALM, "265", "265: \"tag:arm.com,2023:realm#1.0.0\",");
    let mut tokens = vec![
        cmw(PLATFORM, REALM, "44258: [601, h'0102'], 44251: [1, {2: h'07'}]"),
        encode(&format!("399({{44241: {}, 44234: {}}})", sign1(&v1), sign1(PLATFORM))),
    ];
    for name in [
        "veraison-rust-ccatoken/cca-token-01.cbor",
        "tf-m-tools/cca_example_token.cbor",
        "minted/good-399-rel0-sha-512.cbor",
    ] {
        tokens.extend(cca(name));
    }
    tokens
}

#[test]
fn cut_at_every_byte() {
    for token in good_tokens() {
        assert!(Token::parse(&token, Rules::STRICT).is_ok());
        for end in 0..token.len() {
            let error = Token::parse(&token[..end], Rules::STRICT).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Truncated, "{end}");
            assert!(error.offset().unwrap() <= end);
        }
        let more = [&token[..], b"\0"].concat();
        let error = Token::parse(&more, Rules::STRICT).unwrap_err();
        assert_eq!((error.kind(), error.offset()), (ErrorKind::Trailing, Some(token.len())));
    }
}

/// One bit wrong, in most bytes: no panic, and what is still read is read from the token.
#[test]
fn bits_flipped() {
    for mut token in good_tokens() {
        let mut refused = 0;
        for bit in (0..token.len() * 8).step_by(5) {
            token[bit / 8] ^= 1 << (bit % 8);
            match Token::parse(&token, Rules::STRICT) {
                Ok(parsed) => {
                    let inside = token.as_ptr_range();
                    let rim = parsed.realm.claims.rim.as_ptr_range();
                    assert!(inside.start <= rim.start && rim.end <= inside.end);
                    let components = parsed.platform.claims.components();
                    assert!(components.clone().count() <= 64);
                    components.for_each(|component| component.others().for_each(drop));
                    parsed.others().for_each(drop);
                }
                Err(error) => {
                    assert!(error.offset().unwrap() <= token.len(), "{error}");
                    refused += 1;
                }
            }
            token[bit / 8] ^= 1 << (bit % 8);
        }
        assert!(refused > 60, "{refused}");
    }
}
