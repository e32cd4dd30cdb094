// SPDX-License-Identifier: MIT OR Apache-2.0
//! Evidence of SEV-SNP: a report has no runtime registers, the manifest of a register bank has, and a
//! report vouches for it.

use std::path::Path;

use tsm_snp::report::Versions;
use tsm_snp::svsm::{self, NONCE_SIZE, ServicesManifest};
use tsm_snp::{ErrorKind, Isolation, Manifest, Report};

use super::{BOUND, Said};
use crate::inspect;
use crate::parse::Value;
use crate::replay::Finding;

/// The layout of version 4 is not public; verifiers read it as version 3.
pub(crate) const VERSIONS: Versions = Versions::WITH_FOURTH;

/// What evidence of SEV-SNP looks like from its first bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// A report.
    Report,
    /// The manifest of a register bank.
    Manifest,
    /// The manifest of all services of an SVSM, among which a bank may be.
    Services,
    /// A report, and the manifest of a bank behind it.
    ReportAndManifest,
}

impl Kind {
    pub(crate) fn of(bytes: &[u8]) -> Option<Self> {
        if inspect::is_snp_bank(bytes) {
            return Some(Self::Manifest);
        }
        if inspect::is_svsm_services(bytes) {
            return Some(Self::Services);
        }
        if !inspect::is_snp_report(bytes) {
            return None;
        }
        let behind = bytes.get(Report::SIZE..).unwrap_or_default();
        Some(if inspect::is_snp_bank(behind) { Self::ReportAndManifest } else { Self::Report })
    }

    /// Whether the report is in another file.
    pub(super) const fn needs_report(self) -> bool {
        matches!(self, Self::Manifest | Self::Services)
    }
}

/// The registers of a bank, if a report of VMPL0 is over it and the nonce.
pub(super) fn read(
    kind: Kind,
    bytes: &[u8],
    report: Option<(&Path, &[u8])>,
    nonce: Option<&[u8; NONCE_SIZE]>,
) -> Result<Said, String> {
    let (report, manifest) = match kind {
        Kind::Report => {
            return Err("a report of SEV-SNP, which has no runtime registers; the manifest of a \
                        register bank has: give it with --expect-from, this file with --report, and \
                        the nonce that was asked with with --nonce"
                .into());
        }
        Kind::ReportAndManifest => {
            let (report, manifest) = bytes.split_at(Report::SIZE.min(bytes.len()));
            (parse(report).map_err(|error| error.to_string())?, manifest)
        }
        Kind::Manifest | Kind::Services => {
            let (file, report) = report.ok_or(
                "a register bank's manifest, which only a report of its nonce vouches for: give \
                 both, with --report REPORT and --nonce HEX",
            )?;
            let error = |error| format!("--report {}: {error}", file.display());
            (parse(report).map_err(error)?, bytes)
        }
    };
    let nonce = nonce.ok_or(
        "without the nonce nothing tells whether the report is over this manifest: say --nonce HEX, \
         as the report was asked for",
    )?;
    let bank = match kind {
        Kind::Services => {
            let services = ServicesManifest::parse(manifest).map_err(|error| error.to_string())?;
            services.find(Manifest::SERVICE).ok_or("an SVSM without a register bank")?
        }
        _ => manifest,
    };
    let bank = Manifest::parse(bank).map_err(|error| format!("the bank's manifest: {error}"))?;
    // Over all that was given: the bank's manifest, or that of all services.
    svsm::check_binding(report, nonce, manifest).map_err(|error| not_bound(report, error))?;
    let mut findings = vec![Finding::general(
        BOUND,
        "the report, of VMPL0, is over this manifest and this nonce; that means something if its \
         launch measurement is of code that is known to keep such a bank"
            .into(),
    )];
    if bank.isolation() == Isolation::None {
        findings.push(Finding::general("no-isolation", inspect::NO_ISOLATION.into()));
    }
    let odd = inspect::snp_findings(report);
    findings.extend(odd.map(|(kind, text)| Finding::general(kind, format!("the report: {text}"))));
    Ok(Said { values: values(&bank), findings })
}

fn parse(report: &[u8]) -> Result<&Report, tsm_snp::Error> {
    Report::parse(report, VERSIONS)
}

/// What is wrong with a report that is not of this manifest and nonce.
fn not_bound(report: &Report, error: tsm_snp::Error) -> String {
    if let ErrorKind::Vmpl(_) = error.kind() {
        let who = match report.vmpl() {
            Report::HOST => "the host asked for the report".to_string(),
            level => format!("the report is of VMPL {level}"),
        };
        return format!("{who}: only one of VMPL 0 vouches for a register bank");
    }
    "the report is not over this manifest and this nonce: REPORT_DATA is not their SHA-512".into()
}

/// The values of all registers and banks.
pub(crate) fn values(manifest: &Manifest<'_>) -> Vec<Value> {
    let registers = manifest.registers();
    let values = registers.flat_map(|register| {
        let name = register.name;
        register
            .values()
            .map(move |value| Value { register: Some(name.to_string()), digest: value.digest })
    });
    values.collect()
}
