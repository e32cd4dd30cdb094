// SPDX-License-Identifier: MIT OR Apache-2.0
//! Tokens as bytes, without an allocation: what has a size in front of it is encoded twice, first to
//! count.

use minicbor::Encoder;
use minicbor::data::Tag;
use minicbor::encode::{self, Write};
use p384::ecdsa::signature::hazmat::PrehashSigner as _;
use p384::ecdsa::{Signature, SigningKey};
use sha2::{Digest as _, Sha384};
use tsm_cca::token::{Form, SigStructure};

/// Where an encoding goes.
pub(super) struct Sink<'o> {
    /// `None`: nowhere, it is counted only.
    out: Option<&'o mut [u8]>,
    at: usize,
}

/// There is no room left.
#[derive(Debug)]
pub(super) struct Full;

pub(super) type Encoded = Result<(), encode::Error<Full>>;

/// Something that can be encoded any number of times, always to the same bytes.
pub(super) type Item<'i> = &'i dyn Fn(&mut Encoder<&mut Sink<'_>>) -> Encoded;

impl Write for Sink<'_> {
    type Error = Full;

    fn write_all(&mut self, bytes: &[u8]) -> Result<(), Full> {
        let end = self.at.checked_add(bytes.len()).ok_or(Full)?;
        if let Some(out) = &mut self.out {
            let room = out.get_mut(self.at..end).ok_or(Full)?;
            for (to, from) in room.iter_mut().zip(bytes) {
                *to = *from;
            }
        }
        self.at = end;
        Ok(())
    }
}

impl<'o> Sink<'o> {
    pub(super) const fn new(out: &'o mut [u8]) -> Self {
        Self { out: Some(out), at: 0 }
    }

    /// How many bytes were written.
    pub(super) const fn size(&self) -> usize {
        self.at
    }

    pub(super) fn put(&mut self, item: Item<'_>) -> Option<()> {
        item(&mut Encoder::new(self)).ok()
    }

    /// Bytes as they are.
    pub(super) fn raw(&mut self, bytes: &[u8]) -> Encoded {
        self.write_all(bytes).map_err(encode::Error::write)
    }

    /// The head of a string of so many bytes.
    fn bytes_len(&mut self, size: usize) -> Option<()> {
        let size = u64::try_from(size).ok()?;
        Encoder::new(self).bytes_len(size).ok().map(drop)
    }

    /// What was written from there on; `None` if it was counted only.
    fn since(&self, start: usize) -> Option<&[u8]> {
        self.out.as_deref()?.get(start..self.at)
    }
}

/// Claims and the key that signs them.
pub(super) struct Half<'h> {
    pub(super) claims: Item<'h>,
    pub(super) key: &'h SigningKey,
}

/// The whole token; `None` if there is no room.
pub(super) fn token(
    sink: &mut Sink<'_>,
    form: Form,
    platform: &Half<'_>,
    realm: &Half<'_>,
) -> Option<()> {
    let tag = match form {
        Form::Collection => 399,
        Form::Cmw => 907,
    };
    sink.put(&|e| e.tag(Tag::new(tag))?.map(2).map(drop))?;
    for (label, half) in [(44234_u32, platform), (44241, realm)] {
        sink.put(&|e| e.u32(label).map(drop))?;
        if form == Form::Cmw {
            // application/eat+cwt.
            sink.put(&|e| e.array(2)?.u32(263).map(drop))?;
        }
        let mut count = Sink { out: None, at: 0 };
        sign1(&mut count, half)?;
        sink.bytes_len(count.size())?;
        sign1(sink, half)?;
    }
    Some(())
}

/// {1: -35}: ES384.
const PROTECTED: &[u8] = b"\xA1\x01\x38\x22";

fn sign1(sink: &mut Sink<'_>, half: &Half<'_>) -> Option<()> {
    sink.put(&|e| e.tag(Tag::new(18))?.array(4)?.bytes(PROTECTED)?.map(0).map(drop))?;
    let mut count = Sink { out: None, at: 0 };
    count.put(half.claims)?;
    sink.bytes_len(count.size())?;
    let start = sink.size();
    sink.put(half.claims)?;
    let signature = match sink.since(start) {
        Some(payload) => sign(half.key, payload)?,
        None => [0; 96],
    };
    sink.put(&|e| e.bytes(&signature).map(drop))
}

/// Deterministic (RFC 6979): of the same claims it makes the same signature.
fn sign(key: &SigningKey, payload: &[u8]) -> Option<[u8; 96]> {
    let structure = SigStructure::new(PROTECTED, payload);
    let hash = structure.pieces().fold(Sha384::new(), |hash, piece| hash.chain_update(piece));
    let signature: Signature = key.sign_prehash(&hash.finalize()).ok()?;
    Some(signature.to_bytes().into())
}
