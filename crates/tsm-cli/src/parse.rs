// SPDX-License-Identifier: MIT OR Apache-2.0
//! Arguments that are more than words: algorithms, digests, names of virtual registers.

use tsm_core::{Algorithm, Banks, Digest, is_name};

/// A digest for a register, which may be named: `[pcrN:]ALG/HEX`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Value {
    pub(crate) register: Option<String>,
    pub(crate) digest: Digest,
}

/// The name of a virtual register.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct VirtualName(pub(crate) String);

/// The definition of a virtual register: `NAME:ALG[,ALG]@REGISTER`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct VirtualRegister {
    pub(crate) name: String,
    pub(crate) banks: Banks,
    pub(crate) carrier: String,
}

pub(crate) fn algorithm(text: &str) -> Result<Algorithm, String> {
    text.parse().map_err(|error| format!("{error}"))
}

/// Accepts upper-case digits: other tools print them.
pub(crate) fn digest(text: &str) -> Result<Digest, String> {
    text.to_ascii_lowercase().parse().map_err(|error| format!("{error}"))
}

pub(crate) fn value(text: &str) -> Result<Value, String> {
    match text.split_once(':') {
        Some((register, rest)) => {
            Ok(Value { register: Some(register.to_string()), digest: digest(rest)? })
        }
        None => Ok(Value { register: None, digest: digest(text)? }),
    }
}

pub(crate) fn virtual_name(text: &str) -> Result<VirtualName, String> {
    if is_name(text.as_bytes()) && text != "SYNC" {
        Ok(VirtualName(text.to_string()))
    } else {
        Err("a name is 1 to 63 of A-Z a-z 0-9 . _ - / :".into())
    }
}

pub(crate) fn virtual_register(text: &str) -> Result<VirtualRegister, String> {
    let form = "write it as NAME:ALG@REGISTER, for example mr_ima:sha256@rtmr3";
    let (rest, carrier) = text.rsplit_once('@').ok_or(form)?;
    // A name may have colons itself.
    let (name, list) = rest.rsplit_once(':').ok_or(form)?;
    let VirtualName(name) = virtual_name(name)?;
    let mut banks = Banks::NONE;
    for bank in list.split(',') {
        banks = banks.and(algorithm(bank)?).ok_or("a bank is named twice")?;
    }
    Ok(VirtualRegister { name, banks, carrier: carrier.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values() {
        let hex = "00".repeat(32);
        assert_eq!(value(&format!("sha256/{hex}")).unwrap().register, None);
        let named = value(&format!("pcr10:sha256/{hex}")).unwrap();
        assert_eq!(named.register.as_deref(), Some("pcr10"));
        assert!(value("pcr10:sha256").is_err());
        assert!(digest(&format!("sha256/{}", "AB".repeat(32))).is_ok());
    }

    #[test]
    fn virtual_registers() {
        let found = virtual_register("a:b:sha256,sha384@rtmr3").unwrap();
        assert_eq!((found.name.as_str(), found.carrier.as_str()), ("a:b", "rtmr3"));
        assert_eq!(found.banks.len(), 2);
        for bad in ["", "a", "a@b", "a:sha256", "a:md5@b", "a b:sha256@c", "a:sha1,sha1@c"] {
            assert!(virtual_register(bad).is_err(), "{bad}");
        }
    }
}
