// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the module does on TDCALL: one function for each leaf, on registers and guest memory.

use sha2::{Digest as _, Sha384};
use tsm_tdx::GuestPhysical;
use tsm_tdx::call::Registers;
use tsm_tdx::layout::ReportMacStruct;
use tsm_tdx::leaf::{FieldId, Leaf};
use tsm_tdx::status::{OperandId, Status, StatusCode};

use super::field::{self, Field, Value};
use super::{Fault, GuestMemory, Host, Module};

/// Why a leaf ends early.
enum Stop {
    Status(Status),
    Fault(Fault),
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

const fn invalid(operand: OperandId) -> Stop {
    Stop::Status(Status::new(StatusCode::OPERAND_INVALID, operand))
}

/// A status without an operand.
const fn bare(code: StatusCode) -> Status {
    Status::new(code, OperandId::RAX)
}

type Leave = Result<Status, Stop>;

impl<H: Host> Module<H> {
    /// Does what TDCALL does with these registers and this memory.
    ///
    /// # Errors
    ///
    /// [`Fault`] if an operand is in memory that is not there; nothing has changed then. What the
    /// module has to say itself is the status in RAX.
    pub fn execute(
        &mut self,
        registers: &mut Registers,
        memory: &mut impl GuestMemory,
    ) -> Result<(), Fault> {
        self.calls = self.calls.saturating_add(1);
        let mut after = *registers;
        let status = match self.leaf(&mut after, memory) {
            Ok(status) | Err(Stop::Status(status)) => status,
            Err(Stop::Fault(fault)) => return Err(fault),
        };
        after.rax = status.0;
        *registers = after;
        Ok(())
    }

    fn leaf(&mut self, registers: &mut Registers, memory: &mut impl GuestMemory) -> Leave {
        let leaf = registers.leaf();
        let number = Leaf(leaf.number());
        // Only one leaf has more than one version; it says itself which.
        if leaf.0 >> 24 != 0 || (leaf.version() != 0 && number != Leaf::VM_RD) {
            return Err(invalid(OperandId::RAX));
        }
        match number {
            Leaf::VP_VMCALL => self.vmcall(registers),
            Leaf::VP_INFO => Ok(self.vp_info(registers)),
            Leaf::MR_RTMR_EXTEND => self.extend(registers, memory),
            Leaf::MR_REPORT => self.make_report(registers, memory),
            Leaf::VM_RD => self.vm_read(leaf.version(), registers),
            Leaf::SYS_RD => self.sys_read(registers),
            Leaf::MR_VERIFYREPORT => self.verify_report(registers, memory),
            _ => Err(invalid(OperandId::RAX)),
        }
    }

    /// Bits 0, 1 and 4 of the mask are RAX, RCX and RSP. The TD may show RBP (NO_RBP_MOD is clear).
    fn vmcall(&mut self, registers: &mut Registers) -> Leave {
        const NEVER: u64 = 1 | 1 << 1 | 1 << 4 | u64::MAX << 32;
        let mask = registers.rcx;
        if mask & NEVER != 0 {
            return Err(invalid(OperandId::RCX));
        }
        let mut shown = Registers::default();
        show(mask, registers, &mut shown);
        self.host.vmcall(&mut shown);
        show(mask, &shown, registers);
        Ok(Status::SUCCESS)
    }

    fn vp_info(&self, registers: &mut Registers) -> Status {
        registers.rcx = self.width.bits().into();
        registers.rdx = self.td.attributes.bits();
        // One processor of at most one, number 0; `TDG.SYS.RD` is there.
        (registers.r8, registers.r9) = (1 | 1 << 32, 0);
        (registers.r10, registers.r11) = (1, 0);
        Status::SUCCESS
    }

    fn extend(&mut self, registers: &Registers, memory: &impl GuestMemory) -> Leave {
        let mut data = [0; 48];
        let address = self.address(registers.rcx, 64, OperandId::RCX)?;
        memory.read(self.private(address, OperandId::RCX)?, &mut data)?;
        let index = usize::try_from(registers.rdx).ok();
        let register = index.and_then(|index| self.td.rtmrs.get_mut(index));
        let register = register.ok_or(invalid(OperandId::RDX))?;
        if self.busy.is_taken() {
            return Err(taken());
        }
        *register = Sha384::new_with_prefix(*register).chain_update(data).finalize().into();
        Ok(Status::SUCCESS)
    }

    fn make_report(&mut self, registers: &Registers, memory: &mut impl GuestMemory) -> Leave {
        aligned(registers.rcx, 1024, OperandId::RCX)?;
        let mut data = [0; 64];
        let address = self.address(registers.rdx, 64, OperandId::RDX)?;
        memory.read(address, &mut data)?;
        if registers.r8 != 0 {
            return Err(invalid(OperandId::R8));
        }
        if self.busy.is_taken() {
            return Err(taken());
        }
        let report = self.report(&data);
        // The last thing that the module looks at.
        let address = self.address(registers.rcx, 1024, OperandId::RCX)?;
        memory.write(address, report.as_bytes())?;
        Ok(Status::SUCCESS)
    }

    fn verify_report(&self, registers: &Registers, memory: &impl GuestMemory) -> Leave {
        let mut bytes = [0; 256];
        let address = self.address(registers.rcx, 256, OperandId::RCX)?;
        memory.read(self.private(address, OperandId::RCX)?, &mut bytes)?;
        let report = ReportMacStruct::from_bytes(&bytes);
        self.cpu.verify(report).map_err(|code| Stop::Status(bare(code)))?;
        Ok(Status::SUCCESS)
    }

    /// Version 1 tells the next field too. Version 0 leaves RDX alone.
    fn vm_read(&self, version: u64, registers: &mut Registers) -> Leave {
        let tells_next = version > 0;
        let id = FieldId(registers.rdx);
        registers.r8 = 0;
        if tells_next {
            registers.rdx = field::NONE.0;
        }
        if version > 1 {
            return Err(invalid(OperandId::RAX));
        }
        if registers.rcx != 0 {
            return Err(invalid(OperandId::RCX));
        }
        let mut next = field::NONE;
        let status = self.read(&field::TD, id, tells_next, &mut registers.r8, &mut next)?;
        if tells_next {
            registers.rdx = next.0;
        }
        Ok(status)
    }

    fn sys_read(&self, registers: &mut Registers) -> Leave {
        let (id, mut next) = (FieldId(registers.rdx), field::NONE);
        (registers.rdx, registers.r8) = (field::NONE.0, 0);
        let status = self.read(&field::MODULE, id, true, &mut registers.r8, &mut next)?;
        registers.rdx = next.0;
        Ok(status)
    }

    /// Reads one element. What comes next is the first element of the next field (so a comment in
    /// `metadata_generic.h` says; the RTMRs are one field here).
    fn read(
        &self,
        table: &[Field],
        id: FieldId,
        may_be_none: bool,
        value: &mut u64,
        next: &mut FieldId,
    ) -> Leave {
        let mut fields = table.iter().filter(|field| self.value(field, 0).is_some());
        let first_of = |field: Option<&Field>| field.map_or(field::NONE, |field| field.first);
        if may_be_none && id == field::NONE {
            *next = first_of(fields.next());
            return Ok(bare(StatusCode::METADATA_FIRST_FIELD_ID_IN_CONTEXT));
        }
        let incorrect = || Stop::Status(bare(StatusCode::METADATA_FIELD_ID_INCORRECT));
        let id = field::single(id).ok_or_else(incorrect)?;
        let found = fields.find_map(|field| self.value(field, field.element(id)?));
        *value = found.ok_or_else(incorrect)?;
        *next = first_of(fields.next());
        Ok(Status::SUCCESS)
    }

    /// An element of a field; `None` if the module does not have it.
    fn value(&self, field: &Field, element: u64) -> Option<u64> {
        match field.value {
            Value::Constant(value) => Some(value),
            Value::QuoteMaxSize => self.quote_max_size.map(u64::from),
            Value::TdInfo(offset) => {
                let offset = usize::try_from(element).ok()?.checked_mul(8)?.checked_add(offset)?;
                let bytes = self.td.as_bytes().get(offset..)?.first_chunk()?;
                Some(u64::from_le_bytes(*bytes))
            }
        }
    }

    /// An aligned address that is one.
    fn address(
        &self,
        address: u64,
        alignment: u64,
        operand: OperandId,
    ) -> Result<GuestPhysical, Stop> {
        aligned(address, alignment, operand)?;
        if address & self.width.beyond() != 0 {
            return Err(invalid(operand));
        }
        Ok(GuestPhysical(address))
    }

    fn private(&self, address: GuestPhysical, operand: OperandId) -> Result<GuestPhysical, Stop> {
        if address.0 & self.width.shared_bit() != 0 {
            return Err(invalid(operand));
        }
        Ok(address)
    }
}

const fn aligned(address: u64, alignment: u64, operand: OperandId) -> Result<(), Stop> {
    if GuestPhysical(address).is_aligned(alignment) { Ok(()) } else { Err(invalid(operand)) }
}

const fn taken() -> Stop {
    Stop::Status(Status::new(StatusCode::OPERAND_BUSY, OperandId::RTMR))
}

/// Copies the registers whose bits are in the mask.
const fn show(mask: u64, from: &Registers, to: &mut Registers) {
    macro_rules! copy {
        ($($bit:literal $register:ident),*) => {
            $(if mask >> $bit & 1 == 1 {
                to.$register = from.$register;
            })*
        };
    }
    copy!(2 rdx, 8 r8, 9 r9, 10 r10, 11 r11, 12 r12, 13 r13, 14 r14, 15 r15);
}

#[cfg(test)]
mod tests;
