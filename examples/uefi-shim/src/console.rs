// SPDX-License-Identifier: MIT OR Apache-2.0
//! Text on the firmware's serial port.
//!
//! Not on the UEFI console, which draws on a screen and moves a cursor about; a log must come out as
//! it is.

use core::fmt;

use uefi::boot::{self, OpenProtocolAttributes, OpenProtocolParams, ScopedProtocol};
use uefi::proto::console::serial::Serial;

/// The first serial port, or nothing if there is none.
pub struct Console(Option<ScopedProtocol<Serial>>);

impl Console {
    /// Opens it without taking it from the firmware's console.
    #[must_use]
    pub fn open() -> Self {
        let Ok(handle) = boot::get_handle_for_protocol::<Serial>() else { return Self(None) };
        let params = OpenProtocolParams { handle, agent: boot::image_handle(), controller: None };
        // SAFETY: serial ports are not removed while an application runs, and nothing else runs
        // during a write: UEFI has one thread, and no notification function uses this port.
        let serial = unsafe { boot::open_protocol(params, OpenProtocolAttributes::GetProtocol) };
        Self(serial.ok())
    }

    /// Writes bytes as they are. What cannot be written is lost: this is for people and tests, the
    /// log is published elsewhere.
    pub fn write(&mut self, bytes: &[u8]) {
        if let Some(serial) = &mut self.0 {
            let _ = serial.write_exact(bytes);
        }
    }
}

impl fmt::Write for Console {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.write(text.as_bytes());
        Ok(())
    }
}
