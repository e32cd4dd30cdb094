// SPDX-License-Identifier: MIT OR Apache-2.0
//! Stands for a boot loader or kernel: says that it runs, and what log it was handed.

#![no_main]
#![no_std]

use core::fmt::Write as _;

use uefi::{Status, entry};
use uefi_shim::console::Console;
use uefi_shim::log_table::Published;

#[entry]
fn main() -> Status {
    let mut console = Console::open();
    let _ = writeln!(console, "NEXT-STAGE runs");
    let Some(table) = Published::find() else {
        let _ = writeln!(console, "NEXT-STAGE found no log");
        return Status::NOT_FOUND;
    };
    let _ = writeln!(console, "-----BEGIN TSM LOG published {}-----", table.name());
    console.write(table.log());
    let _ = writeln!(console, "-----END TSM LOG published {}-----", table.name());
    Status::SUCCESS
}
