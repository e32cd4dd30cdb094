// SPDX-License-Identifier: MIT OR Apache-2.0
//! The whole token: a platform's half and a realm's half.

use tsm_core::Algorithm;

use super::cbor::{Label, Labels, Others, Placed, Reader};
use super::cose::Sign1;
use super::part::Part;
use super::platform::PlatformClaims;
use super::realm::RealmClaims;
use super::rules::Rules;
use crate::error::{Error, ErrorKind};

/// An attestation token, read strictly. **No signature is verified, and nothing in it is to be
/// believed before somebody has**: first the platform's half, with a key that is trusted for its
/// instance id; then [`binds_key`](Self::binds_key); then the realm's half, with that key.
///
/// ```no_run
/// # fn main() -> Result<(), tsm_cca::Error> {
/// # let bytes = [];
/// use tsm_cca::RemIndex;
/// use tsm_cca::token::{Rules, Token};
///
/// let token = Token::parse(&bytes, Rules::STRICT)?;
/// let over = token.platform.sign1.sig_structure();
/// // ... verify token.platform.sign1.signature over these pieces ...
/// assert!(token.binds_key());
/// // ... the same for token.realm with token.realm.claims.public_key ...
/// let rem3 = token.realm.claims.rem(RemIndex::REM3);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Token<'b> {
    /// How the halves are put together.
    pub form: Form,
    /// The platform's half.
    pub platform: Half<'b, PlatformClaims<'b>>,
    /// The realm's half.
    pub realm: Half<'b, RealmClaims<'b>>,
    /// The unsigned token about devices, in the second form only. Not looked into.
    pub device: Option<&'b [u8]>,
    others: Others<'b>,
}

/// How the halves of a token are put together.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Form {
    /// Tag 399, an EAT collection: RMM 1.0-rel0, TF-RMM up to v0.8.
    Collection,
    /// Tag 907, a CMW collection: 1.1 and 2.0 beta, TF-RMM since v0.9.
    Cmw,
}

/// A half of a token.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Half<'b, C> {
    /// The half as it stands: a COSE_Sign1 with its tag.
    pub encoded: &'b [u8],
    /// Its parts.
    pub sign1: Sign1<'b>,
    /// What its payload says.
    pub claims: C,
}

const PLATFORM: i128 = 44234;
const REALM: i128 = 44241;
const DEVICE: i128 = 44258;

/// Content formats of CMW records (IANA's registry of CoAP content formats).
const EAT_CWT: i128 = 263;
const UCCS: i128 = 601;

impl<'b> Token<'b> {
    /// Reads a whole token.
    ///
    /// # Errors
    ///
    /// With the place in the whole: not well-formed, of indefinite length, a label twice, bytes
    /// behind the end, more than the limits allow, another tag, a half that is absent; and what
    /// [`Sign1::parse`], [`PlatformClaims::parse`] and [`RealmClaims::parse`] refuse.
    pub fn parse(bytes: &'b [u8], rules: Rules) -> Result<Self, Error> {
        if bytes.len() > rules.limits.bytes {
            return Err(Error::at(ErrorKind::Limit, rules.limits.bytes));
        }
        let mut reader = Reader::new(Placed::new(bytes));
        let form = match reader.tag(Part::Collection)? {
            399 => Form::Collection,
            907 => Form::Cmw,
            other => return Err(Error::at(ErrorKind::Tag(other), 0)),
        };
        let mut labels = Labels::new();
        let (mut platform, mut realm, mut device) = (None, None, None);
        let at = reader.offset();
        let pairs = reader.map(Part::Collection)?;
        let known: &[i128] = match form {
            Form::Collection => &[PLATFORM, REALM],
            Form::Cmw => &[PLATFORM, REALM, DEVICE],
        };
        let others = Others::new(reader.clone(), pairs, known);
        for _ in 0..pairs {
            match labels.next(&mut reader)? {
                Label::Number(PLATFORM) => {
                    platform = Some(form.half(&mut reader, Part::PlatformToken, EAT_CWT)?);
                }
                Label::Number(REALM) => {
                    realm = Some(form.half(&mut reader, Part::RealmToken, EAT_CWT)?);
                }
                Label::Number(DEVICE) if form == Form::Cmw => {
                    device = Some(form.half(&mut reader, Part::DeviceToken, UCCS)?.bytes);
                }
                _ => drop(reader.item()?),
            }
        }
        reader.end()?;
        let missing = |part| Error::at(ErrorKind::Missing(part), at);
        let platform = platform.ok_or(missing(Part::PlatformToken))?;
        let realm = realm.ok_or(missing(Part::RealmToken))?;
        let sign1 = Sign1::parse_at(platform)?;
        let claims = PlatformClaims::parse_at(sign1.claims(), rules)?;
        let platform = Half { encoded: platform.bytes, sign1, claims };
        let sign1 = Sign1::parse_at(realm)?;
        let claims = RealmClaims::parse_at(sign1.claims(), rules)?;
        let realm = Half { encoded: realm.bytes, sign1, claims };
        Ok(Self { form, platform, realm, device, others })
    }

    /// Entries beside the halves: certificates and the like (labels 44251 to 44256 are reserved for
    /// them).
    #[must_use]
    pub fn others(&self) -> Others<'b> {
        self.others.clone()
    }

    /// Whether the platform's half names the realm's key: whether its challenge is the hash of the
    /// key. **This is not a check of any signature**; without one of the platform's half, anybody can
    /// write a token for which it is true.
    #[must_use]
    pub fn binds_key(&self) -> bool {
        let realm = &self.realm.claims;
        binds_key(self.platform.claims.challenge, realm.public_key.encoded, realm.public_key_hash)
    }
}

/// Whether a platform's challenge is the hash of a realm's key as it stands in claim 44237, by the
/// algorithm of claim 44240 (DEN0137 1.0-rel0, A7.2.3; measured on the tokens of TF-RMM, TF-M and
/// Veraison). **Not a check of any signature.**
#[must_use]
pub fn binds_key(challenge: &[u8], encoded_key: &[u8], hash: Algorithm) -> bool {
    hash.hash(encoded_key).as_bytes() == challenge
}

impl Form {
    /// The bytes of a half, out of its record if there is one.
    fn half<'b>(
        self,
        reader: &mut Reader<'b>,
        part: Part,
        format: i128,
    ) -> Result<Placed<'b>, Error> {
        if self == Self::Cmw {
            reader.array_of(2, Part::Record)?;
            let at = reader.offset();
            if reader.number(Part::Record)? != format {
                return Err(Error::at(ErrorKind::Value(Part::Record), at));
            }
        }
        reader.bytes(part)
    }
}
