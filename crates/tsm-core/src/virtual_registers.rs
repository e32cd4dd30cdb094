// SPDX-License-Identifier: MIT OR Apache-2.0
//! Virtual registers: many registers carried by one (specification, section 6).
//!
//! A record `<name> extend <alg>/<hex>` in a native register's log extends the virtual register
//! `<name>`. Its value follows from the records alone, so applications that share a native register
//! do not disturb each other: what one records under its name changes nobody else's value, in
//! whatever order they come. Names are not access control: whoever may append may append under any
//! name, as whoever may extend a register can.
//!
//! A carrier should not permit direct extension. Where it does, a record can be hidden behind the
//! note of an off-log extension, so a verifier believes virtual values only of a log that [accounts
//! for all](crate::replay::Outcome::accounts_for_all) extensions.
//!
//! - [`Fold`] computes virtual values from records; the verifier and the platform side use the same
//!   code.
//! - [`VirtualRegisters`] is a [`Provider`](crate::Provider) of the native registers and the virtual
//!   ones together.

mod fold;
mod provider;

pub use fold::{Fold, FoldSink, Malformed, TableError, VirtualValue};
pub use provider::{OpenError, VirtualError, VirtualRegisters};
