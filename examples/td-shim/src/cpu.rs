// SPDX-License-Identifier: MIT OR Apache-2.0
//! Descriptor tables: exceptions run on a stack of their own, so that an emulated TDCALL costs the
//! measured stack as little as a real one (nothing).

use core::arch::{asm, global_asm};
use core::cell::UnsafeCell;
use core::fmt::Write as _;

use crate::emulated_module;
use crate::serial::{Exit, Serial, exit};

/// The registers of whoever raised an exception, as [`ud_entry`] pushes them and the processor
/// before it (Intel SDM volume 3, 6.14.2).
#[repr(C)]
pub(crate) struct Frame {
    pub(crate) r15: u64,
    pub(crate) r14: u64,
    pub(crate) r13: u64,
    pub(crate) r12: u64,
    pub(crate) r11: u64,
    pub(crate) r10: u64,
    pub(crate) r9: u64,
    pub(crate) r8: u64,
    pub(crate) rdi: u64,
    pub(crate) rsi: u64,
    pub(crate) rdx: u64,
    pub(crate) rcx: u64,
    pub(crate) rax: u64,
    pub(crate) rip: u64,
    pub(crate) cs: u64,
    pub(crate) rflags: u64,
    pub(crate) rsp: u64,
    pub(crate) ss: u64,
}

// RBX and RBP are kept by the handler itself; no leaf has them. The processor aligns the stack to 16
// before its five words; with thirteen more words it is aligned again at the call.
global_asm!(
    "ud_entry:",
    "push rax",
    "push rcx",
    "push rdx",
    "push rsi",
    "push rdi",
    "push r8",
    "push r9",
    "push r10",
    "push r11",
    "push r12",
    "push r13",
    "push r14",
    "push r15",
    "cld",
    "mov rdi, rsp",
    "call {handler}",
    "pop r15",
    "pop r14",
    "pop r13",
    "pop r12",
    "pop r11",
    "pop r10",
    "pop r9",
    "pop r8",
    "pop rdi",
    "pop rsi",
    "pop rdx",
    "pop rcx",
    "pop rax",
    "iretq",
    "other_entry:",
    "call {unexpected}",
    "ud2",
    handler = sym undefined_instruction,
    unexpected = sym unexpected,
);

unsafe extern "C" {
    fn ud_entry();
    fn other_entry();
}

/// #UD: an emulated TDCALL, or a bug.
extern "C" fn undefined_instruction(frame: &mut Frame) {
    if emulated_module::step(frame).is_none() {
        let _ = writeln!(Serial, "#UD at {:#x}, and no TDCALL", frame.rip);
        exit(Exit::Panic);
    }
}

extern "C" fn unexpected() -> ! {
    let _ = writeln!(Serial, "unexpected exception");
    exit(Exit::Panic)
}

/// A task state segment; only the first stack of its interrupt stack table is used (Intel SDM
/// volume 3, 8.7).
#[repr(C, packed(4))]
struct TaskState {
    reserved: u32,
    rsp: [u64; 3],
    reserved_1: u64,
    stacks: [u64; 7],
    reserved_2: u64,
    reserved_3: u16,
    io_map: u16,
}

#[repr(C, align(16))]
struct Tables {
    gdt: [u64; 5],
    idt: [[u64; 2]; 32],
    state: TaskState,
    stack: [u8; STACK],
}

/// Enough for the emulated module's reports and for the text of a panic.
const STACK: usize = 16_384;

struct Shared(UnsafeCell<Tables>);

// SAFETY: there is one processor and interrupts are off. `install_trap_handlers` writes the tables
// once, before the processor uses them; afterwards only the processor does.
unsafe impl Sync for Shared {}

static TABLES: Shared = Shared(UnsafeCell::new(Tables {
    // Null, 64-bit code and data as at boot, and two words for the task state.
    gdt: [0, 0x00AF_9A00_0000_FFFF, 0x00CF_9200_0000_FFFF, 0, 0],
    idt: [[0; 2]; 32],
    state: TaskState {
        reserved: 0,
        rsp: [0; 3],
        reserved_1: 0,
        stacks: [0; 7],
        reserved_2: 0,
        reserved_3: 0,
        io_map: 104,
    },
    stack: [0; STACK],
}));

/// `lgdt`'s and `lidt`'s operand.
#[repr(C, packed)]
struct TablePointer {
    limit: u16,
    base: u64,
}

/// Makes every exception end in this file.
pub(crate) fn install_trap_handlers() {
    let tables = TABLES.0.get();
    // SAFETY: called once, by `main`, before anything else refers to the tables.
    let tables = unsafe { &mut *tables };
    let stack = &raw const tables.stack;
    tables.state.stacks[0] = stack.addr() as u64 + STACK as u64;
    let state = (&raw const tables.state).addr() as u64;
    // An available 64-bit TSS, 104 bytes (Intel SDM volume 3, 8.2.3).
    tables.gdt[3] = 103 | (state & 0xFF_FFFF) << 16 | 0x89 << 40 | (state >> 24 & 0xFF) << 56;
    tables.gdt[4] = state >> 32;
    tables.idt = [gate(other_entry as *const () as u64); 32];
    tables.idt[6] = gate(ud_entry as *const () as u64);
    let gdt = TablePointer { limit: 39, base: (&raw const tables.gdt).addr() as u64 };
    let idt = TablePointer { limit: 511, base: (&raw const tables.idt).addr() as u64 };
    // SAFETY: the table holds the segments that are in use at the places they are in use, and
    // lives for ever.
    unsafe { asm!("lgdt [{}]", in(reg) &raw const gdt, options(readonly, nostack)) };
    // SAFETY: selector 0x18 is the task state set up above.
    unsafe { asm!("ltr {:x}", in(reg) 0x18_u16, options(nostack)) };
    // SAFETY: 32 gates to code that exists, on a stack that exists; lives for ever.
    unsafe { asm!("lidt [{}]", in(reg) &raw const idt, options(readonly, nostack)) };
}

/// A 64-bit interrupt gate to `entry` on the first stack of the table (Intel SDM volume 3, 6.14.1).
const fn gate(entry: u64) -> [u64; 2] {
    [entry & 0xFFFF | 0x08 << 16 | 1 << 32 | 0x8E << 40 | (entry >> 16 & 0xFFFF) << 48, entry >> 32]
}
