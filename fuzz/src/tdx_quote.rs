// SPDX-License-Identifier: MIT OR Apache-2.0
//! TDX quotes.

use tsm_tdx::Quote;
use tsm_tdx::layout::{Finding, QuoteBody, TdxQuoteVersion};

/// Input: a quote.
pub fn tdx_quote(data: &[u8]) {
    let quote = match Quote::parse(data) {
        Err(error) => {
            assert!(error.offset().expect("a place") <= data.len());
            assert!(!error.to_string().is_empty());
            return;
        }
        Ok(quote) => quote,
    };
    // Put together from its parts it has the same bytes.
    let mut again = quote.signed().to_vec();
    let (start, size) = match quote.version() {
        TdxQuoteVersion::V4 => (48, 584),
        _ => (54, again.len() - 54),
    };
    let body = match quote.body() {
        QuoteBody::Td10(body) => &body.as_bytes()[..],
        QuoteBody::Td15(body) => body.as_bytes(),
        QuoteBody::Enclave(body) => body.as_bytes(),
        _ => unreachable!("a body that the target does not know"),
    };
    assert_eq!((&again[..48], &again[start..]), (&quote.header().as_bytes()[..], body));
    assert_eq!(body.len(), size);
    assert_eq!(quote.body().td().is_some(), data[4] == 0x81);
    let parts = quote.signature_data();
    let certification = parts.certification();
    let length = |bytes: &[u8]| u32::try_from(bytes.len()).expect("it fitted").to_le_bytes();
    let authentication = parts.qe_authentication();
    let inner = [
        &parts.qe_report().as_bytes()[..],
        parts.qe_signature(),
        &length(authentication)[..2],
        authentication,
        &certification.kind().to_le_bytes(),
        &length(certification.as_bytes()),
        certification.as_bytes(),
    ]
    .concat();
    let outer = [&parts.signature()[..], parts.attestation_key(), &[6, 0], &length(&inner), &inner]
        .concat();
    again.extend(length(&outer));
    again.extend(outer);
    again.extend(quote.trailing());
    assert_eq!(again, data);
    // Nothing of it hangs on what stands behind.
    let bare = Quote::parse(&data[..data.len() - quote.trailing().len()]).expect("as before");
    assert_eq!((bare.body(), bare.signature_data()), (quote.body(), parts));
    let trailing = quote.findings().any(|f| matches!(f, Finding::Trailing { .. }));
    assert_eq!(trailing, !quote.trailing().is_empty());
    assert!(quote.findings().all(|finding| !finding.to_string().is_empty()));
}
