// SPDX-License-Identifier: MIT OR Apache-2.0
//! Evidence of platforms: recognized, read, and the registers' values in it.
//!
//! Well-formed, and of parts that belong together, is all that it is here. Who made it only a verifier
//! can tell, and everything that is taken from it says so.

pub(crate) mod snp;

use core::fmt;
use std::path::Path;

use tsm_cca::RemIndex;
use tsm_cca::token::{Rules, Token};
use tsm_core::hex;
use tsm_core::{Algorithm, Digest};
use tsm_snp::svsm::NONCE_SIZE;
use tsm_tdx::layout::{TEE_SGX, TEE_TDX};
use tsm_tdx::{Quote, RtmrIndex, TdReport};

use crate::failure::Failure;
use crate::parse::{Bytes, Value};
use crate::replay::Finding;
use crate::{Result, args, input};

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

/// The kind of findings about parts that were checked to belong together.
const BOUND: &str = "evidence-bound";

/// Why evidence is not well-formed.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ParseError {
    Tdx(tsm_tdx::Error),
    Cca(tsm_cca::Error),
}

/// What evidence says, and what to know of it.
#[derive(Default)]
pub(crate) struct Said {
    /// The values of every register that a log can explain.
    pub(crate) values: Vec<Value>,
    pub(crate) findings: Vec<Finding>,
}

/// Reads evidence and checks what can be checked without a key.
pub(crate) fn read(given: &args::Evidence) -> Result<Said> {
    let mut all = Said::default();
    let nonce = given.nonce.as_ref().map(padded).transpose()?;
    let mut report =
        given.report.as_deref().map(|file| Ok::<_, Failure>((file, bytes(file)?))).transpose()?;
    for file in &given.sources {
        let at = |message: String| Failure::usage(format!("{}: {message}", file.display()));
        let bytes = bytes(file)?;
        let said = match snp::Kind::of(&bytes) {
            Some(kind) => {
                let report = if kind.needs_report() { report.take() } else { None };
                let report = report.as_ref().map(|(file, bytes)| (*file, bytes.as_slice()));
                snp::read(kind, &bytes, report, nonce.as_ref()).map_err(at)?
            }
            None => {
                let kind = Kind::of(&bytes).ok_or_else(|| at(unknown()))?;
                let evidence = kind.parse(&bytes).map_err(|error| at(error.to_string()))?;
                evidence.said(nonce.as_ref()).map_err(|message| at(message.into()))?
            }
        };
        let name = file.display();
        all.findings.extend(
            said.findings
                .into_iter()
                .map(|finding| Finding { text: format!("{name}: {}", finding.text), ..finding }),
        );
        all.values.extend(said.values);
    }
    if let Some((file, _)) = report {
        return Err(Failure::usage(format!(
            "--report {}: only the manifest of an SNP guest's register bank needs a report, one for \
             each manifest; give the manifest with --expect-from",
            file.display()
        )));
    }
    all.findings.extend(unverified(given));
    Ok(all)
}

fn unknown() -> String {
    "neither a TDREPORT nor a quote nor a token of Arm CCA nor the manifest of an SNP guest's register \
     bank; values as text are for --expect-file"
        .into()
}

/// A nonce with zeros behind it.
fn padded(nonce: &Bytes) -> Result<[u8; NONCE_SIZE]> {
    let mut padded = [0; NONCE_SIZE];
    let place = padded.get_mut(..nonce.0.len()).ok_or_else(|| {
        Failure::usage(format!("a nonce has at most {NONCE_SIZE} bytes; hash a longer one"))
    })?;
    place.copy_from_slice(&nonce.0);
    Ok(padded)
}

/// What nobody has checked.
fn unverified(given: &args::Evidence) -> Option<Finding> {
    let names: Vec<_> = given.sources.iter().map(|file| file.display().to_string()).collect();
    let rest = match given.nonce {
        Some(_) => "signature and certificates",
        None => "signature, certificates and freshness",
    };
    let text = format!(
        "the values are what {} says, and nobody has checked here who made it: verify {rest}",
        names.join(", ")
    );
    (!names.is_empty()).then(|| Finding::general("evidence-unverified", text))
}

/// A file's bytes, or those that it writes as hex digits.
fn bytes(file: &Path) -> Result<Vec<u8>> {
    let bytes = input::read_all(&[file.to_path_buf()])?;
    let is_known = |bytes: &Vec<u8>| Kind::of(bytes).is_some() || snp::Kind::of(bytes).is_some();
    Ok(unhex(&bytes).filter(is_known).unwrap_or(bytes))
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
    /// The registers' values, if the parts of the evidence belong together, and it to the nonce.
    fn said(&self, nonce: Option<&[u8; NONCE_SIZE]>) -> Result<Said, &'static str> {
        let values = self.registers();
        if values.is_empty() {
            return Err("evidence of an SGX enclave, which has no runtime registers");
        }
        let mut findings = Vec::new();
        let mut bound = |text: &str| findings.push(Finding::general(BOUND, text.into()));
        if let Self::CcaToken(token) = self {
            if !token.binds_key() {
                return Err(
                    "the realm's key is not bound to the platform, whose challenge is not its \
                            hash: the registers may be of no realm at all",
                );
            }
            bound("the platform's half names the realm's key, which is to sign the other half");
        }
        if let (Some(nonce), Some((name, data))) = (nonce, self.user_data()) {
            if data != nonce {
                return Err(match self {
                    Self::CcaToken(_) => "the realm's challenge is another than --nonce says",
                    _ => "REPORTDATA is another than --nonce says",
                });
            }
            bound(&format!("{name} is the nonce"));
        }
        Ok(Said { values, findings })
    }

    /// What who asked for the evidence has chosen, and what it is called.
    fn user_data(&self) -> Option<(&'static str, &[u8])> {
        Some(match self {
            Self::TdReport(report) => ("REPORTDATA", &report.mac.report_data),
            Self::Quote(quote) => ("REPORTDATA", &quote.body().td()?.report_data),
            Self::CcaToken(token) => ("the realm's challenge", token.realm.claims.challenge),
        })
    }

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
