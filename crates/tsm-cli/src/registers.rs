// SPDX-License-Identifier: MIT OR Apache-2.0
//! `tsm registers`, `append`, `extend`, `log`: what acts on one machine's registers.

use std::io::{IsTerminal as _, Read as _, Write as _};
use std::os::unix::ffi::OsStrExt as _;

use anstream::println;
use serde_json::{Value as Json, json};
use tsm_core::hex::Hex;
use tsm_core::provider::Recorder;
use tsm_core::{Initial, Powers, Provider, Register, RegisterId};

use crate::args;
use crate::failure::Failure;
use crate::state::{Access, Machine, Registers, find};
use crate::style::{Escaped, FAINT, HEAD, NOTE, Styled};
use crate::{Result, Verdict};

/// `tsm registers`.
pub(crate) fn list(machine: &args::Machine, command: &args::Registers) -> Result {
    let access = if command.define.is_empty() { Access::Read } else { Access::Change };
    let mut machine = Machine::open(machine, access)?;
    for register in &command.define {
        machine.define(register.clone())?;
    }
    let carrier = machine.carrier().map(str::to_string);
    machine.registers(|registers| {
        if command.json {
            let json = describe_all(registers, carrier.as_deref())?;
            println!("{json:#}");
            return Ok(());
        }
        println!("{}, {}", registers.name(), Styled(NOTE, "SIMULATED"));
        let head = format!("{:<16}{:<10}{:<32}{}", "REGISTER", "BANK", "POWERS", "VALUE");
        println!("{}", Styled(HEAD, head));
        for id in ids(registers) {
            print_register(registers, id)?;
        }
        Ok(())
    })?;
    if access == Access::Change {
        machine.save()?;
    }
    Ok(Verdict::Holds)
}

fn ids(registers: &Registers<'_, '_>) -> Vec<RegisterId> {
    registers.registers().map(|(id, _)| id).collect()
}

fn print_register(registers: &mut Registers<'_, '_>, id: RegisterId) -> Result<()> {
    let Some(register) = registers.describe(id) else { return Ok(()) };
    let (name, powers) = (register.name.to_string(), register.powers.to_string());
    let (banks, size) = (register.banks(), register.size(None));
    for (place, bank) in banks.iter().enumerate() {
        let value = registers.value(id, bank).map_err(provider_failure)?;
        let (name, powers) = if place == 0 { (&*name, &*powers) } else { ("", "") };
        let value = Styled(FAINT, Hex(value.as_bytes()));
        println!("{name:<16}{:<10}{powers:<32}{value}", bank.name());
    }
    if let Some(size) = size {
        let mut value = vec![0; size];
        registers.read(id, None, &mut value).map_err(provider_failure)?;
        let more = if size > 32 { format!(".. ({size} bytes)") } else { String::new() };
        let value = Styled(FAINT, Hex(value.get(..32).unwrap_or(&value)));
        println!("{name:<16}{:<10}{powers:<32}{value}{more}", "-");
    }
    Ok(())
}

fn describe_all(registers: &mut Registers<'_, '_>, carrier: Option<&str>) -> Result<Json> {
    let mut all = Vec::new();
    let native = registers.provider().registers().count();
    for id in ids(registers) {
        let Some(register) = registers.describe(id) else { continue };
        let mut json = describe(&register);
        if id.index() >= native {
            json["carrier"] = json!(carrier);
        }
        let (banks, size) = (register.banks(), register.size(None));
        for bank in banks.iter() {
            let value = registers.value(id, bank).map_err(provider_failure)?;
            json["values"][bank.name()] = json!(Hex(value.as_bytes()).to_string());
        }
        if let Some(size) = size {
            let mut value = vec![0; size];
            registers.read(id, None, &mut value).map_err(provider_failure)?;
            json["value"] = json!(Hex(&value).to_string());
        }
        all.push(json);
    }
    Ok(json!({
        "schema": "tsm.registers/1",
        "provider": registers.name(),
        "simulated": true,
        "registers": all,
    }))
}

fn describe(register: &Register<'_>) -> Json {
    let powers = register.powers.to_string();
    let powers: Vec<_> = powers.split(',').filter(|p| *p != "-").collect();
    json!({
        "name": register.name,
        "banks": register.banks().iter().map(|b| b.name()).collect::<Vec<_>>(),
        "powers": powers,
        "initial": match register.initial {
            Initial::Zeros => "zeros",
            Initial::Ones => "ones",
            Initial::Other => "other",
        },
        "presentation": crate::state::presentation(register),
    })
}

/// `tsm append`.
pub(crate) fn append(machine: &args::Machine, command: &args::Append) -> Result {
    let input = records(command)?;
    let mut machine = Machine::open(machine, Access::Change)?;
    let done = machine.registers(|registers| {
        let id = find(registers, &command.register)?;
        if !registers.has_log(id) {
            return Err(no_log(registers, id));
        }
        Recorder::append(registers, id, &input).map_err(provider_failure)
    });
    // What was extended before a failure is kept, as on a real machine.
    machine.save()?;
    done.map(|()| Verdict::Holds)
}

/// The records of the command line, one line each, or standard input.
fn records(command: &args::Append) -> Result<Vec<u8>> {
    let mut input = Vec::new();
    match command.records.as_slice() {
        [] => {
            std::io::stdin().read_to_end(&mut input)?;
        }
        [only] if only == "-" => {
            std::io::stdin().read_to_end(&mut input)?;
        }
        records => {
            for record in records {
                let record = record.as_bytes();
                if record.iter().any(|b| matches!(b, b'\n' | b'\r')) {
                    let message = "a record is one line; give several records, or use '-'";
                    return Err(Failure::usage(message));
                }
                input.extend_from_slice(record);
                input.push(b'\n');
            }
        }
    }
    Ok(input)
}

/// `tsm extend`.
pub(crate) fn extend(machine: &args::Machine, command: &args::Extend) -> Result {
    let mut machine = Machine::open(machine, Access::Change)?;
    let done = machine.registers(|registers| {
        let id = find(registers, &command.register)?;
        let register = registers.describe(id);
        let direct = register.is_some_and(|r| r.powers.contains(Powers::DIRECT));
        if !direct {
            return Err(Failure::usage(format!(
                "{} does not permit direct extension; append a record instead",
                command.register
            )));
        }
        registers.extend(id, &command.digests).map_err(provider_failure)
    });
    machine.save()?;
    done.map(|()| Verdict::Holds)
}

/// `tsm log`.
pub(crate) fn log(machine: &args::Machine, command: &args::Log) -> Result {
    let mut machine = Machine::open(machine, Access::Read)?;
    let register = command.register.as_deref().unwrap_or_default();
    let bytes = machine.registers(|registers| {
        let id = find(registers, register)?;
        if !registers.has_log(id) {
            return Err(no_log(registers, id));
        }
        let size = registers.log_size(id).map_err(provider_failure)?;
        let mut bytes = vec![0; usize::try_from(size).unwrap_or(usize::MAX)];
        let read = registers.read_log(id, 0, &mut bytes).map_err(provider_failure)?;
        bytes.truncate(read);
        Ok(bytes)
    })?;
    let mut out = std::io::stdout().lock();
    if command.raw || !out.is_terminal() {
        out.write_all(&bytes)?;
    } else {
        for line in bytes.split_inclusive(|&b| b == b'\n') {
            writeln!(out, "{}", Escaped(line.strip_suffix(b"\n").unwrap_or(line)))?;
        }
    }
    Ok(Verdict::Holds)
}

fn no_log(registers: &Registers<'_, '_>, id: RegisterId) -> Failure {
    let name = registers.describe(id).map_or("", |r| r.name);
    Failure::usage(format!("{name} has no log of its own"))
}

fn provider_failure(error: impl core::fmt::Display) -> Failure {
    Failure::usage(error.to_string())
}
