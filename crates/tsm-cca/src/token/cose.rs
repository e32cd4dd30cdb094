// SPDX-License-Identifier: MIT OR Apache-2.0
//! COSE_Sign1: headers, payload and signature, none of them verified.
//!
//! Source: RFC 9052, sections 3, 4.2 and 4.4; RFC 9053, section 2.1.

use super::cbor::{Label, Labels, Others, Placed, Reader};
use super::part::Part;
use crate::bytes::copy;
use crate::error::{Error, ErrorKind};

/// A COSE_Sign1 (RFC 9052, section 4.2), cut into its parts. **Nothing about it is verified.**
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Sign1<'b> {
    /// The protected header's encoding, the content of its byte string.
    pub protected: &'b [u8],
    /// The algorithm, from the protected header.
    pub algorithm: SignatureAlgorithm,
    /// The payload: an encoded map of claims.
    pub payload: &'b [u8],
    /// The signature: r and s, each as wide as the curve's order.
    pub signature: &'b [u8],
    protected_others: Others<'b>,
    unprotected_others: Others<'b>,
    payload_at: usize,
}

const ALGORITHM: i128 = 1;
const CRITICAL: i128 = 2;

impl<'b> Sign1<'b> {
    /// Reads a COSE_Sign1 with its tag, 18, and nothing behind it.
    ///
    /// # Errors
    ///
    /// Not well-formed, another tag, no algorithm in the protected header, a critical header, a label
    /// twice in a header or in both, a payload that is elsewhere, a signature that is not of its
    /// algorithm's size (of algorithms that this crate knows).
    pub fn parse(bytes: &'b [u8]) -> Result<Self, Error> {
        Self::parse_at(Placed::new(bytes))
    }

    pub(super) fn parse_at(bytes: Placed<'b>) -> Result<Self, Error> {
        let mut reader = Reader::new(bytes);
        match reader.tag(Part::Sign1)? {
            18 => {}
            other => return Err(Error::at(ErrorKind::Tag(other), bytes.at)),
        }
        reader.array_of(4, Part::Sign1)?;
        let protected = reader.bytes(Part::ProtectedHeader)?;
        // Labels must not stand in both headers (RFC 9052, section 3).
        let mut labels = Labels::new();
        let mut header = Reader::new(protected);
        let mut algorithm = None;
        let pairs = header.map(Part::ProtectedHeader)?;
        let protected_others = Others::new(header.clone(), pairs, &[ALGORITHM]);
        for _ in 0..pairs {
            match labels.next(&mut header)? {
                Label::Number(ALGORITHM) => {
                    let at = header.offset();
                    let number = header.number(Part::SignatureAlgorithm)?;
                    let number = i64::try_from(number);
                    let number = number
                        .map_err(|_| Error::at(ErrorKind::Value(Part::SignatureAlgorithm), at))?;
                    algorithm = Some(SignatureAlgorithm(number));
                }
                Label::Number(CRITICAL) => {
                    return Err(header.error(ErrorKind::Value(Part::CriticalHeaders)));
                }
                _ => drop(header.item()?),
            }
        }
        header.end()?;
        let missing = Error::at(ErrorKind::Missing(Part::SignatureAlgorithm), protected.at);
        let algorithm = algorithm.ok_or(missing)?;

        let pairs = reader.map(Part::UnprotectedHeader)?;
        let unprotected_others = Others::new(reader.clone(), pairs, &[]);
        for _ in 0..pairs {
            labels.next(&mut reader)?;
            reader.item()?;
        }
        let payload = reader.bytes(Part::Payload)?;
        let signature = reader.bytes(Part::Signature)?;
        if algorithm.signature_size().is_some_and(|size| size != signature.bytes.len()) {
            return Err(Error::at(ErrorKind::Size(Part::Signature), signature.at));
        }
        reader.end()?;
        Ok(Self {
            protected: protected.bytes,
            algorithm,
            payload: payload.bytes,
            signature: signature.bytes,
            protected_others,
            unprotected_others,
            payload_at: payload.at,
        })
    }

    /// Protected headers besides the algorithm: `x5t` (34), for example.
    #[must_use]
    pub fn protected_others(&self) -> Others<'b> {
        self.protected_others.clone()
    }

    /// Unprotected headers: `x5chain` (33), for example.
    #[must_use]
    pub fn unprotected_others(&self) -> Others<'b> {
        self.unprotected_others.clone()
    }

    /// What the signature is over, without external data.
    #[must_use]
    pub fn sig_structure(&self) -> SigStructure<'b> {
        SigStructure::new(self.protected, self.payload)
    }

    /// The payload and its place in the whole.
    pub(super) const fn claims(&self) -> Placed<'b> {
        Placed { bytes: self.payload, at: self.payload_at }
    }
}

/// A signature algorithm of COSE (RFC 9053, section 2.1).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct SignatureAlgorithm(pub i64);

impl SignatureAlgorithm {
    /// ECDSA with SHA-256; a key on P-256, as tokens have it.
    pub const ES256: Self = Self(-7);
    /// ECDSA with SHA-384; a key on P-384.
    pub const ES384: Self = Self(-35);
    /// ECDSA with SHA-512; a key on P-521.
    pub const ES512: Self = Self(-36);

    /// Size of a signature in bytes, with the curve that goes with the algorithm; `None` for
    /// algorithms that this crate does not know.
    #[must_use]
    pub const fn signature_size(self) -> Option<usize> {
        match self {
            Self::ES256 => Some(64),
            Self::ES384 => Some(96),
            Self::ES512 => Some(132),
            _ => None,
        }
    }
}

/// The bytes that a COSE_Sign1's signature is over: the array `["Signature1", protected, h'',
/// payload]` (RFC 9052, section 4.4).
///
/// ```
/// use tsm_cca::token::SigStructure;
///
/// let structure = SigStructure::new(b"\xA1\x01\x38\x22", b"claims");
/// let mut bytes = [0; 64];
/// let size = structure.write(&mut bytes).unwrap();
/// assert_eq!(&bytes[..size], b"\x84\x6ASignature1\x44\xA1\x01\x38\x22\x40\x46claims");
/// ```
#[derive(Clone, Debug)]
pub struct SigStructure<'b> {
    protected: &'b [u8],
    payload: &'b [u8],
    protected_head: Head,
    payload_head: Head,
}

impl<'b> SigStructure<'b> {
    /// Of a protected header's encoding and a payload.
    #[must_use]
    pub fn new(protected: &'b [u8], payload: &'b [u8]) -> Self {
        let (protected_head, payload_head) = (Head::of(protected), Head::of(payload));
        Self { protected, payload, protected_head, payload_head }
    }

    /// The bytes in pieces, for a hasher.
    pub fn pieces(&self) -> impl Iterator<Item = &[u8]> {
        [
            &b"\x84\x6ASignature1"[..],
            self.protected_head.as_bytes(),
            self.protected,
            b"\x40",
            self.payload_head.as_bytes(),
            self.payload,
        ]
        .into_iter()
    }

    /// How many bytes they are.
    #[must_use]
    pub fn size(&self) -> usize {
        self.pieces().fold(0, |sum, piece| sum.saturating_add(piece.len()))
    }

    /// Writes the bytes to the front of `out` and gives their number; `None` if there is no room.
    pub fn write(&self, out: &mut [u8]) -> Option<usize> {
        let size = self.size();
        let mut room = out.get_mut(..size)?;
        for piece in self.pieces() {
            let (front, rest) = room.split_at_mut_checked(piece.len())?;
            copy(piece, front);
            room = rest;
        }
        Some(size)
    }
}

/// The head of a byte string.
#[derive(Clone, Debug)]
struct Head {
    bytes: [u8; 9],
    size: usize,
}

impl Head {
    /// In the shortest form.
    fn of(content: &[u8]) -> Self {
        let mut bytes = [0; 9];
        let length = u64::try_from(content.len()).unwrap_or(u64::MAX);
        let mut encoder =
            minicbor::Encoder::new(minicbor::encode::write::Cursor::new(&mut bytes[..]));
        // Nine bytes are enough for any head.
        drop(encoder.bytes_len(length));
        let size = encoder.writer().position();
        Self { bytes, size }
    }

    fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.size).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An ES384 COSE_Sign1 around these headers and payload.
    fn sign1(protected: &[u8], unprotected: &[u8], payload: &[u8], signature: usize) -> Vec<u8> {
        let mut bytes = b"\xd2\x84".to_vec();
        bytes.push(0x40 + protected.len() as u8);
        bytes.extend_from_slice(protected);
        bytes.extend_from_slice(unprotected);
        bytes.extend_from_slice(payload);
        bytes.extend_from_slice(&[0x58, signature as u8]);
        bytes.extend_from_slice(&vec![7; signature]);
        bytes
    }

    #[test]
    fn parts() {
        let bytes = sign1(b"\xa2\x01\x38\x22\x18\x22\x41\x05", b"\xa1\x18\x21\x40", b"\x43abc", 96);
        let parsed = Sign1::parse(&bytes).unwrap();
        assert_eq!(parsed.algorithm, SignatureAlgorithm::ES384);
        assert_eq!((parsed.payload, parsed.signature), (&b"abc"[..], &[7; 96][..]));
        assert_eq!(parsed.claims().at, 16);
        let others: Vec<_> = parsed.protected_others().chain(parsed.unprotected_others()).collect();
        assert_eq!(
            others,
            [(Label::Number(34), &b"\x41\x05"[..]), (Label::Number(33), &b"\x40"[..])]
        );
    }

    #[test]
    fn refused() {
        const ES384: &[u8] = b"\xa1\x01\x38\x22";
        let kind = |bytes: &[u8]| Sign1::parse(bytes).map(drop).map_err(|error| error.kind());
        let good = sign1(ES384, b"\xa0", b"\x40", 96);
        assert_eq!(kind(&good), Ok(()));
        let of = |protected, unprotected, payload, size| {
            kind(&sign1(protected, unprotected, payload, size)).unwrap_err()
        };
        let missing = ErrorKind::Missing(Part::SignatureAlgorithm);
        assert_eq!(of(b"\xa0", b"\xa1\x01\x38\x22", b"\x40", 96), missing);
        assert_eq!(of(b"", b"\xa0", b"\x40", 96), ErrorKind::Truncated);
        assert_eq!(of(ES384, b"\xa1\x01\x38\x22", b"\x40", 96), ErrorKind::Duplicate);
        let critical = ErrorKind::Value(Part::CriticalHeaders);
        assert_eq!(of(b"\xa2\x01\x38\x22\x02\x81\x18\x22", b"\xa0", b"\x40", 96), critical);
        assert_eq!(of(ES384, b"\xa0", b"\xf6", 96), ErrorKind::Type(Part::Payload));
        assert_eq!(of(ES384, b"\xa0", b"\x40", 64), ErrorKind::Size(Part::Signature));
        assert_eq!(of(b"\xa1\x01\x26", b"\xa0", b"\x40", 96), ErrorKind::Size(Part::Signature));
        assert_eq!(of(b"\xa1\x01\x38\x22\x00", b"\xa0", b"\x40", 96), ErrorKind::Trailing);
        assert_eq!(kind(&good[1..]), Err(ErrorKind::Type(Part::Sign1)));
        assert_eq!(kind(&[&b"\xd1"[..], &good[1..]].concat()), Err(ErrorKind::Tag(17)));
        assert_eq!(kind(&[&good[..], b"\0"].concat()), Err(ErrorKind::Trailing));
        assert_eq!(kind(b"\xd2\x83\x40\xa0\x40"), Err(ErrorKind::Size(Part::Sign1)));
    }

    /// Heads at each change of form (RFC 8949, section 3).
    #[test]
    fn heads() {
        let head = |size| Head::of(&vec![0; size]).as_bytes().to_vec();
        assert_eq!(head(0), b"\x40");
        assert_eq!(head(23), b"\x57");
        assert_eq!(head(24), b"\x58\x18");
        assert_eq!(head(256), b"\x59\x01\x00");
        assert_eq!(head(65536), b"\x5a\x00\x01\x00\x00");
        let structure = SigStructure::new(b"\xa0", b"x");
        assert_eq!(structure.write(&mut vec![0; structure.size() - 1]), None);
    }
}
