// SPDX-License-Identifier: MIT OR Apache-2.0
//! The memory that calls read and write, each kind a type with the size and alignment that the leaf
//! wants. None of them crosses a page, so one address is good for all of it.

use tsm_core::{Algorithm, Digest};

use crate::bytes::copy;
use crate::error::Error;
use crate::layout::{ReportMacStruct, TdReport};

/// What `TDG.MR.RTMR.EXTEND` reads: 48 bytes at an alignment of 64.
#[derive(Clone, Debug)]
#[repr(C, align(64))]
pub struct ExtendBuffer([u8; 64]);

impl ExtendBuffer {
    /// Bytes that the leaf reads.
    pub const SIZE: usize = 48;

    /// A buffer with these 48 bytes. What they are the hash of is the caller's affair.
    #[must_use]
    pub const fn new(digest: &[u8; Self::SIZE]) -> Self {
        let mut buffer = [0; 64];
        if let Some(front) = buffer.first_chunk_mut() {
            *front = *digest;
        }
        Self(buffer)
    }

    /// A buffer with a digest; `None` unless it is of SHA-384. A shorter one is not padded here:
    /// stacks differ in how they do that.
    #[must_use]
    pub fn from_digest(digest: &Digest) -> Option<Self> {
        if digest.algorithm() != Algorithm::Sha384 {
            return None;
        }
        let mut buffer = [0; 64];
        copy(digest.as_bytes(), &mut buffer);
        Some(Self(buffer))
    }

    /// The 48 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; Self::SIZE] {
        match self.0.first_chunk() {
            Some(bytes) => bytes,
            None => &[0; Self::SIZE], // cannot be
        }
    }
}

/// REPORTDATA: 64 bytes of the caller's that a report is bound to, at an alignment of 64.
#[derive(Clone, Debug)]
#[repr(C, align(64))]
pub struct ReportData([u8; 64]);

impl ReportData {
    /// Its size in bytes.
    pub const SIZE: usize = 64;

    /// These bytes.
    #[must_use]
    pub const fn new(data: [u8; Self::SIZE]) -> Self {
        Self(data)
    }

    /// Bytes of the caller's with zeros behind; `None` if there are more than 64.
    #[must_use]
    pub fn padded(data: &[u8]) -> Option<Self> {
        let mut padded = [0; Self::SIZE];
        copy(data, &mut padded);
        (data.len() <= Self::SIZE).then_some(Self(padded))
    }

    /// The bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; Self::SIZE] {
        &self.0
    }
}

/// What `TDG.MR.REPORT` writes: a TDREPORT of 1024 bytes at an alignment of 1024. Large for a
/// firmware's stack: keep it elsewhere.
#[derive(Clone, Debug)]
#[repr(C, align(1024))]
pub struct ReportBuffer([u8; 1024]);

impl ReportBuffer {
    /// Its size in bytes.
    pub const SIZE: usize = 1024;

    /// Zeros.
    #[must_use]
    pub const fn new() -> Self {
        Self([0; Self::SIZE])
    }

    /// The bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; Self::SIZE] {
        &self.0
    }

    /// The bytes, to be written by a call.
    pub(crate) const fn as_bytes_mut(&mut self) -> &mut [u8; Self::SIZE] {
        &mut self.0
    }

    /// The report in it.
    ///
    /// # Errors
    ///
    /// As [`TdReport::parse`]. A buffer that no call has written holds no report.
    pub fn report(&self) -> Result<TdReport<'_>, Error> {
        TdReport::parse(&self.0)
    }
}

impl Default for ReportBuffer {
    fn default() -> Self {
        Self::new()
    }
}

/// What `TDG.MR.VERIFYREPORT` reads: REPORTMACSTRUCT, the first 256 bytes of a TDREPORT, at an
/// alignment of 256.
#[derive(Clone, Debug)]
#[repr(C, align(256))]
pub struct MacBuffer([u8; 256]);

impl MacBuffer {
    /// Its size in bytes.
    pub const SIZE: usize = 256;

    /// A copy of the structure.
    #[must_use]
    pub fn new(mac: &ReportMacStruct) -> Self {
        let mut buffer = Self([0; Self::SIZE]);
        copy(mac.as_bytes(), &mut buffer.0);
        buffer
    }

    /// The bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; Self::SIZE] {
        &self.0
    }
}

// What the leaves demand, and that nothing crosses a page of 4096 bytes.
const _: () = {
    assert!(align_of::<ExtendBuffer>() == 64 && size_of::<ExtendBuffer>() == 64);
    assert!(align_of::<ReportData>() == 64 && size_of::<ReportData>() == 64);
    assert!(align_of::<ReportBuffer>() == 1024 && size_of::<ReportBuffer>() == 1024);
    assert!(align_of::<MacBuffer>() == 256 && size_of::<MacBuffer>() == 256);
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_fits() {
        let digest = Algorithm::Sha384.hash(b"x");
        let buffer = ExtendBuffer::from_digest(&digest).unwrap();
        assert_eq!(&buffer.as_bytes()[..], digest.as_bytes());
        assert_eq!(ExtendBuffer::new(buffer.as_bytes()).0, buffer.0);
        assert_eq!(ReportData::padded(&[7; 3]).unwrap().as_bytes()[..4], [7, 7, 7, 0]);
        assert!(ReportData::padded(&[7; 64]).is_some());
        assert!(ReportData::padded(&[7; 65]).is_none());
    }
}
