// SPDX-License-Identifier: MIT OR Apache-2.0
//! Cuts little-endian structures out of bytes, part by part.

use crate::error::ErrorKind;

/// What is left to cut.
#[derive(Clone, Copy)]
pub(super) struct Cut<'a>(pub(super) &'a [u8]);

impl<'a> Cut<'a> {
    #[inline]
    pub(super) fn bytes(&mut self, length: usize) -> Result<&'a [u8], ErrorKind> {
        let (bytes, rest) = self.0.split_at_checked(length).ok_or(ErrorKind::Truncated)?;
        self.0 = rest;
        Ok(bytes)
    }

    #[inline]
    pub(super) fn array<const N: usize>(&mut self) -> Result<&'a [u8; N], ErrorKind> {
        let (array, rest) = self.0.split_first_chunk().ok_or(ErrorKind::Truncated)?;
        self.0 = rest;
        Ok(array)
    }

    #[inline]
    pub(super) fn u8(&mut self) -> Result<u8, ErrorKind> {
        self.array().map(|&[byte]| byte)
    }

    #[inline]
    pub(super) fn u16(&mut self) -> Result<u16, ErrorKind> {
        self.array().map(|bytes| u16::from_le_bytes(*bytes))
    }

    #[inline]
    pub(super) fn u32(&mut self) -> Result<u32, ErrorKind> {
        self.array().map(|bytes| u32::from_le_bytes(*bytes))
    }

    #[inline]
    pub(super) fn u64(&mut self) -> Result<u64, ErrorKind> {
        self.array().map(|bytes| u64::from_le_bytes(*bytes))
    }

    /// Bytes after a `u32` that says how many, at most `limit`.
    #[inline]
    pub(super) fn sized(&mut self, limit: usize) -> Result<&'a [u8], ErrorKind> {
        let length = usize::try_from(self.u32()?).unwrap_or(usize::MAX);
        if length > limit {
            return Err(ErrorKind::RecordTooLong);
        }
        self.bytes(length)
    }

    /// How much of `all` has been cut off, `self` being its end.
    #[inline]
    pub(super) fn cut_off(&self, all: &'a [u8]) -> &'a [u8] {
        all.get(..all.len().saturating_sub(self.0.len())).unwrap_or(all)
    }
}
