// SPDX-License-Identifier: MIT OR Apache-2.0
//! Registers of real machines, explained by several logs.

mod common;

use common::all_runs;
use common::cel::file;
use common::json::Json;
use common::tcg::{LogFile, digest, machines, stated};
use tsm_core::{Algorithm, Digest};
use tsm_eventlog::cel;
use tsm_eventlog::dstack::Events;
use tsm_eventlog::ima::{self, Ascii};
use tsm_eventlog::registers::{PcrIndex, Platform, RegisterIndex, RtmrIndex};
use tsm_eventlog::sequence::{Authenticated, Begin, Outcome, Record, Sequence};
use tsm_eventlog::tcg::{Layout, Log};
use tsm_eventlog::{aael, systemd};

const SHA384: Algorithm = Algorithm::Sha384;

/// RTMR0 to RTMR3 of a TD quote of version 4: behind a header of 48 bytes and 328 bytes of body.
fn rtmrs(quote: &[u8]) -> [Digest; 4] {
    assert_eq!(quote[..2], [4, 0]);
    core::array::from_fn(|index| {
        let at = 48 + 328 + 48 * index;
        Digest::from_bytes(SHA384, &quote[at..at + 48]).unwrap()
    })
}

fn rtmr(index: u32) -> RegisterIndex {
    RtmrIndex::new(index).unwrap().into()
}

fn begin<'a>(register: RegisterIndex, value: Digest) -> Sequence<'a> {
    let mut sequence = Sequence::new(register, &[value.algorithm()], Begin::Initial).unwrap();
    sequence.expect(&[value]).unwrap();
    sequence
}

fn tcg_events(outcome: &Outcome<'_, 8>) -> usize {
    outcome.trusted().filter(|record| matches!(record, Record::Tcg(_))).count()
}

/// A TD whose kernel extends RTMR2 with the records of IMA that say PCR 2, behind firmware and boot
/// loader: three registers need the CCEL alone, RTMR2 needs both logs, in this order.
#[test]
fn a_quote_with_firmware_and_ima() {
    let Some(ccel) = file("cc-trusted-api/ccel_data.bin") else { return };
    let list = file("cc-trusted-api/ima_log.bin").unwrap();
    let quoted = rtmrs(&file("cc-trusted-api/quote.bin").unwrap());
    let banks = [ima::Bank::hashed(SHA384)];
    let mut events = 0;
    for (index, &value) in (0..).zip(&quoted) {
        let mut sequence = begin(rtmr(index), value);
        firmware_of(&mut sequence, &ccel);
        let alone = sequence.clone().finish();
        assert_eq!(alone.holds(), Some(index != 2), "rtmr{index}");
        sequence.ima(Ascii::new(&list), index, &banks).unwrap();
        let outcome = sequence.finish();
        assert_eq!(outcome.holds(), Some(true), "rtmr{index}");
        assert_eq!(outcome.authenticated(), Authenticated::All);
        let steps: Vec<u64> = outcome.steps().map(|step| step.extensions()).collect();
        let trusted: Vec<_> = outcome.trusted().collect();
        assert_eq!(trusted.len() as u64, steps.iter().sum::<u64>());
        assert_eq!(matches!(trusted.last(), Some(Record::Ima(_))), index == 2);
        // The IMA record alone accounts for nothing, nor do other logs' events.
        assert_eq!(outcome.accounts_for_all(), Some(steps == [0, 0]));
        events += tcg_events(&outcome);

        let mut swapped = begin(rtmr(index), value);
        swapped.ima(Ascii::new(&list), index, &banks).unwrap();
        firmware_of(&mut swapped, &ccel);
        assert_eq!(swapped.finish().holds(), Some(index != 2));
    }
    assert_eq!(events, 98, "of the index");
}

fn firmware_of<'a>(sequence: &mut Sequence<'a>, ccel: &'a [u8]) {
    sequence.tcg(Log::open(ccel).unwrap(), Platform::Tdx).unwrap();
}

/// The events of the boot and of the applications in one array, with the TD's quote.
#[test]
fn dstack_and_its_quote() {
    let Some(report) = file("dstack/quote-report.json") else { return };
    let report = Json::parse(str::from_utf8(&report).unwrap());
    let array = report.at("event_log").text().unwrap();
    let hex = report.at("quote").text().unwrap();
    let byte = |pair: &[u8]| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap();
    let quote: Vec<u8> = hex.as_bytes().chunks(2).map(byte).collect();
    let mut events = 0;
    for (index, &value) in (0..).zip(&rtmrs(&quote)) {
        let mut sequence = begin(rtmr(index), value);
        sequence.dstack_events(Events::new(array.as_bytes())).unwrap();
        let outcome = sequence.finish();
        assert_eq!(outcome.holds(), Some(true), "rtmr{index}");
        events += outcome.trusted().count();
    }
    assert_eq!(events, 28);
}

#[test]
fn aael_and_its_quote() {
    let Some(log) = file("trustee-history/aael/AAEL_data_1") else { return };
    let quoted = rtmrs(&file("trustee-history/aael/AAEL_quote_tdx").unwrap());
    let register = cel::Register::CcMr(4);
    let mut sequence = begin(rtmr(3), quoted[3]);
    sequence.aael(aael::Log::open(&log, register).unwrap()).unwrap();
    let outcome = sequence.finish();
    assert_eq!(outcome.holds(), Some(true));
    assert_eq!(outcome.trusted().count(), aael::Log::open(&log, register).unwrap().count());
}

/// All CCELs with a quote, and all firmware logs whose registers are known from elsewhere: each
/// register, and each register again with the log cut in two.
#[test]
fn firmware_logs_in_parts() {
    let (mut registers, mut parts) = (0, 0);
    let mut logs = stated();
    logs.extend(machines());
    for file in &logs {
        for (algorithm, values) in &file.known {
            let Ok(bank) = algorithm.parse::<Algorithm>() else { continue };
            for (&number, hex) in values {
                let Some(register) = file.platform.register(number) else { continue };
                let value = digest(bank, hex);
                let mut sequence = begin(register, value);
                let log = Log::open(&file.bytes).unwrap();
                if log.clone().any(|e| e.unwrap().index() == number) && known(file, number) {
                    sequence.tcg(log.clone(), file.platform).unwrap();
                    let outcome = sequence.finish();
                    assert_eq!(outcome.holds(), Some(true), "{} {register}", file.name);
                    registers += 1;
                    parts += in_parts(file, register, value, outcome.trusted().count());
                }
            }
        }
    }
    println!("{registers} registers, {parts} of them in parts");
    assert!(registers > 0);
}

/// RTMR2 of the TD with IMA has another log behind it.
fn known(file: &LogFile, number: u32) -> bool {
    !(file.name.starts_with("cc-trusted-api") && number == 3)
}

fn in_parts(file: &LogFile, register: RegisterIndex, value: Digest, trusted: usize) -> usize {
    let log = Log::open(&file.bytes).unwrap();
    let events: Vec<_> = log.clone().map(Result::unwrap).collect();
    let mut parts = 0;
    for event in events.iter().step_by(7) {
        let cut = usize::try_from(event.position().offset).unwrap();
        let (first, second) = (&file.bytes[..cut], &file.bytes[cut..]);
        let (first, second) = match log.layout() {
            Layout::Agile => {
                (Log::open(first).unwrap(), Log::without_header(second, log.algorithms()))
            }
            Layout::Sha1 => (Log::sha1(first), Log::sha1(second)),
        };
        let mut sequence = begin(register, value);
        sequence.tcg(first.clone(), file.platform).unwrap();
        sequence.tcg(second.clone(), file.platform).unwrap();
        let outcome = sequence.finish();
        assert_eq!(outcome.holds(), Some(true), "{} {register} at {cut}", file.name);
        assert_eq!(outcome.trusted().count(), trusted);

        let extends = |step: usize| outcome.steps().nth(step).unwrap().extensions() > 0;
        if extends(0) && extends(1) {
            for wrong in
                [[Some(&second), Some(&first)], [Some(&first), None], [None, Some(&second)]]
            {
                let mut sequence = begin(register, value);
                for part in wrong.into_iter().flatten() {
                    sequence.tcg(part.clone(), file.platform).unwrap();
                }
                assert_eq!(sequence.finish().holds(), Some(false), "{} {register}", file.name);
            }
            parts += 1;
        }
    }
    parts
}

/// Firmware, boot loader and the kernel's EFI stub on PCRs 0 to 9, IMA on others, in one TPM: each
/// PCR with both logs, whichever extends it.
#[test]
fn machines_with_ima() {
    let mut registers = 0;
    for run in all_runs() {
        let Ok(firmware) = std::fs::read(run.folder.join("binary_bios_measurements")) else {
            continue;
        };
        let rules = run.banks();
        for file in run.lists.iter().filter(|file| file.bytes.len() < 500_000) {
            for (&bank, pcrs) in &run.pcrs {
                let log = Log::open(&firmware).unwrap();
                if !log.algorithms().contains(bank) {
                    continue;
                }
                for (&pcr, &value) in pcrs.iter().filter(|(pcr, _)| **pcr < 16) {
                    let mut sequence = begin(PcrIndex::new(pcr).unwrap().into(), value);
                    sequence.tcg(log.clone(), Platform::Tpm).unwrap();
                    sequence.ima(file.list(), pcr, &rules).unwrap();
                    assert_eq!(sequence.finish().holds(), Some(true), "{} {pcr}", run.label(file));
                    registers += 1;
                }
            }
        }
    }
    println!("{registers} registers");
    assert!(registers > 0);
}

/// systemd's log explains the PCRs of a fresh TPM that it alone extended, in the banks that every
/// record of theirs has.
#[test]
fn systemd_pcrs() {
    let Some(bytes) = file("generated/systemd/tpm2-measure-v257.log") else { return };
    let pcrs = file("generated/systemd/tpm2-measure-v257.pcrs.yaml").unwrap();
    let pcrs = common::cel::yaml(str::from_utf8(&pcrs).unwrap());
    let (mut held, mut lacking) = (0, 0);
    for values in pcrs.values() {
        for (&pcr, &value) in values {
            let mut sequence = begin(PcrIndex::new(pcr).unwrap().into(), value);
            if sequence.systemd(systemd::Log::new(&bytes)).is_ok() {
                assert_eq!(sequence.finish().holds(), Some(true), "{pcr}");
                held += 1;
            } else {
                assert_eq!(sequence.finish().holds(), Some(false), "{pcr}");
                lacking += 1;
            }
        }
    }
    assert!(held > lacking && lacking > 0);
}
