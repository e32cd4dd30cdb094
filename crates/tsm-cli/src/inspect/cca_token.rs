// SPDX-License-Identifier: MIT OR Apache-2.0
//! An attestation token of Arm CCA: the halves, what is odd, and what is wrong.

use tsm_cca::ErrorKind;
use tsm_cca::token::{Form, HashSizes, Label, LifecycleState, Rules, Sign1, Token};

use super::cca_claims::{self, Claims};
use super::model::{Field, Fields, Finding, Inspection, Malformed, Section, offset};
use crate::evidence::Kind;

const KIND: &str = "cca-token";
const TITLE: &str = "Arm CCA attestation token";
/// What a simulator's implementation id begins with.
const SIMULATED: &[u8] = b"SIMULATED";

/// Looks at the tag and at the head of the map behind it.
pub(super) fn is_one(bytes: &[u8]) -> bool {
    Kind::of(bytes) == Some(Kind::CcaToken)
}

pub(super) fn inspect(bytes: &[u8]) -> Inspection {
    let any_size = Rules { hash_sizes: HashSizes::Any, ..Rules::STRICT };
    match (Token::parse(bytes, Rules::STRICT), Token::parse(bytes, any_size)) {
        (Ok(token), _) => whole(bytes, &token),
        // Its measurements are no digests of the hash that it names. All else can be shown.
        (Err(error), Ok(token)) => {
            Inspection { error: Some(malformed(error)), ..whole(bytes, &token) }
        }
        (Err(error), Err(_)) => Inspection::malformed(KIND, TITLE, malformed(error)),
    }
}

fn whole<'b>(bytes: &'b [u8], token: &Token<'b>) -> Inspection {
    let tag = match token.form {
        Form::Collection => "tag 399",
        Form::Cmw => "tag 907",
    };
    let title = format!("{TITLE} ({tag}), {} bytes, not verified", bytes.len());
    let mut found = Inspection::new(KIND, title);
    found.is_simulated = token.platform.claims.implementation_id.starts_with(SIMULATED);
    let platform = cca_claims::platform(bytes, token);
    let realm = cca_claims::realm(bytes, token);
    found.findings.push(Finding::general(
        "not-verified",
        "no signature is checked, neither the platform's nor the realm's, nor whether the challenge \
         is what was asked for: anybody can write such a file",
    ));
    found.findings.extend(findings(bytes, token, &platform, &realm));
    let halves = [(PLATFORM, &token.platform.sign1, platform), (REALM, &token.realm.sign1, realm)];
    found.sections.push(collection(bytes, token));
    for (name, half, claims) in halves {
        let (name, of_headers) = name;
        found.sections.push(sign1(name, bytes, half));
        found.sections.extend(headers(of_headers, bytes, half));
        found.sections.extend(claims.sections);
        found.findings.extend(claims.findings);
    }
    found.see.push("tsm replay --expect-from FILE LOG (does a log explain its REMs?)".into());
    found
}

/// Names of the sections about a half.
const PLATFORM: (&str, &str) =
    ("Platform token: signature not checked", "Headers of the platform token");
const REALM: (&str, &str) = ("Realm token: signature not checked", "Headers of the realm token");

fn collection<'b>(bytes: &'b [u8], token: &Token<'b>) -> Section {
    let mut fields = Fields::new("Token", bytes);
    let (tag, form) = match token.form {
        Form::Collection => (399, "an EAT collection: RMM 1.0"),
        Form::Cmw => (907, "a CMW collection: RMM 1.1, 2.0 beta"),
    };
    fields.add("tag", bytes.get(..3).unwrap_or_default(), tag, form);
    for (label, name, half) in [
        (44234, "platform token", Some(token.platform.encoded)),
        (44241, "realm token", Some(token.realm.encoded)),
        (44258, "device token", token.device),
    ] {
        let Some(half) = half else { continue };
        let meaning = match label {
            44258 => "label 44258; about devices, not signed and not looked into".to_string(),
            _ => format!("label {label}; a COSE_Sign1, below"),
        };
        fields.add(name, half, format!("{} bytes", half.len()), meaning);
    }
    for (label, value) in token.others() {
        let meaning = match label {
            Label::Number(44251..=44256) => "reserved for certificates and the like; not read",
            _ => "unknown; its CBOR as it stands",
        };
        fields.bytes(format!("label {label}"), value, meaning);
    }
    in_order(fields.section())
}

fn sign1<'b>(name: &'static str, bytes: &'b [u8], half: &Sign1<'b>) -> Section {
    let mut fields = Fields::new(name, bytes);
    let algorithm = match half.algorithm.0 {
        -7 => "ES256: ECDSA with SHA-256".to_string(),
        -35 => "ES384: ECDSA with SHA-384".to_string(),
        -36 => "ES512: ECDSA with SHA-512".to_string(),
        other => format!("unknown algorithm {other}"),
    };
    fields.bytes("protected header", half.protected, format!("signed; {algorithm}"));
    let size = format!("{} bytes", half.payload.len());
    fields.add("payload", half.payload, size, "the claims, below");
    fields.bytes("signature", half.signature, "r and s; over protected header and payload");
    in_order(fields.section())
}

/// Headers besides the algorithm; `None` if there are none, as in tokens of TF-RMM.
fn headers<'b>(name: &'static str, bytes: &'b [u8], half: &Sign1<'b>) -> Option<Section> {
    let mut fields = Fields::new(name, bytes);
    let signed = half.protected_others().map(|header| (header, "signed"));
    let unsigned = half.unprotected_others().map(|header| (header, "not signed"));
    for ((label, value), protection) in signed.chain(unsigned) {
        let meaning = match label {
            Label::Number(33) => "x5chain: certificates, not read",
            Label::Number(34) => "x5t: hash of a certificate",
            _ => "its CBOR as it stands",
        };
        fields.bytes(format!("header {label}"), value, format!("{protection}; {meaning}"));
    }
    let section = in_order(fields.section());
    (!section.fields.is_empty()).then_some(section)
}

fn findings(bytes: &[u8], token: &Token<'_>, platform: &Claims, realm: &Claims) -> Vec<Finding> {
    let (of_platform, of_realm) = (&token.platform.claims, &token.realm.claims);
    let mut found = Vec::new();
    if of_platform.lifecycle.state() != Some(LifecycleState::Secured) {
        let text = format!(
            "the platform's lifecycle is not 'secured' but {}: its evidence need not mean what it \
             says",
            cca_claims::lifecycle(of_platform.lifecycle)
        );
        let kind = "lifecycle";
        found.push(Finding { kind, offset: place(platform, "lifecycle"), text });
    }
    let (kind, text) = match token.binds_key() {
        true => (
            "bound",
            "the realm's key is bound to the platform: the platform's challenge is its hash",
        ),
        false => (
            "binding",
            "the realm's key is not bound to the platform: the platform's challenge is not its hash",
        ),
    };
    found.push(Finding::at(kind, offset(bytes, of_platform.challenge), text));
    if !of_realm.profile.goes_with(of_platform.profile) {
        let text = "profiles of the halves that have not been seen together".to_string();
        found.push(Finding { kind: "profiles", offset: place(realm, "profile"), text });
    }
    match (token.device, of_realm.devices_hash) {
        (Some(device), None) => {
            let text = "the token about devices is bound to nothing: the realm names no hash of it";
            found.push(Finding::at("devices", offset(bytes, device), text));
        }
        (None, Some(hash)) => {
            let text = "the realm names the hash of a token about devices, which is not here";
            found.push(Finding::at("devices", offset(bytes, hash), text));
        }
        (Some(_), Some(hash)) => {
            let text = "whether the token about devices is the one of this hash was not checked";
            found.push(Finding::at("devices", offset(bytes, hash), text));
        }
        (None, None) => {}
    }
    found
}

/// Where a claim stands.
fn place(claims: &Claims, name: &str) -> Option<usize> {
    let mut fields = claims.sections.iter().flat_map(|section| &section.fields);
    fields.find(|field| field.name == name)?.place.as_ref().map(|place| place.offset)
}

/// Maps have their entries in any order.
pub(super) fn in_order(mut section: Section) -> Section {
    let start = |field: &Field| field.place.as_ref().map(|place| place.offset);
    section.fields.sort_by_key(start);
    section
}

fn malformed(error: tsm_cca::Error) -> Malformed {
    let kind = match error.kind() {
        ErrorKind::Truncated => "truncated",
        ErrorKind::Trailing => "trailing",
        ErrorKind::Malformed | ErrorKind::Indefinite | ErrorKind::Label => "cbor",
        ErrorKind::Duplicate => "duplicate",
        ErrorKind::Limit => "count",
        ErrorKind::Tag(_) => "tag",
        ErrorKind::Missing(_) => "missing",
        ErrorKind::Type(_) => "type",
        ErrorKind::Size(_) => "size",
        ErrorKind::Value(_) => "value",
        ErrorKind::UnknownProfile => "profile",
        ErrorKind::HashSize => "hash-size",
        ErrorKind::KeyForm => "key-form",
        _ => "other",
    };
    Malformed { kind, offset: error.offset(), text: error.to_string() }
}
