// SPDX-License-Identifier: MIT OR Apache-2.0
//! The module at the level of registers, with memory that is not always there. Statuses are those of
//! the module's sources, as numbers.

use std::collections::BTreeMap;

use tsm_tdx::SharedBit;
use tsm_tdx::layout::TdReport;

use super::*;
use crate::tdx::{AddressWidth, Busy, Cpu};

/// Pages of 4096 bytes by address, the shared bit included.
#[derive(Default)]
struct Pages(BTreeMap<u64, [u8; 4096]>);

impl Pages {
    const PRIVATE: u64 = 0x1000;
    const OUTPUT: u64 = 0x3000;
    const SHARED: u64 = 1 << 47 | 0x5000;

    fn new() -> Self {
        Self([Self::PRIVATE, Self::OUTPUT, Self::SHARED].map(|page| (page, [0; 4096])).into())
    }

    fn place(address: GuestPhysical, size: usize) -> Option<(u64, core::ops::Range<usize>)> {
        let offset = (address.0 & 0xFFF) as usize;
        (offset + size <= 4096).then_some((address.0 & !0xFFF, offset..offset + size))
    }
}

impl GuestMemory for Pages {
    fn read(&self, address: GuestPhysical, out: &mut [u8]) -> Result<(), Fault> {
        let (page, range) = Self::place(address, out.len()).unwrap();
        out.copy_from_slice(&self.0.get(&page).ok_or(Fault { address })?[range]);
        Ok(())
    }

    fn write(&mut self, address: GuestPhysical, bytes: &[u8]) -> Result<(), Fault> {
        let (page, range) = Self::place(address, bytes.len()).unwrap();
        self.0.get_mut(&page).ok_or(Fault { address })?[range].copy_from_slice(bytes);
        Ok(())
    }
}

const SUCCESS: u64 = 0;
const INVALID_RAX: u64 = 0xC000_0100_0000_0000;
const INVALID_RCX: u64 = 0xC000_0100_0000_0001;
const INVALID_RDX: u64 = 0xC000_0100_0000_0002;
const INVALID_R8: u64 = 0xC000_0100_0000_0008;
const BUSY_RTMR: u64 = 0x8000_0200_0000_00A8;

fn module() -> Module {
    Module::new(Cpu::new("test"))
}

/// Registers that can be told apart, but for those given.
fn registers(rax: u64, rcx: u64, rdx: u64, r8: u64) -> Registers {
    let mut registers = Registers { rax, rcx, rdx, r8, ..Registers::default() };
    (registers.r9, registers.r10, registers.r11) = (0x99, 0x10, 0x11);
    (registers.r12, registers.r13) = (0x12, 0x13);
    (registers.r14, registers.r15) = (0x14, 0x15);
    registers
}

/// RAX after a call; every other register is as before.
fn status(module: &mut Module<impl Host>, memory: &mut Pages, before: Registers) -> u64 {
    let mut after = before;
    module.execute(&mut after, memory).unwrap();
    assert_eq!(Registers { rax: before.rax, ..after }, before);
    after.rax
}

#[test]
fn leaves_and_versions() {
    let (mut module, mut memory) = (module(), Pages::new());
    for rax in [
        99,
        3,
        0xFFFF,
        // Reserved bits of RAX.
        1 << 24 | 1,
        1 << 32 | 1,
        1 << 63 | 1,
        // Versions: only VM.RD has another one.
        0x1_0001,
        0x1_0002,
        0x1_0004,
        0x1_000B,
        0x1_0016,
        0x1_0000,
    ] {
        assert_eq!(
            status(&mut module, &mut memory, registers(rax, 0, 0, 0)),
            INVALID_RAX,
            "{rax:#x}"
        );
    }
    assert_eq!(module.calls(), 12);
}

#[test]
fn extend_checks_in_order() {
    let (mut module, mut memory) = (module(), Pages::new());
    memory.write(GuestPhysical(0x1040), &[0xAB; 48]).unwrap();
    let mut extend = |rcx, rdx| {
        let before = module.td.rtmrs;
        let status = status(&mut module, &mut memory, registers(2, rcx, rdx, 0));
        assert_eq!(module.td.rtmrs == before, status != 0);
        status
    };
    // An unaligned address and a wrong index: the address is looked at first.
    for offset in [1, 8, 16, 32, 63] {
        assert_eq!(extend(0x1040 + offset, 9), INVALID_RCX);
    }
    // Shared, beyond the width: the same operand, before the index and before the page.
    assert_eq!(extend(Pages::SHARED, 9), INVALID_RCX);
    assert_eq!(extend(1 << 48 | 0x1040, 0), INVALID_RCX);
    assert_eq!(extend(u64::MAX << 12, 0), INVALID_RCX);
    for index in [4, 5, 255, 1 << 32, u64::MAX] {
        assert_eq!(extend(0x1040, index), INVALID_RDX);
    }
    assert_eq!(extend(0x1040, 2), SUCCESS);
    let expected = Sha384::new_with_prefix([0; 48]).chain_update([0xAB; 48]).finalize();
    assert_eq!(module.td.rtmrs[2][..], expected[..]);
    assert_eq!(module.td.rtmrs[3], [0; 48]);
}

/// With 52 bits the shared bit is another, and bit 47 is part of an address.
#[test]
fn widths() {
    let mut module = module().with_address_width(AddressWidth::Bits52);
    let mut memory = Pages::new();
    let mut extend = |rcx| status(&mut module, &mut memory, registers(2, rcx, 0, 0));
    assert_eq!(extend(Pages::SHARED), SUCCESS);
    assert_eq!(extend(1 << 51 | 0x1000), INVALID_RCX);
    assert_eq!(extend(1 << 52 | 0x1000), INVALID_RCX);
    assert_eq!(module.shared_bit(), SharedBit::of_width(52));
}

/// A page that is not there is no status: nothing changes, and the instruction can be repeated.
#[test]
fn pages_that_are_not_there() {
    let (mut module, mut memory) = (module(), Pages::new());
    let before = module.td;
    for (leaf, rcx, rdx, missing) in [
        (2, 0x7000, 0, 0x7000),
        // Before the index is looked at.
        (2, 0x7000, 9, 0x7000),
        (4, 0x3000, 0x7000, 0x7000),
        (4, 0x8000, 0x1000, 0x8000),
        (22, 0x7000, 0, 0x7000),
    ] {
        let mut after = registers(leaf, rcx, rdx, 0);
        let fault = module.execute(&mut after, &mut memory).unwrap_err();
        assert_eq!(fault, Fault { address: GuestPhysical(missing) });
        assert_eq!((after, module.td), (registers(leaf, rcx, rdx, 0), before));
    }
    // The output's page is the last thing: a wrong subtype comes first.
    assert_eq!(status(&mut module, &mut memory, registers(4, 0x8000, 0x1000, 1)), INVALID_R8);
    memory.0.insert(0x7000, [1; 4096]);
    assert_eq!(status(&mut module, &mut memory, registers(2, 0x7000, 0, 0)), SUCCESS);
}

#[test]
fn report_checks_in_order() {
    let (mut module, mut memory) = (module(), Pages::new());
    let mut report = |rcx, rdx, r8| status(&mut module, &mut memory, registers(4, rcx, rdx, r8));
    let beyond = 1 << 50;
    assert_eq!(report(0x3200, 0x1001, 1), INVALID_RCX);
    assert_eq!(report(0x3000, 0x1020, 1), INVALID_RDX);
    assert_eq!(report(0x3000 | beyond, 0x1000 | beyond, 1), INVALID_RDX);
    // All 64 bits of R8 count, and it comes before the translation of RCX.
    for r8 in [1, 1 << 8, 1 << 63] {
        assert_eq!(report(0x3000 | beyond, 0x1000, r8), INVALID_R8);
    }
    assert_eq!(report(0x3000 | beyond, 0x1000, 0), INVALID_RCX);
    assert_eq!(report(0x3C00, 0x1FC0, 0), SUCCESS);
    // Both operands may be shared.
    assert_eq!(report(Pages::SHARED, Pages::SHARED | 0x800, 0), SUCCESS);
    assert_ne!(memory.0[&Pages::SHARED][..32], [0; 32]);
}

#[test]
fn reports_say_what_the_td_is() {
    let (mut module, mut memory) = (module(), Pages::new());
    memory.write(GuestPhysical(0x1000), &[5; 64]).unwrap();
    assert_eq!(status(&mut module, &mut memory, registers(2, 0x1000, 1, 0)), SUCCESS);
    assert_eq!(status(&mut module, &mut memory, registers(4, 0x3400, 0x1000, 0)), SUCCESS);
    let mut bytes = [0; 1024];
    memory.read(GuestPhysical(0x3400), &mut bytes).unwrap();
    let report = TdReport::parse(&bytes).unwrap();
    assert_eq!(report.td_info, *module.td());
    assert_eq!(report.mac.report_data, [5; 64]);
    // Absolute offsets, and the signs of a simulated module.
    assert_eq!(bytes[768..816], module.td.rtmrs[1]);
    let made_up = |name: &str| Sha384::digest(format!("SIMULATED value of sim:tdx/{name}"));
    assert_eq!(bytes[528..576], made_up("mrtd")[..]);
    assert_eq!(bytes[280..328], made_up("mrseam")[..]);
    assert_eq!(bytes[328..376], made_up("mrsignerseam")[..]);
    assert_eq!(report.mac.report_type.version, 0);
    module.td_mut().servtd_hash = [1; 48];
    assert_eq!(module.report(&[0; 64]).mac.report_type.version, 1);
}

#[cfg(feature = "platforms")]
#[test]
fn the_same_td_as_in_the_table() {
    use tsm_core::{Algorithm, Provider as _};
    let mut table = crate::Simulated::by_name("tdx").unwrap();
    let mrtd = table.find("mrtd").unwrap();
    let value = table.value(mrtd, Algorithm::Sha384).unwrap();
    assert_eq!(value.as_bytes(), module().td().mr_td);
}

#[test]
fn verifies_its_own_reports() {
    let (mut here, mut memory) = (module(), Pages::new());
    assert_eq!(status(&mut here, &mut memory, registers(4, 0x3000, 0x1000, 0)), SUCCESS);
    let mut verify =
        |module: &mut Module, rcx| status(module, &mut memory, registers(22, rcx, 0, 0));
    assert_eq!(verify(&mut here, 0x3000), SUCCESS);
    assert_eq!(verify(&mut here, 0x3080), INVALID_RCX);
    assert_eq!(verify(&mut here, Pages::SHARED), INVALID_RCX);
    // Zeros: not a report.
    assert_eq!(verify(&mut here, 0x3800), 0xC000_1001_0000_0000);
    let mut elsewhere = Module::new(Cpu::new("elsewhere"));
    assert_eq!(verify(&mut elsewhere, 0x3000), 0xC000_1001_0000_0000);
    let mut updated = Module::new(Cpu::new("test").with_svn([4; 16]));
    assert_eq!(verify(&mut updated, 0x3000), 0xC000_1000_0000_0000);
    // One bit of REPORTDATA.
    memory.0.get_mut(&0x3000).unwrap()[130] ^= 1;
    assert_eq!(status(&mut here, &mut memory, registers(22, 0x3000, 0, 0)), 0xC000_1001_0000_0000);
    assert_eq!(ReportMacStruct::SIZE, 256);
}

#[test]
fn busy_has_no_effect() {
    let (mut module, mut memory) = (module(), Pages::new());
    let before = module.td;
    module.set_busy(Busy::next(2));
    let extend = registers(2, 0x1000, 0, 0);
    // Refused operands do not come to the lock.
    assert_eq!(status(&mut module, &mut memory, registers(2, 0x1001, 0, 0)), INVALID_RCX);
    assert_eq!(status(&mut module, &mut memory, extend), BUSY_RTMR);
    assert_eq!(status(&mut module, &mut memory, registers(4, 0x3000, 0x1000, 0)), BUSY_RTMR);
    assert_eq!((module.td, memory.0[&0x3000]), (before, [0; 4096]));
    assert_eq!(status(&mut module, &mut memory, extend), SUCCESS);
    assert_ne!(module.td, before);
}

#[test]
fn vp_info() {
    let (mut module, mut memory) = (module(), Pages::new());
    let mut after = registers(1, 7, 7, 7);
    module.execute(&mut after, &mut memory).unwrap();
    let mut expected = registers(0, 48, 1 << 28, 0x1_0000_0001);
    (expected.r9, expected.r10, expected.r11) = (0, 1, 0);
    assert_eq!(after, expected);
}

/// The registers after a read: RAX, RDX, R8.
fn read(module: &mut Module, rax: u64, rcx: u64, rdx: u64) -> (u64, u64, u64) {
    let before = registers(rax, rcx, rdx, 0x88);
    let mut after = before;
    module.execute(&mut after, &mut Pages::default()).unwrap();
    let changed = Registers { rax: after.rax, rdx: after.rdx, r8: after.r8, ..before };
    assert_eq!(after, changed);
    (after.rax, after.rdx, after.r8)
}

#[test]
fn fields_of_the_td() {
    const NONE: u64 = u64::MAX;
    const ATTRIBUTES: u64 = 0x1110_0003_0000_0000;
    const XFAM: u64 = ATTRIBUTES + 1;
    const RTMR: u64 = 0x1310_0003_0000_0040;
    const SERVTD_HASH: u64 = 0x9910_0003_0000_0000;
    const SERVTD_NUM: u64 = 0x9910_0001_0000_0006;
    const QUOTE_MAX_SIZE: u64 = 0x9010_0002_0000_0008;
    const INCORRECT: u64 = 0xC000_0C00_0000_0000;
    let mut module = module();
    module.td.rtmrs[3] = core::array::from_fn(|n| n as u8);
    // Version 0 leaves RDX alone.
    assert_eq!(read(&mut module, 7, 0, ATTRIBUTES), (0, ATTRIBUTES, 1 << 28));
    assert_eq!(read(&mut module, 7, 0, RTMR + 18), (0, RTMR + 18, 0x0706_0504_0302_0100));
    assert_eq!(read(&mut module, 7, 0, RTMR + 23), (0, RTMR + 23, 0x2F2E_2D2C_2B2A_2928));
    assert_eq!(read(&mut module, 7, 0, RTMR + 24), (INCORRECT, RTMR + 24, 0));
    assert_eq!(read(&mut module, 7, 0, NONE), (INCORRECT, NONE, 0));
    assert_eq!(read(&mut module, 7, 1, ATTRIBUTES), (INVALID_RCX, ATTRIBUTES, 0));
    // Version 1 tells the next one.
    assert_eq!(read(&mut module, 0x1_0007, 0, ATTRIBUTES), (0, XFAM, 1 << 28));
    assert_eq!(read(&mut module, 0x1_0007, 0, RTMR + 1), (0, SERVTD_HASH, 0));
    assert_eq!(read(&mut module, 0x1_0007, 0, SERVTD_NUM), (0, NONE, 0));
    assert_eq!(read(&mut module, 0x1_0007, 0, NONE), (0x0000_0C0B_0000_0000, ATTRIBUTES, 0));
    assert_eq!(read(&mut module, 0x1_0007, 1, RTMR), (INVALID_RCX, NONE, 0));
    assert_eq!(read(&mut module, 0x2_0007, 0, RTMR), (INVALID_RAX, NONE, 0));
    // The context is the leaf's; more than one element is not for it.
    assert_eq!(read(&mut module, 7, 0, XFAM & !(7 << 52)).2, 7);
    assert_eq!(read(&mut module, 7, 0, RTMR | 5 << 34).0, INCORRECT);
    // A field that only newer modules have.
    assert_eq!(read(&mut module, 7, 0, QUOTE_MAX_SIZE).0, INCORRECT);
    let mut newer = module.with_quote_max_size(0x1_0000);
    assert_eq!(read(&mut newer, 7, 0, QUOTE_MAX_SIZE), (0, QUOTE_MAX_SIZE, 0x1_0000));
    assert_eq!(read(&mut newer, 0x1_0007, 0, NONE).1, QUOTE_MAX_SIZE);
}

/// From the first field through all of them.
#[test]
fn fields_of_the_module() {
    let mut module = module();
    let (status, mut next, _) = read(&mut module, 11, 0, u64::MAX);
    assert_eq!(status, 0x0000_0C0B_0000_0000);
    let mut seen = Vec::new();
    while next != u64::MAX {
        let (status, after, value) = read(&mut module, 11, 0, next);
        assert_eq!(status, 0);
        seen.push((next, value));
        next = after;
    }
    assert_eq!(seen.len(), 5);
    // Version 1.5.
    assert_eq!(seen[..2], [(0x0800_0001_0000_0003, 5), (0x0800_0001_0000_0004, 1)]);
    assert_eq!(read(&mut module, 11, 0, 12345), (0xC000_0C00_0000_0000, u64::MAX, 0));
}

/// Sets every register it can, and keeps what it was shown.
struct Nosy(Registers);

impl Host for Nosy {
    fn vmcall(&mut self, registers: &mut Registers) {
        self.0 = *registers;
        let all = Registers { rax: 1, rcx: 1, ..self.0 };
        *registers = all;
        for register in [
            &mut registers.rdx,
            &mut registers.r8,
            &mut registers.r9,
            &mut registers.r10,
            &mut registers.r11,
            &mut registers.r12,
            &mut registers.r13,
            &mut registers.r14,
            &mut registers.r15,
        ] {
            *register = 0xBAD;
        }
    }
}

#[test]
fn the_host_gets_what_it_is_shown() {
    let mut module = module().with_host(Nosy(Registers::default()));
    let mut memory = Pages::default();
    let before = registers(0, 0xFC00, 2, 8);
    let mut after = before;
    module.execute(&mut after, &mut memory).unwrap();
    let mut shown = before;
    (shown.rax, shown.rcx, shown.rdx, shown.r8, shown.r9) = (0, 0, 0, 0, 0);
    assert_eq!(module.host().0, shown);
    let mut expected = Registers { rax: 0, rcx: 0xFC00, rdx: 2, r8: 8, r9: 0x99, ..before };
    (expected.r10, expected.r11, expected.r12) = (0xBAD, 0xBAD, 0xBAD);
    (expected.r13, expected.r14, expected.r15) = (0xBAD, 0xBAD, 0xBAD);
    assert_eq!(after, expected);
    // RAX, RCX and RSP cannot be shown.
    for mask in [0xFC01, 0xFC02, 0xFC10, 1 << 32 | 0xFC00] {
        let before = registers(0, mask, 0, 0);
        assert_eq!(status(&mut module, &mut memory, before), INVALID_RCX, "{mask:#x}");
    }
}
