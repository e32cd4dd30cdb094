// SPDX-License-Identifier: MIT OR Apache-2.0
//! From a PVH loader's 32-bit entry to the image's own code ([`entry`](crate::entry)) in 64-bit mode.
//!
//! PVH (Xen `docs/misc/pvh.pandoc`, `XEN_ELFNOTE_PHYS32_ENTRY` = 18): flat 32-bit protected mode,
//! paging off, interrupts off, everything else undefined. The first 4 GiB are mapped to themselves
//! with 2 MiB pages that ring 3 may use too, so an address is its own guest-physical address.

use core::arch::global_asm;

unsafe extern "C" {
    /// Defined by [`entry`](crate::entry).
    fn bare_main() -> !;
}

global_asm!(
    r#"
.section .note.Xen, "a", @note
    .long 4, 4, 18
    .asciz "Xen"
    .long pvh_start

.section .text.boot, "ax"
.code32
.globl pvh_start
pvh_start:
    cli
    cld
    // One top entry, four directories, 2048 pages of 2 MiB: present, writable, for all rings.
    mov eax, offset boot_directories
    or eax, 7
    mov dword ptr [boot_top], eax
    mov edi, offset boot_directories
    mov eax, offset boot_pages
    or eax, 7
    mov ecx, 4
1:  mov dword ptr [edi], eax
    add eax, 4096
    add edi, 8
    dec ecx
    jnz 1b
    mov edi, offset boot_pages
    mov eax, 0x87
    mov ecx, 2048
2:  mov dword ptr [edi], eax
    add eax, 0x200000
    add edi, 8
    dec ecx
    jnz 2b
    mov eax, offset boot_top
    mov cr3, eax
    // CR4.PAE, EFER.LME, CR0.PG and PE (Intel SDM volume 3, 10.8.5).
    mov eax, cr4
    or eax, 0x20
    mov cr4, eax
    mov ecx, 0xC0000080
    rdmsr
    or eax, 0x100
    wrmsr
    mov eax, cr0
    or eax, 0x80000001
    mov cr0, eax
    lgdt [boot_gdt_pointer]
    ljmp 0x08, offset long_mode
.code64
long_mode:
    mov ax, 0x10
    mov ds, ax
    mov es, ax
    mov ss, ax
    mov rsp, offset boot_stack_top
    call {main}
    ud2

.section .rodata
.balign 8
boot_gdt: .quad 0, 0x00af9a000000ffff, 0x00cf92000000ffff
boot_gdt_pointer: .short 23
    .quad boot_gdt

.section .bss
.balign 4096
boot_top: .skip 4096
boot_directories: .skip 4096
boot_pages: .skip 16384
boot_stack: .skip 16384
boot_stack_top:
.section .text
"#,
    main = sym bare_main,
);
