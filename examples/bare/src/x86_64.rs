// SPDX-License-Identifier: MIT OR Apache-2.0
//! A PC as QEMU has it.

mod boot;
mod call;
pub mod cpu;
mod devices;
mod log_page;

pub(crate) use call::call_on;
pub(crate) use devices::{exit, write};
pub use log_page::log_page;

/// Says where the image's own code begins: a function that never returns, called in 64-bit mode, in
/// ring 0, on a stack of 16 KiB.
#[macro_export]
macro_rules! entry {
    ($main:path) => {
        // SAFETY: an image has one entry; nothing else has this name.
        #[unsafe(no_mangle)]
        extern "C" fn bare_main() -> ! {
            $main()
        }
    };
}
