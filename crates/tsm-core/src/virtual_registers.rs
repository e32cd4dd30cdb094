// SPDX-License-Identifier: MIT OR Apache-2.0
//! Virtual registers: many registers carried by one (specification, section 6).
//!
//! A record `<name> extend <alg>/<hex>` in a native register's log extends the virtual register
//! `<name>`. Its value follows from the records alone, so it is as trustworthy as the native
//! register's log, and applications that share a native register cannot touch each other's virtual
//! ones: what one appends is not under the other's name.
//!
//! - [`Fold`] computes virtual values from records; the verifier and the platform side use the same
//!   code.
//! - [`VirtualRegisters`] is a [`Provider`](crate::Provider) of the native registers and the virtual
//!   ones together.

mod fold;
mod provider;

pub use fold::{Fold, FoldSink, Malformed, TableError, VirtualValue};
pub use provider::{OpenError, VirtualError, VirtualRegisters};
