// SPDX-License-Identifier: MIT OR Apache-2.0
//! The claims of a token's halves.

use minicbor::Decoder;
use minicbor::data::Type;
use tsm_cca::token::{
    Component, Curve, KeyForm, Label, Lifecycle, LifecycleState, MecPolicy, RealmKey, Token,
};

use super::cca_token::in_order;
use super::model::{Fields, Finding, Section, offset};

/// Claims of one half.
pub(super) struct Claims {
    pub(super) sections: Vec<Section>,
    /// About claims that are not known.
    pub(super) findings: Vec<Finding>,
}

pub(super) fn platform<'b>(bytes: &'b [u8], token: &Token<'b>) -> Claims {
    let claims = &token.platform.claims;
    let at = |label| value(token.platform.sign1.payload, label);
    let mut fields = Fields::new("Platform claims", bytes);
    fields.add("profile", at(265), claims.profile.name(), "claim 265");
    let bound = if token.binds_key() {
        "bound: it is the hash of the realm's key"
    } else {
        "not bound: it is not the hash of the realm's key"
    };
    fields.bytes("challenge", claims.challenge, format!("claim 10; {bound}"));
    let id = "claim 2396; of this kind of platform";
    fields.bytes("implementation id", claims.implementation_id, id);
    let id = "claim 256; of this platform: whose key signs is found by it";
    fields.bytes("instance id", claims.instance_id, id);
    fields.bytes("config", claims.config, "claim 2401; of the implementation's making");
    let state = format!("claim 2395; {}", lifecycle(claims.lifecycle));
    fields.add("lifecycle", at(2395), format!("{:#x}", claims.lifecycle.0), state);
    let hash = "claim 2402; the hash of components that name none";
    fields.add("hash", claims.hash.as_bytes(), claims.hash, hash);
    if let Some(service) = claims.verification_service {
        let meaning = "claim 2400; where to have it verified, as it says itself";
        fields.add("verification service", service.as_bytes(), service, meaning);
    }
    if let Some(config) = claims.manufacturing_config {
        fields.bytes("manufacturing config", config, "claim 2403");
    }
    let count = claims.components().count();
    let meaning = "claim 2399; the platform's software, below";
    fields.add("components", at(2399), format!("{count}"), meaning);
    let mut findings = Vec::new();
    for (label, value) in claims.others() {
        let what = format!("claim {label} of the platform");
        unknown(&mut fields, bytes, format!("claim {label}"), value, what, &mut findings);
    }
    let mut components = Fields::new("Software components of the platform", bytes);
    add_components(&mut components, claims.components());
    for (component, number) in claims.components().zip(1..) {
        for (label, value) in component.others() {
            let what = format!("label {label} of component {number}");
            unknown(&mut components, bytes, format!("label {label}"), value, what, &mut findings);
        }
    }
    let sections = [fields.section(), components.section()];
    Claims { sections: sections.map(in_order).into(), findings }
}

fn add_components<'b>(fields: &mut Fields<'b>, components: impl Iterator<Item = Component<'b>>) {
    for (place, component) in components.enumerate() {
        let number = place + 1;
        if let Some(name) = component.name {
            fields.add("type", name.as_bytes(), name, format!("of component {number}"));
        }
        let live = match component.live_activation {
            Some(true) => "; activated live",
            Some(false) => "; not activated live",
            None => "",
        };
        let measured = format!("of component {number}{live}");
        fields.bytes("measurement", component.measurement, measured);
        if let Some(version) = component.version {
            let value = if version.is_empty() { "-" } else { version };
            fields.add("version", version.as_bytes(), value, format!("of component {number}"));
        }
        let signer = format!("hash of the key of who signed component {number}");
        fields.bytes("signer id", component.signer_id, signer);
        if let Some(hash) = component.hash {
            let meaning = format!("with which component {number} was measured");
            fields.add("hash", hash.as_bytes(), hash, meaning);
        }
        if let Some(ids) = component.countersigners {
            let meaning = format!("who else signed component {number}; its CBOR as it stands");
            fields.bytes("countersigners", ids, meaning);
        }
    }
}

pub(super) fn realm<'b>(bytes: &'b [u8], token: &Token<'b>) -> Claims {
    let claims = &token.realm.claims;
    let at = |label| value(token.realm.sign1.payload, label);
    let mut fields = Fields::new("Realm claims", bytes);
    let (name, meaning) = match claims.profile.name() {
        Some(name) => (name, "claim 265"),
        None => ("-", "claim 265 is absent: as before RMM 1.0"),
    };
    fields.add("profile", at(265), name, meaning);
    fields.bytes("challenge", claims.challenge, "claim 10; chosen by who asked for the token");
    let meaning = "claim 44235; chosen by the host when it made the realm";
    fields.bytes("personalization", claims.personalization, meaning);
    let meaning = "claim 44236; of the measurements";
    fields.add("hash", at(44236), claims.hash.name(), meaning);
    let bound = if token.binds_key() { "bound" } else { "not bound" };
    let meaning = format!("claim 44237; {}, {bound} to the platform", key(&claims.public_key));
    fields.bytes("public key", claims.public_key.encoded, meaning);
    let meaning = "claim 44240; by which the platform's challenge names the key";
    fields.add("public key hash", at(44240), claims.public_key_hash.name(), meaning);
    let meaning = "claim 44238; initial measurement: what the realm was built from";
    fields.bytes("RIM", claims.rim, meaning);
    let uses = [
        "by convention firmware's configuration; in its log register 1",
        "by convention boot loader and kernel; in its log register 2",
        "by convention the operating system; in firmware's log register 3",
        "left to applications",
    ];
    for (number, (value, what)) in claims.rems.into_iter().zip(uses).enumerate() {
        fields.bytes(format!("REM{number}"), value, format!("claim 44239; {what}"));
    }
    if let Some(id) = claims.instance_id {
        fields.bytes("instance id", id, "claim 256");
    }
    if let Some(policy) = claims.mec_policy {
        let (value, meaning) = match policy {
            MecPolicy::Shared => ("shared", "the realm shares its memory's key with others"),
            MecPolicy::Private => ("private", "the realm has a key of its own for its memory"),
            MecPolicy::Text(text) => {
                (text, "memory's key; a text, as TF-RMM v0.8 and v0.9 have it")
            }
            _ => ("unknown", ""),
        };
        fields.add("MEC policy", at(44243), value, format!("claim 44243; {meaning}"));
    }
    if let Some(policy) = claims.activation_policy {
        let meaning = "claim 44244; about firmware that is activated while the realm runs";
        fields.add("activation policy", at(44244), policy, meaning);
    }
    if let Some(hash) = claims.devices_hash {
        let meaning = "claim 44257; of the token about devices, not compared";
        fields.bytes("devices hash", hash, meaning);
    }
    let mut findings = Vec::new();
    for (label, value) in claims.others() {
        let what = format!("claim {label} of the realm");
        unknown(&mut fields, bytes, format!("claim {label}"), value, what, &mut findings);
    }
    Claims { sections: vec![in_order(fields.section())], findings }
}

/// Adds what is not known here, as it stands.
fn unknown<'b>(
    fields: &mut Fields<'b>,
    bytes: &'b [u8],
    name: String,
    value: &'b [u8],
    what: String,
    findings: &mut Vec<Finding>,
) {
    let text = format!("{what} is not known here");
    findings.push(Finding::at("unknown-claim", offset(bytes, value), text));
    fields.bytes(name, value, format!("{what}; unknown, its CBOR as it stands"));
}

fn key(key: &RealmKey<'_>) -> String {
    let form = match key.form {
        KeyForm::Sec1 => "SEC 1",
        KeyForm::CoseKey => "COSE_Key",
    };
    let curve = match key.curve {
        Curve::P256 => "P-256",
        Curve::P384 => "P-384",
        Curve::P521 => "P-521",
        _ => "an unknown curve",
    };
    format!("a point of {curve} as {form}")
}

pub(super) fn lifecycle(lifecycle: Lifecycle) -> &'static str {
    match lifecycle.state() {
        Some(LifecycleState::Unknown) => "unknown",
        Some(LifecycleState::AssemblyAndTest) => "assembly and test",
        Some(LifecycleState::RotProvisioning) => "provisioning of the root of trust",
        Some(LifecycleState::Secured) => "secured",
        Some(LifecycleState::NonPlatformRotDebug) => {
            "debugging of what is not the platform's root of trust"
        }
        Some(LifecycleState::RecoverableRotDebug) => "recoverable debugging of the root of trust",
        Some(LifecycleState::Decommissioned) => "decommissioned",
        _ => "of no known range",
    }
}

/// The encoded value of a claim, in a map that has been read strictly before; nothing if it is not
/// there.
fn value(map: &[u8], wanted: i128) -> &[u8] {
    let entries = entries(&mut Decoder::new(map)).unwrap_or_default();
    let found = entries.into_iter().find(|(label, _)| *label == Label::Number(wanted));
    // An empty part of the map, so that it has a place all the same.
    found.map(|(_, value)| value).or(map.get(..0)).unwrap_or_default()
}

/// The entries of a map, with the encoded values.
fn entries<'b>(decoder: &mut Decoder<'b>) -> Option<Vec<(Label<'b>, &'b [u8])>> {
    let count = decoder.map().ok()??;
    let entry = |_| {
        let label = match decoder.datatype().ok()? {
            Type::String => Label::Text(decoder.str().ok()?),
            _ => Label::Number(decoder.int().ok()?.into()),
        };
        let start = decoder.position();
        decoder.skip().ok()?;
        Some((label, decoder.input().get(start..decoder.position())?))
    };
    (0..count).map(entry).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_maps() {
        let map = b"\xa3\x61a\x01\x19\x01\x09\x62xy\x0a\x41\x07";
        assert_eq!(value(map, 265), b"\x62xy");
        assert_eq!(value(map, 10), b"\x41\x07");
        assert_eq!(value(map, 1), b"");
        assert_eq!(value(b"\xa1", 1), b"");
    }
}
