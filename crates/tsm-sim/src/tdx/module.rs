// SPDX-License-Identifier: MIT OR Apache-2.0
//! The module and its TD: what they are. What they do is in `leaves.rs`.

use sha2::{Digest as _, Sha384};
use tsm_tdx::SharedBit;
use tsm_tdx::layout::{
    Attributes, ReportType, TEE_TDX, TdInfo, TdReportStruct, TeeTcbInfo, Valid, Xfam,
};

use super::{Busy, Cpu, NoHost};

/// A TDX module with one TD and one virtual processor. See the [module documentation](super).
///
/// | leaf | |
/// |---|---|
/// | `TDG.VP.VMCALL` | registers to the [`Host`](super::Host) and back |
/// | `TDG.VP.INFO`, `TDG.MR.RTMR.EXTEND`, `TDG.MR.REPORT`, `TDG.MR.VERIFYREPORT` | whole |
/// | `TDG.VM.RD` (versions 0 and 1), `TDG.SYS.RD` | some fields |
/// | others | `TDX_OPERAND_INVALID`, operand RAX |
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Module<H = NoHost> {
    pub(super) cpu: Cpu,
    pub(super) td: TdInfo,
    pub(super) tcb: TeeTcbInfo,
    pub(super) width: AddressWidth,
    pub(super) quote_max_size: Option<u32>,
    pub(super) busy: Busy,
    pub(super) calls: u64,
    pub(super) host: H,
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
    pub(super) const fn beyond(self) -> u64 {
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
