// SPDX-License-Identifier: MIT OR Apache-2.0
//! The module: leaves on registers and guest memory.

use sha2::{Digest as _, Sha384};
use tsm_tdx::call::Registers;
use tsm_tdx::layout::{
    Attributes, ReportType, TEE_TDX, TdInfo, TdReportStruct, TeeTcbInfo, Valid, Xfam,
};
use tsm_tdx::leaf::{FieldId, Leaf};
use tsm_tdx::status::{OperandId, Status, StatusCode};
use tsm_tdx::{GuestPhysical, SharedBit};

use super::field::{self, Field, Value};
use super::{Busy, Cpu, Fault, GuestMemory, Host, NoHost};

/// A TDX module with one TD and one virtual processor. See the [module documentation](super).
///
/// | leaf | |
/// |---|---|
/// | `TDG.VP.VMCALL` | registers to the [`Host`] and back |
/// | `TDG.VP.INFO`, `TDG.MR.RTMR.EXTEND`, `TDG.MR.REPORT`, `TDG.MR.VERIFYREPORT` | whole |
/// | `TDG.VM.RD` (versions 0 and 1), `TDG.SYS.RD` | some fields |
/// | others | `TDX_OPERAND_INVALID`, operand RAX |
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Module<H = NoHost> {
    pub(super) cpu: Cpu,
    pub(super) td: TdInfo,
    pub(super) tcb: TeeTcbInfo,
    width: AddressWidth,
    quote_max_size: Option<u32>,
    busy: Busy,
    calls: u64,
    host: H,
}

/// GPAW: width of guest-physical addresses.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AddressWidth {
    /// 48 bits; the shared bit is bit 47.
    Bits48,
    /// 52 bits; the shared bit is bit 51.
    Bits52,
}

impl AddressWidth {
    /// The number of bits.
    #[must_use]
    pub const fn bits(self) -> u8 {
        match self {
            Self::Bits48 => 48,
            Self::Bits52 => 52,
        }
    }

    /// The bit that marks shared memory.
    #[must_use]
    pub const fn shared_bit(self) -> u64 {
        match self {
            Self::Bits48 => 1 << 47,
            Self::Bits52 => 1 << 51,
        }
    }

    /// Bits that no address has.
    const fn beyond(self) -> u64 {
        match self {
            Self::Bits48 => u64::MAX << 48,
            Self::Bits52 => u64::MAX << 52,
        }
    }
}

impl Module {
    /// A module on this processor with a TD that has just been started: RTMRs zero,
    /// SEPT_VE_DISABLE set, 48-bit addresses, no host.
    ///
    /// MRTD is that of the machine `Simulated::by_name("tdx")`.
    #[must_use]
    pub fn new(cpu: Cpu) -> Self {
        let mut td = TdInfo::ZERO;
        td.attributes = Attributes::SEPT_VE_DISABLE;
        td.xfam = Xfam::X87.and(Xfam::SSE).and(Xfam::AVX);
        td.mr_td = made_up("mrtd");
        let mut tcb = TeeTcbInfo::ZERO;
        tcb.valid = Valid::from_bits(Valid::TDX_1_0.bits() | Valid::TCB_SVN_2.bits());
        (tcb.tee_tcb_svn.minor, tcb.tee_tcb_svn.major, tcb.tee_tcb_svn.microcode) = (6, 1, 3);
        tcb.tee_tcb_svn_2 = tcb.tee_tcb_svn;
        tcb.mr_seam = made_up("mrseam");
        tcb.mr_signer_seam = made_up("mrsignerseam");
        Self {
            cpu,
            td,
            tcb,
            width: AddressWidth::Bits48,
            quote_max_size: None,
            busy: Busy::NEVER,
            calls: 0,
            host: NoHost,
        }
    }
}

/// The value of a register of `sim:tdx` that is made up, as the table of that machine has it.
fn made_up(name: &str) -> [u8; 48] {
    Sha384::new_with_prefix("SIMULATED value of sim:tdx/").chain_update(name).finalize().into()
}

impl<H> Module<H> {
    /// The same module below this host.
    #[must_use]
    pub fn with_host<N>(self, host: N) -> Module<N> {
        let Self { cpu, td, tcb, width, quote_max_size, busy, calls, host: _ } = self;
        Module { cpu, td, tcb, width, quote_max_size, busy, calls, host }
    }

    /// The same module with other guest-physical addresses.
    #[must_use]
    pub const fn with_address_width(mut self, width: AddressWidth) -> Self {
        self.width = width;
        self
    }

    /// The same module with the field QUOTE_MAX_SIZE, as newer ones have it.
    #[must_use]
    pub const fn with_quote_max_size(mut self, bytes: u32) -> Self {
        self.quote_max_size = Some(bytes);
        self
    }

    /// From now on the RTMRs' lock is taken like this.
    pub const fn set_busy(&mut self, busy: Busy) {
        self.busy = busy;
    }

    /// The processor.
    #[must_use]
    pub const fn cpu(&self) -> &Cpu {
        &self.cpu
    }

    /// The TD.
    #[must_use]
    pub const fn td(&self) -> &TdInfo {
        &self.td
    }

    /// The TD, as the one who builds it can change it.
    pub const fn td_mut(&mut self) -> &mut TdInfo {
        &mut self.td
    }

    /// What reports say about this module.
    #[must_use]
    pub const fn tcb_info(&self) -> &TeeTcbInfo {
        &self.tcb
    }

    /// The same, to be changed.
    pub const fn tcb_info_mut(&mut self) -> &mut TeeTcbInfo {
        &mut self.tcb
    }

    /// Width of guest-physical addresses.
    #[must_use]
    pub const fn address_width(&self) -> AddressWidth {
        self.width
    }

    /// The bit that marks shared memory.
    #[must_use]
    pub const fn shared_bit(&self) -> Option<SharedBit> {
        SharedBit::of_width(self.width.bits())
    }

    /// How many calls were made, with success or without.
    #[must_use]
    pub const fn calls(&self) -> u64 {
        self.calls
    }

    /// The host.
    #[must_use]
    pub const fn host(&self) -> &H {
        &self.host
    }

    /// The host.
    pub const fn host_mut(&mut self) -> &mut H {
        &mut self.host
    }

    /// The report that `TDG.MR.REPORT` makes.
    #[must_use]
    pub fn report(&self, data: &[u8; 64]) -> TdReportStruct {
        let mut report = TdReportStruct::ZERO;
        report.tcb_info = self.tcb;
        report.td_info = self.td;
        let mut kind = ReportType::ZERO;
        kind.kind = TEE_TDX;
        kind.version = u8::from(self.td.servtd_hash != [0; 48]);
        report.mac.report_type = kind;
        report.mac.tee_tcb_info_hash = Sha384::digest(self.tcb.as_bytes()).into();
        report.mac.tee_info_hash = Sha384::digest(self.td.as_bytes()).into();
        report.mac.report_data = *data;
        self.cpu.seal(&mut report.mac);
        report
    }
}

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
        let report = tsm_tdx::layout::ReportMacStruct::from_bytes(&bytes);
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

    /// Reads one element. The field behind it is the next one of the table, at its first element.
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
