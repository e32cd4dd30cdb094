// SPDX-License-Identifier: MIT OR Apache-2.0
//! A machine's state as text, so that it survives the process.
//!
//! ```text
//! SIMULATED SNP machine, not a machine's
//! format 1
//! generation Milan
//! report-version 3
//! chip-secret <hex>
//! switches <hex>
//! ...
//! messages <hex>
//! bank <hex of the bank's manifest>
//! end
//! ```

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::fmt::Write as _;

use tsm_core::hex::{self, Hex};
use tsm_snp::bank::RTMRS;
use tsm_snp::report::{Generation, GuestPolicy, PlatformInfo, Tcb, TcbVersion};
use tsm_snp::{Manifest, TscInfo};

use super::firmware::{ReportVersion, Switches, TcbVersions};
use super::machine::Bank;
use super::{Chip, Firmware, Guest, SnpMachine};
use crate::lines::{LoadError, LoadErrorKind, Reader};

const FIRST_LINE: &str = "SIMULATED SNP machine, not a machine's";
const FORMAT: &str = "format 1";
const GENERATIONS: [Generation; 4] =
    [Generation::Milan, Generation::Genoa, Generation::Turin, Generation::Venice];

pub(super) fn save(firmware: &Firmware, bank: Option<&Bank>) -> Vec<u8> {
    let (chip, guest, tcb) = (firmware.chip(), firmware.guest(), firmware.tcb_versions());
    let mut out = String::new();
    // Writing to a string does not fail.
    let _ = writeln!(out, "{FIRST_LINE}\n{FORMAT}\ngeneration {}", chip.generation());
    let _ = writeln!(out, "report-version {}", firmware.report_version().number());
    let mut line = |name: &str, value: &[u8]| {
        let _ = writeln!(out, "{name} {}", Hex(value));
    };
    line("chip-secret", chip.secret());
    let Switches { vlek, chip_key_masked, chip_id_masked } = firmware.switches;
    line("switches", &[vlek.into(), chip_key_masked.into(), chip_id_masked.into()]);
    for (name, tcb) in [
        ("current_tcb", &tcb.current),
        ("committed_tcb", &tcb.committed),
        ("reported_tcb", &tcb.reported),
        ("launch_tcb", &tcb.launch),
    ] {
        line(name, &chip.tcb_version(tcb).0);
    }
    line("platform_info", &firmware.platform_info().0.to_le_bytes());
    line("guest_svn", &guest.svn.to_le_bytes());
    line("policy", &guest.policy.0.to_le_bytes());
    line("family_id", &guest.family_id);
    line("image_id", &guest.image_id);
    line("measurement", &guest.measurement);
    line("host_data", &guest.host_data);
    line("id_key_digest", &guest.id_key_digest);
    line("author_key", &[guest.author_key_digest.is_some().into()]);
    line("author_key_digest", &guest.author_key_digest.unwrap_or([0; 48]));
    line("report_id", &guest.report_id);
    line("report_id_ma", &guest.report_id_ma);
    line("mitigation_vector", &guest.launch_mitigation_vector.to_le_bytes());
    line("tsc_scale", &guest.tsc.scale.to_le_bytes());
    line("tsc_offset", &guest.tsc.offset.to_le_bytes());
    line("tsc_factor", &guest.tsc.factor.to_le_bytes());
    let counters = firmware.counters.map(u64::to_le_bytes);
    line("messages", counters.as_flattened());
    let mut room = vec![0; bank.map_or(0, Bank::manifest_size)];
    // There is a bank, and there is just as much room as it needs.
    let manifest = bank.and_then(|bank| bank.write_manifest(&mut room).ok());
    line("bank", manifest.unwrap_or_default());
    out.push_str("end\n");
    out.into_bytes()
}

pub(super) fn load(state: &[u8]) -> Result<SnpMachine, LoadError> {
    let mut lines = Reader::new(state, FIRST_LINE, FORMAT)?;
    let generation = lines.after("generation ")?;
    let mut all = GENERATIONS.into_iter();
    let generation = all.find(|one| one.name().as_bytes() == generation);
    let generation = generation.ok_or(lines.error(LoadErrorKind::Platform))?;
    let version = match lines.after("report-version ")? {
        b"2" => ReportVersion::V2,
        b"3" => ReportVersion::V3,
        b"5" => ReportVersion::V5,
        _ => return Err(lines.error(LoadErrorKind::Unexpected)),
    };
    let chip = Chip::from_parts(array(&mut lines, "chip-secret ")?, generation);
    let mut firmware = Firmware::new(chip).with_report_version(version);
    let switches: [u8; 3] = array(&mut lines, "switches ")?;
    if switches.iter().any(|switch| *switch > 1) {
        return Err(lines.error(LoadErrorKind::Unexpected));
    }
    let [vlek, chip_key_masked, chip_id_masked] = switches.map(|switch| switch == 1);
    firmware.switches = Switches { vlek, chip_key_masked, chip_id_masked };
    *firmware.tcb_versions_mut() = TcbVersions {
        current: tcb(&mut lines, "current_tcb ", generation)?,
        committed: tcb(&mut lines, "committed_tcb ", generation)?,
        reported: tcb(&mut lines, "reported_tcb ", generation)?,
        launch: tcb(&mut lines, "launch_tcb ", generation)?,
    };
    let platform = u64::from_le_bytes(array(&mut lines, "platform_info ")?);
    *firmware.platform_info_mut() = PlatformInfo(platform);
    *firmware.guest_mut() = guest(&mut lines)?;
    let counters: [u8; 32] = array(&mut lines, "messages ")?;
    for (counter, bytes) in firmware.counters.iter_mut().zip(counters.as_chunks().0) {
        *counter = u64::from_le_bytes(*bytes);
    }
    // A number that is odd or at its end; found out below.
    let bad_number = lines.error(LoadErrorKind::Unexpected);
    let digits = lines.after("bank ")?;
    let mut manifest = vec![0; digits.len() / 2];
    if !hex::decode(digits, &mut manifest) {
        return Err(lines.error(LoadErrorKind::Size));
    }
    let manifest = Manifest::parse(&manifest);
    let bank = manifest.and_then(|manifest| Bank::resume(RTMRS, &manifest));
    let bank = bank.map_err(|_| lines.error(LoadErrorKind::Unexpected))?;
    if lines.next()? != b"end" {
        return Err(lines.error(LoadErrorKind::Unexpected));
    }
    lines.finish()?;
    SnpMachine::of(firmware, bank).map_err(|_| bad_number)
}

fn guest(lines: &mut Reader<'_>) -> Result<Guest, LoadError> {
    let svn = u32::from_le_bytes(array(lines, "guest_svn ")?);
    let policy = GuestPolicy(u64::from_le_bytes(array(lines, "policy ")?));
    let (family_id, image_id) = (array(lines, "family_id ")?, array(lines, "image_id ")?);
    let measurement = array(lines, "measurement ")?;
    let host_data = array(lines, "host_data ")?;
    let id_key_digest = array(lines, "id_key_digest ")?;
    let has_author_key = match array(lines, "author_key ")? {
        [0] => false,
        [1] => true,
        _ => return Err(lines.error(LoadErrorKind::Unexpected)),
    };
    let author_key_digest = array(lines, "author_key_digest ")?;
    if !has_author_key && author_key_digest != [0; 48] {
        return Err(lines.error(LoadErrorKind::Unexpected));
    }
    Ok(Guest {
        svn,
        policy,
        family_id,
        image_id,
        measurement,
        host_data,
        id_key_digest,
        author_key_digest: has_author_key.then_some(author_key_digest),
        report_id: array(lines, "report_id ")?,
        report_id_ma: array(lines, "report_id_ma ")?,
        launch_mitigation_vector: u64::from_le_bytes(array(lines, "mitigation_vector ")?),
        tsc: TscInfo {
            scale: u64::from_le_bytes(array(lines, "tsc_scale ")?),
            offset: u64::from_le_bytes(array(lines, "tsc_offset ")?),
            factor: u32::from_le_bytes(array(lines, "tsc_factor ")?),
        },
    })
}

fn tcb(lines: &mut Reader<'_>, words: &str, generation: Generation) -> Result<Tcb, LoadError> {
    let tcb = TcbVersion(array(lines, words)?).of(generation);
    if tcb.has_unknown_bytes() {
        return Err(lines.error(LoadErrorKind::Unexpected));
    }
    Ok(tcb)
}

fn array<const N: usize>(lines: &mut Reader<'_>, words: &str) -> Result<[u8; N], LoadError> {
    let mut value = [0; N];
    lines.hex_into(words, &mut value)?;
    Ok(value)
}
