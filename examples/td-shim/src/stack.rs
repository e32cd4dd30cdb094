// SPDX-License-Identifier: MIT OR Apache-2.0
//! A stack of 4 KiB that tells how much of it was used.
//!
//! The stack and a guard of the same size below it are painted with a pattern before each run;
//! afterwards the lowest word that changed is the high-water mark. What a function reserves and
//! never writes is not seen, unless something it calls writes below.

use core::arch::asm;
use core::cell::UnsafeCell;
use core::fmt;
use core::sync::atomic::{AtomicBool, Ordering};

/// Size of the stack in bytes.
pub(crate) const SIZE: usize = 4096;
const WORDS: usize = SIZE / 8;
/// Neither an address of this image nor a likely value.
const PAINT: u64 = 0xA5C3_5A3C_96F0_0F69;

#[repr(C, align(4096))]
struct Memory {
    guard: [u64; WORDS],
    stack: [u64; WORDS],
}

struct Shared(UnsafeCell<Memory>);

// SAFETY: only `MeasuredStack` touches it, and there is one (`take`).
unsafe impl Sync for Shared {}

static MEMORY: Shared = Shared(UnsafeCell::new(Memory { guard: [0; WORDS], stack: [0; WORDS] }));

/// The stack.
pub(crate) struct MeasuredStack(());

/// High-water mark of a run.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Used {
    /// So many bytes.
    Bytes(usize),
    /// More than there are: the guard below the stack was overwritten.
    Overflow,
}

impl fmt::Display for Used {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes(bytes) => write!(f, "{bytes} of {SIZE}"),
            Self::Overflow => write!(f, "more than {SIZE} of {SIZE}"),
        }
    }
}

impl MeasuredStack {
    /// The stack, once.
    pub(crate) fn take() -> Option<Self> {
        static TAKEN: AtomicBool = AtomicBool::new(false);
        (!TAKEN.swap(true, Ordering::Relaxed)).then_some(Self(()))
    }

    /// Calls `job(context)` on this stack.
    pub(crate) fn run<C>(&mut self, job: extern "C" fn(&mut C), context: &mut C) -> Used {
        let memory = MEMORY.0.get();
        // SAFETY: `memory` is aligned, valid and initialised, there is one `MeasuredStack`, and
        // nothing runs on the stack now. (In place: a value of this size would not fit on the stack
        // that `main` has.)
        let painted = unsafe { &mut *memory };
        painted.guard.fill(PAINT);
        painted.stack.fill(PAINT);
        let top = memory.wrapping_add(1);
        // SAFETY: `top` is 16-aligned as the ABI wants it at a call (System V x86-64, 3.2.2), and
        // the memory below is this function's alone. RSP is kept in R12, which the callee
        // preserves, and restored. `job` takes one pointer in RDI, which is a valid exclusive
        // reference for the call, and returns nothing; what it may clobber is declared.
        unsafe {
            asm!(
                "mov r12, rsp",
                "mov rsp, r13",
                "call r14",
                "mov rsp, r12",
                out("r12") _,
                in("r13") top,
                in("r14") job,
                in("rdi") &raw mut *context,
                clobber_abi("C"),
            );
        }
        // SAFETY: the job has returned, so nothing writes there; every byte is initialised.
        let memory = unsafe { &*memory };
        if memory.guard.iter().any(|&word| word != PAINT) {
            return Used::Overflow;
        }
        let untouched = memory.stack.iter().take_while(|&&word| word == PAINT).count();
        Used::Bytes((WORDS - untouched) * 8)
    }
}
