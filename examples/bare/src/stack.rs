// SPDX-License-Identifier: MIT OR Apache-2.0
//! A stack that tells how much of it was used.
//!
//! The stack and a guard of the same size below it are painted with a pattern before each run;
//! afterwards the lowest word that changed is the high-water mark. What a function reserves and
//! never writes is not seen, unless something it calls writes below.

use core::fmt;

use crate::machine;

/// Neither an address of an image nor a likely value.
const PAINT: u64 = 0xA5C3_5A3C_96F0_0F69;

/// Memory for a stack of `WORDS` times eight bytes.
#[repr(C, align(4096))]
pub struct StackMemory<const WORDS: usize> {
    guard: [u64; WORDS],
    stack: [u64; WORDS],
}

impl<const WORDS: usize> StackMemory<WORDS> {
    /// Not painted.
    pub const NEW: Self = Self { guard: [0; WORDS], stack: [0; WORDS] };
}

/// The stack.
pub struct MeasuredStack<const WORDS: usize>(&'static mut StackMemory<WORDS>);

/// High-water mark of a run.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Used {
    /// So many bytes.
    Bytes(usize),
    /// More than there are: the guard below the stack was overwritten.
    Overflow,
}

impl<const WORDS: usize> MeasuredStack<WORDS> {
    /// Bytes.
    pub const SIZE: usize = WORDS * 8;

    /// The stack in this memory.
    pub const fn new(memory: &'static mut StackMemory<WORDS>) -> Self {
        Self(memory)
    }

    /// Calls `job(context)` on this stack and returns what it returns.
    pub fn run<C>(&mut self, job: extern "C" fn(&mut C) -> bool, context: &mut C) -> (bool, Used) {
        self.0.guard.fill(PAINT);
        self.0.stack.fill(PAINT);
        let top = (&raw mut *self.0).wrapping_add(1).cast();
        // SAFETY: the memory ends at a page, which is aligned as a stack must be; it is borrowed
        // mutably, so that nothing else uses it. A job that needs more than the stack and the guard
        // would overwrite what lies below: the guard is as large as the stack, and what the jobs need
        // is known.
        let good = unsafe { machine::call_on(top, job, context) };
        if self.0.guard.iter().any(|&word| word != PAINT) {
            return (good, Used::Overflow);
        }
        let untouched = self.0.stack.iter().take_while(|&&word| word == PAINT).count();
        (good, Used::Bytes((WORDS - untouched) * 8))
    }
}

impl Used {
    /// `1784 of 4096`.
    pub fn of(self, size: usize) -> impl fmt::Display {
        Of { used: self, size }
    }
}

struct Of {
    used: Used,
    size: usize,
}

impl fmt::Display for Of {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { used, size } = self;
        match used {
            Used::Bytes(bytes) => write!(f, "{bytes} of {size}"),
            Used::Overflow => write!(f, "more than {size} of {size}"),
        }
    }
}
