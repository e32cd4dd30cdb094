// SPDX-License-Identifier: MIT OR Apache-2.0
//! Descriptor tables: exceptions run on a stack of their own, so that an emulated instruction costs
//! the measured stack as little as a real one (nothing). And ring 3.

use core::arch::{asm, global_asm};
use core::cell::Cell;
use core::fmt::Write as _;

use crate::{Exit, Once, Serial, exit};

/// The registers of whoever raised an exception, as the entries below push them and the processor
/// before them (Intel SDM volume 3, 6.14.2).
#[repr(C)]
#[expect(missing_docs, reason = "the registers' own names")]
pub struct Frame {
    pub r15: u64,
    pub r14: u64,
    pub r13: u64,
    pub r12: u64,
    pub r11: u64,
    pub r10: u64,
    pub r9: u64,
    pub r8: u64,
    pub rdi: u64,
    pub rsi: u64,
    pub rdx: u64,
    pub rcx: u64,
    pub rax: u64,
    /// [`INVALID_OPCODE`] or [`GENERAL_PROTECTION`].
    pub vector: u64,
    /// Zero for an exception that has none.
    pub error: u64,
    pub rip: u64,
    pub cs: u64,
    pub rflags: u64,
    pub rsp: u64,
    pub ss: u64,
}

/// #UD.
pub const INVALID_OPCODE: u64 = 6;
/// #GP.
pub const GENERAL_PROTECTION: u64 = 13;

// RBX and RBP are kept by the handler itself; no instruction that is emulated has them. The processor
// aligns the stack to 16 before its five words; with fifteen more words it is aligned again at the call.
global_asm!(
    "ud_entry:",
    "push 0",
    "push 6",
    "jmp exception",
    "gp_entry:",
    "push 13",
    "exception:",
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
    "add rsp, 16",
    "iretq",
    "other_entry:",
    "call {unexpected}",
    "ud2",
    handler = sym exception,
    unexpected = sym unexpected,
);

unsafe extern "C" {
    fn ud_entry();
    fn gp_entry();
    fn other_entry();
}

/// What emulates an instruction: does it, and steps over it. `None` if it is another one.
pub type Handler = fn(&mut Frame) -> Option<()>;

/// An emulated instruction, or a bug.
extern "C" fn exception(frame: &mut Frame) {
    if HANDLER.0.get()(frame).is_none() {
        let Frame { vector, error, rip, .. } = *frame;
        let _ = writeln!(Serial, "exception {vector} ({error:#x}) at {rip:#x}, not to be emulated");
        exit(Exit::Panic);
    }
}

extern "C" fn unexpected() -> ! {
    let _ = writeln!(Serial, "unexpected exception");
    exit(Exit::Panic)
}

struct Handling(Cell<Handler>);

// SAFETY: one processor, interrupts off. `handle_exceptions` writes it, and exceptions only read it.
unsafe impl Sync for Handling {}

static HANDLER: Handling = Handling(Cell::new(|_| None));

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
    gdt: [u64; 7],
    idt: [[u64; 2]; 32],
    state: TaskState,
    stack: [u8; STACK],
}

/// Enough to sign a report with P-384, which takes 25 KB with what is around it, and for the text of a
/// panic.
const STACK: usize = 65_536;

impl Tables {
    const NEW: Self = Self {
        // Null, 64-bit code and data as at boot, the same for ring 3, and two words for the task state.
        gdt: [
            0,
            0x00AF_9A00_0000_FFFF,
            0x00CF_9200_0000_FFFF,
            0x00AF_FA00_0000_FFFF,
            0x00CF_F200_0000_FFFF,
            0,
            0,
        ],
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
    };
}

/// `lgdt`'s and `lidt`'s operand.
#[repr(C, packed)]
struct TablePointer {
    limit: u16,
    base: u64,
}

/// Exceptions are handled.
pub struct Exceptions(());

/// From now on #UD and #GP are `handler`'s, and every other exception ends the run. `None`, and nothing
/// changes, the second time.
pub fn handle_exceptions(handler: Handler) -> Option<Exceptions> {
    static TABLES: Once<Tables> = Once::new(Tables::NEW);
    let tables = TABLES.take()?;
    HANDLER.0.set(handler);
    let stack = &raw const tables.stack;
    tables.state.stacks[0] = stack.expose_provenance() as u64 + STACK as u64;
    let state = (&raw const tables.state).expose_provenance() as u64;
    // An available 64-bit TSS, 104 bytes (Intel SDM volume 3, 8.2.3).
    tables.gdt[5] = 103 | (state & 0xFF_FFFF) << 16 | 0x89 << 40 | (state >> 24 & 0xFF) << 56;
    tables.gdt[6] = state >> 32;
    tables.idt = [gate(other_entry as *const () as u64); 32];
    tables.idt[INVALID_OPCODE as usize] = gate(ud_entry as *const () as u64);
    tables.idt[GENERAL_PROTECTION as usize] = gate(gp_entry as *const () as u64);
    let gdt = TablePointer { limit: 55, base: (&raw const tables.gdt).expose_provenance() as u64 };
    let idt = TablePointer { limit: 511, base: (&raw const tables.idt).expose_provenance() as u64 };
    // SAFETY: the table holds the segments that are in use at the places they are in use, and
    // lives for ever.
    unsafe { asm!("lgdt [{}]", in(reg) &raw const gdt, options(readonly, nostack)) };
    // SAFETY: selector 0x28 is the task state set up above.
    unsafe { asm!("ltr {:x}", in(reg) 0x28_u16, options(nostack)) };
    // SAFETY: 32 gates to code that exists, on a stack that exists; lives for ever.
    unsafe { asm!("lidt [{}]", in(reg) &raw const idt, options(readonly, nostack)) };
    Some(Exceptions(()))
}

/// A stack for ring 3.
#[repr(C, align(16))]
pub struct Stack([u8; 32_768]);

impl Stack {
    /// Zeros.
    pub const NEW: Self = Self([0; 32_768]);
}

impl Exceptions {
    /// Goes on with `main` in ring 3, on this stack, with the I/O ports and with interrupts off.
    /// Exceptions lead to ring 0 and back.
    pub fn go_on_in_ring_3(self, stack: &'static mut Stack, main: extern "C" fn() -> !) -> ! {
        const CODE: u64 = 0x18 | 3;
        const DATA: u64 = 0x20 | 3;
        /// Bit 1 is always one; the ports are ring 3's (IOPL, bits 13:12); interrupts are off.
        const FLAGS: u64 = 3 << 12 | 1 << 1;
        // Room for the return address that a called function expects (System V x86-64, 3.2.2). It is zero.
        let top = (&raw mut *stack).wrapping_add(1).expose_provenance() as u64 - 8;
        // SAFETY: IRETQ takes five words from the stack (Intel SDM volume 2): code that exists, the
        // segments of ring 3 in the table that `handle_exceptions` has loaded, a stack that nobody else
        // uses. All memory is mapped for ring 3. Nothing comes back, so what is on this stack does not
        // matter.
        unsafe {
            asm!(
                "push {data}",
                "push {top}",
                "push {flags}",
                "push {code}",
                "push {main}",
                "iretq",
                data = in(reg) DATA,
                top = in(reg) top,
                flags = in(reg) FLAGS,
                code = in(reg) CODE,
                main = in(reg) main,
                options(noreturn),
            )
        }
    }
}

/// A 64-bit interrupt gate to `entry` on the first stack of the table (Intel SDM volume 3, 6.14.1).
const fn gate(entry: u64) -> [u64; 2] {
    [entry & 0xFFFF | 0x08 << 16 | 1 << 32 | 0x8E << 40 | (entry >> 16 & 0xFFFF) << 48, entry >> 32]
}
