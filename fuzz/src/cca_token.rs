// SPDX-License-Identifier: MIT OR Apache-2.0
//! Attestation tokens of CCA, in both forms.

use tsm_cca::token::{
    Form, HashSizes, Label, Others, PlatformClaims, RealmClaims, Rules, Sign1, Token, profile,
};
use tsm_cca::{ErrorKind, RemIndex};

use crate::cbor::{self, Item};

const LENIENT: Rules = Rules { hash_sizes: HashSizes::Any, ..Rules::STRICT };

/// Input: a token, or a map of claims, or a half of a token.
pub fn cca_token(data: &[u8]) {
    let strict = token(data, Rules::STRICT);
    let lenient = token(data, LENIENT);
    assert!(lenient || !strict, "what is strictly good is good");
    for rules in [Rules::STRICT, LENIENT] {
        if let Ok(claims) = PlatformClaims::parse(data, rules) {
            assert_eq!(profile(data), Ok(Some(claims.profile.name())));
        }
        if let Ok(claims) = RealmClaims::parse(data, rules) {
            assert_eq!(profile(data), Ok(claims.profile.name()));
        }
    }
    if let Ok(half) = Sign1::parse(data) {
        structure(&half);
    }
}

fn token(data: &[u8], rules: Rules) -> bool {
    let parsed = match Token::parse(data, rules) {
        Err(error) => {
            assert!(error.offset().expect("a place") <= data.len());
            assert!(!error.to_string().is_empty());
            return false;
        }
        Ok(parsed) => parsed,
    };
    same(data, &parsed, rules);
    // Not a byte less, not a byte more.
    let kind = |data: &[u8]| Token::parse(data, rules).unwrap_err().kind();
    assert_eq!(kind(&data[..data.len() - 1]), ErrorKind::Truncated);
    let mut more = data.to_vec();
    more.push(0);
    assert!(matches!(kind(&more), ErrorKind::Trailing | ErrorKind::Limit));
    true
}

/// The same, read naively; nothing if it is nested deeper than the naive reader goes.
fn same(data: &[u8], parsed: &Token<'_>, rules: Rules) -> Option<()> {
    let whole = read(data)?;
    let Item::Tagged(tag, collection) = whole else { panic!("no tag") };
    assert_eq!(tag, if parsed.form == Form::Cmw { 907 } else { 399 });
    assert!(!collection.repeats());
    others(&collection, &[44234, 44241], parsed.others());
    let half = |label| {
        let entry = collection.at(label).expect("a half");
        match parsed.form {
            Form::Collection => entry.bytes(),
            Form::Cmw => {
                assert_eq!(entry.item(0), Some(&Item::Number(263)));
                entry.item(1).and_then(Item::bytes)
            }
        }
        .expect("bytes")
    };
    assert_eq!((half(44234), half(44241)), (parsed.platform.encoded, parsed.realm.encoded));
    let realm = claims(half(44241), &parsed.realm.sign1)?;
    let platform = claims(half(44234), &parsed.platform.sign1)?;
    let bytes = |map: &Item, label| map.at(label).and_then(Item::bytes).expect("bytes").to_vec();

    let found = &parsed.realm.claims;
    assert_eq!(found.challenge[..], bytes(&realm, 10));
    assert_eq!(found.personalization[..], bytes(&realm, 44235));
    assert_eq!(found.rim, bytes(&realm, 44238));
    assert_eq!(found.public_key.encoded, bytes(&realm, 44237));
    assert_eq!((found.public_key.x.len(), found.public_key.y.len()), {
        (found.public_key.curve.size(), found.public_key.curve.size())
    });
    let Some(Item::Array(rems)) = realm.at(44239) else { panic!("no REMs") };
    assert_eq!(rems.len(), 4);
    for (index, rem) in RemIndex::ALL.into_iter().zip(rems) {
        let rem = rem.bytes().expect("bytes");
        assert_eq!(found.rems[index.number() as usize], rem);
        match found.rem(index) {
            Some(digest) => assert_eq!(digest.as_bytes(), rem),
            None => assert!(rules == LENIENT && rem.len() != found.hash.size()),
        }
    }
    others(&realm, &[10, 265], found.others());

    let found = &parsed.platform.claims;
    assert_eq!(found.challenge, bytes(&platform, 10));
    assert_eq!(found.implementation_id[..], bytes(&platform, 2396));
    assert_eq!(found.instance_id[..], bytes(&platform, 256));
    assert_eq!(platform.at(2395), Some(&Item::Number(found.lifecycle.0.into())));
    let Some(Item::Array(components)) = platform.at(2399) else { panic!("no components") };
    assert_eq!(found.components().count(), components.len());
    for (component, naive) in found.components().zip(components) {
        assert!(!naive.repeats());
        assert_eq!(component.measurement, bytes(naive, 2));
        assert_eq!(component.signer_id, bytes(naive, 5));
        others(naive, &[1, 2, 4, 5, 6, 7, 8], component.others());
    }
    others(&platform, &[10, 265], found.others());
    let realm = &parsed.realm.claims;
    let hash = realm.public_key_hash.hash(realm.public_key.encoded);
    assert_eq!(parsed.binds_key(), hash.as_bytes() == found.challenge);
    Some(())
}

fn read(data: &[u8]) -> Option<Item> {
    let item = cbor::read(data);
    assert!(item.is_some() || data.len() > 200, "not well-formed");
    item
}

/// The claims of a half, and that its parts are where they belong.
fn claims(half: &[u8], sign1: &Sign1<'_>) -> Option<Item> {
    let Item::Tagged(18, parts) = read(half)? else { panic!("no COSE_Sign1") };
    let bytes = |place| parts.item(place).and_then(Item::bytes).expect("bytes");
    assert_eq!((bytes(0), bytes(2), bytes(3)), (sign1.protected, sign1.payload, sign1.signature));
    let header = read(sign1.protected)?;
    assert_eq!(header.at(1), Some(&Item::Number(sign1.algorithm.0.into())));
    structure(sign1);
    let claims = read(sign1.payload)?;
    assert!(!claims.repeats());
    Some(claims)
}

/// What is signed, read back.
fn structure(sign1: &Sign1<'_>) {
    let structure = sign1.sig_structure();
    let mut bytes = vec![0; structure.size()];
    assert_eq!(structure.write(&mut bytes), Some(bytes.len()));
    assert_eq!(structure.pieces().collect::<Vec<_>>().concat(), bytes);
    let expected = [
        Item::Text("Signature1".into()),
        Item::Bytes(sign1.protected.to_vec()),
        Item::Bytes(Vec::new()),
        Item::Bytes(sign1.payload.to_vec()),
    ];
    assert_eq!(cbor::read(&bytes), Some(Item::Array(expected.to_vec())));
}

/// Others are in the map, and none of them is one that is read.
fn others(map: &Item, known: &[i128], others: Others<'_>) {
    for (label, value) in others {
        let label = match label {
            Label::Number(number) => {
                assert!(!known.contains(&number));
                Item::Number(number)
            }
            Label::Text(text) => Item::Text(text.into()),
        };
        let Item::Map(pairs) = map else { panic!("no map") };
        let found = pairs.iter().find(|(found, _)| *found == label).expect("the label");
        assert_eq!(cbor::read(value).as_ref(), Some(&found.1));
    }
}
