// SPDX-License-Identifier: MIT OR Apache-2.0
//! A quote of version 4 or 5: of a TD, or of an SGX enclave in version 5.

use tsm_tdx::Quote;
use tsm_tdx::layout::{
    CertificationData, EnclaveReport, Findings, QuoteBody, QuoteHeader, SignatureData, TEE_SGX,
};

use super::certificates;
use super::model::{Fields, Finding, Inspection, Section, is_zero, number, offset};
use super::tdx::{self, Places, Seam, Td};
use crate::evidence::Kind;

/// What the simulator's quoting enclave writes in the header begins with this.
const SIMULATED: &[u8] = b"SIMULATED";

const KIND: &str = "tdx-quote";

pub(super) fn is_one(bytes: &[u8]) -> bool {
    Kind::of(bytes) == Some(Kind::Quote)
}

pub(super) fn inspect(bytes: &[u8]) -> Inspection {
    match Quote::parse(bytes) {
        Ok(quote) => whole(bytes, &quote),
        Err(error) => Inspection::malformed(KIND, "quote", tdx::malformed(error)),
    }
}

fn whole<'b>(bytes: &'b [u8], quote: &Quote<'b>) -> Inspection {
    let version = number(&quote.header().version);
    let body = quote.body();
    let whose = if body.td().is_some() { "a TD" } else { "an SGX enclave" };
    let title =
        format!("quote of version {version} of {whose}, {} bytes, not verified", bytes.len());
    let mut found = Inspection::new(KIND, title);
    let places = body.td().map(|td| Places::new(bytes, &Td::from(td), &Seam::from(td)));
    let seam = body.td().map(Seam::from);
    found.is_simulated = quote.header().user_data.starts_with(SIMULATED)
        || seam.is_some_and(|seam| seam.is_simulated());
    found.findings.push(Finding::general(
        "not-verified",
        "neither the signatures nor the certificates were checked, nor whether REPORTDATA is what \
         was asked for: anybody can write such a file",
    ));
    found.findings.extend(findings(bytes, quote, places.as_ref()));
    found.sections.push(header(bytes, quote.header()));
    found.sections.push(body_section(bytes, quote));
    let data = quote.signature_data();
    found.sections.push(signature(bytes, quote, &data));
    found.sections.push(enclave(
        "Report of the quoting enclave, which vouches for the attestation key",
        bytes,
        data.qe_report(),
    ));
    if data.qe_report().attributes[0] & DEBUG != 0 {
        let at = offset(bytes, &data.qe_report().attributes);
        let text = "the quoting enclave is a debug enclave: whoever runs it has its key";
        found.findings.push(Finding::at("debug-enclave", at, text));
    }
    match data.certification() {
        CertificationData::PckChain(chain) => {
            found.sections.push(certificates::section(bytes, chain.pem(), &mut found.findings));
        }
        CertificationData::PckLeaf(leaf) => {
            found.sections.push(certificates::section(bytes, leaf, &mut found.findings));
        }
        _ => {}
    }
    if !quote.trailing().is_empty() {
        let mut fields = Fields::new("Behind the quote", bytes);
        let content = if is_zero(quote.trailing()) { "zero" } else { "not zero" };
        fields.add("trailing bytes", quote.trailing(), content, "not signed: means nothing");
        found.sections.push(fields.section());
    }
    if body.td().is_some() {
        found.see.push("tsm replay --expect-from FILE LOG (does a log explain its RTMRs?)".into());
    }
    found
}

fn findings<'a>(
    bytes: &'a [u8],
    quote: &'a Quote<'_>,
    places: Option<&'a Places>,
) -> impl Iterator<Item = Finding> + 'a {
    let all: Findings = quote.findings();
    all.map(move |found| {
        let mut finding = tdx::finding(found, places);
        if finding.kind == "trailing" {
            finding.offset = Some(offset(bytes, quote.trailing()));
        }
        finding
    })
}

fn header<'b>(bytes: &'b [u8], header: &'b QuoteHeader) -> Section {
    let mut fields = Fields::new("Header", bytes);
    fields.add("version", &header.version, number(&header.version), "");
    let key = number(&header.attestation_key_type);
    fields.add("attestation key type", &header.attestation_key_type, key, "ECDSA with P-256");
    let tee = number(&header.tee_type);
    let whose = if tee == u64::from(TEE_SGX) { "an SGX enclave" } else { "a TD" };
    fields.add("TEE type", &header.tee_type, format!("{tee:#x}"), whose);
    fields.reserved(&header.reserved);
    let vendor = match tsm_core::hex::Hex(&header.qe_vendor_id).to_string().as_str() {
        "939a7233f79c4ca9940a0db3957f0607" => "Intel, as it says",
        _ => "not Intel",
    };
    fields.bytes("QE vendor id", &header.qe_vendor_id, vendor);
    if header.user_data.starts_with(SIMULATED) {
        let text = String::from_utf8_lossy(&header.user_data);
        fields.add("user data", &header.user_data, text.trim_end_matches('\0'), "the simulator");
    } else {
        let meaning = "of the quoting enclave; the first 16 bytes are a platform id";
        fields.bytes("user data", &header.user_data, meaning);
    }
    fields.section()
}

fn body_section<'b>(bytes: &'b [u8], quote: &Quote<'b>) -> Section {
    let td = match quote.body() {
        QuoteBody::Td10(td) => td,
        QuoteBody::Td15(body) => &body.td_10,
        QuoteBody::Enclave(report) => return enclave("Body: the enclave", bytes, report),
        // Of a kind that came later.
        _ => return Fields::new("Body", bytes).section(),
    };
    let mut fields = Fields::new("Body: the TD", bytes);
    let start = offset(bytes, td.as_bytes());
    // In version 5 type and size stand before it.
    if let Some((kind, size)) =
        bytes.get(QuoteHeader::SIZE..start).and_then(|head| head.split_at_checked(2))
    {
        let what = if number(kind) == 3 { "TDX 1.5" } else { "TDX 1.0" };
        fields.add("body type", kind, number(kind), what);
        fields.add("body size", size, number(size), "bytes");
    }
    Seam::from(td).add_to(&mut fields);
    Td::from(td).add_to(&mut fields);
    fields.bytes("REPORTDATA", &td.report_data, "chosen by who asked for the quote");
    if let QuoteBody::Td15(body) = quote.body() {
        tdx::svn(&mut fields, "TEE_TCB_SVN2", &body.tee_tcb_svn_2, "the TDX module loaded now");
        fields.bytes(
            "MRSERVICETD",
            &body.mr_service_td,
            "SHA-384 over the bindings of service TDs",
        );
    }
    fields.section()
}

fn signature<'b>(bytes: &'b [u8], quote: &Quote<'b>, data: &SignatureData<'b>) -> Section {
    let mut fields = Fields::new("Signature data: not checked", bytes);
    let signed = quote.signed().len();
    if let Some(size) = bytes.get(signed..signed + 4) {
        fields.add("size", size, number(size), "bytes of signature data");
    }
    let covers = format!("ECDSA P-256 over the first {signed} bytes, with the attestation key");
    fields.bytes("signature", data.signature(), covers);
    fields.bytes("attestation key", data.attestation_key(), "x and y");
    fields.bytes(
        "QE signature",
        data.qe_signature(),
        "ECDSA P-256 over the quoting enclave's report, with the platform's certified key",
    );
    let authentication = data.qe_authentication();
    if authentication.is_empty() {
        fields.add("QE authentication", authentication, "-", "none");
    } else {
        fields.bytes("QE authentication", authentication, "hashed with the attestation key");
    }
    let certification = data.certification();
    let what = match certification {
        CertificationData::PpidPlain(_) => "identifies the platform by its PPID",
        CertificationData::PpidRsa2048(_) | CertificationData::PpidRsa3072(_) => {
            "identifies the platform by its encrypted PPID"
        }
        CertificationData::PckLeaf(_) => "the certificate of the platform's key",
        CertificationData::PckChain(_) => "the platform's key: its certificate and the issuers'",
        CertificationData::PlatformManifest(_) => "platform manifest",
        _ => "of a type that is not known",
    };
    let size = certification.as_bytes().len();
    let value = format!("type {}, {size} bytes", certification.kind());
    fields.add("certification data", certification.as_bytes(), value, what);
    fields.section()
}

/// DEBUG in the first byte of ATTRIBUTES (Intel SDM, volume 3D, section 37.7.1).
const DEBUG: u8 = 1 << 1;

fn enclave<'b>(name: &'static str, bytes: &'b [u8], report: &'b EnclaveReport) -> Section {
    let mut fields = Fields::new(name, bytes);
    fields.bytes("CPUSVN", &report.cpu_svn, "security version of the processor's microcode");
    fields.bytes("MISCSELECT", &report.misc_select, "");
    let (flags, xfrm) = report.attributes.split_at(8);
    let bits = number(flags);
    let names =
        [(0, "init"), (1, "debug"), (2, "mode64bit"), (4, "provisionkey"), (5, "einittokenkey")];
    let later = [(6, "cet"), (7, "kss"), (10, "aex-notify")];
    let set = names.iter().chain(&later).filter(|(bit, _)| bits >> bit & 1 == 1);
    let set: Vec<_> = set.map(|(_, name)| *name).collect();
    fields.add("ATTRIBUTES", flags, format!("{bits:#x}"), set.join(","));
    fields.add("XFRM", xfrm, format!("{:#x}", number(xfrm)), "processor features it may use");
    fields.bytes("MRENCLAVE", &report.mr_enclave, "SHA-256 measurement of the enclave");
    fields.bytes("MRSIGNER", &report.mr_signer, "SHA-256 of the key of who signed it");
    fields.add("ISVPRODID", &report.isv_prod_id, number(&report.isv_prod_id), "");
    fields.add("ISVSVN", &report.isv_svn, number(&report.isv_svn), "its security version");
    fields.bytes("REPORTDATA", &report.report_data, "chosen by the enclave");
    fields.section()
}
