// SPDX-License-Identifier: MIT OR Apache-2.0
//! A trust domain's shim without firmware, operating system or allocator: it measures into RTMRs
//! by TDCALL, keeps the log in a fixed page, and replays it, on a stack of 4 KiB.
//!
//! **The TDX module is emulated.** QEMU has none, so the instruction raises #UD and a handler in
//! this image ([`emulated_module`]) does what the module would. The adapter (tsm-tdx), the
//! instruction, its operands and its status codes are real; isolation is not there.
//!
//! Exits QEMU through isa-debug-exit: status 33 all good, 35 a check failed, 37 more stack than the
//! budget, 39 the stack's guard was overwritten, 127 panic or unexpected exception.

#![no_std]
#![no_main]

mod emulated_module;
mod jobs;

use core::fmt::Write as _;

use bare::x86_64::cpu;
use bare::{Exit, MeasuredStack, Once, Serial, StackMemory, exit, print_log, print_value, run_all};
use tsm_tdx::RtmrIndex;

use crate::jobs::Machine;

/// 4 KiB.
static STACK: Once<StackMemory<512>> = Once::new(StackMemory::NEW);

bare::entry!(main);

/// The image's work.
fn main() -> ! {
    if cpu::handle_exceptions(emulated_module::step).is_none() {
        failed("exceptions are handled already");
    }
    emulated_module::install();
    let Some(mut machine) = Machine::new() else {
        failed("the log's page is taken, or the module does not answer");
    };
    let Some(stack) = STACK.take() else {
        failed("the stack is taken");
    };
    let provider = machine.provider();
    let _ = writeln!(Serial, "td-shim: {provider} (EMULATED TDX module, no isolation)");

    let worst = run_all(&mut MeasuredStack::new(stack), "", &jobs::ALL, &mut machine);
    print_log("rtmr2", machine.log());
    print_value("register", "rtmr2", machine.rtmr(RtmrIndex::RTMR2));
    print_log("rtmr3", machine.virtual_log());
    print_value("register", "rtmr3", machine.rtmr(RtmrIndex::RTMR3));
    print_value("virtual", "mr_app", machine.virtual_value);
    let _ = writeln!(Serial, "TDCALLs emulated: {}", emulated_module::calls());
    let _ = writeln!(Serial, "RESULT {worst}");
    exit(worst)
}

fn failed(what: &str) -> ! {
    let _ = writeln!(Serial, "RESULT failed: {what}");
    exit(Exit::Failed)
}
