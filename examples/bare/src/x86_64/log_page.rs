// SPDX-License-Identifier: MIT OR Apache-2.0
//! The log's page, of which whoever comes next knows the address.

use core::cell::UnsafeCell;
use core::sync::atomic::{AtomicBool, Ordering};

use crate::Page;

struct Fixed(UnsafeCell<Page>);

// SAFETY: the bytes are reached by `log_page` only, once.
unsafe impl Sync for Fixed {}

/// At 0x300000, by `pvh.ld`, and nothing else is there: the text of a log, then zeros.
#[unsafe(link_section = ".log")]
static PAGE: Fixed = Fixed(UnsafeCell::new(Page::ZEROS));

/// The page at 0x300000, once.
pub fn log_page() -> Option<&'static mut [u8; Page::SIZE]> {
    static TAKEN: AtomicBool = AtomicBool::new(false);
    if TAKEN.swap(true, Ordering::Relaxed) {
        return None;
    }
    // SAFETY: this line is reached once, and nothing else refers to the bytes.
    let page = unsafe { &mut *PAGE.0.get() };
    Some(&mut page.0)
}
