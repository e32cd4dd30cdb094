// SPDX-License-Identifier: MIT OR Apache-2.0
//! Nothing here should panic; if something does, the run must not look good.

use core::fmt::Write as _;
use core::panic::PanicInfo;

use crate::{Exit, Serial, exit};

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    let _ = writeln!(Serial, "PANIC {info}");
    exit(Exit::Panic)
}
