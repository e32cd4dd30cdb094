// SPDX-License-Identifier: MIT OR Apache-2.0
//! Looks for a key in memory.

use core::arch::asm;

use bare::Page;

/// The first key of a secrets page; where it stands, say the sources that tsm-snp names.
pub(crate) fn first_key(secrets: &[u8; Page::SIZE]) -> [u8; 32] {
    let mut key = [0; 32];
    key.copy_from_slice(&secrets[0x20..0x40]);
    key
}

/// Whether the key stands somewhere in a value.
pub(crate) fn is_in<T>(value: &T, key: &[u8; 32]) -> bool {
    let start = (&raw const *value).cast::<u8>();
    let matches = |at: usize| {
        let mut bytes = key.iter().enumerate();
        bytes.all(|(offset, byte)| load(start.wrapping_add(at + offset)) == *byte)
    };
    (0..=size_of::<T>().saturating_sub(key.len())).any(matches)
}

/// The byte at an address of memory that is borrowed.
fn load(address: *const u8) -> u8 {
    let byte;
    // SAFETY: `is_in` asks for bytes of the value that it has borrowed. By an instruction, because some
    // are padding, or of a variant that the value does not have: for Rust they have no value.
    unsafe {
        asm!("mov {}, byte ptr [{}]", out(reg_byte) byte, in(reg) address, options(nostack, readonly, preserves_flags));
    }
    byte
}
