// SPDX-License-Identifier: MIT OR Apache-2.0
//! The instruction itself: TDCALL's bytes are executed in this process, the kernel answers with
//! SIGILL, and a handler puts the module in software in its place. What the adapter does with
//! registers and memory is what it would do on a TDX machine; who answers is not.
//!
//! Each test's thread has a module of its own.

#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

use core::arch::asm;
use core::cell::RefCell;
use core::ffi::c_void;
use core::ptr;
use std::sync::Once;

use serde_json::Value;
use tsm_core::{Algorithm, Provider as _};
use tsm_sim::tdx::{Busy, Cpu, Fault, GuestMemory, Host, Module};
use tsm_tdx::quoting::HostStatus;
use tsm_tdx::status::StatusCode;
use tsm_tdx::{
    Call, ErrorKind, ExtendBuffer, GuestPhysical, Hardware, IdentityMapped, MacBuffer, Registers,
    ReportBuffer, ReportData, RtmrIndex, RtmrSet, Td, Tdcall as _, TdxProvider,
};
use tsm_test_support::shared;

type Emulated = Module<Box<dyn Host>>;

thread_local! {
    static MODULE: RefCell<Option<Emulated>> = const { RefCell::new(None) };
}

/// This process's memory: virtual addresses are guest-physical ones.
struct Raw;

impl GuestMemory for Raw {
    fn read(&self, address: GuestPhysical, out: &mut [u8]) -> Result<(), Fault> {
        let place = ptr::with_exposed_provenance::<u8>(address.0 as usize);
        // SAFETY: the tests execute TDCALL with addresses of buffers of this process only, which
        // are live and large enough for what the leaf reads; the thread that owns them is stopped.
        unsafe { ptr::copy_nonoverlapping(place, out.as_mut_ptr(), out.len()) };
        Ok(())
    }

    fn write(&mut self, address: GuestPhysical, bytes: &[u8]) -> Result<(), Fault> {
        let place = ptr::with_exposed_provenance_mut::<u8>(address.0 as usize);
        // SAFETY: as above, and the buffers of the leaves that write are borrowed mutably.
        unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), place, bytes.len()) };
        Ok(())
    }
}

/// The registers of a stopped thread, as the kernel numbers them.
const GENERAL: [i32; 11] = [
    libc::REG_RAX,
    libc::REG_RCX,
    libc::REG_RDX,
    libc::REG_R8,
    libc::REG_R9,
    libc::REG_R10,
    libc::REG_R11,
    libc::REG_R12,
    libc::REG_R13,
    libc::REG_R14,
    libc::REG_R15,
];

/// The same in the adapter's form.
fn fields(registers: &mut Registers) -> [&mut u64; 11] {
    let Registers { rax, rcx, rdx, r8, r9, r10, r11, r12, r13, r14, r15 } = registers;
    [rax, rcx, rdx, r8, r9, r10, r11, r12, r13, r14, r15]
}

extern "C" fn undefined_instruction(_: i32, _: *mut libc::siginfo_t, context: *mut c_void) {
    // SAFETY: with SA_SIGINFO the kernel passes a pointer to the thread's `ucontext_t`, which is
    // this handler's alone until it returns (sigaction(2)).
    let context = unsafe { &mut *context.cast::<libc::ucontext_t>() };
    let thread = &mut context.uc_mcontext.gregs;
    let code = ptr::with_exposed_provenance::<[u8; 4]>(thread[libc::REG_RIP as usize] as usize);
    // SAFETY: the processor has just fetched the instruction there, and no test's code ends within
    // three bytes of the end of a mapping.
    let is_tdcall = unsafe { code.read_unaligned() } == [0x66, 0x0F, 0x01, 0xCC];
    let mut registers = Registers::default();
    for (register, number) in fields(&mut registers).into_iter().zip(GENERAL) {
        *register = thread[number as usize] as u64;
    }
    let done = MODULE.with_borrow_mut(|module| {
        Some(module.as_mut()?.execute(&mut registers, &mut Raw).is_ok()).filter(|_| is_tdcall)
    });
    if done != Some(true) {
        // A bug: die of it.
        // SAFETY: resets the disposition of a signal; the instruction will raise it again.
        unsafe { libc::signal(libc::SIGILL, libc::SIG_DFL) };
        return;
    }
    for (register, number) in fields(&mut registers).into_iter().zip(GENERAL) {
        thread[number as usize] = *register as i64;
    }
    thread[libc::REG_RIP as usize] += 4;
}

/// Makes this thread a TD of this module.
fn emulate<H: Host + Clone + 'static>(module: Module<H>) -> Hardware<IdentityMapped> {
    static HANDLER: Once = Once::new();
    HANDLER.call_once(|| {
        // SAFETY: all zeros is a valid `sigaction`: no flags, no mask, the default handler.
        let mut action: libc::sigaction = unsafe { core::mem::zeroed() };
        action.sa_sigaction = undefined_instruction as *const () as usize;
        action.sa_flags = libc::SA_SIGINFO;
        // SAFETY: `action` is initialised, and its handler has the signature that SA_SIGINFO wants.
        let set = unsafe { libc::sigaction(libc::SIGILL, &raw const action, ptr::null_mut()) };
        assert_eq!(set, 0);
    });
    let host: Box<dyn Host> = Box::new(module.host().clone());
    MODULE.set(Some(module.with_host(host)));
    // SAFETY: the module above takes virtual addresses for guest-physical ones, so its memory is
    // mapped to itself; user addresses of Linux (below 1 << 47) have no shared bit.
    let space = unsafe { IdentityMapped::new() };
    // SAFETY: the handler above changes what a TDX module changes.
    unsafe { Hardware::assume(space) }
}

fn with_module<T>(look: impl FnOnce(&mut Emulated) -> T) -> T {
    MODULE.with_borrow_mut(|module| look(module.as_mut().unwrap()))
}

fn module() -> Module {
    Module::new(Cpu::new("SIGILL"))
}

fn unhex(value: &Value) -> Vec<u8> {
    tsm_test_support::unhex(value.as_str().unwrap())
}

/// Values of RTMRs of real machines, through TDCALL's bytes.
#[test]
fn vectors() {
    let Some(path) = shared("tdx/vectors.json") else { return };
    let vectors: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    for vector in vectors["rtmr_extend"].as_array().unwrap() {
        let mut td = Td::new(emulate(module())).unwrap();
        let start = unhex(&vector["start"]);
        with_module(|module| module.td_mut().rtmrs[3].copy_from_slice(&start));
        let digest =
            Algorithm::Sha384.hash(vector["digest_preimage_ascii"].as_str().unwrap().as_bytes());
        assert_eq!(digest.as_bytes(), unhex(&vector["digest"]));
        let buffer = ExtendBuffer::from_digest(&digest).unwrap();
        for after in ["after_1", "after_2_same_digest"] {
            td.extend(RtmrIndex::RTMR3, &buffer).unwrap();
            assert_eq!(td.read_rtmr(RtmrIndex::RTMR3).unwrap()[..], unhex(&vector[after]));
        }
    }
    let ima = &vectors["ima_pair"];
    let mut td = Td::new(emulate(module())).unwrap();
    let start = unhex(&ima["rtmr2_after_ccel_only"]);
    with_module(|module| module.td_mut().rtmrs[2].copy_from_slice(&start));
    let digest = unhex(&ima["ima_template_digest"]).try_into().unwrap();
    td.extend(RtmrIndex::RTMR2, &ExtendBuffer::new(&digest)).unwrap();
    assert_eq!(td.read_rtmr(RtmrIndex::RTMR2).unwrap()[..], unhex(&ima["rtmr2_in_quote"]));
}

/// What is written to a buffer just before the call is what the module reads, and what it writes is
/// what is read just after.
#[test]
fn memory_is_seen_on_both_sides() {
    let mut td = Td::new(emulate(module())).unwrap();
    let mut expected = tsm_core::Digest::zeros(Algorithm::Sha384);
    let mut report = ReportBuffer::new();
    for n in 0..200_u8 {
        let digest = Algorithm::Sha384.hash(&[n]);
        let mut value = [0; 48];
        for (to, from) in value.iter_mut().zip(digest.as_bytes()) {
            *to = *from;
        }
        td.extend(RtmrIndex::RTMR1, &ExtendBuffer::new(&value)).unwrap();
        expected.extend(&digest).unwrap();
        td.report(&mut report, &ReportData::new([n; 64])).unwrap();
        let read = report.report().unwrap();
        assert_eq!(read.td_info.rtmr(RtmrIndex::RTMR1)[..], *expected.as_bytes());
        assert_eq!(read.mac.report_data, [n; 64]);
    }
}

/// All leaves, through the adapter.
#[test]
fn leaves() {
    let mut td = Td::new(emulate(module().with_quote_max_size(9000))).unwrap();
    assert_eq!((td.info().address_width, td.info().vcpus), (48, 1));
    assert!(td.info().has_sys_rd);
    let mut report = ReportBuffer::new();
    td.report(&mut report, &ReportData::new([7; 64])).unwrap();
    let mac = MacBuffer::new(&report.report().unwrap().mac);
    td.verify_report(&mac).unwrap();
    let mut wrong = report.report().unwrap().mac;
    wrong.report_data[0] ^= 1;
    let error = td.verify_report(&MacBuffer::new(&wrong)).unwrap_err();
    assert_eq!(error.status().unwrap().code(), StatusCode::INVALID_REPORTMACSTRUCT);
    assert_eq!(
        td.vm_read_48(tsm_tdx::leaf::FieldId::MRTD).unwrap(),
        report.report().unwrap().td_info.mr_td
    );
    assert_eq!(td.quote_max_size().unwrap(), Some(9000));
    assert_eq!(td.sys_read(tsm_tdx::leaf::FieldId(0x0800_0001_0000_0004)).unwrap(), 1);
    let registers = td.module_mut().call(Call::quote(GuestPhysical(1 << 47), 4096)).unwrap();
    assert_eq!(HostStatus(registers.r10), HostStatus::SUBFUNC_UNSUPPORTED);
}

#[test]
fn busy_is_retried() {
    let mut td = Td::new(emulate(module())).unwrap().with_tries(5);
    let buffer = ExtendBuffer::new(&[1; 48]);
    let calls = |busy| {
        with_module(|module| module.set_busy(busy));
        with_module(|module| module.calls())
    };
    let before = calls(Busy::next(4));
    td.extend(RtmrIndex::RTMR0, &buffer).unwrap();
    assert_eq!(with_module(|module| module.calls()) - before, 5);
    let value = td.read_rtmr(RtmrIndex::RTMR0).unwrap();
    let before = calls(Busy::ALWAYS);
    let error = td.extend(RtmrIndex::RTMR0, &buffer).unwrap_err();
    assert_eq!(error.status().unwrap().0, 0x8000_0200_0000_00A8);
    assert_eq!(tsm_core::provider::Error::kind(&error), tsm_core::ErrorKind::Busy);
    assert_eq!(with_module(|module| module.calls()) - before, 5);
    assert_eq!(td.read_rtmr(RtmrIndex::RTMR0).unwrap(), value);
}

/// The contract of providers, by TDCALLs.
#[test]
fn provider_keeps_the_contract() {
    let mut report = ReportBuffer::new();
    let td = Td::new(emulate(module())).unwrap();
    tsm_sim::contract::check_contract(&mut TdxProvider::new(td, RtmrSet::ALL));
    let td = Td::new(emulate(module())).unwrap();
    let mut tdx = TdxProvider::new(td, RtmrSet::SYSTEM).with_report_buffer(&mut report);
    tsm_sim::contract::check_contract(&mut tdx);
    assert!(tdx.find("mrseam").is_some());
}

/// GetQuote: the request in memory that the host has too, the host's registers through the mask, and
/// a quote of what was extended by the instruction.
#[cfg(feature = "tdx-quote")]
#[test]
fn quotes() {
    use core::ptr::NonNull;
    use tsm_sim::tdx::quoting::{HostMemory, QuoteForm, QuotingHost};
    use tsm_tdx::quoting::IdleQuote;
    use tsm_tdx::{Quote, SharedPages};

    const SHARED: u64 = 1 << 47;

    /// The host's view: the same bytes, under addresses with the shared bit.
    #[derive(Clone)]
    struct View;

    impl GuestMemory for View {
        fn read(&self, address: GuestPhysical, out: &mut [u8]) -> Result<(), Fault> {
            Raw.read(GuestPhysical(address.0 & !SHARED), out)
        }

        fn write(&mut self, address: GuestPhysical, bytes: &[u8]) -> Result<(), Fault> {
            Raw.write(GuestPhysical(address.0 & !SHARED), bytes)
        }
    }

    impl HostMemory for View {}

    #[repr(C, align(4096))]
    struct Pages([u8; 16_384]);

    let cpu = *module().cpu();
    let host = QuotingHost::new(&cpu, QuoteForm::V5Td15, View);
    let td = Td::new(emulate(module().with_host(host))).unwrap();
    let mut report = ReportBuffer::new();
    let mut tdx = TdxProvider::new(td, RtmrSet::SYSTEM).with_report_buffer(&mut report);
    let rtmr2 = tdx.find("rtmr2").unwrap();
    tdx.extend(rtmr2, &[Algorithm::Sha384.hash(b"x")]).unwrap();
    let value = tdx.value(rtmr2, Algorithm::Sha384).unwrap();
    let mut pages = Box::new(Pages([0; 16_384]));
    let start = NonNull::new(pages.0.as_mut_ptr()).unwrap();
    let address = GuestPhysical(start.as_ptr().expose_provenance() as u64 | SHARED);
    // SAFETY: `pages` is not touched by its name any more, and lives until the end.
    let pages = unsafe { SharedPages::new(start, 16_384, address) };
    let mut quoter = tdx.quoter(IdleQuote::new(pages), || 0, 1).unwrap();
    let mut out = vec![0; 16_384];
    let size = quoter.quote(&ReportData::new([6; 64]), &mut out).unwrap();
    let quote = Quote::parse(&out[..size]).unwrap();
    assert_eq!(quote.body().report_data(), &[6; 64]);
    assert_eq!(quote.body().td().unwrap().rtmr(RtmrIndex::RTMR2)[..], *value.as_bytes());
}

/// Without a TD nothing is executed, and the error says what to do.
#[test]
fn detection_executes_nothing() {
    if tsm_tdx::is_td() {
        tsm_test_support::skipped("this is a TD");
        return;
    }
    emulate(module());
    // SAFETY: as in `emulate`.
    let space = unsafe { IdentityMapped::new() };
    let error = Hardware::detect(space).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotATd);
    assert!(error.to_string().contains("not a TD"), "{error}");
    assert_eq!(with_module(|module| module.calls()), 0);
}

/// All general registers but RSP: RAX, RBX, RCX, RDX, RSI, RDI, RBP, R8 to R15.
type All = [u64; 15];

/// TDCALL with these registers; the registers after it.
fn tdcall(before: All) -> All {
    let mut all = before;
    // SAFETY: TDCALL is emulated (the caller has called `emulate`), with operands whose addresses
    // are live buffers. RBX, RBP and RDI are kept on the stack, for which there is no `nostack`; all
    // others that change are declared. Memory is read and written.
    unsafe {
        asm!(
            "push rbx",
            "push rbp",
            "push rdi",
            "mov rax, [rdi]",
            "mov rbx, [rdi + 8]",
            "mov rcx, [rdi + 16]",
            "mov rdx, [rdi + 24]",
            "mov rsi, [rdi + 32]",
            "mov rbp, [rdi + 48]",
            "mov r8, [rdi + 56]",
            "mov r9, [rdi + 64]",
            "mov r10, [rdi + 72]",
            "mov r11, [rdi + 80]",
            "mov r12, [rdi + 88]",
            "mov r13, [rdi + 96]",
            "mov r14, [rdi + 104]",
            "mov r15, [rdi + 112]",
            "mov rdi, [rdi + 40]",
            ".byte 0x66, 0x0F, 0x01, 0xCC",
            "xchg rdi, [rsp]",
            "mov [rdi], rax",
            "mov [rdi + 8], rbx",
            "mov [rdi + 16], rcx",
            "mov [rdi + 24], rdx",
            "mov [rdi + 32], rsi",
            "mov [rdi + 48], rbp",
            "mov [rdi + 56], r8",
            "mov [rdi + 64], r9",
            "mov [rdi + 72], r10",
            "mov [rdi + 80], r11",
            "mov [rdi + 88], r12",
            "mov [rdi + 96], r13",
            "mov [rdi + 104], r14",
            "mov [rdi + 112], r15",
            "pop rax",
            "mov [rdi + 40], rax",
            "pop rbp",
            "pop rbx",
            inout("rdi") all.as_mut_ptr() => _,
            out("rax") _, out("rcx") _, out("rdx") _, out("rsi") _,
            out("r8") _, out("r9") _, out("r10") _, out("r11") _,
            out("r12") _, out("r13") _, out("r14") _, out("r15") _,
        );
    }
    all
}

/// Only the outputs of a leaf change.
#[test]
fn other_registers_stay() {
    const NAMES: [&str; 15] = [
        "rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "r8", "r9", "r10", "r11", "r12", "r13",
        "r14", "r15",
    ];
    emulate(module());
    let mut report = ReportBuffer::new();
    let report = (&raw mut report).expose_provenance() as u64;
    let data = ReportData::new([3; 64]);
    let data = (&raw const data).expose_provenance() as u64;
    for (leaf, rcx, rdx, r8, expected, changed) in [
        (1, 1, 1, 1, 0, &["rax", "rcx", "rdx", "r8", "r9", "r10", "r11"][..]),
        (2, data, 3, 1, 0, &["rax"]),
        (2, data + 8, 3, 1, 0xC000_0100_0000_0001, &["rax"]),
        (2, data, 4, 1, 0xC000_0100_0000_0002, &["rax"]),
        (4, report, data, 0, 0, &["rax"]),
        (22, report, 1, 1, 0, &["rax"]),
        (7, 0, 0x1310_0003_0000_0000, 1, 0, &["rax", "r8"]),
        (0x1_0007, 0, 0x1310_0003_0000_0000, 1, 0, &["rax", "rdx", "r8"]),
        (11, 1, 0x0800_0001_0000_0003, 1, 0, &["rax", "rdx", "r8"]),
        (99, 1, 1, 1, 0xC000_0100_0000_0000, &["rax"]),
        // The host sees R10 only, and says that it has no function for it.
        (0, 1 << 10, 1, 1, 0, &["rax", "r10"]),
    ] {
        let mut before: All = core::array::from_fn(|n| 0x0101_0101_0101_0101 * (n as u64 + 0x10));
        (before[0], before[2], before[3], before[7]) = (leaf, rcx, rdx, r8);
        let after = tdcall(before);
        assert_eq!(after[0], expected, "status of leaf {leaf:#x}");
        let names = NAMES.into_iter().zip(before.iter().zip(&after));
        for (name, (before, after)) in names.filter(|(name, _)| !changed.contains(name)) {
            assert_eq!(before, after, "{name} of leaf {leaf:#x}");
        }
    }
}

/// What a caller of the adapter keeps in registers over a call is still there: the registers that
/// functions must preserve (System V ABI), when the call is made from within a function.
#[test]
fn callee_saved_registers_stay() {
    extern "C" fn call(td: &mut Td<Hardware<IdentityMapped>>) {
        td.extend(RtmrIndex::RTMR2, &ExtendBuffer::new(&[1; 48])).unwrap();
        let quote = Call::quote(GuestPhysical(1 << 47), 4096);
        td.module_mut().call(quote).unwrap();
    }
    let mut td = Td::new(emulate(module())).unwrap();
    let expected: [u64; 6] = core::array::from_fn(|n| 0xA1B2_C3D4_0000_0000 + n as u64);
    let mut kept = expected;
    // SAFETY: `call` takes a valid exclusive reference in RDI; it is called with an aligned stack
    // (RSP is kept in the memory at RSI's copy on the stack). RBX and RBP are restored; what it may
    // clobber is declared.
    unsafe {
        asm!(
            "push rbx",
            "push rbp",
            "push rsi",
            "mov rbp, rsp",
            "and rsp, -16",
            "push rbp",
            "push rsi",
            "mov rbx, [rsi]",
            "mov rbp, [rsi + 8]",
            "mov r12, [rsi + 16]",
            "mov r13, [rsi + 24]",
            "mov r14, [rsi + 32]",
            "mov r15, [rsi + 40]",
            "call rax",
            "pop rsi",
            "mov [rsi], rbx",
            "mov [rsi + 8], rbp",
            "mov [rsi + 16], r12",
            "mov [rsi + 24], r13",
            "mov [rsi + 32], r14",
            "mov [rsi + 40], r15",
            "pop rsp",
            "pop rsi",
            "pop rbp",
            "pop rbx",
            in("rax") call as extern "C" fn(_),
            in("rdi") &raw mut td,
            in("rsi") kept.as_mut_ptr(),
            out("r12") _, out("r13") _, out("r14") _, out("r15") _,
            clobber_abi("C"),
        );
    }
    assert_eq!(kept, expected);
    assert_ne!(td.read_rtmr(RtmrIndex::RTMR2).unwrap(), [0; 48]);
}
