// SPDX-License-Identifier: MIT OR Apache-2.0
//! The public key in a realm token, in both forms.

use super::cbor::{Label, Labels, Placed, Reader};
use super::cose::SignatureAlgorithm;
use super::part::Part;
use crate::error::{Error, ErrorKind};

/// The realm attestation key (RAK), from claim 44237. **That the realm has it proves nothing**: the
/// platform's token must name its hash, and be verified.
///
/// Whether the point lies on the curve is not checked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct RealmKey<'b> {
    /// The claim's content as it stands. Its hash is what binds the key to the platform's token.
    pub encoded: &'b [u8],
    /// In which form it stands.
    pub form: KeyForm,
    /// The curve.
    pub curve: Curve,
    /// The x-coordinate, big endian, of the curve's size.
    pub x: &'b [u8],
    /// The y-coordinate.
    pub y: &'b [u8],
}

/// How a public key is encoded.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum KeyForm {
    /// `04 || x || y` (SEC 1, 2.3.3): without a profile, up to RMM 1.0-eac5.
    Sec1,
    /// COSE_Key (RFC 9052, section 7): with a profile, since 1.0-rel0.
    CoseKey,
}

/// An elliptic curve of COSE (RFC 9053, section 7.1).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Curve {
    /// P-256.
    P256,
    /// P-384: TF-RMM's only one.
    P384,
    /// P-521.
    P521,
}

impl Curve {
    /// Size of a coordinate in bytes.
    #[must_use]
    pub const fn size(self) -> usize {
        match self {
            Self::P256 => 32,
            Self::P384 => 48,
            Self::P521 => 66,
        }
    }

    const fn of_cose(number: i128) -> Option<Self> {
        match number {
            1 => Some(Self::P256),
            2 => Some(Self::P384),
            3 => Some(Self::P521),
            _ => None,
        }
    }

    /// The algorithm that goes with it.
    const fn algorithm(self) -> SignatureAlgorithm {
        match self {
            Self::P256 => SignatureAlgorithm::ES256,
            Self::P384 => SignatureAlgorithm::ES384,
            Self::P521 => SignatureAlgorithm::ES512,
        }
    }
}

impl<'b> RealmKey<'b> {
    /// Reads a key of this form.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::KeyForm`] if it has the other form. For a COSE_Key: not well-formed, a label
    /// twice, another type than EC2, an unknown curve, coordinates of another size than the curve's
    /// (a compressed y is one), an algorithm that does not go with the curve.
    pub fn parse(encoded: &'b [u8], form: KeyForm) -> Result<Self, Error> {
        Self::parse_at(Placed::new(encoded), form)
    }

    pub(super) fn parse_at(encoded: Placed<'b>, form: KeyForm) -> Result<Self, Error> {
        match (form, encoded.bytes) {
            (KeyForm::Sec1, [0x04, point @ ..]) => Self::sec1(encoded, point),
            // A map.
            (KeyForm::Sec1, [0xA0..=0xBF, ..]) | (KeyForm::CoseKey, [0x04, ..]) => {
                Err(Error::at(ErrorKind::KeyForm, encoded.at))
            }
            (KeyForm::Sec1, _) => Err(Error::at(ErrorKind::Value(Part::PublicKey), encoded.at)),
            (KeyForm::CoseKey, _) => Self::cose_key(encoded),
        }
    }

    fn sec1(encoded: Placed<'b>, point: &'b [u8]) -> Result<Self, Error> {
        let curve = match point.len() {
            64 => Curve::P256,
            96 => Curve::P384,
            132 => Curve::P521,
            _ => return Err(Error::at(ErrorKind::Size(Part::PublicKey), encoded.at)),
        };
        let (x, y) = point.split_at_checked(curve.size()).unwrap_or_default();
        Ok(Self { encoded: encoded.bytes, form: KeyForm::Sec1, curve, x, y })
    }

    /// Labels in any order: the specification's example and TF-RMM differ.
    fn cose_key(encoded: Placed<'b>) -> Result<Self, Error> {
        let mut reader = Reader::new(encoded);
        let mut labels = Labels::new();
        let (mut key_type, mut curve, mut x, mut y) = (false, None, None, None);
        let mut algorithm = None;
        for _ in 0..reader.map(Part::PublicKey)? {
            let label = labels.next(&mut reader)?;
            let at = reader.offset();
            let wrong = |part| Error::at(ErrorKind::Value(part), at);
            match label {
                Label::Number(1) => match reader.number(Part::KeyType)? {
                    2 => key_type = true,
                    _ => return Err(wrong(Part::KeyType)),
                },
                Label::Number(3) => {
                    algorithm =
                        Some((reader.number(Part::KeyAlgorithm)?, wrong(Part::KeyAlgorithm)));
                }
                Label::Number(-1) => {
                    let number = reader.number(Part::Curve)?;
                    curve = Some(Curve::of_cose(number).ok_or(wrong(Part::Curve))?);
                }
                Label::Number(-2) => x = Some(reader.bytes(Part::X)?),
                Label::Number(-3) => y = Some(reader.bytes(Part::Y)?),
                _ => drop(reader.item()?),
            }
        }
        reader.end()?;
        let missing = |part| Error::at(ErrorKind::Missing(part), encoded.at);
        if !key_type {
            return Err(missing(Part::KeyType));
        }
        let curve = curve.ok_or(missing(Part::Curve))?;
        let sized = |coordinate: Option<Placed<'b>>, part| {
            let coordinate = coordinate.ok_or(missing(part))?;
            if coordinate.bytes.len() != curve.size() {
                return Err(Error::at(ErrorKind::Size(part), coordinate.at));
            }
            Ok(coordinate.bytes)
        };
        let (x, y) = (sized(x, Part::X)?, sized(y, Part::Y)?);
        match algorithm {
            Some((number, wrong)) if number != i128::from(curve.algorithm().0) => Err(wrong),
            _ => Ok(Self { encoded: encoded.bytes, form: KeyForm::CoseKey, curve, x, y }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A COSE_Key of these pairs.
    fn key(pairs: &[&[u8]]) -> Vec<u8> {
        [&[0xA0 + pairs.len() as u8][..], &pairs.concat()].concat()
    }

    fn coordinate(label: u8, size: u8) -> Vec<u8> {
        [&[label, 0x58, size][..], &vec![label; size.into()]].concat()
    }

    fn kind(bytes: &[u8], form: KeyForm) -> Result<Curve, ErrorKind> {
        RealmKey::parse(bytes, form).map(|key| key.curve).map_err(|error| error.kind())
    }

    #[test]
    fn cose_keys() {
        let (x, y) = (coordinate(0x21, 48), coordinate(0x22, 48));
        let cose = |pairs: &[&[u8]]| kind(&key(pairs), KeyForm::CoseKey);
        let good = key(&[b"\x01\x02", b"\x20\x02", &x, &y]);
        let parsed = RealmKey::parse(&good, KeyForm::CoseKey).unwrap();
        assert_eq!((parsed.x, parsed.y), (&[0x21; 48][..], &[0x22; 48][..]));
        assert_eq!((parsed.encoded, parsed.form), (&good[..], KeyForm::CoseKey));
        // Another order, and an algorithm, as in the specification's example.
        assert_eq!(cose(&[&y, b"\x20\x02", b"\x03\x38\x22", &x, b"\x01\x02"]), Ok(Curve::P384));
        assert_eq!(cose(&[b"\x01\x02", b"\x20\x02", &x, &y, b"\x02\x41\x07"]), Ok(Curve::P384));

        let missing = |part| Err(ErrorKind::Missing(part));
        assert_eq!(cose(&[b"\x20\x02", &x, &y]), missing(Part::KeyType));
        assert_eq!(cose(&[b"\x01\x02", &x, &y]), missing(Part::Curve));
        assert_eq!(cose(&[b"\x01\x02", b"\x20\x02", &y]), missing(Part::X));
        assert_eq!(cose(&[b"\x01\x02", b"\x20\x02", &x]), missing(Part::Y));
        let value = |part| Err(ErrorKind::Value(part));
        assert_eq!(cose(&[b"\x01\x01", b"\x20\x02", &x, &y]), value(Part::KeyType));
        assert_eq!(cose(&[b"\x01\x02", b"\x20\x06", &x, &y]), value(Part::Curve));
        let with_es256 = cose(&[b"\x01\x02", b"\x20\x02", &x, &y, b"\x03\x26"]);
        assert_eq!(with_es256, value(Part::KeyAlgorithm));
        // P-256 with coordinates of P-384; a compressed y; a label twice.
        let size = Err(ErrorKind::Size(Part::X));
        assert_eq!(cose(&[b"\x01\x02", b"\x20\x01", &x, &y]), size);
        assert_eq!(
            cose(&[b"\x01\x02", b"\x20\x02", &x, b"\x22\xf5"]),
            Err(ErrorKind::Type(Part::Y))
        );
        assert_eq!(cose(&[b"\x01\x02", b"\x01\x02", &x, &y]), Err(ErrorKind::Duplicate));
        assert_eq!(kind(&[&good[..], b"\0"].concat(), KeyForm::CoseKey), Err(ErrorKind::Trailing));
        assert_eq!(kind(&good, KeyForm::Sec1), Err(ErrorKind::KeyForm));
    }

    #[test]
    fn raw_keys() {
        let raw = |first: u8, size| [&[first][..], &vec![3; size]].concat();
        for (size, curve) in [(64, Curve::P256), (96, Curve::P384), (132, Curve::P521)] {
            assert_eq!(kind(&raw(4, size), KeyForm::Sec1), Ok(curve));
        }
        assert_eq!(kind(&raw(4, 95), KeyForm::Sec1), Err(ErrorKind::Size(Part::PublicKey)));
        // Compressed.
        assert_eq!(kind(&raw(2, 48), KeyForm::Sec1), Err(ErrorKind::Value(Part::PublicKey)));
        assert_eq!(kind(b"", KeyForm::Sec1), Err(ErrorKind::Value(Part::PublicKey)));
        assert_eq!(kind(&raw(4, 96), KeyForm::CoseKey), Err(ErrorKind::KeyForm));
    }
}
