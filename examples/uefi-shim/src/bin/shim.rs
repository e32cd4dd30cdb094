// SPDX-License-Identifier: MIT OR Apache-2.0
//! Measures the next stage into the best register it finds, publishes the log, starts it.
//!
//! What cannot be measured is not started: every failure before the start ends the shim with a
//! failure status. A protocol that is there but fails is such a failure, too; the software bank is
//! for machines that have neither protocol, not for those whose protocol does not work.

#![no_main]
#![no_std]

use core::fmt::Write as _;

use tsm_core::provider::RegisterId;
use tsm_core::{Banks, Provider as _};
use uefi::{Result, Status, entry};
use uefi_shim::cc_protocol::Cc;
use uefi_shim::console::Console;
use uefi_shim::firmware_register::{Firmware, FirmwareRegister};
use uefi_shim::log_table::LogTable;
use uefi_shim::next_stage::NextStage;
use uefi_shim::software::Software;
use uefi_shim::tcg2::Tcg2;

#[entry]
fn main() -> Status {
    let mut console = Console::open();
    match run(&mut console) {
        Ok(()) => Status::SUCCESS,
        Err(error) => {
            let _ = writeln!(console, "SHIM failed: {}", error.status());
            error.status()
        }
    }
}

fn run(console: &mut Console) -> Result<()> {
    let next = NextStage::read()?;
    let mut table = LogTable::allocate()?;
    if let Some(cc) = Cc::open()? {
        measure_through(cc, &next, &mut table)?;
    } else if let Some(tcg2) = Tcg2::open()? {
        measure_through(tcg2, &next, &mut table)?;
    } else {
        let mut software = Software::new();
        let record = next.record(Banks::one(Software::BANK))?;
        table.append(&mut software, record.as_bytes())?;
        let _ = writeln!(console, "\nSHIM warning: software register, no isolation");
        print_value(console, &mut software);
    }
    print_log(console, &table);
    table.publish()?;
    next.start()
}

fn measure_through<F: Firmware>(firmware: F, next: &NextStage, table: &mut LogTable) -> Result<()> {
    let record = next.record(firmware.banks())?;
    let mut register = FirmwareRegister::new(firmware, record.as_bytes());
    table.append(&mut register, record.as_bytes())
}

/// The log between markers, as text.
fn print_log(console: &mut Console, table: &LogTable) {
    let _ = writeln!(console, "\n-----BEGIN TSM LOG {}-----", table.name());
    console.write(table.log());
    let _ = writeln!(console, "-----END TSM LOG {}-----", table.name());
}

/// The software register's value, which nobody else could tell.
fn print_value(console: &mut Console, register: &mut Software) {
    if let Ok(value) = register.value(RegisterId(0), Software::BANK) {
        let _ = writeln!(console, "VALUE register software/mr0 {value}");
    }
}
