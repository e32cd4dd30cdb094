// SPDX-License-Identifier: MIT OR Apache-2.0
//! Evidence of platforms: recognized, read, and the registers' values in it.
//!
//! Well-formed is all that it is here. Who made it only a verifier can tell, and everything that is
//! taken from it says so.

use core::fmt;
use std::path::{Path, PathBuf};

use tsm_cca::RemIndex;
use tsm_cca::token::{Rules, Token};
use tsm_core::hex;
use tsm_core::{Algorithm, Digest};
use tsm_snp::Manifest;
use tsm_tdx::layout::{TEE_SGX, TEE_TDX};
use tsm_tdx::{Quote, RtmrIndex, TdReport};

use crate::failure::Failure;
use crate::parse::Value;
use crate::replay::Finding;
use crate::{Result, input};

/// What evidence looks like from its first bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    TdReport,
    /// A quote as Intel's quoting enclaves make them, of whatever version.
    Quote,
    /// A token of Arm CCA.
    CcaToken,
}

/// Evidence that is well-formed.
pub(crate) enum Evidence<'b> {
    TdReport(TdReport<'b>),
    Quote(Quote<'b>),
    CcaToken(Box<Token<'b>>),
}

/// Why evidence is not well-formed.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ParseError {
    Tdx(tsm_tdx::Error),
    Cca(tsm_cca::Error),
}

/// The expected values in these files: of every register that a log can explain.
pub(crate) fn values(files: &[PathBuf]) -> Result<Vec<Value>> {
    let mut values = Vec::new();
    for file in files {
        let at = |message: String| Failure::usage(format!("{}: {message}", file.display()));
        let bytes = read(file)?;
        if bytes.starts_with(&Manifest::SERVICE.mixed_bytes()) {
            // Its values mean nothing without a report and its nonce.
            return Err(at(
                "a register bank's manifest, which only a report of its nonce vouches for: verify \
                 both, then give the values as text with --expect-file"
                    .into(),
            ));
        }
        let kind = Kind::of(&bytes).ok_or_else(|| {
            at("neither a TDREPORT nor a quote nor a token of Arm CCA; values as text are for \
                --expect-file"
                .into())
        })?;
        let evidence = kind.parse(&bytes).map_err(|error| at(error.to_string()))?;
        let found = evidence.registers();
        if found.is_empty() {
            return Err(at("evidence of an SGX enclave, which has no runtime registers".into()));
        }
        values.extend(found);
    }
    Ok(values)
}

/// What to know of values from these files.
pub(crate) fn unverified(files: &[PathBuf]) -> Option<Finding> {
    let names: Vec<_> = files.iter().map(|file| file.display().to_string()).collect();
    let text = format!(
        "the values are what {} says, and nobody has checked here who made it: verify signature, \
         certificates and freshness",
        names.join(", ")
    );
    (!names.is_empty()).then(|| Finding::general("evidence-unverified", text))
}

/// A file's bytes, or those that it writes as hex digits.
pub(crate) fn read(file: &Path) -> Result<Vec<u8>> {
    let bytes = input::read_all(&[file.to_path_buf()])?;
    Ok(unhex(&bytes).filter(|bytes| Kind::of(bytes).is_some()).unwrap_or(bytes))
}

/// The bytes that a text of nothing but hex digits means, perhaps with `0x` before and with blanks.
pub(crate) fn unhex(text: &[u8]) -> Option<Vec<u8>> {
    let text = text.trim_ascii();
    let text = text.strip_prefix(b"0x").unwrap_or(text);
    // Most files are no such text, and may be large.
    if !text.iter().all(|byte| byte.is_ascii_hexdigit() || byte.is_ascii_whitespace()) {
        return None;
    }
    let digits = text.iter().filter(|byte| byte.is_ascii_hexdigit());
    let digits: Vec<_> = digits.map(u8::to_ascii_lowercase).collect();
    let mut bytes = vec![0; digits.len() / 2];
    (!bytes.is_empty() && hex::decode(&digits, &mut bytes)).then_some(bytes)
}

impl Kind {
    /// Looks at the first bytes only: what is damaged behind them is still of its kind.
    pub(crate) fn of(bytes: &[u8]) -> Option<Self> {
        match bytes {
            // REPORTTYPE: type, subtype, version, reserved. No log begins like that.
            [TEE_TDX, 0, 0 | 1, 0, ..] => Some(Self::TdReport),
            // Version, type of the key (ECDSA with P-256 or P-384), TEE type.
            [1..=15, 0, 2 | 3, 0, TEE_SGX | TEE_TDX, 0, 0, 0, ..] => Some(Self::Quote),
            // Tag 399 or 907, and a map.
            [0xD9, 0x01, 0x8F, 0xA0..=0xBF, ..] | [0xD9, 0x03, 0x8B, 0xA0..=0xBF, ..] => {
                Some(Self::CcaToken)
            }
            _ => None,
        }
    }

    /// Reads evidence of this kind.
    pub(crate) fn parse(self, bytes: &[u8]) -> Result<Evidence<'_>, ParseError> {
        match self {
            Self::TdReport => {
                TdReport::parse(bytes).map(Evidence::TdReport).map_err(ParseError::Tdx)
            }
            Self::Quote => Quote::parse(bytes).map(Evidence::Quote).map_err(ParseError::Tdx),
            Self::CcaToken => Token::parse(bytes, Rules::STRICT)
                .map(|token| Evidence::CcaToken(Box::new(token)))
                .map_err(ParseError::Cca),
        }
    }
}

impl Evidence<'_> {
    /// The runtime registers' values; none if it is about something without such registers.
    pub(crate) fn registers(&self) -> Vec<Value> {
        let rtmrs = match self {
            Self::TdReport(report) => Some(&report.td_info.rtmrs),
            Self::Quote(quote) => quote.body().td().map(|body| &body.rtmrs),
            Self::CcaToken(token) => {
                let claims = &token.realm.claims;
                let rem = |index: RemIndex| {
                    let digest = claims.rem(index)?;
                    Some(Value { register: Some(index.to_string()), digest })
                };
                return RemIndex::ALL.into_iter().filter_map(rem).collect();
            }
        };
        let rtmr = |(index, value): (RtmrIndex, &[u8; 48])| {
            let digest = Digest::from_bytes(Algorithm::Sha384, value)?;
            Some(Value { register: Some(format!("rtmr{}", index.number())), digest })
        };
        rtmrs
            .into_iter()
            .flat_map(|all| RtmrIndex::ALL.into_iter().zip(all))
            .filter_map(rtmr)
            .collect()
    }
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tdx(error) => error.fmt(f),
            Self::Cca(error) => error.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_text() {
        assert_eq!(unhex(b" 0x0aB1\r\n 02\n"), Some(vec![0x0A, 0xB1, 2]));
        for bad in [&b""[..], b"0x", b"0", b"0a0", b"0g", b"0a-0b", b"\xff\xff"] {
            assert_eq!(unhex(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn kinds() {
        assert_eq!(Kind::of(&[0x81, 0, 1, 0, 9]), Some(Kind::TdReport));
        assert_eq!(Kind::of(&[0x81, 0, 2, 0, 9]), None);
        for version in [3, 4, 5, 6] {
            assert_eq!(Kind::of(&[version, 0, 2, 0, 0x81, 0, 0, 0]), Some(Kind::Quote));
        }
        assert_eq!(Kind::of(b"\xD9\x01\x8F\xA2"), Some(Kind::CcaToken));
        assert_eq!(Kind::of(b"\xD9\x03\x8B\xA2"), Some(Kind::CcaToken));
        assert_eq!(Kind::of(b"\xD9\x01\x8F\x82"), None);
        // The beginning of a CCEL, of a TPM's log, of an IMA list.
        for log in [[1, 0, 0, 0, 3, 0, 0, 0], [0, 0, 0, 0, 3, 0, 0, 0], [10, 0, 0, 0, 1, 2, 3, 4]] {
            assert_eq!(Kind::of(&log), None);
        }
    }
}
