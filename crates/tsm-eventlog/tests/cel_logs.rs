// SPDX-License-Identifier: MIT OR Apache-2.0
//! Every canonical event log at hand, read, replayed, converted.

mod common;

use common::all_runs;
use common::cel::{exercise, file, files, machine, matches};
use common::tcg::stated;
use tsm_core::{Algorithm, Digest};
use tsm_eventlog::cel::{
    Check, Content, CosKind, Encoding, Log, Match, Register, Replay, UntrustedRecord, Writer,
};
use tsm_eventlog::{Format, detect, ima};
use tsm_test_support::base64;

const SHA1: Algorithm = Algorithm::Sha1;

fn open(bytes: &[u8]) -> Log<'_> {
    let log = Log::open(bytes).unwrap();
    assert_eq!(detect(bytes), Some(Format::Cel(log.encoding())));
    log
}

fn read(bytes: &[u8]) -> Vec<UntrustedRecord<'_>> {
    open(bytes).map(Result::unwrap).collect()
}

/// The number of records that index.json has for the file, by folder.
const RECORDS: [(&str, usize); 20] = [
    ("arch-linux-workstation.bin", 24),
    ("confidential-gke-debug-251000_eventlog.bin", 52),
    ("cos-85-amd-sev.bin", 45),
    ("cos-93-amd-sev.bin", 45),
    ("crypto_agile_eventlog", 26),
    ("event-arch-linux.bin", 24),
    ("event-bootorder.bin", 103),
    ("event-gce-ubuntu-2104-log.bin", 111),
    ("event-moklisttrusted.bin", 96),
    ("event-postcode.bin", 58),
    ("event-uefiservices.bin", 1),
    ("firmware+userspace", 53),
    ("glinux-alex.bin", 27),
    ("rhel8-uefi.bin", 82),
    ("sample-binary_bios_measurements-pcrs-8-9", 161),
    ("tpm_eventlog.bin", 43),
    ("ubuntu-1804-amd-sev.bin", 87),
    ("ubuntu-2104-no-dbx.bin", 111),
    ("ubuntu-2104-no-secure-boot.bin", 105),
    ("uefi_log.bin", 123),
];

/// What systemd-pcrlock made of firmware logs replays to what those logs replay to, but for PCR 0 of
/// the machine that started from locality 3, whose record systemd leaves out.
#[test]
fn logs_of_systemd_pcrlock() {
    let logs = stated();
    let (mut compared, mut localities, mut independent) = (0, 0, 0);
    let all = files("generated/cel-json");
    for (name, bytes) in &all {
        let name = name.strip_suffix(".pcrlock-cel.json").unwrap();
        let records = read(bytes);
        let count = RECORDS.iter().find(|known| known.0 == name).unwrap().1;
        assert_eq!(records.len(), count, "{name}");
        // Some stand in two projects, once with values of a TPM.
        let stated = logs.iter().filter(|log| log.name.rsplit('/').next() == Some(name));
        let Some(stated) = stated.max_by_key(|log| log.known.len()) else {
            assert_eq!(name, "firmware+userspace");
            continue;
        };
        for (bank, values) in &stated.replayed {
            let Ok(bank) = bank.parse::<Algorithm>() else { continue };
            let mut replay = <Replay>::new(&[bank]).unwrap();
            let finished = replay.run(open(bytes));
            assert_eq!(finished.error(), None);
            for (pcr, hex) in values {
                let expected = Digest::from_hex(bank, hex.as_bytes()).unwrap();
                let register = Register::Pcr(*pcr);
                let Some(state) = replay.register(register) else {
                    assert!(expected.is_zeros() || *pcr >= 17, "{name} {pcr}");
                    continue;
                };
                assert_eq!(state.missing(bank), Some(0));
                if name == "glinux-alex.bin" && *pcr == 0 {
                    assert_ne!(state.value(bank), Some(expected));
                    let mut start = Digest::zeros(bank);
                    *start.as_bytes_mut().last_mut().unwrap() = 3;
                    let mut replay = <Replay>::new(&[bank]).unwrap();
                    replay.start(register, start).unwrap();
                    replay.expect(register, expected).unwrap();
                    let _ = replay.run(open(bytes));
                    assert_eq!(replay.result(register, bank), Match::Complete);
                    localities += 1;
                    continue;
                }
                assert_eq!(state.value(bank), Some(expected), "{name} {pcr} {bank}");
                compared += 1;
                let known = stated.known.get(bank.name()).and_then(|known| known.get(pcr));
                independent += usize::from(known.is_some_and(|known| known.to_lowercase() == *hex));
            }
        }
    }
    eprintln!(
        "{} files, {compared} values equal ({independent} of known PCRs), {localities} with locality",
        all.len()
    );
    assert!(all.is_empty() || (all.len() == 20 && compared > 300 && localities >= 1));
}

#[test]
fn firmware_and_user_space_in_one_log() {
    let Some(bytes) = file("generated/cel-json/firmware+userspace.pcrlock-cel.json") else {
        return;
    };
    let records = read(&bytes);
    let checks = |check| {
        let systemd = records.iter().map(UntrustedRecord::record);
        let systemd = systemd.filter(|record| matches!(record.content, Content::Systemd(_)));
        systemd.filter(|record| record.check(Algorithm::Sha256) == check).count()
    };
    assert_eq!((checks(Check::Verified), checks(Check::Mismatch)), (10, 0));
}

/// Made by this project's own encoders from a machine's logs: firmware and IMA, in three encodings.
#[test]
fn own_logs_match_their_machines() {
    let (mut values, mut trusted) = (0, 0);
    let all = files("generated/cel-own");
    for (name, bytes) in &all {
        let (run, encoding) = name.split_once(".cel.").unwrap();
        let encoding = match encoding {
            "tlv" => Encoding::Tlv,
            "cbor" => Encoding::Cbor,
            _ => Encoding::Json,
        };
        assert_eq!(open(bytes).encoding(), encoding);
        let mut pcrs = machine(run).unwrap();
        // The log has no digests of the others.
        pcrs.retain(|bank, _| [Algorithm::Sha1, Algorithm::Sha256].contains(bank));
        let (complete, records) = matches(open(bytes), &pcrs);
        let all = read(bytes);
        let measured = all.iter().filter(|record| record.record().is_measured()).count();
        // Version and end of the firmware.
        assert!(measured <= all.len() - 2 && records == measured, "{name}");
        values += complete;
        trusted += records;
    }
    eprintln!("{} files, {values} values, {trusted} records trusted", all.len());
    assert!(all.is_empty() || (all.len() == 6 && values > 80));
}

/// Made by `cel_util`: integers of 4 bytes, one bank, violations with digests of zero.
#[test]
fn logs_of_cel_util() {
    let (mut values, mut violations) = (0, 0);
    let all = files("generated/cel-tlv-safford");
    for (name, bytes) in &all {
        let records = read(bytes);
        violations += records.iter().filter(|record| record.record().is_violation()).count();
        let run = name.strip_suffix(".cel").unwrap();
        if run == "arch-linux-workstation" {
            let logs = stated();
            let log = logs.iter().find(|log| log.name.ends_with("arch-linux-workstation.bin"));
            for (bank, known) in &log.unwrap().replayed {
                let bank = bank.parse::<Algorithm>().unwrap();
                let mut replay = <Replay>::new(&[bank]).unwrap();
                let _ = replay.run(open(bytes));
                for (pcr, hex) in known {
                    let state = replay.register(Register::Pcr(*pcr)).unwrap();
                    if state.missing(bank) == Some(0) {
                        let expected = Digest::from_hex(bank, hex.as_bytes()).unwrap();
                        assert_eq!(state.value(bank), Some(expected), "{pcr} {bank}");
                        values += 1;
                    }
                }
            }
            continue;
        }
        // `cel_util` knows SHA-1 only, and one of these machines has no such bank: there the value is
        // that of this crate's replay of the list.
        let mut best = (0, String::new());
        for mut machine in all_runs() {
            let list = machine.lists.iter().find(|list| list.is_binary && list.digest == SHA1);
            if let Some(list) = list.filter(|_| run == "ima-ng" && machine.name.contains("256only"))
            {
                let mut replay = <ima::Replay>::new(&[ima::Bank::hashed(SHA1)]).unwrap();
                assert_eq!(replay.run(list.list()).error(), None);
                let value = replay.register(10).unwrap().value(SHA1).unwrap();
                machine.pcrs.insert(SHA1, [(10, value)].into());
            }
            let mut found = 0;
            for (bank, pcrs) in &machine.pcrs {
                let mut replay = <Replay>::new(&[*bank]).unwrap();
                let finished = replay.run(open(bytes));
                assert_eq!(finished.error(), None);
                for state in replay.registers().filter(|state| state.missing(*bank) == Some(0)) {
                    let Register::Pcr(pcr) = state.register() else { panic!() };
                    found += usize::from(state.value(*bank) == pcrs.get(&pcr).copied());
                }
            }
            best = best.max((found, machine.name));
        }
        eprintln!("{name}: {best:?}");
        values += best.0;
    }
    eprintln!("{} files, {values} values, {violations} violations", all.len());
    assert!(all.is_empty() || (all.len() == 4 && values == 53));
}

/// Google's Confidential Space: 18 records, each digest that of its content (INDEX.md, section 1).
#[test]
fn confidential_space() {
    let Some(text) = file("go-tpm-tools/agent/testdata/cel.b64") else { return };
    let bytes = base64(&text);
    let records = read(&bytes);
    assert_eq!(records.len(), 18);
    for (index, record) in records.iter().enumerate() {
        assert_eq!(record.record().recnum, index as u64);
        assert_eq!(record.record().register, Register::CcMr(4));
        assert_eq!(record.record().check(Algorithm::Sha384), Check::Verified);
        assert_eq!(record.record().check(Algorithm::Sha256), Check::NoDigest);
        exercise(record.record());
    }
    let cos = |index: usize| records[index].record().content.cos().unwrap().unwrap();
    assert_eq!(cos(0).kind, CosKind::ImageReference);
    assert!(cos(0).text().unwrap().ends_with("cuda-vector-add:latest"));
    assert_eq!((cos(2).kind, cos(2).text()), (CosKind::RestartPolicy, Some("Never")));
    assert!(
        records
            .iter()
            .any(|record| { record.record().content.cos().unwrap().unwrap().variable().is_some() })
    );
    assert_eq!((cos(17).kind, cos(17).value), (CosKind::LaunchSeparator, &[][..]));
    let mut replay = <Replay>::new(&[Algorithm::Sha384]).unwrap();
    let _ = replay.run(open(&bytes));
    let value = replay.register(Register::CcMr(4)).unwrap().value(Algorithm::Sha384).unwrap();
    assert!(value.to_string().starts_with("sha384/2261f93374ed53"), "another replay's");
    // One byte of any content: its digest no longer covers it.
    let place = bytes.len() - 1 - cos(17).value.len() - 5 - 5 - 30;
    let mut altered = bytes.clone();
    altered[place] ^= 1;
    let wrong = read(&altered);
    let wrong = wrong.iter().filter(|r| r.record().check(Algorithm::Sha384) == Check::Mismatch);
    assert_eq!(wrong.count(), 1);
}

/// Each log in each encoding that can say what it says: the same records, and there and back the same
/// bytes as written at first.
#[test]
fn conversions() {
    let mut all = files("generated/cel-json");
    all.extend(files("generated/cel-own"));
    all.extend(files("generated/cel-tlv-safford"));
    if let Some(text) = file("go-tpm-tools/agent/testdata/cel.b64") {
        all.push(("cel.b64".into(), base64(&text)));
    }
    let (mut converted, mut refused) = (0, 0);
    for (name, bytes) in &all {
        let records = read(bytes);
        for encoding in Encoding::ALL {
            let mut buffer = vec![0; 3 * bytes.len() + 1000];
            let mut writer = Writer::new(&mut buffer, encoding).unwrap();
            if let Err(error) = writer.push_all(open(bytes)) {
                assert_eq!(error.kind(), tsm_eventlog::ErrorKind::NotRepresentable, "{name}");
                assert!(name.starts_with("firmware+userspace") && encoding != Encoding::Json);
                refused += 1;
                continue;
            }
            let written = writer.finish();
            let again = read(written);
            assert_eq!(open(written).encoding(), encoding);
            assert!(records.iter().map(|r| r.record()).eq(again.iter().map(|r| r.record())));
            // Back, and there again.
            let mut back = vec![0; 3 * written.len() + 1000];
            let mut writer = Writer::new(&mut back, open(bytes).encoding()).unwrap();
            writer.push_all(open(written)).unwrap();
            let back = writer.finish();
            // The own encoder of TLV writes event types in 4 bytes.
            if name.contains(".cel.") && !name.ends_with(".tlv") {
                assert!(back == &bytes[..], "{name} is written as its own encoder did");
            }
            converted += 1;
        }
    }
    eprintln!("{} files, {converted} conversions, {refused} refused", all.len());
    assert!(all.is_empty() || (all.len() == 31 && refused == 3));
}
