// SPDX-License-Identifier: MIT OR Apache-2.0
//! No memory.

use core::alloc::{GlobalAlloc, Layout};
use core::ptr;

struct Refusing;

// SAFETY: null is what an allocator gives that has no memory.
unsafe impl GlobalAlloc for Refusing {
    unsafe fn alloc(&self, _: Layout) -> *mut u8 {
        ptr::null_mut()
    }

    unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}
}

#[global_allocator]
static ALLOCATOR: Refusing = Refusing;
