// SPDX-License-Identifier: MIT OR Apache-2.0
//! A TDCALL as a value: leaf, registers, and the buffers that address registers name.
//!
//! Only this crate makes a [`Call`], so each one's registers are as its leaf wants them, and its
//! buffers are borrowed while it lives. That is why [`Tdcall::call`] is safe to call and can be
//! implemented without `unsafe`: a module in software reads and writes the buffers as slices, the
//! instruction gets their guest-physical addresses.

use tsm_core::index::RtmrIndex;

use crate::address::{GuestPhysical, SharedBit};
use crate::buffer::{ExtendBuffer, MacBuffer, ReportBuffer, ReportData};
use crate::error::{Error, ErrorKind};
use crate::leaf::{FieldId, Leaf, VMCALL_REGISTERS, VMCALL_STANDARD, VmcallFunction, word};
use crate::status::{OperandId, Status};

/// Something that answers TDCALLs: the instruction (`Hardware`), a module in software, a recording.
///
/// # For implementers
///
/// Answer what a TDX module would: the registers after the call, the status in RAX. The buffers of
/// the call ([`Call::operands`], [`Call::written`], [`Call::into_operands`]) are the memory that its address registers name; memory that is
/// written must be written whole, as the module does it. There is no need to check what a [`Call`]
/// cannot have wrong (alignment, sizes, an RTMR above 3), but a module in software that also serves
/// instructions will.
///
/// # For users
///
/// Take [`Td`](crate::Td), which makes the calls, decodes and retries.
pub trait Tdcall {
    /// Makes the call and returns the registers after it, the status in RAX among them.
    ///
    /// # Errors
    ///
    /// The call was not made: [`ErrorKind::Unmapped`], [`ErrorKind::Misaligned`] or
    /// [`ErrorKind::Shared`], with the operand. What the module has to say is not an error here.
    fn call(&mut self, call: Call<'_>) -> Result<Registers, Error>;
}

impl<T: Tdcall + ?Sized> Tdcall for &mut T {
    fn call(&mut self, call: Call<'_>) -> Result<Registers, Error> {
        T::call(self, call)
    }
}

/// The registers of a TDCALL, before or after it.
///
/// Those that the leaves of this crate read or write. The module keeps all others, and so does the
/// host: the calls to it show it R10 to R15 only.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
#[expect(missing_docs, reason = "they are registers")]
pub struct Registers {
    pub rax: u64,
    pub rcx: u64,
    pub rdx: u64,
    pub r8: u64,
    pub r9: u64,
    pub r10: u64,
    pub r11: u64,
    pub r12: u64,
    pub r13: u64,
    pub r14: u64,
    pub r15: u64,
}

impl Registers {
    /// RAX after a call.
    #[must_use]
    pub const fn status(&self) -> Status {
        Status(self.rax)
    }

    /// RAX before a call.
    #[must_use]
    pub const fn leaf(&self) -> Leaf {
        Leaf(self.rax)
    }
}

/// A register that holds the address of a buffer.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum AddressRegister {
    /// RCX.
    Rcx,
    /// RDX.
    Rdx,
}

impl AddressRegister {
    /// How a status names it.
    #[must_use]
    pub const fn operand(self) -> OperandId {
        match self {
            Self::Rcx => OperandId::RCX,
            Self::Rdx => OperandId::RDX,
        }
    }

    /// Its place in `registers`.
    pub const fn of(self, registers: &mut Registers) -> &mut u64 {
        match self {
            Self::Rcx => &mut registers.rcx,
            Self::Rdx => &mut registers.rdx,
        }
    }
}

/// A buffer of a call and the register that names it.
#[derive(Debug)]
pub struct Operand<'b> {
    register: AddressRegister,
    alignment: u16,
    memory: Memory<'b>,
}

impl<'b> Operand<'b> {
    /// The register that holds its address.
    #[must_use]
    pub const fn register(&self) -> AddressRegister {
        self.register
    }

    /// The alignment in bytes that the leaf demands; the buffer has it.
    #[must_use]
    pub fn alignment(&self) -> u64 {
        u64::from(self.alignment)
    }

    /// The memory.
    #[must_use]
    pub const fn memory(&self) -> &Memory<'b> {
        &self.memory
    }

    /// The memory, to be read and written as long as the buffers are borrowed.
    #[must_use]
    pub fn into_memory(self) -> Memory<'b> {
        self.memory
    }

    /// Virtual address and size in bytes. Whoever gets the address may use it: it is exposed.
    fn place(&mut self) -> (usize, usize) {
        match &mut self.memory {
            Memory::Read(bytes) => (bytes.as_ptr().expose_provenance(), bytes.len()),
            Memory::Written(bytes) => (bytes.as_mut_ptr().expose_provenance(), bytes.len()),
        }
    }
}

/// What a leaf does with a buffer, and the buffer.
#[derive(Debug)]
pub enum Memory<'b> {
    /// The leaf reads it.
    Read(&'b [u8]),
    /// The leaf writes it, all of it or nothing.
    Written(&'b mut [u8]),
}

impl Memory<'_> {
    /// The bytes as they are now.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Read(bytes) => bytes,
            Self::Written(bytes) => bytes,
        }
    }
}

/// A TDCALL that is ready to be made. See the [module documentation](self).
#[derive(Debug)]
pub struct Call<'b> {
    /// As the leaf wants them; zero where an address belongs.
    registers: Registers,
    operands: [Option<Operand<'b>>; 2],
    /// Operands at addresses with one of these bits are refused.
    refused: u64,
}

impl<'b> Call<'b> {
    /// `TDG.VP.INFO`. No operands. Gives RCX, RDX, R8 to R11.
    #[must_use]
    pub const fn vp_info() -> Self {
        Self::new(Leaf::VP_INFO)
    }

    /// `TDG.MR.RTMR.EXTEND`: `RTMR[index] = SHA384(RTMR[index] || buffer)`. RCX is the buffer, RDX
    /// the index. Gives RAX only.
    #[must_use]
    pub const fn rtmr_extend(buffer: &'b ExtendBuffer, index: RtmrIndex) -> Self {
        let mut call = Self::new(Leaf::MR_RTMR_EXTEND);
        call.registers.rdx = word(index);
        call.reading(AddressRegister::Rcx, 64, buffer.as_bytes())
    }

    /// `TDG.MR.REPORT` of subtype 0. RCX is the report, RDX the data of the caller. Gives RAX only.
    #[must_use]
    pub const fn report(report: &'b mut ReportBuffer, data: &'b ReportData) -> Self {
        let mut call =
            Self::new(Leaf::MR_REPORT).reading(AddressRegister::Rdx, 64, data.as_bytes());
        let [slot, _] = &mut call.operands;
        *slot = Some(Operand {
            register: AddressRegister::Rcx,
            alignment: 1024,
            memory: Memory::Written(report.as_bytes_mut()),
        });
        call
    }

    /// `TDG.MR.VERIFYREPORT`. RCX is the structure. Gives RAX only.
    #[must_use]
    pub const fn verify_report(mac: &'b MacBuffer) -> Self {
        Self::new(Leaf::MR_VERIFYREPORT).reading(AddressRegister::Rcx, 256, mac.as_bytes())
    }

    /// `TDG.VM.RD`, version 0, of the own TD (RCX = 0). RDX is the field. Gives R8, the
    /// value; RDX, the next field, is of version 1.
    #[must_use]
    pub const fn vm_read(field: FieldId) -> Self {
        let mut call = Self::new(Leaf::VM_RD);
        call.registers.rdx = field.0;
        call
    }

    /// `TDG.SYS.RD`. RDX is the field. Gives RDX, the next field, and R8, the value.
    #[must_use]
    pub const fn sys_read(field: FieldId) -> Self {
        let mut call = Self::new(Leaf::SYS_RD);
        call.registers.rdx = field.0;
        call
    }

    /// `TDG.VP.VMCALL` with GetQuote: R12 is the address of the request, R13 its size in bytes.
    /// Gives R10 and R11, which the host chose.
    ///
    /// The module does not touch the request, and the host gets no memory by it that it has not: an
    /// address with the shared bit is of memory that it can write at any time, one without it is of
    /// no use to it. Therefore any address may stand here.
    #[must_use]
    pub const fn quote(request: GuestPhysical, size: u64) -> Self {
        let mut call = Self::new(Leaf::VP_VMCALL);
        call.registers.rcx = VMCALL_REGISTERS;
        call.registers.r10 = VMCALL_STANDARD;
        call.registers.r11 = VmcallFunction::GET_QUOTE.0;
        call.registers.r12 = request.0;
        call.registers.r13 = size;
        call
    }

    /// The same call, but buffers in shared memory are refused before it is made.
    #[must_use]
    pub const fn private(mut self, bit: SharedBit) -> Self {
        self.refused = bit.mask();
        self
    }

    /// The leaf.
    #[must_use]
    pub const fn leaf(&self) -> Leaf {
        Leaf(self.registers.rax)
    }

    /// The registers before the call; zero where the address of an operand belongs.
    #[must_use]
    pub const fn registers(&self) -> &Registers {
        &self.registers
    }

    /// The buffers: none, one or two.
    pub fn operands(&self) -> impl Iterator<Item = &Operand<'b>> {
        self.operands.iter().flatten()
    }

    /// The buffer that the leaf writes, if it writes one.
    ///
    /// There is no access to the operands themselves but by taking the call apart: a call whose
    /// buffers could be exchanged would not be one that this crate made.
    pub fn written(&mut self) -> Option<(AddressRegister, &mut [u8])> {
        self.operands.iter_mut().flatten().find_map(|operand| match &mut operand.memory {
            Memory::Written(bytes) => Some((operand.register, &mut **bytes)),
            Memory::Read(_) => None,
        })
    }

    /// The buffers by themselves, for a module in software: all of them can be used at once, and the
    /// call is no more.
    pub fn into_operands(self) -> impl Iterator<Item = Operand<'b>> {
        self.operands.into_iter().flatten()
    }

    /// The registers with the addresses that `guest_physical` gives for an operand's virtual
    /// address and size in bytes.
    ///
    /// # Errors
    ///
    /// With the operand: [`ErrorKind::Unmapped`] if there is no address, [`ErrorKind::Misaligned`]
    /// if it lacks the alignment that the leaf demands, [`ErrorKind::Shared`] if it is one that
    /// [`private`](Self::private) excludes.
    pub fn resolve(
        &mut self,
        guest_physical: impl Fn(usize, usize) -> Option<GuestPhysical>,
    ) -> Result<Registers, Error> {
        let mut registers = self.registers;
        for operand in self.operands.iter_mut().flatten() {
            let error = |kind| Error::of(kind, operand.register.operand());
            let (unmapped, misaligned, shared) = (
                error(ErrorKind::Unmapped),
                error(ErrorKind::Misaligned),
                error(ErrorKind::Shared),
            );
            let (address, size) = operand.place();
            let found = guest_physical(address, size).ok_or(unmapped)?;
            if !found.is_aligned(operand.alignment()) {
                return Err(misaligned);
            }
            if found.0 & self.refused != 0 {
                return Err(shared);
            }
            *operand.register.of(&mut registers) = found.0;
        }
        Ok(registers)
    }

    const fn new(leaf: Leaf) -> Self {
        let registers = Registers {
            rax: leaf.0,
            rcx: 0,
            rdx: 0,
            r8: 0,
            r9: 0,
            r10: 0,
            r11: 0,
            r12: 0,
            r13: 0,
            r14: 0,
            r15: 0,
        };
        Self { registers, operands: [None, None], refused: 0 }
    }

    const fn reading(mut self, register: AddressRegister, alignment: u16, bytes: &'b [u8]) -> Self {
        let [_, slot] = &mut self.operands;
        *slot = Some(Operand { register, alignment, memory: Memory::Read(bytes) });
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WIDTH_48: SharedBit = SharedBit::of_width(48).unwrap();

    fn inputs(call: &mut Call<'_>) -> Registers {
        // Addresses that tell the operands apart and keep their alignment.
        call.resolve(|_, size| Some(GuestPhysical(size as u64 * 0x10_0000))).unwrap()
    }

    /// Every leaf's input registers, bit for bit, as the module's sources read them.
    #[test]
    fn registers_of_every_leaf() {
        let only = |registers: Registers| registers;
        let zero = Registers::default();

        assert_eq!(inputs(&mut Call::vp_info()), Registers { rax: 1, ..zero });

        let buffer = ExtendBuffer::new(&[9; 48]);
        for index in RtmrIndex::ALL {
            let expected =
                Registers { rax: 2, rcx: 48 * 0x10_0000, rdx: index.number().into(), ..zero };
            assert_eq!(inputs(&mut Call::rtmr_extend(&buffer, index)), only(expected));
        }

        let (mut report, data) = (ReportBuffer::new(), ReportData::new([5; 64]));
        let mut call = Call::report(&mut report, &data);
        let expected =
            Registers { rax: 4, rcx: 1024 * 0x10_0000, rdx: 64 * 0x10_0000, r8: 0, ..zero };
        assert_eq!(inputs(&mut call), expected);

        let mac = MacBuffer::new(&ReportMacStruct::ZERO);
        let expected = Registers { rax: 22, rcx: 256 * 0x10_0000, ..zero };
        assert_eq!(inputs(&mut Call::verify_report(&mac)), expected);

        let field = FieldId(0x1310_0003_0000_0040);
        let expected = Registers { rax: 7, rcx: 0, rdx: field.0, ..zero };
        assert_eq!(inputs(&mut Call::vm_read(field)), expected);
        assert_eq!(inputs(&mut Call::sys_read(field)), Registers { rax: 11, ..expected });

        let request = GuestPhysical(0x1234_5000).shared(WIDTH_48);
        let expected = Registers {
            rax: 0,
            rcx: 0xFC00,
            r10: 0,
            r11: 0x1_0002,
            r12: 0x8000_1234_5000,
            r13: 0x4000,
            ..zero
        };
        assert_eq!(inputs(&mut Call::quote(request, 0x4000)), expected);
    }

    use crate::layout::ReportMacStruct;

    #[test]
    fn buffers_are_seen() {
        let (mut report, data) = (ReportBuffer::new(), ReportData::new([5; 64]));
        let mut call = Call::report(&mut report, &data);
        assert_eq!(call.operands().count(), 2);
        let (register, bytes) = call.written().unwrap();
        assert_eq!((register, bytes.len()), (AddressRegister::Rcx, 1024));
        for operand in call.into_operands() {
            match (operand.register(), operand.into_memory()) {
                (AddressRegister::Rcx, Memory::Written(bytes)) => bytes.fill(7),
                (AddressRegister::Rdx, Memory::Read(bytes)) => assert_eq!(bytes, &[5; 64]),
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(report.as_bytes(), &[7; 1024]);
        let buffer = ExtendBuffer::new(&[9; 48]);
        let mut call = Call::rtmr_extend(&buffer, RtmrIndex::RTMR2);
        assert!(call.written().is_none());
        assert!(call.operands().all(|operand| operand.memory().as_bytes() == [9; 48]));
    }

    #[test]
    fn addresses_are_real_and_aligned() {
        let (mut report, data) = (ReportBuffer::new(), ReportData::new([5; 64]));
        let places = ((&raw const report).addr(), (&raw const data).addr());
        let mut call = Call::report(&mut report, &data);
        let registers = call.resolve(|address, _| Some(GuestPhysical(address as u64))).unwrap();
        assert_eq!((registers.rcx as usize, registers.rdx as usize), places);
    }

    #[test]
    fn refused_before_the_call() {
        let buffer = ExtendBuffer::new(&[9; 48]);
        let mut call = Call::rtmr_extend(&buffer, RtmrIndex::RTMR0).private(WIDTH_48);
        let mut with = |address: Option<u64>| {
            call.resolve(|_, _| address.map(GuestPhysical)).map_err(|e| (e.kind(), e.operand()))
        };
        let rcx = Some(OperandId::RCX);
        assert_eq!(with(None), Err((ErrorKind::Unmapped, rcx)));
        assert_eq!(with(Some(0x1020)), Err((ErrorKind::Misaligned, rcx)));
        assert_eq!(with(Some(0x8000_0000_1000)), Err((ErrorKind::Shared, rcx)));
        assert_eq!(with(Some(0x1040)).map(|registers| registers.rcx), Ok(0x1040));
        let (mut report, data) = (ReportBuffer::new(), ReportData::new([5; 64]));
        let mut call = Call::report(&mut report, &data);
        let unaligned = call.resolve(|_, size| Some(GuestPhysical(if size == 64 { 8 } else { 0 })));
        assert_eq!(unaligned.unwrap_err().operand(), Some(OperandId::RDX));
    }
}
