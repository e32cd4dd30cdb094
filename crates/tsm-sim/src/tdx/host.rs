// SPDX-License-Identifier: MIT OR Apache-2.0
//! The host outside of the TD.

use alloc::boxed::Box;

use tsm_tdx::call::Registers;
use tsm_tdx::quoting::HostStatus;

/// Who answers `TDG.VP.VMCALL`.
///
/// A host sees the registers that the guest shows it and nothing of the private memory. What it
/// needs of shared memory it has mapped itself, so it is not handed any here.
pub trait Host {
    /// Answers a call. `registers` are those that the guest shows, all others are zero; those that
    /// the host writes come back to the guest if it showed them.
    fn vmcall(&mut self, registers: &mut Registers);
}

impl<H: Host + ?Sized> Host for &mut H {
    fn vmcall(&mut self, registers: &mut Registers) {
        H::vmcall(self, registers);
    }
}

impl<H: Host + ?Sized> Host for Box<H> {
    fn vmcall(&mut self, registers: &mut Registers) {
        H::vmcall(self, registers);
    }
}

/// A host that has none of the functions.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct NoHost;

impl Host for NoHost {
    fn vmcall(&mut self, registers: &mut Registers) {
        registers.r10 = HostStatus::SUBFUNC_UNSUPPORTED.0;
    }
}
