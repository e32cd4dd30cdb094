// SPDX-License-Identifier: MIT OR Apache-2.0
//! A module's state as text, so that it survives the process.
//!
//! ```text
//! SIMULATED TDX module, not a machine's
//! format 1
//! address-width 48
//! cpu-secret <hex>
//! cpu-svn <hex>
//! tee-tcb-info <hex>
//! attributes <hex>
//! ...
//! rtmr3 <hex>
//! servtd_hash <hex>
//! end
//! ```

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write as _;

use tsm_core::hex::Hex;
use tsm_tdx::layout::{Attributes, TdInfo, TeeTcbInfo, Xfam};

use super::{AddressWidth, Cpu, Module};
use crate::lines::{LoadError, LoadErrorKind, Reader};

const FIRST_LINE: &str = "SIMULATED TDX module, not a machine's";
const FORMAT: &str = "format 1";

/// The registers of 48 bytes, by the names that the adapter gives them.
fn registers(td: &mut TdInfo) -> [(&'static str, &mut [u8; 48]); 9] {
    let [rtmr0, rtmr1, rtmr2, rtmr3] = &mut td.rtmrs;
    [
        ("mrtd", &mut td.mr_td),
        ("mrconfigid", &mut td.mr_config_id),
        ("mrowner", &mut td.mr_owner),
        ("mrownerconfig", &mut td.mr_owner_config),
        ("rtmr0", rtmr0),
        ("rtmr1", rtmr1),
        ("rtmr2", rtmr2),
        ("rtmr3", rtmr3),
        ("servtd_hash", &mut td.servtd_hash),
    ]
}

impl<H> Module<H> {
    /// Processor, module and TD. Its first word is `SIMULATED`. The host is not in it, and neither
    /// are [`Busy`](super::Busy), QUOTE_MAX_SIZE and the number of calls.
    ///
    /// Whoever can change it decides what the registers say, as is fitting for a simulator.
    #[must_use]
    pub fn save(&self) -> Vec<u8> {
        let mut out = String::new();
        let mut line = |name: &str, value: &[u8]| {
            // Writing to a string does not fail.
            let _ = writeln!(out, "{name} {}", Hex(value));
        };
        line("cpu-secret", self.cpu.secret());
        line("cpu-svn", self.cpu.svn());
        line("tee-tcb-info", self.tcb.as_bytes());
        line("attributes", &self.td.attributes.bits().to_le_bytes());
        line("xfam", &self.td.xfam.bits().to_le_bytes());
        let mut td = self.td;
        for (name, value) in registers(&mut td) {
            line(name, value);
        }
        let width = self.address_width().bits();
        let head = alloc::format!("{FIRST_LINE}\n{FORMAT}\naddress-width {width}\n");
        [head.as_bytes(), out.as_bytes(), b"end\n"].concat()
    }
}

impl Module {
    /// The module that was [saved](Self::save), without a host.
    ///
    /// # Errors
    ///
    /// [`LoadError`] says which line is not what was saved.
    pub fn load(state: &[u8]) -> Result<Self, LoadError> {
        let mut lines = Reader::new(state, FIRST_LINE, FORMAT)?;
        let width = match lines.after("address-width ")? {
            b"48" => AddressWidth::Bits48,
            b"52" => AddressWidth::Bits52,
            _ => return Err(lines.error(LoadErrorKind::Unexpected)),
        };
        let (mut secret, mut svn) = ([0; 32], [0; 16]);
        lines.hex_into("cpu-secret ", &mut secret)?;
        lines.hex_into("cpu-svn ", &mut svn)?;
        let mut tcb = [0; TeeTcbInfo::SIZE];
        lines.hex_into("tee-tcb-info ", &mut tcb)?;
        let (mut attributes, mut xfam) = ([0; 8], [0; 8]);
        lines.hex_into("attributes ", &mut attributes)?;
        lines.hex_into("xfam ", &mut xfam)?;
        let mut td = TdInfo::ZERO;
        td.attributes = Attributes::from_bits(u64::from_le_bytes(attributes));
        td.xfam = Xfam::from_bits(u64::from_le_bytes(xfam));
        for (name, value) in registers(&mut td) {
            lines.hex_into(&alloc::format!("{name} "), value)?;
        }
        if lines.next()? != b"end" {
            return Err(lines.error(LoadErrorKind::Unexpected));
        }
        lines.finish()?;
        let mut module = Self::new(Cpu::from_parts(secret, svn)).with_address_width(width);
        *module.td_mut() = td;
        *module.tcb_info_mut() = *TeeTcbInfo::from_bytes(&tcb);
        Ok(module)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lines::laws::Saved;

    fn lived_in() -> Module {
        let cpu = Cpu::new("state").with_svn([7; 16]);
        let mut module = Module::new(cpu).with_address_width(AddressWidth::Bits52);
        let td = module.td_mut();
        td.attributes = Attributes::DEBUG.and(Attributes::PKS);
        for (n, (_, value)) in (1..).zip(registers(td)) {
            *value = [n; 48];
        }
        module.tcb_info_mut().tee_tcb_svn_2.minor = 9;
        module
    }

    const SAVED: Saved<Module> =
        Saved { save: |module| module.save(), load: |state| Module::load(state) };

    #[test]
    fn laws_of_saved_states() {
        SAVED.there_and_back(&Module::new(Cpu::new("")));
        SAVED.laws(&lived_in());
    }

    #[test]
    fn refusals() {
        let state = String::from_utf8(lived_in().save()).unwrap();
        let cases = [
            ("SIMULATED TDX", "A TDX", LoadErrorKind::NotSimulated, 1),
            ("format 1", "format 2", LoadErrorKind::Format, 2),
            ("address-width 52", "address-width 51", LoadErrorKind::Unexpected, 3),
            ("cpu-svn 07", "cpu-svn ", LoadErrorKind::Size, 5),
            ("mrowner ", "mrowners ", LoadErrorKind::Unexpected, 11),
            ("end\n", "ends\n", LoadErrorKind::Unexpected, 18),
            ("end\n", "end\n\n", LoadErrorKind::Length, 19),
        ];
        SAVED.refused(&state, &cases);
    }
}
