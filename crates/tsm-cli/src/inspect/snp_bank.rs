// SPDX-License-Identifier: MIT OR Apache-2.0
//! The manifest of a bank of registers that software keeps, an SVSM for example.

use tsm_core::hex::Hex;
use tsm_snp::{Isolation, Manifest};

use super::model::{Fields, Finding, Inspection, Section, number, offset};
use super::snp::{self, part};
use super::svsm_services;

const KIND: &str = "snp-bank";
const TITLE: &str = "manifest of a software register bank";

pub(crate) fn is_one(bytes: &[u8]) -> bool {
    bytes.starts_with(&Manifest::SERVICE.mixed_bytes())
}

pub(super) fn inspect(bytes: &[u8]) -> Inspection {
    let mut findings = vec![svsm_services::not_verified()];
    let sections = match sections(bytes, bytes, &mut findings) {
        Ok(sections) => sections,
        Err(error) => return Inspection::malformed(KIND, TITLE, snp::malformed(error, 0)),
    };
    let title = format!("{TITLE}, {} bytes, not verified", bytes.len());
    let see = "tsm replay --expect-from FILE --report REPORT --nonce HEX LOG (does a log explain its \
               registers?)";
    Inspection { sections, findings, see: vec![see.into()], ..Inspection::new(KIND, title) }
}

/// Where it stands who keeps the bank, and where the registers begin.
const ISOLATION: usize = 0x18;
const REGISTERS: usize = 0x20;

/// What the manifest says, which lies in `whole`.
pub(super) fn sections<'b>(
    whole: &'b [u8],
    bytes: &'b [u8],
    findings: &mut Vec<Finding>,
) -> Result<Vec<Section>, tsm_snp::Error> {
    let manifest = Manifest::parse(bytes)?;
    let mut fields = Fields::new("Register bank", whole);
    fields.add("GUID", part(bytes, 0, 16), Manifest::SERVICE, "a bank of registers");
    fields.add("version", part(bytes, 0x10, 4), Manifest::VERSION, "");
    fields.add("size", part(bytes, 0x14, 4), bytes.len(), "bytes of all of it");
    if manifest.isolation() == Isolation::None {
        let at = offset(whole, bytes) + ISOLATION;
        findings.push(Finding::at("no-isolation", at, super::NO_ISOLATION));
    }
    let (value, keeper) = match manifest.isolation() {
        Isolation::None => ("none", "who extends the registers keeps them too, as it says"),
        Isolation::Privileged => ("privileged", "more privileged software keeps it, as that says"),
    };
    fields.add("isolation", part(bytes, ISOLATION, 1), value, keeper);
    fields.reserved(part(bytes, 0x19, 1));
    fields.add("registers", part(bytes, 0x1A, 2), number(part(bytes, 0x1A, 2)), "how many");
    fields.reserved(part(bytes, 0x1C, 4));
    let mut registers = Fields::new("Registers", whole);
    let mut at = REGISTERS;
    for register in manifest.registers() {
        // Length and name, number of values, and each value with its algorithm and count.
        let name = register.name;
        let count = register.values().count();
        let values = if count == 1 { "1 value".into() } else { format!("{count} values") };
        registers.add("name", part(bytes, at + 1, name.len()), name, values);
        at += name.len() + 2;
        for value in register.values() {
            let digest = value.digest;
            let size = digest.algorithm().size();
            let times = match value.extensions {
                0 => "never extended".to_string(),
                1 => "extended once".to_string(),
                many => format!("extended {many} times"),
            };
            let name = format!("{name}:{}", digest.algorithm().name());
            let value = Hex(digest.as_bytes()).to_string();
            registers.add(name, part(bytes, at + 10, size), value, times);
            at += 10 + size;
        }
    }
    Ok(vec![fields.section(), registers.section()])
}
