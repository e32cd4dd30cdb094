// SPDX-License-Identifier: MIT OR Apache-2.0
//! An attestation report of SEV-SNP.

use tsm_core::hex::Hex;
use tsm_snp::report::{self, GuestPolicy, PlatformInfo, SigningKey};
use tsm_snp::{ErrorKind, Report};

use super::model::{Fields, Finding, Inspection, Malformed, Section, is_zero, number, offset};
use super::snp::{self, part};
use super::snp_bank;

const KIND: &str = "snp-report";
const TITLE: &str = "SEV-SNP attestation report";

pub(super) use crate::evidence::snp::VERSIONS;

/// Whether it looks like a report: of the size and with a beginning that no log has, with a bank's
/// manifest behind it, or with more of a report's beginning and of another size. Bits that are reserved
/// today may be set tomorrow: no single one decides about a report of the size.
pub(crate) fn is_one(bytes: &[u8]) -> bool {
    let word = |at| number(part(bytes, at, 4));
    if bytes.len() <= Report::REPORT_DATA || !(2..=9).contains(&word(0)) {
        return false;
    }
    let behind = bytes.get(Report::SIZE..).unwrap_or_default();
    if snp_bank::is_one(behind) {
        return true;
    }
    // No log has a number of a register, a type of event and zeros where digests are.
    let policy_ends = is_zero(part(bytes, Report::POLICY + 4, 4));
    let reserved = is_zero(part(bytes, Report::KEY_INFO + 4, 4));
    if bytes.len() == Report::SIZE {
        return policy_ends || reserved;
    }
    let policy = GuestPolicy(number(part(bytes, Report::POLICY, 8)));
    let is_plain = policy.contains(GuestPolicy::RESERVED_ONE)
        && matches!(u32::try_from(word(Report::VMPL)), Ok(0..=3 | Report::HOST))
        && word(Report::SIGNATURE_ALGORITHM) == 1;
    policy_ends && reserved && is_plain
}

pub(super) fn inspect(bytes: &[u8]) -> Inspection {
    let report = match Report::parse(bytes, VERSIONS) {
        Ok(report) => report,
        Err(error) => return Inspection::malformed(KIND, TITLE, malformed(error, 0)),
    };
    let version = report.version();
    let title = format!("{TITLE} of version {version}, {} bytes, not verified", bytes.len());
    let mut found = Inspection::new(KIND, title);
    found.is_simulated = is_simulated(report);
    found.findings.push(not_verified());
    found.findings.extend(findings(bytes, report));
    found.sections.extend(sections(bytes, report));
    found
}

/// Whether a simulator's processor or guest says so.
pub(super) fn is_simulated(report: &Report) -> bool {
    let at = |id| part(report.as_bytes(), id, 9) == b"SIMULATED";
    at(Report::CHIP_ID) || at(Report::FAMILY_ID)
}

pub(super) fn not_verified() -> Finding {
    Finding::general(
        "not-verified",
        "no signature was checked, nor a certificate, nor whether REPORT_DATA is what was asked \
         for: anybody can write such a file",
    )
}

/// An error about a report that begins at `base`.
pub(super) fn malformed(error: tsm_snp::Error, base: usize) -> Malformed {
    let malformed = snp::malformed(error, base);
    match error.kind() {
        // What the library allows and this command asks for is all that there is.
        ErrorKind::Version(number) => {
            let text = format!("version {number} of a report is not known; 2 to 5 are");
            snp::at(malformed.kind, malformed.offset, text)
        }
        _ => malformed,
    }
}

/// All of a report's fields. `whole` has the report in it.
pub(super) fn sections<'b>(whole: &'b [u8], report: &'b Report) -> [Section; 5] {
    [
        guest(whole, report),
        said(whole, report),
        identities(whole, report),
        platform(whole, report),
        signature(whole, report),
    ]
}

fn guest<'b>(whole: &'b [u8], report: &'b Report) -> Section {
    let mut fields = Fields::new("Guest", whole);
    let bytes = report.as_bytes();
    let version = match report.version() {
        2 => "does not say which processor it is",
        3 => "says which processor it is",
        4 => "its layout is not public; read as version 3",
        _ => "says which processor it is and which mitigations are in force",
    };
    fields.add("VERSION", part(bytes, 0, 4), report.version(), version);
    let svn = "security version of the guest, from its ID block";
    fields.add("GUEST_SVN", part(bytes, Report::GUEST_SVN, 4), report.guest_svn(), svn);
    let policy = report.policy();
    let bits = format!("{:#x}", policy.0);
    fields.add("POLICY", part(bytes, Report::POLICY, 8), bits, policy.to_string());
    fields.bytes("FAMILY_ID", report.family_id(), "from the ID block; no meaning to the firmware");
    fields.bytes("IMAGE_ID", report.image_id(), "from the ID block; no meaning to the firmware");
    let vmpl = match report.vmpl() {
        0 => "asked for at VMPL0: by an SVSM or paravisor, or by a guest that has neither",
        1..=3 => "asked for at this privilege level",
        Report::HOST => "asked for by the host",
        _ => "there is no such privilege level",
    };
    let value = match report.vmpl() {
        Report::HOST => "0xffffffff".to_string(),
        number => number.to_string(),
    };
    fields.add("VMPL", part(bytes, Report::VMPL, 4), value, vmpl);
    let algorithm = match report.signature_algorithm() {
        Report::ECDSA_P384_SHA384 => "ECDSA P-384 with SHA-384",
        _ => "unknown",
    };
    let part = part(bytes, Report::SIGNATURE_ALGORITHM, 4);
    fields.add("SIGNATURE_ALGO", part, report.signature_algorithm(), algorithm);
    fields.section()
}

/// What surrounds a guest, and what it and its host wrote.
fn said<'b>(whole: &'b [u8], report: &'b Report) -> Section {
    let mut fields = Fields::new("Host and caller", whole);
    let bytes = report.as_bytes();
    let (value, meaning) = snp::tcb(report.current_tcb(), report.generation());
    fields.add("CURRENT_TCB", part(bytes, Report::CURRENT_TCB, 8), value, meaning);
    let info = report.platform_info();
    let bits = format!("{:#x}", info.0);
    fields.add("PLATFORM_INFO", part(bytes, Report::PLATFORM_INFO, 8), bits, info.to_string());
    let key = report.key_info();
    let whose = match key.signing_key() {
        SigningKey::Vcek => "; VCEK is the chip's own key",
        SigningKey::Vlek => {
            "; VLEK is the cloud provider's key: it tells the provider, not the chip"
        }
        _ => "",
    };
    let bits = format!("{:#x}", key.0);
    fields.add("KEY_INFO", part(bytes, Report::KEY_INFO, 4), bits, format!("{key}{whose}"));
    fields.reserved(part(bytes, Report::KEY_INFO + 4, 4));
    fields.bytes("REPORT_DATA", report.report_data(), "chosen by who asked for the report");
    let meaning = "launch measurement, SHA-384: what the guest was started with";
    fields.bytes("MEASUREMENT", report.measurement(), meaning);
    fields.bytes("HOST_DATA", report.host_data(), "chosen by the host at launch");
    fields.section()
}

fn identities<'b>(whole: &'b [u8], report: &'b Report) -> Section {
    let mut fields = Fields::new("Identities", whole);
    let block = if is_zero(report.id_key_digest()) {
        "the guest was started without an ID block"
    } else {
        "SHA-384 of the key that signed the ID block"
    };
    fields.bytes("ID_KEY_DIGEST", report.id_key_digest(), block);
    let author = if is_zero(report.author_key_digest()) {
        "no author key"
    } else {
        "SHA-384 of the key that certified the ID key"
    };
    fields.bytes("AUTHOR_KEY_DIGEST", report.author_key_digest(), author);
    let id = "the same in all reports of one run of the guest";
    fields.bytes("REPORT_ID", report.report_id(), id);
    let agent = match report.report_id_ma() {
        id if id.iter().all(|&byte| byte == 0xFF) => "all ones: no migration agent",
        _ => "REPORT_ID of the migration agent",
    };
    fields.bytes("REPORT_ID_MA", report.report_id_ma(), agent);
    fields.section()
}

fn platform<'b>(whole: &'b [u8], report: &'b Report) -> Section {
    let mut fields = Fields::new("Platform", whole);
    let bytes = report.as_bytes();
    let generation = report.generation();
    let mut tcb = |name: &str, at, version, what: &str| {
        let (value, meaning) = snp::tcb(version, generation);
        fields.add(name, part(bytes, at, 8), value, format!("{what}; {meaning}"));
    };
    let what = "what the endorsement key is derived from";
    tcb("REPORTED_TCB", Report::REPORTED_TCB, report.reported_tcb(), what);
    if let Some(processor) = report.processor() {
        let report::Processor { family, model, stepping } = processor;
        let value = format!("family {family:#x}, model {model:#x}, stepping {stepping}");
        let known = generation.map_or("unknown", report::Generation::name);
        fields.add("CPUID", part(bytes, Report::PROCESSOR, 3), value, known);
        fields.reserved(part(bytes, Report::PROCESSOR + 3, 21));
    } else {
        fields.reserved(part(bytes, Report::PROCESSOR, 24));
    }
    let chip = part(bytes, Report::CHIP_ID, 64);
    let meaning = if report.chip_id().is_masked() { "masked by the host" } else { "of the chip" };
    fields.bytes("CHIP_ID", chip, meaning);
    let (value, meaning) = snp::tcb(report.committed_tcb(), generation);
    let meaning = format!("the platform cannot go back behind it; {meaning}");
    fields.add("COMMITTED_TCB", part(bytes, Report::COMMITTED_TCB, 8), value, meaning);
    let firmware = |(major, minor, build)| format!("{major}.{minor}.{build}");
    for (name, at, value, meaning) in [
        ("CURRENT", 8, report.current_firmware(), "the firmware that runs"),
        ("COMMITTED", 12, report.committed_firmware(), "it cannot go back behind this one"),
    ] {
        let at = Report::COMMITTED_TCB + at;
        fields.add(name, part(bytes, at, 3), firmware(value), meaning);
        fields.reserved(part(bytes, at + 3, 1));
    }
    let (value, meaning) = snp::tcb(report.launch_tcb(), generation);
    let meaning = format!("in force when the guest was started or imported; {meaning}");
    fields.add("LAUNCH_TCB", part(bytes, Report::LAUNCH_TCB, 8), value, meaning);
    let mut rest = Report::LAUNCH_MITIGATION_VECTOR;
    for (name, vector, meaning) in [
        ("LAUNCH_MIT_VECTOR", report.launch_mitigation_vector(), "in force at launch, one a bit"),
        ("CURRENT_MIT_VECTOR", report.current_mitigation_vector(), "in force now, one a bit"),
    ] {
        if let Some(vector) = vector {
            let meaning = format!("mitigations {meaning}");
            fields.add(name, part(bytes, rest, 8), format!("{vector:#x}"), meaning);
            rest += 8;
        }
    }
    fields.reserved(part(bytes, rest, Report::SIGNATURE - rest));
    fields.section()
}

fn signature<'b>(whole: &'b [u8], report: &'b Report) -> Section {
    let mut fields = Fields::new("Signature: not checked", whole);
    let bytes = report.as_bytes();
    let covers = format!("over the first {} bytes of the report", report.signed_bytes().len());
    let mut number = |name: &str, at, big: Option<[u8; 48]>, meaning: String| {
        let value = match big {
            Some(big) if is_zero(&big) => "zero".to_string(),
            Some(big) => Hex(&big).to_string(),
            None => "too large".to_string(),
        };
        fields.add(name, part(bytes, at, 72), value, meaning);
    };
    number("R", Report::SIGNATURE, report.signature().r(), format!("big endian here; {covers}"));
    let s = report.signature().s();
    number("S", Report::SIGNATURE + 72, s, "big endian here; little endian in the file".into());
    fields.reserved(part(bytes, Report::SIGNATURE + 144, 368));
    fields.section()
}

/// Bits that have a name: 25 to 0 and 7 to 0.
const POLICY_BITS: u64 = (1 << 26) - 1;
const PLATFORM_BITS: u64 = (1 << 8) - 1;

/// What is odd in a report, with the places in `whole`.
pub(super) fn findings<'b>(whole: &'b [u8], report: &'b Report) -> Vec<Finding> {
    let base = offset(whole, report.as_bytes());
    let mut found = Vec::new();
    if report.version() == 4 {
        let text = "the layout of version 4 is not public; it was read as version 3";
        found.push(Finding::at("report-version", base, text));
    }
    found.extend(report.findings().map(|finding| of(finding, base)));
    let policy = GuestPolicy(report.policy().0 & !POLICY_BITS);
    let platform = PlatformInfo(report.platform_info().0 & !PLATFORM_BITS);
    for (name, bits, at) in
        [("POLICY", policy.0, Report::POLICY), ("PLATFORM_INFO", platform.0, Report::PLATFORM_INFO)]
    {
        if bits != 0 {
            let text = format!("bits of {name} that are not known: {bits:#x}");
            found.push(Finding::at("unknown-bits", base + at, text));
        }
    }
    found
}

fn of(finding: report::Finding, base: usize) -> Finding {
    use report::Finding as Of;
    use report::TcbName;
    let tcb = |name| match name {
        TcbName::Reported => Report::REPORTED_TCB,
        TcbName::Committed => Report::COMMITTED_TCB,
        TcbName::Current => Report::CURRENT_TCB,
        TcbName::Launch => Report::LAUNCH_TCB,
    };
    let (kind, at) = match finding {
        Of::Debug => ("debug", Report::POLICY),
        Of::Migration => ("migration", Report::POLICY),
        Of::PolicyBit => ("policy-bit", Report::POLICY),
        Of::HostRequested => ("host-requested", Report::VMPL),
        Of::PrivilegeLevel(_) => ("privilege-level", Report::VMPL),
        Of::NotSigned => ("not-signed", Report::KEY_INFO),
        Of::KeyInfo(_) => ("unknown-bits", Report::KEY_INFO),
        Of::SignatureAlgorithm(_) => ("signature-algorithm", Report::SIGNATURE_ALGORITHM),
        Of::MaskedChip => ("masked-chip", Report::CHIP_ID),
        Of::UnknownProcessor => ("unknown-processor", Report::PROCESSOR),
        Of::Reserved(at) => ("reserved", at),
        Of::TcbBytes(name) => ("tcb-bytes", tcb(name)),
        Of::TcbOrder(above, _) => ("tcb-order", tcb(above)),
        Of::LaunchTcb => ("launch-tcb", Report::LAUNCH_TCB),
        Of::Provisional => ("provisional", Report::CURRENT_TCB),
        Of::Mitigations(_) => ("mitigations", Report::CURRENT_MITIGATION_VECTOR),
        _ => return Finding::general("other", finding.to_string()),
    };
    // The text of this one counts from the report's beginning.
    let text = match finding {
        Of::Reserved(_) => "a reserved byte is not zero".to_string(),
        _ => finding.to_string(),
    };
    Finding::at(kind, base + at, text)
}
