// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a replay is asked on the command line: registers, banks, values, evidence.

use std::path::PathBuf;

use tsm_core::Algorithm;

use super::Reading;
use crate::parse::{self, RegisterList, Value};

/// Of which registers and banks a log is replayed, and with which values.
#[derive(clap::Args, Debug)]
pub(crate) struct Question {
    #[command(flatten)]
    pub(crate) reading: Reading,
    /// Bank to replay; if none is given those of the log (its SYNC line, header or records), or, for
    /// IMA lists, of the expected values, else sha1 and sha256
    #[arg(long = "bank", value_name = "ALG", value_parser = parse::algorithm)]
    pub(crate) banks: Vec<Algorithm>,
    /// Registers that this is about: pcr7, pcr0-7, pcr4,pcr9. Others are not reported, and their
    /// values in --expect-file do not count; a replay wants a value for each, or for none. For a log
    /// that does not say its register (record log, AAEL text, lines of dstack), its name
    #[arg(long = "register", value_name = "NAME", value_parser = parse::registers)]
    pub(crate) registers: Vec<RegisterList>,
    /// Value of the register before the log; zeros, or what the platform defines, if not given.
    /// For logs of several registers REGISTER:ALG/HEX
    #[arg(long = "start", value_name = "[REGISTER:]ALG/HEX", value_parser = parse::value)]
    pub(crate) starts: Vec<Value>,
    /// Authenticated value of the register. For logs of several registers REGISTER:ALG/HEX
    #[arg(long = "expect", value_name = "[REGISTER:]ALG/HEX", value_parser = parse::value)]
    pub(crate) expected: Vec<Value>,
    #[command(flatten)]
    pub(crate) evidence: Evidence,
    /// File of authenticated values, one a line: REGISTER:ALG/HEX, or PCR number and hex digits as
    /// the kernel, `tpm2_pcrread` and others write them
    #[arg(long = "expect-file", value_name = "FILE")]
    pub(crate) expected_files: Vec<PathBuf>,
}

/// Evidence, and what it is to be bound to.
#[derive(clap::Args, Debug)]
pub(crate) struct Evidence {
    /// Evidence that has the registers' values: a TDREPORT, a TD's quote, a token of Arm CCA, or the
    /// manifest of an SNP guest's register bank (or of an SVSM's services with one), which needs
    /// --nonce, and --report unless it stands behind its report in one file. What can be checked
    /// without a key is; no signature is: verify it first
    #[arg(long = "expect-from", value_name = "EVIDENCE")]
    pub(crate) sources: Vec<PathBuf>,
    /// With a manifest: the report of SEV-SNP that vouches for it
    #[arg(long = "report", value_name = "REPORT", requires = "sources")]
    pub(crate) report: Option<PathBuf>,
    /// What the evidence must be bound to, as hex digits of at most 64 bytes; fewer get zeros behind
    /// them: the nonce of SHA-512(nonce || manifest) for SNP, else REPORTDATA or the realm's challenge
    #[arg(long = "nonce", value_name = "HEX", value_parser = parse::bytes, requires = "sources")]
    pub(crate) nonce: Option<parse::Bytes>,
}
