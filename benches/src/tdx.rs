// SPDX-License-Identifier: MIT OR Apache-2.0
//! Extensions of an RTMR: by the adapter on the simulated module, and by that module alone.

use core::hint::black_box;

use tsm_core::{Algorithm, Digest, Provider as _, RegisterId};
use tsm_sim::tdx::{Cpu, Fault, GuestMemory, Module};
use tsm_tdx::{GuestPhysical, Registers, RtmrIndex, RtmrSet, Td, TdxProvider, leaf::Leaf};

/// The registers of a TD on the simulated module.
pub struct Adapter {
    tdx: TdxProvider<'static, Module>,
    rtmr3: RegisterId,
    digest: Digest,
}

impl Default for Adapter {
    fn default() -> Self {
        let td = Td::new(Module::new(Cpu::new("bench"))).expect("a module that answers");
        let digest = black_box(Algorithm::Sha384.hash(b"event"));
        let rtmr3 = TdxProvider::<Module>::rtmr(RtmrIndex::RTMR3);
        Self { tdx: TdxProvider::new(td, RtmrSet::APPLICATION), rtmr3, digest }
    }
}

impl Adapter {
    /// Extends rtmr3 so often.
    pub fn extend(&mut self, times: usize) {
        for _ in 0..times {
            self.tdx.extend(self.rtmr3, &[self.digest]).expect("nothing is busy");
        }
    }
}

/// The same module without the adapter: registers and memory as the instruction has them.
pub struct Alone {
    module: Module,
    page: Page,
}

/// 48 bytes at address 0x1000.
struct Page([u8; 48]);

impl GuestMemory for Page {
    fn read(&self, address: GuestPhysical, out: &mut [u8]) -> Result<(), Fault> {
        let bytes = self.0.get(..out.len()).filter(|_| address.0 == 0x1000);
        out.copy_from_slice(bytes.ok_or(Fault { address })?);
        Ok(())
    }

    fn write(&mut self, address: GuestPhysical, _: &[u8]) -> Result<(), Fault> {
        Err(Fault { address })
    }
}

impl Default for Alone {
    fn default() -> Self {
        let mut page = Page([0; 48]);
        page.0.copy_from_slice(black_box(Algorithm::Sha384.hash(b"event")).as_bytes());
        Self { module: Module::new(Cpu::new("bench")), page }
    }
}

impl Alone {
    /// Extends RTMR3 so often.
    pub fn extend(&mut self, times: usize) {
        let (rax, rcx, rdx) = (Leaf::MR_RTMR_EXTEND.0, 0x1000, 3);
        for _ in 0..times {
            let mut registers = Registers { rax, rcx, rdx, ..Registers::default() };
            self.module.execute(&mut registers, &mut self.page).expect("its page");
            assert_eq!(registers.rax, 0);
        }
    }
}
