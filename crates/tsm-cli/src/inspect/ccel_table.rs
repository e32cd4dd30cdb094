// SPDX-License-Identifier: MIT OR Apache-2.0
//! The ACPI table `CCEL`, which tells where a confidential VM's log is.

use tsm_eventlog::tcg::{CcType, CcelTable};

use super::model::{Fields, Finding, Inspection, Malformed, is_zero, number};

pub(super) fn is_one(bytes: &[u8]) -> bool {
    bytes.starts_with(b"CCEL")
}

pub(super) fn inspect(bytes: &[u8]) -> Inspection {
    let title = "ACPI table CCEL";
    if !is_one(bytes) {
        let text = "the table does not begin with 'CCEL' (byte 0)".into();
        let error = Malformed { kind: "signature", offset: Some(0), text };
        return Inspection::malformed("ccel-table", title, error);
    }
    let table = match CcelTable::read(bytes) {
        Ok(table) => table,
        Err(error) => {
            let text = format!("{error}: its length is not that of the file (byte 4)");
            let error = Malformed { kind: "acpi-table", offset: Some(4), text };
            return Inspection::malformed("ccel-table", title, error);
        }
    };
    let mut found = Inspection::new("ccel-table", format!("{title}, {} bytes", bytes.len()));
    found.findings.push(Finding::general(
        "not-verified",
        "the host can write this table: it may guide a reader, and proves nothing",
    ));
    let mut fields = Fields::new("Table", bytes);
    let part = |from: usize, to: usize| bytes.get(from..to).unwrap_or_default();
    let text = |from, to| String::from_utf8_lossy(part(from, to)).into_owned();
    let meaning_of_sum = if table.is_checksum_right {
        "right: all bytes add up to zero"
    } else {
        let text = "the checksum is wrong: the bytes do not add up to zero";
        found.findings.push(Finding::at("checksum", 9, text));
        "wrong: the bytes do not add up to zero"
    };
    fields.add("signature", part(0, 4), text(0, 4), "");
    fields.add("length", part(4, 8), number(part(4, 8)), "bytes of this table");
    fields.add("revision", part(8, 9), table.revision, "");
    fields.add("checksum", part(9, 10), format!("{:#x}", number(part(9, 10))), meaning_of_sum);
    fields.add("OEM id", part(10, 16), text(10, 16), "");
    fields.add("OEM table id", part(16, 24), text(16, 24), "");
    fields.add("OEM revision", part(24, 28), number(part(24, 28)), "");
    fields.add("creator id", part(28, 32), text(28, 32), "");
    fields.add("creator revision", part(32, 36), number(part(32, 36)), "");
    let platform = match table.cc_type {
        CcType::None => "no confidential VM",
        CcType::Sev => "AMD SEV",
        CcType::Tdx => "Intel TDX",
        CcType::ApTee => "RISC-V AP-TEE",
        CcType::Cca => "Arm CCA",
        _ => "unknown",
    };
    fields.add("CC type", part(36, 37), number(part(36, 37)), platform);
    fields.add("CC subtype", part(37, 38), table.cc_subtype, "");
    fields.reserved(part(38, 40));
    if !is_zero(part(38, 40)) {
        let text = "reserved bytes at 38 are not zero";
        found.findings.push(Finding::at("reserved", 38, text));
    }
    let size = "bytes of the log's area, most of them filler";
    fields.add("LAML", part(40, 48), table.area_length, size);
    let address = format!("{:#x}", table.area_address);
    fields.add("LASA", part(48, 56), address, "guest-physical address of the log's area");
    found.sections.push(fields.section());
    found.see.push("the log itself is /sys/firmware/acpi/tables/data/CCEL".into());
    found
}
