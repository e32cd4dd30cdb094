// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the fuzz targets do with their input.
//!
//! Each function takes arbitrary bytes and panics if the library breaks a law. A law is stated
//! against something that does not share the library's code: a naive reading of the same bytes, a
//! second way to the same result, or a model of a few lines. Most targets take some bytes from the
//! front of the input for their choices ([`input::Input`]); the rest is what is read.
//!
//! `tests/seeds.rs` runs every seed through its target on any toolchain.

mod append;
mod capi;
mod detect;
mod event_data;
mod ima;
mod ima_ascii;
mod ima_binary;
pub mod input;
mod model;
mod record_reader;
mod replay;
mod sim_state;
mod tcg;
mod tree;
mod virtual_fold;

pub use append::append;
pub use capi::capi;
pub use detect::detect;
pub use event_data::event_data;
pub use ima_ascii::ima_ascii;
pub use ima_binary::ima_binary;
pub use record_reader::record_reader;
pub use replay::replay;
pub use sim_state::sim_state;
pub use tcg::tcg;
pub use tree::tree;
pub use virtual_fold::virtual_fold;

/// A target by its name.
#[must_use]
pub fn target(name: &str) -> Option<fn(&[u8])> {
    Some(match name {
        "append" => append,
        "capi" => capi,
        "detect" => detect,
        "event_data" => event_data,
        "ima_ascii" => ima_ascii,
        "ima_binary" => ima_binary,
        "record_reader" => record_reader,
        "replay" => replay,
        "sim_state" => sim_state,
        "tcg" => tcg,
        "tree" => tree,
        "virtual_fold" => virtual_fold,
        _ => return None,
    })
}
