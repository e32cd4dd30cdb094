// SPDX-License-Identifier: MIT OR Apache-2.0
//! A TDX module in software, behind [`tsm_tdx::Tdcall`].
//!
//! [`Module`] answers TDCALLs as the TDX module 1.5 would: the same operand checks in the same order,
//! the same status codes, real SHA-384 and real MACs, with a key that anybody can compute. It works on
//! registers and a [`GuestMemory`] ([`Module::execute`]), for handlers of the instruction's
//! exception; and as a [`Tdcall`](tsm_tdx::Tdcall) on the buffers of a call. It never allocates.
//! [`TdxMachine`] is the module, the adapter and its registers in one: a provider.
//!
//! Whatever it makes is marked: its MRTD, MRSEAM and MRSIGNERSEAM are hashes of texts that begin
//! with `SIMULATED`, so no reference value of a real machine equals them. With the feature `tdx-quote`,
//! `quoting` has quotes that chain to a root of the simulator's own.
//!
//! ```
//! use tsm_sim::tdx::{Cpu, Module};
//! use tsm_tdx::{ExtendBuffer, RtmrIndex, Td};
//!
//! # fn main() -> Result<(), tsm_tdx::Error> {
//! let mut td = Td::new(Module::new(Cpu::new("one")))?;
//! td.extend(RtmrIndex::RTMR3, &ExtendBuffer::new(&[7; 48]))?;
//! assert_ne!(td.read_rtmr(RtmrIndex::RTMR3)?, [0; 48]);
//! # Ok(())
//! # }
//! ```
//!
//! Source, unless something else is named: TDX module 1.5, `src/td_dispatcher/vm_exits/`. Nothing here
//! was compared with a TDX machine.

mod busy;
mod call;
mod cpu;
mod field;
mod host;
mod leaves;
mod machine;
mod memory;
mod module;
#[cfg(feature = "tdx-quote")]
pub mod quoting;
mod state;

pub use busy::Busy;
pub use cpu::Cpu;
pub use host::{Host, NoHost};
pub use machine::TdxMachine;
pub use memory::{Fault, GuestMemory};
pub use module::{AddressWidth, Module};
