// SPDX-License-Identifier: MIT OR Apache-2.0
//! The real instruction: executed in a process, where it is undefined, by way of a handler of SIGILL
//! that answers as a TDX module would. What goes into the registers and what is taken out of them
//! is that of the machine code.

#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

mod common;

use std::sync::Mutex;

use common::fake::folded;
use tsm_core::{Algorithm, Digest, Provider};
use tsm_tdx::layout::{TEE_TDX, TdReportStruct};
use tsm_tdx::leaf::Leaf;
use tsm_tdx::status::{OperandId, Status, StatusCode};
use tsm_tdx::{
    Call, ExtendBuffer, GuestPhysical, Hardware, IdentityMapped, Registers, ReportBuffer,
    ReportData, RtmrIndex, RtmrSet, Td, Tdcall, TdxProvider,
};

/// The module behind the handler.
struct Module {
    rtmrs: [[u8; 48]; 4],
    busy: u32,
    calls: Vec<Registers>,
}

static MODULE: Mutex<Module> =
    Mutex::new(Module { rtmrs: [[0; 48]; 4], busy: 0, calls: Vec::new() });

/// Only one test at a time may use the module.
static TURN: Mutex<()> = Mutex::new(());

/// What a host or a module leaves in registers that are of no meaning.
const JUNK: u64 = 0x0BAD_C0DE_0BAD_C0DE;

/// Answers one TDCALL and goes on behind it.
extern "C" fn on_sigill(_: i32, _: *mut libc::siginfo_t, context: *mut libc::c_void) {
    use libc::{
        REG_R8, REG_R9, REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15, REG_RAX, REG_RCX,
        REG_RDX, REG_RIP,
    };
    // SAFETY: the kernel gives the third argument of a handler with SA_SIGINFO this type
    // (sigaction(2)), and it is nobody else's while the handler runs.
    let context = unsafe { &mut *context.cast::<libc::ucontext_t>() };
    let places = [
        REG_RAX, REG_RCX, REG_RDX, REG_R8, REG_R9, REG_R10, REG_R11, REG_R12, REG_R13, REG_R14,
        REG_R15,
    ];
    let registers = &mut context.uc_mcontext.gregs;
    let at = registers[REG_RIP as usize] as *const [u8; 4];
    // SAFETY: the processor read an instruction there just now; it has four bytes if it is TDCALL,
    // and code of the process goes on behind any instruction of a test.
    let instruction = unsafe { at.read_unaligned() };
    if instruction != [0x66, 0x0F, 0x01, 0xCC] {
        std::process::abort();
    }
    let [rax, rcx, rdx, r8, r9, r10, r11, r12, r13, r14, r15] =
        places.map(|place| registers[place as usize] as u64);
    let mut now = Registers { rax, rcx, rdx, r8, r9, r10, r11, r12, r13, r14, r15 };
    execute(&mut now);
    let after = [
        now.rax, now.rcx, now.rdx, now.r8, now.r9, now.r10, now.r11, now.r12, now.r13, now.r14,
        now.r15,
    ];
    for (place, value) in places.into_iter().zip(after) {
        registers[place as usize] = value as i64;
    }
    registers[REG_RIP as usize] += 4;
}

fn execute(registers: &mut Registers) {
    let mut module = MODULE.lock().unwrap();
    module.calls.push(*registers);
    if module.busy > 0 {
        module.busy -= 1;
        registers.rax = Status::new(StatusCode::OPERAND_BUSY, OperandId::RTMR).0;
        return;
    }
    let leaf = registers.leaf();
    registers.rax = 0;
    match leaf {
        Leaf::VP_INFO => {
            (registers.rcx, registers.rdx, registers.r8) = (48, 1 << 28, 2 << 32 | 1);
            (registers.r9, registers.r10, registers.r11) = (0, 1, 0);
        }
        Leaf::MR_RTMR_EXTEND => {
            // SAFETY: the leaf reads 48 bytes there, and the test maps memory to itself.
            let digest = unsafe { (registers.rcx as *const [u8; 48]).read() };
            let register = &mut module.rtmrs[registers.rdx as usize];
            let value = Algorithm::Sha384.hash(&[*register, digest].concat());
            register.copy_from_slice(value.as_bytes());
        }
        Leaf::MR_REPORT => {
            let mut report = TdReportStruct::ZERO;
            report.mac.report_type.kind = TEE_TDX;
            // SAFETY: the leaf reads 64 bytes there.
            report.mac.report_data = unsafe { (registers.rdx as *const [u8; 64]).read() };
            report.td_info.rtmrs = module.rtmrs;
            report.hash();
            // SAFETY: the leaf writes 1024 bytes there.
            unsafe { (registers.rcx as *mut [u8; 1024]).write(*report.as_bytes()) };
        }
        Leaf::VM_RD => {
            let word = registers.rdx - tsm_tdx::leaf::FieldId::RTMR.0;
            let bytes = module.rtmrs.as_flattened();
            let word = &bytes[word as usize * 8..][..8];
            registers.r8 = u64::from_le_bytes(word.try_into().unwrap());
            registers.rdx += 1;
        }
        // The host leaves what it likes in the registers that it is shown.
        Leaf::VP_VMCALL => {
            registers.r10 = 3 | 1 << 63;
            registers.r11 = JUNK;
            (registers.r12, registers.r13, registers.r14) = (JUNK, JUNK, JUNK);
            registers.r15 = JUNK;
        }
        _ => registers.rax = Status::new(StatusCode::OPERAND_INVALID, OperandId::RAX).0,
    }
}

fn with_module<R>(test: impl FnOnce(Hardware<IdentityMapped>) -> R) -> R {
    let turn = TURN.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    *MODULE.lock().unwrap() = Module { rtmrs: [[0; 48]; 4], busy: 0, calls: Vec::new() };
    // SAFETY: an all-zero `sigaction` is a valid one (no handler, no flags, empty mask).
    let mut action: libc::sigaction = unsafe { core::mem::zeroed() };
    action.sa_sigaction = on_sigill as extern "C" fn(_, _, _) as usize;
    action.sa_flags = libc::SA_SIGINFO;
    // SAFETY: the handler is of the type that SA_SIGINFO asks for, and only reacts to the
    // instruction of the thread that it interrupts, which holds no lock that it takes.
    let installed =
        unsafe { libc::sigaction(libc::SIGILL, &raw const action, core::ptr::null_mut()) };
    assert_eq!(installed, 0);
    // SAFETY: the handler takes addresses as they are; nothing is shared with anybody.
    let space = unsafe { IdentityMapped::new() };
    // SAFETY: the handler changes what a module would, and nothing else.
    let result = test(unsafe { Hardware::assume(space) });
    drop(turn);
    result
}

#[test]
fn every_register_goes_through() {
    with_module(|mut hardware| {
        let after = hardware.call(Call::vp_info()).unwrap();
        let expected =
            Registers { rcx: 48, rdx: 1 << 28, r8: 2 << 32 | 1, r10: 1, ..Registers::default() };
        assert_eq!(after, expected);
        assert_eq!(MODULE.lock().unwrap().calls, [Registers { rax: 1, ..Registers::default() }]);

        let after = hardware.call(Call::quote(GuestPhysical(0x8000_1234_5000), 0x3000)).unwrap();
        let before = Registers {
            rcx: 0xFC00,
            r11: 0x1_0002,
            r12: 0x8000_1234_5000,
            r13: 0x3000,
            ..Registers::default()
        };
        assert_eq!(MODULE.lock().unwrap().calls[1], before);
        let expected =
            Registers { rcx: 0xFC00, r10: 3 | 1 << 63, r11: JUNK, ..Registers::default() };
        assert_eq!(after, expected, "what the host left in R12 to R15 is cleared");
    });
}

#[test]
fn memory_goes_through() {
    with_module(|hardware| {
        let mut td = Td::new(hardware).unwrap();
        MODULE.lock().unwrap().busy = 2;
        let digest = Algorithm::Sha384.hash(b"x");
        td.extend(RtmrIndex::RTMR2, &ExtendBuffer::from_digest(&digest).unwrap()).unwrap();
        let mut buffer = ReportBuffer::new();
        td.report(&mut buffer, &ReportData::new([7; 64])).unwrap();
        let report = buffer.report().unwrap();
        assert_eq!(report.mac.report_data, [7; 64]);
        assert_eq!(report.td_info.rtmr(RtmrIndex::RTMR2)[..], *folded(&[digest]).as_bytes());
        // Written once more: the compiler must not take the old bytes for the new ones.
        let first = *report.as_struct();
        td.report(&mut buffer, &ReportData::new([8; 64])).unwrap();
        let second = *buffer.report().unwrap().as_struct();
        assert_eq!((first.mac.report_data, second.mac.report_data), ([7; 64], [8; 64]));
    });
}

#[test]
fn provider_over_the_instruction() {
    with_module(|hardware| {
        let mut provider = TdxProvider::new(Td::new(hardware).unwrap(), RtmrSet::APPLICATION);
        let rtmr3 = provider.find("rtmr3").unwrap();
        let digests: Vec<Digest> =
            [&b"one"[..], b"two"].iter().map(|data| Algorithm::Sha384.hash(data)).collect();
        for digest in &digests {
            provider.extend(rtmr3, &[*digest]).unwrap();
        }
        assert_eq!(provider.value(rtmr3, Algorithm::Sha384).unwrap(), folded(&digests));
        let error = provider.td_mut().sys_read(tsm_tdx::leaf::FieldId(1)).unwrap_err();
        assert_eq!(error.operand(), Some(OperandId::RAX));
    });
}
