// SPDX-License-Identifier: MIT OR Apache-2.0
//! Memory that is handed out once.

use core::cell::UnsafeCell;
use core::sync::atomic::{AtomicBool, Ordering};

/// A value that stands in the image, and whoever comes first has it.
pub struct Once<T> {
    value: UnsafeCell<T>,
    taken: AtomicBool,
}

// SAFETY: the value is reached by `take` only, once.
unsafe impl<T: Send> Sync for Once<T> {}

impl<T> Once<T> {
    /// The value, not taken.
    pub const fn new(value: T) -> Self {
        Self { value: UnsafeCell::new(value), taken: AtomicBool::new(false) }
    }

    /// The value, the first time.
    #[expect(clippy::mut_from_ref, reason = "given out once")]
    pub fn take(&'static self) -> Option<&'static mut T> {
        // Not `swap`: exclusive accesses need normal memory, and on AArch64 with the MMU off all is
        // device memory. Nobody comes in between: one processor, interrupts off.
        if self.taken.load(Ordering::Relaxed) {
            return None;
        }
        self.taken.store(true, Ordering::Relaxed);
        // SAFETY: this line is reached once, and nothing else refers to the value.
        Some(unsafe { &mut *self.value.get() })
    }
}

/// A page.
#[repr(C, align(4096))]
pub struct Page(pub [u8; Self::SIZE]);

impl Page {
    /// Bytes.
    pub const SIZE: usize = 4096;
    /// Zeros.
    pub const ZEROS: Self = Self([0; Self::SIZE]);
}
