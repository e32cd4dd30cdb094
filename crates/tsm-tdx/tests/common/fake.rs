// SPDX-License-Identifier: MIT OR Apache-2.0
//! A TDX module of a few lines, and a host for it. It knows what the tests need, answers with
//! statuses that it is told to, and remembers the registers of every call.

use core::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use tsm_core::{Algorithm, Digest};
use tsm_tdx::call::Memory;
use tsm_tdx::layout::{Attributes, TEE_TDX, TdReportStruct, Valid, Xfam};
use tsm_tdx::leaf::{FieldId, Leaf};
use tsm_tdx::quoting::SharedMemory;
use tsm_tdx::status::{OperandId, Status, StatusCode};
use tsm_tdx::{Call, Error, GuestPhysical, Registers, Tdcall};

/// The module.
pub struct Fake {
    /// The report as it would be made now, but for REPORTDATA and hashes.
    pub report: TdReportStruct,
    /// Statuses for the next calls, whatever they are, in order; `None` lets one through.
    pub statuses: VecDeque<Option<Status>>,
    /// The registers of all calls but for addresses.
    pub calls: Vec<Registers>,
    /// R10 to answer to the next GetQuotes.
    pub host: VecDeque<u64>,
    /// Whether RTMRs change while they are read word by word: so many more times.
    pub restless: u32,
}

impl Fake {
    pub fn new() -> Self {
        let mut report = TdReportStruct::ZERO;
        report.mac.report_type.kind = TEE_TDX;
        report.tcb_info.valid = Valid::from_bits(0x3_01FF);
        report.tcb_info.mr_seam = [0x5E; 48];
        report.td_info.attributes = Attributes::SEPT_VE_DISABLE;
        report.td_info.xfam = Xfam::from_bits(0x602E7);
        report.td_info.mr_td = core::array::from_fn(|n| n as u8);
        report.td_info.mr_config_id = [0xC0; 48];
        report.td_info.mr_owner = [0xC1; 48];
        report.td_info.mr_owner_config = [0xC2; 48];
        report.td_info.servtd_hash = [0xC3; 48];
        Self {
            report,
            statuses: VecDeque::new(),
            calls: Vec::new(),
            host: VecDeque::new(),
            restless: 0,
        }
    }

    pub fn rtmr(&self, index: usize) -> [u8; 48] {
        self.report.td_info.rtmrs[index]
    }

    fn extend(&mut self, index: usize, digest: &[u8]) {
        let register = &mut self.report.td_info.rtmrs[index];
        let value = Algorithm::Sha384.hash(&[&register[..], digest].concat());
        register.copy_from_slice(value.as_bytes());
    }

    fn field(&mut self, id: u64) -> Option<u64> {
        let info = &self.report.td_info;
        let of = |bytes: &[u8], base: FieldId| {
            let start = usize::try_from(id.checked_sub(base.0)?).ok()?.checked_mul(8)?;
            let word = bytes.get(start..start.checked_add(8)?)?;
            Some(u64::from_le_bytes(word.try_into().unwrap()))
        };
        let value = of(info.attributes.as_bytes(), FieldId::ATTRIBUTES)
            .or_else(|| of(info.xfam.as_bytes(), FieldId::XFAM))
            .or_else(|| of(&info.mr_td, FieldId::MRTD))
            .or_else(|| of(&info.mr_config_id, FieldId::MRCONFIGID))
            .or_else(|| of(&info.mr_owner, FieldId::MROWNER))
            .or_else(|| of(&info.mr_owner_config, FieldId::MROWNERCONFIG))
            .or_else(|| of(info.rtmrs.as_flattened(), FieldId::RTMR))
            .or_else(|| of(&info.servtd_hash, FieldId::SERVTD_HASH));
        if id == FieldId::RTMR.0 + 3 && self.restless > 0 {
            self.restless -= 1;
            self.extend(0, &[1; 48]);
        }
        value
    }
}

impl Tdcall for Fake {
    fn call(&mut self, mut call: Call<'_>) -> Result<Registers, Error> {
        let before = *call.registers();
        self.calls.push(before);
        let mut after = before;
        if let Some(Some(status)) = self.statuses.pop_front() {
            after.rax = status.0;
            return Ok(after);
        }
        after.rax = 0;
        match before.leaf() {
            Leaf::VP_INFO => {
                after.rcx = 48;
                after.rdx = self.report.td_info.attributes.bits();
                after.r8 = 8 << 32 | 4;
                after.r9 = 3;
                after.r10 = 1;
                after.r11 = 0;
            }
            Leaf::MR_RTMR_EXTEND => {
                let digest = call.operands().next().unwrap().memory().as_bytes().to_vec();
                self.extend(before.rdx as usize, &digest);
            }
            Leaf::MR_REPORT => {
                for operand in call.operands() {
                    if let Memory::Read(data) = operand.memory() {
                        self.report.mac.report_data.copy_from_slice(data);
                    }
                }
                self.report.hash();
                let (_, out) = call.written().unwrap();
                out.copy_from_slice(self.report.as_bytes());
            }
            Leaf::VM_RD => match self.field(before.rdx) {
                Some(value) => after.r8 = value,
                None => {
                    let code = StatusCode::METADATA_FIELD_ID_INCORRECT;
                    after.rax = Status::new(code, OperandId::RAX).0;
                }
            },
            Leaf::SYS_RD => after.r8 = before.rdx ^ 0xFF,
            Leaf::VP_VMCALL => after.r10 = self.host.pop_front().unwrap_or(0),
            Leaf::MR_VERIFYREPORT => {
                let mac = call.operands().next().unwrap().memory().as_bytes();
                if mac[..] != self.report.as_bytes()[..256] {
                    let code = StatusCode::INVALID_REPORTMACSTRUCT;
                    after.rax = Status::new(code, OperandId::RAX).0;
                }
            }
            other => panic!("{other}"),
        }
        Ok(after)
    }
}

/// Memory that the test, as the host, sees too.
#[derive(Clone, Debug)]
pub struct Pages(pub Rc<RefCell<Vec<u8>>>, pub GuestPhysical);

impl Pages {
    pub fn new(size: usize) -> Self {
        Self(Rc::new(RefCell::new(vec![0xEE; size])), GuestPhysical(0x8000_0010_0000))
    }

    /// What the host writes: status, length, data.
    pub fn answer(&self, status: u64, length: u32, data: &[u8]) {
        let mut bytes = self.0.borrow_mut();
        bytes[8..16].copy_from_slice(&status.to_le_bytes());
        bytes[20..24].copy_from_slice(&length.to_le_bytes());
        bytes[24..24 + data.len()].copy_from_slice(data);
    }
}

impl SharedMemory for Pages {
    fn address(&self) -> GuestPhysical {
        self.1
    }

    fn size(&self) -> usize {
        self.0.borrow().len()
    }

    fn copy_in(&mut self, offset: usize, bytes: &[u8]) {
        self.0.borrow_mut()[offset..offset + bytes.len()].copy_from_slice(bytes);
    }

    fn copy_out(&self, offset: usize, out: &mut [u8]) {
        out.copy_from_slice(&self.0.borrow()[offset..offset + out.len()]);
    }
}

/// The value of an RTMR that was extended from zero with these digests.
pub fn folded(digests: &[Digest]) -> Digest {
    let mut value = Digest::zeros(Algorithm::Sha384);
    for digest in digests {
        value.extend(digest).unwrap();
    }
    value
}
