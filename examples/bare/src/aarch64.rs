// SPDX-License-Identifier: MIT OR Apache-2.0
//! QEMU's machine `virt`.

mod call;
mod devices;

pub(crate) use call::call_on;
pub(crate) use devices::{exit, write};
