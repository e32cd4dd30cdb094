// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the shim, the next stage and the test harness share.
//!
//! Nothing here has a global allocator. Memory comes from the firmware page-wise ([`pages`]), and
//! only for the next stage's file and for the published log.

#![no_std]

pub mod cc_protocol;
pub mod console;
pub mod firmware_register;
pub mod log_table;
pub mod next_stage;
pub mod pages;
pub mod software;
pub mod tcg2;
pub mod text;

use core::fmt::Write as _;
use core::ptr;
use core::time::Duration;

use uefi::{Status, boot};

/// Leaves the application with a failure; nothing that was to be started is.
#[panic_handler]
fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
    let _ = writeln!(console::Console::open(), "PANIC {info}");
    // SAFETY: the handle is this application's, no exit data is passed. What the application holds
    // open stays open, which a failed boot can bear.
    let _ = unsafe { boot::exit(boot::image_handle(), Status::ABORTED, 0, ptr::null_mut()) };
    loop {
        boot::stall(Duration::from_secs(1));
    }
}
