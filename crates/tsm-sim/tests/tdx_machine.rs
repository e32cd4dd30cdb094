// SPDX-License-Identifier: MIT OR Apache-2.0
//! The machine: adapter and module in one.

use serde_json::Value;
use tsm_core::log::{Limits, NoRoom, RecordLog, Storage};
use tsm_core::provider::{Recorder as _, Reporter as _};
use tsm_core::replay::verify;
use tsm_core::{Algorithm, Digest, ErrorKind, Logged, Provider as _};
use tsm_sim::tdx::quoting::{Levels, QuoteForm, Window};
use tsm_sim::tdx::{AddressWidth, Busy, Cpu, Module, TdxMachine};
use tsm_sim::{Simulated, contract};
use tsm_tdx::{ExtendBuffer, Quote, RtmrIndex, Td, TdReport};
use tsm_test_support::shared;

fn unhex(value: &Value) -> Vec<u8> {
    tsm_test_support::unhex(value.as_str().unwrap())
}

/// Values of RTMRs of real machines, through adapter and module.
#[test]
fn vectors() {
    let Some(path) = shared("tdx/vectors.json") else { return };
    let vectors: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    for vector in vectors["rtmr_extend"].as_array().unwrap() {
        let mut machine = TdxMachine::new("vectors");
        let rtmr3 = machine.find("rtmr3").unwrap();
        machine.module_mut().td_mut().rtmrs[3].copy_from_slice(&unhex(&vector["start"]));
        let digest = Digest::from_bytes(Algorithm::Sha384, &unhex(&vector["digest"])).unwrap();
        for after in ["after_1", "after_2_same_digest"] {
            machine.extend(rtmr3, &[digest]).unwrap();
            let value = machine.value(rtmr3, Algorithm::Sha384).unwrap();
            assert_eq!(value.as_bytes(), unhex(&vector[after]));
        }
    }
    let ima = &vectors["ima_pair"];
    let mut module = Module::new(Cpu::new("vectors"));
    module.td_mut().rtmrs[2].copy_from_slice(&unhex(&ima["rtmr2_after_ccel_only"]));
    let mut td = Td::new(&mut module).unwrap();
    let digest = unhex(&ima["ima_template_digest"]).try_into().unwrap();
    td.extend(RtmrIndex::RTMR2, &ExtendBuffer::new(&digest)).unwrap();
    assert_eq!(td.read_rtmr(RtmrIndex::RTMR2).unwrap()[..], unhex(&ima["rtmr2_in_quote"]));
}

#[test]
fn keeps_the_contract() {
    contract::check_contract(&mut TdxMachine::new("contract"));
    // A module whose lock is taken half of the time, and with wider addresses.
    let mut module = Module::new(Cpu::new("busy")).with_address_width(AddressWidth::Bits52);
    module.set_busy(Busy::every(2));
    contract::check_contract(&mut TdxMachine::with_module(module));
}

/// The registers of the table `sim:tdx` are here too, in the same order, and more behind them.
#[test]
fn the_table_is_a_part_of_it() {
    let mut machine = TdxMachine::new("table");
    let mut table = Simulated::by_name("tdx").unwrap();
    assert_eq!(machine.name(), table.name());
    let described: Vec<_> =
        table.registers().map(|(id, r)| (id, r.name.to_owned(), r.size(None))).collect();
    for (id, name, size) in described {
        assert_eq!(machine.find(&name), Some(id));
        let (here, there) = (machine.describe(id).unwrap(), table.describe(id).unwrap());
        assert_eq!((here.value, here.initial), (there.value, there.initial), "{name}");
        if size.is_none() {
            let (here, there) =
                (machine.value(id, Algorithm::Sha384), table.value(id, Algorithm::Sha384));
            assert_eq!(here.unwrap(), there.unwrap(), "{name}");
        }
    }
    for name in ["servtd_hash", "attributes", "xfam", "mrseam"] {
        assert!(machine.find(name).is_some() && table.find(name).is_none(), "{name}");
    }
}

#[test]
fn survives_the_process() {
    let mut machine = TdxMachine::new("survivor");
    let rtmr2 = machine.find("rtmr2").unwrap();
    machine.extend(rtmr2, &[Algorithm::Sha384.hash(b"x")]).unwrap();
    let state = machine.save();
    assert!(state.starts_with(b"SIMULATED TDX module"));
    let mut again = TdxMachine::load(&state).unwrap();
    assert_eq!(again.module().td(), machine.module().td());
    // The same keys: quotes are the same, byte for byte.
    for form in QuoteForm::ALL {
        assert_eq!(again.quote(form, b"nonce").unwrap(), machine.quote(form, b"nonce").unwrap());
    }
    // The state of the table's machine is another thing.
    assert!(TdxMachine::load(&Simulated::by_name("tdx").unwrap().save()).is_err());
    assert!(Simulated::load(&state).is_err());
}

#[test]
fn reports_and_quotes() {
    let mut machine = TdxMachine::new("evidence");
    let rtmr3 = machine.find("rtmr3").unwrap();
    machine.extend(rtmr3, &[Algorithm::Sha384.hash(b"x")]).unwrap();
    let value = machine.value(rtmr3, Algorithm::Sha384).unwrap();
    let mut report = [0; 1024];
    assert_eq!(machine.report(b"nonce", &mut report).unwrap(), 1024);
    let report = TdReport::parse(&report).unwrap();
    assert_eq!(report.td_info.rtmr(RtmrIndex::RTMR3)[..], *value.as_bytes());
    for form in QuoteForm::ALL {
        let quote = machine.quote(form, b"nonce").unwrap();
        let quote = Quote::parse(&quote).unwrap();
        let body = quote.body().td().unwrap();
        assert_eq!(body.rtmr(RtmrIndex::RTMR3)[..], *value.as_bytes());
        assert_eq!(body.report_data, report.mac.report_data);
    }
    let error = machine.quote(QuoteForm::V4, &[0; 65]).unwrap_err();
    assert_eq!(tsm_core::provider::Error::kind(&error), ErrorKind::WrongSize);
    let collateral = machine.collateral(Window::LONG, &Levels::UP_TO_DATE);
    assert!(collateral.tcb_info.contains("\"fmspc\":\"53494d544458\""));
}

/// A log above it, as the command keeps one.
#[test]
fn logged() {
    #[derive(Default)]
    struct Memory(Vec<u8>);

    impl Storage for Memory {
        type Error = NoRoom;

        fn len(&self) -> u64 {
            self.0.len() as u64
        }

        fn room(&self) -> u64 {
            4096
        }

        fn append(&mut self, parts: &[&[u8]]) -> Result<(), NoRoom> {
            parts.iter().for_each(|part| self.0.extend_from_slice(part));
            Ok(())
        }

        fn read_at(&self, offset: u64, out: &mut [u8]) -> Result<usize, NoRoom> {
            let source = &self.0[offset as usize..];
            let size = source.len().min(out.len());
            out[..size].copy_from_slice(&source[..size]);
            Ok(size)
        }

        fn as_slice(&self) -> Option<&[u8]> {
            Some(&self.0)
        }
    }

    let mut machine = Logged::<_, Memory, 4>::new(TdxMachine::new("log"));
    let rtmr3 = machine.find("rtmr3").unwrap();
    machine.attach(rtmr3, RecordLog::new(Memory::default(), Limits::DEFAULT)).ok().unwrap();
    machine.append(rtmr3, b"app.example started\napp.example ready").unwrap();
    let value = machine.value(rtmr3, Algorithm::Sha384).unwrap();
    let log = machine.log(rtmr3).unwrap().storage().as_slice().unwrap().to_vec();
    let start = [Digest::zeros(Algorithm::Sha384)];
    let verified = verify(&log, &start, &[value], Limits::DEFAULT, &mut ()).unwrap();
    assert_eq!(verified.holds(), Some(true));
}
