// SPDX-License-Identifier: MIT OR Apache-2.0
//! Certificates in evidence: what they say of themselves. Nothing is checked.

use x509_cert::Certificate;
use x509_cert::der::DecodePem as _;

use super::model::{Fields, Finding, Section, offset};

/// A section of the certificates in PEM text.
pub(super) fn section<'b>(whole: &'b [u8], pem: &'b [u8], findings: &mut Vec<Finding>) -> Section {
    let mut fields = Fields::new("Certificates: not checked", whole);
    let mut count = 0;
    for block in Blocks(pem) {
        count += 1;
        let name = format!("certificate {count}");
        match Certificate::from_pem(block) {
            Ok(certificate) => {
                let tbs = certificate.tbs_certificate();
                let validity = tbs.validity();
                let meaning = format!(
                    "{} bytes, issued by {}, valid {} to {}",
                    block.len(),
                    tbs.issuer(),
                    validity.not_before.to_date_time(),
                    validity.not_after.to_date_time()
                );
                fields.add(name, block, tbs.subject(), meaning);
            }
            Err(error) => {
                fields.add(name, block, "cannot be read", format!("{} bytes", block.len()));
                let text = format!("certificate {count} cannot be read: {error}");
                findings.push(Finding::at("certificate", offset(whole, block), text));
            }
        }
    }
    if count == 0 {
        let value = format!("{} bytes", pem.len());
        fields.add("certificates", pem, value, "not text as all platforms write it");
        let text = "certificates in another form than PEM, which are not read";
        findings.push(Finding::at("certificate", offset(whole, pem), text));
    }
    fields.section()
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
