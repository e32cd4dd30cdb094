// SPDX-License-Identifier: MIT OR Apache-2.0
//! The command line: what can be said, and its help. No logic.

mod formats;
mod question;

use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};
use tsm_core::{Algorithm, Digest};
use tsm_eventlog::convert::Numbering;

use crate::failure::Failure;
use crate::parse::{self, ImaList, RegisterList, VirtualName};
pub(crate) use formats::{EvidenceKind, Format, Platform};
pub(crate) use question::{Evidence, Question};

/// Measurement registers, record logs and their verification.
///
/// Exit status: 0 it holds (or there was nothing to compare), 1 it does not hold, 2 wrong use or
/// malformed input.
#[derive(Parser, Debug)]
#[command(name = "tsm", version, max_term_width = 100)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) machine: Machine,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Which registers a command works on.
#[derive(clap::Args, Debug)]
pub(crate) struct Machine {
    /// The provider of registers: sim:example, sim:tdx, sim:cca, sim:snp, sim:tpm,
    /// sim:nsm
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) provider: Option<String>,
    /// Directory that stands in for a simulated machine; created on first use
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) state: Option<PathBuf>,
}

#[derive(Subcommand, Debug)]
pub(crate) enum Command {
    /// The whole idea on a simulated confidential VM: measure, share a register, verify, tamper
    #[cfg(feature = "sim")]
    Demo(Demo),
    /// List the registers, their powers and values
    Registers(Registers),
    /// Append records to a register's log and extend the register with them
    Append(Append),
    /// Extend a register with digests, past its log (noted there) or as a virtual register
    Extend(Extend),
    /// Make evidence of a simulated machine: a report, a TD's quote, a realm's token
    ///
    /// For trying out what reads evidence. What the machine did, and what proves it:
    ///
    /// tsm --provider sim:tdx --state DIR append rtmr3 "app.example started"
    ///
    /// tsm --provider sim:tdx --state DIR log rtmr3 > rtmr3.log
    ///
    /// tsm --provider sim:tdx --state DIR report --kind quote4 --output quote
    ///
    /// tsm replay --register rtmr3 --expect-from quote rtmr3.log
    ///
    /// The same with a realm: sim:cca, rem3, and its token. An SNP guest's report has no runtime
    /// registers; the manifest of its register bank has, and the report's REPORT_DATA vouches for nonce
    /// and manifest. Both are in one file, one behind the other, and the nonce is asked for again:
    ///
    /// tsm --provider sim:snp --state DIR report --nonce 0102 --output report
    ///
    /// tsm replay --register rtmr3 --expect-from report --nonce 0102 rtmr3.log
    ///
    /// A report of SNP is a numbered message to the firmware, so asking for one changes the machine: its
    /// state is stored, as by `append`. On other machines asking changes nothing.
    Report(Report),
    /// Print a register's log; `tsm log show FILE` shows a log of any format
    Log(Log),
    /// Show the registers as a tree of files; read or write one of them
    Tree(Tree),
    /// Replay a log of any format and compare it with registers' values
    ///
    /// For example the firmware's log of a machine with a TPM, with a file of all its PCRs:
    ///
    /// tsm replay --register pcr0-9 --expect-file pcrs.txt binary_bios_measurements
    ///
    /// Or a register that firmware, then an application extended, and an IMA list in a virtual one:
    ///
    /// tsm replay --register rtmr2 --expect sha384/.. ccel --then rtmr2.log --ima mr_ima=ima_list
    Replay(Replay),
    /// Explain a log in plain words: what was measured, by whom, what it depends on, what is covered
    ///
    /// Give values with --expect or --expect-file as for a replay: only what they vouch for is more
    /// than a claim. Exit status as for a replay.
    Explain(Explain),
    /// Compare two logs register by register: where they part, and what that usually means
    ///
    /// Their formats may differ if their records have digests of a common bank. Exit status: 0 the
    /// registers are equal, 1 they differ, 2 wrong use or malformed input.
    Diff(Diff),
    /// Convert a log into another format: without loss, or not at all
    ///
    /// From record logs and AAEL's text into tcg2, ccel, and canonical event logs, and back; from
    /// TCG logs and IMA lists (ima: binary) into canonical event logs, and back; from systemd's log
    /// into cel-json, and back; between the encodings of canonical event logs. Nothing is left out in
    /// silence: what the other format cannot say is refused, with its place.
    ///
    /// tsm convert --to cel-json --output all.json binary_bios_measurements ima_list
    Convert(Convert),
    /// Say what evidence is and what stands in it, field by field
    ///
    /// Of TDX a TDREPORT, a quote, the ACPI table CCEL; of SEV-SNP a report, the response with one, a
    /// certificate table, the manifests of an SVSM's services and of a register bank, a report with the
    /// latter behind it, a paravisor's report (HCL); a token of Arm CCA. Of an event log a summary. No
    /// signature is verified: what is odd is told, and does not change the exit status. Exit status: 0
    /// all could be read, 2 wrong use or malformed input.
    Inspect(Inspect),
}

#[cfg(feature = "sim")]
#[derive(clap::Args, Debug)]
pub(crate) struct Demo {
    /// The platform whose confidential VM is simulated
    #[arg(long, value_enum, default_value_t = DemoPlatform::Tdx)]
    pub(crate) platform: DemoPlatform,
}

#[cfg(feature = "sim")]
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum DemoPlatform {
    /// Intel TDX: the adapter, below it a TDX module in software, and its quote
    Tdx,
    /// Arm CCA: the adapter, below it a realm management monitor in software, and its token
    Cca,
    /// AMD SEV-SNP: the adapter and a register bank, below them SNP's firmware in software, and its
    /// report with the bank's manifest
    Snp,
}

#[derive(clap::Args, Debug)]
pub(crate) struct Registers {
    /// Print JSON (schema tsm.registers/1)
    #[arg(long)]
    pub(crate) json: bool,
    /// Define a virtual register that is carried by a register's log from now on, for example
    /// mr_ima:sha256@rtmr3; several banks are separated by commas
    #[arg(long = "virtual", value_name = "NAME:ALG[,ALG]@REGISTER", value_parser = parse::virtual_register)]
    pub(crate) define: Vec<parse::VirtualRegister>,
}

#[derive(clap::Args, Debug)]
pub(crate) struct Append {
    /// Name of the register
    pub(crate) register: String,
    /// Records, appended in one call; `-` or none reads standard input
    pub(crate) records: Vec<std::ffi::OsString>,
}

#[derive(clap::Args, Debug)]
pub(crate) struct Extend {
    /// Name of the register
    pub(crate) register: String,
    /// Digests, one per bank
    #[arg(required = true, value_name = "ALG/HEX", value_parser = parse::digest)]
    pub(crate) digests: Vec<Digest>,
}

/// The old form names a register; `show` reads files.
#[derive(clap::Args, Debug)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct Log {
    #[command(subcommand)]
    pub(crate) action: Option<LogAction>,
    /// Name of the register; one that is called `show` is named with its provider, as in
    /// sim:tdx/show
    #[arg(required = true)]
    pub(crate) register: Option<String>,
    /// Print the bytes as they are even on a terminal, where they are escaped otherwise
    #[arg(long)]
    pub(crate) raw: bool,
}

#[derive(Subcommand, Debug)]
pub(crate) enum LogAction {
    /// Show the records of a log file, as they are: nothing of it is trusted
    Show(Show),
}

/// How a log is to be read.
#[derive(clap::Args, Debug)]
pub(crate) struct Reading {
    /// Format of the log; detected if not given
    #[arg(long, value_enum)]
    pub(crate) format: Option<Format>,
    /// Whose registers the numbers in a TCG log or canonical event log mean, and so how they are
    /// called: pcrN, rtmrN, remN, ccmrN. From the names of given values, else from the format
    #[arg(long, value_enum)]
    pub(crate) platform: Option<Platform>,
}

#[derive(clap::Args, Debug)]
pub(crate) struct Show {
    #[command(flatten)]
    pub(crate) reading: Reading,
    /// Show the records of these registers only: pcr7, pcr0-7, pcr4,pcr9. For a log that does not
    /// say its register, its name
    #[arg(long = "register", value_name = "NAME", value_parser = parse::registers)]
    pub(crate) registers: Vec<RegisterList>,
    /// Show the digests of these banks only
    #[arg(long = "bank", value_name = "ALG", value_parser = parse::algorithm)]
    pub(crate) banks: Vec<Algorithm>,
    /// Show each register's value after each record that extends it, from its usual start value
    #[arg(long)]
    pub(crate) values: bool,
    /// Print JSON (schema tsm.log/1)
    #[arg(long)]
    pub(crate) json: bool,
    /// The log, in one piece or several in order; `-` is standard input
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
}

#[derive(clap::Args, Debug)]
pub(crate) struct Report {
    /// What to make
    #[arg(long, value_enum, default_value_t = ReportKind::All)]
    pub(crate) kind: ReportKind,
    /// What the evidence is to be bound to: hex digits of a nonce, at most 64 bytes of it on TDX,
    /// CCA and SNP, where fewer get zeros behind them
    #[arg(long, value_name = "HEX", default_value = "", value_parser = parse::bytes)]
    pub(crate) nonce: parse::Bytes,
    /// Where to write it; standard output if not given
    #[arg(long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ReportKind {
    /// All that the platform gives: on TDX and CCA the report, on SNP the report with the register
    /// bank's manifest behind it, both of one moment
    All,
    /// What the platform calls a report: on TDX a TDREPORT, evidence on its own machine only; on CCA
    /// a token; on SNP a report, of VMPL0, whose REPORT_DATA is SHA-512(nonce || manifest)
    Report,
    /// The manifest of an SNP guest's register bank, which a report with the same nonce vouches for
    Manifest,
    /// A TD's quote of version 4
    Quote4,
    /// A TD's quote of version 5
    Quote5,
}

#[derive(clap::Args, Debug)]
pub(crate) struct Tree {
    /// Which files there are: rfc (RFC v1, 2024), banked (RFC v3), linux (6.16)
    #[arg(long, value_enum, default_value_t = Layout::Rfc)]
    pub(crate) layout: Layout,
    /// Print the content of this file instead (digests as bytes)
    #[arg(long, value_name = "PATH")]
    pub(crate) read: Option<String>,
    /// Write standard input to this file instead, in one write
    #[arg(long, value_name = "PATH", conflicts_with = "read")]
    pub(crate) write: Option<String>,
}

#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Layout {
    Rfc,
    Banked,
    Linux,
}

#[derive(clap::Args, Debug)]
pub(crate) struct Replay {
    #[command(flatten)]
    pub(crate) question: Question,
    /// Another log that goes on where the one before ends, of any format: together they explain one
    /// register, which --register names
    #[arg(long = "then", value_name = "FILE")]
    pub(crate) then: Vec<PathBuf>,
    /// Virtual register to fold from the records of a record log. With a value to compare, it does not
    /// hold if the log does not account for every extension: a record could be hidden
    #[arg(long = "virtual", value_name = "NAME", value_parser = parse::virtual_name)]
    pub(crate) virtuals: Vec<VirtualName>,
    /// IMA list to verify against the virtual register NAME, if the logs account for every extension
    /// of the register that carries it
    #[arg(long = "ima", value_name = "NAME=FILE", value_parser = parse::ima_list)]
    pub(crate) ima: Vec<ImaList>,
    /// PCR number of the IMA records that count; needed only if a list has several
    #[arg(long, value_name = "N")]
    pub(crate) ima_pcr: Option<u32>,
    /// With --then: you have appraised every event of the other logs, and none is a record of the
    /// record log that somebody shows as something else. Without this word, virtual registers are
    /// told only of registers that record logs alone extend
    #[arg(long)]
    pub(crate) others_appraised: bool,
    /// Print JSON (schema tsm.replay/1)
    #[arg(long)]
    pub(crate) json: bool,
    /// The log, in one piece or several in order; `-` is standard input
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
}

#[derive(clap::Args, Debug)]
pub(crate) struct Explain {
    #[command(flatten)]
    pub(crate) question: Question,
    /// Print JSON (schema tsm.explain/1)
    #[arg(long)]
    pub(crate) json: bool,
    /// The log, in one piece or several in order; `-` is standard input
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
}

#[derive(clap::Args, Debug)]
pub(crate) struct Inspect {
    /// What the files are; told from their first bytes if not given. What cannot be told by them, a
    /// certificate table without a known entry for example, is read all the same
    #[arg(long, value_enum, value_name = "KIND")]
    pub(crate) kind: Option<EvidenceKind>,
    /// Print JSON (schema tsm.inspect/1), with the places of all fields
    #[arg(long)]
    pub(crate) json: bool,
    /// The evidence, as bytes or as hex digits; `-` is standard input
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
}

#[derive(clap::Args, Debug)]
pub(crate) struct Diff {
    #[command(flatten)]
    pub(crate) reading: Reading,
    /// Compare these registers only: pcr7, pcr0-7, pcr4,pcr9
    #[arg(long = "register", value_name = "NAME", value_parser = parse::registers)]
    pub(crate) registers: Vec<RegisterList>,
    /// Compare digests of these banks only; those that both logs have, if none is given
    #[arg(long = "bank", value_name = "ALG", value_parser = parse::algorithm)]
    pub(crate) banks: Vec<Algorithm>,
    /// Print JSON (schema tsm.diff/1)
    #[arg(long)]
    pub(crate) json: bool,
    /// The one log; `-` is standard input
    pub(crate) a: PathBuf,
    /// The other
    pub(crate) b: PathBuf,
}

#[derive(clap::Args, Debug)]
pub(crate) struct Convert {
    /// The new format
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub(crate) to: Format,
    /// Where to write it: the whole log, or nothing. Standard output if not given
    #[arg(long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) reading: Reading,
    /// The register of a log that does not say it (record log, AAEL text), or that is to become one
    #[arg(long = "register", value_name = "NAME", value_parser = parse::registers)]
    pub(crate) registers: Vec<RegisterList>,
    /// Banks: of an IMA list's records in a canonical event log (sha1 and sha256 if not given), or
    /// of a log without any digest. Elsewhere the log has them
    #[arg(long = "bank", value_name = "ALG", value_parser = parse::algorithm)]
    pub(crate) banks: Vec<Algorithm>,
    /// Value of the register before a record log; zeros, or what the platform defines, if not given
    #[arg(long = "start", value_name = "ALG/HEX", value_parser = parse::digest)]
    pub(crate) starts: Vec<Digest>,
    /// Numbers of a canonical event log's records: the first one's, or `register` if each register
    /// has its own from 0
    #[arg(long, value_name = "FIRST", default_value = "0", value_parser = parse::numbering)]
    pub(crate) numbering: Numbering,
    /// The log; for a canonical event log several, one behind the other. `-` is standard input
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
}

/// A usage error as one line.
pub(crate) fn one_line(error: &clap::Error) -> Failure {
    let text = error.to_string();
    let text = text.strip_prefix("error: ").unwrap_or(&text);
    // What comes after an empty line is general usage; a hint in between may be of help.
    let lines = text.lines().take_while(|line| !line.trim().is_empty());
    let message: Vec<_> = lines.map(str::trim).collect();
    if message.is_empty()
        || error.kind() == clap::error::ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
    {
        return Failure::usage("no command given; try 'tsm --help' or 'tsm demo'");
    }
    Failure::usage(format!("{}; try 'tsm --help'", message.join(" ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        use clap::CommandFactory as _;
        Args::command().debug_assert();
    }

    #[test]
    fn usage_errors_are_one_line() {
        for bad in [
            &["tsm"][..],
            &["tsm", "nonsense"],
            &["tsm", "replay"],
            &["tsm", "replay", "--bank", "md5", "x"],
            &["tsm", "replay", "--expect", "sha256/0", "x"],
            &["tsm", "extend", "rtmr3"],
            &["tsm", "log"],
            &["tsm", "log", "show"],
            &["tsm", "diff", "a"],
            &["tsm", "explain"],
            &["tsm", "convert", "log"],
            &["tsm", "convert", "--to", "dot", "log"],
            &["tsm", "convert", "--to", "ccel", "--numbering", "x", "log"],
            &["tsm", "replay", "--ima", "mr_ima", "log"],
            &["tsm", "replay", "--ima", "a b=list", "log"],
        ] {
            let text = one_line(&Args::try_parse_from(bad).unwrap_err()).to_string();
            assert!(text.len() > 10 && text.lines().count() == 1, "{bad:?}: {text:?}");
        }
    }
}
