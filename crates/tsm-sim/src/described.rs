// SPDX-License-Identifier: MIT OR Apache-2.0
//! Descriptions of an adapter's registers, kept while there is no adapter.
//!
//! A machine makes its adapter anew for each call, so it cannot lend what the adapter describes.

use alloc::string::String;
use alloc::vec::Vec;

use tsm_core::{Provider, Register, RegisterId};

/// The registers of a provider, in its order: names, and descriptions without them.
#[derive(Clone, Default, Debug)]
pub(crate) struct Described(Vec<(String, Register<'static>)>);

impl Described {
    pub(crate) fn of(provider: &impl Provider) -> Self {
        let owned = |register: Register<'_>| {
            let Register { name, value, powers, initial, presentation } = register;
            (name.into(), Register { name: "", value, powers, initial, presentation })
        };
        Self(provider.registers().map(|(_, register)| owned(register)).collect())
    }

    pub(crate) fn describe(&self, id: RegisterId) -> Option<Register<'_>> {
        let (name, register) = self.0.get(id.index())?;
        Some(Register { name, ..*register })
    }
}
