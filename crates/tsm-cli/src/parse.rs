// SPDX-License-Identifier: MIT OR Apache-2.0
//! Arguments that are more than words: algorithms, digests, names of virtual registers.

use std::path::PathBuf;

use tsm_core::{Algorithm, Banks, Digest, hex, is_name};
use tsm_eventlog::convert::Numbering;

/// A digest for a register, which may be named: `[pcrN:]ALG/HEX`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Value {
    pub(crate) register: Option<String>,
    pub(crate) digest: Digest,
}

/// Names of registers: `pcr0-7,pcr14` is nine of them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct RegisterList(Vec<String>);

impl RegisterList {
    /// The names of all lists.
    pub(crate) fn names(lists: &[Self]) -> impl Iterator<Item = &str> + Clone {
        lists.iter().flat_map(|list| &list.0).map(String::as_str)
    }
}

/// The name of a virtual register.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct VirtualName(pub(crate) String);

/// Bytes as hex digits.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Bytes(pub(crate) Vec<u8>);

/// An IMA list for a virtual register: `NAME=FILE`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct ImaList {
    pub(crate) name: String,
    pub(crate) file: PathBuf,
}

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

/// How a canonical event log's records are numbered.
pub(crate) fn numbering(text: &str) -> Result<Numbering, String> {
    match text {
        "register" => Ok(Numbering::Register),
        _ => text.parse().map(Numbering::Log).map_err(|_| "a number, or 'register'".into()),
    }
}

pub(crate) fn registers(text: &str) -> Result<RegisterList, String> {
    let mut names = Vec::new();
    for part in text.split(',') {
        if part.is_empty() {
            return Err("write names of registers, for example pcr0-7,pcr14".into());
        }
        match range(part) {
            Some((kind, first, last)) if first <= last => {
                names.extend((first..=last).map(|number| format!("{kind}{number}")));
            }
            Some(_) => return Err(format!("the range {part} is empty")),
            None => names.push(part.to_string()),
        }
    }
    Ok(RegisterList(names))
}

/// `pcr0-7`, also `pcr0-pcr7`. Any other hyphen is part of a name.
fn range(text: &str) -> Option<(&str, u32, u32)> {
    let (first, last) = text.split_once('-')?;
    let kind = first.trim_end_matches(|c: char| c.is_ascii_digit());
    let is_numbered = ["pcr", "rtmr", "rem", "ccmr"].contains(&kind);
    let last = last.strip_prefix(kind).unwrap_or(last).parse().ok()?;
    let first = first.strip_prefix(kind)?.parse().ok()?;
    // No platform has more.
    (is_numbered && last < 64).then_some((kind, first, last))
}

/// Reads a file of values, with the number of a bad line. Besides `REGISTER:ALG/HEX` a line may be a
/// PCR's number and its value (`7 0AF3..`, `7: 0x0AF3..`); the length of the value tells the bank. A
/// heading (`sha256:`, `pcrs:`), blank lines, and lines that begin with `#` are passed over.
pub(crate) fn lines_of_values(text: &str) -> Result<Vec<Value>, String> {
    let mut values = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        let head = line.strip_suffix(':').map(str::trim);
        let is_head = head.is_some_and(|head| head == "pcrs" || algorithm(head).is_ok());
        if line.is_empty() || line.starts_with('#') || is_head {
            continue;
        }
        let found = match line.split_once([' ', '\t', ':']) {
            Some((pcr, hex)) if pcr.bytes().all(|b| b.is_ascii_digit()) => numbered(pcr, hex),
            _ => value(line).and_then(|value| match value.register {
                Some(_) => Ok(value),
                None => Err("the register's name is missing".into()),
            }),
        };
        values.push(found.map_err(|error| format!("line {}: {error}", number + 1))?);
    }
    Ok(values)
}

fn numbered(pcr: &str, hex: &str) -> Result<Value, String> {
    let hex = hex.trim_start_matches([' ', '\t', ':']);
    let hex = hex.strip_prefix("0x").unwrap_or(hex).to_ascii_lowercase();
    let bank = Algorithm::ALL.iter().copied().find(|bank| bank.size() * 2 == hex.len());
    let digest = bank.and_then(|bank| Digest::from_hex(bank, hex.as_bytes()));
    let digest = digest.ok_or("expected a PCR's number and its value in hex digits")?;
    let pcr: u32 = pcr.parse().map_err(|_| "no such PCR")?;
    Ok(Value { register: Some(format!("pcr{pcr}")), digest })
}

pub(crate) fn virtual_name(text: &str) -> Result<VirtualName, String> {
    if is_name(text.as_bytes()) && text != "SYNC" {
        Ok(VirtualName(text.to_string()))
    } else {
        Err("a name is 1 to 63 of A-Z a-z 0-9 . _ - / :".into())
    }
}

pub(crate) fn bytes(text: &str) -> Result<Bytes, String> {
    let text = text.to_ascii_lowercase();
    let mut bytes = vec![0; text.len() / 2];
    let is_good = hex::decode(text.as_bytes(), &mut bytes);
    is_good.then_some(Bytes(bytes)).ok_or_else(|| "write bytes as pairs of hex digits".into())
}

pub(crate) fn ima_list(text: &str) -> Result<ImaList, String> {
    let form = "write it as NAME=FILE, for example mr_ima=binary_runtime_measurements";
    // No name has that character.
    let (name, file) = text.split_once('=').filter(|(_, file)| !file.is_empty()).ok_or(form)?;
    let VirtualName(name) = virtual_name(name)?;
    Ok(ImaList { name, file: file.into() })
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
    fn lists_of_registers() {
        let names = |text: &str| registers(text).map(|RegisterList(names)| names.join(" "));
        assert_eq!(names("pcr7").as_deref(), Ok("pcr7"));
        assert_eq!(names("pcr0-2,pcr14").as_deref(), Ok("pcr0 pcr1 pcr2 pcr14"));
        assert_eq!(names("rtmr0-rtmr3").as_deref(), Ok("rtmr0 rtmr1 rtmr2 rtmr3"));
        assert_eq!(names("my-log,a-3").as_deref(), Ok("my-log a-3"));
        assert_eq!(names("pcr0-4294967295").as_deref(), Ok("pcr0-4294967295"));
        assert!(names("").is_err() && names("a,").is_err() && names("pcr3-1").is_err());
    }

    #[test]
    fn files_of_values() {
        let (short, long) = ("0A".repeat(20), "0b".repeat(32));
        let text = format!(
            "# all\npcrs:\n\nsha1:\n  0 : 0x{short}\n11 {long}\nrtmr0:sha256/{long}\n2:\t{long}\n"
        );
        let names = |text: &str| -> Result<String, String> {
            let show = |v: &Value| {
                let name = v.register.as_deref().unwrap_or_default();
                format!("{name}:{}", v.digest.algorithm())
            };
            Ok(lines_of_values(text)?.iter().map(show).collect::<Vec<_>>().join(" "))
        };
        assert_eq!(names(&text).as_deref(), Ok("pcr0:sha1 pcr11:sha256 rtmr0:sha256 pcr2:sha256"));
        for bad in ["x", "1 00", "1", "99999999999 00", &format!("sha256/{long}")] {
            let error = names(&format!("\n{bad}\n")).unwrap_err();
            assert!(error.starts_with("line 2: "), "{error}");
        }
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
