// SPDX-License-Identifier: MIT OR Apache-2.0
//! The byte layouts of TDX evidence: TDREPORT and quote, borrowed from the bytes.
//!
//! Structures whose name ends in `Struct`, and those that they are made of, are plain layouts: any
//! bytes make one, and so can you. What has been checked is a type of its own: [`TdReport`] and
//! [`Quote`] exist only if sizes, types and versions are right (and, of a report, its two hashes).
//! Neither says who made the bytes: a report's MAC can be checked on its own machine only
//! ([`Td::verify_report`](crate::Td::verify_report)), a quote's signatures by a verifier.
//!
//! What is worth a look but not wrong is told by `findings()`.
//!
//! Source: Intel TDX Module 1.5 ABI Specification (348551), TDREPORT_STRUCT; Intel TDX DCAP Quoting
//! Library API, appendix A (quote versions 4 and 5); offsets were checked on real reports and quotes.

mod bits;
mod finding;
mod quote;
mod report;
mod signature;

pub use bits::{Attributes, Xfam};
pub use finding::{Finding, Findings};
pub use quote::{
    EnclaveReport, Quote, QuoteBody, QuoteHeader, TdBody10, TdBody15, TdxQuoteVersion,
};
pub use report::{
    ReportMacStruct, ReportType, TdInfo, TdReport, TdReportStruct, TeeTcbInfo, TeeTcbSvn, Valid,
};
pub use signature::{CertificationData, PckChain, SignatureData};

use crate::error::{Error, ErrorKind};

/// TEE type of a TD, in a quote's header (32 bits) and in a report's type (8 bits).
pub const TEE_TDX: u8 = 0x81;
/// TEE type of an SGX enclave.
pub const TEE_SGX: u8 = 0;

/// Bytes that are cut off from the front, and how many have been.
#[derive(Clone, Copy, Debug)]
struct Cut<'b> {
    rest: &'b [u8],
    offset: usize,
}

impl<'b> Cut<'b> {
    const fn new(bytes: &'b [u8]) -> Self {
        Self { rest: bytes, offset: 0 }
    }

    fn bytes(&mut self, size: usize) -> Result<&'b [u8], Error> {
        let error = self.error(ErrorKind::Truncated);
        let (bytes, rest) = self.rest.split_at_checked(size).ok_or(error)?;
        self.rest = rest;
        self.offset = self.offset.saturating_add(size);
        Ok(bytes)
    }

    fn array<const N: usize>(&mut self) -> Result<&'b [u8; N], Error> {
        let error = self.error(ErrorKind::Truncated);
        self.bytes(N)?.first_chunk().ok_or(error)
    }

    fn u16(&mut self) -> Result<u16, Error> {
        self.array().map(|bytes| u16::from_le_bytes(*bytes))
    }

    /// A 32-bit length, and a cut of so many bytes behind it.
    fn sized(&mut self) -> Result<Self, Error> {
        let size = self.size()?;
        let offset = self.offset;
        Ok(Self { rest: self.bytes(size)?, offset })
    }

    fn size(&mut self) -> Result<usize, Error> {
        let error = self.error(ErrorKind::Truncated);
        let size = u32::from_le_bytes(*self.array()?);
        usize::try_from(size).map_err(|_| error)
    }

    /// Nothing may be left.
    fn end(&self) -> Result<(), Error> {
        if self.rest.is_empty() { Ok(()) } else { Err(self.error(ErrorKind::Size)) }
    }

    /// An error about what comes next.
    const fn error(&self, kind: ErrorKind) -> Error {
        Error::at(kind, self.offset)
    }
}

/// Whether all bytes are zero.
fn is_zero(bytes: &[u8]) -> bool {
    bytes.iter().all(|&byte| byte == 0)
}
