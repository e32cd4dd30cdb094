// SPDX-License-Identifier: MIT OR Apache-2.0
//! Laws of log, replay and writer, on simulated platforms that are unlike each other.
//!
//! A *history* is a sequence of things that happen to one register: appends, off-log extensions,
//! faults, restarts. [`machine::Machine`] lives through one and knows what truly was extended; the
//! laws compare that with what the log says.

mod crash;
mod flips;
mod history;
mod input;
mod machine;
mod replay;
mod schedule;
mod virtual_registers;
