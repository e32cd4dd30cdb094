// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the fuzz targets do with their input.
//!
//! Each function takes arbitrary bytes and panics if the library breaks a law. A law is stated
//! against something that does not share the library's code: a naive reading of the same bytes, a
//! second way to the same result, or a model of a few lines. Most targets take some bytes from the
//! front of the input for their choices ([`input::Input`]); the rest is what is read.
//!
//! `tests/seeds.rs` runs every seed through its target on any toolchain.

mod aael;
mod append;
mod capi;
mod cca_realm_config;
mod cca_token;
mod cel;
mod convert;
pub mod cbor;
mod detect;
mod dstack;
mod event_data;
mod ima;
mod ima_ascii;
mod ima_binary;
pub mod input;
mod model;
mod record_reader;
mod replay;
mod sequence;
mod sim_state;
mod snp_certificates;
mod snp_manifest;
mod snp_message;
mod snp_report;
mod systemd;
mod tcg;
mod tdx_ccel;
mod tdx_module;
mod tdx_quote;
mod tdx_report;
mod tree;
mod virtual_fold;

pub use aael::aael;
pub use append::append;
pub use capi::capi;
pub use cca_realm_config::cca_realm_config;
pub use cca_token::cca_token;
pub use cel::cel;
pub use convert::convert;
pub use detect::detect;
pub use dstack::dstack;
pub use event_data::event_data;
pub use ima_ascii::ima_ascii;
pub use ima_binary::ima_binary;
pub use record_reader::record_reader;
pub use replay::replay;
pub use sequence::sequence;
pub use sim_state::sim_state;
pub use snp_certificates::snp_certificates;
pub use snp_manifest::snp_manifest;
pub use snp_message::snp_message;
pub use snp_report::snp_report;
pub use systemd::systemd;
pub use tcg::tcg;
pub use tdx_ccel::tdx_ccel;
pub use tdx_module::tdx_module;
pub use tdx_quote::tdx_quote;
pub use tdx_report::tdx_report;
pub use tree::tree;
pub use virtual_fold::virtual_fold;

/// A target by its name.
#[must_use]
pub fn target(name: &str) -> Option<fn(&[u8])> {
    Some(match name {
        "aael" => aael,
        "append" => append,
        "capi" => capi,
        "cca_realm_config" => cca_realm_config,
        "cca_token" => cca_token,
        "cel" => cel,
        "convert" => convert,
        "detect" => detect,
        "dstack" => dstack,
        "event_data" => event_data,
        "ima_ascii" => ima_ascii,
        "ima_binary" => ima_binary,
        "record_reader" => record_reader,
        "replay" => replay,
        "sequence" => sequence,
        "sim_state" => sim_state,
        "snp_certificates" => snp_certificates,
        "snp_manifest" => snp_manifest,
        "snp_message" => snp_message,
        "snp_report" => snp_report,
        "systemd" => systemd,
        "tcg" => tcg,
        "tdx_ccel" => tdx_ccel,
        "tdx_module" => tdx_module,
        "tdx_quote" => tdx_quote,
        "tdx_report" => tdx_report,
        "tree" => tree,
        "virtual_fold" => virtual_fold,
        _ => return None,
    })
}
