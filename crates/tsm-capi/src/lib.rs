// SPDX-License-Identifier: MIT OR Apache-2.0
//! The C ABI of `tsm-core`, small enough for a boot loader.
//!
//! All memory is the caller's, there is no global state, and nothing is allocated. The header is
//! `include/tsm.h`, generated from this crate by `cargo xtask capi`; the comments here are the
//! header's, so they speak to C programmers. What C programs link is built from the package in
//! `static/`: this crate is an ordinary library, for tests, fuzzing and documentation.
//!
//! # How it is made
//!
//! A thin layer: every function checks its pointers, turns them into slices and values, calls
//! `tsm-core`, and turns the answer into a status. Nothing is decided here.
//!
//! - A pointer that is null, misaligned or overlaps what it must not, and a length that no object
//!   can have, get a status. What cannot be checked (that memory is really there) is each
//!   function's contract.
//! - A handle is memory of the caller. Its first word says what it is and where it stands, so that
//!   one that was never initialised, or was copied elsewhere, is refused. During a call the state
//!   is *moved out* of the handle and the first word says so: a callback that comes back with the
//!   same handle is refused, and could not do harm if it overwrote it.
//! - No reference to the caller's log buffer exists while a callback runs.
//!
//! # Unsafe
//!
//! One operation per block with a proof, in `memory`, `handle`, `storage` and `callback`. The
//! functions of the ABI themselves call only those.

#![cfg_attr(not(test), no_std)]
#![deny(clippy::undocumented_unsafe_blocks, clippy::multiple_unsafe_ops_per_block)]
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        clippy::as_conversions
    )
)]
// The names are C's.
#![allow(non_camel_case_types)]

mod callback;
mod digest;
mod handle;
mod lines;
mod log;
mod memory;
mod register;
mod replay;
mod status;
mod storage;
mod version;
mod virtual_register;

pub use callback::{tsm_extend_fn, tsm_provider, tsm_read_fn};
pub use digest::*;
pub use lines::*;
pub use log::*;
pub use register::*;
pub use replay::*;
pub use status::*;
pub use version::*;
pub use virtual_register::*;
