// SPDX-License-Identifier: MIT OR Apache-2.0
//! **Emulated**: what the Intel TDX module would do on TDCALL, done by the image's own #UD handler.
//! It has no isolation whatever: the image could overwrite its "registers".
//!
//! Leaves, operand checks and their order, and status codes are those of the TDX module 1.5.01
//! (`tdg_mr_rtmr_extend.c`, `tdg_vm_rd_wr.c`). On top of that, every fourth extension finds the
//! register's lock taken, so that the caller's retry is exercised.

use core::cell::UnsafeCell;

use sha2::Digest as _;

use crate::cpu::Frame;
use crate::tdcall::{Leaf, Status};

/// The four emulated RTMRs.
struct Module {
    rtmr: [[u8; 48]; 4],
    calls: u32,
    extensions: u32,
}

struct Shared(UnsafeCell<Module>);

// SAFETY: one processor, interrupts off. References are made in `step` and `calls` only; `step`
// runs in the #UD handler, which does not raise #UD, and `calls` executes no TDCALL.
unsafe impl Sync for Shared {}

static MODULE: Shared =
    Shared(UnsafeCell::new(Module { rtmr: [[0; 48]; 4], calls: 0, extensions: 0 }));

/// How many TDCALLs were emulated.
pub(crate) fn calls() -> u32 {
    // SAFETY: see `Shared`: no other reference exists while this one does.
    unsafe { &*MODULE.0.get() }.calls
}

/// Does the instruction at RIP, if it is TDCALL, and steps over it.
pub(crate) fn step(frame: &mut Frame) -> Option<()> {
    const TDCALL: [u8; 4] = [0x66, 0x0F, 0x01, 0xCC];
    let code = core::ptr::with_exposed_provenance::<[u8; 4]>(usize::try_from(frame.rip).ok()?);
    // SAFETY: the processor has just tried to execute what is there, so it is readable; the 4 GiB
    // around it are mapped, so reading past a shorter instruction is harmless.
    if unsafe { code.read_unaligned() } != TDCALL {
        return None;
    }
    // SAFETY: see `Shared`: no other reference exists while this one does.
    let module = unsafe { &mut *MODULE.0.get() };
    module.calls += 1;
    // Version in bits 23:16, the rest must be zero.
    let known_version = frame.rax >> 16 == 0;
    frame.rax = match frame.rax & 0xFFFF {
        Leaf::RTMR_EXTEND if known_version => module.rtmr_extend(frame.rcx, frame.rdx),
        Leaf::VM_READ if known_version => module.vm_read(frame),
        _ => Status::OPERAND_INVALID | OPERAND_RAX,
    };
    frame.rip += 4;
    Some(())
}

// Operand ids (TDX module, `tdx_error_codes_defs.h`).
const OPERAND_RAX: u64 = 0;
const OPERAND_RCX: u64 = 1;
const OPERAND_RDX: u64 = 2;
const OPERAND_RTMR: u64 = 168;

/// First word of RTMR0 among the TD's fields; six words for each register.
pub(crate) const FIELD_RTMR: u64 = 0x1310_0003_0000_0040;
/// Words in a register.
pub(crate) const WORDS: u64 = 6;

impl Module {
    fn rtmr_extend(&mut self, address: u64, index: u64) -> u64 {
        if !address.is_multiple_of(64) || address >= 1 << 32 {
            return Status::OPERAND_INVALID | OPERAND_RCX;
        }
        let register = usize::try_from(index).ok().and_then(|index| self.rtmr.get_mut(index));
        let Some(register) = register else {
            return Status::OPERAND_INVALID | OPERAND_RDX;
        };
        self.extensions += 1;
        if self.extensions.is_multiple_of(4) {
            return Status::OPERAND_BUSY | OPERAND_RTMR;
        }
        let data = core::ptr::with_exposed_provenance::<[u8; 48]>(address as usize);
        // SAFETY: below 4 GiB everything is mapped; bytes have no invalid values; the caller is
        // stopped at its TDCALL, so nobody writes meanwhile.
        let data = unsafe { data.read() };
        let hash = sha2::Sha384::new_with_prefix(*register).chain_update(data).finalize();
        *register = hash.into();
        0
    }

    fn vm_read(&self, frame: &mut Frame) -> u64 {
        if frame.rcx != 0 {
            return Status::OPERAND_INVALID | OPERAND_RCX;
        }
        let word = frame.rdx.checked_sub(FIELD_RTMR).and_then(|word| usize::try_from(word).ok());
        let words = self.rtmr.as_flattened().as_chunks::<8>().0;
        let Some(word) = word.and_then(|word| words.get(word)) else {
            return Status::FIELD_ID_INCORRECT | OPERAND_RDX;
        };
        frame.r8 = u64::from_le_bytes(*word);
        0
    }
}
