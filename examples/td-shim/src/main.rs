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

mod boot;
mod cpu;
mod emulated_module;
mod jobs;
mod serial;
mod stack;

use core::fmt::Write as _;

use tsm_core::{Algorithm, Digest};
use tsm_tdx::RtmrIndex;

use crate::jobs::Machine;
use crate::serial::{Exit, Serial, exit};
use crate::stack::{MeasuredStack, Used};

/// What `append` and `replay` may use of the stack, in bytes.
const BUDGET: usize = 2048;

/// The image's work, called by [`boot`] in 64-bit mode.
extern "C" fn main() -> ! {
    cpu::install_trap_handlers();
    emulated_module::install();
    let Some(mut machine) = Machine::new() else {
        failed("the log's page is taken, or the module does not answer");
    };
    let Some(mut stack) = MeasuredStack::take() else {
        failed("the stack is taken");
    };
    let provider = machine.provider();
    let _ = writeln!(Serial, "td-shim: {provider} (EMULATED TDX module, no isolation)");

    let mut worst = Exit::Good;
    for job in jobs::ALL {
        let used = stack.run(job.run, &mut machine);
        let verdict = match used {
            _ if !machine.good => Exit::Failed,
            Used::Overflow => Exit::Overflow,
            Used::Bytes(bytes) if job.budgeted && bytes > BUDGET => Exit::OverBudget,
            Used::Bytes(_) => Exit::Good,
        };
        let budget = if job.budgeted { "budget 2048" } else { "no budget" };
        let _ = writeln!(Serial, "STACK {} {used} {budget} {verdict}", job.name);
        worst = worst.max(verdict);
        if !matches!(verdict, Exit::Good | Exit::OverBudget) {
            break;
        }
    }
    let rtmr2 = machine.rtmr(RtmrIndex::RTMR2);
    print_log("rtmr2", machine.log(), rtmr2);
    let rtmr3 = machine.rtmr(RtmrIndex::RTMR3);
    print_log("rtmr3", machine.virtual_log(), rtmr3);
    print_value("virtual", "mr_app", machine.virtual_value);
    let _ = writeln!(Serial, "TDCALLs emulated: {}", emulated_module::calls());
    let _ = writeln!(Serial, "RESULT {worst}");
    exit(worst)
}

/// The log between markers, as text, and the register's value.
fn print_log(register: &str, log: &[u8], value: Option<Digest>) {
    let _ = writeln!(Serial, "-----BEGIN TSM LOG {register}-----");
    serial::write(log);
    let _ = writeln!(Serial, "-----END TSM LOG {register}-----");
    print_value("register", register, value);
}

fn print_value(kind: &str, name: &str, value: Option<Digest>) {
    let value = value.unwrap_or(Digest::zeros(Algorithm::Sha384));
    let _ = writeln!(Serial, "VALUE {kind} {name} {value}");
}

fn failed(what: &str) -> ! {
    let _ = writeln!(Serial, "RESULT failed: {what}");
    exit(Exit::Failed)
}

/// Nothing here should panic; if something does, the run must not look good.
#[panic_handler]
fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
    let _ = writeln!(Serial, "PANIC {info}");
    exit(Exit::Panic)
}
