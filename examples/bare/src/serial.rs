// SPDX-License-Identifier: MIT OR Apache-2.0
//! The first serial port, as QEMU resets it, and what the command that starts the image looks for.

use core::fmt::{self, Write as _};

use crate::machine;

/// The port.
pub struct Serial;

impl fmt::Write for Serial {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        machine::write(text.as_bytes());
        Ok(())
    }
}

/// A log between markers, as text.
pub fn print_log(name: &str, log: &[u8]) {
    let _ = writeln!(Serial, "-----BEGIN TSM LOG {name}-----");
    machine::write(log);
    let _ = writeln!(Serial, "-----END TSM LOG {name}-----");
}

/// A value.
pub fn print_value(kind: &str, name: &str, value: impl fmt::Display) {
    let _ = writeln!(Serial, "VALUE {kind} {name} {value}");
}
