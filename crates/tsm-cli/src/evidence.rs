// SPDX-License-Identifier: MIT OR Apache-2.0
//! Evidence of platforms: recognized, read, and the registers' values in it.
//!
//! Well-formed is all that it is here. Who made it only a verifier can tell, and everything that is
//! taken from it says so.

use std::path::{Path, PathBuf};

use tsm_core::hex;
use tsm_core::{Algorithm, Digest};
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
}

/// Evidence that is well-formed.
pub(crate) enum Evidence<'b> {
    TdReport(TdReport<'b>),
    Quote(Quote<'b>),
}

/// The expected values in these files: of every register that a log can explain.
pub(crate) fn values(files: &[PathBuf]) -> Result<Vec<Value>> {
    let mut values = Vec::new();
    for file in files {
        let at = |message: String| Failure::usage(format!("{}: {message}", file.display()));
        let bytes = read(file)?;
        let kind = Kind::of(&bytes).ok_or_else(|| {
            at("neither a TDREPORT nor a quote; values as text are for --expect-file".into())
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
            _ => None,
        }
    }

    /// Reads evidence of this kind.
    pub(crate) fn parse(self, bytes: &[u8]) -> Result<Evidence<'_>, tsm_tdx::Error> {
        match self {
            Self::TdReport => TdReport::parse(bytes).map(Evidence::TdReport),
            Self::Quote => Quote::parse(bytes).map(Evidence::Quote),
        }
    }
}

impl Evidence<'_> {
    /// The runtime registers' values; none if it is about something without such registers.
    pub(crate) fn registers(&self) -> Vec<Value> {
        let rtmrs = match self {
            Self::TdReport(report) => Some(&report.td_info.rtmrs),
            Self::Quote(quote) => quote.body().td().map(|body| &body.rtmrs),
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
        // The beginning of a CCEL, of a TPM's log, of an IMA list.
        for log in [[1, 0, 0, 0, 3, 0, 0, 0], [0, 0, 0, 0, 3, 0, 0, 0], [10, 0, 0, 0, 1, 2, 3, 4]] {
            assert_eq!(Kind::of(&log), None);
        }
    }
}
