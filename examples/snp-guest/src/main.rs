// SPDX-License-Identifier: MIT OR Apache-2.0
//! An SNP guest's first software, without firmware, operating system or allocator: it speaks to its
//! security processor over a GHCB, measures into a bank of registers with a log in a fixed page, and
//! makes reports that vouch for the bank, on a stack that tells how much of it was used.
//!
//! **Host and security processor are emulated.** QEMU has none, so the image's own handlers of
//! exceptions ([`emulated_host`]) do what they would. The guest runs in ring 3, where the MSR raises
//! #GP and VMGEXIT raises #UD: in ring 0 QEMU ignores the MSR. The adapter (tsm-snp), its instructions
//! and the bytes in the GHCB are real; isolation is not there.
//!
//! Exits QEMU through isa-debug-exit: status 33 all good, 35 a check failed, 37 more stack than the
//! budget, 39 the stack's guard was overwritten, 127 panic or unexpected exception.

#![no_std]
#![no_main]

mod bank;
mod conversation;
mod emulated_host;
mod erased;
mod pages;

use core::arch::x86_64::__cpuid;
use core::fmt::Write as _;

use bare::x86_64::cpu::{Stack, handle_exceptions};
use bare::x86_64::log_page;
use bare::{
    Exit, MeasuredStack, Once, Page, Serial, StackMemory, exit, print_log, print_value, run_all,
};
use tsm_core::hex::Hex;
use tsm_core::{Algorithm, Digest};
use tsm_snp::ghcb::Instruction;
use tsm_snp::{Cause, MessageMemory, REPORT_SIZE, SecretsPage};

use crate::bank::{Bank, NONCE};
use crate::conversation::{Messages, Start};

bare::entry!(main);

/// Ring 0: sets exceptions up.
fn main() -> ! {
    let _ = writeln!(Serial, "snp-guest: EMULATED SNP host and firmware, no isolation");
    let highest = __cpuid(0x8000_0000).eax;
    let _ = writeln!(Serial, "highest extended function of CPUID: {highest:#x}");
    detect(0);
    let (Some(exceptions), Some(stack)) = (handle_exceptions(emulated_host::step), STACK.take())
    else {
        failed("exceptions are handled already");
    };
    exceptions.go_on_in_ring_3(stack, guest)
}

/// Says what the adapter says about this machine. A real guest would go on with what it gets here, and
/// only with that.
fn detect(ring: u8) {
    // SAFETY: nothing is called with what comes of it.
    let _ = match unsafe { Instruction::detect() } {
        Ok(_) => writeln!(Serial, "detection in ring {ring} says: an SNP guest"),
        Err(error) => writeln!(Serial, "detection in ring {ring} says: {error}"),
    };
}

/// The guest's stack when it is not measured.
static STACK: Once<Stack> = Once::new(Stack::NEW);
/// 16 KiB.
static MEASURED: Once<StackMemory<2048>> = Once::new(StackMemory::NEW);
static SECRETS: Once<Page> = Once::new(Page::ZEROS);
/// The conversation, which stays where it is made.
static MESSAGES: Once<Option<Messages>> = Once::new(None);
/// Its messages.
static MEMORY: Once<MessageMemory> = Once::new(MessageMemory::EMPTY);
/// The provider's report.
static REPORT: Once<[u8; REPORT_SIZE]> = Once::new([0; REPORT_SIZE]);
/// A report and the bank's manifest.
static EVIDENCE: Once<Page> = Once::new(Page::ZEROS);

/// Ring 3: the guest.
extern "C" fn guest() -> ! {
    detect(3);
    let (
        Some(stack),
        Some(secrets),
        Some(memory),
        Some(place),
        Some(report),
        Some(evidence),
        Some(log),
    ) = (
        MEASURED.take(),
        SECRETS.take(),
        MEMORY.take(),
        MESSAGES.take(),
        REPORT.take(),
        EVIDENCE.take(),
        log_page(),
    )
    else {
        failed("memory is taken");
    };
    let mut stack = MeasuredStack::new(stack);
    emulated_host::launch(&mut secrets.0);
    let key = erased::first_key(&secrets.0);

    let mut start = Start::new(SecretsPage::of(&mut secrets.0), memory, place, &mut *report);
    let worst = run_all(&mut stack, "", &conversation::jobs(), &mut start);
    let Some(messages) = place else {
        failed("no conversation");
    };
    let found = erased::is_in(messages, &key);
    let mut bank = Bank::new(&mut *messages, report, log, &mut evidence.0);
    let worst = worst.max(run_all(&mut stack, "", &bank::jobs(), &mut bank));
    print_log("rtmr3", bank.log());
    print_value("register", "rtmr3", bank.value().unwrap_or(Digest::zeros(Algorithm::Sha384)));
    let _ = writeln!(Serial, "NONCE {}", Hex(&NONCE));
    let _ = writeln!(Serial, "EVIDENCE {}", Hex(bank.evidence()));

    let _ = writeln!(Serial, "exits emulated: {}", emulated_host::exits());
    if messages.cause() != Some(Cause::Unauthentic) || messages.key().is_some() {
        failed("a hostile host was believed");
    }
    if !found || erased::is_in(messages, &key) {
        failed("the key is not erased, or never was there");
    }
    if !emulated_host::is_msr_as_before() {
        failed("the GHCB's MSR has another value than before");
    }
    let _ = writeln!(Serial, "RESULT {worst}");
    exit(worst)
}

fn failed(what: &str) -> ! {
    let _ = writeln!(Serial, "RESULT failed: {what}");
    exit(Exit::Failed)
}
