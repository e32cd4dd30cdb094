// SPDX-License-Identifier: MIT OR Apache-2.0
//! A simulated machine's state as text, so that it survives the process.
//!
//! One line each: what it is, the format's version, the platform and the banks chosen for it, the
//! user data, every kept value in the order of registers and banks, every locked register, the end.
//!
//! ```text
//! SIMULATED measurement registers, not a machine's
//! format 1
//! platform cca sha256
//! user-data <hex>
//! value rim:sha256 <hex>
//! ...
//! lock <register>
//! end
//! ```

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::fmt::{self, Write as _};

use tsm_core::hex::Hex;
use tsm_core::{Algorithm, Banks, Powers};

use crate::lines::{LoadError, LoadErrorKind, Reader};
use crate::platform;
use crate::simulated::{CellValue, Simulated};
use crate::table::{Platform, values};

const FIRST_LINE: &str = "SIMULATED measurement registers, not a machine's";
const FORMAT: &str = "format 1";

impl Simulated {
    /// The machine's whole state. Its first word is `SIMULATED`.
    ///
    /// Whoever can change it decides what the registers say, as is fitting for a simulator.
    #[must_use]
    pub fn save(&self) -> Vec<u8> {
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = self.write_state(&mut text);
        text.into_bytes()
    }

    fn write_state(&self, out: &mut String) -> fmt::Result {
        writeln!(out, "{FIRST_LINE}\n{FORMAT}")?;
        write!(out, "platform {}", short(self.platform()))?;
        for bank in self.platform().choice().iter() {
            write!(out, " {bank}")?;
        }
        writeln!(out, "\nuser-data {}", Hex(&self.user_data))?;
        for (row, cell) in self.platform().rows().iter().zip(&self.cells) {
            let name = row.register.name;
            match &cell.value {
                CellValue::Digests(digests) => {
                    for digest in digests {
                        let hex = Hex(digest.as_bytes());
                        writeln!(out, "value {name}:{} {hex}", digest.algorithm())?;
                    }
                }
                CellValue::Bytes(bytes) => writeln!(out, "value {name} {}", Hex(bytes))?,
                CellValue::Derived => {}
            }
        }
        for (row, cell) in self.platform().rows().iter().zip(&self.cells) {
            if cell.locked {
                writeln!(out, "lock {}", row.register.name)?;
            }
        }
        writeln!(out, "end")
    }

    /// The machine that was [saved](Self::save), one of [`platform::NAMES`].
    ///
    /// # Errors
    ///
    /// [`LoadError`] says which line is not what was saved.
    pub fn load(state: &[u8]) -> Result<Self, LoadError> {
        let mut lines = Reader::new(state, FIRST_LINE, FORMAT)?;
        let platform = lines.platform()?;
        lines.machine(platform)
    }

    /// The machine that was [saved](Self::save), on a platform of the caller's own.
    ///
    /// # Errors
    ///
    /// [`LoadError`] says which line is not what was saved; `Platform` if the state is another
    /// platform's.
    pub fn load_on(platform: Platform, state: &[u8]) -> Result<Self, LoadError> {
        let mut lines = Reader::new(state, FIRST_LINE, FORMAT)?;
        let (name, banks) = lines.names()?;
        if name != short(&platform) || banks != platform.choice() {
            return Err(lines.error(LoadErrorKind::Platform));
        }
        lines.machine(platform)
    }
}

/// A platform's name without `sim:`.
fn short(platform: &Platform) -> &'static str {
    let name = platform.name();
    name.strip_prefix("sim:").unwrap_or(name)
}

impl<'s> Reader<'s> {
    fn names(&mut self) -> Result<(&'s str, Banks), LoadError> {
        let words = self.after("platform ")?;
        let wrong = self.error(LoadErrorKind::Platform);
        let words = core::str::from_utf8(words).map_err(|_| wrong)?;
        let mut words = words.split(' ');
        let name = words.next().ok_or(wrong)?;
        let banks = words.try_fold(Banks::NONE, |banks, word| {
            Algorithm::from_name(word.as_bytes()).and_then(|bank| banks.and(bank)).ok_or(wrong)
        })?;
        Ok((name, banks))
    }

    fn platform(&mut self) -> Result<Platform, LoadError> {
        let (name, banks) = self.names()?;
        let platform = platform::with_banks(name, banks).filter(|p| p.choice() == banks);
        platform.ok_or(self.error(LoadErrorKind::Platform))
    }

    fn hex(&mut self, words: &str, size: usize) -> Result<Vec<u8>, LoadError> {
        let mut bytes = vec![0; size];
        self.hex_into(words, &mut bytes)?;
        Ok(bytes)
    }

    /// The lines behind the platform's.
    fn machine(mut self, platform: Platform) -> Result<Simulated, LoadError> {
        let mut machine = Simulated::new(platform.clone());
        machine.user_data = self.hex("user-data ", platform.user_data())?.into();
        for (index, row) in platform.rows().iter().enumerate() {
            let derived = machine.cells.get(index).is_none_or(|c| c.value == CellValue::Derived);
            let name = row.register.name;
            for (bank, size) in values(&row.register).filter(|_| !derived) {
                let value = match bank {
                    Some(bank) => self.hex(&alloc::format!("value {name}:{bank} "), size)?,
                    None => self.hex(&alloc::format!("value {name} "), size)?,
                };
                let wrong = self.error(LoadErrorKind::Unexpected);
                machine.preset(name, bank, &value).map_err(|_| wrong)?;
            }
        }
        // Locks come in the registers' order, so no line may name an earlier one again.
        let mut rows = platform.rows().iter().zip(&mut machine.cells);
        loop {
            let line = self.next()?;
            if line == b"end" {
                break;
            }
            let wrong = self.error(LoadErrorKind::Unexpected);
            let name = line.strip_prefix(b"lock ").ok_or(wrong)?;
            let (row, cell) =
                rows.find(|(r, _)| r.register.name.as_bytes() == name).ok_or(wrong)?;
            if !row.register.powers.contains(Powers::LOCK) {
                return Err(wrong);
            }
            cell.locked = true;
        }
        self.finish()?;
        Ok(machine)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lines::laws::Saved;
    use tsm_core::Provider;
    use tsm_core::provider::{Lockable, Reporter};

    fn lived_in(name: &str) -> Simulated {
        let mut machine = Simulated::by_name(name).unwrap();
        let ids: Vec<_> = machine.registers().map(|(id, r)| (id, r.banks(), r.powers)).collect();
        for (id, banks, powers) in ids {
            if powers.contains(Powers::EXTEND) {
                let digests: Vec<_> = banks.iter().map(|b| b.hash(&id.0.to_le_bytes())).collect();
                machine.extend(id, &digests).unwrap();
            }
            if powers.contains(Powers::LOCK) && id.0 % 3 == 1 {
                machine.lock(id).unwrap();
            }
        }
        machine.report(b"user data", &mut [0; 8192]).unwrap();
        machine
    }

    const SAVED: Saved<Simulated> =
        Saved { save: |machine| machine.save(), load: |state| Simulated::load(state) };

    #[test]
    fn there_and_back() {
        for name in platform::NAMES {
            let machine = lived_in(name);
            SAVED.there_and_back(&machine);
            let state = machine.save();
            assert_eq!(Simulated::load_on(machine.platform().clone(), &state), Ok(machine));
        }
        for banks in [&[Algorithm::Sha512][..], &[Algorithm::Sha384, Algorithm::Sha1]] {
            let platform = platform::tpm(Banks::new(banks).unwrap()).unwrap();
            SAVED.there_and_back(&Simulated::new(platform));
        }
        let machine = Simulated::new(platform::cca(Algorithm::Sha512).unwrap());
        SAVED.there_and_back(&machine);
        assert_eq!(
            Simulated::load_on(platform::cca(Algorithm::Sha256).unwrap(), &machine.save()),
            Err(LoadError { kind: LoadErrorKind::Platform, line: 3 })
        );
    }

    #[test]
    fn laws_of_saved_states() {
        SAVED.laws(&lived_in("nsm"));
        SAVED.laws(&lived_in("cca"));
    }

    #[test]
    fn refusals() {
        let state = String::from_utf8(lived_in("nsm").save()).unwrap();
        let rim = String::from_utf8(lived_in("cca").save()).unwrap();
        let load = |text: String| Simulated::load(text.as_bytes()).unwrap_err();
        for (text, kind, line) in [
            (String::new(), LoadErrorKind::NotSimulated, 1),
            (state.replace("SIMULATED", "GENUINE"), LoadErrorKind::NotSimulated, 1),
            (state.replace("format 1", "format 2"), LoadErrorKind::Format, 2),
            (state.replace("format 1", "format 10"), LoadErrorKind::Format, 2),
            (state.replace("platform nsm", "platform vax"), LoadErrorKind::Platform, 3),
            (state.replace("platform nsm", "platform nsm sha1"), LoadErrorKind::Platform, 3),
            (state.replace("platform nsm", "platform tpm"), LoadErrorKind::Platform, 3),
            (rim.replace("cca sha256", "cca sha1"), LoadErrorKind::Platform, 3),
            (rim.replace("cca sha256", "cca"), LoadErrorKind::Platform, 3),
            (rim.replace("cca sha256", "cca sha256 sha256"), LoadErrorKind::Platform, 3),
            (rim.replace("cca sha256", "cca sha512"), LoadErrorKind::Unexpected, 5),
            (state.replace("user-data ", "user-data 00"), LoadErrorKind::Size, 4),
            (rim.replace("rim:sha256 ", "rim:sha256 A"), LoadErrorKind::Size, 5),
            (
                state.replace("lock pcr17\n", "lock pcr17\nlock pcr17\n"),
                LoadErrorKind::Unexpected,
                22,
            ),
            (rim.replace("end\n", "lock rim\nend\n"), LoadErrorKind::Unexpected, 11),
            (rim.replace("end\n", "end\n\n"), LoadErrorKind::Length, 12),
        ] {
            assert_eq!(load(text.clone()), LoadError { kind, line }, "{text}");
        }
    }
}
