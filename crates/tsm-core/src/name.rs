// SPDX-License-Identifier: MIT OR Apache-2.0
//! Full names of registers and banks: `tdx/rtmr2:sha384`.
//!
//! People and reports speak of registers by name, never by number: CC-MR, RTMR and PCR numbers of
//! the same register differ.

use core::fmt;

use crate::algorithm::Algorithm;

/// `<provider>/<register>[:<bank>]`.
///
/// ```
/// use tsm_core::{Algorithm, FullName};
///
/// let name = FullName::parse("tdx/rtmr2:sha384").unwrap();
/// assert_eq!((name.provider, name.register), ("tdx", "rtmr2"));
/// assert_eq!(name.bank, Some(Algorithm::Sha384));
/// assert_eq!(name.to_string(), "tdx/rtmr2:sha384");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct FullName<'a> {
    /// The provider's name.
    pub provider: &'a str,
    /// The register's name within the provider.
    pub register: &'a str,
    /// One of its banks, or the register as a whole.
    pub bank: Option<Algorithm>,
}

impl<'a> FullName<'a> {
    /// Reads a full name: the first slash ends the provider, and what follows the last colon is a
    /// bank if it is the name of an algorithm (else it belongs to the register's name).
    ///
    /// `None` if there is no slash, or nothing before or after it.
    #[must_use]
    pub fn parse(text: &'a str) -> Option<Self> {
        let (provider, rest) = text.split_once('/')?;
        let with_bank = rest.rsplit_once(':').and_then(|(register, bank)| {
            Some((register, Some(Algorithm::from_name(bank.as_bytes())?)))
        });
        let (register, bank) = with_bank.unwrap_or((rest, None));
        let whole = !provider.is_empty() && !register.is_empty();
        whole.then_some(Self { provider, register, bank })
    }
}

impl fmt::Display for FullName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.provider, self.register)?;
        self.bank.map_or(Ok(()), |bank| write!(f, ":{bank}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_back() {
        for text in
            ["tdx/rtmr2:sha384", "tpm/pcr10:sha256", "sim:tdx/rtmr3", "p/a/b:c", "p/a:b:sha1"]
        {
            assert_eq!(FullName::parse(text).unwrap().to_string(), text);
        }
        let odd = FullName::parse("p/a:b:sha1").unwrap();
        assert_eq!((odd.register, odd.bank), ("a:b", Some(Algorithm::Sha1)));
        for bad in ["", "rtmr2", "/rtmr2", "tdx/", "tdx/:sha256"] {
            assert_eq!(FullName::parse(bad), None, "{bad}");
        }
    }
}
