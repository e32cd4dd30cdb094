// SPDX-License-Identifier: MIT OR Apache-2.0
//! Saved states of simulated machines: any bytes, and what machines save.

use tsm_core::Provider as _;
use tsm_sim::snp::SnpMachine;
use tsm_sim::tdx::Module;
use tsm_sim::{LoadErrorKind, Simulated, platform};

use crate::input::Input;

/// Input: a state; also taken as a platform and things to do with it.
pub fn sim_state(data: &[u8]) {
    let lines = data.iter().filter(|&&b| b == b'\n').count() as u32;
    match Simulated::load(data) {
        // There is one way to write a state down.
        Ok(machine) => assert_eq!(machine.save(), data),
        Err(error) => {
            assert!((1..=lines + 1).contains(&error.line), "{error}");
            assert_eq!(
                error.kind == LoadErrorKind::NotSimulated,
                !data.starts_with(b"SIMULATED measurement registers, not a machine's\n")
            );
        }
    }
    if let Ok(module) = Module::load(data) {
        assert_eq!(module.save(), data);
    }
    if let Ok(machine) = SnpMachine::load(data) {
        // But for the messages: the adapter has asked for a report meanwhile.
        let saved = machine.save();
        let others = |state: &[u8]| -> Vec<Vec<u8>> {
            let lines = state.split(|&byte| byte == b'\n').map(<[u8]>::to_vec);
            lines.filter(|line| !line.starts_with(b"messages ")).collect()
        };
        assert_eq!(others(&saved), others(data));
    }
    for name in platform::NAMES {
        let usual = platform::by_name(name).unwrap();
        if let Ok(machine) = Simulated::load_on(usual, data) {
            assert_eq!(Simulated::load(data), Ok(machine));
        }
    }
    machine(Input::new(data));
}

/// A machine after any history is the one that is loaded from what it saves.
fn machine(mut input: Input<'_>) {
    let mut machine = Simulated::by_name(input.of(&platform::NAMES)).unwrap();
    let ids: Vec<_> = machine.registers().map(|(id, _)| id).collect();
    for _ in 0..8 {
        if input.is_empty() {
            break;
        }
        let id = input.of(&ids);
        let banks = machine.describe(id).unwrap().banks();
        match input.below(4) {
            0 => {
                let digests: Vec<_> = banks.iter().map(|a| input.digest(a)).collect();
                let _ = machine.extend(id, &digests);
            }
            1 => {
                if let Some(lockable) = machine.as_lockable() {
                    let _ = lockable.lock(id);
                }
            }
            2 => {
                let value = input.bytes(64).to_vec();
                if let Some(writable) = machine.as_writable() {
                    let _ = writable.write(id, &value);
                }
            }
            _ => {
                let name = machine.describe(id).unwrap().name.to_owned();
                let bank = banks.iter().next();
                let _ = machine.preset(&name, bank, input.bytes(48));
            }
        }
    }
    assert_eq!(Simulated::load(&machine.save()), Ok(machine.clone()));
    let mut cut = machine.save();
    cut.pop();
    assert!(Simulated::load(&cut).is_err());
}
