// SPDX-License-Identifier: MIT OR Apache-2.0
//! The manifest of an SVSM's vTPM: the public area of its endorsement key, TPMT_PUBLIC as TPM 2.0
//! Part 2 (section 12.2.4) has it. Numbers in it are big-endian.

use crate::bytes::{take, take_array};
use crate::error::{Error, ErrorKind};
use crate::guid::Guid;

/// The service's GUID. Version 0 of its manifest is the public area and nothing else.
pub const VTPM_SERVICE: Guid = Guid::new(0xc476f1eb_0123_45a5_9641_b4e7dde5bfe3);

/// An endorsement key's public area.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EndorsementKey<'m> {
    /// All of it, as it is hashed for the key's name.
    pub public_area: &'m [u8],
    /// The hash of the key's name, a TPM_ALG_ID.
    pub name_algorithm: u16,
    /// TPMA_OBJECT.
    pub attributes: u32,
    /// Digest of the policy that its use needs.
    pub policy: &'m [u8],
    /// The key itself.
    pub kind: EndorsementKeyKind<'m>,
}

/// The kinds of keys that endorsement keys are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum EndorsementKeyKind<'m> {
    /// RSA.
    Rsa {
        /// Bits of the modulus.
        bits: u16,
        /// The exponent; 65537 is written as zero.
        exponent: u32,
        /// The modulus.
        modulus: &'m [u8],
    },
    /// A point of an elliptic curve.
    Ecc {
        /// TPM_ECC_CURVE.
        curve: u16,
        /// x.
        x: &'m [u8],
        /// y.
        y: &'m [u8],
    },
}

const RSA: u16 = 1;
const ECC: u16 = 0x23;
const NULL: u16 = 0x10;
const RSAES: u16 = 0x15;

impl<'m> EndorsementKey<'m> {
    /// Reads a public area, which must be all of `bytes`.
    ///
    /// # Errors
    ///
    /// With the offset: [`ErrorKind::Truncated`], [`ErrorKind::Size`] for bytes behind it,
    /// [`ErrorKind::Value`] for a key that is neither RSA nor of a curve.
    pub fn parse(bytes: &'m [u8]) -> Result<Self, Error> {
        let mut rest = bytes;
        let key = Self::read(bytes, &mut rest);
        let at = bytes.len().saturating_sub(rest.len());
        let key = key.ok_or(Error::at(ErrorKind::Truncated, at))?;
        let key = key.ok_or(Error::at(ErrorKind::Value, 0))?;
        if !rest.is_empty() {
            return Err(Error::at(ErrorKind::Size, at));
        }
        Ok(key)
    }

    /// The outer `None` is for the end of the bytes, the inner one for another kind of key.
    fn read(public_area: &'m [u8], rest: &mut &'m [u8]) -> Option<Option<Self>> {
        let kind = short(rest)?;
        if !matches!(kind, RSA | ECC) {
            return Some(None);
        }
        let name_algorithm = short(rest)?;
        let attributes = long(rest)?;
        let policy = sized(rest)?;
        if short(rest)? != NULL {
            // Bits and mode of the symmetric cipher for what the key protects.
            take(rest, 4)?;
        }
        scheme(rest)?;
        let kind = match kind {
            RSA => EndorsementKeyKind::Rsa {
                bits: short(rest)?,
                exponent: long(rest)?,
                modulus: sized(rest)?,
            },
            ECC => {
                let curve = short(rest)?;
                scheme(rest)?;
                EndorsementKeyKind::Ecc { curve, x: sized(rest)?, y: sized(rest)? }
            }
            _ => return Some(None),
        };
        Some(Some(Self { public_area, name_algorithm, attributes, policy, kind }))
    }
}

fn short(rest: &mut &[u8]) -> Option<u16> {
    take_array(rest).map(|bytes| u16::from_be_bytes(*bytes))
}

fn long(rest: &mut &[u8]) -> Option<u32> {
    take_array(rest).map(|bytes| u32::from_be_bytes(*bytes))
}

fn sized<'m>(rest: &mut &'m [u8]) -> Option<&'m [u8]> {
    let size = short(rest)?;
    take(rest, usize::from(size))
}

/// A scheme, with its hash unless it is none.
fn scheme(rest: &mut &[u8]) -> Option<()> {
    // RSAES has no details, every other scheme has a hash.
    if !matches!(short(rest)?, NULL | RSAES) {
        short(rest)?;
    }
    Some(())
}
