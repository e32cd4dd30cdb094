// SPDX-License-Identifier: MIT OR Apache-2.0
//! Payloads of events: raw, in hexadecimal, in base64.

use crate::bytes::{Bytes, BytesIter};
use crate::error::ErrorKind;
use crate::out::Out;

/// The payload of an event: bytes, however they are written.
#[derive(Clone, Copy)]
pub struct Payload<'a>(Repr<'a>);

#[derive(Clone, Copy)]
enum Repr<'a> {
    Bytes(Bytes<'a>),
    /// Sound.
    Base64(&'a str),
}

impl<'a> Payload<'a> {
    /// `None` if this is not base64 with padding, or has bits that stand for nothing.
    pub(super) fn base64(text: &'a str) -> Option<Self> {
        let (groups, rest) = text.as_bytes().as_chunks::<4>();
        let (last, before) = match groups.split_last() {
            Some((last, before)) => (Some(last), before),
            None => (None, groups),
        };
        let is_whole = before.iter().all(|group| group.iter().all(|&byte| digit(byte).is_some()));
        let is_sound = last.is_none_or(|last| match *last {
            [a, b, b'=', b'='] => digit(a).is_some() && digit(b).is_some_and(|b| b & 15 == 0),
            [a, b, c, b'='] => {
                digit(a).is_some() && digit(b).is_some() && digit(c).is_some_and(|c| c & 3 == 0)
            }
            _ => last.iter().all(|&byte| digit(byte).is_some()),
        });
        (rest.is_empty() && is_whole && is_sound).then_some(Self(Repr::Base64(text)))
    }

    /// The number of bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        match self.0 {
            Repr::Bytes(bytes) => bytes.len(),
            Repr::Base64(text) => {
                let padding = text.bytes().rev().take_while(|&byte| byte == b'=').count();
                (text.len() / 4).saturating_mul(3).saturating_sub(padding)
            }
        }
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bytes one by one.
    #[must_use]
    pub fn iter(&self) -> PayloadIter<'a> {
        match self.0 {
            Repr::Bytes(bytes) => PayloadIter(IterRepr::Bytes(bytes.iter())),
            Repr::Base64(text) => PayloadIter(IterRepr::Base64 { rest: text.as_bytes(), at: 0 }),
        }
    }
}

impl<'a> From<Bytes<'a>> for Payload<'a> {
    fn from(bytes: Bytes<'a>) -> Self {
        Self(Repr::Bytes(bytes))
    }
}

impl PartialEq for Payload<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for Payload<'_> {}

impl core::fmt::Debug for Payload<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        self.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl<'a> IntoIterator for Payload<'a> {
    type Item = u8;
    type IntoIter = PayloadIter<'a>;

    fn into_iter(self) -> PayloadIter<'a> {
        self.iter()
    }
}

/// The iterator of [`Payload::iter`].
#[derive(Clone, Debug)]
pub struct PayloadIter<'a>(IterRepr<'a>);

#[derive(Clone, Debug)]
enum IterRepr<'a> {
    Bytes(BytesIter<'a>),
    /// The groups from here on, and how many bytes of the first are given.
    Base64 {
        rest: &'a [u8],
        at: u32,
    },
}

impl Iterator for PayloadIter<'_> {
    type Item = u8;

    fn next(&mut self) -> Option<u8> {
        match &mut self.0 {
            IterRepr::Bytes(bytes) => bytes.next(),
            IterRepr::Base64 { rest, at } => {
                let (&[a, b, c, d], behind) = rest.split_first_chunk::<4>()?;
                let place = *at;
                *at = place.saturating_add(1);
                let (high, low) = match place {
                    0 => (digit(a)? << 2, digit(b)? >> 4),
                    1 => (digit(b)? << 4, digit(c)? >> 2),
                    _ => {
                        (*rest, *at) = (behind, 0);
                        (digit(c)? << 6, digit(d)?)
                    }
                };
                Some(high | low)
            }
        }
    }
}

const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

fn digit(byte: u8) -> Option<u8> {
    Some(match byte {
        b'A'..=b'Z' => byte.wrapping_sub(b'A'),
        b'a'..=b'z' => byte.wrapping_sub(b'a').wrapping_add(26),
        b'0'..=b'9' => byte.wrapping_sub(b'0').wrapping_add(52),
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    })
}

pub(super) fn put_base64(out: &mut dyn Out, payload: Payload<'_>) -> Result<(), ErrorKind> {
    let mut bytes = payload.iter();
    while let Some(a) = bytes.next() {
        let (b, c) = (bytes.next(), bytes.next());
        let character = |bits: u8| DIGITS.get(usize::from(bits & 63)).copied().unwrap_or(b'A');
        let (second, third) = (b.unwrap_or_default(), c.unwrap_or_default());
        out.put(&[
            character(a >> 2),
            character(a << 4 | second >> 4),
            if b.is_some() { character(second << 2 | third >> 6) } else { b'=' },
            if c.is_some() { character(third) } else { b'=' },
        ])?;
    }
    Ok(())
}
