// SPDX-License-Identifier: MIT OR Apache-2.0
//! The TDCALL instruction and the two leaves that are used here. It lives in the example until the
//! crate for TDX exists.
//!
//! Source: Intel TDX Module ABI Specification 1.5 (348551), TDG.MR.RTMR.EXTEND and TDG.VM.RD; Intel
//! TDX Module Base Architecture Specification, TDCALL.

use core::arch::asm;
use core::fmt;

/// Completion status in RAX. Bit 63 clear is success; the lower 32 bits name an operand.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Status(pub(crate) u64);

impl Status {
    pub(crate) const OPERAND_INVALID: u64 = 0xC000_0100_0000_0000;
    pub(crate) const OPERAND_BUSY: u64 = 0x8000_0200_0000_0000;
    pub(crate) const FIELD_ID_INCORRECT: u64 = 0xC000_0C00_0000_0000;

    /// The status without its operand.
    pub(crate) const fn class(self) -> u64 {
        self.0 & 0xFFFF_FFFF_0000_0000
    }

    const fn to_result(self) -> Result<(), Self> {
        if self.0 >> 63 == 0 { Ok(()) } else { Err(self) }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TDCALL status {:#018x}", self.0)
    }
}

impl core::error::Error for Status {}

/// What RTMR.EXTEND reads: 48 bytes at an address of alignment 64, in private memory. It never
/// crosses a page, so the one address is good for all of it.
#[repr(C, align(64))]
pub(crate) struct ExtendBuffer([u8; 64]);

impl ExtendBuffer {
    pub(crate) fn new(digest: &[u8]) -> Self {
        let mut buffer = Self([0; 64]);
        for (to, from) in buffer.0.iter_mut().zip(digest) {
            *to = *from;
        }
        buffer
    }
}

/// TDG.MR.RTMR.EXTEND: `RTMR[index] = SHA384(RTMR[index] || buffer)`.
pub(crate) fn rtmr_extend(index: u64, buffer: &ExtendBuffer) -> Result<(), Status> {
    // The image is mapped to itself, so the address is the guest-physical address.
    let address = (&raw const *buffer).addr() as u64;
    // SAFETY: leaf 2 reads 48 bytes at RCX, which `buffer` holds and which are borrowed for the
    // call; it writes no memory and changes RAX only.
    unsafe { tdcall(Leaf::RTMR_EXTEND, address, index) }.0.to_result()
}

/// TDG.VM.RD, version 0, of the own TD: one field of 8 bytes.
pub(crate) fn vm_read(field: u64) -> Result<u64, Status> {
    // SAFETY: leaf 7 takes RCX = 0 (the own TD) and RDX = a field id, refuses unknown ones,
    // touches no memory of the guest and changes RAX, RDX and R8 only.
    let (status, value) = unsafe { tdcall(Leaf::VM_READ, 0, field) };
    status.to_result().map(|()| value)
}

/// Leaf numbers of guest-side functions.
pub(crate) struct Leaf;

impl Leaf {
    pub(crate) const RTMR_EXTEND: u64 = 2;
    pub(crate) const VM_READ: u64 = 7;
}

/// The instruction. Returns RAX and R8.
///
/// # Safety
///
/// The leaf's operands must be as its specification wants them; addresses among them must be of
/// memory that the leaf may read or write.
pub(crate) unsafe fn tdcall(leaf: u64, rcx: u64, rdx: u64) -> (Status, u64) {
    let (status, value);
    // SAFETY: the TDX module keeps every register but RAX and the outputs of the leaf, all of which
    // are declared here (of the caller-saved ones, all). It uses no stack of the guest. No `nomem`:
    // leaves read and write memory at an address in RCX. That the operands are right is the
    // caller's promise.
    unsafe {
        asm!(
            ".byte 0x66, 0x0F, 0x01, 0xCC",
            inlateout("rax") leaf => status,
            inlateout("rcx") rcx => _,
            inlateout("rdx") rdx => _,
            lateout("r8") value,
            lateout("r9") _,
            lateout("r10") _,
            lateout("r11") _,
            options(nostack),
        );
    }
    (Status(status), value)
}
