// SPDX-License-Identifier: MIT OR Apache-2.0
//! The machine: adapter, bank and firmware in one.

use tsm_core::provider::Reporter as _;
use tsm_core::{Algorithm, Digest, ErrorKind as Refusal, Provider as _};
use tsm_sim::snp::{Chip, Firmware, ReportVersion, SnpMachine, Throttle};
use tsm_sim::{LoadErrorKind, Simulated, contract};
use tsm_snp::report::{Generation, Report, Versions};
use tsm_snp::{ErrorKind, Isolation, Manifest, REPORT_SIZE, VmpckIndex};

fn digest(text: &str) -> Digest {
    Algorithm::Sha384.hash(text.as_bytes())
}

/// Report and manifest over this nonce.
fn attest(machine: &mut SnpMachine, nonce: &[u8; 64]) -> (Vec<u8>, Vec<u8>) {
    let mut out = vec![0; machine.report_size()];
    assert_eq!(machine.report(nonce, &mut out), Ok(out.len()));
    let manifest = out.split_off(REPORT_SIZE);
    (out, manifest)
}

#[test]
fn keeps_the_contract() {
    contract::check_contract(&mut SnpMachine::new("contract"));
    // A host that is busy half of the time, other firmware.
    let chip = Chip::new("busy", Generation::Turin);
    let mut machine = SnpMachine::with_firmware(Firmware::new(chip).with_vlek()).unwrap();
    machine.host_mut().set_throttle(Throttle::every(2));
    contract::check_contract(&mut machine);
}

/// What the registers say, the report says.
#[test]
fn registers() {
    let mut machine = SnpMachine::new("registers");
    assert_eq!(machine.name(), "sim:snp");
    let (report, _) = attest(&mut machine, &[0; 64]);
    let names = ["host_data", "family_id", "guest_svn", "policy", "chip_id", "reported_tcb"];
    let offsets = [
        Report::HOST_DATA,
        Report::FAMILY_ID,
        Report::GUEST_SVN,
        Report::POLICY,
        Report::CHIP_ID,
        Report::REPORTED_TCB,
    ];
    for (name, offset) in names.into_iter().zip(offsets) {
        let id = machine.find(name).unwrap();
        let size = machine.describe(id).unwrap().size(None).unwrap();
        let mut out = vec![0; size];
        machine.read(id, None, &mut out).unwrap();
        assert_eq!(out, report[offset..offset + size], "{name}");
    }
    let measurement = machine.find("measurement").unwrap();
    let value = machine.value(measurement, Algorithm::Sha384).unwrap();
    assert_eq!(*value.as_bytes(), report[Report::MEASUREMENT..][..48]);
    let refused = machine.extend(measurement, &[digest("x")]).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Refused(Refusal::NotPermitted));
}

/// From the extension to REPORT_DATA.
#[test]
fn a_report_vouches_for_the_bank() {
    let mut machine = SnpMachine::new("bank");
    let rtmr2 = machine.find("rtmr2").unwrap();
    let mut expected = Digest::zeros(Algorithm::Sha384);
    for text in ["one", "two", "three"] {
        machine.extend(rtmr2, &[digest(text)]).unwrap();
        expected.extend(&digest(text)).unwrap();
    }
    let nonce = [7; 64];
    let (report, manifest) = attest(&mut machine, &nonce);
    let report = Report::parse(&report, Versions::KNOWN).unwrap();
    let read = Manifest::parse(&manifest).unwrap();
    assert_eq!(read.check_binding(report, &nonce), Ok(()));
    assert_eq!((read.isolation(), report.vmpl()), (Isolation::Privileged, 0));
    let value = read.value("rtmr2", Algorithm::Sha384).unwrap();
    assert_eq!((value.digest, value.extensions), (expected, 3));
    // Another nonce, another state of the bank, a report of another level: none binds.
    let binding = |result: Result<(), tsm_snp::Error>| result.map_err(|error| error.kind());
    assert_eq!(binding(read.check_binding(report, &[8; 64])), Err(ErrorKind::Binding));
    machine.extend(rtmr2, &[digest("four")]).unwrap();
    let (later, _) = attest(&mut machine, &nonce);
    let later = Report::parse(&later, Versions::KNOWN).unwrap();
    assert_eq!(binding(read.check_binding(later, &nonce)), Err(ErrorKind::Binding));
    let firmware = machine.host().firmware().clone();
    let below = firmware.report(report.report_data(), 2, tsm_snp::report::SigningKey::Vcek);
    let below = Report::parse(&below, Versions::KNOWN).unwrap();
    assert_eq!(binding(read.check_binding(below, &nonce)), Err(ErrorKind::Vmpl(2)));
}

/// A host that stays busy makes reports fail; the bank and the machine go on.
#[test]
fn a_busy_host() {
    let mut machine = SnpMachine::new("busy");
    let rtmr0 = machine.find("rtmr0").unwrap();
    machine.host_mut().set_throttle(Throttle::ALWAYS);
    let mut out = vec![0; machine.report_size()];
    let busy = machine.report(&[1; 64], &mut out).unwrap_err();
    assert_eq!(busy.kind(), ErrorKind::Busy);
    assert!(out[..REPORT_SIZE].iter().all(|&byte| byte == 0));
    machine.extend(rtmr0, &[digest("x")]).unwrap();
    machine.host_mut().set_throttle(Throttle::NEVER);
    let (report, manifest) = attest(&mut machine, &[2; 64]);
    let report = Report::parse(&report, Versions::KNOWN).unwrap();
    assert_eq!(Manifest::parse(&manifest).unwrap().check_binding(report, &[2; 64]), Ok(()));
}

/// The table is of the machine's reports.
#[test]
fn certificates() {
    let machine = SnpMachine::new("certificates");
    let table = machine.certificate_table();
    let table = tsm_snp::CertificateTable::parse(&table).unwrap();
    let kinds: Vec<_> = table.entries().map(|entry| entry.kind()).collect();
    use tsm_snp::CertificateKind::{Ark, Ask, Vcek};
    assert_eq!(kinds, [Vcek, Ask, Ark]);
}

#[test]
fn survives_the_process() {
    for (generation, version) in [
        (Generation::Milan, ReportVersion::V2),
        (Generation::Genoa, ReportVersion::V5),
        (Generation::Turin, ReportVersion::V3),
        (Generation::Venice, ReportVersion::V5),
    ] {
        let firmware = Firmware::new(Chip::new("survivor", generation));
        let mut firmware = firmware.with_report_version(version).with_chip_id_masked();
        firmware.guest_mut().author_key_digest = Some([6; 48]);
        firmware.tcb_versions_mut().current.microcode += 1;
        let mut machine = SnpMachine::with_firmware(firmware).unwrap();
        let rtmr3 = machine.find("rtmr3").unwrap();
        machine.extend(rtmr3, &[digest("x")]).unwrap();
        let state = machine.save();
        assert!(state.starts_with(b"SIMULATED SNP machine"));
        let mut again = SnpMachine::load(&state).unwrap();
        // Numbers go on, by the report that the adapter asks for first.
        let counter = |machine: &SnpMachine| machine.host().firmware().counter(VmpckIndex::ALL[0]);
        assert_eq!((counter(&machine), counter(&again)), (2, 4));
        // The same keys and the same bank: reports are the same, byte for byte.
        assert_eq!(attest(&mut again, &[5; 64]), attest(&mut machine, &[5; 64]));
        for machine in [&mut machine, &mut again] {
            machine.extend(rtmr3, &[digest("y")]).unwrap();
        }
        assert_eq!(attest(&mut again, &[5; 64]), attest(&mut machine, &[5; 64]));
    }
    // The state of another machine is another thing.
    let other = Simulated::by_name("cca").unwrap().save();
    assert_eq!(SnpMachine::load(&other).unwrap_err().kind, LoadErrorKind::NotSimulated);
    assert!(Simulated::load(&SnpMachine::new("one").save()).is_err());
}

/// Cut anywhere, or with a line that is not what was saved.
#[test]
fn states_that_are_none() {
    let firmware = Firmware::new(Chip::new("state", Generation::Milan)).with_chip_key_masked();
    let state = SnpMachine::with_firmware(firmware).unwrap().save();
    for end in 0..state.len() {
        assert!(SnpMachine::load(&state[..end]).is_err(), "{end}");
    }
    // A changed byte is refused, or is there again in what is saved.
    let lines = |state: &[u8]| -> Vec<String> {
        let text = String::from_utf8(state.to_vec()).unwrap();
        text.lines().filter(|line| !line.starts_with("messages ")).map(str::to_owned).collect()
    };
    let mut accepted = 0;
    for place in 0..state.len() {
        let mut changed = state.clone();
        changed[place] ^= 1;
        if let Ok(machine) = SnpMachine::load(&changed) {
            assert_eq!(lines(&machine.save()), lines(&changed), "{place}");
            accepted += 1;
        }
    }
    assert!(accepted > 500, "{accepted}");
    let text = String::from_utf8(state).unwrap();
    let kind = |from: &str, to: &str| {
        assert!(text.contains(from), "{from}");
        let error = SnpMachine::load(text.replacen(from, to, 1).as_bytes()).unwrap_err();
        (error.kind, error.line)
    };
    assert_eq!(kind("format 1", "format 2"), (LoadErrorKind::Format, 2));
    assert_eq!(kind("Milan", "Rome"), (LoadErrorKind::Platform, 3));
    assert_eq!(kind("report-version 3", "report-version 4"), (LoadErrorKind::Unexpected, 4));
    assert_eq!(kind("switches 0001", "switches 0002"), (LoadErrorKind::Unexpected, 6));
    // A TCB with a byte that Milan does not have.
    assert_eq!(kind("current_tcb 040200", "current_tcb 040201"), (LoadErrorKind::Unexpected, 7));
    assert_eq!(kind("messages 02", "messages 03"), (LoadErrorKind::Unexpected, 27));
    assert_eq!(kind("bank aa", "bank ab"), (LoadErrorKind::Unexpected, 28));
    assert_eq!(kind("bank ", "bank 0"), (LoadErrorKind::Size, 28));
    assert_eq!(kind("end\n", "end\n\n"), (LoadErrorKind::Length, 30));
}
