// SPDX-License-Identifier: MIT OR Apache-2.0
//! `tsm-capi` as a static library.

#![no_std]

// Linking it is enough: its functions are exported by name.
extern crate tsm_capi;

/// The library has no panic that can be reached, which `cargo xtask budgets` checks; the linker
/// drops this function.
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {
        core::hint::spin_loop();
    }
}
