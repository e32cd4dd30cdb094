// SPDX-License-Identifier: MIT OR Apache-2.0
//! The simulated TDX module: any registers, and memory that is not always there.

use tsm_core::Algorithm;
use tsm_sim::tdx::{Busy, Cpu, Fault, GuestMemory, Module};
use tsm_tdx::status::StatusCode;
use tsm_tdx::{GuestPhysical, Registers, TdReport};

use crate::input::Input;

/// Two private pages at 0x1000 and one shared one at 0x3000.
#[derive(Clone, PartialEq)]
struct Memory([u8; 3 * 4096]);

const SHARED: u64 = 1 << 47;

impl Memory {
    fn place(address: GuestPhysical, size: usize) -> Result<usize, Fault> {
        let page = match address.0 & !0xFFF {
            0x1000 => 0,
            0x2000 => 1,
            page if page == SHARED | 0x3000 => 2,
            _ => return Err(Fault { address }),
        };
        let offset = (address.0 & 0xFFF) as usize;
        assert!(offset + size <= 4096, "an operand crosses a page");
        Ok(page * 4096 + offset)
    }
}

impl GuestMemory for Memory {
    fn read(&self, address: GuestPhysical, out: &mut [u8]) -> Result<(), Fault> {
        let place = Self::place(address, out.len())?;
        out.copy_from_slice(&self.0[place..place + out.len()]);
        Ok(())
    }

    fn write(&mut self, address: GuestPhysical, bytes: &[u8]) -> Result<(), Fault> {
        let place = Self::place(address, bytes.len())?;
        self.0[place..place + bytes.len()].copy_from_slice(bytes);
        Ok(())
    }
}

/// Input: calls; see [`call`].
pub fn tdx_module(data: &[u8]) {
    let mut input = Input::new(data);
    let mut module = Module::new(Cpu::new("fuzz"));
    module.set_busy(Busy::every(input.byte().into()));
    let mut memory = Memory([0; 3 * 4096]);
    for _ in 0..64 {
        if input.is_empty() {
            break;
        }
        call(&mut input, &mut module, &mut memory);
    }
    assert_eq!(Module::load(&module.save()).unwrap().td(), module.td());
}

/// A register's value: an address, an index, a field's id, or anything.
fn value(input: &mut Input<'_>) -> u64 {
    let small = input.short() as u64;
    match input.below(6) {
        0 => 0x1000 + small % 0x2000,
        1 => 0x1000 + small % 8 * 1024,
        2 => SHARED | 0x3000 | small % 4 * 1024,
        3 => small % 5,
        4 => input.of(&[0x1310_0003_0000_0040, 0x1110_0003_0000_0000, u64::MAX]) ^ small,
        _ => u64::from_le_bytes(core::array::from_fn(|_| input.byte())),
    }
}

/// One TDCALL, and what it may have changed.
fn call(input: &mut Input<'_>, module: &mut Module, memory: &mut Memory) {
    let rax = input.of(&[0, 1, 2, 2, 2, 4, 4, 7, 0x1_0007, 11, 22, 99, 0x1_0002, 1 << 40]);
    let (rcx, rdx) = (value(input), value(input));
    let r8 = u64::from(input.byte() == 1);
    if let Some(target) = memory.0.get_mut(input.short()..) {
        let fresh = input.bytes(8);
        target.iter_mut().zip(fresh).for_each(|(to, from)| *to = *from);
    }
    let before = Registers { rax, rcx, rdx, r8, r9: 9, r10: 10, r11: 11, ..Registers::default() };
    let (td, bytes) = (*module.td(), memory.clone());
    let mut after = before;
    let done = module.execute(&mut after, memory);
    let succeeded = done.is_ok() && after.status().is_success();
    if done.is_err() {
        assert!(after == before, "a fault changed registers");
    }
    if !succeeded || rax != 2 {
        assert_eq!(*module.td(), td, "the TD changed");
    }
    if !succeeded || rax != 4 {
        assert!(*memory == bytes, "memory changed");
    }
    if succeeded {
        match rax {
            2 => {
                let place = Memory::place(GuestPhysical(rcx), 48).unwrap();
                let old = &td.rtmrs[rdx as usize];
                let hash = Algorithm::Sha384.hash(&[old, &bytes.0[place..place + 48]].concat());
                let mut expected = td;
                expected.rtmrs[rdx as usize].copy_from_slice(hash.as_bytes());
                assert_eq!(*module.td(), expected);
                assert_eq!(rcx & (SHARED | 63), 0);
            }
            4 => {
                let place = Memory::place(GuestPhysical(rcx), 1024).unwrap();
                let report = TdReport::parse(&memory.0[place..place + 1024]).unwrap();
                assert_eq!(report.td_info, td);
            }
            22 => {
                let place = Memory::place(GuestPhysical(rcx), 256).unwrap();
                assert_eq!(memory.0[place], 0x81, "verified what is no report");
            }
            _ => assert_ne!(rax, 99),
        }
    }
    let code = after.status().code();
    assert!(done.is_err() || succeeded || StatusCode::KNOWN.contains(&code), "{code}");
}
