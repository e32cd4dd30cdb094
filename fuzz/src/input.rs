// SPDX-License-Identifier: MIT OR Apache-2.0
//! Choices from the front of an input.

use tsm_core::{Algorithm, Banks, Digest};

/// Bytes that are consumed from the front; zeros when there are no more.
#[derive(Clone, Copy, Debug)]
pub struct Input<'d>(&'d [u8]);

impl<'d> Input<'d> {
    /// All of `data`.
    #[must_use]
    pub const fn new(data: &'d [u8]) -> Self {
        Self(data)
    }

    /// Whether nothing is left.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What is left.
    #[must_use]
    pub const fn rest(&self) -> &'d [u8] {
        self.0
    }

    /// A byte.
    pub fn byte(&mut self) -> u8 {
        self.bytes(1).first().copied().unwrap_or(0)
    }

    /// A number below 65,536.
    pub fn short(&mut self) -> usize {
        usize::from(self.byte()) | usize::from(self.byte()) << 8
    }

    /// A number below `end`, which is at least 1.
    pub fn below(&mut self, end: usize) -> usize {
        if end <= 256 { usize::from(self.byte()) % end } else { self.short() % end }
    }

    /// One of these.
    pub fn of<T: Copy>(&mut self, these: &[T]) -> T {
        these[self.below(these.len())]
    }

    /// Up to `size` bytes.
    pub fn bytes(&mut self, size: usize) -> &'d [u8] {
        let (first, rest) = self.0.split_at(size.min(self.0.len()));
        self.0 = rest;
        first
    }

    /// One bank to three.
    pub fn banks(&mut self) -> Banks {
        use Algorithm::{Sha1, Sha256, Sha384, Sha512};
        Banks::new(self.of(&[
            &[Sha256][..],
            &[Sha384],
            &[Sha256, Sha384],
            &[Sha512, Sha1],
            &[Sha1],
            &[Sha384, Sha1, Sha256],
        ]))
        .unwrap()
    }

    /// Some digest.
    pub fn digest(&mut self, algorithm: Algorithm) -> Digest {
        match self.byte() {
            0 => Digest::zeros(algorithm),
            0xFF => Digest::ones(algorithm),
            byte => algorithm.hash(&[byte]),
        }
    }
}

/// Cuts `bytes` into pieces of changing sizes, empty ones among them.
pub fn pieces(mut bytes: &[u8], sizes: [u8; 2]) -> impl Iterator<Item = &[u8]> {
    let mut turn = 0_usize;
    core::iter::from_fn(move || {
        if bytes.is_empty() {
            return None;
        }
        turn += 1;
        let size = usize::from(sizes[turn % 2]).wrapping_mul(turn) % 61;
        let size = size.max(usize::from(turn % 3 == 0)).min(bytes.len());
        let (piece, rest) = bytes.split_at(size);
        bytes = rest;
        Some(piece)
    })
}
