// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the demo's platforms differ in: names, and how the registers' values come out of evidence.

use tsm_cca::token::LifecycleState;
use tsm_core::{Algorithm, Digest};
use tsm_sim::tdx::quoting::QuoteForm;
use tsm_snp::report::{GuestPolicy, Versions};
use tsm_snp::{Isolation, Manifest, Report};
use tsm_tdx::layout::Attributes;

use super::verifier::Findings;
use crate::Result;
use crate::args::DemoPlatform;
use crate::evidence::{self, Kind};
use crate::failure::Failure;
use crate::parse::Value;
use crate::report;
use crate::state::Device;

/// A platform as the demo tells of it.
pub(super) struct Scene {
    platform: DemoPlatform,
    pub(super) provider: &'static str,
    /// What such a machine is called.
    pub(super) guest: &'static str,
    /// What its evidence is called.
    pub(super) evidence: &'static str,
    /// How that came about.
    pub(super) made: &'static str,
    /// The runtime registers in the order of the story. The last one carries the virtual ones.
    pub(super) registers: [&'static str; 4],
    /// The bank that each of them has.
    pub(super) bank: Algorithm,
}

impl Scene {
    pub(super) const fn of(platform: DemoPlatform) -> Self {
        let rtmrs = ["rtmr0", "rtmr1", "rtmr2", "rtmr3"];
        match platform {
            DemoPlatform::Tdx => Self {
                platform,
                provider: "sim:tdx",
                guest: "TD",
                evidence: "quote",
                made: "by way of the adapter, a TDX module in software, and a host",
                registers: rtmrs,
                bank: Algorithm::Sha384,
            },
            DemoPlatform::Cca => Self {
                platform,
                provider: "sim:cca",
                guest: "realm",
                evidence: "token",
                made: "by way of the adapter, and a realm management monitor in software",
                registers: ["rem0", "rem1", "rem2", "rem3"],
                bank: Algorithm::Sha256,
            },
            DemoPlatform::Snp => Self {
                platform,
                provider: "sim:snp",
                guest: "SNP guest",
                evidence: "report",
                made: "by way of the adapter, SNP's firmware in software, and a host; with the manifest",
                registers: rtmrs,
                bank: Algorithm::Sha384,
            },
        }
    }

    /// The register that carries the virtual ones: configuration, the same for machine and verifier.
    pub(super) const fn carrier(&self) -> &'static str {
        let [.., carrier] = self.registers;
        carrier
    }

    pub(super) const fn third(&self) -> &'static str {
        let [_, _, third, _] = self.registers;
        third
    }

    /// Evidence of this machine, bound to the nonce.
    pub(super) fn ask(&self, device: &mut Device, nonce: &[u8]) -> Result<Vec<u8>> {
        match self.platform {
            DemoPlatform::Tdx => device.quote(QuoteForm::V4, nonce).map_err(Failure::usage),
            DemoPlatform::Cca | DemoPlatform::Snp => report::report(device, nonce),
        }
    }

    /// Evidence to registers. A real verifier begins with what is only noted here.
    pub(super) fn values(
        &self,
        evidence: &[u8],
        nonce: &Digest,
        findings: &mut Findings,
    ) -> Result<Vec<Value>> {
        let (signature, is) = match self.platform {
            // One of the platform, one of the realm.
            DemoPlatform::Cca => ("signatures", "are"),
            DemoPlatform::Tdx | DemoPlatform::Snp => ("signature", "is"),
        };
        let name = self.evidence;
        findings.note(
            "platform",
            format!(
                "the {name} is SIMULATED, and its {signature} {is} not verified: there is no \
                 verifier yet"
            ),
        );
        match self.platform {
            DemoPlatform::Tdx => quote(evidence, nonce, findings),
            DemoPlatform::Cca => token(evidence, nonce, findings),
            DemoPlatform::Snp => report_and_manifest(evidence, nonce, findings),
        }
    }
}

fn malformed(error: impl core::fmt::Display) -> Failure {
    Failure::usage(format!("the demo's evidence: {error}"))
}

fn fresh(name: &str, is_fresh: bool, findings: &mut Findings) {
    let text = format!("the {name} has the nonce that it was asked for with");
    findings.say("platform", is_fresh, text);
}

fn quote(bytes: &[u8], nonce: &Digest, findings: &mut Findings) -> Result<Vec<Value>> {
    let evidence::Evidence::Quote(quote) = Kind::Quote.parse(bytes).map_err(malformed)? else {
        return Err(malformed("no quote"));
    };
    let Some(td) = quote.body().td() else {
        findings.say("platform", false, "the quote is not of a TD");
        return Ok(Vec::new());
    };
    fresh("quote", td.report_data.starts_with(nonce.as_bytes()), findings);
    let attributes = td.td_attributes;
    let is_closed = attributes.among(Attributes::UNTRUSTED).is_empty()
        && attributes.contains(Attributes::SEPT_VE_DISABLE);
    let text = format!("the TD is closed to its host: attributes {attributes}");
    findings.say("platform", is_closed, text);
    Ok(evidence::Evidence::Quote(quote).registers())
}

fn token(bytes: &[u8], nonce: &Digest, findings: &mut Findings) -> Result<Vec<Value>> {
    let evidence::Evidence::CcaToken(token) = Kind::CcaToken.parse(bytes).map_err(malformed)?
    else {
        return Err(malformed("no token"));
    };
    fresh("token", token.realm.claims.challenge.starts_with(nonce.as_bytes()), findings);
    findings.say("platform", token.binds_key(), "the platform's half names the realm's key");
    let is_secured = token.platform.claims.lifecycle.state() == Some(LifecycleState::Secured);
    findings.say("platform", is_secured, "the platform's lifecycle is 'secured'");
    Ok(evidence::Evidence::CcaToken(token).registers())
}

/// The report has no runtime registers; it vouches for the manifest, which has them.
fn report_and_manifest(
    bytes: &[u8],
    nonce: &Digest,
    findings: &mut Findings,
) -> Result<Vec<Value>> {
    let parts = bytes.split_at_checked(Report::SIZE);
    let (report, manifest) = parts.ok_or_else(|| malformed("no report"))?;
    let report = Report::parse(report, Versions::default()).map_err(malformed)?;
    let manifest = Manifest::parse(manifest).map_err(malformed)?;
    let mut padded = [0; tsm_snp::svsm::NONCE_SIZE];
    for (to, from) in padded.iter_mut().zip(nonce.as_bytes()) {
        *to = *from;
    }
    let is_bound = manifest.check_binding(report, &padded).is_ok();
    let text = "the report, of VMPL0, is over the bank's manifest and the nonce that it was asked \
                for with";
    findings.say("platform", is_bound, text);
    let policy = report.policy();
    let is_closed =
        !policy.contains(GuestPolicy::DEBUG) && !policy.contains(GuestPolicy::MIGRATE_MA);
    findings.say(
        "platform",
        is_closed,
        format!("the guest is closed to its host: policy {policy}"),
    );
    findings.note(
        "platform",
        match manifest.isolation() {
            Isolation::Privileged => {
                "software of VMPL0 keeps the registers: they are as good as its code, which the \
                 measurement names"
            }
            Isolation::None => "who extends the registers keeps them too",
        },
    );
    Ok(evidence::snp::values(&manifest))
}
