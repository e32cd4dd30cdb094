// SPDX-License-Identifier: MIT OR Apache-2.0
//! Certificates in evidence: what they say of themselves. Nothing is checked.

use x509_cert::Certificate;
use x509_cert::der::{Decode as _, DecodePem as _};

use super::model::{Fields, Finding, Section, offset};

/// A section of the certificates in PEM text.
pub(super) fn section<'b>(
    whole: &'b [u8],
    bytes: &'b [u8],
    findings: &mut Vec<Finding>,
) -> Section {
    let mut fields = Fields::new("Certificates: not checked", whole);
    pem(&mut fields, whole, "certificate", bytes, findings);
    fields.section()
}

/// Adds the certificates in PEM text, under this name and a number.
pub(super) fn pem<'b>(
    fields: &mut Fields<'b>,
    whole: &'b [u8],
    name: &str,
    bytes: &'b [u8],
    findings: &mut Vec<Finding>,
) {
    let mut count = 0;
    for block in Blocks(bytes) {
        count += 1;
        add(fields, whole, &format!("{name} {count}"), block, Certificate::from_pem, findings);
    }
    if count == 0 {
        let value = format!("{} bytes", bytes.len());
        fields.add("certificates", bytes, value, "not text as all platforms write it");
        let text = "certificates in another form than PEM, which are not read";
        findings.push(Finding::at("certificate", offset(whole, bytes), text));
    }
}

/// Adds a certificate in DER.
pub(super) fn der<'b>(
    fields: &mut Fields<'b>,
    whole: &'b [u8],
    name: &str,
    bytes: &'b [u8],
    findings: &mut Vec<Finding>,
) {
    add(fields, whole, name, bytes, Certificate::from_der, findings);
}

fn add<'b>(
    fields: &mut Fields<'b>,
    whole: &'b [u8],
    name: &str,
    bytes: &'b [u8],
    read: impl Fn(&'b [u8]) -> x509_cert::der::Result<Certificate>,
    findings: &mut Vec<Finding>,
) {
    match read(bytes) {
        Ok(certificate) => {
            let tbs = certificate.tbs_certificate();
            let validity = tbs.validity();
            let meaning = format!(
                "{} bytes, issued by {}, valid {} to {}",
                bytes.len(),
                tbs.issuer(),
                validity.not_before.to_date_time(),
                validity.not_after.to_date_time()
            );
            fields.add(name, bytes, tbs.subject(), meaning);
        }
        Err(error) => {
            fields.add(name, bytes, "cannot be read", format!("{} bytes", bytes.len()));
            let text = format!("{name} cannot be read: {error}");
            findings.push(Finding::at("certificate", offset(whole, bytes), text));
        }
    }
}

/// The blocks of PEM text, from the first mark to the last.
struct Blocks<'b>(&'b [u8]);

impl<'b> Iterator for Blocks<'b> {
    type Item = &'b [u8];

    fn next(&mut self) -> Option<&'b [u8]> {
        const BEGIN: &[u8] = b"-----BEGIN CERTIFICATE-----";
        const END: &[u8] = b"-----END CERTIFICATE-----";
        let rest = self.0.get(find(self.0, BEGIN)?..)?;
        let (block, behind) = rest.split_at_checked(find(rest, END)? + END.len())?;
        self.0 = behind;
        Some(block)
    }
}

fn find(bytes: &[u8], mark: &[u8]) -> Option<usize> {
    bytes.windows(mark.len()).position(|window| window == mark)
}
